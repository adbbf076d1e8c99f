package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/recovery"
)

// A Fencer stops the writers of a site, and lets them write again. Both are asked
// again and again until they succeed, so both must be harmless to repeat.
type Fencer struct {
	Fence   func(ctx context.Context) error
	Release func(ctx context.Context) error
}

// Files in the node's folder, so that a restart knows what the node before it did.
const (
	fencedMark = "fenced" // it has fenced the site's writers, and they are to be released
	heldMark   = "held"   // it has held the fencing lease: others may have seen it vanish
)

// holdFence keeps the site's fencing lease, which says that the site's writers may
// write. Whoever sees it gone may promote elsewhere, so the writers are fenced
// first: before a lease that cannot be renewed runs out, and before it is given
// back because the site was declared lost. They are released once the lease is held
// again and nobody holds the site for lost.
func (n *Node) holdFence(ctx context.Context) error {
	here := func() bool { return !n.declaredLost(n.cache.get()) }
	for ctx.Err() == nil {
		if !here() {
			n.fence(ctx, "it is declared lost")
			n.wait(ctx, here)
		}
		tenure, err := n.takeFence(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to end
		case errors.Is(err, context.DeadlineExceeded):
			n.fence(ctx, "this node was started again and cannot have the site's lease")
			continue
		case err != nil:
			if !n.passing(ctx, "fence", err) {
				return err
			}
			continue
		}
		why := n.guard(ctx, tenure, here)
		if ctx.Err() == nil {
			n.fence(ctx, why)
		} else if n.o.Fence != nil {
			n.log.Warn("this node stops: until it runs again nobody fences the writers of its site", "site", n.o.Site)
		}
		n.leave(ctx, tenure)
		pause(ctx, refreshEvery)
	}
	return nil
}

// takeFence takes the lease. After a restart it gives up when the lease that the
// node before it held may have run out, unless the writers are fenced.
func (n *Node) takeFence(ctx context.Context) (*kv.Tenure, error) {
	if n.o.Fence != nil && n.marked(heldMark) && !n.marked(fencedMark) {
		limited, cancel := context.WithTimeout(ctx, n.o.Detection.Lease)
		defer cancel()
		ctx = limited
	}
	tenure, err := kv.Hold(ctx, n.store, kv.Claim{Key: recovery.FenceKey(n.o.Site), Value: []byte(n.o.Name), TTL: n.o.Detection.Lease, Margin: n.o.fenceMargin()})
	if err == nil && n.o.Fence != nil {
		n.mark(heldMark)
	}
	return tenure, err
}

// fenceMargin is how long before the lease may vanish the writers begin to be fenced.
func (o *Options) fenceMargin() time.Duration {
	return min(max(o.FenceTime, o.Detection.Lease/4), o.Detection.Lease/2)
}

// guard releases writers that are fenced and waits for the end of the tenure, which
// comes when it cannot be renewed or here says that the site is declared lost. It
// returns why.
func (n *Node) guard(ctx context.Context, tenure *kv.Tenure, here func() bool) (why string) {
	ctx, stop := during(ctx, tenure.Done())
	defer stop()
	// What the cache says may be old. A declaration that comes after this read finds
	// the lease held, and waits for it.
	ok := n.until(ctx, "see whether this site is declared lost", func(ctx context.Context) error {
		all, err := incident.List(ctx, n.store)
		k := n.cache.get()
		k.incidents = all
		if err == nil && n.declaredLost(k) {
			why = "it is declared lost"
		}
		return err
	})
	if ok && why == "" && n.o.Fence != nil && n.marked(fencedMark) && n.until(ctx, "release", n.o.Fence.Release) {
		_ = os.Remove(filepath.Join(n.o.Dir, fencedMark))
		n.log.Info("released the writers of this site", "site", n.o.Site)
	}
	if why == "" && n.wait(ctx, func() bool { return !here() }) {
		why = "it is declared lost"
	}
	if why == "" {
		why = "its lease cannot be renewed"
	}
	return why
}

// fence fences the writers of the site; it returns when they are, or when ctx ends.
func (n *Node) fence(ctx context.Context, why string) {
	if n.o.Fence == nil {
		return
	}
	n.log.Warn("fencing the writers of this site", "site", n.o.Site, "why", why)
	n.mark(fencedMark)
	n.until(ctx, "fence", n.o.Fence.Fence)
}

func (n *Node) marked(name string) bool {
	_, err := os.Stat(filepath.Join(n.o.Dir, name))
	return err == nil
}

func (n *Node) mark(name string) {
	if err := os.WriteFile(filepath.Join(n.o.Dir, name), nil, 0o600); err != nil {
		n.log.Error("a restart will not know how this site's writers were left", "err", err)
	}
}

// declaredLost reports whether this node's site is declared lost.
func (n *Node) declaredLost(k known) bool {
	return slices.ContainsFunc(k.incidents, func(i incident.Incident) bool {
		return i.State == incident.Declared && !i.Drill && slices.Contains(sitesIn(k.snapshot, i.Lost, n.o.Site), n.o.Site)
	})
}

// sitesIn returns which of the sites are lost with the domains: those named, and
// those that need one of them outright.
func sitesIn(s *estate.Snapshot, lost []string, sites ...string) []string {
	return slices.DeleteFunc(slices.Clone(sites), func(site string) bool {
		if slices.Contains(lost, site) {
			return false
		}
		if s == nil {
			return true
		}
		ref, ok := s.Lookup(estate.KindDomain, site)
		return !ok || !slices.ContainsFunc(s.Domains[ref.Index].Ancestors, func(a int) bool {
			return slices.Contains(lost, s.Domains[a].Name)
		})
	})
}

// during returns a context that ends when done is closed, too. stop waits for what
// it started.
func during(ctx context.Context, done <-chan struct{}) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel()
		wg.Wait()
	}
}

// wait waits until ok says so, asked whenever something may have changed; false
// means that ctx ended first.
func (n *Node) wait(ctx context.Context, ok func() bool) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := n.cache.changes(ctx)
	for !ok() {
		select {
		case <-ctx.Done():
			return false
		case <-changes:
		}
	}
	return true
}

// until repeats f until it succeeds, and reports whether it did before ctx ended.
func (n *Node) until(ctx context.Context, what string, f func(context.Context) error) bool {
	for ctx.Err() == nil {
		err := f(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() == nil {
			n.log.Error("it is tried again", "what", what, "err", err)
		}
		pause(ctx, 100*time.Millisecond)
	}
	return false
}
