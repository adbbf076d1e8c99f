package public

import (
	"context"
	"sync"
	"time"
)

// guesses slow down who tries receipts. A secret has a hundred bits, so no guess will
// ever be right; what is bounded is what guessing costs us. Nobody is locked out: an
// owner who is slowed down waits two seconds, and is then let in.
type guesses struct {
	network, code, all *limiter
	room               *room
}

const guessWait = 2 * time.Second

func newGuesses() guesses {
	return guesses{
		network: newLimiter(20, 10*time.Second, 20_000), code: newLimiter(10, 30*time.Second, 20_000), all: newLimiter(300, 100*time.Millisecond, 1),
		room: &room{most: 256, each: 4, who: map[string]int{}},
	}
}

// before waits where many wrong receipts came from this network, for this code, or
// from everywhere. False: too many wait already.
func (g *guesses) before(ctx context.Context, network, code string) bool {
	now := time.Now()
	if g.network.has(network, now) && g.code.has(code, now) && g.all.has("", now) {
		return true
	}
	if !g.room.enter(network) {
		return false
	}
	defer g.room.leave(network)
	t := time.NewTimer(guessWait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// wrong counts a receipt that was none.
func (g *guesses) wrong(network, code string) {
	now := time.Now()
	g.network.take(network, now)
	g.code.take(code, now)
	g.all.take("", now)
}

// A room holds those who wait, so many of one network at most.
type room struct {
	most, each int

	mu  sync.Mutex
	all int
	who map[string]int
}

func (r *room) enter(who string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all >= r.most || r.who[who] >= r.each {
		return false
	}
	r.all++
	r.who[who]++
	return true
}

func (r *room) leave(who string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.who[who]--; r.who[who] == 0 {
		delete(r.who, who)
	}
}
