package postgres

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"

	"bongsu/claim"
)

// A facet is one combination of all that lists filter by.
type facet struct {
	incident, service, use, kind, channel, state, rule string
	flagged                                            bool
}

func facetOf(d *claim.Claim) facet {
	f := facet{
		incident: d.Incident, service: d.Report.Service, use: d.Report.Use, kind: d.Report.Kind, channel: d.Channel,
		state: string(d.State), flagged: d.Report.Flags > 0,
	}
	if d.Decision != nil {
		f.rule = d.Decision.Rule
	}
	return f
}

// facets remembers their numbers: they are never changed or removed.
type facets struct {
	mu sync.RWMutex
	of map[facet]int32
}

// facet returns the number of a claim's facet, and makes it if it is new. Within a transaction
// q is that: another connection might never be free.
func (c *Claims) facet(ctx context.Context, q querier, d *claim.Claim) (int32, error) {
	f := facetOf(d)
	c.facets.mu.RLock()
	n, ok := c.facets.of[f]
	c.facets.mu.RUnlock()
	if ok {
		return n, nil
	}
	args := []any{f.incident, f.service, f.use, f.kind, f.channel, f.state, f.rule, f.flagged}
	find := func() error {
		return q.QueryRow(ctx, `SELECT id FROM claim_facets WHERE incident = $1 AND service = $2 AND use = $3 AND kind = $4
			AND channel = $5 AND state = $6 AND rule = $7 AND flagged = $8`, args...).Scan(&n)
	}
	err := find()
	if errors.Is(err, pgx.ErrNoRows) { // not remembered yet: the transaction may come to nothing
		if _, err := q.Exec(ctx, `INSERT INTO claim_facets (incident, service, use, kind, channel, state, rule, flagged)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`, args...); err != nil {
			return 0, err
		}
		err = find()
		return n, err
	}
	if err != nil {
		return 0, err
	}
	c.facets.mu.Lock()
	defer c.facets.mu.Unlock()
	if len(c.facets.of) > mostFacets {
		clear(c.facets.of) // somebody makes up names
	}
	c.facets.of[f] = n
	return n, nil
}

// mostFacets bounds what is remembered.
const mostFacets = 100_000
