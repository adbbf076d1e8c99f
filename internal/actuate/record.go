package actuate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"bongsu/estate"
	"bongsu/recovery"
)

// A Recorder is the actuator of dry drills: it holds the arguments of every step
// against its driver, remembers what would have been done, and touches nothing.
type Recorder struct {
	mu   sync.Mutex
	acts []recovery.Request
}

// NewRecorder returns a recorder that has recorded nothing.
func NewRecorder() *Recorder { return &Recorder{} }

// Acts returns what would have been done, in order.
func (r *Recorder) Acts() []recovery.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.acts)
}

// Check says whether the step was recorded.
func (r *Recorder) Check(_ context.Context, req recovery.Request) (recovery.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.acts, func(a recovery.Request) bool { return a.Key == req.Key }) {
		return recovery.Done, nil
	}
	return recovery.NotDone, nil
}

// Act records the step, or says why it could not be done for real.
func (r *Recorder) Act(_ context.Context, req recovery.Request) (string, error) {
	if req.Step.Manual() {
		r.record(req)
		return "dry: a person would be asked to do it", nil
	}
	if err := Validate(estate.Run{Driver: req.Step.Driver, Args: req.Step.Args}); err != nil {
		return "", err
	}
	r.record(req)
	return fmt.Sprintf("dry: %s would be used on %s", req.Step.Driver, req.Node), nil
}

func (r *Recorder) record(req recovery.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acts = append(r.acts, req)
}

// Verify says what Check says.
func (r *Recorder) Verify(ctx context.Context, req recovery.Request) (recovery.Answer, error) {
	return r.Check(ctx, req)
}
