package cutset_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/crillab/gophersat/solver"

	"bongsu/cutset"
	"bongsu/cutset/cutsettest"
)

// TestProofs proves all lists of small trees, and up to an order, and holds each
// proof against what it says: paths suffice, and gophersat finds no set that hits them all.
func TestProofs(t *testing.T) { proofs(t, 150) }

func proofs(t *testing.T, trees int) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 8))
	for i := range trees {
		tree := small(r, i%2 == 0)
		want := cutsettest.Minimal(&tree)
		for _, order := range []int{0, 1, 2, 3} {
			few := slices.DeleteFunc(slices.Clone(want), func(s []int) bool { return order > 0 && len(s) > order })
			p, err := cutset.Prove(tree, few, order, 0)
			if err != nil {
				t.Fatalf("tree %d, order %d: %v", i, order, err)
			}
			checkProof(t, &tree, few, p)
			if len(few) == 0 {
				continue
			}
			gone := r.IntN(len(few))
			without := slices.Delete(slices.Clone(few), gone, gone+1)
			_, err = cutset.Prove(tree, without, order, 0)
			if !errors.Is(err, cutset.ErrInput) || !strings.Contains(err.Error(), "lacks a cut set within") {
				t.Fatalf("tree %d, order %d: without %v: error %v", i, order, few[gone], err)
			}
		}
	}
}

func checkProof(t *testing.T, tree *cutset.Tree, sets [][]int, p *cutset.Proof) {
	t.Helper()
	for _, path := range p.Paths {
		if cutsettest.Fails(tree, func(l int) bool { return !slices.Contains(path, l) }) {
			t.Fatalf("the top fails although %v survives: %+v", path, tree)
		}
	}
	var problem []solver.PBConstr
	literals := func(set []int, sign int) []int {
		out := make([]int, len(set))
		for i, l := range set {
			out[i] = sign * (l + 1)
		}
		return out
	}
	for _, path := range p.Paths {
		if len(path) == 0 {
			return // nothing fails it: that no set does is plain
		}
		problem = append(problem, solver.PropClause(literals(path, 1)...))
	}
	for _, set := range sets {
		if len(set) == 0 {
			return
		}
		problem = append(problem, solver.PropClause(literals(set, -1)...))
	}
	if p.UpTo > 0 {
		all := make([]int, len(tree.Leaves))
		for i := range all {
			all[i] = i + 1
		}
		problem = append(problem, solver.AtMost(all, p.UpTo))
	}
	if status := solver.New(solver.ParsePBConstrs(problem)).Solve(); status != solver.Unsat {
		t.Fatalf("gophersat finds a set that hits all of %v: %+v", p.Paths, tree)
	}
}

func TestProofsHaveALimit(t *testing.T) {
	tree, err := cutsettest.GenerateTree(1, "votes", 60)
	if err != nil {
		t.Fatal(err)
	}
	res, err := cutset.Solve(tree, cutset.Options{MaxOrder: 4, List: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cutset.Prove(tree, res.Sets, 4, 5000); !errors.Is(err, cutset.ErrNoProof) {
		t.Errorf("with an effort of 5000: error %v", err)
	}
	if _, err := cutset.Prove(tree, res.Sets, 4, 0); err != nil {
		t.Errorf("with the default effort: %v", err)
	}
}
