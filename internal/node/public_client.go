package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"bongsu/internal/config"
)

// AskPublic asks the public node of a configuration how it is, over the address for
// control, with the certificate that its own file names.
func AskPublic(ctx context.Context, c *config.PublicConfig) (PublicState, error) {
	scheme, client := "http", &http.Client{Timeout: 10 * time.Second}
	_, port, err := net.SplitHostPort(c.Listen.Push)
	if err != nil {
		return PublicState{}, err
	}
	addr := c.Listen.Push
	if c.TLS.On() {
		pool, err := certPool(c.TLS.CA)
		if err != nil {
			return PublicState{}, err
		}
		cert, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
		if err != nil {
			return PublicState{}, fmt.Errorf("the certificate of this node: %w", err)
		}
		scheme, addr = "https", net.JoinHostPort("localhost", port)
		client.Transport = &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, ServerName: c.Site},
			// It asks where it listens, whatever the name in its certificate leads to.
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, c.Listen.Push)
			},
			DisableKeepAlives: true,
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+addr+statePath, nil)
	if err != nil {
		return PublicState{}, err
	}
	res, err := client.Do(req)
	if err != nil {
		return PublicState{}, fmt.Errorf("the public node of %s does not answer: %w", c.Site, err)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return PublicState{}, err
	}
	if res.StatusCode != http.StatusOK {
		return PublicState{}, fmt.Errorf("the public node of %s answered %s", c.Site, res.Status)
	}
	var st PublicState
	return st, json.Unmarshal(text, &st)
}
