package audit

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// A History is what the audits of one revision of the estate after another found:
// what stands, by which revision it was opened, and what was fixed by which. The
// zero value is the history before the first audit. Nobody changes one: [History.Fold]
// makes a new one.
type History struct {
	Audits   []Audited `json:"audits"`   // oldest first; the last ones
	Losses   []string  `json:"losses"`   // of the last audit: those with a column in Services
	Services []Row     `json:"services"` // of the last audit, worst first
	Standing []Held    `json:"standing"` // of the last audit, gravest first, each with its proof
	Brief    []Brief   `json:"brief"`    // of the last audit: those that are followed without their proofs
	Fixed    []Held    `json:"fixed"`    // newest first, without their proofs

	// Of the last audit: the components that cannot come back and have no finding of their own
	// ([Report.Implied]), by the IDs that findings of them would have. For folding only.
	Implied []Brief `json:"-"`

	// The waivers of the last audit that waive nothing.
	WaivesNothing []IdleWaiver `json:"waivesNothing,omitempty"`

	// The losses of the last audit without a column, by name; a history that an older program
	// wrote only counts them.
	OtherLosses []string `json:"otherLosses,omitempty"`

	MoreLosses   int `json:"moreLosses"`   // that are not in Losses
	MoreServices int `json:"moreServices"` // that are not in Services
	MoreFindings int `json:"moreFindings"` // that are neither in Standing nor in Brief: nobody follows them
	MoreFixed    int `json:"moreFixed"`    // that were fixed, and are no longer in Fixed
	MoreWaivers  int `json:"moreWaivers"`  // that are not in WaivesNothing
}

// A Mark is a revision of the estate.
type Mark struct {
	Number int64     `json:"number"`
	Rev    string    `json:"rev"`
	Who    string    `json:"who"` // pushed it
	At     time.Time `json:"at"`  // it was pushed
}

// Audited is one audit: what stood then, by severity, and what changed since the
// audit before. What is waived counts as waived only.
type Audited struct {
	Mark

	Judged   time.Time `json:"judged"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Infos    int       `json:"infos"`
	Waived   int       `json:"waived"`
	Opened   int       `json:"opened"`
	Fixed    int       `json:"fixed"`
}

// A Held is a finding with its story.
type Held struct {
	Finding

	Opened Mark   `json:"opened"`
	Fixed  *Mark  `json:"fixed,omitempty"` // nil: it stands
	Graph  *Graph `json:"graph,omitempty"` // its proof; nil: there is none, or none that a picture helps with
}

// A Brief is what is kept of a finding that is not among the gravest.
type Brief struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Opened   Mark     `json:"opened"`
}

// A Row says what each loss does to one service.
type Row struct {
	Name   string `json:"name"`
	Title  string `json:"title,omitempty"`
	Users  int64  `json:"users"`
	States []Cell `json:"states"` // one for each of the history's losses
}

// A Cell is what one loss does to one service.
type Cell struct {
	State impact.State `json:"state"`
	Late  bool         `json:"late,omitempty"`  // recoverable, and not within its objective
	After float64      `json:"after,omitempty"` // recoverable: the seconds before which no plan brings it back
}

// Bounds say how much a history keeps. What falls out is counted, never passed over
// in silence.
type Bounds struct {
	Audits   int // points of the trend
	Losses   int // columns of the matrix
	Services int // rows of the matrix
	Standing int // findings with their proofs: the gravest, by severity and users
	Brief    int // further findings that are followed by their IDs
	Fixed    int // fixed findings
	Waivers  int // that waive nothing
}

// DefaultBounds keep a history within some megabytes, whatever the estate.
func DefaultBounds() Bounds {
	return Bounds{Audits: 500, Losses: 60, Services: 2000, Standing: 5000, Brief: 100_000, Fixed: 1000, Waivers: 200}
}

// Last returns the last audit; ok is false before the first.
func (h *History) Last() (a Audited, ok bool) {
	if len(h.Audits) == 0 {
		return Audited{}, false
	}
	return h.Audits[len(h.Audits)-1], true
}

// Followed is how many standing findings the history follows.
func (h *History) Followed() int { return len(h.Standing) + len(h.Brief) }

// Fold returns the history after one more audit: of the revision at, judged at that
// moment, with the report that [Check] or a [Checker] made. A revision that is not
// newer than the last one changes nothing, so that whoever folds twice gets the same.
// A finding is the same as one before if its ID is, or if it says the same in another way,
// as [Compare] tells; one that comes back after it was fixed is opened anew. One that was beyond the bounds and comes within them counts as
// opened then, for nobody knows better.
func (h *History) Fold(at Mark, judged time.Time, r *Report, b Bounds) *History {
	if last, ok := h.Last(); ok && at.Number <= last.Number {
		return h
	}
	next := &History{MoreFixed: h.MoreFixed}
	since, before := h.followed()
	openedBy := func(f *Finding) (m Mark, known bool) {
		if m, known = since[f.ID]; known {
			return m, true
		}
		id, known := r.way(before, f)
		if !known {
			return at, false
		}
		return since[id], true
	}
	point := Audited{Mark: at, Judged: judged.UTC()}
	order := make([]int, len(r.Findings))
	for i := range r.Findings {
		f := &r.Findings[i]
		order[i] = i
		if _, known := openedBy(f); !known {
			point.Opened++
		}
		switch {
		case f.Waived != nil:
			point.Waived++
		case f.Severity == Error:
			point.Errors++
		case f.Severity == Warning:
			point.Warnings++
		default:
			point.Infos++
		}
	}
	slices.SortFunc(order, func(i, j int) int { return graver(&r.Findings[i], &r.Findings[j]) })
	for n, i := range order {
		f := r.Findings[i]
		opened, _ := openedBy(&f)
		switch {
		case n < b.Standing:
			next.Standing = append(next.Standing, Held{Finding: kept(f), Opened: opened})
		case n < b.Standing+b.Brief:
			next.Brief = append(next.Brief, Brief{f.ID, f.Severity, opened})
		default:
			next.MoreFindings++
		}
	}
	for _, x := range r.Implied {
		for _, name := range x.Components[:min(len(x.Components), b.Brief-len(next.Implied))] {
			f := Finding{ID: "unrecoverable/" + x.Loss + "/" + name, Severity: Warning}
			f.Rule, f.Loss, f.Subject = "unrecoverable", x.Loss, name
			opened, _ := openedBy(&f)
			next.Implied = append(next.Implied, Brief{f.ID, f.Severity, opened})
		}
	}
	fixed := h.fixedBy(at, r)
	point.Fixed = len(fixed)
	next.Fixed = append(fixed, h.Fixed...)
	if more := len(next.Fixed) - b.Fixed; more > 0 {
		next.MoreFixed += more
		next.Fixed = next.Fixed[:b.Fixed]
	}
	next.Audits = append(slices.Clone(h.Audits), point)
	next.Audits = next.Audits[max(0, len(next.Audits)-b.Audits):]
	next.matrix(r, b)
	for _, w := range r.WaivesNothing[:min(len(r.WaivesNothing), b.Waivers)] {
		w.Column = 0
		next.WaivesNothing = append(next.WaivesNothing, w)
	}
	next.MoreWaivers = len(r.WaivesNothing) - len(next.WaivesNothing)
	draw(r.snap, next.Standing)
	return next
}

// graver orders findings: what nobody waived first, then by severity and users.
func graver(x, y *Finding) int {
	waived := func(f *Finding) int {
		if f.Waived != nil {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(waived(x), waived(y)), cmp.Compare(y.Severity.Rank(), x.Severity.Rank()),
		cmp.Compare(y.Users, x.Users), strings.Compare(x.ID, y.ID))
}

// followed are the standing findings, and what is implied, by ID, and since when.
func (h *History) followed() (since map[string]Mark, findings map[string]*Finding) {
	since, findings = make(map[string]Mark, h.Followed()), make(map[string]*Finding, h.Followed())
	for _, list := range [][]Brief{h.Implied, h.Brief} {
		for i := range list {
			since[list[i].ID], findings[list[i].ID] = list[i].Opened, &Finding{Severity: list[i].Severity}
		}
	}
	for i := range h.Standing {
		since[h.Standing[i].ID], findings[h.Standing[i].ID] = h.Standing[i].Opened, &h.Standing[i].Finding
	}
	return since, findings
}

// fixedBy returns what stood before and does not any more, the gravest first.
func (h *History) fixedBy(at Mark, r *Report) []Held {
	var fixed []Held
	after := said(r)
	for i := range h.Standing {
		if x := h.Standing[i]; !r.still(after, &x.Finding) {
			f := x.Finding
			f.Proof, f.Fix = Proof{Words: []string{}}, nil
			fixed = append(fixed, Held{Finding: f, Opened: x.Opened, Fixed: &at})
		}
	}
	for _, x := range h.Brief {
		f := Finding{ID: x.ID, Severity: x.Severity, Proof: Proof{Words: []string{}}}
		f.Rule, f.Loss, f.Subject = parts(x.ID)
		if !r.still(after, &f) {
			fixed = append(fixed, Held{Finding: f, Opened: x.Opened, Fixed: &at})
		}
	}
	return fixed
}

// parts takes an ID apart; only a subject may hold a slash.
func parts(id string) (rule, loss, subject string) {
	rule, rest, _ := strings.Cut(id, "/")
	loss, subject, _ = strings.Cut(rest, "/")
	return rule, loss, subject
}

// Limits of what is kept of one finding, in entries and in letters.
const (
	mostInList  = 24
	mostSets    = 8
	mostLetters = 400
)

// kept is what a history keeps of a finding: bounded, and nothing of the estate that
// it came from.
func kept(f Finding) Finding {
	f.pos, f.about, f.spot = estate.Pos{}, nil, spot{}
	f.Sentence = clip(f.Sentence)
	p := f.Proof
	f.Proof = Proof{
		Words: clipped(p.Words), Cycle: clipped(p.Cycle),
		Domains: clipped(p.Domains), Services: clipped(p.Services),
		Path: slices.Clone(p.Path[:min(len(p.Path), mostInList)]),
	}
	if f.Proof.Words == nil {
		f.Proof.Words = []string{}
	}
	for _, set := range p.Blocking[:min(len(p.Blocking), mostSets)] {
		f.Proof.Blocking = append(f.Proof.Blocking, clipped(set))
	}
	if f.Fix != nil {
		f.Fix = &Measure{Words: clip(f.Fix.Words), Cost: f.Fix.Cost}
	}
	return f
}

func clipped(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	list = list[:min(len(list), mostInList)]
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, clip(s))
	}
	return out
}

func clip(s string) string {
	n := 0
	for i := range s {
		if n == mostLetters {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// matrix notes what each loss that was asked for by name does to each service, the
// services first that stay down in most of them, then by users.
func (h *History) matrix(r *Report, b Bounds) {
	if r.snap == nil {
		return
	}
	columns := r.matrix[:min(len(r.matrix), b.Losses)]
	h.MoreLosses = len(r.matrix) - len(columns)
	for i := range r.matrix {
		if i < len(columns) {
			h.Losses = append(h.Losses, r.matrix[i].loss)
		} else {
			h.OtherLosses = append(h.OtherLosses, r.matrix[i].loss)
		}
	}
	rows := make([]Row, len(r.snap.Services))
	bad := make(map[string][3]int, len(rows))
	for i := range rows {
		svc := &r.snap.Services[i]
		rows[i] = Row{Name: svc.Name, Title: svc.Title, Users: svc.Users, States: make([]Cell, len(columns))}
		var n [3]int
		for j := range columns {
			cell := Cell{State: columns[j].states[i]}
			switch cell.State {
			case impact.Unrecoverable:
				n[0]++
			case impact.Recoverable, impact.Returns:
				n[1]++
				cell.After = columns[j].upAt[i].Seconds()
				cell.Late = svc.Objectives.RTO != nil && columns[j].upAt[i] > *svc.Objectives.RTO
			case impact.Degraded:
				n[2]++
			case impact.Up:
			}
			rows[i].States[j] = cell
		}
		bad[svc.Name] = n
	}
	slices.SortFunc(rows, func(x, y Row) int {
		p, q := bad[x.Name], bad[y.Name]
		return cmp.Or(slices.Compare(q[:1], p[:1]), cmp.Compare(boolRank(q[1] > 0), boolRank(p[1] > 0)),
			cmp.Compare(y.Users, x.Users), slices.Compare(q[1:], p[1:]), strings.Compare(x.Name, y.Name))
	})
	h.Services = rows[:min(len(rows), b.Services)]
	h.MoreServices = len(rows) - len(h.Services)
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A Choice is which findings of a history somebody wants to see; empty is all.
type Choice struct {
	Severity Severity
	Rule     string
	Loss     string
}

// Takes reports whether a finding is among those that are wanted.
func (c Choice) Takes(f *Finding) bool {
	return (c.Severity == "" || c.Severity == f.Severity) && (c.Rule == "" || c.Rule == f.Rule) && (c.Loss == "" || c.Loss == f.Loss)
}

// Only returns the history with only the findings that are wanted; the trend and
// the matrix stay whole.
func (h *History) Only(c Choice) *History {
	if c == (Choice{}) {
		return h
	}
	out := *h
	pick := func(list []Held) []Held {
		return slices.DeleteFunc(slices.Clone(list), func(x Held) bool { return !c.Takes(&x.Finding) })
	}
	out.Standing, out.Fixed = pick(h.Standing), pick(h.Fixed)
	out.Brief = slices.DeleteFunc(slices.Clone(h.Brief), func(x Brief) bool {
		f := Finding{Severity: x.Severity}
		f.Rule, f.Loss, f.Subject = parts(x.ID)
		return !c.Takes(&f)
	})
	return &out
}

// Tally counts the standing findings of a history by rule and by loss, those that
// are followed by their IDs among them.
func (h *History) Tally() (rules, losses map[string]int) {
	rules, losses = map[string]int{}, map[string]int{}
	for i := range h.Standing {
		rules[h.Standing[i].Rule]++
		losses[h.Standing[i].Loss]++
	}
	for i := range h.Brief {
		rule, loss, _ := parts(h.Brief[i].ID)
		rules[rule]++
		losses[loss]++
	}
	return rules, losses
}

// marks are the revisions that the findings of a history name, by number.
func (h *History) marks() []Mark {
	all := map[int64]Mark{}
	for i := range h.Standing {
		all[h.Standing[i].Opened.Number] = h.Standing[i].Opened
	}
	for i := range h.Brief {
		all[h.Brief[i].Opened.Number] = h.Brief[i].Opened
	}
	for i := range h.Implied {
		all[h.Implied[i].Opened.Number] = h.Implied[i].Opened
	}
	for i := range h.Fixed {
		all[h.Fixed[i].Opened.Number], all[h.Fixed[i].Fixed.Number] = h.Fixed[i].Opened, *h.Fixed[i].Fixed
	}
	return slices.SortedFunc(maps.Values(all), func(x, y Mark) int { return cmp.Compare(x.Number, y.Number) })
}
