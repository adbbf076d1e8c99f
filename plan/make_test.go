package plan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bongsu/estate"
)

func parse(t *testing.T, text string) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// random writes a small estate with everything in it that the planner honours.
// Site a is the one to lose.
// With bulk, the other sites are full of what could shrink.
func random(rng *rand.Rand, components int, bulk bool) string {
	var b strings.Builder
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	n := func(lo, hi int) int { return lo + rng.IntN(hi-lo+1) }
	some := func() bool { return rng.IntN(2) == 0 }
	fmt.Fprintln(&b, "{kind: Domain, name: a, type: site}")
	for i, site := range []string{"b", "c"} {
		room, hall := n(2, 9), n(1, 6)
		if bulk {
			room, hall = 10-4*i+n(0, 3), 6-4*i+n(0, 2)
		}
		fmt.Fprintf(&b, "---\n{kind: Domain, name: %s, type: site, capacity: {room: %d}}\n", site, room)
		fmt.Fprintf(&b, "---\n{kind: Domain, name: %s-hall, type: hall, needs: [%s], capacity: {room: %d}}\n", site, site, hall)
	}
	need := func(upTo int) string {
		if upTo == 0 || rng.IntN(3) == 0 {
			return "[]"
		}
		one := func() string {
			if rng.IntN(9) == 0 {
				return pick("a", "b", "crew1")
			}
			return fmt.Sprintf("c%d", rng.IntN(upTo))
		}
		switch rng.IntN(5) {
		case 0:
			return fmt.Sprintf("[{anyOf: [%s, %s]}]", one(), one())
		case 1:
			return fmt.Sprintf("[{atLeast: 2, of: [%s, %s, %s]}]", one(), one(), one())
		case 2:
			return fmt.Sprintf("[%s, %s]", one(), one())
		}
		return "[" + one() + "]"
	}
	// Most needs go to what comes before, some anywhere: cycles.
	upTo := func(i int) int {
		if rng.IntN(5) == 0 {
			return components
		}
		return i
	}
	for i := range components {
		fmt.Fprintf(&b, "---\nkind: Component\nname: c%d\n", i)
		mode := pick("any", "any", "quorum", "primary")
		fmt.Fprintf(&b, "mode: %s\n", mode)
		uses := func() string { return fmt.Sprintf("uses: {room: %d}", n(0, 2)) }
		switch mode {
		case "any":
			fmt.Fprintf(&b, "atLeast: %d\nreplicas: [{in: %s, count: %d, %s}, {in: %s, %s}]\n", n(1, 3), pick("a", "a", "a", "b"), n(1, 2), uses(), pick("a", "a", "b-hall", "c"), uses())
		case "quorum":
			fmt.Fprintf(&b, "replicas: [{in: a, count: 2, %s}, {in: b, %s}]\n", uses(), uses())
		case "primary":
			fmt.Fprintf(&b, "replicas: [{in: a, role: primary, %s}, {in: %s, role: standby, %s}]\n", uses(), pick("a", "b-hall", "c"), uses())
		}
		fmt.Fprintf(&b, "needs: %s\n", need(upTo(i)))
		if rng.IntN(4) == 0 {
			fmt.Fprintf(&b, "startNeeds: %s\n", need(upTo(i)))
		}
		fmt.Fprint(&b, "actions:\n")
		for k := range n(1, 2) {
			at := pick("", "at: b, ", "at: c, ", "at: [b-hall, c], ", "at: [c-hall, b], ", "at: [a, b], ")
			does := pick("start", "rebuild", "scale")
			if mode == "primary" && some() {
				does = "promote"
			}
			fmt.Fprintf(&b, "  - {name: x%d, does: %s, %stakes: %dm, needs: %s", k, does, at, n(0, 9), need(upTo(i)))
			if mode == "any" && some() && does != "promote" {
				fmt.Fprintf(&b, ", adds: {count: %d}", n(1, 3))
			}
			if rng.IntN(4) > 0 {
				fmt.Fprintf(&b, ", crew: {crew%d: %d}", n(0, 1), n(1, 2))
			}
			if some() {
				fmt.Fprint(&b, ", uses: {lim: 1}")
			}
			fmt.Fprint(&b, "}\n")
		}
	}
	if bulk {
		for i, at := range []string{"b", "c", "b-hall"} {
			fmt.Fprintf(&b, "---\n{kind: Component, name: bulk%d, replicas: [{in: %s, count: 4, uses: {room: 1}}], atLeast: %d, needs: %s, ", i, at, n(1, 4), pick("[]", "[]", "[c0]", "[b]"))
			fmt.Fprintf(&b, "actions: [{name: shed, does: shrink, at: %s, removes: {count: %d}, takes: %dm, crew: {crew%d: 1}}]}\n", at, n(1, 4), n(0, 5), n(0, 1))
			fmt.Fprintf(&b, "---\n{kind: Service, name: t%d, users: %d, needs: %s, parts: [{name: p, share: 0.5, needs: [bulk%d]}]}\n", i, n(0, 9), pick("[]", fmt.Sprintf("[bulk%d]", i)), n(0, 1))
		}
	}
	for i := range n(1, 4) {
		fmt.Fprintf(&b, "---\n{kind: Service, name: s%d, users: %d, weight: %d, needs: %s", i, n(1, 100), n(1, 3), need(components))
		if some() {
			fmt.Fprintf(&b, ", parts: [{name: p, share: 0.25, needs: %s}, {name: q, share: 0.5, needs: %s}]", need(components), need(components))
		}
		fmt.Fprintf(&b, ", objectives: {rto: %dm}}\n", n(1, 20))
	}
	fmt.Fprintf(&b, "---\n{kind: Crew, name: crew0, people: %d}\n", n(1, 3))
	fmt.Fprintf(&b, "---\n{kind: Crew, name: crew1, people: %d, needs: %s}\n", n(1, 3), need(components))
	fmt.Fprintf(&b, "---\n{kind: Limit, name: lim, slots: %d}\n", n(1, 2))
	return b.String()
}

// Every plan of a random estate is feasible, says what it costs, and costs at
// least its lower bound.
func TestRandomPlansAreFeasible(t *testing.T) { t.Parallel(); randomPlansAreFeasible(t, 400) }

func randomPlansAreFeasible(t *testing.T, seeds int) {
	t.Helper()
	steps, shrinks := 0, 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		text := random(rng, 2+rng.IntN(9), seed%2 == 0)
		s := parse(t, text)
		p, err := Make(s, []string{"a"}, Options{Rounds: 3, Horizon: time.Duration(1+rng.IntN(60)) * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if err := check(s, []string{"a"}, p, nil); err != nil {
			t.Fatalf("seed %d: %v\n%s\n%+v", seed, err, text, p.Steps)
		}
		for i := range p.Steps {
			if len(p.Steps[i].Removed) > 0 {
				shrinks++
				break
			}
		}
		steps += len(p.Steps)
	}
	t.Logf("%d steps; %d plans with shrinks", steps, shrinks)
	if steps < 2*seeds/3 || shrinks < seeds/200 {
		t.Errorf("%d steps and %d plans with shrinks are too few to show anything", steps, shrinks)
	}
}

// On tiny estates, every plan is compared with the best that exists. The bound
// never exceeds it; how far the plans are from it is logged.
func TestAgainstBruteForce(t *testing.T) { t.Parallel(); againstBruteForce(t, 250) }

func againstBruteForce(t *testing.T, seeds int) {
	t.Helper()
	var total, least, bound float64
	optimal, tried := 0, 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 2))
		text := random(rng, 2+rng.IntN(3), false)
		s := parse(t, text)
		horizon := time.Duration(10+rng.IntN(60)) * time.Minute
		opt, ok := best(s, []string{"a"}, horizon, 6)
		if !ok || opt == 0 {
			continue
		}
		p, err := Make(s, []string{"a"}, Options{Horizon: horizon})
		if err != nil {
			t.Fatal(err)
		}
		tried++
		got := p.Objective.UserMinutes
		if got < opt*(1-1e-9) {
			t.Fatalf("seed %d: the plan costs %v, the best of all costs %v\n%s", seed, got, opt, text)
		}
		if p.Objective.LowerBound > opt*(1+1e-12) {
			t.Fatalf("seed %d: lower bound %v, the best of all costs %v\n%s", seed, p.Objective.LowerBound, opt, text)
		}
		if got <= opt*(1+1e-9) {
			optimal++
		} else if testing.Verbose() {
			t.Logf("seed %d: %v instead of %v", seed, got, opt)
		}
		total, least, bound = total+got, least+opt, bound+p.Objective.LowerBound
	}
	t.Logf("%d of %d optimal; in all %.4f of the best, bound %.4f of it", optimal, tried, total/least, bound/least)
	if tried < seeds/4 || float64(optimal) < 0.95*float64(tried) || total > 1.01*least {
		t.Errorf("%d of %d optimal, %.4f of the best", optimal, tried, total/least)
	}
}

// What goes where it is best for itself may leave no room for what comes after it, though
// there is room for both.
func TestRoomForBoth(t *testing.T) {
	s := parse(t, `
{kind: Domain, name: a, type: site}
---
{kind: Domain, name: b, type: site, capacity: {room: 9}}
---
{kind: Domain, name: b-hall, type: hall, needs: [b], capacity: {room: 5}}
---
{kind: Domain, name: c, type: site, capacity: {room: 7}}
---
{kind: Domain, name: c-hall, type: hall, needs: [c], capacity: {room: 5}}
---
kind: Component
name: small
atLeast: 2
replicas: [{in: a, count: 2, uses: {room: 2}}, {in: b-hall, uses: {room: 2}}]
actions: [{name: rebuild, does: rebuild, at: [c-hall, b], adds: {count: 2}, takes: 7m}]
---
kind: Component
name: large
atLeast: 2
replicas: [{in: a, count: 2, uses: {room: 2}}, {in: b-hall, uses: {room: 2}}]
actions: [{name: start, does: start, at: [b-hall, c], needs: [small], adds: {count: 3}, takes: 1m}]
---
{kind: Service, name: s, users: 10, needs: [large]}
`)
	p, err := Make(s, []string{"a"}, Options{Horizon: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Steps) != 2 || p.Steps[0].ID != "small/rebuild@b" || p.Steps[1].Finish != 8*time.Minute {
		t.Errorf("%+v", p.Steps)
	}
}

// The checker that all these tests lean on refuses plans that are wrong.
func TestCheckerRefusesWrongPlans(t *testing.T) {
	text := `
{kind: Domain, name: a, type: site}
---
{kind: Domain, name: b, type: site, capacity: {room: 2}}
---
{kind: Crew, name: one, people: 1}
---
{kind: Component, name: tool, replicas: [{in: a}], actions: [{name: go, does: start, at: b, takes: 2m}]}
---
{kind: Component, name: x, replicas: [{in: a, uses: {room: 2}}], actions: [{name: go, does: start, at: b, takes: 3m, adds: {count: 1}, needs: [tool], crew: {one: 1}}]}
---
{kind: Component, name: y, replicas: [{in: a}], actions: [{name: go, does: start, at: b, takes: 3m, adds: {count: 1}, crew: {one: 1}}]}
---
{kind: Service, name: sx, users: 10, needs: [x]}
---
{kind: Service, name: sy, users: 100, needs: [y]}
`
	for name, c := range map[string]struct {
		spoil func(p *Plan)
		text  string
		want  string
	}{
		"right":      {func(*Plan) {}, text, ""},
		"too early":  {func(p *Plan) { move(p, "x/go@b", time.Minute) }, text, "before its needs"},
		"crew twice": {func(p *Plan) { move(p, "x/go@b", 2*time.Minute) }, text, "people at work"},
		"twice":      {func(p *Plan) { p.Steps = append(p.Steps, p.Steps[0]) }, text, "twice"},
		"too short":  {func(p *Plan) { p.Steps[0].Finish -= time.Second }, text, "runs from"},
		"no room":    {func(*Plan) {}, strings.Replace(text, "room: 2}}", "room: 1}}", 1), "room"},
		"lost place": {func(p *Plan) { p.Steps[0].Ref.At = 0 }, text, "before its needs"},
		"wrong time": {func(p *Plan) { p.Services[0].UpAt = new(time.Duration) }, text, "is up at"},
		"wrong cost": {func(p *Plan) { p.Objective.UserMinutes-- }, text, "costs"},
		"bound":      {func(p *Plan) { p.Objective.LowerBound = p.Objective.UserMinutes + 1 }, text, "lower bound"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Make(parse(t, text), []string{"a"}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(p)
			switch err := check(parse(t, c.text), []string{"a"}, p, nil); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error is %v; want it to say %q", err, c.want)
			}
		})
	}
}

func move(p *Plan, id string, to time.Duration) {
	for i := range p.Steps {
		if s := &p.Steps[i]; s.ID == id {
			s.Start, s.Finish = to, to+s.Finish-s.Start
			s.After = nil
		}
	}
}
