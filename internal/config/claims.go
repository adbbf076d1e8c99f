package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Claims is how damage reports are taken in, decided and paid.
type Claims struct {
	MasterKey string       `yaml:"masterKey" doc:"file of the key that all others are wrapped with (64 hexadecimal digits), the same on every public node; empty: no reports are taken in"`
	LogKey    string       `yaml:"logKey" doc:"file of the key that signs the log of decisions and recourse packs; the same on every public node"`
	Postgres  SecretSource `yaml:"postgres" doc:"connection string of a PostgreSQL that keeps claims and book, from 500,000 claims on; none: the store of the public nodes keeps them"`
	Papers    S3           `yaml:"papers" doc:"a bucket for the papers that are sent in, sealed; none: they are kept with the claims"`
	Open      Choice       `yaml:"open" doc:"auto: the window for reports opens by itself when an incident is told; confirm: the desk opens it"`
	Template  string       `yaml:"template" doc:"file with what a window is prepared with: how long, consent, kinds of papers, reasons for lateness; empty: those built in"`
	Accounts  string       `yaml:"accounts" doc:"table of subscribers (CSV or XLSX: account, a pseudonym; service, plan, fee, since) that rules may ask about; empty: none are known"`
	Banks     []OwnAccount `yaml:"banks" doc:"the company's own accounts that payments leave from"`
	Calm      int          `yaml:"calm" doc:"reports a minute, at one node, above which the form asks for a proof of work"`
	Burst     int          `yaml:"burst" doc:"reports of one network (/24 of IPv4, /56 of IPv6) at once, above which it is asked for one; one more comes back each second"`
}

// OwnAccount is a bank account of the company.
type OwnAccount struct {
	Name   string `yaml:"name" doc:"what the desk and the book call it"`
	Holder string `yaml:"holder" doc:"in whose name it is"`
	Bank   string `yaml:"bank" doc:"code of the bank"`
	Number string `yaml:"number" doc:"its number"`
}

// On says whether reports are taken in.
func (c *Claims) On() bool { return c.MasterKey != "" }

func defaultClaims() Claims {
	return Claims{
		Papers: S3{Region: "us-east-1", Timeout: 30 * time.Second}, Open: Auto, Calm: 3000, Burst: 60,
	}
}

func (c *Claims) check(v *verdict) {
	if !c.On() {
		return
	}
	v.that(c.LogKey != "", "claims.logKey", "is missing: name the file of the key that signs the log of decisions; bongsu init makes one")
	var names []string
	for i, b := range c.Banks {
		path := fmt.Sprintf("claims.banks[%d]", i)
		v.that(b.Name != "" && b.Holder != "" && b.Bank != "" && b.Number != "", path, "needs name, holder, bank and number")
		v.that(!slices.Contains(names, b.Name), path+".name", "is %q, which is named twice", b.Name)
		names = append(names, b.Name)
	}
	v.that(c.Calm >= 1, "claims.calm", "is %d: must be at least 1", c.Calm)
	v.that(c.Burst >= 1, "claims.burst", "is %d: must be at least 1", c.Burst)
	if c.Postgres.File != "" || c.Postgres.Env != "" {
		c.Postgres.check("claims.postgres", v.that)
	}
	c.Papers.verify("claims.papers", v.that)
}

// verify checks a bucket; one without an endpoint is none.
func (s *S3) verify(path string, that func(ok bool, path, format string, args ...any)) {
	if s.Endpoint == "" {
		return
	}
	u, err := url.Parse(s.Endpoint)
	that(err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Host)), path+".endpoint", "is %q: must be an https URL", s.Endpoint)
	that(s.Bucket != "" && s.Region != "" && s.Key != "", path, "needs bucket, region and key")
	that(s.Timeout > 0, path+".timeout", "is %v: must be above 0s", s.Timeout)
	s.Secret.check(path+".secret", that)
}

// resolve makes paths absolute and reads what is secret.
func (c *Claims) resolve(dir string, v *verdict) []fileOf {
	if !c.On() {
		return nil
	}
	if c.Postgres.File != "" || c.Postgres.Env != "" {
		c.Postgres.resolve(dir, "claims.postgres", v.that)
	}
	c.Papers.Secret.resolve(dir, "claims.papers.secret", v.that)
	return []fileOf{
		{"claims.masterKey", &c.MasterKey, true},
		{"claims.logKey", &c.LogKey, true},
		{"claims.template", &c.Template, false},
		{"claims.accounts", &c.Accounts, true},
	}
}

// Master reads the key that wraps all others.
func (c *Claims) Master() ([]byte, error) {
	src := SecretSource{File: c.MasterKey}
	if err := src.read(); err != nil {
		return nil, fmt.Errorf("claims.masterKey %w", err)
	}
	key, err := hex.DecodeString(src.value.Reveal())
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("claims.masterKey: %s holds no key of 64 hexadecimal digits: bongsu init makes one", c.MasterKey)
	}
	return key, nil
}

// LogSigner reads the key that signs the log of decisions.
func (c *Claims) LogSigner() (note.Signer, error) {
	src := SecretSource{File: c.LogKey}
	if err := src.read(); err != nil {
		return nil, fmt.Errorf("claims.logKey %w", err)
	}
	s, err := note.NewSigner(src.value.Reveal())
	if err != nil {
		return nil, fmt.Errorf("claims.logKey: %s holds no signing key: %w", c.LogKey, errors.New("bongsu init makes one"))
	}
	return s, nil
}
