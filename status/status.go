package status

import (
	"time"

	"bongsu/incident"
)

// A Level is how a service, or a part of one, is for its users.
type Level string

// The levels, from well to unknown. Unknown is a state of its own: it is shown when
// nobody has told for longer than the limit.
const (
	Operational Level = "operational"
	Maintained  Level = "maintenance"
	Degraded    Level = "degraded"
	Restoring   Level = "restoring" // down, and a step that brings it back has begun
	Down        Level = "down"
	Unknown     Level = "unknown"
)

// A Phase is how far an incident is, as Atlassian Statuspage names it.
type Phase string

// The phases.
const (
	Investigating Phase = "investigating"
	Identified    Phase = "identified"
	Monitoring    Phase = "monitoring"
	Resolved      Phase = "resolved"
	Postmortem    Phase = "postmortem"
)

// Text is the same in several languages, by language tag ("ko", "en").
type Text map[string]string

// A State is all that the public side knows: what its documents say, put together.
// It is immutable: a change makes another one.
type State struct {
	Rev          int64         `json:"rev"` // grows with every change of a document
	Catalog      Catalog       `json:"catalog"`
	Incidents    []Incident    `json:"incidents"` // newest first; open ones and those of the last 90 days
	Maintenances []Maintenance `json:"maintenances"`
	Notices      []Answer      `json:"answers"`  // published answers to readers' questions
	AsOf         time.Time     `json:"asOf"`     // when control last said that this is so
	GoodFor      time.Duration `json:"goodFor"`  // after AsOf + GoodFor all levels are unknown
	Received     time.Time     `json:"received"` // when this public node last took a document
}

// A Catalog is what the page reports on, from the estate and the page's settings.
type Catalog struct {
	Company  string    `json:"company"`
	Title    Text      `json:"title"`
	URL      string    `json:"url"`      // of the page, without a trailing slash
	TimeZone string    `json:"timeZone"` // IANA name, for readers who tell none
	Contact  Text      `json:"contact"`  // where users can turn to (law: public-side §4)
	Services []Service `json:"services"` // in the order of the page: most users first
}

// A Service is one line of the page.
type Service struct {
	Name  string `json:"name"`
	Title Text   `json:"title"`
	Group string `json:"group,omitempty"`
	Users int64  `json:"users"`
	Paid  bool   `json:"paid,omitempty"`
	Parts []Part `json:"parts,omitempty"`

	// Since when the page reports on it; zero: for as long as it keeps anything.
	Since time.Time `json:"since,omitzero"`
}

// A Part is a feature of a service that fails and comes back on its own.
type Part struct {
	Name  string  `json:"name"`
	Title Text    `json:"title"`
	Share float64 `json:"share"`
}

// An Incident is one outage as the public is told of it.
type Incident struct {
	ID        string     `json:"id"`
	Title     Text       `json:"title"`
	Phase     Phase      `json:"phase"`
	Impact    string     `json:"impact"` // none, minor, major, critical
	StartedAt time.Time  `json:"startedAt"`
	EndedAt   time.Time  `json:"endedAt,omitzero"`
	Withdrawn bool       `json:"withdrawn,omitempty"` // it was a mistake; told of because something was said about it
	UpdatedAt time.Time  `json:"updatedAt"`
	NextAt    time.Time  `json:"nextAt,omitzero"` // when we speak next
	Progress  *Progress  `json:"progress,omitempty"`
	Board     []Line     `json:"board"`     // recovery board: every affected service and part, worst and most users first
	Intervals []Interval `json:"intervals"` // who was down when; what compensation is computed from
	Updates   []Update   `json:"updates"`   // newest first
	// Faults are the lost domains, and who operates each: whom it is claimed back from. They are for those who pay
	// at the public side and stand on no page.
	Faults []incident.Fault `json:"faults,omitempty"`
}

// Progress names its base.
type Progress struct {
	Back int `json:"back"`
	Of   int `json:"of"`
	Was  int `json:"was,omitempty"` // the base before it changed
}

// A Line is one service or part on the recovery board.
type Line struct {
	Service  string    `json:"service"`
	Part     string    `json:"part,omitempty"`
	Level    Level     `json:"level"`
	Since    time.Time `json:"since"`
	Percent  int       `json:"percent"`           // of its steps that are done, 0 to 100
	Expected time.Time `json:"expected,omitzero"` // when the plan has it back; zero: not known
	NextAt   time.Time `json:"nextAt,omitzero"`   // when the next word comes
}

// An Interval is a time in which a service or part was not well. To is zero while it lasts.
type Interval struct {
	Service string    `json:"service"`
	Part    string    `json:"part,omitempty"`
	Level   Level     `json:"level"` // down or degraded
	From    time.Time `json:"from"`
	To      time.Time `json:"to,omitzero"`
}

// An Update is one word to the public.
type Update struct {
	ID       string            `json:"id"`
	At       time.Time         `json:"at"`
	Phase    Phase             `json:"phase"`
	Body     Text              `json:"body"`               // Markdown of the safe kind
	Affected map[string]Change `json:"affected,omitempty"` // by service
}

// A Change of level that an update tells.
type Change struct {
	Old Level `json:"old"`
	New Level `json:"new"`
}

// A Maintenance is planned work.
type Maintenance struct {
	ID       string    `json:"id"`
	Title    Text      `json:"title"`
	Status   string    `json:"status"` // scheduled, in_progress, verifying, completed
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Services []string  `json:"services"`
	Updates  []Update  `json:"updates"`
}

// An Answer to a question that a reader sent, published when somebody approved it.
type Answer struct {
	ID       string    `json:"id"`
	Incident string    `json:"incident,omitempty"`
	Question string    `json:"question"` // as approved; never the reader's name or address
	Answer   Text      `json:"answer"`
	At       time.Time `json:"at"`
}

// Keys of documents.
const (
	KeyCatalog     = "catalog"
	KeyPulse       = "pulse"        // says only: as of At, all that was sent is still so
	KeyIncident    = "incident/"    // + ID
	KeyMaintenance = "maintenance/" // + ID
	KeyAnswer      = "answer/"      // + ID
)

// A Document is one thing that control tells the public side. A newer revision
// replaces an older one of the same key; an older one is never taken.
type Document struct {
	Key  string    `json:"key"`
	Rev  int64     `json:"rev"` // revision of the control store that it was made from
	At   time.Time `json:"at"`
	Body []byte    `json:"body"` // JSON of a [Catalog], [Incident], [Maintenance], [Answer] or [Pulse]; empty: withdrawn
}

// A Pulse says for how long what was told may be believed, and what that is: a
// public node that does not hold all of it must not pass it on as fresh.
type Pulse struct {
	GoodFor time.Duration     `json:"goodFor"`
	Holds   map[string]string `json:"holds"` // key of every document of control that stands, with its [Digest]
}
