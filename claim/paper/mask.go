package paper

import (
	"strings"
	"time"
	"unicode/utf8"
)

// MaskNumbers masks resident and alien registration numbers in a text: the last six digits become stars. It returns how
// many it masked. Digits may be full-width, and there may be blanks, dots or dashes where people put them.
//
// A number is taken for one when its date exists and its check digit is right. Numbers given out since October 2020 have
// no check digit: they are known by the word before them. Numbers of companies, barcodes and parts of longer numbers are
// left alone. The same text masked again stays as it is.
func MaskNumbers(text string) (string, int) { return mask(text, '*') }

// mask replaces the last six digits of each resident number.
func mask(text string, with byte) (string, int) {
	if !strings.Contains(text, "\xef") && !digitsIn(text, residentDigits) { // full-width digits begin with EF
		return text, 0
	}
	digits := digitsOf(text)
	var out []byte
	done, n := 0, 0 // bytes of text that are written, numbers masked
	for i := 0; i+residentDigits <= len(digits); i++ {
		if !resident(text, digits, i) {
			continue
		}
		for _, d := range digits[i+residentDigits-hiddenDigits : i+residentDigits] {
			out = append(append(out, text[done:d.at]...), with)
			done = d.end
		}
		n++
		i += residentDigits - 1
	}
	if n == 0 {
		return text, 0
	}
	return string(append(out, text[done:]...)), n
}

const (
	residentDigits = 13
	hiddenDigits   = 6
)

// A digit of a text, and where it stands.
type digit struct {
	value   byte
	at, end int
}

func digitsOf(text string) []digit {
	var out []digit
	for i, r := range text {
		switch {
		case r >= '0' && r <= '9':
			out = append(out, digit{byte(r - '0'), i, i + 1})
		case r >= '０' && r <= '９':
			out = append(out, digit{byte(r - '０'), i, i + utf8.RuneLen(r)})
		}
	}
	return out
}

// resident says whether the digits from the i-th on are a resident number.
func resident(text string, digits []digit, i int) bool {
	d := digits[i : i+residentDigits]
	if d[residentDigits-1].end-d[0].at > 120 || !stands(text, digits, i) {
		return false
	}
	var n [residentDigits]int
	for k := range n {
		n[k] = int(d[k].value)
	}
	if !born(n) {
		return false
	}
	split, ok := written(text, d)
	if !ok {
		return false
	}
	before := text[max(0, d[0].at-60):d[0].at]
	switch said(before) {
	case saidResident:
		return true
	case saidCompany:
		return false
	case saidNothing:
	}
	if !checked(n) || company(n) {
		return false
	}
	return split || !barcode(n)
}

// stands says whether a number begins and ends where these digits do: it is no part of a longer one.
func stands(text string, digits []digit, i int) bool {
	joined := func(a, b digit) bool {
		gap := text[a.end:b.at]
		if gap == "" {
			return true
		}
		r, size := utf8.DecodeRuneInString(gap)
		return size == len(gap) && (dashes(r) || r == '.' || r == ',' || r == '_' || r == '/')
	}
	last := i + residentDigits - 1
	return (i == 0 || !joined(digits[i-1], digits[i])) && (last+1 == len(digits) || !joined(digits[last], digits[last+1]))
}

func dashes(r rune) bool { return strings.ContainsRune("-‐‑‒–—―−－ー", r) }

// written says whether the gaps between the digits are those that people write, and whether there is one before the last
// seven.
func written(text string, d []digit) (split, ok bool) {
	gap := func(k int) string { return text[d[k].end:d[k+1].at] } // after digit k
	middle := gap(5)
	if utf8.RuneCountInString(middle) > 3 {
		return false, false
	}
	for _, r := range middle {
		if !dashes(r) && r != ' ' && r != '.' && r != '\u00a0' && r != '\u3000' && r != '_' && r != '~' && r != '·' {
			return false, false
		}
	}
	spaced := gap(0) // every digit in a box of its own
	if spaced != "" && spaced != " " {
		return false, false
	}
	for k := range residentDigits - 1 {
		switch g := gap(k); {
		case k == 5:
		case spaced == "" && (k == 1 || k == 3): // 90.01.01
			if g != gap(1) || g != "" && g != "." && g != "-" && g != "/" && g != " " {
				return false, false
			}
		case g != spaced:
			return false, false
		}
	}
	return middle != "", true
}

// born says whether the number begins with a day on which somebody can have been born.
func born(n [residentDigits]int) bool {
	year, month, day := n[0]*10+n[1], n[2]*10+n[3], n[4]*10+n[5]
	switch n[6] {
	case 1, 2, 5, 6:
		year += 1900
	case 3, 4, 7, 8:
		year += 2000
	default: // 9 and 0: born before 1900
		return false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return int(t.Month()) == month && t.Day() == day && year < 2040
}

// checked says whether the last digit is right, for residents or for foreigners.
func checked(n [residentDigits]int) bool {
	sum := 0
	for k := range residentDigits - 1 {
		sum += n[k] * (2 + k%8)
	}
	if n[6] >= 5 { // foreigners
		return (13-sum%11)%10 == n[12]
	}
	return (11-sum%11)%10 == n[12]
}

// company says whether it is the registration number of a company: the office that registers it (11 to 22), its kind and
// a check digit of another sort.
func company(n [residentDigits]int) bool {
	office, kind := n[0]*10+n[1], n[4]*10+n[5]
	if office < 11 || office > 22 || kind < 11 || kind > 31 {
		return false
	}
	sum := 0
	for k := range residentDigits - 1 {
		sum += n[k] * (1 + k%2)
	}
	return (10-sum%10)%10 == n[12]
}

// barcode says whether it is a Korean article number (GS1 880, EAN-13).
func barcode(n [residentDigits]int) bool {
	if n[0] != 8 || n[1] != 8 || n[2] != 0 {
		return false
	}
	sum := 0
	for k := range residentDigits - 1 {
		sum += n[k] * (1 + k%2*2)
	}
	return (10-sum%10)%10 == n[12]
}

// saying is what the words before a number call it.
type saying int

const (
	saidNothing saying = iota
	saidResident
	saidCompany
)

// said looks for the last word that tells what the number is.
func said(before string) saying {
	before = strings.ToLower(before)
	last, out := -1, saidNothing
	for _, w := range []struct {
		word string
		says saying
	}{
		{"주민등록", saidResident},
		{"주민번호", saidResident},
		{"외국인등록", saidResident},
		{"국내거소", saidResident},
		{"resident registration", saidResident},
		{"alien registration", saidResident},
		{"rrn", saidResident},
		{"법인", saidCompany},
		{"사업자", saidCompany},
		{"주문번호", saidCompany},
		{"송장", saidCompany},
		{"계좌", saidCompany},
		{"corporate", saidCompany},
		{"order", saidCompany},
	} {
		if at := strings.LastIndex(before, w.word); at > last {
			last, out = at, w.says
		}
	}
	if last >= 0 && strings.ContainsAny(before[last:], "\n0123456789") {
		return saidNothing // it spoke of another number, or of another line
	}
	return out
}
