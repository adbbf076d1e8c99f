package claimtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"bongsu/claim"
)

// RunVault holds an empty vault of papers against what claim.Vault promises. id is a claim
// that papers may be of.
func RunVault(t *testing.T, v claim.Vault, id string) {
	t.Helper()
	ctx := t.Context()
	large := bytes.Repeat([]byte("0123456789abcde\n"), 11<<16) // 11 MiB: a paper of 10 MB, sealed
	papers := map[string][]byte{id + "/1": []byte("one"), id + "/2": large, id + "/2x": {0, 255, '\n'}}
	for _, name := range slices.Sorted(maps.Keys(papers)) {
		must(t, v.Put(ctx, name, papers[name]))
	}
	for name, want := range papers {
		got, err := v.Get(ctx, name)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes, want the %d that were put there", name, len(got), len(want))
		}
	}
	for _, name := range []string{id + "/3", id, id + "/", id + "/2/0000", "../" + id + "/1"} {
		if got, err := v.Get(ctx, name); !errors.Is(err, claim.ErrNotFound) {
			t.Errorf("%q: %d bytes, %v", name, len(got), err)
		}
	}
	for range 2 { // again there is nothing to do
		must(t, v.Delete(ctx, id+"/2"))
	}
	if _, err := v.Get(ctx, id+"/2"); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("a paper that was removed: %v", err)
	}
	for _, name := range []string{id + "/1", id + "/2x"} {
		got, err := v.Get(ctx, name)
		must(t, err)
		if !bytes.Equal(got, papers[name]) {
			t.Errorf("another was removed with it: %s", name)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := v.Put(ended, id+"/4", []byte("x")); err == nil {
		t.Error("a paper was put after its time")
	}
}

// A vault in memory that fails where a test says so.
type vault struct {
	mu     sync.Mutex
	papers map[string][]byte
	put    func() error // called when the paper is kept
	remove func() error // called before one is removed
}

func (v *vault) Put(_ context.Context, name string, sealed []byte) error {
	v.mu.Lock()
	v.papers[name] = slices.Clone(sealed)
	v.mu.Unlock()
	return v.put()
}

func (v *vault) Get(_ context.Context, name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.papers[name]
	if !ok {
		return nil, fmt.Errorf("%w: paper %q", claim.ErrNotFound, name)
	}
	return b, nil
}

func (v *vault) Delete(_ context.Context, name string) error {
	if err := v.remove(); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.papers, name)
	return nil
}

func (v *vault) len() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.papers)
}

// Whatever crashes between the vault and the claim, a sweep leaves the vault with exactly
// the papers that claims have.
func testSwept(t *testing.T, l claim.Ledger) {
	t.Helper()
	ctx := t.Context()
	keeper, ok := l.(interface {
		PapersIn(v claim.Vault)
		Sweep(ctx context.Context, begun time.Time) (int, error)
	})
	if !ok {
		t.Fatalf("%T keeps papers in no vault", l)
	}
	nothing := func() error { return nil }
	v := &vault{papers: map[string][]byte{}, put: nothing, remove: nothing}
	keeper.PapersIn(v)
	id := file(t, l, 1)[0].ID
	kept, err := l.AddFile(ctx, id, "use-proof", "image/png", []byte("kept"), "claimant")
	must(t, err)
	sweep := func(begun time.Time, want int) {
		t.Helper()
		if n, err := keeper.Sweep(ctx, begun); err != nil || n != want {
			t.Fatalf("swept %d, %v, want %d", n, err, want)
		}
	}
	before, after := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	sweep(after, 0)
	broken := errors.New("broken")
	for name, put := range map[string]func(cancel func()) error{
		"the vault says that it failed":       func(func()) error { return broken },
		"it ends before the claim is written": func(cancel func()) error { cancel(); return nil },
	} {
		adding, cancel := context.WithCancel(ctx)
		v.put = func() error { return put(cancel) }
		if f, err := l.AddFile(adding, id, "use-proof", "image/png", []byte("lost"), "claimant"); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
		cancel()
		if v.len() != 2 {
			t.Fatalf("%s: %d papers", name, v.len())
		}
		sweep(before, 0) // it may still be on its way
		sweep(after, 1)
		sweep(after, 0)
		if v.len() != 1 {
			t.Errorf("%s: %d papers after the sweep", name, v.len())
		}
	}
	// One that is swept on its way never becomes part of its claim.
	v.put = func() error { sweep(after, 1); return nil }
	if _, err := l.AddFile(ctx, id, "use-proof", "image/png", []byte("slow"), "claimant"); !errors.Is(err, claim.ErrUnavailable) {
		t.Errorf("swept on its way: %v", err)
	}
	v.put = nothing
	c, err := l.Claim(ctx, id)
	must(t, err)
	if len(c.Files) != 1 || v.len() != 1 {
		t.Errorf("%d papers of the claim, %d in the vault", len(c.Files), v.len())
	}
	if got, err := l.OpenFile(ctx, id, kept.ID, "kim", "to decide"); err != nil || string(got) != "kept" {
		t.Errorf("%q, %v", got, err)
	}
	// What cannot be removed with its claim can be read no more, and is swept later.
	v.remove = func() error { return broken }
	must(t, l.Erase(ctx, id, "kim", "asked"))
	if _, err := l.OpenFile(ctx, id, kept.ID, "kim", "to decide"); !errors.Is(err, claim.ErrErased) || v.len() != 1 {
		t.Errorf("after it was erased: %v", err)
	}
	if _, err := keeper.Sweep(ctx, before); !errors.Is(err, broken) {
		t.Errorf("a sweep that cannot: %v", err)
	}
	v.remove = nothing
	sweep(before, 1)
	if v.len() != 0 {
		t.Error("an erased paper stays")
	}
	// Erased while one is on its way: it is not taken.
	other := file(t, l, 1)[0].ID
	v.put = func() error { return l.Erase(ctx, other, "kim", "asked") }
	if _, err := l.AddFile(ctx, other, "use-proof", "image/png", []byte("late"), "claimant"); !errors.Is(err, claim.ErrErased) {
		t.Errorf("erased on its way: %v", err)
	}
	sweep(after, 1)
	if v.len() != 0 {
		t.Error("a paper of an erased claim stays")
	}
}
