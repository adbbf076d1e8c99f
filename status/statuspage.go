package status

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"
)

// A Statuspage is a state as Atlassian Statuspage's API v2 tells it. Its methods
// return what the endpoints answer, ready for JSON: what may be null is there as
// null, and no list is.
type Statuspage struct {
	page         PageV2
	status       IndicatorV2
	components   []ComponentV2
	incidents    []IncidentV2
	maintenances []IncidentV2
}

// PageV2 is what the API calls a page.
type PageV2 struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	URL       string `json:"url"`
	TimeZone  string `json:"time_zone"`
	UpdatedAt string `json:"updated_at"`
}

// IndicatorV2 is how all is in one word and one sentence.
type IndicatorV2 struct {
	Indicator   string `json:"indicator"` // none, minor, major, critical, maintenance
	Description string `json:"description"`
}

// ComponentV2 is a service or a group of services.
type ComponentV2 struct {
	ID                 string   `json:"id"`
	Name               string   `json:"name"`
	Status             string   `json:"status"`
	CreatedAt          string   `json:"created_at"`
	UpdatedAt          string   `json:"updated_at"`
	Position           int      `json:"position"`
	Description        *string  `json:"description"`
	Showcase           bool     `json:"showcase"`
	StartDate          *string  `json:"start_date"`
	GroupID            *string  `json:"group_id"`
	PageID             string   `json:"page_id"`
	Group              bool     `json:"group"`
	OnlyShowIfDegraded bool     `json:"only_show_if_degraded"`
	Components         []string `json:"components,omitempty"` // of a group only
}

// IncidentV2 is an incident, or planned work when it has the two times of that.
type IncidentV2 struct {
	ID                string        `json:"id"`
	Name              string        `json:"name"`
	Status            string        `json:"status"`
	CreatedAt         string        `json:"created_at"`
	UpdatedAt         string        `json:"updated_at"`
	MonitoringAt      *string       `json:"monitoring_at"`
	ResolvedAt        *string       `json:"resolved_at"`
	Impact            string        `json:"impact"`
	Shortlink         string        `json:"shortlink"`
	StartedAt         string        `json:"started_at"`
	ReminderIntervals *string       `json:"reminder_intervals"`
	PageID            string        `json:"page_id"`
	IncidentUpdates   []UpdateV2    `json:"incident_updates"`
	Components        []ComponentV2 `json:"components"`
	ScheduledFor      string        `json:"scheduled_for,omitempty"`
	ScheduledUntil    string        `json:"scheduled_until,omitempty"`
}

// UpdateV2 is one word to the public.
type UpdateV2 struct {
	ID                   string       `json:"id"`
	Status               string       `json:"status"`
	Body                 string       `json:"body"`
	IncidentID           string       `json:"incident_id"`
	CreatedAt            string       `json:"created_at"`
	UpdatedAt            string       `json:"updated_at"`
	DisplayAt            *string      `json:"display_at"`
	AffectedComponents   []AffectedV2 `json:"affected_components"` // null when none is named, as the API has it
	DeliverNotifications bool         `json:"deliver_notifications"`
	CustomTweet          *string      `json:"custom_tweet"`
	TweetID              *int64       `json:"tweet_id"`
}

// AffectedV2 is a change that an update tells.
type AffectedV2 struct {
	Code      string `json:"code"`
	Name      string `json:"name"`
	OldStatus string `json:"old_status"`
	NewStatus string `json:"new_status"`
}

// A Voice is the language in which something is told.
type Voice struct {
	Text func(Text) string // what a text says in the language
	All  map[Level]string  // a sentence on all services, by the worst level
}

// mostIncidentsV2 is how many incidents the API lists.
const mostIncidentsV2 = 50

// incidentPath is where the page of an incident or maintenance is, for readers of
// every language, below the URL of the site.
func incidentPath(id string) string { return "/incidents/" + Slug(id) + ".html" }

func maintenancePath(id string) string { return "/maintenance.html#m-" + Slug(id) }

// Slug is a name as part of an address and of a file: itself if it is made of lower
// case letters, digits and hyphens, else a hash of it. Nothing that a name holds can
// lead out of a folder.
func Slug(name string) string {
	plain := name != "" && len(name) <= 80 && name[0] != '-' && !strings.HasPrefix(name, "x-")
	for _, r := range name {
		plain = plain && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	}
	if plain {
		return name
	}
	return "x-" + opaque("slug", name)
}

// opaque makes a short id, the same on every node: lower case letters and digits.
func opaque(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:12])
}

// NewStatuspage translates a state at now. Statuspage has no word for unknown: when
// the state is too old to be believed, nothing is said to work better than badly,
// and the sentence says since when nobody knows.
func NewStatuspage(s *State, now time.Time, v Voice) *Statuspage {
	zone, err := time.LoadLocation(s.Catalog.TimeZone)
	if err != nil || s.Catalog.TimeZone == "" {
		zone = time.UTC
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			t = time.Unix(0, 0) // not known, and null is not allowed
		}
		return t.In(zone).Format("2006-01-02T15:04:05.000-07:00")
	}
	b := builder{
		state: s, voice: v, at: at, pageID: opaque("page", s.Catalog.URL),
		conditions: s.LastKnown(), stale: s.Stale(now), byName: make(map[string]int),
	}
	p := &Statuspage{}
	p.page = PageV2{ID: b.pageID, Name: s.Catalog.Company, URL: s.Catalog.URL, TimeZone: zone.String(), UpdatedAt: at(s.AsOf)}
	p.components = b.components()
	p.status = b.status(s.Conditions(now))
	p.incidents, p.maintenances = []IncidentV2{}, []IncidentV2{}
	for n := range s.Incidents {
		p.incidents = append(p.incidents, b.incident(&s.Incidents[n]))
	}
	for n := range s.Maintenances {
		p.maintenances = append(p.maintenances, b.maintenance(&s.Maintenances[n]))
	}
	return p
}

// Status is /api/v2/status.json.
func (p *Statuspage) Status() any {
	return struct {
		Page   PageV2      `json:"page"`
		Status IndicatorV2 `json:"status"`
	}{p.page, p.status}
}

// Summary is /api/v2/summary.json.
func (p *Statuspage) Summary() any {
	return struct {
		Page         PageV2        `json:"page"`
		Components   []ComponentV2 `json:"components"`
		Incidents    []IncidentV2  `json:"incidents"`
		Maintenances []IncidentV2  `json:"scheduled_maintenances"`
		Status       IndicatorV2   `json:"status"`
	}{p.page, p.components, p.unresolved(), p.planned("scheduled", "in_progress", "verifying"), p.status}
}

// Components is /api/v2/components.json.
func (p *Statuspage) Components() any {
	return struct {
		Page       PageV2        `json:"page"`
		Components []ComponentV2 `json:"components"`
	}{p.page, p.components}
}

// Incidents is /api/v2/incidents.json: the most recent ones.
func (p *Statuspage) Incidents() any {
	return p.listIncidents(p.incidents[:min(len(p.incidents), mostIncidentsV2)])
}

// Unresolved is /api/v2/incidents/unresolved.json.
func (p *Statuspage) Unresolved() any { return p.listIncidents(p.unresolved()) }

// Maintenances is /api/v2/scheduled-maintenances.json.
func (p *Statuspage) Maintenances() any { return p.listMaintenances(p.maintenances) }

// Upcoming is /api/v2/scheduled-maintenances/upcoming.json.
func (p *Statuspage) Upcoming() any { return p.listMaintenances(p.planned("scheduled")) }

// Active is /api/v2/scheduled-maintenances/active.json.
func (p *Statuspage) Active() any { return p.listMaintenances(p.planned("in_progress", "verifying")) }

func (p *Statuspage) listIncidents(list []IncidentV2) any {
	return struct {
		Page      PageV2       `json:"page"`
		Incidents []IncidentV2 `json:"incidents"`
	}{p.page, list}
}

func (p *Statuspage) listMaintenances(list []IncidentV2) any {
	return struct {
		Page         PageV2       `json:"page"`
		Maintenances []IncidentV2 `json:"scheduled_maintenances"`
	}{p.page, list}
}

func (p *Statuspage) unresolved() []IncidentV2 {
	open := []IncidentV2{}
	for _, i := range p.incidents {
		if i.Status != string(Resolved) && i.Status != string(Postmortem) {
			open = append(open, i)
		}
	}
	return open
}

func (p *Statuspage) planned(statuses ...string) []IncidentV2 {
	some := []IncidentV2{}
	for _, m := range p.maintenances {
		if slices.Contains(statuses, m.Status) {
			some = append(some, m)
		}
	}
	return some
}

// A builder holds what all parts of the translation need.
type builder struct {
	state      *State
	voice      Voice
	at         func(time.Time) string
	pageID     string
	conditions Conditions
	stale      bool

	list   []ComponentV2
	byName map[string]int // index in list by name of service
}

// word is the level in the words of the API. A part of a service that fails makes
// the outage a partial one.
func (b *builder) word(service string, level Level) string {
	switch level {
	case Operational:
	case Maintained:
		return "under_maintenance"
	case Degraded:
		if service != "" && b.conditions.parts[service] {
			return "partial_outage"
		}
		return "degraded_performance"
	case Restoring, Down:
		return "major_outage"
	case Unknown:
		return "degraded_performance"
	}
	return "operational"
}

// components lists the services in the order of the page. A group stands before its
// first service.
func (b *builder) components() []ComponentV2 {
	b.list = []ComponentV2{}
	groups := make(map[string]int)
	worst := make(map[string]Level)
	for _, v := range b.state.Catalog.Services {
		c := b.conditions.Of(v.Name, "")
		level := c.Level
		if b.stale && level.Rank() < Unknown.Rank() {
			level = Unknown
		}
		created := b.at(v.Since)
		updated := created
		if !c.Since.IsZero() {
			updated = b.at(c.Since)
		} else if ended := b.lastEnd(v.Name); !ended.IsZero() {
			updated = b.at(ended)
		}
		x := ComponentV2{
			ID: opaque("component", v.Name), Name: b.voice.Text(v.Title), Status: b.word(v.Name, level),
			CreatedAt: created, UpdatedAt: updated, Showcase: true, PageID: b.pageID,
		}
		if !v.Since.IsZero() {
			day := created[:len(time.DateOnly)]
			x.StartDate = &day
		}
		if v.Group != "" {
			n, ok := groups[v.Group]
			if !ok {
				n = len(b.list)
				groups[v.Group] = n
				b.list = append(b.list, ComponentV2{
					ID: opaque("group", v.Group), Name: v.Group, CreatedAt: created, UpdatedAt: updated, PageID: b.pageID, Group: true,
				})
			}
			g := &b.list[n]
			id := g.ID
			x.GroupID = &id
			g.Components = append(g.Components, x.ID)
			g.UpdatedAt = max(g.UpdatedAt, updated)
			g.CreatedAt = min(g.CreatedAt, created)
			worst[v.Group] = Worse(cmp.Or(worst[v.Group], Operational), level)
			g.Status = b.word("", worst[v.Group])
		}
		b.byName[v.Name] = len(b.list)
		b.list = append(b.list, x)
	}
	for n := range b.list {
		b.list[n].Position = n + 1
	}
	return b.list
}

// lastEnd is when the service was last not well; zero when the state knows of none.
func (b *builder) lastEnd(service string) time.Time {
	var last time.Time
	for n := range b.state.Incidents {
		for _, v := range b.state.Incidents[n].Intervals {
			if v.Service == service && v.To.After(last) {
				last = v.To
			}
		}
	}
	return last
}

func (b *builder) status(c Conditions) IndicatorV2 {
	level := b.state.Overall(c)
	st := IndicatorV2{Indicator: "none", Description: b.voice.All[level]}
	switch level {
	case Operational:
	case Maintained:
		st.Indicator = "maintenance"
	case Degraded:
		st.Indicator = "minor"
	case Unknown, Restoring, Down:
		st.Indicator = "major"
	}
	for n := range b.state.Incidents {
		if i := &b.state.Incidents[n]; !i.Over() && i.Impact == "critical" {
			st.Indicator = "critical"
		}
	}
	return st
}

// phaseV2 is a phase that clients know. They refuse the whole answer otherwise.
func phaseV2(p Phase) Phase {
	if slices.Contains([]Phase{Identified, Monitoring, Resolved, Postmortem}, p) {
		return p
	}
	return Investigating
}

func impactV2(s string) string {
	if slices.Contains([]string{"minor", "major", "critical"}, s) {
		return s
	}
	return "none"
}

func workV2(s string) string {
	if slices.Contains([]string{"in_progress", "verifying", "completed"}, s) {
		return s
	}
	return "scheduled"
}

func (b *builder) some(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := b.at(t)
	return &s
}

func (b *builder) incident(i *Incident) IncidentV2 {
	x := IncidentV2{
		ID: opaque("incident", i.ID), Name: b.voice.Text(i.Title), Status: string(phaseV2(i.Phase)),
		CreatedAt: b.at(i.StartedAt), UpdatedAt: b.at(i.UpdatedAt), ResolvedAt: b.some(i.EndedAt),
		Impact: impactV2(i.Impact), Shortlink: b.state.Catalog.URL + incidentPath(i.ID),
		StartedAt: b.at(i.StartedAt), PageID: b.pageID, IncidentUpdates: []UpdateV2{}, Components: []ComponentV2{},
	}
	if i.Over() && i.Phase != Postmortem {
		x.Status = string(Resolved)
	}
	if x.Status == string(Resolved) && x.ResolvedAt == nil {
		x.ResolvedAt = b.some(i.UpdatedAt)
	}
	for _, u := range slices.Backward(i.Updates) {
		if u.Phase == Monitoring {
			x.MonitoringAt = b.some(u.At)
			break
		}
	}
	var named []string
	for _, l := range i.Board {
		named = append(named, l.Service)
	}
	for _, v := range i.Intervals {
		named = append(named, v.Service)
	}
	x.Components = b.named(named)
	for _, u := range i.Updates {
		x.IncidentUpdates = append(x.IncidentUpdates, b.update(&u, x.ID, string(phaseV2(u.Phase))))
	}
	return x
}

func (b *builder) maintenance(m *Maintenance) IncidentV2 {
	x := IncidentV2{
		ID: opaque("maintenance", m.ID), Name: b.voice.Text(m.Title), Status: workV2(m.Status),
		CreatedAt: b.at(m.From), UpdatedAt: b.at(m.From), Impact: "maintenance",
		Shortlink: b.state.Catalog.URL + maintenancePath(m.ID), StartedAt: b.at(m.From), PageID: b.pageID,
		IncidentUpdates: []UpdateV2{}, Components: b.named(m.Services),
		ScheduledFor: b.at(m.From), ScheduledUntil: b.at(m.Until),
	}
	if len(m.Updates) > 0 {
		x.CreatedAt, x.UpdatedAt = b.at(m.Updates[len(m.Updates)-1].At), b.at(m.Updates[0].At)
	}
	if m.Status == "completed" {
		x.ResolvedAt = b.some(m.Until)
	}
	for _, u := range m.Updates {
		x.IncidentUpdates = append(x.IncidentUpdates, b.update(&u, x.ID, x.Status))
	}
	return x
}

// named returns the components of the services, each once, in the order of the page.
func (b *builder) named(services []string) []ComponentV2 {
	var at []int
	for _, name := range services {
		if n, ok := b.byName[name]; ok {
			at = append(at, n)
		}
	}
	slices.Sort(at)
	list := []ComponentV2{}
	for _, n := range slices.Compact(at) {
		list = append(list, b.list[n])
	}
	return list
}

func (b *builder) update(u *Update, incident, status string) UpdateV2 {
	x := UpdateV2{
		ID: opaque("update", incident+"/"+u.ID), Status: status, Body: b.voice.Text(u.Body), IncidentID: incident,
		CreatedAt: b.at(u.At), UpdatedAt: b.at(u.At), DisplayAt: b.some(u.At), DeliverNotifications: true,
	}
	for _, v := range b.state.Catalog.Services {
		if c, ok := u.Affected[v.Name]; ok {
			x.AffectedComponents = append(x.AffectedComponents, AffectedV2{
				Code: opaque("component", v.Name), Name: b.voice.Text(v.Title),
				OldStatus: b.word(v.Name, c.Old), NewStatus: b.word(v.Name, c.New),
			})
		}
	}
	return x
}
