package plan

import (
	"slices"
	"time"
)

// A cone simulates what comes up when, looking only at what some nodes depend
// on. It is the one engine behind earliest times, closures and the exact times
// of a finished schedule. It is made once and used again and again: arrays are
// stamped with an epoch instead of being cleared.
type cone struct {
	p     *problem
	st    *schedule
	epoch uint32

	// Which acts the run may use, and when one that is ready can run.
	mode  coneMode
	avoid func(a int32) bool

	nodeSeen, gateSeen, actSeen []uint32

	up      []time.Duration // of a node; never until it is up
	upSeq   []int32
	batch   []int32 // upSeq of the first of the nodes of a loop that came up together
	held    []bool
	heldBy  []int32 // the act that is enough by itself, or none
	heldSeq []int32
	added   []int

	count   []int32 // of a gate
	openAt  []time.Duration
	openSeq []int32

	actStart  []time.Duration
	actFinish []time.Duration
	actPlace  []int32
	actSeq    []int32 // of its finish; 0 until then

	listeners []int32 // of a node: first of edges, or none
	edges     []edge
	events    queue[event]
	rising    []int32 // nodes that came up and were not yet told to their listeners
	members   [][]int32
	touched   []int32 // loops with members
	dirty     []int32
	isDirty   []bool
	seq       int32
	work      []int32
	trying    []bool
	pick      []int32
}

type coneMode uint8

const (
	modeFree  coneMode = iota // every act runs as soon as its needs are up
	modeFit                   // an act runs as soon as people, slots and room allow
	modeExact                 // only the acts of the schedule run, at their times
)

type edge struct{ gate, next int32 }

// An event is a gate's kid coming up, or an act finishing.
type event struct {
	t   time.Duration
	act bool
	id  int32
}

// Before puts the earlier event first; at the same time, kids before finishes.
func (e event) Before(f event) bool {
	switch {
	case e.t != f.t:
		return e.t < f.t
	case e.act != f.act:
		return f.act
	}
	return e.id < f.id
}

func newCone(p *problem) *cone {
	n, g, a := len(p.nodes), len(p.gates), len(p.acts)
	return &cone{
		p:        p,
		nodeSeen: make([]uint32, n), gateSeen: make([]uint32, g), actSeen: make([]uint32, a),
		up: make([]time.Duration, n), upSeq: make([]int32, n), batch: make([]int32, n), held: make([]bool, n),
		heldBy: make([]int32, n), heldSeq: make([]int32, n), added: make([]int, n),
		count: make([]int32, g), openAt: make([]time.Duration, g), openSeq: make([]int32, g),
		actStart: make([]time.Duration, a), actFinish: make([]time.Duration, a),
		actPlace: make([]int32, a), actSeq: make([]int32, a),
		listeners: make([]int32, n), members: make([][]int32, p.loops), isDirty: make([]bool, p.loops),
		trying: make([]bool, n),
	}
}

// run simulates until the nodes asked for are up, or nothing more can come up.
func (c *cone) run(st *schedule, mode coneMode, goals ...int32) {
	c.st, c.mode = st, mode
	c.epoch++
	c.seq = 0
	c.edges, c.events = c.edges[:0], c.events[:0]
	for _, l := range c.touched {
		c.members[l] = c.members[l][:0]
	}
	c.touched = c.touched[:0]
	for _, g := range goals {
		if !c.known(g) && c.nodeSeen[g] != c.epoch {
			c.enter(g)
		}
	}
	c.explore()
	for len(c.events) > 0 {
		e := c.events.pop()
		if e.act {
			c.finished(e.id, e.t)
		} else {
			c.step(e.id, e.t)
		}
		c.settle(e.t)
		// A single goal is asked for most of the time, and most of its cone
		// lies behind the moment when it comes up.
		if len(goals) == 1 && c.isUp(goals[0]) {
			return
		}
	}
}

// known reports whether the schedule has already brought the node back.
func (c *cone) known(n int32) bool { return c.mode != modeExact && c.st.up[n] != never }

func (c *cone) isUp(n int32) bool { return c.nodeSeen[n] == c.epoch && c.up[n] != never }

// enter adds a node to the cone.
func (c *cone) enter(n int32) {
	c.nodeSeen[n] = c.epoch
	c.up[n], c.upSeq[n], c.batch[n] = never, 0, 0
	nd := &c.p.nodes[n]
	c.held[n], c.heldBy[n], c.heldSeq[n], c.added[n] = nd.acts == nd.end && !nd.dead, none, 0, 0
	c.listeners[n] = none
	if nd.loop != none {
		if len(c.members[nd.loop]) == 0 {
			c.touched = append(c.touched, nd.loop)
		}
		c.members[nd.loop] = append(c.members[nd.loop], n)
	}
	c.work = append(c.work, n)
}

func (c *cone) explore() {
	for len(c.work) > 0 {
		n := c.work[len(c.work)-1]
		c.work = c.work[:len(c.work)-1]
		nd := &c.p.nodes[n]
		if nd.need != none {
			c.enterGate(nd.need)
		}
		for a := nd.acts; a < nd.end; a++ {
			c.enterAct(a)
		}
	}
}

func (c *cone) enterAct(a int32) {
	c.actSeq[a] = 0
	c.actStart[a], c.actFinish[a] = never, never
	switch {
	case c.st.fixed[a] || c.mode == modeFit && c.st.finish[a] != never:
		c.actStart[a], c.actFinish[a], c.actPlace[a] = c.st.start[a], c.st.finish[a], c.st.place[a]
		c.events.push(event{c.st.finish[a], true, a})
	case c.mode == modeExact && c.st.finish[a] == never || c.mode == modeFit && c.avoid(a):
	case c.p.acts[a].need == none:
		c.actSeen[a] = c.epoch
		c.ready(a, c.p.now)
	default:
		c.actSeen[a] = c.epoch
		c.enterGate(c.p.acts[a].need)
	}
}

func (c *cone) enterGate(g int32) {
	c.gateSeen[g] = c.epoch
	c.count[g] = 0
	c.openAt[g], c.openSeq[g] = never, 0
	gt := &c.p.gates[g]
	for _, l := range c.p.kids[gt.kids:gt.end] {
		switch {
		case l.isGate():
			c.enterGate(l.index())
		case c.known(l.index()):
			c.events.push(event{c.st.up[l.index()], false, g})
		default:
			n := l.index()
			if c.nodeSeen[n] != c.epoch {
				c.enter(n)
			}
			c.edges = append(c.edges, edge{g, c.listeners[n]})
			c.listeners[n] = int32(len(c.edges) - 1)
		}
	}
}

// step counts one more kid of a gate.
func (c *cone) step(g int32, t time.Duration) {
	for {
		gt := &c.p.gates[g]
		c.count[g]++
		if gt.node != none {
			c.soil(gt.node)
		}
		if c.count[g] != gt.k {
			return
		}
		c.seq++
		c.openAt[g], c.openSeq[g] = t, c.seq
		switch gt.owns {
		case ownerNode:
			c.rise(gt.owner, t)
			return
		case ownerAct:
			if c.actSeen[gt.owner] == c.epoch {
				c.ready(gt.owner, max(t, c.p.now))
			}
			return
		case ownerGate:
			g = gt.owner
		}
	}
}

// soil marks the loop of a node for another look.
func (c *cone) soil(n int32) {
	if l := c.p.nodes[n].loop; l != none && !c.isDirty[l] && c.up[n] == never {
		c.isDirty[l] = true
		c.dirty = append(c.dirty, l)
	}
}

// ready enters the finish of an act whose needs are up.
func (c *cone) ready(a int32, t time.Duration) {
	start, place := t, int32(0)
	switch c.mode {
	case modeFit:
		var ok bool
		if start, place, ok = c.st.earliest(a, t); !ok {
			return
		}
	case modeExact:
		// Its needs are up by its start. That it is entered only now keeps cause
		// before effect where it takes no time.
		start, place = c.st.start[a], c.st.place[a]
	case modeFree:
	}
	c.actStart[a], c.actPlace[a] = start, place
	c.actFinish[a] = start + c.p.acts[a].takes
	c.events.push(event{c.actFinish[a], true, a})
}

// finished makes the effect of an act happen.
func (c *cone) finished(a int32, t time.Duration) {
	c.seq++
	c.actSeq[a] = c.seq
	x := &c.p.acts[a]
	n := x.node
	if c.held[n] {
		return
	}
	if x.adds > 0 {
		c.added[n] += x.adds
		if c.added[n] < c.p.nodes[n].short {
			return
		}
	} else {
		c.heldBy[n] = a
	}
	c.held[n], c.heldSeq[n] = true, c.seq
	c.soil(n)
	c.rise(n, t)
}

// rise brings a node up if it holds and its needs are up.
func (c *cone) rise(n int32, t time.Duration) {
	if c.up[n] != never || !c.held[n] {
		return
	}
	if g := c.p.nodes[n].need; g != none && c.count[g] < c.p.gates[g].k {
		return
	}
	c.lift(n, t)
	c.batch[n] = c.upSeq[n]
}

func (c *cone) lift(n int32, t time.Duration) {
	c.seq++
	c.up[n], c.upSeq[n] = t, c.seq
	c.rising = append(c.rising, n)
}

// settle tells listeners of what came up, and looks at the loops they are on,
// until nothing changes.
func (c *cone) settle(t time.Duration) {
	for {
		for len(c.rising) > 0 {
			n := c.rising[len(c.rising)-1]
			c.rising = c.rising[:len(c.rising)-1]
			for e := c.listeners[n]; e != none; e = c.edges[e].next {
				c.step(c.edges[e].gate, t)
			}
		}
		if len(c.dirty) == 0 {
			return
		}
		l := c.dirty[len(c.dirty)-1]
		c.dirty = c.dirty[:len(c.dirty)-1]
		c.isDirty[l] = false
		c.closeLoop(l, t)
	}
}

// closeLoop brings up the greatest set of nodes of a loop that hold and whose
// needs are up or in the set.
func (c *cone) closeLoop(l int32, t time.Duration) {
	set := c.pick[:0]
	for _, n := range c.members[l] {
		if c.held[n] && c.up[n] == never {
			c.trying[n] = true
			set = append(set, n)
		}
	}
	for again := true; again; {
		again = false
		for _, n := range set {
			if g := c.p.nodes[n].need; c.trying[n] && g != none && !c.wouldOpen(g, t) {
				c.trying[n] = false
				again = true
			}
		}
	}
	first := c.seq + 1
	for _, n := range set {
		if c.trying[n] {
			c.trying[n] = false
			c.lift(n, t)
			c.batch[n] = first
		}
	}
	c.pick = set[:0]
}

// wouldOpen reports whether a gate opens if what closeLoop tries comes up.
func (c *cone) wouldOpen(g int32, t time.Duration) bool {
	gt := &c.p.gates[g]
	if c.count[g] >= gt.k {
		return true
	}
	k := gt.k
	for _, l := range c.p.kids[gt.kids:gt.end] {
		n := l.index()
		var ok bool
		switch {
		case l.isGate():
			ok = c.wouldOpen(n, t)
		case c.known(n):
			ok = c.st.up[n] <= t
		default:
			ok = c.up[n] != never || c.trying[n]
		}
		if ok {
			if k--; k == 0 {
				return true
			}
		}
	}
	return false
}

// A cause is one kid that opened a gate.
type cause struct {
	lit   lit
	at    time.Duration
	known bool
	seq   int32
}

// causes appends the kids that opened a gate first: as many as it takes.
func (c *cone) causes(g int32, out []cause) []cause {
	gt := &c.p.gates[g]
	from := len(out)
	for _, l := range c.p.kids[gt.kids:gt.end] {
		k := cause{lit: l, at: never}
		n := l.index()
		switch {
		case l.isGate():
			k.at, k.seq = c.openAt[n], c.openSeq[n]
		case c.known(n):
			k.at, k.known = c.st.up[n], true
		default:
			k.at, k.seq = c.up[n], c.upSeq[n]
		}
		if k.at != never {
			out = append(out, k)
		}
	}
	slices.SortStableFunc(out[from:], func(a, b cause) int {
		switch {
		case a.at != b.at:
			if a.at < b.at {
				return -1
			}
			return 1
		case a.known != b.known:
			if a.known {
				return -1
			}
			return 1
		}
		return int(a.seq - b.seq)
	})
	return out[:min(from+int(gt.k), len(out))]
}

// holders appends the acts that made a node hold, without those that it would
// have held without.
func (c *cone) holders(n int32, out []int32) []int32 {
	if a := c.heldBy[n]; a != none {
		return append(out, a)
	}
	from := len(out)
	nd := &c.p.nodes[n]
	sum := 0
	for a := nd.acts; a < nd.end; a++ {
		if s := c.actSeq[a]; s > 0 && s <= c.heldSeq[n] && c.p.acts[a].adds > 0 && c.actFinish[a] != never {
			out = append(out, a)
			sum += c.p.acts[a].adds
		}
	}
	// Drop the smallest first, and never what has run or is running.
	slices.SortStableFunc(out[from:], func(a, b int32) int { return c.p.acts[a].adds - c.p.acts[b].adds })
	return append(out[:from], slices.DeleteFunc(slices.Clone(out[from:]), func(a int32) bool {
		if c.st.fixed[a] || sum-c.p.acts[a].adds < nd.short {
			return false
		}
		sum -= c.p.acts[a].adds
		return true
	})...)
}
