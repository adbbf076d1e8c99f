package claim_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
)

// Whatever becomes of claims from day to day: no group that is told is smaller than ten, changes by fewer than ten from any day to the next, or
// has an amount that changes by what fewer than ten are given; and what is told is never far from the truth.
func TestToldDayByDay(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 3))
		var claims []claim.Group
		var told claim.Told
		for day := range 25 {
			for range r.IntN(30) {
				claims = append(claims, claim.Group{Claims: 1, Of: []string{"received", fmt.Sprint(r.IntN(2)), fmt.Sprint(int(r.ExpFloat64() * 3))}})
			}
			for range r.IntN(20) {
				if len(claims) > 0 {
					c := &claims[r.IntN(len(claims))]
					c.Of = []string{"paid", c.Of[1], c.Of[2]}
					c.Given, c.Amount = 1, r.Int64N(1_000_000)
				}
			}
			before := map[string]claim.Group{}
			for _, g := range told.Groups {
				before[strings.Join(g.Of, "|")] = g
			}
			told = told.Next(fmt.Sprint(day), claims)
			sum := 0
			for _, g := range told.Groups {
				last := before[strings.Join(g.Of, "|")]
				delete(before, strings.Join(g.Of, "|"))
				sum += g.Claims
				if !far(last.Claims, g.Claims) || g.Claims < claim.Smallest {
					t.Fatalf("seed %d, day %d: %+v after %+v", seed, day, g, last)
				}
				if !far(last.Given, g.Given) || g.Given > 0 && g.Given < claim.Smallest || g.Given == last.Given && g.Amount != last.Amount {
					t.Fatalf("seed %d, day %d: amounts of %+v after %+v", seed, day, g, last)
				}
			}
			for _, last := range before { // is told no more
				if last.Claims < claim.Smallest {
					t.Fatalf("seed %d, day %d: %+v is gone", seed, day, last)
				}
			}
			if lag := (len(told.Groups) + 8) * claim.Smallest; sum < len(claims)-lag || sum > len(claims)+lag {
				t.Fatalf("seed %d, day %d: %d of %d claims are told of", seed, day, sum, len(claims))
			}
			if diff := cmp.Diff(told, told.Next(told.Day, claims)); diff != "" {
				t.Fatalf("seed %d, day %d: the same claims once more:\n%s", seed, day, diff)
			}
		}
	}
}

// far says whether two numbers of claims are the same or far enough apart.
func far(a, b int) bool { return a == b || a-b >= claim.Smallest || b-a >= claim.Smallest }
