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

	"bongsu/claim"
)

// Claims is the ledger of claims in SQL.
type Claims struct {
	db    *DB
	m     *claim.Master
	vault claim.Vault
}

var _ claim.Ledger = (*Claims)(nil)

// Claims returns the ledger; m seals what is personal.
func (db *DB) Claims(m *claim.Master) *Claims { return &Claims{db, m, rows{db}} }

// A row is what a claim is in the table.
type row struct {
	p     *claim.Prepared
	at    int // of the report
	r     *claim.Report
	lost  bool // another process used its key first
	doc   []byte
	event []byte
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
		x, err := c.row(r, i)
		if err != nil {
			errs[i] = err
			continue
		}
		rows = append(rows, x)
	}
	for chunk := range slices.Chunk(rows, mostRows) {
		err := pgx.BeginFunc(ctx, c.db.pool, func(tx pgx.Tx) error { return insert(ctx, tx, chunk) })
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
		err := pgx.BeginFunc(ctx, c.db.pool, func(tx pgx.Tx) error { return insert(ctx, tx, []*row{x}) })
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

func (c *Claims) row(r *claim.Report, at int) (*row, error) {
	p, err := c.m.Prepare(r, time.Now())
	if err != nil {
		return nil, err
	}
	x := &row{p: p, at: at, r: r}
	if x.doc, err = json.Marshal(p.Claim); err != nil {
		return nil, fmt.Errorf("file a report: %w", err)
	}
	if x.event, err = json.Marshal(p.Event); err != nil {
		return nil, fmt.Errorf("file a report: %w", err)
	}
	return x, nil
}

// again answers a report whose key is taken.
func (c *Claims) again(ctx context.Context, r *claim.Report) (claim.Receipt, error) {
	var id, fingerprint string
	err := c.db.pool.QueryRow(ctx, "SELECT id, fingerprint FROM claim_keyed WHERE hash = $1", claim.KeyHash(r.Key)).Scan(&id, &fingerprint)
	if err != nil {
		return claim.Receipt{}, trouble("file a report", err)
	}
	return c.m.Again(r, id, fingerprint)
}

// insert keeps rows. Keys come first, in one order for all processes, so that two that
// file the same wait for one another and never in a circle.
func insert(ctx context.Context, tx pgx.Tx, rows []*row) error {
	byKey := map[string]*row{}
	var hashes, ids, prints []string
	for _, x := range rows {
		if x.p.KeyHash != "" {
			byKey[x.p.KeyHash] = x
			hashes = append(hashes, x.p.KeyHash)
		}
	}
	slices.Sort(hashes)
	for _, h := range hashes {
		x := byKey[h]
		x.lost = true
		ids, prints = append(ids, x.p.Claim.ID), append(prints, x.p.Fingerprint)
	}
	if len(hashes) > 0 {
		ours, err := tx.Query(ctx, `INSERT INTO claim_keyed (hash, id, fingerprint)
			SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT (hash) DO NOTHING RETURNING hash`, hashes, ids, prints)
		if err != nil {
			return err
		}
		taken, err := pgx.CollectRows(ours, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, h := range taken {
			byKey[h].lost = false
		}
	}
	var (
		id, incident, service, use, kind, channel, state, secret, marks, docs, events []string
		amount, filed, version                                                        []int64
		sealed, wrapped                                                               [][]byte
		mark, marked                                                                  []string
	)
	for _, x := range rows {
		if x.lost {
			continue
		}
		d := &x.p.Claim
		id, incident, service = append(id, d.ID), append(incident, d.Incident), append(service, d.Report.Service)
		use, kind, channel = append(use, d.Report.Use), append(kind, d.Report.Kind), append(channel, d.Channel)
		state, secret = append(state, string(d.State)), append(secret, x.p.Secret)
		marks = append(marks, "{"+strings.Join(x.p.Marks, ",")+"}") // letters, dots and hexadecimal: nothing to quote
		docs, events = append(docs, string(x.doc)), append(events, string(x.event))
		amount, filed, version = append(amount, d.Report.Loss), append(filed, since1970(d.Filed)), append(version, d.Version)
		sealed, wrapped = append(sealed, x.p.Sealed), append(wrapped, x.p.Wrapped)
		for _, m := range x.p.Marks {
			mark, marked = append(mark, m), append(marked, d.ID)
		}
	}
	if len(id) == 0 {
		return nil
	}
	var b pgx.Batch
	b.Queue(`INSERT INTO claims (id, incident, service, use, kind, channel, state, rule, amount, flags, filed, version, secret, marks, events, doc)
		SELECT i, n, s, u, k, c, t, '', a, 0, f, v, x, m::text[], 1, d::jsonb
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[])
		AS r (i, n, s, u, k, c, t, a, f, v, x, m, d)`,
		id, incident, service, use, kind, channel, state, amount, filed, version, secret, marks, docs)
	b.Queue("INSERT INTO claim_sealed SELECT * FROM unnest($1::text[], $2::bytea[])", id, sealed)
	b.Queue("INSERT INTO claim_keys SELECT * FROM unnest($1::text[], $2::bytea[])", id, wrapped)
	b.Queue("INSERT INTO claim_events (claim, n, doc) SELECT i, 1, d::jsonb FROM unnest($1::text[], $2::text[]) AS r (i, d)", id, events)
	b.Queue("INSERT INTO claim_marks SELECT * FROM unnest($1::text[], $2::text[])", mark, marked)
	return tx.SendBatch(ctx, &b).Close()
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
	id, incident, service, use, kind, channel, state, rule, docs []string
	amount, flags, filed, version                                []int64
}

func (x *columns) add(d *claim.Claim) error {
	doc, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("claim %s: %w", d.ID, err)
	}
	r, a := "", d.Report.Loss
	if d.Decision != nil {
		r, a = d.Decision.Rule, d.Decision.Amount
	}
	x.id, x.incident, x.service = append(x.id, d.ID), append(x.incident, d.Incident), append(x.service, d.Report.Service)
	x.use, x.kind, x.channel = append(x.use, d.Report.Use), append(x.kind, d.Report.Kind), append(x.channel, d.Channel)
	x.state, x.rule, x.docs = append(x.state, string(d.State)), append(x.rule, r), append(x.docs, string(doc))
	x.amount, x.flags = append(x.amount, a), append(x.flags, d.Report.Flags)
	x.filed, x.version = append(x.filed, since1970(d.Filed)), append(x.version, d.Version)
	return nil
}

// update writes the claims that are of the version before theirs, and returns how many were.
func (x *columns) update(ctx context.Context, tx pgx.Tx) (int, error) {
	done, err := tx.Exec(ctx, `UPDATE claims c SET incident = r.n, service = r.s, use = r.u, kind = r.k, channel = r.c, state = r.t, rule = r.r,
			amount = r.a, flags = r.g, filed = r.f, version = r.v, events = c.events + 1, doc = r.d::jsonb
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[])
			AS r (i, n, s, u, k, c, t, r, a, g, f, v, d)
		WHERE c.id = r.i AND c.version = r.v - 1`,
		x.id, x.incident, x.service, x.use, x.kind, x.channel, x.state, x.rule, x.amount, x.flags, x.filed, x.version, x.docs)
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
		if err := x.add(&d); err != nil {
			return err
		}
		ev, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("change claim %s: %w", d.ID, err)
		}
		said = append(said, string(ev))
	}
	err := pgx.BeginFunc(ctx, c.db.pool, func(tx pgx.Tx) error {
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
		_, err = tx.Exec(ctx, `INSERT INTO claim_events (claim, n, doc) SELECT r.i, c.events, r.d::jsonb
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

// countedUpTo is how many claims a list counts: beyond, it says that there are more.
const countedUpTo = 10_000

// List implements [claim.Ledger]. Total is -1 for more than 10,000 claims.
func (c *Claims) List(ctx context.Context, q claim.Query) (claim.Page, error) {
	var where []string
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	equal := func(column, v string) {
		if v != "" {
			where = append(where, column+" = "+arg(v))
		}
	}
	equal("incident", q.Incident)
	equal("service", q.Service)
	equal("use", q.Use)
	equal("kind", q.Kind)
	equal("channel", q.Channel)
	equal("rule", q.Rule)
	if len(q.States) > 0 {
		where = append(where, "state = ANY("+arg(q.States)+")")
	}
	if q.Flagged {
		where = append(where, "flags > 0")
	}
	if q.MinAmount > 0 {
		where = append(where, "amount >= "+arg(q.MinAmount))
	}
	if q.MaxAmount > 0 {
		where = append(where, "amount <= "+arg(q.MaxAmount))
	}
	if !q.Before.IsZero() {
		where = append(where, "filed < "+arg(since1970(q.Before)))
	}
	if q.MarkedAs != "" {
		where = append(where, "id IN (SELECT id FROM claim_marks WHERE mark = "+arg(c.m.Mark(q.MarkedAs))+")")
	}
	filter := "true"
	if len(where) > 0 {
		filter = strings.Join(where, " AND ")
	}
	page := claim.Page{Claims: []claim.Claim{}}
	if err := c.db.pool.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM claims WHERE %s LIMIT %d) x", filter, countedUpTo+1), args...).Scan(&page.Total); err != nil {
		return claim.Page{}, trouble("list claims", err)
	}
	if page.Total > countedUpTo {
		page.Total = -1
	}
	order, then := "amount DESC, id", "(-amount, id) > (%s, %s)"
	if q.OldestFirst {
		order, then = "filed, id", "(filed, id) > (%s, %s)"
	}
	if q.After != "" {
		n, id, err := cursor(q.After)
		if err != nil {
			return claim.Page{}, err
		}
		if q.OldestFirst {
			filter += " AND " + fmt.Sprintf(then, arg(n), arg(id))
		} else {
			// amount falls and id rises, which no row comparison says with an index.
			a := arg(n)
			filter += fmt.Sprintf(" AND amount <= %s AND (amount < %s OR id > %s)", a, a, arg(id))
		}
	}
	limit := min(cmp.Or(q.Limit, 50), 500)
	found, err := c.db.pool.Query(ctx, fmt.Sprintf("SELECT doc FROM claims WHERE %s ORDER BY %s LIMIT %d", filter, order, limit+1), args...)
	if err != nil {
		return claim.Page{}, trouble("list claims", err)
	}
	docs, err := pgx.CollectRows(found, pgx.RowTo[[]byte])
	if err != nil {
		return claim.Page{}, trouble("list claims", err)
	}
	for i, doc := range docs {
		d, err := decode(doc)
		if err != nil {
			return claim.Page{}, err
		}
		if i == limit {
			last := &page.Claims[limit-1]
			n := since1970(last.Filed)
			if !q.OldestFirst {
				n = last.Report.Loss
				if last.Decision != nil {
					n = last.Decision.Amount
				}
			}
			page.Next = strconv.FormatInt(n, 10) + "." + last.ID
			break
		}
		page.Claims = append(page.Claims, d)
	}
	return page, nil
}

// Each implements [claim.Ledger].
func (c *Claims) Each(ctx context.Context, incident string, visit func(claim.Claim) error) error {
	after := ""
	for {
		found, err := c.db.pool.Query(ctx, "SELECT doc FROM claims WHERE incident = $1 AND id > $2 ORDER BY id LIMIT 5000", incident, after)
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
			after = d.ID
		}
		if len(docs) == 0 {
			return nil
		}
	}
}

// Marks implements [claim.Ledger].
func (c *Claims) Marks(ctx context.Context, incident string) (map[string][]string, error) {
	found, err := c.db.pool.Query(ctx, "SELECT id, marks FROM claims WHERE incident = $1 AND marks <> '{}'", incident)
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
	return c.events(ctx, "SELECT doc FROM claim_events WHERE claim = $1 ORDER BY n", claim.NormalCode(id))
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
	err := pgx.BeginFunc(ctx, c.db.pool, func(tx pgx.Tx) error {
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
			if _, err := tx.Exec(ctx, "INSERT INTO claim_looks (at, claim, n, doc) SELECT $2, id, events, $3::jsonb FROM claims WHERE id = $1", id, since1970(e.At), string(said)); err != nil {
				return err
			}
		} else {
			d.ID, d.Version, d.Changed = id, version+1, e.At
			var x columns
			if err := x.add(&d); err != nil {
				return err
			}
			if n, err := x.update(ctx, tx); err != nil || n != 1 {
				return cmp.Or(err, claim.ErrConflict)
			}
		}
		_, err = tx.Exec(ctx, "INSERT INTO claim_events (claim, n, doc) SELECT id, events, $2::jsonb FROM claims WHERE id = $1", id, string(said))
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
		_, err = tx.Exec(ctx, `INSERT INTO claim_marks (mark, id) SELECT m, c.id FROM unnest($2::text[]) AS m JOIN claims c ON c.id = $1 AND m = ANY(c.marks)
			ON CONFLICT DO NOTHING`, id, a.Marks)
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
		d.Account, d.Erased = "", time.Now().UTC().Round(time.Microsecond)
		var b pgx.Batch
		for _, t := range []string{"claim_keys", "claim_sealed", "claim_marks"} {
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
