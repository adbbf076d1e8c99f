package node

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

	"golang.org/x/mod/sumdb/note"

	"bongsu/detect"
	"bongsu/estate"
	"bongsu/impact"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/web"
)

var _ web.Archive = (*Node)(nil)

// A scribe keeps the record of declared incidents for a leader: which services and
// parts are down since when, as the loss implies, as the run brings them back and as
// probes see them; what progress counts against; whom the lost belonged to; and the
// signature under it all. It computes what should be in the record and writes what is
// not, so a leader that takes over writes nothing twice.
type scribe struct {
	store    kv.Store // under the leader's fence
	signer   note.Signer
	log      *slog.Logger
	snapshot func(ctx context.Context, rev string) (*estate.Snapshot, error)
	run      func(ctx context.Context, id string) (recovery.RunView, error)
	observed func() []detect.Observation
	policy   detect.Policy

	// signed is what this node signed last of each incident, in this reign and in those
	// before: it is told nowhere that whoever writes the store could change it.
	signed *seals

	last   time.Time
	engine *impact.Engine
	of     *estate.Snapshot  // that engine is of
	falls  map[string]*fall  // by incident
	sealed map[string]int    // how many entries of an incident were sealed
	kept   map[string]string // by incident: what was known when there was nothing to write
}

// Bounds on how often the record is looked at, and how many incidents are sealed in one
// look: a new leader looks at all that there ever were.
const (
	recordEvery = 250 * time.Millisecond
	sealsAtOnce = 16
)

// seals are the last checkpoints that a node signed or saw, by incident, for as long as
// it runs. A backup is restored into an empty cluster only, of which nothing was seen.
type seals struct {
	mu   sync.Mutex
	last map[string]incident.Checkpoint
}

func (s *seals) get(id string) incident.Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[id]
}

func (s *seals) put(id string, c incident.Checkpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]incident.Checkpoint{}
	}
	if c.Size > s.last[id].Size {
		s.last[id] = c
	}
}

func (n *Node) newScribe(store kv.Store) *scribe {
	return &scribe{
		store: store, signer: n.o.Signer, signed: &n.seals, log: n.log, policy: n.o.Detection, observed: n.views.Observations,
		snapshot: func(ctx context.Context, rev string) (*estate.Snapshot, error) {
			return n.cache.snapshot(ctx, n.store, rev)
		},
		run: func(ctx context.Context, id string) (recovery.RunView, error) { return n.Run(ctx, id) },
	}
}

// Export implements [web.Archive].
func (n *Node) Export(ctx context.Context, id string) (incident.Export, error) {
	out, err := incident.ExportRecord(ctx, n.readable(), id, n.o.RecordKey)
	return out, explain(err)
}

// keep brings the records of all incidents in line with what is known.
func (s *scribe) keep(ctx context.Context, k known) error {
	if k.snapshot == nil || time.Since(s.last) < recordEvery {
		return nil
	}
	s.last = time.Now()
	for n := range k.incidents {
		if i := &k.incidents[n]; i.State == incident.Declared {
			if err := s.write(ctx, i, k.snapshot); err != nil {
				return fmt.Errorf("record of incident %s: %w", i.ID, err)
			}
		}
	}
	return s.seal(ctx, k.incidents)
}

// write brings one record in line.
func (s *scribe) write(ctx context.Context, i *incident.Incident, head *estate.Snapshot) error {
	// What the loss did is told by the estate that it was declared against.
	snap := head
	if i.Estate != "" && i.Estate != head.Rev {
		if then, err := s.snapshot(ctx, i.Estate); err == nil {
			snap = then
		}
	}
	f, err := s.fallOf(snap, i)
	if err != nil {
		return err
	}
	var v recovery.RunView
	if i.Run != "" {
		if v, err = s.run(ctx, i.Run); err != nil {
			return err
		}
	}
	facts := fmt.Sprint(len(i.Entries), i.State, f.key)
	if i.Run != "" {
		facts += fmt.Sprint(" ", i.Run, len(v.Journal), v.State)
	}
	now := time.Now()
	seen := seenServices(snap, f.gone, s.observed(), s.policy, now)
	if facts += fmt.Sprint(" ", seen); s.kept[i.ID] == facts {
		return nil
	}
	var r *recovered
	if i.Run != "" {
		r = recoveredOf(&v)
	}
	decide := func(rec *incident.Record) ([]incident.Change, string) {
		if rec.State != incident.Declared || !slices.Equal(rec.Lost, i.Lost) {
			return nil, "" // it moved on: look again
		}
		return reckon(rec, f, r, seen), f.why
	}
	rec := incident.RecordOf(*i)
	before := len(rec.Entries)
	if changes, _ := decide(&rec); len(changes) > 0 {
		next, err := incident.Settle(ctx, s.store, i.ID, decide)
		if err != nil {
			return err
		}
		rec = incident.RecordOf(next)
	}
	if err := s.marks(ctx, &rec, f, snap, now); err != nil {
		return err
	}
	if len(rec.Entries) == before {
		if s.kept == nil || len(s.kept) > 8 {
			s.kept = map[string]string{}
		}
		s.kept[i.ID] = facts
	}
	return nil
}

// marks writes what progress counts against, and whom the lost domains belong to.
func (s *scribe) marks(ctx context.Context, rec *incident.Record, f *fall, snap *estate.Snapshot, now time.Time) error {
	if !rec.Open() {
		return nil
	}
	of, _ := rec.Affected(now)
	was := 0
	if n := len(rec.Bases); n > 0 {
		was = rec.Bases[n-1].Of
	}
	if of != was {
		why := "services that the loss of " + strings.Join(rec.Lost, ", ") + " affects"
		if was > 0 && f.why == lastWhy(rec) {
			why = "the record of services was corrected, or probes saw more; lost: " + strings.Join(rec.Lost, ", ")
		}
		if _, err := incident.Rebase(ctx, s.store, rec.ID, of, why, incident.ByPolicy); err != nil {
			return err
		}
	}
	if rec.Drill {
		return nil
	}
	for _, name := range rec.Lost {
		ref, ok := snap.Lookup(estate.KindDomain, name)
		said := slices.ContainsFunc(rec.Entries, func(e incident.Entry) bool {
			return e.Act == incident.ActFault && e.Fault != nil && e.Fault.Domain == name
		})
		if !ok || said || snap.Domains[ref.Index].Operator == "" {
			continue
		}
		fault := incident.Fault{Domain: name, Operator: snap.Domains[ref.Index].Operator}
		if _, err := incident.SetFault(ctx, s.store, rec.ID, fault, incident.ByPolicy, "the estate names it as the operator; nobody has judged yet"); err != nil {
			return err
		}
	}
	return nil
}

// lastWhy is the reason of the last base.
func lastWhy(rec *incident.Record) string {
	for _, e := range slices.Backward(rec.Entries) {
		if e.Act == incident.ActRebase {
			return e.Why
		}
	}
	return ""
}

// seal signs the records that have grown.
func (s *scribe) seal(ctx context.Context, all []incident.Incident) error {
	if s.signer == nil {
		return nil
	}
	if s.sealed == nil {
		s.sealed = map[string]int{}
	}
	left := sealsAtOnce
	for n := range all {
		i := &all[n]
		if s.sealed[i.ID] == len(i.Entries) || left == 0 {
			continue
		}
		left--
		c, signed, err := incident.Seal(ctx, s.store, i.ID, s.signer, s.signed.get(i.ID))
		switch {
		case errors.Is(err, incident.ErrTampered):
			s.log.Error("a record is not the one that was signed; it is not signed again", "incident", i.ID, "err", err)
			s.sealed[i.ID] = len(i.Entries)
		case err != nil:
			return err
		case c.Size > 0:
			if signed {
				s.log.Debug("record signed", "incident", i.ID, "entries", c.Size)
			}
			s.sealed[i.ID] = int(c.Size)
			s.signed.put(i.ID, c)
		}
	}
	return nil
}

// A fall is what the losses of an incident did to services, by the moments at which
// each was lost.
type fall struct {
	key  string
	why  string
	gone map[string]bool // domains
	// down are the conditions of each subject one after the other, each worse than
	// the one before.
	down map[incident.Subject][]incident.Change
}

// fallOf computes what an incident's losses did; it remembers.
func (s *scribe) fallOf(snap *estate.Snapshot, i *incident.Incident) (*fall, error) {
	var losses []incident.Loss
	for _, l := range i.Losses {
		if l.State == incident.Declared {
			losses = append(losses, l)
		}
	}
	key := fmt.Sprint(snap.Rev, losses)
	if f := s.falls[i.ID]; f != nil && f.key == key {
		return f, nil
	}
	if s.of != snap {
		s.engine, s.of = impact.NewEngine(snap), snap
	}
	f, err := fallFrom(s.engine, losses)
	if err != nil {
		return nil, err
	}
	f.key, f.why = key, "lost: "+strings.Join(i.Lost, ", ")
	if s.falls == nil || len(s.falls) > 8 {
		s.falls = map[string]*fall{}
	}
	s.falls[i.ID] = f
	return f, nil
}

func fallFrom(engine *impact.Engine, losses []incident.Loss) (*fall, error) {
	f := &fall{gone: map[string]bool{}, down: map[incident.Subject][]incident.Change{}}
	slices.SortStableFunc(losses, func(a, b incident.Loss) int { return a.LostAt.Compare(b.LostAt) })
	var lost []string
	for _, l := range losses {
		lost = append(lost, l.Domain)
		im, err := engine.Of(lost)
		if err != nil {
			return nil, err
		}
		for _, d := range im.LostDomains {
			f.gone[im.Snapshot.Domains[d].Name] = true
		}
		for _, sv := range im.Services {
			f.add(sv.Ref.Name, "", condition(sv.State), l.LostAt)
			for _, p := range sv.Parts {
				f.add(sv.Ref.Name, p.Name, condition(p.State), l.LostAt)
			}
		}
	}
	return f, nil
}

func (f *fall) add(service, part string, c incident.Condition, at time.Time) {
	s := incident.Subject{Service: service, Part: part}
	was := f.down[s]
	if c == incident.Up || len(was) > 0 && was[len(was)-1].Condition == c {
		return
	}
	f.down[s] = append(was, incident.Change{Service: service, Part: part, Condition: c, At: at, Source: incident.FromImpact})
}

// condition is what an impact's state means for users right after the loss.
func condition(s impact.State) incident.Condition {
	switch s {
	case impact.Up:
		return incident.Up
	case impact.Degraded:
		return incident.Degraded
	case impact.Returns, impact.Recoverable, impact.Unrecoverable:
		return incident.Down
	}
	return incident.Down
}

// recovered is what a run says of services.
type recovered struct {
	lost  []string                       // that its plan takes into account
	back  map[incident.Subject]time.Time // whatever it has brought back
	taken map[incident.Subject]time.Time // whatever it has taken down to make room
}

func recoveredOf(v *recovery.RunView) *recovered {
	r := &recovered{lost: v.Lost, back: map[incident.Subject]time.Time{}, taken: map[incident.Subject]time.Time{}}
	ended, shrunk := map[string]time.Duration{}, map[time.Duration]time.Duration{}
	for n := range v.Steps {
		st := &v.Steps[n]
		if st.State == recovery.StepDone && st.Ended != nil {
			ended[st.Step.ID] = *st.Ended
		}
		if st.Step.Does == string(estate.DoesShrink) && st.Begun != nil {
			shrunk[st.Step.Start] = *st.Begun
		}
	}
	note := func(s incident.Subject, state string, from time.Duration, upAt *time.Duration, needs []string) {
		begun, shrinks := shrunk[from]
		if state == takenDown && shrinks {
			r.taken[s] = v.LostAt.Add(begun)
		}
		if upAt == nil {
			return
		}
		at := from
		for _, id := range needs {
			t, ok := ended[id]
			if !ok {
				return
			}
			at = max(at, t)
		}
		if len(needs) == 0 {
			at = max(at, *upAt) // it waits for no step of this run
		}
		r.back[s] = v.LostAt.Add(at)
	}
	for n := range v.Services {
		sv := &v.Services[n]
		core := incident.Subject{Service: sv.Name}
		note(core, sv.State, sv.DownFrom, sv.UpAt, sv.Needs)
		whole, parts := true, time.Time{}
		for _, p := range sv.Parts {
			s := incident.Subject{Service: sv.Name, Part: p.Name}
			note(s, p.State, sv.DownFrom, p.UpAt, p.Needs)
			if p.State != string(impact.Up) {
				whole, parts = whole && !r.back[s].IsZero(), later(parts, r.back[s])
			}
		}
		// A service that is only degraded has its core all along. It is well again when all
		// its parts are, or, where it lacks a want, when the run has done all there is.
		if sv.State == string(impact.Degraded) {
			delete(r.back, core)
			switch {
			case whole && !parts.IsZero():
				r.back[core] = parts
			case whole && v.State == recovery.RunDone:
				r.back[core] = v.Ended
			}
		}
	}
	return r
}

// takenDown is how a plan calls what it takes down to make room.
const takenDown = "taken-down"

// covers reports whether the run knows of all that is lost.
func (r *recovered) covers(lost []string) bool {
	return r != nil && !slices.ContainsFunc(lost, func(d string) bool { return !slices.Contains(r.lost, d) })
}

// A sight is what probes see of a service.
type sight struct {
	ok     bool
	since  time.Time
	steady bool // it has been so for the hold time
}

// seenServices is what the probes of services that stand where nothing is lost see.
// Probes of components and of domains do not tell whether a service can be used, so a
// service without a probe of its own is not in it.
func seenServices(snap *estate.Snapshot, gone map[string]bool, all []detect.Observation, p detect.Policy, now time.Time) map[string]sight {
	service := map[string]string{} // by probe
	for n := range snap.Probes {
		if pr := &snap.Probes[n]; pr.Of != nil && pr.Of.Kind == estate.KindService && !gone[snap.Domains[pr.In].Name] {
			service[pr.Name] = pr.Of.Name
		}
	}
	if len(service) == 0 {
		return nil
	}
	type look struct {
		up, down  time.Time // since when anybody sees it, and since when the last does not
		observers map[string]bool
		seen      bool
	}
	looks := map[string]*look{}
	for _, o := range all {
		name, ok := service[o.Target]
		if !ok || gone[o.Observer] {
			continue
		}
		l := looks[name]
		if l == nil {
			l = &look{observers: map[string]bool{}}
			looks[name] = l
		}
		l.observers[o.Observer] = true
		switch {
		case o.OK && (!l.seen || o.Since.Before(l.up)):
			l.seen, l.up = true, o.Since
		case !o.OK && o.Since.After(l.down):
			l.down = o.Since
		}
	}
	out := map[string]sight{}
	for name, l := range looks {
		s := sight{ok: l.seen, since: l.up}
		if !l.seen {
			if len(l.observers) < max(p.Observers, 1) && p.Observers > 1 {
				continue // one observer that sees nothing may itself be cut off
			}
			s.since = l.down
		}
		s.steady = now.Sub(s.since) >= p.Hold
		out[name] = s
	}
	return out
}

// reckon returns the changes that the record lacks. It is pure: a record that has them
// all gives none.
//
// A service that a probe watches is as the probe sees it. Any other, and every part, is
// down from the moment that the loss implies until the run has done all that it waits
// for; the source of the change says which of them it was.
func reckon(rec *incident.Record, f *fall, run *recovered, seen map[string]sight) []incident.Change {
	var out []incident.Change
	said := rec.Said()
	put := func(s incident.Subject, c incident.Condition, at time.Time, source string) {
		out = append(out, incident.Change{Service: s.Service, Part: s.Part, Condition: c, At: at, Source: source})
	}
	for _, s := range subjects(f, run, seen, said) {
		was, spoken := said[s]
		down := f.down[s]
		if look, watched := seen[s.Service]; watched && s.Part == "" {
			if look.steady {
				reckonSeen(s, look, was, spoken, down, rec.LostAt, put)
			} else if !spoken && len(down) > 0 {
				out = append(out, down...)
			}
			continue
		}
		var backAt, takenAt time.Time
		if run != nil {
			backAt, takenAt = run.back[s], run.taken[s]
		}
		switch {
		case len(down) == 0 && takenAt.IsZero():
			if spoken && was.Condition != incident.Up && was.Source == incident.FromImpact {
				put(s, incident.Up, was.At, incident.FromImpact) // its loss was withdrawn
			}
		case len(down) == 0:
			if !spoken || was.Condition == incident.Up && was.At.Before(takenAt) {
				put(s, incident.Down, takenAt, incident.FromRun)
			}
		case !spoken:
			out = append(out, down...)
			if !backAt.IsZero() {
				put(s, incident.Up, later(backAt, down[len(down)-1].At), incident.FromRun)
			}
		case was.Condition == incident.Up:
			if at := again(rec, was, run, backAt); !at.IsZero() {
				put(s, down[len(down)-1].Condition, at, incident.FromImpact)
			}
		case !backAt.IsZero():
			put(s, incident.Up, later(backAt, was.At), incident.FromRun)
		default:
			worst := down[len(down)-1]
			if worst.Condition != was.Condition && was.Source == incident.FromImpact {
				put(s, worst.Condition, later(worst.At, was.At), incident.FromImpact)
			}
		}
	}
	return out
}

// reckonSeen says what a record lacks of a service that a probe watches.
func reckonSeen(s incident.Subject, look sight, was incident.Saying, spoken bool, down []incident.Change, lostAt time.Time, put func(incident.Subject, incident.Condition, time.Time, string)) {
	lasts := spoken && was.Condition != incident.Up
	switch {
	case look.ok && lasts:
		put(s, incident.Up, later(look.since, was.At), incident.FromProbe)
	case look.ok && !spoken && len(down) > 0 && look.since.After(down[0].At):
		for _, c := range down {
			put(s, c.Condition, c.At, c.Source)
		}
		put(s, incident.Up, later(look.since, down[len(down)-1].At), incident.FromProbe)
	case !look.ok && (!spoken || was.Condition != incident.Down):
		at := later(look.since, lostAt)
		if !spoken && len(down) > 0 {
			put(s, incident.Down, down[len(down)-1].At, incident.FromImpact)
			return
		}
		if spoken {
			at = later(at, was.At)
		}
		put(s, incident.Down, at, incident.FromProbe)
	}
}

// again returns when what was back went down again: with a loss that was declared after
// it was said to be back, if the run that knows of that loss does not have it back. It is
// zero where it did not.
func again(rec *incident.Record, was incident.Saying, run *recovered, backAt time.Time) time.Time {
	if !backAt.IsZero() || !run.covers(rec.Lost) {
		return time.Time{}
	}
	var at time.Time
	for n, e := range rec.Entries {
		if n+1 <= was.Entry || e.Act != incident.ActDeclare {
			continue
		}
		for _, d := range e.Domains {
			if i := slices.IndexFunc(rec.Losses, func(l incident.Loss) bool { return l.Domain == d && l.State == incident.Declared }); i >= 0 {
				at = later(at, rec.Losses[i].LostAt)
			}
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// subjects are all that anything is known of, in one order.
func subjects(f *fall, run *recovered, seen map[string]sight, said map[incident.Subject]incident.Saying) []incident.Subject {
	all := map[incident.Subject]bool{}
	for s := range f.down {
		all[s] = true
	}
	if run != nil {
		for s := range run.taken {
			all[s] = true
		}
	}
	for name, look := range seen {
		if !look.ok {
			all[incident.Subject{Service: name}] = true
		}
	}
	for s := range said {
		all[s] = true
	}
	out := make([]incident.Subject, 0, len(all))
	for s := range all {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b incident.Subject) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Part, b.Part))
	})
	return out
}
