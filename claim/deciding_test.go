package claim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

// rules is a policy that gives money for every loss, with limits to fill in.
func rules(version int, limits string) []byte {
	return fmt.Appendf(nil, `
policy: test
version: %d
effective: 2022-12-29
currency: KRW
title: {ko: 시험, en: test}
%s
rules:
- {name: papers, use: [free], when: claim.kind == "company", give: money, amount: claim.loss, ground: goodwill, evidence: [loss-proof], reason: {ko: 가, en: a}}
- {name: loss, use: [free], when: claim.loss > 0, give: money, amount: "claim.proven > 0 ? claim.proven : claim.loss", ground: goodwill, reason: {ko: "{amount}원", en: "{amount} won"}}
- {name: nothing, use: [none], give: nothing, reason: {ko: 없음, en: nothing}}
- {name: fee, on: account, services: [kakao-t-pro], when: outage.minutes > 0, give: points, amount: account.fee, ground: contract, reason: {ko: 나, en: b}}
examples:
- {name: one, claim: {service: s, use: free, loss: 5}, want: {amount: 5, rule: loss}}
`, version, limits)
}

// shop is a report with a loss.
func shop(n int, loss int64) claim.Report {
	r := told(n)
	r.Claim.Report.Kind, r.Claim.Report.Loss, r.Claim.Report.Best, r.Claim.Report.Week = "person", loss, 0, 0
	return r
}

func pays(amount int64) claim.Verdict {
	return claim.Verdict{
		Outcome: policy.Pay, Form: policy.Money, Amount: amount, Ground: policy.Goodwill, Reason: map[string]string{"ko": "드립니다", "en": "given"}, Why: "papers seen",
	}
}

func refuses() claim.Verdict {
	return claim.Verdict{Outcome: policy.Refuse, Reason: map[string]string{"ko": "아니요", "en": "no"}, Why: "it was up"}
}

func must(t testing.TB) func(claim.Claim, error) claim.Claim {
	t.Helper()
	return func(c claim.Claim, err error) claim.Claim {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// A person decides; above the limit a second one confirms or sends back.
func TestDecide(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	id := filed(t, o, shop(1, 70_000)).ID
	if _, err := o.Decide(ctx, id, 1, pays(70_000), "kim"); !errors.Is(err, claim.ErrNoPolicy) {
		t.Errorf("paid without a policy: %v", err)
	}
	p := adopt(t, o, rules(1, "cap: 500000\nfourEyes: 100000"))
	if _, err := o.Decide(ctx, id, 7, pays(70_000), "kim"); !errors.Is(err, claim.ErrConflict) {
		t.Errorf("another version: %v", err)
	}
	c := must(t)(o.Decide(ctx, id, 1, pays(70_000), "kim"))
	want := policy.Decision{
		Claim: id, Policy: p.ID, Digest: p.Digest, Outcome: policy.Pay, Form: policy.Money, Amount: 70_000, Cost: 70_000, Currency: "KRW", Ground: policy.Goodwill,
		Reason: map[string]string{"ko": "드립니다", "en": "given"}, Evidence: []string{}, Why: []string{"a person decided"},
	}
	if diff := cmp.Diff(&want, c.Decision, cmp.AllowUnexported(policy.Decision{})); diff != "" || c.State != claim.Approved || c.Decider != "kim" || c.Appeal.IsZero() {
		t.Errorf("%s %s %v: %s", c.State, c.Decider, c.Appeal, diff)
	}
	other := filed(t, o, shop(2, 300_000)).ID
	c = must(t)(o.Decide(ctx, other, 1, pays(300_000), "lee"))
	if c.State != claim.Review || c.Proposal == nil || c.Decision != nil || c.Proposal.By != "lee" {
		t.Fatalf("above the limit: %+v", c)
	}
	if _, err := o.Confirm(ctx, other, c.Version, " Lee "); !errors.Is(err, claim.ErrSame) {
		t.Errorf("confirmed by the same person: %v", err)
	}
	c = must(t)(o.Reject(ctx, other, c.Version, "kim", "too much"))
	if c.State != claim.Review || c.Proposal != nil {
		t.Errorf("sent back: %+v", c)
	}
	if _, err := o.Confirm(ctx, other, c.Version, "kim"); !errors.Is(err, claim.ErrState) {
		t.Errorf("nothing is proposed: %v", err)
	}
	c = must(t)(o.Decide(ctx, other, c.Version, pays(200_000), "lee"))
	c = must(t)(o.Confirm(ctx, other, c.Version, "kim"))
	if c.State != claim.Approved || c.Decision.Amount != 200_000 || c.Decider != "lee" || c.Proposal != nil {
		t.Errorf("confirmed: %+v", c)
	}
	history, err := o.Ledger.History(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range history {
		told = append(told, e.Who+" "+e.What)
	}
	if diff := cmp.Diff([]string{"claimant filed", "lee proposed: money 300000", "kim sent back", "lee proposed: money 200000", "kim confirmed: approved"}, told); diff != "" {
		t.Error(diff)
	}
	third := filed(t, o, shop(3, 5)).ID
	ask := claim.Verdict{Outcome: policy.Human, Evidence: []string{"loss-proof"}, Reason: map[string]string{"ko": "서류", "en": "papers"}, Why: "no proof"}
	if c = must(t)(o.Decide(ctx, third, 1, ask, "kim")); c.State != claim.Asked || c.NextAt.IsZero() || len(c.Decision.Evidence) != 1 {
		t.Errorf("asked: %+v", c)
	}
	if c = must(t)(o.Decide(ctx, third, c.Version, refuses(), "kim")); c.State != claim.Decided || c.Decision.Amount != 0 || c.Decision.Form != policy.Nothing {
		t.Errorf("refused: %+v", c)
	}
}

func TestVerdictsThatCannotBe(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "cap: 500000\nfourEyes: 100000"))
	id := filed(t, o, shop(1, 70_000)).ID
	for _, tt := range []struct {
		field, says string
		change      func(v *claim.Verdict)
	}{
		{"amount", "amount", func(v *claim.Verdict) { v.Amount = 0 }},
		{"amount", "amount", func(v *claim.Verdict) { v.Amount = -5 }},
		{"amount", "cap", func(v *claim.Verdict) { v.Amount = 500_001 }},
		{"ground", "unknown", func(v *claim.Verdict) { v.Ground = "" }},
		{"form", "unknown", func(v *claim.Verdict) { v.Form = "gold" }},
		{"hours", "unknown", func(v *claim.Verdict) { v.Hours = 5 }},
		{"hours", "amount", func(v *claim.Verdict) { v.Form, v.Amount = policy.Extension, 0 }},
		{"cost", "amount", func(v *claim.Verdict) { v.Form, v.Cost = policy.Points, -1 }},
		{"reason", "blank", func(v *claim.Verdict) {
			v.Reason = map[string]string{"ko": "{amount}원을 드립니다", "en": "given"}
		}},
		{"reason", "blank", func(v *claim.Verdict) { v.Reason = map[string]string{"ko": "드립니다", "en": "{hours} hours"} }},
		{"reason", "language", func(v *claim.Verdict) { v.Reason = map[string]string{"ko": "가"} }},
		{"why", "missing", func(v *claim.Verdict) { v.Why = "" }},
		{"outcome", "unknown", func(v *claim.Verdict) { v.Outcome = "maybe" }},
		{"evidence", "missing", func(v *claim.Verdict) { v.Outcome = policy.Human }},
		{"evidence", "unknown", func(v *claim.Verdict) { v.Outcome, v.Evidence = policy.Human, []string{"blood"} }},
	} {
		v := pays(1)
		tt.change(&v)
		if _, err := o.Decide(ctx, id, 1, v, "kim"); fields(err)[tt.field] != tt.says {
			t.Errorf("%s %s: %v", tt.field, tt.says, err)
		}
	}
	for _, state := range []claim.State{claim.Paying, claim.Paid, claim.Withdrawn, claim.Merged} {
		put(t, o, id, func(c *claim.Claim) { c.State = state })
		if _, err := o.Decide(ctx, id, 0, pays(1), "kim"); !errors.Is(err, claim.ErrState) {
			t.Errorf("%s: %v", state, err)
		}
		if _, err := o.ByPolicy(ctx, id, 0, "kim"); !errors.Is(err, claim.ErrState) {
			t.Errorf("%s: %v", state, err)
		}
	}
	put(t, o, id, func(c *claim.Claim) { c.State = claim.Returned })
	if c := must(t)(o.Decide(ctx, id, 0, pays(1), "kim")); c.State != claim.Approved {
		t.Errorf("returned: %+v", c)
	}
}

// put changes a claim as settle does.
func put(t testing.TB, o *claim.Office, id string, change func(*claim.Claim)) {
	t.Helper()
	c := get(t, o, id)
	change(&c)
	if err := o.Ledger.Change(t.Context(), []claim.Claim{c}, []claim.Event{{Who: "bank", What: "test"}}); err != nil {
		t.Fatal(err)
	}
}

// Small verdicts and small batches meet the limit that their sum does, for a day.
func TestSplittingDoesNotHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		o := opened(t)
		adopt(t, o, rules(1, "fourEyes: 100000"))
		var ids []string
		for n := range 12 {
			ids = append(ids, filed(t, o, shop(n, 30_000)).ID)
		}
		alone := func(ids ...string) (n int) {
			for _, id := range ids {
				if c := get(t, o, id); c.State == claim.Approved {
					n++
				} else if c.Proposal == nil {
					t.Errorf("%s is neither decided nor proposed: %+v", id, c)
				}
			}
			return n
		}
		if errs := o.Bulk(ctx, ids[:4], pays(30_000), "kim"); errors.Join(errs...) != nil || alone(ids[:4]...) != 0 {
			t.Errorf("a batch of 120000: %v", errs)
		}
		for _, part := range [][]string{ids[4:6], ids[6:8]} {
			if err := errors.Join(o.Bulk(ctx, part, pays(30_000), "kim")...); err != nil {
				t.Fatal(err)
			}
		}
		if got := alone(ids[4:8]...); got != 2 {
			t.Errorf("two batches of 60000: %d decided alone", got)
		}
		must(t)(o.Decide(ctx, ids[8], 0, pays(30_000), "kim"))
		must(t)(o.Decide(ctx, ids[9], 0, pays(30_000), "KIM"))
		if got := alone(ids[8:10]...); got != 1 {
			t.Errorf("one by one, to 120000: %d decided alone", got)
		}
		must(t)(o.Decide(ctx, ids[9], 0, refuses(), "kim")) // what gives nothing needs nobody
		must(t)(o.Decide(ctx, ids[10], 0, pays(30_000), "lee"))
		if alone(ids[10]) != 1 {
			t.Error("another person has a limit of their own")
		}
		wait(26 * time.Hour)
		must(t)(o.Decide(ctx, ids[11], 0, pays(30_000), "kim"))
		if alone(ids[11]) != 1 {
			t.Error("the next day")
		}
	})
}

// What a person makes the policy give by writing down what papers prove is given by that person.
func TestFiguresAreGivenAlone(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "fourEyes: 100000"))
	want := []claim.State{claim.Approved, claim.Review, claim.Approved}
	for n, by := range []string{"kim", "kim", "lee"} {
		id := filed(t, o, shop(n, 1)).ID
		must(t)(o.Figures(ctx, id, 0, claim.Figures{Proven: 90_000}, "kim", "receipts"))
		c := must(t)(o.ByPolicy(ctx, id, 0, by))
		if c.State != want[n] || (c.Proposal != nil) != (c.State == claim.Review) {
			t.Errorf("%d, by %s: %s, proposed %+v", n, by, c.State, c.Proposal)
		}
		if n != 1 {
			continue
		}
		if c.Decision.Outcome != policy.Human {
			t.Errorf("promised before a second person looked: %+v", c.Decision)
		}
		if c = must(t)(o.Confirm(ctx, id, c.Version, "lee")); c.State != claim.Approved || c.Decision.Amount != 90_000 {
			t.Errorf("confirmed: %+v", c.Decision)
		}
	}
}

// A person who gives more time than the policy does says alone what it costs, so a second one looks.
func TestTimeIsNotGivenAlone(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "fourEyes: 100000"))
	v := pays(0)
	v.Form, v.Hours = policy.Extension, 24*365
	one, two := filed(t, o, shop(1, 1)).ID, filed(t, o, shop(2, 1)).ID
	if c := must(t)(o.Decide(ctx, one, 0, v, "kim")); c.State != claim.Review || c.Proposal == nil {
		t.Errorf("a year, by one person: %s", c.State)
	}
	if err := errors.Join(o.Bulk(ctx, []string{two}, v, "kim")...); err != nil {
		t.Fatal(err)
	}
	if c := get(t, o, two); c.Proposal == nil {
		t.Errorf("a year, by one person, one of many: %s", c.State)
	}
	if c := must(t)(o.Confirm(ctx, one, 0, "lee")); c.State != claim.Approved || c.Decision.Hours != 24*365 {
		t.Errorf("%+v", c)
	}
}

// What is taken back in another hour than it was given in leaves no more for the next day.
func TestAllowanceOverHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		o := opened(t)
		adopt(t, o, rules(1, "fourEyes: 100000"))
		l := &clashing{Ledger: o.Ledger, clash: true}
		wait := func(d time.Duration) { <-time.NewTimer(d).C }
		wait(time.Until(time.Now().Truncate(time.Hour).Add(2*time.Hour - time.Minute)))
		var ids []string
		for n := range 4 {
			ids = append(ids, filed(t, o, shop(n, 1)).ID)
		}
		o.Ledger = l
		l.wait = 2 * time.Minute // the clock strikes between what is allowed and what is given
		if _, err := o.Decide(ctx, ids[0], 0, pays(90_000), "kim"); !errors.Is(err, claim.ErrConflict) {
			t.Fatal(err)
		}
		l.clash, l.wait = false, 0
		wait(24*time.Hour + 2*time.Minute)
		n := 0
		for _, id := range ids[1:] {
			if c := must(t)(o.Decide(ctx, id, 0, pays(90_000), "kim")); c.State == claim.Approved {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d times 90000 were given alone, the limit is 100000", n)
		}
	})
}

// What was not given in the end does not count.
func TestAllowanceIsGivenBack(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "fourEyes: 100000"))
	a, b := filed(t, o, shop(1, 90_000)).ID, filed(t, o, shop(2, 90_000)).ID
	l := &clashing{Ledger: o.Ledger, clash: true}
	o.Ledger = l
	if _, err := o.Decide(ctx, a, 0, pays(90_000), "kim"); !errors.Is(err, claim.ErrConflict) {
		t.Fatal(err)
	}
	if errs := o.Bulk(ctx, []string{a}, pays(90_000), "kim"); !errors.Is(errs[0], claim.ErrConflict) {
		t.Fatal(errs)
	}
	l.clash = false
	if c := must(t)(o.Decide(ctx, b, 0, pays(90_000), "kim")); c.State != claim.Approved {
		t.Errorf("%+v", c.Proposal)
	}
}

// clashing is a ledger in which somebody else is always first.
type clashing struct {
	claim.Ledger
	clash bool
	wait  time.Duration
}

func (c *clashing) Change(ctx context.Context, claims []claim.Claim, events []claim.Event) error {
	if c.clash {
		<-time.NewTimer(c.wait).C
		return claim.ErrConflict
	}
	return c.Ledger.Change(ctx, claims, events)
}

// However many press at once, one person gives no more alone than the limit.
func TestAllowanceRace(t *testing.T) {
	o := opened(t)
	adopt(t, o, rules(1, "fourEyes: 100000"))
	ids := make([]string, 10)
	for n := range ids {
		ids[n] = filed(t, o, shop(n, 30_000)).ID
	}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() { must(t)(o.Decide(t.Context(), id, 0, pays(30_000), "kim")) })
	}
	wg.Wait()
	n := 0
	for _, id := range ids {
		if get(t, o, id).State == claim.Approved {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d were decided alone, 3 x 30000 is below 100000", n)
	}
}

func TestBulk(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "fourEyes: 100000"))
	a, b := filed(t, o, shop(1, 5)).ID, filed(t, o, shop(2, 5)).ID
	put(t, o, b, func(c *claim.Claim) { c.State = claim.Paid })
	errs := o.Bulk(ctx, []string{a, b, "0000-0000-0000", a}, refuses(), "kim")
	if errs[0] != nil || !errors.Is(errs[1], claim.ErrState) || !errors.Is(errs[2], claim.ErrNotFound) || fields(errs[3])["ids"] != "twice" {
		t.Errorf("%v", errs)
	}
	if get(t, o, a).State != claim.Decided {
		t.Errorf("%+v", get(t, o, a))
	}
	if errs := o.Bulk(ctx, make([]string, 501), refuses(), "kim"); len(errs) != 501 || fields(errs[500])["ids"] != "long" {
		t.Errorf("%v", errs[0])
	}
}

// Another person decides an appeal, and the decision is then the last.
func TestAppeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		o := opened(t)
		adopt(t, o, rules(1, "fourEyes: 100000"))
		r := filed(t, o, shop(1, 80_000))
		if _, err := o.Appeal(ctx, r.ID, r.Secret, "", ""); !errors.Is(err, claim.ErrState) {
			t.Errorf("before a decision: %v", err)
		}
		must(t)(o.Decide(ctx, r.ID, 0, refuses(), "kim"))
		late := filed(t, o, shop(2, 80_000))
		must(t)(o.Decide(ctx, late.ID, 0, refuses(), "kim"))
		c := must(t)(o.Appeal(ctx, r.ID, r.Secret, "주민번호 900101-1234567 아닙니다", ""))
		if c.State != claim.Appealed || c.NextAt.IsZero() || !c.Appeal.IsZero() {
			t.Errorf("%+v", c)
		}
		for name, err := range map[string]error{
			"decide":    second(o.Decide(ctx, r.ID, c.Version, pays(5), "KIM")),
			"bulk":      o.Bulk(ctx, []string{r.ID}, pays(5), "kim")[0],
			"figures":   second(o.Figures(ctx, r.ID, c.Version, claim.Figures{Proven: 5}, "kim", "x")),
			"by policy": second(o.ByPolicy(ctx, r.ID, c.Version, "kim")),
		} {
			if !errors.Is(err, claim.ErrSame) {
				t.Errorf("%s by who decided before: %v", name, err)
			}
		}
		if _, err := o.ByPolicy(ctx, r.ID, c.Version, "lee"); !errors.Is(err, claim.ErrState) {
			t.Errorf("by policy: %v", err)
		}
		c = must(t)(o.Decide(ctx, r.ID, c.Version, pays(300_000), "lee"))
		if _, err := o.Confirm(ctx, r.ID, c.Version, "kim"); !errors.Is(err, claim.ErrSame) {
			t.Errorf("confirmed by who decided before: %v", err)
		}
		if back := must(t)(o.Reject(ctx, r.ID, c.Version, "park", "no")); back.State != claim.Appealed {
			t.Errorf("sent back it is %s", back.State)
		}
		c = must(t)(o.Decide(ctx, r.ID, 0, pays(300_000), "lee"))
		c = must(t)(o.Confirm(ctx, r.ID, c.Version, "park"))
		if c.State != claim.Approved || !c.Appeal.IsZero() {
			t.Errorf("%+v", c)
		}
		if _, err := o.Appeal(ctx, r.ID, r.Secret, "again", ""); !errors.Is(err, claim.ErrState) {
			t.Errorf("a second appeal: %v", err)
		}
		p, err := o.Ledger.Open(ctx, r.ID, "kim", "test")
		if err != nil || len(p.Added) != 1 || p.Added[0].What != "appeal" || strings.Contains(p.Added[0].Text, "1234567") {
			t.Errorf("%+v, %v", p.Added, err)
		}
		wait(30*day + time.Minute)
		if _, err := o.Appeal(ctx, late.ID, late.Secret, "late", ""); !errors.Is(err, claim.ErrState) {
			t.Errorf("after its time: %v", err)
		}
	})
}

func second(_ claim.Claim, err error) error { return err }

// A claimant who was paid by policy may ask for a person; who started the run did not decide.
func TestAppealAgainstThePolicy(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "fourEyes: 100000"))
	r := filed(t, o, shop(1, 80_000))
	if _, err := o.DecideAll(ctx, "i", "kim", nil); err != nil {
		t.Fatal(err)
	}
	if c := get(t, o, r.ID); c.State != claim.Approved || c.Decider != "" {
		t.Fatalf("%+v", c)
	}
	put(t, o, r.ID, func(c *claim.Claim) { c.State = claim.Paid })
	c := must(t)(o.Appeal(ctx, r.ID, r.Secret, "", ""))
	if c = must(t)(o.Decide(ctx, r.ID, c.Version, pays(90_000), "kim")); c.State != claim.Approved || c.Decision.Amount != 90_000 || c.Decision.Rule != "loss" {
		t.Errorf("%+v", c)
	}
}

// After papers came in the policy is applied again; above the limit it is confirmed.
func TestByPolicy(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "fourEyes: 100000"))
	company := func(n int, loss int64) claim.Receipt {
		r := shop(n, loss)
		r.Claim.Report.Kind = "company"
		return filed(t, o, r)
	}
	small, large := company(1, 50_000), company(2, 900_000)
	if tally, err := o.DecideAll(ctx, "i", "kim", nil); err != nil || tally.Asked != 2 {
		t.Fatal(tally, err)
	}
	for _, r := range []claim.Receipt{small, large} {
		if _, err := o.AddPaper(ctx, r.ID, r.Secret, "loss-proof", "loss.txt", []byte("손해액은 다음과 같습니다"), ""); err != nil {
			t.Fatal(err)
		}
		if c := get(t, o, r.ID); c.State != claim.Review || c.NextAt.IsZero() {
			t.Errorf("all papers are there, and it is %s", c.State)
		}
	}
	if c := must(t)(o.ByPolicy(ctx, small.ID, 0, "kim")); c.State != claim.Approved || c.Decider != "kim" || c.Decision.Amount != 50_000 {
		t.Errorf("%+v", c)
	}
	if _, err := o.ByPolicy(ctx, small.ID, 0, "kim"); !errors.Is(err, claim.ErrState) {
		t.Errorf("decided already: %v", err)
	}
	c := must(t)(o.ByPolicy(ctx, large.ID, 0, "kim"))
	if c.State != claim.Review || c.Proposal == nil || c.Decision.Outcome != policy.Human {
		t.Fatalf("%+v", c)
	}
	if c = must(t)(o.Confirm(ctx, large.ID, c.Version, "lee")); c.State != claim.Approved || c.Decision.Rule != "papers" || c.Decision.Amount != 900_000 {
		t.Errorf("%+v", c)
	}
	third := filed(t, o, shop(3, 50_000))
	if _, err := o.Figures(ctx, third.ID, 0, claim.Figures{Proven: -1}, "kim", "receipts"); fields(err)["proven"] != "amount" {
		t.Errorf("%v", err)
	}
	must(t)(o.Figures(ctx, third.ID, 0, claim.Figures{Proven: 20_000}, "kim", "receipts"))
	if c := must(t)(o.ByPolicy(ctx, third.ID, 0, "kim")); c.Decision.Amount != 20_000 {
		t.Errorf("what was proven: %+v", c.Decision)
	}
}

// A policy that changes leaves what was decided alone, and what it is decided by can be read for ever.
func TestOldDecisionsKeepTheirPolicy(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	first := adopt(t, o, rules(1, "cap: 50000"))
	old := filed(t, o, shop(1, 80_000)).ID
	if _, err := o.DecideAll(ctx, "i", "kim", nil); err != nil {
		t.Fatal(err)
	}
	before := get(t, o, old)
	second := adopt(t, o, rules(2, "cap: 60000"))
	fresh := filed(t, o, shop(2, 80_000)).ID
	if tally, err := o.DecideAll(ctx, "i", "kim", nil); err != nil || tally.Decided != 1 {
		t.Fatal(tally, err)
	}
	if diff := cmp.Diff(before, get(t, o, old), cmp.AllowUnexported(policy.Decision{})); diff != "" {
		t.Error(diff)
	}
	if c := get(t, o, fresh); c.Decision.Policy != second.ID || c.Decision.Amount != 60_000 {
		t.Errorf("%+v", c.Decision)
	}
	p, err := o.Policy(ctx, before.Decision.Policy)
	if err != nil || p.Digest != first.Digest {
		t.Fatal(err)
	}
	x, err := o.Case(ctx, &before)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Assess(&x); got.Amount != before.Decision.Amount {
		t.Errorf("decided again by its policy it is %d", got.Amount)
	}
}

// Money ends in the order in which reports came in; what comes after is for persons, until another version has more.
func TestBudget(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	if _, err := o.DecideAll(ctx, "i", "kim", nil); !errors.Is(err, claim.ErrNoPolicy) {
		t.Errorf("without a policy: %v", err)
	}
	adopt(t, o, rules(1, "budget: 100000"))
	var ids []string
	for n, loss := range []int64{40_000, 0, 50_000, 20_000, 5_000} {
		r := shop(n, loss)
		if loss == 0 {
			r.Claim.Report.Use = "none"
		}
		ids = append(ids, filed(t, o, r).ID)
	}
	states := func() (out []claim.State) {
		for _, id := range ids {
			out = append(out, get(t, o, id).State)
		}
		return out
	}
	tally, err := o.DecideAll(ctx, "i", "kim", nil)
	if err != nil || tally.Amount != 90_000 || tally.Review != 2 {
		t.Errorf("%+v, %v", tally, err)
	}
	want := []claim.State{claim.Approved, claim.Decided, claim.Approved, claim.Review, claim.Review}
	if diff := cmp.Diff(want, states()); diff != "" {
		t.Error(diff)
	}
	if c := get(t, o, ids[4]); c.Decision.Outcome != policy.Human || strings.Contains(c.Decision.Reason["en"], "5,000") || c.Decision.Amount != 5_000 {
		t.Errorf("a claimant is promised what is not there: %+v", c.Decision)
	}
	ids = append(ids, filed(t, o, shop(9, 1_000)).ID)
	if tally, err = o.DecideAll(ctx, "i", "kim", nil); err != nil || tally.Decided != 1 || tally.Review != 1 {
		t.Errorf("once it ended, it ended: %+v, %v", tally, err)
	}
	adopt(t, o, rules(2, "budget: 112000"))
	if tally, err = o.DecideAll(ctx, "i", "kim", nil); err != nil || tally.Decided != 3 || tally.Review != 2 || tally.Amount != 20_000 {
		t.Errorf("with a little more: %+v, %v", tally, err)
	}
	adopt(t, o, rules(3, ""))
	if tally, err = o.DecideAll(ctx, "i", "kim", nil); err != nil || tally.Approved != 2 || tally.Amount != 6_000 {
		t.Errorf("without a limit: %+v, %v", tally, err)
	}
	if _, err := o.DecideAll(ctx, "i", " ", nil); fields(err)["by"] == "" {
		t.Errorf("by nobody: %v", err)
	}
	bare := newOffice(t, o.Store)
	bare.Outages = nil
	if _, err := bare.DecideAll(ctx, "i", "kim", nil); !errors.Is(err, claim.ErrNoRecord) {
		t.Errorf("without a record everybody would be refused: %v", err)
	}
}

// What persons decide, and the policy at their word, is held against the budget too; and there is no money for one report that
// came after another for which there was none.
func TestBudgetOfPersons(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "budget: 100000"))
	var ids []string
	for n := range 6 {
		ids = append(ids, filed(t, o, shop(n, 40_000)).ID)
	}
	late := shop(7, 1_000)
	late.Claim.Report.Kind = "company"
	papers := filed(t, o, late)
	would, err := o.Preview(ctx, "i", nil)
	if err != nil {
		t.Fatal(err)
	}
	if tally, err := o.DecideAll(ctx, "i", "kim", nil); err != nil || tally != would || tally.Approved != 2 || tally.Review != 4 || tally.Asked != 1 {
		t.Fatalf("%+v, %v; the preview %+v", tally, err, would)
	}
	before := get(t, o, ids[2])
	if _, err := o.Decide(ctx, ids[2], 0, pays(40_000), "kim"); !errors.Is(err, claim.ErrBudget) || get(t, o, ids[2]).Version != before.Version {
		t.Errorf("40,000 of the 20,000 that are left: %v", err)
	}
	must(t)(o.Decide(ctx, ids[2], 0, pays(15_000), "kim"))
	if _, err := o.AddPaper(ctx, papers.ID, papers.Secret, "loss-proof", "loss.txt", []byte("손해액은 다음과 같습니다"), ""); err != nil {
		t.Fatal(err)
	}
	if c := must(t)(o.ByPolicy(ctx, papers.ID, 0, "kim")); c.State != claim.Review || c.Decision.Outcome != policy.Human || !strings.Contains(strings.Join(c.Decision.Why, "; "), "budget") {
		t.Errorf("after one for which there was no money: %+v", c.Decision)
	}
	if errs := o.Bulk(ctx, ids[3:5], pays(4_000), "kim"); errs[0] != nil || !errors.Is(errs[1], claim.ErrBudget) {
		t.Errorf("twice 4,000 of 5,000: %v", errs)
	}
	must(t)(o.Decide(ctx, ids[0], 0, refuses(), "kim")) // 40,000 are there again
	must(t)(o.Decide(ctx, ids[4], 0, pays(41_000), "kim"))
	if _, err := o.Decide(ctx, ids[5], 0, pays(1), "kim"); !errors.Is(err, claim.ErrBudget) {
		t.Errorf("all is given: %v", err)
	}
	must(t)(o.Decide(ctx, ids[4], 0, pays(40_000), "kim")) // less than before is always possible
	must(t)(o.Decide(ctx, ids[5], 0, refuses(), "kim"))
}

// Who decide at once do not give more than there is, and a proposal takes nothing before it is confirmed.
func TestBudgetRace(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "budget: 100000\nfourEyes: 50000"))
	var ids []string
	for n := range 9 {
		ids = append(ids, filed(t, o, shop(n, 40_000)).ID)
	}
	for _, id := range ids[7:] {
		must(t)(o.Decide(ctx, id, 0, pays(90_000), "kim"))
	}
	var wg sync.WaitGroup
	var given atomic.Int32
	for n, id := range ids[:7] {
		wg.Go(func() {
			switch _, err := o.Decide(ctx, id, 0, pays(40_000), fmt.Sprint("person ", n)); {
			case err == nil:
				given.Add(1)
			case !errors.Is(err, claim.ErrBudget):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if given.Load() != 2 {
		t.Errorf("%d were given 40,000 of 100,000", given.Load())
	}
	if _, err := o.Confirm(ctx, ids[8], 0, "lee"); !errors.Is(err, claim.ErrBudget) {
		t.Errorf("confirmed when the money was gone: %v", err)
	}
}

// The budget is used up in the same way whenever the process that decides dies.
func TestBudgetSurvivesACrash(t *testing.T) {
	text := rules(1, "budget: 3000000")
	ready := kv.NewMemory()
	adopt(t, newOffice(t, ready), text)
	var want map[int64]claim.State
	for at := 0; ; at++ {
		s := copied(t, ready)
		f := kvtest.NewFaulty(s)
		fill := newOffice(t, s)
		reports := make([]claim.Report, 510)
		for i := range reports {
			reports[i] = claimtest.Report(i)
			reports[i].Claim.Report.Use, reports[i].Claim.Report.Loss = "free", int64(20_000-i)
			reports[i].Marks = nil
		}
		if _, errs := fill.Ledger.File(t.Context(), reports); errors.Join(errs...) != nil {
			t.Fatal(errors.Join(errs...))
		}
		crashing := newOffice(t, f)
		crashing.Ledger = follow(t, f)
		if at > 0 {
			f.CrashAt(len(f.Calls())+at, kvtest.When(at%2))
		}
		_, err := crashing.DecideAll(t.Context(), "i", "kim", nil)
		again := newOffice(t, s)
		again.Ledger = follow(t, s)
		if _, err := again.DecideAll(t.Context(), "i", "kim", nil); err != nil {
			t.Fatal(err)
		}
		got := map[int64]claim.State{}
		if err := again.Ledger.Each(t.Context(), "i", func(c claim.Claim) error { got[c.Report.Loss] = c.State; return nil }); err != nil {
			t.Fatal(err)
		}
		if at == 0 {
			want = got
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("crash at call %d: %s", at, diff)
		}
		if err == nil {
			if at < 3 {
				t.Errorf("nothing crashed at call %d", at)
			}
			return
		}
	}
}

// copied is another store with the same in it.
func copied(t testing.TB, s kv.Store) kv.Store {
	t.Helper()
	all, _, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	to := kv.NewMemory()
	for _, e := range all {
		if _, err := to.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: e.Key, Value: e.Value}}}); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// follow is a ledger that knows what others wrote.
func follow(t *testing.T, s kv.Store) *claim.Keeper {
	t.Helper()
	k := claim.NewKeeper(s, master(t))
	ctx, stop := context.WithCancel(t.Context())
	ready, gone := make(chan struct{}), make(chan struct{})
	go func() { defer close(gone); _ = k.Follow(ctx, func() { close(ready) }) }()
	t.Cleanup(func() { stop(); <-gone })
	<-ready
	return k
}

func accounts(n int, fee int64) iter.Seq2[policy.Account, error] {
	return func(yield func(policy.Account, error) bool) {
		for i := range n {
			if !yield(policy.Account{ID: fmt.Sprint("a", i), Service: "kakao-t-pro", Plan: "pro", Fee: fee}, nil) {
				return
			}
		}
	}
}

// What can be computed is given unasked, once, whatever dies in between and whoever repeats it.
func TestUnasked(t *testing.T) {
	text := rules(1, "fourEyes: 100000")
	ready := kv.NewMemory()
	adopt(t, newOffice(t, ready), text)
	handIn(t, newOffice(t, ready), accounts(130, 7_550))
	for at := 1; ; at += 13 {
		s := copied(t, ready)
		f := kvtest.NewFaulty(s)
		crashing := newOffice(t, f)
		f.CrashAt(at, kvtest.When(at%2))
		_, err := crashing.Unasked(t.Context(), "i", accounts(130, 7_550), "kim", nil)
		o := newOffice(t, s)
		o.Ledger = follow(t, s)
		tally, err2 := o.Unasked(t.Context(), "i", accounts(130, 7_550), "kim", nil)
		if err2 != nil || tally.Approved+tally.Skipped != 130 {
			t.Fatalf("%+v, %v", tally, err2)
		}
		seen := map[string]int{}
		if err := o.Ledger.Each(t.Context(), "i", func(c claim.Claim) error {
			seen[c.Account]++
			if c.State != claim.Approved || c.Channel != claim.Unasked || c.Decision.Claim != c.ID || c.Decision.Amount != 7_550 || c.Decision.Rule != "fee" {
				t.Errorf("%+v", c)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for a, n := range seen {
			if n != 1 {
				t.Errorf("crash at call %d: account %s was given it %d times", at, a, n)
			}
		}
		if len(seen) != 130 {
			t.Errorf("crash at call %d: %d accounts", at, len(seen))
		}
		if err == nil {
			if at < 4 || tally.Skipped != 130 {
				t.Errorf("nothing crashed at call %d: %+v", at, tally)
			}
			return
		}
	}
}

func unasked(t *testing.T, o *claim.Office, list iter.Seq2[policy.Account, error], by string) claim.Handout {
	t.Helper()
	h, err := o.Unasked(t.Context(), "i", list, by, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// handIn hands a list in, for another person to approve of.
func handIn(t *testing.T, o *claim.Office, list iter.Seq2[policy.Account, error]) claim.Handout {
	t.Helper()
	h := unasked(t, o, list, "lee")
	if h.ApprovedBy != "" || h.By != "lee" {
		t.Fatalf("%+v", h)
	}
	return h
}

// One person gives nothing unasked: another has to come with the same list, under the same policy.
func TestUnaskedFourEyes(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, ""))
	given := func() (n int) {
		t.Helper()
		if err := o.Ledger.Each(ctx, "i", func(c claim.Claim) error {
			n++
			if c.Agent != "lee, kim" {
				t.Errorf("given by %q", c.Agent)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, by := range []string{"lee", " LEE "} { // the same person, however often
		h, err := o.Unasked(ctx, "i", accounts(10, 5_000), by, nil)
		if err != nil || h.ApprovedBy != "" || h.Approved != 10 || h.Amount != 50_000 || given() != 0 {
			t.Fatalf("%+v, %v, %d given", h, err, given())
		}
	}
	if h := unasked(t, o, accounts(10, 5_001), "kim"); h.ApprovedBy != "" || h.By != "kim" || given() != 0 {
		t.Errorf("another list: %+v", h)
	}
	adopt(t, o, rules(2, ""))
	if h := unasked(t, o, accounts(10, 5_000), "kim"); h.ApprovedBy != "" || given() != 0 {
		t.Errorf("another policy: %+v", h)
	}
	handOver := unasked(t, o, accounts(11, 5_000), "lee")
	h := unasked(t, o, accounts(11, 5_000), "kim")
	if h.By != "lee" || h.ApprovedBy != "kim" || h.Digest != handOver.Digest || h.Approved != 11 || given() != 11 {
		t.Errorf("%+v, %d given", h, given())
	}
	if h := unasked(t, o, accounts(11, 5_000), "lee"); h.Skipped != 11 || h.Decided != 0 || given() != 11 {
		t.Errorf("once more: %+v, %d given", h, given())
	}
	all, err := o.Handouts(ctx, "i")
	if err != nil || len(all) != 4 || all[0].ApprovedBy != "kim" || all[0].Amount != 55_000 || all[0].Policy != "test@2" || all[1].ApprovedBy != "" || all[3].Digest == "" {
		t.Errorf("%+v, %v", all, err)
	}
}

// What a list would come to is told before it is handed in, and then who did.
func TestWouldGive(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, ""))
	would := func() claim.Handout {
		t.Helper()
		h, err := o.WouldGive(ctx, "i", accounts(10, 5_000), "kim")
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if h := would(); h.By != "" || h.Approved != 10 || h.Amount != 50_000 {
		t.Errorf("%+v", h)
	}
	if all, err := o.Handouts(ctx, "i"); err != nil || len(all) != 0 {
		t.Errorf("it was only looked at: %+v, %v", all, err)
	}
	in := handIn(t, o, accounts(10, 5_000))
	if h := would(); h.By != "lee" || h.ApprovedBy != "" || h.Digest != in.Digest {
		t.Errorf("%+v", h)
	}
	unasked(t, o, accounts(10, 5_000), "kim")
	if h := would(); h.ApprovedBy != "kim" || h.Skipped != 10 || h.Approved != 0 {
		t.Errorf("%+v", h)
	}
	if _, err := o.WouldGive(ctx, "i", accounts(10, 5_000), " "); err == nil {
		t.Errorf("nobody looks: %v", err)
	}
}

// Two who run the same list at once give once.
func TestUnaskedRace(t *testing.T) {
	s := kv.NewMemory()
	adopt(t, newOffice(t, s), rules(1, ""))
	handIn(t, newOffice(t, s), accounts(90, 5_000))
	var wg sync.WaitGroup
	var mu sync.Mutex
	given := 0
	for range 3 {
		wg.Go(func() {
			tally, err := newOffice(t, s).Unasked(t.Context(), "i", accounts(90, 5_000), "kim", nil)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			given += tally.Approved
			mu.Unlock()
		})
	}
	wg.Wait()
	if given != 90 {
		t.Errorf("given %d times", given)
	}
}

func TestUnaskedLimits(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, "fourEyes: 6000\nbudget: 20000"))
	own := shop(1, 5_000)
	own.Claim.Account, own.Claim.Report.Service = "a1", "kakao-t-pro"
	filed(t, o, own)
	if _, err := o.DecideAll(ctx, "i", "kim", nil); err != nil {
		t.Fatal(err)
	}
	h, err := o.Unasked(ctx, "i", accounts(10, 5_000), "kim", nil)
	if !errors.Is(err, claim.ErrBudget) || h.Decided != 0 || !strings.Contains(err.Error(), "account 5 of the list") {
		t.Errorf("%+v, %v", h, err)
	}
	handIn(t, o, accounts(4, 5_000))
	if h := unasked(t, o, accounts(4, 5_000), "kim"); h.Approved != 3 || h.Skipped != 1 {
		t.Errorf("%+v", h)
	}
	list := func(all ...policy.Account) iter.Seq2[policy.Account, error] {
		return func(yield func(policy.Account, error) bool) {
			for _, a := range all {
				if !yield(a, nil) {
					return
				}
			}
		}
	}
	odd := []policy.Account{{ID: "b1", Service: "kakao-t-pro", Fee: 7_000}, {ID: "b2", Service: "melon"}}
	handIn(t, o, list(odd...))
	if h := unasked(t, o, list(odd...), "kim"); h.Review != 1 || h.Refused != 1 {
		t.Errorf("%+v", h)
	}
	if _, err = o.Unasked(ctx, "i", list(policy.Account{ID: "900101-1234568", Service: "kakao-t-pro"}), "kim", nil); fields(err)["account"] != "form" {
		t.Error(err)
	}
	broken := errors.New("the file broke off")
	if _, err := o.Unasked(ctx, "i", func(yield func(policy.Account, error) bool) { yield(policy.Account{}, broken) }, "kim", nil); !errors.Is(err, broken) {
		t.Error(err)
	}
	adopt(t, o, []byte(strings.Replace(strings.Replace(string(rules(2, "")), "on: account, ", "", 1), "name: fee", "name: fees", 1)))
	if _, err := o.Unasked(ctx, "i", accounts(1, 5), "kim", nil); !errors.Is(err, claim.ErrPolicy) {
		t.Errorf("no rule: %v", err)
	}
}

// Who was given something unasked, and claims it too, is looked at; the claim is, not what was given.
func TestUnaskedAndClaimed(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, ""))
	own := shop(1, 5_000)
	own.Claim.Account, own.Claim.Report.Service, own.Claim.Report.Use = "a1", "kakao-t-pro", "paid"
	id := filed(t, o, own).ID
	handIn(t, o, accounts(3, 5_000))
	if tally, err := o.Unasked(ctx, "i", accounts(3, 5_000), "kim", nil); err != nil || tally.Approved != 3 {
		t.Fatal(tally, err)
	}
	if n, err := o.Flag(ctx, "i"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if c := get(t, o, id); c.Report.Flags != 1 || c.Flags[0].Kind != "account" {
		t.Errorf("%+v", c)
	}
}

// Only new doubts are added; what a person cleared does not come back; what was approved stops.
func TestFlag(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, ""))
	first := filed(t, o, shop(1, 5_000)).ID
	twice := filed(t, o, shop(1, 6_000)).ID
	other := filed(t, o, shop(2, 6_000)).ID
	flag := func(want int) {
		t.Helper()
		if n, err := o.Flag(ctx, "i"); err != nil || n != want {
			t.Fatalf("flagged %d, %v; expected %d", n, err, want)
		}
	}
	flag(1)
	flag(0)
	if c := get(t, o, twice); c.Report.Flags != 1 || c.Flags[0].Kind != "contact" || len(c.Flags[0].Others) != 1 || c.Flags[0].Others[0] != first {
		t.Fatalf("%+v", c.Flags)
	}
	if _, err := o.DecideAll(ctx, "i", "kim", nil); err != nil {
		t.Fatal(err)
	}
	if c := get(t, o, twice); c.State != claim.Review || c.Decision.Outcome != policy.Human || strings.Contains(c.Decision.Reason["en"], "6,000") {
		t.Errorf("a claim in doubt: %+v", c)
	}
	if _, err := o.ClearFlag(ctx, twice, "bank", "kim", "looked"); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("no such doubt: %v", err)
	}
	c := must(t)(o.ClearFlag(ctx, twice, "contact", "kim", "two shops of one owner"))
	if c.Report.Flags != 0 || c.Flags[0].Clear != "kim: two shops of one owner" {
		t.Errorf("%+v", c)
	}
	if again := must(t)(o.ClearFlag(ctx, twice, "", "lee", "me too")); again.Version != c.Version {
		t.Error("cleared twice")
	}
	flag(0)
	third := filed(t, o, shop(1, 7_000)).ID
	flag(1) // the third looks like both
	if c := get(t, o, twice); c.Report.Flags != 0 {
		t.Errorf("it came back: %+v", c.Flags)
	}
	if c := get(t, o, third); len(c.Flags[0].Others) != 2 {
		t.Errorf("%+v", c.Flags)
	}
	// A bank account that comes later makes a new doubt, which stops what was approved.
	for _, id := range []string{first, other} {
		must(t)(o.SetBank(ctx, id, "", "088", "110-123-456789", "홍길동", "agent"))
		put(t, o, id, func(c *claim.Claim) { c.State = claim.Approved })
	}
	flag(1)
	if c := get(t, o, other); c.State != claim.Review || c.Flags[0].Kind != "bank" || c.Decision.Outcome != policy.Human {
		t.Errorf("%+v", c)
	}
}

// What is paid cannot be stopped any more: a doubt about it goes to the report that it is like, once, and not where a person has looked.
func TestFlagAfterPayment(t *testing.T) {
	for _, state := range []claim.State{claim.Paying, claim.Paid} {
		for _, looked := range []bool{false, true} {
			ctx := t.Context()
			o := opened(t)
			adopt(t, o, rules(1, ""))
			first := filed(t, o, shop(1, 5_000)).ID
			later := filed(t, o, shop(2, 6_000)).ID
			for _, id := range []string{later, first} {
				must(t)(o.SetBank(ctx, id, "", "088", "110-123-456789", "홍길동", "agent"))
				if id == later && looked {
					continue
				}
				put(t, o, later, func(c *claim.Claim) { c.State = state })
			}
			if looked {
				put(t, o, later, func(c *claim.Claim) {
					c.State, c.Flags = state, []claim.Flag{{Kind: "bank", Others: []string{first}, Clear: "kim: two shops of one owner"}}
				})
			}
			put(t, o, first, func(c *claim.Claim) { c.State, c.Decision = claim.Approved, &policy.Decision{Outcome: policy.Pay} })
			want := 1
			if looked {
				want = 0
			}
			for _, n := range []int{want, 0} {
				if got, err := o.Flag(ctx, "i"); err != nil || got != n {
					t.Errorf("%s, looked %v: flagged %d, %v; expected %d", state, looked, got, err, n)
				}
			}
			if c := get(t, o, first); !looked && (c.State != claim.Review || len(c.Flags) != 1 || c.Flags[0].Kind != "bank" || c.Flags[0].Others[0] != later) {
				t.Errorf("%s: %+v", state, c)
			}
			if c := get(t, o, later); c.State != state {
				t.Errorf("it was %s and is %s", state, c.State)
			}
		}
	}
}

// Duplicates go into one claim, all or none, and what named only them is no doubt any more.
func TestMerge(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	var ids []string
	for range 3 {
		ids = append(ids, filed(t, o, shop(1, 5_000)).ID)
	}
	alone := filed(t, o, shop(2, 5_000)).ID
	if _, err := o.Flag(ctx, "i"); err != nil {
		t.Fatal(err)
	}
	put(t, o, alone, func(c *claim.Claim) { c.State = claim.Paying })
	if err := o.Merge(ctx, []string{ids[0], alone}, ids[2], "kim", "the same"); !errors.Is(err, claim.ErrState) {
		t.Errorf("one is with the bank: %v", err)
	}
	if c := get(t, o, ids[0]); c.State != claim.Received {
		t.Errorf("all or none: %+v", c)
	}
	for name, err := range map[string]error{
		"itself": o.Merge(ctx, []string{ids[2]}, ids[2], "kim", "x"), "twice": o.Merge(ctx, []string{ids[0], ids[0]}, ids[2], "kim", "x"),
		"none": o.Merge(ctx, nil, ids[2], "kim", "x"), "no reason": o.Merge(ctx, ids[:1], ids[2], "kim", ""),
	} {
		if fields(err) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := o.Merge(ctx, ids[:2], ids[2], "kim", "the same person"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids[:2] {
		if c := get(t, o, id); c.State != claim.Merged || c.Into != ids[2] {
			t.Errorf("%+v", c)
		}
	}
	if c := get(t, o, ids[2]); c.Report.Flags != 0 || c.Flags[0].Clear != "kim: merged" {
		t.Errorf("%+v", c.Flags)
	}
	if err := o.Merge(ctx, ids[2:], ids[0], "kim", "back"); !errors.Is(err, claim.ErrState) {
		t.Errorf("into one that is merged: %v", err)
	}
}

// Two drafts over what was claimed: what was withdrawn, merged or given unasked is none of it.
func TestCompare(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	adopt(t, o, rules(1, ""))
	for n := range 5 {
		filed(t, o, shop(n, 10_000))
	}
	gone := filed(t, o, shop(9, 10_000))
	must(t)(o.Withdraw(ctx, gone.ID, gone.Secret, ""))
	if _, err := o.Unasked(ctx, "i", accounts(3, 5_000), "kim", nil); err != nil {
		t.Fatal(err)
	}
	var drafts []*policy.Policy
	for v, limit := range map[int]string{1: "", 2: "cap: 5000"} {
		if _, err := o.Submit(ctx, "i", rules(v, limit), "kim"); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"test@1", "test@2"} {
		p, err := o.Policy(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		drafts = append(drafts, p)
	}
	got, err := o.Compare(ctx, "i", drafts)
	if err != nil || got.Cases != 5 || got.Drafts[0].Total.Amount != 50_000 || got.Drafts[1].Total.Delta != -25_000 || len(got.Drafts[0].Borders) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := o.Compare(ctx, "unknown", drafts); !errors.Is(err, claim.ErrNoRecord) {
		t.Error(err)
	}
}

// The reports of 2022, filed and decided twice, give the same byte for byte.
func TestTheSameTwice(t *testing.T) {
	now := time.Now()
	run := func() []string {
		o := newOffice(t, kv.NewMemory())
		o.Now = func() time.Time { return now }
		adopt(t, o, shipped(t))
		mix := claimtest.Mix2022(600, .05, 7)
		receipts, errs := o.Ledger.File(t.Context(), mix.Reports)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if _, err := o.DecideAll(t.Context(), "i", "kim", nil); err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for n, r := range receipts {
			names = append(names, r.ID, fmt.Sprintf("%014d", n)) // receipt codes are drawn
		}
		alias := strings.NewReplacer(names...)
		out := make([]string, len(receipts))
		for n, r := range receipts {
			c := get(t, o, r.ID)
			c.Changed = time.Time{}
			out[n] = alias.Replace(asJSON(t, c))
		}
		return out
	}
	first := run()
	if diff := cmp.Diff(first, run()); diff != "" {
		t.Error(diff)
	}
	flagged := 0
	for _, c := range first {
		if strings.Contains(c, `"flags":[`) {
			flagged++
		}
	}
	if flagged < 20 {
		t.Errorf("%d of 600 are flagged, 5 %% were seeded", flagged)
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
