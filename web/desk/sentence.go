package desk

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"bongsu/internal/lang"
)

// A phrase is a sentence of the record: what it says in English with its blanks, and the key of the message that says the same.
type phrase struct {
	key   string
	is    *regexp.Regexp
	plain int // letters that are not in blanks
}

// phrases are the sentences that the desk knows in both languages, those that say most themselves first.
func phrases(messages lang.Catalogues) []phrase {
	var all []phrase
	blank := regexp.MustCompile(`\\\{\d\\\}`)
	for key, text := range messages[lang.English] {
		if !strings.HasPrefix(key, "say.") {
			continue
		}
		quoted := regexp.QuoteMeta(text)
		rest := blank.ReplaceAllString(quoted, "")
		all = append(all, phrase{key, regexp.MustCompile(`(?s)^` + blank.ReplaceAllString(quoted, `(.*?)`) + `$`), len(rest)})
	}
	slices.SortFunc(all, func(a, b phrase) int { return cmp.Or(b.plain-a.plain, strings.Compare(a.key, b.key)) })
	return all
}

// A sentence is one of the record, as a reader is told it.
type sentence struct {
	Text    string
	Foreign bool // it is English in a page that is not
}

// said says a sentence of the record in the reader's language. Records are written in English once and for all; what is
// not known here is shown as it stands.
func (r *renderer) said(l lang.Lang, text string) sentence {
	if l == lang.English {
		return sentence{Text: text}
	}
	if s, ok := r.phrase(l, text, 0); ok {
		return sentence{Text: s}
	}
	return sentence{text, true}
}

// fewLetters is what a phrase says itself that fits anything: then one of its blanks has to be known.
const fewLetters = 6

// mostNested is how deep sentences stand in blanks of sentences.
const mostNested = 3

func (r *renderer) phrase(l lang.Lang, text string, depth int) (string, bool) {
	for _, kind := range []string{"state", "batch", "form", "outcome", "ground"} {
		if s, err := r.messages.Text(l, kind+"."+text); err == nil && depth > 0 {
			return s, true
		}
	}
	for _, p := range r.phrases {
		m := p.is.FindStringSubmatch(text)
		if m == nil || depth > mostNested {
			continue
		}
		args, known := make([]any, len(m)-1), p.plain >= fewLetters || len(m) == 1
		for i, arg := range m[1:] {
			s, ok := r.phrase(l, arg, depth+1)
			if !ok {
				s = arg
			}
			args[i], known = s, known || ok
		}
		if !known {
			continue
		}
		if s, err := r.messages.Text(l, p.key, args...); err == nil {
			return s, true
		}
	}
	return "", false
}
