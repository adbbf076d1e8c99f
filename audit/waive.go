package audit

import (
	"slices"
	"strings"
	"time"

	"bongsu/estate"
)

// checkWaivers refuses a waiver of a rule that does not exist.
func checkWaivers(s *estate.Snapshot, rules []string, among []estate.Ref) error {
	for _, doc := range among {
		for _, w := range s.Doc(doc).Waive {
			if !slices.Contains(rules, w.Rule) {
				return &RuleError{Name: w.Rule, Nearest: estate.Nearest(w.Rule, rules), Pos: w.Pos}
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
func lossOf(text string) string {
	names := strings.FieldsFunc(text, func(r rune) bool { return r == '+' || r == ',' || r == ' ' })
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "+")
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
