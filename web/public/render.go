package public

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"time"

	"bongsu/internal/lang"
	"bongsu/status"
)

//go:embed messages/*.json templates/*.html static/*
var files embed.FS

// A renderer makes the files of a site. It is the same for readers of a node and
// for plain files.
type renderer struct {
	messages    lang.Catalogues
	sets        map[lang.Lang]map[string]*template.Template
	css         template.CSS
	boot        template.JS
	policy      string       // Content-Security-Policy, but for what only a header can say
	more        template.CSS // of the pages about damage
	claimPolicy string       // of those pages
	claimScript string       // path of their script below the root
	assets      map[string][]byte
	script      string                                  // path of the script below the root
	icon        string                                  // path of the icon below the root
	token       func(form string, now time.Time) string // nil where no form is taken
}

func newRenderer() (*renderer, error) {
	r := &renderer{sets: make(map[lang.Lang]map[string]*template.Template), assets: make(map[string][]byte)}
	var err error
	if r.messages, err = lang.Load(files, "messages"); err != nil {
		return nil, err
	}
	read := func(name string) []byte {
		b, readErr := files.ReadFile("static/" + name)
		if readErr != nil && err == nil {
			err = readErr
		}
		return b
	}
	more, claims := squeeze(string(read("claims.css"))), read("claims.js")
	css, boot, script, icon := squeeze(string(read("status.css"))), strings.TrimSpace(string(read("boot.js"))), read("status.js"), read("icon.svg")
	if err != nil {
		return nil, err
	}
	r.css, r.boot = template.CSS(css), template.JS(boot) //nolint:gosec // our own files
	r.script, r.icon = hashed("status", ".js", script), hashed("icon", ".svg", icon)
	r.assets[r.script], r.assets[r.icon] = script, icon
	r.more, r.claimScript = template.CSS(more), hashed("claims", ".js", claims) //nolint:gosec // our own file
	r.assets[r.claimScript] = claims
	allow := func(styles ...string) string {
		return "default-src 'none'; script-src 'self' '" + integrity(boot) + "'; style-src '" + strings.Join(styles, "' '") +
			"'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
	}
	r.policy, r.claimPolicy = allow(integrity(css)), allow(integrity(css), integrity(more))
	for _, l := range lang.All() {
		if r.sets[l], err = r.parse(l); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// claimPage says whether a page is one about damage, which has a style sheet and a
// policy of its own: the others stay as small as they are.
func (r *renderer) claimPage(kind string) bool {
	switch kind {
	case "report", "receipt", "sign", "mine", "compensation":
		return true
	}
	return false
}

// squeeze takes the comments and line breaks out of a style sheet.
func squeeze(css string) string {
	var b strings.Builder
	for css != "" {
		before, rest, comment := strings.Cut(css, "/*")
		b.WriteString(before)
		css = ""
		if comment {
			_, css, _ = strings.Cut(rest, "*/")
		}
	}
	var out strings.Builder
	for line := range strings.Lines(b.String()) {
		out.WriteString(strings.TrimSpace(line))
	}
	return out.String()
}

func integrity(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// hashed is the path of an asset under a name that changes with its content.
func hashed(name, ext string, b []byte) string {
	sum := sha256.Sum256(b)
	return "assets/" + name + "." + hex.EncodeToString(sum[:6]) + ext
}

// parse reads every page with the layout and the parts that pages share.
func (r *renderer) parse(l lang.Lang) (map[string]*template.Template, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	set := make(map[string]*template.Template)
	shared, err := template.New("shared").Option("missingkey=error").Funcs(r.funcs(l)).ParseFS(files, "templates/layout.html", "templates/parts.html")
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
		set[base] = t
	}
	return set, nil
}

func (r *renderer) funcs(l lang.Lang) template.FuncMap {
	return template.FuncMap{
		"t":    func(key string, args ...any) (string, error) { return r.messages.Text(l, key, args...) },
		"say":  func(key string, args ...any) (template.HTML, error) { return r.say(l, key, args...) },
		"time": func(m moment) template.HTML { return m.html() },
		"zone": func(name string) (template.HTML, error) {
			return r.say(l, "fresh.zone", template.HTML(`<span class="zone">`+template.HTMLEscapeString(name)+`</span>`)) //nolint:gosec // the name is escaped
		},
		"word": func(s any) (string, error) { return r.messages.Text(l, fmt.Sprint("level.", s)) },
		"shapes": func() map[status.Level]string {
			all := make(map[status.Level]string)
			for _, s := range levels() {
				all[s] = status.Shape(s)
			}
			return all
		},
		"num64":   func(n int) string { return lang.Number(int64(n)) },
		"num":     func(n int64) string { return lang.Number(n) },
		"compact": func(n int64) string { return lang.Compact(l, float64(n)) },
		"dict": func(pairs ...any) (map[string]any, error) {
			m := make(map[string]any)
			for n := 0; n+1 < len(pairs); n += 2 {
				key, ok := pairs[n].(string)
				if !ok {
					return nil, fmt.Errorf("dict: %v is no key", pairs[n])
				}
				m[key] = pairs[n+1]
			}
			return m, nil
		},
	}
}

func levels() []status.Level {
	return []status.Level{status.Operational, status.Maintained, status.Degraded, status.Restoring, status.Down, status.Unknown}
}

// say fills moments into a message as elements that the script can refine.
// Messages hold no markup; whatever else is filled in is escaped.
func (r *renderer) say(l lang.Lang, key string, args ...any) (template.HTML, error) {
	safe := make([]any, len(args))
	for n, a := range args {
		if m, ok := a.(moment); ok {
			safe[n] = string(m.html())
			continue
		}
		switch s := a.(type) {
		case template.HTML:
			a = string(s)
		case string:
			a = template.HTMLEscapeString(s)
		}
		safe[n] = a
	}
	s, err := r.messages.Text(l, key, safe...)
	return template.HTML(s), err //nolint:gosec // see above
}

// A moment is a time for a reader.
type moment struct {
	at     time.Time
	text   string
	format string // how the script is to write it again: t, s or m
}

func (m moment) html() template.HTML {
	if m.at.IsZero() {
		return "–"
	}
	return template.HTML(`<time datetime="` + m.at.UTC().Format(time.RFC3339) + `" data-f="` + m.format + `">` + template.HTMLEscapeString(m.text) + `</time>`) //nolint:gosec // made of times only
}

// ISO is the moment for machines.
func (m moment) ISO() string { return m.at.UTC().Format(time.RFC3339) }

// Set reports whether there is a moment at all, for templates.
func (m moment) Set() bool { return !m.at.IsZero() }

// An out is where a file is and for whom: what its links begin from.
type out struct {
	lang    lang.Lang
	neutral bool   // outside the folders of languages
	path    string // below the folder of the language
	query   string // a token that a page was opened with
}

// top leads from the file to the root of the site.
func (o out) top() string {
	depth := strings.Count(o.path, "/")
	if !o.neutral {
		depth++
	}
	return strings.Repeat("../", depth)
}

// root leads from the file to the folder of its language.
func (o out) root() string {
	if o.neutral {
		return o.top() + string(o.lang) + "/"
	}
	return strings.Repeat("../", strings.Count(o.path, "/"))
}

// file makes the file that is at o, and says how readers must treat it.
func (r *renderer) file(x *site, t target, o out) ([]byte, error) {
	switch {
	case t.kind == "badge.svg":
		return r.badge(x, t.of, o.lang)
	case strings.HasPrefix(t.kind, "history."), t.kind == "feed.json":
		return r.feed(x, t.kind, o)
	case t.kind == "maintenance.ics":
		return r.calendar(x, o.lang)
	case strings.HasSuffix(t.kind, ".json"), strings.HasPrefix(t.kind, "api/"):
		v, err := r.data(x, t, o)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err = enc.Encode(v)
		return b.Bytes(), err
	}
	return r.page(x, t, o, nil)
}

// page makes a page as a whole or not at all. typed is what a reader sent and what
// is wrong with it, when a form is shown again.
func (r *renderer) page(x *site, t target, o out, typed *typed) ([]byte, error) {
	v := &view{renderer: r, site: x, out: o}
	p, err := v.page(t, typed)
	if err != nil {
		return nil, err
	}
	set, ok := r.sets[o.lang][p.Name]
	if !ok {
		return nil, fmt.Errorf("no template %q", p.Name)
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, "layout", p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// MediaType returns the Content-Type of a file of the site, by its path.
func MediaType(p string) string {
	switch ext := path.Ext(p); {
	case ext == ".html":
		return "text/html; charset=utf-8"
	case path.Base(p) == "feed.json":
		return "application/feed+json"
	case ext == ".json":
		return "application/json; charset=utf-8"
	case ext == ".atom":
		return "application/atom+xml; charset=utf-8"
	case ext == ".rss":
		return "application/rss+xml; charset=utf-8"
	case ext == ".ics":
		return "text/calendar; charset=utf-8"
	case ext == ".svg":
		return "image/svg+xml"
	case ext == ".js":
		return "text/javascript; charset=utf-8"
	case ext == ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
