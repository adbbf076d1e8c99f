//go:build measure

package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"bongsu/web"
	"bongsu/web/webtest"
)

const watchers = 4000

// TestViewers measures what 4,000 people who watch live cost one node, over plain HTTP
// and over TLS, and how long a change takes to reach the last of them. The people are
// in another process, so that the memory is the node's.
func TestViewers(t *testing.T) {
	if target := os.Getenv("BONGSU_WATCH"); target != "" {
		watchMany(t, target)
		return
	}
	for name, start := range map[string]func(http.Handler) *httptest.Server{"plain HTTP": httptest.NewServer, "TLS": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			b, err := webtest.New("running")
			if err != nil {
				t.Fatal(err)
			}
			s, err := web.New(web.Options{Backend: b, Accounts: webtest.Accounts{}, Key: webtest.Key()})
			if err != nil {
				t.Fatal(err)
			}
			server := start(s)
			defer server.Close()
			defer s.Close()
			before := resident(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestViewers$", "-test.v", "-test.timeout", "2m")
			cmd.Env = append(os.Environ(), "BONGSU_WATCH="+server.URL)
			cmd.Stderr = os.Stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			until := func(word string) {
				for lines.Scan() {
					if strings.Contains(lines.Text(), word) {
						return
					}
				}
				t.Fatalf("the people left before they said %q", word)
			}
			until("all are here")
			idle := resident(t)
			var took []time.Duration
			for range 5 {
				began := time.Now()
				b.Change(func(f *web.Facts) { f.At = f.At.Add(time.Second) })
				until("all have heard")
				took = append(took, time.Since(began))
			}
			after := resident(t)
			t.Logf("%s: %d watch: %.1f MB above idle (%.1f MB before), %.1f MB after five changes; a change reached the last in %v",
				name, watchers, float64(idle-before)/1e6, float64(before)/1e6, float64(after-before)/1e6, took)
			if name == "plain HTTP" && after-before > 100e6 {
				t.Errorf("%.1f MB above idle, at most 100", float64(after-before)/1e6)
			}
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// resident is the memory of this process that is in use, after what is free was given
// back.
func resident(t *testing.T) int64 {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// watchMany is the other process: it opens the streams, says when all are there, and
// after each change when the last has heard of it. It ends with its input.
func watchMany(t *testing.T, target string) {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{}, watchers)
	for range watchers {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		if u.Scheme == "https" {
			c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) //nolint:gosec // of the test itself
			if err := c.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			conn = c
		}
		if _, err := fmt.Fprintf(conn, "GET /api/v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer viewer-token\r\n\r\n", u.Host); err != nil {
			t.Fatal(err)
		}
		go func() {
			r := bufio.NewReaderSize(conn, 512)
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == "event: hello\n" || line == "event: change\n" {
					heard <- struct{}{}
				}
			}
		}()
	}
	all := func(word string) {
		for range watchers {
			<-heard
		}
		fmt.Fprintln(os.Stdout, word)
	}
	all("all are here")
	go func() {
		for {
			all("all have heard")
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}
