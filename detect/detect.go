package detect

import (
	"errors"
	"fmt"
	"time"

	"bongsu/estate"
)

// An Observation is what one site last saw of one target, and since when.
type Observation struct {
	Observer string    `json:"observer"` // the site of the node that looked
	Target   string    `json:"target"`
	Domain   string    `json:"domain"` // the domain that the target stands in
	OK       bool      `json:"ok"`
	Since    time.Time `json:"since"` // in this state since, by the clock of whoever judges
	Detail   string    `json:"detail,omitempty"`
}

// A Sight is an observation as its observer tells it: how long the target has
// been in this state by the observer's monotonic clock. Clocks of different
// sites never meet, so skew and jumps do not matter; see [Sight.Received].
type Sight struct {
	Target string        `json:"target"`
	Domain string        `json:"domain"`
	OK     bool          `json:"ok"`
	For    time.Duration `json:"for"`
	Detail string        `json:"detail,omitempty"`
}

// Received turns a sight into an observation by the clock of the receiver.
func (s Sight) Received(observer string, at time.Time) Observation {
	return Observation{
		Observer: observer, Target: s.Target, Domain: s.Domain, OK: s.OK,
		Since: at.Add(-max(s.For, 0)), Detail: s.Detail,
	}
}

// A Policy says how sure one must be. The zero Policy is not valid.
type Policy struct {
	Lease     time.Duration // of the nodes: how long a cut-off site may still write
	Hold      time.Duration // how long nobody must see a site before it is judged lost
	Observers int           // from how many other sites, at least
}

// Margin is what Hold must exceed Lease by: the store may keep a lease that
// long after it ran out while its own leader changes.
const Margin = 2500 * time.Millisecond

// DefaultPolicy returns a policy for leases of three seconds.
func DefaultPolicy() Policy {
	return Policy{Lease: 3 * time.Second, Hold: 6 * time.Second, Observers: 2}
}

// Validate says what is wrong with the policy.
func (p Policy) Validate() error {
	switch {
	case p.Lease <= 0:
		return errors.New("detection: lease must be above 0s")
	case p.Hold < p.Lease+Margin:
		return fmt.Errorf("detection: hold %v is too short: with a lease of %v it must be at least %v, or a site that is cut off may still be writing when it is judged lost", p.Hold, p.Lease, p.Lease+Margin)
	case p.Observers < 2:
		return fmt.Errorf("detection: observers is %d, must be at least 2: one site alone cannot tell a lost site from its own broken line", p.Observers)
	}
	return nil
}

// A State is what is known of a site.
type State string

// The states of a site, from best to worst; Unknown is apart.
const (
	Seen    State = "seen"            // every site that looks sees it
	Partial State = "partial"         // some sites see it, others do not: a partial partition, not lost
	Suspect State = "suspect"         // nobody sees it, not yet for long enough
	Lost    State = "lost-or-cut-off" // nobody has seen it for the hold time, and enough sites looked
	Unknown State = "unknown"         // not enough sites look
)

// Input is all that [Judge] knows.
type Input struct {
	Snapshot     *estate.Snapshot
	Observations []Observation
	Policy       Policy
	Now          time.Time
}

// A Verdict is what the observations together say.
type Verdict struct {
	Sites  []Site   `json:"sites"`  // by name
	Losses []Loss   `json:"losses"` // what a person or policy should declare, by domain
	Alive  []string `json:"alive"`  // domains that something answers in: they are not lost, sorted
}

// A Site is what is known of one site.
type Site struct {
	Site      string   `json:"site"`
	State     State    `json:"state"`
	For       float64  `json:"for"`       // seconds since the last target of it was lost from sight; 0 when seen
	Observers []string `json:"observers"` // other sites that look at it
	SeenBy    []string `json:"seenBy"`
	NotSeenBy []string `json:"notSeenBy"`
	Failing   []string `json:"failing"`            // targets in it that nobody sees
	Smallest  string   `json:"smallest,omitempty"` // the smallest domain whose loss explains Failing
	OwnNode   bool     `json:"ownNode"`            // its own node still tells us what it sees
	Sentence  string   `json:"sentence"`
}

// A Loss is one domain that looks lost.
type Loss struct {
	Domain   string    `json:"domain"`
	Since    time.Time `json:"since"` // nobody has seen it since
	First    time.Time `json:"first"` // the first site lost it from sight
	Sentence string    `json:"sentence"`
}
