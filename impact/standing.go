package impact

import (
	"cmp"
	"container/heap"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bongsu/estate"
)

// A Standing keeps what each of some losses does to an estate, and follows the
// estate as it changes, at the cost of what a change reaches: the documents that
// changed and all that needs them, directly or not. What it says is what a new
// [Sweep] says, always. Different losses may be visited at the same time, and
// nothing else may go on while it follows.
type Standing struct {
	m    *model // its own, changed in place
	held []*stood

	idle  []node  // gates out of use
	mark  []int32 // of each node: the epoch in which it was last in the area
	epoch int32
	area  []node // what the change reaches
}

// stood is one loss that is kept.
type stood struct {
	w      *Sweep // it has lost the domains, and recovered
	v      *View
	locks  []Deadlock
	asked  bool // locks are known
	turned bool // the last change turned what services come back, or which components hold
}

// Stand keeps what the losses do, each given as the indices of its domains. The
// engine goes over to it and is not to be used any more.
func (e *Engine) Stand(losses [][]int) *Standing {
	st := &Standing{m: e.m, held: make([]*stood, len(losses)), mark: make([]int32, e.m.nodes)}
	for i, lost := range losses {
		st.held[i] = &stood{v: &View{Lost: lost}}
	}
	return st
}

// Nodes is how large the estate is to a standing, which takes some 25 bytes for
// each of them and each loss.
func (e *Engine) Nodes() int { return e.m.nodes }

// Engine returns an engine for the estate as it is now. It may be used until the
// next change is followed.
func (st *Standing) Engine() *Engine { return &Engine{m: st.m} }

// Visit hands f the view of a loss, by its place among the losses.
func (st *Standing) Visit(i int, f func(*View)) {
	k := st.held[i]
	if k.w == nil {
		k.begin(st.m)
	}
	k.w.s.clock = 0
	f(k.v)
}

// Turned reports whether the last change that was followed turned, in a loss,
// whether a service or a part of one comes back or whether a component holds in
// the end.
func (st *Standing) Turned(i int) bool { return st.held[i].turned }

// begin loses the domains for the first time.
func (k *stood) begin(m *model) {
	k.w = (&Engine{m: m}).NewSweep()
	s := k.w.s
	k.w.when, k.w.began = make([]time.Duration, m.nodes), make([]time.Duration, len(m.actComp))
	s.lose(k.v.Lost)
	fell := append(slices.Clone(s.log.fell), m.down...)
	slices.Sort(fell)
	k.w.play()
	k.settle()
	k.see(fell)
}

// settle forgets how the state came about.
func (k *stood) settle() {
	s := k.w.s
	t := s.log
	s.log = nil
	s.end(t)
	s.order = s.order[:0]
}

// see makes the view anew. fell is what is down right after the loss, sorted.
func (k *stood) see(fell []node) {
	m := k.w.m
	before := slices.DeleteFunc(slices.Clone(fell), func(n node) bool { return !m.base.val[n] })
	k.v = &View{w: k.w, fell: fell, Lost: k.v.Lost, Delta: k.w.delta(fell, k.w.missed(before)), kept: k}
	k.v.im = &Impact{Snapshot: m.snap, Lost: k.v.Lost, LostDomains: k.v.LostDomains, fallen: k.w.s, back: k.w.s}
}

// Renew goes over to a snapshot that differs in nothing that impact looks at:
// titles, users, costs, objectives and the like. The caller answers for it.
func (st *Standing) Renew(s *estate.Snapshot) {
	st.m.snap = s
	for _, k := range st.held {
		k.turned = false
		if k.w != nil {
			k.v.im.Snapshot = s
		}
	}
}

// Follow goes over to a snapshot with the same names, of which no documents but
// the changed ones differ. It does nothing, and ok is false, where a document has
// another number of actions or parts. The snapshot of before is not looked at: it
// may be the same one, changed.
func (st *Standing) Follow(s *estate.Snapshot, changed []estate.Ref) (ok bool) {
	m := st.m
	for _, r := range changed {
		if !m.shaped(s, r) {
			return false
		}
	}
	st.epoch++
	st.area = st.area[:0]
	m.snap = s
	st.rewire(changed)
	for _, r := range changed {
		if r.Kind == estate.KindComponent {
			m.rehost(r.Index)
		}
	}
	st.spread(changed)
	if !st.keepCycles(changed) {
		m.sccNodes = nil
		m.findCycles()
	}
	m.base.grow(nil)
	st.fallAgain(m.base, nil)
	m.note()
	st.each(func(k *stood) { st.again(k) })
	return true
}

// each calls f for the losses that were visited, on all processors.
func (st *Standing) each(f func(*stood)) {
	var (
		wait sync.WaitGroup
		next atomic.Int64
	)
	for range min(runtime.GOMAXPROCS(0), len(st.held)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(st.held); i = int(next.Add(1)) - 1 {
				if st.held[i].w != nil {
					f(st.held[i])
				}
			}
		})
	}
	wait.Wait()
}

// shaped reports whether a document has the nodes of its own that it had.
func (m *model) shaped(s *estate.Snapshot, r estate.Ref) bool {
	switch r.Kind {
	case estate.KindComponent:
		return len(s.Components[r.Index].Actions) == int(m.firstAct[r.Index+1]-m.firstAct[r.Index])
	case estate.KindService:
		end := len(m.partService)
		if r.Index+1 < len(m.firstPart) {
			end = int(m.firstPart[r.Index+1])
		}
		return len(s.Services[r.Index].Parts) == end-int(m.firstPart[r.Index])
	case estate.KindDomain, estate.KindCrew, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	return true
}

// own lists the nodes that stand for a document, its parts and its actions.
func (m *model) own(r estate.Ref) []node {
	var out []node
	switch r.Kind {
	case estate.KindComponent:
		out = append(out, m.compBase+node(r.Index))
		for a, end := m.actions(int32(r.Index)); a < end; a++ {
			out = append(out, a)
		}
	case estate.KindService:
		out = append(out, m.svcBase+node(r.Index))
		for j := range m.snap.Services[r.Index].Parts {
			out = append(out, m.partNode(r.Index, j))
		}
	case estate.KindDomain, estate.KindCrew:
		out = append(out, m.nodeOf(r))
	case estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	return out
}

// wants returns the place of a document among the wants, or -1.
func (m *model) wants(r estate.Ref) int {
	switch r.Kind {
	case estate.KindComponent:
		return r.Index
	case estate.KindService:
		return len(m.snap.Components) + r.Index
	case estate.KindDomain, estate.KindCrew, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	return -1
}

// gates is the first node that stands for a condition and nothing else.
func (m *model) gates() node { return m.actBase + node(len(m.actComp)) }

// rewire builds the conditions of the changed documents anew, in place, and begins
// the area with their nodes. Gates out of use ask for nothing, and nothing asks
// for them, until they serve another condition.
func (st *Standing) rewire(changed []estate.Ref) {
	m := st.m
	b := builder{m: m, some: map[node]int{}, idle: st.idle, next: node(m.nodes)}
	for _, r := range changed {
		for _, n := range m.own(r) {
			st.add(n)
			b.at(n)
			st.drop(&b, n)
		}
		if w := m.wants(r); w >= 0 && m.want[w] != none {
			n := m.want[w]
			m.wanted[n] = slices.DeleteFunc(slices.Clone(m.wanted[n]), func(x int32) bool { return int(x) == w })
			if n >= m.gates() {
				b.at(n)
				st.drop(&b, n)
				st.add(n)
				b.idle = append(b.idle, n)
			}
		}
	}
	for _, r := range changed {
		switch r.Kind {
		case estate.KindDomain:
			b.domain(r.Index)
		case estate.KindComponent:
			b.component(r.Index)
		case estate.KindService:
			b.service(r.Index)
		case estate.KindCrew:
			b.crew(r.Index)
		case estate.KindLimit, estate.KindProbe, estate.KindOption:
		}
	}
	st.idle = b.idle
	m.grow(int(b.next))
	for len(st.mark) < m.nodes {
		st.mark = append(st.mark, 0)
	}
	for i, n := range b.nodes {
		st.add(n)
		m.need[n] = b.need[i]
		replace(&m.inputs, &m.ins[n], b.in[i])
		for _, in := range b.in[i] {
			insert(&m.ups, &m.outs[in], n)
		}
	}
	for _, r := range changed {
		if w := m.wants(r); w >= 0 && m.want[w] != none {
			m.wanted[m.want[w]] = append(slices.Clone(m.wanted[m.want[w]]), int32(w))
		}
	}
}

// drop takes away the inputs of a node, and takes those that are gates, which
// belong to it alone, out of use.
func (st *Standing) drop(b *builder, n node) {
	m := st.m
	for _, in := range m.in(n) {
		remove(m.ups, &m.outs[in], n)
		if in >= m.gates() {
			b.at(in)
			st.drop(b, in)
			st.add(in)
			b.idle = append(b.idle, in)
		}
	}
	replace(&m.inputs, &m.ins[n], nil)
	m.need[n] = 0
}

// add notes that a node is in the area.
func (st *Standing) add(n node) {
	if st.mark[n] != st.epoch {
		st.mark[n] = st.epoch
		st.area = append(st.area, n)
	}
}

func (st *Standing) in(n node) bool { return st.mark[n] == st.epoch }

// grow makes room for new gates.
func (m *model) grow(nodes int) {
	for m.nodes < nodes {
		m.need = append(m.need, 0)
		m.ins, m.outs = append(m.ins, span{}), append(m.outs, span{})
		m.wanted, m.scc = append(m.wanted, nil), append(m.scc, -1)
		m.nodes++
	}
}

// replace makes a list of a packed one another.
func replace(all *[]node, at *span, list []node) {
	if n := int32(len(list)); at.room-at.from < n {
		at.from = int32(len(*all))
		*all = append(*all, list...)
		at.to, at.room = at.from+n, at.from+n
		return
	}
	at.to = at.from + int32(copy((*all)[at.from:at.room], list))
}

func insert(all *[]node, at *span, n node) {
	if at.to == at.room { // twice the room, so that what is left behind is not more than there is
		list := (*all)[at.from:at.to]
		from := int32(len(*all))
		*all = append(*all, list...)
		to := int32(len(*all))
		for range len(list) + 1 {
			*all = append(*all, none)
		}
		*at = span{from, to, int32(len(*all))}
	}
	(*all)[at.to] = n
	at.to++
}

func remove(all []node, at *span, n node) {
	for i := at.from; i < at.to; i++ {
		if all[i] == n {
			at.to--
			all[i] = all[at.to]
			return
		}
	}
}

// rehost notes anew where a component stands.
func (m *model) rehost(c int) {
	for _, r := range m.stands[c] {
		m.hosts[r.In] = slices.DeleteFunc(m.hosts[r.In], func(x int32) bool { return int(x) == c })
	}
	m.total[c], m.stands[c] = 0, m.snap.Components[c].Replicas
	for _, r := range m.snap.Components[c].Replicas {
		m.total[c] += int32(r.Count)
		if at, found := slices.BinarySearch(m.hosts[r.In], int32(c)); !found {
			m.hosts[r.In] = slices.Insert(m.hosts[r.In], at, int32(c))
		}
	}
}

// spread adds to the area all that the change reaches: what needs a thing in it,
// the component of each action in it with its other actions, and what stands, is
// copied to or comes back in a domain in it.
func (st *Standing) spread(changed []estate.Ref) {
	m := st.m
	for _, r := range changed {
		if r.Kind == estate.KindLimit {
			st.addActions(func(act *estate.Action) bool {
				return slices.ContainsFunc(act.Uses, func(u estate.Use) bool { return u.Index == r.Index })
			})
		}
	}
	climb := func(from int) {
		for i := from; i < len(st.area); i++ {
			n := st.area[i]
			for _, up := range m.out(n) {
				st.add(up)
			}
			switch {
			case m.isAction(n):
				st.add(m.compBase + m.actComp[n-m.actBase])
			case m.isComp(n):
				for a, end := m.actions(n - m.compBase); a < end; a++ {
					st.add(a)
				}
			}
		}
	}
	climb(0)
	if !slices.ContainsFunc(st.area, func(n node) bool { return n < m.compBase }) {
		return
	}
	reached := len(st.area)
	for c := range m.snap.Components {
		comp := &m.snap.Components[c]
		in := func(d int) bool { return st.in(node(d)) }
		if slices.ContainsFunc(comp.Replicas, func(r estate.Replica) bool { return in(r.In) }) ||
			comp.Data != nil && slices.ContainsFunc(comp.Data.Copies, func(k estate.Copy) bool { return in(k.In) }) ||
			slices.ContainsFunc(comp.Actions, func(act estate.Action) bool { return slices.ContainsFunc(act.At, in) }) {
			st.add(m.compBase + node(c))
		}
	}
	climb(reached)
}

// addActions adds the actions that f says.
func (st *Standing) addActions(f func(*estate.Action) bool) {
	m := st.m
	for i, c := range m.actComp {
		if f(&m.snap.Components[c].Actions[m.actIndex[i]]) {
			st.add(m.actBase + node(i))
		}
	}
}

// keepCycles reports whether the run-time cycles of before are those of now: no
// changed document was in one or is. Whatever else runs in a cycle has the inputs
// that it had.
func (st *Standing) keepCycles(changed []estate.Ref) bool {
	m := st.m
	for _, r := range changed {
		switch r.Kind {
		case estate.KindComponent, estate.KindService, estate.KindCrew:
		case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
			continue // domains are in none
		}
		n := m.nodeOf(r)
		if m.scc[n] >= 0 {
			return false
		}
		seen := map[node]bool{}
		for stack := []node{n}; len(stack) > 0; {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, i := range m.in(v) {
				if i == n {
					return false
				}
				// A way back to n goes through what needs it: that is in the area.
				if st.in(i) && !seen[i] {
					seen[i] = true
					stack = append(stack, i)
				}
			}
		}
	}
	m.upward = sync.OnceValue(func() [][]node { return components(m.nodes, m.in) })
	return true
}

// grow makes room for new gates; w is the sweep that the state belongs to, if any.
func (s *state) grow(w *Sweep) {
	for n := len(s.val); n < s.m.nodes; n++ {
		s.val, s.flag = append(s.val, true), append(s.flag, true)
		s.count, s.rank, s.hyp = append(s.count, 0), append(s.rank, 0), append(s.hyp, -1)
		if w != nil {
			w.when = append(w.when, 0)
		}
	}
	if len(s.stale) != len(s.m.sccNodes) {
		s.stale = make([]bool, len(s.m.sccNodes))
	}
}

// fallAgain finds what of the area is up right after the loss: all of it is taken
// as up, then what cannot be is taken away. What is outside is as it was.
func (st *Standing) fallAgain(s *state, lost []int) {
	m := s.m
	for _, n := range st.area {
		s.val[n], s.flag[n], s.rank[n] = true, true, 0
	}
	for _, d := range lost {
		if st.in(node(d)) {
			s.flag[d] = false
		}
	}
	for _, n := range st.area {
		s.count[n] = 0
		for _, i := range m.in(n) {
			if s.val[i] && s.rank[i] == 0 {
				s.count[n]++
			}
		}
		if !m.isComp(n) {
			continue
		}
		c := n - m.compBase
		s.living[c], s.direct[c] = 0, false
		for _, r := range m.snap.Components[c].Replicas {
			if s.val[r.In] {
				s.living[c] += int32(r.Count)
			}
		}
		for a, end := m.firstAct[c], m.firstAct[c+1]; a < end; a++ {
			s.ran[a] = 0
		}
		s.flag[n] = s.holds(c)
	}
	for _, n := range st.area {
		if !s.flag[n] || s.count[n] < m.need[n] {
			s.fall(n)
		}
	}
	s.spread()
	for _, n := range st.area {
		if m.isComp(n) {
			s.held[n-m.compBase] = s.flag[n]
		}
	}
}

// again brings one loss up to date.
func (st *Standing) again(k *stood) {
	var (
		s, m  = k.w.s, st.m
		tells = func(n node) bool { return n >= m.svcBase && n < m.crewBase || n >= m.partBase && n < m.actBase }
		was   = make([]bool, len(st.area))
	)
	s.grow(k.w)
	for i, n := range st.area {
		was[i] = tells(n) && s.val[n] || m.isComp(n) && s.flag[n]
	}
	s.clock = 0
	st.fallAgain(s, k.v.Lost)
	st.recoverAgain(k)
	k.settle()
	k.turned = false
	for i, n := range st.area {
		k.turned = k.turned || was[i] != (tells(n) && s.val[n] || m.isComp(n) && s.flag[n])
	}
	fell := make([]node, 0, len(k.v.fell)+len(st.area)/4)
	for _, n := range k.v.fell {
		if !st.in(n) {
			fell = append(fell, n)
		}
	}
	rest := len(fell)
	for _, n := range st.area {
		if !s.val[n] || s.rank[n] != 0 {
			fell = append(fell, n)
		}
	}
	if len(fell) > rest {
		slices.Sort(fell)
	}
	k.see(fell)
	if k.asked {
		st.relock(k)
	}
}

// recoverAgain is [Sweep.play] of the area: what is outside comes up when it did.
func (st *Standing) recoverAgain(k *stood) {
	var (
		w, s, m = k.w, k.w.s, st.m
		bumps   []bump
		queue   finishes
		now     time.Duration
		timed   int
		next    int
	)
	s.begin()
	for _, n := range st.area {
		for _, i := range m.in(n) {
			switch {
			case st.in(i) || !s.val[i] || s.rank[i] == 0:
			case s.val[n]:
				s.count[n]++
			default:
				bumps = append(bumps, bump{w.when[i], n})
			}
		}
		if m.isComp(n) && !s.held[n-m.compBase] {
			for a, end := m.actions(n - m.compBase); a < end; a++ {
				if s.val[a] {
					s.offer(a)
				}
			}
		}
	}
	slices.SortFunc(bumps, func(a, b bump) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.n, b.n)) })
	for {
		for ; next < len(bumps) && bumps[next].at <= now; next++ {
			n := bumps[next].n
			s.count[n]++
			s.check(n)
		}
		s.raise()
		for ; timed < len(s.log.rose); timed++ {
			w.when[s.log.rose[timed]] = now
		}
		for _, a := range s.ready {
			w.began[a] = now
			heap.Push(&queue, finish{now + s.action(a).Takes.Likely, a})
		}
		s.ready = s.ready[:0]
		switch {
		case len(queue) > 0 && (next == len(bumps) || queue[0].at <= bumps[next].at):
			now = queue[0].at
		case next < len(bumps):
			now = bumps[next].at
		default:
			return
		}
		for len(queue) > 0 && queue[0].at == now {
			done, _ := heap.Pop(&queue).(finish)
			s.act(done.action)
		}
	}
}

// deadlocks is [View.Deadlocks], once.
func (k *stood) deadlocks() []Deadlock {
	if !k.asked {
		down := k.v.stuck()
		k.locks, k.asked = k.w.s.deadlocksAmong(down, func() []node { return down }), true
	}
	return k.locks
}

// relock finds the deadlocks anew in the area. Those outside hang on nothing in it.
func (st *Standing) relock(k *stood) {
	m := st.m
	kept := slices.DeleteFunc(slices.Clone(k.locks), func(d Deadlock) bool {
		return slices.ContainsFunc(d.Cycle, func(r estate.Ref) bool { return st.in(m.nodeOf(r)) })
	})
	var down []node
	for _, n := range st.area {
		if n >= m.compBase && !k.w.s.val[n] {
			down = append(down, n)
		}
	}
	slices.Sort(down)
	k.locks = append(kept, k.w.s.deadlocksAmong(down, k.v.stuck)...)
	slices.SortFunc(k.locks, byCycle)
}
