package public_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/incident"
	"bongsu/status"
	"bongsu/web/public"
)

// noon is the moment of the fixtures: 15 October 2022, 18:40 in Korea.
var noon = time.Date(2022, 10, 15, 9, 40, 0, 0, time.UTC)

func at(hour, minute int) time.Time { return time.Date(2022, 10, 15, hour-9, minute, 0, 0, time.UTC) }

func both(ko, en string) status.Text { return status.Text{"ko": ko, "en": en} }

// scenarios are the states in which every page is tried.
func scenarios() []string {
	return []string{"well", "incident", "resolved", "stale", "empty", "work", "hostile"}
}

// fixture is a state, and the moment to look at it.
func fixture(scenario string) (*status.State, time.Time) {
	if scenario == "empty" {
		return &status.State{}, noon
	}
	s := &status.State{
		Rev: 41, AsOf: noon.Add(-20 * time.Second), GoodFor: 5 * time.Minute, Received: noon.Add(-19 * time.Second),
		Catalog: status.Catalog{
			Company: "다가옴", Title: both("서비스 상태", "service status"), URL: "https://status.example.com", TimeZone: "Asia/Seoul",
			Contact:  both("고객센터 1577-0000, help@example.com", "Customer centre 1577-0000, help@example.com"),
			Services: services(),
		},
	}
	s.Incidents = []status.Incident{earlier()}
	s.Maintenances = []status.Maintenance{{
		ID: "20220920-map", Title: both("지도 자료 갱신", "New map data"), Status: "completed", Services: []string{"map"},
		From: noon.AddDate(0, 0, -25), Until: noon.AddDate(0, 0, -25).Add(2 * time.Hour), Updates: []status.Update{},
	}}
	switch scenario {
	case "incident", "stale":
		s.Incidents = append([]status.Incident{fire()}, s.Incidents...)
		s.Notices = answers()
	case "resolved":
		s.Incidents = append([]status.Incident{resolved()}, s.Incidents...)
		s.Notices = answers()
	case "work":
		s.Maintenances = append([]status.Maintenance{
			{
				ID: "20221015-pay", Title: both("결제 저장소 교체", "New storage for payments"), Status: "in_progress", From: at(18, 0), Until: at(21, 0), Services: []string{"pay"},
				Updates: []status.Update{{ID: "1", At: at(18, 0), Body: both("시작했습니다. 결제가 잠깐씩 느릴 수 있습니다.", "We have begun. Payments may be slow for moments.")}},
			},
			{ID: "20221020-talk", Title: both("대화 서버 점검", "Work on chat servers"), Status: "scheduled", From: at(26, 0).AddDate(0, 0, 5), Until: at(30, 0).AddDate(0, 0, 5), Services: []string{"talk", "login"}},
		}, s.Maintenances...)
	case "hostile":
		s.Incidents = append([]status.Incident{hostile()}, s.Incidents...)
		s.Catalog.Services[2].Title = both(`<script>alert(1)</script>지도`, `"><img src=x onerror=alert(1)>Map`)
		s.Catalog.Services[2].Group = `</h3><script>alert(2)</script>`
		s.Catalog.Services[3].Name = "../../etc/passwd"
		s.Catalog.Contact = both(`<b onmouseover=alert(1)>x</b>`, `<b onmouseover=alert(1)>x</b>`)
		s.Notices = []status.Answer{{
			ID: "../x", Incident: s.Incidents[0].ID, Question: "<svg onload=alert(1)>", At: at(16, 0),
			Answer: both("<iframe src=//evil.example></iframe> [여기](javascript:alert(1))", "<iframe src=//evil.example></iframe> [here](javascript:alert(1))"),
		}}
	}
	if scenario == "stale" {
		return s, noon.Add(20 * time.Minute)
	}
	return s, noon
}

func services() []status.Service {
	part := func(name, ko, en string, share float64) status.Part {
		return status.Part{Name: name, Title: both(ko, en), Share: share}
	}
	return []status.Service{
		{Name: "talk", Title: both("다가옴톡", "Dagaom Talk"), Group: "대화", Users: 47_500_000, Parts: []status.Part{
			part("send", "글 보내기", "Messages", .6), part("photo", "사진과 파일", "Photos and files", .3), part("pc", "컴퓨터판", "Desktop", .1),
		}},
		{Name: "login", Title: both("로그인", "Login"), Group: "계정", Users: 42_000_000},
		{Name: "map", Title: both("지도", "Maps"), Group: "이동", Users: 19_000_000},
		{Name: "mail", Title: both("메일", "Mail"), Group: "계정", Users: 9_200_000, Parts: []status.Part{part("read", "읽기", "Reading", .7), part("write", "쓰기", "Writing", .3)}},
		{Name: "pay", Title: both("결제", "Pay"), Group: "돈", Users: 15_300_000, Paid: true, Since: noon.AddDate(0, 0, -30)},
		{Name: "taxi", Title: both("택시", "Taxi"), Group: "이동", Users: 11_800_000},
		{Name: "webtoon", Title: both("웹툰", "Webtoon"), Group: "볼거리", Users: 8_100_000, Paid: true},
	}
}

func fire() status.Incident {
	return status.Incident{
		ID: "20221015-pangyo", Title: both("데이터 센터 화재로 여러 서비스가 멈췄습니다", "A fire in a data centre stopped several services"), Phase: status.Identified, Impact: "critical",
		Faults: []incident.Fault{{Domain: "hidden-hall", Operator: "숨은 운영사"}}, StartedAt: at(15, 19), UpdatedAt: at(18, 30), NextAt: at(19, 30), Progress: &status.Progress{Back: 2, Of: 5, Was: 4},
		Board: []status.Line{
			{Service: "mail", Level: status.Restoring, Since: at(15, 19), Percent: 62, Expected: at(20, 10), NextAt: at(19, 30)},
			{Service: "webtoon", Level: status.Down, Since: at(15, 19), NextAt: at(19, 30)},
			{Service: "talk", Part: "photo", Level: status.Degraded, Since: at(17, 5), Percent: 80, Expected: at(19, 0), NextAt: at(19, 0)},
			{Service: "talk", Part: "send", Level: status.Operational, Since: at(17, 5), Percent: 100},
			{Service: "login", Level: status.Operational, Since: at(16, 40), Percent: 100},
		},
		Intervals: []status.Interval{
			{Service: "mail", Level: status.Down, From: at(15, 19)},
			{Service: "webtoon", Level: status.Down, From: at(15, 19)},
			{Service: "talk", Level: status.Down, From: at(15, 19), To: at(17, 5)},
			{Service: "talk", Part: "photo", Level: status.Degraded, From: at(17, 5)},
			{Service: "login", Level: status.Down, From: at(15, 33), To: at(16, 40)},
		},
		Updates: []status.Update{
			{
				ID: "3", At: at(18, 30), Phase: status.Identified, Body: both("**메일**을 다른 데이터 센터에서 되살리고 있습니다. 주고받은 메일은 사라지지 않았습니다.\n\n- 저장소 복구: 끝\n- 색인 만들기: 62 %", "We are bringing **mail** back in another data centre. No mail is lost.\n\n- storage: done\n- index: 62 %"),
				Affected: map[string]status.Change{"mail": {Old: status.Down, New: status.Restoring}},
			},
			{
				ID: "2", At: at(17, 10), Phase: status.Identified, Body: both("15시 19분에 판교 데이터 센터 전기실에서 불이 나 전원이 끊겼습니다. 다른 데이터 센터로 옮기고 있습니다. [자세한 글](https://example.com/notice?a=1&b=2)", "At 15:19 a fire in the electrical room of the Pangyo data centre cut the power. We are moving to other centres. [More](https://example.com/notice?a=1&b=2)"),
				Affected: map[string]status.Change{"talk": {Old: status.Down, New: status.Degraded}, "login": {Old: status.Down, New: status.Operational}},
			},
			{
				ID: "1", At: at(15, 25), Phase: status.Investigating, Body: both("여러 서비스에 접속할 수 없습니다. 원인을 찾고 있습니다.", "Several services cannot be reached. We are looking for the cause."),
				Affected: map[string]status.Change{"mail": {Old: status.Operational, New: status.Down}, "talk": {Old: status.Operational, New: status.Down}},
			},
		},
	}
}

func resolved() status.Incident {
	i := fire()
	i.Phase, i.EndedAt, i.UpdatedAt, i.NextAt = status.Resolved, at(18, 35), at(18, 36), time.Time{}
	i.Progress = &status.Progress{Back: 5, Of: 5, Was: 4}
	for n := range i.Board {
		i.Board[n] = status.Line{Service: i.Board[n].Service, Part: i.Board[n].Part, Level: status.Operational, Since: at(18, 35), Percent: 100}
	}
	for n := range i.Intervals {
		if i.Intervals[n].To.IsZero() {
			i.Intervals[n].To = at(18, 35)
		}
	}
	i.Updates = append([]status.Update{{ID: "4", At: at(18, 36), Phase: status.Resolved, Body: both("모두 돌아왔습니다. 불편을 드려 죄송합니다.", "Everything is back. We are sorry for the trouble.")}}, i.Updates...)
	return i
}

func earlier() status.Incident {
	from := noon.AddDate(0, 0, -18)
	return status.Incident{
		ID: "20220927-taxi", Title: status.Text{"ko": "택시 호출이 늦어졌습니다"}, Phase: status.Postmortem, Impact: "minor", StartedAt: from, EndedAt: from.Add(50 * time.Minute), UpdatedAt: from.AddDate(0, 0, 2),
		Board:     []status.Line{{Service: "taxi", Level: status.Operational, Since: from.Add(50 * time.Minute), Percent: 100}},
		Intervals: []status.Interval{{Service: "taxi", Level: status.Degraded, From: from, To: from.Add(50 * time.Minute)}},
		Updates: []status.Update{
			{ID: "2", At: from.AddDate(0, 0, 2), Phase: status.Postmortem, Body: status.Text{"ko": "길 찾기 서버가 모자랐습니다. 늘렸습니다."}},
			{ID: "1", At: from.Add(6 * time.Minute), Phase: status.Investigating, Body: status.Text{"ko": "호출이 늦게 잡힙니다."}},
		},
	}
}

func answers() []status.Answer {
	return []status.Answer{{
		ID: "q1", Incident: "20221015-pangyo", Question: "보낸 메일이 사라지나요?", At: at(18, 0),
		Answer: both("아닙니다. 메일은 두 곳에 저장되어 있고, 접속만 되지 않습니다.", "No. Mail is stored at two places; only access is interrupted."),
	}}
}

// hostile is an incident as somebody would write it who wants to run a script on
// the page.
func hostile() status.Incident {
	i := fire()
	i.ID = `"><script>alert(3)</script>/../..`
	i.Title = both(`<script>alert(4)</script>`, `<img src=x onerror=alert(5)>`)
	i.Phase = `x" onclick="alert(6)`
	i.Impact = `<b>`
	i.Board[0].Service = `../../<script>`
	i.Updates[0].ID = `" onload=alert(7)`
	body := strings.Join([]string{
		"<script>alert(8)</script>", "<svg/onload=alert(9)>", "[link](javascript:alert(10))", "[link](JaVaScRiPt&#58;alert(11))", "[link](data:text/html;base64,PHNjcmlwdD4=)",
		"![img](https://evil.example/pixel.png)", `<a href="https://evil.example" onmouseover="alert(12)" style="position:fixed">x</a>`, "<https://ok.example/>", "`<b>code</b>`",
		"<form action=//evil.example><input name=password></form>", "[x]: javascript:alert(13)", "[x]", `<style>*{display:none}</style>`, `<math><mtext><img src=x onerror=alert(14)>`,
	}, "\n\n")
	i.Updates[0].Body = both(body, body)
	return i
}

// large is an estate of many services of which many do not work.
func large(n int) *status.State {
	s, _ := fixture("well")
	s.Catalog.Services = nil
	i := fire()
	i.Board, i.Intervals = nil, nil
	for k := range n {
		name := fmt.Sprintf("service-%04d", k)
		s.Catalog.Services = append(s.Catalog.Services, status.Service{Name: name, Title: both(fmt.Sprintf("서비스 %d", k), fmt.Sprintf("Service %d", k)), Group: fmt.Sprintf("group %d", k%12), Users: int64(1_000_000 - k*400)})
		if k%5 == 2 {
			i.Board = append(i.Board, status.Line{Service: name, Level: []status.Level{status.Down, status.Restoring, status.Degraded, status.Operational}[k%4], Since: at(15, 19), Percent: k % 100})
			i.Intervals = append(i.Intervals, status.Interval{Service: name, Level: status.Down, From: at(15, 19)})
		}
	}
	s.Incidents = append([]status.Incident{i}, s.Incidents...)
	return s
}

// A source is a Source that tests change.
type source struct {
	mu      sync.Mutex
	state   *status.State
	changed chan struct{}
}

func newSource(s *status.State) *source { return &source{state: s, changed: make(chan struct{}, 1)} }

// State returns the state.
func (s *source) State() *status.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *source) set(state *status.State) {
	s.mu.Lock()
	s.state = state
	s.mu.Unlock()
}

// Changes is not used by the pages: readers ask.
func (s *source) Changes(context.Context) <-chan struct{} { return s.changed }

// A desk remembers what it was given, and answers as the test says.
type desk struct {
	mu            sync.Mutex
	err           error
	subscriptions []public.Subscription
	questions     []public.Question
	confirmed     []string
	ended         []string
}

// Subscribe remembers s.
func (d *desk) Subscribe(_ context.Context, s public.Subscription) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.subscriptions = append(d.subscriptions, s)
	}
	return d.err
}

// Confirm remembers the token.
func (d *desk) Confirm(_ context.Context, token string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if token != "good" {
		return public.ErrToken
	}
	d.confirmed = append(d.confirmed, token)
	return d.err
}

// Unsubscribe remembers the token.
func (d *desk) Unsubscribe(_ context.Context, token string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if token != "good" {
		return public.ErrToken
	}
	d.ended = append(d.ended, token)
	return d.err
}

// Ask remembers q.
func (d *desk) Ask(_ context.Context, q public.Question) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.questions = append(d.questions, q)
	}
	return d.err
}

// fresh moves a state to the present, so that a running server believes it.
func fresh(s *status.State) *status.State {
	c := *s
	c.AsOf = time.Now().Add(-time.Second).Truncate(time.Second)
	return &c
}

// site is a server with a state of the scenario, and its desk.
func site(tb testing.TB, s *status.State) (*public.Server, *desk, *source) {
	tb.Helper()
	d, src := &desk{}, newSource(s)
	p, err := public.New(public.Options{Source: src, Desk: d, Key: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		tb.Fatal(err)
	}
	return p, d, src
}

// present is the state of a scenario moved to now, as a running server has it.
func present(tb testing.TB, scenario string) *status.State {
	tb.Helper()
	s, now := large(400), noon
	if scenario != "large" {
		s, now = fixture(scenario)
	}
	by := time.Now().Truncate(time.Second).Sub(now)
	move := func(times ...*time.Time) {
		for _, t := range times {
			if !t.IsZero() {
				*t = t.Add(by)
			}
		}
	}
	move(&s.AsOf, &s.Received)
	for n := range s.Catalog.Services {
		move(&s.Catalog.Services[n].Since)
	}
	for n := range s.Incidents {
		i := &s.Incidents[n]
		move(&i.StartedAt, &i.EndedAt, &i.UpdatedAt, &i.NextAt)
		for k := range i.Board {
			move(&i.Board[k].Since, &i.Board[k].Expected, &i.Board[k].NextAt)
		}
		for k := range i.Intervals {
			move(&i.Intervals[k].From, &i.Intervals[k].To)
		}
		for k := range i.Updates {
			move(&i.Updates[k].At)
		}
	}
	for n := range s.Maintenances {
		m := &s.Maintenances[n]
		move(&m.From, &m.Until)
		for k := range m.Updates {
			move(&m.Updates[k].At)
		}
	}
	for n := range s.Notices {
		move(&s.Notices[n].At)
	}
	return s
}

// present30 is a company of 30 services with one incident, now.
func present30(tb testing.TB) *status.State {
	tb.Helper()
	s := present(tb, "incident")
	s.Catalog.Services = append(s.Catalog.Services, large(23).Catalog.Services...)
	s.GoodFor = time.Hour
	return s
}

// BenchmarkRender makes the overview of 30 services and one incident.
func BenchmarkRender(b *testing.B) {
	s := present30(b)
	for b.Loop() {
		p, _, _ := site(b, s)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/ko/", nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

// BenchmarkServe answers from memory.
func BenchmarkServe(b *testing.B) {
	p, _, _ := site(b, present30(b))
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/ko/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		p.ServeHTTP(httptest.NewRecorder(), r)
	}
}
