package recovery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

// TestRandomRuns carries out random plans while steps fail and overrun, answers get
// lost, and nodes crash and are cut off. Whatever happens, a run ends, no step has
// its effect twice, what is recorded as done has its effect, and nothing begins before
// what it comes after.
func TestRandomRuns(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(c *cluster) { random(c, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func random(c *cluster, r *rand.Rand) {
	sites := []string{"anyang", "gasan", "sejong"}
	spec := Spec{Capacity: []Capacity{{"crew/ops", 1 + r.IntN(3)}}}
	for i := range 2 + r.IntN(9) {
		id := fmt.Sprintf("s%d", i)
		st := step(id, sites[r.IntN(3)], time.Duration(i)*time.Second, time.Duration(1+r.IntN(5))*time.Second)
		if r.IntN(5) == 0 {
			st.Site, st.At = "", ""
		}
		for j := range i {
			if r.IntN(4) == 0 {
				st.After = append(st.After, fmt.Sprintf("s%d", j))
			}
		}
		if r.IntN(3) == 0 {
			st.Uses = []Amount{{"crew/ops", 1}}
		}
		c.world.takes[id] = time.Duration(r.IntN(3)) * st.Likely
		switch r.IntN(12) {
		case 0:
			c.world.fails[id] = errors.New("it fails")
		case 1:
			c.world.lies[id] = true
		case 2:
			c.world.takes[id] = time.Hour
		}
		spec.Steps = append(spec.Steps, st)
	}
	c.world.blind = len(c.world.lies) == 0 && r.IntN(3) == 0
	struck := sites[r.IntN(3)]
	for _, name := range sites {
		n := c.prepare(name)
		if name == struck {
			switch when := kvtest.When(r.IntN(2)); r.IntN(3) {
			case 0:
				n.store.CrashAt(1+r.IntN(80), when)
			case 1:
				n.hands.at, n.hands.when = 1+r.IntN(6), when
			}
		} else if r.IntN(2) == 0 {
			n.store.FailAt(1+r.IntN(60), kvtest.When(r.IntN(2)), kv.ErrUnavailable)
		}
		c.start(n)
	}
	run := c.create(spec)
	if r.IntN(3) == 0 { // a partition that heals
		pause(c.t.Context(), time.Duration(r.IntN(5000))*time.Millisecond)
		c.nodes[struck].store.Cut()
		pause(c.t.Context(), testTTL+time.Duration(1+r.IntN(10000))*time.Millisecond)
		c.nodes[struck].store.Heal()
	}
	asked := map[string]int{}
	v := c.until(run.ID, 3*time.Hour, func(v RunView) bool {
		for _, w := range v.Waiting {
			if asked[w.Step]++; asked[w.Step] > 3 { // it fails each time: go on without it
				if err := Skip(c.t.Context(), c.store, run.ID, w.Step, By{"kim", "gives up"}); err != nil && !errors.Is(err, ErrState) {
					c.t.Fatal(err)
				}
				continue
			}
			there := c.world.total()[w.Step] > 0
			if err := Confirm(c.t.Context(), c.store, run.ID, w.Step, there, By{"kim", "looked"}); err != nil && !errors.Is(err, ErrState) {
				c.t.Fatal(err)
			}
		}
		return over(v)
	})
	for _, s := range v.Steps {
		id, effects := s.Step.ID, c.world.total()[s.Step.ID]
		if effects > 1 || s.State == StepDone && effects != 1 || !s.State.Over() {
			c.t.Errorf("%s is %s with %d effects\n%s", id, s.State, effects, story(v))
		}
		if effects == 0 {
			continue
		}
		for _, before := range s.Step.After {
			if at := slices.Index(c.world.order, before); at < 0 || at > slices.Index(c.world.order, id) {
				c.t.Errorf("%s was done before %s, which it comes after: %v\n%s", id, before, c.world.order, story(v))
			}
		}
	}
	failed := slices.ContainsFunc(v.Steps, func(s StepView) bool { return s.State == StepFailed })
	if failed != (v.State == RunFailed) {
		c.t.Errorf("the run is %s\n%s", v.State, story(v))
	}
	checkJournal(c.t, v)
}
