package impact

import (
	"time"

	"bongsu/estate"
)

// A State is what becomes of one thing in a loss (design §3.5).
type State string

// The states. A service is never [Returns].
const (
	Up            State = "up"
	Degraded      State = "degraded"      // up, with a want or a part missing
	Returns       State = "returns"       // it held all along, only its needs had to come back
	Recoverable   State = "recoverable"   // an action of its own must run
	Unrecoverable State = "unrecoverable" // nothing that survives can bring it back
)

// An Impact is what a loss does to everything, and what can come back.
type Impact struct {
	Snapshot    *estate.Snapshot
	Lost        []int // domains asked for, sorted
	LostDomains []int // all that are gone, sorted
	Components  []Result
	Services    []Result
	Crews       []Result
	Deadlocks   []Deadlock

	fallen *state // right after the loss
	back   *state // once all that can run has run
}

// A Result is what becomes of one component, service or crew.
type Result struct {
	Ref      estate.Ref
	State    State
	Holds    bool // of a component: it holds at once, before any action (design §3.2)
	Parts    []PartResult
	DataLost DataLoss
}

// A PartResult is what becomes of one part of a service; its state is [Up],
// [Recoverable] or [Unrecoverable].
type PartResult struct {
	Name     string
	State    State
	DataLost DataLoss
}

// An ActionRef names one action of one component at one place.
type ActionRef struct {
	Component int
	Action    int // position in Component.Actions
	At        int // index of the domain, or -1 for no place in particular
}

// A Deadlock is a cycle of things that each wait for the next to come back.
type Deadlock struct {
	Cycle []estate.Ref // the shortest; the last waits for the first
}

// A DataLoss is how much of the newest data is gone.
type DataLoss struct {
	Known bool          // false: a copy lives, but nobody stated its lag
	All   bool          // no copy lives
	Lag   time.Duration // when Known and not All; 0 is nothing lost
}
