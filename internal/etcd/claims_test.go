package etcd_test

import (
	"bytes"
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
