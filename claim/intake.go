package claim

import (
	"context"
	"fmt"
	"sync"
)

// What intake holds at most: beyond, people are told to press again, and nothing they
// typed is lost by it.
const (
	mostWaiting  = 5_000
	mostTogether = 120
)

// An Intake files single reports in groups: those that arrive while a group is being
// committed make the next one. Nobody waits for a timer, and under load one commit
// keeps a hundred reports.
type Intake struct {
	ledger Ledger
	queue  chan *waiting
}

type waiting struct {
	report  Report
	receipt Receipt
	err     error
	done    chan struct{}
}

// NewIntake returns an intake; [Intake.Run] has to run for it to file anything.
func NewIntake(l Ledger) *Intake { return &Intake{l, make(chan *waiting, mostWaiting)} }

// File returns once the report is kept, or is known not to be. When ctx ends first it
// is not known: the same report with the same key may be filed again.
func (in *Intake) File(ctx context.Context, r Report) (Receipt, error) {
	w := &waiting{report: r, done: make(chan struct{})}
	select {
	case in.queue <- w:
	default:
		return Receipt{}, fmt.Errorf("%w: %d reports wait already", ErrUnavailable, mostWaiting)
	}
	select {
	case <-w.done:
		return w.receipt, w.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

// Run files what comes in with so many commits at once, until ctx ends; what waits then
// is told that it was not kept.
func (in *Intake) Run(ctx context.Context, atOnce int) {
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case w := <-in.queue:
					in.file(ctx, in.gather(w))
				}
			}
		})
	}
	wg.Wait()
	for {
		select {
		case w := <-in.queue:
			w.err = fmt.Errorf("%w: the program stops", ErrUnavailable)
			close(w.done)
		default:
			return
		}
	}
}

// gather takes what waits, without waiting for more.
func (in *Intake) gather(first *waiting) []*waiting {
	group := []*waiting{first}
	for len(group) < mostTogether {
		select {
		case w := <-in.queue:
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

func (in *Intake) file(ctx context.Context, group []*waiting) {
	reports := make([]Report, len(group))
	for i, w := range group {
		reports[i] = w.report
	}
	receipts, errs := in.ledger.File(ctx, reports)
	for i, w := range group {
		w.receipt, w.err = receipts[i], errs[i]
		close(w.done)
	}
}
