package impact

import (
	"encoding/json"

	"bongsu/estate"
)

// MarshalJSON writes the contract of design §3. Derivations are step names in an
// order in which they can run; blocking is the deepest minimal blocking set;
// dataLost is a number of seconds, "unknown" or "all".
func (im *Impact) MarshalJSON() ([]byte, error) {
	doc := jsonImpact{
		Lost: im.domainNames(im.Lost), LostDomains: im.domainNames(im.LostDomains),
		Components: []jsonResult{}, Services: []jsonResult{}, Crews: []jsonResult{}, Deadlocks: []jsonDeadlock{},
	}
	asked := im.back.clone()
	result := func(name string, state State, n node, lost *DataLoss) jsonResult {
		r := jsonResult{Name: name, State: state, Derivation: []string{}, Blocking: []string{}, DataLost: lost}
		for _, a := range im.derive(n) {
			r.Derivation = append(r.Derivation, a.ID(im.Snapshot))
		}
		for _, set := range im.because(asked, n, 1) {
			r.Blocking = im.Names(set)
		}
		return r
	}
	m := im.back.m
	for i, r := range im.Components {
		doc.Components = append(doc.Components, result(r.Ref.Name, r.State, m.compBase+node(i), &r.DataLost))
	}
	for i, r := range im.Services {
		s := result(r.Ref.Name, r.State, m.svcBase+node(i), &r.DataLost)
		for j, p := range r.Parts {
			s.Parts = append(s.Parts, result(p.Name, p.State, m.partNode(i, j), &p.DataLost))
		}
		doc.Services = append(doc.Services, s)
	}
	for i, r := range im.Crews {
		doc.Crews = append(doc.Crews, result(r.Ref.Name, r.State, m.crewBase+node(i), nil))
	}
	for _, d := range im.Deadlocks {
		doc.Deadlocks = append(doc.Deadlocks, jsonDeadlock{Cycle: im.Names(d.Cycle)})
	}
	return json.Marshal(doc)
}

type jsonImpact struct {
	Lost        []string       `json:"lost"`
	LostDomains []string       `json:"lostDomains"`
	Components  []jsonResult   `json:"components"`
	Services    []jsonResult   `json:"services"`
	Crews       []jsonResult   `json:"crews"`
	Deadlocks   []jsonDeadlock `json:"deadlocks"`
}

type jsonResult struct {
	Name       string       `json:"name"`
	State      State        `json:"state"`
	Derivation []string     `json:"derivation"`
	Blocking   []string     `json:"blocking"`
	DataLost   *DataLoss    `json:"dataLost,omitempty"`
	Parts      []jsonResult `json:"parts,omitempty"`
}

type jsonDeadlock struct {
	Cycle []string `json:"cycle"`
}

// MarshalJSON writes seconds, "unknown" or "all".
func (d DataLoss) MarshalJSON() ([]byte, error) {
	switch {
	case d.All:
		return []byte(`"all"`), nil
	case !d.Known:
		return []byte(`"unknown"`), nil
	}
	return json.Marshal(d.Lag.Seconds())
}

// Names returns the names of refs as a need would write them: kind/name where a
// bare name would be ambiguous.
func (im *Impact) Names(refs []estate.Ref) []string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = im.Snapshot.NameOf(r)
	}
	return names
}

func (im *Impact) domainNames(domains []int) []string {
	names := make([]string, len(domains))
	for i, d := range domains {
		names[i] = im.Snapshot.Domains[d].Name
	}
	return names
}
