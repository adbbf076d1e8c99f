package cutset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestDivisionsAgree solves small trees in pieces all the way down and at once.
func TestDivisionsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for i := range 120 {
		tree := Tree{}
		for l := range 2 + r.IntN(10) {
			tree.AddLeaf(Leaf{Name: fmt.Sprint(l)})
		}
		for g := range 3 + r.IntN(14) {
			gate := Gate{Name: fmt.Sprint(g), Op: Op(r.IntN(3)), K: 2}
			for range 2 + r.IntN(3) {
				if g > 0 && r.IntN(2) == 0 {
					gate.In = append(gate.In, GateRef(max(0, g-1-r.IntN(4))))
				} else {
					gate.In = append(gate.In, LeafRef(r.IntN(len(tree.Leaves))))
				}
			}
			tree.Top = tree.AddGate(gate)
		}
		for _, order := range []int{0, 2, 7} {
			want, err := Solve(tree, Options{List: true, MaxOrder: order})
			if err != nil {
				t.Fatal(err)
			}
			for _, divide := range []int{1, 2, maxDepth} {
				var cache Cache
				var got *Result
				for range 2 { // the second time from the cache
					got, err = Solve(tree, Options{List: true, MaxOrder: order, divide: divide, Cache: &cache})
					if err != nil {
						t.Fatal(err)
					}
				}
				if !slices.EqualFunc(got.Sets, want.Sets, slices.Equal) || got.Count.Cmp(want.Count) != 0 || !got.Complete {
					t.Fatalf("tree %d up to %d, divided %d times: in pieces %v %v, at once %v %v\n%+v", i, order, divide, got.Count, got.Sets, want.Count, want.Sets, tree)
				}
			}
		}
	}
}
