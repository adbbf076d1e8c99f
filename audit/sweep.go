package audit

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
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
	a.each(len(a.s.Domains), 64, func(b *auditor, d int) {
		if l := (loss{a.s.Domains[d].Name, []int{d}}); !named[l.name] {
			b.judge(l, false)
		}
	})
	a.swept = append(a.swept, Swept{What: everyDomain, Losses: len(a.s.Domains), Run: len(a.s.Domains)})
	if a.idle > 0 {
		a.emptySweep()
	}
}

// each calls f for the numbers below n, on as many processors as there are, each
// with an auditor of its own that takes batch of them at a time, and collects what
// they find. Findings are sorted in the end, so the order of the calls does not show.
func (a *auditor) each(n, batch int, f func(b *auditor, i int)) {
	workers := make([]*auditor, max(1, min(runtime.GOMAXPROCS(0), n/batch)))
	var (
		wait sync.WaitGroup
		next atomic.Int64
	)
	for k := range workers {
		b := *a
		b.sweep, b.graph, b.list, b.implied, b.idle = a.engine.NewSweep(), a.graph.clone(), nil, nil, 0
		workers[k] = &b
		wait.Go(func() {
			for {
				from := int(next.Add(int64(batch))) - batch
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
		a.list, a.implied = append(a.list, b.list...), append(a.implied, b.implied...)
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

// AnyType stands for every type of domain among [Options.PairTypes].
const AnyType = "all"

// paired reports whether pairs are made of a domain.
func (a *auditor) paired(d int) bool { return a.o.paired(a.s.Domains[d].Type) }

// paired reports whether pairs are made of domains of a type.
func (o *Options) paired(kind string) bool {
	switch {
	case len(o.PairTypes) == 0:
		return kind == estate.TypeSite || kind == "feed" || kind == "rack"
	case slices.Contains(o.PairTypes, AnyType):
		return true
	default:
		return slices.Contains(o.PairTypes, kind)
	}
}

// checkPairTypes refuses a type that no domain has: a pass would prove nothing.
func (a *auditor) checkPairTypes() error {
	types := map[string]bool{AnyType: true}
	for d := range a.s.Domains {
		types[a.s.Domains[d].Type] = true
	}
	for _, kind := range a.o.PairTypes {
		if !types[kind] {
			return &TypeError{Name: kind, Nearest: estate.Nearest(kind, slices.Sorted(maps.Keys(types)))}
		}
	}
	return nil
}

// What is swept.
const (
	everyDomain = "every domain"
	usualPairs  = "pairs of sites, feeds and racks"
	anyPairs    = "pairs of any two domains"
	pairsOfType = "pairs of domains of type " // and the types
)

// pairsOf is how a report names the pairs that were tried.
func (a *auditor) pairsOf() string {
	switch {
	case len(a.o.PairTypes) == 0:
		return usualPairs
	case slices.Contains(a.o.PairTypes, AnyType):
		return anyPairs
	}
	types := slices.Clone(a.o.PairTypes)
	slices.Sort(types)
	return pairsOfType + join(slices.Compact(types))
}

// A single is what the loss of one domain does, for pairs with it.
type single struct {
	domain int
	found  found         // by rule and subject
	cut    [2][]int      // of each kind: the channels that it takes
	down   bool          // a service is down
	shares []shareOfRoom // the room that it needs
	weight int           // how much falls
}

// everyPair judges pairs of domains, and notes what neither domain of a pair does
// alone. What a pair does is left out where a pair of something inside does it
// too, in a site for one: the less is lost, the more it says.
func (a *auditor) everyPair() {
	var domains []int
	for d := range a.s.Domains {
		if a.paired(d) {
			domains = append(domains, d)
		}
	}
	alone := a.alone(domains)
	pairs, ok := a.candidates(domains, alone)
	if !ok {
		a.err = &LimitError{What: a.pairsOf(), Of: "pairs that may do more than their halves", Limit: a.mostPairs()}
		return
	}
	if a.o.brute {
		pairs = nil
		for i, x := range domains {
			for _, y := range domains[:i] {
				pairs = append(pairs, [2]int{min(x, y), max(x, y)})
			}
		}
	}
	// A pair comes after those of anything inside: what takes a domain is taken
	// by fewer than that is.
	levels := map[int][][2]int{}
	index := make(map[[2]int]int, len(pairs))
	for i, p := range pairs {
		level := -len(a.fates[p[0]]) - len(a.fates[p[1]])
		levels[level] = append(levels[level], p)
		index[p] = i
	}
	var total atomic.Int64               // findings
	smaller := make([]found, len(pairs)) // what pairs of something inside do
	skip := func(p [2]int) []found { return []found{alone[p[0]].found, alone[p[1]].found, smaller[index[p]]} }
	for _, level := range slices.Sorted(maps.Keys(levels)) {
		runs := a.runsOf(levels[level], alone)
		made := make([][]found, len(runs))
		a.each(len(runs), 1, func(b *auditor, i int) {
			if total.Load() <= int64(a.mostFindings()) {
				before := len(b.list)
				made[i] = b.judgePairs(runs[i], skip)
				total.Add(int64(len(b.list) - before))
			}
		})
		if total.Load() > int64(a.mostFindings()) {
			a.err = &LimitError{What: a.pairsOf(), Of: "findings", Limit: a.mostFindings()}
			return
		}
		for i, r := range runs {
			for j, f := range made[i] {
				if f == nil {
					continue
				}
				for p := range a.pairsAround(r.first, r.second[j]) {
					if k, ok := index[p]; ok {
						smaller[k] = smaller[k].with(f)
					}
				}
			}
		}
	}
	a.swept = append(a.swept, Swept{What: a.pairsOf(), Losses: len(domains) * (len(domains) - 1) / 2, Run: len(pairs)})
}

// A LimitError says that an audit would take more than it is given, and stopped.
type LimitError struct {
	What  string // that was being tried
	Of    string // that there are too many of
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: there are more than %d %s; ask for fewer types of domain, fewer rules or a higher severity", e.What, e.Limit, e.Of)
}

// So many there may be where the options do not say: some minutes of work, and
// some gigabytes.
const (
	mostPairs    = 5_000_000
	mostFindings = 1_000_000
)

func (a *auditor) mostPairs() int    { return cmp.Or(a.o.MostPairs, mostPairs) }
func (a *auditor) mostFindings() int { return cmp.Or(a.o.MostFindings, mostFindings) }

// A pairRun is a domain, and those that are lost besides it, one after another.
type pairRun struct {
	first  int
	second []int
}

// mostRun is how many pairs one processor takes at a time.
const mostRun = 256

// runsOf puts pairs with the same domain together, the one of whose loss more falls.
func (a *auditor) runsOf(pairs [][2]int, alone []single) []pairRun {
	turned := make([][2]int, len(pairs))
	for i, p := range pairs {
		if alone[p[1]].weight > alone[p[0]].weight {
			p[0], p[1] = p[1], p[0]
		}
		turned[i] = p
	}
	slices.SortFunc(turned, func(x, y [2]int) int { return slices.Compare(x[:], y[:]) })
	var out []pairRun
	for _, p := range turned {
		if n := len(out); n > 0 && out[n-1].first == p[0] && len(out[n-1].second) < mostRun {
			out[n-1].second = append(out[n-1].second, p[1])
		} else {
			out = append(out, pairRun{p[0], []int{p[1]}})
		}
	}
	return out
}

// judgePairs judges the pairs of a run and returns what is found in each; nil
// is nothing.
func (a *auditor) judgePairs(r pairRun, skip func([2]int) []found) []found {
	made := make([]found, len(r.second))
	one := func(i int, judge func(loss)) {
		p := [2]int{min(r.first, r.second[i]), max(r.first, r.second[i])}
		a.skip = skip(p)
		before, implied := len(a.list), len(a.implied)
		judge(loss{LossName(a.s, p[:]), p[:]})
		if len(a.list) > before || len(a.implied) > implied {
			made[i] = found{}.note(a.list[before:]).imply(a.implied[implied:])
		}
	}
	if a.o.brute {
		for i := range r.second {
			one(i, func(l loss) { a.judge(l, false) })
		}
		return made
	}
	a.visit([]int{r.first}, func(v *impact.View) {
		h := a.firstHalf(&trial{View: v, loss: loss{a.s.Domains[r.first].Name, []int{r.first}}})
		for i, d := range r.second {
			one(i, func(l loss) {
				v.Also(d, func(also *impact.View) { a.hold(&trial{View: also, loss: l, half: h}) })
			})
		}
	})
	return made
}

// pairsAround yields the pairs of what takes each of two domains, or is it, but
// not the pair itself.
func (a *auditor) pairsAround(d, e int) iter.Seq[[2]int] {
	return func(yield func([2]int) bool) {
		for _, x := range a.fates[d] {
			for _, y := range a.fates[e] {
				if x == y || x == d && y == e || !a.encloses(x, d) || !a.encloses(y, e) {
					continue
				}
				if !yield([2]int{min(x, y), max(x, y)}) {
					return
				}
			}
		}
	}
}

// encloses reports whether what a domain does in a pair need not be said where
// something that it takes does the same. Among the types that people ask for
// first, only a site encloses.
func (a *auditor) encloses(by, d int) bool {
	return by == d || len(a.o.PairTypes) > 0 || a.s.Domains[by].Type == estate.TypeSite
}

// with adds what another knows.
func (k found) with(o found) found {
	if k == nil {
		k = found{}
	}
	for rule, subjects := range o {
		if k[rule] == nil {
			k[rule] = map[string]int{}
		}
		for subject, rank := range subjects {
			k[rule][subject] = max(k[rule][subject], rank)
		}
	}
	return k
}

// alone returns what the loss of each of the domains does alone.
func (a *auditor) alone(domains []int) []single {
	list, implied, idle := a.list, a.implied, a.idle
	out := make([]single, len(a.s.Domains))
	a.list = nil
	a.each(len(domains), 64, func(b *auditor, i int) {
		d := domains[i]
		b.list, b.implied = nil, nil
		b.visit([]int{d}, func(v *impact.View) {
			t := &trial{View: v, loss: loss{b.s.Domains[d].Name, []int{d}}}
			b.hold(t)
			out[d] = b.single(t, d)
		})
		out[d].found = found{}.note(b.list).imply(b.implied)
		b.list, b.implied = nil, nil
	})
	a.list, a.implied, a.idle = list, implied, idle
	return out
}

// single notes of the loss of one domain what decides which pairs to try.
func (a *auditor) single(t *trial, d int) single {
	x := single{domain: d, shares: a.shares(t), weight: len(t.LostDomains) + len(t.Components)}
	for _, svc := range t.Services {
		x.down = x.down || svc.State != impact.Degraded
	}
	for k, kind := range channelKinds() {
		for _, c := range a.channelsTo(kind.whom) {
			if !t.Up(estate.Ref{Kind: estate.KindComponent, Index: c}) {
				x.cut[k] = append(x.cut[k], c)
			}
		}
	}
	return x
}

// candidates returns the pairs that may do more than their two halves, sorted:
// those that the engine names, and those that only together leave too little
// room, or too few channels, which the engine knows nothing of. ok is false where
// they are more than anybody should wait for.
func (a *auditor) candidates(domains []int, alone []single) (pairs [][2]int, ok bool) {
	most := a.mostPairs()
	if pairs, ok = a.sweeper().Pairs(domains, most); !ok {
		return nil, false
	}
	add := func(x, y int) {
		if x != y && len(pairs) <= 2*most {
			pairs = append(pairs, [2]int{min(x, y), max(x, y)})
		}
	}
	var (
		kinds = channelKinds()
		cuts  []*single
		hurts []int
		needs = map[string][]shareOfRoom{}
	)
	for _, d := range domains {
		x := &alone[d]
		if len(x.cut[0])+len(x.cut[1]) > 0 {
			cuts = append(cuts, x)
		}
		if x.down {
			hurts = append(hurts, d)
		}
		for _, s := range x.shares {
			s.domain = d
			needs[s.key] = append(needs[s.key], s)
		}
	}
	for k := range kinds {
		n := len(a.channelsTo(kinds[k].whom))
		if n == 0 {
			continue
		}
		for i, x := range cuts {
			if len(x.cut[k]) == n {
				for _, d := range hurts {
					add(x.domain, d)
				}
				continue
			}
			for _, y := range cuts[:i] {
				if len(x.cut[k])+len(y.cut[k]) < n {
					continue
				}
				union := append(slices.Clone(x.cut[k]), y.cut[k]...)
				slices.Sort(union)
				if len(slices.Compact(union)) == n {
					add(x.domain, y.domain)
				}
			}
		}
	}
	for _, list := range needs {
		addShort(list, add)
	}
	slices.SortFunc(pairs, func(x, y [2]int) int { return slices.Compare(x[:], y[:]) })
	pairs = slices.Compact(pairs)
	if len(pairs) > most {
		return nil, false
	}
	return slices.DeleteFunc(pairs, func(p [2]int) bool { return takes(a.fates, p[0], p[1]) || takes(a.fates, p[1], p[0]) }), true
}

// addShort adds the losses that together may need more of a room than either
// leaves free: with the list sorted by what they need, nobody is asked in vain.
func addShort(list []shareOfRoom, add func(x, y int)) {
	slices.SortFunc(list, func(x, y shareOfRoom) int {
		return cmp.Or(cmp.Compare(y.needed, x.needed), cmp.Compare(x.domain, y.domain))
	})
	lowest := list[0].free
	for _, x := range list {
		lowest = min(lowest, x.free)
	}
	for i, x := range list {
		for _, y := range list[i+1:] {
			if x.needed+y.needed <= lowest {
				break
			}
			if x.needed+y.needed > min(x.free, y.free) {
				add(x.domain, y.domain)
			}
		}
	}
}
