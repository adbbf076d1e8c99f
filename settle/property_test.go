package settle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

// Whatever people do in whatever order, and wherever processes die, the book balances,
// nobody is paid more than was ever decided at once, and reconciliation finds nothing wrong but
// what people have to ask back.
func TestCashierProperties(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomDays(t, rand.New(rand.NewPCG(seed, 5)), 60) })
	}
}

// days are what happens at random to one office.
type days struct {
	*office
	r       *rand.Rand
	batches []string
	most    map[string]int64 // by claim: the most that it was ever decided to get
}

func randomDays(t *testing.T, r *rand.Rand, steps int) {
	t.Helper()
	d := &days{office: newOffice(t, 8, nil), r: r, most: map[string]int64{}}
	for range steps {
		d.step()
	}
	// In the end everything is granted, mended, and agrees but for what was overpaid.
	if _, err := d.Mend(t.Context(), "i", "kim"); err != nil {
		t.Fatal(err)
	}
	d.grant()
	if wrong, err := Audit(t.Context(), d.Book, "KRW"); err != nil || len(wrong) > 0 {
		t.Fatal(wrong, err)
	}
	rec, err := d.Reconcile(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range rec.Wrong {
		if !allowed(w) {
			t.Errorf("%s", w)
		}
	}
	if rec.Granted != rec.Owed+rec.Clearing+rec.Paid {
		t.Errorf("%+v", rec)
	}
	paid := map[string]int64{}
	for _, b := range d.batches {
		_, items, err := d.Batch(t.Context(), b)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			if it.State == Posted {
				paid[it.Claim] += it.Amount
			}
		}
	}
	for id, n := range paid {
		if n > d.most[id] {
			t.Errorf("claim %s was paid %d and never decided more than %d", id, n, d.most[id])
		}
	}
}

// allowed is what people did and no program can undo.
func allowed(sentence string) bool {
	return slices.ContainsFunc([]string{"was paid for it", "and the book grants"}, func(s string) bool { return strings.Contains(sentence, s) })
}

func (d *days) step() {
	ctx, t := d.t.Context(), d.t
	i := d.r.IntN(len(d.ids))
	x := d.claim(i)
	c := d.Cashier
	var crash *kvtest.Faulty
	if d.r.IntN(3) == 0 { // this one dies somewhere
		crash = kvtest.NewFaulty(d.s)
		crash.CrashAt(3+d.r.IntN(40), kvtest.When(d.r.IntN(2)))
		dying, err := cashier(t, crash, nil)
		if err != nil {
			t.Fatal(err)
		}
		c = dying
	}
	if len(d.batches) == 0 {
		d.batches = append(d.batches, "b0")
	}
	b := d.batches[len(d.batches)-1]
	if d.r.IntN(5) == 0 {
		b = d.batches[d.r.IntN(len(d.batches))]
	}
	var err error
	switch d.r.IntN(16) {
	case 0, 1: // the office decides, which it does not while a batch has the claim
		if x.State != claim.Paying {
			amount := int64(1+d.r.IntN(9)) * 1_000
			d.most[x.ID] = max(d.most[x.ID], amount)
			d.decide(i, money(amount))
		}
	case 2:
		if x.State == claim.Approved || x.State == claim.Received {
			d.put(i, func(x *claim.Claim) { x.State = claim.Withdrawn })
		}
	case 3:
		_, err = c.Grant(ctx, "i", "kim", nil)
	case 4:
		b = fmt.Sprintf("b%d", len(d.batches))
		d.batches = append(d.batches, b)
		_, err = c.Draft(ctx, "i", policy.Money, "main", b, "kim", d.r.IntN(4))
	case 5:
		_, err = c.Approve(ctx, b, "lee")
	case 6:
		_, err = c.Sent(ctx, b, "kim")
	case 7:
		if d.r.IntN(3) > 0 {
			return
		}
		_, err = c.Drop(ctx, b, "lee", "at random")
	case 8:
		if x.State == claim.Returned {
			_, err = c.Again(ctx, x.ID, "kim", "seen to")
		}
	case 9, 10:
		_, err = c.Approve(ctx, b, "lee")
		if err == nil {
			_, err = c.Sent(ctx, b, "kim")
		}
	case 11:
		_, err = c.Grant(ctx, "i", "kim", nil)
	default:
		_, items, _ := d.Batch(ctx, b)
		fails := map[string]string{}
		for _, it := range items {
			if d.r.IntN(3) == 0 {
				fails[it.Claim] = "AC04"
			}
		}
		_, err = c.Results(ctx, answer(items, fails), "kim")
	}
	if crash != nil && errors.Is(err, kvtest.ErrCrashed) {
		return
	}
	for _, known := range []error{nil, ErrNothing, ErrState, ErrNotFound, ErrReused, kv.ErrConflict, context.Canceled} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("%v", err)
}
