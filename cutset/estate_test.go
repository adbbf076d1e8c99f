package cutset_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/cutset"
	"bongsu/estate"
	"bongsu/impact"
)

func parseEstate(t testing.TB, text string) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// estateSets solves and returns the sets by name, each in the order of the leaves.
func estateSets(t *testing.T, s *estate.Snapshot, service string, leaves cutset.Leaves) [][]string {
	t.Helper()
	ref, ok := s.Lookup(estate.KindService, service)
	if !ok {
		t.Fatalf("no service %s", service)
	}
	tree := cutset.FromEstate(s, ref.Index, leaves)
	r, err := cutset.Solve(tree, cutset.Options{List: true})
	if err != nil || !r.Complete {
		t.Fatalf("solve: complete %v, error %v", r != nil && r.Complete, err)
	}
	return namesOf(&tree, r.Sets)
}

func namesOf(tree *cutset.Tree, sets [][]int) [][]string {
	out := [][]string{}
	for _, set := range sets {
		names := []string{}
		for _, l := range set {
			names = append(names, tree.Leaves[l].Name)
		}
		slices.Sort(names)
		out = append(out, names)
	}
	slices.SortFunc(out, slices.Compare)
	return out
}

func TestFromEstate(t *testing.T) {
	const domains = "kind: Domain\nname: a\n---\nkind: Domain\nname: b\n---\nkind: Domain\nname: c\n---\nkind: Domain\nname: rack\nneeds: [a, {anyOf: [b, c]}]\n---\n"
	tests := []struct {
		name, text string
		leaves     cutset.Leaves
		want       [][]string
	}{
		{"any of two", "kind: Component\nname: x\nreplicas: [{in: a}, {in: b}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a", "b"}}},
		{"at least, with counts", "kind: Component\nname: x\natLeast: 3\nreplicas: [{in: a, count: 3}, {in: b}, {in: c}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a"}}},
		{"at least, counts that add up", "kind: Component\nname: x\natLeast: 3\nreplicas: [{in: a, count: 2}, {in: b, count: 2}, {in: c}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a", "b"}, {"a", "c"}, {"b", "c"}}},
		{"quorum of four loses two", "kind: Component\nname: x\nmode: quorum\nreplicas: [{in: a, count: 2}, {in: b}, {in: c}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a"}, {"b", "c"}}},
		{"quorum of five loses three", "kind: Component\nname: x\nmode: quorum\nreplicas: [{in: a, count: 2}, {in: b, count: 2}, {in: c}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a", "b"}, {"a", "c"}, {"b", "c"}}},
		{"primary by hand", "kind: Component\nname: x\nmode: primary\nreplicas: [{in: a, role: primary}, {in: b, role: standby}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a"}}},
		{"primary by itself", "kind: Component\nname: x\nmode: primary\nauto: true\nreplicas: [{in: a, role: primary}, {in: b, role: standby}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a", "b"}}},
		{"a domain in domains", "kind: Component\nname: x\nreplicas: [{in: rack}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a"}, {"b", "c"}, {"rack"}}},
		{"two that need each other", "kind: Component\nname: x\nreplicas: [{in: a}]\nneeds: [y]\n---\nkind: Component\nname: y\nreplicas: [{in: b}]\nneeds: [x]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{"a"}, {"b"}}},
		{"a crew and a service", "kind: Crew\nname: w\nneeds: [{anyOf: [a, b]}]\n---\nkind: Service\nname: base\nneeds: [w]\n---\nkind: Service\nname: s\nneeds: [base]\n", cutset.Domains, [][]string{{"a", "b"}}},
		{"wants and parts play no part", "kind: Service\nname: s\nneeds: [a]\nwants: [b]\nparts: [{name: p, share: 0.5, needs: [c]}]\n", cutset.Domains, [][]string{{"a"}}},
		{"nothing takes it down", "kind: Service\nname: s\n", cutset.Domains, [][]string{}},
		{"down as it stands", "kind: Component\nname: x\natLeast: 2\nreplicas: [{in: a}]\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Domains, [][]string{{}}},
		{"components too", "kind: Component\nname: x\nreplicas: [{in: a}]\nneeds: [y]\n---\nkind: Component\nname: y\n---\nkind: Service\nname: s\nneeds: [x]\n", cutset.Components, [][]string{{"a"}, {"x"}, {"y"}}},
		{"one name in two kinds", "kind: Component\nname: a\nreplicas: [{in: domain/a}]\n---\nkind: Service\nname: s\nneeds: [component/a]\n", cutset.Components, [][]string{{"component/a"}, {"domain/a"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, estateSets(t, parseEstate(t, domains+tt.text), "s", tt.leaves)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFromEstateEqualsImpact holds every set of domains, and every set of
// domains and components, of small random estates against impact.Of: exactly the minimal
// ones that take a service down are found.
func TestFromEstateEqualsImpact(t *testing.T) { fromEstateEqualsImpact(t, 120) }

func fromEstateEqualsImpact(t *testing.T, estates uint64) {
	t.Helper()
	var cyclic uint64
	for seed := range estates {
		text, shadow, leaves := randomEstate(rand.New(rand.NewPCG(seed, 7)))
		s, whole := parseEstate(t, text), parseEstate(t, shadow)
		domains := slices.DeleteFunc(slices.Clone(leaves), func(n string) bool { return n[0] == 'c' })
		for mode, names := range map[cutset.Leaves][]string{cutset.Domains: domains, cutset.Components: leaves} {
			down := losses(t, whole, names)
			for i := range s.Services {
				tree := cutset.FromEstate(s, i, mode)
				if tree.Cyclic {
					cyclic++
				}
				want := minimal(names, down[s.Services[i].Name])
				if diff := cmp.Diff(want, estateSets(t, s, s.Services[i].Name, mode)); diff != "" {
					t.Fatalf("seed %d, %s, leaves %d: %s\n%s", seed, s.Services[i].Name, mode, diff, text)
				}
				flat, err := tree.Unroll()
				if err != nil || flat.Cyclic {
					t.Fatalf("seed %d: unroll: %v", seed, err)
				}
				r, err := cutset.Solve(flat, cutset.Options{List: true})
				if err != nil {
					t.Fatalf("seed %d: solve without cycles: %v", seed, err)
				}
				if diff := cmp.Diff(want, namesOf(&flat, r.Sets)); diff != "" {
					t.Fatalf("seed %d, %s, without cycles: %s\n%s", seed, s.Services[i].Name, diff, text)
				}
			}
		}
	}
	if cyclic < estates/4 {
		t.Errorf("only %d trees had cycles", cyclic)
	}
}

// losses returns for each service the sets of names, as bits, whose loss takes it down at once.
func losses(t *testing.T, s *estate.Snapshot, names []string) map[string][]uint {
	t.Helper()
	e := impact.NewEngine(s)
	down := map[string][]uint{}
	for set := range uint(1) << len(names) {
		var lost []string
		for i, n := range names {
			if set>>i&1 == 1 {
				lost = append(lost, strings.Replace(n, "c", "x", 1)) // its shadow
			}
		}
		im, err := e.Of(lost)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range im.Services {
			if r.State != impact.Up && r.State != impact.Degraded {
				down[r.Ref.Name] = append(down[r.Ref.Name], set)
			}
		}
	}
	return down
}

func minimal(names []string, down []uint) [][]string {
	out := [][]string{}
	var kept []uint
	slices.SortFunc(down, func(a, b uint) int { return bits.OnesCount(a) - bits.OnesCount(b) })
	for _, set := range down {
		if slices.ContainsFunc(kept, func(k uint) bool { return k&set == k }) {
			continue
		}
		kept = append(kept, set)
		members := []string{}
		for i, n := range names {
			if set>>i&1 == 1 {
				members = append(members, n)
			}
		}
		slices.Sort(members)
		out = append(out, members)
	}
	slices.SortFunc(out, slices.Compare)
	return out
}

// randomEstate writes a small random estate, and the same with a domain x0, x1, …
// besides each component c0, c1, … that it needs: losing that is losing the component.
func randomEstate(rng *rand.Rand) (text, shadow string, leaves []string) {
	var b strings.Builder
	nd, nc := 2+rng.IntN(4), 1+rng.IntN(4)
	var domains, all []string
	for i := range nd {
		fmt.Fprintf(&b, "kind: Domain\nname: d%d\n", i)
		if i > 0 && rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "needs: %s\n", anyNeed(rng, domains, 1))
		}
		b.WriteString("---\n")
		domains = append(domains, fmt.Sprintf("d%d", i))
	}
	leaves = slices.Clone(domains)
	for i := range nc {
		leaves = append(leaves, fmt.Sprintf("c%d", i))
		all = append(all, fmt.Sprintf("c%d", i), fmt.Sprintf("c%d", i))
	}
	all = append(append(all, "w0", "s0", "s1"), domains...)
	fmt.Fprintf(&b, "kind: Crew\nname: w0\nneeds: %s\n---\n", anyNeed(rng, all, 1))
	for i := range 2 {
		fmt.Fprintf(&b, "kind: Service\nname: s%d\nneeds: %s\n---\n", i, anyNeed(rng, all, 2))
	}
	plain, other := b.String(), b.String()
	for i := range nc {
		b.Reset()
		total := 0
		mode := []string{"any", "any", "quorum", "primary"}[rng.IntN(4)]
		fmt.Fprintf(&b, "kind: Component\nname: c%d\nmode: %s\n", i, mode)
		if n := rng.IntN(4); n > 0 {
			b.WriteString("replicas:\n")
			for j := range n {
				d := domains[rng.IntN(nd)]
				switch {
				case mode != "primary":
					count := rng.IntN(4)
					total += count
					fmt.Fprintf(&b, "  - {in: %s, count: %d}\n", d, count)
				case j == 0:
					fmt.Fprintf(&b, "  - {in: %s, role: primary}\n", d)
				default:
					fmt.Fprintf(&b, "  - {in: %s, role: standby, count: %d}\n", d, rng.IntN(5)/2)
				}
			}
		}
		if mode == "primary" && rng.IntN(2) == 0 {
			b.WriteString("auto: true\n")
		}
		if mode == "any" && total > 0 {
			fmt.Fprintf(&b, "atLeast: %d\n", 1+rng.IntN(total)+rng.IntN(20)/19)
		}
		if rng.IntN(3) == 0 { // actions bring nothing back at once
			fmt.Fprintf(&b, "actions: [{name: go, does: start, takes: 1m}]\n")
		}
		plain += b.String()
		other += b.String() + fmt.Sprintf("needs: [x%d", i)
		if rng.IntN(3) > 0 {
			need := anyNeed(rng, all, 2)
			plain += "needs: " + need + "\n"
			other += ", " + need
		}
		plain += "---\n"
		other += fmt.Sprintf("]\n---\nkind: Domain\nname: x%d\n---\n", i)
	}
	return plain, other, leaves
}

func anyNeed(rng *rand.Rand, names []string, depth int) string {
	of := make([]string, 1+rng.IntN(3))
	for i := range of {
		of[i] = names[rng.IntN(len(names))]
		if depth > 0 && rng.IntN(4) == 0 {
			of[i] = anyNeed(rng, names, depth-1)
		}
	}
	list := "[" + strings.Join(of, ", ") + "]"
	switch rng.IntN(4) {
	case 0:
		return "{anyOf: " + list + "}"
	case 1:
		return fmt.Sprintf("{atLeast: %d, of: %s}", 1+rng.IntN(len(of)), list)
	}
	return list
}
