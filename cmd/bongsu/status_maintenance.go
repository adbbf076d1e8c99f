package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/status"
)

func statusMaintenanceCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "maintenance",
		Short: "Plan work that the public page announces",
		Long: `Plan work, say how it goes, and list what is planned. The public page, its calendar
(maintenance.ics) and the Statuspage API show it within seconds. It needs a token of an
approver: nobody else looks at it before the public does.`,
		Example: `  bongsu status maintenance list --config sites/anyang/bongsu.yaml`,
	}, maintenancePlanCommand(a), maintenanceUpdateCommand(a), maintenanceListCommand(a))
}

// maintenanceFlags give the command what can be said of planned work, and return what
// was said.
func maintenanceFlags(cmd *cobra.Command) func() (status.MaintenanceChange, error) {
	f := cmd.Flags()
	titleKo, titleEn := f.String("title-ko", "", "the title in Korean"), f.String("title-en", "", "the title in English")
	ko, en := f.String("ko", "", "a word to the public, in Korean"), f.String("en", "", "a word to the public, in English")
	from := f.String("from", "", "when it begins, such as 2023-11-18T02:00:00+09:00, or now")
	until := f.String("until", "", "when it ends")
	services := f.StringSlice("services", nil, "the services that it touches")
	return func() (status.MaintenanceChange, error) {
		c := status.MaintenanceChange{Title: said(*titleKo, *titleEn), Say: said(*ko, *en), Services: *services}
		for _, t := range []struct {
			flag, text string
			to         *time.Time
		}{{"from", *from, &c.From}, {"until", *until, &c.Until}} {
			if t.text == "" {
				continue
			}
			var err error
			if *t.to, err = timeFlag(t.flag, t.text); err != nil {
				return c, err
			}
		}
		return c, nil
	}
}

// said is a text in the languages in which there is one.
func said(ko, en string) status.Text {
	t := status.Text{}
	for lang, text := range map[string]string{"ko": ko, "en": en} {
		if text = strings.TrimSpace(text); text != "" {
			t[lang] = text
		}
	}
	return t
}

func maintenancePlanCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "plan ID", Short: "Announce planned work",
		Long: `Announce work under ID (a-z, 0-9, . and -), which is to take from --from until --until.

With --format json: the work {id, title, status, from, until, services, updates}.`,
		Example: `  bongsu status maintenance plan mail-11 --title-en "Mail" --from 2h --until 4h`,
		Args:    exactly("ID"),
	}
	r, f, of, yes := remoteFlags(cmd), formatFlag(cmd), maintenanceFlags(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := of()
		if err != nil {
			return err
		}
		c.New = true
		for _, flag := range []string{"from", "until"} {
			if !cmd.Flags().Changed(flag) {
				return usagef("say when it begins and ends: --from 2023-11-18T02:00:00+09:00 --until ...", "--%s is missing", flag)
			}
		}
		if len(c.Title) == 0 {
			return usagef("give it in Korean, English or both", "--title-ko and --title-en are missing")
		}
		if err := a.confirm(*yes, "announce "+args[0]+" to the public"); err != nil {
			return err
		}
		return a.setMaintenance(cmd, r, *f, args[0], c)
	}
	return cmd
}

func maintenanceUpdateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "update ID", Short: "Say how planned work goes, or change it",
		Long: `Change the state, the time, the title or the services of the work that is planned as
ID, and say a word about it. What is left out stays as it was.

With --format json: the work {id, title, status, from, until, services, updates}.`,
		Example: `  bongsu status maintenance update mail-11 --state in_progress --en "Begun."`,
		Args:    exactly("ID"),
	}
	state := cmd.Flags().String("state", "", strings.Join(status.MaintenanceStates(), ", "))
	complete(cmd, "state", status.MaintenanceStates()...)
	r, f, of, yes := remoteFlags(cmd), formatFlag(cmd), maintenanceFlags(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := of()
		if err != nil {
			return err
		}
		if c.Status = *state; c.Status == "" && len(c.Title)+len(c.Say)+len(c.Services) == 0 && c.From.IsZero() && c.Until.IsZero() {
			return usagef("say what is to change: --state, --until, --ko or --en, ...", "nothing is to change")
		}
		if err := a.confirm(*yes, "tell the public of "+args[0]); err != nil {
			return err
		}
		return a.setMaintenance(cmd, r, *f, args[0], c)
	}
	return cmd
}

func (a *app) setMaintenance(cmd *cobra.Command, r *remote, f format, id string, c status.MaintenanceChange) error {
	client, err := a.client(cmd.Context(), r)
	if err != nil {
		return err
	}
	m, err := client.SetMaintenance(cmd.Context(), id, c)
	if err != nil {
		return err
	}
	if f == formatJSON {
		return a.printJSON(m)
	}
	fmt.Fprintf(a.out, "%s is %s, from %s until %s\n", m.ID, m.Status, minute(m.From), minute(m.Until))
	return nil
}

func maintenanceListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List planned work",
		Long: `List all work that is planned and was.

With --format json: {maintenances}, a list of {id, title, status, from, until, services,
updates}.`,
		Example: `  bongsu status maintenance list --config sites/anyang/bongsu.yaml`,
		Args:    exactly(),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		all, err := client.Maintenances(cmd.Context())
		if err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(map[string]any{"maintenances": all})
		}
		if len(all) == 0 {
			a.paragraph("No work is planned.")
			return nil
		}
		t := table{right: []bool{false, false, false, false}}
		t.add("WHAT", cell{text: "ID"}, cell{text: "STATE"}, cell{text: "FROM"}, cell{text: "UNTIL"})
		for _, m := range all {
			t.add(m.Title.In("en"), cell{text: m.ID}, cell{text: m.Status}, cell{text: minute(m.From)}, cell{text: minute(m.Until)})
		}
		t.print(a.out)
		return nil
	}
	return cmd
}
