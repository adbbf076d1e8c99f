package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/internal/config"
	"bongsu/internal/etcd"
	"bongsu/internal/kv"
	"bongsu/internal/port"
)

const patience = 30 * time.Second

// cluster is some members in this process, with TLS between them.
type cluster struct {
	t     testing.TB
	ca    *config.CA
	conf  []etcd.Config
	nodes []*etcd.Node
}

// newCluster prepares n members; start starts them.
func newCluster(t testing.TB, n int, change ...func(*etcd.Config)) *cluster {
	t.Helper()
	ca, err := config.NewCA("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, ca: ca, nodes: make([]*etcd.Node, n)}
	addrs := freeAddrs(t, 2*n)
	var peers []etcd.Peer
	for i := range n {
		peers = append(peers, etcd.Peer{Name: fmt.Sprint("site-", i), URL: addrs[i]})
	}
	for i := range n {
		conf := c.member(peers[i].Name, addrs[i], addrs[n+i], peers)
		for _, f := range change {
			f(&conf)
		}
		c.conf = append(c.conf, conf)
	}
	t.Cleanup(func() {
		var stopping sync.WaitGroup
		for i := range c.nodes {
			stopping.Go(func() { c.stop(i) })
		}
		stopping.Wait()
	})
	return c
}

func (c *cluster) member(name, peer, client string, peers []etcd.Peer) etcd.Config {
	c.t.Helper()
	dir := filepath.Join(c.t.TempDir(), name)
	return etcd.Config{
		Cluster: "test", Name: name, Dir: dir, TLS: c.certify(c.ca),
		PeerListen: peer, PeerURL: peer, ClientListen: client, ClientURL: client,
		Members: peers,
	}
}

func (c *cluster) certify(ca *config.CA, hosts ...string) etcd.TLS {
	c.t.Helper()
	dir := c.t.TempDir()
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1", "localhost"}
	}
	if err := ca.Issue(dir, "test", hosts, time.Now()); err != nil {
		c.t.Fatal(err)
	}
	return etcd.TLS{
		CA: filepath.Join(dir, "ca.crt"), Cert: filepath.Join(dir, "node.crt"), Key: filepath.Join(dir, "node.key"),
		Accept: config.CommonName("test"),
	}
}

// freeAddrs returns addresses that nothing listens on, and that are the test's until it ends.
func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	first, release, err := port.Reserve(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	var addrs []string
	for i := range n {
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", first+i))
	}
	return addrs
}

func (c *cluster) open(i int) {
	c.t.Helper()
	n, err := etcd.Open(c.t.Context(), c.conf[i], nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes[i] = n
}

func (c *cluster) start() *cluster {
	c.t.Helper()
	for i := range c.conf {
		c.open(i)
	}
	for i := range c.conf {
		c.ready(i)
	}
	return c
}

func (c *cluster) ready(i int) {
	c.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.nodes[i].Ready():
	case <-timer.C:
		c.t.Fatalf("node %d saw no quorum", i)
	}
}

func (c *cluster) stop(i int) {
	c.t.Helper()
	if c.nodes[i] == nil {
		return
	}
	if err := c.nodes[i].Close(); err != nil {
		c.t.Errorf("close node %d: %v", i, err)
	}
	c.nodes[i] = nil
}

// client connects a node that only observes to the members given.
func (c *cluster) client(members ...int) *etcd.Node {
	c.t.Helper()
	conf := etcd.Config{Cluster: "test", Name: "observer", TLS: c.certify(c.ca), Timeout: c.conf[0].Timeout}
	for _, i := range members {
		conf.Endpoints = append(conf.Endpoints, c.conf[i].ClientURL)
	}
	n, err := etcd.Open(c.t.Context(), conf, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := n.Close(); err != nil {
			c.t.Errorf("close the client: %v", err)
		}
	})
	return n
}

// leader waits for the members that run to agree on one of them.
func (c *cluster) leader() int {
	c.t.Helper()
	found := -1
	eventually(c.t, "a leader that all know", func() bool {
		names := map[string]bool{}
		for i, n := range c.nodes {
			if n == nil {
				continue
			}
			s := n.Status()
			names[s.Leader] = true
			if s.Leading {
				found = i
			}
		}
		return len(names) == 1 && !names[""] && found >= 0 && c.nodes[found] != nil
	})
	return found
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("%v passed without %s", patience, what)
		case <-tick.C:
		}
	}
}

func put(ctx context.Context, s kv.Store, key, value string) error {
	_, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: key, Value: []byte(value)}}})
	return err
}

func mustPut(t testing.TB, s kv.Store, key, value string) {
	t.Helper()
	eventually(t, "a write", func() bool {
		err := put(t.Context(), s, key, value)
		if err != nil && !errors.Is(err, kv.ErrUnavailable) {
			t.Fatalf("put %s: %v", key, err)
		}
		return err == nil
	})
}

func mustGet(t testing.TB, s kv.Store, key, want string) {
	t.Helper()
	e, ok, err := s.Get(t.Context(), key)
	if err != nil || !ok || string(e.Value) != want {
		t.Errorf("get %s: %q %v %v, want %q", key, e.Value, ok, err, want)
	}
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}
