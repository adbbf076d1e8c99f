package impact

import (
	"cmp"
	"slices"

	"bongsu/estate"
)

// Derivation returns the action runs that bring a component, service or crew
// back, in an order in which each finds what it needs up. It is empty for what
// never went down and for what cannot come back.
func (im *Impact) Derivation(r estate.Ref) []ActionRef {
	return im.derive(im.back.m.nodeOf(r))
}

// PartDerivation is like [Impact.Derivation] for a part of a service.
func (im *Impact) PartDerivation(service, part int) []ActionRef {
	return im.derive(im.back.m.partNode(service, part))
}

// derive cuts the recovery down to what the node stands on. Whatever a node was
// raised on has no higher rank than itself, so taking its inputs of the lowest
// ranks leads to actions that all ran before.
func (im *Impact) derive(n node) []ActionRef {
	s, m := im.back, im.back.m
	if !s.val[n] {
		return nil
	}
	var (
		seen  = map[node]bool{n: true}
		stack = []node{n}
		runs  = map[int32]bool{}
	)
	visit := func(n node) {
		if !seen[n] && !im.fallen.val[n] {
			seen[n] = true
			stack = append(stack, n)
		}
	}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if im.fallen.val[n] {
			continue
		}
		for _, i := range s.support(n) {
			visit(i)
		}
		if !m.isComp(n) {
			continue
		}
		for _, a := range s.revived(n - m.compBase) {
			if !runs[a] {
				runs[a] = true
				visit(m.actBase + a)
			}
		}
	}
	var refs []ActionRef
	for _, a := range s.order {
		if runs[a] {
			refs = append(refs, s.actionRef(a))
		}
	}
	return refs
}

// support returns inputs that are enough to hold the node up, those that came
// back first.
func (s *state) support(n node) []node {
	in := s.m.in(n)
	if int(s.m.need[n]) == len(in) {
		return in
	}
	up := slices.DeleteFunc(slices.Clone(in), func(i node) bool { return !s.val[i] })
	slices.SortStableFunc(up, func(a, b node) int { return cmp.Compare(s.rank[a], s.rank[b]) })
	return up[:max(s.m.need[n], 0)]
}

// revived returns the actions that made the component hold again: those that
// had run at the moment when it did.
func (s *state) revived(c int32) []int32 {
	if s.held[c] {
		return nil
	}
	comp := &s.m.snap.Components[c]
	first, end := s.m.actions(c)
	var mine []int32
	living := int(s.living[c])
	for n := first; n < end; n++ {
		a := n - s.m.actBase
		if s.ran[a] == 0 {
			continue
		}
		mine = append(mine, a)
		if comp.Mode == estate.ModeAny {
			living -= s.action(a).Adds
		}
	}
	slices.SortFunc(mine, func(a, b int32) int { return cmp.Compare(s.ran[a], s.ran[b]) })
	for i, a := range mine {
		adds := s.action(a).Adds
		if comp.Mode != estate.ModeAny || adds == 0 {
			return mine[i : i+1]
		}
		if living += adds; living >= comp.AtLeast {
			return mine[:i+1]
		}
	}
	return nil
}
