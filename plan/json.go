package plan

import (
	"encoding/json"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// The shape below is a contract (design §5): fields may be added, never renamed.
type jsonPlan struct {
	Lost       []string      `json:"lost"`
	Estate     string        `json:"estate"`
	Objective  jsonObjective `json:"objective"`
	Steps      []jsonStep    `json:"steps"`
	Services   []jsonService `json:"services"`
	Objectives []jsonPromise `json:"objectives"`
	Blockers   []jsonBlocker `json:"blockers"`
	Horizon    seconds       `json:"horizon"`
	Now        seconds       `json:"now"`
	Partial    bool          `json:"partial"`
}

type jsonObjective struct {
	UserMinutes float64 `json:"userMinutes"`
	LowerBound  float64 `json:"lowerBound"`
	Gap         float64 `json:"gap"`
	Stranded    float64 `json:"stranded"`
}

type jsonStep struct {
	ID        string             `json:"id"`
	Component string             `json:"component"`
	Action    string             `json:"action"`
	At        string             `json:"at"` // empty: at no place in particular
	Start     seconds            `json:"start"`
	Finish    seconds            `json:"finish"`
	After     []string           `json:"after"`
	Crew      map[string]int     `json:"crew"`
	Uses      map[string]int     `json:"uses"`
	Room      map[string]float64 `json:"room"`
	Placed    []jsonPlacement    `json:"placed"`
	Removed   []jsonPlacement    `json:"removed,omitempty"`
	Running   bool               `json:"running,omitempty"`
}

type jsonPlacement struct {
	In    string `json:"in"`
	Count int    `json:"count"`
}

type jsonService struct {
	Name     string       `json:"name"`
	Users    int64        `json:"users"`
	Weight   float64      `json:"weight"`
	State    impact.State `json:"state"`
	DownFrom seconds      `json:"downFrom"`
	UpAt     *seconds     `json:"upAt"`
	Parts    []jsonPart   `json:"parts"`
}

type jsonPart struct {
	Name     string       `json:"name"`
	Share    float64      `json:"share"`
	State    impact.State `json:"state"`
	DownFrom seconds      `json:"downFrom"`
	UpAt     *seconds     `json:"upAt"`
}

type jsonPromise struct {
	Service string   `json:"service"`
	RTO     seconds  `json:"rto"`
	UpAt    *seconds `json:"upAt"`
	Missed  bool     `json:"missed"`
}

type jsonBlocker struct {
	Subject string     `json:"subject"`
	Because [][]string `json:"because"`
}

// seconds is a duration as the contract writes it: a number of seconds.
type seconds time.Duration

// MarshalJSON implements [json.Marshaler].
func (s seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Seconds())
}

func secondsOf(d *time.Duration) *seconds {
	if d == nil {
		return nil
	}
	s := seconds(*d)
	return &s
}

// MarshalJSON writes the plan as design §5 has it. Times are seconds from the
// loss; upAt is null for what stays down; every service of the estate is there. The
// state of a service or a part is what impact calls it, or taken-down: up right after
// the loss and taken down by the plan, from downFrom on, to make room for others.
func (p *Plan) MarshalJSON() ([]byte, error) {
	s := p.Snapshot
	out := jsonPlan{
		Lost: []string{}, Estate: s.Rev,
		Objective: jsonObjective{p.Objective.UserMinutes, p.Objective.LowerBound, p.Objective.Gap(), p.Objective.Stranded},
		Steps:     make([]jsonStep, 0, len(p.Steps)), Services: make([]jsonService, 0, len(p.Services)),
		Objectives: []jsonPromise{}, Blockers: make([]jsonBlocker, 0, len(p.Blockers)),
		Horizon: seconds(p.Horizon), Now: seconds(p.Now), Partial: p.Partial,
	}
	for _, d := range p.Impact.Lost {
		out.Lost = append(out.Lost, s.Domains[d].Name)
	}
	for i := range p.Steps {
		out.Steps = append(out.Steps, p.jsonStep(&p.Steps[i]))
	}
	for _, t := range p.Services {
		sv := &s.Services[t.Service]
		j := jsonService{
			Name: sv.Name, Users: sv.Users, Weight: sv.Weight, State: t.State,
			DownFrom: seconds(t.DownFrom), UpAt: secondsOf(t.UpAt), Parts: []jsonPart{},
		}
		for i, k := range t.Parts {
			j.Parts = append(j.Parts, jsonPart{k.Name, sv.Parts[i].Share, k.State, seconds(k.DownFrom), secondsOf(k.UpAt)})
		}
		out.Services = append(out.Services, j)
		if m, ok := p.met(t); ok {
			out.Objectives = append(out.Objectives, jsonPromise{sv.Name, seconds(m.rto), secondsOf(t.UpAt), m.missed})
		}
	}
	for _, b := range p.Blockers {
		j := jsonBlocker{Subject: p.subject(b), Because: [][]string{}}
		for _, set := range b.Because {
			j.Because = append(j.Because, p.Impact.Names(set))
		}
		out.Blockers = append(out.Blockers, j)
	}
	return json.Marshal(out)
}

func (p *Plan) jsonStep(st *Step) jsonStep {
	s := p.Snapshot
	c := &s.Components[st.Ref.Component]
	j := jsonStep{
		ID: st.ID, Component: c.Name, Action: c.Actions[st.Ref.Action].Name,
		Start: seconds(st.Start), Finish: seconds(st.Finish), After: append([]string{}, st.After...),
		Crew: map[string]int{}, Uses: map[string]int{}, Room: map[string]float64{}, Placed: []jsonPlacement{}, Running: st.Running,
	}
	if st.Ref.At >= 0 {
		j.At = s.Domains[st.Ref.At].Name
	}
	for _, u := range st.Crew {
		j.Crew[s.Crews[u.Index].Name] = u.Count
	}
	for _, u := range st.Uses {
		j.Uses[s.Limits[u.Index].Name] = u.Count
	}
	for _, a := range st.Room {
		j.Room[a.Resource] = a.Amount
	}
	for _, k := range st.Placed {
		j.Placed = append(j.Placed, jsonPlacement{s.Domains[k.In].Name, k.Count})
	}
	for _, k := range st.Removed {
		j.Removed = append(j.Removed, jsonPlacement{s.Domains[k.In].Name, k.Count})
	}
	return j
}

// subject names what a blocker is about; a part as service/part.
func (p *Plan) subject(b Blocker) string {
	name := p.Snapshot.NameOf(b.Subject)
	if b.Part != "" {
		return name + "/" + b.Part
	}
	return name
}

// A promise is a service's RTO and what became of it.
type promise struct {
	rto    time.Duration
	missed bool
}

// met judges the RTO of a service by its core, and reports whether it has one.
func (p *Plan) met(t ServiceTimes) (promise, bool) {
	rto := p.Snapshot.Services[t.Service].Objectives.RTO
	if rto == nil {
		return promise{}, false
	}
	return promise{*rto, t.UpAt == nil || *t.UpAt-t.DownFrom > *rto}, true
}

// Order returns the IDs of the steps in order: what [Options.Prefer] wants when
// the rest of a run is planned.
func (p *Plan) Order() []string {
	out := make([]string, len(p.Steps))
	for i := range p.Steps {
		out[i] = p.Steps[i].ID
	}
	return out
}

// resourceText is for people: "servers 40".
func resourceText(r estate.Resources) []string {
	var out []string
	for _, a := range r {
		if a.Amount != 0 {
			out = append(out, a.Resource+" "+number(a.Amount))
		}
	}
	return out
}
