package claim

import (
	"slices"
	"time"

	"bongsu/claim/policy"
	"bongsu/status"
)

// Outages are what the record of an incident says of every service and part, as
// decisions rest on it.
type Outages struct {
	of map[[2]string]policy.Outage
}

// NewOutages reads the intervals that control signed. What still lasts is counted up to now.
func NewOutages(intervals []status.Interval, now time.Time) Outages {
	type spans struct{ down, worse []span }
	all := map[[2]string]*spans{}
	for _, i := range intervals {
		to := i.To
		if to.IsZero() {
			to = now
		}
		if !to.After(i.From) {
			continue
		}
		k := [2]string{i.Service, i.Part}
		s := all[k]
		if s == nil {
			s = &spans{}
			all[k] = s
		}
		switch i.Level {
		case status.Down, status.Restoring:
			s.down = append(s.down, span{i.From, to})
		case status.Degraded:
			s.worse = append(s.worse, span{i.From, to})
		case status.Operational, status.Maintained, status.Unknown: // nobody was harmed, or nobody knows
		}
	}
	out := Outages{of: map[[2]string]policy.Outage{}}
	for k, s := range all {
		down, worse := s.down, s.worse
		if core := all[[2]string{k[0], ""}]; k[1] != "" && core != nil { // without the core no part works
			down, worse = slices.Concat(down, core.down), slices.Concat(worse, core.worse)
		}
		out.of[k] = outage(down, worse)
	}
	return out
}

// OutageOf returns what is recorded of one service and part, as [Outages.Of] does.
func OutageOf(intervals []status.Interval, now time.Time, service, part string) policy.Outage {
	var its []status.Interval
	for _, i := range intervals {
		if i.Service == service && (i.Part == "" || i.Part == part) {
			its = append(its, i)
		}
	}
	return NewOutages(its, now).Of(service, part)
}

// Of returns what is recorded of a service and part. A part of which nothing is recorded
// was down with its service.
func (o Outages) Of(service, part string) policy.Outage {
	if x, ok := o.of[[2]string{service, part}]; ok {
		return x
	}
	return o.of[[2]string{service, ""}]
}

// A span of time.
type span struct{ from, to time.Time }

// merge makes spans that do not touch, in order.
func merge(spans []span) []span {
	spans = slices.SortedFunc(slices.Values(spans), func(a, b span) int { return a.from.Compare(b.from) })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && !s.from.After(out[n-1].to) {
			if s.to.After(out[n-1].to) {
				out[n-1].to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

func length(spans []span) time.Duration {
	var d time.Duration
	for _, s := range spans {
		d += s.to.Sub(s.from)
	}
	return d
}

func outage(down, worse []span) policy.Outage {
	d := merge(down)
	both := merge(slices.Concat(d, worse))
	if len(both) == 0 {
		return policy.Outage{}
	}
	return policy.Outage{
		Known: true, Minutes: int64(length(d) / time.Minute), Degraded: int64((length(both) - length(d)) / time.Minute),
		From: both[0].from.UTC(), To: both[len(both)-1].to.UTC(),
	}
}
