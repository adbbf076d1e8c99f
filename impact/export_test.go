package impact

import (
	"fmt"
	"slices"
)

// Same says where two sweeps differ, which must not be when neither loses anything.
func Same(a, b *Sweep) string {
	s, t := a.s, b.s
	for what, same := range map[string]bool{
		"val": slices.Equal(s.val, t.val), "flag": slices.Equal(s.flag, t.flag), "count": slices.Equal(s.count, t.count),
		"rank": slices.Equal(s.rank, t.rank), "living": slices.Equal(s.living, t.living), "direct": slices.Equal(s.direct, t.direct),
		"held": slices.Equal(s.held, t.held), "ran": slices.Equal(s.ran, t.ran), "stale": slices.Equal(s.stale, t.stale),
		"work": len(s.order)+len(s.queue)+len(s.ready)+len(s.dirty) == 0,
	} {
		if !same {
			return fmt.Sprint(what, " is not the same")
		}
	}
	return ""
}

// Amiss says what is wrong with the edges, the counts and the base of a standing.
func Amiss(st *Standing) string {
	m := st.m
	ups := make([]int, m.nodes)
	for n := range node(m.nodes) {
		for _, i := range m.in(n) {
			ups[i]++
			if !slices.Contains(m.out(i), n) {
				return fmt.Sprint("node ", i, " does not know that ", n, " needs it")
			}
		}
	}
	for n := range node(m.nodes) {
		if len(m.out(n)) != ups[n] {
			return fmt.Sprint("node ", n, " has edges to what does not need it")
		}
	}
	fresh := *m
	fresh.sccNodes, fresh.free, fresh.ups = nil, nil, slices.Clone(m.ups)
	fresh.findCycles()
	for n := range node(m.nodes) {
		if (m.scc[n] < 0) != (fresh.scc[n] < 0) || m.scc[n] >= 0 && !slices.Equal(m.sccNodes[m.scc[n]], fresh.sccNodes[fresh.scc[n]]) {
			return fmt.Sprint("node ", n, " is in another run-time cycle than it would be anew")
		}
		for i, up := range m.out(n) {
			if (i < int(m.inner[n])) != (m.scc[n] >= 0 && m.scc[up] == m.scc[n]) {
				return fmt.Sprint("node ", n, " does not know what of its cycle needs it")
			}
		}
	}
	states := []*state{m.base}
	for _, k := range st.held {
		states = append(states, k.w.s)
	}
	for _, s := range states {
		for n := range node(m.nodes) {
			var up int32
			for _, i := range m.in(n) {
				if s.val[i] {
					up++
				}
			}
			if s.count[n] != up {
				return fmt.Sprint("node ", n, " counts ", s.count[n], " inputs that are up, and they are ", up)
			}
		}
	}
	if fresh := settled(m); !slices.Equal(fresh.val, m.base.val) || !slices.Equal(fresh.flag, m.base.flag) || !slices.Equal(fresh.held, m.base.held) || !slices.Equal(fresh.living, m.base.living) {
		return "the base is not what it would be anew"
	}
	return ""
}
