package recovery

import "context"

// An Actuator changes the world, and can be asked whether it did. It may be
// called from many goroutines. When the context ends it stops what it started,
// all of it, and returns.
type Actuator interface {
	// Check says whether the effect of the request is there. It changes nothing.
	Check(ctx context.Context, r Request) (Answer, error)
	// Act makes the effect. It is given the same key for the same attempt, so that
	// what it drives can tell a repetition.
	Act(ctx context.Context, r Request) (detail string, err error)
	// Verify says, after Act, whether the effect is really there.
	Verify(ctx context.Context, r Request) (Answer, error)
}

// A Request is one act of one step.
type Request struct {
	Run     string
	Key     string // the same for every repetition of this attempt
	Attempt int
	Step    Step
	Node    string // that acts
}

// An Answer is what an actuator knows of an effect.
type Answer string

// The answers of an actuator.
const (
	Done    Answer = "done"
	NotDone Answer = "not done"
	Unknown Answer = "unknown"
)
