package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Encryption is how a connection to a mail server is protected.
type Encryption string

// The ways.
const (
	StartTLS Encryption = "starttls" // must be offered, or nothing is sent
	Implicit Encryption = "tls"      // from the first byte
	Plain    Encryption = "none"
)

func (Encryption) choices() []string {
	return []string{string(StartTLS), string(Implicit), string(Plain)}
}

// Auth is how a mail server gets to know us.
type Auth string

// The mechanisms.
const (
	AuthPlain Auth = "plain"
	AuthLogin Auth = "login"
	AuthScram Auth = "scram-sha-256"
)

func (Auth) choices() []string {
	return []string{string(AuthPlain), string(AuthLogin), string(AuthScram)}
}

// SMTP is a mail server that takes our mail.
type SMTP struct {
	Server      string        `yaml:"server" doc:"host:port of the mail server; empty: no mail is sent"`
	Encryption  Encryption    `yaml:"encryption" doc:"starttls, tls (from the first byte) or none"`
	CA          string        `yaml:"ca" doc:"PEM file of who signs its certificate; empty: those that the system trusts"`
	User        string        `yaml:"user" doc:"name to log in with; empty: without"`
	Password    SecretSource  `yaml:"password" doc:"{file: PATH} or {env: NAME}"`
	Auth        Auth          `yaml:"auth" doc:"plain, login or scram-sha-256"`
	From        string        `yaml:"from" doc:"sender, such as status@example.kr or 장애 알림 <status@example.kr>"`
	ReplyTo     string        `yaml:"replyTo" doc:"where answers go; empty: the sender"`
	Hello       string        `yaml:"hello" doc:"name that we greet with; empty: the host's"`
	Connections int           `yaml:"connections" doc:"how many are open at once, at most"`
	Timeout     time.Duration `yaml:"timeout" doc:"of one mail"`
}

// DefaultSMTP is what holds where a file says nothing.
func DefaultSMTP() SMTP {
	return SMTP{Encryption: StartTLS, Auth: AuthPlain, Connections: 8, Timeout: 15 * time.Second}
}

// Webhook is how we post to the addresses of others.
type Webhook struct {
	Key     SecretSource  `yaml:"key" doc:"signs each call (HMAC-SHA256); {file: PATH} or {env: NAME}"`
	Allow   []string      `yaml:"allow" doc:"prefixes inside our own networks that may be called all the same, such as 10.20.0.0/16"`
	CA      string        `yaml:"ca" doc:"PEM file of who signs their certificates; empty: those that the system trusts"`
	Timeout time.Duration `yaml:"timeout" doc:"of one call"`
}

// DefaultWebhook is what holds where a file says nothing.
func DefaultWebhook() Webhook { return Webhook{Timeout: 10 * time.Second} }

// SMS is a gateway that takes text messages by HTTP.
type SMS struct {
	URL         string            `yaml:"url" doc:"of the gateway; ${to}, ${text}, ${from}, ${id} and ${secret} are put in, escaped"`
	Method      string            `yaml:"method" doc:"POST, PUT or GET"`
	Headers     map[string]string `yaml:"headers" doc:"by name; ${secret} is put in"`
	Body        string            `yaml:"body" doc:"what is sent; what is put in is escaped as the contentType asks"`
	ContentType string            `yaml:"contentType" doc:"application/json, application/x-www-form-urlencoded, application/xml or text/plain"`
	From        string            `yaml:"from" doc:"our number"`
	Secret      SecretSource      `yaml:"secret" doc:"what ${secret} stands for; {file: PATH} or {env: NAME}"`
	Success     string            `yaml:"success" doc:"text that an answer must contain besides a status of 2xx, such as \"isSuccessful\":true"`
	Allow       []string          `yaml:"allow" doc:"prefixes inside our own networks that may be called all the same"`
	CA          string            `yaml:"ca" doc:"PEM file of who signs its certificate; empty: those that the system trusts"`
	Timeout     time.Duration     `yaml:"timeout" doc:"of one call"`
}

// DefaultSMS is what holds where a file says nothing.
func DefaultSMS() SMS {
	return SMS{Method: "POST", ContentType: "application/json", Body: `{"to":"${to}","from":"${from}","text":"${text}"}`, Timeout: 10 * time.Second}
}

// Told is a rule that something was checked by: whether it holds, the path of what it
// is about and what is wrong.
type Told func(ok bool, path, format string, args ...any)

// Check says what is wrong with the section at path.
func (s *SMTP) Check(path string, that Told) {
	if s.Server == "" {
		that(s.From == "", path+".server", "is missing: name the mail server as host:port, such as mail.example.kr:587")
		return
	}
	host, port, ok := strings.Cut(s.Server, ":")
	that(ok && host != "" && port != "", path+".server", "is %q: must be host:port, such as mail.example.kr:587", s.Server)
	that(s.From != "", path+".from", "is missing: name the sender, such as status@example.kr")
	that((s.User == "") == (s.Password == SecretSource{}), path+".user", "and password go together: give both or neither")
	that(s.User == "" || s.Encryption != Plain || loopback(s.Server), path+".encryption", "is none, but a password would be sent: use starttls or tls")
	that(s.Connections >= 1 && s.Connections <= 64, path+".connections", "is %d: must be 1 to 64", s.Connections)
	that(s.Timeout > 0, path+".timeout", "is %v: must be above 0s", s.Timeout)
	s.Password.check(path+".password", that)
}

// Check says what is wrong with the section at path.
func (w *Webhook) Check(path string, that Told) {
	prefixes(path+".allow", w.Allow, that)
	that(w.Timeout > 0, path+".timeout", "is %v: must be above 0s", w.Timeout)
	w.Key.check(path+".key", that)
}

// Check says what is wrong with the section at path.
func (s *SMS) Check(path string, that Told) {
	if s.URL == "" {
		return
	}
	u, err := url.Parse(strings.NewReplacer("${", "", "}", "").Replace(s.URL))
	that(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"), path+".url", "is %q: must be an http or https URL", s.URL)
	that(slices.Contains([]string{"POST", "PUT", "GET"}, s.Method), path+".method", "is %q: must be POST, PUT or GET", s.Method)
	that(strings.Contains(s.URL+s.Body, "${text}"), path+".body", "does not contain ${text}: whoever is called would learn nothing")
	that(strings.Contains(s.URL+s.Body, "${to}"), path+".body", "does not contain ${to}: the gateway would not know whom to call")
	prefixes(path+".allow", s.Allow, that)
	that(s.Timeout > 0, path+".timeout", "is %v: must be above 0s", s.Timeout)
	s.Secret.check(path+".secret", that)
}

func prefixes(path string, list []string, that Told) {
	for i, text := range list {
		_, err := netip.ParsePrefix(text)
		that(err == nil, fmt.Sprintf("%s[%d]", path, i), "is %q: must be a prefix such as 10.20.0.0/16", text)
	}
}

// Resolve makes paths absolute, from the folder dir, and reads secrets.
func (s *SMTP) Resolve(dir, path string, that Told) {
	absoluteIn(dir, &s.CA)
	s.Password.resolve(dir, path+".password", that)
}

// Resolve makes paths absolute, from the folder dir, and reads secrets.
func (w *Webhook) Resolve(dir, path string, that Told) {
	absoluteIn(dir, &w.CA)
	w.Key.resolve(dir, path+".key", that)
}

// Resolve makes paths absolute, from the folder dir, and reads secrets.
func (s *SMS) Resolve(dir, path string, that Told) {
	absoluteIn(dir, &s.CA)
	s.Secret.resolve(dir, path+".secret", that)
}

func absoluteIn(dir string, p *string) {
	if *p != "" && !filepath.IsAbs(*p) {
		*p = filepath.Join(dir, *p)
	}
}

// Given is a source whose secret is known already.
func Given(text string) SecretSource { return SecretSource{value: NewSecret(text)} }

// Secret is what was read when the file was loaded; empty where none was named.
func (s *SecretSource) Secret() Secret { return s.value }

func (s *SecretSource) check(path string, that Told) {
	that(s.File == "" || s.Env == "", path, "has both file and env: choose one")
}

// resolve reads the secret, if one is named.
func (s *SecretSource) resolve(dir, path string, that Told) {
	if s.File == "" && s.Env == "" {
		return
	}
	absoluteIn(dir, &s.File)
	err := s.read()
	that(err == nil, path, "%v", err)
}
