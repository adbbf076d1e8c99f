package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/duty"
	"bongsu/estate"
	"bongsu/impact"
	"bongsu/incident"
	"bongsu/internal/config"
	"bongsu/internal/kv"
	"bongsu/internal/notify"
	"bongsu/recovery"
)

// dutyEstate has a gateway at each site and a chat that is lost with north.
const dutyEstate = `{kind: Domain, name: north, type: site, title: 북쪽}
---
{kind: Domain, name: south, type: site}
---
{kind: Component, name: sms-gateway, replicas: [{in: north}, {in: south}]}
---
{kind: Component, name: chat, replicas: [{in: north}]}
---
{kind: Component, name: app, replicas: [{in: north}]}
---
{kind: Service, name: shop, users: 1000, needs: [app]}
---
{kind: Crew, name: platform, people: 2}
`

const dutyPolicy = `version: 1
channels:
  - {name: chat, kind: webhook, needs: [chat]}
  - {name: sms, kind: sms, needs: [sms-gateway]}
people:
  - {name: kim, title: 김봉수, crews: [platform], reach: {chat: "CHAT", sms: 010-1234-5678}}
  - {name: lee, lang: en, crews: [platform], reach: {chat: "CHAT", sms: 010-2345-6789}}
alarms:
  - name: loss
    crew: platform
    users: 500
    channels: [chat, sms]
    levels:
      - {call: [{person: kim}], wait: 10s}
      - {call: [{person: lee}], wait: 10s}
`

// telephones are real servers of a chat and an SMS gateway.
type telephones struct {
	mu   sync.Mutex
	got  []string
	dead map[string]bool
	srv  *httptest.Server
}

func newTelephones(t *testing.T) *telephones {
	t.Helper()
	p := &telephones{dead: map[string]bool{}}
	p.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.dead[r.URL.Path] {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		p.got = append(p.got, r.URL.Path+" "+string(body))
	}))
	t.Cleanup(p.srv.Close)
	return p
}

func (p *telephones) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

type alive struct{ dead bool }

func (a *alive) Alive() bool { return !a.dead }

// newCaller is a leader's caller on a store in memory, and an incident declared there.
func newCaller(t *testing.T, p *telephones) (*caller, incident.Incident) {
	t.Helper()
	policy, err := config.ParseDuty("duty.yaml", []byte(strings.ReplaceAll(dutyPolicy, "CHAT", p.srv.URL+"/chat")))
	if err != nil {
		t.Fatal(err)
	}
	hook, sms := config.DefaultWebhook(), config.DefaultSMS()
	hook.Allow, sms.Allow, sms.URL = []string{"127.0.0.0/8"}, []string{"127.0.0.0/8"}, p.srv.URL+"/sms"
	w, err := notify.NewWebhook(hook)
	if err != nil {
		t.Fatal(err)
	}
	s, err := notify.NewSMS(sms)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(dutyEstate)}})
	if err != nil {
		t.Fatal(err)
	}
	store := kv.NewMemory()
	inc, err := incident.Declare(t.Context(), store, incident.Request{Domains: []string{"north"}, By: "kim", Why: "fire"})
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{
		Waking: &Waking{
			Policy: policy, Senders: map[string]notify.Sender{duty.Webhook: w, duty.SMS: s},
			Rotas: func(time.Time) (map[string]*duty.Rota, error) { return nil, nil },
		},
		log: slog.New(slog.DiscardHandler), store: store, lead: &alive{}, signer: duty.NewSigner([]byte("key")),
		urls: []string{"https://north.example", "https://south.example"}, clocks: incident.DefaultPolicy(),
		known: func() known {
			all, err := incident.List(t.Context(), store)
			if err != nil {
				t.Error(err)
			}
			return known{snapshot: snap, head: estate.Revision{Rev: "1"}, incidents: all}
		},
		said: map[string]bool{}, making: map[string]bool{},
	}
	return c, inc
}

func calls(t *testing.T, c *caller, id string) []incident.Call {
	t.Helper()
	c.calls.Wait()
	r, err := incident.LoadRecord(t.Context(), c.store, id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Calls
}

func TestCallsGoOutAndAreRecorded(t *testing.T) {
	p := newTelephones(t)
	c, inc := newCaller(t, p)
	now := time.Now()
	if err := c.step(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	got := calls(t, c, inc.ID)
	if len(got) != 2 || got[0].Channel != "sms" || got[1].Channel != "chat" { // sms survives the loss of north
		t.Fatalf("calls: %+v", got)
	}
	for _, x := range got {
		if x.Outcome != duty.Sent || x.Person != "kim" || x.Crew != "platform" || x.Reason != duty.Declared {
			t.Errorf("call %+v", x)
		}
	}
	var sms struct {
		To   string `json:"to"`
		Text string `json:"text"`
	}
	for _, h := range p.heard() {
		if body, ok := strings.CutPrefix(h, "/sms "); ok {
			if err := json.Unmarshal([]byte(body), &sms); err != nil {
				t.Fatal(err)
			}
		}
	}
	if sms.To != "01012345678" || !strings.Contains(sms.Text, "북쪽 손실이 선언되었습니다") || strings.Count(sms.Text, "https://") != 1 {
		t.Errorf("the telephone shows %q", sms)
	}
	// Nothing more while it waits, the next level after that, and nobody after an answer.
	if err := c.step(t.Context(), now.Add(9*time.Second)); err != nil || len(calls(t, c, inc.ID)) != 2 {
		t.Errorf("%v, %d calls", err, len(calls(t, c, inc.ID)))
	}
	if err := c.step(t.Context(), now.Add(11*time.Second)); err != nil {
		t.Fatal(err)
	}
	if got = calls(t, c, inc.ID); len(got) != 4 || got[2].Person != "lee" || got[2].Level != 1 {
		t.Fatalf("calls: %+v", got)
	}
	if heard := strings.Join(p.heard(), "\n"); !strings.Contains(heard, "the loss of 북쪽 was declared") {
		t.Errorf("lee hears %s", heard)
	}
	if _, err := duty.Acknowledge(t.Context(), c.store, inc.ID, "lee", now.Add(12*time.Second)); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := c.step(t.Context(), now.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if got := calls(t, c, inc.ID); len(got) != 4 {
		t.Errorf("%d calls after the answer", len(got))
	}
}

func TestAChannelThatFailsIsInTheRecord(t *testing.T) {
	p := newTelephones(t)
	p.dead["/sms"] = true
	c, inc := newCaller(t, p)
	now := time.Now()
	for range 3 {
		if err := c.step(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		c.calls.Wait()
	}
	got := calls(t, c, inc.ID)
	if len(got) != 2 || got[0].Outcome != duty.Failed || !strings.Contains(got[0].Detail, "503") || got[1].Outcome != duty.Sent {
		t.Errorf("calls: %+v", got)
	}
}

// The leader stops at each of its writes in turn: whoever comes next leaves nobody
// uncalled, and the record says which call may have gone out twice.
func TestLeaderStopsAtEachWrite(t *testing.T) {
	for n := range 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p := newTelephones(t)
			c, inc := newCaller(t, p)
			faulty := &stopping{Store: c.store, left: n}
			first := &caller{
				Waking: c.Waking, log: c.log, store: faulty, lead: c.lead, signer: c.signer, urls: c.urls,
				clocks: c.clocks, known: c.known, said: map[string]bool{}, making: map[string]bool{},
			}
			now := time.Now()
			err := first.step(t.Context(), now)
			first.calls.Wait()
			if n < 2 && err == nil {
				t.Error("the leader noticed nothing")
			}
			before := len(p.heard())
			for range 3 {
				if err := c.step(t.Context(), now.Add(time.Second)); err != nil {
					t.Fatal(err)
				}
				c.calls.Wait()
			}
			sent, unknown, begun := map[string]bool{}, 0, 0
			for _, x := range calls(t, c, inc.ID) {
				switch x.Outcome {
				case duty.Sent:
					sent[x.Channel] = true
				case duty.Unknown:
					unknown++
				case duty.Begun:
					begun++
				}
			}
			// What was heard twice is what the record calls unknown.
			if len(sent) != 2 || begun != 0 || len(p.heard())-2 > unknown {
				t.Errorf("sent %v, %d unknown, %d begun, %d heard, %d of them by the first", sent, unknown, begun, len(p.heard()), before)
			}
		})
	}
}

// stopping refuses every write but the first few, as the store does with a leader that
// was superseded.
type stopping struct {
	kv.Store
	mu   sync.Mutex
	left int
}

func (s *stopping) Commit(ctx context.Context, x kv.Txn) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left--; s.left < 0 {
		return 0, kv.ErrFenced
	}
	return s.Store.Commit(ctx, x)
}

// TestARunThatCannotBeReadCalls: people are called for the loss all the same.
func TestARunThatCannotBeReadCalls(t *testing.T) {
	p := newTelephones(t)
	c, inc := newCaller(t, p)
	if _, err := incident.AttachRun(t.Context(), c.store, inc.ID, "gone", "kim"); err != nil {
		t.Fatal(err)
	}
	c.view = func(context.Context, string) (recovery.RunView, error) {
		return recovery.RunView{}, recovery.ErrNotFound
	}
	if err := c.step(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	if made := calls(t, c, inc.ID); len(made) == 0 {
		t.Error("nobody was called")
	}
}

func TestLinksOfCalls(t *testing.T) {
	p := newTelephones(t)
	c, inc := newCaller(t, p)
	if err := c.step(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	made := calls(t, c, inc.ID)
	var link string
	for _, h := range p.heard() {
		if m := regexp.MustCompile(`https://north\.example(/ack/[\w-]+)`).FindStringSubmatch(h); m != nil && strings.HasPrefix(h, "/sms") {
			link = m[1]
		}
	}
	if link == "" {
		t.Fatalf("no link in %q", p.heard())
	}
	a := newAnswers(answers{
		store: c.store, signer: c.signer, policy: c.Policy, titles: func(d string) string { return "<" + d + ">" }, zone: time.UTC,
		others: []string{"https://south.example"}, log: c.log,
	})
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return w
	}
	for range 3 { // a program that looks at links changes nothing
		w := ask(http.MethodGet, link)
		body := w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(body, `<form method="post">`) || !strings.Contains(body, "김봉수님") || !strings.Contains(body, "&lt;north&gt;") || !strings.Contains(body, `lang="en"`) {
			t.Fatalf("%d: %s", w.Code, body)
		}
		if csp := w.Header().Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("policy %q", csp)
		}
	}
	if w := ask(http.MethodHead, link); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
	if r := calls(t, c, inc.ID); !duty.Answered(r).IsZero() {
		t.Fatal("looking at the link answered the call")
	}
	if w := ask(http.MethodDelete, link); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", w.Code)
	}
	for name, path := range map[string]string{
		"cut off": link[:len(link)-3], "changed": link[:10] + string(link[10]^1) + link[11:], "none": "/ack/", "above": "/ack/../login",
		"other incident": ackPath + c.signer.Token("inc-other", made[0].ID, time.Now().Add(time.Hour)),
		"other call":     ackPath + c.signer.Token(inc.ID, "loss_1_0_choi_sms", time.Now().Add(time.Hour)),
		"other cluster":  ackPath + duty.NewSigner([]byte("x")).Token(inc.ID, made[0].ID, time.Now().Add(time.Hour)),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if w := ask(method, path); w.Code != http.StatusNotFound {
				t.Errorf("%s, %s: %d", name, method, w.Code)
			}
		}
	}
	if w := ask(http.MethodPost, ackPath+c.signer.Token(inc.ID, made[0].ID, time.Now().Add(-time.Hour))); w.Code != http.StatusGone {
		t.Errorf("expired: %d", w.Code)
	}
	for range 2 { // pressing twice is no error, and changes nothing
		if w := ask(http.MethodPost, link); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "기록했습니다") {
			t.Fatalf("%d: %s", w.Code, w.Body.String())
		}
	}
	r, err := incident.LoadRecord(t.Context(), c.store, inc.ID)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range r.Entries {
		if e.Call != nil && e.Call.Outcome == duty.Acknowledged {
			if n++; e.By != "kim" || e.Call.Channel != "sms" {
				t.Errorf("entry %+v", e)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d entries of the answer", n)
	}
	a.store = &cutOff{c.store}
	w := ask(http.MethodPost, link)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `href="https://south.example`+link) {
		t.Errorf("without quorum: %d %s", w.Code, w.Body.String())
	}
}

type cutOff struct{ kv.Store }

func (*cutOff) List(context.Context, string) ([]kv.Entry, int64, error) {
	return nil, 0, kv.ErrUnavailable
}

func (*cutOff) Get(context.Context, string) (kv.Entry, bool, error) {
	return kv.Entry{}, false, kv.ErrUnavailable
}

// A loss that takes the chat and one that takes nothing that people are called by.
func TestSurvivingChannels(t *testing.T) {
	snap, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(dutyEstate)}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := config.ParseDuty("duty.yaml", []byte(strings.ReplaceAll(dutyPolicy, "CHAT", "https://chat.example")))
	if err != nil {
		t.Fatal(err)
	}
	for loss, want := range map[string]string{"north": "[sms]", "south": "[chat sms]"} {
		im, err := impact.Of(snap, []string{loss})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(duty.Surviving(snap, im, policy)); got != want {
			t.Errorf("without %s %s survive, want %s", loss, got, want)
		}
	}
	problems := duty.Check(snap, policy)
	if len(problems) != 1 || problems[0].Loss != "north" || problems[0].Sentence != "when north is lost, the alarm loss has only sms left: the crew must be reachable over two at least" {
		t.Errorf("problems: %+v", problems)
	}
	policy.Channels[0].Needs = []string{"chatt"}
	policy.Channels[1].Needs = nil
	policy.Alarms[0].Crew = "platforms"
	var all []string
	for _, x := range duty.Check(snap, policy) {
		all = append(all, x.Sentence)
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{"which the estate does not know", "names nothing of the estate that it needs", "did you mean platform?", "when south is lost, the alarm loss has no channel left"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q in\n%s", want, text)
		}
	}
}

func TestDutyLinksAreURLs(t *testing.T) {
	n := &Node{o: Options{URL: "https://a.example/", Duty: &Waking{}, Cluster: []Peer{{URL: "https://a.example"}, {URL: "https://b.example"}}}}
	if got := fmt.Sprint(n.links()); got != "[https://a.example https://b.example]" {
		t.Errorf("got %s", got)
	}
	n.o.Duty.URL = "https://any.example"
	for _, l := range n.links() {
		if _, err := url.ParseRequestURI(l); err != nil {
			t.Error(err)
		}
	}
	if n.links()[0] != "https://any.example" {
		t.Errorf("got %v", n.links())
	}
}
