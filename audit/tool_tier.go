package audit

import (
	"fmt"

	"bongsu/estate"
	"bongsu/impact"
)

// toolTier finds tools that are lost together with what they have to bring back:
// a component has a place left to come back in, and the way there leads through
// a tool that this same loss takes. It is an error where the tool does not come
// back itself.
func toolTier(a *auditor, t *trial) {
	for _, x := range a.toolsLost(t) {
		behind := a.waitingFor(t, x.Index)
		if len(behind) == 0 {
			continue
		}
		r := a.component(x.Index)
		sev := Warning
		if x.State == impact.Unrecoverable {
			sev = Error
		}
		if !a.fresh(a.name(r), sev) {
			continue
		}
		refs := make([]estate.Ref, len(behind))
		for i, c := range behind {
			refs[i] = a.component(c)
		}
		about := append([]estate.Ref{r}, refs...)
		if a.kept(t, a.name(r), about...) {
			continue
		}
		touched := a.graph.touched(false, refs...)
		own := a.graph.touched(false, r)
		f := Finding{
			Severity: sev, Users: touched.users, about: about,
			Proof: Proof{Services: touched.names(a.s)},
		}
		f.Proof.Words = append(f.Proof.Words,
			fmt.Sprintf("%s could come back elsewhere: %s", counted(len(behind), "component", "components"), join(a.names(refs))),
			fmt.Sprintf("the way back needs %s, which this loss takes too", r.Name))
		if mine, theirs := a.tier(own.services), a.tier(touched.services); theirs > 0 && mine != theirs {
			grade := "no class of its own"
			if mine > 0 {
				grade = fmt.Sprintf("class %d", mine)
			}
			f.Proof.Words = append(f.Proof.Words, fmt.Sprintf("%s has %s, yet services of class %d wait for it", r.Name, grade, theirs))
		}
		late := ", and does not come back"
		if at, ok := t.UpAt(r); ok {
			late = ", and is back only after " + lasting(at)
		} else {
			f.Proof.Words = append(f.Proof.Words, a.gone(t, whole(r))...)
			f.Proof.Blocking = a.allNames(t.Because(r, 1))
		}
		f.Sentence = fmt.Sprintf("%sthe tool %s is gone together with %s that it has to bring back%s",
			t.inLoss(), r.Name, counted(len(behind), "component", "components"), late)
		f.Fix = a.one(t, r)
		a.add(f, t.loss.name, r)
	}
}

// tier returns the highest class among services, or 0.
func (a *auditor) tier(services []int) int {
	best := 0
	for _, i := range services {
		if tier := a.s.Services[i].Tier; tier > 0 && (best == 0 || tier < best) {
			best = tier
		}
	}
	return best
}
