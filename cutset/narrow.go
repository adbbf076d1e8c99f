package cutset

// narrowest numbers variables and gates from the root down, each after all that use it, such that
// few lie on the frontier at any time: used by what is numbered, but not numbered themselves.
// Prefer says which of two that widen the frontier alike comes first.
func (p *part) narrowest(prefer func(a, b, sinceA, sinceB int32) bool) []int32 {
	n := len(p.names)
	size := n + len(p.gates)
	wait := make([]int32, size)
	for x := range p.gates {
		for _, c := range p.gates[x].in {
			wait[c]++
		}
	}
	at := make([]int32, size)
	since := make([]int32, size) // when it came to the frontier
	for i := range at {
		at[i], since[i] = -1, -1
	}
	var ready []int32
	next := int32(0)
	var place func(v int32)
	place = func(v int32) {
		at[v] = next
		next++
		if int(v) < n {
			return
		}
		var free []int32
		for _, c := range p.gates[int(v)-n].in {
			if since[c] < 0 {
				since[c] = next
			}
			if wait[c]--; wait[c] == 0 {
				if int(c) < n {
					free = append(free, c)
				} else {
					ready = append(ready, c)
				}
			}
		}
		for _, c := range free {
			place(c)
		}
	}
	root := narrow(n) + p.root
	since[root] = 0
	place(root)
	for len(ready) > 0 {
		best, least := -1, int32(0)
		for i, v := range ready {
			wide := int32(-1)
			for _, c := range p.gates[int(v)-n].in {
				switch {
				case since[c] < 0 && wait[c] > 1:
					wide++
				case since[c] < 0 && int(c) >= n: // replaces it
					wide++
				case since[c] >= 0 && wait[c] == 1 && int(c) < n:
					wide--
				}
			}
			if best < 0 || wide < least || wide == least && prefer(v, ready[best], since[v], since[ready[best]]) {
				best, least = i, wide
			}
		}
		v := ready[best]
		ready = append(ready[:best], ready[best+1:]...)
		place(v)
	}
	return at
}
