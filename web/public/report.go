package public

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bongsu/claim"
	"bongsu/claim/paper"
	"bongsu/claim/policy"
	"bongsu/internal/lang"
	"bongsu/status"
)

// layout of a time as browsers write it.
const localTime = "2006-01-02T15:04"

// ahead is how far a clock of a reader may be before ours.
const ahead = 5 * time.Minute

// beforeRecord is by how much somebody may have felt an outage of which only the
// incident is on record.
const beforeRecord = time.Hour

// grace is how long after its end a window still takes reports as before: who pressed in
// time and was not answered presses again. The office judges the same.
const grace = 2 * time.Minute

// takes is what a window takes of a report that comes in now.
func takes(w *claim.Window, now time.Time) claim.Phase {
	if before := w.At(now.Add(-grace)); before != claim.Early {
		return before
	}
	return w.At(now)
}

// fields of the report, in the order of the form; the summary of what is wrong keeps it.
func reportFields() []string {
	return []string{"incident", "service", "use", "from", "to", "text", "loss", "kind", "business", "best", "week", "name", "email", "phone", "late", "files", "consent"}
}

// clean takes out what no text of a person has, and what could hide in one.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s))
}

// reading is how a report is read: from what, for which window, and against what is
// known of the outage.
type reading struct {
	*typed

	window *claim.Window
	site   *site
	now    time.Time
	lang   lang.Lang
	minor  bool // amounts are minor units already, as programs send them

	recordedFrom, recordedTo bool // times that were left empty, see [claim.Report]
}

// A named is a service, or a part of one, that can be reported on.
type named struct {
	service, part string
	title, whole  status.Text // whole is the title of the service, of a part
}

func (n named) value() string { return n.service + "/" + n.part }

// is says whether this is what was chosen; a service without a part is the whole of it.
func (n named) is(chosen string) bool {
	return n.value() == chosen || n.part == "" && n.service == chosen
}

// mostChoices bounds the list of services in the form.
const mostChoices = 400

// services are what can be chosen: those of the window, else those of the page, and
// those that the incident touched first.
func (x *site) reportable(w *claim.Window) []named {
	var all []named
	add := func(s, part string, title, whole map[string]string) {
		all = append(all, named{s, part, status.Text(title), status.Text(whole)})
	}
	if len(w.Services) > 0 {
		for _, s := range w.Services {
			add(s.Name, "", s.Title, nil)
			for _, p := range s.Parts {
				add(s.Name, p.Name, p.Title, s.Title)
			}
		}
		return all
	}
	var hit []string
	if i := x.cases[status.Slug(w.Incident)]; i != nil {
		hit = touched(i)
	}
	list := slices.Clone(x.services)
	slices.SortStableFunc(list, func(a, b *service) int {
		return cmp.Compare(toInt(!slices.Contains(hit, a.Name)), toInt(!slices.Contains(hit, b.Name)))
	})
	for _, s := range list {
		if len(all) >= mostChoices {
			break
		}
		add(s.Name, "", s.Title, nil)
		for _, p := range s.Parts {
			add(s.Name, p.Name, p.Title, s.Title)
		}
	}
	return all
}

// recorded is what is known of the outage of a service; lasting while it goes on.
func (x *site) recorded(w *claim.Window, service, part string) (o policy.Outage, lasting bool) {
	i := x.cases[status.Slug(w.Incident)]
	if i == nil {
		return policy.Outage{}, false
	}
	o = claim.OutageOf(i.Intervals, x.now, service, part)
	for _, v := range i.Intervals {
		lasting = lasting || v.Service == service && (v.Part == part || v.Part == "") && v.To.IsZero()
	}
	return o, lasting
}

// moment reads a time as browsers write it, in the zone of the page, or with a zone of
// its own as programs do.
func (x *site) moment(s string) (time.Time, bool) {
	for _, f := range []string{localTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006.01.02 15:04", "2006.1.2 15:04"} {
		if t, err := time.ParseInLocation(f, s, x.zone); err == nil {
			return t.UTC(), true
		}
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err == nil
}

// report reads a report, and marks what is wrong beside its field. What it returns is
// whole only if nothing is.
func (r *reading) report() claim.Report {
	w, c := r.window, policy.Claim{}
	get := func(field string, most int) string {
		s := clean(r.get(field))
		if utf8.RuneCountInString(s) > most {
			r.refuse(field, "long", most)
		}
		return s
	}
	chosen := r.get("service")
	choices := r.site.reportable(w)
	at := slices.IndexFunc(choices, func(n named) bool { return n.is(chosen) })
	switch {
	case chosen == "":
		r.refuse("service", "report.service")
	case at < 0:
		r.refuse("service", "service")
	default:
		c.Service, c.Part = choices[at].service, choices[at].part
	}
	if c.Use = r.get("use"); !slices.Contains([]string{"paid", "free", "none"}, c.Use) {
		r.refuse("use", "report.use")
	}
	if c.Kind = cmp.Or(r.get("kind"), "person"); !slices.Contains([]string{"person", "small-business", "company"}, c.Kind) {
		r.refuse("kind", "report.kind")
	}
	r.times(&c)
	money := func(field string) int64 {
		s := strings.TrimSpace(r.get(field))
		if s == "" {
			return 0
		}
		read := amount
		if r.minor {
			read = minorUnits
		}
		n, wrong := read(s, w.Currency)
		if wrong != "" {
			r.refuse(field, wrong, sum{mostAmount, w.Currency})
		}
		return n
	}
	c.Loss, c.Best, c.Week = money("loss"), money("best"), money("week")
	switch {
	case r.wrong["loss"] != "":
	case c.Use == "free" && c.Loss == 0:
		r.refuse("loss", "report.loss")
	case c.Use == "none" && c.Loss > 0:
		r.refuse("use", "report.none")
	}
	p := claim.Personal{
		Name: get("name", 80), Email: strings.TrimSpace(r.get("email")), Phone: get("phone", 30), Business: get("business", 30), Text: get("text", mostText),
	}
	if p.Text == "" {
		r.refuse("text", "report.text")
	}
	if p.Email != "" && !mailAddress(p.Email) {
		r.refuse("email", "email")
	}
	if p.Phone != "" && !phone(p.Phone) {
		r.refuse("phone", "report.phone")
	}
	if p.Email == "" && p.Phone == "" {
		r.refuse("email", "report.contact")
	}
	r.masked = 0
	p.Text, r.masked = paper.MaskNumbers(p.Text)
	out := claim.Claim{
		Incident: w.Incident, Report: c, Currency: w.Currency, Channel: claim.ByWeb, Lang: string(r.lang),
		Consent: claim.Consent{Version: w.Consent.Version, At: r.now.UTC()},
	}
	if takes(w, r.now) == claim.Late {
		if out.Late = get("late", 300); out.Late == "" || len(w.Reasons) > 0 && !slices.ContainsFunc(w.Reasons, func(n claim.Named) bool { return n.Name == out.Late }) {
			r.refuse("late", "report.late")
		}
	}
	switch r.get("consent") {
	case w.Consent.Version:
	case "":
		r.refuse("consent", "report.consent")
	default:
		r.refuse("consent", "report.consent.new")
	}
	return claim.Report{Claim: out, Personal: p, RecordedFrom: r.recordedFrom, RecordedTo: r.recordedTo}
}

// times reads when it was. What is left empty is what is recorded.
func (r *reading) times(c *policy.Claim) {
	known, lasting := policy.Outage{}, false
	if c.Service != "" {
		known, lasting = r.site.recorded(r.window, c.Service, c.Part)
	}
	read := func(field string, to *time.Time) bool {
		s := strings.TrimSpace(r.get(field))
		if s == "" {
			return false
		}
		t, ok := r.site.moment(s)
		switch {
		case !ok:
			r.refuse(field, "report.time")
		case t.After(r.now.Add(ahead)):
			r.refuse(field, "report.future")
		default:
			*to = t
			return true
		}
		return false
	}
	from, to := read("from", &c.From), read("to", &c.To)
	if !from && r.wrong["from"] == "" {
		switch {
		case known.Known:
			c.From, r.recordedFrom = known.From, true
		case c.Service != "":
			r.refuse("from", "report.when")
			return
		}
	}
	if !to && r.wrong["to"] == "" && known.Known && !lasting && known.To.After(c.From) {
		c.To, r.recordedTo = known.To, true
	}
	if to && !c.From.IsZero() && !c.To.After(c.From) {
		r.refuse("to", "report.order")
	}
	r.early(c, known, from, to)
}

// early refuses what was before the outage.
func (r *reading) early(c *policy.Claim, known policy.Outage, from, to bool) {
	begin, felt := known.From.Truncate(time.Minute), time.Duration(0) // people write minutes
	if !known.Known {
		i := r.site.cases[status.Slug(r.window.Incident)]
		if i == nil {
			return
		}
		begin, felt = i.StartedAt, beforeRecord
	}
	if from && c.From.Before(begin.Add(-felt)) {
		r.refuse("from", "report.before", begin)
	}
	if to && c.To.Before(begin.Add(-felt)) {
		r.refuse("to", "report.before", begin)
	}
}

// blame puts what the office says of the fields of a report beside those of the form;
// false: it says nothing of a field.
func (t *typed) blame(err error) bool {
	fields, ok := errors.AsType[claim.FieldErrors](err)
	if !ok {
		return false
	}
	for field, what := range fields {
		switch field {
		case "part":
			field = "service"
		case "contact":
			field = "email"
		}
		if !slices.Contains(reportFields(), field) && !slices.Contains(keptFields(), field) {
			t.problem = "report.input"
			continue
		}
		key := map[string]string{
			"early": "report.early", "future": "report.future", "order": "report.order", "amount": "report.amount", "long": "report.long", "text": "report.letters",
		}[what]
		if key == "" {
			key = map[string]string{
				"service": "report.service", "use": "report.use", "kind": "report.kind", "email": "email", "phone": "report.phone", "business": "report.business", "late": "report.late",
				"bank": "mine.bank", "number": "mine.number", "holder": "mine.holder", "text": "report.text",
			}[field]
		}
		if what == "missing" && field == "email" {
			key = "report.contact"
		}
		t.refuse(field, cmp.Or(key, "report.letters"))
	}
	return true
}

// phone reports whether s may be a telephone number.
func phone(s string) bool {
	n := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			n++
		case !strings.ContainsRune("+-() .", r):
			return false
		}
	}
	return n >= 7 && n <= 15
}

// A reportPage is the form.
type reportForm struct {
	form

	Phase    claim.Phase
	None     bool // no window was ever opened, or chosen
	Unknown  bool // this node has just started, and does not know of any yet
	Title    words
	Closes   moment
	Late     moment // until when late reports are taken
	Since    moment // since when none is
	Incident string
	Others   []anchor
	Nonce    string

	Services []group2
	Uses     []option
	Kinds    []option
	Reasons  []option
	Evidence []option
	Fields   map[string]field
	From, To string // types of those fields
	Summary  []wrongLine
	Again    bool // files have to be chosen again

	Consent  words
	Version  string
	Agreed   bool
	Currency string
	Zone     string
	Contact  string
	More     bool // the part for businesses is open

	Challenge string
	Slow      bool
	Home      string
}

type group2 struct {
	Title   string
	Options []option
}

type option struct {
	Value    string
	Title    words
	Selected bool
	From, To string // the recorded outage, for the script
}

type wrongLine struct{ ID, Label, Text string }

// label is what a field of the form is called.
func (v *view) label(field, currency string) string {
	switch field {
	case "consent":
		return v.text("report.consent.title")
	case "loss", "best", "week":
		return v.text("report."+field, currency)
	}
	return v.text("report." + field)
}

// local writes a time that was typed in the one way that browsers take; what is no time
// stays as it was typed, and wants a field of text.
func (v *view) local(name string, all map[string]field) string {
	f := all[name]
	t, ok := v.site.moment(strings.TrimSpace(f.Value))
	switch {
	case ok:
		f.Value = t.In(v.site.zone).Format(localTime)
		all[name] = f
	case f.Value != "":
		return "text"
	}
	return "datetime-local"
}

func (v *view) report(t *typed) *reportForm {
	x, c := v.site, v.site.claims
	f := &reportForm{form: v.form("report", "report", t), Fields: map[string]field{}, Home: v.out.root() + "index.html", Contact: v.phonePost(), Zone: x.zoneName}
	f.Open = x.takes
	open := c.taking(x.now)
	w := c.window(t.get("incident"))
	if w == nil {
		switch {
		case len(open) == 1 || len(open) > 1 && t.get("service") != "":
			w = open[0]
			if i := slices.IndexFunc(open, func(w *claim.Window) bool { return covers(w, t.get("service")) }); t.get("service") != "" && i >= 0 {
				w = open[i]
			}
		case len(open) == 0 && c != nil && len(c.Windows) > 0:
			w = &c.Windows[0]
		}
	}
	for _, other := range open {
		if other != w {
			f.Others = append(f.Others, anchor{Href: "report.html?incident=" + url.QueryEscape(other.Incident), Text: v.windowTitle(other).Text})
		}
	}
	if w == nil {
		f.None, f.Unknown = true, c == nil
		f.Fields["text"] = v.field("text", t)
		return f
	}
	f.Incident, f.Title, f.Currency, f.Phase = w.Incident, v.windowTitle(w), w.Currency, w.At(x.now)
	f.Closes, f.Since = v.day(w.Closes), v.day(w.Closes)
	if w.LateUntil.After(w.Closes) {
		f.Late = v.day(w.LateUntil)
		f.Since = f.Late
	}
	if f.Phase == claim.Early {
		f.Since = v.day(w.Opens)
	}
	v.choices(f, w, t)
	for _, name := range reportFields() {
		f.Fields[name] = v.field(name, t)
		if wrong := f.Fields[name].Wrong; wrong != "" {
			f.Summary = append(f.Summary, wrongLine{name, v.label(name, w.Currency), wrong})
		}
	}
	f.From, f.To = v.local("from", f.Fields), v.local("to", f.Fields)
	f.Consent, f.Version = v.of(status.Text(w.Consent.Text)), w.Consent.Version
	f.Agreed = t.get("consent") == w.Consent.Version && f.Version != ""
	f.More = t.get("business")+t.get("best")+t.get("week") != "" || f.Fields["best"].Wrong+f.Fields["week"].Wrong+f.Fields["business"].Wrong != ""
	if t != nil {
		f.Again, f.Challenge, f.Slow = t.files, t.challenge, t.slow
		if t.token != "" {
			f.Token = t.token
		}
	}
	f.Action = v.out.root() + "report/" + own(f.Token)
	return f
}

// own is the last part of the address that a form posts to, another one for each form: a
// browser that goes back fills in what was typed only if the form posts to where it did
// before, and the next user of a library computer must not see it.
func own(token string) string {
	if token == blankToken {
		return blankOwn
	}
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:4])
}

// below is the path of a request below the folder of the language.
func (s *Server) below(r *http.Request, l lang.Lang) string {
	return strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, s.base+"/"), string(l)+"/")
}

// reportPath says whether the form about damage posts to a path.
func reportPath(path string) bool {
	rest, ok := strings.CutPrefix(path, "report/")
	return path == "report" || ok && !strings.Contains(rest, "/")
}

// choices fills in what can be chosen, and what was.
func (v *view) choices(f *reportForm, w *claim.Window, t *typed) {
	x := v.site
	chosen := t.get("service")
	list := x.reportable(w)
	if len(list) == 1 && chosen == "" {
		chosen = list[0].value()
	}
	for _, n := range list {
		title := v.of(n.title)
		title.Text = cmp.Or(title.Text, n.part, n.service)
		o := option{Value: n.value(), Title: title, Selected: n.is(chosen)}
		if known, lasting := x.recorded(w, n.service, n.part); known.Known {
			o.From = known.From.In(x.zone).Format(localTime)
			if !lasting {
				o.To = known.To.In(x.zone).Format(localTime)
			}
		}
		if n.part == "" {
			f.Services = append(f.Services, group2{Title: title.Text})
			o.Title.Text = title.Text
		} else {
			whole := v.of(n.whole)
			o.Title.Text = cmp.Or(whole.Text, n.service) + " – " + title.Text
		}
		last := &f.Services[len(f.Services)-1]
		last.Options = append(last.Options, o)
	}
	for _, u := range []string{"paid", "free", "none"} {
		f.Uses = append(f.Uses, option{Value: u, Title: words{Text: v.text("report.use." + u)}, Selected: t.get("use") == u})
	}
	for _, k := range []string{"person", "small-business", "company"} {
		f.Kinds = append(f.Kinds, option{Value: k, Title: words{Text: v.text("report.kind." + k)}, Selected: cmp.Or(t.get("kind"), "person") == k})
	}
	for _, n := range w.Reasons {
		f.Reasons = append(f.Reasons, option{Value: n.Name, Title: v.titleOf(n), Selected: t.get("late") == n.Name})
	}
	for _, n := range w.Evidence {
		if n.Name == otherKind {
			continue // stands first, as what nobody chose
		}
		f.Evidence = append(f.Evidence, option{Value: n.Name, Title: v.titleOf(n), Selected: t.get("evidence") == n.Name})
	}
}

func (v *view) titleOf(n claim.Named) words {
	w := v.of(status.Text(n.Title))
	w.Text = cmp.Or(w.Text, n.Name)
	return w
}

// windowTitle is the title of a window: its own, else that of the incident.
func (v *view) windowTitle(w *claim.Window) words {
	t := v.of(status.Text(w.Title))
	if t.Text == "" {
		if i := v.site.cases[status.Slug(w.Incident)]; i != nil {
			t = v.title(i)
		}
	}
	t.Text = cmp.Or(t.Text, w.Incident)
	return t
}

// phonePost is what to do without this page.
func (v *view) phonePost() string { return lang.Of(v.out.lang, v.site.Catalog.Contact) }

// reportPage shows the form, made for one reader: its token files one report.
func (s *Server) reportPage(w http.ResponseWriter, r *http.Request, o out) {
	if o.path != "report.html" {
		http.Redirect(w, r, s.base+"/"+prefixOf(o)+"report.html", http.StatusFound)
		return
	}
	q := r.URL.Query()
	t := &typed{values: url.Values{}}
	for _, name := range []string{"incident", "service"} {
		if v := q.Get(name); v != "" && len(v) < 200 {
			t.values.Set(name, v)
		}
	}
	x := s.current().site
	if win := x.claims.window(t.get("incident")); t.get("service") != "" {
		if open := x.claims.taking(time.Now()); win == nil && len(open) > 0 {
			win = open[0]
			if i := slices.IndexFunc(open, func(w *claim.Window) bool { return covers(w, t.get("service")) }); i >= 0 {
				win = open[i]
			}
		}
		if win != nil {
			service, part, _ := strings.Cut(t.get("service"), "/")
			if known, lasting := x.recorded(win, service, part); known.Known {
				t.values.Set("from", known.From.In(x.zone).Format(localTime))
				if !lasting {
					t.values.Set("to", known.To.In(x.zone).Format(localTime))
				}
			}
		}
	}
	probe(w, r)
	s.blankForm(w, r, o, t)
}

// A blank is a form that nobody has typed into. All that is different from one reader to
// the next is its token and, under attack, the challenge: so it is made once, and those
// two are put in.
type blank struct {
	out               out
	incident, service string
	proof             bool
}

// What stands in a blank where something else belongs.
const (
	blankToken     = "xTOKENx"
	blankOwn       = "xOWNx"
	blankChallenge = "xCHALLENGEx"
)

func (s *Server) blankForm(w http.ResponseWriter, r *http.Request, o out, t *typed) {
	c := s.current()
	key := blank{out: o, proof: s.claims.surge.asks(time.Now())}
	if win := c.site.claims.window(t.get("incident")); win != nil {
		key.incident = win.Incident
	}
	if chosen := t.get("service"); chosen != "" {
		for _, win := range c.site.claims.taking(time.Now()) {
			if slices.ContainsFunc(c.site.reportable(win), func(n named) bool { return n.is(chosen) }) {
				key.service = chosen
			}
		}
	}
	c.mu.RLock()
	page := c.blank[key]
	c.mu.RUnlock()
	if page == nil {
		t.token = blankToken
		if key.proof {
			t.challenge = blankChallenge
		}
		var err error
		if page, err = s.render.page(c.site, target{kind: "report"}, o, t); err != nil {
			s.log.Error("a page broke while it was made", "path", r.URL.Path, "error", err.Error())
			s.fail(w, r, o.lang, http.StatusInternalServerError, "broken")
			return
		}
		if c.mu.Lock(); len(c.blank) < mostBlanks {
			c.blank[key] = page
		}
		c.mu.Unlock()
	}
	token := s.tokens.once(time.Now())
	page = bytes.Replace(bytes.Replace(page, []byte(blankOwn), []byte(own(token)), 1), []byte(blankToken), []byte(token), 1)
	if key.proof {
		page = bytes.Replace(page, []byte(blankChallenge), []byte(html.EscapeString(s.challenge())), 1)
	}
	s.write(w, r, target{kind: "report"}, o, page, http.StatusOK)
}

// mostBlanks bounds how many forms are held; any others are made anew.
const mostBlanks = 2000

func (s *Server) challenge() string {
	b, err := json.Marshal(s.claims.proofs.challenge(time.Now(), s.claims.surge.cost()))
	if err != nil {
		return "" // unreachable: strings and numbers
	}
	return string(b)
}

// onceForm begins what the tokens of the form about damage sign.
const onceForm = "report\x00"

// once makes a token that is different each time: pressing twice files once.
func (k tokens) once(now time.Time) string {
	b := make([]byte, 15)
	_, _ = rand.Read(b) // never fails
	n := base64.RawURLEncoding.EncodeToString(b)
	return n + "." + k.sign(onceForm+n, now.Unix()/3600)
}

// onceOf returns what is different in such a token; empty: it is not valid.
func (k tokens) onceOf(token string, now time.Time) string {
	if len(token) > maxToken {
		return ""
	}
	n, rest, ok := strings.Cut(token, ".")
	if !ok || len(n) != 20 || !k.valid(onceForm+n, rest, now) {
		return ""
	}
	return n
}

// takeReport takes a report in.
func (s *Server) takeReport(w http.ResponseWriter, r *http.Request, l lang.Lang) {
	network := s.prefix(r)
	f, err := s.read(w, r, network)
	defer f.done()
	t := f.typed
	t.files = len(f.papers) > 0 || t.get("files.chosen") != ""
	t.token = t.get("form")
	now := time.Now()
	key := s.tokens.onceOf(t.token, now)
	if key == "" && t.values.Has("form") {
		t.token = s.tokens.once(now)
	}
	switch {
	case errors.Is(err, errLarge) && t.values.Has("form"):
		t.files = true
		t.refuse("files", "files.large")
		s.reportAgain(w, r, l, t, http.StatusRequestEntityTooLarge)
		return
	case errors.Is(err, errBusy):
		t.files = true
		t.refuse("files", "files.busy")
		w.Header().Set("Retry-After", "30")
		s.reportAgain(w, r, l, t, http.StatusServiceUnavailable)
		return
	case errors.Is(err, errLarge):
		s.fail(w, r, l, http.StatusRequestEntityTooLarge, "large")
		return
	case err != nil && t.values.Has("form"):
		t.files = true
		t.refuse("files", "files.broken")
		s.reportAgain(w, r, l, t, http.StatusBadRequest)
		return
	case err != nil:
		s.fail(w, r, l, http.StatusBadRequest, "method")
		return
	case key == "":
		t.problem, t.token = "stale", s.tokens.once(now)
		s.reportAgain(w, r, l, t, http.StatusForbidden)
		return
	}
	x := s.current().site
	win := x.claims.window(t.get("incident"))
	switch {
	case x.claims == nil:
		t.problem = "report.unavailable"
		w.Header().Set("Retry-After", "5")
		s.reportAgain(w, r, l, t, http.StatusServiceUnavailable)
		return
	case win == nil, takes(win, now) == claim.Over, takes(win, now) == claim.Early:
		t.problem = "report.closed"
		s.reportAgain(w, r, l, t, http.StatusConflict)
		return
	}
	in := &reading{typed: t, window: win, site: x, now: now, lang: l}
	report := in.report()
	for _, p := range f.papers {
		if p.wrong != "" {
			t.refuse("files", p.wrong, p.name)
		}
	}
	if !t.ok() {
		s.reportAgain(w, r, l, t, http.StatusUnprocessableEntity)
		return
	}
	report.Key = "form:" + key
	report.Marks = claim.MarksOf(&report.Personal, "", s.device(r))
	end, err := s.claims.running.alone(r.Context(), report.Key)
	if err != nil {
		return // the browser left, and asks again if it likes
	}
	filed := false
	defer func() { end(filed) }()
	if !s.claims.running.filed(report.Key) {
		if wait, err := s.admit(r.Context(), network, t.get("altcha"), &report.Personal, now); err != nil {
			s.refused(w, r, l, t, err, wait)
			return
		}
	}
	receipt, err := s.claims.Taker.File(r.Context(), report)
	if err != nil {
		s.notFiled(w, r, l, t, err)
		return
	}
	filed = true
	sess := sessionOf(receipt)
	sess.New, sess.Late, sess.Again, sess.Masked = true, report.Claim.Late != "", receipt.Again, in.masked
	sess.Papers = s.addPapers(r.Context(), f, receipt, s.kindOf(win.Incident, t.get("evidence")))
	s.filed(w, r, l, sess)
}

// filed shows the receipt. It is on a page of its own, so that going back does not send
// the report again, and the secret is in no address; a browser that keeps no cookies
// is shown it at once.
func (s *Server) filed(w http.ResponseWriter, r *http.Request, l lang.Lang, x *session) {
	if keepsCookies(r) {
		s.begin(w, x)
		http.Redirect(w, r, s.base+"/"+string(l)+"/receipt.html", http.StatusSeeOther) //nolint:gosec // G710: l is one of two languages
		return
	}
	x.Until = time.Now().Add(sessionLife)
	s.fresh(w, r, target{kind: "receipt"}, out{lang: l, path: s.below(r, l)}, &typed{session: x, sealed: s.claims.seal.seal(x)}, http.StatusCreated)
}

// addPapers adds the files of a report to its claim. The report is kept already: what
// cannot be added is said, and can be sent again.
func (s *Server) addPapers(ctx context.Context, f *sent, receipt claim.Receipt, kind string) []taken {
	if len(f.papers) == 0 {
		return nil
	}
	if receipt.Again {
		if c, err := s.claims.Asker.Check(ctx, receipt.ID, receipt.Secret); err == nil && len(c.Files) > 0 {
			return nil // they came with the first press
		}
	}
	var out []taken
	for _, p := range f.papers {
		out = append(out, s.addPaper(ctx, p, sessionOf(receipt), kind))
	}
	return out
}

// kindOf is the kind that a paper is kept as: the one that was chosen, if the window takes
// it, else another one.
func (s *Server) kindOf(incident, chosen string) string {
	w := s.told().window(incident)
	if w == nil || len(w.Evidence) == 0 {
		return cmp.Or(chosen, otherKind)
	}
	for _, name := range []string{chosen, otherKind} {
		if slices.ContainsFunc(w.Evidence, func(n claim.Named) bool { return n.Name == name }) {
			return name
		}
	}
	return w.Evidence[len(w.Evidence)-1].Name
}

// otherKind is the kind of papers that are none of those that are asked for.
const otherKind = "other"

func (s *Server) addPaper(ctx context.Context, p upload, x *session, kind string) taken {
	if p.wrong != "" {
		return taken{p.name, p.wrong}
	}
	_, err := s.claims.Giver.AddPaper(ctx, x.ID, x.Secret, kind, p.name, p.data, "")
	key := fileProblem(err)
	if key == "file.unavailable" && !errors.Is(err, claim.ErrUnavailable) {
		s.log.Error("a file was not kept", "claim", x.ID, "error", err.Error())
	}
	return taken{p.name, key}
}

func fileProblem(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, paper.ErrType):
		return "file.type"
	case errors.Is(err, paper.ErrLarge):
		return largeProblem(err)
	case errors.Is(err, paper.ErrBroken):
		return "file.broken"
	case errors.Is(err, paper.ErrHostile):
		return "file.hostile"
	case errors.Is(err, claim.ErrState):
		return "mine.state"
	}
	return "file.unavailable"
}

// largeProblem says what is too large: all papers of the claim together, the points of a picture, or what a document unpacks to.
// Whoever sends a file of too many bytes was told before ([sent.file]).
func largeProblem(err error) string {
	switch r, ok := errors.AsType[*paper.Refusal](err); {
	case !ok:
		return "file.full"
	case r.Points:
		return "file.points"
	}
	return "file.unpacked"
}

// device tells one browser from another, for finding duplicates; only a keyed hash of
// it is kept.
func (s *Server) device(r *http.Request) string {
	h := sha256.Sum256([]byte(s.client(r).String() + "\x00" + r.UserAgent() + "\x00" + r.Header.Get("Accept-Language")))
	return hex.EncodeToString(h[:12])
}

// errProofNeeded says that a proof of work is asked for, and that the slow lane is
// taken as well.
var errProofNeeded = errors.New("a proof of work is asked for")

// admit lets a report in: at once as long as few come, else with a proof of work, else
// by the slow lane. Nobody is refused in silence.
func (s *Server) admit(ctx context.Context, network, payload string, p *claim.Personal, now time.Time) (time.Duration, error) {
	c := s.claims
	asked := c.surge.note(now)
	_, few := c.reports.take(network, now)
	for _, m := range claim.MarksOf(&claim.Personal{Email: p.Email, Phone: p.Phone}, "", "") { // written in one way
		if _, ok := c.contact.take(m, now); !ok {
			few = false // whoever's it is: it is refused to nobody, and costs some work
		}
	}
	if few && !asked {
		return 0, nil
	}
	bad := errProofNeeded
	if payload != "" {
		x, err := readProof(payload)
		if err == nil {
			err = c.proofs.check(x, now)
		}
		if err == nil && !c.junk.has(network, now) {
			err = errProofBad // it costs its sender nothing, and us a write of the store
		}
		if err == nil {
			fresh, spent := c.Taker.Spend(ctx, "altcha:"+x.Challenge.Parameters.Nonce, time.Unix(x.Challenge.Parameters.ExpiresAt, 0))
			switch {
			case spent != nil:
				return 0, spent
			case !fresh:
				err = errProofUsed
			case x.solved():
				return 0, nil
			default:
				err = errProofBad
			}
			c.junk.take(network, now)
		}
		bad = err
	}
	wait, ok := c.slow.take(network, now)
	if ok {
		return 0, nil
	}
	return wait, bad
}

// refused shows the form again to who has to work, or to wait.
func (s *Server) refused(w http.ResponseWriter, r *http.Request, l lang.Lang, t *typed, err error, wait time.Duration) {
	switch {
	case errors.Is(err, errProofNeeded):
		t.problem = "proof.needed"
	case errors.Is(err, errProofOld), errors.Is(err, errProofUsed), errors.Is(err, errProofBad):
		t.problem = "proof.again"
	default:
		s.notFiled(w, r, l, t, err)
		return
	}
	t.challenge, t.slow = s.challenge(), true
	w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	s.reportAgain(w, r, l, t, http.StatusTooManyRequests)
}

// notFiled shows the form again when the report was not kept.
func (s *Server) notFiled(w http.ResponseWriter, r *http.Request, l lang.Lang, t *typed, err error) {
	code := http.StatusUnprocessableEntity
	switch {
	case errors.Is(err, claim.ErrReused):
		// The token was used for other words: with another one it is another report.
		t.problem, t.token, code = "report.reused", s.tokens.once(time.Now()), http.StatusConflict
	case errors.Is(err, claim.ErrClosed):
		t.problem, code = "report.closed", http.StatusConflict
	case t.wanting(err):
	default:
		if !errors.Is(err, claim.ErrUnavailable) && r.Context().Err() == nil {
			s.log.Error("a report was not kept", "error", err.Error())
		}
		t.problem, code = "report.unavailable", http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "60")
	}
	s.reportAgain(w, r, l, t, code)
}

// wanting notes what the report lacks; false: it is something else.
func (t *typed) wanting(err error) bool {
	late, agreed, field := errors.Is(err, claim.ErrLate), !errors.Is(err, claim.ErrConsent), t.blame(err)
	if late {
		t.refuse("late", "report.late")
	}
	if !agreed {
		t.refuse("consent", "report.consent.new")
	}
	if !late && agreed && !field && errors.Is(err, claim.ErrInput) {
		t.problem = "report.input"
	}
	return late || !agreed || field || errors.Is(err, claim.ErrInput)
}

// reportAgain shows the form again with what was typed.
func (s *Server) reportAgain(w http.ResponseWriter, r *http.Request, l lang.Lang, t *typed, code int) {
	if t.token == "" {
		t.token = s.tokens.once(time.Now())
	}
	if t.challenge == "" && s.claims.surge.asks(time.Now()) {
		t.challenge = s.challenge()
	}
	probe(w, r)
	s.fresh(w, r, target{kind: "report"}, out{lang: l, path: s.below(r, l)}, t, code)
}

// A receipt is what a claimant takes away.
type receipt struct {
	form

	ID, Secret string
	Late       bool
	Again      bool
	Masked     int
	Papers     []takenLine
	Mine       string
	Sealed     string
	Until      moment
}

type takenLine struct{ Name, Wrong string }

func (v *view) receipt(t *typed) *receipt {
	x := t.session
	p := &receipt{form: v.form("claim/leave", "claim", t), ID: x.ID, Secret: x.Secret, Late: x.Late, Again: x.Again, Masked: x.Masked, Mine: v.out.root() + "claim.html", Sealed: t.sealed, Until: v.clock(x.Until)}
	p.Papers = v.taken(x.Papers)
	return p
}

func (v *view) taken(list []taken) []takenLine {
	var out []takenLine
	for _, t := range list {
		y := takenLine{Name: t.Name}
		if t.Wrong != "" {
			y.Wrong = v.text("error."+t.Wrong, t.Name)
		}
		out = append(out, y)
	}
	return out
}

// receiptPage shows the receipt of what was filed just now, as long as the session
// lasts and nobody left.
func (s *Server) receiptPage(w http.ResponseWriter, r *http.Request, o out) {
	x := s.session(r, "")
	if x == nil || !x.New {
		http.Redirect(w, r, s.base+"/"+prefixOf(o)+"claim.html", http.StatusFound)
		return
	}
	s.fresh(w, r, target{kind: "receipt"}, o, &typed{session: x}, http.StatusOK)
}
