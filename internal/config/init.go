package config

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// InitOptions say what [Init] makes.
type InitOptions struct {
	Cluster string   // ID; empty: bongsu- and something random
	Sites   []string // in the order in which they get votes
	Witness string   // a node in a place that runs no services; empty: none
	Voters  []string // which nodes vote; empty: the first 1, 3 or 5, see [Init]

	Hosts    map[string]string // host or IP of each node; without one it is 127.0.0.1
	BasePort int               // peer, client and console get this one and the next two; 0: 7400
	Ports    map[string]Ports  // of single nodes, instead

	// Change is called with the configuration of each site before it is written, for
	// what a caller wants otherwise. May be nil.
	Change func(site string, c *Config)
	Now    time.Time

	// Public are the ports of single public nodes; without, they get the five after
	// that of the console. ChangePublic is Change for what they run by.
	Public       map[string]PublicPorts
	ChangePublic func(site string, c *PublicConfig)
}

// Ports of one node.
type Ports struct{ Peer, Client, Console int }

// InitResult is what [Init] made, and what is to be said once.
type InitResult struct {
	Cluster  string
	Files    map[string]string // configuration file of each site
	Consoles map[string]string // URL of the console of each site
	CA       string            // certificate that the consoles' own are certified by
	Logins   []Login           // shown once: only hashes are kept
	Tokens   map[string]string // file of each API token, by account

	DeskTokens []string // files of API tokens for claims
	Warnings   []string
	Public     map[string]string // configuration file of the public node of each site
	Pages      map[string]string // URL of the page of each site
	Agents     []Login           // of the desk; shown once
}

// Login is an account that was made.
type Login struct {
	Name     string
	Role     AccountRole
	Claims   []ClaimDuty // at the desk of the public side
	Password Secret
}

// Duties are what the account may do, in words.
func (l Login) Duties() string {
	var all []string
	if l.Role != "" {
		all = append(all, string(l.Role))
	}
	for _, d := range l.Claims {
		all = append(all, "claims:"+string(d))
	}
	return strings.Join(all, ", ")
}

// Init makes DIR/SITE for each site and the witness, with bongsu.yaml, certificates,
// accounts.yaml, session.key and the record's key; DIR/ca with the cluster's CA, to be kept away from the
// nodes; DIR/public/SITE with public.yaml for the public node of each site; and DIR/operator.token and DIR/approver.token for the command line. Of one node,
// one votes; of two, both; of three or four, three; of more, five. It refuses a DIR that holds something.
func Init(dir string, o InitOptions) (*InitResult, error) {
	nodes, err := o.plan()
	if err != nil {
		return nil, err
	}
	switch found, err := os.ReadDir(dir); {
	case err == nil && len(found) > 0:
		return nil, fmt.Errorf("%s is not empty (it holds %s): name a new folder, nothing was changed", dir, found[0].Name())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // the folders above are the operator's; ours is 0700
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	// Made beside it and renamed, so that it is there whole or not at all.
	part, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	defer func() { _ = os.RemoveAll(part) }()
	r, err := o.write(part, dir, nodes)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	if err := os.Rename(part, dir); err != nil { // over an empty folder, if there is one
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	return r, nil
}

// plan says which nodes there are, where, and who votes.
func (o *InitOptions) plan() ([]Node, error) {
	names := slices.Clone(o.Sites)
	if o.Witness != "" {
		names = append(names, o.Witness)
	}
	if len(o.Sites) == 0 {
		return nil, errors.New("no sites: name at least one (--sites north,south)")
	}
	for i, n := range names {
		if !nameOK(n) {
			return nil, fmt.Errorf("%q is no name of a site: a name is a lower-case letter or digit and then any of a-z 0-9 . -", n)
		}
		if n == "ca" || n == publicFolder {
			return nil, fmt.Errorf("a site cannot be called %q: a folder of what is made is", n)
		}
		if slices.Contains(names[:i], n) {
			return nil, fmt.Errorf("%q is named twice", n)
		}
	}
	voters := o.Voters
	if len(voters) == 0 {
		count := len(names)
		switch {
		case count >= 5:
			count = 5
		case count == 4:
			count = 3
		}
		voters = names[:count]
		// A witness exists to vote: it takes the place of the last site.
		if o.Witness != "" && !slices.Contains(voters, o.Witness) {
			voters = append(slices.Clone(voters[:count-1]), o.Witness)
		}
	}
	for _, v := range voters {
		if !slices.Contains(names, v) {
			return nil, fmt.Errorf("%q shall vote but is no site%s", v, didYouMean(v, names))
		}
	}
	for _, known := range []map[string]bool{keys(o.Hosts), keys(o.Ports), keys(o.Public)} {
		for name := range known {
			if !slices.Contains(names, name) {
				return nil, fmt.Errorf("%q is no site%s", name, didYouMean(name, names))
			}
		}
	}
	base := cmp.Or(o.BasePort, 7400)
	var nodes []Node
	for i, n := range names {
		host := cmp.Or(o.Hosts[n], "127.0.0.1")
		p, given := o.Ports[n]
		if !given {
			first := base
			if loopback(net.JoinHostPort(host, "0")) {
				first += 10 * i // they share the machine
			}
			p = Ports{first, first + 1, first + 2}
		}
		at := func(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
		node := Node{Site: n, Role: Observer, Witness: n == o.Witness, Console: "http://" + at(p.Console)}
		if !loopback(at(p.Console)) {
			node.Console = "https://" + at(p.Console)
		}
		if slices.Contains(voters, n) {
			node.Role, node.Peer, node.Client = Member, at(p.Peer), at(p.Client)
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

func keys[V any](m map[string]V) map[string]bool {
	set := map[string]bool{}
	for k := range m {
		set[k] = true
	}
	return set
}

func nameOK(n string) bool {
	for i, r := range n {
		letter := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '.' && r != '-') {
			return false
		}
	}
	return n != ""
}

// write makes everything in part, which will be called dir.
func (o *InitOptions) write(part, dir string, nodes []Node) (*InitResult, error) {
	cluster := cmp.Or(o.Cluster, "bongsu-"+strings.ToLower(rand.Text()[:8]))
	r := &InitResult{Cluster: cluster, CA: filepath.Join(dir, "ca", "ca.crt"), Files: map[string]string{}, Consoles: map[string]string{}, Tokens: map[string]string{}}
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	ca, err := NewCA(cluster, now)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(part, "ca"), 0o700); err != nil {
		return nil, err
	}
	if err := ca.Save(filepath.Join(part, "ca")); err != nil {
		return nil, err
	}
	accounts, err := o.accounts(part, dir, r)
	if err != nil {
		return nil, err
	}
	session := []byte(rand.Text() + rand.Text() + "\n")
	recordKey, recordPublic, err := newRecordKey(cluster)
	if err != nil {
		return nil, err
	}
	public, err := o.planPublic(cluster, nodes)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		c := o.forNode(cluster, n, nodes)
		public.tell(&c)
		if o.Change != nil {
			o.Change(n.Site, &c)
		}
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("the configuration of %s: %w", n.Site, err)
		}
		text, err := c.encode()
		if err != nil {
			return nil, err
		}
		at := filepath.Join(part, n.Site)
		if err := os.MkdirAll(filepath.Join(at, "tls"), 0o700); err != nil {
			return nil, err
		}
		if err := errors.Join(
			ca.Issue(filepath.Join(at, "tls"), cluster, hostsOf(n), now),
			os.WriteFile(filepath.Join(at, "bongsu.yaml"), text, 0o600),
			os.WriteFile(filepath.Join(at, c.Console.Accounts), accounts, 0o600),
			os.WriteFile(filepath.Join(at, c.Console.SessionKey), session, 0o600),
			os.WriteFile(filepath.Join(at, statusKeyFile), public.signKey, 0o600),
			os.WriteFile(filepath.Join(at, recordKeyFile), recordKey, 0o600),
			os.WriteFile(filepath.Join(at, recordPublicFile), recordPublic, 0o600),
		); err != nil {
			return nil, err
		}
		r.Consoles[n.Site] = n.Console
		r.Files[n.Site] = filepath.Join(dir, n.Site, "bongsu.yaml")
	}
	if err := public.write(o, part, dir, cluster, ca, r, now); err != nil {
		return nil, err
	}
	members := len(slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.Role != Member }))
	r.Warnings = warnings(members, len(nodes))
	return r, nil
}

// hostsOf are the hosts that a node answers for.
func hostsOf(n Node) []string {
	hosts := []string{n.Site, "localhost", "127.0.0.1", "::1"}
	for _, a := range []string{n.Peer, n.Client, strings.TrimPrefix(strings.TrimPrefix(n.Console, "https://"), "http://")} {
		if host, _, err := net.SplitHostPort(a); err == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func (o *InitOptions) forNode(cluster string, n Node, nodes []Node) Config {
	c := DefaultConfig()
	c.Cluster, c.Site, c.Nodes = cluster, n.Site, nodes
	c.Record = Record{Key: recordKeyFile, Public: recordPublicFile}
	c.TLS = TLS{CA: "tls/ca.crt", Cert: "tls/node.crt", Key: "tls/node.key"}
	scheme, console, _ := strings.Cut(n.Console, "://")
	c.Listen = Listen{Console: listenOn(console)}
	if n.Role == Member {
		c.Listen.Peer, c.Listen.Client = listenOn(n.Peer), listenOn(n.Client)
	}
	if scheme == "https" {
		c.Console.Cert, c.Console.Key = c.TLS.Cert, c.TLS.Key
	}
	return c
}

// accounts makes one account and one token of each role that acts, and returns
// accounts.yaml.
func (o *InitOptions) accounts(part, dir string, r *InitResult) ([]byte, error) {
	f := accountsFile{Version: 1}
	for _, role := range []AccountRole{Viewer, Operator, Approver} {
		login := Login{Name: string(role), Role: role, Password: NewSecret(rand.Text()[:20])}
		h, err := newHash(login.Password)
		if err != nil {
			return nil, err
		}
		f.Accounts = append(f.Accounts, accountEntry{Name: login.Name, Role: role, Password: h.String()})
		r.Logins = append(r.Logins, login)
	}
	for _, role := range []AccountRole{Operator, Approver} {
		text := "bongsu_" + rand.Text() + rand.Text()[:8]
		sum := sha256.Sum256([]byte(text))
		name := "cli-" + string(role)
		f.Tokens = append(f.Tokens, tokenEntry{Name: name, Role: role, SHA256: hex.EncodeToString(sum[:])})
		file := string(role) + ".token"
		if err := os.WriteFile(filepath.Join(part, file), []byte(text+"\n"), 0o600); err != nil {
			return nil, err
		}
		r.Tokens[name] = filepath.Join(dir, file)
	}
	return yaml.Marshal(f)
}

// encode writes what is not the default, with a pointer to the rest.
func (c *Config) encode() ([]byte, error) {
	return encodeFile("# What this node runs by. bongsu config describe explains every field.\n", reflect.ValueOf(*c), reflect.ValueOf(DefaultConfig()))
}

func encodeFile(heading string, v, defaults reflect.Value) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(heading + "version: 1\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(differing(v, defaults)), enc.Close()); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b.Bytes(), nil
}

// differing is a mapping of the fields of v that are not as in d.
func differing(v, d reflect.Value) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			node.Content = append(node.Content, differing(v.Field(i), d.Field(i)).Content...)
			continue
		}
		if f.Tag.Get("yaml") == "" || reflect.DeepEqual(v.Field(i).Interface(), d.Field(i).Interface()) {
			continue
		}
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.Tag.Get("yaml")}, encoded(v.Field(i), d.Field(i)))
	}
	return node
}

func encoded(v, d reflect.Value) *yaml.Node {
	switch v.Kind() {
	case reflect.Struct:
		return differing(v, d)
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			list.Content = append(list.Content, encoded(v.Index(i), reflect.Zero(v.Type().Elem())))
		}
		return list
	case reflect.Map:
		node := &yaml.Node{Kind: yaml.MappingNode}
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			item := v.MapIndex(name)
			node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name.String()}, encoded(item, reflect.Zero(item.Type())))
		}
		return node
	default:
		scalar := &yaml.Node{Kind: yaml.ScalarNode, Value: text(v)}
		if v.Kind() == reflect.String {
			scalar.SetString(v.String())
		}
		return scalar
	}
}
