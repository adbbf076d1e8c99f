package desk

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/lang"
)

// mostDrafts is how many drafts stand side by side.
const mostDrafts = 3

// whatIfView is the page on which drafts are chosen.
type whatIfView struct {
	Window  claim.Window
	Windows []claim.Window
	Drafts  []claim.Draft
	Active  string
	Jobs    []jobRow
}

func (c *call) whatIfPage() error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	v := whatIfView{Window: w, Windows: all}
	if v.Drafts, err = c.s.o.Office.Drafts(c.r.Context(), w.Incident); err != nil {
		return err
	}
	p, err := c.active(w.Incident)
	if err != nil {
		return err
	}
	if p != nil {
		v.Active = p.ID
	}
	if v.Jobs, err = c.jobsOf(w.Incident, "whatif"); err != nil {
		return err
	}
	return c.show("whatif", v)
}

// A compared is the result of a comparison, with what its page says of the drafts.
type compared struct {
	policy.Comparison

	Currency string
	Titles   []map[string]string
}

// whatIf compares the drafts that were chosen and pasted; nothing of claims changes.
func (c *call) whatIf() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	all, err := c.s.o.Office.Drafts(c.r.Context(), w.Incident)
	if err != nil {
		return err
	}
	var drafts []*policy.Policy
	chosen := c.r.PostForm["draft"]
	for _, d := range slices.Backward(all) { // the oldest first: others are compared with it
		if !slices.Contains(chosen, d.ID) {
			continue
		}
		p, err := parsed(d.Text)
		if err != nil {
			return err
		}
		drafts = append(drafts, p)
	}
	for _, field := range []string{"text", "text2"} {
		text := strings.ReplaceAll(c.r.PostFormValue(field), "\r\n", "\n")
		if strings.TrimSpace(text) == "" {
			continue
		}
		if c.rights.Claims&Decider == 0 { // a rule made for one claim would tell of it
			return fmt.Errorf("%w: drafts that were not handed in are compared by deciders only", errRights)
		}
		p, err := parsed([]byte(text))
		if err != nil {
			return err
		}
		drafts = append(drafts, p)
	}
	switch {
	case len(drafts) == 0:
		return errNone
	case len(drafts) > mostDrafts:
		return fmt.Errorf("%w: at most %d drafts stand side by side", errInput, mostDrafts)
	}
	out := &compared{Currency: w.Currency}
	key := []string{"whatif", w.Incident}
	for _, p := range drafts {
		key = append(key, p.ID, p.Digest)
		out.Titles = append(out.Titles, p.Title)
	}
	o, coarse := c.s.o.Office, c.rights.Claims&Decider == 0
	may := Decider
	if coarse {
		may, key = Decider|Body, append(key, "coarse")
	}
	j, err := c.s.start(c.r.Context(), &job{
		Kind: "whatif", Key: strings.Join(key, "/"), Incident: w.Incident, By: c.who, May: may,
		run: func(ctx context.Context, _ func(int)) (any, error) {
			got, err := o.Compare(ctx, w.Incident, drafts)
			if err != nil {
				return nil, err
			}
			done := *out
			if done.Comparison = got; coarse {
				done.Comparison = got.Coarse(claim.Smallest)
			}
			return &done, nil
		},
	})
	if err != nil {
		return err
	}
	return c.follow(j)
}

// comparedView is a comparison as its page shows it.
type comparedView struct {
	*compared

	Bars   []chartBar
	Budget []chartMark
	Lines  []chartLine
	Ticks  []chartTick
	Tables []segmentTable
	Most   int64
}

// A chartBar is a bar of the picture of totals, in thousandths of its width.
type chartBar struct {
	Class         string
	Name          string
	Y             int
	Paid, Pending int
	Amount, Left  int64
}

// A chartMark is where a budget ends.
type chartMark struct {
	X, Y int
}

// A chartLine is the spread of one draft.
type chartLine struct {
	Class, Name, Points string
}

type chartTick struct {
	Y    int
	Text string
}

// A segmentTable splits the drafts by one thing.
type segmentTable struct {
	By   string
	Rows []segmentRow
}

type segmentRow struct {
	Name string
	Of   []policy.Sums // by draft
}

// classes tell drafts apart, by colour and by the pattern of the line.
func classes() []string { return []string{"a", "b", "c"} }

// picture lays a comparison out.
func (c *call) picture(x *compared) *comparedView {
	v := &comparedView{compared: x}
	var most, top int64
	for _, d := range x.Drafts {
		most = max(most, d.Total.Amount+d.Total.Pending)
		for _, n := range d.Spread {
			top = max(top, n)
		}
	}
	scale := most
	for _, d := range x.Drafts {
		if d.Budget <= 2*scale { // one that is far off would press the bars to nothing; the table has it
			most = max(most, d.Budget)
		}
	}
	part := func(n, of int64, size int) int {
		if of <= 0 {
			return 0
		}
		return int(float64(n) / float64(of) * float64(size))
	}
	for i, d := range x.Drafts {
		class := classes()[i%len(classes())]
		v.Bars = append(v.Bars, chartBar{
			Class: class, Name: d.Policy, Y: 10 + 44*i, Paid: part(d.Total.Amount, most, 700), Pending: part(d.Total.Pending, most, 700),
			Amount: d.Total.Amount, Left: d.Total.Pending,
		})
		if d.Budget > 0 && d.Budget <= most {
			v.Budget = append(v.Budget, chartMark{X: 280 + part(d.Budget, most, 700), Y: 4 + 44*i})
		}
		if len(d.Spread) == 0 {
			continue
		}
		var points []string
		for q, n := range d.Spread {
			points = append(points, fmt.Sprintf("%d,%d", 130+q*85, 230-part(n, top, 210)))
		}
		v.Lines = append(v.Lines, chartLine{Class: class, Name: d.Policy, Points: strings.Join(points, " ")})
	}
	for i := range 5 {
		v.Ticks = append(v.Ticks, chartTick{Y: 230 - i*210/4, Text: lang.Compact(c.lang, float64(top)*float64(i)/4)})
	}
	v.Most = top
	for _, t := range []struct {
		by string
		of func(*policy.Result) []policy.Segment
	}{
		{"rule", func(r *policy.Result) []policy.Segment { return r.ByRule }},
		{"kind", func(r *policy.Result) []policy.Segment { return r.ByKind }},
		{"use", func(r *policy.Result) []policy.Segment { return r.ByUse }},
		{"service", func(r *policy.Result) []policy.Segment { return r.ByService }},
	} {
		v.Tables = append(v.Tables, segmentTable{By: t.by, Rows: segmentRows(x.Drafts, t.of)})
	}
	return v
}

// mostSegments is how many rows a table of the page has; the workbook has all.
const mostSegments = 40

func segmentRows(drafts []policy.Result, of func(*policy.Result) []policy.Segment) []segmentRow {
	var rows []segmentRow
	at := map[string]int{}
	for i := range drafts {
		for _, s := range of(&drafts[i]) {
			n, ok := at[s.Name]
			if !ok {
				n = len(rows)
				at[s.Name] = n
				rows = append(rows, segmentRow{Name: s.Name, Of: make([]policy.Sums, len(drafts))})
			}
			rows[n].Of[i] = s.Sums
		}
	}
	return rows
}

// Shown are the rows of the page, More how many are in the workbook only.
func (t segmentTable) Shown() []segmentRow { return t.Rows[:min(len(t.Rows), mostSegments)] }

// More is how many rows the page leaves out.
func (t segmentTable) More() int { return max(0, len(t.Rows)-mostSegments) }

// whatIfTable gives the comparison as a workbook.
func (c *call) whatIfTable() error {
	j, err := c.job()
	if err != nil {
		return err
	}
	x, ok := j.Result.(*compared)
	if !ok {
		return errJobGone
	}
	data, err := c.workbook(x)
	if err != nil {
		return err
	}
	return c.send("what-if-"+url.PathEscape(j.Incident)+".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", data)
}
