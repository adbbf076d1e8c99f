package estate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// refs calls f for every document that the need names.
func (n Need) refs(f func(n Need)) {
	if n.Ref != nil {
		f(n)
	}
	for _, o := range n.Of {
		o.refs(f)
	}
}

// outright calls f for every document that the need cannot do without as it is
// written: through lists, never through anyOf or atLeast.
func (n Need) outright(f func(r Ref)) {
	if n.Ref != nil {
		f(*n.Ref)
	}
	if n.Gate == GateList && n.K == len(n.Of) {
		for _, o := range n.Of {
			o.outright(f)
		}
	}
}

// cycles returns an error for each group of domains that need each other in a
// cycle: the shortest cycle through the first of them.
func (s *Snapshot) cycles() []*Error {
	edges := make([][]Need, len(s.Domains))
	for i := range s.Domains {
		s.Domains[i].Needs.refs(func(n Need) {
			if n.Ref.Index >= 0 {
				edges[i] = append(edges[i], n)
			}
		})
	}
	var errs []*Error
	for _, group := range components(edges) {
		first := slices.Min(group)
		if len(group) == 1 && !slices.ContainsFunc(edges[first], func(n Need) bool { return n.Ref.Index == first }) {
			continue
		}
		path := cycle(edges, first)
		names := make([]string, 0, len(path)+1)
		for _, n := range path {
			names = append(names, n.Ref.Name)
		}
		p := path[0].Pos
		errs = append(errs, &Error{
			File: p.File, Line: p.Line, Col: p.Col,
			Msg:  fmt.Sprintf("domains need each other in a cycle: %s -> %s", s.Domains[first].Name, strings.Join(names, " -> ")),
			Want: "needs among domains without a cycle",
		})
	}
	return errs
}

// cycle returns the shortest way of needs from a domain back to itself, or nil.
func cycle(edges [][]Need, from int) []Need {
	via := map[int]Need{} // the need through which a domain was first reached
	at := map[int]int{}   // and the domain that has it
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		v := queue[0]
		for _, n := range edges[v] {
			w := n.Ref.Index
			if w == from {
				path := []Need{n}
				for v != from {
					path = append(path, via[v])
					v = at[v]
				}
				slices.Reverse(path)
				return path
			}
			if _, seen := via[w]; !seen {
				via[w], at[w] = n, v
				queue = append(queue, w)
			}
		}
	}
	return nil
}

// components returns the strongly connected groups of the graph, by Tarjan's
// algorithm with a stack of its own, so that a long chain cannot exhaust ours.
func components(edges [][]Need) [][]int {
	const unseen = -1
	type frame struct{ v, next int }
	var (
		order, low = make([]int, len(edges)), make([]int, len(edges))
		open       = make([]bool, len(edges))
		stack      []int
		groups     [][]int
		count      int
	)
	for i := range order {
		order[i] = unseen
	}
	for root := range edges {
		if order[root] != unseen {
			continue
		}
		work := []frame{{root, 0}}
		for len(work) > 0 {
			f := &work[len(work)-1]
			v := f.v
			if f.next == 0 {
				order[v], low[v] = count, count
				count++
				stack, open[v] = append(stack, v), true
			}
			if f.next < len(edges[v]) {
				w := edges[v][f.next].Ref.Index
				f.next++
				if order[w] == unseen {
					work = append(work, frame{w, 0})
				} else if open[w] {
					low[v] = min(low[v], order[w])
				}
				continue
			}
			work = work[:len(work)-1]
			if len(work) > 0 {
				p := work[len(work)-1].v
				low[p] = min(low[p], low[v])
			}
			if low[v] == order[v] {
				cut := slices.Index(stack, v)
				for _, w := range stack[cut:] {
					open[w] = false
				}
				groups = append(groups, slices.Clone(stack[cut:]))
				stack = stack[:cut]
			}
		}
	}
	return groups
}

// place sets the ancestors and the site of every domain. The domains have no
// cycles.
func (s *Snapshot) place() {
	direct := make([][]int, len(s.Domains))
	for i := range s.Domains {
		s.Domains[i].Needs.outright(func(r Ref) { direct[i] = append(direct[i], r.Index) })
		slices.Sort(direct[i])
		direct[i] = slices.Compact(direct[i])
	}
	far := make([]int, len(s.Domains)) // steps to the site
	for _, i := range deepestFirst(direct) {
		d := &s.Domains[i]
		d.Site = -1
		if d.Type == TypeSite {
			d.Site, far[i] = i, 0
		}
		var all []int
		for _, p := range direct[i] {
			all = append(append(all, p), s.Domains[p].Ancestors...)
			if q := s.Domains[p].Site; q >= 0 && d.Site != i {
				if d.Site < 0 || cmp.Or(cmp.Compare(far[p]+1, far[i]), cmp.Compare(q, d.Site)) < 0 {
					d.Site, far[i] = q, far[p]+1
				}
			}
		}
		slices.Sort(all)
		d.Ancestors = slices.Clip(slices.Compact(all))
	}
}

// placeOne is place for one domain, when all that it needs is placed.
func (s *Snapshot) placeOne(i int) {
	direct := func(i int) (out []int) {
		s.Domains[i].Needs.outright(func(r Ref) { out = append(out, r.Index) })
		return out
	}
	var steps func(i int) int // to the site
	steps = func(i int) int {
		d := &s.Domains[i]
		least := 0
		for _, p := range direct(i) {
			if q := s.Domains[p].Site; q >= 0 && q == d.Site && d.Site != i {
				if n := steps(p) + 1; least == 0 || n < least {
					least = n
				}
			}
		}
		return least
	}
	d := &s.Domains[i]
	d.Site = -1
	if d.Type == TypeSite {
		d.Site = i
	}
	var (
		all []int
		far int
	)
	for _, p := range direct(i) {
		all = append(append(all, p), s.Domains[p].Ancestors...)
		if q := s.Domains[p].Site; q >= 0 && d.Site != i {
			if n := steps(p) + 1; d.Site < 0 || cmp.Or(cmp.Compare(n, far), cmp.Compare(q, d.Site)) < 0 {
				d.Site, far = q, n
			}
		}
	}
	slices.Sort(all)
	d.Ancestors = slices.Clip(slices.Compact(all))
}

// deepestFirst orders the domains so that each comes after those it needs.
func deepestFirst(direct [][]int) []int {
	waits := make([]int, len(direct))
	needed := make([][]int, len(direct))
	out := make([]int, 0, len(direct))
	for i, ps := range direct {
		waits[i] = len(ps)
		for _, p := range ps {
			needed[p] = append(needed[p], i)
		}
		if len(ps) == 0 {
			out = append(out, i)
		}
	}
	for next := 0; next < len(out); next++ {
		for _, i := range needed[out[next]] {
			if waits[i]--; waits[i] == 0 {
				out = append(out, i)
			}
		}
	}
	return out
}
