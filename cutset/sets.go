package cutset

import (
	"cmp"
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
	index  map[smallSet]struct{}
	room   int // what the index has held
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
	l.index = map[smallSet]struct{}{}
	for _, unit := range l.p.units {
		if len(unit) > 1 {
			return nil, false // knots are left to diagrams, where equal families are found at a glance
		}
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
			all = append(all, value[c]...)
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

func (l *lister) meet(a, b []smallSet) []smallSet {
	if l.effort -= len(a) * len(b); l.effort < 0 {
		return nil
	}
	var out []smallSet
	for i := range a {
		if len(out) > l.limit {
			l.effort = -1
			return nil
		}
		for j := range b {
			if s, ok := l.unite(&a[i], &b[j]); ok {
				out = append(out, s)
			}
		}
	}
	return l.minimal(out)
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
	slices.SortFunc(sets, func(a, b smallSet) int {
		return cmp.Or(cmp.Compare(a.size(), b.size()), slices.Compare(a[:], b[:]))
	})
	if sets[0][0] < 0 {
		return sets[:1]
	}
	smallest := sets[0].size()
	if l.room > 8*len(sets)+1000 {
		l.index, l.room = map[smallSet]struct{}{}, 0 // clearing takes as long as the map was ever large
	}
	l.room = max(l.room, len(sets))
	clear(l.index)
	out := sets[:0]
	for i := range sets {
		s := sets[i]
		if len(out) > 0 && out[len(out)-1] == s || l.covered(s, smallest) {
			continue
		}
		out = append(out, s)
		l.index[s] = struct{}{}
	}
	return out
}

// barred drops the sets that contain one of others, or are one if not only proper parts count.
func (l *lister) barred(sets, others []smallSet, strict bool) []smallSet {
	if l.effort -= len(sets) + len(others); l.effort < 0 || len(others) == 0 {
		return sets
	}
	smallest := listBound
	l.index, l.room = make(map[smallSet]struct{}, len(others)), len(others)
	for _, o := range others {
		l.index[o] = struct{}{}
		smallest = min(smallest, o.size())
	}
	return slices.DeleteFunc(slices.Clone(sets), func(s smallSet) bool {
		if _, ok := l.index[s]; ok && !strict {
			return true
		}
		return l.covered(s, smallest)
	})
}

// covered reports whether a proper subset of s is in the index.
func (l *lister) covered(s smallSet, smallest int) bool {
	n := s.size()
	if n <= smallest {
		return false
	}
	for m := 1; m < 1<<n-1; m++ {
		sub, k := noVars(), 0
		for i := range n {
			if m>>i&1 == 1 {
				sub[k] = s[i]
				k++
			}
		}
		if k < smallest {
			continue
		}
		if _, ok := l.index[sub]; ok {
			return true
		}
	}
	return false
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
