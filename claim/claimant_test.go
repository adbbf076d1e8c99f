package claim_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/paper"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// Whoever has no secret is told the same, whether there is such a claim or not.
func TestSecrets(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	r, other := filed(t, o, shop(1, 5_000)), filed(t, o, shop(2, 5_000))
	for _, who := range []struct{ id, secret, by string }{
		{r.ID, other.Secret, ""},
		{"0000-0000-0000", r.Secret, ""},
		{r.ID, "", ""},
		{r.ID, "", "claimant"},
		{r.ID, "", " Policy"},
		{r.ID, "wrong", "agent kim"},
		{"../" + r.ID, r.Secret, ""},
	} {
		for name, err := range map[string]error{
			"amend":    second(o.Amend(ctx, who.id, who.secret, "words", who.by)),
			"bank":     second(o.SetBank(ctx, who.id, who.secret, "088", "110-123-456789", "홍길동", who.by)),
			"withdraw": second(o.Withdraw(ctx, who.id, who.secret, who.by)),
			"appeal":   second(o.Appeal(ctx, who.id, who.secret, "", who.by)),
			"paper":    thirdErr(o.AddPaper(ctx, who.id, who.secret, "other", "a.txt", []byte("a"), who.by)),
		} {
			if !errors.Is(err, claim.ErrSecret) {
				t.Errorf("%s with %q, %q, %q: %v", name, who.id, who.secret, who.by, err)
			}
		}
	}
	if c := get(t, o, r.ID); c.Version != 1 {
		t.Errorf("it changed: %+v", c)
	}
	if _, err := o.Amend(ctx, "0000-0000-0000", "", "words", "agent kim"); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("an agent may know that there is none: %v", err)
	}
}

func thirdErr(_ claim.File, err error) error { return err }

// Words and bank accounts are added, sealed, and found by.
func TestAmendAndBank(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, ""))
	r := filed(t, o, shop(1, 5_000))
	typed := strings.ToLower(strings.ReplaceAll(r.ID, "-", " "))
	must(t)(o.Amend(ctx, typed, r.Secret, " 제 번호는 900101-1234568\r\n입니다 ", ""))
	must(t)(o.Amend(ctx, r.ID, "", "called back", "agent kim"))
	if _, err := o.Amend(ctx, r.ID, r.Secret, " ", ""); fields(err)["text"] != "missing" {
		t.Error(err)
	}
	if _, err := o.Amend(ctx, r.ID, r.Secret, strings.Repeat("a", 5_001), ""); fields(err)["text"] != "long" {
		t.Error(err)
	}
	if _, err := o.SetBank(ctx, r.ID, r.Secret, "088", "=cmd|' /C calc'!A0", "", ""); fields(err)["number"] != "form" || fields(err)["holder"] != "missing" {
		t.Error(err)
	}
	must(t)(o.SetBank(ctx, r.ID, r.Secret, "088", "110-123-456789", "홍길동", ""))
	page, err := o.Ledger.List(ctx, claim.Query{MarkedAs: "bank:088/110123456789"})
	if err != nil || page.Total != 1 {
		t.Errorf("found by its bank account: %d, %v", page.Total, err)
	}
	p, err := o.Ledger.Open(ctx, r.ID, "kim", "test")
	if err != nil || p.Holder != "홍길동" || len(p.Added) != 3 || p.Added[0].Text != "제 번호는 900101-1******\n입니다" || p.Added[0].By != claim.Claimant || p.Added[1].By != "agent kim" {
		t.Errorf("%+v, %v", p, err)
	}
	put(t, o, r.ID, func(c *claim.Claim) {
		c.State = claim.Approved
		c.Decision = &policy.Decision{Outcome: policy.Pay, Form: policy.Money, Amount: 5}
	})
	if c := must(t)(o.SetBank(ctx, r.ID, r.Secret, "020", "1002-123-456789", "홍길동", "")); c.State != claim.Approved {
		t.Errorf("its claimant changed it, and it is %s", c.State)
	}
	if c := must(t)(o.SetBank(ctx, r.ID, "", "020", "1002-123-456789", "홍길동", "agent kim")); c.State != claim.Approved {
		t.Errorf("an agent typed the same, and it is %s", c.State)
	}
	if c := must(t)(o.SetBank(ctx, r.ID, "", "088", "110-999-999999", "김철수", "agent kim")); c.State != claim.Review || c.Decision.Outcome != policy.Human {
		t.Errorf("an agent changed it, and it is %s", c.State)
	}
	put(t, o, r.ID, func(c *claim.Claim) { c.State = claim.Paying })
	if _, err := o.SetBank(ctx, r.ID, r.Secret, "088", "110-123-456789", "홍길동", ""); !errors.Is(err, claim.ErrState) {
		t.Errorf("on its way: %v", err)
	}
	if err := o.Ledger.Erase(ctx, r.ID, "kim", "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Amend(ctx, r.ID, r.Secret, "more", ""); !errors.Is(err, claim.ErrErased) {
		t.Errorf("erased: %v", err)
	}
}

func picture(t testing.TB) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 8, 8))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32()) // so that it does not compress
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Papers are cleaned before they are kept, of kinds that are asked for, and not without end.
func TestAddPaper(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	r := filed(t, o, shop(1, 5_000))
	add := func(kind string, data []byte) error {
		return thirdErr(o.AddPaper(ctx, r.ID, r.Secret, kind, "x.png", data, ""))
	}
	if err := add("blood", picture(t)); fields(err)["kind"] != "unknown" {
		t.Error(err)
	}
	if err := add("other", []byte("MZ\x90\x00 this program cannot be run in DOS mode")); !errors.Is(err, paper.ErrType) && !errors.Is(err, paper.ErrHostile) {
		t.Error(err)
	}
	f, err := o.AddPaper(ctx, r.ID, r.Secret, "sales-proof", "x.png", picture(t), "")
	if err != nil {
		t.Fatal(err)
	}
	if c := get(t, o, r.ID); len(c.Files) != 1 || c.Files[0].ID != f.ID || c.Files[0].Type != "image/png" || !slices.Contains(c.Report.Evidence, "sales-proof") {
		t.Errorf("%+v", c)
	}
	for range 2 {
		if _, err := o.AddPaper(ctx, r.ID, r.Secret, "other", "sales.csv", []byte("week,sales\n1,=HYPERLINK(\"http://example.com\")\n"), ""); err != nil {
			t.Fatal(err)
		}
		if c := get(t, o, r.ID); c.Report.Flags != 1 || c.Flags[0].Kind != "paper" || paper.Tell(c.Flags[0].Note, "ko") == c.Flags[0].Note {
			t.Errorf("the desk is told of no doubt: %+v", c.Flags)
		}
	}
	gone, leave := context.WithCancel(ctx)
	leave()
	if _, err := o.AddPaper(gone, r.ID, r.Secret, "other", "x.png", picture(t), ""); err == nil {
		t.Error("a paper was cleaned for somebody who had left")
	}
	put(t, o, r.ID, func(c *claim.Claim) { c.Files[0].Size = paper.MostOfClaim - 10 })
	if err := add("other", picture(t)); !errors.Is(err, paper.ErrLarge) {
		t.Errorf("too much in all: %v", err)
	}
	put(t, o, r.ID, func(c *claim.Claim) { c.State = claim.Merged })
	if err := add("other", picture(t)); !errors.Is(err, claim.ErrState) {
		t.Error(err)
	}
}

func TestWithdraw(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	r := filed(t, o, shop(1, 5_000))
	c := must(t)(o.Withdraw(ctx, r.ID, r.Secret, ""))
	if c.State != claim.Withdrawn || !c.NextAt.IsZero() {
		t.Errorf("%+v", c)
	}
	if again := must(t)(o.Withdraw(ctx, r.ID, r.Secret, "")); again.Version != c.Version {
		t.Error("withdrawn twice")
	}
	if _, err := o.Amend(ctx, r.ID, r.Secret, "wait", ""); !errors.Is(err, claim.ErrState) {
		t.Error(err)
	}
	paid := filed(t, o, shop(2, 5_000))
	put(t, o, paid.ID, func(c *claim.Claim) { c.State = claim.Paying })
	if _, err := o.Withdraw(ctx, paid.ID, paid.Secret, ""); !errors.Is(err, claim.ErrState) {
		t.Error(err)
	}
}

// Personal data go when their time is over, and not before: not while an appeal may come, nor of what goes on.
func TestRetain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		o := newOffice(t, kv.NewMemory())
		if _, err := o.Open(ctx, claim.Window{Incident: "i", RetainDays: 100}, "kim"); err != nil {
			t.Fatal(err)
		}
		ids := map[claim.State]string{}
		for n, s := range []claim.State{claim.Received, claim.Review, claim.Asked, claim.Decided, claim.Approved, claim.Paying, claim.Paid, claim.Returned, claim.Appealed, claim.Withdrawn, claim.Merged} {
			ids[s] = filed(t, o, shop(n, 5_000)).ID
			put(t, o, ids[s], func(c *claim.Claim) {
				c.State = s
				if s == claim.Decided {
					c.Appeal = time.Now().Add(claim.AppealTime)
				}
			})
		}
		erased := func() (out []claim.State) {
			for s, id := range ids {
				c := get(t, o, id)
				_, err := o.Ledger.Open(t.Context(), id, "kim", "test")
				if gone := !c.Erased.IsZero(); gone != errors.Is(err, claim.ErrErased) {
					t.Errorf("%s: erased %v, opened %v", s, c.Erased, err)
				} else if gone {
					out = append(out, s)
				}
			}
			slices.Sort(out)
			return out
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := o.Housekeep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		wait(100*day - time.Hour)
		if got := erased(); len(got) != 0 {
			t.Errorf("too early: %v", got)
		}
		wait(2 * time.Hour)
		if diff := cmp.Diff([]claim.State{claim.Merged, claim.Paid, claim.Withdrawn}, erased()); diff != "" {
			t.Error(diff)
		}
		wait(30 * day)
		if diff := cmp.Diff([]claim.State{claim.Decided, claim.Merged, claim.Paid, claim.Withdrawn}, erased()); diff != "" {
			t.Error(diff)
		}
		stop()
		wg.Wait()
		if n, err := o.Retain(t.Context()); n != 0 || err != nil {
			t.Errorf("erased again: %d, %v", n, err)
		}
	})
}

// No row of a data set stands for fewer than ten claims, whatever was reported.
func TestDataset(t *testing.T) {
	for seed := range uint64(6) {
		o := opened(t)
		r := rand.New(rand.NewPCG(seed, 3))
		mix := claimtest.Mix2022(20+r.IntN(600), .1, seed)
		for i := range mix.Reports {
			c := &mix.Reports[i].Claim
			if r.IntN(40) == 0 {
				c.Report.Part, c.Report.Service = "*", "=1+1"
			}
			if r.IntN(30) == 0 {
				c.State = claim.Withdrawn
			}
			c.Report.From = c.Filed
		}
		if _, errs := o.Ledger.File(t.Context(), mix.Reports); errors.Join(errs...) != nil {
			t.Fatal(errors.Join(errs...))
		}
		var out, again bytes.Buffer
		if err := errors.Join(o.Dataset(t.Context(), "i", &out), o.Dataset(t.Context(), "i", &again)); err != nil {
			t.Fatal(err)
		}
		if out.String() != again.String() {
			t.Error("twice is not the same")
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		if err := o.Ledger.Each(t.Context(), "i", func(c claim.Claim) error {
			if c.State != claim.Withdrawn {
				want++
			}
			if strings.Contains(again.String(), c.ID) {
				t.Errorf("claim %s is named", c.ID)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n := len(rows) - 1; n > want || n <= want-claim.Smallest {
			t.Errorf("%d rows of %d claims", n, want)
		}
		groups := map[string]int{}
		told := 0
		for _, row := range rows[1:] {
			groups[strings.Join(row, "|")]++
			for _, cell := range row {
				if strings.HasPrefix(cell, "=") {
					t.Errorf("a formula: %q", row)
				}
				if cell != "*" {
					told++
				}
			}
		}
		for row, n := range groups {
			if n < claim.Smallest {
				t.Errorf("seed %d: %d claims share %s", seed, n, row)
			}
		}
		if want > 300 && told < want*3 {
			t.Errorf("seed %d: only %d values of %d rows are told", seed, told, want)
		}
	}
}

func TestDatasetOfFew(t *testing.T) {
	o := opened(t)
	for n := range claim.Smallest - 1 {
		filed(t, o, shop(n, 5_000))
	}
	var out bytes.Buffer
	if err := o.Dataset(t.Context(), "i", &out); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 1 || !strings.HasPrefix(lines[0], "use,service,kind,loss") {
		t.Errorf("%q", lines)
	}
	// The day begins when there is something to tell, and then nothing is counted again before the next.
	now := time.Now()
	for _, tt := range []struct{ more, hours, want int }{{1, 0, claim.Smallest}, {claim.Smallest, 0, claim.Smallest}, {0, 24, 2 * claim.Smallest}} {
		for n := range tt.more {
			filed(t, o, shop(50+20*tt.more+n, 5_000))
		}
		o.Now = func() time.Time { return now.Add(time.Duration(tt.hours) * time.Hour) }
		out.Reset()
		if err := o.Dataset(t.Context(), "i", &out); err != nil || strings.Contains(out.String(), "*") || strings.Count(out.String(), "\nfree,kakaotalk,person,1-10000,0,open,") != tt.want {
			t.Errorf("%d more, %d hours later: %v\n%s", tt.more, tt.hours, err, out.String())
		}
	}
}

// A table is filed once, however often it is imported; put right, what is new in it is filed.
func TestImport(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	rows := make([]claim.Report, 40)
	for n := range rows {
		rows[n] = shop(n, 5_000)
		rows[n].Claim.Consent, rows[n].Key = claim.Consent{}, "ignored"
	}
	rows[7].Claim.Report.Use, rows[7].Row = "payd", 90
	rows[9].Claim.Consent.Version = "2019"
	rows[11] = rows[10] // two people wrote the same
	dry, err := o.Import(ctx, "i", rows, "kim", true)
	if err != nil || dry.Filed != 38 || dry.Again != 0 || len(dry.Wrong) != 2 {
		t.Fatalf("%+v, %v", dry, err)
	}
	page, err := o.Ledger.List(ctx, claim.Query{})
	if err != nil || page.Total != 0 {
		t.Errorf("a dry run filed %d, %v", page.Total, err)
	}
	got, err := o.Import(ctx, "i", rows, "kim", false)
	if err != nil || got.Filed != 38 || got.Again != 0 || got.Receipts[7].ID != "" || got.Receipts[11].ID == got.Receipts[10].ID {
		t.Fatalf("%+v, %v", got, err)
	}
	var wrong []string
	for _, w := range got.Wrong {
		wrong = append(wrong, w.Error())
	}
	if diff := cmp.Diff([]string{"row 11: " + claim.ErrConsent.Error(), "row 90: use is not one of the choices"}, wrong); diff != "" {
		t.Error(diff)
	}
	if c := get(t, o, got.Receipts[0].ID); c.Channel != claim.ByImport || c.Agent != "kim" || c.Consent.Version == "" {
		t.Errorf("%+v", c)
	}
	if dry, err = o.Import(ctx, "i", rows, "kim", true); err != nil || dry.Filed != 0 || dry.Again != 38 || len(dry.Wrong) != 2 {
		t.Errorf("all of it was filed before: %d would be filed, %d again, %v", dry.Filed, dry.Again, err)
	}
	rows[7].Claim.Report.Use = "free"
	again, err := o.Import(ctx, "i", slices.Concat(rows, []claim.Report{shop(99, 5)}), "lee", false)
	if err != nil || again.Filed != 2 || again.Again != 38 || again.Receipts[0].ID != got.Receipts[0].ID {
		t.Errorf("put right and longer: %d filed, %d again, %v", again.Filed, again.Again, err)
	}
	if _, err := o.Import(ctx, "none", rows, "kim", true); !errors.Is(err, claim.ErrClosed) {
		t.Error(err)
	}
}

// Members comment and vote; published, a session changes no more and names nobody.
func TestSessions(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	if _, err := o.Submit(ctx, "i", rules(1, ""), "kim"); err != nil {
		t.Fatal(err)
	}
	two := func(s string) map[string]string { return map[string]string{"ko": s, "en": s} }
	s := claim.Session{
		Incident: "i", Title: two("first meeting"), Held: time.Now(),
		Questions: []claim.Question{{Text: two("30,000?"), Drafts: []string{"test@1"}, Votes: map[string]string{"forged": "yes"}}, {Text: two("when?")}},
	}
	bad := s
	bad.Questions = []claim.Question{{Text: two("x"), Drafts: []string{"nowhere@1"}}}
	if _, err := o.SaveSession(ctx, bad, "chair"); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("a draft that is not there: %v", err)
	}
	s, err := o.SaveSession(ctx, s, "chair")
	if err != nil || len(s.Questions[0].Votes) != 0 || s.Questions[1].ID != "2" {
		t.Fatalf("%+v, %v", s, err)
	}
	var wg sync.WaitGroup
	for n := range 9 {
		wg.Go(func() {
			vote := []string{"yes", "no", "abstain"}[n%3]
			member := fmt.Sprint("member ", n)
			for _, v := range []string{"no", vote} {
				if err := o.Vote(ctx, "i", s.ID, "1", v, member); err != nil {
					t.Error(err)
				}
			}
			if err := o.Comment(ctx, "i", s.ID, "1", "주민번호 900101-1234568", member); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := o.Vote(ctx, "i", s.ID, "1", "perhaps", "member 1"); fields(err)["vote"] == "" {
		t.Error(err)
	}
	if err := o.Vote(ctx, "i", s.ID, "3", "yes", "member 1"); !errors.Is(err, claim.ErrNotFound) {
		t.Error(err)
	}
	next := s
	next.Questions = slices.Clone(s.Questions)
	next.Questions[0].Text = two("50,000?")
	if _, err := o.SaveSession(ctx, next, "chair"); !errors.Is(err, claim.ErrState) {
		t.Errorf("another question under votes: %v", err)
	}
	if now, err := o.Sessions(ctx, "i"); err != nil || fields(o.Publish(ctx, "i", s.ID, now[0].Version, "chair"))["minutes"] != "language" {
		t.Errorf("without minutes: %v", err)
	}
	s.Minutes, s.Decision = two("we met"), two("yes")
	old := s
	if s, err = o.SaveSession(ctx, s, "chair"); err != nil || len(s.Questions[0].Votes) != 9 || len(s.Questions[0].Comments) != 9 {
		t.Fatalf("%+v, %v", s, err)
	}
	if strings.Contains(asJSON(t, s), "1234568") {
		t.Error("a resident number stands in the comments")
	}
	if _, err := o.SaveSession(ctx, old, "chair"); !errors.Is(err, claim.ErrConflict) {
		t.Errorf("an old version: %v", err)
	}
	if got, err := o.Published(ctx, "i"); err != nil || len(got) != 0 {
		t.Errorf("public before it is published: %v, %v", got, err)
	}
	if err := o.Publish(ctx, "i", s.ID, s.Version-1, "chair"); !errors.Is(err, claim.ErrConflict) {
		t.Errorf("what was not read is published: %v", err)
	}
	for range 2 {
		if err := o.Publish(ctx, "i", s.ID, s.Version, "chair"); err != nil {
			t.Fatal(err)
		}
	}
	for name, err := range map[string]error{
		"save":    func() error { _, err := o.SaveSession(ctx, s, "chair"); return err }(),
		"vote":    o.Vote(ctx, "i", s.ID, "1", "yes", "member 1"),
		"comment": o.Comment(ctx, "i", s.ID, "1", "late", "member 1"),
	} {
		if !errors.Is(err, claim.ErrState) {
			t.Errorf("%s after it was published: %v", name, err)
		}
	}
	public, err := o.Published(ctx, "i")
	if err != nil || len(public) != 1 || public[0].Published.IsZero() {
		t.Fatal(public, err)
	}
	counts := map[string]int{}
	for _, v := range public[0].Questions[0].Votes {
		counts[v]++
	}
	if diff := cmp.Diff(map[string]int{"yes": 3, "no": 3, "abstain": 3}, counts); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(asJSON(t, public), "member") {
		t.Errorf("members are named: %s", asJSON(t, public))
	}
	all, err := o.Sessions(ctx, "i")
	if err != nil || len(all) != 1 {
		t.Fatal(err)
	}
	all[0].Names = true
	if got := all[0].Public(); got.Questions[0].Votes["member 0"] != "yes" {
		t.Errorf("they want to be named: %+v", got)
	}
}
