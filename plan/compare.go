package plan

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"bongsu/impact"
)

// A Change says how a new plan differs from an old one of the same loss, and
// what that costs.
type Change struct {
	UserMinutes float64 // new less old: what the change costs, negative when it saves
	Added       []Step  // of the new plan
	Dropped     []Step  // of the old plan, not done and no longer planned
	Moved       []Move
	Services    []Shift // the dearest first
}

// A Move is a step at another time, or at another place.
type Move struct{ Was, Is Step }

// A Shift is a service or a part that is back at another time. Part is empty
// for the core; a nil time is never.
type Shift struct {
	Service int
	Part    string
	Was, Is *time.Duration
	Cost    float64 // weighted user-minutes, new less old
}

// Compare says what changed from an old plan to a new one. What the new plan
// no longer lists because it was done when it was made is no change.
func Compare(was, is *Plan) Change {
	c := Change{UserMinutes: is.Objective.UserMinutes - was.Objective.UserMinutes}
	key := func(s *Step) [2]int { return [2]int{s.Ref.Component, s.Ref.Action} }
	before := make(map[[2]int]*Step, len(was.Steps))
	for i := range was.Steps {
		before[key(&was.Steps[i])] = &was.Steps[i]
	}
	for i := range is.Steps {
		s := &is.Steps[i]
		switch b := before[key(s)]; {
		case b == nil:
			c.Added = append(c.Added, *s)
		case b.Start != s.Start || b.Finish != s.Finish || b.Ref.At != s.Ref.At:
			c.Moved = append(c.Moved, Move{*b, *s})
		}
		delete(before, key(s))
	}
	done := make(map[impact.ActionRef]bool, len(is.done))
	for _, d := range is.done {
		done[d.Ref] = true
	}
	for i := range was.Steps {
		if s := &was.Steps[i]; before[key(s)] != nil && !done[s.Ref] {
			c.Dropped = append(c.Dropped, *s)
		}
	}
	c.shifts(was, is)
	return c
}

func (c *Change) shifts(was, is *Plan) {
	old := make(map[int]ServiceTimes, len(was.Services))
	for _, t := range was.Services {
		old[t.Service] = t
	}
	cost := func(p *Plan, from time.Duration, at *time.Duration, weight float64) float64 {
		end := p.Horizon
		if at != nil {
			end = min(*at, end)
		}
		return weight * max(end-from, 0).Minutes()
	}
	same := func(a, b *time.Duration) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	for _, t := range is.Services {
		o, ok := old[t.Service]
		if !ok {
			continue
		}
		sv := &is.Snapshot.Services[t.Service]
		w := float64(sv.Users) * sv.Weight
		if !same(o.UpAt, t.UpAt) {
			d := cost(is, t.DownFrom, t.UpAt, w*sv.Core()) - cost(was, o.DownFrom, o.UpAt, w*sv.Core())
			c.Services = append(c.Services, Shift{t.Service, "", o.UpAt, t.UpAt, d})
		}
		for i, k := range t.Parts {
			if i < len(o.Parts) && !same(o.Parts[i].UpAt, k.UpAt) {
				share := w * sv.Parts[i].Share
				d := cost(is, k.DownFrom, k.UpAt, share) - cost(was, o.Parts[i].DownFrom, o.Parts[i].UpAt, share)
				c.Services = append(c.Services, Shift{t.Service, k.Name, o.Parts[i].UpAt, k.UpAt, d})
			}
		}
	}
	slices.SortStableFunc(c.Services, func(a, b Shift) int {
		switch x, y := math.Abs(a.Cost), math.Abs(b.Cost); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
}

// Empty reports whether nothing changed.
func (c *Change) Empty() bool {
	return len(c.Added) == 0 && len(c.Dropped) == 0 && len(c.Moved) == 0 && len(c.Services) == 0
}

// Text writes the change for people, in the words of the new plan.
func (c *Change) Text(w io.Writer, is *Plan) error {
	var b strings.Builder
	switch {
	case c.Empty():
		b.WriteString("Nothing changed.\n")
	case c.UserMinutes > 0:
		fmt.Fprintf(&b, "The new plan costs %s weighted user-minutes more.\n", number(c.UserMinutes))
	case c.UserMinutes < 0:
		fmt.Fprintf(&b, "The new plan costs %s weighted user-minutes less.\n", number(-c.UserMinutes))
	default:
		b.WriteString("The new plan costs the same.\n")
	}
	for _, s := range c.Added {
		fmt.Fprintf(&b, "+ %s, from %s to %s\n", s.ID, span(s.Start), span(s.Finish))
	}
	for _, s := range c.Dropped {
		fmt.Fprintf(&b, "- %s\n", s.ID)
	}
	for _, m := range c.Moved {
		what := m.Is.ID
		if m.Was.ID != m.Is.ID {
			what = m.Was.ID + " becomes " + m.Is.ID
		}
		fmt.Fprintf(&b, "~ %s, from %s to %s (was %s to %s)\n", what, span(m.Is.Start), span(m.Is.Finish), span(m.Was.Start), span(m.Was.Finish))
	}
	for _, s := range c.Services {
		sv := &is.Snapshot.Services[s.Service]
		name := titled(sv.Name, sv.Title)
		if s.Part != "" {
			name = titled(sv.Name, sv.Title) + " / " + s.Part
		}
		fmt.Fprintf(&b, "  %s is back after %s (was %s)\n", name, backAt(s.Is), backAt(s.Was))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func backAt(d *time.Duration) string {
	if d == nil {
		return "never"
	}
	return span(*d)
}
