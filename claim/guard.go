package claim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bongsu/internal/kv"
)

// A Gauge says how full a store is.
type Gauge interface {
	// Room returns how many bytes are in use, and how many may be; 0: it is not known.
	Room(ctx context.Context) (used, quota int64, err error)
}

// fullAt is the share of the quota up to which reports and papers are taken. What is left is
// for deciding on them, paying, and erasing: all of these write each claim anew, and what it
// was before takes room until the store forgets its history, after an hour.
const fullAt = 0.5

// askEvery is how often the gauge is looked at: in this time no flood fills the rest.
const askEvery = 100 * time.Millisecond

// A guard keeps intake from filling a store up to where it takes no writes at all.
type guard struct {
	gauge Gauge
	now   func() time.Time

	mu    sync.Mutex
	asked time.Time
	err   error
}

// Guard makes the ledger refuse reports and papers, with [ErrUnavailable], well before its
// store is full, so that desks go on. It is called before anything else is.
func (k *Keeper) Guard(g Gauge) { k.guard = &guard{gauge: g, now: k.now} }

// A nearly is a [kv.ErrFull] of what nobody has to keep yet.
type nearly string

func (n nearly) Error() string { return string(n) }

// Is says that it is a [kv.ErrFull].
func (n nearly) Is(target error) bool { return target == kv.ErrFull }

// admits says whether there is room for what nobody has to keep yet.
func (g *guard) admits(ctx context.Context) error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if since := now.Sub(g.asked); since >= 0 && since < askEvery {
		return g.err
	}
	used, quota, err := g.gauge.Room(ctx)
	if err != nil {
		return g.err // as it was: whether the store takes it, it says itself
	}
	g.asked, g.err = now, nil
	if quota > 0 && float64(used) > fullAt*float64(quota) {
		g.err = fmt.Errorf("%w: %w", ErrUnavailable, nearly(fmt.Sprintf("the store is nearly full, %d of %d bytes: no more reports are taken", used, quota)))
	}
	return g.err
}
