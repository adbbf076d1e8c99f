package settle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// Errors that callers branch on.
var (
	ErrInBatch  = errors.New("the claim is in a batch")
	ErrState    = errors.New("the batch is not in a state for this")
	ErrFourEyes = errors.New("who drafted the batch cannot approve it")
	ErrName     = errors.New("a batch cannot have this name")
	ErrTaken    = errors.New("who took the file of a batch cannot say alone that it was never sent")
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
	FiledAt    time.Time   `json:"filedAt,omitzero"` // its file was taken, for the first time
	FiledBy    string      `json:"filedBy,omitempty"`
	SentAt     time.Time   `json:"sentAt,omitzero"`
	SentBy     string      `json:"sentBy,omitempty"`
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
	Hours   int64     `json:"hours,omitempty"` // of an extension, which has no amount
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
	Whole  bool // said of the whole message: a payment that was done is not undone by it
}

// Answers are what a file of a bank says.
type Answers struct {
	Results []Result
	Waiting int      // payments that are on their way
	Odd     []string // what fits nothing
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
	if err := b.of(items); err != nil {
		return Batch{}, err
	}
	have, e, err := p.begin(ctx, b)
	if err != nil || have.State != Drafting {
		return have, err
	}
	for chunk := range slices.Chunk(items, mostEntries) {
		if err := p.hold(ctx, &have, e, chunk); err != nil {
			return have, err
		}
	}
	have.State = Drafted
	return have, p.write(ctx, have, e)
}

// of makes b the batch of these payments, which are put in order and given their IDs.
func (b *Batch) of(items []Item) error {
	if b.ID == "" || strings.ContainsAny(b.ID, "/ \n\x00") || b.DraftedBy == "" || b.Bank == "" || strings.ContainsAny(b.Bank, " \n\x00") {
		// The book has accounts of these names; it would find out when the bank has paid.
		return fmt.Errorf("%w: batch %q from %q: expected an ID without / and spaces, a bank without spaces, and who drafts it", ErrName, b.ID, b.Bank)
	}
	slices.SortFunc(items, func(x, y Item) int { return cmp.Compare(x.Claim, y.Claim) })
	b.State, b.Count, b.Total = Drafting, len(items), 0
	before := ""
	for i := range items {
		it := &items[i]
		given := it.Amount > 0 && it.Hours == 0
		if b.Form == policy.Extension {
			given = it.Amount == 0 && it.Hours > 0
		}
		if !given || it.Amount > largest || it.Claim == "" || it.Claim == before {
			return fmt.Errorf("claim %q with %d and %d hours: expected an amount above zero, or hours of an extension, once for each claim", it.Claim, it.Amount, it.Hours)
		}
		before = it.Claim
		it.State, it.ID = Open, bankID(b.ID, it.Claim)
		b.Total += it.Amount
		if b.Total > largest {
			return fmt.Errorf("batch %s sums to more than %d", b.ID, int64(largest))
		}
	}
	if b.Count == 0 {
		return fmt.Errorf("batch %s has no payments", b.ID)
	}
	b.Digest = digest(b, items)
	return nil
}

// digest tells the payments of one batch from those of another.
func digest(b *Batch, items []Item) string {
	parts := []string{"bongsu batch", b.Incident, string(b.Form), b.Bank, b.Currency}
	for i := range items {
		parts = append(parts, items[i].Claim, fmt.Sprint(items[i].Amount))
		if items[i].Hours != 0 {
			parts = append(parts, fmt.Sprint(items[i].Hours, "h"))
		}
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

// hold writes items and takes their claims for the batch, as long as nobody drafts it anew.
func (p *Payout) hold(ctx context.Context, b *Batch, at kv.Entry, items []Item) error {
	t := kv.Txn{If: []kv.Cond{{Key: at.Key, Modified: at.Modified}}}
	found := make([]kv.Cond, len(items))
	if err := kv.Together(ctx, len(items), func(ctx context.Context, i int) error {
		var err error
		found[i], err = p.free(ctx, b, &items[i])
		return err
	}); err != nil {
		return fmt.Errorf("draft %s: %w", b.ID, err)
	}
	for i, it := range items {
		if found[i].Key == "" {
			continue // by an attempt that did not end
		}
		value, err := json.Marshal(storedItem{1, it})
		if err != nil {
			return fmt.Errorf("draft %s: %w", b.ID, err)
		}
		t.If = append(t.If, found[i])
		t.Do = append(t.Do, kv.Op{Key: holderPrefix + it.Claim, Value: []byte(b.ID)}, kv.Op{Key: itemPrefix + b.ID + "/" + it.Claim, Value: value},
			kv.Op{Key: idPrefix + it.ID, Value: []byte(b.ID + "/" + it.Claim)})
	}
	if len(t.Do) == 0 {
		return nil
	}
	if _, err := p.Store.Commit(ctx, t); err != nil {
		return fmt.Errorf("draft %s: %w", b.ID, err)
	}
	return nil
}

// free says on what condition a claim may be taken for a batch; on none, when the batch
// has it already. A claim whose payment is over may be paid what is owed since.
func (p *Payout) free(ctx context.Context, b *Batch, it *Item) (kv.Cond, error) {
	key := holderPrefix + it.Claim
	e, ok, err := p.Store.Get(ctx, key)
	switch {
	case err != nil:
		return kv.Cond{}, err
	case ok && string(e.Value) == b.ID:
		return kv.Cond{}, nil
	}
	taken := fmt.Errorf("%w: %s is in %s", ErrInBatch, it.Claim, e.Value)
	if ok {
		last, _, err := p.item(ctx, string(e.Value), it.Claim)
		if err != nil {
			return kv.Cond{}, err
		}
		if last.State != Posted {
			return kv.Cond{}, taken
		}
	}
	if b.Form == policy.Extension {
		return kv.Cond{Key: key, Modified: e.Modified}, nil
	}
	owed, err := p.Book.Balance(ctx, Claimant(it.Claim), b.Currency)
	switch {
	case err != nil:
		return kv.Cond{}, err
	case it.Amount > -owed && ok:
		return kv.Cond{}, taken
	case it.Amount > -owed:
		return kv.Cond{}, fmt.Errorf("%w: %s is owed %d, not %d", ErrOverdrawn, it.Claim, -owed, it.Amount)
	}
	return kv.Cond{Key: key, Modified: e.Modified}, nil
}

// takeOver makes a batch that is being drafted the caller's: nobody who read it before changes it any more.
func (p *Payout) takeOver(ctx context.Context, b Batch, e kv.Entry) (kv.Entry, error) {
	value, err := json.Marshal(storedBatch{1, b})
	if err != nil {
		return e, fmt.Errorf("write batch %s: %w", b.ID, err)
	}
	rev, err := p.Store.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: e.Key, Modified: e.Modified}}, Do: []kv.Op{{Key: e.Key, Value: value}}})
	if err != nil {
		return e, fmt.Errorf("write batch %s: %w", b.ID, err)
	}
	return kv.Entry{Key: e.Key, Value: value, Modified: rev}, nil
}

// release undoes what was held for a batch that nobody saw as drafted, and forgets the batch.
func (p *Payout) release(ctx context.Context, b *Batch, at kv.Entry) error {
	items, err := p.Items(ctx, b.ID)
	if err != nil {
		return err
	}
	still := kv.Cond{Key: at.Key, Modified: at.Modified}
	for chunk := range slices.Chunk(items, mostEntries) {
		t := kv.Txn{If: []kv.Cond{still}}
		for _, it := range chunk {
			t.Do = append(t.Do, kv.Op{Key: holderPrefix + it.Claim, Delete: true}, kv.Op{Key: itemPrefix + b.ID + "/" + it.Claim, Delete: true},
				kv.Op{Key: idPrefix + it.ID, Delete: true})
		}
		if _, err := p.Store.Commit(ctx, t); err != nil {
			return fmt.Errorf("release %s: %w", b.ID, err)
		}
	}
	if _, err := p.Store.Commit(ctx, kv.Txn{If: []kv.Cond{still}, Do: []kv.Op{{Key: at.Key, Delete: true}}}); err != nil {
		return fmt.Errorf("release %s: %w", b.ID, err)
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
	case strings.EqualFold(strings.TrimSpace(by), strings.TrimSpace(b.DraftedBy)) || by == "":
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
	if err != nil || b.Form == policy.Extension { // time is given, and nothing is reserved for it
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
	return p.dispatch(ctx, id, "", now)
}

func (p *Payout) dispatch(ctx context.Context, id, by string, now time.Time) (Batch, error) {
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
	b.State, b.SentAt, b.SentBy = Sent, now.UTC(), by
	if err := p.write(ctx, b, e); err != nil {
		return b, errors.Join(err, p.stands(ctx, id))
	}
	return b, nil
}

// taken writes down who took the file of a batch, before they have it: from then on it may be at the bank.
func (p *Payout) taken(ctx context.Context, id, by string, now time.Time) error {
	for {
		b, e, err := p.need(ctx, id)
		if err == nil && !b.goesOut() {
			err = fmt.Errorf("%w: %s is %s, its file is not to be written", ErrState, id, b.State)
		}
		if err != nil || b.State != Pending || b.FiledBy != "" {
			return err
		}
		b.FiledBy, b.FiledAt = by, now.UTC()
		if err := p.write(ctx, b, e); !errors.Is(err, kv.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// Drop gives up a batch that was never sent: what it reserved is owed again. Once its file was taken
// another person than who took it says so ([ErrTaken]).
func (p *Payout) Drop(ctx context.Context, id, by, why string, now time.Time) (Batch, error) {
	b, e, err := p.need(ctx, id)
	if err != nil {
		return Batch{}, err
	}
	switch b.State {
	case Drafting, Drafted, Pending:
		if b.FiledBy != "" && strings.EqualFold(strings.TrimSpace(by), strings.TrimSpace(b.FiledBy)) {
			return b, fmt.Errorf("%w: %s took that of %s", ErrTaken, b.FiledBy, id)
		}
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
	for chunk := range slices.Chunk(items, mostEntries) {
		moves := make([]move, len(chunk))
		if err := kv.Together(ctx, len(chunk), func(ctx context.Context, i int) error {
			it, e, err := p.item(ctx, b.ID, chunk[i].Claim)
			if err != nil {
				return err
			}
			moves[i] = move{it: it, at: e, then: Voided}
			switch _, err := p.Book.Entry(ctx, it.ID+".pending"); {
			case errors.Is(err, ErrNotFound):
			case err != nil:
				return err
			default:
				void := b.entry(&it, "void", b.DroppedAt, b.DroppedBy, Clearing(b.ID), Claimant(it.Claim))
				moves[i].entry = &void
			}
			if it.State == Open {
				moves[i].it.Detail, moves[i].it.Settled = b.DroppedWhy, b.DroppedAt
			}
			return nil
		}); err != nil {
			return fmt.Errorf("drop %s: %w", b.ID, err)
		}
		if err := p.end(ctx, b.ID, moves); err != nil {
			return fmt.Errorf("drop %s: %w", b.ID, err)
		}
	}
	return nil
}

// A move is one payment that ends, with the entry that says so.
type move struct {
	it    Item
	at    kv.Entry
	entry *Entry // nil: nothing is to be posted
	then  ItemState
	odd   error
}

// end posts what payments end with, and then writes that they ended.
func (p *Payout) end(ctx context.Context, batch string, moves []move) error {
	var entries []Entry
	for i := range moves {
		if moves[i].entry != nil {
			entries = append(entries, *moves[i].entry)
		}
	}
	if len(entries) > 0 {
		if err := p.Book.Post(ctx, entries...); err != nil {
			return err
		}
	}
	return p.settle(ctx, batch, moves)
}

// bankSays is who posts answers: whoever reads the file in, they are the bank's.
const bankSays = "bank"

// Apply takes the answers of a bank. What was answered before is left alone if the
// answer is the same; a payment that came back after it was posted is returned to its
// claimant by an entry of its own. It returns the items that changed, and a sentence for
// each answer that fits nothing.
func (p *Payout) Apply(ctx context.Context, results []Result, now time.Time) (changed []Item, odd []string, err error) {
	changed, _, odd, err = p.apply(ctx, results, now)
	return changed, odd, err
}

// A part of answers is of one batch, and answers each payment once.
type part struct {
	b       *Batch
	claims  []string
	results []Result
}

// partsAtOnce is how many parts go on at a time: while the book takes one, another is written.
const partsAtOnce = 3

// apply is Apply, which says whose payments the answers are about, too.
func (p *Payout) apply(ctx context.Context, results []Result, now time.Time) (changed []Item, claims, odd []string, err error) {
	held, known, err := p.find(ctx, results)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("apply results: %w", err)
	}
	batches := map[string]*Batch{}
	for at := 0; at < len(results); { // a payment that is answered twice is answered the second time when the first is done
		var parts []part
		for seen := map[string]bool{}; at < len(results) && !seen[results[at].ID]; at++ {
			r := results[at]
			seen[r.ID] = true
			id, claim, ours := strings.Cut(held[at], "/")
			if !ours {
				odd = append(odd, fmt.Sprintf("payment %q is not ours", r.ID))
				continue
			}
			claims = append(claims, claim)
			b := batches[id]
			if b == nil {
				found, _, err := p.need(ctx, id)
				if err != nil {
					return changed, claims, odd, err
				}
				b = &found
				batches[id] = b
			}
			if b.State != Sent && b.State != Settled {
				odd = append(odd, fmt.Sprintf("payment %s of %s: the batch is %s, nothing was sent", r.ID, id, b.State))
				continue
			}
			if n := len(parts); n == 0 || parts[n-1].b != b || len(parts[n-1].results) == mostEntries {
				parts = append(parts, part{b: b})
			}
			x := &parts[len(parts)-1]
			x.claims, x.results = append(x.claims, claim), append(x.results, r)
		}
		moves := make([][]move, len(parts))
		err := kv.Several(ctx, partsAtOnce, len(parts), func(_ context.Context, i int) error { // what is begun is ended, though another fails
			var err error
			if moves[i], err = p.answers(ctx, &parts[i], known, now); err != nil {
				return fmt.Errorf("apply results to %s: %w", parts[i].b.ID, err)
			}
			return nil
		})
		for _, m := range slices.Concat(moves...) {
			switch {
			case m.odd != nil:
				odd = append(odd, m.odd.Error())
			case m.then != "":
				changed = append(changed, m.it)
			}
		}
		if err != nil {
			return changed, claims, odd, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(batches)) {
		if err := p.finish(ctx, id); err != nil {
			return changed, claims, odd, err
		}
	}
	return changed, claims, odd, nil
}

// find returns batch/claim of each answer, and the payments themselves where many were read at once, by ID: an answer
// of a bank is mostly about one batch, which the first payment tells.
func (p *Payout) find(ctx context.Context, results []Result) (held []string, known map[string]move, err error) {
	held, known = make([]string, len(results)), map[string]move{}
	left := make([]int, len(results))
	for i := range left {
		left[i] = i
	}
	name := func(ctx context.Context, i int) error {
		e, _, err := p.Store.Get(ctx, idPrefix+results[i].ID)
		held[i] = string(e.Value)
		return err
	}
	for len(left) > 1 {
		first := left[0]
		if err := name(ctx, first); err != nil {
			return nil, nil, err
		}
		batch, _, ours := strings.Cut(held[first], "/")
		if !ours {
			break // each of the others is asked for
		}
		all, err := p.payments(ctx, batch)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range all {
			known[m.it.ID] = m
		}
		left = slices.DeleteFunc(left, func(i int) bool {
			m, ok := known[results[i].ID]
			if ok {
				held[i] = batch + "/" + m.it.Claim
			}
			return ok || i == first
		})
	}
	return held, known, kv.Together(ctx, len(left), func(ctx context.Context, i int) error { return name(ctx, left[i]) })
}

// errOdd is an answer that fits nothing.
var errOdd = errors.New("odd answer")

// answers applies a part of answers together; one by one, to the payments as they are now, when somebody else answers
// one of them at once.
func (p *Payout) answers(ctx context.Context, x *part, known map[string]move, now time.Time) ([]move, error) {
	moves, err := p.answer(ctx, x, known, now)
	if !errors.Is(err, kv.ErrConflict) {
		return moves, err
	}
	moves = nil
	for i := range x.results {
		one, err := p.answer(ctx, &part{x.b, x.claims[i : i+1], x.results[i : i+1]}, nil, now)
		if err != nil {
			return nil, err
		}
		moves = append(moves, one...)
	}
	return moves, nil
}

// answer is answers in one go. What it is about to do is written first, so that of two
// answers that differ only one goes ahead, and a crash is gone on with.
func (p *Payout) answer(ctx context.Context, x *part, known map[string]move, now time.Time) ([]move, error) {
	b, results := x.b, x.results
	moves := make([]move, len(results))
	if err := kv.Together(ctx, len(results), func(ctx context.Context, i int) error {
		var ok bool
		if moves[i], ok = known[results[i].ID]; ok {
			return nil
		}
		var err error
		moves[i].it, moves[i].at, err = p.item(ctx, b.ID, x.claims[i])
		return err
	}); err != nil {
		return nil, err
	}
	var goes []move
	var at []int
	var t kv.Txn
	for i := range moves {
		m, r := &moves[i], &results[i]
		next, err := m.it.on(r.Done)
		if r.Whole && next == Returning {
			err = errOdd
		}
		if err != nil {
			m.odd = fmt.Errorf("%w: payment %s of claim %s is %s (%s), and is now said to be otherwise: look at it", err, r.ID, m.it.Claim, m.it.State, m.it.Code)
		}
		if err != nil || next == "" {
			continue
		}
		if next != m.it.State {
			m.it.State, m.it.Code, m.it.Detail, m.it.Settled = next, r.Code, r.Detail, now.UTC()
			value, err := json.Marshal(storedItem{1, m.it})
			if err != nil {
				return nil, fmt.Errorf("write %s: %w", r.ID, err)
			}
			t.If = append(t.If, kv.Cond{Key: m.at.Key, Modified: m.at.Modified})
			t.Do = append(t.Do, kv.Op{Key: m.at.Key, Value: value})
		}
		goes, at = append(goes, *m), append(at, i)
	}
	if len(goes) == 0 {
		return moves, nil
	}
	if len(t.Do) > 0 {
		rev, err := p.Store.Commit(ctx, t)
		if err != nil {
			return nil, err
		}
		for i := range goes {
			if slices.ContainsFunc(t.If, func(c kv.Cond) bool { return c.Key == goes[i].at.Key }) {
				goes[i].at.Modified = rev
			}
		}
	}
	for i := range goes {
		m := &goes[i]
		entry := b.entry(&m.it, "posted", b.SentAt, bankSays, Clearing(b.ID), Bank(b.Bank))
		m.then = Posted
		switch m.it.State {
		case Voiding:
			entry, m.then = b.entry(&m.it, "void", b.SentAt, bankSays, Clearing(b.ID), Claimant(m.it.Claim)), Voided
		case Returning:
			entry, m.then = b.entry(&m.it, "returned", b.SentAt, bankSays, Bank(b.Bank), Claimant(m.it.Claim)), Voided
		case Open, Posting, Posted, Voided:
		}
		if b.Form != policy.Extension {
			m.entry = &entry
		}
	}
	if err := p.end(ctx, b.ID, goes); err != nil {
		return nil, err
	}
	for i := range goes {
		goes[i].it.State = goes[i].then
		moves[at[i]] = goes[i]
	}
	return moves, nil
}

// on is where a payment goes when its bank says done, or not; empty: it is there.
func (it *Item) on(done bool) (ItemState, error) {
	switch {
	case done && it.State == Posted, !done && it.State == Voided:
		return "", nil
	case done && (it.State == Open || it.State == Posting):
		return Posting, nil
	case !done && (it.State == Open || it.State == Voiding):
		return Voiding, nil
	case !done && (it.State == Posted || it.State == Returning):
		return Returning, nil
	}
	return "", errOdd
}

// settle writes items that ended; a claim that is owed again may go into another batch.
func (p *Payout) settle(ctx context.Context, batch string, moves []move) error {
	held := make([]kv.Entry, len(moves))
	if err := kv.Together(ctx, len(moves), func(ctx context.Context, i int) error {
		if moves[i].then != Voided {
			return nil
		}
		e, ok, err := p.Store.Get(ctx, holderPrefix+moves[i].it.Claim)
		if ok && string(e.Value) == batch {
			held[i] = e
		}
		return err
	}); err != nil {
		return err
	}
	var t kv.Txn
	for i := range moves {
		m := &moves[i]
		if m.it.State == m.then && held[i].Key == "" {
			continue // it ended before
		}
		m.it.State = m.then
		value, err := json.Marshal(storedItem{1, m.it})
		if err != nil {
			return fmt.Errorf("write %s: %w", m.it.ID, err)
		}
		t.If = append(t.If, kv.Cond{Key: m.at.Key, Modified: m.at.Modified})
		t.Do = append(t.Do, kv.Op{Key: m.at.Key, Value: value})
		if held[i].Key != "" {
			t.If = append(t.If, kv.Cond{Key: held[i].Key, Modified: held[i].Modified})
			t.Do = append(t.Do, kv.Op{Key: held[i].Key, Delete: true})
		}
	}
	if len(t.Do) == 0 {
		return nil
	}
	if _, err := p.Store.Commit(ctx, t); err != nil {
		return fmt.Errorf("write %d payments of %s: %w", len(moves), batch, err)
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
	all, err := p.payments(ctx, batch)
	out := make([]Item, len(all))
	for i := range all {
		out[i] = all[i].it
	}
	return out, err
}

// payments are the items of a batch as they stand in the store.
func (p *Payout) payments(ctx context.Context, batch string) ([]move, error) {
	all, _, err := p.Store.List(ctx, itemPrefix+batch+"/")
	if err != nil {
		return nil, fmt.Errorf("list payments of %s: %w", batch, err)
	}
	out := make([]move, 0, len(all))
	for _, e := range all {
		var s storedItem
		if err := decode(e, &s, &s.V); err != nil {
			return nil, err
		}
		out = append(out, move{it: s.Item, at: e})
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
	_, err := p.takeOver(ctx, b, e)
	return err
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
