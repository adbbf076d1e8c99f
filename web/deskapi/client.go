package deskapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/settle"
	"bongsu/web"
)

// A Client speaks to the API of one desk. It is safe for concurrent use. Errors that
// the desk answered with are a [*web.Error].
type Client struct {
	base  string
	token string
	http  *http.Client
}

// NewClient checks the options. It does not connect.
func NewClient(o web.ClientOptions) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("address of the desk %q: want https://host:port", o.URL)
	}
	t := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS13},
		DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second,
		IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
	}
	return &Client{base: strings.TrimSuffix(o.URL, "/") + "/api/v1", token: o.Token, http: &http.Client{
		Transport:     t, // a redirect would carry the token to another place
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (c *Client) send(ctx context.Context, method, path, kind string, in io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the desk: %w", err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	var got struct {
		Error *web.Error `json:"error"`
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the desk's answer: %w", err)
	}
	if json.Unmarshal(b, &got) != nil || got.Error == nil {
		return nil, fmt.Errorf("the desk answered %s, and not in the API's form: is %s the desk of a public node?", res.Status, c.base)
	}
	got.Error.Status = res.StatusCode
	return nil, got.Error
}

// call does one request with JSON on both sides.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var from io.Reader
	kind := ""
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		from, kind = bytes.NewReader(b), "application/json"
	}
	return c.decode(ctx, method, path, kind, from, out)
}

func (c *Client) decode(ctx context.Context, method, path, kind string, in io.Reader, out any) error {
	res, err := c.send(ctx, method, path, kind, in)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("read the desk's answer: %w", err)
	}
	return nil
}

// long does work that tells how far it is.
func (c *Client) long(ctx context.Context, path, kind string, in io.Reader, progress func(done int), out any) error {
	res, err := c.send(ctx, http.MethodPost, path, kind, in)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	d := json.NewDecoder(res.Body)
	for {
		var l struct {
			Done   *int            `json:"done"`
			Result json.RawMessage `json:"result"`
			Error  *web.Error      `json:"error"`
		}
		if err := d.Decode(&l); err != nil {
			return fmt.Errorf("the desk's answer broke off: %w; do the same again: it goes on where it stopped", err)
		}
		switch {
		case l.Error != nil:
			l.Error.Status = http.StatusConflict
			return l.Error
		case l.Result != nil:
			return json.Unmarshal(l.Result, out)
		case l.Done != nil && progress != nil:
			progress(*l.Done)
		}
	}
}

func jsonOf(v any) (io.Reader, error) {
	b, err := json.Marshal(v)
	return bytes.NewReader(b), err
}

// Windows returns all windows, the newest first.
func (c *Client) Windows(ctx context.Context) ([]claim.Window, error) {
	var out struct {
		Windows []claim.Window `json:"windows"`
	}
	return out.Windows, c.call(ctx, http.MethodGet, "/claims/windows", nil, &out)
}

// Window opens, extends or closes a window: verb is open, extend or close.
func (c *Client) Window(ctx context.Context, incident, verb string, q WindowRequest) (claim.Window, error) {
	var out claim.Window
	return out, c.call(ctx, http.MethodPost, "/claims/windows/"+url.PathEscape(incident)+"/"+verb, q, &out)
}

// Drafts returns the policies handed in for an incident.
func (c *Client) Drafts(ctx context.Context, incident string) ([]claim.Draft, error) {
	var out struct {
		Drafts []claim.Draft `json:"drafts"`
	}
	return out.Drafts, c.call(ctx, http.MethodGet, "/claims/policies?incident="+url.QueryEscape(incident), nil, &out)
}

// Submit hands in a policy.
func (c *Client) Submit(ctx context.Context, incident string, text []byte) (claim.Draft, error) {
	var out claim.Draft
	return out, c.decode(ctx, http.MethodPost, "/claims/policies?incident="+url.QueryEscape(incident), "application/yaml", bytes.NewReader(text), &out)
}

// ApprovePolicy approves the draft of this digest.
func (c *Client) ApprovePolicy(ctx context.Context, q ApproveRequest) (claim.Draft, error) {
	var out claim.Draft
	return out, c.call(ctx, http.MethodPost, "/claims/policies/approve", q, &out)
}

// List returns a page of claims without what is personal; q has the parameters of the address.
func (c *Client) List(ctx context.Context, q url.Values) (claim.Page, error) {
	var out claim.Page
	return out, c.call(ctx, http.MethodGet, "/claims?"+q.Encode(), nil, &out)
}

// Flag looks for duplicates.
func (c *Client) Flag(ctx context.Context, incident string) (Flagged, error) {
	var out Flagged
	return out, c.call(ctx, http.MethodPost, "/claims/flag", Incident{incident}, &out)
}

// Decide decides every claim that nobody decided, by the active policy.
func (c *Client) Decide(ctx context.Context, incident string, progress func(done int)) (claim.Tally, error) {
	var out claim.Tally
	in, err := jsonOf(Incident{incident})
	if err != nil {
		return out, err
	}
	return out, c.long(ctx, "/claims/decide", "application/json", in, progress, &out)
}

// Unasked gives the accounts of a CSV table what the policy gives without a claim, once two people came with the same table.
func (c *Client) Unasked(ctx context.Context, incident string, table io.Reader, progress func(done int)) (claim.Handout, error) {
	var out claim.Handout
	return out, c.long(ctx, "/claims/unasked?incident="+url.QueryEscape(incident), "text/csv", table, progress, &out)
}

// Import files the reports of a table, or says what is wrong with it.
func (c *Client) Import(ctx context.Context, incident, name string, data []byte, dry bool) (Imported, error) {
	q := url.Values{"incident": {incident}, "name": {filepath.Base(name)}}
	if dry {
		q.Set("dry", "true")
	}
	var out Imported
	return out, c.decode(ctx, http.MethodPost, "/claims/import?"+q.Encode(), "application/octet-stream", bytes.NewReader(data), &out)
}

// WhatIf compares drafts over the claims received.
func (c *Client) WhatIf(ctx context.Context, q WhatIfRequest) (policy.Comparison, error) {
	var out policy.Comparison
	return out, c.call(ctx, http.MethodPost, "/claims/what-if", q, &out)
}

// Erase destroys the personal data of a claim.
func (c *Client) Erase(ctx context.Context, q EraseRequest) (Erased, error) {
	var out Erased
	return out, c.call(ctx, http.MethodPost, "/claims/erase", q, &out)
}

// Statistics returns what the public is told.
func (c *Client) Statistics(ctx context.Context, incident string) (settle.Statistics, error) {
	var out settle.Statistics
	return out, c.call(ctx, http.MethodGet, "/claims/statistics?incident="+url.QueryEscape(incident), nil, &out)
}

// Grant posts what was decided to the book.
func (c *Client) Grant(ctx context.Context, incident string, progress func(done int)) (settle.Granted, error) {
	var out settle.Granted
	in, err := jsonOf(Incident{incident})
	if err != nil {
		return out, err
	}
	return out, c.long(ctx, "/payout/grant", "application/json", in, progress, &out)
}

// Batches returns every batch of an incident, the newest first.
func (c *Client) Batches(ctx context.Context, incident string) ([]settle.Batch, error) {
	var out struct {
		Batches []settle.Batch `json:"batches"`
	}
	return out.Batches, c.call(ctx, http.MethodGet, "/payout/batches?incident="+url.QueryEscape(incident), nil, &out)
}

// Missing returns the claims of which it is not known where it goes.
func (c *Client) Missing(ctx context.Context, incident string, form policy.Form) ([]string, error) {
	var out struct {
		Claims []string `json:"claims"`
	}
	q := url.Values{"incident": {incident}, "form": {string(form)}}
	return out.Claims, c.call(ctx, http.MethodGet, "/payout/missing?"+q.Encode(), nil, &out)
}

// Draft makes a batch.
func (c *Client) Draft(ctx context.Context, q DraftRequest) (settle.Batch, error) {
	var out settle.Batch
	return out, c.call(ctx, http.MethodPost, "/payout/draft", q, &out)
}

// Batch approves, sends or drops a batch: verb is approve, sent or drop.
func (c *Client) Batch(ctx context.Context, id, verb, why string) (settle.Batch, error) {
	var out settle.Batch
	return out, c.call(ctx, http.MethodPost, "/payout/batches/"+url.PathEscape(id)+"/"+verb, BatchRequest{Why: why}, &out)
}

// File writes the file of a batch to w, and returns its name.
func (c *Client) File(ctx context.Context, id, format string, w io.Writer) (string, error) {
	in, err := jsonOf(BatchRequest{Format: format})
	if err != nil {
		return "", err
	}
	return c.fetch(ctx, "/payout/batches/"+url.PathEscape(id)+"/file", in, w)
}

// fetch asks for a file. Nothing is written before all of it is there.
func (c *Client) fetch(ctx context.Context, path string, in io.Reader, w io.Writer) (string, error) {
	res, err := c.send(ctx, http.MethodPost, path, "application/json", in)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", fmt.Errorf("read the desk's answer: %w", err)
	}
	_, about, err := mime.ParseMediaType(res.Header.Get("Content-Disposition"))
	if err != nil {
		return "", fmt.Errorf("read the desk's answer: %w", err)
	}
	_, err = w.Write(b)
	return filepath.Base(about["filename"]), err
}

// Results takes the bank's answer in.
func (c *Client) Results(ctx context.Context, data []byte) (settle.Answered, error) {
	var out settle.Answered
	return out, c.decode(ctx, http.MethodPost, "/payout/results", "application/octet-stream", bytes.NewReader(data), &out)
}

// Again sends a claim that came back to be paid again.
func (c *Client) Again(ctx context.Context, q AgainRequest) (claim.Claim, error) {
	var out claim.Claim
	return out, c.call(ctx, http.MethodPost, "/payout/again", q, &out)
}

// Resume lets batches be drafted again after a restore.
func (c *Client) Resume(ctx context.Context, why string) (Resumed, error) {
	var out Resumed
	return out, c.call(ctx, http.MethodPost, "/payout/resume", ResumeRequest{why}, &out)
}

// Reconcile holds claims, book and batches against one another.
func (c *Client) Reconcile(ctx context.Context, incident string) (settle.Reconciliation, error) {
	var out settle.Reconciliation
	return out, c.call(ctx, http.MethodGet, "/payout/reconciliation?incident="+url.QueryEscape(incident), nil, &out)
}

// Mend ends what was begun, and brings claims in line with their payments.
func (c *Client) Mend(ctx context.Context, incident string) (Mended, error) {
	var out Mended
	return out, c.call(ctx, http.MethodPost, "/payout/mend", Incident{incident}, &out)
}

// Recourse writes the pack for the counterparty to w, and returns its name.
func (c *Client) Recourse(ctx context.Context, p settle.Pack, w io.Writer) (string, error) {
	in, err := jsonOf(p)
	if err != nil {
		return "", err
	}
	return c.fetch(ctx, "/payout/recourse", in, w)
}
