package detect_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/detect"
	"bongsu/internal/kv"
)

// TestHold watches a site vanish and come back through the store, in fake time.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := kv.NewMemory()
		var views detect.Views
		followed := make(chan error)
		go func() { followed <- views.Follow(ctx, store, func() {}) }()

		type observer struct {
			lease kv.Lease
			*detect.Publisher
			since time.Time
			ok    bool
		}
		var all []*observer
		for _, site := range []string{"anyang", "gasan"} {
			l, err := store.Lease(ctx, 3*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &observer{l, &detect.Publisher{Store: store, Site: site, Lease: l.ID(), Every: 3 * time.Second}, time.Now(), true})
		}
		tell := func(o *observer, ok bool) {
			if o.ok != ok {
				o.ok, o.since = ok, time.Now()
			}
			err := o.Publish(ctx, []detect.Sight{{Target: "core", Domain: "pangyo", OK: ok, For: time.Since(o.since)}})
			if err != nil {
				t.Fatal(err)
			}
		}
		state := func() detect.State {
			synctest.Wait()
			v := detect.Judge(detect.Input{Observations: views.Observations(), Policy: detect.DefaultPolicy(), Now: time.Now()})
			s, ok := v.Site("pangyo")
			if !ok {
				return "none"
			}
			return s.State
		}
		expect := func(when string, want detect.State) {
			t.Helper()
			if got := state(); got != want {
				t.Errorf("%s: %s, want %s", when, got, want)
			}
		}
		second := func(ok bool) {
			for _, o := range all {
				tell(o, ok)
			}
			<-time.NewTimer(time.Second).C
		}
		second(true)
		expect("at first", detect.Seen)
		second(false)
		expect("after one glitch", detect.Suspect)
		second(true)
		expect("after the glitch", detect.Seen)
		for range 5 {
			second(false)
		}
		expect("after 5 s", detect.Suspect)
		for range 2 {
			second(false)
		}
		expect("after 7 s", detect.Lost)
		second(true)
		expect("it is back", detect.Seen)
		for range 8 {
			second(false)
		}
		expect("lost again", detect.Lost)

		// One observer dies: its view goes with its lease, and what one site alone
		// says is unknown.
		if err := all[0].lease.Close(ctx); err != nil {
			t.Fatal(err)
		}
		expect("one observer is gone", detect.Unknown)
		if err := all[1].lease.Close(ctx); err != nil {
			t.Fatal(err)
		}
		expect("nobody looks", "none")
		cancel()
		if err := <-followed; !errors.Is(err, context.Canceled) {
			t.Errorf("following ended with %v", err)
		}
	})
}

// TestPublishIsBounded counts the writes of a view that does not change.
func TestPublishIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := kv.NewMemory()
		p := detect.Publisher{Store: store, Site: "anyang", Every: 10 * time.Second}
		began := time.Now()
		for range 100 {
			if err := p.Publish(t.Context(), []detect.Sight{{Target: "core", Domain: "pangyo", OK: true, For: time.Since(began)}}); err != nil {
				t.Fatal(err)
			}
			<-time.NewTimer(time.Second).C
		}
		_, rev, err := store.List(t.Context(), "")
		if err != nil || rev > 12 {
			t.Errorf("revision %d after 100 s, %v: want one write in 10 s", rev, err)
		}
		before := rev
		// It blinked between two calls: the state is the same but younger.
		if err := p.Publish(t.Context(), []detect.Sight{{Target: "core", Domain: "pangyo", OK: true, For: time.Second}}); err != nil {
			t.Fatal(err)
		}
		if _, rev, _ = store.List(t.Context(), ""); rev == before {
			t.Error("a state that began anew was not told")
		}
	})
}

// TestUnreadableView treats what it cannot read as absent, not as a sight.
func TestUnreadableView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := kv.NewMemory()
		for key, value := range map[string]string{"detect/a": "{", "detect/b": `{"v":9}`, "detect/c": `{"v":1,"sights":[{"target":"x","domain":"d","ok":false,"for_ms":7000}]}`} {
			if _, err := store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: key, Value: []byte(value)}}}); err != nil {
				t.Fatal(err)
			}
		}
		var views detect.Views
		followed := make(chan error)
		go func() { followed <- views.Follow(ctx, store, func() {}) }()
		synctest.Wait()
		got := views.Observations()
		if len(got) != 1 || got[0].Observer != "c" || time.Since(got[0].Since) != 7*time.Second {
			t.Errorf("%+v", got)
		}
		cancel()
		if err := <-followed; !errors.Is(err, context.Canceled) {
			t.Errorf("following ended with %v", err)
		}
	})
}
