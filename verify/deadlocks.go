package verify

import (
	"cmp"
	"slices"
	"strings"

	"bongsu/estate"
)

// deadlocks checks that the list is whole, and that nothing on it is invented (design §3.4).
// What stays down falls into groups of things that all wait for each other, be it through
// others. With all else up, the list must have the shortest way round in a group, of things
// that hold each other up, then the shortest that is left once that one is resolved, until
// there is none. Where all else up leaves none, the group is taken as it is in this loss.
func (k *impactCheck) deadlocks(list []Deadlock) {
	m := k.m
	left := make([][]int, 0, len(list))
	for _, d := range list {
		cycle := make([]int, len(d.Cycle))
		for i, name := range d.Cycle {
			v, ok := m.named(name)
			if !ok || v < m.comp || k.back.up[v] {
				k.r.wrong("%s is not something that stays down, but in a deadlock that is listed", name)
				return
			}
			cycle[i] = v
		}
		left = append(left, cycle)
	}
	for _, group := range k.groups() {
		before := len(left)
		if left = k.resolve(k.allElseUp(group), group, left); len(left) == before {
			left = k.resolve(k.back.clone(), group, left)
		}
		if len(k.r.Wrong) > 0 {
			return
		}
	}
	for _, cycle := range left {
		var names []string
		for _, v := range cycle {
			names = append(names, m.name(v))
		}
		k.r.wrong("a deadlock of %s is listed, but either these do not wait for each other in a ring, or a shorter ring among them resolves it, or it is listed twice", listed(names))
	}
}

// resolve takes one deadlock of a group after another from the list, the shortest that there
// is first, by name among equals, and takes it as up; it returns the rest.
func (k *impactCheck) resolve(w *world, group []int, list [][]int) (rest [][]int) {
	for {
		rings := k.rings(w, k.mutual(w, group))
		from, n := rings.shortest(k.m)
		if n == 0 {
			return list
		}
		i := slices.IndexFunc(list, func(cycle []int) bool { return len(cycle) == n && rings.has(cycle, from) })
		if i < 0 {
			k.r.wrong("%s waits for itself to come back (things in the shortest ring: %d), and no deadlock that is listed says so", k.m.name(from), n)
			return list
		}
		for _, v := range list[i] {
			w.recover(w.rise(v, true))
		}
		list = slices.Delete(slices.Clone(list), i, i+1)
	}
}

// lacks calls f for what a need that is not met names in the parts of it that are not met,
// but could be with more up.
func (m *model) lacks(n estate.Need, up, more func(int) bool, f func(v int)) {
	if m.met(n, up) || !m.met(n, more) {
		return
	}
	if n.Ref != nil {
		if v := m.of(*n.Ref); v >= m.comp {
			f(v)
		}
	}
	for _, o := range n.Of {
		m.lacks(o, up, more, f)
	}
}

// misses calls f for everything that an action waits for.
func (m *model) misses(a int, up, more func(int) bool, f func(v int)) {
	c, action := m.action(a)
	m.lacks(c.StartNeeds, up, more, f)
	m.lacks(action.Needs, up, more, f)
	for _, u := range action.Crew {
		if !up(m.crew + u.Index) {
			f(m.crew + u.Index)
		}
	}
}

// groups returns the sets of things that stay down and all wait for each other, or for
// themselves.
func (k *impactCheck) groups() [][]int {
	m, w := k.m, k.back
	waits := make([][]int, m.n)
	all := func(int) bool { return true }
	for v := m.comp; v < m.part; v++ { // nothing waits for a part
		if w.up[v] {
			continue
		}
		add := func(x int) {
			if !w.up[x] {
				waits[v] = append(waits[v], x)
			}
		}
		m.lacks(m.needs(v), w.isUp, all, add)
		if v < m.svc && !m.holds(v-m.comp, w.isUp, w.g[v-m.comp]) {
			for _, a := range m.actsOf[v-m.comp] {
				if !w.ran[a] && m.somewhere(a, func(at int) bool { return m.possible(a, at, w.isUp) }) {
					m.misses(a, w.isUp, all, add)
				}
			}
		}
	}
	return inRings(waits, func(v int) bool { return v >= m.comp && !w.up[v] })
}

// inRings returns the sets of nodes of which each leads to each other and back: the strongly
// connected components, less those of a single node that does not lead to itself.
func inRings(next [][]int, starts func(v int) bool) [][]int {
	type step struct{ v, done int }
	var (
		groups [][]int
		way    []step
		open   []int // nodes that are in no group yet, as they were found
		found  int
		number = make([]int, len(next)) // of each node: when it was found, from 1; 0: not yet
		lowest = make([]int, len(next)) // of each open node: the first one found that it leads back to
	)
	enter := func(v int) {
		found++
		number[v], lowest[v] = found, found
		open, way = append(open, v), append(way, step{v: v})
	}
	for start := range next {
		if number[start] != 0 || !starts(start) {
			continue
		}
		for enter(start); len(way) > 0; {
			at := &way[len(way)-1]
			v := at.v
			if at.done < len(next[v]) {
				x := next[v][at.done]
				if at.done++; number[x] == 0 {
					enter(x)
				} else {
					lowest[v] = min(lowest[v], lowest[x])
				}
				continue
			}
			if way = way[:len(way)-1]; len(way) > 0 {
				before := way[len(way)-1].v
				lowest[before] = min(lowest[before], lowest[v])
			}
			if lowest[v] < number[v] {
				continue
			}
			first := len(open) - 1
			for open[first] != v {
				first--
			}
			group := slices.Clone(open[first:])
			open = open[:first]
			for _, x := range group {
				lowest[x] = len(next) + 1 // nothing leads back through it
			}
			if len(group) > 1 || slices.Contains(next[v], v) {
				groups = append(groups, group)
			}
		}
	}
	return groups
}

// allElseUp returns the world in which every component and crew outside of a group is up, and
// all that comes back then.
func (k *impactCheck) allElseUp(group []int) *world {
	m, w := k.m, k.back.clone()
	w.within = make([]bool, m.n)
	for _, v := range group {
		w.within[v] = true
	}
	var risen, open []int
	for v := m.comp; v < m.n; v++ {
		if w.up[v] {
			continue
		}
		w.up[v] = true
		risen = append(risen, v)
		if w.within[v] || m.follows(v) {
			w.within[v] = true
			open = append(open, v)
		}
	}
	w.check(open)
	w.within = nil
	w.recover(slices.DeleteFunc(risen, func(v int) bool { return !w.up[v] }))
	return w
}

// mutual returns the greatest set of things of a group that are down and would all be up if
// the whole set were.
func (k *impactCheck) mutual(w *world, group []int) map[int]bool {
	m := k.m
	in := map[int]bool{}
	var queue []int
	for _, v := range group {
		if !w.up[v] {
			in[v] = true
			queue = append(queue, v)
		}
	}
	up := func(v int) bool { return w.up[v] || in[v] }
	g := slices.Clone(w.g)
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if !in[v] || k.held(w, v, up, g) {
			continue
		}
		delete(in, v)
		queue = append(queue, m.users[v]...)
		for _, a := range m.wakes[v] {
			queue = append(queue, m.comp+m.acts[a].comp)
		}
	}
	return in
}

// held reports whether a thing can be up with these up: at once, or by actions of its own.
// It leaves g as it was.
func (k *impactCheck) held(w *world, v int, up func(int) bool, g []gains) bool {
	m := k.m
	if v >= m.svc || m.holds(v-m.comp, up, g[v-m.comp]) {
		return m.stands(v, up, g)
	}
	was := g[v-m.comp]
	defer func() { g[v-m.comp] = was }()
	for _, a := range m.actsOf[v-m.comp] {
		if !w.ran[a] && m.ableSomewhere(a, up) {
			m.effect(a, g)
		}
	}
	return m.stands(v, up, g)
}

// rings is who waits for whom in a set of things that hold each other up: to run, and for an
// action of its own.
type rings struct{ run, act map[int][]int }

func (k *impactCheck) rings(w *world, in map[int]bool) rings {
	m := k.m
	r := rings{map[int][]int{}, map[int][]int{}}
	more := func(v int) bool { return w.up[v] || in[v] }
	for v := range in {
		m.lacks(m.needs(v), w.isUp, more, func(x int) { r.run[v] = append(r.run[v], x) })
		if v >= m.svc || m.holds(v-m.comp, w.isUp, w.g[v-m.comp]) {
			continue
		}
		for _, a := range m.actsOf[v-m.comp] {
			if !w.ran[a] && m.ableSomewhere(a, more) {
				m.misses(a, w.isUp, more, func(x int) { r.act[v] = append(r.act[v], x) })
			}
		}
	}
	return r
}

// has reports whether a cycle goes round, through an action of one of its members.
func (r rings) has(cycle []int, acting int) bool {
	for i, v := range cycle {
		x := cycle[(i+1)%len(cycle)]
		act := slices.Contains(r.act[v], x)
		if v == acting && !act || !act && !slices.Contains(r.run[v], x) || slices.Contains(cycle[:i], v) {
			return false
		}
	}
	return slices.Contains(cycle, acting)
}

// shortest returns how many things the shortest ring has that goes through an action, and the
// first thing by name that waits so in one of that length; 0: there is none.
func (r rings) shortest(m *model) (from, n int) {
	var starts []int
	for v := range r.act {
		starts = append(starts, v)
	}
	bare := func(v int) string { _, name, _ := strings.Cut(m.name(v), "/"); return name }
	slices.SortFunc(starts, func(a, b int) int { return cmp.Or(strings.Compare(bare(a), bare(b)), cmp.Compare(a, b)) })
	for _, v := range starts {
		seen := map[int]bool{}
		level := r.act[v]
		for length := 1; len(level) > 0 && (n == 0 || length < n); length++ {
			if slices.Contains(level, v) {
				from, n = v, length
				break
			}
			var next []int
			for _, x := range level {
				if !seen[x] {
					seen[x] = true
					next = append(append(next, r.run[x]...), r.act[x]...)
				}
			}
			level = next
		}
	}
	return from, n
}
