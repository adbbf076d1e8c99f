package etcd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"bongsu/internal/kv"
)

// List implements [kv.Store].
func (n *Node) List(ctx context.Context, prefix string) ([]kv.Entry, int64, error) {
	var r *clientv3.GetResponse
	err := n.retry(ctx, func(ctx context.Context) (err error) {
		r, err = n.client.Get(ctx, n.prefix+prefix, clientv3.WithPrefix())
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return n.entries(r.Kvs), r.Header.Revision, nil
}

// LocalList is what this member knows without asking the others: it works without a
// quorum and may be old. A client asks whichever member answers.
func (n *Node) LocalList(ctx context.Context, prefix string) ([]kv.Entry, int64, error) {
	once, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	r, err := n.client.Get(once, n.prefix+prefix, clientv3.WithPrefix(), clientv3.WithSerializable())
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		return nil, 0, classify(err)
	}
	return n.entries(r.Kvs), r.Header.Revision, nil
}

// Get implements [kv.Store].
func (n *Node) Get(ctx context.Context, key string) (kv.Entry, bool, error) {
	var r *clientv3.GetResponse
	err := n.retry(ctx, func(ctx context.Context) (err error) {
		r, err = n.client.Get(ctx, n.prefix+key)
		return err
	})
	if err != nil || len(r.Kvs) == 0 {
		return kv.Entry{}, false, err
	}
	return n.entry(r.Kvs[0]), true, nil
}

func (n *Node) entries(kvs []*mvccpb.KeyValue) []kv.Entry {
	entries := make([]kv.Entry, 0, len(kvs))
	for _, k := range kvs {
		entries = append(entries, n.entry(k))
	}
	return entries
}

func (n *Node) entry(k *mvccpb.KeyValue) kv.Entry {
	return kv.Entry{
		Key: strings.TrimPrefix(string(k.Key), n.prefix), Value: k.Value,
		Created: k.CreateRevision, Modified: k.ModRevision, Lease: k.Lease,
	}
}

// Commit implements [kv.Store].
//
// A transaction that writes carries a mark: a small key of this node that must be as
// this node last left it, and that gets a fresh value. So a try whose answer was lost
// can be sent again: it is applied at most once, and if it was, the mark says so. One that
// only deletes must work in a full store and carries none.
func (n *Node) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := t.Check(); err != nil {
		return 0, err
	}
	if !t.Grows() {
		return n.commitPlain(ctx, t)
	}
	s := n.slots.take()
	rev, err := n.commitMarked(ctx, t, s)
	n.slots.giveBack(s)
	return rev, err
}

func (n *Node) commitPlain(ctx context.Context, t kv.Txn) (int64, error) {
	compares, ops, probes := n.translate(t)
	if len(ops)+len(probes) == 0 {
		// etcd answers a transaction that reads nothing from what this member happens to know.
		ops = append(ops, clientv3.OpGet(n.prefix, clientv3.WithCountOnly()))
	}
	var r *clientv3.TxnResponse
	err := n.attempt(ctx, n.cfg.Timeout, func(ctx context.Context) (err error) {
		r, err = n.client.Txn(ctx).If(compares...).Then(ops...).Else(probes...).Commit()
		return err
	}, unsent)
	switch {
	case err != nil:
		return 0, err
	case r.Succeeded:
		return r.Header.Revision, nil
	}
	return 0, refusal(t, r.Responses)
}

func (n *Node) commitMarked(ctx context.Context, t kv.Txn, s *slot) (rev int64, err error) {
	mark := rand.Text()
	compares, ops, probes := n.translate(t)
	ops = append(ops, clientv3.OpPut(s.key, mark))
	probes = append(probes, clientv3.OpGet(s.key))
	err = n.attempt(ctx, n.cfg.Timeout+transfer(t), func(ctx context.Context) error {
		if !s.known {
			r, err := n.client.Get(ctx, s.key)
			if err != nil {
				return err
			}
			s.known, s.modified = true, modified(r.Kvs)
		}
		mine := clientv3.Compare(clientv3.ModRevision(s.key), "=", s.modified)
		r, err := n.client.Txn(ctx).If(append(slices.Clip(compares), mine)...).Then(ops...).Else(probes...).Commit()
		if err != nil {
			return err
		}
		if r.Succeeded {
			rev, s.modified = r.Header.Revision, r.Header.Revision
			return nil
		}
		found := r.Responses[len(r.Responses)-1].GetResponseRange().Kvs
		switch was := s.modified; {
		case len(found) == 1 && string(found[0].Value) == mark: // an earlier try, whose answer was lost
			rev, s.modified = found[0].ModRevision, found[0].ModRevision
			return nil
		case modified(found) != was: // a late one of an earlier transaction
			s.modified = modified(found)
			return errSlotMoved
		}
		return refusal(t, r.Responses)
	}, always)
	if err != nil && !errors.Is(err, kv.ErrConflict) && !errors.Is(err, kv.ErrFenced) {
		s.known = false // something may still be on its way
	}
	return rev, err
}

var errSlotMoved = errors.New("the mark of the writer moved")

func modified(kvs []*mvccpb.KeyValue) int64 {
	if len(kvs) == 0 {
		return 0
	}
	return kvs[0].ModRevision
}

// translate returns what the transaction is to etcd, and what to read when it is refused.
func (n *Node) translate(t kv.Txn) (compares []clientv3.Cmp, ops, probes []clientv3.Op) {
	if t.Fence != nil {
		key := n.prefix + t.Fence.Key
		compares = append(compares, clientv3.Compare(clientv3.CreateRevision(key), "=", t.Fence.Term))
		probes = append(probes, clientv3.OpGet(key, clientv3.WithKeysOnly()))
	}
	for _, c := range t.If {
		compares = append(compares, clientv3.Compare(clientv3.ModRevision(n.prefix+c.Key), "=", c.Modified))
	}
	for _, op := range t.Do {
		if op.Delete {
			ops = append(ops, clientv3.OpDelete(n.prefix+op.Key))
			continue
		}
		ops = append(ops, clientv3.OpPut(n.prefix+op.Key, string(op.Value), clientv3.WithLease(clientv3.LeaseID(op.Lease))))
	}
	return compares, ops, probes
}

// refusal tells a fenced transaction from one that came second.
func refusal(t kv.Txn, probes []*etcdserverpb.ResponseOp) error {
	if t.Fence != nil {
		if found := probes[0].GetResponseRange().Kvs; len(found) == 0 || found[0].CreateRevision != t.Fence.Term {
			return kv.ErrFenced
		}
	}
	return kv.ErrConflict
}

// slots hands out one slot to each commit in flight.
type slots struct {
	prefix string
	mu     sync.Mutex
	made   int
	free   []*slot
}

// A slot belongs to one commit at a time.
type slot struct {
	key      string
	known    bool
	modified int64 // of the key, if known
}

func (s *slots) take() *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.free) - 1; last >= 0 {
		taken := s.free[last]
		s.free = s.free[:last]
		return taken
	}
	s.made++
	return &slot{key: fmt.Sprintf("%s%d", s.prefix, s.made)}
}

func (s *slots) giveBack(x *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, x)
}

// transfer is the time that a transaction gets for its size: a megabyte has to go to
// a majority over lines that may be slow.
func transfer(t kv.Txn) time.Duration {
	size := 0
	for _, op := range t.Do {
		size += len(op.Value)
	}
	return time.Duration(size) * 4 * time.Second / kv.MaxBytes
}

// retry tries what may safely be sent again until the time limit of operations.
func (n *Node) retry(ctx context.Context, try func(context.Context) error) error {
	return n.attempt(ctx, n.cfg.Timeout, try, always)
}

func always(error) bool { return true }

// unsent says that a try surely had no effect.
func unsent(err error) bool {
	return errors.Is(err, rpctypes.ErrNoLeader) || errors.Is(err, rpctypes.ErrNotLeader)
}

// attempt tries for as long as limit says: the first time for a quarter of it, as the answer
// may be lost, and then for twice as long each time, as it may only be slow.
func (n *Node) attempt(ctx context.Context, limit time.Duration, try func(context.Context) error, again func(error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n.deserted() {
		return unavailable{errDeserted}
	}
	whole, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	for each := limit / 4; ; each *= 2 {
		once, cancel := context.WithTimeout(whole, each)
		if n.server != nil {
			// What was sent to the old leader is lost; do not wait for it.
			changed := n.server.Server.LeaderChangedNotify()
			go func() {
				select {
				case <-changed:
					cancel()
				case <-once.Done():
				}
			}()
		}
		cause := try(once)
		cancel()
		switch err := classify(cause); {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errSlotMoved):
			continue
		case !errors.Is(err, kv.ErrUnavailable), !again(cause):
			return err
		case n.lonely() && time.Since(start) >= 2*n.cfg.Election:
			return err // nobody leads, and not only for a moment
		}
		if pause(whole, 20*time.Millisecond) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return classify(cause)
		}
	}
}

// lonely says that this member knows of no leader.
func (n *Node) lonely() bool { return n.server != nil && n.server.Server.Leader() == 0 }

var errDeserted = errors.New("no member has led for a while")

// deserted says that there has been no leader for so long that waiting for one would
// only make everybody slow.
func (n *Node) deserted() bool {
	quorum, since, _ := n.watch.get()
	return n.lonely() && !quorum && time.Since(since) > 2*n.cfg.Election
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// classify turns etcd's errors into the ones of the interface. What the caller cannot
// branch on stays as text: etcd's errors are not part of our contract.
func classify(err error) error {
	switch {
	case err == nil, errors.Is(err, kv.ErrConflict), errors.Is(err, kv.ErrFenced), errors.Is(err, errSlotMoved):
		return err
	case errors.Is(err, rpctypes.ErrNoSpace):
		return kv.ErrFull
	case errors.Is(err, rpctypes.ErrCompacted):
		return kv.ErrCompacted
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		return kv.ErrNoLease
	case errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, rpctypes.ErrTooManyOps):
		return fmt.Errorf("%w: %v", kv.ErrTooLarge, err)
	}
	if refused, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		switch refused.Code() {
		case codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated, codes.NotFound, codes.OutOfRange, codes.Unimplemented:
			return fmt.Errorf("the store refused: %v", err)
		default:
			return unavailable{err}
		}
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return fmt.Errorf("the store refused: %v", err)
	default:
		return unavailable{err}
	}
}

// unavailable is kv.ErrUnavailable with etcd's reason as text.
type unavailable struct{ cause error }

func (u unavailable) Error() string { return kv.ErrUnavailable.Error() + ": " + u.cause.Error() }

func (u unavailable) Is(target error) bool { return target == kv.ErrUnavailable }
