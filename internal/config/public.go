package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Public is how control tells the public side, and what.
type Public struct {
	Nodes     []string      `yaml:"nodes" doc:"push URLs of the public nodes; empty: the public is told nothing"`
	SignKey   string        `yaml:"signKey" doc:"file of the key that signs what is told; the same on every control node"`
	Pulse     time.Duration `yaml:"pulse" doc:"how often it is said that all that was told is still so"`
	GoodFor   time.Duration `yaml:"goodFor" doc:"without word from control for so long the page says unknown; at least 3 pulses"`
	FirstWord Choice        `yaml:"firstWord" doc:"auto: a prepared word about a loss goes out without a person; confirm: it is drafted and waits for one"`
	Page      Page          `yaml:"page" doc:"what the page says of itself, and what of the estate it shows; the same on every control node"`
}

// Page is what the page says of itself.
type Page struct {
	Company  string                       `yaml:"company" doc:"who reports here"`
	Title    map[string]string            `yaml:"title" doc:"of the page, by language (ko, en)"`
	URL      string                       `yaml:"url" doc:"where readers reach it, without a slash at the end"`
	TimeZone string                       `yaml:"timeZone" doc:"IANA name; for readers who tell none"`
	Contact  map[string]string            `yaml:"contact" doc:"where users can turn to, by language"`
	Hide     []string                     `yaml:"hide" doc:"services that are not shown; all others are"`
	Names    map[string]map[string]string `yaml:"names" doc:"titles of services, and of parts as service/part, by language, where the estate's one does not do"`
	Groups   map[string]string            `yaml:"groups" doc:"group of each service on the page"`
}

func defaultPublic() Public {
	return Public{
		SignKey: "", Pulse: 3 * time.Second, GoodFor: 2 * time.Minute, FirstWord: Confirm,
		Page: Page{TimeZone: "Asia/Seoul"},
	}
}

// On says whether anybody is told.
func (p *Public) On() bool { return len(p.Nodes) > 0 }

func (p *Public) check(v *verdict, secure bool) {
	if !p.On() {
		return
	}
	for i, n := range p.Nodes {
		path := fmt.Sprintf("public.nodes[%d]", i)
		u, err := url.Parse(n)
		ok := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
		v.that(ok, path, "is %q: must be an http or https URL, such as https://10.1.0.5:7406", n)
		v.that(!ok || u.Scheme == "http" && loopback(u.Host) || u.Scheme == "https" && secure, path, "is %s: use https, with tls, for what is not on this machine", n)
	}
	v.that(p.SignKey != "", "public.signKey", "is missing: name the file of the key that signs what is told")
	v.that(p.Pulse >= 200*time.Millisecond, "public.pulse", "is %v: must be at least 200ms", p.Pulse)
	v.that(p.GoodFor >= 3*p.Pulse, "public.goodFor", "is %v: must be at least 3 pulses of %v, or the page says unknown for nothing", p.GoodFor, p.Pulse)
	v.that(p.Page.Company != "", "public.page.company", "is missing: say who reports")
	u, err := url.Parse(p.Page.URL)
	v.that(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && !strings.HasSuffix(p.Page.URL, "/"), "public.page.url", "is %q: must be the URL of the page, without a slash at the end", p.Page.URL)
	_, err = time.LoadLocation(p.Page.TimeZone)
	v.that(err == nil && p.Page.TimeZone != "", "public.page.timeZone", "is %q, which is no zone: use a name such as Asia/Seoul", p.Page.TimeZone)
}

// Signer reads the key that signs what the public is told.
func (p *Public) Signer() (note.Signer, error) {
	src := SecretSource{File: p.SignKey}
	if err := src.read(); err != nil {
		return nil, fmt.Errorf("public.signKey %w", err)
	}
	s, err := note.NewSigner(src.value.Reveal())
	if err != nil {
		return nil, fmt.Errorf("public.signKey: %s holds no signing key: bongsu init makes one", p.SignKey)
	}
	return s, nil
}

// PublicConfig is what one public node runs by. The doc tags are what [DescribePublic] prints.
type PublicConfig struct {
	Version int          `yaml:"version" doc:"version of this format"`
	Cluster string       `yaml:"cluster" doc:"ID of the cluster of public nodes, another one than that of control"`
	Control string       `yaml:"control" doc:"ID of the cluster of control, whose nodes may push"`
	Site    string       `yaml:"site" doc:"the site that this node stands for: one of the nodes below"`
	Data    string       `yaml:"data" doc:"folder for the node's data; paths are relative to this file"`
	Nodes   []PublicNode `yaml:"nodes" doc:"every public node, the same list in every file"`

	Listen  PublicListen `yaml:"listen" doc:"where this node listens (IP:port)"`
	Store   Store        `yaml:"store" doc:"the store that the public nodes share; it is not that of control"`
	TLS     TLS          `yaml:"tls" doc:"PEM files by which nodes know each other, and whoever pushes; left out only on one machine"`
	Keys    []string     `yaml:"keys" doc:"public keys of control; what none of them signed is refused"`
	Page    PublicPage   `yaml:"page" doc:"how readers come in"`
	Desk    PublicDesk   `yaml:"desk" doc:"where questions of readers are answered"`
	Claims  Claims       `yaml:"claims" doc:"damage reports: intake, decisions, payout"`
	SMTP    SMTP         `yaml:"smtp" doc:"the mail server by which subscribers are told"`
	Webhook Webhook      `yaml:"webhook" doc:"how webhooks and Slack are called"`
	Export  Export       `yaml:"export" doc:"the same pages as plain files, written again on each change"`
	Nice    int          `yaml:"nice" doc:"how far this process steps back behind others of its machine, control above all: 0 (not at all) to 19"`
	Fate    Fate         `yaml:"fate" doc:"components of the estate that the page rests on; bongsu status check proves that none is lost with what is reported on"`
	Log     Log          `yaml:"log" doc:"what is written to standard error"`

	file string
	at   map[string]int
}

// PublicNode is one public node, as the others reach it.
type PublicNode struct {
	Site   string `yaml:"site" doc:"its site"`
	Role   Role   `yaml:"role" doc:"member (votes; 1, 3 or 5 of them) or observer"`
	Peer   string `yaml:"peer" doc:"host:port for other members; members only"`
	Client string `yaml:"client" doc:"host:port for observers; members only"`
	Page   string `yaml:"page" doc:"URL at which its site serves the page"`
}

// PublicListen is where a public node listens.
type PublicListen struct {
	Peer   string `yaml:"peer" doc:"for other members; members only"`
	Client string `yaml:"client" doc:"for observers; members only"`
	Page   string `yaml:"page" doc:"for readers"`
	Push   string `yaml:"push" doc:"for control"`
	Desk   string `yaml:"desk" doc:"for agents; empty: no desk at this node"`
}

// PublicPage is how readers come in.
type PublicPage struct {
	Cert  string   `yaml:"cert" doc:"TLS certificate; without one the page is served on this machine, or to the proxies of trust"`
	Key   string   `yaml:"key" doc:"its private key"`
	Trust []string `yaml:"trust" doc:"prefixes of proxies whose X-Forwarded-For is believed"`
}

// PublicDesk is where agents come in.
type PublicDesk struct {
	Cert       string `yaml:"cert" doc:"TLS certificate; without one the desk listens on this machine only"`
	Key        string `yaml:"key" doc:"its private key"`
	Accounts   string `yaml:"accounts" doc:"file of accounts: operators answer, approvers publish"`
	SessionKey string `yaml:"sessionKey" doc:"file of the key that signs sessions and forms; the same on every public node"`
	SealKey    string `yaml:"sealKey" doc:"file of the key that seals addresses and makes tokens; the same on every public node"`
}

// Export says where the pages are written to as plain files.
type Export struct {
	Dir   string        `yaml:"dir" doc:"a folder; empty: none"`
	S3    S3            `yaml:"s3" doc:"a bucket of any store that speaks S3; another cloud than the one reported on"`
	Every time.Duration `yaml:"every" doc:"how often it is written when nothing changes, so that it stays valid"`
}

// Fate names what the page rests on, in the words of the estate.
type Fate struct {
	DNS         string `yaml:"dns" doc:"who answers for the name of the page"`
	Certificate string `yaml:"certificate" doc:"who renews its certificate"`
	Host        string `yaml:"host" doc:"where it is served from; a component with a replica at each site"`
	Mail        string `yaml:"mail" doc:"the mail server of smtp"`
}

// S3 is a bucket.
type S3 struct {
	Endpoint string        `yaml:"endpoint" doc:"URL of the store, such as https://s3.ap-northeast-2.amazonaws.com; empty: none"`
	Region   string        `yaml:"region" doc:"that requests are signed for"`
	Bucket   string        `yaml:"bucket" doc:"its name"`
	Prefix   string        `yaml:"prefix" doc:"put before the name of each file, such as status/"`
	Key      string        `yaml:"key" doc:"access key ID"`
	Secret   SecretSource  `yaml:"secret" doc:"secret access key; {file: PATH} or {env: NAME}"`
	Timeout  time.Duration `yaml:"timeout" doc:"of one file"`
}

// DefaultPublicConfig returns what is used for whatever the file does not say.
func DefaultPublicConfig() PublicConfig {
	return PublicConfig{
		Version: 1, Data: "public-data",
		Listen: PublicListen{Peer: "127.0.0.1:7403", Client: "127.0.0.1:7404", Page: "127.0.0.1:7405", Push: "127.0.0.1:7406", Desk: "127.0.0.1:7407"},
		Store:  Store{Heartbeat: 50 * time.Millisecond, Election: 500 * time.Millisecond, Quota: 4 << 30},
		Desk:   PublicDesk{Accounts: "public-accounts.yaml", SessionKey: "public-session.key", SealKey: "public-seal.key"},
		Claims: defaultClaims(), Nice: 10,
		SMTP: DefaultSMTP(), Webhook: DefaultWebhook(),
		Export: Export{Every: 30 * time.Second, S3: S3{Region: "us-east-1", Timeout: 10 * time.Second}},
		Log:    Log{Level: "info"},
	}
}

// LoadPublic reads, checks and completes the file of a public node.
func LoadPublic(file string) (*PublicConfig, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := ParsePublic(file, text)
	if err != nil {
		return nil, err
	}
	if err := c.resolve(); err != nil {
		return nil, err
	}
	return c, nil
}

// ParsePublic reads and checks the text of a file, and touches no other.
func ParsePublic(file string, text []byte) (*PublicConfig, error) {
	c := DefaultPublicConfig()
	at, err := decode(file, text, &c)
	if err != nil {
		return nil, err
	}
	c.file, c.at = file, at
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &c, nil
}

func (c *PublicConfig) place(path string) string { return placeOf(c.file, c.at, path) }

// Self is the node that this file is for.
func (c *PublicConfig) Self() PublicNode {
	if i := slices.IndexFunc(c.Nodes, func(n PublicNode) bool { return n.Site == c.Site }); i >= 0 {
		return c.Nodes[i]
	}
	return PublicNode{}
}

// Members are the nodes that vote.
func (c *PublicConfig) Members() []PublicNode {
	return slices.DeleteFunc(slices.Clone(c.Nodes), func(n PublicNode) bool { return n.Role != Member })
}

// Warnings are what is allowed, and what whoever starts the node has to know.
func (c *PublicConfig) Warnings() []string {
	w := warnings(len(c.Members()), len(c.Nodes))
	if c.SMTP.Server == "" {
		w = append(w, "no mail is sent: nobody can subscribe by e-mail until smtp.server is set")
	}
	return w
}

// Validate says everything that is wrong, with the lines if it came from a file.
func (c *PublicConfig) Validate() error {
	v := &verdict{place: c.place}
	v.that(c.Version == 1, "version", "is %d; this program knows version 1", c.Version)
	v.that(c.Cluster != "" && !strings.ContainsAny(c.Cluster, "/ ,="), "cluster", "is %q: must not be empty or contain any of / , = and space", c.Cluster)
	v.that(c.Cluster != c.Control, "control", "is %q, as is cluster: control has a cluster of its own", c.Control)
	v.that(c.Data != "", "data", "is missing: name a folder")
	c.checkNodes(v)
	if c.Self().Role == Member {
		v.addr("listen.peer", c.Listen.Peer)
		v.addr("listen.client", c.Listen.Client)
	}
	v.addr("listen.page", c.Listen.Page)
	v.addr("listen.push", c.Listen.Push)
	v.store(c.Store, c.TLS.On())
	v.that(len(c.Store.External) == 0, "store.external", "is set: the public side keeps its own store")
	t := c.TLS
	v.that(!t.On() || t.CA != "" && t.Cert != "" && t.Key != "", "tls", "needs all of ca, cert and key, or none")
	v.that(t.On() || loopback(c.Listen.Push), "listen.push", "is %s, which is not on this machine: it needs tls", c.Listen.Push)
	v.that(len(c.Keys) > 0, "keys", "is empty: name the public key of control, or nothing can be told")
	if _, err := c.Verifiers(); len(c.Keys) > 0 {
		v.that(err == nil, "keys", "%v", err)
	}
	p := c.Page
	v.that((p.Cert == "") == (p.Key == ""), "page", "needs both cert and key, or neither")
	v.that(p.Cert != "" || len(p.Trust) > 0 || loopback(c.Listen.Page), "listen.page", "is %s: without a certificate (page.cert) the page is served on this machine only, or to proxies (page.trust)", c.Listen.Page)
	prefixes("page.trust", p.Trust, v.that)
	d := c.Desk
	if c.Listen.Desk != "" {
		v.addr("listen.desk", c.Listen.Desk)
		v.that((d.Cert == "") == (d.Key == ""), "desk", "needs both cert and key, or neither")
		v.that(d.Cert != "" || loopback(c.Listen.Desk), "listen.desk", "is %s: without a certificate (desk.cert) the desk listens on this machine only", c.Listen.Desk)
		v.that(d.Accounts != "", "desk.accounts", "is missing: name the file of accounts")
	}
	v.that(d.SessionKey != "", "desk.sessionKey", "is missing: name the file of the key")
	v.that(d.SealKey != "", "desk.sealKey", "is missing: name the file of the key")
	c.SMTP.Check("smtp", v.that)
	c.Webhook.Check("webhook", v.that)
	v.that(c.Export.Every >= time.Second, "export.every", "is %v: must be at least 1s", c.Export.Every)
	c.Export.S3.verify("export.s3", v.that)
	c.Claims.check(v)
	v.that(c.Nice >= 0 && c.Nice <= 19, "nice", "is %d: must be from 0 to 19", c.Nice)
	return errors.Join(v.errs...)
}

func (c *PublicConfig) checkNodes(v *verdict) {
	var sites []string
	for i, n := range c.Nodes {
		path := fmt.Sprintf("nodes[%d]", i)
		v.that(n.Site != "" && !strings.ContainsAny(n.Site, "=,/ "), path+".site", "is %q: must not be empty or contain any of = , / and space", n.Site)
		v.that(!slices.Contains(sites, n.Site), path+".site", "is %q, which is named twice", n.Site)
		sites = append(sites, n.Site)
		v.that(n.Role != "", path+".role", "is missing: it can be member or observer")
		if n.Role == Member {
			v.addr(path+".peer", n.Peer)
			v.addr(path+".client", n.Client)
			v.that(c.TLS.On() || loopback(n.Peer) && loopback(n.Client), path, "is not on this machine: nodes of several machines need tls")
		}
		u, err := url.Parse(n.Page)
		v.that(err == nil && u.Host != "", path+".page", "is %q: must be a URL", n.Page)
	}
	v.that(slices.Contains(sites, c.Site), "site", "is %q, which is not among the nodes", c.Site)
	members := len(c.Members())
	v.that(members >= 1 && members <= 5, "nodes", "has %d members: 1, 3 or 5 of them must vote", members)
}

// Verifiers are the keys whose documents are taken.
func (c *PublicConfig) Verifiers() (note.Verifiers, error) {
	var all []note.Verifier
	for _, text := range c.Keys {
		k, err := note.NewVerifier(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is no public key: bongsu init writes it", text)
		}
		all = append(all, k)
	}
	return note.VerifierList(all...), nil
}

// Trusted are the proxies whose word about a reader's address is believed.
func (c *PublicConfig) Trusted() []netip.Prefix {
	var all []netip.Prefix
	for _, t := range c.Page.Trust {
		if p, err := netip.ParsePrefix(t); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func (c *PublicConfig) resolve() error {
	dir, err := filepath.Abs(filepath.Dir(c.file))
	if err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	v := &verdict{place: c.place}
	absoluteIn(dir, &c.Data)
	absoluteIn(dir, &c.Export.Dir)
	files := []fileOf{
		{"tls.ca", &c.TLS.CA, false},
		{"tls.cert", &c.TLS.Cert, false},
		{"tls.key", &c.TLS.Key, true},
		{"page.cert", &c.Page.Cert, false},
		{"page.key", &c.Page.Key, true},
		{"desk.cert", &c.Desk.Cert, false},
		{"desk.key", &c.Desk.Key, true},
		{"desk.sessionKey", &c.Desk.SessionKey, true},
		{"desk.sealKey", &c.Desk.SealKey, true},
	}
	if c.Listen.Desk != "" {
		files = append(files, fileOf{"desk.accounts", &c.Desk.Accounts, true})
	}
	files = append(files, c.Claims.resolve(dir, v)...)
	v.files(dir, files)
	c.SMTP.Resolve(dir, "smtp", v.that)
	c.Webhook.Resolve(dir, "webhook", v.that)
	c.Export.S3.Secret.resolve(dir, "export.s3.secret", v.that)
	return errors.Join(v.errs...)
}

// SessionKey reads the key that signs sessions and forms, SealKey the one that seals addresses.
func (c *PublicConfig) SessionKey() (Secret, error) {
	return c.key("desk.sessionKey", c.Desk.SessionKey)
}

// SealKey reads the key that seals the addresses of readers.
func (c *PublicConfig) SealKey() (Secret, error) { return c.key("desk.sealKey", c.Desk.SealKey) }

func (c *PublicConfig) key(path, file string) (Secret, error) {
	src := SecretSource{File: file}
	if err := src.read(); err != nil {
		return Secret{}, fmt.Errorf("%s%s %w", c.place(path), path, err)
	}
	return src.value, nil
}

// DescribePublic writes a public node's file with every field, its default and what it
// means. It can be read back.
func DescribePublic(w io.Writer) error {
	c := DefaultPublicConfig()
	c.Cluster, c.Control, c.Site = "example-public", "example", "north"
	c.Keys = []string{"bongsu-status.example+3ebefa3b+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"}
	c.Nodes = []PublicNode{{
		Site: "north", Role: Member, Peer: "127.0.0.1:7403", Client: "127.0.0.1:7404", Page: "http://127.0.0.1:7405",
	}}
	var b strings.Builder
	b.WriteString("# public.yaml: what one public node runs by. Every field is here with its default;\n# cluster, control, site, nodes and keys are examples.\n")
	describe(&b, reflect.ValueOf(c), "")
	_, err := io.WriteString(w, b.String())
	return err
}

// encode writes what is not the default, with a pointer to the rest.
func (c *PublicConfig) encode() ([]byte, error) {
	return encodeFile("# What this public node runs by. bongsu config describe --public explains every field.\n", reflect.ValueOf(*c), reflect.ValueOf(DefaultPublicConfig()))
}
