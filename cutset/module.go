package cutset

import (
	"cmp"
	"math"
	"slices"
)

// components returns the strongly connected components of a graph on 0..n-1,
// every component after those that it has edges to (Tarjan 1972).
func components(n int, next func(int32) []int32) [][]int32 {
	var (
		index   = make([]int32, n)
		low     = make([]int32, n)
		at      = make([]int32, n)
		onStack = make([]bool, n)
		stack   []int32
		path    []int32
		comps   [][]int32
		clock   int32
	)
	open := func(v int32) {
		clock++
		index[v], low[v] = clock, clock
		stack, path = append(stack, v), append(path, v)
		onStack[v] = true
	}
	for root := range narrow(n) {
		if index[root] != 0 {
			continue
		}
		open(root)
		for len(path) > 0 {
			v := path[len(path)-1]
			if out := next(v); int(at[v]) < len(out) {
				c := out[at[v]]
				at[v]++
				if index[c] == 0 {
					open(c)
				} else if onStack[c] {
					low[v] = min(low[v], index[c])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				p := path[len(path)-1]
				low[p] = min(low[p], low[v])
			}
			if low[v] == index[v] {
				from := len(stack) - 1
				for stack[from] != v {
					from--
				}
				comp := slices.Clone(stack[from:])
				stack = stack[:from]
				for _, c := range comp {
					onStack[c] = false
				}
				comps = append(comps, comp)
			}
		}
	}
	return comps
}

// untie rewrites what can be said of cycles without a diagram. In the least
// fixpoint gates that feed each other through ors alone are one or, and what does not fail with
// all leaves never does. It notes whether any cycle is left.
func (g *graph) untie() bool {
	changed := g.unground()
	gates := g.gates()
	local := make(map[int32]int32, len(gates))
	for i, v := range gates {
		local[v] = narrow(i)
	}
	next := make([][]int32, len(gates))
	for i, v := range gates {
		if g.kind[v] != kindOr {
			continue
		}
		for _, c := range g.in[v] {
			if c = g.find(c); g.kind[c] == kindOr {
				next[i] = append(next[i], local[c])
			}
		}
	}
	for _, comp := range components(len(gates), func(v int32) []int32 { return next[v] }) {
		if len(comp) == 1 {
			continue
		}
		changed = true
		keep := gates[slices.Min(comp)]
		var in []int32
		for _, c := range comp {
			in = append(in, g.in[gates[c]]...)
		}
		for _, c := range comp {
			g.become(gates[c], keep)
		}
		g.in[keep] = in // tidy drops what now refers to keep itself
	}
	if changed {
		g.tidy()
	}
	g.cyclic = len(g.knots(g.gates())) > 0
	return changed
}

// unground replaces by "never" the gates that do not fail even if all leaves do: those that
// only other gates of their cycle could make fail.
func (g *graph) unground() bool {
	gates := g.gates()
	type use struct {
		v int32
		w int64
	}
	users := make([][]use, len(g.kind))
	missing := make([]int64, len(g.kind)) // weight
	var failed []int32
	for _, v := range gates {
		switch g.kind[v] {
		case kindOr:
			missing[v] = 1
		case kindAnd:
			missing[v] = int64(len(g.in[v]))
		default:
			missing[v] = int64(g.k[v])
		}
		for i, c := range g.in[v] {
			w := int64(1)
			if g.kind[v] == kindThreshold {
				w = int64(g.weight[v][i])
			}
			if c = g.find(c); g.isGate(c) {
				users[c] = append(users[c], use{v, w})
			} else if c != 0 {
				missing[v] -= w
			}
		}
		if missing[v] <= 0 {
			failed = append(failed, v)
		}
	}
	for len(failed) > 0 {
		c := failed[len(failed)-1]
		failed = failed[:len(failed)-1]
		for _, u := range users[c] {
			before := missing[u.v]
			missing[u.v] -= u.w
			if before > 0 && missing[u.v] <= 0 {
				failed = append(failed, u.v)
			}
		}
	}
	changed := false
	for _, v := range gates {
		if missing[v] > 0 {
			g.become(v, 0)
			changed = true
		}
	}
	if changed {
		g.tidy()
	}
	return changed
}

// knots returns the strongly connected components of more than one gate.
func (g *graph) knots(gates []int32) [][]int32 {
	local := make([]int32, len(g.kind))
	for i, v := range gates {
		local[v] = narrow(i)
	}
	next := make([][]int32, len(gates))
	for i, v := range gates {
		for _, c := range g.in[v] {
			if c = g.find(c); g.isGate(c) {
				next[i] = append(next[i], local[c])
			}
		}
	}
	var knots [][]int32
	for _, comp := range components(len(gates), func(v int32) []int32 { return next[v] }) {
		if len(comp) > 1 {
			for i := range comp {
				comp[i] = gates[comp[i]]
			}
			knots = append(knots, comp)
		}
	}
	return knots
}

// modules returns the gates whose inputs, however deep, nothing outside uses:
// Dutuit and Rauzy 1996, "A linear-time algorithm to find modules of fault trees". A
// depth-first walk dates the first and the last touch of everything; a gate is a module
// if all below it was touched only between its own first visit and the return from it. A
// knot counts as one vertex, and can be a module only through a single gate. Inputs
// come before the modules that use them; the top is the last.
func (g *graph) modules() []int32 {
	gates := g.gates()
	if len(gates) == 0 {
		return nil
	}
	unit := make([]int32, len(g.kind))
	for v := range unit {
		unit[v] = narrow(v)
	}
	members := make(map[int32][]int32)
	if g.cyclic {
		for _, knot := range g.knots(gates) {
			for _, v := range knot {
				unit[v] = knot[0]
			}
			members[knot[0]] = knot
		}
	}
	out := func(u int32) []int32 {
		knot, ok := members[u]
		if !ok {
			return g.in[u]
		}
		var all []int32
		for _, v := range knot {
			for _, c := range g.in[v] {
				if unit[c] != u {
					all = append(all, c)
				}
			}
		}
		return all
	}
	below := make([][]int32, len(g.kind))
	n := len(g.kind)
	first, done, last := make([]int32, n), make([]int32, n), make([]int32, n)
	early, late := make([]int32, n), make([]int32, n) // over everything below
	entry := make([]int32, n)                         // the only gate by which a unit is entered, -1 if there are several
	type frame struct {
		u    int32
		next []int32
		all  []int32
	}
	clock := int32(0)
	touch := func(v int32) (int32, bool) {
		u := unit[v]
		clock++
		last[u] = clock
		fresh := first[u] == 0
		if fresh {
			first[u] = clock
			entry[u] = v
		} else if entry[u] != v {
			entry[u] = -1
		}
		return u, fresh
	}
	var found []int32
	u, _ := touch(g.top)
	list := out(u)
	path := []frame{{u, list, list}}
	for len(path) > 0 {
		f := &path[len(path)-1]
		if len(f.next) > 0 {
			c := f.next[0]
			f.next = f.next[1:]
			if u, fresh := touch(c); fresh && g.isGate(u) {
				list := out(u)
				path = append(path, frame{u, list, list})
			}
			continue
		}
		clock++
		u := f.u
		done[u], last[u] = clock, clock
		path = path[:len(path)-1]
		found = append(found, u)
		below[u] = f.all
	}
	var modules []int32
	for _, u := range found { // inputs first
		early[u], late[u] = math.MaxInt32, 0
		for _, c := range below[u] {
			w := unit[c]
			early[u] = min(early[u], first[w])
			late[u] = max(late[u], last[w])
			if g.isGate(w) {
				early[u] = min(early[u], early[w])
				late[u] = max(late[u], late[w])
			}
		}
		if early[u] > first[u] && late[u] < done[u] && entry[u] >= 0 {
			modules = append(modules, entry[u])
		}
	}
	return modules
}

// split gives the independent parts of a plain gate gates of their own, which
// are modules by construction, and returns the modules anew.
func (g *graph) split() []int32 {
	modules := g.modules()
	is := make([]bool, len(g.kind), len(g.kind)*2)
	for _, m := range modules {
		is[m] = true
	}
	gates := g.gates()
	parents := g.parents(gates)
	mark := make([]int32, len(g.kind), cap(is)) // which input of the current gate reached a vertex first, 1-based
	group := func(v int32, parts [][]int32) {
		in := make([]int32, 0, len(parts))
		for _, part := range parts {
			if len(part) == 1 {
				in = append(in, part[0])
				continue
			}
			slices.Sort(part)
			in = append(in, g.add(g.kind[v], part))
			is, mark = append(is, true), append(mark, 0)
		}
		slices.Sort(in)
		g.in[v] = in
	}
	for _, v := range gates {
		if g.kind[v] > kindAnd {
			continue
		}
		var private, shared []int32
		for _, c := range g.in[v] {
			if parents[c] == 1 && (!g.isGate(c) || is[c]) {
				private = append(private, c)
			} else {
				shared = append(shared, c)
			}
		}
		if len(shared) == 0 || len(shared) == len(g.in[v]) && !is[v] {
			continue
		}
		var parts [][]int32
		if len(private) > 0 {
			parts = append(parts, private)
		}
		if !is[v] {
			if len(private) < 2 {
				continue
			}
			for _, c := range shared {
				parts = append(parts, []int32{c})
			}
			group(v, parts)
			continue
		}
		apart := g.apart(shared, is, mark)
		if len(apart)+len(parts) > 1 && len(apart)+len(parts) < len(g.in[v]) {
			group(v, append(parts, apart...))
		}
	}
	return g.modules()
}

// apart sorts inputs of a module into classes that share nothing below.
func (g *graph) apart(inputs []int32, module []bool, mark []int32) [][]int32 {
	parent := make([]int32, len(inputs))
	for i := range parent {
		parent[i] = narrow(i)
	}
	find := func(i int32) int32 {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	var touched, stack []int32
	for i, c := range inputs {
		stack = append(stack[:0], c)
		for len(stack) > 0 {
			x := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if m := mark[x]; m != 0 {
				a, b := find(m-1), find(narrow(i))
				parent[max(a, b)] = min(a, b)
				continue
			}
			mark[x] = narrow(i) + 1
			touched = append(touched, x)
			if g.isGate(x) && !module[x] {
				stack = append(stack, g.in[x]...)
			}
		}
	}
	for _, x := range touched {
		mark[x] = 0
	}
	classes := make(map[int32][]int32)
	for i, c := range inputs {
		r := find(narrow(i))
		classes[r] = append(classes[r], c)
	}
	var roots []int32
	for r := range classes {
		roots = append(roots, r)
	}
	slices.SortFunc(roots, func(a, b int32) int { return cmp.Compare(a, b) })
	out := make([][]int32, len(roots))
	for i, r := range roots {
		out[i] = classes[r]
	}
	return out
}
