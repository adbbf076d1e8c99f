package cutset

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
)

// TestTwoTriesAtATime makes all tries in pairs: that changes no answer, and what it took is the same whether they run side by
// side or one after the other.
func TestTwoTriesAtATime(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	tries := 0
	for i := range 2 {
		tree := Tree{}
		for l := range 100 {
			tree.AddLeaf(Leaf{Name: fmt.Sprint(l)})
		}
		for g := range 150 {
			gate := Gate{Name: fmt.Sprint(g), Op: Op(r.IntN(3)), K: 2}
			for range 2 + r.IntN(3) {
				if g > 0 && r.IntN(3) > 0 {
					gate.In = append(gate.In, GateRef(max(0, g-1-r.IntN(30))))
				} else {
					gate.In = append(gate.In, LeafRef(r.IntN(len(tree.Leaves))))
				}
			}
			tree.Top = tree.AddGate(gate)
		}
		solve := func(o Options) *Result {
			o.NodeBudget = 50_000
			res, err := Solve(tree, o)
			if err != nil {
				t.Fatal(err)
			}
			return res
		}
		for _, order := range []int{0, 9} {
			want := solve(Options{MaxOrder: order})
			got := solve(Options{MaxOrder: order, beside: 1})
			was := runtime.GOMAXPROCS(1)
			alone := solve(Options{MaxOrder: order, beside: 1})
			runtime.GOMAXPROCS(was)
			tries += got.Stats.Attempts
			if !reflect.DeepEqual(got, alone) {
				t.Errorf("tree %d: side by side\n%+v\none after the other\n%+v", i, got, alone)
			}
			if want.Complete && got.Complete && want.Count.Cmp(got.Count) != 0 {
				t.Errorf("tree %d: counts %v, and %v in pairs", i, want.Count, got.Count)
			}
		}
	}
	if tries < 40 {
		t.Errorf("only %d tries", tries)
	}
}
