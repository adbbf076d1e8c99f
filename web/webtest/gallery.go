package webtest

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"

	"bongsu/web"
)

// Accounts is a door with one account for each role: viewer, operator and
// approver. The password of each is its name and "-password", its API token its
// name and "-token".
type Accounts struct{}

var _ web.Accounts = Accounts{}

// Password implements [web.Accounts].
func (Accounts) Password(_ context.Context, name, password string) (web.Role, bool) {
	role, err := web.ParseRole(name)
	return role, err == nil && password == name+"-password"
}

// Current implements [web.Accounts].
func (Accounts) Current(name string) (web.Role, bool) {
	role, err := web.ParseRole(name)
	return role, err == nil
}

// Token implements [web.Accounts].
func (Accounts) Token(token string) (web.Identity, bool) {
	name, ok := strings.CutSuffix(token, "-token")
	role, err := web.ParseRole(name)
	return web.Identity{Name: name, Role: role}, ok && err == nil
}

// Key signs the sessions of fixtures.
func Key() []byte { return []byte("a key for tests only, never of a node") }

// Gallery serves every scenario below its name, so that each page can be looked
// at in each state: /running/runs/r-0012. The reader is signed in as an approver;
// with ?as=viewer or ?as=operator on the first page, as that.
func Gallery() (http.Handler, error) {
	mux := http.NewServeMux()
	var index strings.Builder
	index.WriteString("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>bongsu gallery</title><h1>bongsu gallery</h1><ul>")
	for _, name := range Scenarios() {
		b, err := New(name)
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", name, err)
		}
		s, err := web.New(web.Options{Backend: b, Accounts: Accounts{}, Key: Key(), Base: "/" + name})
		if err != nil {
			return nil, err
		}
		mux.Handle("/"+name+"/", signedIn(s))
		fmt.Fprintf(&index, "<li><b>%s</b>", html.EscapeString(name))
		for _, page := range []string{"", "runs", "runs/r-0012", "incidents", "incidents/20221015-pangyo", "incidents/20221015-pangyo/compose", "incidents/20221015-pangyo/report", "hosts", "impact", "impact?lose=pangyo", "audit", "journal", "estate", "no-such-page"} {
			fmt.Fprintf(&index, " · <a href='/%s/%s'>/%s</a>", name, page, html.EscapeString(page))
		}
	}
	index.WriteString("</ul>")
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if _, err := w.Write([]byte(index.String())); err != nil {
			return // the reader left
		}
	})
	return mux, nil
}

// signedIn lets every reading request in by token, unless it asks for the log-in page.
func signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		as := "approver"
		if v := r.URL.Query().Get("as"); v != "" {
			as = v
		}
		if !strings.HasSuffix(r.URL.Path, "/login") && r.Header.Get("Authorization") == "" {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+as+"-token")
		}
		next.ServeHTTP(w, r)
	})
}
