package recovery

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"bongsu/internal/kv"
)

// A RunView is all that people want to see of a run.
type RunView struct {
	Run
	Steps    []StepView    `json:"steps"`    // of the current plan in its order, then what earlier plans had
	Services []ServiceView `json:"services"` // in the order of the plan
	Blockers []Blocker     `json:"blockers"`
	Journal  []Entry       `json:"journal"` // oldest first, whole
	Progress Progress      `json:"progress"`
	Waiting  []Waiting     `json:"waiting"` // what waits for a person
	// ETA is when the last step is expected to end, zero when nothing is left.
	ETA time.Time `json:"eta,omitzero"`
}

// A StepView is one step, planned against actual. Offsets count from the loss.
type StepView struct {
	Step     Step           `json:"step"` // with the times of the current plan
	State    StepState      `json:"state"`
	First    Interval       `json:"first"`    // when the first plan that had it meant it to be
	Expected Interval       `json:"expected"` // when it was, or is thought to be
	Begun    *time.Duration `json:"begun"`
	Ended    *time.Duration `json:"ended"`
	Node     string         `json:"node,omitempty"`
	Attempt  int            `json:"attempt,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	By       string         `json:"by,omitempty"`
	Critical bool           `json:"critical"`           // the end of the run hangs on it
	WaitsFor string         `json:"waitsFor,omitempty"` // why it has not begun, or what a person is asked
	Can      []string       `json:"can,omitempty"`      // what a person may do: confirm, deny, skip, retry
}

// An Interval is a start and a finish, from the loss.
type Interval struct {
	Start  time.Duration `json:"start"`
	Finish time.Duration `json:"finish"`
}

// A ServiceView is when a service was planned to be back, and when its last step
// ended in fact.
type ServiceView struct {
	Service
	First  *time.Duration `json:"first"`  // by the first plan
	Actual *time.Duration `json:"actual"` // nil: not yet
}

// Progress counts steps, and names its base.
type Progress struct {
	Done    int `json:"done"`
	Skipped int `json:"skipped"`
	Failed  int `json:"failed"`
	Dropped int `json:"dropped"`
	Running int `json:"running"`
	Waiting int `json:"waiting"` // for a person
	Total   int `json:"total"`
	Was     int `json:"was,omitempty"` // the total by the plan before, when it differs
}

// A Waiting is one thing that waits for a person.
type Waiting struct {
	Kind  string    `json:"kind"` // approve, resume, or a [Question]
	Step  string    `json:"step,omitempty"`
	Asks  string    `json:"asks"`
	Since time.Time `json:"since"`
}

// recentPlans is how many plans View reads besides the first: a run that changes
// its plan a hundred times is not read a hundred times over.
const recentPlans = 3

// View reads a run as a whole. It reads several keys one after the other, and starts
// again when the header changed meanwhile, so that a new plan is never shown with the
// promises of the one before.
func View(ctx context.Context, s kv.Store, run string) (RunView, error) {
	for {
		head, rev, err := getRun(ctx, s, run)
		if err != nil {
			return RunView{}, err
		}
		v, err := viewOf(ctx, s, head)
		if err != nil {
			return RunView{}, err
		}
		switch _, now, err := getRun(ctx, s, run); {
		case err != nil:
			return RunView{}, err
		case now == rev:
			return v, nil
		}
	}
}

// viewOf is View of a run whose header is head.
func viewOf(ctx context.Context, s kv.Store, head Run) (RunView, error) {
	var plans []Spec
	for i := range head.Plan {
		if i > 0 && i < head.Plan-recentPlans {
			continue // what was begun of it is in the records
		}
		p, err := loadPlan(ctx, s, head.ID, i+1)
		if err != nil {
			return RunView{}, err
		}
		plans = append(plans, p)
	}
	st, err := snapshot(ctx, s, head)
	if err != nil {
		return RunView{}, err
	}
	st.spec = plans[len(plans)-1]
	journal, err := Journal(ctx, s, head.ID)
	if err != nil {
		return RunView{}, err
	}
	return compose(st, plans, journal, time.Now()), nil
}

// snapshot reads what the state of a run rests on.
func snapshot(ctx context.Context, s kv.Store, head Run) (*state, error) {
	st := &state{
		run: head, records: map[string]*stored{}, nodes: map[string]storedPresence{}, fences: map[string]bool{},
		begunAt: map[string]time.Time{}, absent: map[string]time.Time{}, slack: time.Second,
	}
	v := &view{state: st, id: head.ID, mem: &memory{begunAt: map[string]time.Time{}}, byKey: map[string]string{}}
	for _, prefix := range []string{stepPrefix + head.ID + "/", nodePrefix, fencePrefix} {
		found, _, err := s.List(ctx, prefix)
		if err != nil {
			return nil, fmt.Errorf("read run %s: %w", head.ID, err)
		}
		for _, e := range found {
			if err := v.apply(kv.Event{Entry: e}); err != nil {
				return nil, err
			}
		}
	}
	return st, nil
}

// compose is View without the store.
func compose(s *state, plans []Spec, journal []Entry, now time.Time) RunView {
	v := RunView{
		Run: s.run, Steps: []StepView{}, Services: []ServiceView{}, Blockers: s.spec.Blockers,
		Journal: journal, Waiting: []Waiting{},
	}
	if v.Blockers == nil {
		v.Blockers = []Blocker{}
	}
	first, last := map[string]Interval{}, map[string]*Step{}
	for _, p := range plans {
		for i := range p.Steps {
			st := &p.Steps[i]
			if _, ok := first[st.ID]; !ok {
				first[st.ID] = Interval{st.Start, st.Finish}
			}
			last[st.ID] = st
		}
	}
	order := make([]string, 0, len(last))
	for i := range s.spec.Steps {
		order = append(order, s.spec.Steps[i].ID)
	}
	for id := range s.records {
		if last[id] == nil { // from a plan that cannot be read any more
			r := s.records[id]
			last[id], first[id] = &r.Step, Interval{r.Step.Start, r.Step.Finish}
		}
	}
	inPlan := len(order)
	planned := map[string]bool{}
	for _, id := range order {
		planned[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		if !planned[id] {
			order = append(order, id)
		}
	}
	waits := map[string]string{}
	if s.run.State.Live() {
		for _, r := range s.readiness(now) {
			waits[r.step.ID] = r.sentence()
		}
	}
	for i, id := range order {
		sv := StepView{Step: *last[id], State: StepPending, First: first[id], Attempt: 1}
		r, ok := s.records[id]
		switch {
		case ok:
			s.fill(&sv, r)
			if i >= inPlan && r.State == StepPending && r.Attempt <= 1 {
				sv.State = StepDropped
			}
		case i >= inPlan:
			sv.State = StepDropped
		}
		if sv.State == StepPending {
			sv.WaitsFor = waits[id]
		}
		sv.Can = can(s.run.State, sv.State)
		v.Progress.count(sv.State)
		v.Steps = append(v.Steps, sv)
	}
	if n := len(plans); n > 1 && len(plans[n-2].Steps) != inPlan {
		v.Progress.Was = v.Progress.Total - inPlan + len(plans[n-2].Steps)
	}
	s.expect(&v, now)
	s.servicesOf(&v, plans)
	s.waitingOf(&v)
	return v
}

func (s *state) fill(sv *StepView, r *stored) {
	offset := func(t time.Time) *time.Duration {
		if t.IsZero() {
			return nil
		}
		d := max(0, t.Sub(s.run.LostAt))
		return &d
	}
	sv.State, sv.Node, sv.Attempt, sv.Detail, sv.By = r.State, r.Node, r.Attempt, r.Detail, r.By
	sv.Begun, sv.Ended = offset(r.Begun), offset(r.Ended)
	if sv.Begun != nil && sv.Ended != nil { // clocks of two nodes, or one that jumped back
		*sv.Ended = max(*sv.Ended, *sv.Begun)
	}
	if r.State == StepPerson {
		sv.WaitsFor = r.Asks
	}
}

// can lists what a person may do about a step.
func can(run RunState, step StepState) []string {
	switch {
	case run == RunAborted:
		return nil
	case step == StepPerson:
		return []string{"confirm", "deny", "skip"}
	case step == StepFailed:
		return []string{"retry", "skip"}
	case step == StepSkipped:
		return []string{"retry"}
	case step == StepPending && run.Live():
		return []string{"skip"}
	}
	return nil
}

func (p *Progress) count(s StepState) {
	p.Total++
	switch s {
	case StepDone:
		p.Done++
	case StepSkipped:
		p.Skipped++
	case StepFailed:
		p.Failed++
	case StepAssigned, StepBegun:
		p.Running++
	case StepPerson:
		p.Waiting++
	case StepDropped:
		p.Dropped++
	case StepPending:
	}
}

// expect says when each step was or is thought to be, and which of them the end
// of the run hangs on: from the last to end back through what each waited for.
func (s *state) expect(v *RunView, now time.Time) {
	elapsed := max(0, now.Sub(s.run.LostAt))
	at := map[string]int{}
	for i := range v.Steps {
		at[v.Steps[i].Step.ID] = i
	}
	const visiting, fine = 1, 2
	mark := make([]int, len(v.Steps))
	var visit func(i int)
	visit = func(i int) {
		if mark[i] != 0 {
			return
		}
		mark[i] = visiting
		sv := &v.Steps[i]
		st := &sv.Step
		start := st.Start
		for _, id := range st.After {
			if j, ok := at[id]; ok {
				visit(j)
				start = max(start, v.Steps[j].Expected.Finish)
			}
		}
		if sv.Begun != nil {
			start = *sv.Begun
		} else if s.run.State.Live() {
			start = max(start, elapsed)
		}
		sv.Expected = Interval{start, start + max(st.Finish-st.Start, st.Likely)}
		r := s.records[st.ID]
		switch {
		case sv.Ended != nil:
			sv.Expected.Finish = *sv.Ended
			if sv.Begun == nil {
				sv.Expected.Start = *sv.Ended
			}
		case sv.Begun != nil:
			sv.Expected.Finish = s.expectedEnd(r, start, max(elapsed, start), now)
		}
		mark[i] = fine
	}
	end := -1
	for i := range v.Steps {
		visit(i)
		sv := &v.Steps[i]
		if sv.State == StepDropped || sv.State == StepSkipped || sv.State == StepFailed {
			continue
		}
		if end < 0 || sv.Expected.Finish > v.Steps[end].Expected.Finish {
			end = i
		}
	}
	if end >= 0 && s.run.State.Live() && !v.Steps[end].State.Over() {
		v.ETA = s.run.LostAt.Add(v.Steps[end].Expected.Finish)
	}
	for end >= 0 && !v.Steps[end].Critical {
		v.Steps[end].Critical = true
		end = before(v.Steps, &v.Steps[end], at)
	}
}

// before finds the step that this one waited for last: a predecessor, or one that
// used the same people or slots up to when it began.
func before(steps []StepView, sv *StepView, at map[string]int) int {
	best := -1
	consider := func(i int) {
		o := &steps[i]
		if o.Expected.Finish <= sv.Expected.Start && o.State != StepDropped && o.State != StepSkipped &&
			(best < 0 || o.Expected.Finish > steps[best].Expected.Finish) {
			best = i
		}
	}
	for _, id := range sv.Step.After {
		if i, ok := at[id]; ok {
			consider(i)
		}
	}
	for i := range steps {
		shares := slices.ContainsFunc(steps[i].Step.Uses, func(u Amount) bool {
			return slices.ContainsFunc(sv.Step.Uses, func(o Amount) bool { return o.Name == u.Name })
		})
		// Within a second it is taken for the cause.
		if shares && &steps[i] != sv && sv.Expected.Start-steps[i].Expected.Finish < time.Second {
			consider(i)
		}
	}
	return best
}

// servicesOf says when each service was planned to be back, and was.
func (s *state) servicesOf(v *RunView, plans []Spec) {
	ended := map[string]*time.Duration{}
	for i := range v.Steps {
		if v.Steps[i].State == StepDone {
			ended[v.Steps[i].Step.ID] = v.Steps[i].Ended
		}
	}
	firstUp := map[string]*time.Duration{}
	for _, sv := range plans[0].Services {
		firstUp[sv.Name] = sv.UpAt
	}
	for _, sv := range s.spec.Services {
		out := ServiceView{Service: sv, First: firstUp[sv.Name]}
		if sv.UpAt != nil {
			back, all := sv.DownFrom, true
			for _, id := range sv.Needs {
				if t := ended[id]; t != nil {
					back = max(back, *t)
				} else {
					all = false
				}
			}
			if all {
				out.Actual = &back
			}
		}
		v.Services = append(v.Services, out)
	}
}

func (s *state) waitingOf(v *RunView) {
	switch {
	case s.run.State == RunWaiting:
		v.Waiting = append(v.Waiting, Waiting{
			Kind: "approve", Since: s.run.Created,
			Asks: fmt.Sprintf("approve the plan of %d steps, or abort the run", len(s.spec.Steps)),
		})
	case s.run.State == RunPaused:
		w := Waiting{Kind: "resume", Asks: "resume the run, or abort it", Since: s.run.Created}
		for _, e := range slices.Backward(v.Journal) {
			if e.What == "paused" {
				w.Since = e.At
				w.Asks += "; paused by " + e.Who + cond(e.Why != "", ": "+e.Why)
				break
			}
		}
		v.Waiting = append(v.Waiting, w)
	case s.run.State != RunRunning:
		return
	}
	for i := range v.Steps {
		sv := &v.Steps[i]
		if sv.State != StepPerson {
			continue
		}
		r := s.records[sv.Step.ID]
		w := Waiting{Kind: string(r.Question), Step: sv.Step.ID, Asks: r.Asks, Since: s.run.Created}
		for _, e := range slices.Backward(v.Journal) {
			if e.Step == sv.Step.ID {
				w.Since = e.At
				break
			}
		}
		v.Waiting = append(v.Waiting, w)
	}
	slices.SortStableFunc(v.Waiting, func(a, b Waiting) int { return cmp.Compare(a.Since.UnixNano(), b.Since.UnixNano()) })
}

func cond(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}
