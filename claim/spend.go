package claim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"bongsu/internal/kv"
)

// noncePrefix + hash: nonces of proofs of work that were used, until they expire.
const noncePrefix = "claim/n/"

type storedNonce struct {
	Expires time.Time `json:"expires"`
}

// nonceRest is how long a nonce is kept after it expired: clocks of nodes differ.
const nonceRest = time.Hour

// Spend marks a nonce as used, before anything is computed for it; false: it was used before, on any node, or has
// expired. [Office.Sweep] has to run now and then, for expired ones to go.
func (o *Office) Spend(ctx context.Context, nonce string, expires time.Time) (bool, error) {
	if nonce == "" || !expires.After(o.now()) {
		return false, nil
	}
	h := sha256.Sum256([]byte("bongsu nonce\x00" + nonce))
	key := noncePrefix + hex.EncodeToString(h[:20])
	do, err := op(key, storedNonce{expires.UTC()})
	if err != nil {
		return false, err
	}
	_, err = o.Store.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: key}}, Do: []kv.Op{do}})
	switch {
	case errors.Is(err, kv.ErrConflict):
		return false, nil
	case err != nil:
		return false, unavailable("mark a proof as used", err)
	}
	return true, nil
}

// mostSwept is how many nonces go in one transaction.
const mostSwept = 500

// Sweep deletes nonces that have expired, and says how many.
func (o *Office) Sweep(ctx context.Context) (int, error) {
	all, _, err := o.Store.List(ctx, noncePrefix)
	if err != nil {
		return 0, unavailable("list used proofs", err)
	}
	before := o.now().Add(-nonceRest)
	n := 0
	var t kv.Txn
	flush := func() error {
		if len(t.Do) == 0 {
			return nil
		}
		if _, err := o.Store.Commit(ctx, t); err != nil {
			return unavailable("delete used proofs", err)
		}
		n += len(t.Do)
		t = kv.Txn{}
		return nil
	}
	for _, e := range all {
		s, err := decode[storedNonce](e)
		if err != nil {
			return n, err
		}
		if !s.Expires.Before(before) {
			continue
		}
		t.Do = append(t.Do, kv.Op{Key: e.Key, Delete: true})
		if len(t.Do) == mostSwept {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	return n, flush()
}

// Housekeep sweeps and retains, now and each time that so much has passed, until ctx ends. It is
// meant to run in every public process; more than one at once do no harm.
func (o *Office) Housekeep(ctx context.Context, every time.Duration) error {
	for {
		swept, err := o.Sweep(ctx)
		if err == nil {
			var erased int
			erased, err = o.Retain(ctx)
			if swept+erased > 0 {
				o.log().InfoContext(ctx, "housekeeping of claims", "proofs", swept, "erased", erased)
			}
		}
		if err != nil && ctx.Err() == nil {
			o.log().WarnContext(ctx, "housekeeping of claims failed, it is tried again", "error", err, "in", every)
		}
		if !pause(ctx, every) {
			return fmt.Errorf("housekeeping of claims: %w", ctx.Err())
		}
	}
}
