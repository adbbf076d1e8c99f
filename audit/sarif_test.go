package audit_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"bongsu/audit"
	"bongsu/estate"
)

// TestSARIFSchema holds the output against the schema of SARIF 2.1.0: of a small
// report, of one with waivers, of random ones and of one without findings.
func TestSARIFSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/sarif-2.1.0-rtm.5.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(log any) error {
		data, err := json.Marshal(log)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	idle := check(t, small) // with waivers that waive nothing
	reports := []*audit.Report{idle, {Version: audit.Version, Findings: []audit.Finding{}}}
	for seed := range uint64(10) {
		r, err := audit.Check(parse(t, randomEstate(rand.New(rand.NewPCG(seed, 1)), 20)), audit.Options{Now: now, Sites: true})
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	if n := len(idle.WaivesNothing); n != 2 {
		t.Fatalf("%d waivers waive nothing, want 2", n)
	}
	for i, r := range reports {
		if err := valid(r.SARIF()); err != nil {
			t.Errorf("report %d: %v", i, err)
		}
	}
	// Names of files are not URIs as they are.
	for name, want := range map[string]string{
		"내 자산/가 나%.yaml":   "%EB%82%B4%20%EC%9E%90%EC%82%B0/%EA%B0%80%20%EB%82%98%25.yaml",
		"/srv/estate.yaml": "file:///srv/estate.yaml",
		"a/b.yaml":         "a/b.yaml",
	} {
		snap, err := estate.Parse([]estate.File{{Name: name, Data: []byte(small)}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := audit.Check(snap, audit.Options{Now: now, Sites: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(r.SARIF()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := json.Marshal(r.SARIF()); err != nil || !bytes.Contains(text, []byte(`"uri":"`+want+`"`)) {
			t.Errorf("%s (%v): %s, want %s", name, err, text, want)
		}
	}
	// The schema does refuse what is wrong.
	bad := check(t, small).SARIF()
	bad.Version = "2.0"
	if valid(bad) == nil {
		t.Error("a log of version 2.0 is valid")
	}
}
