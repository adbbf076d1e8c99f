package estate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("components=%d", n), func(b *testing.B) {
			files, err := Generate(GenerateOptions{Sites: 5, Servers: n * 32 / 10, Components: n, Services: n / 5, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			size := 0
			for _, f := range files {
				size += len(f.Data)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(files); err != nil {
					b.Fatal(err)
				}
			}
		})
		// The same bytes through the YAML parser alone, to compare with.
		b.Run(fmt.Sprintf("yaml-only/components=%d", n), func(b *testing.B) {
			files, err := Generate(GenerateOptions{Sites: 5, Servers: n * 32 / 10, Components: n, Services: n / 5, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for _, f := range files {
					dec := yaml.NewDecoder(bytes.NewReader(f.Data))
					for {
						var doc yaml.Node
						if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
							break
						} else if err != nil {
							b.Fatal(err)
						}
					}
				}
			}
		})
	}
}

// BenchmarkReload is loading an estate of 10,000 components again, from the bytes
// of its files, after one document changed: in many files, and all in one.
func BenchmarkReload(b *testing.B) {
	files, err := Generate(GenerateOptions{Sites: 5, Servers: 32_000, Components: 10_000, Services: 2_000, Needs: 60_000, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	var all [][]byte
	for _, f := range files {
		all = append(all, f.Data)
	}
	one := []File{{Name: "estate.yaml", Data: bytes.Join(all, []byte("---\n"))}}
	for _, c := range []struct {
		name  string
		files []File
		edit  func(text string, n int) string
	}{
		{"title", files, func(s string, n int) string {
			return strings.Replace(s, "name: talk01-base-001\n", fmt.Sprintf("name: talk01-base-001\ntitle: the %d. edit\n", n), 1)
		}},
		{"one-file", one, func(s string, n int) string {
			return strings.Replace(s, "name: talk01-base-001\n", fmt.Sprintf("name: talk01-base-001\ntitle: the %d. edit\n", n), 1)
		}},
		{"one-file-lines", one, func(s string, n int) string {
			return strings.Replace(s, "name: bank01-base-001\n", "name: bank01-base-001\n"+strings.Repeat("\n", 1+n%2), 1)
		}},
		{"added", files, func(s string, n int) string {
			return strings.Replace(s, "kind: Component\nname: talk01-base-001\n", fmt.Sprintf("kind: Component\nname: new-%d\n---\nkind: Component\nname: talk01-base-001\n", n), 1)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var l Loader
			if _, err := l.Parse(c.files); err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				b.StopTimer()
				n++
				now := slices.Clone(c.files)
				for i := range now {
					if s := string(now[i].Data); strings.Contains(s, "name: talk01-base-001\n") || strings.Contains(s, "name: bank01-base-001\n") {
						now[i].Data = []byte(c.edit(s, n))
					}
				}
				b.StartTimer()
				if _, err := l.Parse(now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
