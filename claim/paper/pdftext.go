package paper

import (
	"bytes"
	"strconv"
	"unicode/utf16"
)

// What is searched for numbers at most.
const (
	mostShown = 8 << 20 // bytes of strings
	mostMaps  = 24
	mostCodes = 70_000 // of one map
)

// pdfText gathers what a PDF shows, to look for numbers in it.
type pdfText struct {
	found  bool
	unread bool
	shown  [][]byte // strings as they stand; nil: a new line
	size   int
	maps   []codes
}

// codes says which letters the codes of a font stand for; it keeps those that numbers are made of.
type codes struct {
	width int // bytes of a code
	of    map[uint32]rune
}

// plain looks for numbers in what is no drawing: forms, notes, titles; also as UTF-16, where every other byte is zero.
func (t *pdfText) plain(b []byte) {
	if t.found || !digitsIn(b, residentDigits) {
		return
	}
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.ReplaceAll(b, []byte{0}, nil)
	}
	_, n := MaskNumbers(string(b))
	t.found = n > 0
}

func digitsIn[T string | []byte](b T, least int) bool {
	n := 0
	for i := range len(b) {
		if c := b[i]; c >= '0' && c <= '9' {
			if n++; n == least {
				return true
			}
		}
	}
	return false
}

// content keeps the strings of a drawing, or the map of a font.
func (t *pdfText) content(b []byte) {
	if i := bytes.Index(b, []byte("begincmap")); i >= 0 {
		if len(t.maps) == mostMaps {
			t.unread = true
			return
		}
		if c := readCodes(b[i:]); len(c.of) > 0 {
			t.maps = append(t.maps, c)
		}
		return
	}
	if bytes.Contains(b, []byte("Tj")) || bytes.Contains(b, []byte("TJ")) {
		t.strings(b)
	}
}

// strings reads a drawing: which strings it shows, and where it begins another line.
func (t *pdfText) strings(b []byte) {
	var numbers []float64
	var held [][]byte // strings before their operator
	line := 0.0       // where the last line is
	for len(b) > 0 {
		switch c := b[0]; {
		case c == '(':
			var s []byte
			s, b = literal(b)
			held = append(held, s)
			continue
		case c == '<' && (len(b) == 1 || b[1] != '<'):
			var s []byte
			s, b = hexString(b)
			held = append(held, s)
			continue
		case c == '%':
			i := bytes.IndexAny(b, "\r\n")
			if i < 0 {
				return
			}
			b = b[i:]
			continue
		case !regular(c):
			b = b[1:]
			continue
		}
		k := 1
		for k < len(b) && regular(b[k]) {
			k++
		}
		word := string(b[:k])
		b = b[k:]
		if f, err := strconv.ParseFloat(word, 64); err == nil {
			if len(numbers) < 6 {
				numbers = append(numbers, f)
			}
			if f < -200 && len(held) > 0 { // a gap inside of an array
				held = append(held, []byte(nil))
			}
			continue
		}
		switch word {
		case "Tj", "TJ":
			t.show(held)
		case "'", "\"":
			t.show([][]byte{nil})
			t.show(held)
		case "T*":
			t.show([][]byte{nil})
		case "Td", "TD":
			if len(numbers) == 2 && numbers[1] != 0 {
				t.show([][]byte{nil})
			}
		case "Tm":
			if len(numbers) == 6 {
				if numbers[5] != line {
					t.show([][]byte{nil})
				}
				line = numbers[5]
			}
		}
		numbers, held = numbers[:0], held[:0]
	}
	t.show([][]byte{nil})
}

func (t *pdfText) show(list [][]byte) {
	for _, s := range list {
		if t.size += len(s) + 1; t.size > mostShown {
			t.unread = true
			return
		}
		t.shown = append(t.shown, s)
	}
}

// literal reads a string in round brackets.
func literal(b []byte) (s, rest []byte) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b):
			i++
			switch e := b[i]; {
			case e >= '0' && e <= '7':
				v := 0
				k := 0
				for ; k < 3 && i+k < len(b) && b[i+k] >= '0' && b[i+k] <= '7'; k++ {
					v = v<<3 | int(b[i+k]-'0')
				}
				i += k - 1
				s = append(s, byte(v))
			case e == '\r' || e == '\n': // goes on in the next line
			default:
				s = append(s, e)
			}
		case c == '(':
			if depth++; depth > 1 {
				s = append(s, c)
			}
		case c == ')':
			if depth--; depth == 0 {
				return s, b[i+1:]
			}
			s = append(s, c)
		default:
			s = append(s, c)
		}
	}
	return s, nil
}

// hexString reads a string of hexadecimal digits.
func hexString(b []byte) (s, rest []byte) {
	high, half := byte(0), false
	for i := 1; i < len(b); i++ {
		if b[i] == '>' {
			if half {
				s = append(s, high<<4)
			}
			return s, b[i+1:]
		}
		d, ok := hexDigit(b[i])
		if !ok {
			continue
		}
		if half {
			s = append(s, high<<4|d)
		}
		high, half = d, !half
	}
	return s, nil
}

// resident says whether a number was found, by any reading of what is shown.
func (t *pdfText) resident() bool {
	if t.found {
		return true
	}
	all := append([]codes{{}}, t.maps...)
	for i := range all {
		if _, n := MaskNumbers(all[i].read(t.shown)); n > 0 {
			return true
		}
	}
	return false
}

// read turns what is shown into text. Without a map, bytes are letters.
func (m *codes) read(shown [][]byte) string {
	var out []rune
	for _, s := range shown {
		if s == nil {
			out = append(out, '\n')
			continue
		}
		if m.of == nil {
			for _, c := range s {
				out = append(out, rune(c))
			}
			continue
		}
		for ; len(s) >= m.width; s = s[m.width:] {
			code := uint32(0)
			for _, c := range s[:m.width] {
				code = code<<8 | uint32(c)
			}
			if r, ok := m.of[code]; ok {
				out = append(out, r)
			} else {
				out = append(out, 'x')
			}
		}
	}
	return string(out)
}

// readCodes reads the map of a font: <code> <letter> after beginbfchar, <first> <last> <letter> after beginbfrange.
func readCodes(b []byte) codes {
	m := codes{of: map[uint32]rune{}}
	var held [][]byte
	mode, list := "", -1 // list: where an array of letters began among the strings
	for len(b) > 0 {
		switch c := b[0]; {
		case c == '<' && (len(b) == 1 || b[1] != '<'):
			var s []byte
			s, b = hexString(b)
			held = append(held, s)
			if mode == "beginbfchar" && len(held) == 2 {
				m.put(codeOf(held[0]), len(held[0]), held[1], 0)
				held = held[:0]
			}
			if mode == "beginbfrange" && list < 0 && len(held) == 3 {
				for k := range span(held[0], held[1]) {
					m.put(codeOf(held[0])+k, len(held[0]), held[2], k)
				}
				held = held[:0]
			}
		case c == '[':
			list, b = len(held), b[1:]
		case c == ']':
			if mode == "beginbfrange" && list == 2 && len(held) >= 2 {
				for k := range min(span(held[0], held[1]), uint32(min(len(held)-2, mostCodes))) { //nolint:gosec // mostCodes is small
					m.put(codeOf(held[0])+k, len(held[0]), held[2+k], 0)
				}
			}
			held, list, b = held[:0], -1, b[1:]
		case regular(c):
			k := 1
			for k < len(b) && regular(b[k]) {
				k++
			}
			mode, held, list = string(b[:k]), held[:0], -1
			b = b[k:]
		default:
			b = b[1:]
		}
	}
	return m
}

// span is how many codes are between two, both counted.
func span(first, last []byte) uint32 {
	a, b := codeOf(first), codeOf(last)
	if b < a || b-a > mostCodes {
		return 0
	}
	return b - a + 1
}

func codeOf(s []byte) uint32 {
	code := uint32(0)
	for _, c := range s[:min(len(s), 4)] {
		code = code<<8 | uint32(c)
	}
	return code
}

// put maps a code to the k-th letter after one.
func (m *codes) put(code uint32, width int, letter []byte, k uint32) {
	if len(letter) < 2 || width < 1 || width > 2 || len(m.of) >= mostCodes {
		return
	}
	units := make([]uint16, len(letter)/2)
	for i := range units {
		units[i] = uint16(letter[2*i])<<8 | uint16(letter[2*i+1])
	}
	if r := utf16.Decode(units)[0] + rune(k&0xfffff); r >= ' ' && r < 0x10000 {
		m.width = width
		m.of[code] = r
	}
}
