package plan

import (
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// A Plan is an order of steps that brings back what a loss took.
type Plan struct {
	Snapshot  *estate.Snapshot
	Impact    *impact.Impact
	Objective Objective
	Steps     []Step // by start, then ID
	Services  []ServiceTimes
	Blockers  []Blocker
	Horizon   time.Duration
	Now       time.Duration // the plan starts nothing before it
	Partial   bool          // made with a time limit: another machine may find another plan

	done []Finished // what had run when it was made
}

// An Objective is what the plan costs users, in weighted user-minutes.
type Objective struct {
	UserMinutes float64
	LowerBound  float64 // no plan of this estate and loss costs less
	Stranded    float64 // of what is unrecoverable, up to the horizon
}

// Gap returns (UserMinutes - LowerBound) / UserMinutes, and 0 when UserMinutes is 0.
func (o Objective) Gap() float64 {
	if o.UserMinutes == 0 {
		return 0
	}
	return (o.UserMinutes - o.LowerBound) / o.UserMinutes
}

// A Step is one action at one place and time.
type Step struct {
	ID            string // component/action@at
	Ref           impact.ActionRef
	Start, Finish time.Duration // from the loss
	After         []string      // IDs of steps whose effect it needs
	Crew, Uses    []estate.Use
	Room          estate.Resources // taken from its start
	Placed        []Placement      // replicas that it adds
	Removed       []Placement      // replicas that it takes away, from its start; their room is free at its finish
	Running       bool             // it was running when the plan was made
}

// A Placement is replicas added in one domain.
type Placement struct {
	In    int // index of the domain
	Count int
}

// TakenDown is the state of a service or a part that the loss left up or degraded
// and a shrink of the plan takes down, from DownFrom on, to make room: the plan does
// not bring it back, so its UpAt is nil, and it counts until the horizon.
const TakenDown impact.State = "taken-down"

// ServiceTimes says when a service and its parts are back. A nil UpAt is never. State
// is what impact calls it, or [TakenDown].
type ServiceTimes struct {
	Service  int
	State    impact.State
	DownFrom time.Duration
	UpAt     *time.Duration
	Parts    []PartTimes
}

// PartTimes says when a part is back.
type PartTimes struct {
	Name     string
	State    impact.State
	DownFrom time.Duration
	UpAt     *time.Duration
}

// A Blocker says why something cannot come back and what it would take:
// each set of Because is enough by itself.
type Blocker struct {
	Subject estate.Ref
	Part    string // of the service Subject; empty for the thing itself
	Because [][]estate.Ref

	part int // position of Part
}

// Options are what a plan is made with; the zero value is a plan from scratch
// with the default horizon and effort.
type Options struct { //nolint:recvcheck // small helpers on both
	Horizon time.Duration // until when users count; 0 is [DefaultHorizon]
	Rounds  int           // effort of the search; 0 is [DefaultRounds], negative is none
	Time    time.Duration // search for so long instead; the result then depends on the machine

	// WithoutBlockers leaves [Plan.Blockers] empty: they are the same for every plan
	// of a loss, and on a large estate they take longer than the plan.
	WithoutBlockers bool

	// What is known when the rest of a run is planned again.
	Now time.Duration // since the loss: nothing starts before it
	// An action whose place is lost by now counts for nothing, and may be planned anew
	// at another of its places: what it did is gone with the place.
	Done      []Finished         // actions that have run
	Running   []Step             // steps that run now: start, and expected finish
	Forbidden []impact.ActionRef // actions that failed or are skipped; At -1 means at any place
	Prefer    []string           // IDs of steps in the order of an older plan, tried as a ranking of its own
}

// Finished is an action that has run.
type Finished struct {
	Ref    impact.ActionRef
	Finish time.Duration // since the loss
}

// The defaults of [Options].
const (
	DefaultHorizon = 168 * time.Hour
	DefaultRounds  = 200
)

func (o Options) withDefaults() Options {
	if o.Horizon == 0 {
		o.Horizon = DefaultHorizon
	}
	if o.Rounds == 0 {
		o.Rounds = DefaultRounds
	}
	return o
}
