package incident

import (
	"errors"
	"time"
)

// Errors that callers branch on.
var (
	ErrNotFound = errors.New("no such incident")
	ErrState    = errors.New("the incident is not in a state for this")
)

// A State is how far an incident is.
type State string

// The states of an incident, and of each loss in it.
const (
	Proposed  State = "proposed"  // a verdict says so; nobody has declared it
	Declared  State = "declared"  // it is acted upon
	Withdrawn State = "withdrawn" // it was a mistake
	Closed    State = "closed"    // it is over
)

// ErrApproval says that a second person is needed.
var ErrApproval = errors.New("a second person has to approve")

// ErrInput says that what was asked for makes no sense as it is.
var ErrInput = errors.New("not a valid entry")

// ByPolicy is who acted when no person did.
const ByPolicy = "policy"

// An Incident is a loss that is proposed or declared, folded from its entries.
type Incident struct {
	ID         string    `json:"id"`
	State      State     `json:"state"`
	Drill      bool      `json:"drill,omitempty"`
	Lost       []string  `json:"lost"`               // declared domains, sorted
	Proposed   []string  `json:"proposed,omitempty"` // proposed, not yet declared, sorted
	LostAt     time.Time `json:"lostAt"`             // time zero: the earliest loss that was not withdrawn
	Losses     []Loss    `json:"losses"`             // by domain
	ProposedAt time.Time `json:"proposedAt,omitzero"`
	DeclaredAt time.Time `json:"declaredAt,omitzero"`
	EndedAt    time.Time `json:"endedAt,omitzero"` // withdrawn or closed
	By         string    `json:"by"`               // who made the last decision
	Why        string    `json:"why"`
	Verdict    string    `json:"verdict,omitempty"` // the sentence that it rests on
	Estate     string    `json:"estate,omitempty"`  // revision it was declared against
	Run        string    `json:"run,omitempty"`     // the latest run for it
	Entries    []Entry   `json:"entries"`
}

// Open reports whether the incident is neither withdrawn nor closed.
func (i *Incident) Open() bool { return i.State == Proposed || i.State == Declared }

// A Loss is one lost domain of an incident.
type Loss struct {
	Domain string    `json:"domain"`
	State  State     `json:"state"`
	LostAt time.Time `json:"lostAt"`
}

// An Act is what an entry did.
type Act string

// What entries do.
const (
	ActPropose  Act = "propose"
	ActDeclare  Act = "declare"
	ActWithdraw Act = "withdraw"
	ActClose    Act = "close"
	ActRun      Act = "run" // a run was attached
	ActNote     Act = "note"

	// Since version 2 of entries.

	ActDecision Act = "decision"
	ActChange   Act = "change"  // conditions of services and parts
	ActAssign   Act = "assign"  // a role was given, handed over or laid down
	ActFault    Act = "fault"   // whose failure it was
	ActDraft    Act = "draft"   // an update was drafted
	ActPublish  Act = "publish" // an update was approved and is public
	ActDrop     Act = "drop"    // an update never goes out
	ActRebase   Act = "rebase"  // what progress counts against changed
	ActDone     Act = "done"    // a duty with a deadline was done
	ActCall     Act = "call"    // a person was called, or answered
)

// An Entry is one thing that happened; entries are appended, never edited.
type Entry struct {
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Act     Act       `json:"act"`
	Domains []string  `json:"domains,omitempty"`
	LostAt  time.Time `json:"lostAt,omitzero"`
	Why     string    `json:"why,omitempty"`
	Verdict string    `json:"verdict,omitempty"`
	Estate  string    `json:"estate,omitempty"`
	Run     string    `json:"run,omitempty"`
	Drill   bool      `json:"drill,omitempty"`

	// What the acts of version 2 say.

	Changes []Change `json:"changes,omitempty"` // of change
	Role    string   `json:"role,omitempty"`    // of assign
	Person  string   `json:"person,omitempty"`  // of assign; empty: nobody has the role any more
	Fault   *Fault   `json:"fault,omitempty"`   // of fault
	Update  *Update  `json:"update,omitempty"`  // of draft
	Number  int      `json:"number,omitempty"`  // of publish and drop: the update
	Bypass  string   `json:"bypass,omitempty"`  // of publish: why without a second person
	Of      int      `json:"of,omitempty"`      // of rebase
	Clock   string   `json:"clock,omitempty"`   // of done
	Call    *Call    `json:"call,omitempty"`    // of call
}

// A Request asks for a proposal or a declaration.
type Request struct {
	Domains []string
	By      string // a person, or [ByPolicy]
	Why     string
	Verdict string    // the sentence of the verdict, if there was one
	LostAt  time.Time // zero: now
	Estate  string
	Drill   bool
}
