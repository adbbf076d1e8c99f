package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// A Role is what an account may do. Each role may do what the one before it may.
type Role uint8

// The roles. The zero Role may do nothing.
const (
	Nobody   Role = iota
	Viewer        // reads
	Operator      // declares proposals, pauses, resumes, confirms steps
	Approver      // declares losses, approves and aborts runs, changes the estate
)

// String returns the word that the configuration and the pages use.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	case Approver:
		return "approver"
	case Nobody:
	}
	return "nobody"
}

// ParseRole returns the role of that name.
func ParseRole(s string) (Role, error) {
	for _, r := range []Role{Viewer, Operator, Approver} {
		if s == r.String() {
			return r, nil
		}
	}
	return Nobody, fmt.Errorf("unknown role %q: want viewer, operator or approver", s)
}

// An Identity is who asks. Every command carries its name into the journal.
type Identity struct {
	Name string
	Role Role
}

// Accounts knows who may come in. The node's configuration implements it.
type Accounts interface {
	// Password returns the role of the account when the password is its own. It
	// must take as long for a name that nobody has as for a wrong password.
	Password(ctx context.Context, name, password string) (Role, bool)
	// Current returns the role that the account has now, so that removing an
	// account ends its sessions.
	Current(name string) (Role, bool)
	// Token returns whose API token this is.
	Token(token string) (Identity, bool)
}

const (
	sessionFor    = 12 * time.Hour // one shift
	sessionCookie = "bongsu-session"
	formCookie    = "bongsu-form"
	langCookie    = "bongsu-lang"
	zoneCookie    = "bongsu-zone"
)

// A ticket is what a session cookie holds, signed. The server keeps no list of
// sessions, so a session outlives the node that gave it.
type ticket struct {
	Name    string `json:"n"`
	Expires int64  `json:"e"`
}

// seal signs v for one use; open returns what seal was given.
func (s *Server) seal(use string, v []byte) string {
	body := base64.RawURLEncoding.EncodeToString(v)
	return body + "." + base64.RawURLEncoding.EncodeToString(s.mac(use, body))
}

func (s *Server) open(use, sealed string) ([]byte, bool) {
	body, sig, ok := strings.Cut(sealed, ".")
	if !ok {
		return nil, false
	}
	got, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil || !hmac.Equal(got, s.mac(use, body)) {
		return nil, false
	}
	v, err := base64.RawURLEncoding.DecodeString(body)
	return v, err == nil
}

func (s *Server) mac(use, text string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(use + "\x00" + text))
	return h.Sum(nil)
}

// A pass is what a request shows to prove who sent it: an API token, or else the
// ticket of a session. The zero pass proves nothing.
type pass struct {
	token  string
	ticket ticket
}

// passOf returns the pass of a request.
func (s *Server) passOf(r *http.Request) pass {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return pass{token: token}
	}
	c, err := r.Cookie(s.cookieName(r, sessionCookie))
	if err != nil {
		return pass{}
	}
	b, ok := s.open("session", c.Value)
	if !ok {
		return pass{}
	}
	var t ticket
	if json.Unmarshal(b, &t) != nil {
		return pass{}
	}
	return pass{ticket: t}
}

// holder returns whose pass it is at this moment, and Nobody when it proves
// nothing any more.
func (s *Server) holder(p pass) Identity {
	if p.token != "" {
		id, ok := s.accounts.Token(p.token)
		if !ok {
			return Identity{}
		}
		return id
	}
	if p.ticket.Name == "" || time.Now().Unix() >= p.ticket.Expires {
		return Identity{}
	}
	role, ok := s.accounts.Current(p.ticket.Name)
	if !ok {
		return Identity{}
	}
	return Identity{Name: p.ticket.Name, Role: role}
}

// identify returns who sent the request: by API token, else by session.
// byToken says that no browser attached the proof by itself, so that the
// request cannot have been forged by another site.
func (s *Server) identify(r *http.Request) (id Identity, byToken bool) {
	p := s.passOf(r)
	return s.holder(p), p.token != "" || strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func (s *Server) startSession(w http.ResponseWriter, r *http.Request, name string) error {
	expires := time.Now().Add(sessionFor)
	b, err := json.Marshal(ticket{Name: name, Expires: expires.Unix()})
	if err != nil {
		return err
	}
	s.setCookie(w, r, sessionCookie, s.seal("session", b), sessionFor)
	return nil
}

// cookieName adds the prefix by which a browser guarantees that the cookie came
// from this very host over TLS.
func (s *Server) cookieName(r *http.Request, name string) string {
	if r.TLS != nil && s.base == "" {
		return "__Host-" + name
	}
	return name
}

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, name, value string, d time.Duration) {
	maxAge := int(d / time.Second)
	if d <= 0 {
		maxAge = -1
	}
	path := "/"
	if s.base != "" {
		path = s.base
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure follows the listener: a try-out on loopback has no TLS
		Name:     s.cookieName(r, name),
		Value:    value,
		Path:     path,
		MaxAge:   maxAge,
		Secure:   r.TLS != nil,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	})
}

// formToken returns the token that every form of this reader carries. It is
// bound to a random cookie and to the account, so a token from one session is
// worth nothing in another.
func (s *Server) formToken(w http.ResponseWriter, r *http.Request, who string) string {
	c, err := r.Cookie(s.cookieName(r, formCookie))
	seed := ""
	if err == nil {
		seed = c.Value
	}
	if len(seed) != 26 {
		seed = rand.Text()
		s.setCookie(w, r, formCookie, seed, sessionFor)
	}
	return base64.RawURLEncoding.EncodeToString(s.mac("form", seed+"\x00"+who))
}

// formOK reports whether the request carries the token of its reader, in the
// field "token" of a form or in the header X-Bongsu-Form.
func (s *Server) formOK(r *http.Request, who string) bool {
	c, err := r.Cookie(s.cookieName(r, formCookie))
	if err != nil || c.Value == "" {
		return false
	}
	got := r.Header.Get("X-Bongsu-Form")
	if got == "" {
		got = r.PostFormValue("token")
	}
	want := base64.RawURLEncoding.EncodeToString(s.mac("form", c.Value+"\x00"+who))
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// remote returns the address of the peer without its port. Headers that a proxy
// may have set are not believed: anyone can send them.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
