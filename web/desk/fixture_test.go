package desk

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/settle"
	"bongsu/status"
	"bongsu/web"
)

// people are the accounts of a test, one for each duty and two where two are needed.
type people map[string]Rights

func staff() people {
	return people{
		"kim":     {Claims: Agent},
		"lee":     {Claims: Decider},
		"park":    {Claims: Decider},
		"choi":    {Claims: Payer},
		"jung":    {Claims: Payer},
		"kang":    {Claims: Body},
		"yoon":    {Claims: Privacy},
		"viewer":  {Questions: web.Viewer},
		"agent":   {Questions: web.Operator},
		"editor":  {Questions: web.Approver},
		"nobody":  {},
		"both":    {Questions: web.Operator, Claims: Agent},
		"decider": {Claims: Decider},
	}
}

func (p people) Password(_ context.Context, name, password string) (Rights, bool) {
	r, ok := p[name]
	return r, ok && password == "pw "+name
}

func (p people) Current(name string) (Rights, bool) {
	r, ok := p[name]
	return r, ok
}

// A bench is a desk over stores in memory.
type bench struct {
	t       testing.TB
	s       *Server
	people  people
	store   *kv.Memory
	office  *claim.Office
	cashier *settle.Cashier
	ledger  *claim.Keeper
	began   time.Time
	ids     []string
	fast    bool              // time is real: nobody waits for it
	shown   map[string]string // addresses of what was made
}

func master(t testing.TB) *claim.Master {
	t.Helper()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// hour is so many hours after the outage began.
func (b *bench) hour(n float64) time.Time { return b.began.Add(time.Duration(n * float64(time.Hour))) }

func (b *bench) intervals(incident string) []status.Interval {
	if incident != "fire" {
		return nil
	}
	return []status.Interval{
		{Service: "kakaotalk", Level: status.Down, From: b.hour(0), To: b.hour(10)},
		{Service: "kakaotalk", Part: "photos", Level: status.Degraded, From: b.hour(10), To: b.hour(16)},
		{Service: "melon", Level: status.Down, From: b.hour(0), To: b.hour(23)},
		{Service: "kakao-t-pro", Level: status.Down, From: b.hour(0), To: b.hour(23)},
		{Service: "emoticon-plus", Level: status.Down, From: b.hour(0), To: b.hour(30)},
	}
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, people: staff(), store: kv.NewMemory(), began: time.Now().UTC().Truncate(time.Hour).Add(-6 * 24 * time.Hour)}
	b.ledger = claim.NewKeeper(b.store, master(t))
	b.office = &claim.Office{
		Store: b.store, Ledger: b.ledger,
		Outages: func(i string) (claim.Outages, bool) { return claim.NewOutages(b.intervals(i), time.Now()), i == "fire" },
		Accounts: func(id string) policy.Account {
			if id != "a-17" {
				return policy.Account{}
			}
			return policy.Account{ID: id, Service: "kakao-t-pro", Plan: "pro", Fee: 39_000, Since: b.hour(-24 * 200)}
		},
		Titles: func(string) map[string]string {
			return map[string]string{"ko": "판교 화재", "en": "Fire at Pangyo"}
		},
	}
	b.cashier = &settle.Cashier{
		Store: b.store, Ledger: b.ledger, Book: settle.NewBook(b.store), Outages: b.office.Outages, Coupons: bytes.Repeat([]byte{4}, 32),
		Banks: map[string]settle.Debtor{"main": {Name: "Beacon", Bank: "004", Number: "1"}},
	}
	desk, err := status.NewDesk(b.store, bytes.Repeat([]byte{5}, 32), status.DefaultLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.s, err = New(Options{
		Accounts: b.people, Key: bytes.Repeat([]byte{3}, 32), Questions: desk, Office: b.office, Ledger: b.ledger,
		Intervals: b.intervals, Cashier: b.cashier, Store: b.store,
		Banks: []string{"main", "reserve"},
		Faults: func(string) []incident.Fault {
			return []incident.Fault{{Domain: "pangyo", Operator: "Pangyo DC"}, {Domain: "pangyo-power"}}
		},
		Recourse: func(_ context.Context, p settle.Pack, _ string) (string, []byte, error) {
			return p.Incident + ".zip", fmt.Appendf(nil, "PK %s %d %s", p.Counterparty, p.Limit, p.Limitation.Format(time.DateOnly)), nil
		},
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

// A person is somebody with a browser, which keeps cookies and fills in tokens.
type person struct {
	b       *bench
	name    string
	cookies map[string]string
	lang    string
	forms   []url.Values // what was typed last
}

func (b *bench) as(name string) *person {
	b.t.Helper()
	p := &person{b: b, name: name, cookies: map[string]string{}, lang: "ko"}
	p.get("/login")
	if w := p.post("/login", url.Values{"name": {name}, "password": {"pw " + name}}); w.Code != http.StatusSeeOther {
		b.t.Fatalf("%s cannot log in: %d\n%s", name, w.Code, w.Body)
	}
	return p
}

func (p *person) send(r *http.Request) *httptest.ResponseRecorder {
	p.b.t.Helper()
	r.Header.Set("Accept-Language", p.lang)
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	p.b.s.ServeHTTP(w, r)
	if loud := strings.HasSuffix(r.URL.Path, "/look") || strings.HasSuffix(r.URL.Path, "/paper") || strings.HasSuffix(r.URL.Path, "/payout/file"); !loud {
		for _, secret := range secrets() {
			if strings.Contains(w.Body.String(), secret) && !p.typed(secret) {
				p.b.t.Errorf("%s %s shows %q to %s, who gave no reason", r.Method, r.URL.Path, secret, p.name)
			}
		}
	}
	for _, c := range w.Result().Cookies() {
		p.cookies[c.Name] = c.Value
	}
	return w
}

// typed says whether this person has typed it themselves, into a form that comes back.
func (p *person) typed(secret string) bool {
	return slices.ContainsFunc(p.forms, func(v url.Values) bool { return strings.Contains(fmt.Sprint(v), secret) })
}

func (p *person) get(path string) *httptest.ResponseRecorder {
	p.b.t.Helper()
	return p.send(httptest.NewRequest(http.MethodGet, path, nil))
}

// page is what a person sees who opens an address, after being sent on.
func (p *person) page(path string) string {
	p.b.t.Helper()
	w := p.get(path)
	for n := 0; w.Code == http.StatusSeeOther && n < 5; n++ {
		w = p.get(w.Header().Get("Location"))
	}
	if w.Code != http.StatusOK {
		p.b.t.Fatalf("%s at %s: %d\n%s", p.name, path, w.Code, problemIn(w.Body.String()))
	}
	return w.Body.String()
}

func problemIn(html string) string {
	if m := regexp.MustCompile(`(?s)<div class="banner bad problem".*?</div>`).FindString(html); m != "" {
		return m
	}
	return html
}

// token is the one that this person's forms carry.
func (p *person) token() string {
	m := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(p.get("/login").Body.String())
	if m == nil {
		p.b.t.Fatal("no form has a token")
	}
	return m[1]
}

func (p *person) post(path string, form url.Values) *httptest.ResponseRecorder {
	p.b.t.Helper()
	v := url.Values{"token": {p.token()}}
	p.forms = []url.Values{form}
	maps.Copy(v, form)
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.send(r)
}

// sends posts a form with a file.
func (p *person) sends(path string, fields map[string]string, file string, data []byte) *httptest.ResponseRecorder {
	p.b.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	token := p.token()
	for name, value := range fields {
		_ = m.WriteField(name, value)
	}
	_ = m.WriteField("token", token)
	f, err := m.CreateFormFile("file", file)
	if err != nil {
		p.b.t.Fatal(err)
	}
	_, _ = f.Write(data)
	_ = m.Close()
	r := httptest.NewRequest(http.MethodPost, path, &body)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return p.send(r)
}

// does posts a form that has to be taken, and returns where it leads to.
func (p *person) does(path string, form url.Values) string {
	p.b.t.Helper()
	w := p.post(path, form)
	if w.Code != http.StatusSeeOther {
		p.b.t.Fatalf("%s at %s: %d\n%s", p.name, path, w.Code, problemIn(w.Body.String()))
	}
	return w.Header().Get("Location")
}

func shipped(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("../../examples/policies/kakao-2022.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// personal is what no page may show that nobody gave a reason for.
func secrets() []string {
	return []string{"홍길동", "p1@example.com", "010-2222-3333", "110-123-456789", "손님이 그냥 갔습니다", "덧붙인 비밀", "이의의 속사정"}
}

// hostile is what somebody writes who wants to break a page.
const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>` + "\u202eevil\u202c"

// filled is a bench with a window, a policy in force and claims in each state that
// reports alone lead to.
func filled(t testing.TB) *bench {
	t.Helper()
	return fill(newBench(t))
}

func fill(b *bench) *bench {
	t := b.t
	t.Helper()
	ctx := t.Context()
	if _, err := b.office.Open(ctx, claim.Window{Incident: "fire", Opens: b.hour(24), Closes: b.hour(24 * 31), Reasons: claim.DefaultTemplate().Reasons, Evidence: claim.DefaultTemplate().Evidence, LateUntil: b.hour(24 * 60)}, "lee"); err != nil {
		t.Fatal(err)
	}
	d, err := b.office.Submit(ctx, "fire", shipped(t), "lee")
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"lee", "park"} {
		if d, err = b.office.Approve(ctx, "fire", d.ID, d.Digest, by); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range []policy.Claim{
		{Service: "kakaotalk", Part: "", Use: "free", Kind: "small-business", Loss: 250_000, Best: 1_250_000, Week: 1_000_000, From: b.hour(1), To: b.hour(9)},
		{Service: "kakao-t-pro", Use: "paid", Kind: "person", From: b.hour(2)},
		{Service: "kakaotalk", Use: "none", Kind: "person"},
		{Service: "kakaotalk", Use: "free", Kind: "small-business", Loss: 250_000, Best: 1_250_000, Week: 1_000_000, From: b.hour(1), To: b.hour(20)},
		{Service: "kakaotalk", Part: hostile[:40], Use: "free", Kind: "company", Loss: 90_000_000, From: b.hour(30), To: b.hour(40)},
		{Service: "emoticon-plus", Use: "paid", Kind: "person"},
	} {
		report := claim.Report{
			Claim: claim.Claim{
				Incident: "fire", Channel: claim.ByWeb, Lang: "ko", Consent: claim.Consent{Version: claim.DefaultTemplate().Consent.Version}, Report: r,
			},
			Personal: claim.Personal{
				Name: "홍길동", Email: fmt.Sprintf("p%d@example.com", i+1), Phone: "010-2222-3333", Bank: "088", Number: "110-123-456789", Holder: "홍길동",
				Text: "손님이 그냥 갔습니다 " + hostile + strings.Repeat("가나다라", 400),
			},
		}
		if r.Service == "kakao-t-pro" {
			report.Claim.Account = "a-17"
		}
		receipt, err := b.office.File(ctx, report)
		if err != nil {
			t.Fatal(err)
		}
		b.ids = append(b.ids, receipt.ID)
		if *gallery == "" && !b.fast {
			<-time.NewTimer(time.Minute).C
		}
	}
	return b
}

// claimOf is a claim of the bench as it is now.
func (b *bench) claimOf(i int) claim.Claim {
	b.t.Helper()
	c, err := b.ledger.Claim(b.t.Context(), b.ids[i])
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// plain takes out of a page what differs from run to run.
func (b *bench) plain(html string) string {
	for i, id := range b.ids {
		html = strings.ReplaceAll(html, id, fmt.Sprintf("CLAIM-%d", i+1))
	}
	html = regexp.MustCompile(`name="token" value="[^"]*"`).ReplaceAllString(html, `name="token" value="TOKEN"`)
	html = regexp.MustCompile(`(?s)<svg class="(defs|logo)".*?</svg>`).ReplaceAllString(html, "")
	html = regexp.MustCompile(`/desk\.css\?[0-9a-f]*`).ReplaceAllString(html, `/desk.css?HASH`)
	html = regexp.MustCompile(`/jobs/[A-Z2-7]{26}`).ReplaceAllString(html, `/jobs/JOB`)
	return html
}
