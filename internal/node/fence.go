package node

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"bongsu/internal/kv"
	"bongsu/recovery"
)

// A Fencer stops the writers of a site, and lets them write again. Both are asked
// again and again until they succeed, so both must be harmless to repeat.
type Fencer struct {
	Fence   func(ctx context.Context) error
	Release func(ctx context.Context) error
}

// fencedMark is the file in the node's folder that says that this node has fenced
// the site's writers, so that a restart does not forget to release them.
const fencedMark = "fenced"

// holdFence keeps the site's fencing lease. When the lease cannot be renewed it
// fences the site's writers before the lease runs out, so that whoever sees the
// lease gone may promote elsewhere. The writers are released when the lease is
// held again, unless the site is declared lost: then bringing it back is a plan of
// its own.
func (n *Node) holdFence(ctx context.Context) error {
	mark := filepath.Join(n.o.Dir, fencedMark)
	_, err := os.Stat(mark)
	fenced := err == nil && n.o.Fence != nil
	for ctx.Err() == nil {
		tenure, err := kv.Hold(ctx, n.store, kv.Claim{Key: recovery.FenceKey(n.o.Site), Value: []byte(n.o.Name), TTL: n.o.Detection.Lease})
		if err != nil {
			if !n.passing(ctx, "fence", err) {
				return err
			}
			continue
		}
		for fenced && n.wait(ctx, tenure.Done(), func() bool { return !n.cache.declaredLost(n.o.Site) }) {
			if n.until(ctx, tenure.Done(), "release", n.o.Fence.Release) {
				fenced = false
				_ = os.Remove(mark)
				n.log.Info("released the writers of this site", "site", n.o.Site)
			}
		}
		select {
		case <-ctx.Done(): // an orderly stop leaves the site's writers as they are
			n.leave(ctx, tenure)
			return nil
		case <-tenure.Done():
		}
		if n.o.Fence != nil && ctx.Err() == nil {
			n.log.Warn("fencing the writers of this site: its lease cannot be renewed", "site", n.o.Site)
			if err := os.WriteFile(mark, nil, 0o600); err != nil {
				n.log.Error("a restart will not know that the writers are fenced", "err", err)
			}
			fenced = true
			n.until(ctx, nil, "fence", n.o.Fence.Fence)
		}
		n.leave(ctx, tenure)
	}
	return nil
}

// wait waits until ok says so, asked whenever something may have changed; false
// means that ctx or stop ended first.
func (n *Node) wait(ctx context.Context, stop <-chan struct{}, ok func() bool) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := n.cache.changes(ctx)
	for !ok() {
		select {
		case <-ctx.Done():
			return false
		case <-stop:
			return false
		case <-changes:
		}
	}
	return true
}

// until repeats f until it succeeds, and reports whether it did before ctx or stop
// ended.
func (n *Node) until(ctx context.Context, stop <-chan struct{}, what string, f func(context.Context) error) bool {
	for {
		err := f(ctx)
		if err == nil {
			return true
		}
		n.log.Error("fencing failed, it is tried again", "what", what, "err", err)
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return false
		case <-stop:
			t.Stop()
			return false
		case <-t.C:
		}
	}
}
