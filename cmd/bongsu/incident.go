package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/web"
)

func incidentCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "incident",
		Short: "Declare a loss, confirm or withdraw one, look at it, close it",
		Long: `A declared loss is an incident: the record that the recovery and everything
after it hang on. Detection proposes one by itself; a person declares it, or policy
does where the nodes' configuration says so.`,
		Example: `  bongsu incident declare pangyo --why "battery fire" --config sites/anyang/bongsu.yaml`,
	},
		incidentDeclareCommand(a),
		incidentShowCommand(a),
		incidentVerb(a, web.Confirm, "confirm", "Declare what detection proposed", "Declare the losses that incident ID proposes, so that the recovery starts."),
		incidentVerb(a, web.Close, "close", "Close an incident that is over", "Close incident ID: what was lost is back, or is given up."),
		incidentVerb(a, web.Withdraw, "withdraw", "Withdraw an incident that was a mistake", "Withdraw incident ID: nothing was lost after all."),
	)
}

func incidentDeclareCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "declare DOMAIN...",
		Short: "Declare failure domains lost",
		Long: `Declare the named domains lost. The nodes make a plan and, where policy or an
approver says so, carry it out. With a token of an operator it is only proposed.`,
		Example: `  bongsu incident declare pangyo --why "battery fire" --yes --config sites/anyang/bongsu.yaml`,
		Args:    cobra.MinimumNArgs(1),
	}
	r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.confirm(*yes, "declare "+strings.Join(args, ", ")+" lost"); err != nil {
			return err
		}
		c, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		id, err := c.Declare(cmd.Context(), args, *why)
		if err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(map[string]string{"incident": id})
		}
		fmt.Fprintf(a.out, "incident %s\n", id)
		a.hint("bongsu incident show " + id + " follows it; bongsu run list shows the recovery")
		return nil
	}
	return cmd
}

func incidentShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [ID]",
		Short:   "Show an incident, or list them all",
		Long:    `Show what is known of incident ID and what happened in it, or list all incidents, newest first.`,
		Example: `  bongsu incident show --config sites/anyang/bongsu.yaml`,
		Args:    between(0, "ID"),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		var all []web.Incident
		if len(args) == 1 {
			i, err := c.Incident(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if *f == formatJSON {
				return a.printJSON(i)
			}
			a.incident(i)
			return nil
		}
		if all, err = c.Incidents(cmd.Context()); err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(map[string]any{"incidents": all})
		}
		if len(all) == 0 {
			fmt.Fprintln(a.out, "No incident so far.")
		}
		for _, i := range all {
			fmt.Fprintf(a.out, "%-28s %-10s %s\n", i.ID, i.State, strings.Join(append(i.Lost, i.Proposed...), ", "))
		}
		return nil
	}
	return cmd
}

func (a *app) incident(i web.Incident) {
	a.heading("Incident", fmt.Sprintf("%s, %s since %s", i.ID, i.State, i.LostAt.UTC().Format(time.RFC3339)))
	a.section("Lost", strings.Join(i.Lost, ", "))
	if len(i.Proposed) > 0 {
		a.section("Proposed", strings.Join(i.Proposed, ", "))
	}
	if i.Sentence != "" {
		a.section("Verdict", i.Sentence)
	}
	if i.Run != "" {
		a.section("Run", i.Run)
	}
	for _, e := range i.History {
		a.paragraph(entryLine(e))
	}
}

// entryLine writes one line of a journal.
func entryLine(e web.Entry) string {
	parts := []string{e.At.UTC().Format("2006-01-02 15:04:05Z"), e.Who, e.What}
	for _, p := range []string{e.Step, e.Text, e.Why} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "  ")
}

// incidentVerb is a command that decides about one incident.
func incidentVerb(a *app, verb web.Verb, name, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " ID", Short: short, Long: long,
		Example: `  bongsu incident ` + name + ` 20221015-pangyo --why "..." --yes --config sites/anyang/bongsu.yaml`,
		Args:    exactly("ID"),
	}
	r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.confirm(*yes, name+" incident "+args[0]); err != nil {
			return err
		}
		return a.decide(cmd, r, *f, web.Command{Verb: verb, Incident: args[0], Why: *why})
	}
	return cmd
}

// decide sends one decision and says what came of it.
func (a *app) decide(cmd *cobra.Command, r *remote, f format, c web.Command) error {
	client, err := r.client(cmd.Context())
	if err != nil {
		return err
	}
	id, err := client.Do(cmd.Context(), c)
	if err != nil {
		return err
	}
	if f == formatJSON {
		return a.printJSON(map[string]string{"id": id, "did": string(c.Verb)})
	}
	fmt.Fprintf(a.out, "%s: %s\n", id, c.Verb)
	return nil
}
