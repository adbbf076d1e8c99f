package deskapi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// An Incident names the incident that something is done for.
type Incident struct {
	Incident string `json:"incident"`
}

// A WindowRequest says until when a window takes reports, and why that changes.
type WindowRequest struct {
	Until    time.Time `json:"until,omitzero"`
	Why      string    `json:"why,omitempty"`
	Prepared bool      `json:"prepared,omitempty"` // it is opened ahead of the record of its incident
}

func (c *call) windows() (any, error) {
	all, err := c.o.Office.Windows(c.ctx)
	return map[string][]claim.Window{"windows": append([]claim.Window{}, all...)}, err
}

// window opens, extends or closes one.
func (c *call) window() (any, error) {
	var q WindowRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	id := c.r.PathValue("incident")
	switch c.r.PathValue("verb") {
	case "open":
		if err := c.o.Office.Known(c.ctx, id); err != nil && (!q.Prepared || !errors.Is(err, claim.ErrUnknown)) {
			return nil, err
		}
		w, err := c.o.Office.Prepare(c.ctx, id, c.o.Template, c.who)
		if err == nil && !q.Until.IsZero() && !q.Until.Equal(w.Closes) {
			return c.o.Office.Extend(c.ctx, id, q.Until, c.who, q.Why)
		}
		return w, err
	case "extend":
		if q.Until.IsZero() {
			return nil, fmt.Errorf("%w: until is missing", errInput)
		}
		return c.o.Office.Extend(c.ctx, id, q.Until, c.who, q.Why)
	case "close":
		return c.o.Office.Close(c.ctx, id, c.who, q.Why)
	}
	return nil, errNoAddress
}

func (c *call) drafts() (any, error) {
	id, err := c.query("incident")
	if err != nil {
		return nil, err
	}
	all, err := c.o.Office.Drafts(c.ctx, id)
	return map[string][]claim.Draft{"drafts": append([]claim.Draft{}, all...)}, err
}

func (c *call) submit() (any, error) {
	id, err := c.query("incident")
	if err != nil {
		return nil, err
	}
	text, err := c.bytes()
	if err != nil {
		return nil, err
	}
	return c.o.Office.Submit(c.ctx, id, text, c.who)
}

// An ApproveRequest names the draft that a person read: its digest is that of the text.
type ApproveRequest struct {
	Incident string `json:"incident"`
	ID       string `json:"id"`
	Digest   string `json:"digest"`
}

func (c *call) approvePolicy() (any, error) {
	var q ApproveRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	return c.o.Office.Approve(c.ctx, q.Incident, q.ID, q.Digest, c.who)
}

// list shows claims without what is personal.
func (c *call) list() (any, error) {
	v := c.r.URL.Query()
	q := claim.Query{
		Incident: v.Get("incident"), Service: v.Get("service"), Use: v.Get("use"), Kind: v.Get("kind"), Channel: v.Get("channel"), Rule: v.Get("rule"),
		Flagged: v.Get("flagged") == "true", OldestFirst: v.Get("oldest") == "true", After: v.Get("after"),
	}
	for _, s := range v["state"] {
		q.States = append(q.States, claim.State(s))
	}
	for name, to := range map[string]*int64{"min": &q.MinAmount, "max": &q.MaxAmount} {
		if s := v.Get(name); s != "" {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("%w: %s is %q, expected a whole number", errInput, name, s)
			}
			*to = n
		}
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 500 {
			return nil, fmt.Errorf("%w: limit is %q, expected 1 to 500", errInput, s)
		}
		q.Limit = n
	}
	page, err := c.o.Ledger.List(c.ctx, q)
	if err != nil && q.After != "" {
		err = fmt.Errorf("%w: %w", errInput, err)
	}
	return page, err
}

// Flagged says how many claims look like others.
type Flagged struct {
	Flagged int `json:"flagged"`
}

func (c *call) flag() (any, error) {
	var q Incident
	if err := c.read(&q); err != nil {
		return nil, err
	}
	n, err := c.o.Office.Flag(c.ctx, q.Incident)
	return Flagged{n}, err
}

func (c *call) decide() (any, error) {
	var q Incident
	if err := c.read(&q); err != nil {
		return nil, err
	}
	return c.long(func(progress func(int)) (any, error) {
		return c.o.Office.DecideAll(c.ctx, q.Incident, c.who, progress)
	})
}

// mostWrong is how many rows of a table are complained of at once.
const mostWrong = 20

// unasked gives the accounts of a table what the policy gives without a claim, when two people came with it.
func (c *call) unasked() (any, error) {
	id, err := c.query("incident")
	if err != nil {
		return nil, err
	}
	data, err := c.bytes()
	if err != nil {
		return nil, err
	}
	accounts := claim.AccountsIn(data)
	// All of it is read before anybody is given anything.
	var wrong []error
	for _, err := range accounts {
		if err != nil && len(wrong) < mostWrong {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%w: %w", errInput, errors.Join(wrong...))
	}
	return c.long(func(progress func(int)) (any, error) {
		return c.o.Office.Unasked(c.ctx, id, accounts, c.who, progress)
	})
}

func (c *call) take() (any, error) {
	id, err := c.query("incident")
	if err != nil {
		return nil, err
	}
	if c.o.Import == nil {
		return nil, fmt.Errorf("%w: no tables are taken in", errAbsent)
	}
	data, err := c.bytes()
	if err != nil {
		return nil, err
	}
	return c.o.Import(c.ctx, id, c.r.URL.Query().Get("name"), data, c.r.URL.Query().Get("dry") == "true", c.who)
}

// A WhatIfRequest holds drafts of a policy to be compared.
type WhatIfRequest struct {
	Incident string   `json:"incident"`
	Drafts   []string `json:"drafts"` // texts
}

// mostDrafts is how many drafts are compared at once.
const mostDrafts = 5

func (c *call) whatIf() (any, error) {
	var q WhatIfRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	if len(q.Drafts) == 0 || len(q.Drafts) > mostDrafts {
		return nil, fmt.Errorf("%w: %d drafts, expected 1 to %d", errInput, len(q.Drafts), mostDrafts)
	}
	var drafts []*policy.Policy
	for i, text := range q.Drafts {
		p, err := policy.Parse(fmt.Sprintf("draft %d", i+1), []byte(text))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errInput, err)
		}
		drafts = append(drafts, p)
	}
	return c.o.Office.Compare(c.ctx, q.Incident, drafts)
}

// An EraseRequest names the claim whose personal data are destroyed.
type EraseRequest struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

// Erased says what was destroyed.
type Erased struct {
	ID     string `json:"id"`
	Erased bool   `json:"erased"`
}

func (c *call) erase() (any, error) {
	var q EraseRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	if strings.TrimSpace(q.Why) == "" {
		return nil, fmt.Errorf("%w: why is missing", errInput)
	}
	if _, err := c.o.Ledger.Claim(c.ctx, q.ID); err != nil {
		return nil, err
	}
	err := c.o.Cashier.Erase(c.ctx, q.ID, c.who, q.Why)
	return Erased{claim.NormalCode(q.ID), err == nil}, err
}

func (c *call) statistics() (any, error) {
	id, err := c.query("incident")
	if err != nil {
		return nil, err
	}
	if _, err := c.o.Office.Window(c.ctx, id); errors.Is(err, claim.ErrNotFound) {
		return nil, fmt.Errorf("%w: no reports were ever taken about %q", claim.ErrNotFound, id)
	} else if err != nil {
		return nil, err
	}
	return c.o.Cashier.Statistics(c.ctx, id)
}
