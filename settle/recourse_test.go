package settle

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"bongsu/claim/policy"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/verify"
)

// packed makes a pack over three claims, one of them reversed.
func packed(t *testing.T) (pack []byte, sum Summary, key string) {
	t.Helper()
	b := NewBook(kv.NewMemory())
	one, two, three := owe("c1", 30_000), owe("c2", 50_000), owe("c3", 7_550)
	three.Lines[0].Account, three.About.Ground, three.About.Rule, three.About.Cost = Expense("i", policy.Contract), policy.Contract, "taxi-pro", 5_000
	if err := b.Post(t.Context(), one, two, three); err != nil {
		t.Fatal(err)
	}
	if err := b.Post(t.Context(), two.Reversal(day(9), "kim", "a duplicate")); err != nil {
		t.Fatal(err)
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, "company")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	p := Pack{
		Incident: "i", Counterparty: "SK C&C", Domain: "pangyo", Currency: "KRW", Made: day(20), Limit: 30_000, LimitSource: "press, facts C17",
		Recovery: []Cost{{"overtime", 12_345, "timesheet 2022-10"}}, Letters: []Letter{{"2022-10-17.txt", []byte("dear")}},
		Assets: []Asset{{Kind: "component", Name: "talk-msg", Title: "=메시지", In: "pangyo", From: day(1)}},
	}
	var first, again bytes.Buffer
	sum, err = p.WriteZIP(t.Context(), &first, b, ManifestSigner(signer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.WriteZIP(t.Context(), &again, b, ManifestSigner(signer)); err != nil || !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Errorf("the same pack gives other bytes (%v)", err)
	}
	for _, name := range []string{"../x", "a/b", "", `a\b`} {
		p.Letters[0].Name = name
		if _, err := p.WriteZIP(t.Context(), io.Discard, b, nil); err == nil {
			t.Errorf("a letter named %q", name)
		}
	}
	return first.Bytes(), sum, vkey
}

func TestPackReconciles(t *testing.T) {
	pack, sum, key := packed(t)
	if sum.Face != 37_550 || sum.Cost != 35_000 || sum.Demand != 47_345 || sum.OverLimit != 17_345 || len(sum.Positions) != 2 {
		t.Errorf("%+v", sum)
	}
	// This pack has no record: what it says holds, and what is missing is told.
	if r, err := verify.CheckPack(pack, verify.PackOptions{Key: key}); err != nil || !r.Valid || len(r.Unproved) != 1 || !strings.Contains(r.Unproved[0], "no record.json") {
		t.Errorf("without a record: %+v, %v", r, err)
	}
	// Pack and record are signed by different keys: a file with both says whose.
	_, other, err := note.GenerateKey(rand.Reader, "nodes")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := verify.CheckPack(pack, verify.PackOptions{Key: other + "\n\n" + key + "\n"}); err != nil || !slices.Contains(r.Proved, "company signed the manifest") {
		t.Errorf("with two keys: %+v, %v", r, err)
	}
	r, err := verify.CheckPack(pack, verify.PackOptions{})
	if err != nil || !r.Valid || len(r.Proved) != 2 || len(r.Unproved) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What somebody changes in a pack is found.
func TestPackIsTamperProof(t *testing.T) {
	pack, _, key := packed(t)
	_, other, err := note.GenerateKey(rand.Reader, "company")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file, old, new string
		key                  string
	}{
		{"an amount in the lines", "ledger.csv", "30000", "90000", key},
		{"a sum on the first page", "summary.json", "47345", "97345", key},
		{"a letter", "letters/2022-10-17.txt", "dear", "Dear", key},
		{"the manifest", "manifest.json", "ledger.csv", "ledgex.csv", key},
		{"the signature", "manifest.sig", "recourse", "recourze", key},
		{"nothing, by another key", "", "", "", other},
	} {
		r, err := verify.CheckPack(repack(t, pack, tt.file, tt.old, tt.new), verify.PackOptions{Key: tt.key})
		if err != nil || r.Valid || len(r.Wrong) == 0 {
			t.Errorf("%s was changed: %+v, %v", tt.name, r, err)
		}
	}
	for _, doubled := range []struct{ file, old, new string }{
		{"summary.json", `"demand": 47345`, `"demand": 97345, "Demand": 47345`},
		{"manifest.json", `"v": 1,`, `"v": 1, "V": 1,`},
	} {
		if _, err := verify.CheckPack(repack(t, pack, doubled.file, doubled.old, doubled.new), verify.PackOptions{}); err == nil {
			t.Errorf("%s says one thing to people and another to the checker", doubled.file)
		}
	}
	// Without a key the sums still have to be right by themselves.
	if r, err := verify.CheckPack(repack(t, pack, "", "", ""), verify.PackOptions{}); err != nil || !r.Valid || len(r.Unproved) != 2 {
		t.Errorf("unchanged, without a key: %+v, %v", r, err)
	}
}

func repack(t *testing.T, pack []byte, file, old, changed string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == file {
			if !strings.Contains(string(data), old) {
				t.Fatalf("%s has no %q:\n%s", file, old, data)
			}
			data = []byte(strings.Replace(string(data), old, changed, 1))
		}
		to, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Whom it is claimed from, and for what, stands in the record of the incident; where more than one party was at fault, it is
// asked.
func TestBlame(t *testing.T) {
	one := []incident.Fault{{Domain: "pangyo", Operator: "SK C&C"}}
	two := []incident.Fault{{Domain: "hall", Operator: "KT"}, {Domain: "pangyo", Operator: "SK C&C"}, {Domain: "power", Operator: "SK C&C"}}
	for _, tt := range []struct {
		name                 string
		faults               []incident.Fault
		counterparty, domain string
		who, what, says      string
	}{
		{"one", one, "", "", "SK C&C", "pangyo", ""},
		{"one, by its full name", one, "SK주식회사 C&C", "", "SK주식회사 C&C", "pangyo", ""},
		{"one operator of two", two[1:], "", "", "SK C&C", "pangyo+power", ""},
		{"two, and which is said", two, "SK C&C", "", "SK C&C", "pangyo+power", ""},
		{"two, and a domain is said", two, "", "hall", "KT", "hall", ""},
		{"two, and another name", two, "KT Corp", "hall", "KT Corp", "hall", ""},
		{"two", two, "", "", "", "", "hall (KT), pangyo (SK C&C), power (SK C&C)"},
		{"two, and neither is said", two, "KT Corp", "", "", "", "name the counterparty as it stands here"},
		{"no such domain", one, "", "pangio", "", "", `"pangio" did not fail in i: expected pangyo`},
		{"operator not known", []incident.Fault{{Domain: "pangyo"}}, "", "", "", "", "bongsu incident fault"},
		{"operator said", []incident.Fault{{Domain: "pangyo"}}, "SK C&C", "", "SK C&C", "pangyo", ""},
		{"nothing known", nil, "SK C&C", "pangyo", "SK C&C", "pangyo", ""},
		{"nothing known, nothing said", nil, "", "", "", "", "whom it is claimed from is missing"},
	} {
		p := Pack{Incident: "i", Counterparty: tt.counterparty, Domain: tt.domain}
		err := p.blame(tt.faults)
		if tt.says != "" {
			if !errors.Is(err, ErrPack) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err != nil || p.Counterparty != tt.who || p.Domain != tt.what {
			t.Errorf("%s: %q for %q, %v", tt.name, p.Counterparty, p.Domain, err)
		}
	}
	for _, tt := range []struct {
		line, of string
		want     bool
	}{{"", "a", true}, {"a", "", true}, {"a", "a", true}, {"a+b", "b", true}, {"a", "a+b", true}, {"ab", "a", false}, {"a+b", "c", false}} {
		if blames(tt.line, tt.of) != tt.want {
			t.Errorf("a line of %q for %q: %v", tt.line, tt.of, !tt.want)
		}
	}
}
