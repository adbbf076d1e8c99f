package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"bongsu/duty"
)

// Duty is how people are woken.
type Duty struct {
	Policy  string  `yaml:"policy" doc:"file of whom to wake for what, see bongsu duty describe; empty: nobody is called"`
	URL     string  `yaml:"url" doc:"where the link of a call leads, such as https://bongsu.example.kr; empty: the console of the node that calls"`
	SMTP    SMTP    `yaml:"smtp" doc:"the mail server of channels of kind mail"`
	Webhook Webhook `yaml:"webhook" doc:"how channels of kind webhook and slack are called"`
	SMS     SMS     `yaml:"sms" doc:"the gateway of channels of kind sms"`
}

func defaultDuty() Duty {
	return Duty{SMTP: DefaultSMTP(), Webhook: DefaultWebhook(), SMS: DefaultSMS()}
}

func (d *Duty) check(that Told) {
	if d.URL != "" {
		u, err := url.Parse(d.URL)
		that(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && !strings.HasSuffix(d.URL, "/"), "duty.url", "is %q: must be a URL without a slash at its end, such as https://bongsu.example.kr", d.URL)
	}
	d.SMTP.Check("duty.smtp", that)
	d.Webhook.Check("duty.webhook", that)
	d.SMS.Check("duty.sms", that)
}

func (d *Duty) resolve(dir string, that Told) {
	d.SMTP.Resolve(dir, "duty.smtp", that)
	d.Webhook.Resolve(dir, "duty.webhook", that)
	d.SMS.Resolve(dir, "duty.sms", that)
	if d.Policy == "" {
		return
	}
	absoluteIn(dir, &d.Policy)
	p, err := LoadDuty(d.Policy)
	if err != nil {
		that(false, "duty.policy", "cannot be used: %v", err)
		return
	}
	for _, c := range p.Channels {
		switch c.Kind {
		case duty.Mail:
			that(d.SMTP.Server != "", "duty.smtp.server", "is missing: the channel %s of %s is mail", c.Name, d.Policy)
		case duty.SMS:
			that(d.SMS.URL != "", "duty.sms.url", "is missing: the channel %s of %s is sms", c.Name, d.Policy)
		}
	}
}

// warnings are about rotas: a calendar that cannot be read must not keep a node from
// starting, for the others who are named can still be called.
func (d *Duty) warnings(now time.Time) []string {
	if d.Policy == "" {
		return nil
	}
	p, err := LoadDuty(d.Policy)
	if err == nil {
		_, err = LoadRotas(d.Policy, p, now)
	}
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// LoadDuty reads and checks the policy of whom to wake for what.
func LoadDuty(file string) (*duty.Policy, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read whom to wake: %w", err)
	}
	return ParseDuty(file, text)
}

// ParseDuty is [LoadDuty] of a text, and touches no file.
func ParseDuty(file string, text []byte) (*duty.Policy, error) {
	p := duty.DefaultPolicy()
	at, err := decode(file, text, &p)
	if err != nil {
		return nil, err
	}
	v := &verdict{place: func(path string) string { return placeOf(file, at, path) }}
	p.Validate(v.that)
	return &p, errors.Join(v.errs...)
}

// How far back and ahead the shifts of a rota are worked out.
const (
	rotaBack  = 24 * time.Hour
	rotaAhead = 60 * 24 * time.Hour
)

// LoadRotas reads the calendars that a policy names; file is that of the policy. What can
// be read is returned besides the error about what cannot.
func LoadRotas(file string, p *duty.Policy, now time.Time) (map[string]*duty.Rota, error) {
	all := map[string]*duty.Rota{}
	var errs []error
	for _, r := range p.Rotas {
		name := r.File
		absoluteIn(filepath.Dir(file), &name)
		rota, err := loadRota(name, r.Zone, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("rota %s: %s: %w", r.Name, name, err))
			continue
		}
		all[r.Name] = rota
	}
	return all, errors.Join(errs...)
}

func loadRota(name, zone string, now time.Time) (*duty.Rota, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if zone == "" {
		zone = "UTC"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, err
	}
	return duty.ReadRota(f, loc, now.Add(-rotaBack), now.Add(rotaAhead))
}

// DescribeDuty writes a policy with every field and what it means. It can be read back.
func DescribeDuty(w io.Writer) error {
	p := duty.DefaultPolicy()
	p.Channels = []duty.Channel{
		{Name: "sms", Kind: duty.SMS, Needs: []string{"sms-gateway"}},
		{Name: "mail", Kind: duty.Mail, Needs: []string{"mail-relay"}},
	}
	p.People = []duty.Person{{Name: "kim", Title: "김봉수", Lang: "ko", Crews: []string{"platform"}}}
	p.Rotas = []duty.Source{{Name: "platform", File: "platform.ics", Zone: "Asia/Seoul"}}
	p.Alarms = []duty.Alarm{{
		Name: "loss", When: []string{duty.Proposed, duty.Declared, duty.Waiting}, Crew: "platform",
		Channels: []string{"sms", "mail"}, Over: duty.DefaultOver, Quiet: duty.DefaultQuiet, Most: duty.DefaultMost,
		Levels: []duty.Level{{Call: []duty.Whom{{Rota: "platform"}}, Wait: 5 * time.Minute, Tries: 2}, {Call: []duty.Whom{{Crew: "platform"}}, Wait: 10 * time.Minute, Tries: 1}},
	}}
	var b strings.Builder
	b.WriteString("# duty.yaml: whom to wake for what. Every field is here; names and values are examples.\n")
	describe(&b, reflect.ValueOf(p), "")
	// A map is shown empty, and nobody can be called who cannot be reached.
	text := strings.Replace(b.String(), "    reach: {}", `    reach: {sms: "010-1234-5678", mail: kim@example.kr}`, 1)
	_, err := io.WriteString(w, text)
	return err
}
