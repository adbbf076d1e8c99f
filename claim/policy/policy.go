package policy

import (
	"time"
)

// A Form is what is given.
type Form string

// The forms. Amounts are minor units of the policy's currency at face value; those of
// points, credit and coupons too. An extension gives days or hours and no amount.
const (
	Money     Form = "money"
	Credit    Form = "credit" // on the next bill
	Points    Form = "points"
	Coupon    Form = "coupon"
	Extension Form = "extension"
	Nothing   Form = "nothing" // the rule refuses
)

// A Ground is why something is owed, which recourse asks of every ledger line.
type Ground string

// The grounds.
const (
	Contract Ground = "contract" // terms of service
	Statute  Ground = "statute"
	Goodwill Ground = "goodwill"
)

// A Policy says who gets how much. It is immutable; a change is another version.
type Policy struct {
	ID        string // name@version
	Name      string
	Version   int
	Title     map[string]string
	Effective time.Time
	Currency  string // ISO 4217
	Source    string
	Cap       int64 // for one claim; 0: none
	Budget    int64 // for all of it, checked by what-if and payout; 0: none
	FourEyes  int64 // amounts above want a second person; 0: none do
	Rules     []Rule
	Examples  []Example
	Digest    string // of the file: two files with one name and version are not the same policy
	Warnings  []string
}

// A Rule gives something to whom it matches. The first rule that matches a claim
// decides it.
type Rule struct {
	Name     string
	On       string   // claim, or account: paid unasked
	Services []string // empty: any
	Use      []string // paid, free, none; empty: any
	When     string   // CEL, bool
	Form     Form
	Amount   string // CEL, int; empty where nothing or only time is given
	Cost     string // CEL, int: what it costs us, where that is not the face value
	Hours    string // CEL, int: of an extension
	Ground   Ground
	Reason   map[string]string // by language; {amount}, {hours}, {service} and {outage} are filled in
	Evidence []string          // what is asked for before it is paid
	Human    string            // CEL, bool: a person has to decide
	Line     int

	when, amount, cost, hours, human program
	yes, no                          string // what it says of a case
}

// A Claim is what rules know of a damage report. No rule sees who the claimant is.
type Claim struct {
	ID       string    `json:"id"`
	Service  string    `json:"service"`
	Part     string    `json:"part,omitempty"`
	Use      string    `json:"use"`  // paid, free (with a loss), none (no loss: a complaint or question)
	Kind     string    `json:"kind"` // person, small-business, company
	Loss     int64     `json:"loss"` // claimed, in minor units
	Proven   int64     `json:"proven,omitempty"`
	Best     int64     `json:"best,omitempty"` // sales of the best week, and of the week of the outage
	Week     int64     `json:"week,omitempty"`
	Evidence []string  `json:"evidence,omitempty"` // kinds of papers that were sent
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Filed    time.Time `json:"filed,omitzero"`
	Flags    int64     `json:"flags,omitempty"` // open doubts: duplicates, clusters
}

// An Account is what is known of a subscriber; ID is a pseudonym.
type Account struct {
	ID      string    `json:"id"`
	Service string    `json:"service"`
	Plan    string    `json:"plan"`
	Fee     int64     `json:"fee"` // a month, minor units
	Since   time.Time `json:"since,omitzero"`
}

// An Outage is what the incident's record says of the service, and part, of a claim.
type Outage struct {
	Known    bool      `json:"known"` // false: the record has no such interval
	Minutes  int64     `json:"minutes"`
	Degraded int64     `json:"degraded"` // minutes that it ran worse
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
}

// hours is rounded up: a started hour counts.
func (o *Outage) hours() int64 { return (o.Minutes + 59) / 60 }

// days is rounded up in the same way.
func (o *Outage) days() int64 { return (o.Minutes + 1439) / 1440 }

// A Case is what one decision rests on.
type Case struct {
	Claim   Claim   `json:"claim"`
	Account Account `json:"account"`
	Outage  Outage  `json:"outage"`
}

// An Outcome is how a case ends.
type Outcome string

// The outcomes.
const (
	Pay    Outcome = "pay"
	Refuse Outcome = "refuse"
	Human  Outcome = "human" // a person decides; Amount is what the rule would give
)

// A Decision is what a policy says of a case, and why.
type Decision struct {
	Claim    string            `json:"claim"`
	Policy   string            `json:"policy"` // name@version
	Digest   string            `json:"digest"`
	Rule     string            `json:"rule"` // empty: none matched
	Outcome  Outcome           `json:"outcome"`
	Form     Form              `json:"form"`
	Amount   int64             `json:"amount"` // face value, minor units
	Cost     int64             `json:"cost"`
	Hours    int64             `json:"hours,omitempty"` // of an extension
	Currency string            `json:"currency"`
	Ground   Ground            `json:"ground,omitempty"`
	Reason   map[string]string `json:"reason"`
	Evidence []string          `json:"evidence"`         // asked for and not sent yet
	Capped   bool              `json:"capped,omitempty"` // the rule gave more
	Why      []string          `json:"why"`              // each rule that was looked at, and what it said

	terse bool // nobody reads the words
}

// An Example is a case that a policy has to decide in one way before it is used.
type Example struct {
	Name string
	Case Case
	Want Want
	Line int
}

// Want is what an example expects; what is empty is not compared.
type Want struct {
	Rule    string
	Outcome Outcome
	Form    Form
	Amount  *int64
	Hours   *int64
	Ground  Ground
}
