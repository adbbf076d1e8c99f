package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"bongsu/estate"
	"bongsu/impact"
)

// deadlock finds cycles of things that wait for each other to come back.
func deadlock(a *auditor, t *trial) {
	all := t.Deadlocks()
	if t.named {
		a.cycles[a.column] = all
	}
	for _, d := range all {
		if !a.kept(t, strings.Join(a.names(d.Cycle), ">"), d.Cycle...) {
			a.addCycle(t, d.Cycle, Error, a.addDirect)
		}
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
		Severity: sev, Users: touched.users, about: cycle,
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
	f.Fix = a.one(t, cheapest)
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

// prepareStrictly brings the estate with every want as a need up to date, where
// it will be asked for, while the rest goes on. The function it returns waits for
// that.
func (a *auditor) prepareStrictly() (join func()) {
	a.wants = a.runs("deadlock") && len(a.named) > 0
	if a.known != nil && a.known.sways&swaysImpact == 0 && !slices.ContainsFunc(a.wanted, func(all []impact.Deadlock) bool { return len(all) > 0 }) {
		a.wants = false // there was none, and nothing changed that could make one
	}
	if len(a.named) == 0 {
		a.strict = nil // nobody brings it up to date
	}
	if !a.wants {
		return func() {}
	}
	var (
		wait   sync.WaitGroup
		s      = a.s
		strict = a.strict
		behind = a.behind
		counts = a.recounted
		moves  = a.moves
		losses = a.losses()
	)
	wait.Go(func() {
		if strict == nil || !strict.follow(s, moves, losses, behind, counts) {
			strict = a.newStrictly(s)
		}
	})
	return func() {
		wait.Wait()
		a.strict, a.behind, a.recounted = strict, nil, nil
	}
}

// wantsAsNeeds finds the deadlocks that appear only if everything waits for what
// it wants, too: nobody can be sure that software starts without.
func (a *auditor) wantsAsNeeds() {
	if !a.wants {
		return
	}
	a.wanted = make([][]impact.Deadlock, len(a.named))
	if !a.strict.some {
		return
	}
	for _, r := range a.rules {
		if r.name == "deadlock" {
			a.rule = r
		}
	}
	b := *a
	b.s, b.engine, b.standing = a.strict.s, a.strict.engine, a.strict.standing
	b.sweep, b.list, b.places = nil, nil, a.s
	b.inParallel(len(a.named), func(b *auditor, i int) {
		known := map[estate.Ref]bool{}
		for _, d := range a.cycles[i] {
			for _, r := range d.Cycle {
				known[r] = true
			}
		}
		l := a.named[i]
		b.visit(l.domains, func(v *impact.View) {
			t := &trial{View: v, loss: l}
			for _, d := range v.Deadlocks() {
				if !slices.ContainsFunc(d.Cycle, func(r estate.Ref) bool { return !known[r] }) {
					continue
				}
				a.wanted[i] = append(a.wanted[i], d)
				// What it waits for may be another because of what that only wants.
				stirred := b.known == nil || slices.ContainsFunc(d.Cycle, func(r estate.Ref) bool { return b.standing.Stirred(1+i, r) })
				if !stirred && b.kept(t, strings.Join(b.names(d.Cycle), ">")+">wants", d.Cycle...) {
					continue
				}
				b.addCycle(t, d.Cycle, Warning, func(f Finding, t *trial, cycle []estate.Ref, subject string) {
					f.Sentence = strings.Replace(f.Sentence, " wait", ", if they wait for what they only want, wait", 1)
					f.Proof.Words = append(f.Proof.Words, "some of these are wants: true only if it cannot start without them")
					f.pos = a.posOf(cycle[0], spot{})
					b.add(f, t.loss.name, cycle[0], subject+">wants")
				})
			}
		})
	})
	a.list = append(a.list, b.list...)
}

// strictly is the estate with every want as a need.
type strictly struct {
	s        *estate.Snapshot // its own, changed in place
	engine   *impact.Engine
	standing *impact.Standing // of a Checker, like that of the auditor; else nil
	some     bool             // there are wants
}

func (a *auditor) newStrictly(s *estate.Snapshot) *strictly {
	c := *s
	c.Components, c.Services = nil, nil
	k := &strictly{s: &c}
	k.copy(s)
	k.engine = impact.NewEngine(k.s)
	if a.standing != nil {
		k.standing = k.engine.Stand(a.losses())
	}
	return k
}

// copy takes over all components and services.
func (k *strictly) copy(s *estate.Snapshot) {
	k.s.Components, k.s.Services = append(k.s.Components[:0], s.Components...), append(k.s.Services[:0], s.Services...)
	for i := range s.Components {
		k.component(s, i)
	}
	for i := range s.Services {
		k.service(s, i)
	}
}

// follow goes over to a snapshot of which only some documents changed; false: it
// cannot. The places in files of the others may be former ones.
func (k *strictly) follow(s *estate.Snapshot, v moves, losses [][]int, changed, recounted []estate.Ref) bool {
	if k.standing == nil {
		return false
	}
	slices.SortFunc(changed, func(x, y estate.Ref) int { return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Index, y.Index)) })
	changed = slices.Compact(changed)
	c := *s
	c.Components, c.Services = k.s.Components, k.s.Services
	*k.s = c
	if v.any() {
		k.copy(s)
	}
	for _, r := range changed {
		switch r.Kind {
		case estate.KindComponent:
			k.component(s, r.Index)
		case estate.KindService:
			k.service(s, r.Index)
		case estate.KindDomain, estate.KindCrew, estate.KindLimit, estate.KindProbe, estate.KindOption:
		}
	}
	k.standing.Follow(k.s, v.Moves, changed, recounted)
	k.standing.Lose(losses)
	return true
}

func (k *strictly) component(s *estate.Snapshot, i int) {
	c := s.Components[i]
	c.Needs, c.Wants = k.both(c.Needs, c.Wants)
	k.s.Components[i] = c
}

func (k *strictly) service(s *estate.Snapshot, i int) {
	c := s.Services[i]
	c.Needs, c.Wants = k.both(c.Needs, c.Wants)
	k.s.Services[i] = c
}

func (k *strictly) both(needs, wants estate.Need) (all, none estate.Need) {
	if wants.Empty() {
		return needs, wants
	}
	k.some = true
	if needs.Empty() {
		return wants, none
	}
	return estate.Need{K: 2, Of: []estate.Need{needs, wants}}, none
}
