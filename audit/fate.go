package audit

import (
	"slices"

	"bongsu/estate"
)

// fates returns, for each domain, the single domains whose loss takes it: itself
// and whatever it needs outright or through every alternative. Sorted. Domains
// need each other in no circle (estate.Parse refuses one).
func fates(s *estate.Snapshot) [][]int { return furtherFates(s, make([][]int, len(s.Domains))) }

// furtherFates fills in what is not known yet.
func furtherFates(s *estate.Snapshot, out [][]int) [][]int {
	var (
		of   func(d int) []int
		need func(n estate.Need) []int
	)
	// need returns the single domains whose loss makes the need false.
	need = func(n estate.Need) []int {
		switch {
		case n.Empty():
			return nil
		case n.Ref != nil:
			return of(n.Ref.Index)
		}
		var all []int
		for _, o := range n.Of {
			all = append(all, need(o)...) // each names a domain once
		}
		slices.Sort(all)
		// It is false when more than len(Of)-K of its terms are.
		var kills []int
		for i := 0; i < len(all); {
			j := i
			for j < len(all) && all[j] == all[i] {
				j++
			}
			if j-i > len(n.Of)-n.K {
				kills = append(kills, all[i])
			}
			i = j
		}
		return kills
	}
	of = func(d int) []int {
		if out[d] == nil {
			all := append(slices.Clone(need(s.Domains[d].Needs)), d)
			slices.Sort(all)
			out[d] = slices.Compact(all)
		}
		return out[d]
	}
	for d := range s.Domains {
		of(d)
	}
	return out
}

// shared returns the single domains whose loss takes all of the given ones. Sorted.
func shared(fates [][]int, domains []int) []int {
	if len(domains) == 0 {
		return nil
	}
	common := slices.Clone(fates[domains[0]])
	for _, d := range domains[1:] {
		common = slices.DeleteFunc(common, func(x int) bool {
			_, ok := slices.BinarySearch(fates[d], x)
			return !ok
		})
	}
	return common
}

// takes reports whether losing domain by takes domain d.
func takes(fates [][]int, by, d int) bool {
	_, ok := slices.BinarySearch(fates[d], by)
	return ok
}

// lowest drops from a set of domains those whose loss takes another of the set:
// what is left is the least that has to be lost.
func lowest(fates [][]int, set []int) []int {
	return slices.DeleteFunc(slices.Clone(set), func(d int) bool {
		return slices.ContainsFunc(set, func(o int) bool { return o != d && takes(fates, d, o) })
	})
}
