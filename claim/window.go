package claim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/internal/kv"
)

// A Window is the time in which reports about an incident are taken, and what the form
// asks for. It is prepared before any incident, in the configuration: see [Template].
type Window struct {
	Incident   string            `json:"incident"`
	Title      map[string]string `json:"title"` // by language
	Currency   string            `json:"currency"`
	Opens      time.Time         `json:"opens"`
	Closes     time.Time         `json:"closes"`
	LateUntil  time.Time         `json:"lateUntil,omitzero"` // until when a report with a reason is taken after the end; zero: none is
	Reasons    []Named           `json:"reasons,omitempty"`  // for reports that are late
	Services   []Service         `json:"services"`           // empty: every service of the page
	Evidence   []Named           `json:"evidence,omitempty"` // kinds of papers that may be sent
	Consent    ConsentText       `json:"consent"`
	Changes    []WindowChange    `json:"changes"` // opened, extended, closed: by whom and why; appended
	Version    int64             `json:"version"`
	RetainDays int               `json:"retainDays"` // after the last change of a claim, its personal data are erased
}

// A Named is a choice, with its title in each language.
type Named struct {
	Name  string            `json:"name" yaml:"name"`
	Title map[string]string `json:"title" yaml:"title"`
}

// A Service that can be reported on, with its parts.
type Service struct {
	Named `yaml:",inline"`

	Parts []Named `json:"parts,omitempty" yaml:"parts"`
	Paid  bool    `json:"paid,omitempty" yaml:"paid"`
}

// A ConsentText is what a claimant agrees to; its version is kept with each report.
type ConsentText struct {
	Version string            `json:"version" yaml:"version"`
	Text    map[string]string `json:"text" yaml:"text"`
}

// What is done to a window.
const (
	Opened   = "opened"
	Extended = "extended"
	Closed   = "closed"
)

// WhyWithdrawn is the reason of a window that closed by itself, as its incident was withdrawn: pages put it into words.
const WhyWithdrawn = "withdrawn"

// A WindowChange is one thing that was done to a window.
type WindowChange struct {
	At    time.Time `json:"at"`
	By    string    `json:"by"`
	What  string    `json:"what"` // opened, extended, closed
	Until time.Time `json:"until"`
	Why   string    `json:"why,omitempty"`
}

// A Phase is what a window takes at a moment.
type Phase string

// The phases.
const (
	Early Phase = "early" // not open yet
	Taken Phase = "taken" // reports are taken
	Late  Phase = "late"  // reports with a reason are taken
	Over  Phase = "over"  // none is
)

// At returns what the window takes now.
func (w *Window) At(now time.Time) Phase {
	switch {
	case now.Before(w.Opens):
		return Early
	case now.Before(w.Closes):
		return Taken
	case now.Before(w.LateUntil):
		return Late
	}
	return Over
}

// windowPrefix + incident: windows, in the store of the public side.
const windowPrefix = "claim/w/"

// storedWindow is a window with what it needs to be opened again.
type storedWindow struct {
	Window

	LateFor time.Duration `json:"lateFor"` // after its end, whenever that is
}

// incidents are named so that they can stand in a key and an address.
var incidents = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$`)

// Windows returns all windows, the newest first.
func (o *Office) Windows(ctx context.Context) ([]Window, error) {
	all, err := list[storedWindow](ctx, o.Store, windowPrefix)
	if err != nil {
		return nil, err
	}
	out := make([]Window, len(all))
	for i := range all {
		out[i] = all[i].Window
	}
	slices.SortStableFunc(out, func(a, b Window) int {
		return cmp.Or(b.Opens.Compare(a.Opens), strings.Compare(b.Incident, a.Incident))
	})
	return out, nil
}

// Window returns the window of an incident, or [ErrNotFound].
func (o *Office) Window(ctx context.Context, incident string) (Window, error) {
	if !incidents.MatchString(incident) {
		return Window{}, fmt.Errorf("window of %q: %w", incident, ErrNoWindow)
	}
	w, modified, err := read[storedWindow](ctx, o.Store, windowPrefix+incident)
	if err == nil && modified == 0 {
		err = fmt.Errorf("window of %q: %w", incident, ErrNoWindow)
	}
	return w.Window, err
}

// windowAge is how old what is remembered of a window may be: a report comes in with
// one way to the store instead of two.
const windowAge = 2 * time.Second

// recent is Window, a little old perhaps.
func (o *Office) recent(ctx context.Context, incident string) (Window, error) {
	now := time.Now()
	if w, ok := o.windows.get(incident, now.Add(-windowAge)); ok {
		return w, nil
	}
	w, err := o.Window(ctx, incident)
	if err == nil {
		o.windows.put(incident, w, now)
	}
	return w, err
}

// Open opens a window. One that exists is returned as it is, also when it was closed. What it leaves
// empty is that of [DefaultTemplate], and it opens now.
func (o *Office) Open(ctx context.Context, w Window, by string) (Window, error) {
	if err := who(by); err != nil {
		return Window{}, err
	}
	return o.open(ctx, w, by, "")
}

func (o *Office) open(ctx context.Context, w Window, by, why string) (Window, error) {
	now := o.now()
	t := DefaultTemplate()
	if len(w.Title) == 0 {
		w.Title = t.title(w.Incident, o.titles(w.Incident))
	}
	w.Currency = cmp.Or(w.Currency, t.Currency)
	if w.Opens.IsZero() {
		w.Opens = now
	}
	if w.Closes.IsZero() {
		w.Closes = w.Opens.Add(t.For)
	}
	if w.Consent.Version == "" && len(w.Consent.Text) == 0 {
		w.Consent = t.Consent
	}
	if w.RetainDays == 0 {
		w.RetainDays = t.retainDays()
	}
	if w.Services == nil {
		w.Services = []Service{}
	}
	w.Opens, w.Closes, w.LateUntil = w.Opens.UTC().Round(time.Microsecond), w.Closes.UTC().Round(time.Microsecond), w.LateUntil.UTC().Round(time.Microsecond)
	if err := w.check(); err != nil {
		return Window{}, fmt.Errorf("open the window of %s: %w", w.Incident, err)
	}
	w.Version, w.Changes = 1, []WindowChange{{At: now, By: by, What: Opened, Until: w.Closes, Why: why}}
	s, err := update(ctx, o.Store, windowPrefix+w.Incident, func(s *storedWindow, exists bool) (kv.Txn, error) {
		if exists {
			return kv.Txn{}, errSame
		}
		*s = storedWindow{Window: w}
		if !w.LateUntil.IsZero() {
			s.LateFor = w.LateUntil.Sub(w.Closes)
		}
		return kv.Txn{}, nil
	})
	o.windows.forget(w.Incident)
	return s.Window, err
}

func (o *Office) titles(incident string) map[string]string {
	if o.Titles == nil {
		return nil
	}
	return o.Titles(incident)
}

// Prepare opens the window of an incident from what was prepared before any, at once: it is called when
// one is declared. One that exists is returned as it is, so that it may be called by every
// process and as often as they like.
func (o *Office) Prepare(ctx context.Context, incident string, t Template, by string) (Window, error) {
	if err := who(by); err != nil {
		return Window{}, err
	}
	if err := t.Check(); err != nil {
		return Window{}, err
	}
	return o.open(ctx, t.Window(incident, o.titles(incident), o.now()), by, "prepared")
}

// Known refuses an incident that has no window and that control never told of ([ErrUnknown]): mostly its name was typed wrong, and a
// window for it is public at once.
func (o *Office) Known(ctx context.Context, incident string) error {
	if o.Incidents == nil {
		return nil
	}
	if _, err := o.Window(ctx, incident); !errors.Is(err, ErrNotFound) {
		return err
	}
	all, err := o.Incidents(ctx)
	if err != nil || slices.Contains(all, incident) {
		return err
	}
	err = fmt.Errorf("%w as %q", ErrUnknown, incident)
	if near := estate.Nearest(incident, all); near != "" {
		return fmt.Errorf("%w; did you mean %q?", err, near)
	}
	slices.Sort(all)
	slices.Reverse(all) // they begin with their day
	if len(all) == 0 {
		return fmt.Errorf("%w: it has told of none", err)
	}
	const most = 5
	return fmt.Errorf("%w: the last ones are %s", err, strings.Join(all[:min(most, len(all))], ", "))
}

// Extend moves the end of a window to a later time, also of one that is over: it is open again then. Claims that
// came late stay marked. The time in which late reports are taken moves with the end.
func (o *Office) Extend(ctx context.Context, incident string, until time.Time, by, why string) (Window, error) {
	if err := who(by, why); err != nil {
		return Window{}, err
	}
	now := o.now()
	until = until.UTC().Round(time.Microsecond)
	return o.alter(ctx, incident, func(w *storedWindow) error {
		if last := w.Changes[len(w.Changes)-1]; last.What == Extended && last.Until.Equal(until) && same(last.By, by) {
			return errSame // pressed twice
		}
		f := FieldErrors{}
		f.set(!until.After(w.Closes), "until", "order")
		f.set(!until.After(now), "until", "order")
		if err := f.err(); err != nil {
			return fmt.Errorf("extend a window that ends at %s: %w", w.Closes.Format(time.RFC3339), err)
		}
		w.Closes = until
		if w.LateFor > 0 {
			w.LateUntil = until.Add(w.LateFor)
		}
		w.Changes = append(w.Changes, WindowChange{At: now, By: by, What: Extended, Until: until, Why: why})
		return nil
	})
}

// Close ends a window now, for late reports too: for instance because its incident was withdrawn.
// Reports that came in are kept, and decided like others.
func (o *Office) Close(ctx context.Context, incident, by, why string) (Window, error) {
	if err := who(by, why); err != nil {
		return Window{}, err
	}
	now := o.now()
	return o.alter(ctx, incident, func(w *storedWindow) error {
		if w.At(now) == Over {
			return errSame
		}
		w.Closes, w.LateUntil = now, time.Time{}
		if w.Opens.After(now) {
			w.Opens = now
		}
		w.Changes = append(w.Changes, WindowChange{At: now, By: by, What: Closed, Until: now, Why: why})
		return nil
	})
}

func (o *Office) alter(ctx context.Context, incident string, change func(*storedWindow) error) (Window, error) {
	if !incidents.MatchString(incident) {
		return Window{}, fmt.Errorf("window of %q: %w", incident, ErrNoWindow)
	}
	s, err := update(ctx, o.Store, windowPrefix+incident, func(w *storedWindow, exists bool) (kv.Txn, error) {
		if !exists {
			return kv.Txn{}, fmt.Errorf("window of %q: %w", incident, ErrNoWindow)
		}
		w.Version++
		err := change(w)
		if err != nil {
			w.Version--
		}
		return kv.Txn{}, err
	})
	o.windows.forget(incident)
	return s.Window, err
}

// bilingual says whether people who read either language can read it.
func bilingual(text map[string]string, most int) bool {
	return len(text) == 2 && strings.TrimSpace(text["ko"]) != "" && strings.TrimSpace(text["en"]) != "" && textual(text["ko"], most) && textual(text["en"], most)
}

// words that stand for a choice: services have the names of the estate.
var words = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._/-]{0,63}$`)

// choices checks names and titles.
func (f FieldErrors) choices(field string, list []Named) {
	seen := map[string]bool{}
	for _, n := range list {
		f.set(!words.MatchString(n.Name), field, "form")
		f.set(!bilingual(n.Title, 200), field, "language")
		f.set(seen[n.Name], field, "twice")
		seen[n.Name] = true
	}
}

// services checks those that can be reported on.
func (f FieldErrors) services(list []Service) {
	names := make([]Named, len(list))
	for i := range list {
		names[i] = list[i].Named
		f.choices("services", list[i].Parts)
	}
	f.choices("services", names)
}

// longConsent is the longest text of a consent, in letters.
const longConsent = 20_000

func (w *Window) check() error {
	f := FieldErrors{}
	f.set(!incidents.MatchString(w.Incident), "incident", "form")
	f.set(!bilingual(w.Title, 300), "title", "language")
	f.set(!currencies.MatchString(w.Currency), "currency", "form")
	f.set(!w.Closes.After(w.Opens), "closes", "order")
	f.set(!w.LateUntil.IsZero() && w.LateUntil.Before(w.Closes), "lateUntil", "order")
	f.set(!w.LateUntil.IsZero() && len(w.Reasons) == 0, "reasons", "missing")
	f.choices("reasons", w.Reasons)
	f.choices("evidence", w.Evidence)
	f.services(w.Services)
	f.set(w.Consent.Version == "", "consent", "missing")
	f.set(!textual(w.Consent.Version, 64), "consent", "text")
	f.set(!bilingual(w.Consent.Text, longConsent), "consent", "language")
	f.set(w.RetainDays < 1, "retainDays", "order")
	return f.err()
}

var currencies = regexp.MustCompile(`^[A-Z]{3}$`)
