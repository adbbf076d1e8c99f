//go:build real || measure

package node_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// asProcesses makes the nodes of a square processes of the real program.
func (s *square) asProcesses() (pid func(site string) int) {
	s.t.Helper()
	bin := build(s.t)
	procs := map[string]*proc{}
	s.kills = map[string]func(){}
	s.launch = func(site string) func() {
		log, err := os.OpenFile(filepath.Join(filepath.Dir(bin), site+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			s.t.Fatal(err)
		}
		defer func() { _ = log.Close() }()
		p := &proc{cmd: exec.Command(bin, "public", "--config", s.made.Public[site]), done: make(chan struct{})}
		p.cmd.Stdout, p.cmd.Stderr = log, log
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := p.cmd.Start(); err != nil {
			s.t.Fatal(err)
		}
		go func() {
			defer close(p.done)
			p.err = p.cmd.Wait()
		}()
		s.t.Cleanup(p.kill)
		procs[site] = p
		return p.kill
	}
	return func(site string) int { return procs[site].cmd.Process.Pid }
}

// killSites kills one public process after the other while updates are pushed to it.
func killSites(t *testing.T, rounds int) {
	t.Helper()
	s := newSquare(t, three)
	s.asProcesses()
	t.Logf("%d kills, %d updates acknowledged by the killed, none lost, the pages of the others there throughout", rounds, s.survive(rounds))
}

// slowConnections holds so many connections to a public process, each of which sends a
// header byte by byte and never ends it, while a reader reads: the page answers, and the
// process does not grow with them.
func slowConnections(t *testing.T, n int) {
	t.Helper()
	s := newSquare(t, three[:1])
	pid := s.asProcesses()
	s.start(three[0])
	s.quorum(three[0])
	s.publish(three[0], 1)
	s.shows(20*time.Second, 1, three[0])
	addr := strings.TrimPrefix(s.pages[three[0]], "http://")
	alone := s.latencies(100)
	before := resident(t, pid(three[0]))

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var opened, refused atomic.Int64
	const loops = 50 // each holds its part of the connections
	for loop := range loops {
		wg.Go(func() {
			var mine []net.Conn
			defer func() {
				for _, c := range mine {
					if c != nil {
						_ = c.Close()
					}
				}
			}()
			open := func(i int) net.Conn {
				// A network is allowed few; so they come from many.
				from := &net.TCPAddr{IP: net.IPv4(127, 1, byte(i%200), 1)}
				c, err := (&net.Dialer{LocalAddr: from, Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
				if err == nil {
					_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
				}
				if err != nil {
					refused.Add(1)
					return nil
				}
				opened.Add(1)
				return c
			}
			for i := loop; i < n; i += loops {
				mine = append(mine, open(i))
			}
			tick := time.NewTicker(500 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				for k, c := range mine { // who was thrown out comes again
					if c == nil {
						mine[k] = open(loop + k*loops)
					} else if _, err := c.Write([]byte("x")); err != nil {
						_ = c.Close()
						mine[k] = nil
					}
				}
			}
		})
	}
	defer wg.Wait()
	defer cancel()
	within(t, patience, "the connections are there", func(context.Context) error {
		if got := opened.Load(); got < int64(n) {
			return fmt.Errorf("%d are", got)
		}
		return nil
	})
	// For as long as it takes the first of them to be thrown out and to come again.
	var held []time.Duration
	peak := uint64(0)
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end) || len(held) < 300; {
		held = append(held, s.latencies(20)...)
		peak = max(peak, resident(t, pid(three[0])))
	}
	cancel()
	slices.Sort(alone)
	slices.Sort(held)
	p := func(all []time.Duration, per int) time.Duration {
		return all[len(all)*per/100].Round(10 * time.Microsecond)
	}
	t.Logf("%d slow connections (%d opened in all, %d refused): a page takes %v (p99 %v) of %d reads, worst %v; without them %v (p99 %v); memory %d MB, before %d MB",
		n, opened.Load(), refused.Load(), p(held, 50), p(held, 99), len(held), held[len(held)-1].Round(time.Millisecond), p(alone, 50), p(alone, 99), peak>>20, before>>20)
	if limit := before + 300<<20; peak > limit {
		t.Errorf("it holds %d MB", peak>>20)
	}
	if worst := p(held, 99); worst > 2*time.Second {
		t.Errorf("one reader of a hundred waits for %v", worst)
	}
}

// latencies reads the page so many times, each over a connection of its own.
func (s *square) latencies(n int) []time.Duration {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	var out []time.Duration
	for range n {
		began := time.Now()
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.pages[s.sites[0]]+"/ko/incidents/fire.html", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			s.t.Fatalf("a reader: %v", err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || !bytes.Contains(text, []byte("안내 1")) {
			s.t.Fatalf("a reader got %s, %v", res.Status, err)
		}
		out = append(out, time.Since(began))
	}
	return out
}

// resident is the memory of a process.
func resident(t *testing.T, pid int) uint64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
