package deskapi

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"bongsu/claim"
	"bongsu/internal/kv"
)

// What is to be done next is about what happened, though an error is several.
func TestProblem(t *testing.T) {
	_, window := (&claim.Office{Store: kv.NewMemory()}).Window(context.Background(), "nosuch")
	for _, tt := range []struct {
		err              error
		code, says, hint string
	}{
		{fmt.Errorf("file a report: %w: %w", claim.ErrUnavailable, kv.ErrFull), "store-full", "full", "quota"},
		{fmt.Errorf("file a report: %w: %w", claim.ErrUnavailable, kv.ErrUnavailable), "no-quorum", "", "majority"},
		{window, "not-found", `window of "nosuch": no window was ever opened`, "claim window list"},
		{fmt.Errorf("%w: x", claim.ErrNotFound), "not-found", "no such claim", "claim list"},
		{claim.ErrDigest, "conflict", "another text", "claim draft list"},
		{claim.ErrPolicy, "bad-input", "", "claim policy FILE"},
		{fmt.Errorf("%w as %q", claim.ErrUnknown, "nosuch"), "bad-input", "no such incident", "--prepared"},
	} {
		if p := problem(tt.err); p.Code != tt.code || !strings.Contains(p.Message, tt.says) || !strings.Contains(p.Hint, tt.hint) {
			t.Errorf("%v: %+v", tt.err, p)
		}
	}
}
