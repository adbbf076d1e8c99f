package notify

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/internal/config"
)

// letter is what a sink was handed.
type letter struct {
	from, to string
	data     string
	user     string // "user password" if somebody logged in
	secure   bool
}

// sink is a mail server that keeps what it is given.
type sink struct {
	addr   string
	secure *tls.Config
	refuse func(command string) string // answer instead of the usual one
	slow   chan struct{}               // if set, nothing is said before it is closed

	mu      sync.Mutex
	letters []letter
	conns   []net.Conn
	dialled int
}

func newSink(t *testing.T, implicit bool, secure *tls.Config, change ...func(*sink)) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if implicit {
		l = tls.NewListener(l, secure)
	}
	s := &sink{addr: l.Addr().String(), secure: secure}
	for _, f := range change {
		f(s)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.dialled++
			s.mu.Unlock()
			wg.Go(func() { s.serve(conn, implicit) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.hangUp()
		wg.Wait()
	})
	return s
}

// hangUp closes every connection.
func (s *sink) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

func (s *sink) got() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]letter(nil), s.letters...)
}

func (s *sink) serve(conn net.Conn, secure bool) {
	defer func() { _ = conn.Close() }()
	if s.slow != nil {
		<-s.slow
	}
	r := bufio.NewReader(conn)
	say := func(line string) { _, _ = conn.Write([]byte(line + "\r\n")) }
	say("220 sink ESMTP")
	var m letter
	m.secure = secure
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb := strings.ToUpper(line)
		if s.refuse != nil {
			if answer := s.refuse(line); answer != "" {
				say(answer)
				continue
			}
		}
		switch {
		case strings.HasPrefix(verb, "EHLO"):
			say("250-sink")
			if s.secure != nil && !m.secure {
				say("250-STARTTLS")
			}
			say("250-AUTH PLAIN LOGIN")
			say("250-8BITMIME")
			say("250 SMTPUTF8")
		case verb == "STARTTLS":
			say("220 go on")
			up := tls.Server(conn, s.secure)
			if up.Handshake() != nil {
				return
			}
			conn, r, m.secure = up, bufio.NewReader(up), true
		case strings.HasPrefix(verb, "AUTH PLAIN "):
			text, _ := base64.StdEncoding.DecodeString(line[len("AUTH PLAIN "):])
			m.user = strings.Join(strings.Split(string(text), "\x00")[1:], " ")
			say("235 welcome")
		case strings.HasPrefix(verb, "MAIL FROM:"):
			m.from = line[len("MAIL FROM:"):]
			say("250 ok")
		case strings.HasPrefix(verb, "RCPT TO:"):
			m.to += line[len("RCPT TO:"):]
			say("250 ok")
		case verb == "DATA":
			say("354 go on")
			var data strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				data.WriteString(line)
			}
			m.data = data.String()
			s.mu.Lock()
			s.letters = append(s.letters, m)
			s.mu.Unlock()
			m = letter{user: m.user, secure: m.secure}
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		case verb == "RSET", verb == "NOOP":
			say("250 ok")
		default:
			say("500 what?")
		}
	}
}

// certificate makes one for 127.0.0.1 and writes it where a configuration can name it.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sink"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

// mailer sends to a sink without encryption.
func mailer(t *testing.T, s *sink, change func(*config.SMTP)) *SMTP {
	t.Helper()
	c := config.DefaultSMTP()
	c.Server, c.Encryption, c.From, c.Timeout = s.addr, config.Plain, "장애 알림 <status@example.kr>", 5*time.Second
	if change != nil {
		change(&c)
	}
	m, err := NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}
