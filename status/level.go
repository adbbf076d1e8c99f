package status

import "time"

// Until returns when what the state says stops being believed; the zero time when
// nobody ever said anything.
func (s *State) Until() time.Time {
	if s.AsOf.IsZero() {
		return time.Time{}
	}
	return s.AsOf.Add(s.GoodFor)
}

// Stale reports whether at now nobody knows any more whether the state is so.
func (s *State) Stale(now time.Time) bool { return s.AsOf.IsZero() || now.After(s.Until()) }

// Over reports whether the incident is resolved.
func (i *Incident) Over() bool {
	return !i.EndedAt.IsZero() || i.Phase == Resolved || i.Phase == Postmortem
}

// Active reports whether the work goes on now, by what was told of it.
func (m *Maintenance) Active() bool { return m.Status == "in_progress" || m.Status == "verifying" }

// Upcoming reports whether the work has not begun.
func (m *Maintenance) Upcoming() bool { return m.Status == "scheduled" }

// Rank orders levels by how much a reader must know of them: 0 is well. What nobody
// knows is worse than what works badly.
func (l Level) Rank() int {
	switch l {
	case Operational:
		return 0
	case Maintained:
		return 1
	case Degraded:
		return 2
	case Unknown:
		return 3
	case Restoring:
		return 4
	case Down:
		return 5
	}
	return Unknown.Rank()
}

// Worse returns the level of higher rank.
func Worse(a, b Level) Level {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// A Condition is a level and since when it is so; zero: not known.
type Condition struct {
	Level Level
	Since time.Time
}

// Conditions say how every service and part is at one moment.
type Conditions struct {
	stale bool
	since time.Time
	by    map[place]Condition
	parts map[string]bool // services of which something is said of single parts
}

type place struct{ service, part string }

// Conditions returns how everything is at now. A service of which only parts fail
// is degraded, whatever the parts are.
func (s *State) Conditions(now time.Time) Conditions {
	if s.Stale(now) {
		return Conditions{stale: true, since: s.AsOf}
	}
	return s.LastKnown()
}

// LastKnown returns how everything was when control last spoke.
func (s *State) LastKnown() Conditions {
	c := Conditions{by: make(map[place]Condition), parts: make(map[string]bool)}
	for n := range s.Incidents {
		i := &s.Incidents[n]
		over := !i.EndedAt.IsZero() // what an update calls resolved is on the board as it is
		for _, l := range i.Board {
			if over && l.Level == Operational {
				continue // of an incident that is over only what was left down is news
			}
			c.add(place{l.Service, l.Part}, Condition{l.Level, l.Since})
			if l.Part != "" {
				c.parts[l.Service] = true
				level := l.Level
				if level.Rank() > Degraded.Rank() {
					level = Degraded
				}
				c.add(place{l.Service, ""}, Condition{level, l.Since})
			}
		}
	}
	for n := range s.Maintenances {
		if m := &s.Maintenances[n]; m.Active() {
			for _, name := range m.Services {
				c.add(place{name, ""}, Condition{Maintained, m.From})
			}
		}
	}
	return c
}

func (c Conditions) add(p place, x Condition) {
	old, ok := c.by[p]
	if !ok || x.Level.Rank() > old.Level.Rank() || x.Level == old.Level && x.Since.Before(old.Since) {
		c.by[p] = x
	}
}

// Of returns how a service is, or with a part how that is. A part of which nothing
// is said is like its service, if that as a whole is not well.
func (c Conditions) Of(service, part string) Condition {
	if c.stale {
		return Condition{Unknown, c.since}
	}
	if x, ok := c.by[place{service, part}]; ok {
		return x
	}
	if part != "" && !c.parts[service] {
		if x, ok := c.by[place{service, ""}]; ok {
			return x
		}
	}
	return Condition{Level: Operational}
}

// Overall returns the worst level of the services.
func (s *State) Overall(c Conditions) Level {
	worst := Operational
	if c.stale {
		worst = Unknown
	}
	for _, v := range s.Catalog.Services {
		worst = Worse(worst, c.Of(v.Name, "").Level)
	}
	return worst
}
