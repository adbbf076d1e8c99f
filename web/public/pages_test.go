package public_test

import (
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/status"
	"bongsu/web/public"
)

var update = flag.Bool("update", false, "write what the pages are into testdata/golden")

// files are what an export of the scenario holds.
func files(tb testing.TB, s *status.State, now time.Time) map[string]string {
	tb.Helper()
	all := make(map[string]string)
	err := public.Export(tb.Context(), s, public.ExportOptions{Now: now}, func(p string, b []byte) error {
		if _, twice := all[p]; twice {
			tb.Errorf("%s is written twice", p)
		}
		all[p] = string(b)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// TestPages compares every kind of page with what it was, in each state and both
// languages. What is the same on all (the style sheet) and hashed names are replaced.
func TestPages(t *testing.T) {
	for _, scenario := range scenarios() {
		t.Run(scenario, func(t *testing.T) {
			s, now := fixture(scenario)
			all := files(t, s, now)
			pages := []string{"ko/index.html", "en/index.html", "index.html", "ko/history.html", "en/history.html", "ko/maintenance.html", "en/maintenance.html", "ko/subscribe.html"}
			if scenario != "empty" {
				pages = append(pages, "ko/services/talk.html", "en/services/taxi.html", "banner.json", "api/v1/status.json", "api/v2/summary.json", "history.atom", "en/history.rss", "ko/feed.json", "ko/maintenance.ics", "ko/badge.svg")
				for _, i := range s.Incidents {
					for _, l := range []string{"ko", "en"} {
						pages = append(pages, l+"/incidents/"+status.Slug(i.ID)+".html")
					}
				}
			}
			for _, p := range pages {
				golden(t, scenario+"."+strings.ReplaceAll(p, "/", "-"), all[p])
			}
		})
	}
}

// TestForms compares the forms and notices, which plain files have not.
func TestForms(t *testing.T) {
	s, _ := fixture("incident")
	server, _, _ := site(t, s)
	for _, l := range []string{"ko", "en"} {
		for _, p := range []string{"incidents/20221015-pangyo.html", "subscribe.html", "confirm?token=abc", "unsubscribe?token=abc", "asked.html", "unsubscribed.html", "nowhere.html"} {
			name := "forms." + l + "-" + regexp.MustCompile(`[^a-z0-9.]+`).ReplaceAllString(p, "-")
			body := ask(t, server, http.MethodGet, "/"+l+"/"+p, "").Body.String()
			if a := strings.Index(body, "<main"); a < 0 {
				t.Errorf("%s has no main part", p)
			} else {
				golden(t, name, body[a:strings.Index(body, "</main>")])
			}
		}
	}
}

func ask(tb testing.TB, h http.Handler, method, target, body string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if got == "" {
		t.Errorf("%s is empty or not there", name)
		return
	}
	got = regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(got, "<style>STYLE</style>")
	got = regexp.MustCompile(`(status|icon|claims)\.[0-9a-f]{12}\.`).ReplaceAllString(got, "$1.HASH.")
	got = regexp.MustCompile(`sha256-[A-Za-z0-9+/=]{44}|sha256-[A-Za-z0-9/=]*(&#43;[A-Za-z0-9/=]*)*`).ReplaceAllString(got, "sha256-HASH")
	got = regexp.MustCompile(`name="form" value="[^"]*"`).ReplaceAllString(got, `name="form" value="TOKEN"`)
	got = regexp.MustCompile(`action="([^"]*report)/[0-9a-f]{8}"`).ReplaceAllString(got, `action="$1/OWN"`)
	got = regexp.MustCompile(`data-hash="[^"]*"`).ReplaceAllString(got, `data-hash="HASH"`)
	got = regexp.MustCompile(`(?s)<svg class="defs".*?</svg>`).ReplaceAllString(got, "<!-- shapes -->")
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%v: go test ./web/public -update writes it", err)
		return
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s changed (-was +is); go test ./web/public -update if that is meant:\n%s", name, diff)
	}
}

// TestExportIsWhole: every link of every plain file leads to a plain file, every
// path is harmless, and nothing but the file's own folder is needed.
func TestExportIsWhole(t *testing.T) {
	for _, scenario := range append(scenarios(), "large") {
		t.Run(scenario, func(t *testing.T) {
			s, now := large(104), noon
			if scenario != "large" {
				s, now = fixture(scenario)
			}
			all := files(t, s, now)
			safe := regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)*$`)
			link := regexp.MustCompile(`(?:href|src|action|data-rev)="([^"]*)"`)
			for p, b := range all {
				if !safe.MatchString(p) || strings.Contains(p, "..") {
					t.Errorf("%q is no harmless path", p)
				}
				if strings.Contains(b, "hidden-hall") || strings.Contains(b, "숨은 운영사") {
					t.Errorf("%s tells everybody whose failure it was, which nobody has judged", p)
				}
				if public.MediaType(p) == "application/octet-stream" {
					t.Errorf("%s has no media type", p)
				}
				if !strings.HasSuffix(p, ".html") {
					continue
				}
				if strings.Contains(b, "<form class=\"fields\"") {
					t.Errorf("%s offers a form that nobody takes", p)
				}
				for _, m := range link.FindAllStringSubmatch(b, -1) {
					to, _, _ := strings.Cut(m[1], "#")
					if to == "" || strings.HasPrefix(to, "http") || strings.HasPrefix(to, "mailto:") {
						continue
					}
					if full := filepath.ToSlash(filepath.Join(filepath.Dir(p), to)); all[full] == "" {
						t.Errorf("%s leads to %s, which is not there", p, m[1])
					}
				}
			}
			if n := len(all); scenario == "well" && n < 60 {
				t.Errorf("only %d files", n)
			}
		})
	}
}

// TestExportEnds: an error of the writer or the end of the context ends it.
func TestExportEnds(t *testing.T) {
	s, now := fixture("well")
	n := 0
	err := public.Export(t.Context(), s, public.ExportOptions{Now: now}, func(string, []byte) error {
		if n++; n == 5 {
			return os.ErrPermission
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "permission") || n != 5 {
		t.Errorf("after %d files: %v", n, err)
	}
}

// TestSameEverywhere: a node and the plain files say the same, byte for byte.
func TestSameEverywhere(t *testing.T) {
	s := present(t, "incident")
	all := files(t, s, time.Now())
	p, err := public.New(public.Options{Source: newSource(s)})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(func(yield func(string) bool) {
		for p := range all {
			if !yield(p) {
				return
			}
		}
	}) {
		if w := ask(t, p, http.MethodGet, "/"+path, ""); w.Code != http.StatusOK || w.Body.String() != all[path] {
			t.Errorf("%s: %d, and not the bytes of the plain file", path, w.Code)
		}
	}
}

// TestSmall: the overview of a company with 30 services and an incident fits into
// the first packets of a connection, and so does the script.
func TestSmall(t *testing.T) {
	s := large(30)
	server, _, _ := site(t, fresh(s))
	for _, l := range []string{"ko", "en"} {
		w := ask(t, server, http.MethodGet, "/"+l+"/", "", func(r *http.Request) { r.Header.Set("Accept-Encoding", "br, gzip") })
		if w.Header().Get("Content-Encoding") != "gzip" {
			t.Fatal("it is not compressed")
		}
		t.Logf("%s: %d bytes", l, w.Body.Len())
		if w.Body.Len() > 14_000 {
			t.Errorf("the overview in %s has %d bytes compressed", l, w.Body.Len())
		}
	}
	for p, b := range files(t, s, noon) {
		if strings.HasSuffix(p, ".js") && len(b) > 6000 {
			t.Errorf("%s has %d bytes", p, len(b))
		}
		if strings.HasSuffix(p, ".html") {
			if strings.Contains(b, `<link rel="stylesheet`) || !strings.Contains(b, `.js" defer>`) {
				t.Errorf("%s asks for something that blocks", p)
			}
		}
	}
	if w := ask(t, server, http.MethodGet, "/en/", "", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip;q=0") }); w.Header().Get("Content-Encoding") != "" {
		t.Error("compressed for a reader who takes none")
	}
}

// TestLarge: 2,000 services are paged, the worst first.
func TestLarge(t *testing.T) {
	server, _, _ := site(t, fresh(large(2000)))
	body := ask(t, server, http.MethodGet, "/en/", "").Body.String()
	if n := strings.Count(body, `class="name"`); n > 60 {
		t.Errorf("the overview lists %d services", n)
	}
	first := ask(t, server, http.MethodGet, "/en/all/1.html", "").Body.String()
	if a, b := strings.Index(first, `class="lv down"`), strings.Index(first, `class="lv operational"`); a < 0 || b >= 0 && b < a {
		t.Error("the first page of all services does not begin with those that are down")
	}
	last := ask(t, server, http.MethodGet, "/en/all/20.html", "").Body.String()
	if !strings.Contains(last, "Page 20 of 20") || strings.Contains(last, `rel="next"`) || strings.Contains(last, `class="lv down"`) {
		t.Error("the last page is not the last")
	}
	for _, none := range []string{"/en/all/21.html", "/en/all/0.html", "/en/all/01.html", "/en/all/1e0.html", "/en/history/1.html", "/en/history/41.html"} {
		if w := ask(t, server, http.MethodGet, none, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s is %d", none, w.Code)
		}
	}
}

// TestUnknown: what is older than its limit is unknown, in pages and in JSON.
func TestUnknown(t *testing.T) {
	s, now := fixture("stale")
	all := files(t, s, now)
	for _, p := range []string{"en/index.html", "en/services/map.html", "en/incidents/20221015-pangyo.html"} {
		main, _, _ := strings.Cut(all[p][strings.Index(all[p], "<main"):], "<section><h2>Time line") // which tells what was
		for _, level := range []string{"operational", "down", "restoring", "degraded"} {
			if strings.Contains(main, `class="lv `+level+`"`) {
				t.Errorf("%s still says %s", p, level)
			}
		}
	}
	if !strings.Contains(all["en/index.html"], "Unknown since") || !strings.Contains(all["api/v1/status.json"], `"stale":true`) {
		t.Error("the overview or the API does not say since when nobody knows")
	}
	fresh, when := fixture("incident")
	if page := files(t, fresh, when)["en/index.html"]; !strings.Contains(page, `Valid until <time datetime="2022-10-15T09:44:40Z"`) || !strings.Contains(page, "later than that, treat as unknown") {
		t.Error("a page that is valid does not say until when")
	}
}

// TestHostile: nothing that a document holds becomes markup that we did not write.
func TestHostile(t *testing.T) {
	s, now := fixture("hostile")
	for p, b := range files(t, s, now) {
		switch {
		case strings.HasSuffix(p, ".html"):
			if n := strings.Count(b, "<script"); n != 2 {
				t.Errorf("%s has %d scripts", p, n)
			}
			for _, tag := range regexp.MustCompile(`<[a-zA-Z][^>]*>`).FindAllString(b, -1) {
				low := strings.ToLower(tag)
				if regexp.MustCompile(`^<(img|iframe|object|embed|math|base|input name=password)`).MatchString(low) || regexp.MustCompile(`\son[a-z]+\s*=`).MatchString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(low, `""`)) ||
					strings.Contains(low, "javascript:") || regexp.MustCompile(`\sstyle=`).MatchString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(low, `""`)) || strings.Contains(low, `="data:`) {
					t.Errorf("%s holds %s", p, tag)
				}
			}
		case strings.HasSuffix(p, ".svg"):
			if strings.Contains(b, "<script") || strings.Contains(b, "onload") {
				t.Errorf("%s: %s", p, b)
			}
		}
	}
}

// TestPolicy: the policy in the header names the hash of what is inline, and only that.
func TestPolicy(t *testing.T) {
	s, _ := fixture("well")
	server, _, _ := site(t, fresh(s))
	w := ask(t, server, http.MethodGet, "/en/", "")
	policy := w.Header().Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("policy %s", policy)
	}
	for _, inline := range regexp.MustCompile(`(?s)<(?:style|script)>(.*?)</`).FindAllStringSubmatch(w.Body.String(), -1) {
		if hash := sha256Of(inline[1]); !strings.Contains(policy, "'sha256-"+hash+"'") {
			t.Errorf("the policy does not allow %.60s", inline[1])
		}
	}
}

// Messages hold no markup, because they are put into pages as they are.
func TestMessagesHoldNoMarkup(t *testing.T) {
	for _, l := range []string{"ko", "en"} {
		b, err := os.ReadFile("messages/" + l + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(string(b), "<>&") {
			t.Errorf("messages of %s hold markup", l)
		}
		if l == "en" && regexp.MustCompile(`[가-힣]`).MatchString(strings.ReplaceAll(string(b), "한국어", "")) {
			t.Error("English messages hold Korean")
		}
	}
}

func sha256Of(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}
