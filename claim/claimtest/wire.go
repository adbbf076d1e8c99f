package claimtest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// wire sends one request after the other over connections that it keeps, each from start to end in the goroutine that asks:
// who sends a load takes as little as can be of the processors that who answers it is measured on.
type wire struct {
	limit time.Duration // for one exchange

	mu   sync.Mutex
	idle map[string][]*wireConn // by host
}

type wireConn struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

// RoundTrip implements [http.RoundTripper] for plain HTTP. The whole answer is read before it returns.
func (t *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	c, err := t.take(r)
	if err != nil {
		return nil, err
	}
	resp, err := c.exchange(r, t.limit)
	if err != nil || resp.Close {
		return resp, errors.Join(err, c.Close())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle[r.URL.Host] = append(t.idle[r.URL.Host], c)
	return resp, nil
}

func (t *wire) take(r *http.Request) (*wireConn, error) {
	host := r.URL.Host
	t.mu.Lock()
	if n := len(t.idle[host]); n > 0 {
		c := t.idle[host][n-1]
		t.idle[host] = t.idle[host][:n-1]
		t.mu.Unlock()
		return c, nil
	}
	t.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(r.Context(), "tcp", host)
	if err != nil {
		return nil, err
	}
	return &wireConn{conn, bufio.NewReader(conn), bufio.NewWriter(conn)}, nil
}

func (c *wireConn) exchange(r *http.Request, limit time.Duration) (*http.Response, error) {
	err := c.SetDeadline(time.Now().Add(limit))
	if err = errors.Join(err, r.Write(c.w), c.w.Flush()); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.r, r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// close ends the connections that nothing is sent over.
func (t *wire) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, all := range t.idle {
		for _, c := range all {
			_ = c.Close()
		}
	}
	t.idle = nil
}
