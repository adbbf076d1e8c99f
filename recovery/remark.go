package recovery

import (
	"context"
	"fmt"
	"time"

	"bongsu/internal/kv"
)

// Remark adds a line to the journal of a run and changes nothing else: what people
// asked for, or refused, before anything was done. step may be empty.
func Remark(ctx context.Context, s kv.Store, run, step, what string, by By) error {
	if err := by.check(); err != nil {
		return err
	}
	if _, _, err := getRun(ctx, s, run); err != nil {
		return err
	}
	log, err := newScribe(by.Who).op(run, []Entry{{At: time.Now().UTC().Round(0), Who: by.Who, What: what, Step: step, Why: by.Why}})
	if err != nil {
		return err
	}
	if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{log}}); err != nil {
		return fmt.Errorf("remark of %s on run %s: %w", by.Who, run, err)
	}
	return nil
}
