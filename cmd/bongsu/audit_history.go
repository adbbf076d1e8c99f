package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/audit"
	"bongsu/internal/lang"
)

func auditHistoryCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show which revision of the estate opened and fixed which finding",
		Long: `Show which revision of the estate opened and fixed which finding, as the nodes
know it: after each push the leading one audits the estate with all rules and the
loss of each site. The newest audit is the last line of the trend.

The gravest findings are kept with their proofs, the others by their IDs; what is
beyond that is counted. Of those that were fixed, the last ones are kept.

With --format json: {audits: [{number, rev, who, at, judged, errors, warnings,
infos, waived, opened, fixed}], losses, services: [{name, title, users, states}],
standing: [{id, rule, severity, loss, subject, sentence, proof, users, fix, opened,
graph}], brief: [{id, severity, opened}], fixed, waivesNothing, otherLosses,
moreLosses, moreServices, moreFindings, moreFixed, moreWaivers}, as the API's /api/v1/audit. losses have a
column in states, otherLosses were judged too.`,
		Example: `  bongsu audit history --config sites/anyang/bongsu.yaml
  bongsu audit history --severity error --rule unrecoverable --format json`,
		Args: exactly(),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	var (
		least severity
		only  audit.Choice
		all   bool
	)
	flags := cmd.Flags()
	flags.Var(&least, "severity", "info, warning or error: only findings of this severity")
	flags.StringVar(&only.Rule, "rule", "", "only findings of this `rule`")
	flags.StringVar(&only.Loss, "loss", "", "only findings in this `loss`: the domains joined by +, or - for those without a loss")
	flags.BoolVar(&all, "all", false, "print long lists in full")
	complete(cmd, "severity", string(audit.Info), string(audit.Warning), string(audit.Error))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		only.Severity = audit.Severity(least)
		h, err := c.Audit(cmd.Context(), only)
		switch {
		case err != nil:
			return err
		case *f == formatJSON:
			return a.printJSON(h)
		}
		a.printHistory(h, all)
		return nil
	}
	return cmd
}

func (a *app) printHistory(h *audit.History, all bool) {
	last, ok := h.Last()
	if !ok {
		a.paragraph("No estate has been audited yet: push one with bongsu estate push DIR, and the leading node audits it.")
		return
	}
	most := func(n, some int) int {
		if all {
			return n
		}
		return min(n, some)
	}
	a.heading("Revision", fmt.Sprintf("%d, pushed by %s at %s, audited at %s", last.Number, last.Who, second(last.At), second(last.Judged)))
	a.section("Trend", "")
	t := table{right: []bool{true, true, true, true, true, true, true}}
	t.add("REVISION", cell{text: "ERRORS"}, cell{text: "WARNINGS"}, cell{text: "NOTES"}, cell{text: "WAIVED"}, cell{text: "OPENED"}, cell{text: "FIXED"})
	audits := h.Audits[len(h.Audits)-most(len(h.Audits), 10):]
	for _, x := range audits {
		n := func(v int) cell { return cell{text: lang.Number(int64(v))} }
		t.add(fmt.Sprintf("%d %s %s", x.Number, second(x.At), x.Who), n(x.Errors), n(x.Warnings), n(x.Infos), n(x.Waived), n(x.Opened), n(x.Fixed))
	}
	t.print(a.out)

	a.section(counted(h.Followed(), "finding stands", "findings stand"), "")
	t = table{right: []bool{true, false}}
	if h.Followed() > 0 {
		t.add("FINDING", cell{text: "OPENED BY"}, cell{text: "SEVERITY"})
	}
	shown := most(len(h.Standing), mostShown)
	for i := range h.Standing[:shown] {
		x := &h.Standing[i]
		lines := []string{x.Sentence, x.ID}
		if x.Waived != nil {
			lines = append(lines, fmt.Sprintf("waived until %s by %s: %s", x.Waived.Until, x.Waived.Owner, x.Waived.Reason))
		}
		t.add(strings.Join(lines, "\n"), cell{text: fmt.Sprint(x.Opened.Number)}, cell{string(x.Severity), a.severityPaint(x.Severity)})
	}
	brief := 0
	if all {
		brief = len(h.Brief)
	}
	for _, x := range h.Brief[:brief] {
		t.add(x.ID, cell{text: fmt.Sprint(x.Opened.Number)}, cell{string(x.Severity), a.severityPaint(x.Severity)})
	}
	t.print(a.out)
	a.left(h.Followed() - shown - brief)
	if h.MoreFindings > 0 {
		a.paragraph(counted(h.MoreFindings, "finding more is", "findings more are") + " counted only: bongsu audit DIR lists all of them.")
	}

	if n := len(h.WaivesNothing) + h.MoreWaivers; n > 0 {
		a.section(counted(n, "waiver waives nothing", "waivers waive nothing"), "")
		shown = most(len(h.WaivesNothing), mostShown)
		for i := range h.WaivesNothing[:shown] {
			a.item(h.WaivesNothing[i].String())
		}
		a.left(len(h.WaivesNothing) - shown)
		if h.MoreWaivers > 0 {
			a.paragraph(counted(h.MoreWaivers, "waiver more is", "waivers more are") + " counted only: bongsu audit DIR --format json lists all of them.")
		}
	}

	a.section(counted(len(h.Fixed), "finding was fixed", "findings were fixed"), "")
	t = table{right: []bool{true, true, false}}
	if len(h.Fixed) > 0 {
		t.add("FINDING", cell{text: "OPENED BY"}, cell{text: "FIXED BY"}, cell{text: "SEVERITY"})
	}
	shown = most(len(h.Fixed), mostShown)
	for i := range h.Fixed[:shown] {
		x := &h.Fixed[i]
		t.add(strings.TrimSpace(x.Sentence+"\n"+x.ID), cell{text: fmt.Sprint(x.Opened.Number)}, cell{text: fmt.Sprint(x.Fixed.Number)}, cell{string(x.Severity), a.severityPaint(x.Severity)})
	}
	t.print(a.out)
	a.left(len(h.Fixed) - shown)
	if h.MoreFixed > 0 {
		a.paragraph(counted(h.MoreFixed, "finding", "findings") + " fixed longer ago: no longer kept.")
	}
}

// left says how much of a list is not printed.
func (a *app) left(n int) {
	if n > 0 {
		fmt.Fprintf(a.out, "... and %s more: --all prints them.\n", lang.Number(int64(n)))
	}
}

func (a *app) severityPaint(s audit.Severity) func(string) string {
	return map[audit.Severity]func(string) string{audit.Error: a.palette().bad, audit.Warning: a.palette().warn}[s]
}
