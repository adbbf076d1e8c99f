package duty

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func seoul(t testing.TB) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// calendar wraps events given as lines of properties.
func calendar(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//KO\r\n")
	for i, e := range events {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nDTSTAMP:20260101T000000Z\r\n")
		if !strings.Contains(e, "UID:") {
			fmt.Fprintf(&b, "UID:e%d\r\n", i)
		}
		b.WriteString(strings.ReplaceAll(strings.TrimSpace(e), "\n", "\r\n") + "\r\nEND:VEVENT\r\n")
	}
	b.WriteString("END:VCALENDAR\r\n")
	return b.String()
}

func rota(t *testing.T, text string) *Rota {
	t.Helper()
	r, err := ReadRota(strings.NewReader(text), seoul(t), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// at reads a time of Seoul, or of what stands after it.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	text, name, ok := strings.Cut(s, " @")
	zone := seoul(t)
	if ok {
		var err error
		if zone, err = time.LoadLocation(name); err != nil {
			t.Fatal(err)
		}
	}
	x, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestOnDuty(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []string
		want   map[string]string // time → names
	}{
		{"a week each, handed over on Mondays at nine", []string{
			"SUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20261102T090000\nDTEND;TZID=Asia/Seoul:20261109T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2",
			"SUMMARY:lee\nDTSTART;TZID=Asia/Seoul:20261109T090000\nDTEND;TZID=Asia/Seoul:20261116T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2",
		}, map[string]string{
			"2026-11-02 08:59": "", "2026-11-02 09:00": "kim", "2026-11-09 08:59": "kim", "2026-11-09 09:00": "lee",
			"2026-11-23 10:00": "lee", "2027-02-01 12:00": "lee", "2027-02-15 12:00": "lee", "2027-02-08 12:00": "kim",
		}},
		{"nights and days of a shift across midnight", []string{
			"SUMMARY:day\nDTSTART;TZID=Asia/Seoul:20261101T080000\nDURATION:PT12H\nRRULE:FREQ=DAILY",
			"SUMMARY:night\nDTSTART;TZID=Asia/Seoul:20261101T200000\nDURATION:PT12H\nRRULE:FREQ=DAILY",
		}, map[string]string{"2026-11-24 03:00": "night", "2026-11-24 08:00": "day", "2026-11-24 19:59": "day", "2026-11-24 20:00": "night"}},
		{"days off", []string{
			"SUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20261101T090000\nDTEND;TZID=Asia/Seoul:20261101T180000\nRRULE:FREQ=DAILY\nEXDATE;TZID=Asia/Seoul:20261123T090000,20261125T090000\nEXDATE:20261127T000000Z",
		}, map[string]string{"2026-11-22 10:00": "kim", "2026-11-23 10:00": "", "2026-11-24 10:00": "kim", "2026-11-25 10:00": "", "2026-11-27 10:00": ""}},
		{"one week was swapped", []string{
			"UID:w\nSUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20261102T090000\nDTEND;TZID=Asia/Seoul:20261109T090000\nRRULE:FREQ=WEEKLY",
			"UID:w\nSUMMARY:park\nRECURRENCE-ID;TZID=Asia/Seoul:20261123T090000\nDTSTART;TZID=Asia/Seoul:20261123T090000\nDTEND;TZID=Asia/Seoul:20261130T090000",
		}, map[string]string{"2026-11-22 10:00": "kim", "2026-11-23 09:00": "park", "2026-11-29 23:00": "park", "2026-11-30 09:00": "kim"}},
		{"one shift was moved, its time in UTC", []string{
			"UID:w\nSUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20261123T090000\nDTEND;TZID=Asia/Seoul:20261123T180000\nRRULE:FREQ=DAILY;COUNT=3",
			"UID:w\nSUMMARY:kim\nRECURRENCE-ID:20261124T000000Z\nDTSTART;TZID=Asia/Seoul:20261124T130000\nDTEND;TZID=Asia/Seoul:20261124T220000",
		}, map[string]string{"2026-11-24 10:00": "", "2026-11-24 21:00": "kim", "2026-11-25 10:00": "kim", "2026-11-26 10:00": ""}},
		{"one shift was called off", []string{
			"UID:w\nSUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20261123T090000\nDTEND;TZID=Asia/Seoul:20261123T180000\nRRULE:FREQ=DAILY",
			"UID:w\nSTATUS:CANCELLED\nRECURRENCE-ID;TZID=Asia/Seoul:20261124T090000\nDTSTART;TZID=Asia/Seoul:20261124T090000\nDTEND;TZID=Asia/Seoul:20261124T180000",
		}, map[string]string{"2026-11-23 10:00": "kim", "2026-11-24 10:00": "", "2026-11-25 10:00": "kim"}},
		{"whole days", []string{
			"SUMMARY:lee\nDTSTART;VALUE=DATE:20261123\nDTEND;VALUE=DATE:20261125",
			"SUMMARY:park\nDTSTART;VALUE=DATE:20261125",
		}, map[string]string{"2026-11-22 23:59": "", "2026-11-23 00:00": "lee", "2026-11-24 23:59": "lee", "2026-11-25 00:00": "park", "2026-11-25 23:59": "park", "2026-11-26 00:00": ""}},
		{"workdays, until a day", []string{
			"SUMMARY:kim\nDTSTART;VALUE=DATE:20261102\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;UNTIL=20261127",
		}, map[string]string{"2026-11-27 12:00": "kim", "2026-11-28 12:00": "", "2026-11-30 12:00": "", "2026-11-23 12:00": "kim", "2026-11-22 12:00": ""}},
		{"last Friday of the month", []string{
			"SUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20261030T220000\nDURATION:P1D\nRRULE:FREQ=MONTHLY;BYDAY=-1FR",
		}, map[string]string{"2026-11-27 23:00": "kim", "2026-11-28 21:59": "kim", "2026-11-28 22:00": "", "2026-12-25 22:00": "kim"}},
		{"more dates", []string{
			"SUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20261123T090000\nDURATION:PT1H\nRDATE;TZID=Asia/Seoul:20261201T090000,20261203T120000",
		}, map[string]string{"2026-11-23 09:30": "kim", "2026-12-01 09:30": "kim", "2026-12-03 12:30": "kim", "2026-12-02 09:30": ""}},
		{"summer time somewhere else: nine stays nine", []string{
			"SUMMARY:jane\nDTSTART;TZID=America/New_York:20261025T090000\nDURATION:PT8H\nRRULE:FREQ=DAILY",
		}, map[string]string{"2026-10-31 09:30 @America/New_York": "", "2026-11-02 09:00 @America/New_York": "jane", "2026-11-02 08:59 @America/New_York": "", "2026-11-02 17:00 @America/New_York": ""}},
		{"zones of Windows", []string{
			"SUMMARY:kim\nDTSTART;TZID=Korea Standard Time:20261123T090000\nDURATION:PT1H",
		}, map[string]string{"2026-11-23 09:30": "kim", "2026-11-23 18:30": ""}},
		{"times without a zone are those of the rota", []string{
			"SUMMARY:kim\nDTSTART:20261123T090000\nDTEND:20261123T100000",
		}, map[string]string{"2026-11-23 09:30": "kim", "2026-11-23 18:30": ""}},
		{"two on duty, some names odd", []string{
			"SUMMARY:당직: 김봉수, lee\nDTSTART;TZID=Asia/Seoul:20261123T090000\nDURATION:PT1H",
			"SUMMARY:당직: 박\\, 부장\nDTSTART;TZID=Asia/Seoul:20261123T093000\nDURATION:PT1H",
			"SUMMARY:on call\nATTENDEE;CN=Choi:mailto:choi@example.kr\nATTENDEE;PARTSTAT=DECLINED:mailto:no@example.kr\nDTSTART;TZID=Asia/Seoul:20261123T110000\nDURATION:PT1H",
		}, map[string]string{"2026-11-23 09:10": "김봉수 lee", "2026-11-23 09:40": "김봉수 lee 박 부장", "2026-11-23 11:10": "choi@example.kr"}},
		{"of one crew", []string{
			"SUMMARY:kim\nCATEGORIES:platform\nDTSTART;TZID=Asia/Seoul:20261123T090000\nDURATION:PT1H",
			"SUMMARY:lee\nCATEGORIES:DBA,network\nDTSTART;TZID=Asia/Seoul:20261123T090000\nDURATION:PT1H",
			"SUMMARY:choi\nDTSTART;TZID=Asia/Seoul:20261123T090000\nDURATION:PT1H",
		}, map[string]string{"2026-11-23 09:10": "kim choi"}},
		{"folded lines", []string{
			"SUMMARY:ki\n m\nDTSTART;TZID=Asia/Seoul:2026\n 1123T090000\nDURATION:PT1H",
		}, map[string]string{"2026-11-23 09:10": "kim"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rota(t, calendar(tt.events...))
			for when, want := range tt.want {
				if got := strings.Join(r.OnDuty("platform", at(t, when)), " "); got != want {
					t.Errorf("at %s %q is on duty, want %q", when, got, want)
				}
			}
		})
	}
}

func TestRotaByItsOwnZone(t *testing.T) {
	text := strings.Replace(calendar("SUMMARY:kim\nDTSTART;TZID=Somewhere:20261123T090000\nDURATION:PT1H"), "BEGIN:VEVENT",
		"BEGIN:VTIMEZONE\r\nTZID:Somewhere\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0900\r\nTZOFFSETTO:+0830\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT", 1)
	if got := rota(t, text).OnDuty("", at(t, "2026-11-23 09:30")); len(got) != 1 {
		t.Errorf("%v is on duty at nine there, want kim", got)
	}
	if got := rota(t, text).OnDuty("", at(t, "2026-11-23 09:29")); len(got) != 0 {
		t.Errorf("%v is on duty before", got)
	}
	text = strings.Replace(calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:PT1H"), "BEGIN:VEVENT", "X-WR-TIMEZONE:UTC\r\nBEGIN:VEVENT", 1)
	if got := rota(t, text).OnDuty("", at(t, "2026-11-23 18:30")); len(got) != 1 {
		t.Errorf("%v is on duty at nine UTC, want kim", got)
	}
}

func TestRotaRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":         {"", "not a calendar"},
		"a web page":      {"<html><body>login</body></html>", "not a calendar"},
		"cut off":         {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:kim\r\n", "event 1|not a calendar"},
		"no beginning":    {calendar("SUMMARY:kim"), "event 1 (kim): it has no DTSTART"},
		"nobody":          {calendar("DTSTART:20261123T090000\nDURATION:PT1H"), "names nobody"},
		"backwards":       {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDTEND:20261122T090000"), "ends before"},
		"no time at all":  {calendar("SUMMARY:kim\nDTSTART:tomorrow"), "is no time"},
		"unknown zone":    {calendar("SUMMARY:kim\nDTSTART;TZID=Asia/Pangyo:20261123T090000\nDURATION:PT1H"), `"Asia/Pangyo" is not known`},
		"every second":    {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=SECONDLY"), "by the minute"},
		"never by day":    {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "by the month"},
		"never by week":   {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO;BYSETPOS=300"), "by the month"},
		"never, at steps": {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU"), "every few days"},
		"hours of days":   {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"), "by the hour"},
		"bad rule":        {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=XX"), "RRULE"},
		"two rules":       {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"), "several RRULEs"},
		"all the later":   {calendar("SUMMARY:kim\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261123T090000\nDTSTART:20261123T090000\nDURATION:PT1H"), "RANGE"},
		"huge duration":   {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:P99999W"), "longer than a year"},
		"bad duration":    {calendar("SUMMARY:kim\nDTSTART:20261123T090000\nDURATION:P1H"), "none such as"},
		"the year nought": {calendar("SUMMARY:kim\nDTSTART:00010101T000000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY"), "the year 1"},
	} {
		r, err := ReadRota(strings.NewReader(tt.text), time.UTC, at(t, "2026-11-01 00:00"), at(t, "2027-01-01 00:00"))
		ok := false
		for want := range strings.SplitSeq(tt.want, "|") {
			ok = ok || err != nil && strings.Contains(err.Error(), want)
		}
		if !ok {
			t.Errorf("%s: got %v, %v; want an error with %q", name, r, err, tt.want)
		}
	}
	big := "BEGIN:VCALENDAR\r\n" + strings.Repeat("X-A:"+strings.Repeat("a", 1000)+"\r\n", 5000) + "END:VCALENDAR\r\n"
	if _, err := ReadRota(strings.NewReader(big), time.UTC, at(t, "2026-11-01 00:00"), at(t, "2027-01-01 00:00")); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("got %v, want that it is too large", err)
	}
}

// The window cuts off nothing that is on at its edges, and an old series costs little.
func TestRotaWindow(t *testing.T) {
	text := calendar("SUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20000103T090000\nDURATION:P7D\nRRULE:FREQ=WEEKLY")
	from, to := at(t, "2026-11-25 00:00"), at(t, "2026-12-05 00:00")
	r, err := ReadRota(strings.NewReader(text), seoul(t), from, to)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Shifts) != 2 || len(r.OnDuty("", from)) != 1 || len(r.OnDuty("", to.Add(-time.Minute))) != 1 {
		t.Errorf("%d shifts: %+v", len(r.Shifts), r.Shifts)
	}
}

// Rules that never come true are not tried for long.
func TestRotaGivesUp(t *testing.T) {
	for _, rule := range []string{
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYDAY=+5MO;BYMONTHDAY=1", "FREQ=MONTHLY;BYSETPOS=300;BYDAY=MO",
	} {
		r := rota(t, calendar("SUMMARY:kim\nDTSTART:20150101T090000\nDURATION:PT1H\nRRULE:"+rule))
		if len(r.Shifts) > 0 {
			t.Errorf("%s: %d shifts", rule, len(r.Shifts))
		}
	}
	r := rota(t, calendar("SUMMARY:kim\nDTSTART:20200101T060000\nDURATION:PT8H\nRRULE:FREQ=HOURLY;INTERVAL=16"))
	if who := r.OnDuty("", at(t, "2026-11-23 07:00")); len(r.Shifts) < 150 || len(who) > 1 {
		t.Errorf("%d shifts of eight hours, %v on duty", len(r.Shifts), who)
	}
}

func TestExampleRota(t *testing.T) {
	f, err := os.Open("../examples/duty/platform.ics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := ReadRota(f, seoul(t), at(t, "2026-11-01 00:00"), at(t, "2027-01-01 00:00"))
	if err != nil {
		t.Fatal(err)
	}
	got := r.OnDuty("platform", at(t, "2026-11-23 12:00"))
	if d := cmp.Diff([]string{"park"}, got); d != "" {
		t.Error(d)
	}
}

func FuzzRota(f *testing.F) {
	f.Add(calendar("SUMMARY:kim\nDTSTART;TZID=Asia/Seoul:20261102T090000\nDTEND;TZID=Asia/Seoul:20261109T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2"))
	f.Add(calendar("SUMMARY:kim\nDTSTART;VALUE=DATE:20261102\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYSETPOS=-1", "UID:e0\nSUMMARY:x\nRECURRENCE-ID:20261102\nDTSTART:20261102\nDURATION:P1D"))
	f.Add(calendar("SUMMARY:kim\nDTSTART:20261102T000000\nDURATION:PT1M\nRRULE:FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30\nEXDATE:20261102T010000"))
	if text, err := os.ReadFile("../examples/duty/platform.ics"); err == nil {
		f.Add(string(text))
	}
	from, to := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadRota(strings.NewReader(text), time.UTC, from, to)
		if err != nil {
			return
		}
		for i, s := range r.Shifts {
			if !s.From.Before(s.To) || !s.From.Before(to) || !s.To.After(from) || len(s.Who) == 0 {
				t.Errorf("shift %d is %+v", i, s)
			}
			if i > 0 && s.From.Before(r.Shifts[i-1].From) {
				t.Errorf("shift %d is out of order", i)
			}
		}
	})
}
