package etcd_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/internal/etcd"
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

// wipe removes everything.
func wipe(t testing.TB, s kv.Store) {
	t.Helper()
	all, _, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for len(all) > 0 {
		n := min(len(all), kv.MaxOps)
		var txn kv.Txn
		for _, e := range all[:n] {
			txn.Do = append(txn.Do, kv.Op{Key: e.Key, Delete: true})
		}
		if _, err := s.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
		all = all[n:]
	}
}

func TestLedgerConforms(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, patient).start()
	n := c.nodes[(c.leader()+1)%3]
	claimtest.Run(t, func(t *testing.T) claim.Ledger {
		t.Helper()
		wipe(t, n)
		return claim.NewKeeper(n, master(t))
	})
	t.Run("vault", func(t *testing.T) { claimtest.RunVault(t, claim.VaultIn(n), "0000-0000-0000") })
}

// A flood of reports is refused before the store is full, and then all that came in can be
// decided and erased: etcd itself would take none of these writes. The store is so large that what comes in between two
// looks of the guard, ten in a second, is little of it.
func TestIntakeStopsBeforeTheQuota(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, patient, func(c *etcd.Config) { c.Quota = 64 << 20 }).start()
	n := c.nodes[0]
	for _, s := range []*etcd.Node{n, c.client(0)} {
		if used, quota, err := s.Room(t.Context()); err != nil || used <= 0 || quota != 64<<20 {
			t.Fatalf("room: %d of %d, %v", used, quota, err)
		}
	}
	k := claim.NewKeeper(n, master(t))
	k.Guard(n)
	var ids []string
	reports := make([]claim.Report, 60)
	for round := range 2_000 {
		for i := range reports {
			reports[i] = claimtest.Report(round*len(reports) + i)
		}
		receipts, errs := k.File(t.Context(), reports)
		if errs[0] != nil {
			if !errors.Is(errs[0], claim.ErrUnavailable) || !strings.Contains(errs[0].Error(), "nearly full") {
				t.Fatal(errs[0])
			}
			break
		}
		for _, r := range receipts {
			ids = append(ids, r.ID)
		}
	}
	if s := n.Status(); len(ids) < 1_000 || len(s.Alarms) > 0 {
		t.Fatalf("%d reports, %+v", len(ids), s)
	}
	t.Logf("%d reports taken, %d of %d bytes in use", len(ids), n.Status().InUse, n.Status().Quota)
	for len(ids) > 0 {
		batch := ids[:min(len(ids), 250)]
		claims, events := make([]claim.Claim, len(batch)), make([]claim.Event, len(batch))
		for i, id := range batch {
			x, err := k.Claim(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			x.State = claim.Decided
			claims[i], events[i] = x, claim.Event{Who: "policy", What: "decided"}
		}
		if err := k.Change(t.Context(), claims, events); err != nil {
			t.Fatalf("%d left: %v, %+v", len(ids), err, n.Status())
		}
		if err := k.Erase(t.Context(), batch[0], "kim", "asked"); err != nil {
			t.Fatal(err)
		}
		ids = ids[len(batch):]
	}
	if s := n.Status(); len(s.Alarms) > 0 {
		t.Errorf("%+v", s)
	}
}
