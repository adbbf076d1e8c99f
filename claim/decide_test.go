package claim_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
	"bongsu/status"
)

func at(hour int) time.Time {
	return time.Date(2022, 10, 15, 6, 27, 0, 0, time.UTC).Add(time.Duration(hour) * time.Hour)
}

// Recorded intervals overlap, last on, and belong to parts; time is counted once.
func TestOutages(t *testing.T) {
	intervals := []status.Interval{
		{Service: "talk", Level: status.Down, From: at(0), To: at(10)},
		{Service: "talk", Level: status.Down, From: at(8), To: at(12)}, // corrected, overlaps
		{Service: "talk", Level: status.Degraded, From: at(11), To: at(20)},
		{Service: "talk", Part: "photos", Level: status.Down, From: at(12), To: at(30)},
		{Service: "mail", Level: status.Down, From: at(0)}, // lasts
		{Service: "maps", Level: status.Degraded, From: at(0), To: at(1)},
		{Service: "odd", Level: status.Down, From: at(5), To: at(5)},
	}
	o := claim.NewOutages(intervals, at(40))
	for _, tt := range []struct {
		service, part string
		want          policy.Outage
	}{
		{"talk", "", policy.Outage{Known: true, Minutes: 12 * 60, Degraded: 8 * 60, From: at(0), To: at(20)}},
		{"talk", "photos", policy.Outage{Known: true, Minutes: 30 * 60, From: at(0), To: at(30)}},
		{"talk", "calls", policy.Outage{Known: true, Minutes: 12 * 60, Degraded: 8 * 60, From: at(0), To: at(20)}},
		{"mail", "", policy.Outage{Known: true, Minutes: 40 * 60, From: at(0), To: at(40)}},
		{"maps", "", policy.Outage{Known: true, Degraded: 60, From: at(0), To: at(1)}},
		{"odd", "", policy.Outage{}},
		{"pay", "", policy.Outage{}},
	} {
		if diff := cmp.Diff(tt.want, o.Of(tt.service, tt.part)); diff != "" {
			t.Errorf("%s %s: %s", tt.service, tt.part, diff)
		}
		if diff := cmp.Diff(tt.want, claim.OutageOf(intervals, at(40), tt.service, tt.part)); diff != "" {
			t.Errorf("%s %s alone: %s", tt.service, tt.part, diff)
		}
	}
}

func decider(t *testing.T, l claim.Ledger) *claim.Decider {
	t.Helper()
	data, err := os.ReadFile("../examples/policies/kakao-2022.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("kakao-2022.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	return &claim.Decider{
		Ledger: l, Policy: p, Who: "policy", Now: at(24 * 100),
		Outages: claim.NewOutages([]status.Interval{{Service: "kakaotalk", Level: status.Down, From: at(0), To: at(10)}, {Service: "melon", Level: status.Down, From: at(0), To: at(23)}}, at(200)),
	}
}

// states counts claims by state.
func states(t *testing.T, l claim.Ledger) map[claim.State]int {
	t.Helper()
	out := map[claim.State]int{}
	if err := l.Each(t.Context(), "i", func(c claim.Claim) error { out[c.State]++; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// Whenever the process that decides dies, another goes on, and every claim is decided once.
func TestDecisionsSurviveACrash(t *testing.T) {
	for at := 1; ; at += 3 {
		s := kv.NewMemory()
		f := kvtest.NewFaulty(s)
		k := claim.NewKeeper(f, master(t))
		reports := make([]claim.Report, 600)
		for i := range reports {
			reports[i] = claimtest.Report(i)
		}
		if _, errs := k.File(t.Context(), reports); errors.Join(errs...) != nil {
			t.Fatal(errors.Join(errs...))
		}
		f.CrashAt(len(f.Calls())+at, kvtest.After)
		_, err := decider(t, k).All(t.Context(), "i", nil)
		again := claim.NewKeeper(s, master(t))
		ctx, stop := context.WithCancel(t.Context())
		ready, gone := make(chan struct{}), make(chan struct{})
		go func() { defer close(gone); _ = again.Follow(ctx, func() { close(ready) }) }()
		<-ready
		tally, err2 := decider(t, again).All(ctx, "i", nil)
		if err2 != nil {
			t.Fatal(err2)
		}
		got := states(t, again)
		if got[claim.Received] > 0 || len(got) < 3 {
			t.Errorf("crash at call %d: %v, %+v", at, got, tally)
		}
		if err := again.Each(ctx, "i", func(c claim.Claim) error {
			h, err := again.History(ctx, c.ID)
			if len(h) != 2 || c.Version != 2 {
				t.Errorf("%s was decided %d times", c.ID, len(h)-1)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		stop()
		<-gone
		if err == nil {
			if tally.Decided != 0 || at < 3 {
				t.Errorf("nothing crashed at call %d, and the second run decided %+v", at, tally)
			}
			break
		}
	}
}
