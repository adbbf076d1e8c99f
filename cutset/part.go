package cutset

// A part is one module as a problem of its own: its variables are leaves and
// the modules below it, which have been solved.
type part struct {
	vars   []int32 // vertices
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

// extract cuts the part of module v out of the graph.
func (g *graph) extract(v int32, module []bool, least []int32) *part {
	p := &part{}
	number := map[int32]int32{}
	var vertices []int32
	stack := []int32{v}
	gateOf := map[int32]int32{v: 0}
	vertices = append(vertices, v)
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, c := range g.in[x] {
			if c != v && (!g.isGate(c) || module[c]) {
				if _, seen := number[c]; !seen {
					number[c] = narrow(len(p.vars))
					p.vars = append(p.vars, c)
					p.weight = append(p.weight, least[c])
				}
				continue
			}
			if _, seen := gateOf[c]; !seen {
				gateOf[c] = narrow(len(vertices))
				vertices = append(vertices, c)
				stack = append(stack, c)
			}
		}
	}
	n := narrow(len(p.vars))
	next := make([][]int32, len(vertices))
	for i, x := range vertices {
		in := make([]int32, len(g.in[x]))
		for j, c := range g.in[x] {
			if k, ok := gateOf[c]; ok {
				in[j] = n + k
				next[i] = append(next[i], k)
			} else {
				in[j] = number[c]
			}
		}
		p.gates = append(p.gates, partGate{g.kind[x], g.k[x], in, g.weight[x]})
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

// plain reports whether the part is a single gate over variables.
func (p *part) plain() bool {
	if len(p.gates) != 1 {
		return false
	}
	for _, w := range p.gates[0].weight {
		if w != 1 {
			return false
		}
	}
	return true
}
