package status_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/estate"
	"bongsu/status"
)

func TestThePageMustNotDieWithWhatItReportsOn(t *testing.T) {
	snap, err := estate.Parse([]estate.File{{Name: "e.yaml", Data: []byte(`
{kind: Domain, name: north, type: site}
---
{kind: Domain, name: south, type: site}
---
{kind: Domain, name: abroad, type: site}
---
{kind: Component, name: shop-app, replicas: [{in: north}]}
---
{kind: Component, name: page-dns, replicas: [{in: abroad}]}
---
{kind: Component, name: page-cert, replicas: [{in: abroad}]}
---
{kind: Component, name: page-host, replicas: [{in: north}, {in: south}]}
---
{kind: Component, name: mail-relay, needs: [shop-app], replicas: [{in: south}]}
---
{kind: Service, name: shop, users: 10, needs: [shop-app]}
---
{kind: Service, name: mart, users: 20, needs: [shop-app]}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	good := status.Rests{DNS: "page-dns", Certificate: "page-cert", Host: "page-host", Mail: "page-dns"}
	if flaws := status.Flaws(snap, good); len(flaws) != 0 {
		t.Errorf("a page that stands apart: %+v", flaws)
	}
	bad := good
	bad.Mail, bad.Certificate, bad.DNS = "mail-relay", "page-crt", ""
	var got []string
	for _, f := range status.Flaws(snap, bad) {
		got = append(got, f.Part+": "+f.Sentence)
	}
	want := []string{
		"dns: nobody has said what the dns of the page rests on: name a component of the estate under fate in public.yaml",
		`certificate: the certificate of the page rests on "page-crt", which the estate does not know; did you mean "page-cert"?`,
		"mail: losing north takes the mail of the page (mail-relay) together with mart and 1 more",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	empty, err := estate.Parse([]estate.File{{Name: "e.yaml", Data: []byte(`{kind: Component, name: page-dns}`)}})
	if err != nil {
		t.Fatal(err)
	}
	if flaws := status.Flaws(empty, status.Rests{DNS: "page-dns", Certificate: "page-dns", Host: "page-dns", Mail: "page-dns"}); len(flaws) != 1 || !strings.Contains(flaws[0].Sentence, "nothing is proven") {
		t.Errorf("an estate without services: %+v", flaws)
	}
}
