package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/lang"
	"bongsu/web/deskapi"
)

func claimCommand(a *app) *cobra.Command {
	c := a.group(&cobra.Command{
		Use:   "claim",
		Short: "Decide damage reports by a published policy, and pay them",
		Long: `Check the rules by which damage reports are decided, and try drafts of them
over the reports that came in. The other commands do at the desk of a public node
what people do in its pages, with the token of an account.`,
		Example: "  bongsu claim policy examples/policies/kakao-2022.yaml",
	})
	c.AddCommand(
		claimPolicyCommand(a), claimWhatIfCommand(a), claimWindowCommand(a), claimImportCommand(a), claimListCommand(a), claimFlagCommand(a),
		claimDraftCommand(a), claimDecideCommand(a), claimUnaskedCommand(a), claimPayoutCommand(a), claimRecourseCommand(a), claimStatsCommand(a),
		claimEraseCommand(a),
	)
	return c
}

func readPolicy(name string) (*policy.Policy, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("examples/policies has one to begin with", "there is no file %s", name)
	}
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(name, data)
	if err != nil {
		return nil, usagef("docs/claims.md describes the format", "%w", err)
	}
	return p, nil
}

func claimPolicyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy FILE",
		Short: "Check a policy and try its examples",
		Long: `Check a policy: its rules are type-checked, and every example of its table is
decided. A policy whose examples do not come out as written is not to be used.

Exit code 0: all is as written; 3: an example comes out differently; 2: the
file is no policy, with every line that is wrong.

With --format json: {policy, digest, rules, examples, wrong, warnings}.`,
		Example: "  bongsu claim policy examples/policies/kakao-2022.yaml",
		Args:    exactly("FILE"),
	}
	f := formatFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := readPolicy(args[0])
		if err != nil {
			return err
		}
		wrong := p.Try()
		if *f == formatJSON {
			err = a.printJSON(struct {
				Policy   string   `json:"policy"`
				Digest   string   `json:"digest"`
				Rules    int      `json:"rules"`
				Examples int      `json:"examples"`
				Wrong    []string `json:"wrong"`
				Warnings []string `json:"warnings"`
			}{p.ID, p.Digest, len(p.Rules), len(p.Examples), append([]string{}, wrong...), append([]string{}, p.Warnings...)})
		} else {
			a.printPolicy(p, wrong)
		}
		if err == nil && len(wrong) > 0 {
			return errFound
		}
		return err
	}
	return cmd
}

func (a *app) printPolicy(p *policy.Policy, wrong []string) {
	for _, line := range wrap(fmt.Sprintf("%s (%s): %d rules, %d examples", p.ID, p.Title["ko"], len(p.Rules), len(p.Examples)), width) {
		fmt.Fprintln(a.out, line)
	}
	for _, w := range append(wrong, p.Warnings...) {
		a.item(w)
	}
	if len(wrong) == 0 {
		fmt.Fprintln(a.out, a.palette().good("every example comes out as written"))
	}
}

func claimWhatIfCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "what-if DRAFT...",
		Short: "Try drafts of a policy over the reports that came in",
		Long: `Decide every report by each draft, and compare: what is paid, what
persons would have to decide, who gets more or less than by the first draft, and
how much hangs on claimed losses being a tenth larger or smaller. Nothing of the
reports changes.

With --incident they are those that the desk keeps about it; the drafts need not be
handed in. With --claims they are those of a table: an XLSX workbook
(its first sheet; formulas are not computed) or CSV
(UTF-8, UTF-16 or EUC-KR) with a header: id, service, part, use (paid, free,
none), kind (person, small-business, company), loss, proven, best, week,
evidence, account, plan, fee, minutes (how long the service was down). Rows that
cannot be read are told and left out.

With --xlsx, the comparison is also written as a workbook with charts.

With --format json: {cases, drafts: [{policy, total, byRule, byKind, byUse,
byService, spread, budget, overBudget, borders}]}.`,
		Example: `  bongsu claim what-if --incident 20221015-pangyo policy.yaml draft.yaml
  bongsu claim what-if --claims reports.xlsx --xlsx out.xlsx policy.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("bongsu claim what-if --help", "no draft: expected one or more policy files")
			}
			return nil
		},
	}
	table := cmd.Flags().String("claims", "", "the `file` with the reports")
	xlsx := cmd.Flags().String("xlsx", "", "write the comparison as a workbook to this `file` too")
	language := cmd.Flags().String("lang", "", "of the workbook: ko or en; empty: en")
	complete(cmd, "lang", "ko", "en")
	incident := cmd.Flags().String("incident", "", "the `ID` of the incident whose reports the desk keeps")
	at := deskFlags(cmd)
	f := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (*table == "") == (*incident == "") {
			return usagef("bongsu claim what-if --help", "which reports: name a table with --claims FILE, or those of the desk with --incident ID")
		}
		if !slices.Contains([]string{"", "ko", "en"}, *language) {
			return usagef("it is ko or en", "--lang is %q", *language)
		}
		var drafts []*policy.Policy
		for _, name := range args {
			p, err := readPolicy(name)
			if err != nil {
				return err
			}
			drafts = append(drafts, p)
		}
		var c policy.Comparison
		var err error
		if *incident != "" {
			c, err = a.compareKept(cmd.Context(), at, *incident, args)
		} else {
			c, err = a.compareTable(cmd.Context(), *table, drafts)
		}
		if err != nil {
			return err
		}
		if *xlsx != "" {
			if _, err := writeWhole(*xlsx, func(w io.Writer) (int64, error) { return 0, claim.WriteComparison(w, c, *language) }); err != nil {
				return err
			}
		}
		if *f == formatJSON {
			return a.printJSON(c)
		}
		a.printComparison(&c)
		return nil
	}
	return cmd
}

// compareTable compares drafts over the reports of a table.
func (a *app) compareTable(ctx context.Context, table string, drafts []*policy.Policy) (policy.Comparison, error) {
	cases, err := a.readCases(table)
	if err != nil {
		return policy.Comparison{}, err
	}
	return work(ctx, a, "deciding", func() (policy.Comparison, error) {
		c := policy.Compare(cases, drafts)
		c.Borders(cases, drafts, -10, 10)
		return c, nil
	})
}

// compareKept compares drafts over the reports that the desk keeps.
func (a *app) compareKept(ctx context.Context, at *deskAt, incident string, files []string) (policy.Comparison, error) {
	q := deskapi.WhatIfRequest{Incident: incident}
	for _, name := range files {
		text, err := readInput(name)
		if err != nil {
			return policy.Comparison{}, err
		}
		q.Drafts = append(q.Drafts, string(text))
	}
	client, err := at.client()
	if err != nil {
		return policy.Comparison{}, err
	}
	c, err := work(ctx, a, "deciding", func() (policy.Comparison, error) { return client.WhatIf(ctx, q) })
	if err != nil {
		return c, deskError(err)
	}
	return c, nil
}

// readCases reads the table and tells which rows it could not read.
func (a *app) readCases(name string) ([]policy.Case, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, usagef("bongsu claim what-if --help describes the table", "read the reports: %w", err)
	}
	defer func() { _ = file.Close() }()
	cases, wrong, err := claim.ReadCases(file, nil)
	if err != nil {
		return nil, usagef("bongsu claim what-if --help describes the table", "%s: %w", name, err)
	}
	for i, w := range wrong {
		if i == 20 {
			fmt.Fprintf(a.err, "bongsu: … and %d more rows\n", len(wrong)-i)
			break
		}
		fmt.Fprintf(a.err, "bongsu: %s: %v; left out\n", name, w)
	}
	if len(cases) == 0 {
		return nil, usagef("bongsu claim what-if --help describes the table", "%s has no report that can be read", name)
	}
	return cases, nil
}

func (a *app) printComparison(c *policy.Comparison) {
	p := a.palette()
	fmt.Fprintln(a.out, counted(c.Cases, "report", "reports"))
	for i := range c.Drafts {
		d := &c.Drafts[i]
		t := &d.Total
		fmt.Fprintf(a.out, "\n%s\n", p.bold(d.Policy))
		rows := [][2]string{
			{"paid", counted(t.Paid, "report", "reports") + ", " + lang.Number(t.Amount)},
			{"refused", counted(t.Refused, "report", "reports")},
			{"for a person", counted(t.Human, "report", "reports") + ", up to " + lang.Number(t.Pending)},
		}
		if t.Hours > 0 {
			rows = append(rows, [2]string{"extensions", lang.Number(t.Hours) + " hours in all"})
		}
		if i > 0 {
			rows = append(rows, [2]string{"against the first", fmt.Sprintf("%s get more, %s less, %s in all", lang.Number(int64(t.More)), lang.Number(int64(t.Less)), lang.Number(t.Delta))})
		}
		if d.Budget > 0 {
			text := "kept"
			if d.OverBudget > 0 {
				text = p.bad("exceeded by " + lang.Number(d.OverBudget))
			}
			rows = append(rows, [2]string{"budget", lang.Number(d.Budget) + ", " + text})
		}
		for _, b := range d.Borders {
			rows = append(rows, [2]string{fmt.Sprintf("losses %+d %%", b.Percent), counted(b.Changed, "report comes", "reports come") + " out differently, " + lang.Number(b.Amount) + " paid"})
		}
		for _, r := range rows {
			fmt.Fprintf(a.out, "  %-18s %s\n", r[0], r[1])
		}
		for _, r := range d.ByRule {
			name := r.Name
			if name == "" {
				name = "(no rule)"
			}
			fmt.Fprintf(a.out, "  - %s: %s\n", name, strings.Join(segment(&r.Sums), ", "))
		}
	}
}

// segment says what a rule comes to.
func segment(s *policy.Sums) []string {
	out := []string{counted(s.Cases, "report", "reports")}
	if s.Amount > 0 {
		out = append(out, lang.Number(s.Amount)+" paid")
	}
	if s.Pending > 0 {
		out = append(out, lang.Number(s.Pending)+" for persons to decide")
	}
	if s.Hours > 0 {
		out = append(out, lang.Number(s.Hours)+" hours")
	}
	return out
}
