package impact_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bongsu/estate"
	"bongsu/impact"
)

// Losing a second domain on top of a first says what losing both says, in every
// state and time, and leaves the first as it was.
func TestAlsoTwin(t *testing.T) { t.Parallel(); alsoTwin(t, 100) }

func alsoTwin(t *testing.T, seeds int) {
	t.Helper()
	late, worse, cycles := 0, 0, 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 8))
		text := randomEstate(rng)
		s := parse(t, text)
		minutes := rng.IntN(4) // 0: nothing takes any time
		for i := range s.Components {
			for j := range s.Components[i].Actions {
				s.Components[i].Actions[j].Takes.Likely = time.Duration(rng.IntN(minutes+1)) * time.Minute
			}
		}
		e := impact.NewEngine(s)
		one, both := e.NewSweep(), e.NewSweep()
		one.Visit([]int{rng.IntN(len(s.Domains))}, func(first *impact.View) {
			before, beforeDeadlocks := everything(s, first), first.Deadlocks()
			for d := range s.Domains {
				lost := slices.Compact(slices.Sorted(slices.Values([]int{first.Lost[0], d})))
				both.Visit(lost, func(v *impact.View) {
					fail := func(what string, want, got any) {
						t.Helper()
						if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
							t.Fatalf("seed %d, lost %d and then %d: %s (-both at once +one after the other):\n%s\n%s", seed, first.Lost[0], d, what, diff, text)
						}
					}
					want := everything(s, v)
					first.Also(d, func(f *impact.View) {
						got := everything(s, f)
						fail("lost", v.Lost, f.Lost)
						fail("state", want, got)
						fail("changed", changed(s, before, want), f.Delta)
						all, some := v.Deadlocks(), f.Deadlocks()
						for _, x := range all {
							if !contains(some, x) && !contains(beforeDeadlocks, x) {
								fail("deadlocks", all, some)
							}
							cycles++
						}
						for _, x := range some {
							if !contains(all, x) {
								fail("deadlocks", all, some)
							}
						}
						worse += len(f.Components)
						reached(t, s, first, f, before, got)
					})
					late += len(want.UpAt)
				})
			}
			if diff := cmp.Diff(before, everything(s, first)); diff != "" {
				t.Fatalf("seed %d: the second loss changed the first:\n%s", seed, diff)
			}
		})
		if seed%10 == 0 {
			if diff := impact.Same(one, both); diff != "" {
				t.Fatalf("seed %d: the sweep is not as it was: %s", seed, diff)
			}
		}
	}
	t.Logf("%d times of return, %d changes, %d cycles", late, worse, cycles)
	if late < 10*seeds || worse < seeds || cycles < seeds/10 {
		t.Errorf("%d times of return, %d changes, %d cycles: the estates say too little", late, worse, cycles)
	}
}

func contains(list []impact.Deadlock, x impact.Deadlock) bool {
	return slices.ContainsFunc(list, func(y impact.Deadlock) bool { return slices.Equal(x.Cycle, y.Cycle) })
}

// told is all that a view can be asked.
type told struct {
	Whole      impact.Delta
	NotHolding []int
	UpAt       map[string]time.Duration // of what is back, and when
	Down       []string                 // at once
	Ran        map[string]string
	Held       []string
	Data       map[string]impact.DataLoss
	Because    map[string][][]estate.Ref
}

func everything(s *estate.Snapshot, v *impact.View) told {
	w := told{
		Whole: v.Whole(), NotHolding: v.NotHolding(), UpAt: map[string]time.Duration{}, Ran: map[string]string{},
		Data: map[string]impact.DataLoss{}, Because: map[string][][]estate.Ref{},
	}
	note := func(r estate.Ref) {
		if at, ok := v.UpAt(r); ok {
			w.UpAt[r.String()] = at
		} else {
			w.Because[r.String()] = v.Because(r, 2)
		}
		if !v.Up(r) {
			w.Down = append(w.Down, r.String())
		}
		if _, ok := v.UpAt(r); ok != v.Back(r) {
			w.Down = append(w.Down, "torn "+r.String())
		}
	}
	for i := range s.Components {
		c := &s.Components[i]
		note(estate.Ref{Kind: estate.KindComponent, Index: i, Name: c.Name})
		w.Held = append(w.Held, fmt.Sprint(v.Held(i), v.Holds(i), v.Living(i)))
		w.Data[c.Name] = v.DataLost(i)
		for j := range c.Actions {
			start, end, ran := v.Ran(i, j)
			fits := []bool{v.Met(c.Actions[j].Needs, false), v.Met(c.Actions[j].Needs, true)}
			for _, at := range c.Actions[j].At {
				fits = append(fits, v.Fits(i, j, at))
			}
			w.Ran[c.Name+"/"+c.Actions[j].Name] = fmt.Sprint(v.Possible(i, j), ran, start, end, fits)
		}
	}
	for i := range s.Services {
		note(estate.Ref{Kind: estate.KindService, Index: i, Name: s.Services[i].Name})
		for j := range s.Services[i].Parts {
			if at, ok := v.PartUpAt(i, j); ok {
				w.UpAt[fmt.Sprint(s.Services[i].Name, j)] = at
			}
		}
	}
	for i := range s.Crews {
		note(estate.Ref{Kind: estate.KindCrew, Index: i, Name: s.Crews[i].Name})
	}
	return w
}

// reached checks that a component which the further loss is said not to reach
// has all that its actions wait for, its replicas and its data as before.
func reached(t *testing.T, s *estate.Snapshot, first, also *impact.View, before, after told) {
	t.Helper()
	for i := range s.Components {
		c := &s.Components[i]
		if slices.Contains(also.Reached(), int32(i)) {
			continue
		}
		same := before.Held[i] == after.Held[i] && before.Data[c.Name] == after.Data[c.Name]
		for j := range c.Actions {
			id := c.Name + "/" + c.Actions[j].Name
			same = same && (first.Held(i) || before.Ran[id] == after.Ran[id])
		}
		if !same {
			t.Fatalf("%s is said not to be reached", c.Name)
		}
	}
	for _, c := range also.NotHolding() {
		if !slices.Contains(also.Loosened(), int32(c)) && !slices.Contains(before.NotHolding, c) {
			t.Fatalf("%s does not hold any more and is not said to", s.Components[c].Name)
		}
	}
}

// changed is what the delta of a further loss must say: of what is down at once,
// that which was not, is not back any more, or is back later.
func changed(s *estate.Snapshot, before, after told) impact.Delta {
	d := impact.Delta{}
	list := func(k estate.Kind, from []impact.Touched, name func(int) string) (out []impact.Touched) {
		for _, x := range from {
			r := estate.Ref{Kind: k, Index: x.Index, Name: name(x.Index)}.String()
			was, ok := before.UpAt[r]
			is, still := after.UpAt[r]
			if slices.Contains(after.Down, r) && (!slices.Contains(before.Down, r) || ok != still || was != is) {
				out = append(out, x)
			}
		}
		return out
	}
	d.Components = list(estate.KindComponent, after.Whole.Components, func(i int) string { return s.Components[i].Name })
	d.Services = list(estate.KindService, after.Whole.Services, func(i int) string { return s.Services[i].Name })
	d.Crews = list(estate.KindCrew, after.Whole.Crews, func(i int) string { return s.Crews[i].Name })
	for _, x := range after.Whole.LostDomains {
		if !slices.Contains(before.Whole.LostDomains, x) {
			d.LostDomains = append(d.LostDomains, x)
		}
	}
	for _, x := range after.Whole.Parts {
		r := fmt.Sprint(s.Services[x.Service].Name, x.Part)
		was, ok := before.UpAt[r]
		is, still := after.UpAt[r]
		had := slices.ContainsFunc(before.Whole.Parts, func(y impact.TouchedPart) bool { return x.Service == y.Service && x.Part == y.Part })
		if !had || ok != still || was != is {
			d.Parts = append(d.Parts, x)
		}
	}
	return d
}
