package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bongsu/claim"
	"bongsu/internal/kv"
)

// mostChanges is how many claims are changed in one go.
const mostChanges = 150

// A turn says what a claim is to become, and why; no event: it stays as it is. It may
// be called more than once, and at the same time for others.
type turn func(ctx context.Context, x *claim.Claim) (claim.Event, error)

// changesAtOnce is how many claims are brought on at a time, times mostChanges: while some are written, others are read.
const changesAtOnce = 3

// change brings claims on, each as it is now, and returns those that it changed.
func (c *Cashier) change(ctx context.Context, ids []string, to turn) ([]claim.Claim, error) {
	parts := slices.Collect(slices.Chunk(ids, mostChanges))
	changed := make([][]claim.Claim, len(parts))
	err := kv.Several(ctx, changesAtOnce, len(parts), func(_ context.Context, i int) error { // what is begun is ended, though another fails
		var err error
		changed[i], err = c.changeSome(ctx, parts[i], to)
		return err
	})
	return slices.Concat(changed...), err
}

// changeSome is change for claims that are written together.
func (c *Cashier) changeSome(ctx context.Context, ids []string, to turn) ([]claim.Claim, error) {
	claims, events := make([]claim.Claim, len(ids)), make([]claim.Event, len(ids))
	if err := kv.Together(ctx, len(ids), func(ctx context.Context, i int) error {
		var err error
		if claims[i], err = c.Ledger.Claim(ctx, ids[i]); err != nil {
			return err
		}
		events[i], err = to(ctx, &claims[i])
		return err
	}); err != nil {
		return nil, err
	}
	var some []claim.Claim
	var what []claim.Event
	for i := range claims {
		if events[i].What != "" {
			some, what = append(some, claims[i]), append(what, events[i])
		}
	}
	if len(some) == 0 {
		return nil, nil
	}
	switch err := c.Ledger.Change(ctx, some, what); {
	case err == nil:
		return some, nil
	case !errors.Is(err, claim.ErrConflict):
		return nil, fmt.Errorf("bring claims on: %w", err)
	}
	var changed []claim.Claim
	for i := range some {
		one, err := c.changeOne(ctx, some[i].ID, to)
		if err != nil {
			return changed, err
		}
		changed = append(changed, one...)
	}
	return changed, nil
}

// changeOne is change for a claim that others change too.
func (c *Cashier) changeOne(ctx context.Context, id string, to turn) ([]claim.Claim, error) {
	for range 20 {
		x, err := c.Ledger.Claim(ctx, id)
		if err != nil {
			return nil, err
		}
		event, err := to(ctx, &x)
		if err != nil || event.What == "" {
			return nil, err
		}
		err = c.Ledger.Change(ctx, []claim.Claim{x}, []claim.Event{event})
		if !errors.Is(err, claim.ErrConflict) {
			return []claim.Claim{x}, err
		}
	}
	return nil, fmt.Errorf("bring claim %s on: %w", id, claim.ErrConflict)
}

// follow brings the states of claims in line with what became of their payments, which
// the store tells, and returns those that it changed.
func (c *Cashier) follow(ctx context.Context, ids []string, by string) ([]claim.Claim, error) {
	batches, err := c.payout().Batches(ctx)
	if err != nil {
		return nil, err
	}
	return c.change(ctx, ids, func(ctx context.Context, x *claim.Claim) (claim.Event, error) { return c.led(ctx, x, batches, by) })
}

// led is where the payment of a claim has led it. The claim was read before its payment is:
// whoever changes both in the meantime changes the version of the claim.
func (c *Cashier) led(ctx context.Context, x *claim.Claim, batches []Batch, by string) (claim.Event, error) {
	if !slices.Contains([]claim.State{claim.Approved, claim.Paying, claim.Paid, claim.Returned}, x.State) {
		return claim.Event{}, nil
	}
	it, batch, err := c.held(ctx, x.ID)
	if err != nil {
		return claim.Event{}, err
	}
	was := x.State
	to := claim.Event{Who: by, Why: "batch " + batch}
	switch {
	case it == nil && (was == claim.Paying || was == claim.Paid):
		last, b, err := c.last(ctx, x, batches)
		if err != nil {
			return claim.Event{}, err
		}
		if last != nil && b.State != Dropped {
			x.State, x.NextAt = claim.Returned, last.Settled.Add(claim.ReviewTime)
			return claim.Event{Who: bankSays, What: "returned", Why: "batch " + b.ID + ": " + last.why()}, nil
		}
		if was == claim.Paid {
			return claim.Event{}, nil // nothing here says otherwise
		}
		x.State = claim.Approved
		to.What, to.Why = "not paid yet", "its batch was given up"
		return to, nil
	case it == nil:
		return claim.Event{}, nil
	case it.State == Posted && was != claim.Paid:
		if was == claim.Approved {
			if owes, err := c.owes(ctx, x); err != nil || owes {
				return claim.Event{}, err
			}
		}
		x.State, x.NextAt = claim.Paid, time.Time{}
		return claim.Event{Who: bankSays, What: "paid", Why: "batch " + batch}, nil
	case it.State != Posted && (was == claim.Approved || was == claim.Returned):
		i := slices.IndexFunc(batches, func(b Batch) bool { return b.ID == batch })
		if i >= 0 && batches[i].State == Drafting {
			return claim.Event{}, nil // who drafts it brings it on, or gives it up
		}
		x.State, to.What = claim.Paying, "to be paid"
		return to, nil
	}
	return claim.Event{}, nil
}

// held is the payment that a claim is in, or was in last, if it did not come back; with its batch.
func (c *Cashier) held(ctx context.Context, id string) (*Item, string, error) {
	e, ok, err := c.Store.Get(ctx, holderPrefix+id)
	if err != nil {
		return nil, "", fmt.Errorf("payment of %s: %w", id, err)
	}
	if !ok {
		return nil, "", nil
	}
	it, _, err := c.payout().item(ctx, string(e.Value), id)
	return &it, string(e.Value), err
}

// last is the last payment of a claim that came back or was given up; nil: none.
func (c *Cashier) last(ctx context.Context, x *claim.Claim, batches []Batch) (*Item, *Batch, error) {
	var last *Item
	var of *Batch
	for i := range batches {
		if batches[i].Incident != x.Incident {
			continue
		}
		it, _, err := c.payout().item(ctx, batches[i].ID, x.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if it.State == Voided && (last == nil || it.Settled.After(last.Settled)) {
			last, of = &it, &batches[i]
		}
	}
	return last, of, nil
}

// owes says whether something is still to be paid to the claim by its decision: also when
// the decision is not in the book yet.
func (c *Cashier) owes(ctx context.Context, x *claim.Claim) (bool, error) {
	if x.Decision == nil {
		return false, nil
	}
	d, err := decisionOf(x)
	if err != nil {
		return false, err
	}
	e, ok, err := c.Store.Get(ctx, grantPrefix+x.Incident+"/"+x.ID)
	if err != nil || !ok {
		return true, err
	}
	var g grant
	if err := decode(e, &g, &g.V); err != nil || !g.stands(d.digest) {
		return true, err
	}
	owed, err := c.Book.Balance(ctx, Claimant(x.ID), currencyOf(x))
	return owed < 0, err
}

// why is what the bank says of a payment.
func (it *Item) why() string {
	text := Explain(it.Code)["en"]
	if it.Detail != "" {
		text += " (" + it.Detail + ")"
	}
	if it.Code != "" {
		return it.Code + ": " + text
	}
	return text
}
