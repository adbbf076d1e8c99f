package public

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/text/currency"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/lang"
	"bongsu/settle"
	"bongsu/status"
)

// compensation is the page of all that everybody may know.
type compensation struct {
	Windows    []windowLine
	Incidents  []settled
	Checkpoint string
	Mine       string // where a claimant looks; empty in plain files
	Contact    string
	Windowed   string // JSON
}

type windowLine struct {
	Title         words
	State         string
	Taking        bool
	Opens, Closes moment
	Late          moment
	Href          string // of the form
	Changes       []changeLine
}

type changeLine struct {
	At, Until moment
	What, Why string
}

// settled is what there is about one incident.
type settled struct {
	Title    words
	ID       string
	Policies []policyLine
	Sessions []sessionLine
	Claims   string
	Amount   string
	Tables   []statTable
	Few      bool // too few claims to be told of
}

type policyLine struct {
	Title  words
	ID     string
	Active moment
	Digest string
	Rules  []ruleLine
	Text   string
	Now    bool // in force
}

type ruleLine struct {
	Name, For, Give, Ground string
	Reason                  words
	Asked                   []string
	Human                   bool
}

type sessionLine struct {
	Title, Minutes, Decision words
	Held                     moment
	Questions                []questionLine
}

type questionLine struct {
	Text             words
	Yes, No, Abstain int
}

type statTable struct {
	By   string
	Rows []statRow
}

type statRow struct {
	Name   string
	Claims int
	Amount string
	Width  int // of the bar, of 100
}

// A damage is the way from another page to the form.
type damage struct {
	Href  string
	Until moment
	Late  bool
}

// damage is where damage of an incident or a service can be reported now, nil if
// nowhere.
func (v *view) damage(incident, service string) *damage {
	x := v.site
	for _, w := range x.claims.taking(x.now) {
		if incident != "" && w.Incident != incident || service != "" && !covers(w, service) {
			continue
		}
		d := &damage{Href: v.formHref(w.Incident, service), Until: v.day(w.Closes)}
		if w.At(x.now) == claim.Late {
			d.Until, d.Late = v.day(w.LateUntil), true
		}
		return d
	}
	return nil
}

// formHref leads to the form: here, or on the live page when this is a plain file.
func (v *view) formHref(incident, service string) string {
	q := ""
	switch {
	case service != "":
		q = "?service=" + url.QueryEscape(service)
	case len(v.site.claims.taking(v.site.now)) > 1:
		q = "?incident=" + url.QueryEscape(incident)
	}
	if !v.site.takes {
		return v.url(string(v.out.lang)+"/report.html") + q
	}
	return v.out.root() + "report.html" + q
}

func (v *view) compensation() *compensation {
	x := v.site
	p := &compensation{Checkpoint: x.claims.Checkpoint, Contact: v.phonePost(), Windowed: v.out.root() + "api/v1/claim-windows.json"}
	p.Mine = v.url(string(v.out.lang) + "/claim.html")
	if x.takes {
		p.Mine = v.out.root() + "claim.html"
	}
	var incidents []string
	note := func(incident string) {
		if !slices.Contains(incidents, incident) {
			incidents = append(incidents, incident)
		}
	}
	for i := range x.claims.Windows {
		w := &x.claims.Windows[i]
		note(w.Incident)
		phase := w.At(x.now)
		l := windowLine{Title: v.windowTitle(w), State: v.text("window." + string(phase)), Opens: v.day(w.Opens), Closes: v.day(w.Closes), Taking: phase == claim.Taken || phase == claim.Late}
		if w.LateUntil.After(w.Closes) {
			l.Late = v.day(w.LateUntil)
		}
		if l.Taking {
			l.Href = v.formHref(w.Incident, "")
			if x.takes && strings.HasSuffix(l.Href, "report.html") {
				l.Href += "?incident=" + url.QueryEscape(w.Incident)
			}
		}
		for _, c := range w.Changes {
			if what := known(c.What, "opened", "extended", "closed"); what != "" {
				why := c.Why
				switch { // the program's own words, for a window that opened or closed by itself
				case what == "opened" && why == "prepared":
					why = ""
				case what == "closed" && c.By == "policy" && why == claim.WhyWithdrawn:
					why = v.text("window.why.withdrawn")
				}
				l.Changes = append(l.Changes, changeLine{v.day(c.At), v.day(c.Until), v.text("window.change." + what), why})
			}
		}
		p.Windows = append(p.Windows, l)
	}
	for _, c := range x.claims.Policies {
		note(c.Incident)
	}
	for _, incident := range incidents {
		p.Incidents = append(p.Incidents, v.settled(incident))
	}
	return p
}

func (v *view) settled(incident string) settled {
	x := v.site
	w := x.claims.window(incident)
	if w == nil {
		w = &claim.Window{Incident: incident}
	}
	out := settled{Title: v.windowTitle(w), ID: "i-" + status.Slug(incident)}
	for _, c := range x.claims.Policies {
		if c.Incident == incident {
			l := v.criteria(&c)
			l.Now = len(out.Policies) == 0
			out.Policies = append(out.Policies, l)
		}
	}
	for i := range x.claims.Sessions {
		s := &x.claims.Sessions[i]
		if s.Incident != incident || s.Published.IsZero() {
			continue
		}
		l := sessionLine{Title: v.of(status.Text(s.Title)), Minutes: v.of(status.Text(s.Minutes)), Decision: v.of(status.Text(s.Decision)), Held: v.day(s.Held)}
		for _, q := range s.Questions {
			y := questionLine{Text: v.of(status.Text(q.Text))}
			for _, vote := range q.Votes {
				switch vote {
				case "yes":
					y.Yes++
				case "no":
					y.No++
				default:
					y.Abstain++
				}
			}
			l.Questions = append(l.Questions, y)
		}
		out.Sessions = append(out.Sessions, l)
	}
	st, ok := x.claims.Statistics[incident]
	out.Few = ok && st.Claims == 0
	if st.Claims > 0 {
		out.Claims, out.Amount = v.text("stat.claims", st.Claims), v.money(st.Amount, cmp.Or(w.Currency, "KRW"))
		for _, t := range st.Tables {
			out.Tables = append(out.Tables, v.statistic(&t, w))
		}
	}
	return out
}

func (v *view) statistic(t *settle.Table, w *claim.Window) statTable {
	y := statTable{By: v.text("stat.by." + cmp.Or(known(t.By, "service", "use", "kind", "state"), "other"))}
	most := 1
	for _, r := range t.Rows {
		most = max(most, r.Claims)
	}
	for _, r := range t.Rows {
		name := r.Name
		switch {
		case r.Name == settle.Other:
			name = v.text("stat.other")
		case t.By == "service":
			n, _ := v.named(r.Name)
			name = n.Text
		case t.By == "state":
			name = v.text("mine.state." + stateOf(&claim.Claim{State: claim.State(r.Name)}, nil))
		case v.messages.Has("report." + t.By + "." + r.Name):
			name = v.text("report." + t.By + "." + r.Name)
		}
		y.Rows = append(y.Rows, statRow{name, r.Claims, v.money(r.Amount, cmp.Or(w.Currency, "KRW")), max(1, 100*r.Claims/most)})
	}
	return y
}

// policy tells the criteria in words, rule by rule; the file that decides is beside it.
func (v *view) criteria(c *Criteria) policyLine {
	p := c.Policy
	l := policyLine{Title: v.of(status.Text(p.Title)), ID: p.ID, Active: v.day(c.Active), Digest: p.Digest, Text: string(c.Text)}
	l.Title.Text = cmp.Or(l.Title.Text, p.ID)
	for i := range p.Rules {
		r := &p.Rules[i]
		y := ruleLine{Name: r.Name, Reason: v.of(status.Text(r.Reason)), Human: r.Human != "" && r.Human != "false"}
		y.Reason.Text = blanks(y.Reason.Text)
		var who []string
		for _, s := range r.Services {
			n, _ := v.named(s)
			who = append(who, n.Text)
		}
		for _, u := range r.Use {
			if known(u, "paid", "free", "none") != "" {
				who = append(who, v.text("report.use."+u))
			}
		}
		if y.For = strings.Join(who, ", "); y.For == "" {
			y.For = v.text("policy.all")
		}
		y.Give = v.text("form." + cmp.Or(known(string(r.Form), "money", "credit", "points", "coupon", "extension"), "nothing"))
		if g := known(string(r.Ground), "contract", "statute", "goodwill"); g != "" {
			y.Ground = v.text("ground." + g)
		}
		for _, e := range r.Evidence {
			if v.messages.Has("evidence." + e) {
				e = v.text("evidence." + e)
			}
			y.Asked = append(y.Asked, e)
		}
		l.Rules = append(l.Rules, y)
	}
	return l
}

// blanks shows where a reason is filled in.
func blanks(s string) string {
	return strings.NewReplacer("{amount}", "○○", "{hours}", "○", "{service}", "○○", "{outage}", "○").Replace(s)
}

// money writes an amount in its currency.
func (v *view) money(n int64, code string) string {
	if code == "KRW" {
		return v.text("money.won", lang.Number(n))
	}
	digits := 2
	if unit, err := currency.ParseISO(code); err == nil {
		digits, _ = currency.Standard.Rounding(unit)
	}
	unit := int64(1)
	for range digits {
		unit *= 10
	}
	s := lang.Number(n / unit)
	if digits > 0 {
		s += fmt.Sprintf(".%0*d", digits, n%unit)
	}
	return strings.TrimSpace(code + " " + s)
}

// A Publisher is what a [Gatherer] asks; claim.Office is one.
type Publisher interface {
	Windows(ctx context.Context) ([]claim.Window, error)
	Drafts(ctx context.Context, incident string) ([]claim.Draft, error)
	Sessions(ctx context.Context, incident string) ([]claim.Session, error)
}

// A Statistician counts; settle.Cashier is one.
type Statistician interface {
	Statistics(ctx context.Context, incident string) (settle.Statistics, error)
}

// A Gatherer holds in memory what everybody may know of claims, so that no page waits
// for a store: it is a [Teller]. What it cannot read stays as it was.
type Gatherer struct {
	Publisher    Publisher
	Statistician Statistician                              // nil: nothing is counted
	Checkpoint   func(ctx context.Context) (string, error) // of the log of decisions; nil: none
	Log          *slog.Logger

	now atomic.Pointer[Compensation]

	mu      sync.Mutex
	sum     [32]byte
	counted map[string]time.Time // when statistics were asked for, by incident
	stats   map[string]settle.Statistics
}

// Compensation implements [Teller].
func (g *Gatherer) Compensation() *Compensation { return g.now.Load() }

// Run gathers at once and then again and again, until ctx ends.
func (g *Gatherer) Run(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if err := g.Gather(ctx); err != nil && ctx.Err() == nil && g.Log != nil {
			g.Log.Warn("what is told of claims may be old", "err", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// Gather reads everything once. What is told changes only if it is other than before.
func (g *Gatherer) Gather(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	windows, err := g.Publisher.Windows(ctx)
	if err != nil {
		return fmt.Errorf("read the windows: %w", err)
	}
	c := &Compensation{Windows: windows, Statistics: map[string]settle.Statistics{}}
	slices.SortStableFunc(c.Windows, func(a, b claim.Window) int { return b.Opens.Compare(a.Opens) })
	var errs []error
	old := g.now.Load()
	for i := range windows {
		incident := windows[i].Incident
		errs = append(errs, g.criteria(ctx, c, old, incident), g.sessions(ctx, c, old, incident), g.count(ctx, incident))
		if s, ok := g.stats[incident]; ok {
			c.Statistics[incident] = s
		}
	}
	slices.SortStableFunc(c.Policies, func(a, b Criteria) int { return b.Active.Compare(a.Active) })
	if g.Checkpoint != nil {
		if c.Checkpoint, err = g.Checkpoint(ctx); err != nil {
			errs = append(errs, fmt.Errorf("read the checkpoint: %w", err))
			if old != nil {
				c.Checkpoint = old.Checkpoint
			}
		}
	}
	b, err := json.Marshal(c) //nolint:musttag // it is held against itself only
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("compare what is told: %w", err))...)
	}
	if sum := sha256.Sum256(b); old == nil || sum != g.sum {
		g.sum = sum
		g.now.Store(c)
	}
	return errors.Join(errs...)
}

func (g *Gatherer) criteria(ctx context.Context, c, old *Compensation, incident string) error {
	drafts, err := g.Publisher.Drafts(ctx, incident)
	if err != nil {
		if old != nil {
			for _, p := range old.Policies {
				if p.Incident == incident {
					c.Policies = append(c.Policies, p)
				}
			}
		}
		return fmt.Errorf("read the policies of %s: %w", incident, err)
	}
	for _, d := range drafts {
		if d.Active.IsZero() {
			continue // a draft is not public
		}
		p, err := policy.Parse(d.ID, d.Text)
		if err != nil {
			return fmt.Errorf("policy %s: %w", d.ID, err)
		}
		c.Policies = append(c.Policies, Criteria{incident, d.Active, p, d.Text})
	}
	return nil
}

func (g *Gatherer) sessions(ctx context.Context, c, old *Compensation, incident string) error {
	all, err := g.Publisher.Sessions(ctx, incident)
	if err != nil {
		if old != nil {
			for _, s := range old.Sessions {
				if s.Incident == incident {
					c.Sessions = append(c.Sessions, s)
				}
			}
		}
		return fmt.Errorf("read the sessions of %s: %w", incident, err)
	}
	for _, s := range all {
		if !s.Published.IsZero() {
			c.Sessions = append(c.Sessions, s)
		}
	}
	return nil
}

// countEvery is how often statistics are asked for; they are counted once a day, see [claim.Tell].
const countEvery = time.Minute

func (g *Gatherer) count(ctx context.Context, incident string) error {
	at, ok := g.counted[incident]
	if g.Statistician == nil || ok && time.Since(at) < countEvery {
		return nil
	}
	s, err := g.Statistician.Statistics(ctx, incident)
	if err != nil {
		return fmt.Errorf("count the claims of %s: %w", incident, err)
	}
	if g.counted == nil {
		g.counted, g.stats = map[string]time.Time{}, map[string]settle.Statistics{}
	}
	g.counted[incident], g.stats[incident] = time.Now(), s
	return nil
}
