package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// outage finds services that are back later than was promised, even if every
// action starts as soon as it can, and those that lose more data. A service that
// does not come back at all is the affair of unrecoverable.
func outage(a *auditor, t *trial) {
	if k := a.known; k != nil && !k.promised && !k.first[t.loss.name] {
		return
	}
	lossy := a.dataLosses(t)
	for _, x := range a.losers(t, lossy) {
		svc := &a.s.Services[x]
		var (
			r     = a.ref(estate.KindService, x)
			f     = Finding{Users: svc.Users, about: []estate.Ref{r}}
			words []string
		)
		at, ok := t.UpAt(r)
		tooLate := ok && svc.Objectives.RTO != nil && at > *svc.Objectives.RTO
		l, ok := lossy[x]
		if !ok && t.half != nil {
			l, ok = t.half.lossy[x]
		}
		tooMuch := ok && svc.Objectives.RPO != nil && l.loss.More(impact.DataLoss{Known: true, Lag: *svc.Objectives.RPO})
		switch {
		case tooLate, tooMuch && (l.loss.All || l.loss.Known):
			f.Severity = Error
		case tooMuch:
			f.Severity = Warning
		default:
			continue
		}
		if !t.Back(r) || !a.fresh(a.name(r), f.Severity) {
			continue
		}
		if tooLate {
			f.Proof.Path = a.criticalPath(t, whole(r))
			words = append(words, fmt.Sprintf("%s is back after %s at the earliest; %s was promised", svc.Name, lasting(at), lasting(*svc.Objectives.RTO)))
			for _, step := range f.Proof.Path {
				f.Proof.Words = append(f.Proof.Words, fmt.Sprintf("%s runs from %s to %s", step.ID, lasting(seconds(step.Start)), lasting(seconds(step.Finish))))
			}
			f.Fix = a.shorten(f.Proof.Path, at-*svc.Objectives.RTO)
		}
		if tooMuch {
			component := a.s.Components[l.component].Name
			promised := lasting(*svc.Objectives.RPO) + " was promised"
			switch {
			case l.loss.All:
				words = append(words, fmt.Sprintf("%s loses all of the data in %s; %s", svc.Name, component, promised))
			case !l.loss.Known:
				words = append(words, fmt.Sprintf("nobody can say how much of the data in %s %s loses, since a copy states no lag; %s", component, svc.Name, promised))
			default:
				words = append(words, fmt.Sprintf("%s loses the last %s of the data in %s; %s", svc.Name, lasting(l.loss.Lag), component, promised))
			}
			f.Proof.Words = append(f.Proof.Words, a.copiesLeft(t, l.component)...)
			if f.Fix == nil {
				f.Fix = a.advice(a.component(l.component), "a synchronous copy of %s outside %s", component, strings.ReplaceAll(t.loss.name, "+", " and "))
			}
		}
		f.Sentence = t.inLoss() + strings.Join(words, ", and ")
		a.add(f, t.loss.name, r)
	}
}

func worse(a, b Severity) Severity {
	if a.Rank() > b.Rank() {
		return a
	}
	return b
}

// losers lists the services that have an objective and either went down or need
// something that does not hold. Sorted.
func (a *auditor) losers(t *trial, lossy map[int]lossyService) []int {
	var out []int
	for _, x := range t.Services {
		if x.State == impact.Recoverable {
			out = append(out, x.Index)
		}
	}
	for i := range lossy {
		out = append(out, i)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(i int) bool {
		o := a.s.Services[i].Objectives
		return o.RTO == nil && o.RPO == nil || !a.judges(t.loss.name, estate.Ref{Kind: estate.KindService, Index: i})
	})
}

// lossyService is the largest loss of data among what a service needs.
type lossyService struct {
	loss      impact.DataLoss
	component int
}

// dataLosses says which services lose data, how much, and in which component.
func (a *auditor) dataLosses(t *trial) map[int]lossyService {
	lossy := a.lossyComponents(t)
	slices.SortStableFunc(lossy, func(x, y lossyService) int {
		switch {
		case x.loss.More(y.loss):
			return -1
		case y.loss.More(x.loss):
			return 1
		}
		return 0
	})
	out := map[int]lossyService{}
	g := a.graph
	g.epoch++
	for _, l := range lossy { // the largest first: whoever gets there first says it
		stack := []int{l.component}
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if g.seen[n] == g.epoch {
				continue
			}
			g.seen[n] = g.epoch
			if i := n; i >= g.first[1] && i < g.first[2] {
				out[i-g.first[1]] = l
			}
			stack = append(stack, g.run[n]...)
		}
	}
	a.withFirst(t, out)
	return out
}

// copiesLeft says what is left of a component's data, each copy by itself.
func (a *auditor) copiesLeft(t *trial, component int) []string {
	c := &a.s.Components[component]
	var left []string
	say := func(what string, in int, lag *estate.Span) {
		left = append(left, "of "+c.Name+" there is left "+what+" in "+a.s.Domains[in].Name+lagging(lag))
	}
	for i := range c.Replicas {
		if r := &c.Replicas[i]; t.Alive(r.In) && r.Role == estate.RoleStandby {
			say("a standby", r.In, r.Lag)
		}
	}
	if c.Data != nil {
		for i := range c.Data.Copies {
			if k := &c.Data.Copies[i]; t.Alive(k.In) {
				say("a copy ("+k.How+")", k.In, k.Lag)
			}
		}
	}
	if len(left) == 0 {
		return []string{"no copy of " + c.Name + " is left"}
	}
	return left
}

func lagging(lag *estate.Span) string {
	if lag == nil {
		return ", lag not stated"
	}
	return ", " + lasting(lag.Likely) + " behind"
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// shorten advises to shorten the longest action of a path by what is too much.
func (a *auditor) shorten(path []Step, by time.Duration) *Measure {
	if len(path) == 0 {
		return nil
	}
	longest := slices.MaxFunc(path, func(x, y Step) int { return cmp.Compare(x.Finish-x.Start, y.Finish-y.Start) })
	return &Measure{Words: fmt.Sprintf("shorten the path by %s; its longest step is %s", lasting(by), longest.ID), Cost: 1}
}
