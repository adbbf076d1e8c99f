package claim

import (
	"time"
)

// A Window is the time in which reports about an incident are taken, and what the form
// asks for. It is prepared before any incident, in the configuration.
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
	Named

	Parts []Named `json:"parts,omitempty"`
	Paid  bool    `json:"paid,omitempty"`
}

// A ConsentText is what a claimant agrees to; its version is kept with each report.
type ConsentText struct {
	Version string            `json:"version" yaml:"version"`
	Text    map[string]string `json:"text" yaml:"text"`
}

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
