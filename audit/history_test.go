package audit_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/internal/kv"
)

func mark(n int) audit.Mark {
	return audit.Mark{
		Number: int64(n), Rev: fmt.Sprintf("sha256:%04d", n), Who: []string{"jiwon", "minseo"}[n%2],
		At: time.Date(2026, 11, n%28+1, 9, 0, 0, 0, time.UTC),
	}
}

// reportOf is a report that found just these.
func reportOf(ids ...string) *audit.Report {
	r := &audit.Report{Version: audit.Version}
	for _, id := range ids {
		f := audit.Finding{ID: id, Severity: audit.Error, Users: int64(len(id)), Sentence: "about " + id}
		f.Rule, f.Loss, f.Subject = "outage", "north", id[strings.LastIndex(id, "/")+1:]
		r.Findings = append(r.Findings, f)
	}
	return r
}

func idsOf(list []audit.Held) []string {
	var out []string
	for _, x := range list {
		out = append(out, x.ID)
	}
	slices.Sort(out)
	return out
}

// TestHistoryIsTheDifferenceOfSets folds random reports one by one. What the history
// says of each revision has to be what the sets of findings say.
func TestHistoryIsTheDifferenceOfSets(t *testing.T) {
	const revisions, universe = 40, 60
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 3))
		// Small bounds make findings change between those with a proof and those without.
		b := audit.Bounds{Audits: revisions, Standing: 7, Brief: universe, Fixed: revisions * universe}
		h := &audit.History{}
		var sets []map[string]bool
		for n := range revisions {
			set := map[string]bool{}
			for i := range universe {
				if keep := n > 0 && sets[n-1][fmt.Sprintf("outage/north/s%02d", i)]; r.IntN(10) < 2 != keep {
					set[fmt.Sprintf("outage/north/s%02d", i)] = true
				}
			}
			sets = append(sets, set)
			ids := slices.Sorted(maps.Keys(set))
			r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			before := *h
			h = h.Fold(mark(n+1), time.Now(), reportOf(ids...), b)
			if n > 0 && len(before.Audits) != n {
				t.Fatal("folding changed the history that it began with")
			}
		}
		for n, set := range sets {
			opened, fixed := 0, 0
			for id := range set {
				if n == 0 || !sets[n-1][id] {
					opened++
				}
			}
			if n > 0 {
				for id := range sets[n-1] {
					if !set[id] {
						fixed++
					}
				}
			}
			if a := h.Audits[n]; a.Opened != opened || a.Fixed != fixed || a.Errors != len(set) || a.Number != int64(n+1) {
				t.Fatalf("seed %d, revision %d: %+v, want %d opened, %d fixed, %d standing", seed, n+1, a, opened, fixed, len(set))
			}
		}
		last := sets[revisions-1]
		if h.Followed() != len(last) || len(h.Standing) != min(7, len(last)) || h.MoreFindings != 0 {
			t.Fatalf("seed %d: %d of %d are followed, %d with proofs", seed, h.Followed(), len(last), len(h.Standing))
		}
		opened := map[string]int64{}
		for _, x := range h.Standing {
			opened[x.ID] = x.Opened.Number
		}
		for _, x := range h.Brief {
			opened[x.ID] = x.Opened.Number
		}
		for id := range last {
			first := revisions
			for first > 1 && sets[first-2][id] {
				first--
			}
			if opened[id] != int64(first) {
				t.Fatalf("seed %d: %s was opened by revision %d, the history says %d", seed, id, first, opened[id])
			}
		}
		for _, x := range h.Fixed {
			was, is := sets[x.Fixed.Number-2][x.ID], sets[x.Fixed.Number-1][x.ID]
			if !was || is || x.Fixed.Number <= x.Opened.Number || !sets[x.Opened.Number-1][x.ID] {
				t.Fatalf("seed %d: %s was not opened by %d and fixed by %d", seed, x.ID, x.Opened.Number, x.Fixed.Number)
			}
			if cmp.Diff(mark(int(x.Fixed.Number)), *x.Fixed) != "" {
				t.Fatalf("seed %d: fixed by %+v", seed, *x.Fixed)
			}
		}
	}
}

func TestHistoryFoldsARevisionOnce(t *testing.T) {
	h := (&audit.History{}).Fold(mark(3), time.Now(), reportOf("outage/north/a"), audit.DefaultBounds())
	for _, n := range []int{3, 2} {
		if again := h.Fold(mark(n), time.Now(), reportOf(), audit.DefaultBounds()); again != h {
			t.Errorf("revision %d after 3 changed the history: %+v", n, again.Audits)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	b := audit.Bounds{Audits: 2, Standing: 3, Brief: 4, Fixed: 5}
	var ids []string
	for i := range 20 {
		ids = append(ids, fmt.Sprintf("outage/north/s%02d", i))
	}
	h := (&audit.History{}).Fold(mark(1), time.Now(), reportOf(ids...), b)
	if len(h.Standing) != 3 || len(h.Brief) != 4 || h.MoreFindings != 13 || h.Audits[0].Errors != 20 {
		t.Errorf("%d with proofs, %d without, %d more, %+v", len(h.Standing), len(h.Brief), h.MoreFindings, h.Audits)
	}
	h = h.Fold(mark(2), time.Now(), reportOf(), b).Fold(mark(3), time.Now(), reportOf(), b)
	if len(h.Fixed) != 5 || h.MoreFixed != 2 || len(h.Audits) != 2 || h.Audits[0].Number != 2 || h.Audits[0].Fixed != 7 {
		t.Errorf("%d fixed and %d more, audits %+v", len(h.Fixed), h.MoreFixed, h.Audits)
	}
	long := reportOf("outage/north/a")
	long.Findings[0].Sentence = strings.Repeat("봉", 10_000)
	for range 1000 {
		long.Findings[0].Proof.Words = append(long.Findings[0].Proof.Words, "because")
		long.Findings[0].Proof.Blocking = append(long.Findings[0].Proof.Blocking, make([]string, 1000))
	}
	h = (&audit.History{}).Fold(mark(1), time.Now(), long, b)
	if data, err := json.Marshal(h.Standing[0]); err != nil || len(data) > 20_000 {
		t.Errorf("one finding takes %d bytes, %v", len(data), err)
	}
}

// The gravest come first, and what is waived last.
func TestHistoryOrder(t *testing.T) {
	r := reportOf("outage/north/a", "outage/north/bb", "outage/north/ccc", "outage/north/dddd")
	r.Findings[1].Severity = audit.Warning
	r.Findings[3].Waived = &audit.Waived{Owner: "lee", Reason: "later", Until: "2027-01-01"}
	h := (&audit.History{}).Fold(mark(1), time.Now(), r, audit.DefaultBounds())
	var got []string
	for _, x := range h.Standing {
		got = append(got, x.Subject)
	}
	if diff := cmp.Diff([]string{"ccc", "a", "bb", "dddd"}, got); diff != "" {
		t.Error(diff)
	}
	if a := h.Audits[0]; a.Errors != 2 || a.Warnings != 1 || a.Waived != 1 {
		t.Errorf("%+v", a)
	}
	if only := h.Only(audit.Choice{Severity: audit.Warning}); len(only.Standing) != 1 || len(only.Audits) != 1 || len(h.Standing) != 4 {
		t.Errorf("only warnings: %v", idsOf(only.Standing))
	}
}

// TestHistoryKnowsWhatIsImplied folds an estate in which a service needs a component that cannot
// come back, for a while: the component was not fixed meanwhile, nor is it opened after.
func TestHistoryKnowsWhatIsImplied(t *testing.T) {
	text := sites + `
{kind: Component, name: app, replicas: [{in: north}]}
---
{kind: Service, name: shop, users: 9, needs: [`
	const alone, shop = "unrecoverable/north/app", "unrecoverable/north/shop"
	h := &audit.History{}
	for i, x := range []struct {
		needs         string
		opened, fixed int
		standing      map[string]int64 // by which revision each was opened
	}{
		{"", 1, 0, map[string]int64{alone: 1}},
		{"app", 1, 0, map[string]int64{shop: 2}},
		{"app, {anyOf: [app]}", 0, 0, map[string]int64{shop: 2}},
		{"", 0, 1, map[string]int64{alone: 1}},
		{"app", 1, 0, map[string]int64{shop: 5}},
	} {
		r, err := audit.Check(parse(t, text+x.needs+"]}"), audit.Options{Sites: true, Rules: []string{"unrecoverable"}, Implied: true})
		if err != nil {
			t.Fatal(err)
		}
		h = h.Fold(mark(i+1), time.Now(), r, audit.DefaultBounds())
		standing := map[string]int64{}
		for _, f := range h.Standing {
			standing[f.ID] = f.Opened.Number
		}
		last, _ := h.Last()
		if diff := cmp.Diff(x.standing, standing); diff != "" || last.Opened != x.opened || last.Fixed != x.fixed {
			t.Errorf("revision %d: %d opened, %d fixed, want %d and %d; (-want +got):\n%s", i+1, last.Opened, last.Fixed, x.opened, x.fixed, diff)
		}
		st := kv.NewMemory() // and so it is when the next audit reads it
		keep(t, st, h)
		h = read(t, st)
	}
	if want := []string{shop}; !slices.Equal(idsOf(h.Fixed), want) {
		t.Errorf("fixed: %v, want %v", idsOf(h.Fixed), want)
	}
}

// Each loss that was judged has a column or its name, and no other has.
func TestHistoryNamesEachLoss(t *testing.T) {
	r := kakao(t)
	for most := range len(r.Losses) + 2 {
		b := audit.DefaultBounds()
		b.Losses = most
		h := (&audit.History{}).Fold(mark(1), time.Now(), r, b)
		if diff := cmp.Diff(r.Losses, slices.Concat(h.Losses, h.OtherLosses)); diff != "" || len(h.Losses) != min(most, len(r.Losses)) || h.MoreLosses != len(h.OtherLosses) {
			t.Errorf("%d columns, %d more (-judged +named):\n%s", len(h.Losses), h.MoreLosses, diff)
		}
	}
}

func kakao(t *testing.T) *audit.Report {
	t.Helper()
	s, err := estate.Load(os.DirFS("../examples/kakao-2022"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.Check(s, audit.Options{Now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHistoryDrawsProofs: on the example, what cannot come back has a picture whose
// arrows lead from the service to what was lost, and the words of the proof name what
// is on the way.
func TestHistoryDrawsProofs(t *testing.T) {
	h := (&audit.History{}).Fold(mark(1), time.Now(), kakao(t), audit.DefaultBounds())
	drawn := map[string]int{}
	for _, x := range h.Standing {
		g := x.Graph
		if g == nil {
			continue
		}
		drawn[x.Rule]++
		if len(g.Nodes) < 2 || len(g.Nodes) > 12 || g.Nodes[0].Level != 0 {
			t.Errorf("%s: %d nodes, the first on level %d", x.ID, len(g.Nodes), g.Nodes[0].Level)
		}
		reached := map[int]bool{0: true}
		for range g.Nodes {
			for _, a := range g.Arrows {
				if reached[a.From] {
					reached[a.To] = true
				}
			}
		}
		if len(reached) != len(g.Nodes) {
			t.Errorf("%s: only %d of %d nodes hang on its subject: %+v", x.ID, len(reached), len(g.Nodes), g)
		}
		if x.Rule != "unrecoverable" {
			continue
		}
		lost := false
		for _, n := range g.Nodes {
			lost = lost || n.Lost
		}
		if !lost {
			t.Errorf("%s: nothing in its picture is lost: %+v", x.ID, g.Nodes)
		}
		for _, name := range x.Proof.Blocking[0] {
			if !slices.ContainsFunc(g.Nodes, func(n audit.Node) bool { return n.Name == name }) {
				t.Errorf("%s: %s is in the way and not in the picture", x.ID, name)
			}
		}
	}
	if drawn["unrecoverable"] == 0 || drawn["deadlock"] == 0 || drawn["shared-fate"] == 0 || drawn["outage"] == 0 {
		t.Errorf("drawn by rule: %v", drawn)
	}
	if len(h.Losses) == 0 || len(h.Services) == 0 || len(h.Services[0].States) != len(h.Losses) {
		t.Fatalf("the matrix has %d services and %d losses", len(h.Services), len(h.Losses))
	}
	bad := func(r audit.Row) int {
		n := 0
		for _, c := range r.States {
			if c.State == "unrecoverable" {
				n++
			}
		}
		return n
	}
	for i := range h.Services[1:] {
		if bad(h.Services[i+1]) > bad(h.Services[i]) {
			t.Errorf("%s comes after %s, and is worse", h.Services[i+1].Name, h.Services[i].Name)
		}
	}
}

// sameHistory compares histories by what they show.
func sameHistory() cmp.Option {
	return cmp.Options{cmpopts.IgnoreUnexported(audit.Finding{}), cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0)}
}

// BenchmarkHistoryFold is what a node does with the report of a large estate besides
// judging it: the history with all pictures.
func BenchmarkHistoryFold(b *testing.B) {
	r, err := audit.Check(large(b), audit.Options{Now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		h := (&audit.History{}).Fold(mark(1), time.Now(), r, audit.DefaultBounds())
		b.ReportMetric(float64(h.Followed()), "findings")
	}
}
