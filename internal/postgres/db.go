package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"bongsu/claim"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A DB is a connected database of the right schema.
type DB struct {
	pool *pgxpool.Pool
}

// Open connects, and brings the schema up to date. url is a connection string of
// libpq; its password may be left to the environment or a file that it names.
func Open(ctx context.Context, url string) (*DB, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	db := &DB{pool}
	if err := db.migrate(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return db, nil
}

// Close ends all connections.
func (db *DB) Close() { db.pool.Close() }

// migrationLock is held while the schema changes, so that processes that start at once
// change it once.
const migrationLock = 0x626f6e677375 // bongsu

// migrate applies what is missing, each step in a transaction of its own.
func (db *DB) migrate(ctx context.Context) error {
	steps, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return fmt.Errorf("postgres: lock the schema: %w", err)
		}
		if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS bongsu_schema (version bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"); err != nil {
			return fmt.Errorf("postgres: schema: %w", err)
		}
		var have int
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM bongsu_schema").Scan(&have); err != nil {
			return fmt.Errorf("postgres: schema: %w", err)
		}
		if have > len(steps) {
			return fmt.Errorf("postgres: the schema has version %d, this program knows %d: update it", have, len(steps))
		}
		for i, name := range steps[have:] {
			text, err := migrations.ReadFile(name)
			if err != nil {
				return fmt.Errorf("postgres: %w", err)
			}
			if _, err := tx.Exec(ctx, string(text)); err != nil {
				return fmt.Errorf("postgres: %s: %w", name, err)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO bongsu_schema (version) VALUES ($1)", have+i+1); err != nil {
				return fmt.Errorf("postgres: %s: %w", name, err)
			}
		}
		return nil
	})
}

// mostTries is how often a transaction is tried that others are in the way of.
const mostTries = 5

// tx runs a transaction, and again when it and another waited for one another.
func (db *DB) tx(ctx context.Context, f func(pgx.Tx) error) error {
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, db.pool, f)
		var pe *pgconn.PgError
		if err == nil || try == mostTries || !errors.As(err, &pe) || pe.Code != "40P01" && pe.Code != "40001" {
			return err
		}
	}
}

// trouble turns what PostgreSQL says into what callers branch on: when it cannot be
// reached, stops, or has no room, nothing was kept.
func trouble(what string, err error) error {
	var pe *pgconn.PgError
	var ce *pgconn.ConnectError
	switch {
	case errors.As(err, &pe) && (strings.HasPrefix(pe.Code, "53") || strings.HasPrefix(pe.Code, "57") || strings.HasPrefix(pe.Code, "08") || pe.Code == "25006"):
		return fmt.Errorf("%s: %w: %w", what, claim.ErrUnavailable, err)
	case errors.As(err, &ce), errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err), err != nil && pe == nil && pgconn.SafeToRetry(err):
		return fmt.Errorf("%s: %w: %w", what, claim.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func since1970(t time.Time) int64 { return t.UnixNano() }

// cursor reads where a page begins.
func cursor(s string) (n int64, id string, err error) {
	text, id, ok := strings.Cut(s, ".")
	n, err = strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return 0, "", fmt.Errorf("page %q: expected what the page before gave as next", s)
	}
	return n, id, nil
}
