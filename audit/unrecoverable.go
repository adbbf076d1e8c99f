package audit

import (
	"bongsu/estate"
	"bongsu/impact"
)

// mostReasons is how many minimal blocking sets a proof lists: enough to choose
// the cheapest among, few enough to look for.
const mostReasons = 3

// unrecoverable finds services and parts that nothing brings back, and the
// components that no such service needs or waits for.
func unrecoverable(a *auditor, t *trial) {
	var stuck []place
	for _, x := range t.Services {
		if x.State != impact.Unrecoverable {
			continue
		}
		r := a.ref(estate.KindService, x.Index)
		if a.stirred(t.loss.name, r, -1) && a.fresh(a.name(r), Error) {
			stuck = append(stuck, whole(r))
		}
	}
	for _, p := range t.Parts {
		svc := &a.s.Services[p.Service]
		r := a.ref(estate.KindService, p.Service)
		if p.State != impact.Unrecoverable || !t.Back(r) {
			continue // with its core, which says it
		}
		if part := svc.Name + "/" + svc.Parts[p.Part].Name; a.stirred(t.loss.name, r, p.Part) && a.fresh(part, Error) {
			stuck = append(stuck, place{r.Kind, r.Index, p.Part})
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
	if len(left) > 0 {
		said := a.said(t, left, false)
		for _, r := range left {
			if !said[r.Index] && !a.kept(t, a.name(r), r) {
				stuck = append(stuck, whole(r))
			}
		}
	}
	a.share(t, len(stuck), func(b *auditor, t *trial, i int) { b.stuck(t, stuck[i]) })
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

// stuck says that a thing cannot come back, and why.
func (a *auditor) stuck(t *trial, p place) {
	var (
		r    = a.ref(p.kind, p.index)
		name = a.called(p)
		f    = Finding{Severity: Error, about: []estate.Ref{r}, Sentence: t.inLoss() + name + " cannot come back"}
		sets [][]estate.Ref
	)
	switch {
	case p.part >= 0:
		svc := &a.s.Services[p.index]
		sets = t.PartBecause(p.index, p.part, mostReasons)
		f.Users, f.Proof.Services = int64(svc.Parts[p.part].Share*float64(svc.Users)), []string{svc.Name}
		f.spot = spot{part: p.part + 1}
	case p.kind == estate.KindService:
		sets = t.Because(r, mostReasons)
		f.Users, f.Proof.Services = a.s.Services[p.index].Users, []string{r.Name}
	default:
		sets = t.Because(r, 1)
		touched := a.graph.touched(false, r)
		f.Severity, f.Users, f.Proof.Services = Warning, touched.users, touched.names(a.s)
	}
	f.Proof.Blocking, f.Fix = a.allNames(sets), a.cheapest(t, sets)
	if len(sets) > 0 {
		f.Proof.Words = a.explain(t, p, sets[0])
	}
	if p.part >= 0 {
		a.add(f, t.loss.name, r, name)
		return
	}
	a.add(f, t.loss.name, r)
}
