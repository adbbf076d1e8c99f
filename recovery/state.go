package recovery

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A state is all that the leader knows of one run when it decides. It is rebuilt
// from the store by whoever leads, and decisions on it are pure.
type state struct {
	run     Run
	runRev  int64
	spec    Spec // the current plan
	records map[string]*stored
	list    []*stored                 // the same, by ID of the step
	nodes   map[string]storedPresence // by session
	fences  map[string]bool           // sites whose fencing lease still runs

	incident *incidentState // nil when the run belongs to none

	begunAt map[string]time.Time // when we first knew of a begun step, by our clock
	absent  map[string]time.Time // since when a site has no node, by our clock
	gone    map[string]time.Time // since when the session of a begun step is over, by our clock
	planned bool                 // a new plan is being made

	self  string // session of the leader's own node
	node  string // its name
	slack time.Duration
	grace time.Duration
}

// incidentState is what a run wants to know of its incident.
type incidentState struct {
	lost      []string
	withdrawn bool
	by, why   string
}

// put takes a record into the state.
func (s *state) put(r stored) {
	id := r.Step.ID
	if old := s.records[id]; old != nil {
		*old = r
		return
	}
	s.records[id] = &r
	i, _ := slices.BinarySearchFunc(s.list, id, func(o *stored, id string) int { return strings.Compare(o.Step.ID, id) })
	s.list = slices.Insert(s.list, i, &r)
}

// of returns what has become of a step of the plan.
func (s *state) of(id string) StepState {
	if r, ok := s.records[id]; ok {
		return r.State
	}
	return StepPending
}

// inHand reports whether a node or a person is carrying the step out.
func (r *Record) inHand() bool {
	return r.State == StepBegun || r.State == StepPerson && r.Question == QuestionDo
}

// busy is what steps in hand keep busy. A step that waits for a person's decision
// has released its crew, one that a person is carrying out has not.
func (s *state) busy() map[string]int {
	used := map[string]int{}
	for _, r := range s.list {
		if r.State == StepAssigned || r.inHand() {
			for _, u := range r.Step.Uses {
				used[u.Name] += u.Count
			}
		}
	}
	return used
}

// pending lists the steps that are yet to begin, in the order of priority: what
// a person asked to retry, then the plan.
func (s *state) pending() []*Step {
	var out []*Step
	for _, r := range s.list {
		if r.State == StepPending && r.Attempt > 1 {
			out = append(out, &r.Step)
		}
	}
	for i := range s.spec.Steps {
		st := &s.spec.Steps[i]
		r, ok := s.records[st.ID]
		if !ok || r.State == StepPending && r.Attempt <= 1 {
			out = append(out, st)
		}
	}
	return out
}

// A readiness says whether a pending step may begin, and if not, why.
type readiness struct {
	step     *Step
	after    string   // the step that it waits for
	question Question // a person has to answer before
	why      string   // it may not begin for another reason, or what the person is asked
	early    bool     // it waits because its planned time has not come
}

func (r *readiness) ready() bool { return r.after == "" && r.why == "" }

// sentence says what a step waits for.
func (r *readiness) sentence() string {
	if r.after != "" {
		return "waits for " + r.after
	}
	return r.why
}

// readiness goes through the pending steps in the order of the plan and says which
// may begin now. A step begins when its predecessors are done and its people and
// slots are free. It may begin before its planned time, but then never with people
// or slots that an earlier step of the plan is still to use.
func (s *state) readiness(now time.Time) []readiness {
	elapsed := now.Sub(s.run.LostAt)
	free := map[string]int{}
	for _, c := range s.spec.Capacity {
		free[c.Name] = c.Count
	}
	for name, n := range s.busy() {
		if _, limited := free[name]; limited {
			free[name] -= n
		}
	}
	claimed := map[string]string{} // what an earlier step still waits to use, by the first such step
	makers := s.makers()
	making := map[string]string{} // the step that is about to make a primary of a component
	pending := s.pending()
	out := make([]readiness, len(pending))
	for i, st := range pending {
		r := readiness{step: st, after: s.waitsFor(st)}
		if r.after == "" {
			if st.Guard != nil && s.run.Scope != ScopeDryDrill {
				r.question, r.why = s.guard(st, makers[st.Component])
				if first := making[st.Component]; r.why == "" && first != "" {
					r.why = "waits for " + first + ", which makes a primary of " + st.Component
				}
			}
			if r.why == "" {
				r.why, r.early = scarce(st, free, claimed, elapsed)
			}
			if st.Guard != nil && r.ready() {
				making[st.Component] = st.ID
			}
		}
		for _, u := range st.Uses {
			if _, limited := free[u.Name]; !limited || r.question != "" {
				continue
			}
			if r.after == "" { // it takes them, or is next: later steps must not starve it
				free[u.Name] -= u.Count
			} else if _, ok := claimed[u.Name]; !ok {
				claimed[u.Name] = st.ID
			}
		}
		out[i] = r
	}
	return out
}

// scarce says which people or slots a step lacks, and whether it lacks them only
// because it is early.
func scarce(st *Step, free map[string]int, claimed map[string]string, elapsed time.Duration) (why string, early bool) {
	for _, u := range st.Uses {
		have, limited := free[u.Name]
		if !limited {
			continue
		}
		if have < u.Count {
			return fmt.Sprintf("waits for %s: needs %d, %d free", u.Name, u.Count, max(have, 0)), false
		}
		if by, ok := claimed[u.Name]; ok && elapsed < st.Start {
			return fmt.Sprintf("waits for %s, which %s uses first", u.Name, by), true
		}
	}
	return "", false
}

// waitsFor returns the first predecessor that is not done.
func (s *state) waitsFor(st *Step) string {
	for _, id := range st.After {
		if s.of(id) != StepDone {
			return id
		}
	}
	return ""
}

// makers lists, by component, the steps that have made a primary or may have.
func (s *state) makers() map[string][]*stored {
	out := map[string][]*stored{}
	for _, r := range s.list {
		if r.Step.Guard != nil && (r.State == StepAssigned || r.mayHold()) {
			out[r.Step.Component] = append(out[r.Step.Component], r)
		}
	}
	return out
}

// mayHold reports whether the effect of a step is or may be there.
func (r *Record) mayHold() bool {
	switch r.State {
	case StepDone, StepBegun:
		return true
	case StepPerson:
		return r.Question == QuestionDo || r.Question == QuestionResult
	case StepPending, StepAssigned: // it had begun, and is to ask what became of that
		return !r.Begun.IsZero()
	case StepFailed, StepSkipped:
		return r.Unsure
	case StepDropped:
	}
	return false
}

// guard keeps two writers apart (design §6): it lets a step go ahead, makes it wait,
// or asks a person. The old primary is where the last of the others that may have made
// one put it, else where the plan knew it. Nothing switches off the wait for the fence
// of a lost site, not even a person.
func (s *state) guard(st *Step, makers []*stored) (Question, string) {
	g := *st.Guard
	own := s.records[st.ID]
	allowed := own != nil && own.Allowed
	var last *stored
	for _, r := range makers {
		switch {
		case r.Step.ID == st.ID:
		case r.State == StepAssigned || r.State == StepBegun:
			return "", "waits for " + r.Step.ID + ", which makes a primary of " + st.Component
		case last == nil || r.rev > last.rev:
			last = r
		}
	}
	if last != nil {
		// No standby is stated to follow the new primary.
		g = Guard{Old: cmp.Or(last.Step.At, last.Step.ID), Site: last.Step.Site}
		allowed = allowed && own.rev > last.rev // a person knew of it
	}
	if g.Old == "" {
		return "", ""
	}
	// The node of a site that is lost lets go of its lease within seconds, and that is
	// waited for whatever a person says. That of a site of which only a part is lost holds
	// it for as long as the rest runs: then only a person can know.
	lost := slices.Contains(s.spec.LostSites, g.Site)
	held := lost && s.fences[g.Site]
	ask := ""
	switch {
	case allowed:
	case g.Site == "":
		ask = fmt.Sprintf("the primary in %s cannot be asked, and it is in no site that could be declared lost: it may still be writing. Make sure that it is not, then allow or refuse", g.Old)
	case !lost:
		ask = fmt.Sprintf("the primary in %s cannot be asked, and its site %s is not declared lost: it may still be writing. Make sure that it is not, then allow or refuse", g.Old, g.Site)
	case !g.Sync:
		ask = fmt.Sprintf("the standby in %s is not known to have every acknowledged write of %s. Allow to accept the loss, or refuse", st.At, g.Old)
	}
	switch {
	case ask != "" && held:
		return QuestionAllow, ask + fmt.Sprintf(". Once allowed it still waits until the fencing lease of %s has run out, which its node holds as long as it lets the site write: it lets go when the site is declared lost, or when the node is stopped", g.Site)
	case ask != "":
		return QuestionAllow, ask
	case held:
		return "", fmt.Sprintf("waits until the fencing lease of %s has run out", g.Site)
	}
	return "", ""
}

// executor chooses who carries out a step: the node of its site, else, once that
// site has been without a node for the grace time or is lost, the leader's own
// node, else the first by name.
func (s *state) executor(st *Step, now time.Time) (p storedPresence, wake time.Time, ok bool) {
	here := func(match func(storedPresence) bool) bool {
		for _, session := range slices.Sorted(maps.Keys(s.nodes)) {
			if match(s.nodes[session]) {
				p = s.nodes[session]
				return true
			}
		}
		return false
	}
	if st.Site != "" {
		if here(func(p storedPresence) bool { return p.Site == st.Site }) {
			return p, wake, true
		}
		since, known := s.absent[st.Site]
		if !known {
			since = now
		}
		if wake = since.Add(s.grace); !slices.Contains(s.spec.LostSites, st.Site) && now.Before(wake) {
			return p, wake, false
		}
	}
	if p, ok = s.nodes[s.self]; ok {
		return p, time.Time{}, true
	}
	return p, time.Time{}, here(func(storedPresence) bool { return true })
}

// basis is what a plan for the rest has to take into account. The first result
// holds as long as it is so; the second once it was so.
func (s *state) basis(now time.Time) (standing, passing []string) {
	for _, r := range s.list {
		id := r.Step.ID
		switch {
		case r.State == StepFailed || r.State == StepSkipped:
			standing = append(standing, fmt.Sprintf("%s %s #%d", r.State, id, r.Attempt))
		case r.inHand():
			if n := s.overrun(id, now); n > 0 {
				passing = append(passing, fmt.Sprintf("overrun %s #%d x%d", id, r.Attempt, n))
			}
		}
	}
	if s.incident != nil {
		for _, d := range s.incident.lost {
			if !slices.Contains(s.run.Lost, d) {
				passing = append(passing, "lost "+d)
			}
		}
	}
	if len(s.spec.Steps) > 0 && !s.run.Started.IsZero() {
		// A plan that assumed an early start says nothing about now.
		if late := s.run.Started.Sub(s.run.LostAt) - s.spec.Steps[0].Start; s.run.Plan == 1 && late > 10*s.slack {
			passing = append(passing, fmt.Sprintf("started %v late", late.Round(time.Second)))
		}
	}
	return standing, passing
}

// news is what the current plan does not take into account; empty: it holds.
func (s *state) news(now time.Time) (news, basis []string) {
	standing, passing := s.basis(now)
	known := s.run.Plans[len(s.run.Plans)-1].Basis
	for _, b := range slices.Concat(standing, passing) {
		if !slices.Contains(known, b) {
			news = append(news, describeBasis(b))
		}
	}
	for _, b := range known {
		isStanding := strings.HasPrefix(b, string(StepFailed)) || strings.HasPrefix(b, string(StepSkipped))
		if isStanding && !slices.Contains(standing, b) {
			news = append(news, "no longer "+describeBasis(b))
		} else if !isStanding && !slices.Contains(passing, b) {
			passing = append(passing, b)
		}
	}
	basis = slices.Concat(standing, passing)
	slices.Sort(basis)
	return news, basis
}

// describeBasis drops the attempt of a first attempt, which says nothing to people.
func describeBasis(b string) string {
	b = strings.TrimSuffix(b, " x1")
	return strings.TrimSuffix(b, " #1")
}

// allowance is how long a step may take before it counts as overrunning: its worst
// case, but no more than half longer than likely; where only one figure is known,
// half longer than that. Each further time it doubles.
func allowance(st *Step, slack time.Duration) time.Duration {
	d := st.Likely + st.Likely/2
	if st.Worst > st.Likely {
		d = min(d, st.Worst)
	}
	return max(d, st.Likely+slack)
}

// overrun says how many times a step has outrun its allowance.
func (s *state) overrun(id string, now time.Time) int {
	since, ok := s.begunAt[id]
	if !ok {
		return 0
	}
	r := s.records[id]
	n := 0
	for d := allowance(&r.Step, s.slack); d > 0 && now.Sub(since) >= d; d *= 2 { // a doubling too far is negative
		n++
	}
	return n
}

// nextOverrun is when a step in hand outruns its allowance the next time.
func (s *state) nextOverrun(id string, now time.Time) time.Time {
	since := s.begunAt[id]
	d := allowance(&s.records[id].Step, s.slack)
	for d > 0 && now.Sub(since) >= d {
		d *= 2
	}
	if d <= 0 {
		return time.Time{}
	}
	return since.Add(d)
}

// rest is what a planner needs to know.
func (s *state) rest(now time.Time) Rest {
	news, _ := s.news(now)
	elapsed := max(0, now.Sub(s.run.LostAt))
	r := Rest{Estate: s.run.Estate, Lost: slices.Clone(s.run.Lost), Now: elapsed, Current: s.spec, Why: news}
	if s.incident != nil {
		r.Lost = append(r.Lost, s.incident.lost...)
		slices.Sort(r.Lost)
		r.Lost = slices.Compact(r.Lost)
	}
	for _, rec := range s.list {
		p := Past{Step: rec.Step, Start: rec.Begun.Sub(s.run.LostAt), Finish: rec.Ended.Sub(s.run.LostAt)}
		if rec.Begun.IsZero() {
			p.Start = elapsed
		}
		p.Start = min(max(p.Start, 0), elapsed)
		switch rec.State {
		case StepDone:
			p.Finish = min(max(p.Finish, p.Start), elapsed)
			r.Done = append(r.Done, p)
		case StepFailed, StepSkipped:
			p.Finish = elapsed
			r.Barred = append(r.Barred, p)
		case StepAssigned, StepBegun, StepPerson:
			p.Finish = s.expectedEnd(rec, p.Start, elapsed, now)
			r.Running = append(r.Running, p)
		case StepPending:
			if rec.Attempt > 1 { // a person wants it
				p.Start, p.Finish = elapsed, elapsed+rec.Step.Likely
				r.Running = append(r.Running, p)
			}
		case StepDropped:
		}
	}
	return r
}

// expectedEnd says when a step in hand is thought to end. One that has outrun what
// was thought is given half as long again as it has taken.
func (s *state) expectedEnd(r *stored, start, elapsed time.Duration, now time.Time) time.Duration {
	took := elapsed - start
	if since, ok := s.begunAt[r.Step.ID]; ok && r.inHand() {
		took = max(took, now.Sub(since))
	}
	switch {
	case took <= r.Step.Likely:
		return start + r.Step.Likely
	case took <= r.Step.Worst:
		return start + r.Step.Worst
	default:
		return elapsed + took/2
	}
}
