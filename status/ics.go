package status

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An Event is planned work as a calendar has it.
type Event struct {
	ID      string
	Title   string
	About   string // plain text
	Link    string
	From    time.Time
	Until   time.Time
	Changed time.Time // when it was last told of
	Version int       // grows with every change
}

// Calendar writes events as iCalendar (RFC 5545), in UTC.
func Calendar(name, host string, events []Event) []byte {
	var b strings.Builder
	line := func(key, value string) { fold(&b, key+":"+value) }
	stamp := func(t time.Time) string { return t.UTC().Format("20060102T150405Z") }
	line("BEGIN", "VCALENDAR")
	line("VERSION", "2.0")
	line("PRODID", "-//bongsu//status//EN")
	line("CALSCALE", "GREGORIAN")
	line("METHOD", "PUBLISH")
	line("X-WR-CALNAME", escapeICS(name))
	line("REFRESH-INTERVAL;VALUE=DURATION", "PT1H")
	for _, e := range events {
		line("BEGIN", "VEVENT")
		line("UID", opaque("maintenance", e.ID)+"@"+host)
		line("DTSTAMP", stamp(e.Changed))
		line("SEQUENCE", strconv.Itoa(e.Version))
		line("DTSTART", stamp(e.From))
		line("DTEND", stamp(e.Until))
		line("SUMMARY", escapeICS(e.Title))
		if e.About != "" {
			line("DESCRIPTION", escapeICS(e.About))
		}
		line("URL", strings.Map(printable, e.Link))
		line("TRANSP", "TRANSPARENT")
		line("END", "VEVENT")
	}
	line("END", "VCALENDAR")
	return []byte(b.String())
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

func escapeICS(s string) string {
	s = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(s)
	return strings.Map(printable, s)
}

// fold writes a line of at most 75 octets, and what is more on lines of its own that
// begin with a space. No letter is cut in two.
func fold(b *strings.Builder, s string) {
	for room := 75; len(s) > room; room = 74 {
		cut := room
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		b.WriteString(s[:cut] + "\r\n ")
		s = s[cut:]
	}
	b.WriteString(s + "\r\n")
}
