package node

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"bongsu/duty"
	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/kv"
)

// ackPath is where the link of a call leads; the token follows.
const ackPath = "/ack/"

// ackPage is what somebody who was called sees: on a telephone, at night, without a login, in
// both languages.
type ackPage struct {
	Style    template.CSS
	State    string // ask, done, before, expired, unknown, quiet
	Incident string
	Lost     string
	Drill    bool
	Person   string
	At       string
	Others   []string
}

const ackStyle = `:root{color-scheme:light dark}body{font:1.125rem/1.6 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}` +
	`h1{font-size:1.5rem}button{font:inherit;font-weight:700;width:100%;min-height:4rem;border-radius:.5rem;border:2px solid;background:#0b57d0;color:#fff;cursor:pointer}` +
	`button:focus-visible,a:focus-visible{outline:3px solid #f9ab00;outline-offset:2px}`

const ackText = `<!doctype html>
<html lang="ko">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>bongsu</title><style>{{.Style}}</style></head>
<body><main>
{{- if eq .State "ask"}}
<h1>{{if .Drill}}[훈련] {{end}}{{.Lost}}: 응답해 주세요</h1>
<p>{{.Person}}님, 사건 {{.Incident}}의 호출입니다. 단추를 누르면 대응을 시작한다는 뜻으로 기록되고, 다음 사람을 부르지 않습니다.</p>
<p lang="en">{{.Person}}, this is a call about incident {{.Incident}}. Press the button to say that you see to it; nobody else is called then.</p>
<form method="post"><button type="submit">확인, 대응합니다 <span lang="en">· I am on it</span></button></form>
{{- else if eq .State "done"}}
<h1>기록했습니다 <span lang="en">· Noted</span></h1>
<p>{{.Person}}님이 {{.At}}에 응답했습니다. 사건 {{.Incident}}: {{.Lost}}</p>
<p lang="en">{{.Person}} answered at {{.At}}. Incident {{.Incident}}: {{.Lost}}</p>
{{- else if eq .State "expired"}}
<h1>기한이 지난 링크입니다 <span lang="en">· This link has expired</span></h1>
<p>사건은 관제 화면에서 볼 수 있습니다. <span lang="en">The console shows the incident.</span></p>
{{- else if eq .State "quiet"}}
<h1>지금은 기록할 수 없습니다 <span lang="en">· This node cannot note it now</span></h1>
<p>이 노드는 다른 노드와 연결되지 않았습니다. 다른 노드에서 여세요. <span lang="en">This node does not reach the others. Open the link at another one:</span></p>
<ul>{{range .Others}}<li><a href="{{.}}">{{.}}</a></li>{{end}}</ul>
{{- else}}
<h1>알 수 없는 링크입니다 <span lang="en">· This link is not one of ours</span></h1>
<p>받은 링크를 끝까지 옮겼는지 확인하세요. <span lang="en">Check that all of it was copied.</span></p>
{{- end}}
</main></body></html>
`

// answers serves the links of calls.
type answers struct {
	store  kv.Store
	signer duty.Signer
	policy *duty.Policy
	titles func(domain string) string
	zone   *time.Location
	others []string // where else the link may be opened
	page   *template.Template
	csp    string
	log    *slog.Logger
}

// answering serves the links of calls before everything else of the console.
func (n *Node) answering(next http.Handler) http.Handler {
	if n.o.Duty == nil {
		return next
	}
	a := newAnswers(answers{
		store: n.store, signer: duty.NewSigner(n.o.Key), policy: n.o.Duty.Policy, titles: n.title, zone: zoneOf(n.o.Clocks), log: n.log,
	})
	for _, u := range n.links() {
		if u != strings.TrimSuffix(n.o.URL, "/") {
			a.others = append(a.others, u)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, ackPath) {
			a.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func newAnswers(a answers) *answers {
	a.page = template.Must(template.New("ack").Parse(ackText))
	sum := sha256.Sum256([]byte(ackStyle))
	a.csp = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return &a
}

// title is what people call a domain.
func (n *Node) title(domain string) string {
	if s := n.cache.get().snapshot; s != nil {
		if ref, ok := s.Lookup(estate.KindDomain, domain); ok {
			return cmp.Or(s.Domains[ref.Index].Title, domain)
		}
	}
	return domain
}

// ServeHTTP implements [http.Handler].
func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", a.csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	status, p := a.answer(r, strings.TrimPrefix(r.URL.Path, ackPath))
	p.Style = ackStyle
	if status == http.StatusMethodNotAllowed {
		h.Set("Allow", "GET, HEAD, POST")
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if err := a.page.Execute(w, p); err != nil {
		a.log.Debug("the page of a link was not read to its end", "err", err)
	}
}

// answer says what to show for a token. Only a POST changes anything: programs that
// look at links in messages before people do use GET.
func (a *answers) answer(r *http.Request, token string) (int, ackPage) {
	id, call, err := a.signer.Read(token, time.Now())
	switch {
	case errors.Is(err, duty.ErrExpired):
		return http.StatusGone, ackPage{State: "expired"}
	case err != nil:
		return http.StatusNotFound, ackPage{State: "unknown"}
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		c, err := duty.Answer(r.Context(), a.store, id, call, time.Now())
		if err != nil {
			return a.refuse(err, token)
		}
		a.log.Info("a call was answered", "incident", id, "person", c.Person, "channel", c.Channel)
	default:
		return http.StatusMethodNotAllowed, ackPage{State: "unknown"}
	}
	rec, err := incident.LoadRecord(r.Context(), a.store, id)
	if err != nil {
		return a.refuse(err, token)
	}
	i := slices.IndexFunc(rec.Calls, func(c incident.Call) bool { return c.ID == call })
	if i < 0 {
		return http.StatusNotFound, ackPage{State: "unknown"}
	}
	return http.StatusOK, a.show(&rec, rec.Calls[i])
}

func (a *answers) refuse(err error, token string) (int, ackPage) {
	if errors.Is(err, duty.ErrNoCall) || errors.Is(err, incident.ErrNotFound) {
		return http.StatusNotFound, ackPage{State: "unknown"}
	}
	a.log.Warn("an answer could not be noted", "err", err)
	p := ackPage{State: "quiet"}
	for _, u := range a.others {
		p.Others = append(p.Others, u+ackPath+token)
	}
	return http.StatusServiceUnavailable, p
}

func (a *answers) show(rec *incident.Record, c incident.Call) ackPage {
	p := ackPage{State: "ask", Incident: rec.ID, Drill: rec.Drill, Person: c.Person}
	if who, ok := a.policy.Person(c.Person); ok {
		p.Person = cmp.Or(who.Title, who.Name)
	}
	var lost []string
	for _, d := range slices.Concat(rec.Lost, rec.Proposed) {
		lost = append(lost, a.titles(d))
	}
	p.Lost = strings.Join(lost, ", ")
	if !c.Answered.IsZero() {
		p.State, p.At = "done", c.Answered.In(a.zone).Format("2006-01-02 15:04:05 MST")
	}
	return p
}

// zoneOf is the zone that times are told in.
func zoneOf(p *incident.ClockPolicy) *time.Location {
	if z, err := time.LoadLocation(p.TimeZone); err == nil {
		return z
	}
	return time.UTC
}
