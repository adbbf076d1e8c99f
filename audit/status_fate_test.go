package audit_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
)

// away are parts of a page that share nothing with the sites.
const away = `
{kind: Domain, name: abroad, type: site}
---
{kind: Component, name: registrar, replicas: [{in: abroad}]}
---
{kind: Component, name: ca, replicas: [{in: abroad}]}
---
{kind: Component, name: cdn, replicas: [{in: abroad}]}
---
{kind: Component, name: post, replicas: [{in: abroad}]}
---
{kind: Component, name: shop-web, replicas: [{in: north-h1}]}
---
{kind: Service, name: shop, users: 900, needs: [shop-web]}
---
{kind: Component, name: talk-web, replicas: [{in: north-h2}]}
---
{kind: Service, name: talk, users: 1000, needs: [talk-web]}
---
`

func TestAPageMustNotGoDownWithWhatItReportsOn(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{
			"all of it is elsewhere",
			`{kind: Service, name: status, needs: [cdn], page: {dns: registrar, certificate: ca, host: cdn, mail: post}}`,
			nil,
		},
		{
			"a service that is no page says nothing",
			`{kind: Service, name: status, needs: [cdn]}`,
			nil,
		},
		{
			"its mail goes by a relay beside the shop, and in the loss of the site talk is gone too",
			`{kind: Component, name: relay, replicas: [{in: north-h1}]}
---
{kind: Service, name: status, needs: [cdn], page: {dns: registrar, certificate: ca, host: cdn, mail: relay}}`,
			[]string{
				"error status-fate/north/status: losing north takes the mail of the status page status together with talk and shop, which it reports on",
				"error status-fate/north-h1/status: losing north-h1 takes the mail of the status page status together with shop, which it reports on",
			},
		},
		{
			"each part by a way of its own: through a need of a need, a feed, a provider",
			`{kind: Component, name: signer, needs: [vault], replicas: [{in: abroad}]}
---
{kind: Component, name: vault, replicas: [{in: north-h2}]}
---
{kind: Component, name: box, replicas: [{in: south-h1}, {in: south-h2}]}
---
{kind: Component, name: db, replicas: [{in: south-h2}]}
---
{kind: Service, name: bank, users: 5, needs: [db]}
---
{kind: Service, name: status, needs: [box], page: {dns: [registrar, east], certificate: signer, host: box, mail: box}}`,
			[]string{
				"error status-fate/north/status: losing north takes the certificate of the status page status together with talk and shop, which it reports on",
				"error status-fate/north-h2/status: losing north-h2 takes the certificate of the status page status together with talk, which it reports on",
				"error status-fate/south-transformer/status: losing south-transformer takes the host and the mail of the status page status together with bank, which it reports on",
			},
		},
		{
			"one replica is enough, and one that has first to be started elsewhere is none",
			`{kind: Component, name: two, replicas: [{in: north-h1}, {in: east}]}
---
{kind: Component, name: cold, replicas: [{in: north-h1}], actions: [{name: start, does: start, at: east, takes: 1m}]}
---
{kind: Service, name: status, page: {dns: {anyOf: [registrar, shop-web]}, certificate: ca, host: two, mail: cold}}`,
			[]string{
				"error status-fate/north/status: losing north takes the mail of the status page status together with talk and shop, which it reports on",
				"error status-fate/north-h1/status: losing north-h1 takes the mail of the status page status together with shop, which it reports on",
			},
		},
		{
			"a page does not report on a page",
			`{kind: Component, name: box, replicas: [{in: east}]}
---
{kind: Service, name: inner, needs: [box], page: {dns: box, certificate: box, host: box, mail: box}}
---
{kind: Service, name: status, needs: [box], page: {dns: registrar, certificate: ca, host: box, mail: post}}`,
			nil,
		},
		{
			"what nobody has said is not proven",
			`{kind: Service, name: status, page: {host: cdn, mail: post}}`,
			[]string{
				"warning status-fate/-/status certificate: nobody has said what the certificate of the status page status rests on, so nothing is proven of it",
				"warning status-fate/-/status dns: nobody has said what the DNS of the status page status rests on, so nothing is proven of it",
			},
		},
		{
			"what is down anyway is no matter of a loss",
			`{kind: Component, name: gone, replicas: [{in: north, count: 0}]}
---
{kind: Service, name: status, page: {dns: gone, certificate: ca, host: cdn, mail: post}}`,
			nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := audit.Check(parse(t, sites+away+c.text), audit.Options{Rules: []string{"status-fate"}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range r.Findings {
				got = append(got, string(f.Severity)+" "+f.ID+": "+f.Sentence)
				if f.File == "" || f.Fix == nil {
					t.Errorf("%s: file %q, fix %v", f.ID, f.File, f.Fix)
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The example of the rule's page shows what it says.
func TestTheExampleOfStatusFate(t *testing.T) {
	page, err := audit.Page("status-fate")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(page, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	s := parse(t, sites+`
{kind: Component, name: registrar, replicas: [{in: east}]}
---
{kind: Component, name: ca, replicas: [{in: east}]}
---
{kind: Component, name: status-host, replicas: [{in: east}]}
---
`+example)
	r, err := audit.Check(s, audit.Options{Rules: []string{"status-fate"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || r.Findings[0].ID != "status-fate/north/status" || r.Findings[0].Users != 1000 || !slices.Equal(r.Findings[0].Proof.Services, []string{"shop"}) {
		t.Errorf("%+v", r.Findings)
	}
}
