package claim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
)

// Errors that callers branch on.
var (
	ErrNotFound    = errors.New("no such claim")
	ErrSecret      = errors.New("the receipt code and secret do not belong together") // also when there is no such claim: they look alike
	ErrConflict    = errors.New("the claim has changed in the meantime")
	ErrUnavailable = errors.New("reports cannot be taken in now") // no quorum, or the store is full; nothing was kept
	ErrClosed      = errors.New("no window is open for this report")
	ErrReused      = errors.New("the key was used for another report")
	ErrInput       = errors.New("the report cannot be kept as it is")
	ErrErased      = errors.New("the personal data of this claim were erased")
	ErrNobody      = errors.New("who looks at personal data, and why, is written down: say both")
)

// A State is how far a claim is.
type State string

// The states.
const (
	Received  State = "received"  // kept; nobody has decided
	Review    State = "review"    // in doubt, or for a person to decide
	Asked     State = "asked"     // papers are asked for
	Decided   State = "decided"   // decided, and the time to appeal runs; nothing is to be paid
	Approved  State = "approved"  // to be paid
	Paying    State = "paying"    // in a batch that went to the bank
	Paid      State = "paid"      // the bank says so
	Returned  State = "returned"  // the bank sent it back: for a person
	Appealed  State = "appealed"  // its claimant does not agree: for another person
	Withdrawn State = "withdrawn" // by its claimant
	Merged    State = "merged"    // into another claim, a duplicate
)

// Channels of reports.
const (
	ByWeb    = "web"
	ByPhone  = "phone"
	ByPost   = "post"
	ByImport = "import"
	ByAPI    = "api"
	Unasked  = "unasked" // by policy, without a claim
)

// A Claim is a damage report and what became of it. It holds nothing that tells who
// the claimant is: that is in [Personal], sealed with a key of its own.
type Claim struct {
	ID       string           `json:"id"` // the receipt code
	Incident string           `json:"incident"`
	Report   policy.Claim     `json:"report"` // what rules may see
	Currency string           `json:"currency"`
	Channel  string           `json:"channel"`
	Agent    string           `json:"agent,omitempty"` // who entered it, where it was not the claimant
	Lang     string           `json:"lang"`
	Consent  Consent          `json:"consent"`
	Filed    time.Time        `json:"filed"`
	Late     string           `json:"late,omitempty"` // the reason given for a report after the window
	State    State            `json:"state"`
	Changed  time.Time        `json:"changed"`
	Account  string           `json:"account,omitempty"` // pseudonym
	Flags    []Flag           `json:"flags,omitempty"`
	Decision *policy.Decision `json:"decision,omitempty"`
	Decider  string           `json:"decider,omitempty"`  // the person who decided; empty: the policy alone
	Proposal *Proposal        `json:"proposal,omitempty"` // waits for a second person
	Appealed time.Time        `json:"appealed,omitzero"`  // its words are in [Personal]
	Appeal   time.Time        `json:"appeal,omitzero"`    // until when its claimant may appeal
	NextAt   time.Time        `json:"nextAt,omitzero"`    // when its claimant hears next
	Files    []File           `json:"files,omitempty"`    // sealed with the claim's key
	Into     string           `json:"into,omitempty"`     // the claim that it was merged into
	Erased   time.Time        `json:"erased,omitzero"`    // its key was destroyed
	Version  int64            `json:"version"`            // grows with each change
}

// Personal is what is known of a claimant. It is stored sealed, is read by desks only,
// and every look at it is written down.
type Personal struct {
	Name     string  `json:"name,omitempty"`
	Email    string  `json:"email,omitempty"`
	Phone    string  `json:"phone,omitempty"`
	Business string  `json:"business,omitempty"` // registration number of a business
	Bank     string  `json:"bank,omitempty"`
	Number   string  `json:"number,omitempty"` // of the bank account
	Holder   string  `json:"holder,omitempty"`
	Text     string  `json:"text,omitempty"`  // what happened, in their words
	Added    []Added `json:"added,omitempty"` // what was said later
	Salt     []byte  `json:"salt,omitempty"`  // of the commitment to the decision in the public log
}

// An Added is what was said of a claim after it was filed.
type Added struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`   // claimant, or an agent
	What string    `json:"what"` // more, appeal, bank
	Text string    `json:"text"`
}

// Consent is what a claimant agreed to.
type Consent struct {
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

// A Flag is a doubt, for a person to look at. It never refuses anything by itself.
type Flag struct {
	Kind   string    `json:"kind"`   // contact, device, text, amount, bank, account; paper: one that was sent
	Others []string  `json:"others"` // claims that it looks like, at most a few
	Score  float64   `json:"score"`
	At     time.Time `json:"at"`
	Clear  string    `json:"clear,omitempty"` // who looked, and why it is none
	Note   string    `json:"note,omitempty"`  // what there is to see, where it names no others
}

// A File is a paper that was sent in.
type File struct {
	ID   string    `json:"id"`
	Kind string    `json:"kind"` // of evidence
	Type string    `json:"type"` // media type, sniffed
	Size int64     `json:"size"`
	Hash string    `json:"hash"` // of the sealed bytes
	At   time.Time `json:"at"`
}

// A Report is a claim as it comes in; the ledger gives it its ID, state and times.
type Report struct {
	Claim    Claim
	Personal Personal
	Key      string   // Idempotency-Key or form token; empty: none
	Marks    []string // what duplicates are found by: kind:value, kept only as keyed hashes
	Row      int      // of the table that it came in; 0: it came in none
	// RecordedFrom and RecordedTo say that nobody wrote these times of the claim: they are what was recorded when it came. When the same comes
	// again, and more is recorded since, it is still the same.
	RecordedFrom, RecordedTo bool
}

// A Receipt is what a claimant is given at once.
type Receipt struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
	Again  bool   `json:"again,omitempty"` // the same report had been filed with this key: nothing was filed now
}

// An Event is one thing that happened to a claim; events are appended, never edited.
type Event struct {
	Claim string    `json:"claim"`
	At    time.Time `json:"at"`
	Who   string    `json:"who"` // an agent, policy, claimant, bank
	What  string    `json:"what"`
	Why   string    `json:"why,omitempty"`
}

// A Query asks for claims. Empty fields ask for any.
type Query struct {
	Incident, Service, Use, Kind, Channel string
	States                                []State
	Flagged                               bool
	Rule                                  string
	MinAmount, MaxAmount                  int64  // of the decision, 0: any
	MarkedAs                              string // kind:value, as in [Report.Marks]
	Before                                time.Time
	OldestFirst                           bool   // else largest amount first; among equals IDs rise with the time, or fall with the amount
	After                                 string // the cursor of the page before
	Limit                                 int    // 0: 50; at most 500
}

// A Page of claims.
type Page struct {
	Claims []Claim `json:"claims"`
	Next   string  `json:"next,omitempty"` // cursor; empty: no more
	Total  int     `json:"total"`          // of the query; -1: not counted
}

// A Ledger keeps claims durably. What it returned without an error is kept by a quorum
// of the public store, or by PostgreSQL.
type Ledger interface {
	// File keeps reports, in as few commits as it can. A report whose Key was used
	// before is answered with the first receipt; with other content [ErrReused].
	// The slices answer one another; an error of one leaves the others alone.
	File(ctx context.Context, reports []Report) ([]Receipt, []error)
	// Used says which of the keys reports were filed with.
	Used(ctx context.Context, keys []string) (map[string]bool, error)
	// Claim returns one claim.
	Claim(ctx context.Context, id string) (Claim, error)
	// Change writes changed claims with an event each, if each is still of the
	// version that it was read as, else [ErrConflict]; all or none.
	Change(ctx context.Context, claims []Claim, events []Event) error
	// List answers a query from an index.
	List(ctx context.Context, q Query) (Page, error)
	// Each visits every claim of an incident in order of ID; for decisions in bulk.
	Each(ctx context.Context, incident string, visit func(Claim) error) error
	// Marks returns what the claims of an incident may be alike by, keyed hashes, by ID.
	Marks(ctx context.Context, incident string) (map[string][]string, error)
	// History returns the events of a claim, oldest first.
	History(ctx context.Context, id string) ([]Event, error)
	// Open unseals the personal data for a reader with a reason, which is written
	// down first. [ErrErased] when its key is gone.
	Open(ctx context.Context, id, who, why string) (Personal, error)
	// Check says whether the secret belongs to the claim.
	Check(ctx context.Context, id, secret string) (Claim, error)
	// Amend changes a claim and what is sealed of it, with an event; change is called with both as they are now,
	// perhaps more than once. [ErrErased] when its key is gone. It is not a look: nobody is shown anything.
	Amend(ctx context.Context, id string, change func(*Claim, *Personal) (Event, error)) (Claim, error)
	// AddFile seals a paper with the claim's key and adds it to the claim.
	AddFile(ctx context.Context, id, kind, mediaType string, data []byte, who string) (File, error)
	// OpenFile unseals a paper for a reader with a reason, which is written down first.
	OpenFile(ctx context.Context, id, file, who, why string) ([]byte, error)
	// Looks returns who looked at what since a moment, the newest first, at most limit.
	Looks(ctx context.Context, since time.Time, limit int) ([]Event, error)
	// Erase destroys the key of a claim: its personal data, files and marks can be read no more,
	// in backups neither. It is written on the list that a restore replays.
	Erase(ctx context.Context, id, who, why string) error
}

// Looked is what the event of a look at personal data says; of a look at a paper see [LookedAt].
const Looked = "looked"

// DidWithdraw is what the event of a claim says that its claimant ended; one that was erased before it was decided is in the same
// state without it.
const DidWithdraw = "withdrawn"

// LookedAt is what the event of a look at a paper says.
func LookedAt(f File) string { return Looked + " at " + f.Kind + " " + f.ID }

// Look says that the event is one of those that [Ledger.Looks] tells.
func (e *Event) Look() bool { return e.What == Looked || strings.HasPrefix(e.What, Looked+" at ") }

// Add puts a paper to the claim, and its kind to the evidence that rules see. When it is the last that was
// asked for, the claim is for the desk again. [paper.ErrLarge] when the papers of the claim are too large together.
func (c *Claim) Add(f File) error {
	if err := c.room(f.Size); err != nil {
		return err
	}
	c.Files = append(slices.Clone(c.Files), f)
	if !slices.Contains(c.Report.Evidence, f.Kind) {
		c.Report.Evidence = append(slices.Clone(c.Report.Evidence), f.Kind)
	}
	if c.State != Asked || c.Decision == nil {
		return nil
	}
	if !slices.ContainsFunc(c.Decision.Evidence, func(kind string) bool { return !slices.Contains(c.Report.Evidence, kind) }) {
		c.State, c.NextAt = Review, f.At.Add(ReviewTime)
	}
	return nil
}

// room says whether there is room for a paper of this size.
func (c *Claim) room(size int64) error {
	for _, have := range c.Files {
		size += have.Size
	}
	if size > paper.MostOfClaim {
		return fmt.Errorf("%w: the papers of one claim have at most %d bytes", paper.ErrLarge, paper.MostOfClaim)
	}
	return nil
}

// Contested says whether something was given that is under appeal: it may be paid already, and stays on record.
func (c *Claim) Contested() bool {
	return c.State == Appealed && c.Decision != nil && c.Decision.Outcome == policy.Pay
}

// Forget leaves nothing in the claim that tells whose it was. Nobody can be asked or told anything any more, so what was not
// decided is withdrawn.
func (c *Claim) Forget(now time.Time) {
	c.Account, c.Erased, c.NextAt, c.Appeal, c.Proposal = "", now, time.Time{}, time.Time{}, nil
	switch c.State {
	case Received, Review, Asked:
		c.State = Withdrawn
	case Appealed:
		if !c.Contested() {
			c.State = Withdrawn
		}
	case Decided, Approved, Paying, Paid, Returned, Withdrawn, Merged:
	}
}

// File returns one of the papers of the claim.
func (c *Claim) File(id string) (File, error) {
	for _, f := range c.Files {
		if f.ID == id {
			return f, nil
		}
	}
	return File{}, fmt.Errorf("%w: paper %q of %s", ErrNotFound, id, c.ID)
}
