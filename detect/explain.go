package detect

import (
	"slices"

	"bongsu/estate"
)

// explain returns the smallest domain whose loss takes every one of the silent
// targets and none that answers, or -1. Smallest is whose loss takes the fewest
// domains; ties go to the first by name.
func (j *judge) explain(silent []int) int {
	if j.Snapshot == nil || len(silent) == 0 {
		return -1
	}
	var candidates []int
	for n, i := range silent {
		d, ok := j.lookup(j.targets[i].domain)
		if !ok {
			return -1
		}
		mine := j.reasons(d)
		if n == 0 {
			candidates = mine
			continue
		}
		candidates = slices.DeleteFunc(candidates, func(c int) bool {
			_, ok := slices.BinarySearch(mine, c)
			return !ok
		})
	}
	best, size := -1, 0
	for _, c := range candidates {
		lost := j.loss(c)
		if !j.explains(lost) {
			continue
		}
		if n := count(lost); best < 0 || n < size { // candidates are in the order of names
			best, size = c, n
		}
	}
	return best
}

// explains reports whether no target in a lost domain answers. The candidates
// already take every silent target that asked for them, if they take it at all.
func (j *judge) explains(lost []bool) bool {
	for i := range j.targets {
		if d, ok := j.lookup(j.targets[i].domain); ok && lost[d] && j.targets[i].answers() {
			return false
		}
	}
	return true
}

// reasons are the domains whose loss, each alone, takes domain d, sorted.
func (j *judge) reasons(d int) []int {
	named := map[int]bool{}
	j.named(d, named)
	var out []int
	for c := range named {
		if j.takes(c, d) {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return out
}

// named collects d and every domain that it names in its needs, transitively.
func (j *judge) named(d int, into map[int]bool) {
	if into[d] {
		return
	}
	into[d] = true
	var walk func(n estate.Need)
	walk = func(n estate.Need) {
		if n.Ref != nil {
			j.named(n.Ref.Index, into)
		}
		for _, k := range n.Of {
			walk(k)
		}
	}
	walk(j.Snapshot.Domains[d].Needs)
}

// takes reports whether the loss of c takes d.
func (j *judge) takes(c, d int) bool {
	memo := map[int]bool{c: true}
	return j.isLost(d, memo)
}

// loss returns which domains are lost when c is.
func (j *judge) loss(c int) []bool {
	memo := map[int]bool{c: true}
	lost := make([]bool, len(j.Snapshot.Domains))
	for d := range lost {
		lost[d] = j.isLost(d, memo)
	}
	return lost
}

// isLost evaluates the needs of a domain; the estate has no cycles among them.
func (j *judge) isLost(d int, memo map[int]bool) bool {
	if l, ok := memo[d]; ok {
		return l
	}
	l := !j.holds(j.Snapshot.Domains[d].Needs, memo)
	memo[d] = l
	return l
}

func (j *judge) holds(n estate.Need, memo map[int]bool) bool {
	if n.Ref != nil {
		return !j.isLost(n.Ref.Index, memo)
	}
	k := 0
	for _, o := range n.Of {
		if j.holds(o, memo) {
			k++
		}
	}
	return k >= n.K
}

func count(set []bool) int {
	n := 0
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}
