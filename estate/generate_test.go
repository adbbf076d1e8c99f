package estate

import (
	"bytes"
	"fmt"
	"testing"
)

func generated(tb testing.TB, o GenerateOptions) *Snapshot {
	tb.Helper()
	files, err := Generate(o)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := Parse(files)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// The large estate has the size that the benchmarks of the project count on; here
// is a tenth of it.
func TestGenerateLarge(t *testing.T) { t.Parallel(); generateLarge(t, 1_000) }

func generateLarge(t *testing.T, n int) {
	t.Helper()
	s := generated(t, GenerateOptions{Sites: 5, Servers: 16 * n / 5, Components: n, Services: n / 5, Seed: 1})
	if got := len(s.Domains); got < 34*n/10 || got > 36*n/10 {
		t.Errorf("%d domains", got)
	}
	if len(s.Components) != n || len(s.Services) != n/5 {
		t.Errorf("%d components, %d services", len(s.Components), len(s.Services))
	}
	needs, tools, actions, modes := 0, 0, 0, map[Mode]int{}
	servers, sites := 0, 0
	for i := range s.Domains {
		switch s.Domains[i].Type {
		case "server":
			servers++
			if s.Domains[i].Site < 0 || len(s.Domains[i].Ancestors) < 3 {
				t.Fatalf("%s stands nowhere", s.Domains[i].Name)
			}
		case TypeSite:
			sites++
		}
	}
	if servers != 16*n/5 || sites != 5 {
		t.Errorf("%d servers in %d sites", servers, sites)
	}
	for i := range s.Components {
		c := &s.Components[i]
		c.Needs.refs(func(Need) { needs++ })
		modes[c.Mode]++
		actions += len(c.Actions)
		if c.Tool {
			tools++
		}
	}
	if needs < 57*n/10 || needs > 63*n/10 {
		t.Errorf("%d needs", needs)
	}
	if tools < 8 || actions < n/2 || modes[ModeAny] < n/2 || modes[ModeQuorum] < n*3/100 || modes[ModePrimary] < n/10 {
		t.Errorf("%d tools, %d actions, modes %v", tools, actions, modes)
	}
}

// Replicas never take more room than a domain has.
func TestGenerateKeepsWithinCapacity(t *testing.T) {
	s := generated(t, GenerateOptions{Sites: 4, Servers: 400, Components: 600, Services: 60, Seed: 3})
	used := make([]float64, len(s.Domains))
	for i := range s.Components {
		for _, r := range s.Components[i].Replicas {
			n, _ := r.Uses.Of("cpu")
			for _, d := range append([]int{r.In}, s.Domains[r.In].Ancestors...) {
				used[d] += n * float64(r.Count)
			}
		}
	}
	total := 0.0
	for i := range s.Domains {
		d := &s.Domains[i]
		if room, ok := d.Capacity.Of("cpu"); ok && used[i] > room+1e-6 {
			t.Errorf("%s holds %v of %v", d.Name, used[i], room)
		}
		if d.Type == TypeSite {
			total += used[i]
		}
	}
	if share := total / (400 * serverCPU); share < 0.3 || share > 0.8 {
		t.Errorf("%.0f %% of all processors are in use", 100*share)
	}
}

func TestGenerateIsDeterministic(t *testing.T) {
	text := func(seed uint64) []byte {
		files, err := Generate(GenerateOptions{Sites: 3, Servers: 60, Components: 200, Services: 40, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for _, f := range files {
			fmt.Fprintf(&b, "-- %s --\n%s", f.Name, f.Data)
		}
		return b.Bytes()
	}
	if !bytes.Equal(text(1), text(1)) {
		t.Error("one seed gave two estates")
	}
	if bytes.Equal(text(1), text(2)) {
		t.Error("two seeds gave one estate")
	}
}

// Every size loads, also the odd ones.
func TestGenerateAllSizes(t *testing.T) {
	for sites := 1; sites <= 12; sites += 1 + sites/2 {
		for _, n := range []int{1, 11, 12, 18, 60} {
			for _, services := range []int{0, 30} {
				o := GenerateOptions{Sites: sites, Servers: sites + n, Components: n, Services: services, Seed: uint64(n)}
				s := generated(t, o)
				if len(s.Components) != n || len(s.Services) != services {
					t.Errorf("%+v: %d components, %d services", o, len(s.Components), len(s.Services))
				}
			}
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	for want, o := range map[string]GenerateOptions{
		"sites is 0; expected 1 to 200":                                  {Servers: 1, Components: 1},
		"servers is 1; expected at least one a site and at most 2000000": {Sites: 2, Servers: 1, Components: 1},
		"components is 0; expected 1 to 1000000":                         {Sites: 1, Servers: 1},
		"services is -1; expected 0 to 1000000":                          {Sites: 1, Servers: 1, Components: 1, Services: -1},
		"needs is 101; expected 0 to 100 for each component":             {Sites: 1, Servers: 1, Components: 1, Needs: 101},
	} {
		if _, err := Generate(o); err == nil || err.Error() != want {
			t.Errorf("%+v: %v; want %s", o, err, want)
		}
	}
}
