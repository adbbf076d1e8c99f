package verify

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"bongsu/estate"
)

// fix checks what measures bring back, and that none of less cost would.
func (m *model) fix(r *Report, f *Fix) {
	k := &impactCheck{m: m, r: r, im: &Impact{Claim: ImpactClaim{Lost: f.Claim.Lost}, Proof: f.Proof}}
	if !k.fall() || !k.recovery() || !k.stay() {
		return
	}
	x := &fixCheck{impactCheck: k, claim: &f.Claim}
	if !x.services() || !x.measures() || !x.sets() {
		return
	}
	c := &f.Claim
	lost := listed(c.Lost)
	r.proved("services%s that nothing brings back after the loss of %s (%d in all): these and no others", ofTier(c.Tier), lost, len(c.Services))
	if len(c.Impossible) > 0 {
		r.proved("services that no measure helps (%d in all): they stay down with every component and crew up", len(c.Impossible))
	}
	r.proved("the measures (%d in all, at the costs that the estate gives: %s): with these things up, whatever they need, each other service of the list comes back", len(c.Measures), cost(c.Cost))
	r.proved("each blocked set (%d in all): with every component and crew up that is not in it, a service of the list stays down", len(c.Blocked))
	r.proved("no measures cost less than %s: the cheapest members of %d blocked sets that share none", cost(c.LowerBound), len(c.Disjoint))
	x.least()
	r.unproved("what it takes to have these things up, and what that costs: the estate says the cost")
}

func ofTier(tier int) string {
	if tier == 0 {
		return ""
	}
	return fmt.Sprintf(" of tier %d", tier)
}

func cost(v float64) string { return fmt.Sprintf("%.10g", v) }

// same compares sums that may have been added up in another order.
func same(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

type fixCheck struct {
	*impactCheck

	claim    *FixClaim
	most     *world // with every component and crew up
	subjects []int  // the services that measures are to bring back
	chosen   []int
	blocked  [][]int
}

// services checks which services stay down, and which of them stay down whatever is up.
func (x *fixCheck) services() bool {
	m, c := x.m, x.claim
	w := &world{
		m: m, up: slices.Clone(x.fallen.up), gone: make([]bool, m.n), g: make([]gains, len(m.s.Components)),
		ran: make([]bool, len(m.acts)), held: x.fallen.held, within: make([]bool, m.n),
	}
	var rest []int
	for v := m.comp; v < m.n; v++ {
		w.up[v] = true
		if m.follows(v) {
			w.within[v] = true
			rest = append(rest, v)
		}
	}
	w.check(rest)
	w.trail = nil
	clear(w.within)
	x.most = w
	var down, never []string
	for i := range m.s.Services {
		s, v := &m.s.Services[i], m.svc+i
		if x.back.up[v] || c.Tier > 0 && s.Tier != c.Tier {
			continue
		}
		if down = append(down, s.Name); w.up[v] {
			x.subjects = append(x.subjects, v)
		} else {
			never = append(never, s.Name)
		}
	}
	switch {
	case c.Tier < 0:
		x.r.wrong("there is no tier %d", c.Tier)
	case !slices.Equal(down, c.Services):
		x.r.wrong("the services%s that stay down are %s, not %s", ofTier(c.Tier), strings.Join(down, ", "), strings.Join(c.Services, ", "))
	case !slices.Equal(never, c.Impossible):
		x.r.wrong("the services that no measure helps are %s, not %s", strings.Join(never, ", "), strings.Join(c.Impossible, ", "))
	default:
		return true
	}
	return false
}

// follows reports whether a thing is up or down by what it needs alone.
func (m *model) follows(v int) bool { return v >= m.svc && v < m.crew || v >= m.part }

// thingsOf turns the names of components and crews into numbers.
func (x *fixCheck) thingsOf(what string, names []string) ([]int, bool) {
	list := make([]int, len(names))
	for i, name := range names {
		v, ok := x.m.named(name)
		if !ok || v < x.m.comp || x.m.follows(v) || slices.Contains(list[:i], v) {
			x.r.wrong("%q, in %s, is no component or crew of the estate, or is there twice", name, what)
			return nil, false
		}
		list[i] = v
	}
	return list, true
}

func (x *fixCheck) costOf(v int) float64 {
	if v >= x.m.crew {
		return x.m.s.Doc(estate.Ref{Kind: estate.KindCrew, Index: v - x.m.crew}).Cost
	}
	return x.m.s.Doc(estate.Ref{Kind: estate.KindComponent, Index: v - x.m.comp}).Cost
}

// measures checks that the measures bring the services back, and what they cost.
func (x *fixCheck) measures() bool {
	names, sum := make([]string, len(x.claim.Measures)), 0.0
	for i, item := range x.claim.Measures {
		names[i] = item.Subject
	}
	chosen, ok := x.thingsOf("the measures", names)
	if !ok {
		return false
	}
	for i, v := range chosen {
		if own := x.costOf(v); own != x.claim.Measures[i].Cost {
			x.r.wrong("%s costs %s, not %s", names[i], cost(own), cost(x.claim.Measures[i].Cost))
			return false
		}
		sum += x.costOf(v)
	}
	if !same(sum, x.claim.Cost) {
		x.r.wrong("the measures cost %s, not %s", cost(sum), cost(x.claim.Cost))
		return false
	}
	x.chosen = chosen
	w := x.back.clone()
	for _, v := range chosen {
		w.recover(w.rise(v, true))
	}
	for _, v := range x.subjects {
		if !w.up[v] {
			x.r.wrong("%s does not come back with the measures", x.m.name(v))
			return false
		}
	}
	return true
}

// sets checks that each set is blocked, and what those that share no member add up to.
func (x *fixCheck) sets() bool {
	known := map[string]bool{}
	for _, names := range x.claim.Blocked {
		set, ok := x.thingsOf("a blocked set", names)
		if !ok {
			return false
		}
		if !x.blocks(set) {
			x.r.wrong("all services come back with everything up but %s, so that is no blocked set", strings.Join(names, ", "))
			return false
		}
		x.blocked = append(x.blocked, set)
		known[strings.Join(names, "\n")] = true
	}
	taken, bound := map[int]bool{}, 0.0
	for _, names := range x.claim.Disjoint {
		if !known[strings.Join(names, "\n")] {
			x.r.wrong("%s is said to be disjoint, and is none of the blocked sets", strings.Join(names, ", "))
			return false
		}
		set, _ := x.thingsOf("a disjoint set", names) // it was read before
		least := math.Inf(1)
		for i, v := range set {
			if taken[v] {
				x.r.wrong("%s is in two of the sets that are to share no member", names[i])
				return false
			}
			taken[v] = true
			least = min(least, x.costOf(v))
		}
		bound += least
	}
	if !same(bound, x.claim.LowerBound) {
		x.r.wrong("the cheapest members of the disjoint sets cost %s, not %s", cost(bound), cost(x.claim.LowerBound))
		return false
	}
	return true
}

// blocks reports whether a service stays down with everything up but the set. Only the
// set and the services on it are looked at.
func (x *fixCheck) blocks(set []int) bool {
	m, w := x.m, x.most
	touched := slices.Clone(set)
	for _, v := range set {
		w.within[v] = true
	}
	for i := 0; i < len(touched); i++ {
		for _, u := range m.users[touched[i]] {
			if m.follows(u) && !w.within[u] {
				w.within[u] = true
				touched = append(touched, u)
			}
		}
	}
	defer func() {
		w.undo()
		for _, v := range touched {
			w.within[v] = false
		}
	}()
	w.check(slices.Clone(touched))
	var risen []int
	for _, v := range set {
		if v >= m.svc {
			continue
		}
		for _, a := range m.actsOf[v-m.comp] {
			if w.useful(a) && m.ableSomewhere(a, w.isUp) {
				risen = append(risen, w.run(a)...)
			}
		}
	}
	w.recover(risen)
	return slices.ContainsFunc(x.subjects, func(v int) bool { return !w.up[v] })
}

// least tells whether nothing cheaper would do: by the bound, or where that is below the
// cost and it is cheap, by trying all choices that meet the blocked sets.
func (x *fixCheck) least() {
	c := x.claim
	if same(c.LowerBound, c.Cost) {
		x.r.proved("the measures are the cheapest: they cost no more than that")
		return
	}
	left := fmt.Sprintf("that the measures are the cheapest: something might do that costs between %s and %s, what they cost", cost(c.LowerBound), cost(c.Cost))
	if !c.Optimal {
		x.r.unproved(left + "; it is not claimed either")
		return
	}
	// Sets that are not tied by shared members are met apart from each other.
	tries := 0
	for _, sets := range x.apart() {
		s := &cheaper{check: x, sets: sets, in: map[int]bool{}, out: map[int]bool{}, tries: tries}
		for _, v := range x.chosen {
			if slices.ContainsFunc(sets, func(set []int) bool { return slices.Contains(set, v) }) {
				s.under += x.costOf(v)
			}
		}
		switch found := s.find(0); {
		case found:
			x.r.wrong("something that costs less than %s has a member of every blocked set, so they do not show that it is the least", cost(c.Cost))
			return
		case s.tries > maxTries:
			x.r.open("%s", left)
			return
		}
		tries = s.tries
	}
	for _, v := range x.chosen {
		if !slices.ContainsFunc(x.blocked, func(set []int) bool { return slices.Contains(set, v) }) && x.costOf(v) > 0 {
			x.r.wrong("%s is in no blocked set, so they do not show that it is needed", x.m.name(v))
			return
		}
	}
	x.r.proved("the measures are the cheapest: whatever has a member of each blocked set costs as much (choices tried: %d)", tries)
}

// apart splits the blocked sets into those that are tied to each other by shared members.
func (x *fixCheck) apart() [][][]int {
	holders := map[int][]int{} // of a thing: the sets that it is in
	for i, set := range x.blocked {
		for _, v := range set {
			holders[v] = append(holders[v], i)
		}
	}
	seen := make([]bool, len(x.blocked))
	var groups [][][]int
	for i := range x.blocked {
		if seen[i] {
			continue
		}
		seen[i] = true
		var group [][]int
		for stack := []int{i}; len(stack) > 0; {
			set := x.blocked[stack[len(stack)-1]]
			stack = stack[:len(stack)-1]
			group = append(group, set)
			for _, v := range set {
				for _, j := range holders[v] {
					if !seen[j] {
						seen[j] = true
						stack = append(stack, j)
					}
				}
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// cheaper looks for a choice that meets some sets and costs less.
type cheaper struct {
	check   *fixCheck
	sets    [][]int
	under   float64
	tries   int
	in, out map[int]bool // chosen, and done with
}

func (s *cheaper) find(spent float64) bool {
	if s.tries++; s.tries > maxTries {
		return false
	}
	var pick []int
	options := math.MaxInt
	least, taken := spent, map[int]bool{} // what sets that share no free member cost besides
	for _, set := range s.sets {
		if slices.ContainsFunc(set, func(v int) bool { return s.in[v] }) {
			continue
		}
		var free []int
		cheapest, apart := math.Inf(1), true
		for _, v := range set {
			if !s.out[v] {
				free = append(free, v)
				cheapest = min(cheapest, s.check.costOf(v))
				apart = apart && !taken[v]
			}
		}
		if len(free) < options {
			pick, options = free, len(free)
		}
		if apart {
			least += cheapest
			for _, v := range free {
				taken[v] = true
			}
		}
	}
	if least >= s.under || same(least, s.under) {
		return false
	}
	if options == math.MaxInt {
		return true
	}
	defer func() {
		for _, v := range pick {
			delete(s.out, v)
		}
	}()
	for _, v := range pick {
		s.in[v] = true
		found := s.find(spent + s.check.costOf(v))
		delete(s.in, v)
		if found {
			return true
		}
		s.out[v] = true
	}
	return false
}
