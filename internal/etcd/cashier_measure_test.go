//go:build measure

package etcd_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
	"bongsu/settle"
)

// TestMeasureCashier brings the reports of 2022, 105,116 of them, through the book of
// three members in one process, from the decisions to the bank's answer.
func TestMeasureCashier(t *testing.T) {
	const reports = 105_116
	ctx := t.Context()
	c := newCluster(t, 3, patient).start()
	s := c.nodes[c.leader()]
	k := claim.NewKeeper(s, master(t))
	ready := make(chan struct{})
	go func() { _ = k.Follow(ctx, func() { close(ready) }) }()
	<-ready
	step := func(what string, f func() error) {
		t.Helper()
		began, before := time.Now(), spent(t)
		if err := f(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%-12s %8.2f s, processor time %8.2f s", what, time.Since(began).Seconds(), (spent(t) - before).Seconds())
	}
	mix := claimtest.Mix2022(reports, .05, 1)
	for i := range mix.Reports { // whoever is paid has an account
		p := &mix.Reports[i].Personal
		if p.Number == "" {
			p.Bank, p.Number, p.Holder = "088", fmt.Sprint("110", i), "홍길동"
		}
	}
	step("file", func() error {
		_, errs := k.File(ctx, mix.Reports)
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	})
	var all []claim.Claim
	if err := k.Each(ctx, "i", func(x claim.Claim) error { all = append(all, x); return nil }); err != nil {
		t.Fatal(err)
	}
	step("decide", func() error { // a third each: time with a cost, money, refused
		for at := 0; at < len(all); at += 150 {
			chunk := all[at:min(at+150, len(all))]
			events := make([]claim.Event, len(chunk))
			for i := range chunk {
				x := &chunk[i]
				x.State, x.Decision = claim.Approved, &policy.Decision{Claim: x.ID, Policy: "p@1", Rule: "r", Outcome: policy.Pay, Form: policy.Money, Amount: 30_000, Cost: 30_000, Currency: "KRW", Ground: policy.Goodwill, Reason: map[string]string{"ko": "이유", "en": "reason"}}
				switch (at + i) % 3 {
				case 1:
					x.Decision.Form, x.Decision.Amount, x.Decision.Cost, x.Decision.Hours = policy.Extension, 0, 1_000, 72
				case 2:
					x.State, x.Decision.Outcome, x.Decision.Amount, x.Decision.Form = claim.Decided, policy.Refuse, 0, policy.Nothing
				}
				events[i] = claim.Event{Who: "kim", What: "decided"}
			}
			if err := k.Change(ctx, chunk, events); err != nil {
				return err
			}
		}
		return nil
	})
	skey, _, err := note.GenerateKey(rand.Reader, "company")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	x := &settle.Cashier{Store: s, Ledger: k, Book: settle.NewBook(s), Log: &settle.Log{Store: s, Key: signer}}
	x.Banks = map[string]settle.Debtor{"main": {Name: "Beacon", Bank: "004", Number: "1"}}
	step("grant", func() error {
		g, err := x.Grant(ctx, "i", "kim", nil)
		t.Logf("%+v", g)
		return err
	})
	step("grant again", func() error { _, err := x.Grant(ctx, "i", "kim", nil); return err })
	step("draft", func() error {
		b, err := x.Draft(ctx, "i", policy.Money, "main", "b", "kim", 0)
		t.Logf("%d payments of %d", b.Count, b.Total)
		return err
	})
	step("approve", func() error { _, err := x.Approve(ctx, "b", "lee"); return err })
	var file bytes.Buffer
	step("file", func() error { _, err := x.File(ctx, "b", settle.FilePain001, "kim", &file); return err })
	step("sent", func() error { _, err := x.Sent(ctx, "b", "kim"); return err })
	step("results", func() error {
		_, items, err := x.Batch(ctx, "b")
		if err != nil {
			return err
		}
		var answer bytes.Buffer
		answer.WriteString("id,result,code\n")
		for i, it := range items {
			if i%50 == 0 {
				fmt.Fprintf(&answer, "%s,fail,BE01\n", it.ID)
			} else {
				fmt.Fprintf(&answer, "%s,ok,\n", it.ID)
			}
		}
		a, err := x.Results(ctx, answer.Bytes(), "kim")
		t.Logf("%+v", a)
		return err
	})
	step("reconcile", func() error {
		r, err := x.Reconcile(ctx, "i")
		t.Logf("%+v", r)
		if err == nil && len(r.Wrong) > 0 {
			t.Errorf("%q", r.Wrong)
		}
		return err
	})
	step("statistics", func() error { _, err := x.Statistics(ctx, "i"); return err })
	step("recourse", func() error {
		_, err := x.Recourse(ctx, settle.Pack{Incident: "i", Counterparty: "SK C&C"}, nil, io.Discard)
		return err
	})
	step("prove", func() error { _, _, err := x.Prove(ctx, all[0].ID); return err })
}
