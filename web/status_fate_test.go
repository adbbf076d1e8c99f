package web_test

import (
	"strings"
	"testing"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/internal/lang"
	"bongsu/web"
)

// What the audit holds against a status page is told in Korean, but for names.
func TestTheFateOfThePageInKorean(t *testing.T) {
	s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(`
{kind: Domain, name: north, type: site}
---
{kind: Component, name: box, replicas: [{in: north}]}
---
{kind: Service, name: shop, users: 9, needs: [box]}
---
{kind: Service, name: status, page: {dns: box, host: box, mail: box}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.Check(s, audit.Options{Rules: []string{"status-fate"}})
	if err != nil || len(r.Findings) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	say, err := web.NewSay()
	if err != nil {
		t.Fatal(err)
	}
	english := strings.NewReplacer("north", "", "box", "", "shop", "", "status", "", "DNS", "")
	for _, f := range r.Findings {
		for _, sentence := range append([]string{f.Sentence, f.Fix.Words}, f.Proof.Words...) {
			said := say(lang.Korean, sentence)
			if strings.ContainsAny(english.Replace(said), "abcdefghijklmnopqrstuvwxyz") {
				t.Errorf("%q is %q", sentence, said)
			}
		}
	}
}
