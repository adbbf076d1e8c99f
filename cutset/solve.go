package cutset

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"sync"
)

// By says what makes one cut set come before another.
type By uint8

// The rankings of [Options.Top].
const (
	ByCost        By = iota // the cheapest first
	ByProbability           // the likeliest first
)

// Options say what [Solve] is asked. The zero value counts all minimal cut sets.
type Options struct {
	// MaxOrder bounds the number of members of a set; 0 asks for all orders.
	MaxOrder int
	// NodeBudget bounds the nodes that the diagrams may hold at any one time, at about 50 bytes
	// each; 0 stands for [DefaultNodeBudget].
	NodeBudget int
	// List asks for the sets themselves, small ones first. More than ListLimit are
	// refused with [ErrTooMany]; 0 stands for [DefaultListLimit].
	List      bool
	ListLimit int
	// Top asks for the first so many sets by rank instead of a list.
	Top int
	By  By
	// RankOnly stops as soon as the Top sets are proved to be the first; the count then
	// covers only what that took.
	RankOnly bool
	// Cache, if set, remembers the modules of calls before and takes what has not changed from there.
	Cache *Cache

	divide int // parts down to so many divisions are divided untried; for tests
	large  int // size from which on a tree that is to be ranked counts as large; for tests
	beside int // limit from which on two tries are made at a time; for tests
}

// The limits that a zero in [Options] stands for.
const (
	DefaultNodeBudget = 12_000_000
	DefaultListLimit  = 1_000_000
)

// Steps that all tries together may take, for each node of the budget: the
// nodes bound the memory, these the time.
const (
	wholeEffort   = 7
	boundedEffort = 1
)

// A Result is the answer of [Solve]. It holds exactly the minimal cut sets of
// up to UpTo members.
type Result struct {
	// Count is the number of sets found, ByOrder the same by number of members.
	Count   *big.Int
	ByOrder []*big.Int
	// Complete says that the answer covers all that was asked: every order, or all up to
	// MaxOrder. It is false if the node budget burst before.
	Complete bool
	// UpTo is the order up to which the answer is complete. Where all orders are covered it is the largest there is.
	UpTo int
	// All says that the answer covers all orders there are, also where fewer were asked for.
	All bool
	// Sets holds leaf numbers, each set in ascending order.
	Sets [][]int
	// Ranked says that no set outside of Sets comes before one of them, of whatever order.
	Ranked bool
	// Stats say what it took.
	Stats Stats
}

// Stats tell how a result came about. They are the same for the same input.
type Stats struct {
	Gates, Leaves int // left after simplification
	Modules       int
	Nodes         int // of the families found, in all
	Attempts      int // tries at modules, over all variable orders
	Steps         int64
}

// ErrTooMany is returned where more sets would have to be listed than the limit allows.
var ErrTooMany = errors.New("too many sets to list")

// Solve finds the minimal cut sets of a tree: the smallest sets of leaves whose
// failure fails the top. The tree is simplified, cut into modules, and each module
// solved by decision diagrams; sets are counted by polynomials over the result, never by
// listing. If that takes more nodes than allowed, small sets are found exactly by
// families bounded in order, and the result says up to which order it is complete.
// The same input gives the same result.
func Solve(t Tree, o Options) (*Result, error) {
	if err := o.check(&t); err != nil {
		return nil, err
	}
	if o.Cache != nil {
		o.Cache.begin()
	}
	s := solver{t: &t, o: o}
	cost, err := s.costs()
	if err != nil {
		return nil, err
	}
	large := o.RankOnly && o.Top > 0 && len(t.Gates)+len(t.Leaves) >= o.large
	if large && s.cheapest(cost) {
		return s.show(cost)
	}
	s.simplify()
	switch {
	case o.MaxOrder > 0:
		s.upTo(o.MaxOrder)
		if s.r.Complete = s.all || s.r.UpTo == o.MaxOrder; s.r.Complete {
			s.r.UpTo = o.MaxOrder
		}
	case o.RankOnly && o.Top > 0:
		s.first(cost)
		s.r.Complete = s.all
		if !large && !s.rank(cost) {
			s.cheapest(cost)
		}
	default:
		s.effort = wholeEffort * int64(o.NodeBudget)
		if !s.attempt() {
			s.nothing()
			s.deepen(unbounded)
		}
		s.r.Complete = s.all
	}
	return s.show(cost)
}

// simplify makes the graph of the tree.
func (s *solver) simplify() {
	s.g = newGraph(s.t)
	if s.t.Cyclic {
		s.g.tidy()
		s.g.untie()
	}
	s.g.simplify()
	if s.t.Cyclic && s.g.cyclic && s.g.untie() {
		s.g.simplify()
	}
	s.g = s.g.shrink()
}

func (o *Options) check(t *Tree) error {
	if o.NodeBudget == 0 {
		o.NodeBudget = DefaultNodeBudget
	}
	if o.ListLimit == 0 {
		o.ListLimit = DefaultListLimit
	}
	if o.large == 0 {
		o.large = fromLarge
	}
	if o.beside == 0 {
		o.beside = ownFrom
	}
	switch {
	case o.MaxOrder < 0 || o.NodeBudget < 0 || o.ListLimit < 0 || o.Top < 0:
		return fmt.Errorf("%w: an option is negative", ErrInput)
	case o.NodeBudget > math.MaxInt32/4:
		return fmt.Errorf("%w: a node budget of %d; at most %d nodes are handled", ErrInput, o.NodeBudget, math.MaxInt32/4)
	case o.By > ByProbability:
		return fmt.Errorf("%w: unknown ranking %d", ErrInput, o.By)
	case o.MaxOrder > unbounded:
		o.MaxOrder = unbounded
	}
	return t.Check()
}

type solver struct {
	t   *Tree
	o   Options
	g   *graph
	r   *Result
	st  Stats
	f   *forest // the families of the result
	top node
	all bool // the result covers all orders

	ranking [][]int // the first sets, if they were looked for alone

	effort      int64 // steps that are left
	depth       int   // of divisions
	hint        hint
	allowed     int64   // effort for a division
	share, done float64 // of the division: the piece at hand, and what is solved
	slack       int64   // by how many fewer the module at hand would have gone the same way
}

// costs returns what ranks a leaf: its cost, or the logarithm of its probability.
func (s *solver) costs() ([]float64, error) {
	cost := make([]float64, len(s.t.Leaves))
	for i := range s.t.Leaves {
		l := &s.t.Leaves[i]
		switch {
		case s.o.Top > 0 && s.o.By == ByProbability && l.Probability == nil:
			return nil, fmt.Errorf("%w: leaf %q has no probability, so sets cannot be ranked by it; give it one or rank by cost", ErrInput, l.Name)
		case s.o.By == ByProbability && l.Probability != nil:
			cost[i] = -math.Log(*l.Probability)
		default:
			cost[i] = l.Cost
		}
	}
	return cost, nil
}

// keep makes the families of f the result, complete up to order k.
func (s *solver) keep(f *forest, top node, k int, all bool) {
	s.f, s.top, s.all = f, top, all
	r := &Result{ByOrder: f.count(top, k), Count: new(big.Int), UpTo: k}
	for _, n := range r.ByOrder {
		r.Count.Add(r.Count, n)
	}
	if all {
		r.UpTo = max(0, len(r.ByOrder)-1)
	}
	s.r = r
}

// attempt solves all orders at once and reports whether the budget sufficed.
func (s *solver) attempt() bool {
	f, top, ok := s.solve(s.g.clone(), unbounded)
	if ok {
		s.keep(f, top, unbounded, true)
	}
	return ok
}

// nothing is what is known before anything was solved: whether the empty set is a cut set.
func (s *solver) nothing() {
	top := s.g.find(s.g.top)
	s.keep(newForest(), boolNode(top == 1), 0, !s.g.isGate(top) && top <= 1)
	s.effort = boundedEffort * int64(s.o.NodeBudget)
	s.hint = hint{}
}

// upTo solves orders up to k at once if it can: bounded, or all orders, which some trees are easier without a bound. Else
// it solves up to 1, 2, 3, … as far as it gets.
func (s *solver) upTo(k int) {
	s.nothing()
	s.effort *= 2
	if s.all || s.bounded(k) {
		return
	}
	s.effort, s.hint = wholeEffort*int64(s.o.NodeBudget), hint{}
	if f, top, ok := s.solve(s.g.clone(), unbounded); ok {
		s.keep(f, top, k, false)
		return
	}
	s.effort, s.hint = boundedEffort*int64(s.o.NodeBudget), hint{}
	s.deepen(k)
}

// deepen solves order after order until the budget bursts. The small ones get what those get who ask for them alone.
func (s *solver) deepen(most int) {
	enough := s.effort
	s.effort *= 2
	for k := 1; k <= most && !s.all && s.bounded(k); k += max(1, k/8) {
		if k >= 3 {
			s.effort = min(s.effort, enough)
		}
	}
}

// first solves no more than it takes to know the first sets by rank: small
// orders, as long as they are few, then all if that is easy, then ever larger ones.
func (s *solver) first(cost []float64) {
	s.nothing()
	for k := 1; !s.all && !s.rank(cost); k += max(1, k/3) {
		if k == 4 {
			left := s.effort
			s.effort = int64(s.o.NodeBudget) / 8
			if s.attempt() {
				return
			}
			s.effort = left
		}
		if !s.bounded(k) {
			return
		}
	}
}

func boolNode(b bool) node {
	if b {
		return one
	}
	return zero
}

// bounded solves up to order k.
func (s *solver) bounded(k int) bool {
	g := s.g.clone()
	g.cut(k)
	f, top, ok := s.solve(g, k)
	if !ok {
		return false
	}
	s.keep(f, top, k, k >= s.g.leaves)
	return true
}

// rank reports whether the first sets by rank are known whatever larger sets
// there are: a set of more than UpTo members costs at least as much as the cheapest so many leaves.
func (s *solver) rank(cost []float64) bool {
	if s.all {
		return true
	}
	if s.r.UpTo >= len(s.g.names) {
		return true
	}
	_, costs := s.f.best(s.top, s.o.Top, s.r.UpTo, cost)
	if len(costs) < s.o.Top {
		return false
	}
	sorted := make([]float64, len(s.g.names))
	for i, m := range s.g.names {
		sorted[i] = cost[m.leaf]
	}
	slices.Sort(sorted)
	least := 0.0
	for _, c := range sorted[:s.r.UpTo+1] {
		least += c
	}
	return costs[len(costs)-1] <= least
}

// show returns the result with the sets that were asked for.
func (s *solver) show(cost []float64) (*Result, error) {
	switch {
	case s.ranking != nil:
		s.r.Sets, s.r.Ranked = s.ranking, true
	case s.o.Top > 0:
		s.r.Sets, _ = s.f.best(s.top, s.o.Top, s.r.UpTo, cost)
		s.r.Ranked = s.rank(cost)
	case s.o.List:
		if s.r.Count.Cmp(big.NewInt(int64(s.o.ListLimit))) > 0 {
			return nil, fmt.Errorf("%w: there are %v of them and the limit is %d; bound their order, or ask for the first ones by rank", ErrTooMany, s.r.Count, s.o.ListLimit)
		}
		s.r.Sets = s.f.list(s.top, s.r.UpTo)
	}
	s.r.All = s.all
	s.r.Stats = s.st
	s.r.Stats.Nodes = len(s.f.leaf) - 2
	return s.r, nil
}

// solve finds the families of all modules of a simplified graph, bounded in order by k.
func (s *solver) solve(g *graph, k int) (*forest, node, bool) {
	f := newForest()
	root, ok := s.family(f, g, newDiagram(), k)
	return f, root, ok
}

// family adds the minimal solutions of a simplified graph to the forest.
func (s *solver) family(f *forest, g *graph, d *diagram, k int) (node, bool) {
	if top := g.find(g.top); !g.isGate(top) {
		if top <= 1 {
			return top, true
		}
		m := g.names[top-2]
		if m.leaf < 0 {
			return m.sub, true
		}
		n := f.variable(m, zero, one)
		f.bounds = append(f.bounds, span{n, n + 1, n})
		return n, true
	}
	modules := g.split()
	is := make([]bool, len(g.kind))
	for _, m := range modules {
		is[m] = true
	}
	if s.depth == 0 {
		gates := g.gates()
		s.st.Gates, s.st.Modules, s.st.Leaves = len(gates), len(modules), 0
		for v, n := range g.parents(gates) {
			if n > 0 && g.kind[v] == kindLeaf {
				s.st.Leaves++
			}
		}
	}
	names := make(map[int32]name, len(modules))
	var root node
	for _, m := range modules {
		p := g.extract(m, is, names, f)
		var ok bool
		if root, ok = s.part(f, p, d, k); !ok {
			return zero, false
		}
		names[m] = name{-1, root}
	}
	return root, true
}

// part solves one module and adds its family to the forest.
func (s *solver) part(f *forest, p *part, d *diagram, k int) (node, bool) {
	from := narrow(len(f.leaf))
	root, ok := node(0), false
	if p.plain() {
		root, ok = s.chain(f, p)
	}
	if !ok {
		root, ok = s.remembered(f, p, d, k)
	}
	if n := len(f.bounds); ok && (n == 0 || f.bounds[n-1].root != root) { // a division adds its own
		f.bounds = append(f.bounds, span{from, narrow(len(f.leaf)), root})
	}
	return root, ok
}

// remembered takes a module from the cache, or solves it and keeps it there. What
// it took is charged anew, so that an answer does not depend on what was asked before.
func (s *solver) remembered(f *forest, p *part, d *diagram, k int) (node, bool) {
	if s.o.Cache == nil || s.depth > 0 {
		return s.module(f, p, d, k)
	}
	key := p.content(k, s.o.NodeBudget, s.hint)
	if known := s.o.Cache.find(key); known != nil {
		if known.need > s.effort {
			return zero, false
		}
		s.effort -= known.effort
		s.hint = known.after
		s.st.Steps += known.steps
		s.st.Attempts += known.attempts
		return f.replay(p, known), true
	}
	from, effort, before := f.mark(), s.effort, s.st
	s.slack = effort
	root, ok := s.module(f, p, d, k)
	if ok {
		known := f.record(p, from, root)
		known.need = effort - min(s.slack, s.effort)
		known.effort, known.steps, known.attempts = effort-s.effort, s.st.Steps-before.Steps, s.st.Attempts-before.Attempts
		known.after = s.hint
		s.o.Cache.keep(key, known)
	}
	return root, ok
}

// module solves a module that is more than one gate.
func (s *solver) module(f *forest, p *part, d *diagram, k int) (node, bool) {
	if k <= listBound {
		effort := 1<<18 + 512*(len(p.names)+len(p.gates))
		if k <= 3 { // what people ask for first
			effort = 2 * s.o.NodeBudget
		}
		if root, ok := s.enlist(f, p, k, effort); ok {
			return root, true
		}
	}
	c := s.newRace(p, k)
	if s.depth >= s.o.divide {
		if a := c.hinted(d); a != nil {
			return f.copy(p, a), true
		}
		limit := limitFirst
		if s.depth > 0 {
			limit = 16 * limitFirst
		}
		if a := c.run(d, limit); a != nil {
			return f.copy(p, a), true
		}
	}
	if s.depth > 0 {
		return s.divide(f, p, d, k)
	}
	if k < unbounded {
		if a := c.run(d, 16*limitFirst); a != nil {
			return f.copy(p, a), true
		}
	}
	if len(p.divisors()) > 2 && !p.knotted() {
		if root, ok := s.pieces(f, p, d, k); ok {
			return root, true
		}
	}
	if a := c.run(d, math.MaxInt); a != nil {
		return f.copy(p, a), true
	}
	return zero, false
}

const limitFirst = 1 << 16

// pieces divides a part, with a quota of effort.
func (s *solver) pieces(f *forest, p *part, d *diagram, k int) (node, bool) {
	quota := int64(s.o.NodeBudget)
	if k < unbounded {
		quota /= 6
	}
	if s.effort <= quota {
		return zero, false
	}
	s.slack = min(s.slack, s.effort-quota-1)
	m, rest, before := f.mark(), s.effort-quota, s.hint
	s.effort, s.allowed = quota, quota
	s.hint, s.share, s.done = hint{}, 1, 0
	slack := s.slack
	root, ok := s.divide(f, p, d, k)
	s.slack, s.hint = slack, before
	s.effort += rest
	if !ok {
		f.back(m)
	}
	return root, ok
}

// A hint is what won the race for the piece before.
type hint struct {
	known     bool
	field, at int
	gates     int // of the piece
}

// hinted tries what won the last race for a piece. Pieces of one part are alike, and so are a
// module up to one order and up to the next.
func (c *race) hinted(d *diagram) *attempt {
	h := c.s.hint
	if !h.known || h.at >= len(c.all[h.field]) {
		return nil
	}
	most := 4 * limitFirst
	if c.s.depth == 0 {
		if most *= 16; 2*len(c.p.gates) < h.gates {
			return nil
		}
	}
	field := make([][]*attempt, fields)
	field[h.field] = []*attempt{c.all[h.field][h.at]}
	for limit := 4 * limitFirst; limit <= most; limit *= 4 {
		if a := c.s.round(c.p, d, field, min(limit, c.s.o.NodeBudget), []int{1, 1, 1, 1, 1}); a != nil {
			return a
		}
	}
	return nil
}

// won notes the winner of a race.
func (c *race) won(a *attempt) {
	if c.s.depth == 0 && (a.bound == unbounded || len(c.p.gates) < c.s.hint.gates/2) {
		return
	}
	for f := range c.all {
		if i := slices.Index(c.all[f], a); i >= 0 {
			c.s.hint = hint{true, f, i, len(c.p.gates)}
		}
	}
}

// enlist solves a part by lists of small sets, if that takes little effort.
func (s *solver) enlist(f *forest, p *part, k, effort int) (node, bool) {
	if p.knotted() {
		return zero, false // they are left to diagrams, where equal families are found at a glance
	}
	effort = min(effort, int(s.effort))
	l := lister{p: p, weight: make([]int64, len(p.weight)), bound: int64(k), effort: effort, limit: s.o.NodeBudget / 2}
	for v, w := range p.weight {
		l.weight[v] = int64(w)
	}
	l.least = slices.Min(l.weight)
	sets, ok := l.run(l.variables())
	s.st.Attempts++
	used := int64(effort - max(l.effort, 0))
	s.effort -= used
	s.st.Steps += used
	s.slack = min(s.slack, s.effort)
	if !ok {
		return zero, false
	}
	return f.plant(p, sets), true
}

// variable adds a node for a variable of the part. One that never fails adds nothing.
func (f *forest) variable(m name, lo, hi node) node { return f.node(m.leaf, m.sub, lo, hi) }

// lightest returns the order of the smallest solution of a variable.
func (f *forest) lightest(m name) int32 {
	if m.leaf >= 0 {
		return 1
	}
	return f.least[m.sub]
}

// chain solves a single gate over variables that share nothing.
func (s *solver) chain(f *forest, p *part) (node, bool) {
	g := &p.gates[0]
	k := int(g.k)
	switch g.kind {
	case kindOr:
		k = 1
	case kindAnd:
		k = len(p.names)
	}
	vars := slices.Clone(p.names)
	if g.kind != kindThreshold {
		slices.SortStableFunc(vars, func(a, b name) int {
			return cmp.Compare(boolInt(a.leaf < 0), boolInt(b.leaf < 0))
		})
	}
	// A variable whose family is empty within the bound cannot be a node.
	vars = slices.DeleteFunc(vars, func(m name) bool { return m.leaf < 0 && m.sub == zero })
	if len(vars) < k {
		return zero, true
	}
	if k*(len(vars)-k+1) > s.o.NodeBudget-len(f.leaf) {
		return zero, false
	}
	// row[j]: at least j more of the variables from here on.
	row := make([]node, k+1)
	row[0] = one
	for i, v := range slices.Backward(vars) {
		after := len(vars) - i
		for j := min(k, after); j >= max(1, k-i); j-- {
			if row[j-1] == zero {
				continue
			}
			row[j] = f.variable(v, row[j], row[j-1])
		}
	}
	return row[k], true
}

// copy moves the families that an attempt found from the diagram to the forest.
func (f *forest) copy(p *part, a *attempt) node {
	at := make([]int32, len(p.names)) // variable of a level
	for v, l := range a.level {
		at[l] = narrow(v)
	}
	piece := func(root node) (node, span) {
		moved := map[node]node{zero: zero, one: one}
		from := narrow(len(f.leaf))
		var move func(n node) node
		move = func(n node) node {
			m, ok := moved[n]
			if !ok {
				x := a.d.nodes[n]
				lo, hi := move(x.lo), move(x.hi)
				m = f.variable(p.names[at[x.level]], lo, hi)
				moved[n] = m
			}
			return m
		}
		m := move(root)
		return m, span{from, narrow(len(f.leaf)), m}
	}
	if len(a.roots) == 1 {
		root, _ := piece(a.roots[0])
		return root
	}
	var roots []node
	for _, r := range a.roots {
		if m, s := piece(r); m != zero {
			roots, f.bounds = append(roots, m), append(f.bounds, s)
		}
	}
	return f.either(roots)
}

// either is the family of the sets of families that have none in common.
func (f *forest) either(roots []node) node {
	from := narrow(len(f.leaf))
	r := zero
	for _, root := range roots {
		r = f.node(-1, root, r, one)
	}
	f.bounds = append(f.bounds, span{from, narrow(len(f.leaf)), r})
	return r
}

// The fields of a race: attempts that are compared with each other, how far they got. Across
// fields that says less.
const (
	fieldFunction = iota
	fieldFlipped  // functions as well, in orders upside down
	fieldFamily
	fieldSweep  // functions from the root down
	fieldNarrow // the same in orders made for it
	fields
)

// race tries variable orders and methods under a budget that grows until one of
// them gets through or all has been spent. Which order is good shows only in the
// trying, but it shows early: those that got further go first, and the larger the budget the fewer are
// left. All fields stay in as long as possible, as each is at times out of reach for the others.
type race struct {
	s      *solver
	p      *part
	all    [fields][]*attempt
	field  [fields][]*attempt
	rounds []round
	before int
}

type round struct {
	limit int
	each  [fields]int // families take more steps for each node, and depend less on the order
}

func (s *solver) newRace(p *part, k int) *race {
	c := &race{s: s, p: p}
	var ahead *outlook[int32]
	if k < unbounded {
		ahead = newOutlook(p, p.weight, narrow(k))
	}
	enter := func(f int, how method, orders []*ordering) {
		for _, o := range orders {
			c.field[f] = append(c.field[f], &attempt{p: p, order: o, how: how, bound: narrow(k), ahead: ahead})
		}
	}
	orders := p.orders()
	enter(fieldFunction, byFunction, orders)
	enter(fieldFlipped, byFunction, flipped(orders))
	enter(fieldFamily, byFamily, p.familyOrders(k < unbounded))
	if !p.knotted() {
		enter(fieldSweep, bySweep, append(p.orders(), flipped(p.orders())...))
		enter(fieldNarrow, bySweep, p.narrow())
	}
	for f := range c.field {
		c.all[f] = slices.Clone(c.field[f])
	}
	least := 8 * (len(p.names) + len(p.gates)) // less would not hold the inputs
	all := len(orders)
	c.rounds = []round{
		{1 << 11, [fields]int{all, all, 2 * all, 2 * all, 4}},
		{1 << 14, [fields]int{all, all, 6, 6, 4}},
		{1 << 16, [fields]int{5, 5, 3, 3, 2}},
		{1 << 18, [fields]int{2, 2, 2, 2, 2}},
		{1 << 20, [fields]int{1, 1, 1, 1, 1}},
		{1 << 22, [fields]int{1, 1, 1, 1, 1}},
		{1 << 30, [fields]int{1, 1, 1, 1, 1}},
	}
	if s.depth > 0 {
		c.rounds = []round{
			{1 << 11, [fields]int{4, 2, 3, 2, 2}},
			{1 << 14, [fields]int{2, 1, 2, 1, 1}},
			{1 << 16, [fields]int{1, 1, 1, 1, 1}},
			{1 << 18, [fields]int{0, 0, 1, 0, 1}},
			{1 << 20, [fields]int{0, 0, 1, 0, 0}},
		}
	}
	for len(c.rounds) > 1 && c.rounds[1].limit < least {
		c.rounds = c.rounds[1:]
	}
	c.rounds[0].limit = max(c.rounds[0].limit, least)
	return c
}

// run takes the race on, up to a limit.
func (c *race) run(d *diagram, most int) *attempt {
	s, field := c.s, &c.field
	for len(c.rounds) > 0 && (c.rounds[0].limit <= most) {
		round := c.rounds[0]
		c.rounds = c.rounds[1:]
		limit := min(round.limit, s.o.NodeBudget)
		if a := s.round(c.p, d, field[:], limit, round.each[:]); a != nil {
			c.won(a)
			return a
		}
		if limit == s.o.NodeBudget || s.effort <= 0 {
			c.rounds = nil
			return nil
		}
		for f := range field {
			field[f] = slices.DeleteFunc(field[f], func(a *attempt) bool { return a.order.tried && a.level == nil })
			slices.SortStableFunc(field[f], func(a, b *attempt) int { return cmp.Compare(b.gates, a.gates) })
		}
		if limit >= 1<<16 {
			leave(field, limit)
		}
		gates := furthest(field)
		if hopeless(c.before, gates, len(c.p.gates), limit) {
			c.rounds = nil
			return nil
		}
		c.before = gates
	}
	return nil
}

// leave drops the fields whose best try is far behind.
func leave(field *[fields][]*attempt, limit int) {
	best := func(f int) int {
		if len(field[f]) == 0 {
			return 0
		}
		return field[f][0].gates
	}
	// The other way round it says little: upside down an order gets far with few steps and bursts late.
	if limit >= 1<<18 && 3*best(fieldFlipped) < 2*best(fieldFunction) {
		field[fieldFlipped] = nil
	}
	functions, families := max(best(fieldFunction), best(fieldFlipped)), best(fieldFamily)
	if functions == 0 || families == 0 {
		return
	}
	if 4*functions < 3*families {
		field[fieldFunction], field[fieldFlipped] = nil, nil
	}
	if 4*families < 3*functions {
		field[fieldFamily] = nil
	}
}

// furthest returns how many gates the best try of a round got through.
func furthest(field *[fields][]*attempt) int {
	far := 0
	for _, tries := range field {
		for _, a := range tries {
			far = max(far, a.gates)
		}
	}
	return far
}

// hopeless reports whether the tries got too little further than in the round before for what is
// left of the budget to suffice: what comes late is larger than what came early.
func hopeless(before, most, gates, limit int) bool {
	switch {
	case limit < 1<<20 || nearly(most, gates):
		return false
	case limit < 1<<22:
		return most == before || 2*most < gates
	}
	return true
}

// ahead is how much more a steady sweep is given.
const ahead = 8

// steady reports whether a sweep gets on in proportion to what it is given, and would get through with ahead times as
// much: frontiers that are of like width all along are recognised early.
func (a *attempt) steady() bool {
	return a.how == bySweep && a.gates >= 3*a.past && 4*ahead*a.gates >= len(a.p.gates)
}

func nearly(some, all int) bool { return 20*some >= 19*all }

// round gives the first few of each field a try within the limit.
func (s *solver) round(p *part, d *diagram, field [][]*attempt, limit int, each []int) *attempt {
	// A sweep that will get through goes first.
	order := []int{fieldFunction, fieldFlipped, fieldFamily, fieldSweep, fieldNarrow}
	if limit >= 1<<18 {
		rank := func(f int) int { return boolInt(slices.ContainsFunc(field[f], (*attempt).steady)) }
		slices.SortStableFunc(order, func(f, g int) int { return cmp.Compare(rank(g), rank(f)) })
	}
	var tries []*attempt
	for i := range slices.Max(each) {
		for _, f := range order {
			if i < min(each[f], len(field[f])) {
				tries = append(tries, field[f][i])
				field[f][i].among = field[f]
			}
		}
	}
	next := func() *attempt {
		for len(tries) > 0 {
			a := tries[0]
			tries = tries[1:]
			if a.ready() && (a.how != bySweep || limit < 1<<18 || a.steady()) {
				return a
			}
		}
		return nil
	}
	for a := next(); a != nil; {
		now := []*attempt{a}
		a = nil
		if limit >= s.o.beside {
			if a = next(); a != nil && s.both(now[0], a, limit) {
				now = append(now, a)
				a = nil
			}
		}
		for _, a := range now {
			if a.stuck == nil {
				if s.effort <= 2*a.steps {
					return nil // what is left adds too little to what did not suffice
				}
				s.slack = min(s.slack, s.effort-2*a.steps-1)
			}
		}
		if a := s.run(p, d, now, limit); a != nil {
			return a
		}
		if a == nil {
			a = next()
		}
	}
	return nil
}

// quota is what a try within a limit may take: nodes and steps.
func (a *attempt) quota(limit, budget int) (room int, steps int64) {
	const effort = 6 // steps for each node of the limit
	room, steps = limit, int64(limit)*effort
	switch {
	case a.how == byFamily && a.gains:
		steps *= 2 // families are small for what it takes to make them
	case a.how == bySweep && limit >= 1<<18:
		room, steps = min(ahead*limit, budget), ahead*steps
	}
	return room, steps
}

// both reports whether there is effort left for two tries, whatever they take.
func (s *solver) both(a, b *attempt, limit int) bool {
	_, x := a.quota(limit, s.o.NodeBudget)
	_, y := b.quota(limit, s.o.NodeBudget)
	spare := s.effort - 2*max(x, y)
	if spare >= 0 {
		s.slack = min(s.slack, spare)
	}
	return spare >= 0
}

// run makes one try, or two at a time, the second with half of the effort that is left. If the first gets through, what
// the second did is void and not charged: so the outcome is the same however fast they are, and if one waits for the other.
func (s *solver) run(p *part, d *diagram, tries []*attempt, limit int) *attempt {
	start := func(a *attempt, d *diagram, effort int64) {
		room, steps := a.quota(limit, s.o.NodeBudget)
		a.past = a.gates
		a.room, a.effort = s.o.NodeBudget, effort
		a.run(p, d, room, min(steps, effort))
	}
	var beside sync.WaitGroup
	if len(tries) > 1 {
		second := tries[1]
		second.stop.Store(false)
		half := s.effort / 2
		beside.Go(func() { start(second, newDiagram(), half) })
	}
	start(tries[0], d, s.effort)
	if len(tries) > 1 {
		tries[1].stop.Store(tries[0].passed)
		beside.Wait()
	}
	for _, a := range tries {
		s.st.Attempts++
		a.gains = a.gates > a.past && limit >= 1<<20
		a.steps = a.d.steps
		s.st.Steps += a.steps
		s.effort = max(0, s.effort-a.steps)
		if a.passed {
			return a
		}
	}
	return nil
}

// ready works out the order, and reports whether it has not been tried before.
func (a *attempt) ready() bool {
	if !a.order.tried {
		a.order.tried = true
		a.order.level = a.order.make()
		for _, other := range a.among {
			if other.order != a.order && slices.Equal(other.order.level, a.order.level) {
				a.order.level = nil // one that has been tried
			}
		}
	}
	a.level = a.order.level
	return a.level != nil
}
