package incident

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a letter names the time of its country wherever the node runs

	"go.yaml.in/yaml/v3"
)

// A ClockPolicy says which duties an outage brings, by when, and for whom letters are
// written. It is a YAML file; [ShippedPolicy] is the one that comes with the program.
type ClockPolicy struct {
	Version  int               `yaml:"version" json:"version"`
	TimeZone string            `yaml:"timeZone" json:"timeZone"` // of the letters
	Company  map[string]string `yaml:"company" json:"company"`   // who writes, by language
	Contact  map[string]string `yaml:"contact" json:"contact"`   // where users turn to, by language
	Duties   []Duty            `yaml:"duties" json:"duties"`

	zone *time.Location
}

// A Duty is one thing that has to be done because of an outage.
type Duty struct {
	ID    string            `yaml:"id" json:"id"`
	Title map[string]string `yaml:"title" json:"title"`
	Law   map[string]string `yaml:"law" json:"law"`         // the legal ground, by language
	From  string            `yaml:"from" json:"from"`       // since when it is so
	Links []string          `yaml:"sources" json:"sources"` // where it was read
	When  Trigger           `yaml:"when" json:"when"`
	// After is what Within counts from: threshold, when an outage has lasted for
	// When.For, or end, when the last such outage is over.
	After    string              `yaml:"after" json:"after"`
	Within   time.Duration       `yaml:"within" json:"within"`
	Who      string              `yaml:"who" json:"who"` // the role that sees to it
	Channels []string            `yaml:"channels" json:"channels"`
	Exempt   []map[string]string `yaml:"exempt" json:"exempt"` // when it need not be done: a person decides
	Letter   string              `yaml:"letter" json:"letter"` // report, notice or compensation
}

// A Trigger is which outages bring a duty.
type Trigger struct {
	Conditions []Condition   `yaml:"conditions" json:"conditions"`
	For        time.Duration `yaml:"for" json:"for"`     // at least so long
	Users      int64         `yaml:"users" json:"users"` // of services with at least so many
	Paid       bool          `yaml:"paid" json:"paid"`   // of paid services only
	Parts      bool          `yaml:"parts" json:"parts"` // an outage of a part counts as one of its service
}

// What a duty's time can count from.
const (
	AfterThreshold = "threshold"
	AfterEnd       = "end"
)

//go:embed clocks.yaml
var shippedPolicy []byte

// ShippedPolicy returns the text of the policy that comes with the program: the duties
// of Korean law, with their sources.
func ShippedPolicy() []byte { return bytes.Clone(shippedPolicy) }

// DefaultPolicy returns the policy that comes with the program.
func DefaultPolicy() *ClockPolicy {
	p, err := ParsePolicy("clocks.yaml", shippedPolicy)
	if err != nil {
		// unreachable: a test parses it.
		panic(err)
	}
	return p
}

// ParsePolicy reads a policy. What it does not know is an error with its line.
func ParsePolicy(file string, text []byte) (*ClockPolicy, error) {
	p := &ClockPolicy{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	switch err := d.Decode(p); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s is empty: bongsu config clocks prints the policy that is shipped", file)
	case err != nil:
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: one document is expected, and there is another one", file)
	}
	var err error
	if p.zone, err = time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "" {
		return nil, fmt.Errorf("%s: timeZone is %q: write a name such as Asia/Seoul", file, p.TimeZone)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func (p *ClockPolicy) check() error {
	if p.Version != 1 {
		return fmt.Errorf("version is %d; this program knows version 1", p.Version)
	}
	for n := range p.Duties {
		d := &p.Duties[n]
		wrong := func(format string, args ...any) error {
			return fmt.Errorf("duties[%d] (%s): %s", n, d.ID, fmt.Sprintf(format, args...))
		}
		switch {
		case d.ID == "" || strings.ContainsAny(d.ID, "/\\ .") || len(d.ID) > 100:
			return wrong("id is %q: letters, digits and hyphens, for it names a file", d.ID)
		case slices.ContainsFunc(p.Duties[:n], func(o Duty) bool { return o.ID == d.ID }):
			return wrong("id is given twice")
		case d.Title["ko"] == "" || d.Title["en"] == "":
			return wrong("title needs ko and en")
		case d.After != AfterThreshold && d.After != AfterEnd:
			return wrong("after is %q; it is threshold or end", d.After)
		case d.Within < 0 || d.When.For < 0 || d.When.Users < 0:
			return wrong("a time or a number is negative")
		case len(d.When.Conditions) == 0:
			return wrong("when.conditions is empty: name down, degraded or both")
		case !slices.Contains([]string{letterReport, letterNotice, letterCompensation}, d.Letter):
			return wrong("letter is %q; it is report, notice or compensation", d.Letter)
		}
		for _, c := range d.When.Conditions {
			if c != Down && c != Degraded {
				return wrong("when.conditions names %q; it is down or degraded", c)
			}
		}
	}
	return nil
}
