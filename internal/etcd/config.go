package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Config says how one node takes part.
type Config struct {
	Cluster string // ID of the cluster; a data folder belongs to one
	Name    string // name of this node, unique in the cluster
	TLS     TLS

	// Of a member. A node without Dir is a client of others.
	Dir          string
	PeerListen   string // IP:port
	PeerURL      string // host:port at which other members reach it
	ClientListen string // IP:port
	ClientURL    string // host:port at which clients reach it
	Members      []Peer // the members that form the cluster, this one included
	Join         bool   // the cluster exists and has added this node: see Node.Replace
	Quota        int64  // bytes of the database; 0: 2 GiB
	Heartbeat    time.Duration
	Election     time.Duration // at least five heartbeats

	// Of a client: host:port of members, or of an etcd that somebody else runs.
	Endpoints []string

	// Timeout is how long an operation tries before it returns kv.ErrUnavailable;
	// 0: four elections.
	Timeout time.Duration
}

// Peer is a member of the cluster when it is formed.
type Peer struct {
	Name string
	URL  string // host:port for members
}

// TLS names PEM files. Empty means no TLS, which is only accepted on loopback.
type TLS struct {
	CA, Cert, Key string
	// Accept is the common name that the certificate of whoever connects must carry,
	// besides being of the CA; empty: any. Whoever is connected to must be certified
	// for the host that was dialled.
	Accept string
}

// On says whether TLS is used.
func (t TLS) On() bool { return t != TLS{} }

// Member says whether the node holds data and votes.
func (c Config) Member() bool { return c.Dir != "" }

// withDefaults returns a config that can be run, or says what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	c.Heartbeat = cmp.Or(c.Heartbeat, 50*time.Millisecond)
	c.Election = cmp.Or(c.Election, 500*time.Millisecond)
	c.Timeout = cmp.Or(c.Timeout, 4*c.Election)
	c.Quota = cmp.Or(c.Quota, 2<<30)
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Cluster == "" || strings.ContainsAny(c.Cluster, "/ ") {
		bad("the cluster ID %q must not be empty or contain slashes or spaces", c.Cluster)
	}
	if c.Name == "" || strings.ContainsAny(c.Name, "=,/ ") {
		bad("the node name %q must not be empty or contain any of = , / and space", c.Name)
	}
	if c.TLS.On() && (c.TLS.CA == "" || c.TLS.Cert == "" || c.TLS.Key == "") {
		bad("TLS needs all of CA, certificate and key")
	}
	if c.Timeout < 0 || c.Quota < 0 {
		bad("neither the timeout (%v) nor the quota (%d) can be negative", c.Timeout, c.Quota)
	}
	if !c.Member() {
		if len(c.Endpoints) == 0 {
			bad("a node without a data folder needs endpoints of members")
		}
		return c, errors.Join(append(errs, c.checkLoopback(c.Endpoints...))...)
	}
	if c.Heartbeat < time.Millisecond || c.Election < 5*c.Heartbeat {
		bad("the election time of %v is not five heartbeats of %v or more", c.Election, c.Heartbeat)
	}
	if c.Election > 50*time.Second {
		bad("the election time of %v is more than 50s", c.Election)
	}
	for _, a := range []struct{ what, addr string }{
		{"peer listen", c.PeerListen},
		{"peer", c.PeerURL},
		{"client listen", c.ClientListen},
		{"client", c.ClientURL},
	} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			bad("the %s address %q is not host:port", a.what, a.addr)
		}
	}
	self := slices.IndexFunc(c.Members, func(p Peer) bool { return p.Name == c.Name })
	switch {
	case self < 0:
		bad("the members do not contain this node, %q", c.Name)
	case c.Members[self].URL != c.PeerURL:
		bad("the members say that %q is at %s, but its peer address is %s", c.Name, c.Members[self].URL, c.PeerURL)
	}
	seen := map[string]string{}
	for _, p := range c.Members {
		if _, _, err := net.SplitHostPort(p.URL); err != nil {
			bad("the address %q of member %q is not host:port", p.URL, p.Name)
		}
		if other, ok := seen[p.URL]; ok {
			bad("members %q and %q have the same address %s", other, p.Name, p.URL)
		}
		seen[p.URL] = p.Name
	}
	return c, errors.Join(append(errs, c.checkLoopback(c.PeerListen, c.ClientListen))...)
}

// checkLoopback refuses to speak in the clear beyond this machine.
func (c Config) checkLoopback(addrs ...string) error {
	if c.TLS.On() {
		return nil
	}
	for _, a := range addrs {
		host, _, _ := net.SplitHostPort(a)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%s is not on this machine: without TLS only loopback addresses are used", a)
		}
	}
	return nil
}

func (c Config) url(addr string) string {
	if c.TLS.On() {
		return "https://" + addr
	}
	return "http://" + addr
}
