package incident

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"bongsu/internal/kv"
)

// CheckpointPrefix is where signed checkpoints are kept: below it the incident's ID and
// how many entries the checkpoint is about.
const CheckpointPrefix = "incident-checkpoint/"

// ErrTampered says that the entries of an incident are not those that were signed.
var ErrTampered = errors.New("the record is not the one that was signed")

type storedCheckpoint struct {
	V    int    `json:"v"`
	Note string `json:"note"`
}

// A Checkpoint is a signed word on the first Size entries of an incident: the hash of
// a Merkle tree over them (RFC 6962), in a signed note.
type Checkpoint struct {
	Size int64
	Hash tlog.Hash
	At   time.Time
	Note string // as signed
}

// checkpointText is what is signed: the form of C2SP tlog-checkpoint, with the moment
// as an extension line.
func checkpointText(id string, tree tlog.Tree, at time.Time) string {
	return fmt.Sprintf("bongsu/incident/%s\n%d\n%s\nat %s\n", id, tree.N, tree.Hash, at.UTC().Format(time.RFC3339))
}

func parseCheckpoint(id, signed string) (Checkpoint, error) {
	bad := fmt.Errorf("checkpoint of %s: not in its form", id)
	lines := strings.SplitN(signed, "\n", 5)
	if len(lines) != 5 || lines[0] != "bongsu/incident/"+id {
		return Checkpoint{}, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 1 {
		return Checkpoint{}, bad
	}
	hash, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, bad
	}
	at, err := time.Parse("at "+time.RFC3339, lines[3])
	if err != nil {
		return Checkpoint{}, bad
	}
	return Checkpoint{Size: size, Hash: hash, At: at, Note: signed}, nil
}

// A tree holds the hashes of a Merkle tree over entries.
type tree struct {
	n      int64
	hashes []tlog.Hash
}

// ReadHashes implements [tlog.HashReader].
func (t *tree) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for n, i := range at {
		if i < 0 || i >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("the tree has no hash %d", i)
		}
		out[n] = t.hashes[i]
	}
	return out, nil
}

// growTree makes the tree over the entries as they are stored.
func growTree(entries []kv.Entry) (*tree, error) {
	t := &tree{}
	for _, e := range entries {
		more, err := tlog.StoredHashes(t.n, e.Value, t)
		if err != nil {
			return nil, fmt.Errorf("hash %s: %w", e.Key, err)
		}
		t.hashes = append(t.hashes, more...)
		t.n++
	}
	return t, nil
}

func (t *tree) root(size int64) (tlog.Hash, error) {
	if size > t.n {
		return tlog.Hash{}, fmt.Errorf("%w: it has %d entries, and a checkpoint of %d was signed", ErrTampered, t.n, size)
	}
	return tlog.TreeHash(size, t)
}

// entriesOf reads the entries of an incident as they are stored, in their order.
func entriesOf(ctx context.Context, s kv.Store, id string) ([]kv.Entry, error) {
	if id == "" || strings.Contains(id, "/") {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	entries, _, err := s.List(ctx, Prefix+id+"/")
	if err != nil {
		return nil, fmt.Errorf("read incident %s: %w", id, err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: %q; bongsu incident show lists them", ErrNotFound, id)
	}
	return entries, nil
}

// Checkpoints returns what was signed of an incident, smallest first. It does not
// check signatures.
func Checkpoints(ctx context.Context, s kv.Store, id string) ([]Checkpoint, error) {
	stored, _, err := s.List(ctx, CheckpointPrefix+id+"/")
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints of %s: %w", id, err)
	}
	out := []Checkpoint{}
	for _, e := range stored {
		var c storedCheckpoint
		if err := json.Unmarshal(e.Value, &c); err != nil {
			return nil, fmt.Errorf("checkpoint %s: %w", e.Key, err)
		}
		if c.V != 1 {
			return nil, fmt.Errorf("checkpoint %s is of version %d, this program knows version 1: update it", e.Key, c.V)
		}
		parsed, err := parseCheckpoint(id, c.Note)
		if err != nil {
			return nil, err
		}
		out = append(out, parsed)
	}
	return out, nil
}

// Seal signs the entries of an incident as they are, unless that was done; signed says
// whether it did. It never signs what contradicts an earlier checkpoint: then it
// returns [ErrTampered]. Two nodes that seal at once make one checkpoint of a size.
//
// Checkpoints are kept beside the entries, so whoever can rewrite one can drop the
// other: known is the last checkpoint that the caller remembers by itself, and counts
// as one that is stored. It is zero for none.
func Seal(ctx context.Context, s kv.Store, id string, by note.Signer, known Checkpoint) (c Checkpoint, signed bool, err error) {
	// Checkpoints first: what another node signs in between is of entries that are read.
	before, err := Checkpoints(ctx, s, id)
	if err != nil {
		return Checkpoint{}, false, err
	}
	entries, err := entriesOf(ctx, s, id)
	if errors.Is(err, ErrNotFound) && known.Size > 0 {
		return Checkpoint{}, false, fmt.Errorf("%w: none of the %d entries of %s that were signed at %s are left", ErrTampered, known.Size, id, known.At.Format(time.RFC3339))
	}
	if err != nil {
		return Checkpoint{}, false, err
	}
	t, err := growTree(entries)
	if err != nil {
		return Checkpoint{}, false, err
	}
	last := known
	for _, c := range append(before[max(0, len(before)-1):], known) {
		if c.Size == 0 {
			continue
		}
		switch hash, err := t.root(c.Size); {
		case err != nil:
			return Checkpoint{}, false, err
		case hash != c.Hash:
			return Checkpoint{}, false, fmt.Errorf("%w: the first %d entries of %s hash to another value than at %s", ErrTampered, c.Size, id, c.At.Format(time.RFC3339))
		case c.Size > last.Size:
			last = c
		}
	}
	if known.Size > 0 && len(before) == 0 {
		return Checkpoint{}, false, fmt.Errorf("%w: the checkpoints of %s are gone, of %d entries at %s the last", ErrTampered, id, known.Size, known.At.Format(time.RFC3339))
	}
	if last.Size == t.n {
		return last, false, nil
	}
	hash, err := t.root(t.n)
	if err != nil {
		return Checkpoint{}, false, err
	}
	at := time.Now().UTC().Truncate(time.Second)
	msg, err := note.Sign(&note.Note{Text: checkpointText(id, tlog.Tree{N: t.n, Hash: hash}, at)}, by)
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("sign the record of %s: %w", id, err)
	}
	value, err := json.Marshal(storedCheckpoint{V: 1, Note: string(msg)})
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("encode checkpoint: %w", err)
	}
	key := fmt.Sprintf("%s%s/%06d", CheckpointPrefix, id, t.n)
	switch _, err := s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: key}}, Do: []kv.Op{{Key: key, Value: value}}}); {
	case errors.Is(err, kv.ErrConflict): // another node signed it first
		return Checkpoint{}, false, nil
	case err != nil:
		return Checkpoint{}, false, fmt.Errorf("write the checkpoint of %s: %w", id, err)
	}
	return Checkpoint{Size: t.n, Hash: hash, At: at, Note: string(msg)}, true, nil
}

// An Export is the record of one incident as evidence: what bongsu incident export
// writes and bongsu verify checks without this package. It is a contract.
type Export struct {
	Kind        string            `json:"kind"` // incident-record
	Version     int               `json:"version"`
	Incident    string            `json:"incident"`
	At          time.Time         `json:"at"`
	Key         string            `json:"key"`     // public key of the checkpoints; empty: the nodes have none
	Entries     []json.RawMessage `json:"entries"` // as stored; their bytes, compact, are what is hashed
	Checkpoints []string          `json:"checkpoints"`
	Proofs      []Proof           `json:"proofs"` // each checkpoint is of the same entries as the one before
}

// A Proof shows that a checkpoint of To entries continues one of From entries.
type Proof struct {
	From   int64    `json:"from"`
	To     int64    `json:"to"`
	Hashes []string `json:"hashes"` // base64
}

// ExportRecord puts together what is stored of an incident. key is the public key of the
// checkpoints.
func ExportRecord(ctx context.Context, s kv.Store, id, key string) (Export, error) {
	// Checkpoints first: an entry that comes in between is only not sealed yet.
	signed, err := Checkpoints(ctx, s, id)
	if err != nil {
		return Export{}, err
	}
	entries, err := entriesOf(ctx, s, id)
	if err != nil {
		return Export{}, err
	}
	out := Export{
		Kind: "incident-record", Version: 1, Incident: id, At: time.Now().UTC().Truncate(time.Second), Key: key,
		Entries: []json.RawMessage{}, Checkpoints: []string{}, Proofs: []Proof{},
	}
	for _, e := range entries {
		out.Entries = append(out.Entries, e.Value)
	}
	t, err := growTree(entries)
	if err != nil {
		return Export{}, err
	}
	for n, c := range signed {
		out.Checkpoints = append(out.Checkpoints, c.Note)
		if n == 0 {
			continue
		}
		p, err := t.consistency(signed[n-1].Size, c.Size)
		if err != nil {
			return Export{}, err
		}
		out.Proofs = append(out.Proofs, p)
	}
	return out, nil
}

func (t *tree) consistency(from, to int64) (Proof, error) {
	if to > t.n {
		return Proof{}, fmt.Errorf("%w: it has %d entries, and a checkpoint of %d was signed", ErrTampered, t.n, to)
	}
	hashes, err := tlog.ProveTree(to, from, t)
	if err != nil {
		return Proof{}, fmt.Errorf("prove that %d entries continue %d: %w", to, from, err)
	}
	p := Proof{From: from, To: to, Hashes: []string{}}
	for _, h := range hashes {
		p.Hashes = append(p.Hashes, base64.StdEncoding.EncodeToString(h[:]))
	}
	return p, nil
}
