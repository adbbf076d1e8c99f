package lang

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Lang is a language, by its tag.
type Lang string

// The languages. English is what a reader gets who asks for neither.
const (
	English Lang = "en"
	Korean  Lang = "ko"
)

// All lists the languages, as switches show them.
func All() []Lang { return []Lang{Korean, English} }

// Known reports whether l is a language that we write.
func Known(l Lang) bool { return slices.Contains(All(), l) }

// Catalogues are the messages of every language, by key.
type Catalogues map[Lang]map[string]string

// Load reads the messages in dir/<language>.json. A key that one language lacks
// is an error: a half-translated page is worse than one that does not start.
func Load(files fs.FS, dir string) (Catalogues, error) {
	all := make(Catalogues)
	for _, l := range All() {
		b, err := fs.ReadFile(files, path.Join(dir, string(l)+".json"))
		if err != nil {
			return nil, fmt.Errorf("messages of %s: %w", l, err)
		}
		var m map[string]string
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, fmt.Errorf("messages of %s: %w", l, err)
		}
		all[l] = m
	}
	en := slices.Sorted(maps.Keys(all[English]))
	for _, l := range All() {
		if have := slices.Sorted(maps.Keys(all[l])); !slices.Equal(en, have) {
			return nil, fmt.Errorf("messages of %s have not the keys of %s: %v", l, English, difference(en, have))
		}
	}
	return all, nil
}

// difference returns what is in one of two sorted slices only.
func difference(a, b []string) []string {
	var d []string
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			d = append(d, x)
		}
	}
	for _, x := range b {
		if _, ok := slices.BinarySearch(a, x); !ok {
			d = append(d, x)
		}
	}
	return d
}

// Has reports whether there is a message of this key.
func (c Catalogues) Has(key string) bool {
	_, ok := c[English][key]
	return ok
}

// Text returns the message with its arguments in place. {0} is the first one, and
// {0:이/가} is followed by the particle that its sound asks for.
// A message with a | has a form for one and one for any other number, chosen by
// the first argument.
func (c Catalogues) Text(l Lang, key string, args ...any) (string, error) {
	m, ok := c[l][key]
	if !ok {
		return "", fmt.Errorf("no message %q in %s", key, l)
	}
	if one, many, plural := strings.Cut(m, "|"); plural {
		m = many
		if len(args) > 0 && fmt.Sprint(args[0]) == "1" {
			m = one
		}
	}
	if len(args) == 0 {
		return m, nil
	}
	return fill(m, args), nil
}

// fill puts the arguments into their places; a brace that is no place stays.
func fill(m string, args []any) string {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(m, "{")
		b.WriteString(before)
		if !open {
			return b.String()
		}
		place, after, closed := strings.Cut(rest, "}")
		index, particles, _ := strings.Cut(place, ":")
		n, err := strconv.Atoi(index)
		if !closed || err != nil || n < 0 || n >= len(args) {
			b.WriteByte('{')
			m = rest
			continue
		}
		text := Argument(args[n])
		b.WriteString(text)
		if with, without, ok := strings.Cut(particles, "/"); ok {
			b.WriteString(particle(text, with, without))
		}
		m = after
	}
}

// particle chooses the form of a Korean particle by how the word before it ends:
// with a consonant or without, and 으로/로 after ㄹ as after a vowel.
func particle(word, with, without string) string {
	word = strings.TrimRight(word, ")]\"'”’ ")
	if word == "" {
		return with
	}
	const none, rieul = 0, 8
	end := none
	switch r := lastRune(word); {
	case r >= '가' && r <= '힣':
		end = int(r-'가') % 28
	case strings.ContainsRune("178lLrR", r): // 일, 칠, 팔, 엘, 알
		end = rieul
	case strings.ContainsRune("036mMnN", r): // 영, 삼, 육, 엠, 엔
		end = 1
	}
	if end == none || end == rieul && without == "로" {
		return without
	}
	return with
}

func lastRune(s string) rune {
	var last rune
	for _, r := range s {
		last = r
	}
	return last
}

// Argument writes one value of a message.
func Argument(a any) string {
	switch a := a.(type) {
	case string:
		return a
	case int:
		return Number(int64(a))
	case int64:
		return Number(a)
	case []string:
		return strings.Join(a, ", ")
	}
	return fmt.Sprint(a)
}

// Choose picks the language that an Accept-Language header likes best.
func Choose(accept string) Lang {
	best, bestQ := English, 0.0
	for item := range strings.SplitSeq(accept, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				continue
			}
			q = f
		}
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if l := Lang(primary); Known(l) && q > bestQ {
			best, bestQ = l, q
		}
	}
	return best
}

// Of returns what a text says in language l, or else in the other one; a text in
// neither is whatever comes first by tag.
func Of[T ~map[string]string](l Lang, text T) string {
	if s := text[string(l)]; s != "" {
		return s
	}
	for _, other := range All() {
		if s := text[string(other)]; s != "" {
			return s
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(text)) {
		if text[tag] != "" {
			return text[tag]
		}
	}
	return ""
}
