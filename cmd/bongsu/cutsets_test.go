package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bongsu/cutset"
)

// TestDocumentedCutsets runs the examples of docs/cutsets.md and docs/certificates.md
// as they are written, and wants the output that is printed there.
func TestDocumentedCutsets(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "examples"), filepath.Join(dir, "examples")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, page := range []string{"cutsets.md", "certificates.md"} {
		text, err := os.ReadFile(filepath.Join(root, "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(text), "```console\n")[1:]
		if len(blocks) == 0 {
			t.Errorf("%s has no examples", page)
		}
		for _, block := range blocks {
			block, _, _ = strings.Cut(block, "```")
			var want, got strings.Builder
			for line := range strings.Lines(block) {
				want.WriteString(line)
				if command, ok := strings.CutPrefix(line, "$ bongsu "); ok {
					got.WriteString(line)
					got.WriteString(documented(t, strings.Fields(command)))
				}
			}
			if strings.Contains(block, "bongsu verify") || strings.Contains(block, "--certificate") {
				continue // they ran; what they print is shown where they are explained
			}
			if got.String() != want.String() {
				t.Errorf("%s says\n%s\nbut it is\n%s", page, want.String(), got.String())
			}
		}
	}
}

// documented runs one command line, with its output in a file if it says so.
func documented(t *testing.T, args []string) string {
	t.Helper()
	var out, talk bytes.Buffer
	args, file, redirected := cutArgs(args)
	if code := run(t.Context(), args, strings.NewReader(""), &out, &talk); code != exitDone {
		t.Errorf("bongsu %s: exit code %d\n%s", strings.Join(args, " "), code, talk.String())
	}
	if !redirected {
		return out.String()
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return ""
}

func cutArgs(args []string) (before []string, file string, redirected bool) {
	if i := slices.Index(args, ">"); i >= 0 {
		return args[:i], args[i+1], true
	}
	return args, "", false
}

// BenchmarkCutsets finds the first 20 cut sets by cost of every service of an
// example, of domains and components.
func BenchmarkCutsets(b *testing.B) {
	s, err := loadEstate("../../examples/kakao-2022")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for i := range s.Services {
			t := cutset.FromEstate(s, i, cutset.Components)
			if _, err := cutset.Solve(t, cutset.Options{Top: 20, RankOnly: true}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
