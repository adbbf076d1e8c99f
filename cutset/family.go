package cutset

import (
	"cmp"
	"container/heap"
	"math"
	"math/big"
	"slices"
)

// A forest holds the families of all modules: zero-suppressed diagrams whose
// variables are leaves or other modules. The solutions of a module variable replace it:
// modules share nothing, so that the unions are minimal and all different.
type forest struct {
	leaf   []int32 // leaf of a node, or -1
	sub    []int32 // root of the module of a node, if it is no leaf
	lo, hi []int32
	least  []int32 // order of the smallest solution
	most   []int32 // and of the largest
	bounds []span  // nodes of each module, in the order solved
}

type span struct{ from, to, root int32 }

func newForest() *forest {
	return &forest{
		leaf: []int32{-1, -1}, sub: []int32{0, 0}, lo: []int32{0, 1}, hi: []int32{0, 1},
		least: []int32{heavy, 0}, most: []int32{-1, 0},
	}
}

// node appends a node for a variable: a leaf, or the family with the given root.
func (f *forest) node(leaf, sub, lo, hi int32) node {
	n := narrow(len(f.leaf))
	f.leaf, f.sub = append(f.leaf, leaf), append(f.sub, sub)
	f.lo, f.hi = append(f.lo, lo), append(f.hi, hi)
	least, most := int32(1), int32(1)
	if leaf < 0 {
		least, most = f.least[sub], f.most[sub]
	}
	f.least = append(f.least, min(f.least[lo], saturate(f.least[hi]+least)))
	f.most = append(f.most, max(f.most[lo], f.most[hi]+most))
	return n
}

// count returns the number of sets of family root by order, up to order bound.
// It never lists: the polynomial of a node is that of its low branch plus that of
// its high branch times that of its variable.
func (f *forest) count(root node, bound int) []*big.Int {
	if root == zero {
		return nil
	}
	words := f.words(root)
	c := counter{f: f, words: words, bound: min(bound, int(f.most[root])), module: map[int32]poly{
		zero: {}, one: {coef: unit(words), terms: 1},
	}}
	var p poly
	for _, s := range f.needed(root) {
		p = c.span(s)
		c.module[s.root] = p
	}
	if root <= one {
		p = c.module[root]
	}
	out := make([]*big.Int, p.low+p.terms)
	for i := range out {
		out[i] = new(big.Int)
	}
	for i := range p.terms {
		limbs := p.coef[i*words : (i+1)*words]
		for j := words - 1; j >= 0; j-- {
			out[p.low+i].Lsh(out[p.low+i], 64)
			out[p.low+i].Or(out[p.low+i], new(big.Int).SetUint64(limbs[j]))
		}
	}
	for len(out) > 0 && out[len(out)-1].Sign() == 0 {
		out = out[:len(out)-1]
	}
	return out
}

// needed returns the modules that a family is made of, the family itself last.
func (f *forest) needed(root node) []span {
	want := map[int32]bool{root: true}
	var out []span
	for _, s := range slices.Backward(f.bounds) {
		if !want[s.root] || s.root <= one {
			continue
		}
		out = append(out, s)
		for n := s.from; n < s.to; n++ {
			if f.leaf[n] < 0 {
				want[f.sub[n]] = true
			}
		}
	}
	slices.Reverse(out)
	return out
}

// words returns how many 64-bit words hold every coefficient: no node has more
// sets than the root, whose number is bounded in floating point.
func (f *forest) words(root node) int {
	log := make([]float64, len(f.leaf)) // base 2
	log[0], log[1] = math.Inf(-1), 0
	for n := 2; n < len(f.leaf); n++ {
		high := log[f.hi[n]]
		if f.leaf[n] < 0 {
			high += log[f.sub[n]]
		}
		a, b := max(high, log[f.lo[n]]), min(high, log[f.lo[n]])
		if math.IsInf(a, -1) {
			log[n] = a
			continue
		}
		log[n] = a + math.Log2(1+math.Exp2(b-a))
	}
	const slack = 1 + 1.0/(1<<20) // far more than rounding can add up to
	return int(log[root]*slack+2)/64 + 1
}

// A poly counts sets by order: terms coefficients from order low on, each of a
// fixed number of words, the lowest first.
type poly struct {
	low, terms int
	coef       []uint64
}

func unit(words int) []uint64 {
	u := make([]uint64, words)
	u[0] = 1
	return u
}

type counter struct {
	f      *forest
	words  int
	bound  int
	module map[int32]poly
}

// span counts one module. Its nodes are dropped as soon as it is done.
func (c *counter) span(s span) poly {
	f := c.f
	polys := make([]poly, s.to-s.from)
	uses := make([]int32, s.to-s.from)
	at := func(n int32) poly {
		if n <= one {
			return c.module[n]
		}
		return polys[n-s.from]
	}
	for n := s.from; n < s.to; n++ {
		for _, b := range []int32{f.lo[n], f.hi[n]} {
			if b > one {
				uses[b-s.from]++
			}
		}
	}
	var free [][]uint64
	for n := s.from; n < s.to; n++ {
		lo, hi := at(f.lo[n]), at(f.hi[n])
		least, most := int(f.least[n]), min(int(f.most[n]), c.bound)
		if terms := most - least + 1; terms > 0 {
			p := poly{low: least, terms: terms}
			if k := len(free); k > 0 && cap(free[k-1]) >= terms*c.words {
				p.coef = free[k-1][:terms*c.words]
				clear(p.coef)
				free = free[:k-1]
			} else {
				p.coef = make([]uint64, terms*c.words, (terms+terms/2)*c.words)
			}
			c.plus(&p, lo, 0)
			if f.leaf[n] >= 0 {
				c.plus(&p, hi, 1)
			} else {
				c.times(&p, hi, c.module[f.sub[n]])
			}
			polys[n-s.from] = p
		}
		for _, b := range []int32{f.lo[n], f.hi[n]} {
			if b <= one {
				continue
			}
			if uses[b-s.from]--; uses[b-s.from] == 0 && b != s.root {
				if buf := polys[b-s.from].coef; cap(buf) > 0 {
					free = append(free, buf)
				}
				polys[b-s.from] = poly{}
			}
		}
	}
	return at(s.root)
}

// plus adds q, shifted by a number of orders, to p.
func (c *counter) plus(p *poly, q poly, shift int) {
	for i := range q.terms {
		t := q.low + i + shift - p.low
		if t >= p.terms {
			return
		}
		addWords(p.coef[t*c.words:(t+1)*c.words], q.coef[i*c.words:(i+1)*c.words])
	}
}

// times adds the product of q and r to p.
func (c *counter) times(p *poly, q, r poly) {
	for i := range q.terms {
		for j := range r.terms {
			t := q.low + i + r.low + j - p.low
			if t >= p.terms {
				break
			}
			addProduct(p.coef[t*c.words:(t+1)*c.words], q.coef[i*c.words:(i+1)*c.words], r.coef[j*c.words:(j+1)*c.words])
		}
	}
}

// A solution on its way through the forest: where it stands, what remains to be
// walked after this family, the leaves so far, and costs.
type state struct {
	at    node
	rest  *frame
	taken *taken
	done  float64 // cost of the leaves taken
	total float64 // and of the cheapest way to finish
	order int32   // leaves taken
	left  int32   // fewest leaves still to come, in rest
	born  int
}

type frame struct {
	at   node
	up   *frame
	cost float64 // of the cheapest way through this frame and those above
}

type taken struct {
	leaf int32
	up   *taken
}

type queue []*state

// Len counts the states.
func (q *queue) Len() int { return len(*q) }

// Less puts the cheapest first, and goes deep among equals.
func (q *queue) Less(i, j int) bool {
	a, b := (*q)[i], (*q)[j]
	if a.total != b.total {
		return a.total < b.total
	}
	return a.born > b.born
}

// Swap exchanges two states.
func (q *queue) Swap(i, j int) { (*q)[i], (*q)[j] = (*q)[j], (*q)[i] }

// Push adds a state.
func (q *queue) Push(x any) {
	if s, ok := x.(*state); ok {
		*q = append(*q, s)
	}
}

// Pop removes the last state.
func (q *queue) Pop() any {
	old := *q
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return s
}

// best returns the n cheapest sets of a family of at most bound members each,
// cheapest first. It is a best-first walk: the cost of the cheapest way to finish is known
// exactly at every node, so that every state that is opened lies on a way to an answer.
func (f *forest) best(root node, n, bound int, cost []float64) (sets [][]int, costs []float64) {
	finish := make([]float64, len(f.leaf))
	finish[0], finish[1] = math.Inf(1), 0
	for x := 2; x < len(f.leaf); x++ {
		finish[x] = min(finish[f.lo[x]], finish[f.hi[x]]+f.price(narrow(x), cost, finish))
	}
	var q queue
	born := 0
	push := func(s state) {
		if s.at == zero || int(s.order+s.left)+int(f.least[s.at]) > bound {
			return
		}
		s.total = s.done + finish[s.at]
		if s.rest != nil {
			s.total += s.rest.cost
		}
		if math.IsInf(s.total, 1) {
			return
		}
		born++
		s.born = born
		heap.Push(&q, &s)
	}
	push(state{at: root})
	for len(q) > 0 && len(sets) < n {
		s := q[0]
		heap.Pop(&q)
		if s.at == one {
			if s.rest == nil {
				sets = append(sets, s.taken.list())
				costs = append(costs, s.done)
				continue
			}
			next := *s
			next.at, next.rest, next.left = s.rest.at, s.rest.up, s.left-f.least[s.rest.at]
			push(next)
			continue
		}
		low := *s
		low.at = f.lo[s.at]
		push(low)
		high := *s
		if l := f.leaf[s.at]; l >= 0 {
			high.at, high.taken, high.order, high.done = f.hi[s.at], &taken{l, s.taken}, s.order+1, s.done+cost[l]
		} else {
			fr := &frame{at: f.hi[s.at], up: s.rest, cost: finish[f.hi[s.at]]}
			if s.rest != nil {
				fr.cost += s.rest.cost
			}
			high.at, high.rest, high.left = f.sub[s.at], fr, s.left+f.least[fr.at]
		}
		push(high)
	}
	return sets, costs
}

func (f *forest) price(x int32, cost, finish []float64) float64 {
	if l := f.leaf[x]; l >= 0 {
		return cost[l]
	}
	return finish[f.sub[x]]
}

func (t *taken) list() []int {
	set := []int{}
	for ; t != nil; t = t.up {
		set = append(set, int(t.leaf))
	}
	slices.Sort(set)
	return set
}

// list returns all sets of at most bound members, small sets first, then by leaf numbers.
func (f *forest) list(root node, bound int) [][]int {
	var sets [][]int
	var set []int
	var walk func(at node, rest *frame, left int32)
	walk = func(at node, rest *frame, left int32) {
		for {
			if at == zero || len(set)+int(f.least[at])+int(left) > bound {
				return
			}
			if at == one {
				if rest == nil {
					s := slices.Clone(set)
					slices.Sort(s)
					if s == nil {
						s = []int{}
					}
					sets = append(sets, s)
					return
				}
				at, left, rest = rest.at, left-f.least[rest.at], rest.up
				continue
			}
			if l := f.leaf[at]; l >= 0 {
				set = append(set, int(l))
				walk(f.hi[at], rest, left)
				set = set[:len(set)-1]
			} else {
				hi := f.hi[at]
				walk(f.sub[at], &frame{at: hi, up: rest}, left+f.least[hi])
			}
			at = f.lo[at]
		}
	}
	walk(root, nil, 0)
	sortSets(sets)
	return sets
}

func sortSets(sets [][]int) {
	slices.SortFunc(sets, func(a, b []int) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), slices.Compare(a, b))
	})
}
