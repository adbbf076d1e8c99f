package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"bongsu/detect"
	"bongsu/internal/actuate"
	"bongsu/internal/config"
	"bongsu/internal/etcd"
	"bongsu/web"
)

// FromConfig makes the options of a node of what its file says.
func FromConfig(c *config.Config, log *slog.Logger) (Options, error) {
	list, err := config.LoadAccounts(c.Console.Accounts)
	if err != nil {
		return Options{}, err
	}
	key, err := c.Key()
	if err != nil {
		return Options{}, err
	}
	signer, public, err := c.Signer()
	if err != nil {
		return Options{}, err
	}
	clocks, err := c.ClockPolicy()
	if err != nil {
		return Options{}, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return Options{}, fmt.Errorf("make the data folder: %w", err)
	}
	self := c.Self()
	o := Options{
		Name: c.Site, Site: c.Site, Witness: self.Witness, Dir: c.Data, Store: storeConfig(c),
		Detection: detect.Policy{Lease: c.Detection.Lease, Hold: c.Detection.Hold, Observers: c.Detection.Observers},
		Interval:  c.Detection.Interval, Timeout: c.Detection.Timeout,
		Declare: c.Policy.Declare == config.Auto, Approve: c.Policy.Approve == config.Auto, Second: c.Policy.Second,
		Listen: c.Listen.Console, URL: self.Console, CertFile: c.Console.Cert, KeyFile: c.Console.Key,
		Accounts: accounts{list}, Key: []byte(key.Reveal()), Log: log,
		Signer: signer, RecordKey: public, Clocks: clocks,
		Actuators: actuate.New(actuate.Options{Env: func(name string) (string, bool) {
			if s, ok := c.Secrets.Lookup(name); ok {
				return s.Reveal(), true
			}
			return os.LookupEnv(name)
		}}),
	}
	if c.TLS.CA != "" {
		pool, err := certPool(c.TLS.CA)
		if err != nil {
			return Options{}, err
		}
		o.ProbeTLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	}
	if o.Tell, err = tellFrom(c, o.ProbeTLS); err != nil {
		return Options{}, err
	}
	if o.Duty, err = NewWaking(c); err != nil {
		return Options{}, err
	}
	for _, n := range c.Nodes {
		o.Cluster = append(o.Cluster, Peer{Site: n.Site, URL: n.Console, Voter: n.Role == config.Member, Witness: n.Witness})
	}
	o.FenceTime = c.Fence.Timeout
	if c.Fence.Set() {
		o.Fence = &Fencer{
			Fence:   command(c.Fence.Command, c.Fence.Timeout),
			Release: command(c.Fence.Release, c.Fence.Timeout),
		}
	}
	return o, nil
}

func storeConfig(c *config.Config) etcd.Config {
	self := c.Self()
	s := etcd.Config{
		Cluster: c.Cluster, Name: c.Site, TLS: etcd.TLS{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key, Accept: acceptedBy(c)},
		Heartbeat: c.Store.Heartbeat, Election: c.Store.Election, Quota: int64(c.Store.Quota), Join: c.Store.Join,
		Endpoints: c.Store.External,
	}
	for _, m := range c.Members() {
		s.Members = append(s.Members, etcd.Peer{Name: m.Site, URL: m.Peer})
		if len(c.Store.External) == 0 {
			s.Endpoints = append(s.Endpoints, m.Client)
		}
	}
	if self.Role == config.Member {
		s.Dir = filepath.Join(c.Data, "store")
		s.PeerListen, s.PeerURL, s.ClientListen, s.ClientURL = c.Listen.Peer, self.Peer, c.Listen.Client, self.Client
	}
	return s
}

// acceptedBy is the name that certificates of this cluster's nodes carry.
func acceptedBy(c *config.Config) string {
	if !c.TLS.On() {
		return ""
	}
	return config.CommonName(c.Cluster)
}

// command makes a function of what a configuration says is to be done; one that
// is not set does nothing.
func command(c config.Command, timeout time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		switch {
		case len(c.Exec) > 0:
			out, err := exec.CommandContext(ctx, c.Exec[0], c.Exec[1:]...).CombinedOutput() //nolint:gosec // the operator's own configuration
			if err != nil {
				return fmt.Errorf("%s: %w: %.200s", c.Exec[0], err, out)
			}
		case c.HTTP != "":
			return post(ctx, c.HTTP)
		}
		return nil
	}
}

func post(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return errors.New(res.Status)
	}
	return nil
}

// accounts lets the console ask the accounts of a file.
type accounts struct{ list *config.Accounts }

func role(r config.AccountRole, ok bool) (web.Role, bool) {
	if !ok {
		return web.Nobody, false
	}
	parsed, err := web.ParseRole(string(r))
	return parsed, err == nil
}

func (a accounts) Password(ctx context.Context, name, password string) (web.Role, bool) {
	return role(a.list.Password(ctx, name, password))
}

func (a accounts) Current(name string) (web.Role, bool) { return role(a.list.Current(name)) }

func (a accounts) Token(token string) (web.Identity, bool) {
	name, r, ok := a.list.Token(token)
	parsed, ok := role(r, ok)
	return web.Identity{Name: name, Role: parsed}, ok
}
