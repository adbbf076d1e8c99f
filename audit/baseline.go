package audit

import (
	"encoding/json"
	"errors"
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
	err := json.Unmarshal(data, &head)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		head.Version = nil // the file has another shape
	} else if err != nil {
		return nil, fmt.Errorf("it is no JSON output of an audit: %w", err)
	}
	switch {
	case head.Version == nil || head.Findings == nil:
		return nil, fmt.Errorf("it is no JSON output of an audit: it has no version and findings")
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

// A Difference is a report with only what is new in it, and what is fixed. What the former
// report said in another way is not new, and what this one says in another way is not fixed:
// of the whole service for a part of it, with nothing lost for a loss, or what is implied.
// What was waived and is not any more is new.
type Difference struct {
	*Report
	Baseline string    `json:"baseline"` // revision of the estate of the former report
	Fixed    []Finding `json:"fixed"`
	Same     int       `json:"same"` // how many findings are as before

	// NotJudged is how many findings of the former report are about a loss, a rule
	// or a severity that this one was not asked for: nobody knows whether they are fixed.
	NotJudged int `json:"notJudged,omitempty"`
}

// Compare sets a report against a former one, by the IDs of the findings.
func Compare(old, now *Report) *Difference {
	only := *now
	only.Findings, only.Implied = []Finding{}, nil
	d := &Difference{Report: &only, Baseline: old.Estate, Fixed: []Finding{}}
	before, after := said(old), said(now)
	for _, f := range now.Findings {
		if _, ok := now.way(before, &f); ok {
			d.Same++
		} else {
			only.Findings = append(only.Findings, f)
		}
	}
	for i := range old.Findings {
		f := &old.Findings[i]
		if _, ok := after[f.ID]; ok {
			continue
		}
		switch {
		case now.still(after, f):
			d.Same++
		case now.judged(f):
			d.Fixed = append(d.Fixed, *f)
		default:
			d.NotJudged++
		}
	}
	return d
}

// said are the findings of a report by ID, with one for each thing that is implied.
func said(r *Report) map[string]*Finding {
	all := make(map[string]*Finding, len(r.Findings))
	implied := &Finding{Severity: Warning}
	for _, x := range r.Implied {
		for _, name := range x.Components {
			all["unrecoverable/"+x.Loss+"/"+name] = implied
		}
	}
	for i := range r.Findings {
		all[r.Findings[i].ID] = &r.Findings[i]
	}
	return all
}

// ways are the IDs of findings that say what a finding says: its own, that of the service
// where it is of a part, and those with nothing lost where the rule says it once for all losses.
func (r *Report) ways(f *Finding) []string {
	subjects := []string{f.Subject}
	if service, part, ok := strings.Cut(f.Subject, "/"); ok && r.snap != nil {
		at, ok := r.snap.Lookup(estate.KindService, service)
		if ok && slices.ContainsFunc(r.snap.Services[at.Index].Parts, func(p estate.Part) bool { return p.Name == part }) {
			subjects = append(subjects, service)
		}
	}
	var ids []string
	for _, s := range subjects {
		ids = append(ids, f.Rule+"/"+f.Loss+"/"+s)
		if once(f.Rule) {
			ids = append(ids, f.Rule+"/"+NoLoss+"/"+s)
		}
	}
	return ids
}

// way returns the ID of a finding among those before that said what f says, and no less gravely.
func (r *Report) way(before map[string]*Finding, f *Finding) (id string, ok bool) {
	for _, id := range r.ways(f) {
		if b, ok := before[id]; ok && (b.Waived == nil || f.Waived != nil) && b.Severity.Rank() >= f.Severity.Rank() {
			return id, true
		}
	}
	return "", false
}

// still reports whether one of the findings after says what f, of a former report, said.
func (r *Report) still(after map[string]*Finding, f *Finding) bool {
	return slices.ContainsFunc(r.ways(f), func(id string) bool { _, ok := after[id]; return ok })
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
