package impact

import (
	"fmt"
	"slices"

	"bongsu/estate"
)

// An UnknownDomainError says that a loss names a domain that the estate lacks.
type UnknownDomainError struct {
	Name    string
	Nearest string // empty when nothing is near
}

func (e *UnknownDomainError) Error() string {
	if e.Nearest == "" {
		return fmt.Sprintf("the estate has no domain %q", e.Name)
	}
	return fmt.Sprintf("the estate has no domain %q; did you mean %q?", e.Name, e.Nearest)
}

// An Engine answers what losses do to one estate. It compiles the estate once;
// it is safe for concurrent use.
type Engine struct{ m *model }

// NewEngine compiles the estate.
func NewEngine(s *estate.Snapshot) *Engine {
	return &Engine{m: compile(s)}
}

// Of returns what losing the named domains does to the estate: exact, pure, and
// the same for the same input. The error is an [*UnknownDomainError].
func Of(s *estate.Snapshot, lost []string) (*Impact, error) {
	return NewEngine(s).Of(lost)
}

// Of is like the function [Of] for the engine's estate.
func (e *Engine) Of(lost []string) (*Impact, error) {
	snap := e.m.snap
	var domains []int
	for _, name := range lost {
		ref, ok := snap.Lookup(estate.KindDomain, name)
		if !ok {
			return nil, &UnknownDomainError{Name: name, Nearest: snap.Nearest(estate.KindDomain, name)}
		}
		domains = append(domains, ref.Index)
	}
	slices.Sort(domains)
	return e.of(slices.Compact(domains)), nil
}

func (e *Engine) of(lost []int) *Impact {
	m, snap := e.m, e.m.snap
	fallen := m.base.clone()
	fallen.lose(lost)
	back := fallen.clone()
	back.log = &trail{unheld: fallen.log.unheld}
	back.recover()
	fallen.log, back.log = nil, nil

	im := &Impact{Snapshot: snap, Lost: lost, fallen: fallen, back: back}
	for d := range snap.Domains {
		if !fallen.val[d] {
			im.LostDomains = append(im.LostDomains, d)
		}
	}
	im.Components = make([]Result, len(snap.Components))
	for i := range snap.Components {
		r := im.result(m.compBase+node(i), i)
		if r.Holds = fallen.held[i]; r.State == Recoverable && r.Holds {
			r.State = Returns
		}
		r.DataLost = fallen.dataLost(i)
		im.Components[i] = r
	}
	im.Crews = make([]Result, len(snap.Crews))
	for i := range snap.Crews {
		r := im.result(m.crewBase+node(i), -1)
		if r.State == Recoverable {
			r.State = Returns
		}
		im.Crews[i] = r
	}
	im.Services = make([]Result, len(snap.Services))
	for i := range snap.Services {
		r := im.result(m.svcBase+node(i), len(snap.Components)+i)
		r.Parts = make([]PartResult, len(snap.Services[i].Parts))
		for j := range r.Parts {
			state := im.state(m.partNode(i, j))
			if state != Up && r.State == Up {
				r.State = Degraded
			}
			r.Parts[j] = PartResult{Name: snap.Services[i].Parts[j].Name, State: state}
		}
		im.Services[i] = r
	}
	im.spreadDataLoss()
	im.Deadlocks = back.deadlocks()
	return im
}

func (m *model) partNode(service, part int) node {
	return m.partBase + m.firstPart[service] + node(part)
}

func (im *Impact) state(n node) State {
	switch {
	case im.fallen.val[n]:
		return Up
	case im.back.val[n]:
		return Recoverable
	default:
		return Unrecoverable
	}
}

// result judges a component, service or crew; want is its place among the wants, or -1.
func (im *Impact) result(n node, want int) Result {
	ref, _ := im.fallen.m.refOf(n)
	r := Result{Ref: ref, State: im.state(n)}
	if r.State == Up && want >= 0 {
		if w := im.fallen.m.want[want]; w != none && !im.fallen.val[w] {
			r.State = Degraded
		}
	}
	return r
}

// Of returns the result for one component, service or crew.
func (im *Impact) Of(r estate.Ref) Result {
	switch r.Kind {
	case estate.KindComponent:
		return im.Components[r.Index]
	case estate.KindCrew:
		return im.Crews[r.Index]
	default:
		return im.Services[r.Index]
	}
}

// Back reports whether the thing is up in the end, once all that can run has run.
func (im *Impact) Back(r estate.Ref) bool { return im.back.val[im.back.m.nodeOf(r)] }

// Alive reports whether the domain survives.
func (im *Impact) Alive(domain int) bool { return im.fallen.val[domain] }

// Runnable returns every action that runs in the full recovery, once for each
// place of its own where it can take effect, in an order in which they can run.
func (im *Impact) Runnable() []ActionRef {
	var refs []ActionRef
	for _, a := range im.back.order {
		r := ActionRef{Component: int(im.back.m.actComp[a]), Action: int(im.back.m.actIndex[a]), At: -1}
		at := im.back.action(a).At
		if len(at) == 0 {
			refs = append(refs, r)
		}
		for i, d := range at {
			if im.back.fits(a, d) && !slices.Contains(at[:i], d) {
				r.At = d
				refs = append(refs, r)
			}
		}
	}
	return refs
}

// ID returns the step name of the action run, component/action@at.
func (r ActionRef) ID(s *estate.Snapshot) string {
	c := &s.Components[r.Component]
	id := c.Name + "/" + c.Actions[r.Action].Name
	if r.At >= 0 {
		id += "@" + s.Domains[r.At].Name
	}
	return id
}
