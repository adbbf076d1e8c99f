package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/internal/config"
	"bongsu/web"
)

// remote is how a command reaches the control plane: any of its nodes will do,
// so it is told several and takes the first that has a quorum.
type remote struct {
	nodes, token, ca, config string
}

// remoteFlags gives a command what it needs to reach a node.
func remoteFlags(cmd *cobra.Command) *remote {
	r := &remote{}
	f := cmd.Flags()
	f.StringVar(&r.config, "config", os.Getenv("BONGSU_CONFIG"), "a site's bongsu.yaml, which says where the nodes are ($BONGSU_CONFIG)")
	f.StringVar(&r.nodes, "node", os.Getenv("BONGSU_NODE"), "addresses of nodes, https://host:port, separated by commas ($BONGSU_NODE)")
	f.StringVar(&r.token, "token-file", os.Getenv("BONGSU_TOKEN_FILE"), "file with an API token ($BONGSU_TOKEN_FILE)")
	f.StringVar(&r.ca, "ca", os.Getenv("BONGSU_CA"), "PEM file of the CA of the nodes' certificates ($BONGSU_CA)")
	return r
}

const remoteHint = "name a site's configuration with --config DIR/SITE/bongsu.yaml, as bongsu init wrote it"

// client returns a client of the first node that has a quorum, else of the first
// that answers.
func (r *remote) client(ctx context.Context) (*web.Client, error) {
	nodes, token, ca := r.nodes, r.token, r.ca
	if r.config != "" {
		c, err := config.Load(r.config)
		if err != nil {
			return nil, &usageError{err: err}
		}
		nodes = cmp.Or(nodes, consoles(c))
		token = cmp.Or(token, tokenBeside(r.config))
		ca = cmp.Or(ca, c.TLS.CA)
	}
	if nodes == "" {
		return nil, usagef(remoteHint, "no node is named")
	}
	if token == "" {
		return nil, usagef(remoteHint, "no token file is named")
	}
	secret, err := os.ReadFile(token)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("read the token: %w", err), hint: remoteHint}
	}
	pool, err := authorities(ca)
	if err != nil {
		return nil, err
	}
	var first *web.Client
	var failed []error
	for node := range strings.SplitSeq(nodes, ",") {
		c, err := web.NewClient(web.ClientOptions{URL: node, Token: strings.TrimSpace(string(secret)), CA: pool})
		if err != nil {
			return nil, &usageError{err: err, hint: remoteHint}
		}
		h, err := c.Health(ctx)
		switch {
		case err != nil:
			failed = append(failed, err)
		case h.Quorum:
			return c, nil
		case first == nil:
			first = c
		}
	}
	if first == nil {
		return nil, errors.Join(append(failed, errors.New("no node answers"))...)
	}
	return first, nil
}

// consoles are the addresses of all nodes, the configuration's own first.
func consoles(c *config.Config) string {
	urls := []string{c.Self().Console}
	for _, n := range c.Nodes {
		if n.Site != c.Site {
			urls = append(urls, n.Console)
		}
	}
	return strings.Join(urls, ",")
}

// tokenBeside finds the token that bongsu init wrote beside a site's folder: the
// approver's where it is, else the operator's.
func tokenBeside(file string) string {
	dir := filepath.Dir(filepath.Dir(file))
	for _, name := range []string{"approver.token", "operator.token"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil asks for those of the system
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("read the CA: %w", err), hint: remoteHint}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, usagef(remoteHint, "%s holds no certificate", path)
	}
	return pool, nil
}

// whyFlag gives a command --why, which goes into the journal.
func whyFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("why", "", "the reason, for the journal")
}

// yesFlag gives a command that changes the world --yes.
func yesFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("yes", false, "do it without asking")
}

// confirm asks a person before the world is changed. Without a terminal there is
// nobody to ask, so --yes is needed.
func (a *app) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if f, ok := a.in.(*os.File); !ok || !terminal(f) {
		return usagef("add --yes when you are sure", "%s: nobody can be asked here", question)
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	var answer string
	if _, err := fmt.Fscanln(a.in, &answer); err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
		return errors.New("nothing was changed")
	}
	return nil
}
