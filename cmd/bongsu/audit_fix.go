package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/internal/lang"
	"bongsu/verify"
)

func auditFixCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fix DIR --lose DOMAIN[,DOMAIN...]",
		Short: "Find the cheapest measures that leave nothing unrecoverable",
		Long: `Find the measures of least cost after which losing the domains together leaves
no service unrecoverable: a second site for a tool, a manual procedure, a copy
staged elsewhere, more voters, another way to reach people. A measure costs what
its document in the estate says (cost, 1 if it says nothing). What a measure
says it does without is a need no longer once it is carried out: in the estate
it becomes a want, or goes.

The answer comes with a certificate: sets of things of which at least one has to
be had. Sets that share no member add up to a lower bound that anyone can check:
--certificate FILE writes it for bongsu verify.

With --format json: {estate, loss, tier, services, measures: [{subject, words,
cost}], cost, optimal, impossible, certificate: {lowerBound, disjoint, blocked}}.`,
		Example: `  bongsu audit fix examples/kakao-2022 --lose pangyo
  bongsu audit fix examples/kakao-2022 --lose pangyo --tier 1 --format json
  bongsu audit fix examples/kakao-2022 --lose pangyo --certificate fix.json`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
	}
	lost := loseFlag(cmd)
	tier := cmd.Flags().Int("tier", 0, "only the services of this `tier` must come back; 0 is all")
	certificate := cmd.Flags().String("certificate", "", "also write a `file` that bongsu verify checks: what the measures do, and that none cost less")
	f := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(*lost) == 0:
			return usagef("bongsu estate show "+args[0]+" lists the domains", "--lose is missing: say which domains are lost")
		case *tier < 0:
			return usagef("1 is the highest tier, 0 is all", "--tier must not be negative")
		}
		s, err := a.load(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		for _, doubt := range doubts(s) {
			a.warn(doubt)
		}
		if has := tiers(s); *tier > 0 && len(s.Services) > 0 && !slices.Contains(has, *tier) {
			return usagef("leave out --tier for all services", "no service of the estate has tier %d; its tiers: %s", *tier, cmp.Or(strings.Trim(fmt.Sprint(has), "[]"), "none"))
		}
		fix, err := work(cmd.Context(), a, "looking for the cheapest measures", func() (*audit.BreakGlass, error) {
			return audit.Fix(s, *lost, *tier)
		})
		if err != nil {
			return err
		}
		if *certificate != "" {
			c, err := work(cmd.Context(), a, "proving it", func() (*verify.Certificate, error) { return provenFix(s, *lost, fix) })
			if err == nil {
				err = writeCertificate(*certificate, c)
			}
			if err != nil {
				return err
			}
		}
		if *f == formatJSON {
			return a.printJSON(fix)
		}
		a.printFix(s, fix)
		return nil
	}
	return cmd
}

// tiers are the tiers that the services of an estate have.
func tiers(s *estate.Snapshot) []int {
	var all []int
	for i := range s.Services {
		if t := s.Services[i].Tier; t > 0 {
			all = append(all, t)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (a *app) printFix(s *estate.Snapshot, fix *audit.BreakGlass) {
	of := ""
	if fix.Tier > 0 {
		of = " of tier " + strconv.Itoa(fix.Tier)
	}
	a.heading("loss", fix.Loss)
	a.heading(counted(len(fix.Services), "service", "services")+of+" that nothing brings back", listed(fix.Services, 20))
	if len(fix.Impossible) > 0 {
		a.heading("of these no measure helps", listed(fix.Impossible, 20)+": they need a domain that is lost itself")
	}
	switch {
	case len(s.Services) == 0:
		a.paragraph("The estate has no services: nothing is known of what has to come back.")
		return
	case len(fix.Services) == 0:
		a.paragraph("No measures are needed: what is down comes back with what is left.")
		return
	case len(fix.Services) == len(fix.Impossible):
		return
	}
	a.section(counted(len(fix.Measures), "measure", "measures"), "cost "+number(fix.Cost))
	t := table{right: []bool{true, false}}
	t.add("MEASURE", cell{text: "COST"}, cell{text: "TAKE AS UP"})
	for _, m := range fix.Measures {
		t.add(m.Words, cell{text: number(m.Cost)}, cell{text: m.Subject})
	}
	t.print(a.out)
	c := fix.Certificate
	words := fmt.Sprintf("no measures cost less than %s: at least one is needed of each of these %s, which share none", number(c.LowerBound), counted(len(c.Disjoint), "set", "sets"))
	switch {
	case !fix.Optimal:
		words += "; the search for the least was cut short"
	case c.LowerBound < fix.Cost:
		words += fmt.Sprintf("; the least that meets all %s costs %s", counted(len(c.Blocked), "known set", "known sets"), number(fix.Cost))
	}
	a.section("proof", words)
	for _, set := range c.Disjoint {
		a.item(strings.Join(set[:min(len(set), 12)], ", ") + more(len(set)-12))
	}
}

func more(n int) string {
	if n > 0 {
		return " and " + lang.Number(int64(n)) + " more"
	}
	return ""
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
