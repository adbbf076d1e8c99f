package audit_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/impact"
)

var update = flag.Bool("update", false, "write examples/nirs-2025 and the golden files anew")

const nirs = "../examples/nirs-2025"

// nirsFiles writes the estate of examples/nirs-2025: what is public about the
// government's data centre in Daejeon before 26 September 2025 (facts §7.1), and
// where nothing is public an assumption that is marked so.
func nirsFiles() map[string]string {
	files := map[string]string{}
	files["domains.yaml"] = `# Where it stood. The fire broke out in hall 7-1 and took halls 7 and 8 with it; halls 1 to 6 were unhurt (facts N1 N2 N7).
{kind: Domain, name: daejeon, type: site, title: 국가정보자원관리원 대전센터, source: {from: facts N1, at: 2025-10-15}}
---
# What the fire of one hall takes with it.
{kind: Domain, name: daejeon-fire, type: fire-compartment, title: 대전센터 5층 화재 구역, needs: [daejeon], source: {from: facts N1 N2, at: 2025-10-15}}
---
{kind: Domain, name: daejeon-h7-1, type: hall, title: 7-1 전산실, needs: [daejeon-fire], source: {from: facts N2, at: 2025-09-30}}
---
{kind: Domain, name: daejeon-h7, type: hall, title: 7 전산실, needs: [daejeon-fire], source: {from: facts N2, at: 2025-09-30}}
---
{kind: Domain, name: daejeon-h8, type: hall, title: 8 전산실, needs: [daejeon-fire], source: {from: facts N2, at: 2025-09-30}}
---
`
	for h := 1; h <= 6; h++ {
		files["domains.yaml"] += fmt.Sprintf("{kind: Domain, name: daejeon-h%d, type: hall, title: %d 전산실, needs: [daejeon], source: {from: facts N7, at: 2025-10-02}}\n---\n", h, h)
	}
	files["domains.yaml"] += `# A second centre; that it is this one and what stands in it is assumed.
{kind: Domain, name: gwangju, type: site, title: 국가정보자원관리원 광주센터, source: {from: assumed, at: 2025-10-15}}
---
{kind: Domain, name: mobile-carrier, type: carrier, title: 이동통신망, source: {from: assumed, at: 2025-10-15}}
`
	files["tools.yaml"] = `# The register of which service runs on which server: down with the site, with no second one, and graded class 3 because
# citizens do not use it (facts N3 N4 N6). Whoever restores a system has to look it up here.
kind: Component
name: ntops
title: 통합운영관리시스템(nTOPS)
tool: true
replicas: [{in: daejeon-h7}]
source: {from: facts N3 N6; hall assumed, at: 2025-10-10}
---
# What halls 1 to 6 were linked with in halls 7 and 8, and could not run without (facts N7). What it was is assumed.
kind: Component
name: link-h7
title: 7 전산실 연계 장비
replicas: [{in: daejeon-h7}]
actions: [{name: repair, does: rebuild, at: daejeon-h7, takes: 14d, crew: {operators: 40}}]
source: {from: facts N7; duration assumed, at: 2025-10-02}
---
kind: Component
name: link-h8
title: 8 전산실 연계 장비
replicas: [{in: daejeon-h8}]
actions: [{name: repair, does: rebuild, at: daejeon-h8, takes: 14d, crew: {operators: 40}}]
source: {from: facts N7; duration assumed, at: 2025-10-02}
---
# The documents of civil servants: one large store without a second copy. That the officials behind every system
# keep their work in it is assumed; it is why each system below wants it.
kind: Component
name: g-drive-store
title: G드라이브 저장소
replicas: [{in: daejeon-h7-1}]
data: {size: 858TB}
source: {from: recall; hall assumed, at: 2025-10-15}
---
kind: Component
name: phone-tree
title: 비상 연락망(전화)
tool: true
replicas: [{in: mobile-carrier}]
source: {from: assumed, at: 2025-10-15}
---
# About 700 people, and 80 more from makers later (facts N9).
{kind: Crew, name: operators, title: 운영 인력, people: 700, needs: [phone-tree], source: {from: facts N9, at: 2025-10-13}}
`
	halls := make([]string, 0, 709)
	for hall, n := range map[string]int{"h7-1": 96, "h7": 200, "h8": 34, "h1": 64, "h2": 63, "h3": 63, "h4": 63, "h5": 63, "h6": 63} {
		for range n {
			halls = append(halls, hall)
		}
	}
	slices.Sort(halls)
	// Two systems have a place of their own: nTOPS and the G-Drive.
	halls = slices.Delete(halls, slices.Index(halls, "h7"), slices.Index(halls, "h7")+1)
	halls = slices.Delete(halls, slices.Index(halls, "h7-1"), slices.Index(halls, "h7-1")+1)
	r := rand.New(rand.NewPCG(2025, 926))
	r.Shuffle(len(halls), func(i, j int) { halls[i], halls[j] = halls[j], halls[i] })
	next := 0
	for class, n := range []int{1: 40, 2: 68, 3: 261, 4: 340} {
		if n == 0 {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "# Class %d: %d systems (facts N5). Which hall each stood in, how it was doubled and who uses it is assumed;\n# the halls together hold as many as is public (facts N2).\n", class, n)
		switch class {
		case 2:
			b.WriteString("{kind: Service, name: g-drive, title: G드라이브, users: 750000, tier: 2, needs: [g-drive-store], source: {from: recall; class assumed, at: 2025-10-15}}\n---\n")
			n--
		case 3:
			b.WriteString("{kind: Service, name: ntops-desk, title: nTOPS 화면, users: 700, tier: 3, needs: [ntops], source: {from: facts N6; users assumed, at: 2025-10-10}}\n---\n")
			n--
		}
		for k := range n {
			hall := halls[next]
			next++
			name := fmt.Sprintf("c%d-%03d", class, k+1)
			needs := ""
			if !strings.HasPrefix(hall, "h7") && hall != "h8" {
				needs = "needs: [link-h7, link-h8], "
			}
			in := "daejeon-" + hall
			body := map[int]string{
				1: fmt.Sprintf("mode: primary, replicas: [{in: %s, role: primary}, {in: gwangju, role: standby, lag: 1h}], %sactions: [{name: promote, does: promote, at: gwangju, takes: 3h, needs: [ntops], crew: {operators: 4}}]", in, needs),
				2: fmt.Sprintf("replicas: [{in: %s}], %sdata: {copies: [{in: gwangju, how: backup, lag: 24h, tested: 2025-05-01}]}, actions: [{name: restore, does: restore, at: gwangju, takes: 2d, needs: [ntops], crew: {operators: 6}}]", in, needs),
				3: fmt.Sprintf("replicas: [{in: %s}], %sdata: {copies: [{in: gwangju, how: backup, lag: 7d}]}, actions: [{name: restore, does: restore, at: [gwangju, daejeon-h1], takes: 4d, needs: [ntops], crew: {operators: 6}}]", in, needs),
				4: fmt.Sprintf("replicas: [{in: %s}], %sdata: {copies: [{in: gwangju, how: backup, lag: 31d}]}, actions: [{name: restore, does: restore, at: [gwangju, daejeon-h1], takes: 5d, needs: [ntops], crew: {operators: 4}}]", in, needs),
			}[class]
			fmt.Fprintf(&b, "{kind: Component, name: %s-app, %s, source: {from: assumed, at: 2025-10-15}}\n---\n", name, body)
			users := []int{0, 1_000_000, 200_000, 20_000, 2_000}[class]
			fmt.Fprintf(&b, "{kind: Service, name: %s, users: %d, tier: %d, needs: [%s-app], wants: [g-drive-store], source: {from: facts N5; assumed, at: 2025-10-15}}\n---\n", name, users, class, name)
		}
		files[fmt.Sprintf("systems-class-%d.yaml", class)] = strings.TrimSuffix(b.String(), "---\n")
	}
	return files
}

// The example is what nirsFiles writes: go test ./audit -run NIRS -update.
func TestNIRSExampleIsGenerated(t *testing.T) {
	for name, want := range nirsFiles() {
		path := filepath.Join(nirs, name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func loadNIRS(t *testing.T) *estate.Snapshot {
	t.Helper()
	s, err := estate.Load(os.DirFS(nirs))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNIRS(t *testing.T) {
	s := loadNIRS(t)
	tiers := map[int]int{}
	for i := range s.Services {
		tiers[s.Services[i].Tier]++
	}
	if diff := cmp.Diff(map[int]int{1: 40, 2: 68, 3: 261, 4: 340}, tiers); diff != "" || len(s.Services) != 709 {
		t.Errorf("709 systems in four classes (-want +got):\n%s", diff)
	}
	r, err := audit.Check(s, audit.Options{Lose: [][]string{{"daejeon-fire"}}, Now: time.Date(2025, 9, 26, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Findings[0].ID; got != "data-single-copy/-/g-drive-store" {
		t.Errorf("the first finding is %s; want the store without a second copy", got)
	}
	byID := map[string]audit.Finding{}
	for _, f := range r.Findings {
		byID[f.ID] = f
	}
	tier, ok := byID["tool-tier/daejeon-fire/ntops"]
	if !ok || tier.Severity != audit.Error {
		t.Errorf("nTOPS does not break tool-tier: %+v", tier)
	}
	if words := strings.Join(tier.Proof.Words, "; "); !strings.Contains(words, "ntops has class 3, yet services of class 1 wait for it") {
		t.Errorf("the proof does not name the classes: %s", words)
	}
	// Halls 1 to 6 are unhurt, and wait for what they are linked with.
	linked := granted(s, []string{"link-h7", "link-h8"})
	im, err := impact.Of(linked, []string{"daejeon-fire"})
	if err != nil {
		t.Fatal(err)
	}
	unhurt := 0
	for i := range s.Components {
		c := &s.Components[i]
		hall := ""
		if len(c.Replicas) > 0 {
			hall = s.Domains[c.Replicas[0].In].Name
		}
		system, isSystem := strings.CutSuffix(c.Name, "-app")
		if !isSystem || len(hall) != len("daejeon-h1") || hall >= "daejeon-h7" {
			continue
		}
		unhurt++
		f, ok := byID["unrecoverable/daejeon-fire/"+system]
		if !ok {
			t.Fatalf("%s in hall %s is not unrecoverable", c.Name, hall)
		}
		if diff := cmp.Diff([]string{"link-h7", "link-h8"}, f.Proof.Blocking[0]); diff != "" {
			t.Fatalf("%s waits for (-want +got):\n%s", c.Name, diff)
		}
		if ref, _ := linked.Lookup(estate.KindService, system); im.Of(ref).State == impact.Unrecoverable {
			t.Fatalf("%s stays down though what it is linked with is back", c.Name)
		}
	}
	if unhurt != 379 {
		t.Errorf("%d systems stand in halls 1 to 6; want 709 - 330", unhurt)
	}
}
