package status_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bongsu/internal/kv"
	"bongsu/status"
)

// TestOneMailboxIsOneSubscriber: however its address is written, a mailbox gets one
// letter.
func TestOneMailboxIsOneSubscriber(t *testing.T) {
	for _, all := range [][]string{
		{"victim@example.com", "victim@ｅxample.com", "victim@ⓔⓧample.com", "victim@EXAMPLE.com", "Victim@example。com"},
		{"victim@bücher.example", "victim@xn--bcher-kva.example", "victim@bu\u0308cher.example", "victim@BÜCHER.example"},
		{"피해자@example.com", "\u1111\u1175\u1112\u1162\u110c\u1161@example.com"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			stop := h.run(t.Context())
			defer stop()
			for _, address := range all {
				if err := h.desk.Subscribe(t.Context(), status.Subscription{Kind: status.ByMail, Address: address}, address); err != nil {
					t.Errorf("%s: %v", address, err)
				}
				settle(time.Second)
			}
			if letters := h.out.take(); len(letters) != 1 {
				t.Errorf("%d letters to %v", len(letters), addresses(letters))
			}
		})
	}
	h := newHouse(t)
	for _, address := range []string{"a@exa mple.com", "a@-.com", "a@example..com", "a@com", "a@ .com", "a@xn--0.com"} {
		if err := h.desk.Subscribe(t.Context(), status.Subscription{Kind: status.ByMail, Address: address}, address); !errors.Is(err, status.ErrInput) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestFloodFreesNobody: more networks than are remembered leave one held back that had
// its forms a moment ago.
func TestFloodFreesNobody(t *testing.T) {
	limits := status.DefaultLimits()
	limits.PerPrefix = 1
	desk, err := status.NewDesk(kv.NewMemory(), []byte(strings.Repeat("k", 32)), limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Without a store nothing is filed; what a network may do is looked at before.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	allowed := func(from string) bool {
		err := desk.Ask(ctx, status.Question{Text: "?"}, from)
		if err == nil {
			t.Fatal("a question was filed without a store")
		}
		return !errors.Is(err, status.ErrTooMany)
	}
	for n := range 49_999 {
		allowed(fmt.Sprint("network ", n))
	}
	allowed("greedy")
	for n := range 2 {
		if !allowed(fmt.Sprint("more ", n)) {
			t.Error("another network is refused")
		}
	}
	if allowed("greedy") {
		t.Error("a flood freed a network that was held back")
	}
}
