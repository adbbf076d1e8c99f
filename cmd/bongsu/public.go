package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/spf13/cobra"

	"bongsu/internal/config"
	"bongsu/internal/node"
)

func publicCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "public",
		Short: "Run one node of the public side: the status page",
		Long: `Run the public node of one site until it is told to stop (Ctrl-C, SIGTERM). It
serves the status page, takes what control signed and pushes, tells subscribers, and
keeps the questions of readers. It has a store of its own and never calls control, so
that no flood of readers reaches the recovery. Run it as another user than bongsu
serve. bongsu init writes its configuration.`,
		Example: `  bongsu public --config sites/public/anyang/public.yaml`,
		Args:    exactly(),
	}
	cmd.AddCommand(publicBackupCommand(a), publicRestoreCommand(a))
	file := cmd.Flags().String("config", "", "the site's public.yaml")
	storeOnly := cmd.Flags().Bool("store-only", false, "run the store and serve nothing: for bongsu public restore")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return usagef("bongsu init --sites a,b,c DIR writes DIR/public/SITE/public.yaml", "--config is missing")
		}
		return a.public(cmd.Context(), *file, *storeOnly)
	}
	return cmd
}

func (a *app) public(ctx context.Context, file string, storeOnly bool) error {
	c, err := loadPublic(file)
	if err != nil {
		return err
	}
	for _, w := range c.Warnings() {
		a.warn(w)
	}
	if c.Nice > 0 {
		if err := node.GiveWay(c.Nice); err != nil {
			a.warn(err.Error())
		}
	}
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: c.Log.Level.Slog()}))
	o, err := node.PublicFromConfig(c, log)
	if err != nil {
		return err
	}
	o.Ready = func(page, _, desk net.Addr) {
		fmt.Fprintf(a.out, "%s: the status page is at %s (listening on %s)", c.Site, c.Self().Page, page)
		if desk != nil {
			fmt.Fprintf(a.out, ", the desk (questions and claims) on %s", desk)
		}
		fmt.Fprintln(a.out, "; Ctrl-C stops it")
	}
	run := node.RunPublic
	if storeOnly {
		o.Ready = func(_, _, _ net.Addr) {
			fmt.Fprintf(a.out, "%s: the store runs and nothing is served; Ctrl-C stops it\n", c.Site)
		}
		run = node.RunPublicStore
	}
	err = run(ctx, o)
	if errors.Is(err, syscall.EADDRINUSE) {
		return usagef("stop what listens there, or choose another port under listen and nodes in "+file, "%v", err)
	}
	return err
}

// loadPublic reads the file of a public node.
func loadPublic(file string) (*config.PublicConfig, error) {
	c, err := config.LoadPublic(file)
	if err != nil {
		return nil, &usageError{err: err, hint: "bongsu config describe --public explains every field"}
	}
	return c, nil
}
