package plan

import (
	"cmp"
	"math"
	"slices"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// This file proves how good a plan can be at best. Three facts are combined, and
// each target is charged to one of them only, so that the sum stays a bound:
//
// A target is not up before its head: when it could be up if nobody waited for
// people or slots.
//
// Acts that a target cannot do without keep a resource busy. Split the work of
// each such act among the targets in any way; then for every schedule the
// target is up no earlier than the mean time at which its share is worked on,
// plus what lies between that mean and the end when all its acts, in full, are
// worked on as late as can be. The least weighted sum of those means that
// a resource can reach is that of working, at its full capacity, always on the
// densest share that can have begun (Goemans; without release times it is
// Smith's rule). A split that loads the dense targets first makes the bound
// strong, and any split keeps it true.
//
// Room that acts take is taken for good. With the room that acts need split in
// the same way, what a row of room can serve at best is a knapsack, filled with
// the targets that gain most for their room; the rest stays down.

// mustLimit bounds the acts that are remembered per node. Forgetting some
// weakens the bound and never breaks it.
const mustLimit = 400

// A due is an act that a node cannot do without, and the least time from the
// act's finish until the node is up.
type due struct {
	act  int32
	tail time.Duration
}

func byAct(a, b due) int { return int(a.act - b.act) }

// A necessity finds the acts that every way of bringing a node back runs.
type necessity struct {
	sv    *survey
	c     *cone
	of    [][]due           // by node, sorted by act
	count []int32           // by act, scratch
	tails [][]time.Duration // by act, scratch
}

// must returns the acts that each target cannot do without. It starts from
// nothing and only adds what follows from what is there, so it is sound
// wherever it stops, on cycles of needs too.
func (sv *survey) must(c *cone) [][]due {
	nc := &necessity{
		sv: sv, c: c, of: make([][]due, len(sv.p.nodes)),
		count: make([]int32, len(sv.p.acts)), tails: make([][]time.Duration, len(sv.p.acts)),
	}
	var order []int32
	for n := range sv.p.nodes {
		if c.isUp(int32(n)) {
			order = append(order, int32(n))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return int(c.upSeq[a] - c.upSeq[b]) })
	for range 3 {
		grown := false
		for _, n := range order {
			of := nc.node(n)
			grown = grown || len(of) != len(nc.of[n])
			nc.of[n] = of
		}
		if !grown {
			break
		}
	}
	out := make([][]due, len(sv.p.targets))
	for t := range sv.p.targets {
		out[t] = nc.of[sv.p.targets[t].node]
	}
	return out
}

func (nc *necessity) node(n int32) []due {
	nd := &nc.sv.p.nodes[n]
	var all [][]due
	if nd.need != none {
		all = append(all, nc.gate(nd.need))
	}
	if nd.acts < nd.end {
		all = append(all, nc.hold(nd))
	}
	return nc.atLeast(len(all), all)
}

// gate returns what is in every k of the kids. A kid that can never be up is
// no way at all.
func (nc *necessity) gate(g int32) []due {
	gt := &nc.sv.p.gates[g]
	var kids [][]due
	for _, l := range nc.sv.p.kids[gt.kids:gt.end] {
		switch i := l.index(); {
		case l.isGate():
			if nc.c.openAt[i] != never {
				kids = append(kids, nc.gate(i))
			}
		case nc.c.known(i):
			kids = append(kids, nil)
		case nc.c.isUp(i):
			kids = append(kids, nc.of[i])
		}
	}
	return nc.atLeast(int(gt.k), kids)
}

// hold returns what every way to make a component hold runs.
func (nc *necessity) hold(nd *node) []due {
	var ways, adding [][]due
	var adds []int
	total := 0
	for a := nd.acts; a < nd.end; a++ {
		if nc.c.actSeq[a] == 0 {
			continue // it can never run
		}
		x := &nc.sv.p.acts[a]
		of := nc.act(a, x)
		if x.adds == 0 {
			ways = append(ways, of)
		} else {
			adding, adds = append(adding, of), append(adds, x.adds)
			total += x.adds
		}
	}
	if total >= nd.short && len(adding) > 0 {
		ways = append(ways, nc.adding(adding, adds, total, nd.short))
	}
	return nc.atLeast(1, ways)
}

// act returns what has run once an act has: what it waited for, and itself.
func (nc *necessity) act(a int32, x *act) []due {
	if nc.c.st.fixed[a] {
		return nil
	}
	var of []due
	if x.need != none {
		of = slices.Clone(nc.gate(x.need))
	}
	for i := range of {
		of[i].tail += x.takes
	}
	if len(x.uses) > 0 || len(x.places[0].room) > 0 {
		i, ok := slices.BinarySearchFunc(of, due{act: a}, byAct)
		if !ok {
			of = slices.Insert(of, i, due{act: a})
		}
		of[i].tail = 0
	}
	return of
}

// adding returns what is left out of too little to reach what is missing.
func (nc *necessity) adding(of [][]due, adds []int, total, short int) []due {
	for i := range of {
		for _, d := range of[i] {
			nc.count[d.act] += int32(adds[i])
			nc.tails[d.act] = append(nc.tails[d.act], d.tail)
		}
	}
	return nc.collect(of, func(a int32) (time.Duration, bool) {
		return slices.Min(nc.tails[a]), total-int(nc.count[a]) < short
	})
}

// atLeast returns what is in every choice of k of the sets. Of the sets with an
// act, so many are in every choice that the one of them with the least time to
// go is known.
func (nc *necessity) atLeast(k int, of [][]due) []due {
	if len(of) == 1 {
		return of[0]
	}
	for i := range of {
		for _, d := range of[i] {
			nc.count[d.act]++
			nc.tails[d.act] = append(nc.tails[d.act], d.tail)
		}
	}
	return nc.collect(of, func(a int32) (time.Duration, bool) {
		always := k - (len(of) - int(nc.count[a]))
		if always <= 0 {
			return 0, false
		}
		slices.Sort(nc.tails[a])
		return nc.tails[a][always-1], true
	})
}

// collect keeps the acts of the sets that a judge accepts, and clears the scratch.
func (nc *necessity) collect(of [][]due, judge func(a int32) (time.Duration, bool)) []due {
	var out []due
	for i := range of {
		for _, d := range of[i] {
			if nc.count[d.act] == 0 {
				continue
			}
			if tail, ok := judge(d.act); ok {
				out = append(out, due{d.act, tail})
			}
			nc.count[d.act], nc.tails[d.act] = 0, nc.tails[d.act][:0]
		}
	}
	slices.SortFunc(out, byAct)
	return out[:min(len(out), mustLimit)]
}

// A bound is the state of the search for a strong lower bound.
type bound struct {
	sv     *survey
	must   [][]due
	start  []time.Duration // of an act: its earliest
	ranked [][]int32       // orders of targets by density, for the search
}

// lowerBound returns weighted user-minutes that no schedule undercuts, and
// orders of targets that the proof suggests.
func (sv *survey) lowerBound(c *cone) (float64, [][]int32) {
	p := sv.p
	b := &bound{sv: sv, must: sv.must(c), start: c.actStart}
	heads := p.cost(sv.heads)
	best := heads
	var provers []func(in func(int32) bool) *proof
	for r := range p.capacity {
		provers = append(provers, func(in func(int32) bool) *proof { return b.resource(r, in) })
	}
	for r, room := range b.shortRows() {
		if room >= 0 {
			provers = append(provers, func(in func(int32) bool) *proof { return b.row(int32(r), room, in) })
		}
	}
	proofs := make([]*proof, len(provers))
	for r := range provers {
		if proofs[r] = provers[r](nil); proofs[r] != nil {
			best = max(best, b.total(proofs[r:r+1], func(int32) int { return 0 }))
		}
	}
	charge := make([]int, len(p.targets)) // the resource that a target is charged to, or -1
	for range 4 {
		used := make([]bool, len(proofs))
		for t := range p.targets {
			most := b.head(int32(t))
			charge[t] = -1
			for r := range proofs {
				if proofs[r] != nil && proofs[r].value[t] >= most*(1-1e-9) && proofs[r].value[t] > 0 {
					most, charge[t] = proofs[r].value[t], r
				}
			}
			if charge[t] >= 0 {
				used[charge[t]] = true
			}
		}
		for r := range proofs {
			if !used[r] {
				proofs[r] = nil
			} else {
				proofs[r] = provers[r](func(t int32) bool { return charge[t] == r })
			}
		}
		best = max(best, b.total(proofs, func(t int32) int { return charge[t] }))
	}
	return best, b.ranked
}

func (b *bound) head(t int32) float64 {
	p := b.sv.p
	return p.targets[t].weight * min(b.sv.heads[p.targets[t].node], p.horizon).Minutes()
}

// total is the bound when each target is charged as told: to the proof of that
// place, or to its head.
func (b *bound) total(proofs []*proof, charge func(t int32) int) float64 {
	sum := b.sv.p.penalty // sunk: of shrinks that have begun
	for t := range b.sv.p.targets {
		if r := charge(int32(t)); r >= 0 && proofs[r] != nil && proofs[r].charged[t] {
			sum += proofs[r].gain[t]
		} else {
			sum += b.head(int32(t))
		}
	}
	// Every term and sum is rounded, some of them many times over: what that can
	// come to is given away.
	terms := len(b.sv.p.targets)
	for _, k := range proofs {
		if k != nil {
			terms += k.pieces
		}
	}
	return sum * (1 - 1e-15*float64(64+4*terms))
}

// A proof is what one resource shows, by target.
type proof struct {
	charged []bool
	gain    []float64 // weighted bound; only the sum over all that are charged is one
	value   []float64 // what the sum would lose without the target, roughly
	sum     float64
	pieces  int
	density []float64
}

// A piece is the share of one act that is charged to one target.
type piece struct {
	target  int32
	act     int32
	release time.Duration
	tail    time.Duration
	energy  float64 // minutes of one unit
}

// resource returns what a resource proves of all targets, or of those asked for;
// nil when it proves nothing.
func (b *bound) resource(r int, in func(int32) bool) *proof {
	p := b.sv.p
	f := b.split(func(a int32) float64 { return p.acts[a].energy(int32(r)) }, in)
	if f == nil {
		return nil
	}
	for t := range f.worth {
		f.worth[t] = p.targets[t].weight
	}
	capacity := float64(p.capacity[r])
	best := f.climb(func() *proof { return f.run(capacity) })
	if in == nil {
		b.ranked = append(b.ranked, f.order(b.sv, best.density), f.order(b.sv, f.density))
	}
	return best
}

// split charges the work of each act to the targets that cannot do without it,
// by weight. It is nil when there is none.
func (b *bound) split(work func(a int32) float64, in func(int32) bool) *fluid {
	p := b.sv.p
	var pieces []piece
	for _, t := range b.sv.order {
		if in != nil && !in(t) || p.targets[t].weight <= 0 {
			continue
		}
		for _, d := range b.must[t] {
			if e := work(d.act); e > 0 {
				pieces = append(pieces, piece{t, d.act, b.start[d.act], d.tail, e})
			}
		}
	}
	if len(pieces) == 0 {
		return nil
	}
	slices.SortStableFunc(pieces, func(a, b piece) int {
		switch {
		case a.release != b.release:
			if a.release < b.release {
				return -1
			}
			return 1
		case a.act != b.act:
			return int(a.act - b.act)
		}
		return int(a.target - b.target)
	})
	share := make([]float64, len(pieces))
	weight := make([]float64, len(p.acts))
	for i := range pieces {
		weight[pieces[i].act] += p.targets[pieces[i].target].weight
	}
	for i := range pieces {
		share[i] = p.targets[pieces[i].target].weight / weight[pieces[i].act]
	}
	return &fluid{p: p, pieces: pieces, share: share, worth: make([]float64, len(p.targets))}
}

// climb looks for a split that proves much (Frank-Wolfe): give each act to the
// densest of its targets, and average.
func (f *fluid) climb(prove func() *proof) *proof {
	var best *proof
	for round := range splits {
		f.densities()
		if k := prove(); best == nil || k.sum > best.sum {
			best = k
			best.density = slices.Clone(f.density)
		}
		f.shift(2 / float64(round+3))
	}
	f.densities()
	return best
}

// shortRows returns for each row the most room that any plan can have there, or
// -1 where there is enough for all.
func (b *bound) shortRows() []float64 {
	p := b.sv.p
	rooms := make([]float64, len(p.rows))
	wanted := make([]float64, len(p.rows))
	for r := range rooms {
		rooms[r] = max(p.rows[r].free, 0)
	}
	for _, f := range p.releases {
		rooms[f.row] += f.amount
	}
	for c := range p.snapshot.Components {
		for a := range p.snapshot.Components[c].Actions {
			ac := &p.snapshot.Components[c].Actions[a]
			if ac.Does != estate.DoesShrink {
				continue
			}
			// Where it shrinks is open: the room is taken as freed everywhere.
			for _, at := range ac.At {
				for _, d := range p.freed(impact.ActionRef{Component: c, Action: a, At: at}) {
					rooms[d.row] += d.amount
				}
			}
		}
	}
	seen := make([]bool, len(p.acts))
	for _, of := range b.must {
		for _, d := range of {
			if seen[d.act] {
				continue
			}
			seen[d.act] = true
			for _, w := range p.acts[d.act].places[0].room {
				wanted[w.row] += p.acts[d.act].roomIn(w.row)
			}
		}
	}
	for r := range rooms {
		if wanted[r] <= rooms[r] {
			rooms[r] = -1
		} else {
			rooms[r] += slack * max(p.rows[r].capacity, 1)
		}
	}
	return rooms
}

// roomIn is the least that an act takes of a row, wherever it runs.
func (x *act) roomIn(r int32) float64 {
	least := math.Inf(1)
	for i := range x.places {
		var sum float64
		for _, d := range x.places[i].room {
			if d.row == r {
				sum += d.amount
			}
		}
		least = min(least, sum)
	}
	return least
}

// row returns what the room of one row proves: it serves those first whose time
// up gains most for their room, one of them in part.
func (b *bound) row(r int32, room float64, in func(int32) bool) *proof {
	p := b.sv.p
	f := b.split(func(a int32) float64 { return p.acts[a].roomIn(r) }, in)
	if f == nil {
		return nil
	}
	for _, t := range b.sv.order {
		f.worth[t] = p.targets[t].weight*p.horizon.Minutes() - b.head(t)
	}
	return f.climb(func() *proof {
		k := f.proof()
		order := f.charged()
		left, price := room, 0.0
		for _, t := range slices.Backward(order) {
			k.charged[t] = true
			part := min(left/f.work[t], 1)
			if part < 1 && price == 0 {
				price = f.density[t]
			}
			left -= part * f.work[t]
			k.gain[t] = b.head(int32(t)) + (1-part)*max(f.worth[t], 0)
			k.sum += k.gain[t]
			k.value[t] = part * f.work[t]
		}
		for _, t := range order {
			k.value[t] = k.gain[t] + price*k.value[t]
		}
		return k
	})
}

// splits is how many ways to split the work of acts are tried.
const splits = 24

func (x *act) energy(r int32) float64 {
	for _, u := range x.uses {
		if u.resource == r {
			return float64(u.amount) * x.takes.Minutes()
		}
	}
	return 0
}

// order puts all targets that can come up in order, the densest first.
func (f *fluid) order(sv *survey, density []float64) []int32 {
	order := slices.Clone(sv.order)
	slices.SortStableFunc(order, func(x, y int32) int { return cmp.Compare(density[y], density[x]) })
	return order
}

// A fluid is the relaxed problem of one resource.
type fluid struct {
	p        *problem
	worth    []float64 // of targets
	pieces   []piece
	share    []float64 // of pieces; those of one act sum to at most 1
	density  []float64 // of targets; infinite without work
	work     []float64 // of targets
	byTarget [][]int   // pieces
}

func (f *fluid) densities() {
	if f.work == nil {
		f.work = make([]float64, len(f.p.targets))
		f.density = make([]float64, len(f.p.targets))
	}
	clear(f.work)
	for i := range f.pieces {
		f.work[f.pieces[i].target] += f.share[i] * f.pieces[i].energy
	}
	for t := range f.work {
		f.density[t] = f.worth[t] / max(f.work[t], 1e-12)
	}
}

// shift moves a fraction of each act to the densest of its targets.
func (f *fluid) shift(step float64) {
	densest := make(map[int32]int, len(f.p.acts))
	for i := range f.pieces {
		k := &f.pieces[i]
		if j, ok := densest[k.act]; !ok || f.density[k.target] > f.density[f.pieces[j].target] {
			densest[k.act] = i
		}
	}
	for i := range f.pieces {
		f.share[i] *= 1 - step
		if densest[f.pieces[i].act] == i {
			f.share[i] += step
		}
	}
}

// run works on the densest released piece at full capacity, and reads the proof
// from when the share of each target is worked on.
func (f *fluid) run(capacity float64) *proof {
	p := f.p
	k := f.proof()
	gains := k.gain
	half := f.spans(capacity)
	end := p.horizon.Minutes()
	for _, h := range half {
		end = min(end, p.horizon.Minutes()-h)
	}
	if end <= 0 {
		return k
	}
	left := make([]float64, len(f.pieces))
	var h queue[ranked]
	now, next := 0.0, 0
	for next < len(f.pieces) || len(h) > 0 {
		if len(h) == 0 {
			now = max(now, f.pieces[next].release.Minutes())
		}
		for next < len(f.pieces) && f.pieces[next].release.Minutes() <= now {
			if left[next] = f.share[next] * f.pieces[next].energy; left[next] > 0 {
				h.push(ranked{f.density[f.pieces[next].target], next})
			}
			next++
		}
		if len(h) == 0 {
			continue
		}
		i := h[0].piece
		stop := now + left[i]/capacity
		done := left[i]
		if next < len(f.pieces) && f.pieces[next].release.Minutes() < stop {
			stop = f.pieces[next].release.Minutes()
			done = min((stop-now)*capacity, left[i])
		}
		t := f.pieces[i].target
		gains[t] += done / f.work[t] * meanUpTo(now, stop, end)
		if left[i] -= done; left[i] <= 1e-12*f.work[t] {
			// What rounding left behind still counts, at the time it is given up.
			gains[t] += left[i] / f.work[t] * min(stop, end)
			left[i] = 0
			h.pop()
		}
		now = stop
	}
	order := f.charged()
	for _, t := range order {
		k.charged[t] = true
		gains[t] = p.targets[t].weight * (gains[t] + half[t])
		k.sum += gains[t]
	}
	// Without a target, those that are less dense would be done earlier by its work.
	var later float64
	for _, t := range order {
		k.value[t] = gains[t] + later*f.work[t]/capacity
		later += p.targets[t].weight
	}
	return k
}

// charged returns the targets with work, the least dense first.
func (f *fluid) charged() []int {
	var order []int
	for t := range f.work {
		if f.work[t] > 0 {
			order = append(order, t)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(f.density[a], f.density[b]), cmp.Compare(b, a)) })
	return order
}

func (f *fluid) proof() *proof {
	n := len(f.p.targets)
	return &proof{charged: make([]bool, n), gain: make([]float64, n), value: make([]float64, n), pieces: len(f.pieces)}
}

// spans returns, for each target, the least time from the mean of its share to
// its end. Seen from the end backwards, its acts are jobs of one machine that
// works at full capacity, and Smith's rule says which order makes the mean
// latest: the largest shares last. Nor can the mean of an act lie nearer to the
// end than half its duration and its tail.
func (f *fluid) spans(capacity float64) []float64 {
	p := f.p
	if f.byTarget == nil {
		f.byTarget = make([][]int, len(p.targets))
		for i := range f.pieces {
			f.byTarget[f.pieces[i].target] = append(f.byTarget[f.pieces[i].target], i)
		}
	}
	out := make([]float64, len(p.targets))
	for t, of := range f.byTarget {
		if f.work[t] <= 0 {
			continue
		}
		slices.SortFunc(of, func(i, j int) int {
			return cmp.Or(cmp.Compare(f.share[j], f.share[i]), cmp.Compare(i, j))
		})
		var after, late, half float64
		tail := never
		for _, i := range of {
			part := f.share[i] * f.pieces[i].energy / f.work[t]
			long := f.pieces[i].energy / capacity
			late += part * (after + long/2)
			half += part * (p.acts[f.pieces[i].act].takes/2 + f.pieces[i].tail).Minutes()
			tail = min(tail, f.pieces[i].tail)
			after += long
		}
		out[t] = max(late+tail.Minutes(), half)
	}
	return out
}

// meanUpTo is the mean of min(t, end) for t in [from, to].
func meanUpTo(from, to, end float64) float64 {
	switch {
	case to <= end:
		return (from + to) / 2
	case from >= end:
		return end
	}
	part := (end - from) / (to - from)
	return part*(from+end)/2 + (1-part)*end
}

type ranked struct {
	density float64
	piece   int
}

// Before puts the densest piece first.
func (r ranked) Before(o ranked) bool {
	if r.density != o.density {
		return r.density > o.density
	}
	return r.piece < o.piece
}
