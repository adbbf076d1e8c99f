package claim

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// However many papers come at once, no more are cleaned than the machine has room for, and who leaves while
// waiting costs nothing.
func TestCleaningIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		var mu sync.Mutex
		var wg sync.WaitGroup
		now, most := 0, 0
		for range 50 {
			wg.Go(func() {
				if err := q.enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				defer q.leave()
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				<-time.NewTimer(time.Second).C
				mu.Lock()
				now--
				mu.Unlock()
			})
		}
		synctest.Wait()
		ctx, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		if err := q.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waits longer than they like: %v", err)
		}
		wg.Wait()
		if most != cleanedAtOnce {
			t.Errorf("%d were cleaned at once, want %d", most, cleanedAtOnce)
		}
	})
}
