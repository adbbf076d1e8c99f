package audit

import (
	"fmt"

	"bongsu/estate"
)

// unplaced finds components that others need, that stand nowhere and that group
// nothing: they hold for ever, whatever is lost. So do
// crews of which nobody says how they are reached. Replicas that count nothing are
// told, too.
func unplaced(a *auditor) {
	for i := range a.judged(estate.KindComponent) {
		c := &a.s.Components[i]
		r := a.component(i)
		switch {
		case len(c.Replicas) == 0 && c.Needs.Empty() && a.graph.needers(r) > 0:
			touched := a.touchedBy(i)
			a.add(Finding{
				Severity: Warning, Users: touched.users, about: []estate.Ref{r},
				Sentence: fmt.Sprintf("%s stands nowhere and needs nothing, so no loss can take it, yet %s it", c.Name, counted(a.graph.needers(r), "thing needs", "things need")),
				Proof:    Proof{Services: touched.names(a.s)},
				Fix:      a.advice(r, "say where %s runs, or waive this where it truly stands nowhere, such as a list on paper", c.Name),
			}, NoLoss, r)
		case len(c.Replicas) > 0 && replicas(c) == 0:
			touched := a.touchedBy(i)
			a.add(Finding{
				Severity: Warning, Users: touched.users, about: []estate.Ref{r},
				Sentence: c.Name + " has entries of replicas, and each of them counts 0",
				Proof:    Proof{Services: touched.names(a.s)},
				Fix:      a.advice(r, "say how many replicas %s has", c.Name),
			}, NoLoss, r)
		}
	}
	for i := range a.judged(estate.KindCrew) {
		r := a.ref(estate.KindCrew, i)
		if n := len(a.graph.repair[a.graph.id(r)]); n > 0 && a.s.Crews[i].Needs.Empty() {
			touched := a.graph.touched(true, r)
			a.add(Finding{
				Severity: Info, Users: touched.users, about: []estate.Ref{r},
				Sentence: fmt.Sprintf("the estate does not say how the crew %s is reached, so no loss can cut it off, yet %s of it", r.Name, counted(n, "component has need", "components have need")),
				Proof:    Proof{Services: touched.names(a.s)},
				Fix:      a.advice(r, "write down the channels by which %s is reached", r.Name),
			}, NoLoss, r)
		}
	}
}
