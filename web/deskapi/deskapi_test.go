package deskapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/settle"
	"bongsu/web"
	"bongsu/web/deskapi"
)

// tokens are accounts whose token is their name and whose duties stand in it.
type tokens struct{}

func (tokens) Token(token string) (string, []string, bool) {
	name, duties, ok := strings.Cut(token, ":")
	if !ok {
		return "", nil, false
	}
	return name, strings.FieldsFunc(duties, func(r rune) bool { return r == ',' }), true
}

// open starts a desk over a store in memory with a window for incident i and n claims that
// are approved.
func open(t *testing.T, n int) string {
	t.Helper()
	s := kv.NewMemory()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	k := claim.NewKeeper(s, m)
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = k.Follow(ctx, func() { close(ready) }) // it ends with ctx
	}()
	<-ready
	t.Cleanup(func() { cancel(); <-ended })
	office := &claim.Office{Store: s, Ledger: k, Outages: func(string) (claim.Outages, bool) { return claim.Outages{}, true }}
	if _, err := office.Prepare(ctx, "i", claim.DefaultTemplate(), "kim"); err != nil {
		t.Fatal(err)
	}
	var reports []claim.Report
	for i := range n {
		reports = append(reports, claim.Report{
			Claim: claim.Claim{
				Incident: "i", Currency: "KRW", Lang: "ko", State: claim.Approved, Report: policy.Claim{Service: "talk", Use: "free", Kind: "person"},
				Decision: &policy.Decision{Policy: "p@1", Rule: "r", Outcome: policy.Pay, Form: policy.Money, Amount: 1_000, Cost: 1_000, Currency: "KRW", Ground: policy.Goodwill},
			},
			Personal: claim.Personal{Name: "홍길동", Bank: "088", Number: fmt.Sprint("110", i), Holder: "홍길동"},
		})
	}
	_, errs := k.File(ctx, reports)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	h, err := deskapi.New(deskapi.Options{
		Office: office, Ledger: k, Accounts: tokens{}, Template: claim.DefaultTemplate(),
		Cashier: &settle.Cashier{Store: s, Ledger: k, Book: settle.NewBook(s), Banks: map[string]settle.Debtor{"main": {Name: "Beacon", Bank: "004", Number: "1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func client(t *testing.T, base, token string) *deskapi.Client {
	t.Helper()
	c, err := deskapi.NewClient(web.ClientOptions{URL: base, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// code is what the desk answered.
func code(err error) string {
	if e, ok := errors.AsType[*web.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// Every address lets in the duties of its row, and nobody else.
func TestDuties(t *testing.T) {
	base := open(t, 0)
	for _, tt := range []struct {
		method, path string
		may          []string
	}{
		{"GET", "/claims/windows", []string{"agent", "decider", "payer", "body", "privacy"}},
		{"POST", "/claims/windows/i/open", []string{"decider"}},
		{"GET", "/claims/policies?incident=i", []string{"agent", "decider", "payer", "body", "privacy"}},
		{"POST", "/claims/policies?incident=i", []string{"decider"}},
		{"POST", "/claims/policies/approve", []string{"decider"}},
		{"GET", "/claims", []string{"agent", "decider", "payer", "privacy"}},
		{"POST", "/claims/flag", []string{"decider"}},
		{"POST", "/claims/decide", []string{"decider"}},
		{"POST", "/claims/unasked?incident=i", []string{"decider"}},
		{"POST", "/claims/import?incident=i", []string{"agent"}},
		{"POST", "/claims/what-if", []string{"decider"}},
		{"POST", "/claims/erase", []string{"privacy"}},
		{"GET", "/claims/statistics?incident=i", []string{"agent", "decider", "payer", "body", "privacy"}},
		{"POST", "/payout/grant", []string{"payer"}},
		{"GET", "/payout/batches?incident=i", []string{"payer", "decider"}},
		{"GET", "/payout/missing?incident=i&form=money", []string{"payer", "agent", "decider"}},
		{"POST", "/payout/draft", []string{"payer"}},
		{"POST", "/payout/batches/b/file", []string{"payer"}},
		{"POST", "/payout/batches/b/approve", []string{"payer"}},
		{"POST", "/payout/results", []string{"payer"}},
		{"POST", "/payout/resume", []string{"payer"}},
		{"POST", "/payout/again", []string{"payer", "decider"}},
		{"GET", "/payout/reconciliation?incident=i", []string{"payer", "decider"}},
		{"POST", "/payout/mend", []string{"payer"}},
		{"POST", "/payout/recourse", []string{"payer"}},
	} {
		for _, duty := range []string{"agent", "decider", "payer", "body", "privacy", ""} {
			got := status(t, tt.method, base+"/api/v1"+tt.path, "kim:"+duty)
			if may := slices.Contains(tt.may, duty); may == (got == http.StatusForbidden) {
				t.Errorf("%s %s as %q: %d", tt.method, tt.path, duty, got)
			}
		}
		for _, token := range []string{"", "kim"} {
			if got := status(t, tt.method, base+"/api/v1"+tt.path, token); got != http.StatusUnauthorized {
				t.Errorf("%s %s with token %q: %d", tt.method, tt.path, token, got)
			}
		}
	}
	if got := status(t, "GET", base+"/api/v1/nothing", "kim:payer"); got != http.StatusNotFound {
		t.Errorf("no such address: %d", got)
	}
}

func status(t *testing.T, method, address, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
		req.AddCookie(&http.Cookie{Name: "bongsu-desk", Value: "anything"}) // no cookie counts
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// The whole way of a batch, by two people.
func TestPayout(t *testing.T) {
	ctx := t.Context()
	base := open(t, 3)
	kim, lee := client(t, base, "kim:payer"), client(t, base, "lee:payer")
	told := 0
	g, err := kim.Grant(ctx, "i", func(int) { told++ })
	if err != nil || g.Claims != 3 || g.Amount != 3_000 || told == 0 {
		t.Fatalf("%+v, told %d times, %v", g, told, err)
	}
	if missing, err := kim.Missing(ctx, "i", policy.Money); err != nil || len(missing) != 0 {
		t.Errorf("%v, %v", missing, err)
	}
	if b, err := kim.Draft(ctx, deskapi.DraftRequest{Incident: "i", Form: policy.Money, Bank: "main", ID: "b1"}); err != nil || b.Count != 3 || b.DraftedBy != "kim" {
		t.Fatal(b, err)
	}
	if _, err := kim.Batch(ctx, "b1", "approve", ""); code(err) != "same" {
		t.Errorf("one pair of eyes: %v", err)
	}
	if _, err := kim.File(ctx, "b1", "", io.Discard); code(err) != "refused" {
		t.Errorf("a file before anybody approved: %v", err)
	}
	if _, err := lee.Batch(ctx, "b1", "approve", ""); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	name, err := kim.File(ctx, "b1", "csv", &file)
	if err != nil || name != "b1.csv" || strings.Count(file.String(), "\n") != 4 {
		t.Errorf("%s, %v\n%s", name, err, file.String())
	}
	if _, err := kim.Batch(ctx, "b1", "sent", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := kim.Batch(ctx, "b1", "drop", "late"); code(err) != "refused" {
		t.Errorf("dropped after it was sent: %v", err)
	}
	id, _, _ := strings.Cut(strings.Split(file.String(), "\n")[1], ",")
	a, err := kim.Results(ctx, []byte("id,result,code\n"+id+",fail,BE01\n"))
	if err != nil || a.Returned != 1 {
		t.Fatal(a, err)
	}
	page, err := kim.List(ctx, url.Values{"state": {"returned"}})
	if err != nil || len(page.Claims) != 1 {
		t.Fatal(page, err)
	}
	if x, err := kim.Again(ctx, deskapi.AgainRequest{ID: page.Claims[0].ID, Why: "seen to"}); err != nil || x.State != claim.Approved {
		t.Error(x.State, err)
	}
	if m, err := kim.Mend(ctx, "i"); err != nil || len(m.Mended) != 0 {
		t.Error(m, err)
	}
	if r, err := kim.Reconcile(ctx, "i"); err != nil || len(r.Wrong) > 0 || r.Granted != 3_000 || r.Owed != 1_000 {
		t.Errorf("%+v, %v", r, err)
	}
	all, err := kim.Batches(ctx, "i")
	if err != nil || len(all) != 1 {
		t.Error(all, err)
	}
	var pack bytes.Buffer
	if name, err := kim.Recourse(ctx, settle.Pack{Incident: "i", Counterparty: "SK C&C"}, &pack); err != nil || name != "recourse-i.zip" || !bytes.HasPrefix(pack.Bytes(), []byte("PK")) {
		t.Error(name, err)
	}
	privacy := client(t, base, "park:privacy")
	if e, err := privacy.Erase(ctx, deskapi.EraseRequest{ID: page.Claims[0].ID, Why: "asked"}); err != nil || !e.Erased {
		t.Error(e, err)
	}
}

// What is wrong is said, and nothing changes.
func TestBadInput(t *testing.T) {
	ctx := t.Context()
	base := open(t, 1)
	c := client(t, base, "kim:payer,decider,agent,privacy")
	for name, tt := range map[string]struct {
		do   func() error
		code string
	}{
		"a batch without a name": {func() error {
			_, err := c.Draft(ctx, deskapi.DraftRequest{Incident: "i", Form: policy.Money, Bank: "main"})
			return err
		}, "bad-input"},
		"nothing to pay": {func() error {
			_, err := c.Draft(ctx, deskapi.DraftRequest{Incident: "i", Form: policy.Points, ID: "b"})
			return err
		}, "nothing"},
		"a form that is none": {func() error {
			_, err := c.Draft(ctx, deskapi.DraftRequest{Incident: "i", Form: "gold", ID: "b"})
			return err
		}, "bad-input"},
		"no such batch":        {func() error { _, err := c.Batch(ctx, "b9", "approve", ""); return err }, "not-found"},
		"a verb that is none":  {func() error { _, err := c.Batch(ctx, "b9", "burn", ""); return err }, "not-found"},
		"an answer of nothing": {func() error { _, err := c.Results(ctx, []byte("hello")); return err }, "bad-input"},
		"again what did not return": {func() error {
			page, err := c.List(ctx, nil)
			if err != nil {
				return err
			}
			_, err = c.Again(ctx, deskapi.AgainRequest{ID: page.Claims[0].ID, Why: "x"})
			return err
		}, "refused"},
		"a limit":                  {func() error { _, err := c.List(ctx, url.Values{"limit": {"9999"}}); return err }, "bad-input"},
		"an amount":                {func() error { _, err := c.List(ctx, url.Values{"min": {"NaN"}}); return err }, "bad-input"},
		"a cursor":                 {func() error { _, err := c.List(ctx, url.Values{"after": {"'; --"}}); return err }, "bad-input"},
		"no policy":                {func() error { _, err := c.Decide(ctx, "i", nil); return err }, "no-policy"},
		"a policy that is none":    {func() error { _, err := c.Submit(ctx, "i", []byte("a: [")); return err }, "bad-input"},
		"no table is taken":        {func() error { _, err := c.Import(ctx, "i", "x.csv", nil, true); return err }, "absent"},
		"accounts without columns": {func() error { _, err := c.Unasked(ctx, "i", strings.NewReader("a,b\n"), nil); return err }, "bad-input"},
		"too many drafts": {func() error {
			_, err := c.WhatIf(ctx, deskapi.WhatIfRequest{Incident: "i", Drafts: make([]string, 9)})
			return err
		}, "bad-input"},
		"erased without a reason": {func() error { _, err := c.Erase(ctx, deskapi.EraseRequest{ID: "x"}); return err }, "bad-input"},
		"erased, and never there": {func() error { _, err := c.Erase(ctx, deskapi.EraseRequest{ID: "0000-0000-0000", Why: "x"}); return err }, "not-found"},
		"a window without an end": {func() error { _, err := c.Window(ctx, "i", "extend", deskapi.WindowRequest{Why: "x"}); return err }, "bad-input"},
		"a pack of nothing":       {func() error { _, err := c.Recourse(ctx, settle.Pack{}, io.Discard); return err }, "bad-input"},
		"another's record": {func() error {
			_, err := c.Recourse(ctx, settle.Pack{Incident: "i", Counterparty: "x", Record: []byte(`{"incident":"j"}`)}, io.Discard)
			return err
		}, "bad-input"},
		"statistics of nothing": {func() error { _, err := c.Statistics(ctx, "nothing"); return err }, "not-found"},
		"an answer of 2 MB": {func() error {
			_, err := c.Draft(ctx, deskapi.DraftRequest{Incident: strings.Repeat("x", 2<<20), Form: policy.Money, Bank: "m", ID: "b"})
			return err
		}, "too-large"},
	} {
		if got := code(tt.do()); got != tt.code {
			t.Errorf("%s: %s, want %s", name, got, tt.code)
		}
	}
}

// Windows and policies, by two people.
func TestPolicies(t *testing.T) {
	ctx := t.Context()
	base := open(t, 0)
	kim, lee := client(t, base, "kim:decider"), client(t, base, "lee:decider")
	w, err := kim.Window(ctx, "i", "extend", deskapi.WindowRequest{Until: time.Now().AddDate(1, 0, 0), Why: "asked for"})
	if err != nil || w.Incident != "i" {
		t.Fatal(err)
	}
	all, err := kim.Windows(ctx)
	if err != nil || len(all) != 1 || !all[0].Closes.Equal(w.Closes) {
		t.Errorf("%+v, %v", all, err)
	}
	text := []byte("policy: p\nversion: 1\neffective: 2022-12-29\ncurrency: KRW\ntitle: {ko: 가, en: a}\nrules:\n  - name: all\n    when: \"true\"\n    give: money\n    amount: \"1000\"\n    ground: goodwill\n    reason: {ko: 가, en: a}\nexamples:\n  - {name: one, claim: {service: talk, use: free, kind: person}, want: {rule: all, outcome: pay, amount: 1000}}\n")
	d, err := kim.Submit(ctx, "i", text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kim.ApprovePolicy(ctx, deskapi.ApproveRequest{Incident: "i", ID: d.ID, Digest: d.Digest}); err != nil {
		t.Fatal(err)
	}
	if d, err = lee.ApprovePolicy(ctx, deskapi.ApproveRequest{Incident: "i", ID: d.ID, Digest: d.Digest}); err != nil || d.Active.IsZero() {
		t.Fatalf("%+v, %v", d, err)
	}
	drafts, err := lee.Drafts(ctx, "i")
	if err != nil || len(drafts) != 1 || len(drafts[0].Approvals) != 2 {
		t.Errorf("%+v, %v", drafts, err)
	}
	if c, err := kim.WhatIf(ctx, deskapi.WhatIfRequest{Incident: "i", Drafts: []string{string(text)}}); err != nil || len(c.Drafts) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if f, err := kim.Flag(ctx, "i"); err != nil || f.Flagged != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if tally, err := kim.Decide(ctx, "i", nil); err != nil || tally.Decided != 0 {
		t.Errorf("%+v, %v", tally, err)
	}
}
