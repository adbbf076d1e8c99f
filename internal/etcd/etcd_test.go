package etcd_test

import (
	"bytes"
	"testing"
	"time"

	"bongsu/internal/etcd"
	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

// patient lets operations wait: what is asked here is whether they are right, not how
// soon a busy machine has done them.
func patient(c *etcd.Config) { c.Timeout = 30 * time.Second }

func TestMemberConforms(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, patient).start()
	kvtest.Run(t, func(*testing.T) kv.Store { return c.nodes[0] })
}

func TestFollowerConforms(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, patient).start()
	kvtest.Run(t, func(*testing.T) kv.Store { return c.nodes[(c.leader()+1)%3] })
}

func TestClientConforms(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, patient).start()
	client := c.client(0, 1, 2)
	kvtest.Run(t, func(*testing.T) kv.Store { return client })
}

func TestFull(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, patient, func(c *etcd.Config) { c.Quota = 16 << 20 }).start()
	n := c.nodes[(c.leader()+1)%3]
	kvtest.RunFull(t, n, n.Repair)
}

func TestBackup(t *testing.T) {
	t.Parallel()
	from, to := newCluster(t, 1).start(), newCluster(t, 1).start()
	kvtest.RunBackup(t, from.nodes[0], to.nodes[0])
	memory := kv.NewMemory()
	t.Run("by a client", func(t *testing.T) { kvtest.RunBackup(t, from.client(0), kv.NewMemory()) })
	var text bytes.Buffer
	if err := to.nodes[0].Backup(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Restore(t.Context(), &text, memory, nil); err != nil { // from one kind of store to another
		t.Fatal(err)
	}
}
