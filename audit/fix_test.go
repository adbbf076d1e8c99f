package audit_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/crillab/gophersat/solver"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/impact"
)

// granted is the estate with some components and crews up whatever happens: a
// component without replicas and needs is a grouping that always holds.
func granted(s *estate.Snapshot, names []string) *estate.Snapshot {
	c := *s
	c.Components, c.Crews = slices.Clone(s.Components), slices.Clone(s.Crews)
	for _, name := range names {
		if r, ok := s.Lookup(estate.KindComponent, name); ok {
			c.Components[r.Index].Replicas, c.Components[r.Index].Needs = nil, estate.Need{}
		}
		if r, ok := s.Lookup(estate.KindCrew, name); ok {
			c.Crews[r.Index].Needs = estate.Need{}
		}
	}
	return &c
}

// stuck counts the services of a tier (0: any) that cannot come back from the loss of a.
func stuck(t *testing.T, s *estate.Snapshot, tier int) int {
	t.Helper()
	im, err := impact.Of(s, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, r := range im.Services {
		if r.State == impact.Unrecoverable && (tier == 0 || s.Services[i].Tier == tier) {
			n++
		}
	}
	return n
}

func TestFixIsCheapest(t *testing.T) { t.Parallel(); fixIsCheapest(t, 40) }

func fixIsCheapest(t *testing.T, seeds int) {
	t.Helper()
	fixed, gaps := 0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 7))
		text := randomEstate(r, 7)
		s := parse(t, text)
		tier := r.IntN(3)
		fix, err := audit.Fix(s, []string{"a"}, tier)
		if err != nil {
			t.Fatal(err)
		}
		// Brute force: every set of components and crews.
		var names []string
		costs := map[string]float64{}
		for i := range s.Components {
			names = append(names, s.Components[i].Name)
			costs[s.Components[i].Name] = s.Components[i].Cost
		}
		names = append(names, "ops")
		costs["ops"] = 1
		best := math.Inf(1)
		allowed := len(fix.Impossible)
		for set := range 1 << len(names) {
			var chosen []string
			cost := 0.0
			for i, n := range names {
				if set>>i&1 == 1 {
					chosen = append(chosen, n)
					cost += costs[n]
				}
			}
			if cost < best && stuck(t, granted(s, chosen), tier) <= allowed {
				best = cost
			}
		}
		if fix.Cost != best || !fix.Optimal {
			t.Fatalf("seed %d: measures %v cost %v, brute force finds %v\n%s", seed, fix.Measures, fix.Cost, best, text)
		}
		var chosen []string
		for _, m := range fix.Measures {
			chosen = append(chosen, m.Subject)
		}
		if n := stuck(t, granted(s, chosen), tier); n != allowed {
			t.Fatalf("seed %d: with %v there are %d services left down", seed, chosen, n)
		}
		if n := stuck(t, told(t, s, "b", fix.Measures), tier); n != allowed {
			t.Fatalf("seed %d: with %+v carried out, %d services are left down, %d must be\n%s", seed, fix.Measures, n, allowed, text)
		}
		if len(chosen) > 0 {
			fixed++
		}
		if fix.Certificate.LowerBound < fix.Cost {
			gaps++
		}
		checkCertificate(t, s, fix, tier, names, costs)
	}
	t.Logf("%d estates needed measures; in %d the disjoint sets alone did not prove the cost", fixed, gaps)
	if fixed < seeds/5 {
		t.Errorf("only %d estates needed measures: they say too little", fixed)
	}
}

// checkCertificate verifies, apart from the solver, that every blocked set is
// needed, that the disjoint ones are, and that their sum is the bound.
func checkCertificate(t *testing.T, s *estate.Snapshot, fix *audit.BreakGlass, tier int, names []string, costs map[string]float64) {
	t.Helper()
	for _, set := range fix.Certificate.Blocked {
		others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(set, n) })
		if stuck(t, granted(s, others), tier) <= len(fix.Impossible) {
			t.Fatalf("all but %v is enough: the set is not needed", set)
		}
	}
	seen := map[string]bool{}
	bound := 0.0
	for _, set := range fix.Certificate.Disjoint {
		least := math.Inf(1)
		for _, n := range set {
			if seen[n] {
				t.Fatalf("%s is in two disjoint sets", n)
			}
			seen[n] = true
			least = min(least, costs[n])
		}
		bound += least
		if !slices.ContainsFunc(fix.Certificate.Blocked, func(b []string) bool { return slices.Equal(b, set) }) {
			t.Fatalf("%v is disjoint but not blocked", set)
		}
	}
	if bound != fix.Certificate.LowerBound || bound > fix.Cost {
		t.Fatalf("the disjoint sets add up to %v, the certificate says %v, the cost is %v", bound, fix.Certificate.LowerBound, fix.Cost)
	}
	if got := satisfy(fix.Certificate.Blocked, costs); float64(got) != fix.Cost {
		t.Fatalf("a SAT solver meets the blocked sets for %d, ours for %v", got, fix.Cost)
	}
}

// satisfy is a second opinion: gophersat minimises the cost of meeting all sets.
func satisfy(sets [][]string, costs map[string]float64) int {
	if len(sets) == 0 {
		return 0
	}
	vars := map[string]int{}
	var (
		clauses [][]int
		lits    []solver.Lit
		weights []int
	)
	for _, set := range sets {
		var clause []int
		for _, n := range set {
			if vars[n] == 0 {
				vars[n] = len(vars) + 1
				lits = append(lits, solver.IntToLit(int32(vars[n])))
				weights = append(weights, int(costs[n]))
			}
			clause = append(clause, vars[n])
		}
		clauses = append(clauses, clause)
	}
	p := solver.ParseSlice(clauses)
	p.SetCostFunc(lits, weights)
	return solver.New(p).Minimize()
}
