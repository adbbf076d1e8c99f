package impact

import (
	"slices"
	"sync"

	"bongsu/estate"
)

// Renew returns an engine for a snapshot that differs from the engine's in nothing
// that impact looks at: titles, users, costs, objectives and the like. It costs
// nothing; the caller answers for it.
func (e *Engine) Renew(s *estate.Snapshot) *Engine {
	m := *e.m
	base := *m.base
	m.snap, m.base, base.m = s, &base, &m
	return &Engine{m: &m}
}

// mostIdle is how many nodes of former conditions an engine may carry along.
const mostIdle = 1000

// Update returns an engine for a snapshot with the same names, of which no
// documents but the changed ones are others. It is made sooner than a new engine
// and answers the same; of a thing with several derivations it may give another.
func (e *Engine) Update(s *estate.Snapshot, changed []estate.Ref) *Engine {
	old := e.m
	for _, r := range changed {
		if !sameShape(old.snap, s, r) {
			return NewEngine(s)
		}
	}
	m := *old
	m.snap, m.down, m.never = s, nil, nil
	needs, places := false, false
	for _, r := range changed {
		needs = needs || !sameNeeds(old.snap, s, r)
		places = places || !samePlaces(old.snap, s, r)
	}
	if needs {
		b := m.unpack()
		for _, r := range changed {
			b.refill(old, r)
		}
		if b.idle() > mostIdle {
			return NewEngine(s)
		}
		m.nodes, m.need = len(b.in), b.need
		m.link(b.in)
		if !m.keepCycles(changed) {
			m.sccNodes = nil
			m.findCycles()
		}
	}
	if places {
		m.actPlaces = slices.Clone(m.actPlaces)
		for _, r := range changed {
			if r.Kind == estate.KindComponent {
				m.replace(int32(r.Index))
			}
		}
		m.place()
	}
	m.settle()
	return &Engine{m: &m}
}

// keepCycles takes over the run-time cycles of before, where no changed document
// was in one or is: whatever else runs in a cycle has the inputs that it had.
func (m *model) keepCycles(changed []estate.Ref) bool {
	seen := make([]bool, m.nodes)
	for _, r := range changed {
		switch r.Kind {
		case estate.KindComponent, estate.KindService, estate.KindCrew:
		case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
			continue
		}
		n := m.nodeOf(r)
		if m.scc[n] >= 0 {
			return false
		}
		clear(seen)
		for stack := []node{n}; len(stack) > 0; {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, i := range m.in(v) {
				if i == n {
					return false
				}
				if !seen[i] {
					seen[i] = true
					stack = append(stack, i)
				}
			}
		}
	}
	m.scc = slices.Clone(m.scc)
	for len(m.scc) < m.nodes {
		m.scc = append(m.scc, -1) // gates made anew
	}
	m.upward = sync.OnceValue(func() [][]node { return components(m.nodes, m.in) })
	return true
}

// settle finds what is so with nothing lost.
func (m *model) settle() {
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
}

// unpack returns a builder that stands where the model is.
func (m *model) unpack() builder {
	b := builder{m: m, in: make([][]node, m.nodes), need: slices.Clone(m.need)}
	for n := range b.in {
		b.in[n] = slices.Clip(m.in(node(n)))
	}
	m.want = slices.Clone(m.want)
	return b
}

// idle counts the gates that ask for nothing and that hold nothing up.
func (b *builder) idle() int {
	k := 0
	for n := b.m.gates(); int(n) < len(b.in); n++ {
		if b.need[n] == 0 && b.in[n] == nil {
			k++
		}
	}
	return k
}

// gates is the first node that stands for a condition and nothing else.
func (m *model) gates() node { return m.actBase + node(len(m.actComp)) }

// replace notes anew where the actions of a component take effect.
func (m *model) replace(c int32) {
	first, end := m.actions(c)
	for a := first; a < end; a++ {
		i := a - m.actBase
		at := slices.Clone(m.snap.Components[c].Actions[m.actIndex[i]].At)
		slices.Sort(at)
		m.actPlaces[i] = slices.Compact(at)
	}
}

// sameNeeds reports whether a document of the same shape asks for the same.
func sameNeeds(a, b *estate.Snapshot, r estate.Ref) bool {
	switch r.Kind {
	case estate.KindComponent:
		x, y := &a.Components[r.Index], &b.Components[r.Index]
		return sameNeed(x.Needs, y.Needs) && sameNeed(x.Wants, y.Wants) && sameNeed(x.StartNeeds, y.StartNeeds) &&
			slices.EqualFunc(x.Actions, y.Actions, func(p, q estate.Action) bool {
				return sameNeed(p.Needs, q.Needs) && slices.Equal(p.Crew, q.Crew)
			})
	case estate.KindService:
		x, y := &a.Services[r.Index], &b.Services[r.Index]
		return sameNeed(x.Needs, y.Needs) && sameNeed(x.Wants, y.Wants) &&
			slices.EqualFunc(x.Parts, y.Parts, func(p, q estate.Part) bool { return sameNeed(p.Needs, q.Needs) })
	case estate.KindCrew:
		return sameNeed(a.Crews[r.Index].Needs, b.Crews[r.Index].Needs)
	case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	return true
}

func sameNeed(a, b estate.Need) bool {
	if a.K != b.K || (a.Ref == nil) != (b.Ref == nil) || a.Ref != nil && *a.Ref != *b.Ref {
		return false
	}
	return slices.EqualFunc(a.Of, b.Of, sameNeed)
}

// samePlaces reports whether a component stands, and its actions take effect,
// where they did.
func samePlaces(a, b *estate.Snapshot, r estate.Ref) bool {
	if r.Kind != estate.KindComponent {
		return true
	}
	x, y := &a.Components[r.Index], &b.Components[r.Index]
	copies := func(c *estate.Component) []estate.Copy {
		if c.Data == nil {
			return nil
		}
		return c.Data.Copies
	}
	return slices.EqualFunc(x.Replicas, y.Replicas, func(p, q estate.Replica) bool { return p.In == q.In && p.Count == q.Count }) &&
		slices.EqualFunc(copies(x), copies(y), func(p, q estate.Copy) bool { return p.In == q.In }) &&
		slices.EqualFunc(x.Actions, y.Actions, func(p, q estate.Action) bool { return slices.Equal(p.At, q.At) })
}

// sameShape reports whether a document has the same nodes of its own as before.
func sameShape(a, b *estate.Snapshot, r estate.Ref) bool {
	switch r.Kind {
	case estate.KindComponent:
		return len(a.Components) == len(b.Components) && len(a.Components[r.Index].Actions) == len(b.Components[r.Index].Actions)
	case estate.KindService:
		return len(a.Services) == len(b.Services) && len(a.Services[r.Index].Parts) == len(b.Services[r.Index].Parts)
	case estate.KindCrew:
		return len(a.Crews) == len(b.Crews)
	case estate.KindLimit, estate.KindProbe, estate.KindOption:
		return true
	case estate.KindDomain:
	}
	return false
}

// refill builds the conditions of one document anew. The gates of the former ones
// stay as nodes that ask for nothing and that nothing asks for.
func (b *builder) refill(old *model, r estate.Ref) {
	s, m := b.m.snap, b.m
	reset := func(n node) {
		b.drop(old, old.in(n))
		b.in[n], b.need[n] = nil, 0
	}
	rewant := func(i int, wants estate.Need) {
		if w := old.want[i]; w != none {
			b.drop(old, []node{w})
		}
		m.want[i] = b.condition(wants)
	}
	switch r.Kind {
	case estate.KindComponent:
		c := &s.Components[r.Index]
		n := m.compBase + node(r.Index)
		reset(n)
		b.all(n, c.Needs)
		rewant(r.Index, c.Wants)
		first, end := m.actions(int32(r.Index))
		for a := first; a < end; a++ {
			reset(a)
			act := &c.Actions[m.actIndex[a-m.actBase]]
			b.all(a, c.StartNeeds)
			b.all(a, act.Needs)
			for _, u := range act.Crew {
				b.add(a, m.crewBase+node(u.Index))
			}
		}
	case estate.KindService:
		svc := &s.Services[r.Index]
		n := m.svcBase + node(r.Index)
		reset(n)
		b.all(n, svc.Needs)
		rewant(len(s.Components)+r.Index, svc.Wants)
		for j := range svc.Parts {
			p := m.partNode(r.Index, j)
			reset(p)
			b.add(p, n)
			b.all(p, svc.Parts[j].Needs)
		}
	case estate.KindCrew:
		n := m.crewBase + node(r.Index)
		reset(n)
		b.all(n, s.Crews[r.Index].Needs)
	case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
}

// drop takes the gates among the inputs, and those below them, out of use: each
// belongs to one document.
func (b *builder) drop(old *model, in []node) {
	for _, n := range in {
		if n >= old.gates() {
			b.drop(old, old.in(n))
			b.in[n], b.need[n] = nil, 0
		}
	}
}
