package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"bongsu/internal/kv"
)

// Lease implements [kv.Store]. etcd counts leases in whole seconds and knows none
// below one and a half elections; ttl is rounded up.
func (n *Node) Lease(ctx context.Context, ttl time.Duration) (kv.Lease, error) { //nolint:contextcheck // renewal lives on after this call, as long as the node at most
	if ttl <= 0 {
		return nil, fmt.Errorf("a lease of %v ends before it starts", ttl)
	}
	l := &lease{node: n, ttl: ttl, done: make(chan struct{})}
	err := n.retry(ctx, func(ctx context.Context) error {
		sent := time.Now()
		r, err := n.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
		if err == nil {
			l.id, l.renewed = r.ID, sent
		}
		return err // a grant whose answer was lost runs out by itself
	})
	if err != nil {
		return nil, err
	}
	var background context.Context
	background, l.stop = context.WithCancel(n.background)
	l.renewing.Go(func() { l.renew(background) })
	return l, nil
}

type lease struct {
	node *Node
	id   clientv3.LeaseID
	ttl  time.Duration
	stop context.CancelFunc
	done chan struct{}

	renewing sync.WaitGroup
	mu       sync.Mutex
	renewed  time.Time
}

// renew keeps the lease alive and ends it here no later than the store may.
func (l *lease) renew(ctx context.Context) {
	defer close(l.done)
	for {
		due := l.Renewed().Add(l.ttl / 6)
		for {
			if pause(ctx, max(0, time.Until(due))) != nil {
				return
			}
			left := time.Until(l.Renewed().Add(l.ttl))
			if left <= 0 {
				return
			}
			sent := time.Now()
			once, cancel := context.WithTimeout(ctx, min(left, l.node.cfg.Election))
			_, err := l.node.client.KeepAliveOnce(once, l.id)
			cancel()
			if err == nil {
				l.mu.Lock()
				l.renewed = sent
				l.mu.Unlock()
				break
			}
			if errors.Is(err, rpctypes.ErrLeaseNotFound) {
				return
			}
			due = time.Now().Add(min(l.ttl/20, 50*time.Millisecond))
		}
	}
}

func (l *lease) ID() int64 { return int64(l.id) }

func (l *lease) Renewed() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewed
}

func (l *lease) Done() <-chan struct{} { return l.done }

func (l *lease) Close(ctx context.Context) error {
	l.stop()
	l.renewing.Wait()
	err := l.node.retry(ctx, func(ctx context.Context) error {
		_, err := l.node.client.Revoke(ctx, l.id)
		return err
	})
	if errors.Is(err, kv.ErrNoLease) {
		return nil // it had ended
	}
	return err
}
