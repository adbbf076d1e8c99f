package settle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

func day(n int) time.Time { return time.Date(2023, 3, n, 9, 0, 0, 0, time.UTC) }

// owing returns a store in which claims c0, c1, … are owed 1000, 2000, ….
func owing(t *testing.T, claims int) (kv.Store, []Item) {
	t.Helper()
	s := kv.NewMemory()
	var items []Item
	for i := range claims {
		c, amount := fmt.Sprintf("c%d", i), int64(i+1)*1_000
		if err := NewBook(s).Post(t.Context(), owe(c, amount)); err != nil {
			t.Fatal(err)
		}
		items = append(items, Item{Claim: c, Amount: amount})
	}
	return s, items
}

func draft(id string) Batch {
	return Batch{ID: id, Incident: "i", Form: "money", Bank: "main", Currency: "KRW", DraftedBy: "kim", DraftedAt: day(1)}
}

// pay is the whole way of one batch: the last payment comes back.
func pay(ctx context.Context, s kv.Store, items []Item) error {
	p := &Payout{Store: s, Book: NewBook(s)}
	if _, err := p.Draft(ctx, draft("b"), append([]Item(nil), items...)); err != nil {
		return err
	}
	if b, _, _, err := p.batch(ctx, "b"); err != nil {
		return err
	} else if b.State == Drafted || b.State == Pending {
		if _, err := p.Approve(ctx, "b", "lee", day(2)); err != nil {
			return err
		}
	}
	if _, err := p.Dispatch(ctx, "b", day(3)); err != nil {
		return err
	}
	var results []Result
	for i, it := range items {
		results = append(results, Result{ID: bankID("b", it.Claim), Done: i < len(items)-1, Code: "AC04"})
	}
	_, odd, err := p.Apply(ctx, results, day(4))
	if len(odd) > 0 {
		return fmt.Errorf("%q fit nothing", odd)
	}
	return err
}

// checkPaid says what is wrong after pay.
func checkPaid(ctx context.Context, t *testing.T, s kv.Store, items []Item) {
	t.Helper()
	p := &Payout{Store: s, Book: NewBook(s)}
	if wrong, err := Audit(ctx, p.Book, "KRW"); err != nil || len(wrong) > 0 {
		t.Error(wrong, err)
	}
	last := items[len(items)-1]
	var total int64
	for _, it := range items[:len(items)-1] {
		total += it.Amount
	}
	for a, want := range map[Account]int64{Bank("main"): -total, Clearing("b"): 0, Claimant("c0"): 0, Claimant(last.Claim): -last.Amount} {
		if got, err := p.Book.Balance(ctx, a, "KRW"); got != want || err != nil {
			t.Errorf("%s holds %d, want %d (%v)", a, got, want, err)
		}
	}
	if b, _, _, err := p.batch(ctx, "b"); b.State != Settled || err != nil {
		t.Errorf("the batch is %s, %v", b.State, err)
	}
	// What came back is owed again and goes out again; the others do not.
	if _, err := p.Draft(ctx, draft("again"), []Item{{Claim: last.Claim, Amount: last.Amount}}); err != nil {
		t.Error(err)
	}
	if _, err := p.Draft(ctx, draft("twice"), []Item{{Claim: "c0", Amount: 1_000}}); !errors.Is(err, ErrInBatch) {
		t.Errorf("paid twice: %v", err)
	}
}

// Whatever call the process dies at, before it or after it, whoever goes on pays each
// claim once.
func TestPayoutSurvivesEveryCrash(t *testing.T) {
	for _, when := range []kvtest.When{kvtest.Before, kvtest.After} {
		for at := 1; ; at++ {
			s, items := owing(t, 4)
			f := kvtest.NewFaulty(s)
			f.CrashAt(at, when)
			err := pay(t.Context(), f, items)
			if err == nil {
				if at < 40 {
					t.Errorf("only %d calls were tried", at)
				}
				break
			}
			if !errors.Is(err, kvtest.ErrCrashed) {
				t.Fatalf("call %d, %s: %v", at, when, err)
			}
			if err := pay(t.Context(), s, items); err != nil {
				t.Fatalf("after a crash %s call %d: %v", when, at, err)
			}
			checkPaid(t.Context(), t, s, items)
		}
	}
}

func TestPayoutRules(t *testing.T) {
	ctx := t.Context()
	s, items := owing(t, 3)
	p := &Payout{Store: s, Book: NewBook(s)}
	if _, err := p.Draft(ctx, draft("z"), []Item{{Claim: "c0", Amount: 1_001}}); !errors.Is(err, ErrOverdrawn) {
		t.Errorf("more than is owed: %v", err)
	}
	// What the book cannot hold is refused before money leaves, not when the bank answers.
	for _, b := range []Batch{draft("a b"), draft("a\nb"), draft("a/b"), func() Batch { b := draft("x"); b.Bank = "국민 은행"; return b }()} {
		if _, err := p.Draft(ctx, b, items); !errors.Is(err, ErrName) {
			t.Errorf("batch %q from %q: %v", b.ID, b.Bank, err)
		}
	}
	if _, err := p.Draft(ctx, draft("b"), items); err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"kim", "KIM "} {
		if _, err := p.Approve(ctx, "b", by, day(2)); !errors.Is(err, ErrFourEyes) {
			t.Errorf("approved by who drafted it, as %q: %v", by, err)
		}
	}
	if _, err := p.Dispatch(ctx, "b", day(2)); !errors.Is(err, ErrState) {
		t.Errorf("sent before it was approved: %v", err)
	}
	if _, err := p.Approve(ctx, "b", "lee", day(2)); err != nil {
		t.Fatal(err)
	}
	id := bankID("b", "c0")
	if _, odd, err := p.Apply(ctx, []Result{{ID: id, Done: true}, {ID: "NOTOURS"}}, day(3)); len(odd) != 2 || err != nil {
		t.Errorf("answers to nothing: %q, %v", odd, err)
	}
	if b, err := p.Drop(ctx, "b", "lee", "wrong account", day(3)); b.State != Dropped || err != nil {
		t.Fatal(b, err)
	}
	if n, err := p.Book.Balance(ctx, Claimant("c2"), "KRW"); n != -3_000 || err != nil {
		t.Errorf("dropped: owed %d, %v", n, err)
	}
	b2 := draft("b2")
	if _, err := p.Draft(ctx, b2, items); err != nil {
		t.Fatalf("what a dropped batch held is free: %v", err)
	}
	if _, err := p.Approve(ctx, "b2", "lee", day(4)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Dispatch(ctx, "b2", day(5)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Drop(ctx, "b2", "lee", "too late", day(5)); !errors.Is(err, ErrState) {
		t.Errorf("dropped after it was sent: %v", err)
	}
	id = bankID("b2", "c0")
	for _, r := range []Result{{ID: id, Done: true}, {ID: id, Done: true}, {ID: id, Code: "AC06"}, {ID: id, Code: "AC06"}} {
		if _, odd, err := p.Apply(ctx, []Result{r}, day(6)); len(odd) > 0 || err != nil {
			t.Fatal(odd, err)
		}
	}
	if n, err := p.Book.Balance(ctx, Claimant("c0"), "KRW"); n != -1_000 || err != nil {
		t.Errorf("it was paid and came back: owed %d, %v", n, err)
	}
	if _, odd, err := p.Apply(ctx, []Result{{ID: id, Done: true}}, day(7)); len(odd) != 1 || err != nil {
		t.Errorf("done after it came back: %q, %v", odd, err)
	}
	if wrong, err := Audit(ctx, p.Book, "KRW"); err != nil || len(wrong) > 0 {
		t.Error(wrong, err)
	}
}

// An attempt that failed leaves nothing that another batch of the same name, with a
// smaller sum for the second person to see, would pay.
func TestOneIDIsOneBatch(t *testing.T) {
	ctx := t.Context()
	s, items := owing(t, 150)
	p := &Payout{Store: s, Book: NewBook(s)}
	tooMuch := append([]Item(nil), items...)
	tooMuch[99].Amount++ // the last one by name
	if _, err := p.Draft(ctx, draft("b"), tooMuch); !errors.Is(err, ErrOverdrawn) {
		t.Fatal(err)
	}
	if _, err := p.Draft(ctx, draft("b"), []Item{{Claim: "c0", Amount: 1}}); !errors.Is(err, ErrReused) {
		t.Errorf("another batch under the same ID: %v", err)
	}
	if _, err := p.Approve(ctx, "b", "lee", day(2)); !errors.Is(err, ErrState) {
		t.Errorf("half a batch was approved: %v", err)
	}
	if _, err := p.Draft(ctx, draft("y"), items[:1]); !errors.Is(err, ErrInBatch) {
		t.Errorf("its claims are taken: %v", err)
	}
	if _, err := p.Drop(ctx, "b", "kim", "a slip", day(2)); err != nil {
		t.Fatal(err)
	}
	b, err := p.Draft(ctx, draft("c"), items)
	if err != nil || b.Count != 150 {
		t.Errorf("dropped, its claims are free: %+v, %v", b, err)
	}
	// An item that somebody slipped in is not reserved, and no file is written.
	other, err := json.Marshal(storedItem{1, Item{Claim: "x", Amount: 5, ID: "X", State: Open}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: itemPrefix + "c/x", Value: other}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approve(ctx, "c", "lee", day(3)); err == nil {
		t.Error("a batch with a payment that nobody drafted was approved")
	}
}

// Of two answers that differ, one goes ahead; the other is for a person.
func TestAnswersThatDiffer(t *testing.T) {
	for range 30 {
		p, _, items := sent(t)
		var wg sync.WaitGroup
		for _, done := range []bool{true, false} {
			wg.Go(func() {
				_, _, err := p.Apply(t.Context(), []Result{{ID: items[0].ID, Done: done}}, day(4))
				if err != nil && !errors.Is(err, kv.ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for range 2 { // whoever lost reads the file in again
			if _, _, err := p.Apply(t.Context(), []Result{{ID: items[0].ID, Done: true}}, day(5)); err != nil {
				t.Fatal(err)
			}
		}
		bank, err := p.Book.Balance(t.Context(), Bank("main"), "KRW")
		if err != nil {
			t.Fatal(err)
		}
		owed, err := p.Book.Balance(t.Context(), Claimant("c0"), "KRW")
		if err != nil {
			t.Fatal(err)
		}
		if bank+owed != -1_000 {
			t.Fatalf("paid %d and owed %d of 1,000", -bank, -owed)
		}
		if wrong, err := Audit(t.Context(), p.Book, "KRW"); err != nil || len(wrong) > 0 {
			t.Error(wrong, err)
		}
	}
}

// Answers about several batches in one file, more than go together, with strangers among them, one payment answered
// twice and one that is not at the bank, come to what they would come to one by one.
func TestApplyMany(t *testing.T) {
	come := func(together bool) (states map[string]ItemState, odd []string, have map[Account]int64) {
		s, items := owing(t, 2*mostEntries+30)
		ctx := t.Context()
		p := &Payout{Store: s, Book: NewBook(s)}
		var results []Result
		for i, id := range []string{"b", "other", "waits"} {
			of := items[:mostEntries+20]
			switch i {
			case 1:
				of = items[mostEntries+20 : len(items)-1]
			case 2:
				of = items[len(items)-1:]
			}
			b := draft(id)
			if _, err := p.Draft(ctx, b, append([]Item(nil), of...)); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Approve(ctx, id, "lee", day(2)); err != nil {
				t.Fatal(err)
			}
			if id != "waits" {
				if _, err := p.Dispatch(ctx, id, day(3)); err != nil {
					t.Fatal(err)
				}
			}
			for n, it := range of {
				results = append(results, Result{ID: bankID(id, it.Claim), Done: n%7 > 0, Code: "AC04"})
			}
		}
		again := results[1] // was done, and came back
		again.Done = false
		results = append(results[:2], append([]Result{{ID: "NOTOURS", Done: true}, again}, results[2:]...)...)
		calls := [][]Result{results}
		if !together {
			calls = calls[:0]
			for i := range results {
				calls = append(calls, results[i:i+1])
			}
		}
		for _, some := range calls {
			_, more, err := p.Apply(ctx, some, day(4))
			if err != nil {
				t.Fatal(err)
			}
			odd = append(odd, more...)
		}
		states = map[string]ItemState{}
		for _, id := range []string{"b", "other", "waits"} {
			got, err := p.Items(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range got {
				states[id+"/"+it.Claim] = it.State
			}
		}
		lines, err := p.Book.Balances(ctx, "", "KRW")
		if err != nil {
			t.Fatal(err)
		}
		have = map[Account]int64{}
		for _, l := range lines {
			have[l.Account] = l.Amount
		}
		return states, odd, have
	}
	states, odd, have := come(true)
	wantStates, wantOdd, wantHave := come(false)
	if len(odd) != 2 || states["b/c1"] != Voided {
		t.Errorf("%q fit nothing; c1, which was done and came back, is %s", odd, states["b/c1"])
	}
	if diff := cmp.Diff(wantStates, states) + cmp.Diff(wantOdd, odd) + cmp.Diff(wantHave, have); diff != "" {
		t.Error(diff)
	}
}
