package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/detect"
	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/plan"
	"bongsu/recovery"
)

// Keys of this package.
const (
	leaderPrefix = "node/leader"
	pingKey      = "node/ping/"
)

// leaderKey is who leads, as the leader itself wrote it; version 1.
type leaderKey struct {
	V    int    `json:"v"`
	Site string `json:"site"`
	Term int64  `json:"-"` // the revision that created the key
}

func readLeader(ctx context.Context, s kv.Store) (leaderKey, error) {
	e, ok, err := s.Get(ctx, leaderPrefix)
	if err != nil || !ok {
		return leaderKey{}, err
	}
	var l leaderKey
	if err := json.Unmarshal(e.Value, &l); err != nil {
		return leaderKey{}, fmt.Errorf("read who leads: %w", err)
	}
	l.Term = e.Created
	return l, nil
}

// lead stands for leadership again and again, and leads while it has it.
func (n *Node) lead(ctx context.Context) error {
	value, err := json.Marshal(leaderKey{V: 1, Site: n.o.Site})
	if err != nil {
		return err
	}
	pause(ctx, n.o.StandBack)
	for ctx.Err() == nil {
		l, err := kv.Campaign(ctx, n.store, kv.Claim{Key: leaderPrefix, Value: value, TTL: n.o.Detection.Lease})
		if err != nil {
			if !n.passing(ctx, "leadership", err) {
				return err
			}
			continue
		}
		n.log.Info("leading", "term", l.Term())
		err = n.reign(ctx, l)
		n.leave(ctx, l)
		n.log.Info("leading no more", "term", l.Term(), "err", err)
	}
	return nil
}

// reign does a leader's work until its leadership or ctx ends.
func (n *Node) reign(ctx context.Context, l kv.Leadership) error {
	ctx, stop := during(ctx, l.Done())
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	// Writes are quickest where the store's own leader is; it is no matter if not.
	wg.Go(func() {
		if st := n.store.Status(); st.Member && !st.Leading {
			if err := n.store.MoveLeader(ctx, n.o.Name); err != nil {
				n.log.Debug("the store's leader stays where it is", "err", err)
			}
		}
	})
	wg.Go(func() { n.govern(ctx, l) })
	wg.Go(func() { n.wake(ctx, l) })
	wg.Go(func() { n.tell(ctx, l) })
	wg.Go(func() { n.auditHeads(ctx, l) })
	c := recovery.Conductor{
		Store: n.store, Lead: l, Node: n.o.Name, Session: n.session.Load().(string), Log: n.log, //nolint:errcheck,forcetypeassert // only strings are stored
		Planner: recovery.PlanWith(func(ctx context.Context, rev string) (*estate.Snapshot, error) {
			return n.cache.snapshot(ctx, n.store, rev)
		}, plan.Options{}),
	}
	return c.Run(ctx)
}

// under is a store in which every write carries a leader's fence: a leader that was
// superseded without noticing changes nothing.
type under struct {
	kv.Store
	fence *kv.Fence
}

func (u under) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	t.Fence = u.fence
	return u.Store.Commit(ctx, t)
}

// A governor is what a leader has in mind in one reign.
type governor struct {
	*Node
	lead    kv.Leadership
	store   kv.Store          // under the leader's fence
	began   time.Time         // of the reign
	nothing map[string]string // incidents for which there is nothing to do, with what was lost by then
	scribe  *scribe
}

// govern turns verdicts into incidents and declared incidents into runs.
func (n *Node) govern(ctx context.Context, l kv.Leadership) {
	g := &governor{Node: n, lead: l, store: under{n.store, l.Fence()}, began: time.Now(), nothing: map[string]string{}}
	g.scribe = n.newScribe(g.store)
	changes := n.cache.changes(ctx)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	last := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		case <-tick.C:
		}
		if time.Since(last) < 50*time.Millisecond {
			continue
		}
		last = time.Now()
		// The record is kept whether or not there can be a run.
		if err := errors.Join(g.step(ctx), g.scribe.keep(ctx, g.cache.get())); err != nil && ctx.Err() == nil {
			n.log.Warn("the leader tries again", "err", err)
		}
	}
}

// step looks once at what is observed and what is declared, and writes what follows.
func (g *governor) step(ctx context.Context) error {
	k := g.cache.get()
	// A process that was stopped for a while wakes up with old observations, and
	// perhaps before it is told that it leads no more.
	if k.snapshot == nil || !g.lead.Alive() {
		return nil
	}
	v := g.verdict(k)
	open := slices.ContainsFunc(k.incidents, func(i incident.Incident) bool { return i.Open() && !i.Drill })
	if (len(v.Losses) > 0 || open) && time.Since(g.began) > g.o.Interval+g.o.Timeout {
		if _, _, err := incident.Reconcile(ctx, g.store, v, incident.Rule{Auto: g.o.Declare, Estate: k.head.Rev}); err != nil {
			return err
		}
	}
	for i := range k.incidents {
		inc := &k.incidents[i]
		if inc.State != incident.Declared || inc.Drill || inc.Run != "" && !grown(k.runs, *inc) || g.nothing[inc.ID] == said(*inc) {
			continue
		}
		if err := g.ensureRun(ctx, inc.ID, k); err != nil {
			return err
		}
	}
	return nil
}

// said is what an incident says is lost.
func said(inc incident.Incident) string { return strings.Join(inc.Lost, " ") }

// verdict judges what is observed now.
func (n *Node) verdict(k known) detect.Verdict {
	if k.snapshot == nil {
		return detect.Verdict{Sites: []detect.Site{}, Losses: []detect.Loss{}}
	}
	in := detect.Input{Snapshot: k.snapshot, Policy: n.o.Detection, Now: time.Now()}
	if n.store.Status().Quorum { // without it the last that was told is of the past: unknown
		in.Observations = n.views.Observations()
	}
	return detect.Judge(in)
}

// ensureRun makes the run of a declared incident, once the fencing lease of every
// lost site has run out: before that its writers may still be writing.
func (g *governor) ensureRun(ctx context.Context, id string, k known) error {
	inc, err := incident.Show(ctx, g.store, id)
	if err != nil {
		return err
	}
	number := 1 // runs are numbered: one more is due when the loss grew after the last was over
	for _, e := range inc.Entries {
		if e.Act == incident.ActRun {
			number++
		}
	}
	if inc.State != incident.Declared || inc.Run != "" && !grown(k.runs, inc) {
		return nil
	}
	held, err := g.heldFence(ctx, k.snapshot, inc.Lost)
	if err != nil {
		return err
	}
	if held != "" {
		g.log.Info("waiting for the fencing lease of the lost site to run out", "site", held, "incident", id)
		return nil
	}
	spec, err := g.planFor(k, inc.Lost, time.Since(inc.LostAt))
	if err != nil {
		return fmt.Errorf("plan for incident %s: %w", id, err)
	}
	if len(spec.Steps) == 0 {
		return g.nothingToDo(ctx, inc, spec)
	}
	// One run for one incident, named after it: a second leader that comes to the
	// same conclusion finds it there.
	run, err := recovery.Create(ctx, g.store, recovery.NewRun{
		ID: runID(id, number), Spec: spec, Incident: id, LostAt: inc.LostAt, Approved: g.o.Approve,
		By: recovery.By{Who: incident.ByPolicy, Why: "the incident was declared: " + inc.Why},
	})
	switch {
	case errors.Is(err, kv.ErrConflict): // it is there, and not attached yet
		run.ID = runID(id, number)
	case err != nil:
		return err
	default:
		g.log.Info("run made", "incident", id, "run", run.ID, "steps", len(spec.Steps))
	}
	_, err = incident.AttachRun(ctx, g.store, id, run.ID, incident.ByPolicy)
	return err
}

func runID(incident string, number int) string { return fmt.Sprintf("%s-run%d", incident, number) }

// grown reports whether the run of an incident is over and does not know of all
// that is lost by now. A run that is not over plans anew by itself.
func grown(runs []recovery.Run, inc incident.Incident) bool {
	i := slices.IndexFunc(runs, func(r recovery.Run) bool { return r.ID == inc.Run })
	return i >= 0 && !runs[i].State.Live() && runs[i].State != recovery.RunAborted &&
		slices.ContainsFunc(inc.Lost, func(d string) bool { return !slices.Contains(runs[i].Lost, d) })
}

// nothingToDo notes once that an incident needs no run, or that none would help.
func (g *governor) nothingToDo(ctx context.Context, inc incident.Incident, spec recovery.Spec) error {
	text := "no step is needed: nothing that users use went down"
	if len(spec.Blockers) > 0 {
		text = fmt.Sprintf("no step would help: %d things cannot come back with what survives", len(spec.Blockers))
	}
	if !slices.ContainsFunc(inc.Entries, func(e incident.Entry) bool { return e.Act == incident.ActNote && e.Why == text }) {
		if _, err := incident.Note(ctx, g.store, inc.ID, incident.ByPolicy, text); err != nil {
			return err
		}
	}
	g.nothing[inc.ID] = said(inc)
	return nil
}

// heldFence names a lost site whose fencing lease still runs; empty: there is none.
func (g *governor) heldFence(ctx context.Context, snap *estate.Snapshot, lost []string) (string, error) {
	var sites []string
	for i := range snap.Domains {
		if snap.Domains[i].Site == i {
			sites = append(sites, snap.Domains[i].Name)
		}
	}
	for _, site := range sitesIn(snap, lost, sites...) {
		if _, held, err := g.store.Get(ctx, recovery.FenceKey(site)); held || err != nil {
			return site, err
		}
	}
	return "", nil
}

var errNoEstate = errors.New("no estate has been pushed yet: run bongsu estate push DIR")

// planFor plans the recovery of a loss, from a moment after it.
func (n *Node) planFor(k known, lost []string, since time.Duration) (recovery.Spec, error) {
	if k.snapshot == nil {
		return recovery.Spec{}, errNoEstate
	}
	p, err := plan.Make(k.snapshot, lost, plan.Options{Now: since})
	if err != nil {
		return recovery.Spec{}, err
	}
	return recovery.FromPlan(p), nil
}
