package audit_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"bongsu/estate"
)

func parse(t testing.TB, text string) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// randomEstate is small enough for brute force and still has tools, crews, start
// needs, alternatives, feeds, standbys and costs.
func randomEstate(r *rand.Rand, components int) string {
	var b strings.Builder
	doc := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n---\n", args...) }
	var places []string
	for _, site := range []string{"a", "b", "c"} {
		doc("{kind: Domain, name: %s, type: site, capacity: {cpu: %d}}", site, 4+r.IntN(8))
		doc("{kind: Domain, name: %s-f1, type: feed, needs: [%s]}", site, site)
		doc("{kind: Domain, name: %s-f2, type: feed, needs: [%s]}", site, site)
		for _, hall := range []string{"h1", "h2"} {
			needs := fmt.Sprintf("%s, {anyOf: [%s-f1, %s-f2]}", site, site, site)
			if r.IntN(3) == 0 {
				needs = fmt.Sprintf("%s, %s-f%d", site, site, 1+r.IntN(2))
			}
			doc("{kind: Domain, name: %s-%s, type: rack, needs: [%s]}", site, hall, needs)
			places = append(places, site+"-"+hall)
		}
	}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	name := func(i int) string { return fmt.Sprintf("c%02d", i) }
	need := func(n int) string {
		switch r.IntN(5) {
		case 0:
			return fmt.Sprintf("{anyOf: [%s, %s]}", name(r.IntN(n)), name(r.IntN(n)))
		case 1:
			return fmt.Sprintf("{atLeast: 2, of: [%s, %s, %s]}", name(r.IntN(n)), name(r.IntN(n)), name(r.IntN(n)))
		}
		return name(r.IntN(n))
	}
	crew := func(n int) { doc("{kind: Crew, name: ops, people: %d, needs: [%s]}", 1+r.IntN(3), need(n)) }
	for i := range components {
		fmt.Fprintf(&b, "kind: Component\nname: %s\ncost: %d\ntool: %v\n", name(i), 1+r.IntN(5), r.IntN(3) == 0)
		home := pick(places)
		switch r.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "mode: primary\nauto: %v\nreplicas: [{in: %s, role: primary}, {in: %s, role: standby, sync: %v}]\n", r.IntN(3) == 0, home, pick(places), r.IntN(2) == 0)
		case 1:
			fmt.Fprintf(&b, "mode: quorum\nreplicas: [{in: %s}, {in: %s}, {in: %s}]\n", home, pick(places), pick(places))
		case 2:
			fmt.Fprintf(&b, "atLeast: %d\nreplicas: [{in: %s, count: 2, uses: {cpu: 1}}, {in: %s, uses: {cpu: 1}}]\n", 1+r.IntN(3), home, pick(places))
		default:
			fmt.Fprintf(&b, "replicas: [{in: %s}]\n", home)
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, "needs: [%s]\n", need(components))
		}
		if r.IntN(4) == 0 {
			fmt.Fprintf(&b, "startNeeds: [%s]\n", need(components))
		}
		if r.IntN(4) == 0 {
			fmt.Fprintf(&b, "wants: [%s]\n", need(components))
		}
		if r.IntN(3) == 0 {
			lag := ""
			if r.IntN(2) == 0 {
				lag = fmt.Sprintf(", lag: %ds", r.IntN(60))
			}
			fmt.Fprintf(&b, "data: {copies: [{in: %s, how: async%s}]}\n", pick(places), lag)
		}
		if r.IntN(3) > 0 {
			who := ""
			if r.IntN(3) == 0 {
				who = fmt.Sprintf(", crew: {ops: %d}", 1+r.IntN(2))
			}
			does := []string{"start", "scale", "promote", "rebuild", "restore", "scale"}[r.IntN(6)]
			adds := ""
			if does == "scale" {
				adds = fmt.Sprintf(", adds: {count: %d}", 1+r.IntN(2))
			}
			fmt.Fprintf(&b, "actions: [{name: act, does: %s, at: %s, takes: %dm%s, needs: [%s]%s}]\n", does, pick([]string{"a", "b", "c", "[a, b]", "[b, c]", "[c, a]"}), 1+r.IntN(60), adds, need(components), who)
		}
		b.WriteString("---\n")
	}
	crew(components)
	for i := range 3 {
		doc("{kind: Service, name: s%d, users: %d, tier: %d, needs: [%s], wants: [%s], objectives: {rto: %dm, rpo: 5s}}", i, 10+r.IntN(1000), 1+r.IntN(2), need(components), need(components), 1+r.IntN(60))
	}
	return strings.TrimSuffix(b.String(), "---\n")
}
