package main

import (
	"errors"
	"slices"

	"bongsu/cutset"
	"bongsu/verify"
)

// completeness proves that the listed sets are all up to the largest order of
// which all are listed. It is nil where that is none, or would take too much effort: the
// certificate then proves the sets that it lists, and the checker says that it leaves the rest open.
func completeness(t *cutset.Tree, r *cutset.Result) (*verify.Completeness, error) {
	listed := make([]int64, len(r.ByOrder))
	for _, set := range r.Sets {
		if len(set) < len(listed) { // the first by rank may be larger than those that were counted
			listed[len(set)]++
		}
	}
	order := r.UpTo
	for k, n := range r.ByOrder {
		if !n.IsInt64() || n.Int64() != listed[k] {
			order = k - 1
			break
		}
	}
	if order < 0 {
		return nil, nil
	}
	if r.All && order == r.UpTo {
		if p, err := prove(t, r.Sets, 0); p != nil || err != nil {
			return p, err
		}
	}
	// Each order takes more than the one before it.
	var last *verify.Completeness
	for k := 1; k <= order; k++ {
		p, err := prove(t, r.Sets, k)
		if err != nil {
			return nil, err
		}
		if p == nil {
			break
		}
		last = p
	}
	return last, nil
}

func prove(t *cutset.Tree, sets [][]int, order int) (*verify.Completeness, error) {
	p, err := cutset.Prove(*t, sets, order, 0)
	if errors.Is(err, cutset.ErrNoProof) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &verify.Completeness{UpTo: p.UpTo, Leaves: []string{}, Paths: make([][]int, len(p.Paths)), Clauses: make([][]int, len(p.Clauses))}
	var leaves []int
	for _, path := range p.Paths {
		leaves = append(leaves, path...)
	}
	slices.Sort(leaves)
	leaves = slices.Compact(leaves)
	number := make([]int, len(t.Leaves))
	for i, l := range leaves {
		number[l] = i + 1
		out.Leaves = append(out.Leaves, t.Leaves[l].Name)
	}
	for i, path := range p.Paths {
		out.Paths[i] = make([]int, len(path))
		for j, l := range path {
			out.Paths[i][j] = number[l]
		}
	}
	for i, clause := range p.Clauses {
		out.Clauses[i] = make([]int, len(clause))
		for j, l := range clause {
			out.Clauses[i][j] = -number[l]
		}
	}
	return out, nil
}
