package impact_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/estate"
	"bongsu/impact"
)

// A view says what an impact of the same loss says, and leaves the sweep as it was.
func TestViewTwin(t *testing.T) { t.Parallel(); viewTwin(t, 150) }

func viewTwin(t *testing.T, seeds int) {
	t.Helper()
	late := 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 5))
		text := randomEstate(rng)
		s := parse(t, text)
		for i := range s.Components { // the random estates give every action the same time
			for j := range s.Components[i].Actions {
				s.Components[i].Actions[j].Takes.Likely = time.Duration(rng.IntN(5)) * time.Minute
			}
		}
		e := impact.NewEngine(s)
		w := e.NewSweep()
		for d := range s.Domains {
			lost := []int{d}
			if rng.IntN(3) == 0 && d > 0 {
				lost = []int{0, d}
			}
			var names []string
			for _, d := range lost {
				names = append(names, s.Domains[d].Name)
			}
			im, err := e.Of(names)
			if err != nil {
				t.Fatal(err)
			}
			before := w.Lose(lost...)
			w.Visit(lost, func(v *impact.View) {
				fail := func(what string, want, got any) {
					t.Helper()
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("seed %d, lost %v: %s (-impact +view):\n%s\n%s", seed, names, what, diff, text)
					}
				}
				fail("delta", before, v.Delta)
				fail("lost", im.LostDomains, v.LostDomains)
				fail("deadlocks", im.Deadlocks, v.Deadlocks())
				twin := replayTimes(t, im)
				for _, r := range slices.Concat(im.Components, im.Services, im.Crews) {
					fail("back "+r.Ref.String(), im.Back(r.Ref), v.Back(r.Ref))
					fail("up "+r.Ref.String(), r.State == impact.Up || r.State == impact.Degraded, v.Up(r.Ref))
					fail("because "+r.Ref.String(), im.Because(r.Ref, 2), v.Because(r.Ref, 2))
					at, ok := v.UpAt(r.Ref)
					want, wantOK := twin[r.Ref]
					fail("time of "+r.Ref.String(), want, at)
					fail("time of "+r.Ref.String(), wantOK, ok)
					if at > 0 {
						late++
					}
					if r.Ref.Kind == estate.KindComponent {
						fail("data lost", r.DataLost, v.DataLost(r.Ref.Index))
						fail("held", r.Holds, v.Held(r.Ref.Index))
					}
				}
			})
			if diff := cmp.Diff(before, w.Lose(lost...)); diff != "" {
				t.Fatalf("the view changed the sweep:\n%s", diff)
			}
		}
	}
	if late < seeds/2 {
		t.Errorf("only %d things came back after some time: the estates say too little", late)
	}
}

// replayTimes plays the recovery by hand: at every moment each action that can
// run starts, and each that is done takes effect.
func replayTimes(t *testing.T, im *impact.Impact) map[estate.Ref]time.Duration {
	t.Helper()
	ev := im.Evaluator()
	up := map[estate.Ref]time.Duration{}
	var all []estate.Ref
	for _, r := range slices.Concat(im.Components, im.Services, im.Crews) {
		all = append(all, r.Ref)
	}
	ends := map[impact.ActionRef]time.Duration{}
	done := map[impact.ActionRef]bool{}
	for now := time.Duration(0); ; {
		for _, r := range all {
			if _, known := up[r]; !known && ev.Up(r) {
				up[r] = now
			}
		}
		for _, a := range im.Runnable() {
			key := impact.ActionRef{Component: a.Component, Action: a.Action}
			if _, running := ends[key]; !running && ev.CanRun(a) {
				ends[key] = now + im.Snapshot.Components[a.Component].Actions[a.Action].Takes.Likely
			}
		}
		next := time.Duration(-1)
		for key, end := range ends {
			if !done[key] && (next < 0 || end < next) {
				next = end
			}
		}
		if next < 0 {
			return up
		}
		now = next
		for key, end := range ends {
			if !done[key] && end == now {
				done[key] = true
				key.At = -1
				ev.Run(key)
			}
		}
	}
}
