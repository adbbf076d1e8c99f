package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/internal/config"
)

func hello() Message {
	return Message{
		ID: "inc-1.7", To: "김봉수 <kim@example.com>", Lang: "ko",
		Subject: "[장애] 메일 서비스에 문제가 있습니다 — 복구 중이며 다음 안내는 15:30입니다",
		Text:    "메일이 늦게 도착할 수 있습니다.\n.\n다음 안내 15:30", HTML: "<p>메일이 늦게 도착할 수 있습니다.</p>",
		UnsubscribeURL: "https://status.example.kr/unsubscribe/abc",
		Headers:        map[string]string{"List-Id": "status.example.kr"},
	}
}

func TestMailArrivesAsWritten(t *testing.T) {
	s := newSink(t, false, nil)
	if err := mailer(t, s, nil).Send(t.Context(), hello()); err != nil {
		t.Fatal(err)
	}
	got := s.got()
	if len(got) != 1 {
		t.Fatalf("%d letters, want 1", len(got))
	}
	if !strings.HasPrefix(got[0].from, "<status@example.kr>") || got[0].to != "<kim@example.com>" {
		t.Errorf("envelope from %q to %q", got[0].from, got[0].to)
	}
	m, err := netmail.ReadMessage(strings.NewReader(strings.ReplaceAll(got[0].data, "\r\n..", "\r\n.")))
	if err != nil {
		t.Fatalf("%v in\n%s", err, got[0].data)
	}
	decode := func(name string) string {
		text, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return text
	}
	for name, want := range map[string]string{
		"Subject":               hello().Subject,
		"From":                  `장애 알림 <status@example.kr>`,
		"Message-Id":            "<inc-1.7@example.kr>",
		"List-Unsubscribe":      "<https://status.example.kr/unsubscribe/abc>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"List-Id":               "status.example.kr",
		"Auto-Submitted":        "auto-generated",
		"Content-Language":      "ko",
	} {
		if got := decode(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{hello().Text, hello().HTML} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(string(text), "\r\n", "\n"); strings.TrimSpace(got) != want {
			t.Errorf("part is %q, want %q", got, want)
		}
	}
}

func TestMailRefusesWhatCouldBecomeAHeader(t *testing.T) {
	s := newSink(t, false, nil)
	m := mailer(t, s, nil)
	for name, change := range map[string]func(*Message){
		"receiver line break":   func(m *Message) { m.To = "a@example.com\r\nBcc: b@example.com" },
		"receiver folded":       func(m *Message) { m.To = "a@example.com\r\n RCPT TO:<b@example.com>" },
		"receiver in quotes":    func(m *Message) { m.To = `"a> RCPT TO:<b"@example.com` },
		"receiver quoted break": func(m *Message) { m.To = "\"a\r\nb\"@example.com" },
		"two receivers":         func(m *Message) { m.To = "a@example.com, b@example.com" },
		"group":                 func(m *Message) { m.To = "everybody: a@example.com, b@example.com;" },
		"encoded name":          func(m *Message) { m.To = "=?utf-8?q?a=0d=0aBcc:_b?= <a@example.com>\x00" },
		"no domain":             func(m *Message) { m.To = "root" },
		"no real domain":        func(m *Message) { m.To = "root@mail" },
		"address literal":       func(m *Message) { m.To = "a@[127.0.0.1]" },
		"empty":                 func(m *Message) { m.To = "" },
		"long":                  func(m *Message) { m.To = strings.Repeat("a", 400) + "@example.com" },
		"subject":               func(m *Message) { m.Subject = "fire\r\nBcc: b@example.com" },
		"subject, bare LF":      func(m *Message) { m.Subject = "fire\nBcc: b@example.com" },
		"subject, bare CR":      func(m *Message) { m.Subject = "fire\rBcc: b@example.com" },
		"subject, NEL":          func(m *Message) { m.Subject = "fire\u0085Bcc: b@example.com" },
		"subject, separator":    func(m *Message) { m.Subject = "fire\u2028Bcc: b@example.com" },
		"header value":          func(m *Message) { m.Headers = map[string]string{"X-A": "b\r\nBcc: b@example.com"} },
		"header name":           func(m *Message) { m.Headers = map[string]string{"X-A: b\r\nBcc": "b@example.com"} },
		"unsubscribe":           func(m *Message) { m.UnsubscribeURL = "https://example.kr/>\r\nBcc: b@example.com" },
		"unsubscribe by http":   func(m *Message) { m.UnsubscribeURL = "http://example.kr/u" },
		"language":              func(m *Message) { m.Lang = "ko\r\nBcc: b@example.com" },
		"id":                    func(m *Message) { m.ID = "a>\r\nBcc: b@example.com" },
		"no id":                 func(m *Message) { m.ID = "" },
	} {
		bad := hello()
		change(&bad)
		err := m.Send(t.Context(), bad)
		if err == nil || !Permanent(err) {
			t.Errorf("%s: %v, want a permanent refusal", name, err)
		}
	}
	if got := s.got(); len(got) != 0 {
		t.Errorf("%d letters left, the first is\n%s", len(got), got[0].data)
	}
}

// A name that decodes to a line break must not become one.
func TestMailEncodesOddNames(t *testing.T) {
	s := newSink(t, false, nil)
	m := hello()
	m.To = "=?utf-8?q?a=0d=0aBcc:_b@example.com?= <a@example.com>"
	if err := mailer(t, s, nil).Send(t.Context(), m); err != nil {
		return // refused is as good
	}
	head, _, _ := strings.Cut(s.got()[0].data, "\r\n\r\n")
	if strings.Contains(strings.ToLower(head), "\nbcc:") {
		t.Errorf("a header was smuggled in:\n%s", head)
	}
}

func TestMailDomainsInKorean(t *testing.T) {
	s := newSink(t, false, nil)
	m := hello()
	m.To = "kim@한국.kr"
	if err := mailer(t, s, nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if to := s.got()[0].to; to != "<kim@xn--3e0b707e.kr>" {
		t.Errorf("sent to %s", to)
	}
}

func TestMailEncryption(t *testing.T) {
	secure, ca := certificate(t)
	login := func(c *config.SMTP) {
		c.CA, c.User, c.Password = ca, "bongsu", config.Given("s3cret")
	}
	t.Run("starttls", func(t *testing.T) {
		s := newSink(t, false, secure)
		m := mailer(t, s, func(c *config.SMTP) { login(c); c.Encryption = config.StartTLS })
		if err := m.Send(t.Context(), hello()); err != nil {
			t.Fatal(err)
		}
		if got := s.got()[0]; !got.secure || got.user != "bongsu s3cret" {
			t.Errorf("secure %v, user %q", got.secure, got.user)
		}
	})
	t.Run("tls", func(t *testing.T) {
		s := newSink(t, true, secure)
		m := mailer(t, s, func(c *config.SMTP) { login(c); c.Encryption = config.Implicit })
		if err := m.Send(t.Context(), hello()); err != nil {
			t.Fatal(err)
		}
		if got := s.got()[0]; !got.secure || got.user != "bongsu s3cret" {
			t.Errorf("secure %v, user %q", got.secure, got.user)
		}
	})
	t.Run("starttls is not offered", func(t *testing.T) {
		s := newSink(t, false, nil)
		err := mailer(t, s, func(c *config.SMTP) { c.Encryption = config.StartTLS }).Send(t.Context(), hello())
		if err == nil || Permanent(err) || len(s.got()) != 0 {
			t.Errorf("%v, %d letters: want a refusal that may pass", err, len(s.got()))
		}
	})
	t.Run("certificate of somebody else", func(t *testing.T) {
		s := newSink(t, true, secure)
		err := mailer(t, s, func(c *config.SMTP) { c.Encryption = config.Implicit }).Send(t.Context(), hello())
		if err == nil || len(s.got()) != 0 {
			t.Errorf("%v, %d letters: want a refusal", err, len(s.got()))
		}
	})
	t.Run("secrets stay secret", func(t *testing.T) {
		s := newSink(t, false, secure, func(s *sink) {
			s.refuse = func(line string) string {
				if strings.HasPrefix(line, "AUTH") {
					return "535 no"
				}
				return ""
			}
		})
		m := mailer(t, s, func(c *config.SMTP) { login(c); c.Encryption = config.StartTLS })
		err := m.Send(t.Context(), hello())
		if err == nil || Permanent(err) {
			t.Errorf("%v: a wrong password is nothing that the receiver is to blame for", err)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, m.c, m.c); strings.Contains(text, "s3cret") {
			t.Errorf("the password is in %s", text)
		}
	})
}

func TestMailErrors(t *testing.T) {
	for _, tt := range []struct {
		verb, answer string
		permanent    bool
	}{
		{"RCPT", "550 5.1.1 nobody here", true},
		{"RCPT", "450 4.2.1 later", false},
		{"MAIL", "550 5.7.1 we do not know you", false},
		{"MAIL", "451 4.3.0 later", false},
		{"DATA", "554 5.6.0 no", true},
		{"DATA", "421 4.3.2 going down", false},
		{"EHLO", "554 no", false},
	} {
		t.Run(tt.verb+" "+tt.answer, func(t *testing.T) {
			s := newSink(t, false, nil, func(s *sink) {
				s.refuse = func(line string) string {
					if strings.HasPrefix(line, tt.verb) || tt.verb == "EHLO" && strings.HasPrefix(line, "HELO") {
						return tt.answer
					}
					return ""
				}
			})
			err := mailer(t, s, nil).Send(t.Context(), hello())
			if err == nil || Permanent(err) != tt.permanent {
				t.Errorf("%v, permanent %v; want %v", err, Permanent(err), tt.permanent)
			}
			if len(s.got()) != 0 {
				t.Error("a letter was taken")
			}
		})
	}
}

// A refused receiver must not spoil the connection, or get their mail into the next one.
func TestMailAfterARefusal(t *testing.T) {
	s := newSink(t, false, nil, func(s *sink) {
		s.refuse = func(line string) string {
			if strings.Contains(line, "<bad@") {
				return "550 5.1.1 nobody here"
			}
			return ""
		}
	})
	m := mailer(t, s, func(c *config.SMTP) { c.Connections = 1 })
	bad, good := hello(), hello()
	bad.To, good.ID = "bad@example.com", "inc-1.8"
	if err := m.Send(t.Context(), bad); !Permanent(err) {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if got := s.got(); len(got) != 1 || got[0].to != "<kim@example.com>" || s.dialled != 1 {
		t.Errorf("%d letters over %d connections: %+v", len(got), s.dialled, got)
	}
}

func TestMailOverAConnectionThatWasClosed(t *testing.T) {
	s := newSink(t, false, nil)
	m := mailer(t, s, nil)
	if err := m.Send(t.Context(), hello()); err != nil {
		t.Fatal(err)
	}
	s.hangUp()
	if err := m.Send(t.Context(), hello()); err != nil {
		t.Fatal(err)
	}
	if len(s.got()) != 2 || s.dialled != 2 {
		t.Errorf("%d letters over %d connections, want 2 over 2", len(s.got()), s.dialled)
	}
}

func TestMailGivesUpInTime(t *testing.T) {
	s := newSink(t, false, nil, func(s *sink) { s.slow = make(chan struct{}) })
	t.Cleanup(func() { close(s.slow) })
	m := mailer(t, s, func(c *config.SMTP) { c.Timeout = time.Minute; c.Connections = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	var wg sync.WaitGroup
	for range 2 { // one hangs in the greeting, one waits for the connection
		wg.Go(func() {
			if err := m.Send(ctx, hello()); !errors.Is(err, context.DeadlineExceeded) || Permanent(err) {
				t.Errorf("%v, want a deadline", err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// Many senders share a few connections, and no mail is lost or sent twice.
func TestMailFromMany(t *testing.T) {
	if dialled, _ := sendMany(t, 200); dialled > 8 {
		t.Errorf("%d connections, want 8 at most", dialled)
	}
}

// sendMany sends n different mails by 16 senders, and says over how many connections
// and how many a second.
func sendMany(t *testing.T, n int) (dialled int, rate float64) {
	t.Helper()
	s := newSink(t, false, nil)
	m := mailer(t, s, func(c *config.SMTP) { c.Timeout = time.Minute })
	begun := time.Now()
	var wg sync.WaitGroup
	work := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range work {
				msg := hello()
				msg.ID = fmt.Sprintf("inc-1.%d", i)
				if err := m.Send(t.Context(), msg); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
	rate = float64(n) / time.Since(begun).Seconds()
	ids := map[string]bool{}
	for _, l := range s.got() {
		m, err := netmail.ReadMessage(strings.NewReader(l.data))
		if err != nil {
			t.Fatal(err)
		}
		ids[m.Header.Get("Message-Id")] = true
	}
	if got := len(s.got()); got != n || len(ids) != n {
		t.Errorf("%d mails arrived, %d of them different; want %d", got, len(ids), n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dialled, rate
}

func TestMailConfiguration(t *testing.T) {
	for name, change := range map[string]func(*config.SMTP){
		"no sender":     func(c *config.SMTP) { c.From = "" },
		"bad sender":    func(c *config.SMTP) { c.From = "a@example.kr\r\nBcc: b" },
		"bad server":    func(c *config.SMTP) { c.Server = "mail" },
		"bad port":      func(c *config.SMTP) { c.Server = "mail:smtp" },
		"bad reply":     func(c *config.SMTP) { c.ReplyTo = "nobody" },
		"authority":     func(c *config.SMTP) { c.CA = "/nowhere.pem" },
		"port too high": func(c *config.SMTP) { c.Server = "mail:70000" },
	} {
		c := config.DefaultSMTP()
		c.Server, c.From = "127.0.0.1:25", "a@example.kr"
		change(&c)
		if _, err := NewSMTP(c); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}
