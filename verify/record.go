package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// KindRecord is the kind of an exported record of an incident.
const KindRecord = "incident-record"

// RecordVersion is the version of the format of exported records.
const RecordVersion = 1

// A RecordFile is what bongsu incident export writes.
type RecordFile struct {
	Kind        string            `json:"kind"`
	Version     int               `json:"version"`
	Incident    string            `json:"incident"`
	At          time.Time         `json:"at"`
	Key         string            `json:"key"`         // of the checkpoints, as a note's verifier key
	Entries     []json.RawMessage `json:"entries"`     // each is a leaf of the tree, in its compact form
	Checkpoints []string          `json:"checkpoints"` // signed notes, smallest first
	Proofs      []RecordProof     `json:"proofs"`      // that each checkpoint continues the one before
}

// A RecordProof is a consistency proof of RFC 6962 between two checkpoints.
type RecordProof struct {
	From   int64    `json:"from"`
	To     int64    `json:"to"`
	Hashes []string `json:"hashes"`
}

// RecordOptions are what a record is held against besides itself.
type RecordOptions struct {
	Key     string // the public key that it must be signed with, as in record.pub; empty: any
	Earlier []byte // an earlier export of the same incident, which it must continue; nil: none
}

// IsRecord reports whether a file is an exported record, and no certificate.
func IsRecord(data []byte) bool {
	var f struct {
		Kind string `json:"kind"`
	}
	return json.Unmarshal(data, &f) == nil && f.Kind == KindRecord
}

// CheckRecord checks an exported record of an incident: that its entries are those, in
// the order, that the checkpoints were signed over. An error says that the file is no
// record of this version.
func CheckRecord(data []byte, o RecordOptions) (*Report, error) {
	f, err := readRecord(data)
	if err != nil {
		return nil, err
	}
	c := recordChecker{file: f, report: &Report{Kind: KindRecord, Proved: []string{}, Unproved: []string{}, Wrong: []string{}}}
	c.leaves()
	c.key(o.Key)
	c.checkpoints()
	c.proofs()
	if o.Earlier != nil {
		before, err := readRecord(o.Earlier)
		if err != nil {
			return nil, fmt.Errorf("the earlier export: %w", err)
		}
		c.continues(before)
	}
	return c.done(), nil
}

func readRecord(data []byte) (*RecordFile, error) {
	if err := onceEach(data); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	f := &RecordFile{}
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows after it", ErrNotCertificate)
	}
	switch {
	case f.Kind != KindRecord:
		return nil, fmt.Errorf("%w: its kind is %q, not %s", ErrNotCertificate, f.Kind, KindRecord)
	case f.Version != RecordVersion:
		return nil, fmt.Errorf("%w: it has version %d, this program knows version %d", ErrNotCertificate, f.Version, RecordVersion)
	case f.Incident == "":
		return nil, fmt.Errorf("%w: it names no incident", ErrNotCertificate)
	}
	return f, nil
}

type recordChecker struct {
	file     *RecordFile
	report   *Report
	hashes   []tlog.Hash // of the tree, as [tlog.StoredHashes] numbers them
	verifier note.Verifier
	sizes    []int64 // of the checkpoints that hold
	roots    []tlog.Hash
}

// ReadHashes implements [tlog.HashReader].
func (c *recordChecker) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for n, i := range at {
		if i < 0 || i >= int64(len(c.hashes)) {
			return nil, fmt.Errorf("no hash %d", i)
		}
		out[n] = c.hashes[i]
	}
	return out, nil
}

// leaves makes the tree over the entries.
func (c *recordChecker) leaves() {
	if len(c.file.Entries) == 0 {
		c.report.wrong("it has no entry")
	}
	for n, raw := range c.file.Entries {
		var leaf bytes.Buffer
		if err := json.Compact(&leaf, raw); err != nil {
			c.report.wrong("entry %d is no JSON: %v", n+1, err)
			return
		}
		var e struct {
			V   int       `json:"v"`
			At  time.Time `json:"at"`
			By  string    `json:"by"`
			Act string    `json:"act"`
		}
		if err := json.Unmarshal(raw, &e); err != nil || e.V < 1 || e.At.IsZero() || e.By == "" || e.Act == "" {
			c.report.wrong("entry %d does not say when who did what", n+1)
		}
		more, err := tlog.StoredHashes(int64(n), leaf.Bytes(), c)
		if err != nil {
			c.report.wrong("entry %d cannot be hashed: %v", n+1, err)
			return
		}
		c.hashes = append(c.hashes, more...)
	}
}

func (c *recordChecker) key(want string) {
	v, err := note.NewVerifier(strings.TrimSpace(c.file.Key))
	switch {
	case c.file.Key == "":
		c.report.wrong("it holds no public key: nothing in it is signed")
		return
	case err != nil:
		c.report.wrong("its public key is none: %v", err)
		return
	case want != "" && strings.TrimSpace(want) != strings.TrimSpace(c.file.Key):
		c.report.wrong("it is signed with the key %s (%08x), which is not the key that was named", v.Name(), v.KeyHash())
		return
	}
	c.verifier = v
	if want == "" {
		c.report.Unproved = append(c.report.Unproved, fmt.Sprintf("that the key %s (%08x) in the file is that of who is said to have recorded it: compare it with record.pub of a node, or name that file with --key", v.Name(), v.KeyHash()))
	}
}

// checkpoints checks every checkpoint against the entries.
func (c *recordChecker) checkpoints() {
	if c.verifier == nil {
		return
	}
	if len(c.file.Checkpoints) == 0 {
		c.report.wrong("it holds no checkpoint: nothing in it is signed")
	}
	last, parted := int64(0), false
	for n, signed := range c.file.Checkpoints {
		size, root, err := c.checkpoint(signed)
		switch {
		case err != nil:
			c.report.wrong("checkpoint %d: %v", n+1, err)
			continue
		case size <= last:
			c.report.wrong("checkpoint %d is of %d entries, and the one before of %d", n+1, size, last)
			continue
		}
		last = size
		if size > int64(len(c.file.Entries)) {
			c.report.wrong("checkpoint %d was signed over %d entries, and the file holds %d: some are missing", n+1, size, len(c.file.Entries))
			continue
		}
		if parted {
			continue // every later one differs, too
		}
		if have, err := tlog.TreeHash(size, c); err != nil || have != root {
			parted = true
			held := int64(0)
			if len(c.sizes) > 0 {
				held = c.sizes[len(c.sizes)-1]
			}
			c.report.wrong("checkpoint %d was signed over other entries than the first %d of the file: of entries %d to %d one was changed, left out, added or moved", n+1, size, held+1, size)
			continue
		}
		c.sizes, c.roots = append(c.sizes, size), append(c.roots, root)
	}
}

// checkpoint opens one signed note.
func (c *recordChecker) checkpoint(signed string) (size int64, root tlog.Hash, err error) {
	opened, err := note.Open([]byte(signed), note.VerifierList(c.verifier))
	if err != nil {
		return 0, root, fmt.Errorf("its signature does not hold: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return 0, root, errors.New("it is not in the form of a checkpoint")
	}
	if want := "bongsu/incident/" + c.file.Incident; lines[0] != want {
		return 0, root, fmt.Errorf("it is about %q, not about %s", lines[0], want)
	}
	if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || size < 1 {
		return 0, root, fmt.Errorf("%q is no number of entries", lines[1])
	}
	if root, err = tlog.ParseHash(lines[2]); err != nil {
		return 0, root, fmt.Errorf("%q is no hash", lines[2])
	}
	return size, root, nil
}

// proofs checks that each checkpoint continues the one before. It follows from the
// entries, too; the proofs are for those who keep checkpoints and no entries.
func (c *recordChecker) proofs() {
	if len(c.report.Wrong) > 0 {
		return // what they would be held against does not hold
	}
	if want := max(len(c.sizes)-1, 0); len(c.file.Proofs) != want {
		c.report.wrong("it holds %d proofs for %d checkpoints; there is one from each to the next", len(c.file.Proofs), len(c.sizes))
		return
	}
	for n, p := range c.file.Proofs {
		if p.From != c.sizes[n] || p.To != c.sizes[n+1] {
			c.report.wrong("proof %d goes from %d to %d entries, not from %d to %d", n+1, p.From, p.To, c.sizes[n], c.sizes[n+1])
			continue
		}
		hashes := make(tlog.TreeProof, 0, len(p.Hashes))
		for _, text := range p.Hashes {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil || len(b) != tlog.HashSize {
				c.report.wrong("proof %d holds %q, which is no hash", n+1, text)
				return
			}
			hashes = append(hashes, tlog.Hash(b))
		}
		if err := tlog.CheckTree(hashes, p.To, c.roots[n+1], p.From, c.roots[n]); err != nil {
			c.report.wrong("proof %d does not show that %d entries continue %d", n+1, p.To, p.From)
		}
	}
}

// continues checks that nothing that an earlier export was signed over has changed.
func (c *recordChecker) continues(before *RecordFile) {
	if before.Incident != c.file.Incident {
		c.report.wrong("the earlier export is of %s", before.Incident)
		return
	}
	if c.verifier == nil {
		return
	}
	old := recordChecker{file: &RecordFile{Incident: c.file.Incident}, verifier: c.verifier}
	held := int64(0)
	for n, signed := range before.Checkpoints {
		size, root, err := old.checkpoint(signed)
		if err != nil {
			c.report.wrong("checkpoint %d of the earlier export: %v", n+1, err)
			continue
		}
		if size > int64(len(c.file.Entries)) {
			c.report.wrong("checkpoint %d of the earlier export was signed over %d entries, and this file holds %d", n+1, size, len(c.file.Entries))
			continue
		}
		if have, err := tlog.TreeHash(size, c); err != nil || have != root {
			c.report.wrong("checkpoint %d of the earlier export was signed over other entries than the first %d of this file", n+1, size)
			continue
		}
		held = max(held, size)
	}
	if held > 0 {
		c.report.Proved = append(c.report.Proved, fmt.Sprintf("the first %d entries are those of the earlier export", held))
	}
}

func (c *recordChecker) done() *Report {
	r := c.report
	r.Valid = len(r.Wrong) == 0
	if !r.Valid {
		r.Proved = []string{}
		return r
	}
	last := c.sizes[len(c.sizes)-1]
	r.Proved = append([]string{
		fmt.Sprintf("the first %d entries of incident %s are those that were signed, unchanged, all of them and in their order", last, c.file.Incident),
		fmt.Sprintf("%d checkpoints are signed with the key %s (%08x), and each continues the one before", len(c.sizes), c.verifier.Name(), c.verifier.KeyHash()),
	}, r.Proved...)
	if more := int64(len(c.file.Entries)) - last; more > 0 {
		r.Unproved = append(r.Unproved, fmt.Sprintf("the last %d entries: they are newer than the last checkpoint", more))
	}
	r.Unproved = append(r.Unproved,
		"that nothing was recorded after the last checkpoint: an export that was made later, given with --earlier, shows more",
		"that what the entries say is true: they show what was recorded, by whom and in which order")
	return r
}
