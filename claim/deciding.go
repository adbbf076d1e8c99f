package claim

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"bongsu/claim/policy"
)

var errTodo = errors.New("not implemented")

// A Verdict is what a person at the desk decides.
type Verdict struct {
	Outcome  policy.Outcome    `json:"outcome"` // Pay, Refuse; Human: papers are asked for
	Form     policy.Form       `json:"form,omitempty"`
	Amount   int64             `json:"amount"`
	Cost     int64             `json:"cost"`
	Hours    int64             `json:"hours,omitempty"`
	Ground   policy.Ground     `json:"ground,omitempty"`
	Reason   map[string]string `json:"reason"` // what the claimant reads, by language
	Evidence []string          `json:"evidence,omitempty"`
	Why      string            `json:"why"` // for the record
}

// A Proposal is a verdict that waits for a second person.
type Proposal struct {
	Verdict

	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Decide decides one claim that was read at this version. Above the limit of the policy the
// verdict becomes a [Proposal]; an appeal is decided by another person than who decided before ([ErrSame]).
func (o *Office) Decide(ctx context.Context, id string, version int64, v Verdict, by string) (Claim, error) {
	return Claim{}, errTodo
}

// Confirm makes a proposal the decision; by is another person ([ErrSame]).
func (o *Office) Confirm(ctx context.Context, id string, version int64, by string) (Claim, error) {
	return Claim{}, errTodo
}

// Reject sends a proposal back to the desk.
func (o *Office) Reject(ctx context.Context, id string, version int64, by, why string) (Claim, error) {
	return Claim{}, errTodo
}

// Bulk decides several claims alike; the errors answer the IDs.
func (o *Office) Bulk(ctx context.Context, ids []string, v Verdict, by string) []error { return nil }

// ByPolicy applies the active policy to one claim again, after papers came in.
func (o *Office) ByPolicy(ctx context.Context, id string, version int64, by string) (Claim, error) {
	return Claim{}, errTodo
}

// Merge puts duplicates into one claim.
func (o *Office) Merge(ctx context.Context, ids []string, into, by, why string) error { return errTodo }

// ClearFlag says that a doubt is none; kind empty: all of them.
func (o *Office) ClearFlag(ctx context.Context, id, kind, by, why string) (Claim, error) {
	return Claim{}, errTodo
}

// Flag looks for duplicates and clusters among all claims of an incident, and flags what is new; it
// returns how many claims were flagged.
func (o *Office) Flag(ctx context.Context, incident string) (int, error) { return 0, errTodo }

// DecideAll decides every claim that nobody decided, by the active policy.
func (o *Office) DecideAll(ctx context.Context, incident, by string, progress func(done int)) (Tally, error) {
	return Tally{}, errTodo
}

// Unasked gives accounts what the active policy gives without a claim: each becomes a claim of
// channel [Unasked], once, whatever how often it is repeated.
func (o *Office) Unasked(ctx context.Context, incident string, accounts iter.Seq2[policy.Account, error], by string, progress func(done int)) (Tally, error) {
	return Tally{}, errTodo
}

// Compare runs drafts over the claims received, with the borders at ±10 %.
func (o *Office) Compare(ctx context.Context, incident string, drafts []*policy.Policy) (policy.Comparison, error) {
	return policy.Comparison{}, errTodo
}

// Case is what a decision on the claim rests on: for the desk's screen.
func (o *Office) Case(ctx context.Context, c *Claim) (policy.Case, error) {
	return policy.Case{}, errTodo
}

// Amend adds words to a claim; its claimant holds the secret, an agent gives a name as by and no secret.
func (o *Office) Amend(ctx context.Context, id, secret, text, by string) (Claim, error) {
	return Claim{}, errTodo
}

// SetBank says where money goes.
func (o *Office) SetBank(ctx context.Context, id, secret, bank, number, holder, by string) (Claim, error) {
	return Claim{}, errTodo
}

// AddPaper cleans a file ([bongsu/claim/paper]) and adds it to a claim.
func (o *Office) AddPaper(ctx context.Context, id, secret, kind, name string, data []byte, by string) (File, error) {
	return File{}, errTodo
}

// Withdraw ends a claim at the word of its claimant, before it is paid.
func (o *Office) Withdraw(ctx context.Context, id, secret, by string) (Claim, error) {
	return Claim{}, errTodo
}

// Appeal asks for another person's decision, within [AppealTime].
func (o *Office) Appeal(ctx context.Context, id, secret, text, by string) (Claim, error) {
	return Claim{}, errTodo
}

// A Session is one meeting of the body that decides on the rules.
type Session struct {
	ID        string            `json:"id"`
	Incident  string            `json:"incident"`
	Title     map[string]string `json:"title"`
	Held      time.Time         `json:"held"`
	Questions []Question        `json:"questions"`
	Minutes   map[string]string `json:"minutes"`
	Decision  map[string]string `json:"decision"`
	Published time.Time         `json:"published,omitzero"` // then nothing of it changes any more
	Version   int64             `json:"version"`
}

// A Question is put to the vote.
type Question struct {
	ID       string            `json:"id"`
	Text     map[string]string `json:"text"`
	Drafts   []string          `json:"drafts,omitempty"` // policies that are compared
	Comments []Remark          `json:"comments"`
	Votes    map[string]string `json:"votes"` // yes, no, abstain, by member
}

// A Remark is a comment of a member.
type Remark struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Sessions returns those of an incident, the newest first.
func (o *Office) Sessions(ctx context.Context, incident string) ([]Session, error) {
	return nil, errTodo
}

// SaveSession writes a session of this version, until it is published.
func (o *Office) SaveSession(ctx context.Context, s Session, by string) (Session, error) {
	return Session{}, errTodo
}

// Comment and Vote are a member's; Publish makes minutes, decision and counts of votes public for good.
func (o *Office) Comment(ctx context.Context, incident, session, question, text, by string) error {
	return errTodo
}

// Vote is yes, no or abstain; a member's last vote counts.
func (o *Office) Vote(ctx context.Context, incident, session, question, vote, by string) error {
	return errTodo
}

// Publish makes a session public for good.
func (o *Office) Publish(ctx context.Context, incident, session, by string) error { return errTodo }

// Dataset writes the claims of an incident for the body, as CSV: nothing that tells who, amounts and times
// in brackets, no combination that fewer than ten share.
func (o *Office) Dataset(ctx context.Context, incident string, w io.Writer) error { return errTodo }

// Retain erases the personal data of claims that ended longer ago than their window keeps them.
func (o *Office) Retain(ctx context.Context) (int, error) { return 0, errTodo }
