package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"bongsu/claim"
)

// countedUpTo is how many claims a list counts: beyond, it says that there are more.
const countedUpTo = 10_000

// A selection is a query in SQL.
type selection struct {
	facets, rows []string // conditions on facets f and on claims c
	args         []any
}

func (s *selection) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

func (c *Claims) selection(q *claim.Query) *selection {
	s := &selection{}
	equal := func(column, v string) {
		if v != "" {
			s.facets = append(s.facets, "f."+column+" = "+s.arg(v))
		}
	}
	equal("incident", q.Incident)
	equal("service", q.Service)
	equal("use", q.Use)
	equal("kind", q.Kind)
	equal("channel", q.Channel)
	equal("rule", q.Rule)
	if len(q.States) > 0 {
		s.facets = append(s.facets, "f.state = ANY("+s.arg(q.States)+")")
	}
	if q.Flagged {
		s.facets = append(s.facets, "f.flagged")
	}
	if q.MinAmount > 0 {
		s.rows = append(s.rows, "c.amount >= "+s.arg(q.MinAmount))
	}
	if q.MaxAmount > 0 {
		s.rows = append(s.rows, "c.amount <= "+s.arg(q.MaxAmount))
	}
	if !q.Before.IsZero() {
		s.rows = append(s.rows, "c.filed < "+s.arg(since1970(q.Before)))
	}
	if q.MarkedAs != "" {
		mark := c.m.Mark(q.MarkedAs)
		s.rows = append(s.rows, "c.id IN (SELECT m.id FROM claim_sealed m WHERE m.starts @> ARRAY["+s.arg(markStart(mark))+"::bigint]) AND "+s.arg(mark)+" = ANY(c.marks)")
	}
	return s
}

// planned makes the database plan for these very arguments, not for any.
func (s *selection) planned() []any { return append([]any{pgx.QueryExecModeCacheDescribe}, s.args...) }

// mostFacetsAsked is how many facets a list goes through one by one.
const mostFacetsAsked = 1_500

// markStart is what a mark is found by.
func markStart(mark string) int64 {
	_, hash, _ := strings.Cut(mark, ".")
	n, _ := strconv.ParseUint(hash[:min(len(hash), 16)], 16, 64)
	return int64(n) //nolint:gosec // its bits
}

func and(conditions ...string) string {
	return strings.Join(append([]string{"true"}, conditions...), " AND ")
}

// List implements [claim.Ledger]. Total is -1 for more than 10,000 claims.
func (c *Claims) List(ctx context.Context, q claim.Query) (claim.Page, error) {
	page := claim.Page{Claims: []claim.Claim{}}
	limit := min(cmp.Or(max(q.Limit, 0), 50), 500)
	s := c.selection(&q)
	from := "f JOIN claims c ON c.facet = f.id"
	if len(s.facets) == 0 {
		from = "claims c"
	}
	facets := "WITH f AS MATERIALIZED (SELECT f.id FROM claim_facets f WHERE " + and(s.facets...) + ")"
	var wide int
	err := c.db.pool.QueryRow(ctx, fmt.Sprintf("%s SELECT (SELECT count(*) FROM f), (SELECT count(*) FROM (SELECT 1 FROM %s WHERE %s LIMIT %d) x)",
		facets, from, and(s.rows...), countedUpTo+1), s.planned()...).Scan(&wide, &page.Total)
	if err != nil {
		return claim.Page{}, trouble("list claims", err)
	}
	few := page.Total <= countedUpTo
	if !few {
		page.Total = -1
	}
	order, by := "c.amount DESC, c.id", "amount DESC, id"
	if q.OldestFirst {
		order, by = "c.filed, c.id", "filed, id"
	}
	if q.After != "" {
		n, id, err := cursor(q.After)
		if err != nil {
			return claim.Page{}, err
		}
		at, last := s.arg(n), s.arg(id)
		if q.OldestFirst {
			s.rows = append(s.rows, fmt.Sprintf("(c.filed, c.id) > (%s, %s)", at, last))
		} else { // amount falls and id rises, which no row comparison says
			s.rows = append(s.rows, fmt.Sprintf("c.amount <= %s AND (c.amount < %s OR c.id > %s)", at, at, last))
		}
	}
	// Few are fetched by whatever picks them best, and sorted. Of many, each facet gives its
	// first ones in order; where very many facets are asked for, most claims are, and the
	// first ones in the order of all are soon enough.
	pick := fmt.Sprintf("SELECT c.id, c.amount, c.filed FROM %s WHERE %s", from, and(s.rows...))
	switch {
	case few:
	case len(s.facets) == 0:
		pick = fmt.Sprintf("SELECT c.id, c.amount, c.filed FROM claims c WHERE %s ORDER BY %s LIMIT %d", and(s.rows...), order, limit+1)
	case wide > mostFacetsAsked: // the OR keeps the planner from making a join of it, which has no order
		pick = fmt.Sprintf("SELECT c.id, c.amount, c.filed FROM claims c WHERE (c.facet < 0 OR c.facet IN (SELECT id FROM f)) AND %s ORDER BY %s LIMIT %d", and(s.rows...), order, limit+1)
	default:
		pick = fmt.Sprintf("SELECT p.* FROM f CROSS JOIN LATERAL (SELECT c.id, c.amount, c.filed FROM claims c WHERE c.facet = f.id AND %s ORDER BY %s LIMIT %d) p",
			and(s.rows...), order, limit+1)
	}
	found, err := c.db.pool.Query(ctx, fmt.Sprintf("%s, p AS MATERIALIZED (%s), top AS MATERIALIZED (SELECT * FROM p ORDER BY %s LIMIT %d) SELECT c.doc FROM top JOIN claims c USING (id) ORDER BY top.%s",
		facets, pick, by, limit+1, strings.Replace(by, ", ", ", top.", 1)), s.planned()...)
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
				n = amountOf(last)
			}
			page.Next = strconv.FormatInt(n, 10) + "." + last.ID
			break
		}
		page.Claims = append(page.Claims, d)
	}
	return page, nil
}
