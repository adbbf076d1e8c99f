package impact

import (
	"slices"

	"bongsu/estate"
)

// A node is one thing that is true or false: a domain is alive; a component, a
// service, a part or a crew is up; a condition or an action's conditions hold.
// It is true while its own flag is set and enough of its inputs are true.
type node = int32

const none node = -1

// A model is an estate as flat arrays, made once and shared by every loss asked
// of it. Nodes are numbered: domains, components, services, crews, parts,
// actions, then the gates of their needs. All edges are run-time needs, but for
// those into actions and wants, which nothing runs on.
type model struct {
	snap *estate.Snapshot

	compBase, svcBase, crewBase, partBase, actBase node
	nodes                                          int

	need   []int32 // how many inputs must be true
	ins    []span  // of each node: its inputs
	inputs []node
	outs   []span // of each node: the nodes that it is an input of, in no order
	ups    []node

	want   []node    // of each component and service: the condition it wants, or none
	wanted [][]int32 // of each node: what wants it, as places among the wants

	partService []int32 // of each part: its service and position there
	partIndex   []int32
	firstPart   []int32 // of each service

	actComp  []int32 // of each action: its component and position there
	actIndex []int32
	firstAct []int32 // of each component; the last entry ends the last

	scc      []int32            // of each node: the run-time cycle it is in, or -1
	inner    []int32            // of each node: how many of outs are in the same cycle; they come first
	sccNodes [][]node           // of each run-time cycle
	free     []int32            // numbers of cycles that are no more
	upward   func() [][]node    // all nodes in groups, each group after those it needs
	hosts    [][]int32          // of each domain: the components with a replica in it, once each
	stands   [][]estate.Replica // of each component: its replicas, as hosts has them
	total    []int32            // of each component: all its replicas

	people []int // of each crew, and slots of each limit
	slots  []int

	base  *state  // the estate with nothing lost
	never []int32 // components that do not hold even then
	down  []node  // what is false even then
}

func compile(s *estate.Snapshot) *model {
	m := &model{snap: s}
	n := m.layout(s)
	b := builder{m: m, in: make([][]node, n), need: make([]int32, n)}
	b.fill()
	m.nodes = len(b.in)
	m.need = b.need
	m.link(b.in)
	m.wanted = make([][]int32, m.nodes)
	for i, n := range m.want {
		if n != none {
			m.wanted[n] = append(m.wanted[n], int32(i))
		}
	}
	m.findCycles()
	m.place()
	m.base = settled(m)
	m.note()
	return m
}

// layout numbers the nodes, and returns the first one that is a gate.
func (m *model) layout(s *estate.Snapshot) node {
	n := node(len(s.Domains))
	m.compBase, n = n, n+node(len(s.Components))
	m.svcBase, n = n, n+node(len(s.Services))
	m.crewBase, n = n, n+node(len(s.Crews))
	m.partBase = n
	m.partService, m.partIndex, m.firstPart = nil, nil, nil
	m.actComp, m.actIndex, m.firstAct = nil, nil, nil
	for i := range s.Services {
		m.firstPart = append(m.firstPart, int32(len(m.partService)))
		for j := range s.Services[i].Parts {
			m.partService = append(m.partService, int32(i))
			m.partIndex = append(m.partIndex, int32(j))
		}
	}
	n += node(len(m.partService))
	m.actBase = n
	for i := range s.Components {
		m.firstAct = append(m.firstAct, int32(len(m.actComp)))
		for j := range s.Components[i].Actions {
			m.actComp = append(m.actComp, int32(i))
			m.actIndex = append(m.actIndex, int32(j))
		}
	}
	m.firstAct = append(m.firstAct, int32(len(m.actComp)))
	return n + node(len(m.actComp))
}

// note lists what is down, and what does not hold, with nothing lost.
func (m *model) note() {
	m.down, m.never = m.down[:0], m.never[:0]
	for n, ok := range m.base.val {
		if !ok {
			m.down = append(m.down, node(n))
		}
	}
	for c, held := range m.base.held {
		if !held {
			m.never = append(m.never, int32(c))
		}
	}
}

// builder collects the inputs of nodes before they are packed: of all, or of some.
type builder struct {
	m    *model
	in   [][]node
	need []int32

	some  map[node]int // of some: where each is in the lists; nil: all
	nodes []node       // the same the other way round
	idle  []node       // gates out of use
	next  node         // the first gate that there has never been
}

func (b *builder) fill() {
	s, m := b.m.snap, b.m
	for i := range s.Domains {
		b.domain(i)
	}
	m.want = make([]node, len(s.Components)+len(s.Services))
	for i := range s.Components {
		b.component(i)
	}
	for i := range s.Services {
		b.service(i)
	}
	for i := range s.Crews {
		b.crew(i)
	}
}

func (b *builder) domain(i int) { b.all(node(i), b.m.snap.Domains[i].Needs) }

func (b *builder) component(i int) {
	m, c := b.m, &b.m.snap.Components[i]
	b.all(m.compBase+node(i), c.Needs)
	m.want[i] = b.condition(c.Wants)
	for a, end := m.actions(int32(i)); a < end; a++ {
		act := &c.Actions[m.actIndex[a-m.actBase]]
		b.all(a, c.StartNeeds)
		b.all(a, act.Needs)
		for _, u := range act.Crew {
			b.add(a, m.crewBase+node(u.Index))
		}
	}
}

func (b *builder) service(i int) {
	m, svc := b.m, &b.m.snap.Services[i]
	n := m.svcBase + node(i)
	b.all(n, svc.Needs)
	m.want[len(m.snap.Components)+i] = b.condition(svc.Wants)
	for j := range svc.Parts {
		p := m.partNode(i, j)
		b.add(p, n)
		b.all(p, svc.Parts[j].Needs)
	}
}

func (b *builder) crew(i int) { b.all(b.m.crewBase+node(i), b.m.snap.Crews[i].Needs) }

// at is where a node is in the lists.
func (b *builder) at(n node) int {
	if b.some == nil {
		return int(n)
	}
	i, ok := b.some[n]
	if !ok {
		i = len(b.nodes)
		b.some[n] = i
		b.nodes, b.in, b.need = append(b.nodes, n), append(b.in, nil), append(b.need, 0)
	}
	return i
}

// gate returns a node that stands for nothing yet.
func (b *builder) gate() node {
	if b.some == nil {
		b.in, b.need = append(b.in, nil), append(b.need, 0)
		return node(len(b.in) - 1)
	}
	g := b.next
	if n := len(b.idle); n > 0 {
		g, b.idle = b.idle[n-1], b.idle[:n-1]
	} else {
		b.next++
	}
	b.at(g)
	return g
}

func (b *builder) add(n, input node) {
	i := b.at(n)
	b.in[i] = append(b.in[i], input)
	b.need[i]++
}

// all makes the node ask for the whole need besides what it asks for already.
func (b *builder) all(n node, need estate.Need) {
	switch {
	case need.Empty():
	case need.Ref != nil:
		b.add(n, b.m.nodeOf(*need.Ref))
	case need.K == len(need.Of):
		for _, o := range need.Of {
			b.all(n, o)
		}
	default:
		b.add(n, b.condition(need))
	}
}

// condition returns a node that is true exactly while the need is met.
func (b *builder) condition(need estate.Need) node {
	if need.Empty() {
		return none
	}
	if need.Ref != nil {
		return b.m.nodeOf(*need.Ref)
	}
	g := b.gate()
	i := b.at(g)
	b.need[i] = int32(need.K)
	for _, o := range need.Of {
		in := b.condition(o)
		if in == none { // it asks for nothing: it is met
			b.need[i]--
			continue
		}
		b.in[i] = append(b.in[i], in)
	}
	return g
}

func (m *model) nodeOf(r estate.Ref) node {
	switch r.Kind {
	case estate.KindDomain:
		return node(r.Index)
	case estate.KindComponent:
		return m.compBase + node(r.Index)
	case estate.KindService:
		return m.svcBase + node(r.Index)
	case estate.KindCrew:
		return m.crewBase + node(r.Index)
	default:
		// unreachable: estate.Parse resolves needs to these four kinds only.
		panic("impact: a need names " + r.Name)
	}
}

// refOf returns the document that a node stands for; ok is false for parts,
// actions and gates.
func (m *model) refOf(n node) (r estate.Ref, ok bool) {
	s := m.snap
	switch {
	case n < m.compBase:
		return estate.Ref{Kind: estate.KindDomain, Index: int(n), Name: s.Domains[n].Name}, true
	case n < m.svcBase:
		i := int(n - m.compBase)
		return estate.Ref{Kind: estate.KindComponent, Index: i, Name: s.Components[i].Name}, true
	case n < m.crewBase:
		i := int(n - m.svcBase)
		return estate.Ref{Kind: estate.KindService, Index: i, Name: s.Services[i].Name}, true
	case n < m.partBase:
		i := int(n - m.crewBase)
		return estate.Ref{Kind: estate.KindCrew, Index: i, Name: s.Crews[i].Name}, true
	}
	return estate.Ref{}, false
}

func (m *model) isComp(n node) bool   { return n >= m.compBase && n < m.svcBase }
func (m *model) isCrew(n node) bool   { return n >= m.crewBase && n < m.partBase }
func (m *model) isAction(n node) bool { return n >= m.actBase && int(n-m.actBase) < len(m.actComp) }

func (m *model) in(n node) []node  { return m.inputs[m.ins[n].from:m.ins[n].to] }
func (m *model) out(n node) []node { return m.ups[m.outs[n].from:m.outs[n].to] }

// A span is where the list of one node is in a packed one, and up to where it may grow.
type span struct{ from, to, room int32 }

// actions returns the action nodes of component c.
func (m *model) actions(c int32) (first, end node) {
	return m.actBase + m.firstAct[c], m.actBase + m.firstAct[c+1]
}

// link packs the inputs and their reverse.
func (m *model) link(in [][]node) {
	edges := 0
	m.ins, m.outs = make([]span, m.nodes), make([]span, m.nodes)
	for _, ins := range in {
		edges += len(ins)
		for _, i := range ins {
			m.outs[i].room++
		}
	}
	m.inputs = make([]node, 0, edges)
	m.ups = make([]node, edges)
	var at int32
	for i := range m.outs {
		o := &m.outs[i]
		o.from, o.to = at, at
		at += o.room
		o.room = at
	}
	for n, ins := range in {
		from := int32(len(m.inputs))
		m.inputs = append(m.inputs, ins...)
		end := int32(len(m.inputs))
		m.ins[n] = span{from, end, end}
		for _, i := range ins {
			m.ups[m.outs[i].to] = node(n)
			m.outs[i].to++
		}
	}
}

// findCycles marks the run-time cycles: strongly connected components of more
// than one node, or of one that needs itself. Only inside them is the greatest
// fixpoint more than the least.
func (m *model) findCycles() {
	m.scc, m.inner = make([]int32, m.nodes), make([]int32, m.nodes)
	for i := range m.scc {
		m.scc[i] = -1
	}
	groups := components(m.nodes, m.in)
	m.upward = func() [][]node { return groups }
	for _, group := range groups {
		m.mark(group)
	}
}

// mark marks a strongly connected component, if it is a cycle.
func (m *model) mark(group []node) {
	if len(group) == 1 && !slices.Contains(m.in(group[0]), group[0]) {
		return
	}
	for _, n := range group { // it may be one that was known, or more than that
		m.unmark(m.scc[n])
	}
	k := int32(len(m.sccNodes))
	if n := len(m.free); n > 0 {
		k, m.free = m.free[n-1], m.free[:n-1]
	} else {
		m.sccNodes = append(m.sccNodes, nil)
	}
	slices.Sort(group)
	m.sccNodes[k] = group
	for _, n := range group {
		m.scc[n] = k
	}
	for _, n := range group {
		outs := m.out(n)
		for i, up := range outs {
			if first := m.inner[n]; m.scc[up] == k {
				outs[i], outs[first] = outs[first], up
				m.inner[n]++
			}
		}
	}
}

// unmark forgets a cycle, and returns what of it there still is.
func (m *model) unmark(k int32) (left []node) {
	if k < 0 {
		return nil
	}
	left = slices.DeleteFunc(m.sccNodes[k], func(n node) bool { return n < 0 })
	m.sccNodes[k], m.free = nil, append(m.free, k)
	for _, n := range left {
		m.scc[n], m.inner[n] = -1, 0
	}
	return left
}

// findCyclesOf marks the cycles that some nodes are in, and those that these need are.
func (m *model) findCyclesOf(nodes []node) {
	local := map[node]node{}
	add := func(n node) {
		if _, has := local[n]; !has && n >= m.compBase { // domains are in none
			local[n] = node(len(nodes))
			nodes = append(nodes, n)
		}
	}
	all := nodes
	nodes = nil
	for _, n := range all {
		add(n)
	}
	var edges [][]node
	for i := 0; i < len(nodes); i++ {
		var list []node
		for _, in := range m.in(nodes[i]) {
			if add(in); in >= m.compBase {
				list = append(list, local[in])
			}
		}
		edges = append(edges, list)
	}
	for _, group := range components(len(nodes), func(n node) []node { return edges[n] }) {
		for i, n := range group {
			group[i] = nodes[n]
		}
		m.mark(group)
	}
}

// within returns the nodes of its own run-time cycle that a node is an input of: few,
// where all that runs on it may be many.
func (m *model) within(n node) []node { return m.out(n)[:m.inner[n]] }

// place notes which components stand in which domain.
func (m *model) place() {
	s := m.snap
	m.hosts = make([][]int32, len(s.Domains))
	m.total, m.stands = make([]int32, len(s.Components)), make([][]estate.Replica, len(s.Components))
	for c := range s.Components {
		m.stands[c] = s.Components[c].Replicas
		for _, r := range s.Components[c].Replicas {
			m.total[c] += int32(r.Count)
			if h := m.hosts[r.In]; len(h) == 0 || h[len(h)-1] != int32(c) {
				m.hosts[r.In] = append(h, int32(c))
			}
		}
	}
	m.people, m.slots = make([]int, len(s.Crews)), make([]int, len(s.Limits))
	for i := range s.Crews {
		m.people[i] = s.Crews[i].People
	}
	for i := range s.Limits {
		m.slots[i] = s.Limits[i].Slots
	}
}

// components returns the strongly connected components of the graph of n nodes
// with the given edges, each after those it reaches (Tarjan 1972, without recursion).
func components(n int, edges func(node) []node) [][]node {
	type frame struct {
		n    node
		next int
	}
	var (
		found  = make([][]node, 0, n)
		all    = make([]node, 0, n) // one after another
		index  = make([]int32, n)   // 0: not seen
		low    = make([]int32, n)
		on     = make([]bool, n)
		stack  []node
		frames []frame
		clock  int32
	)
	enter := func(v node) {
		clock++
		index[v], low[v], on[v] = clock, clock, true
		stack = append(stack, v)
		frames = append(frames, frame{n: v})
	}
	for root := range node(n) {
		if index[root] != 0 {
			continue
		}
		enter(root)
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			if es := edges(f.n); f.next < len(es) {
				w := es[f.next]
				f.next++
				if index[w] == 0 {
					enter(w)
				} else if on[w] {
					low[f.n] = min(low[f.n], index[w])
				}
				continue
			}
			v := f.n
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				p := frames[len(frames)-1].n
				low[p] = min(low[p], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			at := len(stack) - 1
			for stack[at] != v {
				at--
			}
			for _, w := range stack[at:] {
				on[w] = false
			}
			from := len(all)
			all = append(all, stack[at:]...)
			found = append(found, all[from:len(all):len(all)])
			stack = stack[:at]
		}
	}
	return found
}
