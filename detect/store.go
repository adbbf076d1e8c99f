package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/internal/kv"
)

// Prefix is where the sites tell what they see: detect/<site>, under the lease of
// the node, so that what a dead or cut-off node saw goes away with it.
const Prefix = "detect/"

// storedView is what one site sees, version 1.
type storedView struct {
	V      int           `json:"v"`
	Sights []storedSight `json:"sights"`
}

type storedSight struct {
	Target string `json:"target"`
	Domain string `json:"domain"`
	OK     bool   `json:"ok"`
	For    int64  `json:"for_ms"`
	Detail string `json:"detail,omitempty"`
}

func encode(sights []Sight) ([]byte, error) {
	v := storedView{V: 1, Sights: make([]storedSight, len(sights))}
	for i, s := range sights {
		v.Sights[i] = storedSight{Target: s.Target, Domain: s.Domain, OK: s.OK, For: s.For.Milliseconds(), Detail: s.Detail}
	}
	return json.Marshal(v)
}

func decode(value []byte) ([]Sight, error) {
	var v storedView
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, err
	}
	if v.V != 1 {
		return nil, fmt.Errorf("view of version %d, this program knows version 1: update it", v.V)
	}
	sights := make([]Sight, len(v.Sights))
	for i, s := range v.Sights {
		sights[i] = Sight{Target: s.Target, Domain: s.Domain, OK: s.OK, For: time.Duration(s.For) * time.Millisecond, Detail: s.Detail}
	}
	return sights, nil
}

// A Publisher writes what one site sees: at once when something changed, else at
// a bounded rate. It belongs to one goroutine.
type Publisher struct {
	Store kv.Store
	Site  string
	Lease int64         // of the node
	Every time.Duration // how often an unchanged view is written again; 0 is never

	said []Sight   // as last written
	at   time.Time // when
}

// Publish tells what the site sees now. When it returns an error nothing is
// remembered, so the next call tries again.
func (p *Publisher) Publish(ctx context.Context, sights []Sight) error {
	if p.said != nil && same(p.said, sights) && (p.Every <= 0 || time.Since(p.at) < p.Every) {
		return nil
	}
	value, err := encode(sights)
	if err != nil {
		return fmt.Errorf("encode what %s sees: %w", p.Site, err)
	}
	if _, err := p.Store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: Prefix + p.Site, Value: value, Lease: p.Lease}}}); err != nil {
		return fmt.Errorf("tell what %s sees: %w", p.Site, err)
	}
	p.said, p.at = slices.Clone(sights), time.Now()
	if p.said == nil {
		p.said = []Sight{}
	}
	return nil
}

// same reports whether two views tell the same states. How long a state has stood
// does not count, unless it began anew in between: then it is shorter.
func same(a, b []Sight) bool {
	return slices.EqualFunc(a, b, func(x, y Sight) bool {
		return x.Target == y.Target && x.Domain == y.Domain && x.OK == y.OK && y.For >= x.For
	})
}

// Views is what all sites see, as far as the store has told us.
type Views struct {
	mu   sync.Mutex
	seen map[string][]Observation
}

// Observations returns what is known, in a fixed order.
func (v *Views) Observations() []Observation {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []Observation
	for _, o := range v.seen {
		out = append(out, o...)
	}
	slices.SortFunc(out, func(a, b Observation) int {
		for _, c := range []int{strings.Compare(a.Observer, b.Observer), strings.Compare(a.Target, b.Target)} {
			if c != 0 {
				return c
			}
		}
		return strings.Compare(a.Domain, b.Domain)
	})
	return out
}

// Follow keeps views up to date until ctx ends, calling changed after each change.
// Without the store it forgets everything: what cannot be refreshed is unknown.
func (v *Views) Follow(ctx context.Context, s kv.Store, changed func()) error {
	for {
		err := v.follow(ctx, s, changed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrCompacted) {
			return err
		}
		v.set(nil)
		changed()
		retry := time.NewTimer(200 * time.Millisecond)
		select {
		case <-ctx.Done():
			retry.Stop()
			return ctx.Err()
		case <-retry.C:
		}
	}
}

func (v *Views) follow(ctx context.Context, s kv.Store, changed func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	entries, rev, err := s.List(ctx, Prefix)
	if err != nil {
		return err
	}
	events, err := s.Watch(ctx, Prefix, rev)
	if err != nil {
		return err
	}
	now, seen := time.Now(), map[string][]Observation{}
	for _, e := range entries {
		if o, err := received(e, now); err == nil {
			seen[e.Key] = o
		}
	}
	v.set(seen)
	changed()
	for batch := range events {
		now := time.Now()
		v.mu.Lock()
		for _, e := range batch {
			if o, err := received(e.Entry, now); err == nil && !e.Deleted {
				v.seen[e.Key] = o
			} else {
				delete(v.seen, e.Key)
			}
		}
		v.mu.Unlock()
		changed()
	}
	return kv.ErrUnavailable
}

func (v *Views) set(seen map[string][]Observation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if seen == nil {
		seen = map[string][]Observation{}
	}
	v.seen = seen
}

// received turns what one site wrote into observations by our clock. A view that
// cannot be read is no view: its observer counts as absent, which is unknown.
func received(e kv.Entry, now time.Time) ([]Observation, error) {
	sights, err := decode(e.Value)
	if err != nil {
		return nil, err
	}
	observer := strings.TrimPrefix(e.Key, Prefix)
	out := make([]Observation, len(sights))
	for i, s := range sights {
		out[i] = s.Received(observer, now)
	}
	return out, nil
}
