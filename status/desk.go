package status

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"bongsu/internal/kv"
)

// Errors of a [Desk] that callers branch on.
var (
	ErrTooMany   = errors.New("too many requests")
	ErrToken     = errors.New("the link is not valid, or not any more")
	ErrInput     = errors.New("this cannot be taken as it is")
	ErrNotFound  = errors.New("no such question")
	ErrSame      = errors.New("whoever answered cannot approve the answer")
	ErrDecided   = errors.New("this was decided already")
	errMalformed = fmt.Errorf("%w: the address is none", ErrInput)
)

// Ways by which news go out.
const (
	ByMail    = "email"
	ByWebhook = "webhook"
	BySlack   = "slack"
)

// Limits of what strangers may make us do and keep.
type Limits struct {
	Wishes    int           // that wait for confirmation, at most
	WishFor   time.Duration // after which an unconfirmed one is forgotten
	Letters   int           // that one address gets unasked within WishFor
	Pause     time.Duration // between two of them
	Asks      int           // questions that wait for an answer, at most
	PerPrefix int           // wishes, and questions, an hour from one address prefix
}

// DefaultLimits are strict enough that nobody can be bombed with letters from here.
func DefaultLimits() Limits {
	return Limits{Wishes: 10_000, WishFor: 24 * time.Hour, Letters: 3, Pause: 10 * time.Minute, Asks: 10_000, PerPrefix: 20}
}

// A Desk takes what readers send and what agents answer. Addresses are sealed, and
// found again only by whoever has the key. It is safe for concurrent use.
type Desk struct {
	store  kv.Store
	key    []byte
	sealer cipher.AEAD // of addresses
	limits Limits
	// check says what is wrong with an address; nil checks its form only.
	check func(kind, address string) error

	mu     sync.Mutex
	recent map[string]rate // by what is limited
	counts map[string]count
}

type rate struct {
	left float64
	at   time.Time
}

type count struct {
	n  int
	at time.Time
}

// NewDesk makes a desk. key has 32 bytes or more, the same on every public node; check
// may be nil.
func NewDesk(s kv.Store, key []byte, l Limits, check func(kind, address string) error) (*Desk, error) {
	if len(key) < 32 {
		return nil, errors.New("the key of the desk has fewer than 32 bytes: bongsu init makes one")
	}
	d := &Desk{store: s, key: slices.Clone(key), limits: l, check: check, recent: map[string]rate{}, counts: map[string]count{}}
	block, err := aes.NewCipher(d.sum("addresses"))
	if err != nil {
		return nil, err
	}
	if d.sealer, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, err
	}
	return d, nil
}

// A Subscription is where a reader wants news to go.
type Subscription struct {
	Kind     string   `json:"kind"` // [ByMail], [ByWebhook] or [BySlack]
	Address  string   `json:"-"`    // sealed when stored
	Services []string `json:"services,omitempty"`
	Lang     string   `json:"lang"`
}

// Wants says whether news of these services are for this subscriber.
func (s *Subscription) Wants(services []string) bool {
	return len(s.Services) == 0 || slices.ContainsFunc(services, func(n string) bool { return slices.Contains(s.Services, n) })
}

type storedSub struct {
	V int `json:"v"`
	Subscription
	Sealed []byte    `json:"sealed"`
	Since  time.Time `json:"since"`
}

func (s *storedSub) version() int { return s.V }

type storedWish struct {
	V int `json:"v"`
	Subscription
	Sealed  []byte    `json:"sealed"`
	Nonce   string    `json:"nonce"`   // the token is made of it, with the key
	First   time.Time `json:"first"`   // of the letters counted
	Asked   time.Time `json:"asked"`   // last
	Letters int       `json:"letters"` // asked for
	Sent    int       `json:"sent"`    // of them
	Tries   int       `json:"tries,omitempty"`
	TryAt   time.Time `json:"tryAt,omitzero"`
}

func (w *storedWish) version() int { return w.V }

// Subscribe stores the wish; the outbox sends the letter that asks for confirmation.
// It says the same whether or not the address is known, and whether or not this
// address has had its letters.
func (d *Desk) Subscribe(ctx context.Context, s Subscription, from string) error {
	s.Address = strings.TrimSpace(s.Address)
	if err := d.checkSubscription(&s); err != nil {
		return err
	}
	if !d.allow("wish", from) {
		return ErrTooMany
	}
	if full, err := d.full(ctx, wishPrefix, d.limits.Wishes); err != nil {
		return err
	} else if full {
		return ErrTooMany
	}
	id := d.subscriber(s.Kind, s.Address)
	for {
		e, ok, err := d.store.Get(ctx, wishPrefix+id)
		if err != nil {
			return fmt.Errorf("look for the wish: %w", err)
		}
		now := time.Now().UTC()
		w := storedWish{V: 1, First: now}
		if ok {
			if w, err = decodeEntry(e, (*storedWish).version); err != nil {
				return err
			}
			switch {
			case now.Sub(w.First) >= d.limits.WishFor:
				w = storedWish{V: 1, First: now}
			case w.Letters >= d.limits.Letters, now.Sub(w.Asked) < d.limits.Pause:
				return nil // the last letter is as good as another one
			}
		}
		w.Subscription, w.Asked, w.Letters, w.Nonce = s, now, w.Letters+1, rand.Text()
		w.Tries, w.TryAt = 0, time.Time{}
		w.Sealed = d.seal(s.Address)
		switch err := d.put(ctx, e, wishPrefix+id, w); {
		case err == nil:
			d.counted(wishPrefix)
			return nil
		case !errors.Is(err, kv.ErrConflict):
			return err
		}
	}
}

// put writes one entry where e is what was read of it.
func (d *Desk) put(ctx context.Context, e kv.Entry, key string, v any) error {
	return put(ctx, d.store, e, key, v)
}

func put(ctx context.Context, s kv.Store, e kv.Entry, key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	_, err = s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: key, Modified: e.Modified}}, Do: []kv.Op{{Key: key, Value: value}}})
	return err
}

func (d *Desk) checkSubscription(s *Subscription) error {
	switch {
	case !slices.Contains([]string{ByMail, ByWebhook, BySlack}, s.Kind):
		return fmt.Errorf("%w: news go out by email, webhook or slack", ErrInput)
	case len(s.Address) == 0 || len(s.Address) > 2000 || !utf8.ValidString(s.Address) || strings.ContainsFunc(s.Address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errMalformed
	case len(s.Services) > 500 || slices.ContainsFunc(s.Services, func(n string) bool { return len(n) > 200 }):
		return fmt.Errorf("%w: these are too many services", ErrInput)
	}
	if s.Kind == ByMail {
		name, host, ok := strings.Cut(s.Address, "@")
		if !ok || name == "" || strings.Contains(host, "@") || len(s.Address) > 254 {
			return errMalformed
		}
		ascii, err := idna.Lookup.ToASCII(host)
		ascii = strings.ToLower(strings.TrimSuffix(ascii, "."))
		if err != nil || !strings.Contains(ascii, ".") || slices.Contains(strings.Split(ascii, "."), "") {
			return errMalformed
		}
		// One mailbox is one subscriber, however it is written.
		if s.Address = norm.NFC.String(name) + "@" + ascii; len(s.Address) > 254 {
			return errMalformed
		}
	}
	if s.Lang != "en" {
		s.Lang = "ko"
	}
	if d.check != nil {
		if err := d.check(s.Kind, s.Address); err != nil {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
	}
	return nil
}

// Confirm makes a wish a subscription.
func (d *Desk) Confirm(ctx context.Context, token string) error {
	id, sum, ok := strings.Cut(token, ".")
	if !ok || !isID(id) {
		return ErrToken
	}
	e, ok, err := d.store.Get(ctx, wishPrefix+id)
	if err != nil {
		return fmt.Errorf("look for the wish: %w", err)
	}
	if !ok {
		return ErrToken
	}
	w, err := decodeEntry(e, (*storedWish).version)
	if err != nil {
		return err
	}
	if !same(sum, d.mac("confirm", id, w.Nonce)) || time.Since(w.Asked) >= d.limits.WishFor {
		return ErrToken
	}
	value, err := json.Marshal(storedSub{V: 1, Subscription: w.Subscription, Sealed: w.Sealed, Since: time.Now().UTC()})
	if err != nil {
		return fmt.Errorf("encode a subscription: %w", err)
	}
	_, err = d.store.Commit(ctx, kv.Txn{
		If: []kv.Cond{{Key: wishPrefix + id, Modified: e.Modified}},
		Do: []kv.Op{{Key: subPrefix + id, Value: value}, {Key: wishPrefix + id, Delete: true}},
	})
	if errors.Is(err, kv.ErrConflict) { // twice at once, or asked for again meanwhile
		if _, ok, gerr := d.store.Get(ctx, subPrefix+id); gerr == nil && ok {
			return nil
		}
		return ErrToken
	}
	return err
}

// Enrol makes subscriptions that were confirmed elsewhere, such as those of a page
// that this one follows. It sends no letters.
func (d *Desk) Enrol(ctx context.Context, all []Subscription) error {
	for part := range slices.Chunk(all, 256) {
		ops := make([]kv.Op, 0, len(part))
		for i := range part {
			s := part[i]
			if err := d.checkSubscription(&s); err != nil {
				return fmt.Errorf("%s: %w", s.Address, err)
			}
			value, err := json.Marshal(storedSub{V: 1, Subscription: s, Sealed: d.seal(s.Address), Since: time.Now().UTC()})
			if err != nil {
				return fmt.Errorf("encode a subscription: %w", err)
			}
			ops = append(ops, kv.Op{Key: subPrefix + d.subscriber(s.Kind, s.Address), Value: value})
		}
		if _, err := d.store.Commit(ctx, kv.Txn{Do: ops}); err != nil {
			return fmt.Errorf("enrol subscribers: %w", err)
		}
	}
	return nil
}

// Unsubscribe ends a subscription by the token of any letter, and says the same when
// it was ended before.
func (d *Desk) Unsubscribe(ctx context.Context, token string) error {
	id, sum, ok := strings.Cut(token, ".")
	if !ok || !isID(id) || !same(sum, d.mac("unsubscribe", id)) {
		return ErrToken
	}
	_, err := d.store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: subPrefix + id, Delete: true}, {Key: wishPrefix + id, Delete: true}}})
	return err
}

func (d *Desk) confirmToken(id, nonce string) string { return id + "." + d.mac("confirm", id, nonce) }
func (d *Desk) unsubscribeToken(id string) string    { return id + "." + d.mac("unsubscribe", id) }

// A Subscriber is a confirmed subscription with its address.
type Subscriber struct {
	Subscription
	ID    string
	Since int64 // revision of the store that it is from
}

// Subscribers returns all of them, sorted by ID.
func (d *Desk) Subscribers(ctx context.Context) ([]Subscriber, error) {
	all, entries, err := list(ctx, d.store, subPrefix, (*storedSub).version)
	if err != nil {
		return nil, err
	}
	out := make([]Subscriber, 0, len(all))
	for i, s := range all {
		address, err := d.unseal(s.Sealed)
		if err != nil {
			continue // by a key that is not ours any more: nobody can be written to
		}
		s.Address = address
		out = append(out, Subscriber{s.Subscription, strings.TrimPrefix(entries[i].Key, subPrefix), entries[i].Created})
	}
	return out, nil
}

// A Question is what a reader asked, and what became of it.
type Question struct {
	ID       string    `json:"id"`
	Incident string    `json:"incident,omitempty"`
	Text     string    `json:"text"`
	Contact  string    `json:"-"` // sealed when stored; gone once it is published or dropped
	Lang     string    `json:"lang"`
	At       time.Time `json:"at"`

	Public     string    `json:"public,omitempty"` // the question as it is to be published
	Answer     Text      `json:"answer,omitempty"`
	AnsweredBy string    `json:"answeredBy,omitempty"`
	AnsweredAt time.Time `json:"answeredAt,omitzero"`
	Published  bool      `json:"published,omitempty"`
	Dropped    string    `json:"dropped,omitempty"` // why it is not answered
	DecidedBy  string    `json:"decidedBy,omitempty"`
	DecidedAt  time.Time `json:"decidedAt,omitzero"`
}

// Over says that nothing more happens to the question.
func (q *Question) Over() bool { return q.Published || q.Dropped != "" }

type storedAsk struct {
	V int `json:"v"`
	Question
	Sealed []byte `json:"sealed,omitempty"`
}

func (a *storedAsk) version() int { return a.V }

// MaxQuestion is how long a question, or an answer, may be, in characters.
const MaxQuestion = 2000

// Ask files a question.
func (d *Desk) Ask(ctx context.Context, q Question, from string) error {
	q = Question{Incident: q.Incident, Text: strings.TrimSpace(q.Text), Contact: strings.TrimSpace(q.Contact), Lang: q.Lang, At: time.Now().UTC()}
	switch n := utf8.RuneCountInString(q.Text); {
	case n == 0:
		return fmt.Errorf("%w: the question is empty", ErrInput)
	case n > MaxQuestion || !utf8.ValidString(q.Text) || len(q.Contact) > 300 || len(q.Incident) > 200:
		return fmt.Errorf("%w: the question is longer than %d characters", ErrInput, MaxQuestion)
	}
	if !d.allow("ask", from) {
		return ErrTooMany
	}
	if full, err := d.full(ctx, askPrefix, d.limits.Asks); err != nil {
		return err
	} else if full {
		return ErrTooMany
	}
	q.ID = strings.ToLower(q.At.Format("20060102-150405-") + rand.Text()[:8])
	stored := storedAsk{V: 1, Question: q}
	if q.Contact != "" {
		stored.Sealed = d.seal(q.Contact)
	}
	if err := d.put(ctx, kv.Entry{}, askPrefix+q.ID, stored); err != nil {
		return fmt.Errorf("file the question: %w", err)
	}
	d.counted(askPrefix)
	return nil
}

// Questions returns all of them, those that wait first, then newest first.
func (d *Desk) Questions(ctx context.Context) ([]Question, error) {
	all, _, err := list(ctx, d.store, askPrefix, (*storedAsk).version)
	if err != nil {
		return nil, err
	}
	out := make([]Question, 0, len(all))
	for _, a := range all {
		if len(a.Sealed) > 0 {
			if contact, err := d.unseal(a.Sealed); err == nil {
				a.Contact = contact
			}
		}
		out = append(out, a.Question)
	}
	slices.SortFunc(out, func(a, b Question) int {
		over := map[bool]int{true: 1}
		return cmp.Or(cmp.Compare(over[a.Over()], over[b.Over()]), strings.Compare(b.ID, a.ID))
	})
	return out, nil
}

// Reply drafts an answer: question is how it is to be published, without what tells
// who asked. Another person has to [Desk.Approve] it.
func (d *Desk) Reply(ctx context.Context, id, question string, answer Text, by string) error {
	question = strings.TrimSpace(question)
	total := utf8.RuneCountInString(question)
	for _, t := range answer {
		total = max(total, utf8.RuneCountInString(t))
	}
	if question == "" || answer.In("ko") == "" || total > MaxQuestion || by == "" {
		return fmt.Errorf("%w: a question and an answer of up to %d characters are needed", ErrInput, MaxQuestion)
	}
	return d.decide(ctx, id, func(q *Question) error {
		q.Public, q.Answer, q.AnsweredBy, q.AnsweredAt = question, answer, by, time.Now().UTC()
		return nil
	})
}

// Approve publishes an answer that somebody else drafted, as it was at seen.
func (d *Desk) Approve(ctx context.Context, id string, seen time.Time, by string) error {
	return d.decide(ctx, id, func(q *Question) error {
		switch {
		case q.AnsweredBy == "" || !q.AnsweredAt.Equal(seen):
			return fmt.Errorf("%w: the answer changed meanwhile, look again", ErrInput)
		case q.AnsweredBy == by || by == "":
			return ErrSame
		}
		q.Published, q.DecidedBy, q.DecidedAt = true, by, time.Now().UTC()
		return nil
	})
}

// Drop says that a question is not answered here, and why.
func (d *Desk) Drop(ctx context.Context, id, why, by string) error {
	if strings.TrimSpace(why) == "" || by == "" {
		return fmt.Errorf("%w: say why", ErrInput)
	}
	return d.decide(ctx, id, func(q *Question) error {
		q.Dropped, q.DecidedBy, q.DecidedAt = why, by, time.Now().UTC()
		return nil
	})
}

// decide changes a question that is not over. What is published goes with it in one
// transaction, and the reader's contact goes when it is over.
func (d *Desk) decide(ctx context.Context, id string, change func(*Question) error) error {
	for {
		e, ok, err := d.store.Get(ctx, askPrefix+id)
		if err != nil {
			return fmt.Errorf("look for the question: %w", err)
		}
		if !ok || strings.Contains(id, "/") {
			return fmt.Errorf("%w: %q", ErrNotFound, id)
		}
		a, err := decodeEntry(e, (*storedAsk).version)
		if err != nil {
			return err
		}
		if a.Over() {
			return ErrDecided
		}
		if err := change(&a.Question); err != nil {
			return err
		}
		var publish []kv.Op
		if a.Published {
			value, err := json.Marshal(storedAnswer{1, Answer{ID: a.ID, Incident: a.Incident, Question: a.Public, Answer: a.Answer, At: a.DecidedAt}})
			if err != nil {
				return fmt.Errorf("encode the answer: %w", err)
			}
			publish = []kv.Op{{Key: answerPrefix + a.ID, Value: value}}
		}
		if a.Over() {
			a.Sealed = nil
		}
		value, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode the question: %w", err)
		}
		_, err = d.store.Commit(ctx, kv.Txn{
			If: []kv.Cond{{Key: e.Key, Modified: e.Modified}},
			Do: append(publish, kv.Op{Key: e.Key, Value: value}),
		})
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
}

// Tidy forgets wishes that nobody confirmed in time, and questions that have long been over.
func (d *Desk) Tidy(ctx context.Context) error {
	wishes, entries, err := list(ctx, d.store, wishPrefix, (*storedWish).version)
	if err != nil {
		return err
	}
	var gone []kv.Op
	for i := range wishes {
		if time.Since(wishes[i].Asked) >= d.limits.WishFor {
			gone = append(gone, kv.Op{Key: entries[i].Key, Delete: true})
		}
	}
	asks, entries, err := list(ctx, d.store, askPrefix, (*storedAsk).version)
	if err != nil {
		return err
	}
	for i := range asks {
		if asks[i].Over() && time.Since(asks[i].DecidedAt) >= kept {
			gone = append(gone, kv.Op{Key: entries[i].Key, Delete: true})
		}
	}
	for part := range slices.Chunk(gone, kv.MaxOps/2) {
		if _, err := d.store.Commit(ctx, kv.Txn{Do: part}); err != nil {
			return fmt.Errorf("forget what is old: %w", err)
		}
	}
	return nil
}

// maxRecent is how many prefixes of addresses are remembered.
const maxRecent = 50_000

// allow takes one from what a prefix of addresses may do in an hour.
func (d *Desk) allow(what, from string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, most := time.Now(), float64(d.limits.PerPrefix)
	key := what + "\x00" + from
	r, ok := d.recent[key]
	if !ok {
		if len(d.recent) >= maxRecent {
			d.evict()
		}
		r = rate{most, now}
	}
	r.left, r.at = min(most, r.left+now.Sub(r.at).Hours()*most), now
	allowed := r.left >= 1
	if allowed {
		r.left--
	}
	d.recent[key] = r
	return allowed
}

// evict forgets who came longest ago, an eighth at a time: a flood must not free those
// who are held back, and must not make us look at all of them for each of its addresses.
func (d *Desk) evict() {
	keys := slices.SortedFunc(maps.Keys(d.recent), func(a, b string) int { return d.recent[a].at.Compare(d.recent[b].at) })
	for _, key := range keys[:max(1, len(keys)/8)] {
		delete(d.recent, key)
	}
}

// full says whether so many entries are below a prefix, as far as was counted in the
// last seconds.
func (d *Desk) full(ctx context.Context, prefix string, most int) (bool, error) {
	d.mu.Lock()
	c, ok := d.counts[prefix]
	d.mu.Unlock()
	if !ok || time.Since(c.at) > 5*time.Second {
		entries, _, err := d.store.List(ctx, prefix)
		if err != nil {
			return false, fmt.Errorf("count what waits: %w", err)
		}
		c = count{len(entries), time.Now()}
		d.mu.Lock()
		d.counts[prefix] = c
		d.mu.Unlock()
	}
	return c.n >= most, nil
}

func (d *Desk) counted(prefix string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.counts[prefix]
	c.n++
	d.counts[prefix] = c
}

// subscriber is the ID of an address: the same address is one subscriber, and the ID
// says nothing to whoever lacks the key.
func (d *Desk) subscriber(kind, address string) string {
	if kind == ByMail {
		address = strings.ToLower(address)
	}
	sum := d.sum("subscriber", kind, address)
	return hex.EncodeToString(sum[:12])
}

func isID(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 12 && strings.ToLower(id) == id
}

func (d *Desk) sum(parts ...string) []byte {
	h := hmac.New(sha256.New, d.key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}

func (d *Desk) mac(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(d.sum(parts...)[:18])
}

func same(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

func (d *Desk) seal(text string) []byte { return d.sealer.Seal(nil, nil, []byte(text), nil) } //nolint:gosec // the nonce is random: the AEAD makes it

func (d *Desk) unseal(sealed []byte) (string, error) {
	text, err := d.sealer.Open(nil, nil, sealed, nil)
	return string(text), err
}
