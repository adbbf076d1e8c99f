package audit

import (
	"slices"

	"bongsu/estate"
	"bongsu/impact"
)

// moves says where documents are that came and went around. The zero moves move
// nothing.
type moves struct {
	impact.Moves
	back map[estate.Kind][]int // the other way round: of each document before, where it is now, or -1
}

func movesOf(before, after *estate.Snapshot) *moves {
	v := &moves{impact.MovesOf(before, after), map[estate.Kind][]int{}}
	for k, from := range v.Moves {
		to := make([]int, before.Count(k))
		for i := range to {
			to[i] = -1
		}
		for i, f := range from {
			if f >= 0 {
				to[f] = i
			}
		}
		v.back[k] = to
	}
	return v
}

func (v *moves) any() bool { return len(v.Moves) > 0 }

func (v *moves) has(k estate.Kind) bool { return v.Moves[k] != nil }

// to says where a document is now; -1: it went.
func (v *moves) to(k estate.Kind, i int) int {
	if to := v.back[k]; to != nil && i >= 0 {
		return to[i]
	}
	return i
}

// now lists where documents are now that did not go.
func (v *moves) now(list []estate.Ref) []estate.Ref {
	if !v.any() {
		return list
	}
	var out []estate.Ref
	for _, r := range list {
		if r.Index = v.to(r.Kind, r.Index); r.Index >= 0 {
			out = append(out, r)
		}
	}
	return out
}

// before lists where documents were, and then those that went.
func (v *moves) before(changed, gone []estate.Ref) []estate.Ref {
	var out []estate.Ref
	for _, r := range changed {
		if was, had := v.Before(r); had {
			out = append(out, was)
		}
	}
	return append(out, gone...)
}

// shifted returns what is known of each document of a kind in the order of now.
func shifted[T any](v *moves, k estate.Kind, list []T, blank T) []T {
	from := v.Moves[k]
	if from == nil {
		return list
	}
	out := make([]T, len(from))
	for i, f := range from {
		out[i] = blank
		if f >= 0 {
			out[i] = list[f]
		}
	}
	return out
}

// lists renumbers lists of documents of a kind, in place.
func (v *moves) lists(k estate.Kind, lists [][]int) {
	if !v.has(k) {
		return
	}
	for _, list := range lists {
		for i, x := range list {
			list[i] = v.to(k, x)
		}
	}
}

// renumber takes over what hangs on nothing but which documents there are.
func (a *auditor) renumber(last *auditor, v *moves) {
	a.subjects = slices.Clone(last.subjects)
	for k := range v.Moves {
		a.subjects[k] = shifted(v, k, last.subjects[k], "")
		for i, name := range a.subjects[k] {
			if name == "" {
				a.subjects[k][i] = a.s.NameOf(a.ref(k, i))
			}
		}
	}
	if v.has(estate.KindDomain) {
		known := shifted(v, estate.KindDomain, last.fates, nil)
		size := 0
		for _, list := range known {
			size += len(list)
		}
		all := make([]int, 0, size)
		for d, list := range known {
			if list == nil {
				continue
			}
			start := len(all)
			for _, x := range list {
				all = append(all, v.to(estate.KindDomain, x))
			}
			known[d] = all[start:len(all):len(all)]
		}
		a.fates = furtherFates(a.s, known)
	}
}

// findings returns what the check before found, with what it hangs on where that is
// now. What hung on something that went is found anew, if it is.
func (v *moves) findings(list []Finding, k *known) []Finding {
	k.findings, k.had = map[string]*Finding{}, map[[2]string]bool{}
	if !v.any() {
		return list
	}
	kept := list[:0]
	for i := range list {
		f := &list[i]
		about := v.now(f.about)
		if len(about) < len(f.about) {
			k.had[[2]string{f.Rule, f.Loss}] = true
			continue
		}
		f.about = about
		kept = append(kept, *f)
	}
	return kept
}
