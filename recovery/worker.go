package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/internal/kv"
)

// A Tenure is the hold of a node on its presence key; *kv.Tenure is one.
type Tenure interface {
	Alive() bool
	Done() <-chan struct{}
}

// A Worker is the executor's side of recovery: it carries out the steps that are
// given to its session. It acts only while its tenure lasts.
type Worker struct {
	Store     kv.Store
	Node      string
	Session   string // as PresenceClaim gave it
	Tenure    Tenure // of the presence key
	Actuators map[string]Actuator
	Dry       Actuator // of dry drills; nil records the intention only
	Log       *slog.Logger

	// Parallel is how many acts run at once; 0 means 256.
	Parallel int
	// Grace is how long an act may take to stop once it was told to; 0 means five
	// seconds. After that it is left behind and reported as failed.
	Grace time.Duration

	scribe *scribe
	slots  chan struct{}

	mu       sync.Mutex
	finished []*job
	wake     chan struct{}
}

// A job is one step that was given to this worker. It belongs to the goroutine of
// Worker.Run, except for what act hands back in outcome.
type job struct {
	run     string
	rec     Record
	rev     int64
	phase   phase
	cancel  context.CancelCauseFunc
	outcome Record
}

type phase int

const (
	waiting  phase = iota // assigned: it is to be recorded as begun
	acting                // begun
	finished              // its outcome is to be recorded
)

// Causes that an act is stopped for.
var (
	errAborted    = errors.New("the run was aborted")
	errSuperseded = errors.New("the step was given to another node")
)

// Run carries out steps until ctx ends or the tenure does; in the latter case it
// returns [ErrLapsed], and its node needs a new tenure, session and Worker. When it
// returns all its acts have been stopped.
func (w *Worker) Run(ctx context.Context) error {
	w.scribe = newScribe(w.Node)
	w.slots = make(chan struct{}, cmp.Or(w.Parallel, 256))
	w.Grace = cmp.Or(w.Grace, 5*time.Second)
	w.wake = make(chan struct{}, 1)
	ctx, cancel := context.WithCancelCause(ctx)
	var acts sync.WaitGroup
	defer acts.Wait()
	defer cancel(nil)
	acts.Go(func() {
		select {
		case <-w.Tenure.Done():
			cancel(ErrLapsed)
		case <-ctx.Done():
		}
	})

	d := &desk{Worker: w, runs: map[string]runAt{}, jobs: map[string]*job{}, revs: map[string]int64{}, acts: &acts}
	for n := 0; ; n++ {
		err := d.follow(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, kv.ErrFull) {
			w.Log.Error("the store is full and refuses the journal: steps wait until there is room", "node", w.Node, "err", err)
		} else {
			w.Log.Warn("following the steps was interrupted", "node", w.Node, "err", err)
		}
		if !pause(ctx, backoff(min(n, 4))) {
			return context.Cause(ctx)
		}
	}
}

// A desk is what a worker has in hand. It belongs to one goroutine.
type desk struct {
	*Worker
	runs map[string]runAt
	jobs map[string]*job  // by key of the record
	revs map[string]int64 // of records, as last seen
	acts *sync.WaitGroup
}

type runAt struct {
	Run
	rev int64
}

// follow works from what the store holds now until ctx ends or the store fails.
func (d *desk) follow(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx) // acts outlive a broken watch
	defer stop()
	heads, rev, err := d.Store.List(ctx, runPrefix)
	if err != nil {
		return err
	}
	headEvents, err := d.Store.Watch(watching, runPrefix, rev)
	if err != nil {
		return err
	}
	var steps []kv.Entry
	for _, e := range heads {
		if err := d.see(ctx, kv.Event{Entry: e}); err != nil {
			return err
		}
	}
	// Only runs that are not over have steps for us. Their records are listed after
	// the revision that the watch starts at, so that nothing falls in between.
	stepEvents, err := d.Store.Watch(watching, stepPrefix, rev)
	if err != nil {
		return err
	}
	for _, e := range heads {
		id := strings.TrimPrefix(e.Key, runPrefix)
		if r := d.runs[id]; r.State.Live() || r.State == RunAborted {
			found, _, err := d.Store.List(ctx, stepPrefix+id+"/")
			if err != nil {
				return err
			}
			steps = append(steps, found...)
		}
	}
	for _, e := range steps {
		if err := d.see(ctx, kv.Event{Entry: e}); err != nil {
			return err
		}
	}
	for {
		if err := d.flush(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case batch, ok := <-headEvents:
			if err := d.seeAll(ctx, batch, ok); err != nil {
				return err
			}
		case batch, ok := <-stepEvents:
			if err := d.seeAll(ctx, batch, ok); err != nil {
				return err
			}
		case <-d.wake:
		}
		for more := true; more; { // what is there together is committed together
			select {
			case batch, ok := <-headEvents:
				if err := d.seeAll(ctx, batch, ok); err != nil {
					return err
				}
			case batch, ok := <-stepEvents:
				if err := d.seeAll(ctx, batch, ok); err != nil {
					return err
				}
			default:
				more = false
			}
		}
	}
}

func (d *desk) seeAll(ctx context.Context, batch []kv.Event, ok bool) error {
	if !ok {
		return fmt.Errorf("the watch ended: %w", kv.ErrUnavailable)
	}
	for _, e := range batch {
		if err := d.see(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// see takes one header or record.
func (d *desk) see(ctx context.Context, e kv.Event) error {
	if e.Deleted {
		return nil
	}
	if strings.HasPrefix(e.Key, runPrefix) {
		r, err := decodeRun(e.Entry)
		if err != nil {
			d.Log.Error("a run cannot be read: its steps are left alone", "key", e.Key, "err", err)
			return nil
		}
		if e.Modified <= d.runs[r.ID].rev {
			return nil
		}
		d.runs[r.ID] = runAt{r, e.Modified}
		if r.State == RunAborted {
			for _, j := range d.jobs {
				if j.run == r.ID && j.cancel != nil {
					j.cancel(errAborted)
				}
			}
		}
		return nil
	}
	if e.Modified <= d.revs[e.Key] {
		return nil
	}
	d.revs[e.Key] = e.Modified
	r, err := decodeRecord(e.Entry)
	if err != nil {
		d.Log.Error("a step cannot be read: it is left alone", "key", e.Key, "err", err)
		return nil
	}
	run, _, _ := strings.Cut(strings.TrimPrefix(e.Key, stepPrefix), "/")
	j := d.jobs[e.Key]
	mine := d.mine(&r)
	switch {
	case mine && j == nil:
		d.take(ctx, run, stored{r, e.Modified})
	case mine && j.phase == waiting:
		j.rec, j.rev = r, e.Modified
		if r.State == StepBegun {
			d.start(ctx, j)
		}
	case mine && j.rec.Attempt == r.Attempt && r.State == StepBegun:
		j.rev = e.Modified
	case j != nil: // somebody else decided about it: what we do is not wanted any more
		if j.cancel != nil {
			j.cancel(errSuperseded)
		}
		if j.phase == waiting {
			delete(d.jobs, e.Key)
		}
	}
	return nil
}

// mine reports whether a step is given to us.
func (d *desk) mine(r *Record) bool {
	return r.Executor == d.Session && (r.State == StepAssigned || r.State == StepBegun && d.begins(r))
}

// take makes a job of a step that is given to us.
func (d *desk) take(ctx context.Context, run string, r stored) {
	j := &job{run: run, rec: r.Record, rev: r.rev}
	d.jobs[stepKey(run, r.Step.ID)] = j
	if r.State == StepBegun {
		d.start(ctx, j)
	}
}

// begins reports whether it is for us to carry out a step that is recorded as begun:
// we recorded it, or the leader did for our session.
func (d *desk) begins(r *Record) bool { return r.Begin == "" || r.Begin == d.scribe.writer }

// start lets a step that is recorded as begun begin.
func (d *desk) start(ctx context.Context, j *job) {
	run := d.runs[j.run]
	actCtx, cancel := context.WithCancelCause(ctx)
	j.phase, j.cancel = acting, cancel
	if run.State == RunAborted {
		cancel(errAborted)
	}
	rec, scope := j.rec, run.Scope
	d.acts.Go(func() {
		defer cancel(nil)
		j.outcome = d.perform(actCtx, j.run, rec, scope)
		d.mu.Lock()
		d.finished = append(d.finished, j)
		d.mu.Unlock()
		d.nudge()
	})
}

// flush records what is to begin and what has ended, all in one transaction.
func (d *desk) flush(ctx context.Context) error {
	d.mu.Lock()
	for _, j := range d.finished {
		j.phase = finished
	}
	d.finished = nil
	d.mu.Unlock()
	if !d.Tenure.Alive() {
		return nil // others may be asking already; Run is about to end
	}
	var due []*job
	for _, key := range slices.Sorted(maps.Keys(d.jobs)) {
		j := d.jobs[key]
		if j.phase == finished || j.phase == waiting && d.runs[j.run].State == RunRunning {
			due = append(due, j)
		}
	}
	var writes []write
	for _, j := range due {
		writes = append(writes, d.write(j))
	}
	for _, batch := range batches(writes) {
		n := len(batch)
		if err := d.commit(ctx, due[:n], batch); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

// write is what is to be recorded of a job.
func (d *desk) write(j *job) write {
	now := time.Now().UTC().Round(0)
	e := Entry{At: now, Who: d.Node, Step: j.rec.Step.ID, Term: j.rec.Term}
	if j.phase == waiting {
		r := j.rec
		r.State, r.Begin = StepBegun, d.scribe.writer
		if r.Begun.IsZero() || r.Ask == AskNothing {
			r.Begun = now
		}
		e.What = string(StepBegun)
		return write{run: j.run, rec: r, rev: j.rev, entry: e}
	}
	e.What, e.Why = string(j.outcome.State), cmp.Or(j.outcome.Asks, j.outcome.Detail)
	if j.outcome.State == StepPerson {
		e.What = "needs a person"
	}
	return write{run: j.run, rec: j.outcome, rev: j.rev, entry: e}
}

// commit records a batch. When one of it was overtaken, each goes alone, so that
// one that is not wanted any more does not hold up the others.
func (d *desk) commit(ctx context.Context, jobs []*job, writes []write) error {
	var conds []kv.Cond
	var guarded []string
	for _, j := range jobs {
		// Nothing begins in a run that was paused or aborted in the meantime.
		if j.phase == waiting && !slices.Contains(guarded, j.run) {
			guarded = append(guarded, j.run)
			conds = append(conds, kv.Cond{Key: runKey(j.run), Modified: d.runs[j.run].rev})
		}
	}
	t, err := transaction(nil, conds, writes, d.scribe)
	if err != nil {
		return err
	}
	rev, err := d.Store.Commit(ctx, t)
	switch {
	case err == nil:
		for i, j := range jobs {
			d.recorded(ctx, j, writes[i].rec, rev)
		}
		return nil
	case !errors.Is(err, kv.ErrConflict):
		return fmt.Errorf("record %d steps: %w", len(writes), err)
	case len(jobs) > 1:
		for i := range jobs {
			if err := d.commit(ctx, jobs[i:i+1], writes[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	return d.overtaken(ctx, jobs[0], writes[0])
}

// recorded goes on with a job whose write is in the store.
func (d *desk) recorded(ctx context.Context, j *job, r Record, rev int64) {
	key := stepKey(j.run, r.Step.ID)
	d.revs[key] = max(d.revs[key], rev)
	j.rec, j.rev = r, rev
	if j.phase == waiting {
		d.start(ctx, j)
		return
	}
	delete(d.jobs, key)
}

// overtaken finds out why a single write met a conflict.
func (d *desk) overtaken(ctx context.Context, j *job, wrote write) error {
	key := stepKey(j.run, j.rec.Step.ID)
	head, rev, err := getRun(ctx, d.Store, j.run)
	if err != nil {
		return err
	}
	if rev > d.runs[j.run].rev {
		d.runs[j.run] = runAt{head, rev}
	}
	now, _, err := getRecord(ctx, d.Store, j.run, j.rec.Step.ID)
	if err != nil {
		return err
	}
	ours := now.Executor == d.Session && now.Attempt == j.rec.Attempt && d.begins(&now.Record)
	switch {
	case j.phase == waiting && ours && now.State == StepAssigned:
		j.rec, j.rev = now.Record, now.rev // only the header had changed
		d.nudge()
	case j.phase == waiting && ours && now.State == StepBegun: // it had been recorded after all
		d.recorded(ctx, j, now.Record, now.rev)
	case j.phase == finished && ours && now.State == StepBegun:
		j.rev = now.rev
		d.nudge()
	case j.phase == finished && (!ours || now.State != j.outcome.State):
		// Our outcome comes too late to count; it is not hidden all the same.
		delete(d.jobs, key)
		entry := wrote.entry
		entry.Why = fmt.Sprintf("too late: %s reports %s, but the step is %s by now. %s", d.Node, entry.What, now.State, entry.Why)
		entry.What = "late report"
		op, err := d.scribe.op(j.run, []Entry{entry})
		if err != nil {
			return err
		}
		if _, err := d.Store.Commit(ctx, kv.Txn{Do: []kv.Op{op}}); err != nil {
			return fmt.Errorf("record a late report: %w", err)
		}
		if now.Attempt != j.rec.Attempt && d.mine(&now.Record) {
			// While the old attempt was in hand the new one was passed over.
			d.revs[key] = max(d.revs[key], now.rev)
			d.take(ctx, j.run, now)
			d.nudge()
		}
	default:
		delete(d.jobs, key)
	}
	return nil
}

// nudge makes the worker go round again.
func (w *Worker) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
