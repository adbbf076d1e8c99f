package web

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/incident"
)

// The grades of an incident, by how much of what people use is down. They are the
// words that public status pages use for the impact.
const (
	GradeNone     = "none"
	GradeMinor    = "minor"
	GradeMajor    = "major"
	GradeCritical = "critical"
)

// grade says how grave it is that so much of all weighted users have nothing.
func grade(down, all float64, degraded bool) string {
	switch {
	case all > 0 && down >= all/2:
		return GradeCritical
	case all > 0 && down >= all/10:
		return GradeMajor
	case down > 0 || degraded:
		return GradeMinor
	}
	return GradeNone
}

// A Trend says where it is going: who had nothing a while ago, and who has nothing
// now.
type Trend struct {
	Way   string    `json:"way"` // worse, better or same
	Since time.Time `json:"since"`
	Was   int64     `json:"was"` // users of services that were down then
	Is    int64     `json:"is"`
	Path  []Level   `json:"path"` // users of services that were down, from the loss to now
}

// A Level is how many users had nothing from a moment on.
type Level struct {
	At    time.Time `json:"at"`
	Users int64     `json:"users"`
}

// trendOver is how far back a trend looks.
const trendOver = 5 * time.Minute

// trendOf follows the users of services that are down through an incident. It is nil
// for a record that says of no service when it was down.
func trendOf(r *incident.Record, services []estate.Service, now time.Time) *Trend {
	users := make(map[string]int64, len(services))
	for i := range services {
		users[services[i].Name] = services[i].Users
	}
	steps := make(map[int64]int64) // by moment: how many more have nothing from then on
	var zero time.Time
	for _, v := range r.Intervals {
		if v.Part != "" || v.Condition != incident.Down || v.From.After(now) {
			continue
		}
		if zero.IsZero() || v.From.Before(zero) {
			zero = v.From
		}
		steps[v.From.UnixNano()] += users[v.Service]
		if !v.To.IsZero() && !v.To.After(now) {
			steps[v.To.UnixNano()] -= users[v.Service]
		}
	}
	if zero.IsZero() {
		return nil
	}
	moments := make([]int64, 0, len(steps))
	for at := range steps {
		moments = append(moments, at)
	}
	slices.Sort(moments)
	t := &Trend{Way: "same", Since: now.Add(-trendOver), Path: []Level{}}
	if t.Since.Before(zero) {
		t.Since = zero
	}
	for _, at := range moments {
		t.Is += steps[at]
		l := Level{At: time.Unix(0, at).UTC(), Users: t.Is}
		if !l.At.After(t.Since) {
			t.Was = l.Users
		}
		t.Path = append(t.Path, l)
	}
	switch {
	case t.Is > t.Was:
		t.Way = "worse"
	case t.Is < t.Was:
		t.Way = "better"
	}
	return t
}

// A spark is the picture of a trend: users who have nothing, over time.
type spark struct {
	Width, Height int
	Area, Line    string // paths
}

func (t *Trend) spark(now time.Time) spark {
	const width, height = 240, 44
	s := spark{Width: width, Height: height}
	if len(t.Path) == 0 {
		return s
	}
	zero := t.Path[0].At
	length := max(now.Sub(zero).Seconds(), 1)
	var most int64 = 1
	for _, l := range t.Path {
		most = max(most, l.Users)
	}
	x := func(at time.Time) string { return px(at.Sub(zero).Seconds() / length * width) }
	y := func(users int64) string { return px(2 + (1-float64(users)/float64(most))*(height-4)) }
	var b strings.Builder
	for i, l := range t.Path {
		if i == 0 {
			b.WriteString("M0 " + y(l.Users))
			continue
		}
		b.WriteString("H" + x(l.At) + "V" + y(l.Users))
	}
	b.WriteString("H" + px(width))
	s.Line = b.String()
	s.Area = s.Line + "V" + px(height) + "H0Z"
	return s
}

// An Outage is what one service, or a part of it, has been through in an incident.
type Outage struct {
	Service   string              `json:"service"`
	Part      string              `json:"part,omitempty"`
	Title     string              `json:"title,omitempty"`
	Users     int64               `json:"users"`
	State     State               `json:"state"`
	Intervals []incident.Interval `json:"intervals"`
	Down      float64             `json:"down"`     // seconds
	Degraded  float64             `json:"degraded"` // seconds
	Minutes   float64             `json:"userMinutes"`
}

// outagesOf joins the intervals of a record by service and part: who is down comes
// first, then by lost user-minutes; a part follows its service.
func outagesOf(r *incident.Record, snap *estate.Snapshot, now time.Time) []Outage {
	var services []estate.Service
	if snap != nil {
		services = snap.Services
	}
	minutes := make(map[string]float64)
	for _, m := range r.UserMinutes(services, now) {
		minutes[m.Service] = m.Minutes
	}
	out := []Outage{}
	for _, v := range r.Intervals {
		if n := len(out); n == 0 || out[n-1].Service != v.Service || out[n-1].Part != v.Part {
			o := Outage{Service: v.Service, Part: v.Part, State: StateUp, Intervals: []incident.Interval{}}
			if snap != nil {
				o.Title, o.Users = titled(snap, v.Service, v.Part)
			}
			if v.Part == "" {
				o.Minutes = minutes[v.Service]
			}
			out = append(out, o)
		}
		o := &out[len(out)-1]
		o.Intervals = append(o.Intervals, v)
		to := v.To
		if to.IsZero() || to.After(now) {
			to = now
			o.State = conditionState(v.Condition)
		}
		if took := max(to.Sub(v.From).Seconds(), 0); v.Condition == incident.Down {
			o.Down += took
		} else {
			o.Degraded += took
		}
	}
	worst := make(map[string]int)
	for _, o := range out {
		if w, ok := worst[o.Service]; !ok || order(o.State) < w {
			worst[o.Service] = order(o.State)
		}
	}
	slices.SortStableFunc(out, func(a, b Outage) int {
		return cmp.Or(cmp.Compare(worst[a.Service], worst[b.Service]), cmp.Compare(minutes[b.Service], minutes[a.Service]),
			cmp.Compare(a.Service, b.Service), cmp.Compare(a.Part, b.Part))
	})
	return out
}

func conditionState(c incident.Condition) State {
	switch c {
	case incident.Down:
		return StateDown
	case incident.Degraded:
		return StateDegraded
	case incident.Up:
		return StateUp
	}
	return StateUnknown
}

// titled returns what people call a service, or a part of one, and its users.
func titled(snap *estate.Snapshot, service, part string) (string, int64) {
	ref, ok := snap.Lookup(estate.KindService, service)
	if !ok {
		return "", 0
	}
	s := &snap.Services[ref.Index]
	if part == "" {
		return s.Title, s.Users
	}
	for _, p := range s.Parts {
		if p.Name == part {
			return call(s.Title, s.Name) + " · " + call(p.Title, p.Name), int64(math.Round(float64(s.Users) * p.Share))
		}
	}
	return call(s.Title, s.Name) + " · " + part, s.Users
}

// An outageBar is one row of the picture of outages; coordinates in percent of the
// time from the loss to now or the end.
type outageBar struct {
	*Outage
	Y, TextY int
	Spans    []outageSpan
}

type outageSpan struct {
	X, W  string
	Y     int
	State State
	From  time.Time
	To    time.Time // zero while it lasts
}

// Length is how long it took, or has taken by now.
func (o outageSpan) Length(now time.Time) time.Duration {
	if o.To.IsZero() {
		return now.Sub(o.From)
	}
	return o.To.Sub(o.From)
}

// An outagePicture is who was down when.
type outagePicture struct {
	Width, Height int
	Ticks         []tick
	Bars          []outageBar
	More          int // rows that the table has and the picture has not
}

// Sizes of the picture of outages.
const (
	outageLeft = 190
	outageRow  = 22
	mostBars   = 40
)

func drawOutages(all []Outage, zero, until time.Time) *outagePicture {
	p := &outagePicture{Width: lineWidth}
	length := max(until.Sub(zero).Seconds(), 1)
	scale := float64(lineWidth-outageLeft-lineRight) / length
	x := func(s float64) float64 { return outageLeft + min(max(s, 0), length)*scale }
	for s, step := 0.0, tickStep(length); s <= length; s += step {
		p.Ticks = append(p.Ticks, tick{X: px(x(s)), Seconds: s})
	}
	y := headHeight
	for i := range all[:min(len(all), mostBars)] {
		b := outageBar{Outage: &all[i], Y: y, TextY: y + 14}
		for _, v := range all[i].Intervals {
			to := v.To
			if to.IsZero() {
				to = until
			}
			from, end := x(v.From.Sub(zero).Seconds()), x(to.Sub(zero).Seconds())
			b.Spans = append(b.Spans, outageSpan{X: px(from), W: px(max(end-from, 2)), Y: y + 4, State: conditionState(v.Condition), From: v.From, To: v.To})
		}
		p.Bars = append(p.Bars, b)
		y += outageRow
	}
	p.More = len(all) - len(p.Bars)
	p.Height = y + 6
	return p
}

// startOf is the first moment that an incident counts from: the loss, or what was
// down before it.
func startOf(r *incident.Record) time.Time {
	zero := r.LostAt
	for _, v := range r.Intervals {
		if v.From.Before(zero) {
			zero = v.From
		}
	}
	return zero
}

// endOf is now while the incident is open, else its end.
func endOf(r *incident.Record, now time.Time) time.Time {
	if !r.EndedAt.IsZero() && r.EndedAt.Before(now) {
		return r.EndedAt
	}
	return now
}

// nextWord is when the public was told to expect the next update: what the last
// published one says. Zero: nothing was promised.
func nextWord(r *incident.Record) time.Time {
	var last incident.Update
	for _, u := range r.Updates {
		if !u.SentAt.IsZero() && !u.SentAt.Before(last.SentAt) {
			last = u
		}
	}
	return last.NextAt
}
