package settle

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

func master(tb testing.TB) *claim.Master {
	tb.Helper()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// signer makes a key; once for each test that has a log.
func signer(tb testing.TB) (note.Signer, note.Verifier) {
	tb.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "company")
	if err != nil {
		tb.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		tb.Fatal(err)
	}
	return s, v
}

// cashier opens a process's cashier over a store; an error says that the process crashed
// before it was ready.
func cashier(tb testing.TB, s kv.Store, key note.Signer) (*Cashier, error) {
	tb.Helper()
	k := claim.NewKeeper(s, master(tb))
	ctx, cancel := context.WithCancel(tb.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- k.Follow(ctx, func() { close(ready) }) }()
	tb.Cleanup(cancel)
	select {
	case <-ready:
	case err := <-ended:
		return nil, err
	}
	c := &Cashier{
		Store: s, Ledger: k, Book: NewBook(s), Faults: func(string) []incident.Fault { return []incident.Fault{{Domain: "pangyo", Operator: "SK C&C"}} },
		Coupons: bytes.Repeat([]byte{9}, 32),
		Banks:   map[string]Debtor{"main": {"봉수", "004", "1-2-3"}},
	}
	if key != nil {
		c.Log = &Log{Store: s, Key: key}
	}
	return c, nil
}

// An office is a store with claims, and a cashier of it.
type office struct {
	*Cashier
	t   testing.TB
	s   kv.Store
	ids []string
}

// newOffice files n reports, none of them decided.
func newOffice(tb testing.TB, n int, key note.Signer) *office {
	tb.Helper()
	s := kv.NewMemory()
	c, err := cashier(tb, s, key)
	if err != nil {
		tb.Fatal(err)
	}
	o := &office{Cashier: c, t: tb, s: s}
	var reports []claim.Report
	for i := range n {
		reports = append(reports, claim.Report{
			Claim:    claim.Claim{Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", Filed: day(1).Add(1), Account: fmt.Sprintf("a%d", i), Report: policy.Claim{Service: "talk", Use: "free", Kind: "person"}},
			Personal: claim.Personal{Name: "홍길동", Email: "a@example.com", Bank: "088", Number: fmt.Sprintf("110-%d", i), Holder: "홍길동"},
		})
	}
	receipts, errs := c.Ledger.File(tb.Context(), reports)
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
	for _, r := range receipts {
		o.ids = append(o.ids, r.ID)
	}
	return o
}

// decide decides the i-th claim as the office does.
func (o *office) decide(i int, d policy.Decision) {
	o.t.Helper()
	d.Claim, d.Policy, d.Digest, d.Currency, d.Ground = o.ids[i], "p@1", "abc", "KRW", policy.Goodwill
	d.Reason = map[string]string{"ko": "이유", "en": "reason"}
	if d.Rule == "" {
		d.Rule = "rule"
	}
	if d.Cost == 0 {
		d.Cost = d.Amount
	}
	state := claim.Approved
	if d.Outcome == policy.Refuse {
		state = claim.Decided
	}
	o.put(i, func(c *claim.Claim) { c.State, c.Decision = state, &d })
}

func (o *office) put(i int, change func(*claim.Claim)) {
	o.t.Helper()
	c := o.claim(i)
	change(&c)
	if err := o.Ledger.Change(o.t.Context(), []claim.Claim{c}, []claim.Event{{Who: "kim", What: "changed"}}); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) claim(i int) claim.Claim {
	o.t.Helper()
	c, err := o.Ledger.Claim(o.t.Context(), o.ids[i])
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

func money(amount int64) policy.Decision {
	return policy.Decision{Outcome: policy.Pay, Form: policy.Money, Amount: amount}
}

func (o *office) grant() Granted {
	o.t.Helper()
	g, err := o.Grant(o.t.Context(), "i", "kim", nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return g
}

// agrees wants a reconciliation without anything wrong.
func (o *office) agrees() Reconciliation {
	o.t.Helper()
	r, err := o.Reconcile(o.t.Context(), "i")
	if err != nil || len(r.Wrong) > 0 {
		o.t.Errorf("reconciliation: %q, %v", r.Wrong, err)
	}
	return r
}

func (o *office) owed(i int) int64 {
	o.t.Helper()
	n, err := o.Book.Balance(o.t.Context(), Claimant(o.ids[i]), "KRW")
	if err != nil {
		o.t.Fatal(err)
	}
	return -n
}

// send brings a batch all the way to the bank.
func (o *office) send(id string) (Batch, []Item) {
	o.t.Helper()
	ctx := o.t.Context()
	if _, err := o.Draft(ctx, "i", policy.Money, "main", id, "kim", 0); err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.Approve(ctx, id, "lee"); err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.Sent(ctx, id, "kim"); err != nil {
		o.t.Fatal(err)
	}
	b, items, err := o.Batch(ctx, id)
	if err != nil {
		o.t.Fatal(err)
	}
	return b, items
}

func answer(items []Item, fails map[string]string) []byte {
	var b strings.Builder
	b.WriteString("id,result,code\r\n")
	for _, it := range items {
		if code := fails[it.Claim]; code != "" {
			fmt.Fprintf(&b, "%s,fail,%s\r\n", it.ID, code)
		} else {
			fmt.Fprintf(&b, "%s,ok,\r\n", it.ID)
		}
	}
	return []byte(b.String())
}

func (o *office) answer(items []Item, fails map[string]string) Answered {
	o.t.Helper()
	a, err := o.Results(o.t.Context(), answer(items, fails), "kim")
	if err != nil {
		o.t.Fatal(err)
	}
	return a
}

// The whole way: granted, drafted, approved, sent, answered; one comes back, its account is
// seen to, and it goes out again.
func TestCashier(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, 6, nil)
	for i := range 4 {
		o.decide(i, money(int64(i+1)*1_000))
	}
	o.decide(4, policy.Decision{Outcome: policy.Refuse, Form: policy.Nothing})
	if _, err := o.Draft(ctx, "i", policy.Money, "main", "early", "kim", 0); !errors.Is(err, ErrNothing) {
		t.Errorf("drafted before anything was granted: %v", err)
	}
	if g := o.grant(); g.Claims != 4 || g.Amount != 10_000 || len(g.Odd) > 0 {
		t.Fatalf("%+v", g)
	}
	if g := o.grant(); g.Claims != 0 || g.Amount != 0 {
		t.Errorf("granted twice: %+v", g)
	}
	b, items := o.send("b1")
	if b.Count != 4 || b.Total != 10_000 || b.SentBy != "kim" || o.claim(0).State != claim.Paying {
		t.Fatalf("%+v, %s", b, o.claim(0).State)
	}
	if r := o.agrees(); r.Granted != 10_000 || r.Clearing != 10_000 || r.Owed != 0 || r.Paid != 0 || len(r.Open) != 1 {
		t.Errorf("sent: %+v", r)
	}
	back := o.ids[2]
	if a := o.answer(items, map[string]string{back: "BE01"}); a.Paid != 3 || a.Returned != 1 || a.Same != 0 || len(a.Odd) > 0 {
		t.Errorf("%+v", a)
	}
	if a := o.answer(items, map[string]string{back: "BE01"}); a.Paid != 0 || a.Same != 4 {
		t.Errorf("the same file again: %+v", a)
	}
	c := o.claim(2)
	history, err := o.Ledger.History(ctx, back)
	if err != nil || c.State != claim.Returned || c.NextAt.IsZero() || !strings.Contains(history[len(history)-1].Why, "BE01: the name of the account's holder") {
		t.Errorf("came back: %+v, %+v, %v", c, history, err)
	}
	if r := o.agrees(); r.Paid != 7_000 || r.Owed != 3_000 || r.Clearing != 0 {
		t.Errorf("answered: %+v", r)
	}
	if _, err := o.Draft(ctx, "i", policy.Money, "main", "b2", "kim", 0); !errors.Is(err, ErrNothing) {
		t.Errorf("what came back goes out before anybody saw to it: %v", err)
	}
	if _, err := o.Ledger.Amend(ctx, back, func(_ *claim.Claim, p *claim.Personal) (claim.Event, error) {
		p.Number = "110-999-999999"
		return claim.Event{Who: "Lee", What: "bank account given"}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Again(ctx, back, "lee", "mine now"); !errors.Is(err, ErrFourEyes) {
		t.Errorf("who wrote down the account sends money to it: %v", err)
	}
	if _, err := o.Again(ctx, back, "kim", "the name was corrected"); err != nil {
		t.Fatal(err)
	}
	_, items = o.send("b2")
	if len(items) != 1 {
		t.Fatalf("%+v", items)
	}
	o.answer(items, nil)
	for i := range 4 {
		if s := o.claim(i).State; s != claim.Paid {
			t.Errorf("claim %d is %s", i, s)
		}
	}
	if r := o.agrees(); r.Paid != 10_000 || r.Owed != 0 || len(r.Open) > 0 {
		t.Errorf("%+v", r)
	}
	all, err := o.Batches(ctx, "i")
	if err != nil || len(all) != 2 || all[0].ID != "b2" || all[0].State != Settled {
		t.Errorf("%+v, %v", all, err)
	}
}

// A decision that changes is reversed and posted anew, whatever was paid of it, and what
// was paid too much is for a person.
func TestGrantFollowsDecisions(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, 5, nil)
	for i := range 5 {
		o.decide(i, money(30_000))
	}
	o.grant()
	o.decide(0, money(50_000))
	o.put(1, func(c *claim.Claim) { c.State = claim.Withdrawn })
	o.decide(2, policy.Decision{Outcome: policy.Refuse, Form: policy.Nothing})
	o.put(3, func(c *claim.Claim) { c.State, c.Into = claim.Merged, o.ids[4] })
	if g := o.grant(); g.Reversed != 4 || g.Claims != 1 || g.Amount != 50_000 || len(g.Odd) > 0 {
		t.Errorf("%+v", g)
	}
	for i, want := range []int64{50_000, 0, 0, 0, 30_000} {
		if got := o.owed(i); got != want {
			t.Errorf("claim %d is owed %d, want %d", i, got, want)
		}
	}
	// There and back again: each decision has an entry of its own.
	o.decide(2, money(30_000))
	o.grant()
	o.decide(0, money(30_000))
	o.grant()
	o.decide(0, money(50_000))
	o.grant()
	if o.owed(0) != 50_000 || o.owed(2) != 30_000 {
		t.Errorf("owed %d and %d", o.owed(0), o.owed(2))
	}
	o.agrees()
	// Paid, then decided higher: the difference is owed. Lower: a person sees to it.
	_, items := o.send("b1")
	o.answer(items, nil)
	o.decide(0, money(80_000))
	o.decide(4, money(10_000))
	g := o.grant()
	if g.Claims != 1 || len(g.Odd) != 1 || !strings.Contains(g.Odd[0], "was paid 20000 more") {
		t.Errorf("%+v", g)
	}
	if o.owed(0) != 30_000 || o.owed(4) != 0 {
		t.Errorf("owed %d and %d", o.owed(0), o.owed(4))
	}
	_, items = o.send("b2")
	if len(items) != 1 || items[0].Amount != 30_000 || items[0].About.Face != 30_000 || items[0].About.Cost != 30_000 {
		t.Errorf("the difference: %+v", items)
	}
	o.answer(items, nil)
	if o.claim(0).State != claim.Paid || o.owed(0) != 0 {
		t.Errorf("%s, owed %d", o.claim(0).State, o.owed(0))
	}
	// While a batch pays a claim, nothing of it is reversed.
	o.decide(1, money(1_000))
	o.grant()
	if _, err := o.Draft(ctx, "i", policy.Money, "main", "b3", "kim", 0); err != nil {
		t.Fatal(err)
	}
	o.put(1, func(c *claim.Claim) { c.State = claim.Withdrawn })
	if g := o.grant(); len(g.Odd) != 2 || !strings.Contains(strings.Join(g.Odd, " "), "while batch b3 pays it") {
		t.Errorf("%+v", g)
	}
	if _, err := o.Approve(ctx, "b3", "lee"); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "is withdrawn") {
		t.Errorf("a batch with a claim that was withdrawn: %v", err)
	}
	if _, err := o.Drop(ctx, "b3", "lee", "a claim was withdrawn"); err != nil {
		t.Fatal(err)
	}
	if g := o.grant(); g.Reversed != 1 || o.owed(1) != 0 {
		t.Errorf("%+v, owed %d", g, o.owed(1))
	}
}

// Time that is given has a commitment and costs what its rule says; credit, points and
// coupons go out as files of their own.
func TestForms(t *testing.T) {
	ctx := t.Context()
	key, public := signer(t)
	o := newOffice(t, 6, key)
	o.decide(0, policy.Decision{Outcome: policy.Pay, Form: policy.Extension, Hours: 72, Cost: 900})
	o.decide(1, policy.Decision{Outcome: policy.Pay, Form: policy.Extension, Hours: 24})
	o.decide(2, policy.Decision{Outcome: policy.Pay, Form: policy.Points, Amount: 7_550, Cost: 5_000})
	o.decide(3, policy.Decision{Outcome: policy.Pay, Form: policy.Coupon, Amount: 3_000, Cost: 1_000})
	o.decide(4, policy.Decision{Outcome: policy.Pay, Form: policy.Credit, Amount: 2_000})
	o.decide(5, policy.Decision{Outcome: policy.Pay, Form: policy.Money, Amount: 1_000})
	if g := o.grant(); g.Claims != 6 || g.Amount != 13_550 || g.Logged != 6 {
		t.Fatalf("%+v", g)
	}
	got, err := o.Book.Balances(ctx, "", "KRW")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range got {
		if l.Account == Bank("extension") && l.Amount != -900 || l.Account == Expense("i", policy.Goodwill) && l.Amount != 14_450 {
			t.Errorf("%+v", l)
		}
	}
	want := map[policy.Form]string{
		policy.Extension: ",a0,talk,72,rule\r\n",
		policy.Points:    ",a2,points,7550,KRW,rule\r\n",
		policy.Credit:    ",a4,credit,2000,KRW,rule\r\n",
		policy.Money:     ",088,110-5,홍길동,1000,KRW,서비스 장애 보상\r\n",
		policy.Coupon:    ",3000,KRW,rule\r\n",
	}
	for _, form := range forms() {
		id := "b-" + string(form)
		bank := "main"
		if form != policy.Money {
			bank = ""
		}
		if _, err := o.Draft(ctx, "i", form, bank, id, "kim", 0); err != nil {
			t.Fatal(err)
		}
		if _, err := o.File(ctx, id, "", "kim", io.Discard); !errors.Is(err, ErrState) {
			t.Errorf("%s: a file before anybody approved: %v", form, err)
		}
		if _, err := o.Approve(ctx, id, "lee"); err != nil {
			t.Fatal(err)
		}
		for _, format := range Files(form) {
			var one, two bytes.Buffer
			name, err := o.File(ctx, id, format, "kim", &one)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.File(ctx, id, format, "park", &two); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
				t.Errorf("%s: other bytes the second time, %v", name, err)
			}
			if format != FilePain001 && !strings.Contains(one.String(), want[form]) {
				t.Errorf("%s has no %q:\n%s", name, want[form], one.String())
			}
		}
		if _, err := o.File(ctx, id, "xls", "kim", io.Discard); !errors.Is(err, ErrFormat) {
			t.Errorf("%s as xls: %v", form, err)
		}
		if b, err := o.Drop(ctx, id, "Kim", "it was never sent"); !errors.Is(err, ErrTaken) || b.FiledBy != "kim" {
			t.Errorf("%s: dropped by who took its file: %v", form, err)
		}
		if _, err := o.Sent(ctx, id, "kim"); err != nil {
			t.Fatal(err)
		}
		_, items, err := o.Batch(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		o.answer(items, nil)
	}
	for i := range 6 {
		if s := o.claim(i).State; s != claim.Paid {
			t.Errorf("claim %d is %s", i, s)
		}
	}
	if r := o.agrees(); r.Granted != 13_550 || r.Paid != 13_550 {
		t.Errorf("%+v", r)
	}
	looks, err := o.Ledger.History(ctx, o.ids[5])
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range looks {
		if e.What == "looked" && e.Why == "payout b-money" {
			n++
		}
	}
	if n != 4 { // csv and pain.001, each twice
		t.Errorf("%d looks at the bank account are written down: %+v", n, looks)
	}
	// A claimant proves the decision; another decision has another commitment.
	p, text, err := o.Prove(ctx, o.ids[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckProof(p, text, public); err != nil || !strings.Contains(string(text), `"hours":72`) || strings.Contains(string(text), "900") {
		t.Errorf("%s: %v", text, err)
	}
	if CheckProof(p, bytes.Replace(text, []byte("72"), []byte("27"), 1), public) == nil {
		t.Error("another decision is proved")
	}
	if err := o.Ledger.Erase(ctx, o.ids[0], "kim", "asked"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.Prove(ctx, o.ids[0]); !errors.Is(err, claim.ErrErased) {
		t.Errorf("the salt outlives the key: %v", err)
	}
	if g := o.grant(); g.Logged != 0 || g.Claims != 0 {
		t.Errorf("again: %+v", g)
	}
}

// A coupon is known to the claim once the system that redeems it has it; its code is told to who says why, which is
// written down.
func TestIssued(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, 2, nil)
	o.decide(0, policy.Decision{Outcome: policy.Pay, Form: policy.Coupon, Amount: 3_000})
	o.decide(1, policy.Decision{Outcome: policy.Pay, Form: policy.Coupon, Amount: 3_000})
	o.grant()
	if _, err := o.Draft(ctx, "i", policy.Coupon, "", "b", "kim", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(ctx, "b", "lee"); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := o.File(ctx, "b", "", "kim", &file); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Sent(ctx, "b", "kim"); err != nil {
		t.Fatal(err)
	}
	if got, err := o.Issued(ctx, o.ids[0]); err != nil || len(got) != 0 {
		t.Errorf("nobody has said that it is there: %+v, %v", got, err)
	}
	_, items, err := o.Batch(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	o.answer(items, map[string]string{items[1].Claim: "MS03"})
	paid, back := items[0].Claim, items[1].Claim
	if got, err := o.Issued(ctx, back); err != nil || len(got) != 0 {
		t.Errorf("it came back: %+v, %v", got, err)
	}
	before, err := o.Ledger.History(ctx, paid)
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := o.Issued(ctx, paid)
	if err != nil || len(hidden) != 1 || !hidden[0].Hidden || hidden[0].Amount != 3_000 {
		t.Fatalf("%+v, %v", hidden, err)
	}
	if after, err := o.Ledger.History(ctx, paid); err != nil || len(after) != len(before) {
		t.Errorf("that there is one is no look: %v", err)
	}
	if _, err := o.Codes(ctx, paid, "kim", ""); !errors.Is(err, claim.ErrNobody) {
		t.Errorf("a look without a reason: %v", err)
	}
	shown, err := o.Codes(ctx, paid, "kim", "the claimant lost it")
	if err != nil || len(shown) != 1 || shown[0].Hidden || !strings.Contains(file.String(), ","+shown[0].Code+",") {
		t.Fatalf("%+v, %v: not the code of the file\n%s", shown, err, file.String())
	}
	if !strings.HasSuffix(hidden[0].Code, shown[0].Code[15:]) || strings.Contains(hidden[0].Code, shown[0].Code[:4]) {
		t.Errorf("%q hides %q", hidden[0].Code, shown[0].Code)
	}
	looks, err := o.Ledger.Looks(ctx, day(0), 10)
	if err != nil || len(looks) != 1 || looks[0].Who != "kim" || looks[0].Claim != paid || looks[0].Why != "the claimant lost it" {
		t.Errorf("%+v, %v", looks, err)
	}
}

// A turning is a ledger that does something after claims were changed, once.
type turning struct {
	*claim.Keeper

	after func()
}

func (l *turning) Change(ctx context.Context, claims []claim.Claim, events []claim.Event) error {
	err := l.Keeper.Change(ctx, claims, events)
	if do := l.after; do != nil && err == nil {
		l.after = nil
		do()
	}
	return err
}

// A stopping is a store that does something before a batch is drafted to the end, once.
type stopping struct {
	kv.Store

	before func()
}

func (s *stopping) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if do := s.before; do != nil && len(t.Do) == 1 && bytes.Contains(t.Do[0].Value, []byte(`"state":"drafted"`)) {
		s.before = nil
		do()
	}
	return s.Store.Commit(ctx, t)
}

// Who drafts a batch anew while another drafts it leaves a batch that can be approved: it was ended by the other while its claims were
// given back, and could only be dropped.
func TestDraftedAnewAtOnce(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, 3, nil)
	for i := range 3 {
		o.decide(i, policy.Decision{Outcome: policy.Pay, Form: policy.Money, Amount: 1_000})
	}
	o.grant()
	keeper, ok := o.Ledger.(*claim.Keeper)
	if !ok {
		t.Fatalf("%T", o.Ledger)
	}
	given, ended := make(chan struct{}), make(chan struct{})
	second := *o.Cashier
	second.Ledger = &turning{keeper, func() { close(given); <-ended }}
	done := make(chan error, 1)
	first := *o.Cashier
	first.Store = &stopping{o.s, func() {
		go func() {
			_, err := second.Draft(ctx, "i", policy.Money, "main", "b", "kim", 0)
			done <- err
		}()
		<-given
	}}
	_, err := first.Draft(ctx, "i", policy.Money, "main", "b", "kim", 2)
	close(ended)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	b, err := o.Approve(ctx, "b", "lee")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if s := o.claim(i).State; b.Count == 3 && s != claim.Paying {
			t.Errorf("claim %d is %s", i, s)
		}
	}
	o.agrees()
}

// Money leaves from an account that is configured, or no batch is made.
func TestOwnAccounts(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, 1, nil)
	o.decide(0, policy.Decision{Outcome: policy.Pay, Form: policy.Money, Amount: 1_000})
	o.grant()
	for _, tt := range []struct {
		banks []string
		bank  string
		says  string
	}{
		{nil, "main", "claims.banks"},
		{[]string{"main", "reserve"}, "mian", `did you mean "main"?`},
		{[]string{"main", "reserve"}, "kookmin-bank", "expected one of main, reserve"},
	} {
		o.Banks = map[string]Debtor{}
		for _, name := range tt.banks {
			o.Banks[name] = Debtor{"봉수", "004", "1"}
		}
		if _, err := o.Draft(ctx, "i", policy.Money, tt.bank, "b", "kim", 0); !errors.Is(err, ErrBank) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s of %v: %v", tt.bank, tt.banks, err)
		}
	}
	if all, err := o.Batches(ctx, "i"); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := o.Draft(ctx, "i", policy.Money, "main", "b", "kim", 0); err != nil {
		t.Error(err)
	}
}

func TestCoupons(t *testing.T) {
	c := &Cashier{Coupons: bytes.Repeat([]byte{9}, 32)}
	seen := map[string]bool{}
	for i := range 2_000 {
		code, err := c.Coupon(&Item{ID: bankID("b", fmt.Sprint(i))})
		if err != nil || len(code) != 19 || seen[code] {
			t.Fatalf("%q, %v", code, err)
		}
		seen[code] = true
	}
	other := &Cashier{Coupons: bytes.Repeat([]byte{8}, 32)}
	if code, err := other.Coupon(&Item{ID: bankID("b", "0")}); err != nil || seen[code] {
		t.Errorf("another key gives the same code: %v", err)
	}
	if _, err := (&Cashier{}).Coupon(&Item{ID: "x"}); err == nil {
		t.Error("a code without a key")
	}
}

// Nobody is drafted whose account is not known, over the budget, or twice.
func TestDraftRules(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, 5, nil)
	r := claim.Report{Claim: claim.Claim{Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", Filed: day(1)}, Personal: claim.Personal{Name: "이"}}
	receipts, errs := o.Ledger.File(ctx, []claim.Report{r})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	o.ids = append(o.ids, receipts[0].ID)
	for i := range 6 {
		o.decide(i, money(1_000))
	}
	o.grant()
	if missing, err := o.Missing(ctx, "i", policy.Money); err != nil || len(missing) != 1 || missing[0] != o.ids[5] {
		t.Errorf("without an account: %v, %v", missing, err)
	}
	budget := int64(2_999)
	o.Budget = func(context.Context, string) (int64, error) { return budget, nil }
	if _, err := o.Draft(ctx, "i", policy.Money, "main", "b1", "kim", 3); !errors.Is(err, ErrBudget) {
		t.Errorf("over the budget: %v", err)
	}
	b, err := o.Draft(ctx, "i", policy.Money, "main", "b1", "kim", 2)
	if err != nil || b.Count != 2 {
		t.Fatal(b, err)
	}
	if again, err := o.Draft(ctx, "i", policy.Money, "main", "b1", "kim", 2); err != nil || again.Digest != b.Digest {
		t.Errorf("the same draft again: %+v, %v", again, err)
	}
	if _, err := o.Draft(ctx, "i", policy.Points, "points", "b1", "kim", 0); !errors.Is(err, ErrReused) {
		t.Errorf("the same name for other payments: %v", err)
	}
	if _, err := o.Draft(ctx, "i", policy.Money, "main", "b2", "kim", 1); !errors.Is(err, ErrBudget) {
		t.Errorf("what is drafted counts: %v", err)
	}
	budget = 0
	if b, err := o.Draft(ctx, "i", policy.Money, "main", "b2", "kim", 0); err != nil || b.Count != 3 {
		t.Errorf("the rest: %+v, %v", b, err)
	}
	if _, err := o.Draft(ctx, "i", "nothing", "main", "b3", "kim", 0); !errors.Is(err, ErrFormat) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := o.Approve(ctx, "b1", "kim"); !errors.Is(err, ErrFourEyes) {
		t.Errorf("one pair of eyes: %v", err)
	}
	if _, err := o.Drop(ctx, "b1", "kim", ""); err == nil {
		t.Error("dropped without a reason")
	}
	if _, err := o.Drop(ctx, "b1", "kim", "wrong day"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range 6 {
		if o.claim(i).State == claim.Approved {
			n++
		}
	}
	if n != 3 { // two that were dropped, one without an account
		t.Errorf("%d are approved", n)
	}
	o.agrees()
}

func TestResultsOdd(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, 3, nil)
	for i := range 3 {
		o.decide(i, money(1_000))
	}
	o.grant()
	_, items := o.send("b1")
	text := "id,result\n" + items[0].ID + ",ok\n" + items[0].ID + ",fail\n" + items[1].ID + ",ok\n" + items[1].ID + ",ok\nNOTOURS,ok\n"
	a, err := o.Results(ctx, []byte(text), "kim")
	if err != nil || a.Paid != 1 || a.Returned != 0 || len(a.Odd) != 2 || !strings.Contains(a.Odd[0], "answered twice") || !strings.Contains(a.Odd[1], "not ours") {
		t.Errorf("%+v, %v", a, err)
	}
	for _, bad := range []string{"", "PK\x03\x04xx", "id,result\nX,maybe\n", "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Document><CstmrPmtStsRpt>&x;</CstmrPmtStsRpt></Document>", "\xff\xfe\x00"} {
		if _, err := o.Results(ctx, []byte(bad), "kim"); !errors.Is(err, ErrAnswer) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	o.agrees()
}

// The same answer in every encoding that banks send.
func TestResultsEncodings(t *testing.T) {
	plain := "거래번호,처리결과,오류코드,오류내용\r\nX1,정상,,\r\nX2,오류,AC04,해지계좌\r\n"
	for name, data := range map[string][]byte{
		"utf-8": []byte(plain), "bom": []byte("\ufeff" + plain), "tabs": []byte(strings.ReplaceAll(plain, ",", "\t")),
		"semicolons": []byte(strings.ReplaceAll(plain, ",", ";")), "euc-kr": euckr(t, plain), "utf-16": utf16(plain),
	} {
		got, err := ReadResults(data, nil)
		if err != nil || len(got.Results) != 2 || !got.Results[0].Done || got.Results[1].Done || got.Results[1].Code != "AC04" || got.Results[1].Detail != "해지계좌" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	xml := `<?xml version="1.0" encoding="EUC-KR"?><Document><CstmrPmtStsRpt><OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>X</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>BE01</Cd></Rsn><AddtlInf>예금주 불일치</AddtlInf></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>`
	got, err := ReadResults(euckr(t, xml), nil)
	if err != nil || len(got.Results) != 1 || got.Results[0].Detail != "예금주 불일치" {
		t.Errorf("pain.002 in EUC-KR: %+v, %v", got, err)
	}
}

func FuzzReadResults(f *testing.F) {
	f.Add([]byte("id,result\nX,ok\n"))
	f.Add([]byte("\ufeff거래번호\t처리결과\r\n\"X\"\"\"\t오류"))
	f.Add(utf16("id;result\nX;fail\n"))
	f.Add([]byte(`<Document><CstmrPmtStsRpt><OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>X</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		results, err := ReadResults(data, func(string) ([]string, error) { return nil, nil })
		if err != nil && !errors.Is(err, ErrAnswer) {
			t.Fatal(err)
		}
		if _, odd := once(results.Results); len(odd) > len(results.Results) {
			t.Fatal(odd)
		}
	})
}

// Statistics count everybody once and tell nobody apart; a merged duplicate is its original. They are those of the day, on whichever
// node, and the next day no claim that came alone shows.
func TestStatistics(t *testing.T) {
	o := newOffice(t, 30, nil)
	for i := range 12 {
		o.decide(i, money(1_000))
	}
	o.put(29, func(c *claim.Claim) { c.State, c.Into = claim.Merged, o.ids[0] })
	s, err := o.Statistics(t.Context(), "i")
	if err != nil || s.Claims != 29 || s.Amount != 12_000 {
		t.Fatalf("%+v, %v", s, err)
	}
	at := o.now()
	tell := func(later time.Duration) Statistics {
		t.Helper()
		node := *o.Cashier // another one, or the same that began anew
		node.Now = func() time.Time { return at.Add(later) }
		s, err := node.Statistics(t.Context(), "i")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for i := range 9 {
		o.decide(12+i, money(7_777))
	}
	if diff := cmp.Diff(s, tell(0)); diff != "" {
		t.Errorf("the same day:\n%s", diff)
	}
	next := tell(24 * time.Hour)
	if s.Day, next.Day = "", ""; cmp.Diff(s, next) != "" {
		t.Errorf("nine were decided:\n%s", cmp.Diff(s, next))
	}
	o.decide(21, money(7_777))
	if s := tell(48 * time.Hour); s.Amount != 12_000+10*7_777 {
		t.Errorf("ten were decided: %+v", s)
	}
	if s, err := o.Statistics(t.Context(), "j"); err != nil || s.Claims != 0 {
		t.Errorf("nothing: %+v, %v", s, err)
	}
}

// What somebody changed by hand, in any of the three, is found.
func TestReconcileFinds(t *testing.T) {
	for _, tt := range []struct {
		name, says string
		forge      func(o *office)
	}{
		{"a balance", "its lines sum to", func(o *office) {
			o.forge(balanceKey(Bank("main"), "KRW"), `{"v":1,"amount":-5}`)
		}},
		{"a state", "is approved and should be paid", func(o *office) {
			o.put(0, func(c *claim.Claim) { c.State = claim.Approved })
		}},
		{"a payment that was never made", "and the book says 0", func(o *office) {
			it, _, err := o.payout().item(o.t.Context(), "b1", o.ids[1])
			if err != nil {
				o.t.Fatal(err)
			}
			o.forge(itemPrefix+"b1/"+o.ids[1], fmt.Sprintf(`{"v":1,"id":%q,"claim":%q,"amount":1000,"state":"posted"}`, it.ID, it.Claim))
		}},
		{"a withdrawn claim that was paid", "and 1,000 was paid for it", func(o *office) {
			o.put(0, func(c *claim.Claim) { c.State = claim.Withdrawn })
		}},
		{"money out of nothing", "is owed another amount", func(o *office) {
			e := Entry{ID: "x", At: day(1), By: "eve", Why: "for me", Currency: "KRW", Lines: []Line{{Bank("main"), 500}, {Claimant(o.ids[0]), -500}}}
			if err := o.Book.Post(o.t.Context(), e); err != nil {
				o.t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, 3, nil)
			for i := range 3 {
				o.decide(i, money(1_000))
			}
			o.grant()
			_, items := o.send("b1")
			o.answer(items, map[string]string{o.ids[1]: "AC04"})
			o.agrees()
			tt.forge(o)
			r, err := o.Reconcile(t.Context(), "i")
			if err != nil || len(r.Wrong) == 0 {
				t.Fatalf("nothing is wrong: %+v, %v", r, err)
			}
			if all := strings.Join(r.Wrong, "\n"); !strings.Contains(strings.ReplaceAll(all, "owed another amount", "is owed another amount"), strings.Split(tt.says, "|")[0]) && !strings.Contains(all, "the book owes") {
				t.Errorf("it says:\n%s", all)
			}
		})
	}
}

func (o *office) forge(key, value string) {
	o.t.Helper()
	if _, err := o.s.Commit(o.t.Context(), kv.Txn{Do: []kv.Op{{Key: key, Value: []byte(value)}}}); err != nil {
		o.t.Fatal(err)
	}
}

// Whatever store call the process dies at, before it or after it, the next process goes on,
// pays each claim once and leaves a book that agrees to the won.
func TestCashierSurvivesEveryCrash(t *testing.T) {
	key, _ := signer(t)
	for _, when := range []kvtest.When{kvtest.Before, kvtest.After} {
		tried := 0
		for at := 3; ; at++ { // the first two open the ledger
			o := newOffice(t, 3, key)
			for i := range 3 {
				o.decide(i, money(int64(i+1)*1_000))
			}
			f := kvtest.NewFaulty(o.s)
			f.CrashAt(at, when)
			c, err := cashier(t, f, key)
			if err != nil {
				t.Fatal(err)
			}
			err = settleAll(t.Context(), c)
			if err == nil {
				break
			}
			if !errors.Is(err, kvtest.ErrCrashed) {
				t.Fatalf("call %d, %s: %v", at, when, err)
			}
			tried++
			next, err := cashier(t, o.s, key)
			if err != nil {
				t.Fatal(err)
			}
			if err := settleAll(t.Context(), next); err != nil {
				t.Fatalf("after a crash %s call %d (%s): %v", when, at, last(f.Calls()), err)
			}
			o.Cashier = next
			if r := o.agrees(); r.Paid != 3_000 || r.Owed != 3_000 || r.Clearing != 0 || len(r.Open) > 0 {
				t.Fatalf("after a crash %s call %d (%s): %+v", when, at, last(f.Calls()), r)
			}
			for i, want := range []claim.State{claim.Paid, claim.Paid, claim.Returned} {
				if got := o.claim(i).State; got != want {
					t.Fatalf("after a crash %s call %d (%s): claim %d is %s", when, at, last(f.Calls()), i, got)
				}
			}
			if size, _, err := next.Log.size(t.Context()); size != 3 || err != nil {
				t.Fatalf("after a crash %s call %d: %d leaves, %v", when, at, size, err)
			}
		}
		if tried < 60 {
			t.Errorf("%s: only %d calls were tried", when, tried)
		}
	}
}

func last(calls []string) string {
	if len(calls) == 0 {
		return ""
	}
	return calls[len(calls)-1]
}

// settleAll is a day of a cashier; the largest payment comes back. Doing it again goes on.
func settleAll(ctx context.Context, c *Cashier) error {
	if _, err := c.Grant(ctx, "i", "kim", nil); err != nil {
		return err
	}
	if _, err := c.Draft(ctx, "i", policy.Money, "main", "b", "kim", 0); err != nil {
		return err
	}
	b, items, err := c.Batch(ctx, "b")
	if err != nil {
		return err
	}
	if b.State == Drafted || b.State == Pending {
		if _, err := c.Approve(ctx, "b", "lee"); err != nil {
			return err
		}
	}
	if _, err := c.Sent(ctx, "b", "kim"); err != nil {
		return err
	}
	fails := map[string]string{}
	for _, it := range items {
		if it.Amount == 3_000 {
			fails[it.Claim] = "AC04"
		}
	}
	a, err := c.Results(ctx, answer(items, fails), "kim")
	if err == nil && len(a.Odd) > 0 {
		err = fmt.Errorf("odd: %q", a.Odd)
	}
	return err
}

// A crash while a batch is dropped leaves claims that somebody mends.
func TestDropSurvivesEveryCrash(t *testing.T) {
	for _, when := range []kvtest.When{kvtest.Before, kvtest.After} {
		for at := 3; ; at++ {
			o := newOffice(t, 3, nil)
			for i := range 3 {
				o.decide(i, money(1_000))
			}
			o.grant()
			if _, err := o.Draft(t.Context(), "i", policy.Money, "main", "b", "kim", 0); err != nil {
				t.Fatal(err)
			}
			if _, err := o.Approve(t.Context(), "b", "lee"); err != nil {
				t.Fatal(err)
			}
			f := kvtest.NewFaulty(o.s)
			f.CrashAt(at, when)
			c, err := cashier(t, f, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = c.Drop(t.Context(), "b", "lee", "wrong day"); err == nil {
				break
			}
			next, err := cashier(t, o.s, nil)
			if err != nil {
				t.Fatal(err)
			}
			o.Cashier = next
			if b, _, err := next.Batch(t.Context(), "b"); err != nil || b.State != Dropped {
				continue // nothing was dropped, and nothing is to be mended
			}
			said, err := next.Mend(t.Context(), "i", "kim")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				if s := o.claim(i).State; s != claim.Approved {
					t.Fatalf("after a crash %s call %d, mended %q: claim %d is %s", when, at, said, i, s)
				}
			}
			if r := o.agrees(); r.Owed != 3_000 || r.Clearing != 0 {
				t.Fatalf("after a crash %s call %d: %+v", when, at, r)
			}
		}
	}
}

// No cell of a file is computed by a spreadsheet.
func TestFilesHaveNoFormulas(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, 0, nil)
	r := claim.Report{
		Claim:    claim.Claim{Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", Filed: day(1), Account: "=1+1"},
		Personal: claim.Personal{Bank: "@088", Number: "-1-2", Holder: "=cmd|' /C calc'!A0"},
	}
	receipts, errs := o.Ledger.File(ctx, []claim.Report{r})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	o.ids = []string{receipts[0].ID}
	o.decide(0, money(1_000))
	o.grant()
	o.send("b1")
	var out bytes.Buffer
	if _, err := o.File(ctx, "b1", FileCSV, "kim", &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(out.String(), "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range rows[1] {
		if strings.ContainsAny(cell[:1], "=+-@") {
			t.Errorf("a formula: %q", cell)
		}
	}
}

// Reports of several people that name one bank account are not drafted before a person has looked, though the accounts were given after they were
// approved, and a moment ago.
func TestDraftLooksForSharedAccounts(t *testing.T) {
	o := newOffice(t, 0, nil)
	ctx := t.Context()
	var reports []claim.Report
	for i := range 5 {
		p := claim.Personal{Email: fmt.Sprintf("a%d@example.com", i)}
		r := claim.Report{
			Claim:    claim.Claim{Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", Filed: day(1).Add(time.Duration(i) * time.Second), Report: policy.Claim{Service: "talk", Use: "free", Kind: "person"}},
			Personal: p, Marks: claim.MarksOf(&p, "", ""),
		}
		reports = append(reports, r)
	}
	receipts, errs := o.Ledger.File(ctx, reports)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	desk := &claim.Office{Store: o.s, Ledger: o.Ledger}
	o.Doubts = desk.Flag
	for i, r := range receipts {
		o.ids = append(o.ids, r.ID)
		o.decide(i, money(1_000))
	}
	o.grant()
	for i, id := range o.ids {
		if _, err := desk.SetBank(ctx, id, receipts[i].Secret, "088", "110-123-456", "홍길동", ""); err != nil || o.claim(i).State != claim.Approved {
			t.Fatal(err, o.claim(i).State)
		}
	}
	b, err := o.Draft(ctx, "i", policy.Money, "main", "b1", "kim", 0)
	if err != nil || b.Count != 1 || b.State != Drafted {
		t.Fatalf("%+v, %v", b, err)
	}
	for i := range o.ids {
		x := o.claim(i)
		if i == 0 && x.State != claim.Paying || i > 0 && (x.State != claim.Review || len(x.Flags) != 1 || x.Flags[0].Kind != "bank") {
			t.Errorf("report %d: %s, %+v", i, x.State, x.Flags)
		}
	}
	o.agrees()
}

// A ledger line of what a person decided says so in the place of the rule.
func TestLinesByHand(t *testing.T) {
	o := newOffice(t, 2, nil)
	for i, rule := range []string{"rule", ""} {
		o.decide(i, money(1_000))
		o.put(i, func(c *claim.Claim) { c.Decision.Rule, c.Decider = rule, "kim" })
	}
	o.grant()
	rules := map[string]string{}
	if err := o.Book.Each(t.Context(), "", func(e Entry) error { rules[e.About.Claim] = e.About.Rule; return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{o.ids[0]: "rule", o.ids[1]: ByHand}, rules); diff != "" {
		t.Error(diff)
	}
	if b, items := o.send("b1"); len(items) != 2 || b.State != Sent {
		t.Errorf("%+v", b)
	}
	o.agrees()
}
