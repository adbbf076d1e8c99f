package probe_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bongsu/detect"
	"bongsu/internal/probe"
)

// until runs a looker until the sights satisfy ok, and returns them.
func until(t *testing.T, l probe.Looker, ok func([]detect.Sight) bool) []detect.Sight {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var last []detect.Sight
	satisfied := false
	l.Run(ctx, func(s []detect.Sight) {
		last = s
		if !satisfied && ok(s) {
			satisfied = true
			cancel()
		}
	})
	if !satisfied {
		t.Fatalf("never seen; last %+v", last)
	}
	return last
}

func target(url string) probe.Target {
	return probe.Target{Name: "t", Domain: "north", HTTP: url, Every: 5 * time.Millisecond, Timeout: 200 * time.Millisecond}
}

func TestLooks(t *testing.T) {
	release := make(chan struct{})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		expect  int
		ok      bool
		detail  string
	}{
		"fine":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, 0, true, ""},
		"error":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, 0, false, "500"},
		"expected": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, http.StatusForbidden, true, ""},
		"other":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, http.StatusForbidden, false, "200"},
		"hangs":    {hang, 0, false, "no answer within 200ms"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, 0, true, ""},
		"breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 0, false, "broke off"},
		"floods": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, 0, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(c.handler)
			defer srv.Close()
			tg := target(srv.URL)
			tg.Expect = c.expect
			got := until(t, probe.Looker{Targets: []probe.Target{tg}}, func(s []detect.Sight) bool { return len(s) == 1 })[0]
			if got.OK != c.ok || !strings.Contains(got.Detail, c.detail) || got.Domain != "north" {
				t.Errorf("saw %+v, want ok %v with %q", got, c.ok, c.detail)
			}
		})
	}
	close(release)
}

func TestTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tg := probe.Target{Name: "t", Domain: "north", TCP: ln.Addr().String(), Every: 5 * time.Millisecond}
	closed := false
	until(t, probe.Looker{Targets: []probe.Target{tg}}, func(s []detect.Sight) bool {
		if len(s) == 1 && s[0].OK && !closed {
			closed = true
			_ = ln.Close()
		}
		return closed && !s[0].OK && strings.Contains(s[0].Detail, "refused")
	})
}

// TestForgets sees a target fail and answer again, and the time start anew.
func TestForgets(t *testing.T) {
	var down atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	phase := 0
	until(t, probe.Looker{Targets: []probe.Target{target(srv.URL)}}, func(s []detect.Sight) bool {
		switch {
		case phase == 0 && s[0].OK && s[0].For > 30*time.Millisecond:
			phase = 1
			down.Store(true)
		case phase == 1 && !s[0].OK && s[0].For < 30*time.Millisecond:
			phase = 2
			down.Store(false)
		}
		return phase == 2 && s[0].OK && s[0].For < 30*time.Millisecond
	})
}

// TestOneHangs sees that a target that hangs does not delay another.
func TestOneHangs(t *testing.T) {
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hang.Close()
	fine := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer fine.Close()
	slow := target(hang.URL)
	slow.Name, slow.Timeout = "slow", time.Hour
	looks := 0
	until(t, probe.Looker{Targets: []probe.Target{slow, target(fine.URL)}}, func(s []detect.Sight) bool {
		looks++
		return looks > 5 && len(s) == 1 && s[0].Target == "t"
	})
}
