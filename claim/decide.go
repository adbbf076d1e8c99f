package claim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/claim/policy"
)

// Times that a policy does not set.
const (
	AppealTime = 30 * 24 * time.Hour // to appeal, or to ask that a person decides (PIPA art. 37-2)
	PapersTime = 28 * 24 * time.Hour // to send papers; the rules of 2022 gave 30 Jan to 27 Feb
	ReviewTime = 14 * 24 * time.Hour // within which a desk answers
)

// A Decider brings claims to a decision.
type Decider struct {
	Ledger   Ledger
	Policy   *policy.Policy
	Outages  Outages
	Accounts func(pseudonym string) policy.Account // nil: none are known
	Who      string                                // who decides, for the record: policy
	By       string                                // who started it; empty: nobody
	Now      time.Time
}

// A Tally says what a run of decisions came to.
type Tally struct {
	Decided  int   `json:"decided"`
	Approved int   `json:"approved"`
	Refused  int   `json:"refused"`
	Asked    int   `json:"asked"`
	Review   int   `json:"review"`
	Amount   int64 `json:"amount"`  // approved, face value
	Skipped  int   `json:"skipped"` // decided before, or changed meanwhile
}

// Case is what a decision on the claim rests on.
func (d *Decider) Case(c *Claim) policy.Case {
	x := policy.Case{Claim: c.Report, Outage: d.Outages.Of(c.Report.Service, c.Report.Part)}
	if d.Accounts != nil && c.Account != "" {
		x.Account = d.Accounts(c.Account)
	}
	return x
}

// wantsSecond says whether a decision of the policy is one that a second person has to see.
func (d *Decider) wantsSecond(got *policy.Decision) bool {
	return got.Outcome == policy.Pay && len(got.Evidence) == 0 && d.Policy.FourEyes > 0 && max(got.Amount, got.Cost) > d.Policy.FourEyes
}

// budgetSpent is what decisions say that were left to persons for want of money.
const budgetSpent = "the budget of the policy is used up"

// settled is a claim as the policy leaves it, and what to say of it; over: no money is left.
func (d *Decider) settled(c Claim, over bool) (Claim, Event) {
	x := d.Case(&c)
	got := d.Policy.Assess(&x)
	c.NextAt, c.Appeal = time.Time{}, time.Time{}
	switch {
	case got.Outcome == policy.Human:
		c.State, c.NextAt = Review, d.Now.Add(ReviewTime)
	case got.Outcome == policy.Refuse:
		c.State, c.Appeal = Decided, d.Now.Add(AppealTime)
	case len(got.Evidence) > 0:
		c.State, c.NextAt = Asked, d.Now.Add(PapersTime)
	case d.wantsSecond(&got):
		c.State, c.NextAt = Review, d.Now.Add(ReviewTime)
		toPerson(&got, fmt.Sprintf("%d is more than %d, which a second person has to see", max(got.Amount, got.Cost), d.Policy.FourEyes))
	case over:
		c.State, c.NextAt = Review, d.Now.Add(ReviewTime)
		toPerson(&got, budgetSpent)
	default:
		c.State, c.Appeal = Approved, d.Now.Add(AppealTime)
	}
	c.Decision = &got
	why := got.Policy + " " + got.Rule
	if d.By != "" {
		why += ", started by " + d.By
	}
	return c, Event{Who: d.Who, What: didDecide + string(c.State), Why: why}
}

// toPerson leaves to a person what a rule would give: its claimant is promised nothing.
func toPerson(got *policy.Decision, why string) {
	got.Outcome = policy.Human
	got.Why = append(got.Why, why)
	got.Reason = map[string]string{"ko": "담당자가 직접 검토합니다.", "en": "A person looks at this report."}
}

// undecided says whether the policy is to decide the claim: nobody has, or money was wanting and
// another version of the policy is in force since.
func (d *Decider) undecided(c *Claim) bool {
	if c.Decision == nil {
		return c.State == Received
	}
	return c.State == Review && c.Decider == "" && c.Proposal == nil && c.Appealed.IsZero() && outOfBudget(c.Decision) && c.Decision.Digest != d.Policy.Digest
}

func outOfBudget(got *policy.Decision) bool { return slices.Contains(got.Why, budgetSpent) }

// spends is what of a claim counts against the budget.
func (c *Claim) spends() int64 {
	if c.Decision == nil || c.Decision.Outcome != policy.Pay {
		return 0
	}
	switch c.State {
	case Approved, Paying, Paid, Returned, Appealed:
		return c.Decision.Cost
	case Received, Review, Asked, Decided, Withdrawn, Merged:
	}
	return 0
}

// All decides every claim of an incident that nobody has decided. It goes over all of
// them once, and may be repeated after a crash: what is decided is left alone. Decisions
// do not depend on the order of the ledger or the number of cores: money is given in the order in which reports came.
func (d *Decider) All(ctx context.Context, incident string, progress func(done int)) (Tally, error) {
	r, err := d.running(ctx, incident)
	if err != nil {
		return Tally{}, err
	}
	r.progress = progress
	return r.all(ctx)
}

// Preview is what [Decider.All] would come to. Nothing is written.
func (d *Decider) Preview(ctx context.Context, incident string, progress func(done int)) (Tally, error) {
	r, err := d.running(ctx, incident)
	if err != nil {
		return Tally{}, err
	}
	r.progress, r.dry = progress, true
	return r.all(ctx)
}

// running goes over the claims of an incident, and finds out for which the money of the policy is enough, in the order in which they came.
func (d *Decider) running(ctx context.Context, incident string) (*running, error) {
	var todo []Claim
	var spent int64
	var first *Claim // that an earlier run had no money for
	if err := d.Ledger.Each(ctx, incident, func(c Claim) error {
		if d.undecided(&c) {
			todo = append(todo, c)
		} else if c.Decision != nil && c.Decision.Digest == d.Policy.Digest && outOfBudget(c.Decision) {
			if first == nil || older(&c, first) < 0 {
				first = &c
			}
		}
		spent += c.spends()
		return nil
	}); err != nil {
		return nil, err
	}
	r := &running{d: d, todo: todo}
	if d.Policy.Budget > 0 {
		order := make([]*Claim, len(todo))
		for i := range todo {
			order[i] = &todo[i]
		}
		slices.SortFunc(order, older)
		cut := len(order)
		if first != nil { // after it there was none either; before it some may not have been written
			cut, _ = slices.BinarySearchFunc(order, first, older)
		}
		if cut = d.affordable(order[:cut], d.Policy.Budget-spent); cut < len(order) {
			r.cut = order[cut]
		}
	}
	return r, nil
}

// older is the order in which claims are given money.
func older(a, b *Claim) int {
	return cmp.Or(a.Filed.Compare(b.Filed), strings.Compare(a.ID, b.ID))
}

// affordable returns how many of the claims, in their order, can be decided before money ends.
func (d *Decider) affordable(todo []*Claim, left int64) int {
	costs := make([]int64, len(todo))
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w * len(todo) / workers; i < (w+1)*len(todo)/workers; i++ {
				if c, _ := d.settled(*todo[i], false); c.State == Approved {
					costs[i] = c.Decision.Cost
				}
			}
		})
	}
	wg.Wait()
	for i, n := range costs {
		if left -= n; left < 0 && n > 0 {
			return i
		}
	}
	return len(todo)
}

// A running decision of many claims.
type running struct {
	d        *Decider
	todo     []Claim
	cut      *Claim // for it, and those that came later, no money is left; nil: there is enough
	dry      bool   // nothing is written
	progress func(done int)
}

// over says that no money is left for a claim.
func (r *running) over(c *Claim) bool { return r.cut != nil && older(c, r.cut) >= 0 }

func (r *running) all(ctx context.Context) (Tally, error) {
	var mu sync.Mutex
	var tally Tally
	var first error
	next := make(chan []Claim)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for x := range next {
				got, err := r.some(ctx, x)
				mu.Lock()
				tally.add(got)
				if err != nil && first == nil {
					first = err
					cancel()
				}
				if r.progress != nil {
					r.progress(tally.Decided + tally.Skipped)
				}
				mu.Unlock()
			}
		})
	}
	for some := range slices.Chunk(r.todo, mostTogetherDecided) {
		select {
		case next <- some:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	if first == nil {
		first = ctx.Err()
	}
	return tally, first
}

// mostTogetherDecided is how many claims are decided in one change.
const mostTogetherDecided = 250

// some decides some claims in one change; one by one when somebody else changed one
// of them meanwhile.
func (r *running) some(ctx context.Context, claims []Claim) (Tally, error) {
	d := r.d
	changed, events := make([]Claim, len(claims)), make([]Event, len(claims))
	var t Tally
	for i, c := range claims {
		changed[i], events[i] = d.settled(c, r.over(&c))
		t.count(&changed[i])
	}
	if r.dry {
		return t, nil
	}
	err := d.Ledger.Change(ctx, changed, events)
	if !errors.Is(err, ErrConflict) {
		if err != nil {
			return Tally{}, err
		}
		return t, nil
	}
	t = Tally{}
	for _, c := range claims {
		c, err := d.Ledger.Claim(ctx, c.ID)
		if err != nil {
			return t, err
		}
		if !d.undecided(&c) {
			t.Skipped++
			continue
		}
		now, event := d.settled(c, r.over(&c))
		switch err := d.Ledger.Change(ctx, []Claim{now}, []Event{event}); {
		case errors.Is(err, ErrConflict):
			t.Skipped++
		case err != nil:
			return t, err
		default:
			t.count(&now)
		}
	}
	return t, nil
}

func (t *Tally) count(c *Claim) {
	t.Decided++
	switch c.State {
	case Approved:
		t.Approved++
		t.Amount += c.Decision.Amount
	case Decided:
		t.Refused++
	case Asked:
		t.Asked++
	default:
		t.Review++
	}
}

func (t *Tally) add(o Tally) {
	t.Decided += o.Decided
	t.Approved += o.Approved
	t.Refused += o.Refused
	t.Asked += o.Asked
	t.Review += o.Review
	t.Amount += o.Amount
	t.Skipped += o.Skipped
}
