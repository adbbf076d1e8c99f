package impact

import (
	"slices"

	"bongsu/estate"
)

// Moves says of the kinds of which documents came or went where each document was:
// by its index now the index before, or -1 for one that came. Those that stayed are
// in the order in which they were.
type Moves map[estate.Kind][]int

// MovesOf compares the names of two snapshots; nil: they are the same.
func MovesOf(before, after *estate.Snapshot) Moves {
	var out Moves
	for _, k := range estate.Kinds() {
		var (
			was, n = before.Count(k), after.Count(k)
			from   = make([]int, n)
			same   = was == n
			at     = 0
		)
		for i := range from {
			name := after.Doc(estate.Ref{Kind: k, Index: i}).Name
			for at < was && before.Doc(estate.Ref{Kind: k, Index: at}).Name < name {
				at++
			}
			from[i] = -1
			if at < was && before.Doc(estate.Ref{Kind: k, Index: at}).Name == name {
				from[i] = at
				at++
			}
			same = same && from[i] == i
		}
		if !same {
			if out == nil {
				out = Moves{}
			}
			out[k] = from
		}
	}
	return out
}

// Before returns where a document was; ok is false where it came.
func (v Moves) Before(r estate.Ref) (was estate.Ref, ok bool) {
	if from := v[r.Kind]; from != nil {
		r.Index = from[r.Index]
	}
	return r, r.Index >= 0
}

// gone lists the documents that went, where they were.
func (m *model) gone(moves Moves) []estate.Ref {
	var out []estate.Ref
	for _, k := range estate.Kinds() {
		from := moves[k]
		if from == nil {
			continue
		}
		at := 0 // of probes and options the model knows nothing
		for i := range m.count(k) {
			for at < len(from) && from[at] < 0 {
				at++
			}
			if at < len(from) && from[at] == i {
				at++
				continue
			}
			out = append(out, estate.Ref{Kind: k, Index: i})
		}
	}
	return out
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
	runs []run
	to   []int32 // of each entry before: where it is now, or -1
}

// A run is entries that stayed together.
type run struct{ at, from, n int }

// shiftOf is made of the place before of each entry now, or -1; before is how many
// there were.
func shiftOf(from []int32, before int) *shift {
	v := &shift{size: len(from), to: make([]int32, before)}
	for i := range v.to {
		v.to[i] = -1
	}
	for i, f := range from {
		if f < 0 {
			continue
		}
		v.to[f] = int32(i)
		if k := len(v.runs); k > 0 && v.runs[k-1].at+v.runs[k-1].n == i && v.runs[k-1].from+v.runs[k-1].n == int(f) {
			v.runs[k-1].n++
		} else {
			v.runs = append(v.runs, run{i, int(f), 1})
		}
	}
	return v
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
		if r.at >= r.from {
			copy(out[r.at:r.at+r.n], list[r.from:r.from+r.n])
		}
	}
	for _, r := range v.runs {
		if r.at < r.from {
			copy(out[r.at:r.at+r.n], list[r.from:r.from+r.n])
		}
	}
	at := 0
	for _, r := range v.runs {
		for ; at < r.at; at++ {
			out[at] = blank
		}
		at += r.n
	}
	for ; at < len(out); at++ { // what is left behind is let go
		out[at] = blank
	}
	return out[:v.size]
}

// renumber gives every node, and everything that is counted, the number that it has
// in the snapshot of the model. What went is not asked for by anything any more. It
// returns the nodes of a list under their new numbers.
func (st *Standing) renumber(moves Moves, loose []node) []node {
	m := st.m
	was := *m
	gates := m.nodes - int(m.gates())
	m.nodes = int(m.layout(m.snap)) + gates

	var (
		nodes = make([]int32, 0, m.nodes)
		acts  = make([]int32, 0, len(m.actComp))
		by    = map[estate.Kind]*shift{}
		first node
	)
	for _, k := range []estate.Kind{estate.KindDomain, estate.KindComponent, estate.KindService, estate.KindCrew, estate.KindLimit} {
		from := make([]int32, m.snap.Count(k))
		for i := range from {
			from[i] = int32(i)
			if moves[k] != nil {
				from[i] = int32(moves[k][i])
			}
		}
		by[k] = shiftOf(from, was.count(k))
		if k == estate.KindLimit {
			continue // no nodes
		}
		for _, f := range from {
			nodes = append(nodes, numbered(first, f))
		}
		first += node(was.count(k))
	}
	for p := range m.partService {
		from := int32(-1)
		if svc, had := moves.Before(estate.Ref{Kind: estate.KindService, Index: int(m.partService[p])}); had {
			if first, end := was.parts(svc.Index); m.partIndex[p] < end-first {
				from = first + m.partIndex[p]
			}
		}
		nodes = append(nodes, from)
	}
	for a := range m.actComp {
		from, act := int32(-1), int32(-1)
		if c, had := moves.Before(estate.Ref{Kind: estate.KindComponent, Index: int(m.actComp[a])}); had {
			if first, end := was.actions(int32(c.Index)); m.actIndex[a] < end-first {
				from = first + m.actIndex[a]
				act = from - was.actBase
			}
		}
		nodes, acts = append(nodes, from), append(acts, act)
	}
	for g := range gates {
		nodes = append(nodes, was.gates()+node(g))
	}
	all, actions := shiftOf(nodes, was.nodes), shiftOf(acts, len(was.actComp))
	m.renumber(&was, all, by)
	again := func(list []node) []node {
		for i, n := range list {
			list[i] = all.to[n]
		}
		return slices.DeleteFunc(list, func(n node) bool { return n < 0 })
	}
	st.idle = again(st.idle)
	st.base.renumber(all, actions, by)
	st.each(func(k *stood) { k.renumber(all, actions, by) })
	for _, k := range st.held {
		lost := slices.Clone(k.v.Lost)
		for i, d := range lost {
			lost[i] = int(by[estate.KindDomain].to[d])
		}
		k.v.Lost = lost
	}
	return again(slices.Clone(loose))
}

func numbered(first node, i int32) node {
	if i < 0 {
		return i
	}
	return first + i
}

func (m *model) renumber(was *model, all *shift, by map[estate.Kind]*shift) {
	m.need = shifted(all, was.need, 0)
	m.ins, m.outs = shifted(all, was.ins, span{}), shifted(all, was.outs, span{})
	for _, list := range [][]node{m.inputs, m.ups} {
		for i, n := range list {
			if n >= 0 {
				list[i] = all.to[n]
			}
		}
	}
	m.scc = shifted(all, was.scc, -1)
	for _, group := range m.sccNodes {
		for i, n := range group {
			group[i] = all.to[n]
		}
	}
	comps, svcs := by[estate.KindComponent], by[estate.KindService]
	place := func(w int32) int32 { // among the wants
		if int(w) < len(was.total) {
			return comps.to[w]
		}
		return int32(comps.size) + svcs.to[int(w)-len(was.total)]
	}
	split := len(was.total)
	m.want = slices.Concat(shifted(comps, was.want[:split:split], none), shifted(svcs, slices.Clone(was.want[split:]), none))
	for i, n := range m.want {
		if n != none {
			m.want[i] = all.to[n]
		}
	}
	m.wanted = shifted(all, was.wanted, nil)
	for _, list := range m.wanted {
		for i, w := range list {
			list[i] = place(w)
		}
	}
	m.hosts = shifted(by[estate.KindDomain], was.hosts, nil)
	for _, list := range m.hosts {
		for i, c := range list {
			list[i] = comps.to[c]
		}
	}
	m.total = shifted(comps, was.total, 0)
	stands := shifted(comps, was.stands, nil)
	for c := range stands {
		if stands[c] != nil { // the domains may have other numbers in it
			stands[c] = m.snap.Components[c].Replicas
		}
	}
	m.stands = stands
	m.people = shifted(by[estate.KindCrew], was.people, 0)
	m.slots = shifted(by[estate.KindLimit], was.slots, 0)
}

// renumber takes the state of everything over to its new number. What came is up,
// until it is judged.
func (k *stood) renumber(all, actions *shift, by map[estate.Kind]*shift) {
	s, comps := k.s, by[estate.KindComponent]
	s.val, s.flag = shifted(all, s.val, true), shifted(all, s.flag, true)
	s.count, s.rank = shifted(all, s.count, 0), shifted(all, s.rank, 0)
	s.hyp = shifted(all, s.hyp, -1)
	s.living, s.direct = shifted(comps, s.living, 0), shifted(comps, s.direct, false)
	s.held, s.ran = shifted(comps, s.held, true), shifted(actions, s.ran, 0)
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
			cycle[i].Index = int(by[cycle[i].Kind].to[cycle[i].Index])
		}
		if !slices.ContainsFunc(cycle, func(r estate.Ref) bool { return r.Index < 0 }) {
			d.Cycle = cycle
			locks = append(locks, d)
		}
	}
	k.locks = locks
}
