package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/etcd"
	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/web"
)

// A cache is what this node last knew of the store, so that nobody who looks has
// to wait for a quorum, and a node without one still shows something.
type cache struct {
	store *etcd.Node
	log   *slog.Logger

	mu      sync.Mutex
	known   known
	loaded  map[string]*estate.Snapshot // by revision; the last two
	readers map[chan struct{}]struct{}
	poked   chan struct{}

	loading sync.Mutex // held while the loader is used
	loader  estate.Loader
}

// known is one consistent enough picture of the store.
type known struct {
	leader    leaderKey
	head      estate.Revision
	snapshot  *estate.Snapshot
	incidents []incident.Incident
	runs      []recovery.Run
	view      *recovery.RunView
	asked     []web.Asked     // what waits for a second person
	fences    map[string]bool // sites that hold their fencing lease
}

func newCache(store *etcd.Node, log *slog.Logger) *cache {
	return &cache{
		store: store, log: log, loaded: map[string]*estate.Snapshot{},
		readers: map[chan struct{}]struct{}{}, poked: make(chan struct{}, 1),
	}
}

// refreshEvery bounds how often the cache is filled while the store changes.
const refreshEvery = 100 * time.Millisecond

// run keeps the cache up to date until ctx ends.
func (c *cache) run(ctx context.Context) error {
	for ctx.Err() == nil {
		follow, cancel := context.WithCancel(ctx)
		err := c.follow(follow)
		cancel()
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to end
		}
		level := slog.LevelWarn
		if errors.Is(err, kv.ErrUnavailable) {
			level = slog.LevelDebug
		}
		c.log.Log(ctx, level, "showing what this node has", "err", err)
		if err := c.fill(ctx, local{c.store}); err != nil {
			c.log.Debug("nothing can be read", "err", err)
		}
		pause(ctx, 5*refreshEvery)
	}
	return nil
}

// follow fills the cache, and again after each change, until the store fails.
func (c *cache) follow(ctx context.Context) error {
	_, rev, err := c.store.List(ctx, leaderPrefix)
	if err != nil {
		return err
	}
	events, err := c.store.Watch(ctx, "", rev)
	if err != nil {
		return err
	}
	if err := c.fill(ctx, c.store); err != nil {
		return err
	}
	due := time.NewTimer(refreshEvery)
	defer due.Stop()
	waiting, took := false, time.Duration(0)
	// A member without quorum keeps its watch and hears nothing.
	quorum := time.NewTicker(2 * refreshEvery)
	defer quorum.Stop()
	had := c.store.Status().Quorum
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return kv.ErrUnavailable
			}
			if !waiting {
				waiting = true
				due.Reset(max(refreshEvery, 4*took)) // a large run must not keep the node busy reading it
			}
		case <-c.poked: // a view of another site: nothing to read
			c.tell()
		case <-quorum.C:
			if has := c.store.Status().Quorum; has != had {
				had = has
				c.tell()
			}
		case <-due.C:
			waiting = false
			began := time.Now()
			if err := c.fill(ctx, c.store); err != nil {
				return err
			}
			took = time.Since(began)
		}
	}
}

// poke says that something outside the store changed.
func (c *cache) poke() {
	select {
	case c.poked <- struct{}{}:
	default:
	}
}

// fill reads everything that the console shows.
func (c *cache) fill(ctx context.Context, s kv.Store) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	k := known{fences: map[string]bool{}}
	var err error
	if k.leader, err = readLeader(ctx, s); err != nil {
		return err
	}
	if k.incidents, err = incident.List(ctx, s); err != nil {
		return err
	}
	if k.runs, err = recovery.List(ctx, s); err != nil {
		return err
	}
	if k.asked, err = readAsked(ctx, s, k.runs); err != nil {
		return err
	}
	fences, _, err := s.List(ctx, recovery.FenceKey(""))
	if err != nil {
		return err
	}
	for _, e := range fences {
		k.fences[strings.TrimPrefix(e.Key, recovery.FenceKey(""))] = true
	}
	if i := shown(k.runs, k.incidents); i >= 0 {
		v, err := recovery.View(ctx, s, k.runs[i].ID)
		if err != nil {
			return err
		}
		k.view = &v
	}
	head, ok, err := estate.Head(ctx, s)
	if err != nil {
		return err
	}
	if ok {
		k.head = head
		if k.snapshot, err = c.snapshot(ctx, s, head.Rev); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.known = k
	c.mu.Unlock()
	c.tell()
	return nil
}

// shown returns which run the now page shows: one that is not over, else the
// newest one of the newest incident that is open; -1 for none.
func shown(runs []recovery.Run, incidents []incident.Incident) int {
	if i := slices.IndexFunc(runs, func(r recovery.Run) bool { return r.State.Live() }); i >= 0 {
		return i
	}
	return slices.IndexFunc(runs, func(r recovery.Run) bool {
		return slices.ContainsFunc(incidents, func(i incident.Incident) bool { return i.Open() && i.ID == r.Incident })
	})
}

// snapshot returns an estate by revision, from memory where it can.
func (c *cache) snapshot(ctx context.Context, s kv.Store, rev string) (*estate.Snapshot, error) {
	c.mu.Lock()
	snap, ok := c.loaded[rev]
	c.mu.Unlock()
	if ok {
		return snap, nil
	}
	files, _, err := estate.At(ctx, s, rev)
	if err != nil {
		return nil, err
	}
	c.loading.Lock()
	snap, err = c.loader.Parse(files) // only what changed since the last revision
	c.loading.Unlock()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.loaded) > 1 {
		clear(c.loaded)
	}
	c.loaded[rev] = snap
	return snap, nil
}

func (c *cache) get() known {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// changes sends after each change, merging what a slow reader misses.
func (c *cache) changes(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	c.readers[ch] = struct{}{}
	c.mu.Unlock()
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.readers, ch)
		close(ch)
	})
	return ch
}

func (c *cache) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ch := range c.readers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// local reads what this member itself has, be it old, and refuses the rest.
type local struct{ *etcd.Node }

func (l local) List(ctx context.Context, prefix string) ([]kv.Entry, int64, error) {
	return l.LocalList(ctx, prefix)
}

func (l local) Get(ctx context.Context, key string) (kv.Entry, bool, error) {
	found, _, err := l.LocalList(ctx, key)
	if err != nil {
		return kv.Entry{}, false, err
	}
	i := slices.IndexFunc(found, func(e kv.Entry) bool { return e.Key == key })
	if i < 0 {
		return kv.Entry{}, false, nil
	}
	return found[i], true, nil
}

func (local) Commit(context.Context, kv.Txn) (int64, error) { return 0, kv.ErrUnavailable }

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
