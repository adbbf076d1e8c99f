package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bongsu/estate"
)

// ParseReport reads the JSON of a [Report] back, to serve as a baseline. One of
// another version is refused.
func ParseReport(data []byte) (*Report, error) {
	var head struct {
		Version  *int             `json:"version"`
		Findings *json.RawMessage `json:"findings"`
		Baseline *json.RawMessage `json:"baseline"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("it is no JSON output of an audit: %w", err)
	}
	switch {
	case head.Version == nil || head.Findings == nil:
		return nil, fmt.Errorf("it is no JSON output of an audit: version or findings is missing")
	case head.Baseline != nil:
		return nil, fmt.Errorf("it is what a run with --baseline put out, which lists only what is new: it has to be of a run without")
	case *head.Version != Version:
		return nil, fmt.Errorf("it has version %d; this program reads version %d", *head.Version, Version)
	}
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("it is no JSON output of an audit: %w", err)
	}
	for i := range r.Findings {
		if r.Findings[i].ID == "" {
			return nil, fmt.Errorf("it is no JSON output of an audit: finding %d has no id", i+1)
		}
	}
	return r, nil
}

// A Difference is a report with only what is new in it, and what is fixed. A
// finding that was waived and is not any more is new; one of a part of a service is not
// where the former report had the same of the whole, which said it for its parts.
type Difference struct {
	*Report
	Baseline string    `json:"baseline"` // revision of the estate of the former report
	Fixed    []Finding `json:"fixed"`
	Same     int       `json:"same"` // how many findings both have

	// NotJudged is how many findings of the former report are about a loss, a rule
	// or a severity that this one was not asked for: nobody knows whether they are fixed.
	NotJudged int `json:"notJudged,omitempty"`
}

// Compare sets a report against a former one, by the IDs of the findings.
func Compare(old, now *Report) *Difference {
	only := *now
	only.Findings = []Finding{}
	d := &Difference{Report: &only, Baseline: old.Estate, Fixed: []Finding{}}
	before := make(map[string]*Finding, len(old.Findings))
	for i := range old.Findings {
		before[old.Findings[i].ID] = &old.Findings[i]
	}
	is := make(map[string]bool, len(now.Findings))
	for _, f := range now.Findings {
		is[f.ID] = true
		b := before[f.ID]
		if b == nil {
			b = before[now.wholeOf(&f)]
		}
		if b == nil || b.Waived != nil && f.Waived == nil || b.Severity.Rank() < f.Severity.Rank() {
			only.Findings = append(only.Findings, f)
		} else {
			d.Same++
		}
	}
	for i := range old.Findings {
		switch f := &old.Findings[i]; {
		case is[f.ID]:
		case now.judged(f):
			d.Fixed = append(d.Fixed, *f)
		default:
			d.NotJudged++
		}
	}
	return d
}

// wholeOf is the ID that a finding of a part of a service would have as one of the
// service; "" for others.
func (r *Report) wholeOf(f *Finding) string {
	service, part, ok := strings.Cut(f.Subject, "/")
	if !ok || r.snap == nil {
		return ""
	}
	at, ok := r.snap.Lookup(estate.KindService, service)
	if !ok || !slices.ContainsFunc(r.snap.Services[at.Index].Parts, func(p estate.Part) bool { return p.Name == part }) {
		return ""
	}
	return f.Rule + "/" + f.Loss + "/" + service
}

// judged reports whether a finding would be in the report if it were true: its
// rule, its severity and its loss were asked for, or its loss cannot happen any more.
func (r *Report) judged(f *Finding) bool {
	o := r.asked
	switch {
	case o == nil: // a report that was read back does not know
		return true
	case o.Rules != nil && !slices.Contains(o.Rules, f.Rule), f.Severity.Rank() < o.MinSeverity.Rank():
		return false
	case f.Rule == "empty" && f.Loss == NoLoss && f.Subject == "every":
		return o.Every
	case f.Loss == NoLoss, f.Loss == ColdStart, f.Rule == "status-fate", slices.Contains(r.Losses, f.Loss):
		return true
	}
	domains := strings.Split(f.Loss, "+")
	if slices.ContainsFunc(domains, func(name string) bool { _, ok := r.snap.Lookup(estate.KindDomain, name); return !ok }) {
		return true
	}
	if f.Rule == "empty" || strings.HasSuffix(f.Subject, ">wants") {
		return false // said of losses by name only
	}
	switch len(domains) {
	case 1:
		return o.Every
	case 2:
		return o.Pairs && !slices.ContainsFunc(domains, func(name string) bool {
			d, _ := r.snap.Lookup(estate.KindDomain, name)
			return !o.paired(r.snap.Domains[d.Index].Type)
		})
	}
	return false
}
