package public_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/settle"
	"bongsu/web/public"
)

// A state of a page about damage: what a visitor does until it is there.
type state struct {
	name string
	do   func(v *visitor, h *house)
}

// decided is a claim as the desk leaves it.
func decided(tb testing.TB, h *house, code string, s claim.State, change ...func(*claim.Claim)) {
	tb.Helper()
	h.decide(tb, code, func(c *claim.Claim) {
		c.State, c.NextAt, c.Appeal = s, time.Time{}, time.Now().Add(30*24*time.Hour)
		c.Decision = &policy.Decision{
			Outcome: policy.Pay, Form: policy.Money, Amount: 30_000, Currency: "KRW", Policy: "kakao-2022@1", Ground: policy.Goodwill,
			Reason: both("손해가 30만원 이하인 소상공인에게 3만원을 드립니다.", "Small businesses with a loss of up to 300,000 won receive 30,000 won."),
		}
		for _, x := range change {
			x(c)
		}
	}, "decided: "+string(s))
}

// filed files a report and returns its code.
func filed(v *visitor) string {
	v.tb.Helper()
	v.get("/" + v.lang + "/report.html")
	v.send("report", good(), file{"영수증.pdf", []byte("%PDF-1.7")}, file{"b.exe", []byte("MZ")})
	code, _ := v.receipt()
	return code
}

// coupon gives a claim one.
func coupon(v *visitor, h *house) string {
	v.tb.Helper()
	code := filed(v)
	decided(v.tb, h, code, claim.Paid, func(c *claim.Claim) { c.Decision.Form = policy.Coupon })
	h.mu.Lock()
	h.coupon = &settle.Coupon{Batch: "b1", Code: "7F3K-Q2MX-9B4T-0XYZ", Amount: 30_000, Currency: "KRW", Issued: time.Now()}
	h.mu.Unlock()
	return code
}

// states are those in which every page about damage is looked at.
func states() []state {
	mine := func(name string, s claim.State, change ...func(*claim.Claim)) state {
		return state{"mine-" + name, func(v *visitor, h *house) {
			code := filed(v)
			decided(v.tb, h, code, s, change...)
			v.get("/" + v.lang + "/claim.html")
		}}
	}
	moved := func(opens, closes, late time.Duration) func(v *visitor, h *house) {
		return func(v *visitor, h *house) {
			w := window(time.Now())
			w.Opens, w.Closes, w.LateUntil = time.Now().Add(opens), time.Now().Add(closes), time.Now().Add(late)
			h.tell(&public.Compensation{Windows: []claim.Window{w}})
			v.get("/" + v.lang + "/report.html")
		}
	}
	return []state{
		{"report", func(v *visitor, _ *house) { v.get("/" + v.lang + "/report.html") }},
		{"report-service", func(v *visitor, _ *house) { v.get("/" + v.lang + "/report.html?service=talk") }},
		{"report-wrong", func(v *visitor, _ *house) {
			v.get("/" + v.lang + "/report.html")
			v.send("report", map[string]string{"service": "", "use": "none", "loss": "NaN", "from": "yesterday", "to": "2099-01-01T00:00", "text": "", "phone": "x", "best": "-1", "late": "", "kind": "robot"})
		}},
		{"report-unavailable", func(v *visitor, h *house) {
			h.breaks(claim.ErrUnavailable)
			v.get("/" + v.lang + "/report.html")
			v.send("report", good(), file{"a.pdf", []byte("%PDF")})
		}},
		{"report-proof", func(v *visitor, h *house) {
			v.get("/" + v.lang + "/report.html")
			hidden := v.hidden("report")
			v.send("report", good())
			v.sendAs("report", hidden, without(good(), "text", "다른 일")) // takes a new token
			v.send("report", without(good(), "text", "다른 일"))
			v.get("/" + v.lang + "/report.html")
			v.send("report", good())
		}},
		{"report-late", moved(-2*time.Hour, -time.Hour, time.Hour)},
		{"report-over", moved(-3*time.Hour, -2*time.Hour, -time.Hour)},
		{"report-early", moved(time.Hour, 2*time.Hour, 2*time.Hour)},
		{"report-none", func(v *visitor, h *house) {
			h.tell(&public.Compensation{})
			v.get("/" + v.lang + "/report.html")
		}},
		{"report-unknown", func(v *visitor, h *house) { // a form of before goes to a node that has just started
			v.get("/" + v.lang + "/report.html")
			hidden := v.hidden("report")
			h.tell(nil)
			v.sendAs("report", hidden, good())
		}},
		{"receipt", func(v *visitor, _ *house) { filed(v) }},
		{"receipt-cookieless", func(v *visitor, _ *house) {
			v.refuses = true
			filed(v)
		}},
		{"sign", func(v *visitor, _ *house) { v.get("/" + v.lang + "/claim.html") }},
		{"sign-wrong", func(v *visitor, _ *house) {
			v.get("/" + v.lang + "/claim.html")
			v.send("claim", map[string]string{"code": "7K2M-9XQ4-B3TD", "secret": "x"})
		}},
		{"mine-received", func(v *visitor, _ *house) {
			filed(v)
			v.get("/" + v.lang + "/claim.html")
		}},
		{"mine-shown", func(v *visitor, _ *house) {
			filed(v)
			v.get("/" + v.lang + "/claim.html")
			v.send("claim/shown", nil)
		}},
		{"mine-coupon", func(v *visitor, h *house) {
			coupon(v, h)
			v.get("/" + v.lang + "/claim.html")
		}},
		{"mine-coupon-shown", func(v *visitor, h *house) {
			coupon(v, h)
			v.get("/" + v.lang + "/claim.html")
			v.send("claim/coupon", nil)
		}},
		{"mine-wrong", func(v *visitor, _ *house) {
			filed(v)
			v.get("/" + v.lang + "/claim.html")
			v.send("claim/bank", map[string]string{"bank": "", "number": "x", "holder": "홍길동"})
		}},
		{"mine-review", func(v *visitor, h *house) {
			code := filed(v)
			h.decide(v.tb, code, func(c *claim.Claim) { c.State, c.NextAt = claim.Review, time.Now().Add(14*24*time.Hour) }, "decided: review")
			v.get("/" + v.lang + "/claim.html")
		}},
		mine("asked", claim.Asked, func(c *claim.Claim) {
			c.Decision.Evidence, c.NextAt, c.Appeal = []string{"business-registration", "bank-account"}, time.Now().Add(28*24*time.Hour), time.Time{}
		}),
		{"mine-approved", func(v *visitor, h *house) {
			h.mu.Lock()
			h.proof = &settle.Proof{Leaf: 105_115, Checkpoint: h.told.Checkpoint}
			h.mu.Unlock()
			code := filed(v)
			decided(v.tb, h, code, claim.Approved)
			v.get("/" + v.lang + "/claim.html")
		}},
		mine("refused", claim.Decided, func(c *claim.Claim) {
			c.Decision.Outcome, c.Decision.Form, c.Decision.Amount = policy.Refuse, policy.Nothing, 0
			c.Decision.Reason = both("이 서비스의 기록된 장애가 없습니다.", "No outage of this service is on record.")
		}),
		mine("extension", claim.Approved, func(c *claim.Claim) {
			c.Decision.Form, c.Decision.Amount, c.Decision.Hours, c.Decider = policy.Extension, 0, 72, "min-agent"
		}),
		{"mine-approved-bank", func(v *visitor, h *house) {
			code := filed(v)
			v.get("/" + v.lang + "/claim.html")
			v.send("claim/bank", map[string]string{"bank": "한국은행", "number": "110-123-456789", "holder": "홍길동"})
			decided(v.tb, h, code, claim.Approved)
			v.get("/" + v.lang + "/claim.html")
		}},
		{"mine-erased", func(v *visitor, h *house) {
			code := filed(v)
			decided(v.tb, h, code, claim.Review, func(c *claim.Claim) { c.Decision.Outcome = policy.Human })
			if err := h.Erase(v.tb.Context(), code, "privacy", "asked by letter"); err != nil {
				v.tb.Fatal(err)
			}
			v.get("/" + v.lang + "/claim.html")
		}},
		mine("paid", claim.Paid), mine("returned", claim.Returned), mine("appealed", claim.Appealed), mine("withdrawn", claim.Withdrawn),
		mine("merged", claim.Merged, func(c *claim.Claim) { c.Into = "7K2M-9XQ4-B3TD" }),
		{"left", func(v *visitor, _ *house) {
			filed(v)
			v.send("claim/leave", nil)
		}},
		{"compensation", func(v *visitor, _ *house) { v.get("/" + v.lang + "/compensation.html") }},
		{"compensation-empty", func(v *visitor, h *house) {
			h.tell(&public.Compensation{})
			v.get("/" + v.lang + "/compensation.html")
		}},
		{"overview", func(v *visitor, _ *house) { v.get("/" + v.lang + "/index.html") }},
	}
}

// TestClaimPages compares every page about damage, in each state and both languages,
// with what it was. In the bubble the clock stands still.
func TestClaimPages(t *testing.T) {
	shipped() // outside of the bubbles
	for _, s := range states() {
		for _, l := range []string{"ko", "en"} {
			synctest.Test(t, func(t *testing.T) {
				st := present(t, "incident")
				st.AsOf, st.GoodFor = time.Now(), 24*time.Hour
				server, h := claimSiteOf(t, st, compensation(t, time.Now()), func(c *public.Claims) {
					if s.name == "report-proof" {
						c.Surge = 2
					}
				})
				v := visit(t, server, l)
				s.do(v, h)
				main := v.main()
				if title := regexp.MustCompile(`<title>.*</title>`).FindString(v.body); title != "" {
					main = title + "\n" + main
				}
				main = regexp.MustCompile(`[0-9A-Z]{5}(-[0-9A-Z]{5}){3}`).ReplaceAllString(main, "SECRET")
				main = regexp.MustCompile(`[0-9A-Z]{4}(-[0-9A-Z]{4}){2}`).ReplaceAllString(main, "CODE")
				main = regexp.MustCompile(`name="session" value="[^"]*"`).ReplaceAllString(main, `name="session" value="SESSION"`)
				main = regexp.MustCompile(`data-challenge="[^"]*"`).ReplaceAllString(main, `data-challenge="CHALLENGE"`)
				golden(t, "claims."+s.name+"."+l+".html", main)
				for _, m := range regexp.MustCompile(`>([a-z]+(\.[a-z0-9-]+)+)<`).FindAllStringSubmatch(main, -1) {
					t.Errorf("%s in %s shows the key %s", s.name, l, m[1])
				}
			})
		}
	}
}

// TestClaimExport: plain files tell of windows, criteria and numbers, lead to the live
// page, and hold no form; and a node without forms says the same.
func TestClaimExport(t *testing.T) {
	s := present(t, "incident")
	told := compensation(t, time.Now().Truncate(time.Second))
	all := map[string]string{}
	if err := public.Export(t.Context(), s, public.ExportOptions{Compensation: told}, func(p string, b []byte) error {
		all[p] = string(b)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"ko", "en"} {
		page := all[l+"/compensation.html"]
		if !strings.Contains(page, `href="https://status.example.com/`+l+`/report.html?incident=20221015-pangyo"`) && !strings.Contains(page, `href="https://status.example.com/`+l+`/report.html"`) {
			t.Errorf("%s does not lead to the form", l)
		}
		if strings.Contains(page, `<form class="fields"`) || strings.Contains(page, `<form method`) {
			t.Errorf("%s offers a form", l)
		}
		if !strings.Contains(all[l+"/index.html"], "https://status.example.com/"+l+"/report.html") || !strings.Contains(page, "105,116") {
			t.Errorf("%s does not say enough", l)
		}
	}
	if !strings.Contains(all["api/v1/claim-windows.json"], "20221015-pangyo") {
		t.Error("the windows are not among the plain files")
	}
	link := regexp.MustCompile(`(?:href|src)="([^"#]+)"`)
	for _, m := range link.FindAllStringSubmatch(all["ko/compensation.html"], -1) {
		if to := m[1]; !strings.HasPrefix(to, "http") && all["ko/"+to] == "" && all[strings.TrimPrefix(to, "../")] == "" {
			t.Errorf("compensation.html leads to %s, which is not there", to)
		}
	}
	if files := files(t, s, time.Now()); files["ko/compensation.html"] != "" || strings.Contains(files["ko/index.html"], "compensation") {
		t.Error("a site without claims has pages about them")
	}
}

// TestClaimPolicy: the pages about damage name their own style sheet in their policy, and
// the others have neither.
func TestClaimPolicy(t *testing.T) {
	server, _ := claimSite(t)
	for _, page := range []string{"/ko/report.html", "/ko/claim.html", "/ko/compensation.html"} {
		w := ask(t, server, http.MethodGet, page, "")
		policy := w.Header().Get("Content-Security-Policy")
		inline := regexp.MustCompile(`(?s)<(?:style|script)>(.*?)</`).FindAllStringSubmatch(w.Body.String(), -1)
		if len(inline) != 3 || strings.Contains(policy, "unsafe") {
			t.Errorf("%s has %d inline and the policy %s", page, len(inline), policy)
		}
		for _, m := range inline {
			if !strings.Contains(policy, "'sha256-"+sha256Of(m[1])+"'") {
				t.Errorf("%s: the policy does not allow %.40s", page, m[1])
			}
		}
	}
	plain, _, _ := site(t, present(t, "incident"))
	a, b := ask(t, server, http.MethodGet, "/ko/history.html", ""), ask(t, plain, http.MethodGet, "/ko/history.html", "")
	if a.Header().Get("Content-Security-Policy") != b.Header().Get("Content-Security-Policy") || strings.Count(a.Body.String(), "<style>") != 1 {
		t.Error("another page pays for those about damage")
	}
}

// TestClaimPagesAreSmall, the overview with its link above all.
func TestClaimPagesAreSmall(t *testing.T) {
	server, _ := claimSiteOf(t, present30(t), compensation(t, time.Now()))
	plain, _, _ := site(t, present30(t))
	size := func(h http.Handler, path string) int {
		return ask(t, h, http.MethodGet, path, "", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") }).Body.Len()
	}
	for _, l := range []string{"ko", "en"} {
		was, is := size(plain, "/"+l+"/"), size(server, "/"+l+"/")
		t.Logf("overview in %s: %d bytes compressed, %d with the link to the form; compensation %d", l, was, is, size(server, "/"+l+"/compensation.html"))
		if is > was+400 {
			t.Errorf("the link to the form costs %d bytes", is-was)
		}
	}
}

// BenchmarkReportForm makes the form anew for each reader.
func BenchmarkReportForm(b *testing.B) {
	server, _ := claimSiteOf(b, present30(b), compensation(b, time.Now()))
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/ko/report.html", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if server.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
