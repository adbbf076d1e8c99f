//go:build real || measure

package node_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/claim/policy"
	"bongsu/internal/config"
	"bongsu/status"
	"bongsu/web/deskapi"
)

// mixServices are those that the reports of 2022 are about.
func mixServices() []status.Service {
	var out []status.Service
	for name := range strings.FieldsSeq("emoticon-plus talk-drawer kakao-t-pro driver-pro melon webtoon kakaopage gift kakaotalk kakao-t daum-mail kakaomap kakaopay") {
		out = append(out, status.Service{Name: name, Title: status.Text{"ko": name, "en": name}, Users: 1000, Paid: true})
	}
	return out
}

// openForClaims starts public processes that take reports of the mix of 2022, without a proof of work.
func openForClaims(t *testing.T) (s *square, pid func(string) int, consent string) {
	t.Helper()
	s = newSquareOf(t, three, func(c *config.PublicConfig) {
		c.Store.Quota, c.Claims.Calm, c.Claims.Burst = 4<<30, 1<<30, 1<<30
	})
	s.more = mixServices()
	pid = s.asProcesses()
	s.start(three...)
	s.quorum(three...)
	s.publish("north", 1)
	return s, pid, s.opened(three...)
}

func (s *square) addresses() []string {
	var out []string
	for _, site := range three {
		out = append(out, s.pages[site])
	}
	return out
}

// couponPolicy gives a coupon for each loss, which needs no bank account.
const couponPolicy = `policy: coupons
version: 1
effective: 2022-12-29
currency: KRW
title: {ko: 쿠폰 보상, en: Coupons}
rules:
  - name: loss
    use: [free]
    when: claim.loss > 0
    give: coupon
    amount: least(claim.loss, 30000)
    ground: goodwill
    reason: {ko: "{amount}원 쿠폰을 드립니다.", en: "You receive a coupon of {amount} won."}
examples:
  - name: a small loss
    claim: {service: shop, use: free, kind: person, loss: 10000}
    outage: {minutes: 60}
    want: {rule: loss, outcome: pay, amount: 10000}
`

// A settlement decides and pays what has come in, at whatever desk answers, again and again.
type settlement struct {
	s       *square
	batches int
	paid    int
}

// anywhere does something at one desk after the other until one does it.
func (p *settlement) anywhere(ctx context.Context, n int, what string, do func(*deskapi.Client) error) error {
	var last error
	for try := 0; ctx.Err() == nil; try++ {
		one, stop := context.WithTimeout(ctx, 20*time.Second)
		last = do(p.s.clerk(three[try%len(three)], n))
		stop()
		_ = one
		if last == nil || !isTrouble(last) {
			return last
		}
		rest := time.NewTimer(200 * time.Millisecond)
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
		rest.Stop()
	}
	return fmt.Errorf("%s: %w (%w)", what, ctx.Err(), last)
}

// isTrouble says whether another desk, or a later moment, may do better.
func isTrouble(err error) bool {
	var refused interface{ Unavailable() bool }
	if errors.As(err, &refused) {
		return refused.Unavailable()
	}
	text := err.Error()
	for _, s := range []string{"no quorum", "cannot be taken in now", "connection", "EOF", "503", "unavailable", "reset", "refused", "timeout", "deadline"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// round decides what has come in, and pays it.
func (p *settlement) round(ctx context.Context) error {
	p.batches++
	id := fmt.Sprintf("b%d", p.batches)
	var batch bool
	err := p.anywhere(ctx, 1, "decide", func(c *deskapi.Client) error { _, err := c.Decide(ctx, "fire", nil); return err })
	if err == nil {
		err = p.anywhere(ctx, 1, "grant", func(c *deskapi.Client) error { _, err := c.Grant(ctx, "fire", nil); return err })
	}
	if err == nil {
		err = p.anywhere(ctx, 1, "draft", func(c *deskapi.Client) error {
			_, err := c.Draft(ctx, deskapi.DraftRequest{Incident: "fire", Form: policy.Coupon, ID: id, Bank: "coupons", Limit: 50})
			batch = err == nil
			if err != nil && !isTrouble(err) { // nothing is due
				return nil
			}
			return err
		})
	}
	if err != nil || !batch {
		return err
	}
	for _, verb := range []string{"approve", "sent"} {
		if err := p.anywhere(ctx, 2, verb, func(c *deskapi.Client) error { _, err := c.Batch(ctx, id, verb, ""); return err }); err != nil {
			return err
		}
	}
	var file bytes.Buffer
	if err := p.anywhere(ctx, 2, "file", func(c *deskapi.Client) error {
		file.Reset()
		_, err := c.File(ctx, id, "coupon", &file)
		return err
	}); err != nil {
		return err
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.String(), "\ufeff"))).ReadAll()
	if err != nil {
		return err
	}
	answer := "id,result\n"
	for _, row := range rows[1:] {
		answer += row[0] + ",done\n"
	}
	p.paid += len(rows) - 1
	return p.anywhere(ctx, 2, "results", func(c *deskapi.Client) error { _, err := c.Results(ctx, []byte(answer)); return err })
}

// killClaims kills one public process after the other while reports come in, are decided and paid.
// Nothing that was acknowledged is lost, nothing is paid twice, and the book agrees to the won.
func killClaims(t *testing.T, kills int) {
	t.Helper()
	s, _, consent := openForClaims(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	p := &settlement{s: s}
	var draft claim.Draft
	for n := 1; n <= 2; n++ {
		c := s.clerk("north", n)
		if n == 1 {
			var err error
			if draft, err = c.Submit(ctx, "fire", []byte(couponPolicy)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.ApprovePolicy(ctx, deskapi.ApproveRequest{Incident: "fire", ID: draft.ID, Digest: draft.Digest}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked := map[string]claim.Receipt{} // by key
	gone := map[string]int{}            // by what was said last
	filing, enough := context.WithCancel(ctx)
	defer enough()
	for w := range 6 {
		wg.Go(func() {
			for i := 0; filing.Err() == nil; i++ {
				load := claimtest.Load{
					Nodes: s.addresses(), Reports: claimtest.Mix2022(20, .05, uint64(w*1_000_000+i)).Reports, Incident: "fire", Consent: consent,
					Connections: 2, Tries: 40, Prefix: fmt.Sprintf("w%d-%d-", w, i),
				}
				got, _ := load.Run(filing)
				if got == nil {
					continue
				}
				mu.Lock()
				for _, f := range got.Filed {
					acked[f.Key] = f.Receipt
				}
				for _, u := range got.Unfiled {
					gone[fmt.Sprintf("%d %.400s", u.Status, u.Says)]++
				}
				mu.Unlock()
				rest := time.NewTimer(50 * time.Millisecond)
				<-rest.C
			}
		})
	}
	settled := make(chan error, 1)
	paying, last := context.WithCancel(ctx)
	defer last()
	wg.Go(func() {
		for {
			if err := p.round(ctx); err != nil {
				settled <- err
				return
			}
			if paying.Err() != nil {
				settled <- nil
				return
			}
		}
	})
	for round := range kills {
		victim := three[round%len(three)]
		moment := time.NewTimer(time.Duration(200+rand.N(1200)) * time.Millisecond)
		<-moment.C
		s.stop(victim)
		moment.Reset(time.Duration(rand.N(600)) * time.Millisecond)
		<-moment.C
		s.start(victim)
		s.quorum(victim)
	}
	enough()
	last()
	if err := <-settled; err != nil {
		t.Fatalf("deciding and paying: %v", err)
	}
	wg.Wait()
	// What is left over is settled in peace.
	for range 3 {
		if err := p.round(ctx); err != nil {
			t.Fatal(err)
		}
	}
	north := s.clerk("north", 1)
	within(t, patience, "north lists all", func(ctx context.Context) error {
		_, err := north.List(ctx, map[string][]string{"incident": {"fire"}, "limit": {"1"}})
		return err
	})
	lost := 0
	for key, r := range acked {
		var got struct {
			State claim.State `json:"state"`
		}
		if err := s.getJSON(ctx, s.pages["south"]+"/api/v1/claims/"+r.ID, r.Secret, &got); err != nil {
			lost++
			t.Errorf("%s (key %s) was acknowledged: %v", r.ID, key, err)
		}
	}
	rec, err := north.Reconcile(ctx, "fire")
	if err != nil || len(rec.Wrong) > 0 {
		t.Errorf("the book: %+v, %v", rec, err)
	}
	t.Logf("%d kills: %d reports acknowledged, %d lost, given up by their senders %v; %d batches, %d payments; granted %d, paid %d, owed %d, on its way %d",
		kills, len(acked), lost, gone, p.batches, p.paid, rec.Granted, rec.Paid, rec.Owed, rec.Clearing)
	if len(acked) == 0 || p.paid == 0 {
		t.Error("nothing was filed or paid: the test proves nothing")
	}
}
