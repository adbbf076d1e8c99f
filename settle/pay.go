package settle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// A due is what one approved claim is to be paid now.
type due struct {
	claim claim.Claim
	item  Item
}

// due returns what approved claims of an incident are to be paid in one form and not on its way in any other batch
// than this one, the oldest report first, by currency.
func (c *Cashier) due(ctx context.Context, incident string, form policy.Form, batch string) (map[string][]due, error) {
	grants, err := c.grants(ctx, incident)
	if err != nil {
		return nil, err
	}
	holders, err := c.holders(ctx)
	if err != nil {
		return nil, err
	}
	out, in := map[string][]due{}, c.setting(incident)
	if err := c.Ledger.Each(ctx, incident, func(x claim.Claim) error {
		holder := holders[x.ID]
		mine := x.State == claim.Approved || x.State == claim.Paying && holder != "" && holder == batch
		if !mine || !final(&x) || x.Decision.Outcome != policy.Pay || x.Decision.Form != form {
			return nil
		}
		d, err := decisionOf(&x)
		if err != nil {
			return err
		}
		k := grants[x.ID]
		if k == nil || !k.stands(d.digest) {
			return nil // not granted yet
		}
		if holder != "" && holder != batch {
			switch it, _, err := c.payout().item(ctx, holder, x.ID); {
			case err != nil:
				return err
			case it.State != Posted || form == policy.Extension:
				return nil // on its way, or given already
			}
		}
		y := due{claim: x, item: Item{Claim: x.ID, About: in.about(&x)}}
		if form == policy.Extension {
			y.item.Hours = x.Decision.Hours
		}
		out[currencyOf(&x)] = append(out[currencyOf(&x)], y)
		return nil
	}); err != nil {
		return nil, err
	}
	for currency, list := range out {
		if form != policy.Extension {
			if list, err = c.owed(ctx, currency, list); err != nil {
				return nil, err
			}
		}
		slices.SortFunc(list, func(a, b due) int {
			return cmp.Or(a.claim.Filed.Compare(b.claim.Filed), strings.Compare(a.claim.ID, b.claim.ID))
		})
		out[currency] = list
	}
	return out, nil
}

// holders returns the batch that each claim is in, or was paid by.
func (c *Cashier) holders(ctx context.Context) (map[string]string, error) {
	held, _, err := c.Store.List(ctx, holderPrefix)
	if err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}
	out := make(map[string]string, len(held))
	for _, e := range held {
		out[strings.TrimPrefix(e.Key, holderPrefix)] = string(e.Value)
	}
	return out, nil
}

// owed keeps those that the book owes something, with that amount.
func (c *Cashier) owed(ctx context.Context, currency string, list []due) ([]due, error) {
	balances, err := c.Book.Balances(ctx, "claimant/", currency)
	if err != nil {
		return nil, err
	}
	owed := make(map[Account]int64, len(balances))
	for _, l := range balances {
		owed[l.Account] = -l.Amount
	}
	kept := list[:0]
	for _, y := range list {
		if y.item.Amount = owed[Claimant(y.claim.ID)]; y.item.Amount > 0 {
			y.item.About.Cost = share(y.item.About.Cost, y.item.Amount, y.item.About.Face)
			y.item.About.Face = y.item.Amount
			kept = append(kept, y)
		}
	}
	return kept, nil
}

// share is cost x part / whole, rounded down, without overflow.
func share(cost, part, whole int64) int64 {
	if part == whole || whole == 0 {
		return cost
	}
	x := new(big.Int).Mul(big.NewInt(cost), big.NewInt(part))
	return x.Quo(x, big.NewInt(whole)).Int64()
}

// reachable splits what is due by whether it is known where it goes. It stops when it has most
// that are (0: never).
func (c *Cashier) reachable(ctx context.Context, form policy.Form, list []due, most int) (goes []due, missing []string, err error) {
	if form == policy.Coupon { // a code, that whoever holds the receipt is told
		if most > 0 && len(list) > most {
			list = list[:most]
		}
		return list, nil, nil
	}
	v, err := c.vault()
	if err != nil {
		return nil, nil, err
	}
	for chunk := range slices.Chunk(list, 500) {
		known := map[string]bool{}
		if form == policy.Money {
			ids := make([]string, len(chunk))
			for i := range chunk {
				ids[i] = chunk[i].claim.ID
			}
			if known, err = v.Banked(ctx, ids); err != nil {
				return nil, nil, err
			}
		}
		for _, y := range chunk {
			switch {
			case form == policy.Money && !known[y.claim.ID], form != policy.Money && y.claim.Account == "":
				missing = append(missing, y.claim.ID)
			default:
				goes = append(goes, y)
			}
			if most > 0 && len(goes) == most {
				return goes, missing, nil
			}
		}
	}
	return goes, missing, nil
}

// Missing returns the approved claims that cannot be paid in a form because it is not known where it
// goes: those without a bank account for money, without an account of the company's own for credit,
// points and time. They stay approved and come into the next batch when it is.
func (c *Cashier) Missing(ctx context.Context, incident string, form policy.Form) ([]string, error) {
	all, err := c.due(ctx, incident, form, "")
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, list := range all {
		_, missing, err := c.reachable(ctx, form, list, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, missing...)
	}
	slices.Sort(out)
	return out, nil
}

// Draft makes a batch of what approved claims of an incident are owed in one form, at most limit of them (0: all), the
// oldest first. Claims go to state Paying with it. Those of which it is not known where it goes are left
// out, see [Cashier.Missing], and so are those that a doubt stops now. Drafting the same ID again goes on.
func (c *Cashier) Draft(ctx context.Context, incident string, form policy.Form, bank, id, by string, limit int) (Batch, error) {
	if !slices.Contains(forms(), form) {
		return Batch{}, fmt.Errorf("%w: form %q: expected one of %v", ErrFormat, form, forms())
	}
	if bank == "" && form != policy.Money {
		bank = string(form)
	}
	if err := c.known(ctx); err != nil {
		return Batch{}, err
	}
	for range 5 {
		b, err := c.draft(ctx, Batch{ID: id, Incident: incident, Form: form, Bank: bank, DraftedBy: by}, limit)
		switch {
		case errors.Is(err, errAgain), errors.Is(err, kv.ErrConflict), errors.Is(err, ErrInBatch), errors.Is(err, ErrOverdrawn):
			if ctx.Err() != nil {
				return b, ctx.Err()
			}
		default:
			return b, err
		}
	}
	return Batch{}, fmt.Errorf("%w: claims of batch %s change all the time: draft it again", kv.ErrConflict, id)
}

// errAgain says that a claim changed while it was drafted: the batch is made anew.
var errAgain = errors.New("a claim has changed meanwhile")

func (c *Cashier) draft(ctx context.Context, b Batch, limit int) (Batch, error) {
	p := c.payout()
	have, e, there, err := p.batch(ctx, b.ID)
	if err != nil {
		return have, fmt.Errorf("draft %s: %w", b.ID, err)
	}
	if there {
		if have.Incident != b.Incident || have.Form != b.Form || have.Bank != b.Bank {
			return have, fmt.Errorf("%w: batch %s is of incident %s, in %s, from %s", ErrReused, have.ID, have.Incident, have.Form, have.Bank)
		}
		if have.State != Drafting {
			return have, nil // its claims went to Paying before it was drafted
		}
	}
	if !there && b.Form == policy.Money {
		if err := c.own(b.Bank); err != nil {
			return Batch{}, err
		}
	}
	list, err := c.selected(ctx, &b, limit)
	if err != nil {
		return Batch{}, err
	}
	b.DraftedAt = c.now()
	items := make([]Item, len(list))
	for i := range list {
		items[i] = list[i].item
	}
	if err := b.of(items); err != nil {
		return Batch{}, err
	}
	if there && have.Digest != b.Digest {
		return have, errors.Join(errAgain, c.abandon(ctx, &have, e, b.DraftedBy))
	}
	if have, e, err = p.begin(ctx, b); err != nil || have.State != Drafting {
		return have, err
	}
	for chunk := range slices.Chunk(items, mostEntries) {
		if err := p.hold(ctx, &have, e, chunk); err != nil {
			if errors.Is(err, ErrInBatch) || errors.Is(err, ErrOverdrawn) {
				err = errors.Join(errAgain, c.abandon(ctx, &have, e, b.DraftedBy))
			}
			return have, err
		}
	}
	if c.Doubts != nil { // accounts are given late, and may be those of others: what is doubted now is not taken
		if _, err := c.Doubts(ctx, b.Incident); err != nil {
			return have, err
		}
	}
	if err := c.take(ctx, &b, list); err != nil {
		if errors.Is(err, errAgain) {
			err = errors.Join(err, c.abandon(ctx, &have, e, b.DraftedBy))
		}
		return have, err
	}
	have.State = Drafted
	if err := p.write(ctx, have, e); err != nil {
		if errors.Is(err, kv.ErrConflict) { // somebody took it over: its claims go where it went
			_, led := c.follow(ctx, claimsIn(items), b.DraftedBy)
			err = errors.Join(err, led)
		}
		return have, err
	}
	return have, nil
}

// claimsIn are the claims of payments.
func claimsIn(items []Item) []string {
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].Claim
	}
	return ids
}

// selected chooses what goes into a batch: of one currency, within the budget.
func (c *Cashier) selected(ctx context.Context, b *Batch, limit int) ([]due, error) {
	all, err := c.due(ctx, b.Incident, b.Form, b.ID)
	if err != nil {
		return nil, err
	}
	var list []due
	missing := 0
	for _, currency := range slices.Sorted(maps.Keys(all)) {
		goes, without, err := c.reachable(ctx, b.Form, all[currency], limit)
		if err != nil {
			return nil, err
		}
		missing += len(without)
		if len(goes) > 0 {
			b.Currency, list = currency, goes
			break
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no approved claim of %s is owed anything in %s that can be sent; of %d it is not known where it goes", ErrNothing, b.Incident, b.Form, missing)
	}
	return list, c.within(ctx, b, list)
}

// within refuses what the budget of the policy does not hold: everything of the incident that
// was given, or is on its way, counts at cost.
func (c *Cashier) within(ctx context.Context, b *Batch, list []due) error {
	if c.Budget == nil {
		return nil
	}
	budget, err := c.Budget(ctx, b.Incident)
	if err != nil || budget == 0 {
		return err
	}
	batches, err := c.payout().Batches(ctx)
	if err != nil {
		return err
	}
	var given, more int64
	for _, o := range batches {
		if o.Incident != b.Incident || o.ID == b.ID || o.State == Dropped {
			continue
		}
		items, err := c.payout().Items(ctx, o.ID)
		if err != nil {
			return err
		}
		for i := range items {
			if items[i].State != Voided {
				given += items[i].About.Cost
			}
		}
	}
	for i := range list {
		more += list[i].item.About.Cost
	}
	if given+more > budget {
		return fmt.Errorf("%w: %d is given or on its way, this batch costs %d, and the budget is %d: draft fewer, or let the policy be changed", ErrBudget, given, more, budget)
	}
	return nil
}

// take brings the claims of a batch to Paying; [errAgain] when one of them is no longer what was selected.
func (c *Cashier) take(ctx context.Context, b *Batch, list []due) error {
	digests, ids := map[string]string{}, make([]string, len(list))
	for i := range list {
		d, err := decisionOf(&list[i].claim)
		if err != nil {
			return err
		}
		ids[i] = list[i].claim.ID
		digests[ids[i]] = d.digest
	}
	_, err := c.change(ctx, ids, func(_ context.Context, x *claim.Claim) (claim.Event, error) {
		if x.State == claim.Paying {
			return claim.Event{}, nil // by an attempt that did not end: the batch holds it
		}
		if x.State != claim.Approved || !final(x) || !x.Erased.IsZero() {
			return claim.Event{}, errAgain
		}
		if d, err := decisionOf(x); err != nil || d.digest != digests[x.ID] {
			return claim.Event{}, errors.Join(errAgain, err)
		}
		x.State = claim.Paying
		return claim.Event{Who: b.DraftedBy, What: "to be paid", Why: "batch " + b.ID}, nil
	})
	return err
}

// abandon undoes a batch that is still being drafted, so that its name is free again. It is taken over first: whoever drafts it
// at the same time does not end it while its claims are given back.
func (c *Cashier) abandon(ctx context.Context, b *Batch, at kv.Entry, by string) error {
	at, err := c.payout().takeOver(ctx, *b, at)
	if err != nil {
		return err
	}
	items, err := c.payout().Items(ctx, b.ID)
	if err != nil {
		return err
	}
	if err := c.give(ctx, items, by, "drafted anew"); err != nil {
		return err
	}
	return c.payout().release(ctx, b, at)
}

// give brings claims of a batch that pays nothing back to Approved.
func (c *Cashier) give(ctx context.Context, items []Item, by, why string) error {
	_, err := c.change(ctx, claimsIn(items), func(_ context.Context, x *claim.Claim) (claim.Event, error) {
		if x.State != claim.Paying {
			return claim.Event{}, nil
		}
		x.State = claim.Approved
		return claim.Event{Who: by, What: "not paid yet", Why: why}, nil
	})
	return err
}

// Approve reserves the amounts of a batch; by is another person than who drafted it ([ErrFourEyes]). A batch
// with a claim that is not to be paid any more is refused: it is dropped and drafted anew.
func (c *Cashier) Approve(ctx context.Context, batch, by string) (Batch, error) {
	b, _, err := c.payout().need(ctx, batch)
	if err != nil {
		return Batch{}, err
	}
	if err := c.known(ctx); err != nil {
		return b, err
	}
	items, err := c.payout().Items(ctx, batch)
	if err != nil {
		return b, err
	}
	if b.State == Drafted {
		if err := c.paying(ctx, &b, items); err != nil {
			return b, err
		}
	}
	return c.payout().Approve(ctx, batch, by, c.now())
}

// paying refuses a batch with claims that are not in Paying, or were erased.
func (c *Cashier) paying(ctx context.Context, b *Batch, items []Item) error {
	off := map[string]bool{}
	for i := range items {
		off[items[i].Claim] = true
	}
	if err := c.Ledger.Each(ctx, b.Incident, func(x claim.Claim) error {
		if x.State == claim.Paying && x.Erased.IsZero() {
			delete(off, x.ID)
		}
		return nil
	}); err != nil {
		return err
	}
	var wrong []string
	for i := range items { // what a list does not show yet may be so all the same
		if id := items[i].Claim; off[id] {
			x, err := c.Ledger.Claim(ctx, id)
			if err != nil {
				return err
			}
			switch {
			case !x.Erased.IsZero():
				wrong = append(wrong, id+" is erased")
			case x.State != claim.Paying:
				wrong = append(wrong, fmt.Sprintf("%s is %s", id, x.State))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: of the claims of %s %s: drop the batch and draft another", ErrState, b.ID, few(wrong))
	}
	return nil
}

// few is a list that people read.
func few(all []string) string {
	const most = 5
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}

// Sent says that the file went to the bank.
func (c *Cashier) Sent(ctx context.Context, batch, by string) (Batch, error) {
	if err := c.known(ctx); err != nil {
		return Batch{}, err
	}
	return c.payout().dispatch(ctx, batch, by, c.now())
}

// Drop gives a batch up that was never sent; its claims are approved again. It may be repeated.
func (c *Cashier) Drop(ctx context.Context, batch, by, why string) (Batch, error) {
	if by == "" || strings.TrimSpace(why) == "" {
		return Batch{}, errors.New("drop: who does it, and why, are missing")
	}
	if err := c.known(ctx); err != nil { // the bank may have it
		return Batch{}, err
	}
	b, err := c.payout().Drop(ctx, batch, by, why, c.now())
	if err != nil {
		return b, err
	}
	items, err := c.payout().Items(ctx, batch)
	if err != nil {
		return b, err
	}
	_, err = c.follow(ctx, claimsIn(items), by)
	return b, err
}

// Batches returns every batch of an incident, the newest first.
func (c *Cashier) Batches(ctx context.Context, incident string) ([]Batch, error) {
	all, err := c.payout().Batches(ctx)
	if err != nil {
		return nil, err
	}
	out := []Batch{}
	for _, b := range all {
		if b.Incident == incident {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b Batch) int { return cmp.Or(b.DraftedAt.Compare(a.DraftedAt), strings.Compare(a.ID, b.ID)) })
	return out, nil
}

// Batch returns one batch with its payments.
func (c *Cashier) Batch(ctx context.Context, id string) (Batch, []Item, error) {
	b, _, err := c.payout().need(ctx, id)
	if err != nil {
		return Batch{}, nil, err
	}
	items, err := c.payout().Items(ctx, id)
	return b, items, err
}

// Again sends a claim that came back to be paid again, once somebody saw to its account.
func (c *Cashier) Again(ctx context.Context, id, by, why string) (claim.Claim, error) {
	if by == "" || strings.TrimSpace(why) == "" {
		return claim.Claim{}, errors.New("pay again: who does it, and why, are missing")
	}
	changed, err := c.changeOne(ctx, id, func(ctx context.Context, x *claim.Claim) (claim.Event, error) {
		history, err := c.Ledger.History(ctx, x.ID)
		if err != nil {
			return claim.Event{}, err
		}
		// Who wrote down the account alone does not send money to it.
		for _, e := range slices.Backward(history) {
			if strings.HasPrefix(e.What, "bank account") {
				if strings.EqualFold(e.Who, by) {
					return claim.Event{}, fmt.Errorf("%w: %s gave the account that claim %s is paid to", ErrFourEyes, by, x.ID)
				}
				break
			}
		}
		if x.State != claim.Returned {
			return claim.Event{}, fmt.Errorf("%w: claim %s is %s, not returned", ErrState, x.ID, x.State)
		}
		x.State = claim.Approved
		return claim.Event{Who: by, What: "to be paid again", Why: why}, nil
	})
	if err != nil {
		return claim.Claim{}, err
	}
	return changed[0], nil
}
