package cutset

import (
	"cmp"
	"math"
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
	weight []int64 // of each variable
	least  int64   // of these, or less
	bound  int64
	most   int // if above 0, each gate keeps only so many sets, light ones first
	last   int // and the root so many
	effort int
	limit  int  // of sets in one family, before it is made minimal
	wide   bool // a set was left out that has too many members for a list
	index  setIndex
	known  *setIndex // sets of the root that are known: what contains one of these is left out
	share  []int64   // of the gate at hand: of a variable's weight, what one input that has it stands for
	count  []int32   // how many inputs have it
	heads  []int32   // of the lists of sets with a variable, in meet
	// What meet works in.
	scratch [3][]smallSet
}

func noVars() smallSet { return smallSet{-1, -1, -1, -1, -1, -1} }

// run returns the part's family, unless it takes more effort than allowed. The values of the
// variables are given.
func (l *lister) run(value [][]smallSet) ([]smallSet, bool) {
	n := len(l.p.names)
	value = append(value, make([][]smallSet, len(l.p.gates))...)
	l.share, l.count, l.heads = make([]int64, n), make([]int32, n), make([]int32, n)
	l.index.held = make([]uint32, n)
	rooms := newOutlook(l.p, l.weight, l.bound).room
	for _, unit := range l.p.units {
		l.bound = rooms[unit[0]]
		if unit[0] == l.p.root {
			l.most = max(l.most, l.last)
		}
		if len(unit) > 1 {
			l.knot(unit, value)
		} else {
			value[n+int(unit[0])] = l.gate(&l.p.gates[unit[0]], value)
		}
		if l.effort < 0 {
			return nil, false
		}
	}
	return value[n+int(l.p.root)], true
}

// variables are the families of the variables: one set with one member each, unless it is too heavy.
func (l *lister) variables() [][]smallSet {
	value := make([][]smallSet, len(l.weight))
	all := make([]smallSet, len(l.weight))
	for v, w := range l.weight {
		if w <= l.bound {
			all[v] = noVars()
			all[v][0] = narrow(v)
			value[v] = all[v : v+1 : v+1]
		}
	}
	return value
}

// knot lists what gates that feed each other let through, from nothing upwards, until nothing is new.
// If only a part is kept of each, it ends after some rounds.
func (l *lister) knot(unit []int32, value [][]smallSet) {
	const rounds = 12 // of partial lists
	n := len(l.p.names)
	for round := 0; l.most == 0 || round < rounds; round++ {
		changed := false
		for _, x := range unit {
			v := l.gate(&l.p.gates[x], value)
			if l.effort < 0 {
				return
			}
			slices.SortFunc(v, compareSets)
			if !slices.Equal(v, value[n+int(x)]) {
				value[n+int(x)] = v
				changed = true
			}
		}
		if !changed {
			return
		}
	}
}

func compareSets(a, b smallSet) int { return slices.Compare(a[:], b[:]) }

// gate returns the family of a gate over those of its inputs. The result may be that of an input itself.
func (l *lister) gate(g *partGate, value [][]smallSet) []smallSet {
	switch g.kind {
	case kindOr:
		sum := 0
		for _, c := range g.in {
			sum += len(value[c])
		}
		if l.effort -= sum; l.effort < 0 || sum > l.limit {
			l.effort = -1
			return nil
		}
		if sum == 0 {
			return nil
		}
		return l.lightest(l.either(g.in, value))
	case kindBarred:
		f := value[g.in[0]]
		for i, c := range g.in[1:] {
			f = l.barred(f, value[c], g.weight[i+1] == barStrict)
		}
		return f
	}
	v := vote{l: l, in: make([][]smallSet, len(g.in)), w: g.weight, k: g.k}
	for i, c := range g.in {
		v.in[i] = value[c]
	}
	if g.kind == kindAnd {
		// What is most to choose from comes first, and is chosen last.
		slices.SortStableFunc(v.in, func(a, b []smallSet) int { return cmp.Compare(len(b), len(a)) })
		v.k = narrow(len(v.in))
	}
	return v.solve()
}

// either returns the sets of all inputs that do not contain another one.
func (l *lister) either(in []int32, value [][]smallSet) []smallSet {
	long := in[0]
	sum := 0
	for _, c := range in {
		sum += len(value[c])
		if len(value[c]) > len(value[long]) {
			long = c
		}
	}
	all := make([]smallSet, 0, sum)
	if sum-len(value[long]) > fewSets {
		for _, c := range in {
			all = append(all, l.trim(value[c])...)
		}
		return l.minimal(all)
	}
	// Most are minimal among themselves.
	rest := make([]smallSet, 0, fewSets)
	for _, c := range in {
		if c != long {
			rest = append(rest, l.trim(value[c])...)
		}
	}
	rest = l.minimal(rest)
	kept := rest[:0]
	for i := range rest {
		if !slices.ContainsFunc(value[long], func(x smallSet) bool { return x.within(&rest[i]) }) {
			kept = append(kept, rest[i])
		}
	}
	for _, s := range l.trim(value[long]) {
		if !slices.ContainsFunc(kept, func(x smallSet) bool { return x.within(&s) }) {
			all = append(all, s)
		}
	}
	return append(all, kept...)
}

// A vote is a gate of which inputs of a weight of at least k are to fail.
type vote struct {
	l     *lister
	in    [][]smallSet
	w     []int32 // nil is 1 each
	k     int32
	rest  []int64 // weight of the inputs from i on
	known map[goal][]smallSet
	// What it takes at least to fail one more of the inputs before the i-th, and so on, the least first: sums, if each
	// variable counts for an input only with its share.
	before [][]int64
	widest int64
}

func (v *vote) weight(i int) int32 {
	if v.w == nil {
		return 1
	}
	return v.w[i]
}

func (v *vote) solve() []smallSet {
	v.rest = make([]int64, len(v.in)+1)
	for i := len(v.in) - 1; i >= 0; i-- {
		v.rest[i] = v.rest[i+1] + int64(v.weight(i))
		v.widest = max(v.widest, int64(v.weight(i)))
	}
	if v.rest[0] < int64(v.k) {
		return nil
	}
	if len(v.in) > 2 && v.l.most == 0 {
		defer v.deal()()
		if v.least(len(v.in), 0) > v.l.bound {
			return nil
		}
	}
	v.known = map[goal][]smallSet{}
	return v.from(goal{0, v.k})
}

// deal gives each input that has a variable the same share of it, so that what inputs take at least adds up. The
// result takes the shares back.
func (v *vote) deal() func() {
	l := v.l
	var met, mine []int32
	for _, f := range v.in {
		mine = mine[:0]
		for i := range f {
			for _, x := range f[i][:f[i].size()] {
				if l.share[x] == 0 {
					l.share[x] = 1
					l.count[x]++
					mine = append(mine, x)
					if l.count[x] == 1 {
						met = append(met, x)
					}
				}
			}
		}
		for _, x := range mine {
			l.share[x] = 0
		}
		l.effort -= len(f)
	}
	for _, x := range met {
		l.share[x] = l.weight[x] / int64(l.count[x])
	}
	v.before = make([][]int64, len(v.in)+1)
	least := make([]int64, 0, maxSums+1)
	for i, f := range v.in {
		cheapest := int64(math.MaxInt64 >> 1)
		for j := range f {
			cheapest = min(cheapest, l.shares(&f[j]))
		}
		at, _ := slices.BinarySearch(least, cheapest)
		least = slices.Insert(least, at, cheapest)
		least = least[:min(len(least), maxSums)]
		sums := make([]int64, len(least)+1)
		for j := range len(sums) - 1 {
			sums[j+1] = min(sums[j]+least[j], math.MaxInt64>>1)
		}
		v.before[i+1] = sums
	}
	v.before[0] = []int64{0}
	return func() {
		for _, x := range met {
			l.share[x], l.count[x] = 0, 0
		}
		v.before = nil
	}
}

// maxSums bounds how many inputs are looked ahead.
const maxSums = 32

// least is what the inputs before the i-th take at least, if those from there on weigh k.
func (v *vote) least(i int, k int32) int64 {
	if v.before == nil || k >= v.k {
		return 0
	}
	inputs := (int64(v.k-k) + v.widest - 1) / v.widest
	sums := v.before[i]
	return sums[min(inputs, int64(len(sums)-1))]
}

func (v *vote) from(at goal) []smallSet {
	switch {
	case at.k <= 0:
		return []smallSet{noVars()}
	case v.rest[at.i] < int64(at.k) || v.l.effort < 0:
		return nil
	}
	if r, ok := v.known[at]; ok {
		return r
	}
	v.l.effort--
	var r []smallSet
	if w := v.weight(at.i); w > 0 && len(v.in[at.i]) > 0 {
		if with := v.from(goal{at.i + 1, at.k - w}); len(with) > 0 {
			r = v.l.meet(v.in[at.i], with, v.least(at.i, at.k))
		}
	}
	if more := v.from(goal{at.i + 1, at.k}); len(more) > 0 {
		if len(r) > 0 {
			more = v.l.minimal(slices.Concat(r, more))
		}
		r = more
	}
	r = v.l.lightest(r)
	v.known[at] = r
	return r
}

// lightest leaves out what contains a known set, and all but so many light sets, if only these are wanted.
func (l *lister) lightest(sets []smallSet) []smallSet {
	if l.known != nil && len(l.known.sets) > 0 {
		stale := func(s smallSet) bool { return l.known.part(&s, false) }
		if slices.ContainsFunc(sets, stale) {
			sets = slices.DeleteFunc(slices.Clone(sets), stale)
		}
	}
	if l.most == 0 || len(sets) <= 1 {
		return sets
	}
	sets = slices.Clone(sets)
	slices.SortFunc(sets, func(a, b smallSet) int {
		return cmp.Or(cmp.Compare(l.weigh(&a), l.weigh(&b)), compareSets(a, b))
	})
	return sets[:min(len(sets), l.most)]
}

// meet unites each set of a with each of b, where that is light enough beside what others take. A set that contains one of the other family is
// a union by itself, and no other with it is minimal. Of the others, each meets all that are light
// enough beside it, and those that share a member with it.
func (l *lister) meet(a, b []smallSet, others int64) []smallSet {
	if l.effort -= len(a) + len(b); l.effort < 0 {
		return nil
	}
	switch {
	case len(a) == 0 || len(b) == 0:
		return nil
	case a[0][0] < 0: // the empty set alone
		return l.beside(l.trim(b), others)
	case b[0][0] < 0:
		return l.beside(l.trim(a), others)
	}
	out, restA, restB := l.scratch[0][:0], l.scratch[1][:0], l.scratch[2][:0]
	l.index.fill(b)
	for i := range a {
		l.sort(&a[i], l.index.part(&a[i], false), &out, &restA)
	}
	l.index.fill(a)
	for i := range b { // what both have is there
		if !l.index.has(&b[i]) {
			l.sort(&b[i], l.index.part(&b[i], true), &out, &restB)
		}
	}
	defer func() { l.scratch = [3][]smallSet{out, restA, restB} }()
	out = l.beside(out, others)
	a, b = restA, restB
	if len(a) == 0 || len(b) == 0 {
		return l.minimal(out)
	}
	weights := make([]int64, len(b))
	byWeight := func(x, y smallSet) int { return cmp.Compare(l.weigh(&x), l.weigh(&y)) }
	slices.SortStableFunc(b, byWeight)
	for j := range b {
		weights[j] = l.weigh(&b[j])
	}
	try := func(x, y *smallSet) {
		l.effort--
		if s, ok := l.unite(x, y, others); ok {
			out = append(out, s)
		}
	}
	if l.most > 0 {
		slices.SortStableFunc(a, byWeight)
		for i := range a {
			for j := range b[:min(len(b), l.most/(i+1))] {
				try(&a[i], &b[j])
			}
		}
		return l.minimal(out)
	}
	// Of each variable a list of the sets with it, heavy ones first: next[j*listBound+i] goes on from the i-th member of b[j].
	next := make([]int32, len(b)*listBound)
	for j := range b {
		for i, v := range b[j][:b[j].size()] {
			at := narrow(j*listBound + i)
			next[at] = l.heads[v]
			l.heads[v] = at + 1
		}
	}
	for i := range a {
		if len(out) > l.limit || l.effort < 0 {
			l.effort = -1
			break
		}
		light, _ := slices.BinarySearch(weights, l.bound-l.weigh(&a[i])+1)
		for j := range b[:light] {
			try(&a[i], &b[j])
		}
		for _, v := range a[i][:a[i].size()] {
			for at := l.heads[v]; at > 0 && int(at-1)/listBound >= light; at = next[at-1] {
				try(&a[i], &b[(at-1)/listBound])
			}
		}
	}
	for j := range b {
		for _, v := range b[j][:b[j].size()] {
			l.heads[v] = 0
		}
	}
	if l.effort < 0 {
		return nil
	}
	return l.minimal(out)
}

// trim returns the sets that are light enough.
func (l *lister) trim(sets []smallSet) []smallSet {
	heavy := func(s smallSet) bool { return l.weigh(&s) > l.bound }
	if !slices.ContainsFunc(sets, heavy) {
		return sets
	}
	return slices.DeleteFunc(slices.Clone(sets), heavy)
}

// beside returns the sets that are light enough beside what others take at least.
func (l *lister) beside(sets []smallSet, others int64) []smallSet {
	heavy := func(s smallSet) bool { return l.shares(&s)+others > l.bound }
	if others == 0 || !slices.ContainsFunc(sets, heavy) {
		return sets
	}
	return slices.DeleteFunc(slices.Clone(sets), heavy)
}

// sort keeps a set that contains one of the other family, and of the others those to which something can be added.
func (l *lister) sort(s *smallSet, whole bool, out, rest *[]smallSet) {
	switch weight := l.weigh(s); {
	case weight > l.bound:
	case whole:
		*out = append(*out, *s)
	case weight+l.least <= l.bound:
		*rest = append(*rest, *s)
	}
}

func (l *lister) weigh(s *smallSet) int64 { return s.sum(l.weight) }

// shares weighs a set with what one input stands for of each variable.
func (l *lister) shares(s *smallSet) int64 { return s.sum(l.share) }

// sum adds up what the variables of a set have.
func (s *smallSet) sum(of []int64) int64 {
	sum := int64(0)
	for _, v := range s {
		if v < 0 {
			break
		}
		sum += of[v]
	}
	return sum
}

// unite merges two sets, unless the union is too heavy.
func (l *lister) unite(a, b *smallSet, others int64) (smallSet, bool) {
	s := noVars()
	n, i, j, weight := 0, 0, 0, int64(0)
	for {
		x, y := int32(-1), int32(-1)
		if i < listBound {
			x = a[i]
		}
		if j < listBound {
			y = b[j]
		}
		if x < 0 && y < 0 {
			return s, others == 0 || l.shares(&s)+others <= l.bound
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
		if weight += l.weight[v]; weight > l.bound {
			return s, false
		}
		if n == listBound {
			l.wide = true
			return s, false
		}
		s[n] = v
		n++
	}
}

// fewSets is how many sets are compared each with each.
const fewSets = 6

// minimal returns a copy without repeats and sets that contain another. Sets are small, so that
// all their subsets can be looked up.
func (l *lister) minimal(sets []smallSet) []smallSet {
	if len(sets) < 2 {
		return slices.Clone(sets)
	}
	if l.effort -= len(sets); l.effort < 0 {
		return nil
	}
	start := [listBound + 2]int{} // of the sets of a size, among all by size
	for i := range sets {
		start[sets[i].size()+1]++
	}
	if start[1] > 0 {
		return []smallSet{noVars()}
	}
	for n := range listBound + 1 {
		start[n+1] += start[n]
	}
	bySize := make([]int32, len(sets))
	for i := range sets {
		n := sets[i].size()
		bySize[start[n]] = narrow(i)
		start[n]++
	}
	out := make([]smallSet, 0, len(sets))
	if len(sets) <= fewSets {
		for _, i := range bySize {
			if s := &sets[i]; !slices.ContainsFunc(out, func(x smallSet) bool { return x.within(s) }) {
				out = append(out, *s)
			}
		}
		return out
	}
	l.index.reset(out, len(sets))
	for _, i := range bySize {
		if s := &sets[i]; !l.index.part(s, true) {
			l.index.add(s)
		}
	}
	return l.index.sets
}

// within reports whether all members of s are in t.
func (s *smallSet) within(t *smallSet) bool {
	j := 0
	for _, v := range s {
		if v < 0 {
			return true
		}
		for j < listBound && t[j] >= 0 && t[j] < v {
			j++
		}
		if j == listBound || t[j] != v {
			return false
		}
	}
	return true
}

// barred drops the sets that contain one of others, or are one if not only proper parts count.
func (l *lister) barred(sets, others []smallSet, strict bool) []smallSet {
	if l.effort -= len(sets) + len(others); l.effort < 0 || len(others) == 0 {
		return sets
	}
	l.index.fill(others)
	return slices.DeleteFunc(slices.Clone(sets), func(s smallSet) bool {
		return l.index.part(&s, strict)
	})
}

// A setIndex holds sets by open addressing, without pointers.
type setIndex struct {
	slots []int32 // 1 and the number of a set; 0 is free
	sets  []smallSet
	held  []uint32 // of a variable: the sizes of sets with it, as bits, below the epoch in which that holds
	epoch uint32
}

// reset empties the index, which from now on appends its sets to the given ones, and makes room for n.
func (x *setIndex) reset(sets []smallSet, n int) {
	size := 1 << bits.Len(uint(2*n+1))
	x.sets = sets[:0]
	if x.epoch += 1 << listBound; x.epoch == 0 {
		clear(x.held)
		x.epoch = 1 << listBound
	}
	if cap(x.slots) < size {
		x.slots = make([]int32, size)
		return
	}
	x.slots = x.slots[:size]
	clear(x.slots)
}

// fill makes the index one of the given sets, all different.
func (x *setIndex) fill(sets []smallSet) {
	x.reset(nil, len(sets))
	x.sets = sets
	for i := range sets {
		x.note(&sets[i])
		h := x.place(&sets[i])
		x.slots[h] = narrow(i + 1)
	}
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

// has reports whether a set is in the index.
func (x *setIndex) has(s *smallSet) bool { return x.slots[x.place(s)] != 0 }

// add adds a set that may be there already.
func (x *setIndex) add(s *smallSet) {
	if h := x.place(s); x.slots[h] == 0 {
		x.note(s)
		x.sets = append(x.sets, *s)
		x.slots[h] = narrow(len(x.sets))
	}
}

func (x *setIndex) note(s *smallSet) {
	n := s.size()
	for _, v := range s[:n] {
		if x.held[v] < x.epoch {
			x.held[v] = x.epoch
		}
		x.held[v] |= 1 << n >> 1
	}
}

// part reports whether a subset of s is in the index, s itself among them unless only proper ones count. Only members
// of sets of its size can make up one.
func (x *setIndex) part(s *smallSet, proper bool) bool {
	n := s.size()
	most := n
	if proper {
		most--
	}
	var can [listBound]int // by size, less 1: the members that sets of that size have
	for i, v := range s[:n] {
		if held := x.held[v]; held >= x.epoch {
			for m := range most {
				can[m] |= int(held>>m&1) << i
			}
		}
	}
	if can[0] != 0 && most > 0 {
		return true
	}
	for m := 1; m < most; m++ {
		if bits.OnesCount(uint(can[m])) <= m {
			continue
		}
		for sub := can[m]; sub > 0; sub = (sub - 1) & can[m] {
			if bits.OnesCount(uint(sub)) != m+1 {
				continue
			}
			part, k := noVars(), 0
			for i := range n {
				if sub>>i&1 == 1 {
					part[k] = s[i]
					k++
				}
			}
			if x.has(&part) {
				return true
			}
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
