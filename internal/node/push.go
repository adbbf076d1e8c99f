package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/status"
)

// Tell is how a leader tells the public side what it is to know.
type Tell struct {
	Nodes  []string // push URLs; empty: nobody is told
	Signer note.Signer
	TLS    *tls.Config
	Page   status.Page
	Pulse  time.Duration // between two words that all is still so
	// First says that the first word about a loss goes out without a person;
	// otherwise it is drafted and waits for one.
	First bool
}

// baseKey is what is added to revisions of this store in documents; version 1. A store
// that was restored from a backup counts from less than what the public side has seen.
const baseKey = "status/base"

type storedBase struct {
	V    int   `json:"v"`
	Base int64 `json:"base"`
}

// pushTimeout bounds one delivery: a public node that is slow must not make the others wait.
const pushTimeout = 12 * time.Second

// A teller composes what the public is to know and pushes it, for one reign.
type teller struct {
	*Node
	lead  interface{ Alive() bool }
	store kv.Store // under the leader's fence
	base  int64
	seen  int64 // revision of the last composition, with the base
	told  map[string]parcel
	began time.Time       // the oldest revision of the estate that is known
	first map[string]bool // incidents of which the first word was said or is none of ours

	resign chan int64 // a public node knows documents from beyond our revision
}

// A parcel is one signed document.
type parcel struct {
	key, digest, signed string
}

// tell tells the public side until the reign ends. Every public node has its own
// goroutine, so those that are gone keep nobody waiting.
func (n *Node) tell(ctx context.Context, l kv.Leadership) {
	if len(n.o.Tell.Nodes) == 0 {
		return
	}
	t := &teller{
		Node: n, lead: l, store: under{n.store, l.Fence()}, told: map[string]parcel{}, first: map[string]bool{},
		resign: make(chan int64, len(n.o.Tell.Nodes)),
	}
	client := &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: n.o.Tell.TLS, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: 3 * time.Second, ResponseHeaderTimeout: pushTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	couriers := make([]*courier, len(n.o.Tell.Nodes))
	for i, url := range n.o.Tell.Nodes {
		couriers[i] = &courier{teller: t, client: client, url: url, has: map[string]string{}, mail: make(chan []parcel, 1)}
		wg.Go(func() { couriers[i].run(ctx) })
	}
	changes, urgent := n.cache.changes(ctx), make(chan struct{}, 1)
	wg.Go(func() { t.listen(ctx, urgent) })
	pulse := time.NewTicker(n.o.Tell.Pulse)
	defer pulse.Stop()
	for {
		began := time.Now()
		if err := t.firstWords(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("the first word of a loss waits", "err", err)
		}
		all, err := t.compose(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			n.log.Warn("the public is told later, or not of all", "err", err)
		}
		for _, p := range couriers {
			if all != nil {
				p.leave(all)
			}
		}
		if !t.await(ctx, urgent, changes, pulse.C, time.Since(began)) {
			return
		}
	}
}

// listen says at once that the record of an incident has a new entry: a word that was
// published is not to wait for anything else.
func (t *teller) listen(ctx context.Context, urgent chan<- struct{}) {
	for ctx.Err() == nil {
		events, err := t.store.Watch(ctx, incident.Prefix, 0)
		if err == nil {
			for range events {
				select {
				case urgent <- struct{}{}:
				default:
				}
			}
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// await returns when there may be something to tell; false when there never is again.
// took is how long it took the last time: a large run must not keep the node busy
// telling of it.
func (t *teller) await(ctx context.Context, urgent, changes <-chan struct{}, pulse <-chan time.Time, took time.Duration) bool {
	rest := time.NewTimer(max(50*time.Millisecond, 3*took))
	defer rest.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-urgent:
		return true
	case <-rest.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-urgent:
	case <-pulse:
	case _, ok := <-changes:
		if !ok {
			return false
		}
	case known := <-t.resign:
		if known < t.seen {
			t.told = map[string]parcel{} // of an earlier leader with a faster clock: sign anew
			return true
		}
		if err := t.raise(ctx, known); err != nil && ctx.Err() == nil {
			t.log.Warn("the public side knows more than this store", "err", err)
		}
	}
	return true
}

// raise makes our revisions greater than one that the public side has seen.
func (t *teller) raise(ctx context.Context, known int64) error {
	base := t.base + known - t.seen + 1
	value, err := json.Marshal(storedBase{1, base})
	if err != nil {
		return err
	}
	if _, err := t.store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: baseKey, Value: value}}}); err != nil {
		return err
	}
	t.base, t.told = base, map[string]parcel{}
	t.log.Warn("the public side has seen later revisions than this store has, as after a restore: counting on from there", "base", base)
	return nil
}

// compose reads what there is and makes the parcels of it, the pulse last; nil when
// there is nothing to tell of yet. With an error as well, that is what is missing in them.
func (t *teller) compose(ctx context.Context) ([]parcel, error) {
	snap := t.cache.get().snapshot
	if snap == nil {
		return nil, nil
	}
	e, ok, err := t.store.Get(ctx, baseKey)
	if err != nil {
		return nil, err
	}
	if ok {
		var b storedBase
		if err := json.Unmarshal(e.Value, &b); err != nil || b.V != 1 {
			return nil, fmt.Errorf("entry %s is of version %d, this program knows version 1: %v", baseKey, b.V, err)
		}
		t.base = b.Base
	}
	// The revision first: what is read after it has all that it has.
	_, rev, err := t.store.List(ctx, leaderPrefix)
	if err != nil {
		return nil, err
	}
	incidents, err := incident.List(ctx, t.store)
	if err != nil {
		return nil, err
	}
	if t.began.IsZero() {
		revisions, err := estate.Log(ctx, t.store)
		if err != nil {
			return nil, err
		}
		if n := len(revisions); n > 0 {
			t.began = revisions[n-1].At
		}
	}
	in := status.Input{Page: t.o.Tell.Page, Snapshot: snap, Began: t.began, Rev: rev + t.base, Now: time.Now(), Suspects: map[string][]string{}}
	var missing []error
	for _, i := range incidents {
		if i.Drill {
			continue
		}
		r := incident.RecordOf(i)
		in.Records = append(in.Records, r)
		if i.Open() && len(r.Intervals) == 0 {
			for _, v := range hit(known{snapshot: snap}, slices.Concat(r.Lost, r.Proposed), r.LostAt) {
				in.Suspects[i.ID] = append(in.Suspects[i.ID], v.Service)
			}
		}
		if i.Run == "" || !i.Open() {
			continue
		}
		v, err := recovery.View(ctx, t.store, i.Run)
		switch {
		case err == nil:
			in.Runs = append(in.Runs, v)
		case !errors.Is(err, recovery.ErrNotFound): // told without how far it is
			missing = append(missing, fmt.Errorf("run %s: %w", i.Run, err))
		}
	}
	if in.Maintenances, err = status.Maintenances(ctx, t.store); err != nil {
		return nil, err
	}
	docs, err := status.Compose(in)
	if err != nil {
		return nil, err
	}
	t.seen = in.Rev
	all, err := t.pack(docs)
	return all, errors.Join(append(missing, err)...)
}

// pack signs what changed.
func (t *teller) pack(docs []status.Document) ([]parcel, error) {
	all := make([]parcel, 0, len(docs))
	next := map[string]parcel{}
	for _, d := range docs {
		p := parcel{key: d.Key, digest: status.Digest(d.Body)}
		if old, ok := t.told[d.Key]; ok && old.digest == p.digest && d.Key != status.KeyPulse {
			p = old
		} else {
			signed, err := status.Sign(d, t.o.Tell.Signer)
			if err != nil {
				return nil, err
			}
			p.signed = string(signed)
		}
		all, next[d.Key] = append(all, p), p
	}
	t.told = next
	return all, nil
}

// A courier is the way to one public node.
type courier struct {
	*teller
	client *http.Client
	url    string
	has    map[string]string // digest of what it took, by key
	beat   time.Time         // of the last pulse that it took
	warned time.Time         // when it was last complained about
	mail   chan []parcel     // the newest composition that was not fetched yet
}

// leave puts a composition where the courier fetches it, instead of an older one.
func (p *courier) leave(all []parcel) {
	for {
		select {
		case p.mail <- all:
			return
		default:
		}
		select {
		case <-p.mail:
		default:
		}
	}
}

// run delivers until the reign ends. What was not taken is delivered again, in its
// newest form, until it is.
func (p *courier) run(ctx context.Context) {
	const least, most = 100 * time.Millisecond, 3 * time.Second
	wait, failing := least, false
	var all []parcel
	for {
		select {
		case <-ctx.Done():
			return
		case all = <-p.mail:
		}
		for again := true; again && p.lead.Alive(); {
			err := p.deliver(ctx, all)
			if ctx.Err() != nil {
				return
			}
			if again = err != nil; !again {
				wait = least
				if failing {
					p.log.Info("a public node takes what it is told again", "node", p.url)
				}
				failing = false
				continue
			}
			if !failing && p.complains() {
				p.log.Warn("a public node does not take what it is told", "node", p.url, "err", err)
			}
			failing = true
			pause(ctx, wait)
			wait = min(2*wait, most)
			select {
			case all = <-p.mail:
			default:
			}
		}
	}
}

// complainEvery bounds how often one public node can fill the log of control.
const complainEvery = time.Minute

// complains says that this node may be complained about once more.
func (p *courier) complains() bool {
	if !p.warned.IsZero() && time.Since(p.warned) < complainEvery {
		return false
	}
	p.warned = time.Now()
	return true
}

// deliver couriers what this node lacks, and the pulse.
func (p *courier) deliver(ctx context.Context, all []parcel) error {
	var load []string
	size, sent := 0, map[string]string{}
	news := slices.ContainsFunc(all, func(d parcel) bool { return d.key != status.KeyPulse && p.has[d.key] != d.digest })
	if !news && time.Since(p.beat) < p.o.Tell.Pulse*9/10 {
		return nil
	}
	flush := func() error {
		if len(load) == 0 {
			return nil
		}
		err := p.send(ctx, load, sent)
		load, size, sent = nil, 0, map[string]string{}
		return err
	}
	for _, d := range all {
		if d.key != status.KeyPulse && p.has[d.key] == d.digest {
			continue
		}
		// In JSON the text grows a little; a quarter more is plenty.
		if size += len(d.signed) * 5 / 4; size > maxPush {
			if err := flush(); err != nil {
				return err
			}
			size = len(d.signed) * 5 / 4
		}
		load, sent[d.key] = append(load, d.signed), d.digest
	}
	return flush()
}

func (p *courier) send(ctx context.Context, load []string, sent map[string]string) error {
	body, err := json.Marshal(delivery{load})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+pushPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return err
	}
	var r receipt
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("answered %s: %.100q", res.Status, text)
	}
	switch {
	case res.StatusCode == http.StatusConflict:
		clear(p.has)
		beyond, err := p.beyond(&r)
		if err != nil {
			return err
		}
		if beyond > 0 {
			select {
			case p.resign <- beyond:
			default:
			}
		}
		return fmt.Errorf("it lacks %d documents (%s), and has newer of %d: sending all of it again", len(r.Missing), someOf(r.Missing), len(r.Older))
	case res.StatusCode != http.StatusOK:
		clear(p.has)
		return fmt.Errorf("answered %s: %.300q", res.Status, r.Error)
	}
	maps.Copy(p.has, sent)
	if _, ok := sent[status.KeyPulse]; ok {
		p.beat = time.Now()
	}
	if !r.Stored {
		p.log.Debug("a public node shows what it was told, and has no quorum to keep it", "node", p.url, "err", r.Error)
	}
	return nil
}

// beyond is the highest revision that a public node knows and that we have signed; 0:
// it has nothing newer. A public node stands where anybody may break in: what it says
// of revisions is worth what is signed of it.
func (p *courier) beyond(r *receipt) (int64, error) {
	if len(r.Older) == 0 {
		return 0, nil
	}
	d, err := status.Open([]byte(r.Newest), note.VerifierList(ourKey{p.o.Tell.Signer}))
	if err != nil {
		return 0, fmt.Errorf("it says that it has newer of %d documents, and shows none that we signed: %w", len(r.Older), err)
	}
	return d.Rev, nil
}

// ourKey knows our own signatures by making them again: those of ed25519 are the same each time.
type ourKey struct{ note.Signer }

// Verify implements [note.Verifier].
func (k ourKey) Verify(msg, sig []byte) bool {
	want, err := k.Sign(msg)
	return err == nil && bytes.Equal(want, sig)
}

// someOf are the first of what a public node names, cut short: what it says is not to
// fill a log.
func someOf(names []string) string {
	const most = 3
	out := make([]string, 0, most)
	for _, s := range names[:min(len(names), most)] {
		out = append(out, fmt.Sprintf("%.100q", s))
	}
	return strings.Join(out, " ")
}

// firstAfter is how long a proposed loss that nobody has confirmed or withdrawn is kept
// from the public, where policy lets the first word go out.
const firstAfter = 20 * time.Second

// firstWords sees to it that no loss is without a word: it drafts one as soon as a
// loss is proposed or declared, and publishes it where policy allows.
func (t *teller) firstWords(ctx context.Context) error {
	k := t.cache.get()
	if k.snapshot == nil || !t.lead.Alive() {
		return nil
	}
	var errs []error // of one incident; the others are not to wait for it
	for i := range k.incidents {
		if inc := &k.incidents[i]; !inc.Drill && !t.first[inc.ID] {
			if err := t.firstWord(ctx, k, inc.ID); err != nil {
				errs = append(errs, fmt.Errorf("incident %s: %w", inc.ID, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (t *teller) firstWord(ctx context.Context, k known, id string) error {
	r, err := incident.LoadRecord(ctx, t.store, id)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(r.Updates, func(u incident.Update) bool {
		return u.DraftedBy == incident.ByPolicy && u.Template == status.TemplateFirst
	})
	spoken := slices.ContainsFunc(r.Updates, func(u incident.Update) bool { return !u.SentAt.IsZero() })
	waits := n >= 0 && r.Updates[n].SentAt.IsZero() && r.Updates[n].Dropped == ""
	switch {
	case !r.Open() && waits && !spoken:
		if err := incident.DropUpdate(ctx, t.store, id, r.Updates[n].ID, incident.ByPolicy, "the incident is "+string(r.State)); err != nil {
			return err
		}
		fallthrough
	case !r.Open(), spoken, n >= 0 && !waits, n < 0 && len(r.Updates) > 0: // people have taken over
		t.first[id] = true
		return nil
	case n < 0:
		if len(r.Intervals) == 0 {
			r.Intervals = hit(k, slices.Concat(r.Lost, r.Proposed), r.LostAt)
		}
		u, err := incident.Draft(ctx, t.store, id, status.FirstWord(t.o.Tell.Page, k.snapshot, &r, time.Now()), incident.ByPolicy)
		if err != nil {
			return err
		}
		t.log.Info("drafted the first word", "incident", id, "update", u.ID)
		r.Updates, n = append(r.Updates, u), len(r.Updates)
	}
	if !t.o.Tell.First || r.State != incident.Declared && time.Since(r.ProposedAt) < firstAfter {
		return nil
	}
	if err := incident.Publish(ctx, t.store, id, r.Updates[n].ID, incident.ByPolicy, ""); err != nil {
		return err
	}
	t.log.Info("published the first word", "incident", id, "update", r.Updates[n].ID)
	t.first[id] = true
	return nil
}

// hit are the services that a loss takes, for a record that does not say so yet.
func hit(k known, lost []string, at time.Time) []incident.Interval {
	im, err := impact.Of(k.snapshot, lost)
	if err != nil {
		return nil // the estate has changed since; the word does without names
	}
	var out []incident.Interval
	for i, s := range im.Services {
		if s.State != impact.Up && s.State != impact.Degraded {
			out = append(out, incident.Interval{Service: k.snapshot.Services[i].Name, Condition: incident.Down, From: at, Source: incident.FromImpact})
		}
	}
	return out
}
