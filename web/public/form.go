package public

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bongsu/internal/lang"
	"bongsu/status"
)

const (
	maxBody     = 16 << 10 // of a form; 2,000 letters of Korean are 18 kB when a browser has escaped them, and see maxBodyAsk
	maxBodyAsk  = 32 << 10
	maxQuestion = 2000
	maxContact  = 254 // of an e-mail address (RFC 5321)
	maxAddress  = 2000
	maxToken    = 512
	tokenLife   = 48 * time.Hour
)

// Typed is what a reader sent in a form, and what is wrong with it. A form that is
// shown again holds all of it, so that nothing is lost.
type typed struct {
	values  url.Values
	problem string            // key of a message for the whole form, without "error."
	wrong   map[string]string // keys of messages, without "error.", by field
	args    map[string][]any  // what is filled into those messages

	// Of pages about damage.
	token     string   // of this one form
	files     bool     // files were sent, and have to be chosen again
	challenge string   // the proof of work that is asked for
	slow      bool     // the slow lane of this network is taken
	masked    int      // resident numbers in the words
	session   *session // whose claim it is
	sealed    string   // the session, where the browser keeps no cookies
	mine      *mine    // what is known of the claim
	done      string   // what was done just now
}

func (t *typed) get(field string) string {
	if t == nil {
		return ""
	}
	return t.values.Get(field)
}

func (t *typed) refuse(field, key string, args ...any) {
	if t.wrong == nil {
		t.wrong, t.args = make(map[string]string), make(map[string][]any)
	}
	t.wrong[field], t.args[field] = key, args
}

func (t *typed) ok() bool { return t.problem == "" && len(t.wrong) == 0 }

// A form is what all forms have.
type form struct {
	Open    bool // forms are taken here
	Action  string
	Token   string
	Problem string // of the whole form
}

func (v *view) form(path, name string, typed *typed) form {
	f := form{Open: v.token != nil, Action: v.out.root() + path}
	if f.Open {
		f.Token = v.token(name, v.site.now)
	}
	if typed != nil && typed.problem != "" {
		f.Problem = v.text("error." + typed.problem)
	}
	return f
}

// A field of a form.
type field struct {
	Value, Wrong string
}

func (v *view) field(name string, typed *typed) field {
	f := field{Value: typed.get(name)}
	if typed != nil && typed.wrong[name] != "" {
		args := slices.Clone(typed.args[name])
		for n := range args {
			switch x := args[n].(type) {
			case time.Time:
				args[n] = v.day(x).text
			case sum:
				args[n] = v.money(x.n, x.currency)
			}
		}
		f.Wrong = v.text("error."+typed.wrong[name], args...)
	}
	return f
}

// Ask is the form for a question.
type ask struct {
	form

	Incident      string
	Text, Contact field
	Alone         bool // on a page of its own
}

func (v *view) ask(incident string, typed *typed) *ask {
	return &ask{
		form: v.form("ask", "ask", typed), Incident: incident, Alone: typed != nil,
		Text: v.field("text", typed), Contact: v.field("contact", typed),
	}
}

type subscribe struct {
	form

	Kind     string
	Address  field
	Services []choice
	Wrong    string // of the choice of services
	Feeds    []anchor
	API      []anchor
	Badge    string
}

type choice struct {
	Name    string
	Title   words
	Checked bool
}

func (v *view) subscribe(t *typed) *subscribe {
	s := &subscribe{form: v.form("subscribe", "subscribe", t), Kind: t.get("kind"), Address: v.field("address", t), Wrong: v.field("service", t).Wrong}
	if !slices.Contains(kinds(), s.Kind) {
		s.Kind = kinds()[0]
	}
	// A long list would hide the button; who wants news of one of many services
	// finds the form with that service on its page.
	var chosen []string
	if t != nil {
		chosen = t.values["service"]
	}
	for _, it := range v.site.services {
		checked := slices.Contains(chosen, it.Name)
		if len(v.site.services) <= fewServices || checked {
			title, _ := v.named(it.Name)
			s.Services = append(s.Services, choice{it.Name, title, checked})
		}
	}
	root := v.out.root()
	s.Feeds = []anchor{
		{Href: root + "history.atom", Text: v.text("sub.feed.atom")},
		{Href: root + "history.rss", Text: v.text("sub.feed.rss")},
		{Href: root + "feed.json", Text: v.text("sub.feed.json")},
		{Href: root + "maintenance.ics", Text: v.text("work.calendar")},
	}
	s.API = []anchor{
		{Href: root + "api/v1/status.json", Text: v.text("sub.api.v1")},
		{Href: root + "api/v2/summary.json", Text: v.text("sub.api.v2")},
		{Href: root + "banner.json", Text: v.text("sub.api.banner")},
	}
	s.Badge = root + "badge.svg"
	return s
}

func kinds() []string { return []string{"email", "webhook", "slack"} }

// A decision is the page that a letter leads to: one button, because looking at a
// page must not change anything, and mail scanners look at every link.
type decision struct {
	form

	Key  string
	Link string // the token of the letter
}

func (v *view) decision(key string, t *typed) *decision {
	path := "confirm"
	if key == "unsub" {
		path = "unsubscribe"
	}
	return &decision{form: v.form(path, key, t), Key: key, Link: t.get("token")}
}

// tokens make and check the tokens of forms. They say that one of our nodes gave
// out the form, and when; they are of no reader, so that a page is the same for all.
type tokens struct{ key []byte }

func (k tokens) make(form string, now time.Time) string {
	return k.sign(form, now.Unix()/3600)
}

func (k tokens) sign(form string, hour int64) string {
	h := strconv.FormatInt(hour, 36)
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte("form\x00" + form + "\x00" + h))
	return h + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

func (k tokens) valid(form, token string, now time.Time) bool {
	h, _, ok := strings.Cut(token, ".")
	hour, err := strconv.ParseInt(h, 36, 64)
	if !ok || err != nil {
		return false
	}
	age := now.Unix()/3600 - hour
	return age >= -1 && age <= int64(tokenLife/time.Hour) && hmac.Equal([]byte(token), []byte(k.sign(form, hour)))
}

// post takes what a reader sends.
func (s *Server) post(w http.ResponseWriter, r *http.Request, path string, l lang.Lang) {
	if s.claims != nil && claimPost(path) {
		if s.cross.Check(r) != nil {
			if strings.HasPrefix(path, "api/") {
				s.problem(w, l, http.StatusForbidden, "forged")
				return
			}
			s.fail(w, r, l, http.StatusForbidden, "forged")
			return
		}
		s.postClaims(w, r, path, l)
		return
	}
	if s.desk == nil {
		s.fail(w, r, l, http.StatusMethodNotAllowed, "method")
		return
	}
	oneClick := path == "unsubscribe" && r.URL.Query().Has("token")
	if !oneClick && s.cross.Check(r) != nil {
		s.fail(w, r, l, http.StatusForbidden, "forged")
		return
	}
	limit := int64(maxBody)
	if path == "ask" {
		limit = maxBodyAsk
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			s.fail(w, r, l, http.StatusRequestEntityTooLarge, "large")
			return
		}
		s.fail(w, r, l, http.StatusBadRequest, "method")
		return
	}
	t := &typed{values: r.PostForm}
	now := time.Now()
	var form string
	var act func(*http.Request, *typed, lang.Lang) error
	switch path {
	case "ask":
		form, act = "ask", s.takeQuestion
	case "subscribe":
		form, act = "subscribe", s.takeSubscription
	case "confirm":
		form, act = "confirm", func(r *http.Request, t *typed, _ lang.Lang) error { return s.desk.Confirm(r.Context(), t.get("token")) }
	case "unsubscribe":
		form, act = "unsub", func(r *http.Request, t *typed, _ lang.Lang) error {
			return s.desk.Unsubscribe(r.Context(), t.get("token"))
		}
	default:
		s.fail(w, r, l, http.StatusMethodNotAllowed, "method")
		return
	}
	if oneClick {
		s.oneClick(w, r, l)
		return
	}
	if len(t.get("token")) > maxToken {
		s.fail(w, r, l, http.StatusBadRequest, "token")
		return
	}
	if !s.tokens.valid(form, t.get("form"), now) {
		t.problem = "stale"
		s.again(w, r, l, form, t, http.StatusForbidden)
		return
	}
	if wait, ok := s.posts.take(s.prefix(r), now); !ok {
		t.problem = "many"
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		s.again(w, r, l, form, t, http.StatusTooManyRequests)
		return
	}
	err := act(r, t, l)
	switch {
	case !t.ok():
		s.again(w, r, l, form, t, http.StatusUnprocessableEntity)
	case err == nil:
		done := map[string]string{"ask": "asked", "subscribe": "subscribed", "confirm": "confirmed", "unsub": "unsubscribed"}[form]
		http.Redirect(w, r, s.base+"/"+string(l)+"/"+done+".html", http.StatusSeeOther) //nolint:gosec // G710: l is one of two languages, done one of four words
	case errors.Is(err, ErrTooMany):
		t.problem = "many"
		w.Header().Set("Retry-After", "60")
		s.again(w, r, l, form, t, http.StatusTooManyRequests)
	case errors.Is(err, ErrToken):
		s.fail(w, r, l, http.StatusGone, "token")
	case errors.Is(err, ErrInput):
		field, key := "address", "email"
		if form == "ask" {
			field, key = "contact", "contact"
		} else if t.get("kind") != "email" {
			key = "url"
		}
		t.refuse(field, key)
		s.again(w, r, l, form, t, http.StatusUnprocessableEntity)
	default:
		if !errors.Is(err, ErrUnavailable) {
			s.log.Error("the desk broke", "form", form, "error", err.Error())
		}
		t.problem = "unavailable"
		w.Header().Set("Retry-After", "120")
		s.again(w, r, l, form, t, http.StatusServiceUnavailable)
	}
}

// oneClick ends a subscription at the word of a mail program (RFC 8058). That sends
// no cookies and no token of a form; the token of the letter is what counts.
func (s *Server) oneClick(w http.ResponseWriter, r *http.Request, l lang.Lang) {
	token := r.URL.Query().Get("token")
	if len(token) > maxToken {
		s.fail(w, r, l, http.StatusBadRequest, "token")
		return
	}
	if wait, ok := s.clicks.take(s.prefix(r), time.Now()); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	switch err := s.desk.Unsubscribe(r.Context(), token); {
	case err == nil:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("unsubscribed\n"))
	case errors.Is(err, ErrToken):
		http.Error(w, "the link is not valid any more", http.StatusGone)
	default:
		w.Header().Set("Retry-After", "120")
		http.Error(w, "nothing can be taken in now, try again in some minutes", http.StatusServiceUnavailable)
	}
}

func (s *Server) takeQuestion(r *http.Request, t *typed, l lang.Lang) error {
	text := strings.TrimSpace(strings.ToValidUTF8(t.get("text"), ""))
	contact := strings.TrimSpace(t.get("contact"))
	switch {
	case text == "":
		t.refuse("text", "text")
	case utf8.RuneCountInString(text) > maxQuestion:
		t.refuse("text", "text.long")
	}
	if contact != "" && !mailAddress(contact) {
		t.refuse("contact", "contact")
	}
	if !t.ok() {
		return nil
	}
	incident := t.get("incident")
	if _, ok := s.current().site.cases[status.Slug(incident)]; !ok {
		incident = "" // it is gone, or never was: the question is one of a reader all the same
	}
	return s.desk.Ask(r.Context(), Question{
		Incident: incident, Text: text, Contact: contact, Lang: string(l), From: s.prefix(r), At: time.Now().UTC(),
	})
}

func (s *Server) takeSubscription(r *http.Request, t *typed, l lang.Lang) error {
	address, kind := strings.TrimSpace(t.get("address")), t.get("kind")
	switch {
	case !slices.Contains(kinds(), kind):
		t.problem = "stale"
	case kind == "email" && !mailAddress(address):
		t.refuse("address", "email")
	case kind != "email" && !webAddress(address):
		t.refuse("address", "url")
	}
	site := s.current().site
	var services []string
	for _, name := range t.values["service"] {
		if site.byName[name] == nil {
			t.refuse("service", "service")
		} else if !slices.Contains(services, name) {
			services = append(services, name)
		}
	}
	if !t.ok() {
		return nil
	}
	return s.desk.Subscribe(r.Context(), Subscription{Kind: kind, Address: address, Services: services, Lang: string(l), From: s.prefix(r)})
}

// mailAddress reports whether s is one bare e-mail address and nothing that could
// become a header of a letter.
func mailAddress(s string) bool {
	if len(s) > maxContact || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>,;:\\\"()[]", r) }) {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return false
	}
	_, host, ok := strings.Cut(s, "@")
	return ok && strings.Contains(host, ".")
}

// webAddress reports whether s may be an address that we send to. Where it leads is
// judged when it is dialled.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxAddress && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Fragment == ""
}

// again shows a form with what was typed and what is wrong with it.
func (s *Server) again(w http.ResponseWriter, r *http.Request, l lang.Lang, form string, t *typed, code int) {
	s.fresh(w, r, target{kind: form}, out{lang: l, path: form}, t, code)
}
