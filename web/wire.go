package web

import (
	"time"

	"bongsu/incident"
)

// What follows is the JSON contract of /api/v1, and at the same time what the
// pages are rendered from. It is apart from what the store keeps, so that either
// can change without the other. Times are RFC 3339 in UTC; durations are seconds,
// as in the plan's own JSON.

// A State is what a person must know of a site, a service or a step, as one word.
type State string

// The states of sites, services, components, crews, runs and steps.
const (
	StateUp            State = "up"
	StateDegraded      State = "degraded"
	StateReturns       State = "returns"       // down, and comes back with what it needs
	StateRecoverable   State = "recoverable"   // down, and a step of its own brings it back
	StateUnrecoverable State = "unrecoverable" // down, and nothing that survives brings it back
	StateDown          State = "down"          // of a service in a record: nobody can use it
	StateUnknown       State = "unknown"       // nobody can say
	StateSuspect       State = "suspect"       // of a site: silent, but not long enough
	StateIsolated      State = "isolated"      // of a site: some see it and some do not
	StateLost          State = "lost"          // of a site: lost or cut off
	StatePending       State = "pending"       // of a step or a run: not begun
	StateWaiting       State = "waiting"       // of a step or a run: it waits for a person
	StateRunning       State = "running"
	StatePaused        State = "paused"
	StateDone          State = "done"
	StateFailed        State = "failed"
	StateSkipped       State = "skipped"
	StateAborted       State = "aborted"
	StateSuperseded    State = "superseded" // of a step: a newer plan does without it
	StateProposed      State = "proposed"   // of an incident: a person must confirm it
	StateDeclared      State = "declared"
	StateClosed        State = "closed"
	StateWithdrawn     State = "withdrawn"
	StateDue           State = "due"      // of a duty: it has to be done by a time
	StateOverdue       State = "overdue"  // of a duty: that time is past
	StateSent          State = "sent"     // of a call: nobody has answered yet
	StateAnswered      State = "answered" // of a call
)

// Now is the whole picture at one moment: the answer of GET /api/v1/now.
type Now struct {
	At       time.Time `json:"at"`
	Site     string    `json:"site"`             // whose node answers
	Leader   string    `json:"leader,omitempty"` // the site whose node leads; empty when nobody is known to
	Term     int64     `json:"term,omitempty"`
	Quorum   Quorum    `json:"quorum"`
	Estate   Revision  `json:"estate"`
	Sites    []Site    `json:"sites"`
	Services []Service `json:"services"` // down first, then degraded, then up; by weighted users within
	Totals   Totals    `json:"totals"`
	Waiting  []Waiting `json:"waiting"`
	Incident *Incident `json:"incident,omitempty"` // the open one
	Run      *Summary  `json:"run,omitempty"`      // the one that is not over, else the last of the open incident
	Runs     []Summary `json:"runs"`               // newest first
	Grade    string    `json:"grade"`              // none, minor, major or critical
	Room     *Room     `json:"room,omitempty"`     // of the open incident
	Critical []Ahead   `json:"critical"`           // what the end of the run hangs on, in its order
	Second   bool      `json:"second,omitempty"`   // what is dangerous wants a second person
}

// A Room is what the people who handle an incident have to have in mind.
type Room struct {
	Commander   string    `json:"commander,omitempty"`
	Roles       []Holder  `json:"roles"`
	NextUpdate  time.Time `json:"nextUpdate,omitzero"` // when the public was told to expect the next word
	Late        bool      `json:"late,omitempty"`      // that moment is past
	UserMinutes float64   `json:"userMinutes"`         // lost so far
	Rate        float64   `json:"rate"`                // user-minutes that are lost in each minute now
	Trend       *Trend    `json:"trend,omitempty"`
	Clocks      []Clock   `json:"clocks"`
	Drafts      int       `json:"drafts,omitempty"`     // updates that wait to be published
	Unanswered  int       `json:"unanswered,omitempty"` // calls that nobody has answered
	Base        *Base     `json:"base,omitempty"`
}

// A Holder is who has a role.
type Holder struct {
	Role   string    `json:"role"`
	Person string    `json:"person"`
	Since  time.Time `json:"since"`
}

// A Base is what progress counts against, and how much of it is back.
type Base struct {
	Back int `json:"back"`
	Of   int `json:"of"`
	Was  int `json:"was,omitempty"`
}

// An Ahead is a step on the critical path that is not over.
type Ahead struct {
	Step     string    `json:"step"`
	Title    string    `json:"title,omitempty"`
	At       string    `json:"at,omitempty"`
	State    State     `json:"state"`
	Expected time.Time `json:"expected"` // when it is thought to be done
	WaitsFor string    `json:"waitsFor,omitempty"`
}

// A Clock is a duty with a deadline, in few words.
type Clock struct {
	incident.Clock

	Incident string `json:"incident"`
}

// Quorum says whether this node can commit, and since when that is so.
type Quorum struct {
	OK    bool      `json:"ok"`
	Since time.Time `json:"since"`
	Full  bool      `json:"full,omitempty"` // the store takes no writes: its quota is used up
}

// A Site is one data centre as its neighbours see it.
type Site struct {
	Name      string   `json:"name"`
	Title     string   `json:"title,omitempty"`
	State     State    `json:"state"`
	Why       string   `json:"why,omitempty"`
	SeenBy    []string `json:"seenBy"`   // sites that have seen something of it alive lately
	MissedBy  []string `json:"missedBy"` // sites that looked and saw nothing
	Node      bool     `json:"node"`     // it runs a control node
	Voter     bool     `json:"voter"`
	Witness   bool     `json:"witness,omitempty"`
	Leader    bool     `json:"leader,omitempty"`
	This      bool     `json:"this,omitempty"`
	Observers []string `json:"observers,omitempty"` // other sites that look at it
	Observes  bool     `json:"observes"`            // its own node still tells what it sees
}

// A Service is what users use, and whether they can.
type Service struct {
	Name       string     `json:"name"`
	Title      string     `json:"title,omitempty"`
	Users      int64      `json:"users"`
	Weight     float64    `json:"weight"`
	State      State      `json:"state"`
	Parts      []Part     `json:"parts,omitempty"`
	ExpectedAt *time.Time `json:"expectedAt,omitempty"` // when the plan brings it back
	BackAt     *time.Time `json:"backAt,omitempty"`     // when it came back in the open run
	Late       bool       `json:"late,omitempty"`       // it should be back, and is not
	Because    [][]string `json:"because,omitempty"`    // of unrecoverable: each set is enough to bring it back
}

// A Part is a feature of a service that comes back on its own.
type Part struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	State State  `json:"state"`
}

// Totals count services and the users behind them.
type Totals struct {
	Services int   `json:"services"`
	Down     int   `json:"down"`
	Degraded int   `json:"degraded"`
	Up       int   `json:"up"`
	Users    int64 `json:"users"`    // of services that are down, weightless
	AllUsers int64 `json:"allUsers"` // of all services
}

// A Waiting is one thing that waits for a person.
type Waiting struct {
	Kind     string    `json:"kind"` // declare, approve, resume, confirm (do it), decide (was it done?), allow (may it?), second (may it, says another), publish
	Incident string    `json:"incident,omitempty"`
	Run      string    `json:"run,omitempty"`
	Step     string    `json:"step,omitempty"`
	Lost     []string  `json:"lost,omitempty"`
	Asks     string    `json:"asks,omitempty"`
	Can      []Verb    `json:"can"`
	Since    time.Time `json:"since"`
	Role     string    `json:"role"`             // whose it is to decide: operator or approver
	Who      string    `json:"who,omitempty"`    // of second and publish: who asked; somebody else decides
	Verb     Verb      `json:"verb,omitempty"`   // of second: what was asked for
	Number   int       `json:"number,omitempty"` // of publish: the update

	Body map[string]string `json:"body,omitempty"` // of publish: its text, by language
}

// An Incident is a declared or proposed loss.
type Incident struct {
	ID       string    `json:"id"`
	State    State     `json:"state"`
	Drill    bool      `json:"drill,omitempty"`
	Lost     []string  `json:"lost"`               // declared
	Proposed []string  `json:"proposed,omitempty"` // not declared yet
	Sentence string    `json:"sentence,omitempty"` // how the detection knew
	By       string    `json:"by"`                 // who made the last decision
	Why      string    `json:"why,omitempty"`
	LostAt   time.Time `json:"lostAt"` // as far as known
	Run      string    `json:"run,omitempty"`
	History  []Entry   `json:"history"`
}

// A Summary is a run in one line.
type Summary struct {
	ID       string     `json:"id"`
	Incident string     `json:"incident,omitempty"`
	State    State      `json:"state"`
	Scope    string     `json:"scope"` // real, drill or dry-drill
	Lost     []string   `json:"lost"`
	LostAt   time.Time  `json:"lostAt"` // time zero: all seconds of the run count from it
	Created  time.Time  `json:"created"`
	Started  *time.Time `json:"started,omitempty"`
	Ended    *time.Time `json:"ended,omitempty"`
	ETA      *time.Time `json:"eta,omitempty"`
	Progress Progress   `json:"progress"`
	By       string     `json:"by,omitempty"` // who changed its state last
	Why      string     `json:"why,omitempty"`
}

// Progress names its base, and says when the base changed.
type Progress struct {
	Done    int `json:"done"`
	Total   int `json:"total"`
	Skipped int `json:"skipped,omitempty"`
	Dropped int `json:"dropped,omitempty"` // a newer plan does without them
	Failed  int `json:"failed,omitempty"`
	Running int `json:"running,omitempty"`
	Waiting int `json:"waiting,omitempty"`
	WasBase int `json:"wasBase,omitempty"` // the total before the last new plan; 0 when it never changed
}

// A Run is one execution of a plan, with everything that happened in it.
type Run struct {
	Summary

	Objective Objective    `json:"objective"`
	Steps     []Step       `json:"steps"`
	Services  []RunService `json:"services"`
	Blockers  []Blocker    `json:"blockers,omitempty"`
	Plans     []Replan     `json:"plans,omitempty"` // every plan that the run followed, first first
	Waiting   []Waiting    `json:"waiting"`
	Journal   []Entry      `json:"journal"`
}

// An Objective is what a plan costs, in weighted user-minutes.
type Objective struct {
	UserMinutes float64 `json:"userMinutes"`
	LowerBound  float64 `json:"lowerBound"`
	Gap         float64 `json:"gap"`
	Stranded    float64 `json:"stranded"`
}

// A Step is one step of a run: planned against actual, in seconds from the run's zero.
type Step struct {
	ID        string         `json:"id"`
	Component string         `json:"component"`
	Title     string         `json:"title,omitempty"`
	Action    string         `json:"action"`
	Does      string         `json:"does,omitempty"`
	At        string         `json:"at,omitempty"`
	Site      string         `json:"site,omitempty"`
	Driver    string         `json:"driver"` // manual: a person does it
	State     State          `json:"state"`
	Start     float64        `json:"start"`
	Finish    float64        `json:"finish"`
	Begun     *float64       `json:"begun"`
	Ended     *float64       `json:"ended"`
	After     []string       `json:"after"`
	Uses      map[string]int `json:"uses,omitempty"` // people and slots: crew/dba, limit/image-pull
	Critical  bool           `json:"critical,omitempty"`
	Node      string         `json:"node,omitempty"` // that acts
	Attempt   int            `json:"attempt,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	WaitsFor  string         `json:"waitsFor,omitempty"` // why it has not begun
	By        string         `json:"by,omitempty"`       // the person who decided
	Can       []Verb         `json:"can,omitempty"`      // what a person may do now: confirm, fail, skip, retry
}

// A RunService is when a service was planned to be back and when it was.
type RunService struct {
	Name    string   `json:"name"`
	Title   string   `json:"title,omitempty"`
	Users   int64    `json:"users"`
	State   State    `json:"state"`
	Planned *float64 `json:"planned"` // seconds; nil for never
	Actual  *float64 `json:"actual"`  // seconds; nil when it is not back
}

// A Blocker says why something cannot come back.
type Blocker struct {
	Subject string     `json:"subject"`
	Title   string     `json:"title,omitempty"`
	Because [][]string `json:"because"`
}

// A Replan is one plan that a run followed, and what the change cost.
type Replan struct {
	At          time.Time `json:"at"`
	Why         string    `json:"why,omitempty"`
	Steps       int       `json:"steps"`
	UserMinutes float64   `json:"userMinutes"`
	Cost        *float64  `json:"cost"` // user-minutes more than the plan before; nil when nobody could tell
	Dropped     []string  `json:"dropped,omitempty"`
}

// An Entry is one line of a journal.
type Entry struct {
	Rev      int64     `json:"rev,omitempty"` // of the store: the order of a run's journal
	At       time.Time `json:"at"`
	Who      string    `json:"who,omitempty"` // a person, or the site whose node acted
	What     string    `json:"what"`          // begun, done, failed, paused, …
	Incident string    `json:"incident,omitempty"`
	Run      string    `json:"run,omitempty"`
	Step     string    `json:"step,omitempty"`
	Why      string    `json:"why,omitempty"`
	Text     string    `json:"text,omitempty"`

	Changes []incident.Change `json:"changes,omitempty"` // of condition
	Term    int64             `json:"term,omitempty"`
}

// A Revision is one pushed estate.
type Revision struct {
	Rev        string    `json:"rev"`
	Number     int64     `json:"number,omitempty"`
	By         string    `json:"by,omitempty"`
	Why        string    `json:"why,omitempty"`
	At         time.Time `json:"at"`
	Domains    int       `json:"domains"`
	Components int       `json:"components"`
	Services   int       `json:"services"`
	Changes    []Change  `json:"changes,omitempty"` // against the revision before
}

// A Change is one document that differs between two revisions.
type Change struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`
	How    string   `json:"how"` // added, removed, changed
	Fields []string `json:"fields,omitempty"`
}

// A Member is one node of the control plane.
type Member struct {
	Site    string `json:"site"`
	ID      string `json:"id,omitempty"`
	Voter   bool   `json:"voter"`
	Witness bool   `json:"witness,omitempty"`
	Leader  bool   `json:"leader,omitempty"`
	Healthy bool   `json:"healthy"`
	Peer    string `json:"peer,omitempty"`
}

// A Health is the answer of GET /api/v1/healthz.
type Health struct {
	Site   string `json:"site"`
	OK     bool   `json:"ok"`
	Quorum bool   `json:"quorum"`
}
