package web_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"testing"
	"time"

	"bongsu/web/webtest"
)

var galleryAddr = flag.String("gallery", "", "serve the gallery on this address until interrupted: go test ./web -run TestGallery -gallery 127.0.0.1:8000 -timeout 0")

// TestGallery asks for every page in every state, so that none is broken. With
// -gallery it stays, for a person to look at them.
func TestGallery(t *testing.T) {
	h, err := webtest.Gallery()
	if err != nil {
		t.Fatal(err)
	}
	if *galleryAddr != "" {
		serveGallery(t, h)
		return
	}
	server := httptest.NewServer(h)
	defer server.Close()
	for _, scenario := range webtest.Scenarios() {
		for _, page := range []string{"", "runs", "impact", "impact?lose=pangyo", "journal", "estate", "login", "impact?lose=pango"} {
			want := http.StatusOK
			if scenario == "empty" && len(page) > 5 && page[:6] == "impact" {
				want = http.StatusConflict // there is no estate to lose
			}
			if status, _ := get(t, server.URL+"/"+scenario+"/"+page); status != want {
				t.Errorf("/%s/%s: status %d, want %d", scenario, page, status, want)
			}
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func serveGallery(t *testing.T, h http.Handler) {
	t.Helper()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *galleryAddr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(os.Stderr, "http://"+l.Addr().String()+"/\n"); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); ctx.Err() == nil {
		t.Fatal(err)
	}
}
