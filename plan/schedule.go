package plan

import (
	"slices"
	"time"
)

// A schedule is a plan under construction: which acts run, where and when, what
// that keeps busy, and what is up from when on.
type schedule struct {
	p      *problem
	up     []time.Duration // of a node; never until it is known
	start  []time.Duration // of an act; never until it is scheduled
	finish []time.Duration
	place  []int32
	fixed  []bool // the act has run or is running
	rows   []rowUse
	crews  []profile
	acts   []int32 // scheduled, in the order of scheduling
	nodes  []int32 // known, in the same order
}

// A rowUse is what a schedule takes of one row.
type rowUse struct {
	taken float64
	frees []release // what the chosen shrinks give back, by time
}

// A release gives room back at a time.
type release struct {
	at     time.Duration
	amount float64
}

func newSchedule(p *problem) *schedule {
	st := &schedule{
		p: p, up: make([]time.Duration, len(p.nodes)),
		start: make([]time.Duration, len(p.acts)), finish: make([]time.Duration, len(p.acts)),
		place: make([]int32, len(p.acts)), fixed: make([]bool, len(p.acts)),
		rows: make([]rowUse, len(p.rows)), crews: make([]profile, len(p.capacity)),
	}
	for i := range st.up {
		st.up[i] = never
	}
	if p.fixedUp != nil {
		copy(st.up, p.fixedUp)
	}
	for i := range st.start {
		st.start[i], st.finish[i] = never, never
	}
	for _, f := range p.fixed {
		st.start[f.act], st.finish[f.act], st.fixed[f.act] = f.start, f.finish, true
	}
	for _, r := range p.releases {
		st.rows[r.row].frees = append(st.rows[r.row].frees, release{r.at, r.amount})
	}
	st.reset()
	return st
}

// reset takes everything out again that is not fixed.
func (st *schedule) reset() {
	for _, a := range st.acts {
		st.start[a], st.finish[a] = never, never
	}
	for _, n := range st.nodes {
		st.up[n] = never
	}
	st.acts, st.nodes = st.acts[:0], st.nodes[:0]
	for i := range st.rows {
		st.rows[i].taken = 0
	}
	for i := range st.crews {
		st.crews[i].reset(st.p.capacity[i])
	}
	for _, b := range st.p.busy {
		st.crews[b.resource].reserve(b.start, b.finish, b.amount)
	}
}

// slack forgives the rounding of sums of rooms.
const slack = 1e-9

// roomAt returns when an amount of a row is free for good, and whether ever.
// What is already taken counts as taken throughout, which is never too early.
func (st *schedule) roomAt(d draw) (time.Duration, bool) {
	r := &st.p.rows[d.row]
	u := &st.rows[d.row]
	lack := u.taken + d.amount - r.free - slack*max(r.capacity, 1)
	var at time.Duration
	for _, f := range u.frees {
		if lack <= 0 {
			break
		}
		lack -= f.amount
		at = f.at
	}
	return at, lack <= 0
}

// earliest returns when and where an act that is ready at t can run, given all
// that is scheduled, and whether it can.
func (st *schedule) earliest(a int32, t time.Duration) (time.Duration, int32, bool) {
	x := &st.p.acts[a]
	place, from, ok := st.choose(x, t)
	if !ok {
		return 0, 0, false
	}
	return st.slot(x, from), place, true
}

// choose picks the place where room is free first; among those, the one that is
// left with the largest share of its scarcest room.
func (st *schedule) choose(x *act, t time.Duration) (place int32, from time.Duration, ok bool) {
	best := -1.0
	for i := range x.places {
		at, left, fits := t, 1.0, true
		for _, d := range x.places[i].room {
			when, enough := st.roomAt(d)
			if !enough {
				fits = false
				break
			}
			at = max(at, when)
			r := &st.p.rows[d.row]
			left = min(left, (r.free-st.rows[d.row].taken-d.amount)/max(r.capacity, slack))
		}
		if fits && (!ok || at < from || at == from && left > best) {
			place, from, best, ok = int32(i), at, left, true
		}
	}
	return place, from, ok
}

// slot returns the first start at or after t at which all people and slots are free.
func (st *schedule) slot(x *act, t time.Duration) time.Duration {
	for again := true; again; {
		again = false
		for _, u := range x.uses {
			if s := st.crews[u.resource].earliest(t, x.takes, u.amount); s > t {
				t = s
				again = len(x.uses) > 1
			}
		}
	}
	return t
}

// put schedules an act at its chosen place, as early as it can run from t on.
func (st *schedule) put(a, place int32, t time.Duration) {
	x := &st.p.acts[a]
	t = st.slot(x, t)
	st.start[a], st.finish[a], st.place[a] = t, t+x.takes, place
	st.acts = append(st.acts, a)
	for _, u := range x.uses {
		st.crews[u.resource].reserve(t, t+x.takes, u.amount)
	}
}

// learn notes from when on a node is up.
func (st *schedule) learn(n int32, t time.Duration) {
	st.up[n] = t
	st.nodes = append(st.nodes, n)
}

// An item of a closure is an act to run, or nodes that come up together.
type item struct {
	act    int32 // or none
	place  int32
	from   time.Duration // when its place has room
	seq    int32
	base   time.Duration // what the schedule already has that it waits for
	deps   int32         // first of closure.links, or none
	latest time.Duration // latest start that does not delay the goal
	tail   time.Duration
	at     time.Duration // when it is up or finished; never until computed
}

// A closure is what still has to run for one goal, with what waits for what.
type closure struct {
	c       *cone
	items   []item
	links   []edge // gate is an item here
	nodes   []int32
	itemOf  []int32
	order   []int32
	acts    []int32 // items that are acts, in the order of scheduling
	placing []int32 // the same, in the order of choosing places
	stamp   []uint32
	actItem []int32
	actSeen []uint32
	epoch   uint32
	batches map[int32]int32
	causes  []cause
	holders []int32
}

func newClosure(c *cone) *closure {
	return &closure{
		c:      c,
		itemOf: make([]int32, len(c.p.nodes)), stamp: make([]uint32, len(c.p.nodes)),
		actItem: make([]int32, len(c.p.acts)), actSeen: make([]uint32, len(c.p.acts)),
		batches: map[int32]int32{},
	}
}

// extract reads from a finished run of the cone what made the goal come up.
func (cl *closure) extract(goal int32) {
	cl.epoch++
	cl.items, cl.links, cl.nodes, cl.order, cl.acts = cl.items[:0], cl.links[:0], cl.nodes[:0], cl.order[:0], cl.acts[:0]
	clear(cl.batches)
	cl.node(goal)
	// A node is expanded once, after it was met, so nothing here recurses
	// deeper than one need.
	acts := 0
	for i := 0; i < len(cl.nodes) || acts < len(cl.acts); {
		if acts < len(cl.acts) {
			it := cl.acts[acts]
			acts++
			if g := cl.c.p.acts[cl.items[it].act].need; g != none {
				cl.waits(it, g)
			}
			continue
		}
		n := cl.nodes[i]
		i++
		it := cl.itemOf[n]
		if g := cl.c.p.nodes[n].need; g != none {
			cl.waits(it, g)
		}
		if cl.c.p.nodes[n].acts < cl.c.p.nodes[n].end {
			cl.holders = cl.c.holders(n, cl.holders[:0])
			for _, a := range cl.holders {
				cl.holds(it, a)
			}
		}
	}
	cl.prioritise()
}

func (cl *closure) add(it item) int32 {
	it.deps, it.at = none, never
	cl.items = append(cl.items, it)
	cl.order = append(cl.order, int32(len(cl.items)-1))
	return int32(len(cl.items) - 1)
}

func (cl *closure) node(n int32) int32 {
	if cl.stamp[n] == cl.epoch {
		return cl.itemOf[n]
	}
	cl.stamp[n] = cl.epoch
	cl.nodes = append(cl.nodes, n)
	batch := cl.c.batch[n]
	if cl.c.p.nodes[n].loop != none {
		if it, ok := cl.batches[batch]; ok {
			cl.itemOf[n] = it
			return it
		}
	}
	cl.itemOf[n] = cl.add(item{act: none, seq: batch})
	if cl.c.p.nodes[n].loop != none {
		cl.batches[batch] = cl.itemOf[n]
	}
	return cl.itemOf[n]
}

func (cl *closure) link(it, dep int32) {
	if it != dep {
		cl.links = append(cl.links, edge{dep, cl.items[it].deps})
		cl.items[it].deps = int32(len(cl.links) - 1)
	}
}

// holds makes an item wait for an act.
func (cl *closure) holds(it, a int32) {
	if st := cl.c.st; st.finish[a] != never {
		cl.items[it].base = max(cl.items[it].base, st.finish[a])
		return
	}
	if cl.actSeen[a] != cl.epoch {
		cl.actSeen[a] = cl.epoch
		cl.actItem[a] = cl.add(item{act: a, seq: cl.c.actSeq[a]})
		cl.acts = append(cl.acts, cl.actItem[a])
	}
	cl.link(it, cl.actItem[a])
}

// waits makes an item wait for what opened a gate.
func (cl *closure) waits(it, g int32) {
	from := len(cl.causes)
	cl.causes = cl.c.causes(g, cl.causes)
	for i := from; i < len(cl.causes); i++ {
		switch k := cl.causes[i]; {
		case k.known:
			cl.items[it].base = max(cl.items[it].base, k.at)
		case k.lit.isGate():
			cl.waits(it, k.lit.index())
		default:
			cl.link(it, cl.node(k.lit.index()))
		}
	}
	cl.causes = cl.causes[:from]
}

// prioritise orders the acts by the latest start that does not delay the goal.
func (cl *closure) prioritise() {
	slices.SortFunc(cl.order, func(a, b int32) int { return int(cl.items[a].seq - cl.items[b].seq) })
	for _, i := range slices.Backward(cl.order) {
		it := &cl.items[i]
		tail := it.tail
		if it.act != none {
			tail += cl.c.p.acts[it.act].takes
			it.latest = -tail
		}
		for e := it.deps; e != none; e = cl.links[e].next {
			d := &cl.items[cl.links[e].gate]
			d.tail = max(d.tail, tail)
		}
	}
	slices.SortFunc(cl.acts, func(a, b int32) int {
		x, y := &cl.items[a], &cl.items[b]
		switch {
		case x.latest < y.latest:
			return -1
		case x.latest > y.latest:
			return 1
		}
		return int(x.seq - y.seq)
	})
}

// maxMoved bounds how often an act that found no room is placed before all others.
const maxMoved = 4

// place finds a place for each act of the closure, and takes its room. Each goes where it
// is best for itself; one that then finds no room chooses first in the next try, as the
// others may go elsewhere. When there is no room for all of them together it takes none
// and returns the act that found none.
func (cl *closure) place() (int32, bool) {
	st := cl.c.st
	cl.placing = append(cl.placing[:0], cl.acts...)
	for moved := 0; ; moved++ {
		failed := slices.IndexFunc(cl.placing, func(k int32) bool {
			it := &cl.items[k]
			var ok bool
			if it.place, it.from, ok = st.choose(&st.p.acts[it.act], st.p.now); ok {
				st.take(it.act, it.place, 1)
			}
			return !ok
		})
		if failed < 0 {
			return none, true
		}
		for _, k := range cl.placing[:failed] {
			st.take(cl.items[k].act, cl.items[k].place, -1)
		}
		k := cl.placing[failed]
		if failed == 0 || moved == maxMoved {
			return cl.items[k].act, false
		}
		copy(cl.placing[1:], cl.placing[:failed])
		cl.placing[0] = k
	}
}

// commit enters the closure into the schedule. When there is no room for all of
// it together it enters nothing and returns the act that found none.
func (cl *closure) commit() (int32, bool) {
	if a, ok := cl.place(); !ok {
		return a, false
	}
	st := cl.c.st
	for _, k := range cl.acts {
		t := max(cl.when(k), cl.items[k].from, st.p.now)
		st.put(cl.items[k].act, cl.items[k].place, t)
		cl.items[k].at = st.finish[cl.items[k].act]
	}
	for _, i := range cl.order {
		if cl.items[i].act == none {
			cl.when(i)
		}
	}
	for _, n := range cl.nodes {
		st.learn(n, cl.items[cl.itemOf[n]].at)
	}
	return none, true
}

func (st *schedule) take(a, place int32, sign float64) {
	for _, d := range st.p.acts[a].places[place].room {
		st.rows[d.row].taken += sign * d.amount
	}
}

// when returns the time from which on all is there that an item waits for. For
// nodes that is when they are up; an act that is not yet put has nothing more.
func (cl *closure) when(i int32) time.Duration {
	it := &cl.items[i]
	if it.at != never {
		return it.at
	}
	t := it.base
	for e := it.deps; e != none; e = cl.links[e].next {
		t = max(t, cl.when(cl.links[e].gate))
	}
	if it.act == none {
		it.at = t
	}
	return t
}
