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

	need    []int32 // how many inputs must be true
	inStart []int32 // CSR of inputs, by node
	inputs  []node
	upStart []int32 // CSR of the nodes that a node is an input of
	ups     []node

	want []node // of each component and service: the condition it wants, or none

	partService []int32 // of each part: its service and position there
	partIndex   []int32
	firstPart   []int32 // of each service

	actComp   []int32 // of each action: its component and position there
	actIndex  []int32
	firstAct  []int32 // of each component; the last entry ends the last
	actPlaces [][]int // of each action: where it may take effect, sorted and unique

	scc      []int32         // of each node: the run-time cycle it is in, or -1
	sccNodes [][]node        // of each run-time cycle
	upward   func() [][]node // all nodes in groups, each group after those it needs
	hosts    [][]int32       // of each domain: the components with a replica in it, once each
	total    []int32         // of each component: all its replicas

	base  *state  // the estate with nothing lost
	never []int32 // components that do not hold even then
	down  []node  // what is false even then
}

func compile(s *estate.Snapshot) *model {
	m := &model{snap: s}
	n := node(len(s.Domains))
	m.compBase, n = n, n+node(len(s.Components))
	m.svcBase, n = n, n+node(len(s.Services))
	m.crewBase, n = n, n+node(len(s.Crews))
	m.partBase = n
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
			at := slices.Clone(s.Components[i].Actions[j].At)
			slices.Sort(at)
			m.actPlaces = append(m.actPlaces, slices.Compact(at))
		}
	}
	m.firstAct = append(m.firstAct, int32(len(m.actComp)))
	n += node(len(m.actComp))

	b := builder{m: m, in: make([][]node, n), need: make([]int32, n)}
	b.fill()
	m.nodes = len(b.in)
	m.need = b.need
	m.link(b.in)
	m.findCycles()
	m.place()
	m.base = settled(m)
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
	return m
}

// builder collects the inputs of each node before they are packed.
type builder struct {
	m    *model
	in   [][]node
	need []int32
}

func (b *builder) fill() {
	s, m := b.m.snap, b.m
	for i := range s.Domains {
		b.all(node(i), s.Domains[i].Needs)
	}
	m.want = make([]node, len(s.Components)+len(s.Services))
	for i := range s.Components {
		b.all(m.compBase+node(i), s.Components[i].Needs)
		m.want[i] = b.condition(s.Components[i].Wants)
	}
	for i := range s.Services {
		b.all(m.svcBase+node(i), s.Services[i].Needs)
		m.want[len(s.Components)+i] = b.condition(s.Services[i].Wants)
	}
	for i := range s.Crews {
		b.all(m.crewBase+node(i), s.Crews[i].Needs)
	}
	for i, svc := range m.partService {
		p := m.partBase + node(i)
		b.add(p, m.svcBase+svc)
		b.all(p, s.Services[svc].Parts[m.partIndex[i]].Needs)
	}
	for i, comp := range m.actComp {
		a, c := m.actBase+node(i), &s.Components[comp]
		act := &c.Actions[m.actIndex[i]]
		b.all(a, c.StartNeeds)
		b.all(a, act.Needs)
		for _, u := range act.Crew {
			b.add(a, m.crewBase+node(u.Index))
		}
	}
}

func (b *builder) add(n, input node) {
	b.in[n] = append(b.in[n], input)
	b.need[n]++
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
	g := node(len(b.in))
	b.in = append(b.in, nil)
	b.need = append(b.need, int32(need.K))
	for _, o := range need.Of {
		in := b.condition(o)
		if in == none { // it asks for nothing: it is met
			b.need[g]--
			continue
		}
		b.in[g] = append(b.in[g], in)
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

func (m *model) in(n node) []node  { return m.inputs[m.inStart[n]:m.inStart[n+1]] }
func (m *model) out(n node) []node { return m.ups[m.upStart[n]:m.upStart[n+1]] }

// actions returns the action nodes of component c.
func (m *model) actions(c int32) (first, end node) {
	return m.actBase + m.firstAct[c], m.actBase + m.firstAct[c+1]
}

// link packs the inputs and their reverse.
func (m *model) link(in [][]node) {
	edges := 0
	m.upStart = make([]int32, m.nodes+1)
	for _, ins := range in {
		edges += len(ins)
		for _, i := range ins {
			m.upStart[i+1]++
		}
	}
	m.inStart = make([]int32, m.nodes+1)
	m.inputs = make([]node, 0, edges)
	m.ups = make([]node, edges)
	for i := range m.nodes {
		m.upStart[i+1] += m.upStart[i]
	}
	next := slices.Clone(m.upStart)
	for n, ins := range in {
		m.inputs = append(m.inputs, ins...)
		m.inStart[n+1] = int32(len(m.inputs))
		for _, i := range ins {
			m.ups[next[i]] = node(n)
			next[i]++
		}
	}
}

// findCycles marks the run-time cycles: strongly connected components of more
// than one node, or of one that needs itself. Only inside them is the greatest
// fixpoint more than the least.
func (m *model) findCycles() {
	m.scc = make([]int32, m.nodes)
	for i := range m.scc {
		m.scc[i] = -1
	}
	groups := components(m.nodes, m.in)
	m.upward = func() [][]node { return groups }
	for _, comp := range groups {
		if len(comp) == 1 && !slices.Contains(m.in(comp[0]), comp[0]) {
			continue
		}
		slices.Sort(comp)
		for _, n := range comp {
			m.scc[n] = int32(len(m.sccNodes))
		}
		m.sccNodes = append(m.sccNodes, comp)
	}
}

// place notes which components stand in which domain.
func (m *model) place() {
	s := m.snap
	m.hosts = make([][]int32, len(s.Domains))
	m.total = make([]int32, len(s.Components))
	for c := range s.Components {
		for _, r := range s.Components[c].Replicas {
			m.total[c] += int32(r.Count)
			if h := m.hosts[r.In]; len(h) == 0 || h[len(h)-1] != int32(c) {
				m.hosts[r.In] = append(h, int32(c))
			}
		}
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
