package estate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
