package audit

import (
	"fmt"
	"time"

	"bongsu/estate"
)

// stale finds facts that are old, and those of which nobody says how old they
// are. Where no document of a kind says so, that is one finding and not one for
// each.
func stale(a *auditor) {
	for _, k := range estate.Kinds() {
		n := count(a.s, k)
		dated := 0
		for i := range n {
			if !a.s.Doc(estate.Ref{Kind: k, Index: i}).Source.At.IsZero() {
				dated++
			}
		}
		if dated == 0 {
			if n > 0 {
				a.add(Finding{
					Severity: Info,
					Sentence: fmt.Sprintf("no document of kind %s says since when it is true (%s)", k.Title(), counted(n, "document", "documents")),
					Fix:      &Measure{Words: "give them source: {from: ..., at: ...}", Cost: 1},
				}, NoLoss, estate.Ref{}, k.String()+"/*")
			}
			continue
		}
		for i := range n {
			r := a.ref(k, i)
			at := a.s.Doc(r).Source.At
			f := Finding{Severity: Info}
			switch {
			case at.IsZero():
				f.Sentence = a.s.NameOf(r) + " does not say since when it is true"
			case !a.o.Now.IsZero() && a.o.Now.Sub(at) > a.o.MaxAge:
				f.Sentence = fmt.Sprintf("what is said of %s was so on %s, longer ago than %s", a.s.NameOf(r), at.Format(time.DateOnly), lasting(a.o.MaxAge))
			default:
				continue
			}
			if from := a.s.Doc(r).Source.From; from != "" {
				f.Proof.Words = []string{"its source: " + from}
			}
			f.Fix = a.advice(r, "look again, and note the day in source.at of %s", a.s.NameOf(r))
			a.add(f, NoLoss, r, a.staleSubject(r))
		}
	}
}

// staleSubject names a document with its kind, unless it is of a kind that needs name.
func (a *auditor) staleSubject(r estate.Ref) string {
	switch r.Kind {
	case estate.KindLimit, estate.KindProbe, estate.KindOption:
		return r.String()
	case estate.KindDomain, estate.KindComponent, estate.KindService, estate.KindCrew:
	}
	return a.s.NameOf(r)
}
