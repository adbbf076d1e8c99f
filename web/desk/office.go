package desk

import (
	"context"
	"io"
	"iter"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/settle"
	"bongsu/status"
)

// An Office is what the desk asks of [claim.Office].
type Office interface {
	windowKeeper
	decider
	proxy
	policyKeeper
	giver
	body

	Retain(ctx context.Context) (int, error)
}

type windowKeeper interface {
	Windows(ctx context.Context) ([]claim.Window, error)
	Known(ctx context.Context, incident string) error
	Prepare(ctx context.Context, incident string, t claim.Template, by string) (claim.Window, error)
	Extend(ctx context.Context, incident string, until time.Time, by, why string) (claim.Window, error)
	Close(ctx context.Context, incident, by, why string) (claim.Window, error)
}

type decider interface {
	Case(ctx context.Context, c *claim.Claim) (policy.Case, error)
	Decide(ctx context.Context, id string, version int64, v claim.Verdict, by string) (claim.Claim, error)
	Confirm(ctx context.Context, id string, version int64, by string) (claim.Claim, error)
	Reject(ctx context.Context, id string, version int64, by, why string) (claim.Claim, error)
	Bulk(ctx context.Context, ids []string, v claim.Verdict, by string) []error
	ByPolicy(ctx context.Context, id string, version int64, by string) (claim.Claim, error)
	Merge(ctx context.Context, ids []string, into, by, why string) error
	Figures(ctx context.Context, id string, version int64, n claim.Figures, by, why string) (claim.Claim, error)
	ClearFlag(ctx context.Context, id, kind, by, why string) (claim.Claim, error)
	Flag(ctx context.Context, incident string) (int, error)
	Preview(ctx context.Context, incident string, progress func(done int)) (claim.Tally, error)
	DecideAll(ctx context.Context, incident, by string, progress func(done int)) (claim.Tally, error)
}

// A proxy does for a claimant what they asked for by phone or post.
type proxy interface {
	File(ctx context.Context, r claim.Report) (claim.Receipt, error)
	Import(ctx context.Context, incident string, rows []claim.Report, by string, dry bool) (claim.Import, error)
	Amend(ctx context.Context, id, secret, text, by string) (claim.Claim, error)
	SetBank(ctx context.Context, id, secret, bank, number, holder, by string) (claim.Claim, error)
	AddPaper(ctx context.Context, id, secret, kind, name string, data []byte, by string) (claim.File, error)
	Withdraw(ctx context.Context, id, secret, by string) (claim.Claim, error)
	Appeal(ctx context.Context, id, secret, text, by string) (claim.Claim, error)
}

type policyKeeper interface {
	Submit(ctx context.Context, incident string, text []byte, by string) (claim.Draft, error)
	Approve(ctx context.Context, incident, id, digest, by string) (claim.Draft, error)
	Drafts(ctx context.Context, incident string) ([]claim.Draft, error)
	Active(ctx context.Context, incident string) (*policy.Policy, error)
	Compare(ctx context.Context, incident string, drafts []*policy.Policy) (policy.Comparison, error)
}

// A giver gives what nobody asked for.
type giver interface {
	WouldGive(ctx context.Context, incident string, accounts iter.Seq2[policy.Account, error], by string) (claim.Handout, error)
	Unasked(ctx context.Context, incident string, accounts iter.Seq2[policy.Account, error], by string, progress func(done int)) (claim.Handout, error)
	Handouts(ctx context.Context, incident string) ([]claim.Handout, error)
}

type body interface {
	Sessions(ctx context.Context, incident string) ([]claim.Session, error)
	SaveSession(ctx context.Context, s claim.Session, by string) (claim.Session, error)
	Comment(ctx context.Context, incident, session, question, text, by string) error
	Vote(ctx context.Context, incident, session, question, vote, by string) error
	Publish(ctx context.Context, incident, session string, version int64, by string) error
	Dataset(ctx context.Context, incident string, w io.Writer) error
}

// A Cashier is what the desk asks of [settle.Cashier].
type Cashier interface {
	Grant(ctx context.Context, incident, by string, progress func(done int)) (settle.Granted, error)
	Draft(ctx context.Context, incident string, form policy.Form, bank, id, by string, limit int) (settle.Batch, error)
	Approve(ctx context.Context, batch, by string) (settle.Batch, error)
	Sent(ctx context.Context, batch, by string) (settle.Batch, error)
	Drop(ctx context.Context, batch, by, why string) (settle.Batch, error)
	Batches(ctx context.Context, incident string) ([]settle.Batch, error)
	File(ctx context.Context, batch, format, who string, w io.Writer) (name string, err error)
	Results(ctx context.Context, data []byte, by string) (settle.Answered, error)
	Batch(ctx context.Context, id string) (settle.Batch, []settle.Item, error)
	Missing(ctx context.Context, incident string, form policy.Form) ([]string, error)
	Again(ctx context.Context, id, by, why string) (claim.Claim, error)
	Erase(ctx context.Context, id, by, why string) error
	Mend(ctx context.Context, incident, by string) ([]string, error)
	Reconcile(ctx context.Context, incident string) (settle.Reconciliation, error)
	Issued(ctx context.Context, id string) ([]settle.Coupon, error)
	Codes(ctx context.Context, id, who, why string) ([]settle.Coupon, error)
}

// Questions are those of readers, as [status.Desk] keeps them.
type Questions interface {
	Questions(ctx context.Context) ([]status.Question, error)
	Reply(ctx context.Context, id, question string, answer status.Text, by string) error
	Approve(ctx context.Context, id string, seen time.Time, by string) error
	Drop(ctx context.Context, id, why, by string) error
}
