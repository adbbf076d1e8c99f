package audit

import (
	"embed"
	"fmt"
	"strings"

	"bongsu/internal/lang"
)

//go:embed messages/*.json
var messageFiles embed.FS

// A Reader is whom a page is written for; the zero value reads English.
type Reader struct {
	Lang lang.Lang
	// Tell says in that language what findings say, which they do in English; nil: as they do.
	Tell func(sentence string) string
}

// A writer has the words of a page in the language of its reader.
type writer struct {
	lang     lang.Lang
	messages lang.Catalogues
	tell     func(string) string
}

func (r Reader) writer() (*writer, error) {
	messages, err := lang.Load(messageFiles, "messages")
	if err != nil {
		return nil, err
	}
	w := &writer{lang.English, messages, func(s string) string { return s }}
	if r.Lang != "" {
		w.lang = r.Lang
	}
	if r.Tell != nil {
		w.tell = r.Tell
	}
	return w, nil
}

// text is the message of a key with its arguments in place.
func (w *writer) text(key string, args ...any) string {
	s, err := w.messages.Text(w.lang, key, args...)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", key, err)) // unreachable: pages name messages that there are, in both languages
	}
	return s
}

// clauses tells the words of a proof.
func (w *writer) clauses(words []string) string {
	told := make([]string, len(words))
	for i, s := range words {
		told[i] = w.tell(s)
	}
	return strings.Join(told, "; ")
}

// losses names what was lost, in short.
func (w *writer) losses(names []string) string {
	const most = 5
	switch n := len(names); {
	case n == 0:
		return w.text("losses.none")
	case n > most:
		return w.text("losses.more", names[:most], n-most)
	case n > 1:
		return w.text("losses.and", names[:n-1], names[n-1])
	}
	return names[0]
}

// swept says what was tried beyond the losses that have a name.
func (w *writer) swept(s Swept) string {
	what := s.What
	if types, ok := strings.CutPrefix(what, pairsOfType); ok {
		what = w.text("swept.pairs", types)
	} else if key, ok := map[string]string{everyDomain: "swept.every", anyPairs: "swept.any", usualPairs: "swept.usual"}[what]; ok {
		what = w.text(key)
	}
	return w.text("swept", what, s.Losses)
}
