package plan

import (
	"fmt"
	"testing"

	"bongsu/estate"
	"bongsu/impact"
)

// BenchmarkMake plans the loss of one of five sites; the blockers are apart, and
// what impact takes is not in it.
func BenchmarkMake(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000} {
		var im *impact.Impact
		lose := func(b *testing.B) {
			b.Helper()
			if im != nil {
				return
			}
			files, err := estate.Generate(estate.GenerateOptions{Sites: 5, Servers: 3 * size, Components: size, Services: size / 5, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			s, err := estate.Parse(files)
			if err != nil {
				b.Fatal(err)
			}
			var site string
			for i := range s.Domains {
				if s.Domains[i].Type == "site" {
					site = s.Domains[i].Name
					break
				}
			}
			if im, err = impact.Of(s, []string{site}); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("%d/steps", size), func(b *testing.B) {
			lose(b)
			for b.Loop() {
				p := For(im, Options{WithoutBlockers: true})
				b.ReportMetric(float64(len(p.Steps)), "steps")
				b.ReportMetric(100*p.Objective.Gap(), "gap%")
			}
		})
		b.Run(fmt.Sprintf("%d/blockers", size), func(b *testing.B) {
			lose(b)
			for b.Loop() {
				b.ReportMetric(float64(len(blockers(im))), "blockers")
			}
		})
	}
}
