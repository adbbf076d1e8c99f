package public_test

import (
	"bytes"
	"image"
	"image/png"
	"log/slog"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/internal/kv"
	"bongsu/web/public"
)

// TestWithTheOffice: the pages and the office itself agree, from a window that is opened
// from what was prepared to a withdrawn claim.
func TestWithTheOffice(t *testing.T) {
	ctx, s := t.Context(), present(t, "incident")
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	store := kv.NewMemory()
	ledger := claim.NewKeeper(store, m)
	o := &claim.Office{Store: store, Ledger: ledger, Outages: func(string) (claim.Outages, bool) {
		return claim.NewOutages(s.Incidents[0].Intervals, time.Now()), true
	}}
	if _, err := o.Prepare(ctx, "20221015-pangyo", claim.DefaultTemplate(), "policy"); err != nil {
		t.Fatal(err)
	}
	g := &public.Gatherer{Publisher: o, Log: slog.New(slog.DiscardHandler)}
	if err := g.Gather(ctx); err != nil {
		t.Fatal(err)
	}
	server, err := public.New(public.Options{Source: newSource(s), Key: bytes.Repeat([]byte{1}, 32), Claims: &public.Claims{Teller: g, Taker: o, Asker: ledger, Giver: o, Ender: o}})
	if err != nil {
		t.Fatal(err)
	}
	form := without(good(), "consent", claim.DefaultTemplate().Consent.Version, "business", "123-45-67890")
	v := visit(t, server, "en")
	v.get("/en/report.html?service=mail")
	v.wants(200, "certificate of a small business")
	v.send("report", without(form, "business", "x", "phone", "1234567"))
	v.wants(422, "not a business registration number")
	v.send("report", without(form, "from", time.Now().In(seoul(t)).Add(-20*time.Hour).Format("2006-01-02T15:04")))
	v.wants(422, "before the outage")
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 40))); err != nil {
		t.Fatal(err)
	}
	v.send("report", without(form, "text", "주민등록번호 900101-1234567 입니다", "evidence", "sales-proof"), file{"매출.png", picture.Bytes()}, file{"x.exe", []byte("MZ\x90\x00")})
	v.wants(200, "safely stored", "매출.png: stored", "x.exe", "masked")
	code, secret := v.receipt()
	c, err := ledger.Check(ctx, code, secret)
	if err != nil || len(c.Files) != 1 || c.Files[0].Kind != "sales-proof" || c.Channel != claim.ByWeb {
		t.Fatalf("kept %+v, %v", c, err)
	}
	if p, err := ledger.Open(ctx, code, "test", "test"); err != nil || strings.Contains(p.Text, "1234567") {
		t.Errorf("kept %q, %v", p.Text, err)
	}
	v.get("/en/claim.html")
	v.send("claim/words", map[string]string{"text": "and two more customers"})
	v.wants(200, "It has been added", "words added")
	v.send("claim/bank", map[string]string{"bank": "한국은행", "number": "110 123 456789", "holder": "홍길동"})
	v.wants(200, "The account has been saved", "bank account arrived")
	v.send("claim/papers", nil, file{"통장.png", picture.Bytes()})
	v.wants(200, "The files have arrived", "another paper")
	v.send("claim/shown", nil)
	v.wants(200, "and two more customers", "한국은행 …6789")
	v.send("claim/withdraw", map[string]string{"sure": "1"})
	v.wants(200, "Withdrawn")
	v.lacks("evt.", "event.")
	if w := post(t, server, report("consent", claim.DefaultTemplate().Consent.Version)); w.Code != 201 {
		t.Errorf("by the API: %d %s", w.Code, w.Body)
	}
	if _, err := o.Close(ctx, "20221015-pangyo", "min-agent", "test"); err != nil {
		t.Fatal(err)
	}
	if err := g.Gather(ctx); err != nil {
		t.Fatal(err)
	}
	v.get("/en/report.html")
	v.wants(200, "The time to report ended on")
}
