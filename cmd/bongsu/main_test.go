package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
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
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exitcode": exitCode,
			"maxwidth": maxWidth,
			"mkfifo":   mkfifo,
			"opened":   opened,
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

// opened FIFO waits until somebody reads the pipe.
func opened(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: opened FIFO")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY, 0)
	ts.Check(err)
	ts.Defer(func() { _ = f.Close() })
}
