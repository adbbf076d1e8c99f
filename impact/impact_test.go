package impact_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bongsu/estate"
	"bongsu/impact"
)

// TestTwin compares the engine with the naive reading of the design on random
// estates: every state, every derivation replayed, every blocking set minimal.
func TestTwin(t *testing.T) { t.Parallel(); twin(t, 500) }

func twin(t *testing.T, seeds int) {
	t.Helper()
	seen := map[impact.State]int{}
	sets, deadlocks := 0, 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		text := randomEstate(rng)
		s := parse(t, text)
		lost := []int{rng.IntN(len(s.Domains))}
		if rng.IntN(3) == 0 && lost[0] > 0 {
			lost = []int{0, lost[0]}
		}
		var names []string
		for _, d := range lost {
			names = append(names, s.Domains[d].Name)
		}
		im, err := impact.Of(s, names)
		if err != nil {
			t.Fatal(err)
		}
		at := newNaive(s, lost)
		end := newNaive(s, lost)
		end.recover()
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d, lost %v: %s\n%s", seed, names, fmt.Sprintf(format, args...), text)
		}
		judge := func(ref estate.Ref) impact.State {
			switch {
			case at.up[ref]:
				return impact.Up
			case end.up[ref]:
				return impact.Recoverable
			}
			return impact.Unrecoverable
		}
		check := func(r impact.Result) {
			got := r.State
			if got == impact.Degraded {
				got = impact.Up
			}
			want := judge(r.Ref)
			if want == impact.Recoverable && (r.Ref.Kind == estate.KindCrew || r.Ref.Kind == estate.KindComponent && at.held[r.Ref.Index]) {
				want = impact.Returns
			}
			if got != want {
				fail("%s is %s, the naive twin says %s", r.Ref, r.State, want)
			}
			seen[r.State]++
			if got == impact.Recoverable || got == impact.Returns {
				replay(t, fail, s, lost, r.Ref, im.Derivation(r.Ref))
			}
			if got == impact.Unrecoverable {
				for i, set := range im.Because(r.Ref, 3) {
					sets++
					minimal(fail, s, lost, r.Ref, set, i)
				}
			}
		}
		for _, r := range im.Components {
			check(r)
			if w := s.Components[r.Ref.Index].Wants; at.up[r.Ref] && (r.State == impact.Degraded) == at.need(w, at.up) {
				fail("%s is %s", r.Ref, r.State)
			}
		}
		for _, r := range im.Services {
			check(r)
			for j, p := range r.Parts {
				need := s.Services[r.Ref.Index].Parts[j].Needs
				want := impact.Unrecoverable
				if at.up[r.Ref] && at.need(need, at.up) {
					want = impact.Up
				} else if end.up[r.Ref] && end.need(need, end.up) {
					want = impact.Recoverable
				}
				if p.State != want {
					fail("part %s of %s is %s, the naive twin says %s", p.Name, r.Ref, p.State, want)
				}
			}
		}
		for _, r := range im.Crews {
			check(r)
		}
		for _, d := range im.Deadlocks {
			deadlocks++
			trulyStuck(fail, end, d)
		}
		if stuck := stuckTogether(end); len(stuck) > 0 && len(im.Deadlocks) == 0 {
			fail("no deadlock reported, yet %v could hold each other up", stuck)
		}
	}
	t.Logf("states seen: %v; %d blocking sets, %d deadlocks", seen, sets, deadlocks)
	for _, st := range []impact.State{impact.Up, impact.Degraded, impact.Returns, impact.Recoverable, impact.Unrecoverable} {
		if seen[st] < seeds/40 {
			t.Errorf("only %d of state %s: the estates say too little", seen[st], st)
		}
	}
	if sets < seeds/4 || deadlocks < seeds/40 {
		t.Errorf("only %d blocking sets and %d deadlocks: the estates say too little", sets, deadlocks)
	}
}

// replay runs a derivation step by step on the naive twin.
func replay(t *testing.T, fail func(string, ...any), s *estate.Snapshot, lost []int, ref estate.Ref, runs []impact.ActionRef) {
	t.Helper()
	n := newNaive(s, lost)
	for _, r := range runs {
		key := impact.ActionRef{Component: r.Component, Action: r.Action, At: -1}
		if n.ran[key] || !n.canRun(key) {
			fail("derivation of %s: %s cannot run there", ref, r.ID(s))
		}
		if r.At >= 0 && !n.placeOK(&s.Components[r.Component], &s.Components[r.Component].Actions[r.Action], r.At) {
			fail("derivation of %s: %s has no place", ref, r.ID(s))
		}
		n.ran[key] = true
		n.up = n.greatest()
	}
	if !n.up[ref] {
		fail("the derivation of %s, %v, does not bring it back", ref, runs)
	}
}

// minimal checks one blocking set against the words of design §3.6.
func minimal(fail func(string, ...any), s *estate.Snapshot, lost []int, ref estate.Ref, set []estate.Ref, i int) {
	back := func(forced []estate.Ref) bool {
		n := newNaive(s, lost, forced...)
		n.recover()
		return n.up[ref]
	}
	itself := len(set) == 1 && set[0] == ref // it could not run before the loss either
	if itself || set[0].Kind == estate.KindDomain {
		var all []estate.Ref
		for r := range newNaive(s, lost).refs() {
			if r != ref && r.Kind != estate.KindService {
				all = append(all, r)
			}
		}
		if i > 0 || back(all) {
			fail("%s is said to be blocked by lost domains %v alone", ref, set)
		}
		at := newNaive(s, lost)
		for _, d := range set {
			if !itself && at.alive(d.Index) {
				fail("%s is said to be blocked by %s, which lives", ref, d)
			}
		}
		return
	}
	if slices.Contains(set, ref) {
		fail("%s is said to block itself: %v", ref, set)
	}
	if !back(set) {
		fail("%v taken as up does not bring %s back", set, ref)
	}
	for j := range set {
		if back(slices.Delete(slices.Clone(set), j, j+1)) {
			fail("blocking set %v of %s is not minimal: %s is too much", set, ref, set[j])
		}
	}
}

// trulyStuck checks that the members of a reported cycle are down, and that each
// would be back if all else that is down were up: nothing but the cycle's own
// waiting keeps it.
func trulyStuck(fail func(string, ...any), end *naive, d impact.Deadlock) {
	var down []estate.Ref
	for r := range end.refs() {
		if !end.up[r] {
			down = append(down, r)
		}
	}
	var lost []int
	for l := range end.lost {
		lost = append(lost, l)
	}
	for _, r := range d.Cycle {
		if end.up[r] {
			fail("deadlock %v: %s is up", d.Cycle, r)
		}
		if r.Kind == estate.KindService {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(down), func(o estate.Ref) bool { return o == r && len(d.Cycle) > 1 })
		n := newNaive(end.s, lost, others...)
		n.recover()
		if !n.up[r] {
			fail("deadlock %v: %s does not come back even when all else is up", d.Cycle, r)
		}
	}
}

// stuckTogether returns what could hold itself up if it were up, but cannot be
// brought up: the naive greatest fixpoint of recovery less the least.
func stuckTogether(end *naive) []estate.Ref {
	n := *end
	up := map[estate.Ref]bool{}
	needs := n.refs()
	for r := range needs {
		up[r] = true
	}
	for changed := true; changed; {
		changed = false
		for r, need := range needs {
			if !up[r] {
				continue
			}
			ok := n.need(need, up)
			if ok && r.Kind == estate.KindComponent && !n.holds(r.Index) {
				ran := map[impact.ActionRef]bool{}
				saved, savedUp := n.ran, n.up
				n.up = up
				for a := range n.s.Components[r.Index].Actions {
					key := impact.ActionRef{Component: r.Index, Action: a, At: -1}
					if n.canRun(key) {
						ran[key] = true
					}
				}
				n.ran = ran
				for k := range saved {
					n.ran[k] = true
				}
				ok = n.holds(r.Index)
				n.ran, n.up = saved, savedUp
			}
			if !ok {
				up[r] = false
				changed = true
			}
		}
	}
	var stuck []estate.Ref
	for r := range needs {
		if up[r] && !end.up[r] {
			stuck = append(stuck, r)
		}
	}
	return stuck
}

// TestPlantedDeadlocks plants cycles of length 1 to 12 into random estates and
// finds each of them.
func TestPlantedDeadlocks(t *testing.T) { t.Parallel(); plantedDeadlocks(t, 5) }

func plantedDeadlocks(t *testing.T, seeds int) {
	t.Helper()
	for length := 1; length <= 12; length++ {
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, uint64(length)))
			var b strings.Builder
			b.WriteString(randomEstate(rng))
			var want []string
			for i := range length {
				name := fmt.Sprintf("x%02d", i)
				want = append(want, name)
				next := fmt.Sprintf("x%02d", (i+1)%length)
				fmt.Fprintf(&b, "---\nkind: Component\nname: %s\nreplicas: [{in: d0}]\n", name)
				switch rng.IntN(3) {
				case 0:
					fmt.Fprintf(&b, "startNeeds: [%s]\nactions: [{name: go, does: start, at: d1}]\n", next)
				case 1:
					fmt.Fprintf(&b, "actions: [{name: go, does: start, at: d1, needs: [%s]}]\n", next)
				default:
					fmt.Fprintf(&b, "actions: [{name: go, does: start, at: d1, crew: {y%02d: 1}}]\n---\nkind: Crew\nname: y%02d\nneeds: [%s]\n", i, i, next)
				}
			}
			s := parse(t, b.String())
			im, err := impact.Of(s, []string{"d0"})
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(im.Deadlocks, func(d impact.Deadlock) bool {
				var got []string
				for _, r := range d.Cycle {
					if r.Kind == estate.KindComponent {
						got = append(got, r.Name)
					}
				}
				return cmp.Equal(got, want)
			})
			if alive := im.Alive(1); alive && !found {
				t.Fatalf("length %d, seed %d: not found among %v", length, seed, im.Deadlocks)
			}
		}
	}
}

// TestSweep asks every single domain of random estates in one sweep and expects
// what each loss asked for alone says.
func TestSweep(t *testing.T) { t.Parallel(); sweep(t, 120) }

func sweep(t *testing.T, seeds int) {
	t.Helper()
	for seed := range uint64(seeds) {
		s := parse(t, randomEstate(rand.New(rand.NewPCG(seed, 2))))
		e := impact.NewEngine(s)
		healthy, err := e.Of(nil)
		if err != nil {
			t.Fatal(err)
		}
		sweep := e.NewSweep()
		for d := range s.Domains {
			im, err := e.Of([]string{s.Domains[d].Name})
			if err != nil {
				t.Fatal(err)
			}
			var want impact.Delta
			want.LostDomains = im.LostDomains
			touched := func(now, before []impact.Result) (ts []impact.Touched) {
				for i := range now {
					if now[i].State != before[i].State {
						ts = append(ts, impact.Touched{Index: i, State: now[i].State})
					}
				}
				return ts
			}
			want.Components = touched(im.Components, healthy.Components)
			want.Services = touched(im.Services, healthy.Services)
			want.Crews = touched(im.Crews, healthy.Crews)
			for i := range im.Services {
				for j, p := range im.Services[i].Parts {
					if p.State != healthy.Services[i].Parts[j].State {
						want.Parts = append(want.Parts, impact.TouchedPart{Service: i, Part: j, State: p.State})
					}
				}
			}
			got := sweep.Lose(d)
			clean := func(ts []impact.Touched, before []impact.Result) []impact.Touched {
				return slices.DeleteFunc(ts, func(x impact.Touched) bool { return before[x.Index].State == x.State })
			}
			got.Crews = clean(got.Crews, healthy.Crews)
			got.Parts = slices.DeleteFunc(got.Parts, func(x impact.TouchedPart) bool {
				return healthy.Services[x.Service].Parts[x.Part].State == x.State
			})
			got.Components = clean(got.Components, healthy.Components)
			got.Services = clean(got.Services, healthy.Services)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, losing %s: %s", seed, s.Domains[d].Name, diff)
			}
		}
	}
}

const chain = `
kind: Domain
name: north
---
kind: Domain
name: south
---
{kind: Crew, name: ops, needs: [chat]}
---
{kind: Component, name: chat, replicas: [{in: south}]}
---
{kind: Component, name: switch, tool: true, replicas: [{in: north}]}
---
kind: Component
name: db
mode: primary
replicas: [{in: north, role: primary}, {in: south, role: standby, lag: 5s}]
actions: [{name: promote, does: promote, at: south, takes: 3m, needs: [switch], crew: {ops: 1}}]
---
{kind: Component, name: app, replicas: [{in: south}], needs: [db]}
---
{kind: Service, name: shop, users: 10, needs: [app], parts: [{name: chat, share: 0.2, needs: [chat]}]}
`

func TestJSON(t *testing.T) {
	im, err := impact.Of(parse(t, chain), []string{"north"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(im)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"lost":["north"],"lostDomains":["north"],"components":[` +
		`{"name":"app","state":"unrecoverable","derivation":[],"blocking":["switch"],"dataLost":0},` +
		`{"name":"chat","state":"up","derivation":[],"blocking":[],"dataLost":0},` +
		`{"name":"db","state":"unrecoverable","derivation":[],"blocking":["switch"],"dataLost":5},` +
		`{"name":"switch","state":"unrecoverable","derivation":[],"blocking":["north"],"dataLost":0}],` +
		`"services":[{"name":"shop","state":"unrecoverable","derivation":[],"blocking":["switch"],"dataLost":5,` +
		`"parts":[{"name":"chat","state":"unrecoverable","derivation":[],"blocking":["switch"],"dataLost":5}]}],` +
		`"crews":[{"name":"ops","state":"up","derivation":[],"blocking":[]}],"deadlocks":[]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestReturnsAndDerivation(t *testing.T) {
	s := parse(t, strings.Replace(chain, "needs: [switch], ", "", 1))
	im, err := impact.Of(s, []string{"north"})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]impact.State{}
	for _, r := range im.Components {
		states[r.Ref.Name] = r.State
	}
	want := map[string]impact.State{"app": impact.Returns, "chat": impact.Up, "db": impact.Recoverable, "switch": impact.Unrecoverable}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Error(diff)
	}
	shop, _ := s.Lookup(estate.KindService, "shop")
	runs := im.Derivation(shop)
	if len(runs) != 1 || runs[0].ID(s) != "db/promote@south" {
		t.Errorf("derivation of the shop: %v", runs)
	}
}

func TestUnknownDomain(t *testing.T) {
	_, err := impact.Of(parse(t, chain), []string{"norht"})
	if err == nil || err.Error() != `the estate has no domain "norht"; did you mean "north"?` {
		t.Errorf("got %v", err)
	}
}
