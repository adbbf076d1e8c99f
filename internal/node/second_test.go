package node

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/web"
)

// oneRun is a store with a run of one step, which a person does by hand.
func oneRun(t *testing.T, scope recovery.Scope) *kv.Memory {
	t.Helper()
	s := kv.NewMemory()
	spec := recovery.Spec{Lost: []string{"a"}, Steps: []recovery.Step{{
		ID: "db/promote@b", Component: "db", Action: "promote", At: "b", Site: "b", Driver: recovery.DriverManual, Finish: time.Minute,
	}}}
	by := recovery.By{Who: "minseo", Why: "test"}
	if _, err := recovery.Create(t.Context(), s, recovery.NewRun{ID: "r", Spec: spec, Scope: scope, LostAt: time.Now(), By: by}); err != nil {
		t.Fatal(err)
	}
	return s
}

func viewOf(t *testing.T, s kv.Store) *recovery.RunView {
	t.Helper()
	v, err := recovery.View(t.Context(), s, "r")
	if err != nil {
		t.Fatal(err)
	}
	return &v
}

// TestSecond: a dangerous decision waits until somebody else does the same; then it
// names both, and the journal of the run tells the whole of it.
func TestSecond(t *testing.T) {
	ctx := t.Context()
	s := oneRun(t, recovery.ScopeReal)
	skip := web.Command{Verb: web.Skip, Run: "r", Step: "db/promote@b", Who: "jiwon", Why: "the standby is behind"}
	asked := func() []web.Asked {
		t.Helper()
		runs, err := recovery.List(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		out, err := readAsked(ctx, s, runs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for range 2 {
		if _, err := second(ctx, s, viewOf(t, s), skip); !errors.Is(err, web.ErrSecond) {
			t.Fatalf("one person alone: %v", err)
		}
	}
	if got := asked(); len(got) != 1 || got[0].Who != "jiwon" || got[0].Why != skip.Why || got[0].Step != skip.Step {
		t.Fatalf("waiting: %+v", got)
	}
	other := skip
	other.Who, other.Why = "minseo", "agreed"
	by, err := second(ctx, s, viewOf(t, s), other)
	if err != nil || by.Who != "minseo" || by.Why != "agreed (asked for by jiwon: the standby is behind)" {
		t.Fatalf("a second person: %+v, %v", by, err)
	}
	if err := recovery.Skip(ctx, s, "r", skip.Step, by); err != nil {
		t.Fatal(err)
	}
	if err := settled(ctx, s, other); err != nil {
		t.Fatal(err)
	}
	if got := asked(); len(got) != 0 {
		t.Errorf("it was done and waits still: %+v", got)
	}
	var told []string
	for _, e := range viewOf(t, s).Journal {
		told = append(told, e.Who+" "+e.What)
	}
	if got := strings.Join(told, ", "); !strings.Contains(got, "jiwon asked for skip, minseo skipped") {
		t.Errorf("the journal tells %s", got)
	}
	// What cannot be done any more is not asked for.
	if by, err := second(ctx, s, viewOf(t, s), skip); err != nil || by.Who != "jiwon" {
		t.Errorf("skipping what is skipped: %v", err)
	}
}

// TestSecondAsksAnew: what was asked for of a step that moved on since, or long ago, is
// nobody's to confirm; it is asked for anew.
func TestSecondAsksAnew(t *testing.T) {
	skip := web.Command{Verb: web.Skip, Run: "r", Step: "db/promote@b", Who: "jiwon", Why: "x"}
	other := skip
	other.Who = "minseo"
	for name, change := range map[string]func(v *recovery.RunView, a *storedAsked){
		"another attempt": func(v *recovery.RunView, _ *storedAsked) { v.Steps[0].Attempt++ },
		"another state":   func(v *recovery.RunView, _ *storedAsked) { v.Steps[0].State = recovery.StepPerson },
		"half an hour":    func(_ *recovery.RunView, a *storedAsked) { a.At = a.At.Add(-askedFor) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := t.Context(), oneRun(t, recovery.ScopeReal)
			v := viewOf(t, s)
			if _, err := second(ctx, s, v, skip); !errors.Is(err, web.ErrSecond) {
				t.Fatal(err)
			}
			e, _, err := s.Get(ctx, askedKey(skip))
			if err != nil {
				t.Fatal(err)
			}
			var a storedAsked
			if err := json.Unmarshal(e.Value, &a); err != nil {
				t.Fatal(err)
			}
			change(v, &a)
			if e.Value, err = json.Marshal(a); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: e.Key, Value: e.Value}}}); err != nil {
				t.Fatal(err)
			}
			if waiting, err := readAsked(ctx, s, []recovery.Run{v.Run}); err != nil || time.Since(a.At) >= askedFor && len(waiting) > 0 {
				t.Errorf("waiting: %v, %v", waiting, err)
			}
			if by, err := second(ctx, s, v, other); !errors.Is(err, web.ErrSecond) {
				t.Fatalf("confirmed all the same: %+v, %v", by, err)
			}
			if by, err := second(ctx, s, v, skip); err != nil || !strings.Contains(by.Why, "asked for by minseo") {
				t.Errorf("asked for anew and confirmed: %+v, %v", by, err)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	ctx := t.Context()
	s := oneRun(t, recovery.ScopeReal)
	if _, err := recovery.Approve(ctx, s, "r", recovery.By{Who: "minseo", Why: "go"}); err != nil {
		t.Fatal(err)
	}
	abort := web.Command{Verb: web.Abort, Run: "r", Who: "jiwon", Why: "it comes back"}
	if _, err := second(ctx, s, viewOf(t, s), abort); !errors.Is(err, web.ErrSecond) {
		t.Fatalf("one person alone: %v", err)
	}
	no := web.Command{Verb: web.Refuse, Run: "r", Who: "minseo", Why: "it does not"}
	if err := refuse(ctx, s, no); err != nil {
		t.Fatal(err)
	}
	if err := refuse(ctx, s, no); !errors.Is(err, web.ErrRefused) {
		t.Errorf("refusing what does not wait: %v", err)
	}
	// After a refusal the first person asks anew.
	if _, err := second(ctx, s, viewOf(t, s), abort); !errors.Is(err, web.ErrSecond) {
		t.Errorf("after a refusal: %v", err)
	}
	j := viewOf(t, s).Journal
	if last := j[len(j)-2]; last.What != "refused abort" || last.Who != "minseo" || !strings.Contains(last.Why, "jiwon") {
		t.Errorf("the journal has %+v", last)
	}
}

// What is dangerous, and what is not.
func TestDangerous(t *testing.T) {
	wanted, drill := viewOf(t, oneRun(t, recovery.ScopeReal)), viewOf(t, oneRun(t, recovery.ScopeDrill))
	started := *wanted
	started.State, started.Started = recovery.RunRunning, time.Now()
	allow := started
	allow.Steps = []recovery.StepView{{Step: wanted.Steps[0].Step, Can: []string{"confirm", "deny", "skip"}}}
	allow.Waiting = []recovery.Waiting{{Kind: "allow", Step: "db/promote@b"}}
	result := allow
	result.Waiting = []recovery.Waiting{{Kind: "decide", Step: "db/promote@b"}}
	step := func(v web.Verb) web.Command { return web.Command{Verb: v, Run: "r", Step: "db/promote@b"} }
	for name, c := range map[string]struct {
		c    web.Command
		v    *recovery.RunView
		want bool
	}{
		"abort before anything began": {web.Command{Verb: web.Abort, Run: "r"}, wanted, false},
		"abort":                       {web.Command{Verb: web.Abort, Run: "r"}, &started, true},
		"pause":                       {web.Command{Verb: web.Pause, Run: "r"}, &started, false},
		"skip":                        {step(web.Skip), &allow, true},
		"skip in a drill":             {step(web.Skip), drill, false},
		"allow data loss":             {step(web.Confirm), &allow, true},
		"say that it was done":        {step(web.Confirm), &result, false},
		"retry":                       {step(web.Retry), &allow, false},
		"skip what is not there":      {web.Command{Verb: web.Skip, Run: "r", Step: "x"}, &started, false},
	} {
		if got := dangerous(c.c, c.v); got != c.want {
			t.Errorf("%s: dangerous %v, want %v", name, got, c.want)
		}
	}
}

// A store that cannot be written refuses, and asks for nothing.
func TestSecondWithoutStore(t *testing.T) {
	s := oneRun(t, recovery.ScopeReal)
	v := viewOf(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	skip := web.Command{Verb: web.Skip, Run: "r", Step: "db/promote@b", Who: "jiwon", Why: "x"}
	if _, err := second(ctx, s, v, skip); err == nil || errors.Is(err, web.ErrSecond) {
		t.Errorf("without a store: %v", err)
	}
}
