package cutset

import (
	"fmt"
	"slices"
)

// Unroll returns a tree without cycles that has the same minimal cut sets, for
// tools that know no cycles. References that close a cycle are cut, and all that stands on a cycle is
// repeated in rounds, the first with the cut references never failing and each next
// reading the round before: a round that changes nothing for some set of
// failures ends it, and each before it makes one more cut gate fail, so that there are as many as cut gates
// and one more. The error wraps [ErrInput] if that would be too large.
func (t *Tree) Unroll() (Tree, error) {
	if t.cycle() == nil {
		u := *t
		u.Cyclic = false
		return u, nil
	}
	u := Tree{Name: t.Name, Leaves: t.Leaves}
	unit := t.units()
	moved := make([]Ref, len(t.Gates)) // what stands for a gate
	at := func(r Ref) Ref {
		if i, ok := r.Gate(); ok {
			return moved[i]
		}
		return r
	}
	copyGate := func(i, round int, in func(Ref) Ref) Ref {
		g := t.Gates[i]
		if round > 0 {
			g.Name = fmt.Sprintf("%s (round %d)", g.Name, round)
		}
		g.In = slices.Clone(g.In)
		for j, r := range g.In {
			g.In[j] = in(r)
		}
		return u.AddGate(g)
	}
	for _, members := range unit {
		order, cut := t.feedback(members)
		if len(cut) == 0 {
			moved[order[0]] = copyGate(order[0], 0, at)
			continue
		}
		if (len(cut)+1)*len(order)+len(u.Gates)+len(u.Leaves) > maxNodes {
			return Tree{}, fmt.Errorf("%w: a cycle of %d gates is too entangled to be written without cycles", ErrInput, len(order))
		}
		before := make(map[int]Ref, len(cut)) // cut gates in the round before
		for i := range cut {
			before[i] = False
		}
		for round := range len(cut) + 1 {
			done := make(map[int]bool, len(order))
			for _, i := range order {
				moved[i] = copyGate(i, len(cut)-round, func(r Ref) Ref {
					if c, ok := r.Gate(); ok && cut[c] && !done[c] {
						return before[c]
					}
					return at(r)
				})
				done[i] = true
			}
			for i := range cut {
				before[i] = moved[i]
			}
		}
	}
	u.Top = at(t.Top)
	return u, nil
}

// units returns the strongly connected groups of gates, each after those that feed it.
func (t *Tree) units() [][]int {
	const unseen = 0
	var (
		index, low = make([]int, len(t.Gates)), make([]int, len(t.Gates))
		open       = make([]bool, len(t.Gates))
		next       = make([]int, len(t.Gates))
		stack      []int
		path       []int
		found      [][]int
		clock      int
	)
	enter := func(g int) {
		clock++
		index[g], low[g], open[g] = clock, clock, true
		stack, path = append(stack, g), append(path, g)
	}
	for root := range t.Gates {
		if index[root] != unseen {
			continue
		}
		enter(root)
		for len(path) > 0 {
			g := path[len(path)-1]
			if next[g] < len(t.Gates[g].In) {
				c, ok := t.Gates[g].In[next[g]].Gate()
				next[g]++
				if ok && index[c] == unseen {
					enter(c)
				} else if ok && open[c] {
					low[g] = min(low[g], index[c])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				p := path[len(path)-1]
				low[p] = min(low[p], low[g])
			}
			if low[g] == index[g] {
				i := slices.Index(stack, g)
				for _, x := range stack[i:] {
					open[x] = false
				}
				found = append(found, slices.Clone(stack[i:]))
				stack = stack[:i]
			}
		}
	}
	return found
}

// feedback orders the gates of a group so that each comes after those that feed
// it, but for references to cut gates that come later.
func (t *Tree) feedback(members []int) (order []int, cut map[int]bool) {
	const (
		unseen = iota
		open
		done
	)
	state := make(map[int]int, len(members))
	for _, g := range members {
		state[g] = unseen
	}
	cut = map[int]bool{}
	next := make(map[int]int, len(members))
	for _, root := range slices.Sorted(slices.Values(members)) {
		if state[root] != unseen {
			continue
		}
		state[root] = open
		path := []int{root}
		for len(path) > 0 {
			g := path[len(path)-1]
			if next[g] == len(t.Gates[g].In) {
				state[g] = done
				order = append(order, g)
				path = path[:len(path)-1]
				continue
			}
			c, ok := t.Gates[g].In[next[g]].Gate()
			next[g]++
			s, member := state[c]
			switch {
			case !ok || !member || s == done:
			case s == open:
				cut[c] = true
			default:
				state[c] = open
				path = append(path, c)
			}
		}
	}
	return order, cut
}
