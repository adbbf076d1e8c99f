package status_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/internal/kv"
	"bongsu/status"
)

// behind lists what waits to be sent as it was when something was first there.
type behind struct {
	kv.Store
	mu    sync.Mutex
	first map[string][]kv.Entry
}

func (b *behind) List(ctx context.Context, prefix string) ([]kv.Entry, int64, error) {
	all, rev, err := b.Store.List(ctx, prefix)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !strings.HasSuffix(prefix, "wish/") && !strings.HasSuffix(prefix, "out/"):
	case b.first[prefix] != nil:
		return b.first[prefix], rev, err
	case len(all) > 0:
		b.first[prefix] = all
	}
	return all, rev, err
}

// TestALookThatIsLateSendsNothingTwice: what was listed and was done with meanwhile is
// not sent again, and does not end the outbox.
func TestALookThatIsLateSendsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		stop := h.run(t.Context())
		h.join(status.ByMail, "a@example.kr")
		stop()
		whole := h.store
		h.store = &behind{Store: whole, first: map[string][]kv.Entry{}}
		stop = h.run(t.Context())
		defer stop()
		if err := h.desk.Subscribe(t.Context(), status.Subscription{Kind: status.ByMail, Address: "b@example.kr"}, "x"); err != nil {
			t.Fatal(err)
		}
		h.store = whole
		h.tell(1)
		settle(time.Minute) // many looks
		if got := addresses(h.out.take()); len(got) != 2 || got[0] != "a@example.kr" || got[1] != "b@example.kr" {
			t.Errorf("letters to %v", got)
		}
	})
}
