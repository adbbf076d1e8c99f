package incident

import (
	"slices"
	"strings"
	"time"
)

// fold makes the incident that its entries tell, oldest first.
func fold(id string, entries []Entry) Incident {
	i := Incident{ID: id, Lost: []string{}, Losses: []Loss{}, Entries: entries}
	for _, e := range entries {
		i.apply(e)
	}
	slices.SortFunc(i.Losses, func(a, b Loss) int { return strings.Compare(a.Domain, b.Domain) })
	standing := func(s State) []string {
		var names []string
		for _, l := range i.Losses {
			if l.State == s {
				names = append(names, l.Domain)
			}
		}
		return names
	}
	i.Lost = append(i.Lost, standing(Declared)...)
	i.Proposed = standing(Proposed)
	for _, l := range i.Losses {
		// What was proposed in error must not move the zero of what was declared.
		if counts := l.State == Declared || l.State == Proposed && len(i.Lost) == 0; counts && (i.LostAt.IsZero() || l.LostAt.Before(i.LostAt)) {
			i.LostAt = l.LostAt
		}
	}
	switch ended := i.State; {
	case ended == Closed:
	case len(i.Lost) > 0:
		i.State = Declared
	case len(i.Proposed) > 0:
		i.State = Proposed
	default:
		i.State = Withdrawn
	}
	if i.Open() {
		i.EndedAt = time.Time{}
	}
	if i.LostAt.IsZero() && len(entries) > 0 { // all of it was withdrawn
		i.LostAt = entries[0].LostAt
	}
	return i
}

func (i *Incident) apply(e Entry) {
	switch e.Act {
	case ActPropose, ActDeclare, ActWithdraw, ActClose:
		i.By, i.Why = e.By, e.Why
	case ActRun, ActNote, ActDecision, ActChange, ActAssign, ActFault, ActDraft, ActPublish, ActDrop, ActRebase, ActDone, ActCall:
	}
	if e.Verdict != "" {
		i.Verdict = e.Verdict
	}
	if e.Estate != "" {
		i.Estate = e.Estate
	}
	i.Drill = i.Drill || e.Drill
	switch e.Act {
	case ActPropose:
		i.mark(e, Proposed)
		if i.ProposedAt.IsZero() {
			i.ProposedAt = e.At
		}
	case ActDeclare:
		i.mark(e, Declared)
		if i.DeclaredAt.IsZero() {
			i.DeclaredAt = e.At
		}
	case ActWithdraw:
		i.mark(e, Withdrawn)
		i.EndedAt = e.At
	case ActClose:
		i.State, i.EndedAt = Closed, e.At
	case ActRun:
		i.Run = e.Run
	case ActNote, ActDecision, ActChange, ActAssign, ActFault, ActDraft, ActPublish, ActDrop, ActRebase, ActDone, ActCall:
		// They hang on the incident and leave it as it is; see [RecordOf].
	}
}

// mark gives the domains of an entry a new state. A loss keeps its first moment
// unless it had been withdrawn in between: then it is another loss.
func (i *Incident) mark(e Entry, s State) {
	for _, d := range e.Domains {
		n := slices.IndexFunc(i.Losses, func(l Loss) bool { return l.Domain == d })
		switch {
		case n < 0:
			if s != Withdrawn {
				i.Losses = append(i.Losses, Loss{Domain: d, State: s, LostAt: e.LostAt})
			}
		case s != Withdrawn && i.Losses[n].State == Withdrawn:
			i.Losses[n].State, i.Losses[n].LostAt = s, e.LostAt
		default:
			i.Losses[n].State = s
		}
	}
}

// stands reports whether a domain is in the incident in state s or further.
func (i *Incident) stands(domain string, s State) bool {
	return slices.ContainsFunc(i.Losses, func(l Loss) bool {
		return l.Domain == domain && (l.State == s || l.State == Declared)
	})
}
