package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/detect"
	"bongsu/estate"
	"bongsu/impact"
	"bongsu/incident"
	"bongsu/plan"
	"bongsu/recovery"
)

// A composer turns facts into what people see. It remembers the last impacts,
// because every page asks for the same few.
type composer struct {
	mu     sync.Mutex
	of     *estate.Snapshot
	recent []remembered

	record *incident.Record // of the open incident, as it was last folded

	floorOf *estate.Snapshot
	floor   *floor
}

type remembered struct {
	lost   []string
	impact *impact.Impact
}

// mostImpacts is how many losses are kept for one estate.
const mostImpacts = 8

func (c *composer) impactOf(s *estate.Snapshot, lost []string) (*impact.Impact, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of != s {
		c.of, c.recent = s, nil
	}
	for _, r := range c.recent {
		if slices.Equal(r.lost, lost) {
			return r.impact, nil
		}
	}
	im, err := impact.Of(s, lost)
	if err != nil {
		return nil, err
	}
	c.recent = append(c.recent, remembered{slices.Clone(lost), im})
	if len(c.recent) > mostImpacts {
		c.recent = slices.Delete(c.recent, 0, 1)
	}
	return im, nil
}

// recordOf folds what hangs on an incident, unless that is the one that was folded
// last: entries are only ever appended.
func (c *composer) recordOf(i *incident.Incident) *incident.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.record; r != nil && r.ID == i.ID && len(r.Entries) == len(i.Entries) && slices.EqualFunc(r.Entries, i.Entries, sameEntry) {
		return r
	}
	r := incident.RecordOf(*i)
	c.record = &r
	return &r
}

func sameEntry(a, b incident.Entry) bool { return a.At.Equal(b.At) && a.Act == b.Act && a.By == b.By }

// compose makes the picture of the present.
func (c *composer) compose(f Facts) Now {
	n := Now{
		At: f.At, Site: f.Site, Leader: f.Leader, Term: f.Term, Quorum: f.Quorum, Estate: f.Revision,
		Sites: sitesOf(f), Services: []Service{}, Waiting: []Waiting{}, Runs: []Summary{},
		Grade: GradeNone, Critical: []Ahead{}, Second: f.Second,
	}
	var open *incident.Incident // the one that people work on: a real one before a drill
	lost := []string{}
	for i := range f.Incidents {
		if inc := &f.Incidents[i]; inc.Open() {
			shown := incidentOf(inc)
			if open == nil || open.Drill && !inc.Drill {
				open, n.Incident = inc, &shown
			}
			if !inc.Drill {
				lost = append(lost, inc.Lost...)
			}
			if inc.State == incident.Proposed || len(inc.Proposed) > 0 {
				n.Waiting = append(n.Waiting, Waiting{
					Kind: "declare", Incident: inc.ID, Lost: shown.Proposed, Asks: inc.Verdict,
					Can: []Verb{Confirm, Withdraw}, Since: cmp.Or(inc.ProposedAt, inc.LostAt), Role: Approver.String(),
				})
			}
		}
	}
	for i := range f.Runs {
		n.Runs = append(n.Runs, summaryOf(&f.Runs[i], f.View))
	}
	if f.View != nil {
		s := summaryOf(&f.View.Run, f.View)
		n.Run = &s
		n.Waiting = append(n.Waiting, waitingOf(f.View)...)
		n.Critical = aheadOf(f.View)
	}
	for _, a := range f.Asked {
		n.Waiting = append(n.Waiting, Waiting{
			Kind: "second", Run: a.Run, Step: a.Step, Asks: a.Why, Who: a.Who, Verb: a.Verb, Since: a.At,
			Can: []Verb{a.Verb, Refuse}, Role: Operator.String(),
		})
	}
	if f.Estate != nil {
		slices.Sort(lost)
		n.Services, n.Totals = c.services(f, slices.Compact(lost))
	}
	n.Grade = gradeOf(n.Services)
	if open != nil {
		r := c.recordOf(open)
		n.Room = roomOf(r, f)
		n.Waiting = append(n.Waiting, draftsOf(r)...)
	}
	return n
}

func gradeOf(services []Service) string {
	var down, all float64
	degraded := false
	for i := range services {
		s := &services[i]
		w := float64(s.Users) * s.Weight
		all += w
		switch class(s.State) {
		case "down":
			down += w
			degraded = true
		case "degraded":
			degraded = true
		}
	}
	return grade(down, all, degraded)
}

// roomOf says what the people who handle the incident have to have in mind.
func roomOf(r *incident.Record, f Facts) *Room {
	room := &Room{Commander: r.Holder(commander), Roles: []Holder{}, NextUpdate: nextWord(r), Clocks: []Clock{}}
	room.Late = !room.NextUpdate.IsZero() && f.At.After(room.NextUpdate)
	for _, a := range r.Roles {
		if a.To.IsZero() {
			room.Roles = append(room.Roles, Holder{Role: a.Role, Person: a.Person, Since: a.From})
		}
	}
	if f.Estate != nil {
		for _, m := range r.UserMinutes(f.Estate.Services, endOf(r, f.At)) {
			room.UserMinutes += m.Minutes
			room.Rate += m.Share * float64(m.Users)
		}
		room.Trend = trendOf(r, f.Estate.Services, f.At)
	}
	room.Clocks = clocksOf(r, f)
	for _, u := range r.Updates {
		if u.SentAt.IsZero() && u.Dropped == "" {
			room.Drafts++
		}
	}
	room.Unanswered = unanswered(r)
	room.Base = baseOf(r, f.At)
	return room
}

// commander is the role of who leads the handling of an incident.
const commander = "commander"

func clocksOf(r *incident.Record, f Facts) []Clock {
	out := []Clock{}
	if f.Policy == nil || f.Estate == nil {
		return out
	}
	for _, c := range incident.Clocks(f.Policy, r, f.Estate.Services, f.At) {
		out = append(out, Clock{Clock: c, Incident: r.ID})
	}
	slices.SortStableFunc(out, func(a, b Clock) int { // what is late or next first, what is done last
		rank := func(c Clock) int {
			if c.Due.IsZero() && c.State != incident.ClockIsDone { // its time has not begun
				return 4
			}
			return slices.Index([]incident.ClockState{incident.ClockOverdue, incident.ClockDue, incident.ClockCounting, incident.ClockWaiting, "", incident.ClockIsDone}, c.State)
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Due.Compare(b.Due))
	})
	return out
}

// unanswered counts the alarms that nobody has answered. One answer is enough for all
// who were called by it.
func unanswered(r *incident.Record) int {
	type alarm struct {
		name   string
		number int
	}
	answered := make(map[alarm]bool)
	for _, c := range r.Calls {
		k := alarm{c.Alarm, c.Number}
		answered[k] = answered[k] || !c.Answered.IsZero()
	}
	n := 0
	for _, ok := range answered {
		if !ok {
			n++
		}
	}
	return n
}

// baseOf is what progress counts against by now; nil before anything was affected.
func baseOf(r *incident.Record, now time.Time) *Base {
	k := len(r.Bases)
	if k == 0 {
		return nil
	}
	_, back := r.Affected(now)
	return &Base{Back: back, Of: r.Bases[k-1].Of, Was: r.Bases[k-1].Was}
}

// draftsOf are the updates that wait for somebody to publish them.
func draftsOf(r *incident.Record) []Waiting {
	var out []Waiting
	for _, u := range r.Updates {
		if u.SentAt.IsZero() && u.Dropped == "" {
			out = append(out, Waiting{
				Kind: "publish", Incident: r.ID, Number: u.ID, Asks: firstWords(u.Body), Body: u.Body, Who: u.DraftedBy, Since: u.DraftedAt,
				Can: []Verb{Publish, Drop}, Role: Approver.String(),
			})
		}
	}
	return out
}

// firstWords are the first words of a text in whatever language it has.
func firstWords(body map[string]string) string { return brief(body, "en") }

// brief is the beginning of a text in the language, else in another, without the
// marks of Markdown.
func brief(body map[string]string, prefer string) string {
	text := body[prefer]
	for _, l := range slices.Sorted(maps.Keys(body)) {
		if text == "" {
			text = body[l]
		}
	}
	words := strings.Fields(strings.NewReplacer("**", "", "__", "", "`", "", "#", "").Replace(text))
	words = slices.DeleteFunc(words, func(w string) bool { return w == "-" || w == "*" || w == ">" })
	if r := []rune(strings.Join(words, " ")); len(r) > 90 {
		return string(r[:90]) + "…"
	}
	return strings.Join(words, " ")
}

// mostAhead is how much of the critical path the now page shows.
const mostAhead = 6

// aheadOf is the critical path from here to the end.
func aheadOf(v *recovery.RunView) []Ahead {
	out := []Ahead{}
	for i := range v.Steps {
		s := &v.Steps[i]
		if !s.Critical || s.State.Over() || !v.State.Live() {
			continue
		}
		out = append(out, Ahead{
			Step: s.Step.ID, Title: cmp.Or(s.Step.Title, s.Step.Component), At: s.Step.At, State: stepState(s.State),
			Expected: v.LostAt.Add(s.Expected.Finish), WaitsFor: s.WaitsFor,
		})
	}
	slices.SortStableFunc(out, func(a, b Ahead) int { return a.Expected.Compare(b.Expected) })
	return out[:min(len(out), mostAhead)]
}

// services says what people can use now: what the declared loss took, less what
// the run has brought back. What no step of the run accounts for stays as the
// impact says; nothing is called up because the clock says that it should be.
func (c *composer) services(f Facts, lost []string) ([]Service, Totals) {
	im, err := c.impactOf(f.Estate, lost)
	unknown := err != nil // the incident was declared against an estate that had this domain
	planned := make(map[string]*recovery.ServiceView)
	states := make(map[string]recovery.StepState)
	if v := f.View; v != nil && v.Scope == recovery.ScopeReal {
		for i := range v.Services {
			planned[v.Services[i].Name] = &v.Services[i]
		}
		for i := range v.Steps {
			states[v.Steps[i].Step.ID] = v.Steps[i].State
		}
	}
	out := make([]Service, 0, len(f.Estate.Services))
	var totals Totals
	for i := range f.Estate.Services {
		doc := &f.Estate.Services[i]
		s := Service{Name: doc.Name, Title: doc.Title, Users: doc.Users, Weight: doc.Weight, State: StateUnknown}
		var partsOut int
		for _, p := range doc.Parts {
			s.Parts = append(s.Parts, Part{Name: p.Name, Title: p.Title, State: StateUnknown})
		}
		if !unknown {
			s.State = State(im.Services[i].State)
			for j := range s.Parts {
				s.Parts[j].State = State(im.Services[i].Parts[j].State)
			}
		}
		if p := planned[doc.Name]; p != nil && f.View != nil {
			back(&s, p, f.View, states)
		}
		for _, p := range s.Parts {
			if p.State != StateUp {
				partsOut++
			}
		}
		if s.State == StateUp && partsOut > 0 {
			s.State = StateDegraded
		}
		totals.Services++
		totals.AllUsers += doc.Users
		switch class(s.State) {
		case "up":
			totals.Up++
		case "degraded":
			totals.Degraded++
		default:
			totals.Down++
			totals.Users += doc.Users
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b Service) int {
		return cmp.Or(
			cmp.Compare(order(a.State), order(b.State)),
			-cmp.Compare(float64(a.Users)*a.Weight, float64(b.Users)*b.Weight),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return out, totals
}

// back marks a service, and its parts, as back when every step that it waits
// for is done, and says when it is expected while it is not.
func back(s *Service, p *recovery.ServiceView, v *recovery.RunView, states map[string]recovery.StepState) {
	if s.State == StateRecoverable && len(p.Needs) > 0 {
		if allDone(p.Needs, states) {
			s.State = StateUp
			s.BackAt = since(v.LostAt, p.Actual)
		} else if t, ok := expected(p.Needs, v); ok {
			s.ExpectedAt = since(v.LostAt, &t)
			s.Late = p.First != nil && t >= *p.First+time.Second
		}
	}
	if s.State != StateUp && s.State != StateDegraded {
		return
	}
	for i := range s.Parts {
		for _, part := range p.Parts {
			if part.Name == s.Parts[i].Name && s.Parts[i].State == StateRecoverable && part.UpAt != nil && doneBy(*part.UpAt, v) {
				s.Parts[i].State = StateUp
			}
		}
	}
}

func since(zero time.Time, d *time.Duration) *time.Time {
	if d == nil {
		return nil
	}
	t := zero.Add(*d)
	return &t
}

// expected is when the last of the steps is thought to end; ok is false when one
// of them failed or was skipped, so that nobody can say.
func expected(steps []string, v *recovery.RunView) (last time.Duration, ok bool) {
	found := 0
	for i := range v.Steps {
		s := &v.Steps[i]
		if !slices.Contains(steps, s.Step.ID) {
			continue
		}
		if s.State.Over() && s.State != recovery.StepDone {
			return 0, false
		}
		found++
		last = max(last, s.Expected.Finish)
	}
	return last, found == len(steps) && v.State.Live()
}

func allDone(steps []string, states map[string]recovery.StepState) bool {
	for _, id := range steps {
		if states[id] != recovery.StepDone {
			return false
		}
	}
	return true
}

// doneBy reports whether every step that the plan finishes by t is done.
func doneBy(t time.Duration, v *recovery.RunView) bool {
	return !slices.ContainsFunc(v.Steps, func(s recovery.StepView) bool {
		return s.Step.Finish <= t && s.State != recovery.StepDone && s.State != recovery.StepDropped
	})
}

// class is how a reader sorts services: up, degraded, or down, which is also what
// nobody can say.
func class(s State) string {
	if s == StateUp || s == StateDegraded {
		return string(s)
	}
	return "down"
}

// order sorts what needs attention to the front.
func order(s State) int { return rank(s, StateUnknown, StateDown, StateDegraded, StateUp) }

// severity sorts what cannot come back to the front.
func severity(s State) int {
	return rank(s, StateUnrecoverable, StateRecoverable, StateReturns, StateDegraded, StateUp)
}

// rank is the place of s in an order of states; what the order does not name goes
// with its second.
func rank(s State, by ...State) int {
	if i := slices.Index(by, s); i >= 0 {
		return i
	}
	return 1
}

// sitesOf joins the sites of the estate, of the verdict and of the members.
func sitesOf(f Facts) []Site {
	byName := make(map[string]*Site)
	at := func(name string) *Site {
		if byName[name] == nil {
			byName[name] = &Site{Name: name, State: StateUnknown, SeenBy: []string{}, MissedBy: []string{}}
		}
		return byName[name]
	}
	if f.Estate != nil {
		for i := range f.Estate.Domains {
			if d := &f.Estate.Domains[i]; d.Type == "site" {
				at(d.Name).Title = d.Title
			}
		}
	}
	for _, m := range f.Members {
		s := at(m.Site)
		s.Node, s.Voter, s.Witness, s.Leader = true, m.Voter, m.Witness, m.Leader
	}
	for _, v := range f.Verdict.Sites {
		s := at(v.Site)
		s.State, s.Why, s.Observes = siteState(v.State), v.Sentence, v.OwnNode
		s.SeenBy, s.MissedBy, s.Observers = list(v.SeenBy), list(v.NotSeenBy), list(v.Observers)
	}
	out := make([]Site, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		s := byName[name]
		s.This = name == f.Site
		s.Leader = s.Leader || (name == f.Leader && f.Leader != "")
		out = append(out, *s)
	}
	return out
}

func siteState(s detect.State) State {
	switch s {
	case detect.Seen:
		return StateUp
	case detect.Partial:
		return StateIsolated
	case detect.Suspect:
		return StateSuspect
	case detect.Lost:
		return StateLost
	case detect.Unknown:
	}
	return StateUnknown
}

func incidentOf(i *incident.Incident) Incident {
	out := Incident{
		ID: i.ID, State: State(i.State), Drill: i.Drill, Lost: list(i.Lost), Proposed: i.Proposed, Sentence: i.Verdict,
		By: i.By, Why: i.Why, LostAt: i.LostAt, Run: i.Run, History: []Entry{},
	}
	for _, e := range i.Entries {
		out.History = append(out.History, Entry{
			At: e.At, Who: e.By, What: string(e.Act), Incident: i.ID, Run: e.Run, Why: e.Why, Text: entryText(&e), Changes: e.Changes,
		})
	}
	return out
}

// entryText says in few words, of any language, what an entry carries.
func entryText(e *incident.Entry) string {
	switch e.Act {
	case incident.ActAssign:
		return e.Role + " → " + cmp.Or(e.Person, "–")
	case incident.ActFault:
		if e.Fault != nil {
			return e.Fault.Domain + " → " + cmp.Or(e.Fault.Operator, "–")
		}
	case incident.ActDraft:
		if e.Update != nil {
			return e.Update.Phase + ": " + firstWords(e.Update.Body)
		}
	case incident.ActPublish, incident.ActDrop:
		if e.Bypass != "" {
			return fmt.Sprintf("#%d: %s", e.Number, e.Bypass)
		}
		return fmt.Sprintf("#%d", e.Number)
	case incident.ActRebase:
		return fmt.Sprintf("→ %d", e.Of)
	case incident.ActDone:
		return e.Clock
	case incident.ActCall:
		if c := e.Call; c != nil {
			return c.Person + " (" + c.Crew + ") " + c.Channel + ": " + c.Outcome
		}
	case incident.ActPropose, incident.ActDeclare, incident.ActWithdraw, incident.ActClose, incident.ActRun, incident.ActNote, incident.ActDecision, incident.ActChange:
	}
	return e.Verdict
}

// summaryOf needs the view for the progress; without it only the size of the
// current plan is known.
func summaryOf(r *recovery.Run, v *recovery.RunView) Summary {
	s := Summary{
		ID: r.ID, Incident: r.Incident, State: runState(r.State), Scope: string(r.Scope), Lost: list(r.Lost), LostAt: r.LostAt,
		Created: r.Created, Started: moment(r.Started), Ended: moment(r.Ended), By: r.By.Who, Why: r.By.Why,
	}
	if k := len(r.Plans); k > 0 {
		s.Progress.Total = r.Plans[k-1].Steps
	}
	if r.State == recovery.RunDone {
		s.Progress.Done = s.Progress.Total
	}
	if v != nil && v.ID == r.ID {
		p := v.Progress
		s.ETA = moment(v.ETA)
		s.Progress = Progress{
			Done: p.Done, Total: p.Total, Skipped: p.Skipped, Dropped: p.Dropped, Failed: p.Failed,
			Running: p.Running, Waiting: p.Waiting, WasBase: p.Was,
		}
	}
	return s
}

func runState(s recovery.RunState) State {
	switch s {
	case recovery.RunWaiting:
		return StateWaiting
	case recovery.RunRunning, recovery.RunPaused, recovery.RunDone, recovery.RunFailed, recovery.RunAborted:
		return State(s)
	}
	return StateUnknown
}

func stepState(s recovery.StepState) State {
	switch s {
	case recovery.StepPending, recovery.StepAssigned:
		return StatePending
	case recovery.StepBegun:
		return StateRunning
	case recovery.StepPerson:
		return StateWaiting
	case recovery.StepDropped:
		return StateSuperseded
	case recovery.StepDone, recovery.StepFailed, recovery.StepSkipped:
		return State(s)
	}
	return StateUnknown
}

func waitingOf(v *recovery.RunView) []Waiting {
	out := []Waiting{}
	for _, w := range v.Waiting {
		shown := Waiting{Kind: w.Kind, Incident: v.Incident, Run: v.ID, Step: w.Step, Lost: v.Lost, Asks: w.Asks, Since: w.Since, Can: []Verb{}, Role: Operator.String()}
		switch w.Kind {
		case "approve":
			shown.Can, shown.Role = []Verb{Approve, Abort}, Approver.String()
		case "resume":
			shown.Can = []Verb{Resume, Abort}
		default:
			for i := range v.Steps {
				if v.Steps[i].Step.ID == w.Step {
					shown.Can = verbs(v.Steps[i].Can)
				}
			}
		}
		out = append(out, shown)
	}
	return out
}

// verbs translates what recovery calls them.
func verbs(names []string) []Verb {
	out := make([]Verb, len(names))
	for i, n := range names {
		out[i] = Verb(n)
		if n == "deny" {
			out[i] = Fail
		}
	}
	return out
}

// runOf turns a run into what people see of it.
func runOf(v *recovery.RunView) Run {
	out := Run{
		Summary: summaryOf(&v.Run, v), Steps: []Step{}, Services: []RunService{}, Blockers: blockersOf(v.Blockers),
		Plans: []Replan{}, Waiting: waitingOf(v), Journal: []Entry{},
	}
	for _, m := range v.Plans {
		p := Replan{At: m.At, Why: m.Why, Steps: m.Steps, UserMinutes: m.Objective.UserMinutes, Dropped: m.Dropped}
		if m.CostKnown {
			p.Cost = &m.Cost
		}
		out.Plans = append(out.Plans, p)
		out.Objective = Objective(m.Objective)
	}
	states := make(map[string]recovery.StepState)
	for i := range v.Steps {
		s := &v.Steps[i]
		states[s.Step.ID] = s.State
		out.Steps = append(out.Steps, stepOf(s))
	}
	for i := range v.Services {
		s := &v.Services[i]
		r := RunService{Name: s.Name, Title: s.Title, Users: s.Users, State: State(s.State), Planned: offset(s.First), Actual: offset(s.Actual)}
		if s.State == string(plan.TakenDown) { // it can be started again, once there is room
			r.State = StateRecoverable
		}
		if s.State == string(impact.Recoverable) && len(s.Needs) > 0 && allDone(s.Needs, states) {
			r.State = StateUp
		}
		out.Services = append(out.Services, r)
	}
	for _, e := range v.Journal {
		out.Journal = append(out.Journal, Entry{
			Rev: e.Rev, At: e.At, Who: e.Who, What: e.What, Incident: v.Incident, Run: v.ID, Step: e.Step, Why: e.Why, Term: e.Term,
		})
	}
	return out
}

func stepOf(v *recovery.StepView) Step {
	s := &v.Step
	return Step{
		ID: s.ID, Component: s.Component, Title: s.Title, Action: s.Action, Does: s.Does, At: s.At, Site: s.Site,
		Driver: cmp.Or(s.Driver, recovery.DriverManual), State: stepState(v.State),
		Start: v.First.Start.Seconds(), Finish: v.First.Finish.Seconds(), Begun: offset(v.Begun), Ended: offset(v.Ended),
		After: list(s.After), Uses: usesOf(s.Uses), Critical: v.Critical, Node: v.Node, Attempt: v.Attempt, Detail: v.Detail,
		WaitsFor: v.WaitsFor, By: v.By, Can: verbs(v.Can),
	}
}

func usesOf(uses []recovery.Amount) map[string]int {
	if len(uses) == 0 {
		return nil
	}
	m := make(map[string]int, len(uses))
	for _, u := range uses {
		m[u.Name] = u.Count
	}
	return m
}

func blockersOf(bs []recovery.Blocker) []Blocker {
	out := []Blocker{}
	for _, b := range bs {
		out = append(out, Blocker{Subject: b.Subject, Because: b.Because})
	}
	return out
}

func offset(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// list never is nil, so that JSON shows [] and not null.
func list(xs []string) []string {
	if xs == nil {
		return []string{}
	}
	return xs
}
