package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/config"
	"bongsu/internal/etcd"
	"bongsu/internal/notify"
	"bongsu/settle"
	"bongsu/status"
)

// tellFrom makes of a control node's file how it tells the public side.
func tellFrom(c *config.Config, secure *tls.Config) (Tell, error) {
	p := &c.Public
	if !p.On() {
		return Tell{}, nil
	}
	signer, err := p.Signer()
	if err != nil {
		return Tell{}, err
	}
	t := Tell{
		Nodes: p.Nodes, Signer: signer, Pulse: p.Pulse, First: p.FirstWord == config.Auto,
		Page: status.Page{
			Company: p.Page.Company, Title: p.Page.Title, URL: p.Page.URL, TimeZone: p.Page.TimeZone, Contact: p.Page.Contact,
			Hide: p.Page.Hide, Groups: p.Page.Groups, Names: map[string]status.Text{}, GoodFor: p.GoodFor,
		},
	}
	for name, titles := range p.Page.Names {
		t.Page.Names[name] = titles
	}
	if secure != nil {
		t.TLS = secure.Clone()
		cert, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
		if err != nil {
			return Tell{}, fmt.Errorf("the certificate of this node: %w", err)
		}
		t.TLS.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

func certPool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

// PublicFromConfig makes the options of a public node of what its file says.
func PublicFromConfig(c *config.PublicConfig, log *slog.Logger) (PublicOptions, error) {
	known, err := c.Verifiers()
	if err != nil {
		return PublicOptions{}, err
	}
	session, err := c.SessionKey()
	if err != nil {
		return PublicOptions{}, err
	}
	seal, err := c.SealKey()
	if err != nil {
		return PublicOptions{}, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return PublicOptions{}, fmt.Errorf("make the data folder: %w", err)
	}
	o := PublicOptions{
		Site: c.Site, Dir: c.Data, Store: publicStore(c), Known: known,
		Page: c.Listen.Page, PageCert: c.Page.Cert, PageKey: c.Page.Key, Trust: c.Trusted(),
		Push: c.Listen.Push, Desk: c.Listen.Desk, DeskCert: c.Desk.Cert, DeskKey: c.Desk.Key,
		SessionKey: []byte(session.Reveal()), SealKey: []byte(seal.Reveal()), Limits: status.DefaultLimits(),
		ExportEvery: c.Export.Every, Log: log,
	}
	if c.Listen.Desk != "" {
		if o.Accounts, err = newDeskAccounts(c.Desk.Accounts, log); err != nil {
			return PublicOptions{}, err
		}
	}
	if c.TLS.On() {
		if o.PushTLS, err = pushTLS(c); err != nil {
			return PublicOptions{}, err
		}
	}
	if err := SendBy(&o, c.SMTP, c.Webhook); err != nil {
		return PublicOptions{}, err
	}
	if c.Claims.On() {
		if o.Claims, err = claimsFromConfig(&c.Claims); err != nil {
			return PublicOptions{}, err
		}
	}
	if c.Export.Dir != "" {
		o.Exports = append(o.Exports, Folder(c.Export.Dir))
	}
	if c.Export.S3.Endpoint != "" {
		o.Exports = append(o.Exports, NewBucket(c.Export.S3))
	}
	return o, nil
}

// claimsFromConfig makes of a file how damage reports are taken.
func claimsFromConfig(c *config.Claims) (*ClaimOptions, error) {
	key, err := c.Master()
	if err != nil {
		return nil, err
	}
	o := &ClaimOptions{Auto: c.Open == config.Auto, Template: claim.DefaultTemplate(), Calm: c.Calm, Burst: c.Burst, Banks: map[string]settle.Debtor{}}
	for _, b := range c.Banks {
		o.Banks[b.Name] = settle.Debtor{Name: b.Holder, Bank: b.Bank, Number: b.Number}
	}
	if o.Master, err = claim.NewMaster(key); err != nil {
		return nil, err
	}
	if o.Log, err = c.LogSigner(); err != nil {
		return nil, err
	}
	if c.Template != "" {
		text, err := os.ReadFile(c.Template)
		if err != nil {
			return nil, fmt.Errorf("claims.template: %w", err)
		}
		if o.Template, err = claim.ParseTemplate(c.Template, text); err != nil {
			return nil, err
		}
	}
	if o.Accounts, err = subscribers(c.Accounts); err != nil {
		return nil, err
	}
	o.Postgres = c.Postgres.Secret().Reveal()
	if c.Papers.Endpoint != "" {
		o.Papers = NewPapers(c.Papers)
	}
	return o, nil
}

// subscribers reads the table that rules may ask about.
func subscribers(file string) (map[string]policy.Account, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // none are known
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("claims.accounts: %w", err)
	}
	defer func() { _ = f.Close() }()
	all := map[string]policy.Account{}
	for a, err := range claim.ReadAccounts(f) {
		if err != nil {
			return nil, fmt.Errorf("claims.accounts: %s: %w", file, err)
		}
		all[a.ID] = a
	}
	return all, nil
}

func publicStore(c *config.PublicConfig) etcd.Config {
	self := c.Self()
	s := etcd.Config{
		Cluster: c.Cluster, Name: c.Site, TLS: etcd.TLS{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key},
		Heartbeat: c.Store.Heartbeat, Election: c.Store.Election, Quota: int64(c.Store.Quota), Join: c.Store.Join,
	}
	if c.TLS.On() {
		s.TLS.Accept = config.CommonName(c.Cluster)
	}
	for _, m := range c.Members() {
		s.Members = append(s.Members, etcd.Peer{Name: m.Site, URL: m.Peer})
		s.Endpoints = append(s.Endpoints, m.Client)
	}
	if self.Role == config.Member {
		s.Dir = filepath.Join(c.Data, "store")
		s.PeerListen, s.PeerURL, s.ClientListen, s.ClientURL = c.Listen.Peer, self.Peer, c.Listen.Client, self.Client
	}
	return s
}

// pushTLS lets in who carries a certificate of the cluster's authority that is made out
// to a node of control, or to a public one, whose operators look at it.
func pushTLS(c *config.PublicConfig) (*tls.Config, error) {
	pool, err := certPool(c.TLS.CA)
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return nil, fmt.Errorf("the certificate of this node: %w", err)
	}
	accepted := []string{config.CommonName(c.Control), config.CommonName(c.Cluster)}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		VerifyConnection: func(s tls.ConnectionState) error {
			if name := s.PeerCertificates[0].Subject.CommonName; !slices.Contains(accepted, name) {
				return fmt.Errorf("%q is no node of control", name)
			}
			return nil
		},
	}, nil
}

// senders send letters by what the configuration has.
type senders map[string]notify.Sender

// SendBy sets how subscribers are told.
func SendBy(o *PublicOptions, smtp config.SMTP, webhook config.Webhook) error {
	s := senders{}
	if smtp.Server != "" {
		mail, err := notify.NewSMTP(smtp)
		if err != nil {
			return err
		}
		s[status.ByMail] = mail
	}
	hook, err := notify.NewWebhook(webhook)
	if err != nil {
		return err
	}
	slack, err := notify.NewSlack(webhook)
	if err != nil {
		return err
	}
	s[status.ByWebhook], s[status.BySlack] = hook, slack
	o.Send, o.Permanent = s, notify.Permanent
	o.CheckAddress = func(kind, address string) error {
		if s[kind] == nil {
			return errors.New("nothing is sent in this way from here: choose another")
		}
		if kind == status.ByMail {
			return notify.CheckAddress(address)
		}
		return hook.Check(address)
	}
	return nil
}

// Send implements [status.Sender].
func (s senders) Send(ctx context.Context, l status.Letter) error {
	by, ok := s[l.Kind]
	if !ok {
		return fmt.Errorf("nothing is sent by %s from here", l.Kind)
	}
	m := notify.Message{
		ID: l.ID, To: l.To, Subject: l.Subject, Text: l.Text, HTML: l.HTML, Lang: l.Lang,
		JSON: l.JSON,
	}
	if strings.HasPrefix(l.Unsubscribe, "https:") { // the header is only for these; the text names it in any case
		m.UnsubscribeURL = l.Unsubscribe
	}
	if l.Secret != "" {
		m.Key = config.NewSecret(l.Secret)
	}
	return by.Send(ctx, m)
}
