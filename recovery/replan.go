package recovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Remainder is the planner of those who have none: it keeps the plan and drops what
// comes after a step that failed or was skipped, or what would happen in a domain
// that is now lost. The rest moves to when its predecessors end. It does not look
// for other ways, and cannot say what the change costs.
func Remainder(_ context.Context, r Rest) (Spec, error) {
	spec := r.Current
	barred := map[string]bool{}
	for _, p := range r.Barred {
		barred[p.Step.ID] = true
	}
	ends := map[string]time.Duration{}
	for _, p := range slices.Concat(r.Done, r.Running) {
		ends[p.Step.ID] = p.Finish
	}
	gone := func(st *Step) bool {
		return st.At != "" && slices.Contains(r.Lost, st.At) || st.Site != "" && slices.Contains(r.Lost, st.Site)
	}
	void := map[string]bool{} // what was done, or is being done, where all is lost
	for _, p := range slices.Concat(r.Done, r.Running) {
		void[p.Step.ID] = gone(&p.Step)
	}
	// Steps come before those that wait for them in neither order of the plan for
	// certain, so go round until nothing more is dropped.
	for again := true; again; {
		again = false
		for i := range spec.Steps {
			st := &spec.Steps[i]
			if _, past := ends[st.ID]; past || barred[st.ID] {
				continue
			}
			if gone(st) || slices.ContainsFunc(st.After, func(id string) bool { return barred[id] || void[id] }) {
				barred[st.ID], again = true, true
			}
		}
	}
	var steps []Step
	for _, st := range spec.Steps {
		if barred[st.ID] {
			continue
		}
		if _, past := ends[st.ID]; !past {
			took := st.Finish - st.Start
			st.Start = max(st.Start, r.Now)
			for _, id := range st.After {
				st.Start = max(st.Start, ends[id])
			}
			st.Finish = st.Start + took
			ends[st.ID] = st.Finish
		}
		steps = append(steps, st)
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Or(cmp.Compare(a.Start, b.Start), strings.Compare(a.ID, b.ID)) })
	spec.Steps = steps
	spec.Lost, spec.LostSites = r.Lost, slices.Clone(spec.LostSites)
	for i := range r.Current.Steps {
		st := &r.Current.Steps[i]
		if slices.Contains(r.Lost, st.Site) {
			spec.LostSites = append(spec.LostSites, st.Site)
		}
	}
	slices.Sort(spec.LostSites)
	spec.LostSites = slices.Compact(spec.LostSites)
	spec.Services = slices.Clone(spec.Services)
	for i := range spec.Services {
		sv := &spec.Services[i]
		if sv.UpAt == nil {
			continue
		}
		up := *sv.UpAt
		for _, id := range sv.Needs {
			if barred[id] || void[id] {
				sv.UpAt = nil
				break
			}
			up = max(up, ends[id])
		}
		if sv.UpAt != nil {
			sv.UpAt = &up
		}
	}
	return spec, nil
}

// check says why a new plan cannot be carried out from here.
func (r *Rest) check(next Spec) error {
	known := map[string]bool{}
	for _, p := range slices.Concat(r.Done, r.Running) {
		known[p.Step.ID] = true
	}
	for _, p := range r.Barred {
		if slices.ContainsFunc(next.Steps, func(st Step) bool { return st.ID == p.Step.ID }) {
			return fmt.Errorf("it repeats %s, which failed or was skipped", p.Step.ID)
		}
	}
	return next.Check(known)
}

// made describes a new plan against the one before it.
func (s *state) made(next Spec, why, basis []string, costKnown bool, now time.Time) Made {
	prev := s.run.Plans[len(s.run.Plans)-1]
	m := Made{
		At: now.UTC().Round(0), Why: strings.Join(why, "; "), Steps: len(next.Steps), Objective: next.Objective,
		CostKnown: costKnown, Basis: basis,
	}
	if costKnown {
		m.Cost = next.Objective.UserMinutes - prev.Objective.UserMinutes
	}
	for i := range s.spec.Steps {
		id := s.spec.Steps[i].ID
		_, has := s.records[id]
		if !has && !slices.ContainsFunc(next.Steps, func(st Step) bool { return st.ID == id }) {
			m.Dropped = append(m.Dropped, id)
		}
	}
	back := promised(next)
	for _, name := range slices.Concat(prev.GivenUp, promised(s.spec)) {
		if !slices.Contains(back, name) {
			m.GivenUp = append(m.GivenUp, name)
		}
	}
	slices.Sort(m.GivenUp)
	m.GivenUp = slices.Compact(m.GivenUp)
	return m
}

// promised lists the services, and parts as service/part, that a plan brings back.
func promised(spec Spec) []string {
	var out []string
	for _, sv := range spec.Services {
		if sv.UpAt != nil {
			out = append(out, sv.Name)
		}
		for _, p := range sv.Parts {
			if p.UpAt != nil {
				out = append(out, sv.Name+"/"+p.Name)
			}
		}
	}
	return out
}

// sentence says what changed and what it costs.
func (m *Made) sentence() string {
	text := m.Why
	switch {
	case !m.CostKnown:
		text += "; nobody planned anew, so what it costs is not known"
	case m.Cost >= 0:
		text += fmt.Sprintf("; costs %.0f user-minutes more", m.Cost)
	default:
		text += fmt.Sprintf("; saves %.0f user-minutes", -m.Cost)
	}
	if len(m.Dropped) > 0 {
		text += "; without " + strings.Join(m.Dropped, ", ")
	}
	if len(m.GivenUp) > 0 {
		text += "; gives up " + strings.Join(m.GivenUp, ", ")
	}
	return text
}
