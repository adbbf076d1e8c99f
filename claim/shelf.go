package claim

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"bongsu/internal/kv"
)

// A shelf holds the claims of a store in memory, for lists. What lists filter and sort by
// stands in rows of its own, one after the other, so that a list goes over half a million
// in some milliseconds.
type shelf struct {
	mu     sync.RWMutex
	at     map[string]int32 // of a claim in rows and claims, by ID
	rows   []shelfRow
	claims []shelved
	names  map[string]uint32 // of services, states and so on; 0 is the empty one
	marked []uint64          // start of each mark that there ever was
	markOf []int32           // whose it is
	order  []int32           // of rows and claims, by ID; nil: to be sorted again
}

type shelved struct {
	storedClaim
	modified int64
}

// A shelfRow is what lists filter and sort by.
type shelfRow struct {
	filed, amount                                      int64
	incident, service, use, kind, channel, state, rule uint32
	flagged                                            bool
}

func newShelf() *shelf {
	return &shelf{at: map[string]int32{}, names: map[string]uint32{"": 0}}
}

// take puts an entry on the shelf unless one as new is there.
func (s *shelf) take(e kv.Entry) error {
	s.mu.RLock()
	i, ok := s.at[strings.TrimPrefix(e.Key, claimPrefix)]
	known := ok && s.claims[i].modified >= e.Modified
	s.mu.RUnlock()
	if known {
		return nil
	}
	c, err := decodeClaim(e)
	if err != nil {
		return err
	}
	s.put(c, e.Modified)
	return nil
}

// put puts a claim on the shelf unless one as new is there.
func (s *shelf) put(c storedClaim, modified int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.at[c.Claim.ID]
	if ok && s.claims[i].modified >= modified {
		return
	}
	if !ok {
		i = int32(len(s.claims)) //nolint:gosec // two thousand million do not fit into memory
		s.at[c.Claim.ID] = i
		s.claims, s.rows = append(s.claims, shelved{}), append(s.rows, shelfRow{})
		s.order = nil
	}
	for _, m := range c.Marks {
		if !ok || !slices.Contains(s.claims[i].Marks, m) {
			s.marked, s.markOf = append(s.marked, markStart(m)), append(s.markOf, i)
		}
	}
	s.claims[i] = shelved{c, modified}
	x := &c.Claim
	r := shelfRow{
		filed: x.Filed.UnixNano(), amount: x.amount(), flagged: x.Report.Flags > 0,
		incident: s.name(x.Incident), service: s.name(x.Report.Service), use: s.name(x.Report.Use), kind: s.name(x.Report.Kind),
		channel: s.name(x.Channel), state: s.name(string(x.State)),
	}
	if x.Decision != nil {
		r.rule = s.name(x.Decision.Rule)
	}
	s.rows[i] = r
}

// name numbers a name. The caller holds mu for writing.
func (s *shelf) name(v string) uint32 {
	n, ok := s.names[v]
	if !ok {
		n = uint32(len(s.names)) //nolint:gosec // there are few
		s.names[strings.Clone(v)] = n
	}
	return n
}

// markStart is the start of the keyed hash in a mark: enough to find it, and checked
// against the claim.
func markStart(mark string) uint64 {
	_, hash, _ := strings.Cut(mark, ".")
	n, _ := strconv.ParseUint(hash[:min(len(hash), 16)], 16, 64)
	return n
}

func (s *shelf) get(id string) (storedClaim, int64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, ok := s.at[id]
	if !ok {
		return storedClaim{}, 0, false
	}
	return s.claims[i].storedClaim, s.claims[i].modified, true
}

// each visits the claims of an incident by ID, as they were when it was called.
func (s *shelf) each(incident string, visit func(Claim) error) error {
	s.mu.Lock()
	if s.order == nil {
		s.order = slices.Collect(maps.Values(s.at))
		slices.SortFunc(s.order, func(a, b int32) int { return strings.Compare(s.claims[a].Claim.ID, s.claims[b].Claim.ID) })
	}
	order := s.order
	s.mu.Unlock()
	some := make([]Claim, 0, eachAtOnce)
	for at := range slices.Chunk(order, eachAtOnce) {
		some = some[:0]
		s.mu.RLock()
		for _, i := range at {
			if c := &s.claims[i].Claim; incident == "" || c.Incident == incident {
				some = append(some, *c)
			}
		}
		s.mu.RUnlock()
		for i := range some {
			if err := visit(some[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachAtOnce is how many claims are taken from the shelf at once.
const eachAtOnce = 64

// marks returns the marks of the claims of an incident.
func (s *shelf) marks(incident string) map[string][]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string][]string{}
	for i := range s.claims {
		if c := &s.claims[i]; c.Claim.Incident == incident && len(c.Marks) > 0 {
			out[c.Claim.ID] = c.Marks
		}
	}
	return out
}

// amount is what a desk sorts by: what was decided, else what is claimed.
func (c *Claim) amount() int64 {
	if c.Decision != nil {
		return c.Decision.Amount
	}
	return c.Report.Loss
}

// Limit of a page.
const (
	pageSize     = 50
	mostPageSize = 500
)

// A filter is a query in the numbers of a shelf.
type filter struct {
	q      *Query
	want   [6]uint32 // incident, service, use, kind, channel, rule; 0: any
	none   bool      // it asks for a name that no claim has
	states []uint32
	before int64
}

// filter translates a query. The caller holds mu.
func (s *shelf) filter(q *Query) filter {
	f := filter{q: q, before: math.MaxInt64}
	number := func(name string) uint32 {
		n, ok := s.names[name]
		f.none = f.none || !ok
		return n
	}
	for i, name := range []string{q.Incident, q.Service, q.Use, q.Kind, q.Channel, q.Rule} {
		f.want[i] = number(name)
	}
	for _, st := range q.States {
		if n, ok := s.names[string(st)]; ok {
			f.states = append(f.states, n)
		}
	}
	f.none = f.none || len(q.States) > 0 && len(f.states) == 0
	if !q.Before.IsZero() {
		f.before = q.Before.UnixNano()
	}
	return f
}

// matches says whether a row is asked for, marks aside.
func (f *filter) matches(r *shelfRow) bool {
	have := [6]uint32{r.incident, r.service, r.use, r.kind, r.channel, r.rule}
	for i, want := range f.want {
		if want != 0 && want != have[i] {
			return false
		}
	}
	return (len(f.states) == 0 || slices.Contains(f.states, r.state)) && (!f.q.Flagged || r.flagged) && r.filed < f.before &&
		r.amount >= f.q.MinAmount && (f.q.MaxAmount == 0 || r.amount <= f.q.MaxAmount)
}

// among returns the claims that may have a mark, or false for all.
func (s *shelf) among(mark string) ([]int32, bool) {
	if mark == "" {
		return nil, false
	}
	var out []int32
	start := markStart(mark)
	for n, m := range s.marked {
		if m == start && slices.Contains(s.claims[s.markOf[n]].Marks, mark) && !slices.Contains(out, s.markOf[n]) {
			out = append(out, s.markOf[n])
		}
	}
	return out, true
}

// A place is where a claim stands in a list.
type place struct {
	by int64 // when it was filed, or its amount
	id string
	at int32
}

// order is that of the places of a list: the oldest first, or the largest amount; IDs rise among the former and fall among the latter.
func (q *Query) order(a, b *place) int {
	if !q.OldestFirst {
		a, b = b, a
	}
	return cmp.Or(cmp.Compare(a.by, b.by), strings.Compare(a.id, b.id))
}

// list answers a query by going over the rows once, keeping the best of a page.
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
	f := s.filter(&q)
	if f.none {
		return page, nil
	}
	best := make([]place, 0, limit+2)
	look := func(i int32) {
		r := &s.rows[i]
		if !f.matches(r) {
			return
		}
		page.Total++
		p := place{by: r.amount, at: i}
		if q.OldestFirst {
			p.by = r.filed
		}
		if full := len(best) > limit; after != nil && p.by != after.by && q.order(&p, after) < 0 || full && p.by != best[limit].by && q.order(&p, &best[limit]) > 0 {
			return // without a look at its ID
		}
		p.id = s.claims[i].Claim.ID
		if after != nil && q.order(&p, after) <= 0 || len(best) > limit && q.order(&p, &best[limit]) >= 0 {
			return
		}
		n, _ := slices.BinarySearchFunc(best, &p, func(x place, y *place) int { return q.order(&x, y) })
		best = slices.Insert(best, n, p)
		best = best[:min(len(best), limit+1)]
	}
	if few, ok := s.among(mark); ok {
		for _, i := range few {
			look(i)
		}
	} else {
		for i := range s.rows {
			look(int32(i))
		}
	}
	if len(best) > limit {
		best = best[:limit]
		page.Next = q.cursorAt(&s.claims[best[limit-1].at].Claim)
	}
	for _, p := range best {
		page.Claims = append(page.Claims, s.claims[p.at].Claim)
	}
	return page, nil
}

// cursorAt is where the page after this claim begins.
func (q *Query) cursorAt(c *Claim) string {
	if q.OldestFirst {
		return strconv.FormatInt(c.Filed.UnixNano(), 10) + "." + c.ID
	}
	return strconv.FormatInt(c.amount(), 10) + "." + c.ID
}

// cursor is where the last claim of the page before stands; nil for the first page.
func (q *Query) cursor() (*place, error) {
	if q.After == "" {
		return nil, nil //nolint:nilnil // the first page has no claim before it
	}
	n, id, ok := strings.Cut(q.After, ".")
	at, err := strconv.ParseInt(n, 10, 64)
	if !ok || err != nil {
		return nil, fmt.Errorf("page %q: expected what the page before gave as next", q.After)
	}
	return &place{by: at, id: id}, nil
}
