package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bongsu/cutset"
	"bongsu/cutset/cutsettest"
	"bongsu/verify"
)

// TestCompletenessIsVerified has the checker replay what the engine proves of
// generated trees, in full and up to an order, and refuse it once a set is gone that it covers.
func TestCompletenessIsVerified(t *testing.T) {
	for _, family := range cutsettest.Families() {
		for _, order := range []int{0, 2} {
			gates := 24
			switch {
			case order > 0:
				gates = 60
			case family == "linked":
				continue // millions of sets, whatever its size
			}
			tree, err := cutsettest.GenerateTree(3, family, gates)
			if err != nil {
				t.Fatal(err)
			}
			res, err := cutset.Solve(tree, cutset.Options{MaxOrder: order, List: true})
			if err != nil {
				t.Fatal(err)
			}
			proof, err := completeness(&tree, res)
			if err != nil || proof == nil {
				t.Fatalf("%s: %v, %v", tree.Name, proof, err)
			}
			run := cutsetsRun{order: order}
			c := &verify.Cutsets{Claim: verify.CutsetsClaim(run.answer(&tree, res)), Tree: plainTree(&tree), Proof: proof}
			c.Claim.Of = c.Tree.Gates[0].Name
			whole := "no set is missing: "
			if proof.UpTo > 0 && order == 0 { // too hard to prove in full
				whole = fmt.Sprintf("no set of up to %d members is missing: ", proof.UpTo)
			}
			r := replay(t, c)
			if len(r.Wrong) > 0 || strings.HasPrefix(whole, "no set is") && !r.Valid || !slices.ContainsFunc(r.Proved, func(s string) bool { return strings.HasPrefix(s, whole) }) {
				t.Errorf("%s, order %d: %d sets: %q, wrong: %q", tree.Name, order, len(res.Sets), r.Proved, r.Wrong)
			}
			if len(res.Sets) == 0 {
				continue
			}
			lost := len(c.Claim.Sets[0])
			c.Claim.Sets = c.Claim.Sets[1:]
			byOrder := map[string]int{}
			for _, set := range c.Claim.Sets {
				byOrder[strconv.Itoa(len(set))]++
			}
			c.Claim.ByOrder = map[string]string{}
			for k, n := range byOrder {
				c.Claim.ByOrder[k] = strconv.Itoa(n)
			}
			c.Claim.Count = strconv.Itoa(len(c.Claim.Sets))
			if r := replay(t, c); r.Valid {
				t.Errorf("%s, order %d: valid without a set of %d members", tree.Name, order, lost)
			}
		}
	}
}

func replay(t *testing.T, c *verify.Cutsets) *verify.Report {
	t.Helper()
	data, err := json.Marshal(&verify.Certificate{Version: verify.Version, Kind: verify.KindCutsets, Cutsets: c})
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.Check(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
