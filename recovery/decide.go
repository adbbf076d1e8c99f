package recovery

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A decision is what the leader does next about one run.
type decision struct {
	writes  []write // to records, in order of priority
	run     *Run    // the new header, when it changes
	entries []Entry // of the journal, with the header
	replan  bool    // the current plan does not hold any more
	over    bool    // nothing is left to do: the leader need not watch this run
	wake    time.Time
}

// decide says what to do about a run. It is pure: it writes nothing, and what it
// says depends on the state and on now alone.
func decide(s *state, term int64, now time.Time) decision {
	var d decision
	wakeAt := func(t time.Time) {
		if !t.IsZero() && (d.wake.IsZero() || t.Before(d.wake)) {
			d.wake = t
		}
	}
	utc := now.UTC().Round(0)
	change := func(r stored, what, why string) {
		r.Term = term
		if r.inHand() {
			wakeAt(now.Add(allowance(&r.Step, s.slack)))
		}
		d.writes = append(d.writes, write{run: s.run.ID, rec: r.Record, rev: r.rev, entry: Entry{
			At: utc, Who: s.node, What: what, Step: r.Step.ID, Why: why, Term: term,
		}})
	}

	if i := s.incident; i != nil && i.withdrawn && !s.run.Withdrawn && s.run.State == RunRunning {
		r := s.run
		r.State, r.Withdrawn = RunPaused, true
		r.By = By{Who: i.by, Why: "the declaration was withdrawn: " + i.why}
		d.run, d.entries = &r, []Entry{{At: utc, Who: r.By.Who, What: "paused", Why: r.By.Why, Term: term}}
		for _, rec := range s.list {
			if rec, what, ok := disallow(*rec); ok {
				change(rec, what, r.By.Why)
			}
		}
		return d
	}

	open := 0 // steps that are not over and not pending
	for _, r := range s.list {
		id := r.Step.ID
		if r.State != StepAssigned && r.State != StepBegun && r.State != StepPerson {
			continue
		}
		open++
		_, alive := s.nodes[r.Executor]
		if s.run.State == RunAborted && r.State == StepAssigned {
			alive = false // it can begin no more: the header has changed
		}
		if !alive && r.State != StepPerson {
			if orphan(s, *r, now, change, wakeAt) {
				open--
			}
		} else if r.inHand() && s.run.State == RunRunning {
			wakeAt(s.nextOverrun(id, now))
		}
	}

	switch s.run.State {
	case RunFailed, RunDone:
		d.over = true
		return d
	case RunAborted:
		d.over = len(d.writes) == 0 && !slices.ContainsFunc(s.list, func(r *stored) bool {
			return r.State == StepAssigned || r.State == StepBegun
		})
		return d
	case RunWaiting, RunPaused:
		return d
	case RunRunning:
	}

	if i := s.incident; i != nil && !i.withdrawn && s.run.Withdrawn { // it may be withdrawn again
		r := s.run
		r.Withdrawn = false
		d.run, d.entries = &r, []Entry{{At: utc, Who: s.node, What: "declared again", Term: term}}
		return d
	}

	news, _ := s.news(now)
	d.replan = len(news) > 0 && !s.planned

	left := 0
	for _, r := range s.readiness(now) {
		left++
		if r.question == "" && !r.ready() {
			if r.early {
				wakeAt(s.run.LostAt.Add(r.step.Start))
			}
			continue
		}
		rec := stored{Record: Record{Step: *r.step, Attempt: 1, Key: idempotencyKey(s.run.ID, r.step.ID, 1)}}
		if old := s.records[r.step.ID]; old != nil {
			rec = *old
		} else if !s.run.Restored.IsZero() {
			rec.Ask = AskFirst
		}
		switch {
		case r.question != "":
			rec.State, rec.Question, rec.Asks = StepPerson, r.question, r.why
			change(rec, "needs a person", r.why)
		case r.step.Manual() && s.run.Scope != ScopeDryDrill:
			rec.State, rec.Question = StepPerson, QuestionDo
			rec.Asks = instructions(r.step)
			if rec.Ask != AskNothing {
				rec.Asks += lookFirst
			}
			rec.Begun = utc
			change(rec, "given to a person", rec.Asks)
		default:
			p, wake, ok := s.executor(r.step, now)
			if !ok {
				wakeAt(wake)
				continue
			}
			assign(s, &rec, p, utc)
			change(rec, string(rec.State), assignedWhy(s, rec))
		}
	}

	if left == 0 && open == 0 && len(news) == 0 && !s.planned && len(d.writes) == 0 {
		r := s.run
		r.State = s.outcome()
		r.Ended = utc
		why := s.summary()
		r.By = By{Who: s.node, Why: why}
		d.run, d.entries = &r, []Entry{{At: utc, Who: s.node, What: string(r.State), Why: why, Term: term}}
	}
	return d
}

// assign gives a step to a node. To the leader's own node it is given as begun:
// the record is committed before the node can see it, and so before the act.
func assign(s *state, r *stored, p storedPresence, utc time.Time) {
	r.State, r.Executor, r.Node, r.Begin = StepAssigned, p.Session, p.Node, ""
	r.Question, r.Asks, r.Detail = "", "", ""
	if p.Session == s.self {
		r.State = StepBegun
		if r.Begun.IsZero() || r.Ask == AskNothing {
			r.Begun = utc
		}
	}
}

func assignedWhy(s *state, r stored) string {
	why := "to " + r.Node
	if p := s.nodes[r.Executor]; r.Step.Site != "" && p.Site != r.Step.Site {
		why += fmt.Sprintf(", because %s has no node", r.Step.Site)
	}
	return why
}

// orphan deals with a step whose executor is gone, and reports whether the step is
// over. Nothing was begun of an assigned step; of a begun one nobody knows, so the
// next executor asks before it acts.
func orphan(s *state, r stored, now time.Time, change func(stored, string, string), wakeAt func(time.Time)) bool {
	utc := now.UTC().Round(0)
	gone := r.Node + " is gone"
	switch {
	case s.run.State == RunAborted && r.State == StepAssigned:
		r.State, r.Executor, r.Ended, r.Detail = StepFailed, "", utc, "the run was aborted before it began"
		change(r, "failed", r.Detail)
		return true
	case s.run.State == RunAborted:
		r.State, r.Ended, r.Unsure = StepFailed, utc, true
		r.Detail = gone + " and the run was aborted: nobody asked whether it took effect"
		change(r, "failed", r.Detail)
		return true
	case r.State == StepBegun && now.Before(s.graceOf(&r.Record, now)):
		wakeAt(s.graceOf(&r.Record, now)) // what it had begun is given the time to stop
		return false
	case r.State == StepBegun && r.Step.Site != "" && slices.Contains(s.spec.LostSites, r.Step.Site):
		r.State, r.Ended, r.Unsure = StepFailed, utc, true
		r.Detail = r.Step.Site + " was lost while it ran there"
		change(r, "failed", r.Detail)
		return true
	case r.State == StepAssigned && s.run.State != RunRunning:
		return false // a paused run gives nothing out anew
	}
	p, wake, ok := s.executor(&r.Step, now)
	if !ok {
		wakeAt(wake)
		return false
	}
	why := gone
	if r.State == StepBegun {
		if r.Ask == AskNothing {
			r.Ask = AskFirst
		}
		why += "; " + p.Node + " asks whether it took effect"
	}
	assign(s, &r, p, utc)
	change(r, "taken over", why)
	return false
}

// graceOf is when another may take over a begun step whose executor is gone.
func (s *state) graceOf(r *Record, now time.Time) time.Time {
	since, known := s.gone[r.Executor]
	if !known {
		since = now
	}
	return since.Add(s.grace)
}

// disallow takes back what a person allowed and what a guard let through, as far as it
// has not begun: things are not as they were then.
func disallow(r stored) (_ stored, what string, ok bool) {
	switch {
	case r.State == StepAssigned && r.Step.Guard != nil:
		r.State, r.Executor, r.Node, r.Allowed = StepPending, "", "", false
		return r, "taken back", true
	case r.Allowed && !r.State.Over():
		r.Allowed = false
		return r, "no longer allowed", true
	}
	return r, "", false
}

// outcome says how a run ends in which nothing is left to do. What failed, or was
// dropped because of it, makes it fail, unless a planner found another way that
// brings back as much.
func (s *state) outcome() RunState {
	failed := slices.ContainsFunc(s.list, func(r *stored) bool { return r.State == StepFailed })
	last := s.run.Plans[len(s.run.Plans)-1]
	if failed && (!last.CostKnown || len(last.GivenUp) > 0) {
		return RunFailed
	}
	return RunDone
}

// summary names its base: how many of how many steps.
func (s *state) summary() string {
	n := map[StepState]int{}
	for _, r := range s.records {
		n[r.State]++
	}
	last := s.run.Plans[len(s.run.Plans)-1]
	parts := []string{fmt.Sprintf("%d of %d steps done", n[StepDone], len(s.records))}
	for _, x := range []StepState{StepFailed, StepSkipped} {
		if n[x] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[x], x))
		}
	}
	if len(last.GivenUp) > 0 {
		parts = append(parts, "not brought back: "+strings.Join(last.GivenUp, " and "))
	}
	return strings.Join(parts, ", ")
}

func idempotencyKey(run, step string, attempt int) string {
	return fmt.Sprintf("%s/%s#%d", run, step, attempt)
}

// lookFirst is added to what a person is asked to do that may have been done already.
const lookFirst = ". It may have been done already, so look first"

// instructions is what a person is asked to do.
func instructions(st *Step) string {
	what := fmt.Sprintf("do by hand: %s %s", st.Action, st.Component)
	if st.At != "" {
		what += " at " + st.At
	}
	if text, ok := st.Args["text"].(string); ok && text != "" {
		what += ": " + text
	}
	return what + "; then confirm how it ended"
}
