package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/claim"
	"bongsu/internal/lang"
	"bongsu/web/deskapi"
)

func claimDraftCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:     "draft",
		Short:   "Hand in a policy, and approve it",
		Long:    "Hand in policies for an incident, and approve them: one is in force when two\npeople approved it. What was decided before keeps its version.",
		Example: "  bongsu claim draft list --incident 20221015-pangyo",
	}, claimDraftList(a), claimDraftSubmit(a), claimDraftApprove(a))
}

func claimDraftList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the policies that were handed in",
		Long:    "Show the policies that were handed in for an incident, who approved them, and which\nis in force.",
		Example: "  bongsu claim draft list --incident 20221015-pangyo",
		Args:    exactly(),
	}
	id := incidentFlag(cmd)
	return deskCommand(a, cmd, deskDo[[]claim.Draft]{
		json: "a list of {id, incident, digest, text, by, at,\napprovals: [{by, at}], active}",
		do: func(ctx context.Context, c *deskapi.Client, _ []string) ([]claim.Draft, error) {
			return c.Drafts(ctx, *id)
		},
		show: func(all []claim.Draft) {
			if len(all) == 0 {
				fmt.Fprintln(a.out, "no policy was handed in")
			}
			for i := range all {
				a.showDraft(&all[i])
			}
		},
	})
}

func (a *app) showDraft(d *claim.Draft) {
	fmt.Fprintf(a.out, "%s  handed in by %s at %s\n  digest %s\n", d.ID, d.By, d.At.UTC().Format(time.RFC3339), d.Digest)
	for _, p := range d.Approvals {
		fmt.Fprintf(a.out, "  approved by %s at %s\n", p.By, p.At.UTC().Format(time.RFC3339))
	}
	if !d.Active.IsZero() {
		fmt.Fprintf(a.out, "  %s\n", a.palette().good("in force since "+d.Active.UTC().Format(time.RFC3339)))
	}
}

func claimDraftSubmit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "submit FILE",
		Short:   "Hand in a policy",
		Long:    "Hand in the policy in FILE for an incident. Its rules have to parse, and its\nexamples to come out as written: bongsu claim policy FILE says so beforehand.",
		Example: "  bongsu claim draft submit policy.yaml --incident 20221015-pangyo",
		Args:    exactly("FILE"),
	}
	id := incidentFlag(cmd)
	return deskCommand(a, cmd, deskDo[claim.Draft]{
		json: "{id, incident, digest, text, by, at,\napprovals: [{by, at}], active}",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (claim.Draft, error) {
			if _, err := readPolicy(args[0]); err != nil {
				return claim.Draft{}, err
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return claim.Draft{}, err
			}
			return c.Submit(ctx, *id, text)
		},
		show: func(d claim.Draft) { a.showDraft(&d) },
	})
}

func claimDraftApprove(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "approve ID",
		Short:   "Approve a policy that was handed in",
		Long:    "Approve the policy ID (name@version). --digest says which text was read: another\nunder the same name is not approved with it. The second person's approval puts it in\nforce.",
		Example: "  bongsu claim draft approve kakao-2022@1 --digest 3f2a… --incident I --yes",
		Args:    exactly("ID"),
	}
	id := incidentFlag(cmd)
	digest := cmd.Flags().String("digest", "", "the digest of the text that was read, as bongsu claim draft list shows it")
	return deskCommand(a, cmd, deskDo[claim.Draft]{
		json: "{id, incident, digest, text, by, at,\napprovals: [{by, at}], active}",
		ask:  func(args []string) string { return "approve policy " + args[0] },
		do: func(ctx context.Context, c *deskapi.Client, args []string) (claim.Draft, error) {
			if *digest == "" {
				return claim.Draft{}, usagef("bongsu claim draft list shows it", "--digest is missing")
			}
			return c.ApprovePolicy(ctx, deskapi.ApproveRequest{Incident: *id, ID: args[0], Digest: *digest})
		},
		show: func(d claim.Draft) { a.showDraft(&d) },
	})
}

func claimFlagCommand(a *app) *cobra.Command {
	return deskCommand(a, &cobra.Command{
		Use:     "flag INCIDENT",
		Short:   "Look for duplicates and clusters",
		Long:    "Compare all reports about INCIDENT, and flag those that look like others for a\nperson to look at. Nothing is refused by it.",
		Example: "  bongsu claim flag 20221015-pangyo",
		Args:    exactly("INCIDENT"),
	}, deskDo[deskapi.Flagged]{
		json: "{flagged}", what: "looking for duplicates",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (deskapi.Flagged, error) {
			return c.Flag(ctx, args[0])
		},
		show: func(f deskapi.Flagged) {
			fmt.Fprintf(a.out, "%s flagged now\n", counted(f.Flagged, "report", "reports"))
		},
	})
}

func claimDecideCommand(a *app) *cobra.Command {
	return deskCommand(a, &cobra.Command{
		Use:   "decide INCIDENT",
		Short: "Decide every report by the policy in force",
		Long: `Decide every report about INCIDENT that nobody decided, by the policy in force.
What it leaves to a person goes to the desk. It may be run again, also after it
broke off: what is decided is left alone.`,
		Example: "  bongsu claim decide 20221015-pangyo --yes",
		Args:    exactly("INCIDENT"),
	}, deskDo[claim.Tally]{
		json: "{decided, approved, refused, asked, review,\namount, skipped}",
		ask:  func(args []string) string { return "decide every report about " + args[0] }, what: "deciding",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (claim.Tally, error) {
			return c.Decide(ctx, args[0], nil)
		},
		show: a.showTally,
	})
}

func (a *app) showTally(t claim.Tally) {
	fmt.Fprintf(a.out, "%s decided\n", counted(t.Decided, "report", "reports"))
	for _, r := range []struct {
		what string
		n    int
	}{{"approved", t.Approved}, {"refused", t.Refused}, {"papers asked", t.Asked}, {"for a person", t.Review}, {"left alone", t.Skipped}} {
		fmt.Fprintf(a.out, "  %-13s %s\n", r.what, lang.Number(int64(r.n)))
	}
	fmt.Fprintf(a.out, "  %-13s %s\n", "in all", lang.Number(t.Amount))
}

func claimListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List reports, without what is personal",
		Long: `List reports, those with the largest amounts first. Nothing is shown that tells
who filed them. --after takes what the page before gave as next.`,
		Example: "  bongsu claim list --incident 20221015-pangyo --state review --flagged",
		Args:    exactly(),
	}
	f := cmd.Flags()
	q := url.Values{}
	for _, x := range [][2]string{{"incident", "of this incident"}, {"service", "on this service"}, {"use", "paid, free or none"}, {"kind", "person, small-business or company"}, {"channel", "web, phone, post, import, api or unasked"}, {"rule", "decided by this rule"}, {"after", "the next page"}} {
		f.String(x[0], "", x[1])
	}
	states := f.StringSlice("state", nil, "in one of these states: received, review, asked, decided, approved, paying, paid, returned, appealed, withdrawn, merged")
	flagged, oldest := f.Bool("flagged", false, "with an open doubt"), f.Bool("oldest", false, "the oldest first")
	low, high, limit := f.Int64("min", 0, "of at least this amount"), f.Int64("max", 0, "of at most this amount"), f.Int("limit", 50, "how many, at most 500")
	return deskCommand(a, cmd, deskDo[claim.Page]{
		json: "{claims: [{id, incident, report, state,\ndecision, flags, filed, …}], next, total}",
		do: func(ctx context.Context, c *deskapi.Client, _ []string) (claim.Page, error) {
			for _, name := range []string{"incident", "service", "use", "kind", "channel", "rule", "after"} {
				if v, err := f.GetString(name); err == nil && v != "" {
					q.Set(name, v)
				}
			}
			known := []claim.State{claim.Received, claim.Review, claim.Asked, claim.Decided, claim.Approved, claim.Paying, claim.Paid, claim.Returned, claim.Appealed, claim.Withdrawn, claim.Merged}
			for _, s := range *states {
				if !slices.Contains(known, claim.State(s)) {
					return claim.Page{}, usagef("see bongsu claim list --help", "there is no state %q", s)
				}
				q.Add("state", s)
			}
			q.Set("flagged", strconv.FormatBool(*flagged))
			q.Set("oldest", strconv.FormatBool(*oldest))
			q.Set("limit", strconv.Itoa(*limit))
			for name, n := range map[string]int64{"min": *low, "max": *high} {
				if n != 0 {
					q.Set(name, strconv.FormatInt(n, 10))
				}
			}
			return c.List(ctx, q)
		},
		show: func(p claim.Page) {
			for i := range p.Claims {
				x := &p.Claims[i]
				n, rule := x.Report.Loss, ""
				if x.Decision != nil {
					n, rule = x.Decision.Amount, x.Decision.Rule
				}
				fmt.Fprintln(a.out, strings.TrimRight(fmt.Sprintf("%s %-9s %14s %-12.12s %s", x.ID, x.State, lang.Number(n), x.Report.Service, clipped(rule, 24)), " "))
			}
			if p.Total < 0 {
				fmt.Fprintln(a.out, "more than 10,000 reports")
			} else {
				fmt.Fprintln(a.out, counted(p.Total, "report", "reports"))
			}
			if p.Next != "" {
				fmt.Fprintln(a.out, "next: --after "+p.Next)
			}
		},
	})
}

// clipped is text of at most so many letters.
func clipped(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func claimImportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take in a table of reports from phone and post",
		Long: `Take in the reports of a table: CSV (UTF-8 or EUC-KR) or XLSX. With --dry-run
nothing is filed, and every row that is wrong is told. A row that was filed before
is not filed again.

Exit code 3: some rows are wrong; the others were filed.`,
		Example: "  bongsu claim import phone.csv --incident 20221015-pangyo --dry-run",
		Args:    exactly("FILE"),
	}
	id := incidentFlag(cmd)
	dry := cmd.Flags().Bool("dry-run", false, "only say what is wrong")
	return deskCommand(a, cmd, deskDo[deskapi.Imported]{
		json: "{rows, filed, again, dry, wrong: [{row, msg}]}", what: "taking reports in",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (deskapi.Imported, error) {
			data, err := readInput(args[0])
			if err != nil {
				return deskapi.Imported{}, err
			}
			return c.Import(ctx, *id, args[0], data, *dry)
		},
		show: func(i deskapi.Imported) {
			verb := "filed"
			if i.Dry {
				verb = "could be filed"
			}
			fmt.Fprintf(a.out, "%s, %s %s, %s filed before\n", counted(i.Rows, "row", "rows"), lang.Number(int64(i.Filed)), verb, lang.Number(int64(i.Again)))
			var wrong []string
			for _, w := range i.Wrong {
				wrong = append(wrong, fmt.Sprintf("row %d: %s", w.Row, w.Msg))
			}
			a.sentences("wrong:", wrong)
		},
		found: func(i deskapi.Imported) bool { return len(i.Wrong) > 0 },
	})
}

// readInput reads a file that is named by who calls.
func readInput(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, &usageError{err: err, hint: "check the name of the file"}
	}
	return data, nil
}

func claimUnaskedCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unasked FILE",
		Short: "Give subscribers what they need not ask for",
		Long: `Give the subscribers of a table what the policy in force gives without a report:
CSV (UTF-8 or EUC-KR) with a header of account (a pseudonym), service, plan, fee (a
month) and since. Two people have to agree: the first who runs it hands the table
in, and is shown what it would come to; nothing is given until another person runs
it with the same table, under the same policy. Each account is given it once,
however often it is run. A table with a row that cannot be read, or that costs more
than the budget has left, is refused as a whole.`,
		Example: "  bongsu claim unasked subscribers.csv --incident 20221015-pangyo --yes",
		Args:    exactly("FILE"),
	}
	id := incidentFlag(cmd)
	return deskCommand(a, cmd, deskDo[claim.Handout]{
		json: "{decided, approved, refused, asked, review,\namount, skipped, digest, by, at, approvedBy, approvedAt}",
		ask:  func(args []string) string { return "give what the policy says to the accounts of " + args[0] }, what: "giving",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (claim.Handout, error) {
			data, err := readInput(args[0])
			if err != nil {
				return claim.Handout{}, err
			}
			return c.Unasked(ctx, *id, bytes.NewReader(data), nil)
		},
		show: func(h claim.Handout) {
			if h.ApprovedBy == "" {
				fmt.Fprintf(a.out, "handed in by %s, digest %s: nothing is given yet\nAnother person runs the same with the same table. It would come to:\n", h.By, h.Digest)
			} else {
				fmt.Fprintf(a.out, "handed in by %s, approved by %s, digest %s\n", h.By, h.ApprovedBy, h.Digest)
			}
			a.showTally(h.Tally)
		},
	})
}

func claimEraseCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "erase ID",
		Short: "Destroy the personal data of a report",
		Long: `Destroy the key of the report ID: its personal data and papers can be read no
more, in backups neither, and its proof in the log of decisions ends with them. What
was decided and paid stays in the books. What a batch is about to pay is refused
until the batch is dropped or the bank has answered.`,
		Example: `  bongsu claim erase 7F3K-Q2MX-9B4T --why "asked for by the claimant" --yes`,
		Args:    exactly("ID"),
	}
	why := whyFlag(cmd)
	return deskCommand(a, cmd, deskDo[deskapi.Erased]{
		json: "{id, erased}",
		ask:  func(args []string) string { return "destroy the personal data of " + args[0] + " for good" },
		do: func(ctx context.Context, c *deskapi.Client, args []string) (deskapi.Erased, error) {
			return c.Erase(ctx, deskapi.EraseRequest{ID: args[0], Why: *why})
		},
		show: func(e deskapi.Erased) { fmt.Fprintf(a.out, "the personal data of %s are destroyed\n", e.ID) },
	})
}
