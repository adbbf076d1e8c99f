package web

import (
	"strings"

	"bongsu/internal/lang"
)

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

// NewTell returns what tells a finding of the audit in a language, as its page does.
func NewTell() (func(lang.Lang, string) string, error) {
	messages, err := loadCatalogues()
	if err != nil {
		return nil, err
	}
	return (&Server{messages: messages, sentences: newSentences(messages)}).tell, nil
}

// tell tells what the audit says in the reader's language, by the messages "tell.…" and "say.audit.…". It is like
// [Server.say], but what stands in a place of a pattern is a list of names: the clauses of proofs are so short that longer
// ones would be taken for another.
func (s *Server) tell(l lang.Lang, text string) string {
	if l == lang.English || len(text) > mostSaid {
		return text
	}
	if lost, rest, ok := strings.Cut(text, " lost, "); ok && strings.HasPrefix(lost, "with ") {
		if name := strings.TrimPrefix(lost, "with "); name != "nothing" {
			return s.textOr(l, "say.audit.lost", text, name, s.tell(l, rest))
		}
		return s.textOr(l, "say.audit.standing", text, s.tell(l, rest))
	}
	for _, p := range s.sentences.findings {
		m := p.of.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		args := make([]any, len(m)-1)
		for i, names := range m[1:] {
			if args[i] = s.names(l, names); i == actions(p.key) {
				args[i] = s.wordOr(l, "act."+names, names)
			}
		}
		return s.textOr(l, p.key, text, args...)
	}
	const promised = " was promised, and "
	if one, rest, ok := strings.Cut(text, promised); ok {
		return s.tell(l, one+strings.TrimSuffix(promised, ", and ")) + ", " + s.tell(l, rest)
	}
	if clauses := strings.Split(text, "; "); len(clauses) > 1 {
		for i, c := range clauses {
			clauses[i] = s.tell(l, c)
		}
		return strings.Join(clauses, "; ")
	}
	return s.say(l, text)
}

// names tells the names of one place.
func (s *Server) names(l lang.Lang, text string) string {
	if one, other, ok := strings.Cut(text, " or "); ok && !strings.Contains(text, ", ") {
		return s.textOr(l, "tell.either", text, s.names(l, one), s.names(l, other))
	}
	var out strings.Builder
	for i, name := range s.sentences.between.Split(text, -1) {
		if n, ok := strings.CutSuffix(name, " more"); ok {
			out.WriteString(" " + s.textOr(l, "tell.rest", name, n))
			continue
		}
		if i > 0 {
			out.WriteString(", ")
		}
		if crew, ok := strings.CutPrefix(name, "the crew "); ok {
			name = s.textOr(l, "tell.crew", name, crew)
		} else if one, other, ok := strings.Cut(name, " with "); ok {
			name = s.textOr(l, "tell.pair", name, one, other)
		}
		out.WriteString(name)
	}
	return out.String()
}

// textOr is a message, or what it would say in English.
func (s *Server) textOr(l lang.Lang, key, english string, args ...any) string {
	if told, err := s.messages.Text(l, key, args...); err == nil {
		return told
	}
	return english
}
