package public

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the page shows its own zone even where its host has no zone files

	"bongsu/internal/lang"
	"bongsu/status"
)

// How much a page lists before it goes on to another one.
const (
	fewServices = 60  // up to here the overview lists every service
	perPage     = 100 // services on a page of the list of all
	perHistory  = 50  // services on a page of the history
	mostBad     = 25  // services not well on the overview of a large estate
	mostCards   = 8   // open incidents on the overview
	mostLines   = 100 // lines of a board, and outage times, on the page of an incident
	mostPast    = 30  // past incidents on the page of a service
	mostEntries = 50  // of a feed
	historyDays = 90
)

// A site is one state in the order in which the pages want it. It is immutable.
type site struct {
	*status.State

	now      time.Time
	claims   *Compensation // nil: nothing is said of claims
	takes    bool          // reports are taken here
	stale    bool
	zone     *time.Location
	zoneName string
	known    status.Conditions // as last told
	services []*service        // in the order of the catalog
	worst    []*service        // those that are not well first, then in the order of the catalog
	bad      int               // how many of them are not well, planned work not counted
	work     int               // how many are being worked on as planned
	groups   []*group
	byName   map[string]*service
	bySlug   map[string]*service
	cases    map[string]*status.Incident // by slug
	open     []*status.Incident
	overall  status.Level
	hash     func() string // of all that is told, whenever it was
}

// A service is a line of the page with what is known of it.
type service struct {
	*status.Service

	slug  string
	at    status.Condition // as last told; what readers see is of the site
	cases []*status.Incident
	days  func() []day
}

// A group of services.
type group struct {
	name     string
	services []*service
	bad      int
}

// A day of a service.
type day struct {
	date     time.Time // its noon, in the zone of the page
	none     bool      // the page did not report on the service yet
	worst    status.Level
	down     time.Duration
	degraded time.Duration
	cases    []*status.Incident
}

func newSite(s *status.State, claims *Compensation, now time.Time) *site {
	if s == nil {
		s = &status.State{}
	}
	x := &site{
		State: s, claims: claims, now: now, stale: s.Stale(now), zone: time.UTC, known: s.LastKnown(),
		byName: make(map[string]*service), bySlug: make(map[string]*service), cases: make(map[string]*status.Incident),
	}
	if z, err := time.LoadLocation(s.Catalog.TimeZone); err == nil && s.Catalog.TimeZone != "" && s.Catalog.TimeZone != "Local" {
		x.zone = z
	}
	x.zoneName = x.zone.String()
	groups := make(map[string]*group)
	for n := range s.Catalog.Services {
		c := &s.Catalog.Services[n]
		v := &service{Service: c, slug: status.Slug(c.Name), at: x.known.Of(c.Name, "")}
		v.days = sync.OnceValue(func() []day { return x.daysOf(v) })
		x.services, x.byName[c.Name], x.bySlug[v.slug] = append(x.services, v), v, v
		g, ok := groups[c.Group]
		if !ok {
			g = &group{name: c.Group}
			groups[c.Group] = g
			x.groups = append(x.groups, g)
		}
		g.services = append(g.services, v)
		switch v.at.Level {
		case status.Operational:
		case status.Maintained:
			x.work++
		default:
			x.bad++
			g.bad++
		}
	}
	slices.SortStableFunc(x.groups, func(a, b *group) int { return cmp.Compare(toInt(a.name == ""), toInt(b.name == "")) })
	x.worst = slices.Clone(x.services)
	slices.SortStableFunc(x.worst, func(a, b *service) int { return cmp.Compare(b.at.Level.Rank(), a.at.Level.Rank()) })
	for n := range s.Incidents {
		i := &s.Incidents[n]
		x.cases[status.Slug(i.ID)] = i
		if !i.Over() {
			x.open = append(x.open, i)
		}
		for _, name := range touched(i) {
			if v := x.byName[name]; v != nil {
				v.cases = append(v.cases, i)
			}
		}
	}
	x.overall = s.Overall(x.known)
	if x.stale {
		x.overall = status.Unknown
	}
	x.hash = sync.OnceValue(func() string {
		incidents := make([]status.Incident, len(s.Incidents))
		for n := range incidents {
			incidents[n] = whole(s.Incidents[n])
		}
		told := []any{s.Catalog, incidents, s.Maintenances, s.Notices, x.stale}
		if claims != nil {
			for _, w := range claims.taking(now) { // pages lead to the form while it is open
				told = append(told, w.Incident, w.Closes, w.At(now))
			}
		}
		b, err := json.Marshal(told)
		if err != nil {
			return "" // unreachable: these types are made for JSON
		}
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:8])
	})
	return x
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// touched names the services of an incident, each once, in the order in which it
// names them.
func touched(i *status.Incident) []string {
	var names []string
	seen := make(map[string]bool)
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, l := range i.Board {
		add(l.Service)
	}
	for _, v := range i.Intervals {
		add(v.Service)
	}
	return names
}

// level is how a reader sees a service now.
func (x *site) level(v *service) status.Level {
	if x.stale {
		return status.Unknown
	}
	return v.at.Level
}

// empty reports whether nobody has told anything yet.
func (x *site) empty() bool { return x.AsOf.IsZero() && len(x.services) == 0 && len(x.Incidents) == 0 }

// reference is the moment that the pages are of: when control last spoke.
func (x *site) reference() time.Time {
	if x.AsOf.IsZero() {
		return x.now
	}
	return x.AsOf
}

// end is when an interval ended, or until when it is known to go on.
func (x *site) end(v status.Interval) time.Time {
	if v.To.IsZero() {
		return x.reference()
	}
	return v.To
}

// daysOf returns the last days of a service, oldest first.
func (x *site) daysOf(v *service) []day {
	today := x.reference().In(x.zone)
	days := make([]day, historyDays)
	start := make([]time.Time, historyDays+1)
	for n := range historyDays + 1 {
		start[n] = time.Date(today.Year(), today.Month(), today.Day()-historyDays+1+n, 0, 0, 0, 0, x.zone)
	}
	for n := range days {
		days[n] = day{date: start[n].Add(12 * time.Hour), worst: status.Operational, none: !v.Since.IsZero() && !start[n+1].After(v.Since)}
	}
	for _, i := range v.cases {
		var down, degraded []span
		for _, in := range i.Intervals {
			if in.Service != v.Name {
				continue
			}
			s := span{in.From, x.end(in)}
			// A part that is down leaves its service degraded.
			if in.Level == status.Down && in.Part == "" {
				down = append(down, s)
			} else {
				degraded = append(degraded, s)
			}
		}
		for n := range days {
			day := span{start[n], start[n+1]}
			d, g := overlap(down, day), overlap(append(slices.Clone(degraded), down...), day)
			if g == 0 {
				continue
			}
			days[n].down += d
			days[n].degraded += g - d
			days[n].cases = append(days[n].cases, i)
			if d > 0 {
				days[n].worst = status.Down
			} else {
				days[n].worst = status.Worse(days[n].worst, status.Degraded)
			}
		}
	}
	return days
}

type span struct{ from, to time.Time }

// overlap is for how long of the day at least one of the spans lasts.
func overlap(spans []span, day span) time.Duration {
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var sum time.Duration
	done := day.from
	for _, s := range spans {
		from, to := s.from, s.to
		if from.Before(done) {
			from = done
		}
		if to.After(day.to) {
			to = day.to
		}
		if to.After(from) {
			sum += to.Sub(from)
			done = to
		}
	}
	return sum
}

// pages is how many pages n things take; one at least.
func pages(n, per int) int { return max((n+per-1)/per, 1) }

// paths lists every file of the site below the folder of a language, in the order
// in which they may be written: what the others point at comes first.
func (x *site) paths(forms bool) []string {
	list := []string{"badge.svg"}
	for _, v := range x.services {
		list = append(list, "badges/"+v.slug+".svg", "services/"+v.slug+".html")
	}
	for n := range x.Incidents {
		slug := status.Slug(x.Incidents[n].ID)
		list = append(list, "incidents/"+slug+".html", "api/v1/incidents/"+slug+".json")
	}
	for n := range pages(len(x.services), perPage) {
		list = append(list, "all/"+strconv.Itoa(n+1)+".html")
	}
	for n := range pages(len(x.services), perHistory) {
		list = append(list, historyPath(n+1))
	}
	list = append(list, "maintenance.html", "subscribe.html", "not-found.html")
	if x.claims != nil {
		list = append(list, "compensation.html", "api/v1/claim-windows.json")
		if x.takes {
			list = append(list, "left.html")
		}
	}
	if forms {
		list = append(list, "asked.html", "subscribed.html", "confirmed.html", "unsubscribed.html")
	}
	list = append(list,
		"history.atom", "history.rss", "feed.json", "maintenance.ics",
		"api/v1/status.json", "api/v1/incidents.json", "api/v1/intervals.json",
	)
	list = append(list, v2Paths()...)
	return append(list, "banner.json", "index.html", "rev.json")
}

func historyPath(n int) string {
	if n == 1 {
		return "history.html"
	}
	return "history/" + strconv.Itoa(n) + ".html"
}

func v2Paths() []string {
	return []string{
		"api/v2/summary.json", "api/v2/status.json", "api/v2/components.json", "api/v2/incidents.json", "api/v2/incidents/unresolved.json",
		"api/v2/scheduled-maintenances.json", "api/v2/scheduled-maintenances/upcoming.json", "api/v2/scheduled-maintenances/active.json",
	}
}

// A target is what a path names.
type target struct {
	kind string // name of a template, or of what is not a page
	n    int    // of a page of a list
	of   *service
	on   *status.Incident
}

// find returns what a path below the folder of a language names.
func (x *site) find(p string, forms bool) (target, bool) {
	switch p {
	case "", "index.html":
		return target{kind: "overview"}, true
	case "history.html":
		return target{kind: "history", n: 1}, true
	case "maintenance.html", "subscribe.html", "not-found.html":
		return target{kind: strings.TrimSuffix(p, ".html")}, true
	case "compensation.html", "api/v1/claim-windows.json":
		return target{kind: strings.TrimSuffix(p, ".html")}, x.claims != nil
	case "left.html":
		return target{kind: "done.left"}, x.takes
	case "asked.html", "subscribed.html", "confirmed.html", "unsubscribed.html":
		return target{kind: "done." + strings.TrimSuffix(p, ".html")}, forms
	case "history.atom", "history.rss", "feed.json", "maintenance.ics", "badge.svg", "banner.json", "rev.json",
		"api/v1/status.json", "api/v1/incidents.json", "api/v1/intervals.json":
		return target{kind: p}, true
	}
	folder, name, ok := cutLast(p)
	if !ok {
		return target{}, false
	}
	stem, html := strings.CutSuffix(name, ".html")
	switch {
	case folder == "services" && html:
		v, ok := x.bySlug[stem]
		return target{kind: "service", of: v}, ok
	case folder == "incidents" && html:
		i, ok := x.cases[stem]
		return target{kind: "incident", on: i}, ok
	case folder == "all" && html:
		n, ok := pageNumber(stem, len(x.services), perPage)
		return target{kind: "all", n: n}, ok
	case folder == "history" && html:
		n, ok := pageNumber(stem, len(x.services), perHistory)
		return target{kind: "history", n: n}, ok && n > 1
	case folder == "badges":
		stem, svg := strings.CutSuffix(name, ".svg")
		v, ok := x.bySlug[stem]
		return target{kind: "badge.svg", of: v}, ok && svg
	case folder == "api/v1/incidents":
		stem, js := strings.CutSuffix(name, ".json")
		i, ok := x.cases[stem]
		return target{kind: "api/v1/incident", on: i}, ok && js
	case strings.HasPrefix(p, "api/v2/"):
		return target{kind: p}, slices.Contains(v2Paths(), p)
	}
	return target{}, false
}

func cutLast(p string) (folder, name string, ok bool) {
	n := strings.LastIndexByte(p, '/')
	if n < 0 {
		return "", p, false
	}
	return p[:n], p[n+1:], true
}

// pageNumber reads the number of a page as links write it, in one way only.
func pageNumber(s string, things, per int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= pages(things, per) && strconv.Itoa(n) == s
}

// cutLang takes the folder of a language off a path.
func cutLang(p string) (l lang.Lang, rest string, ok bool) {
	folder, rest, slash := strings.Cut(p, "/")
	if l := lang.Lang(folder); slash && lang.Known(l) {
		return l, rest, true
	}
	return "", p, false
}
