package audit

import (
	"cmp"
	"slices"

	"bongsu/estate"
)

// A graph says who needs whom, as documents name it: whether a need is one of
// several alternatives does not matter here. It answers whom a thing touches.
type graph struct {
	s     *estate.Snapshot
	first [5]int // number of the first component, service, crew, part, and the end

	run    [][]int // who needs it to run
	repair [][]int // the components whose actions need it
	wanted [][]int // the services that want it

	seen  []int
	epoch int
	share []float64    // scratch of touched: of each service
	parts []estate.Ref // of each part: its service, and in Name nothing
	part  []int        // and its position there

	firstPart []int // of each service, among the parts
}

func newGraph(s *estate.Snapshot) *graph {
	g := &graph{s: s}
	g.number()
	link := func(of bond, from, to int) {
		edges := g.of(of)
		edges[from] = append(edges[from], to)
	}
	for i := range g.first[3] {
		g.edges(g.ref(i), link)
	}
	for i := range g.run {
		slices.Sort(g.run[i]) // parts come after all else; the others are sorted
	}
	return g
}

// number gives everything its number.
func (g *graph) number() {
	s := g.s
	g.first[1] = len(s.Components)
	g.first[2] = g.first[1] + len(s.Services)
	g.first[3] = g.first[2] + len(s.Crews)
	for i := range s.Services {
		g.firstPart = append(g.firstPart, len(g.parts))
		for j := range s.Services[i].Parts {
			g.parts = append(g.parts, estate.Ref{Kind: estate.KindService, Index: i})
			g.part = append(g.part, j)
		}
	}
	g.first[4] = g.first[3] + len(g.parts)
	n := g.first[4]
	g.run, g.repair, g.wanted, g.seen = make([][]int, n), make([][]int, n), make([][]int, n), make([]int, n)
	g.share = make([]float64, len(s.Services))
}

// A bond is why one thing is tied to another: to run, to come back, or to run well.
type bond uint8

const (
	toRun bond = iota
	toRepair
	toWant
)

func (g *graph) of(k bond) [][]int {
	switch k {
	case toRun:
		return g.run
	case toRepair:
		return g.repair
	default:
		return g.wanted
	}
}

// edges calls f for every edge that a document makes: from what it names to
// itself, or to its parts.
func (g *graph) edges(r estate.Ref, f func(of bond, from, to int)) {
	id := g.id(r)
	link := func(of bond, need estate.Need, to int) {
		eachRef(need, func(r estate.Ref) {
			if r.Kind != estate.KindDomain {
				f(of, g.id(r), to)
			}
		})
	}
	switch s := g.s; r.Kind {
	case estate.KindComponent:
		c := &s.Components[r.Index]
		link(toRun, c.Needs, id)
		if len(c.Actions) > 0 {
			link(toRepair, c.StartNeeds, id)
		}
		for j := range c.Actions {
			act := &c.Actions[j]
			if act.Does == estate.DoesShrink {
				continue
			}
			link(toRepair, act.Needs, id)
			for _, u := range act.Crew {
				f(toRepair, g.first[2]+u.Index, id)
			}
		}
	case estate.KindService:
		svc := &s.Services[r.Index]
		link(toRun, svc.Needs, id)
		link(toWant, svc.Wants, id)
		for j := range svc.Parts {
			link(toRun, svc.Parts[j].Needs, g.first[3]+g.firstPart[r.Index]+j)
		}
	case estate.KindCrew:
		link(toRun, s.Crews[r.Index].Needs, id)
	case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
}

// ref names the component, service or crew of a number.
func (g *graph) ref(i int) estate.Ref {
	switch {
	case i < g.first[1]:
		return estate.Ref{Kind: estate.KindComponent, Index: i, Name: g.s.Components[i].Name}
	case i < g.first[2]:
		i -= g.first[1]
		return estate.Ref{Kind: estate.KindService, Index: i, Name: g.s.Services[i].Name}
	default:
		i -= g.first[2]
		return estate.Ref{Kind: estate.KindCrew, Index: i, Name: g.s.Crews[i].Name}
	}
}

// A tie is an edge with why there is one.
type tie struct {
	of       bond
	from, to int
}

// ties lists the edges that some documents make.
func (g *graph) ties(of []estate.Ref) []tie {
	var out []tie
	for _, r := range of {
		g.edges(r, func(of bond, from, to int) { out = append(out, tie{of, from, to}) })
	}
	return out
}

// reshaped reports whether a service has more parts in a snapshot, or fewer.
func (g *graph) reshaped(s *estate.Snapshot, old []estate.Ref) bool {
	return slices.ContainsFunc(old, func(r estate.Ref) bool {
		now, has := s.Lookup(r.Kind, r.Name)
		return has && r.Kind == estate.KindService && len(s.Services[now.Index].Parts) != len(g.s.Services[r.Index].Parts)
	})
}

// renumber gives everything the number that it has in another snapshot, and ties and
// numbers with it. What went is in no edge.
func (g *graph) renumber(s *estate.Snapshot, v moves, ties []tie, numbers []int) ([]tie, []int) {
	n := &graph{s: s}
	n.number()
	to := make([]int, g.first[4])
	for i, k := range []estate.Kind{estate.KindComponent, estate.KindService, estate.KindCrew} {
		now := v.Of(k)
		for j := range g.first[i+1] - g.first[i] {
			to[g.first[i]+j] = -1
			if at := now(j); at >= 0 {
				to[g.first[i]+j] = n.first[i] + at
			}
		}
	}
	for p := range g.parts {
		svc := v.Now(estate.KindService, g.parts[p].Index)
		to[g.first[3]+p] = -1
		if svc >= 0 && g.part[p] < len(s.Services[svc].Parts) {
			to[g.first[3]+p] = n.first[3] + n.firstPart[svc] + g.part[p]
		}
	}
	again := func(list []int) []int { // in place
		kept := list[:0]
		for _, i := range list {
			if to[i] >= 0 {
				kept = append(kept, to[i])
			}
		}
		return kept
	}
	for _, edges := range [3][2][][]int{{g.run, n.run}, {g.repair, n.repair}, {g.wanted, n.wanted}} {
		for i, list := range edges[0] {
			if to[i] >= 0 {
				edges[1][to[i]] = again(list)
			}
		}
	}
	var kept []tie
	for _, t := range ties {
		if t.from, t.to = to[t.from], to[t.to]; t.from >= 0 && t.to >= 0 {
			kept = append(kept, t)
		}
	}
	*g = *n
	return kept, again(numbers)
}

// renew goes over to a snapshot with the same numbers, of which only some documents
// changed, which made the old edges.
func (g *graph) renew(s *estate.Snapshot, changed []estate.Ref, old []tie) {
	g.s = s
	for _, t := range old {
		edges := g.of(t.of)
		edges[t.from] = slices.DeleteFunc(edges[t.from], func(x int) bool { return x == t.to })
	}
	for _, r := range changed {
		switch r.Kind {
		case estate.KindComponent, estate.KindService, estate.KindCrew:
		case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
			continue
		}
		g.edges(r, func(of bond, from, to int) {
			edges := g.of(of)
			at, _ := slices.BinarySearch(edges[from], to)
			edges[from] = slices.Insert(edges[from], at, to)
		})
	}
}

// clone returns a graph that can be asked at the same time.
func (g *graph) clone() *graph {
	c := *g
	c.seen, c.share, c.epoch = make([]int, len(g.seen)), make([]float64, len(g.share)), 0
	return &c
}

// eachRef calls f for every document that a need names.
func eachRef(n estate.Need, f func(estate.Ref)) {
	if n.Ref != nil {
		f(*n.Ref)
	}
	for _, o := range n.Of {
		eachRef(o, f)
	}
}

// anyRef reports whether a need names a document of which is holds, by its index.
func anyRef(n *estate.Need, is func(int) bool) bool {
	if n.Ref != nil && is(n.Ref.Index) {
		return true
	}
	for i := range n.Of {
		if anyRef(&n.Of[i], is) {
			return true
		}
	}
	return false
}

func (g *graph) id(r estate.Ref) int {
	switch r.Kind {
	case estate.KindService:
		return g.first[1] + r.Index
	case estate.KindCrew:
		return g.first[2] + r.Index
	default:
		return r.Index
	}
}

// placeID is the number of a place, which may be a domain.
func (g *graph) placeID(p place) int {
	switch {
	case p.part >= 0:
		return g.first[3] + g.firstPart[p.index] + p.part
	case p.kind == estate.KindDomain:
		return g.first[4] + p.index
	}
	return g.id(estate.Ref{Kind: p.kind, Index: p.index})
}

// A reach is the services that something touches.
type reach struct {
	users    int64
	services []int // those that are told by name first: by users, then by name
}

// mostNames is how many services are told by name.
const mostNames = 10

// names returns the names of the first services.
func (r reach) names(s *estate.Snapshot) []string {
	var names []string
	for _, i := range r.services[:min(mostNames, len(r.services))] {
		names = append(names, s.Services[i].Name)
	}
	return names
}

// touched returns the services that need any of the things, directly or not, or
// want one of them; with repair, also those that need what only comes back with
// their help. A service of which only parts are touched counts with their shares.
func (g *graph) touched(repair bool, refs ...estate.Ref) reach {
	g.epoch++
	var stack []int
	push := func(i int) {
		if g.seen[i] != g.epoch {
			g.seen[i] = g.epoch
			stack = append(stack, i)
		}
	}
	var wanting []int
	for _, r := range refs {
		if r.Kind == estate.KindDomain {
			continue
		}
		id := g.id(r)
		push(id)
		wanting = append(wanting, g.wanted[id]...)
	}
	var (
		out  reach
		part []int // services of which parts are touched
	)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		switch {
		case n >= g.first[3]:
			p := n - g.first[3]
			svc := g.parts[p].Index
			if g.share[svc] == 0 {
				part = append(part, svc)
			}
			g.share[svc] += g.s.Services[svc].Parts[g.part[p]].Share
		case n >= g.first[1] && n < g.first[2]:
			out.services = append(out.services, n-g.first[1])
		}
		for _, up := range g.run[n] {
			push(up)
		}
		if repair {
			for _, up := range g.repair[n] {
				push(up)
			}
		}
	}
	for _, w := range wanting {
		if g.seen[w] != g.epoch {
			g.seen[w] = g.epoch
			out.services = append(out.services, w-g.first[1])
		}
	}
	for _, i := range out.services {
		out.users += g.s.Services[i].Users
	}
	for _, i := range part {
		if svc := g.first[1] + i; g.seen[svc] != g.epoch {
			g.seen[svc] = g.epoch
			out.services = append(out.services, i)
			out.users += int64(g.share[i] * float64(g.s.Services[i].Users))
		}
		g.share[i] = 0
	}
	foremost(out.services, mostNames, func(x, y int) int {
		return cmp.Or(cmp.Compare(g.s.Services[y].Users, g.s.Services[x].Users), cmp.Compare(x, y))
	})
	return out
}

// foremost puts the first n of a list in order in front, and the rest in none after them.
func foremost[T any](list []T, n int, compare func(x, y T) int) {
	for i, x := range list {
		at := i
		if i >= n {
			if at = n - 1; compare(x, list[at]) >= 0 {
				continue
			}
			list[i] = list[at]
		}
		for ; at > 0 && compare(x, list[at-1]) < 0; at-- {
			list[at] = list[at-1]
		}
		list[at] = x
	}
}

// touchedBy is what the graph says of a component, with the services that are told by
// name; of a tool, with what only comes back with its help. Rules that judge components
// one by one ask it again and again.
func (a *auditor) touchedBy(component int) reach {
	r, known := a.touches[component]
	if !known {
		r = a.graph.touched(a.s.Components[component].Tool, a.component(component))
		r.services = slices.Clone(r.services[:min(mostNames, len(r.services))])
		a.touches[component] = r
	}
	return r
}

// needers counts what names the thing in a need, a want or an action.
func (g *graph) needers(r estate.Ref) int {
	id := g.id(r)
	return len(g.run[id]) + len(g.repair[id]) + len(g.wanted[id])
}
