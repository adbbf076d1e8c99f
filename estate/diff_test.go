package estate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	a := mustParse(t, `
{kind: Domain, name: north, type: site}
---
{kind: Domain, name: south, type: site}
---
{kind: Component, name: shop, title: old, replicas: [{in: north, count: 2}, {in: north}], needs: [north, {anyOf: [north, south]}], tool: true}
---
{kind: Component, name: api, actions: [{name: grow, does: scale, takes: 5m, run: {exec: {argv: [a, b], limit: 5}}}, {name: more, does: scale}]}
---
{kind: Crew, name: ops}
---
{kind: Limit, name: same, slots: 3}
`)
	b := mustParse(t, `
{kind: Domain, name: north, type: site, waive: [{rule: stale, owner: kim, reason: r, until: 2027-01-01}]}
---
{kind: Domain, name: south, type: site}
---
{kind: Component, name: shop, title: "new: 2", replicas: [{in: north, count: 2}, {in: north, count: 3}, {in: south}], needs: [domain/north, {anyOf: [south, domain/north]}]}
---
{kind: Component, name: api, actions: [{name: more, does: scale}, {name: grow, does: scale, takes: {likely: 5m, worst: 10m}, at: south, run: {exec: {argv: [a, c], limit: 5}}}]}
---
{kind: Service, name: north}
---
{kind: Limit, name: same, slots: 3}
`)
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, c.String())
	}
	want := `~ domain/north
    waive: + [{rule: stale, owner: kim, reason: r, until: 2027-01-01}]
~ component/api
    actions[grow].takes: 5m -> {likely: 5m, worst: 10m}
    actions[grow].run.exec.argv: [a, b] -> [a, c]
    actions[grow].at: + south
    actions order: grow, more -> more, grow
~ component/shop
    title: old -> "new: 2"
    tool: - true
    replicas[north#2].count: + 3
    replicas[south]: + {in: south}
    needs: [domain/north, {anyOf: [domain/north, south]}] -> [domain/north, {anyOf: [south, domain/north]}]
+ service/north
- crew/ops`
	if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	back := Diff(b, a)
	if n := len(back); n != len(got) || back[3].What != Removed || back[4].What != Added {
		t.Errorf("the other way round: %v", back)
	}
	if d := Diff(a, a); d != nil {
		t.Errorf("to itself: %v", d)
	}
}

// A name that becomes ambiguous elsewhere changes no document that uses it.
func TestDiffOfANameThatBecomesAmbiguous(t *testing.T) {
	const text = "{kind: Component, name: x}\n---\n{kind: Component, name: y, needs: [component/x]}\n"
	changes := Diff(mustParse(t, text), mustParse(t, text+"---\n{kind: Service, name: x}\n"))
	if len(changes) != 1 || changes[0].String() != "+ service/x" {
		t.Errorf("got %v", changes)
	}
}

// TestDiffTellsKindsApart takes the name of a component over for a service: who
// needs it needs something else, though it says the same.
func TestDiffTellsKindsApart(t *testing.T) {
	text := `
{kind: %s, name: shop}
---
{kind: Crew, name: ops, needs: [shop]}
`
	for _, parse := range []func(string) *Snapshot{
		func(text string) *Snapshot { return mustParse(t, text) },
		loaderOf(t),
	} {
		a, b := parse(fmt.Sprintf(text, "Component")), parse(fmt.Sprintf(text, "Service"))
		want := []string{"- component/shop", "+ service/shop", "~ crew/ops\n    needs: [component/shop] -> [service/shop]"}
		var got []string
		for _, c := range Diff(a, b) {
			got = append(got, c.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	}
}

func loaderOf(t *testing.T) func(string) *Snapshot {
	t.Helper()
	var l Loader
	return func(text string) *Snapshot {
		s, err := l.Parse([]File{{Name: "estate.yaml", Data: []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}
