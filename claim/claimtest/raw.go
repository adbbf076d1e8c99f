//go:build measure

package claimtest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"bongsu/claim"
	"bongsu/internal/kv"
)

// Raw returns the transactions by which a keeper keeps the reports, under keys of their own, and how many bytes of keys and
// values they have: what a store without bongsu would have to take in.
func Raw(ctx context.Context, master *claim.Master, reports []claim.Report) (txns []kv.Txn, size int, err error) {
	memory := &recorded{Store: kv.NewMemory()}
	if _, errs := claim.NewKeeper(memory, master).File(ctx, reports); errors.Join(errs...) != nil {
		return nil, 0, errors.Join(errs...)
	}
	for _, txn := range memory.txns {
		for i := range txn.Do {
			txn.Do[i].Key = "raw/" + txn.Do[i].Key
			size += len(txn.Do[i].Key) + len(txn.Do[i].Value)
		}
	}
	return memory.txns, size, nil
}

// recorded is a store that remembers what was written to it.
type recorded struct {
	kv.Store
	mu   sync.Mutex
	txns []kv.Txn
}

func (r *recorded) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	r.mu.Lock()
	r.txns = append(r.txns, kv.Txn{Do: slices.Clone(t.Do)})
	r.mu.Unlock()
	return r.Store.Commit(ctx, t)
}
