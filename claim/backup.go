package claim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bongsu/internal/kv"
)

// The parts of a backup of the public side's store. Taken in this order, none of them
// holds less than the one before needs.
const (
	PartRest     = "public"   // everything but the keys of claims: it opens nothing personal
	PartKeys     = "keys"     // the keys alone; kept for a short time
	PartErasures = "erasures" // which claims were erased; kept for ever, and newer than what is restored
)

// MostKept is how long a backup of keys may be kept: beyond, an erasure would not reach it
// in the time that people were promised.
const MostKept = 30 * 24 * time.Hour

// A Backup takes backups of the public side's store while it works.
type Backup struct {
	Store   kv.Store
	Cluster string
	At      time.Time
}

// Rest writes everything but the keys of claims. Erased claims are in it without what is personal.
func (b *Backup) Rest(ctx context.Context, w io.Writer) (kv.BackupInfo, error) {
	return b.part(ctx, w, PartRest, time.Time{}, func(key string) bool { return !strings.HasPrefix(key, KeyPrefix) })
}

// Keys writes the keys of claims, sealed with the master key, which is in no backup. keep
// is for how long a restore will take them.
func (b *Backup) Keys(ctx context.Context, w io.Writer, keep time.Duration) (kv.BackupInfo, error) {
	if keep <= 0 || keep > MostKept {
		return kv.BackupInfo{}, fmt.Errorf("back up the keys: they would be kept for %v, expected more than 0s and at most %v", keep, MostKept)
	}
	return b.part(ctx, w, PartKeys, b.At.Add(keep), func(key string) bool { return strings.HasPrefix(key, KeyPrefix) })
}

// Erasures writes the list of erasures: IDs and times, nothing else.
func (b *Backup) Erasures(ctx context.Context, w io.Writer) (kv.BackupInfo, error) {
	return b.part(ctx, w, PartErasures, time.Time{}, func(key string) bool { return strings.HasPrefix(key, erasedPrefix) })
}

func (b *Backup) part(ctx context.Context, w io.Writer, part string, expires time.Time, keep func(string) bool) (kv.BackupInfo, error) {
	return kv.BackupPart(ctx, b.Store, w, kv.BackupInfo{Cluster: b.Cluster, At: b.At, Part: part, Expires: expires}, keep)
}

// WriteErasures writes a list of erasures of a ledger that is not in a [kv.Store].
func WriteErasures(ctx context.Context, w io.Writer, cluster string, at time.Time, erased map[string]time.Time) (kv.BackupInfo, error) {
	m := kv.NewMemory()
	for id, t := range erased {
		if _, err := m.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: erasedPrefix + id, Value: []byte(t.UTC().Format(time.RFC3339))}}}); err != nil {
			return kv.BackupInfo{}, fmt.Errorf("write erasures: %w", err)
		}
	}
	return (&Backup{Store: m, Cluster: cluster, At: at}).Erasures(ctx, w)
}

// ReadErasures reads a list of erasures, by ID.
func ReadErasures(r io.Reader) ([]string, error) {
	_, entries, err := kv.ReadPart(r, PartErasures, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("list of erasures: %w", err)
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = strings.TrimPrefix(e.Key, erasedPrefix)
	}
	return ids, nil
}

// A Restore brings backups into an empty store that serves nobody yet.
type Restore struct {
	Store    kv.Store
	Rest     io.Reader
	Keys     io.Reader // nil: what is personal stays closed
	Erasures io.Reader // the newest list there is; nil: nothing was erased since
	Now      time.Time
}

// Restored says what came of a restore.
type Restored struct {
	At       time.Time `json:"at"` // of the backup
	Records  int       `json:"records"`
	Claims   int       `json:"claims"`
	Erased   int       `json:"erased"`   // claims that had been erased after the backup, and were now
	Keyless  int       `json:"keyless"`  // claims that nobody erased and whose key is not there: what is personal in them is lost
	LeftKeys int       `json:"leftKeys"` // keys of claims that the backup has not; they were left out
}

// ErrServing says that a node serves from the store that is to be restored into.
var ErrServing = errors.New("a public node serves from this store, and would take reports into the middle of a restore: end it, and start it with --store-only")

// idle says that no node serves from the store: one that does holds a lease.
func (r *Restore) idle(ctx context.Context) error {
	all, _, err := r.Store.List(ctx, "")
	if err != nil {
		return unavailable("look whether a node serves", err)
	}
	for _, e := range all {
		if e.Lease != 0 {
			return fmt.Errorf("%w (it holds %s)", ErrServing, e.Key)
		}
	}
	return nil
}

// Run restores, where no node serves ([ErrServing]). Until every erasure was replayed the store counts as unfinished, and a
// restore that was interrupted can be run again.
func (r *Restore) Run(ctx context.Context) (Restored, error) {
	info, entries, err := kv.ReadPart(r.Rest, PartRest, r.Now)
	if err != nil {
		return Restored{}, fmt.Errorf("backup of the public side: %w", err)
	}
	if err := r.idle(ctx); err != nil {
		return Restored{}, err
	}
	out := Restored{At: info.At}
	has := map[string]bool{}
	at := map[string]int{} // of erasures among the entries
	for i, e := range entries {
		if strings.HasPrefix(e.Key, KeyPrefix) {
			return Restored{}, fmt.Errorf("%w: %q does not belong into this part", kv.ErrBadBackup, e.Key)
		}
		if id, ok := strings.CutPrefix(e.Key, claimPrefix); ok {
			has[id] = true
		}
		if id, ok := strings.CutPrefix(e.Key, erasedPrefix); ok {
			at[id] = i
		}
	}
	out.Claims = len(has)
	if r.Erasures != nil {
		of, list, err := kv.ReadPart(r.Erasures, PartErasures, r.Now)
		if err != nil {
			return Restored{}, fmt.Errorf("list of erasures: %w", err)
		}
		if of.At.Before(info.At) {
			return Restored{}, fmt.Errorf("%w: the list of erasures is of %s, before the backup of %s: take the newest", kv.ErrBadBackup, of.At.Format(time.RFC3339), info.At.Format(time.RFC3339))
		}
		for _, e := range list {
			id, ok := strings.CutPrefix(e.Key, erasedPrefix)
			if !ok {
				return Restored{}, fmt.Errorf("%w: %q does not belong into a list of erasures", kv.ErrBadBackup, e.Key)
			}
			if _, ok := at[id]; !ok { // one of a claim that is not there may be needed with another backup
				at[id] = len(entries)
				entries = append(entries, e)
			}
		}
	}
	keyed := map[string]bool{}
	if r.Keys != nil {
		_, keys, err := kv.ReadPart(r.Keys, PartKeys, r.Now)
		if err != nil {
			return Restored{}, fmt.Errorf("backup of keys: %w", err)
		}
		for _, e := range keys {
			id, ok := strings.CutPrefix(e.Key, KeyPrefix)
			if !ok {
				return Restored{}, fmt.Errorf("%w: %q does not belong into a backup of keys", kv.ErrBadBackup, e.Key)
			}
			if _, gone := at[id]; gone || !has[id] {
				if !gone {
					out.LeftKeys++
				}
				continue // a key that was destroyed is not even written
			}
			keyed[id] = true
			entries = append(entries, e)
		}
	}
	for id := range has {
		if _, gone := at[id]; !gone && !keyed[id] {
			out.Keyless++
		}
	}
	out.Records = len(entries)
	err = kv.RestoreEntries(ctx, r.Store, info, entries, func(ctx context.Context, _ kv.BackupInfo) error {
		k := NewKeeper(r.Store, nil) // erasing needs no key
		k.PapersIn(later{})
		ids := make([]string, 0, len(at))
		for id := range at {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		out.Erased, err = k.Replay(ctx, ids)
		return err
	})
	return out, err
}

// later is a vault out of which papers are removed later: by [Keeper.Sweep], when the
// vault that the configuration names is at hand.
type later struct{}

var errLater = errors.New("papers are removed by the sweep")

func (later) Put(context.Context, string, []byte) error   { return errLater }
func (later) Get(context.Context, string) ([]byte, error) { return nil, errLater }
func (later) Delete(context.Context, string) error        { return errLater }
