package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/incident"
	"bongsu/internal/lang"
	"bongsu/internal/mark"
)

// Options are what a [Server] is made of.
type Options struct {
	Backend  Backend
	Accounts Accounts
	Key      []byte       // signs sessions and form tokens; at least 32 bytes, the same on every node or each its own
	Log      *slog.Logger // nil logs nothing
	Base     string       // path prefix that the console is mounted under; empty for the root
}

// A Server is the console and the JSON API of one node.
type Server struct {
	backend  Backend
	accounts Accounts
	key      []byte
	log      *slog.Logger
	base     string

	messages  lang.Catalogues
	sentences sentences
	assets    map[string]asset // by name in static/
	byPath    map[string]asset // by hashed name
	pages     *printers
	composer  composer
	mark      *mark.Renderer
	handler   http.Handler
	crowd     *crowd // who watches live

	perPair *limiter // log-in attempts by account and address
	perPeer *limiter // by address alone, against guessing names
	hashing chan struct{}
}

// Limits of what a request may be. An estate is pushed in one request.
const (
	maxForm   = 64 << 10
	maxUpdate = 512 << 10 // percent-encoded Korean takes nine bytes a letter
	maxEstate = 64 << 20
	maxBackup = 1 << 30
)

// New checks the options and returns the server. Its goroutines are those of the
// requests that it serves, and one while somebody watches live: [Server.Close] ends it.
func New(o Options) (*Server, error) {
	if len(o.Key) < 32 {
		return nil, errors.New("the key that signs sessions has fewer than 32 bytes: bongsu init makes one")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		backend:  o.Backend,
		accounts: o.Accounts,
		key:      slices.Clone(o.Key),
		log:      o.Log,
		base:     strings.TrimSuffix(o.Base, "/"),
		byPath:   make(map[string]asset),
		mark:     mark.New(),
		perPair:  newLimiter(5, 30*time.Second, 10_000),
		perPeer:  newLimiter(30, 5*time.Second, 10_000),
		hashing:  make(chan struct{}, 2), // each password check takes tens of MB and a core
	}
	s.crowd = newCrowd(o.Backend, func(p pass) bool { return s.holder(p).Role >= Viewer })
	var err error
	if s.messages, err = loadCatalogues(); err != nil {
		return nil, err
	}
	s.sentences = newSentences(s.messages)
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	for _, a := range s.assets {
		s.byPath[a.path] = a
	}
	if s.pages, err = newPrinters(s); err != nil {
		return nil, err
	}
	s.handler = s.build()
	return s, nil
}

// ServeHTTP answers a request. Every answer carries the security headers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Configure sets the time limits of the http.Server that will serve s. Writing
// has none, because events and backups are streams; those end with their reader.
func (s *Server) Configure(h *http.Server) {
	h.Handler = s
	h.ReadHeaderTimeout = 10 * time.Second
	h.ReadTimeout = 5 * time.Minute
	h.IdleTimeout = 2 * time.Minute
	h.MaxHeaderBytes = 32 << 10
}

// A route is one address of the console or the API.
type route struct {
	method  string
	path    string // below the base, as http.ServeMux writes patterns
	role    Role   // the least that may use it; Nobody needs no account
	limit   int64  // of the body
	handler func(http.ResponseWriter, *http.Request, Identity) error
}

// routes is the one list of what the server answers. Whatever changes the world
// is a POST, and a test walks this list to prove that no GET does.
func (s *Server) routes() []route {
	const api = "/api/v1"
	return []route{
		{http.MethodGet, "/{$}", Viewer, maxForm, s.nowPage},
		{http.MethodGet, "/runs", Viewer, maxForm, s.runsPage},
		{http.MethodGet, "/runs/{id}", Viewer, maxForm, s.runPage},
		{http.MethodGet, "/incidents", Viewer, maxForm, s.incidentsPage},
		{http.MethodGet, "/incidents/{id}", Viewer, maxForm, s.incidentPage},
		{http.MethodGet, "/incidents/{id}/compose", Operator, maxForm, s.composePage},
		{http.MethodGet, "/incidents/{id}/report", Viewer, maxForm, s.reportPage},
		{http.MethodGet, "/incidents/{id}/letters/{name}", Viewer, maxForm, s.letter},
		{http.MethodGet, "/hosts", Viewer, maxForm, s.hostsPage},
		{http.MethodGet, "/impact", Viewer, maxForm, s.impactPage},
		{http.MethodGet, "/journal", Viewer, maxForm, s.journalPage},
		{http.MethodGet, "/audit", Viewer, maxForm, s.auditPage},
		{http.MethodGet, "/estate", Viewer, maxForm, s.estatePage},
		{http.MethodGet, "/login", Nobody, maxForm, s.loginPage},
		{http.MethodPost, "/login", Nobody, maxForm, s.login},
		{http.MethodPost, "/logout", Nobody, maxForm, s.logout},
		{http.MethodPost, "/language", Nobody, maxForm, s.language},
		{http.MethodPost, "/incidents", Operator, maxForm, s.formDeclare},
		{http.MethodPost, "/incidents/{id}/compose", Operator, maxUpdate, s.compose},
		{http.MethodPost, "/incidents/{id}/{verb}", Operator, maxForm, s.formIncident},
		{http.MethodPost, "/runs/{id}/{verb}", Operator, maxForm, s.formRun},
		{http.MethodPost, "/runs/{id}/steps/{rest...}", Operator, maxForm, s.formStep},
		{http.MethodPost, "/estate/rollback", Approver, maxForm, s.formRollback},

		{http.MethodGet, api + "/healthz", Nobody, maxForm, s.apiHealth},
		{http.MethodGet, api + "/now", Viewer, maxForm, s.apiNow},
		{http.MethodGet, api + "/events", Viewer, maxForm, s.apiEvents},
		{http.MethodGet, api + "/members", Viewer, maxForm, s.apiMembers},
		{http.MethodGet, api + "/incidents", Viewer, maxForm, s.apiIncidents},
		{http.MethodGet, api + "/incidents/{id}", Viewer, maxForm, s.apiIncident},
		{http.MethodGet, api + "/incidents/{id}/record", Viewer, maxForm, s.apiRecord},
		{http.MethodGet, api + "/incidents/{id}/report", Viewer, maxForm, s.apiReport},
		{http.MethodGet, api + "/incidents/{id}/export", Viewer, maxForm, s.apiExport},
		{http.MethodGet, api + "/incidents/{id}/letters", Viewer, maxForm, s.apiLetters},
		{http.MethodPost, api + "/incidents", Operator, maxForm, s.apiDeclare},
		{http.MethodPost, api + "/incidents/{id}/{verb}", Operator, maxUpdate, s.apiIncidentVerb},
		{http.MethodGet, api + "/maintenances", Viewer, maxForm, s.apiMaintenances},
		{http.MethodPost, api + "/maintenances/{id}/{verb}", Approver, maxUpdate, s.apiMaintenance},
		{http.MethodGet, api + "/runs", Viewer, maxForm, s.apiRuns},
		{http.MethodGet, api + "/runs/{id}", Viewer, maxForm, s.apiRun},
		{http.MethodPost, api + "/runs/{id}/{verb}", Operator, maxForm, s.apiRunVerb},
		{http.MethodPost, api + "/runs/{id}/steps/{rest...}", Operator, maxForm, s.apiStepVerb},
		{http.MethodGet, api + "/hosts", Viewer, maxForm, s.apiHosts},
		{http.MethodGet, api + "/journal", Viewer, maxForm, s.apiJournal},
		{http.MethodGet, api + "/audit", Viewer, maxForm, s.apiAudit},
		{http.MethodGet, api + "/estate", Viewer, maxForm, s.apiEstate},
		{http.MethodPost, api + "/estate", Approver, maxEstate, s.apiPush},
		{http.MethodGet, api + "/estate/log", Viewer, maxForm, s.apiEstateLog},
		{http.MethodPost, api + "/estate/rollback", Approver, maxForm, s.apiRollback},
		{http.MethodGet, api + "/backup", Approver, maxForm, s.apiBackup},
		{http.MethodPost, api + "/restore", Approver, maxBackup, s.apiRestore},
		{http.MethodPost, api + "/members/replace", Approver, maxForm, s.apiReplace},
		{http.MethodPost, api + "/members/move", Approver, maxForm, s.apiMove},
		{http.MethodPost, api + "/members/repair", Approver, maxForm, s.apiRepair},
		{http.MethodPost, api + "/ping", Operator, maxForm, s.apiPing},
	}
}

func (s *Server) build() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.routes() {
		mux.Handle(rt.method+" "+s.base+rt.path, s.guard(rt))
	}
	mux.HandleFunc("GET "+s.base+"/assets/{name}", s.serveAsset)
	mux.HandleFunc("GET "+s.base+"/favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.base+"/assets/"+s.assets["icon.svg"].path, http.StatusFound)
	})
	mux.HandleFunc(s.base+"/", func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(withMethod(r, http.MethodGet)); r.Method != http.MethodGet && pattern != s.base+"/" {
			s.fail(w, r, errMethod)
			return
		}
		s.fail(w, r, errNotFound)
	})
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errForged) }))
	return s.headers(s.rescue(cross.Handler(mux)))
}

func withMethod(r *http.Request, method string) *http.Request {
	c := r.Clone(r.Context())
	c.Method = method
	return c
}

// guard lets a request through to its route when the reader may use it, and
// turns whatever the handler returns into an answer.
func (s *Server) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, rt.limit)
		id, byToken := s.identify(r)
		r = r.WithContext(context.WithValue(r.Context(), identityKey{}, id))
		switch {
		case rt.role > Nobody && id.Role == Nobody:
			s.fail(w, r, errLogin)
			return
		case id.Role < rt.role:
			s.fail(w, r, fmt.Errorf("%s is %s, and this needs %s: %w", id.Name, id.Role, rt.role, errRole))
			return
		}
		if rt.method == http.MethodPost && !byToken {
			if !isAPI(s, r) {
				if err := r.ParseForm(); err != nil {
					s.fail(w, r, badForm(err))
					return
				}
			}
			if !s.formOK(r, id.Name) {
				s.fail(w, r, errStaleForm)
				return
			}
		}
		if err := rt.handler(w, r, id); err != nil {
			s.fail(w, r, err)
		}
	})
}

type identityKey struct{}

func identityOf(r *http.Request) Identity {
	id, _ := r.Context().Value(identityKey{}).(Identity)
	return id
}

func badForm(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
	}
	return fmt.Errorf("%w: %v", ErrBadInput, err)
}

func isAPI(s *Server, r *http.Request) bool { return strings.HasPrefix(r.URL.Path, s.base+"/api/") }

// headers sets what every answer carries.
func (s *Server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// rescue keeps one broken page from ending the node, which has better things to do.
func (s *Server) rescue(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				s.log.Error("a page broke", "path", r.URL.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
				s.fail(w, r, errors.New("the page broke while it was made"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// fail answers with the error: JSON below /api/, else a page that says what
// happened, why, and what to do next.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the reader left
	}
	p := problem(err)
	if p.Status >= http.StatusInternalServerError {
		s.log.Warn("request failed", "path", r.URL.Path, "code", p.Code, "error", err.Error())
	}
	if w.Header().Get("Retry-After") == "" && p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	if isAPI(s, r) {
		if p.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="bongsu"`)
		}
		writeJSON(w, p.Status, map[string]*Error{"error": p})
		return
	}
	if errors.Is(err, errLogin) && r.Method == http.MethodGet {
		to := "/login"
		if r.URL.Path != s.base+"/" {
			to += "?next=" + url.QueryEscape(strings.TrimPrefix(r.URL.RequestURI(), s.base))
		}
		s.leadTo(w, r, to)
		return
	}
	if err := s.render(w, r, p.Status, "error", "title.error", p); err != nil {
		s.log.Error("the error page broke", "path", r.URL.Path, "error", err.Error())
		http.Error(w, p.Code+": "+p.Message, p.Status)
	}
}

// A page is what every template is given.
type page struct {
	Name  string // of the template
	Title string // key of the message
	Path  string // of the request, with its query, below the base
	Lang  lang.Lang
	Zone  *time.Location // nil when the reader's is not known
	Who   Identity
	Token string
	Live  bool // the script keeps it up to date
	Now   *Now // nil before anybody has signed in, and when it cannot be told
	At    time.Time
	Data  any
	link  func(segments ...string) string
}

// Can reports whether the reader's role allows what role r may do, and whether
// this node could commit it.
func (p *page) Can(r Role) bool { return p.Who.Role >= r && p.Now != nil && p.Now.Quorum.OK }

// Operator and Approver are what templates ask for.
func (p *page) Operator() bool { return p.Can(Operator) }

// Approver reports whether the reader may approve now.
func (p *page) Approver() bool { return p.Can(Approver) }

// Spark is the picture of the trend; the template asks for it only where there is one.
func (p *page) Spark() spark { return p.Now.Room.Trend.spark(p.Now.At) }

// NextClock is the duty that is late or due next; nil when there is none.
func (p *page) NextClock() *Clock {
	for i := range p.Now.Room.Clocks {
		if c := &p.Now.Room.Clocks[i]; c.State != incident.ClockIsDone {
			return c
		}
	}
	return nil
}

// Allows reports whether the reader may decide what waits.
func (p *page) Allows(w Waiting) bool {
	least, err := ParseRole(w.Role)
	return err == nil && p.Can(least)
}

// Of is where a decision about what waits is sent to.
func (p *page) Of(w Waiting, v Verb) string {
	if w.Step != "" {
		return p.link("runs", w.Run, "steps", w.Step, string(v))
	}
	return p.link("runs", w.Run, string(v))
}

// Past reports whether a moment is over.
func (p *page) Past(at time.Time) bool { return p.At.After(at) }

// Newest returns entries newest first.
func (p *page) Newest(es []incident.Entry) []incident.Entry {
	es = slices.Clone(es)
	slices.Reverse(es)
	return es
}

// Beacons returns how many of the five beacons burn. In Joseon one fire meant
// that all is well, two that something is seen, three that it comes near, four
// that it crossed the border and five that there is battle.
func (p *page) Beacons() int {
	switch n := p.Now; {
	case n == nil:
		return 0
	case !n.Quorum.OK:
		return 5
	case n.Incident != nil && n.Incident.State == StateDeclared:
		return 4
	case n.Incident != nil:
		return 3
	case slices.ContainsFunc(n.Sites, func(s Site) bool { return s.State != StateUp }), n.Totals.Down > 0:
		return 2
	}
	return 1
}

// render writes a page as a whole or not at all: it is made in memory first.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) error {
	id := identityOf(r)
	p := &page{
		Name:  name,
		Title: title,
		Path:  strings.TrimPrefix(r.URL.RequestURI(), s.base),
		Lang:  s.langOf(r),
		Zone:  s.zoneOf(r),
		Who:   id,
		Token: s.formToken(w, r, id.Name),
		Live:  name != "login" && name != "error",
		Data:  data,
		link:  s.link,
	}
	if r.Method != http.MethodGet {
		p.Path = "/" // a language switch must lead to a page, not to a form's target
	}
	if id.Role > Nobody {
		if now, err := s.now(r.Context()); err == nil {
			p.Now, p.At = now, now.At
		} else if name != "error" {
			return err
		}
	}
	if p.At.IsZero() {
		p.At = time.Now().UTC()
	}
	var b bytes.Buffer
	if err := s.pages.execute(&b, p); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", string(p.Lang))
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	if err != nil {
		s.log.Debug("the reader left before the page was sent", "path", r.URL.Path, "error", err.Error())
	}
	return nil
}

func (s *Server) langOf(r *http.Request) lang.Lang {
	if c, err := r.Cookie(s.cookieName(r, langCookie)); err == nil && slices.Contains(lang.All(), lang.Lang(c.Value)) {
		return lang.Lang(c.Value)
	}
	return lang.Choose(r.Header.Get("Accept-Language"))
}

// zoneOf returns the zone that the script has put into a cookie, or nil.
func (s *Server) zoneOf(r *http.Request) *time.Location {
	c, err := r.Cookie(zoneCookie)
	if err != nil || c.Value == "" || len(c.Value) > 64 || c.Value == "Local" {
		return nil
	}
	loc, err := time.LoadLocation(c.Value)
	if err != nil {
		return nil
	}
	return loc
}
