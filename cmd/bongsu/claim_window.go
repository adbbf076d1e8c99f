package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bongsu/claim"
	"bongsu/web/deskapi"
)

func claimWindowCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:     "window",
		Short:   "Say when damage reports are taken in",
		Long:    "Open, extend and close the time in which damage reports about an incident are\ntaken in. A window that was prepared opens by itself when an incident is told of.",
		Example: "  bongsu claim window list",
	}, claimWindowList(a), claimWindowVerb(a, "open"), claimWindowVerb(a, "extend"), claimWindowVerb(a, "close"))
}

func claimWindowList(a *app) *cobra.Command {
	return deskCommand(a, &cobra.Command{
		Use:     "list",
		Short:   "Show every window",
		Long:    "Show about which incidents reports are, or were, taken in, and until when.",
		Example: "  bongsu claim window list",
		Args:    exactly(),
	}, deskDo[[]claim.Window]{
		json: "a list of {incident, title, opens, closes,\nlateUntil, services, changes, version, …}",
		do: func(ctx context.Context, c *deskapi.Client, _ []string) ([]claim.Window, error) {
			return c.Windows(ctx)
		},
		show: func(all []claim.Window) {
			if len(all) == 0 {
				fmt.Fprintln(a.out, "no reports were ever taken in")
			}
			now := time.Now()
			for i := range all {
				a.showWindow(&all[i], now)
			}
		},
	})
}

func (a *app) showWindow(w *claim.Window, now time.Time) {
	state := map[claim.Phase]string{claim.Early: "not open yet", claim.Taken: "open", claim.Late: "late reports only", claim.Over: "over"}[w.At(now)]
	fmt.Fprintf(a.out, "%s  %s\n  %s until %s", w.Incident, w.Title["en"], state, w.Closes.UTC().Format(time.RFC3339))
	if !w.LateUntil.IsZero() {
		fmt.Fprintf(a.out, ", late ones until %s", w.LateUntil.UTC().Format(time.DateOnly))
	}
	fmt.Fprintln(a.out)
}

func claimWindowVerb(a *app, verb string) *cobra.Command {
	long := map[string]string{
		"open":   "Open the window for reports about INCIDENT with what the configuration has\nprepared. One that is open stays as it is. An incident that control has not told\nthe public side of is refused, unless --prepared says that it is still to come.",
		"extend": "Move the end of the window to --until, also of one that is over. Reports that\ncame late stay marked.",
		"close":  "End the window now. Reports that were taken in are decided and paid as before.",
	}[verb]
	cmd := &cobra.Command{
		Use:   verb + " INCIDENT",
		Short: map[string]string{"open": "Open a window", "extend": "Move the end of a window", "close": "End a window now"}[verb],
		Long:  long,
		Example: "  bongsu claim window " + verb + ` 20221015-pangyo` + map[string]string{"open": " --yes", "extend": ` \
      --until 2022-11-06T23:59:00+09:00 --why "asked for by shops" --yes`, "close": ` --why "all is quiet" --yes`}[verb],
		Args: exactly("INCIDENT"),
	}
	var q deskapi.WindowRequest
	var until *string
	if verb != "close" {
		until = cmd.Flags().String("until", "", "the new end: date, time and zone")
	}
	why := new(string)
	if verb == "open" {
		why = cmd.Flags().String("why", "", "the reason, if --until is given")
		cmd.Flags().BoolVar(&q.Prepared, "prepared", false, "open it ahead of the record of INCIDENT")
	} else {
		why = whyFlag(cmd)
	}
	return deskCommand(a, cmd, deskDo[claim.Window]{
		json: "{incident, title, opens, closes,\nlateUntil, services, changes, version, …}",
		ask:  func(args []string) string { return verb + " the window of " + args[0] },
		do: func(ctx context.Context, c *deskapi.Client, args []string) (claim.Window, error) {
			q.Why = *why
			if until != nil && *until != "" {
				t, err := timeFlag("until", *until)
				if err != nil {
					return claim.Window{}, err
				}
				q.Until = t
			}
			if verb == "extend" && q.Until.IsZero() {
				return claim.Window{}, usagef("write a date, a time and a zone, such as 2022-11-06T23:59:00+09:00", "--until is missing")
			}
			return c.Window(ctx, args[0], verb, q)
		},
		show: func(w claim.Window) { a.showWindow(&w, time.Now()) },
	})
}
