package etcd

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"bongsu/internal/kv"
)

// A Node is this process's way to the store of the cluster, and its member if it is
// one. Close it.
type Node struct {
	cfg    Config
	log    *slog.Logger
	client *clientv3.Client
	server *embed.Etcd // nil: a client
	lock   *fileutil.LockedFile
	prefix string // of the keys that callers see
	slots  slots
	watch  quorumWatch

	background context.Context //nolint:containedctx // the life of the node, which its goroutines follow
	stop       context.CancelFunc
	running    sync.WaitGroup
	done       chan struct{}
	closed     sync.Once
}

var _ kv.Store = (*Node)(nil)

// Open starts the member, or connects the client, and returns without waiting for a
// quorum: [Node.Ready] is closed when there is one. ctx bounds the start only. A nil
// log keeps etcd silent.
func Open(ctx context.Context, c Config, log *slog.Logger) (*Node, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("store of node %q: %w", c.Name, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	n := &Node{
		cfg: c, log: log, background: background, stop: stop, done: make(chan struct{}),
		prefix: "bongsu/" + c.Cluster + "/k/",
	}
	n.slots.prefix = "bongsu/" + c.Cluster + "/s/" + c.Name + "/"
	n.watch.ready = make(chan struct{})
	n.watch.since = time.Now()
	open := n.dial
	if c.Member() {
		open = n.startMember
	}
	if err := open(); err != nil {
		stop()
		return nil, err
	}
	n.running.Go(func() { n.watchQuorum(background) })
	if c.Join && c.Member() {
		n.running.Go(func() { n.askForVote(background) })
	}
	go func() {
		if n.server != nil {
			<-n.server.Server.StopNotify()
		} else {
			<-background.Done()
		}
		stop()
		n.running.Wait()
		close(n.done)
	}()
	return n, nil
}

// Ready is closed once the node has seen a quorum.
func (n *Node) Ready() <-chan struct{} { return n.watch.ready }

// Done is closed when the member has stopped, be it by Close or because it was removed
// from the cluster.
func (n *Node) Done() <-chan struct{} { return n.done }

// Close stops the member in good order: it hands the leadership over first, so that
// the others hardly notice.
func (n *Node) Close() error {
	var err error
	n.closed.Do(func() {
		n.stop()
		if n.server != nil {
			select {
			case <-n.server.Server.ReadyNotify():
			default:
				n.server.Server.HardStop() // or Close would wait for a quorum
			}
			n.server.Close()
		}
		<-n.done
		err = n.client.Close()
		if errors.Is(err, context.Canceled) {
			err = nil // what an in-process client says to its end
		}
		if n.lock != nil {
			err = errors.Join(err, n.lock.Close())
		}
	})
	return err
}

// identity is kept in the data folder: etcd itself would start on any data.
type identity struct {
	Version int    `json:"version"`
	Cluster string `json:"cluster"`
	Name    string `json:"name"`
}

// takeFolder locks the data folder and makes sure that it is ours.
func (n *Node) takeFolder() error {
	dir := n.cfg.Dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	lock, err := fileutil.TryLockFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		return fmt.Errorf("data folder %s is in use by another process: stop that one, or give this node a folder of its own", dir)
	}
	if err != nil {
		return fmt.Errorf("lock the data folder: %w", err)
	}
	if err := n.identify(); err != nil {
		return errors.Join(err, lock.Close())
	}
	n.lock = lock
	return nil
}

func (n *Node) identify() error {
	dir, want := n.cfg.Dir, identity{Version: 1, Cluster: n.cfg.Cluster, Name: n.cfg.Name}
	file := filepath.Join(dir, "identity.json")
	raw, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if fileutil.Exist(filepath.Join(dir, "member")) {
			return fmt.Errorf("data folder %s holds an etcd that is not bongsu's: give this node an empty folder", dir)
		}
		raw, err := json.Marshal(want)
		if err != nil {
			return err
		}
		return writeFile(file, append(raw, '\n'))
	case err != nil:
		return fmt.Errorf("data folder: %w", err)
	}
	var got identity
	if err := json.Unmarshal(raw, &got); err != nil {
		return fmt.Errorf("%s is damaged (%v): restore it, or give this node an empty folder and replace the member", file, err)
	}
	switch {
	case got.Version != want.Version:
		return fmt.Errorf("%s has version %d, this program knows %d", file, got.Version, want.Version)
	case got.Cluster != want.Cluster:
		return fmt.Errorf("data folder %s belongs to cluster %q, not to %q: use the folder of this cluster, or an empty one", dir, got.Cluster, want.Cluster)
	case got.Name != want.Name:
		return fmt.Errorf("data folder %s belongs to node %q, not to %q: two nodes cannot share one", dir, got.Name, want.Name)
	}
	return nil
}

// writeFile makes the file appear whole or not at all.
func writeFile(file string, data []byte) error {
	part := file + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return err
	}
	return os.Rename(part, file)
}

func (n *Node) startMember() error {
	if err := n.takeFolder(); err != nil {
		return err
	}
	server, err := embed.StartEtcd(n.embedConfig())
	if err != nil {
		return errors.Join(n.explain(err), n.lock.Close())
	}
	n.server = server
	n.client = v3client.New(server.Server)
	return nil
}

// explain turns what etcd says about a failed start into what to do.
func (n *Node) explain(err error) error {
	text := err.Error()
	if strings.Contains(text, "address already in use") {
		for _, a := range []struct{ what, addr string }{{"peer", n.cfg.PeerListen}, {"client", n.cfg.ClientListen}} {
			if strings.Contains(text, a.addr+":") {
				return fmt.Errorf("%s address %s is taken by another program: stop it, or choose another address for the %s port", a.what, a.addr, a.what)
			}
		}
	}
	if strings.Contains(text, "cannot assign requested address") {
		return fmt.Errorf("start the store: %v: the listen addresses have to be addresses of this machine", err)
	}
	return fmt.Errorf("start the store: %v", err)
}

func (n *Node) embedConfig() *embed.Config {
	c, e := n.cfg, embed.NewConfig()
	urls := func(addr string) []url.URL {
		return []url.URL{{Scheme: strings.TrimSuffix(c.url(""), "://"), Host: addr}}
	}
	e.Name, e.Dir = c.Name, c.Dir
	e.ListenPeerUrls, e.AdvertisePeerUrls = urls(c.PeerListen), urls(c.PeerURL)
	e.ListenClientUrls, e.AdvertiseClientUrls = urls(c.ClientListen), urls(c.ClientURL)
	var members []string
	for _, p := range c.Members {
		members = append(members, p.Name+"="+c.url(p.URL))
	}
	e.InitialCluster = strings.Join(members, ",")
	e.InitialClusterToken = "bongsu-" + c.Cluster
	if c.Join {
		e.ClusterState = embed.ClusterStateFlagExisting
	}
	if c.TLS.On() {
		info := transport.TLSInfo{
			CertFile: c.TLS.Cert, KeyFile: c.TLS.Key, TrustedCAFile: c.TLS.CA,
			ClientCertAuth: true,
			// Who dials checks the names of who answers. The reverse, comparing names
			// with the source address, would only break nodes behind NAT.
			SkipClientSANVerify: true,
		}
		if c.TLS.Accept != "" {
			info.AllowedCNs = []string{c.TLS.Accept}
		}
		e.PeerTLSInfo, e.ClientTLSInfo = info, info
		e.TlsMinVersion = "TLS1.3"
	}
	e.TickMs, e.ElectionMs = uint(c.Heartbeat.Milliseconds()), uint(c.Election.Milliseconds()) //nolint:gosec // withDefaults bounds both
	e.PreVote, e.StrictReconfigCheck = true, true
	e.QuotaBackendBytes = c.Quota
	e.MaxTxnOps = 2 * kv.MaxOps         // ours, and the bookkeeping
	e.MaxRequestBytes = 4 * kv.MaxBytes // keys count more than once
	// The log is held in memory between snapshots: 5000 entries of up to 1 MiB
	// are rare, of 1 KiB usual.
	e.SnapshotCount, e.SnapshotCatchUpEntries = 5000, 1000
	e.AutoCompactionMode, e.AutoCompactionRetention = embed.CompactorModePeriodic, "1h"
	e.GRPCKeepAliveMinTime = time.Second
	e.Metrics = "basic"
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapTo(n.log))
	return e
}

// dial connects a client. It does not wait for a connection.
func (n *Node) dial() error {
	client, err := n.connect(n.cfg.Endpoints)
	if err != nil {
		return fmt.Errorf("connect to the members: %w", err)
	}
	n.client = client
	return nil
}

func (n *Node) connect(addrs []string) (*clientv3.Client, error) {
	var secure *tls.Config
	var endpoints []string
	for _, a := range addrs {
		endpoints = append(endpoints, n.cfg.url(a))
	}
	if t := n.cfg.TLS; t.On() {
		var err error
		secure, err = transport.TLSInfo{CertFile: t.Cert, KeyFile: t.Key, TrustedCAFile: t.CA}.ClientConfig()
		if err != nil {
			return nil, err
		}
		secure.MinVersion = tls.VersionTLS13
	}
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints,
		TLS:       secure,
		Logger:    zapTo(n.log),
		// A connection that hangs is noticed by the time limit of each try; this finds
		// the ones that only watches use.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			// The default of 1 s would hide a fast failover.
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	})
}
