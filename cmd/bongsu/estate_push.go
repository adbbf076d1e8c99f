package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/estate"
	"bongsu/internal/lang"
	"bongsu/web"
)

func estatePushCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "push DIR",
		Short: "Make the estate in DIR the one that the nodes go by",
		Long: `Check the estate in DIR, show what differs from the newest revision, and store it
in the quorum as the next one. Files that are stored already make no new revision.
It needs the token of an approver.

With --format json: {pushed, revision, changes}; pushed is false if there was
nothing to push, a revision is {rev, number, by, why, at, domains, components,
services}, and a change is {what, kind, name, fields} as of bongsu estate diff.`,
		Example:           `  bongsu estate push mine --why "two more halls" --yes`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
	}
	r, f, yes := remoteFlags(cmd), formatFlag(cmd), yesFlag(cmd)
	why := cmd.Flags().String("why", "", "the reason, for the journal")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p := push{app: a, dir: args[0], why: *why, format: *f}
		return p.run(cmd.Context(), r, *yes)
	}
	return cmd
}

// A push is one call of bongsu estate push.
type push struct {
	*app
	dir, why string
	format   format
}

// pushed is the JSON of bongsu estate push and rollback; a contract.
type pushed struct {
	Pushed   bool           `json:"pushed"`
	Revision web.Revision   `json:"revision"`
	Changes  []changeRecord `json:"changes"`
}

func (p *push) run(ctx context.Context, r *remote, yes bool) error {
	files, err := readEstate(p.dir)
	if err != nil {
		return err
	}
	after, err := work(ctx, p.app, "reading "+p.dir, func() (*estate.Snapshot, error) { return parseIn(p.dir, files) })
	if err != nil {
		return err
	}
	for _, w := range doubts(after) {
		p.warn(w)
	}
	c, err := p.client(ctx, r)
	if err != nil {
		return err
	}
	sent := map[string][]byte{}
	for _, file := range files {
		sent[file.Name] = file.Data
	}
	newest, before, kept, err := p.newest(ctx, c)
	if err != nil {
		return err
	}
	changes := estate.Diff(before, after)
	if newest.Number > 0 && maps.EqualFunc(sent, kept, bytes.Equal) {
		if p.format == formatJSON {
			return p.printJSON(pushed{Revision: newest, Changes: []changeRecord{}})
		}
		p.paragraph(fmt.Sprintf("nothing to push: %s is revision %d already", p.dir, newest.Number))
		return nil
	}
	if p.format == formatText {
		p.against(newest, changes)
	}
	if err := p.confirm(yes, "push "+p.dir+" as the estate that the nodes go by"); err != nil {
		return err
	}
	rev, err := work(ctx, p.app, "pushing "+p.dir, func() (web.Revision, error) { return c.Push(ctx, sent, p.why) })
	if err != nil {
		return err
	}
	return p.stored(ctx, c, p.format, pushed{true, rev, recordsOf(changes)})
}

// newest returns the newest revision with its files, or an empty estate before the
// first push.
func (a *app) newest(ctx context.Context, c *web.Client) (web.Revision, *estate.Snapshot, map[string][]byte, error) {
	none := &estate.Snapshot{}
	log, err := work(ctx, a, "reading the newest revision", func() ([]web.Revision, error) { return c.EstateLog(ctx) })
	if err != nil || len(log) == 0 {
		return web.Revision{}, none, nil, err
	}
	s, files, err := a.revision(ctx, c, fmt.Sprint(log[0].Number))
	return log[0], s, files, err
}

// revision returns what a pushed revision says.
func (a *app) revision(ctx context.Context, c *web.Client, rev string) (*estate.Snapshot, map[string][]byte, error) {
	files, err := work(ctx, a, "reading revision "+rev, func() (map[string][]byte, error) {
		_, files, err := c.Estate(ctx, rev)
		return files, err
	})
	if err != nil {
		return nil, nil, ofRevisions(err)
	}
	list := make([]estate.File, 0, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, estate.File{Name: name, Data: files[name]})
	}
	s, err := estate.Parse(list)
	if err != nil {
		return nil, nil, fmt.Errorf("revision %s was pushed to a newer program: %w", rev, err)
	}
	return s, files, nil
}

// source is an estate that the command line names: a folder or, where a node is
// named and there is no such folder, a revision that was pushed.
func (a *app) source(ctx context.Context, r *remote, name string) (*estate.Snapshot, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() || !r.named() || strings.ContainsAny(name, `/\`) {
		return a.load(ctx, name)
	}
	c, err := a.client(ctx, r)
	if err != nil {
		return nil, err
	}
	s, _, err := a.revision(ctx, c, name)
	return s, err
}

// mostShown is how many changes are shown before a push; bongsu estate diff shows all.
const mostShown = 20

// against shows in short what a push or a rollback would change.
func (a *app) against(newest web.Revision, changes []estate.Change) {
	switch {
	case newest.Number == 0:
		a.paragraph("This is the first estate that is pushed.")
		return
	case len(changes) == 0:
		a.paragraph(fmt.Sprintf("Against revision %d only the wording of the files differs.", newest.Number))
		return
	}
	a.heading(fmt.Sprintf("Against revision %d", newest.Number), counted(len(changes), "change", "changes"))
	for _, c := range changes[:min(len(changes), mostShown)] {
		fmt.Fprintln(a.out, c)
	}
	if more := len(changes) - mostShown; more > 0 {
		fmt.Fprintf(a.out, "… and %s more; bongsu estate diff shows all\n", lang.Number(int64(more)))
	}
}

// stored says what the newest revision is now.
func (a *app) stored(ctx context.Context, c *web.Client, f format, p pushed) error {
	shows(ctx, func() bool {
		n, err := c.Now(ctx)
		return err == nil && n.Estate.Number >= p.Revision.Number
	})
	if f == formatJSON {
		return a.printJSON(p)
	}
	r := p.Revision
	a.paragraph(fmt.Sprintf("revision %d is %s, pushed by %s", r.Number, r.Rev, r.By))
	return nil
}

func estateLogCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "List the revisions of the estate that were pushed, newest first",
		Long: `List every revision of the estate that was pushed, newest first: who pushed it,
when and why. bongsu estate diff A B says what differs.

With --format json: {revisions}, each {rev, number, by, why, at, changes}; only the
newest has its changes.`,
		Example: `  bongsu estate log --config sites/anyang/bongsu.yaml`,
		Args:    exactly(),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		log, err := work(cmd.Context(), a, "reading the log", func() ([]web.Revision, error) { return c.EstateLog(cmd.Context()) })
		if err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(map[string]any{"revisions": log})
		}
		if len(log) == 0 {
			a.paragraph("Nothing was pushed yet: bongsu estate push DIR")
			return nil
		}
		t := table{right: []bool{true, false, false, false}}
		t.add("WHY", cell{text: "NUMBER"}, cell{text: "REVISION"}, cell{text: "PUSHED"}, cell{text: "BY"})
		for _, x := range log {
			t.add(x.Why, cell{text: fmt.Sprint(x.Number)}, cell{text: short(x.Rev)}, cell{text: minute(x.At)}, cell{text: x.By})
		}
		t.print(a.out)
		return nil
	}
	return cmd
}

// short is enough of a revision to name it by.
func short(rev string) string {
	rev = strings.TrimPrefix(rev, "sha256:")
	return rev[:min(len(rev), 12)]
}

// minute is a time for people, in UTC.
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

func estateRollbackCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback REV",
		Short: "Make an older revision of the estate the newest again",
		Long: `Store the files of the pushed revision REV, named by its number or the beginning of
its name, as the newest revision. What came between stays in the log. It needs the
token of an approver.

With --format json: {pushed, revision, changes} as of bongsu estate push.`,
		Example: `  bongsu estate rollback 3 --why "the halls are not there yet" --yes`,
		Args:    exactly("REV"),
	}
	r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.rollback(cmd.Context(), r, rollback{args[0], *why, *f, *yes})
	}
	return cmd
}

// A rollback is one call of bongsu estate rollback.
type rollback struct {
	rev, why string
	format   format
	yes      bool
}

func (a *app) rollback(ctx context.Context, r *remote, o rollback) error {
	c, err := a.client(ctx, r)
	if err != nil {
		return err
	}
	after, _, err := a.revision(ctx, c, o.rev)
	if err != nil {
		return err
	}
	newest, before, _, err := a.newest(ctx, c)
	if err != nil {
		return err
	}
	changes := estate.Diff(before, after)
	if o.format == formatText {
		a.against(newest, changes)
	}
	if err := a.confirm(o.yes, "make revision "+o.rev+" the newest again"); err != nil {
		return err
	}
	rev, err := c.Rollback(ctx, o.rev, o.why)
	if err != nil {
		return ofRevisions(err)
	}
	return a.stored(ctx, c, o.format, pushed{true, rev, recordsOf(changes)})
}

// ofRevisions gives an answer about revisions the hint that fits.
func ofRevisions(err error) error {
	return hinted(err, "not-found", "bongsu estate log lists the revisions; a folder is named with a slash, such as ./mine")
}
