package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/web"
)

func runCommand(a *app) *cobra.Command {
	const example = ` 20221015-063400-ab12 --why "..." --config sites/anyang/bongsu.yaml`
	verb := func(v web.Verb, short, long string) *cobra.Command {
		cmd := &cobra.Command{
			Use: string(v) + " RUN", Short: short, Long: long,
			Example: "  bongsu run " + string(v) + example, Args: exactly("RUN"),
		}
		r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := a.confirm(*yes, string(v)+" run "+args[0]); err != nil {
				return err
			}
			return a.decide(cmd, r, *f, web.Command{Verb: v, Run: args[0], Why: *why})
		}
		return cmd
	}
	step := func(v web.Verb, short, long string) *cobra.Command {
		cmd := &cobra.Command{
			Use: string(v) + " RUN STEP", Short: short, Long: long,
			Example: "  bongsu run " + string(v) + " 20221015-063400-ab12 talk-db/promote@anyang --why \"...\" --yes", Args: exactly("RUN", "STEP"),
		}
		r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := a.confirm(*yes, string(v)+" step "+args[1]); err != nil {
				return err
			}
			return a.decide(cmd, r, *f, web.Command{Verb: v, Run: args[0], Step: args[1], Why: *why})
		}
		return cmd
	}
	return a.group(&cobra.Command{
		Use:   "run",
		Short: "Look at a recovery and control it",
		Long: `A run is one execution of a plan. Every decision about one is journaled with who
and why.`,
		Example: `  bongsu run list --config sites/anyang/bongsu.yaml`,
	},
		runListCommand(a), runShowCommand(a),
		verb(web.Approve, "Let a run that waits for approval begin", "Approve RUN: its steps begin to be carried out."),
		verb(web.Pause, "Begin no further step", "Pause RUN: what has begun goes on, nothing new begins."),
		verb(web.Resume, "Go on after a pause", "Resume RUN after a pause."),
		verb(web.Abort, "End a run for good", "Abort RUN: what has begun is stopped, nothing new begins, and it cannot be resumed."),
		step(web.Skip, "Go on without a step", "Skip STEP of RUN: its effect is not there, and a new plan is made for the rest."),
		step(web.Retry, "Try a failed step again", "Retry STEP of RUN. The actuator is asked first whether it took effect."),
		step(web.Confirm, "Say that a manual step is done, or may go ahead", "Confirm STEP of RUN: a person did it, or answers yes to what it asks."),
		step(web.Fail, "Say that a manual step failed, or may not go ahead", "Say no to STEP of RUN: it was not done, or may not go ahead."),
	)
}

func runListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List all runs, newest first",
		Example: `  bongsu run list --config sites/anyang/bongsu.yaml`, Args: exactly(),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		runs, err := c.Runs(cmd.Context())
		if err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(map[string]any{"runs": runs})
		}
		if len(runs) == 0 {
			fmt.Fprintln(a.out, "No run so far.")
		}
		for _, x := range runs {
			fmt.Fprintf(a.out, "%-22s %-10s %s\n", x.ID, x.State, strings.Join(x.Lost, ", "))
		}
		return nil
	}
	return cmd
}

func runShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show RUN", Short: "Show one run: its steps, planned against actual, and its journal",
		Example: `  bongsu run show 20221015-063400-ab12 --config sites/anyang/bongsu.yaml`, Args: exactly("RUN"),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		x, err := c.Run(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(x)
		}
		a.heading("Run", fmt.Sprintf("%s, %s; %d of %d steps done", x.ID, x.State, x.Progress.Done, x.Progress.Total))
		for i := range x.Waiting {
			a.section("Waits for you", x.Waiting[i].Step+": "+x.Waiting[i].Asks)
		}
		for i := range x.Steps {
			st := &x.Steps[i]
			took := "-"
			if st.Begun != nil && st.Ended != nil {
				took = fmt.Sprintf("%.1f s", *st.Ended-*st.Begun)
			}
			fmt.Fprintf(a.out, "%-9s %8.0f s %9s  %s\n", st.State, st.Start, took, st.ID)
			if st.Detail != "" {
				a.paragraph("  " + st.Detail)
			}
		}
		for _, e := range x.Journal {
			a.paragraph(entryLine(e))
		}
		return nil
	}
	return cmd
}
