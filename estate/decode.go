package estate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds how deep needs and arguments nest, so that whoever walks them
// may recurse.
const maxDepth = 64

// A decoder turns the YAML nodes of one document into its type. It reports all
// that is wrong and goes on; names are left to be resolved as links.
type decoder struct {
	file   string
	offset int // lines of the file before this document
	left   int // nodes that it may still visit; aliases make more of them than bytes
	errs   []*Error
	links  []link
}

// A link is a name that must become the index of a document, once every
// document is known.
type link struct {
	name  string
	index *int // exactly one of index and ref is set
	ref   *Ref
	kinds kindSet
	owner string
	pos   Pos
}

func (d *decoder) pos(n *yaml.Node) Pos {
	return Pos{File: d.file, Line: n.Line + d.offset, Col: n.Column}
}

func (d *decoder) fail(n *yaml.Node, want, near, format string, args ...any) {
	p := d.pos(n)
	d.errs = append(d.errs, &Error{File: p.File, Line: p.Line, Col: p.Col, Msg: fmt.Sprintf(format, args...), Want: want, Nearest: near})
}

// real follows an alias and charges the node to the budget; nil means that the
// budget is gone, which has been said.
func (d *decoder) real(n *yaml.Node) *yaml.Node {
	if d.left--; d.left < 0 {
		if d.left == -1 {
			d.fail(n, "fewer aliases, or the text written out", "", "aliases make this document too large")
		}
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return d.real(n.Alias)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.fail(n, "plain YAML without tags", "", "tag %s is not part of the format", n.Tag)
		return nil
	}
	return n
}

// describe says what a node is, for "found …".
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if isNull(n) {
			return "nothing"
		}
		return short(n.Value)
	case yaml.DocumentNode, yaml.AliasNode:
	}
	return "something else"
}

// short quotes a text from the input, cut where it is long.
func short(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

func isNull(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// plain reports whether the scalar is written without quotes, so that it may be
// a number or a truth value.
func plain(n *yaml.Node) bool {
	return n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// scalar returns the text of a scalar that is not null.
func (d *decoder) scalar(n *yaml.Node, what, want string) (string, *yaml.Node, bool) {
	n = d.real(n)
	if n == nil {
		return "", nil, false
	}
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.fail(n, want, "", "%s is %s", what, describe(n))
		return "", nil, false
	}
	return n.Value, n, true
}

func (d *decoder) text(n *yaml.Node, what string) string {
	s, n, _ := d.scalar(n, what, "text")
	// Text is shown on terminals, where a control character is a command.
	command := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if i := strings.IndexFunc(s, command); i >= 0 {
		d.fail(n, "text without control characters", "", "%s has %q in it", what, firstRune(s[i:]))
		return ""
	}
	return s
}

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}

func (d *decoder) name(n *yaml.Node, what string) string {
	s, n, ok := d.scalar(n, what, "a name")
	if !ok {
		return ""
	}
	if !validName(s) {
		want := "lower-case letters, digits, dots and hyphens, beginning with a letter or digit"
		if len(s) > maxName {
			want = fmt.Sprintf("at most %d characters", maxName)
		}
		d.fail(n, want, nameLike(s), "%s %s is no valid name", what, short(s))
		return ""
	}
	return s
}

func (d *decoder) boolean(n *yaml.Node, what string) bool {
	s, n, ok := d.scalar(n, what, "true or false")
	if !ok {
		return false
	}
	if plain(n) && (s == "true" || s == "false") {
		return s == "true"
	}
	near := ""
	switch strings.ToLower(s) {
	case "yes", "on", "y", "true", "1":
		near = "true"
	case "no", "off", "n", "false", "0":
		near = "false"
	}
	d.fail(n, "true or false", near, "%s is %s", what, short(s))
	return false
}

// number reads a finite number of at least least.
func (d *decoder) number(n *yaml.Node, what string, least, most float64) float64 {
	want := "a number of at least " + string(appendNumber(nil, max(least, 0)))
	switch {
	case least < 0:
		want = "a number above " + strconv.FormatFloat(least, 'f', -1, 64)
	case most < math.MaxFloat64:
		want = fmt.Sprintf("a number from %g to %g", least, most)
	}
	s, n, ok := d.scalar(n, what, want)
	if !ok {
		return 0
	}
	v, ok := decimal(s)
	if !ok || !plain(n) || v < least || v > most || least < 0 && v == least {
		d.fail(n, want, "", "%s is %s", what, found(n))
		return 0
	}
	return v
}

// whole reads a whole number of at least least.
func (d *decoder) whole(n *yaml.Node, what string, least, most int64) int64 {
	want := "a whole number of at least " + strconv.FormatInt(least, 10)
	if most < maxReplicas {
		want = fmt.Sprintf("a whole number from %d to %d", least, most)
	}
	s, n, ok := d.scalar(n, what, want)
	if !ok {
		return 0
	}
	v, ok := decimal(s)
	switch {
	case !ok || !plain(n) || v != math.Trunc(v) || v < float64(least):
		d.fail(n, want, "", "%s is %s", what, found(n))
		return 0
	case v > float64(most):
		d.fail(n, fmt.Sprintf("at most %d", most), "", "%s is %s", what, found(n))
		return 0
	}
	return int64(v)
}

// maxCount bounds what is counted, so that sums over an estate stay exact.
const maxCount = 1_000_000_000_000

// maxReplicas bounds the replicas of a component together with those that its
// actions add, so that they fit 32 bits wherever they are counted.
const maxReplicas = 1_000_000_000

// maxSize bounds resources, so that as much for each of many replicas is still a number.
const maxSize = 1e24

// maxCost bounds costs, so that sums over an estate stay finite, and exact to the unit.
const maxCost = 1e15

// found quotes a scalar, and says so when it is a number in quotes.
func found(n *yaml.Node) string {
	if _, ok := decimal(n.Value); ok && !plain(n) {
		return "text (" + short(n.Value) + " in quotes)"
	}
	if _, ok := decimal(n.Value); ok {
		return n.Value
	}
	return short(n.Value)
}

// decimal parses a decimal number, with neither hex nor underscores nor names.
func decimal(s string) (float64, bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '+', c == '-':
		default:
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

func (d *decoder) duration(n *yaml.Node, what string, positive bool) time.Duration {
	s, n, ok := d.scalar(n, what, wantDuration)
	if !ok {
		return 0
	}
	v, err := ParseDuration(s)
	if err == nil {
		if positive && v == 0 {
			d.fail(n, "more than 0s", "", "%s is %s", what, short(s))
		}
		return v
	}
	near := s + "s"
	if _, ok := decimal(s); !ok {
		near = nearestUnit(strings.ReplaceAll(s, " ", ""), []string{"ms", "us", "ns", "d", "h", "m", "s"})
	}
	if _, err := ParseDuration(near); err != nil {
		near = ""
	}
	d.fail(n, wantDuration, near, "%s is %s", what, found(n))
	return 0
}

func (d *decoder) span(n *yaml.Node, what string) Span {
	r := d.real(n)
	if r == nil {
		return Span{}
	}
	if r.Kind != yaml.MappingNode {
		v := d.duration(r, what, false)
		return Span{v, v}
	}
	s := Span{Likely: -1, Worst: -1}
	d.pairs(r, what, func(key string, k, v *yaml.Node) {
		switch key {
		case "likely":
			s.Likely = d.duration(v, what+" likely", false)
		case "worst":
			s.Worst = d.duration(v, what+" worst", false)
		default:
			d.unknownField(k, key, what, []string{"likely", "worst"})
		}
	})
	switch {
	case s.Likely < 0:
		d.fail(r, "{likely: 12m, worst: 45m}", "", "%s has no likely", what)
		return Span{}
	case s.Worst < 0:
		s.Worst = s.Likely
	case s.Worst < s.Likely:
		d.fail(r, "worst to be at least likely", "", "%s is %s at worst but %s likely", what, FormatDuration(s.Worst), FormatDuration(s.Likely))
	}
	return s
}

func (d *decoder) size(n *yaml.Node, what string) float64 {
	s, n, ok := d.scalar(n, what, wantSize)
	if !ok {
		return 0
	}
	v, err := ParseSize(s)
	switch {
	case err == nil && v > maxSize:
		d.fail(n, fmt.Sprintf("at most %g", maxSize), "", "%s is %s", what, found(n))
		return 0
	case err == nil:
		return v
	}
	var valid []string
	for _, u := range sizeUnits() {
		valid = append(valid, u.name)
	}
	// "40T" means decimal units, as "40TB" does.
	slices.SortStableFunc(valid, func(a, b string) int { return strings.Count(a, "i") - strings.Count(b, "i") })
	near := nearestUnit(s, valid)
	if _, err := ParseSize(near); err != nil {
		near = ""
	}
	d.fail(n, wantSize, near, "%s is %s", what, found(n))
	return 0
}

func (d *decoder) date(n *yaml.Node, what string) time.Time {
	s, n, ok := d.scalar(n, what, wantDate)
	if !ok {
		return time.Time{}
	}
	t, ok := parseDate(s)
	if !ok {
		d.fail(n, wantDate, "", "%s is %s", what, short(s))
	}
	return t
}

// choice reads one of a few words.
func (d *decoder) choice(n *yaml.Node, what string, valid []string) string {
	s, n, ok := d.scalar(n, what, orList(valid))
	if !ok {
		return ""
	}
	if !slices.Contains(valid, s) {
		d.fail(n, orList(valid), nearest(s, slices.Values(valid)), "%s is %s", what, short(s))
		return ""
	}
	return s
}

// pairs calls f for each pair of a mapping whose key is text, once a key. Merge
// keys, keys that are no text and keys given twice are errors.
func (d *decoder) pairs(n *yaml.Node, what string, f func(key string, k, v *yaml.Node)) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if d.left < 0 {
			return
		}
		if k.Kind != yaml.ScalarNode || isNull(k) {
			d.fail(k, "text", "", "a key of %s is %s", what, describe(k))
			continue
		}
		if k.Value == "<<" && plain(k) {
			d.fail(k, "the fields written out", "", "merge keys (<<) are not part of the format")
			continue
		}
		twice := false
		for j := 0; j < i && i <= 64; j += 2 {
			twice = twice || n.Content[j].Kind == yaml.ScalarNode && n.Content[j].Value == k.Value
		}
		if twice {
			d.fail(k, "each field once", "", "%s has %s twice", what, short(k.Value))
			continue
		}
		f(k.Value, k, v)
	}
	if len(n.Content) > 64 {
		d.twice(n, what)
	}
}

// twice reports the keys of a long mapping that came more than once.
func (d *decoder) twice(n *yaml.Node, what string) {
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			continue
		}
		if i > 64 && seen[k.Value] {
			d.fail(k, "each field once", "", "%s has %s twice", what, short(k.Value))
		}
		seen[k.Value] = true
	}
}

func (d *decoder) unknownField(k *yaml.Node, key, what string, valid []string) {
	near := nearest(key, slices.Values(valid))
	want := orList(valid)
	d.fail(k, want, near, "%s: unknown field %s", what, short(key))
}

// mapping returns the node when it is a mapping.
func (d *decoder) mapping(n *yaml.Node, what, want string) *yaml.Node {
	n = d.real(n)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, want, "", "%s is %s", what, describe(n))
		return nil
	}
	return n
}

// list returns the items when the node is a list.
func (d *decoder) list(n *yaml.Node, what, want string) []*yaml.Node {
	n = d.real(n)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(n, want, "", "%s is %s", what, describe(n))
		return nil
	}
	return n.Content
}

// resources reads a mapping of amounts by name.
func (d *decoder) resources(n *yaml.Node, what string) Resources {
	m := d.mapping(n, what, "a mapping such as {servers: 1}")
	if m == nil || len(m.Content) == 0 {
		return nil
	}
	out := make(Resources, 0, len(m.Content)/2)
	d.pairs(m, what, func(key string, k, v *yaml.Node) {
		if !validName(key) {
			d.name(k, "resource")
			return
		}
		out = append(out, Amount{key, d.size(v, key)})
	})
	slices.SortFunc(out, func(a, b Amount) int { return strings.Compare(a.Resource, b.Resource) })
	return out
}

// uses reads a mapping of counts by the name of a crew or a limit.
func (d *decoder) uses(n *yaml.Node, what string, kinds kindSet) []Use {
	m := d.mapping(n, what, "a mapping of counts by the name of "+kinds.String())
	if m == nil || len(m.Content) == 0 {
		return nil
	}
	type named struct {
		key   string
		node  *yaml.Node
		count int
	}
	var all []named
	d.pairs(m, what, func(key string, k, v *yaml.Node) {
		all = append(all, named{key, k, int(d.whole(v, key, 0, maxCount))})
	})
	// Indices follow names, so that uses sorted by name stay sorted once resolved.
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.key, b.key) })
	out := make([]Use, len(all))
	for i, u := range all {
		out[i].Count = u.count
		d.links = append(d.links, link{name: u.key, index: &out[i].Index, kinds: kinds, owner: what, pos: d.pos(u.node)})
	}
	return out
}

// refIndex reads a name that must be a document of one of the kinds.
func (d *decoder) refIndex(n *yaml.Node, what string, kinds kindSet, to *int) {
	*to = -1
	s, n, ok := d.scalar(n, what, kinds.String())
	if ok {
		d.links = append(d.links, link{name: s, index: to, kinds: kinds, owner: what, pos: d.pos(n)})
	}
}

// places reads one domain or a list of them.
func (d *decoder) places(n *yaml.Node, what string) []int {
	r := d.real(n)
	if r == nil {
		return nil
	}
	if r.Kind != yaml.SequenceNode {
		out := make([]int, 1)
		d.refIndex(r, what, onlyDomain, &out[0])
		return out
	}
	if len(r.Content) == 0 {
		d.fail(r, "at least one domain, or no such field", "", "%s is an empty list", what)
		return nil
	}
	out := make([]int, len(r.Content))
	seen := make(map[string]bool, len(out))
	for i, c := range r.Content {
		if v := d.real(c); v != nil && v.Kind == yaml.ScalarNode && seen[v.Value] {
			d.fail(v, "each domain once", "", "%s names %s twice", what, short(v.Value))
			continue
		} else if v != nil {
			seen[v.Value] = true
		}
		d.refIndex(c, what, onlyDomain, &out[i])
	}
	return out
}

const wantNeed = "a name, a list, {anyOf: […]} or {atLeast: k, of: […]}"

// need reads a need expression of what may name the given kinds.
func (d *decoder) need(n *yaml.Node, what string, kinds kindSet) Need {
	r := d.real(n)
	if r == nil {
		return Need{}
	}
	if r.Kind == yaml.SequenceNode && len(r.Content) == 0 {
		return Need{Pos: d.pos(r)}
	}
	if isNull(r) {
		d.fail(r, wantNeed+", or no such field", "", "%s is nothing", what)
		return Need{}
	}
	return d.needAt(r, what, kinds, 0)
}

func (d *decoder) needAt(n *yaml.Node, what string, kinds kindSet, depth int) Need {
	n = d.real(n)
	if n == nil {
		return Need{}
	}
	if depth > maxDepth {
		d.fail(n, fmt.Sprintf("at most %d levels", maxDepth), "", "%s nests too deep", what)
		d.left = -2 // a self-containing alias would repeat this for ever
		return Need{}
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if isNull(n) {
			d.fail(n, wantNeed, "", "%s has an item that is empty", what)
			return Need{}
		}
		ref := &Ref{Name: n.Value, Index: -1}
		d.links = append(d.links, link{name: n.Value, ref: ref, kinds: kinds, owner: what, pos: d.pos(n)})
		return Need{Ref: ref, Pos: d.pos(n)}
	case yaml.SequenceNode:
		if len(n.Content) == 0 {
			d.fail(n, "at least one name", "", "%s has an empty list inside", what)
			return Need{}
		}
		return d.gate(n, n.Content, GateList, len(n.Content), what, kinds, depth)
	case yaml.MappingNode:
		return d.needMapping(n, what, kinds, depth)
	case yaml.AliasNode, yaml.DocumentNode:
	}
	d.fail(n, wantNeed, "", "%s is %s", what, describe(n))
	return Need{}
}

func (d *decoder) needMapping(n *yaml.Node, what string, kinds kindSet, depth int) Need {
	var anyOf, atLeast, of *yaml.Node
	bad := false
	d.pairs(n, what, func(key string, k, v *yaml.Node) {
		switch key {
		case "anyOf":
			anyOf = v
		case "atLeast":
			atLeast = v
		case "of":
			of = v
		default:
			d.unknownField(k, key, what, []string{"anyOf", "atLeast", "of"})
			bad = true
		}
	})
	if d.left < 0 {
		return Need{}
	}
	switch {
	case bad:
		return Need{}
	case anyOf != nil && atLeast == nil && of == nil:
		items := d.list(anyOf, what+" anyOf", "a list of names")
		if r := d.real(anyOf); r != nil && r.Kind == yaml.SequenceNode && len(items) == 0 {
			d.fail(r, "at least one name", "", "%s cannot be met: anyOf has nothing to choose from", what)
		}
		if len(items) == 0 {
			return Need{}
		}
		return d.gate(n, items, GateAny, 1, what, kinds, depth)
	case anyOf == nil && atLeast != nil && of != nil:
		k := int(d.whole(atLeast, what+" atLeast", 1, maxCount))
		items := d.list(of, what+" of", "a list of names")
		if k > len(items) && items != nil {
			d.fail(d.real(atLeast), fmt.Sprintf("at most %d", len(items)), "", "%s cannot be met: atLeast is %d of %d", what, k, len(items))
		}
		if r := d.real(of); r != nil && r.Kind == yaml.SequenceNode && len(items) == 0 {
			d.fail(r, "at least one name", "", "%s cannot be met: of has nothing to choose from", what)
		}
		if len(items) == 0 {
			return Need{}
		}
		return d.gate(n, items, GateAtLeast, k, what, kinds, depth)
	}
	d.fail(n, "either {anyOf: […]} or {atLeast: k, of: […]}", "", "%s has an incomplete or mixed condition", what)
	return Need{}
}

func (d *decoder) gate(n *yaml.Node, items []*yaml.Node, g Gate, k int, what string, kinds kindSet, depth int) Need {
	if g == GateList && len(items) == 1 {
		return d.needAt(items[0], what, kinds, depth+1) // a list of one is that one
	}
	out := Need{K: k, Of: make([]Need, 0, len(items)), Gate: g, Pos: d.pos(n)}
	for _, c := range items {
		if d.left < 0 {
			break
		}
		out.Of = append(out.Of, d.needAt(c, what, kinds, depth+1))
	}
	return out
}

// args reads the arguments of a driver as plain Go values.
func (d *decoder) args(n *yaml.Node, what string, depth int) any {
	n = d.real(n)
	if n == nil {
		return nil
	}
	if depth > maxDepth {
		d.fail(n, fmt.Sprintf("at most %d levels", maxDepth), "", "%s nests too deep", what)
		d.left = -2
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		d.pairs(n, what, func(key string, _, v *yaml.Node) { out[key] = d.args(v, what, depth+1) })
		return out
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			if d.left < 0 {
				break
			}
			out = append(out, d.args(c, what, depth+1))
		}
		return out
	case yaml.ScalarNode:
		return d.value(n, what)
	case yaml.AliasNode, yaml.DocumentNode:
	}
	return nil
}

// value reads a scalar as YAML 1.2 does: null, true and false, decimal numbers,
// and everything else as text.
func (d *decoder) value(n *yaml.Node, what string) any {
	switch {
	case !plain(n):
		return n.Value
	case isNull(n):
		return nil
	case n.Value == "true" || n.Value == "false":
		return n.Value == "true"
	}
	if c := n.Value[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return n.Value
	}
	if i, err := strconv.Atoi(n.Value); err == nil {
		return i
	}
	if v, ok := decimal(n.Value); ok {
		return v
	}
	if strings.EqualFold(strings.TrimLeft(n.Value, "+-"), ".inf") || strings.EqualFold(n.Value, ".nan") {
		d.fail(n, "a finite number", "", "%s has %s", what, n.Value)
	}
	return n.Value
}
