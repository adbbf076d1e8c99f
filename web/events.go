package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// beat is how often a stream says that it is alive. Without it neither side, nor
// a proxy between them, can tell silence from a cut line.
const beat = 15 * time.Second

// stalled is how long one reader may hold up an event. Its connection takes some
// hundred events unread before that, so whoever stalls is gone.
const stalled = 100 * time.Millisecond

// A crowd is everybody who watches the console live. One goroutine waits for the
// node's changes, encodes each event once and writes it to all; a watcher is only
// a connection to it, so that thousands of open pages cost next to nothing. The
// goroutine lives while somebody watches.
type crowd struct {
	backend Watcher
	still   func(pass) bool // an account that was removed does not go on listening

	events atomic.Int64 // changes that were told

	mu       sync.Mutex
	watchers map[*watcher]struct{}
	stop     context.CancelFunc // of the goroutine; nil: there is none
	gone     chan struct{}      // closed when the goroutine has ended
	closed   bool
}

// A watcher is one open stream. Where the connection could be taken over, conn is
// it; where it could not (HTTP/2 has many streams in one), its request's goroutine
// writes what comes over lines.
type watcher struct {
	pass  pass
	lines chan []byte   // buffered; one who is slow misses repetitions
	ended chan struct{} // closed when the stream is to end; nil with a conn

	mu   sync.Mutex // held for a write to conn
	conn net.Conn
}

var errClosing = errors.New("the console is closing")

func newCrowd(backend Watcher, still func(pass) bool) *crowd {
	return &crowd{backend: backend, still: still, watchers: make(map[*watcher]struct{})}
}

// join adds a watcher. The goroutine keeps the values of ctx and not its end,
// which is that of one request.
func (c *crowd) join(ctx context.Context, w *watcher) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosing
	}
	c.watchers[w] = struct{}{}
	if c.stop == nil {
		ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
		c.gone = make(chan struct{})
		go c.run(ctx, c.backend.Changes(ctx), c.gone)
	}
	return nil
}

func (c *crowd) leave(w *watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(w)
}

// remove ends a watcher; the last one ends the goroutine.
func (c *crowd) remove(w *watcher) {
	if _, ok := c.watchers[w]; !ok {
		return
	}
	delete(c.watchers, w)
	if w.conn != nil {
		_ = w.conn.Close()
	} else {
		close(w.ended)
	}
	if len(c.watchers) == 0 && c.stop != nil {
		c.stop()
		c.stop = nil
	}
}

// close ends every stream and waits for the goroutine.
func (c *crowd) close() {
	c.mu.Lock()
	c.closed = true
	gone := c.gone
	for w := range c.watchers {
		c.remove(w)
	}
	c.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// run tells everybody of every change until ctx ends.
func (c *crowd) run(ctx context.Context, changes <-chan struct{}, gone chan<- struct{}) {
	defer close(gone)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		event := "beat"
		select {
		case <-ctx.Done():
			return
		case _, ok := <-changes:
			if !ok {
				return
			}
			event = "change"
		case <-tick.C:
		}
		c.tell(ctx, event)
	}
}

// tell writes one event to everybody who may still hear it. It goes through a copy
// of the list, so that who comes and goes meanwhile does not wait for who is slow.
func (c *crowd) tell(ctx context.Context, event string) {
	n := c.events.Load()
	if event == "change" {
		n = c.events.Add(1)
	}
	line := encodeEvent(event, n)
	c.mu.Lock()
	all := make([]*watcher, 0, len(c.watchers))
	for w := range c.watchers {
		all = append(all, w)
	}
	c.mu.Unlock()
	for _, w := range all {
		if ctx.Err() != nil {
			return
		}
		if !c.still(w.pass) || !w.write(line) {
			c.leave(w)
		}
	}
}

// write reports whether the watcher took the line, or will hear of it anyway.
func (w *watcher) write(line []byte) bool {
	if w.conn == nil {
		select {
		case w.lines <- line:
		default: // lines wait already; they say the same
		}
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.send(line)
}

// send writes to the connection; the caller holds w.mu.
func (w *watcher) send(line []byte) bool {
	if w.conn.SetWriteDeadline(time.Now().Add(stalled)) != nil {
		return false
	}
	_, err := w.conn.Write(line)
	return err == nil
}

func encodeEvent(event string, n int64) []byte {
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: {\"at\":%q}\n\n", n, event, time.Now().UTC().Format(time.RFC3339Nano))
}

// apiEvents is a stream of server-sent events: "change" when something may have
// changed, and the reader asks again for what it shows. No event carries the
// change itself, so a lost one costs nothing but the wait for the next.
func (s *Server) apiEvents(w http.ResponseWriter, r *http.Request, _ Identity) error {
	out := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	hello := encodeEvent("hello", s.crowd.events.Load())
	if conn, _, err := out.Hijack(); err == nil {
		return s.handOver(r, conn, h, hello)
	}
	// The server's limits are for requests; this one lasts. Where the connection
	// knows no deadlines (in tests) there is nothing to lift.
	_ = out.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	me := &watcher{pass: s.passOf(r), lines: make(chan []byte, 2), ended: make(chan struct{})}
	me.lines <- hello
	if s.crowd.join(r.Context(), me) != nil {
		return nil
	}
	defer s.crowd.leave(me)
	for {
		var line []byte
		select {
		case <-r.Context().Done():
			return nil
		case <-me.ended:
			return nil
		case line = <-me.lines:
		}
		_ = out.SetWriteDeadline(time.Now().Add(beat))
		if _, err := w.Write(line); err != nil || out.Flush() != nil {
			return nil // the reader left; there is nobody to tell
		}
	}
}

// handOver answers on the bare connection and gives it to the crowd. What the
// server kept for the request (its goroutines and buffers) is free after that.
func (s *Server) handOver(r *http.Request, conn net.Conn, h http.Header, hello []byte) error {
	var head strings.Builder
	head.WriteString("HTTP/1.1 200 OK\r\n")
	h.Set("Connection", "close") // its end is the end of the connection
	_ = h.Write(&head)           // a Builder takes everything
	head.WriteString("\r\n")
	head.Write(hello)
	if conn.SetDeadline(time.Time{}) != nil {
		return nil
	}
	// It joins before it is greeted, so that it misses no change after the greeting.
	me := &watcher{pass: s.passOf(r), conn: conn}
	me.mu.Lock()
	defer me.mu.Unlock()
	switch {
	case s.crowd.join(r.Context(), me) != nil:
		_ = conn.Close()
	case !me.send([]byte(head.String())):
		s.crowd.leave(me)
	}
	return nil
}

// Close ends the streams of everybody who watches. What comes later is answered as
// before, but not kept up to date.
func (s *Server) Close() { s.crowd.close() }
