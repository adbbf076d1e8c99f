package impact

import (
	"slices"
	"time"
)

// A Sweep asks many losses of one estate, one after another, each at the cost of
// what it touches. It is not safe for concurrent use; make one per goroutine.
type Sweep struct {
	m *model
	s *state

	when  []time.Duration // of each node that came back in a Visit: at what time
	began []time.Duration // of each action that ran in it: when it started
	more  *further        // what a further loss needs, once one was asked for
}

// A Delta is what is down or degraded by one loss; what is down even without a
// loss is always in it. Everything else is as it was. All is sorted by index.
type Delta struct {
	LostDomains []int
	Components  []Touched
	Services    []Touched
	Crews       []Touched
	Parts       []TouchedPart
}

// Touched is a thing that a loss takes down or degrades.
type Touched struct {
	Index int
	State State
}

// TouchedPart is a part of a service that a loss takes down.
type TouchedPart struct {
	Service, Part int
	State         State
}

// NewSweep starts a sweep over the engine's estate.
func (e *Engine) NewSweep() *Sweep {
	return &Sweep{m: e.m, s: e.m.base.clone()}
}

// Lose returns what losing the domains, given by index, changes.
func (w *Sweep) Lose(domains ...int) Delta {
	m, s := w.m, w.s
	s.clock = 0
	s.lose(domains)
	fell := slices.Clone(s.log.fell)
	wants := w.missed(fell)
	fell = append(fell, m.down...)
	slices.Sort(fell)
	s.recover()
	d := w.delta(fell, wants)
	s.undo()
	return d
}

// delta says what became of what fell (sorted) and of what wants something that did.
func (w *Sweep) delta(fell []node, wants []int32) Delta {
	m, s := w.m, w.s
	d := Delta{}
	state := func(n node, returns bool) State {
		switch {
		case !s.val[n]:
			return Unrecoverable
		case returns:
			return Returns
		}
		return Recoverable
	}
	services := map[int]State{}
	domains, _ := slices.BinarySearch(fell, m.compBase)
	things, _ := slices.BinarySearch(fell, m.svcBase)
	d.LostDomains = slices.Grow(d.LostDomains, domains)
	d.Components = slices.Grow(d.Components, things-domains+len(wants))
	for _, n := range fell {
		switch {
		case n < m.compBase:
			d.LostDomains = append(d.LostDomains, int(n))
		case n < m.svcBase:
			c := int(n - m.compBase)
			d.Components = append(d.Components, Touched{c, state(n, s.held[c])})
		case n < m.crewBase:
			services[int(n-m.svcBase)] = state(n, false)
		case n < m.partBase:
			d.Crews = append(d.Crews, Touched{int(n - m.crewBase), state(n, true)})
		case n < m.actBase:
			p := n - m.partBase
			svc := int(m.partService[p])
			d.Parts = append(d.Parts, TouchedPart{svc, int(m.partIndex[p]), state(n, false)})
			if _, ok := services[svc]; !ok && m.base.val[m.svcBase+node(svc)] { // its core comes before its parts, or did not fall
				services[svc] = Degraded
			}
		}
	}
	for _, i := range wants {
		if int(i) < len(m.total) {
			d.Components = append(d.Components, Touched{int(i), Degraded})
		} else {
			services[int(i)-len(m.total)] = Degraded
		}
	}
	for i, st := range services {
		d.Services = append(d.Services, Touched{i, st})
	}
	slices.SortFunc(d.Components, byIndex)
	slices.SortFunc(d.Services, byIndex)
	return d
}

func byIndex(a, b Touched) int { return a.Index - b.Index }

// missed returns what stays up and wants something that fell.
func (w *Sweep) missed(fell []node) []int32 {
	var missed []int32
	for _, n := range fell {
		for _, i := range w.m.wanted[n] {
			of := w.m.compBase + i
			if int(i) >= len(w.m.total) {
				of = w.m.svcBase + i - node(len(w.m.total))
			}
			if w.s.val[of] && w.s.rank[of] == 0 {
				missed = append(missed, i)
			}
		}
	}
	return missed
}
