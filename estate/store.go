package estate

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/internal/kv"
)

// A Revision is one estate that was pushed.
type Revision struct {
	Number int64  // 1, 2, 3, …
	Rev    string // of the content; as in [Snapshot.Rev]
	Who    string
	Why    string
	At     time.Time // UTC
	Files  int
	Bytes  int64 // of the files, before compression
	Of     int64 // the number that this one brings back; 0 when it is no rollback
}

// Errors that callers branch on.
var (
	ErrNoRevision = errors.New("no such revision")
	ErrDropped    = errors.New("the files of this revision are no longer kept")
)

// The keys, all below "estate/".
const (
	keyHead = "estate/head"
	keyRev  = "estate/rev/"  // and the number, ten digits
	keyData = "estate/data/" // and the sum of the archive, a slash, the piece, five digits
)

const (
	pieceBytes   = 256 << 10 // of a value
	piecesPerTxn = 3         // so that a transaction stays below 1 MiB
	keptContents = 50        // revisions whose files are kept
)

// storedHead is the value of keyHead.
type storedHead struct {
	V      int   `json:"v"`
	Number int64 `json:"number"`
}

// storedRevision is the value of a key below keyRev.
type storedRevision struct {
	V      int       `json:"v"`
	Number int64     `json:"number"`
	Rev    string    `json:"rev"`
	Who    string    `json:"who"`
	Why    string    `json:"why"`
	At     time.Time `json:"at"`
	Files  int       `json:"files"`
	Bytes  int64     `json:"bytes"`
	Of     int64     `json:"of,omitempty"`
	Sum    string    `json:"sum"`    // SHA-256 of the tar archive, in hex
	Pieces int       `json:"pieces"` // of its gzip
}

const storedVersion = 1

func (r storedRevision) public() Revision {
	return Revision{r.Number, r.Rev, r.Who, r.Why, r.At, r.Files, r.Bytes, r.Of}
}

// Push checks files and makes them the current revision. Files that are the
// current revision already make no new one. The error is [Errors] when the
// files are no estate, kv.ErrConflict when another push came first and
// kv.ErrFenced when the fence is gone; the estate is unchanged then.
func Push(ctx context.Context, st kv.Store, fence *kv.Fence, files []File, who, why string) (Revision, error) {
	s, err := Parse(files)
	if err != nil {
		return Revision{}, err
	}
	archive, err := pack(files)
	if err != nil {
		return Revision{}, fmt.Errorf("pack the estate: %w", err)
	}
	sum := sha256.Sum256(archive)
	r := storedRevision{Rev: s.Rev, Who: who, Why: why, Files: len(files), Sum: hex.EncodeToString(sum[:])}
	for _, f := range files {
		r.Bytes += int64(len(f.Data))
	}
	return push(ctx, st, fence, r, archive)
}

// push writes the pieces of the archive, then in one transaction the record of
// the revision and the head. Until then nobody sees anything of it.
func push(ctx context.Context, st kv.Store, fence *kv.Fence, r storedRevision, archive []byte) (Revision, error) {
	head, number, err := readHead(ctx, st)
	if err != nil {
		return Revision{}, err
	}
	all, err := records(ctx, st)
	if err != nil {
		return Revision{}, err
	}
	stored := false
	for _, old := range all {
		if old.Number == number && old.Sum == r.Sum && old.Rev == r.Rev {
			return old.public(), nil
		}
		if old.Sum == r.Sum && old.Number > number-keptContents {
			stored, r.Pieces = true, old.Pieces
		}
	}
	if !stored {
		if r.Pieces, err = writePieces(ctx, st, fence, r.Sum, archive); err != nil {
			return Revision{}, err
		}
	}
	first, ok, err := st.Get(ctx, pieceKey(r.Sum, 0))
	if err != nil || !ok {
		return Revision{}, fmt.Errorf("read back the files of the estate: %w", cmp.Or(err, kv.ErrConflict))
	}
	r.V, r.Number, r.At = storedVersion, number+1, time.Now().UTC()
	committed, err := st.Commit(ctx, kv.Txn{
		Fence: fence,
		If: []kv.Cond{
			{Key: keyHead, Modified: head},
			{Key: first.Key, Modified: first.Modified}, // another push may be dropping it
		},
		Do: []kv.Op{
			{Key: revKey(r.Number), Value: encode(r)},
			{Key: keyHead, Value: encode(storedHead{storedVersion, r.Number})},
		},
	})
	if err != nil {
		return Revision{}, fmt.Errorf("store revision %d of the estate: %w", r.Number, err)
	}
	if err := drop(ctx, st, fence, append(all, r), committed); err != nil && !errors.Is(err, kv.ErrConflict) {
		return r.public(), fmt.Errorf("revision %d of the estate is stored, but an old one could not be dropped: %w", r.Number, err)
	}
	return r.public(), nil
}

// Head returns the current revision; ok is false before the first push.
func Head(ctx context.Context, st kv.Store) (r Revision, ok bool, err error) {
	_, number, err := readHead(ctx, st)
	if err != nil || number == 0 {
		return Revision{}, false, err
	}
	s, err := record(ctx, st, number)
	return s.public(), err == nil, err
}

// At returns the files of a revision, and its record. It is named by its number
// or by its Rev or the beginning of it; the newest that fits is meant.
func At(ctx context.Context, st kv.Store, rev string) ([]File, Revision, error) {
	r, err := named(ctx, st, rev)
	if err != nil {
		return nil, Revision{}, err
	}
	archive, err := readPieces(ctx, st, r)
	if err != nil {
		return nil, Revision{}, err
	}
	files, err := unpack(archive)
	if err != nil {
		return nil, Revision{}, fmt.Errorf("revision %d of the estate is damaged: %w", r.Number, err)
	}
	return files, r.public(), nil
}

// Log returns all revisions, the newest first.
func Log(ctx context.Context, st kv.Store) ([]Revision, error) {
	all, err := records(ctx, st)
	if err != nil {
		return nil, err
	}
	out := make([]Revision, 0, len(all))
	for _, r := range slices.Backward(all) {
		out = append(out, r.public())
	}
	return out, nil
}

// Rollback makes a new revision with the files of an old one, named as for
// [At]. The revisions in between stay in the log.
func Rollback(ctx context.Context, st kv.Store, fence *kv.Fence, rev, who, why string) (Revision, error) {
	r, err := named(ctx, st, rev)
	if err != nil {
		return Revision{}, err
	}
	archive, err := readPieces(ctx, st, r)
	if err != nil {
		return Revision{}, err
	}
	r.Of, r.Who, r.Why = r.Number, who, why
	return push(ctx, st, fence, r, archive)
}

func revKey(n int64) string { return fmt.Sprintf("%s%010d", keyRev, n) }

func pieceKey(sum string, i int) string { return fmt.Sprintf("%s%s/%05d", keyData, sum, i) }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // unreachable: the stored structs hold numbers, strings and times only
	}
	return b
}

// decode reads a stored value; what a newer version wrote is refused, not guessed.
func decode[T any](key string, value []byte, version func(*T) int) (T, error) {
	var v T
	if err := json.Unmarshal(value, &v); err != nil {
		return v, fmt.Errorf("%s holds no record of the estate: %w", key, err)
	}
	if n := version(&v); n != storedVersion {
		return v, fmt.Errorf("%s has version %d, but this program knows version %d only; use the program that wrote it", key, n, storedVersion)
	}
	return v, nil
}

func readHead(ctx context.Context, st kv.Store) (modified, number int64, err error) {
	e, ok, err := st.Get(ctx, keyHead)
	if err != nil {
		return 0, 0, fmt.Errorf("read the head of the estate: %w", err)
	}
	if !ok {
		return 0, 0, nil
	}
	h, err := decode(keyHead, e.Value, func(h *storedHead) int { return h.V })
	return e.Modified, h.Number, err
}

func record(ctx context.Context, st kv.Store, number int64) (storedRevision, error) {
	key := revKey(number)
	e, ok, err := st.Get(ctx, key)
	if err != nil {
		return storedRevision{}, fmt.Errorf("read revision %d of the estate: %w", number, err)
	}
	if !ok {
		return storedRevision{}, fmt.Errorf("revision %d: %w", number, ErrNoRevision)
	}
	return decode(key, e.Value, func(r *storedRevision) int { return r.V })
}

// records returns the records of all revisions, the oldest first.
func records(ctx context.Context, st kv.Store) ([]storedRevision, error) {
	entries, _, err := st.List(ctx, keyRev)
	if err != nil {
		return nil, fmt.Errorf("list the revisions of the estate: %w", err)
	}
	out := make([]storedRevision, 0, len(entries))
	for _, e := range entries {
		r, err := decode(e.Key, e.Value, func(r *storedRevision) int { return r.V })
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// named returns the newest revision that rev names.
func named(ctx context.Context, st kv.Store, rev string) (storedRevision, error) {
	all, err := records(ctx, st)
	if err != nil {
		return storedRevision{}, err
	}
	number, err := strconv.ParseInt(rev, 10, 64)
	isNumber := err == nil && len(rev) < 10 // longer ones are the start of a Rev
	for _, r := range slices.Backward(all) {
		if isNumber && r.Number == number || !isNumber && len(rev) >= 4 && (strings.HasPrefix(r.Rev, rev) || strings.HasPrefix(r.Rev, "sha256:"+rev)) {
			return r, nil
		}
	}
	if len(all) == 0 {
		return storedRevision{}, fmt.Errorf("revision %q: %w; nothing was pushed yet", rev, ErrNoRevision)
	}
	return storedRevision{}, fmt.Errorf("revision %q: %w; there are 1 to %d", rev, ErrNoRevision, all[len(all)-1].Number)
}

// pack returns the files as a tar archive, the same bytes for the same files.
func pack(files []File) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Mode: 0o644, Size: int64(len(f.Data)), Format: tar.FormatPAX}); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpack(archive []byte) ([]File, error) {
	var files []File
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Name: h.Name, Data: data})
	}
}

// writePieces stores the compressed archive and returns how many pieces it has.
// Pieces of a push that died here before are written over.
func writePieces(ctx context.Context, st kv.Store, fence *kv.Fence, sum string, archive []byte) (int, error) {
	packed, err := kv.Pack(archive)
	if err != nil {
		return 0, fmt.Errorf("compress the estate: %w", err)
	}
	var ops []kv.Op
	n := 0
	for piece := range slices.Chunk(packed, pieceBytes) {
		ops = append(ops, kv.Op{Key: pieceKey(sum, n), Value: piece})
		n++
	}
	for some := range slices.Chunk(ops, piecesPerTxn) {
		if _, err := st.Commit(ctx, kv.Txn{Fence: fence, Do: some}); err != nil {
			return 0, fmt.Errorf("store the files of the estate: %w", err)
		}
	}
	return n, nil
}

func readPieces(ctx context.Context, st kv.Store, r storedRevision) ([]byte, error) {
	var packed []byte
	for i := range r.Pieces {
		e, ok, err := st.Get(ctx, pieceKey(r.Sum, i))
		if err != nil {
			return nil, fmt.Errorf("read the files of revision %d: %w", r.Number, err)
		}
		if !ok {
			return nil, fmt.Errorf("revision %d: %w", r.Number, ErrDropped)
		}
		packed = append(packed, e.Value...)
	}
	archive, err := kv.Unpack(packed, 2*maxBytes)
	if err != nil {
		return nil, fmt.Errorf("revision %d of the estate is damaged: %w", r.Number, err)
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != r.Sum {
		return nil, fmt.Errorf("revision %d of the estate is damaged: its sum does not match", r.Number)
	}
	return archive, nil
}

// drop deletes the files of revisions that are no longer kept, the first piece
// first, as long as the head is the one written at modified: a push that comes
// later does it too, and knows better what is in use. The records stay: who
// changed what, and when, is never lost.
func drop(ctx context.Context, st kv.Store, fence *kv.Fence, all []storedRevision, modified int64) error {
	head := all[len(all)-1].Number
	kept := map[string]bool{}
	for _, r := range all {
		if r.Number > head-keptContents {
			kept[r.Sum] = true
		}
	}
	for _, r := range all {
		// One revision falls out with each push; the one before it may have
		// survived a crash here.
		if kept[r.Sum] || r.Number <= head-keptContents-2 {
			continue
		}
		var ops []kv.Op
		for i := range r.Pieces {
			ops = append(ops, kv.Op{Key: pieceKey(r.Sum, i), Delete: true})
		}
		for some := range slices.Chunk(ops, 100) {
			if _, err := st.Commit(ctx, kv.Txn{Fence: fence, If: []kv.Cond{{Key: keyHead, Modified: modified}}, Do: some}); err != nil {
				return err
			}
		}
	}
	return nil
}
