package web

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a node shows the reader's zone even where its host has no zone files

	"bongsu/audit"
	"bongsu/incident"
	"bongsu/internal/lang"
)

//go:embed templates
var templateFiles embed.FS

// Printers hold the templates once for each pair of language and zone, so that
// every function in them knows how to write for its reader.
type printers struct {
	server *Server

	mu   sync.Mutex
	sets map[printer]map[string]*template.Template
}

// mostPrinters bounds the memory that readers with odd zones can take.
const mostPrinters = 64

// A printer is how to write for one kind of reader.
type printer struct {
	lang lang.Lang
	zone string // name of the zone; empty when it is not known
}

func newPrinters(s *Server) (*printers, error) {
	p := &printers{server: s, sets: make(map[printer]map[string]*template.Template)}
	// One is parsed at once, so that a broken template keeps the console from starting;
	// the others when somebody reads in their language and zone.
	set, err := p.parse(lang.Korean, nil)
	if err != nil {
		return nil, err
	}
	p.sets[printer{lang: lang.Korean}] = set
	return p, nil
}

func (p *printers) execute(b *bytes.Buffer, page *page) error {
	set, err := p.of(page.Lang, page.Zone)
	if err != nil {
		return err
	}
	t, ok := set[page.Name]
	if !ok {
		return fmt.Errorf("no template %q", page.Name)
	}
	return t.ExecuteTemplate(b, "layout", page)
}

// file writes a page that stands alone.
func (p *printers) file(b *bytes.Buffer, l lang.Lang, name string, data any) error {
	set, err := p.of(l, nil)
	if err != nil {
		return err
	}
	return set[name].ExecuteTemplate(b, "file", data)
}

func (p *printers) of(l lang.Lang, zone *time.Location) (map[string]*template.Template, error) {
	key := printer{lang: l}
	if zone != nil {
		key.zone = zone.String()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if set, ok := p.sets[key]; ok {
		return set, nil
	}
	if len(p.sets) >= mostPrinters {
		for _, k := range slices.Collect(maps.Keys(p.sets)) {
			if k.zone != "" {
				delete(p.sets, k)
			}
		}
	}
	set, err := p.parse(l, zone)
	if err != nil {
		return nil, err
	}
	p.sets[key] = set
	return set, nil
}

// parse reads every page with the layout and the parts that all pages share.
func (p *printers) parse(l lang.Lang, zone *time.Location) (map[string]*template.Template, error) {
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	shared, err := template.New("shared").Option("missingkey=error").Funcs(p.funcs(l, zone)).
		ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	set := make(map[string]*template.Template)
	for _, name := range names {
		base := strings.TrimSuffix(path.Base(name), ".html")
		if base == "layout" || base == "parts" {
			continue
		}
		t, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if set[base], err = t.ParseFS(templateFiles, name); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func (p *printers) funcs(l lang.Lang, where *time.Location) template.FuncMap {
	s := p.server
	in := where
	if in == nil {
		in = time.UTC
	}
	t := func(key string, args ...any) (string, error) { return s.messages.Text(l, key, args...) }
	moment := func(at time.Time, text string) template.HTML {
		mark := ""
		if where == nil {
			mark = ` <abbr class="zone">UTC</abbr>`
		}
		return template.HTML(`<time datetime="` + at.UTC().Format(time.RFC3339) + `">` + //nolint:gosec // made of times only
			template.HTMLEscapeString(text) + `</time>` + mark)
	}
	return template.FuncMap{
		"t":       t,
		"lang":    func() lang.Lang { return l },
		"langs":   lang.All,
		"num":     func(n any) string { return lang.Argument(n) },
		"compact": func(n any) string { return lang.Compact(l, asFloat(n)) },
		"percent": func(f float64) string { return lang.Short(100*f) + " %" },
		"signed": func(f *float64) string {
			if *f > 0 {
				return "+" + lang.Compact(l, *f)
			}
			return lang.Compact(l, *f)
		},
		"secs":    func(s any) string { return lang.Span(l, lang.Seconds(asFloat(s))) },
		"span":    func(d time.Duration) string { return lang.Span(l, d) },
		"between": func(from, to time.Time) string { return lang.Span(l, to.Sub(from)) },
		// when writes a moment for a reader at now: the day only if it is another one.
		"when": func(at, now any) template.HTML {
			a, n := asTime(at), asTime(now)
			if a.IsZero() {
				return "–"
			}
			text := lang.Clock(a, in)
			if !lang.SameDay(a, n, in) {
				text = lang.Date(l, a, in) + " " + text
			}
			return moment(a, text)
		},
		"zone":       func(at time.Time) string { return lang.Zone(at, in) },
		"zoned":      func() bool { return where != nil },
		"asset":      func(name string) string { return s.base + "/assets/" + s.assets[name].path },
		"link":       s.link,
		"word":       func(st State) (string, error) { return t("state." + string(st)) },
		"tone":       tone,
		"call":       call,
		"dict":       dict,
		"join":       strings.Join,
		"kind":       buttonKind,
		"what":       func(w string) string { return s.whatOf(l, w) },
		"betweenp":   func(from, to *time.Time) string { return lang.Span(l, to.Sub(*from)) },
		"say":        func(sentence string) string { return s.say(l, sentence) },
		"clock":      func(at time.Time) string { return at.In(in).Format("15:04") },
		"inlang":     func(m map[string]string) string { return cmp.Or(m[string(l)], m[string(lang.English)]) },
		"brief":      func(m map[string]string) string { return brief(m, string(l)) },
		"role":       func(r string) string { return s.wordOr(l, "who."+r, r) },
		"condition":  func(c incident.Condition) (string, error) { return t("state." + string(c)) },
		"clockstate": clockState,
		"outcome":    outcomeState,
		"letter":     func(name string) (string, error) { return t("letter." + letterLang(name)) },
		"phase":      func(of lang.Lang, phase string) (string, error) { return s.messages.Text(of, "phase."+phase) },
		"next":       func(of lang.Lang) (string, error) { return s.messages.Text(of, "room.next") },
		"timeline":   drawTimeline,
		"cellstate":  func(c audit.Cell) State { return State(c.State) },
		"sevstate":   func(sev string) State { return severityState(audit.Severity(sev)) },
		"rulename":   func(rule string) string { return s.wordOr(l, "audit.rule."+rule, rule) },
		"cost":       lang.Short,
		"tell":       func(finding string) string { return s.tell(l, finding) },
		"seq":        func(n int) []int { return slices.Collect(countTo(n)) },
		"add":        func(a, b int) int { return a + b },
	}
}

// buttonKind is how the button of a verb looks: what goes on is primary, what
// cannot be taken back is a danger.
func buttonKind(v Verb) string {
	switch {
	case slices.Contains([]Verb{Approve, Resume, Confirm, Retry}, v):
		return "primary"
	case slices.Contains([]Verb{Abort, Skip, Fail, Declare}, v):
		return "danger"
	}
	return ""
}

// whatOf is the word for what a journal entry says happened. The words come from
// the journal itself; one that the catalogue lacks is shown as it is.
func (s *Server) whatOf(l lang.Lang, what string) string {
	if word, err := s.messages.Text(l, "what."+strings.ReplaceAll(what, " ", "-")); err == nil {
		return word
	}
	if key, n, ok := strings.Cut(what, " "); ok && key == "plan" {
		if word, err := s.messages.Text(l, "what.plan"); err == nil {
			return word + " " + n
		}
	}
	return what
}

// wordOr is a message, or the fallback where the catalogue has none: people may call
// a role as they like.
func (s *Server) wordOr(l lang.Lang, key, fallback string) string {
	if word, err := s.messages.Text(l, key); err == nil {
		return word
	}
	return fallback
}

// clockState is how a clock looks. One that still counts is no duty yet.
func clockState(c incident.ClockState) State {
	switch c {
	case incident.ClockOverdue:
		return StateOverdue
	case incident.ClockDue:
		return StateDue
	case incident.ClockIsDone:
		return StateDone
	case incident.ClockCounting, incident.ClockWaiting:
	}
	return StatePending
}

// outcomeState is how an attempt to reach somebody looks.
func outcomeState(outcome string) State {
	switch outcome {
	case "acknowledged":
		return StateAnswered
	case "failed":
		return StateFailed
	}
	return StateSent
}

// letterLang is the language that the name of a letter ends with: notice.ko.md.
func letterLang(name string) string {
	name = strings.TrimSuffix(name, ".md")
	return name[strings.LastIndexByte(name, '.')+1:]
}

func countTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i + 1) {
				return
			}
		}
	}
}

// link joins a path below the base from its segments; each is escaped, but the
// slashes in a step's ID stay what they are.
func (s *Server) link(segments ...string) string {
	var b strings.Builder
	b.WriteString(s.base)
	for _, seg := range segments {
		for part := range strings.SplitSeq(seg, "/") {
			b.WriteString("/" + url.PathEscape(part))
		}
	}
	if b.Len() == len(s.base) {
		b.WriteByte('/')
	}
	return b.String()
}

// call is how people call a thing: by its title, else by its name.
func call(title, name string) string {
	if title != "" {
		return title
	}
	return name
}

// dict builds the argument of a shared part from keys and values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments are no pairs", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		k, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is no string", pairs[i])
		}
		m[k] = pairs[i+1]
	}
	return m, nil
}

// tone is the colour family of a state. Colour never stands alone: each state
// has a shape and a word of its own.
func tone(s State) string {
	switch s {
	case StateUp, StateDone, StateClosed, StateAnswered:
		return "ok"
	case StateDegraded, StateSuspect, StateIsolated, StateReturns:
		return "warn"
	case StateRecoverable, StateFailed, StateLost, StateDeclared, StateDown, StateOverdue:
		return "bad"
	case StateUnrecoverable, StateAborted:
		return "dead"
	case StateRunning:
		return "act"
	case StateWaiting, StatePaused, StateProposed, StateDue, StateSent:
		return "ask"
	case StatePending, StateSkipped, StateSuperseded, StateWithdrawn:
		return "idle"
	case StateUnknown:
	}
	return "unk"
}

func asFloat(n any) float64 {
	switch n := n.(type) {
	case float64:
		return n
	case *float64:
		if n != nil {
			return *n
		}
	case int:
		return float64(n)
	case int64:
		return float64(n)
	}
	return 0
}

func asTime(t any) time.Time {
	switch t := t.(type) {
	case time.Time:
		return t
	case *time.Time:
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}
