package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/internal/etcd"
	"bongsu/internal/kv"
	"bongsu/recovery"
)

// nothing is the actuator of a step that costs nothing, so that what remains is
// what bongsu itself costs.
type nothing struct{}

func (nothing) Check(context.Context, recovery.Request) (recovery.Answer, error) {
	return recovery.NotDone, nil
}
func (nothing) Act(context.Context, recovery.Request) (string, error) { return "", nil }
func (nothing) Verify(context.Context, recovery.Request) (recovery.Answer, error) {
	return recovery.Done, nil
}

// BenchmarkOrchestration carries out 1,000 steps that do nothing, on three members
// in this process with TLS and a disk each, one of which leads.
func BenchmarkOrchestration(b *testing.B) {
	const n = 1000
	for _, sequence := range []bool{true, false} {
		for _, at := range [][]string{{"north"}, three} {
			b.Run(fmt.Sprintf("sequence=%t/sites=%d", sequence, len(at)), func(b *testing.B) {
				w := newWorld(b, three, nil)
				stores := w.members()
				if err := stores["north"].MoveLeader(b.Context(), "north"); err != nil {
					b.Fatal(err)
				}
				total, runs := time.Duration(0), 0
				for b.Loop() {
					total += orchestrate(b, stores, noSteps(n, sequence, at))
					runs++
				}
				b.ReportMetric(float64(total.Microseconds())/1000/float64(runs*n), "ms/step")
				b.ReportMetric(total.Seconds()/float64(runs), "s/run")
			})
		}
	}
}

// members opens the stores of all sites, without the rest of their nodes.
func (w *world) members() map[string]*etcd.Node {
	w.t.Helper()
	stores := map[string]*etcd.Node{}
	for _, site := range w.sites {
		s, err := etcd.Open(w.t.Context(), w.options(site).Store, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = s.Close() })
		stores[site] = s
	}
	for _, s := range stores {
		<-s.Ready()
	}
	return stores
}

func noSteps(n int, sequence bool, sites []string) recovery.Spec {
	spec := recovery.Spec{Estate: "bench", Lost: []string{"x"}}
	for i := range n {
		st := recovery.Step{
			ID: fmt.Sprintf("s%04d", i), Component: "c", Action: "act", Does: "start", Driver: "nothing",
			Site: sites[i%len(sites)], Likely: time.Minute, Worst: time.Minute, Limit: time.Minute,
		}
		if sequence && i > 0 {
			st.After = []string{spec.Steps[i-1].ID}
		}
		spec.Steps = append(spec.Steps, st)
	}
	return spec
}

// orchestrate runs a plan with a worker at every member, north leading, and returns
// how long it took from its creation to its end.
func orchestrate(b *testing.B, stores map[string]*etcd.Node, spec recovery.Spec) time.Duration {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	session := ""
	for site, store := range stores {
		claim, mine := recovery.PresenceClaim(site, site, 10*time.Second)
		if site == "north" {
			session = mine
		}
		tenure, err := kv.Hold(ctx, store, claim)
		if err != nil {
			b.Fatal(err)
		}
		k := recovery.Worker{
			Store: store, Node: site, Session: mine, Tenure: tenure, Log: log, Parallel: 1000,
			Actuators: map[string]recovery.Actuator{"nothing": nothing{}},
		}
		all.Go(func() {
			_ = k.Run(ctx)
			_ = tenure.Close(context.WithoutCancel(ctx))
		})
	}
	store := stores["north"]
	lead, err := kv.Campaign(ctx, store, kv.Claim{Key: "leader", Value: []byte("north"), TTL: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	all.Go(func() {
		k := recovery.Conductor{Store: store, Lead: lead, Node: "north", Session: session, Log: log}
		_ = k.Run(ctx)
		_ = lead.Resign(context.WithoutCancel(ctx))
	})
	began := time.Now()
	run, err := recovery.Create(ctx, store, recovery.NewRun{Spec: spec, By: recovery.By{Who: "bench"}, Approved: true})
	if err != nil {
		b.Fatal(err)
	}
	events, err := store.Watch(ctx, "recovery/run/"+run.ID, 0)
	if err != nil {
		b.Fatal(err)
	}
	for {
		head, err := recovery.Show(ctx, store, run.ID)
		if err != nil {
			b.Fatal(err)
		}
		if !head.State.Live() {
			if head.State != recovery.RunDone {
				b.Fatalf("the run is %s: %s", head.State, head.By.Why)
			}
			return time.Since(began)
		}
		<-events
	}
}

// BenchmarkIdleMemory is what each of three nodes, as processes, holds in memory
// when nothing has happened for ten seconds.
func BenchmarkIdleMemory(b *testing.B) {
	w := newWorld(b, three, nil)
	bin := build(b)
	var procs []*proc
	for _, site := range three {
		procs = append(procs, w.serve(bin, site))
	}
	w.ready(three...)
	w.push(w.shop())
	for b.Loop() {
		idle := time.NewTimer(10 * time.Second)
		<-idle.C
	}
	for _, kind := range []string{"VmRSS", "RssAnon", "VmHWM"} {
		most := 0
		for _, p := range procs {
			most = max(most, memory(b, p.cmd.Process.Pid, kind))
		}
		b.ReportMetric(float64(most)/1024, "MiB-"+kind)
	}
}

// memory reads a figure of a process in KiB.
func memory(t testing.TB, pid int, kind string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, kind+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s of process %d", kind, pid)
	return 0
}
