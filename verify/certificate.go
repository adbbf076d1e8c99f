package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"bongsu/estate"
)

// Version is the version of the format of certificates.
const Version = 1

// MaxBytes is the most that a certificate may hold.
const MaxBytes = 1 << 30

// ErrNotCertificate is wrapped by the error of [Check] for what is no
// certificate of this version, or not whole.
var ErrNotCertificate = errors.New("not a certificate")

// A Certificate is a claim about an estate, or about a fault tree, with its
// proof. It holds all that a checker needs. Exactly the part that Kind names is set.
type Certificate struct {
	Version int      `json:"certificate"`
	Kind    string   `json:"kind"` // impact, cutsets, audit or fix
	Estate  *Estate  `json:"estate,omitempty"`
	Impact  *Impact  `json:"impact,omitempty"`
	Cutsets *Cutsets `json:"cutsets,omitempty"`
	Audit   *Audit   `json:"audit,omitempty"`
	Fix     *Fix     `json:"fix,omitempty"`
}

// The kinds of certificate.
const (
	KindImpact  = "impact"
	KindCutsets = "cutsets"
	KindAudit   = "audit"
	KindFix     = "fix"
)

// An Estate is the estate that is claimed about, in canonical form.
type Estate struct {
	Rev  string `json:"rev"`
	YAML string `json:"yaml"`
}

// An Impact is what bongsu impact answers, and why it is true. Things in a proof
// are written kind/name, and a part of a service service/name/part.
type Impact struct {
	Claim ImpactClaim `json:"claim"`
	Proof ImpactProof `json:"proof"`
}

// An ImpactClaim is the output of bongsu impact --format json.
type ImpactClaim struct {
	Lost        []string   `json:"lost"`
	LostDomains []string   `json:"lostDomains"`
	Components  []Thing    `json:"components"`
	Services    []Thing    `json:"services"`
	Crews       []Thing    `json:"crews"`
	Deadlocks   []Deadlock `json:"deadlocks"`
}

// A Thing is what is claimed of a component, a service, a part or a crew.
type Thing struct {
	Name       string          `json:"name"`
	State      string          `json:"state"`
	Derivation []string        `json:"derivation"`
	Blocking   []string        `json:"blocking"`
	DataLost   json.RawMessage `json:"dataLost,omitempty"`
	Parts      []Thing         `json:"parts,omitempty"`
}

// A Deadlock is a cycle of things that wait for each other.
type Deadlock struct {
	Cycle []string `json:"cycle"`
}

// An ImpactProof says in which order things go down, what brings which of them
// back, and in which order it shows that the rest stays down.
type ImpactProof struct {
	Fall   []Down  `json:"fall"`
	Rounds []Round `json:"rounds"`
	Stay   []Down  `json:"stay"`
}

// A Down is one thing that is down, and what it lacks: things that are down by then.
type Down struct {
	Thing string   `json:"thing"`
	Lacks []string `json:"lacks"`
}

// A Round is some actions that can all run by then, and what rises once they have.
type Round struct {
	Run  []string `json:"run"`
	Rise []string `json:"rise"`
}

// A Cutsets is what bongsu cutsets answers; Tree is set where it was asked of a
// fault tree instead of an estate, and Proof where it shows that no set is missing.
type Cutsets struct {
	Claim CutsetsClaim  `json:"claim"`
	Tree  *Tree         `json:"tree,omitempty"`
	Proof *Completeness `json:"proof,omitempty"`
}

// A CutsetsClaim is the output of bongsu cutsets --format json.
type CutsetsClaim struct {
	Of       string            `json:"of"`
	Estate   string            `json:"estate,omitempty"`
	Leaves   string            `json:"leaves,omitempty"`
	Count    string            `json:"count"`
	ByOrder  map[string]string `json:"byOrder"`
	Complete bool              `json:"complete"`
	UpTo     int               `json:"upTo"`
	Order    int               `json:"order,omitempty"`
	Ranked   bool              `json:"ranked,omitempty"`
	Sets     [][]string        `json:"sets"`
}

// A Tree is a fault tree as it was read. The first gate is the top.
type Tree struct {
	Leaves []string `json:"leaves"`
	Gates  []Gate   `json:"gates"`
}

// A Gate fails when inputs of a weight of at least K fail. An input from 0 on is
// a leaf, -1 the first gate, -2 the second, and so on. Without weights each input weighs 1.
type Gate struct {
	Name    string `json:"name"`
	K       int    `json:"k"`
	In      []int  `json:"in"`
	Weights []int  `json:"weights,omitempty"`
}

// An Audit is what bongsu audit found of things that go down in a loss, and the
// impact of each loss that it names or was asked for.
type Audit struct {
	Findings []Finding `json:"findings"`
	Losses   []Impact  `json:"losses"`
}

// A Finding is the part of a finding that a certificate proves.
type Finding struct {
	ID      string   `json:"id"`
	Rule    string   `json:"rule"`
	Lost    []string `json:"lost"`
	Subject string   `json:"subject"`
}

// A Fix is what bongsu audit fix answers, with the proof of what the loss does: what comes
// back and what stays down, as in an impact.
type Fix struct {
	Claim FixClaim    `json:"claim"`
	Proof ImpactProof `json:"proof"`
}

// A FixClaim is the output of bongsu audit fix --format json, without its words.
type FixClaim struct {
	Lost       []string   `json:"lost"`
	Tier       int        `json:"tier"` // 0: services of any tier
	Services   []string   `json:"services"`
	Impossible []string   `json:"impossible"`
	Measures   []Measure  `json:"measures"`
	Cost       float64    `json:"cost"`
	Optimal    bool       `json:"optimal"`
	LowerBound float64    `json:"lowerBound"`
	Disjoint   [][]string `json:"disjoint"`
	Blocked    [][]string `json:"blocked"`
}

// A Measure is a component or a crew to take as up, whatever it needs.
type Measure struct {
	Subject string  `json:"subject"`
	Cost    float64 `json:"cost"`
}

// A Report is what a check came to.
type Report struct {
	Kind     string   `json:"kind"`
	Estate   string   `json:"estate,omitempty"` // revision
	Valid    bool     `json:"valid"`            // all that is claimed is proved: neither Open nor Wrong has anything
	Proved   []string `json:"proved"`
	Open     []string `json:"open,omitempty"` // what is claimed, and neither proved nor refuted
	Unproved []string `json:"unproved"`       // what a file of the kind says nothing of
	Wrong    []string `json:"wrong"`          // what does not hold; at most maxWrong
}

const maxWrong = 20

func (r *Report) proved(format string, args ...any) {
	r.Proved = append(r.Proved, fmt.Sprintf(format, args...))
}

func (r *Report) open(format string, args ...any) {
	r.Open = append(r.Open, fmt.Sprintf(format, args...))
}

func (r *Report) unproved(text string) { r.Unproved = append(r.Unproved, text) }

func (r *Report) wrong(format string, args ...any) {
	if len(r.Wrong) < maxWrong {
		r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
	}
}

// Check reads a certificate and replays it. The error wraps [ErrNotCertificate]
// where there is nothing to replay; what is a certificate and does not hold is in the report.
func Check(data []byte) (*Report, error) {
	c, snap, err := Read(data)
	if err != nil {
		return nil, err
	}
	r := &Report{Kind: c.Kind, Proved: []string{}, Unproved: []string{}, Wrong: []string{}}
	if snap != nil {
		r.Estate = snap.Rev
	}
	switch c.Kind {
	case KindImpact:
		newModel(snap).impact(r, c.Impact)
	case KindCutsets:
		checkCutsets(r, snap, c.Cutsets)
	case KindAudit:
		newModel(snap).audit(r, c.Audit)
	case KindFix:
		newModel(snap).fix(r, c.Fix)
	}
	if len(r.Wrong) > 0 {
		r.Proved, r.Open = []string{}, nil
	}
	r.Valid = len(r.Wrong) == 0 && len(r.Open) == 0
	return r, nil
}

// Read reads a certificate and the estate in it; the snapshot is nil where it is
// about a fault tree. The error wraps [ErrNotCertificate].
func Read(data []byte) (*Certificate, *estate.Snapshot, error) {
	if len(data) > MaxBytes {
		return nil, nil, fmt.Errorf("%w: it is larger than %d MiB", ErrNotCertificate, MaxBytes>>20)
	}
	if err := onceEach(data); err != nil {
		return nil, nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
	}
	c := &Certificate{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(c); err != nil {
		return nil, nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%w: something follows after its end", ErrNotCertificate)
	}
	if c.Version != Version {
		return nil, nil, fmt.Errorf("%w of version %d, which this program reads, but of version %d", ErrNotCertificate, Version, c.Version)
	}
	set := map[string]bool{KindImpact: c.Impact != nil, KindCutsets: c.Cutsets != nil, KindAudit: c.Audit != nil, KindFix: c.Fix != nil}
	one, known := set[c.Kind]
	for kind, there := range set {
		known = known && there == (kind == c.Kind)
	}
	if !one || !known {
		return nil, nil, fmt.Errorf("%w: its kind is %q, which is not what it holds", ErrNotCertificate, c.Kind)
	}
	onTree := c.Cutsets != nil && c.Cutsets.Tree != nil
	if onTree == (c.Estate != nil) {
		return nil, nil, fmt.Errorf("%w: it is to hold an estate, or a fault tree for cut sets, and not both", ErrNotCertificate)
	}
	if onTree {
		if err := c.Cutsets.Tree.check(); err != nil {
			return nil, nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
		}
		return c, nil, nil
	}
	snap, err := estate.Parse([]estate.File{{Name: "the estate in the certificate", Data: []byte(c.Estate.YAML)}})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
	}
	if snap.Rev != c.Estate.Rev {
		return nil, nil, fmt.Errorf("%w: the estate in it has the revision %s, not %s as it says", ErrNotCertificate, snap.Rev, c.Estate.Rev)
	}
	return c, snap, nil
}
