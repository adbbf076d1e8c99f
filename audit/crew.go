package audit

import (
	"fmt"

	"bongsu/estate"
)

// crewTooFew finds actions that ask for more people than there are: they can
// never run.
func crewTooFew(a *auditor) {
	for i := range a.s.Crews {
		crew := &a.s.Crews[i]
		if crew.People < 0 {
			continue
		}
		var (
			refs  []estate.Ref
			words []string
			most  int
		)
		for c := range a.s.Components {
			for _, act := range a.s.Components[c].Actions {
				for _, u := range act.Crew {
					if u.Index == i && u.Count > crew.People {
						refs = append(refs, a.component(c))
						words = append(words, fmt.Sprintf("%s of %s asks for %d", act.Name, a.s.Components[c].Name, u.Count))
						most = max(most, u.Count)
					}
				}
			}
		}
		if len(refs) == 0 {
			continue
		}
		r := a.ref(estate.KindCrew, i)
		touched := a.graph.touched(true, refs...)
		a.add(Finding{
			Severity: Error, Users: touched.users,
			Sentence: fmt.Sprintf("the crew %s is %d and %s for more: they can never be done", crew.Name, crew.People, counted(len(refs), "action asks", "actions ask")),
			Proof:    Proof{Words: words, Services: touched.names(a.s)},
			Fix:      a.advice(r, "%d people in the crew %s, or actions that ask for fewer", most, crew.Name),
		}, NoLoss, r)
	}
}

// crewUnreachable finds crews that have something to do in a loss and cannot be
// reached in it. Where they can be reached later it is a warning.
func crewUnreachable(a *auditor, t *trial) {
	if len(t.Crews) == 0 {
		return
	}
	work := map[int][]estate.Ref{} // the components that wait for each crew
	for _, c := range t.NotHolding() {
		for i, act := range a.s.Components[c].Actions {
			if t.Possible(c, i) {
				for _, u := range act.Crew {
					work[u.Index] = append(work[u.Index], a.component(c))
				}
			}
		}
	}
	for _, x := range t.Crews {
		behind := work[x.Index]
		r := a.ref(estate.KindCrew, x.Index)
		if len(behind) == 0 {
			continue
		}
		sev := Error
		if t.Back(r) {
			sev = Warning
		}
		if !a.fresh(a.name(r), sev) {
			continue
		}
		touched := a.graph.touched(false, behind...)
		f := Finding{
			Severity: sev, Users: touched.users,
			Proof: Proof{Services: touched.names(a.s), Words: []string{
				counted(len(behind), "component waits", "components wait") + " for it: " + join(a.names(behind)),
			}},
		}
		if at, ok := t.UpAt(r); ok {
			f.Sentence = fmt.Sprintf("%sthe crew %s can be reached only after %s, and has work to do", t.inLoss(), r.Name, lasting(at))
		} else {
			f.Sentence = fmt.Sprintf("%sthe crew %s cannot be reached, and has work to do", t.inLoss(), r.Name)
			sets := t.Because(r, mostReasons)
			f.Proof.Blocking = a.allNames(sets)
			if len(sets) > 0 {
				f.Proof.Words = append(f.Proof.Words, a.explain(t, whole(r), sets[0])...)
			}
		}
		item := a.measure(t, r)
		f.Fix = &Measure{Words: item.Words, Cost: item.Cost, Things: []MeasureItem{item}}
		a.add(f, t.loss.name, r)
	}
}
