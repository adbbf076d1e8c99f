package desk

import (
	"strconv"
	"strings"

	"bongsu/internal/lang"
)

// deed says what an event of a claim did, in the reader's language. Records are
// written in English once and for all; what is not known here is shown as it stands.
func (r *renderer) deed(l lang.Lang, what string) string {
	say := func(key string, args ...any) string {
		if s, err := r.messages.Text(l, "what."+key, args...); err == nil {
			return s
		}
		return what
	}
	before, after, _ := strings.Cut(what, ": ")
	switch {
	case strings.HasPrefix(what, "decided: "), strings.HasPrefix(what, "confirmed: "):
		return say(before, r.word(l, "state", after))
	case strings.HasPrefix(what, "proposed: "):
		form, amount, _ := strings.Cut(after, " ")
		n, err := strconv.ParseInt(amount, 10, 64)
		if err != nil {
			return what
		}
		return say("proposed", r.word(l, "form", form), n)
	case strings.HasPrefix(what, "cleared doubts"):
		return say("cleared", r.word(l, "flag", after))
	case strings.HasPrefix(what, "merged into "):
		return say("merged", strings.TrimPrefix(what, "merged into "))
	case strings.HasPrefix(what, "took in "):
		return say("took", strings.TrimPrefix(what, "took in "))
	case strings.HasPrefix(what, "looked at "):
		kind, id, _ := strings.Cut(strings.TrimPrefix(what, "looked at "), " ")
		return say("looked-at", r.word(l, "evidence", kind), id)
	}
	return say(strings.NewReplacer(" ", "-", ",", "").Replace(what))
}
