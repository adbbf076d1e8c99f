package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/estate"
	"bongsu/internal/lang"
	"bongsu/web"
)

func runListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List all runs, newest first",
		Long: `List all runs, newest first.

With --format json: {runs}, each {id, incident, state, scope, lost, lostAt, created,
started, ended, eta, progress, by, why}. The state is waiting (for approval),
running, paused, done, failed or aborted.`,
		Example: `  bongsu run list --config sites/anyang/bongsu.yaml`, Args: exactly(),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client(cmd.Context(), r)
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
			a.paragraph("No run so far.")
			return nil
		}
		t := table{right: []bool{false, false, true}}
		t.add("LOST", cell{text: "RUN"}, cell{text: "STATE"}, cell{text: "DONE"})
		for _, x := range runs {
			t.add(strings.Join(x.Lost, ", "), cell{text: x.ID}, cell{string(x.State), a.statePaint(x.State)},
				cell{text: fmt.Sprintf("%d/%d", x.Progress.Done, x.Progress.Total)})
		}
		t.print(a.out)
		return nil
	}
	return cmd
}

func runShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show RUN", Short: "Show one run: what waits for a person, its steps, journal",
		Long: `Show one run: what waits for a person and how to answer it, each step planned
against actual, the services, and its journal. Times count from the loss.

--follow prints what happens while it happens, and ends with the run: 0 if it is
done, 1 if it failed or was aborted.

With --format json: the run {id, state, progress, objective, steps, services,
blockers, plans, waiting, journal, …}, as the API's /api/v1/runs/ID.`,
		Example: `  bongsu run show 20221015-063400-ab12 --config sites/anyang/bongsu.yaml
  bongsu run show 20221015-063400-ab12 --follow`, Args: exactly("RUN"),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	follow := cmd.Flags().Bool("follow", false, "print what happens until the run is over")
	all := cmd.Flags().Bool("all", false, "print the whole journal")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *follow && *f == formatJSON {
			return usagef("leave one of them out", "--follow is for people, --format json for programs")
		}
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		x, err := c.Run(cmd.Context(), args[0])
		switch {
		case err != nil:
			return err
		case *f == formatJSON:
			return a.printJSON(x)
		case *follow:
			fl := &follower{app: a, remote: r, run: args[0]}
			return fl.follow(cmd.Context(), c)
		}
		journal := x.Journal
		if cut := len(journal) - mostShown; cut > 0 && !*all {
			journal = journal[cut:]
		}
		a.run(&x, journal)
		return nil
	}
	return cmd
}

func (a *app) run(x *web.Run, journal []web.Entry) {
	a.heading("Run", fmt.Sprintf("%s, %s: %s", x.ID, x.State, progress(x.Progress)))
	lost := fmt.Sprintf("%s, since %s", strings.Join(x.Lost, ", "), second(x.LostAt))
	if x.ETA != nil {
		lost += "; all back at about " + second(*x.ETA)
	}
	a.heading("Lost", lost)
	a.waiting(x.Waiting)
	if len(x.Steps) > 0 {
		a.section("Steps", "")
		a.steps(x.Steps)
	}
	if len(x.Services) > 0 {
		a.section("Services", "")
		t := table{right: []bool{false, true, true, true}}
		t.add("SERVICE", cell{text: "STATE"}, cell{text: "PLANNED"}, cell{text: "ACTUAL"}, cell{text: "USERS"})
		for _, s := range x.Services {
			t.add(titled(s.Name, s.Title), cell{string(s.State), a.statePaint(s.State)}, cell{text: seconds(s.Planned)}, cell{text: seconds(s.Actual)}, cell{text: lang.Number(s.Users)})
		}
		t.print(a.out)
	}
	for _, b := range x.Blockers {
		var sets []string
		for _, set := range b.Because {
			sets = append(sets, strings.Join(set, " and "))
		}
		a.section("Cannot come back", titled(b.Subject, b.Title)+": needs "+strings.Join(sets, "; or "))
	}
	a.section("Journal", "")
	a.entries(journal)
	if cut := len(x.Journal) - len(journal); cut > 0 {
		a.paragraph(fmt.Sprintf("%s before that; --all shows them", counted(cut, "entry", "entries")))
	}
}

// progress names its base, and what it has besides what is done.
func progress(p web.Progress) string {
	parts := []string{fmt.Sprintf("%d of %s done", p.Done, counted(p.Total, "step", "steps"))}
	for _, n := range []struct {
		n    int
		what string
	}{{p.Running, "running"}, {p.Waiting, "waiting for a person"}, {p.Failed, "failed"}, {p.Skipped, "skipped"}} {
		if n.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	text := strings.Join(parts, ", ")
	if p.WasBase > 0 && p.WasBase != p.Total {
		text += fmt.Sprintf(" (base changed from %d)", p.WasBase)
	}
	return text
}

// waiting says what waits for a person, and what to type.
func (a *app) waiting(all []web.Waiting) {
	if len(all) == 0 {
		return
	}
	a.section("Waits for a person", "")
	for _, w := range all {
		a.ask(w)
	}
}

func (a *app) ask(w web.Waiting) {
	asks := w.Asks
	if w.Step != "" {
		asks = w.Step + ": " + asks
	}
	if asks == "" {
		asks = w.Kind
	}
	a.paragraph(a.palette().warn("?") + " " + asks)
	for _, verb := range w.Can {
		what, name := "run", w.Run
		if w.Run == "" {
			what, name = "incident", w.Incident
		}
		fmt.Fprintln(a.out, strings.TrimRight(fmt.Sprintf("  bongsu %s %s %s %s", what, verb, name, w.Step), " ")+` --why "..."`)
	}
}

func (a *app) steps(all []web.Step) {
	t := table{right: []bool{false, true, true}}
	t.add("STEP", cell{text: "STATE"}, cell{text: "PLANNED"}, cell{text: "ACTUAL"})
	for i := range all {
		s := &all[i]
		lines := []string{s.ID}
		for _, more := range []string{s.Detail, s.WaitsFor} {
			if more != "" {
				lines = append(lines, more)
			}
		}
		planned := seconds(&s.Start) + "-" + seconds(&s.Finish)
		actual := "-"
		if s.Begun != nil {
			actual = seconds(s.Begun) + "-"
			if s.Ended != nil {
				actual += seconds(s.Ended)
			}
		}
		t.add(strings.Join(lines, "\n"), cell{string(s.State), a.statePaint(s.State)}, cell{text: planned}, cell{text: actual})
	}
	t.print(a.out)
}

// seconds is a time from the loss on, as people write it; "-" where there is none.
func seconds(s *float64) string {
	if s == nil {
		return "-"
	}
	return estate.FormatDuration(time.Duration(*s * float64(time.Second)).Round(time.Second))
}

func (a *app) statePaint(s web.State) func(string) string {
	switch p := a.palette(); s {
	case web.StateDone, web.StateUp:
		return p.good
	case web.StateFailed, web.StateAborted, web.StateUnrecoverable:
		return p.bad
	case web.StateWaiting, web.StatePaused, web.StateRecoverable, web.StateDegraded, web.StateSkipped:
		return p.warn
	default:
		return nil
	}
}

// A follower prints what happens in one run.
type follower struct {
	*app
	remote *remote
	run    string

	shown int             // entries of the journal
	asked map[string]bool // what a person was asked already
}

// errNotDone is how a run that was followed ended otherwise than done.
var errNotDone = errors.New("the run did not come to its end")

// follow prints until the run is over. When its node is lost it goes on with another.
func (f *follower) follow(ctx context.Context, c *web.Client) error {
	f.asked = map[string]bool{}
	changed := make(chan struct{}, 1)
	for {
		streaming, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { // ends with streaming, or with the node
			ended <- c.Events(streaming, func() {
				select {
				case changed <- struct{}{}:
				default:
				}
			})
		}()
		over, err := f.until(ctx, c, changed, ended)
		stop()
		if over || ctx.Err() != nil {
			return err
		}
		f.warn(fmt.Sprintf("%v; looking for another node", err))
		for {
			if c, err = f.client(ctx, f.remote); err == nil {
				break
			}
			if _, silent := errors.AsType[*unreachableError](err); !silent || !wait(ctx, time.Second) {
				return err
			}
		}
	}
}

// until shows every change until the run is over or the stream of changes ends.
func (f *follower) until(ctx context.Context, c *web.Client, changed <-chan struct{}, ended <-chan error) (over bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case err := <-ended:
			return false, err
		case <-changed:
		}
		x, err := c.Run(ctx, f.run)
		if err != nil {
			return false, err
		}
		f.show(&x)
		switch x.State {
		case web.StateDone:
			return true, nil
		case web.StateFailed, web.StateAborted:
			return true, fmt.Errorf("%w: it %s", errNotDone, map[web.State]string{web.StateFailed: "failed", web.StateAborted: "was aborted"}[x.State])
		default:
		}
	}
}

// show prints what is new.
func (f *follower) show(x *web.Run) {
	if n := min(f.shown, len(x.Journal)); n < len(x.Journal) {
		f.entries(x.Journal[n:])
		f.shown = len(x.Journal)
		f.paragraph(fmt.Sprintf("= %s: %s", x.State, progress(x.Progress)))
	}
	for _, w := range x.Waiting {
		if key := w.Kind + w.Step + w.Since.String(); !f.asked[key] {
			f.asked[key] = true
			f.ask(w)
		}
	}
}
