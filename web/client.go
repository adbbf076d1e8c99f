package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Client speaks to the JSON API of one node. It is safe for concurrent use.
// Errors that the node answered with are a [*Error].
type Client struct {
	base  string
	token string
	http  *http.Client
}

// ClientOptions are what a [Client] is made of.
type ClientOptions struct {
	URL   string         // of the node: https://pangyo.example:7400
	Token string         // of the account
	CA    *x509.CertPool // that signed the nodes' certificates; nil for those of the system
}

// NewClient checks the options. It does not connect.
func NewClient(o ClientOptions) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("address of the node: %w", err)
	}
	if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("address of the node %q: want https://host:port", o.URL)
	}
	t := &http.Transport{
		Proxy:                 nil, // the way to a node must not lead through what may be lost
		TLSClientConfig:       &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS13},
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext, // a lost site does not refuse, it is silent
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		ForceAttemptHTTP2:     true,
	}
	return &Client{base: strings.TrimSuffix(o.URL, "/") + "/api/v1", token: o.Token, http: &http.Client{
		Transport: t,
		// A redirect would carry the token to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// send does one request and returns the answer if it is a success.
func (c *Client) send(ctx context.Context, method, path, kind string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the node: %w", err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Error *Error `json:"error"`
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the node's answer: %w", err)
	}
	if json.Unmarshal(b, &answer) != nil || answer.Error == nil || answer.Error.Message == "" {
		return nil, fmt.Errorf("the node answered %s, and not in the API's form: is %s a node of bongsu?", res.Status, c.base)
	}
	answer.Error.Status = res.StatusCode
	return nil, answer.Error
}

// call does one request with JSON on both sides. out may be nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	kind := ""
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, kind = bytes.NewReader(b), "application/json"
	}
	res, err := c.send(ctx, method, path, kind, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if out == nil {
		_, err := io.Copy(io.Discard, res.Body)
		return err
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	return nil
}

// Health asks whether the node lives. It needs no token.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var h Health
	return h, c.call(ctx, http.MethodGet, "/healthz", nil, &h)
}

// Now returns the whole picture at this moment.
func (c *Client) Now(ctx context.Context) (Now, error) {
	var n Now
	return n, c.call(ctx, http.MethodGet, "/now", nil, &n)
}

// Ping asks for one small write, and returns when it is committed.
func (c *Client) Ping(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/ping", nil, nil)
}

// Members returns the nodes of the control plane.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	var out struct{ Members []Member }
	return out.Members, c.call(ctx, http.MethodGet, "/members", nil, &out)
}

// Replace removes a member that is lost for good and admits another in its stead. It
// returns the members that the new node is to be started with; Who is taken from the
// token.
func (c *Client) Replace(ctx context.Context, r Replacement) ([]Member, error) {
	var out struct{ Members []Member }
	err := c.call(ctx, http.MethodPost, "/members/replace", replaceRequest{r.Lost, r.Name, r.Peer, r.Why}, &out)
	return out.Members, err
}

// Move tells the members that r.Name is reached at r.Peer from now on.
func (c *Client) Move(ctx context.Context, r Replacement) error {
	return c.call(ctx, http.MethodPost, "/members/move", replaceRequest{"", r.Name, r.Peer, r.Why}, nil)
}

// Repair lets a store that was full take writes again.
func (c *Client) Repair(ctx context.Context, why string) error {
	return c.call(ctx, http.MethodPost, "/members/repair", whyRequest{why}, nil)
}

// Incidents returns all incidents, newest first.
func (c *Client) Incidents(ctx context.Context) ([]Incident, error) {
	var out struct{ Incidents []Incident }
	return out.Incidents, c.call(ctx, http.MethodGet, "/incidents", nil, &out)
}

// Incident returns one incident.
func (c *Client) Incident(ctx context.Context, id string) (Incident, error) {
	var out Incident
	return out, c.call(ctx, http.MethodGet, "/incidents/"+url.PathEscape(id), nil, &out)
}

// Declare declares the domains lost, or proposes it where the token's role may
// not declare. It returns the incident's ID.
func (c *Client) Declare(ctx context.Context, lost []string, why string) (string, error) {
	var out Done
	return out.ID, c.call(ctx, http.MethodPost, "/incidents", declareRequest{lost, why}, &out)
}

// Runs returns all runs, newest first.
func (c *Client) Runs(ctx context.Context) ([]Summary, error) {
	var out struct{ Runs []Summary }
	return out.Runs, c.call(ctx, http.MethodGet, "/runs", nil, &out)
}

// Run returns one run with its journal.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	var out Run
	return out, c.call(ctx, http.MethodGet, "/runs/"+url.PathEscape(id), nil, &out)
}

// Journal returns a page of what was recorded of incidents, runs and the estate,
// newest first; before is empty, or [Journal.Next] of the page before.
func (c *Client) Journal(ctx context.Context, before string) (Journal, error) {
	var out Journal
	return out, c.call(ctx, http.MethodGet, "/journal?before="+url.QueryEscape(before), nil, &out)
}

// Report asks for the after-action report of an incident: html, markdown or json.
func (c *Client) Report(ctx context.Context, id, format, language string) ([]byte, error) {
	q := url.Values{"format": {format}, "lang": {language}}
	res, err := c.send(ctx, http.MethodGet, "/incidents/"+url.PathEscape(id)+"/report?"+q.Encode(), "", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	return b, nil
}

// Do carries out a decision about an incident, a run, or a step of a run; Who is
// taken from the token and Lost is ignored: to declare, use [Client.Declare]. What
// waits for a second person is an [*Error] with the code "second".
func (c *Client) Do(ctx context.Context, cmd Command) (string, error) {
	path := "/incidents/" + url.PathEscape(cmd.Incident)
	if cmd.Run != "" {
		path = "/runs/" + url.PathEscape(cmd.Run)
		if cmd.Step != "" {
			path += "/steps"
			for part := range strings.SplitSeq(cmd.Step, "/") {
				path += "/" + url.PathEscape(part)
			}
		}
	}
	var out Done
	var body any = requestOf(cmd)
	if cmd.Run != "" {
		body = whyRequest{cmd.Why}
	}
	if err := c.call(ctx, http.MethodPost, path+"/"+url.PathEscape(string(cmd.Verb)), body, &out); err != nil {
		return "", err
	}
	if out.Asked != "" {
		p := problem(ErrSecond)
		p.Message = out.Asked
		return out.ID, p
	}
	return out.ID, nil
}

// Record asks for all that hangs on an incident.
func (c *Client) Record(ctx context.Context, id string) (Record, error) {
	var out Record
	return out, c.call(ctx, http.MethodGet, "/incidents/"+url.PathEscape(id)+"/record", nil, &out)
}

// Push stores the files as the newest revision of the estate.
func (c *Client) Push(ctx context.Context, files map[string][]byte, why string) (Revision, error) {
	req := pushRequest{Files: make(map[string]string, len(files)), Why: why}
	for name, b := range files {
		req.Files[name] = encodeFile(b)
	}
	var out Revision
	return out, c.call(ctx, http.MethodPost, "/estate", req, &out)
}

// Estate returns a revision with its files; the newest when rev is empty.
func (c *Client) Estate(ctx context.Context, rev string) (Revision, map[string][]byte, error) {
	var out Estate
	if err := c.call(ctx, http.MethodGet, "/estate?rev="+url.QueryEscape(rev), nil, &out); err != nil {
		return Revision{}, nil, err
	}
	files := make(map[string][]byte, len(out.Files))
	for name, text := range out.Files {
		if err := checkName(name); err != nil {
			return Revision{}, nil, fmt.Errorf("the node's answer: %w", err)
		}
		b, err := decodeFile(text)
		if err != nil {
			return Revision{}, nil, fmt.Errorf("the node's answer: file %s: %w", name, err)
		}
		files[name] = b
	}
	return out.Revision, files, nil
}

// EstateLog returns the revisions, newest first.
func (c *Client) EstateLog(ctx context.Context) ([]Revision, error) {
	var out struct{ Revisions []Revision }
	return out.Revisions, c.call(ctx, http.MethodGet, "/estate/log", nil, &out)
}

// Rollback stores the files of an older revision as the newest one.
func (c *Client) Rollback(ctx context.Context, rev, why string) (Revision, error) {
	var out Revision
	return out, c.call(ctx, http.MethodPost, "/estate/rollback", rollbackRequest{rev, why}, &out)
}

// Backup writes a snapshot of the store to w and returns how many bytes it has.
func (c *Client) Backup(ctx context.Context, w io.Writer) (int64, error) {
	res, err := c.send(ctx, http.MethodGet, "/backup", "", nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	n, err := io.Copy(w, res.Body)
	if err != nil {
		return n, fmt.Errorf("the backup broke after %d bytes, what was written is not whole: %w", n, err)
	}
	return n, nil
}

// Restore replaces what the store holds by a snapshot.
func (c *Client) Restore(ctx context.Context, r io.Reader) error {
	res, err := c.send(ctx, http.MethodPost, "/restore", "application/octet-stream", r)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// errStreamEnded says that the node closed the stream of events.
var errStreamEnded = errors.New("the node ended the stream of events")

// Events calls f after every change, and once at first, until ctx ends or the
// stream does. It returns why it ended, never nil.
func (c *Client) Events(ctx context.Context, f func()) error {
	res, err := c.send(ctx, http.MethodGet, "/events", "", nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		switch lines.Text() {
		case "event: hello", "event: change":
			f()
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	return errStreamEnded
}
