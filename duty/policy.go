package duty

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Policy is whom a company wakes for what.
type Policy struct {
	Version  int       `yaml:"version" doc:"version of this format"`
	Channels []Channel `yaml:"channels" doc:"ways to reach people"`
	People   []Person  `yaml:"people" doc:"who can be reached, and where"`
	Rotas    []Source  `yaml:"rotas" doc:"who is on duty when: iCalendar files"`
	Alarms   []Alarm   `yaml:"alarms" doc:"who is called for what"`

	Waiting time.Duration `yaml:"waiting" doc:"a run that waits for a person so long calls one"`
}

// A Channel is a way to reach people.
type Channel struct {
	Name  string   `yaml:"name" doc:"of the channel"`
	Kind  string   `yaml:"kind" doc:"mail, sms, webhook or slack"`
	Needs []string `yaml:"needs" doc:"what of the estate must be up for it to work, as needs are written there"`
}

// Person is somebody who can be called.
type Person struct {
	Name  string            `yaml:"name" doc:"as alarms call them"`
	Title string            `yaml:"title" doc:"for people"`
	Lang  string            `yaml:"lang" doc:"ko or en"`
	Crews []string          `yaml:"crews" doc:"crews of the estate that they belong to"`
	Reach map[string]string `yaml:"reach" doc:"by channel: mail address, phone number or URL"`
}

// A Source says where a rota is.
type Source struct {
	Name string `yaml:"name" doc:"of the rota"`
	File string `yaml:"file" doc:"iCalendar file, relative to this one"`
	Zone string `yaml:"zone" doc:"of times without one, such as Asia/Seoul"`
}

// An Alarm is who is called for what, in which order.
type Alarm struct {
	Name     string        `yaml:"name" doc:"of the alarm"`
	When     []string      `yaml:"when" doc:"proposed, declared, waiting (a run, for a person) or overdue (a legal duty); empty: all of them"`
	Users    int           `yaml:"users" doc:"only for losses that take services with so many users down"`
	Crew     string        `yaml:"crew" doc:"crew of the estate that is called"`
	Drills   bool          `yaml:"drills" doc:"true: for drills too"`
	Channels []string      `yaml:"channels" doc:"in the order of choice"`
	Over     int           `yaml:"over" doc:"how many of them each person is called over at once"`
	Levels   []Level       `yaml:"levels" doc:"who, and who next when nobody answers; after the last the first again"`
	Quiet    time.Duration `yaml:"quiet" doc:"after an answer, something new calls again no sooner than so long after the last alarm"`
	Most     int           `yaml:"most" doc:"calls that go out in an hour, at most, for one incident"`
}

// A Level is who is called together.
type Level struct {
	Call  []Whom        `yaml:"call" doc:"whom"`
	Wait  time.Duration `yaml:"wait" doc:"for an answer, before the next try or level"`
	Tries int           `yaml:"tries" doc:"how often before the next level"`
}

// Whom names one person, whoever is on duty, or a whole crew.
type Whom struct {
	Rota   string `yaml:"rota" doc:"whoever is on duty"`
	Person string `yaml:"person" doc:"one person"`
	Crew   string `yaml:"crew" doc:"everybody of a crew"`
}

// What holds where a policy says nothing.
const (
	DefaultWaiting = 5 * time.Minute
	DefaultQuiet   = 10 * time.Minute
	DefaultOver    = 2
	DefaultMost    = 60
)

// DefaultPolicy is what a file is read into.
func DefaultPolicy() Policy { return Policy{Version: 1, Waiting: DefaultWaiting} }

// Kinds of channels.
const (
	Mail    = "mail"
	SMS     = "sms"
	Webhook = "webhook"
	Slack   = "slack"
)

// Kinds are those of channels.
func Kinds() []string { return []string{Mail, SMS, Webhook, Slack} }

// What people are called for.
const (
	Proposed = "proposed" // a verdict waits for a person's confirmation
	Declared = "declared" // a loss is declared
	Waiting  = "waiting"  // a run waits for a person
	Overdue  = "overdue"  // a duty with a deadline was not done
)

// Occasions are what people are called for.
func Occasions() []string { return []string{Proposed, Declared, Waiting, Overdue} }

func (a *Alarm) over() int            { return cmp.Or(a.Over, DefaultOver) }
func (a *Alarm) most() int            { return cmp.Or(a.Most, DefaultMost) }
func (a *Alarm) quiet() time.Duration { return cmp.Or(a.Quiet, DefaultQuiet) }

// steps are the levels, each as often as it is tried.
func (a *Alarm) steps() []int {
	var all []int
	for i, l := range a.Levels {
		all = append(all, slices.Repeat([]int{i}, cmp.Or(l.Tries, 1))...)
	}
	return all
}

// Channel returns a channel by name.
func (p *Policy) Channel(name string) (*Channel, bool) {
	i := slices.IndexFunc(p.Channels, func(c Channel) bool { return c.Name == name })
	if i < 0 {
		return nil, false
	}
	return &p.Channels[i], true
}

// Person returns a person by name.
func (p *Policy) Person(name string) (*Person, bool) {
	i := slices.IndexFunc(p.People, func(x Person) bool { return x.Name == name })
	if i < 0 {
		return nil, false
	}
	return &p.People[i], true
}

// Known returns the person whom a calendar calls by a name, a title or an address.
func (p *Policy) Known(called string) (*Person, bool) {
	for i := range p.People {
		x := &p.People[i]
		if strings.EqualFold(x.Name, called) || x.Title != "" && x.Title == called {
			return x, true
		}
		for _, c := range p.Channels {
			if to := x.Reach[c.Name]; to != "" && strings.EqualFold(to, called) {
				return x, true
			}
		}
	}
	return nil, false
}

// Alarm returns an alarm by name.
func (p *Policy) Alarm(name string) (*Alarm, bool) {
	i := slices.IndexFunc(p.Alarms, func(a Alarm) bool { return a.Name == name })
	if i < 0 {
		return nil, false
	}
	return &p.Alarms[i], true
}

// Validate tells everything that is wrong with a policy by itself, each by its path.
func (p *Policy) Validate(that func(ok bool, path, format string, args ...any)) {
	v := &validation{p: p, that: that}
	that(p.Version == 1, "version", "is %d; this program knows version 1", p.Version)
	that(p.Waiting > 0, "waiting", "is %v: must be above 0s", p.Waiting)
	for i, c := range p.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		v.name("channels", path, c.Name)
		v.among(path+".kind", c.Kind, Kinds())
	}
	for i, x := range p.People {
		v.person(fmt.Sprintf("people[%d]", i), &x)
	}
	for i, r := range p.Rotas {
		path := fmt.Sprintf("rotas[%d]", i)
		v.name("rotas", path, r.Name)
		that(r.File != "", path+".file", "is missing: name an iCalendar file")
		_, err := zoneOf(cmp.Or(r.Zone, "UTC"))
		that(err == nil, path+".zone", "is %q: must be such as Asia/Seoul", r.Zone)
	}
	that(len(p.Alarms) > 0, "alarms", "is empty: nobody would be called")
	for i := range p.Alarms {
		v.alarm(fmt.Sprintf("alarms[%d]", i), &p.Alarms[i])
	}
}

type validation struct {
	p    *Policy
	that func(ok bool, path, format string, args ...any)
	seen map[string]bool
}

func (v *validation) name(kind, path, name string) {
	ok := regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,31}$`).MatchString(name)
	v.that(ok, path+".name", "is %q: must be 1 to 32 of a-z, 0-9, . and -, and begin with a letter or digit", name)
	if v.seen == nil {
		v.seen = map[string]bool{}
	}
	v.that(!v.seen[kind+"/"+name], path+".name", "is %q, which another one has too", name)
	v.seen[kind+"/"+name] = true
}

func (v *validation) among(path, got string, choices []string) {
	v.that(slices.Contains(choices, got), path, "is %q: it can be %s", got, strings.Join(choices, ", "))
}

func (v *validation) person(path string, x *Person) {
	v.name("people", path, x.Name)
	v.that(x.Lang == "" || x.Lang == "ko" || x.Lang == "en", path+".lang", "is %q: it can be ko or en", x.Lang)
	v.that(len(x.Reach) > 0, path+".reach", "is empty: %s could not be called", x.Name)
	names := v.channels()
	for _, c := range slices.Sorted(keys(x.Reach)) {
		v.among(path+".reach."+c, c, names)
		v.that(x.Reach[c] != "", path+".reach."+c, "is empty")
	}
}

func (v *validation) channels() []string {
	var names []string
	for _, c := range v.p.Channels {
		names = append(names, c.Name)
	}
	return names
}

func (v *validation) alarm(path string, a *Alarm) {
	v.name("alarms", path, a.Name)
	for i, w := range a.When {
		v.among(fmt.Sprintf("%s.when[%d]", path, i), w, Occasions())
	}
	v.that(a.Users >= 0, path+".users", "is %d: must not be below 0", a.Users)
	names := v.channels()
	for i, c := range a.Channels {
		at := fmt.Sprintf("%s.channels[%d]", path, i)
		v.among(at, c, names)
		v.that(!slices.Contains(a.Channels[:i], c), at, "is %q for the second time", c)
	}
	v.that(len(a.Channels) >= 2, path+".channels", "has %d channels: two at least, because one can go down with what people are called for", len(a.Channels))
	v.that(a.Over >= 0 && a.over() <= max(len(a.Channels), DefaultOver), path+".over", "is %d, but there are %d channels", a.Over, len(a.Channels))
	v.that(a.Most >= 0 && a.most() <= 10000, path+".most", "is %d: must be 1 to 10000", a.Most)
	v.that(a.Quiet >= 0, path+".quiet", "is %v: must not be below 0s", a.Quiet)
	v.that(len(a.Levels) > 0, path+".levels", "is empty: nobody would be called")
	for i, l := range a.Levels {
		at := fmt.Sprintf("%s.levels[%d]", path, i)
		v.that(l.Wait >= 10*time.Second, at+".wait", "is %v: give people 10s at least to answer", l.Wait)
		v.that(l.Tries >= 0 && l.Tries <= 20, at+".tries", "is %d: must be 1 to 20", l.Tries)
		v.that(len(l.Call) > 0, at+".call", "is empty: name a rota, a person or a crew")
		for j, w := range l.Call {
			v.whom(fmt.Sprintf("%s.call[%d]", at, j), w)
		}
	}
}

func (v *validation) whom(path string, w Whom) {
	n := 0
	for _, s := range []string{w.Rota, w.Person, w.Crew} {
		if s != "" {
			n++
		}
	}
	v.that(n == 1, path, "must name exactly one of rota, person and crew")
	if w.Rota != "" {
		var names []string
		for _, r := range v.p.Rotas {
			names = append(names, r.Name)
		}
		v.among(path+".rota", w.Rota, names)
	}
	if w.Person != "" {
		var names []string
		for _, x := range v.p.People {
			names = append(names, x.Name)
		}
		v.among(path+".person", w.Person, names)
	}
	v.that(w.Crew == "" || len(v.p.Crew(w.Crew)) > 0, path+".crew", "is %q, to which nobody belongs", w.Crew)
}

// Crew returns who belongs to a crew.
func (p *Policy) Crew(crew string) []string {
	var names []string
	for _, x := range p.People {
		if slices.Contains(x.Crews, crew) {
			names = append(names, x.Name)
		}
	}
	return names
}
