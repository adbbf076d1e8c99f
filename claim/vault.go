package claim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bongsu/internal/kv"
)

// A Vault keeps sealed papers by name, which is ID/file of a claim. It sees nothing that
// it could read. What it cannot do now is [ErrUnavailable].
type Vault interface {
	// Put keeps a paper, whole or not at all: what was cut short is never found by Get.
	Put(ctx context.Context, name string, sealed []byte) error
	// Get returns a paper, or [ErrNotFound].
	Get(ctx context.Context, name string) ([]byte, error)
	// Delete removes a paper, and what is left of one that was cut short. One that is
	// not there is removed already.
	Delete(ctx context.Context, name string) error
}

// What papers are cut into in a small store. A log of such a store holds thousands of
// its latest writes in memory, so none of them is large.
const (
	chunkBytes = 256 << 10
	mostChunks = 80 // 20 MiB: twice what one paper may have
)

// VaultIn returns the vault in the store that the claims are in.
func VaultIn(s kv.Store) Vault { return chunks{s} }

// chunks is the vault in the store that the claims are in: one key for each piece, and
// last the one that says how many there are.
type chunks struct{ s kv.Store }

type storedPaper struct {
	V      int `json:"v"`
	Chunks int `json:"chunks"`
	Size   int `json:"size"`
}

func chunkKey(name string, n int) string { return fmt.Sprintf("%s%s/%04d", filePrefix, name, n) }

// Put implements [Vault].
func (c chunks) Put(ctx context.Context, name string, sealed []byte) error {
	if len(sealed) > mostChunks*chunkBytes {
		return fmt.Errorf("%w: the paper has %d bytes, at most %d are taken", ErrInput, len(sealed), mostChunks*chunkBytes)
	}
	n := 0
	for piece := range slices.Chunk(sealed, chunkBytes) {
		if _, err := c.s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: chunkKey(name, n), Value: piece}}}); err != nil {
			return unavailable("keep a paper", err)
		}
		n++
	}
	head, err := json.Marshal(storedPaper{1, n, len(sealed)})
	if err != nil {
		return fmt.Errorf("keep a paper: %w", err)
	}
	if _, err := c.s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: filePrefix + name, Value: head}}}); err != nil {
		return unavailable("keep a paper", err)
	}
	return nil
}

// Get implements [Vault].
func (c chunks) Get(ctx context.Context, name string) ([]byte, error) {
	e, ok, err := c.s.Get(ctx, filePrefix+name)
	switch {
	case err != nil:
		return nil, unavailable("read a paper", err)
	case !ok || strings.Count(name, "/") != 1:
		return nil, fmt.Errorf("%w: paper %q", ErrNotFound, name)
	}
	var head storedPaper
	if err := json.Unmarshal(e.Value, &head); err != nil {
		return nil, fmt.Errorf("read %s: %w", e.Key, err)
	}
	if head.V != 1 {
		return nil, fmt.Errorf("read %s: version %d is not known, update this program", e.Key, head.V)
	}
	pieces, _, err := c.s.List(ctx, filePrefix+name+"/")
	if err != nil {
		return nil, unavailable("read a paper", err)
	}
	out := make([]byte, 0, head.Size)
	for _, p := range pieces {
		out = append(out, p.Value...)
	}
	if len(pieces) != head.Chunks || len(out) != head.Size {
		return nil, fmt.Errorf("read %s: %d of %d pieces with %d of %d bytes are there", e.Key, len(pieces), head.Chunks, len(out), head.Size)
	}
	return out, nil
}

// Delete implements [Vault].
func (c chunks) Delete(ctx context.Context, name string) error {
	do := []kv.Op{{Key: filePrefix + name, Delete: true}}
	for n := range mostChunks {
		do = append(do, kv.Op{Key: chunkKey(name, n), Delete: true})
	}
	if _, err := c.s.Commit(ctx, kv.Txn{Do: do}); err != nil {
		return unavailable("remove a paper", err)
	}
	return nil
}
