package claim_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/internal/kv"
)

// counting counts the commits that reports took.
type counting struct {
	kv.Store
	mu      sync.Mutex
	commits int
}

func (c *counting) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	c.mu.Lock()
	c.commits++
	c.mu.Unlock()
	select { // a quorum takes its time
	case <-time.NewTimer(5 * time.Millisecond).C:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return c.Store.Commit(ctx, t)
}

// Reports that come together are kept together, each with its own receipt.
func TestIntakeGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{Store: kv.NewMemory()}
		in := claim.NewIntake(claim.NewKeeper(s, master(t)))
		ctx, stop := context.WithCancel(t.Context())
		var running, people sync.WaitGroup
		running.Go(func() { in.Run(ctx, 2) })
		ids := make([]string, 400)
		for i := range ids {
			people.Go(func() {
				r := claimtest.Report(i)
				r.Key = fmt.Sprint(i)
				got, err := in.File(ctx, r)
				if err != nil {
					t.Error(err)
				}
				ids[i] = got.ID
			})
		}
		people.Wait()
		seen := map[string]bool{}
		for _, id := range ids {
			if id == "" || seen[id] {
				t.Errorf("receipt %q stands twice, or is none", id)
			}
			seen[id] = true
		}
		if s.commits > len(ids)/10 {
			t.Errorf("%d commits for %d reports", s.commits, len(ids))
		}
		stop()
		running.Wait()
		if _, err := in.File(ctx, claimtest.Report(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("after it stopped: %v", err)
		}
	})
}
