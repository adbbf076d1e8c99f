package claim

import (
	"errors"
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
)

// WriteComparison writes what drafts would give as an XLSX workbook with charts that a spreadsheet draws and people can
// change: a sheet that sums up, one for each way of dividing the cases, the spread of amounts, and the borders. Lang is ko or en. Names are
// written so that no spreadsheet computes them.
func WriteComparison(w io.Writer, c policy.Comparison, lang string) error {
	b := &book{f: excelize.NewFile(), ko: lang == "ko"}
	defer func() { _ = b.f.Close() }() // nothing of it is on disk
	b.styles()
	b.summary(&c)
	for _, by := range []struct {
		en, ko string
		of     func(*policy.Result) []policy.Segment
	}{
		{"by rule", "기준별", func(r *policy.Result) []policy.Segment { return r.ByRule }},
		{"by claimant", "신고자별", func(r *policy.Result) []policy.Segment { return r.ByKind }},
		{"by use", "이용구분별", func(r *policy.Result) []policy.Segment { return r.ByUse }},
		{"by service", "서비스별", func(r *policy.Result) []policy.Segment { return r.ByService }},
	} {
		b.segments(b.say(by.en, by.ko), &c, by.of)
	}
	b.spread(&c)
	b.borders(&c)
	if err := errors.Join(b.errs...); err != nil {
		return fmt.Errorf("write a comparison: %w", err)
	}
	if err := b.f.Write(w); err != nil {
		return fmt.Errorf("write a comparison: %w", err)
	}
	return nil
}

// A book is a workbook that is being written.
type book struct {
	f           *excelize.File
	ko          bool
	errs        []error
	bold, money int // styles
	sheets      int
}

func (b *book) note(err error) {
	if err != nil {
		b.errs = append(b.errs, err)
	}
}

func (b *book) say(en, ko string) string {
	if b.ko {
		return ko
	}
	return en
}

func (b *book) styles() {
	var err error
	b.bold, err = b.f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	b.note(err)
	b.money, err = b.f.NewStyle(&excelize.Style{NumFmt: 3}) // 1,234
	b.note(err)
}

// sheet begins another one.
func (b *book) sheet(name string) string {
	if b.sheets++; b.sheets == 1 {
		b.note(b.f.SetSheetName("Sheet1", name))
	} else {
		_, err := b.f.NewSheet(name)
		b.note(err)
	}
	return name
}

func (b *book) cell(col, row int) string {
	name, err := excelize.CoordinatesToCellName(col, row)
	b.note(err)
	return name
}

// put writes a row of texts and numbers.
func (b *book) put(sheet string, row int, values ...any) {
	for i, v := range values {
		at := b.cell(i+1, row)
		switch v := v.(type) {
		case string:
			b.note(b.f.SetCellStr(sheet, at, paper.Cell(v)))
		case int64:
			b.note(b.f.SetCellInt(sheet, at, v))
			b.note(b.f.SetCellStyle(sheet, at, at, b.money))
		case int:
			b.note(b.f.SetCellInt(sheet, at, int64(v)))
			b.note(b.f.SetCellStyle(sheet, at, at, b.money))
		}
	}
}

func (b *book) head(sheet string, values ...any) {
	b.put(sheet, 1, values...)
	b.note(b.f.SetCellStyle(sheet, "A1", b.cell(max(1, len(values)), 1), b.bold))
	b.note(b.f.SetColWidth(sheet, "A", "A", 30))
	b.note(b.f.SetColWidth(sheet, "B", "Z", 16))
	b.note(b.f.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
}

func names(c *policy.Comparison) []any {
	var out []any
	for i := range c.Drafts {
		out = append(out, c.Drafts[i].Policy)
	}
	return out
}

// A plot is a chart of rows: columns 2 and on, for the categories in column 1.
type plot struct {
	kind        excelize.ChartType
	sheet, at   string
	title       string
	first, last int
	down        bool // a series for each row, else for each column
	columns     int
}

func (b *book) chart(p plot) {
	if p.last < p.first || p.columns == 0 {
		return
	}
	ref := func(c1, r1, c2, r2 int) string {
		from, err := excelize.CoordinatesToCellName(c1, r1, true)
		b.note(err)
		to, err := excelize.CoordinatesToCellName(c2, r2, true)
		b.note(err)
		return fmt.Sprintf("'%s'!%s:%s", p.sheet, from, to)
	}
	var series []excelize.ChartSeries
	if p.down {
		for r := p.first; r <= p.last; r++ {
			series = append(series, excelize.ChartSeries{Name: ref(1, r, 1, r), Categories: ref(2, 1, 1+p.columns, 1), Values: ref(2, r, 1+p.columns, r)})
		}
	} else {
		for k := range p.columns {
			series = append(series, excelize.ChartSeries{Name: ref(2+k, 1, 2+k, 1), Categories: ref(1, p.first, 1, p.last), Values: ref(2+k, p.first, 2+k, p.last)})
		}
	}
	b.note(b.f.AddChart(p.sheet, p.at, &excelize.Chart{
		Type: p.kind, Series: series, Title: excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: p.title}}}, Legend: excelize.ChartLegend{Position: "bottom"},
		Dimension: excelize.ChartDimension{Width: 640, Height: 360},
	}))
}

// summary is a row for each figure and a column for each draft.
func (b *book) summary(c *policy.Comparison) {
	sheet := b.sheet(b.say("summary", "요약"))
	b.head(sheet, append([]any{b.say("draft", "안")}, names(c)...)...)
	row := 2
	for _, x := range []struct {
		en, ko string
		of     func(*policy.Result) int64
	}{
		{"paid, amount", "지급액", func(r *policy.Result) int64 { return r.Total.Amount }},
		{"for persons to decide, up to", "담당자 검토(최대)", func(r *policy.Result) int64 { return r.Total.Pending }},
		{"cost", "비용", func(r *policy.Result) int64 { return r.Total.Cost }},
		{"budget", "예산", func(r *policy.Result) int64 { return r.Budget }},
		{"over the budget", "예산 초과", func(r *policy.Result) int64 { return r.OverBudget }},
		{"reports", "신고", func(r *policy.Result) int64 { return int64(r.Total.Cases) }},
		{"paid, reports", "지급 건수", func(r *policy.Result) int64 { return int64(r.Total.Paid) }},
		{"refused, reports", "거절 건수", func(r *policy.Result) int64 { return int64(r.Total.Refused) }},
		{"for persons, reports", "담당자 검토 건수", func(r *policy.Result) int64 { return int64(r.Total.Human) }},
		{"extensions, hours", "연장 시간", func(r *policy.Result) int64 { return r.Total.Hours }},
		{"get more than by the first draft", "첫 안보다 더 받음", func(r *policy.Result) int64 { return int64(r.Total.More) }},
		{"get less", "첫 안보다 덜 받음", func(r *policy.Result) int64 { return int64(r.Total.Less) }},
		{"difference in all", "차액 합계", func(r *policy.Result) int64 { return r.Total.Delta }},
	} {
		values := []any{b.say(x.en, x.ko)}
		for i := range c.Drafts {
			values = append(values, x.of(&c.Drafts[i]))
		}
		b.put(sheet, row, values...)
		row++
	}
	b.chart(plot{kind: excelize.ColStacked, sheet: sheet, at: b.cell(1, row+1), title: b.say("paid, and for persons to decide", "지급액과 담당자 검토"), first: 2, last: 3, down: true, columns: len(c.Drafts)})
}

// segments is a row for each part of the cases; amounts by draft first, for the chart, then the rest.
func (b *book) segments(name string, c *policy.Comparison, of func(*policy.Result) []policy.Segment) {
	sheet := b.sheet(name)
	head := []any{name}
	for _, d := range names(c) {
		head = append(head, fmt.Sprintf("%v %s", d, b.say("paid", "지급액")))
	}
	for _, d := range names(c) {
		for _, what := range []string{b.say("reports", "신고"), b.say("paid, reports", "지급 건수"), b.say("for persons, up to", "검토(최대)"), b.say("more", "더 받음"), b.say("less", "덜 받음")} {
			head = append(head, fmt.Sprintf("%v %s", d, what))
		}
	}
	b.head(sheet, head...)
	var order []string
	at := map[string][]*policy.Sums{}
	for i := range c.Drafts {
		list := of(&c.Drafts[i])
		for k := range list {
			s := &list[k]
			if at[s.Name] == nil {
				order = append(order, s.Name)
				at[s.Name] = make([]*policy.Sums, len(c.Drafts))
			}
			at[s.Name][i] = &s.Sums
		}
	}
	for i, n := range order {
		label := n
		if n == "" {
			label = b.say("(none)", "(없음)")
		}
		values := []any{label}
		var rest []any
		for _, s := range at[n] {
			if s == nil {
				s = &policy.Sums{}
			}
			values = append(values, s.Amount)
			rest = append(rest, s.Cases, s.Paid, s.Pending, s.More, s.Less)
		}
		b.put(sheet, i+2, append(values, rest...)...)
	}
	last := min(len(order), 20) + 1 // a chart of more is not read
	b.chart(plot{kind: excelize.Bar, sheet: sheet, at: b.cell(1, len(order)+4), title: name, first: 2, last: last, columns: len(c.Drafts)})
}

// spread is the amounts at every tenth of the payments.
func (b *book) spread(c *policy.Comparison) {
	sheet := b.sheet(b.say("spread", "분포"))
	b.head(sheet, append([]any{b.say("of the payments, %", "지급 건의 %")}, names(c)...)...)
	for q := range 11 {
		values := []any{fmt.Sprintf("%d %%", q*10)}
		for i := range c.Drafts {
			if q < len(c.Drafts[i].Spread) {
				values = append(values, c.Drafts[i].Spread[q])
			} else {
				values = append(values, int64(0))
			}
		}
		b.put(sheet, q+2, values...)
	}
	b.chart(plot{kind: excelize.Line, sheet: sheet, at: "A15", title: b.say("amounts from the smallest to the largest", "지급액 분포"), first: 2, last: 12, columns: len(c.Drafts)})
}

// borders is what would come out if claimed losses were a little different.
func (b *book) borders(c *policy.Comparison) {
	sheet := b.sheet(b.say("borders", "경계"))
	b.head(sheet, b.say("draft", "안"), b.say("losses changed by, %", "피해액 변화(%)"), b.say("come out differently", "결과가 달라지는 신고"), b.say("paid", "지급액"))
	row := 2
	for i := range c.Drafts {
		for _, x := range c.Drafts[i].Borders {
			b.put(sheet, row, c.Drafts[i].Policy, x.Percent, x.Changed, x.Amount)
			row++
		}
	}
}
