package cutset

import "slices"

// divide solves a part that is too much at once in pieces that have no set in common. It does so by the inputs
// of an or: a minimal solution of the whole belongs to the first input that it satisfies. So the
// family of an input is wanted without the sets that satisfy one before it, which bar them weakly, and
// without those of which a proper part satisfies one after it, which bar them strictly. What bars the sets of a
// piece matters only where the leaves of that piece fail, and there little is left of most others.
// Where there is no or on top, a leaf is taken as not failed in one piece and as failed in
// the other, in which the sets are barred that do without it.
func (s *solver) divide(f *forest, p *part, d *diagram, k int) (node, bool) {
	if s.depth == maxDepth || p.knotted() {
		return zero, false
	}
	g := p.graph()
	s.depth++
	defer func() { s.depth-- }()
	bars := [3]int32{barOf: g.top}
	if g.kind[g.top] == kindBarred {
		bars = [3]int32(g.in[g.top])
	}
	if v := bars[barOf]; g.kind[v] == kindOr {
		return s.byInputs(f, g, bars, d, k)
	}
	return s.byLeaf(f, g, bars, d, k)
}

// maxDepth bounds how often pieces are divided again.
const maxDepth = 24

// byInputs divides by the inputs of an or.
func (s *solver) byInputs(f *forest, g *graph, bars [3]int32, d *diagram, k int) (node, bool) {
	in := g.in[bars[barOf]]
	pieces, free := make([]*graph, len(in)), 0
	for i, c := range in {
		x := g.clone()
		// A set of this piece satisfies it, and so all that it takes to.
		holds := []int32{c}
		if x.kind[c] == kindAnd {
			holds = append(holds, x.in[c]...)
		}
		x = x.barred([3]int32{
			c,
			x.given(x.add(kindOr, append(slices.Clone(in[:i]), bars[barWeak])), holds),
			x.add(kindOr, append(slices.Clone(in[i+1:]), bars[barStrict])),
		})
		if x.kind[x.top] != kindBarred {
			free++
		}
		pieces[i] = x
	}
	if s.depth == 1 && s.o.divide == 0 && 2*free < len(in) {
		return zero, false // so many bars are more work than the whole
	}
	roots := make([]node, 0, len(in))
	for _, x := range pieces {
		root, ok := s.piece(f, x, len(in), d, k)
		if !ok {
			return zero, false
		}
		if root != zero {
			roots = append(roots, root)
		}
	}
	return f.either(roots), true
}

// byLeaf divides by whether the leaf with most users is in a set.
func (s *solver) byLeaf(f *forest, g *graph, bars [3]int32, d *diagram, k int) (node, bool) {
	leaf := g.busiest(bars[barOf])
	x := g.clone()
	x.become(leaf, 0)
	without, ok := s.piece(f, x.barred(bars), 2, d, k)
	if !ok {
		return zero, false
	}
	x = g.clone()
	lost := x.copyWithout(leaf, bars[:])
	x.become(leaf, 1)
	m := g.names[leaf-2]
	x = x.barred([3]int32{
		bars[barOf],
		x.add(kindOr, []int32{bars[barWeak], lost[barOf], lost[barStrict]}),
		bars[barStrict],
	})
	with, ok := s.piece(f, x, 2, d, max(0, k-int(f.lightest(m))))
	if !ok {
		return zero, false
	}
	from := narrow(len(f.leaf))
	r := zero
	if without != zero {
		r = f.node(-1, without, zero, one)
	}
	if with != zero {
		hi := f.node(-1, with, zero, one)
		r = f.variable(m, r, hi)
	}
	f.bounds = append(f.bounds, span{from, narrow(len(f.leaf)), r})
	return r, true
}

// divisors returns the inputs of the or that a part would be divided by.
func (p *part) divisors() []int32 {
	if g := &p.gates[p.root]; g.kind == kindOr {
		return g.in
	}
	return nil
}

// barred returns the graph of what the bars leave, simplified.
func (g *graph) barred(bars [3]int32) *graph {
	g.top = g.add(kindBarred, bars[:])
	g.tidy()
	g.confine()
	g.simplify()
	g.confine()
	return g.shrink()
}

// piece solves one of so many pieces.
func (s *solver) piece(f *forest, x *graph, pieces int, d *diagram, k int) (node, bool) {
	if k < unbounded {
		x.cut(k)
	}
	if s.lost() || len(f.leaf) > s.o.NodeBudget {
		return zero, false
	}
	share, depth := s.share, s.depth
	s.share /= float64(pieces)
	done := s.done
	root, ok := s.family(f, x, d, k)
	if ok {
		s.done = done + s.share
	}
	s.share, s.depth = share, depth
	return root, ok
}

// lost reports whether what is left of the effort does not suffice for the pieces that are left,
// going by those that are solved.
func (s *solver) lost() bool {
	used := s.allowed - s.effort
	return s.effort <= 0 || used > s.allowed/4 && float64(used) > 2*s.done*float64(s.allowed)
}

// confine takes leaves as never failed that the function whose solutions are asked for does not reach.
func (g *graph) confine() {
	g.top = g.find(g.top)
	if g.kind[g.top] != kindBarred {
		return
	}
	reached := make([]bool, len(g.kind))
	stack := []int32{g.find(g.in[g.top][barOf])}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, c := range g.in[v] {
			if c = g.find(c); !reached[c] {
				reached[c] = true
				stack = append(stack, c)
			}
		}
		reached[v] = true
	}
	changed := false
	for i := range g.leaves {
		if v := g.leaf(i); !reached[v] && g.same[v] == v {
			g.become(v, 0)
			changed = true
		}
	}
	if changed {
		g.tidy()
	}
}

// given returns a copy of v in which the given vertices have failed.
func (g *graph) given(v int32, failed []int32) int32 {
	moved := map[int32]int32{}
	for _, x := range failed {
		moved[x] = 1
	}
	return g.copyMoved(moved, []int32{v})[0]
}

// busiest returns the leaf that most gates below v use.
func (g *graph) busiest(v int32) int32 {
	x := *g
	x.top = v
	uses := x.parents(x.gates())
	best := g.leaf(0)
	for i := range g.leaves {
		if l := g.leaf(i); uses[l] > uses[best] {
			best = l
		}
	}
	return best
}

// copyWithout returns copies of the given vertices in which a leaf never fails.
func (g *graph) copyWithout(leaf int32, roots []int32) []int32 {
	return g.copyMoved(map[int32]int32{leaf: 0}, roots)
}

// copyMoved returns copies of the given vertices in which others stand for some.
func (g *graph) copyMoved(moved map[int32]int32, roots []int32) []int32 {
	x := *g
	for _, v := range roots {
		x.top = v
		for _, c := range x.gates() {
			if _, seen := moved[c]; seen {
				continue
			}
			in := slices.Clone(g.in[c])
			touched := false
			for i, y := range in {
				if m, ok := moved[y]; ok {
					in[i], touched = m, true
				}
			}
			if !touched {
				continue
			}
			n := g.add(g.kind[c], in)
			g.k[n], g.weight[n] = g.k[c], slices.Clone(g.weight[c])
			moved[c] = n
		}
	}
	out := slices.Clone(roots)
	for i, v := range out {
		if m, ok := moved[v]; ok {
			out[i] = m
		}
	}
	return out
}

// A mark is a state of a forest to go back to.
type mark struct{ nodes, bounds int }

func (f *forest) mark() mark { return mark{len(f.leaf), len(f.bounds)} }

func (f *forest) back(m mark) {
	f.leaf, f.sub, f.lo, f.hi = f.leaf[:m.nodes], f.sub[:m.nodes], f.lo[:m.nodes], f.hi[:m.nodes]
	f.least, f.most, f.bounds = f.least[:m.nodes], f.most[:m.nodes], f.bounds[:m.bounds]
}
