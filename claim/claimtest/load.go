package claimtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"bongsu/claim"
)

// A Load posts reports to public nodes as programs do, POST /api/v1/claims, from several connections, and remembers every
// receipt: whatever is acknowledged has to be there afterwards. A node that is gone or takes nothing is left for the next
// one, with the same Idempotency-Key, as a person presses again.
type Load struct {
	Nodes       []string       // addresses as http://127.0.0.1:8080, in turn
	Reports     []claim.Report // as of [Mix2022]
	Incident    string         // whose window takes them
	Consent     string         // version of its text
	Connections int            // at once; 0: 8
	Tries       int            // for one report; 0: 20
	Prefix      string         // of the keys: another one makes the same reports new ones
	Client      *http.Client   // nil: one of its own
	Solve       func(challenge json.RawMessage) (string, error)
}

// A Filed report was acknowledged.
type Filed struct {
	Report  int // of [Load.Reports]
	Node    int // of [Load.Nodes]
	Key     string
	Receipt claim.Receipt
	Took    time.Duration // from the first try on
}

// An Unfiled report was refused, or nobody knows: only one that was refused is known not to be kept.
type Unfiled struct {
	Report int
	Status int // of the last answer; 0: there was none
	Says   string
}

// A Loaded is what came of a [Load].
type Loaded struct {
	Filed   []Filed // in the order of the reports
	Unfiled []Unfiled
	Tries   int
	Took    time.Duration
}

// Rate is how many reports were acknowledged in a second.
func (l *Loaded) Rate() float64 {
	if l.Took <= 0 {
		return 0
	}
	return float64(len(l.Filed)) / l.Took.Seconds()
}

// Quantile is how long so large a share of the acknowledged reports took at most: 0.5 for the median.
func (l *Loaded) Quantile(share float64) time.Duration {
	if len(l.Filed) == 0 {
		return 0
	}
	took := make([]time.Duration, len(l.Filed))
	for i := range l.Filed {
		took[i] = l.Filed[i].Took
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(share*float64(len(took))))]
}

func (l *Loaded) String() string {
	return fmt.Sprintf("%d reports in %v: %.0f/s, p50 %v, p99 %v, most %v; %d not filed, %d tries",
		len(l.Filed), l.Took.Round(time.Millisecond), l.Rate(), l.Quantile(.5).Round(100*time.Microsecond), l.Quantile(.99).Round(100*time.Microsecond),
		l.Quantile(1).Round(100*time.Microsecond), len(l.Unfiled), l.Tries)
}

// loadBody is a report as the API takes it.
type loadBody struct {
	Incident string `json:"incident"`
	Service  string `json:"service"`
	Part     string `json:"part,omitempty"`
	Use      string `json:"use"`
	Kind     string `json:"kind,omitempty"`
	Text     string `json:"text"`
	Loss     int64  `json:"loss,omitempty"`
	Best     int64  `json:"bestWeek,omitempty"`
	Week     int64  `json:"outageWeek,omitempty"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Business string `json:"business,omitempty"`
	Consent  string `json:"consent"`
	Lang     string `json:"lang,omitempty"`
	Altcha   string `json:"altcha,omitempty"`
}

func (l *Load) body(r *claim.Report) loadBody {
	c, p := &r.Claim.Report, &r.Personal
	b := loadBody{
		Incident: l.Incident, Service: c.Service, Part: c.Part, Use: c.Use, Kind: c.Kind, Text: p.Text, Name: p.Name, Email: p.Email, Phone: p.Phone,
		Business: p.Business, Consent: l.Consent, Lang: r.Claim.Lang,
	}
	if c.Use != "none" {
		b.Loss, b.Best, b.Week = c.Loss, c.Best, c.Week
	}
	if c.Use == "free" {
		b.Loss = max(1, b.Loss) // that there is one is what free means
	}
	return b
}

// Run posts every report once and returns when all are acknowledged or given up, or when ctx ends. Bodies are made before
// the clock starts.
func (l *Load) Run(ctx context.Context) (*Loaded, error) {
	if len(l.Nodes) == 0 || l.Incident == "" {
		return nil, errors.New("a load needs a node and an incident")
	}
	connections := cmp.Or(l.Connections, 8)
	client := l.Client
	if client == nil {
		t := &wire{limit: 30 * time.Second, idle: map[string][]*wireConn{}}
		defer t.close()
		client = &http.Client{Transport: t}
	}
	bodies := make([][]byte, len(l.Reports))
	for i := range l.Reports {
		b, err := json.Marshal(l.body(&l.Reports[i]))
		if err != nil {
			return nil, fmt.Errorf("report %d: %w", i, err)
		}
		bodies[i] = b
	}
	var next, tries atomic.Int64
	filed, unfiled := make([][]Filed, connections), make([][]Unfiled, connections)
	began := time.Now()
	var wg sync.WaitGroup
	for k := range connections {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return
				}
				p := &posting{load: l, client: client, report: i, body: bodies[i], key: l.Prefix + "load-" + strconv.Itoa(1_000_000_000+i)}
				done, failed := p.run(ctx, (i+k)%len(l.Nodes))
				tries.Add(int64(p.tries))
				if failed != nil {
					unfiled[k] = append(unfiled[k], *failed)
				} else {
					filed[k] = append(filed[k], *done)
				}
			}
		})
	}
	wg.Wait()
	out := &Loaded{Filed: slices.Concat(filed...), Unfiled: slices.Concat(unfiled...), Tries: int(tries.Load()), Took: time.Since(began)}
	slices.SortFunc(out.Filed, func(a, b Filed) int { return a.Report - b.Report })
	slices.SortFunc(out.Unfiled, func(a, b Unfiled) int { return a.Report - b.Report })
	return out, ctx.Err()
}

// A posting is one report on its way.
type posting struct {
	load   *Load
	client *http.Client
	report int
	body   []byte
	key    string
	tries  int
}

// run tries one node after the other, until one acknowledges the report or refuses it.
func (p *posting) run(ctx context.Context, node int) (*Filed, *Unfiled) {
	began := time.Now()
	last := Unfiled{Report: p.report}
	for p.tries < cmp.Or(p.load.Tries, 20) && ctx.Err() == nil {
		if p.tries > 0 {
			pause(ctx, min(time.Second, 5*time.Millisecond<<min(p.tries, 8)))
		}
		p.tries++
		receipt, status, says, err := p.post(ctx, p.load.Nodes[node])
		switch {
		case err != nil: // it may be kept
			last.Status, last.Says = 0, err.Error()
			node = (node + 1) % len(p.load.Nodes)
		case status == http.StatusCreated, status == http.StatusOK:
			return &Filed{p.report, node, p.key, receipt, time.Since(began)}, nil
		case status == http.StatusTooManyRequests && p.prove(says):
			last.Status, last.Says = status, string(says)
		case status >= 500, status == http.StatusTooManyRequests, status == http.StatusConflict:
			last.Status, last.Says = status, string(says)
			node = (node + 1) % len(p.load.Nodes)
		default:
			return nil, &Unfiled{p.report, status, string(says)}
		}
	}
	return nil, &last
}

// post sends the report once.
func (p *posting) post(ctx context.Context, node string) (receipt claim.Receipt, status int, says []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, node+"/api/v1/claims", bytes.NewReader(p.body))
	if err != nil {
		return receipt, 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", p.key)
	resp, err := p.client.Do(r)
	if err != nil {
		return receipt, 0, nil, err
	}
	says, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return receipt, 0, nil, err
	}
	if resp.StatusCode == http.StatusCreated || resp.StatusCode == http.StatusOK {
		var got struct {
			Code   string `json:"code"`
			Secret string `json:"secret"`
			Again  bool   `json:"again"`
		}
		if err := json.Unmarshal(says, &got); err != nil || got.Code == "" || got.Secret == "" {
			return receipt, 0, nil, fmt.Errorf("no receipt in %.200q: %w", says, err)
		}
		receipt = claim.Receipt{ID: got.Code, Secret: got.Secret, Again: got.Again}
	}
	return receipt, resp.StatusCode, says, nil
}

// prove puts a proof of work into the report, where one is asked for and somebody can solve it.
func (p *posting) prove(says []byte) bool {
	var asked struct {
		Challenge json.RawMessage `json:"challenge"`
	}
	if p.load.Solve == nil || json.Unmarshal(says, &asked) != nil || len(asked.Challenge) == 0 {
		return false
	}
	proof, err := p.load.Solve(asked.Challenge)
	if err != nil {
		return false
	}
	b := p.load.body(&p.load.Reports[p.report])
	b.Altcha = proof
	p.body, err = json.Marshal(b)
	return err == nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
