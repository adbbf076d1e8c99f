package claim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
	Who      string                                // who runs it
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

// settled is a claim as the policy leaves it, and what to say of it.
func (d *Decider) settled(c Claim) (Claim, Event) {
	x := d.Case(&c)
	got := d.Policy.Assess(&x)
	c.Decision = &got
	c.NextAt, c.Appeal = time.Time{}, time.Time{}
	switch {
	case got.Outcome == policy.Human:
		c.State, c.NextAt = Review, d.Now.Add(ReviewTime)
	case got.Outcome == policy.Refuse:
		c.State, c.Appeal = Decided, d.Now.Add(AppealTime)
	case len(got.Evidence) > 0:
		c.State, c.NextAt = Asked, d.Now.Add(PapersTime)
	case d.Policy.FourEyes > 0 && got.Amount > d.Policy.FourEyes:
		c.State, c.NextAt = Review, d.Now.Add(ReviewTime)
		got.Why = append(got.Why, fmt.Sprintf("%d is more than %d, which a second person has to see", got.Amount, d.Policy.FourEyes))
		c.Decision = &got
	default:
		c.State, c.Appeal = Approved, d.Now.Add(AppealTime)
	}
	return c, Event{Who: d.Who, What: "decided: " + string(c.State), Why: got.Policy + " " + got.Rule}
}

// All decides every claim of an incident that nobody has decided. It goes over all of
// them once, and may be repeated after a crash: what is decided is left alone. Decisions
// do not depend on the order or the number of cores.
func (d *Decider) All(ctx context.Context, incident string, progress func(done int)) (Tally, error) {
	var todo []Claim
	if err := d.Ledger.Each(ctx, incident, func(c Claim) error {
		if c.State == Received && c.Decision == nil {
			todo = append(todo, c)
		}
		return nil
	}); err != nil {
		return Tally{}, err
	}
	var mu sync.Mutex
	var tally Tally
	var first error
	next := make(chan []Claim)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for chunk := range next {
				got, err := d.chunk(ctx, chunk)
				mu.Lock()
				tally.add(got)
				if err != nil && first == nil {
					first = err
					cancel()
				}
				if progress != nil {
					progress(tally.Decided + tally.Skipped)
				}
				mu.Unlock()
			}
		})
	}
	for len(todo) > 0 && ctx.Err() == nil {
		n := min(len(todo), 250)
		select {
		case next <- todo[:n]:
		case <-ctx.Done():
		}
		todo = todo[n:]
	}
	close(next)
	wg.Wait()
	if first == nil {
		first = ctx.Err()
	}
	return tally, first
}

// chunk decides some claims in one change; one by one when somebody else changed one
// of them meanwhile.
func (d *Decider) chunk(ctx context.Context, claims []Claim) (Tally, error) {
	changed, events := make([]Claim, len(claims)), make([]Event, len(claims))
	var t Tally
	for i, c := range claims {
		changed[i], events[i] = d.settled(c)
		t.count(&changed[i])
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
		if c.State != Received || c.Decision != nil {
			t.Skipped++
			continue
		}
		now, event := d.settled(c)
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
