package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bongsu/estate"
	"bongsu/examples"
	"bongsu/impact"
	"bongsu/internal/demo"
)

func demoCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Lose a data centre here and watch the services come back",
		Long: `Start every site of an estate on this machine, a control node, a public node and a
workload process each, with simulated users that ask every service all the time; then
kill one site with SIGKILL and show what the others do about it, and what their public
pages tell with no person. It needs no root, takes
free ports, keeps its files in a temporary folder, and leaves nothing behind.

The exit code is 0 if everything is back, 3 if all that is recoverable is back but
something is unrecoverable, else 1.`,
		Example: `  bongsu demo
  bongsu demo --estate examples/kakao-2022
  bongsu demo --lose anyang --keep`,
		Args: exactly(),
	}
	var (
		dir = cmd.Flags().String("estate", "", "the estate to play; without it, the example kakao-2023")
		o   demo.Options
	)
	f := cmd.Flags()
	lose := f.StringSlice("lose", []string{"pangyo"}, "the domains to lose")
	f.Float64Var(&o.Speed, "speed", 0, "how many times faster than life; 0 picks one so that it takes half a minute")
	f.DurationVar(&o.After, "after", 3*time.Second, "how long all is well before the loss")
	f.BoolVar(&o.Keep, "keep", false, "go on until Ctrl-C, to look around in the console")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Lose, o.Out, o.Talk, o.Colour = *lose, a.out, a.err, a.palette().on
		return a.demo(cmd.Context(), *dir, o)
	}
	cmd.AddCommand(workloadCommand(a))
	return cmd
}

func (a *app) demo(ctx context.Context, dir string, o demo.Options) error {
	switch {
	case !(o.Speed >= 0 && o.Speed <= 1e6): // a number that is none is refused too
		return usagef("leave it out to have one picked", "--speed %v must be from 0 to 1000000", o.Speed)
	case o.After < 0:
		return usagef("0s loses the site at once", "--after %v is before the beginning", o.After)
	}
	// A reader that goes away (bongsu demo | head) ends the demo as Ctrl-C does; without
	// this it would end the process alone, and leave the others and their files.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGPIPE)
	defer stop()
	var err error
	if o.Name = "kakao-2023"; dir != "" {
		o.Name = filepath.Base(dir)
		o.Estate, err = a.load(ctx, dir)
	} else {
		o.Estate, err = example(o.Name)
	}
	if err != nil {
		return err
	}
	if _, err := impact.Of(o.Estate, o.Lose); err != nil {
		return err
	}
	sites := 0
	for i := range o.Estate.Domains {
		if o.Estate.Domains[i].Type == "site" {
			sites++
		}
	}
	if sites < 3 {
		return usagef("bongsu plan "+cmp.Or(dir, "DIR")+" --lose "+strings.Join(o.Lose, ",")+" shows what would be done",
			"a demo needs three sites or more and this estate has %d: of two, neither can tell which is cut off", sites)
	}
	if o.Self, err = os.Executable(); err != nil {
		return err
	}
	outcome, err := demo.Run(ctx, o)
	switch {
	case err != nil:
		return err
	case outcome == demo.SomeUnrecoverable:
		return errFound
	case outcome == demo.NotBack:
		return errNotBack
	case outcome == demo.NotTold:
		return errNotTold
	}
	return nil
}

// example loads an estate that is built in.
func example(name string) (*estate.Snapshot, error) {
	folder, err := fs.Sub(examples.FS, name)
	if err != nil {
		return nil, err
	}
	return estate.Load(folder)
}

// workloadCommand is the process that the demo starts for each site.
func workloadCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "workload FILE",
		Short:   "Stand for all servers of one site of a demo",
		Example: `  bongsu demo workload workload-pangyo.json`,
		Args:    exactly("FILE"),
		Hidden:  true,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return &usageError{err: err}
		}
		var c demo.WorkloadConfig
		if err := json.Unmarshal(text, &c); err != nil {
			return &usageError{err: fmt.Errorf("%s: %w", args[0], err)}
		}
		s, err := estate.Load(os.DirFS(c.Estate))
		if err != nil {
			return err
		}
		return demo.RunWorkload(cmd.Context(), c, s, slog.New(slog.NewTextHandler(a.err, nil)))
	}
	return cmd
}
