package incident_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/detect"
	"bongsu/incident"
	"bongsu/internal/kv"
)

func must(t *testing.T) func(incident.Incident, error) incident.Incident {
	t.Helper()
	return func(i incident.Incident, err error) incident.Incident {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
}

func TestProposeDeclareGrowClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), kv.NewMemory()
		zero := time.Now().UTC()
		wait := func() { <-time.NewTimer(time.Minute).C }

		i := must(t)(incident.Propose(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: incident.ByPolicy, Verdict: "no answer", LostAt: zero.Add(-time.Second)}))
		if i.State != incident.Proposed || !cmp.Equal(i.Proposed, []string{"pangyo"}) || len(i.Lost) != 0 {
			t.Fatalf("proposed: %+v", i)
		}
		wait()
		again := must(t)(incident.Propose(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: incident.ByPolicy}))
		if again.ID != i.ID || len(again.Entries) != 1 {
			t.Errorf("a proposal is made once: %+v", again)
		}
		d := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim", Why: "smoke", Estate: "r1"}))
		if d.ID != i.ID || d.State != incident.Declared || !d.LostAt.Equal(zero.Add(-time.Second)) || d.By != "kim" || d.Verdict != "no answer" {
			t.Errorf("declared: %+v", d)
		}
		wait()
		g := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"gasan", "pangyo"}, By: "lee"}))
		if diff := cmp.Diff([]string{"gasan", "pangyo"}, g.Lost); diff != "" || g.ID != i.ID || !g.LostAt.Equal(d.LostAt) {
			t.Errorf("it grew into %+v", g)
		}
		if last := g.Entries[len(g.Entries)-1]; !cmp.Equal(last.Domains, []string{"gasan"}) {
			t.Errorf("the entry names what is new: %+v", last)
		}
		w := must(t)(incident.Withdraw(ctx, s, i.ID, []string{"gasan"}, "lee", "it was a cable"))
		if w.State != incident.Declared || !cmp.Equal(w.Lost, []string{"pangyo"}) {
			t.Errorf("a part was withdrawn: %+v", w)
		}
		must(t)(incident.AttachRun(ctx, s, i.ID, "run-7", "leader"))
		c := must(t)(incident.Close(ctx, s, i.ID, "kim", "all is back"))
		if c.State != incident.Closed || c.Run != "run-7" || c.EndedAt.IsZero() || !cmp.Equal(c.Lost, []string{"pangyo"}) {
			t.Errorf("closed: %+v", c)
		}
		if _, err := incident.Withdraw(ctx, s, i.ID, nil, "kim", ""); !errors.Is(err, incident.ErrState) {
			t.Errorf("withdraw of a closed incident: %v", err)
		}
		next := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"}))
		if next.ID == i.ID {
			t.Error("a closed incident was opened again")
		}
		all, err := incident.List(ctx, s)
		if err != nil || len(all) != 2 || all[0].ID != next.ID {
			t.Errorf("%+v, %v: want two, newest first", all, err)
		}
		shown := must(t)(incident.Show(ctx, s, i.ID))
		if diff := cmp.Diff(c, shown); diff != "" {
			t.Errorf("what is read differs from what was written:\n%s", diff)
		}
	})
}

// TestOneLossIsDeclaredOnce lets many nodes declare the same loss at once.
func TestOneLossIsDeclaredOnce(t *testing.T) {
	s := kv.NewMemory()
	var all sync.WaitGroup
	ids := make([]string, 8)
	for n := range ids {
		all.Go(func() {
			i, err := incident.Declare(t.Context(), s, incident.Request{Domains: []string{"pangyo"}, By: fmt.Sprint("node ", n)})
			if err != nil {
				t.Error(err)
			}
			ids[n] = i.ID
		})
	}
	all.Wait()
	found, err := incident.List(t.Context(), s)
	if err != nil || len(found) != 1 || len(found[0].Entries) != 1 {
		t.Fatalf("%+v, %v: want one incident with one declaration", found, err)
	}
	for _, id := range ids {
		if id != found[0].ID {
			t.Errorf("one was told %q, want %q", id, found[0].ID)
		}
	}
}

func TestDrillsAreApart(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	drill := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim", Drill: true}))
	loss := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"}))
	if drill.ID == loss.ID || !drill.Drill || loss.Drill {
		t.Errorf("a real loss during a drill is an incident of its own: %+v %+v", drill, loss)
	}
}

func TestRefusals(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	for want, r := range map[string]incident.Request{
		"at least one lost domain": {By: "kim"},
		"empty name":               {Domains: []string{""}, By: "kim"},
		"say who":                  {Domains: []string{"a"}},
	} {
		if _, err := incident.Declare(ctx, s, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
	if _, err := incident.Show(ctx, s, "none"); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("show: %v", err)
	}
	i := must(t)(incident.Propose(ctx, s, incident.Request{Domains: []string{"a"}, By: "kim"}))
	if _, err := incident.Close(ctx, s, i.ID, "kim", ""); !errors.Is(err, incident.ErrState) {
		t.Errorf("close of a proposal: %v", err)
	}
	if _, err := incident.Withdraw(ctx, s, i.ID, []string{"b"}, "kim", ""); !errors.Is(err, incident.ErrState) {
		t.Errorf("withdraw of what is not lost: %v", err)
	}
	full := kv.NewMemoryQuota(10)
	if _, err := incident.Declare(ctx, full, incident.Request{Domains: []string{"a"}, By: "kim"}); !errors.Is(err, kv.ErrFull) {
		t.Errorf("declare in a full store: %v", err)
	}
}

func TestReconcile(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	lost := detect.Verdict{
		Sites:  []detect.Site{{Site: "pangyo", State: detect.Lost}},
		Losses: []detect.Loss{{Domain: "pangyo", Since: time.Now().Add(-time.Minute), Sentence: "pangyo: no answer"}},
	}
	unknown := detect.Verdict{Sites: []detect.Site{{Site: "pangyo", State: detect.Unknown}}}
	seen := detect.Verdict{Sites: []detect.Site{{Site: "pangyo", State: detect.Seen, SeenBy: []string{"gasan"}}}}
	step := func(v detect.Verdict, auto bool) (incident.Incident, bool) {
		t.Helper()
		i, open, err := incident.Reconcile(ctx, s, v, incident.Rule{Auto: auto, Estate: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		return i, open
	}
	if _, open := step(seen, false); open {
		t.Error("nothing is lost, yet an incident is open")
	}
	first, open := step(lost, false)
	if !open || first.State != incident.Proposed || first.Verdict != "pangyo: no answer" || time.Since(first.LostAt) < time.Minute {
		t.Errorf("%+v", first)
	}
	if i, _ := step(unknown, false); i.State != incident.Proposed {
		t.Errorf("unknown withdrew a proposal: %+v", i)
	}
	if i, open := step(seen, false); open || i.State != incident.Withdrawn {
		t.Errorf("seen again: %+v", i)
	}
	second, open := step(lost, false)
	if !open || second.ID == first.ID {
		t.Errorf("the flag that turned false must turn true again: %+v", second)
	}
	if i, _ := step(lost, true); i.State != incident.Declared || i.ID != second.ID {
		t.Errorf("policy may declare now: %+v", i)
	}
	if i, open := step(seen, true); !open || i.State != incident.Declared {
		t.Errorf("what is declared, only a person withdraws: %+v", i)
	}
	lost.Losses[0].First = lost.Losses[0].Since
	must(t)(incident.Withdraw(ctx, s, second.ID, nil, "kim", "false alarm"))
	if i, open := step(lost, true); open {
		t.Errorf("policy overrules a person, who withdrew this very loss: %+v", i)
	}
	anew := lost
	anew.Losses = []detect.Loss{{Domain: "pangyo", Since: time.Now().Add(time.Second), First: time.Now().Add(time.Second)}}
	third, open := step(anew, true)
	if !open || third.ID == second.ID {
		t.Errorf("it was seen in between, so this is another loss: %+v", third)
	}
	must(t)(incident.Close(ctx, s, third.ID, "kim", "all is back elsewhere"))
	if i, open := step(lost, true); open {
		t.Errorf("a closed loss is declared again because the site is still dark: %+v", i)
	}
	// A person's proposal is not policy's to withdraw.
	must(t)(incident.Propose(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"}))
	if i, open := step(seen, false); !open || i.State != incident.Proposed {
		t.Errorf("%+v", i)
	}
}

// TestStoredVersion1 reads what version 1 wrote.
func TestStoredVersion1(t *testing.T) {
	entries := []kv.Entry{
		{Key: "incident/20221015-063000-pangyo/000001", Value: []byte(`{"v":1,"at":"2022-10-15T06:30:00Z","by":"policy","act":"propose","domains":["pangyo"],"lostAt":"2022-10-15T06:29:54Z","verdict":"no answer"}`)},
		{Key: "incident/20221015-063000-pangyo/000002", Value: []byte(`{"v":1,"at":"2022-10-15T06:31:00Z","by":"kim","act":"declare","domains":["pangyo"],"lostAt":"2022-10-15T06:31:00Z","estate":"r1"}`)},
	}
	all, err := incident.Fold(entries)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if i := all[0]; i.State != incident.Declared || i.LostAt.Format(time.TimeOnly) != "06:29:54" || i.Estate != "r1" {
		t.Errorf("%+v", i)
	}
	entries[1].Value = []byte(`{"v":3}`)
	if _, err := incident.Fold(entries); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("a newer version: %v", err)
	}
}
