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
// estate as it changes, at the cost of what a change does: a thing is judged anew
// where something that it needs came out otherwise, and no further. What it says
// is what a new [Sweep] says, always. Different losses may be visited at the same
// time, and nothing else may go on while it follows.
type Standing struct {
	m    *model // its own, changed in place
	base *stood // the estate with nothing lost, and nothing recovered
	held []*stood

	idle  []node // gates out of use
	seeds []node // where a change begins
	wants bool   // a document that changed wants something, or did
	moves Moves  // of the change that is followed
	moved bool   // the nodes have other numbers than before, or are otherwise with nothing lost
	ties  ties
}

// stood is one loss that is kept.
type stood struct {
	s *state
	w *Sweep // it has lost the domains, and recovered; nil of the base
	v *View

	area   area
	cone   area       // what changed, and what may have another reason to be down than before
	locks  []Deadlock // once asked for
	asked  bool
	moved  bool // the last change moved anything
	turned bool // the last change turned what services come back, or which components hold
}

// An area is a set of nodes, and what each was.
type area struct {
	mark  []int32 // of each node: the epoch in which it was last in the area
	epoch int32
	nodes []node
	was   []moment
}

// A moment is what a node is, or was before a change.
type moment struct {
	up, val, flag, held bool
	when                time.Duration
}

// endsAs reports whether two moments differ in nothing but when things were up.
func (t moment) endsAs(o moment) bool { return t.val == o.val && t.flag == o.flag && t.held == o.held }

func (a *area) has(n node) bool { return a.mark[n] == a.epoch }

func (a *area) add(n node) {
	if a.mark[n] != a.epoch {
		a.mark[n] = a.epoch
		a.nodes = append(a.nodes, n)
	}
}

// begin empties the area, which nodes may be added to up to a number.
func (a *area) begin(nodes int) {
	if more := nodes - len(a.mark); more > 0 {
		a.mark = append(a.mark, make([]int32, more)...)
	}
	a.epoch++
	a.nodes, a.was = a.nodes[:0], a.was[:0]
}

// Stand keeps what the losses do, each given as the indices of its domains. The
// engine goes over to it and is not to be used any more.
func (e *Engine) Stand(losses [][]int) *Standing {
	st := &Standing{m: e.m, base: &stood{s: e.m.base, v: &View{}}}
	st.Lose(losses)
	return st
}

// Lose makes these the losses, each of them once. One that was among them before is
// kept as it is.
func (st *Standing) Lose(losses [][]int) {
	held := make([]*stood, len(losses))
	for i, lost := range losses {
		held[i] = &stood{v: &View{Lost: lost}}
		for _, k := range st.held {
			if slices.Equal(k.v.Lost, lost) {
				held[i] = k
			}
		}
	}
	st.held = held
}

// Nodes is how large the estate is to a standing, which takes some 40 bytes for
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
	k.s.clock = 0
	k.s.forget()
	f(k.v)
}

// Turned reports whether the last change that was followed turned, in a loss,
// whether a service or a part of one comes back or whether a component holds in
// the end.
func (st *Standing) Turned(i int) bool { return st.held[i].turned }

// Moved reports whether the last change that was followed moved anything in a loss:
// whether it goes down, comes back, when, and with which of its own actions.
func (st *Standing) Moved(i int) bool { return st.held[i].moved || st.held[i].news() }

// Stirred reports whether the last change that was followed made a thing another in
// a loss, or what it would have to wait for to come back.
func (st *Standing) Stirred(i int, r estate.Ref) bool { return st.held[i].stirred(st.m.nodeOf(r)) }

// PartStirred is like [Standing.Stirred] for a part of a service.
func (st *Standing) PartStirred(i, service, part int) bool {
	return st.held[i].stirred(st.m.partNode(service, part))
}

func (k *stood) stirred(n node) bool { return k.news() || k.cone.has(n) }

// news reports whether a loss has followed no change yet: all of it is another.
func (k *stood) news() bool { return k.cone.mark == nil }

// begin loses the domains for the first time.
func (k *stood) begin(m *model) {
	k.w = (&Engine{m: m}).NewSweep()
	k.s = k.w.s
	k.w.when, k.w.began = make([]time.Duration, m.nodes), make([]time.Duration, len(m.actComp))
	k.s.lose(k.v.Lost)
	fell := append(slices.Clone(k.s.log.fell), m.down...)
	slices.Sort(fell)
	k.w.play()
	k.settle()
	k.see(fell)
}

// settle forgets how the state came about.
func (k *stood) settle() {
	t := k.s.log
	k.s.log = nil
	k.s.end(t)
	k.s.order = k.s.order[:0]
}

// see makes the view anew. fell is what is down right after the loss, sorted.
func (k *stood) see(fell []node) {
	m := k.w.m
	before := fell
	if len(m.down) > 0 {
		before = slices.DeleteFunc(slices.Clone(fell), func(n node) bool { return !m.base.val[n] })
	}
	k.v = &View{w: k.w, fell: fell, Lost: k.v.Lost, Delta: k.w.delta(fell, k.w.missed(before)), kept: k}
	k.v.im = &Impact{Snapshot: m.snap, Lost: k.v.Lost, LostDomains: k.v.LostDomains, fallen: k.s, back: k.s}
}

// Renew goes over to a snapshot of which the changed documents differ in nothing
// that impact looks at: titles, users, costs, objectives and the like. The caller
// answers for it, and says which of them what waits for them is to be stirred by.
func (st *Standing) Renew(s *estate.Snapshot, changed, stirring []estate.Ref) {
	m := st.m
	m.snap = s
	var own, cause []node
	for _, r := range changed {
		own = append(own, m.own(r)...)
	}
	for _, r := range stirring {
		cause = append(cause, m.own(r)...)
	}
	for _, k := range st.held {
		k.turned, k.moved = false, false
		if k.w == nil {
			continue
		}
		k.v.im.Snapshot = s
		st.stir(k, cause, nil)
		for _, n := range own {
			k.cone.add(n)
		}
	}
}

// Follow goes over to a snapshot of which no documents but the changed ones differ,
// those that came among them; of the recounted ones, crews and limits, only the
// number of people or slots does. A loss of which a domain is gone is one no more.
// The snapshot of before is not looked at: it may be the same one, changed.
func (st *Standing) Follow(s *estate.Snapshot, moves Moves, changed, recounted []estate.Ref) {
	m := st.m
	old := moves.gone()
	st.held = slices.DeleteFunc(st.held, func(k *stood) bool {
		return slices.ContainsFunc(k.v.Lost, func(d int) bool { return moves.Now(estate.KindDomain, d) < 0 })
	})
	st.moves, st.moved = moves, len(moves) > 0
	for _, r := range changed {
		if was, had := moves.Before(r); had {
			old = append(old, was)
			st.moved = st.moved || !m.shaped(s, r, was)
		}
	}
	broken := m.cyclesOf(old)
	loose := st.unwire(old)
	m.snap = s
	if st.moved {
		loose = st.renumber(moves, loose)
	}
	st.wire(changed, loose)
	for _, r := range changed {
		if r.Kind == estate.KindComponent {
			m.rehost(r.Index)
		}
	}
	st.sow(slices.Concat(changed, recounted))
	st.sowUnder(changed)
	st.recycle(broken, changed)
	m.upward = sync.OnceValue(func() [][]node { return components(m.nodes, m.in) })
	st.ties = m.tied()
	st.again(st.base)
	for i, n := range st.base.area.nodes { // a delta leaves out what is missed with nothing lost
		st.moved = st.moved || st.base.area.was[i] != st.base.now(n)
	}
	m.note()
	st.each(st.again)
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

// shaped reports whether a document has as many parts or actions as it had.
func (m *model) shaped(s *estate.Snapshot, r, was estate.Ref) bool {
	switch r.Kind {
	case estate.KindComponent:
		first, end := m.actions(int32(was.Index))
		return len(s.Components[r.Index].Actions) == int(end-first)
	case estate.KindService:
		first, end := m.parts(was.Index)
		return len(s.Services[r.Index].Parts) == int(end-first)
	case estate.KindDomain, estate.KindCrew, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	return true
}

// parts returns the nodes of the parts of a service.
func (m *model) parts(service int) (first, end node) {
	first, end = m.partBase+m.firstPart[service], m.actBase
	if service+1 < len(m.firstPart) {
		end = m.partBase + m.firstPart[service+1]
	}
	return first, end
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
		for p, end := m.parts(r.Index); p < end; p++ {
			out = append(out, p)
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
		return len(m.total) + r.Index
	case estate.KindDomain, estate.KindCrew, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	return -1
}

// gates is the first node that stands for a condition and nothing else.
func (m *model) gates() node { return m.actBase + node(len(m.actComp)) }

// unwire takes away the conditions of some documents, and where they stand. Gates
// out of use ask for nothing, and nothing asks for them, until they serve another
// condition; they are returned.
func (st *Standing) unwire(old []estate.Ref) (loose []node) {
	m := st.m
	st.wants = false
	for _, r := range old {
		for _, n := range m.own(r) {
			st.drop(n, &loose)
		}
		if w := m.wants(r); w >= 0 && m.want[w] != none {
			st.wants = true
			n := m.want[w]
			m.want[w] = none
			m.wanted[n] = slices.DeleteFunc(slices.Clone(m.wanted[n]), func(x int32) bool { return int(x) == w })
			if n >= m.gates() {
				st.drop(n, &loose)
				loose = append(loose, n)
			}
		}
		if r.Kind == estate.KindComponent {
			m.unhost(r.Index)
		}
	}
	st.idle = append(st.idle, loose...)
	return loose
}

// wire builds the conditions of documents that have none, in place, and notes their
// nodes and the loose ones as the seeds of the change.
func (st *Standing) wire(changed []estate.Ref, loose []node) {
	m := st.m
	b := builder{m: m, some: map[node]int{}, idle: st.idle, next: node(m.nodes)}
	for _, n := range loose {
		b.at(n)
	}
	for _, r := range changed {
		for _, n := range m.own(r) {
			b.at(n)
		}
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
	st.seeds = b.nodes
	for i, n := range b.nodes {
		m.need[n] = b.need[i]
		replace(&m.inputs, &m.ins[n], b.in[i])
		for _, in := range b.in[i] {
			insert(&m.ups, &m.outs[in], n)
		}
	}
	for _, r := range changed {
		if w := m.wants(r); w >= 0 && m.want[w] != none {
			st.wants = true
			m.wanted[m.want[w]] = append(slices.Clone(m.wanted[m.want[w]]), int32(w))
		}
	}
}

// drop takes away the inputs of a node, and takes those that are gates, which
// belong to it alone, out of use.
func (st *Standing) drop(n node, loose *[]node) {
	m := st.m
	for _, in := range m.in(n) {
		remove(m.ups, &m.outs[in], n)
		if in >= m.gates() {
			st.drop(in, loose)
			*loose = append(*loose, in)
		}
	}
	replace(&m.inputs, &m.ins[n], nil)
	m.need[n] = 0
}

// grow makes room for new gates.
func (m *model) grow(nodes int) {
	for m.nodes < nodes {
		m.need = append(m.need, 0)
		m.ins, m.outs = append(m.ins, span{}), append(m.outs, span{})
		m.wanted, m.scc, m.inner = append(m.wanted, nil), append(m.scc, -1), append(m.inner, 0)
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

// unhost notes that a component stands nowhere.
func (m *model) unhost(c int) {
	for _, r := range m.stands[c] {
		m.hosts[r.In] = slices.DeleteFunc(m.hosts[r.In], func(x int32) bool { return int(x) == c })
	}
	m.total[c], m.stands[c] = 0, nil
}

// rehost notes where a component stands that stood nowhere.
func (m *model) rehost(c int) {
	m.stands[c] = m.snap.Components[c].Replicas
	for _, r := range m.snap.Components[c].Replicas {
		m.total[c] += int32(r.Count)
		if at, found := slices.BinarySearch(m.hosts[r.In], int32(c)); !found {
			m.hosts[r.In] = slices.Insert(m.hosts[r.In], at, int32(c))
		}
	}
}

// sow adds to the seeds the actions that there were enough people or slots for, and
// are not any more, or the other way round.
func (st *Standing) sow(changed []estate.Ref) {
	m := st.m
	enough := func(have, asked int) bool { return have < 0 || asked <= have }
	turns := func(uses []estate.Use, i, was, is int) bool {
		return slices.ContainsFunc(uses, func(u estate.Use) bool {
			return u.Index == i && enough(was, u.Count) != enough(is, u.Count)
		})
	}
	for _, r := range changed {
		switch r.Kind {
		case estate.KindCrew:
			was, is := m.people[r.Index], m.snap.Crews[r.Index].People
			m.people[r.Index] = is
			for _, a := range m.out(m.nodeOf(r)) {
				if m.isAction(a) && turns(m.action(a).Crew, r.Index, was, is) {
					st.seeds = append(st.seeds, a)
				}
			}
		case estate.KindLimit:
			was, is := m.slots[r.Index], m.snap.Limits[r.Index].Slots
			m.slots[r.Index] = is
			for a := m.actBase; was != is && a < m.gates(); a++ {
				if turns(m.action(a).Uses, r.Index, was, is) {
					st.seeds = append(st.seeds, a)
				}
			}
		case estate.KindDomain, estate.KindComponent, estate.KindService, estate.KindProbe, estate.KindOption:
		}
	}
}

func (m *model) action(a node) *estate.Action {
	i := a - m.actBase
	return &m.snap.Components[m.actComp[i]].Actions[m.actIndex[i]]
}

// sowUnder adds to the seeds what is in a domain that changed, and what stands, is
// copied to or comes back there. What is in one that came has changed itself.
func (st *Standing) sowUnder(changed []estate.Ref) {
	m := st.m
	var under area
	for _, r := range changed {
		if r.Kind == estate.KindDomain && st.stayed(node(r.Index)) {
			if under.mark == nil {
				under.begin(m.nodes)
			}
			under.add(node(r.Index))
		}
	}
	if under.mark == nil {
		return
	}
	for i := 0; i < len(under.nodes); i++ {
		for _, up := range m.out(under.nodes[i]) {
			if up < m.compBase || up >= m.gates() {
				under.add(up)
			}
		}
	}
	st.seeds = append(st.seeds, under.nodes...)
	m.placedIn(under.has, func(c node) { st.seeds = append(st.seeds, c) })
}

// stayed reports whether a domain was there before the change.
func (st *Standing) stayed(n node) bool {
	_, had := st.moves.Before(estate.Ref{Kind: estate.KindDomain, Index: int(n)})
	return had
}

// placedIn calls f for the components that stand, are copied to or come back in
// one of some domains.
func (m *model) placedIn(some func(node) bool, f func(c node)) {
	in := func(d int) bool { return some(node(d)) }
	for i := range m.snap.Components {
		c := &m.snap.Components[i]
		if slices.ContainsFunc(c.Replicas, func(r estate.Replica) bool { return in(r.In) }) ||
			c.Data != nil && slices.ContainsFunc(c.Data.Copies, func(k estate.Copy) bool { return in(k.In) }) ||
			slices.ContainsFunc(c.Actions, func(act estate.Action) bool { return slices.ContainsFunc(act.At, in) }) {
			f(m.compBase + node(i))
		}
	}
}

// cyclesOf lists the run-time cycles that some documents are in.
func (m *model) cyclesOf(list []estate.Ref) []int32 {
	var out []int32
	for _, r := range list {
		switch r.Kind {
		case estate.KindComponent, estate.KindService, estate.KindCrew:
			if k := m.scc[m.nodeOf(r)]; k >= 0 {
				out = append(out, k)
			}
		case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption: // are in none
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// recycle brings the run-time cycles up to date: what is left of those that a changed
// document was in may be in others, or in none, and a new one has such a document in
// it. Whatever else runs in one has the inputs that it had.
func (st *Standing) recycle(broken []int32, changed []estate.Ref) {
	m := st.m
	var nodes []node
	for _, k := range broken {
		nodes = append(nodes, m.unmark(k)...)
	}
	for _, r := range changed {
		switch r.Kind {
		case estate.KindComponent, estate.KindService, estate.KindCrew:
			nodes = append(nodes, m.nodeOf(r))
		case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
		}
	}
	m.findCyclesOf(nodes)
}

// ties are the groups of nodes that may hold each other up in no time: run-time
// cycles, and cycles through actions that take none. A group is judged as a whole.
// Any other cycle takes time to go round, so nothing in it can be what it is only
// because of itself, and it may be judged piece by piece.
type ties struct {
	of      []int32 // of each node: its group, or -1
	members [][]node
}

func (m *model) tied() ties {
	instant := func(a node) bool { return m.action(a).Takes.Likely <= 0 }
	some := false
	for i := range m.actComp {
		some = some || instant(m.actBase+node(i))
	}
	if !some {
		return ties{m.scc, m.sccNodes}
	}
	t := ties{of: make([]int32, m.nodes)}
	var list []node
	edges := make(map[node][]node)
	for c := range m.total {
		n := m.compBase + node(c)
		list = nil
		for a, end := m.actions(int32(c)); a < end; a++ {
			if instant(a) {
				list = append(list, a)
			}
		}
		if list != nil {
			edges[n] = append(list, m.in(n)...)
		}
	}
	for _, group := range components(m.nodes, func(n node) []node {
		if e, ok := edges[n]; ok {
			return e
		}
		return m.in(n)
	}) {
		id := int32(-1)
		if len(group) > 1 {
			id = int32(len(t.members))
			t.members = append(t.members, group)
		}
		for _, n := range group {
			t.of[n] = id
		}
	}
	return t
}

// grow makes room for new gates; w is the sweep that the state belongs to, if any.
func (s *state) grow(w *Sweep) {
	n := s.m.nodes
	s.val, s.flag = resized(s.val, n, true), resized(s.flag, n, true)
	s.count, s.rank, s.hyp = resized(s.count, n, 0), resized(s.rank, n, 0), resized(s.hyp, n, -1)
	if w != nil {
		w.when = resized(w.when, n, 0)
	}
	if len(s.stale) != len(s.m.sccNodes) {
		s.stale = make([]bool, len(s.m.sccNodes))
	}
}

// fallAgain finds what of the area is up right after the loss: all of it is taken
// as up, then what cannot be is taken away. What is outside is as it was.
func (k *stood) fallAgain() {
	s, m := k.s, k.s.m
	for _, n := range k.area.nodes {
		s.val[n], s.flag[n], s.rank[n] = true, true, 0
	}
	for _, d := range k.v.Lost {
		if k.area.has(node(d)) {
			s.flag[d] = false
		}
	}
	for _, n := range k.area.nodes {
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
		for i := range m.stands[c] {
			if r := &m.stands[c][i]; s.val[r.In] {
				s.living[c] += int32(r.Count)
			}
		}
		for a, end := m.firstAct[c], m.firstAct[c+1]; a < end; a++ {
			s.ran[a] = 0
		}
		s.flag[n] = s.holds(c)
	}
	for _, n := range k.area.nodes {
		if !s.flag[n] || s.count[n] < m.need[n] {
			s.fall(n)
		}
	}
	s.spread()
	for _, n := range k.area.nodes {
		if m.isComp(n) {
			s.held[n-m.compBase] = s.flag[n]
		}
	}
}

// now is what a node is.
func (k *stood) now(n node) moment {
	s := k.s
	t := moment{up: s.val[n] && s.rank[n] == 0, val: s.val[n], flag: s.flag[n]}
	if s.m.isComp(n) {
		t.held = s.held[n-s.m.compBase]
	}
	if t.val && !t.up {
		t.when = k.w.when[n]
	}
	return t
}

// An area grows by what needs something that came out otherwise: so often, or while all
// that needs this in its turn would make it more than so many times as large. Each time
// the whole of it is judged again.
const (
	mostRounds = 3
	mostTimes  = 3
)

// again brings one loss up to date: the seeds are judged, then what needs one that
// came out otherwise together with them, until nothing outside does.
func (st *Standing) again(k *stood) {
	s, m, a := k.s, st.m, &k.area
	s.grow(k.w)
	a.begin(m.nodes)
	for _, n := range st.seeds {
		a.add(n)
	}
	st.close(k, 0, 0)
	s.area, s.clock = a, 0
	for round, from := 1, 0; from < len(a.nodes); round++ {
		k.fallAgain()
		if k.w != nil {
			k.recoverAgain()
			k.settle()
		}
		size := len(a.nodes)
		for i, n := range a.nodes[:size] {
			if k.now(n) == a.was[i] {
				continue
			}
			for _, up := range m.out(n) {
				a.add(up)
			}
			if n < m.compBase && st.stayed(n) {
				m.placedIn(func(d node) bool { return d == n }, func(c node) { a.add(c) })
			}
		}
		most := mostTimes * len(a.nodes)
		if round >= mostRounds {
			most = m.nodes
		}
		st.close(k, size, most)
		if from = size; from == len(a.nodes) {
			break
		}
	}
	s.area = nil
	if k.w != nil {
		st.tell(k)
	}
}

// close adds to an area what is judged together with what it has from a place on, and
// all that needs any of that where the area is no more than most then. It notes what
// all of it was.
func (st *Standing) close(k *stood, from, most int) {
	a := &k.area
	if now := len(a.nodes); !st.enclose(a, from, most) {
		for _, n := range a.nodes[now:] {
			a.mark[n] = 0
		}
		a.nodes = a.nodes[:now]
		st.enclose(a, from, 0)
	}
	for i := len(a.was); i < len(a.nodes); i++ {
		a.was = append(a.was, k.now(a.nodes[i]))
	}
}

// enclose adds to an area, from a place on, the component of each action, with its
// other actions, and what ties hold; with most set, also all that needs any of it. It
// gives up, and ok is false, where that makes the area more than most.
func (st *Standing) enclose(a *area, from, most int) (ok bool) {
	m := st.m
	for i := from; i < len(a.nodes); i++ {
		n := a.nodes[i]
		if most > 0 {
			for _, x := range m.out(n) {
				a.add(x)
			}
		}
		if t := st.ties.of[n]; t >= 0 {
			if all := st.ties.members[t]; n == all[0] || !a.has(all[0]) { // once for each group
				for _, x := range all {
					a.add(x)
				}
			}
		}
		switch {
		case m.isAction(n):
			a.add(m.compBase + m.actComp[n-m.actBase])
		case m.isComp(n):
			for x, end := m.actions(n - m.compBase); x < end; x++ {
				a.add(x)
			}
		}
		if most > 0 && len(a.nodes) > most {
			return false
		}
	}
	return true
}

// tell makes a view of what the area is now, and says what became of it.
func (st *Standing) tell(k *stood) {
	var (
		s, m, a = k.s, st.m, &k.area
		tells   = func(n node) bool { return n >= m.svcBase && n < m.crewBase || n >= m.partBase && n < m.actBase }
		other   = st.wants || st.moved
	)
	k.turned, k.moved = false, false
	var turned []node
	for i, n := range a.nodes {
		if was, now := a.was[i], k.now(n); was != now {
			if !was.endsAs(now) {
				turned = append(turned, n)
			}
			other, k.moved = true, true
			k.turned = k.turned || tells(n) && was.val != now.val || m.isComp(n) && was.flag != now.flag
		}
	}
	k.v.im.Snapshot = m.snap
	if other {
		fell := make([]node, 0, len(k.v.fell)+len(a.nodes)/4)
		for n, up := range s.val {
			if !up || s.rank[n] != 0 {
				fell = append(fell, node(n))
			}
		}
		k.see(fell)
	}
	st.stir(k, st.seeds, turned)
	if k.asked {
		st.relock(k)
	}
}

// stir finds what is down and waits for something that was asked of otherwise before,
// or turned, directly or not. What is up and was holds nothing up that is down, whenever
// it came up.
func (st *Standing) stir(k *stood, asked, turned []node) {
	s, m, c := k.s, st.m, &k.cone
	c.begin(m.nodes)
	push := func(n node) {
		if n >= m.compBase && !s.val[n] {
			c.add(n)
		}
	}
	above := func(n node) {
		for _, up := range m.out(n) {
			push(up)
		}
		if m.isAction(n) {
			push(m.compBase + m.actComp[n-m.actBase])
		}
	}
	for _, n := range asked {
		push(n)
		if m.isAction(n) {
			push(m.compBase + m.actComp[n-m.actBase])
		}
	}
	for _, n := range turned {
		push(n)
		above(n)
		if n < m.compBase && st.stayed(n) { // what is in one that came was asked
			m.placedIn(func(d node) bool { return d == n }, push)
		}
	}
	for i := 0; i < len(c.nodes); i++ {
		above(c.nodes[i])
	}
	for _, n := range asked {
		c.add(n)
	}
	for _, n := range turned {
		c.add(n)
	}
}

// recoverAgain is [Sweep.play] of the area: what is outside comes up when it did.
func (k *stood) recoverAgain() {
	var (
		w, s, m = k.w, k.s, k.s.m
		bumps   []bump
		queue   finishes
		now     time.Duration
		timed   int
		next    int
	)
	s.begin()
	for _, n := range k.area.nodes {
		for _, i := range m.in(n) {
			switch {
			case k.area.has(i) || !s.val[i] || s.rank[i] == 0:
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
		k.locks, k.asked = k.s.deadlocksAmong(down, func() []node { return down }), true
	}
	return k.locks
}

// relock finds the deadlocks anew among what the change stirred. Others hang on
// nothing that it touched.
func (st *Standing) relock(k *stood) {
	kept := slices.DeleteFunc(slices.Clone(k.locks), func(d Deadlock) bool {
		return slices.ContainsFunc(d.Cycle, func(r estate.Ref) bool { return k.stirred(st.m.nodeOf(r)) })
	})
	down := slices.DeleteFunc(slices.Sorted(slices.Values(k.cone.nodes)), func(n node) bool { return n < st.m.compBase || k.s.val[n] })
	k.locks = append(kept, k.s.deadlocksAmong(down, k.v.stuck)...)
	slices.SortFunc(k.locks, byCycle)
}
