package settle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/internal/lang"
)

// A Reconciliation holds claims, book and batches against one another.
type Reconciliation struct {
	Incident string   `json:"incident"`
	Currency string   `json:"currency"`
	Granted  int64    `json:"granted"`  // to claimants; what extensions cost is not among it
	Owed     int64    `json:"owed"`     // and not on its way
	Clearing int64    `json:"clearing"` // on its way
	Paid     int64    `json:"paid"`
	Wrong    []string `json:"wrong"` // a sentence each; empty: all agrees to the won
	Open     []string `json:"open"`  // what is still to be done, a sentence each
}

// mostSaid is how many sentences of one kind are told.
const mostSaid = 20

// A teller collects sentences by kind, so that a thousand alike do not hide another.
type teller struct {
	said map[string]int
	out  []string
}

func (t *teller) say(kind, format string, args ...any) {
	if t.said == nil {
		t.said = map[string]int{}
	}
	if t.said[kind]++; t.said[kind] <= mostSaid {
		t.out = append(t.out, fmt.Sprintf(format, args...))
	}
}

func (t *teller) all() []string {
	out := append([]string{}, t.out...)
	for _, kind := range slices.Sorted(maps.Keys(t.said)) {
		if n := t.said[kind] - mostSaid; n > 0 {
			out = append(out, fmt.Sprintf("and %s more: %s", lang.Number(int64(n)), kind))
		}
	}
	return out
}

// A books is what the entries of an incident sum to.
type books struct {
	granted map[string]int64            // by claim
	bank    map[string]map[string]int64 // by batch, from its clearing to a bank: by claim
	clear   map[string]int64            // by batch
	all     map[Account]int64           // of the whole book
}

// Reconcile goes over the whole book, every claim of the incident and every batch. Who writes meanwhile makes it
// say that something is wrong which is only under way: it looks twice before it says so.
func (c *Cashier) Reconcile(ctx context.Context, incident string) (Reconciliation, error) {
	var r Reconciliation
	for range 2 {
		var err error
		if r, err = c.reconcile(ctx, incident); err != nil || len(r.Wrong) == 0 {
			return r, err
		}
	}
	return r, nil
}

func (c *Cashier) reconcile(ctx context.Context, incident string) (Reconciliation, error) {
	r := Reconciliation{Incident: incident}
	var wrong, open teller
	claims := map[string]claim.Claim{}
	var ids []string
	currencies := map[string]int{}
	if err := c.Ledger.Each(ctx, incident, func(x claim.Claim) error {
		claims[x.ID] = x
		ids = append(ids, x.ID)
		currencies[currencyOf(&x)]++
		return nil
	}); err != nil {
		return r, err
	}
	for _, currency := range slices.Sorted(maps.Keys(currencies)) {
		if r.Currency == "" || currencies[currency] > currencies[r.Currency] {
			r.Currency = currency
		}
	}
	if len(currencies) > 1 {
		wrong.say("currency", "claims are in %s: only %s is reconciled here", strings.Join(slices.Sorted(maps.Keys(currencies)), ", "), r.Currency)
	}
	k, err := c.books(ctx, incident, r.Currency, &wrong)
	if err != nil {
		return r, err
	}
	moves, err := c.batches(ctx, incident, k, &wrong, &open)
	if err != nil {
		return r, err
	}
	for _, m := range moves.paid {
		r.Paid += m
	}
	for _, m := range moves.reserved {
		r.Clearing += m
	}
	for _, id := range slices.Sorted(maps.Keys(k.granted)) {
		owed := -k.all[Claimant(id)]
		r.Granted += k.granted[id]
		r.Owed += owed
		if want := k.granted[id] - moves.paid[id] - moves.reserved[id]; want != owed {
			wrong.say("claims that are owed another amount than what was granted less what was paid", "claim %s: %s was granted, %s paid, %s is on its way, and the book owes %s, not %s",
				id, lang.Number(k.granted[id]), lang.Number(moves.paid[id]), lang.Number(moves.reserved[id]), lang.Number(owed), lang.Number(want))
		}
		if _, ok := claims[id]; !ok {
			wrong.say("entries about claims that are not there", "the book grants %s to claim %s, which the ledger does not have", lang.Number(k.granted[id]), id)
		}
	}
	if r.Granted != r.Owed+r.Clearing+r.Paid {
		wrong.say("sums", "%s was granted; owed, on its way and paid are %s together", lang.Number(r.Granted), lang.Number(r.Owed+r.Clearing+r.Paid))
	}
	if err := c.states(ctx, incident, ids, claims, k, moves, &wrong, &open); err != nil {
		return r, err
	}
	r.Wrong, r.Open = wrong.all(), open.all()
	return r, nil
}

// books goes over every entry once.
func (c *Cashier) books(ctx context.Context, incident, currency string, wrong *teller) (*books, error) {
	k := &books{granted: map[string]int64{}, bank: map[string]map[string]int64{}, clear: map[string]int64{}, all: map[Account]int64{}}
	if err := c.Book.Each(ctx, "", func(e Entry) error {
		if err := e.Check(); err != nil {
			wrong.say("entries that no book takes", "%v", err)
		}
		if e.Currency != currency {
			return nil
		}
		var batch string
		grants := false
		for _, l := range e.Lines {
			k.all[l.Account] += l.Amount
			kind, rest, _ := strings.Cut(string(l.Account), "/")
			switch kind {
			case "batch":
				batch = rest
			case "expense":
				grants = grants || strings.HasPrefix(rest, incident+"/")
			}
		}
		for _, l := range e.Lines {
			kind, rest, _ := strings.Cut(string(l.Account), "/")
			switch {
			case kind == "claimant" && grants:
				k.granted[rest] -= l.Amount
			case kind == "batch":
				k.clear[rest] -= l.Amount
			case kind == "bank" && batch != "":
				if k.bank[batch] == nil {
					k.bank[batch] = map[string]int64{}
				}
				k.bank[batch][e.About.Claim] -= l.Amount
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	have, err := c.Book.Balances(ctx, "", currency)
	if err != nil {
		return nil, err
	}
	var total int64
	seen := map[Account]bool{}
	for _, l := range have {
		total += l.Amount
		seen[l.Account] = true
		if k.all[l.Account] != l.Amount {
			wrong.say("balances that are not the sum of their lines", "%s says %s, its lines sum to %s", l.Account, lang.Number(l.Amount), lang.Number(k.all[l.Account]))
		}
	}
	for _, a := range slices.Sorted(maps.Keys(k.all)) {
		if k.all[a] != 0 && !seen[a] {
			wrong.say("balances that are not the sum of their lines", "%s says nothing, its lines sum to %s", a, lang.Number(k.all[a]))
		}
	}
	if total != 0 {
		wrong.say("sums", "all accounts together hold %s %s, not zero", lang.Number(total), currency)
	}
	return k, nil
}

// payments are what batches say of each claim.
type payments struct {
	paid, reserved map[string]int64
}

// batches holds what batches say against the book.
func (c *Cashier) batches(ctx context.Context, incident string, k *books, wrong, open *teller) (*payments, error) {
	m := &payments{paid: map[string]int64{}, reserved: map[string]int64{}}
	all, err := c.Batches(ctx, incident)
	if err != nil {
		return nil, err
	}
	for i := range all {
		b := &all[i]
		items, err := c.payout().Items(ctx, b.ID)
		if err != nil {
			return nil, err
		}
		if b.State != Drafting && b.State != Dropped { // which may have been given up half way
			if err := b.holds(items); err != nil {
				wrong.say("batches", "%v", err)
			}
		}
		switch b.State {
		case Drafting:
			open.say("batches", "batch %s is still being drafted: draft it again to go on, or drop it", b.ID)
		case Drafted:
			open.say("batches", "batch %s of %s waits for a second person", b.ID, lang.Number(b.Total))
		case Pending:
			open.say("batches", "batch %s of %s waits to be sent", b.ID, lang.Number(b.Total))
		case Sent:
			open.say("batches", "batch %s of %s waits for the bank's answer since %s", b.ID, lang.Number(b.Total), b.SentAt.In(c.zone()).Format("2006-01-02"))
		case Settled, Dropped:
		}
		if b.Form == policy.Extension {
			continue
		}
		var clearing int64
		for j := range items {
			it := &items[j]
			state, err := c.booked(ctx, it)
			if err != nil {
				return nil, err
			}
			switch {
			case state == Posted:
				m.paid[it.Claim] += it.Amount
				if got := k.bank[b.ID][it.Claim]; got != it.Amount {
					wrong.say("payments that the book does not have", "batch %s paid %s to claim %s, and the book says %s", b.ID, lang.Number(it.Amount), it.Claim, lang.Number(got))
				}
			case b.State == Pending || b.State == Sent:
				if state != Voided {
					m.reserved[it.Claim] += it.Amount
					clearing += it.Amount
				}
			}
			switch it.State {
			case Posting, Voiding, Returning:
				open.say("payments", "the answer to the payment of claim %s in batch %s was not booked to the end: mend it", it.Claim, b.ID)
			case Open, Posted, Voided:
			}
		}
		if k.clear[b.ID] != clearing {
			wrong.say("batches whose clearing is another amount", "batch %s has %s on its way, the book says %s", b.ID, lang.Number(clearing), lang.Number(k.clear[b.ID]))
		}
	}
	return m, nil
}

// booked is how far the book is with a payment whose answer was begun and not ended.
func (c *Cashier) booked(ctx context.Context, it *Item) (ItemState, error) {
	var phase string
	var before, after ItemState
	switch it.State {
	case Posting:
		phase, before, after = "posted", Open, Posted
	case Voiding:
		phase, before, after = "void", Open, Voided
	case Returning:
		phase, before, after = "returned", Posted, Voided
	case Open, Posted, Voided:
		return it.State, nil
	}
	_, err := c.Book.Entry(ctx, it.ID+"."+phase)
	if errors.Is(err, ErrNotFound) {
		return before, nil
	}
	return after, err
}

// states holds the states of claims against their decisions and payments.
func (c *Cashier) states(ctx context.Context, incident string, ids []string, claims map[string]claim.Claim, k *books, m *payments, wrong, open *teller) error {
	grants, err := c.grants(ctx, incident)
	if err != nil {
		return err
	}
	batches, err := c.payout().Batches(ctx)
	if err != nil {
		return err
	}
	off := make([]string, len(ids))
	if err := kv.Together(ctx, len(ids), func(ctx context.Context, i int) error {
		x := claims[ids[i]]
		event, err := c.led(ctx, &x, batches, "reconciliation")
		was := claims[ids[i]].State
		if err == nil && event.What != "" { // the list may be old
			if x, err = c.Ledger.Claim(ctx, x.ID); err != nil {
				return err
			}
			was = x.State
			event, err = c.led(ctx, &x, batches, "reconciliation")
		}
		if event.What != "" {
			off[i] = fmt.Sprintf("claim %s is %s and should be %s (%s): mend it", x.ID, was, x.State, event.Why)
		}
		return err
	}); err != nil {
		return err
	}
	ungranted := 0
	for i, id := range ids {
		x := claims[id]
		if off[i] != "" {
			wrong.say("claims in another state than their payment", "%s", off[i])
		}
		g := grants[id]
		ends := x.State == claim.Withdrawn || x.State == claim.Merged || x.State == claim.Decided
		if forgotten, err := c.forgotten(ctx, &x); err != nil {
			return err
		} else if forgotten {
			ends = false
		}
		switch {
		case g != nil && len(g.Pending) > 0:
			open.say("grants", "what claim %s is granted was not posted to the end: grant again", id)
		case ends && m.paid[id] > 0:
			wrong.say("claims that were paid and are not to be", "claim %s is %s, and %s was paid for it", id, x.State, lang.Number(m.paid[id]))
		case ends && g != nil && !g.Undone:
			open.say("grants", "claim %s is %s, and what it was granted is to be reversed: grant again", id, x.State)
		case final(&x) && x.Decision.Outcome == policy.Pay && x.State != claim.Decided:
			d, err := decisionOf(&x)
			if err != nil {
				return err
			}
			if g == nil || g.Digest != d.digest || g.Undone {
				ungranted++
			} else if g.Entry != "" && x.Decision.Form != policy.Extension && k.granted[id] != g.Amount {
				wrong.say("claims that the book grants another amount", "claim %s was decided %s, and the book grants %s", id, lang.Number(g.Amount), lang.Number(k.granted[id]))
			}
		}
	}
	if ungranted > 0 {
		open.say("grants", "%s decided claims are not in the book yet: grant", lang.Number(int64(ungranted)))
	}
	return nil
}

// Mend ends what was begun and not ended by a process that died: reservations, answers of a bank, batches that
// were given up; and brings the states of claims in line with their payments. It says what it did to
// claims, a sentence each. It begins nothing.
func (c *Cashier) Mend(ctx context.Context, incident, by string) ([]string, error) {
	if by == "" {
		return nil, errors.New("mend: who does it is missing")
	}
	var t teller
	all, err := c.Batches(ctx, incident)
	if err != nil {
		return nil, err
	}
	for i := range all {
		switch b := &all[i]; b.State {
		case Pending:
			if err := c.payout().reserve(ctx, *b); err != nil {
				return t.all(), err
			}
		case Dropped:
			if err := c.payout().giveBack(ctx, *b); err != nil {
				return t.all(), err
			}
		case Sent, Settled:
			if err := c.answered(ctx, b); err != nil {
				return t.all(), err
			}
		case Drafting, Drafted:
		}
	}
	var ids []string
	was := map[string]claim.State{}
	if err := c.Ledger.Each(ctx, incident, func(x claim.Claim) error {
		ids = append(ids, x.ID)
		was[x.ID] = x.State
		return nil
	}); err != nil {
		return t.all(), err
	}
	changed, err := c.follow(ctx, ids, by)
	for i := range changed {
		x := &changed[i]
		t.say("claims", "claim %s was %s and is %s now, as its payment says", x.ID, was[x.ID], x.State)
	}
	return t.all(), err
}

// answered books answers to the end that were begun.
func (c *Cashier) answered(ctx context.Context, b *Batch) error {
	items, err := c.payout().Items(ctx, b.ID)
	if err != nil {
		return err
	}
	var begun []Result
	for i := range items {
		switch it := &items[i]; it.State {
		case Posting, Voiding, Returning:
			begun = append(begun, Result{ID: it.ID, Done: it.State == Posting, Code: it.Code, Detail: it.Detail})
		case Open, Posted, Voided:
		}
	}
	if _, _, err := c.payout().Apply(ctx, begun, c.now()); err != nil {
		return err
	}
	return c.payout().finish(ctx, b.ID)
}
