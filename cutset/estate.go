package cutset

import (
	"math"

	"bongsu/estate"
)

// Leaves says what of an estate can be lost by itself.
type Leaves uint8

// The leaves that [FromEstate] can make.
const (
	Domains    Leaves = iota // domains only
	Components               // domains, and components: one that is lost does not hold
)

// FromEstate returns the tree whose minimal cut sets are the minimal sets of
// leaves that take the core of a service down at once (design §3, steps 1 to 3;
// what could be done about it afterwards plays no part). A domain fails with those it needs, and a
// component when too few of its replicas live or its needs fail. Run-time cycles stay cycles: the tree
// is marked as cyclic then, and things that only need each other do not fail by themselves.
//
// A leaf is named as a need would name it and costs what the estate says. The probability of a
// domain is that of at least one loss in a year, where the estate states how many there are.
func FromEstate(s *estate.Snapshot, service int, leaves Leaves) Tree {
	b := treeBuilder{s: s, leaves: leaves, gate: map[thing]int{}}
	b.t.Name = s.Services[service].Name
	b.t.Top = b.of(thing{estate.KindService, service})
	for len(b.open) > 0 {
		x := b.open[len(b.open)-1]
		b.open = b.open[:len(b.open)-1]
		g := b.fill(x)
		g.Name = b.t.Gates[b.gate[x]].Name
		b.t.Gates[b.gate[x]] = g
	}
	b.t.Cyclic = b.t.cycle() != nil
	return b.t
}

// A thing is a document that can be up or down.
type thing struct {
	kind  estate.Kind
	index int
}

type treeBuilder struct {
	s      *estate.Snapshot
	leaves Leaves
	t      Tree
	gate   map[thing]int
	open   []thing // things whose gate has no inputs yet
}

// of returns the gate that fails while the thing is down.
func (b *treeBuilder) of(x thing) Ref {
	if i, ok := b.gate[x]; ok {
		return GateRef(i)
	}
	doc := b.s.Doc(estate.Ref{Kind: x.kind, Index: x.index})
	r := b.t.AddGate(Gate{Name: x.kind.String() + "/" + doc.Name})
	b.gate[x] = len(b.t.Gates) - 1
	b.open = append(b.open, x)
	return r
}

// fill returns what makes the thing fail, as an or.
func (b *treeBuilder) fill(x thing) Gate {
	g := Gate{Op: Or}
	switch x.kind {
	case estate.KindDomain:
		g.In = b.all([]Ref{b.leaf(x)}, b.s.Domains[x.index].Needs)
	case estate.KindComponent:
		c := &b.s.Components[x.index]
		if b.leaves == Components {
			g.In = append(g.In, b.leaf(x))
		}
		if r := b.holds(c); r != False {
			g.In = append(g.In, r)
		}
		g.In = b.all(g.In, c.Needs)
	case estate.KindService:
		g.In = b.all(nil, b.s.Services[x.index].Needs)
	case estate.KindCrew:
		g.In = b.all(nil, b.s.Crews[x.index].Needs)
	case estate.KindLimit, estate.KindProbe, estate.KindOption:
		// unreachable: a need names none of these.
		panic("cutset: a need names " + x.kind.String())
	}
	return g
}

func (b *treeBuilder) leaf(x thing) Ref {
	ref := estate.Ref{Kind: x.kind, Index: x.index}
	doc := b.s.Doc(ref)
	ref.Name = doc.Name
	l := Leaf{Name: b.s.NameOf(ref), Cost: doc.Cost}
	if x.kind == estate.KindDomain {
		if rate := b.s.Domains[x.index].Rate; rate > 0 {
			p := -math.Expm1(-rate)
			l.Probability = &p
		}
	}
	return b.t.AddLeaf(l)
}

// all adds to in what makes any part of the need fail.
func (b *treeBuilder) all(in []Ref, n estate.Need) []Ref {
	switch {
	case n.Empty():
		return in
	case n.Ref == nil && n.K == len(n.Of):
		for _, o := range n.Of {
			in = b.all(in, o)
		}
		return in
	}
	return append(in, b.need(n))
}

// need returns what fails while the need is not met: of n conditions at least k
// are to hold, so more than n-k failures are too many.
func (b *treeBuilder) need(n estate.Need) Ref {
	if n.Empty() {
		return False
	}
	if n.Ref != nil {
		return b.of(thing{n.Ref.Kind, n.Ref.Index})
	}
	in := make([]Ref, len(n.Of))
	for i, o := range n.Of {
		in[i] = b.need(o)
	}
	return b.t.AddGate(Gate{Op: AtLeast, K: max(0, len(in)-n.K+1), In: in})
}

// holds returns what fails while the component's living replicas do not satisfy
// its mode (design §3.2).
func (b *treeBuilder) holds(c *estate.Component) Ref {
	if len(c.Replicas) == 0 {
		return False
	}
	g := Gate{Op: AtLeast}
	total := 0
	for i := range c.Replicas {
		r := &c.Replicas[i]
		if r.Count == 0 {
			continue // a place that has none yet
		}
		if c.Mode == estate.ModePrimary {
			if r.Role != estate.RolePrimary && (!c.Auto || r.Role != estate.RoleStandby) {
				continue
			}
			g.In = append(g.In, b.of(thing{estate.KindDomain, r.In}))
			continue
		}
		total += r.Count
		g.In = append(g.In, b.of(thing{estate.KindDomain, r.In}))
		g.Weights = append(g.Weights, r.Count)
	}
	switch c.Mode {
	case estate.ModePrimary:
		if len(g.In) == 0 {
			return True
		}
		g.Op = And
	case estate.ModeQuorum:
		g.K = total - total/2 // lost, no more than half is left
	case estate.ModeAny:
		if g.K = total - c.AtLeast + 1; g.K <= 0 {
			return True
		}
	}
	return b.t.AddGate(g)
}
