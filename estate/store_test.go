package estate

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bongsu/internal/kv"
)

func oneDomain(name string) []File {
	return []File{{"a.yaml", []byte("# why\nkind: Domain\nname: " + name + "\n")}}
}

func mustPush(t *testing.T, st kv.Store, files []File) Revision {
	t.Helper()
	r, err := Push(t.Context(), st, nil, files, "kim", "because")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPushLogRollback(t *testing.T) {
	st := kv.NewMemory()
	if _, ok, err := Head(t.Context(), st); ok || err != nil {
		t.Fatalf("head of an empty store: %v, %v", ok, err)
	}
	if _, _, err := At(t.Context(), st, "1"); !errors.Is(err, ErrNoRevision) {
		t.Errorf("revision of an empty store: %v", err)
	}
	first := mustPush(t, st, oneDomain("north"))
	second := mustPush(t, st, oneDomain("south"))
	if again := mustPush(t, st, oneDomain("south")); again != second {
		t.Errorf("the same files made a new revision: %+v", again)
	}
	third, err := Rollback(t.Context(), st, nil, "1", "lee", "south was wrong")
	if err != nil {
		t.Fatal(err)
	}
	want := Revision{Number: 3, Rev: first.Rev, Who: "lee", Why: "south was wrong", Files: 1, Bytes: first.Bytes, Of: 1}
	if diff := cmp.Diff(want, third, cmpopts.IgnoreFields(Revision{}, "At")); diff != "" {
		t.Errorf("rollback (-want +got):\n%s", diff)
	}
	if head, ok, err := Head(t.Context(), st); head != third || !ok || err != nil {
		t.Errorf("head is %+v, %v, %v", head, ok, err)
	}
	log, err := Log(t.Context(), st)
	if diff := cmp.Diff([]Revision{third, second, first}, log); diff != "" || err != nil {
		t.Errorf("log (-want +got), %v:\n%s", err, diff)
	}
	for _, c := range []struct {
		rev    string
		number int64
		name   string
	}{
		{"1", 1, "north"},
		{"2", 2, "south"},
		{first.Rev, 3, "north"},
		{first.Rev[:12], 3, "north"},
		{strings.TrimPrefix(second.Rev, "sha256:")[:6], 2, "south"},
	} {
		files, r, err := At(t.Context(), st, c.rev)
		if diff := cmp.Diff(oneDomain(c.name), files); diff != "" || err != nil || r.Number != c.number {
			t.Errorf("at %s: revision %d, %v (-want +got):\n%s", c.rev, r.Number, err, diff)
		}
	}
	if _, _, err := At(t.Context(), st, "4"); !errors.Is(err, ErrNoRevision) || !strings.Contains(err.Error(), "there are 1 to 3") {
		t.Errorf("at 4: %v", err)
	}
}

func TestPushRefusesWhatIsNoEstate(t *testing.T) {
	st := kv.NewMemory()
	_, err := Push(t.Context(), st, nil, []File{{"a.yaml", []byte("kind: Domain")}}, "kim", "")
	if _, ok := errors.AsType[Errors](err); !ok {
		t.Errorf("the error is %v", err)
	}
	if all, _, _ := st.List(t.Context(), ""); len(all) != 0 {
		t.Errorf("%d keys were written", len(all))
	}
}

// bulky is an estate of two files with more comments than gzip can press into
// one piece or one transaction.
func bulky(seed uint64) []File {
	r := rand.New(rand.NewPCG(seed, 0))
	var b bytes.Buffer
	line := make([]byte, 90)
	for range 12_000 {
		for i := range line {
			line[i] = byte(r.Uint32())
		}
		fmt.Fprintf(&b, "# %s\n", base64.StdEncoding.EncodeToString(line))
	}
	b.WriteString("kind: Domain\nname: north\n")
	return []File{{"a.yaml", b.Bytes()}, {"sub/b.yaml", []byte("kind: Domain\nname: south\n")}}
}

// A large estate takes several pieces and transactions, none of them too large.
func TestPushInPieces(t *testing.T) {
	files := bulky(7)
	st := &watched{Store: kv.NewMemory()}
	r := mustPush(t, st, files)
	back, _, err := At(t.Context(), st, r.Rev)
	if err != nil || !slices.EqualFunc(files, back, func(a, b File) bool { return a.Name == b.Name && bytes.Equal(a.Data, b.Data) }) {
		t.Errorf("the files changed: %v", err)
	}
	if st.commits < 3 {
		t.Errorf("%d transactions; the estate is too small for this test", st.commits)
	}
	if st.largest > kv.MaxBytes {
		t.Errorf("a transaction of %d bytes", st.largest)
	}
}

// watched counts what is written, and can stop writes after some.
type watched struct {
	kv.Store
	commits, largest int
	stopAfter        int // 0: never
	before           func()
}

var errStopped = errors.New("the process died here")

func (w *watched) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if w.before != nil {
		f := w.before
		w.before = nil
		f()
	}
	if w.stopAfter > 0 && w.commits == w.stopAfter {
		return 0, errStopped
	}
	w.commits++
	size := 0
	for _, o := range t.Do {
		size += len(o.Key) + len(o.Value)
	}
	w.largest = max(w.largest, size)
	return w.Store.Commit(ctx, t)
}

// Wherever a push dies, the revision before is still the current one and whole,
// and the same push goes through afterwards.
func TestTornPush(t *testing.T) {
	big := bulky(8)
	inner := kv.NewMemory()
	first := mustPush(t, inner, oneDomain("north"))
	stops := 0
	for stop := 1; ; stop++ {
		st := &watched{Store: inner, stopAfter: stop}
		_, err := Push(t.Context(), st, nil, big, "kim", "")
		if err == nil {
			break
		}
		stops++
		if !errors.Is(err, errStopped) {
			t.Fatalf("stopped after %d writes: %v", stop, err)
		}
		if head, _, err := Head(t.Context(), inner); head != first || err != nil {
			t.Fatalf("stopped after %d writes, the head is %+v, %v", stop, head, err)
		}
		if files, _, err := At(t.Context(), inner, first.Rev); err != nil || len(files) != 1 {
			t.Fatalf("stopped after %d writes, the old files: %v", stop, err)
		}
	}
	if stops < 2 {
		t.Errorf("the push was stopped at %d places only", stops)
	}
	if files, r, err := At(t.Context(), inner, "2"); err != nil || len(files) != len(big) || r.Number != 2 {
		t.Errorf("the push after all: revision %d, %v", r.Number, err)
	}
}

func TestTwoPushes(t *testing.T) {
	inner := kv.NewMemory()
	mustPush(t, inner, oneDomain("a"))
	// The other push comes after this one has looked at the head.
	st := &watched{Store: inner}
	st.before = func() { mustPush(t, inner, oneDomain("b")) }
	_, err := Push(t.Context(), st, nil, oneDomain("c"), "kim", "")
	if !errors.Is(err, kv.ErrConflict) {
		t.Errorf("the second push: %v", err)
	}
	log, err := Log(t.Context(), inner)
	if err != nil || len(log) != 2 {
		t.Errorf("%d revisions, %v", len(log), err)
	}
}

func TestPushBehindAFence(t *testing.T) {
	st := kv.NewMemory()
	_, err := Push(t.Context(), st, &kv.Fence{Key: "leader", Term: 5}, oneDomain("a"), "kim", "")
	if !errors.Is(err, kv.ErrFenced) {
		t.Errorf("a push without the term: %v", err)
	}
	if _, ok, err := Head(t.Context(), st); ok || err != nil {
		t.Errorf("the head is there: %v", err)
	}
}

// The files of the last revisions are kept, the records of all.
func TestOldFilesAreDropped(t *testing.T) {
	st := kv.NewMemory()
	for i := range keptContents + 3 {
		mustPush(t, st, oneDomain(fmt.Sprintf("d%d", i)))
	}
	log, err := Log(t.Context(), st)
	if err != nil || len(log) != keptContents+3 {
		t.Fatalf("%d revisions, %v", len(log), err)
	}
	for _, r := range log {
		_, _, err := At(t.Context(), st, fmt.Sprint(r.Number))
		if dropped := r.Number <= 3; dropped != errors.Is(err, ErrDropped) || !dropped && err != nil {
			t.Errorf("files of revision %d: %v", r.Number, err)
		}
	}
	// What was dropped can be pushed again.
	mustPush(t, st, oneDomain("d0"))
	if _, _, err := At(t.Context(), st, fmt.Sprint(keptContents+4)); err != nil {
		t.Error(err)
	}
}

// Values of every version ever written still decode.
func TestStoredVersions(t *testing.T) {
	for _, c := range []struct {
		file string
		want storedRevision
	}{
		{"revision-v1.json", storedRevision{V: 1, Number: 12, Rev: "sha256:0123456789abcdef", Who: "kim", Why: "new hall", Files: 3, Bytes: 4096, Of: 9, Sum: "ab", Pieces: 2}},
	} {
		b, err := os.ReadFile(filepath.Join("testdata", "stored", c.file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(c.file, b, func(r *storedRevision) int { return r.V })
		if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(storedRevision{}, "At")); diff != "" || err != nil {
			t.Errorf("%s, %v (-want +got):\n%s", c.file, err, diff)
		}
		if got.At.Format("2006-01-02") != "2026-11-23" {
			t.Errorf("%s: at %v", c.file, got.At)
		}
	}
	_, err := decode("estate/head", []byte(`{"v":2,"number":1}`), func(h *storedHead) int { return h.V })
	if err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a value of a newer version: %v", err)
	}
}
