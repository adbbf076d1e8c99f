package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/estate"
)

// Trying every pair finds nothing that joining the touches does not.
func TestPairsAreExact(t *testing.T) { t.Parallel(); pairsAreExact(t, 30) }

func pairsAreExact(t *testing.T, seeds int) {
	t.Helper()
	found, tried, run := 0, 0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 11))
		text := randomEstate(r, 6+r.IntN(8))
		s := parse(t, text)
		report := func(o audit.Options) (ids []string, n audit.Swept) {
			rep, err := audit.Check(s, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range rep.Findings {
				if strings.Contains(f.Loss, "+") {
					ids = append(ids, fmt.Sprintf("%s %s %d", f.Severity, f.ID, f.Users))
				}
			}
			for _, x := range rep.Implied {
				if strings.Contains(x.Loss, "+") {
					ids = append(ids, fmt.Sprint(x))
				}
			}
			return ids, rep.Swept[0]
		}
		o := audit.Options{Pairs: true, Implied: true}
		if seed%2 == 1 {
			o.PairTypes = []string{audit.AnyType}
		}
		want, _ := report(audit.Brute(o))
		got, n := report(o)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-every pair +joined):\n%s\n%s", seed, diff, text)
		}
		found, tried, run = found+len(want), tried+n.Losses, run+n.Run
	}
	t.Logf("%d findings of pairs; %d of %d pairs had to be run", found, run, tried)
	if found < 2*seeds || run >= tried {
		t.Errorf("%d findings, %d of %d pairs run: the estates say too little", found, run, tried)
	}
}

// Pairs are of the types that are asked for, and of no others.
func TestPairTypes(t *testing.T) {
	s := parse(t, randomEstate(rand.New(rand.NewPCG(1, 11)), 10))
	for _, c := range []struct {
		types []string
		what  string
		tried int
	}{
		{nil, "pairs of sites, feeds and racks", 15 * 14 / 2},
		{[]string{audit.AnyType}, "pairs of any two domains", 15 * 14 / 2},
		{[]string{"rack"}, "pairs of domains of type rack", 6 * 5 / 2},
		{[]string{"site", "rack"}, "pairs of domains of type rack and site", 9 * 8 / 2},
	} {
		r, err := audit.Check(s, audit.Options{Pairs: true, PairTypes: c.types})
		if err != nil {
			t.Fatal(err)
		}
		got := r.Swept[0]
		if got.What != c.what || got.Losses != c.tried || got.Run == 0 || got.Run >= got.Losses {
			t.Errorf("types %v: %+v; want %d %s, some of them run", c.types, got, c.tried, c.what)
		}
		for _, f := range r.Findings {
			for name := range strings.SplitSeq(f.Loss, "+") {
				if d, ok := s.Lookup(estate.KindDomain, name); ok && c.types != nil && c.types[0] != audit.AnyType && !slices.Contains(c.types, s.Domains[d.Index].Type) {
					t.Errorf("types %v: a finding with %s lost", c.types, f.Loss)
				}
			}
		}
	}
}

// A type that no domain has is refused: nothing found would prove nothing.
func TestPairTypeUnknown(t *testing.T) {
	s := parse(t, randomEstate(rand.New(rand.NewPCG(1, 11)), 10))
	_, err := audit.Check(s, audit.Options{Pairs: true, PairTypes: []string{"racks"}})
	want := `the estate has no domain of type "racks" to make pairs of; did you mean "rack"?`
	if _, ok := errors.AsType[*audit.TypeError](err); !ok || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What would take too long, or too much room, is refused with what to do about it.
func TestPairLimits(t *testing.T) {
	s := parse(t, randomEstate(rand.New(rand.NewPCG(1, 11)), 10))
	for _, o := range []audit.Options{{Pairs: true, MostPairs: 3}, {Pairs: true, MostFindings: 3}} {
		r, err := audit.Check(s, o)
		limit, ok := errors.AsType[*audit.LimitError](err)
		if !ok || r != nil || limit.Limit != 3 || !strings.Contains(err.Error(), "ask for fewer") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}

// On any number of processors the report is the same, byte for byte.
func TestProcessorsDoNotShow(t *testing.T) {
	files, err := estate.Generate(estate.GenerateOptions{Sites: 3, Servers: 120, Components: 80, Services: 20, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	s, err := estate.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	report := func(processors int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		r, err := audit.Check(s, audit.Options{Sites: true, Every: true, Pairs: true, Now: day("2026-11-23")})
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if diff := cmp.Diff(report(1), report(4)); diff != "" {
		t.Errorf("(-1 processor +4):\n%s", diff)
	}
}
