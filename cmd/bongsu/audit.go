package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/internal/lang"
	"bongsu/web"
)

func auditCommand(a *app) *cobra.Command {
	c := &auditRun{app: a, format: auditText}
	cmd := &cobra.Command{
		Use:   "audit DIR",
		Short: "Say what would not survive, and why",
		Long: `Hold the rules of bongsu audit rules against the estate in DIR and against
losses: each site, unless others are asked for.

  bongsu audit DIR [--lose D[,D]]... [--sites] [--pairs[=TYPE,...]] [--every]

A finding has an ID, rule/loss/subject, that stays the same between runs; its
loss is "-" where the rule looks at the estate as it stands. --baseline FILE, an
earlier output with --format json, shows only what is new and what is fixed.

--pairs leaves out what a pair does that a pair of domains inside does too: the
less is lost, the more it says. --lose names a pair to see all that it does.

Exit code 0: nothing at or above --min-severity; 3: something; 2: bad input.
What is waived in the estate, by somebody and until a date, is listed and does
not count; a waiver that waives nothing is told. Nor does count what the baseline
knows, be it in another way: a part that cannot come back where it had the whole
service, a component where it had a service that needs it.

With --format json: {version, estate, now, losses, swept, findings: [{id, rule,
severity, loss, subject, sentence, proof, users, fix, file, line, waived}],
waivesNothing: [{subject, rule, loss, owner, file, line}], implied: [{loss,
components}]}, the last two if there are any; implied is what cannot come back
either and has no finding of its own. With --baseline also {baseline, fixed, same,
notJudged}, and the findings are the new ones: such an output is no baseline for
another run.`,
		Example: `  bongsu audit examples/kakao-2022
  bongsu audit examples/kakao-2022 --lose pangyo --rule unrecoverable
  bongsu audit examples/kakao-2022 --format html --lang ko > audit.html`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.check(); err != nil {
			return err
		}
		if c.watch {
			return c.follow(cmd.Context(), args[0])
		}
		return c.once(cmd, args[0])
	}
	cmd.AddCommand(auditRulesCommand(a), auditFixCommand(a), auditHistoryCommand(a))
	return cmd
}

// An auditRun is one call of bongsu audit.
type auditRun struct {
	*app
	lose         [][]string
	sites, every bool
	pairs        pairTypes
	now          moment
	rules        []string
	least        severity
	baseline     string
	certificate  string
	format       auditFormat
	lang         choice
	all, watch   bool

	opts audit.Options
	old  *audit.Report
	snap *estate.Snapshot
}

func (c *auditRun) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var((*losses)(&c.lose), "lose", "`domains` that are lost together, separated by commas; each flag is one loss")
	f.BoolVar(&c.sites, "sites", false, "the loss of each site; so it is if no loss is asked for")
	f.Var(&c.pairs, "pairs", "pairs of sites, feeds and racks: what is worse than the two alone; --pairs=server pairs the domains of that type (several: separated by commas), --pairs=all any two")
	f.Lookup("pairs").NoOptDefVal = "true"
	f.BoolVar(&c.every, "every", false, "the loss of each single domain")
	f.Var(&c.now, "now", "the time for what ages, such as 2026-11-23; not given: the clock's")
	f.StringSliceVar(&c.rules, "rule", nil, "only these `rules`; bongsu audit rules lists them")
	f.Var(&c.least, "min-severity", "info, warning or error: leave out what is less grave, and exit 3 from there on; not given: leave out nothing, exit 3 from error on")
	f.StringVar(&c.baseline, "baseline", "", "a `file` with an earlier output (--format json): show only what is new or fixed")
	f.StringVar(&c.certificate, "certificate", "", "also write a `file` that bongsu verify checks: the impact of each loss, and the findings of unrecoverable, deadlock and outage")
	f.Var(&c.format, "format", "how to print the result: text, json, sarif (for code scanning), markdown (for pull requests) or html (for reading and printing)")
	c.lang = choice{value: string(lang.English), all: []string{string(lang.Korean), string(lang.English)}}
	c.lang.flag(cmd, "lang", "the language of html and markdown")
	f.BoolVar(&c.all, "all", false, "print long lists in full")
	f.BoolVar(&c.watch, "watch", false, "judge again whenever a file changes, and print what changed, until interrupted")
	complete(cmd, "format", auditFormats()...)
	complete(cmd, "min-severity", string(audit.Info), string(audit.Warning), string(audit.Error))
	var names []string
	for _, r := range audit.Rules() {
		names = append(names, cobra.CompletionWithDesc(r.Name, r.Summary))
	}
	complete(cmd, "rule", names...)
	err := cmd.RegisterFlagCompletionFunc("lose", func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return domainNames(args[0]), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // unreachable: the flag was defined just before, once
	}
}

// check turns flags into options.
func (c *auditRun) check() error {
	c.opts = audit.Options{
		Lose: c.lose, Sites: c.sites, Pairs: c.pairs.on, PairTypes: c.pairs.types, Every: c.every,
		Now: time.Time(c.now), Rules: c.rules, MinSeverity: audit.Severity(c.least),
		Implied: c.format == auditJSON || c.baseline != "" || c.watch,
	}
	if c.opts.Now.IsZero() {
		c.opts.Now = time.Now()
	}
	if len(c.rules) == 0 {
		c.opts.Rules = nil
	}
	if c.watch && (c.baseline != "" || c.certificate != "" || c.format != auditText) {
		return usagef("", "--watch prints changes as text; it goes with neither --baseline nor --format nor --certificate")
	}
	if c.lang.value != string(lang.English) && c.format != auditHTML && c.format != auditMarkdown {
		return usagef("give --format html or markdown, too", "--lang is for pages that people read: html and markdown")
	}
	if c.baseline == "" {
		return nil
	}
	data, err := os.ReadFile(c.baseline)
	if err != nil {
		return usagef("write one with bongsu audit DIR --format json", "the baseline: %w", err)
	}
	if c.old, err = audit.ParseReport(data); err != nil {
		return usagef("write a new one with bongsu audit DIR --format json, without --baseline", "%s: %w", c.baseline, err)
	}
	return nil
}

func (c *auditRun) judge(cmd *cobra.Command, dir string) (*audit.Report, error) {
	s, err := c.load(cmd.Context(), dir)
	if err != nil {
		return nil, err
	}
	c.snap = s
	r, err := work(cmd.Context(), c.app, "auditing", func() (*audit.Report, error) { return audit.Check(s, c.opts) })
	if err == nil && c.certificate != "" {
		err = certifyAudit(c.certificate, s, r)
	}
	return r, err
}

func (c *auditRun) once(cmd *cobra.Command, dir string) error {
	r, err := c.judge(cmd, dir)
	if err != nil {
		return auditError(err)
	}
	threshold := audit.Error
	if c.least != "" {
		threshold = audit.Severity(c.least)
	}
	var diff *audit.Difference
	counted := r
	if c.old != nil {
		diff = audit.Compare(c.old, r)
		counted = diff.Report
	}
	c.idle(r.WaivesNothing)
	if err := c.print(r, diff); err != nil {
		return err
	}
	if counted.Count(threshold) > 0 {
		return errFound
	}
	return nil
}

// mostIdle is how many waivers that waive nothing are named one by one.
const mostIdle = 5

// idle warns of waivers that waive nothing.
func (c *auditRun) idle(list []audit.IdleWaiver) {
	for _, w := range list[:min(len(list), mostIdle)] {
		c.warn(w.String())
	}
	if n := len(list) - mostIdle; n > 0 {
		c.warn(counted(n, "waiver more waives", "waivers more waive") + " nothing: --format json lists all")
	}
}

func (c *auditRun) print(r *audit.Report, diff *audit.Difference) error {
	if diff != nil {
		r = diff.Report
	}
	switch c.format {
	case auditJSON:
		if diff != nil {
			return c.printJSON(diff)
		}
		return c.printJSON(r)
	case auditSARIF:
		return c.printJSON(r.SARIF())
	case auditMarkdown:
		reader, err := c.reader()
		if err != nil {
			return err
		}
		text, err := r.Markdown(diff, reader)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(c.out, text)
		return err
	case auditHTML:
		fixes, err := c.fixes(r)
		if err != nil {
			return err
		}
		reader, err := c.reader()
		if err != nil {
			return err
		}
		return r.HTML(c.out, diff, reader, fixes...)
	case auditText:
	}
	t := auditPrinter{app: c.app, p: c.palette(), most: 20}
	if c.all {
		t.most = max(len(r.Findings), 20)
	}
	t.print(r, diff)
	return nil
}

// reader is whom a page is for: what findings say is told as the console tells it.
func (c *auditRun) reader() (audit.Reader, error) {
	tell, err := web.NewTell()
	if err != nil {
		return audit.Reader{}, err
	}
	l := lang.Lang(c.lang.value)
	return audit.Reader{Lang: l, Tell: func(s string) string { return tell(l, s) }}, nil
}

// mostFixed is how many components an estate may have for its page to show the
// cheapest measures for each loss; bongsu audit fix looks for them in any.
const mostFixed = 3000

// fixes finds the cheapest measures for each loss that was asked for by name.
func (c *auditRun) fixes(r *audit.Report) ([]*audit.BreakGlass, error) {
	if len(c.snap.Components) > mostFixed {
		return nil, nil
	}
	var all []*audit.BreakGlass
	for _, loss := range r.Losses {
		fix, err := audit.Fix(c.snap, strings.Split(loss, "+"), 0)
		if err != nil {
			return nil, err
		}
		all = append(all, fix)
	}
	return all, nil
}

// auditError makes the exit code of bad input of what Check refuses.
func auditError(err error) error {
	if rule, ok := errors.AsType[*audit.RuleError](err); ok {
		return &usageError{err: rule, hint: "bongsu audit rules lists the rules"}
	}
	if kind, ok := errors.AsType[*audit.TypeError](err); ok {
		return &usageError{err: kind, hint: "bongsu estate show DIR lists the domains with their types"}
	}
	if limit, ok := errors.AsType[*audit.LimitError](err); ok {
		return &usageError{err: limit}
	}
	return err
}

// losses is the value of --lose: one loss for each flag.
type losses [][]string

func (l *losses) Type() string { return "domains" }

func (l *losses) String() string {
	var all []string
	for _, loss := range *l {
		all = append(all, strings.Join(loss, ","))
	}
	return strings.Join(all, " ")
}

func (l *losses) Set(s string) error {
	var loss []string
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name == "" {
			return errors.New("expected names of domains, separated by commas")
		} else if !slices.Contains(loss, name) {
			loss = append(loss, name)
		}
	}
	*l = append(*l, loss)
	return nil
}

// pairTypes is the value of --pairs: alone, or with the types to pair.
type pairTypes struct {
	on    bool
	types []string
}

func (p *pairTypes) Type() string { return "types" }

func (p *pairTypes) String() string {
	switch {
	case len(p.types) > 0:
		return strings.Join(p.types, ",")
	case p.on:
		return "true"
	}
	return ""
}

func (p *pairTypes) Set(s string) error {
	*p = pairTypes{}
	switch s {
	case "true":
		p.on = true
	case "false":
	default:
		for kind := range strings.SplitSeq(s, ",") {
			if kind = strings.TrimSpace(kind); kind == "" {
				return errors.New("expected types of domain, separated by commas, or all")
			}
			p.types = append(p.types, kind)
		}
		p.on = true
	}
	return nil
}

// moment is the value of --now.
type moment time.Time

func (m *moment) Type() string { return "time" }

func (m *moment) String() string {
	if time.Time(*m).IsZero() {
		return ""
	}
	return time.Time(*m).Format(time.RFC3339)
}

func (m *moment) Set(s string) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			*m = moment(t)
			return nil
		}
	}
	return errors.New("expected a day such as 2026-11-23 or a time such as 2026-11-23T09:00:00+09:00")
}

// severity is the value of --min-severity.
type severity audit.Severity

func (s *severity) Type() string   { return "severity" }
func (s *severity) String() string { return string(*s) }

func (s *severity) Set(v string) error {
	if audit.Severity(v).Rank() == 0 {
		return errors.New("expected info, warning or error")
	}
	*s = severity(v)
	return nil
}

// auditFormat is the value of --format of audit.
type auditFormat string

const (
	auditText     auditFormat = "text"
	auditJSON     auditFormat = "json"
	auditSARIF    auditFormat = "sarif"
	auditMarkdown auditFormat = "markdown"
	auditHTML     auditFormat = "html"
)

func auditFormats() []string {
	return []string{string(auditText), string(auditJSON), string(auditSARIF), string(auditMarkdown), string(auditHTML)}
}

func (f *auditFormat) Type() string   { return "format" }
func (f *auditFormat) String() string { return string(*f) }

func (f *auditFormat) Set(s string) error {
	if !slices.Contains(auditFormats(), s) {
		return errors.New("expected text, json, sarif, markdown or html")
	}
	*f = auditFormat(s)
	return nil
}

// An auditPrinter prints a report for people, by the users that findings touch.
type auditPrinter struct {
	*app
	p    palette
	most int
}

func (t *auditPrinter) print(r *audit.Report, diff *audit.Difference) {
	t.heading("estate", r.Estate)
	if len(r.Losses) > 0 {
		t.heading("losses", listed(r.Losses, t.most))
	}
	for _, s := range r.Swept {
		t.heading(s.What, fmt.Sprintf("%s losses, of which %s had to be run", lang.Number(int64(s.Losses)), lang.Number(int64(s.Run))))
	}
	label := "finding"
	if diff != nil {
		label = "new finding"
	}
	t.section(counted(len(r.Findings), label, label+"s"), tallied(r))
	t.findings(r.Findings)
	if diff != nil {
		t.section(counted(len(diff.Fixed), "finding is fixed", "findings are fixed"), "")
		t.findings(diff.Fixed)
		fmt.Fprintf(t.out, "\n%s as before.\n", counted(diff.Same, "finding is", "findings are"))
		if diff.NotJudged > 0 {
			fmt.Fprintf(t.out, "%s of the baseline not judged this time: nobody asked for their\nlosses, rules or severities.\n", counted(diff.NotJudged, "finding", "findings"))
		}
	}
}

// tallied says how many findings are of which severity.
func tallied(r *audit.Report) string {
	var parts []string
	counts, waived := r.Tally()
	for _, c := range counts {
		if c.N > 0 {
			parts = append(parts, lang.Number(int64(c.N))+" "+string(c.Severity))
		}
	}
	if waived > 0 {
		parts = append(parts, lang.Number(int64(waived))+" waived")
	}
	return strings.Join(parts, ", ")
}

func (t *auditPrinter) findings(list []audit.Finding) {
	out := table{right: []bool{true, false}}
	if len(list) > 0 {
		out.add("FINDING", cell{text: "USERS"}, cell{text: "SEVERITY"})
	}
	for _, f := range audit.Gravest(list, t.most) {
		lines := []string{f.Sentence}
		if len(f.Proof.Words) > 0 {
			lines = append(lines, "because "+strings.Join(f.Proof.Words[:min(len(f.Proof.Words), 12)], "; "))
		}
		if f.Fix != nil {
			lines = append(lines, "fix: "+f.Fix.Words)
		}
		if f.Waived != nil {
			lines = append(lines, fmt.Sprintf("waived until %s by %s: %s", f.Waived.Until, f.Waived.Owner, f.Waived.Reason))
		}
		id := f.ID
		if f.File != "" {
			id += fmt.Sprintf(" (%s:%d)", f.File, f.Line)
		}
		lines = append(lines, id)
		paint := map[audit.Severity]func(string) string{audit.Error: t.p.bad, audit.Warning: t.p.warn}[f.Severity]
		out.add(strings.Join(lines, "\n"), cell{text: lang.Number(f.Users)}, cell{string(f.Severity), paint})
	}
	out.print(t.out)
	if left := len(list) - t.most; left > 0 {
		fmt.Fprintf(t.out, "... and %s more, none of them graver: --all prints them.\n", lang.Number(int64(left)))
	}
}

func auditRulesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rules [RULE]",
		Short: "List the rules of the audit, or print the page of one",
		Long:  `List the rules that bongsu audit holds against an estate, or print the page of one: what it looks for, why, an example, and how to fix what it finds.`,
		Example: `  bongsu audit rules
  bongsu audit rules tool-tier`,
		Args: between(0, "RULE"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, r := range audit.Rules() {
				names = append(names, cobra.CompletionWithDesc(r.Name, r.Summary))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				page, err := audit.Page(args[0])
				if err != nil {
					return auditError(err)
				}
				_, err = fmt.Fprint(a.out, page)
				return err
			}
			t := table{right: []bool{false, false}}
			t.add("WHAT IT FINDS", cell{text: "RULE"}, cell{text: "UP TO"})
			for _, r := range audit.Rules() {
				t.add(r.Summary, cell{text: r.Name}, cell{text: string(r.Severity)})
			}
			t.print(a.out)
			return nil
		},
	}
}
