package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/internal/config"
	"bongsu/internal/etcd"
	"bongsu/internal/node"
	"bongsu/internal/port"
	"bongsu/web"
)

// patience is how long a test waits for what must happen. It bounds a failure; no
// test takes that long.
const patience = 90 * time.Second

// lease is the shortest that leaves etcd room; hold is the least that goes with it.
const (
	lease = 2 * time.Second
	hold  = lease + config.HoldMargin
)

// quick is how nodes detect in tests.
func quick() config.Detection {
	d := config.DefaultConfig().Detection
	d.Interval, d.Timeout, d.Lease, d.Hold = 200*time.Millisecond, time.Second, lease, hold
	return d
}

// A world is some sites on this machine: their configurations, the servers that
// stand for what they run, and a log of what was done in them.
type world struct {
	t      testing.TB
	dir    string
	sites  []string
	made   *config.InitResult
	log    string // every act appends the key of its step, every fencer fence:site or release:site
	nodes  map[string]*running
	wards  map[string]string // URL of what a site runs
	pushes []string          // where the public nodes take what they are told

	mu   sync.Mutex
	dark map[string]bool // sites whose servers do not answer
}

// A running node, in this process.
type running struct {
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// newWorld makes the configuration of a cluster. change may be nil.
func newWorld(t testing.TB, sites []string, change func(w *world, site string, c *config.Config)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), sites: sites, nodes: map[string]*running{}, dark: map[string]bool{}, wards: map[string]string{}}
	w.log = filepath.Join(w.dir, "acts.log")
	given, public := map[string]config.Ports{}, map[string]config.PublicPorts{}
	for _, site := range sites {
		p := reserve(t, 8)
		given[site] = config.Ports{Peer: p, Client: p + 1, Console: p + 2}
		public[site] = config.PublicPorts{Peer: p + 3, Client: p + 4, Page: p + 5, Push: p + 6, Desk: p + 7}
		w.wards[site] = w.ward(site)
	}
	made, err := config.Init(filepath.Join(w.dir, "sites"), config.InitOptions{
		Cluster: "test", Sites: sites, Ports: given, Public: public,
		Change: func(site string, c *config.Config) {
			w.pushes, c.Public.Nodes = c.Public.Nodes, nil // most tests have no public side
			c.Detection = quick()
			c.Policy.Declare, c.Policy.Approve = config.Auto, config.Auto
			c.Store.Quota = 64 << 20
			if change != nil {
				change(w, site, c)
			}
			c.Fence.Timeout = c.Detection.Lease / 2
			c.Fence.None = !c.Fence.Set()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.made = made
	t.Cleanup(func() {
		for _, r := range w.nodes {
			r.cancel()
		}
		for _, r := range w.nodes {
			<-r.ended
		}
	})
	return w
}

// ward serves what a site runs: a page for probes, and the switch of its writers.
func (w *world) ward(site string) string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case r.Method == http.MethodPost:
			f, err := os.OpenFile(w.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err == nil {
				_, err = fmt.Fprintf(f, "%s:%s\n", strings.Trim(r.URL.Path, "/"), site)
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				w.t.Error(err)
			}
		case w.dark[site]:
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	w.t.Cleanup(s.Close)
	return s.URL
}

// setDark lets nothing that a site runs answer from now on.
func (w *world) setDark(site string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dark[site] = true
}

// reserve returns the first of so many ports in a row that are the test's until it ends.
func reserve(t testing.TB, n int) int {
	t.Helper()
	first, release, err := port.Reserve(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return first
}

// options are what serve would make of a site's configuration.
func (w *world) options(site string) node.Options {
	w.t.Helper()
	c, err := config.Load(w.made.Files[site])
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if name := os.Getenv("BONGSU_TEST_LOG"); name != "" {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = f.Close() })
		log = slog.New(slog.NewTextHandler(f, nil)).With("site", site)
	}
	o, err := node.FromConfig(c, log)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// start starts the nodes of sites in this process.
func (w *world) start(sites ...string) {
	w.t.Helper()
	for _, site := range sites {
		o := w.options(site)
		ctx, cancel := context.WithCancel(context.Background())
		r := &running{cancel: cancel, ended: make(chan struct{})}
		w.nodes[site] = r
		go func() {
			defer close(r.ended)
			r.err = node.Run(ctx, o)
		}()
	}
}

// stop stops a node and returns what it said.
func (w *world) stop(site string) error {
	w.t.Helper()
	r := w.nodes[site]
	r.cancel()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-r.ended:
	case <-limit.C:
		w.t.Fatalf("the node of %s does not stop", site)
	}
	delete(w.nodes, site)
	return r.err
}

// client speaks to a site's node as an approver, or as the operator.
func (w *world) client(site string, account ...string) *web.Client {
	w.t.Helper()
	name := "cli-approver"
	if len(account) > 0 {
		name = account[0]
	}
	token, err := os.ReadFile(w.made.Tokens[name])
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := web.NewClient(web.ClientOptions{URL: w.made.Consoles[site], Token: strings.TrimSpace(string(token))})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// store is a way to the store beside the nodes, as one of them would have as a client.
func (w *world) store(sites ...string) *etcd.Node {
	w.t.Helper()
	o := w.options(sites[0])
	conf := etcd.Config{Cluster: o.Store.Cluster, Name: "tester", TLS: o.Store.TLS}
	for _, site := range sites {
		conf.Endpoints = append(conf.Endpoints, w.options(site).Store.ClientURL)
	}
	s, err := etcd.Open(w.t.Context(), conf, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s
}

// eventually asks until ok returns no error.
func eventually(t testing.TB, what string, ok func(context.Context) error) {
	t.Helper()
	within(t, patience, what, ok)
}

func within(t testing.TB, limit time.Duration, what string, ok func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := ok(ctx)
		if err == nil {
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, limit, last)
		case <-tick.C:
		}
	}
}

// ready waits until every one of the sites has a quorum.
func (w *world) ready(sites ...string) {
	w.t.Helper()
	for _, site := range sites {
		c := w.client(site)
		eventually(w.t, site+" joins", func(ctx context.Context) error {
			if r := w.nodes[site]; r != nil {
				select {
				case <-r.ended:
					w.t.Fatalf("the node of %s ended: %v", site, r.err)
				default:
				}
			}
			h, err := c.Health(ctx)
			if err == nil && !h.Quorum {
				err = errors.New("no quorum")
			}
			return err
		})
	}
}

// push stores an estate, and waits until all sites see each other.
func (w *world) push(text string) {
	w.t.Helper()
	c := w.client(w.sites[0])
	eventually(w.t, "the estate is pushed", func(ctx context.Context) error { // the same twice makes one revision
		_, err := c.Push(ctx, map[string][]byte{"estate.yaml": []byte(text)}, "the test begins")
		return err
	})
	w.settled(w.sites...)
}

// settled waits until the nodes of the sites observe and one of them leads.
func (w *world) settled(sites ...string) {
	w.t.Helper()
	for _, site := range sites {
		c := w.client(site)
		eventually(w.t, "all is well as "+site+" sees it", func(ctx context.Context) error {
			n, err := c.Now(ctx)
			switch {
			case err != nil:
				return err
			case n.Leader == "":
				return errors.New("nobody leads")
			}
			for _, s := range n.Sites {
				if slices.Contains(sites, s.Name) && (s.State != web.StateUp || !s.Observes) {
					return fmt.Errorf("%s is %s, observes %t: %s", s.Name, s.State, s.Observes, s.Why)
				}
			}
			return nil
		})
	}
}

// act is the run of an action: it takes a while, and then appends its key to the log.
func (w *world) act(took time.Duration) string {
	return fmt.Sprintf(`{exec: {argv: [/bin/sh, -c, 'sleep %.3f; echo "$BONGSU_KEY" >> %s']}}`, took.Seconds(), w.log)
}

// done returns what the log says, in the order in which it was written.
func (w *world) done() []string {
	w.t.Helper()
	text, err := os.ReadFile(w.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// acts are the keys of the steps in the log.
func (w *world) acts() []string {
	w.t.Helper()
	return slices.DeleteFunc(w.done(), func(line string) bool { return strings.Contains(line, ":") })
}

// run waits until the run of an incident has a state, and returns it.
func (w *world) run(c *web.Client, incident string, states ...web.State) web.Run {
	w.t.Helper()
	var r web.Run
	eventually(w.t, fmt.Sprintf("the run of %s is %v", incident, states), func(ctx context.Context) error {
		inc, err := c.Incident(ctx, incident)
		if err != nil {
			return err
		}
		if inc.Run == "" {
			return fmt.Errorf("it has no run: %+v", inc)
		}
		if r, err = c.Run(ctx, inc.Run); err != nil {
			return err
		}
		if !slices.Contains(states, r.State) {
			return fmt.Errorf("it is %s, %+v, waiting %+v", r.State, r.Progress, r.Waiting)
		}
		return nil
	})
	return r
}

// shop is a small estate: a database with a standby and an application to grow, and
// a page in every site that a probe looks at.
func (w *world) shop() string {
	var text strings.Builder
	for _, site := range w.sites {
		fmt.Fprintf(&text, "{kind: Domain, name: %s, type: site}\n---\n{kind: Probe, name: %s-page, in: %s, http: %s, every: 200ms, timeout: 1s}\n---\n",
			site, site, site, w.wards[site])
	}
	return text.String() + fmt.Sprintf(`kind: Component
name: shop-db
mode: primary
replicas: [{in: north, role: primary}, {in: south, role: standby, sync: true}]
actions: [{name: promote, does: promote, at: south, takes: 200ms, run: %[1]s}]
---
kind: Component
name: shop-app
atLeast: 3
replicas: [{in: north, count: 3}, {in: east, count: 1}]
needs: [shop-db]
actions: [{name: grow, does: scale, at: east, adds: {count: 2}, takes: 200ms, run: %[1]s}]
---
{kind: Service, name: shop, users: 12000, needs: [shop-app]}
`, w.act(200*time.Millisecond))
}
