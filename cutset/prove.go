package cutset

import (
	"errors"
	"fmt"
	"slices"
)

// A Proof shows that no minimal cut set is missing from a list, to whoever can
// simulate the tree: without any of the code that found the sets, and without searching.
//
// Paths are sets of leaves that suffice: as long as a path survives, the top does not fail,
// whatever else does. So a cut set has a member in every path. Clauses then show step by step that no
// set of at most UpTo leaves has that and contains none of the listed ones: each of them says
// that its leaves do not fail together, and follows by unit propagation from the paths, the listed
// sets, the bound and the clauses before it (reverse unit propagation, RUP; Goldberg and Novikov 2003). The last is empty.
type Proof struct {
	UpTo    int // order that the proof covers; 0 is all
	Paths   [][]int
	Clauses [][]int
}

// ErrNoProof is returned where a proof would take more than the effort that was allowed.
var ErrNoProof = errors.New("the proof takes too much effort")

// DefaultProofEffort is a fraction of a second of work.
const DefaultProofEffort = 50_000_000

// maxProof bounds the paths and clauses of a proof, which somebody has to check.
const maxProof = 10_000

// Prove shows that the given cut sets are all of at most order members, or all there are with
// order 0. Effort bounds the steps of the search, so that it ends the same way on any machine; 0 stands for
// [DefaultProofEffort]. A set that is missing is an error that names it.
func Prove(t Tree, sets [][]int, order, effort int) (*Proof, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if effort == 0 {
		effort = DefaultProofEffort
	}
	p := prover{
		t: &t, sim: newSimulation(&t), most: order, effort: effort, proof: &Proof{UpTo: order},
		with: make([][]int, len(t.Leaves)), barred: make([]int, len(t.Leaves)), chosen: make([]bool, len(t.Leaves)),
	}
	if order == 0 {
		p.most = len(t.Leaves)
	}
	for _, set := range sets {
		if len(set) == 0 {
			return p.proof, nil // everything contains the empty set
		}
		for _, l := range set {
			p.with[l] = append(p.with[l], len(p.sets))
		}
		p.sets = append(p.sets, set)
		p.missing = append(p.missing, len(set))
		if len(set) == 1 {
			p.barred[set[0]]++
		}
	}
	if err := p.refute(); err != nil {
		return nil, err
	}
	return p.proof, nil
}

// A prover looks for a set that hits all paths and contains no listed one, and
// writes down why there is none.
type prover struct {
	t      *Tree
	sim    *simulation
	most   int
	effort int
	proof  *Proof

	sets    [][]int
	with    [][]int // sets that a leaf is in
	missing []int   // members of a set that are not chosen
	barred  []int   // why a leaf may not be chosen: sets that it would complete, and searches that it was in
	chosen  []bool
	stack   []int
}

// few free leaves in a path are not worth looking for a better one.
const few = 4

// refute shows that the chosen leaves and others do not make a new cut set.
func (p *prover) refute() error {
	path, free := p.open()
	if p.effort < 0 || len(p.proof.Clauses)+len(p.proof.Paths) > maxProof {
		return ErrNoProof
	}
	if path == nil || free > few && len(p.stack) < p.most {
		fresh, err := p.path()
		if err != nil {
			return err
		}
		if n := p.free(fresh); path == nil || 2*n <= free {
			path = fresh
			p.proof.Paths = append(p.proof.Paths, fresh)
		}
	}
	var tried []int
	if len(p.stack) < p.most {
		for _, l := range path {
			if p.barred[l] > 0 {
				continue
			}
			p.choose(l)
			err := p.refute()
			p.release(l)
			if err != nil {
				return err
			}
			p.barred[l]++
			tried = append(tried, l)
		}
	}
	for _, l := range tried {
		p.barred[l]--
	}
	p.proof.Clauses = append(p.proof.Clauses, slices.Clone(p.stack))
	return nil
}

// open returns the path without a chosen leaf that has the fewest free ones.
func (p *prover) open() (path []int, free int) {
	for _, q := range p.proof.Paths {
		p.effort -= len(q)
		if slices.ContainsFunc(q, func(l int) bool { return p.chosen[l] }) {
			continue
		}
		if n := p.free(q); path == nil || n < free {
			path, free = q, n
		}
	}
	return path, free
}

func (p *prover) free(path []int) int {
	n := 0
	for _, l := range path {
		if p.barred[l] == 0 {
			n++
		}
	}
	return n
}

// path returns a path without the chosen leaves: what is left when as many leaves as
// possible have failed with them, those that could still be chosen first.
func (p *prover) path() ([]int, error) {
	failed := slices.Clone(p.stack)
	if p.sim.fails(failed) {
		names := make([]string, len(failed))
		for i, l := range failed {
			names[i] = p.t.Leaves[l].Name
		}
		return nil, fmt.Errorf("%w: the list lacks a cut set within %q", ErrInput, names)
	}
	var path, first, then []int
	n := len(p.t.Leaves)
	for i := range n {
		l := (i + 7*len(p.proof.Paths)) % n // other paths from other starts
		switch {
		case p.chosen[l]:
		case p.barred[l] == 0:
			first = append(first, l)
		default:
			then = append(then, l)
		}
	}
	var add func(list []int)
	add = func(list []int) {
		if len(list) == 0 || p.effort < 0 {
			return
		}
		p.effort -= len(p.t.Gates) + len(failed) + len(list)
		if more := append(slices.Clone(failed), list...); !p.sim.fails(more) {
			failed = more
			return
		}
		if len(list) == 1 {
			path = append(path, list[0])
			return
		}
		add(list[:len(list)/2])
		add(list[len(list)/2:])
	}
	add(first)
	add(then)
	if p.effort < 0 {
		return nil, ErrNoProof
	}
	slices.Sort(path)
	return path, nil
}

func (p *prover) choose(l int) {
	p.chosen[l] = true
	p.stack = append(p.stack, l)
	for _, s := range p.with[l] {
		if p.missing[s]--; p.missing[s] == 1 {
			p.barred[p.last(s)]++
		}
	}
}

func (p *prover) release(l int) {
	for _, s := range p.with[l] {
		if p.missing[s] == 1 {
			p.barred[p.last(s)]--
		}
		p.missing[s]++
	}
	p.chosen[l] = false
	p.stack = p.stack[:len(p.stack)-1]
}

// last returns the one member of a set that is not chosen.
func (p *prover) last(set int) int {
	i := slices.IndexFunc(p.sets[set], func(l int) bool { return !p.chosen[l] })
	return p.sets[set][i]
}
