package cutset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFamiliesWithinABound holds families that leave out on the way what is too heavy for the root against all
// families, bounded afterwards: on small trees in which nearly everything is shared, votes with and without weights among them, for every bound.
func TestFamiliesWithinABound(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	rooms := 0 // that say more than the bound
	for i := range 300 {
		tree := Tree{}
		for l := range 6 + r.IntN(6) {
			tree.AddLeaf(Leaf{Name: fmt.Sprint(l)})
		}
		for g := range 4 + r.IntN(16) {
			gate := Gate{Name: fmt.Sprint(g), Op: Op(r.IntN(3))}
			for range 2 + r.IntN(4) {
				if g > 0 && r.IntN(2) > 0 {
					gate.In = append(gate.In, GateRef(max(0, g-1-r.IntN(6))))
				} else {
					gate.In = append(gate.In, LeafRef(r.IntN(len(tree.Leaves))))
				}
			}
			gate.K = 1 + r.IntN(len(gate.In))
			tree.Top = tree.AddGate(gate)
		}
		o := Options{}
		if err := o.check(&tree); err != nil {
			t.Fatal(err)
		}
		s := solver{t: &tree, o: o}
		s.simplify()
		top := s.g.find(s.g.top)
		if !s.g.isGate(top) {
			continue
		}
		p := s.g.extract(top, make([]bool, len(s.g.kind)), nil, newForest())
		for v := range p.weight { // as if modules stood for them
			p.weight[v] = 1 + r.Int32N(3)
		}
		sum := int32(0)
		for _, w := range p.weight {
			sum += w
		}
		order := p.orders()[0].make()
		solve := func(k int32) (*diagram, node) {
			a := &attempt{p: p, level: order, how: byFamily, bound: k, room: 1 << 20, effort: 1 << 30}
			if k < unbounded {
				a.ahead = newOutlook(p, p.weight, k)
				for _, room := range a.ahead.room {
					rooms += boolInt(room < k)
				}
			}
			a.run(p, newDiagram(), 1<<20, 1<<30)
			if !a.passed || len(a.roots) != 1 {
				t.Fatalf("tree %d, bound %d: not solved", i, k)
			}
			return a.d, a.roots[0]
		}
		for k := int32(1); k <= sum; k++ {
			d, all := solve(unbounded)
			want := setsOf(d, d.trim(all, k))
			d, root := solve(k)
			if got := setsOf(d, d.trim(root, k)); !slices.Equal(got, want) {
				t.Fatalf("tree %d, sets of a weight of at most %d: %b, want %b", i, k, got, want)
			}
		}
	}
	if rooms < 1000 {
		t.Errorf("only %d rooms are smaller than the bound", rooms)
	}
}
