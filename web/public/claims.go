package public

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/lang"
	"bongsu/settle"
)

// A Taker takes reports in; claim.Office is one.
type Taker interface {
	// File keeps a report, or says that it did not.
	File(ctx context.Context, r claim.Report) (claim.Receipt, error)
	// Spend marks the nonce of a proof of work as used; false: it was used before.
	Spend(ctx context.Context, nonce string, expires time.Time) (bool, error)
}

// An Asker answers who holds a receipt; claim.Ledger is one.
type Asker interface {
	Check(ctx context.Context, id, secret string) (claim.Claim, error)
	History(ctx context.Context, id string) ([]claim.Event, error)
	Open(ctx context.Context, id, who, why string) (claim.Personal, error)
}

// A Giver adds to a claim what its claimant sends later; claim.Office is one.
type Giver interface {
	Amend(ctx context.Context, id, secret, text, by string) (claim.Claim, error)
	SetBank(ctx context.Context, id, secret, bank, number, holder, by string) (claim.Claim, error)
	AddPaper(ctx context.Context, id, secret, kind, name string, data []byte, by string) (claim.File, error)
}

// An Ender ends a claim or asks for another decision, at its claimant's word;
// claim.Office is one.
type Ender interface {
	Withdraw(ctx context.Context, id, secret, by string) (claim.Claim, error)
	Appeal(ctx context.Context, id, secret, text, by string) (claim.Claim, error)
}

// A Prover shows that a decision is in the public log; settle.Cashier is one.
type Prover interface {
	Prove(ctx context.Context, id string) (settle.Proof, []byte, error)
}

// An Issuer knows the coupons of claims; settle.Cashier is one.
type Issuer interface {
	Issued(ctx context.Context, id string) ([]settle.Coupon, error)
	Codes(ctx context.Context, id, who, why string) ([]settle.Coupon, error)
}

// A Teller says what everybody may know of claims. Like a [Source] it never waits:
// the same pointer until it changes. A [Gatherer] is one.
type Teller interface {
	Compensation() *Compensation
}

// A Compensation is what everybody may know of claims: when reports are taken, by
// what rules they are decided, who decided on the rules, and what came of it.
type Compensation struct {
	Windows    []claim.Window // the newest first
	Policies   []Criteria     // in force now or before, the newest first
	Sessions   []claim.Session
	Statistics map[string]settle.Statistics // by incident
	Checkpoint string                       // of the log of decisions; empty: none
}

// Criteria are a policy that was published, with the file that decides.
type Criteria struct {
	Incident string
	Active   time.Time
	Policy   *policy.Policy
	Text     []byte
}

// Claims are what the pages about damage are made of.
type Claims struct {
	Teller Teller
	Taker  Taker
	Asker  Asker
	Giver  Giver
	Ender  Ender
	Prover Prover // nil: no decision is proved
	Issuer Issuer // nil: no coupons are given

	// Limits of reports; zero values are the defaults.
	Surge int           // reports a minute in all, from which on a proof of work is asked for; 0: 3,000; negative: never
	Burst int           // reports of one network at once, before it is asked for one; 0: 60
	Every time.Duration // one more comes back in this time; 0: 1 s
	Work  int           // rounds of one try of a proof of work, of 256 on average; 0: 5,000
}

// Files of one report or one later message.
const (
	mostUpload = 26 << 20 // of a whole body
	mostFile   = 10 << 20
	mostFiles  = 10
	mostWords  = 64 << 10 // of a body without its files
	mostText   = 4000     // letters
)

// A counter is what takes reports, and what it remembers for some minutes.
type counter struct {
	Claims

	surge   *surge
	reports *limiter // by network
	contact *limiter // reports by address of mail and telephone number
	slow    *limiter // by network, for who shows no proof of work
	junk    *limiter // proofs of work by network that were none
	uploads *limiter // messages to claims by network
	guests  *room    // of who sends files
	guesses guesses
	memory  *budget
	seal    *sealer
	proofs  proofs
	running running
}

func newCounter(c Claims, key []byte) (*counter, error) {
	if c.Teller == nil || c.Taker == nil || c.Asker == nil || c.Giver == nil || c.Ender == nil {
		return nil, errors.New("the pages about damage lack a part: who tells, takes, answers, adds and ends")
	}
	seal, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	on := cmp.Or(c.Surge, 3000)
	return &counter{
		Claims: c, surge: newSurge(on, cmp.Or(c.Work, proofCost)), seal: seal, proofs: newProofs(key), guesses: newGuesses(), guests: &room{most: mostUploads, each: mostOfPrefix, who: map[string]int{}}, memory: &budget{left: mostMemory},
		reports: newLimiter(cmp.Or(c.Burst, 60), cmp.Or(c.Every, time.Second), 20_000),
		contact: newLimiter(cmp.Or(c.Burst, 20), cmp.Or(c.Every, 5*time.Minute), 50_000),
		slow:    newLimiter(1, 2*time.Minute, 20_000), junk: newLimiter(20, 10*time.Second, 20_000), uploads: newLimiter(60, 5*time.Second, 20_000),
		running: running{keys: map[string]*run{}, done: map[string]time.Time{}},
	}, nil
}

// told is what is known of claims now; nil where there are no such pages.
func (s *Server) told() *Compensation {
	if s.claims == nil {
		return nil
	}
	return s.claims.Teller.Compensation()
}

// taking returns the windows in which reports are taken now, late ones too, the newest first.
func (c *Compensation) taking(now time.Time) []*claim.Window {
	var open []*claim.Window
	if c == nil {
		return nil
	}
	for i := range c.Windows {
		if p := c.Windows[i].At(now); p == claim.Taken || p == claim.Late {
			open = append(open, &c.Windows[i])
		}
	}
	return open
}

func (c *Compensation) window(incident string) *claim.Window {
	if c == nil {
		return nil
	}
	for i := range c.Windows {
		if c.Windows[i].Incident == incident {
			return &c.Windows[i]
		}
	}
	return nil
}

// next is when some window begins to take or to refuse; zero: never again.
func (c *Compensation) next(now time.Time) time.Time {
	var first time.Time
	if c == nil {
		return first
	}
	for i := range c.Windows {
		for _, t := range []time.Time{c.Windows[i].Opens, c.Windows[i].Closes, c.Windows[i].LateUntil} {
			if t.After(now) && (first.IsZero() || t.Before(first)) {
				first = t
			}
		}
	}
	return first
}

// covers says whether a window takes reports about a service.
func covers(w *claim.Window, service string) bool {
	return len(w.Services) == 0 || slices.ContainsFunc(w.Services, func(s claim.Service) bool { return s.Name == service })
}

// getClaims answers what is made for one reader; false: it is another page.
func (s *Server) getClaims(w http.ResponseWriter, r *http.Request, o out) bool {
	if code, ok := cutCode(o.path); ok {
		s.apiClaim(w, r, o.lang, code)
		return true
	}
	if reportPath(o.path) {
		s.reportPage(w, r, o)
		return true
	}
	switch o.path {
	case "report.html":
		s.reportPage(w, r, o)
	case "claim.html", "claim":
		s.minePage(w, r, o)
	case "receipt.html":
		s.receiptPage(w, r, o)
	case "claim-proof.json":
		s.proofFile(w, r, o)
	case "api/v1/challenge.json":
		w.Header().Set("Access-Control-Allow-Origin", "*")
		s.json(w, http.StatusOK, s.claims.proofs.challenge(time.Now(), s.claims.surge.cost()))
	default:
		return false
	}
	return true
}

// claimPost says whether a form or program about damage posts to a path.
func claimPost(path string) bool {
	switch path {
	case "api/v1/claims", "claim", "claim/words", "claim/papers", "claim/bank", "claim/withdraw", "claim/appeal", "claim/shown", "claim/coupon", "claim/leave":
		return true
	}
	return reportPath(path)
}

// postClaims takes what claimants send.
func (s *Server) postClaims(w http.ResponseWriter, r *http.Request, path string, l lang.Lang) {
	switch {
	case path == "api/v1/claims":
		s.apiFile(w, r, l)
	case reportPath(path):
		s.takeReport(w, r, l)
	case path == "claim":
		s.signIn(w, r, l)
	default:
		s.act(w, r, path, l)
	}
}

// json answers a program, for itself alone.
func (s *Server) json(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.log.Error("an answer broke while it was made", "error", err.Error())
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)+1))
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // the reader may have left; there is nobody to tell
}

// Running keeps two presses of one form apart: the second waits for what the first
// comes to, and is answered by the ledger with the same receipt.
type running struct {
	mu   sync.Mutex
	keys map[string]*run
	done map[string]time.Time // keys that were filed here, so that no second proof of work is asked for them
}

type run struct{ over chan struct{} }

// begin says that a key is being filed now, and returns what ends that; nil: it is
// being filed already, and over is closed when that ended.
func (r *running) begin(key string) (end func(filed bool), over <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.keys[key]; x != nil {
		return nil, x.over
	}
	x := &run{make(chan struct{})}
	r.keys[key] = x
	return func(filed bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.keys, key)
		close(x.over)
		if filed {
			if len(r.done) >= mostFiled {
				clear(r.done) // a press that comes after this needs a proof again, and gets its receipt all the same
			}
			r.done[key] = time.Now()
		}
	}, nil
}

const mostFiled = 50_000

// filed says whether a key was filed here in the last minutes.
func (r *running) filed(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.done[key]
	return ok && time.Since(at) < 30*time.Minute
}

// alone waits until nobody else files the key, and begins.
func (r *running) alone(ctx context.Context, key string) (end func(filed bool), err error) {
	for {
		end, over := r.begin(key)
		if end != nil {
			return end, nil
		}
		select {
		case <-over:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
