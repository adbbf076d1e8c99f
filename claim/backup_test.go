package claim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

// kept is the public side of a test with its backups.
type kept struct {
	store                kv.Store
	ledger               *claim.Keeper
	ids                  []string
	papers               []claim.File
	rest, keys, erasures []byte
	at                   time.Time
}

// backedUp is six claims with a paper each, whose backups are taken; then the first two are
// erased, another is filed and erased, and one more is filed.
func backedUp(t *testing.T) *kept {
	t.Helper()
	ctx := t.Context()
	k := &kept{store: kv.NewMemory(), at: time.Now()}
	k.ledger = claim.NewKeeper(k.store, master(t))
	file := func(n int) string {
		r, errs := k.ledger.File(ctx, []claim.Report{claimtest.Report(n)})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		return r[0].ID
	}
	for n := range 6 {
		k.ids = append(k.ids, file(n))
		f, err := k.ledger.AddFile(ctx, k.ids[n], "use-proof", "image/png", []byte("paper"), "claimant")
		if err != nil {
			t.Fatal(err)
		}
		k.papers = append(k.papers, f)
	}
	if err := k.ledger.Erase(ctx, k.ids[5], "kim", "asked before the backup"); err != nil {
		t.Fatal(err)
	}
	k.rest, k.keys, _ = k.backUp(t, k.at)
	for _, id := range []string{k.ids[0], k.ids[1], file(6)} {
		if err := k.ledger.Erase(ctx, id, "kim", "asked after the backup"); err != nil {
			t.Fatal(err)
		}
	}
	file(7)
	_, _, k.erasures = k.backUp(t, k.at.Add(time.Hour))
	return k
}

func (k *kept) backUp(t *testing.T, at time.Time) (rest, keys, erasures []byte) {
	t.Helper()
	b := claim.Backup{Store: k.store, Cluster: "public", At: at}
	var out [3]bytes.Buffer
	_, err1 := b.Rest(t.Context(), &out[0])
	_, err2 := b.Keys(t.Context(), &out[1], 7*24*time.Hour)
	_, err3 := b.Erasures(t.Context(), &out[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return out[0].Bytes(), out[1].Bytes(), out[2].Bytes()
}

// A backup of everything but keys opens nothing, and one of keys holds nothing else.
func TestPartsOfABackup(t *testing.T) {
	k := backedUp(t)
	now := k.at.Add(time.Minute)
	of, rest, err := kv.ReadPart(bytes.NewReader(k.rest), claim.PartRest, now)
	if err != nil || !of.Expires.IsZero() {
		t.Fatal(of, err)
	}
	for _, e := range rest {
		if strings.HasPrefix(e.Key, claim.KeyPrefix) {
			t.Errorf("%s is in the backup of the rest", e.Key)
		}
	}
	of, keys, err := kv.ReadPart(bytes.NewReader(k.keys), claim.PartKeys, now)
	if err != nil || !of.Expires.Equal(k.at.Add(7*24*time.Hour)) {
		t.Fatal(of, err)
	}
	if len(keys) != 5 || len(rest) < 20 {
		t.Errorf("%d keys, %d others", len(keys), len(rest))
	}
	for _, e := range keys {
		if !strings.HasPrefix(e.Key, claim.KeyPrefix) {
			t.Errorf("%s is in the backup of keys", e.Key)
		}
	}
	erased, err := claim.ReadErasures(bytes.NewReader(k.erasures))
	if err != nil || len(erased) != 4 {
		t.Errorf("%v, %v", erased, err)
	}
	if _, err := (&claim.Backup{Store: k.store}).Keys(t.Context(), io.Discard, 365*24*time.Hour); err == nil {
		t.Error("a backup of keys may be kept for a year")
	}
	// The program that backs up a whole store takes none of them for one.
	if _, err := kv.Restore(t.Context(), bytes.NewReader(k.rest), kv.NewMemory(), nil); !errors.Is(err, kv.ErrBadBackup) {
		t.Errorf("a part as the whole: %v", err)
	}
}

func (k *kept) restore(to kv.Store) *claim.Restore {
	return &claim.Restore{
		Store: to, Rest: bytes.NewReader(k.rest), Keys: bytes.NewReader(k.keys), Erasures: bytes.NewReader(k.erasures),
		Now: k.at.Add(2 * time.Hour),
	}
}

// check says whether a restored store opens exactly what was not erased.
func (k *kept) check(t *testing.T, s kv.Store, open bool) {
	t.Helper()
	ctx := t.Context()
	l := claim.NewKeeper(s, master(t))
	all, _, err := s.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for n, id := range k.ids {
		_, errPersonal := l.Open(ctx, id, "kim", "test")
		_, errPaper := l.OpenFile(ctx, id, k.papers[n].ID, "kim", "test")
		c, err := l.Claim(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if erased := n < 2 || n == 5; erased {
			if c.Erased.IsZero() || !errors.Is(errPersonal, claim.ErrErased) || !errors.Is(errPaper, claim.ErrErased) {
				t.Errorf("erased claim %d: %v; %v", n, errPersonal, errPaper)
			}
			for _, e := range all {
				if e.Key == claim.KeyPrefix+id || e.Key == "claim/p/"+id || strings.HasPrefix(e.Key, "claim/m/") && strings.HasSuffix(e.Key, id) {
					t.Errorf("%s is still there", e.Key)
				}
			}
			continue
		}
		if (errPersonal == nil) != open || (errPaper == nil) != open || !c.Erased.IsZero() {
			t.Errorf("claim %d: %v; %v", n, errPersonal, errPaper)
		}
	}
	if n, err := l.Sweep(ctx, time.Now()); err != nil || n != 2 { // the papers of what was erased after the backup
		t.Errorf("swept %d, %v", n, err)
	}
}

// An old backup and a later list of erasures: what was erased since is erased.
func TestRestoreReplaysErasures(t *testing.T) {
	k := backedUp(t)
	to := kv.NewMemory()
	got, err := k.restore(to).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := claim.Restored{At: k.at.UTC(), Claims: 6, Erased: 2}
	got.Records = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	k.check(t, to, true)
	// The list grows on: what was erased before, and of claims that the backup has not, stays on it.
	erased, err := claim.NewKeeper(to, master(t)).Erased(t.Context())
	if err != nil || len(erased) != 4 {
		t.Errorf("%d on the list, %v", len(erased), err)
	}
	if _, err := k.restore(to).Run(t.Context()); err == nil {
		t.Error("restored into a store that holds something")
	}
}

func TestRestoreRefuses(t *testing.T) {
	k := backedUp(t)
	_, newer, older := k.backUp(t, k.at.Add(-time.Hour))
	for _, tt := range []struct {
		name   string
		change func(r *claim.Restore)
		want   error
		says   string
	}{
		{"keys that have expired", func(r *claim.Restore) { r.Now = k.at.Add(8 * 24 * time.Hour) }, kv.ErrExpired, "take a newer one"},
		{"the rest as keys", func(r *claim.Restore) { r.Keys = bytes.NewReader(k.rest) }, kv.ErrBadBackup, `the part "public"`},
		{"keys as the rest", func(r *claim.Restore) { r.Rest = bytes.NewReader(k.keys) }, kv.ErrBadBackup, `expected the part "public"`},
		{"an old list of erasures", func(r *claim.Restore) { r.Erasures = bytes.NewReader(older) }, kv.ErrBadBackup, "take the newest"},
		{"half a list", func(r *claim.Restore) { r.Erasures = bytes.NewReader(k.erasures[:len(k.erasures)-20]) }, kv.ErrBadBackup, "cut short"},
	} {
		to := kv.NewMemory()
		r := k.restore(to)
		tt.change(r)
		if _, err := r.Run(t.Context()); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if all, _, err := to.List(t.Context(), ""); err != nil || len(all) > 0 {
			t.Errorf("%s: %d keys were written, %v", tt.name, len(all), err)
		}
	}
	serving := kv.NewMemory()
	lead, err := kv.Campaign(t.Context(), serving, kv.Claim{Key: "claim-leader", Value: []byte("north"), TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.restore(serving).Run(t.Context()); !errors.Is(err, claim.ErrServing) {
		t.Errorf("while a node serves: %v", err)
	}
	if err := lead.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Without keys it opens nothing, and says of how many. Keys of claims that it has not stay out.
	to := kv.NewMemory()
	r := k.restore(to)
	r.Keys = nil
	if got, err := r.Run(t.Context()); err != nil || got.Keyless != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	k.check(t, to, false)
	to = kv.NewMemory()
	r = k.restore(to)
	r.Keys = bytes.NewReader(newer)
	if got, err := r.Run(t.Context()); err != nil || got.LeftKeys != 1 || got.Keyless != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	k.check(t, to, true)
}

// A restore that stops at any call is unfinished, or has replayed every erasure; run again
// it does the rest.
func TestRestoreStops(t *testing.T) {
	k := backedUp(t)
	for n := 1; ; n++ {
		to := kv.NewMemory()
		way := kvtest.NewFaulty(to)
		way.CrashAt(n, kvtest.After)
		r := k.restore(way)
		_, err := r.Run(context.WithoutCancel(t.Context()))
		_, unfinished, _ := to.Get(t.Context(), kv.Restoring)
		if all, _, _ := to.List(t.Context(), ""); !unfinished && len(all) > 0 {
			if err != nil && n < 10 {
				t.Errorf("call %d: %v, and nothing says that it is unfinished", n, err)
			}
			k.check(t, to, true)
			if n < 10 {
				t.Fatalf("only %d calls", n)
			}
			return
		}
		if got, err := k.restore(to).Run(t.Context()); err != nil || got.Erased != 2 {
			t.Fatalf("call %d: %+v, %v", n, got, err)
		}
		k.check(t, to, true)
	}
}
