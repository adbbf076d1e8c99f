package desk

import (
	"slices"
	"time"

	"bongsu/claim/policy"
	"bongsu/internal/lang"
	"bongsu/status"
)

// A timeLine sets what was recorded of an outage against what a claimant says.
type timeLine struct {
	From, To time.Time
	Rows     []stretch // of the table; and bars of the picture, by lane
	Ticks    [3]string // below the bars: the beginning, the middle and the end
	Inside   string    // none, part, all: how much of the claimed time the outage covers
	Overlap  time.Duration
	Claimed  time.Duration
}

// A stretch is a bar: X and W are thousandths of the width.
type stretch struct {
	interval

	Lane   string // recorded or claimed
	X, W   int
	Unsaid bool // no end was said
}

// concerned are the intervals that a claim on a service and part rests on: those of
// the part, and those of the core without which no part works.
func concerned(all []status.Interval, service, part string, now time.Time) []interval {
	var out []interval
	for _, i := range all {
		if i.Service != service || i.Part != "" && i.Part != part {
			continue
		}
		one := interval{From: i.From, To: i.To, Level: string(i.Level)}
		if one.To.IsZero() {
			one.To, one.Lasts = now, true
		}
		if one.To.After(one.From) {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b interval) int { return a.From.Compare(b.From) })
	return out
}

// newTimeLine is nil when there is nothing to draw.
func newTimeLine(intervals []interval, x *policy.Case, r *renderer, l lang.Lang) *timeLine {
	if len(intervals) == 0 && x.Outage.Known && !x.Outage.From.IsZero() {
		level := status.Down
		if x.Outage.Minutes == 0 {
			level = status.Degraded
		}
		intervals = []interval{{From: x.Outage.From, To: x.Outage.To, Level: string(level)}}
	}
	t := &timeLine{Inside: "none"}
	for _, i := range intervals {
		t.Rows = append(t.Rows, stretch{interval: i, Lane: "recorded"})
	}
	from, to := x.Claim.From, x.Claim.To
	if !from.IsZero() {
		unsaid := to.IsZero()
		if to.Before(from) {
			to = from
		}
		t.Claimed = to.Sub(from)
		t.Rows = append(t.Rows, stretch{interval: interval{From: from, To: to}, Lane: "claimed", Unsaid: unsaid})
		t.Overlap = overlap(intervals, from, to)
		switch {
		case t.Overlap > 0 && t.Overlap >= t.Claimed, t.Claimed == 0 && covered(intervals, from):
			t.Inside = "all"
		case t.Overlap > 0:
			t.Inside = "part"
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	t.From, t.To = t.Rows[0].From, t.Rows[0].To
	for _, s := range t.Rows {
		if s.From.Before(t.From) {
			t.From = s.From
		}
		if s.To.After(t.To) {
			t.To = s.To
		}
	}
	if !t.To.After(t.From) {
		t.To = t.From.Add(time.Hour)
	}
	at := func(when time.Time) int { return int(1000 * float64(when.Sub(t.From)) / float64(t.To.Sub(t.From))) }
	for i := range t.Rows {
		s := &t.Rows[i]
		s.X = at(s.From)
		s.W = max(at(s.To)-s.X, 3)
		s.X = min(s.X, 997)
	}
	for i, when := range []time.Time{t.From, t.From.Add(t.To.Sub(t.From) / 2), t.To} {
		t.Ticks[i] = lang.Moment(l, when, r.zone)
	}
	return t
}

// overlap is how much of a time was inside of intervals, which may overlap one another.
func overlap(sorted []interval, from, to time.Time) time.Duration {
	var d time.Duration
	at := from
	for _, i := range sorted {
		a, b := i.From, i.To
		if a.Before(at) {
			a = at
		}
		if b.After(to) {
			b = to
		}
		if b.After(a) {
			d += b.Sub(a)
			at = b
		}
	}
	return d
}

func covered(all []interval, at time.Time) bool {
	return slices.ContainsFunc(all, func(i interval) bool { return !at.Before(i.From) && at.Before(i.To) })
}
