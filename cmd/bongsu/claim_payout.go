package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/lang"
	"bongsu/settle"
	"bongsu/web/deskapi"
)

func claimPayoutCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "payout",
		Short: "Pay what was decided",
		Long: `Bring what was decided to those who are owed it: grant posts it to the book, draft
makes a batch, another person approves it, file writes it for the bank, sent says
that it went there, and results takes the bank's answer. docs/payout.md tells the
whole way.`,
		Example: "  bongsu claim payout grant 20221015-pangyo --yes\n  bongsu claim payout draft b1 --incident 20221015-pangyo --bank main --yes",
	}, payoutGrant(a), payoutList(a), payoutMissing(a), payoutDraft(a), payoutVerb(a, "approve"), payoutFile(a), payoutVerb(a, "sent"),
		payoutResults(a), payoutAgain(a), payoutResume(a), payoutVerb(a, "drop"), payoutReconcile(a), payoutMend(a))
}

func payoutGrant(a *app) *cobra.Command {
	return deskCommand(a, &cobra.Command{
		Use:   "grant INCIDENT",
		Short: "Post what was decided to the book",
		Long: `Post every decision on reports about INCIDENT to the book, once, and its commitment
to the log. A decision that was changed is reversed and posted anew. It may be run
again at any time.

Exit code 3: there is something that a person has to look at.`,
		Example: "  bongsu claim payout grant 20221015-pangyo --yes",
		Args:    exactly("INCIDENT"),
	}, deskDo[settle.Granted]{
		json: "{claims, amount, reversed, logged, odd}",
		ask:  func(args []string) string { return "post what was decided about " + args[0] }, what: "posting",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (settle.Granted, error) {
			return c.Grant(ctx, args[0], nil)
		},
		show: func(g settle.Granted) {
			fmt.Fprintf(a.out, "%s granted, %s in all; %s reversed; %s put into the log\n", counted(g.Claims, "report", "reports"), lang.Number(g.Amount), lang.Number(int64(g.Reversed)), counted(g.Logged, "decision", "decisions"))
			a.sentences("to be looked at:", g.Odd)
		},
		found: func(g settle.Granted) bool { return len(g.Odd) > 0 },
	})
}

func (a *app) showBatch(b *settle.Batch) {
	p := a.palette()
	fmt.Fprintf(a.out, "%s  %s of %s from %s, %s: %s\n", p.bold(b.ID), counted(b.Count, "payment", "payments"), amount(b.Total, b.Currency), b.Bank, b.Form, b.State)
	said := func(what, by string, at time.Time) {
		if by != "" || !at.IsZero() {
			fmt.Fprintf(a.out, "  %s by %s at %s\n", what, by, at.UTC().Format(time.RFC3339))
		}
	}
	said("drafted", b.DraftedBy, b.DraftedAt)
	said("approved", b.ApprovedBy, b.ApprovedAt)
	said("sent", b.SentBy, b.SentAt)
	said("dropped", b.DroppedBy, b.DroppedAt)
}

const batchJSON = "{id, incident, form, bank, currency, state,\ncount, total, draftedBy, draftedAt, approvedBy, approvedAt, sentBy, sentAt, …}"

func payoutList(a *app) *cobra.Command {
	return deskCommand(a, &cobra.Command{
		Use:     "list INCIDENT",
		Short:   "Show the batches of an incident",
		Long:    "Show every batch of payments of INCIDENT, the newest first, and how far it is.",
		Example: "  bongsu claim payout list 20221015-pangyo",
		Args:    exactly("INCIDENT"),
	}, deskDo[[]settle.Batch]{
		json: "a list of " + batchJSON,
		do: func(ctx context.Context, c *deskapi.Client, args []string) ([]settle.Batch, error) {
			return c.Batches(ctx, args[0])
		},
		show: func(all []settle.Batch) {
			if len(all) == 0 {
				fmt.Fprintln(a.out, "no batches")
			}
			for i := range all {
				a.showBatch(&all[i])
			}
		},
	})
}

// formOf gives a command --form.
func formOf(cmd *cobra.Command) *string {
	form := cmd.Flags().String("form", string(policy.Money), "what is given: money, credit, points, coupon or extension")
	complete(cmd, "form", "money", "credit", "points", "coupon", "extension")
	return form
}

func checkForm(form string) error {
	if len(settle.Files(policy.Form(form))) == 0 {
		return usagef("it can be money, credit, points, coupon or extension", "there is no form %q", form)
	}
	return nil
}

func payoutMissing(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "missing INCIDENT",
		Short: "List those of whom it is not known where it goes",
		Long: `List approved reports without a bank account (for money) or without an account of
the company's own (for credit, points and extensions). They stay approved, and come
into the next batch when that is known.

Exit code 3: there are some.`,
		Example: "  bongsu claim payout missing 20221015-pangyo",
		Args:    exactly("INCIDENT"),
	}
	form := formOf(cmd)
	return deskCommand(a, cmd, deskDo[[]string]{
		json: "a list of reports",
		do: func(ctx context.Context, c *deskapi.Client, args []string) ([]string, error) {
			if err := checkForm(*form); err != nil {
				return nil, err
			}
			return c.Missing(ctx, args[0], policy.Form(*form))
		},
		show: func(ids []string) {
			for _, id := range ids {
				fmt.Fprintln(a.out, id)
			}
			if len(ids) == 0 {
				fmt.Fprintln(a.out, "of all of them it is known where it goes")
			}
		},
		found: func(ids []string) bool { return len(ids) > 0 },
	})
}

func payoutDraft(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "draft ID",
		Short: "Make a batch of what is owed",
		Long: `Make the batch ID of what approved reports are owed, the oldest first. Another
person approves it. Reports without a bank account are left out (missing lists
them), and the budget of the policy is kept.`,
		Example: "  bongsu claim payout draft b1 --incident 20221015-pangyo --bank main --yes",
		Args:    exactly("ID"),
	}
	id, form := incidentFlag(cmd), formOf(cmd)
	bank := cmd.Flags().String("bank", "", "the `account` of ours that money leaves from, as the configuration calls it")
	limit := cmd.Flags().Int("limit", 0, "at most so many payments; 0: all")
	return deskCommand(a, cmd, deskDo[settle.Batch]{
		json: batchJSON, what: "drafting",
		ask: func(args []string) string { return "draft batch " + args[0] },
		do: func(ctx context.Context, c *deskapi.Client, args []string) (settle.Batch, error) {
			if err := checkForm(*form); err != nil {
				return settle.Batch{}, err
			}
			if *form == string(policy.Money) && *bank == "" {
				return settle.Batch{}, usagef("name the account that the money leaves from, as in --bank main", "--bank is missing")
			}
			return c.Draft(ctx, deskapi.DraftRequest{Incident: *id, Form: policy.Form(*form), Bank: *bank, ID: args[0], Limit: *limit})
		},
		show: func(b settle.Batch) { a.showBatch(&b) },
	})
}

func payoutVerb(a *app, verb string) *cobra.Command {
	long := map[string]string{
		"approve": "Approve the batch ID, as another person than who drafted it: its amounts are\nreserved in the book, and its file may be written.",
		"sent":    "Say that the file of batch ID went to the bank. From then on it is not given up any\nmore: the bank's answer ends it.",
		"drop":    "Give the batch ID up, which was never sent: what it reserved is owed again, and its\nreports are approved again.",
	}[verb]
	cmd := &cobra.Command{
		Use:     verb + " ID",
		Short:   map[string]string{"approve": "Approve a batch", "sent": "Say that the file went to the bank", "drop": "Give up a batch that was not sent"}[verb],
		Long:    long,
		Example: "  bongsu claim payout " + verb + " b1" + map[string]string{"drop": ` --why "the wrong account"`}[verb] + " --yes",
		Args:    exactly("ID"),
	}
	why := new(string)
	if verb == "drop" {
		why = whyFlag(cmd)
	}
	return deskCommand(a, cmd, deskDo[settle.Batch]{
		json: batchJSON,
		ask: func(args []string) string {
			return map[string]string{"approve": "approve batch " + args[0], "sent": "batch " + args[0] + " went to the bank", "drop": "give up batch " + args[0]}[verb]
		},
		do: func(ctx context.Context, c *deskapi.Client, args []string) (settle.Batch, error) {
			return c.Batch(ctx, args[0], verb, *why)
		},
		show: func(b settle.Batch) { a.showBatch(&b) },
	})
}

// A written file is what a command says of what it wrote.
type written struct {
	File  string `json:"file"`
	Bytes int    `json:"bytes"`
}

// keep writes what was fetched, whole or not at all, for nobody else to read.
func keep(out, name string, data []byte) (written, error) {
	if out == "" {
		out = name
	} else if info, err := os.Stat(out); err == nil && info.IsDir() {
		out = filepath.Join(out, name)
	}
	tmp, err := os.CreateTemp(filepath.Dir(out), ".bongsu-*")
	if err != nil {
		return written{}, err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // it is gone when it was renamed
	_, err = tmp.Write(data)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), out)
	}
	return written{out, len(data)}, err
}

func (a *app) showWritten(w written) {
	fmt.Fprintf(a.out, "%s written, %s bytes\n", w.File, lang.Number(int64(w.Bytes)))
}

func payoutFile(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "file ID",
		Short: "Write the file of a batch for the bank",
		Long: `Write the file of batch ID: csv (firm banking) or pain.001 (ISO 20022) for money;
credit, points, coupon or extension for the company's own systems. It holds where
money goes: that it was looked at is written down for each report, and the file can
be read by nobody else. The same batch gives the same file.`,
		Example: "  bongsu claim payout file b1 --as pain.001 --out b1.xml",
		Args:    exactly("ID"),
	}
	as := cmd.Flags().String("as", "", "the format; empty: the usual one of what is given")
	complete(cmd, "as", settle.FileCSV, settle.FilePain001, settle.FileCredit, settle.FilePoints, settle.FileCoupon, settle.FileExtension)
	out := cmd.Flags().String("out", "", "the `file` or folder to write to; empty: here, as the batch is called")
	return deskCommand(a, cmd, deskDo[written]{
		json: "{file, bytes}", what: "writing the file",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (written, error) {
			var b bytes.Buffer
			name, err := c.File(ctx, args[0], *as, &b)
			if err != nil {
				return written{}, err
			}
			return keep(*out, name, b.Bytes())
		},
		show: a.showWritten,
	})
}

func payoutResults(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "results FILE",
		Short: "Take the bank's answer in",
		Long: `Take the bank's answer in: ISO 20022 pain.002, or CSV with id and result (and code
and detail) in UTF-8, UTF-16 or EUC-KR. Payments that are done are paid, those that
came back go to the desk with the bank's reason. What pain.002 says of the whole
message holds for its payments. The same file may be read again.

--check only reads FILE here and says what is in it; no desk is asked.

Exit code 3: there are answers that fit nothing.`,
		Example: "  bongsu claim payout results answer.xml --yes",
		Args:    exactly("FILE"),
	}
	check := cmd.Flags().Bool("check", false, "only say what is in the file")
	deskCommand(a, cmd, deskDo[settle.Answered]{
		json: "{paid, returned, same, waiting, odd}; with\n--check: {answers, done, failed, waiting, codes, whole}",
		ask:  func(args []string) string { return "take in what " + args[0] + " says of payments" }, what: "reading the answer",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (settle.Answered, error) {
			data, err := readInput(args[0])
			if err != nil {
				return settle.Answered{}, err
			}
			return c.Results(ctx, data)
		},
		show: func(d settle.Answered) {
			fmt.Fprintf(a.out, "%s paid, %s came back, %s answered before\n", lang.Number(int64(d.Paid)), lang.Number(int64(d.Returned)), lang.Number(int64(d.Same)))
			if d.Waiting > 0 {
				fmt.Fprintf(a.out, "%s on their way\n", lang.Number(int64(d.Waiting)))
			}
			a.sentences("to be looked at:", d.Odd)
		},
		found: func(d settle.Answered) bool { return len(d.Odd) > 0 },
	})
	atDesk := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !*check {
			return atDesk(cmd, args)
		}
		return a.checkResults(args[0], cmd.Flag("format").Value.String() == string(formatJSON))
	}
	return cmd
}

// checkResults says what is in a bank's answer.
func (a *app) checkResults(name string, asJSON bool) error {
	data, err := readInput(name)
	if err != nil {
		return err
	}
	whole := ""
	answers, err := settle.ReadResults(data, func(reference string) ([]string, error) { whole = reference; return nil, nil })
	if err != nil {
		return usagef("ask the bank for pain.002 or a CSV with id and result", "%s: %w", name, err)
	}
	out := struct {
		Answers int            `json:"answers"`
		Done    int            `json:"done"`
		Failed  int            `json:"failed"`
		Waiting int            `json:"waiting"`
		Codes   map[string]int `json:"codes"`
		Whole   string         `json:"whole,omitempty"`
	}{Codes: map[string]int{}, Waiting: answers.Waiting, Whole: whole}
	for _, r := range answers.Results {
		out.Answers++
		if r.Done {
			out.Done++
			continue
		}
		out.Failed++
		out.Codes[r.Code]++
	}
	if asJSON {
		return a.printJSON(out)
	}
	fmt.Fprintf(a.out, "%s: %s done, %s not\n", counted(out.Answers, "answer", "answers"), lang.Number(int64(out.Done)), lang.Number(int64(out.Failed)))
	if out.Waiting > 0 {
		fmt.Fprintf(a.out, "%s on their way\n", lang.Number(int64(out.Waiting)))
	}
	if whole != "" {
		fmt.Fprintf(a.out, "the message %s is answered as a whole: the desk knows its payments\n", whole)
	}
	for _, code := range sortedKeys(out.Codes) {
		a.item(fmt.Sprintf("%s %s: %s (%s)", lang.Number(int64(out.Codes[code])), code, settle.Explain(code)["en"], settle.Explain(code)["ko"]))
	}
	return nil
}

func sortedKeys(m map[string]int) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func payoutAgain(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "again CLAIM",
		Short:   "Pay again what came back",
		Long:    "Approve the report CLAIM again, whose payment came back, once somebody saw to its\naccount: it goes into the next batch.",
		Example: `  bongsu claim payout again 7F3K-Q2MX-9B4T --why "name corrected" --yes`,
		Args:    exactly("CLAIM"),
	}
	why := whyFlag(cmd)
	return deskCommand(a, cmd, deskDo[claim.Claim]{
		json: "{id, incident, report, state, decision, …}",
		ask:  func(args []string) string { return "pay " + args[0] + " again" },
		do: func(ctx context.Context, c *deskapi.Client, args []string) (claim.Claim, error) {
			return c.Again(ctx, deskapi.AgainRequest{ID: args[0], Why: *why})
		},
		show: func(x claim.Claim) { fmt.Fprintf(a.out, "%s is %s again\n", x.ID, x.State) },
	})
}

func payoutResume(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Let batches go on again after a restore",
		Long: `A backup does not know what went to the bank since it was made, so no batch is
drafted, approved, sent or dropped after a restore, and no file of one written.
Hold the book against the bank's statements first, then say with --why what you
found: it is kept.`,
		Example: `  bongsu claim payout resume --why "nothing went out since the backup" --yes`,
		Args:    exactly(),
	}
	why := whyFlag(cmd)
	return deskCommand(a, cmd, deskDo[deskapi.Resumed]{
		json: "{resumed}",
		ask:  func([]string) string { return "let batches go on again" },
		do: func(ctx context.Context, c *deskapi.Client, _ []string) (deskapi.Resumed, error) {
			return c.Resume(ctx, *why)
		},
		show: func(deskapi.Resumed) { fmt.Fprintln(a.out, "batches may go on again") },
	})
}

func payoutReconcile(a *app) *cobra.Command {
	return deskCommand(a, &cobra.Command{
		Use:   "reconcile INCIDENT",
		Short: "Hold reports, book and batches against one another",
		Long: `Go over the whole book, every report about INCIDENT and every batch, and say what
does not agree, to the won.

Exit code 3: something does not agree.`,
		Example: "  bongsu claim payout reconcile 20221015-pangyo",
		Args:    exactly("INCIDENT"),
	}, deskDo[settle.Reconciliation]{
		json: "{incident, currency, granted, owed, clearing,\npaid, wrong, open}", what: "reconciling",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (settle.Reconciliation, error) {
			return c.Reconcile(ctx, args[0])
		},
		show: func(r settle.Reconciliation) {
			for _, x := range []struct {
				what string
				n    int64
			}{{"granted", r.Granted}, {"paid", r.Paid}, {"on its way", r.Clearing}, {"owed", r.Owed}} {
				fmt.Fprintf(a.out, "%-11s %18s\n", x.what, amount(x.n, r.Currency))
			}
			if len(r.Wrong) == 0 {
				fmt.Fprintln(a.out, a.palette().good("reports, book and batches agree"))
			}
			a.sentences("does not agree:", r.Wrong)
			a.sentences("still to be done:", r.Open)
		},
		found: func(r settle.Reconciliation) bool { return len(r.Wrong) > 0 },
	})
}

func payoutMend(a *app) *cobra.Command {
	return deskCommand(a, &cobra.Command{
		Use:   "mend INCIDENT",
		Short: "End what was begun, and bring reports in line",
		Long: `End what a process that died had begun (reservations, answers of a bank, batches
that were given up), and bring the states of reports in line with their payments. It
begins nothing, and says what it changed.`,
		Example: "  bongsu claim payout mend 20221015-pangyo --yes",
		Args:    exactly("INCIDENT"),
	}, deskDo[deskapi.Mended]{
		json: "{mended}", what: "mending",
		ask: func(args []string) string {
			return "bring the reports about " + args[0] + " in line with their payments"
		},
		do: func(ctx context.Context, c *deskapi.Client, args []string) (deskapi.Mended, error) {
			return c.Mend(ctx, args[0])
		},
		show: func(m deskapi.Mended) {
			if len(m.Mended) == 0 {
				fmt.Fprintln(a.out, "there was nothing to mend")
			}
			a.sentences("mended:", m.Mended)
		},
	})
}
