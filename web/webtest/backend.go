package webtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/web"
)

// A Backend serves one scenario.
type Backend struct {
	mu       sync.Mutex
	facts    web.Facts
	views    []recovery.RunView
	log      []web.Revision
	files    map[string][]byte
	commands []web.Command
	watchers map[chan struct{}]bool
	planned  *kv.Memory // work
	fail     error
}

var _ web.Backend = (*Backend)(nil)

// New returns a node in the named scenario.
func New(scenario string) (*Backend, error) {
	if !slices.Contains(Scenarios(), scenario) {
		return nil, fmt.Errorf("no scenario %q: want one of %v", scenario, Scenarios())
	}
	f, views, err := facts(scenario)
	if err != nil {
		return nil, err
	}
	b := &Backend{facts: f, views: views, watchers: make(map[chan struct{}]bool), planned: kv.NewMemory()}
	if f.Estate != nil {
		b.log = revisions()
		b.log[0] = f.Revision
		b.files = map[string][]byte{"estate.yaml": []byte(estateYAML)}
	}
	return b, nil
}

// Commands returns what people decided, in order.
func (b *Backend) Commands() []web.Command {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.commands)
}

// Fail makes every command and every write end with err; nil ends that.
func (b *Backend) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// Change applies f to what the node knows and tells the readers.
func (b *Backend) Change(f func(*web.Facts)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.facts)
	b.tell()
}

func (b *Backend) tell() {
	for c := range b.watchers {
		select {
		case c <- struct{}{}:
		default: // it has not read the last one yet; one is enough
		}
	}
}

// Asked implements [web.Watcher].
func (b *Backend) Asked(context.Context) ([]web.Asked, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.facts.Asked), nil
}

// Facts implements [web.Watcher].
func (b *Backend) Facts(context.Context) (web.Facts, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.facts
	f.Incidents = slices.Clone(f.Incidents)
	f.Runs = nil
	for _, v := range b.views {
		f.Runs = append(f.Runs, v.Run)
	}
	if len(b.views) > 0 {
		v := b.views[0]
		f.View = &v
	}
	return f, nil
}

// Run implements [web.Watcher].
func (b *Backend) Run(_ context.Context, id string) (recovery.RunView, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.views {
		if v.ID == id {
			return v, nil
		}
	}
	return recovery.RunView{}, fmt.Errorf("run %q: %w", id, recovery.ErrNotFound)
}

// Changes implements [web.Watcher].
func (b *Backend) Changes(ctx context.Context) <-chan struct{} {
	in, out := make(chan struct{}, 1), make(chan struct{})
	b.mu.Lock()
	b.watchers[in] = true
	b.mu.Unlock()
	go func() {
		defer close(out)
		defer func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.watchers, in)
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case <-in:
			}
			select {
			case <-ctx.Done():
				return
			case out <- struct{}{}:
			}
		}
	}()
	return out
}

// writable says why nothing can be written now.
func (b *Backend) writable() error {
	switch {
	case b.fail != nil:
		return b.fail
	case !b.facts.Quorum.OK:
		return fmt.Errorf("commit: %w", kv.ErrUnavailable)
	case b.facts.Quorum.Full:
		return fmt.Errorf("commit: %w", kv.ErrFull)
	}
	return nil
}

// Do implements [web.Doer].
func (b *Backend) Do(_ context.Context, c web.Command) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.writable(); err != nil {
		return "", err
	}
	for _, d := range c.Lost {
		if _, ok := b.facts.Estate.Lookup(estate.KindDomain, d); !ok {
			return "", &impact.UnknownDomainError{Name: d, Nearest: b.facts.Estate.Nearest(estate.KindDomain, d)}
		}
	}
	id, err := b.apply(c)
	if err != nil {
		return id, err
	}
	b.commands = append(b.commands, c)
	b.tell()
	return id, nil
}

func (b *Backend) apply(c web.Command) (string, error) {
	if c.Run != "" && c.Verb == web.Refuse {
		kept := slices.DeleteFunc(slices.Clone(b.facts.Asked), func(a web.Asked) bool { return a.Run == c.Run && a.Step == c.Step })
		if len(kept) == len(b.facts.Asked) {
			return "", fmt.Errorf("%w: nothing waits there", web.ErrRefused)
		}
		b.facts.Asked = kept
		return c.Run, nil
	}
	if c.Run != "" && b.facts.Second && b.dangerous(c) {
		i := slices.IndexFunc(b.facts.Asked, func(a web.Asked) bool { return a.Verb == c.Verb && a.Run == c.Run && a.Step == c.Step })
		if i < 0 {
			b.facts.Asked = append(slices.Clone(b.facts.Asked), web.Asked{Verb: c.Verb, Run: c.Run, Step: c.Step, Who: c.Who, Why: c.Why, At: b.facts.At})
			b.tell()
			return c.Run, fmt.Errorf("%w: noted", web.ErrSecond)
		}
		if b.facts.Asked[i].Who == c.Who {
			return c.Run, fmt.Errorf("%w: %s asked for it", web.ErrSecond, c.Who)
		}
		b.facts.Asked = slices.Delete(slices.Clone(b.facts.Asked), i, i+1)
	}
	switch {
	case c.Verb == web.Declare || c.Verb == web.Propose:
		i := theIncident(incident.Proposed)
		i.Proposed = c.Lost
		if c.Verb == web.Declare {
			i = theIncident(incident.Declared)
			i.Lost, i.Run = c.Lost, ""
		}
		i.By, i.Why = c.Who, c.Why
		b.facts.Incidents = []incident.Incident{i}
		return i.ID, nil
	case c.Incident != "":
		for i := range b.facts.Incidents {
			inc := &b.facts.Incidents[i]
			if inc.ID != c.Incident {
				continue
			}
			if e, ok := entryOf(c); ok {
				e.At, e.By = b.facts.At, c.Who
				inc.Entries = append(slices.Clone(inc.Entries), e)
				return inc.ID, b.check(inc, c)
			}
			if c.Verb == web.Confirm && inc.State != incident.Proposed {
				return "", fmt.Errorf("confirm %s: %w: it is %s", inc.ID, incident.ErrState, inc.State)
			}
			if c.Verb == web.Confirm {
				inc.Lost, inc.Proposed = inc.Proposed, nil
			}
			inc.State = map[web.Verb]incident.State{
				web.Confirm: incident.Declared, web.Withdraw: incident.Withdrawn, web.Close: incident.Closed,
			}[c.Verb]
			inc.By, inc.Why = c.Who, c.Why
			return inc.ID, nil
		}
		return "", fmt.Errorf("incident %q: %w", c.Incident, incident.ErrNotFound)
	}
	for i := range b.views {
		if v := &b.views[i]; v.ID == c.Run {
			if c.Step == "" {
				return v.ID, b.control(v, c)
			}
			return v.ID, b.decide(v, c)
		}
	}
	return "", fmt.Errorf("run %q: %w", c.Run, recovery.ErrNotFound)
}

// dangerous reports whether a decision wants a second person, as the real node has it.
func (b *Backend) dangerous(c web.Command) bool {
	for _, v := range b.views {
		if v.ID != c.Run {
			continue
		}
		if c.Step == "" {
			return c.Verb == web.Abort && !v.Started.IsZero() && v.State.Live()
		}
		return c.Verb == web.Skip && slices.ContainsFunc(v.Steps, func(s recovery.StepView) bool {
			return s.Step.ID == c.Step && slices.Contains(s.Can, string(c.Verb))
		})
	}
	return false
}

// entryOf is the entry that a command writes into a record, if it does.
func entryOf(c web.Command) (incident.Entry, bool) {
	switch c.Verb {
	case web.Note:
		return incident.Entry{Act: incident.ActNote, Why: c.Why}, true
	case web.Decide:
		return incident.Entry{Act: incident.ActDecision, Why: c.Why}, true
	case web.Assign:
		return incident.Entry{Act: incident.ActAssign, Role: c.Role, Person: c.Person, Why: c.Why}, true
	case web.Blame:
		return incident.Entry{Act: incident.ActFault, Fault: c.Fault, Why: c.Why}, true
	case web.Correct:
		return incident.Entry{Act: incident.ActChange, Changes: []incident.Change{*c.Change}, Why: c.Why}, true
	case web.Draft:
		return incident.Entry{Act: incident.ActDraft, Update: c.Update}, true
	case web.Publish, web.Bypass:
		return incident.Entry{Act: incident.ActPublish, Number: c.Number, Bypass: c.Why}, true
	case web.Drop:
		return incident.Entry{Act: incident.ActDrop, Number: c.Number, Why: c.Why}, true
	case web.MarkDone:
		return incident.Entry{Act: incident.ActDone, Clock: c.Clock, Why: c.Why}, true
	case web.Ack:
		return incident.Entry{Act: incident.ActCall, Call: &incident.Call{ID: "ack", Person: c.Who, Alarm: "loss", Number: 1, Outcome: "acknowledged"}}, true
	default:
		return incident.Entry{}, false
	}
}

// check refuses what package incident would refuse, as far as tests lean on it, and
// takes the entry back.
func (*Backend) check(inc *incident.Incident, c web.Command) error {
	if c.Verb != web.Publish {
		return nil
	}
	r := incident.RecordOf(incident.Incident{Entries: inc.Entries[:len(inc.Entries)-1]})
	for _, u := range r.Updates {
		if u.ID == c.Number && u.DraftedBy == c.Who {
			inc.Entries = inc.Entries[:len(inc.Entries)-1]
			return fmt.Errorf("%w: %s drafted it", incident.ErrApproval, c.Who)
		}
	}
	return nil
}

func (b *Backend) control(v *recovery.RunView, c web.Command) error {
	if !v.State.Live() {
		return fmt.Errorf("%s %s: %w: it is %s", c.Verb, v.ID, recovery.ErrState, v.State)
	}
	v.State = map[web.Verb]recovery.RunState{
		web.Approve: recovery.RunRunning, web.Resume: recovery.RunRunning, web.Pause: recovery.RunPaused, web.Abort: recovery.RunAborted,
	}[c.Verb]
	if v.State == recovery.RunRunning {
		if v.Started.IsZero() {
			v.Started = b.facts.At
		}
		v.Waiting = slices.DeleteFunc(slices.Clone(v.Waiting), func(w recovery.Waiting) bool { return w.Kind == "approve" || w.Kind == "resume" })
	}
	if v.State == recovery.RunAborted {
		v.Ended = b.facts.At
	}
	v.By = recovery.By{Who: c.Who, Why: c.Why}
	v.Journal = append(slices.Clone(v.Journal), recovery.Entry{At: b.facts.At, Who: c.Who, What: string(c.Verb), Why: c.Why})
	return nil
}

func (b *Backend) decide(v *recovery.RunView, c web.Command) error {
	i := slices.IndexFunc(v.Steps, func(s recovery.StepView) bool { return s.Step.ID == c.Step })
	if i < 0 {
		return fmt.Errorf("step %q: %w", c.Step, recovery.ErrNotFound)
	}
	v.Steps = slices.Clone(v.Steps)
	s := &v.Steps[i]
	verb := string(c.Verb)
	if c.Verb == web.Fail {
		verb = "deny"
	}
	if !slices.Contains(s.Can, verb) {
		return fmt.Errorf("%s %s: %w: it is %s", c.Verb, s.Step.ID, recovery.ErrState, s.State)
	}
	s.State = map[web.Verb]recovery.StepState{
		web.Confirm: recovery.StepDone, web.Skip: recovery.StepSkipped, web.Retry: recovery.StepPending, web.Fail: recovery.StepFailed,
	}[c.Verb]
	if s.State == recovery.StepDone {
		ended := b.facts.At.Sub(v.LostAt)
		s.Ended = &ended
	}
	s.By, s.Can = c.Who, nil
	v.Waiting = slices.DeleteFunc(slices.Clone(v.Waiting), func(w recovery.Waiting) bool { return w.Step == s.Step.ID })
	return nil
}

// Ping implements [web.Doer].
func (*Backend) Ping(context.Context) error { return nil }

// Plan implements [web.Doer] with the steps of the fixture's run, whatever the loss.
func (b *Backend) Plan(_ context.Context, lost []string) (recovery.Spec, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := theRun(recovery.RunWaiting, 0, false)
	spec := recovery.Spec{Lost: lost, Blockers: v.Blockers, Objective: v.Plans[0].Objective}
	if slices.Contains(lost, "pangyo") {
		for _, s := range v.Steps {
			spec.Steps = append(spec.Steps, s.Step)
		}
	}
	for _, s := range v.Services {
		spec.Services = append(spec.Services, s.Service)
	}
	return spec, nil
}

// Push implements [web.Registry].
func (b *Backend) Push(_ context.Context, files map[string][]byte, by, why string) (web.Revision, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.writable(); err != nil {
		return web.Revision{}, err
	}
	var in []estate.File
	for name, data := range files {
		in = append(in, estate.File{Name: name, Data: data})
	}
	snap, err := estate.Parse(in)
	if err != nil {
		return web.Revision{}, err
	}
	rev := web.Revision{
		Rev: snap.Rev, Number: int64(len(b.log) + 41), By: by, Why: why, At: b.facts.At,
		Domains: len(snap.Domains), Components: len(snap.Components), Services: len(snap.Services),
	}
	b.log = append([]web.Revision{rev}, b.log...)
	b.files, b.facts.Estate, b.facts.Revision = files, snap, rev
	b.tell()
	return rev, nil
}

// Log implements [web.Registry].
func (b *Backend) Log(context.Context) ([]web.Revision, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log), nil
}

// Files implements [web.Registry]. Every revision has the files of the newest.
func (b *Backend) Files(_ context.Context, rev string) (map[string][]byte, web.Revision, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.log {
		if rev == "" || r.Rev == rev {
			return b.files, r, nil
		}
	}
	return nil, web.Revision{}, fmt.Errorf("revision %q: %w", rev, web.ErrNotFound)
}

// Rollback implements [web.Registry].
func (b *Backend) Rollback(_ context.Context, rev, by, why string) (web.Revision, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.writable(); err != nil {
		return web.Revision{}, err
	}
	for _, r := range b.log {
		if r.Rev == rev {
			r.By, r.Why, r.At = by, why, b.facts.At
			b.log = append([]web.Revision{r}, b.log...)
			b.facts.Revision = r
			b.tell()
			return r, nil
		}
	}
	return web.Revision{}, fmt.Errorf("revision %q: %w", rev, web.ErrNotFound)
}

// errCut is how the fixture's backup breaks when [Backend.Fail] was called.
var errCut = errors.New("the line was cut")

// Backup implements [web.Vault]. It breaks in the middle after [Backend.Fail].
func (b *Backend) Backup(_ context.Context, w io.Writer) error {
	b.mu.Lock()
	fail := b.fail
	b.mu.Unlock()
	if fail != nil {
		// Enough that the first of it is already on its way when the line is cut.
		_, err := w.Write(make([]byte, 1<<20))
		return errors.Join(errCut, fail, err)
	}
	_, err := io.WriteString(w, "bongsu snapshot of the fixture\n")
	return err
}

// Restore implements [web.Vault].
func (b *Backend) Restore(_ context.Context, r io.Reader, by string) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if string(data) != "bongsu snapshot of the fixture\n" {
		return fmt.Errorf("restore: %w: that is no snapshot", web.ErrBadInput)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append([]web.Revision{{Rev: "restored", By: by, At: b.facts.At.Add(time.Second)}}, b.log...)
	b.tell()
	return nil
}

// Replace implements [web.Steward].
func (b *Backend) Replace(_ context.Context, r web.Replacement) ([]web.Member, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.writable(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(b.facts.Members, func(m web.Member) bool { return m.Site == r.Lost })
	if i < 0 {
		return nil, fmt.Errorf("no member is called %q: %w", r.Lost, web.ErrNotFound)
	}
	b.facts.Members = slices.Clone(b.facts.Members)
	b.facts.Members[i] = web.Member{Site: r.Name, ID: r.Name, Peer: r.Peer}
	return slices.Clone(b.facts.Members), nil
}

// Move implements [web.Steward].
func (b *Backend) Move(_ context.Context, r web.Replacement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.writable(); err != nil {
		return err
	}
	i := slices.IndexFunc(b.facts.Members, func(m web.Member) bool { return m.Site == r.Name })
	if i < 0 {
		return fmt.Errorf("no member is called %q: %w", r.Name, web.ErrNotFound)
	}
	b.facts.Members = slices.Clone(b.facts.Members)
	b.facts.Members[i].Peer = r.Peer
	return nil
}

// Repair implements [web.Steward].
func (b *Backend) Repair(context.Context, string, string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts.Quorum.Full = false
	return b.fail
}
