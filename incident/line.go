package incident

import (
	"slices"
	"time"
)

// A Subject is a service, or a part of one.
type Subject struct{ Service, Part string }

// A line is what is said of one subject over time: segments in order of time that
// never overlap. Where there is none, the subject was up.
type line struct{ segments []segment }

// A segment is one condition from a moment to another; a zero to is no end.
type segment struct {
	from, to time.Time
	is       Condition
	source   string
	by, why  string // of a person
	entry    int
	pinned   bool   // a person said it of the past
	ended    string // the source of what ended it; empty: what follows did, or nothing
}

// say puts a change on the line, as number of the entries of the incident. What a
// person says of the time up to the entry is pinned: only another person moves it.
// What anything else says goes around that.
func (l *line) say(number int, e *Entry, c *Change) {
	s := segment{from: c.At, to: c.Until, is: c.Condition, source: c.Source, entry: number}
	if !s.to.IsZero() {
		s.ended = c.Source
	}
	if c.Source != FromPerson {
		if !slices.ContainsFunc(l.segments, func(o segment) bool { return o.pinned }) {
			l.put(s)
			return
		}
		for _, gap := range l.gaps(s.from, s.to) {
			piece := s
			piece.from, piece.to = gap.from, gap.to
			l.put(piece)
		}
		return
	}
	s.by, s.why = e.By, e.Why
	past, rest := s, s
	past.pinned = true
	if e.At.After(s.from) && (s.to.IsZero() || s.to.After(e.At)) {
		past.to, rest.from = e.At, e.At
		l.put(past)
		l.put(rest)
		return
	}
	past.pinned = !s.to.IsZero() && !s.to.After(e.At)
	l.put(past)
}

// put replaces whatever the line says from s.from to s.to.
func (l *line) put(s segment) {
	// Nearly always it is the newest word on what goes on.
	last := len(l.segments) - 1
	if last < 0 || s.to.IsZero() && l.segments[last].to.IsZero() && s.from.After(l.segments[last].from) {
		if last >= 0 {
			l.segments[last].to, l.segments[last].ended = s.from, s.source
		}
		l.segments = append(l.segments, s)
		return
	}
	var out []segment
	for _, o := range l.segments {
		if !o.to.IsZero() && !o.to.After(s.from) || !s.to.IsZero() && !o.from.Before(s.to) {
			out = append(out, o)
			continue
		}
		if o.from.Before(s.from) {
			head := o
			head.to, head.ended = s.from, s.source
			out = append(out, head)
		}
		if !s.to.IsZero() && (o.to.IsZero() || o.to.After(s.to)) {
			tail := o
			tail.from = s.to
			out = append(out, tail)
		}
	}
	out = append(out, s)
	slices.SortFunc(out, func(a, b segment) int { return a.from.Compare(b.from) })
	l.segments = out
}

// gaps are the pieces of from to to that no person has pinned.
func (l *line) gaps(from, to time.Time) []segment {
	var out []segment
	for _, o := range l.segments {
		switch {
		case !o.pinned || !o.to.After(from) || !to.IsZero() && !o.from.Before(to):
		default:
			if o.from.After(from) {
				out = append(out, segment{from: from, to: o.from})
			}
			from = o.to
		}
	}
	if to.IsZero() || to.After(from) {
		out = append(out, segment{from: from, to: to})
	}
	return out
}

// end ends what still lasts at a moment.
func (l *line) end(at time.Time, why string) {
	l.segments = slices.DeleteFunc(l.segments, func(s segment) bool { return !s.from.Before(at) })
	for n := range l.segments {
		if s := &l.segments[n]; s.to.IsZero() || s.to.After(at) {
			s.to, s.ended = at, why
		}
	}
}

// close ends what has no end, in an incident that is over. Corrections that were made
// since have one.
func (l *line) close(at time.Time, why string) {
	l.segments = slices.DeleteFunc(l.segments, func(s segment) bool { return s.to.IsZero() && !s.from.Before(at) })
	for n := range l.segments {
		if s := &l.segments[n]; s.to.IsZero() {
			s.to, s.ended = at, why
		}
	}
}

// retract takes back what was computed and neither seen nor said by a person.
func (l *line) retract() {
	l.segments = slices.DeleteFunc(l.segments, func(s segment) bool {
		return s.source == FromImpact || s.source == FromRun
	})
}

// intervals are the times in which the subject was not up.
func (l *line) intervals(of Subject) []Interval {
	out := make([]Interval, 0, len(l.segments))
	for n := range l.segments {
		s := &l.segments[n]
		if s.is == Up {
			continue
		}
		v := Interval{
			Service: of.Service, Part: of.Part, Condition: s.is, From: s.from, To: s.to,
			Source: s.source, By: s.by, Why: s.why, Entry: s.entry, Ended: s.ended,
		}
		if n+1 < len(l.segments) && l.segments[n+1].from.Equal(s.to) {
			v.Ended = l.segments[n+1].source
		}
		// One statement that was cut by what was taken back since is one interval.
		if last := len(out) - 1; last >= 0 && out[last].To.Equal(v.From) && out[last].Entry == v.Entry && out[last].Condition == v.Condition {
			out[last].To, out[last].Ended = v.To, v.Ended
			continue
		}
		out = append(out, v)
	}
	return out
}
