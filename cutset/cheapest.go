package cutset

import (
	"cmp"
	"math"
	"slices"
)

// Large trees are asked for their first sets by rank, of which there may be millions of other small ones. Then a
// tree is not even simplified: lists that hold only a few light sets of each gate give so many cut sets, and
// with them what the last of the first costs at most. Whatever is lighter than that comes out of
// lists that are bounded by it, and these are short.

// fromLarge is the size, in gates and leaves, from which on that goes first. What is smaller is at most times
// solved as a whole, and then all is counted too.
const fromLarge = 1 << 13

// cheapest finds the first sets by rank, and nothing else, or returns false if that took too much.
func (s *solver) cheapest(cost []float64) bool {
	p, value := s.t.whole()
	weight := fixed(cost)
	base := lister{p: p, weight: append(weight, 0, 0), least: slices.Min(weight), limit: s.o.NodeBudget / 2}
	base.known = &setIndex{held: make([]uint32, len(p.names))}
	effort := 2 * boundedEffort * s.o.NodeBudget
	know := &knowledge{sim: newSimulation(s.t), l: &base, seen: map[smallSet]bool{}}
	for most := 2; most <= 128 && effort > 0; {
		l := base
		l.bound, l.most, l.last, l.effort = math.MaxInt64>>2, most, 3*s.o.Top+most, effort/2
		sets, ok := s.enumerate(&l, value, &effort)
		if !ok {
			return false
		}
		before := len(know.sets)
		know.learn(sets, s.o.Top)
		switch {
		case len(know.sets) > 0 && len(know.sets[0]) == 0:
			return false // it has failed as it stands
		case len(know.sets) >= s.o.Top && s.lighter(know, value, &effort):
			return true
		case len(know.sets) >= s.o.Top || len(know.sets) == before:
			most *= 4
		}
	}
	return false
}

// lighter finds all sets that are lighter than the last of the first, given so many cut sets. Where that takes much, it
// finds the lightest of these before: sets that contain them are then left out.
func (s *solver) lighter(know *knowledge, value [][]smallSet, effort *int) bool {
	done := int64(-1) // up to which weight all are known
	bound := know.last(s.o.Top) - 1
	for range 16 {
		if bound <= done {
			s.ranked(know, done)
			return true
		}
		l := *know.l
		l.bound, l.effort = bound, *effort/4
		if sets, ok := s.enumerate(&l, value, effort); ok && !l.wide {
			know.add(sets)
			done, bound = bound, know.last(s.o.Top)-1
			continue
		}
		if bound = done + (bound-done)/2; bound == done {
			break
		}
	}
	return false
}

// enumerate lists what a lister finds, and charges it.
func (s *solver) enumerate(l *lister, value [][]smallSet, effort *int) ([]smallSet, bool) {
	v := l.variables()
	for c := len(s.t.Leaves); c < len(v); c++ {
		v[c] = value[c-len(s.t.Leaves)]
	}
	before := l.effort
	sets, ok := l.run(v)
	s.st.Attempts++
	s.st.Steps += int64(before - max(l.effort, 0))
	*effort -= before - max(l.effort, 0)
	return sets, ok
}

// whole returns a tree as one part, whose variables are the leaves and the two constants, and the families of these.
func (t *Tree) whole() (*part, [][]smallSet) {
	n := len(t.Leaves)
	p := &part{names: make([]name, n+2), gates: make([]partGate, len(t.Gates))}
	for i := range n {
		p.names[i] = name{leaf: narrow(i)}
	}
	next := make([][]int32, len(t.Gates))
	for i := range t.Gates {
		g := &t.Gates[i]
		x := partGate{in: make([]int32, 0, len(g.In)), k: narrow(g.K)}
		for j, r := range g.In {
			c, isGate := r.Gate()
			switch l, isLeaf := r.Leaf(); {
			case isGate:
				next[i] = append(next[i], narrow(c))
				c += n + 2
			case isLeaf:
				c = l
			default:
				c = n + boolInt(r == True)
			}
			x.in = append(x.in, narrow(c))
			if g.Weights != nil {
				x.weight = append(x.weight, narrow(g.Weights[j]))
			}
		}
		switch g.Op {
		case Or:
			x.kind = kindOr
		case And:
			x.kind = kindAnd
			slices.Sort(x.in)
			x.in = slices.Compact(x.in)
		case AtLeast:
			x.kind = kindThreshold
		}
		p.gates[i] = x
	}
	top, _ := t.Top.Gate()
	p.root = narrow(top)
	reached := make([]bool, len(t.Gates))
	reached[top] = true
	stack := []int32{p.root}
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, c := range next[x] {
			if !reached[c] {
				reached[c] = true
				stack = append(stack, c)
			}
		}
	}
	for _, unit := range components(len(t.Gates), func(v int32) []int32 { return next[v] }) {
		if reached[unit[0]] {
			p.units = append(p.units, unit)
		}
	}
	return p, [][]smallSet{nil, {noVars()}}
}

// fixed returns costs as whole numbers that can be added in any order, the largest of about 50 bits. What costs
// more than any sum of others weighs more than any bound.
func fixed(cost []float64) []int64 {
	const width = 50
	most := 0.0
	for _, c := range cost {
		if !math.IsInf(c, 1) {
			most = max(most, c)
		}
	}
	_, exp := math.Frexp(most)
	weight := make([]int64, len(cost), len(cost)+2)
	for i, c := range cost {
		if weight[i] = math.MaxInt64 >> 1; !math.IsInf(c, 1) {
			weight[i] = int64(math.RoundToEven(math.Ldexp(c, width-exp)))
		}
	}
	return weight
}

// knowledge is minimal cut sets, light ones first.
type knowledge struct {
	sim  *simulation
	l    *lister
	seen map[smallSet]bool
	sets [][]int
}

// learn makes cut sets minimal, the first ones, until there are n that were not known.
func (k *knowledge) learn(sets []smallSet, n int) {
	var fresh []smallSet
	for i := 0; i < len(sets) && len(fresh) < n; i++ {
		members := slices.Clone(sets[i][:sets[i].size()])
		slices.SortStableFunc(members, func(a, b int32) int { return cmp.Compare(k.l.weight[b], k.l.weight[a]) })
		set := make([]int, len(members))
		for j, v := range members {
			set[j] = int(v)
		}
		for j := 0; j < len(set); {
			if without := slices.Delete(slices.Clone(set), j, j+1); k.sim.fails(without) {
				set = without
			} else {
				j++
			}
		}
		slices.Sort(set)
		if x := small(set); !k.seen[x] {
			k.seen[x] = true
			fresh = append(fresh, x)
		}
	}
	k.take(fresh)
}

// add adds minimal cut sets.
func (k *knowledge) add(sets []smallSet) {
	var fresh []smallSet
	for _, x := range sets {
		if !k.seen[x] {
			k.seen[x] = true
			fresh = append(fresh, x)
		}
	}
	k.take(fresh)
}

func (k *knowledge) take(fresh []smallSet) {
	for _, x := range fresh {
		set := make([]int, x.size())
		for j := range set {
			set[j] = int(x[j])
		}
		k.sets = append(k.sets, set)
	}
	slices.SortFunc(k.sets, k.l.compare)
	all := make([]smallSet, 0, len(k.sets))
	for _, set := range k.sets {
		all = append(all, small(set))
	}
	k.l.known.fill(all)
}

// last is the weight of the n-th set.
func (k *knowledge) last(n int) int64 { return k.l.weighAll(k.sets[n-1]) }

func small(set []int) smallSet {
	s := noVars()
	for j, v := range set {
		s[j] = narrow(v)
	}
	return s
}

func (l *lister) weighAll(set []int) int64 {
	sum := int64(0)
	for _, v := range set {
		sum += l.weight[v]
	}
	return sum
}

// compare puts light sets first, then small ones.
func (l *lister) compare(a, b []int) int {
	return cmp.Or(cmp.Compare(l.weighAll(a), l.weighAll(b)), cmp.Compare(len(a), len(b)), slices.Compare(a, b))
}

// ranked makes what is known the result, when no other set has a weight of at most bound. What is counted are the orders of which no set can be heavier.
func (s *solver) ranked(know *knowledge, bound int64) {
	upTo, sum := 0, int64(0)
	for _, w := range slices.Backward(slices.Sorted(slices.Values(know.l.weight[:len(s.t.Leaves)]))) {
		if sum = min(sum, math.MaxInt64>>1) + w; sum > bound {
			break
		}
		upTo++
	}
	var counted []smallSet
	for _, set := range know.sets {
		if len(set) <= upTo {
			counted = append(counted, small(set))
		}
	}
	f := newForest()
	from := narrow(len(f.leaf))
	root := f.plant(know.l.p, counted)
	f.bounds = append(f.bounds, span{from, narrow(len(f.leaf)), root})
	s.keep(f, root, upTo, false)
	s.ranking = know.sets[:s.o.Top]
}
