package estate

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse holds that no text crashes the parser, that every error has a place,
// and that what is accepted means the same once it is written canonically.
func FuzzParse(f *testing.F) {
	f.Add([]byte(base))
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add([]byte(randomEstate(rand.New(rand.NewPCG(1, 4)))))
	f.Add([]byte("kind: Component\nname: a\nneeds: &a [b, *a]\n"))
	f.Add([]byte("%YAML 1.1\n---\nkind: Domain\nname: a\n...\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		files := []File{{"fuzz.yaml", text}}
		s, err := Parse(files)
		if err == nil {
			_ = s
			roundTrip(t, "fuzz", files)
			return
		}
		var es Errors
		if !errors.As(err, &es) || len(es) == 0 {
			t.Fatalf("an error of type %T: %v", err, err)
		}
		for _, e := range es {
			if e.File != "fuzz.yaml" || e.Line < 1 || e.Col < 1 || e.Msg == "" {
				t.Fatalf("an error without a place: %+v", e)
			}
		}
	})
}
