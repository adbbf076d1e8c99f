package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/web"
)

// askedPrefix is where dangerous decisions are kept that wait for a second person:
// asked/<run>/<verb> and asked/<run>/<verb>/<step>. What became of them is in the
// journal of the run.
const askedPrefix = "asked/"

// askedFor is how long a dangerous decision waits for a second person: what was right to
// do then may be wrong now.
const askedFor = 30 * time.Minute

// storedAsked is one of them; version 1. It is about the step as it was then.
type storedAsked struct {
	V int `json:"v"`
	web.Asked
	Attempt int                `json:"attempt,omitempty"`
	State   recovery.StepState `json:"state,omitempty"`
}

// newAsked is what a command asks for, of the run as it is.
func newAsked(c web.Command, v *recovery.RunView) storedAsked {
	a := storedAsked{V: 1, Asked: web.Asked{Verb: c.Verb, Run: c.Run, Step: c.Step, Who: c.Who, Why: c.Why, At: time.Now().UTC().Round(0)}}
	if i := slices.IndexFunc(v.Steps, func(s recovery.StepView) bool { return s.Step.ID == c.Step }); i >= 0 {
		a.Attempt, a.State = v.Steps[i].Attempt, v.Steps[i].State
	}
	return a
}

// confirms says whether this can be the second person's word on what was asked for.
func (a *storedAsked) confirms(first *storedAsked) bool {
	return a.Attempt == first.Attempt && a.State == first.State && a.At.Sub(first.At) < askedFor
}

func askedKey(c web.Command) string {
	key := askedPrefix + c.Run + "/" + string(c.Verb)
	if c.Step != "" {
		key += "/" + c.Step
	}
	return key
}

// Asked implements [web.Watcher].
func (n *Node) Asked(ctx context.Context) ([]web.Asked, error) {
	return readAsked(ctx, n.store, n.cache.get().runs)
}

// readAsked returns what waits for a second person, oldest first. What belongs to a
// run that is over, or was asked for too long ago, waits no more.
func readAsked(ctx context.Context, s kv.Store, runs []recovery.Run) ([]web.Asked, error) {
	entries, _, err := s.List(ctx, askedPrefix)
	if err != nil {
		return nil, err
	}
	var out []web.Asked
	for _, e := range entries {
		var a storedAsked
		if err := json.Unmarshal(e.Value, &a); err != nil {
			return nil, fmt.Errorf("read what was asked for at %s: %w", e.Key, err)
		}
		if time.Since(a.At) < askedFor && slices.ContainsFunc(runs, func(r recovery.Run) bool { return r.ID == a.Run && r.State.Live() }) {
			out = append(out, a.Asked)
		}
	}
	slices.SortFunc(out, func(a, b web.Asked) int { return a.At.Compare(b.At) })
	return out, nil
}

// dangerous reports whether a decision can lose what users have, or ends a run for
// good: then a second person has to agree.
func dangerous(c web.Command, v *recovery.RunView) bool {
	if v.Scope != recovery.ScopeReal {
		return false
	}
	if c.Step != "" { // what cannot be done now is refused at once, not asked for
		i := slices.IndexFunc(v.Steps, func(s recovery.StepView) bool { return s.Step.ID == c.Step })
		if i < 0 || !slices.Contains(v.Steps[i].Can, string(c.Verb)) {
			return false
		}
	}
	switch {
	case c.Verb == web.Abort: // of a run that has done nothing yet nothing is lost
		return !v.Started.IsZero() && v.State.Live()
	case c.Verb == web.Skip:
		return true
	case c.Verb == web.Confirm && c.Step != "":
		return slices.ContainsFunc(v.Waiting, func(w recovery.Waiting) bool {
			return w.Step == c.Step && w.Kind == string(recovery.QuestionAllow)
		})
	}
	return false
}

// second decides whether a decision may be carried out now. The first person's is
// noted, and waits; the same by somebody else confirms it, and why names both.
func second(ctx context.Context, s kv.Store, v *recovery.RunView, c web.Command) (by recovery.By, err error) {
	by = recovery.By{Who: c.Who, Why: c.Why}
	if !dangerous(c, v) {
		return by, nil
	}
	first, ok, err := s.Get(ctx, askedKey(c))
	if err != nil {
		return by, err
	}
	now := newAsked(c, v)
	if !ok {
		return by, ask(ctx, s, first, now)
	}
	var a storedAsked
	if err := json.Unmarshal(first.Value, &a); err != nil {
		return by, fmt.Errorf("read what was asked for: %w", err)
	}
	if !now.confirms(&a) { // nobody agrees to what has changed or is long past: it is asked anew
		return by, ask(ctx, s, first, now)
	}
	if a.Who == c.Who {
		return by, fmt.Errorf("%w: %s asked for it at %s; somebody else confirms it", web.ErrSecond, a.Who, a.At.Format(time.TimeOnly))
	}
	by.Why = fmt.Sprintf("%s (asked for by %s: %s)", c.Why, a.Who, a.Why)
	return by, nil
}

// ask notes a dangerous decision in the place of old, where there is one. What cannot
// be carried out is not asked for.
func ask(ctx context.Context, s kv.Store, old kv.Entry, a storedAsked) error {
	value, err := json.Marshal(a)
	if err != nil {
		return err
	}
	key := askedKey(web.Command{Verb: a.Verb, Run: a.Run, Step: a.Step})
	_, err = s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: key, Modified: old.Modified}}, Do: []kv.Op{{Key: key, Value: value}}})
	if errors.Is(err, kv.ErrConflict) {
		return fmt.Errorf("%w: somebody asked for it at the same moment; look at it again", web.ErrSecond)
	}
	if err != nil {
		return err
	}
	if err := recovery.Remark(ctx, s, a.Run, a.Step, "asked for "+string(a.Verb), recovery.By{Who: a.Who, Why: a.Why}); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s was noted, and waits until somebody else does the same", web.ErrSecond, strings.TrimSpace(string(a.Verb)+" "+a.Step))
}

// settled forgets what was asked for once it was carried out.
func settled(ctx context.Context, s kv.Store, c web.Command) error {
	_, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: askedKey(c), Delete: true}}})
	return err
}

// refuse says no to whatever was asked for about a run or a step.
func refuse(ctx context.Context, s kv.Store, c web.Command) error {
	entries, _, err := s.List(ctx, askedPrefix+c.Run+"/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		var a storedAsked
		if err := json.Unmarshal(e.Value, &a); err != nil {
			return fmt.Errorf("read what was asked for: %w", err)
		}
		if a.Step != c.Step {
			continue
		}
		by := recovery.By{Who: c.Who, Why: fmt.Sprintf("%s (asked for by %s: %s)", c.Why, a.Who, a.Why)}
		if err := recovery.Remark(ctx, s, c.Run, c.Step, "refused "+string(a.Verb), by); err != nil {
			return err
		}
		_, err := s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: e.Key, Modified: e.Modified}}, Do: []kv.Op{{Key: e.Key, Delete: true}}})
		return err
	}
	return fmt.Errorf("%w: nothing waits for a second person there", web.ErrRefused)
}
