package status

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/internal/kv"
)

// A Job is one update on its way to the subscribers.
type Job struct {
	ID       string    `json:"id"` // of the update
	Incident string    `json:"incident"`
	Title    Text      `json:"title"`
	Update   Update    `json:"update"`
	NextAt   time.Time `json:"nextAt,omitzero"`
	Services []string  `json:"services,omitempty"` // that the incident affects
	Queued   time.Time `json:"queued"`
	Total    int       `json:"total"`  // letters; 0 until they were counted
	Sent     int       `json:"sent"`   // as of the last look
	Failed   int       `json:"failed"` // given up
	Done     time.Time `json:"done,omitzero"`
}

type storedJob struct {
	V int `json:"v"`
	Job
}

func (j *storedJob) version() int { return j.V }

// storedMarks says of which subscribers a job is done with.
type storedMarks struct {
	V      int      `json:"v"`
	Sent   []string `json:"sent,omitempty"`
	Failed []string `json:"failed,omitempty"`
}

func (m *storedMarks) version() int { return m.V }

// A Letter is one message to one subscriber.
type Letter struct {
	ID          string // the same whenever it is sent: receivers tell a repetition by it
	Kind        string // [ByMail], [ByWebhook] or [BySlack]
	To          string
	Lang        string
	Subject     string
	Text        string
	HTML        string
	Unsubscribe string // URL
	JSON        []byte // for webhooks
	Secret      string // signs what goes to this webhook
}

// A Sender hands one letter over.
type Sender interface {
	Send(ctx context.Context, l Letter) error
}

// An Outbox sends what waits in the store: letters that ask for confirmation, and
// news of updates. One runs at a time, under the leadership of its store's fence.
//
// What was handed over is marked in batches, so a node that dies leaves a few letters
// of which nobody knows whether they went out. They are sent again by the next one,
// with the same ID.
type Outbox struct {
	Store kv.Store // writes carry the fence of whoever sends
	Desk  *Desk
	Send  Sender
	// Permanent says whether trying again is in vain. Nil: it never is.
	Permanent func(error) bool
	// Page tells of whom and where the letters speak.
	Page    func() Catalog
	Workers int           // letters at a time; 0: 16
	Batch   int           // letters in one mark; 0: 64
	Flush   time.Duration // after which a mark is written that is not full; 0: 100 ms
	Retry   time.Duration // until the second try, then twice as long each time; 0: 5 s
	GiveUp  time.Duration // after which a letter is given up; 0: 24 h
	Log     *slog.Logger
}

// Run sends until ctx ends. It returns an error when the store fails or another one
// took over.
func (o *Outbox) Run(ctx context.Context) error {
	o.Workers, o.Batch = cmp.Or(o.Workers, 16), cmp.Or(o.Batch, 64)
	o.Flush, o.Retry = cmp.Or(o.Flush, 100*time.Millisecond), cmp.Or(o.Retry, 5*time.Second)
	o.GiveUp = cmp.Or(o.GiveUp, 24*time.Hour)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil) // before waiting
	_, rev, err := o.Store.List(ctx, LeaderKey)
	if err != nil {
		return fmt.Errorf("open the outbox: %w", err)
	}
	events, err := o.Store.Watch(ctx, Prefix, rev)
	if err != nil {
		return fmt.Errorf("watch the outbox: %w", err)
	}
	run := sending{
		Outbox: o, slots: make(chan struct{}, o.Workers), asking: make(chan struct{}, max(1, o.Workers/4)),
		jobs: map[string]bool{}, letters: map[string]bool{},
	}
	look := time.NewTimer(0)
	defer look.Stop()
	tick, tidy := time.NewTicker(max(time.Second, o.Retry)), time.NewTicker(10*time.Minute)
	defer tick.Stop()
	defer tidy.Stop()
	due, took := true, time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case batch, ok := <-events:
			if !ok {
				return fmt.Errorf("watch the outbox: %w", kv.ErrUnavailable)
			}
			if !slices.ContainsFunc(batch, func(e kv.Event) bool {
				return !e.Deleted && (strings.HasPrefix(e.Key, outPrefix) || strings.HasPrefix(e.Key, wishPrefix))
			}) {
				continue
			}
			if !due {
				due = true
				look.Reset(max(10*time.Millisecond, 4*took)) // a flood of wishes must not keep us busy reading them
			}
		case <-tick.C:
			look.Reset(0)
		case <-look.C:
			due = false
			began := time.Now()
			if err := run.look(ctx, &wg, cancel); err != nil {
				return err
			}
			took = time.Since(began)
		case <-tidy.C:
			if err := o.Desk.Tidy(ctx); err != nil {
				return err
			}
		}
	}
}

// sending is one Run under way.
type sending struct {
	*Outbox
	slots  chan struct{} // news under way
	asking chan struct{} // letters that ask for confirmation: a flood of them must not hold up news

	mu      sync.Mutex
	jobs    map[string]bool // under way
	letters map[string]bool
}

// look starts what is not under way yet.
func (s *sending) look(ctx context.Context, wg *sync.WaitGroup, fail context.CancelCauseFunc) error {
	start := func(set map[string]bool, id string, f func() error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if set[id] {
			return
		}
		set[id] = true
		wg.Go(func() {
			err := f()
			s.mu.Lock()
			delete(set, id)
			s.mu.Unlock()
			if err != nil && ctx.Err() == nil {
				fail(err)
			}
		})
	}
	wishes, entries, err := list(ctx, s.Store, wishPrefix, (*storedWish).version)
	if err != nil {
		return err
	}
	for i, w := range wishes {
		if w.Sent < w.Letters && !time.Now().Before(w.TryAt) && time.Since(w.Asked) < s.Desk.limits.WishFor {
			e := entries[i]
			start(s.letters, e.Key, func() error { return s.ask(ctx, e, w) })
		}
	}
	jobs, entries, err := list(ctx, s.Store, outPrefix, (*storedJob).version)
	if err != nil {
		return err
	}
	for i := range jobs {
		if e, j := entries[i], jobs[i].Job; j.Done.IsZero() {
			start(s.jobs, e.Key, func() error { return s.tell(ctx, e, j) })
		}
	}
	return nil
}

// ask sends the letter that asks for confirmation, unless e is not any more what is in
// the store: what was listed may have been seen to meanwhile.
func (s *sending) ask(ctx context.Context, e kv.Entry, w storedWish) error {
	switch now, ok, err := s.Store.Get(ctx, e.Key); {
	case err != nil:
		return fmt.Errorf("look for the wish: %w", err)
	case !ok || now.Modified != e.Modified:
		return nil
	}
	address, err := s.Desk.unseal(w.Sealed)
	if err != nil {
		return nil //nolint:nilerr // by a key that is not ours any more: it is forgotten in time
	}
	w.Address = address
	id := strings.TrimPrefix(e.Key, wishPrefix)
	select {
	case s.asking <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	err = s.Send.Send(ctx, s.confirmation(id, w))
	<-s.asking
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to end
	}
	switch {
	case err == nil:
		w.Sent = w.Letters
	case s.Permanent != nil && s.Permanent(err):
		w.Sent = w.Letters
		s.Log.Info("a letter was refused", "kind", w.Kind, "err", err)
	default:
		w.Tries++
		w.TryAt = time.Now().UTC().Add(s.backoff(w.Tries))
	}
	err = put(ctx, s.Store, e, e.Key, w)
	if errors.Is(err, kv.ErrConflict) {
		return nil // asked for again, or confirmed, meanwhile
	}
	return err
}

func (s *sending) backoff(tries int) time.Duration {
	return min(s.Retry<<min(tries-1, 10), time.Hour)
}

// tell brings one update to all who want it. Those who subscribed after it was
// published read it on the page.
func (s *sending) tell(ctx context.Context, e kv.Entry, j Job) error {
	all, err := s.Desk.Subscribers(ctx)
	if err != nil {
		return err
	}
	done, number, err := s.marks(ctx, j.ID)
	if err != nil {
		return err
	}
	j.Sent, j.Failed = 0, 0
	var queue []Subscriber
	for _, sub := range all {
		switch was, known := done[sub.ID]; {
		case known && was:
			j.Sent++
		case known:
			j.Failed++
		case sub.Since < e.Created && sub.Wants(j.Services):
			queue = append(queue, sub)
		}
	}
	j.Total = max(j.Total, len(done)+len(queue))
	switch err := s.note(ctx, &e, j); {
	case errors.Is(err, kv.ErrConflict):
		return nil // it was told, or changed, after it was listed: the next look knows
	case err != nil:
		return quiet(ctx, err)
	}
	s.Log.Info("telling subscribers", "update", j.ID, "letters", len(queue), "told", len(done))
	m := marker{sending: s, job: j.ID, number: number}
	err = s.deliver(ctx, j, queue, &m)
	j.Sent, j.Failed = j.Sent+m.sent, j.Failed+m.failed
	if err != nil {
		return quiet(ctx, err)
	}
	j.Done = time.Now().UTC()
	if err := s.note(ctx, &e, j); err != nil {
		return quiet(ctx, err)
	}
	s.Log.Info("told subscribers", "update", j.ID, "sent", j.Sent, "failed", j.Failed)
	return quiet(ctx, s.forget(ctx, j.ID))
}

func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to end
	}
	return err
}

// note writes how far a job is.
func (s *sending) note(ctx context.Context, e *kv.Entry, j Job) error {
	value, err := json.Marshal(storedJob{1, j})
	if err != nil {
		return fmt.Errorf("encode news: %w", err)
	}
	rev, err := s.Store.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: e.Key, Modified: e.Modified}}, Do: []kv.Op{{Key: e.Key, Value: value}}})
	if err != nil {
		return fmt.Errorf("note how far news %s are: %w", j.ID, err)
	}
	e.Modified = rev
	return nil
}

// marks reads who is done with: true is sent, false given up.
func (s *sending) marks(ctx context.Context, job string) (done map[string]bool, number int, err error) {
	all, _, err := list(ctx, s.Store, sentPrefix+job+"/", (*storedMarks).version)
	if err != nil {
		return nil, 0, err
	}
	done = map[string]bool{}
	for _, m := range all {
		for _, id := range m.Failed {
			done[id] = false
		}
		for _, id := range m.Sent {
			done[id] = true
		}
	}
	return done, len(all), nil
}

// forget drops the marks of a job that is done.
func (s *sending) forget(ctx context.Context, job string) error {
	entries, _, err := s.Store.List(ctx, sentPrefix+job+"/")
	if err != nil {
		return fmt.Errorf("tidy the outbox: %w", err)
	}
	for part := range slices.Chunk(entries, kv.MaxOps/2) {
		var ops []kv.Op
		for _, e := range part {
			ops = append(ops, kv.Op{Key: e.Key, Delete: true})
		}
		if _, err := s.Store.Commit(ctx, kv.Txn{Do: ops}); err != nil {
			return fmt.Errorf("tidy the outbox: %w", err)
		}
	}
	return nil
}

// deliver sends to all in the queue, those again that failed for the moment, until
// nobody is left.
func (s *sending) deliver(ctx context.Context, j Job, queue []Subscriber, m *marker) error {
	words := s.words(j)
	for tries := 1; len(queue) > 0; tries++ {
		again, err := s.round(ctx, j, words, queue, m, time.Since(j.Queued) >= s.GiveUp)
		if err != nil {
			return err
		}
		if queue = again; len(queue) == 0 {
			return nil
		}
		s.Log.Info("some subscribers are told later", "update", j.ID, "letters", len(queue), "tries", tries)
		wait := time.NewTimer(s.backoff(tries))
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
	}
	return nil
}

// round sends once to each, and returns whom to try again.
func (s *sending) round(ctx context.Context, j Job, words map[string]words, queue []Subscriber, m *marker, last bool) (again []Subscriber, err error) {
	type result struct {
		sub Subscriber
		err error
	}
	next, results := make(chan Subscriber), make(chan result)
	working, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for range min(s.Workers, len(queue)) {
		wg.Go(func() {
			for sub := range next {
				s.slots <- struct{}{}
				err := working.Err()
				if err == nil {
					err = s.Send.Send(working, s.letter(j, words[sub.Lang], sub))
				}
				<-s.slots
				results <- result{sub, err}
			}
		})
	}
	go func() {
		defer close(next)
		for _, sub := range queue {
			select {
			case next <- sub:
			case <-working.Done():
				return
			}
		}
	}()
	go func() {
		wg.Wait()
		close(results)
	}()
	flush := time.NewTicker(s.Flush)
	defer flush.Stop()
	for {
		select {
		case r, ok := <-results:
			if !ok {
				if e := m.flush(ctx); err == nil {
					err = e
				}
				if err == nil {
					err = ctx.Err()
				}
				return again, err
			}
			switch {
			case r.err == nil:
				m.Sent = append(m.Sent, r.sub.ID)
			case working.Err() != nil:
			case last, s.Permanent != nil && s.Permanent(r.err):
				s.Log.Info("a subscriber cannot be told", "kind", r.sub.Kind, "err", r.err)
				m.Failed = append(m.Failed, r.sub.ID)
			default:
				again = append(again, r.sub)
			}
			if len(m.Sent)+len(m.Failed) < s.Batch {
				continue
			}
		case <-flush.C:
		}
		if e := m.flush(ctx); e != nil && err == nil {
			err = e
			stop() // who cannot mark must not send
		}
	}
}

// A marker writes whom a job is done with.
type marker struct {
	*sending
	job    string
	number int
	storedMarks
	sent, failed int
}

// flush outlives the end of ctx for a moment: what was handed over is better marked.
func (m *marker) flush(ctx context.Context) error {
	if len(m.Sent)+len(m.Failed) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	m.V = 1
	value, err := json.Marshal(m.storedMarks)
	if err != nil {
		return fmt.Errorf("encode marks: %w", err)
	}
	m.number++
	key := fmt.Sprintf("%s%s/%06d", sentPrefix, m.job, m.number)
	if _, err := m.Store.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: key}}, Do: []kv.Op{{Key: key, Value: value}}}); err != nil {
		return fmt.Errorf("mark what was sent of %s: %w", m.job, err)
	}
	m.sent, m.failed = m.sent+len(m.Sent), m.failed+len(m.Failed)
	m.storedMarks = storedMarks{}
	return nil
}

// Jobs returns what is or was in the outbox, oldest first, with how far each is.
func Jobs(ctx context.Context, s kv.Store) ([]Job, error) {
	all, _, err := list(ctx, s, outPrefix, (*storedJob).version)
	if err != nil {
		return nil, err
	}
	jobs := make([]Job, len(all))
	for i, j := range all {
		jobs[i] = j.Job
		if !j.Done.IsZero() {
			continue
		}
		marks, _, err := list(ctx, s, sentPrefix+j.ID+"/", (*storedMarks).version)
		if err != nil {
			return nil, err
		}
		jobs[i].Sent, jobs[i].Failed = 0, 0
		for _, m := range marks {
			jobs[i].Sent, jobs[i].Failed = jobs[i].Sent+len(m.Sent), jobs[i].Failed+len(m.Failed)
		}
	}
	slices.SortStableFunc(jobs, func(a, b Job) int { return a.Queued.Compare(b.Queued) })
	return jobs, nil
}

// letterID is the same for the same news to the same subscriber.
func letterID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "bongsu-" + hex.EncodeToString(sum[:16])
}
