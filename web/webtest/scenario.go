package webtest

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/detect"
	"bongsu/estate"
	"bongsu/incident"
	"bongsu/recovery"
	"bongsu/web"
)

//go:embed estate.yaml
var estateYAML string

// Scenarios returns the names of all states that a console can be looked at in.
func Scenarios() []string {
	return []string{
		"well", "empty", "suspect", "proposed", "approve", "running", "paused", "done",
		"overdue", "no-quorum", "full", "hostile", "large",
	}
}

// lostAt is when the site is lost in every scenario: 15 Oct 2022, 15:19 in Korea.
func lostAt() time.Time { return time.Date(2022, 10, 15, 6, 19, 0, 0, time.UTC) }

// facts returns what the node of a scenario knows.
func facts(scenario string) (web.Facts, []recovery.RunView, error) {
	yaml := estateYAML
	switch scenario {
	case "hostile":
		yaml = strings.NewReplacer(
			"title: 톡", `title: "<script>alert('톡')</script>"`,
			"title: 판교 데이터센터", `title: "\"><img src=x onerror=alert(1)>"`,
			"title: 메시지 전달", `title: "</title></svg><script>alert(2)</script>"`,
			"title: 메일 저장소", `title: "{{.}} javascript:alert(3)"`,
		).Replace(yaml)
	case "large":
		var b strings.Builder
		b.WriteString(yaml)
		for i := range 130 {
			fmt.Fprintf(&b, "---\n{kind: Service, name: extra-%03d, title: 추가 서비스 %d, users: %d, needs: [%s]}\n",
				i, i, 1000*(i+1), []string{"web-front", "pay-ledger", "talk-media"}[i%3])
		}
		for _, site := range []string{"anyang", "gasan", "pangyo"} {
			for h := range 3 {
				fmt.Fprintf(&b, "---\n{kind: Domain, name: %s-h%d, type: hall, needs: [%s]}\n", site, h+1, site)
			}
			fmt.Fprintf(&b, "---\nkind: Component\nname: farm-%s\nreplicas:\n", site)
			for r := range 120 {
				fmt.Fprintf(&b, "  - {in: %s-r%03d, count: 40}\n", site, r+1)
			}
			for r := range 120 {
				fmt.Fprintf(&b, "---\n{kind: Domain, name: %s-r%03d, type: rack, needs: [%s-h%d]}\n", site, r+1, site, r%3+1)
			}
		}
		yaml = b.String()
	}
	snap, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(yaml)}})
	if err != nil {
		return web.Facts{}, nil, err
	}
	f := web.Facts{
		At: lostAt().Add(-time.Hour), Site: "anyang", Leader: "pangyo", Term: 7,
		Quorum: web.Quorum{OK: true, Since: lostAt().Add(-40 * 24 * time.Hour)},
		Estate: snap, Revision: revisions()[0], Second: true, Policy: incident.DefaultPolicy(),
		Members: []web.Member{
			{Site: "anyang", ID: "9f2c", Voter: true, Healthy: true},
			{Site: "gasan", ID: "41ab", Voter: true, Healthy: true},
			{Site: "pangyo", ID: "07d3", Voter: true, Leader: true, Healthy: true},
			{Site: "sejong", ID: "c6e8", Healthy: true},
		},
		Verdict: verdict(detect.Seen, ""),
	}
	f.Revision.Domains, f.Revision.Components, f.Revision.Services = len(snap.Domains), len(snap.Components), len(snap.Services)
	lost := func(at time.Duration) {
		f.At, f.Leader, f.Term = lostAt().Add(at), "gasan", 8
		f.Members[1].Leader, f.Members[2].Leader, f.Members[2].Healthy = true, false, false
		f.Verdict = verdict(detect.Lost, "pangyo: no answer from 9 targets for 8.4 s, seen by nobody; asked from anyang, gasan, sejong")
	}
	var views []recovery.RunView
	switch scenario {
	case "well":
	case "empty":
		f.Estate, f.Revision, f.Members = nil, web.Revision{}, f.Members[:1]
		f.Leader, f.Members[0].Leader, f.Verdict = "anyang", true, detect.Verdict{}
	case "suspect":
		f.At = lostAt().Add(4 * time.Second)
		f.Verdict = verdict(detect.Suspect, "pangyo: no answer from 9 targets for 4.0 s, seen by nobody; asked from anyang, gasan, sejong; not judged lost before 8.0 s")
	case "proposed":
		lost(9 * time.Second)
		f.Incidents = []incident.Incident{theIncident(incident.Proposed)}
	default:
		at, state := 14*time.Minute+20*time.Second, recovery.RunRunning
		switch scenario {
		case "approve":
			at, state = 40*time.Second, recovery.RunWaiting
		case "paused":
			state = recovery.RunPaused
		case "done":
			at, state = 55*time.Minute, recovery.RunDone
		case "overdue":
			at = 3*time.Hour + 10*time.Minute
		}
		lost(at)
		inc := theIncident(incident.Declared)
		record(&inc, at)
		f.Incidents = []incident.Incident{inc}
		v := theRun(state, at, scenario == "large")
		if scenario == "hostile" {
			v.Steps[0].Step.Title, v.Steps[0].Detail = "</title></svg><script>alert(2)</script>", `<b onmouseover="alert(4)">`
			f.Incidents[0].Why = "<script>alert(5)</script>"
		}
		views = []recovery.RunView{v, oldDrill()}
		f.View = &views[0]
		f.Runs = []recovery.Run{views[0].Run, views[1].Run}
	}
	if scenario == "paused" {
		f.Asked = []web.Asked{
			{Verb: web.Skip, Run: "r-0012", Step: "map-tile/scale@sejong", Who: "operator", Why: "세종에 자리가 없음", At: lostAt().Add(14 * time.Minute)},
			{Verb: web.Abort, Run: "r-0012", Who: "approver", Why: "판교가 곧 돌아온다고 함", At: lostAt().Add(14*time.Minute + 5*time.Second)},
		}
	}
	switch scenario {
	case "no-quorum":
		f.Quorum = web.Quorum{Since: lostAt().Add(13*time.Minute + 2*time.Second)}
		f.Leader = ""
	case "full":
		f.Quorum.Full = true
	}
	return f, views, nil
}

func verdict(pangyo detect.State, why string) detect.Verdict {
	v := detect.Verdict{}
	others := []string{"anyang", "gasan", "sejong"}
	for _, name := range []string{"anyang", "gasan", "pangyo", "sejong"} {
		s := detect.Site{Site: name, State: detect.Seen, OwnNode: true, Sentence: ""}
		for _, o := range []string{"anyang", "gasan", "pangyo", "sejong"} {
			if o != name && (o != "pangyo" || pangyo == detect.Seen) {
				s.Observers, s.SeenBy = append(s.Observers, o), append(s.SeenBy, o)
			}
		}
		if name == "pangyo" && pangyo != detect.Seen {
			s = detect.Site{Site: name, State: pangyo, Observers: others, NotSeenBy: others, Sentence: why}
		}
		v.Sites = append(v.Sites, s)
	}
	return v
}

func theIncident(state incident.State) incident.Incident {
	seen := "pangyo: no answer from 9 targets for 8.1 s, seen by nobody; asked from anyang, gasan, sejong"
	i := incident.Incident{
		ID: "20221015-pangyo", State: state, LostAt: lostAt(), ProposedAt: lostAt().Add(6 * time.Second), By: incident.ByPolicy,
		Why: "every observer lost it", Verdict: seen, Estate: revisions()[0].Rev,
		Losses:  []incident.Loss{{Domain: "pangyo", State: state, LostAt: lostAt()}},
		Entries: []incident.Entry{{At: lostAt().Add(6 * time.Second), By: incident.ByPolicy, Act: incident.ActPropose, Domains: []string{"pangyo"}, Verdict: seen}},
	}
	if state == incident.Proposed {
		i.Proposed = []string{"pangyo"}
		return i
	}
	i.Lost, i.By, i.Why = []string{"pangyo"}, "jiwon", "화재 경보를 현장에서 확인함"
	i.DeclaredAt, i.Run = lostAt().Add(31*time.Second), "r-0012"
	i.Entries = append(i.Entries,
		incident.Entry{At: i.DeclaredAt, By: "jiwon", Act: incident.ActDeclare, Domains: []string{"pangyo"}, Why: i.Why, Estate: i.Estate},
		incident.Entry{At: lostAt().Add(33 * time.Second), By: incident.ByPolicy, Act: incident.ActRun, Run: "r-0012"})
	return i
}

// A planned step of the fixture: planned and actual in seconds, -1 for not yet.
type planned struct {
	id, title, site, driver string
	start, finish           int
	begun, ended            int // when all is over
	after                   []string
	uses                    []recovery.Amount
	critical                bool
}

func script() []planned {
	dba := []recovery.Amount{{Name: "crew/dba", Count: 1}}
	platform := []recovery.Amount{{Name: "crew/platform", Count: 2}}
	return []planned{
		{"talk-msg/promote@anyang", "메시지 전달", "anyang", "exec", 60, 300, 64, 338, nil, dba, false},
		{"auth-db/promote@anyang", "인증 DB", "anyang", "exec", 60, 240, 64, 231, nil, dba, true},
		{"image-store/rebuild@anyang", "배포 이미지 저장소", "anyang", "manual", 60, 600, 66, 705, nil, platform, true},
		{"pay-ledger/promote@sejong", "결제 원장", "sejong", "exec", 300, 600, 341, 818, []string{"auth-db/promote@anyang"}, []recovery.Amount{{Name: "crew/dba", Count: 2}}, false},
		{"map-tile/scale@sejong", "지도 타일", "sejong", "exec", 300, 420, 338, 470, nil, platform, false},
		{"talk-media/start@gasan", "사진과 동영상", "gasan", "http", 600, 1320, 706, 1500, []string{"auth-db/promote@anyang", "image-store/rebuild@anyang"}, platform, true},
		{"talk-media/verify@gasan", "사진과 동영상", "gasan", "manual", 1320, 1500, 1502, 1890, []string{"talk-media/start@gasan"}, platform, true},
	}
}

// theRun is the run of the loss as it stands at, measured from the loss.
func theRun(state recovery.RunState, at time.Duration, large bool) recovery.RunView {
	steps := script()
	if large {
		for i := range 180 {
			site := []string{"anyang", "gasan", "sejong"}[i%3]
			start := 300 + 17*(i/3)
			steps = append(steps, planned{
				fmt.Sprintf("cache-%03d/start@%s", i, site), "캐시 " + strconv.Itoa(i), site, "exec",
				start, start + 45 + i%7*9, start + i%11, start + 50 + i%13*8, nil, nil, i%30 == 0,
			})
		}
	}
	v := recovery.RunView{Run: recovery.Run{
		ID: "r-0012", State: state, Scope: recovery.ScopeReal, Incident: "20221015-pangyo", Estate: revisions()[0].Rev,
		Lost: []string{"pangyo"}, LostAt: lostAt(), Created: lostAt().Add(33 * time.Second),
		By: recovery.By{Who: "minseo", Why: "계획을 확인함"}, Plan: 1,
		Plans: []recovery.Made{{
			At: lostAt().Add(33 * time.Second), Why: "declared", Steps: len(steps) - 1,
			Objective: recovery.Objective{UserMinutes: 1.412e9, LowerBound: 1.266e9, Gap: 0.1034, Stranded: 1.1e11},
		}},
	}}
	sec := func(s int) *time.Duration { d := time.Duration(s) * time.Second; return &d }
	v.Services = []recovery.ServiceView{}
	for _, s := range []recovery.Service{
		{
			Name: "talk", Title: "톡", Users: 47637000, Weight: 3, State: "recoverable", UpAt: sec(300), Needs: []string{"talk-msg/promote@anyang"},
			Parts: []recovery.ServicePart{{Name: "photos", State: "recoverable", UpAt: sec(1320)}, {Name: "login", State: "recoverable", UpAt: sec(240)}},
		},
		{Name: "login", Title: "계정 로그인", Users: 36000000, Weight: 2, State: "recoverable", UpAt: sec(240), Needs: []string{"auth-db/promote@anyang"}},
		{Name: "pay", Title: "페이", Users: 24000000, Weight: 2, State: "recoverable", UpAt: sec(600), Needs: []string{"auth-db/promote@anyang", "pay-ledger/promote@sejong"}},
		{Name: "mail", Title: "메일", Users: 11000000, Weight: 1, State: "unrecoverable"},
	} {
		v.Services = append(v.Services, recovery.ServiceView{Service: s, First: s.UpAt})
	}
	v.Blockers = []recovery.Blocker{{Subject: "mail", Because: [][]string{{"dc-switch", "mail-index"}, {"mail-store"}}}}
	started := state != recovery.RunWaiting
	journal := func(s int, who, what, step, why string) {
		v.Journal = append(v.Journal, recovery.Entry{At: lostAt().Add(time.Duration(s) * time.Second), Who: who, What: what, Step: step, Why: why, Term: 8})
	}
	journal(33, "leader", "created", "", "declared")
	if started {
		v.Started = lostAt().Add(58 * time.Second)
		journal(58, "minseo", "approved", "", "계획을 확인함")
	} else {
		v.By = recovery.By{Who: "policy", Why: "declared"}
	}
	for i, p := range steps {
		s := stepView(p, at, started)
		switch {
		case s.State == recovery.StepPending && started && len(p.after) > 0:
			s.WaitsFor = "waits for " + p.after[len(p.after)-1]
		case i == 4 && started: // the failed one
			s.State, s.Detail, s.Attempt = recovery.StepFailed, "exit status 3: no room for 2 more tiles at sejong", 2
			s.Can = []string{"retry", "skip"}
			journal(p.ended, "sejong", "failed", p.id, s.Detail)
		case s.State == recovery.StepDone:
			s.Detail = ""
			journal(p.ended, p.site, "done", p.id, "")
		}
		if s.State == recovery.StepBegun && p.driver == "manual" {
			s.State = recovery.StepPerson
		}
		if s.State == recovery.StepPerson {
			s.Can = []string{"confirm", "deny", "skip"}
		}
		v.Steps = append(v.Steps, s)
	}
	if started {
		// A fixture of a question: the ledger's promotion cannot be asked about.
		if p := &v.Steps[3]; state == recovery.RunRunning || state == recovery.RunPaused {
			v.Journal = slices.DeleteFunc(v.Journal, func(e recovery.Entry) bool { return e.Step == p.Step.ID && e.What == "done" })
			p.State, p.Ended, p.Node = recovery.StepPerson, nil, "sejong"
			p.Detail = "the node of sejong was cut off after it began; the actuator answers unknown"
			p.Expected.Finish = at + 2*time.Minute
			p.Can = []string{"confirm", "deny", "skip"}
			v.Waiting = append(v.Waiting, recovery.Waiting{Kind: "decide", Step: p.Step.ID, Asks: "it may have been carried out already, and exec cannot tell whether it took effect (the node of sejong was cut off)", Since: lostAt().Add(820 * time.Second)})
			journal(820, "leader", "needs a person", p.Step.ID, "the actuator answers unknown")
		}
		v.Plan = 2
		v.Plans = append(v.Plans, recovery.Made{
			At: lostAt().Add(12 * time.Minute), Why: "image-store/rebuild@anyang ran over by 1m45s", Steps: len(steps),
			Objective: recovery.Objective{UserMinutes: 1.468e9, LowerBound: 1.266e9, Gap: 0.1376, Stranded: 1.1e11}, Cost: 5.6e7, CostKnown: true,
		})
		journal(720, "leader", "plan 2", "", "image-store/rebuild@anyang ran over by 1m45s")
	}
	switch state {
	case recovery.RunWaiting:
		v.Waiting = []recovery.Waiting{{Kind: "approve", Asks: "approve the plan of 6 steps, or abort the run", Since: v.Created}}
	case recovery.RunPaused:
		v.By = recovery.By{Who: "minseo", Why: "세종 상황 확인 중"}
		v.Waiting = append([]recovery.Waiting{{Kind: "resume", Asks: "resume the run, or abort it; paused by minseo: 세종 상황 확인 중", Since: lostAt().Add(14 * time.Minute)}}, v.Waiting...)
	case recovery.RunDone:
		v.Ended = lostAt().Add(1890 * time.Second)
	case recovery.RunRunning, recovery.RunFailed, recovery.RunAborted:
	}
	if state == recovery.RunDone { // the failed step was skipped, so that the run could end
		s := &v.Steps[4]
		s.State, s.By, s.Can = recovery.StepSkipped, "minseo", nil
		journal(1000, "minseo", "skipped", s.Step.ID, "지도는 낮은 화질로 계속 제공")
	} else {
		v.ETA = lostAt().Add(1680 * time.Second)
	}
	slices.SortStableFunc(v.Journal, func(a, b recovery.Entry) int { return a.At.Compare(b.At) })
	for i := range v.Journal {
		v.Journal[i].Rev = int64(900 + i)
	}
	for i := range v.Services {
		v.Services[i].Actual = actual(v.Services[i].Needs, v.Steps)
	}
	for _, s := range v.Steps {
		switch s.State {
		case recovery.StepDone:
			v.Progress.Done++
		case recovery.StepBegun:
			v.Progress.Running++
		case recovery.StepPerson:
			v.Progress.Waiting++
		case recovery.StepFailed:
			v.Progress.Failed++
		case recovery.StepSkipped:
			v.Progress.Skipped++
		case recovery.StepPending, recovery.StepAssigned, recovery.StepDropped:
		}
	}
	v.Progress.Total = len(steps)
	if started {
		v.Progress.Was = len(steps) - 1
	}
	return v
}

// actual is when the last of the steps that a service needs ended.
func actual(needs []string, steps []recovery.StepView) *time.Duration {
	var last *time.Duration
	for _, s := range steps {
		if !slices.Contains(needs, s.Step.ID) {
			continue
		}
		if s.State != recovery.StepDone {
			return nil
		}
		if last == nil || *s.Ended > *last {
			last = s.Ended
		}
	}
	return last
}

// stepView is a scripted step as it stands at, measured from the loss.
func stepView(p planned, at time.Duration, started bool) recovery.StepView {
	component, rest, _ := strings.Cut(p.id, "/")
	action, _, _ := strings.Cut(rest, "@")
	sec := func(s int) time.Duration { return time.Duration(s) * time.Second }
	s := recovery.StepView{
		Step: recovery.Step{
			ID: p.id, Component: component, Title: p.title, Action: action, Does: action, At: p.site, Site: p.site,
			Start: sec(p.start), Finish: sec(p.finish), After: p.after, Uses: p.uses, Driver: p.driver,
		},
		State: recovery.StepPending, First: recovery.Interval{Start: sec(p.start), Finish: sec(p.finish)}, Critical: p.critical,
	}
	s.Expected = s.First
	if started {
		s.Expected = recovery.Interval{Start: sec(p.begun), Finish: sec(p.ended)}
	}
	if !started || at < sec(p.begun) {
		return s
	}
	begun := sec(p.begun)
	s.State, s.Begun, s.Node, s.Attempt = recovery.StepBegun, &begun, p.site, 1
	if at >= sec(p.ended) {
		ended := sec(p.ended)
		s.State, s.Ended = recovery.StepDone, &ended
	}
	return s
}

func oldDrill() recovery.RunView {
	at := lostAt().Add(-9 * 24 * time.Hour)
	return recovery.RunView{Run: recovery.Run{
		ID: "r-0011", State: recovery.RunDone, Scope: recovery.ScopeDryDrill, Estate: revisions()[1].Rev, Lost: []string{"gasan"},
		LostAt: at, Created: at, Started: at.Add(time.Minute), Ended: at.Add(31 * time.Minute), By: recovery.By{Who: "minseo", Why: "분기 훈련"}, Plan: 1,
		Plans: []recovery.Made{{At: at, Why: "drill", Steps: 0}},
	}}
}

func revisions() []web.Revision {
	return []web.Revision{
		{
			Rev: "sha256:4be1c09a77d20f31", Number: 42, By: "minseo", Why: "결제 원장 대기 서버를 세종에 추가", At: lostAt().Add(-26 * time.Hour),
			Domains: 5, Components: 9, Services: 6,
			Changes: []web.Change{
				{Kind: "component", Name: "pay-ledger", How: "changed", Fields: []string{"replicas", "actions"}},
				{Kind: "domain", Name: "sejong", How: "added"},
				{Kind: "component", Name: "old-gateway", How: "removed"},
			},
		},
		{Rev: "sha256:0d5b7f3e9c114a68", Number: 41, By: "jiwon", Why: "", At: lostAt().Add(-50 * 24 * time.Hour), Domains: 4, Components: 10, Services: 6},
	}
}
