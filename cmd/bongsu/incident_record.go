package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/incident"
	"bongsu/internal/lang"
	"bongsu/web"
)

// timeFlag reads a time as people give it on the command line: RFC 3339, or now.
func timeFlag(flag, text string) (time.Time, error) {
	if text == "now" {
		return time.Now().UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, usagef("write a date, a time and a zone, such as 2022-10-15T15:27:00+09:00 or 2022-10-15T06:27:00Z", "--%s is %q, which is no time", flag, text)
	}
	return t.UTC(), nil
}

// recordVerb is a command that writes one entry into the record of an incident. fill
// makes the entry of its arguments after the ID.
func recordVerb(a *app, cmd *cobra.Command, needsWhy bool, fill func(args []string, why string) (web.Command, error)) *cobra.Command {
	cmd.Long += "\n\nWith --format json: {id, did}."
	r, f := remoteFlags(cmd), formatFlag(cmd)
	why := new(string)
	if needsWhy {
		why = whyFlag(cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := fill(args[1:], *why)
		if err != nil {
			return err
		}
		c.Incident = args[0]
		return a.decide(cmd, r, *f, c)
	}
	return cmd
}

func incidentNoteCommand(a *app) *cobra.Command {
	return recordVerb(a, &cobra.Command{
		Use: "note ID TEXT", Short: "Write down what was seen",
		Long:    "Add TEXT to the record of incident ID, with your name and the time.",
		Example: `  bongsu incident note 20221015-pangyo "smoke on level 3"`, Args: exactly("ID", "TEXT"),
	}, false, func(args []string, _ string) (web.Command, error) {
		return web.Command{Verb: web.Note, Why: args[0]}, nil
	})
}

func incidentDecideCommand(a *app) *cobra.Command {
	return recordVerb(a, &cobra.Command{
		Use: "decide ID TEXT", Short: "Write down what was decided",
		Long:    "Add a decision to the record of incident ID, with your name and the time. Letters to\nusers and to the ministry name decisions as the measures that are taken.",
		Example: `  bongsu incident decide 20221015-pangyo "payments come before the webtoon"`, Args: exactly("ID", "TEXT"),
	}, false, func(args []string, _ string) (web.Command, error) {
		return web.Command{Verb: web.Decide, Why: args[0]}, nil
	})
}

func incidentAssignCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "assign ID ROLE [PERSON]", Short: "Give a role to a person, or hand it over",
		Long: `Give ROLE (commander, scribe, communications, operations, liaison, or any other) to
PERSON. Whoever had it hands it over, and --note says what they hand over. Without
PERSON the role is laid down.`,
		Example: `  bongsu incident assign 20221015-pangyo commander lee --note "shops are next"`, Args: between(2, "ID", "ROLE", "PERSON"),
	}
	note := cmd.Flags().String("note", "", "what is handed over")
	return recordVerb(a, cmd, false, func(args []string, _ string) (web.Command, error) {
		c := web.Command{Verb: web.Assign, Role: args[0], Why: *note}
		if len(args) > 1 {
			c.Person = args[1]
		}
		return c, nil
	})
}

func incidentFaultCommand(a *app) *cobra.Command {
	return recordVerb(a, &cobra.Command{
		Use: "fault ID DOMAIN [OPERATOR]", Short: "Say whose failure a lost domain was",
		Long: `Say that the loss of DOMAIN was the failure of OPERATOR, to whom recourse goes. The
record begins with the operator that the estate names, if it names one. Without
OPERATOR it is taken back.`,
		Example: `  bongsu incident fault 20221015-pangyo pangyo "SK C&C" --why "battery fire"`, Args: between(2, "ID", "DOMAIN", "OPERATOR"),
	}, true, func(args []string, why string) (web.Command, error) {
		f := incident.Fault{Domain: args[0]}
		if len(args) > 1 {
			f.Operator = args[1]
		}
		return web.Command{Verb: web.Blame, Fault: &f, Why: why}, nil
	})
}

func incidentCorrectCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "correct ID SERVICE[/PART] down|degraded|up", Short: "Correct when a service was down",
		Long: `Say that SERVICE, or a PART of it, was in another condition than the record says. It
is a new entry with your name and reason; what was recorded stays. Without --to the
condition goes on until something else is recorded. What you say of the past stands:
nothing that is computed later moves it, only another correction.`,
		Example: `  bongsu incident correct ID mail up --from 2022-10-18T00:00:00Z --why "logs"`,
		Args:    exactly("ID", "SERVICE", "CONDITION"),
	}
	from := cmd.Flags().String("from", "", "since `when`, such as 2022-10-15T15:27:00+09:00, or now")
	to := cmd.Flags().String("to", "", "until `when`; left out: it goes on")
	return recordVerb(a, cmd, true, func(args []string, why string) (web.Command, error) {
		service, part, _ := strings.Cut(args[0], "/")
		c := incident.Change{Service: service, Part: part, Condition: incident.Condition(args[1]), Source: incident.FromPerson}
		if !slices.Contains([]incident.Condition{incident.Down, incident.Degraded, incident.Up}, c.Condition) {
			return web.Command{}, usagef("a service is down, degraded or up", "%q is no condition", args[1])
		}
		if *from == "" {
			return web.Command{}, usagef("say since when it was so: --from 2022-10-15T15:27:00+09:00", "--from is missing")
		}
		var err error
		if c.At, err = timeFlag("from", *from); err == nil && *to != "" {
			c.Until, err = timeFlag("to", *to)
		}
		return web.Command{Verb: web.Correct, Change: &c, Why: why}, err
	})
}

func incidentUpdateCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use: "update", Short: "Draft a word to the public, publish it, or drop it",
		Long: `An update is drafted by one person and published by another. bongsu incident show ID
lists the updates of an incident with their numbers.`,
		Example: `  bongsu incident update publish 20221015-pangyo 8 --yes`,
	}, updateDraftCommand(a), updatePublishCommand(a), updateDropCommand(a))
}

func updateDraftCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "draft ID", Short: "Draft an update",
		Long: `Draft an update of incident ID in Korean, English or both. It is public once somebody
else has published it.

With --format json: the update {id, phase, body, nextAt, draftedAt, draftedBy}.`,
		Example: `  bongsu incident update draft ID --phase identified --next 30m --ko "..."`,
		Args:    exactly("ID"),
	}
	phase := cmd.Flags().String("phase", "", strings.Join(incident.Phases(), ", "))
	ko := cmd.Flags().String("ko", "", "the text in Korean")
	en := cmd.Flags().String("en", "", "the text in English")
	next := cmd.Flags().String("next", "", "when you speak next: a time, or how long from now, such as 30m")
	r, f := remoteFlags(cmd), formatFlag(cmd)
	complete(cmd, "phase", incident.Phases()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		u := incident.Update{Phase: *phase, Body: map[string]string{}}
		for lang, text := range map[string]string{"ko": *ko, "en": *en} {
			if text != "" {
				u.Body[lang] = text
			}
		}
		switch {
		case !slices.Contains(incident.Phases(), u.Phase):
			return usagef("it is one of "+strings.Join(incident.Phases(), ", "), "--phase is %q", u.Phase)
		case len(u.Body) == 0:
			return usagef(`give the text: --ko "..." --en "..."`, "the update has no text")
		}
		if *next != "" {
			if d, err := time.ParseDuration(*next); err == nil {
				u.NextAt = time.Now().Add(d).UTC()
			} else if u.NextAt, err = timeFlag("next", *next); err != nil {
				return err
			}
		}
		client, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		before, err := client.Record(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if _, err := client.Do(cmd.Context(), web.Command{Verb: web.Draft, Incident: args[0], Update: &u}); err != nil {
			return err
		}
		var all []incident.Update
		shows(cmd.Context(), func() bool {
			rec, err := client.Record(cmd.Context(), args[0])
			all = rec.Updates
			return err == nil && len(all) > len(before.Updates)
		})
		if len(all) == 0 {
			return errors.New("the update is drafted, and the node does not show it yet: bongsu incident show " + args[0])
		}
		last := all[len(all)-1]
		if *f == formatJSON {
			return a.printJSON(last)
		}
		fmt.Fprintf(a.out, "update %d drafted\n", last.ID)
		a.hint(fmt.Sprintf("somebody else publishes it: bongsu incident update publish %s %d --yes", args[0], last.ID))
		return nil
	}
	return cmd
}

func updateNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, usagef("bongsu incident show ID lists the updates with their numbers", "%q is no number of an update", text)
	}
	return n, nil
}

func updatePublishCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "publish ID UPDATE", Short: "Publish an update",
		Long: `Publish UPDATE of incident ID: it is public at once. Whoever drafted it does so only
with --bypass and the reason why nobody else can; the reason is recorded.`,
		Example: `  bongsu incident update publish 20221015-pangyo 8 --yes`, Args: exactly("ID", "UPDATE"),
	}
	bypass := cmd.Flags().String("bypass", "", "why it goes out without a second person")
	yes := yesFlag(cmd)
	return recordVerb(a, cmd, false, func(args []string, _ string) (web.Command, error) {
		n, err := updateNumber(args[0])
		if err == nil {
			err = a.confirm(*yes, fmt.Sprintf("publish update %d to everybody", n))
		}
		c := web.Command{Verb: web.Publish, Number: n}
		if *bypass != "" {
			c.Verb, c.Why = web.Bypass, *bypass
		}
		return c, err
	})
}

func updateDropCommand(a *app) *cobra.Command {
	return recordVerb(a, &cobra.Command{
		Use: "drop ID UPDATE", Short: "Say that a draft never goes out",
		Long:    "Drop UPDATE of incident ID. It stays in the record with the reason.",
		Example: `  bongsu incident update drop 20221015-pangyo 8 --why "too early"`, Args: exactly("ID", "UPDATE"),
	}, true, func(args []string, why string) (web.Command, error) {
		n, err := updateNumber(args[0])
		return web.Command{Verb: web.Drop, Number: n, Why: why}, err
	})
}

func incidentDoneCommand(a *app) *cobra.Command {
	return recordVerb(a, &cobra.Command{
		Use: "done ID CLOCK", Short: "Say that a duty with a deadline was done",
		Long: `Say that the duty CLOCK of incident ID was done, or that it need not be, and in --why
how, where, or on what ground. bongsu incident clocks ID lists them.`,
		Example: `  bongsu incident done ID kr-ministry-report --why "by phone, no. 1234"`, Args: exactly("ID", "CLOCK"),
	}, true, func(args []string, why string) (web.Command, error) {
		return web.Command{Verb: web.MarkDone, Clock: args[0], Why: why}, nil
	})
}

func incidentClocksCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "clocks ID", Short: "Show the duties with a deadline, what is overdue first",
		Long: `Show which duties the outage of incident ID brings, by when, and who saw to them. The
duties come from a policy file: bongsu config clocks prints the one that is shipped.

Exit code 0: nothing is overdue; 3: something is.

With --format json: {clocks}, a list of {id, title, law, state, start, due, services,
doneAt, doneBy, how, overdue, role, person, channels, draft, missing}.`,
		Example: `  bongsu incident clocks 20221015-pangyo`, Args: exactly("ID"),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		rec, err := client.Record(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *f == formatJSON {
			err = a.printJSON(map[string]any{"clocks": rec.Clocks})
		} else {
			a.clocks(rec.Clocks, rec.At)
		}
		if err == nil && slices.ContainsFunc(rec.Clocks, func(c web.Clock) bool { return c.Overdue }) {
			return errFound
		}
		return err
	}
	return cmd
}

func (a *app) clocks(all []web.Clock, now time.Time) {
	if len(all) == 0 {
		a.paragraph("No outage of this incident brings a duty with a deadline.")
		return
	}
	p := a.palette()
	t := table{right: []bool{false, false, false}}
	t.add("WHAT", cell{text: "CLOCK"}, cell{text: "STATE"}, cell{text: "DUE"})
	for _, c := range all {
		due, state, paint := "after the end", string(c.State), (func(string) string)(nil)
		if !c.Due.IsZero() {
			due = minute(c.Due)
		}
		text := c.Title["en"]
		switch c.State {
		case incident.ClockOverdue:
			state, paint = "OVERDUE", p.bad
			text += "; " + now.Sub(c.Due).Round(time.Minute).String() + " late"
		case incident.ClockDue:
			paint = p.warn
		case incident.ClockIsDone:
			paint = p.good
			text += "; " + c.DoneBy + ", " + minute(c.DoneAt) + ": " + c.How
		case incident.ClockCounting, incident.ClockWaiting:
		}
		if c.State != incident.ClockIsDone {
			text += "; for " + listed(c.Services, 3)
			if c.Person != "" {
				text += "; " + c.Role + " " + c.Person
			}
			if len(c.Missing) > 0 {
				text += "; the draft lacks " + strings.Join(c.Missing, ", ")
			}
		}
		t.add(text, cell{text: c.ID}, cell{state, paint}, cell{text: due})
	}
	t.print(a.out)
}

func incidentDraftsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "drafts ID", Short: "Write the letters that the duties ask for",
		Long: `Write a draft of the letter of each duty of incident ID into a folder, in Korean and
English, from what the record says now. Nothing is sent: read them, have counsel
read them, send them, and say so with bongsu incident done. A file that is there
already is not overwritten.

With --format json: {files}.`,
		Example: `  bongsu incident drafts 20221015-pangyo --out letters`, Args: exactly("ID"),
	}
	out := cmd.Flags().String("out", "", "the `folder` to write into; it is made")
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *out == "" {
			return usagef("name a folder: --out letters", "--out is missing")
		}
		client, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		letters, err := client.Letters(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if err := os.MkdirAll(*out, 0o750); err != nil {
			return err
		}
		files := []string{}
		for _, l := range letters {
			name := filepath.Base(l.Name) // a node that lies about names writes nowhere else
			if name != l.Name {
				return fmt.Errorf("the node names a letter %q, which is no plain name of a file", l.Name)
			}
			name = filepath.Join(*out, name)
			if err := writeNew(name, []byte(l.Body)); err != nil {
				return err
			}
			files = append(files, name)
		}
		if *f == formatJSON {
			return a.printJSON(map[string][]string{"files": files})
		}
		if len(files) == 0 {
			a.paragraph("No outage of this incident brings a duty with a letter.")
		}
		for _, name := range files {
			fmt.Fprintln(a.out, name)
		}
		return nil
	}
	return cmd
}

// writeNew writes a file that is not there yet.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return usagef("move it away, or name another place", "%s is there already; it was not overwritten", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func incidentExportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export ID", Short: "Write the record of an incident as evidence",
		Long: `Write all entries of incident ID, the checkpoints that the leading node has signed, the
public key and the proofs that each checkpoint continues the one before. Anybody
checks it offline: bongsu verify FILE --key record.pub. The entries are as stored;
a program that writes them otherwise breaks the signatures.

The output is JSON: {kind, version, incident, at, key, entries, checkpoints, proofs}.`,
		Example: `  bongsu incident export 20221015-pangyo --out pangyo.json`, Args: exactly("ID"),
	}
	out := cmd.Flags().String("out", "", "the `file` to write; left out: standard output")
	r := remoteFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		raw, err := client.Export(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		var e struct {
			Checkpoints []string `json:"checkpoints"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("read the node's answer: %w", err)
		}
		text, err := json.MarshalIndent(raw, "", "  ")
		if err != nil {
			return err
		}
		text = append(text, '\n')
		if len(e.Checkpoints) == 0 {
			a.warn("nothing in it is signed: the nodes have no key (record.key in bongsu.yaml), or the leader has not signed yet")
		}
		if *out == "" {
			_, err = a.out.Write(text)
			return err
		}
		if err := writeNew(*out, text); err != nil {
			return err
		}
		fmt.Fprintln(a.out, *out)
		a.hint("bongsu verify " + *out + " --key record.pub checks it")
		return nil
	}
	return cmd
}

// record prints what hangs on an incident, besides its journal.
func (a *app) record(r *web.Record) {
	for _, role := range r.Roles {
		if role.To.IsZero() {
			text := role.Role + " since " + second(role.From)
			if role.Note != "" {
				text += "; " + role.Note
			}
			a.heading(role.Person, text)
		}
	}
	for _, f := range r.Faults {
		a.heading("At fault", f.Domain+", operated by "+f.Operator)
	}
	if b := r.Base; b != nil {
		text := fmt.Sprintf("%d of %s back", b.Back, counted(b.Of, "service", "services"))
		if b.Was > 0 {
			text += fmt.Sprintf("; the base changed from %d", b.Was)
		}
		a.heading("Progress", text)
	}
	if len(r.Outages) > 0 {
		a.heading("Lost so far", lang.Number(int64(r.UserMinutes))+" user-minutes, "+lang.Number(int64(r.Weighted))+" weighted")
	}
	a.outages(r.Outages)
	if len(r.Clocks) > 0 {
		a.section("Clocks", "")
		a.clocks(r.Clocks, r.At)
	}
	a.updates(r)
	if len(r.Calls) > 0 {
		a.section("Calls", "")
		t := table{right: []bool{false, false, false}}
		for _, c := range r.Calls {
			t.add(strings.TrimSpace(c.Crew+" "+c.Detail), cell{text: second(c.At)}, cell{text: c.Person}, cell{text: c.Channel + " " + c.Outcome})
		}
		t.print(a.out)
	}
}

// mostOutages is how many services and parts are listed; JSON has them all.
const mostOutages = 40

func (a *app) outages(all []web.Outage) {
	if len(all) == 0 {
		return
	}
	a.section("Services", "times in UTC")
	p := a.palette()
	t := table{right: []bool{false, false, true}}
	t.add("WHEN", cell{text: "SERVICE"}, cell{text: "STATE"}, cell{text: "USER-MINUTES"})
	for _, o := range all[:min(len(all), mostOutages)] {
		name, paint, minutes := o.Service, p.good, ""
		if o.Part != "" {
			name += "/" + o.Part
		} else {
			minutes = lang.Number(int64(o.Minutes))
		}
		switch o.State {
		case web.StateDown:
			paint = p.bad
		case web.StateDegraded:
			paint = p.warn
		default:
		}
		var when []string
		for _, v := range o.Intervals {
			text := string(v.Condition) + " " + second(v.From) + " to "
			if v.To.IsZero() {
				text += "now"
			} else {
				text += second(v.To)
			}
			text += " (" + v.Source
			if v.Ended != "" {
				text += ", back: " + v.Ended
			}
			text += ")"
			if v.By != "" {
				text += " " + v.By + ": " + v.Why
			}
			when = append(when, text)
		}
		t.add(strings.Join(when, "\n"), cell{text: name}, cell{string(o.State), paint}, cell{text: minutes})
	}
	t.print(a.out)
	if more := len(all) - mostOutages; more > 0 {
		a.paragraph(fmt.Sprintf("and %s more; --format json has them all", lang.Number(int64(more))))
	}
}

func (a *app) updates(r *web.Record) {
	if len(r.Updates) == 0 {
		return
	}
	a.section("Updates", "")
	t := table{right: []bool{true, false, false}}
	for _, u := range r.Updates {
		state := "waits"
		switch {
		case u.Dropped != "":
			state = "dropped: " + u.Dropped
		case !u.SentAt.IsZero():
			state = "public since " + second(u.SentAt) + ", by " + u.SentBy
			if u.Bypass != "" {
				state += ", alone: " + u.Bypass
			}
		}
		text := u.Body["ko"]
		if en := u.Body["en"]; en != "" {
			text = en
		}
		t.add(state+"\n"+text, cell{text: strconv.Itoa(u.ID)}, cell{text: u.Phase}, cell{text: u.DraftedBy})
	}
	t.print(a.out)
}
