package impact

import (
	"math"
	"slices"

	"bongsu/estate"
)

// A mark is how one loss affects one node or component.
type mark struct {
	loss  int32 // position among the domains asked for
	lost  int32 // inputs, or replicas, that it takes away
	fell  bool  // the node went down, or the component does not hold
	stays bool  // and does not come back
}

// Pairs returns the pairs of the given domains (by index) that may do more than
// their two halves: all others leave everything in the worse of the two states
// that its halves do, at the later of the two times. A first thing that goes
// down only in the pair survived each half and is touched by both; a thing that
// comes back later or not at all had its way back touched by the other half. So
// the touches of the halves are joined, by node, and no pair is tried. The pairs
// are sorted; some of them may do no more than their halves after all. It gives
// up, and ok is false, when there are more than most.
func (w *Sweep) Pairs(domains []int, most int) (pairs [][2]int, ok bool) {
	domains = slices.Compact(slices.Sorted(slices.Values(domains)))
	p := &pairing{w: w, nodes: map[node][]mark{}, comps: map[int32][]mark{}, takes: map[int][]int32{}, broken: make([][]int32, len(domains)), most: most}
	for i, d := range domains {
		p.note(int32(i), d)
	}
	p.join()
	if p.tidy(); p.full {
		return nil, false
	}
	pairs = make([][2]int, len(p.found))
	for i, k := range p.found {
		pairs[i] = [2]int{domains[k>>32], domains[k&math.MaxUint32]}
	}
	return pairs, true
}

type pairing struct {
	w      *Sweep
	nodes  map[node][]mark  // of gates and actions
	comps  map[int32][]mark // of components that lost replicas
	takes  map[int][]int32  // of each domain: the losses that take it
	broken [][]int32        // of each loss: the components that do not hold
	found  []int64          // the lesser loss of a pair in the upper half
	tidied int              // how many there were when each was there once
	most   int
	full   bool // there are more than most
}

func (p *pairing) add(a, b int32) {
	if a == b || p.full {
		return
	}
	p.found = append(p.found, int64(min(a, b))<<32|int64(max(a, b)))
	if len(p.found) >= max(2*p.tidied, 1<<20) {
		p.tidy()
	}
}

// tidy leaves each pair once, sorted.
func (p *pairing) tidy() {
	slices.Sort(p.found)
	p.found = slices.Compact(p.found)
	p.tidied = len(p.found)
	p.full = p.full || p.tidied > p.most
}

// note records what the loss of one domain touches.
func (p *pairing) note(i int32, domain int) {
	s, m := p.w.s, p.w.m
	s.clock = 0
	s.lose([]int{domain})
	fell := slices.Clone(s.log.fell)
	lost := map[node]int32{}
	for _, n := range fell {
		if n < m.compBase {
			p.takes[int(n)] = append(p.takes[int(n)], i)
		}
		for _, up := range m.out(n) {
			lost[up]++
		}
	}
	replicas := map[int32]int32{}
	for _, e := range s.log.emptied {
		replicas[e.comp] += e.count
	}
	p.broken[i] = slices.Clone(s.log.unheld)
	s.recover()
	for n, k := range lost {
		// An and-node that is touched is down: two halves that touch it both show it.
		if int(m.need[n]) == len(m.in(n)) && !m.isAction(n) {
			continue
		}
		down := s.rank[n] != 0 || !s.val[n]
		p.nodes[n] = append(p.nodes[n], mark{i, k, down, !s.val[n]})
	}
	for c, k := range replicas {
		p.comps[c] = append(p.comps[c], mark{i, k, !s.held[c], !s.flag[m.compBase+c]})
	}
	s.undo()
}

func (p *pairing) join() {
	s, m := p.w.s, p.w.m
	for n, marks := range p.nodes {
		if m.isAction(n) || p.full {
			continue
		}
		slack := s.count[n] - m.need[n]
		for i, a := range marks {
			for _, b := range marks[:i] {
				switch {
				case (a.fell && a.stays || b.fell && b.stays) && !m.repairs(n): // it stays so in the pair
				case a.fell || b.fell || a.lost+b.lost > slack:
					p.add(a.loss, b.loss)
				}
			}
		}
	}
	for c, marks := range p.comps {
		if p.full {
			return
		}
		for i, a := range marks {
			for _, b := range marks[:i] {
				if !a.fell && !b.fell && !s.enough(c, a.lost+b.lost) {
					p.add(a.loss, b.loss)
				}
			}
		}
	}
	for i, broken := range p.broken {
		if p.full {
			return
		}
		for _, c := range broken {
			p.ways(int32(i), c)
		}
		for _, c := range m.never {
			p.ways(int32(i), c)
		}
	}
}

// repairs reports whether a gate is part of what an action needs. There it
// counts which of its inputs are missing, even where it is not met anyway.
func (m *model) repairs(n node) bool {
	return slices.ContainsFunc(m.out(n), func(up node) bool {
		if m.isAction(up) {
			return true
		}
		gate := int(up) >= int(m.actBase)+len(m.actComp)
		return gate && m.repairs(up)
	})
}

// ways adds the losses that touch the way back of a component which loss i broke:
// what its actions need, where they take effect, and what is left of it.
func (p *pairing) ways(i, c int32) {
	m := p.w.m
	for a, end := m.actions(c); a < end; a++ {
		for _, b := range p.nodes[a] {
			p.add(i, b.loss)
		}
	}
	hit := func(d int) {
		for _, b := range p.takes[d] {
			p.add(i, b)
		}
	}
	comp := &m.snap.Components[c]
	for j := range comp.Actions {
		for _, d := range comp.Actions[j].At {
			hit(d)
		}
	}
	for j := range comp.Replicas {
		hit(comp.Replicas[j].In)
	}
	if comp.Data != nil {
		for j := range comp.Data.Copies {
			hit(comp.Data.Copies[j].In)
		}
	}
}

// enough reports whether component c surely holds with so many replicas fewer
// than it has with nothing lost.
func (s *state) enough(c, fewer int32) bool {
	comp := &s.m.snap.Components[c]
	left := s.living[c] - fewer
	switch comp.Mode {
	case estate.ModeQuorum:
		return 2*left > s.m.total[c]
	case estate.ModePrimary:
		return false // which replica it is counts, not how many
	default:
		return int(left) >= comp.AtLeast
	}
}
