package cutset

import (
	"cmp"
	"slices"
)

// An outlook tells what solutions take at least, so that what is too heavy for the root is left out where it comes up:
// beside a solution of one input of an and the others are still to be met, by variables that it does not have.
type outlook[W int32 | int64] struct {
	p     *part
	room  []W        // of each gate: the weight up to which its solutions matter in those of the root
	most  W          // what takes more counts as this
	has   [][]uint64 // the variables of each variable and gate, as bits; nil where nothing is looked at
	least []W        // what each variable and gate takes at least

	effort int // words that may still be read; after that it supposes that what it has not seen takes nothing

	// Of the look at hand: what each gate takes beside the free variables, if it has been seen.
	beside []W
	seen   []int32
	look   int32
}

// lookEffort is the number of words that may be read to find the rooms of a part.
const lookEffort = 1 << 23

// newOutlook works out the room of each gate, for solutions of the root of a weight of at most k. The variables weigh as given.
func newOutlook[W int32 | int64](p *part, weight []W, k W) *outlook[W] {
	n := len(p.names)
	o := &outlook[W]{p: p, room: make([]W, len(p.gates)), most: k + 1, effort: lookEffort}
	if p.knotted() || p.gates[p.root].kind == kindBarred {
		for x := range o.room {
			o.room[x] = k
		}
		return o
	}
	if o.support(weight); o.effort < 0 {
		o.has = nil
	}
	_, fan := p.measure()
	o.room[p.root] = k
	for _, unit := range slices.Backward(p.units) {
		g, room := &p.gates[unit[0]], o.room[unit[0]]
		private := W(0)
		for _, c := range g.in {
			if g.kind == kindAnd && int(c) < n && fan[c] == 1 {
				private += min(room-private, weight[c])
			}
		}
		for i, c := range g.in {
			if int(c) >= n && o.room[int(c)-n] < room-private {
				rest := room - min(room, max(private, o.others(g, i)))
				o.room[int(c)-n] = max(o.room[int(c)-n], rest)
			}
		}
	}
	return o
}

// support works out which variables each gate has, and what it takes at least.
func (o *outlook[W]) support(weight []W) {
	n := len(o.p.names)
	all := n + len(o.p.gates)
	if o.effort -= all * o.words(); o.effort < 0 {
		return
	}
	o.has, o.least, o.beside, o.seen = make([][]uint64, all), make([]W, all), make([]W, all), make([]int32, all)
	for i := range n {
		o.has[i] = make([]uint64, o.words())
		o.has[i][i/64] |= 1 << (i % 64)
		o.least[i] = min(weight[i], o.most)
	}
	for _, unit := range o.p.units {
		g, v := &o.p.gates[unit[0]], n+int(unit[0])
		o.has[v] = o.union(g.in)
		o.least[v] = o.takes(g, nil, func(c int32) W { return o.least[c] })
	}
}

func (o *outlook[W]) words() int { return (len(o.p.names) + 63) / 64 }

func (o *outlook[W]) union(in []int32) []uint64 {
	o.effort -= len(in) * o.words()
	s := make([]uint64, o.words())
	for _, c := range in {
		unite(s, o.has[c])
	}
	return s
}

func unite(s, t []uint64) {
	for i := range t { // of a gate that feeds itself nothing is known yet
		s[i] |= t[i]
	}
}

// meet reports whether two sets have something in common but what is free.
func meet(s, t, free []uint64) bool {
	for i := range min(len(s), len(t)) {
		m := s[i] & t[i]
		if free != nil {
			m &^= free[i]
		}
		if m != 0 {
			return true
		}
	}
	return false
}

// again returns an outlook on the same part, to be used beside this one.
func (o *outlook[W]) again(effort int) *outlook[W] {
	x := *o
	x.beside, x.seen, x.look, x.effort = make([]W, len(o.beside)), make([]int32, len(o.seen)), 0, effort
	return &x
}

// others is what the other inputs of a gate take at least beside any solution of the i-th.
func (o *outlook[W]) others(g *partGate, i int) W {
	if o.has == nil || o.effort < 0 {
		return 0
	}
	in := slices.Concat(g.in[:i], g.in[i+1:])
	switch g.kind {
	case kindAnd:
		return o.all(in, g.in[i:i+1])
	case kindThreshold:
		if g.weight == nil {
			return o.some(in, nil, int64(g.k)-1, g.in[i:i+1])
		}
		return o.some(in, slices.Concat(g.weight[:i], g.weight[i+1:]), int64(g.k)-int64(g.weight[i]), g.in[i:i+1])
	}
	return 0
}

// all is what inputs take at least together beside any solutions of some others.
func (o *outlook[W]) all(in, others []int32) W {
	if o.has == nil || o.effort < 0 || len(in) == 0 {
		return 0
	}
	free := o.union(others)
	return o.sum(in, free, o.from(free))
}

// some is what inputs take at least to reach a weight beside any solutions of some others.
func (o *outlook[W]) some(in, weight []int32, need int64, others []int32) W {
	if o.has == nil || o.effort < 0 || len(in) == 0 || need <= 0 {
		return 0
	}
	free := o.union(others)
	return o.reach(in, weight, need, free, o.from(free))
}

// from takes a new look, with some variables free.
func (o *outlook[W]) from(free []uint64) func(v int32) W {
	o.look++
	n := len(o.p.names)
	var least func(v int32) W
	least = func(v int32) W {
		o.effort -= o.words()
		switch {
		case !meet(o.has[v], free, nil):
			return o.least[v]
		case int(v) < n:
			return 0
		case o.seen[v] == o.look:
			return o.beside[v]
		case o.effort < 0:
			return 0
		}
		o.beside[v], o.seen[v] = 0, o.look // should it feed itself
		o.beside[v] = o.takes(&o.p.gates[int(v)-n], free, least)
		return o.beside[v]
	}
	return least
}

// takes is what a gate takes at least, given that of its inputs.
func (o *outlook[W]) takes(g *partGate, free []uint64, least func(v int32) W) W {
	switch g.kind {
	case kindAnd:
		return o.sum(g.in, free, least)
	case kindThreshold:
		return o.reach(g.in, g.weight, int64(g.k), free, least)
	}
	r := least(g.in[0])
	for _, c := range g.in[1:] {
		if r > 0 {
			r = min(r, least(c))
		}
	}
	return r
}

// An amount is what an input takes at least.
type amount[W int32 | int64] struct {
	v     int32
	takes W
}

// sum adds up what inputs take that have nothing in common but what is free, dear ones first.
func (o *outlook[W]) sum(in []int32, free []uint64, least func(v int32) W) W {
	all := make([]amount[W], 0, len(in))
	for _, c := range in {
		if w := least(c); w > 0 {
			all = append(all, amount[W]{c, w})
		}
	}
	slices.SortFunc(all, func(x, y amount[W]) int { return cmp.Or(cmp.Compare(y.takes, x.takes), cmp.Compare(x.v, y.v)) })
	o.effort -= len(all) * o.words()
	total := W(0)
	var taken []uint64
	for _, x := range all {
		switch {
		case o.effort < 0:
			return total
		case taken == nil:
			taken = slices.Clone(o.has[x.v])
		case meet(o.has[x.v], taken, free):
			continue
		default:
			unite(taken, o.has[x.v])
		}
		total += min(x.takes, o.most-total)
	}
	return total
}

// reach is what inputs take at least to reach a weight, each 1 if weight is nil: the cheapest together if none have anything in common
// but what is free, else the dearest of these.
func (o *outlook[W]) reach(in, weight []int32, need int64, free []uint64, least func(v int32) W) W {
	o.effort -= len(in) * o.words()
	takes := make([]W, len(in))
	taken := make([]uint64, len(o.has[in[0]]))
	apart := true
	for i, c := range in {
		takes[i] = least(c)
		apart = apart && !meet(o.has[c], taken, free)
		unite(taken, o.has[c])
	}
	slices.Sort(takes)
	each := int64(1)
	if weight != nil {
		each = max(1, int64(slices.Max(weight)))
	}
	total := W(0)
	for _, w := range takes[:min(int64(len(takes)), (need+each-1)/each)] {
		if apart {
			total += min(w, o.most-total)
		} else {
			total = w
		}
	}
	return total
}
