package claim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"bongsu/internal/kv"
)

// Salt derives the salt of a commitment from the data key of a claim: it is the same
// whenever it is asked for, and gone for good with the key.
func (m *Master) Salt(id string, wrapped []byte, about string) ([]byte, error) {
	key, err := m.unwrap(id, wrapped)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte("bongsu commitment\x00" + about))
	return h.Sum(nil), nil
}

// Salts derives a salt for what each claim commits to, by the claim's ID. Claims whose
// key was destroyed are left out. Nobody is shown anything: it is no look.
func (k *Keeper) Salts(ctx context.Context, about map[string]string) (map[string][]byte, error) {
	var mu sync.Mutex
	out := make(map[string][]byte, len(about))
	ids := slices.Sorted(maps.Keys(about))
	err := kv.Together(ctx, len(ids), func(ctx context.Context, i int) error {
		id := ids[i]
		e, ok, err := k.s.Get(ctx, KeyPrefix+id)
		switch {
		case err != nil:
			return unavailable("salt of "+id, err)
		case !ok:
			return nil
		}
		salt, err := k.m.Salt(id, e.Value, about[id])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		out[id] = salt
		return nil
	})
	return out, err
}

// Banked says which of the claims name a bank account, and nothing more of it. Nobody is
// shown anything: it is no look.
func (k *Keeper) Banked(ctx context.Context, ids []string) (map[string]bool, error) {
	var mu sync.Mutex
	out := make(map[string]bool, len(ids))
	err := kv.Together(ctx, len(ids), func(ctx context.Context, i int) error {
		id := ids[i]
		key, err := k.key(ctx, id)
		if errors.Is(err, ErrErased) {
			return nil
		}
		if err != nil {
			return err
		}
		e, ok, err := k.s.Get(ctx, sealedPrefix+id)
		if err != nil {
			return unavailable("open claim "+id, err)
		}
		if !ok {
			return nil
		}
		p, err := key.openPersonal(id, e.Value)
		if err != nil {
			return fmt.Errorf("bank account of %s: %w", id, err)
		}
		mu.Lock()
		defer mu.Unlock()
		out[id] = p.Banked()
		return nil
	})
	return out, err
}

// Banked says whether money can be sent: to whom, at which bank, to which account.
func (p *Personal) Banked() bool { return p.Bank != "" && p.Number != "" && p.Holder != "" }
