package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"bongsu/incident"
	"bongsu/internal/lang"
)

// The templates of updates, in the order of an incident, each with the phase that it
// says. The words are in the catalogues, so that every language has all of them.
func updateTemplates() []incident.Update {
	return []incident.Update{
		{Template: "seen", Phase: "investigating"},
		{Template: "cause", Phase: "identified"},
		{Template: "progress", Phase: "identified"},
		{Template: "back", Phase: "monitoring"},
		{Template: "resolved", Phase: "resolved"},
		{Template: "lessons", Phase: "postmortem"},
	}
}

// A composing is an update while it is written: what the form shows again.
type composing struct {
	Incident  Incident
	Phase     string
	Phases    []string
	Template  string
	Templates []string
	Bodies    []composedText
	NextAt    string // as the form writes it
	Preview   []shownText
	NextShown time.Time
	Services  []string
	Problem   string // key of a message
	Minutes   []int  // offers for the next word, from now
}

type composedText struct {
	Lang lang.Lang
	Text string
}

// composePage offers the first words: those of the template, with what the record
// knows filled in.
func (s *Server) composePage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	d, err := s.dossier(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	c := s.composing(d)
	c.Template = r.URL.Query().Get("template")
	i := slices.IndexFunc(updateTemplates(), func(u incident.Update) bool { return u.Template == c.Template })
	if i < 0 {
		i = suggested(d)
	}
	t := updateTemplates()[i]
	c.Template, c.Phase = t.Template, t.Phase
	next := nextRound(f.At)
	zone := s.zoneOf(r)
	if t.Phase != "resolved" && t.Phase != "postmortem" {
		c.NextAt = localTime(next, zone)
	}
	for _, l := range lang.All() {
		text, err := s.words(l, t.Template, d, f, next, zone)
		if err != nil {
			return err
		}
		c.Bodies = append(c.Bodies, composedText{l, text})
	}
	return s.render(w, r, http.StatusOK, "compose", "title.compose", c)
}

// suggested is the template that fits how far the incident is.
func suggested(d *Record) int {
	name := "seen"
	for _, u := range d.Updates {
		if !u.SentAt.IsZero() {
			name = "progress"
		}
	}
	down := slices.ContainsFunc(d.Outages, func(o Outage) bool { return o.State != StateUp })
	switch {
	case !d.EndedAt.IsZero():
		name = "resolved"
	case name == "progress" && !down:
		name = "back"
	}
	return slices.IndexFunc(updateTemplates(), func(u incident.Update) bool { return u.Template == name })
}

// nextRound is the next half or full hour that is at least 20 minutes away: when the
// public is told to expect the next word, unless somebody says otherwise.
func nextRound(now time.Time) time.Time {
	return now.Add(20 * time.Minute).Truncate(30 * time.Minute).Add(30 * time.Minute)
}

// words fills in a template.
func (s *Server) words(l lang.Lang, name string, d *Record, f Facts, next time.Time, zone *time.Location) (string, error) {
	if zone == nil {
		zone = time.UTC
	}
	var down, back []string
	for _, o := range d.Outages {
		if o.Part != "" {
			continue
		}
		if o.State == StateUp {
			back = append(back, call(o.Title, o.Service))
		} else {
			down = append(down, call(o.Title, o.Service))
		}
	}
	at := func(t time.Time) string {
		return lang.Date(l, t, zone) + " " + t.In(zone).Format("15:04") + " (" + lang.Zone(t, zone) + ")"
	}
	ended := endOf(&d.Record, f.At)
	for _, o := range d.Outages {
		for _, v := range o.Intervals {
			if v.To.After(ended) {
				ended = v.To
			}
		}
	}
	nobody, err := s.messages.Text(l, "compose.nobody")
	if err != nil {
		return "", err
	}
	list := func(names []string) string { return cmp.Or(strings.Join(names, ", "), nobody) }
	return s.messages.Text(l, "compose.words."+name, list(down), list(back), at(d.LostAt), at(next), at(ended))
}

func (s *Server) composing(d *Record) *composing {
	c := &composing{Incident: incidentOf(&d.Incident), Phases: incident.Phases(), Minutes: []int{15, 30, 60, 120}}
	for _, t := range updateTemplates() {
		c.Templates = append(c.Templates, t.Template)
	}
	for _, o := range d.Outages {
		if o.Part == "" && o.State != StateUp {
			c.Services = append(c.Services, call(o.Title, o.Service))
		}
	}
	return c
}

// compose takes the composer's form: it shows what the public would see, or files the
// draft. Previewing changes nothing.
func (s *Server) compose(w http.ResponseWriter, r *http.Request, id Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	d, err := s.dossier(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	u := incident.Update{Phase: r.PostFormValue("phase"), Template: r.PostFormValue("template"), Body: map[string]string{}}
	if u.NextAt, err = s.formTime(r, "next"); err != nil {
		return err
	}
	c := s.composing(d)
	c.Phase, c.Template, c.NextAt, c.NextShown = u.Phase, u.Template, r.PostFormValue("next"), u.NextAt
	for _, l := range lang.All() {
		text := strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("body-"+string(l)), "\r\n", "\n"))
		c.Bodies = append(c.Bodies, composedText{l, text})
		if text != "" {
			u.Body[string(l)] = text
			c.Preview = append(c.Preview, shownText{l, s.mark.HTML(text)})
		}
	}
	if len(u.Body) == 0 {
		c.Problem = "compose.empty"
	} else if len(u.Body) < len(lang.All()) {
		c.Problem = "compose.one-language"
	}
	if r.PostFormValue("action") != "draft" || len(u.Body) == 0 {
		return s.render(w, r, http.StatusOK, "compose", "title.compose", c)
	}
	if _, err := s.do(r.Context(), id, Command{Verb: Draft, Incident: d.ID, Update: &u}, recordVerbs()); err != nil {
		return err
	}
	http.Redirect(w, r, s.link("incidents", d.ID)+"#h-updates", http.StatusSeeOther)
	return nil
}
