package recovery

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/plan"
)

// FromPlan makes a plan fit to be executed: everything by name, with how each step
// is done, how long it may take and what has to hold before it may make a writer.
func FromPlan(p *plan.Plan) Spec { return fromPlan(p, nil) }

// fromPlan adds steps that are done to the plan for the rest, so that it is whole.
func fromPlan(p *plan.Plan, done []Past) Spec {
	t := &translator{p: p, s: p.Snapshot, lost: map[int]bool{}, void: map[string]bool{}}
	spec := Spec{
		Estate: t.s.Rev, Lost: []string{}, LostSites: []string{}, Services: []Service{}, Blockers: []Blocker{},
		Objective: Objective{
			UserMinutes: p.Objective.UserMinutes, LowerBound: p.Objective.LowerBound,
			Gap: p.Objective.Gap(), Stranded: p.Objective.Stranded,
		},
	}
	for _, d := range p.Impact.Lost {
		spec.Lost = append(spec.Lost, t.s.Domains[d].Name)
	}
	for _, d := range p.Impact.LostDomains {
		t.lost[d] = true
		if t.s.Domains[d].Type == "site" {
			spec.LostSites = append(spec.LostSites, t.s.Domains[d].Name)
		}
	}
	slices.Sort(spec.Lost)
	slices.Sort(spec.LostSites)
	capacity := map[string]int{}
	for i := range p.Steps {
		spec.Steps = append(spec.Steps, t.step(&p.Steps[i], capacity))
	}
	for _, name := range slices.Sorted(maps.Keys(capacity)) {
		spec.Capacity = append(spec.Capacity, Capacity{Name: name, Count: capacity[name]})
	}
	t.shrinkFirst(spec.Steps)
	for _, d := range done {
		d.Step.Start, d.Step.Finish = d.Start, d.Finish
		t.void[d.Step.ID] = slices.ContainsFunc([]string{d.Step.At, d.Step.Site}, func(name string) bool {
			ref, ok := t.s.Lookup(estate.KindDomain, name)
			return ok && t.lost[ref.Index]
		})
		spec.Steps = append(spec.Steps, d.Step)
	}
	slices.SortStableFunc(spec.Steps, func(a, b Step) int { return cmp.Or(cmp.Compare(a.Start, b.Start), strings.Compare(a.ID, b.ID)) })
	for i := range p.Services {
		spec.Services = append(spec.Services, t.service(&p.Services[i], spec.Steps))
	}
	for _, b := range p.Blockers {
		blocker := Blocker{Subject: b.Subject.Name, Because: [][]string{}}
		if b.Part != "" {
			blocker.Subject += "/" + b.Part
		}
		for _, set := range b.Because {
			names := make([]string, len(set))
			for i, r := range set {
				names[i] = r.Name
			}
			blocker.Because = append(blocker.Because, names)
		}
		spec.Blockers = append(spec.Blockers, blocker)
	}
	return spec
}

type translator struct {
	p    *plan.Plan
	s    *estate.Snapshot
	lost map[int]bool
	void map[string]bool // steps that are done at a place that is lost by now
}

func (t *translator) step(ps *plan.Step, capacity map[string]int) Step {
	c := &t.s.Components[ps.Ref.Component]
	a := &c.Actions[ps.Ref.Action]
	st := Step{
		ID: ps.ID, Component: c.Name, Title: c.Title, Action: a.Name, Does: string(a.Does),
		Start: ps.Start, Finish: ps.Finish, Likely: a.Takes.Likely, Worst: max(a.Takes.Worst, a.Takes.Likely),
		After: slices.Clone(ps.After), Driver: DriverManual,
	}
	if at := ps.Ref.At; at >= 0 {
		d := &t.s.Domains[at]
		st.At = d.Name
		if d.Site >= 0 {
			st.Site = t.s.Domains[d.Site].Name
		}
	}
	for _, u := range ps.Crew {
		name := "crew/" + t.s.Crews[u.Index].Name
		st.Uses = append(st.Uses, Amount{Name: name, Count: u.Count})
		if n := t.s.Crews[u.Index].People; n >= 0 {
			capacity[name] = n
		}
	}
	for _, u := range ps.Uses {
		name := "limit/" + t.s.Limits[u.Index].Name
		st.Uses = append(st.Uses, Amount{Name: name, Count: u.Count})
		if n := t.s.Limits[u.Index].Slots; n >= 0 {
			capacity[name] = n
		}
	}
	for _, p := range ps.Placed {
		st.Count += p.Count
	}
	if a.Run != nil {
		st.Driver, st.Args = a.Run.Driver, a.Run.Args
	}
	st.Idempotent, _ = st.Args["idempotent"].(bool)
	st.Limit = limit(st.Args, st.Worst)
	st.Guard = t.guard(c, a, ps.Ref.At)
	return st
}

// limit is how long an act may take: what its arguments say, else twice its worst
// case, and never less than half a minute.
func limit(args map[string]any, worst time.Duration) time.Duration {
	if text, ok := args["limit"].(string); ok {
		if d, err := estate.ParseDuration(text); err == nil && d > 0 {
			return d
		}
	}
	return max(2*worst, 30*time.Second)
}

// guard says what must hold before a writer is made beside the old one.
func (t *translator) guard(c *estate.Component, a *estate.Action, at int) *Guard {
	if c.Mode != estate.ModePrimary || a.Does == estate.DoesShrink {
		return nil // every other action makes the component hold, and so a primary
	}
	// These go on with the data that a standby has.
	g := &Guard{Sync: a.Does != estate.DoesPromote && a.Does != estate.DoesSwitch}
	for _, r := range c.Replicas {
		switch {
		case r.Role == estate.RolePrimary && t.lost[r.In]:
			g.Old = t.s.Domains[r.In].Name
			if site := t.s.Domains[r.In].Site; site >= 0 {
				g.Site = t.s.Domains[site].Name
			}
		case r.Role == estate.RoleStandby && r.Sync && !t.lost[r.In] && t.within(r.In, at):
			g.Sync = true
		}
	}
	return g
}

// within reports whether domain d is domain outer or needs it outright.
func (t *translator) within(d, outer int) bool {
	return outer < 0 || d == outer || slices.Contains(t.s.Domains[d].Ancestors, outer)
}

// shrinkFirst makes steps that take room wait for the shrinks that the plan ends
// before them: by the plan's clock the room is free then, but steps overrun.
func (t *translator) shrinkFirst(steps []Step) {
	for i := range t.p.Steps {
		if steps[i].Does != string(estate.DoesShrink) {
			continue
		}
		for j := range t.p.Steps {
			takes := len(t.p.Steps[j].Room) > 0 && steps[j].Does != string(estate.DoesShrink)
			if takes && t.p.Steps[i].Finish <= t.p.Steps[j].Start && !slices.Contains(steps[j].After, steps[i].ID) {
				steps[j].After = append(steps[j].After, steps[i].ID)
			}
		}
	}
}

func (t *translator) service(ps *plan.ServiceTimes, steps []Step) Service {
	sv := &t.s.Services[ps.Service]
	out := Service{
		Name: sv.Name, Title: sv.Title, Users: sv.Users, Weight: sv.Weight,
		State: string(ps.State), DownFrom: ps.DownFrom, UpAt: ps.UpAt,
	}
	out.Needs = t.stepsFor(sv.Needs, ps.UpAt, steps)
	for i, p := range ps.Parts {
		part := ServicePart{Name: p.Name, State: string(p.State), UpAt: p.UpAt}
		if p.UpAt != nil {
			part.Needs = slices.Concat(out.Needs, t.stepsFor(sv.Parts[i].Needs, p.UpAt, steps))
			slices.Sort(part.Needs)
			part.Needs = slices.Compact(part.Needs)
		}
		out.Parts = append(out.Parts, part)
	}
	return out
}

// stepsFor lists the steps that what a need names waits for: those on components
// that it needs, transitively, which the plan ends by the time that it is met.
func (t *translator) stepsFor(n estate.Need, by *time.Duration, steps []Step) []string {
	if by == nil {
		return nil
	}
	in := map[string]bool{}
	t.cone(n, map[estate.Ref]bool{}, in)
	var out []string
	for i := range steps {
		if in[steps[i].Component] && !t.void[steps[i].ID] && steps[i].Finish <= *by {
			out = append(out, steps[i].ID)
		}
	}
	slices.Sort(out)
	return out
}

// cone collects the names of the components that a need names, transitively.
func (t *translator) cone(n estate.Need, seen map[estate.Ref]bool, in map[string]bool) {
	for _, o := range n.Of {
		t.cone(o, seen, in)
	}
	if n.Ref == nil || seen[*n.Ref] {
		return
	}
	seen[*n.Ref] = true
	r := *n.Ref
	if r.Kind == estate.KindComponent {
		in[r.Name] = true
		t.cone(t.s.Components[r.Index].Needs, seen, in)
	}
	if r.Kind == estate.KindService {
		t.cone(t.s.Services[r.Index].Needs, seen, in)
	}
	if r.Kind == estate.KindCrew {
		t.cone(t.s.Crews[r.Index].Needs, seen, in)
	}
}

// PlanWith returns a [Planner] that plans the rest of a run with the estate of the
// run's revision, as load gives it.
func PlanWith(load func(ctx context.Context, rev string) (*estate.Snapshot, error), opts plan.Options) Planner {
	return func(ctx context.Context, r Rest) (Spec, error) {
		s, err := load(ctx, r.Estate)
		if err != nil {
			return Spec{}, err
		}
		o := opts
		o.Now = r.Now
		for _, p := range r.Done {
			if ref, ok := find(s, &p.Step); ok {
				o.Done = append(o.Done, plan.Finished{Ref: ref, Finish: p.Finish})
			}
		}
		for _, p := range r.Barred {
			if ref, ok := find(s, &p.Step); ok {
				o.Forbidden = append(o.Forbidden, ref)
			}
		}
		for _, st := range r.Current.Steps {
			o.Prefer = append(o.Prefer, st.ID)
		}
		for _, p := range r.Running {
			ref, ok := find(s, &p.Step)
			if !ok {
				return Spec{}, fmt.Errorf("%s runs, but revision %s of the estate has no such action", p.Step.ID, s.Rev)
			}
			a := &s.Components[ref.Component].Actions[ref.Action]
			o.Running = append(o.Running, plan.Step{
				ID: p.Step.ID, Ref: ref, Start: p.Start, Finish: p.Finish, Crew: a.Crew, Uses: a.Uses, Running: true,
			})
		}
		slices.SortFunc(o.Running, func(a, b plan.Step) int { return cmp.Or(cmp.Compare(a.Start, b.Start), strings.Compare(a.ID, b.ID)) })
		made, err := plan.Make(s, r.Lost, o)
		if err != nil {
			return Spec{}, err
		}
		return fromPlan(made, r.Done), nil
	}
}

// find returns the action that a step is, in a snapshot.
func find(s *estate.Snapshot, st *Step) (impact.ActionRef, bool) {
	ref := impact.ActionRef{At: -1}
	c, ok := s.Lookup(estate.KindComponent, st.Component)
	if !ok {
		return ref, false
	}
	ref.Component = c.Index
	ref.Action = slices.IndexFunc(s.Components[c.Index].Actions, func(a estate.Action) bool { return a.Name == st.Action })
	if st.At != "" {
		d, ok := s.Lookup(estate.KindDomain, st.At)
		if !ok {
			return ref, false
		}
		ref.At = d.Index
	}
	return ref, ref.Action >= 0
}
