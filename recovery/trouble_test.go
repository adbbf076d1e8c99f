package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/incident"
	"bongsu/internal/kv"
)

// TestACutOffLeaderStops cuts the leader's site off in mid-run: others take over,
// and nothing that the old one still wants to write counts.
func TestACutOffLeaderStops(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.world.takes["a"] = 20 * time.Second
		c.startAll("anyang")
		pause(t.Context(), time.Second)
		c.startAll("gasan", "sejong")
		run := c.create(chainAndFork())
		v := c.until(run.ID, time.Minute, func(v RunView) bool { return states(v)["a"] == StepBegun })
		oldTerm := v.Journal[len(v.Journal)-1].Term
		c.nodes["anyang"].store.Cut()
		pause(t.Context(), testTTL)
		c.world.mu.Lock()
		if n := len(c.world.running); n > 0 {
			t.Errorf("%d acts go on at the site that was cut off, after its lease", n)
		}
		c.world.mu.Unlock()
		v = c.until(run.ID, 10*time.Minute, over)
		if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, c.world.total()); diff != "" || v.State != RunDone {
			t.Fatalf("(-want +got):\n%s\n%s", diff, story(v))
		}
		newer := slices.IndexFunc(v.Journal, func(e Entry) bool { return e.Term > oldTerm })
		if newer < 0 || slices.ContainsFunc(v.Journal[newer:], func(e Entry) bool { return e.Term == oldTerm && e.What != "late report" }) {
			t.Errorf("the old leader's term %d goes on after a newer one:\n%s", oldTerm, story(v))
		}
		c.nodes["anyang"].store.Heal() // and it comes back as one of them
		run = c.create(chainAndFork())
		v = c.until(run.ID, 10*time.Minute, over)
		if n := of(v, "b").Node; n != "anyang" {
			t.Errorf("b was carried out by %q, want anyang, which is back:\n%s", n, story(v))
		}
	})
}

// lead is a leadership that believes in itself for ever.
type lead struct{ fence kv.Fence }

func (l lead) Fence() *kv.Fence      { return &l.fence }
func (l lead) Term() int64           { return l.fence.Term }
func (l lead) Done() <-chan struct{} { return nil }

// TestTwoLeaders lets an old leader go on after a new one was elected, as one does
// whose process stood still. It is fenced off at its first write.
func TestTwoLeaders(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		commit(t, c.store, "leader", "old")
		e, _, err := c.store.Get(t.Context(), "leader")
		if err != nil {
			t.Fatal(err)
		}
		old := &Conductor{Store: c.store, Lead: lead{kv.Fence{Key: "leader", Term: e.Created}}, Node: "old", Log: c.log}
		remove(t, c.store, "leader") // its lease ran out, and it has not noticed
		c.startAll("anyang", "gasan")
		c.world.takes["a"] = time.Minute
		run := c.create(chainAndFork())
		c.until(run.ID, time.Minute, func(v RunView) bool { return states(v)["a"] == StepBegun })
		ended := make(chan error, 1)
		go func() { ended <- old.Run(t.Context()) }()
		v := c.until(run.ID, time.Hour, over)
		if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, c.world.total()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// It only acts when there is something to do; then it finds out. The new one may be first each time of one run.
		for tries := 0; ; tries++ {
			if slices.ContainsFunc(v.Journal, func(e Entry) bool { return e.Who == "old" }) {
				t.Errorf("the old leader wrote to the journal:\n%s", story(v))
			}
			synctest.Wait()
			if len(ended) > 0 {
				break
			}
			if tries == 20 {
				t.Fatal("the old leader still believes that it leads")
			}
			v = c.until(c.create(chainAndFork()).ID, time.Hour, over)
		}
		if err := <-ended; !errors.Is(err, ErrSuperseded) {
			t.Errorf("the old leader ended with %v, want ErrSuperseded", err)
		}
	})
}

// TestExactlyOneBegins gives one step to two workers of one session.
func TestExactlyOneBegins(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		claim, session := PresenceClaim("anyang", "anyang", testTTL)
		tenure, err := kv.Hold(t.Context(), c.store, claim)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		for range 2 {
			n := c.prepare("anyang")
			w := &Worker{Store: n.store, Node: "anyang", Session: session, Tenure: tenure, Actuators: map[string]Actuator{"test": n.hands}, Log: c.log}
			go func() { ended <- w.Run(ctx) }()
		}
		c.startAll("sejong") // leads
		spec := Spec{}
		for i := range 50 {
			spec.Steps = append(spec.Steps, step(fmt.Sprintf("s%02d", i), "anyang", 0, time.Second))
		}
		v := c.until(c.create(spec).ID, time.Hour, over)
		for id, n := range c.world.total() {
			if n != 1 {
				t.Errorf("%s was carried out %d times", id, n)
			}
		}
		if v.State != RunDone || len(c.world.total()) != 50 {
			t.Errorf("%s", story(v))
		}
		cancel()
		for range 2 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("a worker ended with %v", err)
			}
		}
		_ = tenure.Close(t.Context())
	})
}

// TestFullStore fills the store in mid-run: nothing begins without its record, and
// the run goes on when there is room again.
func TestFullStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := kv.NewMemoryQuota(64 << 10)
		c := newCluster(t, store)
		defer c.stopAll()
		c.world.takes["a"] = time.Minute
		c.startAll("anyang", "gasan")
		run := c.create(chainAndFork())
		c.until(run.ID, time.Minute, func(v RunView) bool { return states(v)["a"] == StepBegun })
		var filled []string
		for n := range 1000 {
			key := fmt.Sprintf("ballast/%04d", n)
			if _, err := store.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: key, Value: make([]byte, 1024)}}}); errors.Is(err, kv.ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			filled = append(filled, key)
		}
		pause(t.Context(), 10*time.Minute)
		v, err := View(t.Context(), store, run.ID) // reads go on
		if err != nil {
			t.Fatal(err)
		}
		if got := states(v); got["a"] != StepBegun || c.world.total()["b"] != 0 {
			t.Fatalf("in a full store the outcome waits and nothing begins:\n%s", story(v))
		}
		if _, err := Pause(t.Context(), store, run.ID, By{"kim", ""}); !errors.Is(err, kv.ErrFull) {
			t.Errorf("a person's change: %v, want ErrFull", err)
		}
		for _, key := range filled {
			remove(t, store, key)
		}
		if err := store.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		v = c.until(run.ID, time.Hour, over)
		if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, c.world.total()); diff != "" || v.State != RunDone {
			t.Errorf("(-want +got):\n%s\n%s", diff, story(v))
		}
	})
}

// TestClockOfAnotherNodeIsWrong lets a step be recorded as begun far in the future
// and in the past: neither makes it overrun, nor the view show a negative time.
func TestClockOfAnotherNodeIsWrong(t *testing.T) {
	now := time.Now()
	for _, skew := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		s := &state{
			run: Run{ID: "r", State: RunRunning, LostAt: now, Plans: []Made{{}}}, records: map[string]*stored{},
			nodes: map[string]storedPresence{"x": {Session: "x"}}, fences: map[string]bool{},
			begunAt: map[string]time.Time{}, absent: map[string]time.Time{}, slack: time.Second,
		}
		v := &view{state: s, id: "r", mem: &memory{begunAt: map[string]time.Time{}, listed: true}}
		r := Record{Step: step("a", "anyang", 0, time.Minute), State: StepBegun, Executor: "x", Attempt: 1, Begun: now.Add(skew)}
		v.record(stored{r, 2})
		if news, _ := s.news(now); len(news) > 0 {
			t.Errorf("skew %v: %v", skew, news)
		}
		r.State, r.Ended = StepDone, now.Add(-skew)
		v.record(stored{r, 3})
		view := compose(s, []Spec{{Steps: []Step{r.Step}}}, nil, now)
		if st := view.Steps[0]; *st.Begun < 0 || *st.Ended < *st.Begun || st.Expected.Finish < st.Expected.Start {
			t.Errorf("skew %v: begun %v, ended %v, expected %v", skew, *st.Begun, *st.Ended, st.Expected)
		}
	}
}

// TestPlannerIsAsked lets a step fail and another overrun, with a planner.
func TestPlannerIsAsked(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		asked := []Rest{}
		c.plan = func(_ context.Context, r Rest) (Spec, error) {
			asked = append(asked, r)
			next := Spec{Estate: "r1", Lost: r.Lost, Objective: Objective{UserMinutes: 1500}, Steps: []Step{}}
			hour := time.Hour
			next.Services = []Service{{Name: "talk", UpAt: &hour}}
			for _, p := range append(slices.Clone(r.Done), r.Running...) {
				next.Steps = append(next.Steps, p.Step)
			}
			past := func(id string) bool {
				return slices.ContainsFunc(next.Steps, func(s Step) bool { return s.ID == id })
			}
			if !past("b2") {
				next.Steps = append(next.Steps, step("b2", "gasan", r.Now, min1)) // another way than b
			}
			return next, nil
		}
		c.startAll("anyang", "gasan")
		c.world.takes["a"] = 3 * min1 // planned for one
		c.world.fails["b"] = errors.New("no such image")
		spec := chainAndFork()
		hour := time.Hour
		spec.Objective.UserMinutes, spec.Services = 1000, []Service{{Name: "talk", UpAt: &hour}}
		run := c.create(spec)
		v := c.until(run.ID, time.Hour, over)
		if v.State != RunDone {
			t.Errorf("another way was found, so the run is done:\n%s", story(v))
		}
		if len(asked) == 0 || !slices.Equal(asked[0].Why, []string{"overrun a"}) {
			t.Fatalf("asked %+v, want first because a overruns", asked)
		}
		if r := asked[0].Running; len(r) != 1 || r[0].Step.ID != "a" || r[0].Finish <= min1 {
			t.Errorf("running %+v, want a with a later end", r)
		}
		if m := v.Plans[1]; !m.CostKnown || m.Cost != 500 || !strings.Contains(m.Why, "overrun a") {
			t.Errorf("the change and what it costs: %+v", m)
		}
		if got := c.world.total()["b2"]; got != 1 {
			t.Errorf("the other way was taken %d times:\n%s", got, story(v))
		}
	})
}

// TestABadPlannerDoesNotStopTheRun gives plans that nobody can carry out.
func TestABadPlannerDoesNotStopTheRun(t *testing.T) {
	for name, planner := range map[string]Planner{
		"it fails":      func(context.Context, Rest) (Spec, error) { return Spec{}, errors.New("no estate") },
		"it repeats":    func(_ context.Context, r Rest) (Spec, error) { return r.Current, nil },
		"it has cycles": func(context.Context, Rest) (Spec, error) { return Spec{Steps: []Step{step("x", "a", 0, 1, "x")}}, nil },
		"it hangs":      func(ctx context.Context, _ Rest) (Spec, error) { <-ctx.Done(); return Spec{}, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(c *cluster) {
				t := c.t
				c.plan = planner
				c.startAll("anyang", "gasan")
				c.world.fails["b"] = errors.New("no such image")
				v := c.until(c.create(chainAndFork()).ID, time.Hour, over)
				if v.State != RunFailed || c.world.total()["c"] != 1 || !strings.Contains(v.Plans[1].Why, "planner had no answer") {
					t.Errorf("%s", story(v))
				}
			})
		})
	}
}

// TestTheLossGrowsAndIsWithdrawn changes the incident under a run.
func TestTheLossGrowsAndIsWithdrawn(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		ctx := t.Context()
		i, err := incident.Declare(ctx, c.store, incident.Request{Domains: []string{"pangyo"}, By: "kim"})
		if err != nil {
			t.Fatal(err)
		}
		c.startAll("anyang", "gasan", "sejong")
		c.world.takes["a"] = 10 * min1
		run, err := Create(ctx, c.store, NewRun{Spec: chainAndFork(), Incident: i.ID, LostAt: i.LostAt, By: By{"kim", ""}, Approved: true})
		if err != nil {
			t.Fatal(err)
		}
		c.until(run.ID, min1, func(v RunView) bool { return states(v)["a"] == StepBegun })
		if _, err := incident.Declare(ctx, c.store, incident.Request{Domains: []string{"gasan"}, By: "kim"}); err != nil {
			t.Fatal(err)
		}
		v := c.until(run.ID, min1, func(v RunView) bool { return v.Plan > 1 })
		if !cmp.Equal(v.Lost, []string{"gasan", "pangyo"}) || !strings.Contains(v.Plans[1].Why, "lost gasan") {
			t.Errorf("the run knows of the second loss: %+v\n%s", v.Lost, story(v))
		}
		if got := states(v); got["c"] != StepDropped || got["d"] != StepDropped {
			t.Errorf("steps at the second site are dropped: %v", got)
		}
		if _, err := incident.Withdraw(ctx, c.store, i.ID, nil, "kim", "it was a cable"); err != nil {
			t.Fatal(err)
		}
		v = c.until(run.ID, min1, func(v RunView) bool { return v.State == RunPaused })
		if len(v.Waiting) != 1 || !strings.Contains(v.Waiting[0].Asks, "it was a cable") {
			t.Errorf("a withdrawn declaration pauses the run and says why: %+v", v.Waiting)
		}
		if _, err := Resume(ctx, c.store, run.ID, By{"kim", "finish it all the same"}); err != nil {
			t.Fatal(err)
		}
		c.until(run.ID, time.Hour, func(v RunView) bool { return v.State == RunDone })
	})
}

// TestDryDrill touches nothing, asks nobody and waits for no fence.
func TestDryDrill(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.startAll("anyang", "gasan")
		spec := chainAndFork()
		spec.Steps[0].Driver = DriverManual
		spec.Steps[1].Guard = &Guard{Old: "x", Site: "nowhere"}
		run, err := Create(t.Context(), c.store, NewRun{Spec: spec, Scope: ScopeDryDrill, By: By{"kim", ""}, Approved: true})
		if err != nil {
			t.Fatal(err)
		}
		v := c.until(run.ID, time.Minute, over)
		if v.State != RunDone || c.world.calls != 0 || !strings.HasPrefix(of(v, "a").Detail, "dry: a person") {
			t.Errorf("%d calls of the real actuator\n%s", c.world.calls, story(v))
		}
	})
}

// TestPeopleAndSlots gives more to do than there are people, in the order of the plan.
func TestPeopleAndSlots(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		c.startAll("anyang")
		spec := Spec{Capacity: []Capacity{{"crew/dba", 2}}}
		for i := range 9 {
			st := step(fmt.Sprintf("s%d", i), "anyang", time.Duration(i/2)*min1, min1)
			st.Uses = []Amount{{"crew/dba", 1}}
			if i == 4 {
				st.Uses[0].Count = 2 // it must not be starved by those after it
			}
			c.world.takes[st.ID] = time.Duration(10+i) * time.Second
			spec.Steps = append(spec.Steps, st)
		}
		v := c.until(c.create(spec).ID, time.Hour, over)
		if v.State != RunDone || c.world.most > 2 {
			t.Errorf("%d at once, want at most 2 people busy\n%s", c.world.most, story(v))
		}
		at := slices.Index(c.world.order, "s4")
		if at != 4 {
			t.Errorf("the order is %v: s4, which needs both, was to be fifth", c.world.order)
		}
	})
}

func TestReadinessHoldsPeopleForTheEarlier(t *testing.T) {
	now := time.Now()
	early := step("late", "a", time.Hour, min1)
	early.Uses = []Amount{{"crew/dba", 1}}
	first := step("first", "a", min1, min1, "pre")
	first.Uses = []Amount{{"crew/dba", 1}}
	s := &state{
		run: Run{LostAt: now, State: RunRunning, Plans: []Made{{}}}, records: map[string]*stored{},
		spec: Spec{Capacity: []Capacity{{"crew/dba", 1}}, Steps: []Step{step("pre", "a", 0, min1), first, early}},
	}
	ready := func(at time.Duration) []string {
		var out []string
		for _, r := range s.readiness(now.Add(at)) {
			if r.ready() {
				out = append(out, r.step.ID)
			}
		}
		return out
	}
	if diff := cmp.Diff([]string{"pre"}, ready(0)); diff != "" {
		t.Errorf("before its time a step leaves the crew to an earlier one (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"pre", "late"}, ready(time.Hour)); diff != "" {
		t.Errorf("at its time it goes ahead (-want +got):\n%s", diff)
	}
}

func TestCreateRefuses(t *testing.T) {
	s := kv.NewMemory()
	for want, spec := range map[string]Spec{
		"no steps":        {},
		"two steps":       {Steps: []Step{step("a", "x", 0, 1), step("a", "x", 0, 1)}},
		"does not have":   {Steps: []Step{step("a", "x", 0, 1, "b")}},
		"a waits for b":   {Steps: []Step{step("a", "x", 0, 1, "b"), step("b", "x", 0, 1, "a")}},
		"without an ID":   {Steps: []Step{{}}},
		"can never start": {Capacity: []Capacity{{"crew/c", 1}}, Steps: []Step{{ID: "a", Uses: []Amount{{"crew/c", 2}}}}},
		"do not fit":      {Steps: []Step{{ID: "a", Args: map[string]any{"body": strings.Repeat("x", 300<<10)}}}},
	} {
		if _, err := Create(t.Context(), s, NewRun{Spec: spec, By: By{"kim", ""}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, err := Create(t.Context(), s, NewRun{Spec: chainAndFork()}); err == nil || !strings.Contains(err.Error(), "say who") {
		t.Errorf("a run by nobody: %v", err)
	}
	if all, err := List(t.Context(), s); err != nil || len(all) != 0 {
		t.Errorf("a refused run was written: %v, %v", all, err)
	}
	if _, err := Show(t.Context(), s, "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}
