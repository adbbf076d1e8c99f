package postgres

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"bongsu/claim"
)

// Claims is the ledger of claims in SQL.
type Claims struct {
	db     *DB
	m      *claim.Master
	vault  claim.Vault
	facets facets
}

var _ claim.Ledger = (*Claims)(nil)

// Claims returns the ledger; m seals what is personal.
func (db *DB) Claims(m *claim.Master) *Claims {
	return &Claims{db: db, m: m, vault: rows{db}, facets: facets{of: map[facet]int32{}}}
}

// A row is what a claim is in the table.
type row struct {
	p     *claim.Prepared
	at    int // of the report
	r     *claim.Report
	lost  bool // another process used its key first
	doc   string
	event string
	facet int32
}

// mostRows is how many reports go into one transaction.
const mostRows = 1_000

// File implements [claim.Ledger]: all reports of a call go in with one statement for
// each table.
func (c *Claims) File(ctx context.Context, reports []claim.Report) ([]claim.Receipt, []error) {
	receipts, errs := make([]claim.Receipt, len(reports)), make([]error, len(reports))
	first := map[string]int{} // of this call, by key
	var rows []*row
	var later []int // reports that repeat another of this call
	for i := range reports {
		r := &reports[i]
		if r.Key != "" {
			if _, ok := first[r.Key]; ok {
				later = append(later, i)
				continue
			}
			first[r.Key] = i
		}
		x, err := c.row(ctx, r, i)
		if err != nil {
			errs[i] = err
			continue
		}
		rows = append(rows, x)
	}
	for chunk := range slices.Chunk(rows, mostRows) {
		err := c.insert(ctx, chunk)
		if err != nil && !errors.Is(trouble("", err), claim.ErrUnavailable) && len(chunk) > 1 {
			c.single(ctx, chunk, receipts, errs) // so that what is wrong with one is its own
			continue
		}
		for _, x := range chunk {
			switch {
			case err != nil:
				errs[x.at] = trouble("file a report", err)
			case x.lost:
				later = append(later, x.at)
			default:
				receipts[x.at] = x.p.Receipt
			}
		}
	}
	for _, i := range later {
		receipts[i], errs[i] = c.again(ctx, &reports[i])
	}
	return receipts, errs
}

// single files rows one by one.
func (c *Claims) single(ctx context.Context, rows []*row, receipts []claim.Receipt, errs []error) {
	for _, x := range rows {
		err := c.insert(ctx, []*row{x})
		switch {
		case err != nil:
			errs[x.at] = trouble("file a report", err)
		case x.lost:
			receipts[x.at], errs[x.at] = c.again(ctx, x.r)
		default:
			receipts[x.at] = x.p.Receipt
		}
	}
}

func (c *Claims) row(ctx context.Context, r *claim.Report, at int) (*row, error) {
	p, err := c.m.Prepare(r, time.Now())
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(p.Claim)
	if err != nil {
		return nil, fmt.Errorf("file a report: %w", err)
	}
	event, err := json.Marshal(p.Event)
	if err != nil {
		return nil, fmt.Errorf("file a report: %w", err)
	}
	x := &row{p: p, at: at, r: r, doc: string(doc), event: string(event)}
	if x.facet, err = c.facet(ctx, c.db.pool, &p.Claim); err != nil {
		return nil, trouble("file a report", err)
	}
	return x, nil
}

// keyed is what is kept of an idempotency key: the start of its hash, in the form of a UUID.
func keyed(hash string) string { return hash[:32] }

// again answers a report whose key is taken.
func (c *Claims) again(ctx context.Context, r *claim.Report) (claim.Receipt, error) {
	var id, fingerprint string
	err := c.db.pool.QueryRow(ctx, "SELECT id, fingerprint FROM claims WHERE keyed = $1::text::uuid", keyed(claim.KeyHash(r.Key))).Scan(&id, &fingerprint)
	if err != nil {
		return claim.Receipt{}, trouble("file a report", err)
	}
	return c.m.Again(r, id, fingerprint)
}

// Used implements [claim.Ledger].
func (c *Claims) Used(ctx context.Context, keys []string) (map[string]bool, error) {
	hashes, by := make([]string, len(keys)), make(map[string]string, len(keys))
	for i, key := range keys {
		hashes[i] = keyed(claim.KeyHash(key))
		by[hashes[i]] = key
	}
	rows, err := c.db.pool.Query(ctx, "SELECT replace(keyed::text, '-', '') FROM claims WHERE keyed = ANY($1::text[]::uuid[])", hashes)
	if err != nil {
		return nil, trouble("look for reports that were filed", err)
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, trouble("look for reports that were filed", err)
	}
	used := make(map[string]bool, len(there))
	for _, hash := range there {
		used[by[hash]] = true
	}
	return used, nil
}

// insert keeps rows, by one statement that is a transaction of its own. They go in one order for
// all processes, by key, so that two that file the same wait for one another and never in a circle.
func (c *Claims) insert(ctx context.Context, rows []*row) error {
	slices.SortFunc(rows, func(a, b *row) int { return strings.Compare(a.p.KeyHash, b.p.KeyHash) })
	n := len(rows)
	var (
		id, secret, marks, docs, filings, starts = make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		keys, prints                             = make([]*string, n), make([]*string, n)
		amount, filed, facet                     = make([]int64, n), make([]int64, n), make([]int32, n)
		sealed, wrapped                          = make([][]byte, n), make([][]byte, n)
	)
	byID := make(map[string]*row, n)
	for i, x := range rows {
		d := &x.p.Claim
		id[i], secret[i], docs[i], filings[i], facet[i] = d.ID, x.p.Secret, x.doc, x.event, x.facet
		amount[i], filed[i], sealed[i], wrapped[i] = amountOf(d), since1970(d.Filed), x.p.Sealed, x.p.Wrapped
		marks[i] = "{" + strings.Join(x.p.Marks, ",") + "}" // letters, dots and hexadecimal: nothing to quote
		starts[i] = startsOf(x.p.Marks)
		if x.p.KeyHash != "" {
			k := keyed(x.p.KeyHash)
			keys[i], prints[i] = &k, &x.p.Fingerprint
		}
		x.lost = true
		byID[d.ID] = x
	}
	ours, err := c.db.pool.Query(ctx, `WITH ours AS (
			INSERT INTO claims (id, facet, amount, filed, version, secret, marks, events, doc, filing, keyed, fingerprint)
			SELECT i, f, a, t, 1, s, m::text[], 1, d, e, k::uuid, p
			FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[]) AS r (i, f, a, t, s, m, d, e, k, p)
			ON CONFLICT (keyed) WHERE keyed IS NOT NULL DO NOTHING RETURNING id
		), secrets AS (
			INSERT INTO claim_sealed (id, sealed, starts) SELECT i, s, m::bigint[] FROM unnest($1::text[], $11::bytea[], $12::text[]) AS r (i, s, m) JOIN ours ON ours.id = i
		), keys AS (
			INSERT INTO claim_keys (id, wrapped) SELECT i, w FROM unnest($1::text[], $13::bytea[]) AS r (i, w) JOIN ours ON ours.id = i
		) SELECT id FROM ours`, id, facet, amount, filed, secret, marks, docs, filings, keys, prints, sealed, starts, wrapped)
	if err != nil {
		return err
	}
	taken, err := pgx.CollectRows(ours, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, id := range taken {
		byID[id].lost = false
	}
	return nil
}

// startsOf is what marks are found by, as an array of SQL.
func startsOf(marks []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range marks {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(markStart(m), 10))
	}
	b.WriteByte('}')
	return b.String()
}

// Claim implements [claim.Ledger].
func (c *Claims) Claim(ctx context.Context, id string) (claim.Claim, error) {
	d, _, err := c.load(ctx, claim.NormalCode(id))
	return d, err
}

func (c *Claims) load(ctx context.Context, id string) (claim.Claim, string, error) {
	var doc []byte
	var secret string
	err := c.db.pool.QueryRow(ctx, "SELECT doc, secret FROM claims WHERE id = $1", id).Scan(&doc, &secret)
	if errors.Is(err, pgx.ErrNoRows) {
		return claim.Claim{}, "", fmt.Errorf("%w: %q", claim.ErrNotFound, id)
	}
	if err != nil {
		return claim.Claim{}, "", trouble("read claim "+id, err)
	}
	d, err := decode(doc)
	return d, secret, err
}

func decode(doc []byte) (claim.Claim, error) {
	var d claim.Claim
	if err := json.Unmarshal(doc, &d); err != nil {
		return d, fmt.Errorf("read a claim: %w", err)
	}
	return d, nil
}

// Check implements [claim.Ledger].
func (c *Claims) Check(ctx context.Context, id, secret string) (claim.Claim, error) {
	id = claim.NormalCode(id)
	d, have, err := c.load(ctx, id)
	if err != nil && !errors.Is(err, claim.ErrNotFound) {
		return claim.Claim{}, err
	}
	if subtle.ConstantTimeCompare([]byte(have), []byte(claim.SecretHash(id, secret))) != 1 || err != nil {
		return claim.Claim{}, claim.ErrSecret
	}
	return d, nil
}

// columns are what of claims is in columns, one array for each.
type columns struct {
	id, docs               []string
	amount, filed, version []int64
	facet                  []int32
}

func (x *columns) add(d *claim.Claim, facet int32) error {
	doc, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("claim %s: %w", d.ID, err)
	}
	x.id, x.docs, x.facet = append(x.id, d.ID), append(x.docs, string(doc)), append(x.facet, facet)
	x.amount, x.filed, x.version = append(x.amount, amountOf(d)), append(x.filed, since1970(d.Filed)), append(x.version, d.Version)
	return nil
}

// amountOf is what a desk sorts by: what was decided, else what is claimed.
func amountOf(d *claim.Claim) int64 {
	if d.Decision != nil {
		return d.Decision.Amount
	}
	return d.Report.Loss
}

// update writes the claims that are of the version before theirs, and returns how many were.
func (x *columns) update(ctx context.Context, tx pgx.Tx) (int, error) {
	done, err := tx.Exec(ctx, `UPDATE claims c SET facet = r.g, amount = r.a, filed = r.f, version = r.v, events = c.events + 1, doc = r.d
		FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[]) AS r (i, g, a, f, v, d)
		WHERE c.id = r.i AND c.version = r.v - 1`, x.id, x.facet, x.amount, x.filed, x.version, x.docs)
	return int(done.RowsAffected()), err
}

// Change implements [claim.Ledger].
func (c *Claims) Change(ctx context.Context, claims []claim.Claim, events []claim.Event) error {
	if len(claims) != len(events) {
		return fmt.Errorf("change %d claims with %d events: expected as many", len(claims), len(events))
	}
	if len(claims) == 0 {
		return nil
	}
	var x columns
	var said []string
	now := time.Now().UTC().Round(time.Microsecond)
	for i := range claims {
		d, e := claims[i], events[i]
		d.Version++
		d.Changed, e.Claim, e.At = now, d.ID, now
		facet, err := c.facet(ctx, c.db.pool, &d)
		if err != nil {
			return trouble("change claims", err)
		}
		if err := x.add(&d, facet); err != nil {
			return err
		}
		ev, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("change claim %s: %w", d.ID, err)
		}
		said = append(said, string(ev))
	}
	err := c.db.tx(ctx, func(tx pgx.Tx) error {
		// In one order, so that two that change the same wait and do not deadlock.
		if _, err := tx.Exec(ctx, "SELECT 1 FROM claims WHERE id = ANY($1) ORDER BY id FOR UPDATE", x.id); err != nil {
			return err
		}
		done, err := x.update(ctx, tx)
		if err != nil {
			return err
		}
		if done != len(x.id) {
			var there int
			if err := tx.QueryRow(ctx, "SELECT count(*) FROM claims WHERE id = ANY($1)", x.id).Scan(&there); err != nil {
				return err
			}
			if there < len(x.id) {
				return claim.ErrNotFound
			}
			return claim.ErrConflict
		}
		_, err = tx.Exec(ctx, `INSERT INTO claim_events (claim, n, doc) SELECT r.i, c.events, r.d
			FROM unnest($1::text[], $2::text[]) AS r (i, d) JOIN claims c ON c.id = r.i`, x.id, said)
		return err
	})
	if errors.Is(err, claim.ErrConflict) || errors.Is(err, claim.ErrNotFound) {
		return err
	}
	if err != nil {
		return trouble("change claims", err)
	}
	return nil
}

// Each implements [claim.Ledger].
func (c *Claims) Each(ctx context.Context, incident string, visit func(claim.Claim) error) error {
	found, err := c.db.pool.Query(ctx, "SELECT c.id FROM claims c JOIN claim_facets f ON f.id = c.facet WHERE $1 IN ('', f.incident) ORDER BY c.id", incident)
	if err != nil {
		return trouble("go over claims", err)
	}
	ids, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return trouble("go over claims", err)
	}
	for chunk := range slices.Chunk(ids, 5_000) {
		found, err := c.db.pool.Query(ctx, "SELECT doc FROM claims WHERE id = ANY($1) ORDER BY id", chunk)
		if err != nil {
			return trouble("go over claims", err)
		}
		docs, err := pgx.CollectRows(found, pgx.RowTo[[]byte])
		if err != nil {
			return trouble("go over claims", err)
		}
		for _, doc := range docs {
			d, err := decode(doc)
			if err != nil {
				return err
			}
			if err := visit(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// Marks implements [claim.Ledger].
func (c *Claims) Marks(ctx context.Context, incident string) (map[string][]string, error) {
	found, err := c.db.pool.Query(ctx, "SELECT c.id, c.marks FROM claims c JOIN claim_facets f ON f.id = c.facet WHERE f.incident = $1 AND c.marks <> '{}'", incident)
	if err != nil {
		return nil, trouble("read marks", err)
	}
	out := map[string][]string{}
	var id string
	var marks []string
	if _, err := pgx.ForEachRow(found, []any{&id, &marks}, func() error {
		out[id], marks = marks, nil
		return nil
	}); err != nil {
		return nil, trouble("read marks", err)
	}
	return out, nil
}

// History implements [claim.Ledger].
func (c *Claims) History(ctx context.Context, id string) ([]claim.Event, error) {
	return c.events(ctx, "SELECT doc FROM (SELECT 1 AS n, filing AS doc FROM claims WHERE id = $1 UNION ALL SELECT n, doc FROM claim_events WHERE claim = $1) e ORDER BY n", claim.NormalCode(id))
}

func (c *Claims) events(ctx context.Context, query string, args ...any) ([]claim.Event, error) {
	found, err := c.db.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, trouble("read events", err)
	}
	docs, err := pgx.CollectRows(found, pgx.RowTo[[]byte])
	if err != nil {
		return nil, trouble("read events", err)
	}
	out := make([]claim.Event, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal(doc, &out[i]); err != nil {
			return nil, fmt.Errorf("read an event: %w", err)
		}
	}
	return out, nil
}

// write changes a claim and appends an event, in one transaction, in which change may
// write more; the row of the claim is locked.
func (c *Claims) write(ctx context.Context, id string, change func(pgx.Tx, *claim.Claim) (claim.Event, error)) (claim.Claim, error) {
	var d claim.Claim
	err := c.db.tx(ctx, func(tx pgx.Tx) error {
		var doc []byte
		var err error
		if err = tx.QueryRow(ctx, "SELECT doc FROM claims WHERE id = $1 FOR UPDATE", id).Scan(&doc); err != nil {
			return err
		}
		if d, err = decode(doc); err != nil {
			return err
		}
		version := d.Version
		e, err := change(tx, &d)
		if err != nil {
			return err
		}
		e.Claim, e.At = id, time.Now().UTC().Round(time.Microsecond)
		said, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if e.Look() { // it changes nothing
			if _, err := tx.Exec(ctx, "UPDATE claims SET events = events + 1 WHERE id = $1", id); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO claim_looks (at, claim, n, doc) SELECT $2, id, events, $3 FROM claims WHERE id = $1", id, since1970(e.At), string(said)); err != nil {
				return err
			}
		} else {
			d.ID, d.Version, d.Changed = id, version+1, e.At
			facet, err := c.facet(ctx, tx, &d)
			if err != nil {
				return err
			}
			var x columns
			if err := x.add(&d, facet); err != nil {
				return err
			}
			if n, err := x.update(ctx, tx); err != nil || n != 1 {
				return cmp.Or(err, claim.ErrConflict)
			}
		}
		_, err = tx.Exec(ctx, "INSERT INTO claim_events (claim, n, doc) SELECT id, events, $2 FROM claims WHERE id = $1", id, string(said))
		return err
	})
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, pgx.ErrNoRows):
		return claim.Claim{}, fmt.Errorf("%w: %q", claim.ErrNotFound, id)
	}
	return claim.Claim{}, trouble("write claim "+id, err)
}

// A querier is the pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// bytes reads one sealed thing; what is not there was erased.
func (c *Claims) bytes(ctx context.Context, q querier, query string, args ...any) ([]byte, error) {
	var b []byte
	err := q.QueryRow(ctx, query, args...).Scan(&b)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, claim.ErrErased
	}
	if err != nil {
		return nil, trouble("open a claim", err)
	}
	return b, nil
}

// What opens a claim.
const (
	selectKey    = "SELECT wrapped FROM claim_keys WHERE id = $1"
	selectSealed = "SELECT sealed FROM claim_sealed WHERE id = $1"
)

// look writes down that somebody looks.
func (c *Claims) look(ctx context.Context, id, who, what, why string) error {
	if who == "" || why == "" {
		return claim.ErrNobody
	}
	_, err := c.write(ctx, id, func(pgx.Tx, *claim.Claim) (claim.Event, error) {
		return claim.Event{Who: who, What: what, Why: why}, nil
	})
	return err
}

// Open implements [claim.Ledger].
func (c *Claims) Open(ctx context.Context, id, who, why string) (claim.Personal, error) {
	id = claim.NormalCode(id)
	if err := c.look(ctx, id, who, claim.Looked, why); err != nil {
		return claim.Personal{}, err
	}
	wrapped, err := c.bytes(ctx, c.db.pool, selectKey, id)
	if err != nil {
		return claim.Personal{}, err
	}
	sealed, err := c.bytes(ctx, c.db.pool, selectSealed, id)
	if err != nil {
		return claim.Personal{}, err
	}
	return c.m.Unseal(id, wrapped, sealed)
}

// Amend implements [claim.Ledger].
func (c *Claims) Amend(ctx context.Context, id string, change func(*claim.Claim, *claim.Personal) (claim.Event, error)) (claim.Claim, error) {
	id = claim.NormalCode(id)
	return c.write(ctx, id, func(tx pgx.Tx, d *claim.Claim) (claim.Event, error) {
		wrapped, err := c.bytes(ctx, tx, selectKey, id)
		if err != nil {
			return claim.Event{}, err
		}
		sealed, err := c.bytes(ctx, tx, selectSealed, id)
		if err != nil {
			return claim.Event{}, err
		}
		a, err := c.m.Amend(wrapped, sealed, d, change)
		if err != nil {
			return claim.Event{}, err
		}
		if _, err := tx.Exec(ctx, "UPDATE claim_sealed SET sealed = $2 WHERE id = $1", id, a.Sealed); err != nil {
			return claim.Event{}, err
		}
		if len(a.Marks) == 0 {
			return a.Event, nil
		}
		// The row is locked, so nobody adds others meanwhile.
		if _, err := tx.Exec(ctx, `UPDATE claims SET marks = ARRAY(SELECT m FROM unnest(marks || $2::text[]) AS m GROUP BY m ORDER BY m)
			WHERE id = $1 AND cardinality(marks) + cardinality($2::text[]) <= $3`, id, a.Marks, claim.MostMarks); err != nil {
			return claim.Event{}, err
		}
		_, err = tx.Exec(ctx, `UPDATE claim_sealed s SET starts = ARRAY(SELECT ('x' || left(split_part(m, '.', 2), 16))::bit(64)::bigint FROM unnest(c.marks) AS m)
			FROM claims c WHERE c.id = $1 AND s.id = $1`, id)
		return a.Event, err
	})
}

// Looks implements [claim.Ledger].
func (c *Claims) Looks(ctx context.Context, since time.Time, limit int) ([]claim.Event, error) {
	var from int64
	if since.After(time.Unix(0, 0)) {
		from = since1970(since)
	}
	return c.events(ctx, "SELECT doc FROM claim_looks WHERE at >= $1 ORDER BY at DESC, claim, n DESC LIMIT $2", from, max(limit, 0))
}

// Erase implements [claim.Ledger]. Papers go after the key that opens them; those that
// cannot be removed now are left to [Claims.Sweep].
func (c *Claims) Erase(ctx context.Context, id, who, why string) error {
	id = claim.NormalCode(id)
	gone, err := c.erase(ctx, id, who, why)
	if err != nil {
		return err
	}
	for _, f := range gone.Files {
		_ = c.removed(ctx, id+"/"+f.ID) // else Sweep does
	}
	return nil
}

// erase destroys the key, and says that the papers are on their way out.
func (c *Claims) erase(ctx context.Context, id, who, why string) (claim.Claim, error) {
	return c.write(ctx, id, func(tx pgx.Tx, d *claim.Claim) (claim.Event, error) {
		d.Forget(time.Now().UTC().Round(time.Microsecond))
		var b pgx.Batch
		for _, t := range []string{"claim_keys", "claim_sealed"} {
			b.Queue("DELETE FROM "+t+" WHERE id = $1", id)
		}
		b.Queue("UPDATE claims SET marks = '{}' WHERE id = $1", id)
		for _, f := range d.Files {
			b.Queue("INSERT INTO claim_moves VALUES ($1, now(), true) ON CONFLICT (name) DO UPDATE SET outward = true", id+"/"+f.ID)
		}
		b.Queue("INSERT INTO claim_erased VALUES ($1, now()) ON CONFLICT DO NOTHING", id)
		return claim.Event{Who: who, What: "erased", Why: why}, tx.SendBatch(ctx, &b).Close()
	})
}
