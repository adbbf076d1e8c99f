package duty

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/incident"
)

// Outcomes of calls.
const (
	Begun        = "begun"        // about to be made
	Sent         = "sent"         // the channel took it on
	Failed       = "failed"       // the channel did not
	Unknown      = "unknown"      // whoever made it stopped before it said
	Acknowledged = "acknowledged" // the person answered
)

// A Reason is something that people are called for.
type Reason struct {
	Key   string    // an occasion, after which a colon and what exactly may follow
	Since time.Time // it has been so
}

// occasion is what of the key alarms name.
func (r Reason) occasion() string {
	kind, _, _ := strings.Cut(r.Key, ":")
	return kind
}

// Input is all that [Decide] looks at.
type Input struct {
	Policy  *Policy
	Rotas   map[string]*Rota // by name
	Record  *incident.Record // with the calls so far
	Reasons []Reason         // what people should know now
	Users   int64            // of services that the loss takes down
	Up      []string         // channels that survive the loss, see [Surviving]
	Making  map[string]bool  // calls that are being made at this moment
	Now     time.Time
}

// Decision is what to do now.
type Decision struct {
	Lost  []incident.Call // begun by a leader that is no more: to be noted as unknown
	Calls []incident.Call // to be noted as begun, and then made
	Says  []string        // what the record must say, once
	Wake  time.Time       // time may change the decision then; zero: it does not
}

// most tries of one call of which it stays unknown whether it went out.
const maxUnknown = 3

// Decide returns the calls to make now. It is pure: asked again with those calls in the
// record, it returns what comes next.
func Decide(in Input) Decision {
	var d Decision
	if !in.Record.Open() {
		return d
	}
	for i := range in.Policy.Alarms {
		a := &in.Policy.Alarms[i]
		if in.Record.Drill && !a.Drills || in.Users < int64(a.Users) {
			continue
		}
		(&ladder{Input: in, a: a, d: &d}).climb()
	}
	return d
}

// ladder is one alarm of an incident.
type ladder struct {
	Input
	a *Alarm
	d *Decision

	number int             // of the alarm
	calls  []incident.Call // of that number
	reason string
}

func (l *ladder) wake(t time.Time) {
	if l.d.Wake.IsZero() || t.Before(l.d.Wake) {
		l.d.Wake = t
	}
}

func (l *ladder) say(format string, args ...any) {
	if s := l.a.Name + ": " + fmt.Sprintf(format, args...); !slices.Contains(l.d.Says, s) {
		l.d.Says = append(l.d.Says, s)
	}
}

// reasons are those that this alarm is for.
func (l *ladder) reasons() []Reason {
	var all []Reason
	for _, r := range l.Reasons {
		if len(l.a.When) == 0 || slices.Contains(l.a.When, r.occasion()) {
			all = append(all, r)
		}
	}
	return all
}

// begin finds the alarm that is on, or begins one. It is false while there is nothing
// to call anybody for.
func (l *ladder) begin() bool {
	reasons := l.reasons()
	for _, c := range l.Record.Calls {
		if c.Alarm == l.a.Name && c.Number > l.number {
			l.number = c.Number
		}
	}
	for _, c := range l.Record.Calls {
		if c.Alarm == l.a.Name && c.Number == l.number {
			l.calls = append(l.calls, c)
		}
	}
	if answered := Answered(l.calls); !answered.IsZero() {
		reasons = slices.DeleteFunc(reasons, func(r Reason) bool { return !r.Since.After(answered) })
		if len(reasons) == 0 {
			return false
		}
		// Something new. Many of them, one after the other, are one alarm.
		if again := l.calls[0].At.Add(l.a.quiet()); l.Now.Before(again) {
			l.wake(again)
			return false
		}
		l.calls = nil
	}
	if l.calls == nil {
		l.number++
	}
	var keys []string
	for _, r := range reasons {
		keys = append(keys, r.Key)
	}
	slices.Sort(keys)
	l.reason = strings.Join(slices.Compact(keys), ",")
	return len(reasons) > 0
}

// Answered is when the first of some calls was answered, or zero.
func Answered(calls []incident.Call) time.Time {
	var first time.Time
	for _, c := range calls {
		if !c.Answered.IsZero() && (first.IsZero() || c.Answered.Before(first)) {
			first = c.Answered
		}
	}
	return first
}

// climb goes from step to step until one waits for an answer.
func (l *ladder) climb() {
	if !l.begin() {
		return
	}
	steps := l.a.steps()
	step := 0
	for _, c := range l.calls {
		step = max(step, c.Step)
	}
	for range len(steps) + 1 {
		level := steps[step%len(steps)]
		wait := l.a.Levels[level].Wait
		begun := l.first(step)
		if begun.IsZero() && l.pausing(step, len(steps)) {
			return
		}
		if !begun.IsZero() && !l.Now.Before(begun.Add(wait)) {
			if next := step + 1; next%len(steps) == 0 {
				l.say("nobody has answered in round %d of the calls; they begin again", next/len(steps))
			}
			step++
			continue
		}
		lost, due, open := l.look(step, level)
		l.d.Lost = append(l.d.Lost, lost...)
		if len(due)+open > 0 {
			if begun.IsZero() {
				begun = l.Now
			}
			l.wake(begun.Add(wait))
			l.d.Calls = append(l.d.Calls, l.limit(due)...)
			return
		}
		step++ // nobody of this level can be reached: the next one at once
	}
	l.say("nobody can be reached over any channel; it is tried again every minute or so")
	l.wake(l.Now.Add(time.Minute))
}

// first is when the first call of a step was begun, or zero.
func (l *ladder) first(step int) time.Time {
	var t time.Time
	for _, c := range l.calls {
		if c.Step == step && (t.IsZero() || c.At.Before(t)) {
			t = c.At
		}
	}
	return t
}

// pausing says whether a new round has to wait because all calls of the last one failed:
// without it they would follow each other as fast as they fail.
func (l *ladder) pausing(step, steps int) bool {
	if step == 0 || step%steps != 0 {
		return false
	}
	var last time.Time
	for _, c := range l.calls {
		if c.At.After(last) {
			last = c.At
		}
	}
	again := last.Add(time.Duration(min(step/steps, 5)) * time.Minute)
	if !l.Now.Before(again) {
		return false
	}
	for _, c := range l.calls {
		if c.Step >= step-steps && c.Outcome != Failed {
			return false // somebody had time to answer
		}
	}
	l.say("no call of round %d went out; they begin again in a minute or more", step/steps)
	l.wake(again)
	return true
}

// look returns the calls of a step that are to be made now, those of which nobody knows
// what became of them, and how many wait for an answer.
func (l *ladder) look(step, level int) (lost, due []incident.Call, open int) {
	for _, who := range l.people(level) {
		reached := 0
		for _, ch := range l.channels(who) {
			if reached == l.a.over() {
				break
			}
			tries := l.tries(step, who.Name, ch)
			if len(tries) == 0 {
				due = append(due, l.call(step, level, who, ch, 1))
				reached++
				continue
			}
			c := tries[len(tries)-1]
			gone := c.Outcome == Begun && !l.Making[c.ID]
			if gone {
				c.Outcome, c.Detail = Unknown, "the node that made this call stopped before it said whether it went out; it is made again"
				if len(tries) >= maxUnknown {
					c.Detail = "the node that made this call stopped before it said whether it went out"
				}
				lost = append(lost, c)
			}
			switch {
			case c.Outcome == Failed, c.Outcome == Unknown && len(tries) >= maxUnknown:
				continue // over the next channel
			case c.Outcome == Unknown:
				due = append(due, l.call(step, level, who, ch, len(tries)+1))
			default:
				open++
			}
			reached++
		}
	}
	return lost, due, open
}

func (l *ladder) tries(step int, person, channel string) []incident.Call {
	var all []incident.Call
	for _, c := range l.calls {
		if c.Step == step && c.Person == person && c.Channel == channel {
			all = append(all, c)
		}
	}
	return all
}

func (l *ladder) call(step, level int, who *Person, channel string, try int) incident.Call {
	c := incident.Call{
		ID:   fmt.Sprintf("%s_%d_%d_%s_%s", l.a.Name, l.number, step, who.Name, channel),
		Crew: l.a.Crew, Person: who.Name, Channel: channel, At: l.Now, Outcome: Begun,
		Level: level, Alarm: l.a.Name, Number: l.number, Step: step, Reason: l.reason,
	}
	if try > 1 {
		c.ID += fmt.Sprintf("_%d", try)
		c.Detail = "made again: whether the one before went out is unknown"
	}
	return c
}

// people are those of a level, each once, in its order.
func (l *ladder) people(level int) []*Person {
	var all []*Person
	add := func(name string) {
		if x, ok := l.Policy.Person(name); ok && !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	for _, w := range l.a.Levels[level].Call {
		switch {
		case w.Rota != "":
			rota := l.Rotas[w.Rota]
			if rota == nil {
				l.say("the rota %s cannot be read", w.Rota)
				continue
			}
			called := rota.OnDuty(l.a.Crew, l.Now)
			if len(called) == 0 {
				l.say("nobody is on duty by the rota %s", w.Rota)
			}
			for _, name := range called {
				if x, ok := l.Policy.Known(name); ok {
					add(x.Name)
				} else {
					l.say("the rota %s names %q, whom the policy does not know", w.Rota, name)
				}
			}
		case w.Person != "":
			add(w.Person)
		default:
			for _, name := range l.Policy.Crew(w.Crew) {
				add(name)
			}
		}
	}
	return all
}

// channels are those over which a person can be reached: first those that survive the
// loss, then, because the estate may be wrong about them, the others.
func (l *ladder) channels(x *Person) []string {
	var up, rest []string
	for _, name := range l.a.Channels {
		switch {
		case x.Reach[name] == "":
		case slices.Contains(l.Up, name):
			up = append(up, name)
		default:
			rest = append(rest, name)
		}
	}
	return append(up, rest...)
}

// limit holds back what would go over the number of calls in an hour. Calls that
// failed disturbed nobody.
func (l *ladder) limit(due []incident.Call) []incident.Call {
	var recent []time.Time
	for _, c := range l.Record.Calls {
		if c.Alarm == l.a.Name && c.Outcome != Failed && l.Now.Sub(c.At) < time.Hour {
			recent = append(recent, c.At)
		}
	}
	room := max(l.a.most()-len(recent), 0)
	if len(due) <= room {
		return due
	}
	l.say("%d calls went out within an hour, which is the limit: the next are held back", l.a.most())
	if len(recent) > 0 {
		l.wake(slices.MinFunc(recent, time.Time.Compare).Add(time.Hour))
	}
	return due[:room]
}

// Called returns the names of those whom a level of an alarm would call at a time.
func Called(p *Policy, a *Alarm, level Level, rotas map[string]*Rota, now time.Time) []string {
	one := *a
	one.Levels = []Level{level}
	l := &ladder{Input: Input{Policy: p, Rotas: rotas, Now: now}, a: &one, d: &Decision{}}
	var names []string
	for _, x := range l.people(0) {
		names = append(names, x.Name)
	}
	return names
}

// First is the ID of a call without the mark of a repetition: what is sent twice
// under it can be recognised as one.
func First(c incident.Call) string {
	return fmt.Sprintf("%s_%d_%d_%s_%s", c.Alarm, c.Number, c.Step, c.Person, c.Channel)
}

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// Reasons are what an incident's own entries give reason to call people for: a loss was
// proposed or declared, since the last one was.
func Reasons(r *incident.Record) []Reason {
	since := map[string]time.Time{}
	for _, e := range r.Entries {
		switch e.Act {
		case incident.ActPropose:
			since[Proposed] = e.At
		case incident.ActDeclare:
			since[Declared] = e.At
		default:
		}
	}
	var all []Reason
	if t, ok := since[Proposed]; ok && len(r.Proposed) > 0 {
		all = append(all, Reason{Proposed, t})
	}
	if t, ok := since[Declared]; ok && r.State == incident.Declared {
		all = append(all, Reason{Declared, t})
	}
	return all
}
