package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bongsu/estate"
	"bongsu/impact"
)

// statusFate finds the single losses that take a part of a status page, its DNS,
// certificate, host or mail, together with a service that it reports on: every
// service that is no page itself. It tries each domain that a part hangs on in any
// way, whatever losses the audit was asked for; no other can take a part.
func statusFate(a *auditor) {
	for i := range a.s.Services {
		p := a.s.Services[i].Page
		if p == nil {
			continue
		}
		page := &statusPage{auditor: a, ref: a.ref(estate.KindService, i)}
		for _, part := range []pagePart{{"DNS", p.DNS}, {"certificate", p.Certificate}, {"host", p.Host}, {"mail", p.Mail}} {
			if part.needs.Empty() {
				page.unsaid(part.name)
				continue
			}
			page.parts = append(page.parts, part)
		}
		page.judge()
	}
}

type statusPage struct {
	*auditor
	ref   estate.Ref
	parts []pagePart
}

type pagePart struct {
	name  string
	needs estate.Need
}

// A pageLoss is what one loss does to a page and to what it reports on.
type pageLoss struct {
	domain   int
	parts    []int // that it takes
	services []int // that it takes, by number
}

func (p *statusPage) unsaid(part string) {
	p.add(Finding{
		Severity: Warning, about: []estate.Ref{p.ref},
		Sentence: fmt.Sprintf("nobody has said what the %s of the status page %s rests on, so nothing is proven of it", part, p.ref.Name),
		Fix:      p.advice(p.ref, "write down what the %s of the status page %s rests on", part, p.ref.Name),
	}, NoLoss, p.ref, p.name(p.ref)+" "+strings.ToLower(part))
}

func (p *statusPage) judge() {
	now := p.try(nil)
	p.parts = slices.DeleteFunc(p.parts, func(part pagePart) bool { // what is down anyway is said elsewhere
		return slices.ContainsFunc(now.parts, func(i int) bool { return p.parts[i].name == part.name })
	})
	var found []pageLoss
	for _, d := range p.hangsOn() {
		l := p.try([]int{d})
		l.domain = d
		l.services = slices.DeleteFunc(l.services, func(s int) bool { return slices.Contains(now.services, s) })
		if len(l.parts) > 0 && len(l.services) > 0 {
			found = append(found, l)
		}
	}
	for _, l := range found {
		// What takes a domain whose loss does as much says nothing new.
		if !slices.ContainsFunc(found, func(o pageLoss) bool {
			return o.domain != l.domain && takes(p.fates, l.domain, o.domain) &&
				slices.Equal(o.parts, l.parts) && slices.Equal(o.services, l.services)
		}) {
			p.tell(l)
		}
	}
}

// try says what a loss takes right away: what comes back later cannot tell of it.
func (p *statusPage) try(lost []int) (l pageLoss) {
	p.visit(lost, func(v *impact.View) {
		for i, part := range p.parts {
			if !v.Met(part.needs, false) {
				l.parts = append(l.parts, i)
			}
		}
		if len(l.parts) == 0 && len(lost) > 0 {
			return
		}
		for _, s := range p.servicesDown(&trial{View: v}).services {
			if p.s.Services[s].Page == nil {
				l.services = append(l.services, s)
			}
		}
	})
	slices.Sort(l.services)
	return l
}

// hangsOn lists the domains that the parts hang on, outright or not. Sorted.
func (p *statusPage) hangsOn() []int {
	seen := map[estate.Ref]bool{}
	var domains []int
	var needs func(n estate.Need)
	visit := func(r estate.Ref) {
		r.Name = ""
		if seen[r] {
			return
		}
		seen[r] = true
		switch r.Kind {
		case estate.KindDomain:
			domains = append(domains, r.Index)
			needs(p.s.Domains[r.Index].Needs)
		case estate.KindComponent:
			c := &p.s.Components[r.Index]
			needs(c.Needs)
			for i := range c.Replicas {
				needs(estate.Need{Ref: &estate.Ref{Kind: estate.KindDomain, Index: c.Replicas[i].In}})
			}
		case estate.KindService:
			needs(p.s.Services[r.Index].Needs)
		case estate.KindCrew:
			needs(p.s.Crews[r.Index].Needs)
		case estate.KindLimit, estate.KindProbe, estate.KindOption: // nothing needs them
		}
	}
	needs = func(n estate.Need) { eachRef(n, visit) }
	for _, part := range p.parts {
		needs(part.needs)
	}
	slices.Sort(domains)
	return domains
}

func (p *statusPage) tell(l pageLoss) {
	var r reach
	for _, s := range l.services {
		r.services = append(r.services, s)
		r.users += p.s.Services[s].Users
	}
	slices.SortStableFunc(r.services, func(x, y int) int { return cmp.Compare(p.s.Services[y].Users, p.s.Services[x].Users) })
	var parts, words []string
	for _, i := range l.parts {
		parts = append(parts, "the "+p.parts[i].name)
		var on []string
		eachRef(p.parts[i].needs, func(r estate.Ref) { on = append(on, p.s.NameOf(r)) })
		words = append(words, fmt.Sprintf("the %s rests on %s", p.parts[i].name, join(on)))
	}
	names := make([]string, len(r.services))
	for i, s := range r.services {
		names[i] = p.s.Services[s].Name
	}
	loss := p.s.Domains[l.domain].Name
	p.add(Finding{
		Severity: Error, Users: r.users, about: []estate.Ref{p.ref},
		Sentence: fmt.Sprintf("losing %s takes %s of the status page %s together with %s, which it reports on", loss, join(parts), p.ref.Name, join(names)),
		Proof:    Proof{Words: words, Domains: []string{loss}, Services: r.names(p.s)},
		Fix:      p.advice(p.ref, "%s of %s elsewhere, where it does without %s", join(parts), p.ref.Name, loss),
	}, loss, p.ref)
}
