package desk

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"bongsu/web"
)

// who says who may use each route: the same as the table of routes, written down once
// more by a person. A route that stands in one table only fails.
func allowed() map[string]string {
	return map[string]string{
		"GET /{$}": "known", "GET /login": "anyone", "POST /login": "anyone", "POST /logout": "known", "POST /language": "anyone",
		"GET /questions": "viewer", "POST /answer": "operator", "POST /approve": "approver", "POST /drop": "operator",
		"GET /claims": "agent decider", "POST /claims/find": "agent decider", "POST /claims/bulk": "decider", "POST /claims/bulk/do": "decider",
		"GET /claims/{id}": "agent decider payer", "POST /claims/{id}/coupon": "payer", "POST /claims/{id}/decide": "decider", "POST /claims/{id}/confirm": "decider",
		"POST /claims/{id}/reject": "decider", "POST /claims/{id}/policy": "decider", "POST /claims/{id}/clear": "decider",
		"POST /claims/{id}/figures": "decider", "POST /claims/{id}/look": "agent decider", "POST /claims/{id}/paper": "agent decider",
		"POST /claims/{id}/amend": "agent", "POST /claims/{id}/bank": "agent", "POST /claims/{id}/add": "agent",
		"POST /claims/{id}/withdraw": "agent", "POST /claims/{id}/appeal": "agent",
		"GET /enter": "agent", "POST /enter": "agent", "GET /import": "agent", "POST /import": "agent",
		"GET /windows": "decider", "POST /windows/open": "decider", "POST /windows/extend": "decider", "POST /windows/close": "decider",
		"GET /policies": "decider body", "GET /policies/{id}": "decider body", "POST /policies/check": "decider", "POST /policies/submit": "decider",
		"POST /policies/{id}/approve": "decider",
		"GET /whatif":                 "decider body", "POST /whatif": "decider body", "GET /jobs/{id}": "agent decider payer body privacy", "GET /jobs/{id}/table.xlsx": "decider body",
		"GET /run": "decider", "POST /run/preview": "decider", "POST /run/decide": "decider", "POST /run/flag": "decider",
		"GET /unasked": "decider", "POST /unasked/try": "decider", "POST /unasked/submit": "decider", "POST /unasked/approve": "decider",
		"GET /body": "decider body", "GET /body/data.csv": "body", "GET /body/{session}": "decider body", "POST /body/open": "decider body",
		"POST /body/{session}/save": "decider body", "POST /body/{session}/ask": "decider body", "POST /body/{session}/comment": "body",
		"POST /body/{session}/vote": "body", "POST /body/{session}/publish": "decider body",
		"GET /payout": "payer", "GET /payout/reconcile": "payer", "POST /payout/grant": "payer", "POST /payout/draft": "payer",
		"POST /payout/approve": "payer", "POST /payout/file": "payer", "POST /payout/sent": "payer", "POST /payout/drop": "payer",
		"POST /payout/results": "payer", "POST /payout/recourse": "payer", "POST /payout/mend": "payer", "POST /payout/again": "payer", "GET /payout/missing": "payer", "GET /payout/batch/{batch}": "payer",
		"GET /privacy": "privacy", "POST /privacy/erase": "privacy", "POST /privacy/retain": "privacy",
	}
}

// reader is one kind of account, and the words that open routes to it.
func readers() map[string]struct {
	as    string
	opens []string
} {
	return map[string]struct {
		as    string
		opens []string
	}{
		"agent":    {"kim", []string{"anyone", "known", "agent"}},
		"decider":  {"lee", []string{"anyone", "known", "decider"}},
		"payer":    {"choi", []string{"anyone", "known", "payer"}},
		"body":     {"kang", []string{"anyone", "known", "body"}},
		"privacy":  {"yoon", []string{"anyone", "known", "privacy"}},
		"viewer":   {"viewer", []string{"anyone", "known", "viewer"}},
		"operator": {"agent", []string{"anyone", "known", "viewer", "operator"}},
		"approver": {"editor", []string{"anyone", "known", "viewer", "operator", "approver"}},
		"nobody":   {"nobody", []string{"anyone", "known"}},
	}
}

// TestRights tries every route as every kind of account: it is let in, or refused with
// 403 before anything of the request is read.
func TestRights(t *testing.T) {
	b := newBench(t)
	table := allowed()
	logged := b.everybody()
	for _, rt := range routes() {
		words, ok := table[rt.pattern]
		if !ok {
			t.Errorf("%s is not in the table of this test: say there who may use it", rt.pattern)
			continue
		}
		delete(table, rt.pattern)
		if rt.has != nil && !rt.has(&b.s.o) {
			t.Errorf("the desk of the tests has no %s", rt.pattern)
		}
		method, path, _ := strings.Cut(rt.pattern, " ")
		path = strings.NewReplacer("{$}", "", "{id}", "0000-0000-0000", "{session}", "1", "{batch}", "1").Replace(path)
		for name, r := range readers() {
			want := slices.ContainsFunc(strings.Fields(words), func(w string) bool { return slices.Contains(r.opens, w) })
			p := logged[name]
			var w *httptest.ResponseRecorder
			if method == http.MethodGet {
				w = p.get(path)
			} else {
				w = p.send(form(path, nil)) // without a token: nothing is done, but who may not is told so first
			}
			refused := w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "이 일을 할 권한이 없습니다")
			if refused == want {
				t.Errorf("%s as %s: %d, allowed: %v", rt.pattern, name, w.Code, want)
			}
		}
		stranger := &person{b: b, cookies: map[string]string{}, lang: "ko"}
		w := stranger.send(httptest.NewRequest(method, path, nil))
		switch {
		case slices.Contains(strings.Fields(words), "anyone"):
		case method == http.MethodGet:
			if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/login") {
				t.Errorf("%s as a stranger: %d to %q", rt.pattern, w.Code, to)
			}
		case w.Code != http.StatusUnauthorized:
			t.Errorf("%s as a stranger: %d", rt.pattern, w.Code)
		}
	}
	if len(table) > 0 {
		t.Errorf("routes that are not there any more: %v", slices.Sorted(maps.Keys(table)))
	}
}

// everybody is one person of each kind, logged in.
func (b *bench) everybody() map[string]*person {
	out := map[string]*person{}
	for kind, r := range readers() {
		out[kind] = b.quick(r.as)
	}
	return out
}

// quick logs somebody in without the pages.
func (b *bench) quick(name string) *person {
	p := &person{b: b, name: name, cookies: map[string]string{}, lang: "ko"}
	p.get("/login")
	r := form("/login", url.Values{"name": {name}, "password": {"pw " + name}, "token": {p.token()}})
	r.RemoteAddr = "10." + strings.Join(strings.Split(strings.Repeat(name[:1]+".", 3), ".")[:3], ".") + ":1"
	p.send(r)
	return p
}

func form(path string, v url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// TestNoRouteForNobody: a route that says nothing of who may use it lets nobody in.
func TestNoRouteForNobody(t *testing.T) {
	all := Rights{Questions: web.Approver, Claims: Agent | Decider | Payer | Body | Privacy}
	if (access{}).allows(all) {
		t.Error("a route without a rule is open")
	}
	for _, rt := range routes() {
		if rt.may == (access{}) {
			t.Errorf("%s says nothing of who may use it", rt.pattern)
		}
	}
}

func TestDuties(t *testing.T) {
	d, err := ParseDuties([]string{"privacy", "agent"})
	if err != nil || d != Privacy|Agent || !slices.Equal(d.Names(), []string{"agent", "privacy"}) {
		t.Errorf("%v, %v", d.Names(), err)
	}
	if _, err := ParseDuties([]string{"boss"}); err == nil {
		t.Error("an unknown duty was read")
	}
}

// TestGetChangesNothing opens every page as everybody and compares the store before and
// after, byte for byte.
func TestGetChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		dump := func() string {
			all, _, err := b.store.List(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			for _, e := range all {
				out.WriteString(e.Key)
				out.Write(e.Value)
			}
			return out.String()
		}
		logged := b.everybody()
		for _, p := range logged { // the first who asks for the data set of the day has it counted, for everybody
			p.get("/body/data.csv")
		}
		before := dump()
		opened := 0
		for _, rt := range routes() {
			method, path, _ := strings.Cut(rt.pattern, " ")
			if method != http.MethodGet {
				continue
			}
			for _, id := range b.ids[:2] {
				path := strings.NewReplacer("{$}", "", "/claims/{id}", "/claims/"+id, "/policies/{id}", "/policies/kakao-2022@1", "{id}", "x", "{session}", "1").Replace(path)
				for _, p := range logged {
					if p.get(path).Code == http.StatusOK {
						opened++
					}
				}
			}
		}
		if opened < 40 {
			t.Errorf("only %d pages were opened", opened)
		}
		if dump() != before {
			t.Error("a GET changed the store")
		}
	})
}

// TestForged: what comes from another site, without a token, or with that of another
// account or session changes nothing.
func TestForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		lee, park := b.as("lee"), b.as("park")
		path := "/claims/" + b.ids[0] + "/policy"
		version := url.Values{"version": {"1"}}
		for name, send := range map[string]func() *httptest.ResponseRecorder{
			"no token": func() *httptest.ResponseRecorder { return lee.send(form(path, version)) },
			"another's token": func() *httptest.ResponseRecorder {
				v := url.Values{"version": {"1"}, "token": {park.token()}}
				return lee.send(form(path, v))
			},
			"the token of before the log-in": func() *httptest.ResponseRecorder {
				stranger := &person{b: b, cookies: map[string]string{}, lang: "ko"}
				v := url.Values{"version": {"1"}, "token": {stranger.token()}}
				return lee.send(form(path, v))
			},
			"another site": func() *httptest.ResponseRecorder {
				r := form(path, url.Values{"version": {"1"}, "token": {lee.token()}})
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				return lee.send(r)
			},
			"another origin": func() *httptest.ResponseRecorder {
				r := form(path, url.Values{"version": {"1"}, "token": {lee.token()}})
				r.Header.Set("Origin", "https://evil.example")
				return lee.send(r)
			},
		} {
			if w := send(); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
		if c := b.claimOf(0); c.Decision != nil {
			t.Error("a forged form decided a claim")
		}
		if w := lee.post(path, version); w.Code != http.StatusSeeOther {
			t.Errorf("the real form: %d", w.Code)
		}
	})
}

// TestSessions: an account that is removed, or changed, is out at once; so is who logs out.
func TestSessions(t *testing.T) {
	b := newBench(t)
	lee := b.as("lee")
	if w := lee.get("/run"); w.Code != http.StatusOK && w.Code != http.StatusConflict {
		t.Fatalf("%d", w.Code)
	}
	b.people["lee"] = Rights{Claims: Decider, Version: "another password"}
	if w := lee.get("/run"); w.Code != http.StatusSeeOther {
		t.Errorf("a session outlived the password: %d", w.Code)
	}
	park := b.as("park")
	delete(b.people, "park")
	if w := park.get("/run"); w.Code != http.StatusSeeOther {
		t.Errorf("a session outlived the account: %d", w.Code)
	}
	kim := b.as("kim")
	b.people["kim"] = Rights{Claims: Payer}
	if w := kim.get("/claims"); w.Code != http.StatusForbidden {
		t.Errorf("a duty that was taken away still opens: %d", w.Code)
	}
	choi := b.as("choi")
	choi.does("/logout", nil)
	if w := choi.get("/payout"); w.Code != http.StatusSeeOther {
		t.Errorf("logged out and still in: %d", w.Code)
	}
	for _, forged := range []string{"", "x", "x.y", "MSBsZWU.abc"} {
		p := &person{b: b, cookies: map[string]string{sessionCookie: forged}, lang: "ko"}
		if w := p.get("/claims"); w.Code != http.StatusSeeOther {
			t.Errorf("cookie %q came in: %d", forged, w.Code)
		}
	}
}
