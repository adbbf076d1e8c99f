package estate

import "slices"

// Lookup returns the reference to the named document of kind k.
func (s *Snapshot) Lookup(k Kind, name string) (Ref, bool) {
	i, ok := s.index[k].at(name)
	return Ref{Kind: k, Index: i, Name: name}, ok
}

// Nearest returns the name of a document of kind k that someone who wrote name
// most likely meant, or "" when none is close.
func (s *Snapshot) Nearest(k Kind, name string) string {
	return nearest(name, func(yield func(string) bool) {
		for i := range s.Count(k) {
			if !yield(s.nameAt(k, i)) {
				return
			}
		}
	})
}

// NameOf returns the name of a document as a need would write it: the bare name,
// or kind/name where another document that a need may name has it too.
func (s *Snapshot) NameOf(r Ref) string {
	for _, k := range Kinds() {
		if _, ok := s.index[k].at(r.Name); ok && k != r.Kind && anyNeedable.has(k) {
			return r.String()
		}
	}
	return r.Name
}

// Nearest returns the choice that someone who wrote name most likely meant, or ""
// when none is close. It serves whoever has to refuse a name.
func Nearest(name string, choices []string) string {
	return nearest(name, slices.Values(choices))
}
