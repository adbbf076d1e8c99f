package impact_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bongsu/estate"
	"bongsu/impact"
)

// naive is design §3 read aloud: every rule as a loop over everything, nothing
// kept, nothing shared with the engine.
type naive struct {
	s      *estate.Snapshot
	lost   map[int]bool // domains asked for
	forced map[estate.Ref]bool
	ran    map[impact.ActionRef]bool // At is always -1 here
	held   map[int]bool
	up     map[estate.Ref]bool
}

func newNaive(s *estate.Snapshot, lost []int, forced ...estate.Ref) *naive {
	n := &naive{s: s, lost: map[int]bool{}, forced: map[estate.Ref]bool{}, ran: map[impact.ActionRef]bool{}, held: map[int]bool{}}
	for _, d := range lost {
		n.lost[d] = true
	}
	for _, r := range forced {
		n.forced[r] = true
	}
	for c := range s.Components {
		n.held[c] = n.holds(c)
	}
	n.up = n.greatest()
	return n
}

func (n *naive) alive(d int) bool {
	return !n.lost[d] && n.need(n.s.Domains[d].Needs, nil)
}

func (n *naive) need(need estate.Need, up map[estate.Ref]bool) bool {
	if need.Empty() {
		return true
	}
	if need.Ref != nil {
		if need.Ref.Kind == estate.KindDomain {
			return n.alive(need.Ref.Index)
		}
		return up[*need.Ref]
	}
	met := 0
	for _, o := range need.Of {
		if n.need(o, up) {
			met++
		}
	}
	return met >= need.K
}

func (n *naive) holds(c int) bool {
	comp := &n.s.Components[c]
	living, total, primary, standby, added, direct := 0, 0, false, false, 0, false
	for _, r := range comp.Replicas {
		total += r.Count
		if n.alive(r.In) && r.Count > 0 {
			living += r.Count
			primary = primary || r.Role == estate.RolePrimary
			standby = standby || r.Role == estate.RoleStandby
		}
	}
	for a := range comp.Actions {
		if n.ran[impact.ActionRef{Component: c, Action: a, At: -1}] {
			if comp.Mode == estate.ModeAny && comp.Actions[a].Adds > 0 {
				added += comp.Actions[a].Adds
			} else {
				direct = true
			}
		}
	}
	switch {
	case total == 0 || direct:
		return true
	case comp.Mode == estate.ModeQuorum:
		return 2*living > total
	case comp.Mode == estate.ModePrimary:
		return primary || comp.Auto && standby
	default:
		return living+added >= comp.AtLeast
	}
}

// refs lists everything that can be up, with its needs.
func (n *naive) refs() map[estate.Ref]estate.Need {
	all := map[estate.Ref]estate.Need{}
	for i := range n.s.Components {
		all[estate.Ref{Kind: estate.KindComponent, Index: i, Name: n.s.Components[i].Name}] = n.s.Components[i].Needs
	}
	for i := range n.s.Services {
		all[estate.Ref{Kind: estate.KindService, Index: i, Name: n.s.Services[i].Name}] = n.s.Services[i].Needs
	}
	for i := range n.s.Crews {
		all[estate.Ref{Kind: estate.KindCrew, Index: i, Name: n.s.Crews[i].Name}] = n.s.Crews[i].Needs
	}
	return all
}

func (n *naive) greatest() map[estate.Ref]bool {
	up := map[estate.Ref]bool{}
	needs := n.refs()
	for r := range needs {
		up[r] = true
	}
	for changed := true; changed; {
		changed = false
		for r, need := range needs {
			ok := n.need(need, up) && (r.Kind != estate.KindComponent || n.holds(r.Index))
			if up[r] && !ok && !n.forced[r] {
				up[r] = false
				changed = true
			}
		}
	}
	return up
}

func (n *naive) canRun(r impact.ActionRef) bool {
	c := &n.s.Components[r.Component]
	a := &c.Actions[r.Action]
	if a.Does == estate.DoesShrink {
		return false
	}
	at := len(a.At) == 0
	for _, d := range a.At {
		at = at || n.placeOK(c, a, d)
	}
	if len(a.At) == 0 && a.Does == estate.DoesPromote {
		at = n.placeOK(c, a, -1)
	}
	if !at || !n.need(c.StartNeeds, n.up) || !n.need(a.Needs, n.up) {
		return false
	}
	for _, u := range a.Crew {
		crew := &n.s.Crews[u.Index]
		if !n.up[estate.Ref{Kind: estate.KindCrew, Index: u.Index, Name: crew.Name}] || crew.People >= 0 && u.Count > crew.People {
			return false
		}
	}
	for _, u := range a.Uses {
		if l := &n.s.Limits[u.Index]; l.Slots >= 0 && u.Count > l.Slots {
			return false
		}
	}
	if a.Does == estate.DoesRestore {
		lives := false
		if c.Data != nil {
			for _, k := range c.Data.Copies {
				lives = lives || n.alive(k.In)
			}
		}
		for _, rep := range c.Replicas {
			lives = lives || (rep.Role == estate.RoleStandby || c.Mode == estate.ModeQuorum) && rep.Count > 0 && n.alive(rep.In)
		}
		return lives
	}
	return true
}

func (n *naive) placeOK(c *estate.Component, a *estate.Action, at int) bool {
	if at >= 0 && !n.alive(at) {
		return false
	}
	if a.Does != estate.DoesPromote {
		return true
	}
	for _, r := range c.Replicas {
		if r.Role == estate.RoleStandby && r.Count > 0 && n.alive(r.In) && (at < 0 || n.within(r.In, at)) {
			return true
		}
	}
	return false
}

// within reports whether d is outer or needs it outright, transitively.
func (n *naive) within(d, outer int) bool {
	if d == outer {
		return true
	}
	var outright func(estate.Need) bool
	outright = func(need estate.Need) bool {
		if need.Ref != nil {
			return n.within(need.Ref.Index, outer)
		}
		if need.K != len(need.Of) {
			return false
		}
		return slices.ContainsFunc(need.Of, outright)
	}
	return outright(n.s.Domains[d].Needs)
}

func (n *naive) recover() {
	for {
		var round []impact.ActionRef
		for c := range n.s.Components {
			for a := range n.s.Components[c].Actions {
				r := impact.ActionRef{Component: c, Action: a, At: -1}
				if !n.held[c] && !n.ran[r] && n.canRun(r) {
					round = append(round, r)
				}
			}
		}
		if len(round) == 0 {
			return
		}
		for _, r := range round {
			n.ran[r] = true
		}
		n.up = n.greatest()
	}
}

// randomEstate writes a small random estate, in the format itself so that a
// failing one can be read and kept.
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

func parse(t testing.TB, text string) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(text)}})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}
