package estate

import "time"

// A Snapshot is an estate at one revision: everything a load found, with every
// reference resolved. Nobody changes it after [Load] or [Parse] returned it, so
// it is safe to share between goroutines. Each slice is sorted by name, and
// the position of a document in its slice is the Index of every [Ref] to it.
type Snapshot struct {
	Rev        string // "sha256:" and the first 16 hex digits of the canonical content
	Domains    []Domain
	Components []Component
	Services   []Service
	Crews      []Crew
	Limits     []Limit
	Probes     []Probe
	Options    []Option

	index [kinds]*roster
	marks []mark          // of Rev
	text  [kinds][][]byte // canonical form of each document, as read; nil of a snapshot made otherwise
}

// A Kind is the kind of a document.
type Kind uint8

// The kinds of document of format v1, in the order in which they are written.
const (
	KindDomain Kind = iota
	KindComponent
	KindService
	KindCrew
	KindLimit
	KindProbe
	KindOption
	kinds
)

// A Ref names one document of a snapshot.
type Ref struct {
	Kind  Kind
	Index int    // position in the slice of its kind
	Name  string // for people, and for output
}

// A Pos is a place in a source file; lines and columns start at 1.
type Pos struct {
	File      string
	Line, Col int
}

// Doc is what every document may carry.
type Doc struct {
	Name   string
	Title  string // for people, in any language; empty when not given
	Source Source
	Cost   float64 // what a measure on this costs; 1 when not given
	Waive  []Waiver
	Pos    Pos
}

// A Source says where a fact comes from and how old it is.
type Source struct {
	From string
	At   time.Time // zero when not given
}

// A Waiver is an exception from an audit rule, by a named owner, until a date.
type Waiver struct {
	Rule, Loss, Owner, Reason string
	Until                     time.Time
	Pos                       Pos
}

// A Span is an uncertain duration. Where the estate gives one figure both are it.
type Span struct {
	Likely, Worst time.Duration
}

// Resources are amounts by resource name, sorted by name. Sizes are in bytes.
type Resources []Amount

// An Amount is so much of one resource.
type Amount struct {
	Resource string
	Amount   float64
}

// Of returns the amount of the named resource and whether it is stated.
func (r Resources) Of(name string) (float64, bool) {
	for _, a := range r {
		if a.Resource == name {
			return a.Amount, true
		}
	}
	return 0, false
}

// A Need is a monotone condition on other documents. It is a single reference
// when Of is nil and Empty is false; otherwise at least K of Of must hold. The
// zero Need (K 0, Of empty) asks for nothing.
type Need struct {
	Ref  *Ref // set for a leaf
	K    int  // of a gate: how many of Of must hold; len(Of) is "all", 1 is "any"
	Of   []Need
	Gate Gate // how the gate is written; K and Of alone say what it means
	Pos  Pos
}

// A Gate says how a need of several is written. It matters in one place: a
// domain needs outright only what a list names.
type Gate uint8

// The ways to write a need of several.
const (
	GateList    Gate = iota // [a, b]: all of it
	GateAny                 // {anyOf: [a, b]}
	GateAtLeast             // {atLeast: 2, of: [a, b, c]}
)

// Empty reports whether the need asks for nothing.
func (n Need) Empty() bool { return n.Ref == nil && n.K <= 0 }

// A Domain is a failure domain: losing it loses what is in it.
type Domain struct {
	Doc
	Type     string // free text; "site" has a meaning
	Operator string // whom recourse goes to
	Capacity Resources
	Needs    Need    // names domains only
	Rate     float64 // losses a year; 0 when not given
	Outage   Span    // how long a loss lasts
	Growth   float64 // yearly growth of what it must hold, as a fraction

	// Ancestors are the domains that this one needs outright, transitively
	// (never through anyOf or atLeast), sorted; not itself. Room taken here is
	// taken there too.
	Ancestors []int
	// Site is the index of the domain of type site among itself and its
	// ancestors (the nearest, ties by name), or -1.
	Site int
}

// TypeSite is the type of a domain that is a data centre.
const TypeSite = "site"

// A Mode says when a component's living replicas are enough.
type Mode string

// The modes of a component.
const (
	ModeAny     Mode = "any"     // at least AtLeast replicas live
	ModeQuorum  Mode = "quorum"  // more than half of all replicas live
	ModePrimary Mode = "primary" // the primary lives, or Auto and a standby lives
)

// A Component is what runs: an application, a data store, a tool.
type Component struct {
	Doc
	Tool       bool // operators or automation need it to work on the estate
	Mode       Mode
	AtLeast    int
	Auto       bool // of mode primary: it fails over by itself
	Replicas   []Replica
	Needs      Need // to run
	Wants      Need // to run well
	StartNeeds Need // to start from cold
	Data       *Data
	Actions    []Action
	Spread     *Spread
}

// A Replica is Count equal copies of a component in one domain.
type Replica struct {
	In    int // index of the domain
	Count int
	Uses  Resources // room that one replica takes
	Role  Role      // of mode primary
	Sync  bool      // of a standby: it has every acknowledged write
	Lag   *Span     // of an asynchronous standby; nil when unknown
	Pos   Pos
}

// A Role is the part a replica plays in a component of mode primary.
type Role string

// The roles of a replica.
const (
	RoleNone    Role = ""
	RolePrimary Role = "primary"
	RoleStandby Role = "standby"
)

// A Spread caps how many replicas may share one domain of a type.
type Spread struct {
	Over string
	Max  int
}

// Data is the state that a component keeps.
type Data struct {
	Size   float64 // bytes; 0 when not given
	Copies []Copy
}

// A Copy is a second copy of a component's data.
type Copy struct {
	In     int       // index of the domain
	How    string    // sync, async, snapshot or backup
	Lag    *Span     // nil when unknown
	Tested time.Time // of its last proven restore; zero when never
	Pos    Pos
}

// A Does says what an action does.
type Does string

// What actions do.
const (
	DoesPromote Does = "promote"
	DoesStart   Does = "start"
	DoesScale   Does = "scale"
	DoesRestore Does = "restore"
	DoesRebuild Does = "rebuild"
	DoesSwitch  Does = "switch"
	DoesShrink  Does = "shrink"
)

// An Action is a way to bring a component back.
type Action struct {
	Name    string
	Does    Does
	At      []int // indices of domains, in the order written; empty means no place in particular
	Adds    int   // replicas it adds; 0 when not given
	Removes int   // of shrink: replicas it removes
	Takes   Span
	Needs   Need
	Crew    []Use // people it keeps busy, by index of the crew, sorted
	Uses    []Use // slots it keeps busy, by index of the limit, sorted
	Ramp    []Ramp
	Run     *Run
	Pos     Pos
}

// A Use is so many people of a crew, or slots of a limit.
type Use struct {
	Index int
	Count int
}

// A Ramp is one stage of a gradual switch.
type Ramp struct {
	Share float64
	For   time.Duration
}

// A Run says how an action is really done: exactly one driver and its
// arguments, which the driver itself checks (see internal/actuate).
type Run struct {
	Driver string         // exec, http, manual, …
	Args   map[string]any // decoded YAML: maps, slices, strings, float64, int, bool
	Pos    Pos
}

// A Service is what users use.
type Service struct {
	Doc
	Users      int64
	Weight     float64 // closeness to daily life; 1 when not given
	Paid       bool
	Tier       int // 1 is highest; 0 when not given
	Needs      Need
	Wants      Need
	Parts      []Part
	Objectives Objectives
	Page       *Page // set for a status page: what it rests on
}

// A Page says what a status page rests on, part by part. It reports on every
// service that is no page itself. A part that is not stated is empty.
type Page struct {
	DNS, Certificate, Host, Mail Need
}

// A Part is a feature that comes back on its own. The shares of a service's
// parts sum to at most 1; the rest is its core.
type Part struct {
	Name  string
	Title string
	Share float64
	Needs Need
	Pos   Pos
}

// Core returns the share of the service that is its core: 1 minus its parts.
func (s *Service) Core() float64 {
	c := 1.0
	for i := range s.Parts {
		c -= s.Parts[i].Share
	}
	return max(c, 0)
}

// Objectives are what was promised of a service; nil when nothing was.
type Objectives struct {
	RTO, RPO *time.Duration
}

// A Crew is people who carry out actions.
type Crew struct {
	Doc
	People int  // -1 when not stated: no limit
	Needs  Need // how they are reached and get in
}

// A Limit is a number of slots that actions share.
type Limit struct {
	Doc
	Slots int // -1 when not stated: no limit
}

// A Probe says what to watch where. Exactly one of HTTP and TCP is set.
type Probe struct {
	Doc
	In      int  // index of the domain that its target stands in
	Of      *Ref // the component or service that the target shows; nil for the domain itself
	HTTP    string
	TCP     string
	Expect  int // HTTP status; 0 means any below 400
	Every   time.Duration
	Timeout time.Duration
}

// An Option is capacity that could be built.
type Option struct {
	Doc
	In       int // index of the domain that it would enlarge, or -1 for a new one
	Type     string
	Operator string
	Capacity Resources
	Lead     Span
	Yearly   float64 // running cost a year
}
