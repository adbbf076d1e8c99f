//go:build measure

package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/internal/config"
	"bongsu/internal/etcd"
	"bongsu/internal/kv"
	"bongsu/internal/node"
	"bongsu/web"
)

// Fifty times a public process is killed while reports come in, are decided and paid.
func TestMeasureClaimCampaign(t *testing.T) { killClaims(t, 50) }

// A flood is the load of another process, so that what sends takes no turn of those who answer here.
type flood struct {
	Nodes       []string
	Consent     string
	Reports     int
	Connections int
	Prefix      string
	Stores      []string // configurations of the nodes in whose stores the bytes are put as they are, instead
}

// flooder is the environment variable by which this program becomes the one that sends.
const flooder = "BONGSU_TEST_FLOOD"

// TestMeasureFlooder sends a flood, where another test says so, and does nothing else.
func TestMeasureFlooder(t *testing.T) {
	text := os.Getenv(flooder)
	if text == "" {
		return
	}
	var f flood
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	load := claimtest.Load{
		Nodes: f.Nodes, Reports: claimtest.Mix2022(f.Reports, .05, 7).Reports, Incident: "fire", Consent: f.Consent, Connections: f.Connections, Prefix: f.Prefix,
	}
	if len(f.Stores) > 0 {
		took, size := f.put(t, load.Reports)
		fmt.Println("flood:", took.Milliseconds(), fmt.Sprintf("%d raw puts of %d bytes in %v: %.0f/s", f.Reports, size, took, float64(f.Reports)/took.Seconds()))
		return
	}
	got, err := load.Run(t.Context())
	if err != nil || len(got.Unfiled) > 0 {
		t.Fatalf("%v, %v; the first: %+v", got, err, got.Unfiled[:min(1, len(got.Unfiled))])
	}
	fmt.Println("flood:", got.Took.Milliseconds(), got)
}

// put puts what would be kept of the reports into the stores as it is, each writer its share of the transactions, and
// returns how long that took and how many bytes a report has.
func (f flood) put(t *testing.T, reports []claim.Report) (took time.Duration, size int) {
	m, err := claim.NewMaster([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range reports {
		reports[i].Key = fmt.Sprint(f.Prefix, i) // so that the rows are new
	}
	txns, size, err := claimtest.Raw(t.Context(), m, reports)
	if err != nil {
		t.Fatal(err)
	}
	var stores []*etcd.Node
	for _, name := range f.Stores {
		c, err := config.LoadPublic(name)
		if err != nil {
			t.Fatal(err)
		}
		store, err := node.PublicStore(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		stores = append(stores, store)
	}
	const writers = 6 // 12 were no faster
	var wg sync.WaitGroup
	began := time.Now()
	for w := range writers {
		wg.Go(func() {
			for i := w; i < len(txns); i += writers {
				if _, err := stores[w%len(stores)].Commit(t.Context(), txns[i]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began), size / len(reports)
}

// send begins a flood at the niceness of the public side, and returns what waits for its end and says how long it took.
func (f flood) send(ctx context.Context, t *testing.T) (wait func() (took time.Duration, said string)) {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", os.Args[0], "-test.run=^TestMeasureFlooder$", "-test.timeout=10m") //nolint:gosec // itself
	cmd.Env = append(os.Environ(), flooder+"="+string(text))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (took time.Duration, said string) {
		err := cmd.Wait()
		_, said, _ = strings.Cut(out.String(), "flood: ")
		said, _, _ = strings.Cut(said, "\n")
		ms, said, ok := strings.Cut(said, " ")
		n, _ := strconv.Atoi(ms)
		if ctx.Err() == nil && (err != nil || !ok) {
			t.Errorf("the flood: %v\n%s", err, out.String())
		}
		return time.Duration(n) * time.Millisecond, said
	}
}

// TestMeasureIntakeHTTP files reports at three public processes, the whole path over HTTP, and puts the same bytes raw at the
// stores of the same three, in turns and by the same sender. The goals are 2,000/s, a p99 of 250 ms, and 0.4 of raw.
func TestMeasureIntakeHTTP(t *testing.T) {
	s, pid, consent := openForClaims(t)
	var stores []string
	for _, site := range three {
		stores = append(stores, s.made.Public[site])
	}
	spent := func() (all time.Duration) {
		for _, site := range three {
			all += processorTime(t, pid(site))
		}
		return all
	}
	const n = 10_000
	var rates, raws float64
	var cpu, rawCPU time.Duration
	for round := range 3 {
		f := flood{Nodes: s.addresses(), Consent: consent, Reports: n, Connections: 192, Prefix: fmt.Sprintf("r%d-", round)}
		before := spent()
		took, said := f.send(t.Context(), t)()
		between := spent()
		f.Stores = stores
		rawTook, rawSaid := f.send(t.Context(), t)()
		cpu, rawCPU = cpu+between-before, rawCPU+spent()-between
		rates, raws = rates+float64(f.Reports)/took.Seconds(), raws+float64(f.Reports)/rawTook.Seconds()
		t.Logf("round %d: over HTTP %s; %s", round, said, rawSaid)
	}
	const all = 3 * n
	t.Logf("over HTTP %.0f/s, raw %.0f/s, ratio %.2f; processor time of the three without the sender %v and %v each", rates/3, raws/3, rates/raws, cpu/all, rawCPU/all)
}

// processorTime is what a process has used so far.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var ticks time.Duration // of 10 ms each
	for _, x := range strings.Fields(rest)[11:13] {
		n, err := strconv.Atoi(x)
		if err != nil {
			t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}

// drill is an estate whose recovery takes 10 s by its plan: five chains of five actions of 2 s. Each of them takes 1.8 s.
func (w *world) drill(trial int) string {
	text := w.chainsOf(func() (takes, took time.Duration) { return 2 * time.Second, 1800 * time.Millisecond })
	return text + fmt.Sprintf("{kind: Limit, name: trial-%d, slots: 1}\n", trial)
}

// rehearse loses the hall, and returns how long its recovery took and would take by its plan.
func (w *world) rehearse(trial int) (took, plan time.Duration) {
	w.t.Helper()
	w.settled(three...)
	east := w.client("east")
	if _, err := east.Push(w.t.Context(), map[string][]byte{"estate.yaml": []byte(w.drill(trial))}, "a drill"); err != nil {
		w.t.Fatal(err)
	}
	inc, err := east.Declare(w.t.Context(), []string{"hall"}, "a drill")
	if err != nil {
		w.t.Fatal(err)
	}
	r := w.run(east, inc, web.StateDone)
	for _, s := range r.Steps {
		if s.Ended == nil {
			w.t.Fatalf("%s has not ended", s.ID)
		}
		plan = max(plan, time.Duration(s.Finish*float64(time.Second)))
		took = max(took, time.Duration(*s.Ended*float64(time.Second)))
	}
	if _, err := east.Do(w.t.Context(), web.Command{Verb: web.Close, Incident: inc, Why: "the drill is over"}); err != nil {
		w.t.Fatal(err)
	}
	return took, plan
}

// writes are how long so many writes took at the control plane, one every 10 ms, sorted.
func writes(t *testing.T, store *etcd.Node, n int) []time.Duration {
	t.Helper()
	var out []time.Duration
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		at := time.Now()
		if _, err := store.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: fmt.Sprintf("test/write/%d", i), Value: []byte("x")}}}); err != nil {
			t.Fatal(err)
		}
		out = append(out, time.Since(at))
		<-tick.C
	}
	slices.Sort(out)
	return out
}

// TestMeasureFlood floods the public side at its maximum and writes to the control plane of the same three sites meanwhile,
// on the same machine. The goals: within 2 times of idle, and a drill within its plan.
func TestMeasureFlood(t *testing.T) {
	w := newWorld(t, three, func(w *world, site string, c *config.Config) {
		c.Detection = config.DefaultConfig().Detection
		c.Policy.Declare = config.Confirm
		fenced(w, site, c)
	})
	bin := build(t)
	for _, site := range three {
		w.serve(bin, site)
	}
	w.ready(three...)
	s, _, consent := openForClaims(t)
	store := w.store(three...)
	const n = 1500
	w.push(w.drill(0))
	idle := writes(t, store, n)
	took, plan := w.rehearse(1)
	tell := func(what string, all []time.Duration, took, plan time.Duration) {
		at := func(per int) time.Duration { return all[min(n-1, n*per/100)].Round(10 * time.Microsecond) }
		t.Logf("%s: a write takes %v (p90 %v, p99 %v, worst %v of %d); the drill took %v, its plan says %v", what, at(50), at(90), at(99), at(100), n, took.Round(time.Millisecond), plan)
	}
	tell("idle", idle, took, plan)

	ctx, stop := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	var mu sync.Mutex
	var sent []string
	flooding.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			_, said := flood{Nodes: s.addresses(), Consent: consent, Reports: 20_000, Connections: 256, Prefix: fmt.Sprintf("f%d-", i)}.send(ctx, t)()
			mu.Lock()
			sent = append(sent, said)
			mu.Unlock()
		}
	})
	warm := time.NewTimer(3 * time.Second)
	<-warm.C
	flooded := writes(t, store, n)
	took, plan = w.rehearse(2)
	stop()
	flooding.Wait()
	tell("flooded", flooded, took, plan)
	t.Logf("ratio of medians %.2f, of p90 %.2f, of p99 %.2f", ratio(flooded, idle, 50), ratio(flooded, idle, 90), ratio(flooded, idle, 99))
	for _, said := range sent {
		if said != "" {
			t.Log("the flood: ", said)
		}
	}
	if took > plan {
		t.Error("the drill took longer than its plan")
	}
}

func ratio(a, b []time.Duration, per int) float64 {
	return float64(a[len(a)*per/100]) / float64(b[len(b)*per/100])
}
