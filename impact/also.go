package impact

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"bongsu/estate"
)

// Also hands f the view of losing one more domain besides those of v, at the
// cost of what the further loss changes, and takes it back.
//
// Losing more never brings anything up, and never sooner. So what hung on the
// domain is taken back from the end of the first recovery, too much rather than
// too little, and what still has a way is brought up again at its time (delete
// and rederive: Gupta, Mumick, Subrahmanian 1993). A thing keeps its place if
// enough of its inputs keep theirs and came up no later in that recovery, by
// rank and not by time: actions that take no time must not hold each other up.
// Among what never fell this is exact at once: the greatest fixpoint with less.
//
// The Delta of the view lists what the further loss changes: what falls only
// now, does not come back now, or comes back later; wants are left out.
// [View.Whole] has the whole loss, and so has everything that is asked by name.
func (v *View) Also(domain int, f func(*View)) {
	w := v.w
	if w.more == nil {
		w.more = newFurther(w)
	}
	x := w.more
	x.begin()
	x.lose(node(domain))
	x.rederive()
	also := &View{w: w, fell: v.fell, im: v.im, first: v, more: x, Delta: x.delta()}
	also.Lost = append(slices.Clone(v.Lost), domain)
	slices.Sort(also.Lost)
	also.Lost = slices.Compact(also.Lost)
	log := w.s.log
	w.s.log = nil
	w.s.forget()
	f(also)
	w.s.log = log
	x.undo()
	w.s.forget()
}

// further is what a sweep needs to lose one more domain, kept from one to the next.
type further struct {
	w     *Sweep
	epoch int32
	taken []int32 // of each node: the epoch in which it was last taken back
	seen  []int32 // of each node: the epoch in which its actions were last looked for
	saved []int32 // of each component: the epoch in which it was last saved
	near  []int32 // of each component: the epoch in which it was last reached

	placed [][]int32 // of each domain: the components with a replica, a copy or the place of an action in it

	queue    []node
	gone     []gone     // nodes taken back, in this order
	comps    []keptComp // components whose replicas or actions changed
	acts     []keptAct  // actions that had run and may not, or not yet
	close    []int32    // components of which anything may differ now
	redo     []int32    // components whose actions are to be offered again
	loose    []int32    // components that do not hold now, and did
	bumps    []bump     // what is still up and came up after a time
	finishes finishes
	told     Delta
	clock    int32
	order    int
}

// gone is a node that was up in the end of the first loss.
type gone struct {
	n    node
	rank int32
	when time.Duration
}

type keptComp struct {
	c, living          int32
	direct, held, flag bool
}

type keptAct struct {
	a, ran int32
	began  time.Duration
}

// bump is a moment at which an input of a node that was taken back comes up, or
// at which an action, itself not taken back, can start.
type bump struct {
	at time.Duration
	n  node
}

func newFurther(w *Sweep) *further {
	snap := w.m.snap
	x := &further{
		w: w, taken: make([]int32, w.m.nodes), seen: make([]int32, w.m.nodes),
		saved: make([]int32, len(w.m.total)), near: make([]int32, len(w.m.total)),
		placed: make([][]int32, len(snap.Domains)),
	}
	for i := range snap.Components {
		c := &snap.Components[i]
		note := func(d int) {
			if p := x.placed[d]; len(p) == 0 || p[len(p)-1] != int32(i) {
				x.placed[d] = append(p, int32(i))
			}
		}
		for j := range c.Replicas {
			note(c.Replicas[j].In)
		}
		if c.Data != nil {
			for j := range c.Data.Copies {
				note(c.Data.Copies[j].In)
			}
		}
		for j := range c.Actions {
			for _, d := range c.Actions[j].At {
				note(d)
			}
		}
	}
	return x
}

func (x *further) begin() {
	x.epoch++
	x.queue, x.gone, x.comps, x.acts = x.queue[:0], x.gone[:0], x.comps[:0], x.acts[:0]
	x.close, x.redo, x.loose, x.bumps = x.close[:0], x.redo[:0], x.loose[:0], x.bumps[:0]
	x.clock, x.order = x.w.s.clock, len(x.w.s.order)
}

// lose takes back the domain and all that may have hung on it.
func (x *further) lose(domain node) {
	s, m := x.w.s, x.w.m
	if !s.val[domain] {
		return // the first loss took it
	}
	s.flag[domain] = false
	x.take(domain)
	for len(x.queue) > 0 {
		n := x.queue[len(x.queue)-1]
		x.queue = x.queue[:len(x.queue)-1]
		g := gone{n: n, rank: s.rank[n]}
		if g.rank != 0 {
			g.when = x.w.when[n]
		}
		x.gone = append(x.gone, g)
		s.val[n], s.rank[n] = false, 0
		for _, p := range m.out(n) {
			s.count[p]--
			if x.taken[p] == x.epoch {
				continue
			}
			if s.val[p] && !x.supported(p) {
				x.take(p)
			}
			x.climb(p)
		}
		switch {
		case n < m.compBase:
			x.empty(int(n))
		case m.isComp(n):
			x.reset(n - m.compBase) // it holds again from a moment on, and not before
		case m.isAction(n):
			x.stop(n - m.actBase)
		}
	}
}

// stop takes back what an action did whose conditions are not what they were.
func (x *further) stop(a int32) {
	c := x.w.m.actComp[a]
	if x.w.s.held[c] {
		return
	}
	x.reach(c)
	if x.w.s.ran[a] != 0 {
		x.reset(c)
	}
}

func (x *further) take(n node) {
	if x.w.s.val[n] && x.taken[n] != x.epoch {
		x.taken[n] = x.epoch
		x.queue = append(x.queue, n)
	}
}

// supported reports whether enough of a node's inputs are still where they were
// and came up no later than the node.
func (x *further) supported(p node) bool {
	s := x.w.s
	in := x.w.m.in(p)
	need := s.m.need[p]
	if int(need) == len(in) {
		return false
	}
	for _, i := range in {
		if s.val[i] && s.rank[i] <= s.rank[p] {
			if need--; need <= 0 {
				return true
			}
		}
	}
	return need <= 0
}

// climb finds the actions that have one input fewer now, through conditions
// that are not met anyway.
func (x *further) climb(p node) {
	m := x.w.m
	if x.seen[p] == x.epoch {
		return
	}
	x.seen[p] = x.epoch
	if m.isAction(p) {
		if c := m.actComp[p-m.actBase]; !x.w.s.held[c] {
			x.reach(c)
		}
		return
	}
	if int(p) >= int(m.actBase)+len(m.actComp) && !x.w.s.val[p] {
		for _, up := range m.out(p) {
			x.climb(up)
		}
	}
}

func (x *further) reach(c int32) {
	if x.near[c] != x.epoch {
		x.near[c] = x.epoch
		x.close = append(x.close, c)
	}
}

func (x *further) save(c int32) {
	if x.saved[c] != x.epoch {
		x.saved[c] = x.epoch
		s := x.w.s
		x.comps = append(x.comps, keptComp{c, s.living[c], s.direct[c], s.held[c], s.flag[s.m.compBase+c]})
	}
}

// empty takes away what stands in a lost domain: replicas, copies of data, and
// places in which actions take effect.
func (x *further) empty(domain int) {
	s, m := x.w.s, x.w.m
	for _, c := range m.hosts[domain] {
		x.save(c)
		for i := range m.snap.Components[c].Replicas {
			if r := &m.snap.Components[c].Replicas[i]; r.In == domain {
				s.living[c] -= int32(r.Count)
			}
		}
		if s.held[c] {
			if !s.holds(c) {
				x.save(c)
				s.held[c] = false
				x.loose = append(x.loose, c)
				x.unflag(c)
			}
		} else if m.snap.Components[c].Mode == estate.ModeAny {
			x.reset(c)
		}
	}
	for _, c := range x.placed[domain] {
		x.reach(c)
		if s.held[c] {
			continue
		}
		for a, end := m.firstAct[c], m.firstAct[c+1]; a < end; a++ {
			if s.ran[a] != 0 && !s.possible(a) {
				x.reset(c)
				break
			}
		}
	}
}

// reset takes back all that the actions of a component did.
func (x *further) reset(c int32) {
	s, m := x.w.s, x.w.m
	if s.held[c] {
		return
	}
	x.save(c)
	some := false
	for a, end := m.firstAct[c], m.firstAct[c+1]; a < end; a++ {
		if s.ran[a] == 0 {
			continue
		}
		some = true
		x.acts = append(x.acts, keptAct{a, s.ran[a], x.w.began[a]})
		s.ran[a] = 0
		s.living[c] -= s.gives(a)
	}
	if some {
		s.direct[c] = false
		x.unflag(c)
	}
}

func (x *further) unflag(c int32) {
	x.reach(c)
	x.redo = append(x.redo, c)
	n := x.w.m.compBase + c
	x.w.s.flag[n] = false
	x.take(n)
}

// rederive brings up again, in the order of time, what still has a way.
func (x *further) rederive() {
	s, m, w := x.w.s, x.w.m, x.w
	s.begin()
	for _, g := range x.gone {
		for _, i := range m.in(g.n) {
			if s.val[i] && s.rank[i] != 0 && w.when[i] > 0 {
				s.count[g.n]--
				x.bumps = append(x.bumps, bump{w.when[i], g.n})
			}
		}
	}
	slices.Sort(x.redo)
	x.redo = slices.Compact(x.redo)
	for _, c := range x.redo {
		for a, end := m.actions(c); a < end; a++ {
			switch {
			case !s.val[a]: // it is offered when it comes up
			case s.rank[a] == 0 || w.when[a] == 0:
				s.offer(a)
			default:
				x.bumps = append(x.bumps, bump{w.when[a], a})
			}
		}
	}
	slices.SortFunc(x.bumps, func(a, b bump) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.n, b.n)) })
	for _, g := range x.gone {
		s.check(g.n)
	}
	var (
		queue = x.finishes[:0]
		now   time.Duration
		timed int
		next  int
	)
	for {
		for ; next < len(x.bumps) && x.bumps[next].at <= now; next++ {
			if n := x.bumps[next].n; x.taken[n] == x.epoch {
				s.count[n]++
				s.check(n)
			} else {
				s.offer(n)
			}
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
		case len(queue) > 0 && (next == len(x.bumps) || queue[0].at <= x.bumps[next].at):
			now = queue[0].at
		case next < len(x.bumps):
			now = x.bumps[next].at
		default:
			x.finishes = queue
			return
		}
		for len(queue) > 0 && queue[0].at == now {
			done, _ := heap.Pop(&queue).(finish)
			s.act(done.action)
		}
	}
}

// delta says what differs from the first loss.
func (x *further) delta() Delta {
	s, m, w := x.w.s, x.w.m, x.w
	d := Delta{
		LostDomains: x.told.LostDomains[:0], Components: x.told.Components[:0], Services: x.told.Services[:0],
		Crews: x.told.Crews[:0], Parts: x.told.Parts[:0],
	}
	for _, g := range x.gone {
		n := g.n
		if s.val[n] && g.rank != 0 && w.when[n] == g.when {
			continue
		}
		state := Recoverable
		switch {
		case !s.val[n]:
			state = Unrecoverable
		case m.isComp(n) && s.held[n-m.compBase] || m.isCrew(n):
			state = Returns
		}
		switch {
		case n < m.compBase:
			d.LostDomains = append(d.LostDomains, int(n))
		case n < m.svcBase:
			d.Components = append(d.Components, Touched{int(n - m.compBase), state})
		case n < m.crewBase:
			d.Services = append(d.Services, Touched{int(n - m.svcBase), state})
		case n < m.partBase:
			d.Crews = append(d.Crews, Touched{int(n - m.crewBase), state})
		case n < m.actBase:
			p := n - m.partBase
			d.Parts = append(d.Parts, TouchedPart{int(m.partService[p]), int(m.partIndex[p]), state})
		}
	}
	slices.Sort(d.LostDomains)
	for _, list := range [][]Touched{d.Components, d.Services, d.Crews} {
		slices.SortFunc(list, byIndex)
	}
	slices.SortFunc(d.Parts, func(a, b TouchedPart) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Part, b.Part))
	})
	x.told = d
	return d
}

// undo puts everything back as the first loss left it.
func (x *further) undo() {
	s, m, w := x.w.s, x.w.m, x.w
	s.undo()
	for _, k := range x.acts {
		s.ran[k.a], w.began[k.a] = k.ran, k.began
	}
	for _, k := range x.comps {
		s.living[k.c], s.direct[k.c], s.held[k.c], s.flag[m.compBase+k.c] = k.living, k.direct, k.held, k.flag
	}
	for _, g := range x.gone {
		s.val[g.n], s.rank[g.n] = true, g.rank
		if g.rank != 0 {
			w.when[g.n] = g.when
		}
		if g.n < m.compBase {
			s.flag[g.n] = true
		}
		for _, p := range m.out(g.n) {
			s.count[p]++
		}
	}
	s.clock, s.order = x.clock, s.order[:x.order]
}

// First returns the view of the first loss that this one goes on from, or nil.
func (v *View) First() *View { return v.first }

// Whole returns all that is down or degraded, also where the view lists only
// what a further loss changes.
func (v *View) Whole() Delta {
	if v.first == nil {
		return v.Delta
	}
	down := v.downAtOnce()
	before := map[node]bool{}
	for _, n := range v.w.m.down {
		before[n] = true
	}
	fell := slices.DeleteFunc(slices.Clone(down), func(n node) bool { return before[n] })
	return v.w.delta(down, v.w.missed(fell))
}

// downAtOnce lists the nodes that are not up right after the whole loss; sorted.
func (v *View) downAtOnce() []node {
	if v.first == nil {
		return v.fell
	}
	down := slices.Clone(v.fell)
	for _, g := range v.more.gone {
		if g.rank == 0 {
			down = append(down, g.n)
		}
	}
	slices.Sort(down)
	return down
}

// moreDeadlocks returns the cycles that the first loss may not have: those in parts
// of the blocked-by graph from which something that differs can be reached.
func (v *View) moreDeadlocks() []Deadlock {
	var (
		s, m  = v.w.s, v.w.m
		stack []node
		seen  = map[node]bool{}
	)
	push := func(n node) {
		if n >= m.compBase && !s.val[n] && !seen[n] {
			seen[n] = true
			stack = append(stack, n)
		}
	}
	for _, g := range v.more.gone {
		if !s.val[g.n] {
			push(g.n)
			for _, p := range m.out(g.n) {
				push(p)
			}
		}
	}
	for _, c := range v.more.close {
		push(m.compBase + c)
	}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, p := range m.out(n) {
			push(p)
		}
		if m.isAction(n) {
			push(m.compBase + m.actComp[n-m.actBase])
		}
	}
	cone := make([]node, 0, len(seen))
	for n := range seen {
		cone = append(cone, n)
	}
	slices.Sort(cone)
	return s.deadlocksAmong(cone, func() []node { return v.stuck() })
}

// stuck lists what does not come back, but for domains; sorted.
func (v *View) stuck() []node {
	var down []node
	add := func(n node) {
		if n >= v.w.m.compBase && !v.w.s.val[n] {
			down = append(down, n)
		}
	}
	for _, n := range v.fell {
		add(n)
	}
	if v.first != nil {
		for _, g := range v.more.gone {
			add(g.n)
		}
	}
	slices.Sort(down)
	return slices.Compact(down)
}

// Reached lists the components of which a further loss may change anything:
// their replicas, copies and places, or what their actions wait for. Those that
// only need something that fell are not among them. Not sorted.
func (v *View) Reached() []int32 { return v.more.close }

// Loosened lists the components that do not hold right after a further loss, and
// did after the first one. Not sorted.
func (v *View) Loosened() []int32 { return v.more.loose }
