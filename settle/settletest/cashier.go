package settletest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/settle"
)

// A World is what cashiers of several processes share. Its ledger is a [settle.Vault] too.
type World struct {
	Store  kv.Store
	Ledger claim.Ledger
	Book   settle.Book
	Every  int64 // crash at every so manieth call only; 0: at each
}

// errCrashed is what every call gets once the process has crashed.
var errCrashed = errors.New("the process has crashed")

// A process crashes at its n-th call to store, ledger or book: before it has an effect, or
// after it, so that only the answer is lost.
type process struct {
	calls atomic.Int64
	at    int64
	after bool
}

// do makes one call.
func (p *process) do(call func() error) error {
	n := p.calls.Add(1)
	if n > p.at || n == p.at && !p.after {
		return errCrashed
	}
	err := call()
	if n == p.at {
		return errCrashed
	}
	return err
}

type dyingStore struct {
	kv.Store
	p *process
}

func (s dyingStore) Get(ctx context.Context, key string) (e kv.Entry, ok bool, err error) {
	err = s.p.do(func() error { e, ok, err = s.Store.Get(ctx, key); return err })
	return e, ok, err
}

func (s dyingStore) List(ctx context.Context, prefix string) (all []kv.Entry, rev int64, err error) {
	err = s.p.do(func() error { all, rev, err = s.Store.List(ctx, prefix); return err })
	return all, rev, err
}

func (s dyingStore) Commit(ctx context.Context, t kv.Txn) (rev int64, err error) {
	err = s.p.do(func() error { rev, err = s.Store.Commit(ctx, t); return err })
	return rev, err
}

type dyingBook struct {
	settle.Book
	p *process
}

func (b dyingBook) Post(ctx context.Context, entries ...settle.Entry) error {
	return b.p.do(func() error { return b.Book.Post(ctx, entries...) })
}

func (b dyingBook) Balance(ctx context.Context, a settle.Account, currency string) (n int64, err error) {
	err = b.p.do(func() error { n, err = b.Book.Balance(ctx, a, currency); return err })
	return n, err
}

func (b dyingBook) Balances(ctx context.Context, prefix settle.Account, currency string) (all []settle.Line, err error) {
	err = b.p.do(func() error { all, err = b.Book.Balances(ctx, prefix, currency); return err })
	return all, err
}

type dyingLedger struct {
	claim.Ledger
	p *process
}

func (l dyingLedger) Claim(ctx context.Context, id string) (c claim.Claim, err error) {
	err = l.p.do(func() error { c, err = l.Ledger.Claim(ctx, id); return err })
	return c, err
}

func (l dyingLedger) Change(ctx context.Context, claims []claim.Claim, events []claim.Event) error {
	return l.p.do(func() error { return l.Ledger.Change(ctx, claims, events) })
}

func (l dyingLedger) Each(ctx context.Context, incident string, visit func(claim.Claim) error) error {
	return l.p.do(func() error { return l.Ledger.Each(ctx, incident, visit) })
}

// errNoVault is a mistake of the test that opens the world.
var errNoVault = errors.New("the ledger is no vault")

func (l dyingLedger) Salts(ctx context.Context, about map[string]string) (out map[string][]byte, err error) {
	v, ok := l.Ledger.(settle.Vault)
	if !ok {
		return nil, errNoVault
	}
	err = l.p.do(func() error { out, err = v.Salts(ctx, about); return err })
	return out, err
}

// OpenAll opens all, or each of them where the ledger does not open them together.
func (l dyingLedger) OpenAll(ctx context.Context, ids []string, who, why string) (out []claim.Personal, err error) {
	o, ok := l.Ledger.(interface {
		OpenAll(ctx context.Context, ids []string, who, why string) ([]claim.Personal, error)
	})
	err = l.p.do(func() error {
		if ok {
			out, err = o.OpenAll(ctx, ids, who, why)
			return err
		}
		for _, id := range ids {
			p, err := l.Open(ctx, id, who, why)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

func (l dyingLedger) Banked(ctx context.Context, ids []string) (out map[string]bool, err error) {
	v, ok := l.Ledger.(settle.Vault)
	if !ok {
		return nil, errNoVault
	}
	err = l.p.do(func() error { out, err = v.Banked(ctx, ids); return err })
	return out, err
}

// RunCashier crashes a cashier at its 1st, 2nd, … call to store, ledger or book, on either side of the
// call, lets another go on, and wants each claim paid once and a book that agrees to the won. It uses
// the world for many incidents.
func RunCashier(t *testing.T, w World) {
	t.Helper()
	own := map[string]settle.Debtor{"main": {}}
	for _, after := range []bool{false, true} {
		for at := int64(1); ; at += max(w.Every, 1) {
			incident := fmt.Sprintf("crash-%d-%v", at, after)
			ids := owed(t, w, incident)
			p := &process{at: at, after: after}
			err := day(t.Context(), &settle.Cashier{
				Store: dyingStore{w.Store, p}, Ledger: dyingLedger{w.Ledger, p}, Book: dyingBook{w.Book, p}, Log: &settle.Log{Store: dyingStore{w.Store, p}}, Banks: own,
			}, incident)
			if err == nil {
				if at < 40 {
					t.Errorf("only %d calls were tried", at)
				}
				break
			}
			if !errors.Is(err, errCrashed) {
				t.Fatalf("call %d, after %v: %v", at, after, err)
			}
			next := &settle.Cashier{Store: w.Store, Ledger: w.Ledger, Book: w.Book, Log: &settle.Log{Store: w.Store}, Banks: own}
			if err := day(t.Context(), next, incident); err != nil {
				t.Fatalf("call %d, after %v: the next process: %v", at, after, err)
			}
			agrees(t, next, incident, ids)
			if t.Failed() {
				t.Fatalf("call %d, after %v", at, after)
			}
		}
	}
	if wrong, err := settle.Audit(t.Context(), w.Book, "KRW"); err != nil || len(wrong) > 0 {
		t.Error(wrong, err)
	}
}

// owed files three claims that are decided 1,000, 2,000 and 3,000.
func owed(t *testing.T, w World, incident string) []string {
	t.Helper()
	var reports []claim.Report
	for i := range int64(3) {
		reports = append(reports, claim.Report{
			Claim: claim.Claim{
				Incident: incident, Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", State: claim.Approved, Report: policy.Claim{Service: "talk", Use: "free", Kind: "person"},
				Decision: &policy.Decision{
					Policy: "p@1", Rule: "r", Outcome: policy.Pay, Form: policy.Money, Amount: (i + 1) * 1_000, Cost: (i + 1) * 1_000, Currency: "KRW", Ground: policy.Goodwill,
					Reason: map[string]string{"en": "reason"}, Evidence: []string{}, Why: []string{},
				},
			},
			Personal: claim.Personal{Bank: "088", Number: fmt.Sprint("110", i), Holder: "홍길동"},
		})
	}
	receipts, errs := w.Ledger.File(t.Context(), reports)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(receipts))
	for i, r := range receipts {
		ids[i] = r.ID
	}
	return ids
}

// day is a whole day of a cashier; the largest payment comes back. Doing it again goes on.
func day(ctx context.Context, c *settle.Cashier, incident string) error {
	b := "b." + incident
	if _, err := c.Grant(ctx, incident, "kim", nil); err != nil {
		return err
	}
	if _, err := c.Draft(ctx, incident, policy.Money, "main", b, "kim", 0); err != nil {
		return err
	}
	have, items, err := c.Batch(ctx, b)
	if err != nil {
		return err
	}
	if have.State == settle.Drafted || have.State == settle.Pending {
		if _, err := c.Approve(ctx, b, "lee"); err != nil {
			return err
		}
	}
	if _, err := c.Sent(ctx, b, "kim"); err != nil {
		return err
	}
	var answer strings.Builder
	answer.WriteString("id,result,code\n")
	for _, it := range items {
		fmt.Fprintf(&answer, "%s,%s,AC04\n", it.ID, map[bool]string{true: "fail", false: "ok"}[it.Amount == 3_000])
	}
	a, err := c.Results(ctx, []byte(answer.String()), "kim")
	if err == nil && len(a.Odd) > 0 {
		err = fmt.Errorf("odd: %q", a.Odd)
	}
	return err
}

// agrees wants the day to have ended as it should, once everybody sees it.
func agrees(t *testing.T, c *settle.Cashier, incident string, ids []string) {
	t.Helper()
	var r settle.Reconciliation
	for deadline := time.Now().Add(5 * time.Second); ; { // lists follow the store in a moment
		var err error
		if r, err = c.Reconcile(t.Context(), incident); err != nil {
			t.Fatal(err)
		}
		if len(r.Wrong) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(r.Wrong) > 0 || len(r.Open) > 0 || r.Granted != 6_000 || r.Paid != 3_000 || r.Owed != 3_000 || r.Clearing != 0 {
		t.Errorf("%+v", r)
	}
	for i, want := range []claim.State{claim.Paid, claim.Paid, claim.Returned} {
		x, err := c.Ledger.Claim(t.Context(), ids[i])
		if err != nil || x.State != want {
			t.Errorf("claim %d is %s, %v", i, x.State, err)
		}
	}
}
