package desk

import (
	"context"
	"strconv"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/settle"
)

// runView is where work on all claims of an incident is started.
type runView struct {
	Window  claim.Window
	Windows []claim.Window
	Policy  *policy.Policy
	Counts  []count
	Waiting int // that nobody decided
	Jobs    []jobRow
}

type count struct {
	State claim.State
	N     int
}

// A jobRow is one piece of work.
type jobRow struct {
	*job
	progress
}

func (c *call) runPage() error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	v := runView{Window: w, Windows: all}
	if v.Jobs, err = c.rowsOfJobs(w.Incident); err != nil {
		return err
	}
	if v.Policy, err = c.active(w.Incident); err != nil {
		return err
	}
	for _, s := range states() {
		got, err := c.s.o.Ledger.List(c.r.Context(), claim.Query{Incident: w.Incident, States: []claim.State{s}, Limit: 1})
		if err != nil {
			return err
		}
		v.Counts = append(v.Counts, count{s, got.Total})
		if s == claim.Received {
			v.Waiting = got.Total
		}
	}
	return c.show("run", v)
}

// A preview is what deciding all would come to, as things are now.
type preview struct {
	claim.Tally

	Policy   string
	Digest   string
	Currency string
	Budget   int64
}

// previewAll tells what deciding all would do. Nothing is written.
func (c *call) previewAll() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	p, err := c.s.o.Office.Active(c.r.Context(), w.Incident)
	if err != nil {
		return err
	}
	o := c.s.o.Office
	j, err := c.s.start(c.r.Context(), &job{
		Kind: "preview", Key: "preview/" + w.Incident, Incident: w.Incident, By: c.who, May: Decider,
		run: func(ctx context.Context, progress func(int)) (any, error) {
			t, err := o.Preview(ctx, w.Incident, progress)
			return preview{Tally: t, Policy: p.ID, Digest: p.Digest, Currency: p.Currency, Budget: p.Budget}, err
		},
	})
	if err != nil {
		return err
	}
	return c.follow(j)
}

func (c *call) decideAll() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	p, err := c.s.o.Office.Active(c.r.Context(), w.Incident)
	if err != nil {
		return err
	}
	if d := c.form("digest"); d != "" && d != p.Digest { // another policy than the one of the preview
		return claim.ErrConflict
	}
	total, err := strconv.Atoi(c.form("total"))
	if err != nil || total < 0 {
		total = 0
	}
	o, who := c.s.o.Office, c.who
	j, err := c.s.start(c.r.Context(), &job{
		Kind: "decide", Key: "decide/" + w.Incident, Incident: w.Incident, By: who, May: Decider, Total: total,
		run: func(ctx context.Context, progress func(int)) (any, error) {
			t, err := o.DecideAll(ctx, w.Incident, who, progress)
			return preview{Tally: t, Policy: p.ID, Currency: p.Currency}, err
		},
	})
	if err != nil {
		return err
	}
	return c.follow(j)
}

func (c *call) flagAll() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	o := c.s.o.Office
	j, err := c.s.start(c.r.Context(), &job{
		Kind: "flag", Key: "flag/" + w.Incident, Incident: w.Incident, By: c.who, May: Decider,
		run: func(ctx context.Context, _ func(int)) (any, error) { return o.Flag(ctx, w.Incident) },
	})
	if err != nil {
		return err
	}
	return c.follow(j)
}

// jobView is one piece of work, while it lasts and when it is over.
type jobView struct {
	jobRow

	Back     string
	Still    bool // the reader does not want the page to refresh itself
	Compared *comparedView
	Preview  *preview
	Granted  *settle.Granted
	Batch    *settle.Batch
	Handout  *handout
	N        int
}

// refreshEvery is how often the page of work refreshes itself.
const refreshEvery = 3 * time.Second

func (c *call) jobPage() error {
	j, err := c.job()
	if err != nil {
		return err
	}
	v := jobView{jobRow: j, Back: backOf(j.Kind, j.Incident), Still: c.r.URL.Query().Get("still") == "1"}
	switch r := v.Result.(type) {
	case *compared:
		if v.Problem == nil {
			v.Compared = c.picture(r)
		}
	case preview:
		v.Preview = &r
	case settle.Granted:
		v.Granted = &r
	case settle.Batch:
		v.Batch = &r
	case handout:
		v.Handout = &r
	case int:
		v.N = r
	}
	if !v.Over && !v.Still {
		c.w.Header().Set("Refresh", strconv.Itoa(int(refreshEvery/time.Second)))
	}
	return c.show("job", v)
}

func backOf(kind, incident string) string {
	switch kind {
	case "whatif":
		return "/whatif?incident=" + incident
	case "grant", "draft":
		return "/payout?incident=" + incident
	case "retain":
		return "/privacy"
	case "unasked-try", "unasked-submit", "unasked-approve":
		return unaskedPath(incident)
	}
	return "/run?incident=" + incident
}
