package recovery

import (
	"context"
	"time"
)

// A Planner makes a plan for the rest of a run. It must be a pure function of
// what it is given and of the estate.
type Planner func(ctx context.Context, r Rest) (Spec, error)

// A Rest is where a run stands when it needs a new plan. Times count from the loss.
type Rest struct {
	Estate  string        // revision of the first plan
	Lost    []string      // domains declared lost by now
	Now     time.Duration // nothing new starts earlier
	Current Spec          // the plan so far
	Done    []Past        // their effect is there
	Running []Past        // they go on; Finish is when they are expected to end
	Barred  []Past        // failed or skipped: their effect is not there, and they are not to be planned
	Why     []string
}

// Past is a step that is not to be planned again.
type Past struct {
	Step          Step
	Start, Finish time.Duration
}
