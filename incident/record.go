package incident

import "time"

// A Condition is how a service or part was in an interval.
type Condition string

// The conditions.
const (
	Down     Condition = "down"
	Degraded Condition = "degraded"
	Up       Condition = "up"
)

// Sources of intervals.
const (
	FromImpact = "impact" // computed from the loss when it was declared
	FromRun    = "run"    // computed from the steps of the recovery
	FromProbe  = "probe"  // observed
	FromPerson = "person" // corrected by somebody, with a reason
)

// Why an interval ended when nobody said that what it is about is back.
const (
	FromClose    = "close"    // a later incident has it back: nobody said when before that one
	FromWithdraw = "withdraw" // the incident was withdrawn
)

// An Interval is a time in which a service, or a part of one, was down or degraded.
// It is folded from entries; To is zero while it lasts. Two intervals of one service
// or part never overlap; they may touch, where somebody corrected a part of an outage.
type Interval struct {
	Service   string    `json:"service"`
	Part      string    `json:"part,omitempty"`
	Condition Condition `json:"condition"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to,omitzero"`
	Source    string    `json:"source"`
	By        string    `json:"by,omitempty"`    // who corrected it
	Why       string    `json:"why,omitempty"`   // and why
	Entry     int       `json:"entry"`           // the entry that said it, from 1
	Ended     string    `json:"ended,omitempty"` // the source that says it ended: run, probe, person, impact, close, withdraw
}

// A Change of condition is what an entry of intervals says: from At on, Service
// (or its Part) is in Condition; until Until, where that is given, after which it is
// again what it was said to be before. A service's own condition, with Part empty, is
// that of its core: while it is down all its parts are.
type Change struct {
	Service   string    `json:"service"`
	Part      string    `json:"part,omitempty"`
	Condition Condition `json:"condition"`
	At        time.Time `json:"at"`
	Until     time.Time `json:"until,omitzero"`
	Source    string    `json:"source"`
}

// An Assignment says who has a role from a moment on.
type Assignment struct {
	Role   string    `json:"role"` // commander, scribe, communications, …
	Person string    `json:"person"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to,omitzero"`
	Note   string    `json:"note,omitempty"` // what was handed over
}

// A Fault says whose failure it was, for recourse.
type Fault struct {
	Domain   string `json:"domain"`
	Operator string `json:"operator"`
}

// An Update is one word to the public, from draft to published.
type Update struct {
	ID        int               `json:"id,omitzero"` // number of the entry that drafted it
	Phase     string            `json:"phase"`       // investigating, identified, monitoring, resolved, postmortem
	Body      map[string]string `json:"body"`        // by language
	Template  string            `json:"template,omitempty"`
	NextAt    time.Time         `json:"nextAt,omitzero"` // when we speak next
	DraftedAt time.Time         `json:"draftedAt,omitzero"`
	DraftedBy string            `json:"draftedBy,omitempty"`
	SentAt    time.Time         `json:"sentAt,omitzero"` // zero: waits for approval
	SentBy    string            `json:"sentBy,omitempty"`
	Bypass    string            `json:"bypass,omitempty"`  // why it went out without a second person
	Dropped   string            `json:"dropped,omitempty"` // why it never goes out
}

// A Base is what progress counts against, from a moment on.
type Base struct {
	Of  int       `json:"of"`
	Was int       `json:"was,omitempty"`
	At  time.Time `json:"at"`
	Why string    `json:"why,omitempty"`
}

// A ClockDone says that a duty with a deadline was done.
type ClockDone struct {
	Clock string    `json:"clock"`
	At    time.Time `json:"at"`
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"` // reference, channel
}

// A Call is one attempt to reach a person.
type Call struct {
	ID       string    `json:"id"`
	Crew     string    `json:"crew"`
	Person   string    `json:"person"`
	Channel  string    `json:"channel"`
	At       time.Time `json:"at"`
	Outcome  string    `json:"outcome"` // begun, sent, failed, unknown, acknowledged
	Detail   string    `json:"detail,omitempty"`
	Level    int       `json:"level"` // of escalation, from 0
	Answered time.Time `json:"answered,omitzero"`
	Alarm    string    `json:"alarm,omitempty"`  // of the policy of duty that asked for it
	Number   int       `json:"number,omitempty"` // of that alarm in this incident, from 1
	Step     int       `json:"step,omitempty"`   // of that alarm: levels and tries one after another, from 0
	Reason   string    `json:"reason,omitempty"` // what it was about: proposed, declared, waiting, overdue:…
}

// A Record is an incident with all that hangs on it.
type Record struct {
	Incident
	Faults    []Fault      `json:"faults"`
	Intervals []Interval   `json:"intervals"`
	Roles     []Assignment `json:"roles"`
	Updates   []Update     `json:"updates"` // oldest first
	Bases     []Base       `json:"bases"`
	Done      []ClockDone  `json:"done"`
	Calls     []Call       `json:"calls"`
	Notes     []Entry      `json:"notes"` // notes and decisions
}
