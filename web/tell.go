package web

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"bongsu/internal/lang"
)

// Clauses are told as the audit says them, in the reader's language, by the messages "tell.…" and "say.audit.…". It is like
// [Server.say], but what stands in a place of a pattern is a list of names: the clauses of proofs are so short that longer
// ones would be taken for another.
type clauses struct {
	s        *Server
	l        lang.Lang
	patterns []pattern
	between  *regexp.Regexp // names
}

// The names that a clause has in one place: "a, b and 9 more", "the crew dba", "north with south".
const (
	oneName   = `(?:the crew [^\s,;]+|[0-9]+ more|[^\s,;]+ with [^\s,;]+|[^\s,;]+)`
	manyNames = `(` + oneName + `(?:(?:, | and | or )` + oneName + `)*)`
)

// actions says where in a pattern the noun of an action stands.
func actions(key string) int {
	switch key {
	case "tell.action-needs", "tell.crew-needs", "tell.action-of-needs":
		return 0
	case "tell.needs-action":
		return 1
	}
	return -1
}

// teller returns what tells a finding in the reader's language.
func (s *Server) teller(l lang.Lang) func(string) string {
	if l == lang.English {
		return func(text string) string { return text }
	}
	hole := regexp.MustCompile(`\\\{[0-9]\\\}`)
	t := &clauses{s: s, l: l, between: regexp.MustCompile(`, | and | or `)}
	for key, text := range s.messages[lang.English] {
		if strings.HasPrefix(key, "tell.") || strings.HasPrefix(key, "say.audit.") {
			t.patterns = append(t.patterns, pattern{key, regexp.MustCompile("^" + hole.ReplaceAllString(regexp.QuoteMeta(text), manyNames) + "$")})
		}
	}
	size := func(p pattern) int { return len(strings.ReplaceAll(p.of.String(), manyNames, "")) }
	slices.SortFunc(t.patterns, func(a, b pattern) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), strings.Compare(a.key, b.key))
	})
	return t.tell
}

func (t *clauses) tell(text string) string {
	if len(text) > mostSaid {
		return text
	}
	if lost, rest, ok := strings.Cut(text, " lost, "); ok && strings.HasPrefix(lost, "with ") {
		if name := strings.TrimPrefix(lost, "with "); name != "nothing" {
			return t.text("say.audit.lost", text, name, t.tell(rest))
		}
		return t.text("say.audit.standing", text, t.tell(rest))
	}
	for _, p := range t.patterns {
		m := p.of.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		args := make([]any, len(m)-1)
		for i, names := range m[1:] {
			if args[i] = t.names(names); i == actions(p.key) {
				args[i] = t.s.wordOr(t.l, "act."+names, names)
			}
		}
		return t.text(p.key, text, args...)
	}
	const promised = " was promised, and "
	if one, rest, ok := strings.Cut(text, promised); ok {
		return t.tell(one+strings.TrimSuffix(promised, ", and ")) + ", " + t.tell(rest)
	}
	if clauses := strings.Split(text, "; "); len(clauses) > 1 {
		for i, c := range clauses {
			clauses[i] = t.tell(c)
		}
		return strings.Join(clauses, "; ")
	}
	return t.s.say(t.l, text)
}

// names tells the names of one place.
func (t *clauses) names(text string) string {
	if one, other, ok := strings.Cut(text, " or "); ok && !strings.Contains(text, ", ") {
		return t.text("tell.either", text, t.names(one), t.names(other))
	}
	var out strings.Builder
	for i, name := range t.between.Split(text, -1) {
		if n, ok := strings.CutSuffix(name, " more"); ok {
			out.WriteString(" " + t.text("tell.rest", name, n))
			continue
		}
		if i > 0 {
			out.WriteString(", ")
		}
		if crew, ok := strings.CutPrefix(name, "the crew "); ok {
			name = t.text("tell.crew", name, crew)
		} else if one, other, ok := strings.Cut(name, " with "); ok {
			name = t.text("tell.pair", name, one, other)
		}
		out.WriteString(name)
	}
	return out.String()
}

// text is a message, or what it would say in English.
func (t *clauses) text(key, english string, args ...any) string {
	if told, err := t.s.messages.Text(t.l, key, args...); err == nil {
		return told
	}
	return english
}
