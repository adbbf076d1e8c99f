package audit_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
)

// healthy is a random estate without any cycle: a component needs only those
// with a lower number.
func healthy(r *rand.Rand) string {
	var b strings.Builder
	for _, d := range []string{"a", "b", "c"} {
		fmt.Fprintf(&b, "{kind: Domain, name: %s, type: site}\n---\n", d)
	}
	for i := range 15 {
		need := func() string {
			if i == 0 || r.IntN(3) == 0 {
				return ""
			}
			return fmt.Sprintf("h%02d", r.IntN(i))
		}
		fmt.Fprintf(&b, "{kind: Component, name: h%02d, replicas: [{in: %c}], needs: [%s], startNeeds: [%s], wants: [h%02d], actions: [{name: start, does: start, at: %c, takes: 1m, needs: [%s]}]}\n---\n",
			i, 'a'+rune(r.IntN(3)), need(), need(), r.IntN(i+1), 'a'+rune(r.IntN(3)), need())
	}
	return b.String()
}

// planted adds a cycle of n components that stand in a only: each waits for the
// next through its action, its start, a crew, or a component that it runs on.
func planted(r *rand.Rand, n int) (text string, cycle []string) {
	var b strings.Builder
	for i := range n {
		name, next := fmt.Sprintf("k%02d", i), fmt.Sprintf("k%02d", (i+1)%n)
		cycle = append(cycle, name)
		action, start := "", ""
		switch r.IntN(3) {
		case 0:
			action = ", needs: [" + next + "]"
		case 1:
			start = "startNeeds: [" + next + "], "
		default:
			crew := fmt.Sprintf("k%02d-crew", i)
			action = ", crew: {" + crew + ": 1}"
			cycle = append(cycle, crew)
			fmt.Fprintf(&b, "{kind: Crew, name: %s, people: 2, needs: [%s]}\n---\n", crew, next)
		}
		fmt.Fprintf(&b, "{kind: Component, name: %s, replicas: [{in: a}], %sactions: [{name: start, does: start, at: [b, c], takes: 1m%s}]}\n---\n", name, start, action)
	}
	return b.String(), cycle
}

func TestPlantedDeadlocksAreFound(t *testing.T) { t.Parallel(); plantedDeadlocks(t, 2) }

func plantedDeadlocks(t *testing.T, seeds int) {
	t.Helper()
	for n := 1; n <= 12; n++ {
		for seed := range uint64(seeds) {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			text := healthy(r)
			check := func(text string) []audit.Finding {
				rep, err := audit.Check(parse(t, strings.TrimSuffix(text, "---\n")), audit.Options{Rules: []string{"deadlock"}})
				if err != nil {
					t.Fatal(err)
				}
				var found []audit.Finding
				for _, f := range rep.Findings {
					if f.Severity == audit.Error {
						found = append(found, f)
					}
				}
				return found
			}
			if found := check(text); len(found) > 0 {
				t.Fatalf("invented: %v\n%s", found, text)
			}
			cycle, names := planted(r, n)
			found := check(text + cycle)
			if len(found) != 1 || found[0].ID != "deadlock/a/"+strings.Join(names, ">") {
				t.Fatalf("a cycle of %d was planted (%v), found: %+v\n%s", n, names, found, cycle)
			}
			if diff := cmp.Diff(names, found[0].Proof.Cycle); diff != "" || len(found[0].Proof.Words) != len(names) {
				t.Fatalf("the cycle (-want +got):\n%s%v", diff, found[0].Proof.Words)
			}
		}
	}
}
