package claim_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/claim"
	"bongsu/claim/paper"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// Papers that do not come in time end in a refusal that can be appealed against; where some came, a person looks.
func TestPapersOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		o := opened(t)
		adopt(t, o, rules(1, ""))
		company := func(n int) claim.Receipt {
			r := shop(n, 50_000)
			r.Claim.Report.Kind = "company"
			return filed(t, o, r)
		}
		none, some, erased := company(1), company(2), company(3)
		if tally, err := o.DecideAll(ctx, "i", "kim", nil); err != nil || tally.Asked != 3 {
			t.Fatal(tally, err)
		}
		ask := claim.Verdict{Outcome: policy.Human, Evidence: []string{"loss-proof", "sales-proof"}, Reason: map[string]string{"ko": "자료", "en": "papers"}, Why: "two are needed"}
		must(t)(o.Decide(ctx, some.ID, 0, ask, "kim"))
		if _, err := o.AddPaper(ctx, some.ID, some.Secret, "sales-proof", "a.txt", []byte("매출"), ""); err != nil {
			t.Fatal(err)
		}
		if err := o.Ledger.Erase(ctx, erased.ID, "park", "asked for"); err != nil {
			t.Fatal(err)
		}
		if c := get(t, o, erased.ID); c.State != claim.Withdrawn || !c.NextAt.IsZero() {
			t.Errorf("nobody can be asked any more, and it is %s until %s", c.State, c.NextAt)
		}
		due := get(t, o, none.ID).NextAt
		wait(claim.PapersTime - time.Hour)
		if n, err := o.Overdue(ctx); n != 0 || err != nil {
			t.Errorf("%d before their time, %v", n, err)
		}
		wait(2 * time.Hour)
		if n, err := o.Overdue(ctx); n != 2 || err != nil {
			t.Errorf("%d of 2, %v", n, err)
		}
		c := get(t, o, none.ID)
		if c.State != claim.Decided || c.Decision.Outcome != policy.Refuse || c.Decision.Amount != 0 || c.Appeal.Before(due.Add(claim.AppealTime)) ||
			c.Decision.Reason["ko"] == "" || !strings.Contains(strings.Join(c.Decision.Why, "; "), due.Format(time.DateOnly)) {
			t.Errorf("none came: %+v, %+v", c, c.Decision)
		}
		if c := get(t, o, some.ID); c.State != claim.Review || !c.NextAt.After(due) {
			t.Errorf("some came: %+v", c)
		}
		if n, err := o.Overdue(ctx); n != 0 || err != nil {
			t.Errorf("once more: %d, %v", n, err)
		}
		if c := must(t)(o.Appeal(ctx, none.ID, none.Secret, "here they are", "")); c.State != claim.Appealed {
			t.Errorf("%+v", c)
		}
	})
}

// While money is on its way nobody can appeal, and the clock stands still.
func TestAppealClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		o := opened(t)
		adopt(t, o, rules(1, ""))
		r := filed(t, o, shop(1, 80_000))
		must(t)(o.Decide(ctx, r.ID, 0, pays(5_000), "kim"))
		move := func(to claim.State, what string) {
			t.Helper()
			c, err := o.Ledger.Claim(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			c.State = to
			if err := o.Ledger.Change(ctx, []claim.Claim{c}, []claim.Event{{Who: "bank", What: what}}); err != nil {
				t.Fatal(err)
			}
		}
		wait(20 * day)
		move(claim.Paying, "to be paid")
		wait(25 * day)
		if _, err := o.Appeal(ctx, r.ID, r.Secret, "", ""); !errors.Is(err, claim.ErrState) {
			t.Errorf("while it is paid: %v", err)
		}
		may := func(want bool, when string) {
			t.Helper()
			history, err := o.Ledger.History(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			c, err := o.Ledger.Claim(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if c.MayAppeal(history, time.Now()) != want {
				t.Errorf("%s: an appeal is offered: %v", when, !want)
			}
		}
		may(false, "while it is paid")
		move(claim.Paid, "paid")
		wait(9 * day)
		may(true, "after the date of the decision, as the clock stood still")
		c := must(t)(o.Appeal(ctx, r.ID, r.Secret, "too little", ""))
		may(false, "once it is appealed against")
		if _, err := o.Withdraw(ctx, r.ID, r.Secret, ""); !errors.Is(err, claim.ErrState) || get(t, o, r.ID).State != claim.Appealed {
			t.Errorf("what was paid is hidden: %v", err)
		}
		history, err := o.Ledger.History(ctx, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		c.Appeal = history[0].At.Add(claim.AppealTime)
		if until := c.AppealUntil(history); until.Sub(c.Appeal).Round(time.Minute) != 25*day {
			t.Errorf("the clock stood still for %s", until.Sub(c.Appeal))
		}
	})
}

// Papers that are sent at once have no more room than those that are sent one after the other.
func TestPapersAtOnce(t *testing.T) {
	l := claim.NewKeeper(kv.NewMemory(), master(t))
	receipts, errs := l.File(t.Context(), []claim.Report{told(1)})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := l.AddFile(t.Context(), receipts[0].ID, "photo", "image/png", make([]byte, paper.MostOfClaim/4+1), "claimant"); err != nil && !errors.Is(err, paper.ErrLarge) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, err := l.Claim(t.Context(), receipts[0].ID)
	if err != nil || len(c.Files) != 3 {
		t.Errorf("%d papers of a quarter of the room each, %v", len(c.Files), err)
	}
}
