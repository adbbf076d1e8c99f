package audit

import (
	"cmp"
	"fmt"
	"slices"

	"bongsu/estate"
	"bongsu/impact"
)

// A BreakGlass is a set of measures of least cost after which a loss leaves none
// of the services asked for unrecoverable.
type BreakGlass struct {
	Estate      string         `json:"estate"`
	Loss        string         `json:"loss"`
	Tier        int            `json:"tier,omitempty"` // 0: services of any tier
	Services    []string       `json:"services"`       // that nothing brings back without the measures
	Measures    []MeasureItem  `json:"measures"`
	Cost        float64        `json:"cost"`
	Optimal     bool           `json:"optimal"`    // false: the search was cut short; the bound still holds
	Impossible  []string       `json:"impossible"` // services that need a lost domain itself: no measure helps
	Certificate FixCertificate `json:"certificate"`
}

// A FixCertificate proves what measures cost at least. Each set is one of which
// at least one member has to be taken as up: with all else that could be taken
// as up, a service stays unrecoverable. Sets that share no member add up: their
// cheapest members together are a lower bound. Where that bound is below the
// cost, the least set that meets all of Blocked still costs as much.
type FixCertificate struct {
	LowerBound float64    `json:"lowerBound"`
	Disjoint   [][]string `json:"disjoint"`
	Blocked    [][]string `json:"blocked"`
}

// mostFixNodes bounds the search for a least hitting set.
const mostFixNodes = 4_000_000

// Fix returns the cheapest measures for a loss of the named domains: components
// and crews to take as up whatever they need, each with what that would mean. With
// a tier, only the services of that tier count. The cost of a measure is the cost
// of its document. The error is an [*impact.UnknownDomainError].
func Fix(s *estate.Snapshot, lost []string, tier int) (*BreakGlass, error) {
	a, err := newAuditor(s, Options{Lose: [][]string{lost}})
	if err != nil {
		return nil, err
	}
	l := a.named[0]
	out := &BreakGlass{
		Estate: s.Rev, Loss: l.name, Tier: tier, Services: []string{}, Measures: []MeasureItem{}, Impossible: []string{},
		Certificate: FixCertificate{Disjoint: [][]string{}, Blocked: [][]string{}},
	}
	a.visit(l.domains, func(v *impact.View) {
		t := &trial{View: v, loss: l, named: true}
		var subjects []estate.Ref
		for _, x := range t.Services {
			if x.State == impact.Unrecoverable && (tier == 0 || s.Services[x.Index].Tier == tier) {
				subjects = append(subjects, a.ref(estate.KindService, x.Index))
			}
		}
		f := &fixer{a: a, t: t}
		_, f.all = t.Suppose(nil, subjects)
		back, _ := t.Suppose(f.all, subjects)
		for i, r := range subjects {
			if out.Services = append(out.Services, r.Name); back[i] {
				f.subjects = append(f.subjects, r)
			} else {
				out.Impossible = append(out.Impossible, r.Name)
			}
		}
		f.solve(out)
	})
	return out, nil
}

// A fixer solves a minimum-cost implicit hitting set (Moreno-Centeno & Karp
// 2013): sets of which a member is needed are found only where the best choice
// so far meets all known ones and yet leaves something blocked.
type fixer struct {
	a        *auditor
	t        *trial
	subjects []estate.Ref
	all      []estate.Ref // what can be taken as up, sorted
	sets     [][]int32    // blocked sets, as positions in all
	costs    []float64
}

func (f *fixer) solve(out *BreakGlass) {
	f.costs = make([]float64, len(f.all))
	for i, r := range f.all {
		f.costs[i] = f.a.s.Doc(r).Cost
	}
	var best []int32
	optimal := true
	for len(f.subjects) > 0 {
		var ok bool
		best, ok = leastHitting(f.costs, f.sets, mostFixNodes)
		optimal = optimal && ok
		if f.works(best) {
			break
		}
		// One choice shows several sets: what is blocked by it, and by it with
		// the cheapest of that, until nothing is.
		for choice := slices.Clone(best); !f.works(choice); {
			set := f.blocked(choice)
			f.sets = append(f.sets, set)
			choice = append(choice, slices.MinFunc(set, func(x, y int32) int {
				return cmp.Or(cmp.Compare(f.costs[x], f.costs[y]), cmp.Compare(x, y))
			}))
		}
	}
	slices.Sort(best)
	out.Measures = f.a.measures(f.t, f.refs(best))
	for _, item := range out.Measures {
		out.Cost += item.Cost
	}
	names := func(set []int32) []string {
		var all []string
		for _, i := range set {
			all = append(all, f.a.s.NameOf(f.all[i]))
		}
		return all
	}
	disjoint, bound := packing(f.costs, f.sets)
	for _, i := range disjoint {
		out.Certificate.Disjoint = append(out.Certificate.Disjoint, names(f.sets[i]))
	}
	for _, set := range f.sets {
		out.Certificate.Blocked = append(out.Certificate.Blocked, names(set))
	}
	out.Certificate.LowerBound, out.Optimal = bound, optimal
}

func (f *fixer) refs(choice []int32) []estate.Ref {
	refs := make([]estate.Ref, len(choice))
	for i, x := range choice {
		refs[i] = f.all[x]
	}
	return refs
}

// works reports whether taking the choice as up brings every subject back.
func (f *fixer) works(choice []int32) bool {
	back, _ := f.t.Suppose(f.refs(choice), f.subjects)
	return !slices.Contains(back, false)
}

// blocked returns a set, small and dear, that has no member in a choice that does
// not work, and of which every choice that works has one: the choice is grown by
// all that can be added without its working, cheap things first; what is down and
// waited for then is the set.
func (f *fixer) blocked(choice []int32) []int32 {
	_, down := f.t.Suppose(f.refs(choice), f.subjects)
	free := f.positions(down)
	slices.SortStableFunc(free, func(x, y int32) int { return cmp.Compare(f.costs[x], f.costs[y]) })
	grown := slices.Clone(choice)
	var grow func(list []int32)
	grow = func(list []int32) {
		if len(list) == 0 {
			return
		}
		if tried := slices.Concat(grown, list); !f.works(tried) {
			grown = tried
			return
		}
		if len(list) > 1 {
			grow(list[:len(list)/2])
			grow(list[len(list)/2:])
		}
	}
	grow(free)
	_, down = f.t.Suppose(f.refs(grown), f.subjects)
	return f.positions(down)
}

// positions turns references, sorted as all is, into positions in all.
func (f *fixer) positions(refs []estate.Ref) []int32 {
	out := make([]int32, 0, len(refs))
	at := make(map[estate.Ref]int32, len(f.all))
	for i, r := range f.all {
		at[r] = int32(i)
	}
	for _, r := range refs {
		i, ok := at[r]
		if !ok {
			// unreachable: what is down with something taken as up was down without.
			panic(fmt.Sprintf("audit: %s was not down before", r))
		}
		out = append(out, i)
	}
	return out
}

// packing chooses sets that share no member, and returns the sum of the cheapest
// member of each: a lower bound for hitting all sets. Small and dear sets go first.
func packing(costs []float64, sets [][]int32) (chosen []int, bound float64) {
	least := make([]float64, len(sets))
	order := make([]int, len(sets))
	for i, set := range sets {
		order[i] = i
		for j, x := range set {
			if j == 0 || costs[x] < least[i] {
				least[i] = costs[x]
			}
		}
	}
	// A greedy choice for each order; the best of them counts.
	for _, by := range []func(x, y int) int{
		func(x, y int) int {
			return cmp.Or(cmp.Compare(len(sets[x]), len(sets[y])), cmp.Compare(least[y], least[x]))
		},
		func(x, y int) int {
			return cmp.Or(cmp.Compare(least[y], least[x]), cmp.Compare(len(sets[x]), len(sets[y])))
		},
		func(x, y int) int {
			return cmp.Compare(least[y]/float64(len(sets[y])), least[x]/float64(len(sets[x])))
		},
	} {
		slices.Sort(order)
		slices.SortStableFunc(order, by)
		taken := map[int32]bool{}
		var pick []int
		sum := 0.0
		for _, i := range order {
			if !slices.ContainsFunc(sets[i], func(x int32) bool { return taken[x] }) {
				for _, x := range sets[i] {
					taken[x] = true
				}
				pick = append(pick, i)
				sum += least[i]
			}
		}
		if chosen == nil || sum > bound {
			chosen, bound = pick, sum
		}
	}
	slices.Sort(chosen)
	return chosen, bound
}

// A hitting is the state of a branch and bound for a least hitting set.
type hitting struct {
	costs []float64
	sets  [][]int32
	best  []int32
	cost  float64
	left  int // nodes

	in, out  []bool // elements chosen, and forbidden
	residual []float64
}

// leastHitting returns a set of least cost that meets all sets; ok is false when
// the search was cut short, and then the set meets all but may cost more.
func leastHitting(costs []float64, sets [][]int32, nodes int) (best []int32, ok bool) {
	h := &hitting{costs: costs, sets: minimal(sets), left: nodes, in: make([]bool, len(costs)), out: make([]bool, len(costs)), residual: make([]float64, len(costs))}
	h.greedy()
	h.branch(nil, 0)
	slices.Sort(h.best)
	return h.best, h.left > 0
}

// minimal drops sets that hold another set, and sorts by size.
func minimal(sets [][]int32) [][]int32 {
	sorted := slices.Clone(sets)
	slices.SortStableFunc(sorted, func(x, y []int32) int { return cmp.Compare(len(x), len(y)) })
	var out [][]int32
	for _, set := range sorted {
		if !slices.ContainsFunc(out, func(o []int32) bool { return within(o, set) }) {
			out = append(out, set)
		}
	}
	return out
}

// within reports whether sorted x is a subset of sorted y.
func within(x, y []int32) bool {
	for _, v := range x {
		if _, ok := slices.BinarySearch(y, v); !ok {
			return false
		}
	}
	return true
}

// greedy starts with what meets most sets for its cost.
func (h *hitting) greedy() {
	open := slices.Clone(h.sets)
	h.best, h.cost = nil, 0
	for len(open) > 0 {
		count := map[int32]int{}
		for _, set := range open {
			for _, x := range set {
				count[x]++
			}
		}
		pick, value := int32(-1), 0.0
		for x := int32(0); int(x) < len(h.costs); x++ {
			if n := count[x]; n > 0 {
				if v := float64(n) / (h.costs[x] + 1e-9); pick < 0 || v > value {
					pick, value = x, v
				}
			}
		}
		h.best = append(h.best, pick)
		h.cost += h.costs[pick]
		open = slices.DeleteFunc(open, func(set []int32) bool { return slices.Contains(set, pick) })
	}
}

func (h *hitting) branch(chosen []int32, cost float64) {
	if h.left--; h.left <= 0 {
		return
	}
	// Dual ascent: each open set pays what is left of its cheapest member. The
	// sum bounds what the open sets cost at least.
	const slack = 1e-9
	bound := cost
	var (
		pick    []int32
		options = -1
		touched []int32
	)
	for _, set := range h.sets {
		if slices.ContainsFunc(set, func(x int32) bool { return h.in[x] }) {
			continue
		}
		n, pay := 0, 0.0
		for _, x := range set {
			if h.out[x] {
				continue
			}
			if r := h.costs[x] - h.residual[x]; n == 0 || r < pay {
				pay = r
			}
			n++
		}
		if n == 0 {
			h.reset(touched)
			return // nothing may meet this set any more
		}
		for _, x := range set {
			if !h.out[x] {
				h.residual[x] += pay
				touched = append(touched, x)
			}
		}
		bound += pay
		if options < 0 || n < options {
			options, pick = n, set
		}
	}
	h.reset(touched)
	if options < 0 {
		if cost < h.cost-slack {
			h.best, h.cost = slices.Clone(chosen), cost
		}
		return
	}
	if bound >= h.cost-slack {
		return
	}
	var members []int32
	for _, x := range pick {
		if !h.out[x] {
			members = append(members, x)
		}
	}
	slices.SortStableFunc(members, func(x, y int32) int { return cmp.Compare(h.costs[x], h.costs[y]) })
	for _, x := range members {
		h.in[x] = true
		h.branch(append(chosen, x), cost+h.costs[x])
		h.in[x] = false
		h.out[x] = true // with it is done: from here on without
	}
	for _, x := range members {
		h.out[x] = false
	}
}

func (h *hitting) reset(touched []int32) {
	for _, x := range touched {
		h.residual[x] = 0
	}
}
