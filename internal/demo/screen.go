package demo

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/internal/lang"
	"bongsu/web"
)

// width is that of a terminal.
const width = 80

// A screen is what the demo tells while it runs: one line for one thing that
// happened, with the time since the loss. Each kind has a sign and a word of its
// own besides its colour.
type screen struct {
	out    io.Writer
	colour bool
	titles map[string]*estate.Service

	mu       sync.Mutex
	lostAt   time.Time
	detected map[string]bool
	incident string
	leader   string
	plans    int
	done     int
	total    int
}

func newScreen(o Options, titles map[string]*estate.Service) *screen {
	return &screen{out: o.Out, colour: o.Colour, titles: titles, detected: map[string]bool{}}
}

// Colours of the signs.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "36"
)

func (s *screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// line prints one thing that happened, wrapped below its own text.
func (s *screen) line(at time.Time, colour, sign, word, text string) {
	since := "       "
	if !s.lostAt.IsZero() {
		since = fmt.Sprintf("%6.1fs", at.Sub(s.lostAt).Seconds())
	}
	head := fmt.Sprintf("%s  %s ", since, s.paint(colour, runewidth.FillRight(sign+" "+word, 11)))
	for i, l := range wrap(text, width-21) {
		if i > 0 {
			head = strings.Repeat(" ", 21)
		}
		fmt.Fprintln(s.out, head+l)
	}
}

// wrap breaks a text into lines of at most n cells.
func wrap(text string, n int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case runewidth.StringWidth(*last)+1+runewidth.StringWidth(word) <= n:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

func (s *screen) ready(d *demo, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "bongsu demo: %s, %d sites on this machine, each a control node, a\n", d.o.Name, len(d.sites))
	fmt.Fprintf(s.out, "public page and a workload that hosts its components. 1 s here is %s there.\n", spoken(time.Duration(d.speed*float64(time.Second))))
	fmt.Fprintf(s.out, "Ready after %.1f s.\n\n", took.Seconds())
	for _, site := range d.sites {
		var notes []string
		if site == d.leader {
			notes = append(notes, "leads")
		}
		if d.lostSite[site] {
			notes = append(notes, "will be lost")
		}
		note := ""
		if len(notes) > 0 {
			note = "  " + strings.Join(notes, "; ")
		}
		fmt.Fprintf(s.out, "  %s %s%s\n", runewidth.FillRight(site, 12), d.consoles[site], note)
	}
	s.leader = d.leader
	fmt.Fprintf(s.out, "  log in as %s with %s\n", d.user, d.password)
	site := d.sites[0]
	if i := slices.IndexFunc(d.sites, func(s string) bool { return !d.lostSite[s] }); i >= 0 {
		site = d.sites[i]
	}
	fmt.Fprintf(s.out, "  the public reads %s/ (%s)\n\n", d.pages[site], site)
}

func (s *screen) lost(domains []string, killed bool, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lostAt = at
	what := ": its servers went dark"
	if killed {
		what = ": killed with SIGKILL, node, page and workload alike"
	}
	s.line(at, red, "✖", "LOST", strings.Join(domains, ", ")+what)
}

// name returns a subject for people.
func (s *screen) name(x Subject) string {
	svc := s.titles[x.Service]
	name := svc.Name
	if svc.Title != "" {
		name = svc.Title + " " + name
	}
	if x.Part == "" {
		return name
	}
	i := slices.IndexFunc(svc.Parts, func(p estate.Part) bool { return p.Name == x.Part })
	if t := svc.Parts[i].Title; t != "" {
		return name + ": " + t
	}
	return name + ": " + x.Part
}

// changed tells that users see a service go down or come back.
func (s *screen) changed(c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lostAt.IsZero() {
		return
	}
	users := lang.Number(s.titles[c.Service].Users) + " users"
	if c.Up {
		s.line(c.At, green, "▲", "back", s.name(c.Subject)+", "+users)
	} else {
		s.line(c.At, red, "▼", "down", s.name(c.Subject)+", "+users)
	}
}

func (s *screen) wrote(site string, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(s.lostAt.Add(after), blue, "●", "quorum", fmt.Sprintf("the control plane takes writes again (%s, %.2f s)", site, after.Seconds()))
}

// follow tells what the control plane knows, once each.
func (s *screen) follow(n web.Now) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if n.Leader != "" && n.Leader != s.leader {
		s.line(now, blue, "●", "leader", fmt.Sprintf("%s leads now, term %d", n.Leader, n.Term))
		s.leader = n.Leader
	}
	for _, site := range n.Sites {
		if site.State == web.StateLost && !s.detected[site.Name] {
			s.detected[site.Name] = true
			s.line(now, yellow, "◉", "detected", site.Why)
		}
	}
	if n.Incident != nil && n.Incident.ID != s.incident {
		s.incident = n.Incident.ID
		if len(s.detected) == 0 && n.Incident.Sentence != "" {
			s.line(now, yellow, "◉", "detected", n.Incident.Sentence)
		}
		s.line(now, yellow, "◉", "incident", fmt.Sprintf("%s declared by %s", n.Incident.ID, n.Incident.By))
	}
}

// run tells of plans and progress.
func (s *screen) run(r *web.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for ; s.plans < len(r.Plans); s.plans++ {
		p := r.Plans[s.plans]
		text := fmt.Sprintf("%d steps, costs %s user-minutes", p.Steps, amount(p.UserMinutes))
		if s.plans == 0 {
			text += fmt.Sprintf("; no plan costs less than %s (gap %.1f %%)", amount(r.Objective.LowerBound), 100*r.Objective.Gap)
		} else {
			text = "new plan: " + p.Why + "; " + text
		}
		s.line(now, blue, "▶", "plan", text)
	}
	s.done, s.total = r.Progress.Done, r.Progress.Total
}

// told tells that a page has told of the loss, and where to read it.
func (s *screen) told(site, url, words string, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(s.lostAt.Add(after), blue, "✎", "told", fmt.Sprintf("with no person, the public page of %s says: “%s” (%s/)", site, words, url))
}

// board tells that a page shows the recovery board.
func (s *screen) board(site string, lines int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(time.Now(), blue, "✎", "told", fmt.Sprintf("it shows the recovery board (%s), at %s", counted(lines, "line"), site))
}

// agreed tells that all pages say what users see.
func (s *screen) agreed(back string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(time.Now(), blue, "✎", "told", "every surviving page says what users see"+back)
}

// declared reports whether control has declared a loss.
func (s *screen) declared() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.incident != ""
}

// answered tells that the demo stood in for a person.
func (s *screen) answered(w web.Waiting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(time.Now(), yellow, "☎", "asked", w.Step+": "+w.Asks+" (the demo says yes)")
}

func (s *screen) keep(d *demo) {
	for _, site := range d.sites {
		if !d.lostSite[site] {
			fmt.Fprintf(s.out, "\nThe surviving sites go on at %s (console) and\n%s/ (public page); Ctrl-C ends them.\n", d.consoles[site], d.pages[site])
			return
		}
	}
}

// report prints the table of what was planned and what users saw.
func (d *demo) report(im *impact.Impact, run *web.Run, firstWrite time.Duration, seen told, silent string) Outcome {
	s := d.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	planned := map[string]*float64{}
	if run != nil {
		for _, svc := range run.Services {
			planned[svc.Name] = svc.Planned
		}
	}
	order := make([]int, len(im.Services))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &d.o.Estate.Services[a], &d.o.Estate.Services[b]
		return int(math.Copysign(1, float64(y.Users)*y.Weight-float64(x.Users)*x.Weight))
	})
	fmt.Fprintf(s.out, "\n%s %11s %9s %9s %9s %8s\n", runewidth.FillRight("service", 27), "users", "down for", "planned", "back at", "failed")
	outcome, asked, failed := AllBack, 0, 0
	stuck := map[string][]string{} // by reason
	for _, i := range order {
		svc := &d.o.Estate.Services[i]
		subjects := []Subject{{Service: svc.Name}}
		for _, p := range svc.Parts {
			subjects = append(subjects, Subject{svc.Name, p.Name})
		}
		for j, x := range subjects {
			t := d.users.Tally(x)
			asked, failed = asked+t.Asked, failed+t.Failed
			state := im.Services[i].State
			if j > 0 {
				state = im.Services[i].Parts[j-1].State
			}
			down, back := d.downFor(t)
			if !t.Up {
				down, back = "-", "never"
				switch {
				case state == impact.Unrecoverable:
					outcome = max(outcome, SomeUnrecoverable)
					why := reason(im, i, j-1)
					stuck[why] = append(stuck[why], s.name(x))
				case planned[svc.Name] == nil:
					outcome, back = NotBack, "NO ROOM"
				default:
					outcome, back = NotBack, "MISSING"
				}
			}
			if j > 0 && t.Up {
				continue // a part that is back is one line less
			}
			when := "-"
			if p := planned[svc.Name]; j == 0 && p != nil {
				when = fmt.Sprintf("%.1f s", *p)
			}
			label := s.name(x)
			if j > 0 {
				label = "  " + strings.TrimPrefix(label, s.name(subjects[0])+": ")
			}
			fmt.Fprintf(s.out, "%s %11s %9s %9s %9s %8s\n",
				runewidth.FillRight(runewidth.Truncate(label, 27, "…"), 27), lang.Number(svc.Users), down, when, back, lang.Number(int64(t.Failed)))
		}
	}
	fmt.Fprintf(s.out, "\nRequests of users: %s, of which %s failed.\n", lang.Number(int64(asked)), lang.Number(int64(failed)))
	if firstWrite > 0 {
		fmt.Fprintf(s.out, "First write that the control plane accepted after the loss: %.2f s.\n", firstWrite.Seconds())
	}
	if run != nil {
		fmt.Fprintf(s.out, "Steps done: %d of %d.\n", run.Progress.Done, run.Progress.Total)
	}
	hit := slices.ContainsFunc(im.Services, func(x impact.Result) bool {
		return x.State != impact.Up || slices.ContainsFunc(x.Parts, func(p impact.PartResult) bool { return p.State != impact.Up })
	})
	outcome = max(outcome, s.public(seen, silent, hit))
	if len(stuck) > 0 {
		fmt.Fprintln(s.out, "\nWhat could not come back, and why:")
		for _, why := range slices.Sorted(maps.Keys(stuck)) {
			s.item("  - ", why)
			s.item("      ", strings.Join(stuck[why], "; "))
		}
	}
	returned := run != nil && run.Progress.Done > 0
	switch {
	case outcome == AllBack && failed == 0:
		fmt.Fprintln(s.out, s.paint(green, "\nNothing that users use went down: there was nothing to bring back."))
	case outcome == AllBack:
		fmt.Fprintln(s.out, s.paint(green, "\nEverything is back."))
	case outcome == SomeUnrecoverable && returned:
		fmt.Fprintln(s.out, s.paint(yellow, "\nAll that is recoverable is back. The rest waits for what was lost."))
	case outcome == SomeUnrecoverable:
		fmt.Fprintln(s.out, s.paint(yellow, "\nNothing that went down is recoverable: it waits for what was lost."))
	case outcome == NotTold:
		fmt.Fprintln(s.out, s.paint(red, "\nAll that is recoverable is back, and the public was not told so."))
	case d.quorumLost():
		fmt.Fprintln(s.out, s.paint(red, "\nNothing was recovered: too few voting nodes are left for a quorum, so nobody may act."))
	default:
		fmt.Fprintln(s.out, s.paint(red, "\nNot everything that is recoverable came back."))
	}
	return outcome
}

// public tells what the public was told. hit says that the loss took something from users.
func (s *screen) public(seen told, silent string, hit bool) Outcome {
	switch {
	case s.incident == "" && silent != "":
		s.item("", "The public was told nothing of it: control is silent. Since "+silent+" after the loss the surviving pages say by themselves that all is unknown.")
		return AllBack
	case s.incident == "":
		s.item("", "The public was told nothing: no loss was declared.")
		return AllBack
	case seen.first == 0:
		s.item("", "No page said a word of it.")
	default:
		s.item("", fmt.Sprintf("First word on a public page, with no person: %.2f s after the loss.", seen.first.Seconds()))
	}
	if hit && !seen.board {
		s.item("", "No page showed the recovery board.")
	}
	if seen.wrong != "" {
		s.item("", "A page is not what users see: "+seen.wrong+".")
	}
	if seen.first == 0 || hit && !seen.board || seen.wrong != "" {
		return NotTold
	}
	return AllBack
}

// quorumLost reports whether the loss took half of the voting nodes or more.
func (d *demo) quorumLost() bool {
	left := 0
	for _, site := range d.voters {
		if !d.lostSite[site] {
			left++
		}
	}
	return 2*left <= len(d.voters)
}

// downFor returns for how long users could not use a subject, and when they could
// again, from the loss.
func (d *demo) downFor(t Tally) (down, back string) {
	var total time.Duration
	var since, last time.Time
	for _, c := range t.Changes {
		if c.At.Before(d.lostAt.Add(-time.Second)) {
			continue
		}
		if !c.Up {
			since = c.At
		} else if !since.IsZero() {
			total += c.At.Sub(since)
			last = c.At
		}
	}
	if last.IsZero() {
		return "-", "stayed up"
	}
	return fmt.Sprintf("%.1f s", total.Seconds()), fmt.Sprintf("%.1f s", last.Sub(d.lostAt).Seconds())
}

// item prints a text below a mark, wrapped.
func (s *screen) item(mark, text string) {
	for _, l := range wrap(text, width-len(mark)) {
		fmt.Fprintln(s.out, mark+l)
		mark = strings.Repeat(" ", len(mark))
	}
}

// reason says why a service, or a part of one, could not come back.
func reason(im *impact.Impact, service, part int) string {
	because := im.Because(im.Services[service].Ref, 1)
	if part >= 0 {
		because = im.PartBecause(service, part, 1)
	}
	switch {
	case len(because) == 0 || len(because[0]) == 0:
		return "could not run before the loss either:"
	case because[0][0].Kind == estate.KindDomain:
		return "was only in " + strings.Join(im.Names(because[0]), ", ") + ":"
	case len(because[0]) == 1:
		return "waits for " + im.Names(because[0])[0] + ", which nothing that survives can bring back:"
	}
	return "waits for " + strings.Join(im.Names(because[0]), ", ") + ", which nothing that survives can bring back:"
}

// counted names some of a thing.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// amount writes a large number shortly.
func amount(x float64) string {
	switch {
	case x >= 1e9:
		return fmt.Sprintf("%.2f billion", x/1e9)
	case x >= 1e6:
		return fmt.Sprintf("%.1f million", x/1e6)
	}
	return lang.Number(int64(math.Round(x)))
}

// spoken writes a duration as people say it.
func spoken(d time.Duration) string {
	switch {
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
