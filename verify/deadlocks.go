package verify

import (
	"slices"
	"strings"
)

// deadlocks checks that each of a list is one, and that no other is left out. Things that
// all wait for each other, directly or not, are a knot, and each knot is looked at by itself:
// with all else up, or, where nothing in it would stay down then, as the loss leaves it. What
// would hold itself up there if it were up, and yet is down, is in a deadlock. Each of the
// list must be of that, and once all of them are up none may be left.
func (k *impactCheck) deadlocks(list []Deadlock) {
	m, w := k.m, k.back
	of, knots := k.knots()
	cycles := make([][][]int, len(knots))
	for _, d := range list {
		if members := k.cycle(d.Cycle); members != nil {
			cycles[of[members[0]]] = append(cycles[of[members[0]]], members)
		}
	}
	if len(k.r.Wrong) > 0 {
		return
	}
	for i, knot := range knots {
		var others []int
		for v := m.comp; v < m.part; v++ {
			if (v < m.svc || v >= m.crew) && !w.up[v] && of[v] != i {
				others = append(others, v)
			}
		}
		w.recover(w.rise(true, others...))
		stuck := k.mutual(knot)
		if len(stuck) == 0 {
			w.undo()
			stuck = k.mutual(knot)
		}
		var resolved []int
		for _, members := range cycles[i] {
			for _, v := range members {
				if !slices.Contains(stuck, v) {
					k.r.wrong("%s is in no deadlock: it would not be up even if all were that wait for it", m.name(v))
				}
			}
			resolved = append(resolved, members...)
		}
		w.recover(w.rise(true, resolved...))
		if left := k.mutual(knot); len(left) > 0 {
			k.r.wrong("%s stays down only because it waits for itself, through others or not, and no deadlock that is listed says so", m.name(left[0]))
		}
		w.undo()
	}
}

// cycle checks that each thing stays down and waits for the next, and that one does so
// through an action; nil: it is no such cycle.
func (k *impactCheck) cycle(names []string) []int {
	m, w := k.m, k.back
	if len(names) == 0 {
		k.r.wrong("a deadlock of nothing is listed")
		return nil
	}
	var members []int
	acting := false
	for i, text := range names {
		v, ok := m.named(text)
		x, too := m.named(names[(i+1)%len(names)])
		runs, acts := false, false
		if ok && too && v >= m.comp && !w.up[v] {
			k.waits(v, func(y int, act bool) {
				runs, acts = runs || y == x && !act, acts || y == x && act
			})
		}
		if !runs && !acts {
			k.r.wrong("%s is not something that stays down and waits for %s", text, names[(i+1)%len(names)])
			return nil
		}
		acting = acting || acts
		members = append(members, v)
	}
	if !acting {
		k.r.wrong("things that need each other to run are no deadlock: %s", strings.Join(names, ", "))
		return nil
	}
	return members
}

// waits calls f for what a thing that stays down waits for and that stays down, too: what it
// lacks to run, and where it does not hold, what actions lack that could make it hold.
func (k *impactCheck) waits(v int, f func(x int, act bool)) {
	m, w := k.m, k.back
	lacks := func(x int, act bool) {
		if x >= m.comp && !w.up[x] {
			f(x, act)
		}
	}
	m.lacking(m.needs(v), w.isUp, func(x int) { lacks(x, false) })
	if v >= m.part {
		lacks(m.svc+m.parts[v-m.part].service, false)
	}
	if v >= m.svc || m.holds(v-m.comp, w.isUp, w.g[v-m.comp]) {
		return
	}
	for _, a := range m.actsOf[v-m.comp] {
		if w.ran[a] || !m.somewhere(a, w.isUp, m.fits) {
			continue
		}
		c, action := m.action(a)
		m.lacking(c.StartNeeds, w.isUp, func(x int) { lacks(x, true) })
		m.lacking(action.Needs, w.isUp, func(x int) { lacks(x, true) })
		for _, u := range action.Crew {
			lacks(m.crew+u.Index, true)
		}
	}
}

// knots returns the greatest sets of things that all wait for each other, and of each thing
// the knot that it is in, -1 for none (Tarjan 1972).
func (k *impactCheck) knots() (of []int, knots [][]int) {
	m := k.m
	of = make([]int, m.n)
	index, low := make([]int, m.n), make([]int, m.n) // index 0: not seen
	on, clock := make([]bool, m.n), 0
	var stack []int
	var visit func(v int)
	visit = func(v int) {
		clock++
		index[v], low[v], on[v] = clock, clock, true
		stack = append(stack, v)
		itself := false
		k.waits(v, func(x int, _ bool) {
			itself = itself || x == v
			if index[x] == 0 {
				visit(x)
				low[v] = min(low[v], low[x])
			} else if on[x] {
				low[v] = min(low[v], index[x])
			}
		})
		if low[v] != index[v] {
			return
		}
		at := len(stack) - 1
		for stack[at] != v {
			at--
		}
		knot := slices.Clone(stack[at:])
		stack = stack[:at]
		for _, x := range knot {
			of[x], on[x] = -1, false
		}
		if len(knot) > 1 || itself {
			for _, x := range knot {
				of[x] = len(knots)
			}
			knots = append(knots, knot)
		}
	}
	for v := range m.n {
		of[v] = -1
	}
	for v := m.comp; v < m.n; v++ {
		if !k.back.up[v] && index[v] == 0 {
			visit(v)
		}
	}
	return of, knots
}

// mutual returns the greatest part of a set of things that stay down, and would all be up if
// the whole part were.
func (k *impactCheck) mutual(set []int) []int {
	m, w := k.m, k.back
	in := make([]bool, m.n)
	var queue []int
	for _, v := range set {
		if !w.up[v] {
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
