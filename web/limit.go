package web

import (
	"sync"
	"time"
)

// A limiter gives each key a small store of attempts that fills up again with
// time. It forgets keys that are full, and when it is asked about more keys than
// it may remember it refuses new ones rather than grow: whoever sends thousands
// of names is not a person who mistyped one.
type limiter struct {
	burst int
	every time.Duration // one attempt comes back in this time
	most  int

	mu   sync.Mutex
	keys map[string]attempts
}

type attempts struct {
	left float64
	at   time.Time
}

func newLimiter(burst int, every time.Duration, most int) *limiter {
	return &limiter{burst: burst, every: every, most: most, keys: make(map[string]attempts)}
}

// take uses one attempt of key, or returns how long to wait for the next one.
func (l *limiter) take(key string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, known := l.keys[key]
	if !known {
		if len(l.keys) >= l.most {
			l.forget(now)
		}
		if len(l.keys) >= l.most {
			return l.every, false
		}
		a = attempts{left: float64(l.burst), at: now}
	}
	a = l.refill(a, now)
	if a.left < 1 {
		l.keys[key] = a
		return time.Duration((1 - a.left) * float64(l.every)), false
	}
	a.left--
	l.keys[key] = a
	return 0, true
}

// reset gives key all its attempts back, after a success.
func (l *limiter) reset(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, key)
}

func (l *limiter) refill(a attempts, now time.Time) attempts {
	if d := now.Sub(a.at); d > 0 {
		a.left = min(a.left+float64(d)/float64(l.every), float64(l.burst))
	}
	a.at = now
	return a
}

func (l *limiter) forget(now time.Time) {
	for k, a := range l.keys {
		if l.refill(a, now).left >= float64(l.burst) {
			delete(l.keys, k)
		}
	}
}
