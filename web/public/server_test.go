package public_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/status"
	"bongsu/web/public"
)

// token is the token of a form on a page.
func token(tb testing.TB, h http.Handler, page string) string {
	tb.Helper()
	m := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(ask(tb, h, http.MethodGet, page, "").Body.String())
	if m == nil {
		tb.Fatalf("%s has no form", page)
	}
	return m[1]
}

func values(pairs ...string) string {
	v := url.Values{}
	for n := 0; n < len(pairs); n += 2 {
		v.Add(pairs[n], pairs[n+1])
	}
	return v.Encode()
}

// TestServe: languages, addresses without their ending, methods, caching.
func TestServe(t *testing.T) {
	server, _, src := site(t, present(t, "incident"))
	lang := func(accept, cookie string) string {
		w := ask(t, server, http.MethodGet, "/", "", func(r *http.Request) {
			r.Header.Set("Accept-Language", accept)
			if cookie != "" {
				r.AddCookie(&http.Cookie{Name: "lang", Value: cookie})
			}
		})
		if v := w.Header().Get("Vary"); !strings.Contains(v, "Accept-Language") || !strings.Contains(v, "Cookie") {
			t.Errorf("Vary: %s", v)
		}
		return w.Header().Get("Content-Language")
	}
	for _, c := range []struct{ accept, cookie, want string }{
		{"ko-KR,ko;q=0.9", "", "ko"}, {"de", "", "en"}, {"", "", "en"}, {"ko", "en", "en"}, {"en", "ko", "ko"}, {"ko", "xx", "ko"},
	} {
		if got := lang(c.accept, c.cookie); got != c.want {
			t.Errorf("Accept-Language %q and cookie %q give %s, want %s", c.accept, c.cookie, got, c.want)
		}
	}
	for target, want := range map[string]string{
		"/ko": "/ko/", "/incidents/20221015-pangyo": "/incidents/20221015-pangyo.html", "/ko/history": "/ko/history.html", "/en/subscribe/": "/en/subscribe.html",
	} {
		w := ask(t, server, http.MethodGet, target, "")
		if got := w.Header().Get("Location"); w.Code != http.StatusFound || got != want {
			t.Errorf("%s: %d to %q, want %q", target, w.Code, got, want)
		}
	}
	for _, bad := range []string{"/nope", "/ko/incidents/none.html", "/ko/services/..%2f..%2fetc%2fpasswd", "/assets/status.js", "/assets/../server.go", "//evil.example", "/fr/index.html", "/api/v2/nope.json", "/api/v3/x"} {
		w := ask(t, server, http.MethodGet, bad, "")
		if w.Code != http.StatusNotFound {
			t.Errorf("%s is %d, to %q", bad, w.Code, w.Header().Get("Location"))
		}
	}
	if w := ask(t, server, http.MethodDelete, "/", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("DELETE is %d", w.Code)
	}
	first := ask(t, server, http.MethodGet, "/en/", "")
	tag := first.Header().Get("ETag")
	again := ask(t, server, http.MethodGet, "/en/", "", func(r *http.Request) { r.Header.Set("If-None-Match", `"x", `+tag) })
	if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("with its ETag the page is %d of %d bytes", again.Code, again.Body.Len())
	}
	if head := ask(t, server, http.MethodHead, "/en/", ""); head.Code != http.StatusOK || head.Body.Len() > 0 || head.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD is %d of %d bytes", head.Code, head.Body.Len())
	}
	next := present(t, "incident")
	next.Incidents[0].Updates[0].Body = both("새 소식입니다", "This is news")
	src.set(next)
	changed := ask(t, server, http.MethodGet, "/en/", "", func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
	if changed.Code != http.StatusOK || !strings.Contains(changed.Body.String(), "This is news") {
		t.Error("a change does not show at once")
	}
	api := ask(t, server, http.MethodGet, "/api/v2/summary.json", "")
	if api.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.HasPrefix(api.Header().Get("Content-Type"), "application/json") {
		t.Errorf("the API is sent with %v", api.Header())
	}
	if first.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("pages are for all origins")
	}
	pre := ask(t, server, http.MethodOptions, "/api/v1/status.json", "")
	if pre.Code != http.StatusNoContent || pre.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS is %d", pre.Code)
	}
}

// TestExpires: a running node says unknown when its state becomes too old, without
// any change of the state.
func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := present(t, "well")
		s.AsOf, s.GoodFor = time.Now(), time.Minute
		server, _, _ := site(t, s)
		if body := ask(t, server, http.MethodGet, "/en/", "").Body.String(); !strings.Contains(body, "All services work") {
			t.Error("the page is not well while its state is young")
		}
		<-time.NewTimer(61 * time.Second).C
		if body := ask(t, server, http.MethodGet, "/en/", "").Body.String(); !strings.Contains(body, "Unknown since") || strings.Contains(body, "All services work") {
			t.Error("the page says how the services are though nobody knows")
		}
	})
}

// TestBase: the pages work below a path.
func TestBase(t *testing.T) {
	p, err := public.New(public.Options{Source: newSource(present(t, "well")), Desk: &desk{}, Base: "/status/"})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{"/status": http.StatusMovedPermanently, "/status/": 200, "/status/ko/history.html": 200, "/": 404, "/statusx": 404} {
		if w := ask(t, p, http.MethodGet, target, ""); w.Code != want {
			t.Errorf("%s is %d, want %d", target, w.Code, want)
		}
	}
	w := ask(t, p, http.MethodPost, "/status/ko/ask", values("form", token(t, p, "/status/ko/subscribe.html"), "text", "x"))
	if w.Code != http.StatusForbidden {
		t.Errorf("the token of another form is taken: %d", w.Code)
	}
}

// TestForms that are taken, and everything that is wrong with one.
func TestTaking(t *testing.T) {
	server, d, _ := site(t, present(t, "incident"))
	askToken, subToken := token(t, server, "/ko/incidents/20221015-pangyo.html"), token(t, server, "/ko/subscribe.html")
	long := strings.Repeat("가", 2001)
	from := 0
	post := func(path, body string, edit ...func(*http.Request)) (int, string) {
		from++ // each from a network of its own, so that limits are another test
		w := ask(t, server, http.MethodPost, path, body, append(edit, func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("10.%d.%d.1:4000", from/250, from%250) })...)
		return w.Code, w.Body.String() + w.Header().Get("Location")
	}
	for _, c := range []struct {
		name, path, body string
		code             int
		says             string
	}{
		{"a question", "/ko/ask", values("form", askToken, "incident", "20221015-pangyo", "text", "메일은요?", "contact", "a@example.com"), 303, "/ko/asked.html"},
		{"a question of nothing", "/ko/ask", values("form", askToken, "text", " \n"), 422, "질문을 써 주십시오"},
		{"a long question keeps what was typed", "/ko/ask", values("form", askToken, "text", long), 422, long},
		{"a bad contact", "/en/ask", values("form", askToken, "text", "hello there", "contact", "a@b\r\nBcc: x@example.com"), 422, "hello there"},
		{"an old form", "/en/ask", values("form", "0."+strings.Repeat("A", 22), "text", "typed with care"), 403, "typed with care"},
		{"no token", "/en/ask", values("text", "typed with care"), 403, "typed with care"},
		{"an incident that is gone", "/ko/ask", values("form", askToken, "incident", "none", "text", "언제요?"), 303, "/ko/asked.html"},
		{"a body that is too large", "/ko/ask", values("form", askToken, "text", strings.Repeat("x", 40_000)), 413, "너무 깁니다"},
		{"mail", "/en/subscribe", values("form", subToken, "kind", "email", "address", "a@example.com", "service", "mail", "service", "talk", "service", "mail"), 303, "/en/subscribed.html"},
		{"a webhook", "/en/subscribe", values("form", subToken, "kind", "webhook", "address", "https://hooks.example.com/x"), 303, "/en/subscribed.html"},
		{"a webhook that is not https", "/en/subscribe", values("form", subToken, "kind", "webhook", "address", "http://hooks.example.com/x"), 422, "https://"},
		{"a webhook with a password", "/en/subscribe", values("form", subToken, "kind", "slack", "address", "https://u:p@hooks.example.com/x"), 422, "https://"},
		{"two addresses", "/en/subscribe", values("form", subToken, "kind", "email", "address", "a@example.com,b@example.com"), 422, "not an e-mail address"},
		{"a header in an address", "/en/subscribe", values("form", subToken, "kind", "email", "address", "a@example.com\nBcc: b@example.com"), 422, "not an e-mail address"},
		{"a name with an address", "/en/subscribe", values("form", subToken, "kind", "email", "address", "A <a@example.com>"), 422, "not an e-mail address"},
		{"a service that is not there", "/en/subscribe", values("form", subToken, "kind", "email", "address", "a@example.com", "service", "none"), 422, "does not exist any more"},
		{"another kind", "/en/subscribe", values("form", subToken, "kind", "pigeon", "address", "a@example.com"), 422, "send it again"},
		{"confirm", "/en/confirm", values("form", token(t, server, "/en/confirm?token=good"), "token", "good"), 303, "/en/confirmed.html"},
		{"confirm with a bad token", "/en/confirm", values("form", token(t, server, "/en/confirm?token=bad"), "token", "bad"), 410, "not valid any more"},
		{"unsubscribe by the page", "/ko/unsubscribe", values("form", token(t, server, "/ko/unsubscribe?token=good"), "token", "good"), 303, "/ko/unsubscribed.html"},
		{"no such form", "/ko/delete-everything", values("form", askToken), 405, "할 수 없습니다"},
	} {
		if code, body := post(c.path, c.body); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d, want %d and %q in:\n%.2000s", c.name, code, c.code, c.says, body)
		}
	}
	if len(d.questions) != 2 || d.questions[0].Incident != "20221015-pangyo" || d.questions[0].Lang != "ko" || d.questions[0].Contact != "a@example.com" || d.questions[1].Incident != "" {
		t.Errorf("questions %+v", d.questions)
	}
	if len(d.subscriptions) != 2 || !slices.Equal(d.subscriptions[0].Services, []string{"mail", "talk"}) || d.subscriptions[0].From == "" {
		t.Errorf("subscriptions %+v", d.subscriptions)
	}
	if len(d.confirmed) != 1 || len(d.ended) != 1 {
		t.Errorf("confirmed %v, ended %v", d.confirmed, d.ended)
	}

	t.Run("from another site", func(t *testing.T) {
		for name, edit := range map[string]func(*http.Request){
			"by fetch metadata": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"by origin":         func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		} {
			if code, _ := post("/ko/ask", values("form", askToken, "text", "x"), edit); code != http.StatusForbidden {
				t.Errorf("%s: %d", name, code)
			}
		}
	})
	t.Run("by one click", func(t *testing.T) {
		code, _ := post("/unsubscribe?token=good", "List-Unsubscribe=One-Click", func(r *http.Request) { r.Header.Set("Origin", "https://mail.example") })
		if code != http.StatusOK || len(d.ended) != 2 {
			t.Errorf("%d, ended %v", code, d.ended)
		}
		if code, _ := post("/unsubscribe?token=bad", "List-Unsubscribe=One-Click"); code != http.StatusGone {
			t.Errorf("a bad token: %d", code)
		}
		if w := ask(t, server, http.MethodGet, "/unsubscribe?token=good", ""); w.Code != http.StatusOK || len(d.ended) != 2 {
			t.Error("looking at the page ended a subscription")
		}
	})
	t.Run("when the desk cannot", func(t *testing.T) {
		for err, want := range map[error]int{
			public.ErrUnavailable: http.StatusServiceUnavailable, public.ErrTooMany: http.StatusTooManyRequests, public.ErrInput: http.StatusUnprocessableEntity, errors.New("disk"): http.StatusServiceUnavailable,
		} {
			d.err = err
			code, body := post("/ko/ask", values("form", askToken, "text", "잃으면 안 되는 글", "contact", "a@example.com"))
			if code != want || !strings.Contains(body, "잃으면 안 되는 글") || strings.Contains(body, "disk") {
				t.Errorf("%v: %d, and what was typed is there: %v", err, code, strings.Contains(body, "잃으면"))
			}
		}
		d.err = nil
	})
}

// TestLimits: one network may send a few forms, others are not held up by it.
func TestLimits(t *testing.T) {
	p, err := public.New(public.Options{Source: newSource(present(t, "well")), Desk: &desk{}, Trust: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	if err != nil {
		t.Fatal(err)
	}
	tok := token(t, p, "/en/subscribe.html")
	send := func(remote, forwarded string) int {
		return ask(t, p, http.MethodPost, "/en/subscribe", values("form", tok, "kind", "email", "address", "victim@example.com"), func(r *http.Request) {
			r.RemoteAddr = remote
			if forwarded != "" {
				r.Header.Set("X-Forwarded-For", forwarded)
			}
		}).Code
	}
	for n := range 10 {
		if code := send(fmt.Sprintf("203.0.113.%d:99", n), ""); code != http.StatusSeeOther {
			t.Fatalf("form %d: %d", n, code)
		}
	}
	for name, c := range map[string]struct {
		remote, forwarded string
		want              int
	}{
		"the same network":                {"203.0.113.200:99", "", 429},
		"one that claims to be another":   {"203.0.113.200:99", "198.51.100.1", 429},
		"another network":                 {"198.51.100.7:99", "", 303},
		"the network behind a proxy":      {"192.0.2.1:99", "6.6.6.6, 203.0.113.9", 429},
		"another behind a proxy":          {"192.0.2.1:99", "203.0.113.9, 198.51.100.9", 303},
		"a proxy that tells nonsense":     {"192.0.2.1:99", "nonsense", 303},
		"IPv6":                            {"[2001:db8::1]:99", "", 303},
		"an IPv4 address written as IPv6": {"[::ffff:203.0.113.7]:99", "", 429},
	} {
		if code := send(c.remote, c.forwarded); code != c.want {
			t.Errorf("%s: %d, want %d", name, code, c.want)
		}
	}
}

// TestNoGetChangesAnything walks what readers can look at.
func TestNoGetChangesAnything(t *testing.T) {
	server, d, _ := site(t, present(t, "incident"))
	for _, target := range []string{"/ask?text=x", "/subscribe?kind=email&address=a@example.com", "/confirm?token=good", "/unsubscribe?token=good", "/en/subscribe.html?service=mail"} {
		ask(t, server, http.MethodGet, target, "")
	}
	if len(d.questions)+len(d.subscriptions)+len(d.confirmed)+len(d.ended) > 0 {
		t.Errorf("a GET did something: %+v", d)
	}
	if body := ask(t, server, http.MethodGet, "/en/subscribe.html?service=mail", "").Body.String(); !strings.Contains(body, `value="mail" checked`) {
		t.Error("the service of the address is not chosen")
	}
}

// TestEmptyState: a node that knows nothing says so, and does not break.
func TestEmptyState(t *testing.T) {
	for name, s := range map[string]*status.State{"nil": nil, "zero": {}} {
		p, err := public.New(public.Options{Source: newSource(s), Desk: &desk{}})
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{"/en/", "/en/history.html", "/en/all/1.html", "/api/v2/summary.json", "/api/v1/status.json", "/history.atom", "/maintenance.ics", "/badge.svg", "/banner.json", "/rev.json", "/en/subscribe.html"} {
			w := ask(t, p, http.MethodGet, target, "")
			if w.Code != http.StatusOK {
				t.Errorf("%s: %s is %d", name, target, w.Code)
			}
			if strings.HasSuffix(target, ".json") && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s: %s is not JSON", name, target)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := public.New(public.Options{}); err == nil {
		t.Error("a server without a source")
	}
	if _, err := public.New(public.Options{Source: newSource(nil), Key: []byte("short")}); err == nil || !strings.Contains(err.Error(), "32 bytes") {
		t.Errorf("a short key: %v", err)
	}
}

// TestSlowConnections: whoever opens many connections and sends nothing gets no more
// than a share, and readers are answered all the while.
func TestSlowConnections(t *testing.T) {
	server, _, _ := site(t, present(t, "well"))
	listen, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const total, perPeer = 300, 60
	h := &http.Server{}
	server.Configure(h)
	if h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= 0 || h.WriteTimeout <= 0 || h.IdleTimeout <= 0 || h.MaxHeaderBytes <= 0 {
		t.Errorf("a limit is missing: %+v", h)
	}
	h.ReadHeaderTimeout, h.ReadTimeout = time.Minute, time.Minute // so that only the guard lets anybody go
	guarded := public.GuardWith(server, listen, total, perPeer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Serve(guarded)
	}()
	defer func() {
		_ = h.Close()
		<-done
	}()
	// From 20 networks of 30 connections each, more than fit in all; then 200 from one.
	var held []net.Conn
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
		c, err := d.DialContext(t.Context(), "tcp", listen.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for network := range 20 {
		for n := range 30 {
			c := dial(fmt.Sprintf("127.1.%d.%d", network, n+1))
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
				continue // it was let go already
			}
			held = append(held, c)
		}
	}
	for range 200 {
		held = append(held, dial("127.2.0.1"))
	}
	read := func(from string) error {
		c := dial(from)
		defer c.Close() //nolint:errcheck // the answer is what counts
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(c, "GET /en/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			return err
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		defer r.Body.Close() //nolint:errcheck // as above
		b, err := io.ReadAll(r.Body)
		if err == nil && (r.StatusCode != http.StatusOK || !strings.Contains(string(b), "All services work")) {
			return fmt.Errorf("status %d, %d bytes", r.StatusCode, len(b))
		}
		return err
	}
	for n := range 30 {
		if err := read(fmt.Sprintf("127.3.%d.1", n)); err != nil {
			t.Errorf("reader %d: %v", n, err)
		}
	}
	if read("127.2.0.9") == nil {
		t.Error("the network that holds its share is given more")
	}
	if open, peers := public.GuardCounts(guarded); open > total || peers > perPeer {
		t.Errorf("%d connections, %d of one network", open, peers)
	}
}
