package audit_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/estate"
)

// frozen adds a cycle of n components that stand in two sites, so that no loss of
// one meets it: each waits for the next through its start action, its crew,
// startNeeds with or without an action, or a component that it starts with.
func frozen(r *rand.Rand, n int) (text string, cycle []string) {
	var b strings.Builder
	for i := range n {
		name, next := fmt.Sprintf("k%02d", i), fmt.Sprintf("k%02d", (i+1)%n)
		cycle = append(cycle, name)
		var rest string
		switch r.IntN(5) {
		case 0:
			rest = "actions: [{name: start, does: start, at: [a, b], takes: 1m, needs: [" + next + "]}]"
		case 1:
			rest = "startNeeds: [" + next + "]"
		case 2: // what its other actions do does not help: it stands there already
			rest = "startNeeds: [" + next + "], actions: [{name: grow, does: scale, at: c, adds: {count: 1}, takes: 1m}]"
		case 3:
			crew := name + "-crew"
			cycle = append(cycle, crew)
			rest = "actions: [{name: start, does: start, takes: 1m, crew: {" + crew + ": 1}}]"
			fmt.Fprintf(&b, "{kind: Crew, name: %s, people: 2, needs: [%s]}\n---\n", crew, next)
		default:
			on := name + "-base"
			cycle = append(cycle, on)
			rest = "startNeeds: [" + on + "]"
			fmt.Fprintf(&b, "{kind: Component, name: %s, replicas: [{in: a}, {in: b}], needs: [%s]}\n---\n", on, next)
		}
		fmt.Fprintf(&b, "{kind: Component, name: %s, replicas: [{in: a}, {in: b}], %s}\n---\n", name, rest)
	}
	return b.String(), cycle
}

func deadlocks(t *testing.T, text string, o audit.Options) []audit.Finding {
	t.Helper()
	o.Rules = []string{"deadlock"}
	rep, err := audit.Check(parse(t, strings.TrimSuffix(text, "---\n")), o)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(rep.Findings, func(f audit.Finding) bool { return strings.HasSuffix(f.Subject, ">wants") })
}

func TestPlantedColdStartDeadlocksAreFound(t *testing.T) {
	t.Parallel()
	plantedColdStartDeadlocks(t, 2)
}

func plantedColdStartDeadlocks(t *testing.T, seeds int) {
	t.Helper()
	for n := 1; n <= 12; n++ {
		for seed := range uint64(seeds) {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			text := healthy(r)
			if found := deadlocks(t, text, audit.Options{}); len(found) > 0 {
				t.Fatalf("invented: %v\n%s", found, text)
			}
			cycle, names := frozen(r, n)
			found := deadlocks(t, text+cycle, audit.Options{})
			if len(found) != 1 || found[0].ID != "deadlock/cold-start/"+strings.Join(names, ">") || found[0].Severity != audit.Warning {
				t.Fatalf("a cycle of %d was planted (%v), found: %+v\n%s", n, names, found, cycle)
			}
			if diff := cmp.Diff(names, found[0].Proof.Cycle); diff != "" || len(found[0].Proof.Words) != len(names) || found[0].Fix == nil {
				t.Fatalf("the cycle (-want +got):\n%s%v", diff, found[0].Proof.Words)
			}
		}
	}
}

func TestColdStart(t *testing.T) {
	t.Parallel()
	const sites = "{kind: Domain, name: a, type: site}\n---\n{kind: Domain, name: b, type: site}\n---\n"
	for _, c := range []struct {
		name, x, y string
		want       []string
	}{
		{"both wait", "startNeeds: [y]", "startNeeds: [x]", []string{"deadlock/cold-start/x>y"}},
		{"only run-time needs", "needs: [y]", "needs: [x]", nil},
		{"a start in a run-time cycle", "needs: [y]", "needs: [x], startNeeds: [x]", []string{"deadlock/cold-start/x>y"}},
		{"an alternative", "startNeeds: [{anyOf: [y, z]}]", "startNeeds: [x]", nil},
		{"two of three", "startNeeds: [{atLeast: 2, of: [y, z, few]}]", "startNeeds: [x]", nil},
		{"a start that needs nothing besides one that does", "actions: [{name: s, does: start, takes: 1m, needs: [y]}, {name: t, does: start, at: a, takes: 1m}]", "startNeeds: [x]", nil},
		{"that start asks for people who do not exist", "actions: [{name: s, does: start, takes: 1m, needs: [y]}, {name: t, does: start, takes: 1m, crew: {few: 2}}]", "startNeeds: [x]", []string{"deadlock/cold-start/x>y"}},
		{"that start asks for slots that do not exist", "actions: [{name: s, does: start, takes: 1m, needs: [y]}, {name: t, does: start, takes: 1m, uses: {slots: 2}}]", "startNeeds: [x]", []string{"deadlock/cold-start/x>y"}},
		{"a start where nothing stands", "actions: [{name: s, does: start, at: c, takes: 1m, needs: [y]}]", "startNeeds: [x]", nil},
		{"a start of one of two that are enough alone", "actions: [{name: s, does: start, at: a, takes: 1m, needs: [y]}]", "startNeeds: [x]", nil},
		{"a start of one of two that are needed", "atLeast: 2, actions: [{name: s, does: start, at: a, takes: 1m, needs: [y]}]", "startNeeds: [x]", []string{"deadlock/cold-start/x>y"}},
		{"a start that adds", "actions: [{name: s, does: start, at: a, adds: {count: 1}, takes: 1m, needs: [y]}]", "startNeeds: [x]", nil},
		{"other actions do not start", "actions: [{name: s, does: rebuild, at: a, takes: 1m, needs: [y]}]", "startNeeds: [x]", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := sites + "{kind: Domain, name: c, type: site}\n---\n{kind: Component, name: z, replicas: [{in: a}, {in: b}]}\n---\n" +
				"{kind: Crew, name: few, people: 1}\n---\n{kind: Limit, name: slots, slots: 1}\n---\n" +
				"{kind: Component, name: x, replicas: [{in: a}, {in: b}], " + c.x + "}\n---\n{kind: Component, name: y, replicas: [{in: a}, {in: b}], " + c.y + "}"
			var got []string
			for _, f := range deadlocks(t, text, audit.Options{}) {
				got = append(got, f.ID)
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a waiver", func(t *testing.T) {
		found := deadlocks(t, sites+"{kind: Component, name: x, replicas: [{in: a}, {in: b}], startNeeds: [x], waive: [{rule: deadlock, loss: cold-start, owner: kim, reason: by hand, until: 2027-01-01}]}", audit.Options{})
		if len(found) != 1 || found[0].Waived == nil || found[0].Line == 0 || found[0].Sentence != "with everything down at once, x waits for itself to come back" {
			t.Errorf("%+v", found)
		}
	})
}

// TestColdStartTwin compares with a start played naively, round by round.
func TestColdStartTwin(t *testing.T) { t.Parallel(); coldStartTwin(t, 50) }

func coldStartTwin(t *testing.T, seeds int) {
	t.Helper()
	found, none := 0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 5))
		text := randomEstate(r, 10+r.IntN(20)) + "---\n{kind: Domain, name: empty, type: site}\n"
		text = strings.NewReplacer("does: rebuild", "does: start", "does: restore", "does: start", ", at: [a, b]", "").Replace(text)
		if seed%2 == 0 { // so many cycles that few estates would have none
			text = strings.ReplaceAll(text, "startNeeds: [c", "wants: [c")
		}
		s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(text)}})
		if err != nil {
			continue // two wants
		}
		up, stuck := naiveStart(s)
		cycles := 0
		waits := func(name, next string) bool { // in the document of the first
			return slices.ContainsFunc(strings.Split(text, "---\n"), func(d string) bool {
				return regexp.MustCompile(`name: `+name+`\b`).MatchString(d) && regexp.MustCompile(`[\[{ ]`+next+`[\],:}]`).MatchString(d)
			})
		}
		for _, f := range deadlocks(t, text, audit.Options{Lose: [][]string{{"empty"}}}) {
			if f.Loss == audit.NoLoss {
				cycles++
				continue
			}
			if f.Loss != audit.ColdStart {
				continue // found with nothing lost, in other words
			}
			cycles++
			for i, name := range f.Proof.Cycle {
				if up[name] {
					t.Fatalf("seed %d: %s: %s can start\n%s", seed, f.ID, name, text)
				}
				if next := f.Proof.Cycle[(i+1)%len(f.Proof.Cycle)]; !waits(name, next) {
					t.Fatalf("seed %d: %s: %s does not wait for %s\n%s", seed, f.ID, name, next, text)
				}
			}
		}
		if cycles == 0 && len(stuck) > 0 {
			t.Fatalf("seed %d: %d cycles, and what waits for itself is %v\n%s", seed, cycles, stuck, text)
		}
		if cycles > 0 {
			found++
		} else {
			none++
		}
	}
	if found < seeds/8 || none < seeds/8 {
		t.Errorf("%d estates with and %d without a deadlock: they do not try what they should", found, none)
	}
}

// naiveStart returns what comes up in a start from cold, and what does not and would
// stand if all of it did.
func naiveStart(s *estate.Snapshot) (started, stuck map[string]bool) {
	type set map[estate.Ref]bool
	var met func(n estate.Need, up set) bool
	met = func(n estate.Need, up set) bool {
		if n.Ref != nil {
			return n.Ref.Kind == estate.KindDomain || up[estate.Ref{Kind: n.Ref.Kind, Index: n.Ref.Index}]
		}
		k := 0
		for _, o := range n.Of {
			if met(o, up) {
				k++
			}
		}
		return k >= n.K
	}
	in := func(a estate.Action, d int) bool {
		return len(a.At) == 0 || slices.Contains(a.At, d) || slices.ContainsFunc(s.Domains[d].Ancestors, func(x int) bool { return slices.Contains(a.At, x) })
	}
	holds := func(c *estate.Component, counts func(r estate.Replica) bool) bool {
		have, all, serves := 0, 0, false
		for _, r := range c.Replicas {
			all += r.Count
			if counts(r) {
				have += r.Count
				serves = serves || r.Role == estate.RolePrimary || r.Role == estate.RoleStandby && c.Auto
			}
		}
		return len(c.Replicas) == 0 || c.Mode == estate.ModeAny && have >= c.AtLeast || c.Mode == estate.ModeQuorum && have > all/2 || c.Mode == estate.ModePrimary && serves
	}
	// can says whether a component stands up by the things that are up.
	can := func(i int, up set) bool {
		c := &s.Components[i]
		if len(c.Replicas) == 0 {
			return true
		}
		able := func(a estate.Action) bool {
			for _, u := range a.Crew {
				if u.Count > s.Crews[u.Index].People || !up[estate.Ref{Kind: estate.KindCrew, Index: u.Index}] {
					return false
				}
			}
			return met(a.Needs, up) && met(c.StartNeeds, up)
		}
		if !holds(c, func(estate.Replica) bool { return true }) { // nothing but its actions brings it up
			have := 0
			for _, r := range c.Replicas {
				have += r.Count
			}
			for _, a := range c.Actions {
				promotes := a.Does != estate.DoesPromote || slices.ContainsFunc(c.Replicas, func(r estate.Replica) bool { return r.Role == estate.RoleStandby && in(a, r.In) })
				if able(a) && promotes && a.Does != estate.DoesShrink {
					if c.Mode != estate.ModeAny || a.Adds == 0 {
						return true
					}
					have += a.Adds
				}
			}
			return c.Mode == estate.ModeAny && have >= c.AtLeast
		}
		alone := holds(c, func(r estate.Replica) bool {
			return !slices.ContainsFunc(c.Actions, func(a estate.Action) bool { return a.Does == estate.DoesStart && a.Adds == 0 && in(a, r.In) })
		})
		return met(c.StartNeeds, up) && (alone || slices.ContainsFunc(c.Actions, func(a estate.Action) bool { return a.Does == estate.DoesStart && a.Adds == 0 && able(a) }))
	}
	needs := func(r estate.Ref) estate.Need {
		switch r.Kind {
		case estate.KindComponent:
			return s.Components[r.Index].Needs
		case estate.KindService:
			return s.Services[r.Index].Needs
		default:
			return s.Crews[r.Index].Needs
		}
	}
	var all []estate.Ref
	for kind, n := range map[estate.Kind]int{estate.KindComponent: len(s.Components), estate.KindService: len(s.Services), estate.KindCrew: len(s.Crews)} {
		for i := range n {
			all = append(all, estate.Ref{Kind: kind, Index: i})
		}
	}
	// standing returns the greatest set of some things that their needs hold up,
	// each component among them fit for it.
	standing := func(some []estate.Ref, fit func(i int, up set) bool, besides set) set {
		up := set{}
		for r := range besides {
			up[r] = true
		}
		for _, r := range some {
			up[r] = true
		}
		for changed := true; changed; {
			changed = false
			for _, r := range some {
				if up[r] && !besides[r] && (!met(needs(r), up) || r.Kind == estate.KindComponent && !fit(r.Index, up)) {
					delete(up, r)
					changed = true
				}
			}
		}
		return up
	}
	up, before := set{}, -1
	for len(up) != before {
		before = len(up)
		now := up
		up = standing(all, func(i int, _ set) bool { return can(i, now) }, now)
	}
	started, stuck = map[string]bool{}, map[string]bool{}
	for r := range standing(all, can, up) {
		n := r
		n.Name = s.Doc(r).Name
		if up[r] {
			started[s.NameOf(n)] = true
		} else {
			stuck[s.NameOf(n)] = true
		}
	}
	return started, stuck
}
