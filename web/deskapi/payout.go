package deskapi

import (
	"bytes"
	"fmt"
	"mime"
	"strconv"

	"bongsu/claim/policy"
	"bongsu/settle"
)

func (c *call) grant() (any, error) {
	var q Incident
	if err := c.read(&q); err != nil {
		return nil, err
	}
	return c.long(func(progress func(int)) (any, error) {
		return c.o.Cashier.Grant(c.ctx, q.Incident, c.who, progress)
	})
}

func (c *call) batches() (any, error) {
	id, err := c.query("incident")
	if err != nil {
		return nil, err
	}
	all, err := c.o.Cashier.Batches(c.ctx, id)
	return map[string][]settle.Batch{"batches": all}, err
}

// missing lists claims of which it is not known where it goes.
func (c *call) missing() (any, error) {
	id, err := c.query("incident")
	if err != nil {
		return nil, err
	}
	form, err := c.query("form")
	if err != nil {
		return nil, err
	}
	all, err := c.o.Cashier.Missing(c.ctx, id, policy.Form(form))
	return map[string][]string{"claims": all}, err
}

// A DraftRequest says what goes into a batch.
type DraftRequest struct {
	Incident string      `json:"incident"`
	Form     policy.Form `json:"form"`
	Bank     string      `json:"bank,omitempty"`
	ID       string      `json:"id"`
	Limit    int         `json:"limit,omitempty"`
}

func (c *call) draft() (any, error) {
	var q DraftRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	if q.ID == "" || q.Incident == "" || q.Limit < 0 || q.Form == policy.Money && q.Bank == "" {
		return nil, fmt.Errorf("%w: a batch needs an incident, an id and, for money, the name of the account that it leaves from", errInput)
	}
	return c.o.Cashier.Draft(c.ctx, q.Incident, q.Form, q.Bank, q.ID, c.who, q.Limit)
}

// A BatchRequest says why a batch is dropped, or in which format it is written.
type BatchRequest struct {
	Why    string `json:"why,omitempty"`
	Format string `json:"format,omitempty"`
}

// batch approves, sends or drops one.
func (c *call) batch() (any, error) {
	var q BatchRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	id := c.r.PathValue("id")
	switch c.r.PathValue("verb") {
	case "approve":
		return c.o.Cashier.Approve(c.ctx, id, c.who)
	case "sent":
		return c.o.Cashier.Sent(c.ctx, id, c.who)
	case "drop":
		if q.Why == "" {
			return nil, fmt.Errorf("%w: why is missing", errInput)
		}
		return c.o.Cashier.Drop(c.ctx, id, c.who, q.Why)
	}
	return nil, errNoAddress
}

// file writes the file for the bank; it is a POST because who looks at payees is written down.
func (c *call) file() (any, error) {
	var q BatchRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	name, err := c.o.Cashier.File(c.ctx, c.r.PathValue("id"), q.Format, c.who, &out)
	if err != nil {
		return nil, err
	}
	return nil, c.send(name, out.Bytes())
}

// send answers with a file.
func (c *call) send(name string, data []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if _, err := c.w.Write(data); err != nil {
		c.o.Log.Debug("nobody waits for the file any more", "file", name, "err", err)
	}
	return errSent
}

func (c *call) results() (any, error) {
	data, err := c.bytes()
	if err != nil {
		return nil, err
	}
	return c.o.Cashier.Results(c.ctx, data, c.who)
}

// An AgainRequest sends a claim that came back to be paid again.
type AgainRequest struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

func (c *call) again() (any, error) {
	var q AgainRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	if q.Why == "" {
		return nil, fmt.Errorf("%w: why is missing", errInput)
	}
	return c.o.Cashier.Again(c.ctx, q.ID, c.who, q.Why)
}

// A ResumeRequest says what the bank says of the time since a backup that was restored.
type ResumeRequest struct {
	Why string `json:"why"`
}

// Resumed says that batches may be drafted again.
type Resumed struct {
	Resumed bool `json:"resumed"`
}

func (c *call) resume() (any, error) {
	var q ResumeRequest
	if err := c.read(&q); err != nil {
		return nil, err
	}
	if q.Why == "" {
		return nil, fmt.Errorf("%w: why is missing", errInput)
	}
	return Resumed{true}, c.o.Cashier.Resume(c.ctx, c.who, q.Why)
}

func (c *call) reconciliation() (any, error) {
	id, err := c.query("incident")
	if err != nil {
		return nil, err
	}
	return c.o.Cashier.Reconcile(c.ctx, id)
}

// Mended says what was brought in line, a sentence each.
type Mended struct {
	Mended []string `json:"mended"`
}

func (c *call) mend() (any, error) {
	var q Incident
	if err := c.read(&q); err != nil {
		return nil, err
	}
	said, err := c.o.Cashier.Mend(c.ctx, q.Incident, c.who)
	return Mended{said}, err
}

// recourse writes the pack for the counterparty.
func (c *call) recourse() (any, error) {
	var p settle.Pack
	if err := c.read(&p); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := c.o.Cashier.Recourse(c.ctx, p, nil, &out); err != nil {
		return nil, err
	}
	return nil, c.send("recourse-"+p.Incident+".zip", out.Bytes())
}
