package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

//go:embed messages/*.json
var messageFiles embed.FS

// A Lang is a language of the console.
type Lang string

// The languages. English is what a reader gets who asks for neither.
const (
	English Lang = "en"
	Korean  Lang = "ko"
)

func languages() []Lang { return []Lang{Korean, English} }

// Catalogues are the messages of every language, by key.
type catalogues map[Lang]map[string]string

// loadCatalogues reads the embedded messages. A key that one language lacks is
// an error: a half-translated console is worse than one that does not start.
func loadCatalogues() (catalogues, error) {
	all := make(catalogues)
	for _, l := range languages() {
		b, err := messageFiles.ReadFile("messages/" + string(l) + ".json")
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
	for _, l := range languages() {
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

// text returns the message with its arguments in place. {0} is the first one.
// A message with a | has a form for one and one for any other number, chosen by
// the first argument.
func (c catalogues) text(l Lang, key string, args ...any) (string, error) {
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
	pairs := make([]string, 0, 2*len(args))
	for i, a := range args {
		pairs = append(pairs, "{"+strconv.Itoa(i)+"}", argument(a))
	}
	return strings.NewReplacer(pairs...).Replace(m), nil
}

func argument(a any) string {
	switch a := a.(type) {
	case string:
		return a
	case int:
		return number(int64(a))
	case int64:
		return number(a)
	case []string:
		return strings.Join(a, ", ")
	case State:
		return string(a)
	}
	return fmt.Sprint(a)
}

// choose picks the language that an Accept-Language header likes best.
func choose(accept string) Lang {
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
		if l := Lang(primary); slices.Contains(languages(), l) && q > bestQ {
			best, bestQ = l, q
		}
	}
	return best
}
