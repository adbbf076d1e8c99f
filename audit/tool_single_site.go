package audit

import (
	"fmt"

	"bongsu/estate"
	"bongsu/impact"
)

// toolSingleSite finds tools that stand in one site only. It is an error where
// the loss of that site leaves the tool unrecoverable and something needs it.
func toolSingleSite(a *auditor) {
	for i := range a.s.Components {
		c := &a.s.Components[i]
		site := a.onlySite(c)
		if !c.Tool || site < 0 {
			continue
		}
		r := a.component(i)
		touched := a.graph.touched(true, r)
		f := Finding{
			Severity: Warning, Users: touched.users,
			Proof: Proof{Domains: []string{a.s.Domains[site].Name}, Services: touched.names(a.s)},
		}
		a.sweep.Visit([]int{site}, func(v *impact.View) {
			t := &trial{View: v, loss: loss{a.s.Domains[site].Name, []int{site}}}
			f.Proof.Words = []string{fmt.Sprintf("each of its %s stands in %s", counted(replicas(c), "replica", "replicas"), t.loss.name)}
			needed := "nothing needs it"
			if n := a.graph.needers(r); n > 0 {
				needed = counted(n, "thing needs", "things need") + " it"
			}
			at, back := t.UpAt(r)
			switch {
			case back && at > 0:
				f.Proof.Words = append(f.Proof.Words, "after the loss of "+t.loss.name+" it is back after "+lasting(at)+" at the earliest, and "+needed)
			case back:
				f.Proof.Words = append(f.Proof.Words, needed)
			default:
				if a.graph.needers(r) > 0 {
					f.Severity = Error
				}
				f.Proof.Words = append(f.Proof.Words, "after the loss of "+t.loss.name+" nothing brings it back, and "+needed)
				f.Proof.Blocking = a.allNames(t.Because(r, 1))
			}
			item := a.measure(t, r)
			item.Words = "a second site for the tool " + c.Name + ", outside " + t.loss.name
			f.Fix = &Measure{Words: item.Words, Cost: item.Cost, Things: []MeasureItem{item}}
		})
		f.Sentence = fmt.Sprintf("the tool %s stands in %s only", c.Name, a.s.Domains[site].Name)
		a.add(f, NoLoss, r)
	}
}

// onlySite returns the site in which all replicas of a component stand, or -1.
func (a *auditor) onlySite(c *estate.Component) int {
	site := -1
	for i := range c.Replicas {
		s := a.s.Domains[c.Replicas[i].In].Site
		if s < 0 || site >= 0 && s != site {
			return -1
		}
		site = s
	}
	return site
}
