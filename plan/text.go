package plan

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"bongsu/estate"
	"bongsu/impact"
)

// Text writes the plan for a terminal of so many columns; 0 means 80.
func (p *Plan) Text(w io.Writer, width int) error {
	if width <= 0 {
		width = 80
	}
	t := &text{Writer: bufio.NewWriter(w), p: p, width: max(width, 40)}
	t.headline()
	t.steps()
	t.services()
	t.blockers()
	return t.Flush()
}

type text struct {
	*bufio.Writer
	p     *Plan
	width int
}

func (t *text) line(format string, args ...any) {
	fmt.Fprintln(t, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// fold writes words, folded to the width, the first line after a head and the
// others indented by the width of the head.
func (t *text) fold(head, words string) {
	indent := strings.Repeat(" ", runewidth.StringWidth(head))
	line, empty := head, true
	for word := range strings.FieldsSeq(words) {
		if !empty && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > t.width {
			t.line("%s", line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	t.line("%s", line)
}

func (t *text) headline() {
	p := t.p
	s := p.Snapshot
	var lost []string
	for _, d := range p.Impact.Lost {
		lost = append(lost, titled(s.Domains[d].Name, s.Domains[d].Title))
	}
	more := ""
	if n := len(p.Impact.LostDomains) - len(p.Impact.Lost); n > 0 {
		more = fmt.Sprintf(", and with it %d more domain%s", n, plural(n))
	}
	if len(lost) == 0 {
		lost = []string{"nothing"}
	}
	t.fold("Lost     ", strings.Join(lost, ", ")+more)
	o := p.Objective
	var end time.Duration
	for i := range p.Steps {
		end = max(end, p.Steps[i].Finish)
	}
	switch {
	case len(p.Steps) > 0:
		t.fold("Plan     ", fmt.Sprintf("%d step%s, the last one done after %s", len(p.Steps), plural(len(p.Steps)), span(end)))
	case o.UserMinutes == 0 && o.Stranded == 0:
		t.fold("Plan     ", "nothing to do: no service goes down")
	default:
		t.fold("Plan     ", "no step helps")
	}
	if o.UserMinutes > 0 {
		t.fold("Cost     ", fmt.Sprintf("%s weighted user-minutes; no plan can do with less than %s (gap %s %%)",
			number(o.UserMinutes), number(o.LowerBound), number(math.Round(o.Gap()*1000)/10)))
	}
	if o.Stranded > 0 {
		t.fold("Stranded ", fmt.Sprintf("%s more, for what cannot come back, counted for %s", number(o.Stranded), span(p.Horizon)))
	}
	if p.Partial {
		t.fold("Note     ", "made with a time limit: another machine may find another plan")
	}
}

func (t *text) steps() {
	p := t.p
	if len(p.Steps) == 0 {
		return
	}
	place := make(map[string]int, len(p.Steps))
	for i := range p.Steps {
		place[p.Steps[i].ID] = i + 1
	}
	digits := len(strconv.Itoa(len(p.Steps)))
	t.line("")
	t.line("Steps")
	t.line("%*s %8s %8s  %s", digits+1, "#", "from", "to", "what")
	for i := range p.Steps {
		st := &p.Steps[i]
		head := fmt.Sprintf("%*d %8s %8s  ", digits+1, i+1, span(st.Start), span(st.Finish))
		var notes []string
		for _, u := range st.Crew {
			notes = append(notes, fmt.Sprintf("%s %d", p.Snapshot.Crews[u.Index].Name, u.Count))
		}
		for _, u := range st.Uses {
			notes = append(notes, fmt.Sprintf("%s %d", p.Snapshot.Limits[u.Index].Name, u.Count))
		}
		notes = append(notes, resourceText(st.Room)...)
		if len(st.After) > 0 {
			after := make([]int, len(st.After))
			for k, id := range st.After {
				after[k] = place[id]
			}
			slices.Sort(after)
			notes = append(notes, "after "+join(after))
		}
		if st.Running {
			notes = append(notes, "running")
		}
		line := head + st.ID
		if c := &p.Snapshot.Components[st.Ref.Component]; c.Title != "" {
			line += " " + c.Title
		}
		switch extra := strings.Join(notes, ", "); {
		case extra == "":
			t.line("%s", runewidth.Truncate(line, t.width, "…"))
		case runewidth.StringWidth(line)+2+runewidth.StringWidth(extra) <= t.width:
			t.line("%s  %s", line, extra)
		default:
			t.line("%s", runewidth.Truncate(line, t.width, "…"))
			t.fold(strings.Repeat(" ", len(head)+2), extra)
		}
	}
}

// join writes "1, 3, 4" and leaves the middle of a long list out.
func join(ns []int) string {
	var b strings.Builder
	for i, n := range ns {
		if i == 6 && len(ns) > 8 {
			fmt.Fprintf(&b, " and %d more", len(ns)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

func (t *text) services() {
	p := t.p
	var hit []ServiceTimes
	for _, s := range p.Services {
		if s.State != impact.Up && (s.State != impact.Degraded || len(s.hitParts()) > 0) || s.UpAt == nil {
			hit = append(hit, s)
		}
	}
	if len(hit) == 0 {
		return
	}
	weight := func(s ServiceTimes) float64 {
		sv := &p.Snapshot.Services[s.Service]
		return float64(sv.Users) * sv.Weight
	}
	slices.SortStableFunc(hit, func(a, b ServiceTimes) int { return cmp.Compare(weight(b), weight(a)) })
	t.line("")
	t.line("Services, most weighted users first")
	t.line("%9s %14s  %s", "back", "users", "service")
	for _, s := range hit {
		sv := &p.Snapshot.Services[s.Service]
		note := ""
		if s.UpAt == nil && s.State == impact.Recoverable {
			note = "no room, or no one, is left for it"
		}
		if s.State == TakenDown {
			note = "taken down after " + span(s.DownFrom) + " to make room"
		}
		if m, ok := p.met(s); ok && m.missed {
			miss := "misses its RTO of " + span(m.rto)
			if s.UpAt != nil {
				miss += " by " + span(*s.UpAt-s.DownFrom-m.rto)
			}
			note = strings.TrimPrefix(note+"; "+miss, "; ")
		}
		t.entry(back(s.UpAt, s.State), group(sv.Users), titled(sv.Name, sv.Title), note)
		for _, i := range s.hitParts() {
			part := &sv.Parts[i]
			t.entry(back(s.Parts[i].UpAt, s.Parts[i].State), number(math.Round(part.Share*1000)/10)+" %", "  "+titled(part.Name, part.Title), "")
		}
	}
}

// entry writes a row of the table of services, the note below when it is too long.
func (t *text) entry(back, users, name, note string) {
	head := fmt.Sprintf("%9s %14s  ", back, users)
	if note != "" && runewidth.StringWidth(head+name)+2+runewidth.StringWidth(note) <= t.width {
		name, note = name+"  "+note, ""
	}
	t.line("%s", runewidth.Truncate(head+name, t.width, "…"))
	if note != "" {
		t.fold(strings.Repeat(" ", len(head)+2), note)
	}
}

// hitParts returns the parts that are not there right after the loss.
func (s *ServiceTimes) hitParts() []int {
	var out []int
	for i, k := range s.Parts {
		if k.UpAt == nil || *k.UpAt > 0 {
			out = append(out, i)
		}
	}
	return out
}

func back(at *time.Duration, st impact.State) string {
	switch {
	case at == nil && st == impact.Unrecoverable:
		return "never"
	case at == nil:
		return "not"
	case *at == 0:
		return "up"
	}
	return span(*at)
}

func (t *text) blockers() {
	p := t.p
	if len(p.Blockers) == 0 {
		return
	}
	// Many things wait for the same few: said once, with all that wait.
	type group struct {
		because [][]estate.Ref
		who     []string
	}
	var groups []*group
	byCause := map[string]*group{}
	for _, b := range p.Blockers {
		key := fmt.Sprint(b.Because)
		g := byCause[key]
		if g == nil {
			g = &group{because: b.Because}
			byCause[key] = g
			groups = append(groups, g)
		}
		g.who = append(g.who, p.subject(b))
	}
	t.line("")
	t.line("Cannot come back with what is left, and what it would take")
	for _, g := range groups {
		t.fold("  ", strings.Join(g.who, ", "))
		for i, set := range g.because {
			head := "      takes "
			if i > 0 {
				head = "      or    "
			}
			t.fold(head, strings.Join(p.Impact.Names(set), " and ")+lostNote(set))
		}
	}
}

// lostNote says that a set is not of things to bring up but of places that held
// the only replicas or data.
func lostNote(set []estate.Ref) string {
	if len(set) > 0 && set[0].Kind == estate.KindDomain {
		return " back: nothing else holds it"
	}
	return ""
}

func titled(name, title string) string {
	if title == "" {
		return name
	}
	return name + " " + title
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// span writes a duration with the two largest of its units.
func span(d time.Duration) string {
	if d < 0 {
		return "-" + span(-d)
	}
	units := []struct {
		name string
		long time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}
	for i, u := range units {
		if d < u.long {
			continue
		}
		out := fmt.Sprintf("%d%s", d/u.long, u.name)
		if rest := d % u.long; i+1 < len(units) && rest >= units[i+1].long {
			out += fmt.Sprintf("%d%s", rest/units[i+1].long, units[i+1].name)
		}
		return out
	}
	return "0s"
}

// group writes an integer with its thousands apart.
func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// number writes a figure for people: whole from a hundred on.
func number(v float64) string {
	if math.Abs(v) >= 100 || v == math.Trunc(v) {
		return group(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
