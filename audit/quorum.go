package audit

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"bongsu/estate"
	"bongsu/impact"
)

// A QuorumPlan says which losses a consensus group survives, and where one more
// voter helps most. The losses are those of single domains, and of pairs, among
// the domains that a voter hangs on and those that the places hang on where one
// more could stand: domains of the types that hold its voters, and sites.
type QuorumPlan struct {
	Voters   int         `json:"voters"`
	Majority int         `json:"majority"`
	Singles  int         `json:"singles"`         // losses of one domain that were tried
	Breaking []string    `json:"breaking"`        // those that take the majority
	Pairs    int         `json:"pairs"`           // pairs of domains that were tried
	Survived int         `json:"survivedPairs"`   // of these
	Joint    [][2]string `json:"joint,omitempty"` // pairs that break it though neither domain does alone; at most twenty
	More     *MoreVoters `json:"more,omitempty"`  // where one more voter helps most; absent: nowhere
}

// MoreVoters is what one more voter buys.
type MoreVoters struct {
	In      string `json:"in"`
	Singles int    `json:"singles"` // losses of one domain that it survives then and not now; negative where it harms
	Pairs   int    `json:"pairs"`
}

// mostPlaces is how many domains of one type are looked at for one more voter, the
// first of them, mostWays how many sorts of them, each of which needs something
// else, and mostAlike how many of a sort, to find one that no voter hangs on.
const (
	mostPlaces = 24
	mostWays   = 24
	mostAlike  = 16
)

// mostVoterDomains is how many domains may hold voters of one group.
const mostVoterDomains = 256

// A mask is a set of domains that hold voters, by position.
type mask [mostVoterDomains / 64]uint64

func (m mask) or(o mask) mask {
	for i := range m {
		m[i] |= o[i]
	}
	return m
}

func (m mask) with(i int) mask {
	m[i/64] |= 1 << (i % 64)
	return m
}

// cuts are the least losses of one or two domains that take a domain.
type cuts struct {
	one []int // sorted
	two [][2]int
}

// A cutter finds the cuts of domains, each once, and plans with them.
type cutter struct {
	s      *estate.Snapshot
	done   []*cuts
	places map[string]places   // by type of domain
	plans  map[int]*QuorumPlan // by component
	seen   []int               // of each domain: the turn in which it was counted last
	turn   int
}

func newCutter(s *estate.Snapshot) *cutter {
	return &cutter{s: s, done: make([]*cuts, len(s.Domains)), places: map[string]places{}, plans: map[int]*QuorumPlan{}}
}

// places are the domains of one type by what they need, which is all that tells
// those apart that no voter hangs on. Of too many ways there are those of each site
// in turn.
type places struct {
	first []int // whatever they need
	ways  [][]int
}

func placesOf(s *estate.Snapshot, kind string) places {
	var p places
	at := map[string]int{}
	var key []byte
	for d := range s.Domains {
		if s.Domains[d].Type != kind {
			continue
		}
		if len(p.first) < mostPlaces {
			p.first = append(p.first, d)
		}
		key = appendNeed(key[:0], &s.Domains[d].Needs)
		i, ok := at[string(key)]
		if !ok {
			i = len(p.ways)
			at[string(key)], p.ways = i, append(p.ways, nil)
		}
		if len(p.ways[i]) < mostAlike {
			p.ways[i] = append(p.ways[i], d)
		}
	}
	if len(p.ways) > mostWays {
		turn, n := map[int]int{}, map[int]int{} // of each way, by its first domain, and of each site
		for _, w := range p.ways {
			site := s.Domains[w[0]].Site
			turn[w[0]] = n[site]
			n[site]++
		}
		slices.SortStableFunc(p.ways, func(v, w []int) int { return cmp.Compare(turn[v[0]], turn[w[0]]) })
		p.ways = p.ways[:mostWays]
	}
	return p
}

// appendNeed appends what tells a need from others.
func appendNeed(b []byte, n *estate.Need) []byte {
	if n.Ref != nil {
		return binary.AppendVarint(append(b, 'r'), int64(n.Ref.Index))
	}
	b = binary.AppendVarint(append(b, 'k'), int64(n.K))
	b = binary.AppendVarint(b, int64(len(n.Of)))
	for i := range n.Of {
		b = appendNeed(b, &n.Of[i])
	}
	return b
}

func (p places) equal(o places) bool {
	return slices.Equal(p.first, o.first) && slices.EqualFunc(p.ways, o.ways, slices.Equal)
}

func (p places) any(has func(d int) bool) bool {
	return slices.ContainsFunc(p.first, has) || slices.ContainsFunc(p.ways, func(w []int) bool { return slices.ContainsFunc(w, has) })
}

// typed returns the places of a type.
func (c *cutter) typed(kind string) places {
	p, ok := c.places[kind]
	if !ok {
		p = placesOf(c.s, kind)
		c.places[kind] = p
	}
	return p
}

// follow returns a cutter for a snapshot of which only some documents changed, and
// whether voters could stand in other places than before, or in such as are under what
// changed.
func (c *cutter) follow(s *estate.Snapshot, v moves, under []bool, changed []estate.Ref) (*cutter, bool) {
	n := *c
	n.done = shifted(v, estate.KindDomain, c.done, nil)
	for _, k := range n.done {
		if k != nil && v.Has(estate.KindDomain) {
			renumber(v, estate.KindDomain, k.one)
			for i := range k.two {
				renumber(v, estate.KindDomain, k.two[i][:])
			}
		}
	}
	for d, is := range under {
		if is {
			n.done[d] = nil
		}
	}
	n.s, n.plans, n.seen = s, map[int]*QuorumPlan{}, nil
	if v.Has(estate.KindDomain) || under != nil || slices.ContainsFunc(changed, func(r estate.Ref) bool { return r.Kind == estate.KindDomain }) {
		n.places = map[string]places{}
		others := false
		for kind, was := range c.places {
			renumber(v, estate.KindDomain, was.first)
			renumber(v, estate.KindDomain, was.ways...)
			now := n.typed(kind)
			others = others || !now.equal(was) || under != nil && now.any(func(d int) bool { return under[d] })
		}
		if others {
			return &n, true
		}
	}
	for i, p := range c.plans {
		if i = v.Now(estate.KindComponent, i); i >= 0 {
			n.plans[i] = p
		}
	}
	for _, r := range changed {
		if r.Kind == estate.KindComponent {
			delete(n.plans, r.Index)
		}
	}
	return &n, false
}

// planned is plan, once for each component.
func (c *cutter) planned(component int) *QuorumPlan {
	p, ok := c.plans[component]
	if !ok {
		p = c.plan(component)
		c.plans[component] = p
	}
	return p
}

func (c *cutter) of(d int) *cuts {
	if c.done[d] == nil {
		own := c.need(c.s.Domains[d].Needs)
		own.one = append(own.one, d)
		c.done[d] = own.tidy()
	}
	return c.done[d]
}

func (c *cutter) need(n estate.Need) *cuts {
	switch {
	case n.Empty():
		return &cuts{}
	case n.Ref != nil:
		k := c.of(n.Ref.Index)
		return &cuts{one: slices.Clone(k.one), two: slices.Clone(k.two)}
	}
	terms := make([]*cuts, len(n.Of))
	for i, o := range n.Of {
		terms[i] = c.need(o)
	}
	// It falls when so many terms do.
	return fallen(terms, len(n.Of)-n.K+1)
}

// fallen returns the cuts that take at least k of the terms.
func fallen(terms []*cuts, k int) *cuts {
	hit := map[int]int{} // how many terms one domain takes
	for _, t := range terms {
		for _, d := range t.one {
			hit[d]++
		}
	}
	out := &cuts{}
	var domains []int
	for d, n := range hit {
		domains = append(domains, d)
		if n >= k {
			out.one = append(out.one, d)
		}
	}
	slices.Sort(domains)
	pair := func(x, y int) {
		n := 0
		for _, t := range terms {
			if t.by(x, y) {
				n++
			}
		}
		if n >= k {
			out.two = append(out.two, [2]int{min(x, y), max(x, y)})
		}
	}
	for i, x := range domains {
		for _, y := range domains[:i] {
			if hit[x] < k && hit[y] < k {
				pair(x, y)
			}
		}
	}
	for _, t := range terms {
		for _, p := range t.two {
			pair(p[0], p[1])
		}
	}
	return out.tidy()
}

// by reports whether losing both domains takes what these are the cuts of.
func (k *cuts) by(x, y int) bool {
	if _, ok := slices.BinarySearch(k.one, x); ok {
		return true
	}
	if _, ok := slices.BinarySearch(k.one, y); ok {
		return true
	}
	return slices.Contains(k.two, [2]int{min(x, y), max(x, y)})
}

// tidy sorts, and drops pairs of which one half is enough.
func (k *cuts) tidy() *cuts {
	slices.Sort(k.one)
	k.one = slices.Compact(k.one)
	k.two = slices.DeleteFunc(k.two, func(p [2]int) bool {
		_, a := slices.BinarySearch(k.one, p[0])
		_, b := slices.BinarySearch(k.one, p[1])
		return a || b
	})
	slices.SortFunc(k.two, func(x, y [2]int) int { return slices.Compare(x[:], y[:]) })
	k.two = slices.Compact(k.two)
	return k
}

// PlanQuorum plans for the component, which is of mode quorum. It is nil where
// the voters stand in more than 256 domains.
func PlanQuorum(s *estate.Snapshot, component int) *QuorumPlan {
	return newCutter(s).plan(component)
}

func (c *cutter) plan(component int) *QuorumPlan {
	s := c.s
	weight := map[int]int{}
	total := 0
	for _, r := range s.Components[component].Replicas {
		weight[r.In] += r.Count
		total += r.Count
	}
	voters := make([]int, 0, len(weight))
	for d, n := range weight {
		if n > 0 {
			voters = append(voters, d)
		}
	}
	slices.Sort(voters)
	if len(voters) > mostVoterDomains {
		return nil
	}
	// The domains that the voters hang on, and what each takes. All others take nothing,
	// neither alone nor with another.
	universe := c.under(voters)
	if total == 0 {
		universe = c.under(c.around(nil, nil)) // there is no majority whatever is lost
	}
	find := func(d int) (int, bool) { return slices.BinarySearch(universe, d) }
	at := func(d int) int {
		i, _ := find(d)
		return i
	}
	places := c.around(voters, universe)
	others := c.count(places, universe) - len(universe) // that only places hang on
	masks := make([]mask, len(universe))                // the voters that each takes
	joint := map[[2]int]mask{}
	votes := make([]int, len(voters))
	for i, d := range voters {
		votes[i] = weight[d]
		k := c.of(d)
		for _, x := range k.one {
			masks[at(x)] = masks[at(x)].with(i)
		}
		for _, p := range k.two {
			joint[p] = joint[p].with(i)
		}
	}
	lostVotes := func(m mask) int {
		n := 0
		for w, word := range m {
			for ; word != 0; word &= word - 1 {
				n += votes[w*64+bits.TrailingZeros64(word)]
			}
		}
		return n
	}
	p := &QuorumPlan{Voters: total, Majority: total/2 + 1, Breaking: []string{}}
	// Where just half of the votes are lost, rounded down, one more voter matters: of an
	// even number it makes the majority if it lives, and of an odd one it takes it away
	// if it does not.
	var (
		n      = len(universe)
		even   = total%2 == 0
		half   = func(lost int) bool { return lost == total/2 }
		alone  = make([]int, n)    // votes that each takes
		pairs  = make([]bool, n*n) // of two, the later one first: they take half
		many   = make([]int, n)    // of each: how many such pairs it is in
		breaks = make([]bool, n)
		halves int        // of these, how many take half
		more   MoreVoters // with a voter that nothing takes
	)
	for i, d := range universe {
		alone[i] = lostVotes(masks[i])
		if half(alone[i]) {
			halves++
		}
		if 2*(total-alone[i]) <= total {
			breaks[i] = true
			p.Breaking = append(p.Breaking, s.Domains[d].Name)
		}
	}
	p.Singles = n + others
	p.Pairs = p.Singles * (p.Singles - 1) / 2
	p.Survived = others*(n-len(p.Breaking)) + others*(others-1)/2
	if even {
		more.Singles, more.Pairs = halves, others*halves
	}
	jointly := slices.SortedFunc(maps.Keys(joint), func(a, b [2]int) int {
		return cmp.Or(cmp.Compare(a[1], b[1]), cmp.Compare(a[0], b[0])) // in the order of the pairs
	})
	for i, x := range universe {
		for j := range i {
			y := universe[j] // smaller than x
			lost := alone[i] + alone[j]
			switch both := [2]int{y, x}; {
			case len(jointly) > 0 && jointly[0] == both:
				lost, jointly = lostVotes(masks[i].or(masks[j]).or(joint[both])), jointly[1:]
			case masks[i] == masks[j]:
				lost = alone[i]
			case alone[i] > 0 && alone[j] > 0:
				lost = lostVotes(masks[i].or(masks[j]))
			}
			if half(lost) {
				pairs[i*n+j] = true
				many[i]++
				many[j]++
				if even {
					more.Pairs++
				}
			}
			if 2*(total-lost) > total {
				p.Survived++
			} else if !breaks[i] && !breaks[j] && len(p.Joint) < 20 {
				p.Joint = append(p.Joint, [2]string{s.Domains[y].Name, s.Domains[x].Name})
			}
		}
	}
	for _, d := range places {
		k := c.of(d)
		m := more
		m.In = s.Domains[d].Name
		var own []int // of what takes it: what takes voters, too
		with := halves
		for _, x := range k.one {
			i, ok := find(x)
			if !ok {
				continue
			}
			if half(alone[i]) {
				m.Singles--
				m.Pairs -= others
				with--
			}
			m.Pairs -= many[i]
			for _, j := range own {
				if pairs[i*n+j] {
					m.Pairs++ // it is taken off twice
				}
			}
			own = append(own, i)
		}
		m.Pairs -= (len(k.one) - len(own)) * with
		for _, q := range k.two { // neither of them takes it alone
			i, first := find(q[0])
			j, second := find(q[1])
			switch {
			case first && second && pairs[j*n+i], first && !second && half(alone[i]), second && !first && half(alone[j]):
				m.Pairs--
			}
		}
		if p.More == nil || cmp.Or(cmp.Compare(m.Singles, p.More.Singles), cmp.Compare(m.Pairs, p.More.Pairs)) > 0 {
			p.More = &m // places are in the order of names
		}
	}
	if p.More != nil && cmp.Or(cmp.Compare(p.More.Singles, 0), cmp.Compare(p.More.Pairs, 0)) <= 0 {
		p.More = nil
	}
	return p
}

// under lists the domains that any of some hangs on.
func (c *cutter) under(domains []int) []int {
	var out []int
	c.each(domains, func(d int) { out = append(out, d) })
	slices.Sort(out)
	return slices.Compact(out)
}

// each calls f for the domains that some hang on, as often as one does.
func (c *cutter) each(domains []int, f func(d int)) {
	for _, d := range domains {
		k := c.of(d)
		for _, x := range k.one {
			f(x)
		}
		for _, p := range k.two {
			f(p[0])
			f(p[1])
		}
	}
}

// count counts the domains, besides some that are told, that any of the places hangs
// on, and those.
func (c *cutter) count(places, told []int) int {
	if c.seen == nil {
		c.seen = make([]int, len(c.s.Domains))
	}
	c.turn++
	n := 0
	see := func(d int) {
		if c.seen[d] != c.turn {
			c.seen[d] = c.turn
			n++
		}
	}
	for _, d := range told {
		see(d)
	}
	c.each(places, see)
	return n
}

// around lists the places for one more voter: where voters stand, and domains of the
// same types, or sites. Of those that no voter hangs on, and that need the same, one is
// as good as another.
func (c *cutter) around(voters, universe []int) []int {
	kinds := []string{estate.TypeSite}
	for _, d := range voters {
		kinds = append(kinds, c.s.Domains[d].Type)
	}
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	var out []int
	for _, d := range universe {
		if slices.Contains(kinds, c.s.Domains[d].Type) {
			out = append(out, d)
		}
	}
	for _, kind := range kinds {
		p := c.typed(kind)
		out = append(out, p.first...)
		for _, w := range p.ways {
			for _, d := range w {
				if _, hangs := slices.BinarySearch(universe, d); !hangs {
					out = append(out, d)
					break
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// quorum plans for every consensus group. It is an error where the loss of one
// site takes the majority and nothing brings it back, a warning where one domain
// takes the majority, and else good to know.
func quorum(a *auditor) {
	if a.cutter == nil {
		a.cutter = newCutter(a.s)
	}
	lostWith := map[string]func(int) bool{} // by site: whether a component stays down
	for i := range a.judged(estate.KindComponent) {
		if a.s.Components[i].Mode != estate.ModeQuorum || len(a.s.Components[i].Replicas) == 0 {
			continue
		}
		p := a.cutter.planned(i)
		if p == nil {
			continue
		}
		name := a.s.Components[i].Name
		f := Finding{Severity: Info, Proof: Proof{Quorum: p}}
		stays := []string{}
		for _, b := range p.Breaking {
			f.Severity = worse(f.Severity, Warning)
			d, _ := a.s.Lookup(estate.KindDomain, b)
			if a.s.Domains[d.Index].Type != estate.TypeSite {
				continue
			}
			if lostWith[b] == nil {
				down := map[int]bool{}
				a.visit([]int{d.Index}, func(v *impact.View) {
					for _, x := range v.Components {
						down[x.Index] = x.State == impact.Unrecoverable
					}
				})
				lostWith[b] = func(i int) bool { return down[i] }
			}
			if lostWith[b](i) {
				f.Severity = Error
				stays = append(stays, b)
			}
		}
		r := a.component(i)
		touched := a.touchedBy(i)
		f.Users, f.Proof.Services, f.about = touched.users, touched.names(a.s), []estate.Ref{r}
		switch {
		case len(stays) > 0:
			f.Sentence = fmt.Sprintf("the majority of %s is gone with %s, and nothing brings it back", name, orJoin(stays))
		case len(p.Breaking) > 0:
			f.Sentence = fmt.Sprintf("the majority of %s is gone with %s", name, orJoin(p.Breaking))
		default:
			f.Sentence = fmt.Sprintf("%s survives the loss of any one domain, and %d of %d pairs", name, p.Survived, p.Pairs)
		}
		f.Proof.Words = append(f.Proof.Words, fmt.Sprintf("%s has %s, of which %d must live", name, counted(p.Voters, "voter", "voters"), p.Majority))
		if len(p.Breaking) > 0 {
			f.Proof.Words = append(f.Proof.Words, "each of these alone takes too many: "+join(p.Breaking))
		}
		if n := len(p.Joint); n > 0 {
			pairs := make([]string, n)
			for j, q := range p.Joint {
				pairs[j] = strings.Join(q[:], " with ")
			}
			f.Proof.Words = append(f.Proof.Words, "so do these together: "+join(pairs))
		}
		if p.More != nil {
			gain := fmt.Sprintf("it would survive %s and %s more", counted(p.More.Singles, "loss of one domain", "losses of one domain"), counted(p.More.Pairs, "pair", "pairs"))
			f.Proof.Words = append(f.Proof.Words, "with one more voter in "+p.More.In+" "+gain)
			f.Fix = a.advice(r, "one more voter of %s in %s: %s", name, p.More.In, gain)
		} else {
			f.Proof.Words = append(f.Proof.Words, "one more voter alone buys nothing, wherever it stands")
		}
		a.add(f, NoLoss, r)
	}
}
