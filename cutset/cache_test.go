package cutset_test

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/cutset"
	"bongsu/cutset/cutsettest"
)

// TestCacheChangesNothing solves trees with a cache that others have filled, and
// every tree twice, and wants the very answer that it gets without.
func TestCacheChangesNothing(t *testing.T) { cacheChangesNothing(t, 100, 50) }

func cacheChangesNothing(t *testing.T, trees, gates int) {
	t.Helper()
	var cache cutset.Cache
	r := rand.New(rand.NewPCG(11, 12))
	check := func(name string, tree cutset.Tree, o cutset.Options) {
		t.Helper()
		want, err := cutset.Solve(tree, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Cache = &cache
		for range 2 {
			got, err := cutset.Solve(tree, o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })); diff != "" {
				t.Fatalf("%s, %+v (-without +with a cache):\n%s", name, o, diff)
			}
		}
	}
	for i := range trees {
		check("small", small(r, i%2 == 0), cutset.Options{List: true, MaxOrder: i % 4})
	}
	for _, family := range cutsettest.Families() {
		tree, err := cutsettest.GenerateTree(2, family, gates)
		if err != nil {
			t.Fatal(err)
		}
		check(tree.Name, tree, cutset.Options{NodeBudget: 200 * gates})
		check(tree.Name, tree, cutset.Options{MaxOrder: 4, NodeBudget: 200 * gates})
	}
}

// TestCacheSparesWhatDidNotChange changes one of many modules. Only that
// one, and what is above it, is solved again.
func TestCacheSparesWhatDidNotChange(t *testing.T) {
	tree := cutset.Tree{}
	var systems []cutset.Ref
	for seed := range uint64(12) {
		sub, err := cutsettest.GenerateTree(seed, "votes", 30)
		if err != nil {
			t.Fatal(err)
		}
		systems = append(systems, graft(&tree, &sub))
	}
	tree.Top = tree.AddGate(cutset.Gate{Name: "top", Op: cutset.Or, In: systems})
	changed := cutset.Tree{Leaves: tree.Leaves, Gates: append([]cutset.Gate{}, tree.Gates...), Top: tree.Top}
	for i := range slices.Backward(changed.Gates) {
		if g := &changed.Gates[i]; g.Op == cutset.AtLeast && g.K == 2 && len(g.In) > 3 { // in the last system
			g.K = 3
			break
		}
	}
	var cache cutset.Cache
	if _, err := cutset.Solve(tree, cutset.Options{Cache: &cache}); err != nil {
		t.Fatal(err)
	}
	before := cache.Solved()
	if before < 12 {
		t.Fatalf("%d modules were solved, at least 12 were expected", before)
	}
	if _, err := cutset.Solve(changed, cutset.Options{Cache: &cache}); err != nil {
		t.Fatal(err)
	}
	if n := cache.Solved() - before; n < 1 || n > 2 {
		t.Errorf("%d modules were solved again after a change in one", n)
	}
}

// graft adds the leaves and gates of a tree to another and returns what its top has become.
func graft(t, sub *cutset.Tree) cutset.Ref {
	leaves, gates := len(t.Leaves), len(t.Gates)
	move := func(r cutset.Ref) cutset.Ref {
		if i, ok := r.Leaf(); ok {
			return cutset.LeafRef(leaves + i)
		}
		if i, ok := r.Gate(); ok {
			return cutset.GateRef(gates + i)
		}
		return r
	}
	t.Leaves = append(t.Leaves, sub.Leaves...)
	for _, g := range sub.Gates {
		in := make([]cutset.Ref, len(g.In))
		for i, r := range g.In {
			in[i] = move(r)
		}
		g.In = in
		t.AddGate(g)
	}
	return move(sub.Top)
}
