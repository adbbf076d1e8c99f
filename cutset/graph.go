package cutset

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// narrow makes a number fit the flat arrays. Check bounds all numbers of a tree,
// and the node budget those of the diagrams, far below 32 bits.
func narrow[T int | int64](n T) int32 { return int32(n) }

// The kinds of vertex in a graph.
const (
	kindConst uint8 = iota
	kindLeaf
	kindOr
	kindAnd
	kindThreshold
	kindBarred // the sets of the first input that the others do not bar: see [solver.divide]
)

// A name is what a variable stands for: a leaf of the tree, or, with leaf -1, the family with the root sub.
type name struct{ leaf, sub int32 }

// A graph is a tree on its way to the diagrams. Vertices are numbered: 0 and
// 1 are the constants, then the leaves, then gates; simplification appends gates.
type graph struct {
	leaves int
	kind   []uint8
	in     [][]int32 // sorted, without doubles or constants once simplified
	weight [][]int32 // of a threshold
	k      []int32
	top    int32
	same   []int32 // what a vertex turned out to be; itself if nothing else
	names  []name  // of the leaves
	cyclic bool
}

func (g *graph) leaf(i int) int32 { return narrow(i + 2) }

func (g *graph) isGate(v int32) bool { return g.kind[v] >= kindOr }

func newGraph(t *Tree) *graph {
	n := 2 + len(t.Leaves) + len(t.Gates)
	g := &graph{
		leaves: len(t.Leaves), kind: make([]uint8, n, n+n/4), in: make([][]int32, n, n+n/4),
		weight: make([][]int32, n, n+n/4), k: make([]int32, n, n+n/4), same: make([]int32, n, n+n/4), cyclic: t.Cyclic,
	}
	vertex := func(r Ref) int32 {
		if i, ok := r.Leaf(); ok {
			return g.leaf(i)
		}
		if i, ok := r.Gate(); ok {
			return g.leaf(len(t.Leaves) + i)
		}
		return int32(r)
	}
	for v := range g.same {
		g.same[v] = narrow(v)
	}
	g.names = make([]name, len(t.Leaves))
	for i := range t.Leaves {
		g.kind[2+i] = kindLeaf
		g.names[i] = name{leaf: narrow(i)}
	}
	for i := range t.Gates {
		gate := &t.Gates[i]
		v := 2 + len(t.Leaves) + i
		in := make([]int32, len(gate.In))
		for j, r := range gate.In {
			in[j] = vertex(r)
		}
		g.in[v] = in
		switch gate.Op {
		case Or:
			g.kind[v] = kindOr
		case And:
			g.kind[v] = kindAnd
		case AtLeast:
			g.kind[v] = kindThreshold
			g.k[v] = narrow(gate.K)
			w := make([]int32, len(in))
			for j := range w {
				w[j] = 1
				if gate.Weights != nil {
					w[j] = narrow(gate.Weights[j])
				}
			}
			g.weight[v] = w
		}
	}
	g.top = vertex(t.Top)
	return g
}

// add appends a gate and returns its vertex.
func (g *graph) add(kind uint8, in []int32) int32 {
	v := narrow(len(g.kind))
	g.kind = append(g.kind, kind)
	g.in = append(g.in, in)
	g.weight = append(g.weight, nil)
	g.k = append(g.k, 0)
	g.same = append(g.same, v)
	return v
}

// shrink returns a copy that holds only what the top reaches.
func (g *graph) shrink() *graph {
	gates := g.gates()
	used := g.parents(gates)
	c := &graph{cyclic: g.cyclic}
	number := make([]int32, len(g.kind))
	push := func(v int32, kind uint8) {
		number[v] = narrow(len(c.kind))
		c.kind = append(c.kind, kind)
		c.same = append(c.same, number[v])
	}
	push(0, kindConst)
	push(1, kindConst)
	for i := range g.leaves {
		if v := g.leaf(i); used[v] > 0 {
			push(v, kindLeaf)
			c.names = append(c.names, g.names[i])
		}
	}
	c.leaves = len(c.names)
	slices.Sort(gates)
	for _, v := range gates {
		push(v, g.kind[v])
	}
	n := len(c.kind)
	c.in, c.weight, c.k = make([][]int32, n), make([][]int32, n), make([]int32, n)
	for _, v := range gates {
		w := number[v]
		c.k[w], c.weight[w] = g.k[v], g.weight[v]
		c.in[w] = make([]int32, len(g.in[v]))
		for i, x := range g.in[v] {
			c.in[w][i] = number[g.find(x)]
		}
	}
	c.top = number[g.find(g.top)]
	return c
}

// find returns what a vertex stands for now.
func (g *graph) find(v int32) int32 {
	for g.same[v] != v {
		g.same[v] = g.same[g.same[v]]
		v = g.same[v]
	}
	return v
}

// gates returns the gates that the top reaches, inputs before what they feed
// (as far as cycles allow).
func (g *graph) gates() []int32 {
	var order []int32
	seen := make([]bool, len(g.kind))
	next := make([]int32, len(g.kind))
	g.top = g.find(g.top)
	if !g.isGate(g.top) {
		return nil
	}
	path := []int32{g.top}
	seen[g.top] = true
	for len(path) > 0 {
		v := path[len(path)-1]
		if int(next[v]) == len(g.in[v]) {
			order = append(order, v)
			path = path[:len(path)-1]
			continue
		}
		c := g.find(g.in[v][next[v]])
		next[v]++
		if g.isGate(c) && !seen[c] {
			seen[c] = true
			path = append(path, c)
		}
	}
	return order
}

// parents counts the references to each vertex among the given gates; the top has one more.
func (g *graph) parents(gates []int32) []int32 {
	n := make([]int32, len(g.kind))
	n[g.top]++
	for _, v := range gates {
		for _, c := range g.in[v] {
			n[g.find(c)]++
		}
	}
	return n
}

// simplify rewrites the graph into a smaller one with the same minimal
// solutions, until nothing changes: constants, thresholds that are plain gates,
// nested gates of one kind (coalescing), equal gates, inputs that
// another input makes redundant, common factors, and inputs that always go together.
// The rewriting rules are those of S. Rakhimov's SCRAM and of A. Rauzy,
// "Toward an efficient implementation of the MOCUS algorithm" (2003).
func (g *graph) simplify() {
	const rounds = 64 // each round removes something; deep chains settle in few
	for range rounds {
		changed := g.tidy()
		changed = g.prune() || changed
		changed = g.factor() || changed
		changed = g.bundle() || changed
		if !changed {
			return
		}
	}
	g.tidy()
}

// tidy normalises every gate: it resolves what vertices stand for, folds
// constants, pulls in gates of the same kind that nothing else uses, sorts inputs and
// merges gates that are written the same.
func (g *graph) tidy() bool {
	changed := false
	for {
		again := g.tidyOnce()
		if !again {
			return changed
		}
		changed = true
	}
}

func (g *graph) tidyOnce() bool {
	changed := false
	gates := g.gates()
	parents := g.parents(gates)
	inline := func(c, v int32) bool {
		return c != v && g.kind[c] == g.kind[v] && parents[c] == 1 && g.kind[v] <= kindAnd
	}
	inlined := make([]bool, len(g.kind))
	for _, v := range gates {
		for _, c := range g.in[v] {
			if c = g.find(c); g.isGate(c) && inline(c, v) {
				inlined[c] = true
			}
		}
	}
	written := make(map[string]int32, len(gates))
	var key []byte
	for _, v := range gates {
		if inlined[v] || g.same[v] != v {
			continue
		}
		switch g.kind[v] {
		case kindThreshold:
			changed = g.tidyThreshold(v) || changed
		case kindBarred:
			changed = g.tidyBarred(v) || changed
		default:
			changed = g.tidyPlain(v, inlined) || changed
		}
		if g.same[v] != v {
			changed = true
			continue
		}
		key = append(key[:0], g.kind[v])
		key = binary.AppendVarint(key, int64(g.k[v]))
		for i, c := range g.in[v] {
			key = binary.AppendVarint(key, int64(c))
			if g.weight[v] != nil {
				key = binary.AppendVarint(key, int64(g.weight[v][i]))
			}
		}
		if twin, ok := written[string(key)]; ok {
			g.become(v, twin)
			changed = true
			continue
		}
		written[string(key)] = v
	}
	g.top = g.find(g.top)
	return changed
}

// become records that v is w. It keeps same free of cycles.
func (g *graph) become(v, w int32) {
	if w = g.find(w); w != v {
		g.same[v] = w
	}
}

func (g *graph) tidyPlain(v int32, inlined []bool) bool {
	absorbing, neutral := int32(1), int32(0) // of an or
	if g.kind[v] == kindAnd {
		absorbing, neutral = 0, 1
	}
	before := len(g.in[v])
	changed := false
	in := make([]int32, 0, before)
	stack := [][]int32{g.in[v]}
	for len(stack) > 0 {
		list := stack[len(stack)-1]
		if len(list) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		raw := list[0]
		stack[len(stack)-1] = list[1:]
		c := g.find(raw)
		switch {
		case c == absorbing:
			g.become(v, absorbing)
			return true
		case c == neutral:
			changed = true
		case c == v:
			// A gate that feeds itself: the least fixpoint takes that input as not failed.
			changed = true
			if g.kind[v] == kindAnd {
				g.become(v, 0)
				return true
			}
		case inlined[c] && g.same[c] == c && g.kind[c] == g.kind[v]:
			changed = true
			stack = append(stack, g.in[c])
		default:
			changed = changed || c != raw
			in = append(in, c)
		}
	}
	slices.Sort(in)
	in = slices.Compact(in)
	changed = changed || len(in) != before
	g.in[v] = in
	switch len(in) {
	case 0:
		g.become(v, neutral)
		return true
	case 1:
		g.become(v, in[0])
		return true
	}
	return changed
}

func (g *graph) tidyThreshold(v int32) bool {
	type part struct{ c, w int32 }
	k := int64(g.k[v])
	parts := make([]part, 0, len(g.in[v]))
	for i, c := range g.in[v] {
		switch c = g.find(c); {
		case g.weight[v][i] == 0 || c == 0 || c == v:
		case c == 1:
			k -= int64(g.weight[v][i])
		default:
			parts = append(parts, part{c, g.weight[v][i]})
		}
	}
	if k <= 0 {
		g.become(v, 1)
		return true
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.c, b.c) })
	in, weight := make([]int32, 0, len(parts)), make([]int32, 0, len(parts))
	for _, p := range parts {
		if n := len(in); n > 0 && in[n-1] == p.c {
			weight[n-1] += p.w
			continue
		}
		in, weight = append(in, p.c), append(weight, p.w)
	}
	var total, divisor int64
	least, most := int64(1<<62), int64(0)
	for i := range weight {
		weight[i] = narrow(min(int64(weight[i]), k))
		w := int64(weight[i])
		total += w
		divisor = gcd(divisor, w)
		least, most = min(least, w), max(most, w)
	}
	if total < k {
		g.become(v, 0)
		return true
	}
	if divisor > 1 {
		for i := range weight {
			weight[i] /= narrow(divisor)
		}
		k = (k + divisor - 1) / divisor
		total /= divisor
		least /= divisor
		return g.setThreshold(v, in, weight, k, total, least) || true
	}
	return g.setThreshold(v, in, weight, k, total, least)
}

func (g *graph) setThreshold(v int32, in, weight []int32, k, total, least int64) bool {
	changed := k != int64(g.k[v]) || !slices.Equal(in, g.in[v]) || !slices.Equal(weight, g.weight[v])
	g.in[v], g.weight[v], g.k[v] = in, weight, narrow(k)
	switch {
	case least >= k:
		g.kind[v], g.weight[v], g.k[v] = kindOr, nil, 0
		changed = true
	case total-least < k:
		g.kind[v], g.weight[v], g.k[v] = kindAnd, nil, 0
		changed = true
	}
	if len(in) == 1 {
		g.become(v, in[0])
		changed = true
	}
	return changed
}

// tidyBarred normalises what [solver.divide] makes.
func (g *graph) tidyBarred(v int32) bool {
	in := []int32{g.find(g.in[v][0]), g.find(g.in[v][1]), g.find(g.in[v][2])}
	f, weak, strict := in[0], in[1], in[2]
	if strict == f {
		strict = 0
	}
	switch {
	case f == 0 || weak == 1 || weak == f:
		g.become(v, 0)
		return true
	case f == 1: // the empty set, which nothing that is not always there bars
		g.become(v, 1)
		return true
	case strict == 1:
		g.become(v, 0)
		return true
	case weak == 0 && strict == 0:
		g.become(v, f)
		return true
	}
	in[2] = strict
	changed := !slices.Equal(in, g.in[v])
	g.in[v] = in
	return changed
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// prune removes an input that the way to it already decides: inside an or with
// the input x, everything else may take x as not failed; inside an and, as failed.
// "Inside" means that every way from the top leads through that gate, which the
// dominator tree tells (Cooper, Harvey, Kennedy 2001). With cycles the argument does not hold.
func (g *graph) prune() bool {
	if g.cyclic {
		return false
	}
	gates := g.gates()
	if len(gates) == 0 {
		return false
	}
	dom := newDominators(g, gates)
	type use struct {
		v     int32
		index int
	}
	uses := make(map[int32][]use)
	for i := range gates {
		v := gates[len(gates)-1-i]
		for j, c := range g.in[v] {
			uses[c] = append(uses[c], use{v, j})
		}
	}
	changed := false
	for i := range gates {
		v := gates[len(gates)-1-i]
		for _, c := range g.in[v] {
			list := uses[c]
			if len(list) < 2 {
				continue
			}
			delete(uses, c)
			slices.SortFunc(list, func(a, b use) int { return cmp.Compare(dom.enter[a.v], dom.enter[b.v]) })
			var above []int32
			for _, u := range list {
				for len(above) > 0 && dom.leave[above[len(above)-1]] < dom.enter[u.v] {
					above = above[:len(above)-1]
				}
				decided := int32(-1)
				for _, p := range above {
					if p != u.v && g.kind[p] == kindOr {
						decided = 0
						break
					}
					if p != u.v && g.kind[p] == kindAnd {
						decided = 1
						break
					}
				}
				if decided >= 0 {
					g.in[u.v] = slices.Clone(g.in[u.v])
					g.in[u.v][u.index] = decided
					changed = true
					continue
				}
				above = append(above, u.v)
			}
		}
	}
	if changed {
		g.tidy()
	}
	return changed
}

// dominators holds the dominator tree of the gates as intervals: a dominates b
// if the interval of a encloses that of b.
type dominators struct{ enter, leave []int32 }

func newDominators(g *graph, gates []int32) *dominators {
	n := len(gates)
	number := make([]int32, len(g.kind)) // position in reverse topological order, the top first
	order := make([]int32, n)
	for i, v := range gates {
		order[n-1-i] = v
		number[v] = narrow(n - 1 - i)
	}
	idom := make([]int32, n)
	for i := range idom {
		idom[i] = -1
	}
	idom[0] = 0
	for i, v := range order {
		for _, c := range g.in[v] {
			if !g.isGate(c) {
				continue
			}
			a, b := narrow(i), number[c]
			if idom[b] < 0 {
				idom[b] = a
				continue
			}
			o := idom[b]
			for o != a {
				if o > a {
					o = idom[o]
				} else {
					a = idom[a]
				}
			}
			idom[b] = o
		}
	}
	// Numbers grow downwards, so sizes add up from the end, and intervals are dealt from the start.
	size := make([]int32, n)
	for i := n - 1; i > 0; i-- {
		size[i]++
		size[idom[i]] += size[i]
	}
	size[0]++
	d := &dominators{enter: make([]int32, len(g.kind)), leave: make([]int32, len(g.kind))}
	free := make([]int32, n)
	free[0] = 1
	d.enter[order[0]], d.leave[order[0]] = 0, size[0]-1
	for i := 1; i < n; i++ {
		p := idom[i]
		at := d.enter[order[p]] + free[p]
		if free[p] == 0 {
			at++
			free[p] = 1
		}
		free[p] += size[i]
		d.enter[order[i]], d.leave[order[i]] = at, at+size[i]-1
		free[i] = 1
	}
	return d
}

// factor takes common inputs out: (x or a) and (x or b) is x or (a and b), and
// the other way round. Only gates that nothing else uses are opened.
func (g *graph) factor() bool {
	gates := g.gates()
	parents := g.parents(gates)
	changed := false
	for _, v := range gates {
		if g.kind[v] <= kindAnd {
			more := g.factorGate(v, &parents)
			changed = changed || more
		}
	}
	if changed {
		g.tidy()
	}
	return changed
}

// factorGate takes out of the private gates below v the input that most of
// them share, and so on. Numbers of sharers only fall, so that one that is out of date goes back
// into its bucket and every gate is opened once.
func (g *graph) factorGate(v int32, parents *[]int32) bool {
	inner := kindOr + kindAnd - g.kind[v]
	holders := make(map[int32][]int32)
	var met []int32
	for _, c := range g.in[v] {
		if g.kind[c] != inner || (*parents)[c] != 1 {
			continue
		}
		for _, x := range g.in[c] {
			if (*parents)[x] < 2 || x == v {
				continue
			}
			if holders[x] == nil {
				met = append(met, x)
			}
			holders[x] = append(holders[x], c)
		}
	}
	buckets := make(map[int][]int32)
	most := 0
	slices.Sort(met)
	for _, x := range met {
		if n := len(holders[x]); n > 1 {
			buckets[n] = append(buckets[n], x)
			most = max(most, n)
		}
	}
	gone := make(map[int32]bool)
	var whole []int32
	for n := most; n > 1; n-- {
		for i := 0; i < len(buckets[n]); i++ {
			x := buckets[n][i]
			live := slices.DeleteFunc(holders[x], func(c int32) bool { return gone[c] })
			holders[x] = live
			if len(live) < n {
				buckets[len(live)] = append(buckets[len(live)], x)
				continue
			}
			for _, c := range live {
				gone[c] = true
			}
			whole = append(whole, g.takeOut(v, x, live))
			*parents = append(*parents, 1, 1)
			(*parents)[x] -= narrow(n) - 1
		}
	}
	if len(whole) == 0 {
		return false
	}
	in := slices.DeleteFunc(slices.Clone(g.in[v]), func(c int32) bool { return gone[c] })
	g.in[v] = append(in, whole...)
	slices.Sort(g.in[v])
	return true
}

// takeOut returns a new gate that stands for the given gates below v, with x taken out of them.
func (g *graph) takeOut(v, x int32, among []int32) int32 {
	rest := make([]int32, 0, len(among))
	for _, c := range among {
		at, _ := slices.BinarySearch(g.in[c], x)
		g.in[c] = slices.Delete(slices.Clone(g.in[c]), at, at+1)
		if len(g.in[c]) == 1 {
			rest = append(rest, g.in[c][0])
		} else {
			rest = append(rest, c)
		}
	}
	slices.Sort(rest)
	below := g.add(g.kind[v], slices.Compact(rest))
	in := []int32{x, below}
	slices.Sort(in)
	return g.add(kindOr+kindAnd-g.kind[v], in)
}

// bundle puts inputs that always go together under a gate of their own: vertices
// that are used by exactly the same gates, all of one kind, act as one.
func (g *graph) bundle() bool {
	gates := g.gates()
	users := make(map[int32][]int32)
	var met []int32
	for _, v := range gates {
		for _, c := range g.in[v] {
			if users[c] == nil {
				met = append(met, c)
			}
			users[c] = append(users[c], v)
		}
	}
	groups := make(map[string][]int32)
	var keys []string
	var key []byte
	for _, c := range met {
		list := users[c]
		if len(list) < 2 {
			continue // what only one gate uses is left to split
		}
		kind := g.kind[list[0]]
		if kind > kindAnd || slices.ContainsFunc(list, func(v int32) bool { return g.kind[v] != kind }) {
			continue
		}
		key = key[:0]
		for _, v := range list {
			key = binary.AppendVarint(key, int64(v))
		}
		if groups[string(key)] == nil {
			keys = append(keys, string(key))
		}
		groups[string(key)] = append(groups[string(key)], c)
	}
	changed := false
	for _, key := range keys {
		group := groups[key]
		list := users[group[0]]
		if len(group) < 2 {
			continue
		}
		slices.Sort(group)
		b := g.add(g.kind[list[0]], group)
		for _, v := range list {
			in := make([]int32, 0, len(g.in[v])-len(group)+1)
			for _, c := range g.in[v] {
				if _, gone := slices.BinarySearch(group, c); !gone {
					in = append(in, c)
				}
			}
			g.in[v] = append(in, b)
			slices.Sort(g.in[v])
		}
		changed = true
	}
	return changed
}

// clone returns a copy that can be rewritten on its own.
func (g *graph) clone() *graph {
	c := *g
	c.kind, c.k, c.same = slices.Clone(g.kind), slices.Clone(g.k), slices.Clone(g.same)
	c.in, c.weight = make([][]int32, len(g.in)), make([][]int32, len(g.weight))
	for v := range g.in {
		c.in[v], c.weight[v] = slices.Clone(g.in[v]), slices.Clone(g.weight[v])
	}
	return &c
}

// cut replaces by "never" every gate that takes more than k leaves to fail,
// or more than is left for it below the gates that use it, and simplifies what is left.
func (g *graph) cut(k int) {
	for {
		gates := g.gates()
		least, left := g.bounds(gates, narrow(k))
		again := false
		for _, v := range gates {
			if least[v] > left[v] {
				g.become(v, 0)
				again = true
			}
		}
		if !again {
			return
		}
		g.tidy()
		g.simplify()
	}
}

// bounds returns a lower bound on the order of the smallest solution of each
// vertex, and an upper bound on what matters of it in solutions of the top of order k.
func (g *graph) bounds(gates []int32, k int32) (least, left []int32) {
	least, left = make([]int32, len(g.kind)), make([]int32, len(g.kind))
	parents := g.parents(gates)
	for v := range least {
		least[v] = 1
	}
	least[0], least[1] = heavy, 0
	own := func(v int32) int32 { // private leaves of an and
		n := int32(0)
		for _, c := range g.in[v] {
			if !g.isGate(c) && parents[c] == 1 {
				n++
			}
		}
		return n
	}
	if !g.cyclic {
		for _, v := range gates {
			switch g.kind[v] {
			case kindOr:
				least[v] = heavy
				for _, c := range g.in[v] {
					least[v] = min(least[v], least[c])
				}
			case kindAnd:
				most := int32(0)
				for _, c := range g.in[v] {
					if g.isGate(c) || parents[c] > 1 {
						most = max(most, least[c])
					}
				}
				least[v] = saturate(most + own(v))
			case kindThreshold:
				least[v] = g.thresholdLeast(v, least)
			}
		}
	}
	left[g.top] = k
	for _, v := range slices.Backward(gates) {
		room := left[v]
		if g.cyclic {
			left[v], room = k, k
		}
		if g.kind[v] == kindAnd && !g.cyclic {
			room -= own(v)
		}
		for _, c := range g.in[v] {
			left[c] = max(left[c], room)
		}
	}
	return least, left
}

// thresholdLeast bounds the order of a threshold: the inputs that meet it at least
// order include one that is no smaller than the last of the smallest that together could.
func (g *graph) thresholdLeast(v int32, least []int32) int32 {
	type part struct{ least, w int32 }
	parts := make([]part, len(g.in[v]))
	for i, c := range g.in[v] {
		parts[i] = part{least[c], g.weight[v][i]}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.least, b.least) })
	sum := int64(0)
	for _, p := range parts {
		if sum += int64(p.w); sum >= int64(g.k[v]) {
			return p.least
		}
	}
	return heavy
}
