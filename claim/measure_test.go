//go:build measure

package claim_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// TestMeasure2022 files the reports of 2022 in memory, looks for duplicates, decides, compares three drafts and
// writes the data set, twice, and holds the two against one another.
func TestMeasure2022(t *testing.T) {
	const n = 105_116
	now := time.Now()
	var sums [2]string
	for round := range sums {
		o := newOffice(t, kv.NewMemory())
		o.Now = func() time.Time { return now }
		adopt(t, o, shipped(t))
		mix := claimtest.Mix2022(n, .05, 2022)
		step := func(what string, f func()) {
			begin := time.Now()
			f()
			t.Logf("round %d: %-12s %v", round+1, what, time.Since(begin).Round(time.Millisecond))
		}
		var receipts []claim.Receipt
		step("file", func() {
			var errs []error
			if receipts, errs = o.Ledger.File(t.Context(), mix.Reports); errors.Join(errs...) != nil {
				t.Fatal(errors.Join(errs...))
			}
		})
		step("flag", func() {
			got, err := o.Flag(t.Context(), "i")
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d flagged", got)
		})
		step("decide", func() {
			tally, err := o.DecideAll(t.Context(), "i", "kim", nil)
			if err != nil || tally.Decided != n {
				t.Fatal(tally, err)
			}
			t.Logf("%+v", tally)
		})
		step("what-if", func() {
			var drafts []*policy.Policy
			for v, change := range [][2]string{{"", ""}, {`amount: "30000"`, `amount: "40000"`}, {"<= 300000", "<= 250000"}} {
				p, err := policy.Parse("p", []byte(strings.Replace(strings.Replace(string(shipped(t)), change[0], change[1], 1), "version: 1", fmt.Sprintf("version: %d", v+1), 1)))
				if err != nil {
					t.Fatal(err)
				}
				drafts = append(drafts, p)
			}
			if _, err := o.Compare(t.Context(), "i", drafts); err != nil {
				t.Fatal(err)
			}
		})
		var set bytes.Buffer
		step("data set", func() {
			if err := o.Dataset(t.Context(), "i", &set); err != nil {
				t.Fatal(err)
			}
		})
		at := map[string]int{}
		for i, r := range receipts {
			at[r.ID] = i
		}
		h := sha256.New()
		h.Write(set.Bytes())
		for _, r := range receipts {
			c := get(t, o, r.ID)
			c.ID, c.Report.ID, c.Changed, c.Decision.Claim = "", "", time.Time{}, ""
			for f := range c.Flags {
				for k, id := range c.Flags[f].Others {
					c.Flags[f].Others[k] = fmt.Sprint(at[id])
				}
			}
			h.Write([]byte(asJSON(t, c)))
		}
		sums[round] = fmt.Sprintf("%x", h.Sum(nil))
	}
	if sums[0] != sums[1] {
		t.Errorf("twice is not the same: %s, %s", sums[0], sums[1])
	}
}

// The duplicates of all of 2022. The goals are 95 % of those that are seeded, and under 1 % of the others.
func TestMeasureDuplicates(t *testing.T) { duplicatesAreFlagged(t, 105_116, 3) }
