//go:build measure

package public_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMeasureServing holds the server against nginx, which serves the same bytes
// from a file, compressed beforehand, on the same machine in turns.
// It wants nginx and wrk: apt-get install nginx wrk.
func TestMeasureServing(t *testing.T) {
	const path, rounds = "/en/index.html", 5
	server, _, _ := site(t, present30(t))
	listen, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{}
	server.Configure(h)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Serve(server.Guard(listen))
	}()
	t.Cleanup(func() {
		_ = h.Close()
		<-done
	})
	ours := "http://" + listen.Addr().String() + path
	body := ask(t, server, http.MethodGet, path, "").Body.Bytes()
	theirs, cpu := nginx(t, path, body)
	bytesOf := make(map[string]int)
	for _, u := range []string{ours, theirs} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !bytes.Equal(b.Bytes(), body) {
			t.Fatalf("%s: %v, %d bytes and not those of the page", u, err, b.Len())
		}
		bytesOf[u] = b.Len()
	}
	var rate, p99 [2][]float64
	before, asked := spent(t, syscall.RUSAGE_SELF), [2]float64{}
	for range rounds {
		for n, u := range []string{ours, theirs} {
			r, l := wrk(t, u)
			rate[n], p99[n] = append(rate[n], r), append(p99[n], l)
			asked[n] += r * seconds
		}
	}
	for n := range 2 {
		slices.Sort(rate[n])
		slices.Sort(p99[n])
	}
	mid := rounds / 2
	// What a request costs does not depend on who else uses the machine.
	costs := [2]float64{(spent(t, syscall.RUSAGE_SELF) - before).Seconds() / asked[0] * 1e6, cpu().Seconds() / asked[1] * 1e6}
	t.Logf("processor time of a request: bongsu %.1f µs, nginx %.1f µs", costs[0], costs[1])
	t.Logf("page of %d bytes, 100 connections: bongsu %.0f requests/s, p99 %.1f ms; nginx %.0f requests/s, p99 %.1f ms; ratio %.2f (medians of %d rounds in turns)",
		len(body), rate[0][mid], p99[0][mid], rate[1][mid], p99[1][mid], rate[0][mid]/rate[1][mid], rounds)
	if rate[0][mid] < 10_000 && rate[0][mid] < 0.8*rate[1][mid] || p99[0][mid] > 100 {
		t.Error("that is too slow")
	}
}

// spent is the processor time that a process, or the children it waited for, used.
func spent(t *testing.T, who int) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nginx serves body at path. It returns the address, and a function that stops it
// and returns the processor time that it used.
func nginx(t *testing.T, path string, body []byte) (string, func() time.Duration) {
	t.Helper()
	dir, err := os.MkdirTemp("", "nginx") // of its own: nginx changes its user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	write := func(name string, b []byte) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(body)
	_ = w.Close()
	write("root"+path, body)
	write("root"+path+".gz", z.Bytes())
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	write("nginx.conf", fmt.Appendf(nil, `daemon off; worker_processes 2; pid %[1]s/pid; error_log %[1]s/error.log; user root;
events { worker_connections 4096; }
http { access_log off; types { text/html html; } default_type text/html; gzip_static on; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=100;
client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
server { listen %[2]s; root %[1]s/root; add_header Cache-Control "public, max-age=0"; add_header X-Content-Type-Options nosniff; } }`, dir, addr))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	if err := cmd.Start(); err != nil {
		t.Fatalf("nginx: %v: apt-get install nginx wrk", err)
	}
	stop := sync.OnceValue(func() time.Duration {
		cancel()
		_ = cmd.Wait()
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	})
	t.Cleanup(func() { stop() })
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr); err == nil {
			_ = c.Close()
			return "http://" + addr + path, stop
		}
		select {
		case <-time.NewTimer(50 * time.Millisecond).C:
		case <-t.Context().Done():
		}
	}
	t.Fatal("nginx does not answer")
	return "", nil
}

const seconds = 4 // of a round

// wrk returns requests per second and the 99th percentile of latency in milliseconds.
func wrk(t *testing.T, url string) (rate, p99 float64) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "wrk", "-t2", "-c100", "-d"+strconv.Itoa(seconds)+"s", "--latency", "-H", "Accept-Encoding: gzip", url).CombinedOutput()
	if err != nil || strings.Contains(string(out), "Non-2xx") {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	m := regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`).FindStringSubmatch(string(out))
	r := regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`).FindStringSubmatch(string(out))
	if m == nil || r == nil {
		t.Fatalf("wrk says\n%s", out)
	}
	p99, _ = strconv.ParseFloat(m[1], 64)
	rate, _ = strconv.ParseFloat(r[1], 64)
	return rate, p99 * map[string]float64{"us": 0.001, "ms": 1, "s": 1000}[m[2]]
}
