package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/lang"
)

// A Report is the after-action report of an incident: what its record, its runs and
// the estate say, put together. Nothing in it was written for it.
type Report struct {
	Version     int                   `json:"version"`
	Made        time.Time             `json:"made"`
	Incident    string                `json:"incident"`
	State       State                 `json:"state"`
	Drill       bool                  `json:"drill,omitempty"`
	Estate      string                `json:"estate,omitempty"` // revision that titles, objectives and findings are of
	Lost        []ReportLoss          `json:"lost"`
	LostAt      time.Time             `json:"lostAt"`
	EndedAt     time.Time             `json:"endedAt,omitzero"`
	Seconds     float64               `json:"seconds"`
	Grade       string                `json:"grade"` // at its worst
	Sentence    string                `json:"sentence,omitempty"`
	UserMinutes float64               `json:"userMinutes"`
	Weighted    float64               `json:"weightedUserMinutes"`
	Outages     []ReportOutage        `json:"outages"`
	Data        []ReportData          `json:"dataLost"`
	TimeLine    []Entry               `json:"timeLine"`
	Runs        []ReportRun           `json:"runs"`
	Roles       []incident.Assignment `json:"roles"`
	Notes       []incident.Entry      `json:"notes"` // notes and decisions
	Updates     []incident.Update     `json:"updates"`
	FirstWord   *float64              `json:"firstWord"` // seconds from the loss to the first word to the public; nil: there was none
	Clocks      []ReportClock         `json:"clocks"`
	Calls       []incident.Call       `json:"calls"`
	Corrections []ReportCorrection    `json:"corrections"`
	Improve     []ReportFinding       `json:"improve"` // what the audit holds against the estate for this loss, gravest first
}

// A ReportLoss is one lost domain, and whose failure it was.
type ReportLoss struct {
	Domain   string    `json:"domain"`
	Title    string    `json:"title,omitempty"`
	At       time.Time `json:"at"`
	Operator string    `json:"operator,omitempty"`
}

// A ReportOutage is one service or part, against its objective.
type ReportOutage struct {
	Outage

	RTO    *float64 `json:"rto"`    // seconds; nil: there is no objective
	Missed bool     `json:"missed"` // it was down for longer than that, at one time
}

// ReportData is what was lost of the data of one component or service.
type ReportData struct {
	Kind    string   `json:"kind"` // component or service
	Name    string   `json:"name"`
	Title   string   `json:"title,omitempty"`
	All     bool     `json:"all,omitempty"`
	Unknown bool     `json:"unknown,omitempty"`
	Seconds float64  `json:"seconds"` // the last so many
	RPO     *float64 `json:"rpo"`     // of a service; nil: there is no objective
	Missed  bool     `json:"missed,omitempty"`
}

// A ReportRun is one recovery, planned against actual.
type ReportRun struct {
	Summary

	Objective Objective `json:"objective"`
	Steps     []Step    `json:"steps"`
	Plans     []Replan  `json:"plans"`
}

// A ReportClock is a duty, and whether it was done in time.
type ReportClock struct {
	Clock

	Kept   bool `json:"kept"`   // it was done by its time
	Missed bool `json:"missed"` // it was done late, or is late
}

// A ReportCorrection is what a person corrected in the record.
type ReportCorrection struct {
	At      time.Time         `json:"at"`
	By      string            `json:"by"`
	Why     string            `json:"why"`
	Changes []incident.Change `json:"changes"`
}

// A ReportFinding is one thing to improve.
type ReportFinding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Sentence string `json:"sentence"`
	Fix      string `json:"fix,omitempty"`
	Users    int64  `json:"users"`
}

// Bounds of a report, so that it stays one that people can read. The record has all.
const (
	mostTimeLine = 1000
	mostFindings = 60
)

// report makes the report of an incident.
func (s *Server) report(ctx context.Context, f Facts, id string) (*Report, error) {
	d, err := s.dossier(f, id)
	if err != nil {
		return nil, err
	}
	until := endOf(&d.Record, f.At)
	r := &Report{
		Version: 1, Made: f.At, Incident: d.ID, State: State(d.State), Drill: d.Drill, LostAt: d.LostAt, EndedAt: d.EndedAt,
		Seconds: until.Sub(d.LostAt).Seconds(), Grade: worstGrade(d, f.Estate), Sentence: d.Verdict, UserMinutes: d.UserMinutes, Weighted: d.Weighted,
		Lost: []ReportLoss{}, Outages: []ReportOutage{}, Data: []ReportData{}, TimeLine: []Entry{}, Runs: []ReportRun{}, Roles: d.Roles,
		Notes: d.Notes, Updates: d.Updates, Clocks: []ReportClock{}, Calls: d.Calls, Corrections: []ReportCorrection{}, Improve: []ReportFinding{},
	}
	if f.Estate != nil {
		r.Estate = f.Estate.Rev
	}
	r.losses(d, f.Estate)
	r.outages(d, f.Estate, until)
	if err := s.runsOf(ctx, r, d); err != nil {
		return nil, err
	}
	r.timeLine(d)
	for _, u := range d.Updates {
		if !u.SentAt.IsZero() && r.FirstWord == nil {
			after := u.SentAt.Sub(d.LostAt).Seconds()
			r.FirstWord = &after
		}
	}
	for _, c := range d.Clocks {
		kept := c.State == incident.ClockIsDone && !c.Due.IsZero() && !c.DoneAt.After(c.Due)
		late := c.Overdue || c.State == incident.ClockIsDone && !c.Due.IsZero() && c.DoneAt.After(c.Due)
		r.Clocks = append(r.Clocks, ReportClock{Clock: c, Kept: kept, Missed: late})
	}
	for _, e := range d.Entries {
		if e.Act == incident.ActChange && slices.ContainsFunc(e.Changes, func(c incident.Change) bool { return c.Source == incident.FromPerson }) {
			r.Corrections = append(r.Corrections, ReportCorrection{At: e.At, By: e.By, Why: e.Why, Changes: e.Changes})
		}
	}
	if f.Estate != nil && len(d.Lost) > 0 {
		s.lessons(r, d, f)
	}
	return r, nil
}

func (r *Report) losses(d *Record, snap *estate.Snapshot) {
	for _, l := range d.Losses {
		if l.State == incident.Withdrawn {
			continue
		}
		out := ReportLoss{Domain: l.Domain, At: l.LostAt}
		for _, x := range d.Faults {
			if x.Domain == l.Domain {
				out.Operator = x.Operator
			}
		}
		if snap != nil {
			if ref, ok := snap.Lookup(estate.KindDomain, l.Domain); ok {
				out.Title = snap.Domains[ref.Index].Title
			}
		}
		r.Lost = append(r.Lost, out)
	}
}

func (r *Report) outages(d *Record, snap *estate.Snapshot, until time.Time) {
	for _, o := range d.Outages {
		out := ReportOutage{Outage: o}
		if snap != nil && o.Part == "" {
			if ref, ok := snap.Lookup(estate.KindService, o.Service); ok {
				if rto := snap.Services[ref.Index].Objectives.RTO; rto != nil {
					limit := rto.Seconds()
					out.RTO = &limit
					out.Missed = longest(o.Intervals, until) > *rto
				}
			}
		}
		r.Outages = append(r.Outages, out)
	}
}

// longest is the longest time down without a break.
func longest(all []incident.Interval, until time.Time) time.Duration {
	var most time.Duration
	var from, to time.Time
	for _, v := range all {
		if v.Condition != incident.Down {
			continue
		}
		end := v.To
		if end.IsZero() || end.After(until) {
			end = until
		}
		if !v.From.Equal(to) {
			from = v.From
		}
		to = end
		most = max(most, to.Sub(from))
	}
	return most
}

func (s *Server) runsOf(ctx context.Context, r *Report, d *Record) error {
	var ids []string
	for _, e := range d.Entries {
		if e.Act == incident.ActRun && !slices.Contains(ids, e.Run) {
			ids = append(ids, e.Run)
		}
	}
	for _, id := range ids {
		view, err := s.backend.Run(ctx, id)
		if err != nil {
			return fmt.Errorf("run %s of the incident: %w", id, err)
		}
		run := runOf(&view)
		r.Runs = append(r.Runs, ReportRun{Summary: run.Summary, Objective: run.Objective, Steps: run.Steps, Plans: run.Plans})
		for _, e := range run.Journal {
			if slices.Contains([]string{"created", "approved", "paused", "resumed", "aborted", "done", "failed", "skipped", "ended"}, e.What) || strings.HasPrefix(e.What, "plan ") {
				r.TimeLine = append(r.TimeLine, e)
			}
		}
	}
	return nil
}

// timeLine joins what happened, oldest first. Where there is too much of it the steps
// go, which have a table of their own.
func (r *Report) timeLine(d *Record) {
	for _, e := range incidentOf(&d.Incident).History {
		if e.What != string(incident.ActCall) {
			r.TimeLine = append(r.TimeLine, e)
		}
	}
	slices.SortStableFunc(r.TimeLine, func(a, b Entry) int { return a.At.Compare(b.At) })
	if len(r.TimeLine) > mostTimeLine {
		r.TimeLine = slices.DeleteFunc(r.TimeLine, func(e Entry) bool { return e.Step != "" })
	}
	r.TimeLine = r.TimeLine[:min(len(r.TimeLine), mostTimeLine)]
}

// lessons adds what the loss cost in data, and what the audit has to say of it.
func (s *Server) lessons(r *Report, d *Record, f Facts) {
	im, err := s.composer.impactOf(f.Estate, d.Lost)
	if err != nil {
		return // declared against an estate that had other domains: there is nothing to say
	}
	add := func(kind string, doc *estate.Doc, lost *dataLost, rpo *time.Duration) {
		if lost == nil || lost.Known && !lost.All && lost.Seconds == 0 {
			return
		}
		x := ReportData{Kind: kind, Name: doc.Name, Title: doc.Title, All: lost.All, Unknown: !lost.Known && !lost.All, Seconds: lost.Seconds}
		if rpo != nil {
			limit := rpo.Seconds()
			x.RPO, x.Missed = &limit, lost.All || !lost.Known || lost.Seconds > limit
		}
		r.Data = append(r.Data, x)
	}
	for i := range f.Estate.Services {
		sv := &f.Estate.Services[i]
		add("service", &sv.Doc, lossOf(&im.Services[i]), sv.Objectives.RPO)
	}
	for i := range f.Estate.Components {
		if c := &f.Estate.Components[i]; c.Data != nil {
			add("component", &c.Doc, lossOf(&im.Components[i]), nil)
		}
	}
	found, err := audit.Check(f.Estate, audit.Options{Lose: [][]string{d.Lost}, Now: f.At})
	if err != nil {
		return
	}
	loss := strings.Join(slices.Sorted(slices.Values(d.Lost)), "+")
	for i := range found.Findings {
		x := &found.Findings[i]
		if x.Loss != loss || x.Waived != nil {
			continue
		}
		fix := ""
		if x.Fix != nil {
			fix = x.Fix.Words
		}
		r.Improve = append(r.Improve, ReportFinding{ID: x.ID, Severity: string(x.Severity), Sentence: x.Sentence, Fix: fix, Users: x.Users})
	}
	slices.SortStableFunc(r.Improve, func(a, b ReportFinding) int {
		rank := func(f ReportFinding) int { return slices.Index([]string{"error", "warning", "info"}, f.Severity) }
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Users, a.Users), cmp.Compare(a.ID, b.ID))
	})
	r.Improve = r.Improve[:min(len(r.Improve), mostFindings)]
}

type reportView struct {
	Incident Incident
	Doc      *document
}

// reportPage shows the report, or sends it as a file: ?format=html, markdown or json.
func (s *Server) reportPage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	rep, err := s.report(r.Context(), f, r.PathValue("id"))
	if err != nil {
		return err
	}
	l := s.langOf(r)
	if asked := lang.Lang(r.URL.Query().Get("lang")); lang.Known(asked) {
		l = asked
	}
	doc, err := s.document(l, rep, s.zoneOf(r))
	if err != nil {
		return err
	}
	format := r.URL.Query().Get("format")
	if format == "" {
		inc, err := findIncident(f, rep.Incident)
		if err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "report", "title.report", &reportView{Incident: inc, Doc: doc})
	}
	var b bytes.Buffer
	var kind, ext string
	switch format {
	case "html":
		kind, ext = "text/html; charset=utf-8", "html"
		if err := s.pages.file(&b, l, "report-file", doc); err != nil {
			return err
		}
		// It has its style in it, because it is one file, and nothing else that acts.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox")
	case "markdown", "md":
		kind, ext = "text/markdown; charset=utf-8", "md"
		doc.markdown(&b)
	case "json":
		writeJSON(w, http.StatusOK, rep)
		return nil
	default:
		return fmt.Errorf("format %q: it is html, markdown or json: %w", format, ErrBadInput)
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape("bongsu-"+rep.Incident+"."+ext))
	if _, err := w.Write(b.Bytes()); err != nil {
		s.log.Debug("the reader left before the report was sent", "error", err.Error())
	}
	return nil
}

// apiReport answers with the report: JSON unless ?format= asks for html or markdown.
func (s *Server) apiReport(w http.ResponseWriter, r *http.Request, id Identity) error {
	if !r.URL.Query().Has("format") {
		r = withQuery(r, "format", "json")
	}
	return s.reportPage(w, r, id)
}

func withQuery(r *http.Request, key, value string) *http.Request {
	c := r.Clone(r.Context())
	q := c.URL.Query()
	q.Set(key, value)
	c.URL.RawQuery = q.Encode()
	return c
}

// A document is a report in words of one language: what HTML and Markdown share.
type document struct {
	Lang     lang.Lang
	Title    string
	Lead     string
	Facts    [][2]string
	Sections []section
	Foot     string
}

type section struct {
	ID    string
	Title string
	Lead  string
	Head  []string
	Rows  [][]string
	Empty string       // said where there is no row
	Prose []proseBlock // of updates and notes
}

type proseBlock struct {
	Head string
	HTML template.HTML
	Text string
}

// style is what the self-contained file has in its head.
func (*document) Style() template.CSS {
	return `:root{color-scheme:light dark}body{font:16px/1.55 system-ui,"Noto Sans KR","Apple SD Gothic Neo","Malgun Gothic",sans-serif;max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}:lang(ko){word-break:keep-all}h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .4rem}p{margin:.3rem 0}dl{display:flex;flex-wrap:wrap;gap:.4rem 2rem;margin:1rem 0}dt{font-size:.8rem;opacity:.75}dd{margin:0;font-weight:600}.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #8886}th{font-weight:600}thead th{font-weight:500;opacity:.75}caption{text-align:left;position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}article{border-left:3px solid #8886;padding:.1rem 0 .1rem .8rem;margin:.7rem 0}article .head{font-size:.85rem;opacity:.8}footer{margin-top:3rem;font-size:.85rem;opacity:.75}@media print{body{font-size:10.5pt;max-width:none;padding:0}tr,article{break-inside:avoid}}`
}

// markdown writes the document for people who keep theirs in a repository.
func (d *document) markdown(b *bytes.Buffer) {
	fmt.Fprintf(b, "# %s\n\n%s\n", escapeMark(d.Title), escapeMark(d.Lead))
	for _, f := range d.Facts {
		fmt.Fprintf(b, "\n- **%s**: %s", escapeMark(f[0]), escapeMark(f[1]))
	}
	b.WriteString("\n")
	for _, s := range d.Sections {
		fmt.Fprintf(b, "\n## %s\n", escapeMark(s.Title))
		if s.Lead != "" {
			fmt.Fprintf(b, "\n%s\n", escapeMark(s.Lead))
		}
		switch {
		case len(s.Rows) > 0:
			row := func(cells []string) {
				for _, c := range cells {
					b.WriteString("| " + strings.ReplaceAll(escapeMark(strings.ReplaceAll(c, "\n", " ")), "|", "\\|") + " ")
				}
				b.WriteString("|\n")
			}
			b.WriteString("\n")
			row(s.Head)
			b.WriteString(strings.Repeat("| --- ", len(s.Head)) + "|\n")
			for _, r := range s.Rows {
				row(r)
			}
		case len(s.Prose) > 0:
			for _, p := range s.Prose {
				fmt.Fprintf(b, "\n**%s**\n\n", escapeMark(p.Head))
				for line := range strings.Lines(p.Text) {
					b.WriteString("> " + line)
				}
				b.WriteString("\n")
			}
		default:
			fmt.Fprintf(b, "\n%s\n", escapeMark(s.Empty))
		}
	}
	fmt.Fprintf(b, "\n---\n\n%s\n", escapeMark(d.Foot))
}

// escapeMark keeps what people wrote from becoming markup.
func escapeMark(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", "[", `\[`, "#", `\#`).Replace(s)
}
