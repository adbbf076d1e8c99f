package incident

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// RecordOf folds all that hangs on an incident from its entries. The same entries give
// the same record, whoever folds them.
func RecordOf(i Incident) Record {
	r := Record{
		Incident: i,
		Faults:   []Fault{}, Intervals: []Interval{}, Roles: []Assignment{}, Updates: []Update{},
		Bases: []Base{}, Done: []ClockDone{}, Calls: []Call{}, Notes: []Entry{},
	}
	lines := map[Subject]*line{}
	for n := range i.Entries {
		r.add(n+1, &i.Entries[n], lines)
	}
	if !r.Open() {
		for n := range r.Roles {
			if r.Roles[n].To.IsZero() {
				r.Roles[n].To = r.EndedAt
			}
		}
	}
	subjects := make([]Subject, 0, len(lines))
	for s := range lines {
		subjects = append(subjects, s)
	}
	slices.SortFunc(subjects, func(a, b Subject) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Part, b.Part))
	})
	r.Intervals = make([]Interval, 0, len(subjects))
	for _, s := range subjects {
		if r.State == Withdrawn {
			lines[s].close(r.EndedAt, FromWithdraw)
		}
		r.Intervals = append(r.Intervals, lines[s].intervals(s)...)
	}
	return r
}

// add takes one more entry into the record.
func (r *Record) add(number int, e *Entry, lines map[Subject]*line) {
	switch e.Act {
	case ActChange:
		for n := range e.Changes {
			c := &e.Changes[n]
			s := Subject{c.Service, c.Part}
			l := lines[s]
			if l == nil {
				l = &line{}
				lines[s] = l
			}
			l.say(number, e, c)
		}
	case ActWithdraw:
		// Of the whole incident: nothing was lost, so what was computed from the loss did
		// not happen. What was seen, or said by a person, did.
		if now := fold(r.ID, r.Entries[:number]); now.State == Withdrawn {
			for _, l := range lines {
				l.retract()
				l.end(e.At, FromWithdraw)
			}
		}
	case ActFault:
		if e.Fault == nil {
			return
		}
		r.Faults = slices.DeleteFunc(r.Faults, func(f Fault) bool { return f.Domain == e.Fault.Domain })
		if e.Fault.Operator != "" {
			r.Faults = append(r.Faults, *e.Fault)
			slices.SortFunc(r.Faults, func(a, b Fault) int { return strings.Compare(a.Domain, b.Domain) })
		}
	case ActAssign:
		for n := range r.Roles {
			if r.Roles[n].Role == e.Role && r.Roles[n].To.IsZero() {
				r.Roles[n].To = e.At
			}
		}
		if e.Person != "" {
			r.Roles = append(r.Roles, Assignment{Role: e.Role, Person: e.Person, From: e.At, Note: e.Why})
		}
	case ActDraft:
		if e.Update == nil {
			return
		}
		u := *e.Update
		u.ID, u.DraftedAt, u.DraftedBy = number, e.At, e.By
		u.SentAt, u.SentBy, u.Bypass, u.Dropped = time.Time{}, "", "", ""
		r.Updates = append(r.Updates, u)
	case ActPublish, ActDrop:
		n := slices.IndexFunc(r.Updates, func(u Update) bool { return u.ID == e.Number })
		switch {
		case n < 0 || !r.Updates[n].SentAt.IsZero() || r.Updates[n].Dropped != "":
		case e.Act == ActPublish:
			r.Updates[n].SentAt, r.Updates[n].SentBy, r.Updates[n].Bypass = e.At, e.By, e.Bypass
		default:
			r.Updates[n].Dropped = cmp.Or(e.Why, "dropped by "+e.By)
		}
	case ActRebase:
		b := Base{Of: e.Of, At: e.At, Why: e.Why}
		if n := len(r.Bases); n > 0 {
			b.Was = r.Bases[n-1].Of
		}
		r.Bases = append(r.Bases, b)
	case ActDone:
		if !slices.ContainsFunc(r.Done, func(d ClockDone) bool { return d.Clock == e.Clock }) {
			r.Done = append(r.Done, ClockDone{Clock: e.Clock, At: e.At, By: e.By, Why: e.Why})
		}
	case ActCall:
		if e.Call == nil {
			return
		}
		if n := slices.IndexFunc(r.Calls, func(c Call) bool { return c.ID == e.Call.ID }); n >= 0 {
			if was := r.Calls[n]; !was.Answered.IsZero() && e.Call.Answered.IsZero() {
				return // somebody answered before their call was noted as sent: an answer stands
			}
			r.Calls[n] = *e.Call
		} else {
			r.Calls = append(r.Calls, *e.Call)
		}
	case ActNote, ActDecision:
		r.Notes = append(r.Notes, *e)
	case ActPropose, ActDeclare, ActRun, ActClose: // closing an incident brings nothing back
	}
}

// Holder returns who has a role now; empty: nobody.
func (r *Record) Holder(role string) string {
	for _, a := range slices.Backward(r.Roles) {
		if a.Role == role && a.To.IsZero() {
			return a.Person
		}
	}
	return ""
}

func (r *Record) update(id int) (Update, error) {
	n := slices.IndexFunc(r.Updates, func(u Update) bool { return u.ID == id })
	if n < 0 {
		return Update{}, notAnUpdate(id, r.ID)
	}
	return r.Updates[n], nil
}

// A Standing is the condition of a service or part, and since when it has been in it.
type Standing struct {
	Condition Condition
	Since     time.Time // of up: when it came back
}

// Conditions returns how every service and part that the record knows of stands at a
// moment. What is not in it has been up all along.
func (r *Record) Conditions(at time.Time) map[Subject]Standing {
	out := map[Subject]Standing{}
	var last Interval
	var since time.Time // since when the condition of last has gone on, over intervals that touch
	for _, v := range r.Intervals {
		goesOn := v.Service == last.Service && v.Part == last.Part && v.Condition == last.Condition && v.From.Equal(last.To)
		if !goesOn {
			since = v.From
		}
		last = v
		switch s := (Subject{v.Service, v.Part}); {
		case v.From.After(at):
		case v.To.IsZero() || v.To.After(at):
			out[s] = Standing{v.Condition, since}
		default:
			out[s] = Standing{Up, v.To}
		}
	}
	return out
}

// A Saying is a change, and the entry that says it.
type Saying struct {
	Change

	Entry int // from 1
}

// Down lists what is down by the record at a moment, services before their parts.
func (r *Record) Down(at time.Time) []Subject {
	var out []Subject
	for s, is := range r.Conditions(at) {
		if is.Condition == Down {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Subject) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Part, b.Part))
	})
	return out
}

// String is the name of a service, or service/part.
func (s Subject) String() string {
	if s.Part == "" {
		return s.Service
	}
	return s.Service + "/" + s.Part
}

// Said returns what was last said of each service and part by anything but a person.
// Whoever computes conditions compares with this and not with the intervals, so that a
// person's correction is not computed away.
func (r *Record) Said() map[Subject]Saying {
	out := map[Subject]Saying{}
	for n, e := range r.Entries {
		for _, c := range e.Changes {
			if c.Source != FromPerson {
				out[Subject{c.Service, c.Part}] = Saying{c, n + 1}
			}
		}
	}
	return out
}
