package audit

import (
	"iter"
	"slices"

	"bongsu/estate"
	"bongsu/impact"
)

// ColdStart stands in an ID and in [Finding.Loss] where nothing is lost and
// nothing is up: everything has to start at once, as after a power cut of all sites.
const ColdStart = "cold-start"

// coldStart finds the deadlocks that only such a start meets: in the loss of a
// part of the sites, what still runs elsewhere breaks them. Replicas come back by
// themselves, but for those that an action starts in their place; and nothing with
// startNeeds comes up before them. It judges last: a cycle that a loss meets too
// is said there.
func (a *auditor) coldStart() {
	if a.err != nil || !a.runs("deadlock") || Warning.Rank() < a.o.MinSeverity.Rank() {
		return
	}
	if a.known != nil && a.known.sways&swaysImpact == 0 && !a.frozen {
		return // there was none, and nothing changed that could make one
	}
	var held []bool // what never did is as down as it was
	a.visit(nil, func(v *impact.View) {
		held = make([]bool, len(a.s.Components))
		for i := range held {
			held[i] = v.Held(i)
		}
	})
	c := &cold{s: a.s, held: held}
	among := func(yield func(int) bool) {
		for i := range a.graph.first[3] {
			if !yield(i) {
				return
			}
		}
	}
	if a.known != nil && !a.frozen { // a new cycle goes through something that changed
		among = func(yield func(int) bool) {
			for _, r := range a.known.changed {
				if k := r.Kind; (k == estate.KindComponent || k == estate.KindService || k == estate.KindCrew) && !yield(a.graph.id(r)) {
					return
				}
			}
		}
	}
	a.frozen = c.mayLock(a.graph, among)
	if !a.frozen {
		return
	}
	said := map[string]bool{}
	for i := range a.list {
		if f := &a.list[i]; f.Rule == "deadlock" && f.Severity == Error {
			said[f.Subject] = true
		}
	}
	b := *a
	for _, r := range a.rules {
		if r.name == "deadlock" {
			b.rule = r
		}
	}
	b.s = c.snapshot()
	b.engine = impact.NewEngine(b.s)
	b.sweep, b.standing, b.list, b.known = nil, nil, nil, nil
	b.visit(nil, func(v *impact.View) {
		t := &trial{View: v, loss: loss{name: ColdStart}}
		for _, d := range v.Deadlocks() {
			b.addCycle(t, d.Cycle, Warning, func(f Finding, t *trial, cycle []estate.Ref, subject string) {
				if !said[subject] {
					f.pos = a.posOf(cycle[0], spot{})
					b.add(f, t.loss.name, cycle[0], subject)
				}
			})
		}
	})
	a.list = append(a.list, b.list...)
}

// cold is an estate in which nothing is up.
type cold struct {
	s    *estate.Snapshot
	held []bool // of each component: it holds with nothing lost
}

// mayLock reports whether one of the things, or something that it waits for, waits
// for a start, through whatever is named, that waits for it: without that there is
// no deadlock, and it is soon found out.
func (c *cold) mayLock(g *graph, among iter.Seq[int]) bool {
	n := g.first[3]
	var (
		index = make([]int32, n) // 0: not seen
		low   = make([]int32, n)
		group = make([]int32, n) // 0: not known yet; else that of all that wait for each other
		begun [][2]int           // who waits for whom to start
		stack []int
		clock int32
		visit func(v int)
	)
	visit = func(v int) {
		clock++
		index[v], low[v] = clock, clock
		stack = append(stack, v)
		c.waits(g.ref(v), func(r estate.Ref, start bool) {
			if r.Kind == estate.KindDomain {
				return
			}
			w := g.id(r)
			if start {
				begun = append(begun, [2]int{v, w})
			}
			if index[w] == 0 {
				visit(w)
				low[v] = min(low[v], low[w])
			} else if group[w] == 0 {
				low[v] = min(low[v], index[w])
			}
		})
		if low[v] != index[v] {
			return
		}
		for done := false; !done; {
			w := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			group[w] = index[v]
			done = w == v
		}
	}
	for v := range among {
		if index[v] == 0 {
			visit(v)
		}
	}
	return slices.ContainsFunc(begun, func(e [2]int) bool { return group[e[0]] == group[e[1]] })
}

// waits calls f for all that a component, a service or a crew waits for; start:
// only to start.
func (c *cold) waits(r estate.Ref, f func(r estate.Ref, start bool)) {
	run := func(r estate.Ref) { f(r, false) }
	start := func(r estate.Ref) { f(r, true) }
	switch r.Kind {
	case estate.KindComponent:
		x := &c.s.Components[r.Index]
		eachRef(x.Needs, run)
		if len(x.Replicas) == 0 {
			return
		}
		eachRef(x.StartNeeds, start)
		if c.held[r.Index] && c.byItself(x) {
			return
		}
		for i := range x.Actions {
			if act := &x.Actions[i]; starter(act) || !c.held[r.Index] {
				eachRef(act.Needs, start)
				for _, u := range act.Crew {
					start(estate.Ref{Kind: estate.KindCrew, Index: u.Index})
				}
			}
		}
	case estate.KindService:
		eachRef(c.s.Services[r.Index].Needs, run)
	case estate.KindCrew:
		eachRef(c.s.Crews[r.Index].Needs, run)
	case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
}

// snapshot returns the estate in which everything that has to be started is down
// with nothing lost, and has the actions that start it and no others.
func (c *cold) snapshot() *estate.Snapshot {
	s := *c.s
	s.Components = slices.Clone(s.Components)
	for i := range s.Components {
		x := &s.Components[i]
		if !c.held[i] || len(x.Replicas) == 0 {
			continue
		}
		alone := c.byItself(x)
		if alone && x.StartNeeds.Empty() {
			continue
		}
		if alone {
			x.Actions = []estate.Action{{Name: "start", Does: estate.DoesStart}}
		} else {
			x.Actions = slices.DeleteFunc(slices.Clone(x.Actions), func(act estate.Action) bool { return !starter(&act) })
		}
		x.Mode, x.AtLeast, x.Replicas = estate.ModeAny, 1, slices.Clone(x.Replicas[:1])
		x.Replicas[0].Count = 0
	}
	return &s
}

// byItself reports whether a component holds by those of its replicas that no
// action starts.
func (c *cold) byItself(x *estate.Component) bool {
	if !slices.ContainsFunc(x.Actions, func(act estate.Action) bool { return starter(&act) }) {
		return true
	}
	all, alone, serves := 0, 0, false
	for i := range x.Replicas {
		r := &x.Replicas[i]
		all += r.Count
		if r.Count == 0 || slices.ContainsFunc(x.Actions, func(act estate.Action) bool { return starter(&act) && c.startsIn(&act, r.In) }) {
			continue
		}
		alone += r.Count
		serves = serves || r.Role == estate.RolePrimary || x.Auto && r.Role == estate.RoleStandby
	}
	switch x.Mode {
	case estate.ModeQuorum:
		return 2*alone > all
	case estate.ModePrimary:
		return serves
	default:
		return alone >= x.AtLeast
	}
}

// starter reports whether an action starts what stands there already; one that
// adds replicas makes new ones.
func starter(act *estate.Action) bool { return act.Does == estate.DoesStart && act.Adds == 0 }

// startsIn reports whether an action starts what stands in a domain.
func (c *cold) startsIn(act *estate.Action, d int) bool {
	return len(act.At) == 0 || slices.ContainsFunc(act.At, func(at int) bool {
		return at == d || slices.Contains(c.s.Domains[d].Ancestors, at)
	})
}
