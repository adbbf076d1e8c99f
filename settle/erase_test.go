package settle

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// A report that a batch pays is not erased: the others in the batch could not be paid any more.
func TestErasedWhileItIsPaid(t *testing.T) {
	o := newOffice(t, 3, nil)
	ctx := t.Context()
	for i := range o.ids {
		o.decide(i, money(1_000))
	}
	o.grant()
	var file bytes.Buffer
	refused := func(says string) {
		t.Helper()
		err := o.Erase(ctx, o.ids[1], "park", "asked")
		if !errors.Is(err, ErrInBatch) || !strings.Contains(err.Error(), "batch b1") || !strings.Contains(err.Error(), o.ids[1]) || !strings.Contains(err.Error(), says) {
			t.Errorf("erased: %v", err)
		}
	}
	if _, err := o.Draft(ctx, "i", policy.Money, "main", "b1", "kim", 0); err != nil {
		t.Fatal(err)
	}
	refused("payout drop b1")
	if _, err := o.Approve(ctx, "b1", "lee"); err != nil {
		t.Fatal(err)
	}
	refused("payout drop b1")
	if _, err := o.File(ctx, "b1", "", "kim", &file); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Sent(ctx, "b1", "kim"); err != nil {
		t.Fatal(err)
	}
	refused("payout results")
	_, items, err := o.Batch(ctx, "b1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Results(ctx, answer(items, nil), "kim"); err != nil {
		t.Fatal(err)
	}
	if err := o.Erase(ctx, o.ids[1], "park", "asked"); err != nil {
		t.Errorf("erased when it was paid: %v", err)
	}
	o.agrees()
}

// One that a restore erased again is named by its own number, with what is to be done.
func TestFileOfErased(t *testing.T) {
	for _, format := range []string{FileCSV, FilePain001} {
		o := newOffice(t, 3, nil)
		ctx := t.Context()
		for i := range o.ids {
			o.decide(i, money(1_000))
		}
		o.grant()
		if _, err := o.Draft(ctx, "i", policy.Money, "main", "b1", "kim", 0); err != nil {
			t.Fatal(err)
		}
		if err := o.Ledger.Erase(ctx, o.ids[1], "restore", "it had been erased"); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Approve(ctx, "b1", "lee"); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), o.ids[1]+" is erased: drop the batch") {
			t.Errorf("approved: %v", err)
		}
		if _, err := o.payout().Approve(ctx, "b1", "lee", day(2)); err != nil {
			t.Fatal(err)
		}
		_, err := o.File(ctx, "b1", format, "kim", io.Discard)
		if !errors.Is(err, ErrPayee) || !strings.Contains(err.Error(), o.ids[1]) || strings.Contains(err.Error(), o.ids[0]) || strings.Contains(err.Error(), o.ids[2]) ||
			!strings.Contains(err.Error(), "drop the batch") {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// What was granted before stays when a report is erased in the middle of its appeal, paid or not.
func TestErasedInAppeal(t *testing.T) {
	for _, state := range []claim.State{claim.Appealed, claim.Review, claim.Asked} {
		o := newOffice(t, 3, nil)
		ctx := t.Context()
		for i := range o.ids {
			o.decide(i, money(1_000))
		}
		o.grant()
		for i := range 2 {
			o.put(i, func(c *claim.Claim) {
				c.State, c.Appealed = state, day(3)
				if state != claim.Appealed {
					d := *c.Decision
					d.Outcome = policy.Human
					c.Decision = &d
				}
			})
			if i == 1 {
				o.put(i, func(c *claim.Claim) { c.State = claim.Approved })
				if _, err := (&claim.Office{Store: o.s, Ledger: o.Ledger}).Withdraw(ctx, o.ids[i], "", "kim"); err != nil {
					t.Fatal(err)
				}
			}
			if err := o.Erase(ctx, o.ids[i], "park", "asked"); err != nil {
				t.Fatal(err)
			}
		}
		if g := o.grant(); g.Reversed != 1 || len(g.Odd) > 0 || o.owed(0) != 1_000 || o.owed(1) != 0 {
			t.Errorf("%s: %+v, %d and %d owed", state, g, o.owed(0), o.owed(1))
		}
		if g := o.grant(); g.Reversed != 0 {
			t.Errorf("%s: again: %+v", state, g)
		}
		o.agrees()
	}
}
