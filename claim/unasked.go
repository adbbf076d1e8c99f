package claim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
)

// ErrBudget says that the money of a policy is used up.
var ErrBudget = errors.New("the budget of the policy is used up")

// mostUnasked is how many accounts are given something in one commit.
const mostUnasked = 500

// Unasked gives accounts what the active policy gives without a claim: each becomes a claim of
// channel [Unasked], decided, once for each account and service, however often and by however many it is repeated. An account that
// was given something at its own claim is left out. It stops with [ErrBudget] before more is given than the budget of the policy, and at the
// first account that cannot be; what was given until then stays, and the same list can be run again.
func (o *Office) Unasked(ctx context.Context, incident string, accounts iter.Seq2[policy.Account, error], by string, progress func(done int)) (Tally, error) {
	if err := who(by); err != nil {
		return Tally{}, err
	}
	d, err := o.decider(ctx, incident, by)
	if err != nil {
		return Tally{}, err
	}
	if !slices.ContainsFunc(d.Policy.Rules, func(r policy.Rule) bool { return r.On == "account" }) {
		return Tally{}, fmt.Errorf("%w: %s has no rule on accounts, so nobody is given anything unasked", ErrPolicy, d.Policy.ID)
	}
	g := giving{o: o, d: d, incident: incident, by: by, progress: progress, done: map[[2]string]bool{}}
	if err := o.Ledger.Each(ctx, incident, func(c Claim) error {
		g.spent += c.spends()
		if c.Account != "" && (c.Channel == Unasked || slices.Contains([]State{Approved, Paying, Paid, Returned}, c.State)) {
			g.done[[2]string{c.Account, c.Report.Service}] = true
		}
		return nil
	}); err != nil {
		return Tally{}, err
	}
	n := 0
	for a, err := range accounts {
		n++
		if err == nil {
			err = g.give(ctx, a)
		}
		if err != nil {
			return g.tally, errors.Join(fmt.Errorf("account %d of the list: %w", n, err), g.flush(ctx))
		}
	}
	return g.tally, g.flush(ctx)
}

// A giving is a run of [Office.Unasked].
type giving struct {
	o        *Office
	d        *Decider
	incident string
	by       string
	progress func(done int)
	done     map[[2]string]bool // by account and service
	spent    int64
	reports  []Report
	tally    Tally
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
		return fmt.Errorf("%w: %d of %d are given, and this would be %d more; with another version of the policy, run the same list again", ErrBudget, g.spent, g.d.Policy.Budget, got.Cost)
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
