package public_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/paper"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/settle"
	"bongsu/status"
	"bongsu/web/public"
)

// A house keeps reports in a ledger in memory and does with them what the office does,
// as far as pages see it. It breaks when a test says so.
type house struct {
	*claim.Keeper

	mu      sync.Mutex
	told    *public.Compensation
	err     error // of File and everything that changes
	down    error // of reading
	filed   int
	spent   map[string]bool
	slow    chan struct{} // File waits for it
	proof   *settle.Proof
	coupon  *settle.Coupon
	banks   []string
	appeals []string
	added   []string
}

func newHouse(tb testing.TB, told *public.Compensation) *house {
	tb.Helper()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return &house{Keeper: claim.NewKeeper(kv.NewMemory(), m), told: told, spent: map[string]bool{}}
}

// Compensation tells what the test says.
func (h *house) Compensation() *public.Compensation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told
}

func (h *house) tell(c *public.Compensation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = c
}

func (h *house) broken() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

func (h *house) breaks(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

type taker struct{ *house }

// File keeps the report.
func (t taker) File(ctx context.Context, r claim.Report) (claim.Receipt, error) {
	if err := t.broken(); err != nil {
		return claim.Receipt{}, err
	}
	if t.slow != nil {
		<-t.slow
	}
	got, errs := t.Keeper.File(ctx, []claim.Report{r})
	if errs[0] == nil && !got[0].Again {
		t.mu.Lock()
		t.filed++
		t.mu.Unlock()
	}
	return got[0], errs[0]
}

// Spend takes each nonce once.
func (t taker) Spend(_ context.Context, nonce string, _ time.Time) (bool, error) {
	if err := t.broken(); err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.spent[nonce]
	t.spent[nonce] = true
	return !was, nil
}

type asker struct{ *house }

// Check asks the ledger.
func (a asker) Check(ctx context.Context, id, secret string) (claim.Claim, error) {
	a.mu.Lock()
	down := a.down
	a.mu.Unlock()
	if down != nil {
		return claim.Claim{}, down
	}
	return a.Keeper.Check(ctx, id, secret)
}

type giver struct{ *house }

func (g giver) change(ctx context.Context, id, secret, what string, change func(*claim.Claim) error) (claim.Claim, error) {
	if err := g.broken(); err != nil {
		return claim.Claim{}, err
	}
	c, err := g.Check(ctx, id, secret)
	if err != nil {
		return c, err
	}
	if err := change(&c); err != nil {
		return c, err
	}
	return c, g.Change(ctx, []claim.Claim{c}, []claim.Event{{Claim: c.ID, At: time.Now().UTC(), Who: "claimant", What: what}})
}

func (g giver) note(list *[]string, s string) func(*claim.Claim) error {
	return func(c *claim.Claim) error {
		if c.State == claim.Withdrawn {
			return claim.ErrState
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		*list = append(*list, s)
		return nil
	}
}

// Amend remembers the words.
func (g giver) Amend(ctx context.Context, id, secret, text, _ string) (claim.Claim, error) {
	return g.change(ctx, id, secret, "added words", g.note(&g.added, text))
}

// SetBank remembers the account.
func (g giver) SetBank(ctx context.Context, id, secret, bank, number, holder, _ string) (claim.Claim, error) {
	return g.change(ctx, id, secret, "bank account given", g.note(&g.banks, bank+" "+number+" "+holder))
}

// AddPaper keeps what looks like a picture, a PDF or a text.
func (g giver) AddPaper(ctx context.Context, id, secret, kind, name string, data []byte, _ string) (claim.File, error) {
	if err := g.broken(); err != nil {
		return claim.File{}, err
	}
	if _, err := g.Check(ctx, id, secret); err != nil {
		return claim.File{}, err
	}
	if strings.HasSuffix(name, ".exe") {
		return claim.File{}, paper.ErrType
	}
	return g.AddFile(ctx, id, kind, http.DetectContentType(data), data, "claimant")
}

type ender struct{ *house }

// Withdraw ends it.
func (e ender) Withdraw(ctx context.Context, id, secret, _ string) (claim.Claim, error) {
	return giver(e).change(ctx, id, secret, "withdrawn", func(c *claim.Claim) error {
		c.State = claim.Withdrawn
		return nil
	})
}

// Appeal asks for another decision.
func (e ender) Appeal(ctx context.Context, id, secret, text, _ string) (claim.Claim, error) {
	return giver(e).change(ctx, id, secret, "appealed", func(c *claim.Claim) error {
		if c.Decision == nil || !c.Appeal.After(time.Now()) {
			return claim.ErrState
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.appeals = append(e.appeals, text)
		c.State = claim.Appealed
		return nil
	})
}

// Prove has a proof when the test gave one.
func (h *house) Prove(context.Context, string) (settle.Proof, []byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.proof == nil {
		return settle.Proof{}, nil, errors.New("not in the log")
	}
	return *h.proof, []byte(`{"amount":30000}`), nil
}

// Issued has a coupon when the test gave one.
func (h *house) Issued(context.Context, string) ([]settle.Coupon, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.coupon == nil {
		return []settle.Coupon{}, nil
	}
	c := *h.coupon
	c.Code, c.Hidden = "····-····-····-"+c.Code[15:], true
	return []settle.Coupon{c}, nil
}

// Codes writes the look down.
func (h *house) Codes(ctx context.Context, id, who, why string) ([]settle.Coupon, error) {
	if _, err := h.Open(ctx, id, who, why); err != nil {
		return nil, err
	}
	return []settle.Coupon{*h.coupon}, nil
}

func (h *house) claims() *public.Claims {
	return &public.Claims{Teller: h, Taker: taker{h}, Asker: asker{h}, Giver: giver{h}, Ender: ender{h}, Prover: h, Issuer: h}
}

// decide makes a claim what the desk would make of it.
func (h *house) decide(tb testing.TB, id string, change func(*claim.Claim), what string) {
	tb.Helper()
	c, err := h.Claim(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	change(&c)
	if err := h.Change(tb.Context(), []claim.Claim{c}, []claim.Event{{Claim: id, At: time.Now().UTC(), Who: "min-agent", What: what, Why: "note of the desk: looks tired"}}); err != nil {
		tb.Fatal(err)
	}
}

// consent is what claimants agree to in tests.
func consent() claim.ConsentText {
	return claim.ConsentText{Version: "2022-10-19", Text: both(
		"신고를 처리하고 결과를 알리기 위해 이름과 연락처, 적은 내용을 모읍니다.\n처리가 끝나고 180일 뒤에 지웁니다. 동의하지 않을 수 있고, 그때는 전화로 상담합니다.",
		"We collect your name, contact and words to deal with the report and to tell you the outcome.\nThey are erased 180 days after it ended. You may refuse, and talk to us by phone instead.",
	)}
}

// window takes reports about the fire from an hour before now.
func window(now time.Time) claim.Window {
	name := func(n, ko, en string) claim.Named { return claim.Named{Name: n, Title: both(ko, en)} }
	return claim.Window{
		Incident: "20221015-pangyo", Title: both("2022년 10월 15일 장애", "Outage of 15 October 2022"), Currency: "KRW", Opens: now.Add(-time.Hour), Closes: now.AddDate(0, 0, 18), LateUntil: now.AddDate(0, 0, 40),
		Reasons: []claim.Named{name("hospital", "입원이나 사고", "Hospital or accident"), name("unknown", "신고 기간을 몰랐음", "I did not know of the time")}, Consent: consent(),
		Evidence: []claim.Named{name("business-registration", "사업자등록증", "Business registration"), name("sales-loss", "매출 손실 증빙", "Proof of lost sales")},
		Changes:  []claim.WindowChange{{At: now.Add(-time.Hour), By: "min-agent", What: "opened", Until: now.AddDate(0, 0, 18)}}, RetainDays: 180,
	}
}

// shipped is the shipped policy, parsed once.
var shipped = sync.OnceValue(func() public.Criteria {
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "policies", "kakao-2022.yaml"))
	if err != nil {
		panic(err)
	}
	p, err := policy.Parse("kakao-2022.yaml", text)
	if err != nil {
		panic(err)
	}
	return public.Criteria{Incident: "20221015-pangyo", Policy: p, Text: text}
})

// rules are the shipped policy, as it was published.
func rules(at time.Time) public.Criteria {
	c := shipped()
	c.Active = at
	return c
}

// compensation is all that is told of claims in tests.
func compensation(tb testing.TB, now time.Time) *public.Compensation {
	tb.Helper()
	return &public.Compensation{
		Windows: []claim.Window{window(now)}, Policies: []public.Criteria{rules(now.Add(-30 * time.Minute))},
		Sessions: []claim.Session{{
			ID: "1", Incident: "20221015-pangyo", Title: both("첫 회의", "First meeting"), Held: now.AddDate(0, 0, -1), Minutes: both("기준을 살펴보았다.", "The criteria were looked at."), Decision: both("기준을 받아들인다.", "The criteria are accepted."),
			Questions: []claim.Question{{ID: "a", Text: both("이 기준을 쓸까?", "Use these criteria?"), Votes: map[string]string{"a": "yes", "b": "yes", "c": "no", "d": "abstain"}}}, Published: now.Add(-time.Hour),
		}},
		Statistics: map[string]settle.Statistics{"20221015-pangyo": {Claims: 105_116, Amount: 27_500_000_000, Tables: []settle.Table{
			{By: "service", Rows: []settle.Row{{Name: "talk", Claims: 80_000, Amount: 20_000_000_000}, {Name: "mail", Claims: 25_000, Amount: 7_400_000_000}, {Name: settle.Other, Claims: 116, Amount: 100_000_000}}},
			{By: "use", Rows: []settle.Row{{Name: "none", Claims: 71_269}, {Name: "paid", Claims: 17_975, Amount: 27_500_000_000}, {Name: "free", Claims: 15_872}}},
		}}},
		Checkpoint: "bongsu decisions\n105116\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— decisions.example.com Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n",
	}
}

// claimSite is a server whose house takes reports about the fire.
func claimSite(tb testing.TB, edit ...func(*public.Claims)) (*public.Server, *house) {
	tb.Helper()
	return claimSiteOf(tb, present(tb, "incident"), compensation(tb, time.Now().Truncate(time.Second)), edit...)
}

func claimSiteOf(tb testing.TB, s *status.State, told *public.Compensation, edit ...func(*public.Claims)) (*public.Server, *house) {
	tb.Helper()
	h := newHouse(tb, told)
	return h.site(tb, s, edit...), h
}

// site is a server of this house.
func (h *house) site(tb testing.TB, s *status.State, edit ...func(*public.Claims)) *public.Server {
	tb.Helper()
	c := h.claims()
	for _, e := range edit {
		e(c)
	}
	p, err := public.New(public.Options{Source: newSource(s), Desk: &desk{}, Claims: c, Key: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
