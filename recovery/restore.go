package recovery

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"bongsu/internal/kv"
)

// AfterRestore returns what kv.Restore has to finish with. What a run did after the
// backup was made is not in it: so every run that is not over is paused, or goes on
// waiting for its approval, and each of its steps asks whether it took effect before it
// acts. What people had allowed has to be allowed again. It can be called again when it
// was interrupted. Conductors write nothing before the restore is done.
func AfterRestore(s kv.Store, by string) func(context.Context, kv.BackupInfo) error {
	by = cmp.Or(by, "restore")
	return func(ctx context.Context, from kv.BackupInfo) error {
		runs, err := List(ctx, s)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if r.State.Live() {
				if err := again(ctx, func() error { return restored(ctx, s, r.ID, by, from) }); err != nil {
					return fmt.Errorf("pause run %s, which was restored: %w", r.ID, err)
				}
			}
		}
		return nil
	}
}

// restored holds one run: its records first, then the header, which says that all of
// it is done.
func restored(ctx context.Context, s kv.Store, run, by string, from kv.BackupInfo) error {
	head, rev, err := getRun(ctx, s, run)
	if err != nil || head.Restored.Equal(from.At) && head.State != RunRunning {
		return err
	}
	now := time.Now().UTC().Round(0)
	why := fmt.Sprintf("restored from a backup of %s of %s: what was done after that is not known, so each step asks before it acts", cmp.Or(from.Cluster, "a cluster without a name"), from.At.Format(time.RFC3339))
	found, _, err := s.List(ctx, stepPrefix+run+"/")
	if err != nil {
		return err
	}
	var writes []write
	for _, e := range found {
		r, err := decodeRecord(e)
		if err != nil {
			return err
		}
		if next, changed := askAgain(r); changed {
			writes = append(writes, write{run: run, rec: next, rev: e.Modified, entry: Entry{At: now, Who: by, What: "asks first", Step: r.Step.ID, Why: why}})
		}
	}
	j := newScribe(by)
	for _, batch := range batches(writes) {
		t, err := transaction(nil, []kv.Cond{{Key: runKey(run), Modified: rev}}, batch, j)
		if err != nil {
			return err
		}
		if _, err := s.Commit(ctx, t); err != nil {
			return err
		}
	}
	what := "restored"
	if head.State == RunRunning {
		head.State, what = RunPaused, "paused"
	}
	head.Restored, head.By = from.At, By{Who: by, Why: why}
	op, err := put(runKey(run), storedRun{V: 1, Run: head})
	if err != nil {
		return err
	}
	log, err := j.op(run, []Entry{{At: now, Who: by, What: what, Why: why}})
	if err != nil {
		return err
	}
	_, err = s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: op.Key, Modified: rev}}, Do: []kv.Op{op, log}})
	return err
}

// askAgain is a record as a restored run begins with it. What had been given out is
// given out anew, past its guard; what a person was asked is asked still.
func askAgain(r Record) (Record, bool) {
	before := r
	switch r.State {
	case StepAssigned, StepBegun:
		r.State, r.Executor, r.Node, r.Begin = StepPending, "", "", ""
	case StepPending:
	case StepPerson:
		if r.Question == QuestionDo && r.Ask == AskNothing {
			r.Asks += lookFirst
		}
	case StepDone, StepFailed, StepSkipped, StepDropped:
		return r, false
	}
	r.Ask, r.Allowed = AskFirst, false
	same := r.State == before.State && r.Ask == before.Ask && r.Allowed == before.Allowed
	return r, !same
}
