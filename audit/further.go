package audit

import (
	"slices"

	"bongsu/estate"
	"bongsu/impact"
)

// A half is what the first domain of a pair does alone. The view of the pair
// lists only what the second one changes, and the rules look at nothing else:
// whatever they find in a pair without it, they find in the first half too, at
// least as grave, since losing more only makes a thing worse. What they need of
// the rest is here.
type half struct {
	lossy map[int]lossyService // of services that lose data
	data  map[int]impact.DataLoss

	room *halfRoom
}

// hold holds the rules against one loss.
func (a *auditor) hold(t *trial) {
	for _, r := range a.rules {
		if r.loss != nil {
			a.rule = r
			r.loss(a, t)
		}
	}
}

// firstHalf notes what the rules will need of the loss that others follow.
func (a *auditor) firstHalf(t *trial) *half {
	h := &half{data: map[int]impact.DataLoss{}}
	for _, l := range a.lossyComponents(t) {
		h.data[l.component] = l.loss
	}
	h.lossy = a.dataLosses(t)
	if a.tight {
		h.room = a.roomOf(t)
	}
	return h
}

// lossyComponents lists the components that lose data, in the order of the
// estate; of a further loss, those that lose more.
func (a *auditor) lossyComponents(t *trial) []lossyService {
	var lossy []lossyService
	note := func(c int) {
		d := t.DataLost(c)
		if d == (impact.DataLoss{Known: true}) {
			return
		}
		if t.half != nil {
			if was, ok := t.half.data[c]; ok && was == d {
				return
			}
		}
		lossy = append(lossy, lossyService{d, c})
	}
	if t.half == nil {
		for _, c := range t.NotHolding() {
			note(c)
		}
		return lossy
	}
	for _, c := range a.reached(t) {
		if !t.Held(c) {
			note(c)
		}
	}
	return lossy
}

// reached lists the components that a further loss reaches, sorted.
func (a *auditor) reached(t *trial) []int {
	out := make([]int, 0, len(t.Reached()))
	for _, c := range t.Reached() {
		out = append(out, int(c))
	}
	slices.Sort(out)
	return out
}

// withFirst settles which component a service loses most of in a pair: one that
// loses more than in the first half, or the one that it was there.
func (a *auditor) withFirst(t *trial, lossy map[int]lossyService) {
	if t.half == nil {
		return
	}
	for i, l := range lossy {
		if was, ok := t.half.lossy[i]; ok && (was.loss.More(l.loss) || !l.loss.More(was.loss) && was.component < l.component) {
			lossy[i] = was
		}
	}
}

// servicesDown says which services are down right after the loss.
func (a *auditor) servicesDown(t *trial) reach {
	var r reach
	for _, x := range t.Whole().Services {
		if x.State == impact.Recoverable || x.State == impact.Unrecoverable {
			r.services = append(r.services, x.Index)
			r.users += a.s.Services[x.Index].Users
		}
	}
	return r
}

// said returns the components that nothing need be said about, since a service
// or part that cannot come back needs them, or waits for them; unwaived: one of which nobody
// waived that.
func (a *auditor) said(t *trial, left []estate.Ref, unwaived bool) map[int]bool {
	const (
		unknown = iota
		yes
		no
	)
	var (
		g     = a.graph
		known = map[int]int{}
		out   = map[int]bool{}
	)
	counts := func(service int) bool {
		return !unwaived || a.waiver(&a.s.Services[service].Doc, a.rule.name, t.loss.name) == nil
	}
	told := func(id int) bool {
		switch {
		case id >= g.first[3]:
			service := g.parts[id-g.first[3]].Index
			_, ok := t.PartUpAt(service, g.part[id-g.first[3]])
			return !ok && counts(service)
		case id >= g.first[1] && id < g.first[2]:
			service := id - g.first[1]
			return !t.Back(estate.Ref{Kind: estate.KindService, Index: service}) && counts(service)
		}
		return false
	}
	for _, r := range left {
		before := map[int]int{r.Index: -1}
		stack := []int{r.Index}
		found := -1
		for len(stack) > 0 && found < 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if known[n] == yes || told(n) {
				found = n
				break
			}
			push := func(up int) {
				if _, seen := before[up]; !seen && known[up] != no && (up < g.first[2] || up >= g.first[3]) {
					before[up] = n
					stack = append(stack, up)
				}
			}
			for _, up := range g.run[n] {
				push(up)
			}
			for _, up := range g.repair[n] {
				if !t.Holds(up) {
					push(up)
				}
			}
		}
		if found < 0 {
			for n := range before {
				known[n] = no
			}
			continue
		}
		for n := found; n >= 0; n = before[n] {
			known[n] = yes
		}
		out[r.Index] = true
	}
	return out
}

// cutOff lists the crews that cannot be reached right after the loss, where that
// may be news. Sorted.
func (a *auditor) cutOff(t *trial) []int {
	var crews []int
	for _, x := range t.Crews {
		crews = append(crews, x.Index)
	}
	if t.half != nil { // and those that have more to do now
		for _, c := range t.Loosened() {
			for i := range a.s.Components[c].Actions {
				for _, u := range a.s.Components[c].Actions[i].Crew {
					if !t.Up(estate.Ref{Kind: estate.KindCrew, Index: u.Index}) {
						crews = append(crews, u.Index)
					}
				}
			}
		}
	}
	slices.Sort(crews)
	return slices.DeleteFunc(slices.Compact(crews), func(i int) bool {
		r := a.ref(estate.KindCrew, i)
		sev := Error
		if t.Back(r) {
			sev = Warning
		}
		return !a.fresh(a.name(r), sev)
	})
}

// workFor lists the components that wait for a crew, one for each action.
func (a *auditor) workFor(t *trial, crew int) []estate.Ref {
	var work []estate.Ref
	for _, c := range helped(a.graph.repair[a.graph.first[2]+crew]) {
		if t.Held(c) {
			continue
		}
		for i := range a.s.Components[c].Actions {
			if t.Possible(c, i) {
				for _, u := range a.s.Components[c].Actions[i].Crew {
					if u.Index == crew {
						work = append(work, a.component(c))
					}
				}
			}
		}
	}
	return work
}

// helped lists each component once; the list is sorted already.
func helped(components []int) []int { return slices.Compact(slices.Clone(components)) }

// toolsLost lists the tools that are down right after the loss, where it may be
// news that something waits for them. Sorted.
func (a *auditor) toolsLost(t *trial) []impact.Touched {
	var tools []int
	for _, x := range t.Components {
		tools = append(tools, x.Index)
	}
	if t.half != nil { // and those that more waits for now
		for _, c := range a.reached(t) {
			if t.Held(c) {
				continue
			}
			comp := &a.s.Components[c]
			for i := range comp.Actions {
				if t.Possible(c, i) {
					for _, n := range []estate.Need{comp.Actions[i].Needs, comp.StartNeeds} {
						for _, r := range t.unmet(nil, n, false) {
							if r.Kind == estate.KindComponent {
								tools = append(tools, r.Index)
							}
						}
					}
				}
			}
		}
	}
	slices.Sort(tools)
	var out []impact.Touched
	for _, i := range slices.Compact(tools) {
		r := estate.Ref{Kind: estate.KindComponent, Index: i}
		if !a.s.Components[i].Tool || t.Up(r) {
			continue
		}
		x, sev := impact.Touched{Index: i, State: impact.Recoverable}, Warning
		if !t.Back(r) {
			x.State, sev = impact.Unrecoverable, Error
		}
		if a.fresh(a.name(r), sev) {
			out = append(out, x)
		}
	}
	return out
}

// waitingFor lists the components that could come back elsewhere, but for a tool.
func (a *auditor) waitingFor(t *trial, tool int) []int {
	var out []int
	for _, c := range helped(a.graph.repair[tool]) {
		if c != tool && !t.Held(c) && a.waitsFor(t, c, tool) {
			out = append(out, c)
		}
	}
	return out
}

func (a *auditor) waitsFor(t *trial, c, tool int) bool {
	comp := &a.s.Components[c]
	is := func(r estate.Ref) bool { return r.Kind == estate.KindComponent && r.Index == tool }
	for i := range comp.Actions {
		if t.Possible(c, i) && (slices.ContainsFunc(t.unmet(nil, comp.Actions[i].Needs, false), is) || slices.ContainsFunc(t.unmet(nil, comp.StartNeeds, false), is)) {
			return true
		}
	}
	return false
}

// halfRoom is what the first half needs of rooms, and what is free in it.
type halfRoom struct {
	claims map[int]*claim // of components
	needed map[room]float64
	total  map[string]float64
	sites  map[room]int // how many components count on a resource in a site
	free   func(room) float64
	all    []int // sites
}

// A claim is the room that one component needs at least to come back.
type claim struct {
	rooms  []room
	needed []float64 // of each

	resources []string // of which the sites together must have enough
	total     []float64
	sites     []int
}

// claimOf returns what a component claims in the loss, or nil.
func (a *auditor) claimOf(t *trial, component int) *claim {
	r := estate.Ref{Kind: estate.KindComponent, Index: component}
	if !a.must[component] || t.Held(component) || t.Up(r) || !t.Back(r) {
		return nil
	}
	w := a.wayBack(t, component)
	if w == nil {
		return nil
	}
	c := &claim{sites: w.sites}
	for _, u := range w.least {
		needed := u.Amount * float64(w.replicas)
		for _, d := range w.captive {
			if _, stated := a.s.Domains[d].Capacity.Of(u.Resource); stated {
				c.rooms, c.needed = append(c.rooms, room{d, u.Resource}), append(c.needed, needed)
			}
		}
		if a.allStated(w.sites, u.Resource) {
			c.resources, c.total = append(c.resources, u.Resource), append(c.total, needed)
		}
	}
	if len(c.rooms)+len(c.resources) == 0 {
		return nil
	}
	return c
}

func (a *auditor) roomOf(t *trial) *halfRoom {
	h := &halfRoom{
		claims: map[int]*claim{}, needed: map[room]float64{}, total: map[string]float64{},
		sites: map[room]int{}, free: a.free(t),
	}
	for d := range a.s.Domains {
		if a.s.Domains[d].Type == estate.TypeSite {
			h.all = append(h.all, d)
		}
	}
	for _, x := range t.Components {
		if c := a.claimOf(t, x.Index); c != nil {
			h.claims[x.Index] = c
			for i, k := range c.rooms {
				h.needed[k] += c.needed[i]
			}
			for i, res := range c.resources {
				h.total[res] += c.total[i]
				for _, site := range c.sites {
					h.sites[room{site, res}]++
				}
			}
		}
	}
	return h
}

// roomEnough reports whether a further loss surely leaves no room short that was
// not short before it. What it adds to the claims is counted in full; what it
// takes from them is not, and room that it frees is not.
func (a *auditor) roomEnough(t *trial) bool {
	if t.half.room == nil {
		return true
	}
	var (
		h       = t.half.room
		more    = map[room]float64{}
		total   = map[string]float64{}
		sites   = map[room]int{}
		touched = a.reached(t)
	)
	for _, x := range t.Components {
		touched = append(touched, x.Index)
	}
	slices.Sort(touched)
	for _, i := range slices.Compact(touched) {
		old, now := h.claims[i], a.claimOf(t, i)
		if old != nil {
			for _, res := range old.resources {
				for _, site := range old.sites {
					sites[room{site, res}]--
				}
				total[res] += 0 // its sites may be fewer now
			}
		}
		if now == nil {
			continue
		}
		for j, k := range now.rooms {
			more[k] += max(now.needed[j]-old.in(k), 0)
		}
		for j, res := range now.resources {
			total[res] += max(now.total[j]-old.of(res), 0)
			for _, site := range now.sites {
				sites[room{site, res}]++
			}
		}
	}
	short := func(needed, free float64) bool { return needed > free-tolerance*max(needed, 1) }
	for k, n := range more {
		had, free := h.needed[k], h.free(k)
		known := had > free+2*tolerance*max(had, 1) // the first half says it already
		if !known && short(had+n, free) {
			return false
		}
	}
	for res, n := range total {
		free := 0.0
		for _, d := range h.all {
			if k := (room{d, res}); h.sites[k]+sites[k] > 0 {
				free += max(h.free(k), 0)
			}
		}
		if short(h.total[res]+n, free) {
			return false
		}
	}
	return true
}

func (c *claim) in(k room) float64 {
	sum := 0.0
	if c != nil {
		for i, r := range c.rooms {
			if r == k {
				sum += c.needed[i]
			}
		}
	}
	return sum
}

func (c *claim) of(resource string) float64 {
	sum := 0.0
	if c != nil {
		for i, r := range c.resources {
			if r == resource {
				sum += c.total[i]
			}
		}
	}
	return sum
}
