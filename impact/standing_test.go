package impact_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/estate"
	"bongsu/impact"
)

// A tangle is a small random estate, document by document, of which any may
// change: needs of all shapes, run-time cycles, deadlocks, quorums, primaries,
// copies, crews, limits and domains that need each other.
type tangle struct {
	r    *rand.Rand
	docs map[string]string
	gone map[string]bool
	l    estate.Loader
}

const tangled = 14 // components

func newTangle(r *rand.Rand) *tangle {
	t := &tangle{r: r, docs: map[string]string{}, gone: map[string]bool{}}
	for _, name := range t.names() {
		t.docs[name] = t.doc(name)
	}
	return t
}

func (t *tangle) names() []string {
	names := []string{"a", "b", "c", "h0", "h1", "h2", "h3", "s0", "s1", "s2", "k0", "k1", "slots"}
	for i := range tangled {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	return names
}

func (t *tangle) need(depth int, names ...string) string {
	pick := func() string { return names[t.r.IntN(len(names))] }
	switch t.r.IntN(5 + depth) {
	case 0, 1:
		return pick()
	case 2:
		return fmt.Sprintf("{anyOf: [%s, %s]}", t.need(depth+1, names...), t.need(depth+1, names...))
	case 3:
		return fmt.Sprintf("{atLeast: 2, of: [%s, %s, %s]}", pick(), t.need(depth+1, names...), pick())
	case 4:
		return fmt.Sprintf("{anyOf: [%s, {atLeast: 2, of: [%s, %s]}]}", pick(), pick(), pick())
	default:
		return pick()
	}
}

func (t *tangle) needs(field string, most int, names ...string) string {
	var list []string
	for range t.r.IntN(most + 1) {
		list = append(list, t.need(0, names...))
	}
	if list == nil {
		return ""
	}
	return fmt.Sprintf(", %s: [%s]", field, strings.Join(list, ", "))
}

func (t *tangle) doc(name string) string {
	var (
		r       = t.r
		domains = []string{"a", "b", "c", "h0", "h1", "h2", "h3"}
		things  []string
	)
	there := func(names []string) []string {
		return slices.DeleteFunc(names, func(name string) bool { return t.gone[name] })
	}
	for i := range tangled {
		things = append(things, fmt.Sprintf("c%d", i))
	}
	some := there(slices.Concat(things, []string{"s0", "a", "h1"}))
	things, domains = there(things), there(domains)
	domain := func() string { return domains[r.IntN(len(domains))] }
	switch {
	case len(name) == 1:
		return fmt.Sprintf("{kind: Domain, name: %s, type: site}", name)
	case name[0] == 'h': // each may need those before it, and sites
		return fmt.Sprintf("{kind: Domain, name: %s, type: hall%s}", name, t.needs("needs", 1, there([]string{"a", "b", "c", "h0", "h1", "h2"}[:3+int(name[1]-'0')])...))
	case name == "slots":
		return fmt.Sprintf("{kind: Limit, name: slots, slots: %d}", r.IntN(3))
	case name[0] == 's':
		parts := ""
		if r.IntN(2) == 0 {
			parts = fmt.Sprintf(", parts: [{name: q, share: 0.2%s}]", t.needs("needs", 1, things...))
		} else if name == "s1" {
			parts = fmt.Sprintf(", parts: [{name: p, share: 0.5%s}, {name: q, share: 0.2%s}]", t.needs("needs", 2, things...), t.needs("needs", 1, things...))
		}
		return fmt.Sprintf("{kind: Service, name: %s, users: 1%s%s%s}", name, t.needs("needs", 2, things...), t.needs("wants", 1, things...), parts)
	case name[0] == 'k':
		return fmt.Sprintf("{kind: Crew, name: %s, people: %d%s}", name, r.IntN(3), t.needs("needs", 1, things...))
	}
	d := fmt.Sprintf("{kind: Component, name: %s", name)
	n := 1 + r.IntN(3)
	var replicas []string
	mode := []string{"", "", ", mode: quorum", ", mode: primary", ", mode: primary, auto: true", fmt.Sprintf(", atLeast: %d", 1+r.IntN(n))}[r.IntN(6)]
	for i := range n {
		role := fmt.Sprintf("count: %d", max(1, r.IntN(3)))
		if strings.Contains(mode, "primary") {
			if role = "role: standby"; i == 0 {
				role = "role: primary"
			}
		}
		replicas = append(replicas, fmt.Sprintf("{in: %s, %s}", domain(), role))
	}
	d += mode + ", replicas: [" + strings.Join(replicas, ", ") + "]"
	d += t.needs("needs", 2, some...) + t.needs("wants", 1, some...) + t.needs("startNeeds", 1, things...)
	if r.IntN(4) == 0 {
		d += fmt.Sprintf(", data: {copies: [{in: %s, how: async, lag: %dm}]}", domain(), 1+r.IntN(9))
	}
	does := []string{"start", "restore", "rebuild", "scale", "promote"}
	crew := func() string {
		return []string{"", "", fmt.Sprintf(", crew: {k%d: %d}", r.IntN(2), 1+r.IntN(2)), ", uses: {slots: 1}"}[r.IntN(4)]
	}
	adds := ""
	if mode == "" {
		adds = []string{"", ", adds: {count: 1}"}[r.IntN(2)]
	}
	two := r.Perm(len(domains))
	if r.IntN(4) == 0 {
		return d + fmt.Sprintf(", actions: [{name: x, does: %s, at: %s, takes: %dm%s%s}]}", does[r.IntN(4)], domain(), r.IntN(9), crew(), t.needs("needs", 2, things...))
	}
	d += fmt.Sprintf(", actions: [{name: x, does: %s, at: %s, takes: %dm%s%s%s}, {name: y, does: %s, at: [%s, %s], takes: %dm%s}]}",
		does[r.IntN(4)], domain(), r.IntN(9), adds, crew(), t.needs("needs", 2, things...),
		does[r.IntN(5)], domains[two[0]], domains[two[1]], r.IntN(9), t.needs("needs", 1, things...))
	return d
}

func (t *tangle) parse() (*estate.Snapshot, error) {
	var all []string
	for _, name := range t.names() {
		if doc := t.docs[name]; doc != "" {
			all = append(all, doc)
		}
	}
	return t.l.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(strings.Join(all, "\n---\n"))}})
}

// TestStandingIsNew changes documents of every kind, one and several at a time, and
// back again, and compares what a standing says of each loss with a new sweep.
func TestStandingIsNew(t *testing.T) { t.Parallel(); standingIsNew(t, 8) }

func standingIsNew(t *testing.T, seeds int) {
	t.Helper()
	followed, turned, gone, lost := 0, 0, 0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 11))
		g := newTangle(r)
		s, err := g.parse()
		if err != nil {
			t.Fatal(err)
		}
		lostNames := [][]string{nil, {"a"}, {"b"}, {"b", "c"}, {"h0"}, {"h1", "h3"}}
		losses := lossesOf(s, lostNames)
		st := impact.NewEngine(s).Stand(slices.Clone(losses))
		for i := range losses {
			st.Visit(i, func(v *impact.View) { v.Deadlocks() })
		}
		var undo map[string]string
		for step := range 16 {
			edits := map[string]string{}
			names := g.names()
			for range 1 + r.IntN(2) {
				name := names[r.IntN(len(names))]
				edits[name] = g.doc(name)
			}
			if r.IntN(3) == 0 { // one is gone, and all that needed it needs something else
				name := names[r.IntN(len(names))]
				g.gone[name] = true
				edits[name] = ""
				needs := regexp.MustCompile(`\b` + name + `\b`)
				for _, other := range names {
					for doc := g.docs[other]; other != name && needs.MatchString(doc); doc = edits[other] {
						edits[other] = g.doc(other)
					}
				}
			}
			for name, doc := range edits {
				g.gone[name] = doc == ""
			}
			if undo != nil && r.IntN(3) == 0 {
				edits = undo
			}
			undo = map[string]string{}
			for name, text := range edits {
				undo[name], g.docs[name] = g.docs[name], text
			}
			next, err := g.parse()
			if err != nil {
				maps.Copy(g.docs, undo)
				undo = nil
				for name := range g.gone {
					g.gone[name] = g.docs[name] == ""
				}
				continue
			}
			var changed, recounted []estate.Ref
			moves := impact.MovesOf(s, next)
			for _, c := range estate.Diff(s, next) {
				ref, _ := next.Lookup(c.Kind, c.Name)
				if c.What == estate.Removed {
					gone++
				} else if len(c.Fields) == 1 && (c.Fields[0].Path == "people" || c.Fields[0].Path == "slots") {
					recounted = append(recounted, ref)
				} else {
					changed = append(changed, ref)
				}
			}
			s = next
			st.Follow(s, moves, changed, recounted)
			if r.IntN(4) == 0 { // other losses, in another order
				r.Shuffle(len(lostNames), func(i, j int) { lostNames[i], lostNames[j] = lostNames[j], lostNames[i] })
				lostNames[0] = []string{"a", "b", "c", "h0", "h1", "h2", "h3"}[r.IntN(7):][:1]
			}
			before := len(losses)
			losses = lossesOf(s, lostNames)
			if st.Lose(losses); len(losses) != before {
				lost++
			}
			followed++
			fresh := impact.NewEngine(s).NewSweep()
			for i, lost := range losses {
				var want, got []string
				fresh.Visit(lost, func(v *impact.View) { want = saidOf(s, v) })
				st.Visit(i, func(v *impact.View) { got = saidOf(s, v) })
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d, step %d, %v changed, %v lost (-new +followed):\n%s", seed, step, changed, lost, diff)
				}
				if st.Turned(i) {
					turned++
				}
			}
			if bad := impact.Amiss(st); bad != "" {
				t.Fatalf("seed %d, step %d: %s", seed, step, bad)
			}
		}
	}
	t.Logf("%d changes followed, %d of them times losses turned something; %d documents went; %d times other losses", followed, turned, gone, lost)
	if followed < 11*seeds || turned < 6*seeds || gone < seeds || lost < seeds {
		t.Error("the changes do not try what they should")
	}
}

// lossesOf finds the losses of which all domains are there, each once.
func lossesOf(s *estate.Snapshot, names [][]string) [][]int {
	var out [][]int
	for _, list := range names {
		var lost []int
		for _, name := range list {
			if d, ok := s.Lookup(estate.KindDomain, name); ok {
				lost = append(lost, d.Index)
			}
		}
		if len(lost) == len(list) && !slices.ContainsFunc(out, func(l []int) bool { return slices.Equal(l, lost) }) {
			out = append(out, lost)
		}
	}
	return out
}

// saidOf is all that a view says.
func saidOf(s *estate.Snapshot, v *impact.View) []string {
	out := []string{fmt.Sprint(v.Delta), fmt.Sprint(v.NotHolding()), fmt.Sprint(v.Deadlocks())}
	for _, k := range []estate.Kind{estate.KindDomain, estate.KindComponent, estate.KindService, estate.KindCrew} {
		n := []int{len(s.Domains), len(s.Components), len(s.Services), len(s.Crews)}[k]
		for i := range n {
			ref := estate.Ref{Kind: k, Index: i}
			at, ok := v.UpAt(ref)
			var line strings.Builder
			fmt.Fprint(&line, k, i, v.Up(ref), v.Back(ref), at, ok)
			if k != estate.KindDomain {
				fmt.Fprint(&line, v.Because(ref, 3))
			}
			switch k {
			case estate.KindComponent:
				fmt.Fprint(&line, v.Held(i), v.Holds(i), v.Living(i), v.DataLost(i))
				for j := range s.Components[i].Actions {
					start, end, ran := v.Ran(i, j)
					fmt.Fprint(&line, start, end, ran, v.Possible(i, j))
				}
			case estate.KindService:
				for j := range s.Services[i].Parts {
					at, ok := v.PartUpAt(i, j)
					fmt.Fprint(&line, at, ok, v.PartBecause(i, j, 2))
				}
			case estate.KindDomain, estate.KindCrew, estate.KindLimit, estate.KindProbe, estate.KindOption:
			}
			out = append(out, line.String())
		}
	}
	return out
}
