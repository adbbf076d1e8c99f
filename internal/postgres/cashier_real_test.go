//go:build real

package postgres

import (
	"bytes"
	"testing"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/internal/kv"
	"bongsu/settle/settletest"
)

// A cashier whose claims and book are in PostgreSQL, and whose batches are in the public
// store, survives a crash at any call to any of the three.
func TestRealCashier(t *testing.T) {
	db := start(t).open(t)
	settletest.RunCashier(t, settletest.World{Store: kv.NewMemory(), Ledger: db.Claims(master(t)), Book: db.Book(), Every: 3})
}

// Salts are the same in both ledgers for the same key, and gone with it.
func TestRealSalts(t *testing.T) {
	ctx, c := t.Context(), start(t).open(t).Claims(master(t))
	with, without := claimtest.Report(1), claimtest.Report(2)
	with.Personal.Bank, with.Personal.Number, with.Personal.Holder = "088", "110", "홍길동"
	r, errs := c.File(ctx, []claim.Report{with, without})
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	about := map[string]string{r[0].ID: "x", r[1].ID: "x"}
	one, err := c.Salts(ctx, about)
	if err != nil || len(one) != 2 || bytes.Equal(one[r[0].ID], one[r[1].ID]) {
		t.Fatal(one, err)
	}
	if two, err := c.Salts(ctx, about); err != nil || !bytes.Equal(one[r[0].ID], two[r[0].ID]) {
		t.Errorf("another salt the second time: %v", err)
	}
	if banked, err := c.Banked(ctx, []string{r[0].ID, r[1].ID}); err != nil || !banked[r[0].ID] || banked[r[1].ID] {
		t.Errorf("%v, %v", banked, err)
	}
	if err := c.Erase(ctx, r[0].ID, "kim", "asked"); err != nil {
		t.Fatal(err)
	}
	if left, err := c.Salts(ctx, about); err != nil || left[r[0].ID] != nil || len(left) != 1 {
		t.Errorf("a salt outlives its key: %d, %v", len(left), err)
	}
}
