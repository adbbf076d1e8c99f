package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	pingKey      = "node/ping"
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with this reign
		select {
		case <-l.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	// Writes are quickest where the store's own leader is; it is no matter if not.
	if st := n.store.Status(); st.Member && !st.Leading {
		if err := n.store.MoveLeader(ctx, n.o.Name); err != nil {
			n.log.Debug("the store's leader stays where it is", "err", err)
		}
	}
	conducted := make(chan error, 1)
	go func() {
		defer cancel()
		c := recovery.Conductor{
			Store: n.store, Lead: l, Node: n.o.Name, Session: n.session.Load().(string), Log: n.log, //nolint:errcheck,forcetypeassert // only strings are stored
			Planner: recovery.PlanWith(func(ctx context.Context, rev string) (*estate.Snapshot, error) {
				return n.cache.snapshot(ctx, n.store, rev)
			}, plan.Options{}),
		}
		conducted <- c.Run(ctx)
	}()
	n.govern(ctx, l.Fence())
	return <-conducted
}

// govern turns verdicts into incidents and declared incidents into runs.
func (n *Node) govern(ctx context.Context, fence *kv.Fence) {
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
		if err := n.step(ctx, fence); err != nil && ctx.Err() == nil {
			n.log.Warn("the leader tries again", "err", err)
		}
	}
}

// step looks once at what is observed and what is declared, and writes what follows.
func (n *Node) step(ctx context.Context, fence *kv.Fence) error {
	k := n.cache.get()
	if k.snapshot == nil {
		return nil
	}
	v := n.verdict(k)
	open := slices.IndexFunc(k.incidents, func(i incident.Incident) bool { return i.Open() && !i.Drill })
	if len(v.Losses) > 0 || open >= 0 {
		if _, _, err := incident.Reconcile(ctx, n.store, v, incident.Rule{Auto: n.o.Declare, Estate: k.head.Rev}); err != nil {
			return err
		}
	}
	for i := range k.incidents {
		if inc := &k.incidents[i]; inc.State == incident.Declared && !inc.Drill {
			if err := n.ensureRun(ctx, fence, inc.ID, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// verdict judges what is observed now.
func (n *Node) verdict(k known) detect.Verdict {
	if k.snapshot == nil {
		return detect.Verdict{Sites: []detect.Site{}, Losses: []detect.Loss{}}
	}
	return detect.Judge(detect.Input{
		Snapshot: k.snapshot, Observations: n.views.Observations(), Policy: n.o.Detection, Now: time.Now(),
	})
}

// ensureRun makes the run of a declared incident, once the fencing lease of every
// lost site has run out: before that its writers may still be writing.
func (n *Node) ensureRun(ctx context.Context, fence *kv.Fence, id string, k known) error {
	inc, err := incident.Show(ctx, n.store, id)
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
	for _, d := range inc.Lost {
		held, err := n.holdsFence(ctx, k.snapshot, d)
		if err != nil {
			return err
		}
		if held {
			n.log.Info("waiting for the fencing lease of the lost site to run out", "site", d, "incident", id)
			return nil
		}
	}
	spec, err := n.planFor(k, inc.Lost, time.Since(inc.LostAt))
	if err != nil {
		return fmt.Errorf("plan for incident %s: %w", id, err)
	}
	if len(spec.Steps) == 0 {
		return n.nothingToDo(ctx, inc, spec)
	}
	// One run for one incident, named after it: a second leader that comes to the
	// same conclusion finds it there.
	run, err := recovery.Create(ctx, n.store, recovery.NewRun{
		ID: runID(id, number), Fence: fence, Spec: spec, Incident: id, LostAt: inc.LostAt, Approved: n.o.Approve,
		By: recovery.By{Who: incident.ByPolicy, Why: "the incident was declared: " + inc.Why},
	})
	switch {
	case errors.Is(err, kv.ErrConflict): // it is there, and not attached yet
		run.ID = runID(id, number)
	case err != nil:
		return err
	default:
		n.log.Info("run made", "incident", id, "run", run.ID, "steps", len(spec.Steps))
	}
	_, err = incident.AttachRun(ctx, n.store, id, run.ID, incident.ByPolicy)
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
func (n *Node) nothingToDo(ctx context.Context, inc incident.Incident, spec recovery.Spec) error {
	text := "no step is needed: nothing that users use went down"
	if len(spec.Blockers) > 0 {
		text = fmt.Sprintf("no step would help: %d things cannot come back with what survives", len(spec.Blockers))
	}
	if slices.ContainsFunc(inc.Entries, func(e incident.Entry) bool { return e.Act == incident.ActNote && e.Why == text }) {
		return nil
	}
	_, err := incident.Note(ctx, n.store, inc.ID, incident.ByPolicy, text)
	return err
}

// holdsFence reports whether domain is a site whose fencing lease still runs.
func (n *Node) holdsFence(ctx context.Context, snap *estate.Snapshot, domain string) (bool, error) {
	ref, ok := snap.Lookup(estate.KindDomain, domain)
	if !ok || snap.Domains[ref.Index].Site != ref.Index {
		return false, nil
	}
	_, held, err := n.store.Get(ctx, recovery.FenceKey(domain))
	return held, err
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
