package public_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/settle"
	"bongsu/web/public"
)

// A visitor is a browser without scripts: it keeps cookies, follows redirects, and
// sends forms with what they hold.
type visitor struct {
	tb      testing.TB
	h       http.Handler
	lang    string
	from    string // address
	cookies map[string]string
	refuses bool // keeps no cookies
	body    string
	code    int
	path    string
	header  http.Header
}

func visit(tb testing.TB, h http.Handler, lang string) *visitor {
	tb.Helper()
	return &visitor{tb: tb, h: h, lang: lang, from: "198.51.100.7:4000", cookies: map[string]string{}}
}

func (v *visitor) do(r *http.Request) {
	v.tb.Helper()
	r.RemoteAddr = v.from
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, r)
	resp := w.Result()
	defer func() { _ = resp.Body.Close() }()
	v.code, v.path, v.header, v.body = w.Code, r.URL.Path, w.Header(), w.Body.String()
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-claim" || c.Name == "__Host-form" {
			if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
				v.tb.Errorf("the cookie %s is not as safe as it should be: %v", c.Name, c)
			}
		}
		if v.refuses {
			continue
		}
		if v.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	if v.code == http.StatusSeeOther || v.code == http.StatusFound {
		to := v.header.Get("Location")
		for _, secret := range []string{"secret", "code="} {
			if strings.Contains(to, secret) {
				v.tb.Errorf("the address %s tells a %s", to, secret)
			}
		}
		v.get(to)
	}
}

func (v *visitor) get(path string) {
	v.tb.Helper()
	v.do(httptest.NewRequestWithContext(v.tb.Context(), http.MethodGet, path, nil))
}

// hidden are the hidden fields of the form on the page that posts to path.
func (v *visitor) hidden(action string) url.Values {
	v.tb.Helper()
	form := regexp.MustCompile(`(?s)<form[^>]*action="[^"]*` + regexp.QuoteMeta(action) + `(/[0-9a-f]{8})?".*?</form>`).FindString(v.body)
	if form == "" {
		v.tb.Fatalf("%s (%d) has no form for %s:\n%.3000s", v.path, v.code, action, v.main())
	}
	out := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(form, -1) {
		out.Set(m[1], m[2])
	}
	return out
}

func (v *visitor) main() string {
	if a := strings.Index(v.body, "<main"); a >= 0 {
		return v.body[a:strings.Index(v.body, "</main>")]
	}
	return v.body
}

// send fills in the form on the page and presses its button.
func (v *visitor) send(action string, fields map[string]string, papers ...file) {
	v.tb.Helper()
	v.sendAs(action, v.hidden(action), fields, papers...)
}

func (v *visitor) sendAs(action string, values url.Values, fields map[string]string, papers ...file) {
	v.tb.Helper()
	values = maps.Clone(values)
	for name, value := range fields {
		values.Set(name, value)
	}
	kind, body := "application/x-www-form-urlencoded", []byte(values.Encode())
	if papers != nil {
		kind, body = multi(v.tb, values, papers...)
	}
	to := "/" + v.lang + "/" + action
	if m := regexp.MustCompile(`action="[^"]*(report/[0-9a-f]{8})"`).FindStringSubmatch(v.body); m != nil && action == "report" {
		to = "/" + v.lang + "/" + m[1]
	}
	r := httptest.NewRequestWithContext(v.tb.Context(), http.MethodPost, to, bytes.NewReader(body))
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	v.do(r)
}

type file struct {
	name string
	data []byte
}

func multi(tb testing.TB, values url.Values, papers ...file) (string, []byte) {
	tb.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, all := range values {
		for _, value := range all {
			if err := m.WriteField(name, value); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for _, p := range papers {
		w, err := m.CreateFormFile("files", p.name)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(p.data); err != nil {
			tb.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		tb.Fatal(err)
	}
	return m.FormDataContentType(), b.Bytes()
}

func (v *visitor) wants(code int, words ...string) {
	v.tb.Helper()
	if v.code != code {
		v.tb.Errorf("%s is %d, want %d:\n%.4000s", v.path, v.code, code, v.main())
	}
	for _, w := range words {
		if !strings.Contains(v.body, w) {
			v.tb.Errorf("%s does not say %q:\n%.6000s", v.path, w, v.main())
		}
	}
}

func (v *visitor) lacks(words ...string) {
	v.tb.Helper()
	for _, w := range words {
		if strings.Contains(v.body, w) {
			v.tb.Errorf("%s says %q", v.path, w)
		}
	}
}

// receipt reads code and secret off the page.
func (v *visitor) receipt() (code, secret string) {
	v.tb.Helper()
	c, s := regexp.MustCompile(`id="code">([0-9A-Z-]{14})<`).FindStringSubmatch(v.body), regexp.MustCompile(`id="secret">([0-9A-Z-]{23})<`).FindStringSubmatch(v.body)
	if c == nil || s == nil {
		v.tb.Fatalf("%s (%d) shows no receipt:\n%.3000s", v.path, v.code, v.main())
	}
	return c[1], s[1]
}

// good is a report that nothing is wrong with.
func good() map[string]string {
	return map[string]string{
		"service": "mail/", "use": "free", "text": "거래처에 견적을 못 보냈습니다.", "loss": "50,000원", "kind": "small-business", "name": "홍길동", "email": "hong@example.com", "phone": "010-1234-5678", "consent": consent().Version,
	}
}

func without(m map[string]string, changes ...string) map[string]string {
	m = maps.Clone(m)
	for n := 0; n+1 < len(changes); n += 2 {
		m[changes[n]] = changes[n+1]
	}
	return m
}

// TestReport: from the page of the incident to the receipt, without a script; what is
// kept is what was typed; and after leaving nothing of it can be seen.
func TestReport(t *testing.T) {
	server, h := claimSite(t)
	v := visit(t, server, "ko")
	v.get("/ko/incidents/20221015-pangyo.html")
	v.wants(200, `href="../report.html"`, "피해 신고하기")
	v.get("/ko/report.html?service=mail")
	v.wants(200, "1분이면 됩니다", `value="mail/" selected`, `autocomplete="email"`, `enctype="multipart/form-data"`)
	if got := v.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the form may be kept: %s", got)
	}
	if !regexp.MustCompile(`name="from" type="datetime-local" autocomplete="off" value="20\d\d-\d\d-\d\dT\d\d:\d\d"`).MatchString(v.body) {
		t.Error("the recorded time of the outage is not filled in")
	}
	v.send("report", without(good(), "name", "홍길동 '); DROP TABLE claims;--", "text", "거래처에 견적을 못 보냈습니다. claim.loss > 0 ? 1 : 2 \x00<script>"), file{"영수증.pdf", []byte("%PDF-1.7 x")}, file{`C:\x\virus.exe`, []byte("MZ")})
	v.wants(200, "안전하게 저장되었습니다", "영수증.pdf", "virus.exe: 이런 종류의 파일은 받지 않습니다")
	if v.path != "/ko/receipt.html" {
		t.Errorf("the receipt is at %s", v.path)
	}
	code, secret := v.receipt()
	c, err := h.Check(t.Context(), code, secret)
	if err != nil {
		t.Fatal(err)
	}
	if c.Report.Service != "mail" || c.Report.Use != "free" || c.Report.Loss != 50_000 || c.Report.Kind != "small-business" || c.Report.From.IsZero() || !c.Report.To.IsZero() ||
		c.Lang != "ko" || c.Consent.Version != "2022-10-19" || c.Channel != claim.ByWeb || c.Currency != "KRW" || len(c.Files) != 1 {
		t.Errorf("kept: %+v", c)
	}
	p, err := h.Open(t.Context(), code, "test", "test")
	if err != nil || p.Name != "홍길동 '); DROP TABLE claims;--" || p.Text != "거래처에 견적을 못 보냈습니다. claim.loss > 0 ? 1 : 2 <script>" || p.Email != "hong@example.com" {
		t.Errorf("kept: %+v, %v", p, err)
	}
	again := v.body
	v.get("/ko/receipt.html") // loaded again, it is still there
	if v.wants(200); v.body != again {
		v.receipt()
	}
	v.get("/ko/claim.html")
	v.wants(200, "접수됨", code, "50,000원")
	v.lacks(secret, "hong@example.com")
	v.send("claim/leave", nil)
	v.wants(200, "끝냈습니다")
	if len(v.cookies) > 0 {
		t.Errorf("left behind: %v", v.cookies)
	}
	v.get("/ko/receipt.html")
	v.wants(200, "접수증에 적힌")
	v.lacks(code, secret)
}

// TestReportInEnglish by a browser that keeps no cookies, at the root of the site.
func TestReportWithoutCookies(t *testing.T) {
	server, h := claimSite(t)
	v := visit(t, server, "en")
	v.refuses = true
	v.get("/en/report.html")
	v.send("report", good())
	v.wants(http.StatusCreated, "safely stored", "keeps no cookies")
	if got := v.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the receipt may be kept: %s", got)
	}
	code, secret := v.receipt()
	v.get("/en/claim.html")
	v.send("claim", map[string]string{"code": strings.ToLower(strings.ReplaceAll(code, "-", " ")), "secret": secret})
	v.wants(200, "Received", code)
	v.send("claim/words", map[string]string{"text": "and two more customers"})
	v.wants(200, "It has been added")
	if len(h.added) != 1 || h.added[0] != "and two more customers" {
		t.Errorf("added %q", h.added)
	}
}

// TestReportMistakes: each is named beside its field with what to do, nothing that was
// typed is lost, and nothing is filed.
func TestReportMistakes(t *testing.T) {
	server, h := claimSite(t)
	now := time.Now().In(seoul(t))
	at := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04") }
	for _, c := range []struct {
		name   string
		change []string
		field  string
		says   string
	}{
		{"no service", []string{"service", ""}, "service", "Choose the service"},
		{"a service that is not there", []string{"service", "nope/"}, "service", "does not exist any more"},
		{"no use", []string{"use", ""}, "use", "Choose how you used it"},
		{"another use", []string{"use", "true || true"}, "use", "Choose how you used it"},
		{"no words", []string{"text", " \x00\n"}, "text", "in a sentence at least"},
		{"too many words", []string{"text", strings.Repeat("가", 4001)}, "text", "at most 4,000 letters"},
		{"not a number", []string{"loss", "NaN"}, "loss", "not an amount"},
		{"less than nothing", []string{"loss", "-5000"}, "loss", "less than nothing"},
		{"more than can be counted", []string{"loss", "9223372036854775808"}, "loss", "too large"},
		{"an exponent", []string{"loss", "1e9"}, "loss", "not an amount"},
		{"hexadecimal", []string{"loss", "0x10"}, "loss", "not an amount"},
		{"no loss where there is one", []string{"loss", ""}, "loss", "Say how much you lost"},
		{"a loss where there is none", []string{"use", "none"}, "use", "You named a loss"},
		{"no contact", []string{"email", "", "phone", ""}, "email", "an e-mail address or a phone number"},
		{"a header in an address", []string{"email", "a@b.kr\nBcc: c@d.kr"}, "email", "not an e-mail address"},
		{"no phone number", []string{"phone", "call me"}, "phone", "not a phone number"},
		{"no consent", []string{"consent", ""}, "consent", "without your consent"},
		{"consent to another text", []string{"consent", "2021-01-01"}, "consent", "has changed"},
		{"a time in the future", []string{"from", at(time.Hour)}, "from", "in the future"},
		{"an end in the future", []string{"from", at(-time.Hour), "to", at(24 * time.Hour)}, "to", "in the future"},
		{"before the outage", []string{"from", at(-48 * time.Hour)}, "from", "before the outage"},
		{"backwards", []string{"from", at(-time.Hour), "to", at(-2 * time.Hour)}, "to", "ends before it begins"},
		{"no time", []string{"from", "yesterday"}, "from", "Write date and time"},
		{"no outage on record, and no time", []string{"service", "map/"}, "from", "No outage of this service is on record"},
		{"a business that is too long", []string{"business", strings.Repeat("1", 31)}, "business", "at most 30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := visit(t, server, "en")
			v.get("/en/report.html")
			token := v.hidden("report").Get("form")
			sent := without(good(), c.change...)
			v.send("report", sent, file{"a.pdf", []byte("%PDF-1.7")})
			v.wants(http.StatusUnprocessableEntity, c.says, `href="#f-`+c.field+`"`, `id="w-`+c.field+`"`, "Error: Report damage", "Only the files have to be chosen again")
			for name, value := range sent {
				if name == "text" || name == "name" || name == "email" || name == "loss" || name == "phone" {
					if value = strings.TrimSpace(strings.ReplaceAll(value, "\x00", "")); value != "" && !strings.Contains(v.body, strings.Split(value, "\n")[0]) {
						t.Errorf("what was typed as %s is lost: %q", name, value)
					}
				}
			}
			if got := v.hidden("report").Get("form"); got != token {
				t.Errorf("the token is another one: %s, was %s", got, token)
			}
		})
	}
	if h.filed > 0 {
		t.Errorf("%d reports were filed", h.filed)
	}
}

func seoul(tb testing.TB) *time.Location {
	tb.Helper()
	z, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

// TestAmounts: what people write is read as they mean it.
func TestAmounts(t *testing.T) {
	server, h := claimSite(t)
	for written, want := range map[string]int64{"50000": 50_000, "50,000": 50_000, "₩ 50,000": 50_000, "５００００원": 50_000, "5만": 50_000, "5만원": 50_000, "12만 원": 120_000} {
		v := visit(t, server, "ko")
		v.get("/ko/report.html")
		v.send("report", without(good(), "loss", written))
		code, secret := v.receipt()
		if c, err := h.Check(t.Context(), code, secret); err != nil || c.Report.Loss != want {
			t.Errorf("%q is %d, want %d (%v)", written, c.Report.Loss, want, err)
		}
	}
}

// TestPressedTwice: at once and one after the other, with and without files.
func TestPressedTwice(t *testing.T) {
	server, h := claimSite(t)
	v := visit(t, server, "ko")
	v.get("/ko/report.html")
	hidden := v.hidden("report")
	var mu sync.Mutex
	receipts := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			w := visit(t, server, "ko")
			w.refuses = true
			w.sendAs("report", hidden, good(), file{"a.pdf", []byte("%PDF-1.7")})
			code, secret := w.receipt()
			mu.Lock()
			defer mu.Unlock()
			receipts[code+secret]++
		})
	}
	wg.Wait()
	if len(receipts) != 1 || h.filed != 1 {
		t.Errorf("receipts %v, filed %d", receipts, h.filed)
	}
	v.sendAs("report", hidden, good(), file{"a.pdf", []byte("%PDF-1.7")})
	v.wants(200, "이미 접수되어 있습니다")
	code, secret := v.receipt()
	if c, err := h.Check(t.Context(), code, secret); err != nil || len(c.Files) != 1 {
		t.Errorf("%d files, want one: %v", len(c.Files), err)
	}
	// The same form with other words is another report, and said to be one.
	v.sendAs("report", hidden, without(good(), "text", "다른 일입니다"))
	v.wants(http.StatusConflict, "다른 내용으로 이미 접수되었습니다", "다른 일입니다")
	v.send("report", without(good(), "text", "다른 일입니다"))
	v.wants(200, "안전하게 저장되었습니다")
	if h.filed != 2 {
		t.Errorf("filed %d, want 2", h.filed)
	}
}

// TestForeignTokens: a token of another form, an old one, none, and a post of another site.
func TestForeignTokens(t *testing.T) {
	server, h := claimSite(t)
	v := visit(t, server, "en")
	for name, form := range map[string]string{
		"none": "", "of another form": token(t, server, "/en/subscribe.html"), "made up": strings.Repeat("A", 20) + ".abc." + strings.Repeat("A", 22), "huge": strings.Repeat("A", 3000),
	} {
		v.sendAs("report", url.Values{"form": {form}, "incident": {"20221015-pangyo"}}, good())
		if v.wants(http.StatusForbidden, "Nothing is lost", "거래처에 견적을"); t.Failed() {
			t.Fatal(name)
		}
	}
	v.send("report", good()) // the form that was shown again has a good token
	v.wants(200, "safely stored")
	v.get("/en/report.html")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/en/report", strings.NewReader(v.hidden("report").Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	v.do(r)
	v.wants(http.StatusForbidden, "another site")
	if h.filed != 1 {
		t.Errorf("filed %d", h.filed)
	}
}

// TestWindows: late reports want a reason; closed and early ones say since when, and
// what else to do; of two windows one is chosen.
func TestWindows(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	at := func(opens, closes, late time.Duration) *public.Compensation {
		w := window(now)
		w.Opens, w.Closes, w.LateUntil = now.Add(opens), now.Add(closes), now.Add(late)
		return &public.Compensation{Windows: []claim.Window{w}}
	}
	server, h := claimSite(t)
	v := visit(t, server, "en")
	v.get("/en/report.html")
	hidden := v.hidden("report")

	h.tell(at(-3*time.Hour, -2*time.Hour, time.Hour))
	v.get("/en/index.html")
	v.wants(200, "with a reason, taken until")
	v.sendAs("report", hidden, good())
	v.wants(422, "Say why the report comes late", "거래처에 견적을", `value="hospital"`)
	v.send("report", without(good(), "late", "made up"))
	v.wants(422, "Say why the report comes late")
	v.send("report", without(good(), "late", "hospital"))
	v.wants(200, "looked at together with your reason")
	code, secret := v.receipt()
	if c, err := h.Check(t.Context(), code, secret); err != nil || c.Late != "hospital" {
		t.Errorf("late %q, %v", c.Late, err)
	}

	h.tell(at(-3*time.Hour, -2*time.Hour, -time.Hour))
	v.get("/en/report.html")
	v.wants(200, "The time to report ended on", "1577-0000")
	v.lacks(`name="service"`)
	v.sendAs("report", hidden, without(good(), "text", "typed with care"))
	v.wants(http.StatusConflict, "typed with care", "1577-0000")
	v.get("/en/index.html")
	v.lacks("report.html")

	h.tell(at(time.Hour, 2*time.Hour, 0))
	v.get("/en/report.html")
	v.wants(200, "Reports are taken from")

	h.tell(&public.Compensation{})
	v.get("/en/report.html")
	v.wants(200, "No damage is being reported", "1577-0000")

	two := compensation(t, now)
	other := window(now)
	other.Incident, other.Title, other.Services = "20220927-taxi", both("택시 장애", "Taxi outage"), []claim.Service{{Named: claim.Named{Name: "taxi", Title: both("택시", "Taxi")}, Parts: []claim.Named{{Name: "pay", Title: both("결제", "Payment")}}}}
	two.Windows = append(two.Windows, other)
	h.tell(two)
	v.get("/en/report.html")
	v.wants(200, "Which outage is it about?", "report.html?incident=20220927-taxi")
	v.get("/en/report.html?incident=20220927-taxi")
	v.wants(200, "Taxi outage", "Payment")
	v.lacks("Dagaom Talk –")
	v.send("report", without(good(), "service", "taxi/pay"))
	code, secret = v.receipt()
	if c, err := h.Check(t.Context(), code, secret); err != nil || c.Incident != "20220927-taxi" || c.Report.Part != "pay" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestPagesFollowWindows: cached pages change at the moment at which a window does.
func TestPagesFollowWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := present(t, "incident")
		s.AsOf, s.GoodFor = time.Now(), 24*time.Hour
		w := window(time.Now())
		w.Opens, w.Closes, w.LateUntil = time.Now().Add(10*time.Minute), time.Now().Add(20*time.Minute), time.Time{}
		server, _ := claimSiteOf(t, s, &public.Compensation{Windows: []claim.Window{w}})
		rev := func() string { return ask(t, server, http.MethodGet, "/rev.json", "").Body.String() }
		offered := func() bool {
			return strings.Contains(ask(t, server, http.MethodGet, "/en/", "").Body.String(), `href="report.html"`)
		}
		hash := func(rev string) string { return regexp.MustCompile(`"hash":"[^"]*"`).FindString(rev) }
		before := rev()
		if offered() {
			t.Error("offered before the window opens")
		}
		<-time.NewTimer(11 * time.Minute).C
		if !offered() || hash(rev()) == hash(before) {
			t.Error("not offered when the window is open, or open pages do not hear of it")
		}
		<-time.NewTimer(10 * time.Minute).C
		if offered() {
			t.Error("offered after the window closed")
		}
	})
}

// TestNotKept: a store that is full or has no quorum, and everything else that the
// office may say; what was typed is there, and a retry files once.
func TestNotKept(t *testing.T) {
	server, h := claimSite(t)
	v := visit(t, server, "en")
	v.get("/en/report.html")
	hidden := v.hidden("report")
	for err, want := range map[error]struct {
		code int
		says string
	}{
		claim.ErrUnavailable:                        {503, "has not been taken in"},
		errors.New("disk: /var/lib/secret"):         {503, "has not been taken in"},
		claim.ErrLate:                               {422, "Say why the report comes late"},
		claim.ErrClosed:                             {409, "Reports are not taken now"},
		claim.ErrConsent:                            {422, "The text has changed"},
		fmt.Errorf("%w: too early", claim.ErrInput): {422, "cannot be stored as it is"},
	} {
		h.breaks(err)
		v.sendAs("report", hidden, without(good(), "text", "잃으면 안 되는 글"), file{"a.pdf", []byte("%PDF")})
		v.wants(want.code, want.says, "잃으면 안 되는 글", "Only the files have to be chosen again")
		v.lacks("/var/lib/secret")
		if got := v.hidden("report").Get("form"); got != hidden.Get("form") {
			t.Errorf("after %v the token is another one", err)
		}
		if want.code == 503 && v.header.Get("Retry-After") == "" {
			t.Error("it does not say when to try again")
		}
	}
	h.breaks(nil)
	v.send("report", without(good(), "text", "잃으면 안 되는 글"))
	v.wants(200, "safely stored")
	if h.filed != 1 {
		t.Errorf("filed %d", h.filed)
	}
}

// TestLargeBodies: 20 MB where no files belong, files that are too large one by one and
// together, and a form that breaks off. Words are kept wherever they arrived.
func TestLargeBodies(t *testing.T) {
	server, h := claimSite(t)
	big := make([]byte, 20<<20)
	for _, path := range []string{"/en/report", "/en/claim", "/en/claim/words", "/en/ask", "/en/subscribe"} {
		counted := &counting{r: strings.NewReader("x=" + strings.Repeat("y", len(big)))}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, counted)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 || counted.n > 1<<20 {
			t.Errorf("%s with 20 MB of words: %d after reading %d bytes", path, w.Code, counted.n)
		}
	}
	v := visit(t, server, "en")
	v.get("/en/report.html")
	hidden := v.hidden("report")
	v.send("report", good(), file{"big.pdf", big})
	v.wants(422, "big.pdf is larger than 10 MB", "거래처에 견적을")
	v.send("report", good(), file{"a.pdf", big[:9<<20]}, file{"b.pdf", big[:9<<20]}, file{"c.pdf", big[:9<<20]})
	v.wants(413, "The files are too large", "거래처에 견적을")
	v.send("report", good(), file{"empty.pdf", nil})
	v.wants(422, "empty.pdf is empty", "거래처에 견적을")
	kind, body := multi(t, hidden, file{"a.pdf", big[:1000]})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/en/report", io.MultiReader(bytes.NewReader(body[:len(body)-500]), broken{}))
	r.Header.Set("Content-Type", kind)
	v.do(r)
	v.wants(400, "did not arrive whole")
	if h.filed > 0 {
		t.Errorf("filed %d", h.filed)
	}
	v.send("report", good(), file{"a.pdf", big[:9<<20]}, file{"b.pdf", big[:9<<20]})
	v.wants(200, "a.pdf: stored", "b.pdf: stored")
}

type counting struct {
	r io.Reader
	n int
}

// Read counts.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

type broken struct{}

// Read breaks.
func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestCoupon: the code of a coupon is shown to who holds receipt and secret, and asks for it, which is written down.
func TestCoupon(t *testing.T) {
	server, h := claimSite(t)
	v := visit(t, server, "en")
	code := coupon(v, h)
	v.get("/en/claim.html")
	v.wants(200, "Coupon", "0XYZ", "Show the code")
	v.lacks("7F3K-Q2MX")
	v.send("claim/coupon", nil)
	v.wants(200, "7F3K-Q2MX-9B4T-0XYZ", "personal data were looked at")
	if looks, err := h.Looks(t.Context(), time.Time{}, 10); err != nil || len(looks) != 1 || looks[0].Who != claim.Claimant || looks[0].Claim != code {
		t.Errorf("%+v, %v", looks, err)
	}
	v.get("/en/claim.html")
	v.lacks("7F3K-Q2MX")
	v.send("claim/leave", nil)
	v.get("/en/claim.html")
	v.lacks("7F3K-Q2MX", "0XYZ")
}

// TestMine: everything that a claimant can do, in order, and what each leaves behind.
func TestMine(t *testing.T) {
	server, h := claimSite(t)
	v := visit(t, server, "en")
	v.get("/en/report.html")
	v.send("report", good())
	code, secret := v.receipt()
	v.send("claim/leave", nil)

	v.get("/en/claim.html")
	v.send("claim", map[string]string{"code": "", "secret": ""})
	v.wants(422, "Enter the receipt code", "Enter the secret")
	v.send("claim", map[string]string{"code": code, "secret": "AAAAA-AAAAA-AAAAA-AAAAA"})
	v.wants(403, "do not belong together", code)
	wrong := v.main()
	v.send("claim", map[string]string{"code": "0000-0000-0000", "secret": "AAAAA-AAAAA-AAAAA-AAAAA"})
	if strings.ReplaceAll(v.main(), "0000-0000-0000", code) != wrong {
		t.Error("an answer tells whether there is such a code")
	}
	v.send("claim", map[string]string{"code": code, "secret": " " + strings.ToLower(secret)})
	v.wants(200, "Received", "Mail", "50,000 won", "filed")
	v.lacks(secret, "note of the desk", "min-agent")
	v.send("claim/shown", nil)
	v.wants(200, "hong@example.com", "거래처에 견적을")
	v.send("claim/words", map[string]string{"text": "  "})
	v.wants(422, "Write what you want to add")
	v.send("claim/words", map[string]string{"text": "two more customers"})
	v.wants(200, "It has been added", "words added")
	v.send("claim/papers", nil, file{"", nil})
	v.wants(422, "Choose the files")
	v.send("claim/papers", map[string]string{"evidence": "sales-loss"}, file{"a.pdf", []byte("%PDF-1.7")}, file{"b.exe", []byte("MZ")})
	v.wants(422, "b.exe: files of this type are not taken", "a.pdf: stored", "Proof of lost sales")
	v.send("claim/bank", map[string]string{"bank": "한국은행", "number": "12", "holder": "홍길동"})
	v.wants(422, "account number in digits", "한국은행")
	v.send("claim/bank", map[string]string{"bank": "한국은행", "number": "110 123-456789", "holder": "홍길동"})
	v.wants(200, "The account has been saved")
	if len(h.banks) != 1 || h.banks[0] != "한국은행 110123-456789 홍길동" {
		t.Errorf("banks %q", h.banks)
	}

	h.decide(t, code, func(c *claim.Claim) {
		c.State = claim.Asked
		c.NextAt = time.Now().Add(24 * time.Hour)
		c.Decision = &policy.Decision{Outcome: policy.Pay, Form: policy.Money, Amount: 30_000, Currency: "KRW", Policy: "kakao-2022@1", Ground: policy.Goodwill, Evidence: []string{"bank-account"}, Reason: both("5만원 이하입니다.", "Up to 50,000 won.")}
	}, "decided: asked")
	v.get("/en/claim.html")
	v.wants(200, "Papers are needed", "30,000 won", "Up to 50,000 won.", "Send it by", "nothing is paid", "copy of the bank book", `name="files:bank-account"`)
	v.send("claim/papers", map[string]string{"bank": "한국은행", "number": "1", "holder": "홍길동"}, file{"bank.jpg", []byte("x")})
	v.wants(422, "account number in digits", "한국은행")
	v.send("claim/papers", map[string]string{"bank": "한국은행", "number": "110-123-456780", "holder": "홍길동"}, file{"bank.jpg", []byte("\xff\xd8\xff")})
	v.wants(200, "The files have arrived", "bank.jpg: stored")
	if len(h.banks) != 2 {
		t.Errorf("banks %q", h.banks)
	}
	h.decide(t, code, func(c *claim.Claim) {
		c.State, c.NextAt, c.Appeal, c.Decider = claim.Approved, time.Time{}, time.Now().Add(30*24*time.Hour), "min-agent"
	}, "decided: approved")
	h.mu.Lock()
	h.proof = &settle.Proof{Leaf: 41, Checkpoint: "bongsu decisions\n42\nx\n", Path: []string{"a"}}
	h.mu.Unlock()
	v.get("/ko/claim.html")
	v.wants(200, "지급 결정", "5만원 이하입니다.", "이의를 신청할 수 있습니다", "담당자가 결정했습니다", "41번", "자발적 보상")
	v.lacks("min-agent", "looks tired")
	v.get("/ko/claim-proof.json")
	v.wants(200, `"leaf":41`, `"kind":"decision-proof"`, `"decision":"{\"amount\":30000}"`) // as bongsu verify reads it
	v.get("/en/claim.html")
	v.send("claim/appeal", map[string]string{"appeal": "it was more"})
	v.wants(200, "Your appeal has arrived", "Another person than before")
	v.lacks(`id="withdraw"`) // it may be paid
	h.decide(t, code, func(c *claim.Claim) { c.State, c.Decision.Outcome = claim.Review, policy.Human }, "decided: review")
	v.get("/en/claim.html")
	v.send("claim/withdraw", nil)
	v.wants(422, "Tick the box")
	v.send("claim/withdraw", map[string]string{"sure": "1"})
	v.wants(200, "has been withdrawn", "Withdrawn")
	v.lacks(`id="words"`, `id="bank"`)
	v.send("claim/leave", nil)
	v.get("/ko/claim-proof.json")
	v.wants(403)
}

// TestSessionEnds: after 15 minutes the receipt is asked for again, and what was typed
// goes on from there.
func TestSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := present(t, "incident")
		s.AsOf, s.GoodFor = time.Now(), 24*time.Hour
		server, h := claimSiteOf(t, s, compensation(t, time.Now()))
		v := visit(t, server, "en")
		v.get("/en/report.html")
		v.send("report", good())
		code, secret := v.receipt()
		v.get("/en/claim.html")
		<-time.NewTimer(14 * time.Minute).C
		v.get("/en/claim.html")
		v.wants(200, "Received")
		hidden := v.hidden("claim/words")
		<-time.NewTimer(16 * time.Minute).C
		v.sendAs("claim/words", hidden, map[string]string{"text": "typed with care"})
		v.wants(403, "closed after 15 minutes", "What you typed is kept")
		v.send("claim", map[string]string{"code": code, "secret": secret})
		v.wants(200, "typed with care", `id="words" open`)
		v.send("claim/words", map[string]string{"text": "typed with care"})
		v.wants(200, "It has been added")
		if len(h.added) != 1 {
			t.Errorf("added %q", h.added)
		}
		h.mu.Lock()
		h.down = claim.ErrUnavailable
		h.mu.Unlock()
		v.get("/en/claim.html")
		v.wants(503, "cannot be read just now")
	})
}

// TestGuessing: who guesses is slowed down and then turned away; the owner is let in,
// from the same network after a wait, from another one too.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := present(t, "incident")
		s.AsOf, s.GoodFor = time.Now(), 24*time.Hour
		server, _ := claimSiteOf(t, s, compensation(t, time.Now()))
		owner := visit(t, server, "en")
		owner.get("/en/report.html")
		owner.send("report", good())
		code, secret := owner.receipt()
		guess := func(network int, code string) (int, time.Duration) {
			began := time.Now()
			w := ask(t, server, http.MethodGet, "/api/v1/claims/"+code, "", func(r *http.Request) {
				r.RemoteAddr = fmt.Sprintf("10.1.%d.9:99", network)
				r.Header.Set("Authorization", "Bearer 00000-00000-00000-00000")
			})
			return w.Code, time.Since(began)
		}
		for n := range 10 {
			if got, took := guess(n, code); got != 401 || took > 0 {
				t.Fatalf("guess %d: %d after %v", n, got, took)
			}
		}
		if _, took := guess(20, code); took < 2*time.Second {
			t.Errorf("the eleventh guess of one code took %v", took)
		}
		var wg sync.WaitGroup
		turned := make(chan int, 400)
		for n := range 400 {
			wg.Go(func() {
				got, _ := guess(30+n%2, fmt.Sprintf("%04d-0000-0000", n))
				turned <- got
			})
		}
		wg.Wait()
		close(turned)
		counts := map[int]int{}
		for c := range turned {
			counts[c]++
		}
		if counts[429] < 300 || counts[401] < 20 {
			t.Errorf("of 400 guesses at once: %v", counts)
		}
		elsewhere := visit(t, server, "en")
		elsewhere.from = "203.0.113.5:1"
		elsewhere.get("/en/claim.html")
		began := time.Now()
		elsewhere.send("claim", map[string]string{"code": code, "secret": secret})
		elsewhere.wants(200, code)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the owner waited %v", took)
		}
	})
}

// TestGathering: what pages tell is read in the background, drafts and sessions that are not
// public stay out, and what cannot be read stays as it was.
func TestGathering(t *testing.T) {
	now := time.Now()
	c := rules(now)
	p := &publisher{windows: []claim.Window{window(now)}, drafts: []claim.Draft{{ID: "kakao-2022@1", Text: c.Text, Active: now}, {ID: "secret@1", Text: []byte("not even a policy")}}, sessions: []claim.Session{{ID: "1", Incident: "20221015-pangyo", Published: now}, {ID: "2", Incident: "20221015-pangyo"}}}
	g := &public.Gatherer{Publisher: p, Statistician: p, Checkpoint: func(context.Context) (string, error) { return "42", nil }}
	if g.Compensation() != nil {
		t.Error("something is told before anything was read")
	}
	if err := g.Gather(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := g.Compensation()
	if len(first.Windows) != 1 || len(first.Policies) != 1 || len(first.Sessions) != 1 || first.Statistics["20221015-pangyo"].Claims != 12 || first.Checkpoint != "42" {
		t.Errorf("told: %+v", first)
	}
	if err := g.Gather(t.Context()); err != nil || g.Compensation() != first || p.counted != 1 {
		t.Errorf("it changed though nothing did, or was counted %d times: %v", p.counted, err)
	}
	p.err = claim.ErrUnavailable
	if err := g.Gather(t.Context()); !errors.Is(err, claim.ErrUnavailable) || len(g.Compensation().Policies) != 1 {
		t.Errorf("after an error: %v, %+v", err, g.Compensation())
	}
}

type publisher struct {
	windows  []claim.Window
	drafts   []claim.Draft
	sessions []claim.Session
	err      error
	counted  int
}

// Windows returns them.
func (p *publisher) Windows(context.Context) ([]claim.Window, error) { return p.windows, nil }

// Drafts returns them, or the error.
func (p *publisher) Drafts(context.Context, string) ([]claim.Draft, error) { return p.drafts, p.err }

// Sessions returns them, or the error.
func (p *publisher) Sessions(context.Context, string) ([]claim.Session, error) {
	return p.sessions, p.err
}

// Statistics counts how often it is asked.
func (p *publisher) Statistics(context.Context, string) (settle.Statistics, error) {
	p.counted++
	return settle.Statistics{Claims: 12}, nil
}
