package settle

import (
	"context"
	"errors"
	"io"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

var errTodo = errors.New("not implemented")

// A Cashier brings decided claims through the book to those who are owed, and back: it is what the desk and
// the command line use of this package.
type Cashier struct {
	Store  kv.Store
	Ledger claim.Ledger
	Book   Book
	Log    *Log                         // of commitments; nil: none is kept
	Domain func(incident string) string // the domain that failed, for recourse; nil or empty: not known
	Now    func() time.Time             // nil: time.Now
}

// Granted says what [Cashier.Grant] did.
type Granted struct {
	Claims int   `json:"claims"`
	Amount int64 `json:"amount"`
}

// Grant posts what was decided to the book, once for each decision, and the commitment to each decision
// to the log. A decision that was changed since is reversed and posted anew. It may be repeated.
func (c *Cashier) Grant(ctx context.Context, incident, by string, progress func(done int)) (Granted, error) {
	return Granted{}, errTodo
}

// Draft makes a batch of what approved claims of an incident are owed in one form, at most limit of them (0: all).
// Claims go to state Paying with it.
func (c *Cashier) Draft(ctx context.Context, incident string, form policy.Form, bank, id, by string, limit int) (Batch, error) {
	return Batch{}, errTodo
}

// Approve, Sent and Drop are those of [Payout], with the claims' states.
func (c *Cashier) Approve(ctx context.Context, batch, by string) (Batch, error) {
	return Batch{}, errTodo
}

// Sent says that the file went to the bank.
func (c *Cashier) Sent(ctx context.Context, batch, by string) (Batch, error) { return Batch{}, errTodo }

// Drop gives a batch up that was never sent.
func (c *Cashier) Drop(ctx context.Context, batch, by, why string) (Batch, error) {
	return Batch{}, errTodo
}

// Batches returns every batch of an incident, the newest first.
func (c *Cashier) Batches(ctx context.Context, incident string) ([]Batch, error) { return nil, errTodo }

// File writes the file of a batch: format is csv, pain.001, credit (on bills), coupon or points. Payee data are looked at for
// it, which is written down under who.
func (c *Cashier) File(ctx context.Context, batch, format, who string, w io.Writer) (name string, err error) {
	return "", errTodo
}

// Answered says what [Cashier.Results] did.
type Answered struct {
	Paid     int      `json:"paid"`
	Returned int      `json:"returned"` // back at the desk
	Odd      []string `json:"odd"`      // answers that fit nothing
}

// Results takes the bank's answer: pain.002 or the result CSV, told apart by themselves.
func (c *Cashier) Results(ctx context.Context, data []byte, by string) (Answered, error) {
	return Answered{}, errTodo
}

// A Reconciliation holds claims, book and batches against one another.
type Reconciliation struct {
	Incident string   `json:"incident"`
	Currency string   `json:"currency"`
	Granted  int64    `json:"granted"`
	Owed     int64    `json:"owed"`
	Clearing int64    `json:"clearing"`
	Paid     int64    `json:"paid"`
	Wrong    []string `json:"wrong"` // a sentence each; empty: all agrees to the won
}

// Reconcile goes over the whole book.
func (c *Cashier) Reconcile(ctx context.Context, incident string) (Reconciliation, error) {
	return Reconciliation{}, errTodo
}

// Statistics of an incident, no group smaller than [Smallest].
func (c *Cashier) Statistics(ctx context.Context, incident string) (Statistics, error) {
	return Statistics{}, errTodo
}

// Prove returns the proof that the decision on a claim is in the log, with the bytes it commits to, for who
// holds its receipt.
func (c *Cashier) Prove(ctx context.Context, id string) (Proof, []byte, error) {
	return Proof{}, nil, errTodo
}
