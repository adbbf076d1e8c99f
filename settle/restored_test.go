package settle

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// After a restore nothing goes to a bank until a person has said what went there since.
func TestNothingIsDraftedAfterARestore(t *testing.T) {
	ctx, s := context.Background(), kv.NewMemory()
	c := &Cashier{Store: s, Book: NewBook(s)}
	if err := MarkRestored(ctx, s, time.Date(2022, 11, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	draft := func() error {
		_, err := c.Draft(ctx, "i", policy.Coupon, "", "b1", "kim", 0)
		return err
	}
	if err := draft(); !errors.Is(err, ErrRestored) {
		t.Fatalf("drafted after a restore: %v", err)
	}
	if err := c.Resume(ctx, "kim", " "); err == nil {
		t.Error("resumed without a reason")
	}
	if err := c.Resume(ctx, "kim", "the statement of 3 Nov has none of ours"); err != nil {
		t.Fatal(err)
	}
	if err := c.known(ctx); err != nil {
		t.Errorf("resumed, and still refused: %v", err)
	}
	if err := c.Resume(ctx, "kim", "again"); !errors.Is(err, ErrState) {
		t.Errorf("resumed twice: %v", err)
	}
	if all, _, err := s.List(ctx, resumedPrefix); err != nil || len(all) != 1 {
		t.Errorf("who resumed is not kept: %v, %v", all, err)
	}
}

// A batch that was begun when the backup was made may be at the bank: it goes out no more before somebody said what is there.
func TestNothingGoesOnAfterARestore(t *testing.T) {
	o := newOffice(t, 1, nil)
	ctx := t.Context()
	o.decide(0, money(1_000))
	o.grant()
	if _, err := o.Draft(ctx, "i", policy.Money, "main", "p1", "kim", 0); err != nil {
		t.Fatal(err)
	}
	steps := map[string]func() error{
		"approve": func() error { _, err := o.Approve(ctx, "p1", "lee"); return err },
		"file":    func() error { _, err := o.File(ctx, "p1", "", "kim", io.Discard); return err },
		"sent":    func() error { _, err := o.Sent(ctx, "p1", "kim"); return err },
		"drop":    func() error { _, err := o.Drop(ctx, "p1", "kim", "not needed"); return err },
	}
	refused := func() {
		t.Helper()
		if err := MarkRestored(ctx, o.s, day(3)); err != nil {
			t.Fatal(err)
		}
		for name, step := range steps {
			if err := step(); !errors.Is(err, ErrRestored) || !strings.Contains(err.Error(), "batch p1 too") {
				t.Errorf("%s after a restore: %v", name, err)
			}
		}
		if err := o.Resume(ctx, "kim", "the statement has none of ours"); err != nil {
			t.Fatal(err)
		}
	}
	refused()
	if err := steps["approve"](); err != nil {
		t.Fatal(err)
	}
	refused()
	for _, name := range []string{"file", "sent"} {
		if err := steps[name](); err != nil {
			t.Errorf("%s after it was resumed: %v", name, err)
		}
	}
}
