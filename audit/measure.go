package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bongsu/estate"
)

// measures describes what would let components and crews be taken as up in this
// loss. Each is told what it does without: all that stays down once those told before it
// are up. So whoever carries all of them out as told has all of them up. First come those that
// have nothing to gain from the others.
func (a *auditor) measures(t *trial, things []estate.Ref) []MeasureItem {
	var (
		items   = make([]MeasureItem, len(things))
		late    = make([]bool, len(things))
		without = make([]int, len(things)) // how much each is without, and would be in any case
		hope    = make([]int, len(things))
		open    = make([]int, len(things))
	)
	for i, r := range things {
		open[i], late[i] = i, !t.Back(r)
	}
	if len(things) > 1 {
		t.Assume(things, func(free func(estate.Ref) bool) {
			changed := false
			for _, r := range things {
				changed = free(r) || changed
			}
			for i, r := range things {
				if changed { // else they may come in any order
					_, hope[i] = a.measure(t, r, late[i])
				}
			}
		})
	}
	t.Assume(things, func(free func(estate.Ref) bool) {
		for changed := true; len(open) > 0; {
			for _, x := range open {
				if changed {
					items[x], without[x] = a.measure(t, things[x], late[x])
				}
			}
			x := slices.MinFunc(open, func(x, y int) int { return cmp.Compare(without[x]-hope[x], without[y]-hope[y]) })
			open = slices.DeleteFunc(open, func(y int) bool { return y == x })
			changed = len(open) > 0 && free(things[x])
		}
	})
	return items
}

// one is the measure of a single thing.
func (a *auditor) one(t *trial, r estate.Ref) *Measure {
	item, _ := a.measure(t, r, !t.Back(r))
	return &Measure{Words: item.Words, Cost: item.Cost, Things: []MeasureItem{item}}
}

// measure describes what would let a component or crew be up that stays down in this
// loss or, with late not set, comes back only later, and counts what that has to do without.
func (a *auditor) measure(t *trial, r estate.Ref, late bool) (item MeasureItem, without int) {
	item = MeasureItem{Subject: a.s.NameOf(r), Cost: a.s.Doc(r).Cost}
	switch r.Kind {
	case estate.KindComponent:
		w := &wording{}
		c := &a.s.Components[r.Index]
		if holds := t.Held(r.Index) || late && t.Holds(r.Index); !holds {
			a.holding(t, r.Index, late, w)
		}
		w.without(a.lost(t, c.Needs, late), "a way to run %s", c.Name)
		if len(w.words) == 0 {
			w.words = append(w.words, "a way to run "+c.Name+" without what it needs now")
		}
		item.Words, without = strings.Join(w.words, "; "), w.lacks
	case estate.KindCrew:
		item.Words = "another way to reach the crew " + r.Name
	case estate.KindDomain, estate.KindService, estate.KindLimit, estate.KindProbe, estate.KindOption:
		item.Words = "a second " + item.Subject
	}
	return item, without
}

// A wording is the clauses of a measure, and how much they do without.
type wording struct {
	words []string
	lacks int
}

// without adds a clause where something is lacking.
func (w *wording) without(lacking []string, format string, args ...any) {
	if len(lacking) > 0 {
		w.words = append(w.words, fmt.Sprintf(format, args...)+" without "+strings.Join(lacking, ", "))
		w.lacks += len(lacking)
	}
}

// holding says how a component holds: by its own actions where these can be done, once
// they need less, and else by something that stands elsewhere. What an action lacks that cannot be done is
// not told by name: the component does not wait for that, and so nobody judges it again when it changes.
func (a *auditor) holding(t *trial, component int, late bool, w *wording) {
	c := &a.s.Components[component]
	if late {
		if actions := a.procedures(t, component); len(actions) > 0 {
			for _, i := range actions {
				w.without(a.lacking(t, c, i), "a manual procedure for %s of %s", c.Actions[i].Name, c.Name)
			}
			return
		}
	}
	elsewhere := "in a domain that is up"
	if len(t.loss.domains) > 0 {
		elsewhere = "outside " + strings.ReplaceAll(t.loss.name, "+", " and ")
	}
	staged := slices.IndexFunc(c.Actions, func(act estate.Action) bool {
		return a.staffed(&act) && act.Does != estate.DoesShrink && (c.Mode != estate.ModeAny || act.Adds == 0 || t.Living(component)+act.Adds >= c.AtLeast)
	})
	say := func(format string, args ...any) { w.words = append(w.words, fmt.Sprintf(format, args...)) }
	switch {
	case c.Mode == estate.ModeQuorum:
		say("more voters of %s %s", c.Name, elsewhere)
	case c.Tool:
		say("a second site for the tool %s, %s", c.Name, elsewhere)
	case c.Data != nil || c.Mode == estate.ModePrimary:
		say("a copy of %s %s, and an action that uses it", c.Name, elsewhere)
		if !c.StartNeeds.Empty() {
			say("a way to start %s with what is left", c.Name)
		}
	case staged >= 0:
		act := &c.Actions[staged]
		say("what %s of %s works on, staged %s", act.Name, c.Name, elsewhere)
		if !act.Needs.Empty() || !c.StartNeeds.Empty() || len(act.Crew) > 0 {
			say("a manual procedure for %s of %s with what is left", act.Name, c.Name)
		}
	default:
		say("replicas of %s %s", c.Name, elsewhere)
	}
}

// procedures chooses actions of a component that does not hold which let it hold
// together, and could run if they needed less; none if there are too few.
func (a *auditor) procedures(t *trial, component int) []int {
	c := &a.s.Components[component]
	var chosen []int
	short := c.AtLeast - t.Living(component)
	for i := range c.Actions {
		if _, _, ran := t.Ran(component, i); ran {
			short -= c.Actions[i].Adds
		}
	}
	for i := range c.Actions {
		act := &c.Actions[i]
		if _, _, ran := t.Ran(component, i); ran || !t.Possible(component, i) {
			continue
		}
		if c.Mode != estate.ModeAny || act.Adds == 0 {
			return []int{i}
		}
		if short > 0 {
			chosen = append(chosen, i)
			short -= act.Adds
		}
	}
	if short > 0 {
		return nil
	}
	return chosen
}

// staffed reports whether there are as many people and slots as an action asks for.
func (a *auditor) staffed(act *estate.Action) bool {
	few := func(u estate.Use, have int) bool { return have >= 0 && u.Count > have }
	return !slices.ContainsFunc(act.Crew, func(u estate.Use) bool { return few(u, a.s.Crews[u.Index].People) }) &&
		!slices.ContainsFunc(act.Uses, func(u estate.Use) bool { return few(u, a.s.Limits[u.Index].Slots) })
}

// lacking names what an action waits for in vain.
func (a *auditor) lacking(t *trial, c *estate.Component, action int) []string {
	act := &c.Actions[action]
	names := slices.Concat(a.lost(t, act.Needs, true), a.lost(t, c.StartNeeds, true))
	for _, u := range act.Crew {
		if r := a.ref(estate.KindCrew, u.Index); !t.Back(r) {
			names = append(names, "the crew "+r.Name)
		}
	}
	return distinct(names)
}

// lost names what of a need that is not met is down: right after the loss or, when
// late is set, in the end.
func (a *auditor) lost(t *trial, n estate.Need, late bool) []string {
	return distinct(a.names(t.unmet(nil, n, late)))
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// cheapest turns the cheapest of the blocking sets into a measure; sets of lost
// domains are none.
func (a *auditor) cheapest(t *trial, sets [][]estate.Ref) *Measure {
	var (
		best []estate.Ref
		m    *Measure
	)
	for _, set := range sets {
		cost := 0.0
		for _, r := range set {
			cost += a.s.Doc(r).Cost
		}
		domain := slices.ContainsFunc(set, func(r estate.Ref) bool { return r.Kind == estate.KindDomain })
		if !domain && (m == nil || cost < m.Cost) {
			best, m = set, &Measure{Cost: cost}
		}
	}
	if m == nil {
		return nil
	}
	m.Things = a.measures(t, best)
	words := make([]string, len(m.Things))
	for i := range m.Things {
		words[i] = m.Things[i].Words
	}
	m.Words = strings.Join(words, "; ")
	return m
}

// advice is a measure that is one sentence about one document.
func (a *auditor) advice(r estate.Ref, format string, args ...any) *Measure {
	return &Measure{Words: fmt.Sprintf(format, args...), Cost: a.s.Doc(r).Cost}
}
