package claim_test

import (
	"bytes"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/status"
)

// A salt is the same whenever it is asked for, another for each claim and decision, and
// gone with the key of the claim; none of it is a look.
func TestSalts(t *testing.T) {
	ctx := t.Context()
	k := claim.NewKeeper(kv.NewMemory(), master(t))
	var reports []claim.Report
	for i := range 40 {
		r := claimtest.Report(i)
		if i%2 == 0 {
			r.Personal.Bank, r.Personal.Number, r.Personal.Holder = "088", "110", "홍길동"
		}
		reports = append(reports, r)
	}
	receipts, errs := k.File(ctx, reports)
	about := map[string]string{}
	var ids []string
	for i, r := range receipts {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		about[r.ID] = "decision"
		ids = append(ids, r.ID)
	}
	one, err := k.Salts(ctx, about)
	if err != nil || len(one) != 40 {
		t.Fatal(len(one), err)
	}
	seen := map[string]bool{}
	for _, s := range one {
		if len(s) != 32 || seen[string(s)] {
			t.Fatal("two claims have one salt")
		}
		seen[string(s)] = true
	}
	about[ids[0]] = "another decision"
	two, err := k.Salts(ctx, about)
	if err != nil || !bytes.Equal(one[ids[1]], two[ids[1]]) || bytes.Equal(one[ids[0]], two[ids[0]]) {
		t.Errorf("the same again, and another for another decision: %v", err)
	}
	if err := k.Erase(ctx, ids[1], "kim", "asked"); err != nil {
		t.Fatal(err)
	}
	if left, err := k.Salts(ctx, about); err != nil || left[ids[1]] != nil || len(left) != 39 {
		t.Errorf("a salt outlives its key: %d, %v", len(left), err)
	}
	banked, err := k.Banked(ctx, ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if banked[id] != (i%2 == 0) {
			t.Errorf("claim %d: %v", i, banked[id])
		}
	}
	history, err := k.History(ctx, ids[0])
	if err != nil || len(history) != 1 {
		t.Errorf("it was a look: %+v, %v", history, err)
	}
}

func TestOutagesEach(t *testing.T) {
	at := time.Date(2022, 10, 15, 6, 0, 0, 0, time.UTC)
	o := claim.NewOutages([]status.Interval{
		{Service: "talk", Level: status.Down, From: at, To: at.Add(time.Hour)}, {Service: "mail", Part: "send", Level: status.Down, From: at, To: at.Add(2 * time.Hour)},
	}, at)
	var got []string
	o.Each(func(service, part string, x policy.Outage) {
		if x.From.Equal(at) {
			got = append(got, service+"/"+part)
		}
	})
	if len(got) != 2 || got[0] != "mail/send" || got[1] != "talk/" {
		t.Error(got)
	}
}
