package audit

import (
	"net/url"
	"path/filepath"
	"strings"

	"bongsu/estate"
)

// The parts of SARIF 2.1.0 that a code-scanning viewer reads.
type (
	// A SARIFLog is a report in the Static Analysis Results Interchange Format.
	SARIFLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		ColumnKind  string            `json:"columnKind"`
		Properties  map[string]any    `json:"properties"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolConfigurationNotifications,omitempty"`
	}
	sarifNotification struct {
		Descriptor sarifDescriptor `json:"descriptor"`
		Level      string          `json:"level"`
		Message    sarifText       `json:"message"`
		Locations  []sarifLocation `json:"locations"`
	}
	sarifDescriptor struct {
		ID    string `json:"id"`
		Index int    `json:"index"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name          string       `json:"name"`
		Rules         []sarifRule  `json:"rules"`
		Notifications []sarifKnown `json:"notifications"`
	}
	sarifKnown struct {
		ID               string       `json:"id"`
		ShortDescription sarifText    `json:"shortDescription"`
		Default          sarifDefault `json:"defaultConfiguration"`
	}
	sarifRule struct {
		ID               string       `json:"id"`
		ShortDescription sarifText    `json:"shortDescription"`
		Help             sarifText    `json:"help"`
		Default          sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// SARIF returns the report for viewers of code scanning; each finding points at
// the document of the estate that it is about. What is waived is suppressed, and a
// waiver that waives nothing is told as a notification about the configuration. A
// finding about the whole estate points at the first line of its first file.
func (r *Report) SARIF() *SARIFLog {
	level := func(s Severity) string {
		if s == Info {
			return "note"
		}
		return string(s)
	}
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "bongsu audit", Notifications: []sarifKnown{{
			ID: idleWaiver, ShortDescription: sarifText{Text: "a waiver that no finding needs"}, Default: sarifDefault{level(Warning)},
		}}}},
		Invocations: []sarifInvocation{{Successful: true}},
		Results:     []sarifResult{}, ColumnKind: "unicodeCodePoints",
		Properties: map[string]any{"estate": r.Estate, "losses": r.Losses},
	}
	for _, w := range r.WaivesNothing {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifNotification{
			Descriptor: sarifDescriptor{ID: idleWaiver}, Level: level(Warning), Message: sarifText{Text: w.words()},
			Locations: []sarifLocation{at(estate.Pos{File: w.File, Line: w.Line, Col: w.Column})},
		})
	}
	index := map[string]int{}
	for i, rule := range Rules() {
		index[rule.Name] = i
		help := sarifText{Text: rule.Summary}
		if page, err := Page(rule.Name); err == nil {
			help = sarifText{Text: page, Markdown: page}
		}
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: rule.Name, ShortDescription: sarifText{Text: rule.Summary}, Help: help, Default: sarifDefault{level(rule.Severity)},
		})
	}
	for _, f := range r.Findings {
		text := f.Sentence
		if len(f.Proof.Words) > 0 {
			text += ": " + strings.Join(f.Proof.Words, "; ")
		}
		if f.Fix != nil {
			text += ". Fix: " + f.Fix.Words
		}
		res := sarifResult{
			RuleID: f.Rule, RuleIndex: index[f.Rule], Level: level(f.Severity), Message: sarifText{Text: text},
			Fingerprints: map[string]string{"bongsu/v1": f.ID},
			Properties:   map[string]any{"users": f.Users, "loss": f.Loss, "subject": f.Subject},
		}
		pos := f.pos
		if pos.File == "" {
			pos = r.first()
		}
		if pos.File != "" {
			res.Locations = []sarifLocation{at(pos)}
		}
		if f.Waived != nil {
			res.Suppressions = []sarifSuppression{{"external", f.Waived.Reason + " (" + f.Waived.Owner + ", until " + f.Waived.Until + ")"}}
		}
		run.Results = append(run.Results, res)
	}
	return &SARIFLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

// idleWaiver is what a notification of a waiver that waives nothing is called.
const idleWaiver = "idle-waiver"

func at(p estate.Pos) sarifLocation {
	u := url.URL{Path: filepath.ToSlash(p.File)}
	if filepath.IsAbs(p.File) {
		u.Scheme = "file" // viewers make it relative to what is checked out
	}
	return sarifLocation{sarifPhysical{sarifArtifact{u.String()}, sarifRegion{max(p.Line, 1), max(p.Col, 1)}}}
}

// first returns the beginning of the estate's first file.
func (r *Report) first() estate.Pos {
	var first estate.Pos
	if r.snap == nil {
		return first
	}
	for i := range r.snap.Domains {
		if p := r.snap.Domains[i].Pos; first.File == "" || p.File < first.File {
			first = estate.Pos{File: p.File, Line: 1, Col: 1}
		}
	}
	for i := range r.snap.Services {
		if p := r.snap.Services[i].Pos; first.File == "" || p.File < first.File {
			first = estate.Pos{File: p.File, Line: 1, Col: 1}
		}
	}
	return first
}
