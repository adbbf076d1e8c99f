package recovery

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

// A blow is where a process is hit: at its n-th call of the store or of the world,
// before or after the effect of the call.
type blow struct {
	who   string // which node
	what  string // store, world, or answer: the call fails but the process goes on
	n     int
	when  kvtest.When
	blind bool // nobody can ask the world afterwards
}

func (b blow) String() string {
	return fmt.Sprintf("%s_%s_%s_%d_blind=%t", b.who, b.what, b.when, b.n, b.blind)
}

// TestCrashMatrix stops a node at its 1st, 2nd, … call until it is not hit any more,
// lets the others go on, and compares the effects with the undisturbed run: no step
// is carried out twice, none is lost, and the run ends.
func TestCrashMatrix(t *testing.T) {
	for _, who := range []string{"anyang", "gasan", "sejong"} { // leader and executor; executor; leader alone
		for _, what := range []string{"store", "world", "answer"} {
			for _, when := range []kvtest.When{kvtest.Before, kvtest.After} {
				for _, blind := range []bool{false, true} {
					if blind && what == "answer" {
						continue
					}
					t.Run(blow{who, what, 0, when, blind}.String(), func(t *testing.T) {
						n := 1
						for strike(t, blow{who, what, n, when, blind}) {
							n++
						}
						t.Logf("%d calls hit", n-1)
						if n < 4 && (what == "store" || who == "anyang" && what == "world") {
							t.Errorf("only %d calls were hit: the matrix tests nothing", n-1)
						}
					})
				}
			}
		}
	}
}

// strike runs the plan with one blow, and reports whether it hit.
func strike(t *testing.T, b blow) (hit bool) {
	t.Helper()
	bubble(t, func(c *cluster) {
		t := c.t
		c.world.blind = b.blind
		for _, id := range []string{"a", "b", "c", "d"} {
			c.world.takes[id] = time.Second
		}
		// The first to start leads; sejong leads without a step of its own.
		first := "anyang"
		if b.who == "sejong" {
			first = "sejong"
		}
		n := c.prepare(b.who)
		switch b.what {
		case "store":
			n.store.CrashAt(b.n, b.when)
		case "answer":
			n.store.FailAt(b.n, b.when, kv.ErrUnavailable)
		default:
			n.hands.at, n.hands.when = b.n, b.when
		}
		for _, name := range []string{first, "anyang", "gasan", "sejong"} {
			m := c.nodes[name]
			if m == nil {
				m = c.prepare(name)
			}
			if m.stop == nil {
				c.start(m)
				pause(t.Context(), 100*time.Millisecond)
			}
		}
		run := c.create(chainAndFork())
		v := c.until(run.ID, 10*time.Minute, func(v RunView) bool {
			for _, w := range v.Waiting { // a person looks, and says what is so
				if w.Kind != string(QuestionResult) {
					t.Fatalf("%s: asks a person %+v", b, w)
				}
				there := c.world.total()[w.Step] > 0
				if err := Confirm(t.Context(), c.store, run.ID, w.Step, there, By{"kim", "looked"}); err != nil {
					t.Fatal(err)
				}
			}
			return over(v)
		})
		if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, c.world.total()); diff != "" || v.State != RunDone {
			t.Fatalf("%s: effects (-undisturbed +got):\n%s\n%s", b, diff, story(v))
		}
		checkJournal(t, v)
		switch b.what {
		case "world":
			hit = n.hands.n >= b.n
		default:
			hit = len(n.store.Calls()) >= b.n
		}
	})
	return hit && !t.Failed()
}
