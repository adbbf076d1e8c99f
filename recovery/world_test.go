package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

// A world is what actuators change. It counts effects, and remembers nothing of
// who made them.
type world struct {
	mu      sync.Mutex
	effects map[string]int // by step
	order   []string
	calls   int
	takes   map[string]time.Duration
	fails   map[string]error // Act returns it without an effect
	lies    map[string]bool  // Act says done without an effect
	blind   bool             // nobody can tell whether an act took effect
	deaf    map[string]bool  // Act does not stop when told to
	running map[string]int
	most    int
}

func newWorld() *world {
	return &world{
		effects: map[string]int{}, takes: map[string]time.Duration{}, fails: map[string]error{},
		lies: map[string]bool{}, deaf: map[string]bool{}, running: map[string]int{},
	}
}

// hands is one process's way to the world. It can crash the process at its n-th
// call, before or after the effect.
type hands struct {
	*world
	crash func()
	at    int
	when  kvtest.When
	n     int
	dead  <-chan struct{}
}

var errCrash = errors.New("the process crashed here")

// call counts one call and runs do unless the process dies before it.
func (h *hands) call(do func() error) error {
	h.mu.Lock()
	h.n++
	h.calls++
	strike := h.n == h.at
	h.mu.Unlock()
	select {
	case <-h.dead:
		return errCrash
	default:
	}
	if strike && h.when == kvtest.Before {
		h.crash()
		return errCrash
	}
	err := do()
	if strike {
		h.crash()
		return errCrash
	}
	return err
}

func (h *hands) there(step string) Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.blind:
		return Unknown
	case h.effects[step] > 0:
		return Done
	}
	return NotDone
}

func (h *hands) Check(_ context.Context, r Request) (a Answer, err error) {
	err = h.call(func() error { a = h.there(r.Step.ID); return nil })
	return a, err
}

func (h *hands) Verify(_ context.Context, r Request) (a Answer, err error) {
	err = h.call(func() error {
		a = h.there(r.Step.ID)
		if h.blind {
			a = Done // there is no way to look: the act is taken at its word
		}
		return nil
	})
	return a, err
}

func (h *hands) Act(ctx context.Context, r Request) (string, error) {
	id := r.Step.ID
	err := h.call(func() error {
		h.mu.Lock()
		takes, deaf, fail := h.takes[id], h.deaf[id], h.fails[id]
		h.running[id]++
		h.most = max(h.most, len(h.running))
		h.mu.Unlock()
		defer func() {
			h.mu.Lock()
			delete(h.running, id)
			h.mu.Unlock()
		}()
		t := time.NewTimer(takes)
		defer t.Stop()
		if deaf {
			<-t.C
		} else {
			select {
			case <-t.C:
			case <-ctx.Done():
				return ctx.Err()
			case <-h.dead:
				return errCrash
			}
		}
		if fail != nil {
			return fail
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.lies[id] {
			h.effects[id]++
			h.order = append(h.order, id)
		}
		return nil
	})
	return "did it", err
}

func (w *world) total() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.effects)
}

// A cluster is several nodes over one store.
type cluster struct {
	t     *testing.T
	store kv.Store
	world *world
	plan  Planner
	nodes map[string]*node
	log   *slog.Logger
}

// A node is a process with its own way to the store and to the world.
type node struct {
	name  string
	store *kvtest.Faulty
	hands *hands
	stop  context.CancelFunc
	gone  chan struct{}
}

func newCluster(t *testing.T, store kv.Store) *cluster {
	t.Helper()
	return &cluster{
		t: t, store: store, world: newWorld(), nodes: map[string]*node{},
		log: slog.New(slog.DiscardHandler),
	}
}

const testTTL = 3 * time.Second

// prepare makes a node that has not started, so that a test can plant faults.
func (c *cluster) prepare(name string) *node {
	n := &node{name: name, store: kvtest.NewFaulty(c.store), gone: make(chan struct{})}
	n.hands = &hands{world: c.world, crash: n.store.Crash, dead: n.store.Dead()}
	c.nodes[name] = n
	return n
}

// start lets a node work and stand for leader. Its site has its name.
func (c *cluster) start(n *node) {
	ctx, cancel := context.WithCancel(c.t.Context())
	n.stop = cancel
	var all sync.WaitGroup
	all.Go(func() { c.work(ctx, n) })
	all.Go(func() {
		select {
		case <-n.store.Dead():
			cancel()
		case <-ctx.Done():
		}
	})
	go func() {
		all.Wait()
		close(n.gone)
	}()
}

func (c *cluster) work(ctx context.Context, n *node) {
	for ctx.Err() == nil {
		claim, session := PresenceClaim(n.name, n.name, testTTL)
		tenure, err := kv.Hold(ctx, n.store, claim)
		if err != nil {
			if !pause(ctx, 100*time.Millisecond) {
				return
			}
			continue
		}
		life, end := context.WithCancel(ctx)
		var both sync.WaitGroup
		both.Go(func() {
			defer end()
			w := &Worker{
				Store: n.store, Node: n.name, Session: session, Tenure: tenure,
				Actuators: map[string]Actuator{"test": n.hands, "exec": n.hands}, Log: c.log,
			}
			_ = w.Run(life)
		})
		both.Go(func() { c.stand(life, n, session) })
		both.Wait()
		end()
		_ = tenure.Close(context.WithoutCancel(ctx))
	}
}

func (c *cluster) stand(ctx context.Context, n *node, session string) {
	for ctx.Err() == nil {
		lead, err := kv.Campaign(ctx, n.store, kv.Claim{Key: "leader", Value: []byte(n.name), TTL: testTTL})
		if err != nil {
			if !pause(ctx, 100*time.Millisecond) {
				return
			}
			continue
		}
		k := &Conductor{Store: n.store, Lead: lead, Node: n.name, Session: session, Planner: c.plan, Log: c.log}
		_ = k.Run(ctx)
		_ = lead.Resign(context.WithoutCancel(ctx))
	}
}

func (c *cluster) startAll(names ...string) {
	for _, name := range names {
		c.start(c.prepare(name))
	}
}

// stopAll ends every node and waits for it, as a bubble of synctest demands.
func (c *cluster) stopAll() {
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		if n := c.nodes[name]; n.stop != nil {
			n.stop()
			<-n.gone
			n.store.Crash() // so that a lease that nobody could give back is not waited for
		}
	}
}

// create writes an approved run.
func (c *cluster) create(spec Spec) Run {
	c.t.Helper()
	r, err := Create(c.t.Context(), c.store, NewRun{Spec: spec, LostAt: time.Now(), By: By{"kim", "test"}, Approved: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// settle waits until cond holds of the run, for at most so much (fake) time.
func (c *cluster) until(run string, limit time.Duration, cond func(RunView) bool) RunView {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		v, err := View(c.t.Context(), c.store, run)
		if err != nil {
			c.t.Fatal(err)
		}
		if cond(v) {
			return v
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("run %s did not get there within %v:\n%s", run, limit, story(v))
		}
		pause(c.t.Context(), max(50*time.Millisecond, limit/1000))
	}
}

// of returns one step of a view.
func of(v RunView, id string) StepView {
	i := slices.IndexFunc(v.Steps, func(s StepView) bool { return s.Step.ID == id })
	if i < 0 {
		return StepView{}
	}
	return v.Steps[i]
}

func over(v RunView) bool { return !v.State.Live() }

// story tells a run so that a failing test explains itself.
func story(v RunView) string {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s %s, plan %d\n", v.ID, v.State, v.Plan)
	for _, s := range v.Steps {
		fmt.Fprintf(&b, "  %-14s %-12s %s %s %s\n", s.Step.ID, s.State, s.Node, s.Detail, s.WaitsFor)
	}
	for _, e := range v.Journal {
		fmt.Fprintf(&b, "  %5d %-10s %-14s %-10s %s (term %d)\n", e.Rev, e.Who, e.What, e.Step, e.Why, e.Term)
	}
	return b.String()
}

// step makes a step of the test driver at a site of the same name.
func step(id, site string, start, takes time.Duration, after ...string) Step {
	return Step{
		ID: id, Component: id, Action: "act", Does: "start", At: site, Site: site, Driver: "test",
		Start: start, Finish: start + takes, Likely: takes, Worst: takes, Limit: 10 * takes, After: after,
	}
}

func states(v RunView) map[string]StepState {
	out := map[string]StepState{}
	for _, s := range v.Steps {
		out[s.Step.ID] = s.State
	}
	return out
}

// bubble runs a test in fake time.
func bubble(t *testing.T, f func(c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, kv.NewMemory())
		defer c.stopAll()
		f(c)
	})
}
