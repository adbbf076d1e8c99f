package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// KindDecision is the kind of a proof that a decision is in the public log.
const KindDecision = "decision-proof"

// A DecisionProof is what a claimant takes home from the page of a report.
type DecisionProof struct {
	V        int    `json:"v"`
	Kind     string `json:"kind"`
	Decision string `json:"decision"` // JSON, byte for byte what is committed to
	Proof    struct {
		Leaf       int64    `json:"leaf"`
		Salt       []byte   `json:"salt"`
		Checkpoint string   `json:"checkpoint"` // a signed note: origin, size, root
		Path       []string `json:"path"`       // hashes, base64
	} `json:"proof"`
}

// DecisionOptions are what a proof is held against besides itself.
type DecisionOptions struct {
	Key     string // the public key that the log is signed with; empty: nobody's is checked
	Earlier []byte // an earlier proof, whose checkpoint must not contradict this one; nil: none
}

// IsDecisionProof reports whether a file is one, and no certificate.
func IsDecisionProof(data []byte) bool {
	var f struct {
		Kind string `json:"kind"`
	}
	return json.Unmarshal(data, &f) == nil && f.Kind == KindDecision
}

// CheckDecisionProof checks that the decision is the one that the log holds at its place. An
// error says that the file is no proof of this version.
func CheckDecisionProof(data []byte, o DecisionOptions) (*Report, error) {
	f, err := readDecisionProof(data)
	if err != nil {
		return nil, err
	}
	r := &Report{Kind: KindDecision, Proved: []string{}, Unproved: []string{}, Wrong: []string{}}
	head, err := logHead(f.Proof.Checkpoint, o.Key)
	if err != nil {
		r.wrong("the checkpoint: %v", err)
		return r, nil
	}
	root, err := rootOf(f, head.size)
	switch {
	case err != nil:
		r.wrong("the path: %v", err)
	case root != head.root:
		r.wrong("this decision is not what the log holds at place %d of %d", f.Proof.Leaf, head.size)
	default:
		r.proved("the log of %d decisions holds this decision at place %d: %s", head.size, f.Proof.Leaf, told(f.Decision))
	}
	if o.Key == "" {
		r.unproved("who signed the log: no public key was given")
	} else {
		r.proved("%s signed the log", head.signer)
	}
	if o.Earlier != nil {
		before, err := readDecisionProof(o.Earlier)
		if err != nil {
			return nil, fmt.Errorf("the earlier proof: %w", err)
		}
		old, err := logHead(before.Proof.Checkpoint, o.Key)
		switch {
		case err != nil:
			r.wrong("the earlier checkpoint: %v", err)
		case old.size == head.size && old.root != head.root, old.size > head.size:
			r.wrong("the log of %d decisions contradicts the earlier one of %d", head.size, old.size)
		case old.size == head.size:
			r.proved("the log is that of the earlier proof")
		default:
			r.unproved(fmt.Sprintf("that the log of %d decisions continues the earlier one of %d: two proofs of one claim do not show it", head.size, old.size))
		}
	}
	r.Valid = len(r.Wrong) == 0
	return r, nil
}

func readDecisionProof(data []byte) (*DecisionProof, error) {
	if err := onceEach(data); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	f := &DecisionProof{}
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows after it", ErrNotCertificate)
	}
	if err := onceEach([]byte(f.Decision)); err != nil {
		return nil, fmt.Errorf("%w: the decision: %v", ErrNotCertificate, err)
	}
	if f.Kind != KindDecision || f.V != 1 {
		return nil, fmt.Errorf("%w: it is %q of version %d, this program knows version 1 of %s", ErrNotCertificate, f.Kind, f.V, KindDecision)
	}
	return f, nil
}

// A head is the log at one size.
type head struct {
	size   int64
	root   [sha256.Size]byte
	signer string
}

// logHead reads a checkpoint, and checks who signed it if a key is given.
func logHead(signed, key string) (head, error) {
	text, _, ok := strings.Cut(signed, "\n\n")
	if !ok {
		return head{}, errors.New("it is no signed note")
	}
	h := head{}
	if key != "" {
		v, err := note.NewVerifier(strings.TrimSpace(key))
		if err != nil {
			return head{}, fmt.Errorf("the public key cannot be used: %w", err)
		}
		n, err := note.Open([]byte(signed), note.VerifierList(v))
		if err != nil {
			return head{}, fmt.Errorf("the signature is not of %s, or not of this checkpoint", v.Name())
		}
		text, h.signer = strings.TrimSuffix(n.Text, "\n"), v.Name()
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 3 || lines[0] != "bongsu decisions" {
		return head{}, errors.New("it is not of a log of decisions")
	}
	var err error
	if h.size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || h.size < 1 {
		return head{}, fmt.Errorf("its size %q is none", lines[1])
	}
	h.root, err = hash(lines[2])
	return h, err
}

func hash(text string) ([sha256.Size]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != sha256.Size {
		return [sha256.Size]byte{}, fmt.Errorf("%q is no hash", text)
	}
	return [sha256.Size]byte(b), nil
}

// rootOf climbs from the decision to the root that its path leads to, by the rules of
// RFC 9162, 2.1.3.2.
func rootOf(f *DecisionProof, size int64) ([sha256.Size]byte, error) {
	none := [sha256.Size]byte{}
	if f.Proof.Leaf < 0 || f.Proof.Leaf >= size {
		return none, fmt.Errorf("place %d is not in a log of %d", f.Proof.Leaf, size)
	}
	if len(f.Proof.Salt) < 16 {
		return none, errors.New("the salt is missing")
	}
	commitment := sha256.Sum256(append(append([]byte("bongsu decision\x00"), f.Proof.Salt...), f.Decision...))
	at := sha256.Sum256(append([]byte{0}, commitment[:]...))
	place, last := uint64(f.Proof.Leaf), uint64(size-1) //nolint:gosec // 0 <= Leaf < size, as was just checked
	for _, text := range f.Proof.Path {
		other, err := hash(text)
		if err != nil {
			return none, err
		}
		switch {
		case last == 0:
			return none, errors.New("it is longer than the log is high")
		case place&1 == 1 || place == last:
			at = parent(other, at)
			if place&1 == 0 { // alone at the right end: it moves up unpaired
				up := bits.TrailingZeros64(place)
				place, last = place>>up, last>>up
			}
		default:
			at = parent(at, other)
		}
		place, last = place>>1, last>>1
	}
	if last != 0 {
		return none, errors.New("it ends before the root")
	}
	return at, nil
}

func parent(left, right [sha256.Size]byte) [sha256.Size]byte {
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// told is what a decision says, in short.
func told(decision string) string {
	var d struct {
		Claim    string `json:"claim"`
		Policy   string `json:"policy"`
		Outcome  string `json:"outcome"`
		Form     string `json:"form"`
		Amount   int64  `json:"amount"`
		Hours    int64  `json:"hours"`
		Currency string `json:"currency"`
	}
	if json.Unmarshal([]byte(decision), &d) != nil {
		return "its text is no JSON"
	}
	what := fmt.Sprintf("%s of %d %s", d.Form, d.Amount, d.Currency)
	if d.Hours > 0 {
		what = fmt.Sprintf("%s of %d hours", d.Form, d.Hours)
	}
	if d.Outcome != "pay" {
		what = d.Outcome
	}
	return fmt.Sprintf("claim %s, by %s: %s", d.Claim, d.Policy, what)
}
