package claim_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/internal/kv"
)

func master(t testing.TB) *claim.Master {
	t.Helper()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLedgerInMemory(t *testing.T) {
	claimtest.Run(t, func(t *testing.T) claim.Ledger {
		t.Helper()
		return claim.NewKeeper(kv.NewMemory(), master(t))
	})
}

// Nothing personal is in the store in clear, whatever key it is under.
func TestNothingPersonalInClear(t *testing.T) {
	s := kv.NewMemory()
	k := claim.NewKeeper(s, master(t))
	receipts, errs := k.File(t.Context(), []claim.Report{claimtest.Report(1)})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	if _, err := k.AddFile(t.Context(), receipts[0].ID, "bank-account", "image/png", []byte("account 110-123-456789"), "claimant"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Amend(t.Context(), receipts[0].ID, func(_ *claim.Claim, p *claim.Personal) (claim.Event, error) {
		p.Number, p.Added = "110-123-456789", []claim.Added{{By: "claimant", What: "appeal", Text: "가게 문을 닫았어요"}}
		return claim.Event{Who: "claimant", What: "appealed"}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(t.Context(), receipts[0].ID, "kim", "to decide"); err != nil {
		t.Fatal(err)
	}
	all, _, err := s.List(t.Context(), "")
	if err != nil || len(all) < 7 {
		t.Fatal(len(all), err)
	}
	for _, e := range all {
		for _, secret := range []string{"홍길동", "p1@example.com", "010-0000", "못 썼어요", "110-123", "110123456789", "가게 문", receipts[0].Secret, "device:x"} {
			if strings.Contains(e.Key, secret) || bytes.Contains(e.Value, []byte(secret)) {
				t.Errorf("%s holds %q: %s", e.Key, secret, e.Value)
			}
		}
	}
}

// A backup without keys opens nothing; one with older keys, and the list of erasures,
// opens what was not erased.
func TestErasureSurvivesARestore(t *testing.T) {
	ctx := t.Context()
	s := kv.NewMemory()
	k := claim.NewKeeper(s, master(t))
	receipts, errs := k.File(ctx, []claim.Report{claimtest.Report(1), claimtest.Report(2)})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	file, err := k.AddFile(ctx, receipts[0].ID, "use-proof", "text/plain", []byte("proof"), "claimant")
	if err != nil {
		t.Fatal(err)
	}
	copyOf := func(keys bool) kv.Store {
		all, _, err := s.List(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		to := kv.NewMemory()
		for _, e := range all {
			if !keys && strings.HasPrefix(e.Key, claim.KeyPrefix) {
				continue
			}
			if _, err := to.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: e.Key, Value: e.Value}}}); err != nil {
				t.Fatal(err)
			}
		}
		return to
	}
	withKeys, without := copyOf(true), copyOf(false)
	if err := k.Erase(ctx, receipts[0].ID, "kim", "asked"); err != nil {
		t.Fatal(err)
	}
	erased, err := k.Erased(ctx)
	if err != nil || len(erased) != 1 {
		t.Fatal(erased, err)
	}
	bare := claim.NewKeeper(without, master(t))
	for _, r := range receipts {
		if _, err := bare.Open(ctx, r.ID, "kim", "test"); !errors.Is(err, claim.ErrErased) {
			t.Errorf("a backup without keys opened %s: %v", r.ID, err)
		}
	}
	restored := claim.NewKeeper(withKeys, master(t))
	for want := range 2 { // again it has nothing to do
		n, err := restored.Replay(ctx, append(erased, "0000-0000-0000"))
		if err != nil || n != 1-want {
			t.Fatalf("replayed %d, %v", n, err)
		}
	}
	if _, err := restored.Open(ctx, receipts[0].ID, "kim", "test"); !errors.Is(err, claim.ErrErased) {
		t.Errorf("what was erased came back: %v", err)
	}
	if _, err := restored.OpenFile(ctx, receipts[0].ID, file.ID, "kim", "test"); !errors.Is(err, claim.ErrErased) {
		t.Errorf("its paper came back: %v", err)
	}
	if p, err := restored.Open(ctx, receipts[1].ID, "kim", "test"); err != nil || p.Name != "홍길동2" {
		t.Errorf("the other claim: %+v, %v", p, err)
	}
}

func TestVaultInMemory(t *testing.T) {
	s := kv.NewMemory()
	claimtest.RunVault(t, claim.VaultIn(s), "0000-0000-0000")
	all, _, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if len(e.Value) > 300<<10 {
			t.Errorf("%s has %d bytes: no log of a store should hold that", e.Key, len(e.Value))
		}
	}
}

// A paper that was cut short is not there.
func TestVaultCutShort(t *testing.T) {
	s := kv.NewMemory()
	v := claim.VaultIn(&failing{Store: s, after: 3})
	if err := v.Put(t.Context(), "c/f", make([]byte, 2<<20)); !errors.Is(err, claim.ErrUnavailable) {
		t.Fatal(err)
	}
	v = claim.VaultIn(s)
	if _, err := v.Get(t.Context(), "c/f"); !errors.Is(err, claim.ErrNotFound) {
		t.Error(err)
	}
	if err := v.Delete(t.Context(), "c/f"); err != nil {
		t.Error(err)
	}
	if all, _, err := s.List(t.Context(), ""); err != nil || len(all) > 0 {
		t.Errorf("%d keys are left, %v", len(all), err)
	}
	if err := v.Put(t.Context(), "c/f", make([]byte, 21<<20)); !errors.Is(err, claim.ErrInput) {
		t.Errorf("too large: %v", err)
	}
}

// failing is a store that is gone after so many commits.
type failing struct {
	kv.Store
	after int
}

func (f *failing) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if f.after--; f.after < 0 {
		return 0, kv.ErrUnavailable
	}
	return f.Store.Commit(ctx, t)
}

// A full store says so, and what was not kept has no receipt.
func TestFull(t *testing.T) {
	k := claim.NewKeeper(kv.NewMemoryQuota(20_000), master(t))
	kept := 0
	for n := range 100 {
		r, errs := k.File(t.Context(), []claim.Report{claimtest.Report(n)})
		if errs[0] != nil {
			if !errors.Is(errs[0], claim.ErrUnavailable) || r[0].ID != "" {
				t.Fatalf("%+v, %v", r, errs)
			}
			break
		}
		kept++
	}
	n := 0
	if err := k.Each(t.Context(), "i", func(claim.Claim) error { n++; return nil }); err != nil || n != kept || kept == 0 || kept == 100 {
		t.Errorf("%d kept, %d acknowledged, %v", n, kept, err)
	}
}

// A node that starts knows no claims before it has read them: it says so, instead of counting none, finding no budget
// spent, and telling everybody that there are fewer than ten for the rest of the day.
func TestListsWaitForTheirClaims(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := kv.NewMemory()
	if _, errs := claim.NewKeeper(s, master(t)).File(ctx, []claim.Report{claimtest.Report(1)}); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	k := claim.NewKeeper(s, master(t))
	k.Following()
	each := func() (n int, err error) {
		err = k.Each(ctx, "", func(claim.Claim) error { n++; return nil })
		return n, err
	}
	_, listed := k.List(ctx, claim.Query{})
	_, marked := k.Marks(ctx, "i")
	_, all := each()
	for _, err := range []error{listed, marked, all} {
		if !errors.Is(err, claim.ErrUnavailable) {
			t.Errorf("before anything is read: %v", err)
		}
	}
	ready, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		_ = k.Follow(ctx, func() { close(ready) }) // it ends with ctx
	}()
	<-ready
	if n, err := each(); n != 1 || err != nil {
		t.Errorf("%d claims are listed: %v", n, err)
	}
	stop()
	<-gone
}

// Many claims are opened as one is: each look is written down, and one that somebody else writes at the same time is not lost.
func TestOpenAll(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	one, two := claim.NewKeeper(s, master(t)), claim.NewKeeper(s, master(t))
	var reports []claim.Report
	for n := range 120 { // more than are opened in one transaction
		reports = append(reports, claimtest.Report(n))
	}
	receipts, errs := one.File(ctx, reports)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(receipts))
	for i, r := range receipts {
		ids[i] = r.ID
	}
	if _, err := one.OpenAll(ctx, ids, "kim", ""); !errors.Is(err, claim.ErrNobody) {
		t.Errorf("without a reason: %v", err)
	}
	following, stop := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- one.Follow(following, func() { close(ready) }) }()
	<-ready
	stop() // from here on what it has is old
	if err := <-ended; err != nil && following.Err() == nil {
		t.Fatal(err)
	}
	if _, err := two.Open(ctx, ids[7], "lee", "first"); err != nil {
		t.Fatal(err)
	}
	before, err := one.Claim(ctx, ids[3])
	if err != nil {
		t.Fatal(err)
	}
	got, err := one.OpenAll(ctx, ids, "kim", "payout b")
	if err != nil || len(got) != len(ids) {
		t.Fatal(len(got), err)
	}
	looks, err := two.Looks(ctx, before.Filed.AddDate(-1, 0, 0), 1000)
	if err != nil || len(looks) != len(ids)+1 {
		t.Errorf("%d looks are told, %v", len(looks), err)
	}
	for i, id := range ids {
		want, err := two.Open(ctx, id, "lee", "again")
		if err != nil || got[i].Email != want.Email || got[i].Text != want.Text || want.Email == "" {
			t.Errorf("%s: %+v, %v", id, got[i], err)
		}
		history, err := two.History(ctx, id)
		n := 0
		for _, e := range history {
			if e.Who == "kim" && e.What == claim.Looked && e.Why == "payout b" {
				n++
			}
		}
		if err != nil || n != 1 {
			t.Errorf("%s: %d looks of kim, %v", id, n, err)
		}
	}
	if after, err := one.Claim(ctx, ids[3]); err != nil || after.Version != before.Version {
		t.Errorf("a look made another version: %d, %v", after.Version, err)
	}
	if err := one.Erase(ctx, ids[5], "yoon", "asked"); err != nil {
		t.Fatal(err)
	}
	if _, err := one.OpenAll(ctx, ids[:10], "kim", "payout c"); !errors.Is(err, claim.ErrErased) || !strings.Contains(err.Error(), ids[5]) {
		t.Errorf("one is erased: %v", err)
	}
}
