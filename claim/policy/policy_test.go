package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const shipped = "../../examples/policies/kakao-2022.yaml"

func load(t testing.TB) *Policy {
	t.Helper()
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(shipped, data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The shipped policy does what its table says, and every rule of it has an example.
func TestTheRulesOf2022(t *testing.T) {
	p := load(t)
	for _, miss := range p.Try() {
		t.Error(miss)
	}
	for _, w := range p.Warnings {
		t.Error(w)
	}
	// An example that is wrong is found: the table is not decoration.
	p.Examples[0].Want.Hours = new(int64)
	if got := p.Try(); len(got) != 1 || !strings.Contains(got[0], "72, expected 0") {
		t.Errorf("a wrong example: %q", got)
	}
}

// portion is exact: compared with big rationals.
func TestPortionIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func() int64 { return r.Int64() >> r.IntN(62) }
	for range 20_000 {
		a, n, d, s := draw(), draw(), draw()+1, draw()%1000+1
		want := new(big.Int).Mul(big.NewInt(a), big.NewInt(n))
		by := new(big.Int).Mul(big.NewInt(d), big.NewInt(s))
		want.Add(want, by).Sub(want, big.NewInt(1)).Quo(want, by).Mul(want, big.NewInt(s))
		got, err := portion(a, n, d, s)
		switch {
		case err != nil && !errors.Is(err, errOverflow):
			t.Fatalf("portion(%d, %d, %d, %d): %v", a, n, d, s, err)
		case err != nil && want.IsInt64() && by.IsInt64():
			t.Fatalf("portion(%d, %d, %d, %d) is too large, want %v", a, n, d, s, want)
		case err == nil && (!want.IsInt64() || want.Int64() != got):
			t.Fatalf("portion(%d, %d, %d, %d) = %d, want %v", a, n, d, s, got, want)
		}
	}
}

const small = `
policy: p
version: 1
effective: 2022-12-29
currency: KRW
title: {ko: 가, en: a}
rules:
- {name: r, give: money, amount: "%s", when: "%s", ground: goodwill, reason: {ko: "{amount}원", en: "{amount} won"}}
examples:
- {name: e, claim: {service: s}, want: {outcome: human}}
`

// What an expression cannot compute is for a person, and is never paid.
func TestTrouble(t *testing.T) {
	for _, tt := range []struct{ name, amount, when, says string }{
		{"division by zero", "claim.loss / claim.proven", "true", "division by zero"},
		{"division by zero in the condition", "1", "claim.loss / claim.proven > 0", "division by zero"},
		{"2^63", "claim.loss + 9223372036854775807", "true", "overflow"},
		{"negative", "0 - claim.loss", "true", "less than nothing"},
		{"out of range", "ceil(9223372036854775807, 1000)", "true", "too large"},
		{"portion by zero", "portion(claim.loss, 1, claim.proven, 10)", "true", "division by zero"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse("p.yaml", fmt.Appendf(nil, small, tt.amount, tt.when))
			if err != nil {
				t.Fatal(err)
			}
			c := Case{Claim: Claim{Service: "s", Loss: 5}}
			d := p.Assess(&c)
			if d.Outcome != Human || !strings.Contains(strings.Join(d.Why, "; "), tt.says) {
				t.Errorf("got %s, %q; want a person because of %q", d.Outcome, d.Why, tt.says)
			}
		})
	}
}

// A file that is wrong is refused with line and nearest word, all of it at once.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct{ name, text, says string }{
		{"unknown variable", fmt.Sprintf(small, "claim.los", "true"), `p.yaml:8: amount of rule "r": character 6: undeclared reference to 'claim.los' (did you mean 'claim.loss'?)`},
		{"unknown function", fmt.Sprintf(small, "lest(1, 2)", "true"), "undeclared reference to 'lest'"},
		{"it may loop for long", fmt.Sprintf(small, "1", "claim.evidence.all(x, claim.evidence.all(y, claim.evidence.all(z, x + y != z + x)))"), "at most 10000 are allowed"},
		{"wrong type", fmt.Sprintf(small, "1.5", "true"), "it gives double, expected int"},
		{"not a condition", fmt.Sprintf(small, "1", "1"), "it gives int, expected bool"},
		{"a claimant is not there", fmt.Sprintf(small, "1", "claim.contact == 'x'"), "undeclared reference"},
		{"unknown field", strings.Replace(fmt.Sprintf(small, "1", "true"), "give:", "gives:", 1), `unknown field "gives"; did you mean "give"?`},
		{"unknown field of an example", strings.Replace(fmt.Sprintf(small, "1", "true"), "service: s", "servise: s", 1), `unknown field "servise"; did you mean "service"?`},
		{"one language", strings.Replace(fmt.Sprintf(small, "1", "true"), "ko: 가, ", "", 1), "no text in ko"},
		{"unknown blank", strings.Replace(fmt.Sprintf(small, "1", "true"), "{amount}원", "{amuont}원", 1), `blank "amuont"; did you mean "amount"?`},
		{"unknown form", strings.Replace(fmt.Sprintf(small, "1", "true"), "give: money", "give: monney", 1), `give "monney"; did you mean "money"?`},
		{"papers of whom nobody asks", strings.Replace(fmt.Sprintf(small, "1", "true"), "give: money", "on: account, evidence: [x], give: money", 1), "nobody can send papers"},
		{"no examples", strings.Split(fmt.Sprintf(small, "1", "true"), "examples")[0], "cannot be activated"},
		{"NaN", strings.Replace(fmt.Sprintf(small, "1", "true"), "version: 1", "version: 1\ncap: .nan", 1), "p.yaml:4"},
		{"too large", strings.Replace(fmt.Sprintf(small, "1", "true"), "version: 1", "version: 1\ncap: 9223372036854775808", 1), "p.yaml:4"},
		{"bomb", "a: &a [x,x]\nb: &b [*a,*a]\n", "aliases"},
		{"two documents", fmt.Sprintf(small, "1", "true") + "---\na: b\n", "more than one document"},
		{"nothing", "", "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("p.yaml", []byte(tt.text))
			var errs Errors
			if !errors.As(err, &errs) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v\nwant %s", err, tt.says)
			}
		})
	}
}

// The cap holds, doubts stop a payment, and every step is explained.
func TestDecisions(t *testing.T) {
	p, err := Parse("p.yaml", []byte(strings.Replace(fmt.Sprintf(small, "claim.loss", "outage.hours > 2"), "version: 1", "version: 1\ncap: 1000", 1)))
	if err != nil {
		t.Fatal(err)
	}
	c := Case{Claim: Claim{ID: "1", Service: "s", Loss: 5_000}, Outage: Outage{Known: true, Minutes: 121}}
	want := Decision{
		Claim: "1", Policy: "p@1", Digest: p.Digest, Rule: "r", Outcome: Pay, Form: Money, Amount: 1000, Cost: 1000, Currency: "KRW", Ground: Goodwill,
		Reason: map[string]string{"ko": "1,000원", "en": "1,000 won"}, Evidence: []string{}, Capped: true,
		Why: []string{"r: applies, outage.hours > 2", "5000 is more than the cap of 1000"},
	}
	if diff := cmp.Diff(want, p.Assess(&c), cmpopts.IgnoreUnexported(Decision{})); diff != "" {
		t.Error(diff)
	}
	c.Claim.Flags = 1
	if d := p.Assess(&c); d.Outcome != Human {
		t.Errorf("a claim in doubt is %s", d.Outcome)
	}
	c.Claim.Evidence = make([]string, mostEvidence+1)
	if d := p.Assess(&c); d.Outcome != Human || d.Rule != "" {
		t.Errorf("too much evidence: %+v", d)
	}
	c.Claim.Evidence, c.Outage.Minutes = nil, 120
	if d := p.Assess(&c); d.Outcome != Refuse || d.Rule != "" || d.Why[0] != "r: does not apply, not outage.hours > 2" {
		t.Errorf("two hours: %+v", d)
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(fmt.Appendf(nil, small, "claim.loss", "true"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p.yaml", data)
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		_ = p.Try()
		for _, loss := range []int64{0, 1, math.MaxInt64} {
			d := p.Assess(&Case{Claim: Claim{Service: "s", Loss: loss, Use: "free"}})
			if d.Amount < 0 || p.Cap > 0 && d.Amount > p.Cap {
				t.Fatalf("%+v", d)
			}
			if _, err := json.Marshal(d); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	p := load(b)
	cases := make([]Case, 0, len(p.Examples))
	for _, e := range p.Examples {
		cases = append(cases, e.Case)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.Assess(&cases[i%len(cases)])
	}
}
