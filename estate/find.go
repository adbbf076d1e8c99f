package estate

// Find returns the document that text names, written as a need writes it: a
// name, or kind/name. Without kinds it looks among all of them. The error is an
// [*Error] that says what was expected and the nearest name there is.
func (s *Snapshot) Find(text string, ks ...Kind) (Ref, error) {
	if len(ks) == 0 {
		ks = Kinds()
	}
	ix := &index{of: s.index, names: make([][]string, kinds)}
	for k := range kinds {
		for i := range s.Count(k) {
			ix.names[k] = append(ix.names[k], s.Doc(Ref{Kind: k, Index: i}).Name)
		}
	}
	allowed := setOf(ks...)
	r, err := ix.find(text, allowed)
	if err != nil {
		err.Nearest = ix.nearest(text, allowed)
		return Ref{}, err
	}
	return r, nil
}
