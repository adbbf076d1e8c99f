package public

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/internal/lang"
	"bongsu/status"
)

// A view makes the data of one page.
type view struct {
	*renderer

	site *site
	out  out
	over bool // what is shown is of an incident that is over: it stays so
}

// A layout is what every page is given.
type layout struct {
	Name, Title string
	Main        any

	Lang, Other lang.Lang
	OtherHref   string
	Top, Root   string
	Company     string
	Site        string
	Nav         []anchor
	CSS         template.CSS
	Boot        template.JS
	Policy      string
	Script      string
	Icon        string
	Canonical   string
	Description string

	More  template.CSS // of pages about damage
	Proof string       // path of their script
	Wrong bool         // something in the form has to be corrected
	Alone bool         // made for one reader: nothing is loaded anew under their hands

	Empty, Stale bool
	AsOf, Until  moment
	Zone         string
	ZoneName     string
	Rev          string // address of what the script asks for
	Hash         string
	Level        status.Level
	Contact      string
}

// An anchor is a link of the page.
type anchor struct {
	Href, Text string
	Current    bool
}

func (v *view) text(key string, args ...any) string {
	s, err := v.messages.Text(v.out.lang, key, args...)
	if err != nil {
		return key // unreachable: a test walks all pages in all states
	}
	return s
}

// of is what a text says in the language of the page.
func (v *view) of(t status.Text) words { return wordsOf(v.out.lang, t) }

// Words are a text with the language that it is in, if that is another one than
// the language of the page: a voice that reads the page aloud must know.
type words struct {
	Text string
	Lang string
}

func wordsOf(l lang.Lang, t status.Text) words {
	if s := t[string(l)]; s != "" {
		return words{Text: s}
	}
	s := lang.Of(l, t)
	for _, tag := range lang.All() {
		if t[string(tag)] == s && s != "" {
			return words{s, string(tag)}
		}
	}
	return words{Text: s}
}

// day writes a day and the time of day; clock the time of day, with the day if that
// is another one than today.
func (v *view) day(t time.Time) moment {
	return moment{t, lang.Moment(v.out.lang, t, v.site.zone), "m"}
}

func (v *view) clock(t time.Time) moment {
	if lang.SameDay(t, v.site.reference(), v.site.zone) {
		return moment{t, lang.Minute(t, v.site.zone), "t"}
	}
	return v.day(t)
}

func (v *view) second(t time.Time) moment {
	if lang.SameDay(t, v.site.reference(), v.site.zone) {
		return moment{t, lang.Clock(t, v.site.zone), "s"}
	}
	return v.day(t)
}

// span is never finer than a minute: pages are made anew every few seconds only.
func (v *view) span(d time.Duration) string {
	if d > 0 && d < time.Minute {
		return v.text("span.short")
	}
	return lang.Span(v.out.lang, d.Truncate(time.Minute))
}

// url is the address of a file for readers of every language.
func (v *view) url(p string) string {
	return v.site.Catalog.URL + "/" + strings.TrimSuffix(p, "index.html")
}

func (v *view) page(t target, typed *typed) (*layout, error) {
	x := v.site
	p := &layout{
		Lang: v.out.lang, Top: v.out.top(), Root: v.out.root(), Company: x.Catalog.Company,
		CSS: v.css, Boot: v.boot, Policy: v.policy, Script: v.out.top() + v.script, Icon: v.out.top() + v.icon,
		Empty: x.AsOf.IsZero(), Stale: x.stale, Level: x.overall, Hash: x.hash(), Zone: lang.Zone(v.site.reference(), x.zone), ZoneName: x.zoneName,
		Contact: lang.Of(v.out.lang, x.Catalog.Contact),
	}
	p.Site = cmp.Or(lang.Of(v.out.lang, x.Catalog.Title), v.text("site.title"))
	for _, other := range lang.All() {
		if other != p.Lang {
			p.Other = other
		}
	}
	file := cmp.Or(v.out.path, "index.html")
	if !x.empty() && t.kind != "error" {
		p.Canonical = v.url(string(p.Lang) + "/" + file)
	}
	switch t.kind { // what a form was posted to is no page of its own
	case "report":
		file = "report.html"
	case "sign", "mine":
		file = "claim.html"
	case "receipt":
		file = "receipt.html"
	}
	p.OtherHref = p.Top + string(p.Other) + "/" + file + v.out.query
	p.Rev = p.Top + "rev.json"
	if !p.Empty {
		p.AsOf, p.Until = v.second(x.AsOf), v.clock(x.Until())
		p.Until.at = x.Until()
	}
	nav := func(file, key string, kinds ...string) {
		p.Nav = append(p.Nav, anchor{p.Root + file, v.text(key), slices.Contains(kinds, t.kind)})
	}
	nav("index.html", "nav.overview", "overview")
	nav("history.html", "nav.history", "history")
	nav("maintenance.html", "nav.maintenance", "maintenance")
	nav("subscribe.html", "nav.subscribe", "subscribe")
	if c := x.claims; c != nil && len(c.Windows)+len(c.Policies) > 0 {
		nav("compensation.html", "nav.compensation", "compensation", "report", "receipt", "sign", "mine")
	}
	if v.claimPage(t.kind) {
		p.More, p.Policy, p.Proof = v.more, v.claimPolicy, p.Top+v.claimScript
	}
	if t.kind != "compensation" && v.claimPage(t.kind) {
		p.Alone, p.Wrong = true, typed != nil && !typed.ok()
	}
	p.Name = t.kind
	switch t.kind {
	case "overview":
		p.Title, p.Main = v.text("now.title"), v.overview()
	case "all":
		p.Title, p.Main = v.text("services.all", len(x.services)), v.all(t.n)
	case "service":
		s := v.service(t.of)
		p.Title, p.Main = s.Title.Text, s
	case "incident":
		s := v.incident(t.on)
		s.Ask = v.ask(s.ID, typed)
		p.Title, p.Main, p.Description = s.Title.Text, s, s.Summary
	case "history":
		p.Title, p.Main = v.text("history.title"), v.history(t.n)
	case "maintenance":
		p.Title, p.Main = v.text("work.title"), v.maintenance()
	case "subscribe":
		p.Title, p.Main = v.text("sub.title"), v.subscribe(typed)
	case "compensation":
		p.Title, p.Main = v.text("comp.title"), v.compensation()
	case "report":
		p.Title, p.Main = v.text("report.title"), v.report(typed)
	case "receipt":
		p.Title, p.Main = v.text("receipt.title"), v.receipt(typed)
	case "sign":
		p.Title, p.Main = v.text("sign.title"), v.sign(typed)
	case "mine":
		p.Title, p.Main = v.text("mine.title"), v.mine(typed)
	case "ask":
		p.Title, p.Main = v.text("ask.title"), v.ask(typed.get("incident"), typed)
	case "confirm", "unsub":
		p.Title, p.Main = v.text(t.kind+".title"), v.decision(t.kind, typed)
		p.Name = "decision"
	case "not-found":
		p.Title, p.Main = v.text("error.not-found.title"), notice{v.text("error.not-found.title"), v.text("error.not-found.what"), p.Root}
		p.Name = "notice"
	case "error":
		key := "error." + typed.problem
		p.Title, p.Main = v.text(key+".title"), notice{v.text(key + ".title"), v.text(key + ".what"), p.Root}
		p.Name = "notice"
	default:
		if !strings.HasPrefix(t.kind, "done.") {
			return nil, fmt.Errorf("no page is of kind %q", t.kind)
		}
		p.Title, p.Main = v.text(t.kind+".title"), notice{v.text(t.kind + ".title"), v.text(t.kind + ".what"), p.Root}
		p.Name = "notice"
	}
	return p, nil
}

// A notice is a page of one message.
type notice struct{ Title, What, Root string }

// A row is a service in a list.
type row struct {
	Title  words
	Href   string
	Level  status.Level
	Last   status.Level // when the level is unknown because nobody told: what it was; else empty
	Since  moment
	Users  int64
	Parts  []part
	PartsQ int // parts that work and are not listed
	Days   *bar
	Group  string
}

type part struct {
	Title words
	Level status.Level
	Share string
}

func (v *view) row(s *service, bar bool) row {
	x := v.site
	r := row{Title: v.of(s.Title), Href: v.out.root() + "services/" + s.slug + ".html", Level: x.level(s), Users: s.Users, Group: s.Group}
	if r.Title.Text == "" {
		r.Title.Text = s.Name
	}
	if x.stale && !x.AsOf.IsZero() {
		r.Last = s.at.Level
	}
	if !x.stale && s.at.Level != status.Operational && !s.at.Since.IsZero() {
		r.Since = v.clock(s.at.Since)
	}
	for _, p := range v.parts(s) {
		if p.Level != status.Operational && !x.stale {
			r.Parts = append(r.Parts, p)
		} else {
			r.PartsQ++
		}
	}
	if bar {
		r.Days = v.bar(s)
	}
	return r
}

func (v *view) parts(s *service) []part {
	var list []part
	for _, p := range s.Parts {
		level := v.site.known.Of(s.Name, p.Name).Level
		if v.site.stale {
			level = status.Unknown
		}
		y := part{Title: v.of(p.Title), Level: level}
		if y.Title.Text == "" {
			y.Title.Text = p.Name
		}
		if p.Share > 0 && p.Share < 1 {
			y.Share = v.text("service.share", lang.Short(100*p.Share))
		}
		list = append(list, y)
	}
	return list
}

// A bar is the last days of a service as a picture.
type bar struct {
	Label string
	Marks []mark
	None  int // days before the page reported on the service
	Rest  int
}

type mark struct {
	X, Y, H int
	Level   status.Level
}

func (v *view) bar(s *service) *bar {
	b := &bar{Label: v.daysLabel(s), Rest: historyDays}
	for n, d := range s.days() {
		switch {
		case d.none:
			b.None, b.Rest = n+1, historyDays-n-1
		case d.worst == status.Down:
			b.Marks = append(b.Marks, mark{n, 0, 20, status.Down})
		case d.worst == status.Degraded:
			b.Marks = append(b.Marks, mark{n, 4, 16, status.Degraded})
		}
	}
	return b
}

func (v *view) daysLabel(s *service) string {
	n, down := 0, time.Duration(0)
	for _, d := range s.days() {
		if d.worst != status.Operational && !d.none {
			n++
			down += d.down
		}
	}
	if n == 0 {
		return v.text("history.title") + ": " + v.text("history.fine")
	}
	return v.text("history.title") + ": " + v.text("history.bad", n, v.span(down))
}

// A section is a group of rows with its heading.
type section struct {
	Title string
	Rows  []row
}

type overview struct {
	Empty, Stale bool
	Level        status.Level
	Hero         template.HTML
	What         string
	Cards        []card
	MoreCards    int
	Work         []work
	Bad          []row
	MoreBad      int
	Groups       []section
	Table        []groupRow
	All          string
	Total        int
	Root         string
	History      string
	Damage       *damage
}

type groupRow struct {
	Name       string
	Count, Bad int
}

func (v *view) overview() *overview {
	x := v.site
	o := &overview{Empty: x.empty(), Stale: x.stale, Level: x.overall, Total: len(x.services), Root: v.out.root()}
	o.Hero, o.What = v.hero()
	o.Damage = v.damage("", "")
	for n, i := range x.open {
		if n == mostCards {
			o.MoreCards = len(x.open) - n
			break
		}
		o.Cards = append(o.Cards, v.card(i))
	}
	for n := range x.Maintenances {
		if m := &x.Maintenances[n]; m.Active() || m.Upcoming() {
			o.Work = append(o.Work, v.work(m))
		}
	}
	if len(x.services) <= fewServices {
		for _, g := range x.groups {
			s := section{Title: g.name}
			if g.name == "" && len(x.groups) > 1 {
				s.Title = v.text("services.other")
			}
			for _, it := range g.services {
				s.Rows = append(s.Rows, v.row(it, true))
			}
			o.Groups = append(o.Groups, s)
		}
		return o
	}
	o.All = o.Root + "all/1.html"
	bad := 0
	for _, s := range x.worst {
		if s.at.Level == status.Operational || x.stale {
			break
		}
		if bad++; bad <= mostBad {
			o.Bad = append(o.Bad, v.row(s, false))
		}
	}
	o.MoreBad = max(bad-mostBad, 0)
	for _, g := range x.groups {
		o.Table = append(o.Table, groupRow{cmp.Or(g.name, v.text("services.other")), len(g.services), g.bad})
	}
	return o
}

// hero is the answer to the question that everybody comes with.
func (v *view) hero() (template.HTML, string) {
	x := v.site
	say := func(key string, args ...any) template.HTML {
		h, err := v.say(v.out.lang, key, args...)
		if err != nil {
			return "" // unreachable: a test walks all pages in all states
		}
		return h
	}
	switch {
	case x.AsOf.IsZero():
		return say("hero.empty"), v.text("hero.empty.what")
	case x.stale:
		return say("hero.unknown", v.second(x.AsOf)), v.text("hero.unknown.what")
	case x.bad > 0:
		return say("hero.bad", x.bad, len(x.services)), ""
	case x.work > 0:
		return say("hero.work", x.work), ""
	}
	return say("hero.well"), ""
}

// A card is an open incident on another page.
type card struct {
	Title    words
	Href     string
	Phase    string
	Impact   string
	Since    moment
	Next     moment
	Said     words
	SaidAt   moment
	Progress *progress
	Board    []line
	More     int
}

type progress struct {
	Text string
	Back int
	Of   int
}

func (v *view) card(i *status.Incident) card {
	c := card{
		Title: v.title(i), Href: v.out.root() + "incidents/" + status.Slug(i.ID) + ".html",
		Phase: v.text("phase." + string(phase(i))), Impact: v.impact(i), Since: v.clock(i.StartedAt), Progress: v.progress(i),
	}
	if !i.NextAt.IsZero() {
		c.Next = v.clock(i.NextAt)
	}
	if len(i.Updates) > 0 {
		w := v.of(i.Updates[0].Body)
		w.Text = shorten(status.PlainText(w.Text), 240)
		c.Said, c.SaidAt = w, v.clock(i.Updates[0].At)
	}
	for _, l := range i.Board {
		if l.Level == status.Operational {
			continue
		}
		if len(c.Board) == 5 {
			c.More++
			continue
		}
		c.Board = append(c.Board, v.line(l))
	}
	return c
}

func (v *view) title(i *status.Incident) words {
	w := v.of(i.Title)
	if w.Text == "" {
		w.Text = i.ID
	}
	return w
}

func phase(i *status.Incident) status.Phase {
	if i.Over() && i.Phase != status.Postmortem {
		return status.Resolved
	}
	if !slices.Contains([]status.Phase{status.Identified, status.Monitoring, status.Postmortem}, i.Phase) {
		return status.Investigating
	}
	return i.Phase
}

func (v *view) impact(i *status.Incident) string {
	if !slices.Contains([]string{"minor", "major", "critical"}, i.Impact) {
		return v.text("impact.none")
	}
	return v.text("impact." + i.Impact)
}

func (v *view) progress(i *status.Incident) *progress {
	p := i.Progress
	if p == nil || p.Of <= 0 {
		return nil
	}
	if p.Was > 0 && p.Was != p.Of {
		return &progress{v.text("progress.was", p.Back, p.Of, p.Was), p.Back, p.Of}
	}
	return &progress{v.text("progress.line", p.Back, p.Of), p.Back, p.Of}
}

// shorten cuts a text at a word.
func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	s = string(r[:most])
	if n := strings.LastIndexByte(s, ' '); n > most/2 {
		s = s[:n]
	}
	return s + "…"
}

// A line of a recovery board.
type line struct {
	Title    words
	Part     words
	Href     string
	Level    status.Level
	Since    moment
	Percent  int
	Expected moment
	Next     moment
}

func (v *view) line(l status.Line) line {
	y := line{Level: l.Level, Percent: min(max(l.Percent, 0), 100)}
	y.Title, y.Href = v.named(l.Service)
	y.Part = v.partOf(l.Service, l.Part)
	if v.site.stale && !v.over {
		y.Level = status.Unknown
	}
	if !l.Since.IsZero() {
		y.Since = v.clock(l.Since)
	}
	if l.Level != status.Operational && !l.Expected.IsZero() {
		y.Expected = v.clock(l.Expected)
	}
	if l.Level != status.Operational && !l.NextAt.IsZero() {
		y.Next = v.clock(l.NextAt)
	}
	return y
}

// named is the title of a service and the address of its page, if it has one.
func (v *view) named(name string) (words, string) {
	s := v.site.byName[name]
	if s == nil {
		return words{Text: name}, ""
	}
	w := v.of(s.Title)
	w.Text = cmp.Or(w.Text, s.Name)
	return w, v.out.root() + "services/" + s.slug + ".html"
}

func (v *view) partOf(service, name string) words {
	if name == "" {
		return words{}
	}
	if s := v.site.byName[service]; s != nil {
		for _, p := range s.Parts {
			if w := v.of(p.Title); p.Name == name && w.Text != "" {
				return w
			}
		}
	}
	return words{Text: name}
}

// A work is a maintenance for readers.
type work struct {
	ID       string
	Title    words
	Href     string
	Status   string
	Active   bool
	When     template.HTML
	Services string
	Updates  []update
}

func (v *view) work(m *status.Maintenance) work {
	w := work{ID: "m-" + status.Slug(m.ID), Title: v.of(m.Title), Status: v.text("work." + statusOf(m)), Active: m.Active()}
	w.Title.Text = cmp.Or(w.Title.Text, m.ID)
	w.Href = v.out.root() + "maintenance.html#" + w.ID
	until := v.day(m.Until)
	if lang.SameDay(m.From, m.Until, v.site.zone) {
		until = moment{m.Until, lang.Minute(m.Until, v.site.zone), "t"}
	}
	when, err := v.say(v.out.lang, "work.when", v.day(m.From), until)
	if err == nil {
		w.When = when
	}
	var names []string
	for _, name := range m.Services {
		t, _ := v.named(name)
		names = append(names, t.Text)
	}
	w.Services = strings.Join(names, ", ")
	for _, u := range m.Updates {
		w.Updates = append(w.Updates, v.update(&u))
	}
	return w
}

// statusOf is a state of planned work that there is a word for.
func statusOf(m *status.Maintenance) string {
	if slices.Contains([]string{"in_progress", "verifying", "completed"}, m.Status) {
		return m.Status
	}
	return "scheduled"
}

// An update for readers.
type update struct {
	ID      string
	At      moment
	Phase   string
	Lang    string
	HTML    template.HTML
	Changes []change
}

type change struct {
	Title    words
	Old, New status.Level
}

func (v *view) update(u *status.Update) update {
	w := v.of(u.Body)
	y := update{ID: "u-" + status.Slug(u.ID), At: v.day(u.At), Lang: w.Lang, HTML: safeHTML(w.Text)}
	if p := "phase." + string(u.Phase); v.messages.Has(p) {
		y.Phase = v.text(p)
	}
	for _, s := range v.site.services {
		if c, ok := u.Affected[s.Name]; ok && len(y.Changes) < mostLines {
			t, _ := v.named(s.Name)
			y.Changes = append(y.Changes, change{t, c.Old, c.New})
		}
	}
	return y
}

// safeHTML is what the allow-list leaves of Markdown.
func safeHTML(markdown string) template.HTML {
	return template.HTML(status.HTML(markdown)) //nolint:gosec // status.HTML is the allow-list
}

type all struct {
	Rows  []row
	Pager *pager
	Title string
}

// A pager leads through the pages of a list.
type pager struct {
	At, Of     int
	Prev, Next string
}

func (v *view) pager(n, of int, path func(int) string) *pager {
	if of < 2 {
		return nil
	}
	p := &pager{At: n, Of: of}
	if n > 1 {
		p.Prev = v.out.root() + path(n-1)
	}
	if n < of {
		p.Next = v.out.root() + path(n+1)
	}
	return p
}

func (v *view) all(n int) *all {
	x := v.site
	a := &all{Title: v.text("services.all", len(x.services))}
	from := (n - 1) * perPage
	for _, s := range x.worst[from:min(from+perPage, len(x.worst))] {
		a.Rows = append(a.Rows, v.row(s, false))
	}
	a.Pager = v.pager(n, pages(len(x.services), perPage), func(n int) string { return "all/" + strconv.Itoa(n) + ".html" })
	return a
}

type servicePage struct {
	row

	All   []part
	Cards []card
	Work  []work
	Past  []past
	Days  *bar
	Table []dayRow
	Told  string
	Badge string
	From  moment

	Damage *damage
}

// A past incident in a list.
type past struct {
	Title words
	Href  string
	At    moment
	Took  string
	Phase string
	Lead  string
}

type dayRow struct {
	Day            string
	Worst          status.Level
	Down, Degraded string
	Cases          []past
}

func (v *view) past(i *status.Incident) past {
	p := past{
		Title: v.title(i), Href: v.out.root() + "incidents/" + status.Slug(i.ID) + ".html",
		At: v.day(i.StartedAt), Phase: v.text("phase." + string(phase(i))),
	}
	if !i.EndedAt.IsZero() {
		p.Took = v.span(i.EndedAt.Sub(i.StartedAt))
	}
	return p
}

func (v *view) service(s *service) *servicePage {
	x := v.site
	p := &servicePage{row: v.row(s, false), All: v.parts(s), Days: v.bar(s), Table: v.table(s), Told: v.daysLabel(s)}
	p.Damage = v.damage("", s.Name)
	if !s.Since.IsZero() {
		p.From = moment{s.Since, lang.Date(v.out.lang, s.Since, x.zone), "D"}
	}
	for _, i := range s.cases {
		switch {
		case !i.Over():
			p.Cards = append(p.Cards, v.card(i))
		case len(p.Past) < mostPast:
			p.Past = append(p.Past, v.past(i))
		}
	}
	for n := range x.Maintenances {
		if m := &x.Maintenances[n]; (m.Active() || m.Upcoming()) && slices.Contains(m.Services, s.Name) {
			p.Work = append(p.Work, v.work(m))
		}
	}
	p.Badge = v.url(string(v.out.lang) + "/badges/" + s.slug + ".svg")
	return p
}

// table lists the days of a service that were not well, newest first.
func (v *view) table(s *service) []dayRow {
	var rows []dayRow
	for _, d := range slices.Backward(s.days()) {
		if d.worst == status.Operational || d.none {
			continue
		}
		r := dayRow{Day: lang.Date(v.out.lang, d.date, v.site.zone), Worst: d.worst, Down: "–", Degraded: "–"}
		if d.down > 0 {
			r.Down = v.span(d.down)
		}
		if d.degraded > 0 {
			r.Degraded = v.span(d.degraded)
		}
		for _, i := range d.cases {
			r.Cases = append(r.Cases, v.past(i))
		}
		rows = append(rows, r)
	}
	return rows
}

type history struct {
	Rows   []historyRow
	Months []month
	Pager  *pager
	First  bool
}

type historyRow struct {
	Title words
	Href  string
	Bar   *bar
	Table []dayRow
}

type month struct {
	Title string
	List  []past
}

func (v *view) history(n int) *history {
	x := v.site
	h := &history{First: n == 1}
	from := (n - 1) * perHistory
	for _, s := range x.services[min(from, len(x.services)):min(from+perHistory, len(x.services))] {
		t, href := v.named(s.Name)
		h.Rows = append(h.Rows, historyRow{t, href, v.bar(s), v.table(s)})
	}
	h.Pager = v.pager(n, pages(len(x.services), perHistory), historyPath)
	if !h.First {
		return h
	}
	for k := range x.Incidents {
		i := &x.Incidents[k]
		title := lang.Month(v.out.lang, i.StartedAt, x.zone)
		if last := len(h.Months) - 1; last < 0 || h.Months[last].Title != title {
			h.Months = append(h.Months, month{Title: title})
		}
		m := &h.Months[len(h.Months)-1]
		p := v.past(i)
		if len(i.Updates) > 0 {
			p.Lead = shorten(status.PlainText(v.of(i.Updates[0].Body).Text), 160)
		}
		m.List = append(m.List, p)
	}
	return h
}

type maintenance struct {
	Active, Upcoming, Past []work
	Calendar               string
}

func (v *view) maintenance() *maintenance {
	m := &maintenance{Calendar: v.out.root() + "maintenance.ics"}
	for n := range v.site.Maintenances {
		switch it := &v.site.Maintenances[n]; {
		case it.Active():
			m.Active = append(m.Active, v.work(it))
		case it.Upcoming():
			m.Upcoming = append(m.Upcoming, v.work(it))
		default:
			m.Past = append(m.Past, v.work(it))
		}
	}
	return m
}

type incident struct {
	ID      string
	Title   words
	Phase   string
	Over    bool
	Impact  string
	Level   status.Level
	Updated moment
	Summary string

	What     *update
	Who      []affected
	From     moment
	Lasts    string
	Ended    moment
	Took     string
	Back     []words
	Progress *progress
	AllBack  bool
	Left     bool // something was down when it was closed
	Do       *update
	Next     moment

	Board    []line
	MoreLine int
	All      string
	Line     []update
	Outages  []outage
	MoreOuts int
	JSON     string
	Answers  []answer
	Link     string
	Ask      *ask
	Damage   *damage
}

type affected struct {
	Title words
	Href  string
	Users int64
	Parts []words
}

type outage struct {
	Title    words
	Part     words
	Level    status.Level
	From, To moment
	Long     string
}

type answer struct {
	ID       string
	Question string
	Lang     string
	HTML     template.HTML
	At       moment
}

// incident writes an incident as an article: what a reader asks, in this order.
func (v *view) incident(i *status.Incident) *incident {
	x := v.site
	p := &incident{
		ID: i.ID, Title: v.title(i), Phase: v.text("phase." + string(phase(i))), Over: i.Over(), Impact: v.impact(i), Level: status.Operational,
		From: v.day(i.StartedAt), Progress: v.progress(i), All: v.out.root() + "all/1.html",
		JSON: v.out.root() + "api/v1/incidents/" + status.Slug(i.ID) + ".json", Link: v.url("incidents/" + status.Slug(i.ID) + ".html"),
	}
	p.Damage = v.damage(i.ID, "")
	if !i.UpdatedAt.IsZero() {
		p.Updated = v.day(i.UpdatedAt)
	}
	for n := range i.Updates {
		p.Line = append(p.Line, v.update(&i.Updates[n]))
	}
	if n := len(p.Line); n > 0 {
		p.Do = &p.Line[0]
		p.Summary = shorten(status.PlainText(v.of(i.Updates[0].Body).Text), 200)
		// What happened is what was said first of the cause, else what was said first.
		first := n - 1
		for k, u := range slices.Backward(i.Updates) {
			if u.Phase == status.Identified {
				first = k
				break
			}
		}
		if first == 0 {
			first = n - 1
		}
		if first > 0 {
			p.What = &p.Line[first]
		}
		if n == 1 {
			p.What, p.Do = &p.Line[0], nil
		}
	}
	parts := make(map[string][]words)
	for _, l := range i.Board {
		if l.Part != "" {
			parts[l.Service] = append(parts[l.Service], v.partOf(l.Service, l.Part))
		}
	}
	for _, name := range touched(i) {
		if len(p.Who) == mostLines {
			break
		}
		a := affected{Parts: parts[name]}
		a.Title, a.Href = v.named(name)
		if s := x.byName[name]; s != nil {
			a.Users = s.Users
		}
		p.Who = append(p.Who, a)
	}
	if i.Over() {
		if !i.EndedAt.IsZero() {
			p.Ended, p.Took = v.day(i.EndedAt), v.span(i.EndedAt.Sub(i.StartedAt))
		}
	} else {
		p.Lasts = v.span(max(v.site.reference().Sub(i.StartedAt), 0))
		if !i.NextAt.IsZero() {
			p.Next = v.clock(i.NextAt)
		}
	}
	p.Left = i.Over() && slices.ContainsFunc(i.Board, func(l status.Line) bool { return l.Level != status.Operational })
	p.AllBack = i.Over() && !p.Left
	v.over = i.Over()
	for _, l := range i.Board {
		y := v.line(l)
		if l.Level == status.Operational {
			w := y.Title
			if y.Part.Text != "" {
				w.Text += " – " + y.Part.Text
			}
			p.Back = append(p.Back, w)
		}
		if !i.Over() || p.Left {
			p.Level = status.Worse(p.Level, y.Level)
		}
		if len(p.Board) < mostLines {
			p.Board = append(p.Board, y)
		} else {
			p.MoreLine++
		}
	}
	if len(p.Back) > mostLines {
		p.Back = p.Back[:mostLines]
	}
	p.outages(v, i)
	for _, a := range x.Notices {
		if a.Incident == i.ID {
			w := v.of(a.Answer)
			p.Answers = append(p.Answers, answer{"a-" + status.Slug(a.ID), a.Question, w.Lang, safeHTML(w.Text), v.day(a.At)})
		}
	}
	return p
}

func (p *incident) outages(v *view, i *status.Incident) {
	for n, in := range i.Intervals {
		if n == mostLines {
			p.MoreOuts = len(i.Intervals)
			return
		}
		o := outage{Level: in.Level, From: v.day(in.From), Long: v.span(max(v.site.end(in).Sub(in.From), 0)), Part: v.partOf(in.Service, in.Part)}
		o.Title, _ = v.named(in.Service)
		if !in.To.IsZero() {
			o.To = v.day(in.To)
		}
		p.Outages = append(p.Outages, o)
	}
}
