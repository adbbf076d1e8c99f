package claim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bongsu/internal/kv"
)

// A shelf holds the claims of a store in memory, for lists.
type shelf struct {
	mu     sync.RWMutex
	claims map[string]shelved
	order  []string // IDs, sorted; nil: to be sorted again
}

type shelved struct {
	storedClaim
	modified int64
}

func newShelf() *shelf { return &shelf{claims: map[string]shelved{}} }

// take puts an entry on the shelf unless a newer one is there.
func (s *shelf) take(e kv.Entry) error {
	c, err := decodeClaim(e)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.claims[c.Claim.ID]
	if ok && old.modified >= e.Modified {
		return nil
	}
	s.claims[c.Claim.ID] = shelved{c, e.Modified}
	if !ok {
		s.order = nil
	}
	return nil
}

func (s *shelf) get(id string) (storedClaim, int64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, ok := s.claims[id]
	return c.storedClaim, c.modified, ok
}

// each visits the claims of an incident by ID, as they were when it was called.
func (s *shelf) each(incident string, visit func(Claim) error) error {
	s.mu.Lock()
	if s.order == nil {
		s.order = make([]string, 0, len(s.claims))
		for id := range s.claims {
			s.order = append(s.order, id)
		}
		slices.Sort(s.order)
	}
	order := s.order
	s.mu.Unlock()
	for _, id := range order {
		c, _, ok := s.get(id)
		if !ok || incident != "" && c.Claim.Incident != incident {
			continue
		}
		if err := visit(c.Claim); err != nil {
			return err
		}
	}
	return nil
}

// marks returns the marks of the claims of an incident.
func (s *shelf) marks(incident string) map[string][]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string][]string{}
	for id, c := range s.claims {
		if c.Claim.Incident == incident && len(c.Marks) > 0 {
			out[id] = c.Marks
		}
	}
	return out
}

// matches says whether a claim is asked for.
func (q *Query) matches(c *storedClaim, mark string) bool {
	x := &c.Claim
	is := func(want, have string) bool { return want == "" || want == have }
	if !is(q.Incident, x.Incident) || !is(q.Service, x.Report.Service) || !is(q.Use, x.Report.Use) || !is(q.Kind, x.Report.Kind) || !is(q.Channel, x.Channel) {
		return false
	}
	if len(q.States) > 0 && !slices.Contains(q.States, x.State) || q.Flagged && x.Report.Flags == 0 {
		return false
	}
	if !q.Before.IsZero() && !x.Filed.Before(q.Before) || mark != "" && !slices.Contains(c.Marks, mark) {
		return false
	}
	if q.Rule != "" && (x.Decision == nil || x.Decision.Rule != q.Rule) {
		return false
	}
	amount := x.amount()
	return amount >= q.MinAmount && (q.MaxAmount == 0 || amount <= q.MaxAmount)
}

// amount is what a desk sorts by: what was decided, else what is claimed.
func (c *Claim) amount() int64 {
	if c.Decision != nil {
		return c.Decision.Amount
	}
	return c.Report.Loss
}

// before is the order of a list; ties by ID.
func (q *Query) before(a, b *Claim) int {
	if q.OldestFirst {
		return cmp.Or(a.Filed.Compare(b.Filed), strings.Compare(a.ID, b.ID))
	}
	return cmp.Or(cmp.Compare(b.amount(), a.amount()), strings.Compare(a.ID, b.ID))
}

// Limit of a page.
const (
	pageSize     = 50
	mostPageSize = 500
)

// list answers a query by going over the shelf once, keeping the best of a page.
func (s *shelf) list(q Query, mark string) (Page, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = pageSize
	}
	limit = min(limit, mostPageSize)
	after, err := q.cursor()
	if err != nil {
		return Page{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	page := Page{Claims: []Claim{}}
	best := make([]Claim, 0, limit+2)
	for _, c := range s.claims {
		if !q.matches(&c.storedClaim, mark) {
			continue
		}
		page.Total++
		if after != nil && q.before(&c.Claim, after) <= 0 {
			continue
		}
		if len(best) > limit && q.before(&c.Claim, &best[len(best)-1]) >= 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, &c.Claim, func(x Claim, y *Claim) int { return q.before(&x, y) })
		best = slices.Insert(best, at, c.Claim)
		if len(best) > limit+1 {
			best = best[:limit+1]
		}
	}
	if len(best) > limit {
		best = best[:limit]
		page.Next = q.cursorAt(&best[limit-1])
	}
	page.Claims = append(page.Claims, best...)
	return page, nil
}

// cursorAt is where the page after this claim begins.
func (q *Query) cursorAt(c *Claim) string {
	if q.OldestFirst {
		return strconv.FormatInt(c.Filed.UnixNano(), 10) + "." + c.ID
	}
	return strconv.FormatInt(c.amount(), 10) + "." + c.ID
}

// cursor is a claim that sorts like the last one of the page before.
func (q *Query) cursor() (*Claim, error) {
	if q.After == "" {
		return nil, nil //nolint:nilnil // the first page has no claim before it
	}
	n, id, ok := strings.Cut(q.After, ".")
	at, err := strconv.ParseInt(n, 10, 64)
	if !ok || err != nil {
		return nil, fmt.Errorf("page %q: expected what the page before gave as next", q.After)
	}
	c := &Claim{ID: id}
	if q.OldestFirst {
		c.Filed = unixNano(at)
	} else {
		c.Report.Loss = at
	}
	return c, nil
}

func unixNano(n int64) time.Time { return time.Unix(0, n).UTC() }
