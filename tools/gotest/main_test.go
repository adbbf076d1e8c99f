package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module with the given test file and moves there.
func module(t *testing.T, body string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":    "module try\n\ngo 1.26\n",
		"a_test.go": "package try\n\nimport \"testing\"\n\n" + body,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, body string
		ci         bool
		args       []string
		err        string   // what the error says; empty for none
		out        []string // what the output holds
		not        []string // and what it does not
	}{
		{
			name: "what passes is quiet, a skip is said",
			body: `func TestA(t *testing.T) { t.Log("quiet") }; func TestB(t *testing.T) { t.Skip("no browser") }`,
			out:  []string{"ok\ttry\t", "no browser", "1 passed, 0 failed, 1 skipped\n"}, not: []string{"quiet"},
		},
		{
			name: "a failure is shown",
			body: `func TestA(t *testing.T) { t.Error("loud") }`,
			err:  "exit status 1", out: []string{"loud", "FAIL\ttry\t", "0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "in CI a skip fails",
			body: `func TestA(t *testing.T) { t.Skip("no browser") }; func TestB(*testing.T) {}`,
			ci:   true, err: "skipped", out: []string{"no browser"},
		},
		{
			name: "nothing to run fails",
			body: `var _ testing.T`,
			err:  "no test ran", out: []string{"0 passed, 0 failed, 0 skipped\n"},
		},
		{
			name: "what does not build fails",
			body: `func TestA(t *testing.T) { undefined() }`,
			err:  "exit status 1", out: []string{"undefined: undefined", "FAIL\ttry\t"},
		},
		{
			name: "a panic is shown",
			body: `func TestA(t *testing.T) { go func() { panic("boom") }(); select {} }`,
			err:  "exit status 1", out: []string{"boom", "FAIL\ttry\t"},
		},
		{
			name: "each fuzz target is fuzzed",
			body: `func FuzzA(f *testing.F) { f.Fuzz(func(t *testing.T, s string) {}) }`,
			args: []string{"-fuzz", "10ms"},
			out:  []string{"fuzz\ttry\tFuzzA\t10ms\n", "2 passed, 0 failed, 0 skipped\n"},
		},
		{
			name: "what the fuzzing finds fails",
			body: `func FuzzA(f *testing.F) { f.Add(""); f.Fuzz(func(t *testing.T, s string) { if s != "" { t.Error("found") } }) }`,
			args: []string{"-fuzz", "10s"},
			err:  "exit status 1", out: []string{"found", "FAIL\ttry\t"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			module(t, c.body)
			var out strings.Builder
			err := run(t.Context(), append(c.args, "."), c.ci, &out)
			if got := errText(err); c.err == "" && got != "" || !strings.Contains(got, c.err) {
				t.Errorf("error %q, want %q", got, c.err)
			}
			for _, want := range c.out {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, out.String())
				}
			}
			for _, bad := range c.not {
				if strings.Contains(out.String(), bad) {
					t.Errorf("the output has %q:\n%s", bad, out.String())
				}
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
