package lang

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Number groups the digits of n by three, as both languages do.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, d := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// Compact writes a large number as people of the language say it: 47.6 M or 4,763만.
func Compact(l Lang, n float64) string {
	units := []struct {
		from float64
		mark string
	}{{1e9, " bn"}, {1e6, " M"}, {1e4, " k"}}
	by := []float64{1e9, 1e6, 1e3}
	if l == Korean {
		units[0].from, units[0].mark = 1e12, "조"
		units[1].from, units[1].mark = 1e8, "억"
		units[2].from, units[2].mark = 1e4, "만"
		by = []float64{1e12, 1e8, 1e4}
	}
	for i, u := range units {
		if math.Abs(n) >= u.from {
			return Short(n/by[i]) + u.mark
		}
	}
	return Number(int64(math.Round(n)))
}

// Short writes three significant digits and never an exponent.
func Short(f float64) string {
	switch a := math.Abs(f); {
	case a >= 100:
		return Number(int64(math.Round(f)))
	case a >= 10:
		return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
	default:
		s := strconv.FormatFloat(f, 'f', 2, 64)
		return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
}

// Span writes a duration in at most two units: 3분 20초, 3 m 20 s.
func Span(l Lang, d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "−", -d
	}
	day, hour, minute, second, ms := " d", " h", " m", " s", " ms"
	if l == Korean {
		day, hour, minute, second, ms = "일", "시간", "분", "초", "밀리초"
	}
	if d > 0 && d < time.Second {
		return sign + strconv.FormatInt(d.Milliseconds(), 10) + ms
	}
	if d < 10*time.Second && d%time.Second >= 50*time.Millisecond {
		return sign + strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + second
	}
	d = d.Round(time.Second)
	units := []struct {
		of   time.Duration
		mark string
	}{{24 * time.Hour, day}, {time.Hour, hour}, {time.Minute, minute}, {time.Second, second}}
	for i, u := range units {
		if d < u.of {
			continue
		}
		out := sign + Number(int64(d/u.of)) + u.mark
		if i+1 < len(units) {
			if rest := d % u.of / units[i+1].of; rest > 0 {
				out += " " + strconv.FormatInt(int64(rest), 10) + units[i+1].mark
			}
		}
		return out
	}
	return "0" + second
}

// Seconds turns the API's seconds into a duration. What would overflow (a
// horizon of centuries) is capped.
func Seconds(s float64) time.Duration {
	const most = float64(math.MaxInt64 / int64(time.Second))
	return time.Duration(min(max(s, -most), most) * float64(time.Second))
}

// Clock writes the time of day in the reader's zone.
func Clock(t time.Time, in *time.Location) string { return t.In(in).Format("15:04:05") }

// Date writes a day as the language does.
func Date(l Lang, t time.Time, in *time.Location) string {
	if l == Korean {
		return t.In(in).Format("2006. 1. 2.")
	}
	return t.In(in).Format("2 Jan 2006")
}

// Zone names the reader's zone at t, for a mark next to a time.
func Zone(t time.Time, in *time.Location) string {
	name, offset := t.In(in).Zone()
	if name == "" || name[0] == '+' || name[0] == '-' {
		return "UTC" + offsetText(offset)
	}
	return name
}

func offsetText(offset int) string {
	sign := "+"
	if offset < 0 {
		sign, offset = "−", -offset
	}
	s := sign + strconv.Itoa(offset/3600)
	if m := offset % 3600 / 60; m > 0 {
		s += ":" + strconv.Itoa(m)
	}
	return s
}

// SameDay reports whether two moments fall on one day of the reader's.
func SameDay(a, b time.Time, in *time.Location) bool {
	return a.In(in).Format(time.DateOnly) == b.In(in).Format(time.DateOnly)
}

// Day writes a day with its weekday, for headings.
func Day(l Lang, t time.Time, in *time.Location) string {
	t = t.In(in)
	if l == Korean {
		days := []string{"일", "월", "화", "수", "목", "금", "토"}
		return t.Format("2006년 1월 2일") + " " + days[t.Weekday()] + "요일"
	}
	return t.Format("Monday 2 January 2006")
}

// Month writes a month, for headings.
func Month(l Lang, t time.Time, in *time.Location) string {
	if l == Korean {
		return t.In(in).Format("2006년 1월")
	}
	return t.In(in).Format("January 2006")
}

// Moment writes a day and the time of day to the minute, the way a sentence has it.
func Moment(l Lang, t time.Time, in *time.Location) string {
	if l == Korean {
		return t.In(in).Format("1월 2일 15:04")
	}
	return t.In(in).Format("2 Jan, 15:04")
}

// Minute writes the time of day without its seconds.
func Minute(t time.Time, in *time.Location) string { return t.In(in).Format("15:04") }
