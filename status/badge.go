package status

import (
	"fmt"
	"html"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Badge draws a small picture of a label and a word, with the shape and colour of
// the level. It is understood without its colour.
func Badge(label, word string, level Level) []byte {
	const height, pad, icon = 22, 8, 16
	left, right := width(label)+2*pad, width(word)+2*pad+icon
	all := left + right
	var b strings.Builder
	name := html.EscapeString(label + ": " + word)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="%[3]s"><title>%[3]s</title>`, all, height, name)
	fmt.Fprintf(&b, `<clipPath id="r"><rect width="%[1]d" height="%[2]d" rx="4"/></clipPath><g clip-path="url(#r)"><path fill="#2f3640" d="M0 0h%[3]dv%[2]dH0z"/><path fill="%[4]s" d="M%[3]d 0h%[5]dv%[2]dH%[3]dz"/></g>`,
		all, height, left, Colour(level), right)
	fmt.Fprintf(&b, `<g transform="translate(%d 3)" fill="none" stroke="#fff" stroke-width="1.800" stroke-linecap="round" stroke-linejoin="round"><path d="%s"/></g>`, left+pad-3, Shape(level))
	fmt.Fprintf(&b, `<g fill="#fff" font-family="Verdana,'Noto Sans KR','Apple SD Gothic Neo','Malgun Gothic',sans-serif" font-size="12"><text x="%d" y="15.500">%s</text><text x="%d" y="15.500">%s</text></g></svg>`,
		pad, html.EscapeString(label), left+pad+icon, html.EscapeString(word))
	return []byte(b.String())
}

// width estimates how wide a text is in the font of a badge.
func width(s string) int {
	w := 0
	for _, r := range s {
		if runewidth.RuneWidth(r) > 1 {
			w += 12
		} else {
			w += 7
		}
	}
	return w
}

// Colour is that of a level, dark enough to carry white letters.
func Colour(l Level) string {
	switch l {
	case Operational:
		return "#1a7f4b"
	case Maintained:
		return "#2b63c6"
	case Degraded:
		return "#9a6200"
	case Restoring:
		return "#7a4fc0"
	case Down:
		return "#c62828"
	case Unknown:
	}
	return "#5f6873"
}

// Shape is the path of a level's sign in a square of 16, drawn as a line, so that
// nobody has to tell colours apart.
func Shape(l Level) string {
	switch l {
	case Operational:
		return "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0zM5.200 8.200l2 2 3.600-4"
	case Maintained:
		return "M3 2.500h10a.5.5 0 0 1 .5.5v10a.5.5 0 0 1-.5.5H3a.5.5 0 0 1-.5-.5V3a.5.5 0 0 1 .5-.5zM8 5v3.300l2.200 1.700"
	case Degraded:
		return "M8 2l6.500 11.500h-13zM8 6.500v3.200M8 11.800v.01"
	case Restoring:
		return "M13.800 6.200A6 6 0 1 0 14 8.600M14 2.500v3.900h-3.900"
	case Down:
		return "M5.500 2h5L14 5.500v5L10.500 14h-5L2 10.500v-5zM5.800 5.800l4.400 4.400M10.200 5.800l-4.400 4.400"
	case Unknown:
	}
	return "M6 6a2 2 0 1 1 2.900 1.800c-.6.3-.9.7-.9 1.400M8 11.700v.01M8 1.800l6.200 6.200L8 14.200 1.800 8z"
}
