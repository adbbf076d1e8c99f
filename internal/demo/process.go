package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// workloadEnv tells a node where the workload of its own site answers.
const workloadEnv = "BONGSU_DEMO_WORKLOAD"

// A group is one process in a process group of its own, so that it can be killed
// with everything it started, and dies with the demo whatever happens to that.
type group struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	once sync.Once
}

// launch starts a process whose output goes to a file in dir.
func launch(self, dir, name string, env []string, args ...string) (*group, error) {
	path := filepath.Join(dir, name+".log")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	// Not exec.CommandContext: the process is ended by kill, with its group.
	cmd := exec.Command(self, args...) //nolint:noctx,gosec // our own binary; ended by group.kill
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	g := &group{name: name, cmd: cmd, log: path, done: make(chan struct{})}
	go func() { // ends with the process
		defer close(g.done)
		_ = cmd.Wait()
	}()
	return g, nil
}

// kill ends the group with SIGKILL and waits for it.
func (g *group) kill() {
	g.once.Do(func() { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) })
	<-g.done
}

// died returns what the process said last, if it has ended.
func (g *group) died() error {
	select {
	case <-g.done:
	default:
		return nil
	}
	return fmt.Errorf("%s ended: %s", g.name, tail(g.log))
}

// tail returns the end of a log.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err == nil && st.Size() > 2000 {
		_, _ = f.Seek(-2000, io.SeekEnd)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// until asks again and again until ok says yes, ctx ends, or a process dies.
func until(ctx context.Context, limit time.Duration, what string, groups []*group, ok func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		for _, g := range groups {
			if err := g.died(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%s: not within %v", what, limit)
			}
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
