package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bongsu/internal/config"
	"bongsu/internal/node"
)

func serveCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run one control node",
		Long: `Run the control node of one site until it is told to stop (Ctrl-C, SIGTERM). It
takes part in the quorum, watches every site, and carries out the steps of a
recovery that take effect in its own site. bongsu init writes its configuration,
bongsu config check FILE checks it. What it does is logged to standard error.`,
		Example: `  bongsu serve --config sites/anyang/bongsu.yaml`,
		Args:    exactly(),
	}
	file := cmd.Flags().String("config", "", "the site's bongsu.yaml")
	back := cmd.Flags().Duration("stand-back", 0, "wait so long before standing for leadership the first time")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return usagef("bongsu init --sites a,b,c DIR writes DIR/SITE/bongsu.yaml", "--config is missing")
		}
		return a.serve(cmd.Context(), *file, *back)
	}
	return cmd
}

func (a *app) serve(ctx context.Context, file string, back time.Duration) error {
	c, err := config.Load(file)
	if err != nil {
		return &usageError{err: err, hint: "bongsu config describe explains every field"}
	}
	for _, w := range c.Warnings() {
		a.warn(w)
	}
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: c.Log.Level.Slog()}))
	o, err := node.FromConfig(c, log)
	if err != nil {
		return err
	}
	o.StandBack = back
	o.Ready = func(addr net.Addr) {
		fmt.Fprintf(a.out, "%s: the console is at %s (listening on %s); Ctrl-C stops the node\n", c.Site, c.Self().Console, addr)
	}
	err = node.Run(ctx, o)
	if errors.Is(err, syscall.EADDRINUSE) {
		return usagef("stop what listens there, or choose another port under listen and nodes in "+file, "%v", err)
	}
	return err
}
