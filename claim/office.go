package claim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// Errors of an [Office] that callers branch on, beside those of the [Ledger].
var (
	ErrSame     = errors.New("another person has to do this")             // four eyes
	ErrState    = errors.New("the claim is not in a state for this")      // e.g. an appeal after its time
	ErrLate     = errors.New("the window has closed: a reason is needed") // the form asks for one
	ErrConsent  = errors.New("the consent that is shown now was not given")
	ErrNoPolicy = errors.New("no policy is active for this incident")
	ErrUnknown  = fmt.Errorf("%w: control has told of no such incident", ErrInput)
	ErrDigest   = errors.New("another text was handed in than the one that was looked at")
	ErrNoRecord = errors.New("control has not told what was down: nothing can be decided yet")
	ErrPolicy   = errors.New("the policy cannot be used") // does not parse, an example comes out differently, other content under the same name and version
)

// ErrNoWindow is an [ErrNotFound].
const ErrNoWindow = absent("no window was ever opened for it")

// An absent is an [ErrNotFound] that says of what.
type absent string

func (a absent) Error() string { return string(a) }

// Is says that every absent is an [ErrNotFound].
func (a absent) Is(target error) bool { return target == ErrNotFound }

// An Office is where claims are taken, looked at and decided: by claimants who hold a
// receipt, by agents and deciders at the desk, and by policy. It keeps windows, policies and
// what the body says in the public side's own store, the claims in its [Ledger]. Several, in
// several processes, may work on one store.
type Office struct {
	Store    kv.Store
	Ledger   Ledger
	Intake   *Intake                                 // files single reports in groups; nil: each by itself
	Outages  func(incident string) (Outages, bool)   // what control signed of the incident; false: nothing is known of it
	Accounts func(pseudonym string) policy.Account   // nil: none are known
	Titles   func(incident string) map[string]string // for windows; nil: the name of the incident
	Page     func(incident string) []Service         // what reports are taken on where a window names nothing; nil: anything
	// Incidents are those that control has told of, for [Office.Known]; nil: any may be.
	Incidents func(ctx context.Context) ([]string, error)
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil: nothing is logged

	windows  remembered[Window]
	policies remembered[*policy.Policy]
	purses   purses
	cleaning queue // of papers
}

// now is the time to write down.
func (o *Office) now() time.Time {
	if o.Now != nil {
		return o.Now().UTC().Round(time.Microsecond)
	}
	return time.Now().UTC().Round(time.Microsecond)
}

func (o *Office) log() *slog.Logger {
	if o.Log != nil {
		return o.Log
	}
	return slog.New(slog.DiscardHandler)
}

// outages is what is recorded of an incident.
func (o *Office) outages(incident string) (Outages, bool) {
	if o.Outages == nil {
		return Outages{}, false
	}
	return o.Outages(incident)
}

// FieldErrors says what is wrong with which field: "missing", "unknown" (not one of the choices), "amount" (0
// to 1e15 are taken), "early" (before the outage was), "future", "order" (the end before the beginning), "long",
// "form" (not a telephone number, say), "text" (not text that can be kept), "cap" (more than the policy allows),
// "language" (Korean and English are needed), "twice", "blank" (a blank as {amount}, which only policies fill in). A form shows each beside its field. It is an [ErrInput].
type FieldErrors map[string]string //nolint:errname // one error, of several fields

// Error is for those who have no form.
func (f FieldErrors) Error() string {
	var out []string
	for _, field := range slices.Sorted(maps.Keys(f)) {
		says := f[field]
		switch says {
		case "missing":
			says = "is missing"
		case "unknown":
			says = "is not one of the choices"
		case "amount":
			says = fmt.Sprintf("is not a whole number from 0 to %d", int64(mostAmount))
		case "early":
			says = "is before the outage began"
		case "future":
			says = "is in the future"
		case "order":
			says = "is not after what it has to come after"
		case "long":
			says = "is too long"
		case "form":
			says = formOf(field)
		case "text":
			says = "is not text that can be kept: UTF-8 without control characters"
		case "cap":
			says = "is more than the policy allows for one claim"
		case "language":
			says = "is needed in Korean and English"
		case "blank":
			says = "has a blank such as {amount}, which only a policy fills in: write out what it stands for"
		case "twice":
			says = "stands twice"
		}
		out = append(out, field+" "+says)
	}
	return strings.Join(out, "; ")
}

// formOf says how a field is written.
func formOf(field string) string {
	switch field {
	case "email":
		return "is no e-mail address such as name@example.com"
	case "phone":
		return "is no telephone number such as 010-1234-5678"
	case "business":
		return "is no business registration number such as 123-45-67890"
	case "number":
		return "is no account number: digits and dashes are expected"
	}
	return "is not written as it has to be"
}

// Is says that every FieldErrors is an [ErrInput].
func (f FieldErrors) Is(target error) bool { return target == ErrInput }

// set notes the first thing that is wrong with a field.
func (f FieldErrors) set(bad bool, field, what string) {
	if _, ok := f[field]; bad && !ok {
		f[field] = what
	}
}

// err is nil where nothing is wrong.
func (f FieldErrors) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Lengths of what people type, in letters.
const (
	longName = 100
	longText = 5_000
)

// who checks the name of a person who does something at the desk, and why they do it.
func who(by string, why ...string) error {
	f := FieldErrors{}
	f.set(strings.TrimSpace(by) == "", "by", "missing")
	f.set(!textual(by, longName), "by", "text")
	for _, w := range why {
		f.set(strings.TrimSpace(w) == "", "why", "missing")
		f.set(!textual(w, longText), "why", "text")
	}
	return f.err()
}

// same says whether two names are one person's.
func same(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

// A kept value stands in the store with the version of its form.
type kept[T any] struct {
	V     int `json:"v"`
	Value T   `json:"value"`
}

func decode[T any](e kv.Entry) (T, error) {
	var k kept[T]
	if err := json.Unmarshal(e.Value, &k); err != nil {
		return k.Value, fmt.Errorf("read %s: %w", e.Key, err)
	}
	if k.V != 1 {
		return k.Value, fmt.Errorf("read %s: version %d is not known, update this program", e.Key, k.V)
	}
	return k.Value, nil
}

// read returns the value of a key, and the revision that wrote it; 0: there is none.
func read[T any](ctx context.Context, s kv.Store, key string) (T, int64, error) {
	var none T
	e, ok, err := s.Get(ctx, key)
	switch {
	case err != nil:
		return none, 0, unavailable("read "+key, err)
	case !ok:
		return none, 0, nil
	}
	v, err := decode[T](e)
	return v, e.Modified, err
}

// list returns the values below a prefix, in the order of their keys.
func list[T any](ctx context.Context, s kv.Store, prefix string) ([]T, error) {
	all, _, err := s.List(ctx, prefix)
	if err != nil {
		return nil, unavailable("list "+prefix, err)
	}
	out := make([]T, 0, len(all))
	for _, e := range all {
		v, err := decode[T](e)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// op writes a value.
func op[T any](key string, v T) (kv.Op, error) {
	b, err := json.Marshal(kept[T]{1, v})
	if err != nil {
		return kv.Op{}, fmt.Errorf("write %s: %w", key, err)
	}
	return kv.Op{Key: key, Value: b}, nil
}

// errSame is what a change of [update] returns when nothing is to be written.
var errSame = errors.New("nothing changes")

// update changes the value of a key. change is called with the value as it is now, perhaps more than
// once; exists is whether there is one. It may return more to write with it, and [errSame] to write nothing.
func update[T any](ctx context.Context, s kv.Store, key string, change func(v *T, exists bool) (more kv.Txn, err error)) (T, error) {
	var none T
	for try := range mostTries {
		v, modified, err := read[T](ctx, s, key)
		if err != nil {
			return none, err
		}
		t, err := change(&v, modified != 0)
		if errors.Is(err, errSame) {
			return v, nil
		}
		if err != nil {
			return none, err
		}
		do, err := op(key, v)
		if err != nil {
			return none, err
		}
		t.If, t.Do = append(t.If, kv.Cond{Key: key, Modified: modified}), append(t.Do, do)
		_, err = s.Commit(ctx, t)
		switch {
		case err == nil:
			return v, nil
		case !errors.Is(err, kv.ErrConflict):
			return none, unavailable("write "+key, err)
		}
		if !pause(ctx, rand.N(time.Duration(min(try, 10)+1)*time.Millisecond)) {
			return none, ctx.Err()
		}
	}
	return none, fmt.Errorf("%w: others write %s all the time", ErrUnavailable, key)
}

// change changes one claim as it is now, until nobody else does so at the same time. A change that
// returns [errSame] writes nothing.
func (o *Office) change(ctx context.Context, id string, change func(*Claim) (Event, error)) (Claim, error) {
	for try := range mostTries {
		c, err := o.Ledger.Claim(ctx, id)
		if err != nil {
			return Claim{}, err
		}
		ev, err := change(&c)
		if errors.Is(err, errSame) {
			return c, nil
		}
		if err != nil {
			return Claim{}, err
		}
		err = o.Ledger.Change(ctx, []Claim{c}, []Event{ev})
		if err == nil {
			return o.Ledger.Claim(ctx, id)
		}
		if !errors.Is(err, ErrConflict) {
			return Claim{}, err
		}
		if !pause(ctx, rand.N(time.Duration(min(try, 10)+1)*time.Millisecond)) {
			return Claim{}, ctx.Err()
		}
	}
	return Claim{}, fmt.Errorf("%w: others write it all the time", ErrConflict)
}

// remembered values spare a way to the store.
type remembered[T any] struct {
	mu  sync.Mutex
	all map[string]recalled[T]
}

type recalled[T any] struct {
	value T
	at    time.Time
}

// mostRemembered bounds the memory: beyond, it begins anew.
const mostRemembered = 100

func (r *remembered[T]) get(key string, since time.Time) (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.all[key]
	return x.value, ok && !x.at.Before(since)
}

func (r *remembered[T]) put(key string, v T, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil || len(r.all) >= mostRemembered {
		r.all = map[string]recalled[T]{}
	}
	r.all[key] = recalled[T]{v, at}
}

func (r *remembered[T]) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, key)
}
