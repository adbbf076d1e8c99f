package public

import (
	"cmp"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"

	"bongsu/internal/lang"
	"bongsu/status"
)

// A serviceV1 is a service in our own API.
type serviceV1 struct {
	Name  string       `json:"name"`
	Title status.Text  `json:"title"`
	Group string       `json:"group,omitempty"`
	Users int64        `json:"users"`
	Paid  bool         `json:"paid"`
	Level status.Level `json:"level"`
	Since *time.Time   `json:"since"` // null: not known, or well
	URL   string       `json:"url"`
	Parts []partV1     `json:"parts"`
}

type partV1 struct {
	Name  string       `json:"name"`
	Title status.Text  `json:"title"`
	Share float64      `json:"share"`
	Level status.Level `json:"level"`
}

// An intervalV1 is a time in which a service or part was not well: what
// compensation is computed from.
type intervalV1 struct {
	Incident string       `json:"incident"`
	Service  string       `json:"service"`
	Part     string       `json:"part"` // empty: the service as a whole
	Level    status.Level `json:"level"`
	From     time.Time    `json:"from"`
	To       *time.Time   `json:"to"` // null while it lasts
}

// A stampV1 says of when an answer is and until when it may be believed.
type stampV1 struct {
	AsOf  time.Time `json:"asOf"`
	Until time.Time `json:"until"`
	Stale bool      `json:"stale"` // older than that: levels are unknown
}

func (r *renderer) data(x *site, t target, o out) (any, error) {
	stamp := stampV1{x.AsOf.UTC(), x.Until().UTC(), x.stale}
	switch t.kind {
	case "rev.json":
		return struct {
			stampV1

			Hash  string       `json:"hash"` // of all that is told; changes when a page does
			Level status.Level `json:"level"`
		}{stamp, x.hash(), x.overall}, nil
	case "banner.json":
		return r.banner(x, stamp), nil
	case "api/v1/status.json":
		return r.status(x, stamp), nil
	case "api/v1/incidents.json":
		list := []status.Incident{}
		for _, i := range x.Incidents {
			list = append(list, whole(i))
		}
		return struct {
			stampV1

			Incidents []status.Incident `json:"incidents"`
		}{stamp, list}, nil
	case "api/v1/incident":
		answers := []status.Answer{}
		for _, a := range x.Notices {
			if a.Incident == t.on.ID {
				answers = append(answers, a)
			}
		}
		return struct {
			stampV1

			Incident status.Incident `json:"incident"`
			Answers  []status.Answer `json:"answers"`
		}{stamp, whole(*t.on), answers}, nil
	case "api/v1/intervals.json":
		list := []intervalV1{}
		for _, i := range x.Incidents {
			for _, v := range i.Intervals {
				y := intervalV1{i.ID, v.Service, v.Part, v.Level, v.From.UTC(), nil}
				if !v.To.IsZero() {
					to := v.To.UTC()
					y.To = &to
				}
				list = append(list, y)
			}
		}
		return struct {
			stampV1

			Intervals []intervalV1 `json:"intervals"`
		}{stamp, list}, nil
	}
	if t.kind == "api/v1/claim-windows.json" {
		return struct {
			stampV1

			Windows []windowV1 `json:"windows"`
		}{stamp, x.windowsV1()}, nil
	}
	p := status.NewStatuspage(x.State, x.now, r.voice(x, o.lang))
	switch t.kind {
	case "api/v2/summary.json":
		return p.Summary(), nil
	case "api/v2/status.json":
		return p.Status(), nil
	case "api/v2/components.json":
		return p.Components(), nil
	case "api/v2/incidents.json":
		return p.Incidents(), nil
	case "api/v2/incidents/unresolved.json":
		return p.Unresolved(), nil
	case "api/v2/scheduled-maintenances.json":
		return p.Maintenances(), nil
	case "api/v2/scheduled-maintenances/upcoming.json":
		return p.Upcoming(), nil
	case "api/v2/scheduled-maintenances/active.json":
		return p.Active(), nil
	}
	return nil, fmt.Errorf("no data is of kind %q", t.kind)
}

// voice says texts in one language.
func (r *renderer) voice(x *site, l lang.Lang) status.Voice {
	v := status.Voice{All: make(map[status.Level]string), Text: func(t status.Text) string { return lang.Of(l, t) }}
	for _, level := range levels() {
		v.All[level] = r.word(l, "all."+string(level))
	}
	if x.stale && !x.AsOf.IsZero() {
		v.All[status.Unknown] = r.word(l, "hero.unknown", lang.Moment(l, x.AsOf, x.zone)+" "+lang.Zone(x.AsOf, x.zone))
	}
	return v
}

// word is a message that the catalogue is known to hold.
func (r *renderer) word(l lang.Lang, key string, args ...any) string {
	s, err := r.messages.Text(l, key, args...)
	if err != nil {
		return key // unreachable: a test walks all files in all states
	}
	return s
}

// whole is an incident without null lists, and without what is told to those who pay alone.
func whole(i status.Incident) status.Incident {
	i.Faults = nil
	i.Board = append([]status.Line{}, i.Board...)
	i.Intervals = append([]status.Interval{}, i.Intervals...)
	i.Updates = append([]status.Update{}, i.Updates...)
	return i
}

func (r *renderer) status(x *site, stamp stampV1) any {
	services := []serviceV1{}
	for _, s := range x.services {
		y := serviceV1{
			Name: s.Name, Title: s.Title, Group: s.Group, Users: s.Users, Paid: s.Paid, Level: x.level(s),
			URL: x.Catalog.URL + "/services/" + s.slug + ".html", Parts: []partV1{},
		}
		if y.Level != status.Operational && !s.at.Since.IsZero() {
			since := s.at.Since.UTC()
			y.Since = &since
		}
		for _, p := range s.Parts {
			level := status.Unknown
			if !x.stale {
				level = x.known.Of(s.Name, p.Name).Level
			}
			y.Parts = append(y.Parts, partV1{p.Name, p.Title, p.Share, level})
		}
		services = append(services, y)
	}
	open := []string{}
	for _, i := range x.open {
		open = append(open, i.ID)
	}
	return struct {
		stampV1

		Company   string       `json:"company"`
		URL       string       `json:"url"`
		Level     status.Level `json:"level"`
		Services  []serviceV1  `json:"services"`
		Incidents []string     `json:"openIncidents"`
	}{stamp, x.Catalog.Company, x.Catalog.URL, x.overall, services, open}
}

// banner is what other pages of the company may show on top.
func (r *renderer) banner(x *site, stamp stampV1) any {
	b := struct {
		stampV1

		Show  bool         `json:"show"`
		ID    string       `json:"id"` // a reader who has closed a banner need not see this one again
		Level status.Level `json:"level"`
		Text  status.Text  `json:"text"`
		URL   string       `json:"url"`
	}{stampV1: stamp, Level: x.overall, Text: status.Text{}, URL: x.Catalog.URL + "/"}
	if len(x.open) == 0 {
		return b
	}
	worst := slices.MaxFunc(x.open, func(a, b *status.Incident) int {
		return cmp.Or(cmp.Compare(weight(a.Impact), weight(b.Impact)), a.StartedAt.Compare(b.StartedAt))
	})
	b.Show, b.ID = true, worst.ID+"/"+worst.UpdatedAt.UTC().Format(time.RFC3339)
	b.URL = x.Catalog.URL + "/incidents/" + status.Slug(worst.ID) + ".html"
	for _, l := range lang.All() {
		text := lang.Of(l, worst.Title)
		if !worst.NextAt.IsZero() {
			text += " · " + r.word(l, "open.next", lang.Minute(worst.NextAt, x.zone)+" "+lang.Zone(worst.NextAt, x.zone))
		}
		b.Text[string(l)] = text
	}
	return b
}

func weight(impact string) int {
	return slices.Index([]string{"minor", "major", "critical"}, impact)
}

func (r *renderer) badge(x *site, s *service, l lang.Lang) ([]byte, error) {
	label, level := cmp.Or(x.Catalog.Company, r.word(l, "site.title")), x.overall
	if s != nil {
		label, level = cmp.Or(lang.Of(l, s.Title), s.Name), x.level(s)
	}
	return status.Badge(shorten(label, 40), r.word(l, "level."+string(level)), level), nil
}

// feed lists incidents and planned work by when they were last told of.
func (r *renderer) feed(x *site, kind string, o out) ([]byte, error) {
	home := x.Catalog.URL + "/" + string(o.lang) + "/"
	f := status.Feed{
		Title: r.word(o.lang, "feed.title", cmp.Or(x.Catalog.Company, x.Catalog.URL)), Lang: string(o.lang), Home: home, Self: x.Catalog.URL + "/" + prefixOf(o) + kind,
		Author: cmp.Or(x.Catalog.Company, "bongsu"), Updated: x.AsOf,
	}
	for n := range x.Incidents {
		i := &x.Incidents[n]
		f.Entries = append(f.Entries, status.Entry{
			ID: x.Catalog.URL + "/incidents/" + status.Slug(i.ID) + ".html", Title: cmp.Or(lang.Of(o.lang, i.Title), i.ID) + " – " + r.word(o.lang, "phase."+string(phase(i))),
			Link: home + "incidents/" + status.Slug(i.ID) + ".html", Published: i.StartedAt, Updated: latest(i.UpdatedAt, i.StartedAt),
			Summary: r.summary(o.lang, i.Updates), HTML: r.told(x, o.lang, i.Updates),
		})
	}
	for n := range x.Maintenances {
		m := &x.Maintenances[n]
		e := status.Entry{
			ID: x.Catalog.URL + "/maintenance.html#m-" + status.Slug(m.ID), Title: r.word(o.lang, "feed.work", cmp.Or(lang.Of(o.lang, m.Title), m.ID)) + " – " + r.word(o.lang, "work."+statusOf(m)),
			Link: home + "maintenance.html#m-" + status.Slug(m.ID), Published: m.From, Updated: m.From,
			Summary: r.word(o.lang, "work.when", lang.Moment(o.lang, m.From, x.zone), lang.Moment(o.lang, m.Until, x.zone)),
			HTML:    r.told(x, o.lang, m.Updates),
		}
		if k := len(m.Updates); k > 0 {
			e.Published, e.Updated = m.Updates[k-1].At, m.Updates[0].At
		}
		f.Entries = append(f.Entries, e)
	}
	slices.SortStableFunc(f.Entries, func(a, b status.Entry) int { return b.Updated.Compare(a.Updated) })
	f.Entries = f.Entries[:min(len(f.Entries), mostEntries)]
	if len(f.Entries) > 0 {
		f.Updated = f.Entries[0].Updated
	}
	switch kind {
	case "history.atom":
		return f.Atom()
	case "history.rss":
		return f.RSS()
	}
	return f.JSON()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *renderer) summary(l lang.Lang, updates []status.Update) string {
	if len(updates) == 0 {
		return ""
	}
	return shorten(status.PlainText(lang.Of(l, updates[0].Body)), 240)
}

// told is all that was said, newest first, as HTML.
func (r *renderer) told(x *site, l lang.Lang, updates []status.Update) string {
	var b strings.Builder
	for _, u := range updates {
		b.WriteString("<p><strong>" + html.EscapeString(lang.Moment(l, u.At, x.zone)+" "+lang.Zone(u.At, x.zone)))
		if key := "phase." + string(u.Phase); r.messages.Has(key) {
			b.WriteString(" – " + html.EscapeString(r.word(l, key)))
		}
		b.WriteString("</strong></p>\n" + status.HTML(lang.Of(l, u.Body)) + "\n")
	}
	return b.String()
}

func (r *renderer) calendar(x *site, l lang.Lang) ([]byte, error) {
	host := "bongsu"
	if u, err := url.Parse(x.Catalog.URL); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	var events []status.Event
	for n := range x.Maintenances {
		m := &x.Maintenances[n]
		e := status.Event{
			ID: m.ID, Title: cmp.Or(lang.Of(l, m.Title), m.ID), Link: x.Catalog.URL + "/" + string(l) + "/maintenance.html#m-" + status.Slug(m.ID),
			From: m.From, Until: m.Until, Changed: m.From, Version: len(m.Updates),
		}
		if len(m.Updates) > 0 {
			e.Changed, e.About = m.Updates[0].At, status.PlainText(lang.Of(l, m.Updates[0].Body))
		}
		events = append(events, e)
	}
	return status.Calendar(r.word(l, "calendar.name", x.Catalog.Company), host, events), nil
}
