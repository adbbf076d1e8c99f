package etcd_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"bongsu/internal/kv"
)

// The time from the loss of the raft leader, without a farewell, to the first write that
// a survivor acknowledges. It prints figures and asserts none.
func TestFirstWriteAfterLeaderLoss(t *testing.T) {
	c := newCluster(t, 3).start()
	var took []time.Duration
	for range 5 {
		lead := c.leader()
		n := c.nodes[(lead+1)%3]
		mustPut(t, n, "a", "before")
		killed := time.Now()
		ended := make(chan struct{})
		node := c.nodes[lead]
		go func() {
			node.Kill()
			close(ended)
		}()
		for {
			err := put(t.Context(), n, "a", "after")
			if err == nil {
				break
			}
			if !errors.Is(err, kv.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		took = append(took, time.Since(killed))
		<-ended
		c.nodes[lead] = nil
		c.open(lead)
		c.ready(lead)
		mustGet(t, c.nodes[lead], "a", "after")
	}
	slices.Sort(took)
	t.Logf("first write after the loss of the leader: median %v, worst %v of %d", took[len(took)/2], took[len(took)-1], len(took))
}

// BenchmarkCommit is one small transaction after another on three members in one process.
func BenchmarkCommit(b *testing.B) {
	c := newCluster(b, 3).start()
	lead := c.leader()
	for _, at := range []struct {
		name string
		n    kv.Store
	}{
		{"leader", c.nodes[lead]}, {"follower", c.nodes[(lead+1)%3]}, {"client", c.client(0, 1, 2)},
	} {
		b.Run(at.name, func(b *testing.B) {
			value := string(make([]byte, 200))
			mustPut(b, at.n, "a", value)
			for b.Loop() {
				if err := put(b.Context(), at.n, "a", value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(at.name+"/16 at once", func(b *testing.B) {
			value := string(make([]byte, 200))
			var key atomic.Int64
			b.SetParallelism(8) // times two processors
			b.RunParallel(func(pb *testing.PB) {
				k := "k" + string(rune('a'+key.Add(1)))
				for pb.Next() {
					if err := put(b.Context(), at.n, k, value); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
