package desk

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/xuri/excelize/v2"

	"bongsu/claim/policy"
	"bongsu/settle"
)

// A sheet is one table of a workbook.
type sheet struct {
	name string
	rows [][]any
}

// workbook writes a comparison: totals, spread, borders, and one sheet for each thing
// that the drafts are split by. Amounts are numbers in the currency's unit.
func (c *call) workbook(x *compared) ([]byte, error) {
	t := func(key string) string {
		s, err := c.s.pages.messages.Text(c.lang, key)
		if err != nil {
			return key
		}
		return s
	}
	amount := func(n int64) any {
		var f float64
		if _, err := fmt.Sscan(settle.Decimal(n, x.Currency), &f); err != nil || n > 1<<53 {
			return settle.Decimal(n, x.Currency)
		}
		return f
	}
	head := []any{t("w.draft")}
	for _, d := range x.Drafts {
		head = append(head, d.Policy)
	}
	line := func(name string, of func(*policy.Result) any) []any {
		row := []any{name}
		for i := range x.Drafts {
			row = append(row, of(&x.Drafts[i]))
		}
		return row
	}
	totals := sheet{t("w.totals"), [][]any{
		head,
		line(t("w.cases"), func(r *policy.Result) any { return r.Total.Cases }),
		line(t("w.paid"), func(r *policy.Result) any { return r.Total.Paid }),
		line(t("w.refused"), func(r *policy.Result) any { return r.Total.Refused }),
		line(t("w.human"), func(r *policy.Result) any { return r.Total.Human }),
		line(t("w.amount")+" ("+x.Currency+")", func(r *policy.Result) any { return amount(r.Total.Amount) }),
		line(t("w.cost")+" ("+x.Currency+")", func(r *policy.Result) any { return amount(r.Total.Cost) }),
		line(t("w.pending")+" ("+x.Currency+")", func(r *policy.Result) any { return amount(r.Total.Pending) }),
		line(t("w.hours"), func(r *policy.Result) any { return r.Total.Hours }),
		line(t("w.budget")+" ("+x.Currency+")", func(r *policy.Result) any { return amount(r.Budget) }),
		line(t("w.over")+" ("+x.Currency+")", func(r *policy.Result) any { return amount(r.OverBudget) }),
		line(t("w.more"), func(r *policy.Result) any { return r.Total.More }),
		line(t("w.less"), func(r *policy.Result) any { return r.Total.Less }),
		line(t("w.delta")+" ("+x.Currency+")", func(r *policy.Result) any { return amount(r.Total.Delta) }),
	}}
	spread := sheet{t("w.spread"), [][]any{head}}
	for q := range 11 {
		spread.rows = append(spread.rows, line(fmt.Sprintf("%d %%", q*10), func(r *policy.Result) any {
			if q >= len(r.Spread) {
				return nil
			}
			return amount(r.Spread[q])
		}))
	}
	borders := sheet{t("w.borders"), [][]any{{t("w.draft"), t("w.shift"), t("w.changed"), t("w.amount") + " (" + x.Currency + ")"}}}
	for _, d := range x.Drafts {
		for _, b := range d.Borders {
			borders.rows = append(borders.rows, []any{d.Policy, fmt.Sprintf("%+d %%", b.Percent), b.Changed, amount(b.Amount)})
		}
	}
	sheets := []sheet{totals, spread, borders}
	for _, table := range c.picture(x).Tables {
		s := sheet{t("w.by." + table.By), [][]any{{
			t("w.by." + table.By), t("w.draft"), t("w.cases"), t("w.paid"), t("w.refused"), t("w.human"), t("w.amount"), t("w.cost"), t("w.pending"), t("w.hours"), t("w.more"), t("w.less"), t("w.delta"),
		}}}
		for _, r := range table.Rows {
			for i, of := range r.Of {
				s.rows = append(s.rows, []any{
					c.s.pages.word(c.lang, table.By, r.Name), x.Drafts[i].Policy, of.Cases, of.Paid, of.Refused, of.Human,
					amount(of.Amount), amount(of.Cost), amount(of.Pending), of.Hours, of.More, of.Less, amount(of.Delta),
				})
			}
		}
		sheets = append(sheets, s)
	}
	return writeSheets(sheets)
}

func writeSheets(sheets []sheet) (data []byte, err error) {
	f := excelize.NewFile()
	defer func() { err = errors.Join(err, f.Close()) }()
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return nil, fmt.Errorf("write the workbook: %w", err)
	}
	for i, s := range sheets {
		if i == 0 {
			err = f.SetSheetName("Sheet1", s.name)
		} else {
			_, err = f.NewSheet(s.name)
		}
		if err != nil {
			return nil, fmt.Errorf("write the workbook: %w", err)
		}
		for n, row := range s.rows {
			cell, err := excelize.CoordinatesToCellName(1, n+1)
			if err == nil {
				err = f.SetSheetRow(s.name, cell, &row) // strings stay strings: no cell is a formula
			}
			if err == nil && n == 0 {
				err = f.SetRowStyle(s.name, 1, 1, bold)
			}
			if err != nil {
				return nil, fmt.Errorf("write the workbook: %w", err)
			}
		}
		if err := f.SetColWidth(s.name, "A", "N", 18); err != nil {
			return nil, fmt.Errorf("write the workbook: %w", err)
		}
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		return nil, fmt.Errorf("write the workbook: %w", err)
	}
	return out.Bytes(), nil
}
