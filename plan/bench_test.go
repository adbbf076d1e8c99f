package plan

import (
	"fmt"
	"testing"

	"bongsu/estate"
	"bongsu/impact"
)

func BenchmarkMake(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
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
			im, err := impact.Of(s, []string{site})
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for b.Loop() {
				p := For(im, Options{})
				b.ReportMetric(float64(len(p.Steps)), "steps")
				b.ReportMetric(float64(len(p.Blockers)), "blockers")
				b.ReportMetric(100*p.Objective.Gap(), "gap%")
				b.ReportMetric(float64(p.Objective.UserMinutes), "um")
			}
		})
	}
}
