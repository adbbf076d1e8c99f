package audit_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/estate"
)

// Trying every pair finds nothing that joining the touches does not.
func TestPairsAreExact(t *testing.T) {
	found, tried, run := 0, 0, 0
	for seed := range uint64(200) {
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
			return ids, rep.Swept[0]
		}
		want, _ := report(audit.Brute(audit.Options{Pairs: true}))
		got, n := report(audit.Options{Pairs: true})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-every pair +joined):\n%s\n%s", seed, diff, text)
		}
		found, tried, run = found+len(want), tried+n.Losses, run+n.Run
	}
	t.Logf("%d findings of pairs; %d of %d pairs had to be run", found, run, tried)
	if found < 500 || run >= tried {
		t.Errorf("%d findings, %d of %d pairs run: the estates say too little", found, run, tried)
	}
}

// On any number of processors the report is the same, byte for byte.
func TestProcessorsDoNotShow(t *testing.T) {
	files, err := estate.Generate(estate.GenerateOptions{Sites: 3, Servers: 500, Components: 200, Services: 40, Seed: 4})
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
