package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bongsu/audit"
	"bongsu/estate"
)

// An Auditor knows the history of the audit: what each revision of the estate opened
// and fixed.
type Auditor interface {
	// Audit returns the history; before the first audit it is empty. The reader does
	// not change it.
	Audit(ctx context.Context) (*audit.History, error)
}

// How much one page of the audit shows.
const (
	findingsPerPage = 12
	servicesPerPage = 25
	fixedPerPage    = 25
	trendPoints     = 60
)

type auditView struct {
	Last      *audit.Audited // nil before the first audit
	Behind    bool           // a newer revision is being audited
	Trend     auditTrend
	Losses    []string
	More      *audit.History // for what it counts and does not show
	Services  []audit.Row
	Rows      pager
	Findings  []findingShown
	pager         // of the findings
	Count     int // findings that the filters let through, with their proofs
	Brief     int // and those without
	Severity  []filter
	Rules     []option
	LossNames []option
	Choice    audit.Choice
	Fixed     []findingShown
	FixedRows pager
	AllFixed  int
}

type option struct {
	Name  string
	Count int
	On    bool
}

// A findingShown is a finding as the page shows it.
type findingShown struct {
	*audit.Held

	At    int // on the page, for ids
	Tone  State
	Title string // of the subject
	Graph *auditGraph
}

// severityState is how a severity looks.
func severityState(s audit.Severity) State {
	switch s {
	case audit.Error:
		return StateFailed
	case audit.Warning:
		return StateSuspect
	case audit.Info:
	}
	return StatePending
}

// pageOf cuts one page out of xs, by a query key of its own, so that several lists of
// one page are turned apart. A page that does not exist is the nearest one.
func pageOf[T any](xs []T, r *http.Request, key string, size int, anchor string) ([]T, pager) {
	pages := max(1, (len(xs)+size-1)/size)
	n, err := strconv.Atoi(r.URL.Query().Get(key))
	if err != nil {
		n = 1
	}
	n = min(max(n, 1), pages)
	to := func(n int) string {
		q := r.URL.Query()
		q.Set(key, strconv.Itoa(n))
		return r.URL.Path + "?" + q.Encode() + "#" + anchor
	}
	p := pager{Page: n, Pages: pages}
	if n > 1 {
		p.Prev = to(n - 1)
	}
	if n < pages {
		p.Next = to(n + 1)
	}
	return xs[(n-1)*size : min(n*size, len(xs))], p
}

func choiceOf(q url.Values) audit.Choice {
	return audit.Choice{Severity: audit.Severity(q.Get("severity")), Rule: q.Get("rule"), Loss: q.Get("loss")}
}

func (s *Server) auditPage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	h, err := s.backend.Audit(r.Context())
	if err != nil {
		return err
	}
	n, err := s.now(r.Context())
	if err != nil {
		return err
	}
	v := auditView{More: h, Losses: h.Losses, Choice: choiceOf(r.URL.Query())}
	if last, ok := h.Last(); ok {
		v.Last = &last
		v.Behind = n.Estate.Number > last.Number
	}
	v.Trend = drawTrend(h.Audits)
	v.Services, v.Rows = pageOf(h.Services, r, "services", servicesPerPage, "h-matrix")
	v.filters(h, s.link("audit"))
	only := h.Only(v.Choice)
	v.Count, v.Brief, v.AllFixed = len(only.Standing), len(only.Brief), len(only.Fixed)
	var held []audit.Held
	held, v.pager = pageOf(only.Standing, r, "page", findingsPerPage, "h-findings")
	v.Findings = showFindings(held)
	held, v.FixedRows = pageOf(only.Fixed, r, "fixed", fixedPerPage, "h-fixed")
	v.Fixed = showFindings(held)
	return s.render(w, r, http.StatusOK, "audit", "title.audit", &v)
}

func showFindings(list []audit.Held) []findingShown {
	out := make([]findingShown, len(list))
	for i := range list {
		x := &list[i]
		out[i] = findingShown{Held: x, At: i, Tone: severityState(x.Severity)}
		if x.Graph != nil {
			out[i].Graph = drawGraph(x.Graph)
			out[i].Title = x.Graph.Nodes[0].Title
		}
	}
	return out
}

// filters says what can be chosen, with how many findings each choice has.
func (v *auditView) filters(h *audit.History, base string) {
	to := func(severity audit.Severity) string {
		q := url.Values{}
		for _, kv := range [][2]string{{"severity", string(severity)}, {"rule", v.Choice.Rule}, {"loss", v.Choice.Loss}} {
			if kv[1] != "" {
				q.Set(kv[0], kv[1])
			}
		}
		if len(q) == 0 {
			return base + "#h-findings"
		}
		return base + "?" + q.Encode() + "#h-findings"
	}
	for _, sev := range []audit.Severity{"", audit.Error, audit.Warning, audit.Info} {
		c := v.Choice
		c.Severity = sev
		only := h.Only(c)
		v.Severity = append(v.Severity, filter{Name: cmp.Or(string(sev), "all"), Href: to(sev), Count: only.Followed(), On: v.Choice.Severity == sev})
	}
	rules, losses := h.Tally()
	options := func(count map[string]int, on string) []option {
		if _, ok := count[on]; !ok && on != "" {
			count[on] = 0 // what was asked for stays in the list, and says that there is none
		}
		var out []option
		for _, name := range slices.Sorted(maps.Keys(count)) {
			out = append(out, option{name, count[name], name == on})
		}
		return out
	}
	v.Rules, v.LossNames = options(rules, v.Choice.Rule), options(losses, v.Choice.Loss)
}

// apiAudit answers with the history, or with only what the query chooses.
func (s *Server) apiAudit(w http.ResponseWriter, r *http.Request, _ Identity) error {
	c := choiceOf(r.URL.Query())
	if c.Severity != "" && c.Severity.Rank() == 0 {
		return fmt.Errorf("%w: there is no severity %q: want info, warning or error", ErrBadInput, c.Severity)
	}
	var names []string
	for _, rule := range audit.Rules() {
		names = append(names, rule.Name)
	}
	if c.Rule != "" && !slices.Contains(names, c.Rule) {
		return fmt.Errorf("%w: %w", ErrBadInput, &audit.RuleError{Name: c.Rule, Nearest: estate.Nearest(c.Rule, names)})
	}
	h, err := s.backend.Audit(r.Context())
	if err != nil {
		return err
	}
	if err := judgedLoss(h, c.Loss); err != nil {
		return err
	}
	out := *h.Only(c)
	out.Audits, out.Losses, out.Services = some(out.Audits), some(out.Losses), some(out.Services)
	out.Standing, out.Brief, out.Fixed = some(out.Standing), some(out.Brief), some(out.Fixed)
	writeJSON(w, http.StatusOK, out)
	return nil
}

// judgedLoss refuses a loss that no audit in the history looked at.
func judgedLoss(h *audit.History, loss string) error {
	if _, ok := h.Last(); !ok || loss == "" {
		return nil
	}
	_, count := h.Tally()
	for i := range h.Fixed {
		count[h.Fixed[i].Loss]++
	}
	names := slices.Concat([]string{audit.NoLoss, audit.ColdStart}, h.Losses, h.OtherLosses, slices.Sorted(maps.Keys(count)))
	if slices.Contains(names, loss) {
		return nil
	}
	if h.MoreLosses > len(h.OtherLosses) {
		return fmt.Errorf("%w: nobody knows whether an audit of the nodes looked at the loss %q: an older program wrote the history, without the names of %d losses; the next revision that is pushed ends this", ErrBadInput, loss, h.MoreLosses)
	}
	near := ""
	if name := estate.Nearest(loss, names); name != "" {
		near = fmt.Sprintf("; did you mean %q?", name)
	}
	return fmt.Errorf("%w: no audit of the nodes looked at the loss %q%s", ErrBadInput, loss, near)
}

// some is the list, empty where there is none.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Audit asks for the history of the audit, or for only what is chosen of it.
func (c *Client) Audit(ctx context.Context, only audit.Choice) (*audit.History, error) {
	q := url.Values{}
	for _, kv := range [][2]string{{"severity", string(only.Severity)}, {"rule", only.Rule}, {"loss", only.Loss}} {
		if kv[1] != "" {
			q.Set(kv[0], kv[1])
		}
	}
	var h audit.History
	return &h, c.call(ctx, http.MethodGet, "/audit?"+q.Encode(), nil, &h)
}

// An auditGraph is the picture of a proof, worked out to the last coordinate.
type auditGraph struct {
	Width, Height int
	Boxes         []graphBox
	Lines         []graphLine
}

type graphBox struct {
	audit.Node

	X, Y, Mid         int
	TextY, KindY      int
	GlyphX, GlyphY    int
	Label             string
	Subject, IsAction bool
}

type graphLine struct {
	From, To     string // names, for the table
	Why, Action  string
	Path, Head   string
	X, Y         int // of the label
	LabelText    string
	Labelled     bool
	Start, Ended audit.Node
}

// Sizes of a graph: three boxes side by side fit beside the text of a finding, two on
// a phone.
const (
	boxWidth   = 142
	boxHeight  = 40
	boxGap     = 14
	levelGap   = 36
	graphEdge  = 4
	boxesInRow = 3
	boxLetters = 19
)

// drawGraph lays a graph out in rows from the subject down; a ring goes down on the
// left and up on the right.
func drawGraph(g *audit.Graph) *auditGraph {
	out := &auditGraph{}
	type spot struct{ col, row, of int }
	spots := make([]spot, len(g.Nodes))
	if ring(g) {
		left := (len(g.Nodes) + 1) / 2
		for i := range g.Nodes {
			spots[i] = spot{0, i, 2}
			if i >= left {
				spots[i] = spot{1, len(g.Nodes) - 1 - i, 2}
			}
		}
	} else {
		levels := map[int][]int{}
		for i := range g.Nodes {
			levels[g.Nodes[i].Level] = append(levels[g.Nodes[i].Level], i)
		}
		row := 0
		for _, level := range slices.Sorted(maps.Keys(levels)) {
			for some := range slices.Chunk(levels[level], boxesInRow) {
				for col, i := range some {
					spots[i] = spot{col, row, len(some)}
				}
				row++
			}
		}
	}
	widest, rows := 0, 0
	for _, p := range spots {
		widest, rows = max(widest, p.of), max(rows, p.row+1)
	}
	wide := func(n int) int { return n*boxWidth + (n-1)*boxGap }
	out.Width = wide(widest) + 2*graphEdge
	out.Height = rows*boxHeight + (rows-1)*levelGap + 2*graphEdge
	for i, p := range spots {
		n := g.Nodes[i]
		b := graphBox{Node: n, Subject: i == 0, IsAction: n.Kind == "action"}
		b.X = graphEdge + (wide(widest)-wide(p.of))/2 + p.col*(boxWidth+boxGap)
		b.Y = graphEdge + p.row*(boxHeight+levelGap)
		b.Mid, b.TextY, b.KindY, b.GlyphX, b.GlyphY = b.X+boxWidth/2, b.Y+17, b.Y+32, b.X+7, b.Y+21
		b.Label = shorten(call(n.Title, n.Name), boxLetters)
		out.Boxes = append(out.Boxes, b)
	}
	for _, a := range g.Arrows {
		from, to := &out.Boxes[a.From], &out.Boxes[a.To]
		l := graphLine{From: from.Name, To: to.Name, Why: a.Why, Action: a.Action, Start: from.Node, Ended: to.Node}
		l.place(from, to)
		l.Labelled = to.Y != from.Y && !slices.ContainsFunc(out.Lines, func(x graphLine) bool { return x.X == l.X && x.Y == l.Y })
		out.Lines = append(out.Lines, l)
	}
	return out
}

// ring reports whether every node leads to the next and the last to the first.
func ring(g *audit.Graph) bool {
	if len(g.Nodes) < 2 || len(g.Arrows) != len(g.Nodes) {
		return false
	}
	for i, a := range g.Arrows {
		if a.From != i || a.To != (i+1)%len(g.Nodes) {
			return false
		}
	}
	return true
}

// place draws a line between two boxes, with its head at the second.
func (l *graphLine) place(from, to *graphBox) {
	x1, y1, x2, y2 := float64(from.Mid), float64(from.Y), float64(to.Mid), float64(to.Y)
	switch {
	case to.Y > from.Y:
		y1 += boxHeight
	case to.Y < from.Y:
		y2 += boxHeight
	default: // side by side
		y1, y2 = y1+boxHeight/2, y2+boxHeight/2
		if x2 > x1 {
			x1, x2 = x1+boxWidth/2, x2-boxWidth/2
		} else {
			x1, x2 = x1-boxWidth/2, x2+boxWidth/2
		}
	}
	length := max(math.Hypot(x2-x1, y2-y1), 1)
	ux, uy := (x2-x1)/length, (y2-y1)/length
	const head, half = 7, 3.5
	bx, by := x2-ux*head, y2-uy*head
	l.Path = "M" + px(x1) + " " + px(y1) + "L" + px(bx) + " " + px(by)
	l.Head = "M" + px(x2) + " " + px(y2) + "L" + px(bx-uy*half) + " " + px(by+ux*half) + "L" + px(bx+uy*half) + " " + px(by-ux*half) + "Z"
	l.X, l.Y = int((x1+x2)/2)+6, int((y1+y2)/2)+3
}

// shorten cuts a label; the whole of it is in the table, and where a pointer rests. A
// letter of Korean is as wide as two.
func shorten(s string, most int) string {
	width := 0
	for i, c := range s {
		w := 1
		if c >= 0x1100 {
			w = 2
		}
		if width+w > most {
			return s[:i] + "…"
		}
		width += w
	}
	return s
}

// An auditTrend is the picture of how many findings stood after each revision.
type auditTrend struct {
	Width, Height int
	Base          int // where the axis lies
	Lines         []trendLine
	Marks         []trendMark
	Points        []audit.Audited // newest first, for the table
	Most          int
	First, Last   int64 // numbers of revisions
	Left, Right   int
}

type trendLine struct {
	Severity audit.Severity
	Path     string
	Count    int
}

type trendMark struct{ X string }

func drawTrend(all []audit.Audited) auditTrend {
	all = all[max(0, len(all)-trendPoints):]
	t := auditTrend{Width: 640, Height: 150, Base: 124, Left: 36, Right: 606}
	if len(all) == 0 {
		return t
	}
	t.Points = slices.Clone(all)
	slices.Reverse(t.Points)
	t.First, t.Last = all[0].Number, all[len(all)-1].Number
	counts := func(a *audit.Audited) []int { return []int{a.Errors, a.Warnings, a.Infos} }
	t.Most = 1
	for i := range all {
		t.Most = max(t.Most, slices.Max(counts(&all[i])))
	}
	x := func(i int) float64 {
		return float64(t.Left) + float64(i)/float64(len(all))*float64(t.Right-t.Left)
	}
	y := func(n int) float64 { return float64(t.Base) - float64(n)/float64(t.Most)*float64(t.Base-14) }
	for k, sev := range []audit.Severity{audit.Error, audit.Warning, audit.Info} {
		var b strings.Builder
		n := 0
		for i := range all {
			n = counts(&all[i])[k]
			if i == 0 {
				b.WriteString("M" + px(x(i)) + " " + px(y(n)))
			} else {
				b.WriteString("H" + px(x(i)) + "V" + px(y(n)))
			}
		}
		b.WriteString("H" + px(float64(t.Right))) // what stands goes on until now
		t.Lines = append(t.Lines, trendLine{sev, b.String(), n})
	}
	for i := range all {
		t.Marks = append(t.Marks, trendMark{px(x(i))})
	}
	return t
}
