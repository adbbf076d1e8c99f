package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/claim"
	"bongsu/internal/lang"
	"bongsu/settle"
	"bongsu/web/deskapi"
)

func claimRecourseCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recourse INCIDENT",
		Short: "Write the pack for the party at fault",
		Long: `Write what is claimed back from the operator of the failed domain, with all that
it rests on, into one ZIP archive: the signed record of the outage, the affected
services, the ledger lines by ground at face value and cost, what recovery cost, the
insurer's limit, the correspondence and the limitation date. bongsu verify checks it
offline.

--recovery is CSV with a header of what, amount and source; --assets is CSV with
kind, name, title, in, from and to, and replaces the services that the record names.`,
		Example: `  bongsu claim recourse 20221015-pangyo --record pangyo.json \
    --recovery costs.csv --letter 2022-10-17.pdf`,
		Args: exactly("INCIDENT"),
	}
	f := cmd.Flags()
	var p settle.Pack
	f.StringVar(&p.Counterparty, "counterparty", "", "whom it is claimed from; empty: who operates what failed, by the record")
	f.StringVar(&p.Domain, "domain", "", "the domain that failed; empty: those that the counterparty operates, by the record")
	f.StringVar(&p.Currency, "currency", "", "of the ledger lines; empty: that of most reports")
	limit := f.String("limit", "", "the limit of the counterparty's insurer, with its source in --limit-source")
	f.StringVar(&p.LimitSource, "limit-source", "", "where the limit is known from")
	limitation := f.String("limitation", "", "the `date` when the claim is barred by time")
	record := f.String("record", "", "the `file` that bongsu incident export wrote")
	recovery := f.String("recovery", "", "the `file` with what recovery cost")
	assets := f.String("assets", "", "the `file` with the affected assets")
	letters := f.StringSlice("letter", nil, "a `file` of the correspondence; may be repeated")
	out := f.String("out", "", "the `file` or folder to write to; empty: here")
	return deskCommand(a, cmd, deskDo[written]{
		json: "{file, bytes}", what: "putting the pack together",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (written, error) {
			p.Incident = args[0]
			if err := fillPack(&p, *limit, *limitation, *record, *recovery, *assets, *letters); err != nil {
				return written{}, err
			}
			if !p.Limitation.IsZero() && p.Limitation.Before(time.Now()) {
				a.warn("the claim is barred by time since " + p.Limitation.Format(time.DateOnly))
			}
			var b bytes.Buffer
			name, err := c.Recourse(ctx, p, &b)
			if err != nil {
				return written{}, err
			}
			return keep(*out, name, b.Bytes())
		},
		show: func(w written) {
			a.showWritten(w)
			a.hint("bongsu verify " + w.File + " checks it")
		},
	})
}

// fillPack reads what the flags name.
func fillPack(p *settle.Pack, limit, limitation, record, recovery, assets string, letters []string) error {
	currency := p.Currency
	if currency == "" {
		currency = "KRW"
	}
	var err error
	if limit != "" {
		if p.Limit, err = settle.ParseAmount(limit, currency); err != nil {
			return usagef("write it as 7000000000", "--limit: %w", err)
		}
		if p.LimitSource == "" {
			return usagef("a limit without a source proves nothing", "--limit-source is missing")
		}
	}
	if limitation != "" {
		if p.Limitation, err = time.Parse(time.DateOnly, limitation); err != nil {
			return usagef("write a date such as 2025-10-15", "--limitation is %q, which is no date", limitation)
		}
	}
	if record != "" {
		if p.Record, err = readInput(record); err != nil {
			return err
		}
	}
	if err := rowsOf(recovery, []string{"what", "amount", "source"}, func(cell func(string) string) error {
		n, err := settle.ParseAmount(cell("amount"), currency)
		p.Recovery = append(p.Recovery, settle.Cost{What: cell("what"), Amount: n, Source: cell("source")})
		return err
	}); err != nil {
		return err
	}
	if err := rowsOf(assets, []string{"kind", "name"}, func(cell func(string) string) error {
		x := settle.Asset{Kind: cell("kind"), Name: cell("name"), Title: cell("title"), In: cell("in")}
		for name, to := range map[string]*time.Time{"from": &x.From, "to": &x.To} {
			if s := cell(name); s != "" {
				t, err := time.Parse(time.RFC3339, s)
				if err != nil {
					return fmt.Errorf("%s %q: expected a date, a time and a zone", name, s)
				}
				*to = t
			}
		}
		p.Assets = append(p.Assets, x)
		return nil
	}); err != nil {
		return err
	}
	for _, name := range letters {
		data, err := readInput(name)
		if err != nil {
			return err
		}
		p.Letters = append(p.Letters, settle.Letter{Name: filepath.Base(name), Data: data})
	}
	return nil
}

// rowsOf reads a small table whose header names its columns.
func rowsOf(name string, need []string, row func(cell func(string) string) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return &usageError{err: err, hint: "check the name of the file"}
	}
	defer func() { _ = file.Close() }()
	bad := func(line int, err error) error {
		return usagef("bongsu claim recourse --help describes the table", "%s:%d: %w", name, line, err)
	}
	c := csv.NewReader(file)
	c.FieldsPerRecord = -1
	head, err := c.Read()
	if err != nil {
		return bad(1, errors.New("it has no header"))
	}
	at := map[string]int{}
	for i, h := range head {
		at[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))] = i
	}
	for _, n := range need {
		if _, ok := at[n]; !ok {
			return bad(1, fmt.Errorf("it has no column %s", n))
		}
	}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line, _ := c.FieldPos(0)
		if err != nil {
			return bad(line, err)
		}
		if err := row(func(n string) string {
			if i, ok := at[n]; ok && i < len(cells) {
				return strings.TrimSpace(cells[i])
			}
			return ""
		}); err != nil {
			return bad(line, err)
		}
	}
}

func claimStatsCommand(a *app) *cobra.Command {
	return deskCommand(a, &cobra.Command{
		Use:     "stats INCIDENT",
		Short:   "Show what the public is told",
		Long:    "Count the reports about INCIDENT by service, use, kind and state. No group smaller\nthan ten is told, and none changes by fewer. They are counted once a day, from the\nday on which there are ten.",
		Example: "  bongsu claim stats 20221015-pangyo",
		Args:    exactly("INCIDENT"),
	}, deskDo[settle.Statistics]{
		json: "{day, claims, amount, tables: [{by, rows:\n[{name, claims, amount}]}]}", what: "counting",
		do: func(ctx context.Context, c *deskapi.Client, args []string) (settle.Statistics, error) {
			return c.Statistics(ctx, args[0])
		},
		show: func(s settle.Statistics) {
			if s.Claims == 0 {
				fmt.Fprintf(a.out, "fewer than %d reports, as of %s\n", claim.Smallest, s.Day)
				return
			}
			fmt.Fprintf(a.out, "%s, %s in all, as of %s\n", counted(s.Claims, "report", "reports"), lang.Number(s.Amount), s.Day)
			for _, t := range s.Tables {
				fmt.Fprintf(a.out, "by %s\n", t.By)
				for _, r := range t.Rows {
					fmt.Fprintf(a.out, "  %-24.24s %9s %16s\n", r.Name, lang.Number(int64(r.Claims)), lang.Number(r.Amount))
				}
			}
		},
	})
}
