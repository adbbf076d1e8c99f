package audit

import (
	"fmt"
	"slices"

	"bongsu/estate"
)

// emptyEstate finds what looks healthy only because nothing is said about it.
func emptyEstate(a *auditor) {
	nothing := func(subject, sentence, fix string) {
		a.add(Finding{Severity: Error, Sentence: sentence, Fix: &Measure{Words: fix, Cost: 1}}, NoLoss, estate.Ref{}, subject)
	}
	if len(a.s.Services) == 0 {
		nothing("services", "the estate has no services, so no loss can be seen to hurt anybody", "write down what people use, and how many they are")
	}
	if len(a.s.Components) == 0 {
		nothing("components", "the estate has no components, so there is nothing to lose", "write down what runs, and where")
	}
	if !slices.ContainsFunc(a.s.Domains, func(d estate.Domain) bool { return d.Type == estate.TypeSite }) {
		nothing("sites", "the estate has no domain of type site, so the loss of a site cannot be judged", "give the domains that are data centres type: site")
	}
	if len(a.named) == 0 && !a.o.Every && !a.o.Pairs {
		nothing("losses", "no loss was judged", "ask for one: --lose, --sites, --pairs or --every")
	}
	for i := range a.s.Services {
		svc := &a.s.Services[i]
		r := a.ref(estate.KindService, i)
		if svc.Needs.Empty() {
			a.add(Finding{
				Severity: Error, Users: svc.Users,
				Sentence: svc.Name + " needs nothing, so no loss seems to hurt it",
				Fix:      a.advice(r, "write down what %s needs", svc.Name),
			}, NoLoss, r)
		}
	}
}

// emptyLoss says when a loss touches nothing: a pass that proves nothing.
func emptyLoss(a *auditor, t *trial) {
	switch {
	case t.half != nil, !a.untouched(t):
		return
	case !t.named:
		a.idle++
		return
	}
	subject := estate.Ref{}
	if len(t.loss.domains) == 1 {
		subject = a.ref(estate.KindDomain, t.loss.domains[0])
	}
	a.add(Finding{
		Severity: Warning,
		Sentence: t.inLoss() + "nothing is touched: no replica and no copy stands there, and nothing needs it",
		Proof:    Proof{Words: []string{counted(len(t.LostDomains), "domain is lost", "domains are lost")}, Domains: a.domainNames(t.LostDomains[:min(len(t.LostDomains), 10)])},
		Fix:      &Measure{Words: fmt.Sprintf("write down what stands in %s, or drop it from the estate", t.loss.name), Cost: 1},
	}, t.loss.name, subject, t.loss.name)
}

// untouched reports whether nothing stands in what is lost and nothing fell.
func (a *auditor) untouched(t *trial) bool {
	for _, d := range t.LostDomains {
		if len(a.hosts[d]) > 0 {
			return false
		}
	}
	return len(t.Components) == a.down.components && len(t.Services) == a.down.services && len(t.Crews) == a.down.crews && !a.needsAny(t.LostDomains)
}

// needsAny reports whether anything names one of the domains in a need.
func (a *auditor) needsAny(domains []int) bool {
	for _, d := range domains {
		if a.needed[d] > 0 {
			return true
		}
	}
	return false
}
