package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bongsu/internal/node"
	"bongsu/status"
	"bongsu/web/public"
)

func statusCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "status",
		Short: "Look at, export and check the public status page",
		Long: `Look at what the public side tells, write it as plain files, and prove that the
page does not die with what it reports on. What is told comes from bongsu incident:
updates are drafted and published there. Planned work is announced here.`,
		Example: `  bongsu status show --config sites/public/anyang/public.yaml`,
	}, statusShowCommand(a), statusExportCommand(a), statusCheckCommand(a), statusMaintenanceCommand(a))
}

// publicFlag gives the command --config of a public node.
func publicFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("config", "", "the site's public.yaml")
}

func needPublic(file string) error {
	if file == "" {
		return usagef("bongsu init --sites a,b,c DIR writes DIR/public/SITE/public.yaml", "--config is missing")
	}
	return nil
}

func statusShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show what a public node tells, and how far its letters are",
		Long: `Ask the public node of this configuration what it tells: since when, whether it
keeps it with the others, every incident with its board, and the letters on their way.`,
		Example: `  bongsu status show --config sites/public/anyang/public.yaml --format json`,
		Args:    exactly(),
	}
	file, format := publicFlag(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := needPublic(*file); err != nil {
			return err
		}
		c, err := loadPublic(*file)
		if err != nil {
			return err
		}
		st, err := node.AskPublic(cmd.Context(), c)
		if err != nil {
			return err
		}
		if *format == formatJSON {
			return a.printJSON(st)
		}
		a.showStatus(st, time.Now())
		return nil
	}
	return cmd
}

func (a *app) showStatus(p node.PublicState, now time.Time) {
	st := p.State
	say := func(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }
	clock := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case st.AsOf.IsZero():
		say("%s has not heard from control yet: everything is unknown", p.Site)
	case st.Stale(now):
		say("%s last heard from control at %s: everything is unknown since %s", p.Site, clock(st.AsOf), clock(st.Until()))
	default:
		say("%s tells what control said at %s; good until %s", p.Site, clock(st.AsOf), clock(st.Until()))
	}
	if p.Quorum {
		say("store: quorum since %s", clock(p.Since))
	} else {
		say("store: NO QUORUM since %s: shows what it last knew, takes no subscriptions and no questions", clock(p.Since))
	}
	say("services: %d", len(st.Catalog.Services))
	for i := range st.Incidents {
		in := &st.Incidents[i]
		say("\n%s  %s (%s, %s) since %s", in.ID, in.Title.In("en"), in.Phase, in.Impact, clock(in.StartedAt))
		if in.Progress != nil {
			say("  %d of %d services are back", in.Progress.Back, in.Progress.Of)
		}
		for _, l := range in.Board {
			name := l.Service
			if l.Part != "" {
				name += "/" + l.Part
			}
			line := fmt.Sprintf("  %-11s %3d%%  %s", l.Level, l.Percent, name)
			if !l.Expected.IsZero() {
				line += "  expected " + clock(l.Expected)
			}
			say("%s", line)
		}
		say("  updates: %d", len(in.Updates))
		if !in.NextAt.IsZero() {
			say("  next word by %s", clock(in.NextAt))
		}
	}
	for _, m := range st.Maintenances {
		say("\n%s  %s (%s), from %s until %s", m.ID, m.Title.In("en"), m.Status, clock(m.From), clock(m.Until))
	}
	for _, j := range p.Jobs {
		if j.Done.IsZero() {
			say("\nletters of %s: %d of %d sent, %d given up", j.ID, j.Sent, j.Total, j.Failed)
		}
	}
}

func statusExportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Write the status page as plain files",
		Long: `Write the page as plain files into DIR, from the copy that the public node of this
configuration keeps on its disk: neither the node nor a network is needed. Each file
appears whole. For a copy that keeps itself up to date, see export in public.yaml.`,
		Example:           `  bongsu status export --config sites/public/anyang/public.yaml /srv/www/status`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
	}
	file := publicFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := needPublic(*file); err != nil {
			return err
		}
		c, err := loadPublic(*file)
		if err != nil {
			return err
		}
		known, err := c.Verifiers()
		if err != nil {
			return err
		}
		st, err := node.Recall(c.Data, known)
		if err != nil {
			return err
		}
		return a.exportStatus(cmd.Context(), st, node.Folder(args[0]))
	}
	return cmd
}

func (a *app) exportStatus(ctx context.Context, st *status.State, to node.Folder) error {
	files := 0
	err := public.Export(ctx, st, public.ExportOptions{}, func(path string, b []byte) error {
		files++
		return to.Put(ctx, path, b)
	})
	if err != nil {
		return err
	}
	if st.Stale(time.Now()) {
		a.warn("control has not been heard from for too long: the pages say that everything is unknown")
	}
	fmt.Fprintf(a.out, "%s written to %s\n", counted(files, "file", "files"), to)
	return nil
}

func statusCheckCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check ESTATE",
		Short: "Prove that the page does not die with what it reports on",
		Long: `Try the loss of every domain of ESTATE: none may take the DNS, certificate, host or
mail of the page (fate in public.yaml names them as components of the estate) together
with a service. Exit 3 says that something was found.`,
		Example:           `  bongsu status check --config sites/public/b/public.yaml estate`,
		Args:              exactly("ESTATE"),
		ValidArgsFunction: folders,
	}
	file, format := publicFlag(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := needPublic(*file); err != nil {
			return err
		}
		c, err := loadPublic(*file)
		if err != nil {
			return err
		}
		snap, err := loadEstate(args[0])
		if err != nil {
			return err
		}
		flaws := status.Flaws(snap, status.Rests{DNS: c.Fate.DNS, Certificate: c.Fate.Certificate, Host: c.Fate.Host, Mail: c.Fate.Mail})
		if *format == formatJSON {
			if err := a.printJSON(map[string]any{"estate": snap.Rev, "flaws": flaws}); err != nil {
				return err
			}
		} else {
			for _, f := range flaws {
				fmt.Fprintln(a.out, f.Sentence)
			}
		}
		if len(flaws) > 0 {
			return errFound
		}
		if *format != formatJSON {
			fmt.Fprintf(a.out, "%s: no loss of any one of them takes the page together with a service\n", counted(len(snap.Domains), "domain", "domains"))
		}
		return nil
	}
	return cmd
}
