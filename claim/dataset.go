package claim

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
)

// Smallest is the smallest number of claims that any row of a data set stands for.
const Smallest = 10

// datasetColumns are what a data set tells, in the order in which values are given up where too few share them: the last one last.
func datasetColumns() []string {
	return []string{"filed", "channel", "papers", "part", "late", "down", "amount", "outcome", "gap", "loss", "kind", "service", "use"}
}

// toldPrefix + incident: the data set that the body was given last.
const toldPrefix = "claim/t/"

// Dataset writes the claims of an incident for the body, as CSV: nothing that tells who, amounts and times
// in brackets, no combination of values that fewer than [Smallest] claims share; where a value would make one, it is *. It is that of the day, see [Tell],
// and changes from day to day by as many rows that are alike, or not: up to nine claims of a kind are left out until they are ten. Claims that were
// withdrawn or merged, and what was given unasked, are none of them. Rows are in no order of theirs.
func (o *Office) Dataset(ctx context.Context, incident string, w io.Writer) error {
	if !incidents.MatchString(incident) {
		return fmt.Errorf("data set of %q: %w", incident, ErrNoWindow)
	}
	told, err := Tell(ctx, o.Store, toldPrefix+incident, o.now(), func() ([]Group, error) {
		d := Decider{Accounts: o.Accounts}
		d.Outages, _ = o.outages(incident)
		var rows []Group
		err := o.Ledger.Each(ctx, incident, func(c Claim) error {
			if c.State != Withdrawn && c.State != Merged && c.Channel != Unasked {
				rows = append(rows, Group{Of: c.row(d.Outages.Of(c.Report.Service, c.Report.Part)), Claims: 1})
			}
			return nil
		})
		return rows, err
	})
	if err != nil {
		return err
	}
	rows := [][]string{datasetColumns()}
	for _, g := range told.Groups {
		for range g.Claims {
			rows = append(rows, g.Of)
		}
	}
	out := csv.NewWriter(w)
	for _, row := range rows {
		row = slices.Clone(row)
		slices.Reverse(row) // what tells most comes first
		if err := out.Write(row); err != nil {
			return fmt.Errorf("write the data set: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write the data set: %w", err)
	}
	return nil
}

// row is what of a claim is told.
func (c *Claim) row(down policy.Outage) []string {
	r := &c.Report
	channel := "agent"
	if c.Channel == ByWeb || c.Channel == ByAPI {
		channel = "self"
	}
	papers := "0"
	switch n := len(c.Files); {
	case n > 2:
		papers = "3+"
	case n > 0:
		papers = "1-2"
	}
	outcome, amount := "open", ""
	if c.Decision != nil {
		outcome, amount = string(c.Decision.Outcome), bracket(c.Decision.Amount)
	}
	late := "no"
	if c.Late != "" {
		late = "yes"
	}
	monday := c.Filed.UTC().AddDate(0, 0, -((int(c.Filed.UTC().Weekday()) + 6) % 7))
	return []string{
		monday.Format(time.DateOnly), channel, papers, cell(r.Part), late, hoursDown(down), amount, outcome,
		bracket(r.Best - r.Week), bracket(r.Loss), cell(r.Kind), cell(r.Service), cell(r.Use),
	}
}

// cell is a text that a spreadsheet does not take for a formula, and nobody for a value that was given up.
func cell(s string) string {
	if s == Anything {
		return "'" + s
	}
	return paper.Cell(s)
}

// brackets are the upper ends of those that amounts are told in; the shipped policy has its borders among them.
func brackets() []int64 {
	return []int64{0, 10_000, 50_000, 100_000, 300_000, 500_000, 1_000_000, 5_000_000, 10_000_000, 100_000_000}
}

func bracket(n int64) string {
	last := int64(-1)
	for _, b := range brackets() {
		if n <= b {
			if b == 0 {
				return "0"
			}
			return strconv.FormatInt(last+1, 10) + "-" + strconv.FormatInt(b, 10)
		}
		last = b
	}
	return strconv.FormatInt(last+1, 10) + "+"
}

func hoursDown(o policy.Outage) string {
	switch h := o.Minutes / 60; {
	case !o.Known:
		return "unknown"
	case h < 1:
		return "0-1"
	case h < 6:
		return "1-6"
	case h < 24:
		return "6-24"
	case h < 72:
		return "24-72"
	}
	return "72+"
}
