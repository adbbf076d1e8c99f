package status_test

import (
	"fmt"
	"testing"

	"bongsu/internal/kv"
	"bongsu/status"
)

// BenchmarkQueue reads 10,240 subscribers, as the outbox does before the first letter
// of an update: the update is one record, and whom it goes to is read from there.
func BenchmarkQueue(b *testing.B) {
	desk, err := status.NewDesk(kv.NewMemory(), make([]byte, 32), status.DefaultLimits(), nil)
	if err != nil {
		b.Fatal(err)
	}
	all := make([]status.Subscription, 10_240)
	for i := range all {
		all[i] = status.Subscription{Kind: status.ByMail, Address: fmt.Sprintf("u%05d@example.kr", i), Lang: "ko"}
	}
	if err := desk.Enrol(b.Context(), all); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := desk.Subscribers(b.Context()); err != nil || len(got) != len(all) {
			b.Fatalf("%d, %v", len(got), err)
		}
	}
}
