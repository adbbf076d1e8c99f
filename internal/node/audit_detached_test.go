package node

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// A leader that ends does not wait for the check under way; the next one's check
// begins when that one is over, and the node waits for both.
func TestChecksAreDetached(t *testing.T) {
	t.Parallel()
	var (
		a              audits
		running        atomic.Int32
		release, began = make(chan struct{}), make(chan struct{})
		first          = make(chan error, 1)
		second         = make(chan int, 1)
	)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, err := detached(ctx, &a, func() (int, error) {
			running.Add(1)
			defer running.Add(-1)
			close(began)
			<-release
			return 1, nil
		})
		first <- err
	}()
	<-began
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Fatalf("it was told to end and says %v", err)
	}
	go func() {
		n, err := detached(t.Context(), &a, func() (int, error) {
			if running.Load() != 0 {
				t.Error("two checks run at a time")
			}
			return 2, nil
		})
		if err != nil {
			t.Error(err)
		}
		second <- n
	}()
	gone, stop := context.WithCancel(t.Context())
	stop()
	if _, err := detached(gone, &a, func() (int, error) { t.Error("nobody asks for it"); return 0, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a check that nobody asks for says %v", err)
	}
	close(release)
	if n := <-second; n != 2 {
		t.Errorf("the second check gave %d", n)
	}
	a.checks.Wait()
}
