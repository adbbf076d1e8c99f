package audit_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"bongsu/audit"
	"bongsu/estate"
)

// BenchmarkReaudit is from the bytes of the files to the report, after one
// document of an estate of 32,000 servers, 10,000 components and 60,000 needs
// changed: each site, all rules.
func BenchmarkReaudit(b *testing.B) {
	files, err := estate.Generate(estate.GenerateOptions{Sites: 5, Servers: 32_000, Components: 10_000, Services: 2_000, Needs: 60_000, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	var all [][]byte
	for _, f := range files {
		all = append(all, f.Data)
	}
	one := []estate.File{{Name: "estate.yaml", Data: bytes.Join(all, []byte("---\n"))}}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	// digit puts a digit before the number of a field.
	digit := func(field string) func(d string, n int) string {
		return func(d string, n int) string {
			return strings.Replace(d, field, fmt.Sprintf("%s%d", field, 1+n%3), 1)
		}
	}
	// also adds a component to a list of needs, which may not be there yet.
	also := func(field string) func(d string, n int) string {
		return func(d string, n int) string {
			name := fmt.Sprintf("bank%02d-base-001", 1+n%8)
			if with := strings.Replace(d, "\n"+field+": [", "\n"+field+": ["+name+", ", 1); with != d {
				return with
			}
			return d + field + ": [" + name + "]\n"
		}
	}
	for _, c := range []struct {
		name  string
		files []estate.File
		doc   string                         // what its documents begin with
		edit  func(doc string, n int) string // the n-th edit of one of them
	}{
		{"title", files, "kind: Component\nname: talk", func(d string, n int) string { return d + fmt.Sprintf("source: {from: edit %d}\n", n) }},
		{"needs", files, "kind: Component\nname: talk", func(d string, n int) string {
			return strings.Replace(d, "needs: [", fmt.Sprintf("needs: [bank%02d-base-001, ", 1+n%8), 1)
		}},
		{"replicas", files, "kind: Component\nname: shop01-base", func(d string, n int) string {
			return strings.Replace(d, "count: ", fmt.Sprintf("count: %d", 1+n%3), 1)
		}},
		{"objective", files, "kind: Service\n", func(d string, n int) string { return strings.Replace(d, "rto: ", fmt.Sprintf("rto: %d", 1+n%3), 1) }},
		{"users", files, "kind: Service\n", func(d string, n int) string { return strings.Replace(d, "users: ", fmt.Sprintf("users: %d", 1+n%3), 1) }},
		{"crew", files, "kind: Crew\n", func(d string, n int) string {
			return strings.Replace(d, "people: ", fmt.Sprintf("people: %d", 1+n%3), 1)
		}},
		{"wants", files, "kind: Component\nname: talk", also("wants")},
		{"start", files, "kind: Component\nname: talk01-store", also("startNeeds")},
		{"duration", files, "kind: Component\nname: talk01-", func(d string, n int) string {
			return strings.Replace(d, "takes: 1", fmt.Sprintf("takes: %d", 2+n%3), 1)
		}},
		{"action", files, "kind: Component\nname: talk01-", func(d string, _ int) string {
			return strings.Replace(d, "needs: [deploy", "needs: [dc-switch, deploy", 1)
		}},
		{"limit", files, "kind: Limit\nname: image", digit("slots: ")},
		{"slots", files, "kind: Limit\nname: restore", func(d string, n int) string { // too few for some, and enough again
			return strings.Replace(d, "slots: 12", fmt.Sprintf("slots: %d", 1+n%2), 1)
		}},
		{"capacity", files, "kind: Domain\nname: pangyo\n", digit("cpu: ")},
		{"rack", files, "kind: Domain\nname: pangyo-r000", func(d string, n int) string { // in another hall
			return strings.Replace(d, "needs: [pangyo-h01, ", fmt.Sprintf("needs: [pangyo-h0%d, ", 2+n%2), 1)
		}},
		{"type", files, "kind: Domain\nname: pangyo-r000", func(d string, n int) string {
			return strings.Replace(d, "type: rack", fmt.Sprintf("type: rack%d", n), 1)
		}},
		{"share", files, "kind: Service\n", digit("share: 0.")},
		{"waive", files, "kind: Component\nname: talk", func(d string, n int) string {
			return d + fmt.Sprintf("waive: [{rule: shared-fate, owner: me, reason: edit %d, until: 2026-12-31}]\n", n)
		}},
		{"tool", files, "kind: Component\nname: wiki", func(d string, n int) string {
			return strings.Replace(d, "tool: true", fmt.Sprintf("tool: %v", n%2 == 0), 1)
		}},
		{"root-title", files, "kind: Component\nname: shared-auth", func(d string, n int) string {
			return strings.Replace(d, "title: ", fmt.Sprintf("title: %d ", n), 1)
		}},
		{"root-count", files, "kind: Component\nname: shared-auth", digit("count: ")},
		{"root-needs", files, "kind: Component\nname: shared-auth", also("needs")}, // all in one cycle, which everything needs
		{"added", files, "kind: Component\nname: talk", func(d string, n int) string {
			return d + fmt.Sprintf("---\nkind: Component\nname: new-%d\nreplicas: [{in: pangyo-r0001}]\nneeds: [bank01-base-001]\n", n)
		}},
		{"added-service", files, "kind: Service\n", func(d string, n int) string {
			return d + fmt.Sprintf("---\nkind: Service\nname: new-%d\nusers: 5\nneeds: [bank01-base-001]\nparts: [{name: p, share: 0.5, needs: [bank02-base-001]}]\n", n)
		}},
		{"added-server", files, "kind: Domain\nname: pangyo-r0001\n", func(d string, n int) string {
			return d + fmt.Sprintf("---\nkind: Domain\nname: new-%d\ntype: server\nneeds: [pangyo-r0001]\n", n)
		}},
		{"added-site", files, "kind: Domain\nname: pangyo\n", func(d string, n int) string {
			return d + fmt.Sprintf("---\nkind: Domain\nname: new-%d\ntype: site\n", n)
		}},
		{"site-type", files, "kind: Domain\nname: pangyo-r000", func(d string, n int) string {
			return strings.Replace(d, "type: rack", "type: site", n%2)
		}},
		{"same-name", files, "kind: Service\n", func(d string, n int) string { // as the service has
			_, name, _ := strings.Cut(d, "name: ")
			name, _, _ = strings.Cut(name, "\n")
			return d + fmt.Sprintf("---\nkind: Component\nname: %s\nreplicas: [{in: pangyo-r0001}]\nneeds: [bank%02d-base-001]\n", name, 1+n%8)
		}},
		{"added-action", files, "kind: Component\nname: talk01-", func(d string, n int) string {
			return strings.Replace(d, "actions:\n", "actions:\n"+fmt.Sprintf("  - {name: more, does: rebuild, at: pangyo, takes: %dh}\n", 1+n%5), 1)
		}},
		{"one-file", one, "kind: Component\nname: talk", func(d string, n int) string {
			return d + fmt.Sprintf("source: {from: edit %d}\n", n)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var (
				l     estate.Loader
				k     = audit.NewChecker(audit.Options{})
				n     int
				whole int
				far   int
				used  time.Duration
			)
			check := func(files []estate.File) {
				s, err := l.Parse(files)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := k.Check(s, now); err != nil {
					b.Fatal(err)
				}
			}
			check(c.files)
			files := slices.Clone(c.files)
			i := slices.IndexFunc(files, func(f estate.File) bool { return bytes.Contains(f.Data, []byte(c.doc)) })
			var starts []int // of documents that are edited
			for at := 0; len(starts) < 20; {
				next := bytes.Index(files[i].Data[at:], []byte(c.doc))
				if next < 0 {
					break
				}
				at += next
				end := bytes.Index(files[i].Data[at:], []byte("---\n"))
				if end > 0 && c.edit(string(files[i].Data[at:at+end]), 1) != string(files[i].Data[at:at+end]) {
					starts = append(starts, at)
				}
				at++
			}
			for b.Loop() {
				b.StopTimer()
				at := starts[n%len(starts)] // another one each time
				end := at + bytes.Index(c.files[i].Data[at:], []byte("---\n"))
				n++
				text := c.edit(string(c.files[i].Data[at:end]), n)
				files[i].Data = slices.Concat(c.files[i].Data[:at], []byte(text), c.files[i].Data[end:])
				before := cpu()
				b.StartTimer()
				check(files)
				b.StopTimer()
				used += cpu() - before
				b.StartTimer()
				j := k.Judged()
				if j.Whole {
					whole++
				}
				far += j.Reached
			}
			b.ReportMetric(float64(used)/1e6/float64(n), "cpu-ms/op")
			b.ReportMetric(float64(far)/float64(n), "reached")
			b.ReportMetric(float64(whole), "whole")
		})
	}
}

// cpu is the processor time that this process has taken.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
