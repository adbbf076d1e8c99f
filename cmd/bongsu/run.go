package main

import (
	"github.com/spf13/cobra"

	"bongsu/web"
)

func runCommand(a *app) *cobra.Command {
	const example = ` 20221015-063400-ab12 --why "..." --yes`
	verb := func(v web.Verb, short, long string) *cobra.Command {
		cmd := &cobra.Command{
			Use: string(v) + " RUN", Short: short, Long: long + "\n\nWith --format json: {id, did}.",
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
			Use: string(v) + " RUN STEP", Short: short, Long: long + "\n\nWith --format json: {id, did}.",
			Example: "  bongsu run " + string(v) + " RUN talk-db/promote@anyang --why \"...\" --yes", Args: exactly("RUN", "STEP"),
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
