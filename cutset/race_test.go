package cutset

import "testing"

// Which trees are given up before the budget is spent: those that get no further with four times
// the nodes, or not nearly far enough. Small budgets are always spent.
func TestHopeless(t *testing.T) {
	tests := []struct {
		name                       string
		before, most, gates, limit int
		want                       bool
	}{
		{"a small try says nothing", 10, 10, 100, 1 << 18, false},
		{"stuck at the same gate", 60, 60, 100, 1 << 20, true},
		{"stuck just below the top, where unions are made", 99, 99, 100, 1 << 20, false},
		{"still getting on", 40, 60, 100, 1 << 20, false},
		{"getting on, but too slowly", 40, 49, 100, 1 << 20, true},
		{"only three times as much is left", 60, 94, 100, 1 << 22, true},
		{"nearly done", 60, 95, 100, 1 << 22, false},
	}
	for _, test := range tests {
		if got := hopeless(test.before, test.most, test.gates, test.limit); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
