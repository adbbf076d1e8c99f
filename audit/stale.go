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
		n := a.s.Count(k)
		if a.dates.dated[k] == 0 {
			if n > 0 {
				a.add(Finding{
					Severity: Info,
					Sentence: fmt.Sprintf("no document of kind %s says since when it is true (%s)", k.Title(), counted(n, "document", "documents")),
					Fix:      &Measure{Words: "give each a source, with from and at", Cost: 1},
				}, NoLoss, estate.Ref{}, k.String()+"/*")
			}
			continue
		}
		if a.known == nil || a.dates.anew(k) {
			for i := range n {
				a.dated(a.ref(k, i))
			}
			continue
		}
		for _, r := range a.known.documents {
			if r.Kind == k {
				a.dated(r)
			}
		}
	}
}

// dated says where a document is not dated, or too long ago.
func (a *auditor) dated(r estate.Ref) {
	at := a.s.Doc(r).Source.At
	f := Finding{Severity: Info, about: []estate.Ref{r}}
	switch {
	case at.IsZero():
		f.Sentence = a.s.NameOf(r) + " does not say since when it is true"
	case !a.o.Now.IsZero() && a.o.Now.Sub(at) > a.o.MaxAge:
		f.Sentence = fmt.Sprintf("what is said of %s was so on %s, longer ago than %s", a.s.NameOf(r), at.Format(time.DateOnly), lasting(a.o.MaxAge))
	default:
		return
	}
	if from := a.s.Doc(r).Source.From; from != "" {
		f.Proof.Words = []string{"its source: " + from}
	}
	f.Fix = a.advice(r, "look again, and note the day in source.at of %s", a.s.NameOf(r))
	a.add(f, NoLoss, r, a.staleSubject(r))
}

// dates says how many documents of each kind say since when they are true, and
// whether any did before.
type dates struct {
	dated, before [16]int
}

func (d *dates) note(s *estate.Snapshot) {
	for r := range docs(s) {
		if !s.Doc(r).Source.At.IsZero() {
			d.dated[r.Kind]++
		}
	}
}

// follow brings the numbers up to date with changed documents; old is where they
// were, and those that went.
func (d *dates) follow(before, after *estate.Snapshot, old, changed []estate.Ref) {
	d.before = d.dated
	for _, r := range old {
		if !before.Doc(r).Source.At.IsZero() {
			d.dated[r.Kind]--
		}
	}
	for _, r := range changed {
		if !after.Doc(r).Source.At.IsZero() {
			d.dated[r.Kind]++
		}
	}
}

// anew reports whether every document of a kind is told anew, since some say their
// date now and none did, or the other way round.
func (d *dates) anew(k estate.Kind) bool { return (d.dated[k] > 0) != (d.before[k] > 0) }

// staleSubject names a document with its kind, unless it is of a kind that needs name.
func (a *auditor) staleSubject(r estate.Ref) string {
	switch r.Kind {
	case estate.KindLimit, estate.KindProbe, estate.KindOption:
		return r.String()
	case estate.KindDomain, estate.KindComponent, estate.KindService, estate.KindCrew:
	}
	return a.s.NameOf(r)
}
