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
	parts []estate.Ref // of each part: its service, and in Name nothing
	part  []int        // and its position there
}

func newGraph(s *estate.Snapshot) *graph {
	g := &graph{s: s}
	g.first[1] = len(s.Components)
	g.first[2] = g.first[1] + len(s.Services)
	g.first[3] = g.first[2] + len(s.Crews)
	for i := range s.Services {
		for j := range s.Services[i].Parts {
			g.parts = append(g.parts, estate.Ref{Kind: estate.KindService, Index: i})
			g.part = append(g.part, j)
		}
	}
	g.first[4] = g.first[3] + len(g.parts)
	n := g.first[4]
	g.run, g.repair, g.wanted, g.seen = make([][]int, n), make([][]int, n), make([][]int, n), make([]int, n)
	link := func(edges [][]int, need estate.Need, to int) {
		eachRef(need, func(r estate.Ref) {
			if r.Kind != estate.KindDomain {
				from := g.id(r)
				edges[from] = append(edges[from], to)
			}
		})
	}
	for i := range s.Components {
		c := &s.Components[i]
		link(g.run, c.Needs, i)
		if len(c.Actions) > 0 {
			link(g.repair, c.StartNeeds, i)
		}
		for j := range c.Actions {
			act := &c.Actions[j]
			if act.Does == estate.DoesShrink {
				continue
			}
			link(g.repair, act.Needs, i)
			for _, u := range act.Crew {
				from := g.first[2] + u.Index
				g.repair[from] = append(g.repair[from], i)
			}
		}
	}
	for i := range s.Services {
		link(g.run, s.Services[i].Needs, g.first[1]+i)
		link(g.wanted, s.Services[i].Wants, g.first[1]+i)
	}
	for i := range s.Crews {
		link(g.run, s.Crews[i].Needs, g.first[2]+i)
	}
	for i, svc := range g.parts {
		link(g.run, s.Services[svc.Index].Parts[g.part[i]].Needs, g.first[3]+i)
	}
	return g
}

// clone returns a graph that can be asked at the same time.
func (g *graph) clone() *graph {
	c := *g
	c.seen, c.epoch = make([]int, len(g.seen)), 0
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

// A reach is the services that something touches.
type reach struct {
	users    int64
	services []int // by users, then by name
}

// names returns the names of the first most services.
func (r reach) names(s *estate.Snapshot) []string {
	const most = 10
	var names []string
	for _, i := range r.services[:min(most, len(r.services))] {
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
	var services []int
	shares := map[int]float64{}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		switch i := n; {
		case i >= g.first[3]:
			svc := g.parts[i-g.first[3]].Index
			shares[svc] += g.s.Services[svc].Parts[g.part[i-g.first[3]]].Share
		case i >= g.first[1] && i < g.first[2]:
			services = append(services, i-g.first[1])
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
	out := reach{}
	whole := map[int]bool{}
	for _, i := range services {
		whole[i] = true
		out.users += g.s.Services[i].Users
	}
	for _, w := range wanting {
		if i := w - g.first[1]; !whole[i] {
			whole[i] = true
			services = append(services, i)
			out.users += g.s.Services[i].Users
		}
	}
	for i, share := range shares {
		if !whole[i] {
			services = append(services, i)
			out.users += int64(share * float64(g.s.Services[i].Users))
		}
	}
	slices.SortFunc(services, func(x, y int) int {
		return cmp.Or(cmp.Compare(g.s.Services[y].Users, g.s.Services[x].Users), cmp.Compare(x, y))
	})
	out.services = services
	return out
}

// needers counts what names the thing in a need, a want or an action.
func (g *graph) needers(r estate.Ref) int {
	id := g.id(r)
	return len(g.run[id]) + len(g.repair[id]) + len(g.wanted[id])
}
