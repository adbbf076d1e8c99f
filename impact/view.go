package impact

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"bongsu/estate"
)

// A View is one loss as a [Sweep] sees it: what [Impact] says, at the cost of
// what the loss touches, and when each thing is back at the earliest. It is
// valid until the function that it was handed to returns.
type View struct {
	w    *Sweep
	fell []node // right after the loss, and what was down before it; sorted
	im   *Impact

	first *View    // of a view made by Also: the view that it goes on from
	more  *further // and what it took back
	kept  *stood   // of a view that a Standing keeps

	Delta
	Lost []int // the domains asked for
}

// Visit loses the domains, given by index, hands the view of it to f, and takes
// the loss back.
func (w *Sweep) Visit(domains []int, f func(*View)) {
	m, s := w.m, w.s
	if w.when == nil {
		w.when, w.began = make([]time.Duration, m.nodes), make([]time.Duration, len(m.actComp))
	}
	s.clock = 0
	s.lose(domains)
	fell := slices.Clone(s.log.fell)
	wants := w.missed(fell)
	fell = append(fell, m.down...)
	slices.Sort(fell)
	w.play()
	v := &View{w: w, fell: fell, Lost: domains, Delta: w.delta(fell, wants)}
	// The state shows both moments: what was up at the loss has rank 0. So it
	// serves as both states of an impact for what because asks of them.
	v.im = &Impact{Snapshot: m.snap, Lost: domains, LostDomains: v.LostDomains, fallen: s, back: s}
	log := s.log
	s.log = nil
	s.forget()
	f(v)
	s.log = log
	s.undo()
}

// Twin returns a view of the same loss that may be asked at the same time as this one.
// It is made while nothing is asked, and is not to be asked of further losses.
func (v *View) Twin() *View {
	twin := *v
	twin.w = &Sweep{m: v.w.m, s: v.w.s.clone(), when: v.w.when, began: v.w.began}
	im := *v.im
	im.fallen, im.back = twin.w.s, twin.w.s
	twin.im = &im
	return &twin
}

// A finish is the moment at which an action has run.
type finish struct {
	at     time.Duration
	action int32
}

type finishes []finish //nolint:recvcheck // the receivers that container/heap needs

func (f finishes) Len() int      { return len(f) }
func (f finishes) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f finishes) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(f[i].at, f[j].at), cmp.Compare(f[i].action, f[j].action)) < 0
}
func (f *finishes) Push(x any) { *f = append(*f, x.(finish)) } //nolint:errcheck // unreachable: only finishes are pushed
func (f *finishes) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}

// play is [state.recover] in the order of time: every action starts as soon as
// its conditions are met, as if people, slots and room had no end. All is
// monotone, so the moment at which a thing comes up is the earliest in any plan.
func (w *Sweep) play() {
	s := w.s
	for _, comps := range [2][]int32{s.m.never, s.log.unheld} {
		for _, c := range comps {
			for a, end := s.m.actions(c); a < end; a++ {
				if s.val[a] {
					s.offer(a)
				}
			}
		}
	}
	var (
		queue finishes
		now   time.Duration
		timed int
	)
	for {
		s.raise()
		for ; timed < len(s.log.rose); timed++ {
			w.when[s.log.rose[timed]] = now
		}
		for _, a := range s.ready {
			w.began[a] = now
			heap.Push(&queue, finish{now + s.action(a).Takes.Likely, a})
		}
		s.ready = s.ready[:0]
		if len(queue) == 0 {
			return
		}
		for now = queue[0].at; len(queue) > 0 && queue[0].at == now; {
			done, _ := heap.Pop(&queue).(finish)
			s.act(done.action)
		}
	}
}

// Alive reports whether the domain survives.
func (v *View) Alive(domain int) bool { return v.w.s.val[domain] }

// Up reports whether the thing is up right after the loss.
func (v *View) Up(r estate.Ref) bool {
	n := v.w.m.nodeOf(r)
	return v.w.s.val[n] && v.w.s.rank[n] == 0
}

// Back reports whether the thing is up in the end, once all that can run has run.
func (v *View) Back(r estate.Ref) bool { return v.w.s.val[v.w.m.nodeOf(r)] }

// Met reports whether a need is met right after the loss, or, when late is set,
// in the end.
func (v *View) Met(n estate.Need, late bool) bool {
	if n.Empty() {
		return true
	}
	if n.Ref != nil {
		if late {
			return v.Back(*n.Ref)
		}
		return v.Up(*n.Ref)
	}
	met := 0
	for _, o := range n.Of {
		if v.Met(o, late) {
			met++
		}
	}
	return met >= n.K
}

// UpAt returns when the thing is up at the earliest, counted from the loss, by
// critical path; ok is false for what stays down.
func (v *View) UpAt(r estate.Ref) (at time.Duration, ok bool) { return v.upAt(v.w.m.nodeOf(r)) }

// PartUpAt is like [View.UpAt] for a part of a service.
func (v *View) PartUpAt(service, part int) (at time.Duration, ok bool) {
	return v.upAt(v.w.m.partNode(service, part))
}

func (v *View) upAt(n node) (time.Duration, bool) {
	switch s := v.w.s; {
	case !s.val[n]:
		return 0, false
	case s.rank[n] == 0:
		return 0, true
	}
	return v.w.when[n], true
}

// Held reports whether the component's replicas are enough right after the loss.
func (v *View) Held(component int) bool { return v.w.s.held[component] }

// Holds reports whether they are enough in the end.
func (v *View) Holds(component int) bool { return v.w.s.flag[v.w.m.compBase+node(component)] }

// Possible reports whether an action could run in this loss once its needs, its
// crew and its component's startNeeds are up.
func (v *View) Possible(component, action int) bool {
	return v.w.s.possible(v.w.m.firstAct[component] + int32(action))
}

// Fits reports whether an action can take effect at one of its places.
func (v *View) Fits(component, action, at int) bool {
	return v.w.s.fits(v.w.m.firstAct[component]+int32(action), at)
}

// Ran returns when an action starts and ends at the earliest; ok is false for
// one that does not run.
func (v *View) Ran(component, action int) (start, end time.Duration, ok bool) {
	a := v.w.m.firstAct[component] + int32(action)
	if v.w.s.ran[a] == 0 {
		return 0, 0, false
	}
	start = v.w.began[a]
	return start, start + v.w.s.action(a).Takes.Likely, true
}

// Living returns how many replicas of the component live right after the loss.
func (v *View) Living(component int) int {
	n := 0
	for i := range v.w.m.snap.Components[component].Replicas {
		if r := &v.w.m.snap.Components[component].Replicas[i]; v.w.s.val[r.In] {
			n += r.Count
		}
	}
	return n
}

// DataLost returns what the component loses of its data at once.
func (v *View) DataLost(component int) DataLoss { return v.w.s.dataLost(component) }

// NotHolding returns the components that do not hold right after the loss, sorted.
func (v *View) NotHolding() []int {
	var out []int
	for _, comps := range [2][]int32{v.w.m.never, v.w.s.unheldNow(v.downAtOnce())} {
		for _, c := range comps {
			out = append(out, int(c))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// unheldNow returns those among the nodes that are components and do not hold.
func (s *state) unheldNow(nodes []node) []int32 {
	var out []int32
	for _, n := range nodes {
		if s.m.isComp(n) && !s.held[n-s.m.compBase] {
			out = append(out, n-s.m.compBase)
		}
	}
	return out
}

// Because is [Impact.Because] for this loss.
func (v *View) Because(r estate.Ref, most int) [][]estate.Ref {
	return v.im.because(v.w.s, v.w.m.nodeOf(r), most)
}

// PartBecause is [Impact.PartBecause] for this loss.
func (v *View) PartBecause(service, part, most int) [][]estate.Ref {
	return v.im.because(v.w.s, v.w.m.partNode(service, part), most)
}

// Deadlocks returns the cycles of things that each wait for the next, like
// [Impact.Deadlocks]. Of a further loss, it leaves out those that the first one
// has just so.
func (v *View) Deadlocks() []Deadlock {
	if v.first != nil {
		return v.moreDeadlocks()
	}
	if v.kept != nil {
		return v.kept.deadlocks()
	}
	down := v.stuck()
	return v.w.s.deadlocksAmong(down, func() []node { return down })
}

// Suppose reports which of the subjects would be up in the end if the things in
// free were up whatever they need. blocked lists what could be freed next: the
// components and crews that are still down and that one of the subjects still
// waits for, directly or not.
func (v *View) Suppose(free, subjects []estate.Ref) (back []bool, blocked []estate.Ref) {
	s := v.w.s
	s.begin()
	for _, r := range free {
		s.force(v.w.m.nodeOf(r))
	}
	s.drain()
	var stuck []node
	for _, r := range subjects {
		n := v.w.m.nodeOf(r)
		back = append(back, s.val[n])
		if !s.val[n] {
			stuck = append(stuck, n)
		}
	}
	blocked = s.waitedFor(stuck)
	s.undo()
	return back, blocked
}

// Assume calls f with a function that takes one of some things as up whatever it
// needs, and takes all of that back once f returns. Until then Back, Holds, Ran and Met
// in the end tell what is true with it, of the things and of all that they wait for.
// The function reports whether any of that waits for the thing: else it changes no other.
func (v *View) Assume(things []estate.Ref, f func(free func(estate.Ref) bool)) {
	s := v.w.s
	nodes := make([]node, len(things))
	for i, r := range things {
		nodes[i] = v.w.m.nodeOf(r)
	}
	s.look(nodes...)
	s.cone.in = true
	s.begin()
	f(func(r estate.Ref) bool {
		n := v.w.m.nodeOf(r)
		s.force(n)
		s.drain()
		return len(s.out(n)) > 0
	})
	s.undo()
	s.cone.in = false
}

// waitedFor returns the components and crews that are down and that the nodes,
// all down, wait for, directly or not; themselves among them. Sorted by node.
func (s *state) waitedFor(from []node) []estate.Ref {
	seen := map[node]bool{}
	var stack []node
	push := func(n node) {
		if !seen[n] {
			seen[n] = true
			stack = append(stack, n)
		}
	}
	for _, n := range from {
		push(n)
	}
	var found []node
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.m.isComp(n) || s.m.isCrew(n) {
			found = append(found, n)
		}
		for _, b := range s.blockers(nil, n) {
			push(b)
		}
	}
	slices.Sort(found)
	refs := make([]estate.Ref, len(found))
	for i, n := range found {
		refs[i], _ = s.m.refOf(n)
	}
	return refs
}
