package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"bongsu/estate"
)

// mostBytes is the size of a policy file.
const mostBytes = 1 << 20

// fileV1 is a policy as people write it.
type fileV1 struct {
	Policy    string            `yaml:"policy"`
	Version   int               `yaml:"version"`
	Title     map[string]string `yaml:"title"`
	Effective string            `yaml:"effective"`
	Currency  string            `yaml:"currency"`
	Source    string            `yaml:"source"`
	Cap       int64             `yaml:"cap"`
	Budget    int64             `yaml:"budget"`
	FourEyes  int64             `yaml:"fourEyes"`
	Rules     []ruleV1          `yaml:"rules"`
	Examples  []exampleV1       `yaml:"examples"`
}

type ruleV1 struct {
	Name     string            `yaml:"name"`
	On       string            `yaml:"on"`
	Services []string          `yaml:"services"`
	Use      []string          `yaml:"use"`
	When     string            `yaml:"when"`
	Give     string            `yaml:"give"`
	Amount   string            `yaml:"amount"`
	Cost     string            `yaml:"cost"`
	Hours    string            `yaml:"hours"`
	Ground   string            `yaml:"ground"`
	Reason   map[string]string `yaml:"reason"`
	Evidence []string          `yaml:"evidence"`
	Human    string            `yaml:"human"`
}

type exampleV1 struct {
	Name  string `yaml:"name"`
	Claim struct {
		Service  string   `yaml:"service"`
		Part     string   `yaml:"part"`
		Use      string   `yaml:"use"`
		Kind     string   `yaml:"kind"`
		Loss     int64    `yaml:"loss"`
		Proven   int64    `yaml:"proven"`
		Best     int64    `yaml:"best"`
		Week     int64    `yaml:"week"`
		Flags    int64    `yaml:"flags"`
		Evidence []string `yaml:"evidence"`
	} `yaml:"claim"`
	Account struct {
		ID   string `yaml:"id"`
		Plan string `yaml:"plan"`
		Fee  int64  `yaml:"fee"`
	} `yaml:"account"`
	Outage struct {
		Minutes  int64 `yaml:"minutes"`
		Degraded int64 `yaml:"degraded"`
	} `yaml:"outage"`
	Want struct {
		Rule    string `yaml:"rule"`
		Outcome string `yaml:"outcome"`
		Give    string `yaml:"give"`
		Amount  *int64 `yaml:"amount"`
		Hours   *int64 `yaml:"hours"`
		Ground  string `yaml:"ground"`
	} `yaml:"want"`
}

// An Error is one thing that is wrong with a policy file.
type Error struct {
	File string
	Line int
	Msg  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg) }

// Errors is all that is wrong with a file.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

type parser struct {
	file string
	env  *cel.Env
	errs Errors
}

func (p *parser) bad(line int, format string, args ...any) {
	p.errs = append(p.errs, &Error{File: p.file, Line: line, Msg: fmt.Sprintf(format, args...)})
}

// Parse reads a policy. The error is [Errors], all of them at once, in the order of the file.
func Parse(file string, data []byte) (*Policy, error) {
	p := &parser{file: file}
	if len(data) > mostBytes {
		p.bad(1, "the file has %d bytes, a policy at most %d", len(data), mostBytes)
		return nil, p.errs
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		p.yaml(err)
		return nil, p.errs
	}
	if hasAlias(&root) {
		p.bad(1, "aliases (*name) are not allowed in a policy: write it out")
		return nil, p.errs
	}
	var f fileV1
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		p.yaml(err)
		return nil, p.errs
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		p.bad(1, "the file has more than one document; a policy is one")
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	p.env = env
	out := p.policy(&f, &root)
	if len(p.errs) > 0 {
		slices.SortStableFunc(p.errs, func(a, b *Error) int { return a.Line - b.Line })
		return nil, p.errs
	}
	sum := sha256.Sum256(data)
	out.Digest = "sha256:" + hex.EncodeToString(sum[:8])
	return out, nil
}

func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || n.Anchor != "" || slices.ContainsFunc(n.Content, hasAlias)
}

var (
	atLine  = regexp.MustCompile(`line (\d+): (.*)`)
	noField = regexp.MustCompile(`field (\S+) not found in type policy\.(\w+)`)
	inside  = regexp.MustCompile(`field (\S+) not found in type struct \{(.*)\}`)
	tagged  = regexp.MustCompile(`yaml:\\?"(\w+)\\?"`)
	named   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
	dated   = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)
	filled  = regexp.MustCompile(`\{([a-z]*)\}`)
)

// yaml turns errors of the YAML library into ours.
func (p *parser) yaml(err error) {
	texts := []string{err.Error()}
	if te, ok := errors.AsType[*yaml.TypeError](err); ok {
		texts = te.Errors
	}
	for _, t := range texts {
		m := atLine.FindStringSubmatch(t)
		if m == nil {
			p.bad(1, "%s", t)
			continue
		}
		var line int
		_, _ = fmt.Sscan(m[1], &line) // digits, by the expression
		p.bad(line, "%s", fieldError(m[2]))
	}
}

func fieldError(text string) string {
	var name string
	var known []string
	if m := noField.FindStringSubmatch(text); m != nil {
		name = m[1]
		for _, t := range []reflect.Type{reflect.TypeFor[fileV1](), reflect.TypeFor[ruleV1](), reflect.TypeFor[exampleV1]()} {
			if t.Name() == m[2] {
				for field := range t.Fields() {
					known = append(known, field.Tag.Get("yaml"))
				}
			}
		}
	} else if m := inside.FindStringSubmatch(text); m != nil {
		name = m[1]
		for _, t := range tagged.FindAllStringSubmatch(m[2], -1) {
			known = append(known, t[1])
		}
	} else {
		return text
	}
	if near := estate.Nearest(name, known); near != "" {
		return fmt.Sprintf("unknown field %q; did you mean %q?", name, near)
	}
	return fmt.Sprintf("unknown field %q; known here: %s", name, strings.Join(known, ", "))
}

// at finds the line of a path of keys and indexes; the nearest line above when it is not there.
func at(n *yaml.Node, path ...any) int {
	line := max(n.Line, 1)
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, step := range path {
		var next *yaml.Node
		switch s := step.(type) {
		case string:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == s {
					next = n.Content[i+1]
				}
			}
		case int:
			if s < len(n.Content) {
				next = n.Content[s]
			}
		}
		if next == nil {
			return line
		}
		n, line = next, next.Line
	}
	return line
}

func (p *parser) policy(f *fileV1, root *yaml.Node) *Policy {
	out := &Policy{
		ID: fmt.Sprintf("%s@%d", f.Policy, f.Version), Name: f.Policy, Version: f.Version, Title: f.Title, Currency: f.Currency, Source: f.Source,
		Cap: f.Cap, Budget: f.Budget, FourEyes: f.FourEyes,
	}
	if !named.MatchString(f.Policy) {
		p.bad(at(root, "policy"), "policy %q: expected a name of a-z, 0-9, - and .", f.Policy)
	}
	if f.Version < 1 {
		p.bad(at(root, "version"), "version %d: expected 1 or more", f.Version)
	}
	if len(f.Currency) != 3 || strings.ToUpper(f.Currency) != f.Currency {
		p.bad(at(root, "currency"), "currency %q: expected three capital letters, as KRW", f.Currency)
	}
	for name, n := range map[string]int64{"cap": f.Cap, "budget": f.Budget, "fourEyes": f.FourEyes} {
		if n < 0 {
			p.bad(at(root, name), "%s %d: expected 0 or more", name, n)
		}
	}
	when, err := time.Parse(time.RFC3339, f.Effective)
	if err != nil && dated.MatchString(f.Effective) {
		when, err = time.Parse(time.DateOnly, f.Effective)
	}
	if err != nil {
		p.bad(at(root, "effective"), "effective %q: expected a date as 2022-12-29 or a time with its zone", f.Effective)
	}
	out.Effective = when.UTC()
	p.bilingual(at(root, "title"), "title", f.Title)
	if len(f.Rules) == 0 {
		p.bad(at(root, "rules"), "a policy without rules decides nothing; expected at least one")
	}
	if len(f.Examples) == 0 {
		p.bad(at(root, "examples"), "a policy without examples cannot be activated; expected at least one")
	}
	names := []string{}
	for i := range f.Rules {
		r := p.rule(&f.Rules[i], root, i)
		if slices.Contains(names, r.Name) {
			p.bad(r.Line, "rule %q stands twice", r.Name)
		}
		names = append(names, r.Name)
		out.Rules = append(out.Rules, r)
	}
	for i := range f.Examples {
		e := p.example(&f.Examples[i], root, i)
		if e.Want.Rule != "" && !slices.Contains(names, e.Want.Rule) {
			p.bad(at(root, "examples", i, "want", "rule"), "no rule %q%s", e.Want.Rule, didYouMean(e.Want.Rule, names))
		}
		out.Examples = append(out.Examples, e)
	}
	for _, r := range out.Rules {
		if !slices.ContainsFunc(out.Examples, func(e Example) bool { return e.Want.Rule == r.Name }) {
			out.Warnings = append(out.Warnings, fmt.Sprintf("%s:%d: no example is decided by rule %q", p.file, r.Line, r.Name))
		}
	}
	return out
}

func didYouMean(name string, known []string) string {
	if near := estate.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return "; known: " + strings.Join(known, ", ")
}

func (p *parser) bilingual(line int, what string, text map[string]string) {
	for _, l := range []string{"ko", "en"} {
		if strings.TrimSpace(text[l]) == "" {
			p.bad(line, "%s: no text in %s; people read it in both languages", what, l)
		}
	}
	for l := range text {
		if l != "ko" && l != "en" {
			p.bad(line, "%s: language %q is not known; expected ko and en", what, l)
		}
	}
}

// oneOf checks a word against the words that there are.
func (p *parser) oneOf(line int, what, word string, known ...string) {
	if !slices.Contains(known, word) {
		p.bad(line, "%s %q%s", what, word, didYouMean(word, known))
	}
}

func (p *parser) rule(f *ruleV1, root *yaml.Node, i int) Rule {
	line := func(field string) int { return at(root, "rules", i, field) }
	r := Rule{
		Name: f.Name, On: f.On, Services: f.Services, Use: f.Use, When: f.When, Form: Form(f.Give), Amount: f.Amount, Cost: f.Cost,
		Hours: f.Hours, Ground: Ground(f.Ground), Reason: f.Reason, Evidence: f.Evidence, Human: f.Human, Line: at(root, "rules", i),
	}
	if r.On == "" {
		r.On = "claim"
	}
	r.no, r.yes = r.Name+": does not apply, not "+r.When, r.Name+": applies"
	if r.When != "" {
		r.yes += ", " + r.When
	}
	if !named.MatchString(f.Name) {
		p.bad(line("name"), "rule %q: expected a name of a-z, 0-9, - and .", f.Name)
	}
	p.oneOf(line("on"), "on", r.On, "claim", "account")
	p.oneOf(line("give"), "give", f.Give, "money", "credit", "points", "coupon", "extension", "nothing")
	if r.Form != Nothing {
		p.oneOf(line("ground"), "ground", f.Ground, "contract", "statute", "goodwill")
	}
	for _, u := range f.Use {
		p.oneOf(line("use"), "use", u, "paid", "free", "none")
	}
	p.bilingual(line("reason"), "reason", f.Reason)
	for _, text := range f.Reason {
		for _, m := range filled.FindAllStringSubmatch(text, -1) {
			p.oneOf(line("reason"), "reason: blank", m[1], "amount", "hours", "service", "outage")
		}
	}
	if r.On == "account" && len(f.Evidence) > 0 {
		p.bad(line("evidence"), "rule %q is on accounts, which are given something unasked: nobody can send papers", f.Name)
	}
	gives := r.Form != Extension && r.Form != Nothing
	switch {
	case gives && f.Amount == "":
		p.bad(r.Line, "rule %q gives %s but no amount", f.Name, f.Give)
	case !gives && f.Amount != "":
		p.bad(line("amount"), "rule %q gives %s, which has no amount", f.Name, f.Give)
	case r.Form == Extension && f.Hours == "":
		p.bad(r.Line, "rule %q gives an extension but no hours", f.Name)
	case r.Form != Extension && f.Hours != "":
		p.bad(line("hours"), "rule %q has hours but gives %s; hours belong to an extension", f.Name, f.Give)
	}
	for _, x := range []struct {
		field, text string
		want        *cel.Type
		to          *program
	}{
		{"when", f.When, cel.BoolType, &r.when},
		{"amount", f.Amount, cel.IntType, &r.amount},
		{"cost", f.Cost, cel.IntType, &r.cost},
		{"hours", f.Hours, cel.IntType, &r.hours},
		{"human", f.Human, cel.BoolType, &r.human},
	} {
		if x.text == "" {
			continue
		}
		prg, err := compile(p.env, x.text, x.want)
		if err != nil {
			for said := range strings.SplitSeq(err.Error(), "\n") {
				p.bad(line(x.field), "%s of rule %q: %s", x.field, f.Name, said)
			}
			continue
		}
		*x.to = prg
	}
	return r
}

func (p *parser) example(f *exampleV1, root *yaml.Node, i int) Example {
	e := Example{Name: f.Name, Line: at(root, "examples", i), Want: Want{
		Rule: f.Want.Rule, Outcome: Outcome(f.Want.Outcome), Form: Form(f.Want.Give), Amount: f.Want.Amount, Hours: f.Want.Hours, Ground: Ground(f.Want.Ground),
	}}
	c := &f.Claim
	e.Case.Claim = Claim{
		ID: f.Name, Service: c.Service, Part: c.Part, Use: c.Use, Kind: c.Kind, Loss: c.Loss, Proven: c.Proven, Best: c.Best, Week: c.Week,
		Evidence: c.Evidence, Flags: c.Flags,
	}
	e.Case.Account = Account{ID: f.Account.ID, Service: c.Service, Plan: f.Account.Plan, Fee: f.Account.Fee}
	e.Case.Outage = Outage{Known: f.Outage.Minutes+f.Outage.Degraded > 0, Minutes: f.Outage.Minutes, Degraded: f.Outage.Degraded}
	if f.Name == "" {
		p.bad(e.Line, "an example has no name")
	}
	if f.Want.Rule == "" && f.Want.Outcome == "" {
		p.bad(e.Line, "example %q wants nothing: give want with a rule or an outcome", f.Name)
	}
	if f.Want.Outcome != "" {
		p.oneOf(at(root, "examples", i, "want", "outcome"), "outcome", f.Want.Outcome, "pay", "refuse", "human")
	}
	return e
}
