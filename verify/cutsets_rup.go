package verify

import (
	"slices"
	"strings"
)

// A Completeness is the proof that no cut set is missing from a list. Variable
// i+1 says that Leaves[i] is lost. While all of a path survives the subject does not fail, so that
// a cut set has a member in every path. Every clause follows by unit propagation from the
// paths, the listed sets (negated), the bound on lost leaves and the clauses before it; the last one is empty.
type Completeness struct {
	UpTo    int      `json:"upTo"` // bound on the members of a set; 0 is none
	Leaves  []string `json:"leaves"`
	Paths   [][]int  `json:"paths"`
	Clauses [][]int  `json:"clauses"`
}

// complete replays a proof of completeness and returns whether it holds.
func complete(r *Report, x subject, claim *CutsetsClaim, sets [][]int, proof *Completeness) bool {
	variable := map[int]int{} // of a leaf
	leaf := make([]int, len(proof.Leaves))
	for i, name := range proof.Leaves {
		l, ok := x.leaf(name)
		if !ok {
			r.wrong("%q in the proof is nothing that can be lost", name)
			return false
		}
		if _, twice := variable[l]; twice {
			r.wrong("the proof numbers %q twice", name)
			return false
		}
		variable[l], leaf[i] = i+1, l
	}
	if proof.UpTo < 0 {
		r.wrong("the proof is about sets of at most %d members", proof.UpTo)
		return false
	}
	u := newUnits(len(leaf), proof.UpTo)
	for _, path := range proof.Paths {
		survive := map[int]bool{}
		for _, v := range path {
			if v < 1 || v > len(leaf) {
				r.wrong("the proof has no leaf of the number %d", v)
				return false
			}
			survive[leaf[v-1]] = true
		}
		lost := slices.DeleteFunc(slices.Clone(x.leaves()), func(l int) bool { return survive[l] })
		if x.fails(lost) {
			names := make([]string, len(path))
			for i, v := range path {
				names[i] = proof.Leaves[v-1]
			}
			r.wrong("%s fails although %s survives, which the proof takes as enough", claim.Of, strings.Join(names, ", "))
			return false
		}
		u.add(slices.Clone(path))
	}
	for _, set := range sets {
		clause := make([]int, 0, len(set))
		for _, l := range set {
			if v, ok := variable[l]; ok {
				clause = append(clause, -v)
			}
		}
		if len(clause) == len(set) { // a leaf without a number is in no path and never needed
			u.add(clause)
		}
	}
	for i, clause := range proof.Clauses {
		for _, v := range clause {
			if v == 0 || v > len(leaf) || v < -len(leaf) {
				r.wrong("the proof has no leaf of the number %d", v)
				return false
			}
		}
		if !u.follows(clause) {
			r.wrong("step %d of the proof does not follow from those before it", i+1)
			return false
		}
		u.add(slices.Clone(clause))
	}
	if !u.closed {
		r.wrong("the proof that no set is missing does not come to its end")
		return false
	}
	return true
}

// units does unit propagation over clauses and one bound on the number of true
// variables. Two literals of every clause are watched: while neither is false the clause says nothing.
type units struct {
	most    int // of true variables; below 0 for no bound
	clauses [][]int
	watch   [][]int // clauses by watched literal
	value   []int8  // of a variable: 1 true, -1 false
	trail   []int   // literals that are true, in order
	next    int     // the first of these that has not been propagated
	trues   int
	closed  bool // the clauses contradict each other
}

func newUnits(variables, most int) *units {
	u := &units{most: most, watch: make([][]int, 2*variables+2), value: make([]int8, variables+1)}
	if most == 0 {
		u.most = -1
	}
	return u
}

// side is where a literal is watched.
func side(lit int) int {
	if lit < 0 {
		return -2*lit + 1
	}
	return 2 * lit
}

func (u *units) of(lit int) int8 {
	if lit < 0 {
		return -u.value[-lit]
	}
	return u.value[lit]
}

// set makes a literal true and reports whether that is possible.
func (u *units) set(lit int) bool {
	switch u.of(lit) {
	case 1:
		return true
	case -1:
		return false
	}
	if lit < 0 {
		u.value[-lit] = -1
	} else {
		u.value[lit] = 1
		u.trues++
	}
	u.trail = append(u.trail, lit)
	return true
}

// add takes a clause that follows, and all that it says at once.
func (u *units) add(clause []int) {
	if u.closed {
		return
	}
	slices.Sort(clause)
	clause = slices.Compact(clause)
	// Literals that are not false go first: what is false here stays false.
	slices.SortStableFunc(clause, func(a, b int) int { return int(u.of(b)) - int(u.of(a)) })
	switch {
	case len(clause) == 0 || u.of(clause[0]) < 0:
		u.closed = true
		return
	case len(clause) == 1 || u.of(clause[1]) < 0:
		u.closed = !u.set(clause[0]) || !u.propagate()
		return
	}
	for _, lit := range clause[:2] {
		u.watch[side(lit)] = append(u.watch[side(lit)], len(u.clauses))
	}
	u.clauses = append(u.clauses, clause)
}

// follows reports whether a clause follows: taking all of it as false contradicts what is known.
func (u *units) follows(clause []int) bool {
	if u.closed {
		return true
	}
	base := len(u.trail)
	ok := true
	for _, lit := range clause {
		ok = ok && u.set(-lit)
	}
	contradicts := !ok || !u.propagate()
	for _, lit := range u.trail[base:] {
		if lit > 0 {
			u.trues--
		}
		u.value[max(lit, -lit)] = 0
	}
	u.trail = u.trail[:base]
	u.next = base
	return contradicts
}

// propagate draws what follows from the trail and reports false on a contradiction.
func (u *units) propagate() bool {
	for {
		if u.most >= 0 && u.trues > u.most {
			return false
		}
		if u.next == len(u.trail) {
			if u.most < 0 || u.trues < u.most || !u.fill() {
				return true
			}
			continue
		}
		lit := u.trail[u.next]
		u.next++
		if !u.wake(-lit) {
			return false
		}
	}
}

// fill makes everything that is open false, as no more may be true, and reports whether there was any.
func (u *units) fill() bool {
	some := false
	for v := 1; v < len(u.value); v++ {
		if u.value[v] == 0 {
			u.set(-v)
			some = true
		}
	}
	return some
}

// wake looks at the clauses that watch a literal which became false.
func (u *units) wake(lit int) bool {
	list := u.watch[side(lit)]
	kept := list[:0]
	for i, c := range list {
		clause := u.clauses[c]
		if clause[0] == lit {
			clause[0], clause[1] = clause[1], clause[0]
		}
		if u.of(clause[0]) > 0 {
			kept = append(kept, c)
			continue
		}
		if j := slices.IndexFunc(clause[2:], func(l int) bool { return u.of(l) >= 0 }); j >= 0 {
			clause[1], clause[2+j] = clause[2+j], clause[1]
			u.watch[side(clause[1])] = append(u.watch[side(clause[1])], c)
			continue
		}
		kept = append(kept, c)
		if !u.set(clause[0]) {
			u.watch[side(lit)] = append(kept, list[i+1:]...)
			return false
		}
	}
	u.watch[side(lit)] = kept
	return true
}
