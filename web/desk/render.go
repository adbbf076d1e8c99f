package desk

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/internal/lang"
	"bongsu/settle"
	"bongsu/web"
)

//go:embed messages/*.json templates/*.html static/desk.css
var files embed.FS

// A renderer makes pages of templates, one set for each language.
type renderer struct {
	messages lang.Catalogues
	phrases  []phrase
	reasons  []phrase // of events: those that only a program writes
	sets     map[lang.Lang]map[string]*template.Template
	css      []byte
	cssName  string
	zone     *time.Location
}

func newRenderer(zone *time.Location) (*renderer, error) {
	r := &renderer{sets: map[lang.Lang]map[string]*template.Template{}, zone: zone}
	var err error
	if r.messages, err = lang.Load(files, "messages"); err != nil {
		return nil, err
	}
	r.phrases, r.reasons = phrases(r.messages, "say."), phrases(r.messages, "reason.")
	if r.css, err = files.ReadFile("static/desk.css"); err != nil {
		return nil, err
	}
	r.cssName = "/desk.css?" + hashName(r.css)
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, l := range lang.All() {
		r.sets[l] = map[string]*template.Template{}
		shared, err := template.New("").Option("missingkey=error").Funcs(r.funcs(l)).ParseFS(files, "templates/layout.html", "templates/parts.html")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			base := strings.TrimSuffix(path.Base(name), ".html")
			if base == "layout" || base == "parts" {
				continue
			}
			t, err := shared.Clone()
			if err == nil {
				t, err = t.ParseFS(files, name)
			}
			if err != nil {
				return nil, err
			}
			r.sets[l][base] = t
		}
	}
	return r, nil
}

func (r *renderer) funcs(l lang.Lang) template.FuncMap {
	return template.FuncMap{
		"deed":   func(what string) string { return r.deed(l, what) },
		"reason": func(e claim.Event) string { return r.reason(l, &e) },
		"wrote":  func(why string) string { return r.reason(l, &claim.Event{Why: why}) },
		"said":   func(text string) sentence { return r.said(l, text) },
		"lang":   func() string { return string(l) },
		"t":      func(key string, args ...any) (string, error) { return r.messages.Text(l, key, args...) },
		"word":   func(kind string, value any) string { return r.word(l, kind, fmt.Sprint(value)) },
		"num": func(n any) (string, error) {
			switch n := n.(type) {
			case int:
				return lang.Number(int64(n)), nil
			case int64:
				return lang.Number(n), nil
			}
			return "", fmt.Errorf("num: %v is no number", n)
		},
		"money":    func(n int64, currency string) string { return money(l, n, currency) },
		"plain":    settle.Decimal,
		"deref":    func(n *int64) int64 { return *n },
		"when":     func(t time.Time) template.HTML { return r.moment(t, "2006-01-02 15:04") },
		"day":      func(t time.Time) template.HTML { return r.moment(t, time.DateOnly) },
		"plainday": func(t time.Time) string { return t.In(r.zone).Format(time.DateOnly) },
		"outcomes": outcomes,
		"span":     func(d time.Duration) string { return lang.Span(l, d) },
		"mins":     func(n int64) string { return lang.Span(l, time.Duration(n)*time.Minute) },
		"inlang": func(m map[string]string) string {
			return lang.Of(l, m)
		},
		"css":  func() string { return r.cssName },
		"join": strings.Join,
		"has":  func(list []string, s string) bool { return slices.Contains(list, s) },
		"dict": dict,
		"q":    url.QueryEscape,
		"seq": func(n int) []int {
			out := make([]int, n)
			for i := range out {
				out[i] = i
			}
			return out
		},
		"add": func(a, b int) int { return a + b },
		"mul": func(a, b int) int { return a * b },
	}
}

func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for n := 0; n+1 < len(pairs); n += 2 {
		key, ok := pairs[n].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no key", pairs[n])
		}
		m[key] = pairs[n+1]
	}
	return m, nil
}

// word is a value of ours (a state, a form, a ground) as people say it; the value
// itself where there is no word, e.g. the name of a service.
func (r *renderer) word(l lang.Lang, kind, value string) string {
	if s, err := r.messages.Text(l, kind+"."+value); err == nil {
		return s
	}
	return value
}

func (r *renderer) moment(t time.Time, format string) template.HTML {
	if t.IsZero() {
		return "–"
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + t.In(r.zone).Format(format) + `</time>`) //nolint:gosec // made of times only
}

// money writes an amount of minor units as the language does.
func money(l lang.Lang, n int64, currency string) string {
	s := settle.Decimal(n, currency)
	whole, part, point := strings.Cut(s, ".")
	if v, err := strconv.ParseInt(whole, 10, 64); err == nil && v != 0 {
		whole = lang.Number(v)
	}
	if point {
		whole += "." + part
	}
	if l == lang.Korean && currency == "KRW" {
		return whole + "원"
	}
	if currency == "" {
		return whole
	}
	return whole + "\u00a0" + currency
}

// A tab is one entry of the navigation.
type tab struct{ Name, Path string }

// tabs are the pages that the account may open, in the order of the work.
func (c *call) tabs() []tab {
	var out []tab
	for _, t := range []struct {
		tab
		pattern string
	}{
		{tab{"queue", "/claims"}, "GET /claims"},
		{tab{"enter", "/enter"}, "GET /enter"},
		{tab{"import", "/import"}, "GET /import"},
		{tab{"run", "/run"}, "GET /run"},
		{tab{"policies", "/policies"}, "GET /policies"},
		{tab{"whatif", "/whatif"}, "GET /whatif"},
		{tab{"body", "/body"}, "GET /body"},
		{tab{"windows", "/windows"}, "GET /windows"},
		{tab{"payout", "/payout"}, "GET /payout"},
		{tab{"privacy", "/privacy"}, "GET /privacy"},
		{tab{"questions", "/questions"}, "GET /questions"},
	} {
		for _, rt := range routes() {
			if rt.pattern == t.pattern && rt.may.allows(c.rights) && (rt.has == nil || rt.has(&c.s.o)) {
				out = append(out, t.tab)
			}
		}
	}
	return out
}

// A page is what a template is given.
type page struct {
	Name, Lang, Who, Token, Path, Said string
	Rights                             Rights
	Tabs                               []tab
	Problem                            *problem
	Typed                              url.Values
	Fields                             claim.FieldErrors
	Personal                           bool // the page shows personal data
	Data                               any
}

// May says whether the account has a duty, for what templates leave out.
func (p *page) May(duty string) bool { return slices.Contains(p.Rights.Claims.Names(), duty) }

// Operator and Approver are the roles of questions.
func (p *page) Operator() bool { return p.Rights.Questions >= web.Operator }

// Val is what a field holds: what was typed, when it could not be taken, else what
// the page has for it.
func (p *page) Val(name string, def any) string {
	if p.Typed != nil && p.Typed.Has(name) {
		return p.Typed.Get(name)
	}
	return fmt.Sprint(def)
}

// Chosen says whether a field has a value, in the same way.
func (p *page) Chosen(name, value string, def any) bool {
	if p.Typed != nil && p.Typed.Has("token") {
		return slices.Contains(p.Typed[name], value)
	}
	switch d := def.(type) {
	case []string:
		return slices.Contains(d, value)
	case []claim.State:
		return slices.Contains(d, claim.State(value))
	}
	return fmt.Sprint(def) == value
}

// Active is the tab that the page belongs to.
func (p *page) Active() string {
	switch p.Name {
	case "claim", "bulk", "bulkdone", "found":
		return "queue"
	case "receipt":
		return "enter"
	case "policy", "checked":
		return "policies"
	case "session":
		return "body"
	case "unasked":
		return "run"
	case "reconcile", "batch", "missing":
		return "payout"
	}
	return p.Name
}

// show writes a page as a whole or not at all.
func (c *call) show(name string, data any) error {
	set, ok := c.s.pages.sets[c.lang][name]
	if !ok {
		return fmt.Errorf("no template %q", name)
	}
	p := &page{
		Name: name, Lang: string(c.lang), Who: c.who, Rights: c.rights, Token: c.s.token(c.w, c.r, c.who), Path: c.r.URL.RequestURI(),
		Problem: c.problem, Typed: c.typed, Fields: c.fields, Data: data, Personal: c.alarm,
	}
	if c.r.Method != http.MethodGet || !inside(p.Path) {
		p.Path = "/"
	}
	if c.who != "" {
		p.Tabs = c.tabs()
	}
	if said := c.r.URL.Query().Get("said"); c.s.pages.messages.Has("said." + said) {
		p.Said = said
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if c.problem != nil {
		c.w.WriteHeader(c.problem.Status)
	}
	_, _ = c.w.Write(b.Bytes()) // a reader who went away
	return nil
}

// attachment is the header that makes a browser keep a file instead of showing it.
func attachment(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '-'
		}
		return r
	}, name)
	if clean == "" {
		clean = "file"
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": clean})
}

func trimmed(s string) string { return strings.TrimSpace(s) }
