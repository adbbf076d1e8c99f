package public

import (
	"fmt"
	"testing"
	"time"
)

// TestLimiterInAFlood: more networks than can be remembered keep nobody else out, and
// free nobody who is held back and still comes.
func TestLimiterInAFlood(t *testing.T) {
	l, now := newLimiter(2, time.Hour, 100), time.Now()
	for range 3 {
		l.take("greedy", now)
	}
	for n := range 1000 {
		now = now.Add(time.Millisecond)
		if _, ok := l.take(fmt.Sprint("network ", n), now); !ok {
			t.Fatalf("network %d was refused its first form", n)
		}
		if _, ok := l.take("greedy", now); ok {
			t.Fatalf("a network that had its forms got another after %d others", n)
		}
		if len(l.keys) > 100 {
			t.Fatalf("%d networks are remembered", len(l.keys))
		}
	}
}
