package verify

import "slices"

// unlisted checks that no deadlock was left out altogether: things that stay down, and
// would hold each other up if all of them were up, are tied to a cycle of the list.
func (k *impactCheck) unlisted(cycles []Deadlock) {
	left := k.mutual(nil)
	if len(left) > 0 && len(cycles) > 0 {
		left = k.mutual(k.tied(cycles))
	}
	if len(left) > 0 {
		k.r.wrong("%s stays down only because it waits for itself, through others or not, and no deadlock that is listed says so", k.m.name(left[0]))
	}
}

// mutual returns the greatest set of things that stay down and would all be up if the
// whole set were, without some.
func (k *impactCheck) mutual(without []bool) []int {
	m, w := k.m, k.back
	in := make([]bool, m.n)
	var queue []int
	for v := m.comp; v < m.n; v++ {
		if !w.up[v] && (without == nil || !without[v]) {
			in[v] = true
			queue = append(queue, v)
		}
	}
	up := func(v int) bool { return w.up[v] || in[v] }
	all := slices.Clone(queue)
	g := slices.Clone(w.g)
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if !in[v] || k.held(v, up, g) {
			continue
		}
		in[v] = false
		queue = append(queue, m.users[v]...)
		for _, a := range m.wakes[v] {
			queue = append(queue, m.comp+m.acts[a].comp)
		}
	}
	return slices.DeleteFunc(all, func(v int) bool { return !in[v] })
}

// held reports whether a thing can be up with these up: at once, or by actions of its own.
// It leaves g as it was.
func (k *impactCheck) held(v int, up func(int) bool, g []gains) bool {
	m := k.m
	if v >= m.svc || m.holds(v-m.comp, up, g[v-m.comp]) || k.fallen.held[v-m.comp] {
		return m.stands(v, up, g)
	}
	was := g[v-m.comp]
	defer func() { g[v-m.comp] = was }()
	for _, a := range m.actsOf[v-m.comp] {
		if !k.back.ran[a] && m.ableSomewhere(a, up) {
			m.effect(a, g)
		}
	}
	return m.stands(v, up, g)
}

// tied returns what waits for a member of a cycle and is waited for by it, directly or not.
func (k *impactCheck) tied(cycles []Deadlock) []bool {
	m, w := k.m, k.back
	to, from := make([][]int, m.n), make([][]int, m.n)
	for v := m.comp; v < m.n; v++ {
		if w.up[v] {
			continue
		}
		link := func(x int) {
			if x >= m.comp && !w.up[x] {
				to[v], from[x] = append(to[v], x), append(from[x], v)
			}
		}
		m.names(v, link)
		if v < m.svc && !m.holds(v-m.comp, w.isUp, w.g[v-m.comp]) {
			for _, a := range m.actsOf[v-m.comp] {
				m.asks(a, link)
			}
		}
	}
	reach := func(start int, next [][]int) []bool {
		seen := make([]bool, m.n)
		seen[start] = true
		for stack := []int{start}; len(stack) > 0; {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, x := range next[v] {
				if !seen[x] {
					seen[x] = true
					stack = append(stack, x)
				}
			}
		}
		return seen
	}
	tied := make([]bool, m.n)
	for _, c := range cycles {
		if start, ok := m.named(c.Cycle[0]); ok && !tied[start] {
			ahead, behind := reach(start, to), reach(start, from)
			for v := range tied {
				tied[v] = tied[v] || ahead[v] && behind[v]
			}
		}
	}
	return tied
}
