package incident

import (
	"slices"
	"time"

	"bongsu/estate"
)

// ServiceMinutes is what an incident has cost the users of one service.
type ServiceMinutes struct {
	Service string `json:"service"`
	Users   int64  `json:"users"`
	// Minutes are user-minutes: users times the share of the service that was down,
	// over time. Weighted is the same times the service's weight, as plans count.
	Minutes  float64 `json:"minutes"`
	Weighted float64 `json:"weighted"`
	Share    float64 `json:"share"` // of the service that is down now: how fast it grows
}

// UserMinutes returns what the users of each service have lost by now, in the order
// of services; services that lost nothing are left out. A service that is down is down
// with all its parts; one that is up or degraded has lost the shares of the parts that
// are down.
func (r *Record) UserMinutes(services []estate.Service, now time.Time) []ServiceMinutes {
	of := map[string][]Interval{} // of a service: when it or a part of it was down
	for _, v := range r.Intervals {
		if v.Condition == Down && v.From.Before(now) {
			of[v.Service] = append(of[v.Service], v)
		}
	}
	out := []ServiceMinutes{}
	for n := range services {
		sv := &services[n]
		down := of[sv.Name]
		if len(down) == 0 {
			continue
		}
		m := ServiceMinutes{Service: sv.Name, Users: sv.Users, Share: share(sv, down, now)}
		lost := 0.0 // of the whole service, in minutes
		for _, p := range pieces(down, now) {
			lost += share(sv, down, p.from) * p.to.Sub(p.from).Minutes()
		}
		m.Minutes = lost * float64(sv.Users)
		m.Weighted = m.Minutes * sv.Weight
		out = append(out, m)
	}
	return out
}

// Total adds up what services have lost.
func Total(all []ServiceMinutes) (minutes, weighted float64) {
	for _, m := range all {
		minutes += m.Minutes
		weighted += m.Weighted
	}
	return minutes, weighted
}

func (v *Interval) lasts(at time.Time) bool {
	return !v.From.After(at) && (v.To.IsZero() || v.To.After(at))
}

// share is how much of a service is down at a moment, from 0 to 1.
func share(sv *estate.Service, down []Interval, at time.Time) float64 {
	parts := 0.0
	for _, v := range down {
		if !v.lasts(at) {
			continue
		}
		if v.Part == "" {
			return 1
		}
		if n := slices.IndexFunc(sv.Parts, func(p estate.Part) bool { return p.Name == v.Part }); n >= 0 {
			parts += sv.Parts[n].Share
		}
	}
	return min(parts, 1)
}

type span struct{ from, to time.Time }

// pieces cuts the time up to now where any of the intervals begins or ends.
func pieces(all []Interval, now time.Time) []span {
	var cuts []time.Time
	for _, v := range all {
		to := v.To
		if to.IsZero() || to.After(now) {
			to = now
		}
		cuts = append(cuts, v.From, to)
	}
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.CompactFunc(cuts, time.Time.Equal)
	out := make([]span, 0, len(cuts))
	for n := 1; n < len(cuts); n++ {
		out = append(out, span{cuts[n-1], cuts[n]})
	}
	return out
}
