package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"

	"bongsu/internal/lang"
)

// Assess decides a case by the rules on claims. It never fails: what a rule cannot
// compute is for a person, with the reason.
func (p *Policy) Assess(c *Case) Decision { return p.decide(c, "claim", true) }

// Unasked decides what an account is given without a claim; Outcome is Refuse where
// no rule gives anything.
func (p *Policy) Unasked(c *Case) Decision { return p.decide(c, "account", true) }

// decide is Assess and Unasked; explain is whether anybody reads the words.
func (p *Policy) decide(c *Case, on string, explain bool) Decision {
	d := Decision{
		Claim: c.Claim.ID, Policy: p.ID, Digest: p.Digest, Outcome: Refuse, Form: Nothing, Currency: p.Currency,
		terse: !explain,
	}
	if explain {
		d.Evidence, d.Why = []string{}, []string{}
	}
	if what := c.tooLarge(); what != "" {
		d.person(what)
		return d
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.On != on || !r.concerns(c) {
			continue
		}
		if r.when != nil {
			yes, err := truth(r.when, c)
			if err != nil {
				d.Rule = r.Name
				d.person(r.Name + ": " + err.Error())
				return d
			}
			if !yes {
				d.because(r.no)
				continue
			}
		}
		p.give(&d, r, c)
		return d
	}
	d.because("no rule applies")
	d.Reason = map[string]string{"ko": "이 신고에 해당하는 보상 기준이 없습니다.", "en": "No rule of the policy applies to this report."}
	return d
}

func (r *Rule) concerns(c *Case) bool {
	return (len(r.Services) == 0 || slices.Contains(r.Services, c.Claim.Service)) && (len(r.Use) == 0 || slices.Contains(r.Use, c.Claim.Use))
}

// give fills in what a rule that matched gives.
func (p *Policy) give(d *Decision, r *Rule, c *Case) {
	d.Rule, d.Form, d.Ground = r.Name, r.Form, r.Ground
	d.Outcome = Pay
	if r.Form == Nothing {
		d.Outcome = Refuse
	}
	d.because(r.yes)
	for _, x := range []struct {
		name string
		prg  program
		to   *int64
	}{{"amount", r.amount, &d.Amount}, {"hours", r.hours, &d.Hours}} {
		if x.prg == nil {
			continue
		}
		n, err := number(x.prg, c)
		if err != nil {
			d.person(fmt.Sprintf("%s: %s: %v", r.Name, x.name, err))
			return
		}
		*x.to = n
	}
	if p.Cap > 0 && d.Amount > p.Cap {
		d.because(fmt.Sprintf("%d is more than the cap of %d", d.Amount, p.Cap))
		d.Amount, d.Capped = p.Cap, true
	}
	d.Cost = d.Amount
	if r.cost != nil {
		n, err := number(r.cost, c)
		if err != nil {
			d.person(fmt.Sprintf("%s: cost: %v", r.Name, err))
			return
		}
		d.Cost = n
	}
	if !d.terse {
		d.Reason = r.words(d, c)
	}
	for _, e := range r.Evidence {
		if !d.terse && !slices.Contains(c.Claim.Evidence, e) {
			d.Evidence = append(d.Evidence, e)
		}
	}
	if r.human != nil {
		yes, err := truth(r.human, c)
		switch {
		case err != nil:
			d.person(fmt.Sprintf("%s: human: %v", r.Name, err))
		case yes:
			d.person(r.Name + ": asks for a person, " + r.Human)
		}
	}
	if d.Outcome == Pay && r.Form != Extension && d.Amount == 0 {
		d.Outcome = Refuse
		d.because("the amount is zero")
	}
	if d.Outcome == Pay && c.Claim.Flags > 0 {
		d.Reason = nil // nothing is promised
		d.person("there are open doubts about it: duplicates or a cluster")
	}
}

// person gives the case to a person.
func (d *Decision) person(why string) {
	d.Outcome = Human
	d.because(why)
	if d.Reason == nil && !d.terse {
		d.Reason = map[string]string{"ko": "담당자가 직접 검토합니다.", "en": "A person looks at this report."}
	}
}

func (d *Decision) because(why string) {
	if !d.terse {
		d.Why = append(d.Why, why)
	}
}

// tooLarge says what of a case is larger than expressions were checked for.
func (c *Case) tooLarge() string {
	if n := len(c.Claim.Evidence); n > mostEvidence {
		return fmt.Sprintf("it has %d pieces of evidence, rules are made for at most %d", n, mostEvidence)
	}
	long := func(s string) bool { return len(s) > mostText }
	if slices.ContainsFunc(c.Claim.Evidence, long) || slices.ContainsFunc([]string{c.Claim.Service, c.Claim.Part, c.Claim.Use, c.Claim.Kind, c.Account.Service, c.Account.Plan}, long) {
		return fmt.Sprintf("a field of it is longer than %d bytes", mostText)
	}
	return ""
}

// words is the reason with its blanks filled in.
func (r *Rule) words(d *Decision, c *Case) map[string]string {
	out := make(map[string]string, len(r.Reason))
	for l, text := range r.Reason {
		var b strings.Builder
		for {
			before, rest, ok := strings.Cut(text, "{")
			b.WriteString(before)
			if !ok {
				break
			}
			name, after, closed := strings.Cut(rest, "}")
			if value, known := blank(name, d, c); closed && known {
				b.WriteString(value)
				text = after
			} else {
				b.WriteByte('{')
				text = rest
			}
		}
		out[l] = b.String()
	}
	return out
}

// blank returns what stands for a name in braces.
func blank(name string, d *Decision, c *Case) (value string, known bool) {
	switch name {
	case "amount":
		return lang.Number(d.Amount), true
	case "hours":
		return strconv.FormatInt(d.Hours, 10), true
	case "service":
		return c.Claim.Service, true
	case "outage":
		return strconv.FormatInt(c.Outage.hours(), 10), true
	}
	return "", false
}

func truth(p program, c *Case) (bool, error) {
	v, _, err := p.Eval(c)
	if err != nil {
		return false, fmt.Errorf("cannot be computed: %w", err)
	}
	return v == types.True, nil
}

// number evaluates an amount: never negative.
func number(p program, c *Case) (int64, error) {
	v, _, err := p.Eval(c)
	if err != nil {
		return 0, fmt.Errorf("cannot be computed: %w", err)
	}
	n, ok := v.(types.Int)
	if !ok {
		return 0, fmt.Errorf("gives %v, which is no integer", v.Type())
	}
	if n < 0 {
		return 0, fmt.Errorf("gives %d, which is less than nothing", n)
	}
	return int64(n), nil
}

// Try decides every example and returns what came out differently, a sentence each;
// empty means that the policy does what its authors say that it does.
func (p *Policy) Try() []string {
	var out []string
	for i := range p.Examples {
		e := &p.Examples[i]
		c := e.Case
		on := "claim"
		for j := range p.Rules {
			if p.Rules[j].Name == e.Want.Rule {
				on = p.Rules[j].On
			}
		}
		d := p.decide(&c, on, true)
		miss := func(what string, got, want any) {
			out = append(out, fmt.Sprintf("example %q (line %d): %s is %v, expected %v; %s", e.Name, e.Line, what, got, want, strings.Join(d.Why, "; ")))
		}
		w := &e.Want
		switch {
		case w.Rule != "" && d.Rule != w.Rule:
			miss("the rule", cond(d.Rule == "", "none", d.Rule), w.Rule)
		case w.Outcome != "" && d.Outcome != w.Outcome:
			miss("the outcome", d.Outcome, w.Outcome)
		case w.Form != "" && d.Form != w.Form:
			miss("what is given", d.Form, w.Form)
		case w.Amount != nil && d.Amount != *w.Amount:
			miss("the amount", d.Amount, *w.Amount)
		case w.Hours != nil && d.Hours != *w.Hours:
			miss("the extension", d.Hours, *w.Hours)
		case w.Ground != "" && d.Ground != w.Ground:
			miss("the ground", d.Ground, w.Ground)
		}
	}
	return out
}

func cond(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
