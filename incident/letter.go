package incident

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"bongsu/estate"
)

//go:embed letters/*.md
var letterFiles embed.FS

// Kinds of letters.
const (
	letterReport       = "report"
	letterNotice       = "notice"
	letterCompensation = "compensation"
)

// mostLines is how many services a letter names; the others it counts.
const mostLines = 50

// A Letter is a draft of what a duty asks for. It is a file for people to read, to
// change and to send; nothing sends it.
type Letter struct {
	Clock string `json:"clock"`
	Lang  string `json:"lang"`
	Name  string `json:"name"` // of a file
	Body  string `json:"body"` // Markdown
}

func languages() []string { return []string{"ko", "en"} }

func letterName(d *Duty, lang string) string { return d.ID + "." + lang + ".md" }

// Letters writes the drafts of all duties that an incident has brought, each in Korean
// and English. What neither the record nor the policy says is left open in brackets;
// [Clock.Missing] names it.
func Letters(p *ClockPolicy, r *Record, services []estate.Service, now time.Time) ([]Letter, error) {
	all, err := template.ParseFS(letterFiles, "letters/*.md")
	if err != nil {
		return nil, fmt.Errorf("read the letters: %w", err)
	}
	out := []Letter{}
	for n := range p.Duties {
		d := &p.Duties[n]
		c, ok := d.clock(r, services, now)
		if !ok {
			continue
		}
		for _, lang := range languages() {
			var b strings.Builder
			if err := all.ExecuteTemplate(&b, d.Letter+"."+lang+".md", p.letter(r, d, &c, services, now, lang)); err != nil {
				return nil, fmt.Errorf("write the letter %s: %w", letterName(d, lang), err)
			}
			out = append(out, Letter{Clock: d.ID, Lang: lang, Name: letterName(d, lang), Body: b.String()})
		}
	}
	return out, nil
}

// missing names what the letters of a duty lack.
func (p *ClockPolicy) missing(r *Record, _ *Duty) []string {
	var out []string
	for _, lang := range languages() {
		if p.Company[lang] == "" && !slices.Contains(out, "company") {
			out = append(out, "company")
		}
	}
	for _, lang := range languages() {
		if p.Contact[lang] == "" && !slices.Contains(out, "contact") {
			out = append(out, "contact")
		}
	}
	if r.cause() == "" {
		out = append(out, "cause")
	}
	return out
}

// letterData is what the templates use.
type letterData struct {
	ID, Company, Contact, Law, Now, Since, Due, Next, Cause, Commander string

	Drill          bool
	Of, Back, More int
	Lines          []string
	Measures       []string
}

func (p *ClockPolicy) letter(r *Record, d *Duty, c *Clock, services []estate.Service, now time.Time, lang string) letterData {
	w := words(lang)
	out := letterData{
		ID: r.ID, Drill: r.Drill, Law: d.Law[lang], Now: p.time(now, lang), Since: p.time(c.Start, lang),
		Company: cmp.Or(p.Company[lang], w.company), Contact: cmp.Or(p.Contact[lang], w.contact),
		Cause: cmp.Or(r.cause(), w.cause), Commander: cmp.Or(r.Holder("commander"), w.commander),
	}
	if !c.Due.IsZero() {
		out.Due = p.time(c.Due, lang)
	}
	if next := r.nextAt(); next.After(now) {
		out.Next = p.time(next, lang)
	}
	out.Of, out.Back = r.Affected(now)
	byName := make(map[string]*estate.Service, len(services))
	for n := range services {
		byName[services[n].Name] = &services[n]
	}
	for n, name := range c.Services {
		if n == mostLines {
			out.More = len(c.Services) - n
			break
		}
		out.Lines = append(out.Lines, p.line(r, byName[name], now, lang))
	}
	if r.Run != "" {
		out.Measures = append(out.Measures, fmt.Sprintf(w.run, out.Of, out.Back))
	}
	for _, e := range r.Notes {
		if e.Act == ActDecision {
			out.Measures = append(out.Measures, p.time(e.At, lang)+": "+oneLine(e.Why))
		}
	}
	if len(out.Measures) == 0 {
		out.Measures = []string{w.measures}
	}
	return out
}

// cause is what is known of why it happened: what the person who declared it said,
// else what detection saw.
func (r *Record) cause() string {
	var all []string
	for _, e := range r.Entries {
		if e.Act == ActDeclare && e.By != ByPolicy && strings.TrimSpace(e.Why) != "" {
			all = append(all, oneLine(e.Why))
		}
	}
	if len(all) == 0 && r.Verdict != "" {
		all = append(all, oneLine(r.Verdict))
	}
	return strings.Join(slices.Compact(all), "; ")
}

// nextAt is when the last published update says that the next one comes.
func (r *Record) nextAt() time.Time {
	for _, u := range slices.Backward(r.Updates) {
		if !u.SentAt.IsZero() {
			return u.NextAt
		}
	}
	return time.Time{}
}

// Affected counts the services that the incident has affected, with any part of them,
// and those of them that are wholly back.
func (r *Record) Affected(now time.Time) (of, back int) {
	lasting := map[string]bool{}
	for n := range r.Intervals {
		v := &r.Intervals[n]
		lasting[v.Service] = lasting[v.Service] || v.lasts(now)
	}
	for _, on := range lasting {
		if !on {
			back++
		}
	}
	return len(lasting), back
}

// line says of one service since when what of it was down, and until when.
func (p *ClockPolicy) line(r *Record, sv *estate.Service, now time.Time, lang string) string {
	w := words(lang)
	var said []string
	for _, o := range joined(r.Intervals, sv.Name) {
		if o.From.After(now) {
			continue
		}
		what := w.condition[o.Condition]
		if o.Part != "" {
			what = title(partTitle(sv, o.Part), o.Part) + " " + what
		}
		if o.To.IsZero() || o.To.After(now) {
			said = append(said, fmt.Sprintf(w.since, p.time(o.From, lang), what))
		} else {
			said = append(said, fmt.Sprintf(w.from, p.time(o.From, lang), p.time(o.To, lang), what))
		}
	}
	return fmt.Sprintf(w.service, title(sv.Title, sv.Name), thousands(sv.Users), strings.Join(said, "; "))
}

// joined are the intervals of a service, those that touch in one condition as one.
func joined(all []Interval, service string) []Interval {
	var out []Interval
	for _, v := range all {
		if v.Service != service {
			continue
		}
		if n := len(out) - 1; n >= 0 && out[n].Part == v.Part && out[n].Condition == v.Condition && out[n].To.Equal(v.From) {
			out[n].To = v.To
			continue
		}
		out = append(out, v)
	}
	return out
}

func partTitle(sv *estate.Service, part string) string {
	if n := slices.IndexFunc(sv.Parts, func(k estate.Part) bool { return k.Name == part }); n >= 0 {
		return sv.Parts[n].Title
	}
	return ""
}

func title(title, name string) string {
	if title == "" || title == name {
		return name
	}
	return title + " (" + name + ")"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// time says a moment in the zone of the policy, and names it.
func (p *ClockPolicy) time(t time.Time, lang string) string {
	zone := p.zone
	if zone == nil {
		zone = time.UTC
	}
	if lang == "ko" {
		return t.In(zone).Format("2006년 1월 2일 15시 4분(MST)")
	}
	return t.In(zone).Format("2 January 2006, 15:04 MST")
}

// vocabulary is what letters say in one language outside their templates.
type vocabulary struct {
	company, contact, cause, measures, commander string // not known yet
	run, since, from, service                    string
	condition                                    map[Condition]string
}

func words(lang string) vocabulary {
	if lang == "ko" {
		return vocabulary{
			company: "[회사 이름: 시계 정책 파일의 company]", contact: "[연락처: 시계 정책 파일의 contact]",
			cause: "원인은 아직 파악하고 있습니다.", measures: "장애 범위와 원인을 확인하고 있습니다.",
			commander: "[아직 정하지 않음]",
			run:       "다른 데이터센터에서 서비스를 되살리고 있습니다. 영향을 받은 서비스 %d개 가운데 %d개가 복구되었습니다.",
			since:     "%s부터 %s", from: "%s부터 %s까지 %s", service: "%s, 이용자 %s명: %s",
			condition: map[Condition]string{Down: "중단", Degraded: "일부 기능 이상"},
		}
	}
	return vocabulary{
		company: "[company: in the policy file of the clocks]", contact: "[contact: in the policy file of the clocks]",
		cause: "The cause is not known yet.", measures: "We are finding out what has failed and why.",
		commander: "[not named yet]",
		run:       "The services are being brought back in other data centres. Of %d services that were affected, %d are back.",
		since:     "since %s %s", from: "from %s to %s %s", service: "%s, %s users: %s",
		condition: map[Condition]string{Down: "down", Degraded: "degraded"},
	}
}
