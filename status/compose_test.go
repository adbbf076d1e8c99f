package status_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/recovery"
	"bongsu/status"
)

func market(t testing.TB) *estate.Snapshot {
	t.Helper()
	snap, err := estate.Parse([]estate.File{{Name: "e.yaml", Data: []byte(`
{kind: Domain, name: north, type: site}
---
{kind: Component, name: c, replicas: [{in: north}]}
---
{kind: Service, name: shop, title: 쇼핑, users: 1000, paid: true, needs: [c], parts: [{name: photos, share: 0.2, needs: [c]}]}
---
{kind: Service, name: mail, title: 메일, users: 5000, needs: [c]}
---
{kind: Service, name: payroll, title: 급여, users: 9, needs: [c]}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func record() incident.Record {
	lost := noon.Add(-2 * time.Hour)
	down := func(service, part string, from, to time.Time) incident.Interval {
		return incident.Interval{Service: service, Part: part, Condition: incident.Down, From: from, To: to, Source: incident.FromImpact}
	}
	return incident.Record{
		Incident: incident.Incident{ID: "20261123-fire", State: incident.Declared, Lost: []string{"north"}, LostAt: lost, DeclaredAt: lost.Add(time.Minute), Run: "run1"},
		Intervals: []incident.Interval{
			down("mail", "", lost, lost.Add(time.Hour)), down("payroll", "", lost, time.Time{}),
			down("shop", "", lost, time.Time{}), down("shop", "photos", lost, time.Time{}),
		},
		Bases: []incident.Base{{Of: 4, At: lost}, {Of: 3, Was: 4, At: noon}},
		Updates: []incident.Update{
			{ID: 3, Phase: "investigating", Body: map[string]string{"ko": "보고 있습니다", "en": "we see it"}, SentAt: lost.Add(5 * time.Minute), NextAt: noon},
			{ID: 5, Phase: "identified", Body: map[string]string{"ko": "초안"}, DraftedBy: "kim"},
			{ID: 6, Phase: "identified", Body: map[string]string{"ko": "버림"}, Dropped: "wrong"},
			{ID: 7, Phase: "identified", Body: map[string]string{"ko": "메일이 돌아왔습니다", "en": "mail is back"}, SentAt: lost.Add(90 * time.Minute), NextAt: noon.Add(30 * time.Minute)},
		},
	}
}

func view() recovery.RunView {
	up := 3 * time.Hour
	begun := time.Hour
	step := func(id string, s recovery.StepState, finish time.Duration) recovery.StepView {
		v := recovery.StepView{Step: recovery.Step{ID: id}, State: s, Expected: recovery.Interval{Finish: finish}}
		if s != recovery.StepPending {
			v.Begun = &begun
		}
		return v
	}
	return recovery.RunView{
		Run: recovery.Run{ID: "run1", State: recovery.RunRunning},
		Steps: []recovery.StepView{
			step("a", recovery.StepDone, time.Hour), step("b", recovery.StepBegun, 150*time.Minute),
			step("c", recovery.StepPending, 3*time.Hour), step("d", recovery.StepPending, 4*time.Hour),
		},
		Services: []recovery.ServiceView{
			{Service: recovery.Service{Name: "shop", UpAt: &up, Needs: []string{"a", "b", "c"}, Parts: []recovery.ServicePart{{Name: "photos", Needs: []string{"a", "b", "c", "d"}}}}},
		},
	}
}

func input(t testing.TB) status.Input {
	t.Helper()
	return status.Input{
		Page:     status.Page{Company: "회사", URL: "https://status.example", TimeZone: "Asia/Seoul", Hide: []string{"payroll"}, Names: map[string]status.Text{"shop": {"en": "Shop"}}, GoodFor: time.Minute},
		Snapshot: market(t), Records: []incident.Record{record()}, Runs: []recovery.RunView{view()}, Rev: 42, Now: noon,
	}
}

func told(t testing.TB, in status.Input) *status.State {
	t.Helper()
	docs, err := status.Compose(in)
	if err != nil {
		t.Fatal(err)
	}
	return status.StockOf(docs...).State(noon)
}

func TestComposeTellsHowFarItIs(t *testing.T) {
	st := told(t, input(t))
	if !st.AsOf.Equal(noon) || st.GoodFor != time.Minute {
		t.Errorf("as of %s for %s", st.AsOf, st.GoodFor)
	}
	lost := noon.Add(-2 * time.Hour)
	want := status.Incident{
		ID: "20261123-fire", Title: status.Text{"ko": "메일 외 1개 서비스 장애", "en": "Problem with 메일 and 1 other service"},
		Phase: status.Identified, Impact: "critical", StartedAt: lost, UpdatedAt: lost.Add(90 * time.Minute), NextAt: noon.Add(30 * time.Minute),
		Progress: &status.Progress{Back: 1, Of: 3, Was: 4},
		Board: []status.Line{
			{Service: "shop", Level: status.Restoring, Since: lost, Percent: 33, Expected: lost.Add(3 * time.Hour), NextAt: noon.Add(30 * time.Minute)},
			{Service: "shop", Part: "photos", Level: status.Restoring, Since: lost, Percent: 25, NextAt: noon.Add(30 * time.Minute)},
			{Service: "mail", Level: status.Operational, Since: lost.Add(time.Hour), Percent: 100},
		},
		Faults: []incident.Fault{{Domain: "north"}},
		Intervals: []status.Interval{
			{Service: "mail", Level: status.Down, From: lost, To: lost.Add(time.Hour)},
			{Service: "shop", Level: status.Down, From: lost},
			{Service: "shop", Part: "photos", Level: status.Down, From: lost},
		},
		Updates: []status.Update{
			{
				ID: "20261123-fire-7", At: lost.Add(90 * time.Minute), Phase: status.Identified, Body: status.Text{"ko": "메일이 돌아왔습니다", "en": "mail is back"},
				Affected: map[string]status.Change{"mail": {Old: status.Down, New: status.Operational}},
			},
			{
				ID: "20261123-fire-3", At: lost.Add(5 * time.Minute), Phase: status.Investigating, Body: status.Text{"ko": "보고 있습니다", "en": "we see it"},
				Affected: map[string]status.Change{"mail": {Old: status.Operational, New: status.Down}, "shop": {Old: status.Operational, New: status.Down}},
			},
		},
	}
	if diff := cmp.Diff([]status.Incident{want}, st.Incidents); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var names []string
	for _, s := range st.Catalog.Services {
		names = append(names, s.Title.In("en")+"/"+s.Title.In("ko"))
	}
	if diff := cmp.Diff([]string{"메일/메일", "Shop/쇼핑"}, names); diff != "" {
		t.Errorf("services, most users first, none hidden (-want +got):\n%s", diff)
	}
}

// Neither drafts, nor drills, nor hidden services, nor proposals ever leave.
// Those who claim back at the public side know what failed, and who operates it.
func TestComposeTellsWhatFailed(t *testing.T) {
	in := input(t)
	in.Records[0].Lost = []string{"hall", "north"}
	in.Records[0].Faults = []incident.Fault{{Domain: "gone", Operator: "x"}, {Domain: "north", Operator: "운영사"}}
	want := []incident.Fault{{Domain: "hall"}, {Domain: "north", Operator: "운영사"}}
	if got := told(t, in).Incidents[0].Faults; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestComposeKeepsToItselfWhatIsNotPublic(t *testing.T) {
	in := input(t)
	docs, err := status.Compose(in)
	if err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(docs)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, d := range docs {
		text.Write(d.Body)
	}
	for _, secret := range []string{"초안", "버림", "payroll", "급여", "kim"} {
		if strings.Contains(text.String(), secret) || strings.Contains(string(all), secret) {
			t.Errorf("the public is told of %q", secret)
		}
	}
	for name, change := range map[string]func(*incident.Record){
		"a drill":              func(r *incident.Record) { r.Drill = true },
		"a drill without word": func(r *incident.Record) { r.Drill, r.Updates = true, nil },
		"a proposal":           func(r *incident.Record) { r.State, r.DeclaredAt, r.Updates = incident.Proposed, time.Time{}, nil },
		"a silent withdrawal":  func(r *incident.Record) { r.State, r.EndedAt, r.Updates = incident.Withdrawn, noon, nil },
		"only what is hidden":  func(r *incident.Record) { r.Intervals, r.Updates = r.Intervals[1:2], nil },
		"long over": func(r *incident.Record) {
			r.State, r.EndedAt = incident.Closed, noon.AddDate(0, 0, -91)
		},
	} {
		in := input(t)
		change(&in.Records[0])
		if got := told(t, in).Incidents; len(got) != 0 {
			t.Errorf("%s: the public is told %+v", name, got)
		}
	}
	in.Records[0].State, in.Records[0].DeclaredAt = incident.Proposed, time.Time{}
	if got := told(t, in).Incidents; len(got) != 1 {
		t.Error("a proposal about which a word was said is public, and is not told")
	}
	in.Records[0].State, in.Records[0].EndedAt = incident.Withdrawn, noon
	if got := told(t, in).Incidents; len(got) != 1 || got[0].Phase != status.Resolved || !got[0].NextAt.IsZero() {
		t.Errorf("withdrawn after a word was said: %+v", got)
	}
}

// What is expected is a promise only while the run works on it and it is not too late.
func TestComposePromisesNothingThatIsNotSo(t *testing.T) {
	for name, change := range map[string]func(*status.Input){
		"paused":        func(in *status.Input) { in.Runs[0].State = recovery.RunPaused },
		"overdue":       func(in *status.Input) { in.Now = noon.Add(5 * time.Hour) },
		"a step failed": func(in *status.Input) { in.Runs[0].Steps[1].State = recovery.StepFailed },
		"no run":        func(in *status.Input) { in.Runs = nil },
	} {
		in := input(t)
		change(&in)
		if l := told(t, in).Incidents[0].Board[0]; !l.Expected.IsZero() {
			t.Errorf("%s: shop is promised for %s", name, l.Expected)
		}
	}
}

func TestComposeGivesTheSameBytes(t *testing.T) {
	a, err := status.Compose(input(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		b, err := status.Compose(input(t))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestTheFirstWordNamesWhatIsKnown(t *testing.T) {
	in := input(t)
	r := record()
	u := status.FirstWord(in.Page, in.Snapshot, &r, noon)
	want := map[string]string{
		"ko": "11월 23일 19:00(KST)부터 쇼핑에서 문제가 확인되어 원인을 파악하고 있습니다. 이용에 불편을 드려 죄송합니다.\n\n다음 안내는 21:30까지 드리겠습니다.",
		"en": "Since 23 November 19:00 KST we see a problem with Shop. We are looking into it and are sorry for the trouble.\n\nWe will speak next by 21:30.",
	}
	if diff := cmp.Diff(want, u.Body); diff != "" || u.Phase != "investigating" || !u.NextAt.Equal(noon.Add(30*time.Minute)) {
		t.Errorf("%+v (-want +got):\n%s", u, diff)
	}
	r.Intervals = nil
	if u := status.FirstWord(in.Page, in.Snapshot, &r, noon); !strings.Contains(u.Body["ko"], "일부 서비스") || !strings.Contains(u.Body["en"], "some services") {
		t.Errorf("with nothing known: %v", u.Body)
	}
	names := []status.Text{{"ko": "가*나"}, {"ko": "나"}, {"ko": "다"}, {"ko": "라"}}
	if got := status.Headline(names); got["ko"] != "가*나 외 3개 서비스 장애" || got["en"] != "Problem with 가*나 and 3 other services" {
		t.Error(got)
	}
}

func conditionOf(st *status.State, service string) status.Level {
	return st.Conditions(noon).Of(service, "").Level
}

// An update that calls it resolved does not bring back what the record says is down.
func TestComposeDoesNotCallResolvedWhatIsDown(t *testing.T) {
	for _, phase := range []string{"resolved", "postmortem"} {
		in := input(t)
		in.Records[0].Updates[3].Phase = phase
		st := told(t, in)
		if got := st.Incidents[0].Phase; got != status.Monitoring {
			t.Errorf("%s is told as %s", phase, got)
		}
		if got := conditionOf(st, "shop"); got == status.Operational {
			t.Errorf("after %q shop is %s", phase, got)
		}
		// A document of another program of ours that still says so is not believed either.
		st.Incidents[0].Phase = status.Phase(phase)
		if got := conditionOf(st, "shop"); got == status.Operational {
			t.Errorf("with the phase %q shop is %s", phase, got)
		}
	}
}

// Closing an incident brings nothing back: what was down stays down, until its record or
// a later incident has it back.
func TestComposeKeepsDownWhatWasLeftDown(t *testing.T) {
	in := input(t)
	in.Records[0].State, in.Records[0].EndedAt = incident.Closed, noon.Add(-time.Minute)
	st := told(t, in)
	i := st.Incidents[0]
	if conditionOf(st, "shop") != status.Down || conditionOf(st, "mail") != status.Operational || i.Board[0].Level != status.Down || i.EndedAt.IsZero() {
		t.Errorf("closed with shop down: shop %s, mail %s, %+v", conditionOf(st, "shop"), conditionOf(st, "mail"), i)
	}
	if p := i.Progress; p.Back == p.Of {
		t.Errorf("all are back: %+v", p)
	}
	later := record()
	later.ID, later.DeclaredAt, later.LostAt, later.Updates = "20261123-again", noon.Add(-50*time.Second), noon.Add(-50*time.Second), nil
	later.Intervals = []incident.Interval{
		{Service: "shop", Condition: incident.Down, From: later.LostAt, To: noon.Add(-10 * time.Second), Source: incident.FromImpact},
		{Service: "shop", Part: "photos", Condition: incident.Down, From: later.LostAt, To: noon.Add(-10 * time.Second), Source: incident.FromImpact},
	}
	in.Records = append(in.Records, later)
	if st := told(t, in); conditionOf(st, "shop") != status.Operational {
		t.Errorf("a later incident has shop back, and it is told as %s", conditionOf(st, "shop"))
	}
	if !in.Records[0].Intervals[2].To.IsZero() {
		t.Error("the record that was composed from was changed")
	}
}

// Beside a public word of a problem, nobody says that all is well.
func TestComposeKnowsNothingOfWhatASpokenOfLossTakes(t *testing.T) {
	for name, c := range map[string]struct {
		suspects   []string
		shop, mail status.Level
	}{
		"a loss of shop":              {[]string{"shop", "payroll"}, status.Unknown, status.Operational},
		"a loss of nobody knows what": {nil, status.Unknown, status.Unknown},
	} {
		in := input(t)
		r := &in.Records[0]
		r.State, r.DeclaredAt, r.Intervals, r.Bases, r.Run = incident.Proposed, time.Time{}, nil, nil, ""
		in.Suspects = map[string][]string{r.ID: c.suspects}
		st := told(t, in)
		if conditionOf(st, "shop") != c.shop || conditionOf(st, "mail") != c.mail || st.Overall(st.Conditions(noon)) != status.Unknown {
			t.Errorf("%s: shop %s, mail %s, overall %s", name, conditionOf(st, "shop"), conditionOf(st, "mail"), st.Overall(st.Conditions(noon)))
		}
		if i := st.Incidents[0]; len(i.Intervals) != 0 || i.Impact != "minor" {
			t.Errorf("%s: an outage that nobody has confirmed is counted: %+v", name, i)
		}
		r.Updates = nil
		if st := told(t, in); len(st.Incidents) != 0 || st.Overall(st.Conditions(noon)) != status.Operational {
			t.Errorf("%s: it was not spoken of, and is told", name)
		}
	}
}

// What nothing works on any more is not being restored.
func TestComposeRestoresOnlyWhileTheRunGoesOn(t *testing.T) {
	for name, change := range map[string]func(*recovery.RunView){
		"the run failed":  func(v *recovery.RunView) { v.State = recovery.RunFailed },
		"the run is done": func(v *recovery.RunView) { v.State = recovery.RunDone },
		"aborted":         func(v *recovery.RunView) { v.State = recovery.RunAborted },
		"every step is over": func(v *recovery.RunView) {
			for n := range v.Steps {
				v.Steps[n].State = recovery.StepFailed
			}
		},
	} {
		in := input(t)
		change(&in.Runs[0])
		if got := told(t, in).Incidents[0].Board[0].Level; got != status.Down {
			t.Errorf("%s: shop is %s", name, got)
		}
	}
}

// A pulse from the future keeps nothing fresh for longer than it may be.
func TestAFuturePulseIsNotBelieved(t *testing.T) {
	in := input(t)
	in.Now = noon.Add(24 * time.Hour)
	docs, err := status.Compose(in)
	if err != nil {
		t.Fatal(err)
	}
	st := status.Merge(docs, noon)
	if st.AsOf.After(noon) || !st.Stale(noon.Add(2*time.Minute)) {
		t.Errorf("told at noon it is as of %s, good until %s", st.AsOf, st.Until())
	}
	pulse := docs[len(docs)-1]
	if err := pulse.CheckClock(noon); !errors.Is(err, status.ErrClock) {
		t.Errorf("a pulse of tomorrow: %v", err)
	}
	if err := pulse.CheckClock(in.Now.Add(-time.Minute)); err != nil {
		t.Errorf("a pulse of a minute ahead: %v", err)
	}
}
