package audit

import (
	"slices"

	"bongsu/estate"
)

// A channel is a component with tool: true by which people are told. It tells
// staff where a crew names it among its needs, and users where a service names
// it among its needs, its wants or those of a part and no action needs it: what
// an action needs is there to work with, not to tell people.
type channelKind struct {
	whom    string
	missing string // what nobody can do
	how     string // how the estate says that there is one
}

func channelKinds() []channelKind {
	return []channelKind{
		{"staff", "staff cannot be told", "a component with tool: true among the needs of a crew"},
		{"users", "users cannot be told", "a component with tool: true that a service needs or wants and no action needs"},
	}
}

// channelsTo lists the channels to staff or users, sorted.
func (a *auditor) channelsTo(whom string) []int {
	if _, known := a.channels[whom]; !known {
		if a.channels == nil {
			a.channels = map[string][]int{}
		}
		a.channels[whom] = a.findChannels(whom)
	}
	return a.channels[whom]
}

func (a *auditor) findChannels(whom string) []int {
	g := a.graph
	crew := func(i int) bool { return i >= g.first[2] && i < g.first[3] }
	user := func(i int) bool { return i >= g.first[1] && !crew(i) }
	var found []int
	for c := range a.s.Components {
		switch {
		case !a.s.Components[c].Tool:
		case whom == "staff":
			if slices.ContainsFunc(g.run[c], crew) {
				found = append(found, c)
			}
		case len(g.repair[c]) == 0 && (slices.ContainsFunc(g.run[c], user) || slices.ContainsFunc(g.wanted[c], user)):
			found = append(found, c)
		}
	}
	return found
}

// channels says where the estate knows no channel at all.
func channels(a *auditor) {
	for _, k := range channelKinds() {
		if k.whom == "staff" && len(a.s.Crews) == 0 || len(a.channelsTo(k.whom)) > 0 {
			continue
		}
		a.add(Finding{
			Severity: Info,
			Sentence: "the estate knows no channel by which " + k.whom + " are told in a disaster",
			Proof:    Proof{Words: []string{"such a channel is " + k.how}},
			Fix:      &Measure{Words: "write down the channel to " + k.whom + ": " + k.how, Cost: 1},
		}, NoLoss, estate.Ref{}, k.whom)
	}
}

// channel finds losses in which services are down and no channel is left.
func channel(a *auditor, t *trial) {
	for _, k := range channelKinds() {
		all := a.channelsTo(k.whom)
		if len(all) == 0 {
			continue
		}
		f := Finding{Severity: Warning}
		left := false
		for _, c := range all {
			r := a.component(c)
			switch at, ok := t.UpAt(r); {
			case ok && at == 0:
				left = true
			case ok:
				f.Proof.Words = append(f.Proof.Words, r.Name+" is back after "+lasting(at)+" at the earliest")
			default:
				f.Proof.Words = append(f.Proof.Words, r.Name+" does not come back")
			}
		}
		if left {
			continue
		}
		f.Severity = Error
		for _, c := range all {
			if t.Back(a.component(c)) {
				f.Severity = Warning
			}
		}
		if !a.fresh(k.whom, f.Severity) {
			continue
		}
		touched := a.servicesDown(t)
		if len(touched.services) == 0 {
			return
		}
		f.Users, f.Proof.Services = touched.users, touched.names(a.s)
		f.Sentence = t.inLoss() + k.missing + ": every channel to them is gone"
		cheapest := a.component(all[0])
		for _, c := range all {
			if r := a.component(c); a.s.Doc(r).Cost < a.s.Doc(cheapest).Cost {
				cheapest = r
			}
		}
		f.Fix = a.advice(cheapest, "a second site for %s, or another channel to %s that shares nothing with it", cheapest.Name, k.whom)
		a.add(f, t.loss.name, estate.Ref{}, k.whom)
	}
}
