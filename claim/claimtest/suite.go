package claimtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// Report makes the n-th report of a test.
func Report(n int) claim.Report {
	at := time.Date(2022, 10, 19, 9, 0, n, 0, time.UTC)
	return claim.Report{
		Claim: claim.Claim{
			Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", Filed: at, Consent: claim.Consent{Version: "1", At: at},
			Report: policy.Claim{Service: []string{"kakaotalk", "melon"}[n%2], Use: []string{"paid", "free", "none"}[n%3], Kind: "person", Loss: int64(n) * 1_000},
		},
		Personal: claim.Personal{Name: fmt.Sprintf("홍길동%d", n), Email: fmt.Sprintf("p%d@example.com", n), Phone: "010-0000-0000", Text: "못 썼어요"},
		Marks:    []string{fmt.Sprintf("contact:p%d@example.com", n%10), "device:x"},
	}
}

// Run holds the ledgers that open makes against what claim.Ledger promises. Each call
// of open is a new, empty one.
func Run(t *testing.T, open func(t *testing.T) claim.Ledger) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, l claim.Ledger)
	}{
		{"file", testFile},
		{"twice", testTwice},
		{"one of many", testOneOfMany},
		{"at once", testAtOnce},
		{"receipts", testReceipts},
		{"change", testChange},
		{"lists", testLists},
		{"marks", testMarks},
		{"personal", testPersonal},
		{"erase", testErase},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, l claim.Ledger, n int) []claim.Receipt {
	t.Helper()
	var reports []claim.Report
	for i := range n {
		reports = append(reports, Report(i))
	}
	receipts, errs := l.File(t.Context(), reports)
	must(t, errs...)
	return receipts
}

func testFile(t *testing.T, l claim.Ledger) {
	receipts := file(t, l, 150)
	seen := map[string]bool{}
	for i, r := range receipts {
		if r.ID == "" || r.Secret == "" || r.Again || seen[r.ID] {
			t.Fatalf("receipt %d: %+v", i, r)
		}
		seen[r.ID] = true
		c, err := l.Claim(t.Context(), r.ID)
		must(t, err)
		want := Report(i).Claim
		want.ID, want.State, want.Changed, want.Version = r.ID, claim.Received, want.Filed, 1
		want.Report.ID, want.Report.Filed = r.ID, want.Filed
		if diff := cmp.Diff(want, c); diff != "" {
			t.Fatal(diff)
		}
	}
	history, err := l.History(t.Context(), receipts[0].ID)
	must(t, err)
	if len(history) != 1 || history[0].What != "filed" || history[0].Claim != receipts[0].ID {
		t.Errorf("history: %+v", history)
	}
	if _, err := l.Claim(t.Context(), "0000-0000-0000"); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("a claim that is not there: %v", err)
	}
}

// The same key files once, whatever comes between; with other content it is refused.
func testTwice(t *testing.T, l claim.Ledger) {
	r := Report(1)
	r.Key = "k1"
	first, errs := l.File(t.Context(), []claim.Report{r, Report(2), r})
	must(t, errs...)
	if first[0].ID != first[2].ID || first[0].Secret != first[2].Secret || !first[2].Again {
		t.Errorf("twice in one call: %+v", first)
	}
	later := r
	later.Claim.Filed = later.Claim.Filed.Add(time.Hour)
	again, errs := l.File(t.Context(), []claim.Report{later})
	must(t, errs...)
	if want := (claim.Receipt{ID: first[0].ID, Secret: first[0].Secret, Again: true}); again[0] != want {
		t.Errorf("again: %+v, want %+v", again[0], want)
	}
	r.Claim.Report.Loss++
	if _, errs := l.File(t.Context(), []claim.Report{r, Report(3)}); !errors.Is(errs[0], claim.ErrReused) || errs[1] != nil {
		t.Errorf("other content: %v", errs)
	}
}

// A report that no store can hold is refused by itself.
func testOneOfMany(t *testing.T, l claim.Ledger) {
	reports := []claim.Report{Report(0), Report(1), Report(2), Report(3), Report(4)}
	reports[1].Claim.Late = "a\x00b"
	reports[2].Personal.Text = strings.Repeat("길다", 100_000)
	reports[3].Claim.Report.Part = "\xff\xfe"
	receipts, errs := l.File(t.Context(), reports)
	for i, err := range errs {
		bad := i >= 1 && i <= 3
		if bad != errors.Is(err, claim.ErrInput) || bad != (receipts[i].ID == "") {
			t.Errorf("report %d: %+v, %v", i, receipts[i], err)
		}
	}
}

// Many who press twice at once file once each.
func testAtOnce(t *testing.T, l claim.Ledger) {
	const people, presses = 12, 4
	ids := make([][]string, people)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for p := range people {
		for range presses {
			wg.Go(func() {
				r := Report(p)
				r.Key = fmt.Sprintf("key %d", p)
				got, errs := l.File(t.Context(), []claim.Report{r})
				mu.Lock()
				defer mu.Unlock()
				if errs[0] != nil {
					t.Error(errs[0])
				}
				ids[p] = append(ids[p], got[0].ID)
			})
		}
	}
	wg.Wait()
	for p, all := range ids {
		slices.Sort(all)
		if len(slices.Compact(all)) != 1 {
			t.Errorf("person %d got %v", p, all)
		}
	}
	n := 0
	must(t, l.Each(t.Context(), "i", func(claim.Claim) error { n++; return nil }))
	if n != people {
		t.Errorf("%d claims of %d people", n, people)
	}
}

func testReceipts(t *testing.T, l claim.Ledger) {
	r := file(t, l, 2)
	typed := strings.ToLower(strings.ReplaceAll(r[0].ID, "-", " "))
	c, err := l.Check(t.Context(), typed, strings.ToLower(r[0].Secret))
	must(t, err)
	if c.ID != r[0].ID {
		t.Errorf("got %s", c.ID)
	}
	for _, wrong := range [][2]string{{r[0].ID, r[1].Secret}, {"0000-0000-0000", r[0].Secret}, {r[0].ID, ""}, {"", ""}, {"../" + r[0].ID, r[0].Secret}, {"'; drop table claims; --", "x"}} {
		if _, err := l.Check(t.Context(), wrong[0], wrong[1]); !errors.Is(err, claim.ErrSecret) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func testChange(t *testing.T, l claim.Ledger) {
	ctx := t.Context()
	r := file(t, l, 3)
	read := func(i int) claim.Claim {
		c, err := l.Claim(ctx, r[i].ID)
		must(t, err)
		return c
	}
	old, other := read(0), read(1)
	c := old
	c.State = claim.Approved
	c.Decision = &policy.Decision{Claim: c.ID, Policy: "p@1", Rule: "r", Outcome: policy.Pay, Form: policy.Money, Amount: 30_000, Currency: "KRW", Reason: map[string]string{"ko": "가"}, Evidence: []string{}, Why: []string{"r: applies"}}
	must(t, l.Change(ctx, []claim.Claim{c}, []claim.Event{{Who: "policy", What: "decided", Why: "r"}}))
	got := read(0)
	if got.State != claim.Approved || got.Version != 2 || got.Decision == nil || got.Decision.Amount != 30_000 {
		t.Errorf("changed: %+v", got)
	}
	// Who read before is told so, and nothing of what came with it is written.
	old.State, other.State = claim.Withdrawn, claim.Withdrawn
	err := l.Change(ctx, []claim.Claim{other, old}, []claim.Event{{Who: "x", What: "w"}, {Who: "x", What: "w"}})
	if !errors.Is(err, claim.ErrConflict) {
		t.Errorf("an old version: %v", err)
	}
	if got := read(1); got.State != claim.Received {
		t.Errorf("all or none: %+v", got)
	}
	history, err := l.History(ctx, r[0].ID)
	must(t, err)
	if len(history) != 2 || history[1].Who != "policy" || history[1].Why != "r" {
		t.Errorf("history: %+v", history)
	}
	if err := l.Change(ctx, []claim.Claim{{ID: "0000-0000-0000", Version: 1}}, []claim.Event{{}}); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("change of nothing: %v", err)
	}
}

func testLists(t *testing.T, l claim.Ledger) {
	ctx := t.Context()
	file(t, l, 120)
	all := func(q claim.Query) (out []int64) {
		q.Limit = 7
		for {
			p, err := l.List(ctx, q)
			must(t, err)
			for _, c := range p.Claims {
				out = append(out, c.Report.Loss/1_000)
			}
			if p.Next == "" {
				return out
			}
			if len(p.Claims) != 7 {
				t.Fatalf("a page of %d with another after it", len(p.Claims))
			}
			q.After = p.Next
		}
	}
	want := func(oldest bool, keep func(n int64) bool) (out []int64) {
		for n := range int64(120) {
			if keep(n) {
				out = append(out, n)
			}
		}
		if !oldest {
			slices.Reverse(out)
		}
		return out
	}
	for _, tt := range []struct {
		name string
		q    claim.Query
		keep func(n int64) bool
	}{
		{"all", claim.Query{}, func(int64) bool { return true }},
		{"oldest", claim.Query{OldestFirst: true}, func(int64) bool { return true }},
		{"service and use", claim.Query{Incident: "i", Service: "melon", Use: "free"}, func(n int64) bool { return n%2 == 1 && n%3 == 1 }},
		{"amounts", claim.Query{MinAmount: 10_000, MaxAmount: 20_000}, func(n int64) bool { return n >= 10 && n <= 20 }},
		{"states", claim.Query{States: []claim.State{claim.Received, claim.Paid}, OldestFirst: true}, func(int64) bool { return true }},
		{"another state", claim.Query{States: []claim.State{claim.Paid}}, func(int64) bool { return false }},
		{"another incident", claim.Query{Incident: "j"}, func(int64) bool { return false }},
		{"before", claim.Query{Before: Report(5).Claim.Filed}, func(n int64) bool { return n < 5 }},
		{"a contact", claim.Query{MarkedAs: "contact:p3@example.com"}, func(n int64) bool { return n%10 == 3 }},
		{"no such contact", claim.Query{MarkedAs: "contact:' or 1=1 --"}, func(int64) bool { return false }},
		{"flagged", claim.Query{Flagged: true}, func(int64) bool { return false }},
		{"channel and kind", claim.Query{Channel: claim.ByWeb, Kind: "person", OldestFirst: true}, func(int64) bool { return true }},
	} {
		if diff := cmp.Diff(want(tt.q.OldestFirst, tt.keep), all(tt.q)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	p, err := l.List(ctx, claim.Query{Service: "melon"})
	must(t, err)
	if p.Total != 60 || len(p.Claims) != 50 {
		t.Errorf("total %d, page %d", p.Total, len(p.Claims))
	}
	if _, err := l.List(ctx, claim.Query{After: "nonsense"}); err == nil {
		t.Error("a cursor that is none was taken")
	}
	var ids []string
	must(t, l.Each(ctx, "i", func(c claim.Claim) error { ids = append(ids, c.ID); return nil }))
	if len(ids) != 120 || !slices.IsSorted(ids) {
		t.Errorf("each: %d claims, sorted %v", len(ids), slices.IsSorted(ids))
	}
	stop := errors.New("stop")
	if err := l.Each(ctx, "i", func(claim.Claim) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a visit that stops: %v", err)
	}
}

func testMarks(t *testing.T, l claim.Ledger) {
	r := file(t, l, 12)
	got, err := l.Marks(t.Context(), "i")
	must(t, err)
	if len(got) != 12 || len(got[r[0].ID]) != 2 {
		t.Fatalf("%v", got)
	}
	if diff := cmp.Diff(got[r[1].ID], got[r[11].ID]); diff != "" {
		t.Errorf("the same contact and device: %s", diff)
	}
	if cmp.Equal(got[r[1].ID], got[r[2].ID]) {
		t.Error("another contact has the same marks")
	}
	none, err := l.Marks(t.Context(), "j")
	must(t, err)
	if len(none) > 0 {
		t.Errorf("another incident: %v", none)
	}
}

// Who looks at personal data is written down, before they see them.
func testPersonal(t *testing.T, l claim.Ledger) {
	ctx := t.Context()
	r := file(t, l, 2)
	p, err := l.Open(ctx, r[1].ID, "agent kim", "to call back")
	must(t, err)
	if diff := cmp.Diff(Report(1).Personal, p); diff != "" {
		t.Error(diff)
	}
	history, err := l.History(ctx, r[1].ID)
	must(t, err)
	if len(history) != 2 || history[1].What != "looked" || history[1].Who != "agent kim" || history[1].Why != "to call back" {
		t.Errorf("history: %+v", history)
	}
	if _, err := l.Open(ctx, r[1].ID, "agent kim", ""); err == nil {
		t.Error("opened without a reason")
	}
}

func testErase(t *testing.T, l claim.Ledger) {
	ctx := t.Context()
	r := file(t, l, 2)
	must(t, l.Erase(ctx, r[0].ID, "kim", "asked by the claimant"))
	must(t, l.Erase(context.WithoutCancel(ctx), r[0].ID, "kim", "pressed twice"))
	if _, err := l.Open(ctx, r[0].ID, "kim", "curious"); !errors.Is(err, claim.ErrErased) {
		t.Errorf("opened: %v", err)
	}
	c, err := l.Claim(ctx, r[0].ID)
	must(t, err)
	if c.Erased.IsZero() || c.Report.Service == "" {
		t.Errorf("the claim without what is personal stays: %+v", c)
	}
	page, err := l.List(ctx, claim.Query{MarkedAs: "contact:p0@example.com"})
	must(t, err)
	if page.Total != 0 {
		t.Error("it is still found by its contact")
	}
	_, err = l.Open(ctx, r[1].ID, "kim", "another claim")
	must(t, err)
}
