package kvtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bongsu/internal/kv"
)

// ErrCrashed is what every call gets once the process it stands for has crashed.
var ErrCrashed = errors.New("the process has crashed")

// When a fault strikes: before the call has an effect, or after it, so that only
// the answer is lost.
type When int

// The two sides of a call.
const (
	Before When = iota
	After
)

func (w When) String() string {
	if w == After {
		return "after"
	}
	return "before"
}

// Faulty is one process's way to a store, which can be cut, can lose a call and
// can crash the process. What it wraps goes on working for everybody else. Leases
// are not renewed while it is cut and after a crash, so that they run out.
type Faulty struct {
	inner kv.Store

	mu     sync.Mutex
	calls  []string
	faults map[int]fault
	cut    bool
	open   chan struct{} // closed when not cut
	dead   chan struct{}
	leases []*faultyLease
}

var _ kv.Store = (*Faulty)(nil)

type fault struct {
	when When
	err  error // nil: crash
}

// NewFaulty returns a way to the store that works until told otherwise.
func NewFaulty(inner kv.Store) *Faulty {
	f := &Faulty{inner: inner, faults: map[int]fault{}, open: make(chan struct{}), dead: make(chan struct{})}
	close(f.open)
	return f
}

// CrashAt makes the process crash at its n-th call (the first is 1).
func (f *Faulty) CrashAt(n int, when When) { f.plan(n, fault{when: when}) }

// FailAt makes the n-th call return err; the process goes on.
func (f *Faulty) FailAt(n int, when When, err error) { f.plan(n, fault{when: when, err: err}) }

func (f *Faulty) plan(n int, x fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[n] = x
}

// Calls returns what was called so far, such as "commit put a, delete b".
func (f *Faulty) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Dead is closed when the process has crashed. A test cancels the context of what
// it runs over the store then, as a real crash would end it.
func (f *Faulty) Dead() <-chan struct{} { return f.dead }

// Crash makes the process crash now.
func (f *Faulty) Crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crash()
}

func (f *Faulty) crash() {
	select {
	case <-f.dead:
	default:
		close(f.dead)
		f.abandon()
	}
}

// Cut makes every call return [kv.ErrUnavailable], watches stand still and leases
// run out, until Heal.
func (f *Faulty) Cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.cut {
		f.cut, f.open = true, make(chan struct{})
		f.abandon()
	}
}

// Heal ends a cut. Leases that neither ran out nor were closed are renewed again.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.cut {
		return
	}
	f.cut = false
	close(f.open)
	for _, l := range f.leases {
		l.resume()
	}
}

// abandon freezes every lease; f.mu is held.
func (f *Faulty) abandon() {
	for _, l := range f.leases {
		l.freeze()
	}
}

// enter counts a call and returns what to do at its end.
func (f *Faulty) enter(call string) (leave func(error) error, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isDead() {
		return nil, ErrCrashed
	}
	f.calls = append(f.calls, call)
	x, strikes := f.faults[len(f.calls)]
	if strikes && x.when == Before {
		return nil, f.strike(x)
	}
	if f.cut {
		return nil, kv.ErrUnavailable
	}
	return func(err error) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch {
		case f.isDead():
			return ErrCrashed
		case strikes:
			return f.strike(x)
		case f.cut:
			return kv.ErrUnavailable // the answer is lost
		}
		return err
	}, nil
}

func (f *Faulty) strike(x fault) error {
	if x.err != nil {
		return x.err
	}
	f.crash()
	return ErrCrashed
}

func (f *Faulty) isDead() bool {
	select {
	case <-f.dead:
		return true
	default:
		return false
	}
}

// List implements [kv.Store].
func (f *Faulty) List(ctx context.Context, prefix string) ([]kv.Entry, int64, error) {
	leave, err := f.enter("list " + prefix)
	if err != nil {
		return nil, 0, err
	}
	found, rev, err := f.inner.List(ctx, prefix)
	if err := leave(err); err != nil {
		return nil, 0, err
	}
	return found, rev, nil
}

// Get implements [kv.Store].
func (f *Faulty) Get(ctx context.Context, key string) (kv.Entry, bool, error) {
	leave, err := f.enter("get " + key)
	if err != nil {
		return kv.Entry{}, false, err
	}
	e, ok, err := f.inner.Get(ctx, key)
	if err := leave(err); err != nil {
		return kv.Entry{}, false, err
	}
	return e, ok, nil
}

// Commit implements [kv.Store].
func (f *Faulty) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	leave, err := f.enter("commit" + describe(t))
	if err != nil {
		return 0, err
	}
	rev, err := f.inner.Commit(ctx, t)
	if err := leave(err); err != nil {
		return 0, err
	}
	return rev, nil
}

func describe(t kv.Txn) string {
	s, sep := "", " "
	for _, op := range t.Do {
		verb := "put"
		if op.Delete {
			verb = "delete"
		}
		s += fmt.Sprintf("%s%s %s", sep, verb, op.Key)
		sep = ", "
	}
	return s
}

// Watch implements [kv.Store].
func (f *Faulty) Watch(ctx context.Context, prefix string, after int64) (<-chan []kv.Event, error) {
	leave, err := f.enter("watch " + prefix)
	if err != nil {
		return nil, err
	}
	inner, err := f.inner.Watch(ctx, prefix, after)
	if err := leave(err); err != nil {
		return nil, err
	}
	events := make(chan []kv.Event)
	go func() {
		defer close(events)
		for batch := range inner {
			f.mu.Lock()
			open := f.open
			f.mu.Unlock()
			select { // while cut, events wait
			case <-open:
			case <-f.dead:
				return
			case <-ctx.Done():
				return
			}
			select {
			case events <- batch:
			case <-f.dead:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, nil
}

// Lease implements [kv.Store].
func (f *Faulty) Lease(ctx context.Context, ttl time.Duration) (kv.Lease, error) {
	leave, err := f.enter("lease")
	if err != nil {
		return nil, err
	}
	inner, err := f.inner.Lease(ctx, ttl)
	granted := err == nil
	l := &faultyLease{faulty: f, inner: inner, ttl: ttl, done: make(chan struct{})}
	l.lapse = func() {
		l.end()
		_ = l.inner.Close(context.WithoutCancel(ctx)) // it outlives this call
	}
	if err := leave(err); err != nil {
		if granted { // who does not know of a lease does not renew it
			f.mu.Lock()
			l.freeze()
			f.mu.Unlock()
		}
		return nil, err
	}
	f.mu.Lock()
	f.leases = append(f.leases, l)
	f.mu.Unlock()
	go func() {
		select {
		case <-inner.Done():
			l.end()
		case <-l.done:
		case <-f.dead:
		}
	}()
	return l, nil
}

// faultyLease is guarded by the mutex of its Faulty.
type faultyLease struct {
	faulty *Faulty
	inner  kv.Lease
	ttl    time.Duration
	lapse  func()      // what happens when it has run out
	frozen time.Time   // of the last renewal before the cut; zero: not cut
	expiry *time.Timer // set while frozen
	closed bool        // nobody renews it any more, whether the store heard of it or not
	ended  bool
	done   chan struct{}
}

// freeze lets the lease run out from its last renewal on.
func (l *faultyLease) freeze() {
	if l.ended || !l.frozen.IsZero() {
		return
	}
	l.frozen = l.inner.Renewed()
	l.expiry = time.AfterFunc(time.Until(l.frozen.Add(l.ttl)), l.lapse)
}

func (l *faultyLease) resume() {
	if !l.ended && !l.closed && !l.frozen.IsZero() && l.expiry.Stop() {
		l.frozen = time.Time{}
	}
}

func (l *faultyLease) end() {
	l.faulty.mu.Lock()
	defer l.faulty.mu.Unlock()
	if !l.ended {
		l.ended = true
		close(l.done)
	}
}

func (l *faultyLease) ID() int64 { return l.inner.ID() }

func (l *faultyLease) Renewed() time.Time {
	l.faulty.mu.Lock()
	defer l.faulty.mu.Unlock()
	if !l.frozen.IsZero() {
		return l.frozen
	}
	return l.inner.Renewed()
}

func (l *faultyLease) Done() <-chan struct{} { return l.done }

// Close revokes the lease, or lets it run out when the store cannot be reached.
func (l *faultyLease) Close(ctx context.Context) error {
	leave, err := l.faulty.enter("close lease")
	l.faulty.mu.Lock()
	l.closed = true
	if err != nil {
		l.freeze()
	}
	l.faulty.mu.Unlock()
	if err != nil {
		return err
	}
	err = l.inner.Close(ctx)
	l.end()
	return leave(err)
}
