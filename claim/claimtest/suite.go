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
		{"lists of equals", testEquals},
		{"marks", testMarks},
		{"personal", testPersonal},
		{"erase", testErase},
		{"amend", testAmend},
		{"amend at once", testAmendAtOnce},
		{"papers", testPapers},
		{"swept", testSwept},
		{"looks", testLooks},
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
	if used, err := l.Used(t.Context(), []string{"k1", "other", ""}); err != nil || len(used) != 1 || !used["k1"] {
		t.Errorf("keys that were used: %v, %v", used, err)
	}
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
	unwritten := Report(4)
	unwritten.Key, unwritten.RecordedFrom, unwritten.RecordedTo = "unwritten", true, true
	once, errs := l.File(t.Context(), []claim.Report{unwritten})
	must(t, errs...)
	unwritten.Claim.Report.To = unwritten.Claim.Filed
	twice, errs := l.File(t.Context(), []claim.Report{unwritten})
	must(t, errs...)
	if once[0].ID != twice[0].ID || !twice[0].Again {
		t.Errorf("more was recorded since: %+v, %+v", once, twice)
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
	reports[4].Personal.Text = `a person may write \u0000 and \\ufffd`
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

// Claims of one amount, filed at one time, come in the order of their IDs, page by page, whatever else they are filtered by.
func testEquals(t *testing.T, l claim.Ledger) {
	ctx := t.Context()
	reports := make([]claim.Report, 40)
	for i := range reports {
		reports[i] = Report(i)
		reports[i].Claim.Filed, reports[i].Claim.Report.Loss = Report(0).Claim.Filed, 5_000
	}
	receipts, errs := l.File(ctx, reports)
	must(t, errs...)
	for _, tt := range []struct {
		name string
		q    claim.Query
		keep func(i int) bool
	}{
		{"all", claim.Query{}, func(int) bool { return true }},
		{"of one service", claim.Query{Service: "melon"}, func(i int) bool { return i%2 == 1 }},
		{"of one amount, filed before", claim.Query{MinAmount: 5_000, MaxAmount: 5_000, Before: Report(1).Claim.Filed}, func(int) bool { return true }},
		{"of one device and service", claim.Query{MarkedAs: "device:x", Service: "melon"}, func(i int) bool { return i%2 == 1 }},
	} {
		var want []string
		for i, r := range receipts {
			if tt.keep(i) {
				want = append(want, r.ID)
			}
		}
		slices.Sort(want)
		for _, oldest := range []bool{true, false} {
			if !oldest {
				slices.Reverse(want)
			}
			var got []string
			tt.q.OldestFirst, tt.q.Limit, tt.q.After = oldest, 7, ""
			for {
				p, err := l.List(ctx, tt.q)
				must(t, err)
				for i := range p.Claims {
					got = append(got, p.Claims[i].ID)
				}
				if tt.q.After = p.Next; p.Next == "" {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, oldest first %v: %s", tt.name, oldest, diff)
			}
		}
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
	c, err := l.Claim(ctx, r[0].ID)
	must(t, err)
	c.Account = "pseudonym"
	must(t, l.Change(ctx, []claim.Claim{c}, []claim.Event{{Who: "import", What: "named"}}))
	must(t, l.Erase(ctx, r[0].ID, "kim", "asked by the claimant"))
	must(t, l.Erase(context.WithoutCancel(ctx), r[0].ID, "kim", "pressed twice"))
	if _, err := l.Open(ctx, r[0].ID, "kim", "curious"); !errors.Is(err, claim.ErrErased) {
		t.Errorf("opened: %v", err)
	}
	c, err = l.Claim(ctx, r[0].ID)
	must(t, err)
	if c.Erased.IsZero() || c.Report.Service == "" || c.Account != "" {
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

// said is an amendment that adds words.
func said(words string) func(*claim.Claim, *claim.Personal) (claim.Event, error) {
	return func(_ *claim.Claim, p *claim.Personal) (claim.Event, error) {
		p.Added = append(p.Added, claim.Added{By: "claimant", What: "more", Text: words})
		return claim.Event{Who: "claimant", What: "said more"}, nil
	}
}

func testAmend(t *testing.T, l claim.Ledger) {
	ctx := t.Context()
	r := file(t, l, 2)
	id := r[0].ID
	got, err := l.Amend(ctx, strings.ToLower(id), func(c *claim.Claim, p *claim.Personal) (claim.Event, error) {
		if c.ID != id || c.Version != 1 || p.Name != "홍길동0" {
			t.Errorf("given %+v, %+v", c, p)
		}
		c.ID, c.State, c.Report.Service, c.NextAt = "another", claim.Appealed, "melon", Report(9).Claim.Filed
		p.Bank, p.Number, p.Holder = "088", "110-123-456789", "홍길동"
		p.Added = append(p.Added, claim.Added{At: Report(9).Claim.Filed, By: "claimant", What: "appeal", Text: "다시 봐 주세요"})
		return claim.Event{Who: "claimant", What: "appealed"}, nil
	})
	must(t, err)
	kept, err := l.Claim(ctx, id)
	must(t, err)
	if diff := cmp.Diff(got, kept); diff != "" || kept.Version != 2 || kept.State != claim.Appealed || !kept.Changed.After(kept.Filed) {
		t.Errorf("%+v\n%s", kept, diff)
	}
	p, err := l.Open(ctx, id, "kim", "to decide")
	must(t, err)
	want := Report(0).Personal
	want.Bank, want.Number, want.Holder = "088", "110-123-456789", "홍길동"
	want.Added = []claim.Added{{At: Report(9).Claim.Filed, By: "claimant", What: "appeal", Text: "다시 봐 주세요"}}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	// It is found as what it is now, and by the account as if it had been named at first.
	for _, tt := range []struct {
		q    claim.Query
		want int
	}{
		{claim.Query{States: []claim.State{claim.Appealed}}, 1},
		{claim.Query{Service: "melon"}, 2},
		{claim.Query{MarkedAs: "bank:088/110123456789"}, 1},
		{claim.Query{MarkedAs: "contact:p0@example.com"}, 1},
	} {
		page, err := l.List(ctx, tt.q)
		must(t, err)
		if page.Total != tt.want {
			t.Errorf("%+v: %d, want %d", tt.q, page.Total, tt.want)
		}
	}
	marks, err := l.Marks(ctx, "i")
	must(t, err)
	if len(marks[id]) != 3 || !slices.IsSorted(marks[id]) {
		t.Errorf("marks: %v", marks[id])
	}
	history, err := l.History(ctx, id)
	must(t, err)
	if len(history) != 3 || history[1].What != "appealed" || history[1].Claim != id {
		t.Errorf("history: %+v", history)
	}
	// Who read it before is told so.
	if err := l.Change(ctx, []claim.Claim{{ID: id, Version: 1}}, []claim.Event{{}}); !errors.Is(err, claim.ErrConflict) {
		t.Errorf("an old version: %v", err)
	}
	// What cannot be kept is refused, and then nothing is written.
	no := errors.New("no")
	for name, tt := range map[string]struct {
		id     string
		change func(*claim.Claim, *claim.Personal) (claim.Event, error)
		want   error
	}{
		"an error of the change": {id, func(c *claim.Claim, _ *claim.Personal) (claim.Event, error) {
			c.State = claim.Paid
			return claim.Event{}, no
		}, no},
		"too long":      {id, said(strings.Repeat("길다", 100_000)), claim.ErrInput},
		"a zero byte":   {id, said("a\x00b"), claim.ErrInput},
		"no such claim": {"0000-0000-0000", said("x"), claim.ErrNotFound},
	} {
		if _, err := l.Amend(ctx, tt.id, tt.change); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, err := l.Claim(ctx, id); err != nil || !cmp.Equal(now, kept) {
		t.Errorf("%+v, %v", now, err)
	}
	must(t, l.Erase(ctx, id, "kim", "asked"))
	if _, err := l.Amend(ctx, id, said("x")); !errors.Is(err, claim.ErrErased) {
		t.Errorf("after it was erased: %v", err)
	}
}

// Whoever amends at once, and looks meanwhile, loses nothing.
func testAmendAtOnce(t *testing.T, l claim.Ledger) {
	const people, times = 6, 5
	id := file(t, l, 1)[0].ID
	var wg sync.WaitGroup
	for p := range people {
		wg.Go(func() {
			for n := range times {
				if _, err := l.Amend(t.Context(), id, said(fmt.Sprintf("%d.%d", p, n))); err != nil {
					t.Error(err)
				}
			}
			if _, err := l.Open(t.Context(), id, fmt.Sprint("agent ", p), "to call back"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p, err := l.Open(t.Context(), id, "kim", "to read")
	must(t, err)
	seen, last := map[string]bool{}, map[string]string{}
	for _, a := range p.Added {
		who, _, _ := strings.Cut(a.Text, ".")
		if seen[a.Text] || a.Text <= last[who] {
			t.Errorf("%q stands twice, or before what was said earlier", a.Text)
		}
		seen[a.Text], last[who] = true, a.Text
	}
	if len(seen) != people*times {
		t.Errorf("%d of %d additions are left", len(seen), people*times)
	}
	c, err := l.Claim(t.Context(), id)
	must(t, err)
	history, err := l.History(t.Context(), id)
	must(t, err)
	if c.Version != 1+people*times || len(history) != 1+people*times+people+1 {
		t.Errorf("version %d, %d events", c.Version, len(history))
	}
}

func testPapers(t *testing.T, l claim.Ledger) {
	ctx := t.Context()
	r := file(t, l, 2)
	id := r[0].ID
	large := make([]byte, 10<<20) // what one may have
	for i := range large {
		large[i] = byte(i ^ i>>8 ^ i>>16) //nolint:gosec // the low bits are meant
	}
	papers := [][]byte{[]byte("paper"), large, {}}
	var files []claim.File
	for i, data := range papers {
		f, err := l.AddFile(ctx, id, []string{"sales-proof", "use-proof", "sales-proof"}[i], "image/png", data, "agent kim")
		must(t, err)
		if f.Size != int64(len(data)) || f.Type != "image/png" || f.ID == "" {
			t.Errorf("%+v", f)
		}
		files = append(files, f)
	}
	c, err := l.Claim(ctx, id)
	must(t, err)
	if diff := cmp.Diff(files, c.Files); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"sales-proof", "use-proof"}, c.Report.Evidence); diff != "" {
		t.Error(diff)
	}
	for i, f := range files {
		got, err := l.OpenFile(ctx, id, f.ID, "lee", "to decide")
		must(t, err)
		if !slices.Equal(got, papers[i]) {
			t.Errorf("paper %d has %d bytes, or others than it was sent with", i, len(got))
		}
	}
	history, err := l.History(ctx, id)
	must(t, err)
	if len(history) != 7 || history[1].Who != "agent kim" || history[1].What != "sent a paper" || history[4].Who != "lee" || history[4].What != claim.LookedAt(files[0]) {
		t.Errorf("history: %+v", history)
	}
	for _, other := range []string{"", "0000-0000-0000", "../" + files[0].ID, files[0].ID + "/"} {
		if _, err := l.OpenFile(ctx, id, other, "lee", "x"); !errors.Is(err, claim.ErrNotFound) {
			t.Errorf("paper %q: %v", other, err)
		}
	}
	if _, err := l.OpenFile(ctx, r[1].ID, files[0].ID, "lee", "x"); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("a paper of another claim: %v", err)
	}
	if _, err := l.OpenFile(ctx, id, files[0].ID, "lee", ""); !errors.Is(err, claim.ErrNobody) {
		t.Errorf("opened without a reason: %v", err)
	}
	if _, err := l.AddFile(ctx, "0000-0000-0000", "x", "image/png", nil, "x"); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("a paper for nothing: %v", err)
	}
	must(t, l.Erase(ctx, id, "kim", "asked"))
	if _, err := l.OpenFile(ctx, id, files[1].ID, "lee", "to decide"); !errors.Is(err, claim.ErrErased) {
		t.Errorf("opened after it was erased: %v", err)
	}
	if _, err := l.AddFile(ctx, id, "x", "image/png", nil, "x"); !errors.Is(err, claim.ErrErased) {
		t.Errorf("added after it was erased: %v", err)
	}
}

func testLooks(t *testing.T, l claim.Ledger) {
	ctx := t.Context()
	none, err := l.Looks(ctx, time.Time{}, 10)
	must(t, err)
	if none == nil || len(none) > 0 {
		t.Errorf("nobody looked: %+v", none)
	}
	r := file(t, l, 3)
	f, err := l.AddFile(ctx, r[2].ID, "use-proof", "image/png", []byte("x"), "claimant")
	must(t, err)
	begun := time.Now()
	for _, x := range r {
		_, err := l.Open(ctx, x.ID, "kim", "to decide "+x.ID)
		must(t, err)
	}
	_, err = l.OpenFile(ctx, r[2].ID, f.ID, "lee", "to read")
	must(t, err)
	_, err = l.Amend(ctx, r[0].ID, said("nobody looks at this"))
	must(t, err)
	must(t, l.Erase(ctx, r[1].ID, "kim", "asked")) // that somebody had looked stays
	looks := func(since time.Time, limit int) (out []string) {
		all, err := l.Looks(ctx, since, limit)
		must(t, err)
		for _, e := range all {
			if e.At.Before(begun.Add(-time.Microsecond)) || e.At.After(time.Now()) {
				t.Errorf("%+v", e)
			}
			out = append(out, e.Claim+" "+e.Who+" "+e.What+" "+e.Why)
		}
		return out
	}
	want := []string{
		r[2].ID + " lee " + claim.LookedAt(f) + " to read",
		r[2].ID + " kim looked to decide " + r[2].ID,
		r[1].ID + " kim looked to decide " + r[1].ID,
		r[0].ID + " kim looked to decide " + r[0].ID,
	}
	for _, tt := range []struct {
		since time.Time
		limit int
		want  []string
	}{
		{time.Time{}, 10, want},
		{begun.Add(-24 * time.Hour), 4, want},
		{time.Time{}, 2, want[:2]},
		{time.Now().Add(time.Hour), 10, nil},
		{time.Time{}, 0, nil},
	} {
		if diff := cmp.Diff(tt.want, looks(tt.since, tt.limit)); diff != "" {
			t.Errorf("since %v, %d: %s", tt.since, tt.limit, diff)
		}
	}
	all, err := l.Looks(ctx, time.Time{}, 10)
	must(t, err)
	if got := looks(all[1].At, 10); len(got) != 2 {
		t.Errorf("since the third of four: %q", got)
	}
}
