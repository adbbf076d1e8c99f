package claim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// ErrBudget says that the money of a policy is used up.
var ErrBudget = errors.New("the budget of the policy is used up")

// mostUnasked is how many accounts are given something in one commit.
const mostUnasked = 500

// handoutPrefix + incident/digest: lists that were handed in.
const handoutPrefix = "claim/u/"

// A Handout is a list of accounts that are given something unasked, and what became of it.
type Handout struct {
	Tally // of what was given now; of a list that waits, and as it is kept, of what it would come to

	Digest     string    `json:"digest"` // of the list and the policy
	Policy     string    `json:"policy"` // that it was handed in under
	By         string    `json:"by"`     // who handed it in; empty: nobody has
	At         time.Time `json:"at"`
	ApprovedBy string    `json:"approvedBy,omitempty"` // empty: it waits for another person, and nothing was given
	ApprovedAt time.Time `json:"approvedAt,omitzero"`
}

// Unasked gives accounts what the active policy gives without a claim: each becomes a claim of
// channel [Unasked], decided, once for each account and service, however often and by however many it is repeated. An account that was
// given something at its own claim is left out.
//
// Two people see to it: who comes first hands the list in, and is told what it would come to; when another comes with the same list under
// the same policy, it is given, and from then on whoever repeats it. The list itself is not kept, so that the second has to have it, and accounts has
// to give it each time that it is gone through. A list with something that cannot be, or that costs more than the budget of the policy has left
// ([ErrBudget]), is refused as a whole, with the first account of it that cannot be.
func (o *Office) Unasked(ctx context.Context, incident string, accounts iter.Seq2[policy.Account, error], by string, progress func(done int)) (Handout, error) {
	d, would, err := o.wouldGive(ctx, incident, accounts, by)
	if err != nil {
		return Handout{}, err
	}
	out, err := update(ctx, o.Store, handoutPrefix+incident+"/"+would.Digest, func(h *Handout, exists bool) (kv.Txn, error) {
		switch {
		case !exists:
			*h = would
			h.By, h.At = by, d.Now
		case h.ApprovedBy == "" && !same(h.By, by):
			h.ApprovedBy, h.ApprovedAt = by, d.Now
		default:
			return kv.Txn{}, errSame
		}
		return kv.Txn{}, nil
	})
	if err != nil {
		return Handout{}, err
	}
	if out.ApprovedBy == "" {
		out.Tally = would.Tally
		return out, nil
	}
	g := giving{o: o, d: d, incident: incident, by: out.By + ", " + out.ApprovedBy, progress: progress}
	err = g.all(ctx, accounts, nil)
	out.Tally = g.tally
	return out, err
}

// WouldGive says what a list would come to, and whether it was handed in. Nothing is written, and it is refused as
// [Office.Unasked] refuses it.
func (o *Office) WouldGive(ctx context.Context, incident string, accounts iter.Seq2[policy.Account, error], by string) (Handout, error) {
	_, would, err := o.wouldGive(ctx, incident, accounts, by)
	if err != nil {
		return Handout{}, err
	}
	h, modified, err := read[Handout](ctx, o.Store, handoutPrefix+incident+"/"+would.Digest)
	if err != nil {
		return Handout{}, err
	}
	if modified == 0 {
		return would, nil
	}
	h.Tally = would.Tally
	return h, nil
}

func (o *Office) wouldGive(ctx context.Context, incident string, accounts iter.Seq2[policy.Account, error], by string) (*Decider, Handout, error) {
	if err := who(by); err != nil {
		return nil, Handout{}, err
	}
	d, err := o.decider(ctx, incident, by)
	if err != nil {
		return nil, Handout{}, err
	}
	if !GivesUnasked(d.Policy) {
		return nil, Handout{}, fmt.Errorf("%w: %s has no rule on accounts, so nobody is given anything unasked", ErrPolicy, d.Policy.ID)
	}
	sum := sha256.New()
	sum.Write([]byte(d.Policy.ID + "\x00" + d.Policy.Digest + "\n"))
	would := giving{o: o, d: d, incident: incident, dry: true}
	line := json.NewEncoder(sum)
	if err := would.all(ctx, accounts, func(a *policy.Account) error { return line.Encode(a) }); err != nil {
		return nil, Handout{}, err
	}
	return d, Handout{Tally: would.tally, Digest: hex.EncodeToString(sum.Sum(nil)[:16]), Policy: d.Policy.ID}, nil
}

// GivesUnasked says whether a policy has a rule for accounts that nobody claims for.
func GivesUnasked(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.On == "account" })
}

// Handouts are the lists that were handed in for an incident, the newest first, with what each would come to when it was.
func (o *Office) Handouts(ctx context.Context, incident string) ([]Handout, error) {
	out, err := list[Handout](ctx, o.Store, handoutPrefix+incident+"/")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Handout) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Digest, b.Digest)) })
	return out, nil
}

// A giving is a run of [Office.Unasked].
type giving struct {
	o        *Office
	d        *Decider
	incident string
	by       string // who handed it in, and who approved
	dry      bool   // nothing is filed
	progress func(done int)
	done     map[[2]string]bool // by account and service
	spent    int64
	reports  []Report
	tally    Tally
}

// all gives what is left to be given of a list, after visit, if any, has seen each account.
func (g *giving) all(ctx context.Context, accounts iter.Seq2[policy.Account, error], visit func(*policy.Account) error) error {
	g.done = map[[2]string]bool{}
	if err := g.o.Ledger.Each(ctx, g.incident, func(c Claim) error {
		g.spent += c.spends()
		if c.Account != "" && (c.Channel == Unasked || slices.Contains([]State{Approved, Paying, Paid, Returned}, c.State)) {
			g.done[[2]string{c.Account, c.Report.Service}] = true
		}
		return nil
	}); err != nil {
		return err
	}
	n := 0
	for a, err := range accounts {
		n++
		if err == nil && visit != nil {
			err = visit(&a)
		}
		if err == nil {
			err = g.give(ctx, a)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("account %d of the list: %w", n, err), g.flush(ctx))
		}
	}
	return g.flush(ctx)
}

func (g *giving) give(ctx context.Context, a policy.Account) error {
	if _, masked := paper.MaskNumbers(a.ID); a.ID == "" || masked > 0 || !textual(a.ID, 128) || a.Service == "" || !textual(a.Service, 64) || !textual(a.Plan, 64) {
		return fmt.Errorf("%w: expected a pseudonym, which is no resident number, and a service", FieldErrors{"account": "form"})
	}
	if a.Fee < 0 || a.Fee > mostAmount {
		return FieldErrors{"fee": "amount"}
	}
	key := [2]string{a.ID, a.Service}
	if g.done[key] {
		g.tally.Skipped++
		return nil
	}
	now := g.d.Now
	x := policy.Case{
		Claim:   policy.Claim{Service: a.Service, Use: "paid", Kind: "person", Filed: now},
		Account: a, Outage: g.d.Outages.Of(a.Service, ""),
	}
	got := g.d.Policy.Unasked(&x)
	c := Claim{
		Incident: g.incident, Report: x.Claim, Currency: g.d.Policy.Currency, Channel: Unasked, Agent: g.by, Lang: "ko", Filed: now, Account: a.ID,
		State: Approved, Appeal: now.Add(AppealTime), Decision: &got,
	}
	switch {
	case got.Outcome == policy.Refuse: // no rule gives it anything
		g.tally.count(&Claim{State: Decided})
		return nil
	case got.Outcome == policy.Pay && g.d.wantsSecond(&got):
		toPerson(&got, fmt.Sprintf("%d is more than %d, which a second person has to see", max(got.Amount, got.Cost), g.d.Policy.FourEyes))
	case got.Outcome == policy.Pay && g.d.Policy.Budget > 0 && got.Cost > g.d.Policy.Budget-g.spent:
		return fmt.Errorf("%w: %d of %d are given, and this would be %d more; let the body decide on another version of the policy", ErrBudget, g.spent, g.d.Policy.Budget, got.Cost)
	}
	if got.Outcome == policy.Human {
		c.State, c.Appeal, c.NextAt = Review, time.Time{}, now.Add(ReviewTime)
	}
	g.spent += c.spends()
	g.done[key] = true
	h := sha256.Sum256([]byte(a.ID + "\x00" + a.Service))
	g.reports = append(g.reports, Report{
		Claim: c, Marks: MarksOf(&Personal{}, a.ID, ""), Key: Unasked + "/" + g.incident + "/" + hex.EncodeToString(h[:]),
	})
	if len(g.reports) == mostUnasked {
		return g.flush(ctx)
	}
	return nil
}

// flush files what was given.
func (g *giving) flush(ctx context.Context) error {
	if len(g.reports) == 0 {
		return nil
	}
	if g.dry {
		for i := range g.reports {
			g.tally.count(&g.reports[i].Claim)
		}
		g.reports = g.reports[:0]
		return nil
	}
	reports := g.reports
	g.reports = nil
	receipts, errs := g.o.Ledger.File(ctx, reports)
	for i, err := range errs {
		switch {
		case errors.Is(err, ErrReused) || err == nil && receipts[i].Again: // another process was first
			g.tally.Skipped++
		case err != nil:
			return fmt.Errorf("account %s: %w", reports[i].Claim.Account, err)
		default:
			g.tally.count(&reports[i].Claim)
		}
	}
	if g.progress != nil {
		g.progress(g.tally.Decided + g.tally.Skipped)
	}
	return nil
}
