package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"bongsu/estate"
	"bongsu/impact"
)

// A RoomShortage is room that is needed and not there.
type RoomShortage struct {
	Resource string  `json:"resource"`
	Needed   float64 `json:"needed"`
	Free     float64 `json:"free"`
}

// A room is one resource of one domain.
type room struct {
	domain   int
	resource string
}

// A usage says how much of each stated room is taken: of each domain, in the
// order of its capacity.
type usage [][]float64

// of returns how much of a room is taken.
func (u usage) of(s *estate.Snapshot, k room) float64 {
	for i, c := range s.Domains[k.domain].Capacity {
		if c.Resource == k.resource && u[k.domain] != nil {
			return u[k.domain][i]
		}
	}
	return 0
}

// usage says how much room the replicas take with nothing lost.
func (a *auditor) usage() usage {
	if a.ledger != nil {
		return a.ledger.used
	}
	used := make(usage, len(a.s.Domains))
	for i := range a.s.Components {
		for j := range a.s.Components[i].Replicas {
			a.takeRoom(&a.s.Components[i].Replicas[j], func(d, i int, amount float64) {
				if used[d] == nil {
					used[d] = make([]float64, len(a.s.Domains[d].Capacity))
				}
				used[d][i] += amount
			})
		}
	}
	return used
}

// A ledger says who takes how much of each stated room, so that a change adds up
// anew what it touches, in the same order: sums of fractions hang on that.
type ledger struct {
	takes [][][]take // of each domain, in the order of its capacity: by component
	used  usage
}

type take struct {
	component int
	amount    float64
}

func newLedger(a *auditor) *ledger {
	l := &ledger{takes: make([][][]take, len(a.s.Domains)), used: make(usage, len(a.s.Domains))}
	for c := range a.s.Components {
		for j := range a.s.Components[c].Replicas {
			a.takeRoom(&a.s.Components[c].Replicas[j], func(d, i int, amount float64) {
				if l.takes[d] == nil {
					l.takes[d], l.used[d] = make([][]take, len(a.s.Domains[d].Capacity)), make([]float64, len(a.s.Domains[d].Capacity))
				}
				l.takes[d][i] = append(l.takes[d][i], take{c, amount})
				l.used[d][i] += amount
			})
		}
	}
	return l
}

func (l *ledger) renumber(v moves) {
	l.takes, l.used = shifted(v, estate.KindDomain, l.takes, nil), shifted(v, estate.KindDomain, l.used, nil)
	if !v.Has(estate.KindComponent) {
		return
	}
	now := v.Of(estate.KindComponent)
	for _, rooms := range l.takes {
		for _, list := range rooms {
			for i := range list {
				list[i].component = now(list[i].component)
			}
		}
	}
}

// follow brings the ledger up to date with changed documents; old is where they
// were, and those that went. It reports whether any room is another than before, or
// taken by others.
func (l *ledger) follow(a, last *auditor, v moves, old, changed []estate.Ref) bool {
	type place struct{ d, i int }
	touched := map[place]bool{}
	for _, r := range old {
		if r.Kind != estate.KindComponent {
			continue
		}
		now := v.Now(r.Kind, r.Index)
		for j := range last.s.Components[r.Index].Replicas {
			last.takeRoom(&last.s.Components[r.Index].Replicas[j], func(d, i int, _ float64) {
				if d = v.Now(estate.KindDomain, d); d >= 0 {
					l.takes[d][i] = slices.DeleteFunc(l.takes[d][i], func(t take) bool { return t.component == now })
					touched[place{d, i}] = true
				}
			})
		}
	}
	join := func(c int, only map[int]bool) {
		for j := range a.s.Components[c].Replicas {
			a.takeRoom(&a.s.Components[c].Replicas[j], func(d, i int, amount float64) {
				if only != nil && !only[d] {
					return
				}
				if l.takes[d] == nil {
					l.takes[d], l.used[d] = make([][]take, len(a.s.Domains[d].Capacity)), make([]float64, len(a.s.Domains[d].Capacity))
				}
				at, _ := slices.BinarySearchFunc(l.takes[d][i], c+1, func(t take, c int) int { return t.component - c })
				l.takes[d][i] = slices.Insert(l.takes[d][i], at, take{c, amount})
				touched[place{d, i}] = true
			})
		}
	}
	own, anew, other := map[int]bool{}, map[int]bool{}, len(touched) > 0
	for _, r := range changed {
		switch r.Kind {
		case estate.KindComponent:
			own[r.Index] = true
		case estate.KindDomain: // what is stated of it may be something else
			was, had := v.Before(r)
			if !had {
				continue // what is in it has changed itself
			}
			other = true
			if !slices.EqualFunc(last.s.Domains[was.Index].Capacity, a.s.Domains[r.Index].Capacity, func(x, y estate.Amount) bool { return x.Resource == y.Resource }) {
				anew[r.Index] = true
				l.takes[r.Index], l.used[r.Index] = nil, nil
			}
		case estate.KindService, estate.KindCrew, estate.KindLimit, estate.KindProbe, estate.KindOption:
		}
	}
	for p := range touched {
		if anew[p.d] {
			delete(touched, p)
		}
	}
	if len(anew) > 0 {
		isAnew := func(d int) bool { return anew[d] }
		var beneath []int // components with something in what is anew
		for d, list := range a.hosts {
			if len(list) > 0 && (anew[d] || slices.ContainsFunc(a.s.Domains[d].Ancestors, isAnew)) {
				beneath = append(beneath, list...)
			}
		}
		slices.Sort(beneath)
		for _, c := range slices.Compact(beneath) {
			if !own[c] {
				join(c, anew)
			}
		}
	}
	for c := range own {
		join(c, nil)
	}
	other = other || len(touched) > 0
	for p := range touched {
		if l.takes[p.d] == nil {
			continue // nothing takes of any of its rooms, as another of them found
		}
		sum := 0.0
		for _, t := range l.takes[p.d][p.i] {
			sum += t.amount
		}
		l.used[p.d][p.i] = sum
		if !slices.ContainsFunc(l.takes[p.d], func(list []take) bool { return len(list) > 0 }) {
			l.takes[p.d], l.used[p.d] = nil, nil // nothing takes of it: as if it had never been
		}
	}
	return other
}

// takeRoom calls f with what an entry of replicas takes of each stated room, by
// domain and place in its capacity: in its domain and in those that this one needs
// outright.
func (a *auditor) takeRoom(r *estate.Replica, f func(d, i int, amount float64)) {
	take := func(u estate.Amount, d int) {
		for i, c := range a.s.Domains[d].Capacity {
			if c.Resource == u.Resource {
				f(d, i, u.Amount*float64(r.Count))
				break
			}
		}
	}
	for _, u := range r.Uses {
		take(u, r.In)
		for _, d := range a.s.Domains[r.In].Ancestors {
			take(u, d)
		}
	}
}

// around lists a domain and those that it needs outright.
func around(s *estate.Snapshot, d int) []int { return append([]int{d}, s.Domains[d].Ancestors...) }

// tolerance forgives what adding many fractions gets wrong.
const tolerance = 1e-6

// capacityNow finds domains that hold more than they have room for as it is.
func capacityNow(a *auditor) {
	a.used = a.usage()
	a.tight = slices.ContainsFunc(a.used, func(u []float64) bool { return u != nil })
	for d := range a.s.Domains {
		for i, used := range a.used[d] {
			have := a.s.Domains[d].Capacity[i]
			if used <= have.Amount*(1+tolerance) {
				continue
			}
			r := a.ref(estate.KindDomain, d)
			touched := a.graph.touched(false, a.inside(d)...)
			a.add(Finding{
				Severity: Error, Users: touched.users,
				Sentence: fmt.Sprintf("%s holds more than it has room for: %s of %s %s", r.Name, amount(have.Resource, used), amount(have.Resource, have.Amount), have.Resource),
				Proof:    Proof{Domains: []string{r.Name}, Services: touched.names(a.s), Room: &RoomShortage{have.Resource, used, have.Amount}},
				Fix:      a.advice(r, "%s more %s in %s, or less in it", amount(have.Resource, used-have.Amount), have.Resource, r.Name),
			}, NoLoss, r, r.Name+"/"+have.Resource)
		}
	}
}

// inside lists the components with a replica in a domain or in what stands in it.
func (a *auditor) inside(d int) []estate.Ref {
	var refs []estate.Ref
	for i := range a.s.Components {
		if slices.ContainsFunc(a.s.Components[i].Replicas, func(r estate.Replica) bool { return slices.Contains(around(a.s, r.In), d) }) {
			refs = append(refs, a.component(i))
		}
	}
	return refs
}

func amount(resource string, v float64) string {
	if resource == "storage" || resource == "disk" {
		return sized(v)
	}
	return fmt.Sprintf("%.6g", v)
}

// A demand is the least room that components need in one domain to come back.
type demand struct {
	needed float64
	refs   []estate.Ref
}

// capacity finds losses after which what has to come back cannot fit, in any
// plan: into a domain that all its ways back lead into, or into all the sites
// together that they lead into. A component counts where a service cannot do
// without it, with the fewest replicas that are enough and the least that one
// takes; room counts as free as if nothing else wanted it.
func capacity(a *auditor, t *trial) {
	if t.half != nil && a.roomEnough(t) {
		return
	}
	if !a.tight || a.roomAsBefore(t) {
		return
	}
	demands, total, sites := a.demands(t)
	if len(demands) == 0 && len(total) == 0 {
		return
	}
	free := a.free(t)
	keys := make([]room, 0, len(demands))
	for k := range demands {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y room) int {
		return cmp.Or(cmp.Compare(x.domain, y.domain), cmp.Compare(x.resource, y.resource))
	})
	short := map[string]bool{} // resources of which a site is short: all sites together add nothing
	for _, k := range keys {
		d, have := demands[k], free(k)
		if d.needed <= have+tolerance*max(d.needed, 1) {
			continue
		}
		short[k.resource] = true
		r := a.ref(estate.KindDomain, k.domain)
		a.addShortage(t, r, r.Name+"/"+k.resource, r.Name, k.resource, d, have)
	}
	resources := make([]string, 0, len(total))
	for res := range total {
		resources = append(resources, res)
	}
	slices.Sort(resources)
	for _, res := range resources {
		have := 0.0
		for _, d := range slices.Sorted(maps.Keys(sites[res])) {
			have += max(free(room{d, res}), 0)
		}
		if d := total[res]; d.needed > have+tolerance*max(d.needed, 1) && len(sites[res]) > 1 && !short[res] {
			a.addShortage(t, estate.Ref{}, "all/"+res, "all sites that are left together", res, d, have)
		}
	}
}

// roomAsBefore reports whether there was room enough in the loss, and nothing
// changed that could make it less.
func (a *auditor) roomAsBefore(t *trial) bool {
	k := a.known
	return k != nil && !k.room && !k.musts && !k.flips && !k.had[[2]string{a.rule.name, t.loss.name}] &&
		!a.standing.Moved(k.lossAt[t.loss.name]) &&
		!slices.ContainsFunc(k.changed, func(r estate.Ref) bool {
			return r.Kind == estate.KindComponent && a.must[r.Index] && !t.Held(r.Index) && !t.Up(r) && t.Back(r)
		})
}

// demands says what room the ways back need at least: in single domains, and in
// all sites together that they lead into.
func (a *auditor) demands(t *trial) (demands map[room]*demand, total map[string]*demand, sites map[string]map[int]bool) {
	demands, total, sites = map[room]*demand{}, map[string]*demand{}, map[string]map[int]bool{}
	add := func(to map[room]*demand, k room, needed float64, r estate.Ref) {
		d := to[k]
		if d == nil {
			d = &demand{}
			to[k] = d
		}
		d.needed += needed
		d.refs = append(d.refs, r)
	}
	for _, x := range t.Whole().Components {
		if x.State != impact.Recoverable || t.Held(x.Index) || !a.must[x.Index] {
			continue
		}
		w := a.wayBack(t, x.Index)
		if w == nil {
			continue
		}
		r := a.component(x.Index)
		for _, u := range w.least {
			needed := u.Amount * float64(w.replicas)
			for _, d := range w.captive {
				if _, stated := a.s.Domains[d].Capacity.Of(u.Resource); stated {
					add(demands, room{d, u.Resource}, needed, r)
				}
			}
			if a.allStated(w.sites, u.Resource) {
				if total[u.Resource] == nil {
					total[u.Resource], sites[u.Resource] = &demand{}, map[int]bool{}
				}
				total[u.Resource].needed += needed
				total[u.Resource].refs = append(total[u.Resource].refs, r)
				for _, d := range w.sites {
					sites[u.Resource][d] = true
				}
			}
		}
	}
	return demands, total, sites
}

// A shareOfRoom is what one loss needs of a room, or of all rooms together, and
// how much of it is free then.
type shareOfRoom struct {
	key          string
	domain       int
	needed, free float64
}

// shares lists the room that the loss needs, for pairs of losses to add up.
func (a *auditor) shares(t *trial) []shareOfRoom {
	if !a.tight {
		return nil
	}
	demands, total, sites := a.demands(t)
	if len(demands) == 0 && len(total) == 0 {
		return nil
	}
	free := a.free(t)
	var out []shareOfRoom
	for k, d := range demands {
		out = append(out, shareOfRoom{key: a.s.Domains[k.domain].Name + "/" + k.resource, needed: d.needed, free: free(k)})
	}
	for res, d := range total {
		have := 0.0
		for _, site := range slices.Sorted(maps.Keys(sites[res])) {
			have += max(free(room{site, res}), 0)
		}
		out = append(out, shareOfRoom{key: "/" + res, needed: d.needed, free: have})
	}
	return out
}

func (a *auditor) addShortage(t *trial, r estate.Ref, subject, where, resource string, d *demand, have float64) {
	if !a.fresh(subject, Error) {
		return
	}
	have = max(have, 0)
	touched := a.graph.touched(false, d.refs...)
	a.add(Finding{
		Severity: Error, Users: touched.users,
		Sentence: fmt.Sprintf("%swhat has to come back in %s needs %s %s, and %s is free", t.inLoss(), where, amount(resource, d.needed), resource, amount(resource, have)),
		Proof: Proof{
			Words:    []string{counted(len(d.refs), "component has", "components have") + " no other place to come back in: " + join(a.names(d.refs))},
			Services: touched.names(a.s), Room: &RoomShortage{resource, d.needed, have},
		},
		Fix: &Measure{Words: fmt.Sprintf("%s more %s in %s, or another place for some of it", amount(resource, d.needed-have), resource, where), Cost: 1},
	}, t.loss.name, r, subject)
}

// free returns a function that says how much of a room is free after the loss.
func (a *auditor) free(t *trial) func(room) float64 {
	gone := map[room]float64{}
	for _, d := range t.Whole().LostDomains {
		// What stood in a domain frees room only around it, where that lives.
		if !slices.ContainsFunc(a.s.Domains[d].Ancestors, t.Alive) {
			continue
		}
		for _, c := range a.hosts[d] {
			for _, r := range a.s.Components[c].Replicas {
				if r.In == d {
					a.takeRoom(&r, func(d, i int, amount float64) {
						gone[room{d, a.s.Domains[d].Capacity[i].Resource}] += amount
					})
				}
			}
		}
	}
	return func(k room) float64 {
		if !t.Alive(k.domain) {
			return 0
		}
		have, _ := a.s.Domains[k.domain].Capacity.Of(k.resource)
		return have - a.used.of(a.s, k) + gone[k]
	}
}

// A way says what it takes at least to bring a component back by adding replicas.
type way struct {
	replicas int
	least    estate.Resources // that one of them takes, at least, wherever it goes
	captive  []int            // domains that every one of them goes into
	sites    []int            // sites of all places
}

// wayBack returns nil where the component can come back without any room.
func (a *auditor) wayBack(t *trial, component int) *way {
	c := &a.s.Components[component]
	if c.Mode != estate.ModeAny {
		return nil
	}
	w := &way{}
	var adds []int
	for i := range c.Actions {
		act := &c.Actions[i]
		if _, _, ran := t.Ran(component, i); !ran {
			continue
		}
		if act.Adds == 0 || len(act.At) == 0 {
			return nil // it needs no room, or takes it nobody knows where
		}
		adds = append(adds, act.Adds)
		for _, d := range act.At {
			if !t.Fits(component, i, d) {
				continue
			}
			inside := around(a.s, d)
			slices.Sort(inside)
			uses := usesAt(a.s, c, d)
			if w.least == nil && w.captive == nil {
				w.least, w.captive = slices.Clone(uses), inside
			} else {
				w.least = least(w.least, uses)
				w.captive = slices.DeleteFunc(w.captive, func(x int) bool { _, ok := slices.BinarySearch(inside, x); return !ok })
			}
			if site := a.s.Domains[d].Site; !slices.Contains(w.sites, site) {
				w.sites = append(w.sites, site)
			}
		}
	}
	w.replicas = leastSum(adds, c.AtLeast-t.Living(component))
	return w
}

// usesAt returns what an added replica takes in a place: what the component's
// entry in the same site uses, else its first entry.
func usesAt(s *estate.Snapshot, c *estate.Component, d int) estate.Resources {
	if len(c.Replicas) == 0 {
		return nil
	}
	for _, r := range c.Replicas {
		if s.Domains[r.In].Site == s.Domains[d].Site {
			return r.Uses
		}
	}
	return c.Replicas[0].Uses
}

// least takes the lesser of each resource; one that is not in both is none.
func least(x, y estate.Resources) estate.Resources {
	var out estate.Resources
	for _, u := range x {
		if v, ok := y.Of(u.Resource); ok {
			out = append(out, estate.Amount{Resource: u.Resource, Amount: min(u.Amount, v)})
		}
	}
	return out
}

// leastSum returns the least sum of some of the numbers that is at least want;
// of many numbers, want itself, which is never more.
func leastSum(numbers []int, want int) int {
	if len(numbers) > 12 {
		return max(want, 0)
	}
	best := -1
	for set := range 1 << len(numbers) {
		sum := 0
		for i, n := range numbers {
			if set>>i&1 == 1 {
				sum += n
			}
		}
		if sum >= want && (best < 0 || sum < best) {
			best = sum
		}
	}
	return max(best, 0)
}

// allStated reports whether each of the sites states how much of the resource it has.
func (a *auditor) allStated(sites []int, resource string) bool {
	for _, d := range sites {
		if d < 0 {
			return false
		}
		if _, ok := a.s.Domains[d].Capacity.Of(resource); !ok {
			return false
		}
	}
	return len(sites) > 0
}

// outright says which components each component and each service with its parts
// cannot do without, as it is written: through lists, never through alternatives.
type outright struct {
	components, services [][]int32
}

func newOutright(s *estate.Snapshot) *outright {
	o := &outright{make([][]int32, len(s.Components)), make([][]int32, len(s.Services))}
	for i := range s.Components {
		o.components[i] = outrightOf(nil, s.Components[i].Needs)
	}
	for i := range s.Services {
		o.service(s, i)
	}
	return o
}

func (o *outright) service(s *estate.Snapshot, i int) {
	list := outrightOf(nil, s.Services[i].Needs)
	for _, p := range s.Services[i].Parts {
		list = outrightOf(list, p.Needs)
	}
	o.services[i] = list
}

func outrightOf(list []int32, n estate.Need) []int32 {
	switch {
	case n.Empty():
	case n.Ref != nil:
		if n.Ref.Kind == estate.KindComponent {
			list = append(list, int32(n.Ref.Index)) //nolint:gosec // an estate has fewer components
		}
	case n.K == len(n.Of):
		for _, o := range n.Of {
			list = outrightOf(list, o)
		}
	}
	return list
}

func (o *outright) renumber(v moves) {
	o.components, o.services = shifted(v, estate.KindComponent, o.components, nil), shifted(v, estate.KindService, o.services, nil)
	renumber(v, estate.KindComponent, o.components...)
	renumber(v, estate.KindComponent, o.services...)
}

// follow brings it up to date with changed documents.
func (o *outright) follow(s *estate.Snapshot, changed []estate.Ref) {
	for _, r := range changed {
		switch r.Kind {
		case estate.KindComponent:
			o.components[r.Index] = outrightOf(nil, s.Components[r.Index].Needs)
		case estate.KindService:
			o.service(s, r.Index)
		case estate.KindDomain, estate.KindCrew, estate.KindLimit, estate.KindProbe, estate.KindOption:
		}
	}
}

// musts returns the components that some service or part cannot do without.
func (o *outright) musts() []bool {
	must := make([]bool, len(o.components))
	var stack []int32
	push := func(list []int32) {
		for _, c := range list {
			if !must[c] {
				must[c] = true
				stack = append(stack, c)
			}
		}
	}
	for _, list := range o.services {
		push(list)
	}
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		push(o.components[c])
	}
	return must
}
