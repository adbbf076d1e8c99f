package plan

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/impact"
)

// A plan for the rest of a run is feasible whatever is done, runs late or has
// failed, and while all goes by the old plan it costs no more than that.
func TestRestOfARun(t *testing.T) {
	var late, kept, was, is float64
	for seed := range uint64(700) {
		rng := rand.New(rand.NewPCG(seed, 3))
		text := random(rng, 3+rng.IntN(7), seed%3 == 0)
		s := parse(t, text)
		old, err := Make(s, []string{"a"}, Options{Rounds: 5, Horizon: 2 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if len(old.Steps) == 0 {
			continue
		}
		opts := Options{Rounds: 5, Horizon: 2 * time.Hour, Prefer: old.Order()}
		opts.Now = old.Steps[rng.IntN(len(old.Steps))].Start + time.Duration(rng.IntN(3))*time.Minute
		bad := rng.IntN(2) == 0
		forbidden := map[string]bool{}
		for _, st := range old.Steps {
			switch {
			case st.Finish <= opts.Now:
				opts.Done = append(opts.Done, Finished{st.Ref, st.Finish})
			case st.Start < opts.Now:
				if bad {
					st.Finish += time.Duration(rng.IntN(20)) * time.Minute
				}
				opts.Running = append(opts.Running, st)
			case bad && rng.IntN(4) == 0:
				opts.Forbidden = append(opts.Forbidden, st.Ref)
				forbidden[st.ID] = true
			}
		}
		p, err := Make(s, []string{"a"}, opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(s, []string{"a"}, p, opts.Done); err != nil {
			t.Fatalf("seed %d: %v\n%s\nold %+v\nnew %+v\n%+v", seed, err, text, old.Steps, p.Steps, opts)
		}
		for i := range p.Steps {
			if forbidden[p.Steps[i].ID] {
				t.Fatalf("seed %d: %s is forbidden and planned", seed, p.Steps[i].ID)
			}
		}
		if bad {
			late++
		} else {
			kept++
			was, is = was+old.Objective.UserMinutes, is+p.Objective.UserMinutes
			if p.Objective.UserMinutes > old.Objective.UserMinutes*(1+1e-9) {
				t.Errorf("seed %d: by the old plan it would cost %v, the new one costs %v\n%s\n%+v\n%+v", seed, old.Objective.UserMinutes, p.Objective.UserMinutes, text, old.Steps, p.Steps)
			}
		}
	}
	t.Logf("%v rests after trouble, %v without: %.4f of the old cost", late, kept, is/was)
}

func TestCompareSaysWhatChangedAndWhatItCosts(t *testing.T) {
	s := parse(t, twoServices)
	old, err := Make(s, []string{"north"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	same := Compare(old, old)
	if !same.Empty() || same.UserMinutes != 0 {
		t.Errorf("a plan differs from itself: %+v", same)
	}
	// The first step takes 10 minutes more; the second cannot be done at all.
	run := old.Steps[0]
	run.Finish += 10 * time.Minute
	now, err := Make(s, []string{"north"}, Options{
		Now: time.Minute, Running: []Step{run},
		Forbidden: []impact.ActionRef{{Component: old.Steps[1].Ref.Component, Action: old.Steps[1].Ref.Action, At: -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := Compare(old, now)
	if len(c.Dropped) != 1 || c.Dropped[0].ID != old.Steps[1].ID || len(c.Moved) != 1 || len(c.Services) != 2 {
		t.Errorf("change is %+v", c)
	}
	if want := now.Objective.UserMinutes - old.Objective.UserMinutes; c.UserMinutes != want || want <= 0 {
		t.Errorf("change costs %v; want %v", c.UserMinutes, want)
	}
	var sum float64
	for _, x := range c.Services {
		sum += x.Cost
	}
	if sum != c.UserMinutes {
		t.Errorf("services account for %v of %v", sum, c.UserMinutes)
	}
	var b strings.Builder
	if err := c.Text(&b, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"costs", "- " + old.Steps[1].ID, "~ " + run.ID, "(was"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, b.String())
		}
	}
	if slices.ContainsFunc(now.Steps, func(st Step) bool { return st.ID == old.Steps[1].ID }) {
		t.Error("the forbidden step is planned")
	}
}

const twoServices = `
{kind: Domain, name: north, type: site}
---
{kind: Domain, name: south, type: site}
---
{kind: Crew, name: people, people: 1}
---
{kind: Component, name: x, replicas: [{in: north}], actions: [{name: go, does: start, at: south, takes: 5m, crew: {people: 1}}]}
---
{kind: Component, name: y, replicas: [{in: north}], actions: [{name: go, does: start, at: south, takes: 5m, crew: {people: 1}}]}
---
{kind: Service, name: big, users: 100, needs: [x]}
---
{kind: Service, name: small, users: 10, needs: [y]}
`
