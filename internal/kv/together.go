package kv

import (
	"context"
	"sync"
)

// atOnce is how many reads of the store go on at a time: a quorum answers many for the
// price of one.
const atOnce = 128

// Together calls do for 0 to n-1, several at a time, and returns the first error.
func Together(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	return Several(ctx, atOnce, n, do)
}

// Several calls do for 0 to n-1, at most so many at a time, and returns the first error. After one, no
// further call begins, the context of those that go on ends, and it is waited for them.
func Several(ctx context.Context, most, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(most, n) {
		wg.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
