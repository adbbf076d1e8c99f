package impact

import (
	"slices"
	"strings"

	"bongsu/estate"
)

// deadlocks returns the cycles of things that wait for each other to come back,
// by name. A deadlock is what could hold itself up if it were up, and yet cannot
// be brought up: the greatest fixpoint of recovery less the least. Each strongly
// connected part of the blocked-by graph is asked twice, with all else that is
// down taken as up (a cycle that would stay even then) and as it is in this loss
// (a cycle that exists because other ways are gone), until no cycle is left.
func (s *state) deadlocks() []Deadlock {
	down := make([]node, 0)
	for n := s.m.compBase; int(n) < s.m.nodes; n++ {
		if !s.val[n] {
			down = append(down, n)
		}
	}
	return s.deadlocksAmong(down, func() []node { return down })
}

// deadlocksAmong is deadlocks among some nodes that are down, none of them a
// domain: all, or with each node those that wait for it. Sorted. All that is
// down is asked for only where there may be a deadlock.
func (s *state) deadlocksAmong(down []node, all func() []node) []Deadlock {
	local := s.hyp // -1 outside, and again afterwards
	for i, n := range down {
		local[n] = node(i)
	}
	edges := make([][]node, len(down))
	for i, n := range down {
		list := s.blockers(nil, n)
		for j, b := range list {
			list[j] = local[b]
		}
		edges[i] = slices.DeleteFunc(list, func(j node) bool { return j < 0 })
	}
	for _, n := range down {
		local[n] = -1
	}
	found := []Deadlock{}
	for _, group := range components(len(down), func(n node) []node { return edges[n] }) {
		if len(group) == 1 && !slices.Contains(edges[group[0]], group[0]) {
			continue
		}
		in := make(map[node]bool, len(group))
		for _, i := range group {
			in[down[i]] = true
		}
		cycles := s.cyclesWithin(in, all(), true)
		if len(cycles) == 0 {
			cycles = s.cyclesWithin(in, nil, false)
		}
		for _, c := range cycles {
			found = append(found, Deadlock{Cycle: c})
		}
	}
	slices.SortFunc(found, byCycle)
	return found
}

func byCycle(a, b Deadlock) int { return slices.CompareFunc(a.Cycle, b.Cycle, compareRefs) }

// cyclesWithin returns the shortest deadlock inside a part of the blocked-by
// graph, then the shortest left when that one is resolved, and so on.
func (s *state) cyclesWithin(in map[node]bool, down []node, others bool) [][]estate.Ref {
	s.begin()
	defer s.undo()
	if others {
		for _, n := range down {
			if !in[n] && (s.m.isComp(n) || s.m.isCrew(n)) {
				s.force(n)
			}
		}
		s.drain()
	}
	var cycles [][]estate.Ref
	for {
		cycle := s.shortest(s.selfSupporting(in))
		if cycle == nil {
			return cycles
		}
		refs := make([]estate.Ref, len(cycle))
		for i, n := range cycle {
			refs[i], _ = s.m.refOf(n)
			s.force(n)
		}
		s.drain()
		first := 0
		for i := range refs {
			if compareRefs(refs[i], refs[first]) < 0 {
				first = i
			}
		}
		cycles = append(cycles, append(slices.Clone(refs[first:]), refs[:first]...))
	}
}

// selfSupporting returns the greatest set of nodes within in that are down and
// would be up if the whole set were: each has enough inputs, and each component
// that does not hold an action that could run and make it hold.
func (s *state) selfSupporting(in map[node]bool) map[node]bool {
	set := make(map[node]bool, len(in))
	var order []node
	for n := range in {
		if !s.val[n] {
			set[n] = true
			order = append(order, n)
		}
	}
	slices.Sort(order)
	for changed := true; changed; {
		changed = false
		for _, n := range order {
			if set[n] && !s.supported(n, set) {
				delete(set, n)
				changed = true
			}
		}
	}
	return set
}

func (s *state) supported(n node, set map[node]bool) bool {
	got := s.count[n]
	for _, i := range s.m.in(n) {
		if set[i] {
			got++
		}
	}
	if got < s.m.need[n] {
		return false
	}
	if !s.m.isComp(n) || s.flag[n] {
		return true
	}
	c := n - s.m.compBase
	comp := &s.m.snap.Components[c]
	living := int(s.living[c])
	first, end := s.m.actions(c)
	for a := first; a < end; a++ {
		if !set[a] || !s.possible(a-s.m.actBase) {
			continue
		}
		adds := s.action(a - s.m.actBase).Adds
		if comp.Mode != estate.ModeAny || adds == 0 {
			return true
		}
		living += adds
	}
	return comp.Mode == estate.ModeAny && living >= comp.AtLeast
}

// shortest returns the shortest cycle of named things in the blocked-by graph of
// the set that goes through at least one action, the first by name among equals,
// or nil. A cycle of run-time needs alone is no deadlock.
func (s *state) shortest(set map[node]bool) []node {
	names := make([]node, 0, len(set))
	for n := range set {
		if _, ok := s.m.refOf(n); ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b node) int {
		x, _ := s.m.refOf(a)
		y, _ := s.m.refOf(b)
		return compareRefs(x, y)
	})
	// next lists the named things that n waits for: through its run-time needs,
	// and apart those through an action of its own.
	run := make(map[node][]node, len(names))
	act := make(map[node][]node, len(names))
	for _, n := range names {
		run[n] = s.named(n, set, false)
		act[n] = s.named(n, set, true)
	}
	var best []node
	for _, u := range names {
		for _, v := range act[u] {
			if u == v {
				return []node{u}
			}
			if p := path(v, u, len(best), run, act); p != nil && (best == nil || len(p) < len(best)) {
				best = p // from v round to u; u waits for v through an action
			}
		}
	}
	return best
}

// named returns the named things of the set reached from n without passing
// another: from its inputs, or, when actions is set, from its actions.
func (s *state) named(n node, set map[node]bool, actions bool) []node {
	var (
		stack []node
		seen  = map[node]bool{}
		found []node
	)
	push := func(i node) {
		if set[i] && !seen[i] {
			seen[i] = true
			stack = append(stack, i)
		}
	}
	if actions {
		if !s.m.isComp(n) || s.flag[n] {
			return nil
		}
		first, end := s.m.actions(n - s.m.compBase)
		for a := first; a < end; a++ {
			if s.possible(a - s.m.actBase) {
				push(a)
			}
		}
	} else {
		for _, i := range s.m.in(n) {
			push(i)
		}
	}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, ok := s.m.refOf(v); ok {
			found = append(found, v)
			continue
		}
		for _, i := range s.m.in(v) {
			push(i)
		}
	}
	slices.SortFunc(found, func(a, b node) int {
		x, _ := s.m.refOf(a)
		y, _ := s.m.refOf(b)
		return strings.Compare(x.Name, y.Name)
	})
	return found
}

// path returns the shortest path from one named thing to another, both
// included, shorter than limit nodes where limit is not 0; nil when there is none.
func path(from, to node, limit int, graphs ...map[node][]node) []node {
	before := map[node]node{from: none}
	level := []node{from}
	for depth := 1; len(level) > 0 && (limit == 0 || depth < limit); depth++ {
		var next []node
		for _, n := range level {
			if n == to {
				var p []node
				for v := to; v != none; v = before[v] {
					p = append(p, v)
				}
				slices.Reverse(p)
				return p
			}
			for _, g := range graphs {
				for _, v := range g[n] {
					if _, ok := before[v]; !ok {
						before[v] = n
						next = append(next, v)
					}
				}
			}
		}
		level = next
	}
	return nil
}
