package cutset

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// A method is a way from a part to its family of minimal solutions.
type method uint8

const (
	byFunction method = iota // the function as a decision diagram, then its minimal solutions
	byFamily                 // families all the way, bounded in weight if asked
	bySweep                  // the function from the root down
)

// An attempt solves a part in one variable order by one method.
type attempt struct {
	p      *part
	order  *ordering
	level  []int32
	how    method
	bound  int32 // on the weight of a solution
	gates  int   // how many gates it got through before it burst
	past   int   // and with a quarter of the limit
	steps  int64 // that the last try took
	gains  bool  // it got further than the one before, and both were large
	ahead  *outlook[int32]
	room   int   // nodes that there may be at most
	effort int64 // and steps
	d      *diagram
	stop   atomic.Bool // it is not needed any more
	among  []*attempt  // those that it is compared with
	stuck  *builder    // at the gate where it burst
	unit   int
	roots  []node // of families that have no set in common
	passed bool
}

// compactFrom is the size below which dead nodes are not worth collecting.
const compactFrom = 1 << 15

// ownFrom is the limit from which on an attempt keeps what it has when it bursts, and goes on from there.
const ownFrom = 1 << 18

// run builds the part's family in a diagram, or bursts: in d, or in one of its own.
func (a *attempt) run(p *part, d *diagram, limit int, steps int64) {
	a.roots, a.passed = nil, false
	switch {
	case a.how == bySweep:
		a.d = d
		d.stop = &a.stop
		a.sweep(p, d, limit, steps)
		return
	case a.stuck != nil:
		a.d.resume(limit, steps)
	default:
		if limit >= ownFrom {
			d = newDiagram()
		}
		a.d, a.gates, a.unit = d, 0, 0
		d.stop = &a.stop
		a.stuck = newBuilder(a, p, d, limit, steps)
	}
	b := a.stuck
	a.stuck = nil
	if b.build() {
		return
	}
	if limit >= ownFrom { // stuck at a gate
		a.d.burst = false
		a.d.compact(b.alive(a.unit - 1))
		a.stuck = b
	}
}

func newBuilder(a *attempt, p *part, d *diagram, limit int, steps int64) *builder {
	weight := make([]int32, len(p.names))
	for i, l := range a.level {
		weight[l] = min(p.weight[i], heavy)
	}
	d.reset(weight, limit, steps)
	value := make([]node, len(p.names)+len(p.gates))
	for i, l := range a.level {
		if a.how == byFunction || p.weight[i] <= a.bound {
			value[i] = d.make(l, zero, one)
		}
	}
	b := &builder{a: a, p: p, d: d, value: value}
	if a.bound < unbounded {
		b.ahead = a.ahead.again(64 * limit)
	}
	return b
}

// build goes on to the root, and reports whether it got beyond the gates.
func (b *builder) build() bool {
	a, p, d := b.a, b.p, b.d
	n := len(p.names)
	threshold := max(compactFrom, 2*len(d.nodes))
	for ; a.unit < len(p.units); a.unit++ {
		unit := p.units[a.unit]
		if p.gates[unit[0]].kind == kindBarred {
			break // the last
		}
		if b.room = unbounded; b.ahead != nil {
			b.room = b.ahead.room[unit[0]]
		}
		apart := a.unit == len(p.units)-1 && len(unit) == 1 && p.gates[unit[0]].kind == kindOr
		if apart && a.how == byFamily && len(d.nodes) > compactFrom {
			b.pieces()
			return true
		}
		if len(unit) == 1 {
			b.value[n+int(unit[0])] = b.gate(&p.gates[unit[0]])
		} else {
			b.knot(unit)
		}
		if d.burst && apart && a.how == byFunction {
			d.revive(b.alive(a.unit - 1))
			b.pieces()
			return true
		}
		if d.burst {
			return false
		}
		a.gates += len(unit)
		if len(d.nodes) > threshold {
			d.compact(b.alive(a.unit))
			threshold = max(compactFrom, 2*len(d.nodes))
		}
	}
	a.finish(d, b.roots())
	return true
}

// roots returns the values of the root, and of what bars sets of it.
func (b *builder) roots() [3][]node {
	n := narrow(len(b.p.names))
	r := &b.p.gates[b.p.root]
	if r.kind != kindBarred {
		return [3][]node{{b.value[n+b.p.root]}}
	}
	var roots [3][]node
	for i, c := range r.in {
		roots[r.weight[i]] = append(roots[r.weight[i]], b.value[c])
	}
	return roots
}

// pieces leaves an or on top apart: the sets of each input that those before it do not have, and of which
// those after it have no proper part. To unite them, and to compare all with all, would cost more than the rest.
func (b *builder) pieces() {
	a, d := b.a, b.d
	var f []node
	for _, c := range b.p.gates[b.p.root].in {
		f = append(f, b.value[c])
	}
	slices.SortFunc(f, func(x, y node) int { return cmp.Compare(y, x) })
	f = slices.Compact(f)
	d.maxNodes = max(d.maxNodes, min(a.room, 8*len(d.nodes)))
	d.maxSteps = max(d.maxSteps, min(a.effort, d.steps+128*int64(len(d.nodes))))
	for i := 0; i < len(f) && !d.burst; i++ {
		keep := make([]*node, 0, 2*len(f))
		for j := range f {
			keep = append(keep, &f[j])
		}
		for j := range a.roots {
			keep = append(keep, &a.roots[j])
		}
		d.compact(keep)
		a.roots = append(a.roots, b.own(f, i))
	}
	a.passed = !d.burst
}

// own returns the sets of the i-th of several values that those before do not have, and of which those after
// have no proper part.
func (b *builder) own(f []node, i int) node {
	reduced := b.d.binary
	if b.a.how == byFamily {
		reduced = b.d.zeroSuppressed
	}
	in := b.d.support(f[i])
	f = slices.Clone(f)
	for j := range f {
		if j != i {
			f[j] = b.d.within(f[j], in, reduced)
		}
	}
	return b.a.sets(b.d, f[i], f[:i], f[i+1:])
}

// finish takes the sets of the attempt from the values of the root.
func (a *attempt) finish(d *diagram, roots [3][]node) {
	var keep []*node
	for i := range roots {
		for j := range roots[i] {
			keep = append(keep, &roots[i][j])
		}
	}
	d.compact(keep)
	a.roots = []node{a.sets(d, roots[barOf][0], roots[barWeak], roots[barStrict])}
	a.passed = !d.burst
}

// sets returns the sets of a value that others do not bar.
func (a *attempt) sets(d *diagram, f node, barWeak, barStrict []node) node {
	weak, strict := d.subtract, d.subtractParts
	if a.how != byFamily {
		// What the function took tells what its solutions will, so that it is not made again for them with more room.
		d.maxNodes = max(d.maxNodes, min(a.room, 8*len(d.nodes)))
		d.maxSteps = max(d.maxSteps, min(a.effort, d.steps+96*int64(len(d.nodes))))
		f = d.minimal(f, a.bound)
		weak, strict = d.without, d.withoutParts
	}
	for _, bar := range barWeak {
		f = weak(f, bar)
	}
	for _, bar := range barStrict {
		f = strict(f, bar)
	}
	return f
}

type builder struct {
	a     *attempt
	p     *part
	d     *diagram
	value []node
	ahead *outlook[int32]
	room  int32 // up to which weight the solutions of the gate at hand matter
}

// alive returns the values that gates after unit u still read.
func (b *builder) alive(u int) []*node {
	n := len(b.p.names)
	var roots []*node
	for i := range b.value {
		if i < n || int(b.p.last[i-n]) > u || i-n == int(b.p.root) {
			roots = append(roots, &b.value[i])
		} else {
			b.value[i] = zero
		}
	}
	return roots
}

// fold combines values by halves: one large operand taken up with many small ones,
// one after the other, would be walked as often as there are small ones.
func fold[T any](in []T, value func(T) node, combine func(f, g node) node) node {
	if len(in) == 1 {
		return value(in[0])
	}
	half := len(in) / 2
	f := fold(in[:half], value, combine)
	return combine(f, fold(in[half:], value, combine))
}

func (b *builder) and(f, g node, room int32) node {
	if b.a.how == byFunction {
		return b.d.and(f, g)
	}
	return b.d.meet(f, g, room)
}

// all combines the inputs of an and from the i-th to before the j-th, but for what is too heavy beside the others.
func (b *builder) all(in []int32, i, j int) node {
	if j == i+1 {
		return b.value[in[i]]
	}
	half := (i + j) / 2
	f, g := b.all(in, i, half), b.all(in, half, j)
	room := b.room
	if b.ahead != nil {
		room -= min(room, b.ahead.all(slices.Concat(in[:i], in[j:]), in[i:j]))
	}
	return b.and(f, g, room)
}

func (b *builder) or(f, g node) node {
	if b.a.how == byFunction {
		return b.d.or(f, g)
	}
	return b.d.join(f, g)
}

// knot computes the least fixpoint of gates that feed each other: from never
// failing, upwards, until no value changes. There are finitely many monotone functions
// and every round only grows them, so it ends; it is exact at its end.
func (b *builder) knot(unit []int32) {
	n := len(b.p.names)
	for {
		changed := false
		for _, x := range unit {
			v := b.gate(&b.p.gates[x])
			if b.d.burst {
				return
			}
			if v != b.value[n+int(x)] {
				b.value[n+int(x)] = v
				changed = true
			}
		}
		if !changed {
			return
		}
	}
}

func (b *builder) gate(g *partGate) node {
	at := make([]int, len(g.in))
	for i := range at {
		at[i] = i
	}
	// From the last level upwards every step only adds on top.
	slices.SortStableFunc(at, func(x, y int) int {
		f, h := b.value[g.in[x]], b.value[g.in[y]]
		return cmp.Or(cmp.Compare(b.d.nodes[h].level, b.d.nodes[f].level), cmp.Compare(f, h))
	})
	if g.kind == kindThreshold {
		slices.Reverse(at)
	}
	in := make([]int32, len(at))
	for i, x := range at {
		in[i] = g.in[x]
	}
	switch {
	case g.kind == kindAnd:
		return b.all(in, 0, len(in))
	case g.kind == kindOr && b.a.how == byFamily:
		// Made minimal once at the end: to do so at every step costs more than what is dropped early saves.
		return b.d.thin(b.d.trim(fold(in, func(x int32) node { return b.value[x] }, b.d.unite), b.room))
	case g.kind == kindOr:
		return fold(in, func(x int32) node { return b.value[x] }, b.d.or)
	}
	t := threshold{b: b, in: in, w: make([]int32, len(in)), k: g.k, rest: make([]int64, len(in)+1), known: map[goal]node{}}
	for i, x := range slices.Backward(at) {
		t.w[i] = g.weight[x]
		t.rest[i] = t.rest[i+1] + int64(t.w[i])
	}
	return t.from(goal{0, g.k})
}

// A goal is a weight that the inputs from the i-th on are to reach.
type goal struct {
	i int
	k int32
}

// A threshold is worked out by goals: a weight of at least k from input i on is
// that of those after it, or input i and at least k less its weight of those after it. Only
// goals that can come up are, however large the weights.
type threshold struct {
	b     *builder
	in    []int32
	w     []int32
	k     int32
	rest  []int64 // weight of the inputs from i on
	known map[goal]node
}

func (t *threshold) from(g goal) node {
	switch {
	case g.k <= 0:
		return one
	case t.rest[g.i] < int64(g.k) || t.b.d.burst:
		return zero
	}
	if r, ok := t.known[g]; ok {
		return r
	}
	t.b.d.step()
	without := t.from(goal{g.i + 1, g.k})
	with := t.from(goal{g.i + 1, g.k - t.w[g.i]})
	room := t.b.room
	if t.b.ahead != nil {
		room -= min(room, t.b.ahead.some(t.in[:g.i], t.w[:g.i], int64(t.k)-int64(g.k), t.in[g.i:]))
	}
	r := t.b.or(without, t.b.and(t.b.value[t.in[g.i]], with, room))
	t.known[g] = r
	return r
}
