package verify

import (
	"slices"
	"strings"

	"bongsu/estate"
)

// A model numbers what can be up: domains, components, services, crews and parts,
// and knows who names whom.
type model struct {
	s               *estate.Snapshot
	comp, svc, crew int // the first of each kind
	part, n         int
	parts           []partOf
	partOf          [][]int // of each service: its parts
	users           [][]int // of each thing: those whose needs name it, a part those of its service
	hosts           [][]int // of each domain: the components with a replica in it
	acts            []act
	actsOf          [][]int // of each component: its actions
	wakes           [][]int // of each thing: the actions that name it
}

type partOf struct{ service, index int }

type act struct{ comp, index int }

func newModel(s *estate.Snapshot) *model {
	m := &model{s: s, comp: len(s.Domains)}
	m.svc = m.comp + len(s.Components)
	m.crew = m.svc + len(s.Services)
	m.part = m.crew + len(s.Crews)
	m.partOf = make([][]int, len(s.Services))
	for i := range s.Services {
		for j := range s.Services[i].Parts {
			m.partOf[i] = append(m.partOf[i], m.part+len(m.parts))
			m.parts = append(m.parts, partOf{i, j})
		}
	}
	m.n = m.part + len(m.parts)
	m.users, m.wakes = make([][]int, m.n), make([][]int, m.n)
	m.hosts, m.actsOf = make([][]int, len(s.Domains)), make([][]int, len(s.Components))
	for v := range m.n {
		m.names(v, func(w int) { m.users[w] = append(m.users[w], v) })
	}
	for c := range s.Components {
		for _, r := range s.Components[c].Replicas {
			m.hosts[r.In] = append(m.hosts[r.In], m.comp+c)
		}
		for j := range s.Components[c].Actions {
			a := len(m.acts)
			m.acts = append(m.acts, act{c, j})
			m.actsOf[c] = append(m.actsOf[c], a)
			m.asks(a, func(w int) { m.wakes[w] = append(m.wakes[w], a) })
		}
	}
	return m
}

// of returns the number of what a need names.
func (m *model) of(r estate.Ref) int {
	switch r.Kind {
	case estate.KindDomain:
		return r.Index
	case estate.KindComponent:
		return m.comp + r.Index
	case estate.KindService:
		return m.svc + r.Index
	case estate.KindCrew:
		return m.crew + r.Index
	case estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	// unreachable: no need names these.
	panic("verify: " + r.String() + " cannot be up")
}

// needs returns what a thing asks for to run.
func (m *model) needs(v int) estate.Need {
	switch {
	case v < m.comp:
		return m.s.Domains[v].Needs
	case v < m.svc:
		return m.s.Components[v-m.comp].Needs
	case v < m.crew:
		return m.s.Services[v-m.svc].Needs
	case v < m.part:
		return m.s.Crews[v-m.crew].Needs
	}
	p := m.parts[v-m.part]
	return m.s.Services[p.service].Parts[p.index].Needs
}

// names calls f for everything that a thing's run-time conditions name.
func (m *model) names(v int, f func(w int)) {
	m.each(m.needs(v), f)
	if v >= m.part {
		f(m.svc + m.parts[v-m.part].service)
	}
}

// asks calls f for everything that an action's conditions name.
func (m *model) asks(a int, f func(w int)) {
	c, action := m.action(a)
	m.each(c.StartNeeds, f)
	m.each(action.Needs, f)
	for _, u := range action.Crew {
		f(m.crew + u.Index)
	}
}

func (m *model) action(a int) (*estate.Component, *estate.Action) {
	c := &m.s.Components[m.acts[a].comp]
	return c, &c.Actions[m.acts[a].index]
}

func (m *model) each(n estate.Need, f func(w int)) {
	if n.Ref != nil {
		f(m.of(*n.Ref))
	}
	for _, o := range n.Of {
		m.each(o, f)
	}
}

// met reports whether a need is met by what is up.
func (m *model) met(n estate.Need, up func(int) bool) bool {
	if n.Empty() {
		return true
	}
	if n.Ref != nil {
		return up(m.of(*n.Ref))
	}
	k := 0
	for _, o := range n.Of {
		if m.met(o, up) {
			k++
		}
	}
	return k >= n.K
}

// gains is what actions that have run did for a component.
type gains struct {
	direct bool
	added  int
}

// holds reports whether a component's replicas satisfy its mode.
func (m *model) holds(c int, up func(int) bool, g gains) bool {
	comp := &m.s.Components[c]
	if len(comp.Replicas) == 0 || g.direct {
		return true
	}
	total, living, able := 0, 0, false
	for _, r := range comp.Replicas {
		total += r.Count
		if r.Count > 0 && up(r.In) {
			living += r.Count
			able = able || r.Role == estate.RolePrimary || comp.Auto && r.Role == estate.RoleStandby
		}
	}
	switch comp.Mode {
	case estate.ModePrimary:
		return able
	case estate.ModeQuorum:
		return living > total-living
	case estate.ModeAny:
	}
	return living+g.added >= comp.AtLeast
}

// stands reports whether a thing can be up with these up besides it, domains
// that are lost by themselves aside.
func (m *model) stands(v int, up func(int) bool, g []gains) bool {
	if v >= m.part && !up(m.svc+m.parts[v-m.part].service) {
		return false
	}
	if v >= m.comp && v < m.svc && !m.holds(v-m.comp, up, g[v-m.comp]) {
		return false
	}
	return m.met(m.needs(v), up)
}

// able reports whether an action can run at a place (a domain, -1 for none in
// particular) with these up, its having run aside.
func (m *model) able(a, at int, up func(int) bool) bool {
	c, action := m.action(a)
	return m.possible(a, at, up) && m.met(c.StartNeeds, up) && m.met(action.Needs, up) &&
		!slices.ContainsFunc(action.Crew, func(u estate.Use) bool { return !up(m.crew + u.Index) })
}

// possible is able, once all that the action needs is up: whether its place is, what it works
// on, and whether there are people and slots enough.
func (m *model) possible(a, at int, up func(int) bool) bool {
	c, action := m.action(a)
	if action.Does == estate.DoesShrink || at >= 0 && !up(at) || (at < 0) != (len(action.At) == 0) {
		return false
	}
	for _, u := range action.Crew {
		if crew := &m.s.Crews[u.Index]; crew.People >= 0 && u.Count > crew.People {
			return false
		}
	}
	for _, u := range action.Uses {
		if l := &m.s.Limits[u.Index]; l.Slots >= 0 && u.Count > l.Slots {
			return false
		}
	}
	standby := func(r estate.Replica) bool { return r.Role == estate.RoleStandby && r.Count > 0 && up(r.In) }
	switch action.Does {
	case estate.DoesPromote:
		return slices.ContainsFunc(c.Replicas, func(r estate.Replica) bool { return standby(r) && (at < 0 || m.inside(r.In, at)) })
	case estate.DoesRestore:
		copied := c.Data != nil && slices.ContainsFunc(c.Data.Copies, func(k estate.Copy) bool { return up(k.In) })
		member := func(r estate.Replica) bool { return c.Mode == estate.ModeQuorum && r.Count > 0 && up(r.In) }
		return copied || slices.ContainsFunc(c.Replicas, standby) || slices.ContainsFunc(c.Replicas, member)
	default:
	}
	return true
}

// ableSomewhere is able at any place of the action's own.
func (m *model) ableSomewhere(a int, up func(int) bool) bool {
	return m.somewhere(a, func(at int) bool { return m.able(a, at, up) })
}

// somewhere reports whether something is so at any place of an action's own.
func (m *model) somewhere(a int, is func(at int) bool) bool {
	_, action := m.action(a)
	if len(action.At) == 0 {
		return is(-1)
	}
	return slices.ContainsFunc(action.At, is)
}

// inside reports whether a domain is, or needs outright, another.
func (m *model) inside(d, outer int) bool {
	return d == outer || slices.Contains(m.s.Domains[d].Ancestors, outer)
}

// effect adds what an action does for its component.
func (m *model) effect(a int, g []gains) {
	c, action := m.action(a)
	if at := &g[m.acts[a].comp]; c.Mode == estate.ModeAny && action.Adds > 0 {
		at.added += action.Adds
	} else {
		at.direct = true
	}
}

// name writes a thing as a proof does.
func (m *model) name(v int) string {
	switch {
	case v < m.comp:
		return "domain/" + m.s.Domains[v].Name
	case v < m.svc:
		return "component/" + m.s.Components[v-m.comp].Name
	case v < m.crew:
		return "service/" + m.s.Services[v-m.svc].Name
	case v < m.part:
		return "crew/" + m.s.Crews[v-m.crew].Name
	}
	p := m.parts[v-m.part]
	s := &m.s.Services[p.service]
	return "service/" + s.Name + "/" + s.Parts[p.index].Name
}

// thing finds what a proof names.
func (m *model) thing(text string) (int, bool) {
	prefix, name, _ := strings.Cut(text, "/")
	k, ok := estate.KindOf(prefix)
	if !ok || k > estate.KindCrew {
		return 0, false
	}
	name, part, isPart := strings.Cut(name, "/")
	r, ok := m.s.Lookup(k, name)
	if !ok || isPart && k != estate.KindService {
		return 0, false
	}
	if !isPart {
		return m.of(r), true
	}
	for _, v := range m.partOf[r.Index] {
		if m.s.Services[r.Index].Parts[m.parts[v-m.part].index].Name == part {
			return v, true
		}
	}
	return 0, false
}

// named finds what a claim names: a bare name, or kind/name where it is ambiguous.
func (m *model) named(text string) (int, bool) {
	if strings.Contains(text, "/") {
		return m.thing(text)
	}
	found, at := 0, 0
	for k := estate.KindDomain; k <= estate.KindCrew; k++ {
		if r, ok := m.s.Lookup(k, text); ok {
			found, at = found+1, m.of(r)
		}
	}
	return at, found == 1
}

// step finds the action run that component/action@at names.
func (m *model) step(text string) (a, at int, ok bool) {
	name, rest, _ := strings.Cut(text, "/")
	action, place, placed := strings.Cut(rest, "@")
	c, ok := m.s.Lookup(estate.KindComponent, name)
	if !ok {
		return 0, 0, false
	}
	for _, a := range m.actsOf[c.Index] {
		if _, x := m.action(a); x.Name == action {
			if !placed {
				return a, -1, len(x.At) == 0
			}
			d, ok := m.s.Lookup(estate.KindDomain, place)
			return a, d.Index, ok && slices.Contains(x.At, d.Index)
		}
	}
	return 0, 0, false
}
