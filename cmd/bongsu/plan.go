package main

import (
	"time"

	"github.com/spf13/cobra"

	"bongsu/estate"
	"bongsu/plan"
)

func planCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan DIR --lose DOMAIN[,DOMAIN...]",
		Short: "Order the steps that bring the services back",
		Long: `Choose which actions bring back what the loss takes from the estate in DIR,
where and in which order, so that users lose as little as can be. The cost of a
plan is the sum over services of users x weight x time down; the plan states it
together with a lower bound that no plan can beat.

The same estate and loss give the same plan on any machine, unless --time is
given: then the search goes on for that long, and the result says so.

With --format json: {lost, estate, objective, steps, services, objectives,
blockers}; times are seconds from the loss, and upAt is null for what stays
down.`,
		Example: `  bongsu plan examples/two-sites --lose north
  bongsu plan examples/kakao-2023 --lose pangyo --format json`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
	}
	lost := loseFlag(cmd)
	horizon, limit := duration(plan.DefaultHorizon), duration(0)
	cmd.Flags().Var(&horizon, "horizon", "until when after the loss the users of what is down count")
	rounds := cmd.Flags().Int("rounds", plan.DefaultRounds, "how much to search; 0 takes the first plan")
	cmd.Flags().Var(&limit, "time", "search for this long instead; the plan then depends on the machine")
	f := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *rounds < 0:
			return usagef("", "--rounds must not be negative")
		case horizon <= 0:
			return usagef("for example --horizon 48h", "--horizon must be longer than 0s")
		case cmd.Flags().Changed("rounds") && limit > 0:
			return usagef("", "--rounds and --time exclude each other")
		}
		opts := plan.Options{Horizon: time.Duration(horizon), Rounds: *rounds, Time: time.Duration(limit)}
		if *rounds == 0 {
			opts.Rounds = -1
		}
		im, err := a.impactOf(cmd.Context(), args[0], *lost)
		if err != nil {
			return err
		}
		p, err := work(cmd.Context(), a, "planning", func() (*plan.Plan, error) { return plan.For(im, opts), nil })
		if err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(p)
		}
		return p.Text(a.out, width)
	}
	return cmd
}

// duration is a flag in the units of the estate format, such as 36h or 7d.
type duration time.Duration

func (d *duration) Type() string { return "duration" }

func (d *duration) String() string {
	if *d == 0 {
		return "" // not set, which help need not show
	}
	return estate.FormatDuration(time.Duration(*d))
}

func (d *duration) Set(s string) error {
	v, err := estate.ParseDuration(s)
	*d = duration(v)
	return err
}
