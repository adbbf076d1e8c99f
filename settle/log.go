package settle

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"bongsu/internal/kv"
)

// Keys of the transparency log.
const (
	logSizeKey    = "log/size"
	logHashPrefix = "log/hash/" // by number, as [tlog.StoredHashes] counts
	logByPrefix   = "log/by/"   // number of the leaf, by what it is about
)

// mostLeaves is how many commitments one transaction appends.
const mostLeaves = 100

// logOrigin is the first line of checkpoints.
const logOrigin = "bongsu decisions"

// A Log is a public list of commitments to decisions: it shows that none was changed
// or taken back in silence, and tells nothing about anybody. Its tree is that of RFC 6962.
type Log struct {
	Store kv.Store
	Key   note.Signer
}

// A Commitment binds a decision without telling it. About is what it is kept by, for
// instance the claim and its version; it is not in the log.
type Commitment struct {
	About string
	Hash  [32]byte
}

// Commit makes a commitment to a decision, and the salt that opens it. The salt is kept
// with what can be erased: without it the commitment says nothing to those who guess.
func Commit(about string, decision []byte) (c Commitment, salt []byte) {
	salt = make([]byte, 32)
	_, _ = rand.Read(salt) // never fails
	return CommitWith(about, salt, decision), salt
}

// CommitWith makes a commitment with a salt that is kept, or derived, elsewhere.
func CommitWith(about string, salt, decision []byte) Commitment {
	return Commitment{about, commitment(salt, decision)}
}

func commitment(salt, decision []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("bongsu decision\x00"))
	h.Write(salt)
	h.Write(decision)
	return [32]byte(h.Sum(nil))
}

// A Proof shows a claimant that the decision is in the log.
type Proof struct {
	Leaf       int64    `json:"leaf"`
	Salt       []byte   `json:"salt"`
	Checkpoint string   `json:"checkpoint"` // a signed note: origin, size, root
	Path       []string `json:"path"`       // hashes, base64
}

// Append adds commitments, each once: one whose About is there already is left alone.
func (l *Log) Append(ctx context.Context, list []Commitment) error {
	for chunk := range slices.Chunk(list, mostLeaves) {
		for fresh := true; ; fresh = false {
			err := l.append(ctx, chunk, fresh)
			if errors.Is(err, kv.ErrConflict) && ctx.Err() == nil {
				continue // another process appended, or did so before: look again
			}
			if err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// append is one attempt. fresh takes it that nothing of the list is in the log yet, which
// the transaction finds out.
func (l *Log) append(ctx context.Context, list []Commitment, fresh bool) error {
	there := make([]bool, len(list))
	if !fresh {
		if err := kv.Together(ctx, len(list), func(ctx context.Context, i int) error {
			var err error
			_, there[i], err = l.Store.Get(ctx, logByPrefix+list[i].About)
			return err
		}); err != nil {
			return fmt.Errorf("append to the log: %w", err)
		}
	}
	size, modified, err := l.size(ctx)
	if err != nil {
		return err
	}
	t := kv.Txn{If: []kv.Cond{{Key: logSizeKey, Modified: modified}}}
	r := reader{ctx: ctx, store: l.Store, fresh: map[int64]tlog.Hash{}}
	for n, c := range list {
		if there[n] {
			continue
		}
		key := logByPrefix + c.About
		hashes, err := tlog.StoredHashesForRecordHash(size, tlog.RecordHash(c.Hash[:]), &r)
		if err != nil {
			return fmt.Errorf("append to the log: %w", err)
		}
		first := tlog.StoredHashIndex(0, size)
		for i, h := range hashes {
			r.fresh[first+int64(i)] = h
			t.Do = append(t.Do, kv.Op{Key: hashKey(first + int64(i)), Value: []byte(h.String())})
		}
		t.If = append(t.If, kv.Cond{Key: key})
		t.Do = append(t.Do, kv.Op{Key: key, Value: []byte(strconv.FormatInt(size, 10))})
		size++
	}
	if len(t.Do) == 0 {
		return nil
	}
	t.Do = append(t.Do, kv.Op{Key: logSizeKey, Value: []byte(strconv.FormatInt(size, 10))})
	if _, err := l.Store.Commit(ctx, t); err != nil {
		return fmt.Errorf("append to the log: %w", err)
	}
	return nil
}

// all returns what the log has commitments about.
func (l *Log) all(ctx context.Context) (map[string]bool, error) {
	found, _, err := l.Store.List(ctx, logByPrefix)
	if err != nil {
		return nil, fmt.Errorf("list the log: %w", err)
	}
	out := make(map[string]bool, len(found))
	for _, e := range found {
		out[strings.TrimPrefix(e.Key, logByPrefix)] = true
	}
	return out, nil
}

func hashKey(n int64) string { return fmt.Sprintf("%s%016d", logHashPrefix, n) }

func (l *Log) size(ctx context.Context) (size, modified int64, err error) {
	e, ok, err := l.Store.Get(ctx, logSizeKey)
	if err != nil || !ok {
		return 0, 0, err
	}
	size, err = strconv.ParseInt(string(e.Value), 10, 64)
	return size, e.Modified, err
}

// A reader gives tlog the hashes that are stored, and those that are about to be.
type reader struct {
	ctx   context.Context //nolint:containedctx // tlog's interface has none, and it lives for one call
	store kv.Store
	fresh map[int64]tlog.Hash
}

// ReadHashes implements [tlog.HashReader].
func (r *reader) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, n := range at {
		if h, ok := r.fresh[n]; ok {
			out[i] = h
			continue
		}
		e, ok, err := r.store.Get(r.ctx, hashKey(n))
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("hash %d is not stored", n)
		}
		if out[i], err = tlog.ParseHash(string(e.Value)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkpoint signs the log of so many leaves.
func (l *Log) checkpoint(ctx context.Context, size int64) (string, error) {
	root, err := tlog.TreeHash(size, &reader{ctx: ctx, store: l.Store})
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", logOrigin, size, root)}, l.Key)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	return string(signed), nil
}

// Checkpoint is the signed head of the log; empty while nothing is in it.
func (l *Log) Checkpoint(ctx context.Context) (string, error) {
	size, _, err := l.size(ctx)
	if err != nil || size == 0 {
		return "", err
	}
	return l.checkpoint(ctx, size)
}

// Prove returns the proof that what a commitment is about is in the log, or
// [ErrNotFound]. salt is the caller's to add.
func (l *Log) Prove(ctx context.Context, about string) (Proof, error) {
	e, ok, err := l.Store.Get(ctx, logByPrefix+about)
	if err != nil {
		return Proof{}, fmt.Errorf("prove: %w", err)
	}
	if !ok {
		return Proof{}, fmt.Errorf("%w in the log: %s", ErrNotFound, about)
	}
	leaf, err := strconv.ParseInt(string(e.Value), 10, 64)
	if err != nil {
		return Proof{}, fmt.Errorf("prove: %w", err)
	}
	size, _, err := l.size(ctx)
	if err != nil {
		return Proof{}, fmt.Errorf("prove: %w", err)
	}
	path, err := tlog.ProveRecord(size, leaf, &reader{ctx: ctx, store: l.Store})
	if err != nil {
		return Proof{}, fmt.Errorf("prove: %w", err)
	}
	p := Proof{Leaf: leaf, Path: []string{}}
	for _, h := range path {
		p.Path = append(p.Path, h.String())
	}
	p.Checkpoint, err = l.checkpoint(ctx, size)
	return p, err
}

// CheckProof says whether the decision is in the log that key signed.
func CheckProof(p Proof, decision []byte, key note.Verifier) error {
	n, err := note.Open([]byte(p.Checkpoint), note.VerifierList(key))
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != logOrigin {
		return errors.New("the checkpoint is not of a log of decisions")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	var path tlog.RecordProof
	for _, s := range p.Path {
		h, err := tlog.ParseHash(s)
		if err != nil {
			return fmt.Errorf("the path: %w", err)
		}
		path = append(path, h)
	}
	c := commitment(p.Salt, decision)
	if err := tlog.CheckRecord(path, size, root, p.Leaf, tlog.RecordHash(c[:])); err != nil {
		return fmt.Errorf("this decision is not what the log holds: %w", err)
	}
	return nil
}
