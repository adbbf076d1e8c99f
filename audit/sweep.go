package audit

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"bongsu/estate"
	"bongsu/impact"
)

// everyDomain judges the loss of each single domain.
func (a *auditor) everyDomain() {
	named := map[string]bool{}
	for _, l := range a.named {
		named[l.name] = true
	}
	a.idle = 0
	a.each(len(a.s.Domains), func(b *auditor, d int) {
		if l := (loss{a.s.Domains[d].Name, []int{d}}); !named[l.name] {
			b.judge(l, false)
		}
	})
	a.swept = append(a.swept, Swept{What: "every domain", Losses: len(a.s.Domains), Run: len(a.s.Domains)})
	if a.idle > 0 {
		a.emptySweep()
	}
}

// each calls f for the numbers below n, on as many processors as there are, each
// with an auditor of its own, and collects what they find. Findings are sorted in
// the end, so the order of the calls does not show.
func (a *auditor) each(n int, f func(b *auditor, i int)) {
	const batch = 64
	workers := make([]*auditor, max(1, min(runtime.GOMAXPROCS(0), n/batch)))
	var (
		wait sync.WaitGroup
		next atomic.Int64
	)
	for k := range workers {
		b := *a
		b.sweep, b.graph, b.list, b.idle = a.engine.NewSweep(), a.graph.clone(), nil, 0
		workers[k] = &b
		wait.Go(func() {
			for {
				from := int(next.Add(batch)) - batch
				if from >= n {
					return
				}
				for i := from; i < min(from+batch, n); i++ {
					f(&b, i)
				}
			}
		})
	}
	wait.Wait()
	for _, b := range workers {
		a.list = append(a.list, b.list...)
		a.idle += b.idle
	}
}

// emptySweep says how many of the losses touch nothing.
func (a *auditor) emptySweep() {
	for _, r := range a.rules {
		if r.name == "empty" {
			a.rule = r
			a.add(Finding{
				Severity: Info,
				Sentence: fmt.Sprintf("%d of %s touch nothing: no replica and no copy stands there, and nothing needs them", a.idle, counted(len(a.s.Domains), "domain", "domains")),
				Proof:    Proof{Words: []string{"each was lost alone; --lose with one of them says so by name"}},
			}, NoLoss, estate.Ref{}, "every")
		}
	}
}

// paired are the types of domain that pairs are made of.
func paired(d *estate.Domain) bool {
	return d.Type == estate.TypeSite || d.Type == "feed" || d.Type == "rack"
}

// everyPair judges the pairs of sites, feeds and racks, and notes what neither
// domain of a pair does alone. What a pair with a site does is left out where a
// pair of something in that site does it too: the less is lost, the more it says.
func (a *auditor) everyPair() {
	var domains []int
	for d := range a.s.Domains {
		if paired(&a.s.Domains[d]) {
			domains = append(domains, d)
		}
	}
	alone := a.alone(domains)
	pairs := a.candidates(domains)
	if a.o.brute {
		pairs = nil
		for i, x := range domains {
			for _, y := range domains[:i] {
				pairs = append(pairs, [2]int{min(x, y), max(x, y)})
			}
		}
	}
	site := func(d int) bool { return a.s.Domains[d].Type == estate.TypeSite }
	var phases [3][][2]int // by how many sites are in the pair
	for _, p := range pairs {
		n := 0
		for _, d := range p {
			if site(d) {
				n++
			}
		}
		phases[n] = append(phases[n], p)
	}
	smaller := map[[2]int]found{} // what pairs of something in a site, or of both, do
	for _, phase := range phases {
		made := make([][]Finding, len(phase))
		a.each(len(phase), func(b *auditor, i int) {
			p := phase[i]
			b.skip = []found{alone[p[0]], alone[p[1]], smaller[p]}
			before := len(b.list)
			b.judge(loss{LossName(a.s, p[:]), []int{p[0], p[1]}}, false)
			made[i] = b.list[before:]
		})
		for i, list := range made {
			if len(list) == 0 {
				continue
			}
			for _, x := range a.sitesAround(phase[i][0]) {
				for _, y := range a.sitesAround(phase[i][1]) {
					if p := [2]int{min(x, y), max(x, y)}; x != y && p != phase[i] {
						if smaller[p] == nil {
							smaller[p] = found{}
						}
						smaller[p].note(list)
					}
				}
			}
		}
	}
	a.swept = append(a.swept, Swept{What: "pairs of sites, feeds and racks", Losses: len(domains) * (len(domains) - 1) / 2, Run: len(pairs)})
}

// sitesAround lists a domain and the sites whose loss takes it.
func (a *auditor) sitesAround(d int) []int {
	out := []int{d}
	for _, by := range a.fates[d] {
		if by != d && a.s.Domains[by].Type == estate.TypeSite {
			out = append(out, by)
		}
	}
	return out
}

// alone returns, for each domain, the keys of what its loss alone does, and how
// grave that is.
func (a *auditor) alone(domains []int) map[int]found {
	list, idle := a.list, a.idle
	out := make(map[int]found, len(domains))
	for _, d := range domains {
		a.list = nil
		a.judge(loss{a.s.Domains[d].Name, []int{d}}, false)
		out[d] = found{}.note(a.list)
	}
	a.list, a.idle = list, idle
	return out
}

// candidates returns the pairs that may do more than their two halves, sorted:
// those that the engine names, and those that only together leave too little
// room, or too few channels, which the engine knows nothing of.
func (a *auditor) candidates(domains []int) [][2]int {
	pairs := a.sweep.Pairs(domains)
	add := func(x, y int) {
		if x != y {
			pairs = append(pairs, [2]int{min(x, y), max(x, y)})
		}
	}
	type half struct {
		domain int
		cut    [2][]int // of each kind: the channels that it takes
		down   bool     // a service is down
	}
	var (
		kinds = channelKinds()
		all   [2][]int
		cuts  []half
		hurts []int
		needs = map[string][]shareOfRoom{}
	)
	for k := range kinds {
		all[k] = a.channelsTo(kinds[k].whom)
	}
	for _, d := range domains {
		a.sweep.Visit([]int{d}, func(v *impact.View) {
			t := &trial{View: v, loss: loss{a.s.Domains[d].Name, []int{d}}}
			h := half{domain: d}
			for _, x := range t.Services {
				h.down = h.down || x.State != impact.Degraded
			}
			for k := range kinds {
				for _, c := range all[k] {
					if !t.Up(a.component(c)) {
						h.cut[k] = append(h.cut[k], c)
					}
				}
			}
			if len(h.cut[0])+len(h.cut[1]) > 0 {
				cuts = append(cuts, h)
			}
			if h.down {
				hurts = append(hurts, d)
			}
			for _, s := range a.shares(t) {
				s.domain = d
				needs[s.key] = append(needs[s.key], s)
			}
		})
	}
	for i, x := range cuts {
		for k := range kinds {
			if n := len(all[k]); n > 0 && len(x.cut[k]) == n {
				for _, d := range hurts {
					add(x.domain, d)
				}
			}
			for _, y := range cuts[:i] {
				if union := append(slices.Clone(x.cut[k]), y.cut[k]...); len(all[k]) > 0 {
					slices.Sort(union)
					if len(slices.Compact(union)) == len(all[k]) {
						add(x.domain, y.domain)
					}
				}
			}
		}
	}
	for _, list := range needs {
		for i, x := range list {
			for _, y := range list[:i] {
				if x.needed+y.needed > min(x.free, y.free) {
					add(x.domain, y.domain)
				}
			}
		}
	}
	slices.SortFunc(pairs, func(x, y [2]int) int { return slices.Compare(x[:], y[:]) })
	pairs = slices.Compact(pairs)
	return slices.DeleteFunc(pairs, func(p [2]int) bool { return takes(a.fates, p[0], p[1]) || takes(a.fates, p[1], p[0]) })
}
