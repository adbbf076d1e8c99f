package claim

import (
	"context"
	"errors"
	"slices"
	"time"

	"bongsu/claim/policy"
)

// overdue brings on a claim whose papers did not come in time; false: there is no such. Where some did, or the claimant has appealed
// before, a person looks; else it is refused, and the claimant may appeal, which is the way to send them late.
func (c *Claim) overdue(now time.Time) (Event, bool) {
	if c.State != Asked || c.Decision == nil || c.NextAt.IsZero() || !now.After(c.NextAt) || !c.Erased.IsZero() {
		return Event{}, false
	}
	why := "papers were asked for until " + c.NextAt.Format(time.DateOnly)
	some := slices.ContainsFunc(c.Decision.Evidence, func(kind string) bool { return slices.Contains(c.Report.Evidence, kind) })
	if some || !c.Appealed.IsZero() {
		c.State, c.NextAt = Review, now.Add(ReviewTime)
		return Event{Who: "policy", What: "papers overdue", Why: why + ", and not all came: a person looks"}, true
	}
	d := *c.Decision
	d.Outcome, d.Form, d.Amount, d.Cost, d.Hours, d.Ground, d.Evidence = policy.Refuse, policy.Nothing, 0, 0, 0, "", []string{}
	d.Why = append(slices.Clone(d.Why), why+", and none came")
	d.Reason = map[string]string{
		"ko": "기한까지 필요한 서류가 오지 않아 지급하지 않는 것으로 결정했습니다. 이의를 신청하고 서류를 보내시면 담당자가 다시 봅니다.",
		"en": "The papers that were asked for did not come in time, so nothing is paid. Appeal and send them, and a person looks again.",
	}
	c.Decision, c.Decider = &d, ""
	c.State, c.NextAt, c.Appeal = Decided, time.Time{}, now.Add(AppealTime)
	return Event{Who: "policy", What: didDecide + string(c.State), Why: why + ", and none came"}, true
}

// Overdue brings on the claims whose papers did not come within [PapersTime], and says how many. It runs now and then in one of the
// public processes; more at once do no harm.
func (o *Office) Overdue(ctx context.Context) (int, error) {
	all, err := o.Windows(ctx)
	if err != nil {
		return 0, err
	}
	now, n := o.now(), 0
	for _, w := range all {
		var late []string
		if err := o.Ledger.Each(ctx, w.Incident, func(c Claim) error {
			if _, ok := c.overdue(now); ok {
				late = append(late, c.ID)
			}
			return nil
		}); err != nil {
			return n, err
		}
		for _, id := range late {
			_, err := o.change(ctx, id, func(c *Claim) (Event, error) {
				ev, ok := c.overdue(now)
				if !ok {
					return Event{}, errSame
				}
				return ev, nil
			})
			if err != nil && !errors.Is(err, ErrErased) {
				return n, err
			}
			n++
		}
	}
	return n, nil
}
