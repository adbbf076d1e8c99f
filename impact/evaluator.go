package impact

import (
	"bongsu/estate"
)

// An Evaluator plays the recovery of one impact step by step: it starts right
// after the loss, and each [Evaluator.Run] makes the effect of one action
// happen. It knows what can be up (design §3.2-3.4), and nothing of time, crew
// sizes, limits or room. It is not safe for concurrent use; a clone is independent.
type Evaluator struct {
	s *state
}

// A Change is one thing that came up or went down. Part is the position of a
// part of the service Ref, or -1 for the thing itself.
type Change struct {
	Ref  estate.Ref
	Part int
}

// Evaluator returns an evaluator that stands right after the loss.
func (im *Impact) Evaluator() *Evaluator {
	return &Evaluator{s: im.fallen.clone()}
}

// Clone returns an independent copy.
func (e *Evaluator) Clone() *Evaluator {
	return &Evaluator{s: e.s.clone()}
}

// Up reports whether the domain lives, or the component, service or crew is up.
func (e *Evaluator) Up(r estate.Ref) bool { return e.s.val[e.s.m.nodeOf(r)] }

// PartUp reports whether a part of a service is up.
func (e *Evaluator) PartUp(service, part int) bool { return e.s.val[e.s.m.partNode(service, part)] }

// Holds reports whether the component's replicas are enough, whatever it needs.
func (e *Evaluator) Holds(component int) bool { return e.s.flag[e.s.m.compBase+node(component)] }

// CanRun reports whether the action could run now: it has not, its place and the
// copy it works on live, and its needs, its crew and its component's startNeeds
// are up. Whether its component holds already is not asked.
func (e *Evaluator) CanRun(r ActionRef) bool {
	a := e.s.m.actNode(r)
	i := a - e.s.m.actBase
	if e.s.ran[i] != 0 || !e.s.val[a] {
		return false
	}
	if e.s.action(i).Does == estate.DoesShrink {
		return r.At < 0 || e.s.val[r.At]
	}
	return e.s.possible(i) && e.s.fits(i, r.At)
}

func (m *model) actNode(r ActionRef) node {
	return m.actBase + m.firstAct[r.Component] + node(r.Action)
}

// Run makes the effect of an action happen, whether it could run or not, and
// returns what came up, in the order in which it did. Running it twice is
// running it once.
func (e *Evaluator) Run(r ActionRef) []Change {
	e.s.log = &trail{}
	e.s.act(e.s.m.actNode(r) - e.s.m.actBase)
	e.s.raise()
	e.s.ready = nil // whoever plays decides what runs next
	rose := e.s.log.rose
	e.s.log = nil
	return e.changes(rose)
}

// Shrink takes away the replicas that a shrink action removes, and returns what
// went down with them.
func (e *Evaluator) Shrink(r ActionRef) []Change {
	s := e.s
	before := make([]bool, len(s.val))
	copy(before, s.val)
	s.living[r.Component] -= int32(s.m.snap.Components[r.Component].Actions[r.Action].Removes)
	s.rehold(int32(r.Component))
	s.spread()
	var fell []node
	for n, was := range before {
		if was && !s.val[n] {
			fell = append(fell, node(n))
		}
	}
	return e.changes(fell)
}

func (e *Evaluator) changes(nodes []node) []Change {
	var c []Change
	m := e.s.m
	for _, n := range nodes {
		if r, ok := m.refOf(n); ok {
			c = append(c, Change{Ref: r, Part: -1})
		} else if n >= m.partBase && n < m.actBase {
			svc := int(m.partService[n-m.partBase])
			r, _ := m.refOf(m.svcBase + node(svc))
			c = append(c, Change{Ref: r, Part: int(m.partIndex[n-m.partBase])})
		}
	}
	return c
}
