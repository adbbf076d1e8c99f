package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/claim/policy"
)

// Errors that callers branch on.
var (
	ErrUnbalanced = errors.New("the entry does not sum to zero")
	ErrReused     = errors.New("an entry of this ID was posted with other content")
	ErrOverdrawn  = errors.New("the account would be overdrawn")
	ErrNotFound   = errors.New("no such entry")
)

// An Account is a name of the book: a kind, then what it belongs to.
type Account string

// Expense is what an incident costs, by legal ground.
func Expense(incident string, g policy.Ground) Account {
	return Account("expense/" + incident + "/" + string(g))
}

// Claimant is what is owed to the claimant of a claim, or the holder of an account.
func Claimant(claim string) Account { return Account("claimant/" + claim) }

// Clearing is what a batch of payments has on its way.
func Clearing(batch string) Account { return Account("batch/" + batch) }

// Bank is an account that payments leave from, by its name or by the form of what is
// given: coupons and points leave one too.
func Bank(name string) Account { return Account("bank/" + name) }

// owed reports whether the account may never be drawn below what was owed: nobody is
// paid what nobody decided, and no batch sends on what did not come in.
func (a Account) owed() bool {
	return strings.HasPrefix(string(a), "claimant/") || strings.HasPrefix(string(a), "batch/")
}

// A Line of an entry: what goes to an account, or with a minus, from it.
type Line struct {
	Account Account `json:"account"`
	Amount  int64   `json:"amount"` // minor units
}

// An Entry is one immutable posting. Its lines sum to zero.
type Entry struct {
	ID       string    `json:"id"` // posting it again does nothing
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Why      string    `json:"why"`
	Currency string    `json:"currency"`
	Lines    []Line    `json:"lines"`
	Reverses string    `json:"reverses,omitempty"`
	About    About     `json:"about,omitzero"`
}

// About says why an amount was given, for recourse.
type About struct {
	Incident string        `json:"incident,omitempty"`
	Claim    string        `json:"claim,omitempty"`
	Service  string        `json:"service,omitempty"`
	Domain   string        `json:"domain,omitempty"` // that failed
	Ground   policy.Ground `json:"ground,omitempty"`
	Policy   string        `json:"policy,omitempty"` // name@version
	Rule     string        `json:"rule,omitempty"`
	Form     policy.Form   `json:"form,omitempty"`
	Face     int64         `json:"face,omitempty"`
	Cost     int64         `json:"cost,omitempty"`
	Hours    int64         `json:"hours,omitempty"` // that the service was down
}

// A Book keeps entries. Every Post is all or nothing.
type Book interface {
	// Post keeps the entries. One that is there already with the same content is left
	// alone; with other content it is [ErrReused].
	Post(ctx context.Context, entries ...Entry) error
	// Balance returns what an account holds, in one currency.
	Balance(ctx context.Context, a Account, currency string) (int64, error)
	// Entry returns one entry, or [ErrNotFound].
	Entry(ctx context.Context, id string) (Entry, error)
	// Each visits the entries that touch accounts below prefix, in order of account and
	// ID; all entries, in order of ID, when prefix is empty.
	Each(ctx context.Context, prefix Account, visit func(Entry) error) error
	// Balances returns the accounts below prefix that are not zero, by name.
	Balances(ctx context.Context, prefix Account, currency string) ([]Line, error)
}

// largest is the most that one line may hold: a billion billions, so that sums of
// many lines stay far from what fits into 64 bits.
const largest = 1_000_000_000_000_000

// Check reports what no book takes: an entry that does not sum to zero, without ID,
// author or reason, with an amount that is zero or absurd, or an account twice.
func (e *Entry) Check() error {
	switch {
	case e.ID == "" || strings.ContainsAny(e.ID, "/ \n\x00") || len(e.ID) > 200:
		return fmt.Errorf("entry ID %q: expected up to 200 characters without / and spaces", e.ID)
	case e.By == "" || e.Why == "":
		return fmt.Errorf("entry %s: who posts it, and why, are missing", e.ID)
	case len(e.Currency) != 3:
		return fmt.Errorf("entry %s: currency %q: expected three letters", e.ID, e.Currency)
	case len(e.Lines) < 2 || len(e.Lines) > 100:
		return fmt.Errorf("entry %s has %d lines: expected 2 to 100", e.ID, len(e.Lines))
	case e.At.IsZero():
		return fmt.Errorf("entry %s has no time", e.ID)
	}
	var sum int64
	for i, l := range e.Lines {
		if kind, rest, ok := strings.Cut(string(l.Account), "/"); !ok || rest == "" || !slices.Contains(kinds(), kind) || strings.ContainsAny(rest, " \n\x00") {
			return fmt.Errorf("entry %s: account %q: expected one of %s, then a name", e.ID, l.Account, strings.Join(kinds(), "/…, ")+"/…")
		}
		if l.Amount == 0 || l.Amount > largest || l.Amount < -largest {
			return fmt.Errorf("entry %s: %d to %s: expected an amount from 1 to %d, or less than zero", e.ID, l.Amount, l.Account, int64(largest))
		}
		if slices.ContainsFunc(e.Lines[:i], func(o Line) bool { return o.Account == l.Account }) {
			return fmt.Errorf("entry %s names %s twice", e.ID, l.Account)
		}
		sum += l.Amount
	}
	if sum != 0 {
		return fmt.Errorf("%w: entry %s sums to %d", ErrUnbalanced, e.ID, sum)
	}
	return nil
}

func kinds() []string {
	return []string{"expense", "claimant", "batch", "bank", "counterparty", "recourse"}
}

// Reversal is the entry that undoes e.
func (e *Entry) Reversal(at time.Time, by, why string) Entry {
	r := Entry{ID: e.ID + ".reversed", At: at, By: by, Why: why, Currency: e.Currency, Reverses: e.ID, About: e.About}
	for _, l := range e.Lines {
		r.Lines = append(r.Lines, Line{l.Account, -l.Amount})
	}
	return r
}
