package impact

import (
	"slices"

	"bongsu/estate"
)

// Moves says of the kinds of which documents came or went where each document was
// and is. Those that stayed are in the order in which they were.
type Moves map[estate.Kind]*shift

// MovesOf compares the names of two snapshots; nil: they are the same.
func MovesOf(before, after *estate.Snapshot) Moves {
	var out Moves
	for _, k := range estate.Kinds() {
		stayed, was, is := estate.Stayed(before, after, k), before.Count(k), after.Count(k)
		if len(stayed) == 0 && was == 0 && is == 0 || len(stayed) == 1 && stayed[0] == (estate.Stretch{N: was}) && was == is {
			continue
		}
		if out == nil {
			out = Moves{}
		}
		out[k] = newShift(stayed, was, is)
	}
	return out
}

// Has reports whether documents of one of the kinds came or went.
func (v Moves) Has(kinds ...estate.Kind) bool {
	return slices.ContainsFunc(kinds, func(k estate.Kind) bool { return v[k] != nil })
}

// Before returns where a document was; ok is false where it came.
func (v Moves) Before(r estate.Ref) (was estate.Ref, ok bool) {
	if x := v[r.Kind]; x != nil {
		r.Index = x.before(r.Index)
	}
	return r, r.Index >= 0
}

// Now returns where the document of an index before is; -1: it went.
func (v Moves) Now(k estate.Kind, i int) int { return v.Of(k)(i) }

// Of returns [Moves.Now] for one kind, to be asked again and again.
func (v Moves) Of(k estate.Kind) func(i int) int {
	x := v[k]
	return func(i int) int {
		if x == nil || i < 0 {
			return i
		}
		return int(x.to[i])
	}
}

// Renumber makes lists of indices before ones of those now, in place; -1: it went.
func Renumber[T int | int32](v Moves, k estate.Kind, lists ...[]T) {
	x := v[k]
	if x == nil {
		return
	}
	for _, list := range lists {
		for i, at := range list {
			if at >= 0 {
				list[i] = T(x.to[at])
			}
		}
	}
}

// gone lists the documents that went, where they were.
func (v Moves) gone() []estate.Ref {
	var out []estate.Ref
	for _, k := range estate.Kinds() {
		if v[k] == nil {
			continue
		}
		for i, to := range v[k].to {
			if to < 0 {
				out = append(out, estate.Ref{Kind: k, Index: i})
			}
		}
	}
	return out
}

// Shifted returns what is known of each document of a kind in the order of now, in
// place where there is room. Of those that came it is blank.
func Shifted[T any](v Moves, k estate.Kind, list []T, blank T) []T {
	if v[k] == nil {
		return list
	}
	return shifted(v[k], list, blank)
}

// count is how many documents of a kind the model has nodes or numbers of.
func (m *model) count(k estate.Kind) int {
	switch k {
	case estate.KindDomain:
		return int(m.compBase)
	case estate.KindComponent:
		return len(m.total)
	case estate.KindService:
		return len(m.firstPart)
	case estate.KindCrew:
		return len(m.people)
	case estate.KindLimit:
		return len(m.slots)
	case estate.KindProbe, estate.KindOption:
	}
	return 0
}

// A shift says where the entries of a list are in another: those that came are blank.
type shift struct {
	size int
	runs []estate.Stretch // that stayed
	to   []int32          // of each entry before: where it is now, or -1
}

// newShift is made of what stayed of was entries of which there are size now.
func newShift(stayed []estate.Stretch, was, size int) *shift {
	v := &shift{size: size, runs: stayed, to: make([]int32, was)}
	at := 0
	for _, r := range stayed {
		for ; at < r.From; at++ {
			v.to[at] = -1
		}
		for ; at < r.From+r.N; at++ {
			v.to[at] = int32(at - r.From + r.At)
		}
	}
	for ; at < was; at++ {
		v.to[at] = -1
	}
	return v
}

// before says where an entry was, or -1.
func (v *shift) before(i int) int {
	at, found := slices.BinarySearchFunc(v.runs, i, func(r estate.Stretch, i int) int { return r.At - i })
	if !found {
		at--
	}
	if at < 0 || i >= v.runs[at].At+v.runs[at].N {
		return -1
	}
	return i - v.runs[at].At + v.runs[at].From
}

// shifted returns a list in its new order, in place where there is room. Runs that
// go up are moved from the last on, and then those that go down from the first on,
// so none is written over before it is read.
func shifted[T any](v *shift, list []T, blank T) []T {
	out := list
	if cap(list) < v.size {
		out = make([]T, v.size, v.size+v.size/16)
	}
	out = out[:max(len(list), v.size)]
	for _, r := range slices.Backward(v.runs) {
		if r.At >= r.From {
			copy(out[r.At:r.At+r.N], list[r.From:r.From+r.N])
		}
	}
	for _, r := range v.runs {
		if r.At < r.From {
			copy(out[r.At:r.At+r.N], list[r.From:r.From+r.N])
		}
	}
	at := 0
	for _, r := range v.runs {
		for ; at < r.At; at++ {
			out[at] = blank
		}
		at += r.N
	}
	for ; at < len(out); at++ { // what is left behind is let go
		out[at] = blank
	}
	return out[:v.size]
}

// resized returns a list of a size, in which further entries are blank.
func resized[T any](list []T, size int, blank T) []T {
	for len(list) < size {
		list = append(list, blank)
	}
	return list[:size]
}

// renumber gives every node, and everything that is counted, the number that it has
// in the snapshot of the model. What went is not asked for by anything any more. It
// returns the nodes of a list under their new numbers.
func (st *Standing) renumber(moves Moves, loose []node) []node {
	m := st.m
	was := *m
	gates := m.nodes - int(m.gates())
	m.nodes = int(m.layout(m.snap)) + gates

	var nodes, acts []estate.Stretch
	for _, k := range []estate.Kind{estate.KindDomain, estate.KindComponent, estate.KindService, estate.KindCrew} {
		for _, r := range moves.stayed(k, was.count(k)) {
			nodes = joined(nodes, int(m.first(k))+r.At, int(was.first(k))+r.From, r.N)
		}
	}
	for _, r := range moves.stayed(estate.KindService, was.count(estate.KindService)) {
		for i := range r.N {
			at, end := m.parts(r.At + i)
			from, until := was.parts(r.From + i)
			nodes = joined(nodes, int(at), int(from), int(min(end-at, until-from)))
		}
	}
	for _, r := range moves.stayed(estate.KindComponent, was.count(estate.KindComponent)) {
		for i := range r.N {
			at, end := m.actions(int32(r.At + i))
			from, until := was.actions(int32(r.From + i))
			n := int(min(end-at, until-from))
			nodes, acts = joined(nodes, int(at), int(from), n), joined(acts, int(at-m.actBase), int(from-was.actBase), n)
		}
	}
	nodes = joined(nodes, int(m.gates()), int(was.gates()), gates)
	all, actions := newShift(nodes, was.nodes, m.nodes), newShift(acts, len(was.actComp), len(m.actComp))
	m.renumber(&was, all, moves)
	again := func(list []node) []node {
		for i, n := range list {
			list[i] = all.to[n]
		}
		return slices.DeleteFunc(list, func(n node) bool { return n < 0 })
	}
	st.idle = again(st.idle)
	st.base.renumber(all, actions, moves)
	st.each(func(k *stood) { k.renumber(all, actions, moves) })
	for _, k := range st.held {
		lost := slices.Clone(k.v.Lost)
		for i, d := range lost {
			lost[i] = moves.Now(estate.KindDomain, d)
		}
		k.v.Lost = lost
	}
	return again(slices.Clone(loose))
}

// stayed lists what stayed of so many documents of a kind.
func (v Moves) stayed(k estate.Kind, was int) []estate.Stretch {
	if v[k] == nil {
		return []estate.Stretch{{N: was}}
	}
	return v[k].runs
}

// joined adds entries that stayed together to a list, and to its last stretch where
// they follow it.
func joined(list []estate.Stretch, at, from, n int) []estate.Stretch {
	if n == 0 {
		return list
	}
	if k := len(list) - 1; k >= 0 && list[k].At+list[k].N == at && list[k].From+list[k].N == from {
		list[k].N += n
		return list
	}
	return append(list, estate.Stretch{At: at, From: from, N: n})
}

// first is the node of the first document of a kind that has nodes.
func (m *model) first(k estate.Kind) node {
	return m.nodeOf(estate.Ref{Kind: k})
}

func (m *model) renumber(was *model, all *shift, moves Moves) {
	m.need = shifted(all, was.need, 0)
	m.ins, m.outs = shifted(all, was.ins, span{}), shifted(all, was.outs, span{})
	for _, list := range [][]node{m.inputs, m.ups} {
		for i, n := range list {
			if n >= 0 {
				list[i] = all.to[n]
			}
		}
	}
	m.scc, m.inner = shifted(all, was.scc, -1), shifted(all, was.inner, 0)
	for _, group := range m.sccNodes {
		for i, n := range group {
			group[i] = all.to[n]
		}
	}
	const comp, svc = estate.KindComponent, estate.KindService
	split := len(was.total)
	m.want = slices.Concat(Shifted(moves, comp, was.want[:split:split], none), Shifted(moves, svc, slices.Clone(was.want[split:]), none))
	for i, n := range m.want {
		if n != none {
			m.want[i] = all.to[n]
		}
	}
	m.total = Shifted(moves, comp, was.total, 0)
	m.wanted = shifted(all, was.wanted, nil)
	m.hosts = Shifted(moves, estate.KindDomain, was.hosts, nil)
	if moves.Has(comp, svc) {
		comps, svcs := moves.Of(comp), moves.Of(svc)
		for _, list := range m.wanted {
			for i, w := range list {
				if int(w) < split {
					list[i] = int32(comps(int(w)))
				} else {
					list[i] = int32(len(m.total) + svcs(int(w)-split))
				}
			}
		}
		Renumber(moves, comp, m.hosts...)
	}
	m.stands = Shifted(moves, comp, was.stands, nil)
	for c := range m.stands {
		if m.stands[c] != nil { // the domains may have other numbers in it
			m.stands[c] = m.snap.Components[c].Replicas
		}
	}
	m.people = Shifted(moves, estate.KindCrew, was.people, 0)
	m.slots = Shifted(moves, estate.KindLimit, was.slots, 0)
}

// renumber takes the state of everything over to its new number. What came is up,
// until it is judged.
func (k *stood) renumber(all, actions *shift, moves Moves) {
	const comp = estate.KindComponent
	s := k.s
	s.val, s.flag = shifted(all, s.val, true), shifted(all, s.flag, true)
	s.count, s.rank = shifted(all, s.count, 0), shifted(all, s.rank, 0)
	s.hyp = resized(s.hyp, all.size, -1) // a scratch, of which every entry is blank
	s.living, s.direct = Shifted(moves, comp, s.living, 0), Shifted(moves, comp, s.direct, false)
	s.held, s.ran = Shifted(moves, comp, s.held, true), shifted(actions, s.ran, 0)
	if k.w == nil {
		return
	}
	k.w.when, k.w.began = shifted(all, k.w.when, 0), shifted(actions, k.w.began, 0)
	fell := make([]node, 0, len(k.v.fell))
	for _, n := range k.v.fell {
		if at := all.to[n]; at >= 0 {
			fell = append(fell, at)
		}
	}
	k.v.fell = fell
	var locks []Deadlock
	for _, d := range k.locks {
		cycle := slices.Clone(d.Cycle)
		for i := range cycle {
			cycle[i].Index = moves.Now(cycle[i].Kind, cycle[i].Index)
		}
		if !slices.ContainsFunc(cycle, func(r estate.Ref) bool { return r.Index < 0 }) {
			d.Cycle = cycle
			locks = append(locks, d)
		}
	}
	k.locks = locks
}
