package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"bongsu/settle"
)

// Book is the double-entry book in SQL: the database itself refuses an entry that does
// not sum to zero, a change of one, and an account that would be overdrawn.
type Book struct{ db *DB }

var _ settle.Book = (*Book)(nil)

// Book returns the book.
func (db *DB) Book() *Book { return &Book{db} }

// Post implements [settle.Book].
func (b *Book) Post(ctx context.Context, entries ...settle.Entry) error {
	for i := range entries {
		entries[i].At = entries[i].At.UTC().Round(0)
		if err := entries[i].Check(); err != nil {
			return err
		}
		if slices.ContainsFunc(entries[:i], func(o settle.Entry) bool { return o.ID == entries[i].ID }) {
			return fmt.Errorf("%w: %s stands twice in one posting", settle.ErrReused, entries[i].ID)
		}
	}
	for {
		err := pgx.BeginFunc(ctx, b.db.pool, func(tx pgx.Tx) error { return post(ctx, tx, entries) })
		var pe *pgconn.PgError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &pe) && pe.ConstraintName == "never_overdrawn":
			return fmt.Errorf("%w: %s", settle.ErrOverdrawn, pe.Detail)
		case errors.As(err, &pe) && pe.ConstraintName == "sums_to_zero":
			return fmt.Errorf("%w: %s", settle.ErrUnbalanced, pe.Message)
		case errors.As(err, &pe) && pe.Code == "40P01": // deadlock: another goes first
			if ctx.Err() != nil {
				return ctx.Err()
			}
		case errors.Is(err, settle.ErrReused):
			return err
		default:
			return trouble("post to the book", err)
		}
	}
}

func post(ctx context.Context, tx pgx.Tx, entries []settle.Entry) error {
	// In one order, so that two that post the same wait for one another.
	sorted := slices.SortedFunc(slices.Values(entries), func(a, c settle.Entry) int { return cmp.Compare(a.ID, c.ID) })
	ids, docs := make([]string, len(sorted)), make([]string, len(sorted))
	for i := range sorted {
		doc, err := json.Marshal(sorted[i])
		if err != nil {
			return fmt.Errorf("post %s: %w", sorted[i].ID, err)
		}
		ids[i], docs[i] = sorted[i].ID, string(doc)
	}
	found, err := tx.Query(ctx, `INSERT INTO book_entries (id, doc) SELECT i, d::jsonb FROM unnest($1::text[], $2::text[]) AS r (i, d)
		ON CONFLICT (id) DO NOTHING RETURNING id`, ids, docs)
	if err != nil {
		return err
	}
	fresh, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return err
	}
	type key struct{ account, currency string }
	change := map[key]int64{}
	var of, accounts, currencies []string
	var amounts []int64
	for i := range sorted {
		e := &sorted[i]
		if !slices.Contains(fresh, e.ID) {
			var doc []byte
			if err := tx.QueryRow(ctx, "SELECT doc FROM book_entries WHERE id = $1", e.ID).Scan(&doc); err != nil {
				return err
			}
			have, err := entry(doc)
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(have, *e) {
				return fmt.Errorf("%w: %s", settle.ErrReused, e.ID)
			}
			continue
		}
		for _, l := range e.Lines {
			of, accounts, currencies = append(of, e.ID), append(accounts, string(l.Account)), append(currencies, e.Currency)
			amounts = append(amounts, l.Amount)
			change[key{string(l.Account), e.Currency}] += l.Amount
		}
	}
	if len(of) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "INSERT INTO book_lines (entry, account, currency, amount) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])", of, accounts, currencies, amounts); err != nil {
		return err
	}
	accounts, currencies, amounts = nil, nil, nil
	for k := range change {
		accounts = append(accounts, k.account+"\x00"+k.currency)
	}
	slices.Sort(accounts)
	for i, a := range accounts {
		name, currency, _ := strings.Cut(a, "\x00")
		accounts[i] = name
		currencies = append(currencies, currency)
		amounts = append(amounts, change[key{name, currency}])
	}
	// Not one upsert: the check would see the change itself as a balance.
	if _, err := tx.Exec(ctx, `INSERT INTO book_balances (account, currency, amount) SELECT a, c, 0 FROM unnest($1::text[], $2::text[]) AS r (a, c)
		ON CONFLICT (account, currency) DO NOTHING`, accounts, currencies); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT 1 FROM book_balances WHERE (account, currency) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY account, currency FOR UPDATE", accounts, currencies); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE book_balances b SET amount = b.amount + r.n FROM unnest($1::text[], $2::text[], $3::bigint[]) AS r (a, c, n)
		WHERE b.account = r.a AND b.currency = r.c`, accounts, currencies, amounts)
	return err
}

func entry(doc []byte) (settle.Entry, error) {
	var e settle.Entry
	if err := json.Unmarshal(doc, &e); err != nil {
		return e, fmt.Errorf("read an entry: %w", err)
	}
	if e.At.Location() != time.UTC {
		e.At = e.At.UTC()
	}
	return e, nil
}

// Balance implements [settle.Book].
func (b *Book) Balance(ctx context.Context, a settle.Account, currency string) (int64, error) {
	var n int64
	err := b.db.pool.QueryRow(ctx, "SELECT amount FROM book_balances WHERE account = $1 AND currency = $2", string(a), currency).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, trouble("balance of "+string(a), err)
	}
	return n, nil
}

// Entry implements [settle.Book].
func (b *Book) Entry(ctx context.Context, id string) (settle.Entry, error) {
	var doc []byte
	err := b.db.pool.QueryRow(ctx, "SELECT doc FROM book_entries WHERE id = $1", id).Scan(&doc)
	if errors.Is(err, pgx.ErrNoRows) {
		return settle.Entry{}, fmt.Errorf("%w: %s", settle.ErrNotFound, id)
	}
	if err != nil {
		return settle.Entry{}, trouble("read entry "+id, err)
	}
	return entry(doc)
}

// Each implements [settle.Book].
func (b *Book) Each(ctx context.Context, prefix settle.Account, visit func(settle.Entry) error) error {
	after, account := "", ""
	for {
		query, args := "SELECT '', id, doc FROM book_entries WHERE id > $1 ORDER BY id LIMIT 5000", []any{after}
		if prefix != "" {
			query = `SELECT l.account, e.id, e.doc FROM book_lines l JOIN book_entries e ON e.id = l.entry
				WHERE starts_with(l.account, $1) AND (l.account, l.entry) > ($2, $3) ORDER BY l.account, l.entry LIMIT 5000`
			args = []any{string(prefix), account, after}
		}
		found, err := b.db.pool.Query(ctx, query, args...)
		if err != nil {
			return trouble("list the book", err)
		}
		type line struct {
			Account, ID string
			Doc         []byte
		}
		rows, err := pgx.CollectRows(found, pgx.RowToStructByPos[line])
		if err != nil {
			return trouble("list the book", err)
		}
		for _, r := range rows {
			e, err := entry(r.Doc)
			if err != nil {
				return err
			}
			if err := visit(e); err != nil {
				return err
			}
			account, after = r.Account, r.ID
		}
		if len(rows) == 0 {
			return nil
		}
	}
}

// Balances implements [settle.Book].
func (b *Book) Balances(ctx context.Context, prefix settle.Account, currency string) ([]settle.Line, error) {
	found, err := b.db.pool.Query(ctx, "SELECT account, amount FROM book_balances WHERE starts_with(account, $1) AND currency = $2 AND amount <> 0 ORDER BY account", string(prefix), currency)
	if err != nil {
		return nil, trouble("list balances", err)
	}
	rows, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (settle.Line, error) {
		var l settle.Line
		err := r.Scan(&l.Account, &l.Amount)
		return l, err
	})
	if err != nil {
		return nil, trouble("list balances", err)
	}
	if rows == nil {
		rows = []settle.Line{}
	}
	return rows, nil
}
