package impact_test

import (
	"fmt"
	"testing"

	"bongsu/estate"
	"bongsu/impact"
)

func generated(b *testing.B, components int) *estate.Snapshot {
	b.Helper()
	files, err := estate.Generate(estate.GenerateOptions{
		Sites: 5, Servers: components * 16 / 5, Components: components, Services: components / 5, Seed: 1,
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := estate.Parse(files)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkOf is what the loss of one site costs, with the estate compiled anew
// and with an engine at hand.
func BenchmarkOf(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		s := generated(b, n)
		site := ""
		for i := range s.Domains {
			if s.Domains[i].Site == i {
				site = s.Domains[i].Name
				break
			}
		}
		b.Run(fmt.Sprintf("compile/%d", n), func(b *testing.B) {
			for b.Loop() {
				impact.NewEngine(s)
			}
		})
		e := impact.NewEngine(s)
		b.Run(fmt.Sprintf("site/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := e.Of([]string{site}); err != nil {
					b.Fatal(err)
				}
			}
		})
		if n == 1000 { // the design read aloud, to compare with; larger takes too long
			ref, _ := s.Lookup(estate.KindDomain, site)
			b.Run(fmt.Sprintf("naive/%d", n), func(b *testing.B) {
				for b.Loop() {
					newNaive(s, []int{ref.Index}).recover()
				}
			})
		}
		b.Run(fmt.Sprintf("json/%d", n), func(b *testing.B) {
			im, err := e.Of([]string{site})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := im.MarshalJSON(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("every-domain/%d", n), func(b *testing.B) {
			w := e.NewSweep()
			for b.Loop() {
				for d := range s.Domains {
					w.Lose(d)
				}
			}
		})
	}
}
