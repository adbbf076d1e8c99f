package public

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// A limiter gives each network a small store of forms that fills up again with
// time. When it is asked about more of them than it may remember it forgets those that
// came longest ago: a flood must not keep others out.
type limiter struct {
	burst int
	every time.Duration // one form comes back in this time
	most  int

	mu   sync.Mutex
	keys map[string]store
}

type store struct {
	left float64
	at   time.Time
}

func newLimiter(burst int, every time.Duration, most int) *limiter {
	return &limiter{burst: burst, every: every, most: most, keys: make(map[string]store)}
}

// take uses one form of key, or returns how long to wait for the next one.
func (l *limiter) take(key string, now time.Time) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, known := l.keys[key]
	if !known {
		if len(l.keys) >= l.most {
			l.forget()
		}
		s = store{float64(l.burst), now}
	}
	s = l.fill(s, now)
	if s.left < 1 {
		l.keys[key] = s
		return time.Duration((1 - s.left) * float64(l.every)), false
	}
	s.left--
	l.keys[key] = s
	return 0, true
}

func (l *limiter) fill(s store, now time.Time) store {
	s.left = min(s.left+max(now.Sub(s.at).Seconds(), 0)/l.every.Seconds(), float64(l.burst))
	s.at = now
	return s
}

// forget drops an eighth, so that not each network of a flood costs a look at all.
func (l *limiter) forget() {
	keys := slices.SortedFunc(maps.Keys(l.keys), func(a, b string) int { return l.keys[a].at.Compare(l.keys[b].at) })
	for _, key := range keys[:max(1, len(keys)/8)] {
		delete(l.keys, key)
	}
}

// has reports whether key has a form left, and uses none.
func (l *limiter) has(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, known := l.keys[key]
	return !known || l.fill(s, now).left >= 1
}
