package public

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"bongsu/claim"
)

// Cookies of claimants. Both are gone when the browser is closed.
const (
	sessionCookie = "__Host-claim"
	probeCookie   = "__Host-form" // says that this browser sends cookies back; it holds nothing
	sessionLife   = 15 * time.Minute
)

// A session is a claim that a reader has shown the secret of. It travels sealed: the
// secret is needed for each act, and must not stand in a form or an address.
type session struct {
	ID     string    `json:"id"`
	Secret string    `json:"secret"`
	Until  time.Time `json:"until"`
	New    bool      `json:"new,omitempty"` // filed just now: the receipt is still shown
	Late   bool      `json:"late,omitempty"`
	Again  bool      `json:"again,omitempty"`
	Masked int       `json:"masked,omitempty"` // resident numbers that were masked in the words
	Papers []taken   `json:"papers,omitempty"` // what became of the files
}

// Taken is what became of one file.
type taken struct {
	Name  string `json:"n"`
	Wrong string `json:"w,omitempty"` // key of a message; empty: it was kept
}

// A sealer seals sessions: who holds one can neither read nor change it.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (*sealer, error) {
	k, err := hkdf.Key(sha256.New, key, nil, "bongsu public session of a claim", 32)
	if err != nil {
		return nil, err
	}
	b, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(b)
	if err != nil {
		return nil, err
	}
	return &sealer{aead}, nil
}

func (s *sealer) seal(x *session) string {
	plain, err := json.Marshal(x) //nolint:gosec // G117: what is marshaled is sealed at once
	if err != nil {
		return "" // unreachable: strings and a time
	}
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, nil))
}

// open returns the session of a sealed one that is still good, or nil.
func (s *sealer) open(sealed string, now time.Time) *session {
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	n := s.aead.NonceSize()
	if err != nil || len(b) < n || len(b) > 4096 {
		return nil
	}
	plain, err := s.aead.Open(nil, b[:n], b[n:], nil)
	if err != nil {
		return nil
	}
	x := &session{}
	if json.Unmarshal(plain, x) != nil || !now.Before(x.Until) {
		return nil
	}
	return x
}

// session returns whose claim a request is about: by cookie, or by the form where the
// browser keeps no cookies.
func (s *Server) session(r *http.Request, field string) *session {
	now := time.Now()
	if c, err := r.Cookie(sessionCookie); err == nil {
		if x := s.claims.seal.open(c.Value, now); x != nil {
			return x
		}
	}
	return s.claims.seal.open(field, now)
}

// keepsCookies says whether the browser sent back what it was given with the form.
func keepsCookies(r *http.Request) bool {
	_, err := r.Cookie(probeCookie)
	_, also := r.Cookie(sessionCookie)
	return err == nil || also == nil
}

// begin gives a session 15 minutes from now.
func (s *Server) begin(w http.ResponseWriter, x *session) {
	x.Until = time.Now().Add(sessionLife)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: s.claims.seal.seal(x), Path: "/", MaxAge: int(sessionLife / time.Second), Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// end takes a session back.
func (s *Server) end(w http.ResponseWriter) {
	for _, name := range []string{sessionCookie, probeCookie} {
		http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	w.Header().Set("Clear-Site-Data", `"cache"`)
}

// probe finds out whether the browser keeps cookies.
func probe(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(probeCookie); err != nil {
		http.SetCookie(w, &http.Cookie{Name: probeCookie, Value: "1", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
}

// sessionOf is the session of a receipt.
func sessionOf(c claim.Receipt) *session { return &session{ID: c.ID, Secret: c.Secret} }
