package settletest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"bongsu/claim/policy"
	"bongsu/settle"
)

// Owe is the entry that owes a claim an amount.
func Owe(id string, amount int64) settle.Entry {
	return settle.Entry{
		ID: id, At: time.Date(2022, 12, 29, 0, 0, 0, 0, time.UTC), By: "kakao-2022@1", Why: "small-business-30k", Currency: "KRW",
		Lines: []settle.Line{{Account: settle.Expense("i", policy.Goodwill), Amount: amount}, {Account: settle.Claimant(id), Amount: -amount}},
		About: settle.About{Incident: "i", Claim: id, Ground: policy.Goodwill, Policy: "kakao-2022@1", Rule: "small-business-30k", Face: amount, Cost: amount},
	}
}

// Move is an entry from one account to another.
func Move(id string, from, to settle.Account, amount int64) settle.Entry {
	return settle.Entry{
		ID: id, At: time.Date(2023, 1, 5, 0, 0, 0, 0, time.UTC), By: "kim", Why: "pay", Currency: "KRW",
		Lines: []settle.Line{{Account: from, Amount: amount}, {Account: to, Amount: -amount}},
	}
}

// Run holds the books that open makes against what settle.Book promises. Each call of
// open is a new, empty one.
func Run(t *testing.T, open func(t *testing.T) settle.Book) {
	t.Run("post", func(t *testing.T) { testPost(t, open(t)) })
	t.Run("many writers", func(t *testing.T) { testMany(t, open(t)) })
}

func testPost(t *testing.T, b settle.Book) {
	ctx := t.Context()
	e := Owe("c1", 30_000)
	for range 2 { // twice is once
		if err := b.Post(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := b.Balance(ctx, settle.Claimant("c1"), "KRW"); n != -30_000 || err != nil {
		t.Errorf("owed %d, %v", n, err)
	}
	if got, err := b.Entry(ctx, "c1"); err != nil || !reflect.DeepEqual(e, got) {
		t.Errorf("%v: got %+v, want %+v", err, got, e)
	}
	if _, err := b.Entry(ctx, "c9"); !errors.Is(err, settle.ErrNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
	other := e
	other.Why = "something else"
	if err := b.Post(ctx, other); !errors.Is(err, settle.ErrReused) {
		t.Errorf("the same ID with other content: %v", err)
	}
	crooked := Owe("c3", 5)
	crooked.Lines[0].Amount++
	if err := b.Post(ctx, crooked); !errors.Is(err, settle.ErrUnbalanced) {
		t.Errorf("an entry that does not sum to zero: %v", err)
	}
	if err := b.Post(ctx, Move("p1", settle.Claimant("c1"), settle.Clearing("b1"), 30_001)); !errors.Is(err, settle.ErrOverdrawn) {
		t.Errorf("more than is owed: %v", err)
	}
	if err := b.Post(ctx, Owe("c2", 10), Move("p2", settle.Claimant("c1"), settle.Clearing("b1"), 40_000)); err == nil {
		t.Error("one of two is wrong: posted")
	}
	if n, err := b.Balance(ctx, settle.Claimant("c2"), "KRW"); n != 0 || err != nil {
		t.Errorf("one of two is wrong: the other was posted, %d, %v", n, err)
	}
	if err := b.Post(ctx, Move("p1", settle.Claimant("c1"), settle.Clearing("b1"), 30_000), Move("s1", settle.Clearing("b1"), settle.Bank("main"), 30_000)); err != nil {
		t.Fatal(err)
	}
	if err := b.Post(ctx, e.Reversal(time.Date(2023, 2, 1, 0, 0, 0, 0, time.UTC), "kim", "twice")); !errors.Is(err, settle.ErrOverdrawn) {
		t.Errorf("what was paid cannot be taken back silently: %v", err)
	}
	got, err := b.Balances(ctx, "", "KRW")
	want := []settle.Line{{Account: settle.Bank("main"), Amount: -30_000}, {Account: settle.Expense("i", policy.Goodwill), Amount: 30_000}}
	if !slices.Equal(want, got) || err != nil {
		t.Errorf("%v: got %v, want %v", err, got, want)
	}
	var touching []string
	if err := b.Each(ctx, "claimant/", func(e settle.Entry) error { touching = append(touching, e.ID); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(touching, []string{"c1", "p1"}) {
		t.Errorf("entries that touch claimants: %v", touching)
	}
}

// Whatever many writers post at once, and however often again, the book balances and
// nobody is paid more than is owed.
func testMany(t *testing.T, b settle.Book) {
	ctx := t.Context()
	var wg sync.WaitGroup
	for w := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(w, 7)) // the same claims, in another order
			for range 120 {
				c := fmt.Sprintf("c%d", r.IntN(40))
				amount := int64(len(c)) * 1_000
				var err error
				switch r.IntN(4) {
				case 0:
					err = b.Post(ctx, Owe(c, amount))
				case 1:
					err = b.Post(ctx, Move(c+".out", settle.Claimant(c), settle.Clearing("b"), amount))
				case 2:
					err = b.Post(ctx, Move(c+".sent", settle.Clearing("b"), settle.Bank("main"), amount))
				case 3:
					e := Owe(c, amount)
					err = b.Post(ctx, e.Reversal(e.At, "kim", "wrong"))
				}
				if err != nil && !errors.Is(err, settle.ErrOverdrawn) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if wrong, err := settle.Audit(ctx, b, "KRW"); err != nil || len(wrong) > 0 {
		t.Error(wrong, err)
	}
	for _, prefix := range []settle.Account{"claimant/", "batch/"} {
		list, err := b.Balances(ctx, prefix, "KRW")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			if l.Amount > 0 {
				t.Errorf("%s is overdrawn: %d", l.Account, l.Amount)
			}
		}
	}
}
