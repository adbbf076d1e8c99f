package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// A place is a document in a proof, or a part of a service.
type place struct {
	kind  estate.Kind
	index int
	part  int // -1: the whole
}

func whole(r estate.Ref) place { return place{r.Kind, r.Index, -1} }

// An edge says why one place waits for another.
type edge struct {
	from, to place
	action   int // of from, a component; -1: to run
	start    bool
}

// explain tells in words why a thing stays down in a loss: the shortest way to a
// member of the blocking set, and why that one is gone.
func (a *auditor) explain(t *trial, subject place, blocking []estate.Ref) []string {
	t.search++
	for _, r := range blocking {
		a.stop(t, whole(r)).target = t.search
	}
	first := a.stop(t, subject)
	first.seen = t.search
	end := first
	for queue := []*stop{first}; len(queue) > 0; queue = queue[1:] {
		x := queue[0]
		if x.target == t.search {
			end = x
			break
		}
		for _, w := range a.legs(t, x) {
			if w.to.seen != t.search {
				w.to.seen, w.to.by = t.search, w
				queue = append(queue, w.to)
			}
		}
	}
	var path []edge
	for x := end; x != first; x = x.by.from {
		path = append(path, x.by.edge)
	}
	slices.Reverse(path)
	var words []string
	for _, e := range path {
		from, to := a.called(e.from), a.called(e.to)
		switch {
		case e.start:
			words = append(words, fmt.Sprintf("%s needs %s to start from cold", from, to))
		case e.action >= 0:
			act := &a.s.Components[e.from.index].Actions[e.action]
			words = append(words,
				fmt.Sprintf("%s needs a %s", from, noun(act.Does)),
				fmt.Sprintf("the %s needs %s", noun(act.Does), to))
		default:
			words = append(words, fmt.Sprintf("%s needs %s", from, to))
		}
	}
	return append(words, a.gone(t, end.place)...)
}

// A stop is a place on the ways of the proofs about one loss, most of which go the
// same ways.
type stop struct {
	place
	legs         []leg // on from it; nil: not asked for yet
	target, seen int   // the last search that it was the end of, and that came by
	by           leg   // on which it came
}

// A leg is an edge from one stop to another.
type leg struct {
	edge
	from, to *stop
}

// stop returns the one stop of a place.
func (a *auditor) stop(t *trial, p place) *stop {
	id := a.graph.placeID(p)
	x := t.stops[id]
	if x == nil {
		if t.stops == nil {
			t.stops = map[int]*stop{}
		}
		x = &stop{place: p}
		t.stops[id] = x
	}
	return x
}

// legs returns the legs on from a stop.
func (a *auditor) legs(t *trial, x *stop) []leg {
	if x.legs == nil {
		edges := a.waits(t, x.place)
		x.legs = make([]leg, len(edges))
		for i, e := range edges {
			x.legs[i] = leg{e, x, a.stop(t, e.to)}
		}
	}
	return x.legs
}

// waits lists what a place that stays down waits for, in the order of the estate.
func (a *auditor) waits(t *trial, p place) []edge {
	var edges []edge
	need := func(n estate.Need, action int, start bool) {
		t.down = t.unmet(t.down[:0], n, true)
		for _, r := range t.down {
			edges = append(edges, edge{p, whole(r), action, start})
		}
	}
	s := a.s
	switch p.kind {
	case estate.KindComponent:
		c := &s.Components[p.index]
		need(c.Needs, -1, false)
		if t.Holds(p.index) {
			break
		}
		for i := range c.Actions {
			if !t.Possible(p.index, i) {
				continue
			}
			need(c.Actions[i].Needs, i, false)
			for _, u := range c.Actions[i].Crew {
				if r := a.ref(estate.KindCrew, u.Index); !t.Back(r) {
					edges = append(edges, edge{p, whole(r), i, false})
				}
			}
			need(c.StartNeeds, i, true)
		}
	case estate.KindService:
		if p.part < 0 {
			need(s.Services[p.index].Needs, -1, false)
		} else if core := a.ref(estate.KindService, p.index); !t.Back(core) {
			edges = append(edges, edge{p, whole(core), -1, false})
		} else {
			need(s.Services[p.index].Parts[p.part].Needs, -1, false)
		}
	case estate.KindCrew:
		need(s.Crews[p.index].Needs, -1, false)
	case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	return edges
}

// unmet adds to a list what of a need is down, right after the loss or, with late
// set, in the end, where the need is not met.
func (t *trial) unmet(refs []estate.Ref, n estate.Need, late bool) []estate.Ref {
	switch {
	case t.Met(n, late):
	case n.Ref != nil:
		refs = append(refs, *n.Ref)
	default:
		for _, o := range n.Of {
			refs = t.unmet(refs, o, late)
		}
	}
	return refs
}

// called is how a proof names a place.
func (a *auditor) called(p place) string {
	r := a.ref(p.kind, p.index)
	switch {
	case p.part >= 0:
		return r.Name + "/" + a.s.Services[p.index].Parts[p.part].Name
	case p.kind == estate.KindCrew:
		return "the crew " + r.Name
	}
	return a.name(r)
}

// gone says why the end of a chain stays down.
func (a *auditor) gone(t *trial, p place) []string {
	name := a.called(p)
	switch {
	case p.kind == estate.KindDomain:
		return []string{name + " is lost"}
	case p.kind == estate.KindComponent && !t.Holds(p.index):
		c := &a.s.Components[p.index]
		var words []string
		if where := a.lostPlaces(t, c); len(where) > 0 {
			words = append(words, name+" ran only in "+join(where))
			if t.Living(p.index) > 0 {
				words[0] = fmt.Sprintf("%s has %d of %d replicas left, and they are too few", name, t.Living(p.index), replicas(c))
				if c.Mode == estate.ModePrimary {
					words[0] = name + " had its primary in " + join(where)
				}
			}
		} else {
			words = append(words, name+" does not hold even with nothing lost")
		}
		able := false
		for i := range c.Actions {
			able = able || t.Possible(p.index, i)
		}
		switch {
		case len(c.Actions) == 0:
			words = append(words, "no action is known that brings "+name+" back")
		case !able:
			words = append(words, "none of the actions of "+name+" can be done with what is left")
		default:
			for _, e := range a.waits(t, p) {
				words = append(words, name+" waits for "+a.called(e.to)+" in its turn")
				break
			}
		}
		return words
	case p.kind == estate.KindCrew:
		for _, e := range a.waits(t, p) {
			return []string{name + " is reached only through " + a.called(e.to)}
		}
		return []string{name + " cannot be reached"}
	}
	for _, e := range a.waits(t, p) {
		return []string{name + " waits for " + a.called(e.to)}
	}
	return nil
}

// lostPlaces names the sites, or else the domains, of the replicas that are gone.
func (a *auditor) lostPlaces(t *trial, c *estate.Component) []string {
	var names []string
	for i := range c.Replicas {
		r := &c.Replicas[i]
		if t.Alive(r.In) {
			continue
		}
		d := r.In
		if site := a.s.Domains[d].Site; site >= 0 && !t.Alive(site) {
			d = site
		}
		if name := a.s.Domains[d].Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func replicas(c *estate.Component) int {
	n := 0
	for i := range c.Replicas {
		n += c.Replicas[i].Count
	}
	return n
}

func noun(d estate.Does) string {
	switch d {
	case estate.DoesPromote:
		return "promotion"
	case estate.DoesScale:
		return "scale-up"
	case estate.DoesStart, estate.DoesRestore, estate.DoesRebuild, estate.DoesSwitch, estate.DoesShrink:
	}
	return string(d)
}

// join is a list for people: "a, b and c"; a long one is cut.
func join(names []string) string {
	const most = 5
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	} else if n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// lasting writes a duration as the estate does.
func lasting(d time.Duration) string { return estate.FormatDuration(d) }

// counted is "1 service" or "3 services".
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// names returns the names of refs as a need would write them.
func (a *auditor) names(refs []estate.Ref) []string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = a.name(r)
	}
	return out
}

func (a *auditor) domainNames(domains []int) []string {
	out := make([]string, len(domains))
	for i, d := range domains {
		out[i] = a.s.Domains[d].Name
	}
	return out
}

func (a *auditor) allNames(sets [][]estate.Ref) [][]string {
	out := make([][]string, len(sets))
	for i, set := range sets {
		out[i] = a.names(set)
	}
	return out
}

// inLoss begins a sentence about a loss.
func (t *trial) inLoss() string {
	if t.loss.name == ColdStart {
		return "with everything down at once, "
	}
	if len(t.loss.domains) == 0 {
		return "with nothing lost, "
	}
	return "with " + strings.ReplaceAll(t.loss.name, "+", " and ") + " lost, "
}

// criticalPath lists the actions that a thing waits for longest, in order.
func (a *auditor) criticalPath(t *trial, subject place) []Step {
	var steps []Step
	seen := map[place]bool{}
	for p, more := subject, true; more && !seen[p]; {
		seen[p] = true
		p, more = a.slowest(t, p, &steps)
	}
	slices.Reverse(steps)
	return steps
}

// slowest follows a place that came back to what it came back with, and notes
// the action in between if there is one.
func (a *auditor) slowest(t *trial, p place, steps *[]Step) (place, bool) {
	at, ok := a.upAt(t, p)
	if !ok || at == 0 {
		return p, false
	}
	s := a.s
	switch p.kind {
	case estate.KindComponent:
		c := &s.Components[p.index]
		if q, ok := a.latest(t, c.Needs, at); ok {
			return q, true
		}
		for i := range c.Actions {
			start, end, ran := t.Ran(p.index, i)
			if !ran || end != at {
				continue
			}
			ref := impact.ActionRef{Component: p.index, Action: i, At: -1}
			for _, d := range c.Actions[i].At {
				if t.Fits(p.index, i, d) {
					ref.At = d
					break
				}
			}
			*steps = append(*steps, Step{ref.ID(s), start.Seconds(), end.Seconds()})
			if start == 0 {
				return p, false
			}
			for _, u := range c.Actions[i].Crew {
				if q := whole(a.ref(estate.KindCrew, u.Index)); a.isAt(t, q, start) {
					return q, true
				}
			}
			if q, ok := a.latest(t, c.Actions[i].Needs, start); ok {
				return q, true
			}
			return a.latest(t, c.StartNeeds, start)
		}
	case estate.KindService:
		if p.part >= 0 {
			if core := (place{p.kind, p.index, -1}); a.isAt(t, core, at) {
				return core, true
			}
			return a.latest(t, s.Services[p.index].Parts[p.part].Needs, at)
		}
		return a.latest(t, s.Services[p.index].Needs, at)
	case estate.KindCrew:
		return a.latest(t, s.Crews[p.index].Needs, at)
	case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
	return p, false
}

// latest returns something that a need names and that came back at that moment.
func (a *auditor) latest(t *trial, n estate.Need, at time.Duration) (place, bool) {
	var (
		found place
		ok    bool
	)
	eachRef(n, func(r estate.Ref) {
		if q := whole(r); !ok && r.Kind != estate.KindDomain && a.isAt(t, q, at) {
			found, ok = q, true
		}
	})
	return found, ok
}

func (a *auditor) isAt(t *trial, p place, at time.Duration) bool {
	got, ok := a.upAt(t, p)
	return ok && got == at && at > 0
}

func (a *auditor) upAt(t *trial, p place) (time.Duration, bool) {
	if p.part >= 0 {
		return t.PartUpAt(p.index, p.part)
	}
	return t.UpAt(a.ref(p.kind, p.index))
}
