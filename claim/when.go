package claim

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	dayOf   = regexp.MustCompile(`^(\d{4})\s*(?:[-./]|년)\s*(\d{1,2})\s*(?:[-./]|월)\s*(\d{1,2})\s*(?:\.|일)?`)
	plainOf = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?)?$`)
	clockOf = regexp.MustCompile(`^(?:[T\s,]|\([월화수목금토일]\))*(오전|오후|(?i:am|pm))?\s*(\d{1,2})\s*(?:(?::|시)\s*(?:(\d{1,2})\s*(?:분|:)?\s*(?:(\d{1,2})(?:\.\d+)?\s*초?)?)?)\s*((?i:am|pm))?\s*(Z|[+-]\d{2}:?\d{2})?$`)
	week    = regexp.MustCompile(`^\s*\([월화수목금토일]\)$`)
)

// Days that a spreadsheet counts from the end of 1899; 1954 to 2118, so that no other number is taken for one.
const (
	firstSerial = 20_000
	lastSerial  = 80_000
)

// parseWhen reads a moment as people in Korean offices write it, or as RFC 3339, or as spreadsheets count days. Where a
// zone is not written, it is the one given. A day without a time is its beginning, or with end its end.
func parseWhen(s string, zone *time.Location, end bool) (time.Time, error) {
	s = strings.TrimSpace(s)
	bad := fmt.Errorf("%q: expected a time as 2022-10-15 15:19 or 2022년 10월 15일 오후 3시 19분", clipped(s))
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return inRange(t, bad)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= firstSerial && f < lastSerial {
		day, part := math.Modf(f)
		t := time.Date(1899, 12, 30+int(day), 0, 0, int(math.Round(part*86_400)), 0, zone)
		if part == 0 && end {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	if m := plainOf.FindStringSubmatch(s); m != nil {
		return moment(m[1:4], m[4:7], zone, m[4] == "" && end, bad)
	}
	m := dayOf.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, bad
	}
	rest := s[len(m[0]):]
	if strings.TrimSpace(rest) == "" || week.MatchString(rest) {
		return moment(m[1:4], []string{"", "", ""}, zone, end, bad)
	}
	c := clockOf.FindStringSubmatch(rest)
	if c == nil || c[1] != "" && c[5] != "" {
		return time.Time{}, bad
	}
	hour, err := strconv.Atoi(c[2])
	if err != nil {
		return time.Time{}, bad
	}
	switch half := strings.ToLower(c[1] + c[5]); {
	case half == "":
	case hour < 1 || hour > 12:
		return time.Time{}, bad
	default:
		hour %= 12
		if half == "오후" || half == "pm" {
			hour += 12
		}
	}
	if c[6] != "" {
		off, err := time.Parse("Z0700", strings.Replace(c[6], ":", "", 1))
		if err != nil {
			return time.Time{}, bad
		}
		zone = off.Location()
	}
	return moment(m[1:4], []string{strconv.Itoa(hour), c[3], c[4]}, zone, false, bad)
}

// moment puts a day and a clock together, both in digits. 24:00 is the end of a day, as timetables have it.
func moment(day, clock []string, zone *time.Location, end bool, bad error) (time.Time, error) {
	var n [6]int
	for i, s := range append(append([]string{}, day...), clock...) {
		if s == "" {
			continue
		}
		v, err := strconv.Atoi(s)
		if err != nil {
			return time.Time{}, bad
		}
		n[i] = v
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, zone)
	if d := time.Date(n[0], time.Month(n[1]), n[2], 0, 0, 0, 0, time.UTC); int(d.Month()) != n[1] || d.Day() != n[2] ||
		n[3] > 24 || n[4] > 59 || n[5] > 59 || n[3] == 24 && n[4]+n[5] > 0 {
		return time.Time{}, bad
	}
	if end {
		t = t.AddDate(0, 0, 1)
	}
	return inRange(t, bad)
}

// inRange refuses years that no store and no JSON holds.
func inRange(t time.Time, bad error) (time.Time, error) {
	if y := t.Year(); y < 1900 || y > 2200 {
		return time.Time{}, bad
	}
	return t, nil
}

// clipped is the beginning of what somebody typed, for an error.
func clipped(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
