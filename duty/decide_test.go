package duty

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

// policy has two people on two channels, and a boss on a third.
func policy() *Policy {
	p := DefaultPolicy()
	p.Channels = []Channel{{Name: "sms", Kind: SMS, Needs: []string{"sms-gateway"}}, {Name: "mail", Kind: Mail, Needs: []string{"mail-relay"}}, {Name: "hook", Kind: Webhook, Needs: []string{"chat"}}}
	p.People = []Person{
		{Name: "kim", Title: "김봉수", Crews: []string{"platform"}, Reach: map[string]string{"sms": "1", "mail": "kim@example.kr", "hook": "https://a"}},
		{Name: "lee", Crews: []string{"platform"}, Reach: map[string]string{"sms": "2", "mail": "lee@example.kr"}},
		{Name: "boss", Reach: map[string]string{"sms": "3", "hook": "https://b"}},
	}
	p.Rotas = []Source{{Name: "r", File: "r.ics"}}
	p.Alarms = []Alarm{{
		Name: "loss", Crew: "platform", Channels: []string{"sms", "mail", "hook"},
		Levels: []Level{
			{Call: []Whom{{Rota: "r"}}, Wait: 5 * time.Minute, Tries: 2},
			{Call: []Whom{{Crew: "platform"}, {Person: "boss"}}, Wait: 10 * time.Minute},
		},
	}}
	return &p
}

// world plays the leader of an incident, with channels that work or do not.
type world struct {
	t      *testing.T
	p      *Policy
	rotas  map[string]*Rota
	up     []string
	record incident.Record
	broken map[string]bool // channels
	more   []Reason
	users  int64
	zero   time.Time
	log    []string
	says   []string
	dies   int // at this many calls from now, between note and outcome; 0: never
}

func play(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, p: policy(), up: []string{"sms", "mail", "hook"}, broken: map[string]bool{}, zero: time.Now()}
	w.rotas = map[string]*Rota{"r": {From: w.zero, To: w.zero.Add(1000 * time.Hour), Shifts: []Shift{{From: w.zero, To: w.zero.Add(1000 * time.Hour), Who: []string{"김봉수"}}}}}
	w.record.ID, w.record.State, w.record.Lost = "inc-1", incident.Declared, []string{"pangyo"}
	w.entry(incident.Entry{Act: incident.ActDeclare, Domains: []string{"pangyo"}})
	return w
}

func (w *world) entry(e incident.Entry) {
	e.At = time.Now()
	w.record.Entries = append(w.record.Entries, e)
}

func (w *world) decide() Decision {
	return Decide(Input{
		Policy: w.p, Rotas: w.rotas, Record: &w.record, Reasons: append(Reasons(&w.record), w.more...), Users: w.users, Up: w.up, Now: time.Now(),
	})
}

// set notes what became of a call.
func (w *world) set(c incident.Call) {
	if i := slices.IndexFunc(w.record.Calls, func(x incident.Call) bool { return x.ID == c.ID }); i >= 0 {
		w.record.Calls[i] = c
		return
	}
	w.record.Calls = append(w.record.Calls, c)
}

// step does what is decided, as the leader does: the note first, then the call.
func (w *world) step() (again bool, wake time.Time) {
	w.t.Helper()
	d := w.decide()
	for _, s := range d.Says {
		if !slices.Contains(w.says, s) {
			w.says = append(w.says, s)
		}
	}
	for _, c := range d.Lost {
		w.set(c)
		w.log = append(w.log, fmt.Sprintf("%v unknown %s %s", time.Since(w.zero), c.Person, c.Channel))
	}
	for _, c := range d.Calls {
		w.set(c)
		if w.dies > 0 {
			if w.dies--; w.dies == 0 {
				w.log = append(w.log, fmt.Sprintf("%v dies calling %s %s", time.Since(w.zero), c.Person, c.Channel))
				return true, time.Now()
			}
		}
		c.Outcome = Sent
		if w.broken[c.Channel] {
			c.Outcome = Failed
		}
		w.set(c)
		again := ""
		if c.Detail != "" {
			again = " again"
		}
		w.log = append(w.log, fmt.Sprintf("%v %s %s %s%s", time.Since(w.zero), c.Outcome, c.Person, c.Channel, again))
	}
	return len(d.Calls) > 0, d.Wake
}

// until lets time go by, waking only when the decision asked for it.
func (w *world) until(d time.Duration) {
	w.t.Helper()
	end := w.zero.Add(d)
	for n := 0; ; n++ {
		if n > 5000 {
			w.t.Fatalf("it never rests:\n%s", strings.Join(w.log[max(0, len(w.log)-20):], "\n"))
		}
		again, wake := w.step()
		switch {
		case again:
			continue
		case wake.IsZero() || wake.After(end):
			wake = end
		case !wake.After(time.Now()):
			w.t.Fatalf("it wants to be woken at once, for nothing:\n%s", strings.Join(w.log, "\n"))
		}
		wait(w.t, time.Until(wake))
		if !time.Now().Before(end) {
			w.step()
			return
		}
	}
}

// wait lets the bubble's time go on.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

// answer answers the last call.
func (w *world) answer() {
	w.t.Helper()
	if len(w.record.Calls) == 0 {
		w.t.Fatal("nobody was called")
	}
	c := &w.record.Calls[len(w.record.Calls)-1]
	c.Answered, c.Outcome = time.Now(), Acknowledged
}

func (w *world) want(lines ...string) {
	w.t.Helper()
	if d := cmp.Diff(lines, w.log); d != "" {
		w.t.Errorf("calls (-want +got):\n%s", d)
	}
}

func TestEscalation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.until(21 * time.Minute)
		w.want(
			"0s sent kim sms", "0s sent kim mail",
			"5m0s sent kim sms", "5m0s sent kim mail",
			"10m0s sent kim sms", "10m0s sent kim mail", "10m0s sent lee sms", "10m0s sent lee mail", "10m0s sent boss sms", "10m0s sent boss hook",
			"20m0s sent kim sms", "20m0s sent kim mail",
		)
		if d := cmp.Diff([]string{"loss: nobody has answered in round 1 of the calls; they begin again"}, w.says); d != "" {
			t.Error(d)
		}
	})
}

func TestAnAnswerEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.until(7 * time.Minute)
		w.answer()
		w.log = nil
		w.until(5 * time.Hour)
		w.want()
	})
}

func TestSomethingNewCallsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.until(2 * time.Minute)
		w.answer()
		w.log = nil
		w.until(3 * time.Minute)
		w.more = []Reason{{Key: "waiting", Since: time.Now()}, {Key: "overdue:ministry", Since: time.Now()}}
		w.until(11 * time.Minute)
		w.want("10m0s sent kim sms", "10m0s sent kim mail") // together, and not before the quiet is over
		if c := w.record.Calls[len(w.record.Calls)-1]; c.Reason != "overdue:ministry,waiting" || c.Number != 2 {
			t.Errorf("got %+v", c)
		}
	})
}

// A channel that does not take the call is replaced by the next at once; a level that
// cannot be reached at all, by the next level.
func TestBrokenChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.broken["sms"] = true
		w.until(time.Minute)
		w.want("0s failed kim sms", "0s sent kim mail", "0s sent kim hook")
	})
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.broken["sms"], w.broken["mail"] = true, true
		w.p.People[0].Reach = map[string]string{"sms": "1", "mail": "kim@example.kr"}
		w.until(time.Minute)
		w.want(
			"0s failed kim sms", "0s failed kim mail", // first try
			"0s failed kim sms", "0s failed kim mail", // second
			"0s failed kim sms", "0s failed kim mail", "0s failed lee sms", "0s failed lee mail", "0s failed boss sms", "0s sent boss hook",
		)
	})
}

// When nothing works it goes on for ever, but not as fast as it can.
func TestEverythingIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.broken = map[string]bool{"sms": true, "mail": true, "hook": true}
		w.until(time.Hour)
		if n := len(w.log); n < 12*12 || n > 16*20 {
			t.Errorf("%d tries in an hour", n)
		}
		w.broken = nil
		w.log = nil
		w.until(66 * time.Minute)
		if len(w.log) == 0 || !strings.Contains(w.log[0], "sent kim") {
			t.Errorf("nobody is called once it works: %v", w.log)
		}
	})
}

// What the estate says to be down is not tried first, and is not left out either.
func TestChannelsThatSurviveComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.up = []string{"hook", "mail"}
		w.until(time.Minute)
		w.want("0s sent kim mail", "0s sent kim hook")
	})
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.up = nil
		w.until(time.Minute)
		w.want("0s sent kim sms", "0s sent kim mail")
	})
}

func TestNobodyOnDuty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.rotas["r"].Shifts[0].Who = []string{"stranger"}
		w.until(time.Minute)
		w.want("0s sent kim sms", "0s sent kim mail", "0s sent lee sms", "0s sent lee mail", "0s sent boss sms", "0s sent boss hook")
		if !slices.Contains(w.says, `loss: the rota r names "stranger", whom the policy does not know`) {
			t.Errorf("it says %q", w.says)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.rotas = nil
		w.p.Alarms[0].Levels = w.p.Alarms[0].Levels[:1]
		w.until(10 * time.Minute)
		w.want()
		if !slices.Contains(w.says, "loss: the rota r cannot be read") || !slices.Contains(w.says, "loss: nobody can be reached over any channel; it is tried again every minute or so") {
			t.Errorf("it says %q", w.says)
		}
	})
}

// Whoever comes on duty while a step waits is called too.
func TestShiftChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		change := w.zero.Add(2 * time.Minute)
		w.rotas["r"].Shifts = []Shift{{From: w.zero, To: change, Who: []string{"kim"}}, {From: change, To: change.Add(time.Hour), Who: []string{"lee"}}}
		w.until(time.Minute)
		w.until(3 * time.Minute)
		w.want("0s sent kim sms", "0s sent kim mail", "3m0s sent lee sms", "3m0s sent lee mail")
	})
}

// A leader that dies between the note and the call does not leave anybody asleep, and
// the record says what is not known.
func TestLeaderDiesWhileCalling(t *testing.T) {
	for n := 1; n <= 6; n++ {
		synctest.Test(t, func(t *testing.T) {
			w := play(t)
			w.dies = n
			w.until(11 * time.Minute)
			var unknown, again int
			reached := map[string]bool{}
			for _, c := range w.record.Calls {
				switch {
				case c.Outcome == Begun:
					t.Errorf("call %s stays begun", c.ID)
				case c.Outcome == Unknown:
					unknown++
					if !strings.Contains(c.Detail, "made again") {
						t.Errorf("call %s does not say that it is made again: %q", c.ID, c.Detail)
					}
				case c.Detail != "":
					again++
				}
				if c.Outcome == Sent {
					reached[fmt.Sprint(c.Step, c.Person, c.Channel)] = true
				}
			}
			if unknown != 1 || again != 1 || len(reached) != 10 {
				t.Errorf("dying at call %d: %d unknown, %d made again, %d reached; want 1, 1, 10\n%s", n, unknown, again, len(reached), strings.Join(w.log, "\n"))
			}
		})
	}
}

// A call that is being made by this very leader is none that was lost.
func TestCallsThatAreBeingMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		d := w.decide()
		making := map[string]bool{}
		for _, c := range d.Calls {
			w.set(c)
			making[c.ID] = true
		}
		got := Decide(Input{Policy: w.p, Rotas: w.rotas, Record: &w.record, Reasons: Reasons(&w.record), Up: w.up, Making: making, Now: time.Now()})
		if len(got.Lost)+len(got.Calls) > 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// A hundred things that happen at once, and a hundred more, do not call a hundred times.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		for i := range 100 {
			w.more = append(w.more, Reason{Key: fmt.Sprintf("overdue:%d", i), Since: time.Now()})
		}
		for i := range 300 {
			w.more = append(w.more, Reason{Key: fmt.Sprintf("waiting:%d", i), Since: time.Now()})
			w.until(time.Duration(i+1) * time.Second)
			if i == 200 {
				w.answer()
			}
		}
		w.want("0s sent kim sms", "0s sent kim mail")
		for i := range 120 {
			w.more = append(w.more, Reason{Key: "overdue:z", Since: time.Now()})
			w.until(5*time.Minute + time.Duration(i+1)*time.Minute)
			w.answer()
		}
		if n := len(w.log); n > 2+2*13 {
			t.Errorf("%d calls in two hours, though each was answered", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.p.Alarms[0].Most = 8
		w.p.Alarms[0].Levels[0].Wait = 10 * time.Second
		w.p.Alarms[0].Levels[1].Wait = 10 * time.Second
		w.until(59 * time.Minute)
		if len(w.log) != 8 {
			t.Errorf("%d calls in an hour, want 8", len(w.log))
		}
		w.until(70 * time.Minute)
		if len(w.log) <= 8 || len(w.log) > 16 {
			t.Errorf("%d calls in the hour and ten minutes", len(w.log))
		}
	})
}

func TestWhatAnAlarmIsFor(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w *world)
		calls  bool
	}{
		"declared":           {func(*world) {}, true},
		"not for this":       {func(w *world) { w.p.Alarms[0].When = []string{Proposed, Overdue} }, false},
		"overdue":            {func(w *world) { w.p.Alarms[0].When = []string{Overdue}; w.more = []Reason{{"overdue:x", w.zero}} }, true},
		"too few users":      {func(w *world) { w.p.Alarms[0].Users, w.users = 1000, 999 }, false},
		"enough users":       {func(w *world) { w.p.Alarms[0].Users, w.users = 1000, 1000 }, true},
		"a drill":            {func(w *world) { w.record.Drill = true }, false},
		"a drill that calls": {func(w *world) { w.record.Drill, w.p.Alarms[0].Drills = true, true }, true},
		"closed":             {func(w *world) { w.record.State = incident.Closed }, false},
		"withdrawn":          {func(w *world) { w.record.State = incident.Withdrawn }, false},
		"proposed": {func(w *world) {
			w.record.State, w.record.Lost, w.record.Proposed = incident.Proposed, nil, []string{"pangyo"}
			w.record.Entries[0].Act = incident.ActPropose
		}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := play(t)
			tt.change(w)
			w.until(time.Second)
			if got := len(w.log) > 0; got != tt.calls {
				t.Errorf("%s: %v", name, w.log)
			}
		})
	}
}

// The same input gives the same calls, and each has an ID of its own.
func TestDecideIsDeterministic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		w.p.Alarms = append(w.p.Alarms, w.p.Alarms[0])
		w.p.Alarms[1].Name, w.p.Alarms[1].Levels = "more", w.p.Alarms[0].Levels[1:]
		w.broken["mail"] = true
		w.until(45 * time.Minute)
		first := w.decide()
		for range 20 {
			if d := cmp.Diff(first, w.decide()); d != "" {
				t.Fatal(d)
			}
		}
		seen := map[string]bool{}
		for _, c := range w.record.Calls {
			if seen[c.ID] {
				t.Errorf("two calls are %s", c.ID)
			}
			seen[c.ID] = true
		}
	})
}

func TestTokens(t *testing.T) {
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	s := NewSigner([]byte("a key of the cluster"))
	token := s.Token("inc-1", "loss_1_0_kim_sms", now.Add(LinkTime))
	id, call, err := s.Read(token, now)
	if id != "inc-1" || call != "loss_1_0_kim_sms" || err != nil {
		t.Fatalf("%q, %q, %v", id, call, err)
	}
	if _, _, err := s.Read(token, now.Add(LinkTime+time.Second)); !errors.Is(err, ErrExpired) {
		t.Errorf("after its time: %v", err)
	}
	if _, _, err := NewSigner([]byte("another")).Read(token, now); !errors.Is(err, ErrLink) {
		t.Errorf("with another key: %v", err)
	}
	for i := range token {
		for _, c := range "AZaz09-_" {
			if bad := token[:i] + string(c) + token[i+1:]; bad != token {
				if _, _, err := s.Read(bad, now); err == nil {
					t.Fatalf("%s was taken for %s", bad, token)
				}
			}
		}
	}
	for _, bad := range []string{"", "a", "AAAA", token[:len(token)-1], token + "A", strings.Repeat("A", 5000), "../../etc/passwd"} {
		if _, _, err := s.Read(bad, now); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
	if other := s.Token("inc-2", "loss_1_0_kim_sms", now.Add(LinkTime)); other == token {
		t.Error("the same token for another incident")
	}
}

func TestAnswers(t *testing.T) {
	s := kv.NewMemory()
	inc, err := incident.Declare(t.Context(), s, incident.Request{Domains: []string{"pangyo"}, By: "kim", Why: "fire"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	c := incident.Call{ID: "loss_1_0_kim_sms", Person: "kim", Channel: "sms", Alarm: "loss", Number: 1, Outcome: Begun, At: now}
	if _, err := incident.LogCall(t.Context(), s, inc.ID, c, incident.ByPolicy); err != nil {
		t.Fatal(err)
	}
	if _, err := Answer(t.Context(), s, inc.ID, "loss_1_0_lee_sms", now); !errors.Is(err, ErrNoCall) {
		t.Errorf("a call that was never made: %v", err)
	}
	got, err := Answer(t.Context(), s, inc.ID, c.ID, now.Add(time.Minute))
	if err != nil || !got.Answered.Equal(now.Add(time.Minute)) {
		t.Fatalf("%+v, %v", got, err)
	}
	// The answer was quicker than the note that the call went out.
	c.Outcome = Sent
	if _, err := incident.LogCall(t.Context(), s, inc.ID, c, incident.ByPolicy); err != nil {
		t.Fatal(err)
	}
	again, err := Answer(t.Context(), s, inc.ID, c.ID, now.Add(time.Hour))
	if err != nil || !again.Answered.Equal(now.Add(time.Minute)) || again.Outcome != Acknowledged {
		t.Errorf("the second answer: %+v, %v", again, err)
	}
	if _, err := Acknowledge(t.Context(), s, inc.ID, "lee", now); !errors.Is(err, ErrNoCall) {
		t.Errorf("nothing waits for an answer, but: %v", err)
	}
	c.ID, c.Alarm, c.Outcome = "night_1_0_kim_sms", "night", Sent
	if _, err := incident.LogCall(t.Context(), s, inc.ID, c, incident.ByPolicy); err != nil {
		t.Fatal(err)
	}
	if n, err := Acknowledge(t.Context(), s, inc.ID, "lee", now); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	r, err := incident.LoadRecord(t.Context(), s, inc.ID)
	if err != nil {
		t.Fatal(err)
	}
	last := r.Calls[len(r.Calls)-1]
	if last.Answered.IsZero() || !strings.Contains(last.Detail, "lee") {
		t.Errorf("the record says %+v", last)
	}
}
