package plan

import (
	"cmp"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"bongsu/impact"
)

// A planner turns an order of targets into a schedule. Each goroutine has its own.
type planner struct {
	p  *problem
	st *schedule
	c  *cone
	cl *closure

	avoided []bool  // acts that the candidate would rather not run
	refused []int32 // acts that found no room in the current closure
	forced  bool    // avoided acts are allowed after all
	barrier []bool
}

func newPlanner(p *problem) *planner {
	pl := &planner{p: p, st: newSchedule(p), c: newCone(p), avoided: make([]bool, len(p.acts)), barrier: make([]bool, len(p.acts))}
	pl.cl = newClosure(pl.c)
	pl.c.avoid = func(a int32) bool { return pl.barrier[a] || pl.avoided[a] && !pl.forced }
	return pl
}

// A candidate is what the search varies: whom to serve first, and which acts
// to leave alone where there are others.
type candidate struct {
	order []int32 // of problem.targets
	avoid []int32 // sorted
}

// decode schedules the targets in the order of the candidate, each as early as
// what is already scheduled allows, and returns the lost user-minutes.
func (pl *planner) decode(k candidate) float64 {
	pl.st.reset()
	for _, a := range k.avoid {
		pl.avoided[a] = true
	}
	for _, t := range k.order {
		pl.serve(pl.p.targets[t].node)
	}
	for _, a := range k.avoid {
		pl.avoided[a] = false
	}
	return pl.p.cost(pl.st.up)
}

// serve schedules what a node still needs, and reports whether it will be up.
func (pl *planner) serve(n int32) bool {
	if pl.st.up[n] != never {
		return true
	}
	defer func() {
		for _, a := range pl.refused {
			pl.barrier[a] = false
		}
		pl.refused, pl.forced = pl.refused[:0], false
	}()
	// Each round either serves the node or refuses one more act that found no
	// room together with the rest of the closure.
	for len(pl.refused) < maxRefused {
		pl.c.run(pl.st, modeFit, n)
		if !pl.c.isUp(n) {
			if pl.forced {
				return false
			}
			pl.forced = true
			continue
		}
		pl.cl.extract(n)
		a, ok := pl.cl.commit()
		if ok {
			return true
		}
		pl.barrier[a] = true
		pl.refused = append(pl.refused, a)
	}
	return false
}

// maxRefused bounds how many combinations of acts are tried for one target when
// room is short.
const maxRefused = 8

// cost is the weighted user-minutes that the targets lose.
func (p *problem) cost(up []time.Duration) float64 {
	var sum float64
	for _, t := range p.targets {
		sum += t.weight * min(up[t.node], p.horizon).Minutes()
	}
	return sum + p.penalty
}

// A survey is what every ranking starts from: when each target could be up if
// nobody waited for people, slots or room, and the acts that this takes.
type survey struct {
	p     *problem
	heads []time.Duration // of a node; never if it cannot come up
	acts  [][]int32       // by target
	users [][]int32       // by act: the targets
	order []int32         // targets that can come up
}

// survey also returns the cone that it ran, for the bound.
func (p *problem) survey() (*survey, *cone) {
	sv := &survey{p: p, heads: make([]time.Duration, len(p.nodes)), acts: make([][]int32, len(p.targets)), users: make([][]int32, len(p.acts))}
	st := newSchedule(p)
	c := newCone(p)
	c.run(st, modeFree, p.allNodes()...)
	for n := range p.nodes {
		sv.heads[n] = st.up[n]
		if c.nodeSeen[n] == c.epoch {
			sv.heads[n] = c.up[n]
		}
	}
	cl := newClosure(c)
	for t := range p.targets {
		n := p.targets[t].node
		if sv.heads[n] == never {
			continue
		}
		sv.order = append(sv.order, int32(t))
		if st.up[n] != never {
			continue
		}
		for _, a := range cl.collect(n) {
			sv.acts[t] = append(sv.acts[t], a)
			sv.users[a] = append(sv.users[a], int32(t))
		}
	}
	return sv, c
}

// preferred orders targets by when an older plan's steps were all there.
func (sv *survey) preferred(ids []string) []int32 {
	rank := make(map[string]int, len(ids))
	for i, id := range ids {
		rank[id] = i + 1
	}
	last := make([]int, len(sv.p.targets))
	for _, t := range sv.order {
		for _, a := range sv.acts[t] {
			x := &sv.p.acts[a]
			at := len(ids) + 1 // not in the older plan
			for _, pl := range x.places {
				ref := impact.ActionRef{Component: x.component, Action: x.action, At: pl.at}
				if r := rank[ref.ID(sv.p.snapshot)]; r > 0 {
					at = r
				}
			}
			last[t] = max(last[t], at)
		}
	}
	order := slices.Clone(sv.order)
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(last[a], last[b]) })
	return order
}

// collect returns the acts of the closure of a goal, without their order.
func (cl *closure) collect(goal int32) []int32 {
	cl.extract(goal)
	out := make([]int32, 0, len(cl.acts))
	for _, k := range cl.acts {
		out = append(out, cl.items[k].act)
	}
	return out
}

// loads returns for each renewable resource how long it is busy with all that
// could be needed, were every unit of it used all the time.
func (sv *survey) loads() []float64 {
	load := make([]float64, len(sv.p.capacity))
	for a := range sv.users {
		if len(sv.users[a]) == 0 {
			continue
		}
		x := &sv.p.acts[a]
		for _, u := range x.uses {
			load[u.resource] += float64(u.amount) * x.takes.Minutes() / float64(sv.p.capacity[u.resource])
		}
	}
	return load
}

// A measure says how much work an act is.
type measure func(a int32) float64

// measures are the ways to weigh an act that the rankings race.
func (sv *survey) measures() []measure {
	load := sv.loads()
	scarcest := 0
	var all float64
	for r := range load {
		all += load[r]
		if load[r] > load[scarcest] {
			scarcest = r
		}
	}
	busy := func(a int32, weigh func(r int32) float64) float64 {
		x := &sv.p.acts[a]
		var w float64
		for _, u := range x.uses {
			w += weigh(u.resource) * float64(u.amount) * x.takes.Minutes() / float64(max(sv.p.capacity[u.resource], 1))
		}
		return w + x.takes.Minutes()*1e-6
	}
	ms := []measure{
		func(a int32) float64 {
			return busy(a, func(r int32) float64 {
				if int(r) == scarcest {
					return 1
				}
				return 0
			})
		},
		func(a int32) float64 { return busy(a, func(r int32) float64 { return load[r] / max(all, 1e-9) }) },
		func(a int32) float64 { return busy(a, func(int32) float64 { return 1 }) },
		func(a int32) float64 { return sv.p.acts[a].takes.Minutes() },
	}
	if want := sv.wanted(); want != nil {
		ms = append(ms, func(a int32) float64 {
			least := never.Minutes()
			for i := range sv.p.acts[a].places {
				var w float64
				for _, d := range sv.p.acts[a].places[i].room {
					w += want[d.row] * d.amount
				}
				least = min(least, w)
			}
			return least + busy(a, func(int32) float64 { return 1e-3 })
		})
	}
	return ms
}

// wanted returns what a unit of each row is worth where more is wanted than is
// free, or nil when there is room for all.
func (sv *survey) wanted() []float64 {
	want := make([]float64, len(sv.p.rows))
	for a := range sv.users {
		if len(sv.users[a]) == 0 {
			continue
		}
		n := float64(len(sv.p.acts[a].places))
		for i := range sv.p.acts[a].places {
			for _, d := range sv.p.acts[a].places[i].room {
				want[d.row] += d.amount / n
			}
		}
	}
	short := false
	for r := range want {
		free := sv.p.rows[r].free
		if want[r] <= free {
			want[r] = 0
			continue
		}
		short = true
		want[r] /= max(free, 1e-9) * max(free, 1e-9)
	}
	if !short {
		return nil
	}
	return want
}

// rankings lists orders of targets worth trying.
func (sv *survey) rankings() [][]int32 {
	var out [][]int32
	for _, m := range sv.measures() {
		out = append(out, sv.greedy(m, false), sv.greedy(m, true))
	}
	byWeight := slices.Clone(sv.order)
	slices.SortStableFunc(byWeight, func(a, b int32) int { return cmp.Compare(sv.p.targets[b].weight, sv.p.targets[a].weight) })
	byHead := slices.Clone(sv.order)
	slices.SortStableFunc(byHead, func(a, b int32) int {
		return cmp.Compare(sv.heads[sv.p.targets[a].node], sv.heads[sv.p.targets[b].node])
	})
	return append(out, byWeight, byHead)
}

// greedy orders targets by weight over the work that is left for them, again
// and again. Shared splits the work of an act among the targets that wait for
// it, by weight, so that what opens the way for many comes early.
func (sv *survey) greedy(m measure, shared bool) []int32 {
	left := make([]float64, len(sv.p.targets))
	part := make([]float64, len(sv.p.acts)) // work of an act for one unit of weight, or in all
	for a := range sv.users {
		if len(sv.users[a]) == 0 {
			continue
		}
		part[a] = m(int32(a))
		if shared {
			var w float64
			for _, t := range sv.users[a] {
				w += sv.p.targets[t].weight
			}
			part[a] /= max(w, 1e-12)
		}
	}
	work := func(a, t int32) float64 {
		if shared {
			return part[a] * sv.p.targets[t].weight
		}
		return part[a]
	}
	var h queue[rank]
	density := func(t int32) float64 { return sv.p.targets[t].weight / max(left[t], 1e-12) }
	for _, t := range sv.order {
		for _, a := range sv.acts[t] {
			left[t] += work(a, t)
		}
		h.push(rank{density(t), t})
	}
	done := make([]bool, len(sv.p.targets))
	ran := make([]bool, len(sv.p.acts))
	order := make([]int32, 0, len(sv.order))
	for len(h) > 0 {
		r := h.pop()
		if done[r.target] {
			continue
		}
		done[r.target] = true
		order = append(order, r.target)
		for _, a := range sv.acts[r.target] {
			if ran[a] {
				continue
			}
			ran[a] = true
			for _, t := range sv.users[a] {
				if !done[t] {
					left[t] -= work(a, t)
					h.push(rank{density(t), t})
				}
			}
		}
	}
	return order
}

type rank struct {
	density float64
	target  int32
}

// Before puts the densest target first.
func (r rank) Before(o rank) bool {
	if r.density != o.density {
		return r.density > o.density
	}
	return r.target < o.target
}

// A crowd evaluates candidates on all cores. What it returns does not depend on
// how many there are.
type crowd struct{ planners []*planner }

func newCrowd(p *problem) *crowd {
	cr := &crowd{}
	for range min(runtime.GOMAXPROCS(0), batch) {
		cr.planners = append(cr.planners, newPlanner(p))
	}
	return cr
}

// batch is how many variations a round of the search tries.
const batch = 8

func (cr *crowd) costs(ks []candidate) []float64 {
	out := make([]float64, len(ks))
	var wg sync.WaitGroup
	for w, pl := range cr.planners {
		wg.Go(func() {
			for i := w; i < len(ks); i += len(cr.planners) {
				out[i] = pl.decode(ks[i])
			}
		})
	}
	wg.Wait()
	return out
}

// search races the rankings and improves the best by rounds of variations.
func (sv *survey) search(cr *crowd, orders [][]int32, opts *Options, spent func() bool, target float64) (candidate, float64) {
	var ks []candidate
	for _, o := range orders {
		ks = append(ks, candidate{order: o})
	}
	costs := cr.costs(ks)
	best, cost := candidate{}, 0.0
	for i := range ks {
		if i == 0 || costs[i] < cost {
			best, cost = ks[i], costs[i]
		}
	}
	if len(best.order) == 0 {
		return best, cost
	}
	rng := rand.New(rand.NewPCG(0x626f6e67, 0x7375))
	choices := sv.choices()
	for round := range sv.rounds(opts) {
		if spent() || cost <= target {
			break
		}
		ks = ks[:0]
		for range batch {
			ks = append(ks, sv.vary(rng, best, choices, round))
		}
		costs = cr.costs(ks)
		for i := range ks {
			if costs[i] <= cost {
				best, cost = ks[i], costs[i]
			}
		}
	}
	return best, cost
}

// rounds bounds the search by the size of the problem, so that a large estate
// gets its answer in seconds.
func (sv *survey) rounds(opts *Options) int {
	if opts.Time > 0 {
		return 1 << 30
	}
	size := len(sv.order) + 1
	for _, acts := range sv.acts {
		size += len(acts)
	}
	return min(opts.Rounds, 1+opts.Rounds*20_000/(size*batch))
}

// choices lists the acts that are one of several ways.
func (sv *survey) choices() []int32 {
	var out []int32
	for n := range sv.p.nodes {
		nd := &sv.p.nodes[n]
		if nd.end-nd.acts > 1 && sv.heads[n] != never {
			for a := nd.acts; a < nd.end; a++ {
				out = append(out, a)
			}
		}
	}
	// Where a gate has a choice, so has what stands behind its kids.
	for g := range sv.p.gates {
		gt := &sv.p.gates[g]
		if gt.k == gt.end-gt.kids {
			continue
		}
		for _, l := range sv.p.kids[gt.kids:gt.end] {
			if !l.isGate() {
				nd := &sv.p.nodes[l.index()]
				for a := nd.acts; a < nd.end; a++ {
					out = append(out, a)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// vary returns a neighbour of a candidate: a target moved, two swapped, a block
// moved, or a choice of act turned.
func (sv *survey) vary(rng *rand.Rand, k candidate, choices []int32, round int) candidate {
	n := len(k.order)
	out := candidate{order: slices.Clone(k.order), avoid: k.avoid}
	if len(choices) > 0 && (n < 2 || rng.IntN(4) == 0) {
		a := choices[rng.IntN(len(choices))]
		out.avoid = slices.Clone(k.avoid)
		if i, ok := slices.BinarySearch(out.avoid, a); ok {
			out.avoid = slices.Delete(out.avoid, i, i+1)
		} else {
			out.avoid = slices.Insert(out.avoid, i, a)
		}
		return out
	}
	if n < 2 {
		return out
	}
	// Near moves matter most once the rankings have done the rough work.
	reach := max(2, n>>(round%4))
	i := rng.IntN(n)
	j := min(max(i+rng.IntN(2*reach+1)-reach, 0), n-1)
	if i == j {
		j = (i + 1) % n
	}
	switch rng.IntN(3) {
	case 0:
		out.order[i], out.order[j] = out.order[j], out.order[i]
	case 1:
		t := out.order[i]
		out.order = slices.Insert(slices.Delete(out.order, i, i+1), j, t)
	default:
		size := min(1+rng.IntN(5), n-i)
		block := slices.Clone(out.order[i : i+size])
		rest := slices.Delete(out.order, i, i+size)
		out.order = slices.Insert(rest, min(j, len(rest)), block...)
	}
	return out
}
