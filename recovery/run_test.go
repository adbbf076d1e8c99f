package recovery

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const min1 = time.Minute

// chainAndFork is a small plan: a, then b and c on two sites, then d.
func chainAndFork() Spec {
	return Spec{Estate: "r1", Lost: []string{"pangyo"}, LostSites: []string{"pangyo"}, Steps: []Step{
		step("a", "anyang", 0, min1),
		step("b", "anyang", min1, min1, "a"),
		step("c", "gasan", min1, 2*min1, "a"),
		step("d", "gasan", 3*min1, min1, "b", "c"),
	}}
}

func TestRunToTheEnd(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		maps.Copy(c.world.takes, map[string]time.Duration{"a": min1, "b": min1, "c": 2 * min1, "d": min1})
		c.startAll("anyang", "gasan", "sejong")
		run := c.create(chainAndFork())
		v := c.until(run.ID, time.Hour, over)
		if v.State != RunDone {
			t.Fatalf("want done:\n%s", story(v))
		}
		if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, c.world.total()); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
		for _, s := range v.Steps {
			if s.Node != s.Step.Site {
				t.Errorf("%s was carried out by %s, want the node of its site %s", s.Step.ID, s.Node, s.Step.Site)
			}
			if *s.Ended-*s.Begun != s.Step.Likely {
				t.Errorf("%s took %v, want %v", s.Step.ID, *s.Ended-*s.Begun, s.Step.Likely)
			}
		}
		if v.Plan != 1 {
			t.Errorf("plan %d: a run that goes as planned needs no other plan\n%s", v.Plan, story(v))
		}
		checkJournal(t, v)
	})
}

// checkJournal holds the journal against what must be so in every run: a step is
// recorded as begun before it ends, and nothing ends twice in one attempt.
func checkJournal(t *testing.T, v RunView) {
	t.Helper()
	begun := map[string]bool{}
	rev := int64(0)
	for _, e := range v.Journal {
		if e.Rev < rev {
			t.Errorf("the journal is out of order at revision %d", e.Rev)
		}
		rev = e.Rev
		if e.Who == "" || e.At.IsZero() {
			t.Errorf("an entry without who or when: %+v", e)
		}
		switch e.What {
		case "begun", "taken over", "given to a person":
			begun[e.Step] = true
		case "done", "failed":
			if e.Step != "" && !begun[e.Step] && !strings.Contains(e.Why, "before it began") {
				t.Errorf("%s is %s, but was never begun\n%s", e.Step, e.What, story(v))
			}
		}
	}
}

func TestApprovePauseResumeAbort(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.startAll("anyang", "gasan")
		c.world.takes["a"] = min1
		ctx, kim := t.Context(), By{"kim", "drill"}
		run, err := Create(ctx, c.store, NewRun{Spec: chainAndFork(), LostAt: time.Now(), By: kim})
		if err != nil {
			t.Fatal(err)
		}
		pause(ctx, min1)
		v := c.until(run.ID, min1, func(v RunView) bool { return v.State == RunWaiting })
		if len(c.world.total()) > 0 || len(v.Waiting) != 1 || v.Waiting[0].Kind != "approve" {
			t.Fatalf("a run that waits for approval does nothing and says so:\n%s%+v", story(v), v.Waiting)
		}
		if _, err := Resume(ctx, c.store, run.ID, kim); !errors.Is(err, ErrState) {
			t.Errorf("resume of a waiting run: %v, want ErrState", err)
		}
		if _, err := Approve(ctx, c.store, run.ID, By{}); err == nil || !strings.Contains(err.Error(), "say who") {
			t.Errorf("approval by nobody: %v", err)
		}
		for range 2 { // twice is once
			if _, err := Approve(ctx, c.store, run.ID, kim); err != nil {
				t.Fatal(err)
			}
		}
		c.until(run.ID, min1, func(v RunView) bool { return states(v)["a"] == StepBegun })
		if _, err := Pause(ctx, c.store, run.ID, kim); err != nil {
			t.Fatal(err)
		}
		pause(ctx, 10*min1)
		v = c.until(run.ID, min1, func(v RunView) bool { return states(v)["a"] == StepDone })
		if diff := cmp.Diff(map[string]StepState{"a": StepDone, "b": StepPending, "c": StepPending, "d": StepPending}, states(v)); diff != "" {
			t.Errorf("a paused run ends what it began and begins nothing (-want +got):\n%s", diff)
		}
		if _, err := Resume(ctx, c.store, run.ID, kim); err != nil {
			t.Fatal(err)
		}
		c.world.mu.Lock()
		c.world.takes["d"] = time.Hour
		c.world.mu.Unlock()
		c.until(run.ID, 10*min1, func(v RunView) bool { return states(v)["d"] == StepBegun })
		for range 2 {
			if _, err := Abort(ctx, c.store, run.ID, By{"lee", "wrong plan"}); err != nil {
				t.Fatal(err)
			}
		}
		v = c.until(run.ID, min1, func(v RunView) bool { return states(v)["d"] == StepFailed })
		if c.world.total()["d"] != 0 || !strings.Contains(of(v, "d").Detail, "aborted") {
			t.Errorf("an abort stops what runs and says so:\n%s", story(v))
		}
		if err := Skip(ctx, c.store, run.ID, "d", kim); !errors.Is(err, ErrState) {
			t.Errorf("skip in an aborted run: %v, want ErrState", err)
		}
		checkJournal(t, v)
	})
}

func TestFailSkipRetry(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.startAll("anyang", "gasan")
		c.world.fails["b"] = errors.New("no such image")
		ctx, kim := t.Context(), By{"kim", "the image is there now"}
		run := c.create(chainAndFork())
		v := c.until(run.ID, time.Hour, over)
		want := map[string]StepState{"a": StepDone, "b": StepFailed, "c": StepDone, "d": StepDropped}
		if diff := cmp.Diff(want, states(v)); diff != "" || v.State != RunFailed {
			t.Fatalf("what comes after a failure is dropped, the rest goes on (-want +got):\n%s\n%s", diff, story(v))
		}
		if v.Plan != 2 || !strings.Contains(v.Plans[1].Why, "failed b") {
			t.Errorf("the failure leads to a new plan:\n%s", story(v))
		}
		c.world.mu.Lock()
		delete(c.world.fails, "b")
		c.world.mu.Unlock()
		if err := Retry(ctx, c.store, run.ID, "c", kim); !errors.Is(err, ErrState) {
			t.Errorf("retry of a step that is done: %v, want ErrState", err)
		}
		if err := Skip(ctx, c.store, run.ID, "b", By{"lee", "nobody needs b"}); err != nil {
			t.Fatal(err)
		}
		if v = c.until(run.ID, time.Hour, over); v.State != RunDone || states(v)["b"] != StepSkipped {
			t.Errorf("a failure that a person accepts ends the run as done:\n%s", story(v))
		}
		if err := Retry(ctx, c.store, run.ID, "b", kim); err != nil {
			t.Fatal(err)
		}
		v = c.until(run.ID, time.Hour, over)
		if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, c.world.total()); diff != "" || v.State != RunDone {
			t.Fatalf("a retry brings back what hung on it (-want +got):\n%s\n%s", diff, story(v))
		}
		if of(v, "b").Attempt != 2 {
			t.Errorf("attempt %d, want 2", of(v, "b").Attempt)
		}
		checkJournal(t, v)
	})
}

func TestSkipAStepThatHasNotBegun(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.startAll("anyang", "gasan")
		c.world.takes["a"] = min1
		run := c.create(chainAndFork())
		c.until(run.ID, min1, func(v RunView) bool { return states(v)["a"] == StepBegun })
		if err := Skip(t.Context(), c.store, run.ID, "a", By{"kim", ""}); !errors.Is(err, ErrState) {
			t.Errorf("skip of a running step: %v, want ErrState", err)
		}
		if err := Skip(t.Context(), c.store, run.ID, "nosuch", By{"kim", ""}); err == nil || !strings.Contains(err.Error(), "nosuch") {
			t.Errorf("skip of an unknown step: %v", err)
		}
		if err := Skip(t.Context(), c.store, run.ID, "c", By{"kim", "not needed"}); err != nil {
			t.Fatal(err)
		}
		v := c.until(run.ID, time.Hour, over)
		want := map[string]StepState{"a": StepDone, "b": StepDone, "c": StepSkipped, "d": StepDropped}
		if diff := cmp.Diff(want, states(v)); diff != "" || v.State != RunDone {
			t.Errorf("(-want +got):\n%s\n%s", diff, story(v))
		}
	})
}

func TestAnActuatorThatLies(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.startAll("anyang", "gasan")
		c.world.lies["a"] = true
		v := c.until(c.create(chainAndFork()).ID, time.Hour, over)
		if v.State != RunFailed || !strings.Contains(of(v, "a").Detail, "says that it is done, but it is not") {
			t.Errorf("a lie is a failure with that reason:\n%s", story(v))
		}
		if c.world.total()["b"] != 0 {
			t.Error("what comes after a lie was begun")
		}
	})
}

func TestAnActionThatRunsForEver(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.startAll("anyang", "gasan")
		c.world.takes["b"], c.world.takes["c"] = 1000*time.Hour, 20*time.Hour
		c.world.deaf["c"] = true // it does not even stop when told to
		run := c.create(chainAndFork())
		v := c.until(run.ID, 5*time.Hour, func(v RunView) bool { return states(v)["c"] == StepPerson })
		if s := of(v, "b"); s.State != StepFailed || !strings.Contains(s.Detail, "stopped after its limit") {
			t.Errorf("%s: %s %q, want failed after its limit", s.Step.ID, s.State, s.Detail)
		}
		if s := of(v, "c"); !strings.Contains(s.WaitsFor, "stopped after its limit") || !strings.Contains(s.WaitsFor, "may still be running") {
			t.Errorf("what may take effect yet waits for a person, who is told so: %q", s.WaitsFor)
		}
		if err := Skip(t.Context(), c.store, run.ID, "c", By{"kim", "killed it"}); err != nil {
			t.Fatal(err)
		}
		v = c.until(run.ID, 5*time.Hour, over)
		if v.State != RunFailed || v.Plan < 2 {
			t.Errorf("the run ends and overruns lead to new plans:\n%s", story(v))
		}
		pause(t.Context(), 20*time.Hour) // let the deaf one end, as the bubble demands
	})
}

func TestManualStepWaitsForAPerson(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.startAll("anyang", "gasan")
		spec := chainAndFork()
		spec.Steps[0].Driver, spec.Steps[0].Args = DriverManual, map[string]any{"text": "turn the key"}
		spec.Steps[1].Driver = DriverManual
		run := c.create(spec)
		v := c.until(run.ID, min1, func(v RunView) bool { return len(v.Waiting) == 1 })
		if w := v.Waiting[0]; w.Kind != "confirm" || w.Step != "a" || !strings.Contains(w.Asks, "turn the key") {
			t.Errorf("waiting: %+v", w)
		}
		if err := Confirm(t.Context(), c.store, run.ID, "a", true, By{"kim", "turned it"}); err != nil {
			t.Fatal(err)
		}
		if err := Confirm(t.Context(), c.store, run.ID, "a", true, By{"kim", "turned it"}); err != nil {
			t.Errorf("a second confirmation: %v", err)
		}
		c.until(run.ID, min1, func(v RunView) bool { return states(v)["b"] == StepPerson })
		if err := Confirm(t.Context(), c.store, run.ID, "b", false, By{"kim", "the key broke"}); err != nil {
			t.Fatal(err)
		}
		v = c.until(run.ID, time.Hour, over)
		if v.State != RunFailed || of(v, "b").Detail != "could not be done: the key broke" || of(v, "a").By != "kim" {
			t.Errorf("%s", story(v))
		}
	})
}

func TestPromotionIsGuarded(t *testing.T) {
	base := step("db/promote", "anyang", 0, min1)
	base.Does = "promote"
	tests := []struct {
		name  string
		guard *Guard
		lost  []string
		fence bool
		want  StepState
		says  string
	}{
		{"the old primary lives", &Guard{Sync: false}, nil, false, StepDone, ""},
		{"all is well", &Guard{"pangyo-r1", "pangyo", true}, []string{"pangyo"}, false, StepDone, ""},
		{"the fence still stands", &Guard{"pangyo-r1", "pangyo", true}, []string{"pangyo"}, true, StepPending, "fencing lease of pangyo"},
		{"the site is not declared lost", &Guard{"pangyo-r1", "pangyo", true}, nil, false, StepPerson, "not declared lost"},
		{"the standby lags", &Guard{"pangyo-r1", "pangyo", false}, []string{"pangyo"}, false, StepPerson, "every acknowledged write"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(c *cluster) {
				t := c.t
				c.startAll("anyang", "gasan")
				spec := Spec{LostSites: tt.lost, Steps: []Step{base}}
				spec.Steps[0].Guard = tt.guard
				if tt.fence {
					commit(t, c.store, FenceKey("pangyo"), "1")
				}
				run := c.create(spec)
				pause(t.Context(), min1)
				v := c.until(run.ID, min1, func(v RunView) bool { return states(v)[base.ID] == tt.want })
				if !strings.Contains(v.Steps[0].WaitsFor, tt.says) {
					t.Errorf("says %q, want %q in it", v.Steps[0].WaitsFor, tt.says)
				}
				if tt.want == StepPerson {
					if err := Confirm(t.Context(), c.store, run.ID, base.ID, true, By{"kim", "it is off, I saw it"}); err != nil {
						t.Fatal(err)
					}
				}
				if tt.fence {
					remove(t, c.store, FenceKey("pangyo"))
				}
				if v := c.until(run.ID, min1, over); v.State != RunDone || c.world.total()[base.ID] != 1 {
					t.Errorf("%s", story(v))
				}
			})
		})
	}
}
