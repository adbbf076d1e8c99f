//go:build measure

package claim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// full is a store that lists claims which nobody filed.
type full struct {
	kv.Store
	n     int
	value []byte
}

func (f *full) List(_ context.Context, prefix string) ([]kv.Entry, int64, error) {
	out := make([]kv.Entry, f.n)
	for i := range out {
		id := fmt.Sprintf("%04X-%04X-%04X", i*7919%65536, i>>16, i&0xffff)
		v := strings.NewReplacer("@ID@", id, `"use":"none"`, `"use":"`+[]string{"none", "free", "paid"}[i%3]+`"`, `"amount":1`, fmt.Sprintf(`"amount":%d`, i*104_729%5_000_000),
			"2022-10-19T00:00:00Z", time.Date(2022, 10, 19, 0, 0, i, 0, time.UTC).Format(time.RFC3339), `"rule":"r"`, fmt.Sprintf(`"rule":"r%d"`, i%18)).Replace(string(f.value))
		out[i] = kv.Entry{Key: prefix + id, Value: []byte(v), Modified: 1}
	}
	return out, 1, nil
}

func (f *full) Watch(ctx context.Context, _ string, _ int64) (<-chan []kv.Event, error) {
	ch := make(chan []kv.Event)
	context.AfterFunc(ctx, func() { close(ch) })
	return ch, nil
}

// TestMeasureListKeeper asks for pages of half a million claims in memory. The goal is 100 ms for each.
func TestMeasureListKeeper(t *testing.T) {
	const n = 500_000
	s := kv.NewMemory()
	r, errs := claim.NewKeeper(s, master(t)).File(t.Context(), claimtest.Mix2022(1, 0, 1).Reports)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	e, _, err := s.Get(t.Context(), "claim/c/"+r[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(e.Value, &stored); err != nil {
		t.Fatal(err)
	}
	c := stored["claim"].(map[string]any)
	c["id"], c["state"], c["filed"] = "@ID@", "approved", "2022-10-19T00:00:00Z"
	c["report"].(map[string]any)["use"] = "none"
	c["decision"] = policy.Decision{Policy: "p@1", Rule: "r", Outcome: policy.Pay, Form: policy.Money, Amount: 1, Currency: "KRW", Reason: map[string]string{"ko": "서비스 장애 보상"}, Why: []string{"r: applies"}}
	value, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	k := claim.NewKeeper(&full{Store: s, n: n, value: value}, master(t))
	ctx, stop := context.WithCancel(t.Context())
	ready, gone := make(chan struct{}), make(chan struct{})
	begun := time.Now()
	go func() { defer close(gone); _ = k.Follow(ctx, func() { close(ready) }) }()
	<-ready
	loaded := time.Since(begun)
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d claims of %d bytes loaded in %v, %d MB in memory", n, len(value), loaded.Round(time.Second), mem.HeapAlloc>>20)
	worst := time.Duration(0)
	for name, q := range map[string]claim.Query{
		"none":               {},
		"oldest":             {OldestFirst: true},
		"use":                {Use: "paid"},
		"use, rule, amounts": {Use: "paid", Rule: "r5", MinAmount: 1_000_000, MaxAmount: 1_100_000},
		"states":             {States: []claim.State{claim.Approved, claim.Review}, OldestFirst: true},
		"no such state":      {States: []claim.State{claim.Returned}},
		"marked":             {MarkedAs: "phone:+821000000000"},
		"before":             {Before: time.Date(2022, 10, 19, 1, 0, 0, 0, time.UTC)},
		"deep":               {After: "2500000.7FFF", Limit: 500},
		"deep, oldest":       {After: fmt.Sprintf("%d.7", time.Date(2022, 10, 22, 0, 0, 0, 0, time.UTC).UnixNano()), OldestFirst: true, Limit: 500},
	} {
		var each []time.Duration
		total := 0
		for range 9 {
			at := time.Now()
			p, err := k.List(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			each, total = append(each, time.Since(at)), p.Total
		}
		slices.Sort(each)
		worst = max(worst, each[4])
		t.Logf("%-20s %8d found, median %v", name, total, each[4].Round(10*time.Microsecond))
	}
	t.Logf("slowest %v", worst.Round(10*time.Microsecond))
	stop()
	<-gone
}
