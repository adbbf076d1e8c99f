package desk

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bongsu/claim"
	"bongsu/claim/paper"
	"bongsu/internal/lang"
	"bongsu/settle"
)

// A phrase is a sentence of the record: what it says in English with its blanks, and the key of the message that says the same.
type phrase struct {
	key   string
	is    *regexp.Regexp
	plain int // letters that are not in blanks
}

// phrases are the sentences that the desk knows in both languages, those that say most themselves first.
func phrases(messages lang.Catalogues, prefix string) []phrase {
	var all []phrase
	blank := regexp.MustCompile(`\\\{\d\\\}`)
	for key, text := range messages[lang.English] {
		if !strings.HasPrefix(key, prefix) {
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
	if s, ok := r.phrase(l, text, r.phrases, 0); ok {
		return sentence{Text: s}
	}
	return sentence{text, l != lang.English}
}

// reason says why an event happened, if a program wrote that down; what a person wrote stays as it is.
func (r *renderer) reason(l lang.Lang, e *claim.Event) string {
	word := func(group, value string) string {
		if s, err := r.messages.Text(l, group+"."+value); err == nil {
			return s
		}
		return value
	}
	switch e.What {
	case "filed":
		return word("channel", e.Why)
	case "sent a paper":
		return word("evidence", e.Why)
	case "flagged", "flagged, and stopped":
		if e.Who != "policy" {
			return e.Why
		}
		doubts := strings.Split(e.Why, "; ")
		for i, d := range doubts {
			kind, others, _ := strings.Cut(d, ": ")
			if r.messages.Has("flag." + kind) {
				doubts[i] = word("flag", kind) + ": " + others
			} else if others != "" {
				doubts[i] = word("evidence", kind) + ": " + paper.Tell(others, string(l))
			} else {
				doubts[i] = paper.Tell(d, string(l))
			}
		}
		return strings.Join(doubts, "; ")
	case "returned":
		batch, of, _ := strings.Cut(e.Why, ": ")
		code, _, _ := strings.Cut(of, ":")
		if says := settle.Explain(code)[string(l)]; code != "" && e.Who == "bank" && says != "" {
			batch, _ = r.phrase(l, batch, r.phrases, 0)
			return batch + ": " + code + " " + says
		}
	}
	if s, ok := r.phrase(l, e.Why, r.reasons, 0); ok {
		return s
	}
	return e.Why
}

// figure writes an amount with its currency, or a number of many digits, as people read it.
func figure(l lang.Lang, s string) string {
	digits, currency, is := strings.Cut(s, " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil || digits[0] == '+' || digits[0] == '0' && len(digits) > 1:
		return s
	case is && len(currency) == 3 && strings.ToUpper(currency) == currency:
		return money(l, n, currency)
	case !is && len(digits) > 4:
		return lang.Number(n)
	}
	return s
}

// fewLetters is what a phrase says itself that fits anything: then one of its blanks has to be known.
const fewLetters = 6

// mostNested is how deep sentences stand in blanks of sentences.
const mostNested = 3

func (r *renderer) phrase(l lang.Lang, text string, from []phrase, depth int) (string, bool) {
	for _, kind := range []string{"state", "batch", "form", "outcome", "ground"} {
		if s, err := r.messages.Text(l, kind+"."+text); err == nil && depth > 0 {
			return s, true
		}
	}
	for _, p := range from {
		m := p.is.FindStringSubmatch(text)
		if m == nil || depth > mostNested {
			continue
		}
		args, known := make([]any, len(m)-1), p.plain >= fewLetters || len(m) == 1
		for i, arg := range m[1:] {
			s, ok := r.phrase(l, arg, r.phrases, depth+1)
			if !ok {
				s = figure(l, arg)
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
