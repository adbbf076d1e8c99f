package cutset

import "slices"

// A part is one module as a problem of its own: its variables are leaves and
// the modules below it, which have been solved.
type part struct {
	names  []name
	weight []int32 // order of the smallest solution of each variable
	gates  []partGate
	units  [][]int32 // gates, inputs first; more than one together are a knot
	root   int32
	last   []int32 // the last unit that reads a gate
}

// A partGate is a gate over variables (numbers below len(vars)) and other gates (above).
type partGate struct {
	kind   uint8
	k      int32
	in     []int32
	weight []int32
}

// The inputs of a barred gate by number. In a part its weights hold these, as the
// inputs that bar nothing are left out.
const (
	barOf     = iota // the function whose minimal solutions are asked for
	barWeak          // a set that satisfies this is barred
	barStrict        // and one of which a proper part satisfies this
)

// extract cuts the part of module v out of the graph.
func (g *graph) extract(v int32, module []bool, names map[int32]name, f *forest) *part {
	p := &part{}
	number := map[int32]int32{}
	var vertices []int32
	stack := []int32{v}
	gateOf := map[int32]int32{v: 0}
	vertices = append(vertices, v)
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		inputs, _ := g.inputs(x, module)
		for _, c := range inputs {
			switch {
			case c != v && (!g.isGate(c) || module[c]):
				if _, seen := number[c]; seen {
					continue
				}
				number[c] = narrow(len(p.names))
				m, ok := names[c]
				if !ok {
					m = g.names[c-2]
				}
				p.names = append(p.names, m)
				p.weight = append(p.weight, f.lightest(m))
			default:
				if _, seen := gateOf[c]; !seen {
					gateOf[c] = narrow(len(vertices))
					vertices = append(vertices, c)
					stack = append(stack, c)
				}
			}
		}
	}
	n := narrow(len(p.names))
	next := make([][]int32, len(vertices))
	for i, x := range vertices {
		inputs, weight := g.inputs(x, module)
		in := make([]int32, 0, len(inputs))
		for _, c := range inputs {
			if k, ok := gateOf[c]; ok {
				in = append(in, n+k)
				next[i] = append(next[i], k)
			} else {
				in = append(in, number[c])
			}
		}
		p.gates = append(p.gates, partGate{g.kind[x], g.k[x], in, weight})
	}
	p.units = components(len(vertices), func(v int32) []int32 { return next[v] })
	p.last = make([]int32, len(p.gates))
	for u, unit := range p.units {
		for _, x := range unit {
			p.last[x] = narrow(u)
			for _, c := range next[x] {
				p.last[c] = narrow(u)
			}
		}
	}
	p.last[0] = narrow(len(p.units))
	return p
}

// inputs returns the inputs of a gate in a part, and their weights. Of a barred gate
// each input of an or that bars bars by itself.
func (g *graph) inputs(v int32, module []bool) (in, weight []int32) {
	if g.kind[v] != kindBarred {
		return g.in[v], g.weight[v]
	}
	for role, c := range g.in[v] {
		each := []int32{c}
		if role != barOf && g.kind[c] == kindOr && !module[c] {
			each = g.in[c]
		}
		for _, c := range each {
			if c != 0 {
				in, weight = append(in, c), append(weight, narrow(role))
			}
		}
	}
	return in, weight
}

// plain reports whether the part is a single gate over variables.
func (p *part) plain() bool {
	if len(p.gates) != 1 || p.gates[0].kind == kindBarred {
		return false
	}
	for _, w := range p.gates[0].weight {
		if w != 1 {
			return false
		}
	}
	return true
}

// knotted reports whether gates of the part feed each other.
func (p *part) knotted() bool {
	return slices.ContainsFunc(p.units, func(unit []int32) bool { return len(unit) > 1 })
}

// graph returns the part as a graph of its own, whose leaves are the variables.
func (p *part) graph() *graph {
	n := len(p.names)
	size := 2 + n + len(p.gates)
	g := &graph{
		leaves: n, names: p.names, kind: make([]uint8, size), in: make([][]int32, size),
		weight: make([][]int32, size), k: make([]int32, size), same: make([]int32, size),
	}
	for v := range g.same {
		g.same[v] = narrow(v)
	}
	for i := range n {
		g.kind[2+i] = kindLeaf
	}
	for x := range p.gates {
		gate, v := &p.gates[x], 2+n+x
		g.kind[v], g.k[v] = gate.kind, gate.k
		if gate.kind == kindBarred {
			var bars [3][]int32
			for i, c := range gate.in {
				bars[gate.weight[i]] = append(bars[gate.weight[i]], c+2)
			}
			g.in[v] = []int32{bars[barOf][0], g.add(kindOr, bars[barWeak]), g.add(kindOr, bars[barStrict])}
			continue
		}
		g.weight[v] = slices.Clone(gate.weight)
		for _, c := range gate.in {
			g.in[v] = append(g.in[v], c+2)
		}
	}
	g.top = narrow(2+n) + p.root
	return g
}
