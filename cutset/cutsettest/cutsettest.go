package cutsettest

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"

	"bongsu/cutset"
)

// Families returns the names of the families that [GenerateTree] knows.
func Families() []string {
	return []string{"random", "systems", "votes", "ladder", "layers", "network", "alternate", "plant", "quad", "pairs", "script", "voters", "ring", "linked"}
}

// GenerateTree makes a coherent tree of about the given number of gates. The
// same seed, family and size give the same tree.
//
//   - random: gates over leaves and any earlier gates
//   - systems: redundant trains that lean on shared support systems, as in plants
//   - votes: thresholds over shared channels
//   - ladder: long chains of pairs, (x or a) and (x or b), that are tapped in several places
//   - layers: each layer draws on its neighbours in the one below
//   - network: no path from a source to any sink in a grid of links
//   - alternate: deep alternation of and and or with some reuse
//   - plant: front-line systems on divisions of shared supports, under an event tree
//   - quad: functions of four channels with events common to several of them
//   - pairs: boards in which everything is doubled, tapped from several places
//   - voters: deep chains of two out of three, each stage fed by the few before it
//   - ring: consumers on rings, cut off where both ways round are, behind shared feeders
//   - linked: sequences of functions with common-cause groups, whose initiators also fail supports
//   - script: mostly a tree, with a tenth of events and gates common to several parents
func GenerateTree(seed uint64, family string, gates int) (cutset.Tree, error) {
	b := &builder{r: rand.New(rand.NewPCG(seed, uint64(len(family))<<32|uint64(gates)))} //nolint:gosec // sizes are small and positive
	b.t.Name = fmt.Sprintf("%s-%d-%d", family, gates, seed)
	switch family {
	case "random":
		b.random(gates)
	case "systems":
		b.systems(gates)
	case "votes":
		b.votes(gates)
	case "ladder":
		b.ladder(gates)
	case "layers":
		b.layers(gates)
	case "network":
		b.network(gates)
	case "alternate":
		b.alternate(gates)
	case "plant":
		b.plant(gates)
	case "quad":
		b.quad(gates)
	case "pairs":
		b.pairs(gates)
	case "script":
		b.script(gates)
	case "voters":
		b.voters(gates)
	case "ring":
		b.ring(gates)
	case "linked":
		b.linked(gates)
	default:
		return cutset.Tree{}, fmt.Errorf("unknown family %q; the families are %v", family, Families())
	}
	return b.t, nil
}

type builder struct {
	t cutset.Tree
	r *rand.Rand
}

func (b *builder) leaf() cutset.Ref {
	p := 0.0001 * float64(1+b.r.IntN(300))
	return b.t.AddLeaf(cutset.Leaf{Name: fmt.Sprintf("e%d", len(b.t.Leaves)+1), Cost: 1, Probability: &p})
}

func (b *builder) old() cutset.Ref { return cutset.LeafRef(b.r.IntN(len(b.t.Leaves))) }

func (b *builder) gate(op cutset.Op, k int, in ...cutset.Ref) cutset.Ref {
	slices.Sort(in)
	in = slices.Compact(in)
	if op == cutset.AtLeast && (k < 2 || k >= len(in)) {
		if k < 2 {
			op = cutset.Or
		} else {
			op = cutset.And
		}
		k = 0
	}
	return b.t.AddGate(cutset.Gate{Name: fmt.Sprintf("g%d", len(b.t.Gates)+1), Op: op, K: k, In: in})
}

// use returns a leaf, an old one in one of three cases.
func (b *builder) use() cutset.Ref {
	if len(b.t.Leaves) > 4 && b.r.IntN(3) == 0 {
		return b.old()
	}
	return b.leaf()
}

func (b *builder) random(gates int) {
	var free []cutset.Ref
	for len(b.t.Gates) < gates-1 {
		n := 2 + b.r.IntN(3)
		var in []cutset.Ref
		for range n {
			switch x := b.r.IntN(10); {
			case x < 4 && len(free) > 0:
				i := b.r.IntN(len(free))
				in = append(in, free[i])
				free = slices.Delete(free, i, i+1)
			case x < 5 && len(b.t.Gates) > 0:
				in = append(in, cutset.GateRef(max(0, len(b.t.Gates)-1-b.r.IntN(40))))
			case x < 7 && len(b.t.Leaves) > 0:
				in = append(in, cutset.LeafRef(max(0, len(b.t.Leaves)-1-b.r.IntN(40))))
			default:
				in = append(in, b.leaf())
			}
		}
		op := []cutset.Op{cutset.Or, cutset.Or, cutset.And, cutset.And, cutset.AtLeast}[b.r.IntN(5)]
		free = append(free, b.gate(op, 2, in...))
	}
	b.top(free)
}

func (b *builder) top(in []cutset.Ref) {
	for len(in) > 3 {
		var next []cutset.Ref
		for len(in) > 0 {
			n := min(len(in), 2+b.r.IntN(2))
			op := cutset.Or
			if b.r.IntN(3) == 0 {
				op = cutset.And
			}
			next = append(next, b.gate(op, 0, in[:n]...))
			in = in[n:]
		}
		in = next
	}
	b.t.Top = b.gate(cutset.Or, 0, in...)
}

func (b *builder) systems(gates int) {
	// Supports in tiers: power, then cooling on power, then control on both.
	support := func(n int, on []cutset.Ref) []cutset.Ref {
		var out []cutset.Ref
		for i := range n {
			in := []cutset.Ref{b.leaf(), b.leaf()}
			if len(on) > 0 {
				in = append(in, on[i%len(on)])
				if b.r.IntN(2) == 0 {
					in = append(in, b.gate(cutset.And, 0, on[b.r.IntN(len(on))], on[b.r.IntN(len(on))], b.leaf()))
				}
			}
			if b.r.IntN(2) == 0 {
				in = append(in, b.gate(cutset.And, 0, b.leaf(), b.leaf()))
			}
			out = append(out, b.gate(cutset.Or, 0, in...))
		}
		return out
	}
	var pool []cutset.Ref
	tier := max(2, gates/40)
	pool = append(pool, support(tier, nil)...)
	pool = append(pool, support(tier, pool)...)
	pool = append(pool, support(tier, pool)...)
	var systems []cutset.Ref
	for len(b.t.Gates) < gates-3 {
		var trains []cutset.Ref
		common := b.leaf()
		at := b.r.IntN(len(pool))
		for i := range 2 + b.r.IntN(3) {
			in := []cutset.Ref{b.leaf(), b.leaf(), pool[(at+i)%len(pool)]}
			if b.r.IntN(2) == 0 {
				in = append(in, pool[b.r.IntN(len(pool))])
			}
			if b.r.IntN(3) == 0 {
				in = append(in, b.gate(cutset.Or, 0, b.leaf(), b.leaf(), b.leaf()))
			}
			trains = append(trains, b.gate(cutset.Or, 0, in...))
		}
		systems = append(systems, b.gate(cutset.Or, 0, common, b.gate(cutset.AtLeast, 2+b.r.IntN(2), trains...)))
	}
	// Accident sequences: a few systems fail together.
	var sequences []cutset.Ref
	for i := range systems {
		var in []cutset.Ref
		for range 1 + b.r.IntN(3) {
			in = append(in, systems[b.r.IntN(len(systems))])
		}
		sequences = append(sequences, b.gate(cutset.And, 0, append(in, systems[i])...))
	}
	b.t.Top = b.gate(cutset.Or, 0, sequences...)
}

func (b *builder) votes(gates int) {
	var level []cutset.Ref
	for range max(4, gates/2) {
		level = append(level, b.leaf())
	}
	for len(level) > 3 {
		var next []cutset.Ref
		for i := 0; i < len(level); i += 2 {
			n := 3 + b.r.IntN(3)
			var in []cutset.Ref
			for j := range n {
				in = append(in, level[(i+j*(1+b.r.IntN(2)))%len(level)])
			}
			v := b.gate(cutset.AtLeast, 2+b.r.IntN(2), in...)
			if b.r.IntN(4) == 0 {
				v = b.gate(cutset.Or, 0, v, b.leaf())
			}
			next = append(next, v)
		}
		level = next
	}
	b.t.Top = b.gate(cutset.AtLeast, 2, level...)
}

func (b *builder) ladder(gates int) {
	rails := []cutset.Ref{}
	for range 4 {
		rails = append(rails, b.gate(cutset.And, 0, b.leaf(), b.leaf()))
	}
	for len(b.t.Gates) < gates-8 {
		i := b.r.IntN(len(rails))
		x := rails[i]
		switch b.r.IntN(5) {
		case 0: // tap another rail
			x = b.gate(cutset.And, 0, x, rails[b.r.IntN(len(rails))])
			x = b.gate(cutset.Or, 0, x, b.leaf())
		case 1:
			x = b.gate(cutset.Or, 0, x, b.gate(cutset.And, 0, rails[b.r.IntN(len(rails))], b.leaf()))
		default:
			x = b.gate(cutset.Or, 0, x, b.leaf())
		}
		pair := func() cutset.Ref { return b.gate(cutset.Or, 0, x, b.leaf()) }
		rails[i] = b.gate(cutset.And, 0, pair(), pair())
		if b.r.IntN(12) == 0 && len(rails) < 10 {
			rails = append(rails, b.gate(cutset.Or, 0, b.leaf(), rails[b.r.IntN(len(rails))]))
		}
	}
	b.t.Top = b.gate(cutset.AtLeast, 2, rails...)
}

func (b *builder) layers(gates int) {
	width := max(3, min(24, gates/6))
	var below []cutset.Ref
	for range width {
		below = append(below, b.leaf())
	}
	for len(b.t.Gates) < gates-1 {
		var layer []cutset.Ref
		for i := range width {
			in := []cutset.Ref{below[i], below[(i+1)%width]}
			if b.r.IntN(3) == 0 {
				in = append(in, below[(i+2)%width])
			}
			if b.r.IntN(2) == 0 {
				in = append(in, b.leaf())
			}
			op := cutset.Or
			if b.r.IntN(2) == 0 {
				op = cutset.And
			}
			layer = append(layer, b.gate(op, 0, in...))
		}
		below = layer
	}
	b.t.Top = b.gate(cutset.And, 0, b.gate(cutset.Or, 0, below[:width/2]...), b.gate(cutset.Or, 0, below[width/2:]...))
}

func (b *builder) network(gates int) {
	// reach[r][c] fails if every link into it fails or starts at a node that fails.
	rows := max(2, min(8, gates/12))
	cols := max(2, gates/(3*rows))
	column := make([]cutset.Ref, rows)
	for r := range column {
		column[r] = b.leaf()
	}
	for range cols {
		next := make([]cutset.Ref, rows)
		for r := range next {
			link := b.gate(cutset.Or, 0, column[r], b.leaf())
			cross := b.gate(cutset.Or, 0, column[(r+1)%rows], b.leaf())
			next[r] = b.gate(cutset.And, 0, link, cross)
		}
		column = next
	}
	b.t.Top = b.gate(cutset.And, 0, column...)
}

func (b *builder) alternate(gates int) {
	var made []cutset.Ref
	var grow func(depth int, op cutset.Op) cutset.Ref
	grow = func(depth int, op cutset.Op) cutset.Ref {
		if depth == 0 || len(b.t.Gates)+len(made) > 2*gates {
			return b.use()
		}
		if len(made) > 10 && b.r.IntN(6) == 0 {
			return made[len(made)-1-b.r.IntN(10)]
		}
		var in []cutset.Ref
		for range 2 + b.r.IntN(2) {
			in = append(in, grow(depth-1-b.r.IntN(2)*boolInt(depth > 1), cutset.Or+cutset.And-op))
		}
		g := b.gate(op, 0, append(in, b.use())...)
		made = append(made, g)
		return g
	}
	var in []cutset.Ref
	for len(b.t.Gates) < gates-1 {
		in = append(in, grow(bits.Len(uint(gates)), cutset.And))
	}
	b.t.Top = b.gate(cutset.Or, 0, in...)
}

func boolInt(x bool) int {
	if x {
		return 1
	}
	return 0
}

// Fails evaluates a tree by rounds over all gates from "nothing fails" until
// nothing changes: the meaning of the tree, spelled out.
func Fails(t *cutset.Tree, failed func(leaf int) bool) bool {
	gate := make([]bool, len(t.Gates))
	value := func(r cutset.Ref) bool {
		if i, ok := r.Leaf(); ok {
			return failed(i)
		}
		if i, ok := r.Gate(); ok {
			return gate[i]
		}
		return r == cutset.True
	}
	for changed := true; changed; {
		changed = false
		for i, g := range t.Gates {
			if gate[i] {
				continue
			}
			sum, all := 0, true
			for j, r := range g.In {
				w := 1
				if g.Weights != nil {
					w = g.Weights[j]
				}
				if value(r) {
					sum += w
				} else {
					all = false
				}
			}
			switch g.Op {
			case cutset.Or:
				gate[i] = sum > 0
			case cutset.And:
				gate[i] = all
			case cutset.AtLeast:
				gate[i] = sum >= g.K
			}
			changed = changed || gate[i]
		}
	}
	return value(t.Top)
}

// Minimal returns all minimal cut sets by trying every set of leaves, small
// sets first, then by leaf numbers. It is for trees of up to 20 leaves.
func Minimal(t *cutset.Tree) [][]int {
	n := len(t.Leaves)
	fails := make([]bool, 1<<n)
	for m := range fails {
		fails[m] = Fails(t, func(i int) bool { return m>>i&1 == 1 })
	}
	sets := [][]int{}
	for m := range fails {
		if !fails[m] {
			continue
		}
		set, minimal := []int{}, true
		for i := range n {
			if m>>i&1 == 1 {
				set = append(set, i)
				minimal = minimal && !fails[m&^(1<<i)]
			}
		}
		if minimal {
			sets = append(sets, set)
		}
	}
	slices.SortFunc(sets, func(a, b []int) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.Compare(a, b)
	})
	return sets
}

// Check returns what is wrong with sets as minimal cut sets of a tree: one that
// does not fail the top, one that would without a member, or one listed twice.
func Check(t *cutset.Tree, sets [][]int) error {
	seen := map[string]bool{}
	for _, set := range sets {
		in := map[int]bool{}
		for _, l := range set {
			in[l] = true
		}
		key := fmt.Sprint(set)
		if len(in) != len(set) || !slices.IsSorted(set) || seen[key] {
			return fmt.Errorf("set %v is out of order or listed twice", set)
		}
		seen[key] = true
		if !Fails(t, func(i int) bool { return in[i] }) {
			return fmt.Errorf("set %v does not fail the top", set)
		}
		for _, without := range set {
			if Fails(t, func(i int) bool { return in[i] && i != without }) {
				return fmt.Errorf("set %v fails the top without %d too", set, without)
			}
		}
	}
	return nil
}
