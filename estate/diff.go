package estate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What a [Change] says of a document.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// A Change is one document that differs between two snapshots.
type Change struct {
	What   string // Added, Removed or Changed
	Kind   Kind
	Name   string
	Fields []FieldChange // of Changed
}

// A FieldChange is one field that differs, as canonical YAML; Old or New is ""
// where the field was not given.
type FieldChange struct {
	Path     string // such as actions[grow].takes
	Old, New string
}

// String returns the change as lines for people, without a newline at the end.
func (c Change) String() string {
	var b strings.Builder
	sign := map[string]string{Added: "+", Removed: "-"}[c.What]
	if sign == "" {
		sign = "~"
	}
	fmt.Fprintf(&b, "%s %s/%s", sign, c.Kind, c.Name)
	for _, f := range c.Fields {
		switch {
		case f.Old == "":
			fmt.Fprintf(&b, "\n    %s: + %s", f.Path, f.New)
		case f.New == "":
			fmt.Fprintf(&b, "\n    %s: - %s", f.Path, f.Old)
		default:
			fmt.Fprintf(&b, "\n    %s: %s -> %s", f.Path, f.Old, f.New)
		}
	}
	return b.String()
}

// Diff returns what changed from a to b, by kind and name; nothing when their
// content is equal.
func Diff(a, b *Snapshot) []Change {
	var out []Change
	f := newFormat()
	texts := read(a) && read(b)
	meaning := texts && sameMeaning(a, b)
	for _, k := range Kinds() {
		i, j := 0, 0
		if texts && sameList(a.text[k], b.text[k]) {
			continue
		}
		for i < a.Count(k) || j < b.Count(k) {
			ra, rb := Ref{Kind: k, Index: i}, Ref{Kind: k, Index: j}
			if texts && i < a.Count(k) && j < b.Count(k) && &a.text[k][i][0] == &b.text[k][j][0] {
				i++ // a Loader took it over as it is
				j++
				continue
			}
			var order int
			switch {
			case i == a.Count(k):
				order = 1
			case j == b.Count(k):
				order = -1
			default:
				order = strings.Compare(a.Doc(ra).Name, b.Doc(rb).Name)
			}
			switch {
			case order < 0:
				out = append(out, Change{What: Removed, Kind: k, Name: a.Doc(ra).Name})
				i++
			case order > 0:
				out = append(out, Change{What: Added, Kind: k, Name: b.Doc(rb).Name})
				j++
			case meaning && bytes.Equal(a.text[k][i], b.text[k][j]):
				i++
				j++
			default:
				ea, eb := &encoder{s: a, also: b}, &encoder{s: b, also: a}
				ea.document(f, k, i)
				eb.document(f, k, j)
				if !bytes.Equal(ea.b, eb.b) {
					out = append(out, Change{What: Changed, Kind: k, Name: a.Doc(ra).Name, Fields: fieldChanges(ea.b, eb.b)})
				}
				i++
				j++
			}
		}
	}
	return out
}

// A Stretch is documents of one kind that are in two snapshots, and in both one
// after another: N of them, from At on in the later one and From on in the former.
type Stretch struct{ At, From, N int }

// Stayed lists the documents of a kind that two snapshots have both, by name.
func Stayed(before, after *Snapshot, k Kind) []Stretch {
	var (
		out    []Stretch
		i, j   int
		texts  = len(before.text[k]) == before.Count(k) && len(after.text[k]) == after.Count(k)
		sameAt = func(i, j int) bool { // the same text, so the same name
			return texts && &before.text[k][i][0] == &after.text[k][j][0]
		}
	)
	for i < before.Count(k) && j < after.Count(k) {
		if !sameAt(i, j) {
			if order := strings.Compare(before.nameAt(k, i), after.nameAt(k, j)); order < 0 {
				i++
				continue
			} else if order > 0 {
				j++
				continue
			}
		}
		if n := len(out); n > 0 && out[n-1].At+out[n-1].N == j && out[n-1].From+out[n-1].N == i {
			out[n-1].N++
		} else {
			out = append(out, Stretch{j, i, 1})
		}
		i++
		j++
	}
	return out
}

// read reports whether a snapshot has the text of every document.
func read(s *Snapshot) bool {
	return !slices.ContainsFunc(Kinds(), func(k Kind) bool { return len(s.text[k]) != s.Count(k) })
}

// sameMeaning reports whether equal texts in two snapshots that were read mean the
// same: no name that only one of them has is that of another kind, too.
func sameMeaning(a, b *Snapshot) bool {
	other := func(k Kind, name string) bool {
		for _, o := range Kinds() {
			_, inA := a.index[o].at(name)
			if _, inB := b.index[o].at(name); o != k && (inA || inB) {
				return true
			}
		}
		return false
	}
	for _, k := range Kinds() {
		if a.index[k] == b.index[k] {
			continue // it is the same index
		}
		for i, j := 0, 0; i < a.Count(k) || j < b.Count(k); {
			if i < a.Count(k) && j < b.Count(k) {
				if &a.text[k][i][0] == &b.text[k][j][0] || a.nameAt(k, i) == b.nameAt(k, j) {
					i++
					j++
					continue
				}
			}
			if j == b.Count(k) || i < a.Count(k) && a.nameAt(k, i) < b.nameAt(k, j) {
				if other(k, a.nameAt(k, i)) {
					return false
				}
				i++
			} else {
				if other(k, b.nameAt(k, j)) {
					return false
				}
				j++
			}
		}
	}
	return true
}

func (s *Snapshot) nameAt(k Kind, i int) string { return s.Doc(Ref{Kind: k, Index: i}).Name }

// sameList reports whether two lists are one and the same.
func sameList(a, b [][]byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// fieldChanges compares two documents in canonical form.
func fieldChanges(a, b []byte) []FieldChange {
	var na, nb yaml.Node
	if yaml.Unmarshal(a, &na) != nil || yaml.Unmarshal(b, &nb) != nil {
		panic("unreachable: the canonical form is YAML") // FuzzParse reads every canonical form back
	}
	var out []FieldChange
	compare("", na.Content[0], nb.Content[0], &out)
	return out
}

func compare(path string, a, b *yaml.Node, out *[]FieldChange) {
	var ka, kb []keyed
	switch {
	case a.Kind == yaml.MappingNode && b.Kind == yaml.MappingNode:
		ka, kb = keys(a), keys(b)
	case items(a) && items(b):
		ka, kb = itemsOf(a), itemsOf(b)
	default:
		if ta, tb := flow(a), flow(b); ta != tb {
			*out = append(*out, FieldChange{path, ta, tb})
		}
		return
	}
	both := 0
	for _, x := range ka {
		y := slices.IndexFunc(kb, func(y keyed) bool { return y.key == x.key })
		if y < 0 {
			*out = append(*out, FieldChange{join(path, x.key), flow(x.node), ""})
			continue
		}
		both++
		compare(join(path, x.key), x.node, kb[y].node, out)
	}
	for _, y := range kb {
		if !slices.ContainsFunc(ka, func(x keyed) bool { return y.key == x.key }) {
			*out = append(*out, FieldChange{join(path, y.key), "", flow(y.node)})
		}
	}
	if both == len(ka) && both == len(kb) && a.Kind == yaml.SequenceNode && !slices.EqualFunc(ka, kb, func(x, y keyed) bool { return x.key == y.key }) {
		*out = append(*out, FieldChange{path + " order", orderOf(ka), orderOf(kb)})
	}
}

// A keyed is a part of a document and what it is called in a path.
type keyed struct {
	key  string
	node *yaml.Node
}

func keys(n *yaml.Node) []keyed {
	var out []keyed
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, keyed{n.Content[i].Value, n.Content[i+1]})
	}
	return out
}

// items reports whether n is a list of mappings that say what they are.
func items(n *yaml.Node) bool {
	if n.Kind != yaml.SequenceNode {
		return false
	}
	return !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return identity(c) == "" })
}

// identity is what tells an item of a list from the others.
func identity(n *yaml.Node) string {
	if n.Kind != yaml.MappingNode {
		return ""
	}
	for _, k := range []string{"name", "in", "rule", "share"} {
		if v := valueOf(n, k); v != n && v.Kind == yaml.ScalarNode {
			return v.Value
		}
	}
	return ""
}

func itemsOf(n *yaml.Node) []keyed {
	seen := map[string]int{}
	var out []keyed
	for _, c := range n.Content {
		key := identity(c)
		if seen[key]++; seen[key] > 1 {
			key = fmt.Sprintf("%s#%d", key, seen[key])
		}
		out = append(out, keyed{"[" + key + "]", c})
	}
	return out
}

func orderOf(ks []keyed) string {
	var names []string
	for _, k := range ks {
		names = append(names, strings.Trim(k.key, "[]"))
	}
	return strings.Join(names, ", ")
}

func join(path, key string) string {
	if path == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	return path + "." + key
}

// flow writes a node of a canonical document on one line.
func flow(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		var parts []string
		for _, k := range keys(n) {
			parts = append(parts, k.key+": "+flow(k.node))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		var parts []string
		for _, c := range n.Content {
			parts = append(parts, flow(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.ScalarNode:
		if plain(n) {
			return n.Value
		}
		e := &encoder{}
		e.text(n.Value)
		return string(e.b)
	case yaml.AliasNode, yaml.DocumentNode:
	}
	return ""
}
