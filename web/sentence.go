package web

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"bongsu/internal/lang"
)

// Sentences of the detection and of the recovery are stored in English, as their
// records are. For other readers the recurring kinds are told in their language: the
// English message of a key "say.…" is the pattern, and the message of the same key in
// the reader's language is what is said. What fits no pattern stays as it is.
type sentences struct {
	patterns []pattern
	findings []pattern      // of what the audit says
	between  *regexp.Regexp // the names of one place of a finding
}

type pattern struct {
	key string
	of  *regexp.Regexp
}

// sayPrefix is what the keys of sentences begin with.
const sayPrefix = "say."

func newSentences(messages lang.Catalogues) sentences {
	return sentences{
		patterns: patternsOf(messages, "(.+?)", sayPrefix),
		findings: patternsOf(messages, manyNames, "tell.", sayPrefix+"audit."),
		between:  regexp.MustCompile(`, | and | or `),
	}
}

// patternsOf are the messages whose keys begin so; place is what may stand in each of their places.
func patternsOf(messages lang.Catalogues, place string, prefixes ...string) []pattern {
	hole := regexp.MustCompile(`\\\{[0-9]\\\}`)
	var all []pattern
	size := make(map[string]int) // of what is fixed in a pattern
	for key, text := range messages[lang.English] {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			continue
		}
		quoted := regexp.QuoteMeta(text)
		size[key] = len(hole.ReplaceAllString(quoted, ""))
		all = append(all, pattern{key, regexp.MustCompile("^" + hole.ReplaceAllString(quoted, place) + "$")})
	}
	// Where two fit, the one with more words of its own is meant.
	slices.SortFunc(all, func(a, b pattern) int {
		return cmp.Or(cmp.Compare(size[b.key], size[a.key]), cmp.Compare(a.key, b.key))
	})
	return all
}

// mostSaid is how long a sentence may be that is looked at: what is longer was
// written by a person or a program, not by us.
const mostSaid = 4096

// say tells a sentence in the reader's language. The clauses of one are separated by
// semicolons, and each is looked up by itself, after the whole was.
func (s *Server) say(l lang.Lang, text string) string {
	if l == lang.English || len(text) > mostSaid {
		return text
	}
	return s.sayClause(l, text, 0)
}

// sayClause looks up a clause, then its parts; depth bounds how far holes nest.
func (s *Server) sayClause(l lang.Lang, text string, depth int) string {
	if depth > 3 {
		return text
	}
	clauses := strings.Split(text, "; ")
	for _, p := range s.sentences.patterns {
		m := p.of.FindStringSubmatch(text)
		if m == nil || p.of.MatchString(clauses[0]) && len(clauses) > 1 {
			continue // or it fits the first clause, whose last words are not all the rest
		}
		args := make([]any, len(m)-1)
		for i, a := range m[1:] {
			args[i] = s.sayClause(l, a, depth+1)
		}
		if said, err := s.messages.Text(l, p.key, args...); err == nil {
			return said
		}
	}
	if len(clauses) > 1 {
		for i, c := range clauses {
			clauses[i] = s.sayClause(l, c, depth+1)
		}
		return strings.Join(clauses, "; ")
	}
	return text
}
