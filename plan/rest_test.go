package plan

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/impact"
)

// A plan for the rest of a run is feasible whatever is done, runs late or has
// failed, and while all goes by the old plan it costs no more than that.
func TestRestOfARun(t *testing.T) { t.Parallel(); restOfARun(t, 250) }

func restOfARun(t *testing.T, seeds int) {
	t.Helper()
	var late, kept, was, is float64
	for seed := range uint64(seeds) {
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

const threeSites = `
{kind: Domain, name: a, type: site}
---
{kind: Domain, name: b, type: site}
---
{kind: Domain, name: b-hall, type: hall, needs: [b]}
---
{kind: Domain, name: c, type: site}
---
kind: Component
name: db
mode: primary
replicas: [{in: a, role: primary}, {in: b-hall, role: standby, sync: true}, {in: c, role: standby, sync: true}]
actions:
- {name: pb, does: promote, at: b, takes: 1m}
- {name: pc, does: promote, at: c, takes: 1m}
---
{kind: Component, name: app, replicas: [{in: a}], needs: [db], actions: [{name: go, does: start, at: [b, c], takes: 1m}]}
---
{kind: Service, name: s, users: 10, needs: [app]}
`

// What ran at a place that is lost by now is gone with it: another action, or the same
// one at another place, takes its place.
func TestASecondLossTakesWhatWasDone(t *testing.T) {
	s := parse(t, threeSites)
	ref := func(id string) impact.ActionRef {
		for c := range s.Components {
			for a := range s.Components[c].Actions {
				for _, at := range s.Components[c].Actions[a].At {
					if r := (impact.ActionRef{Component: c, Action: a, At: at}); r.ID(s) == id {
						return r
					}
				}
			}
		}
		t.Fatalf("no action %s", id)
		return impact.ActionRef{}
	}
	pb := Finished{ref("db/pb@b"), time.Minute}
	app := Step{ID: "app/go@b", Ref: ref("app/go@b"), Start: time.Minute, Finish: 3 * time.Minute}
	for _, tt := range []struct {
		name    string
		lost    []string
		done    []Finished
		running []Step
		want    []string
	}{
		{"nothing more is lost", []string{"a"}, []Finished{pb}, []Step{app}, []string{"app/go@b"}},
		{"the place of both", []string{"a", "b"}, []Finished{pb}, []Step{app}, []string{"app/go@c", "db/pc@c"}},
		{"the hall of the new primary", []string{"a", "b-hall"}, []Finished{pb}, []Step{app}, []string{"app/go@b", "db/pc@c"}},
		{"what was done twice", []string{"a", "b"}, []Finished{pb, {ref("app/go@b"), 2 * time.Minute}, {ref("db/pc@c"), 2 * time.Minute}}, nil, []string{"app/go@c"}},
	} {
		p, err := Make(s, tt.lost, Options{Now: 2 * time.Minute, Done: tt.done, Running: tt.running})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Order(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: the plan is %v, want %v", tt.name, got, tt.want)
		}
		if up := p.Services[0].UpAt; up == nil || *up < 3*time.Minute {
			t.Errorf("%s: the service is back at %v; that is not so before 3m", tt.name, up)
		}
	}
	p, err := Make(s, []string{"a", "b", "c"}, Options{Now: 2 * time.Minute, Done: []Finished{pb}, Running: []Step{app}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Steps) > 0 || p.Services[0].UpAt != nil || p.Services[0].State != impact.Unrecoverable {
		t.Errorf("with every site lost the plan still says %+v, %v", p.Services[0], p.Order())
	}
}

// The JSON of a plan says what a shrink takes down, and names at also where there is none.
func TestJSONOfAShrink(t *testing.T) {
	s := parse(t, `
{kind: Domain, name: north, type: site}
---
{kind: Domain, name: south, type: site, capacity: {servers: 4}}
---
{kind: Component, name: game, atLeast: 4, replicas: [{in: south, count: 4, uses: {servers: 1}}], actions: [{name: stop, does: shrink, at: south, removes: {count: 4}, takes: 2m}]}
---
{kind: Component, name: key, replicas: [{in: north}], actions: [{name: turn, does: start, takes: 1m}]}
---
{kind: Component, name: shop, atLeast: 4, replicas: [{in: north, count: 4, uses: {servers: 1}}], actions: [{name: grow, does: scale, at: south, adds: {count: 4}, takes: 10m, needs: [key]}]}
---
{kind: Service, name: play, users: 10, needs: [game]}
---
{kind: Service, name: look, users: 10, parts: [{name: demo, share: 0.5, needs: [game]}], needs: [{anyOf: [south, shop]}]}
---
{kind: Service, name: buy, users: 1000, needs: [shop]}
`)
	p, err := Make(s, []string{"north"}, Options{Now: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Steps []struct {
			ID string
			At *string
		}
		Services []struct {
			Name, State string
			DownFrom    float64
			UpAt        *float64
			Parts       []struct {
				Name, State string
				DownFrom    float64
				UpAt        *float64
			}
		}
	}
	if err := json.Unmarshal(text, &got); err != nil { //nolint:musttag // names that differ in case only
		t.Fatal(err)
	}
	at := map[string]string{}
	for _, st := range got.Steps {
		if st.At == nil {
			t.Fatalf("%s has no at: %s", st.ID, text)
		}
		at[st.ID] = *st.At
	}
	if want := map[string]string{"game/stop@south": "south", "key/turn": "", "shop/grow@south": "south"}; !maps.Equal(at, want) {
		t.Errorf("steps are at %v, want %v", at, want)
	}
	for _, sv := range got.Services {
		switch sv.Name {
		case "play":
			if sv.State != "taken-down" || sv.DownFrom != 60 || sv.UpAt != nil {
				t.Errorf("what the shrink takes down is %+v", sv)
			}
		case "look":
			if k := sv.Parts[0]; sv.State != "degraded" || sv.UpAt == nil || *sv.UpAt != 0 || k.State != "taken-down" || k.DownFrom != 60 || k.UpAt != nil {
				t.Errorf("what loses a part to the shrink is %+v", sv)
			}
		case "buy":
			if sv.State != "recoverable" || sv.UpAt == nil {
				t.Errorf("what the room was made for is %+v", sv)
			}
		}
	}
}
