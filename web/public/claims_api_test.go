package public_test

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"bongsu/claim"
	"bongsu/web/public"
)

const newKey = "8b0c5d0e-8a5e-4a0f-9a52-6b1f2f0f4c11"

func claimSchema(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "claim.schema.json"))
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("claim.json", doc); err != nil {
		tb.Fatal(err)
	}
	s, err := c.Compile("claim.json")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// report is a good one of a program, with changes.
func report(changes ...any) map[string]any {
	m := map[string]any{"incident": "20221015-pangyo", "service": "mail", "use": "free", "text": "no offers could be sent", "loss": 50_000, "email": "hong@example.com", "consent": "2022-10-19", "lang": "en"}
	for n := 0; n+1 < len(changes); n += 2 {
		name, _ := changes[n].(string)
		if m[name] = changes[n+1]; changes[n+1] == nil {
			delete(m, name)
		}
	}
	return m
}

func post(tb testing.TB, h http.Handler, body any, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	tb.Helper()
	b, ok := body.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(body); err != nil {
			tb.Fatal(err)
		}
	}
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/api/v1/claims", bytes.NewReader(b))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", newKey)
	r.RemoteAddr = "198.51.100.9:1"
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func withKey(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
}

type answered struct {
	Code   string `json:"code"`
	Secret string `json:"secret"`
	Again  bool   `json:"again"`
	Type   string `json:"type"`
	Status int    `json:"status"`
	Errors []struct {
		Pointer string `json:"pointer"`
		Code    string `json:"code"`
		Detail  string `json:"detail"`
	} `json:"errors"`
	Challenge json.RawMessage `json:"challenge"`
}

func answer(tb testing.TB, w *httptest.ResponseRecorder) answered {
	tb.Helper()
	var a answered
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		tb.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	want := "application/json; charset=utf-8"
	if w.Code >= 400 {
		want = "application/problem+json; charset=utf-8"
		if a.Status != w.Code || !strings.HasPrefix(a.Type, "urn:bongsu:problem:") {
			tb.Errorf("the problem says %d %s, the answer is %d", a.Status, a.Type, w.Code)
		}
	}
	if got := w.Header().Get("Content-Type"); got != want || w.Header().Get("Cache-Control") != "no-store" {
		tb.Errorf("Content-Type %s, Cache-Control %s", got, w.Header().Get("Cache-Control"))
	}
	return a
}

// TestAPI: what the schema takes the API takes and the other way round; each mistake
// is told by its pointer.
func TestAPI(t *testing.T) {
	server, h := claimSite(t)
	s := claimSchema(t)
	n := 0
	for _, c := range []struct {
		name    string
		body    map[string]any
		code    int
		pointer string
	}{
		{"good", report(), 201, ""},
		{"with everything", report("part", "write", "kind", "small-business", "name", "홍길동", "phone", "+82 10-1234-5678", "business", "123-45-67890", "bestWeek", 3_000_000, "outageWeek", 1_000_000), 201, ""},
		{"a complaint", report("use", "none", "loss", 0), 201, ""},
		{"no service", report("service", nil), 422, "/service"},
		{"another use", report("use", "often"), 422, "/use"},
		{"another kind", report("kind", "robot"), 422, "/kind"},
		{"no words", report("text", ""), 422, "/text"},
		{"less than nothing", report("loss", -1), 422, "/loss"},
		{"more than is taken", report("loss", 1_000_000_000_000_001), 422, "/loss"},
		{"no loss where there is one", report("loss", nil), 422, "/loss"},
		{"no contact", report("email", nil), 422, "/email"},
		{"no consent", report("consent", ""), 422, "/consent"},
		{"a time that is none", report("from", "yesterday"), 422, "/from"},
		{"an unknown field", report("admin", true), 400, ""},
		{"a loss with decimals", report("loss", 1.5), 400, ""},
		{"a loss beyond int64", report("loss", json.Number("9223372036854775808")), 422, "/loss"},
		{"words that are a number", report("text", 5), 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n++
			b, err := json.Marshal(c.body)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(doc); (err == nil) != (c.code == 201) {
				t.Errorf("the schema says %v", err)
			}
			w := post(t, server, c.body, withKey(fmt.Sprintf("%s-%d", newKey, n)))
			a := answer(t, w)
			if w.Code != c.code {
				t.Fatalf("%d, want %d: %s", w.Code, c.code, w.Body)
			}
			if c.pointer != "" && (len(a.Errors) != 1 || a.Errors[0].Pointer != c.pointer || a.Errors[0].Detail == "" || a.Errors[0].Code == "") {
				t.Errorf("errors %+v, want one of %s", a.Errors, c.pointer)
			}
			if w.Code == 201 && w.Header().Get("Location") != "/api/v1/claims/"+a.Code {
				t.Errorf("Location %q", w.Header().Get("Location"))
			}
		})
	}
	if h.filed != 3 {
		t.Errorf("filed %d, want 3", h.filed)
	}
	for name, body := range map[string][]byte{"nothing": nil, "no JSON": []byte("{"), "two values": []byte(`{}{}`), "a list": []byte("[]"), "NaN": []byte(`{"loss":NaN}`)} {
		if w := post(t, server, body); w.Code != 400 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := post(t, server, bytes.Repeat([]byte("x"), 20<<20)); w.Code != 413 {
		t.Errorf("20 MB: %d", w.Code)
	}
	if w := post(t, server, report(), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); w.Code != 415 {
		t.Errorf("as text: %d", w.Code)
	}
	if w := post(t, server, report(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); w.Code != 403 || answer(t, w).Status != 403 {
		t.Errorf("from another site: %d", w.Code)
	}
	if w := post(t, server, report("lang", "ko", "text", "")); !strings.Contains(w.Body.String(), "한 문장이라도") {
		t.Errorf("in Korean: %s", w.Body)
	}
}

// A node that has just started and knows of no window yet does not say that there is none.
func TestAPIOfANodeThatStarts(t *testing.T) {
	server, h := claimSite(t)
	told := h.Compensation()
	h.tell(nil)
	w := post(t, server, report())
	if got := answer(t, w); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || got.Type != "urn:bongsu:problem:unavailable" {
		t.Errorf("%d, %+v", w.Code, got)
	}
	h.tell(told)
	if w := post(t, server, report()); w.Code != http.StatusCreated {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

// TestAPIRetryAfterTheOutage: times that were left empty are those of the record; when the outage has ended since, the same
// report with the same key is the same.
func TestAPIRetryAfterTheOutage(t *testing.T) {
	server, h := claimSite(t)
	first := answer(t, post(t, server, report()))
	ended := present(t, "incident")
	for i := range ended.Incidents {
		for k := range ended.Incidents[i].Intervals {
			if v := &ended.Incidents[i].Intervals[k]; v.To.IsZero() {
				v.To = ended.AsOf
			}
		}
	}
	w := post(t, h.site(t, ended), report())
	if again := answer(t, w); w.Code != 200 || again.Code != first.Code || again.Secret != first.Secret {
		t.Errorf("the same again: %d %s", w.Code, w.Body)
	}
	if w := post(t, h.site(t, ended), report("to", ended.AsOf.Format(time.RFC3339))); w.Code != 422 {
		t.Errorf("with a time that was not written before: %d %s", w.Code, w.Body)
	}
}

// TestAPIKeys: missing, too short, used for the same and for another report, and under way.
func TestAPIKeys(t *testing.T) {
	server, h := claimSite(t)
	for key, want := range map[string]string{"": "key-missing", "short": "key-bad", strings.Repeat("k", 129): "key-bad", "with spaces in the key": "key-bad"} {
		w := post(t, server, report(), withKey(key))
		if a := answer(t, w); w.Code != 400 || a.Type != "urn:bongsu:problem:"+want {
			t.Errorf("key %q: %d %s", key, w.Code, a.Type)
		}
	}
	first := answer(t, post(t, server, report()))
	w := post(t, server, report(), withKey(`"`+newKey+`"`))
	if again := answer(t, w); w.Code != 200 || again.Code != first.Code || again.Secret != first.Secret || !again.Again || w.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same again: %d %+v, first %+v", w.Code, again, first)
	}
	w = post(t, server, report("text", "other words"))
	if a := answer(t, w); w.Code != 422 || a.Type != "urn:bongsu:problem:key-reused" {
		t.Errorf("other words: %d %s", w.Code, w.Body)
	}
	h.slow = make(chan struct{})
	var wg sync.WaitGroup
	codes := make(chan int, 2)
	for range 2 {
		wg.Go(func() { codes <- post(t, server, report(), withKey(newKey+"-slow")).Code })
	}
	if got := <-codes; got != http.StatusConflict {
		t.Errorf("while the first is under way: %d", got)
	}
	close(h.slow)
	wg.Wait()
	if got := <-codes; got != http.StatusCreated {
		t.Errorf("the first: %d", got)
	}
	h.breaks(claim.ErrUnavailable)
	if w := post(t, server, report(), withKey(newKey+"-down")); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("without a quorum: %d", w.Code)
	}
}

// TestAPIClaim: how a claim stands, for who holds its secret; all else looks alike.
func TestAPIClaim(t *testing.T) {
	server, h := claimSite(t)
	got := answer(t, post(t, server, report()))
	get := func(code, authorization string) *httptest.ResponseRecorder {
		return ask(t, server, http.MethodGet, "/api/v1/claims/"+code, "", func(r *http.Request) {
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
		})
	}
	if w := get(got.Code, "Bearer "+got.Secret); w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"received"`) || !strings.Contains(w.Body.String(), `"decision":null`) || strings.Contains(w.Body.String(), "hong@") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var first string
	for _, c := range [][2]string{{got.Code, ""}, {got.Code, "Bearer"}, {got.Code, "Basic eA=="}, {got.Code, "Bearer wrong"}, {"0000-0000-0000", "Bearer " + got.Secret}, {"%00", "Bearer x"}, {strings.Repeat("A", 5000), "Bearer x"}} {
		w := get(c[0], c[1])
		if first == "" {
			first = w.Body.String()
		}
		if w.Code != 401 || w.Body.String() != first || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%.30q %q: %d %s", c[0], c[1], w.Code, w.Body)
		}
	}
	h.mu.Lock()
	h.down = errors.New("disk")
	h.mu.Unlock()
	if w := get(got.Code, "Bearer "+got.Secret); w.Code != 503 || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := ask(t, server, http.MethodGet, "/api/v1/claim-windows.json", "")
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Body.String(), `"phase":"taken"`) || !strings.Contains(w.Body.String(), `"service":"talk","part":"photo"`) {
		t.Errorf("windows: %d %s", w.Code, w.Body)
	}
}

// solve does the work that a challenge asks for.
func solve(tb testing.TB, challenge json.RawMessage) string {
	tb.Helper()
	var c struct {
		Parameters struct {
			Cost      int    `json:"cost"`
			KeyLength int    `json:"keyLength"`
			KeyPrefix string `json:"keyPrefix"`
			Nonce     string `json:"nonce"`
			Salt      string `json:"salt"`
		} `json:"parameters"`
	}
	if err := json.Unmarshal(challenge, &c); err != nil {
		tb.Fatal(err)
	}
	nonce, _ := hex.DecodeString(c.Parameters.Nonce)
	salt, _ := hex.DecodeString(c.Parameters.Salt)
	for n := range uint32(1 << 16) {
		key, err := pbkdf2.Key(sha256.New, string(binary.BigEndian.AppendUint32(slices.Clone(nonce), n)), salt, c.Parameters.Cost, c.Parameters.KeyLength)
		if err != nil {
			tb.Fatal(err)
		}
		if k := hex.EncodeToString(key); strings.HasPrefix(k, c.Parameters.KeyPrefix) {
			return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"challenge":%s,"solution":{"counter":%d,"derivedKey":%q,"time":12.5}}`, challenge, n, k))
		}
	}
	tb.Fatal("no solution")
	return ""
}

// TestProofOfWork: asked for under attack only, once for each proof, and never the only way.
func TestProofOfWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := present(t, "incident")
		s.AsOf, s.GoodFor = time.Now(), 24*time.Hour
		server, h := claimSiteOf(t, s, compensation(t, time.Now()), func(c *public.Claims) { c.Surge, c.Work = 5, 20 })
		n := 0
		send := func(network int, altcha string) (int, answered) {
			n++
			w := post(t, server, report("altcha", altcha), withKey(fmt.Sprintf("%s-%d", newKey, n)), func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("10.0.%d.1:1", network) })
			return w.Code, answer(t, w)
		}
		for k := range 4 {
			if code, _ := send(1, ""); code != 201 {
				t.Fatalf("report %d: %d", k, code)
			}
		}
		if code, _ := send(1, ""); code != 201 { // the slow lane of its network
			t.Fatalf("the first under attack: %d", code)
		}
		code, a := send(1, "")
		if code != 429 || len(a.Challenge) == 0 {
			t.Fatalf("the second: %d, challenge %s", code, a.Challenge)
		}
		proof := solve(t, a.Challenge)
		if code, _ := send(1, proof); code != 201 {
			t.Errorf("with a proof: %d", code)
		}
		if code, _ := send(1, proof); code != 429 {
			t.Errorf("with the same proof: %d", code)
		}
		raw, _ := base64.StdEncoding.DecodeString(proof)
		_, b := send(1, "")
		forged := strings.Replace(string(b.Challenge), `"cost":20`, `"cost":1`, 1)
		for name, bad := range map[string]string{
			"junk": "junk", "no JSON": base64.StdEncoding.EncodeToString([]byte("{")), "another cost": solve(t, json.RawMessage(forged)), "huge": strings.Repeat("A", 5000),
			"another counter": base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte(`"counter":`), []byte(`"counter":1`), 1)),
			"no solution":     base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"challenge":%s,"solution":{"counter":0,"derivedKey":"00"}}`, b.Challenge)),
		} {
			if code, _ := send(1, bad); code != 429 {
				t.Errorf("%s: %d", name, code)
			}
		}
		if code, _ := send(1, solve(t, b.Challenge)); code != 429 {
			t.Error("a nonce that was spent by a wrong solution is taken again")
		}
		if code, _ := send(2, ""); code != 201 {
			t.Errorf("the slow lane of another network: %d", code)
		}
		<-time.NewTimer(2 * time.Minute).C
		if code, _ := send(1, ""); code != 201 {
			t.Errorf("the slow lane two minutes later: %d", code)
		}
		_, old := send(1, "")
		late := solve(t, old.Challenge)

		// The form of who fills it in meanwhile has the challenge with it.
		v := visit(t, server, "en")
		v.get("/en/report.html")
		v.wants(200, `data-challenge="{`, "one report in two minutes is taken")
		v.from = "10.0.1.9:1"
		v.send("report", good())
		v.wants(429, "Press send again when the computation below is done", "거래처에 견적을", `data-now="1"`, "1577-0000")
		if v.header.Get("Retry-After") == "" {
			t.Error("it does not say when")
		}

		<-time.NewTimer(62 * time.Minute).C
		for range 5 { // attackers are back
			send(3, "")
		}
		if code, _ := send(3, late); code != 429 {
			t.Errorf("with an old proof: %d", code)
		}
		<-time.NewTimer(90 * time.Second).C
		v.get("/en/report.html")
		v.wants(200, "data-challenge") // it does not end with one calm minute
		<-time.NewTimer(7 * time.Minute).C
		v.get("/en/report.html")
		v.lacks("data-challenge")
		if h.filed < 9 {
			t.Errorf("filed %d", h.filed)
		}
	})
}

// TestJunkProofs: proofs in which no work is, of challenges that cost nothing, write to the store
// no more than some times; who works has other networks.
func TestJunkProofs(t *testing.T) {
	server, h := claimSite(t, func(c *public.Claims) { c.Burst, c.Every, c.Work = 1, time.Hour, 20 })
	send := func(n int, from, altcha string) *httptest.ResponseRecorder {
		return post(t, server, report("altcha", altcha), withKey(fmt.Sprintf("%s-%d", newKey, n)), func(r *http.Request) { r.RemoteAddr = from })
	}
	challenge := func(w *httptest.ResponseRecorder) json.RawMessage { return answer(t, w).Challenge }
	for n := range 2 { // the burst, and the slow lane
		send(n, "10.0.1.1:1", "")
	}
	before := len(h.spent)
	for n := range 60 {
		c := challenge(send(100+n, "10.0.1.1:1", ""))
		send(200+n, "10.0.1.1:1", base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"challenge":%s,"solution":{"counter":0,"derivedKey":"00"}}`, c)))
	}
	if n := len(h.spent) - before; n == 0 || n > 25 {
		t.Errorf("60 proofs without work wrote %d times", n)
	}
	for n := range 2 {
		send(300+n, "10.0.2.1:1", "")
	}
	if w := send(400, "10.0.2.1:1", solve(t, challenge(send(401, "10.0.2.1:1", "")))); w.Code != 201 {
		t.Errorf("who works elsewhere: %d", w.Code)
	}
}

// TestOneContact: many reports of one person are taken from wherever they come, and cost some work.
func TestOneContact(t *testing.T) {
	server, _ := claimSite(t, func(c *public.Claims) { c.Burst, c.Every, c.Work = 3, time.Hour, 20 })
	codes := map[int]int{}
	for n := range 12 { // two from each network: the second past its slow lane
		mail := []string{"a@example.com", "A+b@example.com"}[n%2]
		w := post(t, server, report("email", mail), withKey(fmt.Sprintf("%s-%d", newKey, n)), func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("10.1.%d.1:1", n/2) })
		codes[w.Code]++
	}
	if codes[201] != 8 || codes[429] != 4 {
		t.Errorf("twelve reports of one person from six networks: %v", codes)
	}
	if w := post(t, server, report("email", "other@example.com"), withKey(newKey+"-other")); w.Code != 201 {
		t.Errorf("another person: %d", w.Code)
	}
}

// TestOneNetwork: who sends many from one network works for them, and nobody else does.
func TestOneNetwork(t *testing.T) {
	server, _ := claimSite(t, func(c *public.Claims) { c.Burst, c.Every = 3, time.Hour })
	codes := map[int]int{}
	for n := range 6 {
		codes[post(t, server, report(), withKey(fmt.Sprintf("%s-%d", newKey, n))).Code]++
	}
	if codes[201] != 4 || codes[429] != 2 {
		t.Errorf("of six: %v, want three and one by the slow lane", codes)
	}
	if w := post(t, server, report(), withKey(newKey+"-other"), func(r *http.Request) { r.RemoteAddr = "203.0.113.1:1" }); w.Code != 201 {
		t.Errorf("another network: %d", w.Code)
	}
}
