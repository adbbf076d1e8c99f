package audit

import (
	"fmt"
	"strings"

	"bongsu/estate"
)

// measure describes what would let a component or crew that stays down be taken
// as up in this loss.
func (a *auditor) measure(t *trial, r estate.Ref) MeasureItem {
	item := MeasureItem{Subject: a.s.NameOf(r), Cost: a.s.Doc(r).Cost}
	if r.Kind == estate.KindCrew {
		item.Words = "another way to reach the crew " + r.Name
		return item
	}
	if r.Kind != estate.KindComponent {
		item.Words = "a second " + item.Subject
		return item
	}
	c := &a.s.Components[r.Index]
	elsewhere := "in a domain that is up"
	if len(t.loss.domains) > 0 {
		elsewhere = "outside " + strings.ReplaceAll(t.loss.name, "+", " and ")
	}
	if !t.Holds(r.Index) {
		for i := range c.Actions {
			if t.Possible(r.Index, i) {
				item.Words = fmt.Sprintf("a manual procedure for %s of %s, without what it needs now", c.Actions[i].Name, c.Name)
				return item
			}
		}
	}
	switch {
	case t.Holds(r.Index):
		item.Words = "a way to run " + c.Name + " without what it needs now"
	case c.Mode == estate.ModeQuorum:
		item.Words = fmt.Sprintf("more voters of %s %s", c.Name, elsewhere)
	case c.Tool:
		item.Words = fmt.Sprintf("a second site for the tool %s, %s", c.Name, elsewhere)
	case c.Data != nil || c.Mode == estate.ModePrimary:
		item.Words = fmt.Sprintf("a copy of %s %s, and an action that uses it", c.Name, elsewhere)
	case len(c.Actions) > 0:
		item.Words = fmt.Sprintf("what %s of %s works on, staged %s", c.Actions[0].Name, c.Name, elsewhere)
	default:
		item.Words = fmt.Sprintf("replicas of %s %s", c.Name, elsewhere)
	}
	return item
}

// cheapest turns the cheapest of the blocking sets into a measure; sets of lost
// domains are none.
func (a *auditor) cheapest(t *trial, sets [][]estate.Ref) *Measure {
	var best *Measure
	for _, set := range sets {
		m := &Measure{}
		var words []string
		for _, r := range set {
			if r.Kind == estate.KindDomain {
				m = nil
				break
			}
			item := a.measure(t, r)
			m.Things = append(m.Things, item)
			m.Cost += item.Cost
			words = append(words, item.Words)
		}
		if m != nil && (best == nil || m.Cost < best.Cost) {
			m.Words = strings.Join(words, "; ")
			best = m
		}
	}
	return best
}

// advice is a measure that is one sentence about one document.
func (a *auditor) advice(r estate.Ref, format string, args ...any) *Measure {
	return &Measure{Words: fmt.Sprintf(format, args...), Cost: a.s.Doc(r).Cost}
}
