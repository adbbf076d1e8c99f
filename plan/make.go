package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// Make returns a plan that brings back what the loss of the named domains took.
// It is feasible, its lower bound holds for every plan, and it is the same for
// the same input unless [Options.Time] is set. The error is that of [impact.Of].
func Make(s *estate.Snapshot, lost []string, opts Options) (*Plan, error) {
	im, err := impact.Of(s, lost)
	if err != nil {
		return nil, err
	}
	return For(im, opts), nil
}

// For is [Make] for an impact that is already known.
func For(im *impact.Impact, opts Options) *Plan {
	opts = opts.withDefaults()
	done := opts.Done
	opts.withoutLost(im)
	spent := func() bool { return false }
	if opts.Time > 0 {
		began := time.Now()
		spent = func() bool { return time.Since(began) >= opts.Time }
	}
	t := newTask(im, &opts, begun(im, &opts))
	lower, suggested := t.sv.lowerBound(t.free)
	goal := lower * (1 + 1e-12)
	best, cost := t.search(suggested, spent, goal)
	// The bound knows nothing of room, so it holds with shrinks as well.
	t.crowd.planners[0].decode(best)
	if t.leavesDown() {
		if of := t.makeRoom(cost); len(of) > len(t.begun) {
			u, suggested := t.with(of)
			if b, c := u.search(suggested, spent, goal); c < cost {
				t, best = u, b
			}
		}
	}
	pl := t.crowd.planners[0]
	pl.decode(best)
	out := t.p.plan(im, pl.st, pl.c, lower, &opts)
	out.done = done
	return out
}

// withoutLost leaves out what has run, or runs, at a place that is lost: its effect is
// gone with the place.
func (o *Options) withoutLost(im *impact.Impact) {
	o.Done = slices.DeleteFunc(slices.Clone(o.Done), func(d Finished) bool { return gone(im, d.Ref) })
	o.Running = slices.DeleteFunc(slices.Clone(o.Running), func(r Step) bool { return gone(im, r.Ref) })
}

// gone reports whether the place of an action is lost. That of a promotion is where
// the standby is that it made the primary; it is lost for certain once no standby that
// it can have chosen lives.
func gone(im *impact.Impact, ref impact.ActionRef) bool {
	if ref.At >= 0 && !im.Alive(ref.At) {
		return true
	}
	c := &im.Snapshot.Components[ref.Component]
	if c.Actions[ref.Action].Does != estate.DoesPromote {
		return false
	}
	return !slices.ContainsFunc(c.Replicas, func(r estate.Replica) bool {
		return r.Role == estate.RoleStandby && im.Alive(r.In) && (ref.At < 0 || within(im.Snapshot, r.In, ref.At))
	})
}

// A task is one problem with what the search needs.
type task struct {
	im    *impact.Impact
	opts  *Options
	begun []shrink
	p     *problem
	sv    *survey
	free  *cone
	crowd *crowd
}

func newTask(im *impact.Impact, opts *Options, of []shrink) *task {
	t := &task{im: im, opts: opts, begun: of, p: compile(im.Snapshot, im, opts, of)}
	t.p.settleFixed()
	t.sv, t.free = t.p.survey()
	return t
}

// with is the same task with more shrinks, and the orders that its own bound
// suggests.
func (t *task) with(of []shrink) (*task, [][]int32) {
	u := newTask(t.im, t.opts, fell(t.im, t.p.time(of)))
	_, suggested := u.sv.lowerBound(u.free)
	return u, suggested
}

func (t *task) search(suggested [][]int32, spent func() bool, goal float64) (candidate, float64) {
	t.crowd = newCrowd(t.p)
	orders := append(t.sv.rankings(), suggested...)
	if len(t.opts.Prefer) > 0 {
		orders = append(orders, t.sv.preferred(t.opts.Prefer))
	}
	return t.sv.search(t.crowd, orders, t.opts, spent, goal)
}

// leavesDown reports whether the schedule that was decoded last leaves
// something down that could come back.
func (t *task) leavesDown() bool {
	st := t.crowd.planners[0].st
	for _, o := range t.sv.order {
		if st.up[t.p.targets[o].node] == never {
			return true
		}
	}
	return false
}

// settleFixed finds what is up by what has run and what is running alone.
func (p *problem) settleFixed() {
	if len(p.fixed) == 0 {
		return
	}
	st := newSchedule(p)
	c := newCone(p)
	c.run(st, modeExact, p.allNodes()...)
	p.fixedUp = make([]time.Duration, len(p.nodes))
	for n := range p.fixedUp {
		p.fixedUp[n] = c.up[n]
	}
}

func (p *problem) allNodes() []int32 {
	all := make([]int32, len(p.nodes))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// plan reads the finished schedule: exact times, without steps that nothing
// turned out to need.
func (p *problem) plan(im *impact.Impact, st *schedule, c *cone, lower float64, opts *Options) *Plan {
	c.run(st, modeExact, p.allNodes()...)
	w := &walker{c: c, nodeSeen: make([]uint32, len(p.nodes)), actSeen: make([]uint32, len(p.acts))}
	needed := w.needed()

	out := &Plan{Snapshot: p.snapshot, Impact: im, Horizon: p.horizon, Now: p.now, Partial: opts.Time > 0}
	for a := range p.acts {
		if needed[a] && !st.fixed[a] {
			out.Steps = append(out.Steps, p.step(st, int32(a)))
		}
	}
	for i := range opts.Running {
		out.Steps = append(out.Steps, p.running(&opts.Running[i]))
	}
	for i := range p.shrunk {
		if !p.shrunk[i].began {
			out.Steps = append(out.Steps, p.shrinking(&p.shrunk[i]))
		}
	}
	stepOf := make(map[[2]int]*Step, len(out.Steps))
	for i := range out.Steps {
		r := out.Steps[i].Ref
		stepOf[[2]int{r.Component, r.Action}] = &out.Steps[i]
	}
	before := w.before(needed)
	for a := range p.acts {
		s := stepOf[[2]int{p.acts[a].component, p.acts[a].action}]
		if s == nil || !needed[a] {
			continue
		}
		for _, b := range before[a] {
			if k := stepOf[[2]int{p.acts[b].component, p.acts[b].action}]; k != nil {
				s.After = append(s.After, k.ID)
			}
		}
		if !st.fixed[a] {
			s.After = append(s.After, p.roomFrom(st, int32(a))...)
		}
		slices.Sort(s.After)
	}
	slices.SortFunc(out.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Finish, b.Finish), strings.Compare(a.ID, b.ID))
	})
	p.services(out, c)
	out.Objective.LowerBound = min(lower, out.Objective.UserMinutes)
	if !opts.WithoutBlockers {
		out.Blockers = blockers(im)
	}
	return out
}

func (p *problem) step(st *schedule, a int32) Step {
	x := &p.acts[a]
	c := &p.snapshot.Components[x.component]
	ac := &c.Actions[x.action]
	at := x.places[st.place[a]].at
	ref := impact.ActionRef{Component: x.component, Action: x.action, At: at}
	s := Step{ID: ref.ID(p.snapshot), Ref: ref, Start: st.start[a], Finish: st.finish[a], Crew: ac.Crew, Uses: ac.Uses}
	if at >= 0 {
		for _, u := range usesAt(p.snapshot, c, at) {
			s.Room = append(s.Room, estate.Amount{Resource: u.Resource, Amount: u.Amount * float64(ac.Adds)})
		}
		if ac.Adds > 0 {
			s.Placed = []Placement{{In: at, Count: ac.Adds}}
		}
	}
	return s
}

func (p *problem) shrinking(k *shrink) Step {
	ac := actionOf(p.snapshot, k.ref)
	return Step{
		ID: k.ref.ID(p.snapshot), Ref: k.ref, Start: k.start, Finish: k.finish, Crew: ac.Crew, Uses: ac.Uses,
		Removed: []Placement{{In: k.ref.At, Count: ac.Removes}},
	}
}

// roomFrom returns the shrinks without which the room of an act would be short.
func (p *problem) roomFrom(st *schedule, a int32) []string {
	var out []string
	for i := range p.shrunk {
		k := &p.shrunk[i]
		if k.began || k.finish > st.start[a] {
			continue
		}
		for _, f := range p.freed(k.ref) {
			u, r := &st.rows[f.row], &p.rows[f.row]
			takes := slices.ContainsFunc(p.acts[a].places[st.place[a]].room, func(d draw) bool { return d.row == f.row })
			if takes && u.taken > r.free+slack*max(r.capacity, 1) {
				out = append(out, k.ref.ID(p.snapshot))
				break
			}
		}
	}
	return out
}

func (p *problem) running(r *Step) Step {
	s := *r
	s.ID, s.Running, s.After = r.Ref.ID(p.snapshot), true, nil
	s.Finish = max(s.Finish, p.now)
	ac := &p.snapshot.Components[r.Ref.Component].Actions[r.Ref.Action]
	s.Crew, s.Uses = ac.Crew, ac.Uses
	return s
}

// services fills in when everything is back and what that costs. The sum is
// made in the order of the targets, as the bound's is.
func (p *problem) services(out *Plan, c *cone) {
	up := make([]time.Duration, len(p.nodes))
	for n := range up {
		up[n] = c.up[n]
	}
	out.Objective.UserMinutes = p.cost(up)
	node := map[estate.Ref]map[int]int32{}
	for _, t := range p.targets {
		nd := &p.nodes[t.node]
		if node[nd.ref] == nil {
			node[nd.ref] = map[int]int32{}
		}
		node[nd.ref][nd.part] = t.node
	}
	at := func(ref estate.Ref, part int, st impact.State) *time.Duration {
		var zero time.Duration
		if _, down := p.downAt[downKey{ref.Kind, ref.Index, part}]; down {
			return nil
		}
		n, ok := node[ref][part]
		switch {
		case ok && up[n] != never:
			return &up[n]
		case ok || st == impact.Unrecoverable:
			return nil
		}
		return &zero
	}
	for _, r := range out.Impact.Services {
		sv := &p.snapshot.Services[r.Ref.Index]
		all := float64(sv.Users) * sv.Weight * p.horizon.Minutes()
		from := func(part int) time.Duration { return p.downAt[downKey{r.Ref.Kind, r.Ref.Index, part}] }
		state := func(part int, st impact.State) impact.State {
			if _, down := p.downAt[downKey{r.Ref.Kind, r.Ref.Index, part}]; down && (st == impact.Up || st == impact.Degraded) {
				return TakenDown
			}
			return st
		}
		st := ServiceTimes{Service: r.Ref.Index, State: state(-1, r.State), DownFrom: from(-1), UpAt: at(r.Ref, -1, r.State)}
		if r.State == impact.Unrecoverable {
			out.Objective.Stranded += all * sv.Core()
		}
		for i, k := range r.Parts {
			st.Parts = append(st.Parts, PartTimes{Name: k.Name, State: state(i, k.State), DownFrom: from(i), UpAt: at(r.Ref, i, k.State)})
			if k.State == impact.Unrecoverable {
				out.Objective.Stranded += all * sv.Parts[i].Share
			}
			if st.State == impact.Up && st.Parts[i].State == TakenDown {
				st.State = impact.Degraded
			}
		}
		out.Services = append(out.Services, st)
	}
}

// A walker follows the causes of an exact run.
type walker struct {
	c        *cone
	epoch    uint32
	nodeSeen []uint32
	actSeen  []uint32
	nodes    []int32
	acts     []int32 // found
	causes   []cause
	holders  []int32
}

func (w *walker) reset() {
	w.epoch++
	w.nodes, w.acts = w.nodes[:0], w.acts[:0]
}

func (w *walker) gate(g int32) {
	if g == none {
		return
	}
	from := len(w.causes)
	w.causes = w.c.causes(g, w.causes)
	for i := from; i < len(w.causes); i++ {
		if l := w.causes[i].lit; l.isGate() {
			w.gate(l.index())
		} else {
			w.node(l.index())
		}
	}
	w.causes = w.causes[:from]
}

func (w *walker) node(n int32) {
	if w.nodeSeen[n] != w.epoch {
		w.nodeSeen[n] = w.epoch
		w.nodes = append(w.nodes, n)
	}
}

// follow walks from the nodes noted so far to the acts that brought them up.
func (w *walker) follow() {
	for len(w.nodes) > 0 {
		n := w.nodes[len(w.nodes)-1]
		w.nodes = w.nodes[:len(w.nodes)-1]
		nd := &w.c.p.nodes[n]
		w.gate(nd.need)
		if nd.acts == nd.end {
			continue
		}
		w.holders = w.c.holders(n, w.holders[:0])
		for _, a := range w.holders {
			if w.actSeen[a] != w.epoch {
				w.actSeen[a] = w.epoch
				w.acts = append(w.acts, a)
			}
		}
	}
}

// needed marks the acts that some target came up by.
func (w *walker) needed() []bool {
	out := make([]bool, len(w.c.p.acts))
	w.reset()
	for _, t := range w.c.p.targets {
		if w.c.isUp(t.node) {
			w.node(t.node)
		}
	}
	w.follow()
	for i := 0; i < len(w.acts); i++ {
		a := w.acts[i]
		out[a] = true
		w.gate(w.c.p.acts[a].need)
		w.follow()
	}
	return out
}

// before returns for each needed act those whose effect it waits for: only the
// last of each chain.
func (w *walker) before(needed []bool) [][]int32 {
	out := make([][]int32, len(needed))
	for a := range needed {
		if !needed[a] {
			continue
		}
		w.reset()
		w.gate(w.c.p.acts[a].need)
		w.follow()
		out[a] = slices.Clone(w.acts)
	}
	for a := range out {
		out[a] = w.last(out, out[a])
	}
	return out
}

// lastLimit bounds how far back last looks: what it misses is said twice, which
// is harmless.
const lastLimit = 2000

// last leaves out what another of the acts already waits for.
func (w *walker) last(before [][]int32, acts []int32) []int32 {
	if len(acts) < 2 {
		return acts
	}
	w.reset()
	var stack []int32
	for _, a := range acts {
		stack = append(stack, before[a]...)
	}
	for n := 0; len(stack) > 0 && n < lastLimit; n++ {
		a := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if w.actSeen[a] != w.epoch {
			w.actSeen[a] = w.epoch
			stack = append(stack, before[a]...)
		}
	}
	return slices.DeleteFunc(acts, func(a int32) bool { return w.actSeen[a] == w.epoch })
}
