package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"bongsu/claim"
)

// Erased returns which claims were erased and when, for a restore to replay.
func (c *Claims) Erased(ctx context.Context) (map[string]time.Time, error) {
	found, err := c.db.pool.Query(ctx, "SELECT id, at FROM claim_erased")
	if err != nil {
		return nil, trouble("list erasures", err)
	}
	out := map[string]time.Time{}
	var id string
	var at time.Time
	if _, err := pgx.ForEachRow(found, []any{&id, &at}, func() error {
		out[id] = at
		return nil
	}); err != nil {
		return nil, trouble("list erasures", err)
	}
	return out, nil
}

// Replay erases again what was erased after the backup that was restored, before anything
// is served, and removes keys of claims that are not there. It returns how many claims it erased.
// Papers are left to [Claims.Sweep]. From now on no batch is drafted until somebody has held the book against the bank, see [Claims.Restored].
func (c *Claims) Replay(ctx context.Context, erased []string) (int, error) {
	if _, err := c.db.pool.Exec(ctx, "INSERT INTO claim_restored SELECT now() WHERE NOT EXISTS (SELECT 1 FROM claim_restored)"); err != nil {
		return 0, trouble("replay erasures", err)
	}
	if _, err := c.db.pool.Exec(ctx, "DELETE FROM claim_keys k WHERE NOT EXISTS (SELECT 1 FROM claims c WHERE c.id = k.id)"); err != nil {
		return 0, trouble("replay erasures", err)
	}
	// One of a claim that is not there may be needed with another backup.
	if _, err := c.db.pool.Exec(ctx, "INSERT INTO claim_erased SELECT i, now() FROM unnest($1::text[]) AS i ON CONFLICT DO NOTHING", erased); err != nil {
		return 0, trouble("replay erasures", err)
	}
	found, err := c.db.pool.Query(ctx, `SELECT e.id FROM claim_erased e JOIN claims c ON c.id = e.id
		WHERE NOT c.doc::jsonb ? 'erased' OR EXISTS (SELECT 1 FROM claim_keys k WHERE k.id = e.id) OR EXISTS (SELECT 1 FROM claim_sealed s WHERE s.id = e.id) ORDER BY e.id`)
	if err != nil {
		return 0, trouble("replay erasures", err)
	}
	ids, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return 0, trouble("replay erasures", err)
	}
	for n, id := range ids {
		if _, err := c.erase(ctx, id, "restore", "it had been erased before the restore"); err != nil && !errors.Is(err, claim.ErrNotFound) {
			return n, err
		}
	}
	return len(ids), nil
}

// Restored tells note that the database was restored, and at what time, once: batches are kept in another store, which does not
// know. When note fails it is told again.
func (c *Claims) Restored(ctx context.Context, note func(ctx context.Context, at time.Time) error) error {
	var at *time.Time
	if err := c.db.pool.QueryRow(ctx, "SELECT max(at) FROM claim_restored").Scan(&at); err != nil {
		return trouble("look whether the database was restored", err)
	}
	if at == nil {
		return nil
	}
	if err := note(ctx, *at); err != nil {
		return err
	}
	if _, err := c.db.pool.Exec(ctx, "DELETE FROM claim_restored WHERE at <= $1", *at); err != nil {
		return trouble("note that the database was restored", err)
	}
	return nil
}
