package audit

import (
	"encoding/json"
	"fmt"
)

// ParseReport reads the JSON of a [Report] back, to serve as a baseline. One of
// another version is refused.
func ParseReport(data []byte) (*Report, error) {
	var head struct {
		Version  *int             `json:"version"`
		Findings *json.RawMessage `json:"findings"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("it is no JSON output of an audit: %w", err)
	}
	switch {
	case head.Version == nil || head.Findings == nil:
		return nil, fmt.Errorf("it is no JSON output of an audit: version or findings is missing")
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
// finding that was waived and is not any more is new.
type Difference struct {
	*Report
	Baseline string    `json:"baseline"` // revision of the estate of the former report
	Fixed    []Finding `json:"fixed"`
	Same     int       `json:"same"` // how many findings both have
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
		if b := before[f.ID]; b == nil || b.Waived != nil && f.Waived == nil || b.Severity.Rank() < f.Severity.Rank() {
			only.Findings = append(only.Findings, f)
		} else {
			d.Same++
		}
	}
	for _, f := range old.Findings {
		if !is[f.ID] {
			d.Fixed = append(d.Fixed, f)
		}
	}
	return d
}
