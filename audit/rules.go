package audit

import "slices"

// A Rule is one thing that [Check] looks for.
type Rule struct {
	Name     string
	Summary  string
	Severity Severity // the gravest that its findings have
	PerLoss  bool     // it judges each loss; otherwise the estate as it stands
}

// A rule is a Rule and what carries it out.
type rule struct {
	name, summary string
	severity      Severity
	estate        func(*auditor)
	loss          func(*auditor, *trial)
	local         bool // estate judges documents one by one, each by what it needs and what needs it
}

// rules lists all rules by name. Each has a page in docs/rules.
func rules() []rule {
	return []rule{
		{"capacity", "what has to come back does not fit into the room that is left", Error, capacityNow, capacity, false},
		{"channel", "users or staff cannot be told what is going on", Error, channels, channel, false},
		{"crew", "people cannot be reached, or are too few for an action", Error, crewTooFew, crewUnreachable, false},
		{"data-single-copy", "one loss takes every copy of the data", Error, dataSingleCopy, nil, true},
		{"data-untested", "no copy has been restored from lately, or ever", Warning, dataUntested, nil, true},
		{"deadlock", "things wait for each other to come back", Error, nil, deadlock, false},
		{"empty", "nothing to judge: it looks healthy because it says nothing", Error, emptyEstate, emptyLoss, false},
		{"outage", "a service is back too late, or loses too much data", Error, nil, outage, false},
		{"quorum", "which losses a consensus group survives, and where one more voter helps most", Error, quorum, nil, true},
		{"shared-fate", "replicas that look apart go down together", Error, sharedFate, nil, true},
		{"stale", "a fact is old, or nobody says how old", Info, stale, nil, false},
		{"status-fate", "the status page goes down with what it reports on", Error, statusFate, nil, false},
		{"tool-single-site", "a tool stands in one site only", Error, toolSingleSite, nil, true},
		{"tool-tier", "a tool is lost with what it has to bring back", Error, nil, toolTier, false},
		{"unplaced", "something that others need stands nowhere", Warning, unplaced, nil, true},
		{"unrecoverable", "nothing that survives can bring it back", Error, nil, unrecoverable, false},
		{"waiver-expired", "an exception from a rule has run out", Warning, waiverExpired, nil, false},
	}
}

// Rules returns all rules, by name.
func Rules() []Rule {
	var out []Rule
	for _, r := range rules() {
		out = append(out, Rule{Name: r.name, Summary: r.summary, Severity: r.severity, PerLoss: r.loss != nil})
	}
	return out
}

func ruleNames() []string {
	var names []string
	for _, r := range rules() {
		names = append(names, r.name)
	}
	return names
}

// runs reports whether a rule is among those asked for.
func (a *auditor) runs(name string) bool {
	return slices.ContainsFunc(a.rules, func(r rule) bool { return r.name == name })
}
