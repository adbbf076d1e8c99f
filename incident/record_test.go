package incident_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/kv"
)

// clock reads 15 October 2022 in Korea, so that stories can be told in the times of that day.
func clock(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04 -0700", "2022-10-15 "+text+" +0900")
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// story makes an incident of entries without a store.
func story(entries ...incident.Entry) incident.Record {
	all := make([]kv.Entry, 0, len(entries))
	for n, e := range entries {
		all = append(all, stored(n, e))
	}
	found, err := incident.Fold(all)
	if err != nil {
		panic(err)
	}
	return incident.RecordOf(found[0])
}

func declared() incident.Entry {
	return incident.Entry{At: clock("15:29"), By: "kim", Act: incident.ActDeclare, Domains: []string{"pangyo"}, LostAt: clock("15:27"), Why: "battery fire"}
}

func change(at, by, why string, c ...incident.Change) incident.Entry {
	return incident.Entry{At: clock(at), By: by, Act: incident.ActChange, Changes: c, Why: why}
}

func is(name string, c incident.Condition, at, source string) incident.Change {
	service, part, _ := strings.Cut(name, "/")
	return incident.Change{Service: service, Part: part, Condition: c, At: clock(at), Source: source}
}

func until(c incident.Change, at string) incident.Change {
	c.Until = clock(at)
	return c
}

// intervals writes intervals as lines.
func intervals(r incident.Record) []string {
	out := []string{}
	for _, v := range r.Intervals {
		name, to := v.Service, "now"
		if v.Part != "" {
			name += "/" + v.Part
		}
		zone := time.FixedZone("KST", 9*3600)
		if !v.To.IsZero() {
			to = v.To.In(zone).Format("15:04")
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s-%s %s %s", name, v.Condition, v.From.In(zone).Format("15:04"), to, v.Source, v.Ended)))
	}
	return out
}

func TestIntervals(t *testing.T) {
	down := change("15:30", incident.ByPolicy, "", is("talk", incident.Down, "15:27", incident.FromImpact))
	back := change("17:01", incident.ByPolicy, "", is("talk", incident.Up, "17:00", incident.FromRun))
	for name, c := range map[string]struct {
		then []incident.Entry
		want []string
	}{
		"it lasts": {[]incident.Entry{down}, []string{"talk down 15:27-now impact"}},
		"the run has brought it back": {
			[]incident.Entry{down, back},
			[]string{"talk down 15:27-17:00 impact run"},
		},
		"a person knows that it began earlier": {
			[]incident.Entry{down, back, change("17:30", "kim", "logs", until(is("talk", incident.Down, "15:20", incident.FromPerson), "15:27"))},
			[]string{"talk down 15:20-15:27 person impact", "talk down 15:27-17:00 impact run"},
		},
		"a person knows that it was never down": {
			[]incident.Entry{down, change("16:00", "kim", "it answers", is("talk", incident.Up, "15:27", incident.FromPerson))},
			[]string{},
		},
		"what a run computes later does not overrule a person": {
			[]incident.Entry{
				down,
				change("16:30", "kim", "I used it", is("talk", incident.Up, "16:00", incident.FromPerson)),
				change("17:01", incident.ByPolicy, "", is("talk", incident.Up, "17:00", incident.FromRun)),
			},
			[]string{"talk down 15:27-16:00 impact person"},
		},
		"a loss after a correction counts": {
			[]incident.Entry{
				down,
				change("16:30", "kim", "I used it", is("talk", incident.Up, "16:00", incident.FromPerson)),
				change("18:00", incident.ByPolicy, "", is("talk", incident.Down, "17:58", incident.FromImpact)),
			},
			[]string{"talk down 15:27-16:00 impact person", "talk down 17:58-now impact"},
		},
		"a machine's late word goes around what a person said": {
			[]incident.Entry{
				down,
				change("16:30", "kim", "I used it", until(is("talk", incident.Up, "16:00", incident.FromPerson), "16:10")),
				change("16:31", incident.ByPolicy, "", is("talk", incident.Degraded, "15:50", incident.FromProbe)),
			},
			[]string{"talk down 15:27-15:50 impact probe", "talk degraded 15:50-16:00 probe person", "talk degraded 16:10-now probe"},
		},
		"one person corrects another": {
			[]incident.Entry{
				down,
				change("16:30", "kim", "I used it", is("talk", incident.Up, "16:00", incident.FromPerson)),
				change("16:40", "lee", "only in Busan", is("talk", incident.Down, "16:00", incident.FromPerson)),
				back,
			},
			[]string{"talk down 15:27-16:00 impact person", "talk down 16:00-17:00 person run"},
		},
		"a part comes back after its service": {
			[]incident.Entry{
				change("15:30", incident.ByPolicy, "", is("talk", incident.Down, "15:27", incident.FromImpact), is("talk/photos", incident.Down, "15:27", incident.FromImpact)),
				back,
				change("21:31", incident.ByPolicy, "", is("talk/photos", incident.Up, "21:30", incident.FromRun)),
			},
			[]string{"talk down 15:27-17:00 impact run", "talk/photos down 15:27-21:30 impact run"},
		},
		"closed: what is down stays so": {
			[]incident.Entry{down, {At: clock("20:00"), By: "kim", Act: incident.ActClose, Why: "over"}},
			[]string{"talk down 15:27-now impact"},
		},
		"it is back after the end": {
			[]incident.Entry{
				down,
				{At: clock("20:00"), By: "kim", Act: incident.ActClose, Why: "over"},
				change("21:00", "kim", "it came back later", is("talk", incident.Up, "20:40", incident.FromPerson)),
			},
			[]string{"talk down 15:27-20:40 impact person"},
		},
		"a correction after the end": {
			[]incident.Entry{
				down,
				{At: clock("20:00"), By: "kim", Act: incident.ActClose, Why: "over"},
				change("21:00", "kim", "mails came late", until(is("mail", incident.Down, "16:00", incident.FromPerson), "20:30")),
			},
			[]string{"mail down 16:00-20:30 person person", "talk down 15:27-now impact"},
		},
		"withdrawn: what was computed did not happen, what was seen did": {
			[]incident.Entry{
				change("15:30", incident.ByPolicy, "", is("talk", incident.Down, "15:27", incident.FromImpact), is("mail", incident.Down, "15:28", incident.FromProbe)),
				{At: clock("15:40"), By: "kim", Act: incident.ActWithdraw, Domains: []string{"pangyo"}, Why: "a cable"},
			},
			[]string{"mail down 15:28-15:40 probe withdraw"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := story(append([]incident.Entry{declared()}, c.then...)...)
			if diff := cmp.Diff(c.want, intervals(r)); diff != "" {
				t.Errorf("intervals (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryPrefixIsConsistent folds random histories up to every entry.
func TestEveryPrefixIsConsistent(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		entries := []incident.Entry{declared()}
		at := clock("15:30")
		for range 25 {
			at = at.Add(time.Duration(rng.IntN(20)) * time.Minute)
			entries = append(entries, anyEntry(rng, at, len(entries)))
		}
		var before incident.Record
		for n := 1; n <= len(entries); n++ {
			r := story(entries[:n]...)
			sound(t, seed, n, r)
			if n > 1 && entries[n-1].Act != incident.ActChange && r.Open() {
				if diff := cmp.Diff(before.Intervals, r.Intervals); diff != "" {
					t.Fatalf("seed %d: entry %d (%s) changed the intervals:\n%s", seed, n, entries[n-1].Act, diff)
				}
			}
			before = r
		}
	}
}

func anyEntry(rng *rand.Rand, at time.Time, have int) incident.Entry {
	who := []string{incident.ByPolicy, "kim", "lee"}[rng.IntN(3)]
	e := incident.Entry{At: at, By: who}
	switch rng.IntN(9) {
	case 0:
		e.Act, e.Role, e.Person, e.Why = incident.ActAssign, []string{"commander", "scribe"}[rng.IntN(2)], []string{"", "kim", "lee"}[rng.IntN(3)], "handover"
	case 1:
		e.Act, e.Update = incident.ActDraft, &incident.Update{Phase: "identified", Body: map[string]string{"en": "x"}}
	case 2:
		e.Act, e.Number = []incident.Act{incident.ActPublish, incident.ActDrop}[rng.IntN(2)], 1+rng.IntN(have)
	case 3:
		e.Act, e.Of = incident.ActRebase, rng.IntN(900)
	case 4:
		e.Act, e.Call = incident.ActCall, &incident.Call{ID: fmt.Sprint(rng.IntN(3)), Outcome: "sent"}
	default:
		e.Act = incident.ActChange
		for range 1 + rng.IntN(3) {
			c := incident.Change{
				Service: []string{"talk", "mail"}[rng.IntN(2)], Part: []string{"", "photos"}[rng.IntN(2)],
				Condition: []incident.Condition{incident.Down, incident.Degraded, incident.Up}[rng.IntN(3)],
				At:        at.Add(-time.Duration(rng.IntN(60)) * time.Minute), Source: incident.FromRun,
			}
			if who != incident.ByPolicy {
				c.Source, e.Why = incident.FromPerson, "seen"
				if rng.IntN(2) == 0 {
					c.Until = c.At.Add(time.Duration(1+rng.IntN(60)) * time.Minute)
				}
			}
			e.Changes = append(e.Changes, c)
		}
	}
	return e
}

// sound checks what holds of every record.
func sound(t *testing.T, seed uint64, n int, r incident.Record) {
	t.Helper()
	for i, v := range r.Intervals {
		if v.Condition == incident.Up || !v.To.IsZero() && !v.To.After(v.From) {
			t.Fatalf("seed %d, %d entries: interval %+v", seed, n, v)
		}
		if i == 0 {
			continue
		}
		p := r.Intervals[i-1]
		if p.Service == v.Service && p.Part == v.Part && (p.To.IsZero() || p.To.After(v.From)) {
			t.Fatalf("seed %d, %d entries: %+v overlaps %+v", seed, n, p, v)
		}
	}
	holders := map[string]int{}
	for _, a := range r.Roles {
		if a.To.IsZero() {
			holders[a.Role]++
		}
	}
	for role, have := range holders {
		if have > 1 {
			t.Fatalf("seed %d, %d entries: %d people are %s", seed, n, have, role)
		}
	}
	for _, u := range r.Updates {
		if !u.SentAt.IsZero() && u.Dropped != "" {
			t.Fatalf("seed %d, %d entries: update %d went out and was dropped", seed, n, u.ID)
		}
	}
}

func TestUserMinutes(t *testing.T) {
	services := []estate.Service{
		{Doc: estate.Doc{Name: "talk"}, Users: 1000, Weight: 3, Parts: []estate.Part{{Name: "photos", Share: 0.2}, {Name: "calls", Share: 0.1}}},
		{Doc: estate.Doc{Name: "mail"}, Users: 500, Weight: 1},
		{Doc: estate.Doc{Name: "map"}, Users: 9, Weight: 1},
	}
	r := story(
		declared(),
		change("15:30", incident.ByPolicy, "",
			is("talk", incident.Down, "15:27", incident.FromImpact), is("talk/photos", incident.Down, "15:27", incident.FromImpact), is("talk/calls", incident.Down, "15:27", incident.FromImpact),
			is("mail", incident.Degraded, "15:27", incident.FromImpact)),
		change("16:00", incident.ByPolicy, "", is("talk", incident.Up, "15:57", incident.FromRun), is("talk/calls", incident.Up, "16:27", incident.FromRun)),
	)
	near := cmpopts.EquateApprox(0, 1e-6)
	// 30 minutes whole, 30 minutes of photos and calls (0.3), then photos (0.2).
	want := []incident.ServiceMinutes{{Service: "talk", Users: 1000, Minutes: 1000 * (30 + 30*0.3 + 30*0.2), Weighted: 3000 * (30 + 30*0.3 + 30*0.2), Share: 0.2}}
	if diff := cmp.Diff(want, r.UserMinutes(services, clock("16:57")), near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// It is live: ten more minutes cost ten more minutes of photos.
	a, _ := incident.Total(r.UserMinutes(services, clock("16:57")))
	b, _ := incident.Total(r.UserMinutes(services, clock("17:07")))
	if math.Abs(b-a-2000) > 1e-6 {
		t.Errorf("ten minutes cost %v, want 2000", b-a)
	}
	// A correction counts: photos were back at 16:00.
	fixed := story(append(slices.Clone(r.Entries), change("17:10", "kim", "seen", is("talk/photos", incident.Up, "16:00", incident.FromPerson)))...)
	if got, _ := incident.Total(fixed.UserMinutes(services, clock("17:07"))); math.Abs(got-1000*(30+3*0.3+27*0.1)) > 1e-6 {
		t.Errorf("after the correction %v", got)
	}
	if got := r.UserMinutes(services, clock("15:00")); len(got) != 0 {
		t.Errorf("before it began: %+v", got)
	}
}

func TestRolesUpdatesAndTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), kv.NewMemory()
		i := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim", Why: "fire"}))
		wait := func() { <-time.NewTimer(time.Minute).C }
		record := func() incident.Record {
			t.Helper()
			r, err := incident.LoadRecord(ctx, s, i.ID)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		must(t)(incident.Assign(ctx, s, i.ID, "commander", "kim", "", "kim"))
		wait()
		must(t)(incident.Assign(ctx, s, i.ID, "commander", "lee", "shops are next", "kim"))
		must(t)(incident.Assign(ctx, s, i.ID, "commander", "lee", "again", "kim"))
		r := record()
		if len(r.Roles) != 2 || r.Holder("commander") != "lee" || !r.Roles[0].To.Equal(r.Roles[1].From) || r.Roles[1].Note != "shops are next" {
			t.Errorf("handover: %+v", r.Roles)
		}

		u, err := incident.Draft(ctx, s, i.ID, incident.Update{Phase: "identified", Body: map[string]string{"ko": "확인 중입니다.", "en": "We know."}}, "kim")
		if err != nil || u.ID != 4 || u.DraftedBy != "kim" {
			t.Fatalf("%+v, %v", u, err)
		}
		if err := incident.Publish(ctx, s, i.ID, u.ID, "kim", ""); !errors.Is(err, incident.ErrApproval) {
			t.Errorf("who drafted publishes: %v", err)
		}
		if err := incident.Publish(ctx, s, i.ID, u.ID, incident.ByPolicy, ""); !errors.Is(err, incident.ErrApproval) {
			t.Errorf("policy publishes a person's draft: %v", err)
		}
		if err := incident.Publish(ctx, s, i.ID, u.ID, "lee", ""); err != nil {
			t.Error(err)
		}
		if err := incident.Publish(ctx, s, i.ID, u.ID, "lee", ""); err != nil {
			t.Errorf("once more by the same: %v", err)
		}
		if err := incident.Publish(ctx, s, i.ID, u.ID, "park", ""); !errors.Is(err, incident.ErrState) {
			t.Errorf("twice: %v", err)
		}
		if err := incident.DropUpdate(ctx, s, i.ID, u.ID, "park", "no"); !errors.Is(err, incident.ErrState) {
			t.Errorf("drop of what is public: %v", err)
		}
		hurry, err := incident.Draft(ctx, s, i.ID, incident.Update{Phase: "monitoring", Body: map[string]string{"en": "Back."}}, "kim")
		if err != nil {
			t.Fatal(err)
		}
		if err := incident.Publish(ctx, s, i.ID, hurry.ID, "kim", "nobody else is awake"); err != nil {
			t.Error(err)
		}
		auto, err := incident.Draft(ctx, s, i.ID, incident.Update{Phase: "investigating", Body: map[string]string{"en": "We see a problem."}}, incident.ByPolicy)
		if err != nil {
			t.Fatal(err)
		}
		if err := incident.Publish(ctx, s, i.ID, auto.ID, incident.ByPolicy, ""); err != nil {
			t.Errorf("policy publishes its own draft: %v", err)
		}
		never, err := incident.Draft(ctx, s, i.ID, incident.Update{Phase: "resolved", Body: map[string]string{"en": "x"}}, "kim")
		if err != nil {
			t.Fatal(err)
		}
		if err := incident.DropUpdate(ctx, s, i.ID, never.ID, "lee", "too early"); err != nil {
			t.Error(err)
		}
		if err := incident.Publish(ctx, s, i.ID, never.ID, "lee", ""); !errors.Is(err, incident.ErrState) {
			t.Errorf("publish of what was dropped: %v", err)
		}
		must(t)(incident.Rebase(ctx, s, i.ID, 647, "lost: pangyo", incident.ByPolicy))
		must(t)(incident.Rebase(ctx, s, i.ID, 709, "the register is back", "kim"))
		must(t)(incident.Rebase(ctx, s, i.ID, 709, "again", "kim"))
		must(t)(incident.SetFault(ctx, s, i.ID, incident.Fault{Domain: "pangyo", Operator: "SK C&C"}, "kim", "battery"))
		must(t)(incident.LogCall(ctx, s, i.ID, incident.Call{ID: "c1", Person: "lee", Channel: "sms", Outcome: "sent"}, incident.ByPolicy))
		must(t)(incident.LogCall(ctx, s, i.ID, incident.Call{ID: "c1", Person: "lee", Channel: "sms", Outcome: "acknowledged", Answered: time.Now()}, incident.ByPolicy))
		must(t)(incident.AddNote(ctx, s, i.ID, incident.ActDecision, "kim", "promote in Anyang"))

		r = record()
		got := map[int]string{}
		for _, u := range r.Updates {
			got[u.ID] = strings.TrimSpace(u.SentBy + " " + u.Bypass + u.Dropped)
		}
		if diff := cmp.Diff(map[int]string{u.ID: "lee", hurry.ID: "kim nobody else is awake", auto.ID: "policy", never.ID: "too early"}, got); diff != "" {
			t.Errorf("updates (-want +got):\n%s", diff)
		}
		if len(r.Bases) != 2 || r.Bases[1].Was != 647 || r.Bases[1].Of != 709 {
			t.Errorf("bases: %+v", r.Bases)
		}
		if len(r.Calls) != 1 || r.Calls[0].Outcome != "acknowledged" || len(r.Notes) != 1 || len(r.Faults) != 1 {
			t.Errorf("calls %+v, notes %+v, faults %+v", r.Calls, r.Notes, r.Faults)
		}

		wait()
		must(t)(incident.Close(ctx, s, i.ID, "kim", "over"))
		must(t)(incident.MarkDone(ctx, s, i.ID, "kr-compensation-notice", "lee", "on the home page"))
		must(t)(incident.MarkDone(ctx, s, i.ID, "kr-compensation-notice", "park", "again"))
		r = record()
		if len(r.Done) != 1 || r.Done[0].By != "lee" || r.Roles[1].To.IsZero() || r.State != incident.Closed || r.By != "kim" {
			t.Errorf("after the end: %+v %+v %s", r.Done, r.Roles, r.By)
		}
		if _, err := incident.Assign(ctx, s, i.ID, "scribe", "kim", "", "kim"); !errors.Is(err, incident.ErrState) {
			t.Errorf("a role in what is over: %v", err)
		}
		if _, err := incident.Rebase(ctx, s, i.ID, 1, "", "kim"); !errors.Is(err, incident.ErrState) {
			t.Errorf("a base in what is over: %v", err)
		}
		open := incident.Change{Service: "talk", Condition: incident.Down, At: time.Now(), Source: incident.FromPerson}
		if _, err := incident.SetChanges(ctx, s, i.ID, []incident.Change{open}, "kim", "late"); !errors.Is(err, incident.ErrState) {
			t.Errorf("an open end in what is over: %v", err)
		}
		if r := record(); r.Open() {
			t.Error("an annotation opened it again")
		}
		if _, ok, err := incident.Reconcile(ctx, s, verdictOfNothing(), incident.Rule{}); ok || err != nil {
			t.Errorf("it stands open: %v", err)
		}
	})
}

// Nobody says that it is resolved while something is down, unless they say why.
func TestResolvedIsNotSaidOfWhatIsDown(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	i := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"a"}, By: "kim"}))
	at := time.Now().Add(-time.Hour)
	var changes []incident.Change
	for _, name := range []string{"talk", "mail"} {
		changes = append(changes, incident.Change{Service: name, Condition: incident.Down, At: at, Source: incident.FromProbe})
	}
	must(t)(incident.SetChanges(ctx, s, i.ID, changes, incident.ByPolicy, ""))
	draft := func() int {
		u, err := incident.Draft(ctx, s, i.ID, incident.Update{Phase: "resolved", Body: map[string]string{"ko": "끝"}}, "kim")
		if err != nil {
			t.Fatal(err)
		}
		return u.ID
	}
	first := draft()
	if err := incident.Publish(ctx, s, i.ID, first, "lee", ""); !errors.Is(err, incident.ErrState) || !strings.Contains(err.Error(), "mail, talk are still down") {
		t.Errorf("two services are down: %v", err)
	}
	if err := incident.Publish(ctx, s, i.ID, first, "lee", "the probes are broken"); err != nil {
		t.Error(err)
	}
	r, err := incident.LoadRecord(ctx, s, i.ID)
	if err != nil || r.Updates[0].Bypass != "the probes are broken" {
		t.Errorf("why it went out all the same is not kept: %+v %v", r.Updates, err)
	}
	must(t)(incident.SetChanges(ctx, s, i.ID, []incident.Change{
		{Service: "talk", Condition: incident.Up, At: time.Now(), Source: incident.FromProbe},
		{Service: "mail", Condition: incident.Up, At: time.Now(), Source: incident.FromProbe},
	}, incident.ByPolicy, ""))
	if err := incident.Publish(ctx, s, i.ID, draft(), "lee", ""); err != nil {
		t.Errorf("all is back: %v", err)
	}
}

func TestRecordRefusals(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	i := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"a"}, By: "kim"}))
	now := time.Now()
	for name, f := range map[string]func() error{
		"no role":    func() error { _, err := incident.Assign(ctx, s, i.ID, " ", "x", "", "kim"); return err },
		"no domain":  func() error { _, err := incident.SetFault(ctx, s, i.ID, incident.Fault{}, "kim", ""); return err },
		"no changes": func() error { _, err := incident.SetChanges(ctx, s, i.ID, nil, "kim", ""); return err },
		"no reason": func() error {
			_, err := incident.SetChanges(ctx, s, i.ID, []incident.Change{{Service: "x", Condition: incident.Up, At: now, Source: incident.FromPerson}}, "kim", " ")
			return err
		},
		"no such state": func() error {
			_, err := incident.SetChanges(ctx, s, i.ID, []incident.Change{{Service: "x", Condition: "so-so", At: now, Source: incident.FromRun}}, "kim", "")
			return err
		},
		"no such source": func() error {
			_, err := incident.SetChanges(ctx, s, i.ID, []incident.Change{{Service: "x", Condition: incident.Up, At: now, Source: "me"}}, "kim", "")
			return err
		},
		"no time": func() error {
			_, err := incident.SetChanges(ctx, s, i.ID, []incident.Change{{Service: "x", Condition: incident.Up, Source: incident.FromRun}}, "kim", "")
			return err
		},
		"ends before": func() error {
			_, err := incident.SetChanges(ctx, s, i.ID, []incident.Change{{Service: "x", Condition: incident.Up, At: now, Until: now, Source: incident.FromRun}}, "kim", "")
			return err
		},
		"no text": func() error {
			_, err := incident.Draft(ctx, s, i.ID, incident.Update{Phase: "resolved"}, "kim")
			return err
		},
		"no phase": func() error {
			_, err := incident.Draft(ctx, s, i.ID, incident.Update{Phase: "x", Body: map[string]string{"en": "x"}}, "kim")
			return err
		},
		"too long": func() error {
			_, err := incident.AddNote(ctx, s, i.ID, incident.ActNote, "kim", strings.Repeat("x", incident.MaxText+1))
			return err
		},
		"no such update":    func() error { return incident.Publish(ctx, s, i.ID, 77, "kim", "") },
		"no reason to drop": func() error { return incident.DropUpdate(ctx, s, i.ID, 1, "kim", "") },
		"a note of what":    func() error { _, err := incident.AddNote(ctx, s, i.ID, incident.ActClose, "kim", "x"); return err },
		"nobody":            func() error { _, err := incident.AddNote(ctx, s, i.ID, incident.ActNote, "", "x"); return err },
		"negative base":     func() error { _, err := incident.Rebase(ctx, s, i.ID, -1, "", "kim"); return err },
		"call without id":   func() error { _, err := incident.LogCall(ctx, s, i.ID, incident.Call{}, "kim"); return err },
		"done without how":  func() error { _, err := incident.MarkDone(ctx, s, i.ID, "x", "kim", ""); return err },
	} {
		if err := f(); !errors.Is(err, incident.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := incident.AddNote(ctx, s, "none", incident.ActNote, "kim", "x"); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("no incident: %v", err)
	}
	if r, err := incident.LoadRecord(ctx, s, i.ID); err != nil || len(r.Entries) != 1 {
		t.Errorf("what was refused is in the record: %+v, %v", r.Entries, err)
	}
}

// TestConcurrentAppends lets many write at once: nothing is lost, nothing is twice.
func TestConcurrentAppends(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	i := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"}))
	const writers, each = 8, 10
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range each {
				if _, err := incident.AddNote(ctx, s, i.ID, incident.ActNote, fmt.Sprint("w", w), fmt.Sprint(n)); err != nil {
					t.Error(err)
				}
				if _, err := incident.Rebase(ctx, s, i.ID, 700, "the same of everybody", fmt.Sprint("w", w)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r, err := incident.LoadRecord(ctx, s, i.ID)
	if err != nil || len(r.Notes) != writers*each || len(r.Bases) != 1 {
		t.Fatalf("%d notes, %d bases, %v", len(r.Notes), len(r.Bases), err)
	}
	next := map[string]int{}
	for _, e := range r.Notes {
		if e.Why != fmt.Sprint(next[e.By]) {
			t.Errorf("%s wrote %s, want %d: order was lost", e.By, e.Why, next[e.By])
		}
		next[e.By]++
	}
}
