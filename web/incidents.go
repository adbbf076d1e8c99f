package web

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/lang"
)

// A Record is all that hangs on an incident, with what follows from it: the answer
// of GET /api/v1/incidents/ID/record.
type Record struct {
	incident.Record

	At          time.Time `json:"at"`
	Commander   string    `json:"commander,omitempty"`
	NextUpdate  time.Time `json:"nextUpdate,omitzero"`
	UserMinutes float64   `json:"userMinutes"`
	Weighted    float64   `json:"weightedUserMinutes"`
	Trend       *Trend    `json:"trend,omitempty"`
	Outages     []Outage  `json:"outages"`
	Clocks      []Clock   `json:"clocks"`
	Base        *Base     `json:"base,omitempty"`
}

// dossier returns what is known of an incident.
func (s *Server) dossier(f Facts, id string) (*Record, error) {
	i := slices.IndexFunc(f.Incidents, func(i incident.Incident) bool { return i.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("incident %q: %w", id, incident.ErrNotFound)
	}
	r := s.composer.recordOf(&f.Incidents[i])
	until := endOf(r, f.At)
	d := &Record{
		Record: *r, At: f.At, Commander: r.Holder(commander), NextUpdate: nextWord(r),
		Outages: outagesOf(r, f.Estate, until), Clocks: clocksOf(r, f),
	}
	if f.Estate != nil {
		d.UserMinutes, d.Weighted = incident.Total(r.UserMinutes(f.Estate.Services, until))
		d.Trend = trendOf(r, f.Estate.Services, until)
	}
	d.Base = baseOf(r, f.At)
	return d, nil
}

func (s *Server) apiRecord(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	d, err := s.dossier(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, d)
	return nil
}

type incidentsView struct {
	pager
	Incidents []incidentRow
}

// An incidentRow is an incident in one line.
type incidentRow struct {
	Incident
	Ended       time.Time
	UserMinutes float64
}

func (s *Server) incidentsPage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	var v incidentsView
	var shown []incident.Incident
	shown, v.pager = paginate(f.Incidents, r, "")
	for i := range shown {
		row := incidentRow{Incident: incidentOf(&shown[i]), Ended: shown[i].EndedAt}
		if f.Estate != nil {
			rec := incident.RecordOf(shown[i])
			row.UserMinutes, _ = incident.Total(rec.UserMinutes(f.Estate.Services, endOf(&rec, f.At)))
		}
		v.Incidents = append(v.Incidents, row)
	}
	return s.render(w, r, http.StatusOK, "incidents", "title.incidents", &v)
}

type incidentView struct {
	pager    // of the entries
	Incident Incident
	Can      []Verb
	Record   *Record
	Grade    string
	Picture  *outagePicture
	Outages  []Outage
	MoreOut  int // outages that the table does not show
	Updates  []shownUpdate
	Entries  []Entry
	Services []choice // for corrections and faults
	Domains  []choice
	Roles    []string
	Local    string // now, as a form writes it

	Unanswered int // alarms
}

// A shownUpdate is an update as the public sees it, or will.
type shownUpdate struct {
	incident.Update
	Texts []shownText
	Own   bool // the reader drafted it
}

type shownText struct {
	Lang lang.Lang
	HTML template.HTML
}

// mostOutages is how many services and parts the page of an incident lists; the API
// has them all.
const mostOutages = 100

func (s *Server) incidentPage(w http.ResponseWriter, r *http.Request, id Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	d, err := s.dossier(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := incidentView{Incident: incidentOf(&d.Incident), Record: d, Roles: roles(), Local: localTime(f.At, s.zoneOf(r))}
	if f.Quorum.OK {
		v.Can = allowed(incidentCan(v.Incident.State, v.Incident.Proposed), incidentVerbs(), id.Role)
	}
	v.Grade, v.Unanswered = worstGrade(d, f.Estate), unanswered(&d.Record)
	v.Picture = drawOutages(d.Outages, startOf(&d.Record), endOf(&d.Record, f.At))
	v.Outages, v.MoreOut = d.Outages[:min(len(d.Outages), mostOutages)], max(len(d.Outages)-mostOutages, 0)
	for _, u := range slices.Backward(d.Updates) {
		v.Updates = append(v.Updates, s.shown(u, id.Name))
	}
	v.Entries, v.pager = paginate(newestFirst(v.Incident.History), r, "")
	if f.Estate != nil {
		v.Services, v.Domains = choicesOf(f.Estate, d)
	}
	return s.render(w, r, http.StatusOK, "incident", "title.incident", &v)
}

// roles are those that the form offers; any other can be written.
func roles() []string {
	return []string{commander, "scribe", "communications", "operations", "liaison"}
}

func (s *Server) shown(u incident.Update, reader string) shownUpdate {
	out := shownUpdate{Update: u, Own: u.DraftedBy == reader}
	for _, l := range lang.All() {
		if text := u.Body[string(l)]; text != "" {
			out.Texts = append(out.Texts, shownText{l, s.mark.HTML(text)})
		}
	}
	return out
}

// choicesOf are the services that the record is about first, then the rest, and the
// domains that are lost.
func choicesOf(snap *estate.Snapshot, d *Record) (services, domains []choice) {
	about := make(map[string]bool)
	for _, o := range d.Outages {
		about[o.Service] = true
	}
	for i := range snap.Services {
		if s := &snap.Services[i]; about[s.Name] {
			services = append(services, choice{Name: s.Name, Title: s.Title})
		}
	}
	for i := range snap.Services {
		if s := &snap.Services[i]; !about[s.Name] && len(services) < mostChoices {
			services = append(services, choice{Name: s.Name, Title: s.Title})
		}
	}
	for _, name := range slices.Concat(d.Lost, d.Proposed) {
		c := choice{Name: name}
		if ref, ok := snap.Lookup(estate.KindDomain, name); ok {
			c.Title = snap.Domains[ref.Index].Operator
		}
		domains = append(domains, c)
	}
	return services, domains
}

// worstGrade is how grave an incident was at its worst.
func worstGrade(d *Record, snap *estate.Snapshot) string {
	if snap == nil {
		return GradeNone
	}
	var all, most float64
	weight := make(map[string]float64, len(snap.Services))
	for i := range snap.Services {
		sv := &snap.Services[i]
		weight[sv.Name] = sv.Weight * float64(sv.Users)
		all += weight[sv.Name]
	}
	type step struct {
		at   time.Time
		more float64
	}
	var steps []step
	for _, v := range d.Intervals {
		if v.Part == "" && v.Condition == incident.Down {
			steps = append(steps, step{v.From, weight[v.Service]})
			if !v.To.IsZero() {
				steps = append(steps, step{v.To, -weight[v.Service]})
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.more, b.more)) })
	now := 0.0
	for _, s := range steps {
		now += s.more
		most = max(most, now)
	}
	return grade(most, all, len(d.Intervals) > 0)
}

// localTime writes a moment as a form's field of date and time has it.
func localTime(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("2006-01-02T15:04")
}

// formTime reads a field of date and time in the reader's zone, which the page names
// next to it. An empty one is no time.
func (s *Server) formTime(r *http.Request, field string) (time.Time, error) {
	text := strings.TrimSpace(r.PostFormValue(field))
	if text == "" {
		return time.Time{}, nil
	}
	zone := s.zoneOf(r)
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date and time such as 2022-10-15 15:19: %w", text, ErrBadInput)
}

// A recordRequest is the body of a decision about an incident: a reason, and what the
// verb asks for besides.
type recordRequest struct {
	Why    string           `json:"why"`
	Role   string           `json:"role,omitempty"`
	Person string           `json:"person,omitempty"`
	Fault  *incident.Fault  `json:"fault,omitempty"`
	Change *incident.Change `json:"change,omitempty"`
	Update *incident.Update `json:"update,omitempty"`
	Number int              `json:"number,omitempty"`
	Clock  string           `json:"clock,omitempty"`
}

func requestOf(c Command) recordRequest {
	return recordRequest{c.Why, c.Role, c.Person, c.Fault, c.Change, c.Update, c.Number, c.Clock}
}

func (q *recordRequest) command(verb Verb, id string) Command {
	c := Command{
		Verb: verb, Incident: id, Why: q.Why, Role: strings.TrimSpace(q.Role), Person: strings.TrimSpace(q.Person),
		Fault: q.Fault, Change: q.Change, Update: q.Update, Number: q.Number, Clock: q.Clock,
	}
	if c.Change != nil { // what people say is a correction, whatever the request calls it
		c.Change.Source = incident.FromPerson
	}
	return c
}

// everyIncidentVerb joins what changes an incident and what writes into its record.
func everyIncidentVerb() map[Verb]Role {
	all := recordVerbs()
	maps.Copy(all, incidentVerbs())
	return all
}

func (s *Server) apiIncidentVerb(w http.ResponseWriter, r *http.Request, id Identity) error {
	var q recordRequest
	if err := readJSON(r, &q); err != nil {
		return err
	}
	return s.apiDone(w, r, id, q.command(Verb(r.PathValue("verb")), r.PathValue("id")), everyIncidentVerb())
}

// formIncident takes the small forms of the incident page.
func (s *Server) formIncident(w http.ResponseWriter, r *http.Request, id Identity) error {
	q := recordRequest{
		Why: r.PostFormValue("why"), Role: r.PostFormValue("role"), Person: r.PostFormValue("person"),
		Clock: r.PostFormValue("clock"),
	}
	if n := r.PostFormValue("number"); n != "" {
		var err error
		if q.Number, err = strconv.Atoi(n); err != nil {
			return fmt.Errorf("%q is no number of an update: %w", n, ErrBadInput)
		}
	}
	switch verb := Verb(r.PathValue("verb")); verb {
	case Blame:
		q.Fault = &incident.Fault{Domain: r.PostFormValue("domain"), Operator: r.PostFormValue("operator")}
	case Correct:
		at, err := s.formTime(r, "at")
		if err != nil {
			return err
		}
		until, err := s.formTime(r, "until")
		if err != nil {
			return err
		}
		service, part, _ := strings.Cut(r.PostFormValue("service"), "/")
		q.Change = &incident.Change{
			Service: service, Part: part, Condition: incident.Condition(r.PostFormValue("condition")), At: at, Until: until,
		}
	default:
	}
	return s.formDo(w, r, id, q.command(Verb(r.PathValue("verb")), r.PathValue("id")), everyIncidentVerb())
}

// letter sends the draft of a duty's letter as a file. It is never sent anywhere by
// itself.
func (s *Server) letter(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	d, err := s.dossier(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	if f.Policy != nil && f.Estate != nil {
		letters, err := incident.Letters(f.Policy, &d.Record, f.Estate.Services, f.At)
		if err != nil {
			return err
		}
		for _, l := range letters {
			if l.Name != name {
				continue
			}
			w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
			w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(l.Name))
			if _, err := w.Write([]byte(l.Body)); err != nil {
				return nil //nolint:nilerr // the reader left; there is nobody to tell
			}
			return nil
		}
	}
	return fmt.Errorf("letter %q: %w", name, ErrNotFound)
}
