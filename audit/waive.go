package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
)

// checkWaivers refuses a waiver of a rule or a loss that does not exist. The error is a
// [*RuleError] or an [*estate.Error].
func checkWaivers(s *estate.Snapshot, rules []string, among []estate.Ref) error {
	for _, doc := range among {
		for _, w := range s.Doc(doc).Waive {
			if !slices.Contains(rules, w.Rule) {
				return &RuleError{Name: w.Rule, Nearest: estate.Nearest(w.Rule, rules), Pos: w.Pos}
			}
			for _, name := range domainsOf(w.Loss) {
				if _, ok := s.Lookup(estate.KindDomain, name); !ok && name != NoLoss && name != ColdStart {
					return &estate.Error{
						File: w.Pos.File, Line: w.Pos.Line, Col: w.Pos.Col, Msg: fmt.Sprintf("a waiver names a loss of %q, and there is no such domain", name),
						Want: fmt.Sprintf("domains joined by +, %q or %q", NoLoss, ColdStart), Nearest: s.Nearest(estate.KindDomain, name),
					}
				}
			}
		}
	}
	return nil
}

// waiver returns the waiver of a document that covers a finding, or nil. One
// that has run out covers nothing.
func (a *auditor) waiver(doc *estate.Doc, rule, loss string) *Waived {
	for _, w := range doc.Waive {
		if w.Rule == rule && (w.Loss == "" || lossOf(w.Loss) == loss) && !a.expired(w) {
			return &Waived{Owner: w.Owner, Reason: w.Reason, Until: w.Until.Format(time.DateOnly)}
		}
	}
	return nil
}

// lossOf brings the loss of a waiver, whose domains stand in any order and are
// joined by "+" or ",", into the form of an ID.
func lossOf(text string) string { return strings.Join(domainsOf(text), "+") }

func domainsOf(loss string) []string {
	names := strings.FieldsFunc(loss, func(r rune) bool { return r == '+' || r == ',' || r == ' ' })
	slices.Sort(names)
	return slices.Compact(names)
}

// An IdleWaiver is a waiver that waives nothing.
type IdleWaiver struct {
	Subject string `json:"subject"`
	Rule    string `json:"rule"`
	Loss    string `json:"loss,omitempty"` // empty: any
	Owner   string `json:"owner"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"-"`
}

func (w *IdleWaiver) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.words()) }

func (w *IdleWaiver) words() string {
	loss := ""
	if w.Loss != "" {
		loss = " in the loss " + w.Loss
	}
	return fmt.Sprintf("the waiver of %s from rule %s%s, of %s, waives nothing: the rule finds nothing there", w.Subject, w.Rule, loss, w.Owner)
}

// idleWaivers returns the waivers in force that waive nothing in a report that would
// show what they waive.
func (a *auditor) idleWaivers(r *Report) []IdleWaiver {
	if len(a.waivers) == 0 || a.o.MinSeverity.Rank() > Info.Rank() {
		return nil
	}
	type key struct{ rule, owner, reason, until, file string }
	used := map[key][]*Finding{}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Waived != nil {
			k := key{f.Rule, f.Waived.Owner, f.Waived.Reason, f.Waived.Until, f.File}
			used[k] = append(used[k], f)
		}
	}
	sites := len(a.o.Lose) == 0 || a.o.Sites || a.o.Every
	var idle []IdleWaiver
	for _, doc := range a.waivers {
		for _, w := range a.s.Doc(doc).Waive {
			loss := lossOf(w.Loss)
			if a.expired(w) || loss == "" && !sites || loss != "" && !r.judged(&Finding{Rule: w.Rule, Severity: Error, Loss: loss}) ||
				a.o.Rules != nil && !slices.Contains(a.o.Rules, w.Rule) {
				continue
			}
			covers := func(f *Finding) bool {
				return (loss == "" || f.Loss == loss) && strings.Contains(f.Subject, doc.Name)
			}
			if !slices.ContainsFunc(used[key{w.Rule, w.Owner, w.Reason, w.Until.Format(time.DateOnly), w.Pos.File}], covers) {
				idle = append(idle, IdleWaiver{a.s.NameOf(doc), w.Rule, loss, w.Owner, w.Pos.File, w.Pos.Line, w.Pos.Col})
			}
		}
	}
	slices.SortFunc(idle, func(x, y IdleWaiver) int {
		return cmp.Or(strings.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), strings.Compare(x.Rule, y.Rule), strings.Compare(x.Loss, y.Loss))
	})
	return idle
}

// expired reports whether a waiver has run out; it holds through its last day.
func (a *auditor) expired(w estate.Waiver) bool {
	return !a.o.Now.IsZero() && !a.o.Now.Before(w.Until.Add(24*time.Hour))
}

// waiverExpired finds exceptions that nobody renewed.
func waiverExpired(a *auditor) {
	for _, doc := range a.waivers {
		for _, w := range a.s.Doc(doc).Waive {
			if !a.expired(w) {
				continue
			}
			f := Finding{
				Severity: Warning,
				Sentence: "the exception of " + a.s.NameOf(doc) + " from rule " + w.Rule + " ended on " + w.Until.Format(time.DateOnly) + "; " + w.Owner + " answers for it",
				Proof:    Proof{Words: []string{"reason given: " + w.Reason}},
				pos:      w.Pos,
			}
			subject := a.s.NameOf(doc) + "/" + w.Rule
			if w.Loss != "" {
				subject += "/" + lossOf(w.Loss)
			}
			a.add(f, NoLoss, doc, subject)
		}
	}
}
