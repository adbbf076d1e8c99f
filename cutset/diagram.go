package cutset

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// node is an index into a diagram's table. The two terminals are shared by both
// readings of the table: as a binary decision diagram 0 and 1 are the constants,
// as a zero-suppressed one they are the empty family and the family of the empty set.
type node = int32

const (
	zero node = 0
	one  node = 1
)

const (
	terminalLevel = math.MaxInt32
	heavy         = maxNodes  // weight of the lightest set of the empty family
	unbounded     = heavy - 1 // a weight bound that bounds nothing
)

// The operations that the cache tells apart. A weight bound is added above bit 8.
const (
	opAnd int32 = iota + 1
	opOr
	opMinimal
	opWithout
	opJoin
	opUnite
	opThin
	opMeet
	opSubtract
	opTrim
	opPut
	opWithoutParts
	opSubtractParts
)

type cached struct{ a, b, op, r int32 }

// A vertex is what a node stands for. What is read together lies together.
type vertex struct {
	level, lo, hi int32
	least         int32 // weight of the lightest set in a family; of the lightest true point of a function
}

// A diagram is one node table in flat arrays without pointers, so that the
// garbage collector never looks into it. It holds binary decision diagrams of
// monotone functions (Bryant 1986; op names and, or) and zero-suppressed diagrams of
// families of sets (Minato 1993; join, unite, meet, subtract) side by side: a node means the
// one or the other by the operation that made it.
//
// When a limit is reached the diagram bursts: every operation then returns
// zero at once, and the caller drops the diagram's contents.
type diagram struct {
	nodes  []vertex
	weight []int32 // of a set member, by level
	slots  []int32 // open addressing over nodes, 0 is free
	cache  []cached

	maxNodes int
	stride   int64 // what a step counts
	steps    int64
	maxSteps int64
	pause    int64 // step at which to look whether to go on
	stop     *atomic.Bool
	burst    bool
}

func newDiagram() *diagram {
	d := &diagram{slots: make([]int32, 1<<10), cache: make([]cached, 1<<10)}
	d.reset(nil, 0, 0)
	return d
}

// reset empties the diagram for a problem whose variables weigh as given, by level.
func (d *diagram) reset(weight []int32, limit int, maxSteps int64) {
	d.nodes = append(d.nodes[:0], vertex{terminalLevel, 0, 0, heavy}, vertex{terminalLevel, 1, 1, 0})
	d.weight = weight
	// A small problem after a large one must not pay for clearing large tables.
	if len(d.slots) > 1<<14 {
		d.slots = make([]int32, 1<<10)
		d.cache = make([]cached, 1<<10)
	} else {
		clear(d.slots)
		clear(d.cache)
	}
	d.maxNodes, d.maxSteps, d.steps, d.pause, d.stride, d.burst = limit, maxSteps, 0, 0, 1, false
}

func mix(a, b, c int32) uint64 {
	h := uint64(uint32(a))*0x9E3779B97F4A7C15 ^ uint64(uint32(b))*0xC2B2AE3D27D4EB4F ^ uint64(uint32(c))*0x165667B19E3779F9 //nolint:gosec // a hash may wrap
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	return h ^ h>>32
}

// mask takes a hash to a place in a table, whose size is a power of two.
func mask[T any](table []T) uint64 { return uint64(len(table)) - 1 }

// make returns the node with the given branches, which the caller has reduced.
func (d *diagram) make(level, lo, hi int32) node {
	if d.burst {
		return zero
	}
	bits := mask(d.slots)
	h := mix(level, lo, hi) & bits
	for {
		n := d.slots[h]
		if n == 0 {
			break
		}
		if x := &d.nodes[n]; x.level == level && x.lo == lo && x.hi == hi {
			return n
		}
		h = (h + 1) & bits
	}
	if len(d.nodes) >= d.maxNodes {
		d.burst = true
		return zero
	}
	n := narrow(len(d.nodes))
	d.nodes = append(d.nodes, vertex{level, lo, hi, min(d.nodes[lo].least, saturate(d.nodes[hi].least+d.weight[level]))})
	d.slots[h] = n
	if len(d.nodes)*2 > len(d.slots) {
		d.grow()
	}
	return n
}

func saturate(w int32) int32 { return min(w, heavy) }

// binary returns the decision node, zeroSuppressed the family node: they differ
// in the branch that makes a node redundant.
func (d *diagram) binary(level int32, lo, hi node) node {
	if lo == hi {
		return lo
	}
	return d.make(level, lo, hi)
}

func (d *diagram) zeroSuppressed(level int32, lo, hi node) node {
	if hi == zero {
		return lo
	}
	return d.make(level, lo, hi)
}

func (d *diagram) grow() {
	d.rehash(len(d.slots) * 2)
	if len(d.cache) < 1<<22 {
		old := d.cache
		d.cache = make([]cached, len(d.slots))
		bits := mask(d.cache)
		for _, c := range old {
			if c.op != 0 {
				d.cache[mix(c.a, c.b, c.op)&bits] = c
			}
		}
	}
}

// wide is the size of tables that processors' caches no longer hold: a step then takes twice as long, and in
// tables of vast size, of which most addresses have to be looked up too, twice as long again.
const (
	wide = 1 << 19
	vast = 1 << 23
)

func (d *diagram) rehash(size int) {
	d.slots, d.stride = make([]int32, size), 1
	if size >= wide {
		d.stride = 2
	}
	if size >= vast {
		d.stride = 4
	}
	bits := mask(d.slots)
	for n := 2; n < len(d.nodes); n++ {
		x := &d.nodes[n]
		h := mix(x.level, x.lo, x.hi) & bits
		for d.slots[h] != 0 {
			h = (h + 1) & bits
		}
		d.slots[h] = narrow(n)
	}
}

func (d *diagram) look(a, b, op int32) (node, *cached) {
	c := &d.cache[mix(a, b, op)&mask(d.cache)]
	if c.a == a && c.b == b && c.op == op {
		return c.r, nil
	}
	d.step()
	return 0, c
}

func (d *diagram) step() {
	if d.steps += d.stride; d.steps > d.pause {
		d.rest()
	}
}

// rest bursts the diagram if it may not go on.
func (d *diagram) rest() {
	const often = 1 << 14
	d.pause = min(d.steps+often, d.maxSteps)
	d.burst = d.burst || d.steps > d.maxSteps || d.stop != nil && d.stop.Load()
}

// store puts a result into the cache. The table may have grown since the look-up.
func (d *diagram) store(a, b, op int32, r node) node {
	if !d.burst {
		d.cache[mix(a, b, op)&mask(d.cache)] = cached{a, b, op, r}
	}
	return r
}

// compact drops every node that no root reaches and returns what became of
// the roots, in place. Branches have smaller numbers than the node above them, so that one
// pass down marks and one pass up moves.
func (d *diagram) compact(roots []*node) {
	keep := make([]int32, len(d.nodes))
	keep[0], keep[1] = 1, 1
	for _, r := range roots {
		keep[*r] = 1
	}
	for n := len(d.nodes) - 1; n > 1; n-- {
		if keep[n] != 0 {
			keep[d.nodes[n].lo], keep[d.nodes[n].hi] = 1, 1
		}
	}
	next := int32(0)
	for n := range d.nodes {
		if keep[n] == 0 {
			continue
		}
		keep[n] = next
		x := d.nodes[n]
		x.lo, x.hi = keep[x.lo], keep[x.hi]
		d.nodes[next] = x
		next++
	}
	d.nodes = d.nodes[:next]
	for _, r := range roots {
		*r = keep[*r]
	}
	// What is left is to lie close together.
	size := min(len(d.slots), 1<<bits.Len(uint(4*len(d.nodes))))
	if size < len(d.cache) {
		d.cache = make([]cached, size)
	} else {
		clear(d.cache)
	}
	d.rehash(size)
}

// resume goes on after a burst under new limits.
func (d *diagram) resume(limit int, maxSteps int64) {
	d.maxNodes, d.maxSteps, d.steps, d.pause, d.burst = limit, maxSteps, 0, 0, false
}

// revive takes up after a burst with what the roots reach, and half of the steps.
func (d *diagram) revive(roots []*node) {
	d.burst = false
	d.compact(roots)
	d.maxSteps = d.steps + d.maxSteps/2
}

// and is the conjunction of two functions.
func (d *diagram) and(f, g node) node { return d.apply(f, g, opAnd) }

// or is the disjunction of two functions.
func (d *diagram) or(f, g node) node { return d.apply(f, g, opOr) }

// apply combines two functions branch by branch (Bryant 1986).
func (d *diagram) apply(f, g node, op int32) node {
	if f > g {
		f, g = g, f
	}
	switch {
	case d.burst:
		return zero
	case f == g:
		return f
	case f <= one: // a constant decides, or leaves the other
		if (f == zero) == (op == opAnd) {
			return f
		}
		return g
	}
	r, c := d.look(f, g, op)
	if c == nil {
		return r
	}
	l, f0, f1, g0, g1 := d.split(f, f, g, g)
	r0 := d.apply(f0, g0, op)
	r1 := d.apply(f1, g1, op)
	return d.store(f, g, op, d.binary(l, r0, r1))
}

// split returns the upper level of two nodes and their branches there. A node below that
// level is its own low branch, and has the given high branch: itself as a function, the empty family as a family.
func (d *diagram) split(f, under, g, beneath node) (l int32, f0, f1, g0, g1 node) {
	x, y := &d.nodes[f], &d.nodes[g]
	l = min(x.level, y.level)
	f0, f1, g0, g1 = f, under, g, beneath
	if x.level == l {
		f0, f1 = x.lo, x.hi
	}
	if y.level == l {
		g0, g1 = y.lo, y.hi
	}
	return l, f0, f1, g0, g1
}

// minimal turns a monotone function into the family of its minimal solutions
// (Rauzy 1993, "New algorithms for fault trees analysis", section 5): those
// without the variable, and with it those of the high branch that do not already
// satisfy the low one. Those heavier than k are left out.
func (d *diagram) minimal(f node, k int32) node {
	x := d.nodes[f]
	switch {
	case d.burst || x.least > k:
		return zero
	case f <= one:
		return f
	}
	r, c := d.look(f, 0, opMinimal|k<<8)
	if c == nil {
		return r
	}
	under := k
	if k < unbounded {
		under -= d.weight[x.level]
	}
	r0 := d.minimal(x.lo, k)
	r1 := d.without(d.minimal(x.hi, under), x.lo)
	return d.store(f, 0, opMinimal|k<<8, d.zeroSuppressed(x.level, r0, r1))
}

// without drops from a family the sets that satisfy the monotone function f.
func (d *diagram) without(a, f node) node {
	switch {
	case f == zero || a == zero:
		return a
	case f == one || d.burst:
		return zero
	}
	for d.nodes[f].level < d.nodes[a].level { // no set here has these variables
		if f = d.nodes[f].lo; f == zero {
			return a
		}
	}
	if f == one {
		return zero
	}
	r, c := d.look(a, f, opWithout)
	if c == nil {
		return r
	}
	f0, f1 := f, f
	l := d.nodes[a].level
	if d.nodes[f].level == l {
		f0, f1 = d.nodes[f].lo, d.nodes[f].hi
	}
	r0 := d.without(d.nodes[a].lo, f0)
	r1 := d.without(d.nodes[a].hi, f1)
	return d.store(a, f, opWithout, d.zeroSuppressed(l, r0, r1))
}

// withoutParts drops from a family the sets of which a proper part satisfies the monotone
// function f: with a member left out, the rest has to pass f too.
func (d *diagram) withoutParts(a, f node) node {
	switch {
	case f == zero || a <= one || d.burst:
		return a
	case f == one:
		return d.empty(a)
	}
	for d.nodes[f].level < d.nodes[a].level {
		if f = d.nodes[f].lo; f == zero {
			return a
		}
	}
	if f == one {
		return d.empty(a)
	}
	r, c := d.look(a, f, opWithoutParts)
	if c == nil {
		return r
	}
	f0, f1 := f, f
	l := d.nodes[a].level
	if d.nodes[f].level == l {
		f0, f1 = d.nodes[f].lo, d.nodes[f].hi
	}
	r0 := d.withoutParts(d.nodes[a].lo, f0)
	r1 := d.withoutParts(d.without(d.nodes[a].hi, f0), f1)
	return d.store(a, f, opWithoutParts, d.zeroSuppressed(l, r0, r1))
}

// empty is what a family has of the family of the empty set.
func (d *diagram) empty(a node) node {
	for a > one {
		a = d.nodes[a].lo
	}
	return a
}

// join is the union of two families of minimal sets, made minimal.
func (d *diagram) join(a, b node) node {
	switch {
	case a == one || b == one:
		return one
	case d.burst:
		return zero
	case a == zero || a == b:
		return b
	case b == zero:
		return a
	case a > b:
		a, b = b, a
	}
	r, c := d.look(a, b, opJoin)
	if c == nil {
		return r
	}
	l, a0, a1, b0, b1 := d.split(a, zero, b, zero)
	r0 := d.join(a0, b0)
	r1 := d.subtract(d.join(a1, b1), r0)
	return d.store(a, b, opJoin, d.zeroSuppressed(l, r0, r1))
}

// unite is the union of two families as they are.
func (d *diagram) unite(a, b node) node {
	switch {
	case a == one || b == one:
		return one
	case d.burst:
		return zero
	case a == zero || a == b:
		return b
	case b == zero:
		return a
	case a > b:
		a, b = b, a
	}
	r, c := d.look(a, b, opUnite)
	if c == nil {
		return r
	}
	l, a0, a1, b0, b1 := d.split(a, zero, b, zero)
	r0 := d.unite(a0, b0)
	r1 := d.unite(a1, b1)
	return d.store(a, b, opUnite, d.zeroSuppressed(l, r0, r1))
}

// thin drops from a family the sets that contain another one of it.
func (d *diagram) thin(a node) node {
	if a <= one || d.burst {
		return a
	}
	r, c := d.look(a, 0, opThin)
	if c == nil {
		return r
	}
	r0 := d.thin(d.nodes[a].lo)
	r1 := d.subtract(d.thin(d.nodes[a].hi), r0)
	return d.store(a, 0, opThin, d.zeroSuppressed(d.nodes[a].level, r0, r1))
}

// meet is the family of the minimal unions of a set of one family with a set of
// the other, of a weight of at most k. Leaving out heavier sets early is sound:
// what is inside a light set is light.
func (d *diagram) meet(a, b node, k int32) node {
	switch {
	case a == zero || b == zero || d.burst:
		return zero
	case d.nodes[a].least > k || d.nodes[b].least > k:
		return zero
	case a == one || a == b:
		return d.trim(b, k)
	case b == one:
		return d.trim(a, k)
	case a > b:
		a, b = b, a
	}
	r, c := d.look(a, b, opMeet|k<<8)
	if c == nil {
		return r
	}
	la, lb := d.nodes[a].level, d.nodes[b].level
	l := min(la, lb)
	under := k
	if k < unbounded {
		under -= d.weight[l]
	}
	var r0, r1 node
	switch {
	case la < lb:
		r0 = d.meet(d.nodes[a].lo, b, k)
		r1 = d.meet(d.nodes[a].hi, b, under)
	case lb < la:
		r0 = d.meet(a, d.nodes[b].lo, k)
		r1 = d.meet(a, d.nodes[b].hi, under)
	default:
		r0 = d.meet(d.nodes[a].lo, d.nodes[b].lo, k)
		r1 = d.join(
			d.meet(d.nodes[a].hi, d.join(d.nodes[b].lo, d.nodes[b].hi), under),
			d.meet(d.nodes[a].lo, d.nodes[b].hi, under),
		)
	}
	r1 = d.subtract(r1, r0)
	return d.store(a, b, opMeet|k<<8, d.zeroSuppressed(l, r0, r1))
}

// subtract drops from family a the sets that contain, or are, a set of family b.
func (d *diagram) subtract(a, b node) node {
	switch {
	case a == zero || b == zero:
		return a
	case b == one || a == b || d.burst:
		return zero
	case a == one:
		return a
	}
	for d.nodes[b].level < d.nodes[a].level { // no set of a has these members
		b = d.nodes[b].lo
		if b == zero {
			return a
		}
	}
	if b == one {
		return zero
	}
	r, c := d.look(a, b, opSubtract)
	if c == nil {
		return r
	}
	l := d.nodes[a].level
	var r0, r1 node
	if d.nodes[b].level == l {
		r0 = d.subtract(d.nodes[a].lo, d.nodes[b].lo)
		r1 = d.subtract(d.subtract(d.nodes[a].hi, d.nodes[b].hi), d.nodes[b].lo)
	} else {
		r0 = d.subtract(d.nodes[a].lo, b)
		r1 = d.subtract(d.nodes[a].hi, b)
	}
	return d.store(a, b, opSubtract, d.zeroSuppressed(l, r0, r1))
}

// subtractParts drops from family a the sets of which a set of the family b is a proper part.
func (d *diagram) subtractParts(a, b node) node {
	switch {
	case b == zero || a <= one || d.burst:
		return a
	case b == one:
		return d.empty(a)
	}
	for d.nodes[b].level < d.nodes[a].level {
		if b = d.nodes[b].lo; b == zero {
			return a
		}
	}
	if b == one {
		return d.empty(a)
	}
	r, c := d.look(a, b, opSubtractParts)
	if c == nil {
		return r
	}
	l := d.nodes[a].level
	var r0, r1 node
	if d.nodes[b].level == l {
		r0 = d.subtractParts(d.nodes[a].lo, d.nodes[b].lo)
		r1 = d.subtractParts(d.subtract(d.nodes[a].hi, d.nodes[b].lo), d.nodes[b].hi)
	} else {
		r0 = d.subtractParts(d.nodes[a].lo, b)
		r1 = d.subtract(d.nodes[a].hi, b)
	}
	return d.store(a, b, opSubtractParts, d.zeroSuppressed(l, r0, r1))
}

// support tells by level which variables a family or function has.
func (d *diagram) support(f node) []bool {
	in := make([]bool, len(d.weight))
	seen := map[node]bool{zero: true, one: true}
	var visit func(n node)
	visit = func(n node) {
		if seen[n] {
			return
		}
		seen[n] = true
		x := d.nodes[n]
		in[x.level] = true
		visit(x.lo)
		visit(x.hi)
	}
	visit(f)
	return in
}

// within drops the sets with members that are not in; of a function, it takes these as not failed.
func (d *diagram) within(a node, in []bool, reduced func(level int32, lo, hi node) node) node {
	known := map[node]node{zero: zero, one: one}
	var walk func(a node) node
	walk = func(a node) node {
		r, ok := known[a]
		if ok {
			return r
		}
		d.step()
		x := d.nodes[a]
		r = walk(x.lo)
		if in[x.level] {
			hi := walk(x.hi)
			r = reduced(x.level, r, hi)
		}
		known[a] = r
		return r
	}
	return walk(a)
}

// trim drops the sets heavier than k.
func (d *diagram) trim(a node, k int32) node {
	switch {
	case d.burst || d.nodes[a].least > k:
		return zero
	case a <= one || k >= unbounded:
		return a
	}
	r, c := d.look(a, k, opTrim)
	if c == nil {
		return r
	}
	r0 := d.trim(d.nodes[a].lo, k)
	r1 := d.trim(d.nodes[a].hi, k-d.weight[d.nodes[a].level])
	return d.store(a, k, opTrim, d.zeroSuppressed(d.nodes[a].level, r0, r1))
}
