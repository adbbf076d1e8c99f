package estate

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"testing"
)

// What takes too much memory is refused by its text, whatever its shape.
func TestTooHeavyIsNotDecoded(t *testing.T) {
	const most = 1 << 20
	for name, text := range map[string]string{
		"documents": strings.Repeat("{kind: [}\n---\n", 1000), // no YAML: nobody came to decode it
		"needs":     "kind: Domain\nname: d\nneeds: [" + strings.Repeat("d,", 2000) + "d]\n",
		"lists":     "kind: Domain\nname: d\nneeds:\n" + strings.Repeat("-\n", 2000),
		"replicas":  "kind: Component\nname: c\nreplicas:\n" + strings.Repeat("- in: d\n", 2000),
		"fields":    "kind: Domain\nname: d\n" + strings.Repeat("a: 1\n", 2000),
		"nesting":   "kind: Domain\nname: d\nneeds: " + strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
	} {
		_, _, err := parse([]File{{"a.yaml", []byte(text)}}, most)
		if err == nil || !strings.Contains(err.Error(), "of memory; expected at most 1 MiB; where the machine has more, set GOMEMLIMIT=1GiB") {
			t.Errorf("%s: got %v", name, err)
		}
		var all Errors
		if !errors.As(err, &all) || len(all) != 1 {
			t.Errorf("%s: %d errors; want the one", name, len(all))
		}
	}
	if _, w, err := parse([]File{{"a.yaml", []byte("kind: Domain\nname: d\n")}}, most); err != nil || w == 0 {
		t.Errorf("a small estate: weight %d, error %v", w, err)
	}
}

// Each document with aliases may be small, and all of them large.
func TestAliasesHaveOneBudget(t *testing.T) {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "kind: Domain\nname: d%d\nneeds: [{anyOf: &a [x, x, x, x, x, x, x, x]}%s]\n---\n", i, strings.Repeat(", {anyOf: *a}", 30))
	}
	b.WriteString("kind: Domain\nname: x\n")
	files := []File{{"a.yaml", []byte(b.String())}}
	_, w, err := parse(files, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = parse(files, w+1000*perAlias)
	if err == nil || !strings.Contains(err.Error(), "aliases make this document too large") {
		t.Errorf("got %v", err)
	}
}

// A loader that reads only what changed keeps to the limit too.
func TestLoaderKeepsToTheBudget(t *testing.T) {
	file := func(n int) []File {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "kind: Domain\nname: d%d\n---\n", i)
		}
		return []File{{"a.yaml", []byte(b.String())}}
	}
	var l Loader
	if _, err := l.Parse(file(10)); err != nil {
		t.Fatal(err)
	}
	old := debug.SetMemoryLimit(l.weight * 2)
	defer debug.SetMemoryLimit(old)
	if old != math.MaxInt64 {
		t.Log("GOMEMLIMIT is set")
	}
	for range 5 { // what went does not count for ever
		for _, n := range []int{15, 10} {
			if s, err := l.Parse(file(n)); err != nil || len(s.Domains) != n {
				t.Fatalf("%d domains: %v", n, err)
			}
		}
	}
	if _, err := l.Parse(file(30)); err == nil || !strings.Contains(err.Error(), "the estate is too large: 31 documents in 0 MiB") {
		t.Errorf("got %v", err)
	}
	if s, err := l.Parse(file(11)); err != nil || len(s.Domains) != 11 {
		t.Errorf("afterwards: %v", err)
	}
}
