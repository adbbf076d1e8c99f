package verify_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"bongsu/verify"
)

// evidence makes a record of n entries with a checkpoint after each of sizes.
func evidence(t testing.TB, signer note.Signer, vkey string, n int, sizes ...int64) verify.RecordFile {
	t.Helper()
	f := verify.RecordFile{Kind: verify.KindRecord, Version: 1, Incident: "20221015-pangyo", Key: vkey, Checkpoints: []string{}, Proofs: []verify.RecordProof{}}
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, k := range at {
			out[i] = hashes[k]
		}
		return out, nil
	})
	for i := range n {
		raw := fmt.Appendf(nil, `{"v":2,"at":"2022-10-15T06:%02d:00Z","by":"kim","act":"note","why":"판교 \u0026 %d"}`, i, i)
		more, err := tlog.StoredHashes(int64(i), raw, read)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
		f.Entries = append(f.Entries, raw)
	}
	for i, size := range sizes {
		root, err := tlog.TreeHash(size, read)
		if err != nil {
			t.Fatal(err)
		}
		f.Checkpoints = append(f.Checkpoints, sign(t, signer, fmt.Sprintf("bongsu/incident/%s\n%d\n%s\nat 2022-10-15T07:00:00Z\n", f.Incident, size, root)))
		if i == 0 {
			continue
		}
		proof, err := tlog.ProveTree(size, sizes[i-1], read)
		if err != nil {
			t.Fatal(err)
		}
		p := verify.RecordProof{From: sizes[i-1], To: size, Hashes: []string{}}
		for _, h := range proof {
			p.Hashes = append(p.Hashes, base64.StdEncoding.EncodeToString(h[:]))
		}
		f.Proofs = append(f.Proofs, p)
	}
	return f
}

func sign(t testing.TB, signer note.Signer, text string) string {
	t.Helper()
	msg, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(msg)
}

func keys(t testing.TB) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, vkey
}

func encoded(t testing.TB, f verify.RecordFile) []byte {
	t.Helper()
	b, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRecordTampering changes one thing at a time.
func TestRecordTampering(t *testing.T) {
	signer, vkey := keys(t)
	forger, _ := keys(t)
	good := evidence(t, signer, vkey, 11, 1, 4, 9)
	r, err := verify.CheckRecord(encoded(t, good), verify.RecordOptions{Key: vkey + "\n"})
	if err != nil || !r.Valid || len(r.Proved) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if !slices.ContainsFunc(r.Unproved, func(s string) bool { return strings.Contains(s, "the last 2 entries") }) {
		t.Errorf("what is not signed yet is not said: %v", r.Unproved)
	}
	type change struct {
		name   string
		tamper func(f *verify.RecordFile)
		want   string
	}
	changes := []change{
		{"a checkpoint signed by somebody else", func(f *verify.RecordFile) {
			f.Checkpoints[2] = sign(t, forger, strings.SplitAfter(f.Checkpoints[2], "Z\n")[0])
		}, "its signature does not hold"},
		{"a checkpoint without a signature", func(f *verify.RecordFile) {
			f.Checkpoints[2] = strings.SplitAfter(f.Checkpoints[2], "Z\n")[0]
		}, "its signature does not hold"},
		{"a signed line changed", func(f *verify.RecordFile) {
			f.Checkpoints[2] = strings.Replace(f.Checkpoints[2], "\n9\n", "\n8\n", 1)
		}, "its signature does not hold"},
		{"checkpoints in another order", func(f *verify.RecordFile) {
			f.Checkpoints[0], f.Checkpoints[1] = f.Checkpoints[1], f.Checkpoints[0]
		}, "is of 1 entries, and the one before of 4"},
		{"one checkpoint twice", func(f *verify.RecordFile) { f.Checkpoints[1] = f.Checkpoints[0] }, "and the one before of 1"},
		{"a checkpoint left out", func(f *verify.RecordFile) { f.Checkpoints = slices.Delete(f.Checkpoints, 1, 2) }, "2 proofs for 2 checkpoints"},
		{"no checkpoint", func(f *verify.RecordFile) { f.Checkpoints = nil }, "nothing in it is signed"},
		{"no key", func(f *verify.RecordFile) { f.Key = "" }, "nothing in it is signed"},
		{"a key of nonsense", func(f *verify.RecordFile) { f.Key = "x" }, "its public key is none"},
		{"another key", func(f *verify.RecordFile) { _, f.Key = keys(t) }, "not the key that was named"},
		{"another incident", func(f *verify.RecordFile) { f.Incident = "20221016-gasan" }, "it is about"},
		{"no entry", func(f *verify.RecordFile) { f.Entries = nil }, "it has no entry"},
		{"a proof left out", func(f *verify.RecordFile) { f.Proofs = f.Proofs[1:] }, "1 proofs for 3 checkpoints"},
		{"a proof of something else", func(f *verify.RecordFile) { f.Proofs[0], f.Proofs[1] = f.Proofs[1], f.Proofs[0] }, "proof 1 goes from"},
		{"a proof with another hash", func(f *verify.RecordFile) {
			f.Proofs[1].Hashes = slices.Clone(f.Proofs[1].Hashes)
			f.Proofs[1].Hashes[0] = base64.StdEncoding.EncodeToString(make([]byte, 32))
		}, "does not show"},
		{"a proof of nonsense", func(f *verify.RecordFile) { f.Proofs[1].Hashes = []string{"!"} }, "which is no hash"},
		{"an entry that says nothing", func(f *verify.RecordFile) { f.Entries[10] = json.RawMessage(`{}`) }, "does not say when who did what"},
	}
	// Every entry under a checkpoint: changed, left out, moved, added.
	for n := range 9 {
		changes = append(changes,
			change{fmt.Sprint("entry changed ", n), func(f *verify.RecordFile) {
				f.Entries[n] = json.RawMessage(strings.Replace(string(f.Entries[n]), "kim", "lee", 1))
			}, "signed over other entries"},
			change{fmt.Sprint("entry left out ", n), func(f *verify.RecordFile) { f.Entries = slices.Delete(f.Entries, n, n+1) }, "signed over other entries"},
			change{fmt.Sprint("entry moved ", n), func(f *verify.RecordFile) { f.Entries[n], f.Entries[n+1] = f.Entries[n+1], f.Entries[n] }, "signed over other entries"},
			change{fmt.Sprint("entry added ", n), func(f *verify.RecordFile) { f.Entries = slices.Insert(f.Entries, n, f.Entries[10]) }, "signed over other entries"},
		)
	}
	changes = append(changes, change{"the end left out", func(f *verify.RecordFile) { f.Entries = f.Entries[:8] }, "some are missing"})
	for _, c := range changes {
		f := good
		f.Entries, f.Checkpoints, f.Proofs = slices.Clone(good.Entries), slices.Clone(good.Checkpoints), slices.Clone(good.Proofs)
		c.tamper(&f)
		r, err := verify.CheckRecord(encoded(t, f), verify.RecordOptions{Key: vkey})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if r.Valid || len(r.Proved) > 0 || !strings.Contains(strings.Join(r.Wrong, "\n"), c.want) {
			t.Errorf("%s: valid %v, wrong %q, want %q", c.name, r.Valid, r.Wrong, c.want)
		}
	}
}

func TestRecordContinuesAnEarlierOne(t *testing.T) {
	signer, vkey := keys(t)
	early, late := evidence(t, signer, vkey, 5, 2, 5), evidence(t, signer, vkey, 9, 2, 5, 9)
	if r, err := verify.CheckRecord(encoded(t, late), verify.RecordOptions{Earlier: encoded(t, early)}); err != nil || !r.Valid || !strings.Contains(strings.Join(r.Proved, "\n"), "first 5 entries are those of the earlier export") {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := verify.CheckRecord(encoded(t, early), verify.RecordOptions{Earlier: encoded(t, late)}); err != nil || r.Valid {
		t.Errorf("what was signed later is missing: %+v, %v", r, err)
	}
	// Both are signed and sound by themselves, and tell two histories.
	other := evidence(t, signer, vkey, 4, 2)
	other.Entries[0] = json.RawMessage(strings.Replace(string(other.Entries[0]), "kim", "lee", 1))
	fork := resign(t, signer, other)
	if r, err := verify.CheckRecord(encoded(t, fork), verify.RecordOptions{}); err != nil || !r.Valid {
		t.Fatalf("the fork by itself: %+v, %v", r, err)
	}
	if r, err := verify.CheckRecord(encoded(t, fork), verify.RecordOptions{Earlier: encoded(t, early)}); err != nil || r.Valid {
		t.Errorf("a fork: %+v, %v", r, err)
	}
	early.Incident = "another"
	if r, err := verify.CheckRecord(encoded(t, late), verify.RecordOptions{Earlier: encoded(t, early)}); err != nil || r.Valid {
		t.Errorf("of another incident: %+v, %v", r, err)
	}
}

// resign signs what a file holds now, as who has the key could.
func resign(t testing.TB, signer note.Signer, f verify.RecordFile) verify.RecordFile {
	t.Helper()
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, k := range at {
			out[i] = hashes[k]
		}
		return out, nil
	})
	for i, raw := range f.Entries {
		more, err := tlog.StoredHashes(int64(i), raw, read)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	size := int64(len(f.Entries))
	root, err := tlog.TreeHash(size, read)
	if err != nil {
		t.Fatal(err)
	}
	f.Checkpoints, f.Proofs = []string{sign(t, signer, fmt.Sprintf("bongsu/incident/%s\n%d\n%s\nat 2022-10-15T07:00:00Z\n", f.Incident, size, root))}, nil
	return f
}

func TestNotARecord(t *testing.T) {
	signer, vkey := keys(t)
	good := string(encoded(t, evidence(t, signer, vkey, 1, 1)))
	for name, text := range map[string]string{
		"empty":         "",
		"a certificate": `{"certificate":1,"kind":"impact"}`,
		"version 2":     strings.Replace(good, `"version": 1`, `"version": 2`, 1),
		"a stray field": strings.Replace(good, `"version": 1`, `"version": 1, "x": 1`, 1),
		"more behind":   good + good,
		"no incident":   strings.Replace(good, "20221015-pangyo", "", 1),
	} {
		if r, err := verify.CheckRecord([]byte(text), verify.RecordOptions{}); !errors.Is(err, verify.ErrNotCertificate) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if verify.IsRecord([]byte(`{"kind":"impact"}`)) || !verify.IsRecord([]byte(good)) {
		t.Error("a record is not told from a certificate")
	}
}

// FuzzRecord: whatever a file holds, it is checked or refused, and nothing that differs
// in its entries from what was signed is valid.
func FuzzRecord(f *testing.F) {
	signer, vkey := keys(f)
	good := evidence(f, signer, vkey, 5, 2, 5)
	text := encoded(f, good)
	f.Add(text)
	f.Add([]byte(`{"kind":"incident-record","version":1,"incident":"x","entries":[null],"checkpoints":["\n1\n\n"],"proofs":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := verify.CheckRecord(data, verify.RecordOptions{Key: vkey, Earlier: text})
		if err != nil || !r.Valid {
			return
		}
		var back verify.RecordFile
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		for n, raw := range good.Entries {
			var compact strings.Builder
			b, err := json.Marshal(back.Entries[n])
			if err != nil {
				t.Fatal(err)
			}
			compact.Write(b)
			if compact.String() != string(raw) {
				t.Errorf("entry %d is valid and is %s, signed was %s", n, compact.String(), raw)
			}
		}
	})
}
