package audit

import (
	"fmt"
	"strings"

	"bongsu/estate"
	"bongsu/impact"
)

// deadlock finds cycles of things that wait for each other to come back.
func deadlock(a *auditor, t *trial) {
	for _, d := range t.Deadlocks() {
		a.addCycle(t, d.Cycle, Error, a.addDirect)
	}
}

func (a *auditor) addDirect(f Finding, t *trial, cycle []estate.Ref, subject string) {
	a.add(f, t.loss.name, cycle[0], subject)
}

func (a *auditor) addCycle(t *trial, cycle []estate.Ref, sev Severity, add func(Finding, *trial, []estate.Ref, string)) {
	names := a.names(cycle)
	subject := strings.Join(names, ">")
	if !a.fresh(subject, sev) {
		return
	}
	touched := a.graph.touched(true, cycle...)
	f := Finding{
		Severity: sev, Users: touched.users,
		Proof: Proof{Cycle: names, Services: touched.names(a.s), Words: a.round(t, cycle)},
	}
	if len(cycle) == 1 {
		f.Sentence = t.inLoss() + names[0] + " waits for itself to come back"
	} else {
		f.Sentence = fmt.Sprintf("%s%s wait for each other to come back", t.inLoss(), join(names))
	}
	var cheapest estate.Ref
	for i, r := range cycle {
		if i == 0 || a.s.Doc(r).Cost < a.s.Doc(cheapest).Cost {
			cheapest = r
		}
	}
	item := a.measure(t, cheapest)
	f.Fix = &Measure{Words: item.Words, Cost: item.Cost, Things: []MeasureItem{item}}
	for _, r := range cycle {
		if w := a.waiver(a.s.Doc(r), a.rule.name, t.loss.name); w != nil && f.Waived == nil {
			f.Waived = w
		}
	}
	add(f, t, cycle, subject)
}

// round tells how each member of a cycle waits for the next.
func (a *auditor) round(t *trial, cycle []estate.Ref) []string {
	var words []string
	for i, r := range cycle {
		from, to := whole(r), whole(cycle[(i+1)%len(cycle)])
		name, next := a.called(from), a.called(to)
		word := name + " waits for " + next
		for _, e := range a.waits(t, from) {
			if e.to != to {
				continue
			}
			switch {
			case e.start:
				word = name + " needs " + next + " to start from cold"
			case e.action >= 0:
				act := &a.s.Components[e.from.index].Actions[e.action]
				word = fmt.Sprintf("the %s of %s needs %s", noun(act.Does), name, next)
			default:
				word = name + " needs " + next
			}
			break
		}
		words = append(words, word)
	}
	return words
}

// wantsAsNeeds finds the deadlocks that appear only if everything waits for what
// it wants, too: nobody can be sure that software starts without.
func (a *auditor) wantsAsNeeds() {
	if !a.runs("deadlock") || len(a.named) == 0 {
		return
	}
	strict, some := strictly(a.s)
	if !some {
		return
	}
	for _, r := range a.rules {
		if r.name == "deadlock" {
			a.rule = r
		}
	}
	b := *a
	b.s, b.list = strict, nil
	sweep := impact.NewEngine(strict).NewSweep()
	for _, l := range a.named {
		var cycles [][]estate.Ref
		a.sweep.Visit(l.domains, func(v *impact.View) {
			for _, d := range v.Deadlocks() {
				cycles = append(cycles, d.Cycle)
			}
		})
		known := map[estate.Ref]bool{}
		for _, c := range cycles {
			for _, r := range c {
				known[r] = true
			}
		}
		sweep.Visit(l.domains, func(v *impact.View) {
			t := &trial{View: v, loss: l}
			for _, d := range v.Deadlocks() {
				old := true
				for _, r := range d.Cycle {
					old = old && known[r]
				}
				if old {
					continue
				}
				b.addCycle(t, d.Cycle, Warning, func(f Finding, t *trial, cycle []estate.Ref, subject string) {
					f.Sentence = strings.Replace(f.Sentence, " wait", ", if they wait for what they only want, wait", 1)
					f.Proof.Words = append(f.Proof.Words, "some of these are wants: true only if it cannot start without them")
					a.add(f, t.loss.name, cycle[0], subject+">wants")
				})
			}
		})
	}
}

// strictly returns the estate with every want as a need, and whether there are any.
func strictly(s *estate.Snapshot) (*estate.Snapshot, bool) {
	c := *s
	some := false
	both := func(needs, wants estate.Need) estate.Need {
		if wants.Empty() {
			return needs
		}
		some = true
		if needs.Empty() {
			return wants
		}
		return estate.Need{K: 2, Of: []estate.Need{needs, wants}}
	}
	c.Components = append([]estate.Component(nil), s.Components...)
	for i := range c.Components {
		c.Components[i].Needs = both(c.Components[i].Needs, c.Components[i].Wants)
		c.Components[i].Wants = estate.Need{}
	}
	c.Services = append([]estate.Service(nil), s.Services...)
	for i := range c.Services {
		c.Services[i].Needs = both(c.Services[i].Needs, c.Services[i].Wants)
		c.Services[i].Wants = estate.Need{}
	}
	return &c, some
}
