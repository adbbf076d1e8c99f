package audit

import (
	"cmp"
	_ "embed" // for the template
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"bongsu/impact"
	"bongsu/internal/lang"
)

//go:embed report.html
var page string

// Limits of a page that people read and print.
const (
	mostMatrixRows = 400
	mostCards      = 300
)

// HTML writes the report as one page that holds everything it shows: a matrix of
// services by losses, the findings by the users they touch with their proofs in
// words, and the fixes, with the cheapest ones for whole losses where they are
// given. With a difference, the findings are the new ones.
func (r *Report) HTML(out io.Writer, d *Difference, reader Reader, fixes ...*BreakGlass) error {
	w, err := reader.writer()
	if err != nil {
		return err
	}
	t, err := template.New("report").Funcs(template.FuncMap{
		"t": w.text, "tell": w.tell, "clauses": w.clauses, "losses": w.losses, "swept": w.swept,
		"grouped": lang.Number, "count": func(n int) string { return lang.Number(int64(n)) }, "cost": lang.Short, "lang": func() lang.Lang { return w.lang },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("the page of the report: %w", err)
	}
	v := r.view(d, w)
	for _, f := range fixes {
		if len(f.Measures) > 0 {
			v.Fixes = append(v.Fixes, f)
		}
	}
	return t.Execute(out, v)
}

type htmlView struct {
	*Report
	Diff     *Difference
	Counts   []Tallied
	Columns  []string
	Rows     []htmlRow
	MoreRows int
	Cards    []Finding
	More     int
	Legend   []htmlCell
	Waived   int
	Fixes    []*BreakGlass
}

type htmlRow struct {
	Name, Title string
	Users       int64
	Cells       []htmlCell
}

type htmlCell struct {
	Class, Shape, Note string // the class is also the key of the word
}

// cellOf shows a state by shape, word and colour, so that each alone is enough.
func cellOf(s impact.State) htmlCell {
	switch s {
	case impact.Up:
		return htmlCell{Class: "up", Shape: "●"}
	case impact.Degraded:
		return htmlCell{Class: "degraded", Shape: "◐"}
	case impact.Recoverable, impact.Returns:
		return htmlCell{Class: "recoverable", Shape: "▲"}
	case impact.Unrecoverable:
		return htmlCell{Class: "unrecoverable", Shape: "✖"}
	}
	return htmlCell{Class: "unknown", Shape: "?"}
}

func (r *Report) view(d *Difference, w *writer) htmlView {
	v := htmlView{Report: r, Diff: d}
	v.Counts, v.Waived = r.Tally()
	for _, s := range []impact.State{impact.Up, impact.Degraded, impact.Recoverable, impact.Unrecoverable} {
		v.Legend = append(v.Legend, cellOf(s))
	}
	if r.snap != nil {
		r.rows(&v, w)
	}
	v.Cards = Gravest(r.Findings, mostCards)
	v.More = len(r.Findings) - len(v.Cards)
	return v
}

// rows fills the matrix: the services with most users first.
func (r *Report) rows(v *htmlView, w *writer) {
	for _, c := range r.matrix {
		v.Columns = append(v.Columns, strings.ReplaceAll(c.loss, "+", " + "))
	}
	order := make([]int, len(r.snap.Services))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Compare(r.snap.Services[y].Users, r.snap.Services[x].Users)
	})
	v.MoreRows = max(len(order)-mostMatrixRows, 0)
	for _, i := range order[:len(order)-v.MoreRows] {
		svc := &r.snap.Services[i]
		row := htmlRow{Name: svc.Name, Title: svc.Title, Users: svc.Users}
		for _, c := range r.matrix {
			cell := cellOf(c.states[i])
			if c.states[i] == impact.Recoverable {
				cell.Note = w.text("after", lang.Span(w.lang, c.upAt[i]))
				if rto := svc.Objectives.RTO; rto != nil && c.upAt[i] > *rto {
					cell.Note += ", " + w.text("late")
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		v.Rows = append(v.Rows, row)
	}
}

// Date is the day of the report, for people.
func (v htmlView) Date() string {
	if t, err := time.Parse(time.RFC3339, v.Now); err == nil {
		return t.Format(time.DateOnly)
	}
	return ""
}
