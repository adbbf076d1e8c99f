package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/detect"
	"bongsu/incident"
	"bongsu/internal/etcd"
	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/web"
)

// Options are what one node is made of.
type Options struct {
	Name    string // of the node; the site's name
	Site    string
	Witness bool
	Dir     string // of its own small files; a member's data is below it
	Cluster []Peer // every site that runs a node, this one included
	Store   etcd.Config

	Detection detect.Policy
	Interval  time.Duration // between two looks at one target
	Timeout   time.Duration // of one look
	ProbeTLS  *tls.Config   // by which other nodes are known

	Declare bool // declare a loss by policy, without a person
	Approve bool // start a run by policy, without a person
	Second  bool // what is dangerous waits for a second person

	StandBack time.Duration // how long it waits before it first stands for leadership

	FenceTime time.Duration // how long fencing may take
	Fence     *Fencer       // how the site's writers are fenced; nil: nothing to fence
	Actuators map[string]recovery.Actuator

	Signer    note.Signer           // signs the record of an incident; nil: nobody does
	RecordKey string                // its public key
	Duty      *Waking               // whom to wake for what; nil: nobody
	Clocks    *incident.ClockPolicy // duties with a deadline; nil: those that are shipped

	Tell Tell // what the public side is told, and where it is

	Listen   string // address of the console and the API
	URL      string // how people reach it
	CertFile string // TLS of the console; empty serves plain HTTP, on loopback only
	KeyFile  string
	Accounts web.Accounts
	Key      []byte // signs sessions

	Log *slog.Logger
	// Ready is called once, with the address of the console.
	Ready func(addr net.Addr)
}

// A Peer is another node, as this one probes it.
type Peer struct {
	Site    string
	URL     string // of its console
	Voter   bool
	Witness bool
}

// A Node is one running control node.
type Node struct {
	o     Options
	log   *slog.Logger
	store *etcd.Node
	cache *cache
	views detect.Views

	audits audits
	seals  seals

	session atomic.Value // string: of this node's worker, as far as there is one
	lease   atomic.Int64 // of the node's presence; 0 while there is none
}

// Run runs one node until ctx ends. The error says what kept it from running.
func Run(ctx context.Context, o Options) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := o.Detection.Validate(); err != nil {
		return err
	}
	if o.Clocks == nil {
		o.Clocks = incident.DefaultPolicy()
	}
	// The console's port is taken first: a port that is taken is the commonest
	// mistake, and nothing has been started yet.
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("console of %s: %w", o.Name, err)
	}
	defer func() { _ = ln.Close() }()
	store, err := etcd.Open(ctx, o.Store, o.Log)
	if err != nil {
		return err
	}
	n := &Node{o: o, log: o.Log, store: store, cache: newCache(store, o.Log)}
	n.session.Store("")
	if o.Ready != nil {
		o.Ready(ln.Addr())
	}

	told := ctx // by its end we are told to stop
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(name string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("cache", n.cache.run)
	start("console", func(ctx context.Context) error { return n.serve(ctx, ln) })
	start("presence", n.work)
	start("fence", n.holdFence)
	start("probes", n.observe)
	start("views", func(ctx context.Context) error { return n.views.Follow(ctx, store, n.cache.poke) })
	start("leader", n.lead)

	select {
	case <-ctx.Done():
	case <-store.Done():
		cancel(errors.New("the store of this node stopped: it was removed from the cluster, or its disk failed"))
	}
	wg.Wait()
	n.audits.checks.Wait()
	if o.Duty != nil {
		_ = o.Duty.Close()
	}
	if err = context.Cause(ctx); told.Err() != nil {
		err = nil
	}
	if cerr := store.Close(); cerr != nil && err == nil {
		err = fmt.Errorf("close the store: %w", cerr)
	}
	return err
}

// serve serves the console and the API until ctx ends.
func (n *Node) serve(ctx context.Context, ln net.Listener) error {
	console, err := web.New(web.Options{Backend: n, Accounts: n.o.Accounts, Key: n.o.Key, Log: n.log})
	if err != nil {
		return err
	}
	// Streams end with ctx, so that a browser that stays open does not keep the
	// node from stopping.
	srv := &http.Server{BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)} //nolint:gosec // Configure sets the time limits
	console.Configure(srv)
	srv.Handler = n.answering(srv.Handler)
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		console.Close()
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close()
		}
	})
	if n.o.CertFile != "" {
		err = srv.ServeTLS(ln, n.o.CertFile, n.o.KeyFile)
	} else {
		err = srv.Serve(ln)
	}
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// work is the site's pair of hands: it holds the node's presence and acts on the
// steps that the leader gives it, for as long as the store hears of it.
func (n *Node) work(ctx context.Context) error {
	for ctx.Err() == nil {
		claim, session := recovery.PresenceClaim(n.o.Name, n.o.Site, n.o.Detection.Lease)
		tenure, err := kv.Hold(ctx, n.store, claim)
		if err != nil {
			if !n.passing(ctx, "presence", err) {
				return err
			}
			continue
		}
		n.log.Info("present", "session", session)
		n.session.Store(session)
		n.lease.Store(tenure.LeaseID())
		w := recovery.Worker{
			Store: n.store, Node: n.o.Name, Session: session, Tenure: tenure,
			Actuators: n.o.Actuators, Log: n.log,
		}
		err = w.Run(ctx)
		n.lease.Store(0)
		n.leave(ctx, tenure)
		if err != nil && ctx.Err() == nil {
			n.log.Warn("stopped acting", "session", session, "err", err)
		}
	}
	return nil
}

// leave gives a tenure back; what cannot be given back runs out by itself.
func (n *Node) leave(ctx context.Context, t interface{ Close(context.Context) error }) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		n.log.Debug("lease left to run out", "err", err)
	}
}

// passing reports whether an error is one to wait out, and waits a moment.
func (n *Node) passing(ctx context.Context, what string, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	n.log.Warn("store does not answer", "what", what, "err", err)
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	return errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrFull) || errors.Is(err, kv.ErrConflict)
}
