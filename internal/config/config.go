package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config is what one node runs by. The doc tags are what [Describe] prints.
type Config struct {
	Version int    `yaml:"version" doc:"version of this format"`
	Cluster string `yaml:"cluster" doc:"ID of the cluster; data folders and certificates belong to one"`
	Site    string `yaml:"site" doc:"the site that this node stands for: one of the nodes below"`
	Data    string `yaml:"data" doc:"folder for the node's data; paths are relative to this file"`
	Nodes   []Node `yaml:"nodes" doc:"every node of the cluster, the same list in every file"`

	Listen    Listen    `yaml:"listen" doc:"where this node listens (IP:port)"`
	Store     Store     `yaml:"store" doc:"the store that the nodes share"`
	TLS       TLS       `yaml:"tls" doc:"PEM files by which nodes know each other; left out only on one machine"`
	Console   Console   `yaml:"console" doc:"the web console and API"`
	Detection Detection `yaml:"detection" doc:"when a site is taken to be lost"`
	Policy    Policy    `yaml:"policy" doc:"what happens without a person: auto or confirm"`
	Public    Public    `yaml:"public" doc:"what the public is told, and by which nodes of the public side (bongsu public)"`
	Duty      Duty      `yaml:"duty" doc:"how people are woken"`
	Fence     Fence     `yaml:"fence" doc:"how the writers of this site are stopped when the site loses the others; exec or http"`
	Record    Record    `yaml:"record" doc:"the record of an incident as evidence"`
	Clocks    string    `yaml:"clocks" doc:"file of the duties with a deadline that an outage brings; left out: what bongsu config clocks prints"`
	Secrets   Secrets   `yaml:"secrets" doc:"secrets that actuators use, each {file: PATH} or {env: NAME}; never kept in the store"`
	Log       Log       `yaml:"log" doc:"what is written to standard error"`

	file string
	at   map[string]int // line of each path that was given
}

// Node is one node of the cluster, as the others reach it.
type Node struct {
	Site    string `yaml:"site" doc:"its site"`
	Role    Role   `yaml:"role" doc:"member (votes; 1, 3 or 5 of them) or observer"`
	Witness bool   `yaml:"witness" doc:"it runs no services: it observes, and votes"`
	Peer    string `yaml:"peer" doc:"host:port for other members; members only"`
	Client  string `yaml:"client" doc:"host:port for observers; members only"`
	Console string `yaml:"console" doc:"URL of its console; other nodes probe it"`
}

// Listen is where a node listens.
type Listen struct {
	Peer    string `yaml:"peer" doc:"for other members; members only"`
	Client  string `yaml:"client" doc:"for observers; members only"`
	Console string `yaml:"console" doc:"for people and the CLI"`
}

// Store is how the store is run.
type Store struct {
	Heartbeat time.Duration `yaml:"heartbeat" doc:"about the round trip between sites"`
	Election  time.Duration `yaml:"election" doc:"without a leader for so long a new one is elected; at least 5 heartbeats"`
	Quota     Bytes         `yaml:"quota" doc:"size at which the store refuses writes"`
	Join      bool          `yaml:"join" doc:"the cluster runs already and has admitted this node: see bongsu member replace"`
	External  []string      `yaml:"external" doc:"host:port of an etcd that somebody else runs; then nobody is a member"`
}

// TLS names the files by which nodes know each other.
type TLS struct {
	CA   string `yaml:"ca" doc:"certificate of the cluster's own CA"`
	Cert string `yaml:"cert" doc:"certificate of this node"`
	Key  string `yaml:"key" doc:"its private key"`
}

// On says whether it is used.
func (t TLS) On() bool { return t != TLS{} }

// Console is how people come in.
type Console struct {
	Cert       string `yaml:"cert" doc:"TLS certificate; without one the console listens on this machine only"`
	Key        string `yaml:"key" doc:"its private key"`
	Accounts   string `yaml:"accounts" doc:"file of accounts and API tokens"`
	SessionKey string `yaml:"sessionKey" doc:"file of the key that signs sessions; the same on every node"`
}

// Detection is when a site is taken to be lost.
type Detection struct {
	Interval  time.Duration `yaml:"interval" doc:"between two looks at one target"`
	Timeout   time.Duration `yaml:"timeout" doc:"of one look"`
	Lease     time.Duration `yaml:"lease" doc:"a site that is cut off has fenced its writers after so long"`
	Hold      time.Duration `yaml:"hold" doc:"nobody must see a site for so long before it is judged lost; at least lease + 2.5s"`
	Observers int           `yaml:"observers" doc:"other sites that must have looked, at least"`
}

// HoldMargin is what the hold time must exceed the lease by: the store may keep a
// lease that long while its own leader changes.
const HoldMargin = 2500 * time.Millisecond

// Policy is what happens without a person.
type Policy struct {
	Declare Choice `yaml:"declare" doc:"a loss that was judged is declared"`
	Approve Choice `yaml:"approve" doc:"the run of a plan starts by itself"`
	Second  bool   `yaml:"second" doc:"skip, abort and allowing data loss wait until a second person does the same; turn it on where two are awake at night"`
}

// Fence is how the writers of a site are stopped, and let go again.
type Fence struct {
	Command
	None    bool          `yaml:"none" doc:"true: this site has no writers that could go on writing while it is cut off"`
	Timeout time.Duration `yaml:"timeout" doc:"of one try, at most half of detection.lease; it is tried until it succeeds"`
	Release Command       `yaml:"release" doc:"lets them write again once the site is back with the others"`
}

// Command is an argument vector or a URL that is posted to.
type Command struct {
	Exec []string `yaml:"exec" doc:"program and arguments, no shell"`
	HTTP string   `yaml:"http" doc:"URL that gets a POST; 2xx is success"`
}

// Set says whether there is something to do.
func (c Command) Set() bool { return len(c.Exec) > 0 || c.HTTP != "" }

// Log is what the node writes to standard error.
type Log struct {
	Level Level `yaml:"level" doc:"debug, info, warn or error"`
}

// DefaultConfig returns what is used for whatever the file does not say.
func DefaultConfig() Config {
	return Config{
		Version:   1,
		Data:      "data",
		Listen:    Listen{Peer: "127.0.0.1:7400", Client: "127.0.0.1:7401", Console: "127.0.0.1:7402"},
		Store:     Store{Heartbeat: 50 * time.Millisecond, Election: 500 * time.Millisecond, Quota: 2 << 30},
		Console:   Console{Accounts: "accounts.yaml", SessionKey: "session.key"},
		Detection: Detection{Interval: 500 * time.Millisecond, Timeout: time.Second, Lease: 5 * time.Second, Hold: 8 * time.Second, Observers: 2},
		Policy:    Policy{Declare: Confirm, Approve: Confirm},
		Public:    defaultPublic(),
		Duty:      defaultDuty(),
		Fence:     Fence{Timeout: 2 * time.Second},
		Log:       Log{Level: "info"},
	}
}

// Load reads, checks and completes a file: paths become absolute and secrets are read.
func Load(file string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := Parse(file, text)
	if err != nil {
		return nil, err
	}
	if err := c.resolve(); err != nil {
		return nil, err
	}
	return c, nil
}

// Parse reads and checks the text of a file, and touches no other.
func Parse(file string, text []byte) (*Config, error) {
	c := DefaultConfig()
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

// Self is the node that this file is for.
func (c *Config) Self() Node {
	if i := c.self(); i >= 0 {
		return c.Nodes[i]
	}
	return Node{}
}

func (c *Config) self() int {
	return slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Site == c.Site })
}

// Members are the nodes that vote.
func (c *Config) Members() []Node {
	return slices.DeleteFunc(slices.Clone(c.Nodes), func(n Node) bool { return n.Role != Member })
}

// Warnings are what is allowed, and what whoever starts the node has to know.
func (c *Config) Warnings() []string {
	all := c.Duty.warnings(time.Now())
	if len(c.Store.External) > 0 {
		return all
	}
	return append(all, warnings(len(c.Members()), len(c.Nodes))...)
}

func warnings(members, nodes int) []string {
	switch {
	case nodes == 1:
		return []string{"NOT REDUNDANT: this is a single node. When it is lost, so is everything that bongsu knows. Use it to try things out only."}
	case members == 1:
		return []string{"NOT REDUNDANT: only one node votes. When it is lost, so is everything that bongsu knows."}
	case members == 2:
		return []string{"NOT REDUNDANT: with two voting nodes, losing either stops both. Add a witness in a third place (--witness)."}
	case members == 4:
		return []string{"four voting nodes survive no more losses than three: let one of them observe."}
	}
	return nil
}

// Validate says everything that is wrong, with the lines if it came from a file.
func (c *Config) Validate() error {
	v := &verdict{c: c, place: c.place}
	v.that(c.Version == 1, "version", "is %d; this program knows version 1", c.Version)
	v.that(c.Cluster != "" && !strings.ContainsAny(c.Cluster, "/ ,="), "cluster", "is %q: must not be empty or contain any of / , = and space", c.Cluster)
	v.that(c.Data != "", "data", "is missing: name a folder")
	v.nodes()
	v.addr("listen.console", c.Listen.Console)
	if c.Self().Role == Member {
		v.addr("listen.peer", c.Listen.Peer)
		v.addr("listen.client", c.Listen.Client)
	}
	v.store(c.Store, c.TLS.On())
	t := c.TLS
	v.that(!t.On() || t.CA != "" && t.Cert != "" && t.Key != "", "tls", "needs all of ca, cert and key, or none")
	v.that((c.Console.Cert == "") == (c.Console.Key == ""), "console", "needs both cert and key, or neither")
	v.that(c.Console.Cert != "" || loopback(c.Listen.Console), "listen.console", "is %s: without a certificate (console.cert) the console listens on this machine only, such as 127.0.0.1:7402", c.Listen.Console)
	v.that(c.Console.Accounts != "", "console.accounts", "is missing: name the file of accounts")
	v.that(c.Console.SessionKey != "", "console.sessionKey", "is missing: name the file of the key")
	v.that((c.Record.Key == "") == (c.Record.Public == ""), "record", "needs both key and public, or neither")
	d := c.Detection
	v.that(d.Interval > 0, "detection.interval", "is %v: must be above 0s", d.Interval)
	v.that(d.Timeout > 0, "detection.timeout", "is %v: must be above 0s", d.Timeout)
	v.that(d.Lease >= time.Second, "detection.lease", "is %v: the store knows no leases below 1s", d.Lease)
	v.that(d.Hold >= d.Lease+HoldMargin, "detection.hold", "is %v: must be at least the lease of %v + %v = %v, or a site that is cut off may still write when it is judged lost", d.Hold, d.Lease, HoldMargin, d.Lease+HoldMargin)
	v.that(d.Observers >= 2, "detection.observers", "is %d: must be at least 2, because one site cannot tell a lost site from its own broken line", d.Observers)
	v.command("fence", c.Fence.Command)
	v.command("fence.release", c.Fence.Release)
	v.that(c.Fence.Timeout > 0 && c.Fence.Timeout <= d.Lease/2, "fence.timeout", "is %v: must be above 0s and at most half of the lease of %v, or others may promote before the writers of this site are fenced", c.Fence.Timeout, d.Lease)
	v.that(!c.Fence.None || !c.Fence.Set(), "fence.none", "is true, but a way to fence is given too")
	v.that(c.Policy.Declare != Auto || c.Fence.Set() || c.Fence.None || c.Self().Witness, "policy.declare", "is auto, but nothing fences the writers of this site: set fence.exec or fence.http, or fence.none if it has no writers")
	v.that(c.Fence.Set() || !c.Fence.Release.Set(), "fence.release", "is there, but nothing to release: set fence.exec or fence.http")
	c.Public.check(v, c.TLS.On())
	c.Duty.check(v.that)
	for _, name := range c.Secrets.names() {
		src := c.Secrets[name]
		v.that((src.File == "") != (src.Env == ""), "secrets."+name, "needs exactly one of file and env")
	}
	return errors.Join(v.errs...)
}

type verdict struct {
	c     *Config
	place func(path string) string
	errs  []error
}

func (v *verdict) that(ok bool, path, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, fmt.Errorf("%s%s %s", v.place(path), path, fmt.Sprintf(format, args...)))
	}
}

func (c *Config) place(path string) string { return placeOf(c.file, c.at, path) }

// placeOf is "file:line: " of a path, or of the nearest thing around it that was given.
func placeOf(file string, at map[string]int, path string) string {
	if file == "" {
		return ""
	}
	for {
		if line, ok := at[path]; ok {
			return fmt.Sprintf("%s:%d: ", file, line)
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return file + ": "
		}
		path = path[:cut]
	}
}

func (v *verdict) addr(path, addr string) {
	_, port, err := net.SplitHostPort(addr)
	v.that(err == nil && port != "", path, "is %q: must be host:port, such as 10.1.0.5:7400", addr)
}

func (v *verdict) command(path string, c Command) {
	v.that(len(c.Exec) == 0 || c.HTTP == "", path, "has both exec and http: choose one")
	v.that(len(c.Exec) == 0 || c.Exec[0] != "", path+".exec", "names no program")
	if c.HTTP != "" {
		u, err := url.Parse(c.HTTP)
		v.that(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"), path+".http", "is %q: must be an http or https URL", c.HTTP)
	}
}

func (v *verdict) store(s Store, secure bool) {
	v.that(s.Heartbeat >= time.Millisecond, "store.heartbeat", "is %v: must be at least 1ms", s.Heartbeat)
	v.that(s.Election >= 5*s.Heartbeat, "store.election", "is %v: must be at least 5 heartbeats of %v, which is %v", s.Election, s.Heartbeat, 5*s.Heartbeat)
	v.that(s.Election <= 50*time.Second, "store.election", "is %v: must be at most 50s", s.Election)
	v.that(s.Quota >= 16<<20, "store.quota", "is %v: must be at least 16MiB", s.Quota)
	for i, a := range s.External {
		path := fmt.Sprintf("store.external[%d]", i)
		v.addr(path, a)
		v.that(secure || loopback(a), path, "is %s, which is not on this machine: it needs tls", a)
	}
}

func (v *verdict) nodes() {
	c := v.c
	var sites []string
	for _, n := range c.Nodes {
		sites = append(sites, n.Site)
	}
	v.that(len(c.Nodes) > 0, "nodes", "is empty: list every node, this one included")
	if len(c.Nodes) > 0 && c.self() < 0 {
		v.that(false, "site", "is %q, which is not among the nodes%s", c.Site, didYouMean(c.Site, sites))
	}
	seen := map[string]int{}
	for i, n := range c.Nodes {
		path := fmt.Sprintf("nodes[%d]", i)
		v.that(n.Site != "" && !strings.ContainsAny(n.Site, "=,/ "), path+".site", "is %q: must not be empty or contain any of = , / and space", n.Site)
		if first, ok := seen[n.Site]; ok {
			v.that(false, path+".site", "is %q, as is that of nodes[%d]", n.Site, first)
		}
		seen[n.Site] = i
		v.that(n.Role != "", path+".role", "is missing: it can be member or observer")
		if n.Role == Member {
			v.addr(path+".peer", n.Peer)
			v.addr(path+".client", n.Client)
			v.that(c.TLS.On() || loopback(n.Peer) && loopback(n.Client), path, "is not on this machine: nodes of several machines need tls")
		}
		u, err := url.Parse(n.Console)
		v.that(err == nil && u.Host != "", path+".console", "is %q: must be a URL", n.Console)
	}
	members := len(c.Members())
	switch {
	case len(c.Store.External) > 0:
		v.that(members == 0, "nodes", "has %d members, but the store is external: let all observe", members)
	case len(c.Nodes) > 0:
		v.that(members > 0, "nodes", "has no member: 1, 3 or 5 of them must vote")
		v.that(members <= 5, "nodes", "has %d members: 5 at most, let the others observe", members)
	}
}

// loopback says whether an address is one of this machine only.
func loopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// resolve makes paths absolute and checks that what they name is there.
func (c *Config) resolve() error {
	dir, err := filepath.Abs(filepath.Dir(c.file))
	if err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	v := &verdict{c: c, place: c.place}
	absoluteIn(dir, &c.Data)
	v.files(dir, []fileOf{
		{"tls.ca", &c.TLS.CA, false},
		{"tls.cert", &c.TLS.Cert, false},
		{"tls.key", &c.TLS.Key, true},
		{"console.cert", &c.Console.Cert, false},
		{"console.key", &c.Console.Key, true},
		{"console.accounts", &c.Console.Accounts, true},
		{"console.sessionKey", &c.Console.SessionKey, true},
		{"record.key", &c.Record.Key, true},
		{"record.public", &c.Record.Public, false},
		{"clocks", &c.Clocks, false},
		{"public.signKey", &c.Public.SignKey, true},
	})
	c.Duty.resolve(dir, v.that)
	for _, name := range c.Secrets.names() {
		src := c.Secrets[name]
		absoluteIn(dir, &src.File)
		err := src.read()
		v.that(err == nil, "secrets."+name, "%v", err)
		c.Secrets[name] = src
	}
	return errors.Join(v.errs...)
}

// fileOf is a file that a field names.
type fileOf struct {
	path   string
	name   *string
	secret bool
}

// files makes the names of files absolute and checks that they are there.
func (v *verdict) files(dir string, list []fileOf) {
	for _, f := range list {
		if *f.name == "" {
			continue
		}
		absoluteIn(dir, f.name)
		switch info, err := os.Stat(*f.name); {
		case errors.Is(err, fs.ErrNotExist):
			v.that(false, f.path, "names %s, which does not exist: bongsu init makes it", *f.name)
		case err != nil:
			v.that(false, f.path, "cannot be read: %v", err)
		case info.IsDir():
			v.that(false, f.path, "names %s, which is a folder", *f.name)
		case f.secret && info.Mode().Perm()&0o077 != 0:
			v.that(false, f.path, "names %s, which others can read (%v): chmod 600 it", *f.name, info.Mode().Perm())
		}
	}
}

// Key reads the key that signs sessions.
func (c *Config) Key() (Secret, error) {
	src := SecretSource{File: c.Console.SessionKey}
	if err := src.read(); err != nil {
		return Secret{}, fmt.Errorf("%sconsole.sessionKey %w", c.place("console.sessionKey"), err)
	}
	return src.value, nil
}
