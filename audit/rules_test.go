package audit_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/impact"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

// sites are three sites with two halls and two feeds each; each hall hangs on
// either feed, and the feeds of south on one transformer.
const sites = `
{kind: Domain, name: north, type: site}
---
{kind: Domain, name: north-feed-a, type: feed, needs: [north]}
---
{kind: Domain, name: north-feed-b, type: feed, needs: [north]}
---
{kind: Domain, name: north-h1, needs: [north, {anyOf: [north-feed-a, north-feed-b]}]}
---
{kind: Domain, name: north-h2, needs: [north, {anyOf: [north-feed-a, north-feed-b]}]}
---
{kind: Domain, name: south, type: site, capacity: {servers: 100}}
---
{kind: Domain, name: south-transformer, needs: [south]}
---
{kind: Domain, name: south-feed-a, type: feed, needs: [south-transformer]}
---
{kind: Domain, name: south-feed-b, type: feed, needs: [south-transformer]}
---
{kind: Domain, name: south-h1, needs: [south, {anyOf: [south-feed-a, south-feed-b]}]}
---
{kind: Domain, name: south-h2, needs: [south, {anyOf: [south-feed-a, south-feed-b]}]}
---
{kind: Domain, name: east, type: site}
---
`

// Each case is an estate on the sites above and what one rule says of it.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		name, rule, text string
		o                audit.Options
		want             []string
	}{
		{
			name: "a promotion takes longer than was promised", rule: "outage",
			text: `
{kind: Component, name: db, mode: primary, replicas: [{in: north, role: primary}, {in: south, role: standby, lag: 5s}], actions: [{name: promote, does: promote, at: south, takes: 30m, needs: [lb]}]}
---
{kind: Component, name: lb, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 10m}]}
---
{kind: Service, name: late, users: 9, needs: [db], objectives: {rto: 39m, rpo: 5s}}
---
{kind: Service, name: just, users: 8, needs: [db], objectives: {rto: 40m, rpo: 5s}}
---
{kind: Service, name: lossy, users: 7, needs: [db], objectives: {rpo: 4s}}
---
{kind: Service, name: modest, users: 6, needs: [db]}`,
			want: []string{"error outage/north/late", "error outage/north/lossy"},
		},
		{
			name: "a copy without a lag proves nothing, no copy loses all", rule: "outage",
			text: `
{kind: Component, name: db, replicas: [{in: north}], data: {copies: [{in: south, how: async}]}, actions: [{name: restore, does: restore, at: south, takes: 1m}]}
---
{kind: Component, name: gone, replicas: [{in: north}], data: {copies: [{in: north, how: sync}]}, actions: [{name: anew, does: rebuild, at: south, takes: 1m}]}
---
{kind: Component, name: dead, replicas: [{in: north}], data: {copies: [{in: north, how: sync}]}}
---
{kind: Service, name: doubt, users: 9, needs: [db], objectives: {rpo: 1h}}
---
{kind: Service, name: empty, users: 8, needs: [gone], objectives: {rto: 1m, rpo: 1h}}
---
{kind: Service, name: said-by-unrecoverable, users: 7, needs: [dead], objectives: {rto: 1m, rpo: 1h}}`,
			want: []string{"warning outage/north/doubt", "error outage/north/empty"},
		},
		{
			name: "nothing brings it back", rule: "unrecoverable",
			text: `
{kind: Component, name: app, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1m, needs: [tool]}]}
---
{kind: Component, name: tool, tool: true, replicas: [{in: north}]}
---
{kind: Component, name: alone, replicas: [{in: south}]}
---
{kind: Component, name: pics, replicas: [{in: north}]}
---
{kind: Component, name: web, replicas: [{in: north}, {in: south}]}
---
{kind: Service, name: s, users: 9, needs: [app]}
---
{kind: Service, name: w, users: 10, needs: [web], parts: [{name: pictures, share: 0.5, needs: [pics]}]}`,
			want: []string{"error unrecoverable/north/s", "error unrecoverable/north/w/pictures", "warning unrecoverable/south/alone"},
		},
		{
			name: "what is down anyway is said once", rule: "unrecoverable",
			text: `
{kind: Component, name: never, atLeast: 2, replicas: [{in: north}]}
---
{kind: Service, name: s, users: 9, needs: [never]}`,
			want: []string{"error unrecoverable/-/s"},
		},
		{
			name: "direct, and through a crew", rule: "deadlock",
			text: `
{kind: Component, name: deploy, replicas: [{in: north}], actions: [{name: rebuild, does: rebuild, at: south, takes: 1h, needs: [wiki]}]}
---
{kind: Component, name: wiki, replicas: [{in: north}], actions: [{name: restore, does: rebuild, at: south, takes: 1h, needs: [deploy]}]}
---
{kind: Component, name: chat, replicas: [{in: south}], actions: [{name: start, does: start, at: north, takes: 1h, crew: {ops: 1}}]}
---
{kind: Crew, name: ops, people: 3, needs: [chat]}
---
{kind: Component, name: loop-a, replicas: [{in: east}], needs: [loop-b]}
---
{kind: Component, name: loop-b, replicas: [{in: east}], needs: [loop-a]}
---
{kind: Service, name: s, users: 9, needs: [deploy, chat, loop-a]}`,
			want: []string{"error deadlock/north/deploy>wiki", "error deadlock/south/chat>ops"},
		},
		{
			name: "only if wants are taken as needs", rule: "deadlock",
			text: `
{kind: Component, name: a, replicas: [{in: north}], wants: [b], actions: [{name: start, does: start, at: south, takes: 1h}]}
---
{kind: Component, name: b, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1h, needs: [a]}]}
---
{kind: Service, name: s, users: 9, needs: [b]}`,
			want: []string{"warning deadlock/north/a>b>wants"},
		},
		{
			name: "one site, two halls", rule: "tool-single-site",
			text: `
{kind: Component, name: switch, tool: true, replicas: [{in: north-h1}, {in: north-h2}]}
---
{kind: Component, name: wiki, tool: true, replicas: [{in: south}], actions: [{name: start, does: start, at: east, takes: 1h}]}
---
{kind: Component, name: both, tool: true, replicas: [{in: south}, {in: north}]}
---
{kind: Component, name: app, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1m, needs: [switch, wiki]}]}
---
{kind: Service, name: s, users: 9, needs: [app]}`,
			want: []string{"error tool-single-site/-/switch", "warning tool-single-site/-/wiki"},
		},
		{
			name: "lost with what it recovers", rule: "tool-tier",
			text: `
{kind: Component, name: switch, tool: true, replicas: [{in: north}]}
---
{kind: Component, name: slow, tool: true, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1h}]}
---
{kind: Component, name: elsewhere, tool: true, replicas: [{in: east}]}
---
{kind: Component, name: app, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1m, needs: [switch, slow, elsewhere]}]}
---
{kind: Component, name: stuck, replicas: [{in: north}], actions: [{name: start, does: start, at: north, takes: 1m, needs: [switch]}]}
---
{kind: Service, name: s, users: 9, tier: 1, needs: [app]}`,
			want: []string{"error tool-tier/north/switch", "warning tool-tier/north/slow"},
		},
		{
			name: "a quorum that is none", rule: "quorum",
			text: `
{kind: Component, name: two-one, mode: quorum, replicas: [{in: north, count: 2}, {in: south}]}
---
{kind: Component, name: halls, mode: quorum, replicas: [{in: north-h1, count: 2}, {in: south}], actions: [{name: rebuild, does: rebuild, at: east, takes: 1h}]}
---
{kind: Component, name: three, mode: quorum, replicas: [{in: north}, {in: south}, {in: east}]}
---
{kind: Service, name: s, users: 9, needs: [two-one, halls, three]}`,
			want: []string{"error quorum/-/two-one", "warning quorum/-/halls", "info quorum/-/three"},
		},
		{
			name: "they only look apart", rule: "shared-fate",
			text: `
{kind: Component, name: hidden, replicas: [{in: south-h1}, {in: south-h2}]}
---
{kind: Component, name: plain, replicas: [{in: north-h1}, {in: north-h2}]}
---
{kind: Component, name: apart, replicas: [{in: north-h1}, {in: south-h1}]}
---
{kind: Component, name: far, replicas: [{in: west-1}, {in: west-2}]}
---
{kind: Domain, name: cable}
---
{kind: Domain, name: west-1, type: site, needs: [{anyOf: [cable, west-wire]}]}
---
{kind: Domain, name: west-2, type: site, needs: [{atLeast: 2, of: [cable, cable, west-wire]}]}
---
{kind: Domain, name: west-wire, needs: [cable]}
---
{kind: Service, name: s, users: 9, needs: [hidden, plain, apart, far]}`,
			want: []string{"error shared-fate/-/far", "warning shared-fate/-/hidden", "info shared-fate/-/plain"},
		},
		{
			name: "room", rule: "capacity",
			text: `
{kind: Component, name: here, replicas: [{in: south, count: 60, uses: {servers: 1}}]}
---
{kind: Component, name: app, atLeast: 45, replicas: [{in: north, count: 50, uses: {servers: 1}}], actions: [{name: grow, does: scale, at: south, adds: {count: 30}, takes: 1m}, {name: more, does: scale, at: south-h1, adds: {count: 20}, takes: 1m}]}
---
{kind: Component, name: optional, replicas: [{in: north, uses: {servers: 500}}], actions: [{name: grow, does: scale, at: south, adds: {count: 1}, takes: 1m}]}
---
{kind: Service, name: s, users: 9, needs: [here, app, {anyOf: [optional, here]}]}`,
			want: []string{"error capacity/north/south/servers"},
		},
		{
			name: "room is just enough, and a place that is full already", rule: "capacity",
			text: `
{kind: Component, name: here, replicas: [{in: south, count: 60, uses: {servers: 1}}]}
---
{kind: Component, name: app, atLeast: 40, replicas: [{in: north, count: 50, uses: {servers: 1}}], actions: [{name: grow, does: scale, at: south, adds: {count: 40}, takes: 1m}]}
---
{kind: Domain, name: cell, capacity: {servers: 1}}
---
{kind: Component, name: fat, replicas: [{in: cell, uses: {servers: 1.5}}]}
---
{kind: Service, name: s, users: 9, needs: [here, app, fat]}`,
			want: []string{"error capacity/-/cell/servers"},
		},
		{
			name: "copies", rule: "data-single-copy",
			text: `
{kind: Component, name: docs, replicas: [{in: north-h1}], data: {size: 858TB, copies: [{in: north-h2, how: backup}]}}
---
{kind: Component, name: safe, replicas: [{in: north-h1}], data: {copies: [{in: south-h2, how: backup}]}}
---
{kind: Component, name: cache, replicas: [{in: north}], data: {}, actions: [{name: again, does: rebuild, at: south, takes: 1h}]}
---
{kind: Component, name: web, replicas: [{in: north}]}
---
{kind: Service, name: s, users: 9, needs: [docs, safe, cache, web]}`,
			want: []string{"error data-single-copy/-/docs", "warning data-single-copy/-/cache"},
		},
		{
			name: "restores", rule: "data-untested",
			text: `
{kind: Component, name: never, replicas: [{in: north}], data: {copies: [{in: south, how: backup}]}}
---
{kind: Component, name: old, replicas: [{in: north}], data: {copies: [{in: south, how: backup, tested: 2025-11-22}, {in: east, how: backup, tested: 2027-01-01}]}}
---
{kind: Component, name: good, replicas: [{in: north}], data: {copies: [{in: south, how: backup, tested: 2020-01-01}, {in: east, how: backup, tested: 2025-11-23}]}}
---
{kind: Service, name: s, users: 9, needs: [never, old, good]}`,
			o:    audit.Options{Now: day("2026-11-23")},
			want: []string{"warning data-untested/-/never", "warning data-untested/-/old"},
		},
		{
			name: "people", rule: "crew",
			text: `
{kind: Component, name: app, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1m, crew: {dba: 1}}, {name: big, does: start, at: south, takes: 1m, crew: {few: 3}}]}
---
{kind: Component, name: chat, tool: true, replicas: [{in: north}]}
---
{kind: Component, name: late-chat, tool: true, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1h}]}
---
{kind: Crew, name: dba, people: 3, needs: [chat]}
---
{kind: Crew, name: few, people: 2, needs: [late-chat]}
---
{kind: Crew, name: idle, people: 2, needs: [chat]}
---
{kind: Crew, name: late, people: 2, needs: [late-chat]}
---
{kind: Component, name: app2, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1m, crew: {late: 1}}]}
---
{kind: Service, name: s, users: 9, needs: [app, app2]}`,
			want: []string{"error crew/-/few", "error crew/north/dba", "warning crew/north/late"},
		},
		{
			name: "channels", rule: "channel",
			text: `
{kind: Component, name: app, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1m, crew: {ops: 1}, needs: [register]}]}
---
{kind: Component, name: chat, tool: true, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 1h}]}
---
{kind: Component, name: status-page, tool: true, replicas: [{in: north}]}
---
{kind: Component, name: register, tool: true, replicas: [{in: south}]}
---
{kind: Crew, name: ops, needs: [chat]}
---
{kind: Service, name: s, users: 9, needs: [app]}
---
{kind: Service, name: desk, users: 1, needs: [register]}
---
{kind: Service, name: notices, users: 4, wants: [status-page], needs: [app]}`,
			want: []string{"error channel/north/users", "warning channel/north/staff"},
		},
		{
			name: "no channels", rule: "channel",
			text: `
{kind: Component, name: app, replicas: [{in: north}]}
---
{kind: Crew, name: ops}
---
{kind: Service, name: s, users: 9, needs: [app]}`,
			want: []string{"info channel/-/staff", "info channel/-/users"},
		},
		{
			name: "facts", rule: "stale",
			text: `
{kind: Component, name: new, replicas: [{in: north}], source: {at: 2026-01-01}}
---
{kind: Component, name: old, replicas: [{in: north}], source: {at: 2024-01-01}}
---
{kind: Component, name: undated, replicas: [{in: north}], source: {from: hearsay}}
---
{kind: Service, name: s, users: 9, needs: [new]}`,
			o:    audit.Options{Now: day("2026-11-23")},
			want: []string{"info stale/-/domain/*", "info stale/-/old", "info stale/-/service/*", "info stale/-/undated"},
		},
		{
			name: "nowhere", rule: "unplaced",
			text: `
{kind: Component, name: dns}
---
{kind: Component, name: group, needs: [app]}
---
{kind: Component, name: forgotten}
---
{kind: Component, name: zero, replicas: [{in: north, count: 0}]}
---
{kind: Component, name: app, replicas: [{in: north}], needs: [dns], actions: [{name: start, does: start, at: south, takes: 1m, crew: {ops: 1}}]}
---
{kind: Crew, name: ops}
---
{kind: Service, name: s, users: 9, needs: [group, zero]}`,
			want: []string{"warning unplaced/-/dns", "warning unplaced/-/zero", "info unplaced/-/ops"},
		},
		{
			name: "a service that needs nothing, a site that holds nothing", rule: "empty",
			text: `
{kind: Component, name: app, replicas: [{in: north}, {in: south}]}
---
{kind: Service, name: s, users: 9}
---
{kind: Service, name: t, users: 8, needs: [app]}`,
			want: []string{"error empty/-/s", "warning empty/east/east"},
		},
		{
			name: "nothing at all", rule: "empty", text: `{kind: Component, name: app, replicas: [{in: north}]}`,
			o:    audit.Options{Every: true},
			want: []string{"error empty/-/services", "info empty/-/every"},
		},
		{
			name: "exceptions", rule: "waiver-expired",
			text: `
{kind: Component, name: app, replicas: [{in: north}], waive: [{rule: unrecoverable, loss: north, owner: kim, reason: soon, until: 2026-11-22}, {rule: stale, owner: lee, reason: why, until: 2026-11-23}]}
---
{kind: Service, name: s, users: 9, needs: [app]}`,
			o:    audit.Options{Now: day("2026-11-23").Add(23 * time.Hour)},
			want: []string{"warning waiver-expired/-/app/unrecoverable/north"},
		},
	} {
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			s := parse(t, sites+c.text)
			r, err := audit.Check(s, c.o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range r.Findings {
				if f.Rule == c.rule {
					got = append(got, string(f.Severity)+" "+f.ID)
				}
				if f.ID != f.Rule+"/"+f.Loss+"/"+f.Subject || f.Sentence == "" || f.Users < 0 || f.Severity.Rank() == 0 {
					t.Errorf("incomplete: %+v", f)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings of %s (-want +got):\n%s", c.rule, diff)
			}
			// One rule alone says the same.
			c.o.Rules = []string{c.rule}
			one, err := audit.Check(s, c.o)
			if err != nil {
				t.Fatal(err)
			}
			var alone []string
			for _, f := range one.Findings {
				alone = append(alone, string(f.Severity)+" "+f.ID)
			}
			if diff := cmp.Diff(c.want, alone); diff != "" {
				t.Errorf("%s alone (-want +got):\n%s", c.rule, diff)
			}
		})
	}
}

func TestEveryRuleHasItsPage(t *testing.T) {
	for _, r := range audit.Rules() {
		p, err := audit.Page(r.Name)
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		for _, head := range []string{"# " + r.Name + ": ", "## What", "## Why", "## Example", "## How to fix it"} {
			if !strings.Contains(p, head) {
				t.Errorf("the page of %s lacks %q", r.Name, head)
			}
		}
	}
	if _, err := audit.Page("tool-teir"); err == nil || err.Error() != `there is no rule "tool-teir"; did you mean "tool-tier"?` {
		t.Errorf("the page of no rule: %v", err)
	}
}

func TestProofInWords(t *testing.T) {
	s := parse(t, sites+`
{kind: Component, name: talk-msg, mode: primary, replicas: [{in: north, role: primary}, {in: south, role: standby}], actions: [{name: promote, does: promote, at: south, takes: 3m, needs: [dc-switch]}]}
---
{kind: Component, name: dc-switch, tool: true, cost: 7, replicas: [{in: north}]}
---
{kind: Service, name: kakaotalk, users: 9, needs: [talk-msg]}`)
	r, err := audit.Check(s, audit.Options{Lose: [][]string{{"north"}}, Rules: []string{"unrecoverable"}})
	if err != nil {
		t.Fatal(err)
	}
	f := r.Findings[0]
	got := f.Sentence + ": " + strings.Join(f.Proof.Words, "; ")
	want := "with north lost, kakaotalk cannot come back: kakaotalk needs talk-msg; talk-msg needs a promotion; the promotion needs dc-switch; dc-switch ran only in north; no action is known that brings dc-switch back"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"dc-switch"}, {"talk-msg"}}, f.Proof.Blocking); diff != "" {
		t.Errorf("blocking sets (-want +got):\n%s", diff)
	}
	if f.Fix.Words != "a manual procedure for promote of talk-msg without dc-switch" || f.Fix.Cost != 1 {
		t.Errorf("the cheaper of the two is %+v", f.Fix)
	}
	if f.File != "estate.yaml" || f.Line != strings.Count(sites, "\n")+6 {
		t.Errorf("at %s:%d", f.File, f.Line)
	}
}

func TestWaivedDoesNotCount(t *testing.T) {
	text := sites + `
{kind: Component, name: app, replicas: [{in: north-h1, count: 2}]}
---
{kind: Service, name: s, users: 9, needs: [app], waive: [{rule: unrecoverable, loss: "south+north", owner: kim, reason: moving, until: 2026-12-31}]}`
	for _, c := range []struct {
		now  string
		lose []string
		want int
	}{{"2026-11-23", []string{"north", "south"}, 0}, {"2026-12-31", []string{"south", "north"}, 0}, {"2027-01-01", []string{"north", "south"}, 1}, {"2026-11-23", []string{"north"}, 1}} {
		r, err := audit.Check(parse(t, text), audit.Options{Lose: [][]string{c.lose}, Now: day(c.now), Rules: []string{"unrecoverable"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) != 1 || r.Count(audit.Error) != c.want {
			t.Errorf("on %s, losing %v: %d count; want %d: %+v", c.now, c.lose, r.Count(audit.Error), c.want, r.Findings)
		}
	}
}

// TestIdleWaivers has one waiver that a finding needs, and others that none does, of which
// only those can be told whose rule and loss are judged.
func TestIdleWaivers(t *testing.T) {
	s := parse(t, sites+`
{kind: Component, name: app, replicas: [{in: north-h1, count: 2}]}
---
{kind: Service, name: s, users: 9, needs: [app], waive: [
  {rule: unrecoverable, loss: north, owner: kim, reason: moving, until: 2026-12-31},
  {rule: unrecoverable, loss: south, owner: kim, reason: moving, until: 2026-12-31},
  {rule: unrecoverable, loss: north+south, owner: kim, reason: moving, until: 2026-12-31},
  {rule: quorum, owner: lee, reason: none, until: 2026-12-31},
  {rule: quorum, owner: old, reason: none, until: 2025-12-31}]}`)
	for _, c := range []struct {
		o    audit.Options
		want []string
	}{
		{audit.Options{}, []string{"unrecoverable south", "quorum "}},
		{audit.Options{Rules: []string{"unrecoverable"}}, []string{"unrecoverable south"}},
		{audit.Options{Lose: [][]string{{"north"}}}, nil},
		{audit.Options{Lose: [][]string{{"south"}}}, []string{"unrecoverable south"}},
		{audit.Options{MinSeverity: audit.Error}, nil},
	} {
		c.o.Now = day("2026-11-23")
		r, err := audit.Check(s, c.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range r.WaivesNothing {
			got = append(got, w.Rule+" "+w.Loss)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q waive nothing, want %q", c.o, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := parse(t, sites+"{kind: Service, name: s, waive: [{rule: stal, owner: a, reason: b, until: 2026-01-01}]}")
	_, err := audit.Check(s, audit.Options{})
	rule, ok := errors.AsType[*audit.RuleError](err)
	if !ok || rule.Nearest != "stale" || rule.Pos.Line == 0 {
		t.Errorf("a waiver of no rule: %v", err)
	}
	s = parse(t, sites+"{kind: Service, name: s, waive: [{rule: stale, loss: 'south+nort', owner: a, reason: b, until: 2026-01-01}]}")
	_, err = audit.Check(s, audit.Options{})
	if wrong, ok := errors.AsType[*estate.Error](err); !ok || wrong.Nearest != "north" || wrong.File != "estate.yaml" || wrong.Line == 0 {
		t.Errorf("a waiver of no domain: %v", err)
	}
	s = parse(t, sites+"{kind: Service, name: s}")
	_, err = audit.Check(s, audit.Options{Rules: []string{"outages"}})
	if rule, ok = errors.AsType[*audit.RuleError](err); !ok || rule.Nearest != "outage" {
		t.Errorf("no such rule: %v", err)
	}
	_, err = audit.Check(s, audit.Options{Lose: [][]string{{"nort"}}})
	if domain, ok := errors.AsType[*impact.UnknownDomainError](err); !ok || domain.Nearest != "north" {
		t.Errorf("no such domain: %v", err)
	}
	for _, text := range []string{"", "null", "{}", "[]", `{"version": 2, "findings": []}`, `{"version": 1}`, `{"version": 1, "findings": [{}]}`, `{"version": "1", "findings": []}`, `{"version": 1, "findings": [], "baseline": "sha256:0", "fixed": [], "same": 3}`} {
		if _, err := audit.ParseReport([]byte(text)); err == nil {
			t.Errorf("%q is taken as a baseline", text)
		}
	}
}

func TestOrderAndMinimum(t *testing.T) {
	s := parse(t, randomEstate(rand.New(rand.NewPCG(1, 4)), 60))
	r, err := audit.Check(s, audit.Options{Now: day("2025-09-26"), MinSeverity: audit.Warning})
	if err != nil {
		t.Fatal(err)
	}
	sorted := slices.IsSortedFunc(r.Findings, func(x, y audit.Finding) int {
		switch {
		case x.Users != y.Users:
			return int(y.Users - x.Users)
		case x.Severity != y.Severity:
			return y.Severity.Rank() - x.Severity.Rank()
		}
		return strings.Compare(x.ID, y.ID)
	})
	if !sorted || len(r.Findings) < 100 {
		t.Errorf("%d findings, sorted: %v", len(r.Findings), sorted)
	}
	for _, f := range r.Findings {
		if f.Severity == audit.Info {
			t.Errorf("%s is below a warning", f.ID)
		}
	}
}

// TestWaiverOfADomainThatGoes has a domain go that a waiver names in a document that did
// not change.
func TestWaiverOfADomainThatGoes(t *testing.T) {
	c := audit.NewChecker(audit.Options{})
	text := sites + "{kind: Service, name: s, users: 1, waive: [{rule: stale, loss: extra, owner: a, reason: b, until: 2027-01-01}]}"
	if _, err := c.Check(parse(t, text+"\n---\n{kind: Domain, name: extra, type: rack}"), day("2026-11-23")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Check(parse(t, text), day("2026-11-23"))
	if _, ok := errors.AsType[*estate.Error](err); !ok {
		t.Errorf("got %v", err)
	}
}
