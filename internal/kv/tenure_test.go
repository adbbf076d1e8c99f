package kv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

const ttl = 4 * time.Second // and so a margin of 1 s

func leaderClaim(name string) kv.Claim {
	return kv.Claim{Key: "leader", Value: []byte(name), TTL: ttl}
}

func lead(t *testing.T, s kv.Store, name string) kv.Leadership {
	t.Helper()
	l, err := kv.Campaign(t.Context(), s, leaderClaim(name))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A leader that is cut off stops before the other can start, and its writes are
// refused afterwards.
func TestCampaignPartition(t *testing.T) {
	for _, cutAfter := range []time.Duration{0, 700 * time.Millisecond, ttl/3 - 1, ttl / 3, 10 * time.Second} {
		t.Run(cutAfter.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := kv.NewMemory()
				wayN, wayS := kvtest.NewFaulty(m), kvtest.NewFaulty(m)
				north := lead(t, wayN, "north")
				type win struct {
					kv.Leadership
					at time.Time
				}
				won := make(chan win, 1)
				go func() {
					l := lead(t, wayS, "south")
					won <- win{l, time.Now()}
				}()
				pass(cutAfter)
				wayN.Cut()
				cut := time.Now()
				<-north.Done()
				stopped := time.Now()
				if north.Alive() {
					t.Error("over, and alive")
				}
				south := <-won
				t.Logf("cut, stopped after %v, next leader after %v", stopped.Sub(cut), south.at.Sub(cut))
				if gap := south.at.Sub(stopped); gap < ttl/4 {
					t.Errorf("only %v between the end of one leader and the start of the next, want the margin of %v", gap, ttl/4)
				}
				if south.at.Sub(cut) > ttl {
					t.Errorf("no leader for %v after the cut", south.at.Sub(cut))
				}
				if south.Term() <= north.Term() {
					t.Errorf("term %d follows %d", south.Term(), north.Term())
				}
				wayN.Heal()
				_, err := wayN.Commit(t.Context(), kv.Txn{Fence: north.Fence(), Do: []kv.Op{{Key: "a"}}})
				if !errors.Is(err, kv.ErrFenced) {
					t.Errorf("the old leader wrote: %v", err)
				}
				if _, err := wayS.Commit(t.Context(), kv.Txn{Fence: south.Fence(), Do: []kv.Op{{Key: "a"}}}); err != nil {
					t.Error(err)
				}
				closeAll(t, north, south.Leadership)
			})
		})
	}
}

func closeAll(t *testing.T, all ...kv.Leadership) {
	t.Helper()
	for _, l := range all {
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A short cut costs nothing.
func TestCampaignGlitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := kvtest.NewFaulty(kv.NewMemory())
		l := lead(t, way, "north")
		for range 20 {
			pass(2 * time.Second)
			way.Cut()
			pass(ttl / 8)
			way.Heal()
		}
		if !l.Alive() {
			t.Error("a leader fell over glitches")
		}
		closeAll(t, l)
	})
}

// Whatever call is lost, and on whichever side, a candidate ends up with exactly one
// leadership, and gives everything back when it gives up.
func TestCampaignLostCalls(t *testing.T) {
	for n := 1; n <= 4; n++ {
		for _, when := range []kvtest.When{kvtest.Before, kvtest.After} {
			t.Run(fmt.Sprintf("%v call %d", when, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := kv.NewMemory()
					way := kvtest.NewFaulty(m)
					way.FailAt(n, when, kv.ErrUnavailable)
					l := lead(t, way, "north")
					e, ok, err := m.Get(t.Context(), "leader")
					if err != nil || !ok || e.Created != l.Term() {
						t.Errorf("key %+v (%v, %v), term %d", e, ok, err, l.Term())
					}
					pass(time.Minute)
					if !l.Alive() {
						t.Error("the leadership did not last")
					}
					closeAll(t, l)
					if _, ok, _ := m.Get(t.Context(), "leader"); ok {
						t.Error("the key is still there")
					}
				})
			})
		}
	}
}

// A candidate that crashes at any call leaves nothing that keeps others out for
// longer than the time to live.
func TestCampaignCrash(t *testing.T) {
	for n := 1; n <= 4; n++ {
		for _, when := range []kvtest.When{kvtest.Before, kvtest.After} {
			t.Run(fmt.Sprintf("%v call %d", when, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := kv.NewMemory()
					way := kvtest.NewFaulty(m)
					way.CrashAt(n, when)
					crashed, err := kv.Campaign(t.Context(), way, leaderClaim("north"))
					if err == nil { // it crashed after it had won
						<-crashed.Done()
						defer func() { _ = crashed.Close(t.Context()) }()
					} else if !errors.Is(err, kvtest.ErrCrashed) {
						t.Fatal(err)
					}
					start := time.Now()
					next := lead(t, m, "south")
					if waited := time.Since(start); waited > ttl {
						t.Errorf("the next leader waited %v", waited)
					}
					closeAll(t, next)
				})
			})
		}
	}
}

func TestCampaignGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := kv.NewMemory()
		north := lead(t, m, "north")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := kv.Campaign(ctx, m, leaderClaim("south")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second candidate: %v", err)
		}
		if !north.Alive() {
			t.Error("the leader fell")
		}
		closeAll(t, north)
		for _, c := range []kv.Claim{{TTL: ttl}, {Key: "a"}, {Key: "a", TTL: ttl, Margin: ttl/2 + 1}, {Key: "a", TTL: ttl, Margin: -1}} {
			if _, err := kv.Campaign(t.Context(), m, c); err == nil {
				t.Errorf("%+v was accepted", c)
			}
		}
	})
}

// Many candidates, cut and healed in turn: never two alive at once, always one soon.
func TestCampaignNeverTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := kv.NewMemory()
		ctx, cancel := context.WithCancel(t.Context())
		leaders := make([]chan kv.Leadership, 3) // each holds the present leadership, if any
		ways := make([]*kvtest.Faulty, 3)
		ended := make(chan struct{}, 3)
		for i := range ways {
			ways[i], leaders[i] = kvtest.NewFaulty(m), make(chan kv.Leadership, 1)
			go func() {
				defer func() { ended <- struct{}{} }()
				for {
					l, err := kv.Campaign(ctx, ways[i], leaderClaim(fmt.Sprint(i)))
					if err != nil {
						return
					}
					leaders[i] <- l
					select {
					case <-l.Done():
					case <-ctx.Done():
					}
					<-leaders[i]
					_ = l.Close(context.WithoutCancel(ctx))
				}
			}()
		}
		terms, quiet := map[int64]bool{}, 0
		for step := range 3000 {
			pass(50 * time.Millisecond)
			alive := 0
			for _, c := range leaders {
				select {
				case l := <-c:
					if l.Alive() {
						alive++
						terms[l.Term()] = true
					}
					c <- l
				default:
				}
			}
			if alive > 1 {
				t.Fatalf("step %d: %d leaders at once", step, alive)
			}
			quiet++
			if alive == 1 {
				quiet = 0
			}
			if time.Duration(quiet)*50*time.Millisecond > 2*ttl {
				t.Fatalf("step %d: no leader for %d steps", step, quiet)
			}
			switch way := ways[step/120%3]; step % 120 {
			case 10:
				way.Cut()
			case 110:
				way.Heal()
			}
		}
		if len(terms) < 5 {
			t.Errorf("only %d terms: the test cut nobody who led", len(terms))
		}
		cancel()
		for range ways {
			<-ended
		}
	})
}

// A site that is cut off knows before the others see its key vanish.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ctx := kv.NewMemory(), t.Context()
		way := kvtest.NewFaulty(m)
		c := kv.Claim{Key: "site/north", Value: []byte("here"), TTL: 3 * time.Second, Margin: 1500 * time.Millisecond}
		h, err := kv.Hold(ctx, way, c)
		if err != nil {
			t.Fatal(err)
		}
		watch, stop := context.WithCancel(ctx)
		events, err := m.Watch(watch, "site/", 0)
		if err != nil {
			t.Fatal(err)
		}
		pass(20 * time.Second)
		way.Cut()
		<-h.Done()
		fencing := time.Now()
		for batch := range events {
			if batch[0].Deleted {
				break
			}
		}
		if left := time.Since(fencing); left < c.Margin {
			t.Errorf("the site had %v to fence its writers, want %v", left, c.Margin)
		}
		way.Heal()
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
		again, err := kv.Hold(ctx, way, c)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Alive() || again.Until().Before(time.Now()) {
			t.Error("the second tenure is none")
		}
		// Short of its end, a lost tenure does not drop the key by itself: the site
		// may still be fencing.
		way.Cut()
		<-again.Done()
		way.Heal()
		synctest.Wait()
		if _, ok, _ := m.Get(ctx, "site/north"); !ok {
			t.Error("the key went before Close")
		}
		if err := again.Close(ctx); err != nil {
			t.Error(err)
		}
		stop()
	})
}

// The later of two holders of one key wins; the earlier one is told.
func TestHoldTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ctx := kv.NewMemory(), t.Context()
		c := kv.Claim{Key: "site/north", TTL: ttl}
		one, err := kv.Hold(ctx, m, c)
		if err != nil {
			t.Fatal(err)
		}
		two, err := kv.Hold(ctx, m, c)
		if err != nil {
			t.Fatal(err)
		}
		<-one.Done()
		if err := one.Close(ctx); err != nil {
			t.Error(err)
		}
		pass(time.Minute)
		if !two.Alive() {
			t.Error("the later holder lost its tenure")
		}
		if e, ok, _ := m.Get(ctx, c.Key); !ok || e.Lease != two.LeaseID() {
			t.Errorf("key: %+v %v", e, ok)
		}
		if err := two.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}
