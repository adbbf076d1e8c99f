package actuate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"bongsu/recovery"
)

// execRun is how a program is run: argv without a shell.
type execRun struct {
	argv   []string
	env    []string // names of variables that the program is given
	dir    string
	check  []string // exit 0: done, 1: not done, anything else: unknown
	verify []string // likewise
	settle time.Duration
}

func execArgs(args map[string]any) (execRun, error) {
	f := newFields(DriverExec, args)
	r := execRun{
		argv: f.texts("argv"), check: f.texts("check"), verify: f.texts("verify"),
		env: f.texts("env"), dir: f.text("dir"), settle: f.duration("settle"),
	}
	f.duration("limit") // recovery enforces it
	f.flag("idempotent")
	if len(r.argv) == 0 && f.args["argv"] == nil {
		f.fail("argv", "want the program and its arguments, for example [/usr/bin/systemctl, start, app]")
	}
	for _, list := range [][]string{r.argv, r.check, r.verify} {
		if list != nil && (len(list) == 0 || list[0] == "") {
			f.fail("argv", "the program is empty")
		}
		for _, text := range list {
			if err := placeholders(text, false); err != nil {
				f.fail("argv", "%v", err)
			}
		}
	}
	name := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	for _, v := range r.env {
		if !name.MatchString(v) {
			f.fail("env", "want names of variables of the node such as [PGPASSFILE], got %q; values never stand in the estate", v)
		}
	}
	if r.dir != "" && !filepath.IsAbs(r.dir) {
		f.fail("dir", "want an absolute path, got %q", r.dir)
	}
	return r, f.end()
}

type execDriver struct{ o Options }

// Act runs the program and wants exit 0.
func (d execDriver) Act(ctx context.Context, r recovery.Request) (string, error) {
	x, err := execArgs(r.Step.Args)
	if err != nil {
		return "", err
	}
	code, out, err := d.run(ctx, x, x.argv, r)
	switch {
	case err != nil:
		return "", err
	case code != 0:
		return "", fmt.Errorf("%s: exit %d%s", x.argv[0], code, said(out))
	}
	return strings.TrimPrefix(said(out), ": "), nil
}

// Check runs the check program.
func (d execDriver) Check(ctx context.Context, r recovery.Request) (recovery.Answer, error) {
	x, err := execArgs(r.Step.Args)
	if err != nil {
		return recovery.Unknown, err
	}
	if x.check == nil {
		return recovery.Unknown, nil
	}
	return d.ask(ctx, x, x.check, r)
}

// Verify runs the verify program, again and again for as long as the effect may
// take to settle. Without one, what the program said is taken at its word.
func (d execDriver) Verify(ctx context.Context, r recovery.Request) (recovery.Answer, error) {
	x, err := execArgs(r.Step.Args)
	if err != nil {
		return recovery.Unknown, err
	}
	if x.verify == nil {
		return recovery.Done, nil
	}
	return verify(ctx, x.settle, func() (recovery.Answer, error) { return d.ask(ctx, x, x.verify, r) })
}

func (d execDriver) ask(ctx context.Context, x execRun, argv []string, r recovery.Request) (recovery.Answer, error) {
	code, out, err := d.run(ctx, x, argv, r)
	switch {
	case err != nil:
		return recovery.Unknown, err
	case code == 0:
		return recovery.Done, nil
	case code == 1:
		return recovery.NotDone, nil
	}
	return recovery.Unknown, fmt.Errorf("%s: exit %d%s", argv[0], code, said(out))
}

// stopTime is how long a program may take to end after it was asked to.
const stopTime = 2 * time.Second

// run runs one program in a process group of its own and returns its exit code and
// the end of what it said. When ctx ends, the whole group is asked to end, and
// killed if it does not.
func (d execDriver) run(ctx context.Context, x execRun, argv []string, r recovery.Request) (int, string, error) {
	argv, err := newExpander(r, d.o, false).fillAll(argv)
	if err != nil {
		return 0, "", err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // running the programs of the estate is what this is for
	cmd.Dir = x.dir
	cmd.Env = d.environment(x, r)
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = stopTime
	release := group(cmd)
	defer release()
	if err := cmd.Start(); err != nil {
		return 0, "", fmt.Errorf("start: %w", err)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		killGroup(cmd)
		return 0, "", fmt.Errorf("%s was stopped: %w%s", argv[0], ctx.Err(), said(out.String()))
	}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it left something behind that holds its output open
		return 0, out.String(), nil
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), out.String(), nil
	}
	killGroup(cmd) // it was killed by a signal; what it started must not go on alone
	return 0, "", fmt.Errorf("%s: %w%s", argv[0], err, said(out.String()))
}

// environment is what a program is told: PATH, the variables that the estate
// names, and what the step is.
func (d execDriver) environment(x execRun, r recovery.Request) []string {
	env := []string{
		"BONGSU_RUN=" + r.Run, "BONGSU_KEY=" + r.Key, "BONGSU_STEP=" + r.Step.ID, "BONGSU_COMPONENT=" + r.Step.Component,
		"BONGSU_ACTION=" + r.Step.Action, "BONGSU_AT=" + r.Step.At, "BONGSU_SITE=" + r.Step.Site, "BONGSU_NODE=" + r.Node,
		fmt.Sprintf("BONGSU_ATTEMPT=%d", r.Attempt), fmt.Sprintf("BONGSU_COUNT=%d", r.Step.Count),
	}
	for _, name := range append([]string{"PATH"}, x.env...) {
		if v, ok := d.o.Env(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// said is the last line of what a program wrote, for people.
func said(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := strings.ToValidUTF8(strings.TrimSpace(lines[len(lines)-1]), "?")
	if len(last) > 300 {
		last = strings.ToValidUTF8(last[:300], "") + "…"
	}
	if last == "" {
		return ""
	}
	return ": " + last
}

// tail keeps the last few kilobytes that are written to it.
type tail struct{ b bytes.Buffer }

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	p = p[max(0, len(p)-tailSize):]
	if over := t.b.Len() + len(p) - tailSize; over > 0 {
		t.b.Next(over)
	}
	t.b.Write(p)
	return n, nil
}

func (t *tail) String() string { return t.b.String() }
