package cutset

import (
	"cmp"
	"math/bits"
	"slices"
)

// Small families of small sets are handled best as plain lists: a data centre has
// very many pairs and triples that share little, on which a diagram walks long chains for each.

// listBound is the largest number of members of a listed set.
const listBound = 6

// A small set holds variables in ascending order; unused places at the end hold -1.
type smallSet [listBound]int32

func (s *smallSet) size() int {
	n := 0
	for n < listBound && s[n] >= 0 {
		n++
	}
	return n
}

// A lister computes families of sets of a weight of at most bound, as lists of
// minimal sets. Effort counts sets touched; when it is used up all is void.
type lister struct {
	p      *part
	bound  int32
	effort int
	limit  int // of sets in one family, before it is made minimal
	index  setIndex
}

func noVars() smallSet { return smallSet{-1, -1, -1, -1, -1, -1} }

// run returns the part's family, unless it takes more effort than allowed.
func (l *lister) run() ([]smallSet, bool) {
	n := len(l.p.names)
	value := make([][]smallSet, n+len(l.p.gates))
	for v, w := range l.p.weight {
		if w <= l.bound {
			s := noVars()
			s[0] = narrow(v)
			value[v] = []smallSet{s}
		}
	}
	rooms := l.p.rooms(l.bound)
	for _, unit := range l.p.units {
		if len(unit) > 1 {
			return nil, false // knots are left to diagrams, where equal families are found at a glance
		}
		l.bound = rooms[unit[0]]
		value[n+int(unit[0])] = l.gate(&l.p.gates[unit[0]], value)
		if l.effort < 0 {
			return nil, false
		}
	}
	return value[n+int(l.p.root)], true
}

func (l *lister) gate(g *partGate, value [][]smallSet) []smallSet {
	switch g.kind {
	case kindOr:
		var all []smallSet
		for _, c := range g.in {
			if l.effort -= len(value[c]); l.effort < 0 || len(all) > l.limit {
				l.effort = -1
				return nil
			}
			for i := range value[c] {
				if l.weigh(&value[c][i]) <= l.bound {
					all = append(all, value[c][i])
				}
			}
		}
		return l.minimal(all)
	case kindAnd:
		in := slices.Clone(g.in)
		slices.SortStableFunc(in, func(a, b int32) int { return cmp.Compare(len(value[a]), len(value[b])) })
		f := []smallSet{noVars()}
		for _, c := range in {
			if f = l.meet(f, value[c]); len(f) == 0 {
				return nil
			}
		}
		return f
	case kindBarred:
		f := value[g.in[0]]
		for i, c := range g.in[1:] {
			f = l.barred(f, value[c], g.weight[i+1] == barStrict)
		}
		return f
	}
	rest := make([]int64, len(g.in)+1)
	for i := len(g.in) - 1; i >= 0; i-- {
		rest[i] = rest[i+1] + int64(g.weight[i])
	}
	known := map[goal][]smallSet{}
	var from func(at goal) []smallSet
	from = func(at goal) []smallSet {
		switch {
		case at.k <= 0:
			return []smallSet{noVars()}
		case rest[at.i] < int64(at.k) || l.effort < 0:
			return nil
		}
		if r, ok := known[at]; ok {
			return r
		}
		l.effort--
		r := l.meet(value[g.in[at.i]], from(goal{at.i + 1, at.k - g.weight[at.i]}))
		r = l.minimal(append(r, from(goal{at.i + 1, at.k})...))
		known[at] = r
		return r
	}
	return from(goal{0, g.k})
}

// meet unites each set of a with each of b, where that is light enough. Sets of the full weight stay if they contain one
// of the other family. Of the others, each meets all that are light enough beside it, and those that share a member with it.
func (l *lister) meet(a, b []smallSet) []smallSet {
	if l.effort -= len(a) + len(b); l.effort < 0 {
		return nil
	}
	out := l.full(nil, a, b)
	out = l.full(out, b, a)
	heavy := func(s smallSet) bool { return l.weigh(&s) >= l.bound }
	a, b = slices.DeleteFunc(slices.Clone(a), heavy), slices.DeleteFunc(slices.Clone(b), heavy)
	slices.SortStableFunc(b, func(x, y smallSet) int { return cmp.Compare(l.weigh(&x), l.weigh(&y)) })
	upTo := make([]int, l.bound+1) // how many of b weigh at most so much
	holders := map[int32][]int32{}
	for j := range b {
		for w := l.weigh(&b[j]); w <= l.bound; w++ {
			upTo[w]++
		}
		for _, v := range b[j][:b[j].size()] {
			holders[v] = append(holders[v], narrow(j))
		}
	}
	try := func(x, y *smallSet) {
		l.effort--
		if s, ok := l.unite(x, y); ok {
			out = append(out, s)
		}
	}
	for i := range a {
		if len(out) > l.limit || l.effort < 0 {
			l.effort = -1
			return nil
		}
		light := upTo[l.bound-l.weigh(&a[i])]
		for j := range b[:light] {
			try(&a[i], &b[j])
		}
		for _, v := range a[i][:a[i].size()] {
			shared := holders[v]
			from, _ := slices.BinarySearch(shared, narrow(light))
			for _, j := range shared[from:] {
				try(&a[i], &b[j])
			}
		}
	}
	return l.minimal(out)
}

// full appends the sets of a that weigh as much as may be and contain one of b.
func (l *lister) full(out, a, b []smallSet) []smallSet {
	l.index.reset(len(b))
	smallest := listBound
	for i := range b {
		l.index.add(&b[i])
		smallest = min(smallest, b[i].size())
	}
	for i := range a {
		if s := &a[i]; l.weigh(s) == l.bound && (smallest == 0 || l.index.has(s) || l.covered(s, smallest)) {
			out = append(out, *s)
		}
	}
	return out
}

func (l *lister) weigh(s *smallSet) int32 {
	sum := int32(0)
	for _, v := range s {
		if v < 0 {
			break
		}
		sum += l.p.weight[v]
	}
	return sum
}

// unite merges two sets, unless the union is too heavy.
func (l *lister) unite(a, b *smallSet) (smallSet, bool) {
	s := noVars()
	n, i, j, weight := 0, 0, 0, int32(0)
	for {
		x, y := int32(-1), int32(-1)
		if i < listBound {
			x = a[i]
		}
		if j < listBound {
			y = b[j]
		}
		if x < 0 && y < 0 {
			return s, true
		}
		v := x
		switch {
		case x < 0 || y >= 0 && y < x:
			v = y
			j++
		case x == y:
			i++
			j++
		default:
			i++
		}
		if weight += l.p.weight[v]; weight > l.bound || n == listBound {
			return s, false
		}
		s[n] = v
		n++
	}
}

// minimal drops repeats and sets that contain another. Sets are small, so that
// all their subsets can be looked up.
func (l *lister) minimal(sets []smallSet) []smallSet {
	if len(sets) < 2 {
		return sets
	}
	if l.effort -= len(sets); l.effort < 0 {
		return nil
	}
	bySize := [listBound + 1][]int32{}
	for i := range sets {
		n := sets[i].size()
		bySize[n] = append(bySize[n], narrow(i))
	}
	if len(bySize[0]) > 0 {
		return []smallSet{noVars()}
	}
	l.index.reset(len(sets))
	var out []smallSet
	smallest := 0
	for size, list := range bySize {
		if smallest == 0 && len(list) > 0 {
			smallest = size
		}
		for _, i := range list {
			if s := &sets[i]; !l.index.has(s) && !l.covered(s, smallest) {
				l.index.add(s)
				out = append(out, *s)
			}
		}
	}
	return out
}

// barred drops the sets that contain one of others, or are one if not only proper parts count.
func (l *lister) barred(sets, others []smallSet, strict bool) []smallSet {
	if l.effort -= len(sets) + len(others); l.effort < 0 || len(others) == 0 {
		return sets
	}
	smallest := listBound
	l.index.reset(len(others))
	for i := range others {
		l.index.add(&others[i])
		smallest = min(smallest, others[i].size())
	}
	return slices.DeleteFunc(slices.Clone(sets), func(s smallSet) bool {
		return !strict && l.index.has(&s) || l.covered(&s, smallest)
	})
}

// covered reports whether a proper subset of s is in the index.
func (l *lister) covered(s *smallSet, smallest int) bool {
	n := s.size()
	if n <= smallest {
		return false
	}
	for m := 1; m < 1<<n-1; m++ {
		if bits.OnesCount(uint(m)) < smallest {
			continue
		}
		sub, k := noVars(), 0
		for i := range n {
			if m>>i&1 == 1 {
				sub[k] = s[i]
				k++
			}
		}
		if l.index.has(&sub) {
			return true
		}
	}
	return false
}

// A setIndex holds sets by open addressing, without pointers.
type setIndex struct {
	slots []int32 // 1 and the number of a set; 0 is free
	sets  []smallSet
}

// reset empties the index and makes room for n sets.
func (x *setIndex) reset(n int) {
	size := 1 << bits.Len(uint(2*n+1)) //nolint:gosec // a length
	x.sets = x.sets[:0]
	if cap(x.slots) < size {
		x.slots = make([]int32, size)
		return
	}
	x.slots = x.slots[:size]
	clear(x.slots)
}

// place returns where a set is, or would be.
func (x *setIndex) place(s *smallSet) uint64 {
	h := mix(s[0], s[1], s[2])
	if s[3] >= 0 {
		h ^= mix(s[3], s[4], s[5])
	}
	for h &= mask(x.slots); x.slots[h] != 0 && x.sets[x.slots[h]-1] != *s; {
		h = (h + 1) & mask(x.slots)
	}
	return h
}

func (x *setIndex) has(s *smallSet) bool { return x.slots[x.place(s)] != 0 }

func (x *setIndex) add(s *smallSet) {
	if h := x.place(s); x.slots[h] == 0 {
		x.sets = append(x.sets, *s)
		x.slots[h] = narrow(len(x.sets))
	}
}

// plant adds a list of sets to the forest: those with the same first variable
// share a node, and the others hang on its low branch.
func (f *forest) plant(p *part, sets []smallSet) node {
	slices.SortFunc(sets, func(a, b smallSet) int { return slices.Compare(a[:], b[:]) })
	return f.plantFrom(p, sets, 0)
}

func (f *forest) plantFrom(p *part, sets []smallSet, at int) node {
	if len(sets) == 0 {
		return zero
	}
	if at == listBound || sets[0][at] < 0 {
		return one // minimal sets: nothing else begins like a set that ends here
	}
	r := zero
	for to := len(sets); to > 0; {
		from := to - 1
		for from > 0 && sets[from-1][at] == sets[to-1][at] {
			from--
		}
		hi := f.plantFrom(p, sets[from:to], at+1)
		r = f.variable(p.names[sets[to-1][at]], r, hi)
		to = from
	}
	return r
}
