package settle_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"bongsu/internal/kv"
	"bongsu/settle"
	"bongsu/verify"
)

// logged makes a log of n decisions and the file of one of them.
func logged(t *testing.T, n, which int) (file []byte, key string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "company")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	l := &settle.Log{Store: kv.NewMemory(), Key: signer}
	var list []settle.Commitment
	var salt []byte
	text := func(i int) []byte {
		return fmt.Appendf(nil, `{"v":1,"claim":"c%d","policy":"p@1","outcome":"pay","form":"money","amount":30000,"hours":0,"currency":"KRW"}`, i)
	}
	for i := range n {
		c, s := settle.Commit(fmt.Sprint("c", i), text(i))
		list = append(list, c)
		if i == which {
			salt = s
		}
	}
	if err := l.Append(context.Background(), list); err != nil {
		t.Fatal(err)
	}
	p, err := l.Prove(t.Context(), fmt.Sprint("c", which))
	if err != nil {
		t.Fatal(err)
	}
	p.Salt = salt
	file, err = json.Marshal(settle.NewProofFile(p, text(which)))
	if err != nil {
		t.Fatal(err)
	}
	return file, vkey
}

// Every place in logs of every size is proved, and none other.
func TestDecisionProofs(t *testing.T) {
	for n := 1; n <= 20; n++ {
		for which := range n {
			file, key := logged(t, n, which)
			r, err := verify.CheckDecisionProof(file, verify.DecisionOptions{Key: key})
			if err != nil || !r.Valid || len(r.Proved) != 2 || !strings.Contains(r.Proved[0], fmt.Sprintf("claim c%d, by p@1: money of 30000 KRW", which)) {
				t.Fatalf("%d of %d: %+v, %v", which, n, r, err)
			}
		}
	}
}

func TestDecisionProofIsTamperProof(t *testing.T) {
	file, key := logged(t, 11, 6)
	_, other := logged(t, 1, 0)
	for _, tt := range []struct{ name, old, new, key string }{
		{"the amount", "30000", "90000", key},
		{"the claim", "c6", "c7", key},
		{"the place", `"leaf":6`, `"leaf":7`, key},
		{"a place outside", `"leaf":6`, `"leaf":11`, key},
		{"a place before", `"leaf":6`, `"leaf":-1`, key},
		{"the size of the log", `decisions\n11\n`, `decisions\n12\n`, key},
		{"the size of the log, and nobody looks at the signature", `decisions\n11\n`, `decisions\n64\n`, ""},
		{"the origin", `bongsu decisions`, `bongsu incisions`, key},
		{"the path", `"path":["`, `"path":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","`, key},
		{"no path", `"path":["`, `"path":[],"x":["`, key},
		{"nothing, by another key", "", "", other},
		{"a key that is none", "", "", "x"},
	} {
		changed := strings.Replace(string(file), tt.old, tt.new, 1)
		r, err := verify.CheckDecisionProof([]byte(changed), verify.DecisionOptions{Key: tt.key})
		if err == nil && r.Valid {
			t.Errorf("%s was changed: %+v", tt.name, r)
		}
	}
	if r, err := verify.CheckDecisionProof(file, verify.DecisionOptions{}); err != nil || !r.Valid || len(r.Unproved) != 1 {
		t.Errorf("without a key: %+v, %v", r, err)
	}
	for _, bad := range []string{"", "{}", `{"kind":"decision-proof"}`, `{"v":1,"v":1,"kind":"decision-proof"}`, string(file) + "x"} {
		if _, err := verify.CheckDecisionProof([]byte(bad), verify.DecisionOptions{}); err == nil {
			t.Errorf("%q is taken for a proof", bad)
		}
	}
	if r, err := verify.CheckDecisionProof(file, verify.DecisionOptions{Key: key, Earlier: file}); err != nil || !r.Valid {
		t.Errorf("the same as the earlier: %+v, %v", r, err)
	}
}

func FuzzDecisionProof(f *testing.F) {
	f.Add([]byte(`{"v":1,"kind":"decision-proof","decision":"{}","proof":{"leaf":0,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","checkpoint":"bongsu decisions\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n","path":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := verify.CheckDecisionProof(data, verify.DecisionOptions{})
		if err == nil && r.Valid != (len(r.Wrong) == 0) && r.Valid {
			t.Fatal(r)
		}
	})
}
