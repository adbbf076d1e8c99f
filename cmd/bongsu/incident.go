package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/incident"
	"bongsu/web"
)

func incidentCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "incident",
		Short: "Declare a loss, keep its record, close it",
		Long: `A declared loss is an incident: the record that the recovery and everything
after it hang on: which services were down when, whose fault it was, who had which
role, what was decided, what the public was told, and the duties with a deadline.
docs/incident-record.md tells how it is kept. Detection proposes one by itself; a person declares it, or policy
does where the nodes' configuration says so.`,
		Example: `  bongsu incident declare pangyo --why "battery fire"`,
	},
		incidentDeclareCommand(a),
		incidentShowCommand(a),
		incidentVerb(a, web.Confirm, "confirm", "Declare what detection proposed", "Declare the losses that incident ID proposes, so that the recovery starts."),
		incidentVerb(a, web.Ack, "ack", "Answer the calls of an incident", "Say that you see to incident ID, so that nobody else is called for what is known now."),
		incidentVerb(a, web.Close, "close", "Close an incident that is over", "Close incident ID: what was lost is back, or is given up."),
		incidentVerb(a, web.Withdraw, "withdraw", "Withdraw an incident that was a mistake", "Withdraw incident ID: nothing was lost after all."),
		incidentNoteCommand(a), incidentDecideCommand(a), incidentAssignCommand(a), incidentFaultCommand(a), incidentCorrectCommand(a),
		incidentUpdateCommand(a), incidentClocksCommand(a), incidentDoneCommand(a), incidentDraftsCommand(a), incidentExportCommand(a), incidentReportCommand(a),
	)
}

func incidentDeclareCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "declare DOMAIN...",
		Short: "Declare failure domains lost",
		Long: `Declare the named domains lost. The nodes make a plan and, where policy or an
approver says so, carry it out. With a token of an operator it is only proposed.

With --format json: {incident}, its ID.`,
		Example: `  bongsu incident declare pangyo --why "battery fire" --yes`,
		Args:    cobra.MinimumNArgs(1),
	}
	r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.confirm(*yes, "declare "+strings.Join(args, ", ")+" lost"); err != nil {
			return err
		}
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		id, err := c.Declare(cmd.Context(), args, *why)
		if err != nil {
			return err
		}
		shows(cmd.Context(), func() bool {
			_, err := c.Incident(cmd.Context(), id)
			return err == nil
		})
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
		Use:   "show [ID]",
		Short: "Show an incident, or list them all",
		Long: `Show what is known of incident ID and what happened in it, or list all incidents,
newest first.

With --format json: the incident {id, state, lost, proposed, sentence, by, why,
lostAt, run, history, record}, or {incidents}; the record is all that hangs on it:
{intervals, outages, roles, faults, bases, updates, clocks, calls, notes, ...}. The state is proposed, declared, closed or
withdrawn; the history is a list of {at, who, what, why}.`,
		Example: `  bongsu incident show --config sites/anyang/bongsu.yaml`,
		Args:    between(0, "ID"),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		var all []web.Incident
		if len(args) == 1 {
			i, err := c.Incident(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rec, err := c.Record(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if *f == formatJSON {
				return a.printJSON(struct {
					web.Incident

					Record web.Record `json:"record"`
				}{i, rec})
			}
			a.incident(i, &rec)
			return nil
		}
		if all, err = c.Incidents(cmd.Context()); err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(map[string]any{"incidents": all})
		}
		a.incidents(all)
		return nil
	}
	return cmd
}

func (a *app) incidents(all []web.Incident) {
	if len(all) == 0 {
		a.paragraph("No incident so far.")
		return
	}
	t := table{right: []bool{false, false, false}}
	t.add("LOST", cell{text: "INCIDENT"}, cell{text: "STATE"}, cell{text: "SINCE"})
	for _, i := range all {
		t.add(lostOf(i), cell{text: i.ID}, cell{string(i.State), a.incidentPaint(i.State)}, cell{text: minute(i.LostAt)})
	}
	t.print(a.out)
}

// lostOf names what is lost, and what only may be.
func lostOf(i web.Incident) string {
	text := strings.Join(i.Lost, ", ")
	if len(i.Proposed) > 0 {
		if text != "" {
			text += "; "
		}
		text += "proposed: " + strings.Join(i.Proposed, ", ")
	}
	return text
}

func (a *app) incidentPaint(s web.State) func(string) string {
	switch p := a.palette(); s {
	case web.StateProposed:
		return p.warn
	case web.StateDeclared:
		return p.bad
	default:
		return nil
	}
}

func (a *app) incident(i web.Incident, rec *web.Record) {
	a.heading("Incident", fmt.Sprintf("%s, %s, lost since %s", i.ID, i.State, second(i.LostAt)))
	a.heading("Lost", lostOf(i))
	if i.Sentence != "" {
		a.heading("Seen", i.Sentence)
	}
	if i.Why != "" {
		a.heading("Why", i.Why+" ("+i.By+")")
	}
	if i.Run != "" {
		a.heading("Run", i.Run+"; bongsu run show "+i.Run)
	}
	if i.State == web.StateProposed {
		a.section("Waits for a person", "is it lost?")
		fmt.Fprintln(a.out, "  bongsu incident confirm "+i.ID+` --why "..."`)
		fmt.Fprintln(a.out, "  bongsu incident withdraw "+i.ID+` --why "..."`)
	}
	a.record(rec)
	a.section("Journal", "")
	a.entries(i.History)
}

// entries prints a journal, one thing that happened below the other.
func (a *app) entries(all []web.Entry) {
	t := table{right: []bool{false, false}}
	for _, e := range all {
		t.add(entryText(e), cell{text: second(e.At)}, cell{text: e.Who})
	}
	t.print(a.out)
}

// second is a time for people who look at one day, in UTC.
func second(t time.Time) string { return t.UTC().Format("01-02 15:04:05Z") }

// entryText is what a journal says of one thing that happened.
func entryText(e web.Entry) string {
	parts := []string{strings.TrimSpace(e.What + " " + e.Step)}
	for _, more := range []string{e.Text, e.Why} {
		if more != "" {
			parts = append(parts, more)
		}
	}
	return strings.Join(parts, ": ")
}

// incidentVerb is a command that decides about one incident.
func incidentVerb(a *app, verb web.Verb, name, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " ID", Short: short, Long: long + "\n\nWith --format json: {id, did}.",
		Example: `  bongsu incident ` + name + ` 20221015-pangyo --why "..." --yes`,
		Args:    exactly("ID"),
	}
	r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.confirm(*yes, name+" incident "+args[0]); err != nil {
			return err
		}
		if err := a.decide(cmd, r, *f, web.Command{Verb: verb, Incident: args[0], Why: *why}); err != nil || verb != web.Close {
			return err
		}
		a.leftDown(cmd.Context(), r, args[0])
		return nil
	}
	return cmd
}

// leftDown says what an incident that was closed leaves down: closing it brings nothing back.
func (a *app) leftDown(ctx context.Context, r *remote, id string) {
	client, err := a.client(ctx, r)
	if err != nil {
		return // it was closed a moment ago: what is left can be asked for
	}
	rec, err := client.Record(ctx, id)
	if err != nil {
		a.warn("what is left down is not known: " + err.Error() + "; see: bongsu incident show " + id)
		return
	}
	var names []string
	for _, v := range rec.Intervals {
		if s := (incident.Subject{Service: v.Service, Part: v.Part}); v.To.IsZero() {
			names = append(names, s.String()+" ("+string(v.Condition)+")")
		}
	}
	if len(names) > 0 {
		const most = 10
		more := ""
		if n := len(names) - most; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		a.warn(fmt.Sprintf("%d services and parts are not back by the record: %s%s. They stay so, on the public page too, until it says otherwise: bongsu incident correct",
			len(names), strings.Join(names[:min(len(names), most)], ", "), more))
	}
}

// decide sends one decision and says what came of it.
func (a *app) decide(cmd *cobra.Command, r *remote, f format, c web.Command) error {
	client, err := a.client(cmd.Context(), r)
	if err != nil {
		return err
	}
	before := recorded(cmd.Context(), client, c)
	id, err := client.Do(cmd.Context(), c)
	if err != nil {
		return err
	}
	shows(cmd.Context(), func() bool { return recorded(cmd.Context(), client, c) > before })
	return a.did(f, id, string(c.Verb))
}

// recorded is how much the journal of what a decision is about holds, as far as the
// node shows it.
func recorded(ctx context.Context, client *web.Client, c web.Command) int {
	if c.Run != "" {
		x, err := client.Run(ctx, c.Run)
		if err != nil {
			return 0
		}
		return len(x.Journal)
	}
	i, err := client.Incident(ctx, c.Incident)
	if err != nil {
		return 0
	}
	return len(i.History)
}
