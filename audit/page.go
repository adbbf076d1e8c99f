package audit

import (
	"slices"

	pages "bongsu/docs/rules"
	"bongsu/estate"
)

// Page returns the page of a rule: what it looks for, why, an example, and how to
// fix what it finds. The error is a [*RuleError].
func Page(name string) (string, error) {
	data, err := pages.Pages.ReadFile(name + ".md")
	if err != nil || !slices.Contains(ruleNames(), name) {
		return "", &RuleError{Name: name, Nearest: estate.Nearest(name, ruleNames())}
	}
	return string(data), nil
}
