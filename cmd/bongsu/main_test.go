package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/korean"

	"bongsu/internal/port"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bongsu": main})
}

// TestScript runs testdata/script/*.txtar: each is a story of the command line.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			dir, err := filepath.Abs("../../examples")
			env.Setenv("EXAMPLES", dir)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"empty":    empty,
			"exitcode": exitCode,
			"large":    large,
			"await":    await,
			"grab":     grab,
			"maxwidth": maxWidth,
			"mkfifo":   mkfifo,
			"replace":  replace,
			"ports":    ports,
			"running":  running,
			"hangup":   hangup,
			"desk":     desk,
			"workbook": workbook,
			"euckr":    eucKR,
			"bomb":     bomb,
		},
	})
}

// exitCode N ARGS… runs bongsu with the arguments and wants the exit code N.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exitcode N ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("bongsu", args[1:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("bongsu %s: %v", strings.Join(args[1:], " "), err)
	}
	if got != want {
		ts.Fatalf("bongsu %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// maxWidth N FILE wants every line of the file, stdout or stderr to take at
// most N cells of a terminal.
func maxWidth(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: maxwidth N FILE")
	}
	limit, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := ts.ReadFile(args[1])
	if text == "" {
		ts.Fatalf("%s is empty", args[1])
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if n := cells(strings.TrimSuffix(line, "\n")); n > limit {
			ts.Fatalf("%s:%d: %d cells wide, at most %d: %s", args[1], number, n, limit, line)
		}
	}
}

// mkfifo FILE makes a named pipe: who reads it waits until somebody writes.
func mkfifo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mkfifo FILE")
	}
	ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o600))
}

// empty DIR wants nothing in the folder.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty DIR")
	}
	found, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) > 0 {
		ts.Fatalf("%s holds %v", args[0], found)
	}
}

// patience is how long await waits for what takes a moment on a quiet machine.
const patience = 40 * time.Second

// await PATTERN ARGS… runs bongsu with the arguments until it succeeds and its
// output matches; $VARIABLES of the pattern are replaced.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN ARGS...")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	until(ts, "bongsu "+strings.Join(args[1:], " ")+" to print "+args[0], func() bool {
		return ts.Exec("bongsu", args[1:]...) == nil && re.MatchString(ts.ReadFile("stdout"))
	})
}

// until asks again and again until ok.
func until(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			ts.Fatalf("waited %v for %s", patience, what)
		}
		<-tick.C
	}
}

// grab NAME PATTERN FILE sets an environment variable to the first group.
func grab(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: grab NAME PATTERN FILE")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile(args[2]))
	if len(m) < 2 {
		ts.Fatalf("%s does not match %s", args[2], args[1])
	}
	ts.Setenv(args[0], m[1])
}

// ports NAME... sets each variable to the first of the ports in a row that are the
// script's until it ends.
func ports(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: ports NAME...")
	}
	for _, name := range args {
		first, release, err := port.Reserve(context.Background(), port.Most)
		ts.Check(err)
		ts.Defer(release)
		ts.Setenv(name, strconv.Itoa(first))
		ts.Setenv(name+"_CONSOLE", strconv.Itoa(first+2))
	}
}

// running TEXT [N] wants processes whose command line holds the text: at least N, or
// with a negation none at all. It waits for them to come, not to go.
func running(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || len(args) > 2 || neg && len(args) > 1 {
		ts.Fatalf("usage: [!] running TEXT [N]")
	}
	find := func() (found []string) {
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		ts.Check(err)
		for _, f := range files {
			// What ended since has none.
			if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), args[0]) {
				found = append(found, f+": "+strings.ReplaceAll(string(b), "\x00", " "))
			}
		}
		return found
	}
	if neg {
		if left := find(); len(left) > 0 {
			ts.Fatalf("still running:\n%s", strings.Join(left, "\n"))
		}
		return
	}
	want := 1
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		want = n
	}
	until(ts, strconv.Itoa(want)+" processes with "+args[0], func() bool { return len(find()) >= want })
}

// hangup TEXT sends SIGHUP to the process that started those with TEXT in their command
// line, as a terminal that is closed does.
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hangup TEXT")
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || !strings.Contains(string(b), args[0]) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(f), "status"))
		ts.Check(err)
		_, rest, ok := strings.Cut(string(status), "PPid:\t")
		parent, err := strconv.Atoi(strings.SplitN(rest, "\n", 2)[0])
		if !ok || err != nil || parent <= 1 {
			ts.Fatalf("%s has no parent", f)
		}
		ts.Check(syscall.Kill(parent, syscall.SIGHUP))
		return
	}
	ts.Fatalf("nothing runs with %s", args[0])
}

// large FILE N makes a file of N MiB that takes no room.
func large(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: large FILE N")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	ts.Check(os.WriteFile(name, nil, 0o600))
	ts.Check(os.Truncate(name, n<<20))
}

// replace OLD NEW FROM TO copies a file with OLD, which must be there, replaced.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: replace OLD NEW FROM TO")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s has no %s", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(strings.ReplaceAll(text, args[0], args[1])), 0o600))
}

// workbook CSV XLSX makes a workbook of a table; cells that begin with = are formulas.
func workbook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: workbook CSV XLSX")
	}
	c := csv.NewReader(strings.NewReader(ts.ReadFile(args[0])))
	c.FieldsPerRecord = -1
	rows, err := c.ReadAll()
	ts.Check(err)
	f := excelize.NewFile()
	for y, row := range rows {
		for x, cell := range row {
			at, err := excelize.CoordinatesToCellName(x+1, y+1)
			ts.Check(err)
			if text, ok := strings.CutPrefix(cell, "="); ok {
				ts.Check(f.SetCellFormula("Sheet1", at, text))
			} else if n, err := strconv.ParseInt(cell, 10, 64); err == nil {
				ts.Check(f.SetCellInt("Sheet1", at, n))
			} else {
				ts.Check(f.SetCellStr("Sheet1", at, cell))
			}
		}
	}
	ts.Check(f.SaveAs(ts.MkAbs(args[1])))
	ts.Check(f.Close())
}

// eucKR FROM TO copies a text in the encoding of Korean spreadsheets.
func eucKR(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: euckr FROM TO")
	}
	data, err := korean.EUCKR.NewEncoder().String(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(data), 0o600))
}

// bomb FILE makes a small workbook that unpacks to 300 MB.
func bomb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bomb FILE")
	}
	var zeros bytes.Buffer
	squeeze, err := flate.NewWriter(&zeros, flate.BestSpeed)
	ts.Check(err)
	for range 100 {
		_, err := squeeze.Write(make([]byte, 1<<20))
		ts.Check(err)
	}
	ts.Check(squeeze.Close())
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	w := zip.NewWriter(f)
	for n := range 3 {
		part, err := w.CreateRaw(&zip.FileHeader{
			Name: fmt.Sprintf("xl/worksheets/sheet%d.xml", n+1), Method: zip.Deflate, CompressedSize64: uint64(zeros.Len()), UncompressedSize64: 100 << 20,
		})
		ts.Check(err)
		_, err = part.Write(zeros.Bytes())
		ts.Check(err)
	}
	ts.Check(w.Close())
	ts.Check(f.Close())
}
