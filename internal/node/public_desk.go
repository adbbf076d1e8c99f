package node

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bongsu/internal/kv"
	"bongsu/status"
	"bongsu/web"
)

//go:embed desk
var deskFiles embed.FS

const (
	deskSession = "bongsu-desk"
	deskSeed    = "bongsu-desk-form"
	deskLang    = "bongsu-desk-lang"
	deskFor     = 12 * time.Hour // one shift
	maxDesk     = 64 << 10
)

// A deskServer is where agents answer the questions of readers: one drafts, another
// one approves. It works without a script.
type deskServer struct {
	p     *Public
	words map[string]map[string]string
	pages map[string]*template.Template // by language
	css   []byte
	cross *http.CrossOriginProtection

	mu    sync.Mutex
	tries map[string]tries // of log-ins, by network and by account
}

// tries are those since a moment, for a minute.
type tries struct {
	n     int
	since time.Time
}

// Bounds on guessing passwords, a minute. That of one account is wide: a stranger must
// not easily keep its owner out.
const (
	triesOfNetwork = 10
	triesOfAccount = 60
	triesKept      = 10_000
)

func newDeskServer(p *Public) (*deskServer, error) {
	d := &deskServer{p: p, pages: map[string]*template.Template{}, tries: map[string]tries{}, cross: http.NewCrossOriginProtection()}
	raw, err := deskFiles.ReadFile("desk/words.json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &d.words); err != nil {
		return nil, err
	}
	if d.css, err = deskFiles.ReadFile("desk/desk.css"); err != nil {
		return nil, err
	}
	for lang, words := range d.words {
		say := func(key string) (string, error) {
			if s, ok := words[key]; ok {
				return s, nil
			}
			return "", fmt.Errorf("no word %q in %s", key, lang)
		}
		if d.pages[lang], err = template.New("desk.html").Funcs(template.FuncMap{"t": say}).ParseFS(deskFiles, "desk/desk.html"); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (p *Public) serveDesk(ctx context.Context, ln net.Listener) error {
	d, err := newDeskServer(p)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: d.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	return serveHTTP(ctx, p.log, ln, srv, p.o.DeskCert, p.o.DeskKey)
}

func (d *deskServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { d.page(w, r, http.StatusOK, "") })
	mux.HandleFunc("GET /desk.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(d.css)
	})
	mux.HandleFunc("POST /login", d.login)
	mux.HandleFunc("POST /logout", d.change(web.Viewer, func(w http.ResponseWriter, r *http.Request, _ string) error {
		d.cookie(w, r, deskSession, "", -1)
		return nil
	}))
	mux.HandleFunc("POST /answer", d.change(web.Operator, func(_ http.ResponseWriter, r *http.Request, who string) error {
		answer := status.Text{}
		for _, lang := range []string{"ko", "en"} {
			if s := strings.TrimSpace(r.PostFormValue(lang)); s != "" {
				answer[lang] = s
			}
		}
		return d.p.desk.Reply(r.Context(), r.PostFormValue("id"), r.PostFormValue("question"), answer, who)
	}))
	mux.HandleFunc("POST /approve", d.change(web.Approver, func(_ http.ResponseWriter, r *http.Request, who string) error {
		seen, err := strconv.ParseInt(r.PostFormValue("seen"), 10, 64)
		if err != nil {
			return status.ErrInput
		}
		return d.p.desk.Approve(r.Context(), r.PostFormValue("id"), time.Unix(0, seen).UTC(), who)
	}))
	mux.HandleFunc("POST /drop", d.change(web.Operator, func(_ http.ResponseWriter, r *http.Request, who string) error {
		return d.p.desk.Drop(r.Context(), r.PostFormValue("id"), r.PostFormValue("why"), who)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if err := d.cross.Check(r); err != nil {
			http.Error(w, "this comes from another site", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxDesk)
		mux.ServeHTTP(w, r)
	})
}

// deskView is what the page shows.
type deskView struct {
	Lang, Who, Role, Token, Problem string
	Waiting, Over                   []deskQuestion
}

type deskQuestion struct {
	status.Question
	At, Ko, En, Seen string
	MayApprove       bool
}

// shownOver is how many questions that are done with the desk lists.
const shownOver = 50

func (d *deskServer) page(w http.ResponseWriter, r *http.Request, code int, problem string) {
	v := deskView{Lang: d.lang(w, r), Problem: problem}
	who, role := d.who(r)
	v.Token = d.formToken(w, r, who)
	if who != "" {
		v.Who, v.Role = who, role.String()
		all, err := d.p.desk.Questions(r.Context())
		if err != nil {
			d.p.log.Warn("the desk cannot read its questions", "err", err)
			v.Problem, code = "p-store", http.StatusServiceUnavailable
		}
		for _, q := range all {
			one := deskQuestion{
				Question: q, At: q.At.Format("2006-01-02 15:04 MST"), Ko: q.Answer["ko"], En: q.Answer["en"],
				Seen: strconv.FormatInt(q.AnsweredAt.UnixNano(), 10), MayApprove: role >= web.Approver && q.AnsweredBy != who,
			}
			switch {
			case !q.Over():
				v.Waiting = append(v.Waiting, one)
			case len(v.Over) < shownOver:
				v.Over = append(v.Over, one)
			}
		}
	}
	var b bytes.Buffer
	if err := d.pages[v.Lang].Execute(&b, v); err != nil {
		d.p.log.Error("the desk's page broke", "err", err)
		http.Error(w, "the page broke while it was made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}

// change wraps what changes something: only for whoever may, and from our own forms.
func (d *deskServer) change(least web.Role, do func(http.ResponseWriter, *http.Request, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, role := d.who(r)
		switch {
		case who == "":
			d.page(w, r, http.StatusUnauthorized, "")
			return
		case !d.formOK(r, who):
			d.page(w, r, http.StatusForbidden, "p-form")
			return
		case role < least:
			d.page(w, r, http.StatusForbidden, "p-role")
			return
		}
		if err := do(w, r, who); err != nil {
			code, problem := deskProblem(err)
			if problem == "p-store" {
				d.p.log.Warn("the desk cannot save", "err", err)
			}
			d.page(w, r, code, problem)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func deskProblem(err error) (int, string) {
	switch {
	case errors.Is(err, status.ErrSame):
		return http.StatusForbidden, "p-same"
	case errors.Is(err, status.ErrDecided):
		return http.StatusConflict, "p-decided"
	case errors.Is(err, status.ErrInput):
		return http.StatusUnprocessableEntity, "p-input"
	case errors.Is(err, status.ErrNotFound):
		return http.StatusNotFound, "p-gone"
	case errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrFull):
		return http.StatusServiceUnavailable, "p-store"
	}
	return http.StatusServiceUnavailable, "p-store"
}

func (d *deskServer) login(w http.ResponseWriter, r *http.Request) {
	if !d.formOK(r, "") {
		d.page(w, r, http.StatusForbidden, "p-form")
		return
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	name := r.PostFormValue("name")
	if !d.mayTry(host, name, time.Now()) {
		d.page(w, r, http.StatusTooManyRequests, "p-slow")
		return
	}
	if _, ok := d.p.o.Accounts.Password(r.Context(), name, r.PostFormValue("password")); !ok {
		d.p.log.Warn("somebody failed to log in to the desk", "name", name, "from", host)
		d.page(w, r, http.StatusUnauthorized, "p-login")
		return
	}
	until := strconv.FormatInt(time.Now().Add(deskFor).Unix(), 10)
	body := base64.RawURLEncoding.EncodeToString([]byte(until + " " + name))
	d.cookie(w, r, deskSession, body+"."+d.mac("session", body), int(deskFor/time.Second))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// mayTry bounds how often one network may try a password, and how often all may try
// that of one account.
func (d *deskServer) mayTry(host, name string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := sha256.Sum256([]byte(name)) // whatever strangers send takes the same room
	return d.try("from "+network(host), triesOfNetwork, now) && d.try("as "+string(sum[:]), triesOfAccount, now)
}

func (d *deskServer) try(key string, most int, now time.Time) bool {
	t, known := d.tries[key]
	if !known && len(d.tries) >= triesKept {
		d.forget()
	}
	if !known || now.Sub(t.since) >= time.Minute {
		t = tries{since: now}
	}
	t.n++
	d.tries[key] = t
	return t.n <= most
}

// forget drops an eighth of the tries, the oldest: a flood must not free those who are
// held back now.
func (d *deskServer) forget() {
	keys := slices.SortedFunc(maps.Keys(d.tries), func(a, b string) int { return d.tries[a].since.Compare(d.tries[b].since) })
	for _, key := range keys[:len(keys)/8] {
		delete(d.tries, key)
	}
}

// network is where an address belongs, for limits: its /24 of IPv4 or /56 of IPv6.
func network(host string) string {
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

// who returns who is logged in, with the role that the account has now.
func (d *deskServer) who(r *http.Request) (string, web.Role) {
	c, err := r.Cookie(d.name(r, deskSession))
	if err != nil {
		return "", web.Nobody
	}
	body, sum, ok := strings.Cut(c.Value, ".")
	if !ok || !hmac.Equal([]byte(sum), []byte(d.mac("session", body))) {
		return "", web.Nobody
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return "", web.Nobody
	}
	text, name, _ := strings.Cut(string(raw), " ")
	until, err := strconv.ParseInt(text, 10, 64)
	if err != nil || time.Now().Unix() >= until {
		return "", web.Nobody
	}
	role, ok := d.p.o.Accounts.Current(name)
	if !ok {
		return "", web.Nobody
	}
	return name, role
}

func (d *deskServer) lang(w http.ResponseWriter, r *http.Request) string {
	if l := r.URL.Query().Get("lang"); d.words[l] != nil {
		d.cookie(w, r, deskLang, l, 365*24*3600)
		return l
	}
	if c, err := r.Cookie(d.name(r, deskLang)); err == nil && d.words[c.Value] != nil {
		return c.Value
	}
	if strings.HasPrefix(strings.TrimSpace(r.Header.Get("Accept-Language")), "en") {
		return "en"
	}
	return "ko"
}

// formToken is bound to a random cookie and to the account, as the console's is.
func (d *deskServer) formToken(w http.ResponseWriter, r *http.Request, who string) string {
	var seed string
	if c, err := r.Cookie(d.name(r, deskSeed)); err == nil && len(c.Value) == 26 {
		seed = c.Value
	} else {
		seed = rand.Text()
		d.cookie(w, r, deskSeed, seed, int(deskFor/time.Second))
	}
	return d.mac("form", seed, who)
}

func (d *deskServer) formOK(r *http.Request, who string) bool {
	c, err := r.Cookie(d.name(r, deskSeed))
	return err == nil && c.Value != "" && hmac.Equal([]byte(r.PostFormValue("token")), []byte(d.mac("form", c.Value, who)))
}

func (d *deskServer) mac(parts ...string) string {
	h := hmac.New(sha256.New, d.p.o.SessionKey)
	h.Write([]byte("desk\x00" + strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (*deskServer) name(r *http.Request, name string) string {
	if r.TLS != nil {
		return "__Host-" + name
	}
	return name
}

func (d *deskServer) cookie(w http.ResponseWriter, r *http.Request, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure follows the listener: a try-out on loopback has no TLS
		Name: d.name(r, name), Value: value, Path: "/", MaxAge: age, Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
