package claim

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ended is when a claim came to its end; false: it has not, or may still be appealed against.
func (c *Claim) ended() (time.Time, bool) {
	last := c.Changed
	if c.Appeal.After(last) {
		last = c.Appeal
	}
	switch c.State {
	case Decided, Paid, Withdrawn, Merged:
		return last, true
	case Received, Review, Asked, Approved, Paying, Returned, Appealed:
	}
	return time.Time{}, false
}

// Retain erases the personal data of claims that ended longer ago than their window keeps them, and says how many. What
// was decided, for how much and why, stays.
func (o *Office) Retain(ctx context.Context) (int, error) {
	all, err := o.Windows(ctx)
	if err != nil {
		return 0, err
	}
	now, n := o.now(), 0
	for _, w := range all {
		var due []string
		if err := o.Ledger.Each(ctx, w.Incident, func(c Claim) error {
			end, ok := c.ended()
			if ok && c.Erased.IsZero() && w.RetainDays > 0 && !now.Before(end.AddDate(0, 0, w.RetainDays)) {
				due = append(due, c.ID)
			}
			return nil
		}); err != nil {
			return n, err
		}
		for _, id := range due {
			err := o.Ledger.Erase(ctx, id, "retention", fmt.Sprintf("it ended more than %d days ago", w.RetainDays))
			if errors.Is(err, ErrErased) {
				continue
			}
			if err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}
