package cutset

import (
	"cmp"
	"slices"
)

// An ordering is a variable order that is worked out when it is first needed:
// a level for every variable.
type ordering struct {
	make  func() []int32
	level []int32
	tried bool
}

// orders returns variable orders to try, cheap ones first. No order is good for
// all trees, so several are raced: depth-first walks that differ in which input they
// enter first (Bouissou, Bruyère, Rauzy 1997), by layer for layered trees, Minato's dynamic
// weights (1990), and a centre-of-gravity refinement of some of these (FORCE; Aloul, Markov, Sakallah 2003).
func (p *part) orders() []*ordering {
	plain, balanced := p.makers()
	if len(p.names)*len(p.gates) <= 1<<21 {
		balanced = append(balanced, p.weigh)
	}
	return orderings(plain, balanced)
}

// familyOrders returns orders to try for families, all upside down as well. Within a bound on weight refined ones come
// first, as they get furthest most often.
func (p *part) familyOrders(bounded bool) []*ordering {
	plain, balanced := p.makers()
	if bounded {
		return slices.Concat(orderings(balanced), flipped(orderings(balanced)), orderings(plain), flipped(orderings(plain)))
	}
	return slices.Concat(p.orders(), flipped(orderings(balanced, plain)))
}

func orderings(makers ...[]func() []int32) []*ordering {
	var orders []*ordering
	for _, m := range slices.Concat(makers...) {
		orders = append(orders, &ordering{make: m})
	}
	return orders
}

func (p *part) makers() (plain, balanced []func() []int32) {
	n := narrow(len(p.names))
	size, fan := p.measure()
	byNumber := func(a, b int32) int { return cmp.Compare(a, b) }
	walk := func(less func(a, b int32) int) func() []int32 {
		return func() []int32 { return p.walk(less) }
	}
	declared := walk(byNumber)
	small := walk(func(a, b int32) int { return cmp.Or(cmp.Compare(size[a], size[b]), byNumber(a, b)) })
	large := walk(func(a, b int32) int { return cmp.Or(cmp.Compare(size[b], size[a]), byNumber(a, b)) })
	deep := walk(func(a, b int32) int { return cmp.Or(cmp.Compare(boolInt(a < n), boolInt(b < n)), byNumber(a, b)) })
	shared := walk(func(a, b int32) int {
		return cmp.Or(cmp.Compare(fan[b], fan[a]), cmp.Compare(size[a], size[b]), byNumber(a, b))
	})
	byDepth := func() []int32 {
		depth, _ := p.stretch()
		base := declared()
		return p.rank(func(a, b int32) int {
			return cmp.Or(cmp.Compare(depth[b], depth[a]), cmp.Compare(base[a], base[b]))
		})
	}
	byHeight := func() []int32 {
		_, height := p.stretch()
		base := declared()
		return p.rank(func(a, b int32) int {
			return cmp.Or(cmp.Compare(height[a], height[b]), cmp.Compare(base[a], base[b]))
		})
	}
	for _, base := range []func() []int32{small, large, declared, byDepth} {
		balanced = append(balanced, func() []int32 { return p.balance(base()) })
	}
	return []func() []int32{small, large, declared, byDepth, deep, shared, byHeight}, balanced
}

// flipped returns the orders upside down. The diagrams are of like size, but not the
// work: what gates that are built late add lies on top of what there is, or below all of it.
func flipped(orders []*ordering) []*ordering {
	out := make([]*ordering, len(orders))
	for i, o := range orders {
		out[i] = &ordering{make: func() []int32 { return upsideDown(o.make()) }}
	}
	return out
}

// narrow returns orders of variables and gates together, for sweeps.
func (p *part) narrow() []*ordering {
	var orders []*ordering
	for _, prefer := range []func(a, b, sinceA, sinceB int32) bool{
		func(a, b, sinceA, sinceB int32) bool { return sinceA < sinceB || sinceA == sinceB && a < b },
		func(a, b, _, _ int32) bool { return a < b },
		func(a, b, sinceA, sinceB int32) bool { return sinceA > sinceB || sinceA == sinceB && a < b },
		func(a, b, _, _ int32) bool { return a > b },
	} {
		orders = append(orders, &ordering{make: func() []int32 { return p.narrowest(prefer) }})
	}
	return orders
}

func upsideDown(level []int32) []int32 {
	for v := range level {
		level[v] = narrow(len(level)) - 1 - level[v]
	}
	return level
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// measure returns for every variable and gate the size of the tree below it
// (saturated) and how often it is used.
func (p *part) measure() (size, fan []int64) {
	n := len(p.names)
	size, fan = make([]int64, n+len(p.gates)), make([]int64, n+len(p.gates))
	for i := range n {
		size[i] = 1
	}
	for _, unit := range p.units {
		for _, x := range unit {
			s := int64(1)
			for _, c := range p.gates[x].in {
				s = min(s+size[c], 1<<50)
				fan[c]++
			}
			size[n+int(x)] = s
		}
	}
	return size, fan
}

// walk numbers variables as a depth-first walk from the root meets them.
func (p *part) walk(less func(a, b int32) int) []int32 {
	n := narrow(len(p.names))
	level := make([]int32, n)
	for i := range level {
		level[i] = -1
	}
	next := int32(0)
	seen := make([]bool, len(p.gates))
	stack := []int32{n + p.root}
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if x < n {
			if level[x] < 0 {
				level[x] = next
				next++
			}
			continue
		}
		if seen[x-n] {
			continue
		}
		seen[x-n] = true
		in := slices.Clone(p.gates[x-n].in)
		slices.SortFunc(in, less)
		slices.Reverse(in)
		stack = append(stack, in...)
	}
	return level
}

// rank numbers variables in the given order.
func (p *part) rank(compare func(a, b int32) int) []int32 {
	perm := make([]int32, len(p.names))
	for i := range perm {
		perm[i] = narrow(i)
	}
	slices.SortStableFunc(perm, compare)
	level := make([]int32, len(perm))
	for l, v := range perm {
		level[v] = narrow(l)
	}
	return level
}

// stretch returns how far each variable is from the root by the longest way,
// and how far above the variables the lowest gate that uses it is: what lies in one layer of a
// layered tree gets neighbouring numbers.
func (p *part) stretch() (depth, height []int32) {
	n := len(p.names)
	depth, height = make([]int32, n+len(p.gates)), make([]int32, n)
	for _, unit := range slices.Backward(p.units) {
		for _, x := range unit {
			for _, c := range p.gates[x].in {
				depth[c] = max(depth[c], depth[n+int(x)]+1)
			}
		}
	}
	up := make([]int32, n+len(p.gates))
	for i := range height {
		height[i] = -1
	}
	for _, unit := range p.units {
		for _, x := range unit {
			h := int32(0)
			for _, c := range p.gates[x].in {
				h = max(h, up[c]+1)
			}
			up[n+int(x)] = h
			for _, c := range p.gates[x].in {
				if int(c) < n && height[c] < 0 {
					height[c] = h
				}
			}
		}
	}
	return depth, height
}

// weigh deals a weight of 1 from the root evenly to the inputs, takes the heaviest
// variable, removes it and repeats.
func (p *part) weigh() []int32 {
	n := len(p.names)
	level := make([]int32, n)
	for i := range level {
		level[i] = -1
	}
	weight := make([]float64, n+len(p.gates))
	live := make([]int, n+len(p.gates))
	for next := range narrow(n) {
		for i := range n {
			live[i] = boolInt(level[i] < 0)
		}
		for _, unit := range p.units {
			for _, x := range unit {
				live[n+int(x)] = 0
				for _, c := range p.gates[x].in {
					live[n+int(x)] += boolInt(live[c] > 0)
				}
			}
		}
		clear(weight)
		weight[n+int(p.root)] = 1
		for _, unit := range slices.Backward(p.units) {
			for _, x := range unit {
				if live[n+int(x)] == 0 {
					continue
				}
				share := weight[n+int(x)] / float64(live[n+int(x)])
				for _, c := range p.gates[x].in {
					if live[c] > 0 {
						weight[c] += share
					}
				}
			}
		}
		best := -1
		for i := range n {
			if level[i] < 0 && (best < 0 || weight[i] > weight[best]) {
				best = i
			}
		}
		level[best] = next
	}
	return level
}

// balance moves every variable to the centre of the gates that use it, and
// every gate to the centre of what it touches, and repeats while the total span shrinks.
func (p *part) balance(base []int32) []int32 {
	n := len(p.names)
	at := make([]float64, n+len(p.gates))
	for i, l := range base {
		at[i] = float64(l)
	}
	for _, unit := range p.units { // gates start at the centre of what is below
		for _, x := range unit {
			sum := 0.0
			for _, c := range p.gates[x].in {
				sum += at[c]
			}
			at[n+int(x)] = sum / float64(len(p.gates[x].in))
		}
	}
	best, span := base, p.span(base)
	perm := make([]int32, n)
	total := make([]float64, n+len(p.gates))
	count := make([]float64, n+len(p.gates))
	for range 40 {
		clear(total)
		clear(count)
		for x := range p.gates {
			g := n + x
			sum := at[g]
			for _, c := range p.gates[x].in {
				sum += at[c]
			}
			centre := sum / float64(len(p.gates[x].in)+1)
			total[g] += centre
			count[g]++
			for _, c := range p.gates[x].in {
				total[c] += centre
				count[c]++
			}
		}
		for i := range at {
			if count[i] > 0 {
				at[i] = total[i] / count[i]
			}
		}
		for i := range perm {
			perm[i] = narrow(i)
		}
		slices.SortStableFunc(perm, func(a, b int32) int { return cmp.Compare(at[a], at[b]) })
		level := make([]int32, n)
		for l, v := range perm {
			level[v] = narrow(l)
			at[v] = float64(l)
		}
		if s := p.span(level); s < span {
			best, span = level, s
		}
	}
	return best
}

// span is the total over gates of the distance between the first and the last
// variable directly below.
func (p *part) span(level []int32) int64 {
	n := narrow(len(p.names))
	lo, hi := make([]int32, len(p.gates)), make([]int32, len(p.gates))
	var sum int64
	for _, unit := range p.units {
		for _, x := range unit {
			a, b := n, int32(-1)
			for _, c := range p.gates[x].in {
				if c < n {
					a, b = min(a, level[c]), max(b, level[c])
				} else {
					a, b = min(a, lo[c-n]), max(b, hi[c-n])
				}
			}
			lo[x], hi[x] = a, b
			if b >= a {
				sum += int64(b - a)
			}
		}
	}
	return sum
}
