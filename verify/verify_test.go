package verify_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bongsu/estate"
	"bongsu/verify"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t testing.TB, data []byte) *verify.Certificate {
	t.Helper()
	c := &verify.Certificate{}
	if err := json.Unmarshal(data, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func check(t testing.TB, c *verify.Certificate) *verify.Report {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.Check(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestValidCertificates(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d certificates, %v", len(files), err)
	}
	for _, f := range files {
		r, err := verify.Check(read(t, filepath.Base(f)))
		if err != nil || !r.Valid || len(r.Proved) == 0 {
			t.Errorf("%s: %v, %+v", f, err, r)
		}
	}
}

// shop is small enough to be judged by hand: the database is promoted by a tool
// that lives in north alone.
const shop = `
kind: Domain
name: north
---
kind: Domain
name: rack
needs: [north]
---
kind: Domain
name: south
---
kind: Component
name: db
mode: primary
replicas: [{in: rack, role: primary}, {in: south, role: standby, lag: 5s}]
actions: [{name: promote, does: promote, at: south, takes: 1m, needs: [switch]}]
---
kind: Component
name: switch
replicas: [{in: north}]
actions: [{name: start, does: start, at: south, takes: 1m, crew: {ops: 1}}]
---
kind: Crew
name: ops
people: 1
needs: [south]
---
kind: Service
name: shop
users: 1
needs: [db]
`

func parse(t testing.TB, text string) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "e.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// byHand is the certificate of the loss of north in the shop, written by a person.
func byHand(t testing.TB) *verify.Certificate {
	t.Helper()
	s := parse(t, shop)
	thing := func(name, state, lost string, steps ...string) verify.Thing {
		x := verify.Thing{Name: name, State: state, Derivation: append([]string{}, steps...), Blocking: []string{}}
		if lost != "" {
			x.DataLost = json.RawMessage(lost)
		}
		return x
	}
	both := []string{"switch/start@south", "db/promote@south"}
	return &verify.Certificate{
		Version: verify.Version, Kind: verify.KindImpact,
		Estate: &verify.Estate{Rev: s.Rev, YAML: shop},
		Impact: &verify.Impact{
			Claim: verify.ImpactClaim{
				Lost: []string{"north"}, LostDomains: []string{"north", "rack"},
				Components: []verify.Thing{thing("db", "recoverable", "5", both...), thing("switch", "recoverable", "0", both[0])},
				Services:   []verify.Thing{thing("shop", "recoverable", "5", both...)},
				Crews:      []verify.Thing{thing("ops", "up", "")},
				Deadlocks:  []verify.Deadlock{},
			},
			Proof: verify.ImpactProof{
				Fall: []verify.Down{
					{Thing: "domain/north", Lacks: []string{}},
					{Thing: "domain/rack", Lacks: []string{"domain/north"}},
					{Thing: "component/db", Lacks: []string{"domain/rack"}},
					{Thing: "component/switch", Lacks: []string{"domain/north"}},
					{Thing: "service/shop", Lacks: []string{"component/db"}},
				},
				Rounds: []verify.Round{
					{Run: both[:1], Rise: []string{"component/switch"}},
					{Run: both[1:], Rise: []string{"component/db", "service/shop"}},
				},
				Stay: []verify.Down{},
			},
		},
	}
}

func TestByHand(t *testing.T) {
	if r := check(t, byHand(t)); !r.Valid {
		t.Fatal(r.Wrong)
	}
	tests := []struct {
		name  string
		spoil func(c *verify.Certificate, claim *verify.ImpactClaim, proof *verify.ImpactProof)
		want  string
	}{
		{"another loss", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) { c.Lost = []string{"south"} }, "domain/north is said to be down, but"},
		{"an unknown loss", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) { c.Lost = []string{"east"} }, `no domain "east"`},
		{"too few domains", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) {
			c.LostDomains = c.LostDomains[:1]
		}, "the lost domains are north, rack"},
		{"a fall left out", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) { p.Fall = p.Fall[:4] }, "service/shop is not said to go down"},
		{"a fall too early", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) { slices.Reverse(p.Fall) }, "which is not down by then"},
		{"a lack that is not enough", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) {
			p.Fall[2].Lacks = []string{"domain/north"}
		}, "component/db is said to be down, but"},
		{"a fall of what stands", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) {
			p.Fall = append(p.Fall, verify.Down{Thing: "crew/ops", Lacks: []string{"domain/north"}})
		}, "crew/ops is said to be down, but"},
		{"a run before it can", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) { slices.Reverse(p.Rounds) }, "db/promote@south is said to run, but it cannot by then"},
		{"both runs at once", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) {
			p.Rounds = []verify.Round{{Run: []string{"switch/start@south", "db/promote@south"}, Rise: []string{}}}
		}, "db/promote@south is said to run, but it cannot by then"},
		{"a run in a lost place", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) {
			p.Rounds[0].Run[0] = "switch/start@north"
		}, "no action run switch/start@north"},
		{"a run left out", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) {
			p.Rounds = p.Rounds[:1]
			p.Stay = []verify.Down{{Thing: "component/db", Lacks: []string{"domain/rack"}}, {Thing: "service/shop", Lacks: []string{"component/db"}}}
		}, "db/promote is not said to run"},
		{"a rise of nothing", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) {
			p.Rounds[0].Rise = []string{"component/switch", "component/db"}
		}, "component/db is said to rise, but"},
		{"a rise left out", func(_ *verify.Certificate, _ *verify.ImpactClaim, p *verify.ImpactProof) {
			p.Rounds[1].Rise = p.Rounds[1].Rise[:1]
		}, "service/shop is said both"},
		{"another state", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) { c.Services[0].State = "up" }, "service/shop is recoverable, not up"},
		{"returns for recoverable", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) {
			c.Components[0].State = "returns"
		}, "component/db is recoverable, not returns"},
		{"another loss of data", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) {
			c.Services[0].DataLost = json.RawMessage("0")
		}, "service/shop loses 5 of its data, not 0"},
		{"half a derivation", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) {
			c.Services[0].Derivation = c.Services[0].Derivation[1:]
		}, "the derivation of service/shop does not run"},
		{"a derivation of what is up", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) {
			c.Crews[0].Derivation = []string{"switch/start@south"}
		}, "crew/ops is up and has a derivation"},
		{"a blocking set of what comes back", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) {
			c.Services[0].Blocking = []string{"switch"}
		}, "service/shop is recoverable and has a blocking set"},
		{"a service left out", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) { c.Services = nil }, "the claim has 0 things where the estate has 1"},
		{"a deadlock of what comes back", func(_ *verify.Certificate, c *verify.ImpactClaim, _ *verify.ImpactProof) {
			c.Deadlocks = []verify.Deadlock{{Cycle: []string{"db", "switch"}}}
		}, "db is not something that stays down"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := byHand(t)
			tt.spoil(c, &c.Impact.Claim, &c.Impact.Proof)
			r := check(t, c)
			if r.Valid || len(r.Proved) > 0 || !strings.Contains(strings.Join(r.Wrong, "\n"), tt.want) {
				t.Errorf("valid %v, proved %q, wrong %q, want %q", r.Valid, r.Proved, r.Wrong, tt.want)
			}
		})
	}
}

// TestMutations spoils parts of the certificate of a large estate that must not
// change, one at a time: every third of all there are, which takes seconds.
func TestMutations(t *testing.T) {
	data := read(t, "impact-kakao-2022.json")
	count := 0
	refuse := func(what string, spoil func(c *verify.Impact) bool) {
		if count++; count%6 != 0 {
			return
		}
		c := decode(t, data)
		if spoil(c.Impact) && check(t, c).Valid {
			t.Errorf("it is still valid with %s", what)
		}
	}
	whole := decode(t, data).Impact
	without := func(list []verify.Down, i int) []verify.Down { return slices.Delete(list, i, i+1) }
	for i, d := range whole.Proof.Fall {
		refuse("the fall of "+d.Thing+" left out", func(c *verify.Impact) bool { c.Proof.Fall = without(c.Proof.Fall, i); return true })
		refuse("nothing that "+d.Thing+" lacks", func(c *verify.Impact) bool {
			c.Proof.Fall[i].Lacks = nil
			return len(d.Lacks) > 0 && d.Thing != "domain/pangyo"
		})
		refuse("two falls of "+d.Thing, func(c *verify.Impact) bool { c.Proof.Fall = append(c.Proof.Fall, d); return true })
	}
	for i, d := range whole.Proof.Stay {
		refuse("the stay of "+d.Thing+" left out", func(c *verify.Impact) bool { c.Proof.Stay = without(c.Proof.Stay, i); return true })
		refuse("a rise of "+d.Thing, func(c *verify.Impact) bool {
			c.Proof.Rounds[0].Rise = append(c.Proof.Rounds[0].Rise, d.Thing)
			c.Proof.Stay = without(c.Proof.Stay, i)
			return true
		})
	}
	for i, r := range whole.Proof.Rounds {
		refuse("a second run of "+r.Run[0], func(c *verify.Impact) bool { c.Proof.Rounds = append(c.Proof.Rounds, r); return true })
		for j, up := range r.Rise {
			refuse("the rise of "+up+" left out", func(c *verify.Impact) bool {
				c.Proof.Rounds[i].Rise = slices.Delete(c.Proof.Rounds[i].Rise, j, j+1)
				return true
			})
		}
	}
	lists := map[string]func(c *verify.Impact) []verify.Thing{
		"component": func(c *verify.Impact) []verify.Thing { return c.Claim.Components },
		"service":   func(c *verify.Impact) []verify.Thing { return c.Claim.Services },
		"crew":      func(c *verify.Impact) []verify.Thing { return c.Claim.Crews },
	}
	for kind, list := range lists {
		for i, x := range list(whole) {
			name := kind + " " + x.Name
			for _, state := range []string{"up", "degraded", "returns", "recoverable", "unrecoverable", ""} {
				refuse(name+" "+state, func(c *verify.Impact) bool { list(c)[i].State = state; return state != x.State })
			}
			refuse(name+" renamed", func(c *verify.Impact) bool { list(c)[i].Name += "x"; return true })
			refuse(name+" without derivation", func(c *verify.Impact) bool { list(c)[i].Derivation = nil; return len(x.Derivation) > 0 })
			refuse(name+" with other data lost", func(c *verify.Impact) bool { list(c)[i].DataLost = json.RawMessage("77"); return true })
			for j, b := range x.Blocking {
				refuse(name+" not blocked by "+b, func(c *verify.Impact) bool {
					list(c)[i].Blocking = slices.Delete(list(c)[i].Blocking, j, j+1)
					return true
				})
			}
			if len(x.Blocking) > 0 {
				refuse(name+" blocked by more", func(c *verify.Impact) bool {
					list(c)[i].Blocking = append(list(c)[i].Blocking, "kakaotalk")
					return true
				})
			}
		}
	}
	for i := range whole.Claim.Deadlocks {
		refuse("a shorter deadlock", func(c *verify.Impact) bool { c.Claim.Deadlocks[i].Cycle[0] = "anyang"; return true })
	}
}

func TestCutsetMutations(t *testing.T) {
	for _, file := range []string{"cutsets-kakaotalk.json", "cutsets-components.json", "cutsets-tree.json"} {
		data := read(t, file)
		n := len(decode(t, data).Cutsets.Claim.Sets)
		if n < 2 {
			t.Fatalf("%s lists %d sets", file, n)
		}
		refuse := func(what string, spoil func(c *verify.CutsetsClaim)) {
			c := decode(t, data)
			spoil(&c.Cutsets.Claim)
			if check(t, c).Valid {
				t.Errorf("%s is still valid with %s", file, what)
			}
		}
		for i := range n {
			set := strings.Join(decode(t, data).Cutsets.Claim.Sets[i], "+")
			refuse("more than "+set, func(c *verify.CutsetsClaim) {
				other := c.Sets[(i+1)%n][0]
				if c.Sets[i] = append(c.Sets[i], other); len(c.Sets[i]) > 2 {
					c.Sets[i] = append(c.Sets[i], c.Sets[i][0])
				}
			})
			refuse("less than "+set, func(c *verify.CutsetsClaim) { c.Sets[i] = c.Sets[i][1:] })
			refuse("twice "+set, func(c *verify.CutsetsClaim) { c.Sets[i] = c.Sets[(i+1)%n] })
			refuse(set+" of nothing", func(c *verify.CutsetsClaim) { c.Sets[i][0] = "no-such-thing" })
			refuse("no "+set, func(c *verify.CutsetsClaim) { c.Sets = slices.Delete(c.Sets, i, i+1) })
		}
		refuse("another count", func(c *verify.CutsetsClaim) { c.Count = "82000000000" })
		refuse("another count by order", func(c *verify.CutsetsClaim) { c.ByOrder["1"] = "82000000000"; c.Count = "82000000002" })
		refuse("a count that is none", func(c *verify.CutsetsClaim) { c.ByOrder["1"] = "-1" })
		refuse("another subject", func(c *verify.CutsetsClaim) { c.Of = "daum" })
	}
}

// TestRankedSetsAreNotProvedFirst holds that a list by rank leaves the rest open.
func TestRankedSetsAreNotProvedFirst(t *testing.T) {
	c := decode(t, read(t, "cutsets-kakaotalk.json"))
	c.Cutsets.Claim.Ranked = true
	c.Cutsets.Claim.Sets = c.Cutsets.Claim.Sets[:2]
	r := check(t, c)
	if r.Valid || len(r.Wrong) > 0 || !strings.Contains(strings.Join(r.Open, "\n"), "that no other set ranks before") {
		t.Errorf("%+v", r)
	}
}

// TestCountsBeyondTheListAreOpen has a count that nothing in the file shows.
func TestCountsBeyondTheListAreOpen(t *testing.T) {
	for _, name := range []string{"cutsets-kakaotalk.json", "cutsets-tree.json"} {
		c := decode(t, read(t, name))
		c.Cutsets.Proof = nil
		c.Cutsets.Claim.Sets, c.Cutsets.Claim.Count, c.Cutsets.Claim.ByOrder = nil, "77", map[string]string{"1": "77"}
		if r := check(t, c); r.Valid || !slices.Equal(r.Open, []string{"that there are 77 sets: only the 0 in the list were replayed"}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAuditMutations(t *testing.T) {
	data := read(t, "audit-kakao-2022.json")
	refuse := func(what string, spoil func(a *verify.Audit)) {
		c := decode(t, data)
		spoil(c.Audit)
		if check(t, c).Valid {
			t.Errorf("it is still valid with %s", what)
		}
	}
	refuse("no loss", func(a *verify.Audit) { a.Losses = nil })
	for i, f := range decode(t, data).Audit.Findings {
		refuse(f.ID+" of another loss", func(a *verify.Audit) { a.Findings[i].Lost = []string{"anyang"} })
		refuse(f.ID+" of another rule", func(a *verify.Audit) { a.Findings[i].Rule = "stale" })
		refuse(f.ID+" of nothing", func(a *verify.Audit) { a.Findings[i].Subject = "nothing" })
		refuse(f.ID+" under another ID", func(a *verify.Audit) { a.Findings[i].ID = "tool-tier/gasan/melon" })
		refuse(f.ID+" twice", func(a *verify.Audit) { a.Findings = append(a.Findings, a.Findings[i]) })
		refuse(f.ID+" of what is up", func(a *verify.Audit) { a.Findings[i].Rule, a.Findings[i].Subject = "unrecoverable", upThing(a) })
	}
	refuse("a fall left out", func(a *verify.Audit) { a.Losses[0].Proof.Fall = a.Losses[0].Proof.Fall[1:] })
}

func upThing(a *verify.Audit) string {
	list := a.Losses[0].Claim.Components
	return list[slices.IndexFunc(list, func(x verify.Thing) bool { return x.State == "up" })].Name
}

func TestNotACertificate(t *testing.T) {
	hand, err := json.Marshal(byHand(t))
	if err != nil {
		t.Fatal(err)
	}
	valid := string(hand)
	rev := parse(t, shop).Rev
	tests := []struct{ name, text, want string }{
		{"nothing", "", "EOF"},
		{"no JSON", "kind: Domain\n", "invalid character"},
		{"another document", `{"lost": ["north"]}`, `unknown field "lost"`},
		{"another version", strings.Replace(valid, `"certificate":1`, `"certificate":2`, 1), "of version 1, which this program reads, but of version 2"},
		{"another kind", strings.Replace(valid, `"kind":"impact"`, `"kind":"cutsets"`, 1), `its kind is "cutsets"`},
		{"an unknown kind", strings.Replace(valid, `"kind":"impact"`, `"kind":"plan"`, 1), `its kind is "plan"`},
		{"half of it", valid[:len(valid)/2], "unexpected EOF"},
		{"more than it", valid + "{}", "something follows"},
		{"an unknown field", strings.Replace(valid, `"proof"`, `"prof"`, 1), `unknown field "prof"`},
		{"a second claim for other readers", strings.Replace(valid, `"lost":[`, `"lost":[],"Lost":[`, 1), `an object has both "lost" and "Lost"`},
		{"another revision", strings.Replace(valid, rev, "sha256:0123456789abcdef", 1), "the estate in it has the revision"},
		{"another estate", strings.Replace(valid, "people: 1", "people: 2", 1), "the estate in it has the revision"},
		{"a broken estate", strings.Replace(valid, "kind: Crew", "kind: Crow", 1), "Crow"},
		{"no estate", `{"certificate":1,"kind":"impact","impact":{"claim":{},"proof":{}}}`, "it is to hold an estate"},
		{"a tree without top", `{"certificate":1,"kind":"cutsets","cutsets":{"claim":{},"tree":{"leaves":["a"],"gates":[]}}}`, "it has no top"},
		{"a tree with a loose end", `{"certificate":1,"kind":"cutsets","cutsets":{"claim":{},"tree":{"leaves":["a"],"gates":[{"name":"t","k":1,"in":[1]}]}}}`, "has the input 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := verify.Check([]byte(tt.text))
			if !errors.Is(err, verify.ErrNotCertificate) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("report %+v, error %v, want %q", r, err, tt.want)
			}
		})
	}
}

// FuzzCheck holds that no file crashes the checker, and that what it refuses is
// either no certificate or said to be wrong.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(nil))
	for _, name := range []string{"impact-two-sites.json", "cutsets-tree.json", "cutsets-kakaotalk.json"} {
		f.Add(read(f, name))
	}
	hand, err := json.Marshal(byHand(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hand)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			return
		}
		r, err := verify.Check(data)
		switch {
		case err != nil && (r != nil || !errors.Is(err, verify.ErrNotCertificate)):
			t.Fatalf("error %v with report %+v", err, r)
		case err == nil && r.Valid != (len(r.Wrong)+len(r.Open) == 0), err == nil && !r.Valid && len(r.Proved) > 0:
			t.Fatalf("%+v", r)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	data := read(b, "impact-kakao-2022.json")
	for b.Loop() {
		if r, err := verify.Check(data); err != nil || !r.Valid {
			b.Fatal(err)
		}
	}
}
