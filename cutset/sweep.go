package cutset

import (
	"cmp"
	"slices"
)

// A sweep builds the function of a part from the root down: it starts with the root
// as a variable, and replaces gate after gate by its operator over its inputs, which are variables
// further down until it is their turn. What it holds are functions of the vertices on the
// frontier, one for every way in which the variables above can matter: as many as the diagram has nodes
// at that level, and no more. Building upwards makes the functions of all gates on the way,
// and to combine two of them it walks all pairs of their nodes.
type sweep struct {
	p     *part
	d     *diagram
	at    []int32 // level of each variable and gate
	by    []int32 // the other way round
	slot  []int32 // of a function that is still to be swept
	open  [][]node
	alias []int32 // a slot that turned out to be another one
	nodes []sweptNode
	base  int32 // of the numbers of goals
}

// A sweptNode is a decision on a variable between slots.
type sweptNode struct{ level, lo, hi int32 }

// swept returns the functions in the order of the given levels of variables and gates,
// or false if the diagram burst.
func (a *attempt) sweep(p *part, d *diagram, limit int, steps int64) {
	n := len(p.names)
	at := a.order.level
	if len(at) == n {
		at = p.descent(at)
	}
	d.reset(make([]int32, len(at)), limit, steps)
	s := sweep{p: p, d: d, at: at, by: make([]int32, len(at)), open: make([][]node, len(at)), nodes: make([]sweptNode, 2), alias: []int32{0, 1}}
	for v, l := range at {
		s.by[l] = narrow(v)
	}
	a.gates, a.passed = 0, false
	var roots [3][]int32
	if r := &p.gates[p.root]; r.kind == kindBarred {
		for i, c := range r.in {
			roots[r.weight[i]] = append(roots[r.weight[i]], s.enter(d.make(at[c], zero, one)))
		}
	} else {
		roots[barOf] = append(roots[barOf], s.enter(d.make(at[n+int(p.root)], zero, one)))
	}
	threshold, decided := compactFrom, 0
	for l, v := range s.by {
		if int(v) < n {
			s.decide(narrow(l))
			decided++
			// What was opened without a decision was not yet paid for.
			a.gates = decided * len(p.gates) / n
		} else {
			if g := &p.gates[int(v)-n]; g.kind != kindBarred {
				s.expand(narrow(l), g)
			}
		}
		if d.burst {
			return
		}
		if len(s.nodes) > limit {
			d.burst = true
			return
		}
		if len(d.nodes) > threshold {
			s.compact(l + 1)
			threshold = max(compactFrom, 2*len(d.nodes))
		}
	}
	s.finish(a, roots)
}

// enter returns the slot of a function, and gives it one.
func (s *sweep) enter(f node) int32 {
	if f <= one {
		return f
	}
	for len(s.slot) <= int(f) {
		s.slot = append(s.slot, 0)
	}
	if s.slot[f] == 0 {
		s.slot[f] = narrow(len(s.nodes))
		s.nodes = append(s.nodes, sweptNode{})
		s.alias = append(s.alias, s.slot[f])
		s.open[s.d.nodes[f].level] = append(s.open[s.d.nodes[f].level], f)
	}
	return s.slot[f]
}

// decide leaves the functions with a variable on top as they are and opens what is below.
func (s *sweep) decide(l int32) {
	for _, f := range s.open[l] {
		i := s.slot[f]
		lo, hi := s.enter(s.d.nodes[f].lo), s.enter(s.d.nodes[f].hi)
		s.nodes[i] = sweptNode{l, lo, hi}
	}
	s.open[l] = nil
}

// expand replaces a gate on top of functions.
func (s *sweep) expand(l int32, g *partGate) {
	in := make([]int32, len(g.in))
	w := make([]int32, len(g.in))
	perm := make([]int, len(g.in))
	for j := range perm {
		perm[j] = j
	}
	slices.SortFunc(perm, func(i, j int) int { return cmp.Compare(s.at[g.in[i]], s.at[g.in[j]]) })
	k := g.k
	rest := make([]int64, len(in)+1)
	for i, j := range perm {
		in[i], w[i] = s.at[g.in[j]], 1
		if g.kind == kindThreshold {
			w[i] = g.weight[j]
		}
	}
	for i := len(in) - 1; i >= 0; i-- {
		rest[i] = rest[i+1] + int64(w[i])
	}
	switch g.kind {
	case kindOr:
		k = 1
	case kindAnd:
		k = narrow(len(in))
	}
	e := expansion{d: s.d, in: in, w: w, rest: rest, base: s.base}
	if g.kind == kindThreshold && slices.Max(w) > 1 {
		e.goals = map[goal]int32{}
	} else {
		e.stride = k + 1
	}
	for _, f := range s.open[l] {
		r := e.put(s.d.nodes[f].lo, s.d.nodes[f].hi, goal{0, k})
		if s.d.burst {
			return
		}
		i := s.slot[f]
		switch {
		case r <= one:
			s.alias[i] = r
		case int(r) < len(s.slot) && s.slot[r] != 0:
			s.alias[i] = s.slot[r]
		default:
			for len(s.slot) <= int(r) {
				s.slot = append(s.slot, 0)
			}
			s.slot[r] = i
			s.open[s.d.nodes[r].level] = append(s.open[s.d.nodes[r].level], r)
		}
	}
	s.base += narrow(len(e.goals)) + narrow(len(in))*e.stride
	s.open[l] = nil
}

// An expansion replaces one gate.
type expansion struct {
	d     *diagram
	in, w []int32
	rest  []int64
	base  int32
	// Goals are numbered for the cache: in rows of stride if weights are 1, else as they come up.
	stride int32
	goals  map[goal]int32
}

// number tells goals of all gates apart.
func (e *expansion) number(g goal) int32 {
	if e.stride > 0 {
		return e.base + narrow(g.i)*e.stride + g.k
	}
	id, ok := e.goals[g]
	if !ok {
		id = e.base + narrow(len(e.goals))
		e.goals[g] = id
	}
	return id
}

// put is f1 where the inputs from the i-th on weigh at least k, and f0 elsewhere. f0 implies f1.
func (e *expansion) put(f0, f1 node, g goal) node {
	switch {
	case f0 == f1 || e.rest[g.i] < int64(g.k):
		return f0
	case g.k <= 0:
		return f1
	case e.d.burst:
		return zero
	}
	op := opPut | e.number(g)<<8
	r, c := e.d.look(f0, f1, op)
	if c == nil {
		return r
	}
	l, a0, a1, b0, b1 := e.d.split(f0, f0, f1, f1)
	x := e.in[g.i]
	if x < l {
		l, a0, a1, b0, b1 = x, f0, f0, f1, f1
	}
	below := g
	if l == x {
		below.i++
	}
	r0 := e.put(a0, b0, below)
	if l == x {
		below.k -= e.w[g.i]
	}
	r1 := e.put(a1, b1, below)
	return e.d.store(f0, f1, op, e.d.binary(l, r0, r1))
}

// compact drops what no function that is still to be swept reaches.
func (s *sweep) compact(from int) {
	var roots []*node
	for l := from; l < len(s.open); l++ {
		for i := range s.open[l] {
			roots = append(roots, &s.open[l][i])
		}
	}
	slots := make([]int32, len(roots))
	for i, r := range roots {
		slots[i] = s.slot[*r]
	}
	s.d.compact(roots)
	s.slot = make([]int32, len(s.d.nodes))
	for i, r := range roots {
		s.slot[*r] = slots[i]
	}
	s.base = 0
}

// finish builds the diagram over the variables alone, and its minimal solutions.
func (s *sweep) finish(a *attempt, roots [3][]int32) {
	n := len(s.p.names)
	d := s.d
	a.level = make([]int32, n)
	weight := make([]int32, n)
	next := int32(0)
	level := make([]int32, len(s.by)) // of a variable among variables
	for l, v := range s.by {
		if int(v) < n {
			a.level[v], level[l], weight[next] = next, next, min(s.p.weight[v], heavy)
			next++
		}
	}
	order := make([]int32, 0, len(s.nodes))
	for i := 2; i < len(s.nodes); i++ {
		if s.alias[i] == narrow(i) {
			order = append(order, narrow(i))
		}
	}
	slices.SortFunc(order, func(i, j int32) int {
		return cmp.Or(cmp.Compare(s.nodes[j].level, s.nodes[i].level), cmp.Compare(i, j))
	})
	find := func(i int32) int32 {
		for s.alias[i] != i {
			s.alias[i] = s.alias[s.alias[i]]
			i = s.alias[i]
		}
		return i
	}
	steps := d.steps
	d.reset(weight, d.maxNodes, d.maxSteps)
	d.steps = steps
	value := make([]node, len(s.nodes))
	value[one] = one
	for _, i := range order {
		x := s.nodes[i]
		value[i] = d.binary(level[x.level], value[find(x.lo)], value[find(x.hi)])
	}
	var values [3][]node
	for i := range roots {
		for _, r := range roots[i] {
			values[i] = append(values[i], value[find(r)])
		}
	}
	a.finish(d, values)
}

// descent numbers variables and gates so that what uses a vertex comes before it, and
// variables come in the order of their levels.
func (p *part) descent(level []int32) []int32 {
	n := len(p.names)
	users := make([][]int32, n+len(p.gates))
	for x := range p.gates {
		for _, c := range p.gates[x].in {
			users[c] = append(users[c], narrow(n+x))
		}
	}
	vars := make([]int32, n)
	for v, l := range level {
		vars[l] = narrow(v)
	}
	at := make([]int32, n+len(p.gates))
	for i := range at {
		at[i] = -1
	}
	next := int32(0)
	var number func(v int32)
	number = func(v int32) {
		if at[v] >= 0 {
			return
		}
		at[v] = 0
		for _, u := range users[v] {
			number(u)
		}
		at[v] = next
		next++
	}
	for _, v := range vars {
		number(v)
	}
	for i := range at { // gates without variables below cannot be
		number(narrow(i))
	}
	return at
}
