package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	netmail "net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/net/idna"

	"bongsu/internal/config"
)

// SMTP hands mail to a mail server over a few connections that it keeps open.
type SMTP struct {
	c      config.SMTP
	from   *netmail.Address
	reply  *netmail.Address
	client *mail.Client
	slots  chan struct{} // one for each connection that may be open

	mu   sync.Mutex
	idle []*line
}

// line is one connection to the server.
type line struct {
	*smtp.Client
	conn  net.Conn // closing it ends what the client waits for
	since time.Time
}

// maxIdle is shorter than the time after which servers hang up.
const maxIdle = time.Minute

// opened is the key under which a context carries who is told of a new connection.
type opened struct{}

// NewSMTP makes a sender of mail. [SMTP.Close] ends its connections.
func NewSMTP(c config.SMTP) (*SMTP, error) {
	s := &SMTP{c: c, slots: make(chan struct{}, c.Connections)}
	var err error
	if s.from, err = address("sender", c.From); err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	if c.ReplyTo != "" {
		if s.reply, err = address("address for answers", c.ReplyTo); err != nil {
			return nil, fmt.Errorf("smtp: %w", err)
		}
	}
	host, portText, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("smtp: port %q: %w", portText, err)
	}
	pool, err := roots(c.CA)
	if err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	secure := &tls.Config{ServerName: host, RootCAs: pool, MinVersion: tls.VersionTLS12}
	opts := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(c.Timeout), mail.WithTLSConfig(secure),
		mail.WithoutNoop(), mail.WithoutRset(), // the pool asks for itself
		mail.WithDialContextFunc(dial(c.Encryption, secure)),
	}
	switch c.Encryption {
	case config.Implicit:
		opts = append(opts, mail.WithSSL())
	case config.Plain:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	case config.StartTLS:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.Hello != "" {
		opts = append(opts, mail.WithHELO(c.Hello))
	}
	if c.User != "" {
		kinds := map[config.Auth]mail.SMTPAuthType{config.AuthPlain: mail.SMTPAuthPlain, config.AuthLogin: mail.SMTPAuthLogin, config.AuthScram: mail.SMTPAuthSCRAMSHA256}
		opts = append(opts, mail.WithSMTPAuth(kinds[c.Auth]), mail.WithUsername(c.User), mail.WithPassword(c.Password.Secret().Reveal()))
	}
	if s.client, err = mail.NewClient(host, opts...); err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	return s, nil
}

// dial tells whoever asked for a connection, so that they can close it: the client
// leaves it open when a greeting goes wrong, and waits in it without a context.
func dial(e config.Encryption, secure *tls.Config) mail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		open := d.DialContext
		if e == config.Implicit {
			open = (&tls.Dialer{NetDialer: &d, Config: secure}).DialContext
		}
		conn, err := open(ctx, network, address)
		if tell, ok := ctx.Value(opened{}).(func(net.Conn)); ok && err == nil {
			tell(conn)
		}
		return conn, err
	}
}

// Close ends the connections that nobody uses. It is called once nobody sends any more.
func (s *SMTP) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.idle {
		_ = l.UpdateDeadline(time.Second)
		_ = l.Quit() // the server may have hung up already
		_ = l.conn.Close()
	}
	s.idle = nil
	return nil
}

// Send implements [Sender].
func (s *SMTP) Send(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a connection to %s: %w", s.c.Server, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	l := s.take()
	kept := l != nil
	for {
		if l == nil {
			if l, err = s.open(ctx); err != nil {
				return err
			}
		}
		err = s.over(ctx, l, msg)
		if !kept || !hungUp(err) {
			break
		}
		l, kept = nil, false // it had been closed while it was idle: nothing was sent
	}
	if err != nil && !msg.IsDelivered() {
		return s.explain(err)
	}
	return nil
}

// over sends by one connection, and keeps it if it can be used again.
func (s *SMTP) over(ctx context.Context, l *line, msg *mail.Msg) error {
	stop := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	err := s.client.SendWithSMTPClient(l.Client, msg)
	if e, ok := errors.AsType[*mail.SendError](err); stop() && (err == nil || ok && e.ErrorCode() != 0 && e.ErrorCode() != 421) {
		s.mu.Lock()
		defer s.mu.Unlock()
		l.since = time.Now()
		s.idle = append(s.idle, l)
		return err
	}
	_ = l.conn.Close()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return err
}

// take returns a connection that was used just now, or nil.
func (s *SMTP) take() *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := len(s.idle); n > 0; n = len(s.idle) {
		l := s.idle[n-1]
		s.idle = s.idle[:n-1]
		if time.Since(l.since) < maxIdle {
			return l
		}
		_ = l.conn.Close()
	}
	return nil
}

func (s *SMTP) open(ctx context.Context) (*line, error) {
	l := &line{}
	stop := func() bool { return true }
	tell := func(conn net.Conn) {
		l.conn = conn
		stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	}
	client, err := s.client.DialToSMTPClientWithContext(context.WithValue(ctx, opened{}, tell))
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		if l.conn != nil {
			_ = l.conn.Close()
		}
		return nil, fmt.Errorf("mail server %s: %w", s.c.Server, err)
	}
	l.Client = client
	return l, nil
}

// hungUp says whether the server had closed the connection before anything was sent.
func hungUp(err error) bool {
	e, ok := errors.AsType[*mail.SendError](err)
	return ok && (e.ErrorCode() == 0 || e.ErrorCode() == 421) && (e.Reason == mail.ErrConnCheck || e.Reason == mail.ErrSMTPMailFrom)
}

// explain says what the server holds against the message. What it says about the
// receiver or the text will not change; what it says about us may be mended.
func (s *SMTP) explain(err error) error {
	e, ok := errors.AsType[*mail.SendError](err)
	about := ok && (e.Reason == mail.ErrSMTPRcptTo || e.Reason == mail.ErrSMTPData || e.Reason == mail.ErrSMTPDataClose)
	return &failure{err: fmt.Errorf("mail server %s: %w", s.c.Server, err), permanent: about && e.ErrorCode() >= 500}
}

// compose makes the mail, and refuses what could become something else on its way.
func (s *SMTP) compose(m Message) (*mail.Msg, error) {
	to, err := address("receiver", m.To)
	if err != nil {
		return nil, err
	}
	if err := checkID(m.ID); err != nil {
		return nil, err
	}
	if err := oneLine("subject", m.Subject); err != nil {
		return nil, err
	}
	msg := mail.NewMsg()
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(to)
	if s.reply != nil {
		msg.ReplyToMailAddress(s.reply)
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID + s.from.Address[strings.LastIndex(s.from.Address, "@"):])
	msg.SetUserAgent(agent)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.Lang != "" {
		if err := oneLine("language", m.Lang); err != nil {
			return nil, err
		}
		msg.SetGenHeader("Content-Language", m.Lang)
	}
	if m.UnsubscribeURL != "" {
		if err := oneLine("address to unsubscribe", m.UnsubscribeURL); err != nil {
			return nil, err
		}
		if err := msg.SetListUnsubscribeOneClick(m.UnsubscribeURL); err != nil {
			return nil, permanent("the address to unsubscribe must be an https URL: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,75}$`).MatchString(name) {
			return nil, permanent("%q is no name of a header", name)
		}
		if err := oneLine("header "+name, m.Headers[name]); err != nil {
			return nil, err
		}
		msg.SetGenHeader(mail.Header(name), m.Headers[name])
	}
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

// CheckAddress says why mail to this address would be refused.
func CheckAddress(text string) error {
	_, err := address("address", text)
	return err
}

// address reads a mail address, with or without a name before it. Quoted local parts
// are legal, used by nobody, and the usual way to smuggle something in.
func address(what, text string) (*netmail.Address, error) {
	if err := oneLine(what, text); err != nil {
		return nil, err
	}
	if len(text) > 320 {
		return nil, permanent("the %s has %d characters: 320 at most", what, len(text))
	}
	a, err := netmail.ParseAddress(text)
	if err != nil {
		return nil, permanent("the %s is no mail address: %w", what, err)
	}
	local, domain, _ := strings.Cut(a.Address, "@")
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r)
	}
	if len(local) > 64 || strings.ContainsFunc(local, odd) {
		return nil, permanent("the %s has a part before the @ that is longer than 64 characters or has quotes, spaces or brackets in it", what)
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || !strings.Contains(ascii, ".") && ascii != "localhost" {
		return nil, permanent("the %s has no domain after the @", what)
	}
	a.Address = local + "@" + ascii
	return a, nil
}
