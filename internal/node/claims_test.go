package node_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/config"
	"bongsu/settle"
	"bongsu/web"
	"bongsu/web/deskapi"
)

// windows are the incidents that reports are taken on at a site.
func (s *square) windows(ctx context.Context, site string) ([]claim.Window, error) {
	var out struct {
		Windows []claim.Window `json:"windows"`
	}
	return out.Windows, s.getJSON(ctx, s.pages[site]+"/api/v1/claim-windows.json", "", &out)
}

func (s *square) getJSON(ctx context.Context, url, bearer string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, res.Status, text)
	}
	return json.Unmarshal(text, into)
}

// opened waits until reports are taken at sites, and returns the version of the consent.
func (s *square) opened(sites ...string) (consent string) {
	s.t.Helper()
	for _, site := range sites {
		within(s.t, patience, "reports are taken at "+site, func(ctx context.Context) error {
			w, err := s.windows(ctx, site)
			if err == nil && len(w) != 1 {
				err = fmt.Errorf("%d windows", len(w))
			}
			if err == nil {
				consent = w[0].Consent.Version
			}
			return err
		})
	}
	return consent
}

// report files a report as a program does.
func (s *square) report(ctx context.Context, site, key string, body map[string]any) (claim.Receipt, error) {
	var got claim.Receipt
	text, err := json.Marshal(body)
	if err != nil {
		return got, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.pages[site]+"/api/v1/claims", bytes.NewReader(text))
	if err != nil {
		return got, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return got, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return got, err
	}
	if res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusOK {
		return got, fmt.Errorf("%s: %s", res.Status, answer)
	}
	var said struct {
		Code   string `json:"code"`
		Secret string `json:"secret"`
		Again  bool   `json:"again"`
	}
	err = json.Unmarshal(answer, &said)
	return claim.Receipt{ID: said.Code, Secret: said.Secret, Again: said.Again}, err
}

// shopReport is what somebody who could not use the shop sends.
func shopReport(consent string, n int) map[string]any {
	return map[string]any{
		"incident": "fire", "service": "shop", "use": "free", "kind": "person", "loss": 10_000 + n, "consent": consent,
		"text": fmt.Sprintf("결제가 되지 않아 주문을 %d건 놓쳤습니다", n), "email": fmt.Sprintf("p%d@example.com", n), "lang": "ko",
	}
}

// An incident is told of, and within seconds reports are taken at every site; what was
// acknowledged at one is there when that one is lost.
func TestReportsAreTakenAsSoonAsAnIncidentIsTold(t *testing.T) {
	s := newSquare(t, three)
	s.start(three...)
	s.quorum(three...)
	told := time.Now()
	s.publish("north", 1)
	consent := s.opened(three...)
	t.Logf("reports are taken at all sites %v after the incident was told", time.Since(told).Round(100*time.Millisecond))
	var receipts []claim.Receipt
	for n := range 5 {
		r, err := s.report(t.Context(), "north", fmt.Sprintf("key-of-report-%04d", n), shopReport(consent, n))
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
	}
	// The same once more, at another site: the same receipt.
	again, err := s.report(t.Context(), "east", "key-of-report-0000", shopReport(consent, 0))
	if err != nil || again.ID != receipts[0].ID || again.Secret != receipts[0].Secret {
		t.Errorf("filed again: %+v, %v; want %+v", again, err, receipts[0])
	}
	s.stop("north")
	for _, site := range []string{"south", "east"} {
		for _, r := range receipts {
			within(t, patience, r.ID+" at "+site, func(ctx context.Context) error {
				var got struct {
					State string `json:"state"`
				}
				if err := s.getJSON(ctx, s.pages[site]+"/api/v1/claims/"+r.ID, r.Secret, &got); err != nil {
					return err
				}
				if got.State == "" {
					return errors.New("no state")
				}
				return nil
			})
		}
	}
	// A page of the site that is left offers the form.
	text, err := s.page(t.Context(), "south")
	if err != nil || !strings.Contains(text, "report.html") {
		t.Errorf("the page of the incident does not lead to the form (%v)", err)
	}
	// Without a quorum nothing is taken that is not kept.
	s.stop("east")
	if r, err := s.report(t.Context(), "south", "key-of-report-9999", shopReport(consent, 9999)); err == nil {
		t.Errorf("taken without a quorum: %+v", r)
	} else if !strings.Contains(err.Error(), "503") {
		t.Errorf("refused with %v, want 503", err)
	}
}

// clerk is a program at the desk of a site, with the n-th token that init made.
func (s *square) clerk(site string, n int) *deskapi.Client {
	s.t.Helper()
	text, err := os.ReadFile(s.made.DeskTokens[n-1])
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := deskapi.NewClient(web.ClientOptions{URL: s.desks[site], Token: strings.TrimSpace(string(text))})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// shopPolicy pays what was claimed for the shop, up to 30,000.
const shopPolicy = `policy: shop
version: 1
effective: 2022-12-29
currency: KRW
title: {ko: 쇼핑 장애 보상 기준, en: Compensation for the shop}
budget: 10000000
rules:
  - name: small-loss
    services: [shop]
    use: [free]
    when: outage.known && claim.loss > 0
    give: money
    amount: least(claim.loss, 30000)
    ground: goodwill
    reason: {ko: "{amount}원을 드립니다.", en: "You receive {amount} won."}
examples:
  - name: a small loss
    claim: {service: shop, use: free, kind: person, loss: 10000}
    outage: {minutes: 60}
    want: {rule: small-loss, outcome: pay, amount: 10000}
`

// From the report to the payment and the demand on the party at fault, over the wire: two
// people, a bank that pays all but one, and a book that agrees to the won.
func TestFromReportToPayment(t *testing.T) {
	s := newSquareOf(t, three[:1], func(c *config.PublicConfig) {
		c.Store.Quota = 64 << 20
		c.Claims.Banks = []config.OwnAccount{{Name: "main", Holder: "회사", Bank: "004", Number: "123-45"}}
	})
	s.start(three[0])
	s.quorum(three[0])
	s.publish("north", 1)
	ctx := t.Context()
	var consent string
	within(t, patience, "reports are taken", func(ctx context.Context) error {
		w, err := s.windows(ctx, "north")
		if err == nil && len(w) != 1 {
			err = fmt.Errorf("%d windows", len(w))
		}
		if err == nil {
			consent = w[0].Consent.Version
		}
		return err
	})
	var receipts []claim.Receipt
	for n := range 6 {
		body := shopReport(consent, n)
		r, err := s.report(ctx, "north", fmt.Sprintf("key-of-report-%04d", n), body)
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
		s.setBank("north", r, n)
	}
	one, two := s.clerk("north", 1), s.clerk("north", 2)
	draft, err := one.Submit(ctx, "fire", []byte(shopPolicy))
	if err != nil {
		t.Fatal(err)
	}
	q := deskapi.ApproveRequest{Incident: "fire", ID: draft.ID, Digest: draft.Digest}
	for _, c := range []*deskapi.Client{one, two} {
		if draft, err = c.ApprovePolicy(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if draft.Active.IsZero() {
		t.Fatalf("two people approved, and the policy is not active: %+v", draft)
	}
	tally, err := one.Decide(ctx, "fire", nil)
	if err != nil || tally.Approved != 6 {
		t.Fatalf("decided %+v, %v; want 6 approved", tally, err)
	}
	granted, err := one.Grant(ctx, "fire", nil)
	if err != nil || granted.Claims != 6 || granted.Amount != tally.Amount {
		t.Fatalf("granted %+v, %v; want 6 of %d", granted, err, tally.Amount)
	}
	if _, err := one.Draft(ctx, deskapi.DraftRequest{Incident: "fire", Form: policy.Money, Bank: "main", ID: "b1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Batch(ctx, "b1", "approve", ""); err == nil {
		t.Fatal("who drafted the batch approved it")
	}
	if _, err := two.Batch(ctx, "b1", "approve", ""); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := two.File(ctx, "b1", "csv", &file); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Batch(ctx, "b1", "sent", ""); err != nil {
		t.Fatal(err)
	}
	answered, err := two.Results(ctx, bankAnswers(t, file.String()))
	if err != nil || answered.Paid != 5 || answered.Returned != 1 || len(answered.Odd) != 0 {
		t.Fatalf("the bank's answer: %+v, %v; want 5 paid, 1 returned\n%s", answered, err, file.String())
	}
	if rec, err := one.Reconcile(ctx, "fire"); err != nil || len(rec.Wrong) != 0 || rec.Granted != tally.Amount {
		t.Fatalf("reconciled: %+v, %v", rec, err)
	}
	paid, returned := 0, 0
	for _, r := range receipts {
		var got struct {
			State claim.State `json:"state"`
		}
		if err := s.getJSON(ctx, s.pages["north"]+"/api/v1/claims/"+r.ID, r.Secret, &got); err != nil {
			t.Fatal(err)
		}
		if got.State == claim.Paid {
			paid++
		}
		if got.State == claim.Returned {
			returned++
		}
	}
	if paid != 5 || returned != 1 {
		t.Errorf("claimants see %d paid and %d returned, want 5 and 1", paid, returned)
	}
	var pack bytes.Buffer
	if _, err := one.Recourse(ctx, settle.Pack{Incident: "fire"}, &pack); err != nil {
		t.Fatalf("recourse: %v", err)
	}
	zipped, err := zip.NewReader(bytes.NewReader(pack.Bytes()), int64(pack.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"summary.json": `"counterparty": "운영사",`, "ledger.csv": ",north-hall,", "assets.csv": ",north-hall,"} {
		if text, err := fs.ReadFile(zipped, name); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not say what control said of the failure (%s): %v\n%s", name, want, err, text)
		}
	}
}

// setBank says where money goes, as its claimant does in a browser without a script.
func (s *square) setBank(site string, r claim.Receipt, n int) {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 15 * time.Second}
	hidden := regexp.MustCompile(`name="(form|session)" value="([^"]*)"`)
	at := s.pages[site] + "/ko/claim"
	visit := func(res *http.Response, err error) url.Values {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			s.t.Fatalf("%s: %s, %v: %s", res.Request.URL, res.Status, err, text)
		}
		v := url.Values{}
		for _, m := range hidden.FindAllStringSubmatch(string(text), -1) {
			v.Set(m[1], m[2])
		}
		return v
	}
	v := visit(browser.Get(at + ".html")) //nolint:bodyclose // visit closes it
	v.Set("code", r.ID)
	v.Set("secret", r.Secret)
	v = visit(browser.PostForm(at, v)) //nolint:bodyclose // visit closes it
	v.Set("bank", "국민은행")
	v.Set("number", fmt.Sprintf("110-%09d", n))
	v.Set("holder", fmt.Sprintf("김%d", n))
	visit(browser.PostForm(at+"/bank", v)) //nolint:bodyclose // visit closes it
}

// bankAnswers is what a bank answers to its file: it pays all but the last, whose holder has another name.
func bankAnswers(t *testing.T, file string) []byte {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file, "\ufeff"))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("the bank's file: %v\n%s", err, file)
	}
	var out strings.Builder
	out.WriteString("id,result,code,detail\n")
	for i, row := range rows[1:] {
		if i == len(rows)-2 {
			out.WriteString(row[0] + ",rejected,BE01,예금주 불일치\n")
		} else {
			out.WriteString(row[0] + ",done,,\n")
		}
	}
	return []byte(out.String())
}
