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

// mostSorted is how many claims are fetched whole and sorted: of more that are filtered by what they are not sorted by,
// one in so few passes that going along an index finds a page soon.
const mostSorted = 50_000

// A selection is a query in SQL.
type selection struct {
	facets, rows []string // conditions on facets f and on claims c
	marked       string   // claims that may have a mark; empty: any claim
	across       bool     // rows are filtered by what they are not sorted by
	by, turn     string   // what they are sorted by; empty, or DESC: so are IDs, which makes one comparison of rows of it
	after        string   // the page before: (by, id) comes after it
	args         []any
}

func (s *selection) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

func (c *Claims) selection(q *claim.Query) (*selection, error) {
	s := &selection{by: "amount", turn: " DESC", after: "true"}
	then := "<"
	if q.OldestFirst {
		s.by, s.turn, then = "filed", "", ">"
	}
	if q.After != "" {
		n, id, err := cursor(q.After)
		if err != nil {
			return nil, err
		}
		s.after = fmt.Sprintf("(n, id) %s (%s::bigint, %s::text)", then, s.arg(n), s.arg(id))
	}
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
	s.across = q.OldestFirst && len(s.rows) > 0
	if !q.Before.IsZero() {
		s.rows = append(s.rows, "c.filed < "+s.arg(since1970(q.Before)))
		s.across = s.across || !q.OldestFirst
	}
	if q.MarkedAs != "" {
		mark := c.m.Mark(q.MarkedAs)
		s.marked = "SELECT id FROM claim_sealed WHERE starts @> ARRAY[" + s.arg(markStart(mark)) + "::bigint]"
		s.rows = append(s.rows, s.arg(mark)+" = ANY(c.marks)")
	}
	return s, nil
}

// from begins a statement: claims p are reached from the facets asked for, or from a mark, and never the other way round,
// each by an index. LIMIT and OR keep the planner from turning that into a join.
func (s *selection) from() (with, from, rows string) {
	with, from, of := "WITH f AS MATERIALIZED (SELECT f.id FROM claim_facets f WHERE "+and(s.facets...)+")", "f", "c.facet = f.id"
	if s.marked != "" {
		with += ", m AS MATERIALIZED (" + s.marked + ")"
		from, of = "m", "c.id = m.id AND (c.facet < 0 OR c.facet IN (SELECT id FROM f))"
	}
	return with, from, fmt.Sprintf("SELECT c.id, c.%s AS n FROM claims c WHERE %s AND %s", s.by, of, and(s.rows...))
}

// first are the first of claims p.
func (s *selection) first(most int) string {
	return fmt.Sprintf("ORDER BY p.n%s, p.id%[1]s LIMIT %d", s.turn, most)
}

// counted counts claims, and takes the first of those that are few enough to be sorted.
func (s *selection) counted(most int) string {
	limit := "ALL"
	switch {
	case s.marked != "":
	case s.across:
		limit = strconv.Itoa(mostSorted + 1)
	default:
		limit, most = strconv.Itoa(countedUpTo+1), 0
	}
	with, from, rows := s.from()
	return fmt.Sprintf("%s, p AS MATERIALIZED (SELECT p.* FROM %s CROSS JOIN LATERAL (%s OFFSET 0 LIMIT %[4]s) p LIMIT %[4]s) SELECT (SELECT count(*) FROM p), ARRAY(SELECT id FROM p WHERE %s %s)",
		with, from, rows, limit, s.after, s.first(most))
}

// along takes the first claims of each facet along its index. A facet whose first claim comes after the first ones of
// as many others as a page has gives none to it.
func (s *selection) along(most int) string {
	with, _, rows := s.from()
	rows += " AND " + strings.Replace(s.after, "(n, id)", "(c."+s.by+", c.id)", 1)
	order := fmt.Sprintf("ORDER BY c.%s%s, c.id%[2]s LIMIT", s.by, s.turn)
	return fmt.Sprintf("%[1]s, h AS MATERIALIZED (SELECT f.id FROM f CROSS JOIN LATERAL (%[2]s %[3]s 1) p %[4]s) SELECT ARRAY(SELECT p.id FROM h f CROSS JOIN LATERAL (%[2]s %[3]s %[5]d) p %[4]s)",
		with, rows, order, s.first(most), most)
}

// planned makes the database plan for these very arguments, not for any.
func (s *selection) planned() []any { return append([]any{pgx.QueryExecModeCacheDescribe}, s.args...) }

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
	s, err := c.selection(&q)
	if err != nil {
		return claim.Page{}, err
	}
	var ids []string
	if err := c.db.pool.QueryRow(ctx, s.counted(limit+1), s.planned()...).Scan(&page.Total, &ids); err != nil {
		return claim.Page{}, trouble("list claims", err)
	}
	if s.marked == "" && (!s.across || page.Total > mostSorted) {
		if err := c.db.pool.QueryRow(ctx, s.along(limit+1), s.planned()...).Scan(&ids); err != nil {
			return claim.Page{}, trouble("list claims", err)
		}
	}
	if page.Total > countedUpTo {
		page.Total = -1
	}
	found, err := c.db.pool.Query(ctx, "SELECT c.doc FROM unnest($1::text[]) WITH ORDINALITY AS p (id, n) JOIN claims c USING (id) ORDER BY p.n", ids)
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
