package recovery

import (
	"errors"
	"time"
)

// Errors that callers branch on.
var (
	ErrSuperseded = errors.New("a newer leader holds the journal: this one stops")
	ErrLapsed     = errors.New("this node's lease ran out: it stopped acting")
	ErrNotFound   = errors.New("no such run")
	ErrState      = errors.New("not possible in this state")
)

// A RunState is how far a run is.
type RunState string

// The states of a run.
const (
	RunWaiting RunState = "waiting-approval"
	RunRunning RunState = "running"
	RunPaused  RunState = "paused"
	RunDone    RunState = "done"    // every step is done, or a person skipped it
	RunFailed  RunState = "failed"  // nothing is left to do, and something failed or was dropped
	RunAborted RunState = "aborted" // a person ended it
)

// Live reports whether a run may still begin steps, now or after a resume.
func (s RunState) Live() bool { return s == RunWaiting || s == RunRunning || s == RunPaused }

// A StepState is how far a step is.
type StepState string

// The states of a step. Pending and dropped steps have no record of their own.
const (
	StepPending  StepState = "pending"
	StepAssigned StepState = "assigned"     // given to an executor, which has not begun
	StepBegun    StepState = "begun"        // the act may have had its effect
	StepDone     StepState = "done"         // the effect is there
	StepFailed   StepState = "failed"       // it is over and the effect is not known to be there
	StepSkipped  StepState = "skipped"      // a person decided to go on without it
	StepPerson   StepState = "needs-person" // it waits for a person: see Record.Asks
	StepDropped  StepState = "dropped"      // a newer plan does without it
)

// Over reports whether nothing more happens to a step by itself.
func (s StepState) Over() bool {
	return s == StepDone || s == StepFailed || s == StepSkipped || s == StepDropped
}

// A Scope says what a run may touch.
type Scope string

// The scopes of a run.
const (
	ScopeReal     Scope = "real"      // a recovery
	ScopeDrill    Scope = "drill"     // a drill that really acts
	ScopeDryDrill Scope = "dry-drill" // a drill that only records what it would do
)

// By says who changes a run and why; both are journaled.
type By struct {
	Who string `json:"who"`
	Why string `json:"why"`
}

// A Run is the header of a run.
type Run struct {
	ID       string    `json:"id"`
	State    RunState  `json:"state"`
	Scope    Scope     `json:"scope"`
	Incident string    `json:"incident,omitempty"`
	Estate   string    `json:"estate"`
	Lost     []string  `json:"lost"`
	LostAt   time.Time `json:"lostAt"` // time zero of every plan
	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"` // approved
	Ended    time.Time `json:"ended,omitzero"`
	By       By        `json:"by"`    // the last change of state
	Plan     int       `json:"plan"`  // the current plan, from 1
	Plans    []Made    `json:"plans"` // every plan that the run followed
	// Withdrawn says that the run was paused because its incident was withdrawn.
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Restored is of when the backup is that the run was restored from. What it began
	// after that is not known, so each step asks whether it took effect before it acts.
	Restored time.Time `json:"restored,omitzero"`
}

// Made is one plan that a run followed, and why it was made.
type Made struct {
	At        time.Time `json:"at"`
	Why       string    `json:"why"`
	Steps     int       `json:"steps"`
	Objective Objective `json:"objective"`
	// Cost is by how many user-minutes it is worse than the plan before it (better
	// when negative). CostKnown is false when nobody could tell.
	Cost      float64  `json:"cost"`
	CostKnown bool     `json:"costKnown"`
	Dropped   []string `json:"dropped,omitempty"` // steps that it does without
	// GivenUp are services, and parts as service/part, that an earlier plan brought
	// back and this one does not.
	GivenUp []string `json:"givenUp,omitempty"`
	// Basis is what the plan takes into account: failures, skips, overruns, losses.
	// As long as it holds no new plan is needed.
	Basis []string `json:"basis,omitempty"`
}

// A Record is the state of one step as the quorum keeps it.
type Record struct {
	Step     Step      `json:"step"`
	State    StepState `json:"state"`
	Term     int64     `json:"term"`     // of the leader that assigned it
	Executor string    `json:"executor"` // session of the node that acts
	Node     string    `json:"node"`
	// Begin is which worker recorded it as begun; empty when the leader did, who gave
	// it to its own node.
	Begin    string   `json:"begin,omitempty"`
	Key      string   `json:"key"` // idempotency key
	Attempt  int      `json:"attempt"`
	Ask      Ask      `json:"ask,omitempty"`
	Allowed  bool     `json:"allowed,omitempty"`  // a person let it go ahead in spite of its guard
	Question Question `json:"question,omitempty"` // of needs-person
	Asks     string   `json:"asks,omitempty"`     // of needs-person: what the person is asked
	// Unsure says of a step that is over and not done that its effect may be there
	// all the same: nobody could tell.
	Unsure bool      `json:"unsure,omitempty"`
	Begun  time.Time `json:"begun,omitzero"`
	Ended  time.Time `json:"ended,omitzero"`
	Detail string    `json:"detail,omitempty"`
	By     string    `json:"by,omitempty"` // the person who decided
}

// A Question is what a step that needs a person asks.
type Question string

// What people are asked.
const (
	QuestionDo     Question = "confirm" // do it, then say how it ended
	QuestionResult Question = "decide"  // nobody knows whether it took effect: look, then say
	QuestionAllow  Question = "allow"   // it could make a second writer: may it go ahead?
)

// Ask says whether the executor asks the actuator before it acts.
type Ask string

// What the executor does first.
const (
	AskNothing Ask = ""         // acts at once: nobody has begun this attempt
	AskFirst   Ask = "ask"      // an executor died, or a backup was restored: asks; unknown waits for a person
	AskForced  Ask = "ask-then" // a person said so: asks; acts unless it is done
)

// An Entry is one line of the journal of a run.
type Entry struct {
	Rev  int64     `json:"rev"` // revision of the store: the order of the journal
	At   time.Time `json:"at"`
	Who  string    `json:"who"`  // a person, a node, or "leader"
	What string    `json:"what"` // begun, done, failed, paused, plan, …
	Step string    `json:"step,omitempty"`
	Why  string    `json:"why,omitempty"`
	Term int64     `json:"term,omitempty"`
}
