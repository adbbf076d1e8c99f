package settle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// Errors that callers branch on.
var (
	ErrInBatch  = errors.New("the claim is in another batch")
	ErrState    = errors.New("the batch is not in a state for this")
	ErrFourEyes = errors.New("who drafted the batch cannot approve it")
)

// A BatchState is how far a batch of payments is.
type BatchState string

// The states of a batch. Money is on its way from Pending on; nothing leaves it twice.
const (
	Drafting BatchState = "drafting" // its claims are being taken: goes on when it is drafted again
	Drafted  BatchState = "drafted"  // waits for another person
	Pending  BatchState = "pending"  // reserved in the book; its file may be written, again and again the same
	Sent     BatchState = "sent"     // somebody gave the file to the bank
	Settled  BatchState = "settled"  // every item was posted or voided
	Dropped  BatchState = "dropped"  // never sent
)

// An ItemState is what became of one payment.
type ItemState string

// The states of an item.
const (
	Open      ItemState = "open"
	Posting   ItemState = "posting"   // the bank says done, and the book is about to say so
	Voiding   ItemState = "voiding"   // the bank says no, and the book is about to say so
	Returning ItemState = "returning" // it was done, came back, and the book is about to say so
	Posted    ItemState = "posted"    // the payee has it
	Voided    ItemState = "voided"    // it came back, or never left: it is owed again
)

// A Batch is a set of payments that go out together.
type Batch struct {
	ID         string      `json:"id"`
	Incident   string      `json:"incident"`
	Form       policy.Form `json:"form"`
	Bank       string      `json:"bank"` // the account, or the source of points and coupons, that it leaves from
	Currency   string      `json:"currency"`
	State      BatchState  `json:"state"`
	DraftedBy  string      `json:"draftedBy"`
	DraftedAt  time.Time   `json:"draftedAt"`
	ApprovedBy string      `json:"approvedBy,omitempty"`
	ApprovedAt time.Time   `json:"approvedAt,omitzero"`
	SentAt     time.Time   `json:"sentAt,omitzero"`
	DroppedBy  string      `json:"droppedBy,omitempty"`
	DroppedAt  time.Time   `json:"droppedAt,omitzero"`
	DroppedWhy string      `json:"droppedWhy,omitempty"`
	Count      int         `json:"count"`
	Total      int64       `json:"total"`
	Digest     string      `json:"digest"` // of its payments: the same ID with others is another batch
}

// An Item is one payment of a batch. Payee data are not in it: adapters ask for them
// when they write a file.
type Item struct {
	ID      string    `json:"id"` // unique for ever, at most 35 characters of A-Z and 0-9: the bank's end-to-end ID
	Claim   string    `json:"claim"`
	Amount  int64     `json:"amount"`
	State   ItemState `json:"state"`
	Code    string    `json:"code,omitempty"` // the bank's reason
	Detail  string    `json:"detail,omitempty"`
	Settled time.Time `json:"settled,omitzero"`
	About   About     `json:"about,omitzero"`
}

// A Result is what a bank says of one payment.
type Result struct {
	ID     string
	Done   bool
	Code   string // why not: the code of pain.002, or the bank's own
	Detail string
}

// Keys of payouts.
const (
	batchPrefix  = "payout/batch/"
	itemPrefix   = "payout/item/"
	holderPrefix = "payout/claim/" // the batch that a claim is in
	idPrefix     = "payout/id/"    // by the bank's ID: batch/claim
)

type storedBatch struct {
	V int `json:"v"`
	Batch
}

type storedItem struct {
	V int `json:"v"`
	Item
}

// A Payout brings what is owed to those who are owed it, in two phases: an amount is
// reserved in the book, and posted or given back when the bank has answered. Every call
// may be repeated after a crash at any point, by any process: it goes on where the
// other stopped.
type Payout struct {
	Store kv.Store
	Book  Book
}

// Draft makes a batch of what the book owes to the claims. A claim that is in a live
// batch already is refused with [ErrInBatch]. Drafting the same ID again goes on.
func (p *Payout) Draft(ctx context.Context, b Batch, items []Item) (Batch, error) {
	if b.ID == "" || strings.ContainsAny(b.ID, "/ \x00") || b.DraftedBy == "" || b.Bank == "" {
		return Batch{}, errors.New("a batch needs an ID without / and spaces, a bank and who drafts it")
	}
	slices.SortFunc(items, func(x, y Item) int { return cmp.Compare(x.Claim, y.Claim) })
	b.State, b.Count, b.Total = Drafting, len(items), 0
	before := ""
	for i := range items {
		it := &items[i]
		if it.Amount <= 0 || it.Amount > largest || it.Claim == "" || it.Claim == before {
			return Batch{}, fmt.Errorf("claim %q with %d: expected an amount above zero, once for each claim", it.Claim, it.Amount)
		}
		before = it.Claim
		it.State, it.ID = Open, bankID(b.ID, it.Claim)
		b.Total += it.Amount
		if b.Total > largest {
			return Batch{}, fmt.Errorf("batch %s sums to more than %d", b.ID, int64(largest))
		}
	}
	if b.Count == 0 {
		return Batch{}, fmt.Errorf("batch %s has no payments", b.ID)
	}
	b.Digest = digest(&b, items)
	have, e, err := p.begin(ctx, b)
	if err != nil || have.State != Drafting {
		return have, err
	}
	for chunk := range slices.Chunk(items, mostEntries) {
		if err := p.hold(ctx, b.ID, b.Currency, chunk); err != nil {
			return have, err
		}
	}
	have.State = Drafted
	return have, p.write(ctx, have, e)
}

// digest tells the payments of one batch from those of another.
func digest(b *Batch, items []Item) string {
	parts := []string{"bongsu batch", b.Incident, string(b.Form), b.Bank, b.Currency}
	for i := range items {
		parts = append(parts, items[i].Claim, fmt.Sprint(items[i].Amount))
	}
	return digest35(parts...)
}

// begin finds the batch, or writes it before anything is taken for it: what a crash
// leaves behind has an owner, who can go on with it or drop it.
func (p *Payout) begin(ctx context.Context, b Batch) (Batch, kv.Entry, error) {
	for {
		have, e, ok, err := p.batch(ctx, b.ID)
		if err != nil {
			return have, e, fmt.Errorf("draft %s: %w", b.ID, err)
		}
		if ok {
			if have.Digest != b.Digest {
				return have, e, fmt.Errorf("%w: batch %s has %d payments of %d already", ErrReused, b.ID, have.Count, have.Total)
			}
			return have, e, nil
		}
		value, err := json.Marshal(storedBatch{1, b})
		if err != nil {
			return b, e, fmt.Errorf("draft %s: %w", b.ID, err)
		}
		_, err = p.Store.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: batchPrefix + b.ID}}, Do: []kv.Op{{Key: batchPrefix + b.ID, Value: value}}})
		if err != nil && !errors.Is(err, kv.ErrConflict) {
			return b, e, fmt.Errorf("draft %s: %w", b.ID, err)
		}
	}
}

// whole reads the payments of a batch and refuses any other than those that were drafted.
func (p *Payout) whole(ctx context.Context, b *Batch) ([]Item, error) {
	items, err := p.Items(ctx, b.ID)
	if err != nil {
		return nil, err
	}
	return items, b.holds(items)
}

// goesOut reports whether a file of the batch may be written.
func (b *Batch) goesOut() bool {
	return b.State == Pending || b.State == Sent || b.State == Settled
}

// holds says whether items are those of the batch.
func (b *Batch) holds(items []Item) error {
	if digest(b, items) != b.Digest || len(items) != b.Count {
		return fmt.Errorf("batch %s has other payments than the %d of %d that were drafted", b.ID, b.Count, b.Total)
	}
	return nil
}

// bankID is short, of the letters that banks take, and not to be guessed wrong: the
// same for the same claim in the same batch.
func bankID(batch, claim string) string { return digest35("bongsu payout", batch, claim) }

// hold writes items and takes their claims for the batch.
func (p *Payout) hold(ctx context.Context, batch, currency string, items []Item) error {
	var t kv.Txn
	for _, it := range items {
		key := holderPrefix + it.Claim
		e, ok, err := p.Store.Get(ctx, key)
		switch {
		case err != nil:
			return fmt.Errorf("draft %s: %w", batch, err)
		case ok && string(e.Value) == batch:
			continue // by an attempt that did not end
		case ok:
			return fmt.Errorf("%w: %s is in %s", ErrInBatch, it.Claim, e.Value)
		}
		owed, err := p.Book.Balance(ctx, Claimant(it.Claim), currency)
		if err != nil {
			return fmt.Errorf("draft %s: %w", batch, err)
		}
		if it.Amount > -owed {
			return fmt.Errorf("%w: %s is owed %d, not %d", ErrOverdrawn, it.Claim, -owed, it.Amount)
		}
		value, err := json.Marshal(storedItem{1, it})
		if err != nil {
			return fmt.Errorf("draft %s: %w", batch, err)
		}
		t.If = append(t.If, kv.Cond{Key: key})
		t.Do = append(t.Do, kv.Op{Key: key, Value: []byte(batch)}, kv.Op{Key: itemPrefix + batch + "/" + it.Claim, Value: value},
			kv.Op{Key: idPrefix + it.ID, Value: []byte(batch + "/" + it.Claim)})
	}
	if len(t.Do) == 0 {
		return nil
	}
	if _, err := p.Store.Commit(ctx, t); err != nil {
		return fmt.Errorf("draft %s: %w", batch, err)
	}
	return nil
}

// Approve reserves every amount of the batch in the book: from the claimants to the
// batch. by is another person than who drafted it.
func (p *Payout) Approve(ctx context.Context, id, by string, now time.Time) (Batch, error) {
	b, e, err := p.need(ctx, id)
	if err != nil {
		return Batch{}, err
	}
	switch {
	case b.State == Pending && b.ApprovedBy == by: // goes on
	case b.State != Drafted:
		return b, fmt.Errorf("%w: %s is %s", ErrState, id, b.State)
	case by == b.DraftedBy || by == "":
		return b, fmt.Errorf("%w: %s", ErrFourEyes, by)
	default:
		b.State, b.ApprovedBy, b.ApprovedAt = Pending, by, now.UTC()
		if err := p.write(ctx, b, e); err != nil {
			return b, err
		}
	}
	if err := p.reserve(ctx, b); err != nil {
		return b, err
	}
	return b, p.stands(ctx, id)
}

// stands looks again after amounts were reserved: a batch that was dropped meanwhile,
// perhaps before all was reserved, gives them back.
func (p *Payout) stands(ctx context.Context, id string) error {
	now, _, err := p.need(ctx, id)
	if err != nil || now.State != Dropped {
		return err
	}
	return errors.Join(fmt.Errorf("%w: %s was dropped", ErrState, id), p.giveBack(ctx, now))
}

// reserve posts what Approve promised; again after a crash.
func (p *Payout) reserve(ctx context.Context, b Batch) error {
	items, err := p.whole(ctx, &b)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(items, mostEntries) {
		entries := make([]Entry, len(chunk))
		for i, it := range chunk {
			entries[i] = b.entry(&it, "pending", b.ApprovedAt, b.ApprovedBy, Claimant(it.Claim), Clearing(b.ID))
		}
		if err := p.Book.Post(ctx, entries...); err != nil {
			return fmt.Errorf("approve %s: %w", b.ID, err)
		}
	}
	return nil
}

// entry moves the amount of an item between two accounts.
func (b *Batch) entry(it *Item, phase string, at time.Time, by string, from, to Account) Entry {
	return Entry{
		ID: it.ID + "." + phase, At: at, By: by, Why: "payout " + b.ID + ": " + phase, Currency: b.Currency,
		Lines: []Line{{from, it.Amount}, {to, -it.Amount}}, About: it.About,
	}
}

// Dispatch says that the file of the batch goes to the bank; the file may be written
// before and after. A batch whose amounts are not all reserved is reserved first.
func (p *Payout) Dispatch(ctx context.Context, id string, now time.Time) (Batch, error) {
	b, e, err := p.need(ctx, id)
	if err != nil {
		return Batch{}, err
	}
	if b.State == Sent || b.State == Settled {
		return b, nil
	}
	if b.State != Pending {
		return b, fmt.Errorf("%w: %s is %s", ErrState, id, b.State)
	}
	if err := p.reserve(ctx, b); err != nil {
		return b, err
	}
	b.State, b.SentAt = Sent, now.UTC()
	if err := p.write(ctx, b, e); err != nil {
		return b, errors.Join(err, p.stands(ctx, id))
	}
	return b, nil
}

// Drop gives up a batch that was never sent: what it reserved is owed again.
func (p *Payout) Drop(ctx context.Context, id, by, why string, now time.Time) (Batch, error) {
	b, e, err := p.need(ctx, id)
	if err != nil {
		return Batch{}, err
	}
	switch b.State {
	case Drafting, Drafted, Pending:
		b.State, b.DroppedBy, b.DroppedAt, b.DroppedWhy = Dropped, by, now.UTC(), why
		if err := p.write(ctx, b, e); err != nil {
			return b, err
		}
	case Dropped: // goes on
	case Sent, Settled:
		return b, fmt.Errorf("%w: %s is %s", ErrState, id, b.State)
	}
	return b, p.giveBack(ctx, b)
}

// giveBack returns what a dropped batch reserved; again after a crash.
func (p *Payout) giveBack(ctx context.Context, b Batch) error {
	items, err := p.Items(ctx, b.ID)
	if err != nil {
		return err
	}
	for _, old := range items {
		it, e, err := p.item(ctx, b.ID, old.Claim)
		if err != nil {
			return err
		}
		switch _, err := p.Book.Entry(ctx, it.ID+".pending"); {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return err
		default:
			if err := p.Book.Post(ctx, b.entry(&it, "void", b.DroppedAt, b.DroppedBy, Clearing(b.ID), Claimant(it.Claim))); err != nil {
				return fmt.Errorf("drop %s: %w", b.ID, err)
			}
		}
		if it.State == Open {
			it.State, it.Detail, it.Settled = Voided, b.DroppedWhy, b.DroppedAt
			if err := p.settle(ctx, b.ID, &it, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// bankSays is who posts answers: whoever reads the file in, they are the bank's.
const bankSays = "bank"

// Apply takes the answers of a bank. What was answered before is left alone if the
// answer is the same; a payment that came back after it was posted is returned to its
// claimant by an entry of its own. It returns the items that changed, and a sentence for
// each answer that fits nothing.
func (p *Payout) Apply(ctx context.Context, results []Result, now time.Time) (changed []Item, odd []string, err error) {
	touched := map[string]bool{}
	for _, r := range results {
		found, ok, err := p.Store.Get(ctx, idPrefix+r.ID)
		if err != nil {
			return changed, odd, fmt.Errorf("apply results: %w", err)
		}
		if !ok {
			odd = append(odd, fmt.Sprintf("payment %q is not ours", r.ID))
			continue
		}
		id, claim, _ := strings.Cut(string(found.Value), "/")
		b, _, err := p.need(ctx, id)
		if err != nil {
			return changed, odd, err
		}
		if b.State != Sent && b.State != Settled {
			odd = append(odd, fmt.Sprintf("payment %s of %s: the batch is %s, nothing was sent", r.ID, id, b.State))
			continue
		}
		touched[id] = true
		it, did, err := p.answer(ctx, &b, claim, r, now)
		switch {
		case errors.Is(err, errOdd):
			odd = append(odd, err.Error())
		case err != nil:
			return changed, odd, fmt.Errorf("apply result of %s: %w", r.ID, err)
		case did:
			changed = append(changed, it)
		}
	}
	for id := range touched {
		if err := p.finish(ctx, id); err != nil {
			return changed, odd, err
		}
	}
	return changed, odd, nil
}

// errOdd is an answer that fits nothing.
var errOdd = errors.New("odd answer")

// answer applies one answer to one payment. What it is about to do is written first, so
// that of two answers that differ only one goes ahead, and a crash is gone on with.
func (p *Payout) answer(ctx context.Context, b *Batch, claim string, r Result, now time.Time) (Item, bool, error) {
	it, e, err := p.item(ctx, b.ID, claim)
	if err != nil {
		return it, false, err
	}
	next := it.State
	switch {
	case r.Done && it.State == Posted, !r.Done && it.State == Voided:
		return it, false, nil
	case r.Done && it.State == Open:
		next = Posting
	case !r.Done && it.State == Open:
		next = Voiding
	case !r.Done && it.State == Posted:
		next = Returning
	case r.Done && it.State == Posting, !r.Done && (it.State == Voiding || it.State == Returning): // goes on
	default:
		return it, false, fmt.Errorf("%w: payment %s of claim %s is %s (%s), and is now said to be otherwise: look at it", errOdd, r.ID, claim, it.State, it.Code)
	}
	if next != it.State {
		it.State, it.Code, it.Detail, it.Settled = next, r.Code, r.Detail, now.UTC()
		if e, err = p.put(ctx, b.ID, &it, e); err != nil {
			return it, false, err
		}
	}
	entry, then := b.entry(&it, "posted", b.SentAt, bankSays, Clearing(b.ID), Bank(b.Bank)), Posted
	switch it.State {
	case Voiding:
		entry, then = b.entry(&it, "void", b.SentAt, bankSays, Clearing(b.ID), Claimant(claim)), Voided
	case Returning:
		entry, then = b.entry(&it, "returned", b.SentAt, bankSays, Bank(b.Bank), Claimant(claim)), Voided
	case Open, Posting, Posted, Voided:
	}
	if err := p.Book.Post(ctx, entry); err != nil {
		return it, false, err
	}
	it.State = then
	return it, true, p.settle(ctx, b.ID, &it, e)
}

// put writes an item that nobody changed since e was read.
func (p *Payout) put(ctx context.Context, batch string, it *Item, e kv.Entry) (kv.Entry, error) {
	value, err := json.Marshal(storedItem{1, *it})
	if err != nil {
		return e, fmt.Errorf("write %s: %w", it.ID, err)
	}
	rev, err := p.Store.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: e.Key, Modified: e.Modified}}, Do: []kv.Op{{Key: e.Key, Value: value}}})
	if err != nil {
		return e, fmt.Errorf("write %s of %s: %w", it.ID, batch, err)
	}
	e.Modified = rev
	return e, nil
}

// settle writes an item that ended; a claim that is owed again may go into another batch.
func (p *Payout) settle(ctx context.Context, batch string, it *Item, at kv.Entry) error {
	value, err := json.Marshal(storedItem{1, *it})
	if err != nil {
		return fmt.Errorf("write %s: %w", it.ID, err)
	}
	t := kv.Txn{If: []kv.Cond{{Key: at.Key, Modified: at.Modified}}, Do: []kv.Op{{Key: at.Key, Value: value}}}
	if it.State == Voided {
		e, ok, err := p.Store.Get(ctx, holderPrefix+it.Claim)
		if err != nil {
			return fmt.Errorf("write %s: %w", it.ID, err)
		}
		if ok && string(e.Value) == batch {
			t.If = append(t.If, kv.Cond{Key: e.Key, Modified: e.Modified})
			t.Do = append(t.Do, kv.Op{Key: e.Key, Delete: true})
		}
	}
	if _, err := p.Store.Commit(ctx, t); err != nil {
		return fmt.Errorf("write %s: %w", it.ID, err)
	}
	return nil
}

// finish ends a batch all of whose items ended.
func (p *Payout) finish(ctx context.Context, id string) error {
	b, e, err := p.need(ctx, id)
	if err != nil || b.State != Sent {
		return err
	}
	items, err := p.Items(ctx, id)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(items, func(it Item) bool { return it.State != Posted && it.State != Voided }) {
		return nil
	}
	b.State = Settled
	return p.write(ctx, b, e)
}

// Batches returns every batch, by ID.
func (p *Payout) Batches(ctx context.Context) ([]Batch, error) {
	all, _, err := p.Store.List(ctx, batchPrefix)
	if err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	out := make([]Batch, 0, len(all))
	for _, e := range all {
		var s storedBatch
		if err := decode(e, &s, &s.V); err != nil {
			return nil, err
		}
		out = append(out, s.Batch)
	}
	return out, nil
}

// Items returns the payments of a batch, by claim.
func (p *Payout) Items(ctx context.Context, batch string) ([]Item, error) {
	all, _, err := p.Store.List(ctx, itemPrefix+batch+"/")
	if err != nil {
		return nil, fmt.Errorf("list payments of %s: %w", batch, err)
	}
	out := make([]Item, 0, len(all))
	for _, e := range all {
		var s storedItem
		if err := decode(e, &s, &s.V); err != nil {
			return nil, err
		}
		out = append(out, s.Item)
	}
	return out, nil
}

func (p *Payout) item(ctx context.Context, batch, claim string) (Item, kv.Entry, error) {
	e, ok, err := p.Store.Get(ctx, itemPrefix+batch+"/"+claim)
	if err != nil {
		return Item{}, e, fmt.Errorf("read payment of %s: %w", claim, err)
	}
	if !ok {
		return Item{}, e, fmt.Errorf("%w: payment of %s in %s", ErrNotFound, claim, batch)
	}
	var s storedItem
	err = decode(e, &s, &s.V)
	return s.Item, e, err
}

func (p *Payout) batch(ctx context.Context, id string) (Batch, kv.Entry, bool, error) {
	e, ok, err := p.Store.Get(ctx, batchPrefix+id)
	if err != nil || !ok {
		return Batch{}, e, false, err
	}
	var s storedBatch
	err = decode(e, &s, &s.V)
	return s.Batch, e, err == nil, err
}

func (p *Payout) need(ctx context.Context, id string) (Batch, kv.Entry, error) {
	b, e, ok, err := p.batch(ctx, id)
	if err != nil {
		return b, e, fmt.Errorf("read batch %s: %w", id, err)
	}
	if !ok {
		return b, e, fmt.Errorf("%w: batch %s", ErrNotFound, id)
	}
	return b, e, nil
}

// write replaces a batch that nobody changed since e was read.
func (p *Payout) write(ctx context.Context, b Batch, e kv.Entry) error {
	value, err := json.Marshal(storedBatch{1, b})
	if err != nil {
		return fmt.Errorf("write batch %s: %w", b.ID, err)
	}
	if _, err := p.Store.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: e.Key, Modified: e.Modified}}, Do: []kv.Op{{Key: e.Key, Value: value}}}); err != nil {
		return fmt.Errorf("write batch %s: %w", b.ID, err)
	}
	return nil
}

func decode(e kv.Entry, into any, v *int) error {
	if err := json.Unmarshal(e.Value, into); err != nil {
		return fmt.Errorf("read %q: %w", e.Key, err)
	}
	if *v != 1 {
		return fmt.Errorf("read %q: version %d is not known, update this program", e.Key, *v)
	}
	return nil
}
