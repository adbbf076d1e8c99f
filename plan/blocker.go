package plan

import (
	"runtime"
	"sync"

	"bongsu/estate"
	"bongsu/impact"
)

// becauseLimit is how many ways out of a blocker are named.
const becauseLimit = 3

// blockers explains everything that cannot come back: services, their parts,
// and the components that these would need.
func blockers(im *impact.Impact) []Blocker {
	s := im.Snapshot
	var out []Blocker
	seen := make([]bool, len(s.Components))
	crews := make([]bool, len(s.Crews))
	var queue []int
	var visit func(n estate.Need)
	visit = func(n estate.Need) {
		for i := range n.Of {
			visit(n.Of[i])
		}
		if n.Ref == nil {
			return
		}
		switch i := n.Ref.Index; n.Ref.Kind {
		case estate.KindComponent:
			if !seen[i] && im.Components[i].State == impact.Unrecoverable {
				seen[i] = true
				queue = append(queue, i)
			}
		case estate.KindCrew:
			if !crews[i] && im.Crews[i].State == impact.Unrecoverable {
				crews[i] = true
				visit(s.Crews[i].Needs)
			}
		case estate.KindDomain, estate.KindService, estate.KindLimit, estate.KindProbe, estate.KindOption:
		}
	}
	for _, r := range im.Services {
		if r.State == impact.Unrecoverable {
			out = append(out, Blocker{Subject: r.Ref})
			visit(s.Services[r.Ref.Index].Needs)
		}
		for i, k := range r.Parts {
			if k.State != impact.Unrecoverable {
				continue
			}
			visit(s.Services[r.Ref.Index].Parts[i].Needs)
			out = append(out, Blocker{Subject: r.Ref, Part: k.Name, part: i})
		}
	}
	for len(queue) > 0 {
		c := &s.Components[queue[0]]
		queue = queue[1:]
		visit(c.Needs)
		visit(c.StartNeeds)
		for i := range c.Actions {
			visit(c.Actions[i].Needs)
			for _, u := range c.Actions[i].Crew {
				visit(estate.Need{Ref: &estate.Ref{Kind: estate.KindCrew, Index: u.Index}})
			}
		}
	}
	for i, ok := range seen {
		if ok {
			out = append(out, Blocker{Subject: im.Components[i].Ref})
		}
	}
	explain(im, out)
	return out
}

// explain asks for the causes on all cores: each answer is a search of its own.
func explain(im *impact.Impact, of []Blocker) {
	var wg sync.WaitGroup
	cores := min(runtime.GOMAXPROCS(0), len(of))
	for w := range cores {
		wg.Go(func() {
			ask := im.Asker()
			for i := w; i < len(of); i += cores {
				b := &of[i]
				if b.Part != "" {
					b.Because = ask.PartBecause(b.Subject.Index, b.part, becauseLimit)
				} else {
					b.Because = ask.Because(b.Subject, becauseLimit)
				}
			}
		})
	}
	wg.Wait()
}
