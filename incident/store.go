package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/internal/kv"
)

// Prefix is where incidents are kept: incident/<id>/<number of the entry>.
const Prefix = "incident/"

// The open incident of each kind, so that one loss is never declared twice. It is
// written with every entry that opens or ends one.
const (
	openReal  = "incident-open/real"
	openDrill = "incident-open/drill"
)

// entryVersion is what this program writes. It reads every version up to it: 2 has
// more acts, and is otherwise 1.
const entryVersion = 2

type storedEntry struct {
	V int `json:"v"`
	Entry
}

type storedOpen struct {
	V  int    `json:"v"`
	ID string `json:"id"` // empty: none is open
}

// List returns all incidents, newest first.
func List(ctx context.Context, s kv.Store) ([]Incident, error) {
	entries, _, err := s.List(ctx, Prefix)
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	all, err := Fold(entries)
	slices.Reverse(all)
	return all, err
}

// Show returns one incident.
func Show(ctx context.Context, s kv.Store, id string) (Incident, error) {
	return load(ctx, s, id)
}

// Fold makes incidents of the entries of a store below [Prefix], oldest first. It
// is for those who follow the store themselves.
func Fold(entries []kv.Entry) ([]Incident, error) {
	var ids []string
	logs := map[string][]Entry{}
	for _, e := range entries {
		id, _, ok := strings.Cut(strings.TrimPrefix(e.Key, Prefix), "/")
		if !ok {
			continue
		}
		var stored storedEntry
		if err := json.Unmarshal(e.Value, &stored); err != nil {
			return nil, fmt.Errorf("entry %s: %w", e.Key, err)
		}
		if stored.V < 1 || stored.V > entryVersion {
			return nil, fmt.Errorf("entry %s is of version %d, this program knows versions 1 to %d: update it", e.Key, stored.V, entryVersion)
		}
		if logs[id] == nil {
			ids = append(ids, id)
		}
		logs[id] = append(logs[id], stored.Entry)
	}
	all := make([]Incident, len(ids))
	for n, id := range ids {
		all[n] = fold(id, logs[id])
	}
	slices.SortStableFunc(all, func(a, b Incident) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

func load(ctx context.Context, s kv.Store, id string) (Incident, error) {
	if id == "" || strings.Contains(id, "/") {
		return Incident{}, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	entries, _, err := s.List(ctx, Prefix+id+"/")
	if err != nil {
		return Incident{}, fmt.Errorf("read incident %s: %w", id, err)
	}
	all, err := Fold(entries)
	if err != nil {
		return Incident{}, err
	}
	if len(all) == 0 {
		return Incident{}, fmt.Errorf("%w: %q; bongsu incident show lists them", ErrNotFound, id)
	}
	return all[0], nil
}

// entryOp writes one entry to an incident as the next one after the first have.
func entryOp(id string, have int, e Entry) (kv.Op, error) {
	value, err := json.Marshal(storedEntry{V: entryVersion, Entry: e})
	if err != nil {
		return kv.Op{}, fmt.Errorf("encode entry: %w", err)
	}
	return kv.Op{Key: fmt.Sprintf("%s%s/%06d", Prefix, id, have+1), Value: value}, nil
}

// appendEntry makes the transaction that writes one entry to an incident as the next one after those that the
// caller has read, together with what else has to be so.
func appendEntry(id string, have int, e Entry, open kv.Entry, openID string) (kv.Txn, error) {
	op, err := entryOp(id, have, e)
	if err != nil {
		return kv.Txn{}, err
	}
	mark, err := json.Marshal(storedOpen{V: 1, ID: openID})
	if err != nil {
		return kv.Txn{}, fmt.Errorf("encode entry: %w", err)
	}
	return kv.Txn{
		If: []kv.Cond{{Key: op.Key}, {Key: open.Key, Modified: open.Modified}},
		Do: []kv.Op{op, {Key: open.Key, Value: mark}},
	}, nil
}

// standing reads the open incident of a kind; ok is false when there is none.
func standing(ctx context.Context, s kv.Store, drill bool) (i Incident, mark kv.Entry, ok bool, err error) {
	key := openReal
	if drill {
		key = openDrill
	}
	mark, _, err = s.Get(ctx, key)
	if err != nil {
		return Incident{}, mark, false, fmt.Errorf("look for an open incident: %w", err)
	}
	mark.Key = key
	if mark.Modified == 0 {
		return Incident{}, mark, false, nil
	}
	var stored storedOpen
	if err := json.Unmarshal(mark.Value, &stored); err != nil {
		return Incident{}, mark, false, fmt.Errorf("read %s: %w", key, err)
	}
	if stored.ID == "" {
		return Incident{}, mark, false, nil
	}
	i, err = load(ctx, s, stored.ID)
	return i, mark, err == nil, err
}

// attempts is how often a change starts over when another came first.
const attempts = 20

// retry calls change until no other write came first.
func retry(ctx context.Context, change func() (Incident, error)) (Incident, error) {
	for range attempts {
		i, err := change()
		if !errors.Is(err, kv.ErrConflict) {
			return i, err
		}
		if ctx.Err() != nil {
			return Incident{}, ctx.Err()
		}
	}
	return Incident{}, fmt.Errorf("change incident: %w, %d times in a row; try again", kv.ErrConflict, attempts)
}

// newID names an incident after the moment and what was lost, so that IDs sort by
// time and people can tell them apart.
func newID(at time.Time, domains []string, taken func(string) bool) string {
	base := at.UTC().Format("20060102-150405") + "-" + strings.Join(domains[:min(len(domains), 3)], "-")
	id := base
	for n := 2; taken(id); n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	return id
}
