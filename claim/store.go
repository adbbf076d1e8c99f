package claim

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bongsu/internal/kv"
)

// Keys in the store of the public side. Wrapped keys are apart from everything that
// they open, so that a backup can leave them out; see [KeyPrefix].
const (
	claimPrefix  = "claim/c/"      // + ID: what rules and desks see
	sealedPrefix = "claim/p/"      // + ID: personal data, sealed
	filePrefix   = "claim/f/"      // + ID/file: a paper, sealed; + ID/file/number: its pieces
	movePrefix   = "claim/b/"      // + ID/file: a paper on its way into the vault, or out of it
	eventPrefix  = "claim/e/"      // + ID/number: those that are not the latest
	lookPrefix   = "claim/l/"      // + day/time/ID/number: who looked, once more, by time
	dayPrefix    = "claim/ld/"     // + day on which somebody looked
	keyedPrefix  = "claim/i/"      // + hash of an idempotency key
	erasedPrefix = "claim-erased/" // + ID: what a restore has to erase again

	// KeyPrefix is where wrapped data keys are. Backups of the rest never hold them.
	KeyPrefix = "claim-key/"
)

// A storedClaim is one key, with its marks and latest events: what a store of this kind does
// for each key costs more than what it does for its bytes.
type storedClaim struct {
	V      int         `json:"v"`
	Claim  Claim       `json:"claim"`
	Secret string      `json:"secret"` // hash
	Marks  []string    `json:"marks,omitempty"`
	Events int         `json:"events"`           // so many there are
	Latest []happening `json:"latest,omitempty"` // the last of them
}

// A happening is an event within its claim.
type happening struct {
	At   time.Time `json:"at"`
	Who  string    `json:"who"`
	What string    `json:"what"`
	Why  string    `json:"why,omitempty"`
}

// latestEvents is how many events stay with their claim; those before have keys of their own.
const latestEvents = 4

// add appends an event. What has to be written for one that no longer stays with the claim
// is returned.
func (s *storedClaim) add(ev Event) (out []kv.Op, err error) {
	s.Events++
	s.Latest = append(slices.Clone(s.Latest), happening{ev.At, ev.Who, ev.What, ev.Why})
	if over := len(s.Latest) - latestEvents; over > 0 {
		for i, h := range s.Latest[:over] {
			value, err := json.Marshal(storedEvent{1, h.of(ev.Claim)})
			if err != nil {
				return nil, fmt.Errorf("encode event: %w", err)
			}
			out = append(out, kv.Op{Key: eventKey(ev.Claim, s.Events-len(s.Latest)+1+i), Value: value})
		}
		s.Latest = s.Latest[over:]
	}
	return out, nil
}

func (h *happening) of(id string) Event { return Event{id, h.At, h.Who, h.What, h.Why} }

type storedEvent struct {
	V int `json:"v"`
	Event
}

// storedKeyed is what an idempotency key was used for.
type storedKeyed struct {
	V           int    `json:"v"`
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
}

// What one transaction of reports holds at most, well below the limits of the store.
const (
	mostReports     = 60
	mostReportBytes = 600 << 10
)

// A Keeper is the ledger on a small transactional store: memory, or the public side's
// own etcd. It holds the claims without what is personal in memory, for lists; that
// is some hundred megabytes for 500,000 claims, beyond which PostgreSQL is meant.
type Keeper struct {
	s      kv.Store
	m      *Master
	now    func() time.Time
	vault  Vault
	guard  *guard // nil: none
	claims *shelf
	behind atomic.Bool // the list is being read for the first time
}

var _ Ledger = (*Keeper)(nil)

// NewKeeper returns the ledger in a store. [Keeper.Follow] has to run for lists to show
// what other processes write.
func NewKeeper(s kv.Store, m *Master) *Keeper {
	return &Keeper{s: s, m: m, now: time.Now, vault: VaultIn(s), claims: newShelf()}
}

// PapersIn keeps papers in a vault of their own, instead of in pieces in the store. It
// is called before anything else is.
func (k *Keeper) PapersIn(v Vault) { k.vault = v }

// Following says that [Keeper.Follow] is about to run: until it has read everything, whoever goes over all claims
// is told that they are not there yet, instead of some of them. It is called before anything else is.
func (k *Keeper) Following() { k.behind.Store(true) }

// listed says whether the list of claims is whole.
func (k *Keeper) listed() error {
	if k.behind.Load() {
		return fmt.Errorf("%w: the list of claims is being read, try again in some seconds", ErrUnavailable)
	}
	return nil
}

// Follow keeps the list of claims up to date until ctx ends. ready is called once, when
// all that was there is in the list.
func (k *Keeper) Follow(ctx context.Context, ready func()) error {
	for first := true; ; first = false {
		if err := k.follow(ctx, func() {
			k.behind.Store(false)
			if first && ready != nil {
				ready()
			}
		}); err != nil && ctx.Err() == nil && !errors.Is(err, kv.ErrUnavailable) {
			return err
		}
		if !pause(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (k *Keeper) follow(ctx context.Context, ready func()) error {
	all, rev, err := k.s.List(ctx, claimPrefix)
	if err != nil {
		return fmt.Errorf("list claims: %w", err)
	}
	for _, e := range all {
		if err := k.claims.take(e); err != nil {
			return err
		}
	}
	ready()
	events, err := k.s.Watch(ctx, claimPrefix, rev)
	if err != nil {
		return fmt.Errorf("follow claims: %w", err)
	}
	for batch := range events {
		for _, e := range batch {
			if e.Deleted {
				continue // claims are never deleted
			}
			if err := k.claims.take(e.Entry); err != nil {
				return err
			}
		}
	}
	return kv.ErrUnavailable
}

// File implements [Ledger].
func (k *Keeper) File(ctx context.Context, reports []Report) ([]Receipt, []error) {
	receipts, errs := make([]Receipt, len(reports)), make([]error, len(reports))
	if err := k.guard.admits(ctx); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return receipts, errs
	}
	var f filing
	flush := func() {
		if len(f.of) == 0 {
			return
		}
		k.commit(ctx, f, receipts, errs)
		f = filing{}
	}
	inHand := map[string]bool{} // idempotency keys of the filing
	for i := range reports {
		r := &reports[i]
		if r.Key != "" && inHand[r.Key] { // the same pressed twice in one batch
			flush()
			clear(inHand)
		}
		p, err := k.prepare(r)
		if err != nil {
			errs[i] = err
			continue
		}
		p.at = i
		if len(f.of) >= mostReports || f.bytes+p.bytes > mostReportBytes {
			flush()
			clear(inHand)
		}
		if r.Key != "" {
			inHand[r.Key] = true
		}
		f.of, f.bytes = append(f.of, p), f.bytes+p.bytes
	}
	flush()
	return receipts, errs
}

// A filing is reports that one transaction keeps.
type filing struct {
	of    []*filed
	bytes int
}

// A filed report is what is written of it.
type filed struct {
	report  *Report
	at      int // of the reports
	receipt Receipt
	claim   storedClaim
	keyed   string // the key of its idempotency key; empty: none
	txn     kv.Txn
	bytes   int
}

// again answers a report whose key was used before; an empty receipt says that it was not.
func (k *Keeper) again(ctx context.Context, r *Report) (Receipt, error) {
	e, ok, err := k.s.Get(ctx, keyedPrefix+KeyHash(r.Key))
	if err != nil {
		return Receipt{}, unavailable("file a report", err)
	}
	if !ok {
		return Receipt{}, nil
	}
	var s storedKeyed
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return Receipt{}, fmt.Errorf("read %s: %w", e.Key, err)
	}
	if s.V != 1 {
		return Receipt{}, fmt.Errorf("read %s: version %d is not known, update this program", e.Key, s.V)
	}
	return k.m.Again(r, s.ID, s.Fingerprint)
}

// Used implements [Ledger].
func (k *Keeper) Used(ctx context.Context, keys []string) (map[string]bool, error) {
	there := make([]bool, len(keys))
	if err := kv.Together(ctx, len(keys), func(ctx context.Context, i int) error {
		var err error
		_, there[i], err = k.s.Get(ctx, keyedPrefix+KeyHash(keys[i]))
		return err
	}); err != nil {
		return nil, unavailable("look for reports that were filed", err)
	}
	used := map[string]bool{}
	for i, key := range keys {
		if there[i] {
			used[key] = true
		}
	}
	return used, nil
}

// prepare makes what is written of a report.
func (k *Keeper) prepare(r *Report) (*filed, error) {
	p, err := k.m.Prepare(r, k.now())
	if err != nil {
		return nil, err
	}
	id := p.Claim.ID
	f := &filed{report: r, receipt: p.Receipt, claim: storedClaim{V: 1, Claim: p.Claim, Secret: p.Secret, Marks: p.Marks}}
	if _, err := f.claim.add(p.Event); err != nil {
		return nil, err
	}
	value, err := encode(&f.claim)
	if err != nil {
		return nil, err
	}
	f.txn.If = []kv.Cond{{Key: claimPrefix + id}}
	f.txn.Do = []kv.Op{
		{Key: claimPrefix + id, Value: value},
		{Key: sealedPrefix + id, Value: p.Sealed},
		{Key: KeyPrefix + id, Value: p.Wrapped},
	}
	if r.Key != "" {
		keyed, err := json.Marshal(storedKeyed{1, id, p.Fingerprint})
		if err != nil {
			return nil, fmt.Errorf("file a report: %w", err)
		}
		f.keyed = keyedPrefix + p.KeyHash
		f.txn.If = append(f.txn.If, kv.Cond{Key: f.keyed})
		f.txn.Do = append(f.txn.Do, kv.Op{Key: f.keyed, Value: keyed})
	}
	for _, op := range f.txn.Do {
		f.bytes += len(op.Key) + len(op.Value)
	}
	return f, nil
}

func eventKey(id string, n int) string { return fmt.Sprintf("%s%s/%06d", eventPrefix, id, n) }

// commit keeps the reports of a filing. Nobody asks first whether their keys were used:
// the transaction says so, and then those that were are answered and the rest goes on.
func (k *Keeper) commit(ctx context.Context, f filing, receipts []Receipt, errs []error) {
	for range mostTries {
		var t kv.Txn
		for _, p := range f.of {
			t.If, t.Do = append(t.If, p.txn.If...), append(t.Do, p.txn.Do...)
		}
		rev, err := k.s.Commit(ctx, t)
		switch {
		case err == nil:
			for _, p := range f.of {
				receipts[p.at] = p.receipt
				k.claims.put(p.claim, rev)
			}
			return
		case !errors.Is(err, kv.ErrConflict):
			for _, p := range f.of {
				errs[p.at] = unavailable("file a report", err)
			}
			return
		}
		var asked sync.WaitGroup
		for _, p := range f.of {
			if p.keyed != "" {
				asked.Go(func() { receipts[p.at], errs[p.at] = k.again(ctx, p.report) })
			}
		}
		asked.Wait()
		var left []*filed
		for _, p := range f.of {
			if errs[p.at] == nil && receipts[p.at].ID == "" {
				left = append(left, p)
			}
		}
		if f.of = left; len(left) == 0 {
			return
		}
	}
	for _, p := range f.of {
		errs[p.at] = fmt.Errorf("%w: others file the same at once", ErrUnavailable)
	}
}

// unavailable turns what a store says when it cannot keep anything into what forms say.
func unavailable(what string, err error) error {
	if errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrFull) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (k *Keeper) load(ctx context.Context, id string) (storedClaim, kv.Entry, error) {
	e, ok, err := k.s.Get(ctx, claimPrefix+id)
	switch {
	case err != nil:
		return storedClaim{}, e, unavailable("read claim "+id, err)
	case !ok || strings.Contains(id, "/"):
		return storedClaim{}, e, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	s, err := decodeClaim(e)
	return s, e, err
}

func decodeClaim(e kv.Entry) (storedClaim, error) {
	var s storedClaim
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", e.Key, err)
	}
	if s.V != 1 {
		return s, fmt.Errorf("read %s: version %d is not known, update this program", e.Key, s.V)
	}
	return s, nil
}

// Claim implements [Ledger].
func (k *Keeper) Claim(ctx context.Context, id string) (Claim, error) {
	s, _, err := k.load(ctx, NormalCode(id))
	return s.Claim, err
}

// Check implements [Ledger]. It takes as long for a claim that is not there.
func (k *Keeper) Check(ctx context.Context, id, secret string) (Claim, error) {
	id = NormalCode(id)
	s, _, err := k.load(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Claim{}, err
	}
	have := SecretHash(id, secret)
	if subtle.ConstantTimeCompare([]byte(have), []byte(s.Secret)) != 1 || err != nil {
		return Claim{}, ErrSecret
	}
	return s.Claim, nil
}

// mostChanges is how many claims one Change may have.
const mostChanges = 300

// Change implements [Ledger].
func (k *Keeper) Change(ctx context.Context, claims []Claim, events []Event) error {
	if len(claims) != len(events) || len(claims) > mostChanges {
		return fmt.Errorf("change %d claims with %d events: expected as many, and at most %d", len(claims), len(events), mostChanges)
	}
	var t kv.Txn
	after := make([]storedClaim, 0, len(claims))
	for i := range claims {
		c := claims[i]
		s, e, err := k.recent(ctx, c.ID)
		if err != nil {
			return err
		}
		if s.Claim.Version != c.Version { // the list may be older than what its caller read
			if s, e, err = k.load(ctx, c.ID); err != nil {
				return err
			}
			if s.Claim.Version != c.Version {
				return errors.Join(fmt.Errorf("%w: %s", ErrConflict, c.ID), k.claims.take(e))
			}
		}
		c.Version++
		c.Changed = k.now().UTC().Round(0)
		ev := events[i]
		ev.Claim, ev.At = c.ID, c.Changed
		s.Claim = c
		more, err := s.add(ev)
		if err != nil {
			return err
		}
		value, err := encode(&s)
		if err != nil {
			return err
		}
		t.If = append(t.If, kv.Cond{Key: e.Key, Modified: e.Modified})
		t.Do = append(append(t.Do, kv.Op{Key: e.Key, Value: value}), more...)
		after = append(after, s)
	}
	if len(t.Do) == 0 {
		return nil
	}
	rev, err := k.s.Commit(ctx, t)
	switch {
	case errors.Is(err, kv.ErrConflict):
		return k.refresh(ctx, claims)
	case err != nil:
		return unavailable("change claims", err)
	}
	for _, s := range after {
		k.claims.put(s, rev)
	}
	return nil
}

// refresh reads claims that are older in the list than in the store. It returns
// [ErrConflict], which is what its caller met.
func (k *Keeper) refresh(ctx context.Context, claims []Claim) error {
	for i := range claims {
		_, e, err := k.load(ctx, claims[i].ID)
		if err != nil {
			return err
		}
		if err := k.claims.take(e); err != nil {
			return err
		}
	}
	return ErrConflict
}

// recent is load from the list where it has the claim: the condition of the
// transaction tells if that is old.
func (k *Keeper) recent(ctx context.Context, id string) (storedClaim, kv.Entry, error) {
	if s, modified, ok := k.claims.get(id); ok {
		return s, kv.Entry{Key: claimPrefix + id, Modified: modified}, nil
	}
	return k.load(ctx, id)
}

func encode(s *storedClaim) ([]byte, error) {
	value, err := json.Marshal(s) //nolint:gosec // the secret is a hash
	if err != nil {
		return nil, fmt.Errorf("encode claim: %w", err)
	}
	return value, nil
}

// List implements [Ledger].
func (k *Keeper) List(_ context.Context, q Query) (Page, error) {
	var mark string
	if q.MarkedAs != "" {
		mark = k.m.Mark(q.MarkedAs)
	}
	if err := k.listed(); err != nil {
		return Page{}, err
	}
	return k.claims.list(q, mark)
}

// Each implements [Ledger].
func (k *Keeper) Each(_ context.Context, incident string, visit func(Claim) error) error {
	if err := k.listed(); err != nil {
		return err
	}
	return k.claims.each(incident, visit)
}

// Marks implements [Ledger].
func (k *Keeper) Marks(_ context.Context, incident string) (map[string][]string, error) {
	return k.claims.marks(incident), k.listed()
}

// History implements [Ledger].
func (k *Keeper) History(ctx context.Context, id string) ([]Event, error) {
	id = NormalCode(id)
	for range mostTries {
		s, _, err := k.load(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return []Event{}, nil
		}
		if err != nil {
			return nil, err
		}
		out := make([]Event, 0, s.Events)
		if s.Events > len(s.Latest) {
			all, _, err := k.s.List(ctx, eventPrefix+id+"/")
			if err != nil {
				return nil, unavailable("history of "+id, err)
			}
			for _, e := range all {
				ev, err := decodeEvent(e)
				if err != nil {
					return nil, err
				}
				out = append(out, ev)
			}
		}
		if len(out)+len(s.Latest) != s.Events {
			continue // it changed between the two reads
		}
		for _, h := range s.Latest {
			out = append(out, h.of(id))
		}
		return out, nil
	}
	return nil, fmt.Errorf("%w: others write it all the time", ErrConflict)
}

func decodeEvent(e kv.Entry) (Event, error) {
	var s storedEvent
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return Event{}, fmt.Errorf("read %s: %w", e.Key, err)
	}
	if s.V != 1 {
		return Event{}, fmt.Errorf("read %s: version %d is not known, update this program", e.Key, s.V)
	}
	return s.Event, nil
}

// mostTries is how often a write of one claim is tried while others write the same.
const mostTries = 60

// write changes a claim and appends an event. change is called with the claim as it is now,
// perhaps more than once, and says what else is written with it.
func (k *Keeper) write(ctx context.Context, id string, change func(*storedClaim) (Event, kv.Txn, error)) (Claim, error) {
	for try := range mostTries {
		s, e, err := k.load(ctx, id)
		if err != nil {
			return Claim{}, err
		}
		version := s.Claim.Version
		ev, more, err := change(&s)
		if err != nil {
			return Claim{}, err
		}
		if !ev.Look() { // who read the claim before somebody looked can still decide it
			s.Claim.ID, s.Claim.Version = id, version+1
			s.Claim.Changed = k.now().UTC().Round(0)
		}
		rev, err := k.writeOnce(ctx, &s, e, ev, more)
		switch {
		case err == nil:
			k.claims.put(s, rev)
			return s.Claim, nil
		case !errors.Is(err, kv.ErrConflict):
			return Claim{}, unavailable("write claim "+id, err)
		}
		if !pause(ctx, rand.N(time.Duration(min(try, 10)+1)*time.Millisecond)) {
			return Claim{}, ctx.Err()
		}
	}
	return Claim{}, fmt.Errorf("%w: others write it all the time", ErrConflict)
}

func (k *Keeper) writeOnce(ctx context.Context, s *storedClaim, e kv.Entry, ev Event, more kv.Txn) (int64, error) {
	t, err := k.written(s, e, ev, more)
	if err != nil {
		return 0, err
	}
	return k.s.Commit(ctx, t)
}

// written is what writes a claim with an event.
func (k *Keeper) written(s *storedClaim, e kv.Entry, ev Event, more kv.Txn) (kv.Txn, error) {
	ev.Claim, ev.At = s.Claim.ID, k.now().UTC().Round(0)
	do, err := s.add(ev)
	if err != nil {
		return kv.Txn{}, err
	}
	value, err := encode(s)
	if err != nil {
		return kv.Txn{}, err
	}
	do = append(append(do, kv.Op{Key: e.Key, Value: value}), more.Do...)
	if ev.Look() {
		look, err := json.Marshal(storedEvent{1, ev})
		if err != nil {
			return kv.Txn{}, fmt.Errorf("encode event: %w", err)
		}
		day := ev.At.Format(time.DateOnly)
		do = append(
			do,
			kv.Op{Key: fmt.Sprintf("%s%s/%s/%s/%06d", lookPrefix, day, ev.At.Format("150405.000000000"), ev.Claim, s.Events), Value: look},
			kv.Op{Key: dayPrefix + day, Value: []byte("1")},
		)
	}
	return kv.Txn{If: append([]kv.Cond{{Key: e.Key, Modified: e.Modified}}, more.If...), Do: do}, nil
}

// look writes down that somebody looks.
func (k *Keeper) look(ctx context.Context, id, who, what, why string) error {
	if who == "" || why == "" {
		return ErrNobody
	}
	_, err := k.write(ctx, id, func(*storedClaim) (Event, kv.Txn, error) {
		return Event{Who: who, What: what, Why: why}, kv.Txn{}, nil
	})
	return err
}

func (k *Keeper) key(ctx context.Context, id string) (dataKey, error) {
	e, ok, err := k.s.Get(ctx, KeyPrefix+id)
	switch {
	case err != nil:
		return nil, unavailable("open claim "+id, err)
	case !ok:
		return nil, ErrErased
	}
	return k.m.unwrap(id, e.Value)
}

// Open implements [Ledger].
func (k *Keeper) Open(ctx context.Context, id, who, why string) (Personal, error) {
	id = NormalCode(id)
	if err := k.look(ctx, id, who, Looked, why); err != nil {
		return Personal{}, err
	}
	return k.personal(ctx, id, nil)
}

// OpenAll is [Ledger.Open] of many claims: who looks, and why, is written down for all of them together.
func (k *Keeper) OpenAll(ctx context.Context, ids []string, who, why string) ([]Personal, error) {
	out := make([]Personal, len(ids))
	for at := 0; at < len(ids); at += mostLooks {
		some := ids[at:min(at+mostLooks, len(ids))]
		if err := k.lookAll(ctx, some, who, why); err != nil {
			return nil, err
		}
		if err := kv.Together(ctx, len(some), func(ctx context.Context, i int) error {
			var err error
			if out[at+i], err = k.personal(ctx, NormalCode(some[i]), nil); err != nil {
				err = fmt.Errorf("%w: %s", err, some[i])
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// mostLooks is how many looks are written down together.
const mostLooks = 100

// lookAll writes looks down together; one by one where somebody else writes one of the claims.
func (k *Keeper) lookAll(ctx context.Context, ids []string, who, why string) error {
	if who == "" || why == "" {
		return ErrNobody
	}
	var t kv.Txn
	claims, days := make([]storedClaim, len(ids)), map[string]bool{}
	for i, id := range ids {
		s, e, err := k.recent(ctx, NormalCode(id))
		if err != nil {
			return err
		}
		one, err := k.written(&s, e, Event{Who: who, What: Looked, Why: why}, kv.Txn{})
		if err != nil {
			return err
		}
		t.If = append(t.If, one.If...)
		for _, op := range one.Do {
			if day := strings.HasPrefix(op.Key, dayPrefix); !day || !days[op.Key] {
				days[op.Key] = days[op.Key] || day
				t.Do = append(t.Do, op)
			}
		}
		claims[i] = s
	}
	rev, err := k.s.Commit(ctx, t)
	switch {
	case errors.Is(err, kv.ErrConflict):
		for _, id := range ids {
			if err := k.look(ctx, NormalCode(id), who, Looked, why); err != nil {
				return err
			}
		}
		return nil
	case err != nil:
		return unavailable("write down who looked", err)
	}
	for i := range claims {
		k.claims.put(claims[i], rev)
	}
	return nil
}

// personal unseals what is known of a claimant; a nil key is fetched.
func (k *Keeper) personal(ctx context.Context, id string, key dataKey) (Personal, error) {
	var err error
	if key == nil {
		if key, err = k.key(ctx, id); err != nil {
			return Personal{}, err
		}
	}
	e, ok, err := k.s.Get(ctx, sealedPrefix+id)
	if err != nil {
		return Personal{}, unavailable("open claim "+id, err)
	}
	if !ok {
		return Personal{}, ErrErased
	}
	return key.openPersonal(id, e.Value)
}

// Amend implements [Ledger].
func (k *Keeper) Amend(ctx context.Context, id string, change func(*Claim, *Personal) (Event, error)) (Claim, error) {
	id = NormalCode(id)
	return k.write(ctx, id, func(s *storedClaim) (Event, kv.Txn, error) {
		if !s.Claim.Erased.IsZero() {
			return Event{}, kv.Txn{}, ErrErased
		}
		key, err := k.key(ctx, id)
		if err != nil {
			return Event{}, kv.Txn{}, err
		}
		p, err := k.personal(ctx, id, key)
		if err != nil {
			return Event{}, kv.Txn{}, err
		}
		a, err := k.m.amend(key, &s.Claim, p, change)
		if err != nil {
			return Event{}, kv.Txn{}, err
		}
		more := kv.Txn{Do: []kv.Op{{Key: sealedPrefix + id, Value: a.Sealed}}}
		for _, m := range a.Marks {
			if !slices.Contains(s.Marks, m) && len(s.Marks) < MostMarks {
				s.Marks = append(slices.Clip(s.Marks), m)
			}
		}
		slices.Sort(s.Marks)
		return a.Event, more, nil
	})
}

// Looks implements [Ledger].
func (k *Keeper) Looks(ctx context.Context, since time.Time, limit int) ([]Event, error) {
	days, _, err := k.s.List(ctx, dayPrefix)
	if err != nil {
		return nil, unavailable("list looks", err)
	}
	out := []Event{}
	for _, d := range slices.Backward(days) {
		day := strings.TrimPrefix(d.Key, dayPrefix)
		if len(out) >= limit || day < since.UTC().Format(time.DateOnly) {
			break
		}
		all, _, err := k.s.List(ctx, lookPrefix+day+"/")
		if err != nil {
			return nil, unavailable("list looks", err)
		}
		for _, e := range slices.Backward(all) {
			ev, err := decodeEvent(e)
			if err != nil {
				return nil, err
			}
			if len(out) >= limit || ev.At.Before(since) {
				break
			}
			out = append(out, ev)
		}
	}
	return out, nil
}

// Erase implements [Ledger]. Papers go after the key that opens them; those that cannot
// be removed now are left to [Keeper.Sweep].
func (k *Keeper) Erase(ctx context.Context, id, who, why string) error {
	id = NormalCode(id)
	c, err := k.write(ctx, id, func(s *storedClaim) (Event, kv.Txn, error) {
		now := k.now().UTC().Round(0)
		gone := []kv.Op{
			{Key: KeyPrefix + id, Delete: true},
			{Key: sealedPrefix + id, Delete: true},
			{Key: erasedPrefix + id, Value: []byte(now.Format(time.RFC3339))},
		}
		for _, f := range s.Claim.Files {
			value, err := json.Marshal(storedMove{V: 1, At: now, Out: true})
			if err != nil {
				return Event{}, kv.Txn{}, fmt.Errorf("erase claim %s: %w", id, err)
			}
			gone = append(gone, kv.Op{Key: movePrefix + id + "/" + f.ID, Value: value})
		}
		s.Marks = nil
		s.Claim.Forget(now)
		return Event{Who: who, What: "erased", Why: why}, kv.Txn{Do: gone}, nil
	})
	if err != nil {
		return err
	}
	for _, f := range c.Files {
		if k.vault.Delete(ctx, id+"/"+f.ID) == nil {
			_, _ = k.s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: movePrefix + id + "/" + f.ID, Delete: true}}}) // else Sweep does
		}
	}
	return nil
}

// A storedMove is a paper on its way: it is written before the vault is touched and
// removed when the claim says so too, so a crash between leaves a trace of what it left.
type storedMove struct {
	V   int       `json:"v"`
	At  time.Time `json:"at"`
	Out bool      `json:"out,omitempty"` // out of the vault
}

// MoveTime is how long a paper may take into the vault. What is not part of its claim by
// then was left by a crash.
const MoveTime = time.Hour

// Sweep removes papers that a crash left between the vault and a claim, and what is left of
// papers that were erased: those that were begun before a moment at least [MoveTime] ago. It
// returns how many it removed. Any number of processes may sweep.
func (k *Keeper) Sweep(ctx context.Context, begun time.Time) (int, error) {
	all, _, err := k.s.List(ctx, movePrefix)
	if err != nil {
		return 0, unavailable("sweep papers", err)
	}
	n := 0
	for _, e := range all {
		var m storedMove
		if err := json.Unmarshal(e.Value, &m); err != nil {
			return n, fmt.Errorf("read %s: %w", e.Key, err)
		}
		if m.V != 1 {
			return n, fmt.Errorf("read %s: version %d is not known, update this program", e.Key, m.V)
		}
		if !m.Out && !m.At.Before(begun) {
			continue
		}
		// From here on the claim cannot take it any more: see AddFile.
		m.Out = true
		value, err := json.Marshal(m)
		if err != nil {
			return n, fmt.Errorf("sweep papers: %w", err)
		}
		rev, err := k.s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: e.Key, Modified: e.Modified}}, Do: []kv.Op{{Key: e.Key, Value: value}}})
		if errors.Is(err, kv.ErrConflict) {
			continue // its claim has it, or another sweeps
		}
		if err != nil {
			return n, unavailable("sweep papers", err)
		}
		if err := k.vault.Delete(ctx, strings.TrimPrefix(e.Key, movePrefix)); err != nil {
			return n, err
		}
		if _, err := k.s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: e.Key, Modified: rev}}, Do: []kv.Op{{Key: e.Key, Delete: true}}}); err != nil && !errors.Is(err, kv.ErrConflict) {
			return n, unavailable("sweep papers", err)
		}
		n++
	}
	return n, nil
}

// Erased returns the claims on the list of erasures, by ID: what a restore of an older
// backup erases again before it serves anybody; see [Keeper.Replay].
func (k *Keeper) Erased(ctx context.Context) ([]string, error) {
	all, _, err := k.s.List(ctx, erasedPrefix)
	if err != nil {
		return nil, unavailable("list erasures", err)
	}
	out := make([]string, 0, len(all))
	for _, e := range all {
		out = append(out, strings.TrimPrefix(e.Key, erasedPrefix))
	}
	return out, nil
}

// Replay erases again what was erased after the backup that was restored. It returns how
// many claims it erased.
func (k *Keeper) Replay(ctx context.Context, erased []string) (int, error) {
	n := 0
	for _, id := range erased {
		_, ok, err := k.s.Get(ctx, KeyPrefix+id)
		if err != nil {
			return n, unavailable("replay erasures", err)
		}
		s, _, err := k.load(ctx, id)
		if errors.Is(err, ErrNotFound) || err == nil && !ok && !s.Claim.Erased.IsZero() {
			continue
		}
		if err != nil {
			return n, err
		}
		if err := k.Erase(ctx, id, "restore", "it had been erased before the restore"); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// AddFile implements [Ledger].
func (k *Keeper) AddFile(ctx context.Context, id, kind, mediaType string, data []byte, who string) (File, error) {
	id = NormalCode(id)
	if _, _, err := k.load(ctx, id); err != nil {
		return File{}, err
	}
	if err := k.guard.admits(ctx); err != nil {
		return File{}, err
	}
	key, err := k.key(ctx, id)
	if err != nil {
		return File{}, err
	}
	sealed, err := key.sealFile(data)
	if err != nil {
		return File{}, err
	}
	f := NewFile(kind, mediaType, data, sealed, k.now())
	name := id + "/" + f.ID
	move, err := json.Marshal(storedMove{V: 1, At: f.At})
	if err != nil {
		return File{}, fmt.Errorf("keep a paper: %w", err)
	}
	begun, err := k.s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: movePrefix + name, Value: move}}})
	if err != nil {
		return File{}, unavailable("keep a paper", err)
	}
	putting, cancel := context.WithTimeout(ctx, MoveTime/2)
	err = k.vault.Put(putting, name, sealed)
	cancel()
	if err != nil {
		return File{}, err // what is left of it is swept
	}
	_, err = k.write(ctx, id, func(s *storedClaim) (Event, kv.Txn, error) {
		if !s.Claim.Erased.IsZero() {
			return Event{}, kv.Txn{}, ErrErased
		}
		switch e, ok, err := k.s.Get(ctx, movePrefix+name); {
		case err != nil:
			return Event{}, kv.Txn{}, err
		case !ok || e.Modified != begun:
			return Event{}, kv.Txn{}, fmt.Errorf("%w: the paper took too long and was removed, send it again", ErrUnavailable)
		}
		if err := s.Claim.Add(f); err != nil {
			return Event{}, kv.Txn{}, err
		}
		return Event{Who: who, What: "sent a paper", Why: kind}, kv.Txn{
			If: []kv.Cond{{Key: movePrefix + name, Modified: begun}},
			Do: []kv.Op{{Key: movePrefix + name, Delete: true}},
		}, nil
	})
	if err != nil {
		return File{}, err
	}
	return f, nil
}

// OpenFile implements [Ledger].
func (k *Keeper) OpenFile(ctx context.Context, id, file, who, why string) ([]byte, error) {
	id = NormalCode(id)
	s, _, err := k.load(ctx, id)
	if err != nil {
		return nil, err
	}
	f, err := s.Claim.File(file)
	if err != nil {
		return nil, err
	}
	if err := k.look(ctx, id, who, LookedAt(f), why); err != nil {
		return nil, err
	}
	key, err := k.key(ctx, id)
	if err != nil {
		return nil, err
	}
	sealed, err := k.vault.Get(ctx, id+"/"+f.ID)
	if err != nil {
		return nil, err
	}
	return key.openFile(sealed)
}
