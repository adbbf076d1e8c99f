package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/incident"
	"bongsu/internal/kv"
)

// A Lead is the leadership that a conductor acts under; kv.Leadership is one.
type Lead interface {
	Fence() *kv.Fence
	Term() int64
	Done() <-chan struct{}
}

// A Conductor is the leader's side of recovery: it gives steps to nodes, takes over
// from nodes that died, asks people, and makes a new plan when the old one does not
// hold. One runs at a time; a second one is fenced off.
type Conductor struct {
	Store   kv.Store
	Lead    Lead
	Node    string  // the leader's own node
	Session string  // of its [Worker]; empty when it has none
	Planner Planner // nil: [Remainder]
	Log     *slog.Logger

	// Slack is by how much a step must at least outrun its likely time before a new
	// plan is made; 0 means one second.
	Slack time.Duration
	// Grace is how long a site may be without a node before another site's node
	// carries out its steps; 0 means five seconds.
	Grace time.Duration
	// PlanLimit is how long the planner may take; 0 means a minute.
	PlanLimit time.Duration

	scribe *scribe
}

// Run conducts every run that is not over until ctx ends or the leadership does; in
// the latter case it returns [ErrSuperseded]. When it returns it has stopped acting.
func (c *Conductor) Run(ctx context.Context) error {
	c.scribe = newScribe(c.Node)
	c.Slack = cmp.Or(c.Slack, time.Second)
	c.Grace = cmp.Or(c.Grace, 5*time.Second)
	c.PlanLimit = cmp.Or(c.PlanLimit, time.Minute)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel(nil)
	all.Go(func() {
		select {
		case <-c.Lead.Done():
			cancel(ErrSuperseded)
		case <-ctx.Done():
		}
	})

	r := &roster{active: map[string]bool{}, heads: map[string]Run{}, ended: make(chan string)}
	for n := 0; ; n++ {
		err := c.followRuns(ctx, r, &all, cancel)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.Log.Warn("following the runs was interrupted", "err", err)
		if !pause(ctx, backoff(n)) {
			return context.Cause(ctx)
		}
	}
}

// A roster is which runs there are and which are conducted. It belongs to the
// goroutine of Conductor.Run.
type roster struct {
	active map[string]bool
	heads  map[string]Run
	ended  chan string
}

// followRuns starts a goroutine for each run that is not over. The goroutines live
// as long as ctx, not as long as the watch of the list of runs.
func (c *Conductor) followRuns(ctx context.Context, r *roster, all *sync.WaitGroup, cancel context.CancelCauseFunc) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	entries, events, err := follow(watching, c.Store, runPrefix)
	if err != nil {
		return err
	}
	start := func(id string) {
		if head := r.heads[id]; r.active[id] || head.State == RunDone || head.State == RunFailed {
			return
		}
		r.active[id] = true
		all.Go(func() {
			if err := c.conduct(ctx, id); errors.Is(err, kv.ErrFenced) {
				cancel(ErrSuperseded)
			}
			select {
			case r.ended <- id:
			case <-ctx.Done():
			}
		})
	}
	see := func(e kv.Entry) {
		head, err := decodeRun(e)
		if err != nil {
			c.Log.Error("a run cannot be read: it is left alone", "key", e.Key, "err", err)
			return
		}
		r.heads[head.ID] = head
		start(head.ID)
	}
	for _, e := range entries {
		see(e)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case batch, ok := <-events:
			if !ok {
				return kv.ErrUnavailable
			}
			for _, e := range batch {
				if !e.Deleted {
					see(e.Entry)
				}
			}
		case id := <-r.ended:
			delete(r.active, id)
			if r.heads[id].State.Live() { // it was reopened in the meantime
				start(id)
			}
		}
	}
}

// A memory is what the leader remembers of a run from one listing to the next: when
// things happened by its own clock, which no other clock can shift.
type memory struct {
	begunAt map[string]time.Time // by step and attempt
	absent  map[string]time.Time
	gone    map[string]time.Time // sessions
	listed  bool                 // the first listing is over: what is new now is new by our clock
}

// conduct carries one run through until it is over, ctx ends or a newer leader
// holds the journal. Any other trouble is retried from what the store holds.
func (c *Conductor) conduct(ctx context.Context, id string) error {
	mem := &memory{begunAt: map[string]time.Time{}, absent: map[string]time.Time{}, gone: map[string]time.Time{}}
	for n := 0; ; n++ {
		before := time.Now()
		err := c.lead(ctx, id, mem)
		switch {
		case err == nil, errors.Is(err, kv.ErrFenced):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kv.ErrConflict): // a person or a node was first: look again
			c.Log.Debug("another write came first", "run", id, "err", err)
		case errors.Is(err, kv.ErrFull):
			c.Log.Error("the store is full and refuses the journal: nothing new is begun until there is room; delete or compact, then repair the quota alarm", "run", id, "err", err)
		default:
			c.Log.Warn("conducting was interrupted", "run", id, "err", err)
		}
		if time.Since(before) > 10*time.Second {
			n = 0
		}
		if !pause(ctx, backoff(n)) {
			return ctx.Err()
		}
	}
}

// A made plan, or why there is none.
type planned struct {
	rest   Rest
	why    []string
	basis  []string
	spec   Spec
	known  bool // what it costs
	failed error
}

// lead conducts one run from what the store holds now. It returns nil when the run
// is over, and any error of the store.
func (c *Conductor) lead(ctx context.Context, id string, mem *memory) error {
	ctx, cancel := context.WithCancel(ctx)
	var planning sync.WaitGroup
	defer planning.Wait()
	defer cancel()

	head, _, err := getRun(ctx, c.Store, id)
	if err != nil {
		return err
	}
	prefixes := []string{runKey(id), stepPrefix + id + "/", nodePrefix, fencePrefix}
	if head.Incident != "" {
		prefixes = append(prefixes, incident.Prefix+head.Incident+"/")
	}
	entries, events, err := follow(ctx, c.Store, prefixes...)
	if err != nil {
		return err
	}
	s := &state{
		records: map[string]*stored{}, nodes: map[string]storedPresence{}, fences: map[string]bool{},
		begunAt: map[string]time.Time{}, absent: mem.absent, gone: mem.gone,
		self: c.Session, node: c.Node, slack: c.Slack, grace: c.Grace,
	}
	v := &view{state: s, id: id, mem: mem, byKey: map[string]string{}, entries: map[string]kv.Entry{}}
	for _, e := range entries {
		if err := v.apply(kv.Event{Entry: e}); err != nil {
			return err
		}
	}
	mem.listed = true
	if s.run.ID == "" {
		return fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	if s.spec, err = loadPlan(ctx, c.Store, id, s.run.Plan); err != nil {
		return err
	}
	original := s.spec
	if s.run.Plan > 1 && c.Planner == nil {
		if original, err = loadPlan(ctx, c.Store, id, 1); err != nil {
			return err
		}
	}

	plans := make(chan planned)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		v.settle(time.Now())
		now := time.Now()
		d := decide(s, c.Lead.Term(), now)
		if d.over {
			return nil
		}
		for _, batch := range batches(d.writes) {
			if err := c.commit(ctx, v, batch); err != nil {
				return err
			}
		}
		if d.run != nil {
			if err := c.head(ctx, s, *d.run, d.entries); err != nil {
				return err
			}
		}
		if d.replan {
			s.planned = true
			rest := s.rest(now)
			if c.Planner == nil {
				rest.Current = original
			}
			_, basis := s.news(now)
			planning.Go(func() {
				p := c.replan(ctx, rest, basis)
				select {
				case plans <- p:
				case <-ctx.Done():
				}
			})
		}
		// Steps that were given out allow nothing more by themselves; what ended does.
		v.changed = d.run != nil || slices.ContainsFunc(d.writes, func(w write) bool { return w.rec.State.Over() })
		wait := time.Hour
		if !d.wake.IsZero() {
			wait = max(time.Until(d.wake), time.Millisecond)
		}
		timer.Reset(wait)
		for !v.changed {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case batch, ok := <-events:
				if err := v.applyAll(batch, ok); err != nil {
					return err
				}
			case p := <-plans:
				s.planned, v.changed = false, true
				if err := c.accept(ctx, s, p); err != nil {
					return err
				}
			case <-timer.C:
				v.changed = true
			}
		}
		for more := true; more; { // take all that is there, so that it is decided on together
			select {
			case batch, ok := <-events:
				if err := v.applyAll(batch, ok); err != nil {
					return err
				}
			default:
				more = false
			}
		}
	}
}

// commit writes records and their lines in the journal as one transaction, under the
// term, and only while the header is as we know it: a run that was paused or aborted
// in the meantime gives out nothing more. Nor does one that is being restored.
func (c *Conductor) commit(ctx context.Context, v *view, writes []write) error {
	s := v.state
	t, err := transaction(c.Lead.Fence(), []kv.Cond{{Key: runKey(s.run.ID), Modified: s.runRev}, {Key: kv.Restoring}}, writes, c.scribe)
	if err != nil {
		return err
	}
	rev, err := c.Store.Commit(ctx, t)
	if err != nil {
		return fmt.Errorf("write %d steps of run %s: %w", len(writes), s.run.ID, err)
	}
	for _, w := range writes {
		v.record(stored{w.rec, rev})
	}
	return nil
}

// head writes the header.
func (c *Conductor) head(ctx context.Context, s *state, r Run, entries []Entry) error {
	op, err := put(runKey(r.ID), storedRun{V: 1, Run: r})
	if err != nil {
		return err
	}
	log, err := c.scribe.op(r.ID, entries)
	if err != nil {
		return err
	}
	rev, err := c.Store.Commit(ctx, kv.Txn{
		Fence: c.Lead.Fence(),
		If:    []kv.Cond{{Key: op.Key, Modified: s.runRev}, {Key: kv.Restoring}},
		Do:    []kv.Op{op, log},
	})
	if err != nil {
		return fmt.Errorf("write run %s: %w", r.ID, err)
	}
	s.run, s.runRev = r, rev
	return nil
}

// replan asks the planner for the rest. When it has no answer that can be carried
// out, the plan is kept without what cannot be done any more.
func (c *Conductor) replan(ctx context.Context, rest Rest, basis []string) planned {
	p := planned{rest: rest, why: rest.Why, basis: basis}
	if c.Planner != nil {
		limited, cancel := context.WithTimeout(ctx, c.PlanLimit)
		defer cancel()
		if p.spec, p.failed = c.Planner(limited, rest); p.failed == nil {
			p.failed = rest.check(p.spec)
		}
		if p.failed == nil {
			p.known = true
			return p
		}
		p.why = append(slices.Clone(p.why), fmt.Sprintf("the planner had no answer (%v), so the plan goes on without what cannot be done", p.failed))
	}
	var err error
	if p.spec, err = Remainder(ctx, rest); err == nil {
		err = rest.check(p.spec)
	}
	p.failed = err
	return p
}

// accept makes a plan the current one: first its chunks, then the header that names
// it, so that it is there as a whole or not at all.
func (c *Conductor) accept(ctx context.Context, s *state, p planned) error {
	if p.failed != nil {
		return fmt.Errorf("plan the rest of run %s: %w", s.run.ID, p.failed)
	}
	now := time.Now()
	m := s.made(p.spec, p.why, p.basis, p.known, now)
	r := s.run
	r.Plan++
	r.Plans = append(slices.Clone(r.Plans), m)
	r.Lost = p.rest.Lost
	ops, err := planOps(r.ID, r.Plan, p.spec)
	if err != nil {
		return err
	}
	for _, op := range ops {
		if _, err := c.Store.Commit(ctx, kv.Txn{Fence: c.Lead.Fence(), If: []kv.Cond{{Key: kv.Restoring}}, Do: []kv.Op{op}}); err != nil {
			return fmt.Errorf("write plan %d of run %s: %w", r.Plan, r.ID, err)
		}
	}
	err = c.head(ctx, s, r, []Entry{{
		At: m.At, Who: c.Node, What: fmt.Sprintf("plan %d", r.Plan), Why: m.sentence(), Term: c.Lead.Term(),
	}})
	if err != nil {
		return err
	}
	s.spec = p.spec
	return nil
}

// A view keeps the state of a run up to date with the store.
type view struct {
	*state
	id      string
	mem     *memory
	changed bool                // since the last decision
	byKey   map[string]string   // presence key -> session
	entries map[string]kv.Entry // of the incident
}

// applyAll takes the changes of one revision; ok is false when the watch broke.
func (v *view) applyAll(batch []kv.Event, ok bool) error {
	if !ok {
		return fmt.Errorf("the watch ended: %w", kv.ErrUnavailable)
	}
	for _, e := range batch {
		if err := v.apply(e); err != nil {
			return err
		}
	}
	return nil
}

func (v *view) apply(e kv.Event) error {
	switch {
	case strings.HasPrefix(e.Key, runPrefix):
		if e.Deleted || e.Modified <= v.runRev || e.Key != runKey(v.id) {
			return nil
		}
		r, err := decodeRun(e.Entry)
		if err != nil {
			return err
		}
		if v.run.ID != "" && r.Plan != v.run.Plan {
			return fmt.Errorf("run %s has plan %d now: %w", r.ID, r.Plan, kv.ErrConflict)
		}
		v.run, v.runRev, v.changed = r, e.Modified, true
	case strings.HasPrefix(e.Key, stepPrefix):
		if e.Deleted {
			return nil
		}
		r, err := decodeRecord(e.Entry)
		if err != nil {
			return err
		}
		v.record(stored{r, e.Modified})
	case strings.HasPrefix(e.Key, nodePrefix):
		v.changed = true
		delete(v.nodes, v.byKey[e.Key])
		delete(v.byKey, e.Key)
		// A node that cannot say who it is gets no steps, but holds up nobody.
		if p, err := decodePresence(e.Entry); err == nil && !e.Deleted && p.Session != "" {
			v.byKey[e.Key], v.nodes[p.Session] = p.Session, p
		}
	case strings.HasPrefix(e.Key, fencePrefix):
		site := strings.TrimPrefix(e.Key, fencePrefix)
		v.fences[site], v.changed = !e.Deleted, true
	case strings.HasPrefix(e.Key, incident.Prefix):
		v.entries[e.Key], v.changed = e.Entry, true
		return v.incidentChanged()
	}
	return nil
}

// record takes one record, unless a newer one is known.
func (v *view) record(r stored) {
	id := r.Step.ID
	if old, ok := v.records[id]; ok && old.rev >= r.rev {
		return
	}
	v.changed = true
	v.put(r)
	if !r.inHand() {
		delete(v.begunAt, id)
		return
	}
	memo := fmt.Sprintf("%s#%d", id, r.Attempt)
	if _, ok := v.mem.begunAt[memo]; !ok {
		now := time.Now()
		v.mem.begunAt[memo] = now
		if !v.mem.listed { // it began before we looked: only the other's clock can tell when
			v.mem.begunAt[memo] = now.Add(-max(0, now.Sub(r.Begun)))
		}
	}
	v.begunAt[id] = v.mem.begunAt[memo]
}

func (v *view) incidentChanged() error {
	entries := make([]kv.Entry, 0, len(v.entries))
	for _, e := range v.entries {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b kv.Entry) int { return strings.Compare(a.Key, b.Key) })
	all, err := incident.Fold(entries)
	if err != nil || len(all) != 1 {
		return err
	}
	i := all[0]
	v.incident = &incidentState{lost: i.Lost, withdrawn: i.State == incident.Withdrawn, by: i.By, why: i.Why}
	return nil
}

// settle notes which sites of the plan have no node and which steps that have begun
// have lost their executor, and since when.
func (v *view) settle(now time.Time) {
	present := map[string]bool{}
	for _, p := range v.nodes {
		present[p.Site] = true
	}
	for i := range v.spec.Steps {
		site := v.spec.Steps[i].Site
		if _, known := v.absent[site]; present[site] {
			delete(v.absent, site)
		} else if !known && site != "" {
			v.absent[site] = now
		}
	}
	for _, r := range v.list {
		if _, alive := v.nodes[r.Executor]; alive {
			delete(v.gone, r.Executor)
		} else if _, known := v.gone[r.Executor]; !known && r.State == StepBegun {
			v.gone[r.Executor] = now
		}
	}
}
