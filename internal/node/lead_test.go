package node

import (
	"errors"
	"testing"
	"time"

	"bongsu/detect"
	"bongsu/incident"
	"bongsu/internal/kv"
)

// What a leader concludes is written under its term: one that was superseded
// declares nothing, however sure it is.
func TestASupersededLeaderDeclaresNothing(t *testing.T) {
	store := kv.NewMemory()
	claim := kv.Claim{Key: leaderPrefix, Value: []byte("{}"), TTL: time.Minute}
	old, err := kv.Campaign(t.Context(), store, claim)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	next, err := kv.Campaign(t.Context(), store, claim)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.Resign(t.Context()) }()
	lost := detect.Verdict{Losses: []detect.Loss{{Domain: "north", Sentence: "nobody sees it", Since: time.Now()}}}
	rule := incident.Rule{Auto: true}
	if _, _, err := incident.Reconcile(t.Context(), under{store, old.Fence()}, lost, rule); !errors.Is(err, kv.ErrFenced) {
		t.Errorf("the superseded leader: %v", err)
	}
	if all, err := incident.List(t.Context(), store); err != nil || len(all) != 0 {
		t.Errorf("incidents: %+v, %v", all, err)
	}
	if i, _, err := incident.Reconcile(t.Context(), under{store, next.Fence()}, lost, rule); err != nil || i.State != incident.Declared {
		t.Errorf("the leader: %+v, %v", i, err)
	}
}
