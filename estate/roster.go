package estate

import "maps"

// A roster finds the documents of one kind by name. What came and went since it was
// made is noted beside it, so that one document more costs no map of all.
type roster struct {
	of   map[string]int // of each name its place, when it was made
	to   []int          // of each place then the place now, or -1: it went; nil: the same
	more map[string]int // the names that came since
}

func (n *roster) at(name string) (int, bool) {
	if n == nil {
		return 0, false
	}
	if i, had := n.of[name]; had {
		if n.to == nil {
			return i, true
		}
		if i = n.to[i]; i >= 0 {
			return i, true
		}
	}
	i, ok := n.more[name]
	return i, ok
}

// moved returns the names of a list, of which some were at other places before, by
// place, and others came.
func (n *roster) moved(list []string, to []int, came map[string]int) *roster {
	if len(n.more)+len(came) > 16+len(n.of)/8 {
		all := make(map[string]int, len(list))
		for i, name := range list {
			all[name] = i
		}
		return &roster{of: all}
	}
	next := &roster{of: n.of, to: make([]int, len(n.of)), more: make(map[string]int, len(n.more)+len(came))}
	for i := range next.to {
		now := i
		if n.to != nil {
			now = n.to[i]
		}
		if now >= 0 {
			now = to[now]
		}
		next.to[i] = now
	}
	for name, i := range n.more {
		if i = to[i]; i >= 0 {
			next.more[name] = i
		}
	}
	maps.Copy(next.more, came)
	return next
}
