package estate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxDuration bounds what a duration may say, so that sums of many stay exact.
const maxDuration = 100 * 365 * 24 * time.Hour

// A unit is a suffix and how many of the base it is.
type unit struct {
	name string
	size float64
}

// durationUnits are the units of a duration, largest first, in nanoseconds.
func durationUnits() [7]unit {
	return [7]unit{
		{"d", float64(24 * time.Hour)},
		{"h", float64(time.Hour)},
		{"m", float64(time.Minute)},
		{"s", float64(time.Second)},
		{"ms", float64(time.Millisecond)},
		{"us", float64(time.Microsecond)},
		{"ns", float64(time.Nanosecond)},
	}
}

// sizeUnits are the units of a size, in bytes.
func sizeUnits() [13]unit {
	return [13]unit{
		{"EiB", 1 << 60},
		{"PiB", 1 << 50},
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"EB", 1e18},
		{"PB", 1e15},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"kB", 1e3},
		{"B", 1},
	}
}

const (
	wantDuration = "a duration such as 90s, 12m, 1h30m or 7d"
	wantSize     = "a size such as 40TiB, 5GB or a number"
	wantDate     = "a date such as 2022-03-01 or a time such as 2022-10-15T15:27:00+09:00"
)

// ParseDuration reads a duration as the estate writes it: numbers with the units
// d, h, m, s, ms, us and ns, the larger unit first, such as 1h30m or 7d. Not negative.
func ParseDuration(s string) (time.Duration, error) {
	units := durationUnits()
	rest, next := s, 0
	var total float64
	if s == "" {
		return 0, fmt.Errorf("no duration")
	}
	var whole time.Duration
	for rest != "" {
		n := numberLen(rest)
		if n == 0 {
			return 0, fmt.Errorf("%q is no duration", s)
		}
		text := rest[:n]
		rest = rest[n:]
		u := strings.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
		if u < 0 {
			u = len(rest)
		}
		name := rest[:u]
		rest = rest[u:]
		if name == "" {
			return 0, fmt.Errorf("%q has no unit", s)
		}
		i := 0
		for i < len(units) && units[i].name != name {
			i++
		}
		if i == len(units) {
			return 0, fmt.Errorf("%q is no unit of time", name)
		}
		if i < next {
			return 0, fmt.Errorf("%q has its units out of order", s)
		}
		next = i + 1
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no number", text)
		}
		total += v * units[i].size
		if total > float64(maxDuration) {
			return 0, fmt.Errorf("%q is longer than 100 years", s)
		}
		if k, err := strconv.ParseInt(text, 10, 64); err == nil {
			whole += time.Duration(k) * time.Duration(units[i].size)
			continue
		}
		part := v * units[i].size
		if r := math.Round(part); math.Abs(r-part) > 1e-3 {
			return 0, fmt.Errorf("%q is finer than a nanosecond", s)
		}
		whole += time.Duration(math.Round(part))
	}
	return whole, nil
}

// numberLen is the length of the digits, with at most one point among them, at
// the start of s.
func numberLen(s string) int {
	n, point := 0, false
	for n < len(s) {
		switch c := s[n]; {
		case c >= '0' && c <= '9':
		case c == '.' && !point && n > 0:
			point = true
		default:
			return n
		}
		n++
	}
	return n
}

// FormatDuration writes a duration as [ParseDuration] reads it.
func FormatDuration(d time.Duration) string { return string(appendDuration(nil, d)) }

func appendDuration(b []byte, d time.Duration) []byte {
	if d <= 0 {
		return append(b, "0s"...)
	}
	left := int64(d)
	for _, u := range durationUnits() {
		if n := left / int64(u.size); n > 0 {
			b = strconv.AppendInt(b, n, 10)
			b = append(b, u.name...)
			left %= int64(u.size)
		}
	}
	return b
}

// ParseSize reads an amount: a plain number, or a number with a unit of bytes
// such as 40TiB or 5GB. Not negative.
func ParseSize(s string) (float64, error) {
	n := numberLen(s)
	if n > 0 && n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		// An exponent: digits after an optional sign, else it is a unit.
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		k := m
		for k < len(s) && s[k] >= '0' && s[k] <= '9' {
			k++
		}
		if k > m {
			n = k
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("%q is no size", s)
	}
	v, err := strconv.ParseFloat(s[:n], 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is no number", s[:n])
	}
	name := strings.TrimPrefix(s[n:], " ")
	if name == "" {
		return v, nil
	}
	if name == "KB" {
		name = "kB"
	}
	for _, u := range sizeUnits() {
		if u.name == name {
			if v *= u.size; math.IsInf(v, 0) {
				return 0, fmt.Errorf("%q is too large", s)
			}
			return v, nil
		}
	}
	return 0, fmt.Errorf("%q is no unit of size", name)
}

// nearestUnit returns s with its last unit replaced by the nearest valid one.
func nearestUnit(s string, valid []string) string {
	cut := strings.LastIndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' || r == ' ' }) + 1
	if cut == 0 || cut == len(s) {
		return ""
	}
	typed := strings.ToLower(s[cut:])
	best := ""
	for _, v := range valid {
		if l := strings.ToLower(v); l == typed || best == "" && strings.HasPrefix(typed, l) || best == "" && strings.HasPrefix(l, typed) {
			best = v
			if l == typed {
				break
			}
		}
	}
	if best == "" {
		return ""
	}
	return s[:cut] + best
}

// FormatSize writes a size as [ParseSize] reads it, in a binary unit from 1GiB
// up where that is exact, in plain bytes otherwise.
func FormatSize(v float64) string { return string(appendSize(nil, v)) }

func appendSize(b []byte, v float64) []byte {
	units := sizeUnits()
	for _, u := range units[:4] {
		if n := v / u.size; n >= 1 && n == math.Trunc(n) && n < 1<<20 {
			b = strconv.AppendFloat(b, n, 'f', -1, 64)
			return append(b, u.name...)
		}
	}
	return appendNumber(b, v)
}

// appendNumber writes a finite number that is not negative, the shortest way
// that reads back as the same.
func appendNumber(b []byte, v float64) []byte {
	if v < 1e15 && (v == 0 || v >= 1e-4) {
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'e', -1, 64)
}

// parseDate reads a date or an RFC 3339 time, in UTC.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range [...]string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func appendDate(b []byte, t time.Time) []byte {
	t = t.UTC()
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.AppendFormat(b, time.DateOnly)
	}
	return t.AppendFormat(b, time.RFC3339Nano)
}

// validName reports whether s is a name: [a-z0-9][a-z0-9.-]*.
func validName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '-'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// maxName is the longest name, so that names fit into keys, labels and tables.
const maxName = 253

// nameLike returns the nearest valid name to one that is not, or "".
func nameLike(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && (r == '.' || r == '-'):
			b.WriteRune(r)
		case b.Len() > 0 && (r == '_' || r == ' ' || r == '/'):
			b.WriteByte('-')
		}
	}
	if n := b.String(); validName(n) {
		return n
	}
	return ""
}
