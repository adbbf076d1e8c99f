package claimtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bongsu/claim/claimtest"
)

// node is a public node that keeps reports by key, and fails in the ways that nodes do.
type node struct {
	mu    sync.Mutex
	kept  map[string]int
	calls int
	fails func(call int, key string, body map[string]any) (status int, says string) // 0: it does not
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls++
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/api/v1/claims" || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if n.fails != nil {
		if status, says := n.fails(n.calls, key, body); status != 0 {
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, says)
			return
		}
	}
	n.kept[key]++
	status := http.StatusCreated
	if n.kept[key] > 1 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"code":"C-%s","secret":"S","again":%v}`, key, n.kept[key] > 1)
}

func load(t *testing.T, n *node, count int) (*claimtest.Load, *claimtest.Loaded) {
	t.Helper()
	n.kept = map[string]int{}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close() // a node that nobody can reach
	l := &claimtest.Load{
		Nodes: []string{server.URL, gone.URL}, Reports: claimtest.Mix2022(count, .1, 1).Reports, Incident: "i", Consent: "1", Connections: 4,
		Solve: func(c json.RawMessage) (string, error) { return "solved " + string(c), nil },
	}
	got, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l, got
}

// Every report is acknowledged once, though one node is gone and the other fails now and then.
func TestLoad(t *testing.T) {
	n := &node{fails: func(call int, _ string, body map[string]any) (int, string) {
		switch {
		case call%7 == 0:
			return http.StatusServiceUnavailable, "full"
		case call%11 == 0 && body["altcha"] == nil:
			return http.StatusTooManyRequests, `{"challenge":{"a":1}}`
		}
		return 0, ""
	}}
	l, got := load(t, n, 300)
	if len(got.Filed) != 300 || len(got.Unfiled) != 0 || len(n.kept) != 300 || got.Tries <= 300 {
		t.Fatalf("%v; %d are kept", got, len(n.kept))
	}
	for i, f := range got.Filed {
		if f.Report != i || n.kept[f.Key] == 0 || f.Receipt.ID != "C-"+f.Key || f.Took <= 0 || l.Nodes[f.Node] != l.Nodes[0] {
			t.Fatalf("%+v", f)
		}
	}
	half, most := got.Quantile(.5), got.Quantile(1)
	slower := slices.Collect(func(yield func(time.Duration) bool) {
		for _, f := range got.Filed {
			if f.Took >= half && !yield(f.Took) {
				return
			}
		}
	})
	if len(slower) < 150 || slices.Max(slower) != most || got.Rate() <= 0 || !strings.Contains(got.String(), "300 reports") {
		t.Errorf("%d of 300 are slower than the median; %v", len(slower), got)
	}
}

// What is refused is told and not sent again; what nobody answers is given up.
func TestLoadThatIsRefused(t *testing.T) {
	n := &node{fails: func(_ int, _ string, body map[string]any) (int, string) {
		if body["use"] == "free" && body["loss"] == nil || body["use"] == "none" && body["loss"] != nil {
			return http.StatusTeapot, "the body is not what the API takes"
		}
		if body["use"] == "paid" {
			return http.StatusUnprocessableEntity, "wrong"
		}
		return 0, ""
	}}
	_, got := load(t, n, 100)
	if len(got.Unfiled) == 0 || len(got.Filed)+len(got.Unfiled) != 100 {
		t.Fatal(got)
	}
	for _, u := range got.Unfiled {
		if u.Status != http.StatusUnprocessableEntity || u.Says != "wrong" {
			t.Errorf("%+v", u)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &claimtest.Load{Nodes: []string{"http://127.0.0.1:1"}, Reports: claimtest.Mix2022(3, 0, 1).Reports, Incident: "i"}
	if got, err := l.Run(ctx); err == nil || len(got.Filed) > 0 || got.Rate() != 0 || got.Quantile(.99) != 0 {
		t.Error(got, err)
	}
	l.Tries = 1
	if got, err := l.Run(t.Context()); err != nil || len(got.Unfiled) != 3 || got.Unfiled[0].Status != 0 {
		t.Error(got, err)
	}
	if _, err := (&claimtest.Load{}).Run(t.Context()); err == nil {
		t.Error("a load on nothing")
	}
}
