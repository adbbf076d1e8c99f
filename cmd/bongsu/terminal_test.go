package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"bongsu/internal/lang"
)

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  []string
	}{
		{"", 10, nil},
		{"one two three", 20, []string{"one two three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"  blanks   count  once ", 80, []string{"blanks count once"}},
		{"a-name-that-is-too-long for it", 10, []string{"a-name-tha", "t-is-too-l", "ong for it"}},
		{"데이터 센터", 6, []string{"데이터", "센터"}},
		{"데이터센터", 5, []string{"데이", "터센", "터"}}, // a letter is never cut in two
		{"가", 1, []string{"가"}},
	} {
		if diff := cmp.Diff(c.want, wrap(c.text, c.limit)); diff != "" {
			t.Errorf("wrap(%q, %d) (-want +got):\n%s", c.text, c.limit, diff)
		}
	}
}

func TestTableLinesUpKorean(t *testing.T) {
	var tb table
	tb.right = []bool{true, false}
	tb.add("first\nsecond", cell{text: "1"}, cell{text: "판교"})
	tb.add("", cell{text: "1,000"}, cell{text: "north"})
	tb.add(strings.Repeat("word ", 20), cell{text: "10"}, cell{text: "x", paint: palette{on: true}.bad})
	var out strings.Builder
	tb.print(&out)
	want := `    1  판교   first
              second
1,000  north
   10  ` + "\x1b[31mx\x1b[0m" + `      word word word word word word word word word word word word word
              word word word word word word word
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 47637000: "47,637,000", -1234: "-1,234", -999: "-999"} {
		if got := lang.Number(n); got != want {
			t.Errorf("lang.Number(%d) = %q, want %q", n, got, want)
		}
	}
}

// A pseudo-terminal stands for the user's.
func pseudoTerminal(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestColourOnlyOnATerminal(t *testing.T) {
	tty := pseudoTerminal(t)
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if p := (&app{out: tty}).palette(); !p.on || p.bad("down") != "\x1b[31mdown\x1b[0m" {
		t.Error("no colour on a terminal")
	}
	if p := (&app{out: &strings.Builder{}}).palette(); p.on || p.bad("down") != "down" {
		t.Error("colour where there is no terminal")
	}
	t.Setenv("NO_COLOR", "1")
	if (&app{out: tty}).palette().on {
		t.Error("colour in spite of NO_COLOR")
	}
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	if (&app{out: tty}).palette().on {
		t.Error("colour on a dumb terminal")
	}
}

func TestWorkEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		time.AfterFunc(3*time.Second, cancel)
		start := time.Now()
		_, err := work(ctx, &app{err: &strings.Builder{}}, "planning", func() (int, error) {
			<-release
			return 1, nil
		})
		if !errors.Is(err, context.Canceled) || time.Since(start) != 3*time.Second {
			t.Errorf("after %s: %v, want the context's error after 3s", time.Since(start), err)
		}
		close(release)
	})
}

func TestWorkSaysOnATerminalHowLongItTakes(t *testing.T) {
	tty := pseudoTerminal(t)
	t.Setenv("TERM", "xterm")
	synctest.Test(t, func(t *testing.T) {
		_, err := work(t.Context(), &app{err: tty}, "planning", func() (int, error) {
			<-time.NewTimer(2500 * time.Millisecond).C
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	// A pseudo-terminal sends back what it is sent, in its own time.
	var shown strings.Builder
	for buf := make([]byte, 1000); !strings.Contains(shown.String(), "bongsu: planning ... 2s"); {
		n, err := tty.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(buf[:n])
	}
	if !strings.Contains(shown.String(), "bongsu: planning ... 1s") {
		t.Errorf("the terminal shows %q, want every second", shown.String())
	}
}

func TestWorkReturnsWhatItDid(t *testing.T) {
	v, err := work(t.Context(), &app{err: &strings.Builder{}}, "counting", func() (int, error) { return 7, nil })
	if v != 7 || err != nil {
		t.Errorf("work = %d, %v", v, err)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		began bool
		want  int
		talk  string
	}{
		{"done", nil, true, exitDone, ""},
		{"failed", errors.New("the disk is full"), true, exitFailed, "bongsu: error: the disk is full\n"},
		{"before the command began it is usage", errors.New("unknown flag"), false, exitUsage, "bongsu: error: unknown flag\nbongsu: hint: see bongsu --help\n"},
		{"found", errFound, true, exitFound, ""},
		{"interrupted", context.Canceled, true, exitFailed, "bongsu: error: interrupted\n"},
		{"usage with a hint", usagef("try this", "no %s", "site"), true, exitUsage, "bongsu: error: no site\nbongsu: hint: try this\n"},
		{"each line on its own", errors.Join(errors.New("one"), errors.New("two")), true, exitFailed, "bongsu: error: one\nbongsu: error: two\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var talk strings.Builder
			a := &app{err: &talk, began: c.began}
			if got := a.exit(c.err); got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
			if diff := cmp.Diff(c.talk, talk.String()); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

// Every command explains itself, with an example, on a terminal of 80 columns.
func TestEveryCommandIsExplained(t *testing.T) {
	var walk func(path []string, cmd *cobra.Command)
	walk = func(path []string, cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			if name := child.Name(); name != "completion" && name != "help" {
				walk(append(slices.Clip(path), name), child)
			}
		}
		if cmd.Hidden {
			return
		}
		if !cmd.HasExample() {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short description is %q; want one line without a period", cmd.CommandPath(), cmd.Short)
		}
		var out, talk strings.Builder
		if code := run(t.Context(), append(path, "--help"), nil, &out, &talk); code != exitDone || talk.String() != "" {
			t.Errorf("%s --help: exit code %d, %s", cmd.CommandPath(), code, talk.String())
		}
		for line := range strings.Lines(out.String()) {
			if cells(line) > width {
				t.Errorf("%s --help is wider than %d: %s", cmd.CommandPath(), width, line)
			}
		}
	}
	walk(nil, (&app{}).root())
}
