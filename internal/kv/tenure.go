package kv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Claim says which key a [Tenure] keeps, and for how long it outlives its owner.
type Claim struct {
	Key   string
	Value []byte
	// TTL is how long the store keeps the key after it last heard of us.
	TTL time.Duration
	// Margin is how long before the store may drop the key the tenure is over
	// here: the time that its owner needs to stop, for a site the time to fence
	// its writers. 0 means a quarter of TTL; it is at most half of it, because
	// renewals are a third apart.
	Margin time.Duration
}

func (c Claim) check() (Claim, error) {
	c.Margin = cmp.Or(c.Margin, c.TTL/4)
	switch {
	case c.Key == "":
		return c, errors.New("a claim needs a key")
	case c.TTL <= 0:
		return c, fmt.Errorf("claim of %q: a time to live of %v is none", c.Key, c.TTL)
	case c.Margin < 0 || c.Margin > c.TTL/2:
		return c, fmt.Errorf("claim of %q: a margin of %v does not fit a time to live of %v: it is at most half of it", c.Key, c.Margin, c.TTL)
	}
	return c, nil
}

// A Tenure is one unbroken stretch of holding a key: from the commit that wrote it
// until Done, which closes before the store can give the key to anyone else. A
// tenure that is over never comes back: its owner stops what it did under it, then
// calls Close, and may claim again.
type Tenure struct {
	claim   Claim
	store   Store
	lease   Lease
	created int64 // revision that created the key
	written int64 // revision of our write
	done    chan struct{}
	stop    context.CancelFunc
	ended   chan struct{} // closed when the goroutine of the tenure has returned
}

// Leadership is the tenure of a leader. Its term is the revision that created its
// key, so terms only grow.
type Leadership struct{ *Tenure }

// Term is the number that orders leaders.
func (l Leadership) Term() int64 { return l.created }

// Fence is the condition that goes with every write of this leader.
func (l Leadership) Fence() *Fence { return &Fence{Key: l.claim.Key, Term: l.created} }

// Resign gives the leadership up at once, so that another candidate need not wait
// for the lease to run out. Stop acting before calling it.
func (l Leadership) Resign(ctx context.Context) error { return l.Close(ctx) }

// Campaign waits until the key of the claim is free, takes it, and returns the
// leadership. It returns an error only when ctx ends, when the claim is wrong, or
// when the store is full; a store that cannot be reached is waited for.
func Campaign(ctx context.Context, s Store, c Claim) (Leadership, error) {
	t, err := claim(ctx, s, c, true)
	return Leadership{t}, err
}

// Hold writes the key of the claim, whoever wrote it before, and keeps it as long
// as the store can be reached. A site's fencing lease is such a key: on Done the
// site has Margin left to fence its writers before anyone sees the key vanish.
// The older one of two holders of one key finds its tenure over.
func Hold(ctx context.Context, s Store, c Claim) (*Tenure, error) {
	return claim(ctx, s, c, false)
}

func claim(ctx context.Context, s Store, c Claim, exclusive bool) (*Tenure, error) {
	c, err := c.check()
	if err != nil {
		return nil, err
	}
	var lease Lease
	giveBack := func() {
		if lease != nil {
			closeQuietly(ctx, lease)
		}
	}
	for {
		t, l, err := attempt(ctx, s, c, lease, exclusive)
		if t != nil {
			return t, nil
		}
		lease = l
		switch {
		case ctx.Err() != nil:
			giveBack()
			return nil, ctx.Err()
		case err == nil: // it was taken and became free: at once
		case passing(err):
			if err := wait(ctx, c.TTL/10); err != nil {
				giveBack()
				return nil, err
			}
		default:
			giveBack()
			return nil, fmt.Errorf("claim %q: %w", c.Key, err)
		}
	}
}

// passing says that trying again can help.
func passing(err error) bool {
	return slices.ContainsFunc([]error{ErrUnavailable, ErrConflict, ErrCompacted, ErrNoLease},
		func(target error) bool { return errors.Is(err, target) })
}

// attempt tries once. Without a tenure and without an error the key was taken and
// has become free. It returns the lease to use in the next attempt, if one is left.
func attempt(ctx context.Context, s Store, c Claim, lease Lease, exclusive bool) (*Tenure, Lease, error) {
	if lease != nil && over(lease, c) {
		closeQuietly(ctx, lease)
		lease = nil
	}
	if lease == nil {
		l, err := s.Lease(ctx, c.TTL)
		if err != nil {
			return nil, nil, err
		}
		lease = l
	}
	txn := Txn{Do: []Op{{Key: c.Key, Value: c.Value, Lease: lease.ID()}}}
	if exclusive {
		txn.If = []Cond{{Key: c.Key}}
	}
	switch _, err := s.Commit(ctx, txn); {
	case errors.Is(err, ErrNoLease):
		closeQuietly(ctx, lease)
		return nil, nil, err
	case err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnavailable):
		return nil, lease, err
	}
	// Even without an acknowledgement it may have been applied: our lease tells.
	found, rev, err := s.List(ctx, c.Key)
	if err != nil {
		return nil, lease, err
	}
	for _, e := range found {
		switch {
		case e.Key != c.Key:
		case e.Lease == lease.ID() && !over(lease, c):
			return begin(ctx, s, c, lease, e), lease, nil
		case exclusive && e.Lease != lease.ID():
			return nil, lease, awaitDeletion(ctx, s, c.Key, rev)
		default:
			return nil, lease, ErrConflict
		}
	}
	return nil, lease, nil
}

// awaitDeletion returns nil when the key is gone or the watch broke.
func awaitDeletion(ctx context.Context, s Store, key string, after int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := s.Watch(ctx, key, after)
	if err != nil {
		return err
	}
	for batch := range events {
		for _, e := range batch {
			if e.Key == key && e.Deleted {
				return nil
			}
		}
	}
	return ctx.Err()
}

func begin(ctx context.Context, s Store, c Claim, lease Lease, e Entry) *Tenure {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the campaign
	t := &Tenure{
		claim: c, store: s, lease: lease, created: e.Created, written: e.Modified,
		done: make(chan struct{}), stop: cancel, ended: make(chan struct{}),
	}
	go t.keep(ctx)
	return t
}

// keep ends the tenure when its lease is, or may soon be, over, or when the key
// is someone else's.
func (t *Tenure) keep(ctx context.Context) {
	defer close(t.ended)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer t.stop()
	defer close(t.done)

	lost := make(chan struct{})
	watching.Go(func() {
		if t.awaitLoss(ctx) {
			close(lost)
		}
	})
	timer := time.NewTimer(t.remaining())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.lease.Done():
			return
		case <-lost:
			return
		case <-timer.C:
			if over(t.lease, t.claim) {
				return
			}
			timer.Reset(t.remaining())
		}
	}
}

// awaitLoss reports whether the key was deleted or written by another; false
// means that ctx ended first.
func (t *Tenure) awaitLoss(ctx context.Context) bool {
	after := t.written
	for ctx.Err() == nil {
		events, err := t.store.Watch(ctx, t.claim.Key, after)
		if err == nil {
			for batch := range events {
				for _, e := range batch {
					if e.Key == t.claim.Key && (e.Deleted || e.Lease != t.lease.ID()) {
						return true
					}
				}
			}
		}
		if wait(ctx, t.claim.TTL/10) != nil {
			return false
		}
		found, rev, err := t.store.List(ctx, t.claim.Key)
		if err != nil {
			continue
		}
		ours := false
		for _, e := range found {
			ours = ours || e.Key == t.claim.Key && e.Lease == t.lease.ID() && e.Created == t.created
		}
		if !ours {
			return true
		}
		after = rev
	}
	return false
}

// Done is closed when the tenure is over.
func (t *Tenure) Done() <-chan struct{} { return t.done }

// Alive reports whether the tenure still goes on at this instant. It looks at the
// clock, so that a process that was stopped and wakes up does not act on a timer
// that has yet to fire.
func (t *Tenure) Alive() bool {
	select {
	case <-t.done:
		return false
	default:
		return !over(t.lease, t.claim)
	}
}

// LeaseID is what other keys are written with that shall vanish together with the
// key of the tenure.
func (t *Tenure) LeaseID() int64 { return t.lease.ID() }

// Until is when the tenure ends here if it is not renewed before.
func (t *Tenure) Until() time.Time { return t.lease.Renewed().Add(t.claim.TTL - t.claim.Margin) }

// Close ends the tenure, stops renewing it and deletes the key; Done is closed
// first. It has to be called after Done as well, once the owner has stopped: until
// then the key is left to run out by itself. An error says only that the key stays
// for up to the time to live.
func (t *Tenure) Close(ctx context.Context) error {
	t.stop()
	<-t.ended
	return t.lease.Close(ctx)
}

func (t *Tenure) remaining() time.Duration { return max(0, time.Until(t.Until())) }

// over says whether the lease could end within the margin. The wall clock is asked
// besides the monotonic one, which stands still while a machine sleeps; a wall
// clock that jumps can only end a tenure early.
func over(l Lease, c Claim) bool {
	now, renewed := time.Now(), l.Renewed()
	age := max(now.Sub(renewed), now.Round(0).Sub(renewed.Round(0)))
	return age >= c.TTL-c.Margin
}

// closeQuietly gives a lease back on the way out. When the store does not answer,
// the lease runs out by itself.
func closeQuietly(ctx context.Context, l Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = l.Close(ctx)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
