package web

import (
	"context"
	"io"
	"slices"
	"time"

	"bongsu/detect"
	"bongsu/estate"
	"bongsu/incident"
	"bongsu/recovery"
)

// A Backend is the node behind a console. Reading never waits for the quorum: a
// node that lost it answers with what it last knew. Whatever changes something
// returns an error that wraps [ErrNotFound], [ErrRefused], [ErrBadInput] or one of
// internal/kv where that is the reason; see the table in [problem].
type Backend interface {
	Watcher
	Doer
	Registry
	Vault
	Steward
	Auditor
}

// A Watcher tells what is known.
type Watcher interface {
	// Facts returns all that the pages show of the present, at once.
	Facts(ctx context.Context) (Facts, error)
	// Asked returns what waits for a second person now: Facts may be a moment older.
	Asked(ctx context.Context) ([]Asked, error)
	// Run returns one run with its journal.
	Run(ctx context.Context, id string) (recovery.RunView, error)
	// Changes sends after something may have changed, until ctx ends; then it is
	// closed. A reader that is slow misses repetitions, never the last change.
	Changes(ctx context.Context) <-chan struct{}
}

// A Doer carries out what people decide.
type Doer interface {
	// Do carries out the command and returns the name of what it changed: an
	// incident or a run.
	Do(ctx context.Context, c Command) (id string, err error)
	// Ping commits one small write, which shows that the control plane takes writes.
	Ping(ctx context.Context) error
	// Plan says what would be done about a loss. It changes nothing.
	Plan(ctx context.Context, lost []string) (recovery.Spec, error)
}

// A Registry keeps the revisions of the estate.
type Registry interface {
	// Push checks the files and stores them as the newest revision.
	Push(ctx context.Context, files map[string][]byte, by, why string) (Revision, error)
	// Log returns the revisions, newest first, the newest with its changes.
	Log(ctx context.Context) ([]Revision, error)
	// Files returns the files of a revision; of the newest when rev is empty.
	Files(ctx context.Context, rev string) (map[string][]byte, Revision, error)
	// Rollback stores the files of an older revision as the newest one.
	Rollback(ctx context.Context, rev, by, why string) (Revision, error)
}

// A Vault copies the whole store out and in.
type Vault interface {
	// Backup writes a snapshot. An error after the first byte breaks the stream.
	Backup(ctx context.Context, w io.Writer) error
	// Restore replaces what is stored by a snapshot.
	Restore(ctx context.Context, r io.Reader, by string) error
}

// A Steward looks after the store that the nodes share.
type Steward interface {
	// Replace removes a member that is lost for good and admits another in its
	// stead. It returns the members that the new node is to be started with.
	Replace(ctx context.Context, r Replacement) ([]Member, error)
	// Move tells the members that one of them has another address from now on.
	Move(ctx context.Context, r Replacement) error
	// Repair lets a store that was full take writes again, once there is room.
	Repair(ctx context.Context, by, why string) error
}

// A Replacement says which member is lost, or moves, and where its vote goes.
type Replacement struct {
	Lost string // the member that is replaced; empty where one only moves
	Name string // the member that there will be
	Peer string // host:port at which other members reach it
	Who  string // decided; goes into the log of the node
	Why  string
}

// Facts are what a node knows at one moment.
type Facts struct {
	At        time.Time
	Site      string
	Leader    string // site of the leading node; empty when not known
	Term      int64
	Quorum    Quorum
	Estate    *estate.Snapshot // nil before the first push; the same pointer until the estate changes, for its impact is remembered
	Revision  Revision
	Members   []Member
	Verdict   detect.Verdict
	Incidents []incident.Incident   // newest first
	Runs      []recovery.Run        // newest first
	View      *recovery.RunView     // of the run that is on, else of the last one of the open incident
	Asked     []Asked               // what waits for a second person, oldest first
	Second    bool                  // what is dangerous wants a second person
	Policy    *incident.ClockPolicy // duties with a deadline; nil: there are none
}

// An Asked is a dangerous decision of one person that another has to confirm by
// giving the same command.
type Asked struct {
	Verb Verb      `json:"verb"`
	Run  string    `json:"run"`
	Step string    `json:"step,omitempty"`
	Who  string    `json:"who"`
	Why  string    `json:"why"`
	At   time.Time `json:"at"`
}

// Key tells one dangerous decision from another.
func (a *Asked) Key() string { return string(a.Verb) + " " + a.Run + " " + a.Step }

// A Verb is one thing that a person can do.
type Verb string

// The verbs of a [Command].
const (
	Propose  Verb = "propose" // a loss, to be declared by an approver
	Declare  Verb = "declare" // a loss
	Confirm  Verb = "confirm" // an incident that was proposed; with a step, that it is done or may go ahead
	Withdraw Verb = "withdraw"
	Close    Verb = "close"
	Approve  Verb = "approve"
	Pause    Verb = "pause"
	Resume   Verb = "resume"
	Abort    Verb = "abort"
	Skip     Verb = "skip"
	Retry    Verb = "retry"
	Fail     Verb = "fail"   // a step: it is not done, or may not go ahead
	Refuse   Verb = "refuse" // what somebody asked for and a second person has to confirm
)

// The verbs that write into the record of an incident.
const (
	Note     Verb = "note"    // what somebody saw
	Decide   Verb = "decide"  // what somebody decided
	Assign   Verb = "assign"  // a role, or hand it over
	Blame    Verb = "fault"   // whose failure a lost domain was
	Correct  Verb = "correct" // when a service was how
	Draft    Verb = "draft"   // an update for the public
	Publish  Verb = "publish" // a draft of somebody else
	Bypass   Verb = "bypass"  // publish one's own draft, for there is no time
	Drop     Verb = "drop"    // a draft
	MarkDone Verb = "done"    // a duty with a deadline
	Ack      Verb = "ack"     // a call
)

// A Command is one decision of a person. Who and Why go into the journal.
type Command struct {
	Verb     Verb
	Incident string
	Run      string
	Step     string
	Lost     []string // of propose and declare
	Who, Why string

	Role, Person string           // of assign
	Fault        *incident.Fault  // of fault
	Change       *incident.Change // of correct
	Update       *incident.Update // of draft
	Number       int              // of publish, bypass and drop: the update
	Clock        string           // of done
}

// What may be done with an incident, a run and a step, and by whom. A verb that
// is not here does not exist.
func incidentVerbs() map[Verb]Role {
	return map[Verb]Role{Confirm: Approver, Withdraw: Approver, Close: Approver}
}

func recordVerbs() map[Verb]Role {
	return map[Verb]Role{
		Note: Operator, Decide: Operator, Assign: Operator, Blame: Operator, Correct: Operator, Draft: Operator,
		Publish: Approver, Bypass: Approver, Drop: Operator, MarkDone: Operator, Ack: Operator,
	}
}

func runVerbs() map[Verb]Role {
	return map[Verb]Role{Approve: Approver, Abort: Approver, Pause: Operator, Resume: Operator, Refuse: Operator}
}

func stepVerbs() map[Verb]Role {
	return map[Verb]Role{Confirm: Operator, Fail: Operator, Skip: Operator, Retry: Operator, Refuse: Operator}
}

// needsWhy reports whether a decision is nothing without a reason. Those that need
// none say what they mean by what they carry.
func needsWhy(v Verb) bool { return !slices.Contains([]Verb{Assign, Draft, Publish, Ack}, v) }
