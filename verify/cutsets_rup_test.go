package verify

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestUnitsAgainstTryingAll holds that nothing is taken to follow that does not.
func TestUnitsAgainstTryingAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	drawn := 0
	for i := range 3000 {
		n := 2 + r.IntN(6)
		most := r.IntN(n + 1)
		u := newUnits(n, most)
		clause := func() []int {
			c := make([]int, r.IntN(4))
			for j := range c {
				if c[j] = 1 + r.IntN(n); r.IntN(2) == 0 {
					c[j] = -c[j]
				}
			}
			return c
		}
		var known [][]int
		implied := func(c []int) bool {
			for m := range 1 << n {
				holds := func(c []int) bool {
					return slices.ContainsFunc(c, func(l int) bool { return (m>>(max(l, -l)-1)&1 == 1) == (l > 0) })
				}
				ones := 0
				for j := range n {
					ones += m >> j & 1
				}
				if (most == 0 || ones <= most) && !slices.ContainsFunc(known, func(c []int) bool { return !holds(c) }) && !holds(c) {
					return false
				}
			}
			return true
		}
		for range 3 + r.IntN(8) {
			c := clause()
			if len(c) == 0 && r.IntN(10) > 0 {
				continue
			}
			known = append(known, c)
			u.add(slices.Clone(c))
		}
		if u.closed && !implied(nil) {
			t.Fatalf("case %d: %v, at most %d, is taken for a contradiction", i, known, most)
		}
		for range 10 {
			c := clause()
			if !u.follows(c) {
				continue
			}
			drawn++
			if !implied(c) {
				t.Fatalf("case %d: %v does not follow from %v, at most %d", i, c, known, most)
			}
		}
	}
	if drawn < 1000 {
		t.Errorf("only %d clauses were found to follow", drawn)
	}
}

// proved is a certificate of two pairs and a single: (a or b) and (a or c) and not more than two members.
func provedByHand() *Cutsets {
	return &Cutsets{
		Tree: &Tree{
			Leaves: []string{"a", "b", "c"},
			Gates: []Gate{
				{Name: "top", K: 2, In: []int{-2, -3}},
				{Name: "left", K: 1, In: []int{0, 1}},
				{Name: "right", K: 1, In: []int{0, 2}},
			},
		},
		Claim: CutsetsClaim{
			Of: "top", Count: "2", ByOrder: map[string]string{"1": "1", "2": "1"}, Complete: true, UpTo: 2,
			Sets: [][]string{{"a"}, {"b", "c"}},
		},
		Proof: &Completeness{Leaves: []string{"a", "b", "c"}, Paths: [][]int{{1, 2}, {1, 3}}, Clauses: [][]int{{}}},
	}
}

func TestCompletenessByHand(t *testing.T) {
	judge := func(spoil func(c *Cutsets)) *Report {
		r, c := &Report{}, provedByHand()
		spoil(c)
		checkCutsets(r, nil, c)
		return r
	}
	r := judge(func(*Cutsets) {})
	if len(r.Wrong) > 0 || !slices.ContainsFunc(r.Proved, func(s string) bool { return strings.HasPrefix(s, "no set is missing") }) {
		t.Fatalf("the whole: %+v", r)
	}
	r = judge(func(c *Cutsets) { c.Proof.UpTo = 1 })
	if len(r.Wrong) > 0 || !slices.Contains(r.Open, "the number of sets of more than 1 members") {
		t.Fatalf("up to order 1: %+v", r)
	}
	for _, test := range []struct {
		name, want string
		spoil      func(c *Cutsets)
	}{
		{"no end", "does not come to its end", func(c *Cutsets) { c.Proof.Clauses = nil; c.Proof.Paths = c.Proof.Paths[:1] }},
		{"a path that does not suffice", "fails although a survives", func(c *Cutsets) { c.Proof.Paths[0] = []int{1} }},
		{"a path that is missing", "step 1 of the proof does not follow", func(c *Cutsets) { c.Proof.Paths = c.Proof.Paths[:1] }},
		{"a step out of thin air", "step 1 of the proof does not follow", func(c *Cutsets) {
			c.Proof.Paths = c.Proof.Paths[:1]
			c.Proof.Clauses = [][]int{{-2}, {}}
		}},
		{"a set that is missing", "step 1 of the proof does not follow", func(c *Cutsets) {
			c.Claim.Sets, c.Claim.Count, c.Claim.ByOrder = c.Claim.Sets[:1], "1", map[string]string{"1": "1"}
		}},
		{"a set that is counted and not listed", "the proof shows that there are 1", func(c *Cutsets) {
			c.Claim.Count, c.Claim.ByOrder["2"], c.Claim.Ranked = "3", "2", true
		}},
		{"a number of nothing in a path", "no leaf of the number 4", func(c *Cutsets) { c.Proof.Paths[0] = []int{4} }},
		{"a number of nothing in a step", "no leaf of the number 0", func(c *Cutsets) { c.Proof.Clauses[0] = []int{0} }},
		{"a leaf of nothing", `"x" in the proof`, func(c *Cutsets) { c.Proof.Leaves[0] = "x" }},
		{"a leaf twice", `numbers "b" twice`, func(c *Cutsets) { c.Proof.Leaves[0] = "b" }},
		{"a bound below nothing", "at most -1 members", func(c *Cutsets) { c.Proof.UpTo = -1 }},
	} {
		if r := judge(test.spoil); len(r.Wrong) != 1 || !strings.Contains(r.Wrong[0], test.want) {
			t.Errorf("%s: %q; %q was expected", test.name, r.Wrong, test.want)
		}
	}
}
