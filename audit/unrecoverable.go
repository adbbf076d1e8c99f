package audit

import (
	"fmt"

	"bongsu/estate"
	"bongsu/impact"
)

// mostReasons is how many minimal blocking sets a proof lists: enough to choose
// the cheapest among, few enough to look for.
const mostReasons = 3

// unrecoverable finds services and parts that nothing brings back, and the
// components that no such service needs or waits for.
func unrecoverable(a *auditor, t *trial) {
	for _, x := range t.Services {
		if x.State != impact.Unrecoverable {
			continue
		}
		r := a.ref(estate.KindService, x.Index)
		if a.stirred(t.loss.name, r, -1) && a.fresh(a.name(r), Error) {
			a.stuck(t, r, -1, t.Because(r, mostReasons), reach{a.s.Services[x.Index].Users, []int{x.Index}}, Error)
		}
	}
	for _, p := range t.Parts {
		svc := &a.s.Services[p.Service]
		r := a.ref(estate.KindService, p.Service)
		if p.State != impact.Unrecoverable || !t.Back(r) {
			continue // with its core, which says it
		}
		if part := svc.Name + "/" + svc.Parts[p.Part].Name; a.stirred(t.loss.name, r, p.Part) && a.fresh(part, Error) {
			users := int64(svc.Parts[p.Part].Share * float64(svc.Users))
			a.stuck(t, r, p.Part, t.PartBecause(p.Service, p.Part, mostReasons), reach{users, []int{p.Service}}, Error)
		}
	}
	// What no service and no part that is said already needs, or waits for.
	var left []estate.Ref
	for _, x := range t.Components {
		if x.State == impact.Unrecoverable {
			if r := a.component(x.Index); a.stirred(t.loss.name, r, -1) && a.fresh(a.name(r), Warning) {
				left = append(left, r)
			}
		}
	}
	if a.o.Implied {
		a.imply(t)
	}
	if len(left) == 0 {
		return
	}
	said := a.said(t, left, false)
	for _, r := range left {
		if !said[r.Index] && !a.kept(t, a.name(r), r) {
			a.stuck(t, r, -1, t.Because(r, 1), a.graph.touched(false, r), Warning)
		}
	}
}

// imply notes which components are without a finding in a loss.
func (a *auditor) imply(t *trial) {
	var all []estate.Ref
	for _, x := range t.Components {
		if r := a.component(x.Index); x.State == impact.Unrecoverable && a.fresh(a.name(r), Warning) {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return
	}
	x := Implied{Loss: t.loss.name}
	said := a.said(t, all, true)
	for _, r := range all {
		if said[r.Index] {
			x.Components = append(x.Components, a.name(r))
		}
	}
	if len(x.Components) > 0 {
		a.implied = append(a.implied, x)
	}
}

func (a *auditor) stuck(t *trial, r estate.Ref, part int, sets [][]estate.Ref, touched reach, sev Severity) {
	p := place{r.Kind, r.Index, part}
	f := Finding{
		Severity: sev, Users: touched.users, about: []estate.Ref{r},
		Proof: Proof{Blocking: a.allNames(sets), Services: touched.names(a.s)},
		Fix:   a.cheapest(t, sets),
	}
	if len(sets) > 0 {
		f.Proof.Words = a.explain(t, p, sets[0])
	}
	if part >= 0 {
		f.spot = spot{part: part + 1}
		name := r.Name + "/" + a.s.Services[r.Index].Parts[part].Name
		f.Sentence = t.inLoss() + name + " cannot come back"
		a.add(f, t.loss.name, r, name)
		return
	}
	f.Sentence = fmt.Sprintf("%s%s cannot come back", t.inLoss(), a.name(r))
	a.add(f, t.loss.name, r)
}
