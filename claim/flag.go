package claim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// mostMerged is how many claims go into one at once.
const mostMerged = mostChanges - 1

// Merge puts duplicates into one claim: all of them or none. What is paid or on its way to the bank cannot be merged. Doubts of
// the claim that stays are cleared where they named none but those that went into it.
func (o *Office) Merge(ctx context.Context, ids []string, into, by, why string) error {
	if err := who(by, why); err != nil {
		return err
	}
	f := FieldErrors{}
	f.set(len(ids) == 0, "ids", "missing")
	f.set(len(ids) > mostMerged, "ids", "long")
	if err := f.err(); err != nil {
		return err
	}
	for range mostTries {
		claims, events, err := o.merging(ctx, ids, into, by, why)
		if err != nil {
			return err
		}
		if err := o.Ledger.Change(ctx, claims, events); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%w: others write them all the time", ErrConflict)
}

func (o *Office) merging(ctx context.Context, ids []string, into, by, why string) ([]Claim, []Event, error) {
	to, err := o.Ledger.Claim(ctx, into)
	if err != nil {
		return nil, nil, err
	}
	if to.State == Merged || to.State == Withdrawn || !to.Erased.IsZero() {
		return nil, nil, to.not("merge into")
	}
	claims, events := []Claim{}, []Event{}
	gone := []string{}
	for _, id := range ids {
		c, err := o.Ledger.Claim(ctx, id)
		switch {
		case err != nil:
			return nil, nil, err
		case c.ID == to.ID || slices.Contains(gone, c.ID):
			return nil, nil, fmt.Errorf("merge %s: %w", c.ID, FieldErrors{"ids": "twice"})
		case c.Incident != to.Incident:
			return nil, nil, fmt.Errorf("merge %s, which is of incident %s, into one of %s: %w", c.ID, c.Incident, to.Incident, FieldErrors{"ids": "unknown"})
		case !c.open():
			return nil, nil, c.not("merge")
		}
		gone = append(gone, c.ID)
		c.State, c.Into, c.Proposal = Merged, to.ID, nil
		c.NextAt, c.Appeal = time.Time{}, time.Time{}
		claims, events = append(claims, c), append(events, Event{Who: by, What: "merged into " + to.ID, Why: why})
	}
	flags := slices.Clone(to.Flags)
	for i := range flags {
		if flags[i].Clear == "" && len(flags[i].Others) > 0 && !slices.ContainsFunc(flags[i].Others, func(id string) bool { return !slices.Contains(gone, id) }) {
			flags[i].Clear = by + ": merged"
		}
	}
	to.doubts(flags)
	return append(claims, to), append(events, Event{Who: by, What: "took in " + strings.Join(gone, ", "), Why: why}), nil
}

// doubts sets the flags of a claim, and the number of open ones, which rules see.
func (c *Claim) doubts(flags []Flag) {
	c.Flags, c.Report.Flags = flags, 0
	for _, f := range flags {
		if f.Clear == "" {
			c.Report.Flags++
		}
	}
}

// ClearFlag says that a doubt is none; kind empty: all of them. What stays open is counted for the rules.
func (o *Office) ClearFlag(ctx context.Context, id, kind, by, why string) (Claim, error) {
	if err := who(by, why); err != nil {
		return Claim{}, err
	}
	return o.change(ctx, id, func(c *Claim) (Event, error) {
		flags := slices.Clone(c.Flags)
		found, cleared := kind == "", false
		for i := range flags {
			if kind != "" && flags[i].Kind != kind {
				continue
			}
			found = true
			if flags[i].Clear == "" {
				flags[i].Clear, cleared = by+": "+why, true
			}
		}
		if !found {
			return Event{}, fmt.Errorf("doubt of kind %q about %s: %w", kind, c.ID, absent("there is none"))
		}
		if !cleared {
			return Event{}, errSame
		}
		c.doubts(flags)
		what := "cleared doubts"
		if kind != "" {
			what += ": " + kind
		}
		return Event{Who: by, What: what, Why: why}, nil
	})
}

// Flag looks for duplicates and clusters among all claims of an incident, and flags what is new; it
// returns how many claims were flagged. A doubt that was cleared does not come back for the same claims. What was approved and is not
// on its way to the bank yet is stopped by a new doubt, until a person has looked.
func (o *Office) Flag(ctx context.Context, incident string) (int, error) {
	marks, err := o.Ledger.Marks(ctx, incident)
	if err != nil {
		return 0, err
	}
	var all []Marked
	at := map[string]int{}
	if err := o.Ledger.Each(ctx, incident, func(c Claim) error {
		at[c.ID] = len(all)
		all = append(all, Marked{c, marks[c.ID]})
		return nil
	}); err != nil {
		return 0, err
	}
	now := o.now()
	found := Alike(all, now)
	turnDoubts(found, func(id string) *Claim { return &all[at[id]].Claim })
	n := 0
	var claims []Claim
	var events []Event
	flush := func() error {
		err := o.Ledger.Change(ctx, claims, events)
		if errors.Is(err, ErrConflict) { // somebody works on one of them: one by one
			for i := range claims {
				changed := false
				if _, err := o.change(ctx, claims[i].ID, func(c *Claim) (Event, error) {
					ev, ok := c.doubt(found[c.ID], now)
					if changed = ok; !ok {
						return ev, errSame
					}
					return ev, nil
				}); err != nil {
					return err
				}
				if changed {
					n++
				}
			}
			err = nil
		} else if err == nil {
			n += len(claims)
		}
		claims, events = nil, nil
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		c := all[at[id]].Claim
		ev, changed := c.doubt(found[id], now)
		if !changed {
			continue
		}
		claims, events = append(claims, c), append(events, ev)
		if len(claims) == mostTogetherDecided {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	return n, flush()
}

// turnDoubts puts a doubt about what is paid or on its way, which comes too late there, to those that it is like and nobody held against
// it: they came before it, and gave their bank account after it, say.
func turnDoubts(found map[string][]Flag, of func(id string) *Claim) {
	for _, id := range slices.Sorted(maps.Keys(found)) {
		c := of(id)
		if c.State != Paying && c.State != Paid {
			continue
		}
		for _, f := range found[id] {
			if f.Kind == "device" { // many share one
				continue
			}
			for _, other := range f.Others {
				looked := func(have Flag) bool { return have.Kind == f.Kind && slices.Contains(have.Others, other) }
				if !slices.ContainsFunc(c.Flags, looked) {
					found[other] = append(found[other], Flag{Kind: f.Kind, Others: []string{id}, Score: f.Score, At: f.At})
				}
			}
		}
	}
}

// doubt adds to a claim the flags that are new.
func (c *Claim) doubt(found []Flag, now time.Time) (Event, bool) {
	switch c.State {
	case Paying, Paid, Withdrawn, Merged:
		return Event{}, false // too late, or ended
	case Received, Review, Asked, Decided, Approved, Returned, Appealed:
	}
	flags := slices.Clone(c.Flags)
	var said []string
	for _, f := range found {
		open := -1
		others := slices.Clone(f.Others)
		for i, have := range flags {
			if have.Kind == f.Kind {
				others = slices.DeleteFunc(others, func(id string) bool { return slices.Contains(have.Others, id) })
				if have.Clear == "" {
					open = i
				}
			}
		}
		if open >= 0 && len(others) > 0 {
			have := &flags[open]
			others = others[:min(len(others), max(mostOthers-len(have.Others), 0))]
			have.Others = slices.Concat(have.Others, others)
		}
		if len(others) == 0 {
			continue
		}
		if open < 0 {
			f.Others = others
			flags = append(flags, f)
		}
		said = append(said, f.Kind+": "+strings.Join(others, ", "))
	}
	if len(said) == 0 {
		return Event{}, false
	}
	c.doubts(flags)
	ev := Event{Who: "policy", What: "flagged", Why: strings.Join(said, "; ")}
	if c.State == Approved {
		c.stop("there is a new doubt about it", now)
		ev.What = "flagged, and stopped"
	}
	return ev, true
}

// stop takes a claim that is to be paid back to the desk.
func (c *Claim) stop(why string, now time.Time) {
	c.State = Review
	if c.Decision != nil {
		d := *c.Decision
		d.Why = slices.Clone(d.Why)
		toPerson(&d, why)
		c.Decision, c.Decider = &d, ""
	}
	c.NextAt, c.Appeal = now.Add(ReviewTime), time.Time{}
}
