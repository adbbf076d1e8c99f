package claim_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/internal/kv"
)

// gauge is what a test says of a store.
type gauge struct {
	used, quota int64
	err         error
}

func (g *gauge) Room(context.Context) (used, quota int64, err error) { return g.used, g.quota, g.err }

// Near the quota no report and no paper is taken, and a desk does all that it did.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		g := &gauge{used: 49, quota: 100}
		k := claim.NewKeeper(kv.NewMemory(), master(t))
		k.Guard(g)
		file := func() (string, error) {
			r, errs := k.File(ctx, []claim.Report{claimtest.Report(1)})
			return r[0].ID, errs[0]
		}
		id, err := file()
		if err != nil {
			t.Fatal(err)
		}
		f, err := k.AddFile(ctx, id, "use-proof", "image/png", []byte("x"), "claimant")
		if err != nil {
			t.Fatal(err)
		}
		wait := func() { <-time.NewTimer(time.Second).C }
		g.used = 51
		wait()
		for range 2 {
			if id, err := file(); !errors.Is(err, claim.ErrUnavailable) || !errors.Is(err, kv.ErrFull) || id != "" {
				t.Errorf("filed %q, %v", id, err)
			}
		}
		if _, err := k.AddFile(ctx, id, "use-proof", "image/png", []byte("x"), "claimant"); !errors.Is(err, claim.ErrUnavailable) {
			t.Errorf("a paper: %v", err)
		}
		_, errOpen := k.Open(ctx, id, "kim", "to decide")
		_, errFile := k.OpenFile(ctx, id, f.ID, "kim", "to decide")
		c, errClaim := k.Claim(ctx, id)
		errChange := k.Change(ctx, []claim.Claim{c}, []claim.Event{{Who: "kim", What: "decided"}})
		_, errAmend := k.Amend(ctx, id, func(*claim.Claim, *claim.Personal) (claim.Event, error) {
			return claim.Event{Who: "claimant", What: "appealed"}, nil
		})
		if err := errors.Join(errOpen, errFile, errClaim, errChange, errAmend, k.Erase(ctx, id, "kim", "asked")); err != nil {
			t.Error(err)
		}
		g.err = errors.New("nobody says")
		wait()
		if _, err := file(); !errors.Is(err, claim.ErrUnavailable) {
			t.Errorf("it is not known any more: %v", err)
		}
		g.err, g.used = nil, 10
		wait()
		if _, err := file(); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	})
}
