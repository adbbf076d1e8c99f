package desk

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/incident"
	"bongsu/settle"
)

// payoutView is where what was decided is paid.
type payoutView struct {
	Window   claim.Window
	Windows  []claim.Window
	Batches  []batchRow
	Forms    []policy.Form
	Banks    []string
	Next     string // name of the next batch
	Jobs     []jobRow
	Recourse bool
	Faults   []incident.Fault // what failed, by the record
	Answered *settle.Answered
}

// A batchRow is one batch with what the reader may do to it.
type batchRow struct {
	settle.Batch

	Formats                      []string
	MayApprove, MaySend, MayDrop bool
	MayFile                      bool
	Mine                         bool
}

func (c *call) payoutPage() error { return c.payoutWith(nil) }

func (c *call) payoutWith(answered *settle.Answered) error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	batches, err := c.s.o.Cashier.Batches(c.r.Context(), w.Incident)
	if err != nil {
		return err
	}
	v := payoutView{
		Window: w, Windows: all, Forms: forms(), Banks: c.s.o.Banks, Recourse: c.s.o.Recourse != nil, Answered: answered,
		Next: c.s.o.Now().In(c.s.o.Zone).Format("20060102") + "-" + strconv.Itoa(len(batches)+1),
	}
	if v.Jobs, err = c.rowsOfJobs(w.Incident); err != nil {
		return err
	}
	if c.s.o.Faults != nil {
		v.Faults = c.s.o.Faults(w.Incident)
	}
	for _, b := range batches {
		r := batchRow{Batch: b, Formats: settle.Files(b.Form), Mine: strings.EqualFold(b.DraftedBy, c.who)}
		r.MayApprove = b.State == settle.Drafted && !r.Mine
		r.MayFile = b.State == settle.Pending || b.State == settle.Sent
		r.MaySend = b.State == settle.Pending
		r.MayDrop = slices.Contains([]settle.BatchState{settle.Drafting, settle.Drafted, settle.Pending}, b.State) && (b.FiledBy == "" || !strings.EqualFold(b.FiledBy, c.who))
		v.Batches = append(v.Batches, r)
	}
	return c.show("payout", v)
}

// toPayout goes back to the page of the incident.
func (c *call) toPayout(said string) error {
	return c.to("/payout?incident="+url.QueryEscape(c.form("incident")), said)
}

func (c *call) grant() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	cashier, who := c.s.o.Cashier, c.who
	j, err := c.s.start(c.r.Context(), &job{
		Kind: "grant", Key: "grant/" + w.Incident, Incident: w.Incident, By: who, May: Payer,
		run: func(ctx context.Context, progress func(int)) (any, error) {
			return cashier.Grant(ctx, w.Incident, who, progress)
		},
	})
	if err != nil {
		return err
	}
	return c.follow(j)
}

func (c *call) draftBatch() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	form, bank, id := policy.Form(c.form("form")), c.form("bank"), c.form("id")
	limit := 0
	if s := c.form("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 0 {
			return fmt.Errorf("%w: limit %q: expected a whole number", errInput, s)
		}
	}
	if id == "" || !slices.Contains(forms(), form) || form == policy.Money && bank == "" {
		return fmt.Errorf("%w: a batch needs a name, a form, and for money the bank account it leaves from", errInput)
	}
	cashier, who := c.s.o.Cashier, c.who
	j, err := c.s.start(c.r.Context(), &job{
		Kind: "draft", Key: "draft/" + w.Incident + "/" + id, Incident: w.Incident, By: who, May: Payer,
		run: func(ctx context.Context, _ func(int)) (any, error) {
			return cashier.Draft(ctx, w.Incident, form, bank, id, who, limit)
		},
	})
	if err != nil {
		return err
	}
	return c.follow(j)
}

func (c *call) approveBatch() error {
	if _, err := c.s.o.Cashier.Approve(c.r.Context(), c.form("batch"), c.who); err != nil {
		return err
	}
	return c.toPayout("approved")
}

// batchFile gives the file for the bank, once it was looked at under the payer's name. It
// is a POST: payees are looked at for it.
func (c *call) batchFile() error {
	var b bytes.Buffer
	name, err := c.s.o.Cashier.File(c.r.Context(), c.form("batch"), c.form("format"), c.who, &b)
	if err != nil {
		return err
	}
	return c.send(name, "application/octet-stream", b.Bytes())
}

func (c *call) sentBatch() error {
	if _, err := c.s.o.Cashier.Sent(c.r.Context(), c.form("batch"), c.who); err != nil {
		return err
	}
	return c.toPayout("sent")
}

func (c *call) dropBatch() error {
	why, err := c.why()
	if err != nil {
		return err
	}
	if _, err := c.s.o.Cashier.Drop(c.r.Context(), c.form("batch"), c.who, why); err != nil {
		return err
	}
	return c.toPayout("dropped")
}

func (c *call) results() error {
	_, data, err := c.upload()
	if err != nil {
		return err
	}
	got, err := c.s.o.Cashier.Results(c.r.Context(), data, c.who)
	if err != nil {
		return err
	}
	return c.payoutWith(&got)
}

// reconcileView holds claims, book and batches against one another.
type reconcileView struct {
	settle.Reconciliation

	Window claim.Window
	At     time.Time
	Mended []string // what was done now, a sentence each
	Tried  bool
}

func (c *call) reconcilePage() error { return c.reconcileWith(nil) }

func (c *call) reconcileWith(mended []string) error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	got, err := c.s.o.Cashier.Reconcile(c.r.Context(), w.Incident)
	if err != nil {
		return err
	}
	return c.show("reconcile", reconcileView{got, w, c.s.o.Now(), mended, c.r.Method == http.MethodPost && c.problem == nil})
}

// recourse writes what a counterparty is asked for. The signed record of the incident comes
// as a file that control exported: this side has none.
func (c *call) recourse() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	p := settle.Pack{Incident: w.Incident, Counterparty: c.form("counterparty"), Domain: c.form("domain"), LimitSource: c.form("limit-source")}
	if s := c.form("cover"); s != "" {
		if p.Limit, err = strconv.ParseInt(strings.ReplaceAll(s, ",", ""), 10, 64); err != nil || p.Limit < 0 {
			return fmt.Errorf("%w: the limit is %q, expected a whole number", errInput, s)
		}
	}
	if s := c.form("limitation"); s != "" {
		if p.Limitation, err = time.ParseInLocation(time.DateOnly, s, c.s.o.Zone); err != nil {
			return fmt.Errorf("%w: the date is %q, expected one such as 2025-10-15", errInput, s)
		}
	}
	if f, head, err := c.r.FormFile("file"); err == nil {
		_ = f.Close()
		if head.Size > 0 {
			if _, p.Record, err = c.upload(); err != nil {
				return err
			}
		}
	}
	name, data, err := c.s.o.Recourse(c.r.Context(), p, c.who)
	if err != nil {
		return err
	}
	return c.send(name, "application/zip", data)
}

// batchView is one batch with every payment of it.
type batchView struct {
	Batch  settle.Batch
	Items  []settle.Item // a page of them
	Counts map[settle.ItemState]int
	Next   int // where the next page begins; 0: there is none
}

// mostItems is how many payments a page lists.
const mostItems = 200

func (c *call) batchPage() error {
	b, items, err := c.s.o.Cashier.Batch(c.r.Context(), c.r.PathValue("batch"))
	if err != nil {
		return err
	}
	v := batchView{Batch: b, Counts: map[settle.ItemState]int{}}
	for _, it := range items {
		v.Counts[it.State]++
	}
	from, err := strconv.Atoi(c.r.URL.Query().Get("from"))
	if err != nil || from < 0 || from > len(items) {
		from = 0
	}
	v.Items = items[from:min(len(items), from+mostItems)]
	if from+mostItems < len(items) {
		v.Next = from + mostItems
	}
	return c.show("batch", v)
}

// missingView lists approved claims of which it is not known where the money goes.
type missingView struct {
	Window claim.Window
	Form   policy.Form
	IDs    []string
}

func (c *call) missingPage() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	v := missingView{Window: w, Form: policy.Form(c.r.URL.Query().Get("form"))}
	if !slices.Contains(forms(), v.Form) {
		v.Form = policy.Money
	}
	if v.IDs, err = c.s.o.Cashier.Missing(c.r.Context(), w.Incident, v.Form); err != nil {
		return err
	}
	return c.show("missing", v)
}

// again sends a claim that the bank returned to be paid once more.
func (c *call) again() error {
	if _, err := c.s.o.Cashier.Again(c.r.Context(), claim.NormalCode(c.form("claim")), c.who, c.form("why")); err != nil {
		return err
	}
	return c.to("/payout/batch/"+url.PathEscape(c.form("batch")), "again")
}

// mend ends what a process that died had begun.
func (c *call) mend() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	did, err := c.s.o.Cashier.Mend(c.r.Context(), w.Incident, c.who)
	if err != nil {
		return err
	}
	return c.reconcileWith(did)
}
