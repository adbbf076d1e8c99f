package impact

import (
	"slices"

	"bongsu/estate"
)

// A state is the truth of every node of a model at one moment of a loss and its
// recovery. Failure spreads from a healthy state by counters, each edge once, so
// a run-time cycle that was never hit stays up: the greatest fixpoint of design
// §3.3. Recovery raises single nodes, and run-time cycles as a whole.
type state struct {
	m     *model
	val   []bool
	flag  []bool  // of a domain: not lost; of a component: it holds; else true
	count []int32 // how many inputs are true
	rank  []int32 // 0: up at the loss; else the order of return

	living []int32 // replicas of each component, added ones included
	direct []bool  // of each component: an action that adds nothing has run
	held   []bool  // of each component: it held at the loss
	ran    []int32 // of each action: 0, or its place in order from 1
	order  []int32 // the actions that ran, in order

	clock int32
	queue []node  // nodes whose change is not passed on yet
	ready []int32 // actions whose conditions are met and that have not run
	dirty []int32 // run-time cycles to try again
	stale []bool  // of each run-time cycle: it is in dirty
	hyp   []int32 // scratch, -1 outside: in tryCycle, inputs true if the cycle were up

	area  *area    // where alone anything may change; nil: anywhere
	log   *trail   // what a question of the kind "what if" changed; nil: not asked
	spare []*trail // done with
	round []int32  // scratch of drain
	web   web      // what because found out about this state
	cone  cone     // scratch of because
}

// A trail remembers what to take back: first a recovery, then the fall before it.
type trail struct {
	rose    []node
	flagged []node
	ran     []int32
	direct  []int32

	fell      []node
	unflagged []node
	emptied   []emptied
	unheld    []int32
}

// begin starts a trail.
func (s *state) begin() {
	if n := len(s.spare); n > 0 {
		s.log, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		s.log = &trail{}
	}
}

// end gives a trail back for the next question.
func (s *state) end(t *trail) {
	*t = trail{
		rose: t.rose[:0], flagged: t.flagged[:0], ran: t.ran[:0], direct: t.direct[:0],
		fell: t.fell[:0], unflagged: t.unflagged[:0], emptied: t.emptied[:0], unheld: t.unheld[:0],
	}
	s.spare = append(s.spare, t)
}

// emptied is how many replicas of a component a lost domain took.
type emptied struct{ comp, count int32 }

// settled returns the state with nothing lost: all is taken as up, then what
// cannot be is taken away.
func settled(m *model) *state {
	s := &state{
		m: m, val: make([]bool, m.nodes), flag: make([]bool, m.nodes),
		count: make([]int32, m.nodes), rank: make([]int32, m.nodes), hyp: make([]int32, m.nodes),
		living: slices.Clone(m.total), direct: make([]bool, len(m.total)), held: make([]bool, len(m.total)),
		ran: make([]int32, len(m.actComp)), stale: make([]bool, len(m.sccNodes)),
	}
	for n := range s.val {
		s.val[n], s.flag[n] = true, true
		s.count[n] = int32(len(m.in(node(n))))
		s.hyp[n] = -1
	}
	for c := range m.total {
		s.held[c] = s.holds(int32(c))
		s.flag[m.compBase+node(c)] = s.held[c]
	}
	for n := range s.val {
		if !s.flag[n] || s.count[n] < m.need[n] {
			s.fall(node(n))
		}
	}
	s.spread()
	return s
}

func (s *state) clone() *state {
	c := *s
	c.val, c.flag = slices.Clone(s.val), slices.Clone(s.flag)
	c.count, c.rank, c.hyp = slices.Clone(s.count), slices.Clone(s.rank), slices.Clone(s.hyp)
	c.living, c.direct, c.held = slices.Clone(s.living), slices.Clone(s.direct), slices.Clone(s.held)
	c.ran, c.order, c.stale = slices.Clone(s.ran), slices.Clone(s.order), slices.Clone(s.stale)
	c.queue, c.ready, c.dirty, c.log = nil, slices.Clone(s.ready), nil, nil
	c.spare, c.round, c.web, c.cone = nil, nil, web{}, cone{}
	return &c
}

// lose takes domains away for good and lets what cannot run without them fall.
func (s *state) lose(domains []int) {
	s.begin()
	for _, d := range domains {
		s.unflag(node(d))
		s.fall(node(d))
	}
	s.spread()
	for _, n := range s.log.unflagged {
		if s.m.isComp(n) {
			c := n - s.m.compBase
			s.held[c] = false
			s.log.unheld = append(s.log.unheld, c)
		}
	}
}

func (s *state) unflag(n node) {
	if s.flag[n] {
		s.flag[n] = false
		if s.log != nil {
			s.log.unflagged = append(s.log.unflagged, n)
		}
	}
}

func (s *state) fall(n node) {
	if s.val[n] {
		s.val[n] = false
		s.queue = append(s.queue, n)
		if s.log != nil {
			s.log.fell = append(s.log.fell, n)
		}
	}
}

func (s *state) spread() {
	for len(s.queue) > 0 {
		n := s.queue[len(s.queue)-1]
		s.queue = s.queue[:len(s.queue)-1]
		if n < s.m.compBase {
			s.empty(int(n))
		}
		for _, p := range s.m.out(n) {
			if s.area != nil && !s.area.has(p) {
				continue
			}
			s.count[p]--
			if s.count[p] < s.m.need[p] {
				s.fall(p)
			}
		}
	}
}

// empty takes away the replicas in a lost domain.
func (s *state) empty(domain int) {
	for _, c := range s.m.hosts[domain] {
		var gone int32
		for i := range s.m.snap.Components[c].Replicas {
			if r := &s.m.snap.Components[c].Replicas[i]; r.In == domain {
				gone += int32(r.Count)
			}
		}
		s.living[c] -= gone
		if s.log != nil {
			s.log.emptied = append(s.log.emptied, emptied{c, gone})
		}
		s.rehold(c)
	}
}

// rehold lets component c fall if it no longer holds.
func (s *state) rehold(c int32) {
	if n := s.m.compBase + c; !s.holds(c) {
		s.unflag(n)
		s.fall(n)
	}
}

// holds reports whether the replicas that component c has now satisfy its mode
// (design §3.2, §3.4).
func (s *state) holds(c int32) bool {
	comp := &s.m.snap.Components[c]
	if len(comp.Replicas) == 0 || s.direct[c] {
		return true
	}
	switch comp.Mode {
	case estate.ModeQuorum:
		return 2*s.living[c] > s.m.total[c]
	case estate.ModePrimary:
		return slices.ContainsFunc(comp.Replicas, func(r estate.Replica) bool {
			return s.lives(&r) && (r.Role == estate.RolePrimary || comp.Auto && r.Role == estate.RoleStandby)
		})
	default:
		return int(s.living[c]) >= comp.AtLeast
	}
}

// recover runs every action that can run, until none is left (design §3.4), after
// a [state.lose] whose trail is still there.
func (s *state) recover() {
	for _, comps := range [2][]int32{s.m.never, s.log.unheld} {
		for _, c := range comps {
			for a, end := s.m.actions(c); a < end; a++ {
				if s.val[a] {
					s.offer(a)
				}
			}
		}
	}
	s.drain()
}

// offer notes that the conditions of an action are met.
func (s *state) offer(a node) {
	i := a - s.m.actBase
	if s.ran[i] == 0 && !s.held[s.m.actComp[i]] && s.possible(i) {
		s.ready = append(s.ready, i)
	}
}

// drain passes changes on and runs what becomes ready, in rounds, so that the
// order of actions is the same however the estate is written down.
func (s *state) drain() {
	for {
		s.raise()
		if len(s.ready) == 0 {
			return
		}
		round := s.ready
		s.ready, s.round = s.round[:0], round
		slices.Sort(round)
		for _, a := range round {
			s.act(a)
		}
	}
}

// act makes the effect of an action happen.
func (s *state) act(a int32) {
	if s.ran[a] != 0 {
		return
	}
	c := s.m.actComp[a]
	s.order = append(s.order, a)
	s.ran[a] = int32(len(s.order))
	if adds := s.gives(a); adds > 0 {
		s.living[c] += adds
	} else if !s.direct[c] {
		s.direct[c] = true
		if s.log != nil {
			s.log.direct = append(s.log.direct, c)
		}
	}
	if s.log != nil {
		s.log.ran = append(s.log.ran, a)
	}
	n := s.m.compBase + c
	if !s.flag[n] && s.holds(c) {
		s.flag[n] = true
		if s.log != nil {
			s.log.flagged = append(s.log.flagged, n)
		}
		s.check(n)
	}
}

// gives returns how many replicas action a adds; 0 where what it brings about is
// that its component holds.
func (s *state) gives(a int32) int32 {
	c := &s.m.snap.Components[s.m.actComp[a]]
	if c.Mode != estate.ModeAny {
		return 0
	}
	return int32(c.Actions[s.m.actIndex[a]].Adds)
}

// rise makes a node true.
func (s *state) rise(n node, rank int32) {
	s.val[n], s.rank[n] = true, rank
	if s.log != nil {
		s.log.rose = append(s.log.rose, n)
	}
	s.queue = append(s.queue, n)
	if s.m.isAction(n) {
		s.offer(n)
	}
}

// raise draws every consequence of the nodes that rose.
func (s *state) raise() {
	for {
		for i := 0; i < len(s.queue); i++ {
			for _, p := range s.out(s.queue[i]) {
				if s.area != nil && !s.area.has(p) {
					continue
				}
				s.count[p]++
				s.check(p)
			}
		}
		s.queue = s.queue[:0]
		if len(s.dirty) == 0 {
			return
		}
		k := s.dirty[0]
		s.dirty = s.dirty[1:]
		s.stale[k] = false
		s.tryCycle(k)
	}
}

// check raises a node whose conditions are met now, or notes that the run-time
// cycle that it is in may stand up.
func (s *state) check(n node) {
	if s.val[n] || !s.flag[n] {
		return
	}
	if s.count[n] >= s.m.need[n] {
		s.clock++
		s.rise(n, s.clock)
	} else if k := s.m.scc[n]; k >= 0 && !s.stale[k] {
		s.stale[k] = true
		s.dirty = append(s.dirty, k)
	}
}

// tryCycle raises the greatest part of a run-time cycle that holds itself up.
func (s *state) tryCycle(k int32) {
	members := s.m.sccNodes[k]
	for _, n := range members {
		if !s.val[n] && s.flag[n] {
			s.hyp[n] = s.count[n]
		}
	}
	for _, n := range members {
		if s.hyp[n] >= 0 {
			for _, p := range s.m.within(n) {
				if s.hyp[p] >= 0 {
					s.hyp[p]++
				}
			}
		}
	}
	var gone []node
	for _, n := range members {
		if s.hyp[n] >= 0 && s.hyp[n] < s.m.need[n] {
			gone = append(gone, n)
		}
	}
	for len(gone) > 0 {
		n := gone[len(gone)-1]
		gone = gone[:len(gone)-1]
		if s.hyp[n] < 0 {
			continue
		}
		s.hyp[n] = -1
		for _, p := range s.m.within(n) {
			if s.hyp[p] >= 0 {
				if s.hyp[p]--; s.hyp[p] < s.m.need[p] {
					gone = append(gone, p)
				}
			}
		}
	}
	s.clock++
	for _, n := range members {
		if s.hyp[n] >= 0 {
			s.hyp[n] = -1
			s.rise(n, s.clock)
		}
	}
}

// force takes a node as up, whatever it needs.
func (s *state) force(n node) {
	if !s.val[n] {
		s.clock++
		s.rise(n, s.clock)
	}
}

// undo takes back everything since the trail was set, and ends it.
func (s *state) undo() {
	t := s.log
	s.log = nil
	for _, n := range t.rose {
		s.val[n], s.rank[n] = false, 0
		for _, p := range s.out(n) {
			s.count[p]--
		}
	}
	for _, n := range t.flagged {
		s.flag[n] = false
	}
	for _, c := range t.direct {
		s.direct[c] = false
	}
	for _, a := range t.ran {
		s.ran[a] = 0
		s.living[s.m.actComp[a]] -= s.gives(a)
	}
	s.order = s.order[:len(s.order)-len(t.ran)]
	for _, n := range t.fell {
		s.val[n] = true
		for _, p := range s.m.out(n) {
			s.count[p]++
		}
	}
	for _, n := range t.unflagged {
		s.flag[n] = true
	}
	for _, e := range t.emptied {
		s.living[e.comp] += e.count
	}
	for _, c := range t.unheld {
		s.held[c] = true
	}
	s.end(t)
}

// possible reports whether action a can run in this loss once its needs are up:
// its place, and the copy it works on, must live, and the people and slots it
// asks for must exist.
func (s *state) possible(a int32) bool {
	act := s.action(a)
	if act.Does == estate.DoesShrink {
		return false
	}
	snap := s.m.snap
	for _, u := range act.Crew {
		if p := snap.Crews[u.Index].People; p >= 0 && u.Count > p {
			return false
		}
	}
	for _, u := range act.Uses {
		if n := snap.Limits[u.Index].Slots; n >= 0 && u.Count > n {
			return false
		}
	}
	if act.Does == estate.DoesRestore && !s.copyLives(&snap.Components[s.m.actComp[a]]) {
		return false
	}
	if len(act.At) == 0 {
		return s.fits(a, -1)
	}
	return slices.ContainsFunc(act.At, func(at int) bool { return s.fits(a, at) })
}

// fits reports whether action a can take effect at a domain (-1: anywhere).
func (s *state) fits(a int32, at int) bool {
	if at >= 0 && !s.val[at] {
		return false
	}
	if s.action(a).Does != estate.DoesPromote {
		return true
	}
	snap := s.m.snap
	return slices.ContainsFunc(snap.Components[s.m.actComp[a]].Replicas, func(r estate.Replica) bool {
		return r.Role == estate.RoleStandby && s.lives(&r) && (at < 0 || inside(snap, r.In, at))
	})
}

// inside reports whether domain d is domain outer or stands in it outright.
func inside(snap *estate.Snapshot, d, outer int) bool {
	if d == outer {
		return true
	}
	_, found := slices.BinarySearch(snap.Domains[d].Ancestors, outer)
	return found
}

// lives reports whether a replica is there, and its domain lives: a count of 0
// names a place that has none yet.
func (s *state) lives(r *estate.Replica) bool { return r.Count > 0 && s.val[r.In] }

// copyLives reports whether a copy of the component's data is left to restore
// from: a stated copy, a standby, or a member of a quorum.
func (s *state) copyLives(c *estate.Component) bool {
	if c.Data != nil && slices.ContainsFunc(c.Data.Copies, func(k estate.Copy) bool { return s.val[k.In] }) {
		return true
	}
	return slices.ContainsFunc(c.Replicas, func(r estate.Replica) bool {
		return s.lives(&r) && (r.Role == estate.RoleStandby || c.Mode == estate.ModeQuorum)
	})
}

func (s *state) action(a int32) *estate.Action {
	return &s.m.snap.Components[s.m.actComp[a]].Actions[s.m.actIndex[a]]
}

// actionRef names action a at the first place of its own where it can take effect.
func (s *state) actionRef(a int32) ActionRef {
	r := ActionRef{Component: int(s.m.actComp[a]), Action: int(s.m.actIndex[a]), At: -1}
	for _, at := range s.action(a).At {
		if s.fits(a, at) {
			r.At = at
			break
		}
	}
	return r
}
