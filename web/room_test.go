package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/lang"
	"bongsu/internal/mark"
	"bongsu/recovery"
	"bongsu/web"
	"bongsu/web/webtest"
)

const room = "/incidents/20221015-pangyo"

// TestRecordVerbs writes everything that a person can write into a record, by form and
// by API, with each role.
func TestRecordVerbs(t *testing.T) {
	s, b := console(t, "running")
	for _, c := range []struct {
		verb string
		need web.Role
		form string
		json string
		want func(web.Command) bool
	}{
		{"note", web.Operator, "why=smoke", `{"why":"smoke"}`, func(c web.Command) bool { return c.Why == "smoke" }},
		{"decide", web.Operator, "why=map+stays", `{"why":"map stays"}`, func(c web.Command) bool { return c.Why == "map stays" }},
		{"assign", web.Operator, "role=commander&person=+jiwon+", `{"why":"","role":"commander","person":"jiwon"}`, func(c web.Command) bool { return c.Role == "commander" && c.Person == "jiwon" && c.Why == "" }},
		{"fault", web.Operator, "why=x&domain=pangyo&operator=SK", `{"why":"x","fault":{"domain":"pangyo","operator":"SK"}}`, func(c web.Command) bool { return *c.Fault == incident.Fault{Domain: "pangyo", Operator: "SK"} }},
		{
			"correct", web.Operator, "why=x&service=talk/photos&condition=down&at=2022-10-15T06:20&until=2022-10-15T06:25",
			`{"why":"x","change":{"service":"talk","part":"photos","condition":"down","at":"2022-10-15T06:20:00Z","until":"2022-10-15T06:25:00Z","source":"probe"}}`,
			func(c web.Command) bool {
				at := time.Date(2022, 10, 15, 6, 20, 0, 0, time.UTC)
				return *c.Change == incident.Change{Service: "talk", Part: "photos", Condition: incident.Down, At: at, Until: at.Add(5 * time.Minute), Source: incident.FromPerson}
			},
		},
		{"publish", web.Approver, "number=20", `{"why":"","number":20}`, func(c web.Command) bool { return c.Number == 20 }},
		{"bypass", web.Approver, "number=20&why=no+time", `{"why":"no time","number":20}`, func(c web.Command) bool { return c.Number == 20 && c.Why == "no time" }},
		{"drop", web.Operator, "number=20&why=wrong", `{"why":"wrong","number":20}`, func(c web.Command) bool { return c.Number == 20 }},
		{"done", web.Operator, "clock=kr-user-notice&why=mail", `{"why":"mail","clock":"kr-user-notice"}`, func(c web.Command) bool { return c.Clock == "kr-user-notice" }},
		{"ack", web.Operator, "", `{"why":""}`, func(c web.Command) bool { return c.Verb == web.Ack }},
	} {
		for _, role := range []web.Role{web.Viewer, web.Operator, web.Approver} {
			for prefix, body := range map[string]string{"": c.form, "/api/v1": c.json} {
				before := len(b.Commands())
				w := post(t, s, prefix+room+"/"+c.verb, role.String(), body)
				got := b.Commands()[before:]
				switch {
				case role < c.need:
					if w.Code != http.StatusForbidden || len(got) != 0 {
						t.Errorf("%s%s as %s: status %d, commands %v", prefix, c.verb, role, w.Code, got)
					}
				case len(got) != 1 || string(got[0].Verb) != c.verb || got[0].Who != role.String() || got[0].Incident != "20221015-pangyo" || !c.want(got[0]):
					t.Errorf("%s%s as %s: status %d, commands %+v", prefix, c.verb, role, w.Code, got)
				}
			}
		}
	}
}

// What says nothing, or cannot be read, changes nothing.
func TestRecordRefusals(t *testing.T) {
	s, b := console(t, "running")
	for form, want := range map[string]int{
		"/note?why=": http.StatusBadRequest,
		"/note?why=" + strings.Repeat("x", 17<<10):              http.StatusUnprocessableEntity,
		"/bypass?number=20&why=":                                http.StatusBadRequest,
		"/publish?number=twenty":                                http.StatusUnprocessableEntity,
		"/correct?why=x&service=talk&condition=down&at=noon":    http.StatusUnprocessableEntity,
		"/rewrite?why=x":                                        http.StatusNotFound,
		"/compose?action=draft&phase=identified&next=yesterday": http.StatusUnprocessableEntity,
	} {
		path, body, _ := strings.Cut(form, "?")
		if w := post(t, s, room+path, "approver", body); w.Code != want || len(b.Commands()) != 0 {
			t.Errorf("%.60s: status %d, want %d; commands %v", form, w.Code, want, b.Commands())
		}
	}
}

// TestSecondPerson: what is dangerous waits until another person does the same.
func TestSecondPerson(t *testing.T) {
	const skip = "/runs/r-0012/steps/map-tile/scale@sejong/skip"
	s, b := console(t, "running")
	asked := func() int {
		var now web.Now
		if err := json.Unmarshal(ask(t, s, http.MethodGet, "/api/v1/now", "viewer").Body.Bytes(), &now); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, w := range now.Waiting {
			if w.Kind == "second" {
				n++
			}
		}
		return n
	}
	for range 2 { // asking twice is asking once
		w := post(t, s, "/api/v1"+skip, "operator", `{"why":"no room"}`)
		var done web.Done
		if err := json.Unmarshal(w.Body.Bytes(), &done); err != nil || w.Code != http.StatusAccepted || done.Asked == "" || len(b.Commands()) != 0 || asked() != 1 {
			t.Fatalf("asked: status %d, %+v, commands %v, %d wait", w.Code, done, b.Commands(), asked())
		}
	}
	// Who asked is not offered to confirm; who may is.
	for who, want := range map[string]bool{"operator": false, "approver": true, "viewer": false} {
		for _, page := range []string{"/", "/runs/r-0012"} {
			body := ask(t, s, http.MethodGet, page, who, inLang("en")).Body.String()
			if got := strings.Contains(body, "-second\""); got != want || !strings.Contains(body, "asked by operator") {
				t.Errorf("%s offers %s to confirm: %v, want %v", page, who, got, want)
			}
		}
	}
	if w := post(t, s, "/runs/r-0012/steps/map-tile/scale@sejong/refuse", "viewer", "why=x"); w.Code != http.StatusForbidden || asked() != 1 {
		t.Errorf("a viewer refuses: status %d", w.Code)
	}
	if w := post(t, s, skip, "approver", "why=agreed"); w.Code != http.StatusSeeOther || asked() != 0 {
		t.Errorf("the second person: status %d, %d wait", w.Code, asked())
	}
	if got := b.Commands(); len(got) != 1 || got[0].Verb != web.Skip || got[0].Who != "approver" {
		t.Errorf("commands %+v", got)
	}
	// Nothing is left to refuse.
	if w := post(t, s, "/runs/r-0012/steps/map-tile/scale@sejong/refuse", "operator", "why=x"); w.Code != http.StatusConflict {
		t.Errorf("refusing what does not wait: status %d", w.Code)
	}
	// An operator may not abort, but may confirm what an approver asked for.
	if w := post(t, s, "/api/v1/runs/r-0012/abort", "operator", `{"why":"me too"}`); w.Code != http.StatusForbidden {
		t.Errorf("abort by an operator: status %d", w.Code)
	}
	post(t, s, "/api/v1/runs/r-0012/pause", "operator", `{"why":"look"}`)
	if w := post(t, s, "/api/v1/runs/r-0012/abort", "approver", `{"why":"over"}`); w.Code != http.StatusAccepted {
		t.Errorf("abort by one approver: status %d", w.Code)
	}
	if w := post(t, s, "/api/v1/runs/r-0012/abort", "operator", `{"why":"me too"}`); w.Code != http.StatusOK || asked() != 0 {
		t.Errorf("abort confirmed by an operator: status %d", w.Code)
	}
	s, b = console(t, "running")
	// Turned off, one person is enough.
	b.Change(func(f *web.Facts) { f.Second = false })
	if w := post(t, s, "/api/v1/runs/r-0012/abort", "approver", `{"why":"alone"}`); w.Code != http.StatusOK || len(b.Commands()) != 1 {
		t.Errorf("abort by one person where that is enough: status %d", w.Code)
	}
}

// TestComposer: the preview is what the public sees and changes nothing; a draft waits
// for somebody else.
func TestComposer(t *testing.T) {
	s, b := console(t, "running")
	form := url.Values{
		"phase": {"identified"}, "template": {"cause"}, "next": {"2022-10-15T07:30"}, "action": {"preview"},
		"body-ko": {"**톡**은 돌아옴\r\n<script>alert(1)</script>\r\n\r\n- [사진](javascript:alert(2))"}, "body-en": {""},
	}
	w := post(t, s, room+"/compose", "operator", form.Encode(), inLang("en"))
	body := w.Body.String()
	want := string(mark.New().HTML("**톡**은 돌아옴\n<script>alert(1)</script>\n\n- [사진](javascript:alert(2))"))
	if w.Code != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, "<script>alert") || len(b.Commands()) != 0 {
		t.Errorf("preview: status %d, commands %v; it does not show %s", w.Code, b.Commands(), want)
	}
	if !strings.Contains(body, "One language is missing") || !strings.Contains(body, "&lt;script&gt;") || !strings.Contains(body, "07:30") {
		t.Error("the preview lost what was typed, or does not say that a language is missing")
	}
	form.Set("action", "draft")
	if w := post(t, s, room+"/compose", "operator", form.Encode()); w.Code != http.StatusSeeOther {
		t.Fatalf("draft: status %d", w.Code)
	}
	got := b.Commands()
	u := got[0].Update
	if len(got) != 1 || u.Phase != "identified" || u.Template != "cause" || !u.NextAt.Equal(time.Date(2022, 10, 15, 7, 30, 0, 0, time.UTC)) || len(u.Body) != 1 || strings.Contains(u.Body["ko"], "\r") {
		t.Errorf("drafted %+v", u)
	}
	form.Set("body-ko", " ")
	if w := post(t, s, room+"/compose", "operator", form.Encode(), inLang("en")); w.Code != http.StatusOK || len(b.Commands()) != 1 || !strings.Contains(w.Body.String(), "no text yet") {
		t.Errorf("an empty draft: status %d", w.Code)
	}
	if w := post(t, s, room+"/compose", "viewer", form.Encode()); w.Code != http.StatusForbidden {
		t.Errorf("a viewer composes: status %d", w.Code)
	}
	// Their own draft approvers cannot publish but by saying why.
	s, b = console(t, "running")
	form.Set("body-ko", "확인 중")
	post(t, s, room+"/compose", "approver", form.Encode())
	page := ask(t, s, http.MethodGet, room, "approver", inLang("en")).Body.String()
	number := regexp.MustCompile(`id="bypass-(\d+)"`).FindStringSubmatch(page)
	if number == nil || !strings.Contains(page, "another approver publishes it") {
		t.Fatal("one's own draft is not offered with a bypass")
	}
	if w := post(t, s, room+"/publish", "approver", "number="+number[1], inLang("en")); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Another person has to do this") {
		t.Errorf("publishing one's own draft: status %d", w.Code)
	}
	if w := post(t, s, room+"/bypass", "approver", "why=no+time&number="+number[1]); w.Code != http.StatusSeeOther {
		t.Errorf("bypass: status %d", w.Code)
	}
	if page := ask(t, s, http.MethodGet, room, "viewer", inLang("en")).Body.String(); !strings.Contains(page, "without a second person") || len(b.Commands()) != 2 {
		t.Error("the page does not say that an update went out without a second person")
	}
}

// TestReport checks the three forms of the after-action report against the fixture.
func TestReport(t *testing.T) {
	s, b := console(t, "overdue")
	get := func(format string) *httptest.ResponseRecorder {
		t.Helper()
		w := ask(t, s, http.MethodGet, "/api/v1"+room+"/report?lang=en&format="+format, "viewer")
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", format, w.Code, w.Body)
		}
		return w
	}
	var rep web.Report
	if err := json.Unmarshal(get("json").Body.Bytes(), &rep); err != nil {
		t.Fatal(err)
	}
	pay := slices.IndexFunc(rep.Outages, func(o web.ReportOutage) bool { return o.Service == "pay" })
	switch {
	case rep.Grade != web.GradeCritical || rep.FirstWord == nil || *rep.FirstWord != 46:
		t.Errorf("grade %q, first word %v", rep.Grade, rep.FirstWord)
	case pay < 0 || rep.Outages[pay].Down != 1620 || rep.Outages[pay].Minutes != 24e6*27 || !rep.Outages[pay].Missed || *rep.Outages[pay].RTO != 900:
		t.Errorf("pay was down from two minutes before until 25 minutes after the loss, objective 15 minutes: %+v", rep.Outages[pay])
	case len(rep.Corrections) != 1 || rep.Corrections[0].By != "haneul":
		t.Errorf("corrections %+v", rep.Corrections)
	case len(rep.Runs) != 1 || len(rep.Runs[0].Steps) != 7 || len(rep.Runs[0].Plans) != 2:
		t.Errorf("runs %+v", rep.Runs)
	case len(rep.Improve) == 0 || rep.Improve[0].Severity != "error" || len(rep.Data) == 0:
		t.Errorf("improve %+v, data %+v", rep.Improve, rep.Data)
	}
	kept := map[string][2]bool{}
	for _, c := range rep.Clocks {
		kept[c.ID] = [2]bool{c.Kept, c.Missed}
	}
	// The report to the ministry was due after ten minutes and done after 41.
	if kept["kr-ministry-report"] != [2]bool{false, true} || kept["kr-user-notice"] != [2]bool{false, true} {
		t.Errorf("clocks %v", kept)
	}
	page := get("html")
	body := page.Body.String()
	for _, outside := range []string{"<link", "<script", "<img", " src=", "http-equiv"} {
		if strings.Contains(body, outside) {
			t.Errorf("the file needs more than itself: it holds %q", outside)
		}
	}
	if csp := page.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || !strings.Contains(page.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("the file is not kept apart from the console: %s", csp)
	}
	for _, want := range []string{"What was lost", "고객센터 신고로 보면", "<strong>Talk, login, Pay and mail</strong>", "missed", "late"} {
		if !strings.Contains(body, want) {
			t.Errorf("the HTML lacks %q", want)
		}
	}
	md := get("markdown").Body.String()
	if !strings.HasPrefix(md, "# After-action report: 20221015-pangyo\n") || !strings.Contains(md, "| 페이 |") || !strings.Contains(md, "> We see a problem with **Talk") {
		t.Errorf("the Markdown is\n%.800s", md)
	}
	b.Change(func(f *web.Facts) {
		f.Incidents[0].Entries = append(slices.Clone(f.Incidents[0].Entries), incident.Entry{At: f.At, By: "x", Act: incident.ActNote, Why: "<img src=x>| **a** \\| b\n# c"})
	})
	if md := get("markdown").Body.String(); !strings.Contains(md, `| &lt;img src=x>\| \*\*a\*\* \\\| b \# c |`) {
		t.Error("what people wrote is markup in the Markdown")
	}
	if strings.Contains(get("html").Body.String(), "<img") {
		t.Error("what people wrote is markup in the HTML")
	}
	if w := ask(t, s, http.MethodGet, room+"/report?format=pdf", "viewer"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("an unknown format: status %d", w.Code)
	}
}

// TestLetters: the draft of a duty's letter is a file, and nothing else.
func TestLetters(t *testing.T) {
	s, _ := console(t, "overdue")
	page := ask(t, s, http.MethodGet, room, "viewer").Body.String()
	links := regexp.MustCompile(`href="(`+room+`/letters/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 4 {
		t.Fatalf("the page links %d letters", len(links))
	}
	for _, l := range links {
		w := ask(t, s, http.MethodGet, l[1], "viewer")
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") || w.Body.Len() < 100 {
			t.Errorf("%s: status %d, %d bytes", l[1], w.Code, w.Body.Len())
		}
	}
	for _, bad := range []string{"/letters/..%2f..%2fetc%2fpasswd", "/letters/nope.ko.md"} {
		if w := ask(t, s, http.MethodGet, room+bad, "viewer"); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", bad, w.Code)
		}
	}
}

// TestJournalPages walks the journal page by page: all of it once, in order, and no
// run is read that has nothing to say there.
func TestJournalPages(t *testing.T) {
	s, b := console(t, "large")
	b.Change(func(f *web.Facts) {
		for i := range 500 { // of years ago, and not to be read: the fixture has no such run
			at := f.At.Add(-time.Duration(i+400) * 24 * time.Hour)
			f.Runs = append(f.Runs, recovery.Run{ID: fmt.Sprintf("old-%d", i), State: recovery.RunDone, Created: at, Started: at, Ended: at.Add(time.Hour)})
		}
	})
	var whole []web.Entry
	before, pages := "", 0
	for {
		w := ask(t, s, http.MethodGet, "/api/v1/journal?limit=20&before="+url.QueryEscape(before), "viewer")
		if w.Code != http.StatusOK {
			if pages == 0 {
				t.Fatalf("the first page: status %d: %s", w.Code, w.Body)
			}
			break // it came to the runs of years ago
		}
		var j web.Journal
		if err := json.Unmarshal(w.Body.Bytes(), &j); err != nil {
			t.Fatal(err)
		}
		whole = append(whole, j.Journal...)
		pages++
		if j.Next == "" {
			break
		}
		before = j.Next
	}
	if pages < 5 || len(whole) < 100 {
		t.Errorf("%d pages, %d entries", pages, len(whole))
	}
	if !slices.IsSortedFunc(whole, func(a, b web.Entry) int { return b.At.Compare(a.At) }) {
		t.Error("the pages are not newest first")
	}
	seen := map[string]bool{}
	for _, e := range whole {
		key := fmt.Sprint(e.At, e.What, e.Step, e.Who, e.Text, e.Why)
		if seen[key] {
			t.Errorf("twice: %s", key)
		}
		seen[key] = true
	}
	for _, bad := range []string{"before=x", "limit=0", "limit=100000", "before=2022-10-15T00:00:00Z~-1"} {
		if w := ask(t, s, http.MethodGet, "/api/v1/journal?"+bad, "viewer"); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", bad, w.Code)
		}
	}
}

// TestHosts: the map of hosts counts every replica once, and says what is lost.
func TestHosts(t *testing.T) {
	s, _ := console(t, "large")
	var out struct {
		Halls []web.Hall `json:"halls"`
	}
	if err := json.Unmarshal(ask(t, s, http.MethodGet, "/api/v1/hosts", "viewer").Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	hosts, lost, halls := map[string]int{}, map[string]int{}, map[string]int{}
	for _, h := range out.Halls {
		hosts[h.Site] += h.Hosts
		lost[h.Site] += h.Lost
		halls[h.Site]++
		if (h.Site == "pangyo") != (h.State == web.StateLost) {
			t.Errorf("hall %s of %s is %s", h.Name, h.Site, h.State)
		}
	}
	if hosts["pangyo"] < 4800 || lost["pangyo"] != hosts["pangyo"] || lost["anyang"] != 0 || halls["gasan"] != 4 {
		t.Errorf("hosts %v, lost %v, halls %v", hosts, lost, halls)
	}
	if first := out.Halls[0]; first.Site != "pangyo" {
		t.Errorf("what is lost does not come first: %s", first.Site)
	}
	page := ask(t, s, http.MethodGet, "/hosts", "viewer", inLang("en")).Body.String()
	if !strings.Contains(page, `href="#r-lost"`) || !strings.Contains(page, "<table") || !strings.Contains(page, "lost or cut off") {
		t.Error("the page has no picture, no table, or no word for what is lost")
	}
}

// TestSentences: what detection and recovery say recurs in Korean. The patterns are
// tried on what the packages themselves write, so that they cannot drift apart.
func TestSentences(t *testing.T) {
	hangul := regexp.MustCompile(`[가-힣]`)
	sentences, err := webtest.Sentences(t.Context())
	if err != nil || len(sentences) < 20 {
		t.Fatalf("%d sentences, %v", len(sentences), err)
	}
	say, err := web.NewSay()
	if err != nil {
		t.Fatal(err)
	}
	for _, sentence := range sentences {
		for l, want := range map[lang.Lang]bool{lang.Korean: true, lang.English: false} {
			said := say(l, sentence)
			if got := hangul.MatchString(said); got != want || l == lang.English && said != sentence {
				t.Errorf("in %s: %q is %q", l, sentence, said)
			}
		}
	}
	// The last words of a clause are not all the rest of the sentence.
	fix := "a manual procedure for start of talk-media without deploy, wiki; a way to run talk-media without kafka; a second site for the tool dns, outside north"
	if want, said := "deploy, wiki 없이 talk-media의 start를 손으로 하는 절차; kafka 없이 talk-media를 실행할 방법; 도구 dns를 north 밖에 하나 더 둠", say(lang.Korean, fix); said != want {
		t.Errorf("%q is %q; want %q", fix, said, want)
	}
	for _, own := range []string{"화재", "a fire; on level 3", strings.Repeat("waits for ", 1000)} {
		if said := say(lang.Korean, own); said != own {
			t.Errorf("what a person wrote became %q", said)
		}
	}
}

// TestCrowd opens streams on real connections: everybody hears of a change once, an
// account that is removed hears no more, and closing the server ends them all.
func TestCrowd(t *testing.T) {
	b, err := webtest.New("running")
	if err != nil {
		t.Fatal(err)
	}
	door := &keeper{}
	s, err := web.New(web.Options{Backend: b, Accounts: door, Key: webtest.Key()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	defer s.Close()
	streams := map[string]*http.Response{}
	for _, who := range []string{"viewer", "operator", "approver"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+who+"-token")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" || res.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("headers of the stream: %v", res.Header)
		}
		streams[who] = res
		hears(t, res, "hello")
	}
	b.Change(func(f *web.Facts) { f.At = f.At.Add(time.Second) })
	for _, res := range streams {
		hears(t, res, "change")
	}
	door.remove("operator")
	b.Change(func(f *web.Facts) { f.At = f.At.Add(time.Second) })
	hears(t, streams["viewer"], "change")
	hears(t, streams["approver"], "change")
	hears(t, streams["operator"], "") // its end
	s.Close()
	hears(t, streams["viewer"], "")
	// Who comes after that is told at once that nothing more comes.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer viewer-token")
	if res, err := http.DefaultClient.Do(req); err == nil {
		hears(t, res, "")
		_ = res.Body.Close()
	}
}

// A keeper lets in everybody whom it has not removed.
type keeper struct {
	webtest.Accounts

	mu   sync.Mutex
	gone string
}

func (k *keeper) remove(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gone = name
}

func (k *keeper) Token(token string) (web.Identity, bool) {
	id, ok := k.Accounts.Token(token)
	k.mu.Lock()
	defer k.mu.Unlock()
	return id, ok && id.Name != k.gone
}

// hears reads one event of the stream; an empty one is its end.
func hears(t *testing.T, res *http.Response, want string) {
	t.Helper()
	var got bytes.Buffer
	buf := make([]byte, 1)
	for !bytes.HasSuffix(got.Bytes(), []byte("\n\n")) {
		n, err := res.Body.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if want == "" && got.Len() == 0 {
		return
	}
	if want == "" || !strings.Contains(got.String(), "event: "+want+"\n") {
		t.Errorf("heard %q, want %q", got.String(), want)
	}
}

// TestTrend follows users who have nothing.
func TestTrend(t *testing.T) {
	zero := time.Date(2022, 10, 15, 6, 19, 0, 0, time.UTC)
	down := func(name string, from, to int) incident.Interval {
		v := incident.Interval{Service: name, Condition: incident.Down, From: zero.Add(time.Duration(from) * time.Minute)}
		if to > 0 {
			v.To = zero.Add(time.Duration(to) * time.Minute)
		}
		return v
	}
	services := []estate.Service{{Doc: estate.Doc{Name: "a"}, Users: 100}, {Doc: estate.Doc{Name: "b"}, Users: 10}}
	for _, c := range []struct {
		all     []incident.Interval
		at      int
		way     string
		was, is int64
	}{
		{[]incident.Interval{down("a", 0, 0), down("b", 8, 0)}, 10, "worse", 100, 110},
		{[]incident.Interval{down("a", 0, 7), down("b", 0, 0)}, 10, "better", 110, 10},
		{[]incident.Interval{down("a", 0, 0)}, 10, "same", 100, 100},
		{[]incident.Interval{down("a", 0, 0)}, 2, "same", 100, 100},
		{[]incident.Interval{down("a", 0, 2)}, 60, "same", 0, 0},
	} {
		got := web.TrendOf(&incident.Record{Intervals: c.all}, services, zero.Add(time.Duration(c.at)*time.Minute))
		if got.Way != c.way || got.Was != c.was || got.Is != c.is {
			t.Errorf("%+v at %d min: %+v, want %s from %d to %d", c.all, c.at, got, c.way, c.was, c.is)
		}
	}
	if got := web.TrendOf(&incident.Record{}, services, zero); got != nil {
		t.Errorf("a record without intervals has a trend: %+v", got)
	}
}
