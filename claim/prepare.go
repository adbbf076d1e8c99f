package claim

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Prepared report is ready to be kept: given its ID, sealed, and with nothing
// personal in clear. It is what every ledger writes.
type Prepared struct {
	Claim       Claim
	Event       Event
	Receipt     Receipt
	Secret      string   // hash
	Marks       []string // keyed hashes, sorted
	Sealed      []byte   // personal data
	Wrapped     []byte   // the data key
	KeyHash     string   // of the idempotency key; empty: none
	Fingerprint string   // of the report, to tell it from another with the same key
}

// Prepare seals a report.
func (m *Master) Prepare(r *Report, now time.Time) (*Prepared, error) {
	text, err := r.fits()
	if err != nil {
		return nil, err
	}
	id := NewCode()
	p := &Prepared{Claim: r.Claim, Receipt: Receipt{ID: id, Secret: m.secretOf(id, r.Key)}}
	c := &p.Claim
	c.ID, c.Report.ID, c.Version = id, id, 1
	c.State = cmp.Or(c.State, Received)
	if c.Filed.IsZero() {
		c.Filed = now
	}
	c.Filed = c.Filed.UTC().Round(time.Microsecond) // what every store can hold
	c.Changed, c.Report.Filed = c.Filed, c.Filed
	if c.Decision != nil { // it came decided: paid unasked
		d := *c.Decision
		d.Claim, c.Decision = id, &d
	}
	var key dataKey
	key, p.Wrapped = m.newKey(id)
	if p.Sealed, err = key.sealPersonal(id, r.Personal); err != nil {
		return nil, err
	}
	p.Secret = SecretHash(id, p.Receipt.Secret)
	for _, mark := range r.Marks {
		p.Marks = append(p.Marks, m.Mark(mark))
	}
	slices.Sort(p.Marks)
	p.Marks = slices.Compact(p.Marks)
	p.Event = Event{Claim: id, At: c.Filed, Who: cmp.Or(c.Agent, "claimant"), What: "filed", Why: c.Channel}
	if r.Key != "" {
		p.KeyHash, p.Fingerprint = KeyHash(r.Key), m.fingerprint(text)
	}
	return p, nil
}

// mostReport is the largest report, papers aside.
const mostReport = 200 << 10

// fits refuses what a store cannot hold, so that one report never spoils those that are
// filed with it. It returns the report in JSON as it was written: aside from when it came, who entered it, and times of the record.
func (r *Report) fits() ([]byte, error) {
	c := r.Claim
	c.Filed, c.Consent.At, c.NextAt, c.Agent = time.Time{}, time.Time{}, time.Time{}, ""
	if r.RecordedFrom {
		c.Report.From = time.Time{}
	}
	if r.RecordedTo {
		c.Report.To = time.Time{}
	}
	b, err := json.Marshal(struct {
		Claim    Claim    `json:"claim"`
		Personal Personal `json:"personal"`
	}{c, r.Personal})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	case len(b)+len(r.Claim.Agent) > mostReport:
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are taken", ErrInput, len(b), mostReport)
	case escaped(b, `\u0000`), strings.Contains(r.Claim.Agent, "\x00"):
		return nil, fmt.Errorf("%w: it has a zero byte in a text", ErrInput)
	case escaped(b, `\ufffd`), !utf8.ValidString(r.Claim.Agent):
		return nil, fmt.Errorf("%w: a text of it is not UTF-8", ErrInput)
	case len(r.Marks) > mostMarks:
		return nil, fmt.Errorf("%w: it has %d marks, at most %d are taken", ErrInput, len(r.Marks), mostMarks)
	}
	return b, nil
}

// escaped says whether a text in JSON has an escape, and not only a person's words about one.
func escaped(text []byte, escape string) bool {
	return bytes.Contains(text, []byte(escape)) && bytes.Contains(bytes.ReplaceAll(text, []byte(`\\`), nil), []byte(escape))
}

// mostMarks bounds what one report adds to an index; MostMarks what it and all that is
// said later add.
const (
	mostMarks = 16
	MostMarks = 64
)

// KeyHash is what an idempotency key is kept as.
func KeyHash(key string) string {
	h := sha256.Sum256([]byte("bongsu idempotency\x00" + key))
	return hex.EncodeToString(h[:])
}

// fingerprint tells two reports apart, by what fits returned.
func (m *Master) fingerprint(text []byte) string { return m.Mark("report:" + string(text)) }

// Again answers a report whose key was used for the claim id, with that claim's
// receipt, or with [ErrReused] when its fingerprint was another.
func (m *Master) Again(r *Report, id, fingerprint string) (Receipt, error) {
	now, err := r.fits()
	if err != nil {
		return Receipt{}, err
	}
	if m.fingerprint(now) != fingerprint {
		return Receipt{}, ErrReused
	}
	return Receipt{ID: id, Secret: m.secretOf(id, r.Key), Again: true}, nil
}

// Unseal opens personal data with the wrapped key of its claim.
func (m *Master) Unseal(id string, wrapped, sealed []byte) (Personal, error) {
	key, err := m.unwrap(id, wrapped)
	if err != nil {
		return Personal{}, err
	}
	return key.openPersonal(id, sealed)
}

// An Amended claim is what an amendment leaves to be written with it.
type Amended struct {
	Event  Event
	Sealed []byte   // personal data
	Marks  []string // keyed hashes of what is personal now and was not before, e.g. of a bank account
}

// Amend lets change work on a claim and what is sealed of it, and seals it again.
func (m *Master) Amend(wrapped, sealed []byte, c *Claim, change func(*Claim, *Personal) (Event, error)) (*Amended, error) {
	key, err := m.unwrap(c.ID, wrapped)
	if err != nil {
		return nil, err
	}
	p, err := key.openPersonal(c.ID, sealed)
	if err != nil {
		return nil, err
	}
	return m.amend(key, c, p, change)
}

func (m *Master) amend(key dataKey, c *Claim, p Personal, change func(*Claim, *Personal) (Event, error)) (*Amended, error) {
	id := c.ID
	before := MarksOf(&p, c.Account, "")
	ev, err := change(c, &p)
	if err != nil {
		return nil, err
	}
	c.ID = id
	if _, err := (&Report{Claim: *c, Personal: p}).fits(); err != nil {
		return nil, err
	}
	a := &Amended{Event: ev}
	for _, mark := range MarksOf(&p, c.Account, "") {
		if !slices.Contains(before, mark) {
			a.Marks = append(a.Marks, m.Mark(mark))
		}
	}
	slices.Sort(a.Marks)
	a.Sealed, err = key.sealPersonal(id, p)
	return a, err
}

// NewFile describes a paper.
func NewFile(kind, mediaType string, plain, sealed []byte, now time.Time) File {
	sum := sha256.Sum256(sealed)
	return File{
		ID: NewCode(), Kind: kind, Type: mediaType, Size: int64(len(plain)), Hash: hex.EncodeToString(sum[:]),
		At: now.UTC().Round(time.Microsecond),
	}
}

// SealFile seals a paper of a claim; UnsealFile opens it.
func (m *Master) SealFile(id string, wrapped, plain []byte) ([]byte, error) {
	key, err := m.unwrap(id, wrapped)
	if err != nil {
		return nil, err
	}
	return key.sealFile(plain)
}

// UnsealFile opens what [Master.SealFile] sealed.
func (m *Master) UnsealFile(id string, wrapped, sealed []byte) ([]byte, error) {
	key, err := m.unwrap(id, wrapped)
	if err != nil {
		return nil, err
	}
	return key.openFile(sealed)
}
