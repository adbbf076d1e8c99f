package kv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors that callers branch on.
var (
	ErrConflict    = errors.New("another write came first")              // a condition of the transaction was false
	ErrFenced      = errors.New("a newer leader holds the term")         // the fence of the transaction was false
	ErrUnavailable = errors.New("no quorum")                             // the store cannot commit or read linearizably now
	ErrFull        = errors.New("the store is full: it takes no writes") // quota; reads and deletes go on
	ErrCompacted   = errors.New("the revision asked for was compacted")  // of Watch: list again
	ErrTooLarge    = errors.New("the transaction is too large")
	ErrNoLease     = errors.New("the lease does not exist or has ended")
)

// What every store takes in one transaction; see [Txn.Check].
const (
	MaxOps   = 1024    // operations, and conditions
	MaxBytes = 1 << 20 // keys and values together
)

// An Entry is one key and what was last written to it.
type Entry struct {
	Key      string
	Value    []byte
	Created  int64 // revision that created the key
	Modified int64 // revision of the last write
	Lease    int64 // 0: none
}

// A Cond is a condition of a transaction: the key was last written at Modified;
// 0 says that it does not exist.
type Cond struct {
	Key      string
	Modified int64
}

// A Fence is a condition of its own: the leader's key still has the creation
// revision that is the leader's term. When it is false, Commit returns [ErrFenced].
type Fence struct {
	Key  string
	Term int64
}

// An Op writes one key, or deletes it.
type Op struct {
	Key    string
	Value  []byte
	Delete bool
	Lease  int64
}

// A Txn is committed as a whole or not at all.
type Txn struct {
	Fence *Fence
	If    []Cond
	Do    []Op
}

// An Event is one change that a watch saw.
type Event struct {
	Entry   // for a deletion only Key and Modified are set
	Deleted bool
}

// A Store is a small transactional store. Every read is linearizable unless its
// name says otherwise; revisions grow by one with each committed transaction.
type Store interface {
	// List returns the entries whose key starts with prefix, sorted by key, and
	// the revision that they are the state of. A prefix that is a whole key
	// finds that key (and longer ones).
	List(ctx context.Context, prefix string) ([]Entry, int64, error)
	// Get returns one entry; ok is false when the key does not exist.
	Get(ctx context.Context, key string) (e Entry, ok bool, err error)
	// Commit applies the transaction and returns its revision. A transaction that
	// changes nothing (no Do, or deletions of what is not there) makes no revision
	// and returns the current one. After [ErrUnavailable], and after an error of
	// ctx, it is not known whether the transaction was applied: read before
	// trying again.
	Commit(ctx context.Context, t Txn) (int64, error)
	// Watch sends every later change below prefix, in order, one slice for each
	// revision, until ctx ends or the store fails; then the channel is closed.
	// after is a revision as List returned it; 0 means from now on. A channel that
	// closes while ctx goes on says: list again, then watch again.
	Watch(ctx context.Context, prefix string, after int64) (<-chan []Event, error)
	// Lease grants a lease that is kept alive until Close or until the store
	// cannot be reached for ttl. Keys written with it go when it ends. ctx bounds
	// the grant only. A store may round ttl up, to whole seconds for instance.
	Lease(ctx context.Context, ttl time.Duration) (Lease, error)
}

// A Lease is a promise of liveness.
type Lease interface {
	ID() int64
	// Renewed returns when the request of the last successful renewal was sent,
	// by the local clock: the store cannot end the lease before Renewed + ttl.
	Renewed() time.Time
	// Done is closed when the lease has ended or may have ended.
	Done() <-chan struct{}
	// Close revokes the lease: keys written with it go at once.
	Close(ctx context.Context) error
}

// Check reports what no store accepts: an operation without a key, two
// operations on one key, or a transaction beyond [MaxOps] or [MaxBytes]
// ([ErrTooLarge]).
func (t Txn) Check() error {
	if len(t.Do) > MaxOps || len(t.If) >= MaxOps {
		return fmt.Errorf("%w: %d operations and %d conditions, at most %d are allowed", ErrTooLarge, len(t.Do), len(t.If), MaxOps)
	}
	size, seen := 0, make(map[string]bool, len(t.Do))
	for _, op := range t.Do {
		switch {
		case op.Key == "":
			return errors.New("an operation has no key")
		case seen[op.Key]:
			return fmt.Errorf("two operations of one transaction write %q", op.Key)
		}
		seen[op.Key] = true
		size += len(op.Key) + len(op.Value)
	}
	if size > MaxBytes {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, size, MaxBytes)
	}
	return nil
}

// Grows reports whether the transaction writes anything but deletions. A full
// store refuses exactly such transactions.
func (t Txn) Grows() bool {
	return slices.ContainsFunc(t.Do, func(op Op) bool { return !op.Delete })
}
