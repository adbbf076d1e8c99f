package audit

import (
	"fmt"
	"maps"
	"slices"

	"bongsu/estate"
	"bongsu/impact"
)

// toolSingleSite finds tools that stand in one site only. It is an error where
// the loss of that site leaves the tool unrecoverable and something needs it.
func toolSingleSite(a *auditor) {
	tools := map[int][]int{} // by site
	for i := range a.judged(estate.KindComponent) {
		if c := &a.s.Components[i]; c.Tool {
			if site := a.onlySite(c); site >= 0 {
				tools[site] = append(tools[site], i)
			}
		}
	}
	for _, site := range slices.Sorted(maps.Keys(tools)) {
		a.visit([]int{site}, func(v *impact.View) {
			t := &trial{View: v, loss: loss{a.s.Domains[site].Name, []int{site}}}
			for _, i := range tools[site] {
				a.singleSite(t, a.component(i))
			}
		})
	}
}

// singleSite says what the loss of its only site does to a tool.
func (a *auditor) singleSite(t *trial, r estate.Ref) {
	c := &a.s.Components[r.Index]
	touched := a.touchedBy(r.Index)
	f := Finding{
		Severity: Warning, Users: touched.users, about: []estate.Ref{r},
		Sentence: fmt.Sprintf("the tool %s stands in %s only", c.Name, t.loss.name),
		Proof: Proof{
			Domains: []string{t.loss.name}, Services: touched.names(a.s),
			Words: []string{"its only replica stands in " + t.loss.name},
		},
	}
	if n := replicas(c); n != 1 {
		f.Proof.Words[0] = fmt.Sprintf("each of its %d replicas stands in %s", n, t.loss.name)
	}
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
	item := MeasureItem{Subject: a.s.NameOf(r), Words: "a second site for the tool " + c.Name + ", outside " + t.loss.name, Cost: c.Cost}
	f.Fix = &Measure{Words: item.Words, Cost: item.Cost, Things: []MeasureItem{item}}
	a.add(f, NoLoss, r)
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
