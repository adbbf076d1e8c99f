//go:build measure

package desk

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
)

// A quickLedger answers the queue as a ledger of a million claims does, at once: what is
// left is what the page itself takes.
type quickLedger struct {
	claim.Ledger

	page claim.Page
}

func (l *quickLedger) List(_ context.Context, q claim.Query) (claim.Page, error) {
	p := l.page
	p.Claims = p.Claims[:min(len(p.Claims), max(q.Limit, 1))]
	return p, nil
}

// TestMeasureQueue: the page of the queue, besides the query of the ledger.
func TestMeasureQueue(t *testing.T) {
	b := newBench(t)
	b.fast = true
	fill(b)
	page := claim.Page{Total: 1_000_000, Next: "cursor"}
	one := b.claimOf(0)
	one.Flags = []claim.Flag{{Kind: "contact", Others: []string{b.ids[1]}}}
	one.Decision = &policy.Decision{Outcome: policy.Pay, Form: policy.Money, Amount: 30_000, Currency: "KRW", Rule: "small-business-30k"}
	for range mostRows {
		page.Claims = append(page.Claims, one)
	}
	b.s.o.Ledger = &quickLedger{b.ledger, page}
	lee := b.as("lee")
	for _, rows := range []string{"50", "500"} {
		var took []time.Duration
		for range 100 {
			begun := time.Now()
			w := lee.get("/claims?incident=fire&rows=" + rows)
			took = append(took, time.Since(begun))
			if w.Code != 200 || !strings.Contains(w.Body.String(), "1,000,000") {
				t.Fatal(w.Code)
			}
		}
		slices.Sort(took)
		t.Logf("queue of 1,000,000, %s rows: median %v, p95 %v", rows, took[50], took[95])
		if took[50] > 100*time.Millisecond {
			t.Error("the page takes longer than 100 ms")
		}
	}
}

// TestMeasureWhatIf: three drafts over the 105,116 reports of the 2022 mix, from the
// press of the button to the page with its tables.
func TestMeasureWhatIf(t *testing.T) {
	b := newBench(t)
	b.fast = true
	fill(b)
	mix := claimtest.Mix2022(105_116, .02, 1)
	for i := range mix.Reports {
		mix.Reports[i].Claim.Incident = "fire"
	}
	begun := time.Now()
	for chunk := range slices.Chunk(mix.Reports, 500) {
		if _, errs := b.ledger.File(t.Context(), chunk); slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
			t.Fatal(errs)
		}
	}
	t.Logf("filed in %v", time.Since(begun))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.s.Run(ctx) }()
	defer b.stop(cancel, done)
	lee := b.as("lee")
	drafts := url.Values{"incident": {"fire"}, "draft": {"kakao-2022@1"}}
	for i, field := range []string{"text", "text2"} {
		text := strings.Replace(string(shipped(t)), "version: 1", fmt.Sprintf("version: %d", i+2), 1)
		drafts.Set(field, strings.Replace(text, "budget: 40000000000", fmt.Sprintf("budget: %d", 300_000_000*(i+1)), 1))
	}
	until := func(path, what string) {
		for !strings.Contains(lee.page(path), what) {
			<-time.NewTimer(10 * time.Millisecond).C
		}
	}
	for range 3 {
		begun = time.Now()
		to := lee.does("/whatif", drafts)
		answered := time.Since(begun)
		until(to, "table.xlsx")
		shown := time.Since(begun)
		w := lee.get(to + "/table.xlsx")
		t.Logf("three drafts over %d: first answer %v, result shown %v, workbook of %d bytes after %v", len(mix.Reports)+6, answered, shown, w.Body.Len(), time.Since(begun))
	}
	begun = time.Now()
	until(lee.does("/run/preview", url.Values{"incident": {"fire"}}), `name="digest"`)
	t.Logf("preview of deciding all: %v", time.Since(begun))
	begun = time.Now()
	lee.page("/run")
	t.Logf("the page of work: %v", time.Since(begun))
	begun = time.Now()
	lee.page("/claims?incident=fire&state=received")
	t.Logf("a page of the queue with its query: %v", time.Since(begun))
}
