package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bongsu/estate"
	"bongsu/internal/kv"
	"bongsu/web"
	"bongsu/web/webtest"
)

// fill puts names of the fixture into the wildcards of a route.
func fill(path string) string {
	return strings.NewReplacer("{$}", "", "/runs/{id}", "/runs/r-0012", "/incidents/{id}", "/incidents/20221015-pangyo",
		"{verb}", "abort", "{rest...}", "pay-ledger/promote@sejong/confirm").Replace(path)
}

// TestNoGetChangesAnything walks all routes: what is a GET must leave the node as
// it was, and what is a POST must do nothing when it is asked for with GET or HEAD.
func TestNoGetChangesAnything(t *testing.T) {
	for _, scenario := range []string{"proposed", "running", "paused"} {
		s, b := console(t, scenario)
		before := state(t, b)
		var gets, posts int
		for _, r := range s.Routes() {
			switch r.Method {
			case http.MethodGet:
				gets++
			case http.MethodPost:
				posts++
			default:
				t.Errorf("%s %s: a route is a GET or a POST", r.Method, r.Path)
			}
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				for _, query := range []string{"", "?verb=approve&why=x&lost=gasan&rev=sha256:0d5b7f3e9c114a68&lang=en"} {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // the stream of events has no end
					ask(t, s, method, fill(r.Path)+query, "approver", func(q *http.Request) { *q = *q.WithContext(ctx) })
					cancel()
				}
			}
		}
		if gets < 15 || posts < 15 {
			t.Errorf("only %d GET and %d POST routes: the list is not whole", gets, posts)
		}
		if diff := cmp.Diff(before, state(t, b), cmpopts.IgnoreUnexported(estate.Snapshot{})); diff != "" {
			t.Errorf("%s: a GET changed the node (-before +after):\n%s", scenario, diff)
		}
	}
}

func state(t *testing.T, b *webtest.Backend) []any {
	t.Helper()
	f, err := b.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log, err := b.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return []any{f.Incidents, f.Runs, f.View, f.Revision, log, b.Commands()}
}

// TestEveryRouteAsksWho: nothing but the log-in page, the language and the health
// answers a reader who is not signed in, and each route refuses the role below its own.
func TestEveryRouteAsksWho(t *testing.T) {
	s, b := console(t, "running")
	open := map[string]bool{"/login": true, "/logout": true, "/language": true, "/api/v1/healthz": true}
	for _, r := range s.Routes() {
		if (r.Role == web.Nobody) != open[r.Path] {
			t.Errorf("%s %s: open to everybody is %t", r.Method, r.Path, r.Role == web.Nobody)
		}
		if r.Role == web.Nobody {
			continue
		}
		w := ask(t, s, r.Method, fill(r.Path), "")
		if api := strings.HasPrefix(r.Path, "/api/"); r.Method == http.MethodGet && !api {
			if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/login") {
				t.Errorf("%s %s without an account: %d to %q, want the log-in page", r.Method, r.Path, w.Code, w.Header().Get("Location"))
			}
		} else if w.Code != http.StatusUnauthorized {
			t.Errorf("%s %s without an account: status %d, want 401", r.Method, r.Path, w.Code)
		}
		for _, role := range []web.Role{web.Viewer, web.Operator} {
			if role < r.Role {
				if w := ask(t, s, r.Method, fill(r.Path), role.String()); w.Code != http.StatusForbidden {
					t.Errorf("%s %s as %s: status %d, want 403", r.Method, r.Path, role, w.Code)
				}
			}
		}
	}
	if got := b.Commands(); len(got) > 0 {
		t.Errorf("refused requests were carried out: %v", got)
	}
}

func post(t *testing.T, h http.Handler, target, as, body string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	kind := "application/x-www-form-urlencoded"
	if strings.HasPrefix(body, "{") {
		kind = "application/json"
	}
	return ask(t, h, http.MethodPost, target, as, append([]func(*http.Request){func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", kind)
	}}, edit...)...)
}

// TestRoles: who may decide what, in forms and in the API alike.
func TestRoles(t *testing.T) {
	verbs := []struct {
		path string
		need web.Role
	}{
		{"/runs/r-0012/pause", web.Operator},
		{"/runs/r-0012/steps/pay-ledger/promote@sejong/confirm", web.Operator},
		{"/runs/r-0012/steps/map-tile/scale@sejong/retry", web.Operator},
		{"/runs/r-0012/steps/talk-media/verify@gasan/skip", web.Operator},
		{"/runs/r-0012/abort", web.Approver},
		{"/incidents/20221015-pangyo/withdraw", web.Approver},
		{"/incidents/20221015-pangyo/close", web.Approver},
	}
	for _, prefix := range []string{"", "/api/v1"} {
		body := "why=because"
		if prefix != "" {
			body = `{"why":"because"}`
		}
		for _, v := range verbs {
			for _, role := range []web.Role{web.Viewer, web.Operator, web.Approver} {
				s, b := console(t, "running")
				b.Change(func(f *web.Facts) { f.Second = false }) // TestSecondPerson has it
				w := post(t, s, prefix+v.path, role.String(), body)
				if role < v.need {
					if w.Code != http.StatusForbidden || len(b.Commands()) != 0 {
						t.Errorf("%s%s as %s: status %d, %d commands; want 403 and none", prefix, v.path, role, w.Code, len(b.Commands()))
					}
				} else if strings.Contains(v.path, "talk-media/verify") {
					// The fixture does not offer it now: the backend refuses, and says so.
					if w.Code != http.StatusConflict {
						t.Errorf("%s%s as %s: status %d, want 409", prefix, v.path, role, w.Code)
					}
				} else if got := b.Commands(); len(got) != 1 || got[0].Who != role.String() || got[0].Why != "because" {
					t.Errorf("%s%s as %s: status %d, commands %+v", prefix, v.path, role, w.Code, got)
				}
			}
		}
	}
	// Which nodes vote is for an approver to decide, and so is what the estate is.
	for path, body := range map[string]string{
		"/api/v1/members/replace": `{"lost":"pangyo","name":"pangyo","peer":"10.1.0.9:7400","why":"because"}`,
		"/api/v1/members/move":    `{"name":"pangyo","peer":"10.1.0.9:7400","why":"because"}`,
		"/api/v1/members/repair":  `{"why":"because"}`,
	} {
		for role, want := range map[web.Role]int{web.Viewer: http.StatusForbidden, web.Operator: http.StatusForbidden, web.Approver: http.StatusOK} {
			s, _ := console(t, "well")
			if w := post(t, s, path, role.String(), body); w.Code != want {
				t.Errorf("%s as %s: status %d, want %d", path, role, w.Code, want)
			}
		}
	}
	// An operator proposes, an approver declares.
	for role, want := range map[string]web.Verb{"operator": web.Propose, "approver": web.Declare} {
		s, b := console(t, "well")
		if w := post(t, s, "/api/v1/incidents", role, `{"lost":["gasan"],"why":"smoke"}`); w.Code != http.StatusCreated {
			t.Errorf("declare as %s: status %d", role, w.Code)
		}
		if got := b.Commands(); len(got) != 1 || got[0].Verb != want || !slices.Equal(got[0].Lost, []string{"gasan"}) {
			t.Errorf("as %s: %+v, want %s", role, got, want)
		}
	}
}

// A browser keeps cookies and follows no redirect.
type browser struct {
	t    *testing.T
	http *http.Client
	url  string
}

func newBrowser(t *testing.T, h http.Handler) *browser {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := server.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t, c, server.URL}
}

// An answer is what a browser got, read to its end.
type answer struct {
	StatusCode int
	Header     http.Header
	Cookies    []*http.Cookie
}

func (b *browser) do(method, path string, form url.Values, header ...string) (answer, string) {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, res.Cookies()}, string(text)
}

// token reads the form token of a page.
func (b *browser) token(path string) string {
	b.t.Helper()
	_, body := b.do(http.MethodGet, path, nil)
	m := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(body)
	if m == nil {
		b.t.Fatalf("%s has no form token:\n%s", path, body)
	}
	return m[1]
}

func (b *browser) login(name string) answer {
	b.t.Helper()
	res, _ := b.do(http.MethodPost, "/login", url.Values{"token": {b.token("/login")}, "name": {name}, "password": {name + "-password"}, "next": {"/journal"}})
	return res
}

func TestLogin(t *testing.T) {
	s, _ := console(t, "running")
	b := newBrowser(t, s)
	res, _ := b.do(http.MethodGet, "/runs/r-0012?x=1", nil)
	if got := res.Header.Get("Location"); got != "/login?next=%2Fruns%2Fr-0012%3Fx%3D1" {
		t.Errorf("sent to %q, want the log-in page that leads back", got)
	}
	res, body := b.do(http.MethodPost, "/login", url.Values{"token": {b.token("/login")}, "name": {"operator"}, "password": {"wrong"}})
	if res.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "Wrong name or password.") || strings.Contains(body, "wrong\"") {
		t.Errorf("a wrong password: status %d", res.StatusCode)
	}
	if res = b.login("operator"); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/journal" {
		t.Fatalf("log-in: status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	i := slices.IndexFunc(res.Cookies, func(c *http.Cookie) bool { return c.Name == "__Host-bongsu-session" })
	if i < 0 {
		t.Fatalf("no session cookie among %v", res.Cookies)
	}
	if c := res.Cookies[i]; !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge <= 0 {
		t.Errorf("the session cookie is too open: %+v", c)
	}
	if res, _ := b.do(http.MethodGet, "/", nil); res.StatusCode != http.StatusOK {
		t.Errorf("signed in, but status %d", res.StatusCode)
	}
	b.do(http.MethodPost, "/logout", url.Values{"token": {b.token("/")}})
	if res, _ := b.do(http.MethodGet, "/", nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("signed out, but status %d", res.StatusCode)
	}
}

// TestSessionIsSigned changes each byte of a session in turn.
func TestSessionIsSigned(t *testing.T) {
	s, _ := console(t, "well")
	b := newBrowser(t, s)
	res := b.login("viewer")
	var session string
	for _, c := range res.Cookies {
		if strings.HasSuffix(c.Name, "session") {
			session = c.Value
		}
	}
	with := func(value string) int {
		w := ask(t, s, http.MethodGet, "/api/v1/now", "", func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: "bongsu-session", Value: value})
		})
		return w.Code
	}
	if code := with(session); code != http.StatusOK {
		t.Fatalf("the session itself: status %d", code)
	}
	// The last digit of base64 may carry unused bits, so the one before it is the last tried.
	for i := range len(session) - 1 {
		forged := []byte(session)
		forged[i] ^= 1
		if code := with(string(forged)); code != http.StatusUnauthorized {
			t.Fatalf("byte %d changed: status %d, want 401", i, code)
		}
	}
	other, err := web.New(web.Options{Backend: mustBackend(t, "well"), Accounts: webtest.Accounts{}, Key: []byte(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	w := ask(t, other, http.MethodGet, "/api/v1/now", "", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "bongsu-session", Value: session}) })
	if w.Code != http.StatusUnauthorized {
		t.Errorf("a server with another key took the session: status %d", w.Code)
	}
}

func mustBackend(t *testing.T, scenario string) *webtest.Backend {
	t.Helper()
	b, err := webtest.New(scenario)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// gone is a door whose accounts were all removed after they logged in.
type gone struct{ webtest.Accounts }

func (gone) Current(string) (web.Role, bool) { return web.Nobody, false }

func TestRemovedAccountLosesItsSession(t *testing.T) {
	s, err := web.New(web.Options{Backend: mustBackend(t, "well"), Accounts: gone{}, Key: webtest.Key()})
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s)
	b.login("approver")
	if res, _ := b.do(http.MethodGet, "/", nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("status %d, want the log-in page", res.StatusCode)
	}
}

// TestSessionEnds runs on a clock of its own.
func TestSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := console(t, "well")
		var cookies []*http.Cookie
		with := func(r *http.Request) {
			for _, c := range cookies {
				r.AddCookie(c)
			}
		}
		page := ask(t, s, http.MethodGet, "/login", "")
		cookies = page.Result().Cookies()
		token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page.Body.String())[1]
		w := post(t, s, "/login", "", url.Values{"token": {token}, "name": {"viewer"}, "password": {"viewer-password"}}.Encode(), with)
		cookies = append(cookies, w.Result().Cookies()...)
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, http.StatusOK}, {12*time.Hour - time.Second, http.StatusOK}, {time.Second, http.StatusUnauthorized}} {
			wait(t, step.after)
			if w := ask(t, s, http.MethodGet, "/api/v1/now", "", with); w.Code != step.want {
				t.Errorf("%v later: status %d, want %d", step.after, w.Code, step.want)
			}
		}
	})
}

// wait lets the clock of a synctest bubble run.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// counting counts password checks.
type counting struct {
	webtest.Accounts
	checks int
}

func (c *counting) Password(ctx context.Context, name, password string) (web.Role, bool) {
	c.checks++
	return c.Accounts.Password(ctx, name, password)
}

// TestLoginIsLimited: the same number of tries whether or not the name exists,
// and no check of a password beyond it.
func TestLoginIsLimited(t *testing.T) {
	for _, name := range []string{"approver", "nobody-has-this-name"} {
		synctest.Test(t, func(t *testing.T) {
			doors := &counting{}
			s, err := web.New(web.Options{Backend: mustBackend(t, "well"), Accounts: doors, Key: webtest.Key()})
			if err != nil {
				t.Fatal(err)
			}
			page := ask(t, s, http.MethodGet, "/login", "")
			token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page.Body.String())[1]
			try := func(password, from string) *httptest.ResponseRecorder {
				return post(t, s, "/login", "", url.Values{"token": {token}, "name": {name}, "password": {password}}.Encode(), func(r *http.Request) {
					r.RemoteAddr = from
					for _, c := range page.Result().Cookies() {
						r.AddCookie(c)
					}
				})
			}
			var codes []int
			for range 8 {
				codes = append(codes, try("guess", "192.0.2.1:1000").Code)
			}
			if want := []int{401, 401, 401, 401, 401, 429, 429, 429}; !slices.Equal(codes, want) || doors.checks != 5 {
				t.Errorf("%s: %v with %d checks, want %v with 5", name, codes, doors.checks, want)
			}
			if w := try(name+"-password", "192.0.2.1:1001"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s: the right password while locked: status %d, Retry-After %q", name, w.Code, w.Header().Get("Retry-After"))
			}
			if w := try("guess", "192.0.2.2:1000"); w.Code != http.StatusUnauthorized {
				t.Errorf("%s: another address is locked, too: status %d", name, w.Code)
			}
			wait(t, 31*time.Second)
			want := http.StatusSeeOther
			if name != "approver" {
				want = http.StatusUnauthorized
			}
			if w := try(name+"-password", "192.0.2.1:1002"); w.Code != want {
				t.Errorf("%s: half a minute later: status %d, want %d", name, w.Code, want)
			}
		})
	}
}

func TestLimiterForgets(t *testing.T) {
	l := web.NewLimiter(2, time.Second, 3)
	now := time.Unix(0, 0)
	for i := range 3 {
		if _, ok := l.Take(fmt.Sprint(i), now); !ok {
			t.Fatalf("key %d is refused", i)
		}
	}
	if _, ok := l.Take("one too many", now); ok {
		t.Error("a fourth key is taken although only three may be remembered")
	}
	if _, ok := l.Take("later", now.Add(2*time.Second)); !ok {
		t.Error("keys that are full again were not forgotten")
	}
	if _, ok := l.Take("later", now.Add(-time.Hour)); !ok {
		t.Error("a clock that jumps back locks people out")
	}
}

// TestForgedRequests: what another site could make a signed-in browser send.
func TestForgedRequests(t *testing.T) {
	s, backend := console(t, "running")
	b := newBrowser(t, s)
	b.login("approver")
	token := b.token("/runs/r-0012")
	form := func(token string) url.Values { return url.Values{"token": {token}, "why": {"forged"}} }
	stranger := newBrowser(t, s)
	stranger.login("viewer")
	for name, c := range map[string]struct {
		form   url.Values
		header []string
		want   int
	}{
		"no token":              {form(""), nil, 403},
		"token of another":      {form(stranger.token("/")), nil, 403},
		"cross-site":            {form(token), []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"same site, other host": {form(token), []string{"Sec-Fetch-Site", "same-site"}, 403},
		"other origin":          {form(token), []string{"Origin", "https://evil.example"}, 403},
		"null origin":           {form(token), []string{"Origin", "null"}, 403},
		"too large":             {url.Values{"token": {token}, "why": {strings.Repeat("x", 100_000)}}, nil, 413},
		"reason too long":       {url.Values{"token": {token}, "why": {strings.Repeat("x", 3000)}}, nil, 422},
		"no reason":             {url.Values{"token": {token}, "why": {"  "}}, nil, 400},
	} {
		if res, _ := b.do(http.MethodPost, "/runs/r-0012/abort", c.form, c.header...); res.StatusCode != c.want {
			t.Errorf("%s: status %d, want %d", name, res.StatusCode, c.want)
		}
	}
	// The API takes a session only with the token in a header.
	if res, _ := b.do(http.MethodPost, "/api/v1/runs/r-0012/abort", nil, "Content-Type", "application/json"); res.StatusCode != http.StatusForbidden {
		t.Errorf("API by session without token: status %d, want 403", res.StatusCode)
	}
	if got := backend.Commands(); len(got) != 0 {
		t.Fatalf("forged requests were carried out: %+v", got)
	}
	res, _ := b.do(http.MethodPost, "/runs/r-0012/pause", url.Values{"token": {token}, "why": {"세종 확인"}, "next": {"/runs/r-0012"}}, "Sec-Fetch-Site", "same-origin", "Origin", b.url)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/runs/r-0012" {
		t.Errorf("the real form: status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	want := []web.Command{{Verb: web.Pause, Run: "r-0012", Who: "approver", Why: "세종 확인"}}
	if diff := cmp.Diff(want, backend.Commands()); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

// TestLoginCannotBeForged: another site cannot sign a reader in as somebody else.
func TestLoginCannotBeForged(t *testing.T) {
	s, _ := console(t, "well")
	b := newBrowser(t, s)
	if res, _ := b.do(http.MethodPost, "/login", url.Values{"name": {"viewer"}, "password": {"viewer-password"}}); res.StatusCode != http.StatusForbidden {
		t.Errorf("log-in without a form token: status %d, want 403", res.StatusCode)
	}
}

func TestLanguage(t *testing.T) {
	s, _ := console(t, "well")
	b := newBrowser(t, s)
	b.login("viewer")
	if _, body := b.do(http.MethodGet, "/runs", nil, "Accept-Language", "fr,ko-KR;q=0.8,en;q=0.5"); !strings.Contains(body, `<html lang="ko"`) {
		t.Error("Accept-Language is not heeded")
	}
	res, _ := b.do(http.MethodPost, "/language", url.Values{"token": {b.token("/runs")}, "lang": {"en"}, "next": {"/runs"}}, "Accept-Language", "ko")
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/runs" {
		t.Errorf("the switch: status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	if _, body := b.do(http.MethodGet, "/runs", nil, "Accept-Language", "ko"); !strings.Contains(body, `<html lang="en"`) {
		t.Error("the switch is not remembered")
	}
}

func TestLocalPath(t *testing.T) {
	for p, want := range map[string]string{
		"/runs/r-1?x=1": "/runs/r-1?x=1", "": "/", "runs": "/", "https://evil.example/": "/", "//evil.example": "/",
		"/\\evil.example": "/", "/a\r\nSet-Cookie: x": "/", "javascript:alert(1)": "/",
	} {
		if got := web.LocalPath(p); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", p, got, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	s, _ := console(t, "well")
	for _, target := range []string{"/", "/login", "/nowhere", "/api/v1/now", "/api/v1/nowhere"} {
		h := ask(t, s, http.MethodGet, target, "viewer").Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: content security policy %q", target, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
	}
	var page string
	if page = ask(t, s, http.MethodGet, "/", "viewer").Body.String(); !strings.Contains(page, "/assets/app.") {
		t.Fatal("the page links no asset")
	}
	for _, m := range regexp.MustCompile(`/assets/[^"]+`).FindAllString(page, -1) {
		w := ask(t, s, http.MethodGet, m, "")
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d, Cache-Control %q", m, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// TestProblems: each kind of trouble keeps its code and status, and is said in
// both languages.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{kv.ErrUnavailable, 503, "no-quorum"},
		{kv.ErrFull, 507, "store-full"},
		{kv.ErrConflict, 409, "conflict"},
		{kv.ErrFenced, 409, "superseded"},
		{web.ErrRefused, 409, "refused"},
		{web.ErrNotFound, 404, "not-found"},
		{web.ErrBadInput, 422, "bad-input"},
		{errors.New("a bug"), 500, "internal"},
	} {
		s, b := console(t, "running")
		b.Fail(fmt.Errorf("pause r-0012: %w", c.err))
		w := post(t, s, "/api/v1/runs/r-0012/pause", "operator", `{"why":"x"}`)
		var answer struct {
			Error web.Error `json:"error"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%v: %v", c.err, err)
		}
		if w.Code != c.status || answer.Error.Code != c.code || answer.Error.Message == "" || answer.Error.Hint == "" {
			t.Errorf("%v: status %d, %+v", c.err, w.Code, answer.Error)
		}
		for _, lang := range []string{"ko", "en"} {
			page := post(t, s, "/runs/r-0012/pause", "operator", "why=x", inLang(lang))
			if page.Code != c.status || !strings.Contains(page.Body.String(), c.code) || !strings.Contains(page.Body.String(), "<dd>") {
				t.Errorf("%v in %s: status %d, and not the error page", c.err, lang, page.Code)
			}
		}
	}
}

// flushed tells of every flush of a stream.
type flushed struct {
	*httptest.ResponseRecorder
	ch chan string
}

func (f flushed) Flush() {
	f.ch <- f.Body.String()
	f.Body.Reset()
}

// TestEvents: a change of the node reaches the reader, silence is broken by
// beats, and the stream ends with the reader.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := console(t, "running")
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/events", nil)
		r.Header.Set("Authorization", "Bearer viewer-token")
		w := flushed{httptest.NewRecorder(), make(chan string)}
		done := make(chan struct{})
		go func() { defer close(done); s.ServeHTTP(w, r) }()
		if got := <-w.ch; !strings.Contains(got, "event: hello\n") {
			t.Errorf("first event %q, want hello", got)
		}
		start := time.Now()
		b.Change(func(f *web.Facts) { f.At = f.At.Add(time.Second) })
		if got := <-w.ch; !strings.Contains(got, "event: change\n") || time.Since(start) > 0 {
			t.Errorf("after a change: %q, %v later", got, time.Since(start))
		}
		if got := <-w.ch; !strings.Contains(got, "event: beat\n") || time.Since(start) > 15*time.Second {
			t.Errorf("after silence: %q, %v later", got, time.Since(start))
		}
		cancel()
		<-done
	})
}
