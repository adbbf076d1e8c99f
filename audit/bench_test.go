package audit_test

import (
	"syscall"
	"testing"
	"time"

	"bongsu/audit"
	"bongsu/estate"
)

// large is an estate of the size that the goals are set for.
func large(b *testing.B) *estate.Snapshot {
	b.Helper()
	files, err := estate.Generate(estate.GenerateOptions{Sites: 5, Servers: 32_000, Components: 10_000, Services: 2_000, Needs: 60_000, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	s, err := estate.Parse(files)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkCheck is the audit of 32,000 servers, 10,000 components and 60,000
// needs, with all rules.
func BenchmarkCheck(b *testing.B) {
	s := large(b)
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		o    audit.Options
	}{
		{"sites", audit.Options{Sites: true, Now: now}},
		{"every-domain", audit.Options{Every: true, Now: now}},
		{"pairs", audit.Options{Pairs: true, Now: now}},
		{"pairs-of-servers", audit.Options{Pairs: true, PairTypes: []string{"server"}, Now: now}},
		{"pairs-of-all", audit.Options{Pairs: true, PairTypes: []string{audit.AnyType}, Now: now}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n, cpu := 0, processorTime(b)
			for b.Loop() {
				r, err := audit.Check(s, c.o)
				if err != nil {
					b.Fatal(err)
				}
				n = len(r.Findings)
			}
			b.ReportMetric(float64(n), "findings")
			b.ReportMetric((processorTime(b)-cpu).Seconds()/float64(b.N), "cpu-s/op") // what a busy machine does not blur
		})
	}
}

// processorTime is what the process took of all processors until now.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
