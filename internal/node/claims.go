package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/internal/postgres"
	"bongsu/settle"
	"bongsu/status"
	"bongsu/web/deskapi"
	"bongsu/web/public"
)

// ClaimOptions are what a public node takes damage reports with.
type ClaimOptions struct {
	Master   *claim.Master
	Log      note.Signer // of decisions and of recourse packs
	Postgres string      // connection string; empty: the public store keeps claims and book
	Papers   claim.Vault // nil: papers are kept with the claims
	Auto     bool        // a window opens by itself when an incident is told
	Template claim.Template
	Banks    map[string]settle.Debtor  // own accounts, by name
	Accounts map[string]policy.Account // of subscribers, by pseudonym; nil: none are known
	Calm     int                       // reports a minute above which a proof of work is asked for
	Burst    int                       // of one network, at once
}

// Claims are the long-lived parts by which a public node takes damage reports, decides and pays.
type claims struct {
	p       *Public
	o       *ClaimOptions
	keeper  *claim.Keeper // nil: PostgreSQL
	db      *postgres.DB
	intake  *claim.Intake
	office  *claim.Office
	cashier *settle.Cashier
	sweep   func(ctx context.Context, begun time.Time) (int, error) // of papers that no claim has
	// restored stops batches after a restore of the database, which the store of batches does not know of; nil: they are one.
	restored func(ctx context.Context) error
	seen     outages
	told     *public.Gatherer // what everybody may know
}

// commits is how many commits of reports are under way at once at one node.
const commits = 1

// openClaims builds them; nothing runs yet.
func (p *Public) openClaims(ctx context.Context) (*claims, error) {
	o := p.o.Claims
	c := &claims{p: p, o: o, seen: outages{store: p.store, board: p.board}}
	var ledger claim.Ledger
	book := settle.NewBook(p.store)
	if o.Postgres != "" {
		db, err := postgres.Open(ctx, o.Postgres)
		if err != nil {
			return nil, err
		}
		claims := db.Claims(o.Master)
		if o.Papers != nil {
			claims.PapersIn(o.Papers)
		}
		c.db, c.sweep, ledger, book = db, claims.Sweep, claims, db.Book()
		c.restored = func(ctx context.Context) error {
			return claims.Restored(ctx, func(ctx context.Context, at time.Time) error { return settle.MarkRestored(ctx, p.store, at) })
		}
	} else {
		c.keeper = claim.NewKeeper(p.store, o.Master)
		c.keeper.Guard(p.store)
		c.keeper.Following()
		if o.Papers != nil {
			c.keeper.PapersIn(o.Papers)
		}
		c.sweep, ledger = c.keeper.Sweep, c.keeper
	}
	c.intake = claim.NewIntake(ledger)
	c.office = &claim.Office{
		Store: p.store, Ledger: ledger, Intake: c.intake, Outages: c.seen.of, Titles: c.titles, Page: c.services, Log: p.log,
	}
	c.office.Incidents = c.seen.incidents
	if o.Accounts != nil {
		c.office.Accounts = func(pseudonym string) policy.Account { return o.Accounts[pseudonym] }
	}
	coupons, err := o.Master.Derive("coupons")
	if err != nil {
		return nil, err
	}
	log := &settle.Log{Store: p.store, Key: o.Log}
	c.cashier = &settle.Cashier{
		Store: p.store, Ledger: ledger, Book: book, Log: log, Outages: c.seen.of, Faults: c.seen.faults, Budget: c.budget, Coupons: coupons,
		Banks: o.Banks, Zone: c.zone, Doubts: c.office.Flag,
	}
	c.told = &public.Gatherer{Publisher: c.office, Statistician: c.cashier, Checkpoint: log.Checkpoint, Log: p.log}
	return c, nil
}

// zone is that of the pages; Korea's until control has told it.
func (c *claims) zone() *time.Location {
	if name := c.p.board.State().Catalog.TimeZone; name != "" && name != "Local" {
		if z, err := time.LoadLocation(name); err == nil {
			return z
		}
	}
	return time.FixedZone("KST", 9*60*60)
}

// budget is what the active policy may cost in all.
func (c *claims) budget(ctx context.Context, incident string) (int64, error) {
	p, err := c.office.Active(ctx, incident)
	if errors.Is(err, claim.ErrNoPolicy) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return p.Budget, nil
}

// pages are what the public pages are made of.
func (c *claims) pages() *public.Claims {
	return &public.Claims{
		Teller: c.told, Taker: c.office, Asker: c.office.Ledger, Giver: c.office, Ender: c.office, Prover: c.cashier, Issuer: c.cashier, Surge: c.o.Calm, Burst: c.o.Burst,
	}
}

// errHalf ends a node that would serve from half a restore: what was erased since the backup may be in it.
var errHalf = errors.New("the store holds half a restore, and nothing is served from it: start this node with --store-only and run bongsu public restore again")

// whole asks the store, as soon as it answers, whether a restore into it was left unfinished, and returns [errHalf] then.
func (c *claims) whole(ctx context.Context) error {
	for ctx.Err() == nil {
		_, half, err := c.office.Store.Get(ctx, kv.Restoring)
		if err == nil && half {
			return errHalf
		}
		if err == nil {
			return nil
		}
		pause(ctx, time.Second)
	}
	return nil
}

// run takes reports in, and does what has to be done once for all nodes, until ctx ends.
func (c *claims) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	if c.db != nil {
		defer c.db.Close()
	}
	wg.Go(func() { c.intake.Run(ctx, commits) })
	wg.Go(func() { c.told.Run(ctx, gatherEvery) })
	if c.keeper != nil {
		wg.Go(func() {
			if err := c.keeper.Follow(ctx, nil); err != nil && ctx.Err() == nil {
				c.p.log.Error("the list of claims stands still", "err", err)
			}
		})
	}
	for ctx.Err() == nil {
		l, err := kv.Campaign(ctx, c.p.store, kv.Claim{Key: claimLeader, Value: []byte(c.p.o.Site), TTL: c.p.o.Lease})
		if err != nil {
			if ctx.Err() == nil {
				c.p.log.Debug("nobody looks after claims from here", "err", err)
				pause(ctx, time.Second)
			}
			continue
		}
		reign, stop := during(ctx, l.Done())
		c.lookAfter(reign)
		stop()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		if err := l.Close(closing); err != nil {
			c.p.log.Debug("lease left to run out", "err", err)
		}
		cancel()
	}
	return nil
}

// claimLeader is held by the one node that looks after claims.
const claimLeader = "claim-leader"

// How often the node that looks after claims looks.
const (
	gatherEvery = 2 * time.Second  // what everybody may know; at every node
	lookEvery   = time.Second      // for incidents that need a window
	flagEvery   = time.Minute      // for duplicates
	cleanEvery  = 10 * time.Minute // for what is kept too long
)

// lookAfter opens windows, looks for duplicates and erases what is over, until ctx ends. Each goes by itself: the first
// day of retention erases a hundred thousand claims, and a window has to open meanwhile.
func (c *claims) lookAfter(ctx context.Context) {
	if c.restored != nil {
		if err := c.restored(ctx); err != nil && ctx.Err() == nil {
			c.p.log.Error("it is not known whether the database was restored: make sure of it before a batch is drafted", "err", err)
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, task := range []struct {
		every time.Duration
		do    func(context.Context) error
	}{
		{lookEvery, func(ctx context.Context) error {
			return errors.Join(c.seen.keep(ctx), c.openWindows(ctx), c.closeWindows(ctx))
		}},
		{flagEvery, c.flag},
		{cleanEvery, c.clean},
	} {
		wg.Go(func() {
			t := time.NewTicker(task.every)
			defer t.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-t.C:
				}
				if err := task.do(ctx); err != nil && ctx.Err() == nil {
					c.p.log.Warn("claims are not looked after as they should be", "err", err)
				}
			}
		})
	}
}

// clean brings on what waits for papers too long, and erases and removes what is kept too long.
func (c *claims) clean(ctx context.Context) error {
	_, late := c.office.Overdue(ctx)
	_, err := c.office.Retain(ctx)
	_, swept := c.office.Sweep(ctx)
	_, papers := c.sweep(ctx, time.Now().Add(-claim.MoveTime))
	return errors.Join(late, err, swept, papers)
}

// openWindows opens a window for each incident that is told of and has none.
func (c *claims) openWindows(ctx context.Context) error {
	if !c.o.Auto {
		return nil
	}
	state := c.p.board.State()
	var errs []error
	for i := range state.Incidents {
		inc := &state.Incidents[i]
		// One that ended while control could not tell of it still harmed people.
		over := !inc.EndedAt.IsZero() && time.Since(inc.EndedAt) > c.o.Template.For || inc.Withdrawn
		if over || inc.Impact == "none" || inc.Impact == "maintenance" {
			continue
		}
		if _, err := c.office.Window(ctx, inc.ID); !errors.Is(err, claim.ErrNotFound) {
			errs = append(errs, err)
			continue
		}
		if _, err := c.office.Prepare(ctx, inc.ID, c.o.Template, "policy"); err != nil {
			errs = append(errs, err)
			continue
		}
		c.p.log.Info("reports of damage are taken in", "incident", inc.ID)
	}
	return errors.Join(errs...)
}

// closeWindows closes the windows of incidents that turned out to be none: control says so, or takes back what it told of one that had not
// ended. A window that a person opens again afterwards stays open.
func (c *claims) closeWindows(ctx context.Context) error {
	state := c.p.board.State()
	if state.AsOf.IsZero() || time.Now().After(state.Until()) {
		return nil // control may know better, and cannot be heard
	}
	windows, err := c.office.Windows(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for i := range windows {
		w := &windows[i]
		byNode := func(change claim.WindowChange) bool { return change.By == "policy" && change.What == claim.Closed }
		if w.At(time.Now()) == claim.Over || slices.ContainsFunc(w.Changes, byNode) {
			continue
		}
		withdrawn, err := c.withdrawn(ctx, w.Incident)
		if err == nil && withdrawn {
			_, err = c.office.Close(ctx, w.Incident, "policy", claim.WhyWithdrawn)
		}
		if err != nil || !withdrawn {
			errs = append(errs, err)
			continue
		}
		c.p.log.Info("no more reports of damage are taken in: the incident was withdrawn", "incident", w.Incident)
	}
	return errors.Join(errs...)
}

// withdrawn says whether an incident turned out to be none.
func (c *claims) withdrawn(ctx context.Context, id string) (bool, error) {
	if _, inc := c.incident(id); inc != nil {
		return inc.Withdrawn, nil
	}
	return c.seen.takenBack(ctx, id)
}

// incident is what is told of one incident; nil: nothing is, or not any more.
func (c *claims) incident(id string) (*status.State, *status.Incident) {
	state := c.p.board.State()
	for i := range state.Incidents {
		if state.Incidents[i].ID == id {
			return state, &state.Incidents[i]
		}
	}
	return state, nil
}

func (c *claims) titles(incident string) map[string]string {
	if _, inc := c.incident(incident); inc != nil {
		return inc.Title
	}
	return nil
}

// services are those of the page, the ones that the incident hit first.
func (c *claims) services(incident string) []claim.Service {
	state, inc := c.incident(incident)
	hit := map[string]bool{}
	if inc != nil {
		for _, i := range inc.Intervals {
			hit[i.Service] = true
		}
	}
	all := make([]claim.Service, 0, len(state.Catalog.Services))
	for i := range state.Catalog.Services {
		s := &state.Catalog.Services[i]
		one := claim.Service{Named: claim.Named{Name: s.Name, Title: s.Title}, Paid: s.Paid}
		for _, p := range s.Parts {
			one.Parts = append(one.Parts, claim.Named{Name: p.Name, Title: p.Title})
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b claim.Service) int {
		switch {
		case hit[a.Name] == hit[b.Name]:
			return 0
		case hit[a.Name]:
			return -1
		}
		return 1
	})
	return all
}

// table reads a table of reports, whose services may be called as the window calls them.
func (c *claims) table(_ string, data []byte, w *claim.Window) ([]claim.Report, []*claim.RowError, error) {
	in := claim.Reading{Services: w.Services, Reasons: w.Reasons}
	if len(in.Services) == 0 {
		in.Services = c.services(w.Incident)
	}
	return claim.ReadReports(bytes.NewReader(data), in)
}

// importTable takes a table of reports in; dry says only what would become of it.
func (c *claims) importTable(ctx context.Context, incident, name string, data []byte, dry bool, by string) (deskapi.Imported, error) {
	out := deskapi.Imported{Dry: dry, Wrong: []deskapi.RowError{}}
	w, err := c.office.Window(ctx, incident)
	if err != nil {
		return out, err
	}
	rows, wrong, err := c.table(name, data, &w)
	if err != nil {
		return out, err
	}
	done, err := c.office.Import(ctx, incident, rows, by, dry)
	all := slices.Concat(wrong, done.Wrong)
	out.Rows, out.Filed, out.Again = len(rows)+wrongRows(wrong), done.Filed, done.Again
	for _, e := range all {
		out.Wrong = append(out.Wrong, deskapi.RowError{Row: e.Row, Msg: e.Msg})
	}
	return out, err
}

// wrongRows is how many rows the errors are in: one row may have several.
func wrongRows(wrong []*claim.RowError) int {
	rows := map[int]bool{}
	for _, e := range wrong {
		rows[e.Row] = true
	}
	return len(rows)
}

func (c *claims) flag(ctx context.Context) error {
	windows, err := c.office.Windows(ctx)
	if err != nil {
		return err
	}
	for i := range windows {
		if _, err := c.office.Flag(ctx, windows[i].Incident); err != nil {
			return err
		}
	}
	return nil
}

// outages are what control signed of who was down when. They are kept beside the claims, since
// an incident leaves the page long before the last claim is paid.
type outages struct {
	store kv.Store
	board *board

	mu   sync.Mutex
	kept map[string]string // by incident, what was last written
	last computed          // every report asks for it
}

// A computed is what came of the intervals of an incident as they were told; what lasts is counted up to that second.
type computed struct {
	incident string
	state    *status.State
	at       time.Time
	of       claim.Outages
}

const outagePrefix = "claim/o/"

type storedOutage struct {
	V         int               `json:"v"`
	Ended     bool              `json:"ended"`
	Intervals []status.Interval `json:"intervals"`
	Faults    []incident.Fault  `json:"faults,omitempty"`
}

// of returns what is recorded of an incident: what is told now, else what was kept.
func (o *outages) of(incident string) (claim.Outages, bool) {
	c := computed{incident: incident, state: o.board.State(), at: time.Now().Truncate(time.Second)}
	o.mu.Lock()
	last := o.last
	o.mu.Unlock()
	if last.incident == c.incident && last.state == c.state && last.at.Equal(c.at) {
		return last.of, true
	}
	list := o.intervals(incident)
	if list == nil {
		return claim.Outages{}, false
	}
	c.of = claim.NewOutages(list, time.Now())
	o.mu.Lock()
	o.last = c
	o.mu.Unlock()
	return c.of, true
}

// intervals are what is recorded of an incident; nil: nothing is known of it.
func (o *outages) intervals(incident string) []status.Interval {
	s, ok := o.recorded(incident)
	if !ok {
		return nil
	}
	return s.Intervals
}

// faults are the domains that failed in an incident, and who operates them.
func (o *outages) faults(id string) []incident.Fault {
	s, _ := o.recorded(id)
	return slices.Clone(s.Faults)
}

// recorded is what control signed of an incident, now or before.
func (o *outages) recorded(id string) (storedOutage, bool) {
	state := o.board.State()
	for i := range state.Incidents {
		if x := &state.Incidents[i]; x.ID == id {
			return outageOf(x), true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, ok, err := o.stored(ctx, id)
	return s, ok && err == nil
}

// incidents are those that control tells of, or did.
func (o *outages) incidents(ctx context.Context) ([]string, error) {
	kept, _, err := o.store.List(ctx, outagePrefix)
	if err != nil {
		return nil, fmt.Errorf("list the incidents that were told of: %w", err)
	}
	var out []string
	for _, e := range kept {
		out = append(out, strings.TrimPrefix(e.Key, outagePrefix))
	}
	state := o.board.State()
	for i := range state.Incidents {
		if id := state.Incidents[i].ID; !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// stored is what was kept of an incident.
func (o *outages) stored(ctx context.Context, id string) (s storedOutage, ok bool, err error) {
	e, ok, err := o.store.Get(ctx, outagePrefix+id)
	if err != nil || !ok {
		return s, false, err
	}
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return s, false, fmt.Errorf("read %s: %w", e.Key, err)
	}
	return s, s.V == 1, nil
}

func outageOf(i *status.Incident) storedOutage {
	return storedOutage{1, !i.EndedAt.IsZero(), append([]status.Interval{}, i.Intervals...), i.Faults}
}

// takenBack says whether an incident that is told of no more had not ended when it last was: those that ended leave the
// page when they are old.
func (o *outages) takenBack(ctx context.Context, incident string) (bool, error) {
	s, ok, err := o.stored(ctx, incident)
	return ok && !s.Ended, err
}

// keep writes down what is told.
func (o *outages) keep(ctx context.Context) error {
	state := o.board.State()
	for i := range state.Incidents {
		inc := &state.Incidents[i]
		value, err := json.Marshal(outageOf(inc))
		if err != nil {
			return fmt.Errorf("keep the outages of %s: %w", inc.ID, err)
		}
		o.mu.Lock()
		same := o.kept[inc.ID] == string(value)
		o.mu.Unlock()
		if same {
			continue
		}
		if _, err := o.store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: outagePrefix + inc.ID, Value: value}}}); err != nil {
			return fmt.Errorf("keep the outages of %s: %w", inc.ID, err)
		}
		o.mu.Lock()
		if o.kept == nil {
			o.kept = map[string]string{}
		}
		o.kept[inc.ID] = string(value)
		o.mu.Unlock()
	}
	return nil
}
