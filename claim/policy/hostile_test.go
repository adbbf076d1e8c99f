package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// What claimants write is compared and shown, never run: not as CEL, not as a blank of a reason.
func TestNothingOfAClaimIsRun(t *testing.T) {
	text := strings.Replace(fmt.Sprintf(small, "1", "claim.service == 'a' && claim.part != 'b'"), `{ko: "{amount}원", en: "{amount} won"}`, `{ko: "{service}: {amount}원", en: "{service}: {amount} won"}`, 1)
	p, err := Parse("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	open, err := Parse("p.yaml", []byte(strings.Replace(text, "claim.service == 'a' && claim.part != 'b'", "true", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"a' || true || 'x", `a" || true || "x`, "' == '' || claim.loss > 0", "a'}, 1000000", "{amount}", "{hours}{outage}", "\\u0027a", "a\x00", "a\n- {name: r2, give: money}",
		"${claim.loss}", "{{.}}", "a ", "А", // the last is Cyrillic
	} {
		c := Case{Claim: Claim{ID: "1", Service: s, Part: s, Use: s, Kind: s, Evidence: []string{s}, Loss: 7}, Account: Account{ID: s, Plan: s, Service: s}, Outage: Outage{Known: true, Minutes: 61}}
		if d := p.Assess(&c); d.Outcome != Refuse || d.Rule != "" || d.Amount != 0 {
			t.Errorf("%q: %+v", s, d)
		}
		if d := open.Assess(&c); d.Reason["en"] != s+": 1 won" || d.Reason["ko"] != s+": 1원" {
			t.Errorf("%q is shown as %q", s, d.Reason)
		}
	}
}

// Fields that are larger than expressions were checked for are for a person, each of them.
func TestLargeFieldsAreForAPerson(t *testing.T) {
	p, err := Parse("p.yaml", fmt.Appendf(nil, small, "1", "true"))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", mostText+1)
	for name, c := range map[string]Case{
		"service": {Claim: Claim{Service: long}}, "part": {Claim: Claim{Part: long}}, "use": {Claim: Claim{Use: long}}, "kind": {Claim: Claim{Kind: long}},
		"evidence": {Claim: Claim{Evidence: []string{long}}}, "plan": {Account: Account{Plan: long}}, "service of the account": {Account: Account{Service: long}},
		"much evidence": {Claim: Claim{Evidence: make([]string, mostEvidence+1)}},
	} {
		if d := p.Assess(&c); d.Outcome != Human || d.Rule != "" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// There is no loop but over evidence, and what is accepted of those is quick on the largest claim that is assessed; what
// is not is refused with its policy.
func TestLoops(t *testing.T) {
	text := strings.Repeat("y", mostText)
	largest := Case{Claim: Claim{Service: text, Part: text, Use: text, Kind: text, Evidence: slices.Repeat([]string{text}, mostEvidence)}, Account: Account{ID: text, Plan: text, Service: text}}
	nested := func(depth int, inner string) string {
		s := inner
		for i := range depth {
			s = fmt.Sprintf("claim.evidence.all(v%d, %s)", i, s)
		}
		return s
	}
	rules := map[string]string{
		"one":                "claim.evidence.exists(e, e == claim.part)",
		"two":                nested(2, "v0 == v1"),
		"three":              nested(3, "v0 == v1"),
		"ten":                nested(10, "true"),
		"a list of lists":    "claim.evidence.map(a, claim.evidence.map(b, claim.evidence.map(c, a + b + c))).size() > 0",
		"a list that grows":  "(claim.evidence + claim.evidence + claim.evidence + claim.evidence).all(a, (claim.evidence + claim.evidence).all(b, a == b))",
		"an expression":      "claim.evidence.all(a, a.matches('(y+)+$'))",
		"one of the claim's": "claim.evidence.all(a, claim.evidence.all(b, a.matches(b)))",
		"text that grows":    "claim.evidence.all(a, (a + a + a + a + a + a).contains(a + a + 'z'))",
		"a long list":        "[" + strings.TrimSuffix(strings.Repeat("1,", 1_000), ",") + "].all(x, [1,2,3,4,5,6,7,8,9].all(y, x < y))",
	}
	accepted := 0
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		p, err := Parse("p.yaml", fmt.Appendf(nil, small, "1", rules[name]))
		var errs Errors
		switch {
		case errors.As(err, &errs):
			if !strings.Contains(err.Error(), "at most 10000 are allowed") && !strings.Contains(err.Error(), "longer than") {
				t.Errorf("%s: refused for another reason: %v", name, err)
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		accepted++
		quickest := time.Hour // of three, as the machine has other things to do
		for range 3 {
			began := time.Now()
			p.Assess(&largest)
			quickest = min(quickest, time.Since(began))
		}
		if quickest > 100*time.Millisecond {
			t.Errorf("%s takes %v for one claim", name, quickest)
		}
	}
	if accepted == 0 || accepted == len(rules) {
		t.Errorf("%d of %d are accepted: the test proves nothing", accepted, len(rules))
	}
	for _, loop := range []string{"while (true) {}", "loop()", "claim.evidence.range()", "claim.evidence.reduce(a, b, a + b)"} {
		if _, err := Parse("p.yaml", fmt.Appendf(nil, small, "1", loop)); err == nil {
			t.Errorf("%s is a policy", loop)
		}
	}
}
