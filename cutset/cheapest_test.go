package cutset

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCheapestAgainstAll ranks small trees as if they were large, and holds what comes first against all sets.
func TestCheapestAgainstAll(t *testing.T) { cheapestAgainstAll(t, 1500) }

func cheapestAgainstAll(t *testing.T, trees int) {
	t.Helper()
	r := rand.New(rand.NewPCG(41, 42))
	alone := 0
	for i := range trees {
		tree := Tree{Cyclic: i%4 == 0}
		for l := range 3 + r.IntN(12) {
			cost := float64(r.IntN(4))
			if i%3 == 0 {
				cost = r.ExpFloat64()
			}
			p := float64(r.IntN(20)) / 19
			tree.AddLeaf(Leaf{Name: fmt.Sprint(l), Cost: cost, Probability: &p})
		}
		gates := 3 + r.IntN(14)
		for g := range gates {
			gate := Gate{Name: fmt.Sprint(g), Op: Op(r.IntN(3)), K: 1 + r.IntN(3)}
			for range 2 + r.IntN(4) {
				switch x := r.IntN(40); {
				case x == 0:
					gate.In = append(gate.In, Ref(r.IntN(2)))
				case x < 20 && tree.Cyclic:
					gate.In = append(gate.In, GateRef(r.IntN(gates)))
				case x < 20 && g > 0:
					gate.In = append(gate.In, GateRef(max(0, g-1-r.IntN(4))))
				default:
					gate.In = append(gate.In, LeafRef(r.IntN(len(tree.Leaves))))
				}
			}
			if gate.Op == AtLeast && r.IntN(2) == 0 {
				for range gate.In {
					gate.Weights = append(gate.Weights, r.IntN(4))
				}
			}
			tree.Top = tree.AddGate(gate)
		}
		all, err := Solve(tree, Options{List: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []By{ByCost, ByProbability} {
			s := solver{t: &tree, o: Options{By: by}}
			cost, err := s.costs()
			if err != nil {
				t.Fatal(err)
			}
			l := lister{weight: fixed(cost)}
			want := slices.DeleteFunc(slices.Clone(all.Sets), func(set []int) bool {
				return slices.ContainsFunc(set, func(v int) bool { return math.IsInf(cost[v], 1) })
			})
			slices.SortFunc(want, l.compare)
			o := Options{Top: 1 + r.IntN(6), RankOnly: true, By: by, large: 1}
			got, err := Solve(tree, o)
			if err != nil {
				t.Fatal(err)
			}
			if got.Stats.Gates > 0 || got.All || !got.Ranked {
				continue // solved in the other way
			}
			alone++
			if len(got.Sets) != o.Top || len(want) < o.Top {
				t.Fatalf("tree %d by %d: %d sets of %d, %d there are", i, by, len(got.Sets), o.Top, len(want))
			}
			seen := map[string]bool{}
			for j, set := range got.Sets {
				if !slices.ContainsFunc(want, func(x []int) bool { return slices.Equal(x, set) }) || seen[fmt.Sprint(set)] {
					t.Fatalf("tree %d by %d: %v is no minimal cut set, or listed twice\n%+v", i, by, set, tree)
				}
				seen[fmt.Sprint(set)] = true
				if l.weighAll(set) != l.weighAll(want[j]) {
					t.Fatalf("tree %d by %d: the first %d are %v, and not %v\n%+v", i, by, o.Top, got.Sets, want[:o.Top], tree)
				}
			}
			few := 0
			for _, set := range all.Sets {
				few += boolInt(len(set) <= got.UpTo)
			}
			if got.Count.Cmp(big.NewInt(int64(few))) != 0 {
				t.Fatalf("tree %d by %d: counts %v up to %d, of %d", i, by, got.Count, got.UpTo, few)
			}
		}
	}
	if alone < trees/3 {
		t.Errorf("only %d of %d were ranked that way", alone, 2*trees)
	}
}
