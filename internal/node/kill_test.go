package node_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bongsu/internal/config"
	"bongsu/internal/etcd"
	"bongsu/internal/kv"
	"bongsu/web"
)

// A proc is one bongsu serve, in a process group of its own.
type proc struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// build makes the real program, once for each test that needs it.
func build(t testing.TB) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bongsu")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "bongsu/cmd/bongsu")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// serve starts a node as a process. It is killed when the test ends.
func (w *world) serve(bin, site string) *proc {
	w.t.Helper()
	log, err := os.OpenFile(filepath.Join(w.dir, site+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	p := &proc{cmd: exec.Command(bin, "serve", "--config", w.made.Files[site]), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	w.t.Cleanup(p.kill)
	return p
}

// kill ends the process and what it started, as a fire would.
func (p *proc) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// chains is an estate of which the loss of a hall in the north takes 25 steps: five
// chains of five, at all three sites, none of which may be done twice and of none of
// which a program can tell whether it was done.
func (w *world) chains(r *rand.Rand) string {
	return w.chainsOf(func() (takes, took time.Duration) {
		took = time.Duration(50+r.IntN(150)) * time.Millisecond
		return took, took
	})
}

// chainsOf is that estate with actions that say that they take so long, and took so long.
func (w *world) chainsOf(each func() (takes, took time.Duration)) string {
	var b strings.Builder
	for _, site := range w.sites {
		fmt.Fprintf(&b, "{kind: Domain, name: %s, type: site}\n---\n{kind: Probe, name: %s-page, in: %s, http: %s, every: 200ms, timeout: 1s}\n---\n", site, site, site, w.wards[site])
	}
	b.WriteString("{kind: Domain, name: hall, needs: [north]}\n---\n")
	for chain := range 5 {
		for link := range 5 {
			takes, took := each()
			need := ""
			if link > 0 {
				need = fmt.Sprintf("startNeeds: [c%d-%d], ", chain, link-1)
			}
			fmt.Fprintf(&b, "{kind: Component, name: c%d-%d, %sreplicas: [{in: hall}], actions: [{name: start, does: start, at: %s, takes: %v, run: %s}]}\n---\n",
				chain, link, need, []string{"south", "east"}[(chain+link)%2], takes, w.act(took))
		}
		fmt.Fprintf(&b, "{kind: Service, name: s%d, users: %d, needs: [c%d-4]}\n---\n", chain, 1000*(chain+1), chain)
	}
	return b.String()
}

const stepsOfChains = 25

// A campaign kills the leader's process in mid-run, again and again.
type campaign struct {
	*world
	bin   string
	rand  *rand.Rand
	procs map[string]*proc
	acks  *acks
	asked map[string]bool // outcomes that nobody knew, and a person decided
}

// acks writes all the time, and remembers what was acknowledged.
type acks struct {
	store *etcd.Node
	mu    sync.Mutex
	keys  []string
}

func (a *acks) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("test/ack/%08d", n)
		if _, err := a.store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: key, Value: []byte(key)}}}); err == nil {
			a.mu.Lock()
			a.keys = append(a.keys, key)
			a.mu.Unlock()
		}
		t := time.NewTimer(5 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// missing returns what was acknowledged and is not there.
func (a *acks) missing(ctx context.Context) (lost []string, total int, err error) {
	found, _, err := a.store.List(ctx, "test/ack/")
	if err != nil {
		return nil, 0, err
	}
	there := map[string]bool{}
	for _, e := range found {
		there[e.Key] = string(e.Value) == e.Key
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.keys), func(k string) bool { return there[k] }), len(a.keys), nil
}

// An outcome is what a campaign showed.
type outcome struct {
	first  []time.Duration // from each SIGKILL to the first accepted write, sorted
	acks   int             // writes that were acknowledged meanwhile
	asked  int             // unknown outcomes that were put to a person
	fences int             // how often writers were fenced
}

func (o outcome) median() time.Duration { return o.first[len(o.first)/2] }
func (o outcome) worst() time.Duration  { return o.first[len(o.first)-1] }

// kills runs so many trials with nodes that detect like that.
func kills(t testing.TB, trials int, seed uint64, detection config.Detection) outcome {
	t.Helper()
	w := newWorld(t, three, func(w *world, site string, c *config.Config) {
		c.Detection = detection
		c.Policy.Declare = config.Confirm // a node that is killed is no site that is lost
		fenced(w, site, c)
	})
	c := &campaign{world: w, bin: build(t), rand: rand.New(rand.NewPCG(seed, 1)), procs: map[string]*proc{}, asked: map[string]bool{}}
	for _, site := range three {
		c.procs[site] = w.serve(c.bin, site)
	}
	w.ready(three...)
	w.push(w.chains(c.rand))

	c.acks = &acks{store: w.store(three...)}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() { c.acks.run(ctx) })
	defer writing.Wait()
	defer stop()

	var o outcome
	for n := range trials {
		o.first = append(o.first, c.trial(n))
	}
	slices.Sort(o.first)
	stop()
	writing.Wait()
	lost, total, err := c.acks.missing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(lost) > 0 || total == 0 {
		t.Errorf("%d of %d acknowledged writes are lost: %q …", len(lost), total, lost[:min(len(lost), 5)])
	}
	o.acks, o.asked = total, len(c.asked)
	revs, err := w.client("north").EstateLog(t.Context())
	if err != nil || len(revs) != trials+1 {
		t.Errorf("%d of %d pushed estates are in the log, %v", len(revs), trials+1, err)
	}
	for _, line := range w.done() {
		if strings.HasPrefix(line, "fence:") {
			o.fences++
		}
	}

	// Told to stop, each of them says goodbye.
	for _, p := range c.procs {
		if err := syscall.Kill(p.cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
	for site, p := range c.procs {
		limit := time.NewTimer(patience)
		defer limit.Stop()
		select {
		case <-p.done:
		case <-limit.C:
			t.Fatalf("the node of %s does not end", site)
		}
		if p.err != nil {
			t.Errorf("the node of %s, when it was told to stop: %v", site, p.err)
		}
	}
	return o
}

// trial is one run, in the middle of which the leader is killed.
func (c *campaign) trial(n int) time.Duration {
	t := c.t
	c.settled(three...)
	before := len(c.acts())
	east := c.client("east")
	text := fmt.Sprintf("%s---\n{kind: Limit, name: trial-%d, slots: 1}\n", strings.TrimSuffix(c.chains(c.rand), "---\n"), n)
	if _, err := east.Push(t.Context(), map[string][]byte{"estate.yaml": []byte(text)}, "the next trial"); err != nil {
		t.Fatal(err)
	}
	inc, err := east.Declare(t.Context(), []string{"hall"}, fmt.Sprint("trial ", n))
	if err != nil {
		t.Fatal(err)
	}
	var run string
	eventually(t, "the run begins", func(ctx context.Context) error {
		i, err := east.Incident(ctx, inc)
		if run = i.Run; err == nil && run == "" {
			err = errors.New("no run yet")
		}
		return err
	})
	var leader string
	eventually(t, "somebody leads", func(ctx context.Context) error {
		now, err := east.Now(ctx)
		if leader = now.Leader; err == nil && leader == "" {
			err = errors.New("nobody")
		}
		return err
	})
	enough := c.rand.IntN(stepsOfChains - 3)
	eventually(t, "some of it is done", func(context.Context) error {
		if n := len(c.acts()) - before; n < enough {
			return fmt.Errorf("%d acts, want %d", n, enough)
		}
		return nil
	})
	at := time.NewTimer(time.Duration(c.rand.IntN(60)) * time.Millisecond)
	<-at.C
	killed := time.Now()
	c.procs[leader].kill()
	others := slices.DeleteFunc(slices.Clone(three), func(s string) bool { return s == leader })
	first := c.firstWrite(killed, others)
	doneAtKill := len(c.acts()) - before

	survivor := c.client(others[0])
	var r web.Run
	eventually(t, "the run completes", func(ctx context.Context) error {
		if r, err = survivor.Run(ctx, run); err != nil {
			return err
		}
		if r.State == web.StateDone {
			return nil
		}
		for _, w := range r.Waiting {
			c.decide(ctx, survivor, r, w)
		}
		return fmt.Errorf("it is %s: %+v", r.State, r.Progress)
	})
	keys := c.acts()[before:]
	for _, s := range r.Steps {
		if s.State != web.StateDone {
			t.Errorf("trial %d: %s is %s", n, s.ID, s.State)
		}
		times := 0
		for _, k := range keys {
			if strings.HasPrefix(k, run+"/"+s.ID+"#") {
				times++
			}
		}
		if times != 1 {
			t.Errorf("trial %d: %s was done %d times", n, s.ID, times)
		}
	}
	if len(r.Steps) != stepsOfChains || len(keys) != stepsOfChains {
		t.Errorf("trial %d: %d steps and %d acts, want %d", n, len(r.Steps), len(keys), stepsOfChains)
	}
	t.Logf("trial %d: killed %s, the leader, after %d of %d acts; first write after %v", n, leader, doneAtKill, stepsOfChains, first.Round(time.Millisecond))
	if _, err := survivor.Do(t.Context(), web.Command{Verb: web.Close, Incident: inc, Why: "the trial is over"}); err != nil {
		t.Fatal(err)
	}
	c.procs[leader] = c.serve(c.bin, leader)
	c.ready(leader)
	return first
}

// decide does what a person would: it looks whether the step left its mark.
func (c *campaign) decide(ctx context.Context, client *web.Client, r web.Run, w web.Waiting) {
	if w.Kind != "decide" {
		c.t.Fatalf("it waits for something else than an unknown outcome: %+v", w)
	}
	verb := web.Fail
	if slices.ContainsFunc(c.acts(), func(k string) bool { return strings.HasPrefix(k, r.ID+"/"+w.Step+"#") }) {
		verb = web.Confirm
	}
	if _, err := client.Do(ctx, web.Command{Verb: verb, Run: r.ID, Step: w.Step, Why: "I looked"}); err == nil {
		c.asked[r.ID+"/"+w.Step] = true
	}
}

// firstWrite writes at every survivor until one accepts.
func (c *campaign) firstWrite(killed time.Time, sites []string) time.Duration {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	accepted := make(chan time.Duration, len(sites))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, site := range sites {
		client := c.client(site)
		wg.Go(func() {
			for ctx.Err() == nil {
				try, done := context.WithTimeout(ctx, 250*time.Millisecond)
				err := client.Ping(try)
				done()
				if err == nil {
					accepted <- time.Since(killed)
					return
				}
			}
		})
	}
	select {
	case first := <-accepted:
		return first
	case <-ctx.Done():
		c.t.Fatal("no write was accepted")
		return 0
	}
}

// The leader's process is killed in mid-run: the run completes, nothing is done
// twice, and nothing that was acknowledged is lost.
func TestKillTheLeader(t *testing.T) {
	t.Parallel()
	o := kills(t, 2, 2022, quick())
	t.Logf("first accepted write after SIGKILL of the leader: median %v, worst %v of %d; %d acknowledged writes, none lost; %d unknown outcomes put to a person; writers fenced %d times",
		o.median().Round(time.Millisecond), o.worst().Round(time.Millisecond), len(o.first), o.acks, o.asked, o.fences)
}

// BenchmarkKillTheLeader is the same, BONGSU_KILLS times (20 unless it is set), as
// nodes are configured unless somebody changes it.
func BenchmarkKillTheLeader(b *testing.B) {
	trials := 20
	if text := os.Getenv("BONGSU_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			b.Fatalf("BONGSU_KILLS is %q: want how many trials", text)
		}
		trials = n
	}
	for b.Loop() {
		o := kills(b, trials, uint64(time.Now().UnixNano()), config.DefaultConfig().Detection)
		b.ReportMetric(float64(o.median().Milliseconds()), "ms-median")
		b.ReportMetric(float64(o.worst().Milliseconds()), "ms-worst")
		b.ReportMetric(float64(o.acks), "acknowledged")
		b.ReportMetric(float64(o.asked), "asked")
		b.ReportMetric(float64(o.fences), "fenced")
	}
}
