package settle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// committed is what the log commits to of a decision, in the order of these fields.
// What it costs the company is not the claimant's to know, and the other rules that were
// looked at say nothing that was decided.
type committed struct {
	V        int               `json:"v"`
	Claim    string            `json:"claim"`
	Incident string            `json:"incident"`
	Policy   string            `json:"policy"`
	Digest   string            `json:"digest"`
	Rule     string            `json:"rule"`
	Outcome  policy.Outcome    `json:"outcome"`
	Form     policy.Form       `json:"form"`
	Amount   int64             `json:"amount"`
	Hours    int64             `json:"hours"`
	Currency string            `json:"currency"`
	Ground   policy.Ground     `json:"ground"`
	Reason   map[string]string `json:"reason"`
}

// A decision is what was decided of a claim, as money sees it.
type decision struct {
	text   []byte // what is committed to
	digest string // of text and cost: another one is another grant
}

func decisionOf(c *claim.Claim) (decision, error) {
	d := c.Decision
	text, err := json.Marshal(committed{
		1, c.ID, c.Incident, d.Policy, d.Digest, d.Rule, d.Outcome, d.Form, d.Amount, d.Hours, currencyOf(c), d.Ground, d.Reason,
	})
	if err != nil {
		return decision{}, fmt.Errorf("decision on %s: %w", c.ID, err)
	}
	return decision{text, strings.ToLower(digest35("bongsu decision", string(text), fmt.Sprint(d.Cost))[:20])}, nil
}

// about is what the log keeps a commitment by.
func (d *decision) about(id string) string { return id + "@" + d.digest }

func currencyOf(c *claim.Claim) string {
	if c.Decision != nil && c.Decision.Currency != "" {
		return c.Decision.Currency
	}
	return c.Currency
}

// final reports whether the claim has a decision that stands: not one that waits for
// papers, a person or a second one.
func final(c *claim.Claim) bool {
	return c.Decision != nil && c.Proposal == nil && c.Decision.Outcome != policy.Human &&
		slices.Contains([]claim.State{claim.Decided, claim.Approved, claim.Paying, claim.Paid, claim.Returned}, c.State)
}

// Prove returns the proof that the decision on a claim is in the log, with the bytes it commits to, for who
// holds its receipt. [ErrNotFound]: it is not there, or not yet; [claim.ErrErased]: its salt was destroyed with its key.
func (c *Cashier) Prove(ctx context.Context, id string) (Proof, []byte, error) {
	x, err := c.Ledger.Claim(ctx, id)
	if err != nil {
		return Proof{}, nil, err
	}
	if c.Log == nil || x.Decision == nil {
		return Proof{}, nil, fmt.Errorf("%w in the log: a decision on %s", ErrNotFound, x.ID)
	}
	d, err := decisionOf(&x)
	if err != nil {
		return Proof{}, nil, err
	}
	p, err := c.Log.Prove(ctx, d.about(x.ID))
	if err != nil {
		return Proof{}, nil, err
	}
	v, err := c.vault()
	if err != nil {
		return Proof{}, nil, err
	}
	salts, err := v.Salts(ctx, map[string]string{x.ID: d.about(x.ID)})
	if err != nil {
		return Proof{}, nil, err
	}
	if p.Salt = salts[x.ID]; p.Salt == nil {
		return Proof{}, nil, claim.ErrErased
	}
	return p, d.text, nil
}

// A ProofFile is what a claimant takes home: bongsu verify checks it without us.
type ProofFile struct {
	V        int    `json:"v"`
	Kind     string `json:"kind"`     // decision-proof
	Decision string `json:"decision"` // JSON, byte for byte what is committed to
	Proof    Proof  `json:"proof"`
}

// NewProofFile puts together what [Cashier.Prove] returned.
func NewProofFile(p Proof, decision []byte) ProofFile {
	return ProofFile{1, "decision-proof", string(decision), p}
}

// toldPrefix + incident: what everybody was told last.
const toldPrefix = "settle/told/"

// Statistics of an incident, of the day: the first who asks counts for everybody, see [claim.Tell]. No group is smaller than
// [claim.Smallest], and none changes by fewer. Duplicates that were merged into another claim count once, as that claim.
func (c *Cashier) Statistics(ctx context.Context, incident string) (Statistics, error) {
	told, err := claim.Tell(ctx, c.Store, toldPrefix+incident, c.now().In(c.zone()), func() ([]claim.Group, error) {
		var facts []claim.Group
		err := c.Ledger.Each(ctx, incident, func(x claim.Claim) error {
			if x.State != claim.Merged {
				facts = append(facts, fact(&x))
			}
			return nil
		})
		return facts, err
	})
	return statistics(told), err
}
