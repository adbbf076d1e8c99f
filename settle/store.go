package settle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"bongsu/internal/kv"
)

// Keys of the book.
const (
	entryPrefix   = "book/entry/"
	balancePrefix = "book/balance/"
	linePrefix    = "book/line/"
)

// mostEntries is how many entries one Post may have: with an index and the balances
// they must fit into one transaction.
const mostEntries = 100

type storedEntry struct {
	V int `json:"v"`
	Entry
}

type storedBalance struct {
	V      int   `json:"v"`
	Amount int64 `json:"amount"`
}

// NewBook returns the book in a store. Several may write to one store.
func NewBook(s kv.Store) Book { return &kvBook{s: s} }

type kvBook struct {
	s  kv.Store
	mu sync.Mutex // of those who post: they write the same balances, and would have to try again
}

// balanceKey holds one currency of one account; the currency comes last, so that a
// prefix of accounts is a prefix of keys.
func balanceKey(a Account, currency string) string {
	return balancePrefix + string(a) + "\x00" + currency
}

func (b *kvBook) Post(ctx context.Context, entries ...Entry) error {
	if len(entries) > mostEntries {
		return fmt.Errorf("post %d entries: at most %d at once", len(entries), mostEntries)
	}
	for i := range entries {
		entries[i].At = entries[i].At.UTC().Round(0)
		if err := entries[i].Check(); err != nil {
			return err
		}
		if slices.ContainsFunc(entries[:i], func(o Entry) bool { return o.ID == entries[i].ID }) {
			return fmt.Errorf("%w: %s stands twice in one posting", ErrReused, entries[i].ID)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for fresh := true; ; fresh = false {
		err := b.post(ctx, entries, fresh)
		if !errors.Is(err, kv.ErrConflict) && (!fresh || !errors.Is(err, ErrOverdrawn)) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// post is one attempt. fresh takes it that no entry is there yet, which the
// transaction finds out: mostly that is so, and a hundred reads are saved.
func (b *kvBook) post(ctx context.Context, entries []Entry, fresh bool) error {
	posted := make([]bool, len(entries))
	if !fresh {
		if err := kv.Together(ctx, len(entries), func(ctx context.Context, i int) error {
			var err error
			posted[i], err = b.posted(ctx, &entries[i])
			return err
		}); err != nil {
			return err
		}
	}
	var t kv.Txn
	change := map[string]int64{}
	owed := map[string]Account{}
	for i := range entries {
		e := &entries[i]
		if posted[i] {
			continue
		}
		key := entryPrefix + e.ID
		value, err := json.Marshal(storedEntry{1, *e})
		if err != nil {
			return fmt.Errorf("post %s: %w", e.ID, err)
		}
		t.If = append(t.If, kv.Cond{Key: key})
		t.Do = append(t.Do, kv.Op{Key: key, Value: value})
		for _, l := range e.Lines {
			k := balanceKey(l.Account, e.Currency)
			change[k] += l.Amount
			if l.Account.owed() {
				owed[k] = l.Account
			}
			t.Do = append(t.Do, kv.Op{Key: linePrefix + string(l.Account) + "/" + e.ID, Value: []byte("1")})
		}
	}
	keys := slices.Sorted(maps.Keys(change))
	have, modified := make([]int64, len(keys)), make([]int64, len(keys))
	if err := kv.Together(ctx, len(keys), func(ctx context.Context, i int) error {
		var err error
		have[i], modified[i], err = b.balance(ctx, keys[i])
		return err
	}); err != nil {
		return err
	}
	for i, k := range keys {
		now := have[i] + change[k]
		if a, ok := owed[k]; ok && now > 0 {
			return fmt.Errorf("%w: %s has %d and %d were to leave it", ErrOverdrawn, a, -have[i], change[k])
		}
		value, err := json.Marshal(storedBalance{1, now})
		if err != nil {
			return fmt.Errorf("balance of %s: %w", k, err)
		}
		t.If = append(t.If, kv.Cond{Key: k, Modified: modified[i]})
		t.Do = append(t.Do, kv.Op{Key: k, Value: value})
	}
	if len(t.Do) == 0 {
		return nil
	}
	if _, err := b.s.Commit(ctx, t); err != nil {
		return fmt.Errorf("post %d entries: %w", len(entries), err)
	}
	return nil
}

// posted says whether an entry is there already; with other content it is [ErrReused].
func (b *kvBook) posted(ctx context.Context, e *Entry) (bool, error) {
	found, ok, err := b.s.Get(ctx, entryPrefix+e.ID)
	if err != nil {
		return false, fmt.Errorf("post %s: %w", e.ID, err)
	}
	if !ok {
		return false, nil
	}
	have, err := decodeEntry(found)
	if err != nil {
		return false, err
	}
	if !reflect.DeepEqual(have, *e) {
		return false, fmt.Errorf("%w: %s", ErrReused, e.ID)
	}
	return true, nil
}

func (b *kvBook) balance(ctx context.Context, key string) (amount, modified int64, err error) {
	e, ok, err := b.s.Get(ctx, key)
	if err != nil || !ok {
		return 0, 0, err
	}
	amount, err = decodeBalance(e)
	return amount, e.Modified, err
}

func decodeBalance(e kv.Entry) (int64, error) {
	var s storedBalance
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return 0, fmt.Errorf("read %q: %w", e.Key, err)
	}
	if s.V != 1 {
		return 0, fmt.Errorf("read %q: version %d is not known, update this program", e.Key, s.V)
	}
	return s.Amount, nil
}

func decodeEntry(e kv.Entry) (Entry, error) {
	var s storedEntry
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return Entry{}, fmt.Errorf("read %q: %w", e.Key, err)
	}
	if s.V != 1 {
		return Entry{}, fmt.Errorf("read %q: version %d is not known, update this program", e.Key, s.V)
	}
	return s.Entry, nil
}

func (b *kvBook) Balance(ctx context.Context, a Account, currency string) (int64, error) {
	n, _, err := b.balance(ctx, balanceKey(a, currency))
	return n, err
}

func (b *kvBook) Entry(ctx context.Context, id string) (Entry, error) {
	e, ok, err := b.s.Get(ctx, entryPrefix+id)
	switch {
	case err != nil:
		return Entry{}, fmt.Errorf("read entry %s: %w", id, err)
	case !ok:
		return Entry{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return decodeEntry(e)
}

func (b *kvBook) Each(ctx context.Context, prefix Account, visit func(Entry) error) error {
	if prefix == "" {
		all, _, err := b.s.List(ctx, entryPrefix)
		if err != nil {
			return fmt.Errorf("list the book: %w", err)
		}
		for _, found := range all {
			e, err := decodeEntry(found)
			if err != nil {
				return err
			}
			if err := visit(e); err != nil {
				return err
			}
		}
		return nil
	}
	lines, _, err := b.s.List(ctx, linePrefix+string(prefix))
	if err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	for _, l := range lines {
		e, err := b.Entry(ctx, l.Key[strings.LastIndexByte(l.Key, '/')+1:])
		if err != nil {
			return err
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

func (b *kvBook) Balances(ctx context.Context, prefix Account, currency string) ([]Line, error) {
	all, _, err := b.s.List(ctx, balancePrefix+string(prefix))
	if err != nil {
		return nil, fmt.Errorf("list balances: %w", err)
	}
	out := []Line{}
	for _, found := range all {
		name, c, _ := strings.Cut(strings.TrimPrefix(found.Key, balancePrefix), "\x00")
		if c != currency {
			continue
		}
		n, err := decodeBalance(found)
		if err != nil {
			return nil, err
		}
		if n != 0 {
			out = append(out, Line{Account(name), n})
		}
	}
	return out, nil
}

// Audit reads the whole book, to which nobody writes meanwhile, and returns what is wrong with it, a sentence each:
// entries that do not sum to zero, balances that are not the sum of their lines.
func Audit(ctx context.Context, b Book, currency string) ([]string, error) {
	var out []string
	sums := map[Account]int64{}
	if err := b.Each(ctx, "", func(e Entry) error {
		if err := e.Check(); err != nil {
			out = append(out, err.Error())
		}
		if e.Currency == currency {
			for _, l := range e.Lines {
				sums[l.Account] += l.Amount
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	have, err := b.Balances(ctx, "", currency)
	if err != nil {
		return nil, err
	}
	var total int64
	for _, l := range have {
		total += l.Amount
		if sums[l.Account] != l.Amount {
			out = append(out, fmt.Sprintf("%s says %d, its lines sum to %d", l.Account, l.Amount, sums[l.Account]))
		}
		delete(sums, l.Account)
	}
	for _, a := range slices.Sorted(maps.Keys(sums)) {
		if sums[a] != 0 {
			out = append(out, fmt.Sprintf("%s says nothing, its lines sum to %d", a, sums[a]))
		}
	}
	if total != 0 {
		out = append(out, fmt.Sprintf("all accounts together hold %d %s, not zero", total, currency))
	}
	return out, nil
}
