package desk

import (
	"fmt"
	"testing"
	"time"
)

// TestGuesses: neither the addresses of one network nor a flood of networks make more
// guesses than are allowed, of one network and of one account.
func TestGuesses(t *testing.T) {
	now := time.Now()
	for name, from := range map[string]func(n int) string{
		"IPv6":             func(n int) string { return fmt.Sprintf("2001:db8:0:a%02x:%x::1", n%256, n) },
		"IPv4":             func(n int) string { return fmt.Sprintf("203.0.113.%d", n%256) },
		"IPv4 within IPv6": func(n int) string { return fmt.Sprintf("::ffff:203.0.113.%d", n%256) },
	} {
		d, allowed := &guard{tries: map[string]tries{}}, 0
		for n := range 1000 {
			if d.mayTry(from(n), fmt.Sprint("name ", n), now) {
				allowed++
			}
		}
		if allowed != triesOfNetwork {
			t.Errorf("%s: one network made %d guesses", name, allowed)
		}
		if !d.mayTry("198.51.100.1", "lee", now) || !d.mayTry(from(1), "lee", now.Add(time.Minute)) {
			t.Errorf("%s: another network, or a minute later, is refused", name)
		}
	}
	network := func(n int) string { return fmt.Sprintf("10.%d.%d.1", n/256, n%256) }
	d, allowed := &guard{tries: map[string]tries{}}, 0
	for n := range 20_000 {
		now = now.Add(time.Millisecond)
		if d.mayTry(network(n), "kim", now) {
			allowed++
		}
		if len(d.tries) > triesKept {
			t.Fatalf("%d are remembered", len(d.tries))
		}
	}
	if allowed > 20*triesOfAccount {
		t.Errorf("a flood made %d guesses at one account", allowed)
	}
	d = &guard{tries: map[string]tries{}}
	for n := range triesKept { // all within the minute; the oldest go first
		d.mayTry(network(n), fmt.Sprint("name ", n), now.Add(time.Duration(n)))
	}
	for range 20 {
		d.mayTry("203.0.113.1", "kim", now.Add(triesKept))
	}
	for n := range 1000 {
		d.mayTry(network(n), fmt.Sprint("other ", n), now.Add(triesKept+time.Duration(n)))
	}
	if d.mayTry("203.0.113.1", "kim", now.Add(2*triesKept)) {
		t.Error("a flood freed a network that was held back")
	}
}
