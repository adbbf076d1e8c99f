package plan

import (
	"fmt"
	"math"
	"slices"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// naive is the estate after a loss, read straight from the design and sharing
// no code with the planner: every question is answered by going through
// everything until nothing changes.
type naive struct {
	s     *estate.Snapshot
	lost  map[int]bool
	ran   map[[2]int]bool // component, action: its effect is there
	down  map[int]int     // component: replicas taken away by shrinks that began
	up    map[estate.Ref]bool
	parts map[[2]int]bool
}

func newNaive(s *estate.Snapshot, lost []string) *naive {
	n := &naive{s: s, lost: map[int]bool{}, ran: map[[2]int]bool{}, down: map[int]int{}}
	for _, name := range lost {
		r, _ := s.Lookup(estate.KindDomain, name)
		n.lost[r.Index] = true
	}
	for again := true; again; {
		again = false
		for d := range s.Domains {
			if !n.lost[d] && !n.need(s.Domains[d].Needs) {
				n.lost[d], again = true, true
			}
		}
	}
	return n
}

func (n *naive) need(d estate.Need) bool {
	if d.Ref != nil {
		if d.Ref.Kind == estate.KindDomain {
			return !n.lost[d.Ref.Index]
		}
		return n.up[estate.Ref{Kind: d.Ref.Kind, Index: d.Ref.Index}]
	}
	k := d.K
	for _, o := range d.Of {
		if n.need(o) {
			k--
		}
	}
	return k <= 0
}

func (n *naive) holds(c int) bool {
	x := &n.s.Components[c]
	if len(x.Replicas) == 0 {
		return true
	}
	living, all, primary := -n.down[c], 0, false
	for _, r := range x.Replicas {
		all += r.Count
		if n.lost[r.In] {
			continue
		}
		living += r.Count
		primary = primary || r.Role == estate.RolePrimary || x.Auto && r.Role == estate.RoleStandby
	}
	for a := range x.Actions {
		if !n.ran[[2]int{c, a}] || x.Actions[a].Does == estate.DoesShrink {
			continue
		}
		if x.Mode != estate.ModeAny || x.Actions[a].Adds == 0 {
			return true
		}
		living += x.Actions[a].Adds
	}
	switch x.Mode {
	case estate.ModeQuorum:
		return 2*living > all
	case estate.ModePrimary:
		return primary
	case estate.ModeAny:
	}
	return living >= x.AtLeast
}

// settle computes the greatest set that is up.
func (n *naive) settle() {
	n.up, n.parts = map[estate.Ref]bool{}, map[[2]int]bool{}
	type thing struct {
		ref  estate.Ref
		need estate.Need
	}
	var all []thing
	for i := range n.s.Components {
		if n.holds(i) {
			all = append(all, thing{estate.Ref{Kind: estate.KindComponent, Index: i}, n.s.Components[i].Needs})
		}
	}
	for i := range n.s.Services {
		all = append(all, thing{estate.Ref{Kind: estate.KindService, Index: i}, n.s.Services[i].Needs})
	}
	for i := range n.s.Crews {
		all = append(all, thing{estate.Ref{Kind: estate.KindCrew, Index: i}, n.s.Crews[i].Needs})
	}
	for _, t := range all {
		n.up[t.ref] = true
	}
	for again := true; again; {
		again = false
		for _, t := range all {
			if n.up[t.ref] && !n.need(t.need) {
				n.up[t.ref], again = false, true
			}
		}
	}
	for i := range n.s.Services {
		for j := range n.s.Services[i].Parts {
			n.parts[[2]int{i, j}] = n.up[estate.Ref{Kind: estate.KindService, Index: i}] && n.need(n.s.Services[i].Parts[j].Needs)
		}
	}
}

// canRun reports whether an action could start now, crew sizes and room aside.
func (n *naive) canRun(c, a, at int) bool {
	x := &n.s.Components[c]
	ac := &x.Actions[a]
	if len(ac.At) == 0 && at != -1 || len(ac.At) > 0 && !slices.Contains(ac.At, at) || at >= 0 && n.lost[at] {
		return false
	}
	if !n.need(ac.Needs) || ac.Does != estate.DoesShrink && !n.need(x.StartNeeds) {
		return false
	}
	for _, u := range ac.Crew {
		if !n.up[estate.Ref{Kind: estate.KindCrew, Index: u.Index}] || n.s.Crews[u.Index].People >= 0 && u.Count > n.s.Crews[u.Index].People {
			return false
		}
	}
	for _, u := range ac.Uses {
		if n.s.Limits[u.Index].Slots >= 0 && u.Count > n.s.Limits[u.Index].Slots {
			return false
		}
	}
	standby := func(r estate.Replica) bool { return r.Role == estate.RoleStandby && !n.lost[r.In] }
	switch ac.Does {
	case estate.DoesPromote:
		return slices.ContainsFunc(x.Replicas, func(r estate.Replica) bool {
			return standby(r) && (at < 0 || r.In == at || slices.Contains(n.s.Domains[r.In].Ancestors, at))
		})
	case estate.DoesRestore:
		return slices.ContainsFunc(x.Replicas, standby) ||
			x.Data != nil && slices.ContainsFunc(x.Data.Copies, func(k estate.Copy) bool { return !n.lost[k.In] })
	case estate.DoesStart, estate.DoesScale, estate.DoesRebuild, estate.DoesSwitch, estate.DoesShrink:
	}
	return true
}

// recoverable runs everything that can run and returns what it ran.
func (n *naive) recoverable() [][2]int {
	held := map[int]bool{}
	n.settle()
	for c := range n.s.Components {
		held[c] = n.holds(c)
	}
	var ran [][2]int
	for again := true; again; {
		again = false
		n.settle()
		for c := range n.s.Components {
			for a := range n.s.Components[c].Actions {
				ac := &n.s.Components[c].Actions[a]
				if held[c] || n.ran[[2]int{c, a}] || ac.Does == estate.DoesShrink {
					continue
				}
				ats := ac.At
				if len(ats) == 0 {
					ats = []int{-1}
				}
				if slices.ContainsFunc(ats, func(at int) bool { return n.canRun(c, a, at) }) {
					n.ran[[2]int{c, a}], again = true, true
					ran = append(ran, [2]int{c, a})
				}
			}
		}
	}
	return ran
}

// uses returns what one replica added by an action at a domain takes.
func (n *naive) uses(c, at int) estate.Resources {
	x := &n.s.Components[c]
	for _, r := range x.Replicas {
		if s := n.s.Domains[at].Site; s >= 0 && n.s.Domains[r.In].Site == s {
			return r.Uses
		}
	}
	if len(x.Replicas) == 0 {
		return nil
	}
	return x.Replicas[0].Uses
}

// over returns what each domain with a capacity holds beyond it once the steps
// given have begun, of the resources that one of them takes there. Room of a
// finished shrink is free again.
func (n *naive) over(begun []Step, t time.Duration) error {
	type key struct {
		domain   int
		resource string
	}
	used, drawn := map[key]float64{}, map[key]bool{}
	take := func(in int, uses estate.Resources, count float64, draws bool) {
		for _, d := range append([]int{in}, n.s.Domains[in].Ancestors...) {
			for _, u := range uses {
				used[key{d, u.Resource}] += u.Amount * count
				drawn[key{d, u.Resource}] = drawn[key{d, u.Resource}] || draws && u.Amount*count > 0
			}
		}
	}
	for c := range n.s.Components {
		for _, r := range n.s.Components[c].Replicas {
			if !n.lost[r.In] {
				take(r.In, r.Uses, float64(r.Count), false)
			}
		}
	}
	for _, st := range begun {
		ac := &n.s.Components[st.Ref.Component].Actions[st.Ref.Action]
		switch {
		case st.Ref.At < 0:
		case ac.Does == estate.DoesShrink:
			if st.Finish <= t {
				take(st.Ref.At, n.uses(st.Ref.Component, st.Ref.At), -float64(ac.Removes), false)
			}
		default:
			take(st.Ref.At, n.uses(st.Ref.Component, st.Ref.At), float64(ac.Adds), true)
		}
	}
	for k, u := range used {
		if room, ok := n.s.Domains[k.domain].Capacity.Of(k.resource); ok && drawn[k] && u > room+1e-6 {
			return fmt.Errorf("at %v %s holds %v of %s and has %v", t, n.s.Domains[k.domain].Name, u, k.resource, room)
		}
	}
	return nil
}

// busy checks people and slots at one moment.
func (n *naive) busy(steps []Step, t time.Duration) error {
	people, slots := map[int]int{}, map[int]int{}
	for _, st := range steps {
		if st.Start <= t && t < st.Finish || st.Start == t {
			if st.Start == st.Finish {
				continue // it takes no time, so it keeps nobody busy
			}
			ac := &n.s.Components[st.Ref.Component].Actions[st.Ref.Action]
			for _, u := range ac.Crew {
				people[u.Index] += u.Count
			}
			for _, u := range ac.Uses {
				slots[u.Index] += u.Count
			}
		}
	}
	for c, k := range people {
		if p := n.s.Crews[c].People; p >= 0 && k > p {
			return fmt.Errorf("at %v crew %s has %d people at work of %d", t, n.s.Crews[c].Name, k, p)
		}
	}
	for l, k := range slots {
		if p := n.s.Limits[l].Slots; p >= 0 && k > p {
			return fmt.Errorf("at %v limit %s has %d slots taken of %d", t, n.s.Limits[l].Name, k, p)
		}
	}
	return nil
}

// check replays a plan and reports the first thing wrong with it.
func check(s *estate.Snapshot, lost []string, p *Plan, done []Finished) error {
	whole := newNaive(s, lost)
	whole.settle()
	first := *whole
	whole.recoverable()
	last := *whole

	n := newNaive(s, lost)
	n.settle()
	held := map[int]bool{}
	for c := range s.Components {
		held[c] = n.holds(c)
	}
	ids := map[string]Step{}
	once := map[[2]int]bool{}
	var times []time.Duration
	for _, st := range p.Steps {
		key := [2]int{st.Ref.Component, st.Ref.Action}
		if once[key] {
			return fmt.Errorf("%s runs twice", st.ID)
		}
		once[key] = true
		ac := &s.Components[st.Ref.Component].Actions[st.Ref.Action]
		if held[st.Ref.Component] && ac.Does != estate.DoesShrink {
			return fmt.Errorf("%s works on what holds", st.ID)
		}
		if !st.Running && (st.Finish-st.Start != ac.Takes.Likely || st.Start < p.Now) {
			return fmt.Errorf("%s runs from %v to %v", st.ID, st.Start, st.Finish)
		}
		ids[st.ID] = st
		times = append(times, st.Start, st.Finish)
	}
	for _, d := range done {
		times = append(times, d.Finish)
		if ac := &s.Components[d.Ref.Component].Actions[d.Ref.Action]; ac.Does == estate.DoesShrink {
			times = append(times, d.Finish-ac.Takes.Likely)
		}
	}
	for _, st := range p.Steps {
		for _, id := range st.After {
			if before, ok := ids[id]; !ok || before.Finish > st.Start {
				return fmt.Errorf("%s waits for %s, which is not there", st.ID, id)
			}
		}
	}
	slices.Sort(times)
	upAt, partAt := map[int]time.Duration{}, map[[2]int]time.Duration{}
	downAt := map[[2]int]time.Duration{}
	note := func(t time.Duration) {
		for i := range s.Services {
			if _, ok := upAt[i]; !ok && n.up[estate.Ref{Kind: estate.KindService, Index: i}] {
				upAt[i] = t
			}
			for j := range s.Services[i].Parts {
				if _, ok := partAt[[2]int{i, j}]; !ok && n.parts[[2]int{i, j}] {
					partAt[[2]int{i, j}] = t
				}
			}
			fell := func(part int, was, is bool) {
				if _, ok := downAt[[2]int{i, part}]; !ok && was && !is {
					downAt[[2]int{i, part}] = t
				}
			}
			ref := estate.Ref{Kind: estate.KindService, Index: i}
			fell(-1, first.up[ref], n.up[ref])
			for j := range s.Services[i].Parts {
				fell(j, first.parts[[2]int{i, j}], n.parts[[2]int{i, j}])
			}
		}
	}
	note(0)
	for _, t := range slices.Compact(times) {
		for _, d := range done {
			ac := &s.Components[d.Ref.Component].Actions[d.Ref.Action]
			if ac.Does == estate.DoesShrink && d.Finish-ac.Takes.Likely == t {
				n.down[d.Ref.Component] += ac.Removes
			}
			if d.Finish <= t {
				n.ran[[2]int{d.Ref.Component, d.Ref.Action}] = true
			}
		}
		for _, st := range p.Steps {
			ac := &s.Components[st.Ref.Component].Actions[st.Ref.Action]
			if ac.Does == estate.DoesShrink && st.Start == t {
				n.down[st.Ref.Component] += ac.Removes
			}
			if st.Finish <= t && (st.Start < t || st.Running) {
				n.ran[[2]int{st.Ref.Component, st.Ref.Action}] = true
			}
		}
		// What starts now may lean on what starts now and takes no time.
		wait := slices.DeleteFunc(slices.Clone(p.Steps), func(st Step) bool { return st.Start != t || st.Running })
		for again := true; again; {
			again = false
			n.settle()
			wait = slices.DeleteFunc(wait, func(st Step) bool {
				if !n.canRun(st.Ref.Component, st.Ref.Action, st.Ref.At) {
					return false
				}
				if st.Finish == t {
					n.ran[[2]int{st.Ref.Component, st.Ref.Action}], again = true, true
				}
				return true
			})
		}
		if len(wait) > 0 {
			return fmt.Errorf("%s starts at %v before its needs are up", wait[0].ID, t)
		}
		note(t)
		// What runs needs what it needs until it is finished.
		for _, st := range p.Steps {
			if st.Start <= t && t < st.Finish && !st.Running && !n.canRun(st.Ref.Component, st.Ref.Action, st.Ref.At) {
				return fmt.Errorf("%s loses its needs at %v", st.ID, t)
			}
		}
		if err := n.busy(p.Steps, t); err != nil {
			return err
		}
		begun := slices.DeleteFunc(slices.Clone(p.Steps), func(st Step) bool { return st.Start > t })
		for _, d := range done {
			if began := d.Finish - s.Components[d.Ref.Component].Actions[d.Ref.Action].Takes.Likely; began <= t {
				begun = append(begun, Step{Ref: d.Ref, Start: began, Finish: d.Finish})
			}
		}
		if err := n.over(begun, t); err != nil {
			return err
		}
	}

	var cost, stranded float64
	one := func(what string, key [2]int, was, will bool, at time.Duration, ok bool, weight float64, saidFrom time.Duration, said *time.Duration, state impact.State) error {
		if from, gone := downAt[key]; gone {
			if saidFrom != from || said != nil {
				return fmt.Errorf("%s goes down at %v, the plan says %v", what, from, saidFrom)
			}
			if state != TakenDown {
				return fmt.Errorf("%s is taken down, the plan says %s", what, state)
			}
			cost += weight * max(p.Horizon-from, 0).Minutes()
			return nil
		}
		switch {
		case ok != (said != nil) || ok && *said != at:
			return fmt.Errorf("%s is up at %v (%v), the plan says %v", what, at, ok, said)
		case was:
			if state == impact.Unrecoverable || state == impact.Recoverable {
				return fmt.Errorf("%s was not hit, the plan says %s", what, state)
			}
		case will:
			if state != impact.Recoverable {
				return fmt.Errorf("%s is recoverable, the plan says %s", what, state)
			}
			t := p.Horizon
			if ok {
				t = min(at, t)
			}
			cost += weight * t.Minutes()
		default:
			if state != impact.Unrecoverable {
				return fmt.Errorf("%s is unrecoverable, the plan says %s", what, state)
			}
			stranded += weight * p.Horizon.Minutes()
		}
		return nil
	}
	for _, sv := range p.Services {
		x := &s.Services[sv.Service]
		ref := estate.Ref{Kind: estate.KindService, Index: sv.Service}
		w := float64(x.Users) * x.Weight
		at, ok := upAt[sv.Service]
		if err := one(x.Name, [2]int{sv.Service, -1}, first.up[ref], last.up[ref], at, ok, w*x.Core(), sv.DownFrom, sv.UpAt, sv.State); err != nil {
			return err
		}
		for j, k := range sv.Parts {
			key := [2]int{sv.Service, j}
			at, ok := partAt[key]
			if err := one(x.Name+"."+k.Name, key, first.parts[key], last.parts[key], at, ok, w*x.Parts[j].Share, k.DownFrom, k.UpAt, k.State); err != nil {
				return err
			}
		}
	}
	if math.Abs(cost-p.Objective.UserMinutes) > 1e-6*max(cost, 1) || math.Abs(stranded-p.Objective.Stranded) > 1e-6*max(stranded, 1) {
		return fmt.Errorf("the plan costs %v and strands %v, it says %v and %v", cost, stranded, p.Objective.UserMinutes, p.Objective.Stranded)
	}
	if p.Objective.LowerBound > p.Objective.UserMinutes {
		return fmt.Errorf("lower bound %v above %v", p.Objective.LowerBound, p.Objective.UserMinutes)
	}
	return nil
}

// best returns the least cost of any plan without shrinks, by trying every
// order of every subset of actions at every place, each inserted as early as it
// can be: among those is an optimal one, since an earlier step never hurts.
func best(s *estate.Snapshot, lost []string, horizon time.Duration, limit int) (float64, bool) {
	whole := newNaive(s, lost)
	whole.settle()
	first := *whole
	acts := whole.recoverable()
	if len(acts) > limit {
		return 0, false
	}
	last := *whole
	least := math.Inf(1)
	cost := func(steps []Step) float64 {
		var sum float64
		left := map[[2]int]float64{} // service, part (-1 the core): weight
		for i := range s.Services {
			x := &s.Services[i]
			ref := estate.Ref{Kind: estate.KindService, Index: i}
			w := float64(x.Users) * x.Weight
			if !first.up[ref] && last.up[ref] {
				left[[2]int{i, -1}] = w * x.Core()
			}
			for j := range x.Parts {
				if k := [2]int{i, j}; !first.parts[k] && last.parts[k] {
					left[k] = w * x.Parts[j].Share
				}
			}
		}
		ends := []time.Duration{0}
		for _, st := range steps {
			ends = append(ends, st.Finish)
		}
		slices.Sort(ends)
		for _, t := range slices.Compact(ends) {
			n := at(s, lost, steps, t)
			for k, w := range left {
				if k[1] < 0 && n.up[estate.Ref{Kind: estate.KindService, Index: k[0]}] || k[1] >= 0 && n.parts[k] {
					sum += w * min(t, horizon).Minutes()
					delete(left, k)
				}
			}
		}
		for _, w := range left {
			sum += w * horizon.Minutes()
		}
		return sum
	}
	var grow func(steps []Step)
	grow = func(steps []Step) {
		least = min(least, cost(steps))
		for _, a := range acts {
			if slices.ContainsFunc(steps, func(st Step) bool { return st.Ref.Component == a[0] && st.Ref.Action == a[1] }) {
				continue
			}
			ac := &s.Components[a[0]].Actions[a[1]]
			ats := ac.At
			if len(ats) == 0 {
				ats = []int{-1}
			}
			for _, place := range ats {
				if st, ok := insert(s, lost, steps, a, place, ac.Takes.Likely); ok {
					grow(append(slices.Clip(steps), st))
				}
			}
		}
	}
	grow(nil)
	return least, true
}

// at is what is up once the steps that are finished at t have had their effect.
func at(s *estate.Snapshot, lost []string, steps []Step, t time.Duration) *naive {
	n := newNaive(s, lost)
	for _, st := range steps {
		if st.Finish <= t {
			n.ran[[2]int{st.Ref.Component, st.Ref.Action}] = true
		}
	}
	n.settle()
	return n
}

// insert places an action among the steps at the first moment that is feasible.
func insert(s *estate.Snapshot, lost []string, steps []Step, a [2]int, place int, takes time.Duration) (Step, bool) {
	starts := []time.Duration{0}
	for _, st := range steps {
		starts = append(starts, st.Finish)
	}
	slices.Sort(starts)
	for _, t := range slices.Compact(starts) {
		n := at(s, lost, steps, t)
		if !n.canRun(a[0], a[1], place) {
			continue
		}
		st := Step{Ref: impact.ActionRef{Component: a[0], Action: a[1], At: place}, Start: t, Finish: t + takes}
		with := append(slices.Clone(steps), st)
		ok := n.over(with, math.MaxInt64) == nil
		for _, x := range with {
			ok = ok && n.busy(with, x.Start) == nil
		}
		if ok {
			return st, true
		}
	}
	return Step{}, false
}
