package recovery

import (
	"context"
	"sync"
	"time"

	"bongsu/internal/kv"
)

// follow lists everything below the prefixes and then sends every later change to
// it, until ctx ends or a watch fails; then the channel is closed. Changes of one
// prefix come in order; those of different ones may overtake each other.
func follow(ctx context.Context, s kv.Store, prefixes ...string) ([]kv.Entry, <-chan []kv.Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	var all []kv.Entry
	var watches []<-chan []kv.Event
	for _, p := range prefixes {
		found, rev, err := s.List(ctx, p)
		if err != nil {
			cancel()
			return nil, nil, err
		}
		all = append(all, found...)
		w, err := s.Watch(ctx, p, rev)
		if err != nil {
			cancel()
			return nil, nil, err
		}
		watches = append(watches, w)
	}
	merged := make(chan []kv.Event)
	var forwarding sync.WaitGroup
	for _, w := range watches {
		forwarding.Go(func() {
			defer cancel()
			for batch := range w {
				select {
				case merged <- batch:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() {
		forwarding.Wait()
		cancel()
		close(merged)
	}()
	return all, merged, nil
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff is how long to wait before the n-th new try.
func backoff(n int) time.Duration {
	return min(20*time.Millisecond<<min(n, 10), time.Second)
}
