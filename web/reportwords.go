package web

import (
	"strings"
	"time"

	"bongsu/incident"
	"bongsu/internal/lang"
)

// A teller writes a report in one language.
type teller struct {
	s    *Server
	l    lang.Lang
	zone *time.Location
	err  error // the first message that is missing
}

func (t *teller) t(key string, args ...any) string {
	text, err := t.s.messages.Text(t.l, key, args...)
	if err != nil && t.err == nil {
		t.err = err
	}
	return text
}

func (t *teller) at(m time.Time) string {
	if m.IsZero() {
		return "–"
	}
	return lang.Date(t.l, m, t.zone) + " " + lang.Clock(m, t.zone)
}

func (t *teller) secs(s float64) string { return lang.Span(t.l, lang.Seconds(s)) }

func (t *teller) secsOr(s *float64, none string) string {
	if s == nil {
		return none
	}
	return t.secs(*s)
}

func (t *teller) word(s State) string { return t.t("state." + string(s)) }

// in is a text by language in the teller's, else in any.
func (t *teller) in(m map[string]string) string {
	if s := m[string(t.l)]; s != "" {
		return s
	}
	for _, l := range lang.All() {
		if s := m[string(l)]; s != "" {
			return s
		}
	}
	return ""
}

// changes says what was said of services, in one line.
func (t *teller) changes(all []incident.Change) string {
	var words []string
	for _, c := range all[:min(len(all), 8)] {
		name := c.Service
		if c.Part != "" {
			name += "/" + c.Part
		}
		w := name + " " + t.t("state."+string(c.Condition)) + " " + lang.Clock(c.At, t.zone)
		if !c.Until.IsZero() {
			w += " – " + lang.Clock(c.Until, t.zone)
		}
		words = append(words, w)
	}
	if len(all) > len(words) {
		words = append(words, "… "+lang.Argument(len(all)))
	}
	return strings.Join(words, ", ")
}

func (t *teller) role(r string) string { return t.s.wordOr(t.l, "who."+r, r) }

func (t *teller) yes(b bool, key string) string {
	if b {
		return t.t(key)
	}
	return ""
}

// document tells the report in words.
func (s *Server) document(l lang.Lang, r *Report, zone *time.Location) (*document, error) {
	if zone == nil {
		zone = time.UTC
	}
	t := &teller{s: s, l: l, zone: zone}
	var lost []string
	for _, x := range r.Lost {
		lost = append(lost, call(x.Title, x.Domain))
	}
	affected := 0
	for _, o := range r.Outages {
		if o.Part == "" {
			affected++
		}
	}
	d := &document{Lang: l, Title: t.t("report.heading", r.Incident), Lead: s.say(l, r.Sentence), Foot: t.t("report.foot", t.at(r.Made)+" ("+lang.Zone(r.Made, zone)+")", r.Estate)}
	fact := func(key, value string) { d.Facts = append(d.Facts, [2]string{t.t(key), value}) }
	fact("report.state", t.word(r.State)+t.yes(r.Drill, "report.drill"))
	fact("incident.lost", strings.Join(lost, ", "))
	fact("report.from", t.at(r.LostAt)+" ("+lang.Zone(r.LostAt, zone)+")")
	if r.EndedAt.IsZero() {
		fact("report.to", t.t("report.open"))
	} else {
		fact("report.to", t.at(r.EndedAt))
	}
	fact("report.lasted", t.secs(r.Seconds))
	fact("grade.label", t.t("grade."+r.Grade))
	fact("report.services", lang.Argument(affected))
	fact("room.user-minutes", lang.Compact(l, r.UserMinutes))
	fact("report.first-word", t.secsOr(r.FirstWord, t.t("report.no-word")))
	for _, add := range []func(*teller, *Report) section{
		lossSection, outageSection, dataSection, lineSection, stepSection, planSection, decisionSection, updateSection, clockSection, callSection, roleSection, correctionSection, improveSection,
	} {
		d.Sections = append(d.Sections, add(t, r))
	}
	return d, t.err
}

func (t *teller) section(id string, head ...string) section {
	s := section{ID: id, Title: t.t("report." + id), Empty: t.t("report." + id + ".empty")}
	for _, h := range head {
		s.Head = append(s.Head, t.t(h))
	}
	return s
}

func lossSection(t *teller, r *Report) section {
	s := t.section("losses", "faults.domain", "report.at", "faults.operator")
	for _, x := range r.Lost {
		s.Rows = append(s.Rows, []string{call(x.Title, x.Domain) + " (" + x.Domain + ")", t.at(x.At), x.Operator})
	}
	return s
}

func outageSection(t *teller, r *Report) section {
	s := t.section("outages", "services.service", "services.users", "outages.when", "outages.down", "report.rto", "user-minutes")
	for _, o := range r.Outages {
		var when []string
		for _, v := range o.Intervals {
			to := "…"
			if !v.To.IsZero() {
				to = lang.Clock(v.To, t.zone)
				if !lang.SameDay(v.From, v.To, t.zone) {
					to = t.at(v.To)
				}
			}
			w := t.t("state."+string(v.Condition)) + " " + t.at(v.From) + " – " + to
			if v.Source == incident.FromPerson {
				w += " (" + t.t("source.person") + " " + v.By + ": " + v.Why + ")"
			}
			when = append(when, w)
		}
		rto := t.secsOr(o.RTO, "–")
		if o.Missed {
			rto += " " + t.t("report.missed")
		}
		minutes := lang.Compact(t.l, o.Minutes)
		if o.Part != "" {
			minutes = "–"
		}
		s.Rows = append(s.Rows, []string{call(o.Title, o.Service), lang.Compact(t.l, float64(o.Users)), strings.Join(when, "; "), t.secs(o.Down), rto, minutes})
	}
	return s
}

func dataSection(t *teller, r *Report) section {
	s := t.section("data", "report.what", "report.lost-data", "report.rpo")
	for _, x := range r.Data {
		lost := t.t("loss.last", t.secs(x.Seconds))
		switch {
		case x.All:
			lost = t.t("loss.all")
		case x.Unknown:
			lost = t.t("loss.unknown")
		}
		rpo := t.secsOr(x.RPO, "–")
		if x.Missed {
			rpo += " " + t.t("report.missed")
		}
		s.Rows = append(s.Rows, []string{call(x.Title, x.Name) + " (" + x.Name + ")", lost, rpo})
	}
	return s
}

func lineSection(t *teller, r *Report) section {
	s := t.section("line", "journal.at", "journal.who", "journal.what", "journal.about")
	for _, e := range r.TimeLine {
		var about []string
		for _, x := range []string{e.Step, t.s.say(t.l, e.Why), t.s.say(t.l, e.Text), t.changes(e.Changes)} {
			if x != "" {
				about = append(about, x)
			}
		}
		s.Rows = append(s.Rows, []string{t.at(e.At), e.Who, t.s.whatOf(t.l, e.What), strings.Join(about, " · ")})
	}
	return s
}

func stepSection(t *teller, r *Report) section {
	s := t.section("steps", "runs.run", "steps.step", "services.state", "steps.planned", "steps.actual", "report.difference")
	for _, run := range r.Runs {
		for _, x := range run.Steps {
			actual, diff := "–", "–"
			if x.Begun != nil {
				actual = t.secs(*x.Begun) + " – " + t.secsOr(x.Ended, "…")
			}
			if x.Ended != nil {
				diff = t.secs(*x.Ended - x.Finish)
			}
			s.Rows = append(s.Rows, []string{run.ID, x.ID, t.word(x.State), t.secs(x.Start) + " – " + t.secs(x.Finish), actual, diff})
		}
	}
	return s
}

func planSection(t *teller, r *Report) section {
	s := t.section("plans", "runs.run", "report.at", "runs.progress", "user-minutes", "report.why")
	for _, run := range r.Runs {
		for _, p := range run.Plans {
			s.Rows = append(s.Rows, []string{run.ID, t.at(p.At), t.t("run.plan.steps", p.Steps), lang.Compact(t.l, p.UserMinutes), t.s.say(t.l, p.Why)})
		}
	}
	return s
}

func decisionSection(t *teller, r *Report) section {
	s := t.section("decisions", "journal.at", "journal.who", "journal.what", "report.text")
	for _, e := range r.Notes {
		s.Rows = append(s.Rows, []string{t.at(e.At), e.By, t.s.whatOf(t.l, string(e.Act)), t.s.say(t.l, e.Why)})
	}
	return s
}

func updateSection(t *teller, r *Report) section {
	s := t.section("updates")
	for _, u := range r.Updates {
		if u.SentAt.IsZero() {
			continue
		}
		head := t.at(u.SentAt) + " · " + t.t("phase."+u.Phase) + " · " + t.t("updates.drafted", u.DraftedBy) + ", " + t.t("updates.published") + ": " + u.SentBy
		if u.Bypass != "" {
			head += " · " + t.t("updates.bypass") + ": " + u.Bypass
		}
		text := t.in(u.Body)
		s.Prose = append(s.Prose, proseBlock{Head: head, HTML: t.s.mark.HTML(text), Text: text})
	}
	return s
}

func clockSection(t *teller, r *Report) section {
	s := t.section("clocks", "clocks.duty", "clocks.due", "report.done", "report.kept")
	for _, c := range r.Clocks {
		done := "–"
		if c.State == incident.ClockIsDone {
			done = t.at(c.DoneAt) + " · " + c.DoneBy + " · " + c.How
		}
		kept := t.t("report.pending")
		switch {
		case c.Kept:
			kept = t.t("report.in-time")
		case c.Missed:
			kept = t.t("report.late")
		case c.State == incident.ClockIsDone:
			kept = t.word(StateDone)
		}
		s.Rows = append(s.Rows, []string{t.in(c.Title), t.at(c.Due), done, kept})
	}
	return s
}

func callSection(t *teller, r *Report) section {
	s := t.section("calls", "calls.person", "calls.channel", "calls.at", "calls.outcome", "calls.answered")
	for _, c := range r.Calls {
		answered := "–"
		if !c.Answered.IsZero() {
			answered = t.at(c.Answered) + " (" + lang.Span(t.l, c.Answered.Sub(c.At)) + ")"
		}
		s.Rows = append(s.Rows, []string{c.Person + " (" + c.Crew + ")", c.Channel, t.at(c.At), t.word(outcomeState(c.Outcome)), answered})
	}
	return s
}

func roleSection(t *teller, r *Report) section {
	s := t.section("roles", "roles.role", "roles.person", "report.from", "report.to", "roles.note")
	for _, a := range r.Roles {
		s.Rows = append(s.Rows, []string{t.role(a.Role), a.Person, t.at(a.From), t.at(a.To), a.Note})
	}
	return s
}

func correctionSection(t *teller, r *Report) section {
	s := t.section("corrections", "journal.at", "journal.who", "report.what", "report.why")
	for _, c := range r.Corrections {
		s.Rows = append(s.Rows, []string{t.at(c.At), c.By, t.changes(c.Changes), c.Why})
	}
	return s
}

func improveSection(t *teller, r *Report) section {
	s := t.section("improve", "report.severity", "report.finding", "services.users", "report.fix")
	for _, x := range r.Improve {
		s.Rows = append(s.Rows, []string{t.t("severity." + x.Severity), x.Sentence, lang.Compact(t.l, float64(x.Users)), x.Fix})
	}
	return s
}
