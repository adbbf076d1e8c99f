package settle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bongsu/internal/kv"
)

// ErrRestored is what no batch goes on after: a backup does not know what went to a bank
// since, and would pay it once more.
var ErrRestored = errors.New("the book was restored from a backup: what was sent since is not known here")

const (
	restoredKey   = "payout/restored" // while nobody has held the book against the bank
	resumedPrefix = "payout/resumed/" // + time: who did, and why it is all right
)

type storedRestored struct {
	V   int       `json:"v"`
	At  time.Time `json:"at"` // of the backup
	By  string    `json:"by,omitempty"`
	Why string    `json:"why,omitempty"`
}

// MarkRestored says that a store was filled from a backup of a moment. No batch is drafted, approved,
// written to a file, sent or dropped from then on until [Cashier.Resume].
func MarkRestored(ctx context.Context, s kv.Store, at time.Time) error {
	value, err := json.Marshal(storedRestored{V: 1, At: at.UTC()})
	if err != nil {
		return fmt.Errorf("mark the book as restored: %w", err)
	}
	if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: restoredKey, Value: value}}}); err != nil {
		return fmt.Errorf("mark the book as restored: %w", err)
	}
	return nil
}

// Resume lets batches go on again after a restore, once somebody has held the book against what
// the bank was sent since the backup; why says what they found, and is kept.
func (c *Cashier) Resume(ctx context.Context, by, why string) error {
	if by == "" || strings.TrimSpace(why) == "" {
		return errors.New("resume payouts: who does it, and what the bank says of the time since the backup, are missing")
	}
	e, ok, err := c.Store.Get(ctx, restoredKey)
	switch {
	case err != nil:
		return fmt.Errorf("resume payouts: %w", err)
	case !ok:
		return fmt.Errorf("%w: nothing was restored", ErrState)
	}
	var s storedRestored
	if err := decode(e, &s, &s.V); err != nil {
		return err
	}
	s.By, s.Why = by, why
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("resume payouts: %w", err)
	}
	_, err = c.Store.Commit(ctx, kv.Txn{
		If: []kv.Cond{{Key: restoredKey, Modified: e.Modified}},
		Do: []kv.Op{{Key: restoredKey, Delete: true}, {Key: resumedPrefix + c.now().Format(time.RFC3339Nano), Value: value}},
	})
	if err != nil {
		return fmt.Errorf("resume payouts: %w", err)
	}
	return nil
}

// known refuses while it is not known what was sent.
func (c *Cashier) known(ctx context.Context) error {
	e, ok, err := c.Store.Get(ctx, restoredKey)
	if err != nil || !ok {
		return err
	}
	var s storedRestored
	if err := decode(e, &s, &s.V); err != nil {
		return err
	}
	err = fmt.Errorf("%w: the backup is of %s; hold the book against the bank, then say so", ErrRestored, s.At.Format(time.RFC3339))
	batches, failed := c.payout().Batches(ctx)
	if failed != nil {
		return errors.Join(err, failed)
	}
	var begun []string
	for i := range batches {
		if st := batches[i].State; st == Drafting || st == Drafted || st == Pending {
			begun = append(begun, batches[i].ID)
		}
	}
	if len(begun) > 0 {
		err = fmt.Errorf("%w; ask it for batch %s too, which had not gone out then and may have since", err, few(begun))
	}
	return err
}
