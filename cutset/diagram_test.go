package cutset

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestUnionsAgree holds the three ways to the minimal sets of a union against each other and
// against comparing every set with every other: minimal at each step, minimal once at the end, and by functions.
func TestUnionsAgree(t *testing.T) {
	const vars = 9
	r := rand.New(rand.NewPCG(21, 22))
	d := newDiagram()
	for i := range 2000 {
		weight := make([]int32, vars)
		for v := range weight {
			weight[v] = 1
		}
		d.reset(weight, 1<<20, 1<<30)
		var masks []uint
		joined, united, function := zero, zero, zero
		for range r.IntN(12) {
			some, others := r.UintN(1<<vars), r.UintN(1<<vars)
			m := some & others
			masks = append(masks, m)
			set, product := one, one
			for v := int32(vars - 1); v >= 0; v-- {
				if m>>v&1 == 1 {
					set, product = d.zeroSuppressed(v, zero, set), d.binary(v, zero, product)
				}
			}
			joined, united, function = d.join(joined, set), d.unite(united, set), d.or(function, product)
		}
		want := []uint{}
		for _, m := range masks {
			if !slices.ContainsFunc(masks, func(o uint) bool { return o != m && o&^m == 0 }) {
				want = append(want, m)
			}
		}
		slices.Sort(want)
		want = slices.Compact(want)
		for name, f := range map[string]node{"join": joined, "unite and thin": d.thin(united), "or and minimal": d.minimal(function, unbounded)} {
			if got := setsOf(d, f); !slices.Equal(got, want) {
				t.Fatalf("%d, %s of %b: %b; the minimal ones are %b", i, name, masks, got, want)
			}
		}
	}
}

// setsOf lists a family as masks of levels.
func setsOf(d *diagram, f node) []uint {
	out := []uint{}
	var walk func(f node, m uint)
	walk = func(f node, m uint) {
		switch f {
		case zero:
		case one:
			out = append(out, m)
		default:
			walk(d.nodes[f].lo, m)
			walk(d.nodes[f].hi, m|1<<d.nodes[f].level)
		}
	}
	walk(f, 0)
	slices.Sort(out)
	return out
}
