package policy

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// mix2022 makes cases in the proportions of facts §4.1: 17.1 % paid, 15.1 % free with
// a loss, 67.8 % without; a fifth of those who claim a loss are small businesses.
func mix2022(n int, seed uint64) []Case {
	r := rand.New(rand.NewPCG(seed, 2022))
	paid := []string{"emoticon-plus", "talk-drawer", "kakao-t-pro", "driver-pro", "melon", "webtoon", "kakaopage", "gift"}
	cases := make([]Case, n)
	for i := range cases {
		c := &cases[i]
		c.Claim = Claim{ID: fmt.Sprint(i), Service: "kakaotalk", Use: "none", Kind: "person"}
		c.Outage = Outage{Known: true, Minutes: 604}
		switch x := r.Float64(); {
		case x < .171:
			c.Claim.Use, c.Claim.Service = "paid", paid[r.IntN(len(paid))]
			c.Account = Account{ID: fmt.Sprint(i), Fee: []int64{4_900, 22_000, 39_000}[r.IntN(3)]}
		case x < .322:
			c.Claim.Use = "free"
			c.Claim.Loss = int64(r.ExpFloat64() * 250_000)
			switch y := r.Float64(); {
			case y < .2:
				c.Claim.Kind, c.Claim.Week = "small-business", int64(r.ExpFloat64()*2_000_000)
				c.Claim.Best = c.Claim.Week + c.Claim.Loss
			case y < .202:
				c.Claim.Kind = "company"
			}
		}
	}
	return cases
}

func drafts(t testing.TB) []*Policy {
	t.Helper()
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	out := []*Policy{load(t)}
	for v, change := range [][2]string{{`amount: "30000"`, `amount: "40000"`}, {"<= 300000", "<= 250000"}} {
		text := strings.Replace(strings.Replace(string(data), change[0], change[1], 1), "version: 1", fmt.Sprintf("version: %d", v+2), 1)
		p, err := Parse("draft.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// A comparison adds up to what single decisions say, whoever adds.
func TestCompare(t *testing.T) {
	cases, ps := mix2022(4_000, 1), drafts(t)
	got := Compare(cases, ps)
	got.Borders(cases, ps, -10, 10)
	again := Compare(cases, ps)
	again.Borders(cases, ps, -10, 10)
	if diff := cmp.Diff(got, again, cmpopts.IgnoreUnexported(Result{})); diff != "" {
		t.Error("twice is not the same:", diff)
	}
	for n, p := range ps {
		var want Sums
		for i := range cases {
			d, first := p.Assess(&cases[i]), ps[0].Assess(&cases[i])
			given := func(d *Decision) int64 {
				if d.Outcome != Pay {
					return 0
				}
				return d.Amount
			}
			one := (&brief{d.Rule, d.Outcome, d.Amount, d.Cost, d.Hours}).sums()
			want.plus(&one)
			if delta := given(&d) - given(&first); delta != 0 {
				want.Delta += delta
				if delta > 0 {
					want.More++
				} else {
					want.Less++
				}
			}
		}
		r := &got.Drafts[n]
		if diff := cmp.Diff(want, r.Total); diff != "" {
			t.Errorf("draft %d: %s", n, diff)
		}
		for _, by := range [][]Segment{r.ByRule, r.ByKind, r.ByUse, r.ByService} {
			var sum Sums
			for _, s := range by {
				sum.Cases += s.Cases
				sum.Amount += s.Amount
				sum.Pending += s.Pending
			}
			if sum.Cases != want.Cases || sum.Amount != want.Amount || sum.Pending != want.Pending {
				t.Errorf("draft %d: segments add up to %+v, all is %+v", n, sum, want)
			}
		}
	}
	two, three := &got.Drafts[1].Total, &got.Drafts[2].Total
	if two.More == 0 || two.Less != 0 || two.Delta != int64(two.More)*10_000 || three.More == 0 {
		t.Errorf("a dearer bracket and a lower limit: %+v, %+v", two, three)
	}
	for n, p := range ps {
		for k, percent := range []int64{-10, 10} {
			want := Border{Percent: int(percent)}
			for i := range cases {
				c := cases[i]
				before := p.Assess(&c)
				c.Claim.Loss += c.Claim.Loss * percent / 100
				c.Claim.Proven += c.Claim.Proven * percent / 100
				if gap := c.Claim.Best - c.Claim.Week; gap > 0 {
					c.Claim.Best += gap * percent / 100
				}
				d := p.Assess(&c)
				if d.Outcome != before.Outcome || d.Amount != before.Amount {
					want.Changed++
				}
				if d.Outcome == Pay {
					want.Amount += d.Amount
				}
			}
			if b := got.Drafts[n].Borders; b[k] != want || want.Changed == 0 && n == 0 {
				t.Errorf("draft %d: a border of %+v, expected %+v", n, b[k], want)
			}
		}
	}
}

// Three drafts over the reports of 2022.
func BenchmarkCompare(b *testing.B) {
	cases, ps := mix2022(105_116, 1), drafts(b)
	for b.Loop() {
		Compare(cases, ps)
	}
}

// Whoever may not learn of single persons sees no group of fewer than ten, and no sum is lost.
func TestCoarse(t *testing.T) {
	segments := []Segment{{"a", Sums{Cases: 40, Amount: 400}}, {"b", Sums{Cases: 12, Amount: 120}}, {"c", Sums{Cases: 3, Amount: 7}}, {"d", Sums{Cases: 1, Amount: 9}}}
	c := Comparison{Cases: 56, Drafts: []Result{{ByRule: segments, Spread: []int64{1, 2}}}}
	got := c.Coarse(10).Drafts[0]
	want := []Segment{{"a", Sums{Cases: 40, Amount: 400}}, {"other", Sums{Cases: 16, Amount: 136}}}
	if diff := cmp.Diff(want, got.ByRule); diff != "" || len(got.Spread) != 0 {
		t.Errorf("%v, spread %v", diff, got.Spread)
	}
	if len(c.Drafts[0].ByRule) != 4 || len(c.Drafts[0].Spread) != 2 {
		t.Error("the comparison itself changed")
	}
}
