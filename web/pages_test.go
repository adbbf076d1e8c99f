package web_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/web"
	"bongsu/web/webtest"
)

var update = flag.Bool("update", false, "write what the pages are into testdata/golden")

// console returns a server in the scenario.
func console(t *testing.T, scenario string) (*web.Server, *webtest.Backend) {
	t.Helper()
	b, err := webtest.New(scenario)
	if err != nil {
		t.Fatal(err)
	}
	s, err := web.New(web.Options{Backend: b, Accounts: webtest.Accounts{}, Key: webtest.Key()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, b
}

// ask sends one request, signed in by token unless as is empty.
func ask(t *testing.T, h http.Handler, method, target, as string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as+"-token")
	}
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func inLang(l string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Accept-Language", l) }
}

// TestPages compares every page with what it was, in both languages and in the
// states that change what a page offers. What differs at each start (the form
// token, hashed names of assets) is replaced.
func TestPages(t *testing.T) {
	cases := []struct{ scenario, page, name string }{
		{"well", "/", "now"},
		{"empty", "/", "now"},
		{"suspect", "/", "now"},
		{"proposed", "/", "now"},
		{"approve", "/", "now"},
		{"running", "/", "now"},
		{"paused", "/", "now"},
		{"done", "/", "now"},
		{"no-quorum", "/", "now"},
		{"full", "/", "now"},
		{"large", "/?page=2", "now-page-2"},
		{"large", "/?state=down", "now-down"},
		{"running", "/runs", "runs"},
		{"empty", "/runs", "runs"},
		{"approve", "/runs/r-0012", "run"},
		{"running", "/runs/r-0012", "run"},
		{"paused", "/runs/r-0012", "run"},
		{"done", "/runs/r-0012", "run"},
		{"no-quorum", "/runs/r-0012", "run"},
		{"running", "/runs/r-0011", "run-drill"},
		{"overdue", "/", "now"},
		{"running", "/incidents", "incidents"},
		{"empty", "/incidents", "incidents"},
		{"paused", "/incidents/20221015-pangyo", "incident"},
		{"done", "/incidents/20221015-pangyo", "incident"},
		{"overdue", "/incidents/20221015-pangyo", "incident"},
		{"running", "/incidents/20221015-pangyo/compose", "compose"},
		{"done", "/incidents/20221015-pangyo/compose?template=resolved", "compose-resolved"},
		{"running", "/incidents/20221015-pangyo/report", "report"},
		{"running", "/runs/r-0012?lanes=crew&state=done", "run-crews"},
		{"large", "/runs/r-0012", "run"},
		{"large", "/hosts?site=pangyo", "hosts"},
		{"running", "/hosts", "hosts"},
		{"empty", "/hosts", "hosts"},
		{"proposed", "/incidents/20221015-pangyo", "incident"},
		{"running", "/incidents/20221015-pangyo", "incident"},
		{"no-quorum", "/incidents/20221015-pangyo", "incident"},
		{"well", "/impact", "impact"},
		{"well", "/impact?lose=pangyo", "impact-pangyo"},
		{"no-quorum", "/impact?lose=pangyo", "impact-pangyo"},
		{"well", "/impact?more=pango", "impact-unknown"},
		{"well", "/impact?more=pangyo-ups-2", "impact-nothing"},
		{"empty", "/impact", "impact"},
		{"running", "/journal", "journal"},
		{"no-quorum", "/journal", "journal"},
		{"empty", "/journal", "journal"},
		{"well", "/estate", "estate"},
		{"no-quorum", "/estate", "estate"},
		{"empty", "/estate", "estate"},
		{"well", "/login", "login"},
		{"well", "/runs/nope", "error-not-found"},
		{"no-quorum", "/nowhere", "error-no-page"},
	}
	consoles := map[string]*web.Server{} // one for each scenario: its templates are read once
	for _, c := range cases {
		s := consoles[c.scenario]
		if s == nil {
			s, _ = console(t, c.scenario)
			consoles[c.scenario] = s
		}
		for _, lang := range []string{"ko", "en"} {
			name := c.scenario + "." + c.name + "." + lang + ".html"
			t.Run(name, func(t *testing.T) {
				as := "approver"
				if c.page == "/login" {
					as = ""
				}
				w := ask(t, s, http.MethodGet, c.page, as, inLang(lang))
				golden(t, name, w.Body.String())
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	got = regexp.MustCompile(`name="token" value="[^"]*"`).ReplaceAllString(got, `name="token" value="TOKEN"`)
	got = regexp.MustCompile(`(app|icon)\.[0-9a-f]{12}\.`).ReplaceAllString(got, "$1.HASH.")
	if before, rest, ok := strings.Cut(got, `<svg class="defs"`); ok {
		_, after, _ := strings.Cut(rest, "</svg>")
		got = before + "<!-- shapes -->" + after
	}
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: go test ./web -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the page changed; if that is meant, go test ./web -update (-was +is):\n%s", diff)
	}
}

// TestNoQuorum checks what a reader must see of a node that is cut off, beyond
// the bytes: since when, and nothing to press.
func TestNoQuorum(t *testing.T) {
	for lang, want := range map[string]string{"ko": "정족수를 잃은 시각:", "en": "No quorum since"} {
		for _, page := range []string{"/", "/runs", "/runs/r-0012", "/incidents", "/incidents/20221015-pangyo", "/incidents/20221015-pangyo/report", "/hosts", "/impact?lose=pangyo", "/journal", "/estate"} {
			s, _ := console(t, "no-quorum")
			body := ask(t, s, http.MethodGet, page, "approver", inLang(lang)).Body.String()
			if !strings.Contains(body, want) || !strings.Contains(body, `<time datetime="2022-10-15T06:32:02Z">06:32:02</time>`) {
				t.Errorf("%s in %s does not say since when there is no quorum", page, lang)
			}
			for _, form := range regexp.MustCompile(`action="([^"]*)"`).FindAllStringSubmatch(body, -1) {
				switch form[1] {
				case "/language", "/logout", "/impact":
				default:
					t.Errorf("%s in %s offers %s, which cannot be done without a quorum", page, lang, form[1])
				}
			}
		}
	}
}

// TestHostileTitles puts scripts where titles, reasons and details go.
func TestHostileTitles(t *testing.T) {
	s, _ := console(t, "hostile")
	for _, page := range []string{"/", "/runs", "/runs/r-0012", "/incidents", "/incidents/20221015-pangyo", "/incidents/20221015-pangyo/compose", "/incidents/20221015-pangyo/report", "/hosts", "/impact?lose=pangyo", "/journal", "/estate"} {
		body := ask(t, s, http.MethodGet, page, "approver").Body.String()
		for _, evil := range []string{"<script>alert", "<img src=x", "<b onmouseover", "</title></svg>"} {
			if strings.Contains(body, evil) {
				t.Errorf("%s holds %q as markup", page, evil)
			}
		}
		if n := strings.Count(body, "<script"); n != 1 {
			t.Errorf("%s has %d script elements, want the console's own", page, n)
		}
	}
	if body := ask(t, s, http.MethodGet, "/", "approver").Body.String(); !strings.Contains(body, "&lt;script&gt;alert(&#39;톡&#39;)&lt;/script&gt;") {
		t.Error("the hostile title is not on the page at all, so this test shows nothing")
	}
	// What a reader asks for comes back on the page, too.
	evil := "/impact?more=%22%3E%3Cscript%3Ealert(6)%3C/script%3E"
	if body := ask(t, s, http.MethodGet, evil, "approver").Body.String(); strings.Contains(body, "<script>alert(6)") {
		t.Error("the question of the impact page comes back as markup")
	}
}

// TestPageIsSound checks what a screen reader leans on: one h1, one main, no two
// elements with one id, a name for every control, a header cell in every table.
func TestPageIsSound(t *testing.T) {
	for _, scenario := range webtest.Scenarios() {
		s, _ := console(t, scenario)
		for _, page := range []string{"/", "/runs", "/runs/r-0012", "/incidents", "/incidents/20221015-pangyo", "/incidents/20221015-pangyo/compose", "/incidents/20221015-pangyo/report", "/hosts", "/impact?lose=pangyo", "/journal", "/estate", "/login"} {
			as := "approver"
			if page == "/login" {
				as = ""
			}
			body := ask(t, s, http.MethodGet, page, as).Body.String()
			where := scenario + page
			for element, want := range map[string]int{"<h1": 1, "<main ": 1, `href="#main"`: 1, `<html lang="`: 1} {
				if n := strings.Count(body, element); n != want {
					t.Errorf("%s has %q %d times, want %d", where, element, n, want)
				}
			}
			ids := map[string]bool{}
			for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
				if ids[m[1]] {
					t.Errorf("%s has two elements with id %q", where, m[1])
				}
				ids[m[1]] = true
			}
			for _, m := range regexp.MustCompile(`<use [^>]*href="#([^"]*)"`).FindAllStringSubmatch(body, -1) {
				if !ids[m[1]] {
					t.Errorf("%s draws the shape %q, which it has not", where, m[1])
				}
			}
			for _, m := range regexp.MustCompile(`<label for="([^"]*)"`).FindAllStringSubmatch(body, -1) {
				if !ids[m[1]] {
					t.Errorf("%s has a label for %q, which it has not", where, m[1])
				}
			}
			if tables, captions := strings.Count(body, "<table"), strings.Count(body, "<caption"); tables != captions {
				t.Errorf("%s has %d tables and %d captions", where, tables, captions)
			}
			for _, inline := range []string{" style=", " onclick=", "<style", "javascript:void"} {
				if strings.Contains(body, inline) {
					t.Errorf("%s has %q, which the content security policy refuses", where, inline)
				}
			}
		}
	}
}

// TestReaderZone: times come in the reader's zone when it is known.
func TestReaderZone(t *testing.T) {
	s, _ := console(t, "running")
	seoul := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "bongsu-zone", Value: "Asia/Seoul"}) }
	body := ask(t, s, http.MethodGet, "/", "viewer", seoul).Body.String()
	if !strings.Contains(body, `<time datetime="2022-10-15T06:19:00Z">15:19:00</time>`) || strings.Contains(body, `<abbr class="zone">`) || !strings.Contains(body, "KST") {
		t.Error("the times are not those of Seoul")
	}
	for _, bad := range []string{"../../etc/passwd", "Local", "Nowhere/Land", strings.Repeat("a", 200)} {
		body := ask(t, s, http.MethodGet, "/", "viewer", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "bongsu-zone", Value: bad}) }).Body.String()
		if !strings.Contains(body, `<abbr class="zone">UTC</abbr>`) {
			t.Errorf("zone %q: the times are not marked as UTC", bad)
		}
	}
}
