package config

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/sumdb/note"
)

// PublicPorts of one public node.
type PublicPorts struct{ Peer, Client, Page, Push, Desk int }

// publicFolder is where [Init] puts what the public nodes run by, apart from what
// control runs by: they are another user's.
const publicFolder = "public"

// PublicCluster is what the cluster of public nodes is called whose control is in
// cluster.
func PublicCluster(cluster string) string { return cluster + "-public" }

// A publicSide is what [Init] makes for the public nodes of all sites.
type publicSide struct {
	nodes   []PublicNode
	listens map[string]PublicListen
	push    []string // URLs
	signKey []byte
	verify  string
	agents  []byte
	session []byte
	seal    []byte
	master  []byte // of claims
	log     []byte // key of the log of decisions
	logPub  []byte
}

// planPublic plans a public node beside each control node.
func (o *InitOptions) planPublic(cluster string, nodes []Node) (*publicSide, error) {
	p := &publicSide{
		listens: map[string]PublicListen{},
		session: []byte(rand.Text() + rand.Text() + "\n"), seal: []byte(rand.Text() + rand.Text() + "\n"),
	}
	private, public, err := note.GenerateKey(rand.Reader, "bongsu-status."+cluster)
	if err != nil {
		return nil, fmt.Errorf("make the key of the status page: %w", err)
	}
	p.signKey, p.verify = []byte(private+"\n"), public
	master := make([]byte, 32)
	_, _ = rand.Read(master) // never fails
	p.master = []byte(hex.EncodeToString(master) + "\n")
	if private, public, err = note.GenerateKey(rand.Reader, "bongsu-claims."+cluster); err != nil {
		return nil, fmt.Errorf("make the key of the log of decisions: %w", err)
	}
	p.log, p.logPub = []byte(private+"\n"), []byte(public+"\n")
	for _, n := range nodes {
		scheme, console, _ := strings.Cut(n.Console, "://")
		host, text, err := net.SplitHostPort(console)
		if err != nil {
			return nil, fmt.Errorf("the console of %s: %w", n.Site, err)
		}
		first, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("the console of %s: %w", n.Site, err)
		}
		ports, given := o.Public[n.Site]
		if !given {
			ports = PublicPorts{first + 1, first + 2, first + 3, first + 4, first + 5}
		}
		at := func(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
		node := PublicNode{Site: n.Site, Role: n.Role, Page: scheme + "://" + at(ports.Page)}
		l := PublicListen{Page: listenOn(at(ports.Page)), Push: listenOn(at(ports.Push)), Desk: listenOn(at(ports.Desk))}
		if n.Role == Member {
			node.Peer, node.Client = at(ports.Peer), at(ports.Client)
			l.Peer, l.Client = listenOn(node.Peer), listenOn(node.Client)
		}
		p.nodes, p.listens[n.Site] = append(p.nodes, node), l
		p.push = append(p.push, "https://"+at(ports.Push))
	}
	return p, nil
}

// listenOn is where a node listens that others reach at an address.
func listenOn(advertised string) string {
	host, port, _ := net.SplitHostPort(advertised)
	if net.ParseIP(host) == nil {
		host = "0.0.0.0" // a name may be of an address that is not this machine's own
	}
	return net.JoinHostPort(host, port)
}

// tell makes a control node's configuration tell the public side.
func (p *publicSide) tell(c *Config) {
	c.Public.Nodes, c.Public.SignKey = p.push, statusKeyFile
	c.Public.Page.Company, c.Public.Page.URL = "bongsu", p.nodes[0].Page
	c.Public.Page.Title = map[string]string{"ko": "서비스 상태", "en": "Service status"}
}

// statusKeyFile is what [Init] keeps the key in that signs what the public is told.
const statusKeyFile = "status.key"

// makeAgents makes the accounts of the desk.
func (p *publicSide) makeAgents(part, dir string, r *InitResult) error {
	f := accountsFile{Version: 1}
	for _, a := range []Login{
		{Name: "agent", Role: Operator, Claims: []ClaimDuty{Agent}},
		{Name: "editor", Role: Approver, Claims: []ClaimDuty{Decider}},
		{Name: "decider", Claims: []ClaimDuty{Decider, Body}}, // whoever decides alone confirms nothing
		{Name: "payer", Claims: []ClaimDuty{Payer}},
		{Name: "treasurer", Claims: []ClaimDuty{Payer}},
		{Name: "privacy", Claims: []ClaimDuty{Privacy}},
	} {
		a.Password = NewSecret(rand.Text()[:20])
		h, err := newHash(a.Password)
		if err != nil {
			return err
		}
		f.Accounts = append(f.Accounts, accountEntry{Name: a.Name, Role: a.Role, Claims: a.Claims, Password: h.String()})
		r.Agents = append(r.Agents, a)
	}
	for i, person := range []string{"editor", "decider"} { // two, since one alone agrees to nothing
		name := fmt.Sprintf("claims-%d", i+1)
		text := rand.Text() + rand.Text()
		sum := sha256.Sum256([]byte(text))
		f.Tokens = append(f.Tokens, tokenEntry{Name: name, Account: person, Claims: []ClaimDuty{Agent, Decider, Payer, Privacy}, SHA256: hex.EncodeToString(sum[:])})
		if err := os.WriteFile(filepath.Join(part, name+".token"), []byte(text+"\n"), 0o600); err != nil {
			return err
		}
		r.DeskTokens = append(r.DeskTokens, filepath.Join(dir, name+".token"))
	}
	var err error
	p.agents, err = yaml.Marshal(f)
	return err
}

// write writes what each public node runs by into part, which will be called dir.
func (p *publicSide) write(o *InitOptions, part, dir, cluster string, ca *CA, r *InitResult, now time.Time) error {
	if err := p.makeAgents(part, dir, r); err != nil {
		return err
	}
	r.Public, r.Pages = map[string]string{}, map[string]string{}
	for _, n := range p.nodes {
		c := DefaultPublicConfig()
		c.Cluster, c.Control, c.Site, c.Nodes, c.Keys = PublicCluster(cluster), cluster, n.Site, p.nodes, []string{p.verify}
		c.Listen = p.listens[n.Site]
		c.Claims.MasterKey, c.Claims.LogKey = "claims-master.key", "claims-log.key"
		c.TLS = TLS{CA: "tls/ca.crt", Cert: "tls/node.crt", Key: "tls/node.key"}
		if strings.HasPrefix(n.Page, "https:") {
			c.Page.Cert, c.Page.Key = c.TLS.Cert, c.TLS.Key
		}
		if !loopback(c.Listen.Desk) {
			c.Desk.Cert, c.Desk.Key = c.TLS.Cert, c.TLS.Key
		}
		if o.ChangePublic != nil {
			o.ChangePublic(n.Site, &c)
		}
		if err := c.Validate(); err != nil {
			return fmt.Errorf("the configuration of the public node of %s: %w", n.Site, err)
		}
		text, err := c.encode()
		if err != nil {
			return err
		}
		at := filepath.Join(part, publicFolder, n.Site)
		if err := os.MkdirAll(filepath.Join(at, "tls"), 0o700); err != nil {
			return err
		}
		hosts := hostsOf(Node{Site: n.Site, Peer: n.Peer, Client: n.Client, Console: n.Page})
		if err := errors.Join(
			ca.Issue(filepath.Join(at, "tls"), c.Cluster, hosts, now),
			os.WriteFile(filepath.Join(at, "public.yaml"), text, 0o600),
			os.WriteFile(filepath.Join(at, c.Desk.Accounts), p.agents, 0o600),
			os.WriteFile(filepath.Join(at, c.Desk.SessionKey), p.session, 0o600),
			os.WriteFile(filepath.Join(at, c.Desk.SealKey), p.seal, 0o600),
			os.WriteFile(filepath.Join(at, c.Claims.MasterKey), p.master, 0o600),
			os.WriteFile(filepath.Join(at, c.Claims.LogKey), p.log, 0o600),
			os.WriteFile(filepath.Join(at, "claims-log.pub"), p.logPub, 0o644), //nolint:gosec // public
		); err != nil {
			return err
		}
		r.Public[n.Site] = filepath.Join(dir, publicFolder, n.Site, "public.yaml")
		r.Pages[n.Site] = n.Page
	}
	return nil
}
