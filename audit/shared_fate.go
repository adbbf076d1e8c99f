package audit

import (
	"fmt"
	"slices"

	"bongsu/estate"
)

// sharedFate finds components whose replicas stand in several domains and yet
// go down together, because these share a domain outright or through every
// alternative. Across sites that is an error; inside a site it is a warning,
// unless all that they share is the site itself, which everybody can see.
func sharedFate(a *auditor) {
	for i := range a.judged(estate.KindComponent) {
		c := &a.s.Components[i]
		var in []int
		for _, r := range c.Replicas {
			if r.Count > 0 {
				in = append(in, r.In)
			}
		}
		slices.Sort(in)
		in = slices.Compact(in)
		if len(in) < 2 {
			continue
		}
		common := shared(a.fates, in)
		if len(common) == 0 {
			continue
		}
		var (
			site = a.onlySite(c)
			low  = lowest(a.fates, common)
			sev  = Error
		)
		if site >= 0 {
			// What the site itself hangs on is no secret of these replicas.
			inner := slices.DeleteFunc(slices.Clone(low), func(d int) bool { return takes(a.fates, d, site) })
			sev = Warning
			if len(inner) == 0 {
				sev = Info
			} else {
				low = inner
			}
		}
		r := a.component(i)
		touched := a.touchedBy(i)
		names := a.domainNames(low)
		f := Finding{
			Severity: sev, Users: touched.users, about: []estate.Ref{r},
			Sentence: fmt.Sprintf("the replicas of %s stand in %s and go down together with %s", c.Name, join(a.domainNames(in)), orJoin(names)),
			Proof:    Proof{Domains: names, Services: touched.names(a.s)},
			Fix:      a.advice(r, "replicas of %s that do without %s", c.Name, orJoin(names)),
		}
		for _, d := range in {
			f.Proof.Words = append(f.Proof.Words, a.howShared(d, low[0]))
		}
		a.add(f, NoLoss, r)
	}
}

// howShared says how a domain hangs on another that takes it.
func (a *auditor) howShared(d, on int) string {
	name, other := a.s.Domains[d].Name, a.s.Domains[on].Name
	if d == on {
		return name + " is itself"
	}
	if _, outright := slices.BinarySearch(a.s.Domains[d].Ancestors, on); outright {
		return name + " needs " + other + " outright"
	}
	return name + " needs " + other + " through every alternative that it has"
}

func orJoin(names []string) string {
	if len(names) == 2 {
		return names[0] + " or " + names[1]
	}
	return join(names)
}
