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

// A web is who waits for whom in a loss, as far as anybody asked: it grows by what
// questions are about, and is to be forgotten when the state is another.
type web struct {
	area          // what it has, with all that this waits for
	place []int32 // of each node that is in it: where in nodes
	waits []span  // of each place: the places that it waits for, in all
	depth []int32 // of each place: how deep below it that goes; what waits for itself is one step
	all   []int32 // one list after another
	low   []int32 // of each place: the first that it leads back to
	open  []int32 // places of which it is not known yet what waits for itself with them
}

// forget empties the web.
func (s *state) forget() {
	w := &s.web
	w.begin(0)
	w.waits, w.depth, w.all, w.low = w.waits[:0], w.depth[:0], w.all[:0], w.low[:0]
}

// weave returns the place of a node in the web, with which comes all that it waits
// for: the groups that wait for themselves are found on the way (Tarjan 1972).
func (s *state) weave(n node) int32 {
	w := &s.web
	if w.has(n) {
		return w.place[n]
	}
	at := int32(len(w.nodes))
	w.add(n)
	w.place[n] = at
	from := int32(len(w.all))
	w.all = s.blockers(w.all, n)
	list := span{from: from, to: int32(len(w.all))}
	w.waits, w.depth = append(w.waits, list), append(w.depth, -1)
	w.low, w.open = append(w.low, at), append(w.open, at)
	for i := list.from; i < list.to; i++ {
		to := s.weave(w.all[i])
		if w.all[i] = to; w.depth[to] < 0 {
			w.low[at] = min(w.low[at], w.low[to])
		}
	}
	if w.low[at] < at {
		return at
	}
	first := slices.Index(w.open, at)
	var depth int32
	for _, v := range w.open[first:] {
		for _, to := range w.on(v) {
			depth = max(depth, w.depth[to]+1) // within the group: 0
		}
	}
	for _, v := range w.open[first:] {
		w.depth[v] = depth
	}
	w.open = w.open[:first]
	return at
}

// on returns the places that a place waits for.
func (w *web) on(at int32) []int32 { return w.all[w.waits[at].from:w.waits[at].to] }

// A cone is what some things wait for, with the things themselves, and who runs on whom
// in it. While a state is in its cone, nothing outside changes.
type cone struct {
	area
	in   bool
	outs []span // of each place in the web that is in it: the nodes that it is an input of
	ups  []node
	list []node // scratch of suspects
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
	at := c.outs[s.web.place[n]]
	return c.ups[at.from:at.to]
}

// look makes the cone that of some nodes.
func (s *state) look(of ...node) {
	c, w := &s.cone, &s.web
	if len(w.nodes) == 0 {
		w.begin(s.m.nodes)
		w.place = resized(w.place, s.m.nodes, 0)
	}
	c.begin(s.m.nodes)
	for _, n := range of {
		s.weave(n)
		c.add(n)
	}
	c.outs = resized(c.outs, len(w.nodes), span{})
	for i := 0; i < len(c.nodes); i++ {
		at := w.place[c.nodes[i]]
		c.outs[at] = span{}
		for _, to := range w.on(at) {
			c.add(w.nodes[to])
		}
	}
	runs := func(f func(at *span, up node)) { // a component only comes back by its actions
		for _, n := range c.nodes {
			for _, to := range w.on(w.place[n]) {
				if !s.m.isAction(w.nodes[to]) {
					f(&c.outs[to], n)
				}
			}
		}
	}
	runs(func(at *span, _ node) { at.room++ })
	var from int32
	for _, n := range c.nodes {
		at := &c.outs[w.place[n]]
		at.from, at.to = from, from
		from += at.room
	}
	c.ups = resized(c.ups, int(from), 0)
	runs(func(at *span, up node) {
		c.ups[at.to] = up
		at.to++
	})
}

// suspects returns the components and crews, other than n itself, that n waits
// for directly or not, the deepest in the blocked-by graph first, then by name. The
// cone is that of n afterwards.
func (s *state) suspects(n node) []node {
	s.look(n)
	c, w := &s.cone, &s.web
	c.list = c.list[:0]
	for _, v := range c.nodes {
		if v != n && (s.m.isComp(v) || s.m.isCrew(v)) {
			c.list = append(c.list, v)
		}
	}
	slices.SortFunc(c.list, func(a, b node) int {
		return cmp.Or(cmp.Compare(w.depth[w.place[a]], w.depth[w.place[b]]), s.m.byName(a, b))
	})
	return c.list
}

// byName compares components and crews by name. Each kind is in that order.
func (m *model) byName(a, b node) int {
	if m.isComp(a) == m.isComp(b) {
		return cmp.Compare(a, b)
	}
	x, _ := m.refOf(a)
	y, _ := m.refOf(b)
	return compareRefs(x, y)
}

// blockers adds to a list what a node that is down waits for: its inputs that are
// down, and for a component that does not hold the conditions of the actions
// that could make it hold.
func (s *state) blockers(b []node, n node) []node {
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
