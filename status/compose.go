package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/recovery"
)

// A Page is what the page says of itself, and what of the estate it shows.
type Page struct {
	Company  string
	Title    Text
	URL      string
	TimeZone string
	Contact  Text
	Hide     []string          // services that are none of the public's business
	Names    map[string]Text   // of services, where the estate's title does not do
	Groups   map[string]string // of services
	GoodFor  time.Duration     // how long what was told may be believed
}

// Input is what [Compose] looks at.
type Input struct {
	Page         Page
	Snapshot     *estate.Snapshot
	Began        time.Time // since when there is an estate to report on
	Records      []incident.Record
	Runs         []recovery.RunView
	Suspects     map[string][]string // by incident: services that its loss takes, while the record does not say so
	Maintenances []Maintenance
	Rev          int64 // revision of the store that all of it was read at
	Now          time.Time
}

// Compose says what the public is to know: a document each for the catalogue, for
// each incident that is public, and for each maintenance; last the pulse that names
// them. It is pure.
//
// An incident is public when it was declared, or when somebody said a public word
// about it; a drill never is. Of its updates only those that were published are told.
func Compose(in Input) ([]Document, error) {
	c := composer{Input: in, at: map[string]int{}, runs: map[string]*recovery.RunView{}}
	c.catalog()
	for i := range in.Runs {
		c.runs[in.Runs[i].ID] = &in.Runs[i]
	}
	var docs []Document
	add := func(key string, says any) error {
		d, err := Make(key, in.Rev, in.Now, says)
		docs = append(docs, d)
		return err
	}
	if err := add(KeyCatalog, c.cat); err != nil {
		return nil, err
	}
	for _, rec := range in.Records {
		r := &rec
		c.supersede(r)
		if !r.EndedAt.IsZero() && in.Now.Sub(r.EndedAt) > kept {
			continue
		}
		if told, ok := c.incident(r); ok {
			if err := add(KeyIncident+r.ID, told); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range in.Maintenances {
		if m.Status == "completed" && in.Now.Sub(m.Until) > kept {
			continue
		}
		if err := add(KeyMaintenance+m.ID, m); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(docs, func(a, b Document) int { return strings.Compare(a.Key, b.Key) })
	p := Pulse{GoodFor: in.Page.GoodFor, Holds: map[string]string{}}
	for _, d := range docs {
		p.Holds[d.Key] = Digest(d.Body)
	}
	return docs, add(KeyPulse, p)
}

// A composer is one Compose under way.
type composer struct {
	Input
	cat   Catalog
	at    map[string]int // position of a service in the catalogue
	total int64          // users of all public services
	runs  map[string]*recovery.RunView
}

func (c *composer) catalog() {
	p := c.Page
	c.cat = Catalog{Company: p.Company, Title: p.Title, URL: p.URL, TimeZone: p.TimeZone, Contact: p.Contact, Services: []Service{}}
	if c.Snapshot == nil {
		return
	}
	for i := range c.Snapshot.Services {
		s := &c.Snapshot.Services[i]
		if slices.Contains(p.Hide, s.Name) {
			continue
		}
		out := Service{Name: s.Name, Title: c.title(s.Name, s.Title), Group: p.Groups[s.Name], Users: s.Users, Paid: s.Paid, Since: c.Began.UTC()}
		for j := range s.Parts {
			part := &s.Parts[j]
			out.Parts = append(out.Parts, Part{Name: part.Name, Title: c.title(s.Name+"/"+part.Name, cmp.Or(part.Title, part.Name)), Share: part.Share})
		}
		c.cat.Services = append(c.cat.Services, out)
		c.total += s.Users
	}
	slices.SortStableFunc(c.cat.Services, func(a, b Service) int {
		return cmp.Or(cmp.Compare(b.Users, a.Users), strings.Compare(a.Name, b.Name))
	})
	for i, s := range c.cat.Services {
		c.at[s.Name] = i
	}
}

// title is what a service or part is called in each language: the settings go first,
// the estate's one title does for what they leave out.
func (c *composer) title(name, given string) Text {
	_, last, cut := strings.Cut(name, "/")
	if !cut {
		last = name
	}
	t := Text{"ko": cmp.Or(given, last), "en": cmp.Or(given, last)}
	maps.Copy(t, c.Page.Names[name])
	return t
}

// incident tells the public of one record; ok is false when it is none of theirs.
func (c *composer) incident(r *incident.Record) (Incident, bool) {
	var sent []incident.Update
	for _, u := range r.Updates {
		if !u.SentAt.IsZero() {
			sent = append(sent, u)
		}
	}
	slices.SortStableFunc(sent, func(a, b incident.Update) int { return cmp.Or(a.SentAt.Compare(b.SentAt), cmp.Compare(a.ID, b.ID)) })
	declared := !r.DeclaredAt.IsZero() && r.State != incident.Withdrawn
	if r.Drill || len(sent) == 0 && !declared {
		return Incident{}, false
	}
	i := Incident{
		ID: r.ID, Phase: Investigating, StartedAt: r.LostAt, EndedAt: r.EndedAt, Withdrawn: r.State == incident.Withdrawn,
		UpdatedAt: later(r.LostAt, later(r.DeclaredAt, r.EndedAt)), Board: []Line{}, Intervals: []Interval{}, Updates: []Update{},
	}
	if n := len(sent); n > 0 {
		last := sent[n-1]
		i.Phase, i.NextAt, i.UpdatedAt = Phase(last.Phase), last.NextAt, later(i.UpdatedAt, last.SentAt)
	}
	if !r.Open() {
		i.NextAt = time.Time{}
		if i.Phase != Postmortem {
			i.Phase = Resolved
		}
	} else if i.Over() {
		i.Phase = Monitoring // somebody said that it is over; the record does not
	}
	all := c.affected(r, &i)
	suspects, named := c.suspects(r, len(sent) > 0)
	for _, name := range suspects {
		i.Board = append(i.Board, Line{Service: name, Level: Unknown, Since: r.LostAt, NextAt: i.NextAt})
	}
	if len(i.Board) == 0 && len(sent) == 0 && all > 0 {
		return Incident{}, false // only what is hidden is affected
	}
	for _, l := range i.Board {
		i.UpdatedAt = later(i.UpdatedAt, l.Since)
	}
	i.Title, i.Impact = c.headline(i.Board), c.impact(i.Intervals)
	if len(suspects) > 0 {
		i.Impact = "minor"
		if !named {
			i.Title = Headline(nil)
		}
	}
	i.Progress = progress(r, i.Board, all)
	i.Updates = c.updates(r, sent)
	for _, name := range r.Lost {
		f := incident.Fault{Domain: name}
		if n := slices.IndexFunc(r.Faults, func(o incident.Fault) bool { return o.Domain == name }); n >= 0 {
			f = r.Faults[n]
		}
		i.Faults = append(i.Faults, f)
	}
	return i, true
}

// suspects are the public services that nobody knows to be well: we say that there is a
// problem, and the record does not say yet with what. named is false when the loss does
// not tell either; then it may be any.
func (c *composer) suspects(r *incident.Record, spoken bool) (services []string, named bool) {
	if !spoken || !r.Open() || len(r.Intervals) > 0 {
		return nil, false
	}
	hit := c.Suspects[r.ID]
	if len(hit) == 0 && r.State != incident.Proposed {
		return nil, false
	}
	for _, s := range c.cat.Services {
		if len(hit) == 0 || slices.Contains(hit, s.Name) {
			services = append(services, s.Name)
		}
	}
	return services, len(hit) > 0
}

// supersede ends what was left down when an incident was closed, where a later incident
// is about the same service or part and has it back.
func (c *composer) supersede(r *incident.Record) {
	if r.State != incident.Closed || !slices.ContainsFunc(r.Intervals, func(v incident.Interval) bool { return v.To.IsZero() }) {
		return
	}
	r.Intervals = slices.Clone(r.Intervals)
	for k := range c.Records {
		later := &c.Records[k]
		if later.Drill || later.State == incident.Withdrawn || !later.DeclaredAt.After(r.EndedAt) {
			continue
		}
		is := later.Conditions(c.Now)
		for n := range r.Intervals {
			v := &r.Intervals[n]
			if s := is[incident.Subject{Service: v.Service, Part: v.Part}]; v.To.IsZero() && s.Condition == incident.Up && s.Since.After(v.From) {
				v.To, v.Ended = s.Since, incident.FromClose
			}
		}
	}
}

// affected fills the board and the intervals, and returns how many services the
// record names, hidden ones included.
func (c *composer) affected(r *incident.Record, i *Incident) int {
	type line struct{ from, to time.Time }
	latest, services := map[incident.Subject]line{}, map[string]bool{}
	for _, v := range r.Intervals {
		services[v.Service] = true
		if _, public := c.at[v.Service]; !public {
			continue
		}
		level := Down
		if v.Condition == incident.Degraded {
			level = Degraded
		}
		i.Intervals = append(i.Intervals, Interval{Service: v.Service, Part: v.Part, Level: level, From: v.From, To: v.To})
		s := incident.Subject{Service: v.Service, Part: v.Part}
		if old, ok := latest[s]; !ok || v.From.After(old.from) {
			latest[s] = line{v.From, v.To}
		}
	}
	now := r.Conditions(c.Now)
	run := c.runs[r.Run]
	for s := range latest {
		l := Line{Service: s.Service, Part: s.Part, Level: Operational, Percent: 100}
		switch is := now[s]; is.Condition {
		case incident.Down:
			l.Level, l.Since = Down, is.Since
		case incident.Degraded:
			l.Level, l.Since = Degraded, is.Since
		case incident.Up:
			l.Since = is.Since
		default: // from later than now, by another clock
			l.Level, l.Since = Down, latest[s].from
		}
		if l.Level != Operational {
			l.Percent = 0
			if r.Open() {
				c.recovering(&l, r, run)
			}
			l.NextAt = i.NextAt
		}
		i.Board = append(i.Board, l)
	}
	slices.SortFunc(i.Board, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.Level.Rank(), a.Level.Rank()), cmp.Compare(c.at[a.Service], c.at[b.Service]), strings.Compare(a.Part, b.Part))
	})
	slices.SortFunc(i.Intervals, func(a, b Interval) int {
		return cmp.Or(cmp.Compare(c.at[a.Service], c.at[b.Service]), strings.Compare(a.Part, b.Part), a.From.Compare(b.From))
	})
	return len(services)
}

// recovering says how far the steps are that a service or part waits for, and when
// the plan has it back. A time that has passed is no promise any more.
func (c *composer) recovering(l *Line, r *incident.Record, run *recovery.RunView) {
	if run == nil {
		return
	}
	var needs []string
	comes := false
	for i := range run.Services {
		s := &run.Services[i]
		if s.Name != l.Service {
			continue
		}
		needs, comes = s.Needs, s.UpAt != nil
		for _, p := range s.Parts {
			if l.Part == p.Name {
				needs, comes = p.Needs, p.UpAt != nil
			}
		}
	}
	if len(needs) == 0 {
		return
	}
	done, begun, goesOn, last := 0, false, false, time.Duration(0)
	for i := range run.Steps {
		s := &run.Steps[i]
		if !slices.Contains(needs, s.Step.ID) {
			continue
		}
		if s.State == recovery.StepDone || s.State == recovery.StepSkipped {
			done++
		}
		begun = begun || s.Begun != nil || s.State == recovery.StepDone
		goesOn = goesOn || !s.State.Over()
		last = max(last, s.Expected.Finish)
		comes = comes && s.State != recovery.StepFailed
	}
	l.Percent = 100 * done / len(needs)
	if begun && goesOn && l.Level == Down && run.State.Live() {
		l.Level = Restoring
	}
	if at := r.LostAt.Add(last); comes && run.State == recovery.RunRunning && at.After(c.Now) {
		l.Expected = at.Add(time.Minute - 1).Truncate(time.Minute) // rounded up: a page is not to tick
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// headline names what is affected, the service with the most users first.
func (c *composer) headline(board []Line) Text {
	var names []string
	for _, l := range board {
		if !slices.Contains(names, l.Service) {
			names = append(names, l.Service)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(c.at[a], c.at[b]) })
	return Headline(c.titles(names))
}

func (c *composer) titles(names []string) []Text {
	out := make([]Text, len(names))
	for i, n := range names {
		out[i] = c.cat.Services[c.at[n]].Title
	}
	return out
}

// impact is how bad it was at its worst, over all that was not well: it does not fall
// while services come back.
func (c *composer) impact(intervals []Interval) string {
	words := []string{"none", "minor", "major", "critical"}
	worst := 0
	down := map[string]bool{}
	for _, v := range intervals {
		if v.Level == Down && v.Part == "" {
			worst = 2
			down[v.Service] = true
		} else {
			worst = max(worst, 1)
		}
	}
	var hit int64
	for s := range down {
		hit += c.cat.Services[c.at[s]].Users
	}
	if hit > 0 && 2*hit >= c.total {
		worst = 3
	}
	return words[worst]
}

// progress counts the services whose core is back against the base of the record.
func progress(r *incident.Record, board []Line, all int) *Progress {
	if all == 0 {
		return nil
	}
	p := &Progress{}
	if n := len(r.Bases); n > 0 {
		p.Of, p.Was = r.Bases[n-1].Of, r.Bases[n-1].Was
		away := map[string]bool{}
		for _, v := range r.Intervals {
			if v.To.IsZero() {
				away[v.Service] = true
			}
		}
		p.Back = max(0, p.Of-len(away))
		return p
	}
	state := map[string]bool{}
	for _, l := range board {
		back, known := state[l.Service]
		state[l.Service] = (back || !known) && l.Level == Operational
	}
	for _, back := range state {
		p.Of++
		if back {
			p.Back++
		}
	}
	return p
}

// updates tells the published updates, newest first, each with what changed since
// the one before it.
func (c *composer) updates(r *incident.Record, sent []incident.Update) []Update {
	out := []Update{}
	before := map[string]Level{}
	for n, u := range sent {
		told := Update{ID: fmt.Sprintf("%s-%d", r.ID, u.ID), At: u.SentAt, Phase: Phase(u.Phase), Body: Text(maps.Clone(u.Body)), Affected: map[string]Change{}}
		for s, is := range r.Conditions(u.SentAt) {
			if _, public := c.at[s.Service]; !public || s.Part != "" {
				continue
			}
			level := Operational
			switch is.Condition {
			case incident.Down:
				level = Down
			case incident.Degraded:
				level = Degraded
			case incident.Up:
			}
			old := cmp.Or(before[s.Service], Operational)
			if old != level || n == 0 && level != Operational {
				told.Affected[s.Service] = Change{Old: old, New: level}
			}
			before[s.Service] = level
		}
		out = append(out, told)
	}
	slices.Reverse(out)
	return out
}
