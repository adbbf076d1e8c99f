package impact

import (
	"cmp"
	"slices"
	"strings"

	"bongsu/estate"
)

// An Asker asks why things cannot come back. It is made once for many questions
// and is not safe for concurrent use.
type Asker struct {
	im *Impact
	s  *state // a copy of im.back that every question leaves as it was
}

// Asker returns one for this impact.
func (im *Impact) Asker() *Asker { return &Asker{im, im.back.clone()} }

// Because returns up to most minimal blocking sets of a thing that cannot come
// back (design §3.6), the deepest first: taking all of one set as up makes the
// thing recoverable, leaving any member out does not. The members are components
// and crews; where nothing but the thing's own lost replicas or data blocks it,
// the one set is the lost domains that held them.
func (a *Asker) Because(r estate.Ref, most int) [][]estate.Ref {
	return a.im.because(a.s, a.s.m.nodeOf(r), most)
}

// PartBecause is like [Asker.Because] for a part of a service.
func (a *Asker) PartBecause(service, part, most int) [][]estate.Ref {
	return a.im.because(a.s, a.s.m.partNode(service, part), most)
}

// Because is [Asker.Because] for a single question.
func (im *Impact) Because(r estate.Ref, most int) [][]estate.Ref {
	return im.Asker().Because(r, most)
}

// PartBecause is [Asker.PartBecause] for a single question.
func (im *Impact) PartBecause(service, part, most int) [][]estate.Ref {
	return im.Asker().PartBecause(service, part, most)
}

// because asks on s, a copy of im.back that is left as it was.
func (im *Impact) because(s *state, n node, most int) [][]estate.Ref {
	if s.val[n] || most < 1 {
		return nil
	}
	candidates := s.suspects(n)
	s.cone.in = true
	defer func() { s.cone.in = false }()
	// Each found set is searched again without one of its members, so that
	// every further set differs from all before it (Reiter 1987, hitting-set tree).
	var (
		found  [][]node
		banned = [][]node{nil}
	)
	for len(banned) > 0 && len(found) < most {
		ban := banned[0]
		banned = banned[1:]
		set := s.blocking(n, candidates, ban)
		if set == nil {
			continue
		}
		if !slices.ContainsFunc(found, func(f []node) bool { return slices.Equal(f, set) }) {
			found = append(found, set)
		}
		if len(found) < most && len(banned) < 4*most {
			for _, x := range set {
				banned = append(banned, append(slices.Clone(ban), x))
			}
		}
	}
	if len(found) == 0 {
		return [][]estate.Ref{im.lostUnder(n)}
	}
	sets := make([][]estate.Ref, len(found))
	for i, set := range found {
		for _, x := range set {
			ref, _ := im.back.m.refOf(x)
			sets[i] = append(sets[i], ref)
		}
		slices.SortFunc(sets[i], compareRefs)
	}
	return sets
}

func compareRefs(a, b estate.Ref) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
}

// blocking returns one minimal set of candidates that, taken as up, brings n
// back, or nil when all of them together do not. Candidates are taken as up one
// after another until n is back; the last one taken is then needed by every set
// among those so far, so it stays, and the search goes on before it. What
// remains is what deleting candidates from the end, one by one, would leave.
// Nothing is followed but into what n waits for: the state is in the cone of n.
func (s *state) blocking(n node, candidates, ban []node) []node {
	suppose := func(x node) {
		s.force(x)
		s.drain()
	}
	var set []node
	end := len(candidates)
	for {
		s.begin()
		for _, x := range set {
			suppose(x)
		}
		if s.val[n] {
			s.undo()
			slices.Sort(set)
			return set
		}
		last := -1
		for i := 0; i < end && !s.val[n]; i++ {
			x := candidates[i]
			if s.val[x] || slices.Contains(ban, x) {
				continue
			}
			suppose(x)
			last = i
		}
		back := s.val[n]
		s.undo()
		if !back {
			return nil
		}
		set = append(set, candidates[last])
		end = last
	}
}

// A cone is what a thing waits for, with the thing itself, and who runs on whom in
// it. While a state is in its cone, nothing outside changes.
type cone struct {
	area
	in    bool
	place []int32 // of each node that is in it: where in nodes
	outs  []span  // of each place: the nodes that it is an input of
	ups   []node
}

// out returns the nodes that a node is an input of, as far as they may change.
func (s *state) out(n node) []node {
	c := &s.cone
	switch {
	case !c.in:
		return s.m.out(n)
	case !c.has(n):
		return nil
	}
	at := c.outs[c.place[n]]
	return c.ups[at.from:at.to]
}

// look makes the cone that of some nodes, and returns which places wait for which.
func (c *cone) look(s *state, of ...node) (waits [][]node) {
	c.begin(s.m.nodes)
	c.place = resized(c.place, s.m.nodes, 0)
	add := func(n node) {
		if !c.has(n) {
			c.place[n] = int32(len(c.nodes))
			c.add(n)
		}
	}
	for _, n := range of {
		add(n)
	}
	c.outs, c.ups = c.outs[:0], c.ups[:0]
	for i := 0; i < len(c.nodes); i++ {
		list := s.blockers(c.nodes[i])
		for j, b := range list {
			add(b)
			list[j] = c.place[b]
		}
		waits = append(waits, list)
	}
	c.outs = resized(c.outs, len(c.nodes), span{})
	runs := func(f func(at *span, up node)) { // a component only comes back by its actions
		for i, list := range waits {
			for _, b := range list {
				if !s.m.isAction(c.nodes[b]) {
					f(&c.outs[b], c.nodes[i])
				}
			}
		}
	}
	runs(func(at *span, _ node) { at.room++ })
	var from int32
	for i := range c.outs {
		c.outs[i].from, c.outs[i].to = from, from
		from += c.outs[i].room
	}
	c.ups = resized(c.ups, int(from), 0)
	runs(func(at *span, up node) {
		c.ups[at.to] = up
		at.to++
	})
	return waits
}

// suspects returns the components and crews, other than n itself, that n waits
// for directly or not, the deepest in the blocked-by graph first, then by name. The
// cone is that of n afterwards.
func (s *state) suspects(n node) []node {
	edges := s.cone.look(s, n)
	nodes := s.cone.nodes
	depth := make([]int, len(nodes)) // 0 waits for nothing else; -1 not known yet
	for i := range depth {
		depth[i] = -1
	}
	for _, group := range components(len(nodes), func(n node) []node { return edges[n] }) {
		level := 0
		for _, v := range group {
			for _, w := range edges[v] {
				level = max(level, depth[w]+1) // within the group: 0
			}
		}
		for _, v := range group {
			depth[v] = level
		}
	}
	type suspect struct {
		node
		depth int
		ref   estate.Ref
	}
	var found []suspect
	for i, v := range nodes {
		if v != n && (s.m.isComp(v) || s.m.isCrew(v)) {
			ref, _ := s.m.refOf(v)
			found = append(found, suspect{v, depth[i], ref})
		}
	}
	slices.SortFunc(found, func(a, b suspect) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), compareRefs(a.ref, b.ref))
	})
	out := make([]node, len(found))
	for i, f := range found {
		out[i] = f.node
	}
	return out
}

// blockers returns what a node that is down waits for: its inputs that are
// down, and for a component that does not hold the conditions of the actions
// that could make it hold.
func (s *state) blockers(n node) []node {
	var b []node
	for _, i := range s.m.in(n) {
		if !s.val[i] && i >= s.m.compBase {
			b = append(b, i)
		}
	}
	if s.m.isComp(n) && !s.flag[n] {
		first, end := s.m.actions(n - s.m.compBase)
		for a := first; a < end; a++ {
			if i := a - s.m.actBase; !s.val[a] && s.possible(i) {
				b = append(b, a)
			}
		}
	}
	return b
}

// lostUnder returns the lost domains that held a component's replicas and data,
// and those that the node itself needs; where there are none, the thing itself.
func (im *Impact) lostUnder(n node) []estate.Ref {
	m := im.back.m
	lost := map[int]bool{}
	add := func(d int) {
		if !im.fallen.val[d] {
			lost[d] = true
		}
	}
	if m.isComp(n) && !im.fallen.held[n-m.compBase] {
		c := &im.Snapshot.Components[n-m.compBase]
		for i := range c.Replicas {
			add(c.Replicas[i].In)
		}
		if c.Data != nil {
			for i := range c.Data.Copies {
				add(c.Data.Copies[i].In)
			}
		}
	}
	stack := []node{n}
	if n >= m.partBase && n < m.actBase { // a part waits for its core too
		stack = append(stack, m.svcBase+m.partService[n-m.partBase])
	}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, i := range m.in(v) {
			if i < m.compBase {
				add(int(i))
			} else if _, named := m.refOf(i); !named && !im.back.val[i] {
				stack = append(stack, i)
			}
		}
	}
	refs := []estate.Ref{}
	for d := range lost {
		ref, _ := m.refOf(node(d))
		refs = append(refs, ref)
	}
	if len(refs) == 0 { // nothing was lost: it could not run before either
		v := n
		if v >= m.partBase && v < m.actBase {
			v = m.svcBase + m.partService[v-m.partBase]
		}
		ref, _ := m.refOf(v)
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, compareRefs)
	return refs
}
