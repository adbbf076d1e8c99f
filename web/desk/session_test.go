package desk

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// guess tries a wrong password; false: it is not looked at.
func (g *guard) guess(host, name string, now time.Time) bool {
	if g.held(host, name, now) {
		return false
	}
	g.wrong(host, name, now)
	return true
}

// TestOffice: a hundred people log in from one office within a minute, some of them wrongly at first; who guesses at
// accounts from there is stopped all the same, and knowing one password helps with no other.
func TestOffice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard()
		looks, most, now := 0, 0, atomic.Int32{}
		var mu sync.Mutex
		try := func(n int, name string, right bool) (bool, error) {
			return g.look(t.Context(), fmt.Sprintf("203.0.113.%d", n%256), name, func() bool {
				at := int(now.Add(1))
				defer now.Add(-1)
				mu.Lock()
				looks, most = looks+1, max(most, at)
				mu.Unlock()
				<-time.NewTimer(100 * time.Millisecond).C // as hashing does
				return right
			})
		}
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				if n%10 == 0 {
					if ok, err := try(n, fmt.Sprint("agent ", n), false); ok || err != nil {
						t.Errorf("agent %d mistyped: %v %v", n, ok, err)
					}
				}
				if ok, err := try(n, fmt.Sprint("agent ", n), true); !ok || err != nil {
					t.Errorf("agent %d: %v %v", n, ok, err)
				}
			})
		}
		wg.Wait()
		if most > looksAtOnce {
			t.Errorf("%d passwords were looked at together", most)
		}
		guesses := 0
		for n := range 200 { // an insider, who logs in between guesses at others
			if _, err := try(n, fmt.Sprint("victim ", n), false); err == nil {
				guesses++
			}
			if ok, err := try(n, "insider", true); !ok && err == nil {
				t.Error("a right password is told to be wrong")
			}
		}
		if want := triesOfNetwork - 10; guesses != want {
			t.Errorf("%d guesses between good log-ins, want %d", guesses, want)
		}
		looked := looks
		if _, err := try(1, "insider", true); !errors.Is(err, errTooMany) || looks != looked {
			t.Errorf("a network that is held back: %v, %d looks more", err, looks-looked)
		}
		<-time.NewTimer(time.Minute).C
		if ok, err := try(1, "agent 1", true); !ok || err != nil {
			t.Errorf("a minute later: %v %v", ok, err)
		}
		looked = looks
		for range 500 { // all at once: no more than are looked at together get past the limit
			wg.Go(func() { _, _ = try(1, "agent 1", false) })
		}
		wg.Wait()
		if n := looks - looked; n > triesOfNetwork+looksAtOnce {
			t.Errorf("%d guesses at once", n)
		}
	})
}

// TestGuesses: neither the addresses of one network nor a flood of networks make more
// guesses than are allowed, of one network and of one account.
func TestGuesses(t *testing.T) {
	now := time.Now()
	for name, from := range map[string]func(n int) string{
		"IPv6":             func(n int) string { return fmt.Sprintf("2001:db8:0:a%02x:%x::1", n%256, n) },
		"IPv4":             func(n int) string { return fmt.Sprintf("203.0.113.%d", n%256) },
		"IPv4 within IPv6": func(n int) string { return fmt.Sprintf("::ffff:203.0.113.%d", n%256) },
	} {
		d, allowed := newGuard(), 0
		for n := range 1000 {
			if d.guess(from(n), fmt.Sprint("name ", n), now) {
				allowed++
			}
		}
		if allowed != triesOfNetwork {
			t.Errorf("%s: one network made %d guesses", name, allowed)
		}
		if d.held("198.51.100.1", "lee", now) || d.held(from(1), "lee", now.Add(time.Minute)) {
			t.Errorf("%s: another network, or a minute later, is refused", name)
		}
	}
	network := func(n int) string { return fmt.Sprintf("10.%d.%d.1", n/256, n%256) }
	d, allowed := newGuard(), 0
	for n := range 20_000 {
		now = now.Add(time.Millisecond)
		if d.guess(network(n), "kim", now) {
			allowed++
		}
		if len(d.tries) > triesKept {
			t.Fatalf("%d are remembered", len(d.tries))
		}
	}
	if allowed > 20*triesOfAccount {
		t.Errorf("a flood made %d guesses at one account", allowed)
	}
	d = newGuard()
	for n := range triesKept { // all within the minute; the oldest go first
		d.guess(network(n), fmt.Sprint("name ", n), now.Add(time.Duration(n)))
	}
	for range triesOfNetwork + 10 {
		d.guess("203.0.113.1", "kim", now.Add(triesKept))
	}
	for n := range 1000 {
		d.guess(network(n), fmt.Sprint("other ", n), now.Add(triesKept+time.Duration(n)))
	}
	if d.guess("203.0.113.1", "kim", now.Add(2*triesKept)) {
		t.Error("a flood freed a network that was held back")
	}
}
