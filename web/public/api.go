package public

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/lang"
)

// A problem answers a program that something was not done (RFC 9457).
type problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	Errors    []fieldProblem `json:"errors,omitempty"`
	Challenge *challenge     `json:"challenge,omitempty"` // solve it and send the request again with the field altcha
}

type fieldProblem struct {
	Pointer string `json:"pointer"` // RFC 6901
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

func (s *Server) problem(w http.ResponseWriter, l lang.Lang, code int, kind string, more ...func(*problem)) {
	p := &problem{Type: "urn:bongsu:problem:" + kind, Title: s.render.word(l, "api."+kind), Status: code}
	for _, m := range more {
		m(p)
	}
	w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
	w.Header().Set("Content-Language", string(l))
	s.json(w, code, p)
}

// A claimV1 is a report as programs send it. Amounts are minor units of the window's currency.
type claimV1 struct {
	Incident string `json:"incident"`
	Service  string `json:"service"`
	Part     string `json:"part"`
	Use      string `json:"use"`
	Kind     string `json:"kind"`
	From     string `json:"from"`
	To       string `json:"to"`
	Text     string `json:"text"`
	Loss     minor  `json:"loss"`
	Best     minor  `json:"bestWeek"`
	Week     minor  `json:"outageWeek"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Phone    string `json:"phone"`
	Business string `json:"business"`
	Late     string `json:"lateReason"`
	Consent  string `json:"consent"` // version of the text that was agreed to
	Lang     string `json:"lang"`    // that answers are wanted in: ko, en
	Altcha   string `json:"altcha"`  // proof of work, when one is asked for
}

// pointerOf is where a field of the form stands in the JSON.
func pointerOf(field string) string {
	switch field {
	case "best":
		return "/bestWeek"
	case "week":
		return "/outageWeek"
	case "late":
		return "/lateReason"
	}
	return "/" + field
}

// mostKey and leastKey bound an Idempotency-Key.
const (
	leastKey = 16
	mostKey  = 128
)

// apiFile files a report of a program.
func (s *Server) apiFile(w http.ResponseWriter, r *http.Request, l lang.Lang) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.problem(w, l, http.StatusUnsupportedMediaType, "media-type")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if unquoted, err := strconv.Unquote(key); err == nil && strings.HasPrefix(key, `"`) {
		key = unquoted // the draft has it as a string of structured fields
	}
	if key == "" {
		s.problem(w, l, http.StatusBadRequest, "key-missing")
		return
	}
	if len(key) < leastKey || len(key) > mostKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		s.problem(w, l, http.StatusBadRequest, "key-bad")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostWords))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			s.problem(w, l, http.StatusRequestEntityTooLarge, "large")
			return
		}
		s.problem(w, l, http.StatusBadRequest, "json", func(p *problem) { p.Detail = err.Error() })
		return
	}
	var in claimV1
	if why := decodeClaim(body, &in); why != "" {
		s.problem(w, l, http.StatusBadRequest, "json", func(p *problem) { p.Detail = why })
		return
	}
	if asked := lang.Lang(in.Lang); lang.Known(asked) {
		l = asked
	}
	s.apiTake(w, r, l, &in, key)
}

// decodeClaim reads the JSON, strictly; why says what is wrong with it.
func decodeClaim(body []byte, in *claimV1) (why string) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Sprintf("/%s: a %s is not taken there", t.Field, t.Value)
		}
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	if d.More() {
		return "there is more after the first value"
	}
	return ""
}

// typedOf is a report of a program as the form would have sent it.
func (c *claimV1) typedOf() *typed {
	v := url.Values{
		"incident": {c.Incident}, "service": {c.Service + "/" + c.Part}, "use": {c.Use}, "kind": {c.Kind}, "from": {c.From}, "to": {c.To}, "text": {c.Text},
		"name": {c.Name}, "email": {c.Email}, "phone": {c.Phone}, "business": {c.Business}, "late": {c.Late}, "consent": {c.Consent},
	}
	if c.Service == "" {
		v.Del("service")
	}
	for name, n := range map[string]minor{"loss": c.Loss, "best": c.Best, "week": c.Week} {
		if n != 0 {
			v.Set(name, strconv.FormatInt(int64(n), 10))
		}
	}
	return &typed{values: v}
}

func (s *Server) apiTake(w http.ResponseWriter, r *http.Request, l lang.Lang, in *claimV1, key string) {
	now := time.Now()
	x := s.current().site
	t := in.typedOf()
	win := x.claims.window(in.Incident)
	switch {
	case x.claims == nil: // started just now
		w.Header().Set("Retry-After", "5")
		s.problem(w, l, http.StatusServiceUnavailable, "unavailable")
		return
	case win == nil:
		t.refuse("incident", "report.incident")
		s.fieldProblems(w, l, t)
		return
	case takes(win, now) == claim.Over, takes(win, now) == claim.Early:
		s.problem(w, l, http.StatusConflict, "closed")
		return
	}
	read := &reading{typed: t, window: win, site: x, now: now, lang: l, minor: true}
	report := read.report()
	if !t.ok() {
		s.fieldProblems(w, l, t)
		return
	}
	report.Claim.Channel, report.Key = claim.ByAPI, "api:"+key
	report.Marks = claim.MarksOf(&report.Personal, "", "")
	end, _ := s.claims.running.begin(report.Key)
	if end == nil {
		w.Header().Set("Retry-After", "1")
		s.problem(w, l, http.StatusConflict, "key-running")
		return
	}
	filed := false
	defer func() { end(filed) }()
	if !s.claims.running.filed(report.Key) {
		if wait, err := s.admit(r.Context(), s.prefix(r), in.Altcha, &report.Personal, now); err != nil {
			s.apiRefused(w, l, err, wait)
			return
		}
	}
	receipt, err := s.claims.Taker.File(r.Context(), report)
	if err != nil {
		s.apiNotFiled(w, r, l, t, err)
		return
	}
	filed = true
	code := http.StatusCreated
	if receipt.Again {
		code = http.StatusOK
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Location", s.base+"/api/v1/claims/"+receipt.ID)
	s.json(w, code, struct {
		Code   string      `json:"code"`
		Secret string      `json:"secret"`
		Again  bool        `json:"again"`
		State  claim.State `json:"state"`
		Masked int         `json:"masked"` // resident numbers that were masked in the text
		URL    string      `json:"url"`
	}{receipt.ID, receipt.Secret, receipt.Again, claim.Received, read.masked, x.Catalog.URL + "/" + string(l) + "/claim.html"})
}

func (s *Server) fieldProblems(w http.ResponseWriter, l lang.Lang, t *typed) {
	v := &view{renderer: s.render, site: s.current().site, out: out{lang: l}}
	s.problem(w, l, http.StatusUnprocessableEntity, "fields", func(p *problem) {
		for _, field := range slices.Sorted(maps.Keys(t.wrong)) {
			p.Errors = append(p.Errors, fieldProblem{pointerOf(field), strings.TrimPrefix(t.wrong[field], "report."), v.field(field, t).Wrong})
		}
	})
}

func (s *Server) apiRefused(w http.ResponseWriter, l lang.Lang, err error, wait time.Duration) {
	if !errors.Is(err, errProofNeeded) && !errors.Is(err, errProofBad) && !errors.Is(err, errProofOld) && !errors.Is(err, errProofUsed) {
		w.Header().Set("Retry-After", "60")
		s.problem(w, l, http.StatusServiceUnavailable, "unavailable")
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	s.problem(w, l, http.StatusTooManyRequests, "proof", func(p *problem) {
		c := s.claims.proofs.challenge(time.Now(), s.claims.surge.cost())
		p.Challenge, p.Detail = &c, err.Error()
	})
}

func (s *Server) apiNotFiled(w http.ResponseWriter, r *http.Request, l lang.Lang, t *typed, err error) {
	switch {
	case errors.Is(err, claim.ErrReused):
		s.problem(w, l, http.StatusUnprocessableEntity, "key-reused")
	case errors.Is(err, claim.ErrClosed):
		s.problem(w, l, http.StatusConflict, "closed")
	case t.wanting(err) && t.problem == "":
		s.fieldProblems(w, l, t)
	case errors.Is(err, claim.ErrInput):
		s.problem(w, l, http.StatusUnprocessableEntity, "input", func(p *problem) { p.Detail = err.Error() })
	default:
		if !errors.Is(err, claim.ErrUnavailable) && r.Context().Err() == nil {
			s.log.Error("a report was not kept", "error", err.Error())
		}
		w.Header().Set("Retry-After", "60")
		s.problem(w, l, http.StatusServiceUnavailable, "unavailable")
	}
}

// cutCode takes the code off the address of a claim.
func cutCode(path string) (string, bool) {
	code, ok := strings.CutPrefix(path, "api/v1/claims/")
	return code, ok && code != "" && !strings.Contains(code, "/")
}

// A mineV1 is what a program learns about one claim.
type mineV1 struct {
	Code     string      `json:"code"`
	Incident string      `json:"incident"`
	State    claim.State `json:"state"`
	Told     string      `json:"told"` // the state in plain words
	Filed    time.Time   `json:"filed"`
	Changed  time.Time   `json:"changed"`
	Next     *time.Time  `json:"next"`
	Appeal   *time.Time  `json:"appealUntil"`
	Currency string      `json:"currency"`
	Decision *decisionV1 `json:"decision"` // null: none yet
	Files    int         `json:"files"`
}

type decisionV1 struct {
	Outcome  policy.Outcome    `json:"outcome"`
	Form     policy.Form       `json:"form"`
	Amount   int64             `json:"amount"`
	Hours    int64             `json:"hours"`
	Ground   policy.Ground     `json:"ground"`
	Reason   map[string]string `json:"reason"`
	Evidence []string          `json:"evidence"`
	Policy   string            `json:"policy"`
	Person   bool              `json:"byPerson"`
}

// apiClaim answers how a claim stands, to who holds its secret.
func (s *Server) apiClaim(w http.ResponseWriter, r *http.Request, l lang.Lang, code string) {
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || secret == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="receipt"`)
		s.problem(w, l, http.StatusUnauthorized, "receipt")
		return
	}
	c, err := s.check(r, claim.NormalCode(code), claim.NormalCode(strings.TrimSpace(secret)))
	switch {
	case errors.Is(err, ErrTooMany):
		w.Header().Set("Retry-After", "10")
		s.problem(w, l, http.StatusTooManyRequests, "many")
		return
	case errors.Is(err, claim.ErrSecret):
		w.Header().Set("WWW-Authenticate", `Bearer realm="receipt"`)
		s.problem(w, l, http.StatusUnauthorized, "receipt")
		return
	case err != nil:
		w.Header().Set("Retry-After", "60")
		s.problem(w, l, http.StatusServiceUnavailable, "unavailable")
		return
	}
	history, err := s.claims.Asker.History(r.Context(), c.ID)
	if err != nil {
		w.Header().Set("Retry-After", "60")
		s.problem(w, l, http.StatusServiceUnavailable, "unavailable")
		return
	}
	m := mineV1{
		Code: c.ID, Incident: c.Incident, State: c.State, Told: s.render.word(l, "mine.what."+whatOf(&c, history)), Filed: c.Filed.UTC(), Changed: c.Changed.UTC(),
		Next: whenever(c.NextAt), Appeal: whenever(c.Appeal), Currency: c.Currency, Files: len(c.Files),
	}
	if d := decisionOf(&c); d != nil && c.State != claim.Review && c.State != claim.Appealed && !ended(&c) {
		m.Decision = &decisionV1{d.Outcome, d.Form, d.Amount, d.Hours, d.Ground, d.Reason, append([]string{}, d.Evidence...), d.Policy, c.Decider != ""}
		if d.Outcome != policy.Pay { // what it may come to is promised to nobody
			m.Decision.Form, m.Decision.Amount, m.Decision.Hours, m.Decision.Ground = policy.Nothing, 0, 0, ""
		}
	}
	s.json(w, http.StatusOK, m)
}

func whenever(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// A windowV1 is a window as programs see it.
type windowV1 struct {
	Incident  string            `json:"incident"`
	Title     map[string]string `json:"title"`
	Phase     claim.Phase       `json:"phase"`
	Currency  string            `json:"currency"`
	Opens     time.Time         `json:"opens"`
	Closes    time.Time         `json:"closes"`
	LateUntil *time.Time        `json:"lateUntil"`
	Reasons   []claim.Named     `json:"lateReasons"`
	Services  []serviceChoiceV1 `json:"services"`
	Evidence  []claim.Named     `json:"evidence"`
	Consent   claim.ConsentText `json:"consent"`
	URL       string            `json:"url"` // of the form
}

type serviceChoiceV1 struct {
	Service string            `json:"service"`
	Part    string            `json:"part"`
	Title   map[string]string `json:"title"`
}

func (x *site) windowsV1() []windowV1 {
	list := []windowV1{}
	if x.claims == nil {
		return list
	}
	for i := range x.claims.Windows {
		w := &x.claims.Windows[i]
		y := windowV1{
			Incident: w.Incident, Title: w.Title, Phase: w.At(x.now), Currency: w.Currency, Opens: w.Opens.UTC(), Closes: w.Closes.UTC(), LateUntil: whenever(w.LateUntil),
			Reasons: append([]claim.Named{}, w.Reasons...), Services: []serviceChoiceV1{}, Evidence: append([]claim.Named{}, w.Evidence...), Consent: w.Consent,
			URL: x.Catalog.URL + "/report.html?incident=" + url.QueryEscape(w.Incident),
		}
		for _, n := range x.reportable(w) {
			y.Services = append(y.Services, serviceChoiceV1{n.service, n.part, n.title})
		}
		list = append(list, y)
	}
	return list
}
