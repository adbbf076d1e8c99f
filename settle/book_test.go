package settle

import (
	"strings"
	"testing"
	"time"

	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

func owe(id string, amount int64) Entry {
	return Entry{
		ID: id, At: time.Date(2022, 12, 29, 0, 0, 0, 0, time.UTC), By: "kakao-2022@1", Why: "small-business-30k", Currency: "KRW",
		Lines: []Line{{Expense("i", policy.Goodwill), amount}, {Claimant(id), -amount}},
		About: About{Incident: "i", Claim: id, Ground: policy.Goodwill, Policy: "kakao-2022@1", Rule: "small-business-30k", Face: amount, Cost: amount},
	}
}

func TestEntryCheck(t *testing.T) {
	for _, tt := range []struct {
		says   string
		change func(*Entry)
	}{
		{"sums to 1", func(e *Entry) { e.Lines[0].Amount++ }},
		{"expected an amount", func(e *Entry) { e.Lines[0].Amount, e.Lines[1].Amount = 0, 0 }},
		{"expected an amount", func(e *Entry) { e.Lines[0].Amount, e.Lines[1].Amount = 1<<62, -1<<62 }},
		{"twice", func(e *Entry) { e.Lines[1].Account = e.Lines[0].Account }},
		{"expected one of", func(e *Entry) { e.Lines[0].Account = "expenses/i" }},
		{"expected one of", func(e *Entry) { e.Lines[0].Account = "bank/\x00KRW" }},
		{"2 to 100", func(e *Entry) { e.Lines = e.Lines[:1] }},
		{"are missing", func(e *Entry) { e.Why = "" }},
		{"no time", func(e *Entry) { e.At = time.Time{} }},
		{"entry ID", func(e *Entry) { e.ID = "a/b" }},
		{"currency", func(e *Entry) { e.Currency = "won!" }},
	} {
		e := owe("c", 5)
		tt.change(&e)
		if err := e.Check(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("got %v, want %q", err, tt.says)
		}
	}
}

// Audit finds what somebody changed by hand.
func TestAuditFindsForgery(t *testing.T) {
	ctx := t.Context()
	s := kv.NewMemory()
	b := NewBook(s)
	if err := b.Post(ctx, owe("c1", 30_000)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: balanceKey(Claimant("c1"), "KRW"), Value: []byte(`{"v":1,"amount":-7}`)}}}); err != nil {
		t.Fatal(err)
	}
	if wrong, err := Audit(ctx, b, "KRW"); len(wrong) != 2 || err != nil {
		t.Errorf("a forged balance: %q, %v", wrong, err)
	}
}
