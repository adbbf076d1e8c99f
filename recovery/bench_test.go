package recovery

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"bongsu/internal/kv"
)

// noop is the actuator of a step that costs nothing, so that what remains is
// what bongsu itself costs.
type noop struct{}

func (noop) Check(context.Context, Request) (Answer, error)  { return Done, nil }
func (noop) Verify(context.Context, Request) (Answer, error) { return Done, nil }
func (noop) Act(context.Context, Request) (string, error)    { return "", nil }

// noops is a plan of n steps, in sequence or all at once, spread over the sites.
func noops(n int, sequence bool, sites ...string) Spec {
	spec := Spec{Estate: "bench", Lost: []string{"x"}}
	for i := range n {
		st := Step{
			ID: fmt.Sprintf("s%04d", i), Component: "c", Action: "act", Does: "start", Driver: "noop",
			Site: sites[i%len(sites)], Likely: time.Minute, Worst: time.Minute, Limit: time.Minute,
		}
		if sequence && i > 0 {
			st.After = []string{spec.Steps[i-1].ID}
		}
		spec.Steps = append(spec.Steps, st)
	}
	return spec
}

// orchestrate runs a plan on nodes over stores, the first of which leads, and says
// how long it took from its creation to its end.
func orchestrate(tb testing.TB, stores map[string]kv.Store, leader string, spec Spec) time.Duration {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	sessions := map[string]string{}
	for name, store := range stores {
		claim, session := PresenceClaim(name, name, 10*time.Second)
		sessions[name] = session
		tenure, err := kv.Hold(ctx, store, claim)
		if err != nil {
			tb.Fatal(err)
		}
		w := &Worker{
			Store: store, Node: name, Session: session, Tenure: tenure, Log: log,
			Actuators: map[string]Actuator{"noop": noop{}}, Parallel: 1000,
		}
		all.Go(func() {
			_ = w.Run(ctx)
			_ = tenure.Close(context.WithoutCancel(ctx))
		})
	}
	store := stores[leader]
	lead, err := kv.Campaign(ctx, store, kv.Claim{Key: "leader", Value: []byte(leader), TTL: 10 * time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	k := &Conductor{Store: store, Lead: lead, Node: leader, Session: sessions[leader], Log: log}
	all.Go(func() {
		_ = k.Run(ctx)
		_ = lead.Resign(context.WithoutCancel(ctx))
	})
	began := time.Now()
	run, err := Create(ctx, store, NewRun{Spec: spec, By: By{"bench", ""}, Approved: true})
	if err != nil {
		tb.Fatal(err)
	}
	_, rev, err := store.List(ctx, runKey(run.ID))
	if err != nil {
		tb.Fatal(err)
	}
	events, err := store.Watch(ctx, runKey(run.ID), rev)
	if err != nil {
		tb.Fatal(err)
	}
	for {
		head, err := Show(ctx, store, run.ID)
		if err != nil {
			tb.Fatal(err)
		}
		if !head.State.Live() {
			if head.State != RunDone {
				tb.Fatalf("run is %s: %s", head.State, head.By.Why)
			}
			return time.Since(began)
		}
		<-events
	}
}

func BenchmarkOrchestration(b *testing.B) {
	for _, sequence := range []bool{true, false} {
		for _, sites := range [][]string{{"a"}, {"a", "b", "c"}} {
			name := fmt.Sprintf("sequence=%t/sites=%d", sequence, len(sites))
			b.Run(name, func(b *testing.B) {
				const n = 1000
				total := time.Duration(0)
				for b.Loop() {
					store := kv.NewMemory()
					stores := map[string]kv.Store{}
					for _, s := range sites {
						stores[s] = store
					}
					total += orchestrate(b, stores, "a", noops(n, sequence, sites...))
				}
				b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N)/n, "ms/step")
			})
		}
	}
}
