package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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

// named says whether the command was told of any node.
func (r *remote) named() bool { return r.config != "" || r.nodes != "" }

// askFor is how long a node may take to say how it is. One that was lost with its
// site does not refuse, it is silent.
const askFor = 4 * time.Second

// client returns a client of the first node that has a quorum, else of one that
// answers without it. All are asked at once.
func (a *app) client(ctx context.Context, r *remote) (*web.Client, error) {
	all, err := r.clients()
	if err != nil {
		return nil, err
	}
	return work(ctx, a, "looking for a node that answers", func() (*web.Client, error) { return a.choose(ctx, all) })
}

// A candidate is one node that a command may speak to.
type candidate struct {
	url    string
	client *web.Client
	health web.Health
	err    error
}

// clients are all nodes that the command was told of.
func (r *remote) clients() ([]candidate, error) {
	nodes, token, ca := r.nodes, r.token, r.ca
	if r.config != "" {
		c, err := config.Load(r.config)
		if err != nil {
			return nil, &usageError{err: err, hint: "bongsu config describe explains every field"}
		}
		nodes = cmp.Or(nodes, consoles(c))
		token = cmp.Or(token, tokenBeside(r.config))
		ca = cmp.Or(ca, c.TLS.CA)
	}
	if nodes == "" {
		return nil, usagef(remoteHint, "no node is named")
	}
	if token == "" {
		return nil, usagef("bongsu init wrote operator.token and approver.token; name one with --token-file", "no token file is named")
	}
	secret, err := os.ReadFile(token)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("read the token: %w", err), hint: "bongsu init wrote operator.token and approver.token; name one with --token-file"}
	}
	pool, err := authorities(ca)
	if err != nil {
		return nil, err
	}
	var all []candidate
	for node := range strings.SplitSeq(nodes, ",") {
		c, err := web.NewClient(web.ClientOptions{URL: node, Token: strings.TrimSpace(string(secret)), CA: pool})
		if err != nil {
			return nil, &usageError{err: err, hint: remoteHint}
		}
		all = append(all, candidate{url: node, client: c})
	}
	return all, nil
}

// choose asks every node how it is and takes the best that answers.
func (a *app) choose(ctx context.Context, all []candidate) (*web.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	answers := make(chan candidate, len(all))
	for _, c := range all {
		go func() { // ends with ctx; nobody has to wait for those that are slower
			c.health, c.err = c.client.Health(ctx)
			answers <- c
		}()
	}
	none := &unreachableError{}
	var minority *candidate
	for range all {
		switch c := <-answers; {
		case c.err != nil:
			none.tried = append(none.tried, c)
		case c.health.Quorum:
			return c.client, nil
		case minority == nil:
			minority = &c
		}
	}
	if minority == nil {
		slices.SortFunc(none.tried, func(a, b candidate) int { return strings.Compare(a.url, b.url) })
		return nil, none
	}
	a.warn(fmt.Sprintf("no node with a quorum answers; the node of %s shows what it last knew and changes nothing", minority.health.Site))
	return minority.client, nil
}

// An unreachableError says that no node answers, and how each of them did not.
type unreachableError struct {
	tried []candidate
	desk  bool // it was the desk of a public node that was asked
}

func (e *unreachableError) Error() string {
	var b strings.Builder
	b.WriteString("no node answers")
	if e.desk {
		b.WriteString(" at the desk's address")
	}
	for _, c := range e.tried {
		why := c.err.Error()
		if in, ok := errors.AsType[*url.Error](c.err); ok {
			why = in.Err.Error()
		}
		if errors.Is(c.err, context.DeadlineExceeded) {
			why = "no answer within " + askFor.String()
		}
		fmt.Fprintf(&b, "\n%s: %s", c.url, why)
	}
	return b.String()
}

// hint says what to do about it.
func (e *unreachableError) hint() string {
	for _, c := range e.tried {
		if _, ok := errors.AsType[*tls.CertificateVerificationError](c.err); ok {
			return "that certificate is not of this CA, or not for this host: name the CA of the nodes with --ca, or their host as the certificate has it"
		}
		if _, ok := errors.AsType[*web.Error](c.err); ok {
			return "the node answers, but is not well: its log says why"
		}
	}
	if e.desk {
		return "start one with bongsu public --config DIR/public/SITE/public.yaml, or name the desk of another with --desk"
	}
	return "start one with bongsu serve --config DIR/SITE/bongsu.yaml, or name others with --node"
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

// whyFlag gives a command --why, which goes into the journal. Whoever reads it there
// must learn why it was done, so it has to be given.
func whyFlag(cmd *cobra.Command) *string {
	why := cmd.Flags().String("why", "", "the reason, for the journal")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if strings.TrimSpace(*why) == "" {
			return usagef(`say why in a few words: --why "battery fire"; it goes into the journal`, "--why is missing")
		}
		return nil
	}
	return why
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

// shows waits a moment until the node also shows what it has just committed: it
// answers reads from memory, and the next command may ask for it at once.
func shows(ctx context.Context, there func() bool) {
	for range 20 {
		if there() || !wait(ctx, 100*time.Millisecond) {
			return
		}
	}
}

// wait waits for d and reports whether ctx goes on.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
