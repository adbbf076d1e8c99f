package kv_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

func TestMemoryConforms(t *testing.T) {
	kvtest.Run(t, func(*testing.T) kv.Store { return kv.NewMemory() })
}

// The same through a way that could fail but does not.
func TestFaultyConforms(t *testing.T) {
	kvtest.Run(t, func(*testing.T) kv.Store { return kvtest.NewFaulty(kv.NewMemory()) })
}

func TestMemoryFull(t *testing.T) {
	m := kv.NewMemoryQuota(2 << 20)
	kvtest.RunFull(t, m, m.Repair)
}

func TestMemoryCompacted(t *testing.T) {
	m, ctx := kv.NewMemory(), t.Context()
	put := func(v string) int64 {
		rev, err := m.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: "a", Value: []byte(v)}}})
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	first := put("1")
	put("2")
	third := put("3")
	slow, err := m.Watch(ctx, "a", first) // nobody reads it
	if err != nil {
		t.Fatal(err)
	}
	m.Compact(third)
	if _, err := m.Watch(ctx, "a", third-1); !errors.Is(err, kv.ErrCompacted) {
		t.Errorf("watch from before the compaction: %v", err)
	}
	events, err := m.Watch(ctx, "a", third)
	if err != nil {
		t.Fatal(err)
	}
	put("4")
	if got := <-events; string(got[0].Value) != "4" {
		t.Errorf("watched %q", got[0].Value)
	}
	want := '2'
	for batch := range slow { // either it had taken them before, or it ends; it never skips
		if got := rune(batch[0].Value[0]); got != want {
			t.Fatalf("the slow watch saw %c, want %c", got, want)
		}
		if want++; want > '4' {
			break
		}
	}
}

func TestMemoryLeaseExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ctx := kv.NewMemory(), t.Context()
		way := kvtest.NewFaulty(m)
		l, err := way.Lease(ctx, 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := way.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: "a", Lease: l.ID()}}}); err != nil {
			t.Fatal(err)
		}
		exists := func(want bool) {
			t.Helper()
			if _, ok, err := m.Get(ctx, "a"); ok != want || err != nil {
				t.Errorf("%v after the renewal: exists %v, want %v (%v)", time.Since(l.Renewed()), ok, want, err)
			}
		}
		pass(10 * time.Second)
		exists(true)
		way.Cut()
		pass(time.Until(l.Renewed().Add(3*time.Second - time.Millisecond)))
		exists(true)
		way.Heal() // in time
		pass(time.Minute)
		exists(true)
		way.Cut()
		pass(time.Until(l.Renewed().Add(3 * time.Second)))
		<-l.Done()
		exists(false)
		way.Heal()
		pass(time.Minute)
		exists(false)
	})
}

// Who gave up its lease while cut off no longer renews it: healed, the lease runs
// out all the same, or its keys would stay for good.
func TestFaultyClosedWhileCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ctx := kv.NewMemory(), t.Context()
		way := kvtest.NewFaulty(m)
		l, err := way.Lease(ctx, 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := way.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: "a", Lease: l.ID()}}}); err != nil {
			t.Fatal(err)
		}
		way.Cut()
		if err := l.Close(ctx); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("closed while cut: %v", err)
		}
		way.Heal()
		last := l.Renewed()
		pass(time.Until(last.Add(3*time.Second - time.Millisecond)))
		if _, ok, err := m.Get(ctx, "a"); !ok || err != nil {
			t.Errorf("gone before the lease ran out (%v)", err)
		}
		pass(2 * time.Millisecond)
		if _, ok, err := m.Get(ctx, "a"); ok || err != nil {
			t.Errorf("still there %v after the last renewal (%v)", time.Since(last), err)
		}
		select {
		case <-l.Done():
		default:
			t.Error("the lease does not say that it is done")
		}
	})
}

// pass lets time pass in a synctest bubble.
func pass(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

func TestFaulty(t *testing.T) {
	put := func(ctx context.Context, s kv.Store, k string) error {
		_, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: k}}})
		return err
	}
	for _, c := range []struct {
		name    string
		fault   func(*kvtest.Faulty)
		want    []error // of three puts of a, b and c
		written []string
	}{
		{"none", func(*kvtest.Faulty) {}, []error{nil, nil, nil}, []string{"a", "b", "c"}},
		{
			"crash before the second", func(f *kvtest.Faulty) { f.CrashAt(2, kvtest.Before) },
			[]error{nil, kvtest.ErrCrashed, kvtest.ErrCrashed},
			[]string{"a"},
		},
		{
			"crash after the second", func(f *kvtest.Faulty) { f.CrashAt(2, kvtest.After) },
			[]error{nil, kvtest.ErrCrashed, kvtest.ErrCrashed},
			[]string{"a", "b"},
		},
		{
			"lost answer", func(f *kvtest.Faulty) { f.FailAt(2, kvtest.After, kv.ErrUnavailable) },
			[]error{nil, kv.ErrUnavailable, nil},
			[]string{"a", "b", "c"},
		},
		{
			"lost call", func(f *kvtest.Faulty) { f.FailAt(2, kvtest.Before, kv.ErrUnavailable) },
			[]error{nil, kv.ErrUnavailable, nil},
			[]string{"a", "c"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := kv.NewMemory()
			f := kvtest.NewFaulty(m)
			c.fault(f)
			for i, k := range []string{"a", "b", "c"} {
				if err := put(t.Context(), f, k); !errors.Is(err, c.want[i]) {
					t.Errorf("put %s: %v, want %v", k, err, c.want[i])
				}
			}
			found, _, err := m.List(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, e := range found {
				keys = append(keys, e.Key)
			}
			if d := cmp.Diff(c.written, keys); d != "" {
				t.Errorf("written (-want +got):\n%s", d)
			}
		})
	}
}
