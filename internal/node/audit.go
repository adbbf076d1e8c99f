package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/internal/kv"
	"bongsu/recovery"
)

// Audits are what a node does and knows about the history of findings.
type audits struct {
	// Checks cannot be broken off, and a leader that ends does not wait for the one
	// under way: the node does, when it stops. There is one at a time.
	checks sync.WaitGroup
	turn   sync.Mutex

	mu      sync.Mutex
	place   audit.Place
	history *audit.History // at place
}

// auditEvery is how often a leader looks whether there is something to audit, besides
// after each change, and how long it waits after something went wrong.
const auditEvery = 2 * time.Second

// auditHeads audits each new revision of the estate, as long as ctx and the leadership
// go on, and keeps the history of what was found. Revisions that come while another one
// is judged wait, and of those the newest is next. What is going on comes first: no
// audit begins while a run is being carried out.
func (n *Node) auditHeads(ctx context.Context, l kv.Leadership) {
	store := under{n.store, l.Fence()}
	checker := audit.NewChecker(audit.Options{Implied: true})
	changes := n.cache.changes(ctx)
	tick := time.NewTicker(auditEvery)
	defer tick.Stop()
	var done int64 // the revision that is known to be audited
	for {
		k := n.cache.get()
		if k.snapshot != nil && k.head.Number > done && !underWay(k.runs) && l.Alive() {
			switch err := n.auditHead(ctx, store, checker, k.head, k.snapshot); {
			case err == nil:
				done = k.head.Number
			case ctx.Err() != nil:
				return
			default:
				n.log.Warn("the audit of the estate is tried again", "revision", k.head.Number, "err", err)
				pause(ctx, auditEvery)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changes:
		case <-tick.C:
		}
	}
}

func underWay(runs []recovery.Run) bool {
	return slices.ContainsFunc(runs, func(r recovery.Run) bool { return r.State == recovery.RunRunning })
}

// auditHead writes what the audit of one revision finds into the history, unless that
// has been done. A leader that dies on the way leaves the history as it was, and the
// next one does it again; of two that overlap, one write is refused.
func (n *Node) auditHead(ctx context.Context, store kv.Store, checker *audit.Checker, head estate.Revision, s *estate.Snapshot) error {
	at, err := audit.At(ctx, store)
	if err != nil || at.Number >= head.Number {
		return err
	}
	h, err := audit.Read(ctx, store, at)
	if err != nil {
		return err
	}
	mark := audit.Mark{Number: head.Number, Rev: head.Rev, Who: head.Who, At: head.At}
	began := time.Now()
	next, err := detached(ctx, &n.audits, func() (*audit.History, error) {
		r, err := checker.Check(s, began)
		if err != nil {
			return nil, fmt.Errorf("audit revision %d of the estate: %w", head.Number, err)
		}
		return h.Fold(mark, began, r, audit.DefaultBounds()), nil
	})
	if err != nil {
		return err
	}
	if _, err := audit.Keep(ctx, store, at, next); err != nil {
		return err
	}
	last, _ := next.Last()
	n.log.Info("audited", "revision", head.Number, "errors", last.Errors, "warnings", last.Warnings,
		"opened", last.Opened, "fixed", last.Fixed, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// detached does f and returns what it gives, or as soon as ctx ends the error of ctx.
// Then f goes on to its end, and nobody asks what it gave.
func detached[T any](ctx context.Context, a *audits, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1)
	a.checks.Go(func() {
		a.turn.Lock()
		defer a.turn.Unlock()
		if ctx.Err() != nil {
			return // it waited behind one that nobody asks for any more
		}
		v, err := f()
		answers <- answer{v, err}
	})
	select {
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	case x := <-answers:
		return x.v, x.err
	}
}

// Audit implements [web.Auditor]: it never waits for the quorum. The history is shared:
// nobody changes it.
func (n *Node) Audit(ctx context.Context) (*audit.History, error) {
	store := n.readable()
	for tries := 0; ; tries++ {
		at, err := audit.At(ctx, store)
		if err != nil {
			return nil, err
		}
		n.audits.mu.Lock()
		h, same := n.audits.history, n.audits.place == at
		n.audits.mu.Unlock()
		if same && h != nil {
			return h, nil
		}
		h, err = audit.Read(ctx, store, at)
		if errors.Is(err, kv.ErrConflict) && tries < 3 { // it was replaced meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		n.audits.mu.Lock()
		n.audits.place, n.audits.history = at, h
		n.audits.mu.Unlock()
		return h, nil
	}
}
