package claim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bongsu/claim/policy"
)

// A purse is what decisions on an incident have given, as it was a moment ago.
type purse struct {
	at     time.Time
	digest string // of the policy
	spent  int64
	dry    *Claim // the first that came and that the policy had no money for; nil: none
}

// purseAge is how long what was given by others may not be seen, so that many verdicts at once do not go over all claims for each.
const purseAge = 2 * time.Second

// purses are by incident. The zero value is empty.
type purses struct {
	mu sync.Mutex
	of map[string]*purse
}

// afford takes what a decision on a claim costs out of the budget of the policy, or says what is wrong ([ErrBudget]); inOrder: what
// came later than a claim for which there was no money gets none either. giveBack is for a decision that was not written; with an error there is nothing to give back.
// Two nodes that decide within a moment may go beyond it together: then there is no money for the batch of the last.
func (o *Office) afford(ctx context.Context, c *Claim, cost int64, p *policy.Policy, inOrder bool) (giveBack func(), err error) {
	own := c.spends() // a decision that is changed
	if p == nil || p.Budget <= 0 || cost == own && cost == 0 {
		return func() {}, nil
	}
	o.purses.mu.Lock()
	defer o.purses.mu.Unlock()
	x := o.purses.of[c.Incident]
	if now := time.Now(); x == nil || x.digest != p.Digest || now.Sub(x.at) >= purseAge {
		x = &purse{at: now, digest: p.Digest}
		if err := o.Ledger.Each(ctx, c.Incident, func(c Claim) error {
			x.spent += c.spends()
			if c.Decision != nil && c.Decision.Digest == p.Digest && outOfBudget(c.Decision) && (x.dry == nil || older(&c, x.dry) < 0) {
				x.dry = &c
			}
			return nil
		}); err != nil {
			return func() {}, err
		}
		if o.purses.of == nil || len(o.purses.of) >= mostRemembered {
			o.purses.of = map[string]*purse{}
		}
		o.purses.of[c.Incident] = x
	}
	switch left := p.Budget - x.spent + own; {
	case cost > own && cost > left:
		return func() {}, &OverBudget{Policy: p.ID, Currency: p.Currency, Left: max(left, 0), Budget: p.Budget, Cost: cost}
	case inOrder && x.dry != nil && older(c, x.dry) > 0:
		return func() {}, fmt.Errorf("%w: it ended at a report that came before this one", ErrBudget)
	}
	x.spent += cost - own
	return func() {
		o.purses.mu.Lock()
		defer o.purses.mu.Unlock()
		x.spent -= cost - own
	}, nil
}

// forget has the next decision count again.
func (p *purses) forget(incident string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.of, incident)
}

// OverBudget says by how much a decision is more than is left ([ErrBudget]); amounts are minor units.
type OverBudget struct { //nolint:errname // it is what the person who decides reads
	Policy, Currency   string
	Left, Budget, Cost int64
}

func (e *OverBudget) Error() string {
	return fmt.Sprintf("%v: %s has %d left of %d, and this would cost %d; let the body decide on another version of the policy", ErrBudget, e.Policy, e.Left, e.Budget, e.Cost)
}

func (e *OverBudget) Unwrap() error { return ErrBudget }
