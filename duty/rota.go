package duty

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a shift begins at the hour of its zone even where the host has no zone files

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"
)

// What a rota may be at most. A calendar comes from another program, and must not keep
// the leader busy.
const (
	maxRota   = 4 << 20 // bytes
	maxEvents = 5000
	maxShifts = 50000
)

// A Shift is a time in which somebody is on duty.
type Shift struct {
	From   time.Time
	To     time.Time // not in it any more
	Who    []string  // as the calendar calls them
	Crews  []string  // categories of the event; empty: any crew
	Number int       // of the event in the file, from 1
}

// A Rota is who is on duty when, within a window of time.
type Rota struct {
	From, To time.Time // the window
	Shifts   []Shift   // by beginning
}

// ReadRota reads an iCalendar file and works out its shifts between two times. Times
// without a zone are in zone. The error names the event.
func ReadRota(r io.Reader, zone *time.Location, from, to time.Time) (*Rota, error) {
	if !from.Before(to) || to.Sub(from) > 10*366*24*time.Hour {
		return nil, fmt.Errorf("a window from %v to %v is none", from, to)
	}
	limited := &io.LimitedReader{R: r, N: maxRota + 1}
	cal, err := ics.ParseCalendarWithOptions(limited, ics.WithUnknownPropertyHandler(ics.AcceptUnknownPropertyHandler))
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the calendar is larger than %d MiB", maxRota>>20)
	case err != nil:
		return nil, fmt.Errorf("not a calendar: %w", err)
	}
	events := cal.Events()
	if len(cal.CalendarProperties) == 0 && len(events) == 0 {
		return nil, errors.New("not a calendar: it has no BEGIN:VCALENDAR")
	}
	if len(events) > maxEvents {
		return nil, fmt.Errorf("the calendar has %d events: %d at most", len(events), maxEvents)
	}
	b := &builder{zones: zones(cal, zone), rota: &Rota{From: from, To: to}, replaced: map[string]map[int64]bool{}}
	var all []event
	var errs []error
	for i, e := range events {
		ev, err := b.event(e, i+1)
		if err != nil {
			errs = append(errs, fmt.Errorf("event %d (%s): %w", i+1, cut(text(e, ics.PropertySummary), 40), err))
			continue
		}
		all = append(all, ev)
	}
	for _, ev := range all {
		if err := b.shifts(ev); err != nil {
			errs = append(errs, fmt.Errorf("event %d (%s): %w", ev.number, cut(strings.Join(ev.who, ", "), 40), err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(b.rota.Shifts, func(a, c Shift) int { return a.From.Compare(c.From) })
	return b.rota, nil
}

// OnDuty returns who is on duty for a crew at a time, as the calendar calls them, in
// the order in which their shifts began.
func (r *Rota) OnDuty(crew string, now time.Time) []string {
	var who []string
	for _, s := range r.Shifts {
		if s.From.After(now) {
			break
		}
		if !now.Before(s.To) || len(s.Crews) > 0 && crew != "" && !slices.Contains(s.Crews, crew) {
			continue
		}
		for _, w := range s.Who {
			if !slices.Contains(who, w) {
				who = append(who, w)
			}
		}
	}
	return who
}

// event is one entry of the calendar.
type event struct {
	number     int
	uid        string
	start, end time.Time
	allDay     bool
	who, crews []string
	rule       *rrule.RRule
	plus       []time.Time // RDATE
	minus      []time.Time // EXDATE
	override   bool        // it stands for one occurrence of another with the same uid
	cancelled  bool
}

type builder struct {
	zones    func(id string) (*time.Location, error)
	rota     *Rota
	replaced map[string]map[int64]bool // by uid: occurrences that another event stands for
}

func (b *builder) event(e *ics.VEvent, number int) (event, error) {
	ev := event{number: number, uid: text(e, ics.PropertyUid), cancelled: strings.EqualFold(text(e, ics.PropertyStatus), "CANCELLED")}
	start := e.GetProperty(ics.ComponentPropertyDtStart)
	if start == nil {
		return ev, errors.New("it has no DTSTART")
	}
	var err error
	if ev.start, ev.allDay, err = b.time(&start.BaseProperty, start.Value); err != nil {
		return ev, fmt.Errorf("DTSTART: %w", err)
	}
	if ev.end, err = b.end(e, ev); err != nil {
		return ev, err
	}
	if p := e.GetProperty(ics.ComponentProperty(ics.PropertyRecurrenceId)); p != nil {
		at, _, err := b.time(&p.BaseProperty, p.Value)
		switch {
		case err != nil:
			return ev, fmt.Errorf("RECURRENCE-ID: %w", err)
		case len(p.ICalParameters["RANGE"]) > 0:
			return ev, errors.New("RECURRENCE-ID with RANGE changes all later shifts at once, which no calendar agrees on: end the old series and begin a new one")
		}
		if b.replaced[ev.uid] == nil {
			b.replaced[ev.uid] = map[int64]bool{}
		}
		b.replaced[ev.uid][at.Unix()] = true
		ev.override = true
	}
	for _, p := range e.GetProperties(ics.ComponentPropertyCategories) {
		for c := range strings.SplitSeq(p.Value, ",") {
			if c = strings.ToLower(strings.TrimSpace(c)); c != "" {
				ev.crews = append(ev.crews, c)
			}
		}
	}
	if ev.who = who(e); len(ev.who) == 0 && !ev.cancelled {
		return ev, errors.New("it names nobody: write the person into SUMMARY, or invite them (ATTENDEE)")
	}
	return ev, b.recurrence(e, &ev)
}

// end is DTEND, or DTSTART and DURATION; a day for an event of whole days.
func (b *builder) end(e *ics.VEvent, ev event) (time.Time, error) {
	end := ev.start
	if p := e.GetProperty(ics.ComponentPropertyDtEnd); p != nil {
		var err error
		if end, _, err = b.time(&p.BaseProperty, p.Value); err != nil {
			return end, fmt.Errorf("DTEND: %w", err)
		}
	} else if p := e.GetProperty(ics.ComponentPropertyDuration); p != nil {
		days, rest, err := duration(p.Value)
		if err != nil {
			return end, err
		}
		end = ev.start.AddDate(0, 0, days).Add(rest)
	} else if ev.allDay {
		end = ev.start.AddDate(0, 0, 1)
	}
	if !end.After(ev.start) {
		return end, errors.New("it ends before or when it begins")
	}
	if end.Sub(ev.start) > 400*24*time.Hour {
		return end, errors.New("it is longer than a year: let it recur")
	}
	return end, nil
}

func (b *builder) recurrence(e *ics.VEvent, ev *event) error {
	rules := e.GetProperties(ics.ComponentPropertyRrule)
	if len(rules) > 1 {
		return errors.New("it has several RRULEs: make an event of each")
	}
	var err error
	if ev.plus, err = b.times(e, ics.ComponentPropertyRdate); err != nil {
		return fmt.Errorf("RDATE: %w", err)
	}
	if ev.minus, err = b.times(e, ics.ComponentPropertyExdate); err != nil {
		return fmt.Errorf("EXDATE: %w", err)
	}
	if len(rules) == 0 {
		return nil
	}
	o, err := rrule.StrToROptionInLocation(rules[0].Value, ev.start.Location())
	if err != nil {
		return fmt.Errorf("RRULE: %w", err)
	}
	if o.Freq > rrule.HOURLY {
		return errors.New("RRULE: nobody's shift recurs by the minute")
	}
	if o.Interval < 0 || o.Interval > 1000 || o.Count < 0 {
		return errors.New("RRULE: INTERVAL must be 1 to 1000 and COUNT not below 0")
	}
	// A day without a time as the end means all of that day.
	if _, until, ok := strings.Cut(rules[0].Value, "UNTIL="); ok && !strings.Contains(strings.SplitN(until, ";", 2)[0], "T") {
		o.Until = time.Date(o.Until.Year(), o.Until.Month(), o.Until.Day(), 23, 59, 59, 0, ev.start.Location())
	}
	if o.Until.IsZero() || o.Until.After(b.rota.To) {
		o.Until = b.rota.To
	}
	if err := idle(o); err != nil {
		return err
	}
	o.Dtstart = ev.start
	if ev.rule, err = rrule.NewRRule(*o); err != nil {
		return fmt.Errorf("RRULE: %w", err)
	}
	return nil
}

// idle refuses rules that may never come true: those of days and hours would be tried,
// one by one, until the year 9999.
func idle(o *rrule.ROption) error {
	fine := len(o.Bysetpos)+len(o.Bymonthday)+len(o.Byyearday)+len(o.Byweekno)+len(o.Byeaster) > 0
	days := len(o.Byweekday)+len(o.Bymonth)+len(o.Byhour) > 0
	switch {
	case o.Freq == rrule.HOURLY && (fine || days):
		return errors.New("RRULE: a shift that recurs by the hour takes INTERVAL, COUNT and UNTIL only: let it recur by the day")
	case o.Freq >= rrule.WEEKLY && fine:
		return errors.New("RRULE: a shift that recurs by the day or week takes BYDAY, BYMONTH and BYHOUR only: let it recur by the month")
	case o.Freq == rrule.DAILY && o.Interval > 1 && days:
		return errors.New("RRULE: a shift that recurs every few days takes no BYDAY and BYMONTH")
	}
	return nil
}

// shifts adds the occurrences of an event that touch the window.
func (b *builder) shifts(ev event) error {
	if ev.cancelled {
		return nil
	}
	if ev.override || ev.rule == nil && len(ev.plus) == 0 {
		return b.add(ev, ev.start, ev.end)
	}
	var set rrule.Set
	set.DTStart(ev.start)
	if ev.rule != nil {
		set.RRule(ev.rule)
	} else {
		set.RDate(ev.start)
	}
	set.SetExDates(ev.minus)
	for _, t := range ev.plus {
		set.RDate(t)
	}
	next := set.Iterator()
	for n := 0; ; n++ {
		t, ok := next()
		if !ok || !t.Before(b.rota.To) {
			return nil
		}
		if n > 4*maxShifts {
			return errors.New("it recurs too often: 200000 times at most before the window ends")
		}
		if b.replaced[ev.uid][t.Unix()] {
			continue
		}
		if err := b.add(ev, t, ev.endOf(t)); err != nil {
			return err
		}
	}
}

// endOf is the end of an occurrence: whole days stay whole days where clocks change.
func (ev *event) endOf(t time.Time) time.Time {
	if !ev.allDay {
		return t.Add(ev.end.Sub(ev.start))
	}
	y, m, d := ev.start.Date()
	ey, em, ed := ev.end.Date()
	days := int(time.Date(ey, em, ed, 0, 0, 0, 0, time.UTC).Sub(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour))
	return t.AddDate(0, 0, days)
}

func (b *builder) add(ev event, from, to time.Time) error {
	if !from.Before(b.rota.To) || !to.After(b.rota.From) {
		return nil
	}
	if len(b.rota.Shifts) >= maxShifts {
		return fmt.Errorf("the calendar has more than %d shifts", maxShifts)
	}
	b.rota.Shifts = append(b.rota.Shifts, Shift{From: from, To: to, Who: ev.who, Crews: ev.crews, Number: ev.number})
	return nil
}

// times reads a property that lists times, perhaps several times over.
func (b *builder) times(e *ics.VEvent, name ics.ComponentProperty) ([]time.Time, error) {
	var all []time.Time
	for _, p := range e.GetProperties(name) {
		for v := range strings.SplitSeq(p.Value, ",") {
			v, _, _ = strings.Cut(v, "/") // a period: its beginning
			t, _, err := b.time(&p.BaseProperty, v)
			if err != nil {
				return nil, err
			}
			if all = append(all, t); len(all) > maxShifts {
				return nil, errors.New("too many")
			}
		}
	}
	return all, nil
}

// time reads a time or a day.
func (b *builder) time(p *ics.BaseProperty, value string) (t time.Time, day bool, err error) {
	id := ""
	if ids := p.ICalParameters["TZID"]; len(ids) > 0 {
		id = ids[0]
	}
	zone, err := b.zones(id)
	if err != nil {
		return time.Time{}, false, err
	}
	for layout, loc := range map[string]*time.Location{"20060102T150405Z": time.UTC, "20060102T150405": zone, "20060102": zone} {
		if t, err := time.ParseInLocation(layout, value, loc); err == nil {
			if t.Year() < 1970 || t.Year() > 2500 {
				return time.Time{}, false, fmt.Errorf("the year %d is none to be on duty in", t.Year())
			}
			return t.In(zone), layout == "20060102", nil
		}
	}
	return time.Time{}, false, fmt.Errorf("%q is no time such as 20261123T090000", cut(value, 40))
}

// zones returns how the calendar's names of zones are read: as those of the IANA, as
// those of Windows that are in use around here, or as what the calendar itself says.
func zones(cal *ics.Calendar, usual *time.Location) func(id string) (*time.Location, error) {
	for _, p := range cal.CalendarProperties {
		if p.IANAToken == "X-WR-TIMEZONE" {
			if z, err := zoneOf(p.Value); err == nil {
				usual = z
			}
		}
	}
	fixed := map[string]*time.Location{}
	for _, tz := range cal.Timezones() {
		id := tz.GetProperty(ics.ComponentProperty(ics.PropertyTzid))
		var offsets []string
		for _, c := range tz.Components {
			if s, ok := c.(*ics.Standard); ok {
				if p := s.GetProperty(ics.ComponentProperty(ics.PropertyTzoffsetto)); p != nil {
					offsets = append(offsets, p.Value)
				}
			}
		}
		if id == nil || len(tz.Components) != 1 || len(offsets) != 1 { // it changes its clocks
			continue
		}
		if t, err := time.Parse("-0700", offsets[0]); err == nil {
			_, sec := t.Zone()
			fixed[id.Value] = time.FixedZone(id.Value, sec)
		}
	}
	return func(id string) (*time.Location, error) {
		if id == "" {
			return usual, nil
		}
		if z, err := zoneOf(id); err == nil {
			return z, nil
		}
		if z, ok := fixed[id]; ok {
			return z, nil
		}
		return nil, fmt.Errorf("the zone %q is not known: use a name such as Asia/Seoul", cut(id, 60))
	}
}

func zoneOf(id string) (*time.Location, error) {
	id = strings.Trim(strings.TrimSpace(id), `"`)
	windows := map[string]string{
		"Korea Standard Time": "Asia/Seoul", "Tokyo Standard Time": "Asia/Tokyo", "China Standard Time": "Asia/Shanghai",
		"Singapore Standard Time": "Asia/Singapore", "UTC": "UTC", "Pacific Standard Time": "America/Los_Angeles",
		"Eastern Standard Time": "America/New_York", "GMT Standard Time": "Europe/London", "W. Europe Standard Time": "Europe/Berlin",
	}
	if name, ok := windows[id]; ok {
		id = name
	}
	if id == "" || id == "Local" {
		return nil, errors.New("no zone")
	}
	return time.LoadLocation(id)
}

// who are the people that an event is about: those who are invited, or those whom its
// summary names.
func who(e *ics.VEvent) []string {
	var names []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	for _, a := range e.Attendees() {
		if a.ParticipationStatus() != ics.ParticipationStatusDeclined {
			add(a.Email())
		}
	}
	if len(names) > 0 {
		return names
	}
	s := text(e, ics.PropertySummary)
	if _, after, ok := strings.Cut(s, ":"); ok {
		s = after // "on call: kim"
	}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",/&+·;", r) }) {
		add(part)
	}
	return names
}

func text(e *ics.VEvent, name ics.Property) string {
	p := e.GetProperty(ics.ComponentProperty(name))
	if p == nil {
		return ""
	}
	return strings.TrimSpace(ics.FromText(p.Value))
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// duration reads such as P1D, PT12H or P1W.
func duration(s string) (days int, rest time.Duration, err error) {
	bad := fmt.Errorf("DURATION %q is none such as PT12H", cut(s, 40))
	body, ok := strings.CutPrefix(strings.TrimPrefix(s, "+"), "P")
	if !ok || body == "" {
		return 0, 0, bad
	}
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}
	clock := false
	for body != "" {
		if body[0] == 'T' {
			clock, body = true, body[1:]
			continue
		}
		n := strings.IndexFunc(body, func(r rune) bool { return r < '0' || r > '9' })
		if n <= 0 || n > 6 {
			return 0, 0, bad
		}
		count, err := strconv.Atoi(body[:n])
		unit, known := units[body[n]]
		switch {
		case err != nil:
			return 0, 0, bad
		case !clock && body[n] == 'W':
			days += 7 * count
		case !clock && body[n] == 'D':
			days += count
		case clock && known:
			rest += time.Duration(count) * unit
		default:
			return 0, 0, bad
		}
		body = body[n+1:]
	}
	return days, rest, nil
}
