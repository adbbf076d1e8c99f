package settle

import (
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// Every decision is provably in the log, whoever appends, and no other decision is.
func TestLog(t *testing.T) {
	ctx := t.Context()
	skey, vkey, err := note.GenerateKey(rand.Reader, "company")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	l := &Log{Store: kv.NewMemory(), Key: signer}
	var list []Commitment
	var salts [][]byte
	for i := range 250 {
		c, salt := Commit(fmt.Sprintf("c%d@2", i), fmt.Appendf(nil, "decision %d", i))
		list, salts = append(list, c), append(salts, salt)
	}
	var wg sync.WaitGroup
	for range 2 { // twice at once
		wg.Go(func() {
			if err := l.Append(ctx, list); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if size, _, err := l.size(ctx); size != 250 || err != nil {
		t.Fatalf("%d leaves, %v", size, err)
	}
	for _, i := range []int{0, 1, 99, 100, 249} {
		p, err := l.Prove(ctx, list[i].About)
		if err != nil {
			t.Fatal(err)
		}
		p.Salt = salts[i]
		if err := CheckProof(p, fmt.Appendf(nil, "decision %d", i), key); err != nil {
			t.Errorf("leaf %d: %v", i, err)
		}
		if CheckProof(p, []byte("decision -1"), key) == nil {
			t.Errorf("leaf %d proves another decision", i)
		}
		p.Salt = salts[(i+1)%250]
		if CheckProof(p, fmt.Appendf(nil, "decision %d", i), key) == nil {
			t.Errorf("leaf %d: another salt opens it", i)
		}
	}
	if _, err := l.Prove(ctx, "c999@1"); err == nil {
		t.Error("a proof of nothing")
	}
}

// No group is smaller than ten, and all tables sum to the total: nothing is left to be taken from it.
func TestStatisticsTellNobodyApart(t *testing.T) {
	r := mrand.New(mrand.NewPCG(1, 5))
	for range 300 {
		facts := make([]claim.Group, r.IntN(200))
		for i := range facts {
			facts[i] = claim.Group{
				Of: []string{"paid", fmt.Sprint(r.IntN(2)), "free", fmt.Sprint(int(r.ExpFloat64() * 3))}, Claims: 1,
				Given: 1, Amount: int64(r.IntN(1_000)),
			}
		}
		s := statistics(claim.Told{}.Next("1", facts))
		if s.Claims > len(facts) || s.Claims <= len(facts)-claim.Smallest {
			t.Fatalf("%d of %d claims are told of: %+v", s.Claims, len(facts), s)
		}
		for _, table := range s.Tables {
			claims, amount := 0, int64(0)
			for _, row := range table.Rows {
				claims += row.Claims
				amount += row.Amount
				if row.Claims < claim.Smallest {
					t.Fatalf("by %s: %+v", table.By, row)
				}
			}
			if claims != s.Claims || amount != s.Amount {
				t.Fatalf("by %s: %d of %d, total %d of %d", table.By, claims, amount, s.Claims, s.Amount)
			}
			if i := slices.IndexFunc(table.Rows, func(x Row) bool { return x.Name == Other }); i >= 0 && i != len(table.Rows)-1 {
				t.Fatalf("other is not last: %+v", table.Rows)
			}
		}
	}
}

// The first day is not over before there is something to tell, and from then on nothing is counted until the next day, where the company is.
func TestStatisticsOfTheFirstDay(t *testing.T) {
	o := newOffice(t, claim.Smallest-1, nil)
	now := time.Date(2022, 10, 16, 1, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
	o.Zone = func() *time.Location { return time.FixedZone("KST", 9*60*60) }
	file := func(n int) {
		t.Helper()
		reports := make([]claim.Report, n)
		for i := range reports {
			reports[i].Claim = claim.Claim{Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", Report: policy.Claim{Service: "talk", Use: "free", Kind: "person"}}
		}
		if _, errs := o.Ledger.File(t.Context(), reports); errors.Join(errs...) != nil {
			t.Fatal(errs)
		}
	}
	want := func(claims int, day string) {
		t.Helper()
		if s, err := o.Statistics(t.Context(), "i"); err != nil || s.Claims != claims || s.Day != day {
			t.Errorf("%+v, %v: want %d on %s", s, err, claims, day)
		}
	}
	want(0, "2022-10-16")
	file(1)
	want(claim.Smallest, "2022-10-16")
	file(90)
	want(claim.Smallest, "2022-10-16")
	now = time.Date(2022, 10, 16, 14, 59, 0, 0, time.UTC)
	want(claim.Smallest, "2022-10-16")
	now = now.Add(2 * time.Minute)
	want(100, "2022-10-17")
}
