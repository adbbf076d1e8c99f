package kv

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"
)

// backupFormat is the first thing in a backup, and its version the second. A part of a
// store has a version of its own, so that no older program takes it for the whole.
const (
	backupFormat  = "bongsu backup"
	backupVersion = 1
	partVersion   = 2
)

// Restoring is the key that a store has while it is restored, so that half a restore
// is never taken for a whole one. Who must not act on half a restore makes it a
// condition of what it writes that this key does not exist.
const Restoring = "restore/unfinished"

// BackupInfo says what a backup is of.
type BackupInfo struct {
	Cluster  string
	At       time.Time
	Revision int64 // what is in the backup is the state at this revision
	Records  int
	Part     string    // of the store; empty: all of it
	Expires  time.Time // after that it is refused; zero: never
}

// The lines of a backup: a header, a record for each key, and an end.
type backupHeader struct {
	Format   string    `json:"format"`
	Version  int       `json:"version"`
	Cluster  string    `json:"cluster"`
	At       time.Time `json:"at"`
	Revision int64     `json:"revision"`
	Part     string    `json:"part,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
}

type backupRecord struct {
	Key    []byte `json:"key"` // in base64, as any byte can be in it
	Value  []byte `json:"value"`
	SHA256 string `json:"sha256"`
}

type backupEnd struct {
	Records int    `json:"records"`
	SHA256  string `json:"sha256"` // of all the lines before
}

// Exporter is a [Store] that can hand out everything at one revision without holding
// it all in memory.
type Exporter interface {
	// Export calls start once with the revision, and then each with every entry, sorted by key.
	Export(ctx context.Context, start func(revision int64) error, each func(Entry) error) error
}

// Backup writes everything in the store, as it is at one revision, and returns what it
// wrote. Keys under a lease are left out: they say who is alive now. The store goes on
// working meanwhile.
func Backup(ctx context.Context, s Store, w io.Writer, cluster string, at time.Time) (BackupInfo, error) {
	return backup(ctx, s, w, BackupInfo{Cluster: cluster, At: at}, func(string) bool { return true })
}

// BackupPart writes the keys that keep names, as [Backup] does, with a name for the part.
// When it expires nobody can read it any more with [ReadPart]: who keeps it removes it by then.
func BackupPart(ctx context.Context, s Store, w io.Writer, of BackupInfo, keep func(key string) bool) (BackupInfo, error) {
	if of.Part == "" {
		return BackupInfo{}, errors.New("back up the store: the part has no name")
	}
	return backup(ctx, s, w, of, keep)
}

func backup(ctx context.Context, s Store, w io.Writer, info BackupInfo, keep func(key string) bool) (BackupInfo, error) {
	info.At, info.Records = info.At.UTC(), 0
	version := backupVersion
	if info.Part != "" {
		version, info.Expires = partVersion, info.Expires.UTC()
	}
	out := bufio.NewWriter(w)
	sum := sha256.New()
	line := func(v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		text = append(text, '\n')
		sum.Write(text)
		_, err = out.Write(text)
		return err
	}
	start := func(rev int64) error {
		info.Revision = rev
		return line(backupHeader{backupFormat, version, info.Cluster, info.At, rev, info.Part, info.Expires})
	}
	each := func(e Entry) error {
		if e.Lease != 0 || e.Key == Restoring || !keep(e.Key) {
			return nil
		}
		info.Records++
		return line(backupRecord{[]byte(e.Key), e.Value, recordSum(e.Key, e.Value)})
	}
	if err := export(ctx, s, start, each); err != nil {
		return BackupInfo{}, fmt.Errorf("back up the store: %w", err)
	}
	if err := errors.Join(line(backupEnd{info.Records, hex.EncodeToString(sum.Sum(nil))}), out.Flush()); err != nil {
		return BackupInfo{}, fmt.Errorf("back up the store: %w", err)
	}
	return info, nil
}

func export(ctx context.Context, s Store, start func(int64) error, each func(Entry) error) error {
	if x, ok := s.(Exporter); ok {
		return x.Export(ctx, start, each)
	}
	all, rev, err := s.List(ctx, "")
	if err != nil {
		return err
	}
	if err := start(rev); err != nil {
		return err
	}
	for _, e := range all {
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

func recordSum(key string, value []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s", len(key), key)
	h.Write(value)
	return hex.EncodeToString(h.Sum(nil))
}

// ErrBadBackup says that a backup is damaged, cut short or no backup at all.
var ErrBadBackup = errors.New("the backup cannot be used")

// ErrExpired says that a part of a backup was kept longer than it may be.
var ErrExpired = errors.New("the backup has expired")

// Restore writes a backup into an empty store. The whole backup is checked before the
// first write. A restore that was interrupted can be run again: until it is done, the
// store counts as empty, and has the key [Restoring]. Revisions start anew, so fences of
// the old store mean nothing in the new one.
//
// finish is called when all is written and the store still has that key; nil is
// nothing. When it fails the restore is unfinished. It is called again when the restore
// is run again.
func Restore(ctx context.Context, r io.Reader, s Store, finish func(context.Context, BackupInfo) error) (BackupInfo, error) {
	info, records, err := readBackup(r)
	if err != nil {
		return BackupInfo{}, err
	}
	if info.Part != "" {
		return BackupInfo{}, fmt.Errorf("%w: it is a part of a store, %s: bongsu public restore takes it", ErrBadBackup, info.Part)
	}
	return restore(ctx, s, info, records, finish)
}

// ReadPart reads a part of a backup to its end and returns what is in it, sorted by key.
func ReadPart(r io.Reader, part string, now time.Time) (BackupInfo, []Entry, error) {
	info, records, err := readBackup(r)
	switch {
	case err != nil:
		return BackupInfo{}, nil, err
	case info.Part != part && info.Part == "":
		return BackupInfo{}, nil, fmt.Errorf("%w: it is of a whole store, expected the part %q", ErrBadBackup, part)
	case info.Part != part:
		return BackupInfo{}, nil, fmt.Errorf("%w: it is the part %q of a store, expected the part %q", ErrBadBackup, info.Part, part)
	case !info.Expires.IsZero() && now.After(info.Expires):
		return BackupInfo{}, nil, fmt.Errorf("%w on %s: take a newer one", ErrExpired, info.Expires.Format(time.RFC3339))
	}
	out := make([]Entry, len(records))
	for i, x := range records {
		out[i] = Entry{Key: string(x.Key), Value: x.Value}
	}
	return info, out, nil
}

// RestoreEntries writes entries into an empty store, as [Restore] does with those of a
// backup. Only keys and values count, and no key may stand twice.
func RestoreEntries(ctx context.Context, s Store, of BackupInfo, entries []Entry, finish func(context.Context, BackupInfo) error) error {
	records := make([]backupRecord, len(entries))
	seen := make(map[string]bool, len(entries))
	for i, e := range entries {
		if seen[e.Key] {
			return fmt.Errorf("%w: %q stands in it twice", ErrBadBackup, e.Key)
		}
		seen[e.Key] = true
		records[i] = backupRecord{Key: []byte(e.Key), Value: e.Value}
	}
	_, err := restore(ctx, s, of, records, finish)
	return err
}

func restore(ctx context.Context, s Store, info BackupInfo, records []backupRecord, finish func(context.Context, BackupInfo) error) (BackupInfo, error) {
	found, marked, err := contents(ctx, s)
	if err != nil {
		return BackupInfo{}, err
	}
	again := marked != 0
	if err := refuseFull(found, again); err != nil {
		return BackupInfo{}, err
	}
	mark := func(finished bool) error {
		rev, err := s.Commit(ctx, Txn{
			If: []Cond{{Key: Restoring, Modified: marked}},
			Do: []Op{{Key: Restoring, Delete: finished}},
		})
		marked = rev
		return err
	}
	if err := mark(false); err != nil {
		return BackupInfo{}, fmt.Errorf("begin to restore: %w", err)
	}
	// What was written between the look and the mark must not be lost.
	if found, _, err = contents(ctx, s); err != nil {
		return BackupInfo{}, err
	}
	if err := refuseFull(found, again); err != nil {
		return BackupInfo{}, errors.Join(err, mark(true))
	}
	at := map[string]int64{}
	var ops []Op
	for _, e := range found {
		at[e.Key] = e.Modified
		ops = append(ops, Op{Key: e.Key, Delete: true})
	}
	for _, x := range records {
		ops = append(ops, Op{Key: string(x.Key), Value: x.Value})
	}
	for batch := range batches(ops) {
		t := Txn{If: []Cond{{Key: Restoring, Modified: marked}}, Do: batch}
		for _, op := range batch {
			c := Cond{Key: op.Key}
			if op.Delete {
				c.Modified = at[op.Key]
			}
			t.If = append(t.If, c)
		}
		if _, err := s.Commit(ctx, t); err != nil {
			return BackupInfo{}, fmt.Errorf("restore: %w: part of the backup is in the store; run the restore again to start over", err)
		}
	}
	if finish != nil {
		if err := finish(ctx, info); err != nil {
			return BackupInfo{}, fmt.Errorf("finish the restore: %w: run it again to start over", err)
		}
	}
	if err := mark(true); err != nil {
		return BackupInfo{}, fmt.Errorf("finish the restore: %w: run it again to start over", err)
	}
	return info, nil
}

// contents lists what a restore would write over, which is all but what is under a
// lease, and the revision of the mark of a restore that was interrupted.
func contents(ctx context.Context, s Store) (found []Entry, marked int64, err error) {
	all, _, err := s.List(ctx, "")
	if err != nil {
		return nil, 0, fmt.Errorf("look whether the store is empty: %w", err)
	}
	for _, e := range all {
		switch {
		case e.Key == Restoring:
			marked = e.Modified
		case e.Lease == 0:
			found = append(found, e)
		}
	}
	return found, marked, nil
}

// refuseFull keeps a restore away from a store that holds something, unless that is
// what an earlier restore left behind.
func refuseFull(found []Entry, again bool) error {
	if len(found) == 0 || again {
		return nil
	}
	return fmt.Errorf("the store is not empty (it has %q and %d other keys): restore into a new cluster, nothing was changed", found[0].Key, len(found)-1)
}

// batches cuts operations into what one transaction takes.
func batches(ops []Op) func(yield func([]Op) bool) {
	return func(yield func([]Op) bool) {
		for len(ops) > 0 {
			n, size, seen := 0, 0, map[string]bool{}
			for n < len(ops) && n < 256 {
				op := ops[n]
				size += len(op.Key) + len(op.Value)
				if seen[op.Key] || n > 0 && size > MaxBytes/2 {
					break
				}
				seen[op.Key] = true
				n++
			}
			if !yield(ops[:n]) {
				return
			}
			ops = ops[n:]
		}
	}
}

// VerifyBackup reads a backup to its end and says what it is of, or what is wrong with it.
func VerifyBackup(r io.Reader) (BackupInfo, error) {
	info, _, err := readBackup(r)
	return info, err
}

func readBackup(r io.Reader) (BackupInfo, []backupRecord, error) {
	in := &lineReader{r: bufio.NewReader(r), sum: sha256.New()}
	bad := func(format string, args ...any) (BackupInfo, []backupRecord, error) {
		return BackupInfo{}, nil, fmt.Errorf("%w: line %d: %s", ErrBadBackup, in.lines, fmt.Sprintf(format, args...))
	}
	var h backupHeader
	text, _, err := in.next()
	if err != nil {
		return bad("it is empty or cannot be read (%v)", err)
	}
	if json.Unmarshal(text, &h) != nil || h.Format != backupFormat {
		return bad("this is no backup that bongsu made")
	}
	if h.Version != backupVersion && h.Version != partVersion {
		return bad("it has version %d, this program knows %d and, of parts, %d", h.Version, backupVersion, partVersion)
	}
	if (h.Version == partVersion) != (h.Part != "") {
		return bad("it has version %d and is the part %q: that does not go together", h.Version, h.Part)
	}
	var records []backupRecord
	for {
		text, before, err := in.next()
		if err != nil {
			return bad("it is cut short after %d records (%v)", len(records), err)
		}
		var line struct {
			backupRecord
			Records *int `json:"records"`
		}
		if err := json.Unmarshal(text, &line); err != nil {
			return bad("it is damaged (%v)", err)
		}
		if line.Records != nil {
			switch {
			case *line.Records != len(records):
				return bad("it should have %d records and has %d", *line.Records, len(records))
			case line.SHA256 != before:
				return bad("its SHA-256 is not the one it was written with")
			}
			if _, _, err := in.next(); !errors.Is(err, io.EOF) {
				return bad("something follows its end")
			}
			return BackupInfo{h.Cluster, h.At, h.Revision, len(records), h.Part, h.Expires}, records, nil
		}
		if line.SHA256 != recordSum(string(line.Key), line.Value) {
			return bad("the record of %q is damaged: its SHA-256 is wrong", line.Key)
		}
		if len(records) > 0 && bytes.Compare(records[len(records)-1].Key, line.Key) >= 0 {
			return bad("the record of %q is out of order", line.Key)
		}
		records = append(records, line.backupRecord)
	}
}

// lineReader reads whole lines and sums up what it has read.
type lineReader struct {
	r     *bufio.Reader
	sum   hash.Hash
	lines int
}

// next returns a line and the sum of all before it.
func (l *lineReader) next() (text []byte, before string, err error) {
	text, err = l.r.ReadBytes('\n')
	if err != nil {
		if len(text) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, "", err
	}
	l.lines++
	before = hex.EncodeToString(l.sum.Sum(nil))
	l.sum.Write(text)
	return slices.Clone(text), before, nil
}
