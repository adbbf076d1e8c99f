package impact_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/estate"
	"bongsu/impact"
)

// TestUpdateIsNew changes what components need, where they stand and how they come
// back, one after another, and compares an engine that follows with a new one.
func TestUpdateIsNew(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 11))
		docs := make([]string, 12)
		write := func(i int) {
			pick := func() string { return fmt.Sprintf("c%d", r.IntN(len(docs))) }
			docs[i] = fmt.Sprintf("{kind: Component, name: c%d, replicas: [{in: %c, count: %d}], needs: [{anyOf: [%s, %s]}], wants: [%s], startNeeds: [%s], actions: [{name: x, does: start, at: %c, takes: %dm, needs: [{atLeast: 1, of: [%s, %s]}]}]}\n",
				i, 'a'+rune(r.IntN(3)), r.IntN(3), pick(), pick(), pick(), pick(), 'a'+rune(r.IntN(3)), 1+r.IntN(9), pick(), pick())
			if r.IntN(3) == 0 {
				docs[i] = fmt.Sprintf("{kind: Component, name: c%d, replicas: [{in: %c}], actions: [{name: x, does: start, at: %c, takes: 1m}]}\n", i, 'a'+rune(r.IntN(3)), 'a'+rune(r.IntN(3)))
			}
		}
		text := func() *estate.Snapshot {
			var all strings.Builder
			all.WriteString("{kind: Domain, name: a, type: site}\n---\n{kind: Domain, name: b, type: site}\n---\n{kind: Domain, name: c, type: site}\n---\n{kind: Service, name: s, needs: [c0], parts: [{name: p, share: 0.5, needs: [c1]}]}\n")
			for _, d := range docs {
				all.WriteString("---\n" + d)
			}
			s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(all.String())}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		for i := range docs {
			write(i)
		}
		e := impact.NewEngine(text())
		for step := range 20 {
			name := fmt.Sprintf("c%d", r.IntN(len(docs)))
			ref, _ := text().Lookup(estate.KindComponent, name)
			var i int
			if _, err := fmt.Sscanf(name, "c%d", &i); err != nil {
				t.Fatal(err)
			}
			write(i)
			s := text()
			e = e.Update(s, []estate.Ref{ref})
			for _, lost := range [][]string{nil, {"a"}, {"b", "c"}} {
				want, err := impact.Of(s, lost)
				if err != nil {
					t.Fatal(err)
				}
				got, err := e.Of(lost)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(said(want), said(got)); diff != "" {
					t.Fatalf("seed %d, step %d, %v lost (-new +updated):\n%s", seed, step, lost, diff)
				}
			}
		}
	}
}

// said is all that an impact says, but for derivations, of which there may be several.
func said(im *impact.Impact) []string {
	var out []string
	for _, list := range [][]impact.Result{im.Components, im.Services, im.Crews} {
		for _, r := range list {
			out = append(out, fmt.Sprint(r, im.Because(r.Ref, 3)))
		}
	}
	return append(out, fmt.Sprint(im.Deadlocks))
}
