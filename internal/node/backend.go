package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"bongsu/duty"
	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/web"
)

var _ web.Backend = (*Node)(nil)

// Facts implements [web.Watcher]: it never waits for the quorum.
func (n *Node) Facts(context.Context) (web.Facts, error) {
	k, st := n.cache.get(), n.store.Status()
	f := web.Facts{
		At: time.Now(), Site: n.o.Site, Leader: k.leader.Site, Term: k.leader.Term,
		Quorum: web.Quorum{OK: st.Quorum, Since: st.Since, Full: len(st.Alarms) > 0},
		Estate: k.snapshot, Revision: revision(k.head, k.snapshot),
		Verdict: n.verdict(k), Incidents: k.incidents, Runs: k.runs, View: k.view,
		Asked: k.asked, Second: n.o.Second, Policy: n.o.Clocks,
	}
	if !st.Quorum {
		f.Leader = "" // nobody leads that this node knows of
	}
	voters := map[string]bool{}
	for _, m := range st.Members {
		voters[m.Name] = !m.Learner
	}
	for _, p := range n.o.Cluster {
		site, judged := f.Verdict.Site(p.Site)
		f.Members = append(f.Members, web.Member{
			Site: p.Site, ID: p.Site, Voter: voters[p.Site] || len(voters) == 0 && p.Voter, Witness: p.Witness, Leader: p.Site == f.Leader,
			Healthy: p.Site == n.o.Site || judged && site.OwnNode, Peer: p.URL,
		})
	}
	return f, nil
}

func revision(r estate.Revision, s *estate.Snapshot) web.Revision {
	out := web.Revision{Rev: r.Rev, Number: r.Number, By: r.Who, Why: r.Why, At: r.At}
	if s != nil {
		out.Domains, out.Components, out.Services = len(s.Domains), len(s.Components), len(s.Services)
	}
	return out
}

// Run implements [web.Watcher].
func (n *Node) Run(ctx context.Context, id string) (recovery.RunView, error) {
	if v := n.cache.get().view; v != nil && v.ID == id {
		return *v, nil
	}
	v, err := recovery.View(ctx, n.readable(), id)
	return v, explain(err)
}

// readable is the store, or what this member has of it while there is no quorum.
func (n *Node) readable() kv.Store {
	if n.store.Status().Quorum {
		return n.store
	}
	return local{n.store}
}

// Changes implements [web.Watcher].
func (n *Node) Changes(ctx context.Context) <-chan struct{} { return n.cache.changes(ctx) }

// Plan implements [web.Doer].
func (n *Node) Plan(_ context.Context, lost []string) (recovery.Spec, error) {
	s, err := n.planFor(n.cache.get(), lost, 0)
	return s, explain(err)
}

// Ping implements [web.Doer].
// The key is kept under the node's own lease, so that it is not taken for something
// that the store holds.
func (n *Node) Ping(ctx context.Context) error {
	lease := n.lease.Load()
	if lease == 0 {
		return kv.ErrUnavailable
	}
	_, err := n.store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: pingKey + n.o.Name, Value: []byte(n.o.Site), Lease: lease}}})
	return err
}

// Do implements [web.Doer].
func (n *Node) Do(ctx context.Context, c web.Command) (string, error) {
	switch {
	case c.Run != "":
		return c.Run, explain(n.doInRun(ctx, c))
	case isRecord(c.Verb):
		return c.Incident, explain(n.doRecord(ctx, c))
	default:
		id, err := n.doIncident(ctx, c)
		return id, explain(err)
	}
}

// doInRun carries out a decision about a run or a step of it, once a second person
// agrees where that is needed.
func (n *Node) doInRun(ctx context.Context, c web.Command) error {
	if c.Verb == web.Refuse {
		return refuse(ctx, n.store, c)
	}
	by := recovery.By{Who: c.Who, Why: c.Why}
	if n.o.Second {
		v, err := n.Run(ctx, c.Run)
		if err != nil {
			return err
		}
		if by, err = second(ctx, n.store, &v, c); err != nil {
			return err
		}
	}
	var err error
	if c.Step != "" {
		err = n.doStep(ctx, c, by)
	} else {
		err = n.doRun(ctx, c, by)
	}
	if err != nil || !n.o.Second {
		return err
	}
	return settled(ctx, n.store, c)
}

func isRecord(v web.Verb) bool {
	return slices.Contains([]web.Verb{
		web.Note, web.Decide, web.Assign, web.Blame, web.Correct, web.Draft, web.Publish, web.Bypass, web.Drop, web.MarkDone, web.Ack,
	}, v)
}

// doRecord writes what a person says into the record of an incident.
func (n *Node) doRecord(ctx context.Context, c web.Command) (err error) {
	missing := func(what string) error { return fmt.Errorf("%w: %s is missing", web.ErrBadInput, what) }
	switch c.Verb {
	case web.Note:
		_, err = incident.AddNote(ctx, n.store, c.Incident, incident.ActNote, c.Who, c.Why)
	case web.Decide:
		_, err = incident.AddNote(ctx, n.store, c.Incident, incident.ActDecision, c.Who, c.Why)
	case web.Assign:
		_, err = incident.Assign(ctx, n.store, c.Incident, c.Role, c.Person, c.Why, c.Who)
	case web.Blame:
		if c.Fault == nil {
			return missing("the fault")
		}
		_, err = incident.SetFault(ctx, n.store, c.Incident, *c.Fault, c.Who, c.Why)
	case web.Correct:
		if c.Change == nil {
			return missing("the change")
		}
		if err := n.knownService(c.Change); err != nil {
			return err
		}
		_, err = incident.SetChanges(ctx, n.store, c.Incident, []incident.Change{*c.Change}, c.Who, c.Why)
	case web.Draft:
		if c.Update == nil {
			return missing("the update")
		}
		_, err = incident.Draft(ctx, n.store, c.Incident, *c.Update, c.Who)
	case web.Publish:
		err = incident.Publish(ctx, n.store, c.Incident, c.Number, c.Who, "")
	case web.Bypass:
		err = incident.Publish(ctx, n.store, c.Incident, c.Number, c.Who, c.Why)
	case web.Drop:
		err = incident.DropUpdate(ctx, n.store, c.Incident, c.Number, c.Who, c.Why)
	case web.MarkDone:
		_, err = incident.MarkDone(ctx, n.store, c.Incident, c.Clock, c.Who, c.Why)
	case web.Ack:
		_, err = duty.Acknowledge(ctx, n.store, c.Incident, c.Who, time.Now())
	default:
		err = fmt.Errorf("%w: a record cannot be told to %s", web.ErrBadInput, c.Verb)
	}
	return err
}

// knownService refuses a correction of what the estate has not: the record is what
// compensation is computed from, and a misspelt name would be nobody's.
func (n *Node) knownService(c *incident.Change) error {
	s := n.cache.get().snapshot
	if s == nil {
		return fmt.Errorf("%w: %w", web.ErrRefused, errNoEstate)
	}
	ref, ok := s.Lookup(estate.KindService, c.Service)
	if !ok {
		return fmt.Errorf("%w: the estate has no service %q; the nearest is %q", web.ErrBadInput, c.Service, s.Nearest(estate.KindService, c.Service))
	}
	parts := s.Services[ref.Index].Parts
	if c.Part != "" && !slices.ContainsFunc(parts, func(p estate.Part) bool { return p.Name == c.Part }) {
		return fmt.Errorf("%w: %s has no part %q", web.ErrBadInput, c.Service, c.Part)
	}
	return nil
}

func (n *Node) doStep(ctx context.Context, c web.Command, by recovery.By) error {
	switch c.Verb {
	case web.Confirm, web.Fail:
		return recovery.Confirm(ctx, n.store, c.Run, c.Step, c.Verb == web.Confirm, by)
	case web.Skip:
		return recovery.Skip(ctx, n.store, c.Run, c.Step, by)
	case web.Retry:
		return recovery.Retry(ctx, n.store, c.Run, c.Step, by)
	default:
		return fmt.Errorf("%w: a step cannot be told to %s", web.ErrBadInput, c.Verb)
	}
}

func (n *Node) doRun(ctx context.Context, c web.Command, by recovery.By) (err error) {
	switch c.Verb {
	case web.Approve:
		_, err = recovery.Approve(ctx, n.store, c.Run, by)
	case web.Pause:
		_, err = recovery.Pause(ctx, n.store, c.Run, by)
	case web.Resume:
		_, err = recovery.Resume(ctx, n.store, c.Run, by)
	case web.Abort:
		_, err = recovery.Abort(ctx, n.store, c.Run, by)
	default:
		err = fmt.Errorf("%w: a run cannot be told to %s", web.ErrBadInput, c.Verb)
	}
	return err
}

func (n *Node) doIncident(ctx context.Context, c web.Command) (string, error) {
	k := n.cache.get()
	switch c.Verb {
	case web.Propose, web.Declare:
		if k.snapshot == nil {
			return "", fmt.Errorf("%w: %w", web.ErrRefused, errNoEstate)
		}
		for _, d := range c.Lost {
			if _, ok := k.snapshot.Lookup(estate.KindDomain, d); !ok {
				return "", unknownDomain(k.snapshot, d)
			}
		}
		act := incident.Declare
		if c.Verb == web.Propose {
			act = incident.Propose
		}
		i, err := act(ctx, n.store, incident.Request{Domains: c.Lost, By: c.Who, Why: c.Why, Estate: k.head.Rev})
		return i.ID, err
	case web.Confirm:
		i, err := incident.Show(ctx, n.store, c.Incident)
		if err != nil {
			return "", err
		}
		if len(i.Proposed) == 0 {
			return "", fmt.Errorf("%w: nothing of incident %s is proposed: it is %s", web.ErrRefused, i.ID, i.State)
		}
		i, err = incident.Declare(ctx, n.store, incident.Request{
			Domains: i.Proposed, By: c.Who, Why: c.Why, Verdict: i.Verdict, LostAt: i.LostAt, Estate: k.head.Rev, Drill: i.Drill,
		})
		return i.ID, err
	case web.Withdraw:
		i, err := incident.Withdraw(ctx, n.store, c.Incident, nil, c.Who, c.Why)
		return i.ID, err
	case web.Close:
		i, err := incident.Close(ctx, n.store, c.Incident, c.Who, c.Why)
		return i.ID, err
	default:
		return "", fmt.Errorf("%w: an incident cannot be told to %s", web.ErrBadInput, c.Verb)
	}
}

func unknownDomain(s *estate.Snapshot, name string) error {
	if near := s.Nearest(estate.KindDomain, name); near != "" {
		return fmt.Errorf("%w: the estate has no domain %q; did you mean %q?", web.ErrBadInput, name, near)
	}
	return fmt.Errorf("%w: the estate has no domain %q", web.ErrBadInput, name)
}

// explain turns what packages below say into what the console knows how to show.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, estate.ErrNoRevision):
		return fmt.Errorf("%w: %w", web.ErrNotFound, err)
	case errors.Is(err, errNoEstate):
		return fmt.Errorf("%w: %w", web.ErrRefused, err)
	}
	if _, ok := errors.AsType[estate.Errors](err); ok {
		return fmt.Errorf("%w: %w", web.ErrBadInput, err)
	}
	return err
}

// Push implements [web.Registry].
func (n *Node) Push(ctx context.Context, files map[string][]byte, by, why string) (web.Revision, error) {
	list := make([]estate.File, 0, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, estate.File{Name: name, Data: files[name]})
	}
	snap, err := estate.Parse(list)
	if err != nil {
		return web.Revision{}, explain(err)
	}
	r, err := estate.Push(ctx, n.store, nil, list, by, why)
	return revision(r, snap), explain(err)
}

// Log implements [web.Registry].
func (n *Node) Log(ctx context.Context) ([]web.Revision, error) {
	revs, err := estate.Log(ctx, n.readable())
	if err != nil {
		return nil, explain(err)
	}
	out := make([]web.Revision, len(revs))
	for i, r := range revs {
		out[i] = revision(r, nil)
	}
	if len(revs) > 1 {
		out[0].Changes, err = n.changed(ctx, revs[1].Rev, revs[0].Rev)
	}
	return out, explain(err)
}

// changed says what differs between two revisions.
func (n *Node) changed(ctx context.Context, from, to string) ([]web.Change, error) {
	a, err := n.cache.snapshot(ctx, n.readable(), from)
	if err != nil {
		return nil, err
	}
	b, err := n.cache.snapshot(ctx, n.readable(), to)
	if err != nil {
		return nil, err
	}
	var out []web.Change
	for _, c := range estate.Diff(a, b) {
		w := web.Change{Kind: c.Kind.Title(), Name: c.Name, How: c.What}
		for _, f := range c.Fields {
			w.Fields = append(w.Fields, f.Path)
		}
		out = append(out, w)
	}
	return out, nil
}

// Files implements [web.Registry].
func (n *Node) Files(ctx context.Context, rev string) (map[string][]byte, web.Revision, error) {
	s := n.readable()
	if rev == "" {
		head, ok, err := estate.Head(ctx, s)
		if err != nil {
			return nil, web.Revision{}, explain(err)
		}
		if !ok {
			return nil, web.Revision{}, explain(errNoEstate)
		}
		rev = head.Rev
	}
	files, r, err := estate.At(ctx, s, rev)
	if err != nil {
		return nil, web.Revision{}, explain(err)
	}
	out := make(map[string][]byte, len(files))
	for _, f := range files {
		out[f.Name] = f.Data
	}
	return out, revision(r, nil), nil
}

// Rollback implements [web.Registry].
func (n *Node) Rollback(ctx context.Context, rev, by, why string) (web.Revision, error) {
	r, err := estate.Rollback(ctx, n.store, nil, rev, by, cmp.Or(why, "back to "+rev))
	return revision(r, nil), explain(err)
}

// Backup implements [web.Vault].
func (n *Node) Backup(ctx context.Context, w io.Writer) error { return n.store.Backup(ctx, w) }

// Restore implements [web.Vault]. It fills a store that holds nothing but what the
// nodes keep under their leases.
func (n *Node) Restore(ctx context.Context, r io.Reader, by string) error {
	info, err := kv.Restore(ctx, r, n.store, recovery.AfterRestore(n.store, by))
	switch {
	case err == nil:
	case errors.Is(err, kv.ErrBadBackup):
		return fmt.Errorf("%w: %w", web.ErrBadInput, err)
	case errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrFull), ctx.Err() != nil:
		return err
	default: // it holds something
		return fmt.Errorf("%w: %w", web.ErrRefused, err)
	}
	n.log.Warn("restored a backup", "by", by, "from", info.Cluster)
	return nil
}
