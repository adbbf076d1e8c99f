package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/duty"
	"bongsu/estate"
	"bongsu/impact"
	"bongsu/incident"
	"bongsu/internal/config"
	"bongsu/internal/kv"
	"bongsu/internal/notify"
	"bongsu/recovery"
)

// Waking is what a node wakes people by.
type Waking struct {
	Policy  *duty.Policy
	Rotas   func(now time.Time) (map[string]*duty.Rota, error) // what can be read, and why the rest cannot
	Senders map[string]notify.Sender                           // by kind of channel
	URL     string                                             // where links lead; empty: this node's console
}

// NewWaking makes what people are woken by of a configuration; nil when it names no
// policy.
func NewWaking(c *config.Config) (*Waking, error) {
	if c.Duty.Policy == "" {
		return nil, nil //nolint:nilnil // nobody is to be woken
	}
	p, err := config.LoadDuty(c.Duty.Policy)
	if err != nil {
		return nil, err
	}
	w := &Waking{Policy: p, URL: c.Duty.URL, Senders: map[string]notify.Sender{}}
	w.Rotas = func(now time.Time) (map[string]*duty.Rota, error) { return config.LoadRotas(c.Duty.Policy, p, now) }
	for _, ch := range p.Channels {
		if w.Senders[ch.Kind] != nil {
			continue
		}
		if w.Senders[ch.Kind], err = sender(ch.Kind, &c.Duty); err != nil {
			return nil, fmt.Errorf("duty: %w", err)
		}
	}
	return w, nil
}

func sender(kind string, c *config.Duty) (notify.Sender, error) {
	switch kind {
	case duty.Mail:
		return notify.NewSMTP(c.SMTP)
	case duty.SMS:
		return notify.NewSMS(c.SMS)
	case duty.Slack:
		return notify.NewSlack(c.Webhook)
	}
	return notify.NewWebhook(c.Webhook)
}

// Close ends open connections.
func (w *Waking) Close() error {
	var errs []error
	for _, kind := range duty.Kinds() {
		if s, ok := w.Senders[kind].(io.Closer); ok {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// Call makes one call: it hands the words to the person's channel.
func (w *Waking) Call(ctx context.Context, id string, c incident.Call, words duty.Words) error {
	who, ok := w.Policy.Person(c.Person)
	if !ok {
		return fmt.Errorf("the policy knows no %s", c.Person)
	}
	ch, ok := w.Policy.Channel(c.Channel)
	if !ok || w.Senders[ch.Kind] == nil {
		return fmt.Errorf("there is no channel %s", c.Channel)
	}
	return w.Senders[ch.Kind].Send(ctx, notify.Message{
		ID: id + "." + duty.First(c), To: who.Reach[c.Channel], Subject: words.Subject, Text: words.Text, Lang: words.Lang,
	})
}

// lookAgain is how often the leader looks whether somebody is to be called. Policies
// count in minutes.
const lookAgain = time.Second

// rotasEvery is how often the calendars are read again.
const rotasEvery = time.Minute

// caller calls people in one reign.
type caller struct {
	*Waking
	log    *slog.Logger
	store  kv.Store // under the leader's fence
	lead   interface{ Alive() bool }
	signer duty.Signer
	urls   []string
	clocks *incident.ClockPolicy
	known  func() known
	view   func(ctx context.Context, run string) (recovery.RunView, error)

	rotas   map[string]*duty.Rota
	read    time.Time       // when the rotas were read
	last    lossImpact      // what was asked for last
	said    map[string]bool // sentences that stand in the record
	checked string          // the estate that the policy was held against

	mu     sync.Mutex
	making map[string]bool // incident and call
	calls  sync.WaitGroup
}

// lossImpact is what a loss does to those who are called.
type lossImpact struct {
	rev, lost string
	up        []string
	users     int64
}

// wake calls people as the policy says, for as long as this node leads.
func (n *Node) wake(ctx context.Context, l kv.Leadership) {
	if n.o.Duty == nil {
		return
	}
	c := &caller{
		Waking: n.o.Duty, log: n.log, store: under{n.store, l.Fence()}, lead: l, signer: duty.NewSigner(n.o.Key),
		urls: n.links(), clocks: n.o.Clocks, known: n.cache.get,
		view: func(ctx context.Context, run string) (recovery.RunView, error) {
			return recovery.View(ctx, n.store, run)
		},
		said: map[string]bool{}, making: map[string]bool{},
	}
	c.run(ctx, n.cache.changes(ctx))
}

// links are where the link of a call can be opened, the likeliest first.
func (n *Node) links() []string {
	var all []string
	for _, u := range append([]string{n.o.Duty.URL, n.o.URL}, urls(n.o.Cluster)...) {
		if u = strings.TrimSuffix(u, "/"); u != "" && !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return all
}

func urls(peers []Peer) []string {
	var all []string
	for _, p := range peers {
		all = append(all, p.URL)
	}
	return all
}

func (c *caller) run(ctx context.Context, changes <-chan struct{}) {
	defer c.calls.Wait()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		if err := c.step(ctx, time.Now()); err != nil && ctx.Err() == nil {
			c.log.Warn("nobody may have been called; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-changes:
		case <-tick.C:
		}
	}
}

// step calls whoever is to be called now.
func (c *caller) step(ctx context.Context, now time.Time) error {
	k := c.known()
	if k.snapshot == nil || !c.lead.Alive() {
		return nil
	}
	c.check(k, now)
	var errs []error
	for _, i := range k.incidents {
		if i.Open() {
			errs = append(errs, c.incident(ctx, k, i.ID, now))
		}
	}
	return errors.Join(errs...)
}

// check says once for each estate what would keep people from being called.
func (c *caller) check(k known, now time.Time) {
	if c.checked == k.head.Rev {
		return
	}
	c.checked = k.head.Rev
	c.refresh(now)
	for _, p := range append(duty.Check(k.snapshot, c.Policy), duty.Gaps(c.Policy, c.rotas, now, 14*24*time.Hour)...) {
		c.log.Warn("people may not be reached", "alarm", p.Alarm, "loss", p.Loss, "problem", p.Sentence)
	}
}

func (c *caller) incident(ctx context.Context, k known, id string, now time.Time) error {
	r, err := incident.LoadRecord(ctx, c.store, id)
	if err != nil {
		return err
	}
	reasons := c.reasons(ctx, k, &r, now)
	c.refresh(now)
	up, users, err := c.impact(k.snapshot, k.head.Rev, append(slices.Clone(r.Lost), r.Proposed...))
	if err != nil {
		return err
	}
	d := duty.Decide(duty.Input{
		Policy: c.Policy, Rotas: c.rotas, Record: &r, Reasons: reasons, Users: users, Up: up, Making: c.now(id), Now: now,
	})
	for _, s := range d.Says {
		if err := c.note(ctx, &r, s); err != nil {
			return err
		}
	}
	for _, call := range d.Lost {
		if _, err := incident.LogCall(ctx, c.store, id, call, incident.ByPolicy); err != nil {
			return err
		}
	}
	for _, call := range d.Calls {
		if err := c.begin(ctx, &r, k.snapshot, call); err != nil {
			return err
		}
	}
	return nil
}

// begin notes a call, and makes it.
func (c *caller) begin(ctx context.Context, r *incident.Record, s *estate.Snapshot, call incident.Call) error {
	key := r.ID + " " + call.ID
	c.mark(key, true)
	if _, err := incident.LogCall(ctx, c.store, r.ID, call, incident.ByPolicy); err != nil {
		c.mark(key, false)
		return err
	}
	c.log.Info("calling", "incident", r.ID, "alarm", call.Alarm, "person", call.Person, "channel", call.Channel, "level", call.Level)
	rec := *r
	c.calls.Go(func() {
		defer c.mark(key, false)
		who, _ := c.Policy.Person(call.Person)
		words := duty.Say(call, &rec, who, s, c.links(rec.ID, call), zoneOf(c.clocks))
		err := c.Call(ctx, rec.ID, call, words)
		if ctx.Err() != nil {
			return // whoever leads next finds it as begun
		}
		call.Outcome = duty.Sent
		if err != nil {
			call.Outcome, call.Detail = duty.Failed, clip(err.Error())
			c.log.Warn("a call did not go out", "incident", rec.ID, "person", call.Person, "channel", call.Channel, "err", err)
		}
		for ctx.Err() == nil {
			if _, err = incident.LogCall(ctx, c.store, rec.ID, call, incident.ByPolicy); err == nil || errors.Is(err, kv.ErrFenced) {
				return
			}
			c.log.Warn("what became of a call is not noted yet", "incident", rec.ID, "call", call.ID, "err", err)
			pause(ctx, lookAgain)
		}
	})
	return nil
}

// links are those by which a call is answered.
func (c *caller) links(id string, call incident.Call) []string {
	token := c.signer.Token(id, call.ID, call.At.Add(duty.LinkTime))
	all := make([]string, len(c.urls))
	for i, u := range c.urls {
		all[i] = u + ackPath + token
	}
	return all
}

func (c *caller) mark(key string, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		c.making[key] = true
	} else {
		delete(c.making, key)
	}
}

// now are the calls of an incident that are being made.
func (c *caller) now(id string) map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]bool{}
	for key := range maps.Keys(c.making) {
		if call, ok := strings.CutPrefix(key, id+" "); ok {
			all[call] = true
		}
	}
	return all
}

// note writes a sentence into the record, once.
func (c *caller) note(ctx context.Context, r *incident.Record, s string) error {
	key := r.ID + " " + s
	if c.said[key] || slices.ContainsFunc(r.Notes, func(e incident.Entry) bool { return e.Why == s }) {
		return nil
	}
	c.log.Warn("duty", "incident", r.ID, "says", s)
	if _, err := incident.AddNote(ctx, c.store, r.ID, incident.ActNote, incident.ByPolicy, s); err != nil {
		return err
	}
	c.said[key] = true
	return nil
}

// refresh reads the calendars again. One that cannot be read is kept as it was.
func (c *caller) refresh(now time.Time) {
	if !c.read.IsZero() && now.Sub(c.read) < rotasEvery {
		return
	}
	rotas, err := c.Rotas(now)
	if err != nil {
		c.log.Warn("a rota stays as it was", "err", err)
	}
	if c.rotas == nil {
		c.rotas = map[string]*duty.Rota{}
	}
	maps.Copy(c.rotas, rotas)
	c.read = now
}

// impact says which channels survive a loss, and how many people it hits.
func (c *caller) impact(s *estate.Snapshot, rev string, lost []string) (up []string, users int64, err error) {
	slices.Sort(lost)
	lost = slices.DeleteFunc(lost, func(d string) bool { _, ok := s.Lookup(estate.KindDomain, d); return !ok })
	if key := strings.Join(lost, " "); c.last.rev != rev || c.last.lost != key || c.last.up == nil {
		im, err := impact.Of(s, lost)
		if err != nil {
			return nil, 0, err
		}
		c.last = lossImpact{rev, key, append([]string{}, duty.Surviving(s, im, c.Policy)...), duty.Down(im)}
	}
	return c.last.up, c.last.users, nil
}

// reasons are what people have to know now. A run that cannot be read keeps nobody from
// being called for the rest.
func (c *caller) reasons(ctx context.Context, k known, r *incident.Record, now time.Time) []duty.Reason {
	all := duty.Reasons(r)
	for _, cl := range incident.Clocks(c.clocks, r, k.snapshot.Services, now) {
		if cl.Overdue && cl.DoneAt.IsZero() {
			all = append(all, duty.Reason{Key: duty.Overdue + ":" + cl.ID, Since: cl.Due})
		}
	}
	if r.Run == "" {
		return all
	}
	view := k.view
	if view == nil || view.ID != r.Run {
		v, err := c.view(ctx, r.Run)
		if err != nil {
			c.log.Warn("whether the run waits for a person is not known; people are called for all else", "incident", r.ID, "run", r.Run, "err", err)
			return all
		}
		view = &v
	}
	for _, w := range view.Waiting {
		if since := w.Since.Add(c.Policy.Waiting); !now.Before(since) {
			all = append(all, duty.Reason{Key: duty.Waiting, Since: since})
		}
	}
	return all
}

// clip keeps what a record takes of a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}
