package incident_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"bongsu/incident"
	"bongsu/internal/kv"
)

func recordKey(t *testing.T) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "bongsu-record.test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, vkey
}

// TestTwoNodesSealOneHistory lets nodes write and sign at once: all that they sign is of
// one history, which consistency proofs show without the entries.
func TestTwoNodesSealOneHistory(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	signer, vkey := recordKey(t)
	i := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"}))
	var all sync.WaitGroup
	for node := range 2 {
		all.Go(func() {
			for n := range 20 {
				if _, err := incident.AddNote(ctx, s, i.ID, incident.ActNote, fmt.Sprint("node ", node), fmt.Sprint(n)); err != nil {
					t.Error(err)
				}
				if _, _, err := incident.Seal(ctx, s, i.ID, signer, incident.Checkpoint{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	out, err := incident.ExportRecord(ctx, s, i.ID, vkey)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Checkpoints) < 2 || len(out.Proofs) != len(out.Checkpoints)-1 {
		t.Fatalf("%d checkpoints, %d proofs", len(out.Checkpoints), len(out.Proofs))
	}
	signed, err := incident.Checkpoints(ctx, s, i.ID)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	for n, p := range out.Proofs {
		var proof tlog.TreeProof
		for _, h := range p.Hashes {
			b, err := base64.StdEncoding.DecodeString(h)
			if err != nil {
				t.Fatal(err)
			}
			proof = append(proof, tlog.Hash(b))
		}
		from, to := signed[n], signed[n+1]
		if err := tlog.CheckTree(proof, to.Size, to.Hash, from.Size, from.Hash); err != nil {
			t.Errorf("%d entries do not continue %d: %v", to.Size, from.Size, err)
		}
		if _, err := note.Open([]byte(to.Note), note.VerifierList(verifier)); err != nil {
			t.Errorf("checkpoint of %d: %v", to.Size, err)
		}
	}
	last := signed[len(signed)-1]
	if _, again, err := incident.Seal(ctx, s, i.ID, signer, incident.Checkpoint{}); again || err != nil || last.Size != 41 {
		t.Errorf("nothing changed and it was signed again: %v %v, %d", again, err, last.Size)
	}
}

// TestSealRefusesAnotherHistory changes the store under a checkpoint.
func TestSealRefusesAnotherHistory(t *testing.T) {
	for name, tamper := range map[string]func(ctx context.Context, t *testing.T, s kv.Store, key string) kv.Op{
		"an entry is changed": func(ctx context.Context, t *testing.T, s kv.Store, key string) kv.Op {
			t.Helper()
			e, _, err := s.Get(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			return kv.Op{Key: key, Value: bytes.Replace(e.Value, []byte("one"), []byte("two"), 1)}
		},
		"an entry is removed": func(_ context.Context, _ *testing.T, _ kv.Store, key string) kv.Op {
			return kv.Op{Key: key, Delete: true}
		},
	} {
		ctx, s := t.Context(), kv.NewMemory()
		signer, vkey := recordKey(t)
		i := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"}))
		must(t)(incident.AddNote(ctx, s, i.ID, incident.ActNote, "kim", "one"))
		if _, signed, err := incident.Seal(ctx, s, i.ID, signer, incident.Checkpoint{}); !signed || err != nil {
			t.Fatal(signed, err)
		}
		op := tamper(ctx, t, s, incident.Prefix+i.ID+"/000002")
		if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{op}}); err != nil {
			t.Fatal(err)
		}
		if _, signed, err := incident.Seal(ctx, s, i.ID, signer, incident.Checkpoint{}); signed || !errors.Is(err, incident.ErrTampered) {
			t.Errorf("%s: signed %v, %v", name, signed, err)
		}
		if name == "an entry is removed" {
			continue
		}
		if out, err := incident.ExportRecord(ctx, s, i.ID, vkey); err != nil || len(out.Checkpoints) != 1 {
			t.Errorf("%s: an export must still be possible, so that verify can tell: %v", name, err)
		}
	}
}

// TestSealRemembers: whoever rewrites entries and drops the checkpoints with them gets
// no new signature of a node that remembers what it signed.
func TestSealRemembers(t *testing.T) {
	for name, tamper := range map[string]func(entries, checkpoints []kv.Entry) []kv.Op{
		"an entry is changed": func(e, c []kv.Entry) []kv.Op {
			return []kv.Op{{Key: e[1].Key, Value: bytes.Replace(e[1].Value, []byte("one"), []byte("two"), 1)}, {Key: c[0].Key, Delete: true}}
		},
		"an entry is removed": func(e, c []kv.Entry) []kv.Op {
			return []kv.Op{{Key: e[1].Key, Delete: true}, {Key: c[0].Key, Delete: true}}
		},
		"all are removed": func(e, c []kv.Entry) []kv.Op {
			return []kv.Op{{Key: e[0].Key, Delete: true}, {Key: e[1].Key, Delete: true}, {Key: c[0].Key, Delete: true}}
		},
		"checkpoints are removed": func(_, c []kv.Entry) []kv.Op { return []kv.Op{{Key: c[0].Key, Delete: true}} },
	} {
		ctx, s := t.Context(), kv.NewMemory()
		signer, _ := recordKey(t)
		i := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"}))
		must(t)(incident.AddNote(ctx, s, i.ID, incident.ActNote, "kim", "one"))
		known, _, err := incident.Seal(ctx, s, i.ID, signer, incident.Checkpoint{})
		if err != nil {
			t.Fatal(err)
		}
		if again, signed, err := incident.Seal(ctx, s, i.ID, signer, known); signed || err != nil || again.Size != known.Size {
			t.Fatalf("untouched: signed %v, %v", signed, err)
		}
		entries, _, err := s.List(ctx, incident.Prefix+i.ID+"/")
		if err != nil {
			t.Fatal(err)
		}
		checkpoints, _, err := s.List(ctx, incident.CheckpointPrefix+i.ID+"/")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(ctx, kv.Txn{Do: tamper(entries, checkpoints)}); err != nil {
			t.Fatal(err)
		}
		if _, signed, err := incident.Seal(ctx, s, i.ID, signer, known); signed || !errors.Is(err, incident.ErrTampered) {
			t.Errorf("%s: signed %v, %v", name, signed, err)
		}
	}
}

// TestExportKeepsTheBytes indents an export: what is hashed is the compact form.
func TestExportKeepsTheBytes(t *testing.T) {
	ctx, s := t.Context(), kv.NewMemory()
	i := must(t)(incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim", Why: "<b>R&D</b>   판교"}))
	out, err := incident.ExportRecord(ctx, s, i.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var back incident.Export
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, back.Entries[0]); err != nil {
		t.Fatal(err)
	}
	e, _, err := s.Get(ctx, incident.Prefix+i.ID+"/000001")
	if err != nil || !bytes.Equal(e.Value, compact.Bytes()) {
		t.Errorf("%v\n%s\n%s", err, e.Value, compact.Bytes())
	}
	if _, err := incident.ExportRecord(ctx, s, "none", ""); !errors.Is(err, incident.ErrNotFound) || strings.Contains(fmt.Sprint(err), "panic") {
		t.Errorf("no such incident: %v", err)
	}
}

// BenchmarkSeal signs a record of 1,000 entries that has grown by one.
func BenchmarkSeal(b *testing.B) {
	ctx, s := b.Context(), kv.NewMemory()
	skey, _, err := note.GenerateKey(rand.Reader, "bongsu-record.test")
	if err != nil {
		b.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		b.Fatal(err)
	}
	i, err := incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"})
	if err != nil {
		b.Fatal(err)
	}
	for n := range 999 {
		e := stored(n+1, incident.Entry{At: clock("16:00"), By: "kim", Act: incident.ActNote, Why: strings.Repeat("word ", 40)})
		key := fmt.Sprintf("%s%s/%06d", incident.Prefix, i.ID, n+2)
		if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: key, Value: e.Value}}}); err != nil {
			b.Fatal(err)
		}
	}
	at := incident.CheckpointPrefix + i.ID + "/001000"
	for b.Loop() {
		if _, signed, err := incident.Seal(ctx, s, i.ID, signer, incident.Checkpoint{}); err != nil || !signed {
			b.Fatal(signed, err)
		}
		if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: at, Delete: true}}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecordOf folds a record of 2,000 services with three parts each that went
// down and came back.
func BenchmarkRecordOf(b *testing.B) {
	var entries []incident.Entry
	entries = append(entries, declared())
	for _, c := range []incident.Condition{incident.Down, incident.Up} {
		var all []incident.Change
		for n := range 2000 {
			for _, part := range []string{"", "a", "b", "c"} {
				all = append(all, incident.Change{Service: fmt.Sprint("s", n), Part: part, Condition: c, At: clock("15:27"), Source: incident.FromImpact})
				if c == incident.Up {
					all[len(all)-1].At = clock("16:27")
				}
			}
		}
		for len(all) > 0 {
			n := min(len(all), incident.MaxChanges)
			entries = append(entries, incident.Entry{At: clock("15:30"), By: "policy", Act: incident.ActChange, Changes: all[:n]})
			all = all[n:]
		}
	}
	r := story(entries...)
	for b.Loop() {
		if got := incident.RecordOf(r.Incident); len(got.Intervals) != 8000 {
			b.Fatal(len(got.Intervals))
		}
	}
}
