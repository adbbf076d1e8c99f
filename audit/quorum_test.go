package audit_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/impact"
)

// nested is a random graph of six domains, each needing earlier ones in some way.
func nested(r *rand.Rand) string {
	var b strings.Builder
	for i := range 6 {
		fmt.Fprintf(&b, "{kind: Domain, name: d%d", i)
		switch r.IntN(4) {
		case 0:
			b.WriteString(", type: site")
		case 1:
			b.WriteString(", type: hall")
		}
		d := func() string { return fmt.Sprintf("d%d", r.IntN(i)) }
		if i > 0 {
			switch r.IntN(5) {
			case 0:
			case 1:
				fmt.Fprintf(&b, ", needs: [%s]", d())
			case 2:
				fmt.Fprintf(&b, ", needs: [{anyOf: [%s, %s]}]", d(), d())
			case 3:
				fmt.Fprintf(&b, ", needs: [%s, {anyOf: [%s, %s]}]", d(), d(), d())
			default:
				fmt.Fprintf(&b, ", needs: [{atLeast: 2, of: [%s, %s, %s]}]", d(), d(), d())
			}
		}
		b.WriteString("}\n---\n")
	}
	return b.String()
}

func group(votes []int, extra int) string {
	var in []string
	for d, n := range votes {
		if d == extra {
			n++
		}
		if n > 0 {
			in = append(in, fmt.Sprintf("{in: d%d, count: %d}", d, n))
		}
	}
	return "{kind: Component, name: q, mode: quorum, replicas: [" + strings.Join(in, ", ") + "]}"
}

// holds asks the impact engine, which knows nothing of cuts.
func holds(t *testing.T, e *impact.Engine, lost ...string) bool {
	t.Helper()
	im, err := e.Of(lost)
	if err != nil {
		t.Fatal(err)
	}
	return im.Components[0].Holds
}

func TestQuorumPlanIsBruteForce(t *testing.T) { t.Parallel(); quorumPlanIsBruteForce(t, 16) }

func quorumPlanIsBruteForce(t *testing.T, seeds int) {
	t.Helper()
	better := 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 3))
		domains := nested(r)
		for voters := 1; voters <= 9; voters += 1 + r.IntN(2) {
			votes := make([]int, 6)
			for range voters {
				votes[r.IntN(6)]++
			}
			s := parse(t, domains+group(votes, -1))
			p := audit.PlanQuorum(s, 0)
			// The universe of the plan: what the places hang on, which are the sites and all
			// domains of a type that holds voters.
			kinds := map[string]bool{estate.TypeSite: true}
			for d, n := range votes {
				if n > 0 {
					kinds[s.Domains[d].Type] = true
				}
			}
			places := map[int]bool{}
			for d := range s.Domains {
				if kinds[s.Domains[d].Type] {
					places[d] = true
				}
			}
			universe := universeOf(t, s, places)
			type loss []string
			var singles, pairs []loss
			for i, x := range universe {
				singles = append(singles, loss{x})
				for _, y := range universe[:i] {
					pairs = append(pairs, loss{y, x})
				}
			}
			survived := func(e *impact.Engine, losses []loss) (n int, broken []string) {
				broken = []string{}
				for _, l := range losses {
					if holds(t, e, l...) {
						n++
					} else {
						broken = append(broken, l[0])
					}
				}
				return n, broken
			}
			now := impact.NewEngine(s)
			one, broken := survived(now, singles)
			two, _ := survived(now, pairs)
			fail := func(what string, want, got any) {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d, %v: %s (-brute force +plan):\n%s\n%s", seed, votes, what, diff, domains)
				}
			}
			fail("breaking", broken, p.Breaking)
			fail("singles", len(singles), p.Singles)
			fail("pairs", len(pairs), p.Pairs)
			fail("survived pairs", two, p.Survived)
			var best *audit.MoreVoters
			for d := range s.Domains {
				if !places[d] {
					continue
				}
				e := impact.NewEngine(parse(t, domains+group(votes, d)))
				a, _ := survived(e, singles)
				b, _ := survived(e, pairs)
				m := audit.MoreVoters{In: s.Domains[d].Name, Singles: a - one, Pairs: b - two}
				if best == nil || m.Singles > best.Singles || m.Singles == best.Singles && m.Pairs > best.Pairs {
					best = &m
				}
			}
			if best.Singles < 0 || best.Singles == 0 && best.Pairs <= 0 {
				best = nil
			} else {
				better++
			}
			fail("one more voter", best, p.More)
		}
	}
	if better < seeds/2 {
		t.Errorf("one more voter helped in %d groups only: they say too little", better)
	}
}

// universeOf lists the domains whose loss, alone or with another, takes a place
// that survives without it.
func universeOf(t *testing.T, s *estate.Snapshot, places map[int]bool) []string {
	t.Helper()
	e := impact.NewEngine(s)
	dead := func(lost ...string) map[int]bool {
		im, err := e.Of(lost)
		if err != nil {
			t.Fatal(err)
		}
		out := map[int]bool{}
		for _, d := range im.LostDomains {
			if places[d] {
				out[d] = true
			}
		}
		return out
	}
	in := map[string]bool{}
	for i := range s.Domains {
		x := s.Domains[i].Name
		if len(dead(x)) > 0 {
			in[x] = true
		}
		for j := range i {
			y := s.Domains[j].Name
			both, a, b := dead(x, y), dead(x), dead(y)
			for d := range both {
				if !a[d] && !b[d] {
					in[x], in[y] = true, true
				}
			}
		}
	}
	var out []string
	for i := range s.Domains {
		if in[s.Domains[i].Name] {
			out = append(out, s.Domains[i].Name)
		}
	}
	return out
}

func TestOneMoreVoterStandsInAnEmptyPlace(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 30 { // the voters' zones are before, and the empty one is the last
		fmt.Fprintf(&b, "{kind: Domain, name: z%02d, type: zone, needs: [old]}\n---\n", i)
	}
	b.WriteString("{kind: Domain, name: old, type: campus}\n---\n{kind: Domain, name: a-vendor, type: vendor}\n---\n{kind: Domain, name: zz, type: zone}\n---\n")
	b.WriteString("{kind: Domain, name: other, type: zone}\n---\n")
	s := parse(t, b.String()+"{kind: Component, name: q, mode: quorum, replicas: [{in: z00, count: 2}, {in: other, count: 2}]}")
	if got := audit.PlanQuorum(s, 0).More; got == nil || got.In != "zz" {
		t.Errorf("one more voter: got %+v, want it in zz", got)
	}
}

func TestCheckerFollowsPlacesForVoters(t *testing.T) {
	t.Parallel()
	k := audit.NewChecker(audit.Options{Rules: []string{"quorum"}})
	for i, more := range []string{"", "\n---\n{kind: Domain, name: c, type: zone}", "\n---\n{kind: Domain, name: c, type: hall}", "\n---\n{kind: Domain, name: c, type: zone, needs: [a]}"} {
		s := parse(t, "{kind: Domain, name: a, type: zone}\n---\n{kind: Domain, name: b, type: zone}\n---\n"+
			"{kind: Component, name: q, mode: quorum, replicas: [{in: a, count: 2}, {in: b, count: 2}]}"+more)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		got, err := k.Check(s, now)
		if err != nil {
			t.Fatal(err)
		}
		want, err := audit.Check(s, audit.Options{Rules: []string{"quorum"}, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Findings[0].Proof.Quorum, got.Findings[0].Proof.Quorum); diff != "" {
			t.Errorf("step %d (-check +checker):\n%s", i, diff)
		}
	}
}
