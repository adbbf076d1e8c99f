package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// checkLimit is how long an actuator may take to say whether an act took effect.
const checkLimit = 30 * time.Second

// perform carries out one step that is recorded as begun and returns its record as
// it ends. It never returns before the act has stopped, or was left behind after
// the time that it is given to stop.
func (w *Worker) perform(ctx context.Context, run string, r Record, scope Scope) Record {
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return stopped(ctx, r, "it never started")
	}
	if ctx.Err() != nil || !w.Tenure.Alive() {
		return stopped(ctx, r, "it never started")
	}
	a, err := w.actuator(&r.Step, scope)
	if err != nil {
		if r.Ask != AskNothing {
			return unsure(r, err.Error(), "it may have been carried out already, and "+err.Error()+", which could tell")
		}
		return end(r, StepFailed, err.Error())
	}
	req := Request{Run: run, Key: r.Key, Attempt: r.Attempt, Step: r.Step, Node: w.Node}
	if r.Ask != AskNothing {
		answer, why := w.ask(ctx, a, req)
		switch {
		case ctx.Err() != nil:
			return stopped(ctx, r, "it was being asked whether it took effect")
		case answer == Done:
			return end(r, StepDone, "it had taken effect already")
		case answer == Unknown && r.Ask == AskFirst && !r.Step.Idempotent:
			return unsure(r, "", fmt.Sprintf("it may have been carried out already, and %s cannot tell whether it took effect (%s)", r.Step.Driver, why))
		}
	}
	detail, err := w.act(ctx, a, req)
	if err != nil {
		return w.unsuccessful(ctx, a, req, r, err)
	}
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	answer, err := a.Verify(limited, req)
	why := ""
	if err != nil {
		why = ": " + err.Error()
	}
	switch {
	case ctx.Err() != nil:
		return stopped(ctx, r, "it had acted and was being verified")
	case answer == Done && err == nil:
		return end(r, StepDone, detail)
	case answer == NotDone:
		return end(r, StepFailed, fmt.Sprintf("%s says that it is done, but it is not%s", r.Step.Driver, why))
	}
	r.State, r.Question = StepPerson, QuestionResult
	r.Asks = fmt.Sprintf("%s says that it is done, but that could not be verified%s. Look, then say whether it is done", r.Step.Driver, why)
	return r
}

// unsuccessful says what became of an act that returned an error: the error may
// have come after the effect.
func (w *Worker) unsuccessful(ctx context.Context, a Actuator, req Request, r Record, err error) Record {
	if ctx.Err() != nil {
		return stopped(ctx, r, "it was stopped while it ran: "+err.Error())
	}
	if errors.Is(err, errLeftBehind) {
		return unsure(r, err.Error(), err.Error()+": it may still be running, and take effect yet. Stop it")
	}
	switch answer, _ := w.ask(ctx, a, req); {
	case ctx.Err() != nil:
		return stopped(ctx, r, err.Error())
	case answer == Done:
		return end(r, StepDone, "it took effect all the same: "+err.Error())
	case answer == Unknown:
		text := err.Error() + "; whether it took effect is not known"
		return unsure(r, text, text)
	}
	return end(r, StepFailed, err.Error())
}

// ask calls Check within a time limit; what it cannot tell is unknown.
func (w *Worker) ask(ctx context.Context, a Actuator, req Request) (Answer, string) {
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	answer, err := a.Check(limited, req)
	if err != nil {
		return Unknown, err.Error()
	}
	return answer, string(answer)
}

var errLeftBehind = errors.New("it did not stop when it was told to and was left behind")

// act calls Act within the limit of the step. An actuator that does not stop when
// its context ends is left behind: the run must not wait for it for ever.
func (w *Worker) act(ctx context.Context, a Actuator, req Request) (string, error) {
	limit := req.Step.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type result struct {
		detail string
		err    error
	}
	ended := make(chan result, 1)
	go func() {
		detail, err := a.Act(limited, req)
		ended <- result{detail, err}
	}()
	late := func(err error) error {
		if limited.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("it was stopped after its limit of %v: %w", limit, err)
		}
		return err
	}
	select {
	case r := <-ended:
		if r.err != nil {
			return "", late(r.err)
		}
		return r.detail, nil
	case <-limited.Done():
	}
	grace := time.NewTimer(w.Grace)
	defer grace.Stop()
	select {
	case r := <-ended:
		if r.err == nil {
			return r.detail, nil // it was done before it could be stopped
		}
		return "", late(r.err)
	case <-grace.C:
		return "", late(errLeftBehind)
	}
}

// DefaultLimit is how long a step may take whose plan does not say.
const DefaultLimit = 10 * time.Minute

func (w *Worker) actuator(st *Step, scope Scope) (Actuator, error) {
	if scope == ScopeDryDrill {
		if w.Dry != nil {
			return w.Dry, nil
		}
		return intention{}, nil
	}
	if a := w.Actuators[st.Driver]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("%s has no driver %q", w.Node, st.Driver)
}

// intention is the actuator of a dry drill: it changes nothing.
type intention struct{}

func (intention) Check(context.Context, Request) (Answer, error)  { return NotDone, nil }
func (intention) Verify(context.Context, Request) (Answer, error) { return Done, nil }

func (intention) Act(_ context.Context, r Request) (string, error) {
	if r.Step.Manual() {
		return "dry: a person would do it", nil
	}
	return "dry: " + r.Step.Driver + " would do it", nil
}

// end is the record of a step that is over.
func end(r Record, to StepState, detail string) Record {
	r.State, r.Detail, r.Ended = to, detail, time.Now().UTC().Round(0)
	return r
}

// unsure is the record of a step of which nobody knows whether it took effect. If doing
// it twice could do harm a person has to look; otherwise it failed, and the planner, or
// a person who retries it, may have it done again.
func unsure(r Record, detail, asks string) Record {
	if r.Step.Idempotent {
		r.Unsure = true
		return end(r, StepFailed, detail)
	}
	r.State, r.Question = StepPerson, QuestionResult
	r.Asks = asks + ". Doing it twice could do harm. Look, then say whether it is done"
	return r
}

// stopped is the record of a step whose act was stopped from outside. When the
// node stops, it is not written: the next executor asks what became of it.
func stopped(ctx context.Context, r Record, how string) Record {
	why := context.Cause(ctx)
	if why == nil {
		why = ErrLapsed
	}
	return end(r, StepFailed, fmt.Sprintf("%v: %s", why, how))
}
