package audit_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/internal/kv"
)

var writeFixture = flag.Bool("fixture", false, "write testdata/stored/history-v1.json anew: only before version 1 was ever released")

func keep(t *testing.T, st kv.Store, h *audit.History) audit.Place {
	t.Helper()
	at, err := audit.At(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	p, err := audit.Keep(t.Context(), st, at, h)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, st kv.Store) *audit.History {
	t.Helper()
	at, err := audit.At(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	h, err := audit.Read(t.Context(), st, at)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// example is a history of three revisions, of which one fixed something.
func example(t *testing.T) *audit.History {
	t.Helper()
	r := kakao(t)
	r.Findings = slices.DeleteFunc(r.Findings, func() func(audit.Finding) bool { // three of each rule
		seen := map[string]int{}
		return func(f audit.Finding) bool { seen[f.Rule]++; return seen[f.Rule] > 3 }
	}())
	judged := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	for _, loss := range []string{"", "pangyo", "anyang+pangyo"} {
		r.WaivesNothing = append(r.WaivesNothing, audit.IdleWaiver{Subject: "talk-db", Rule: "quorum", Loss: loss, Owner: "kim", File: "data.yaml", Line: 7})
	}
	b := audit.DefaultBounds()
	b.Standing, b.Losses, b.Waivers = len(r.Findings)-3, 3, 2 // of four sites and three waivers
	h := (&audit.History{}).Fold(mark(1), judged, r, b)
	fewer := *r
	fewer.Findings = r.Findings[:len(r.Findings)-2]
	return h.Fold(mark(2), judged, &fewer, b).Fold(mark(3), judged, r, b)
}

func TestHistoryIsKept(t *testing.T) {
	st := kv.NewMemory()
	if h := read(t, st); h.Followed() != 0 || len(h.Audits) != 0 {
		t.Fatalf("an empty store holds %+v", h)
	}
	want := example(t)
	keep(t, st, want)
	if diff := cmp.Diff(want, read(t, st), sameHistory()); diff != "" {
		t.Errorf("the history that is read is another one (-kept +read):\n%s", diff)
	}
	if len(want.WaivesNothing) != 2 || want.MoreWaivers != 1 {
		t.Errorf("%d waivers and %d more waive nothing, want 2 and 1", len(want.WaivesNothing), want.MoreWaivers)
	}
	next := want.Fold(mark(4), time.Now(), reportOf(), audit.DefaultBounds())
	keep(t, st, next)
	found, _, err := st.List(t.Context(), "audit/")
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]bool{}
	for _, e := range found {
		if strings.HasPrefix(e.Key, "audit/data/") {
			sums[strings.Split(e.Key, "/")[2]] = true
		}
	}
	if len(sums) != 1 {
		t.Errorf("%d histories are stored, want the last one only", len(sums))
	}
}

// A large history is written in transactions that every store
// takes, and read back whole.
func TestLargeHistoryIsKept(t *testing.T) {
	b := audit.DefaultBounds()
	b.Standing, b.Brief = 500, 2_400 // more takes the race detector too long
	r := rand.New(rand.NewPCG(1, 1))
	var ids []string
	for i := range b.Standing + b.Brief + 10 {
		ids = append(ids, fmt.Sprintf("shared-fate/site-%d+site-%d/component-%x", i%7, i%11, noise(r)))
	}
	want := (&audit.History{}).Fold(mark(1), time.Now(), reportOf(ids...), b)
	st := &counting{Store: kv.NewMemory()}
	keep(t, st, want)
	if st.largest > kv.MaxBytes || st.total < 800<<10 || st.total > 16<<20 {
		t.Errorf("the largest transaction has %d bytes, all have %d", st.largest, st.total)
	}
	t.Logf("%d findings take %d KiB", len(ids), st.total>>10)
	h := read(t, st)
	if h.Followed() != b.Standing+b.Brief || h.MoreFindings != 10 {
		t.Errorf("%d findings are followed and %d more are not", h.Followed(), h.MoreFindings)
	}
}

// noise is what no gzip makes much smaller, so that few findings are large.
func noise(r *rand.Rand) []byte {
	text := make([]byte, 300)
	for i := range text {
		text[i] = byte(r.Uint32())
	}
	return text
}

type counting struct {
	kv.Store
	largest, total int
}

func (c *counting) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	n := 0
	for _, op := range t.Do {
		n += len(op.Key) + len(op.Value)
	}
	c.largest, c.total = max(c.largest, n), c.total+n
	return c.Store.Commit(ctx, t)
}

// Of two writers that began at the same place, one wins; the other changes nothing.
func TestHistoryIsWrittenOnce(t *testing.T) {
	st := kv.NewMemory()
	h := example(t)
	at, err := audit.At(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Keep(t.Context(), st, at, h); err != nil {
		t.Fatal(err)
	}
	other := h.Fold(mark(9), time.Now(), reportOf("outage/north/x"), audit.DefaultBounds())
	if _, err := audit.Keep(t.Context(), st, at, other); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("the second writer got %v, want a conflict", err)
	}
	if diff := cmp.Diff(h, read(t, st), sameHistory()); diff != "" {
		t.Error(diff)
	}
}

// A writer that dies at its first, second, … write leaves the history before whole,
// and its leavings go with the next write.
func TestHistorySurvivesACrash(t *testing.T) {
	for n := range 4 {
		st := &mortal{Store: kv.NewMemory(), left: 1 << 30}
		h := example(t)
		keep(t, st, h)
		next := h.Fold(mark(4), time.Now(), reportOf("outage/north/x"), audit.DefaultBounds())
		at, err := audit.At(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		st.left = n
		_, crash := audit.Keep(t.Context(), st, at, next)
		st.left = 1 << 30
		want := h
		if n >= 2 { // the pieces and the head: what is left is to drop the old pieces
			want = next
		} else if crash == nil {
			t.Fatalf("after %d writes nothing was left to crash", n)
		}
		if diff := cmp.Diff(want, read(t, st), sameHistory()); diff != "" {
			t.Errorf("after a crash at write %d:\n%s", n+1, diff)
		}
		last := h.Fold(mark(5), time.Now(), reportOf("outage/north/y"), audit.DefaultBounds())
		keep(t, st, last)
		if found, _, err := st.List(t.Context(), "audit/data/"); err != nil || len(found) != 1 {
			t.Errorf("after a crash at write %d and another write there are %d pieces, %v", n+1, len(found), err)
		}
	}
}

var errCrash = errors.New("crash")

type mortal struct {
	kv.Store
	left int
}

func (m *mortal) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if m.left == 0 {
		return 0, errCrash
	}
	m.left--
	return m.Store.Commit(ctx, t)
}

// What version 1 wrote must be readable for ever.
func TestStoredVersion1(t *testing.T) {
	name := filepath.Join("testdata", "stored", "history-v1.json")
	if *writeFixture {
		st := kv.NewMemory()
		keep(t, st, example(t))
		found, _, err := st.List(t.Context(), "audit/data/")
		if err != nil || len(found) != 1 {
			t.Fatalf("%d pieces, %v", len(found), err)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, gunzip(t, found[0].Value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := audit.DecodeHistory(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Audits) != 3 || len(h.Fixed) != 2 || h.Fixed[0].Fixed.Number != 2 || h.Fixed[0].Opened.Who != "minseo" || len(h.Standing) == 0 || h.Standing[0].Graph == nil || len(h.Brief) == 0 {
		t.Errorf("%d audits, %d fixed, %d standing, %d in brief", len(h.Audits), len(h.Fixed), len(h.Standing), len(h.Brief))
	}
	if !bytes.Equal(audit.EncodeHistory(h), data) {
		t.Error("what was read is not written as it was")
	}
	newer := bytes.Replace(data, []byte(`"v":1`), []byte(`"v":2`), 1)
	if _, err := audit.DecodeHistory(newer); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a newer version gives %v", err)
	}
}

// What is damaged is refused with a reason.
func TestDamagedHistory(t *testing.T) {
	for _, value := range []string{"", "no JSON", `{"v":2,"number":1}`, `{"v":1,"number":1,"sum":"abc","pieces":1}`} {
		st := kv.NewMemory()
		ops := []kv.Op{{Key: "audit/head", Value: []byte(value)}, {Key: "audit/data/abc/00000", Value: []byte("no gzip")}}
		if _, err := st.Commit(t.Context(), kv.Txn{Do: ops}); err != nil {
			t.Fatal(err)
		}
		at, err := audit.At(t.Context(), st)
		if err == nil {
			_, err = audit.Read(t.Context(), st, at)
		}
		if err == nil {
			t.Errorf("%q is read without an error", value)
		}
	}
}

func gunzip(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
