//go:build measure

package etcd_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
	"bongsu/internal/etcd"
	"bongsu/status"
)

// large is a quota that no measurement reaches, and times that no load makes an election of.
func large(c *etcd.Config) {
	c.Quota, c.Heartbeat, c.Election, c.Timeout = 6<<30, 500*time.Millisecond, 5*time.Second, time.Minute
}

// spent is the processor time of this process: what the machine does besides does not count.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// many calls do for each of n things with so many at once, and returns how long all and each took.
func many(n, atOnce int, do func(i int)) (all time.Duration, each []time.Duration) {
	each = make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	for range atOnce {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				at := time.Now()
				do(i)
				each[i] = time.Since(at)
			}
		})
	}
	wg.Wait()
	all = time.Since(begun)
	slices.Sort(each)
	return all, each
}

// TestMeasureIntakeEtcd files reports through intake on three members in this process, and puts
// the same bytes raw, in transactions as large, in turns. The goal is 0.4 of raw.
func TestMeasureIntakeEtcd(t *testing.T) {
	const rounds, n, people = 3, 5_000, 400
	c := newCluster(t, 3, large).start()
	store := c.nodes[c.leader()]
	ledger := claim.NewKeeper(store, master(t))
	in := claim.NewIntake(ledger)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { in.Run(ctx, 4) })
	defer func() { stop(); running.Wait() }()
	var raw, filed, cpuRaw, cpuFiled time.Duration
	var each []time.Duration
	bytes, puts := 0, 0
	for round := range rounds {
		mix := claimtest.Mix2022(n, .1, uint64(round))
		for i := range mix.Reports {
			mix.Reports[i].Key = fmt.Sprintf("%d.%d", round, i)
		}
		txns, size, err := claimtest.Raw(ctx, master(t), mix.Reports)
		if err != nil {
			t.Fatal(err)
		}
		bytes += size
		for _, txn := range txns {
			puts += len(txn.Do)
		}
		before := spent(t)
		took, _ := many(len(txns), 4, func(i int) {
			if _, err := store.Commit(ctx, txns[i]); err != nil {
				t.Error(err)
			}
		})
		raw, cpuRaw = raw+took, cpuRaw+spent(t)-before
		before = spent(t)
		took, x := many(n, people, func(i int) {
			if _, err := in.File(ctx, mix.Reports[i]); err != nil {
				t.Error(err)
			}
		})
		filed, cpuFiled = filed+took, cpuFiled+spent(t)-before
		each = append(each, x...)
	}
	slices.Sort(each)
	rate := func(d time.Duration) float64 { return rounds * n / d.Seconds() }
	t.Logf("%d reports, %d keys and %d bytes each", rounds*n, puts/(rounds*n), bytes/(rounds*n))
	t.Logf("raw %.0f/s; through intake %.0f/s, p50 %v, p99 %v, worst %v; ratio %.2f", rate(raw), rate(filed),
		each[len(each)/2].Round(100*time.Microsecond), each[len(each)*99/100].Round(100*time.Microsecond), each[len(each)-1].Round(100*time.Microsecond), rate(filed)/rate(raw))
	t.Logf("processor time for each: raw %v, through intake %v; ratio %.2f", cpuRaw/(rounds*n), cpuFiled/(rounds*n), float64(cpuRaw)/float64(cpuFiled))
}

// TestMeasureMixEtcd files the reports of 2022 through intake on three members, and decides them by
// the shipped policy. The goals are 60 s and 10 s.
func TestMeasureMixEtcd(t *testing.T) {
	const n, people = 105_116, 400
	c := newCluster(t, 3, large).start()
	ledger := claim.NewKeeper(c.nodes[c.leader()], master(t))
	in := claim.NewIntake(ledger)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { in.Run(ctx, 4) })
	defer func() { stop(); running.Wait() }()
	mix := claimtest.Mix2022(n, .08, 2022)
	took, each := many(n, people, func(i int) {
		mix.Reports[i].Key = fmt.Sprint(i)
		if _, err := in.File(ctx, mix.Reports[i]); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d reports filed in %v: %.0f/s, p50 %v, p99 %v", n, took.Round(10*time.Millisecond), n/took.Seconds(), each[n/2].Round(100*time.Microsecond), each[n*99/100].Round(100*time.Microsecond))
	data, err := os.ReadFile("../../examples/policies/kakao-2022.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("kakao-2022.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	lost := time.Date(2022, 10, 15, 6, 27, 0, 0, time.UTC)
	d := claim.Decider{
		Ledger: ledger, Policy: p, Who: "policy", Now: lost.Add(100 * 24 * time.Hour),
		Outages: claim.NewOutages([]status.Interval{
			{Service: "kakaotalk", Level: status.Down, From: lost, To: lost.Add(10 * time.Hour)},
			{Service: "melon", Level: status.Down, From: lost, To: lost.Add(23 * time.Hour)},
			{Service: "daum-mail", Level: status.Down, From: lost, To: lost.Add(100 * time.Hour)},
			{Service: "kakao-t", Level: status.Down, From: lost, To: lost.Add(20 * time.Hour)},
		}, lost.Add(200*time.Hour)),
	}
	cpu := spent(t)
	begun := time.Now()
	tally, err := d.All(ctx, "i", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("decided in %v, %v of processor time: %+v", time.Since(begun).Round(10*time.Millisecond), (spent(t) - cpu).Round(10*time.Millisecond), tally)
}
