// Command gotest runs go test with the given arguments and says how it went
// in a way that suits people and CI: one line for each package, the whole
// output of what failed, each skipped test with its reason, and at the end
// "N passed, N failed, N skipped".
//
// It fails if a test fails, if no test ran at all and, where CI is set, if a
// test was skipped. With -fuzz it then fuzzes every fuzz target that it saw.
//
//	gotest [-fuzz 3s] [arguments of go test]
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv("CI") != "", os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, ci bool, out io.Writer) error {
	var fuzz time.Duration
	if len(args) >= 2 && args[0] == "-fuzz" {
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		fuzz, args = d, args[2:]
	}

	s := summary{out: out, output: map[test][]string{}}
	err := goTest(ctx, args, s.read)
	for _, target := range s.fuzz {
		if err != nil || fuzz == 0 {
			break
		}
		fmt.Fprintf(out, "fuzz\t%s\t%s\t%s\n", target.Package, target.Test, fuzz)
		err = goTest(ctx, []string{"-run=^$", "-fuzz=^" + target.Test + "$", "-fuzztime=" + fuzz.String(), "-fuzzminimizetime=1x", target.Package}, s.read)
	}
	// A package that does not build, or that fails outside of its tests, is not among the failed tests.
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	switch {
	case err != nil:
		return err
	case s.passed == 0:
		return errors.New("no test ran")
	case ci && s.skipped > 0:
		return errors.New("in CI a skipped test is a failure")
	}
	return nil
}

// goTest runs go test -json and hands its output to read.
func goTest(ctx context.Context, args []string, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...) //nolint:gosec // its arguments are go test's
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := read(pipe)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go test %s: %w", strings.Join(args, " "), err)
	}
	return readErr
}

// An event is one line of go test -json; see go doc test2json.
type event struct {
	Action  string  `json:"Action"`
	Package string  `json:"Package"`
	Test    string  `json:"Test"`
	Elapsed float64 `json:"Elapsed"`
	Output  string  `json:"Output"`
}

// A test is one test of one package; the package itself has no Test.
type test struct{ Package, Test string }

func byName(a, b test) int { return strings.Compare(a.Test, b.Test) }

// A summary collects what the tests of one or more runs came to.
type summary struct {
	out                     io.Writer
	output                  map[test][]string
	fuzz                    []test
	passed, failed, skipped int
}

func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(s.out, line) // not test2json's: the go command talking
		return
	}
	t := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "output":
		s.output[t] = append(s.output[t], e.Output)
	case "pass", "fail", "skip":
		if t.Test == "" {
			s.endPackage(t, e)
		} else {
			s.endTest(t, e)
		}
	}
}

func (s *summary) endTest(t test, e event) {
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
		s.dump(t)
	case "fail":
		s.failed++
		s.dump(t)
	}
	if strings.HasPrefix(t.Test, "Fuzz") && !strings.Contains(t.Test, "/") && e.Action == "pass" {
		s.fuzz = append(s.fuzz, t)
	}
	delete(s.output, t)
}

func (s *summary) endPackage(t test, e event) {
	word := map[string]string{"pass": "ok", "fail": "FAIL", "skip": "-"}[e.Action]
	note := ""
	if e.Action == "fail" {
		// What was said last: a panic, a time limit, a race after the tests. Tests that
		// never ended are part of it.
		for _, left := range slices.SortedFunc(maps.Keys(s.output), byName) {
			if left.Package == t.Package && left.Test != "" {
				s.dump(left)
			}
		}
		s.dump(t)
	}
	for _, line := range s.output[t] {
		switch {
		case strings.Contains(line, "[no test files]"):
			note = "\t[no test files]"
		case strings.Contains(line, "(cached)"):
			note = "\t(cached)"
		case strings.HasPrefix(line, "-test.shuffle ") && e.Action == "fail":
			note = "\t" + strings.TrimSpace(line)
		}
	}
	fmt.Fprintf(s.out, "%s\t%s\t%.2fs%s\n", word, t.Package, e.Elapsed, note)
	maps.DeleteFunc(s.output, func(left test, _ []string) bool { return left.Package == t.Package })
}

func (s *summary) dump(t test) {
	for _, line := range s.output[t] {
		fmt.Fprint(s.out, line)
	}
}
