package postgres

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Salts derives a salt for what each claim commits to, by the claim's ID. Claims whose
// key was destroyed are left out. Nobody is shown anything: it is no look.
func (c *Claims) Salts(ctx context.Context, about map[string]string) (map[string][]byte, error) {
	found, err := c.db.pool.Query(ctx, "SELECT id, wrapped FROM claim_keys WHERE id = ANY($1)", slices.Collect(maps.Keys(about)))
	if err != nil {
		return nil, trouble("read keys", err)
	}
	out := make(map[string][]byte, len(about))
	var id string
	var wrapped []byte
	if _, err := pgx.ForEachRow(found, []any{&id, &wrapped}, func() error {
		salt, err := c.m.Salt(id, wrapped, about[id])
		out[id] = salt
		return err
	}); err != nil {
		return nil, trouble("read keys", err)
	}
	return out, nil
}

// Banked says which of the claims name a bank account, and nothing more of it. Nobody is
// shown anything: it is no look.
func (c *Claims) Banked(ctx context.Context, ids []string) (map[string]bool, error) {
	found, err := c.db.pool.Query(ctx, "SELECT id, wrapped, sealed FROM claim_keys JOIN claim_sealed USING (id) WHERE id = ANY($1)", ids)
	if err != nil {
		return nil, trouble("read bank accounts", err)
	}
	out := make(map[string]bool, len(ids))
	var id string
	var wrapped, sealed []byte
	if _, err := pgx.ForEachRow(found, []any{&id, &wrapped, &sealed}, func() error {
		p, err := c.m.Unseal(id, wrapped, sealed)
		out[id] = p.Banked()
		return err
	}); err != nil {
		return nil, trouble("read bank accounts", err)
	}
	return out, nil
}
