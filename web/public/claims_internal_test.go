package public

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"bongsu/claim"
	"bongsu/claim/paper"
	"bongsu/internal/lang"
	"bongsu/status"
)

// FuzzProof: nothing that is sent as a proof breaks anything, and nothing passes that
// we did not sign.
func FuzzProof(f *testing.F) {
	p := newProofs(bytes.Repeat([]byte{1}, 32))
	now := time.Unix(1_700_000_000, 0)
	good, err := json.Marshal(proof{Challenge: p.challenge(now, 1), Solution: solution{Counter: 7, DerivedKey: "00"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(base64.StdEncoding.EncodeToString(good))
	f.Add("")
	f.Add("e30=")
	f.Add(base64.StdEncoding.EncodeToString([]byte(`{"challenge":{"parameters":{"cost":1e9,"keyLength":-1,"nonce":"zz"}},"solution":{"counter":4294967295}}`)))
	f.Fuzz(func(t *testing.T, payload string) {
		x, err := readProof(payload)
		if err != nil {
			if !errors.Is(err, errProofBad) {
				t.Errorf("%v", err)
			}
			return
		}
		if x.Challenge.Parameters.Cost <= 100 {
			x.solved()
		}
		if p.check(x, now) == nil && !hmacOf(p, x) {
			t.Errorf("%q passes", payload)
		}
	})
}

func hmacOf(p proofs, x *proof) bool { return x.Challenge.Signature == p.sign(&x.Challenge.Parameters) }

// FuzzAmount: what is read is never less than nothing, and never more than was written.
func FuzzAmount(f *testing.F) {
	for _, s := range []string{"50,000원", "5만", "NaN", "-1", "9223372036854775808", "1e9", "５０", "만", "₩1", "1.005", "0x1", "5억", "3천만", "1억 2,000만", "1.5억", "-5만", "조", "9999조"} {
		f.Add(s, "KRW")
		f.Add(s, "USD")
	}
	f.Fuzz(func(t *testing.T, s, currency string) {
		n, wrong := amount(s, currency)
		if wrong == "" && (n < 0 || n > mostAmount || n > 0 && !strings.ContainsFunc(s, func(r rune) bool {
			return r >= '1' && r <= '9' || r >= '１' && r <= '９' || currency == "KRW" && strings.ContainsRune("십백천만", r)
		})) {
			t.Errorf("%q is %d", s, n)
		}
		if wrong != "" && n != 0 {
			t.Errorf("%q is refused, and %d", s, n)
		}
	})
}

// FuzzReport: whatever is typed, reading it ends, and what is refused has a message in
// both languages; what is taken is text that a store can hold.
func FuzzReport(f *testing.F) {
	r, err := newRenderer()
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2022, 10, 20, 3, 0, 0, 0, time.UTC)
	s := &status.State{
		AsOf: now, Catalog: status.Catalog{TimeZone: "Asia/Seoul", Services: []status.Service{{Name: "mail", Parts: []status.Part{{Name: "read"}}}}},
		Incidents: []status.Incident{{ID: "i", StartedAt: now.Add(-time.Hour), Intervals: []status.Interval{{Service: "mail", Level: status.Down, From: now.Add(-time.Hour)}}}},
	}
	w := &claim.Window{Incident: "i", Currency: "KRW", Opens: now.Add(-time.Hour), Closes: now.Add(time.Hour), Consent: claim.ConsentText{Version: "1"}}
	f.Add("service=mail/read&use=free&loss=5만&text=x&email=a@b.kr&consent=1")
	f.Add("service=mail&use=none&text=%00%ff&phone=1&from=2022-10-20T11:30&to=9999-99-99&consent=2&best=-1&late=x&kind=' OR 1=1")
	f.Fuzz(func(t *testing.T, form string) {
		v, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		x := &reading{typed: &typed{values: v}, window: w, site: newSite(s, &Compensation{Windows: []claim.Window{*w}}, now), now: now, lang: lang.Korean}
		got := x.report()
		if !x.ok() {
			for field, key := range x.wrong {
				for _, l := range lang.All() {
					if _, err := r.messages.Text(l, "error."+key, x.args[field]...); err != nil {
						t.Errorf("%s: %v", field, err)
					}
				}
			}
			return
		}
		for _, text := range []string{got.Personal.Text, got.Personal.Name, got.Personal.Email, got.Personal.Phone} {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Errorf("kept %q of %q", text, form)
			}
		}
		if got.Claim.Report.Loss < 0 || got.Claim.Report.From.Before(now.Add(-time.Hour)) || got.Claim.Report.From.After(now.Add(ahead)) {
			t.Errorf("kept %+v of %q", got.Claim.Report, form)
		}
	})
}

// FuzzClaimJSON: what programs send is refused with a reason, or read.
func FuzzClaimJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"loss":1}`, `{"loss":NaN}`, `[]`, `{"loss":1e99}`, `{"text":"\u0000"}`, `{"x":1}`, "{\"text\":\"\xff\"}", strings.Repeat("[", 10_000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var c claimV1
		if why := decodeClaim(body, &c); why == "" {
			c.typedOf()
		} else if strings.HasPrefix(why, "json:") {
			t.Errorf("the reason begins with the name of a package: %s", why)
		}
	})
}

// TestSessionsAreSealed: who changes, lends or keeps one too long has none.
func TestSessionsAreSealed(t *testing.T) {
	a, err := newSealer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	b, err := newSealer(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	x := a.seal(&session{ID: "7K2M-9XQ4-B3TD", Secret: "AAAAA-BBBBB-CCCCC-DDDDD", Until: now.Add(time.Minute), Papers: []taken{{strings.Repeat("가", 40), "file.hostile"}}})
	if got := a.open(x, now); got == nil || got.Secret != "AAAAA-BBBBB-CCCCC-DDDDD" {
		t.Errorf("opened %+v", got)
	}
	if raw, _ := base64.RawURLEncoding.DecodeString(x); bytes.Contains(raw, []byte("7K2M")) || bytes.Contains(raw, []byte("AAAAA")) {
		t.Error("a session can be read")
	}
	for name, bad := range map[string]string{"empty": "", "of another key": b.seal(&session{Until: now.Add(time.Hour)}), "cut": x[:len(x)-2], "changed": "A" + x[1:], "long": strings.Repeat("A", 9000)} {
		if a.open(bad, now) != nil && bad != x {
			t.Errorf("%s is opened", name)
		}
	}
	if a.open(x, now.Add(2*time.Minute)) != nil {
		t.Error("it is opened after its time")
	}
}

// TestSlowUploads: who holds a connection is let go, who has a bad line is not, and
// nobody holds it for ever.
func TestSlowUploads(t *testing.T) {
	for _, c := range []struct {
		name  string
		chunk int
		every time.Duration
		ends  error
	}{
		{"a bad line", 64 << 10, time.Second, nil},
		{"a byte at a time", 1, time.Second, errSlow},
		{"for ever", 40 << 10, 2 * time.Second, errSlow},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := httptest.NewRecorder()
				b := &steady{from: &dripping{left: 6 << 20, chunk: c.chunk, every: c.every}, control: http.NewResponseController(w), began: time.Now(), most: mostUpload}
				_, err := io.Copy(struct{ io.Writer }{io.Discard}, b) // 32 kB at a time
				if !errors.Is(err, c.ends) || c.ends == nil && err != nil {
					t.Errorf("%v, want %v", err, c.ends)
				}
				if took := time.Since(b.began); took > uploadTime+10*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

type dripping struct {
	left, chunk int
	every       time.Duration
}

// Read gives a little after a while.
func (d *dripping) Read(p []byte) (int, error) {
	if d.left <= 0 {
		return 0, io.EOF
	}
	<-time.NewTimer(d.every).C
	n := min(d.chunk, len(p), d.left)
	d.left -= n
	return n, nil
}

// nothing is a teller, taker and so on of tests that look at one part only.
type nothing struct {
	Taker
	Asker
	Giver
	Ender
}

func (nothing) Compensation() *Compensation { return &Compensation{} }

// TestUploadsAreBounded: a flood of large files is told to come later once the memory for
// them is taken, and all of it is given back.
func TestUploadsAreBounded(t *testing.T) {
	c, err := newCounter(Claims{Teller: nothing{}, Taker: nothing{}, Asker: nothing{}, Giver: nothing{}, Ender: nothing{}}, bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c.memory = &budget{left: 8 << 20}
	s := &Server{claims: c, log: slog.New(slog.DiscardHandler)}
	body := func(size, files int) (string, []byte) {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		if err := m.WriteField("text", "kept"); err != nil {
			t.Fatal(err)
		}
		for range files {
			w, err := m.CreateFormFile("files", "a.pdf")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		return m.FormDataContentType(), b.Bytes()
	}
	read := func(network string, size, files int) (*sent, error) {
		kind, b := body(size, files)
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(b))
		r.Header.Set("Content-Type", kind)
		return s.read(httptest.NewRecorder(), r, network)
	}
	first, err := read("a", 3<<20, 1)
	if err != nil || len(first.papers) != 1 || len(first.papers[0].data) != 3<<20 {
		t.Fatalf("%v", err)
	}
	second, err := read("b", 3<<20, 1)
	if !errors.Is(err, errBusy) || second.get("text") != "kept" {
		t.Errorf("the second, while the first is held: %v, words %q", err, second.get("text"))
	}
	second.done()
	first.done()
	third, err := read("b", 3<<20, 1)
	if err != nil {
		t.Errorf("after both went: %v", err)
	}
	third.done()
	if c.memory.left != 8<<20 || c.guests.all != 0 {
		t.Errorf("%d bytes are free, %d guests there", c.memory.left, c.guests.all)
	}
	many, err := read("c", 10, mostFiles+3)
	if err != nil || len(many.papers) != mostFiles+3 || many.papers[mostFiles].wrong != "file.many" {
		t.Errorf("of too many files: %v, %d", err, len(many.papers))
	}
	many.done()
	lots, err := read("c", 0, 5_000)
	if err != nil || len(lots.papers) > 2*mostFiles {
		t.Errorf("of thousands of files: %v, %d are told", err, len(lots.papers))
	}
	lots.done()
	var held []*sent
	for range mostOfPrefix {
		f, err := read("d", 10, 1)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, f)
	}
	one, err := read("d", 10, 1)
	if !errors.Is(err, errBusy) {
		t.Errorf("one network sends more at once than it may: %v", err)
	}
	one.done()
	// What is large without a file takes a place too: fields that say nothing, or the head of one.
	for name, body := range map[string]string{
		"fields": strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", 20_000) + "--x--\r\n",
		"a head": "--x\r\nContent-Disposition: form-data; name=\"" + strings.Repeat("a", 5<<20) + "\"\r\n\r\n\r\n--x--\r\n",
	} {
		for network, want := range map[string]error{"d": errBusy, "e": errLarge} {
			r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			f, err := s.read(httptest.NewRecorder(), r, network)
			if name == "fields" {
				want = errLarge // before it is large
			}
			if !errors.Is(err, want) || len(f.values["a"]) > 1000 {
				t.Errorf("%s from %s: %v, want %v; %d fields are held", name, network, err, want, len(f.values["a"]))
			}
			f.done()
		}
	}
	for _, f := range held {
		f.done()
	}
	if c.guests.all != 0 {
		t.Errorf("%d places are not given back", c.guests.all)
	}
}

// TestEarlyNamesTheBeginning: what is refused as before the outage is told the recorded beginning, and not until when it would be taken.
func TestEarlyNamesTheBeginning(t *testing.T) {
	now := time.Date(2022, 10, 20, 3, 0, 0, 0, time.UTC)
	began := now.Add(-2 * time.Hour)
	s := &status.State{AsOf: now, Catalog: status.Catalog{TimeZone: "Asia/Seoul", Services: []status.Service{{Name: "mail"}}}, Incidents: []status.Incident{{ID: "i", StartedAt: began}}}
	w := &claim.Window{Incident: "i", Currency: "KRW", Opens: began, Closes: now.Add(time.Hour)}
	for typedIn, refused := range map[string]bool{"2019-01-01T00:00": true, "2022-10-20T08:59": true, "2022-10-20T09:00": false, "2022-10-20T09:30": false} {
		x := &reading{typed: &typed{values: url.Values{"from": {typedIn}}}, window: w, site: newSite(s, &Compensation{Windows: []claim.Window{*w}}, now), now: now, lang: lang.Korean}
		x.report()
		if got := x.wrong["from"] == "report.before"; got != refused || refused && x.args["from"][0] != any(began) {
			t.Errorf("%s: %q %v", typedIn, x.wrong["from"], x.args["from"])
		}
	}
}

// TestAmountsAsWritten: amounts are read as people write them, and what is wrong with the others is said.
func TestAmountsAsWritten(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "50,000": 50_000, "50000원": 50_000, "５００００": 50_000, "₩ 50,000": 50_000, "KRW 50,000": 50_000, "5만": 50_000, "5만원": 50_000, "5만 3천원": 53_000, "5만3,500": 53_500,
		"천원": 1000, "만원": 10_000, "십만": 100_000, "백만원": 1_000_000, "천만": 10_000_000, "3천만 원": 30_000_000, "3천5백만": 35_000_000, "2000만": 20_000_000, "1.5만": 15_000,
		"5억": 500_000_000, "1억 5천만": 150_000_000, "1억 2,000만 원": 120_000_000, "1.5억": 150_000_000, "1.25억": 125_000_000, "1조": 1_000_000_000_000, "1000조": mostAmount, "1,000,000,000,000,000": mostAmount,
	} {
		if n, wrong := amount(s, "KRW"); n != want || wrong != "" {
			t.Errorf("%q: %d %s", s, n, wrong)
		}
	}
	for s, want := range map[string]string{
		"-1": amountNegative, "-5만": amountNegative, "−50,000원": amountNegative, "₩-1": amountNegative, "-9223372036854775808": amountNegative,
		"1000000000000001": amountLarge, "9223372036854775808": amountLarge, "99999999999999999999999": amountLarge, "1001조": amountLarge, "99999999조": amountLarge, "1000조 1": amountLarge, "99999999999999999999억": amountLarge,
		"": amountUnread, "-": amountUnread, "--1": amountUnread, "NaN": amountUnread, "1e9": amountUnread, "0x1": amountUnread, "억": amountUnread, "억원": amountUnread, "5억억": amountUnread, "3만5억": amountUnread, "1억20000만": amountUnread,
		"1.00005만": amountUnread, "1.만": amountUnread, "1.5": amountUnread, "만만": amountUnread, "5,00만": amountUnread, ",,,,,,,,,,,,,,,,": amountUnread, "-NaN": amountUnread,
	} {
		if n, wrong := amount(s, "KRW"); n != 0 || wrong != want {
			t.Errorf("%q: %d, %q, want %q", s, n, wrong, want)
		}
	}
	if n, wrong := amount("12.50", "USD"); n != 1250 || wrong != "" {
		t.Errorf("12.50 dollars: %d %s", n, wrong)
	}
	if _, wrong := amount("5만", "USD"); wrong != amountUnread {
		t.Errorf("5만 dollars: %q", wrong)
	}
	for s, want := range map[string]string{"1": "", "-1": amountNegative, "1000000000000001": amountLarge} {
		if _, wrong := minorUnits(s, "KRW"); wrong != want {
			t.Errorf("of a program %s: %q", s, wrong)
		}
	}
	for body, want := range map[string]minor{`{"loss":9223372036854775808}`: math.MaxInt64, `{"loss":-9223372036854775809}`: math.MinInt64, `{"loss":null}`: 0, `{"loss":7}`: 7} {
		var c claimV1
		if why := decodeClaim([]byte(body), &c); why != "" || c.Loss != want {
			t.Errorf("%s: %d %s", body, c.Loss, why)
		}
	}
	for body, want := range map[string]string{`{"loss":1.5}`: "/loss: a number 1.5 is not taken there", `{"bestWeek":"5"}`: "/bestWeek: a string is not taken there", `{"outageWeek":1e99}`: "/outageWeek: a number 1e99 is not taken there"} {
		if why := decodeClaim([]byte(body), &claimV1{}); why != want {
			t.Errorf("%s: %s", body, why)
		}
	}
}

// TestLargePaper: a small file of a huge picture is told as that, and not as more bytes than are taken.
func TestLargePaper(t *testing.T) {
	head := []byte("IHDR\x00\x00\xea\x60\x00\x00\xea\x60\x08\x02\x00\x00\x00") // 60,000 by 60,000
	picture := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	picture = binary.BigEndian.AppendUint32(picture, crc32.ChecksumIEEE(head))
	_, err := paper.Clean("a.png", append(picture, make([]byte, 400<<10)...))
	if !errors.Is(err, paper.ErrLarge) || fileProblem(err) != "file.points" {
		t.Errorf("%v is told as %s", err, fileProblem(err))
	}
	if got := fileProblem(fmt.Errorf("%w: 30 papers were sent already", paper.ErrLarge)); got != "file.full" {
		t.Errorf("too many papers are told as %s", got)
	}
	if got := fileProblem(&paper.Refusal{Kind: paper.ErrLarge}); got != "file.unpacked" {
		t.Errorf("a large document is told as %s", got)
	}
}
