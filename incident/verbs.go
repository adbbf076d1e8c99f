package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/internal/kv"
)

// Limits of what one entry takes, so that no entry is beyond what a store commits.
const (
	MaxText    = 64 << 10 // bytes of one text that a person writes
	MaxChanges = 1000     // of condition in one entry; more are several entries
)

// LoadRecord reads an incident with all that hangs on it.
func LoadRecord(ctx context.Context, s kv.Store, id string) (Record, error) {
	i, err := load(ctx, s, id)
	if err != nil {
		return Record{}, err
	}
	return RecordOf(i), nil
}

// Assign gives a role (commander, scribe, communications, …) to a person; whoever had
// it hands it over, and note says what. An empty person lays the role down.
func Assign(ctx context.Context, s kv.Store, id, role, person, note, by string) (Incident, error) {
	role, person = strings.TrimSpace(role), strings.TrimSpace(person)
	if err := errors.Join(required("a role", role), short(role, person, note)); err != nil {
		return Incident{}, err
	}
	return annotate(ctx, s, id, by, func(r *Record) (Entry, error) {
		if !r.Open() {
			return Entry{}, over(r)
		}
		has := r.Holder(role)
		if has == person {
			return Entry{}, errSame
		}
		return Entry{Act: ActAssign, Role: role, Person: person, Why: note}, nil
	})
}

// SetFault says whose failure a lost domain was, for recourse; an empty operator
// takes it back.
func SetFault(ctx context.Context, s kv.Store, id string, f Fault, by, why string) (Incident, error) {
	f.Domain, f.Operator = strings.TrimSpace(f.Domain), strings.TrimSpace(f.Operator)
	if err := errors.Join(required("a domain", f.Domain), short(f.Domain, f.Operator, why)); err != nil {
		return Incident{}, err
	}
	return annotate(ctx, s, id, by, func(r *Record) (Entry, error) {
		n := slices.IndexFunc(r.Faults, func(o Fault) bool { return o.Domain == f.Domain })
		if n >= 0 && r.Faults[n] == f || n < 0 && f.Operator == "" {
			return Entry{}, errSame
		}
		return Entry{Act: ActFault, Fault: &f, Why: why}, nil
	})
}

// SetChanges says from when on services and parts were in which condition. A change
// whose source is [FromPerson] corrects what was recorded before and needs a reason.
// What is said by the time of the entry about the time before it stands, until another
// person corrects it: nothing that is computed later moves it.
func SetChanges(ctx context.Context, s kv.Store, id string, changes []Change, by, why string) (Incident, error) {
	if len(changes) == 0 {
		return Incident{}, fmt.Errorf("%w: it names no service", ErrInput)
	}
	changes = slices.Clone(changes)
	for n := range changes {
		c := &changes[n]
		c.At, c.Until = c.At.UTC().Round(0), c.Until.UTC().Round(0)
		if err := c.check(why); err != nil {
			return Incident{}, err
		}
	}
	if err := short(why); err != nil {
		return Incident{}, err
	}
	var i Incident
	for part := range slices.Chunk(changes, MaxChanges) {
		var err error
		i, err = annotate(ctx, s, id, by, func(r *Record) (Entry, error) {
			for _, c := range part {
				if !r.Open() && c.Condition != Up && c.Until.IsZero() {
					return Entry{}, fmt.Errorf("%w: %s is %s, so say also until when %s was %s", ErrState, r.ID, r.State, c.Service, c.Condition)
				}
			}
			return Entry{Act: ActChange, Changes: part, Why: why}, nil
		})
		if err != nil {
			return Incident{}, err
		}
	}
	return i, nil
}

// Settle brings the conditions in the record in line with what decide computes of it,
// as policy, and returns the incident that results. decide sees the record as it is in
// the store and says what is missing and why; when it finds nothing more the record is
// settled. So whoever settles twice, or after another leader did, writes nothing twice.
func Settle(ctx context.Context, s kv.Store, id string, decide func(*Record) (changes []Change, why string)) (Incident, error) {
	for {
		wrote := false
		i, err := annotate(ctx, s, id, ByPolicy, func(r *Record) (Entry, error) {
			wrote = false
			changes, why := decide(r)
			if len(changes) == 0 {
				return Entry{}, errSame
			}
			for n := range changes {
				changes[n].At, changes[n].Until = changes[n].At.UTC().Round(0), changes[n].Until.UTC().Round(0)
				if err := changes[n].check(why); err != nil {
					return Entry{}, err
				}
			}
			wrote = len(changes) > MaxChanges
			return Entry{Act: ActChange, Changes: changes[:min(len(changes), MaxChanges)], Why: why}, nil
		})
		if err != nil || !wrote {
			return i, err
		}
	}
}

// check says what is wrong with a change.
func (c *Change) check(why string) error {
	switch {
	case c.Service == "":
		return fmt.Errorf("%w: it names no service", ErrInput)
	case !slices.Contains([]Condition{Down, Degraded, Up}, c.Condition):
		return fmt.Errorf("%w: the condition of %s is %q; it is one of down, degraded, up", ErrInput, c.Service, c.Condition)
	case !slices.Contains([]string{FromImpact, FromRun, FromProbe, FromPerson}, c.Source):
		return fmt.Errorf("%w: the source of %s is %q; it is one of impact, run, probe, person", ErrInput, c.Service, c.Source)
	case c.At.IsZero():
		return fmt.Errorf("%w: say since when %s was %s", ErrInput, c.Service, c.Condition)
	case !c.Until.IsZero() && !c.Until.After(c.At):
		return fmt.Errorf("%w: %s would be %s until %s, which is not after %s", ErrInput, c.Service, c.Condition, c.Until.Format(time.RFC3339), c.At.Format(time.RFC3339))
	case c.Source == FromPerson && strings.TrimSpace(why) == "":
		return fmt.Errorf("%w: say why the record of %s is corrected", ErrInput, c.Service)
	}
	return nil
}

// Draft files a word to the public; it waits for [Publish]. Only Phase, Body, Template
// and NextAt of u are taken. It returns the update with its number.
func Draft(ctx context.Context, s kv.Store, id string, u Update, by string) (Update, error) {
	u = Update{Phase: u.Phase, Body: u.Body, Template: u.Template, NextAt: u.NextAt.UTC().Round(0)}
	if err := u.check(); err != nil {
		return Update{}, err
	}
	i, err := annotate(ctx, s, id, by, func(*Record) (Entry, error) {
		return Entry{Act: ActDraft, Update: &u}, nil
	})
	if err != nil {
		return Update{}, err
	}
	r := RecordOf(i)
	return r.Updates[len(r.Updates)-1], nil
}

// Phases are what an update can say about how far an incident is, in order.
func Phases() []string {
	return []string{"investigating", "identified", "monitoring", "resolved", "postmortem"}
}

func (u *Update) check() error {
	if !slices.Contains(Phases(), u.Phase) {
		return fmt.Errorf("%w: the phase is %q; it is one of %s", ErrInput, u.Phase, strings.Join(Phases(), ", "))
	}
	size := 0
	for lang, text := range u.Body {
		if strings.TrimSpace(text) == "" || lang == "" {
			return fmt.Errorf("%w: the text in %q is empty", ErrInput, lang)
		}
		size += len(lang) + len(text)
	}
	switch {
	case size == 0:
		return fmt.Errorf("%w: the update has no text", ErrInput)
	case size > MaxText:
		return tooLong()
	}
	return short(u.Template)
}

// Publish makes an update public. Another person than the one who drafted it has to do
// so, unless bypass says why there is no time for that. What policy drafted any person
// may publish, and policy itself, whose rules the caller knows; policy never publishes
// what a person drafted. Publishing again what one has published changes nothing.
// That it is resolved nobody says while something is down by the record, unless bypass
// says why.
func Publish(ctx context.Context, s kv.Store, id string, update int, by, bypass string) error {
	bypass = strings.TrimSpace(bypass)
	if err := short(bypass); err != nil {
		return err
	}
	_, err := annotate(ctx, s, id, by, func(r *Record) (Entry, error) {
		u, err := r.update(update)
		switch {
		case err != nil:
			return Entry{}, err
		case u.Dropped != "":
			return Entry{}, fmt.Errorf("%w: update %d was dropped: %s", ErrState, update, u.Dropped)
		case !u.SentAt.IsZero() && u.SentBy == by:
			return Entry{}, errSame
		case !u.SentAt.IsZero():
			return Entry{}, fmt.Errorf("%w: update %d was published by %s", ErrState, update, u.SentBy)
		case by == ByPolicy && u.DraftedBy != ByPolicy:
			return Entry{}, fmt.Errorf("%w: policy does not publish what %s drafted", ErrApproval, u.DraftedBy)
		case by != ByPolicy && by == u.DraftedBy && bypass == "":
			return Entry{}, fmt.Errorf("%w: %s drafted update %d; let somebody else publish it, or say why there is no time for that", ErrApproval, by, update)
		}
		down := r.Down(time.Now())
		if u.Phase != "resolved" {
			down = nil
		}
		if len(down) > 0 && bypass == "" {
			return Entry{}, fmt.Errorf("%w: update %d says that it is resolved, and by the record %s still down; record that they are back, or say why it is published all the same", ErrState, update, are(down))
		}
		why := bypass
		if len(down) == 0 && (by != u.DraftedBy || by == ByPolicy) {
			why = "" // nothing was passed by
		}
		return Entry{Act: ActPublish, Number: update, Bypass: why}, nil
	})
	return err
}

// are names the first of what is down.
func are(down []Subject) string {
	const most = 3
	names := make([]string, 0, most)
	for _, s := range down[:min(len(down), most)] {
		names = append(names, s.String())
	}
	text := strings.Join(names, ", ")
	switch more := len(down) - len(names); {
	case more > 0:
		return fmt.Sprintf("%s and %d more are", text, more)
	case len(names) > 1:
		return text + " are"
	}
	return text + " is"
}

// DropUpdate says that a draft never goes out.
func DropUpdate(ctx context.Context, s kv.Store, id string, update int, by, why string) error {
	if err := errors.Join(required("a reason", why), short(why)); err != nil {
		return err
	}
	_, err := annotate(ctx, s, id, by, func(r *Record) (Entry, error) {
		u, err := r.update(update)
		switch {
		case err != nil:
			return Entry{}, err
		case u.Dropped != "":
			return Entry{}, errSame
		case !u.SentAt.IsZero():
			return Entry{}, fmt.Errorf("%w: update %d is public; a word that is out is corrected by another one", ErrState, update)
		}
		return Entry{Act: ActDrop, Number: update, Why: why}, nil
	})
	return err
}

// Rebase says what progress counts against from now on: of services that were
// affected. Saying the same again changes nothing.
func Rebase(ctx context.Context, s kv.Store, id string, of int, why, by string) (Incident, error) {
	if of < 0 {
		return Incident{}, fmt.Errorf("%w: progress cannot count against %d", ErrInput, of)
	}
	return annotate(ctx, s, id, by, func(r *Record) (Entry, error) {
		switch n := len(r.Bases); {
		case !r.Open():
			return Entry{}, over(r)
		case n > 0 && r.Bases[n-1].Of == of, n == 0 && of == 0:
			return Entry{}, errSame
		}
		return Entry{Act: ActRebase, Of: of, Why: why}, nil
	})
}

// MarkDone says that a duty with a deadline was done, and how (a reference, a
// channel). A duty of after the end is done after the end. Once is enough: done again
// changes nothing.
func MarkDone(ctx context.Context, s kv.Store, id, clock, by, why string) (Incident, error) {
	if err := errors.Join(required("a clock", clock), required("how it was done", why), short(clock, why)); err != nil {
		return Incident{}, err
	}
	return annotate(ctx, s, id, by, func(r *Record) (Entry, error) {
		if slices.ContainsFunc(r.Done, func(d ClockDone) bool { return d.Clock == clock }) {
			return Entry{}, errSame
		}
		return Entry{Act: ActDone, Clock: clock, Why: why}, nil
	})
}

// LogCall notes an attempt to reach a person, or what became of one that is noted:
// entries of one Call.ID tell of one attempt, and the last stands.
func LogCall(ctx context.Context, s kv.Store, id string, c Call, by string) (Incident, error) {
	c.At, c.Answered = c.At.UTC().Round(0), c.Answered.UTC().Round(0)
	if err := errors.Join(required("the call's id", c.ID), short(c.ID, c.Crew, c.Person, c.Channel, c.Outcome, c.Detail)); err != nil {
		return Incident{}, err
	}
	return annotate(ctx, s, id, by, func(r *Record) (Entry, error) {
		if slices.Contains(r.Calls, c) {
			return Entry{}, errSame
		}
		return Entry{Act: ActCall, Call: &c}, nil
	})
}

// AddNote adds what a person saw ([ActNote]) or decided ([ActDecision]).
func AddNote(ctx context.Context, s kv.Store, id string, kind Act, by, text string) (Incident, error) {
	if kind != ActNote && kind != ActDecision {
		return Incident{}, fmt.Errorf("%w: %q is neither a note nor a decision", ErrInput, kind)
	}
	if err := errors.Join(required("a text", text), short(text)); err != nil {
		return Incident{}, err
	}
	return annotate(ctx, s, id, by, func(*Record) (Entry, error) {
		return Entry{Act: kind, Why: text}, nil
	})
}

// errSame says that an entry would say what is already so.
var errSame = errors.New("nothing changes")

// annotate appends what decide says to an incident, open or over, and leaves open what
// is open. When decide returns [errSame] nothing is written.
func annotate(ctx context.Context, s kv.Store, id, by string, decide func(*Record) (Entry, error)) (Incident, error) {
	if strings.TrimSpace(by) == "" {
		return Incident{}, fmt.Errorf("%w: say who changes the record", ErrInput)
	}
	return retry(ctx, func() (Incident, error) {
		i, err := load(ctx, s, id)
		if err != nil {
			return Incident{}, err
		}
		r := RecordOf(i)
		e, err := decide(&r)
		if errors.Is(err, errSame) {
			return i, nil
		}
		if err != nil {
			return Incident{}, err
		}
		e.At, e.By = time.Now().UTC().Round(0), by
		op, err := entryOp(id, len(i.Entries), e)
		if err != nil {
			return Incident{}, err
		}
		// The entry comes right after those that decide has seen, or not at all.
		if _, err := s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: op.Key}}, Do: []kv.Op{op}}); err != nil {
			return Incident{}, fmt.Errorf("write incident %s: %w", id, err)
		}
		return fold(id, append(slices.Clone(i.Entries), e)), nil
	})
}

func over(r *Record) error { return fmt.Errorf("%w: %s is %s", ErrState, r.ID, r.State) }

func required(what, text string) error {
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("%w: %s is missing", ErrInput, what)
	}
	return nil
}

func tooLong() error {
	return fmt.Errorf("%w: the text is longer than %d bytes; put the rest elsewhere and name the place", ErrInput, MaxText)
}

func short(texts ...string) error {
	for _, t := range texts {
		if len(t) > MaxText {
			return tooLong()
		}
	}
	return nil
}

func notAnUpdate(id int, incident string) error {
	return fmt.Errorf("%w: %s has no update %d", ErrInput, incident, id)
}
