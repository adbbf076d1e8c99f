package duty

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// A Problem is one thing that is wrong with a policy on an estate.
type Problem struct {
	Alarm    string `json:"alarm,omitempty"`
	Loss     string `json:"loss,omitempty"` // the site that is lost
	Subject  string `json:"subject"`        // channel, person, crew or rota
	Sentence string `json:"sentence"`
}

// Surviving returns the channels of a policy all of whose needs are up in a loss, in
// the order of the policy. A channel that names no needs is not proven to survive, and
// is not among them.
func Surviving(s *estate.Snapshot, im *impact.Impact, p *Policy) []string {
	var up []string
	for _, c := range p.Channels {
		ok := len(c.Needs) > 0
		for _, need := range c.Needs {
			r, err := s.Find(need, needable()...)
			ok = ok && err == nil && alive(im, r)
		}
		if ok {
			up = append(up, c.Name)
		}
	}
	return up
}

func needable() []estate.Kind {
	return []estate.Kind{estate.KindDomain, estate.KindComponent, estate.KindService, estate.KindCrew}
}

// alive says whether something is up right after the loss.
func alive(im *impact.Impact, r estate.Ref) bool {
	var all []impact.Result
	switch r.Kind {
	case estate.KindDomain:
		return !slices.Contains(im.LostDomains, r.Index)
	case estate.KindComponent:
		all = im.Components
	case estate.KindService:
		all = im.Services
	case estate.KindCrew:
		all = im.Crews
	case estate.KindLimit, estate.KindProbe, estate.KindOption:
		return false
	}
	state := all[r.Index].State
	return state == impact.Up || state == impact.Degraded
}

// Down is how many people use the services that a loss takes down.
func Down(im *impact.Impact) int64 {
	var n int64
	for i, r := range im.Services {
		if r.State != impact.Up && r.State != impact.Degraded {
			n += im.Snapshot.Services[i].Users
		}
	}
	return n
}

// Check says what would keep the crews of a policy from being called: names that the
// estate does not know, and losses of one site that leave an alarm, or one of its
// people, with fewer than two channels.
func Check(s *estate.Snapshot, p *Policy) []Problem {
	var all []Problem
	for _, c := range p.Channels {
		if len(c.Needs) == 0 {
			all = append(all, Problem{Subject: c.Name, Sentence: fmt.Sprintf("the channel %s names nothing of the estate that it needs, so nothing shows that it survives a loss: add needs", c.Name)})
		}
		for _, need := range c.Needs {
			if _, err := s.Find(need, needable()...); err != nil {
				all = append(all, Problem{Subject: c.Name, Sentence: fmt.Sprintf("the channel %s needs %s, which the estate does not know: %v", c.Name, need, err)})
			}
		}
	}
	crews := map[string]bool{}
	for _, a := range p.Alarms {
		names := []string{a.Crew}
		for _, l := range a.Levels {
			for _, w := range l.Call {
				names = append(names, w.Crew)
			}
		}
		for _, name := range names {
			if _, ok := s.Lookup(estate.KindCrew, name); ok || name == "" || crews[name] {
				continue
			}
			crews[name] = true
			hint := ""
			if near := s.Nearest(estate.KindCrew, name); near != "" {
				hint = fmt.Sprintf("; did you mean %s?", near)
			}
			all = append(all, Problem{Alarm: a.Name, Subject: name, Sentence: fmt.Sprintf("the estate has no crew %s%s", name, hint)})
		}
	}
	engine := impact.NewEngine(s)
	sites := 0
	for i := range s.Domains {
		if s.Domains[i].Type != "site" {
			continue
		}
		sites++
		im, err := engine.Of([]string{s.Domains[i].Name})
		if err != nil {
			continue // unreachable: the name is one of the estate
		}
		all = append(all, left(p, s.Domains[i].Name, Surviving(s, im, p))...)
	}
	if sites == 0 {
		all = append(all, Problem{Subject: "estate", Sentence: "the estate has no site (a domain of type site): nothing shows that a channel survives the loss of one"})
	}
	return all
}

// left says for which alarms and people a loss leaves too few channels.
func left(p *Policy, loss string, up []string) []Problem {
	var all []Problem
	for i := range p.Alarms {
		a := &p.Alarms[i]
		have := slices.DeleteFunc(slices.Clone(a.Channels), func(c string) bool { return !slices.Contains(up, c) })
		if len(have) < 2 {
			all = append(all, Problem{Alarm: a.Name, Loss: loss, Subject: a.Name, Sentence: fmt.Sprintf(
				"when %s is lost, %s: the crew must be reachable over two at least", loss, remain("the alarm "+a.Name, have),
			)})
			continue
		}
		for _, name := range p.named(a) {
			x, ok := p.Person(name)
			if !ok {
				continue
			}
			reach := slices.DeleteFunc(slices.Clone(have), func(c string) bool { return x.Reach[c] == "" })
			if len(reach) < 2 {
				all = append(all, Problem{Alarm: a.Name, Loss: loss, Subject: name, Sentence: fmt.Sprintf(
					"when %s is lost, %s: give them another one (%s)", loss, remain(name, reach), strings.Join(have, ", "),
				)})
			}
		}
	}
	return all
}

func remain(who string, have []string) string {
	if len(have) == 0 {
		return who + " has no channel left"
	}
	return fmt.Sprintf("%s has only %s left", who, strings.Join(have, ", "))
}

// named are the people whom an alarm may call: of rotas all who belong to its crew, or
// everybody if it has none.
func (p *Policy) named(a *Alarm) []string {
	want := map[string]bool{}
	for _, l := range a.Levels {
		for _, w := range l.Call {
			for _, x := range p.People {
				if w.Person == x.Name || w.Crew != "" && slices.Contains(x.Crews, w.Crew) ||
					w.Rota != "" && (a.Crew == "" || slices.Contains(x.Crews, a.Crew)) {
					want[x.Name] = true
				}
			}
		}
	}
	return slices.Sorted(keys(want))
}

// Gaps says what is wrong with the rotas from now on, for a time: nobody on duty, or
// somebody whom the policy does not know.
func Gaps(p *Policy, rotas map[string]*Rota, now time.Time, ahead time.Duration) []Problem {
	var all []Problem
	for i := range p.Alarms {
		a := &p.Alarms[i]
		var seen []string
		for _, l := range a.Levels {
			for _, w := range l.Call {
				if w.Rota == "" || slices.Contains(seen, w.Rota) || rotas[w.Rota] == nil {
					continue
				}
				seen = append(seen, w.Rota)
				all = append(all, gaps(p, a, w.Rota, rotas[w.Rota], now, now.Add(ahead))...)
			}
		}
	}
	return all
}

func gaps(p *Policy, a *Alarm, name string, r *Rota, now, end time.Time) []Problem {
	var all []Problem
	strangers := map[string]bool{}
	times := []time.Time{now}
	for _, s := range r.Shifts {
		for _, t := range []time.Time{s.From, s.To} {
			if t.After(now) && t.Before(end) {
				times = append(times, t)
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	open := time.Time{}
	closed := func(t time.Time) {
		if !open.IsZero() {
			const layout = "2006-01-02 15:04 MST"
			all = append(all, Problem{Alarm: a.Name, Subject: name, Sentence: fmt.Sprintf("nobody is on duty by the rota %s from %s to %s", name, open.Format(layout), t.Format(layout))})
			open = time.Time{}
		}
	}
	for _, t := range times {
		who := r.OnDuty(a.Crew, t)
		for _, x := range who {
			if _, ok := p.Known(x); !ok && !strangers[x] {
				strangers[x] = true
				all = append(all, Problem{Alarm: a.Name, Subject: name, Sentence: fmt.Sprintf("the rota %s names %q, whom the policy does not know: add them to people", name, x)})
			}
		}
		switch {
		case len(who) > 0:
			closed(t)
		case open.IsZero():
			open = t
		}
	}
	closed(end)
	return all
}
