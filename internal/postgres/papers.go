package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"bongsu/claim"
)

// rows is the vault of papers in the database itself.
type rows struct{ db *DB }

// Put implements [claim.Vault].
func (v rows) Put(ctx context.Context, name string, sealed []byte) error {
	id, file, _ := strings.Cut(name, "/")
	if _, err := v.db.pool.Exec(ctx, "INSERT INTO claim_files VALUES ($1, $2, $3)", id, file, sealed); err != nil {
		return trouble("keep a paper", err)
	}
	return nil
}

// Get implements [claim.Vault].
func (v rows) Get(ctx context.Context, name string) ([]byte, error) {
	id, file, _ := strings.Cut(name, "/")
	var sealed []byte
	err := v.db.pool.QueryRow(ctx, "SELECT sealed FROM claim_files WHERE id = $1 AND file = $2", id, file).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("%w: paper %q", claim.ErrNotFound, name)
	}
	if err != nil {
		return nil, trouble("read a paper", err)
	}
	return sealed, nil
}

// Delete implements [claim.Vault].
func (v rows) Delete(ctx context.Context, name string) error {
	id, file, _ := strings.Cut(name, "/")
	if _, err := v.db.pool.Exec(ctx, "DELETE FROM claim_files WHERE id = $1 AND file = $2", id, file); err != nil {
		return trouble("remove a paper", err)
	}
	return nil
}

// PapersIn keeps papers in another vault than the database. It is called before anything
// else is.
func (c *Claims) PapersIn(v claim.Vault) { c.vault = v }

// AddFile implements [claim.Ledger].
func (c *Claims) AddFile(ctx context.Context, id, kind, mediaType string, data []byte, who string) (claim.File, error) {
	id = claim.NormalCode(id)
	if _, err := c.Claim(ctx, id); err != nil {
		return claim.File{}, err
	}
	wrapped, err := c.bytes(ctx, c.db.pool, selectKey, id)
	if err != nil {
		return claim.File{}, err
	}
	sealed, err := c.m.SealFile(id, wrapped, data)
	if err != nil {
		return claim.File{}, err
	}
	f := claim.NewFile(kind, mediaType, data, sealed, time.Now())
	name := id + "/" + f.ID
	if _, err := c.db.pool.Exec(ctx, "INSERT INTO claim_moves VALUES ($1, $2, false)", name, f.At); err != nil {
		return claim.File{}, trouble("keep a paper", err)
	}
	putting, cancel := context.WithTimeout(ctx, claim.MoveTime/2)
	err = c.vault.Put(putting, name, sealed)
	cancel()
	if err != nil {
		return claim.File{}, err // what is left of it is swept
	}
	if _, err := c.write(ctx, id, func(tx pgx.Tx, d *claim.Claim) (claim.Event, error) {
		if !d.Erased.IsZero() {
			return claim.Event{}, claim.ErrErased
		}
		done, err := tx.Exec(ctx, "DELETE FROM claim_moves WHERE name = $1 AND NOT outward", name)
		if err == nil && done.RowsAffected() == 0 {
			err = fmt.Errorf("%w: the paper took too long and was removed, send it again", claim.ErrUnavailable)
		}
		if err := d.Add(f); err != nil {
			return claim.Event{}, err
		}
		return claim.Event{Who: who, What: "sent a paper", Why: kind}, err
	}); err != nil {
		return claim.File{}, err
	}
	return f, nil
}

// OpenFile implements [claim.Ledger].
func (c *Claims) OpenFile(ctx context.Context, id, file, who, why string) ([]byte, error) {
	id = claim.NormalCode(id)
	d, err := c.Claim(ctx, id)
	if err != nil {
		return nil, err
	}
	f, err := d.File(file)
	if err != nil {
		return nil, err
	}
	if err := c.look(ctx, id, who, claim.LookedAt(f), why); err != nil {
		return nil, err
	}
	wrapped, err := c.bytes(ctx, c.db.pool, selectKey, id)
	if err != nil {
		return nil, err
	}
	sealed, err := c.vault.Get(ctx, id+"/"+f.ID)
	if err != nil {
		return nil, err
	}
	return c.m.UnsealFile(id, wrapped, sealed)
}

// Sweep removes papers that a crash left between the vault and a claim, and what is left of
// papers that were erased: those that were begun before a moment at least [claim.MoveTime]
// ago. It returns how many it removed. Any number of processes may sweep.
func (c *Claims) Sweep(ctx context.Context, begun time.Time) (int, error) {
	// From here on their claims cannot take them any more: see AddFile.
	found, err := c.db.pool.Query(ctx, "UPDATE claim_moves SET outward = true WHERE outward OR at < $1 RETURNING name", begun)
	if err != nil {
		return 0, trouble("sweep papers", err)
	}
	names, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return 0, trouble("sweep papers", err)
	}
	for n, name := range names {
		if err := c.removed(ctx, name); err != nil {
			return n, err
		}
	}
	return len(names), nil
}

// removed removes a paper that is on its way out.
func (c *Claims) removed(ctx context.Context, name string) error {
	if err := c.vault.Delete(ctx, name); err != nil {
		return err
	}
	if _, err := c.db.pool.Exec(ctx, "DELETE FROM claim_moves WHERE name = $1 AND outward", name); err != nil {
		return trouble("sweep papers", err)
	}
	return nil
}
