package kv

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a [Store] in memory. It keeps the whole history, so that a watch can
// start at any revision that was not compacted. It starts no goroutine but one for
// each watch, which ends with the watch's context; leases live on timers, so that
// it can be used in testing/synctest.
type Memory struct {
	quota int64 // 0: none; set before use

	mu        sync.Mutex
	rev       int64
	compacted int64 // history up to here is gone
	history   []change
	changed   chan struct{} // closed, and made anew, with every revision
	keys      map[string]Entry
	leases    map[int64]*memoryLease
	lastLease int64
	size      int64
	full      bool // stays until Repair, as in etcd
}

var _ Store = (*Memory)(nil)

type change struct {
	rev    int64
	events []Event
}

// NewMemory returns an empty store without a quota.
func NewMemory() *Memory { return NewMemoryQuota(0) }

// NewMemoryQuota returns an empty store that takes at most so many bytes of keys
// and values. Once it was full it stays so until [Memory.Repair].
func NewMemoryQuota(bytes int64) *Memory {
	return &Memory{
		quota:   bytes,
		rev:     1, // so that no revision is 0, which has a meaning in Cond and Watch
		changed: make(chan struct{}),
		keys:    map[string]Entry{},
		leases:  map[int64]*memoryLease{},
	}
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, prefix string) ([]Entry, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Entry
	for key, e := range m.keys {
		if strings.HasPrefix(key, prefix) {
			found = append(found, e.clone())
		}
	}
	slices.SortFunc(found, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return found, m.rev, nil
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, key string) (Entry, bool, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	return e.clone(), ok, nil
}

// Commit implements [Store].
func (m *Memory) Commit(ctx context.Context, t Txn) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := t.Check(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full && t.Grows() {
		return 0, ErrFull
	}
	if t.Fence != nil {
		if e, ok := m.keys[t.Fence.Key]; !ok || e.Created != t.Fence.Term {
			return 0, ErrFenced
		}
	}
	for _, c := range t.If {
		if m.keys[c.Key].Modified != c.Modified {
			return 0, ErrConflict
		}
	}
	growth := int64(0)
	for _, op := range t.Do {
		if op.Delete {
			continue
		}
		if op.Lease != 0 && m.leases[op.Lease] == nil {
			return 0, fmt.Errorf("write %q: %w", op.Key, ErrNoLease)
		}
		growth += int64(len(op.Key) + len(op.Value))
	}
	if growth > 0 && m.quota > 0 && m.size+growth > m.quota {
		m.full = true
		return 0, ErrFull
	}
	m.apply(t.Do)
	return m.rev, nil
}

// apply makes the operations one revision, unless they change nothing.
func (m *Memory) apply(ops []Op) {
	rev, events := m.rev+1, []Event(nil)
	for _, op := range ops {
		old, exists := m.keys[op.Key]
		switch {
		case op.Delete && !exists:
		case op.Delete:
			delete(m.keys, op.Key)
			m.size -= int64(len(op.Key) + len(old.Value))
			events = append(events, Event{Entry: Entry{Key: op.Key, Modified: rev}, Deleted: true})
		default:
			e := Entry{Key: op.Key, Value: slices.Clone(op.Value), Created: rev, Modified: rev, Lease: op.Lease}
			m.size += int64(len(op.Value))
			if exists {
				e.Created = old.Created
				m.size -= int64(len(old.Value))
			} else {
				m.size += int64(len(op.Key))
			}
			m.keys[op.Key] = e
			events = append(events, Event{Entry: e})
		}
	}
	if len(events) == 0 {
		return
	}
	m.rev = rev
	m.history = append(m.history, change{rev, events})
	close(m.changed)
	m.changed = make(chan struct{})
}

// Watch implements [Store].
func (m *Memory) Watch(ctx context.Context, prefix string, after int64) (<-chan []Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if after == 0 {
		after = m.rev
	}
	if after < m.compacted {
		return nil, ErrCompacted
	}
	events := make(chan []Event)
	go m.feed(ctx, prefix, after, events)
	return events, nil
}

// feed sends what happens below prefix after a revision, until ctx ends or a
// slow reader is overtaken by compaction.
func (m *Memory) feed(ctx context.Context, prefix string, after int64, events chan<- []Event) {
	defer close(events)
	for {
		m.mu.Lock()
		gone := after < m.compacted
		news := m.history[min(max(0, after-m.base()), int64(len(m.history))):]
		changed := m.changed
		m.mu.Unlock()
		if gone {
			return
		}
		for _, c := range news {
			after = c.rev
			var hits []Event
			for _, e := range c.events {
				if strings.HasPrefix(e.Key, prefix) {
					e.Entry = e.clone()
					hits = append(hits, e)
				}
			}
			if len(hits) == 0 {
				continue
			}
			select {
			case events <- hits:
			case <-ctx.Done():
				return
			}
		}
		if len(news) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Compact forgets the history up to and including a revision: a watch from
// before it gets [ErrCompacted].
func (m *Memory) Compact(rev int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rev = min(rev, m.rev)
	m.history = slices.Clone(m.history[max(0, rev-m.base()):])
	m.compacted = max(m.compacted, rev)
	close(m.changed) // so that a watch that was overtaken notices
	m.changed = make(chan struct{})
}

// base is the revision before the first one in the history, which holds every
// revision since.
func (m *Memory) base() int64 { return m.rev - int64(len(m.history)) }

// Repair lets a store that was full take writes again if there is room.
func (m *Memory) Repair(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quota > 0 && m.size >= m.quota {
		return fmt.Errorf("%w: %d of %d bytes are in use; delete something first", ErrFull, m.size, m.quota)
	}
	m.full = false
	return nil
}

// Lease implements [Store].
func (m *Memory) Lease(ctx context.Context, ttl time.Duration) (Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ttl <= 0 {
		return nil, fmt.Errorf("a lease of %v ends before it starts", ttl)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return nil, ErrFull // as etcd does
	}
	m.lastLease++
	l := &memoryLease{store: m, id: m.lastLease, ttl: ttl, renewed: time.Now(), done: make(chan struct{})}
	l.renewal = time.AfterFunc(ttl/3, l.renew)
	m.leases[l.id] = l
	return l, nil
}

// revoke ends a lease and deletes its keys in one revision.
func (m *Memory) revoke(l *memoryLease) {
	if m.leases[l.id] == nil {
		return
	}
	delete(m.leases, l.id)
	l.renewal.Stop()
	close(l.done)
	var ops []Op
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		if m.keys[key].Lease == l.id {
			ops = append(ops, Op{Key: key, Delete: true})
		}
	}
	m.apply(ops)
}

// memoryLease is guarded by the mutex of its store.
type memoryLease struct {
	store   *Memory
	id      int64
	ttl     time.Duration
	renewed time.Time
	renewal *time.Timer
	done    chan struct{}
}

func (l *memoryLease) renew() {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.store.leases[l.id] == nil {
		return
	}
	if now := time.Now(); now.Sub(l.renewed) >= l.ttl {
		l.store.revoke(l) // the process was stopped for so long that the lease ran out
		return
	}
	l.renewed = time.Now()
	l.renewal.Reset(l.ttl / 3)
}

func (l *memoryLease) ID() int64 { return l.id }

func (l *memoryLease) Renewed() time.Time {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	return l.renewed
}

func (l *memoryLease) Done() <-chan struct{} { return l.done }

func (l *memoryLease) Close(context.Context) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	l.store.revoke(l)
	return nil
}

func (e Entry) clone() Entry {
	e.Value = slices.Clone(e.Value)
	return e
}
