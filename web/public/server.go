package public

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bongsu/internal/lang"
)

// Options are what a [Server] is made of.
type Options struct {
	Source Source
	Desk   Desk           // nil: the pages offer no forms
	Claims *Claims        // nil: there are no pages about damage
	Key    []byte         // signs form tokens; at least 32 bytes and the same on every node, so that a form outlives the one that gave it; empty: one of its own
	Log    *slog.Logger   // nil logs nothing
	Base   string         // path prefix that the pages are mounted under; empty for the root
	Trust  []netip.Prefix // of proxies whose X-Forwarded-For is believed; empty: none
}

// A Server answers readers. It is a [http.Handler].
type Server struct {
	source Source
	desk   Desk
	claims *counter // nil: no reports are taken
	log    *slog.Logger
	base   string
	trust  []netip.Prefix

	render *renderer
	tokens tokens
	cross  *http.CrossOriginProtection
	posts  *limiter // forms by prefix
	clicks *limiter // one-click unsubscriptions by prefix: mail providers send many

	now   atomic.Pointer[cache]
	renew sync.Mutex
}

// New checks the options and returns the server. Its only goroutines are those of
// the requests that it serves.
func New(o Options) (*Server, error) {
	if o.Source == nil {
		return nil, errors.New("the public site has no source of its state")
	}
	key := slices.Clone(o.Key)
	if len(key) == 0 {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails, as crypto/rand says
	}
	if len(key) < 32 {
		return nil, errors.New("the key that signs forms has fewer than 32 bytes: bongsu init makes one")
	}
	r, err := newRenderer()
	if err != nil {
		return nil, err
	}
	s := &Server{
		source: o.Source, desk: o.Desk, log: o.Log, base: strings.TrimSuffix(o.Base, "/"), trust: slices.Clone(o.Trust), render: r,
		tokens: tokens{key}, cross: http.NewCrossOriginProtection(),
		posts: newLimiter(10, 30*time.Second, 20_000), clicks: newLimiter(200, time.Second, 20_000),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.desk != nil {
		r.token = s.tokens.make
	}
	if o.Claims != nil {
		if s.claims, err = newCounter(*o.Claims, key); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Configure sets the handler and the limits of the http.Server that will serve s:
// a request is small, and whoever sends or reads it too slowly is let go.
func (s *Server) Configure(h *http.Server) {
	h.Handler = s
	h.ReadHeaderTimeout = 5 * time.Second
	h.ReadTimeout = 15 * time.Second
	h.WriteTimeout = 60 * time.Second
	h.IdleTimeout = 30 * time.Second
	h.MaxHeaderBytes = 16 << 10
}

// ServeHTTP answers a request. Every answer carries the security headers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Content-Security-Policy"] = []string{s.render.policy + "; frame-ancestors 'none'"}
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = sameOrigin
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	defer s.rescue(w, r)
	path, below := strings.CutPrefix(r.URL.Path, s.base+"/")
	if !below {
		if s.base != "" && r.URL.Path == s.base {
			http.Redirect(w, r, s.base+"/", http.StatusMovedPermanently)
			return
		}
		s.fail(w, r, s.langOf(r), http.StatusNotFound, "not-found")
		return
	}
	l, rest, inTree := cutLang(path)
	if !inTree {
		l = s.langOf(r)
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.get(w, r, out{lang: l, neutral: !inTree, path: rest})
	case http.MethodPost:
		s.post(w, r, rest, l)
	case http.MethodOptions:
		h.Set("Allow", "GET, HEAD, POST, OPTIONS")
		if strings.HasSuffix(rest, ".json") {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Allow-Methods", "GET, HEAD")
			h.Set("Access-Control-Allow-Headers", "*")
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		h.Set("Allow", "GET, HEAD, POST, OPTIONS")
		s.fail(w, r, l, http.StatusMethodNotAllowed, "method")
	}
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, o out) {
	if o.neutral && strings.HasPrefix(o.path, "assets/") {
		s.asset(w, r, o.path)
		return
	}
	if o.path == "confirm" || o.path == "unsubscribe" {
		form := map[string]string{"confirm": "confirm", "unsubscribe": "unsub"}[o.path]
		token := r.URL.Query().Get("token")
		if s.desk == nil || token == "" || len(token) > maxToken {
			s.fail(w, r, o.lang, http.StatusNotFound, "token")
			return
		}
		s.fresh(w, r, target{kind: form}, o, &typed{values: map[string][]string{"token": {token}}}, http.StatusOK)
		return
	}
	if o.path == "subscribe.html" && r.URL.Query().Has("service") && s.desk != nil {
		s.fresh(w, r, target{kind: "subscribe"}, o, &typed{values: map[string][]string{"service": r.URL.Query()["service"][:1]}}, http.StatusOK)
		return
	}
	if s.claims != nil && s.getClaims(w, r, o) {
		return
	}
	c := s.current()
	e := c.entry(s.render, o)
	if e == nil {
		s.missing(w, r, c, o)
		return
	}
	if e.err != nil {
		s.log.Error("a page broke while it was made", "path", r.URL.Path, "error", e.err.Error())
		s.fail(w, r, o.lang, http.StatusInternalServerError, "broken")
		return
	}
	if o.path == "compensation.html" { // the only cached page with a style sheet of its own
		w.Header()["Content-Security-Policy"] = []string{s.render.claimPolicy + "; frame-ancestors 'none'"}
	}
	e.serve(w, r, o.neutral)
}

// missing leads from an address without its ending to the page.
func (s *Server) missing(w http.ResponseWriter, r *http.Request, c *cache, o out) {
	for _, p := range []string{o.path + ".html", strings.TrimSuffix(o.path, "/") + ".html", o.path + "/index.html"} {
		_, ok := c.site.find(p, s.desk != nil)
		if ok || (lang.Known(lang.Lang(o.path)) && p == o.path+"/index.html") {
			http.Redirect(w, r, s.base+"/"+prefixOf(o)+strings.TrimSuffix(p, "index.html"), http.StatusFound)
			return
		}
	}
	s.fail(w, r, o.lang, http.StatusNotFound, "not-found")
}

func prefixOf(o out) string {
	if o.neutral {
		return ""
	}
	return string(o.lang) + "/"
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request, path string) {
	b, ok := s.render.assets[path]
	if !ok {
		s.fail(w, r, s.langOf(r), http.StatusNotFound, "not-found")
		return
	}
	w.Header().Set("Content-Type", MediaType(path))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(b)
	}
}

// fresh makes a page for one reader, which nobody keeps.
func (s *Server) fresh(w http.ResponseWriter, r *http.Request, t target, o out, typed *typed, code int) {
	if r.URL.RawQuery != "" && o.path != "" {
		o.query = "?" + r.URL.RawQuery
	}
	b, err := s.render.page(s.current().site, t, o, typed)
	if err != nil {
		s.log.Error("a page broke while it was made", "path", r.URL.Path, "error", err.Error())
		http.Error(w, http.StatusText(code), code)
		return
	}
	s.write(w, r, t, o, b, code)
}

// write sends a page that nobody keeps.
func (s *Server) write(w http.ResponseWriter, r *http.Request, t target, o out, b []byte, code int) {
	h := w.Header()
	if s.render.claimPage(t.kind) {
		h["Content-Security-Policy"] = []string{s.render.claimPolicy + "; frame-ancestors 'none'"}
		h.Set("Referrer-Policy", "no-referrer")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(o.lang))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b)
	}
}

// fail answers with a page that says what happened and what to do next.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, l lang.Lang, code int, key string) {
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, s.base), "/")
	if strings.HasSuffix(path, ".json") || strings.Contains(path, "api/") {
		if in, _, ok := cutLang(path); ok {
			l = in
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		s.problem(w, l, code, strings.TrimPrefix(key, "mine."), func(p *problem) {
			p.Title, p.Detail = s.render.word(l, "error."+key+".title"), s.render.word(l, "error."+key+".what")
		})
		return
	}
	o := out{lang: l, neutral: true, path: path}
	if in, rest, ok := cutLang(path); ok {
		o = out{lang: in, path: rest}
	}
	s.fresh(w, r, target{kind: "error"}, o, &typed{problem: key}, code)
}

// rescue keeps one broken page from ending the process.
func (s *Server) rescue(w http.ResponseWriter, r *http.Request) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		panic(v)
	default:
		s.log.Error("a page broke", "path", r.URL.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		http.Error(w, "the page broke while it was made", http.StatusInternalServerError)
	}
}

// langOf is the language that a reader wants: what was chosen with the switch, else
// what the browser asks for.
func (s *Server) langOf(r *http.Request) lang.Lang {
	if c, err := r.Cookie("lang"); err == nil && lang.Known(lang.Lang(c.Value)) {
		return lang.Lang(c.Value)
	}
	return lang.Choose(r.Header.Get("Accept-Language"))
}

// prefix is the network of a reader, for limits: /24 of IPv4 and /56 of IPv6.
func (s *Server) prefix(r *http.Request) string {
	return prefixOfAddr(s.client(r))
}

func prefixOfAddr(a netip.Addr) string {
	a = a.Unmap()
	bits := 24
	if a.Is6() {
		bits = 56
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}

// client is the address of the reader: of the connection, or what the nearest proxy
// that we do not know says came to it.
func (s *Server) client(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !s.trusted(a) {
			return a
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return a
		}
		a = next
	}
	return a
}

func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.trust, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}
