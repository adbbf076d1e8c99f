package node_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bongsu/internal/config"
	"bongsu/internal/etcd"
	"bongsu/internal/node"
	"bongsu/status"
)

// BenchmarkPublish measures from the moment that control pushes an update to one
// public node until every one of three shows it. The goal is a p99 of 1 s.
func BenchmarkPublish(b *testing.B) {
	s := newSquare(b, three)
	s.start(three...)
	s.quorum(three...)
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		parcels := s.sign(n%50 + 1)
		began := time.Now()
		seen := make(chan error, len(three))
		for _, site := range three {
			go func() { seen <- s.until(b.Context(), site, s.rev) }()
		}
		if a, err := s.post(b.Context(), s.client, three[n%3], parcels...); err != nil || a.Code != http.StatusOK {
			b.Fatalf("%+v, %v", a, err)
		}
		for range three {
			if err := <-seen; err != nil {
				b.Fatal(err)
			}
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}

// until asks a node until all three of its documents are of a revision.
func (s *square) until(ctx context.Context, site string, rev int64) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		st, err := s.state(ctx, site)
		if err == nil && st.State.Rev >= 3*rev {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", site, ctx.Err())
		}
	}
}

// BenchmarkMail has 10,240 subscribers of a public side of three nodes told of one
// update. Goals: queued within 1 s, and 200 letters a second to a local mail server.
func BenchmarkMail(b *testing.B) {
	const people = 10_240
	mails := newMailbox(b)
	s := newSquare(b, three)
	s.change = mails.use(b)
	s.start(three...)
	s.quorum(three...)
	s.publish("north", 0)
	mails.populate(b, s, people)
	n := 0
	var queued, delivered time.Duration
	for b.Loop() {
		n++
		mails.expect(people)
		began := time.Now()
		s.publish("north", n)
		for poll := time.NewTicker(20 * time.Millisecond); queued == 0; <-poll.C { // a look costs both cores some of what is measured
			st, err := s.state(b.Context(), "north")
			if err != nil {
				b.Fatal(err)
			}
			if i := slices.IndexFunc(st.Jobs, func(j status.Job) bool { return j.ID == fmt.Sprintf("fire-%d", n) && j.Total == people }); i >= 0 {
				queued = time.Since(began)
			}
		}
		mails.wait(b)
		delivered += time.Since(began)
	}
	b.ReportMetric(queued.Seconds(), "queued-s")
	b.ReportMetric(float64(people*n)/delivered.Seconds(), "mails/s")
}

// A mailbox is a mail server that takes everything and counts it.
type mailbox struct {
	addr string
	got  atomic.Int64
	want int64
	full chan struct{}
}

func newMailbox(b *testing.B) *mailbox {
	b.Helper()
	ln, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ln.Close() })
	m := &mailbox{addr: ln.Addr().String()}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *mailbox) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	answer := "220 mailbox"
	for {
		if _, err := fmt.Fprintf(conn, "%s\r\n", answer); err != nil {
			return
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " "); verb {
		case "DATA":
			if _, err := fmt.Fprint(conn, "354 go on\r\n"); err != nil {
				return
			}
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			if m.got.Add(1) == atomic.LoadInt64(&m.want) {
				close(m.full)
			}
			answer = "250 taken"
		case "QUIT":
			return
		default:
			answer = "250 fine"
		}
	}
}

func (m *mailbox) expect(n int64) {
	m.got.Store(0)
	m.full = make(chan struct{})
	atomic.StoreInt64(&m.want, n)
}

func (m *mailbox) wait(b *testing.B) {
	b.Helper()
	limit := time.NewTimer(5 * time.Minute)
	defer limit.Stop()
	select {
	case <-m.full:
	case <-limit.C:
		b.Fatalf("%d letters of %d arrived", m.got.Load(), m.want)
	}
}

// use makes nodes send to the mailbox by SMTP, as they do in earnest.
func (m *mailbox) use(b *testing.B) func(string, *node.PublicOptions) {
	b.Helper()
	return func(_ string, o *node.PublicOptions) {
		c := config.DefaultSMTP()
		c.Server, c.Encryption, c.From = m.addr, config.Plain, "status@example.kr"
		if err := node.SendBy(o, c, config.DefaultWebhook()); err != nil {
			b.Fatal(err)
		}
	}
}

// populate enrols subscribers.
func (*mailbox) populate(b *testing.B, s *square, n int) {
	b.Helper()
	c, err := config.LoadPublic(s.made.Public["north"])
	if err != nil {
		b.Fatal(err)
	}
	seal, err := c.SealKey()
	if err != nil {
		b.Fatal(err)
	}
	conf := etcd.Config{Cluster: c.Cluster, Name: "tester", TLS: s.options("north").Store.TLS}
	for _, m := range c.Members() {
		conf.Endpoints = append(conf.Endpoints, m.Client)
	}
	store, err := etcd.Open(b.Context(), conf, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	desk, err := status.NewDesk(store, []byte(seal.Reveal()), status.DefaultLimits(), nil)
	if err != nil {
		b.Fatal(err)
	}
	all := make([]status.Subscription, n)
	for i := range all {
		all[i] = status.Subscription{Kind: status.ByMail, Address: fmt.Sprintf("u%05d@example.kr", i), Lang: "ko"}
	}
	if err := desk.Enrol(b.Context(), all); err != nil {
		b.Fatal(err)
	}
}
