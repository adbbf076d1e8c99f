package incident

import (
	"slices"
	"strings"
	"time"

	"bongsu/estate"
)

// A ClockState is how far a clock is.
type ClockState string

// The states of a clock.
const (
	ClockCounting ClockState = "counting" // the outage does not yet last long enough; it will at Due, unless it ends
	ClockDue      ClockState = "due"      // it has to be done by Due
	ClockWaiting  ClockState = "waiting"  // it has to be done, and its time runs from the end of the outage
	ClockOverdue  ClockState = "overdue"
	ClockIsDone   ClockState = "done"
)

// A Clock is a duty that an outage brings, and by when it has to be done.
type Clock struct {
	ID       string            `json:"id"`
	Title    map[string]string `json:"title"` // by language
	Law      map[string]string `json:"law"`
	State    ClockState        `json:"state"`
	Start    time.Time         `json:"start,omitzero"` // when the first outage that brings it began
	Due      time.Time         `json:"due,omitzero"`   // zero while it waits for the end
	Services []string          `json:"services"`       // whose outage brings it, most users first
	DoneAt   time.Time         `json:"doneAt,omitzero"`
	DoneBy   string            `json:"doneBy,omitempty"`
	How      string            `json:"how,omitempty"` // it was done
	Overdue  bool              `json:"overdue"`
	Role     string            `json:"role"`             // that sees to it
	Person   string            `json:"person,omitempty"` // who has that role now
	Channels []string          `json:"channels"`
	Draft    []string          `json:"draft"`             // names of the letters that are ready, see [Letters]
	Missing  []string          `json:"missing,omitempty"` // what the record and the policy do not say yet: company, contact, cause, measures
	Drill    bool              `json:"drill,omitempty"`
}

// Clocks returns the duties that an incident has brought, in the order of the policy.
// services are those of the estate; a service that is not among them brings nothing.
func Clocks(p *ClockPolicy, r *Record, services []estate.Service, now time.Time) []Clock {
	out := []Clock{}
	for n := range p.Duties {
		d := &p.Duties[n]
		if c, ok := d.clock(r, services, now); ok {
			for _, lang := range languages() {
				c.Draft = append(c.Draft, letterName(d, lang))
			}
			c.Missing = p.missing(r, d)
			out = append(out, c)
		}
	}
	return out
}

// clock is a duty's clock, and false where nothing brings the duty.
func (d *Duty) clock(r *Record, services []estate.Service, now time.Time) (Clock, bool) {
	c := Clock{
		ID: d.ID, Title: d.Title, Law: d.Law, Services: []string{}, Role: d.Who,
		Person: r.Holder(d.Who), Channels: d.Channels, Drill: r.Drill,
	}
	var ended time.Time
	bound, lasting := false, false // an outage has lasted long enough; one that counts still lasts
	for _, o := range d.outages(r, services, now) {
		long := o.lasted(now) >= d.When.For
		if !long && !o.to.IsZero() {
			continue // it was over before it counted
		}
		c.Services = append(c.Services, o.service)
		bound, lasting = bound || long, lasting || o.to.IsZero()
		if c.Start.IsZero() || o.from.Before(c.Start) {
			c.Start = o.from
		}
		if o.to.After(ended) {
			ended = o.to
		}
	}
	if len(c.Services) == 0 {
		return Clock{}, false
	}
	c.Services = inOrder(c.Services, services)
	switch {
	case d.After == AfterThreshold:
		c.Due = c.Start.Add(d.When.For + d.Within)
	case !lasting:
		c.Due = ended.Add(d.Within)
	}
	done := slices.IndexFunc(r.Done, func(x ClockDone) bool { return x.Clock == d.ID })
	switch {
	case done >= 0:
		c.State, c.DoneAt, c.DoneBy, c.How = ClockIsDone, r.Done[done].At, r.Done[done].By, r.Done[done].Why
	case !bound:
		c.State = ClockCounting
	case c.Due.IsZero():
		c.State = ClockWaiting
	case now.After(c.Due):
		c.State, c.Overdue = ClockOverdue, true
	default:
		c.State = ClockDue
	}
	return c, true
}

// An outage is a time in which a service was in a condition that counts, without a
// break; to is zero while it lasts.
type outage struct {
	service  string
	from, to time.Time
}

func (o *outage) lasted(now time.Time) time.Duration {
	if o.to.IsZero() || o.to.After(now) {
		return now.Sub(o.from)
	}
	return o.to.Sub(o.from)
}

// outages are those of the services that a duty is about, by service.
func (d *Duty) outages(r *Record, services []estate.Service, now time.Time) []outage {
	about := map[string]bool{}
	for n := range services {
		if sv := &services[n]; sv.Users >= d.When.Users && (sv.Paid || !d.When.Paid) {
			about[sv.Name] = true
		}
	}
	var all []outage
	for _, v := range r.Intervals {
		if about[v.Service] && (v.Part == "" || d.When.Parts) && slices.Contains(d.When.Conditions, v.Condition) && !v.From.After(now) {
			all = append(all, outage{v.Service, v.From, v.To})
		}
	}
	slices.SortStableFunc(all, func(a, b outage) int {
		if c := strings.Compare(a.service, b.service); c != 0 {
			return c
		}
		return a.from.Compare(b.from)
	})
	var out []outage
	for _, o := range all {
		last := len(out) - 1
		// What overlaps or touches is one outage, be it of the core and then of a part.
		if last < 0 || out[last].service != o.service || !out[last].to.IsZero() && out[last].to.Before(o.from) {
			out = append(out, o)
			continue
		}
		if was := &out[last]; o.to.IsZero() || !was.to.IsZero() && o.to.After(was.to) {
			was.to = o.to
		}
	}
	return out
}

// inOrder returns the services with most users first, each once.
func inOrder(names []string, services []estate.Service) []string {
	users := make(map[string]int64, len(services))
	for n := range services {
		users[services[n].Name] = services[n].Users
	}
	slices.SortFunc(names, func(a, b string) int {
		if users[a] != users[b] {
			return int(min(max(users[b]-users[a], -1), 1))
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(names)
}
