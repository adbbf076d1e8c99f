package desk

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bongsu/internal/lang"
)

const (
	sessionCookie = "bongsu-desk"
	seedCookie    = "bongsu-desk-form"
	langCookie    = "bongsu-desk-lang"
	sessionFor    = 12 * time.Hour // one shift
)

// Bounds on wrong passwords, a minute. A hundred agents may sit behind one address of an office, and some mistype. That of one account
// is wide: a stranger must not easily keep its owner out.
const (
	triesOfNetwork = 30
	triesOfAccount = 60
	triesKept      = 10_000
)

// Looking at a password takes time and memory: so many are looked at together, and so many wait for it.
const (
	looksAtOnce = 2
	looksKept   = 256
)

// A guard bounds how often wrong passwords are tried. Right ones are not counted, and forgive nothing.
type guard struct {
	room  chan struct{} // of those whose password is looked at
	queue chan struct{} // of those and of who waits

	mu    sync.Mutex
	tries map[string]tries // wrong ones, by network and by account
}

func newGuard() *guard {
	return &guard{room: make(chan struct{}, looksAtOnce), queue: make(chan struct{}, looksKept), tries: map[string]tries{}}
}

// tries are those since a moment, for a minute.
type tries struct {
	n     int
	since time.Time
}

// look says whether a password is right, in its turn; [errTooMany]: it was not looked at.
func (g *guard) look(ctx context.Context, host, name string, right func() bool) (bool, error) {
	if g.held(host, name, time.Now()) {
		return false, errTooMany
	}
	select {
	case g.queue <- struct{}{}:
		defer func() { <-g.queue }()
	default:
		return false, errTooMany
	}
	select {
	case g.room <- struct{}{}:
		defer func() { <-g.room }()
	case <-ctx.Done():
		return false, errTooMany
	}
	if g.held(host, name, time.Now()) { // by those that came before
		return false, errTooMany
	}
	if right() {
		return true, nil
	}
	g.wrong(host, name, time.Now())
	return false, nil
}

// triesBy are the keys of the tries of a network and at an account.
func triesBy(host, name string) (network, account string) {
	sum := sha256.Sum256([]byte(name)) // whatever strangers send takes the same room
	return "from " + networkOf(host), "as " + string(sum[:])
}

// held says whether too many wrong passwords came from one network, or for one account from all of them.
func (g *guard) held(host, name string, now time.Time) bool {
	network, account := triesBy(host, name)
	g.mu.Lock()
	defer g.mu.Unlock()
	over := func(key string, most int) bool {
		t := g.tries[key]
		return t.n >= most && now.Sub(t.since) < time.Minute
	}
	return over(network, triesOfNetwork) || over(account, triesOfAccount)
}

// wrong counts a wrong password.
func (g *guard) wrong(host, name string, now time.Time) {
	network, account := triesBy(host, name)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range []string{network, account} {
		t, known := g.tries[key]
		if !known && len(g.tries) >= triesKept {
			g.forget()
		}
		if !known || now.Sub(t.since) >= time.Minute {
			t = tries{since: now}
		}
		t.n++
		g.tries[key] = t
	}
}

// forget drops an eighth of the tries, the oldest: a flood must not free those who are
// held back now.
func (g *guard) forget() {
	keys := slices.SortedFunc(maps.Keys(g.tries), func(a, b string) int { return g.tries[a].since.Compare(g.tries[b].since) })
	for _, key := range keys[:len(keys)/8] {
		delete(g.tries, key)
	}
}

// networkOf is where an address belongs, for limits: its /24 of IPv4 or /56 of IPv6.
func networkOf(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 56
	}
	return netip.PrefixFrom(a, bits).Masked().String()
}

func (s *Server) login(c *call) error {
	host, _, _ := net.SplitHostPort(c.r.RemoteAddr)
	name := c.r.PostFormValue("name")
	var rights Rights
	ok, err := s.guard.look(c.r.Context(), host, name, func() (right bool) {
		rights, right = s.o.Accounts.Password(c.r.Context(), name, c.r.PostFormValue("password"))
		return right
	})
	switch {
	case err != nil:
		return err
	case !ok:
		s.o.Log.Warn("somebody failed to log in to the desk", "name", name, "from", host)
		return errPassword
	}
	until := strconv.FormatInt(time.Now().Add(sessionFor).Unix(), 10)
	body := base64.RawURLEncoding.EncodeToString([]byte(until + " " + name))
	s.cookie(c.w, c.r, sessionCookie, body+"."+s.mac("session", body, rights.Version), int(sessionFor/time.Second))
	next := c.r.PostFormValue("next")
	if !inside(next) {
		next = "/"
	}
	http.Redirect(c.w, c.r, next, http.StatusSeeOther)
	return nil
}

// inside says that a path stays at the desk.
func inside(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsAny(path, "\\\r\n\t") && len(path) <= 2000
}

func (s *Server) logout(c *call) error {
	s.cookie(c.w, c.r, sessionCookie, "", -1)
	http.Redirect(c.w, c.r, "/", http.StatusSeeOther)
	return nil
}

// language remembers what somebody reads.
func (s *Server) language(c *call) error {
	l := lang.Lang(c.r.PostFormValue("lang"))
	if !lang.Known(l) {
		return errInput
	}
	s.cookie(c.w, c.r, langCookie, string(l), 365*24*3600)
	next := c.r.PostFormValue("next")
	if !inside(next) {
		next = "/"
	}
	http.Redirect(c.w, c.r, next, http.StatusSeeOther)
	return nil
}

// who returns who is logged in, with the rights that the account has now.
func (s *Server) who(r *http.Request) (string, Rights) {
	c, err := r.Cookie(s.cookieName(r, sessionCookie))
	if err != nil {
		return "", Rights{}
	}
	body, sum, ok := strings.Cut(c.Value, ".")
	if !ok {
		return "", Rights{}
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return "", Rights{}
	}
	text, name, _ := strings.Cut(string(raw), " ")
	until, err := strconv.ParseInt(text, 10, 64)
	if err != nil || time.Now().Unix() >= until {
		return "", Rights{}
	}
	rights, ok := s.o.Accounts.Current(name)
	if !ok || !hmac.Equal([]byte(sum), []byte(s.mac("session", body, rights.Version))) {
		return "", Rights{}
	}
	return name, rights
}

// langOf is what the reader chose, or else what the browser likes best; Korean when it
// says nothing of either.
func (s *Server) langOf(r *http.Request) lang.Lang {
	if c, err := r.Cookie(s.cookieName(r, langCookie)); err == nil && lang.Known(lang.Lang(c.Value)) {
		return lang.Lang(c.Value)
	}
	if accept := r.Header.Get("Accept-Language"); accept != "" {
		return lang.Choose(accept)
	}
	return lang.Korean
}

// token is bound to a random cookie and to the account.
func (s *Server) token(w http.ResponseWriter, r *http.Request, who string) string {
	var seed string
	if c, err := r.Cookie(s.cookieName(r, seedCookie)); err == nil && len(c.Value) == 26 {
		seed = c.Value
	} else {
		seed = rand.Text()
		s.cookie(w, r, seedCookie, seed, int(sessionFor/time.Second))
	}
	return s.mac("form", seed, who)
}

func (s *Server) tokenOK(r *http.Request, who string) bool {
	c, err := r.Cookie(s.cookieName(r, seedCookie))
	return err == nil && c.Value != "" && hmac.Equal([]byte(r.PostFormValue("token")), []byte(s.mac("form", c.Value, who)))
}

func (s *Server) mac(parts ...string) string {
	h := hmac.New(sha256.New, s.o.Key)
	h.Write([]byte("desk\x00" + strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (*Server) cookieName(r *http.Request, name string) string {
	if r.TLS != nil {
		return "__Host-" + name
	}
	return name
}

func (s *Server) cookie(w http.ResponseWriter, r *http.Request, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure follows the listener: a try-out on loopback has no TLS
		Name: s.cookieName(r, name), Value: value, Path: "/", MaxAge: age, Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
