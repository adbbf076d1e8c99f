package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/internal/kv"
)

// Approve lets a run that waits for approval start. Approving twice changes nothing.
func Approve(ctx context.Context, s kv.Store, run string, by By) (Run, error) {
	return changeRun(ctx, s, run, by, "approved", func(r *Run) (bool, error) {
		changed, err := r.move(RunWaiting, RunRunning, "one that waits for approval can be approved")
		if changed {
			r.Started = time.Now().UTC().Round(0)
		}
		return changed, err
	})
}

// Pause lets what has begun end, and nothing new begin. It has taken effect when it
// returns.
func Pause(ctx context.Context, s kv.Store, run string, by By) (Run, error) {
	return changeRun(ctx, s, run, by, "paused", func(r *Run) (bool, error) {
		return r.move(RunRunning, RunPaused, "a running one can be paused")
	})
}

// Resume lets a paused run go on.
func Resume(ctx context.Context, s kv.Store, run string, by By) (Run, error) {
	return changeRun(ctx, s, run, by, "resumed", func(r *Run) (bool, error) {
		return r.move(RunPaused, RunRunning, "a paused one can be resumed")
	})
}

// move brings a run from one state to another. Being there already changes nothing.
func (r *Run) move(from, to RunState, only string) (changed bool, err error) {
	if r.State != from && r.State != to {
		return false, fmt.Errorf("%w: run %s is %s, only %s", ErrState, r.ID, r.State, only)
	}
	changed = r.State != to
	r.State = to
	return changed, nil
}

// Abort ends a run: nothing new begins, and what has begun is stopped.
func Abort(ctx context.Context, s kv.Store, run string, by By) (Run, error) {
	return changeRun(ctx, s, run, by, "aborted", func(r *Run) (bool, error) {
		switch {
		case r.State.Live():
			r.State, r.Ended = RunAborted, time.Now().UTC().Round(0)
			return true, nil
		case r.State == RunAborted:
			return false, nil
		default:
			return false, fmt.Errorf("%w: run %s is over (%s)", ErrState, r.ID, r.State)
		}
	})
}

// Skip goes on without a step that has not begun, has failed or waits for a person.
// What comes after it is planned anew. A run that had failed comes to a new end.
func Skip(ctx context.Context, s kv.Store, run, step string, by By) error {
	return changeStep(ctx, s, run, step, by, "skipped", func(head *Run, r *stored) (bool, error) {
		if r.State == StepSkipped {
			return false, nil
		}
		if r.State != StepPending && r.State != StepPerson && r.State != StepFailed {
			return false, fmt.Errorf("%w: %s is %s; wait until it ends, or abort the run", ErrState, step, r.State)
		}
		r.Unsure = r.Unsure || r.mayHold()
		r.State, r.Ended, r.Question, r.Asks = StepSkipped, time.Now().UTC().Round(0), "", ""
		head.reopen()
		return true, nil
	})
}

// Retry does a failed or skipped step again, with a new key. The actuator is asked
// first; when it cannot tell, the step is done all the same, for a person said so.
// A run that had failed goes on.
func Retry(ctx context.Context, s kv.Store, run, step string, by By) error {
	return changeStep(ctx, s, run, step, by, "retried", func(head *Run, r *stored) (bool, error) {
		switch {
		case r.State == StepFailed || r.State == StepSkipped:
			r.Attempt++
			r.State, r.Key, r.Ask = StepPending, idempotencyKey(run, step, r.Attempt), AskForced
			r.Executor, r.Node, r.Detail, r.Question, r.Asks = "", "", "", "", ""
			r.Allowed = false // it was allowed as things were then
			r.Begun, r.Ended = time.Time{}, time.Time{}
			head.reopen()
			return true, nil
		case r.State == StepPending && r.Attempt > 1:
			return false, nil
		default:
			return false, fmt.Errorf("%w: %s is %s, only a failed or skipped step can be retried", ErrState, step, r.State)
		}
	})
}

// reopen lets a run that had ended go on, so that it comes to a new end.
func (r *Run) reopen() {
	if r.State == RunFailed || r.State == RunDone {
		r.State, r.Ended = RunRunning, time.Time{}
	}
}

// Confirm answers what a step asks a person: that it was done or could not be (of
// confirm), that it took effect or did not (of decide), that it may go ahead or not
// (of allow). What did not take effect is then done; what may not go ahead fails.
func Confirm(ctx context.Context, s kv.Store, run, step string, yes bool, by By) error {
	what := "answered no"
	if yes {
		what = "answered yes"
	}
	return changeStep(ctx, s, run, step, by, what, func(_ *Run, r *stored) (bool, error) {
		if r.State != StepPerson {
			if yes && r.State == StepDone && r.By != "" {
				return false, nil
			}
			return false, fmt.Errorf("%w: %s is %s and asks nobody anything", ErrState, step, r.State)
		}
		answer(r, yes, by)
		return true, nil
	})
}

func answer(r *stored, yes bool, by By) {
	question := r.Question
	r.Question, r.Asks, r.Detail = "", "", by.Why
	switch {
	case question == QuestionAllow && yes:
		r.State, r.Allowed = StepPending, true
		return
	case question == QuestionResult && !yes:
		r.State, r.Ask, r.Executor, r.Node = StepPending, AskNothing, "", ""
		r.Begun, r.Unsure = time.Time{}, false // for certain it has not been done
		return
	case yes:
		r.State, r.Unsure = StepDone, false
	case question == QuestionAllow:
		r.State, r.Detail = StepFailed, strings.TrimSuffix("refused by "+by.Who+": "+by.Why, ": ")
	default:
		r.State, r.Detail = StepFailed, strings.TrimSuffix("could not be done: "+by.Why, ": ")
	}
	r.Ended = time.Now().UTC().Round(0)
	if r.Begun.IsZero() {
		r.Begun = r.Ended
	}
}

// attempts is how often a change starts over when another came first.
const attempts = 20

// again calls change until no other write came first.
func again(ctx context.Context, change func() error) error {
	for n := range attempts {
		if err := change(); !errors.Is(err, kv.ErrConflict) {
			return err
		}
		if !pause(ctx, backoff(n)/10) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("%w, %d times in a row; try again", kv.ErrConflict, attempts)
}

func (b By) check() error {
	if strings.TrimSpace(b.Who) == "" {
		return errors.New("say who: every change of a run is journaled with who made it and why")
	}
	return nil
}

// changeRun writes what change makes of the header, with its line in the journal.
func changeRun(ctx context.Context, s kv.Store, run string, by By, what string, change func(*Run) (bool, error)) (Run, error) {
	if err := by.check(); err != nil {
		return Run{}, err
	}
	var out Run
	err := again(ctx, func() error {
		r, rev, err := getRun(ctx, s, run)
		if err != nil {
			return err
		}
		changed, err := change(&r)
		out = r
		if err != nil || !changed {
			return err
		}
		r.By = by
		out = r
		head, err := put(runKey(run), storedRun{V: 1, Run: r})
		if err != nil {
			return err
		}
		log, err := newScribe(by.Who).op(run, []Entry{{At: time.Now().UTC().Round(0), Who: by.Who, What: what, Why: by.Why}})
		if err != nil {
			return err
		}
		_, err = s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: head.Key, Modified: rev}}, Do: []kv.Op{head, log}})
		return err
	})
	if err != nil {
		return out, fmt.Errorf("run %s was not %s: %w", run, what, err)
	}
	return out, nil
}

// changeStep writes what change makes of a record, and of the header where it
// changes that too, with its line in the journal.
func changeStep(ctx context.Context, s kv.Store, run, step string, by By, what string, change func(*Run, *stored) (bool, error)) error {
	if err := by.check(); err != nil {
		return err
	}
	err := again(ctx, func() error {
		head, headRev, err := getRun(ctx, s, run)
		if err != nil {
			return err
		}
		if head.State == RunAborted {
			return fmt.Errorf("%w: run %s was aborted", ErrState, run)
		}
		r, ok, err := getRecord(ctx, s, run, step)
		if err != nil {
			return err
		}
		if !ok {
			spec, err := loadPlan(ctx, s, run, head.Plan)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(spec.Steps, func(st Step) bool { return st.ID == step })
			if i < 0 {
				return fmt.Errorf("run %s has no step %q; its steps are in: bongsu run show %s", run, step, run)
			}
			r = stored{Record: Record{Step: spec.Steps[i], State: StepPending, Attempt: 1, Key: idempotencyKey(run, step, 1)}}
		}
		before := head.State
		changed, err := change(&head, &r)
		if err != nil || !changed {
			return err
		}
		r.By = by.Who
		t, err := transaction(nil, []kv.Cond{{Key: runKey(run), Modified: headRev}}, []write{{
			run: run, rec: r.Record, rev: r.rev,
			entry: Entry{At: time.Now().UTC().Round(0), Who: by.Who, What: what, Step: step, Why: by.Why},
		}}, newScribe(by.Who))
		if err != nil {
			return err
		}
		if head.State != before {
			head.By = by
			op, err := put(runKey(run), storedRun{V: 1, Run: head})
			if err != nil {
				return err
			}
			t.Do = append(t.Do, op)
		}
		_, err = s.Commit(ctx, t)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s of run %s was not %s: %w", step, run, what, err)
	}
	return nil
}
