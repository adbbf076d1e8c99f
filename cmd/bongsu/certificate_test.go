package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/cutset"
	"bongsu/estate"
	"bongsu/impact"
	"bongsu/verify"
)

func parseText(t *testing.T, text string) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// TestImpactCertificates holds that the checker confirms what impact answers on
// random estates, with losses of every size.
func TestImpactCertificates(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(1200) {
		rng := rand.New(rand.NewPCG(seed, 11))
		text := randomEstate(rng)
		s := parseText(t, text)
		var lost []string
		for i := range s.Domains {
			if rng.IntN(3) == 0 {
				lost = append(lost, s.Domains[i].Name)
			}
		}
		im, err := impact.Of(s, lost)
		if err != nil {
			t.Fatal(err)
		}
		c, err := provenImpact(im)
		if err != nil {
			t.Fatal(err)
		}
		r := replayed(t, &verify.Certificate{Kind: verify.KindImpact, Estate: certifiedEstate(s), Impact: c})
		if !r.Valid {
			t.Fatalf("seed %d, losing %s: %s\n%s", seed, strings.Join(lost, ","), strings.Join(r.Wrong, "\n"), text)
		}
		for _, list := range [][]impact.Result{im.Components, im.Services, im.Crews} {
			for _, x := range list {
				seen[string(x.State)]++
			}
		}
		seen["deadlock"] += len(im.Deadlocks)
		// A claim that is not true has no proof: every other state is refused.
		for _, list := range [][]verify.Thing{c.Claim.Components, c.Claim.Services, c.Claim.Crews} {
			for i := range list {
				was := list[i].State
				for _, state := range []string{"up", "degraded", "returns", "recoverable", "unrecoverable"} {
					if list[i].State = state; state == was {
						continue
					}
					if seed%20 == 0 && replayed(t, &verify.Certificate{Kind: verify.KindImpact, Estate: certifiedEstate(s), Impact: c}).Valid {
						t.Fatalf("seed %d: %s is taken for %s, though it is %s", seed, list[i].Name, state, was)
					}
				}
				list[i].State = was
			}
		}
	}
	for _, state := range []string{"up", "degraded", "returns", "recoverable", "unrecoverable", "deadlock"} {
		if seen[state] < 30 {
			t.Errorf("only %d of %s", seen[state], state)
		}
	}
	t.Log(seen)
}

// knottedEstate is one in which much waits for much else, in ways of every sort, once site a
// is lost.
func knottedEstate(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("{kind: Domain, name: a, type: site}\n---\n{kind: Domain, name: b, type: site}\n---\n{kind: Limit, name: l, slots: 1}\n")
	n := 4 + r.IntN(8)
	name := func() string {
		switch r.IntN(12) {
		case 0:
			return "ops"
		case 1:
			return "s"
		case 2:
			return "b"
		}
		return fmt.Sprintf("c%d", r.IntN(n))
	}
	need := func() string {
		switch r.IntN(5) {
		case 0:
			return fmt.Sprintf("{anyOf: [%s, %s]}", name(), name())
		case 1:
			return fmt.Sprintf("{atLeast: 2, of: [%s, {anyOf: [%s, %s]}, %s]}", name(), name(), name(), name())
		}
		return name()
	}
	some := func(chance int, text string) string {
		if r.IntN(chance) > 0 {
			return ""
		}
		return fmt.Sprintf(text, need())
	}
	for i := range n {
		how := [...]string{"replicas: [{in: a}]", "mode: primary, replicas: [{in: a, role: primary}, {in: b, role: standby}]", "atLeast: 2, replicas: [{in: a, count: 2}]", "replicas: [{in: a}, {in: b}]"}[r.IntN(4)]
		fmt.Fprintf(&b, "---\n{kind: Component, name: c%d, %s%s%s", i, how, some(3, ", needs: [%s]"), some(4, ", startNeeds: [%s]"))
		b.WriteString(", actions: [")
		for j := range 1 + r.IntN(2) {
			does := [...]string{"rebuild", "start", "promote", "scale, adds: {count: 1}"}[r.IntN(4)]
			fmt.Fprintf(&b, "{name: x%d, does: %s, at: %s%s%s%s}, ", j, does, [...]string{"b", "[a, b]", "b", "a"}[r.IntN(4)],
				some(1, ", needs: [%s]"), [...]string{"", "", ", crew: {ops: 1}", ", crew: {few: 2}"}[r.IntN(4)], [...]string{"", "", "", ", uses: {l: 2}"}[r.IntN(4)])
		}
		b.WriteString("]}\n")
	}
	fmt.Fprintf(&b, "---\n{kind: Crew, name: ops, people: 2%s}\n---\n{kind: Crew, name: few, people: 1}\n", some(2, ", needs: [%s]"))
	fmt.Fprintf(&b, "---\n{kind: Service, name: s, users: 9, needs: [%s], parts: [{name: p, share: 0.5, needs: [%s]}]}\n", need(), need())
	return b.String()
}

// TestDeadlocksAreWhole takes each deadlock out of what impact lists, and lists it twice: both
// are refused. Where it begins does not matter.
func TestDeadlocksAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(300) {
		text := knottedEstate(rand.New(rand.NewPCG(seed, 21)))
		s := parseText(t, text)
		im, err := impact.Of(s, []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		c, err := provenImpact(im)
		if err != nil {
			t.Fatal(err)
		}
		all := c.Claim.Deadlocks
		held := func(what string, want bool, list ...verify.Deadlock) {
			t.Helper()
			c.Claim.Deadlocks = list
			r := replayed(t, &verify.Certificate{Kind: verify.KindImpact, Estate: certifiedEstate(s), Impact: c})
			if r.Valid != want {
				t.Errorf("seed %d, %s: %v %s\n%+v\n%s", seed, what, r.Valid, strings.Join(r.Wrong, "\n"), list, text)
			}
			seen[what]++
		}
		held("as it is", true, all...)
		for i, d := range all {
			rest := slices.Delete(slices.Clone(all), i, i+1)
			if len(rest) > 0 {
				held("without one of several", false, rest...)
			} else {
				held("without the only one", false)
			}
			held("with one twice", false, append(slices.Clone(all), d)...)
			held("with one turned", true, append(rest, verify.Deadlock{Cycle: append(slices.Clone(d.Cycle[1:]), d.Cycle[0])})...)
		}
	}
	t.Log(seen)
	if seen["without one of several"] < 20 || seen["without the only one"] < 60 {
		t.Error(seen)
	}
}

// TestWaitingInARingIsNotEnough lists two things that wait for each other, of which one waits
// for what is lost, too.
func TestWaitingInARingIsNotEnough(t *testing.T) {
	text := `
{kind: Domain, name: a, type: site}
---
{kind: Domain, name: b, type: site}
---
{kind: Component, name: x, replicas: [{in: a}], actions: [{name: go, does: start, at: b, needs: [y, a]}]}
---
{kind: Component, name: y, replicas: [{in: a}], actions: [{name: go, does: start, at: b, needs: [x]}]}`
	for _, c := range []struct{ text, wrong string }{
		{text, "these do not wait for each other in a ring"},
		{strings.Replace(text, "[y, a]", "[y]", 1), ""},
	} {
		s := parseText(t, c.text)
		im, err := impact.Of(s, []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := provenImpact(im)
		if err != nil {
			t.Fatal(err)
		}
		p.Claim.Deadlocks = []verify.Deadlock{{Cycle: []string{"x", "y"}}}
		r := replayed(t, &verify.Certificate{Kind: verify.KindImpact, Estate: certifiedEstate(s), Impact: p})
		if r.Valid != (c.wrong == "") || !strings.Contains(strings.Join(r.Wrong, "\n"), c.wrong) {
			t.Errorf("%v %q, want %q", r.Valid, r.Wrong, c.wrong)
		}
	}
}

// auditCertificate returns the certificate of a report as it is in its file.
func auditCertificate(t *testing.T, s *estate.Snapshot, r *audit.Report) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.json")
	if err := certifyAudit(file, s, r); err != nil {
		t.Fatal(err)
	}
	data, err := readCertificate(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func replayed(t *testing.T, c *verify.Certificate) *verify.Report {
	t.Helper()
	c.Version = verify.Version
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

// TestCutsetsCertificates holds that the checker confirms what cutset finds on
// random estates, with both kinds of leaves, and finds what was left out.
func TestCutsetsCertificates(t *testing.T) {
	total, exhausted := 0, 0
	for seed := range uint64(400) {
		s := parseText(t, randomEstate(rand.New(rand.NewPCG(seed, 12))))
		for i := range s.Services {
			for leaves, name := range map[cutset.Leaves]string{cutset.Domains: "domains", cutset.Components: "components"} {
				tree := cutset.FromEstate(s, i, leaves)
				r, err := cutset.Solve(tree, cutset.Options{List: true})
				if err != nil {
					t.Fatal(err)
				}
				run := cutsetsRun{of: s.Services[i].Name, snap: s, leaves: choice{value: name}}
				claim := run.answer(&tree, r)
				c := &verify.Certificate{Kind: verify.KindCutsets, Estate: certifiedEstate(s), Cutsets: &verify.Cutsets{Claim: verify.CutsetsClaim(claim)}}
				report := replayed(t, c)
				if !report.Valid {
					t.Fatalf("seed %d, %s, %s: %s", seed, claim.Of, name, strings.Join(report.Wrong, "\n"))
				}
				// The same of the tree alone, without the estate. It is cyclic at times.
				alone := &verify.Certificate{Kind: verify.KindCutsets, Cutsets: &verify.Cutsets{Claim: verify.CutsetsClaim(claim), Tree: plainTree(&tree)}}
				alone.Cutsets.Claim.Of = alone.Cutsets.Tree.Gates[0].Name
				if report := replayed(t, alone); !report.Valid {
					t.Fatalf("seed %d, tree of %s, %s: %s", seed, claim.Of, name, strings.Join(report.Wrong, "\n"))
				}
				total++
				if slices.ContainsFunc(report.Proved, func(p string) bool { return strings.HasPrefix(p, "no set is missing") }) {
					exhausted++
				}
				if len(claim.Sets) == 0 {
					continue
				}
				// Without its last set, and with counts that agree, only trying all finds it.
				last := claim.Sets[len(claim.Sets)-1]
				c.Cutsets.Claim.Sets = claim.Sets[:len(claim.Sets)-1]
				c.Cutsets.Claim.Count = fmt.Sprint(len(c.Cutsets.Claim.Sets))
				c.Cutsets.Claim.ByOrder = map[string]string{}
				for _, set := range c.Cutsets.Claim.Sets {
					n := 0
					_, _ = fmt.Sscan(c.Cutsets.Claim.ByOrder[fmt.Sprint(len(set))], &n)
					c.Cutsets.Claim.ByOrder[fmt.Sprint(len(set))] = fmt.Sprint(n + 1)
				}
				if replayed(t, c).Valid {
					t.Fatalf("seed %d, %s: nobody misses %s", seed, claim.Of, last)
				}
			}
		}
	}
	if exhausted != total {
		t.Errorf("%d of %d small estates were tried in full", exhausted, total)
	}
}

// TestAuditCertificateOfNothingLost has things that do not run with nothing lost: their
// findings are about no domain at all, and say of no fix that it lies outside of one.
func TestAuditCertificateOfNothingLost(t *testing.T) {
	s := parseText(t, "kind: Domain\nname: north\ntype: site\n---\nkind: Component\nname: d\nreplicas: [{in: north, count: 0}]\n---\nkind: Service\nname: shop\nusers: 3\nneeds: [d]\n")
	r, err := audit.Check(s, audit.Options{Sites: true, Rules: []string{"unrecoverable"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || r.Findings[0].ID != "unrecoverable/-/shop" || r.Findings[0].Fix.Words != "replicas of d in a domain that is up" {
		t.Fatalf("%+v", r.Findings)
	}
	data := auditCertificate(t, s, r)
	if report, err := verify.Check(data); err != nil || !report.Valid || !slices.Contains(report.Proved, "the impact of the loss of nothing, as bongsu impact answers it, on every thing in the estate, with all deadlocks") {
		t.Errorf("%v %+v", err, report)
	}
}

// TestAuditCertificateOfAWholeEstate has nothing to find: what each loss does is proved all the same.
func TestAuditCertificateOfAWholeEstate(t *testing.T) {
	s := parseText(t, "kind: Domain\nname: north\ntype: site\n---\nkind: Domain\nname: south\ntype: site\n---\nkind: Component\nname: d\nreplicas: [{in: north}, {in: south}]\n---\nkind: Service\nname: shop\nusers: 3\nneeds: [d]\n")
	r, err := audit.Check(s, audit.Options{Sites: true, Rules: []string{"unrecoverable"}})
	if err != nil || len(r.Findings) > 0 {
		t.Fatalf("%v %+v", err, r)
	}
	data := auditCertificate(t, s, r)
	report, err := verify.Check(data)
	if err != nil || !report.Valid {
		t.Fatalf("%v %+v", err, report)
	}
	want := []string{
		"the impact of the loss of north, as bongsu impact answers it, on every thing in the estate, with all deadlocks",
		"the impact of the loss of south, as bongsu impact answers it, on every thing in the estate, with all deadlocks",
	}
	if diff := cmp.Diff(want, report.Proved); diff != "" {
		t.Error(diff)
	}
}

// TestAuditCertificates holds that the findings of the examples are confirmed.
func TestAuditCertificates(t *testing.T) {
	for _, dir := range []string{"kakao-2022", "kakao-2023", "two-sites"} {
		s, err := loadEstate(filepath.Join("../../examples", dir))
		if err != nil {
			t.Fatal(err)
		}
		r, err := audit.Check(s, audit.Options{Sites: true})
		if err != nil {
			t.Fatal(err)
		}
		data := auditCertificate(t, s, r)
		report, err := verify.Check(data)
		if err != nil || !report.Valid {
			t.Errorf("%s: %v %v", dir, err, report)
		}
		deadlocks := 0
		for _, f := range r.Findings {
			if f.Rule == "deadlock" && f.Severity == audit.Error && f.Loss != audit.ColdStart {
				deadlocks++
			}
		}
		if told := fmt.Sprintf("findings of a deadlock (%d in all)", deadlocks); deadlocks > 0 != slices.Contains(report.Proved, told) {
			t.Errorf("%s: %q of %q", dir, told, report.Proved)
		}
		// One that is none is refused, and so is a loss with one left out.
		var c verify.Certificate
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		for i := range c.Audit.Findings {
			if f := &c.Audit.Findings[i]; f.Rule == "deadlock" {
				was := *f
				f.Subject, f.ID = "x>"+f.Subject, "deadlock/"+strings.Join(f.Lost, "+")+"/x>"+f.Subject
				if replayed(t, &c).Valid {
					t.Errorf("%s: %s is taken for a deadlock", dir, f.Subject)
				}
				*f = was
			}
		}
		for i := range c.Audit.Losses {
			claim := &c.Audit.Losses[i].Claim
			all := claim.Deadlocks
			for j := range all {
				claim.Deadlocks = slices.Delete(slices.Clone(all), j, j+1)
				if replayed(t, &c).Valid {
					t.Errorf("%s: %v can be left out", dir, all[j].Cycle)
				}
			}
			claim.Deadlocks = all
		}
	}
}

// randomEstate writes a small random estate with all modes, needs and actions.
func randomEstate(rng *rand.Rand) string {
	var b strings.Builder
	pick := func(xs []string) string { return xs[rng.IntN(len(xs))] }
	nd, nc, ns, nw := 2+rng.IntN(5), 1+rng.IntN(8), 1+rng.IntN(3), 1+rng.IntN(2)
	var domains, things []string
	for i := range nd {
		fmt.Fprintf(&b, "---\nkind: Domain\nname: d%d\n", i)
		if i > 1 && rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "needs: %s\n", randomNeed(rng, domains, 1))
		}
		domains = append(domains, fmt.Sprintf("d%d", i))
	}
	for i := range nc {
		things = append(things, fmt.Sprintf("c%d", i))
	}
	for i := range ns {
		things = append(things, fmt.Sprintf("s%d", i))
	}
	for i := range nw {
		things = append(things, fmt.Sprintf("w%d", i))
	}
	all := append(append([]string{}, things...), things...)
	all = append(all, domains...)
	b.WriteString("---\nkind: Limit\nname: slots\nslots: 2\n")
	for i := range nw {
		fmt.Fprintf(&b, "---\nkind: Crew\nname: w%d\npeople: 2\n", i)
		if rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "needs: %s\n", randomNeed(rng, all, 1))
		}
	}
	for i := range nc {
		fmt.Fprintf(&b, "---\nkind: Component\nname: c%d\n", i)
		mode := pick([]string{"any", "any", "quorum", "primary"})
		fmt.Fprintf(&b, "mode: %s\n", mode)
		nr := rng.IntN(4)
		total := 0
		if nr > 0 {
			b.WriteString("replicas:\n")
		}
		for j := range nr {
			switch {
			case mode == "primary" && j == 0:
				fmt.Fprintf(&b, "  - {in: %s, role: primary}\n", pick(domains))
				total++
			case mode == "primary":
				fmt.Fprintf(&b, "  - {in: %s, role: standby, sync: %v, count: %d}\n", pick(domains), rng.IntN(2) == 0, (rng.IntN(8)+6)/7)
			default:
				k := 1 + rng.IntN(3)
				total += k
				fmt.Fprintf(&b, "  - {in: %s, count: %d}\n", pick(domains), k)
			}
		}
		if mode == "primary" && rng.IntN(3) == 0 {
			b.WriteString("auto: true\n")
		}
		if mode == "any" && total > 0 {
			fmt.Fprintf(&b, "atLeast: %d\n", 1+rng.IntN(total)+rng.IntN(20)/19) // now and then more than there are
		}
		for _, f := range []string{"needs", "wants", "startNeeds"} {
			if rng.IntN(3) == 0 {
				fmt.Fprintf(&b, "%s: %s\n", f, randomNeed(rng, all, 2))
			}
		}
		if rng.IntN(3) == 0 {
			fmt.Fprintf(&b, "data: {size: 1GiB, copies: [{in: %s, how: backup, lag: %dh}]}\n", pick(domains), rng.IntN(4))
		}
		na := rng.IntN(3)
		if na > 0 {
			b.WriteString("actions:\n")
		}
		for j := range na {
			does := pick([]string{"start", "scale", "restore", "rebuild", "switch", "shrink"})
			if mode == "primary" && rng.IntN(2) == 0 {
				does = "promote"
			}
			fmt.Fprintf(&b, "  - name: a%d\n    does: %s\n    takes: 1m\n", j, does)
			switch rng.IntN(3) {
			case 0:
				fmt.Fprintf(&b, "    at: %s\n", pick(domains))
			case 1:
				fmt.Fprintf(&b, "    at: [%s, %s]\n", domains[0], domains[1])
			}
			if mode == "any" && rng.IntN(2) == 0 && does != "shrink" {
				fmt.Fprintf(&b, "    adds: {count: %d}\n", 1+rng.IntN(3))
			}
			if does == "shrink" {
				b.WriteString("    removes: {count: 1}\n")
			}
			if rng.IntN(2) == 0 {
				fmt.Fprintf(&b, "    needs: %s\n", randomNeed(rng, all, 2))
			}
			if rng.IntN(2) == 0 {
				fmt.Fprintf(&b, "    crew: {w%d: %d}\n", rng.IntN(nw), 1+rng.IntN(10)/4)
			}
			if rng.IntN(4) == 0 {
				fmt.Fprintf(&b, "    uses: {slots: %d}\n", 1+rng.IntN(3))
			}
		}
	}
	for i := range ns {
		fmt.Fprintf(&b, "---\nkind: Service\nname: s%d\nusers: %d\nneeds: %s\n", i, rng.IntN(1000), randomNeed(rng, all, 2))
		if rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "parts: [{name: p, share: 0.3, needs: %s}]\n", randomNeed(rng, all, 1))
		}
	}
	return b.String()
}

func randomNeed(rng *rand.Rand, names []string, depth int) string {
	n := 1 + rng.IntN(3)
	of := make([]string, n)
	for i := range of {
		of[i] = names[rng.IntN(len(names))]
		if depth > 0 && rng.IntN(4) == 0 {
			of[i] = randomNeed(rng, names, depth-1)
		}
	}
	list := "[" + strings.Join(of, ", ") + "]"
	switch op := rng.IntN(4); {
	case op == 0 && n > 1:
		return "{anyOf: " + list + "}"
	case op == 1 && n > 1:
		return fmt.Sprintf("{atLeast: %d, of: %s}", 1+rng.IntN(n-1), list)
	}
	return list
}

// TestFixCertificates holds that the checker confirms the cheapest measures on random
// estates, and refuses what is not so.
func TestFixCertificates(t *testing.T) {
	const seeds = 100
	tried := 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 13))
		var text strings.Builder
		for doc := range strings.SplitSeq(randomEstate(rng), "---\n") {
			if strings.HasPrefix(doc, "kind: Component") {
				doc = fmt.Sprintf("cost: %d\n%s", 1+rng.IntN(4), doc)
			}
			text.WriteString("---\n" + doc)
		}
		s := parseText(t, text.String())
		lost := []string{"d0", "d1"}[:1+rng.IntN(2)]
		fix, err := audit.Fix(s, lost, 0)
		if err != nil {
			t.Fatal(err)
		}
		prove := func() *verify.Certificate {
			c, err := provenFix(s, lost, fix)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := prove()
		r := replayed(t, c)
		if !r.Valid {
			t.Fatalf("seed %d, losing %v: %q\n%s", seed, lost, r.Wrong, c.Estate.YAML)
		}
		if !slices.ContainsFunc(r.Proved, func(p string) bool { return strings.HasPrefix(p, "the measures are the cheapest") }) {
			t.Errorf("seed %d: not proved to be the cheapest: %q", seed, r.Unproved)
		}
		if len(fix.Measures) == 0 {
			continue
		}
		tried++
		for what, spoil := range map[string]func(c *verify.FixClaim){
			"a measure fewer": func(c *verify.FixClaim) {
				c.Cost -= c.Measures[0].Cost
				c.Measures = c.Measures[1:]
			},
			"a lower price":  func(c *verify.FixClaim) { c.Measures[0].Cost--; c.Cost-- },
			"a higher bound": func(c *verify.FixClaim) { c.LowerBound++ },
			"a set less a member": func(c *verify.FixClaim) {
				c.Blocked[0] = slices.DeleteFunc(slices.Clone(c.Blocked[0]), func(n string) bool {
					return slices.ContainsFunc(c.Measures, func(m verify.Measure) bool { return m.Subject == n })
				})
				c.Disjoint, c.LowerBound, c.Optimal = nil, 0, false
			},
			"no set": func(c *verify.FixClaim) { c.Blocked, c.Disjoint, c.LowerBound = nil, nil, 0 },
			"a set twice": func(c *verify.FixClaim) {
				c.Disjoint = append(slices.Clone(c.Disjoint), c.Disjoint[0])
				c.LowerBound += 1
			},
			"a service fewer": func(c *verify.FixClaim) { c.Services = c.Services[1:] },
			"another loss":    func(c *verify.FixClaim) { c.Lost = []string{} },
		} {
			c := prove()
			c.Fix.Claim.Blocked = slices.Clone(c.Fix.Claim.Blocked)
			if spoil(&c.Fix.Claim); replayed(t, c).Valid {
				t.Fatalf("seed %d: valid with %s\n%s", seed, what, c.Estate.YAML)
			}
		}
	}
	if tried < seeds/5 {
		t.Errorf("only %d of %d estates needed measures", tried, seeds)
	}
}

// TestFixBeyondTheBound has three services of which each needs one of two of three tools:
// any two sets share a member, so the bound is 1, and two tools are needed.
func TestFixBeyondTheBound(t *testing.T) {
	var text strings.Builder
	text.WriteString("kind: Domain\nname: d0\n")
	for _, tool := range []string{"x", "y", "z"} {
		text.WriteString("---\nkind: Component\nname: " + tool + "\nreplicas: [{in: d0}]\n")
	}
	for _, of := range []string{"x, y", "y, z", "x, z"} {
		text.WriteString("---\nkind: Service\nname: s" + of[:1] + of[3:] + "\nusers: 1\nneeds: {anyOf: [" + of + "]}\n")
	}
	s := parseText(t, text.String())
	fix, err := audit.Fix(s, []string{"d0"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := provenFix(s, []string{"d0"}, fix)
	if err != nil {
		t.Fatal(err)
	}
	if r := replayed(t, c); fix.Certificate.LowerBound != 1 || fix.Cost != 2 || !r.Valid || !slices.Contains(r.Proved, "the measures are the cheapest: whatever has a member of each blocked set costs as much (choices tried: 3)") {
		t.Errorf("%+v: %+v", fix, r)
	}
	// What meets two of the sets is met by one thing: then the cost of 2 is not shown.
	c.Fix.Claim.Blocked = c.Fix.Claim.Blocked[:2]
	if r := replayed(t, c); r.Valid {
		t.Errorf("valid without a set that its cost follows from: %+v", r)
	}
}
