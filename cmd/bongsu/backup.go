package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
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
		c, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		n, err := writeWhole(args[0], func(w io.Writer) (int64, error) { return c.Backup(cmd.Context(), w) })
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s: %d bytes\n", args[0], n)
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
		return 0, err
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

func restoreCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill an empty control plane from a backup",
		Long: `Fill a control plane that holds nothing yet from FILE, as bongsu backup wrote it.
One that holds anything is refused.`,
		Example: `  bongsu restore bongsu-2022-10-14.backup --yes --config sites/anyang/bongsu.yaml`,
		Args:    exactly("FILE"),
	}
	r, yes := remoteFlags(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.confirm(*yes, "restore "+args[0]); err != nil {
			return err
		}
		f, err := os.Open(args[0])
		if err != nil {
			return &usageError{err: err}
		}
		defer func() { _ = f.Close() }()
		return a.restore(cmd.Context(), r, f)
	}
	return cmd
}

func (a *app) restore(ctx context.Context, r *remote, f *os.File) error {
	c, err := r.client(ctx)
	if err != nil {
		return err
	}
	if err := c.Restore(ctx, f); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "restored from %s\n", f.Name())
	return nil
}
