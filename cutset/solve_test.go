package cutset_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bongsu/cutset"
	"bongsu/cutset/cutsettest"
)

// small makes a random tree of few leaves with every kind of gate, constants,
// repeated inputs, weights, and, if asked, cycles.
func small(r *rand.Rand, cyclic bool) cutset.Tree {
	t := cutset.Tree{Cyclic: cyclic}
	for i := range 1 + r.IntN(11) {
		t.AddLeaf(cutset.Leaf{Name: fmt.Sprintf("e%d", i), Cost: float64(r.IntN(4))})
	}
	n := 1 + r.IntN(14)
	leafy := 2 + r.IntN(6)
	for i := range n {
		g := cutset.Gate{Name: fmt.Sprintf("g%d", i), Op: cutset.Op(r.IntN(3))}
		for range 1 + r.IntN(4) {
			x := r.IntN(10)
			switch {
			case r.IntN(60) == 0:
				g.In = append(g.In, cutset.Ref(r.IntN(2)))
			case x < leafy || i == 0 && !cyclic:
				g.In = append(g.In, cutset.LeafRef(r.IntN(len(t.Leaves))))
			case cyclic && x%2 == 0:
				g.In = append(g.In, cutset.GateRef(r.IntN(n)))
			default:
				g.In = append(g.In, cutset.GateRef(max(0, i-1-r.IntN(3))))
			}
		}
		if g.Op == cutset.AtLeast {
			g.K = 1 + r.IntN(len(g.In))
			if r.IntN(2) == 0 {
				for range g.In {
					g.Weights = append(g.Weights, r.IntN(4))
				}
				g.K = 1 + r.IntN(6)
			}
		}
		t.AddGate(g)
	}
	t.Top = cutset.GateRef(n - 1)
	return t
}

func TestSolveAgainstTryingAllSets(t *testing.T) { solveAgainstTryingAllSets(t, 600) }

func solveAgainstTryingAllSets(t *testing.T, trees int) {
	t.Helper()
	for _, cyclic := range []bool{false, true} {
		t.Run(fmt.Sprintf("cyclic=%v", cyclic), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for i := range trees {
				tree := small(r, cyclic)
				compare(t, i, &tree)
			}
		})
	}
}

func compare(t *testing.T, i int, tree *cutset.Tree) {
	t.Helper()
	want := cutsettest.Minimal(tree)
	res, err := cutset.Solve(*tree, cutset.Options{List: true})
	if err != nil {
		t.Fatalf("tree %d: %v", i, err)
	}
	if !res.Complete {
		t.Fatalf("tree %d: not complete", i)
	}
	if diff := cmp.Diff(want, append([][]int{}, res.Sets...)); diff != "" {
		t.Fatalf("tree %d: %+v\nsets (-want +got):\n%s", i, tree, diff)
	}
	if res.Count.Int64() != int64(len(want)) {
		t.Fatalf("tree %d: counted %v of %d", i, res.Count, len(want))
	}
	byOrder := map[int]int64{}
	for _, s := range want {
		byOrder[len(s)]++
	}
	for k, n := range res.ByOrder {
		if n.Int64() != byOrder[k] {
			t.Fatalf("tree %d: order %d: counted %v of %d", i, k, n, byOrder[k])
		}
	}
	for k := 1; k <= 3; k++ {
		few := [][]int{}
		for _, s := range want {
			if len(s) <= k {
				few = append(few, s)
			}
		}
		res, err := cutset.Solve(*tree, cutset.Options{List: true, MaxOrder: k})
		if err != nil {
			t.Fatalf("tree %d: %v", i, err)
		}
		if diff := cmp.Diff(few, append([][]int{}, res.Sets...)); diff != "" || !res.Complete || res.UpTo != k || res.Count.Int64() != int64(len(few)) {
			t.Fatalf("tree %d, up to order %d: %+v\n%+v\nsets (-want +got):\n%s", i, k, tree, res, diff)
		}
	}
}

func TestOrderBoundedWithKnotsAndLargeBounds(t *testing.T) {
	orderBoundedWithKnotsAndLargeBounds(t, 300)
}

func orderBoundedWithKnotsAndLargeBounds(t *testing.T, trees int) {
	t.Helper()
	// Bounds above the size that lists handle take the diagrams.
	r := rand.New(rand.NewPCG(3, 4))
	for i := range trees {
		tree := small(r, i%2 == 0)
		want := slices.DeleteFunc(cutsettest.Minimal(&tree), func(s []int) bool { return len(s) > 7 })
		res, err := cutset.Solve(tree, cutset.Options{List: true, MaxOrder: 7})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, append([][]int{}, res.Sets...)); diff != "" {
			t.Fatalf("tree %d: %+v\n%s", i, tree, diff)
		}
	}
}

func TestTopAgainstSortingAllSets(t *testing.T) { topAgainstSortingAllSets(t, 400) }

func topAgainstSortingAllSets(t *testing.T, trees int) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	for i := range trees {
		tree := small(r, i%3 == 0)
		for l := range tree.Leaves {
			tree.Leaves[l].Probability = new(float64(1+r.IntN(5)) / 16)
		}
		sets := cutsettest.Minimal(&tree)
		for _, by := range []cutset.By{cutset.ByCost, cutset.ByProbability} {
			price := func(set []int) float64 {
				sum := 0.0
				for _, l := range set {
					if by == cutset.ByCost {
						sum += tree.Leaves[l].Cost
					} else {
						sum -= math.Log(*tree.Leaves[l].Probability)
					}
				}
				return sum
			}
			want := []float64{}
			for _, s := range sets {
				want = append(want, price(s))
			}
			slices.Sort(want)
			n := 1 + r.IntN(6)
			want = want[:min(n, len(want))]
			for _, only := range []bool{false, true} {
				res, err := cutset.Solve(tree, cutset.Options{Top: n, By: by, RankOnly: only})
				if err != nil {
					t.Fatal(err)
				}
				got := []float64{}
				for _, s := range res.Sets {
					got = append(got, price(s))
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" || !res.Ranked {
					t.Fatalf("tree %d by %d, only %v: ranked %v, costs (-want +got):\n%s\n%+v", i, by, only, res.Ranked, diff, tree)
				}
				if err := cutsettest.Check(&tree, res.Sets); err != nil {
					t.Fatalf("tree %d: %v", i, err)
				}
			}
		}
	}
}

// Every reported set is put to the test by a plain simulation: it fails the
// top, and without any one member it does not.
func TestReportedSetsHold(t *testing.T) { reportedSetsHold(t, 1, 60) }

func reportedSetsHold(t *testing.T, seeds uint64, gates int) {
	t.Helper()
	for _, family := range cutsettest.Families() {
		for seed := range seeds {
			tree, err := cutsettest.GenerateTree(seed, family, gates)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []cutset.Options{{MaxOrder: 3, List: true}, {Top: 25}, {Top: 25, RankOnly: true, By: cutset.ByProbability}} {
				res, err := cutset.Solve(tree, o)
				if err != nil {
					t.Fatalf("%s: %v", tree.Name, err)
				}
				if err := cutsettest.Check(&tree, res.Sets[:min(len(res.Sets), 60)]); err != nil {
					t.Errorf("%s, %+v: %v", tree.Name, o, err)
				}
				if o.List && res.Count.Cmp(big.NewInt(int64(len(res.Sets)))) != 0 {
					t.Errorf("%s: counted %v and listed %d", tree.Name, res.Count, len(res.Sets))
				}
			}
		}
	}
}

// The bounded mode and the full one share little, so that they check each other.
func TestOrdersAgree(t *testing.T) { ordersAgree(t, 1) }

func ordersAgree(t *testing.T, seeds uint64) {
	t.Helper()
	for _, family := range cutsettest.Families() {
		for seed := range seeds {
			tree, err := cutsettest.GenerateTree(seed, family, 60)
			if err != nil {
				t.Fatal(err)
			}
			all, err := cutset.Solve(tree, cutset.Options{})
			if err != nil || !all.Complete {
				t.Fatalf("%s: %v, %+v", tree.Name, err, all)
			}
			for _, k := range []int{2, 4, 8} {
				few, err := cutset.Solve(tree, cutset.Options{MaxOrder: k})
				if err != nil || !few.Complete || few.UpTo != k {
					t.Fatalf("%s: %v, %+v", tree.Name, err, few)
				}
				for i := range k + 1 {
					if a, b := at(all.ByOrder, i), at(few.ByOrder, i); a.Cmp(b) != 0 {
						t.Errorf("%s, order %d: %v in all, %v up to %d", tree.Name, i, a, b, k)
					}
				}
			}
		}
	}
}

func at(n []*big.Int, i int) *big.Int {
	if i < len(n) {
		return n[i]
	}
	return new(big.Int)
}

func TestBurstSaysHowFarItGot(t *testing.T) {
	tree, err := cutsettest.GenerateTree(1, "systems", 120)
	if err != nil {
		t.Fatal(err)
	}
	all, err := cutset.Solve(tree, cutset.Options{})
	if err != nil || !all.Complete {
		t.Fatalf("%v, %+v", err, all)
	}
	few, err := cutset.Solve(tree, cutset.Options{NodeBudget: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	if few.Complete || few.UpTo < 1 || few.UpTo >= all.UpTo {
		t.Fatalf("with 20,000 nodes: complete %v, up to %d of %d", few.Complete, few.UpTo, all.UpTo)
	}
	if diff := cmp.Diff(fmt.Sprint(all.ByOrder[:few.UpTo+1]), fmt.Sprint(few.ByOrder)); diff != "" {
		t.Errorf("counts up to order %d (-want +got):\n%s", few.UpTo, diff)
	}
	none, err := cutset.Solve(tree, cutset.Options{NodeBudget: 1, MaxOrder: 4})
	if err != nil {
		t.Fatal(err)
	}
	if none.Complete || none.UpTo != 0 || none.Count.Sign() != 0 {
		t.Errorf("with one node: %+v", none)
	}
}

func TestCountsBeyondListing(t *testing.T) {
	vote := cutset.Tree{}
	for range 200 {
		vote.Gates = append(vote.Gates, cutset.Gate{})
		vote.AddLeaf(cutset.Leaf{})
	}
	vote.Gates = nil
	in := make([]cutset.Ref, 200)
	for i := range in {
		in[i] = cutset.LeafRef(i)
	}
	vote.Top = vote.AddGate(cutset.Gate{Name: "top", Op: cutset.AtLeast, K: 100, In: in})
	res, err := cutset.Solve(vote, cutset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := new(big.Int).Binomial(200, 100); res.Count.Cmp(want) != 0 || res.UpTo != 100 || res.ByOrder[100].Cmp(want) != 0 {
		t.Errorf("100 of 200: counted %v up to %d, there are %v", res.Count, res.UpTo, want)
	}
	if _, err := cutset.Solve(vote, cutset.Options{List: true}); !errors.Is(err, cutset.ErrTooMany) {
		t.Errorf("listing 100 of 200: error %v", err)
	}

	// 60 redundant groups of 3, each member with 5 causes: (5^3)^60 ways, and each of order 180.
	product := cutset.Tree{}
	var groups []cutset.Ref
	for range 60 {
		var members []cutset.Ref
		for range 3 {
			var causes []cutset.Ref
			for range 5 {
				causes = append(causes, product.AddLeaf(cutset.Leaf{}))
			}
			members = append(members, product.AddGate(cutset.Gate{Op: cutset.Or, In: causes}))
		}
		groups = append(groups, product.AddGate(cutset.Gate{Op: cutset.And, In: members}))
	}
	product.Top = product.AddGate(cutset.Gate{Op: cutset.And, In: groups})
	res, err = cutset.Solve(product, cutset.Options{Top: 3})
	if err != nil {
		t.Fatal(err)
	}
	if want := new(big.Int).Exp(big.NewInt(5), big.NewInt(180), nil); res.Count.Cmp(want) != 0 || res.UpTo != 180 {
		t.Errorf("counted %v up to %d, there are %v", res.Count, res.UpTo, want)
	}
	if err := cutsettest.Check(&product, res.Sets); err != nil || len(res.Sets) != 3 {
		t.Errorf("%d sets: %v", len(res.Sets), err)
	}
}

// Things that need each other at run time do not fail by themselves; what one
// of them loses, all lose.
func TestRunTimeCycles(t *testing.T) {
	tree := cutset.Tree{Cyclic: true}
	const n = 3000
	for i := range n {
		leaf := tree.AddLeaf(cutset.Leaf{Name: fmt.Sprint(i)})
		tree.AddGate(cutset.Gate{Name: fmt.Sprint(i), Op: cutset.Or, In: []cutset.Ref{leaf, cutset.GateRef((i + 1) % n)}})
	}
	tree.Top = cutset.GateRef(7)
	res, err := cutset.Solve(tree, cutset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Count.Int64() != n || res.UpTo != 1 {
		t.Errorf("a ring of %d: counted %v up to %d", n, res.Count, res.UpTo)
	}

	// Three voters, each up while itself and one of the other two are: any two lost leaves none, and one is enough for none.
	tree = cutset.Tree{Cyclic: true}
	for i := range 3 {
		tree.AddLeaf(cutset.Leaf{Name: fmt.Sprint(i)})
		tree.AddGate(cutset.Gate{Name: fmt.Sprint("lonely", i), Op: cutset.And, In: []cutset.Ref{cutset.GateRef(2*((i+1)%3) + 1), cutset.GateRef(2*((i+2)%3) + 1)}})
		tree.AddGate(cutset.Gate{Name: fmt.Sprint("down", i), Op: cutset.Or, In: []cutset.Ref{cutset.LeafRef(i), cutset.GateRef(2 * i)}})
	}
	tree.Top = tree.AddGate(cutset.Gate{Name: "all", Op: cutset.And, In: []cutset.Ref{cutset.GateRef(1), cutset.GateRef(3), cutset.GateRef(5)}})
	res, err = cutset.Solve(tree, cutset.Options{List: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]int{{0, 1}, {0, 2}, {1, 2}}, res.Sets); diff != "" {
		t.Errorf("voters (-want +got):\n%s", diff)
	}
}

func TestWhatOnlyItsOwnCycleCouldFail(t *testing.T) {
	tree := cutset.Tree{Cyclic: true}
	tree.AddLeaf(cutset.Leaf{Name: "unused"})
	g := cutset.GateRef
	tree.AddGate(cutset.Gate{Name: "a", Op: cutset.Or, In: []cutset.Ref{g(2), g(1)}})
	tree.AddGate(cutset.Gate{Name: "b", Op: cutset.AtLeast, K: 2, In: []cutset.Ref{g(3), g(0)}, Weights: []int{1, 3}})
	tree.AddGate(cutset.Gate{Name: "c", Op: cutset.AtLeast, K: 3, In: []cutset.Ref{g(2), g(1), g(0), g(3)}})
	tree.Top = tree.AddGate(cutset.Gate{Name: "d", Op: cutset.Or, In: []cutset.Ref{g(0), g(1)}})
	compare(t, 0, &tree)
}

func TestDeepAndWideTrees(t *testing.T) {
	const n = 60_000
	chain := cutset.Tree{}
	below := chain.AddLeaf(cutset.Leaf{})
	for i := range n {
		op := cutset.Or
		if i%2 == 1 {
			op = cutset.And
		}
		below = chain.AddGate(cutset.Gate{Name: fmt.Sprint(i), Op: op, In: []cutset.Ref{below, chain.AddLeaf(cutset.Leaf{})}})
	}
	chain.Top = below
	res, err := cutset.Solve(chain, cutset.Options{MaxOrder: 3})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Complete || res.Count.Sign() != 0 && res.UpTo != 3 {
		t.Errorf("a chain: %v, %+v", res.Count, res)
	}
	wide := cutset.Tree{}
	in := make([]cutset.Ref, n)
	for i := range in {
		in[i] = wide.AddLeaf(cutset.Leaf{})
	}
	wide.Top = wide.AddGate(cutset.Gate{Op: cutset.And, In: in})
	res, err = cutset.Solve(wide, cutset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res.Count.Int64() != 1 || res.UpTo != n {
		t.Errorf("an and of %d: %v up to %d", n, res.Count, res.UpTo)
	}
}

func TestTopOfADataCentre(t *testing.T) {
	for _, shards := range []int{1, 400} {
		tree := cutsettest.GenerateDataCentre(1, 16, shards, 3)
		for _, by := range []cutset.By{cutset.ByCost, cutset.ByProbability} {
			res, err := cutset.Solve(tree, cutset.Options{Top: 20, RankOnly: true, By: by})
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Sets) != 20 || !res.Ranked {
				t.Errorf("%d shards by %d: %d sets, ranked %v", shards, by, len(res.Sets), res.Ranked)
			}
			if err := cutsettest.Check(&tree, res.Sets); err != nil {
				t.Errorf("%d shards by %d: %v", shards, by, err)
			}
		}
	}
}

func TestSameInputSameResult(t *testing.T) {
	for _, family := range cutsettest.Families() {
		tree, err := cutsettest.GenerateTree(9, family, 50)
		if err != nil {
			t.Fatal(err)
		}
		solve := func() string {
			res, err := cutset.Solve(tree, cutset.Options{Top: 30})
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("%+v", *res)
		}
		if a, b := solve(), solve(); a != b {
			t.Errorf("%s: two answers\n%s\n%s", family, a, b)
		}
	}
}

func TestRefusals(t *testing.T) {
	leaf := []cutset.Leaf{{Name: "a"}}
	gate := func(g cutset.Gate) cutset.Tree {
		return cutset.Tree{Leaves: leaf, Gates: []cutset.Gate{g}, Top: cutset.GateRef(0)}
	}
	tests := []struct {
		name string
		tree cutset.Tree
		o    cutset.Options
		want string
	}{
		{"no such top", cutset.Tree{Top: cutset.GateRef(0)}, cutset.Options{}, "the top refers to nothing"},
		{"no such input", gate(cutset.Gate{Name: "g", In: []cutset.Ref{cutset.LeafRef(1)}}), cutset.Options{}, `gate "g" refers to nothing`},
		{"negative reference", gate(cutset.Gate{Name: "g", In: []cutset.Ref{-5}}), cutset.Options{}, `gate "g" refers to nothing`},
		{"cycle", cutset.Tree{Gates: []cutset.Gate{{Name: "g", In: []cutset.Ref{cutset.GateRef(1)}}, {Name: "h", In: []cutset.Ref{cutset.GateRef(0)}}}, Top: cutset.GateRef(0)}, cutset.Options{}, "cycle: g <- h <- g"},
		{"weights of an or", gate(cutset.Gate{Name: "g", In: []cutset.Ref{cutset.LeafRef(0)}, Weights: []int{1}}), cutset.Options{}, "only atleast has"},
		{"weights missing", gate(cutset.Gate{Name: "g", Op: cutset.AtLeast, K: 1, In: []cutset.Ref{cutset.LeafRef(0)}, Weights: []int{}}), cutset.Options{}, "1 inputs and 0 weights"},
		{"negative weight", gate(cutset.Gate{Name: "g", Op: cutset.AtLeast, K: 1, In: []cutset.Ref{cutset.LeafRef(0)}, Weights: []int{-1}}), cutset.Options{}, "has weight -1"},
		{"negative threshold", gate(cutset.Gate{Name: "g", Op: cutset.AtLeast, K: -1}), cutset.Options{}, "has threshold -1"},
		{"unknown kind", gate(cutset.Gate{Name: "g", Op: 9}), cutset.Options{}, "unknown kind 9"},
		{"negative cost", cutset.Tree{Leaves: []cutset.Leaf{{Name: "a", Cost: -1}}, Top: cutset.LeafRef(0)}, cutset.Options{}, `leaf "a" costs -1`},
		{"probability above 1", cutset.Tree{Leaves: []cutset.Leaf{{Name: "a", Probability: new(1.5)}}, Top: cutset.LeafRef(0)}, cutset.Options{}, "has probability 1.5"},
		{"no probability", cutset.Tree{Leaves: leaf, Top: cutset.LeafRef(0)}, cutset.Options{Top: 1, By: cutset.ByProbability}, `leaf "a" has no probability`},
		{"negative option", cutset.Tree{Leaves: leaf, Top: cutset.LeafRef(0)}, cutset.Options{MaxOrder: -1}, "an option is negative"},
		{"huge budget", cutset.Tree{Leaves: leaf, Top: cutset.LeafRef(0)}, cutset.Options{NodeBudget: math.MaxInt32}, "node budget"},
		{"unknown ranking", cutset.Tree{Leaves: leaf, Top: cutset.LeafRef(0)}, cutset.Options{By: 7}, "unknown ranking 7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := cutset.Solve(test.tree, test.o)
			if err == nil || !errors.Is(err, cutset.ErrInput) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; %q was expected", err, test.want)
			}
		})
	}
}

func TestHugeWeights(t *testing.T) {
	tree := cutset.Tree{}
	g := cutset.Gate{Name: "g", Op: cutset.AtLeast, K: 1_100_000_009}
	for i := range 12 {
		g.In = append(g.In, tree.AddLeaf(cutset.Leaf{Name: fmt.Sprint(i)}))
		g.Weights = append(g.Weights, 150_000_001+10_000_019*i/2)
	}
	// The same leaf below a second gate keeps the threshold from being a module of its own.
	tree.Top = tree.AddGate(cutset.Gate{Op: cutset.Or, In: []cutset.Ref{
		tree.AddGate(g),
		tree.AddGate(cutset.Gate{Op: cutset.And, In: []cutset.Ref{cutset.LeafRef(0), cutset.LeafRef(5)}}),
	}})
	compare(t, 0, &tree)
}

func TestConstants(t *testing.T) {
	for _, test := range []struct {
		top  cutset.Ref
		want [][]int
	}{{cutset.False, nil}, {cutset.True, [][]int{{}}}, {cutset.LeafRef(0), [][]int{{0}}}} {
		for _, k := range []int{0, 2} {
			tree := cutset.Tree{Leaves: []cutset.Leaf{{Name: "a"}}, Top: test.top}
			res, err := cutset.Solve(tree, cutset.Options{List: true, MaxOrder: k})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, res.Sets, cmpopts.EquateEmpty()); diff != "" || !res.Complete || res.Count.Int64() != int64(len(test.want)) {
				t.Errorf("top %d, order %d: %+v\n%s", test.top, k, res, diff)
			}
		}
	}
}

func TestFailsIsTheMeaning(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 1000 {
		tree := small(r, i%2 == 0)
		for range 8 {
			var failed []int
			for l := range tree.Leaves {
				if r.IntN(2) == 0 {
					failed = append(failed, l)
				}
			}
			want := cutsettest.Fails(&tree, func(l int) bool { return slices.Contains(failed, l) })
			if got := tree.Fails(failed); got != want {
				t.Fatalf("tree %d: %v with %v failed; %v was expected: %+v", i, got, failed, want, tree)
			}
		}
	}
}

func BenchmarkSolve(b *testing.B) {
	for _, family := range cutsettest.Families() {
		tree, err := cutsettest.GenerateTree(0, family, 120)
		if err != nil {
			b.Fatal(err)
		}
		for _, k := range []int{0, 3} {
			b.Run(fmt.Sprintf("%s/order=%d", family, k), func(b *testing.B) {
				for b.Loop() {
					if _, err := cutset.Solve(tree, cutset.Options{MaxOrder: k}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkTopOfADataCentre(b *testing.B) {
	for _, ports := range []int{48, 64} {
		tree := cutsettest.GenerateDataCentre(1, ports, 200, 3)
		b.Run(fmt.Sprintf("devices=%d", len(tree.Leaves)), func(b *testing.B) {
			for b.Loop() {
				if _, err := cutset.Solve(tree, cutset.Options{Top: 20, RankOnly: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Thousands of groups under one gate, with inputs shared here and there: the
// minimal ones among them are the answer, and comparing each with each tells which.
func TestManySmallGroups(t *testing.T) {
	for _, leaves := range []int{2000, 50} {
		r := rand.New(rand.NewPCG(13, uint64(leaves)))
		tree := cutset.Tree{}
		for i := range leaves {
			tree.AddLeaf(cutset.Leaf{Name: fmt.Sprint(i)})
		}
		var groups [][]int
		var in []cutset.Ref
		for range 2000 {
			var group []int
			var members []cutset.Ref
			for range 2 + r.IntN(3) {
				l := r.IntN(leaves)
				group, members = append(group, l), append(members, cutset.LeafRef(l))
			}
			slices.Sort(group)
			groups = append(groups, slices.Compact(group))
			in = append(in, tree.AddGate(cutset.Gate{Op: cutset.And, In: members}))
		}
		tree.Top = tree.AddGate(cutset.Gate{Op: cutset.Or, In: in})
		slices.SortFunc(groups, bySizeThenLeaves)
		groups = slices.CompactFunc(groups, slices.Equal)
		want := [][]int{}
		for _, g := range groups {
			if !slices.ContainsFunc(want, func(w []int) bool { return inside(w, g) }) {
				want = append(want, g)
			}
		}
		for _, k := range []int{0, 4, 9} {
			res, err := cutset.Solve(tree, cutset.Options{List: true, MaxOrder: k})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, res.Sets); diff != "" || !res.Complete {
				t.Errorf("%d leaves, order %d: complete %v, (-want +got):\n%s", leaves, k, res.Complete, diff)
			}
		}
	}
}

func bySizeThenLeaves(a, b []int) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return slices.Compare(a, b)
}

func inside(a, b []int) bool {
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			return false
		}
	}
	return true
}
