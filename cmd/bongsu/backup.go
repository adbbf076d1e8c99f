package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"bongsu/internal/lang"
)

func backupCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that the control plane keeps to a file",
		Long: `Write a consistent copy of everything in the quorum (estate, incidents, runs and
journal) to FILE, with check sums. FILE appears only when it is whole.`,
		Example: `  bongsu backup bongsu-2022-10-14.backup --config sites/anyang/bongsu.yaml`,
		Args:    exactly("FILE"),
	}
	r := remoteFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		n, err := writeWhole(args[0], func(w io.Writer) (int64, error) {
			return a.meter(w, "backing up", func(w io.Writer) (int64, error) { return c.Backup(cmd.Context(), w) })
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s: %s bytes\n", args[0], lang.Number(n))
		return nil
	}
	return cmd
}

// writeWhole writes a new file that appears under its name only when it is whole.
func writeWhole(path string, write func(io.Writer) (int64, error)) (n int64, err error) {
	if _, err := os.Stat(path); err == nil {
		return 0, usagef("choose another name, or move it away", "%s exists", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, &usageError{err: err, hint: "name a file in a folder that exists and takes files"}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if n, err = write(f); err != nil {
		return n, err
	}
	if err = f.Sync(); err != nil {
		return n, err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return n, err
	}
	return n, f.Close()
}

// meter writes with f and says on a terminal how much there is already, once it
// takes long.
func (a *app) meter(w io.Writer, what string, f func(io.Writer) (int64, error)) (int64, error) {
	if !terminal(a.err) {
		return f(w)
	}
	m := &metered{w: w, a: a, what: what, next: time.Now().Add(time.Second)}
	n, err := f(m)
	if m.shown {
		fmt.Fprint(a.err, "\r\x1b[K")
	}
	return n, err
}

type metered struct {
	w     io.Writer
	a     *app
	what  string
	n     int64
	next  time.Time
	shown bool
}

func (m *metered) Write(b []byte) (int, error) {
	n, err := m.w.Write(b)
	m.n += int64(n)
	if now := time.Now(); now.After(m.next) {
		m.next, m.shown = now.Add(time.Second), true
		fmt.Fprintf(m.a.err, "\r\x1b[Kbongsu: %s ... %s bytes", m.what, lang.Number(m.n))
	}
	return n, err
}

func restoreCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill an empty control plane from a backup",
		Long: `Fill a control plane that holds nothing yet from FILE, as bongsu backup wrote it.
The whole file is checked first. A control plane that holds anything is refused; a
restore that was interrupted can be run again. Runs that were on when the backup was
made go on.`,
		Example: `  bongsu restore bongsu-2022-10-14.backup --yes`,
		Args:    exactly("FILE"),
	}
	r, yes := remoteFlags(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := os.Open(args[0])
		if err != nil {
			return &usageError{err: err, hint: "name a file that bongsu backup wrote"}
		}
		defer func() { _ = f.Close() }()
		if err := a.confirm(*yes, "restore "+args[0]); err != nil {
			return err
		}
		return a.restore(cmd.Context(), r, f)
	}
	return cmd
}

func (a *app) restore(ctx context.Context, r *remote, f *os.File) error {
	c, err := a.client(ctx, r)
	if err != nil {
		return err
	}
	if _, err := work(ctx, a, "restoring "+f.Name(), func() (any, error) { return nil, c.Restore(ctx, f) }); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "restored from %s\n", f.Name())
	return nil
}
