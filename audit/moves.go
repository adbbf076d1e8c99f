package audit

import (
	"bongsu/estate"
	"bongsu/impact"
)

// moves says where documents are that came and went around. The zero moves move
// nothing.
type moves struct{ impact.Moves }

func (v moves) any() bool { return len(v.Moves) > 0 }

// now lists where documents are now that did not go.
func (v moves) now(list []estate.Ref) []estate.Ref {
	if !v.any() {
		return list
	}
	var out []estate.Ref
	for _, r := range list {
		if r.Index = v.Now(r.Kind, r.Index); r.Index >= 0 {
			out = append(out, r)
		}
	}
	return out
}

// before lists where documents were, and then those that went.
func (v moves) before(changed, gone []estate.Ref) []estate.Ref {
	var out []estate.Ref
	for _, r := range changed {
		if was, had := v.Before(r); had {
			out = append(out, was)
		}
	}
	return append(out, gone...)
}

// shifted returns what is known of each document of a kind in the order of now, in
// place where there is room.
func shifted[T any](v moves, k estate.Kind, list []T, blank T) []T {
	return impact.Shifted(v.Moves, k, list, blank)
}

// renumber makes lists of indices before ones of those now, in place; -1: it went.
func renumber[T int | int32](v moves, k estate.Kind, lists ...[]T) {
	impact.Renumber(v.Moves, k, lists...)
}

// renumber gives all that is kept of documents the numbers that they have now. In
// lists a component that went is -1.
func (a *auditor) renumber(v moves) {
	for k := range v.Moves {
		a.subjects[k] = shifted(v, k, a.subjects[k], "")
		for i, name := range a.subjects[k] {
			if name == "" {
				a.subjects[k][i] = a.s.NameOf(a.ref(k, i))
			}
		}
	}
	if v.Has(estate.KindDomain) {
		a.fates = shifted(v, estate.KindDomain, a.fates, nil)
		renumber(v, estate.KindDomain, a.fates...)
		a.fates = furtherFates(a.s, a.fates)
	}
	a.hosts = shifted(v, estate.KindDomain, a.hosts, nil)
	renumber(v, estate.KindComponent, a.hosts...)
	a.needed = shifted(v, estate.KindDomain, a.needed, 0)
	a.must = shifted(v, estate.KindComponent, a.must, false)
	a.outright.renumber(v)
	a.ledger.renumber(v)
}

// findings returns what the check before found, with what it hangs on where that is
// now. What hung on something that went is found anew, if it is.
func (v moves) findings(list []Finding, k *known) []Finding {
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
