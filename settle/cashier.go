package settle

import (
	"context"
	"errors"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/incident"
	"bongsu/internal/kv"
)

// Errors of a [Cashier] that callers branch on, beside those of the [Book] and the [Payout].
var (
	ErrNothing = errors.New("nothing is to be paid")
	ErrBudget  = errors.New("the budget of the policy would be exceeded")
	ErrPayee   = errors.New("where it goes is not known") // no bank account, or no account of the company's own
	ErrBank    = errors.New("money leaves from no such account")
	ErrFormat  = errors.New("no such file of this batch")
	ErrPack    = errors.New("the pack cannot be made")
	ErrAnswer  = errFile // the bank's answer cannot be read; nothing of it was applied
)

// A Vault answers what the cashier needs of sealed data without showing them to
// anybody. Both ledgers are one.
type Vault interface {
	// Salts derives a salt for what each claim commits to, by the claim's ID, from the
	// key of the claim: it is gone with the key. Claims without a key are left out.
	Salts(ctx context.Context, about map[string]string) (map[string][]byte, error)
	// Banked says which claims name a bank account.
	Banked(ctx context.Context, ids []string) (map[string]bool, error)
}

var _ Vault = (*claim.Keeper)(nil)

// A Cashier brings decided claims through the book to those who are owed, and back: it is what the desk and
// the command line use of this package. Every call may be repeated after a crash at any point, by any process.
type Cashier struct {
	Store   kv.Store
	Ledger  claim.Ledger // which is a [Vault] too
	Book    Book
	Log     *Log                                                      // of commitments; nil: none is kept
	Faults  func(incident string) []incident.Fault                    // the domains that failed, and who operates them, for recourse; nil or none: not known
	Outages func(incident string) (claim.Outages, bool)               // as of [claim.Office], for the hours of ledger lines; nil: they have none
	Budget  func(ctx context.Context, incident string) (int64, error) // of the active policy, at cost; nil or 0: none
	Doubts  func(ctx context.Context, incident string) (int, error)   // [claim.Office.Flag]: before money is drafted; nil: nobody looks
	Banks   map[string]Debtor                                         // the company's own accounts, by name: money leaves from one of them
	Coupons []byte                                                    // the key of coupon codes, at least 16 bytes; nil: no coupons are written
	Memo    string                                                    // what stands on statements; empty: 서비스 장애 보상
	Zone    func() *time.Location                                     // of the days on files and pages; nil: UTC
	Now     func() time.Time                                          // nil: time.Now
}

func (c *Cashier) now() time.Time {
	if c.Now == nil {
		return time.Now().UTC().Round(0)
	}
	return c.Now().UTC().Round(0)
}

// zone is where a day begins for those who pay.
func (c *Cashier) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone()
}

func (c *Cashier) payout() *Payout { return &Payout{Store: c.Store, Book: c.Book} }

// errVault is what a ledger that keeps no keys is told.
var errVault = errors.New("this ledger holds no keys of claims: neither salts nor bank accounts can be had of it")

func (c *Cashier) vault() (Vault, error) {
	v, ok := c.Ledger.(Vault)
	if !ok {
		return nil, errVault
	}
	return v, nil
}

// forms are the forms that are given, in which batches are made.
func forms() []policy.Form {
	return []policy.Form{policy.Money, policy.Credit, policy.Points, policy.Coupon, policy.Extension}
}
