package audit

import (
	"fmt"
	"slices"

	"bongsu/estate"
)

// crewTooFew finds actions that ask for more people than there are: they can
// never run.
func crewTooFew(a *auditor) {
	asksTooMuch := func(r estate.Ref) bool {
		return r.Kind == estate.KindCrew || r.Kind == estate.KindComponent && slices.ContainsFunc(a.s.Components[r.Index].Actions, func(act estate.Action) bool {
			return slices.ContainsFunc(act.Crew, func(u estate.Use) bool { return a.s.Crews[u.Index].People >= 0 && u.Count > a.s.Crews[u.Index].People })
		})
	}
	if k := a.known; k != nil && !k.had[[2]string{a.rule.name, NoLoss}] && !slices.ContainsFunc(k.documents, asksTooMuch) {
		return // there was none, and nothing changed that could make one
	}
	type asked struct {
		refs  []estate.Ref
		words []string
		most  int
	}
	tooMuch := make([]asked, len(a.s.Crews))
	for c := range a.s.Components {
		comp := &a.s.Components[c]
		for j := range comp.Actions {
			for _, u := range comp.Actions[j].Crew {
				if people := a.s.Crews[u.Index].People; people >= 0 && u.Count > people {
					k := &tooMuch[u.Index]
					k.refs = append(k.refs, a.component(c))
					k.words = append(k.words, fmt.Sprintf("%s of %s asks for %d", comp.Actions[j].Name, comp.Name, u.Count))
					k.most = max(k.most, u.Count)
				}
			}
		}
	}
	for i, k := range tooMuch {
		if len(k.refs) == 0 {
			continue
		}
		crew := &a.s.Crews[i]
		r := a.ref(estate.KindCrew, i)
		touched := a.graph.touched(true, k.refs...)
		a.add(Finding{
			Severity: Error, Users: touched.users,
			Sentence: fmt.Sprintf("the crew %s is %d and %s for more: they can never be done", crew.Name, crew.People, counted(len(k.refs), "action asks", "actions ask")),
			Proof:    Proof{Words: k.words, Services: touched.names(a.s)},
			Fix:      a.advice(r, "%d people in the crew %s, or actions that ask for fewer", k.most, crew.Name),
		}, NoLoss, r)
	}
}

// crewUnreachable finds crews that have something to do in a loss and cannot be
// reached in it. Where they can be reached later it is a warning.
func crewUnreachable(a *auditor, t *trial) {
	for _, i := range a.cutOff(t) {
		behind := a.workFor(t, i)
		r := a.ref(estate.KindCrew, i)
		if len(behind) == 0 {
			continue
		}
		sev := Error
		if t.Back(r) {
			sev = Warning
		}
		about := append([]estate.Ref{r}, behind...)
		if !a.fresh(a.name(r), sev) || a.kept(t, a.name(r), about...) {
			continue
		}
		touched := a.graph.touched(false, behind...)
		f := Finding{
			Severity: sev, Users: touched.users, about: about,
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
		f.Fix = a.one(t, r)
		a.add(f, t.loss.name, r)
	}
}
