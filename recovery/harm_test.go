package recovery

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/plan"
)

const twoStandbys = `
{kind: Domain, name: a, type: site}
---
{kind: Domain, name: b, type: site}
---
{kind: Domain, name: c, type: site}
---
kind: Component
name: db
mode: primary
replicas: [{in: a, role: primary}, {in: b, role: standby, sync: true}, {in: c, role: standby, sync: true}]
actions:
- {name: pb, does: promote, at: b, takes: 1m, run: {exec: {argv: [x]}}}
- {name: pc, does: promote, at: c, takes: 2m, run: {exec: {argv: [x]}}}
---
{kind: Component, name: app, replicas: [{in: a}], actions: [{name: go, does: start, at: c, takes: 1h, run: {exec: {argv: [x]}}}]}
---
{kind: Service, name: s, users: 10, needs: [db]}
---
{kind: Service, name: slow, users: 10, needs: [app]}
`

func parse(t *testing.T, text string) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "e.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The site that a database was moved to is lost as well: another promotion is planned,
// which knows of the new primary, waits for its fence even though a person allows it,
// and is not taken for safe because its standby once followed the first one.
func TestSecondLossDuringARun(t *testing.T) {
	bubble(t, func(c *cluster) {
		t, ctx := c.t, c.t.Context()
		snap := parse(t, twoStandbys)
		c.plan = PlanWith(func(context.Context, string) (*estate.Snapshot, error) { return snap, nil }, plan.Options{})
		i, err := incident.Declare(ctx, c.store, incident.Request{Domains: []string{"a"}, By: "kim"})
		if err != nil {
			t.Fatal(err)
		}
		made, err := plan.Make(snap, []string{"a"}, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c.world.takes["app/go@c"] = time.Hour // so that the run goes on
		c.startAll("b", "c", "d")
		run, err := Create(ctx, c.store, NewRun{Spec: FromPlan(made), Incident: i.ID, LostAt: i.LostAt, By: By{"kim", ""}, Approved: true})
		if err != nil {
			t.Fatal(err)
		}
		c.until(run.ID, min1, func(v RunView) bool { return states(v)["db/pb@b"] == StepDone })
		commit(t, c.store, FenceKey("b"), "1")
		pause(ctx, min1/60) // the fence is old news when the site is declared lost
		if _, err := incident.Declare(ctx, c.store, incident.Request{Domains: []string{"b"}, By: "kim"}); err != nil {
			t.Fatal(err)
		}
		v := c.until(run.ID, min1, func(v RunView) bool { return states(v)["db/pc@c"] == StepPerson })
		if asks := of(v, "db/pc@c").WaitsFor; !strings.Contains(asks, "acknowledged write of b") || !strings.Contains(asks, "fencing lease of b") {
			t.Errorf("asks %q; want what is lost, and what it waits for", asks)
		}
		if up := v.Services[0].UpAt; v.Services[0].Name != "s" || up == nil || *up < 2*min1 || v.Services[0].Actual != nil {
			t.Errorf("the service counts as back because of what was lost: %+v", v.Services[0])
		}
		if err := Confirm(ctx, c.store, run.ID, "db/pc@c", true, By{"kim", "take the loss"}); err != nil {
			t.Fatal(err)
		}
		pause(ctx, min1)
		v = c.until(run.ID, min1, func(v RunView) bool { return states(v)["db/pc@c"] == StepPending })
		if c.world.total()["db/pc@c"] != 0 || !strings.Contains(of(v, "db/pc@c").WaitsFor, "fencing lease of b") {
			t.Fatalf("allowed, it went ahead while the site may write:\n%s", story(v))
		}
		remove(t, c.store, FenceKey("b"))
		c.until(run.ID, min1, func(v RunView) bool { return states(v)["db/pc@c"] == StepDone })
	})
}

// guarded is the state of a run with one guarded step at c and records of others.
func guarded(g Guard, lostSites []string, others ...stored) *state {
	st := Step{ID: "db/pc@c", Component: "db", Site: "c", At: "c", Driver: "exec", Guard: &g}
	s := &state{
		run: Run{ID: "r", State: RunRunning, LostAt: time.Now(), Plans: []Made{{}}}, spec: Spec{Steps: []Step{st}, LostSites: lostSites},
		records: map[string]*stored{}, nodes: map[string]storedPresence{"x": {Session: "x", Node: "c", Site: "c"}},
		fences: map[string]bool{}, begunAt: map[string]time.Time{}, absent: map[string]time.Time{},
	}
	for _, r := range others {
		s.put(r)
	}
	return s
}

func TestGuardKnowsWhereThePrimaryWent(t *testing.T) {
	pb := Step{ID: "db/pb@b", Component: "db", Site: "b", At: "b", Driver: "exec", Guard: &Guard{Old: "a", Site: "a", Sync: true}}
	old := Guard{Old: "a", Site: "a", Sync: true}
	rec := func(r Record, rev int64) stored { r.Step = pb; r.Attempt = 1; return stored{r, rev} }
	begun := time.Now()
	for _, tt := range []struct {
		name     string
		lost     []string
		other    stored
		question Question
		says     string
	}{
		{"refused for certain", []string{"a"}, rec(Record{State: StepFailed}, 5), "", ""},
		{"done", []string{"a"}, rec(Record{State: StepDone}, 5), QuestionAllow, "the primary in b cannot be asked, and its site b is not declared lost"},
		{"done and lost", []string{"a", "b"}, rec(Record{State: StepDone}, 5), QuestionAllow, "every acknowledged write of b"},
		{"failed, nobody knows how", []string{"a"}, rec(Record{State: StepFailed, Unsure: true}, 5), QuestionAllow, "the primary in b"},
		{"skipped, nobody knows how", []string{"a"}, rec(Record{State: StepSkipped, Unsure: true}, 5), QuestionAllow, "the primary in b"},
		{"a person is to look", []string{"a"}, rec(Record{State: StepPerson, Question: QuestionResult}, 5), QuestionAllow, "the primary in b"},
		{"begun before a restore", []string{"a"}, rec(Record{State: StepPending, Begun: begun}, 5), QuestionAllow, "the primary in b"},
		{"in hand", []string{"a"}, rec(Record{State: StepBegun, Executor: "x"}, 5), "", "waits for db/pb@b"},
		{"about to begin", []string{"a"}, rec(Record{State: StepAssigned, Executor: "x"}, 5), "", "waits for db/pb@b"},
	} {
		s := guarded(old, tt.lost, tt.other)
		r := s.readiness(time.Now())
		got := r[len(r)-1]
		if got.step.ID != "db/pc@c" || got.question != tt.question || !strings.Contains(got.why, tt.says) || tt.says == "" && !got.ready() {
			t.Errorf("%s: %q %q, want %q %q", tt.name, got.question, got.why, tt.question, tt.says)
		}
	}
	// What a person allowed before the primary moved was about another primary.
	s := guarded(old, []string{"a", "b"}, rec(Record{State: StepDone}, 5))
	s.put(stored{Record{Step: s.spec.Steps[0], State: StepPending, Attempt: 1, Allowed: true}, 4})
	if r := s.readiness(time.Now()); r[0].question != QuestionAllow {
		t.Errorf("an old permission still counts: %+v", r[0])
	}
	s.records["db/pc@c"].rev = 6
	if r := s.readiness(time.Now()); !r[0].ready() {
		t.Errorf("a new permission does not count: %+v", r[0])
	}
}

// Two steps that each make a primary of one component never begin together.
func TestOnlyOneMakesAPrimary(t *testing.T) {
	s := guarded(Guard{}, nil)
	other := s.spec.Steps[0]
	other.ID, other.At = "db/again@c", "c"
	s.spec.Steps = append(s.spec.Steps, other)
	if r := s.readiness(time.Now()); !r[0].ready() || r[1].ready() || !strings.Contains(r[1].sentence(), "waits for db/pc@c") {
		t.Errorf("%+v", r)
	}
}

func TestAllowedIsTakenBack(t *testing.T) {
	s := guarded(Guard{Old: "a", Site: "a"}, []string{"a"})
	allowed := Record{Step: s.spec.Steps[0], State: StepPending, Attempt: 1, Allowed: true}
	s.put(stored{allowed, 4})
	s.fences["a"] = true
	if d := decide(s, 1, time.Now()); len(d.writes) > 0 {
		t.Errorf("allowed, it goes ahead while the fence of a is held: %+v", d.writes)
	}
	s.incident = &incidentState{lost: []string{}, withdrawn: true, by: "lee", why: "a cable"}
	for _, state := range []StepState{StepPending, StepAssigned} {
		allowed.State, allowed.Executor = state, "x"
		s.put(stored{allowed, 5})
		d := decide(s, 1, time.Now())
		if len(d.writes) != 1 || d.writes[0].rec.Allowed || d.writes[0].rec.State != StepPending || d.run == nil || d.run.State != RunPaused {
			t.Errorf("a withdrawal leaves %s as it was: %+v", state, d)
		}
	}
	s.run.Withdrawn, s.incident.withdrawn = true, false
	if d := decide(s, 1, time.Now()); d.run == nil || d.run.Withdrawn {
		t.Error("what is declared again cannot be withdrawn again")
	}
	r := stored{Record{Step: s.spec.Steps[0], State: StepPerson, Question: QuestionResult}, 1}
	answer(&r, false, By{Who: "kim"})
	if r.mayHold() {
		t.Error("a person saw that it did not take effect, and it counts as a primary")
	}

	store := kv.NewMemory()
	run, err := Create(t.Context(), store, NewRun{Spec: s.spec, By: By{Who: "kim"}, Approved: true})
	if err != nil {
		t.Fatal(err)
	}
	allowed.State, allowed.Executor = StepFailed, ""
	op, err := put(stepKey(run.ID, "db/pc@c"), storedRecord{V: 1, Record: allowed})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, store, op.Key, string(op.Value))
	if err := Retry(t.Context(), store, run.ID, "db/pc@c", By{"kim", ""}); err != nil {
		t.Fatal(err)
	}
	if r, _, err := getRecord(t.Context(), store, run.ID, "db/pc@c"); err != nil || r.Allowed || r.State != StepPending {
		t.Errorf("a retry keeps what was allowed: %+v %v", r, err)
	}
}

// Where only a part of a site is lost its node goes on, and holds its fence: what a
// person says of the primary is then enough, and without a person nothing happens.
func TestAPartOfASiteIsLost(t *testing.T) {
	s := guarded(Guard{Old: "a-hall", Site: "a", Sync: true}, nil)
	s.fences["a"] = true
	if r := s.readiness(time.Now()); r[0].question != QuestionAllow || strings.Contains(r[0].why, "fencing lease") {
		t.Errorf("%q %q", r[0].question, r[0].why)
	}
	s.put(stored{Record{Step: s.spec.Steps[0], State: StepPending, Attempt: 1, Allowed: true}, 4})
	if r := s.readiness(time.Now()); !r[0].ready() {
		t.Errorf("allowed, it waits: %+v", r[0])
	}
}

// Every action that makes a primary is guarded, also a switch; a shrink is not.
func TestEveryPrimaryIsGuarded(t *testing.T) {
	s := parse(t, twoStandbys)
	db, _ := s.Lookup(estate.KindComponent, "db")
	c := &s.Components[db.Index]
	tr := &translator{s: s, lost: map[int]bool{0: true}}
	for does, sync := range map[estate.Does]bool{
		estate.DoesPromote: true, estate.DoesSwitch: true, estate.DoesStart: true, estate.DoesScale: true, estate.DoesRestore: true, estate.DoesRebuild: true,
	} {
		g := tr.guard(c, &estate.Action{Does: does}, 1)
		if diff := cmp.Diff(&Guard{Old: "a", Site: "a", Sync: sync}, g); diff != "" {
			t.Errorf("%s (-want +got):\n%s", does, diff)
		}
	}
	if g := tr.guard(c, &estate.Action{Does: estate.DoesSwitch}, 0); g == nil || g.Sync {
		t.Errorf("a switch to where no standby is: %+v", g)
	}
	if g := tr.guard(c, &estate.Action{Does: estate.DoesShrink}, 1); g != nil {
		t.Errorf("a shrink: %+v", g)
	}
}

// blindHands act with an error, and cannot tell what came of it.
type blindHands struct {
	err    error
	answer Answer
	hang   chan struct{}
}

func (h blindHands) Check(context.Context, Request) (Answer, error)  { return h.answer, nil }
func (h blindHands) Verify(context.Context, Request) (Answer, error) { return h.answer, nil }
func (h blindHands) Act(context.Context, Request) (string, error) {
	if h.hang != nil {
		<-h.hang
	}
	return "", h.err
}

type forever struct{}

func (forever) Alive() bool           { return true }
func (forever) Done() <-chan struct{} { return nil }

func TestUnknownOutcomeWaitsForAPerson(t *testing.T) {
	reset := errors.New("connection reset after the request was sent")
	hang := make(chan struct{})
	defer close(hang)
	for _, tt := range []struct {
		name       string
		hands      blindHands
		driver     string
		ask        Ask
		idempotent bool
		want       StepState
	}{
		{"unknown", blindHands{err: reset, answer: Unknown}, "exec", AskNothing, false, StepPerson},
		{"unknown and idempotent", blindHands{err: reset, answer: Unknown}, "exec", AskNothing, true, StepFailed},
		{"known", blindHands{err: reset, answer: NotDone}, "exec", AskNothing, false, StepFailed},
		{"left behind", blindHands{hang: hang, answer: NotDone}, "exec", AskNothing, false, StepPerson},
		{"left behind and idempotent", blindHands{hang: hang, answer: NotDone}, "exec", AskNothing, true, StepFailed},
		{"nobody to act", blindHands{}, "none", AskNothing, false, StepFailed},
		{"nobody to ask", blindHands{}, "none", AskFirst, false, StepPerson},
	} {
		w := &Worker{Node: "b", Tenure: forever{}, Actuators: map[string]Actuator{"exec": tt.hands}, slots: make(chan struct{}, 1), Grace: time.Millisecond}
		st := Step{ID: "db/pb@b", Driver: tt.driver, Idempotent: tt.idempotent, Limit: time.Millisecond}
		r := w.perform(t.Context(), "x", Record{Step: st, State: StepBegun, Attempt: 1, Ask: tt.ask}, ScopeReal)
		if r.State != tt.want || tt.want == StepPerson && (r.Question != QuestionResult || r.Asks == "") {
			t.Errorf("%s: %s %q %q, want %s", tt.name, r.State, r.Question, r.Detail, tt.want)
		}
	}
}

// A second run of the same name neither replaces the plan of the first nor slips one
// under it while it is written.
func TestCreateLeavesAnotherRunAlone(t *testing.T) {
	s := kv.NewMemory()
	one := func(id string) NewRun {
		return NewRun{ID: "x", Spec: Spec{Steps: []Step{{ID: id, Driver: "exec"}}}, By: By{Who: "kim"}}
	}
	between := &meanwhile{Store: s, at: 2, do: func() {
		if _, err := Create(t.Context(), s, one("b")); err != nil {
			t.Error(err)
		}
	}}
	for i, store := range []kv.Store{between, s} {
		if _, err := Create(t.Context(), store, one("a")); !errors.Is(err, kv.ErrConflict) {
			t.Errorf("create %d: %v, want a conflict", i, err)
		}
		if got, err := loadPlan(t.Context(), s, "x", 1); err != nil || got.Steps[0].ID != "b" {
			t.Errorf("create %d changed the plan of the run: %+v %v", i, got.Steps, err)
		}
	}
}

// meanwhile is a store in which something happens right before a commit.
type meanwhile struct {
	kv.Store
	at int
	do func()
}

func (s *meanwhile) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if s.at--; s.at == 0 {
		s.do()
	}
	return s.Store.Commit(ctx, t)
}

// A begun step of a node that is gone is left in peace for a while, wherever it runs.
func TestTakeoverGivesGrace(t *testing.T) {
	now := time.Now()
	for _, site := range []string{"", "lost", "c"} {
		st := Step{ID: "a", Site: site, At: site, Driver: "exec"}
		s := guarded(Guard{}, []string{"lost"}, stored{Record{Step: st, State: StepBegun, Executor: "dead", Node: "d", Attempt: 1}, 3})
		s.spec.Steps, s.grace, s.gone = []Step{st}, 5*time.Second, map[string]time.Time{}
		v := &view{state: s}
		v.settle(now)
		if d := decide(s, 1, now.Add(4*time.Second)); len(d.writes) > 0 || !d.wake.Equal(now.Add(5*time.Second)) {
			t.Errorf("site %q: taken over at once: %+v", site, d)
		}
		if d := decide(s, 1, now.Add(5*time.Second)); len(d.writes) != 1 {
			t.Errorf("site %q: not taken over after the grace: %+v", site, d)
		}
	}
}

// A backup that is older than what was done is restored: the run waits for a person,
// does nothing before the restore is over, and then repeats nothing.
func TestRestoredRunAsksFirst(t *testing.T) {
	bubble(t, func(c *cluster) {
		t, ctx := c.t, c.t.Context()
		c.startAll("anyang", "gasan")
		c.world.takes["a"] = min1
		run := c.create(chainAndFork())
		waits, err := Create(ctx, c.store, NewRun{Spec: chainAndFork(), By: By{"kim", ""}})
		if err != nil {
			t.Fatal(err)
		}
		c.until(run.ID, min1, func(v RunView) bool { return states(v)["a"] == StepBegun })
		var text bytes.Buffer
		if _, err := kv.Backup(ctx, c.store, &text, "seoul", time.Now()); err != nil {
			t.Fatal(err)
		}
		c.until(run.ID, time.Hour, over)
		c.stopAll()

		c.store, c.nodes = kv.NewMemory(), map[string]*node{}
		c.startAll("anyang", "gasan") // they lead while it is restored
		pause(ctx, 10*time.Second)
		broken := errors.New("cut off")
		held := func(context.Context, kv.BackupInfo) error { pause(ctx, min1); return broken }
		if _, err := kv.Restore(ctx, bytes.NewReader(text.Bytes()), c.store, held); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		pause(ctx, min1)
		v := c.until(run.ID, min1, func(RunView) bool { return true })
		if calls := c.world.total(); calls["b"] != 1 || len(v.Plans) != 1 || states(v)["a"] != StepBegun || of(v, "a").Node != "anyang" {
			t.Fatalf("half a restore is acted on:\n%s", story(v))
		}
		finish := AfterRestore(c.store, "lee")
		twice := func(ctx context.Context, from kv.BackupInfo) error {
			return errors.Join(finish(ctx, from), finish(ctx, from))
		}
		if _, err := kv.Restore(ctx, bytes.NewReader(text.Bytes()), c.store, twice); err != nil {
			t.Fatal(err)
		}
		pause(ctx, min1)
		v = c.until(run.ID, min1, func(v RunView) bool { return v.State == RunPaused })
		n := 0
		for _, e := range v.Journal {
			if e.What == "paused" && e.Who == "lee" && strings.Contains(e.Why, "restored from a backup of seoul") {
				n++
			}
		}
		if n != 1 || len(v.Waiting) != 1 || !strings.Contains(v.Waiting[0].Asks, "restored from a backup") {
			t.Errorf("%d entries say so, want 1: %+v\n%s", n, v.Waiting, story(v))
		}
		if w, err := Show(ctx, c.store, waits.ID); err != nil || w.State != RunWaiting || w.Restored.IsZero() {
			t.Errorf("a run that waits for its approval is %s, %v", w.State, err)
		}
		if _, err := Resume(ctx, c.store, run.ID, By{"lee", "looked"}); err != nil {
			t.Fatal(err)
		}
		v = c.until(run.ID, time.Hour, over)
		if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, c.world.total()); diff != "" || v.State != RunDone {
			t.Errorf("(-want +got):\n%s\n%s", diff, story(v))
		}
	})
}

// A late report of one attempt does not hide that the next was given to the same node.
func TestNewAttemptAfterALateReport(t *testing.T) {
	bubble(t, func(c *cluster) {
		t, ctx := c.t, c.t.Context()
		claim, session := PresenceClaim("anyang", "anyang", testTTL)
		tenure, err := kv.Hold(ctx, c.store, claim)
		if err != nil {
			t.Fatal(err)
		}
		c.world.takes["a"], c.world.deaf["a"] = min1, true
		n := c.prepare("anyang")
		run := c.create(Spec{Steps: []Step{step("a", "anyang", 0, min1)}})
		give := func(r Record) {
			op, err := put(stepKey(run.ID, "a"), storedRecord{V: 1, Record: r})
			if err != nil {
				t.Fatal(err)
			}
			commit(t, c.store, op.Key, string(op.Value))
		}
		life, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		w := &Worker{Store: n.store, Node: "anyang", Session: session, Tenure: tenure, Actuators: map[string]Actuator{"test": n.hands}, Log: c.log}
		go func() { ended <- w.Run(life) }()
		r := Record{Step: step("a", "anyang", 0, min1), State: StepAssigned, Executor: session, Node: "anyang", Attempt: 1, Key: "1"}
		give(r)
		pause(ctx, time.Second) // it acts
		r.Attempt, r.Key, r.Ask = 2, "2", AskForced
		give(r)
		v := c.until(run.ID, time.Hour, func(v RunView) bool { return states(v)["a"] == StepDone })
		if of(v, "a").Attempt != 2 {
			t.Errorf("%s", story(v))
		}
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the worker ended with %v", err)
		}
		_ = tenure.Close(ctx)
	})
}
