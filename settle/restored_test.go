package settle

import (
	"context"
	"errors"
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
