package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bongsu/internal/config"
	"bongsu/internal/etcd"
	"bongsu/internal/kv"
)

// Three members, one stops: writes go on. Two stop: the last one refuses quickly, and
// shows what it knew.
func TestThreeMembers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3).start()
	mustPut(t, c.nodes[0], "a", "1")
	lead := c.leader()
	c.stop(lead)
	left := []*etcd.Node{c.nodes[(lead+1)%3], c.nodes[(lead+2)%3]}
	mustPut(t, left[0], "a", "2")
	mustGet(t, left[1], "a", "2")

	lead = c.leader()
	last := 3 - lead - func() int { // the one of the two that follows
		for i, n := range c.nodes {
			if n == nil {
				return i
			}
		}
		return -1
	}()
	client := c.client(last)
	mustGet(t, client, "a", "2")
	c.stop(lead)
	minority := c.nodes[last]
	eventually(t, "the loss of the quorum", func() bool { return !minority.Status().Quorum })
	if s := minority.Status(); time.Since(s.Since) > patience || s.Leader != "" || len(s.Members) != 3 {
		t.Errorf("status without a quorum: %+v", s)
	}
	start := time.Now()
	if err := put(t.Context(), minority, "a", "3"); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("write without a quorum: %v", err)
	}
	if _, _, err := minority.Get(t.Context(), "a"); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("read without a quorum: %v", err)
	}
	if _, err := minority.Lease(t.Context(), time.Second); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("lease without a quorum: %v", err)
	}
	// A condition, which the others may have broken since, is not checked either.
	for _, txn := range []kv.Txn{{}, {If: []kv.Cond{{Key: "nobody's"}}}} {
		if _, err := client.Commit(t.Context(), txn); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("a commit of %+v without a quorum: %v", txn, err)
		}
	}
	t.Logf("the refusals took %v", time.Since(start))
	eventually(t, "a refusal at once", func() bool { // when it has lasted for a while, nobody waits any more
		start := time.Now()
		_, _, err := minority.Get(t.Context(), "a")
		return errors.Is(err, kv.ErrUnavailable) && time.Since(start) < 100*time.Millisecond
	})
	found, rev, err := minority.LocalList(t.Context(), "")
	if err != nil || len(found) != 1 || string(found[0].Value) != "2" || rev == 0 {
		t.Errorf("local list: %v at %d, %v", found, rev, err)
	}

	// Back again: nothing that was refused shows up, nothing acknowledged is gone.
	c.open(lead)
	mustPut(t, minority, "b", "1")
	if e, _, err := minority.Get(t.Context(), "a"); err != nil || string(e.Value) == "1" {
		t.Errorf("a = %q, %v", e.Value, err)
	}
	mustGet(t, c.nodes[lead], "b", "1")
}

// A leadership and a watch outlive the loss of the raft leader.
func TestTenureThroughFailover(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3).start()
	lead := c.leader()
	n := c.nodes[(lead+1)%3]
	l, err := kv.Campaign(t.Context(), n, kv.Claim{Key: "leader", TTL: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	events, err := n.Watch(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, n, "a", "1")
	c.stop(lead)
	mustPut(t, n, "a", "2")
	for _, want := range []string{"1", "2"} {
		if got := <-events; string(got[0].Value) != want {
			t.Fatalf("saw %q, want %s", got[0].Value, want)
		}
	}
	if _, err := n.Commit(t.Context(), kv.Txn{Fence: l.Fence(), Do: []kv.Op{{Key: "b"}}}); err != nil {
		t.Errorf("fenced write: %v", err)
	}
	if !l.Alive() {
		t.Error("the leadership did not live through the failover")
	}
	if err := l.Resign(t.Context()); err != nil {
		t.Error(err)
	}
}

// A conditional write whose answers get lost in failovers is applied once and reported
// right: a counter over it counts exactly.
func TestCounterThroughFailovers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3).start()
	lead := c.leader()
	n := c.nodes[(lead+1)%3]
	stop, ended := make(chan struct{}), make(chan error, 1)
	acknowledged, unknown := 0, 0
	go func() {
		mod := int64(0)
		for i := 1; ; i++ {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			rev, err := n.Commit(context.Background(), kv.Txn{
				If: []kv.Cond{{Key: "n", Modified: mod}},
				Do: []kv.Op{{Key: "n", Value: fmt.Append(nil, i)}},
			})
			switch {
			case err == nil:
				mod = rev
				acknowledged++
			case errors.Is(err, kv.ErrUnavailable):
				unknown++
				for {
					e, _, err := n.Get(context.Background(), "n")
					if err == nil {
						mod = e.Modified
						_, _ = fmt.Sscan(string(e.Value), &i)
						break
					}
				}
			default:
				ended <- fmt.Errorf("write %d: %w", i, err) // ErrConflict would be a lie: nobody else writes
				return
			}
		}
	}()
	for range 3 {
		c.stop(lead)
		c.leader()
		before := n.Status().Revision
		eventually(t, "writes", func() bool { return n.Status().Revision > before+20 })
		c.open(lead)
		c.ready(lead)
		// The leadership must not go to the writer, or stopping it would stop the test.
		eventually(t, "the leadership to move", func() bool {
			return n.MoveLeader(t.Context(), c.conf[lead].Name) == nil && c.leader() == lead
		})
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d acknowledged, %d unknown", acknowledged, unknown)
	e, _, err := n.Get(t.Context(), "n")
	var got int
	_, _ = fmt.Sscan(string(e.Value), &got)
	if err != nil || got < acknowledged || got > acknowledged+unknown {
		t.Errorf("counted to %d, acknowledged %d, unknown %d (%v)", got, acknowledged, unknown, err)
	}
}

func TestClientSurvivesEndpoint(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3).start()
	client := c.client(0, 1, 2)
	<-client.Ready()
	if s := client.Status(); s.Member || !s.Quorum {
		t.Errorf("status of a client: %+v", s)
	}
	events, err := client.Watch(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	lead := c.leader()
	for round, stopped := range []int{(lead + 1) % 3, lead} { // a follower, then the leader
		c.stop(stopped)
		value := fmt.Sprint(round)
		mustPut(t, client, "a", value)
		mustGet(t, client, "a", value)
		for seen := ""; seen != value; {
			batch, ok := <-events
			if !ok {
				t.Fatal("the watch ended with one endpoint")
			}
			seen = string(batch[0].Value)
		}
		c.open(stopped)
		c.ready(stopped)
	}
	members, err := client.Members(t.Context())
	if err != nil || len(members) != 3 {
		t.Errorf("members: %v %v", members, err)
	}
}

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3).start()
	mustPut(t, c.nodes[0], "a", "1")
	_, rev, err := c.nodes[0].List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		c.stop(i)
	}
	c.start()
	mustGet(t, c.nodes[1], "a", "1")
	if _, now, err := c.nodes[2].List(t.Context(), ""); err != nil || now != rev {
		t.Errorf("revision %d after the restart, %d before (%v)", now, rev, err)
	}
}

func TestFiveMembers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 5).start()
	mustPut(t, c.nodes[4], "a", "1")
	lead := c.leader()
	c.stop(lead)
	c.stop((lead + 1) % 5)
	n := c.nodes[(lead+2)%5]
	mustPut(t, n, "a", "2")
	if s := n.Status(); len(s.Members) != 5 || !s.Quorum {
		t.Errorf("status: %+v", s)
	}
}

func TestSingleMember(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(c *etcd.Config) { c.TLS = etcd.TLS{} }).start() // without TLS on loopback
	mustPut(t, c.nodes[0], "a", "1")
	s := c.nodes[0].Status()
	if !s.Leading || s.Leader != "site-0" || s.Size == 0 || s.Quota != 2<<30 {
		t.Errorf("status: %+v", s)
	}
	c.stop(0)
	c.open(0)
	c.ready(0)
	mustGet(t, c.nodes[0], "a", "1")
}

func TestMoveLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3).start()
	lead := c.leader()
	for _, to := range []int{(lead + 1) % 3, (lead + 2) % 3, (lead + 2) % 3} {
		if err := c.nodes[lead].MoveLeader(t.Context(), c.conf[to].Name); err != nil {
			t.Fatal(err)
		}
		if got := c.leader(); got != to {
			t.Errorf("%d leads, want %d", got, to)
		}
	}
	wantError(t, c.nodes[0].MoveLeader(t.Context(), "nobody"), `no member is called "nobody"`, "site-0, site-1, site-2")
}

// A site is lost together with its disk and comes back empty.
func TestReplace(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3).start()
	for i := range 50 {
		mustPut(t, c.nodes[0], fmt.Sprint("k", i), "1")
	}
	lost := (c.leader() + 1) % 3
	c.stop(lost)
	n := c.nodes[c.leader()]
	addrs := freeAddrs(t, 2)
	name := c.conf[lost].Name
	peers, err := n.Replace(t.Context(), name, name, addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	c.conf[lost] = c.member(name, addrs[0], addrs[1], peers)
	c.conf[lost].Join = true
	c.open(lost)
	c.ready(lost)
	eventually(t, "its vote", func() bool {
		members, err := n.Members(t.Context())
		for _, m := range members {
			if m.Name == name {
				return err == nil && !m.Learner
			}
		}
		return false
	})
	mustGet(t, c.nodes[lost], "k49", "1")
	// It counts: with another one gone, it carries the quorum.
	for i := range 3 {
		if i != lost && c.nodes[i] != n {
			c.stop(i)
		}
	}
	mustPut(t, c.nodes[lost], "a", "2")
	// And starts again with the same configuration.
	c.stop(lost)
	c.open(lost)
	mustPut(t, c.nodes[lost], "a", "3")

	wantError(t, func() error { _, err := n.Replace(t.Context(), "nobody", "x", addrs[0]); return err }(), "no member is called")
}

// A node whose certificate is of another CA, or made out to something else, takes part
// in nothing.
func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	foreign, err := config.NewCA("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.conf[2].TLS = c.certify(foreign)
	for i := range c.conf {
		c.open(i)
	}
	c.ready(0)
	c.ready(1)
	mustPut(t, c.nodes[0], "a", "1")
	// The honest two go on, and the third one has no part in it.
	if err := put(t.Context(), c.nodes[2], "a", "2"); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("write of the node with a foreign certificate: %v", err)
	}
	if s := c.nodes[2].Status(); s.Quorum {
		t.Errorf("status of the node with a foreign certificate: %+v", s)
	}
	mustGet(t, c.nodes[1], "a", "1")

	refused := func(name string, tls etcd.TLS) {
		t.Helper()
		client, err := etcd.Open(t.Context(), etcd.Config{Cluster: "test", Name: "intruder", TLS: tls, Endpoints: []string{c.conf[0].ClientURL}, Timeout: 600 * time.Millisecond}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		if _, _, err := client.Get(t.Context(), "a"); err == nil {
			t.Errorf("%s: was let in", name)
		}
	}
	refused("foreign CA", c.certify(foreign))
	dir := t.TempDir()
	if err := c.ca.Issue(dir, "other", []string{"127.0.0.1"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	refused("same CA, other cluster", etcd.TLS{CA: filepath.Join(dir, "ca.crt"), Cert: filepath.Join(dir, "node.crt"), Key: filepath.Join(dir, "node.key")})
}

// A member whose certificate is not for the host at which it answers is not believed.
func TestWrongHost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.conf[0].TLS = c.certify(c.ca, "203.0.113.7", "elsewhere.example")
	c.start()
	client := c.client(0)
	if _, _, err := client.Get(t.Context(), "a"); err == nil {
		t.Error("a member on 127.0.0.1 passed with a certificate for elsewhere.example")
	}
}

func TestDataFolder(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1).start()
	open := func(change func(*etcd.Config)) error {
		conf := c.conf[0]
		change(&conf)
		n, err := etcd.Open(t.Context(), conf, nil)
		if err == nil {
			_ = n.Close()
		}
		return err
	}
	wantError(t, open(func(*etcd.Config) {}), "in use by another process")
	c.stop(0)
	wantError(t, open(func(c *etcd.Config) { c.Cluster = "other" }), `belongs to cluster "test", not to "other"`)
	wantError(t, open(func(c *etcd.Config) {
		c.Name = "site-9"
		c.Members = []etcd.Peer{{Name: "site-9", URL: c.PeerURL}}
	}), `belongs to node "site-0", not to "site-9"`)
	file := filepath.Join(c.conf[0].Dir, "identity.json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct{ content, want string }{
		{"{", "is damaged"},
		{`{"version":2,"cluster":"test","name":"site-0"}`, "has version 2"},
	} {
		if err := os.WriteFile(file, []byte(bad.content), 0o600); err != nil {
			t.Fatal(err)
		}
		wantError(t, open(func(*etcd.Config) {}), bad.want)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	wantError(t, open(func(*etcd.Config) {}), "an etcd that is not bongsu's")
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	c.open(0) // every refusal gave the lock back
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	c.conf[0].Members = c.conf[0].Members[:1]
	c.open(0)
	c.ready(0)
	for _, x := range []struct {
		what   string
		change func(*etcd.Config)
	}{
		{"peer address " + c.conf[0].PeerListen, func(x *etcd.Config) { x.PeerListen = c.conf[0].PeerListen }},
		{"client address " + c.conf[0].ClientListen, func(x *etcd.Config) { x.ClientListen = c.conf[0].ClientListen }},
	} {
		conf := c.conf[1]
		x.change(&conf)
		_, err := etcd.Open(t.Context(), conf, nil)
		wantError(t, err, x.what, "taken by another program")
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	good := newCluster(t, 1).conf[0]
	for _, c := range []struct {
		want   string
		change func(*etcd.Config)
	}{
		{"cluster ID", func(c *etcd.Config) { c.Cluster = "" }},
		{"node name", func(c *etcd.Config) { c.Name = "a b" }},
		{"five heartbeats", func(c *etcd.Config) { c.Election = 4 * 50 * time.Millisecond }},
		{"more than 50s", func(c *etcd.Config) { c.Election = time.Minute }},
		{"peer listen address", func(c *etcd.Config) { c.PeerListen = "x" }},
		{"do not contain this node", func(c *etcd.Config) { c.Members = nil }},
		{"peer address is", func(c *etcd.Config) { c.PeerURL = "127.0.0.1:1" }},
		{"same address", func(c *etcd.Config) { c.Members = append(c.Members, etcd.Peer{Name: "x", URL: c.PeerURL}) }},
		{"TLS needs all", func(c *etcd.Config) { c.TLS.Key = "" }},
		{"without TLS only loopback", func(c *etcd.Config) { c.TLS = etcd.TLS{}; c.ClientListen = "0.0.0.0:0" }},
		{"needs endpoints", func(c *etcd.Config) { c.Dir = "" }},
		{"can be negative", func(c *etcd.Config) { c.Quota = -1 }},
	} {
		conf := good
		c.change(&conf)
		_, err := etcd.Open(t.Context(), conf, nil)
		wantError(t, err, c.want)
	}
}
