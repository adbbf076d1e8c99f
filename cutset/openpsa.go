package cutset

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"bongsu/estate"
)

// What a model may not exceed. Formulas nest far less than that in practice.
const (
	maxModelBytes = 256 << 20
	maxNesting    = 500
)

// A ModelError says what is wrong with an Open-PSA model, and where.
type ModelError struct {
	File string // if the reader has a name
	Line int
	What string
	err  error // behind it, if any
}

// Error gives the place first.
func (e *ModelError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.What)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What)
}

// Unwrap marks the error as bad input, beside what is behind it.
func (e *ModelError) Unwrap() []error {
	if e.err == nil {
		return []error{ErrInput}
	}
	return []error{ErrInput, e.err}
}

// ReadOpenPSA reads a coherent fault tree in the Open-PSA Model Exchange Format
// (S. Epstein, A. Rauzy, "Open-PSA Model Exchange Format", 2.0d, 2008, part III). Gates
// of and, or and atleast over references and nested formulas are read, and basic
// events with a constant probability; labels, attributes and other expressions are
// passed over. The top is the gate that no other gate uses. A gate that makes the tree non-coherent is
// refused by name, and so is everything that would need a document type or more than static fault trees.
func ReadOpenPSA(r io.Reader) (Tree, error) { return ReadOpenPSATop("", r) }

// ErrLarge is wrapped by the error about a file that is refused by its size.
var ErrLarge = errors.New("too large")

// ErrUndefined is wrapped by errors about what none of the files that were given defines.
var ErrUndefined = errors.New("not defined")

// ReadOpenPSATop reads a model that is spread over several files, each of which may use what
// another one defines, and takes the named gate as the top; "" stands for the only gate that
// no other uses. Errors name the file of a reader with a Name.
func ReadOpenPSATop(top string, files ...io.Reader) (Tree, error) {
	m := newModel(maxModelBytes)
	for _, r := range files {
		if err := m.read(r); err != nil {
			return Tree{}, err
		}
	}
	return m.tree(top)
}

type place struct {
	file string
	line int
}

func (p place) errorf(format string, args ...any) error {
	return &ModelError{File: p.file, Line: p.line, What: fmt.Sprintf(format, args...)}
}

// undefined is errorf for what no file defines.
func (p place) undefined(format string, args ...any) error {
	return &ModelError{File: p.file, Line: p.line, What: fmt.Sprintf(format, args...), err: ErrUndefined}
}

// seenFrom says where p is to a reader who is at another place.
func (p place) seenFrom(o place) string {
	if p.file == o.file {
		return fmt.Sprintf("in line %d", p.line)
	}
	return fmt.Sprintf("in %s:%d", p.file, p.line)
}

// A formula is a reference (op "") or an operator over formulas.
type formula struct {
	op    string // and, or, atleast, constant; or gate, basic-event, house-event, event
	name  string
	k     int
	value bool
	args  []formula
	at    place
}

type gateDef struct {
	name  string
	at    place
	f     formula
	index int
}

type model struct {
	limit   int64 // on the bytes of one file
	tree0   Tree
	gates   map[string]*gateDef
	order   []*gateDef
	leaves  map[string]int
	houses  map[string]bool
	defined map[string]place
	strict  bool // basic events are defined, so that those in use must be
	count   int

	file  string
	x     *xml.Decoder
	depth int
}

func newModel(limit int64) *model {
	return &model{
		limit: limit,
		gates: map[string]*gateDef{}, leaves: map[string]int{}, houses: map[string]bool{}, defined: map[string]place{},
	}
}

func (m *model) here() place {
	line, _ := m.x.InputPos()
	return place{m.file, line}
}

// capped fails loudly where an io.LimitReader would end quietly.
type capped struct {
	r           io.Reader
	limit, left int64
}

// Read reads one byte more than the limit at most, and none of it after that.
func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	if c.left -= int64(n); c.left <= 0 {
		return 0, refusal(fmt.Sprintf("the file is larger than %d MiB", c.limit>>20))
	}
	return n, err
}

func (m *model) read(r io.Reader) error {
	m.file = ""
	if f, ok := r.(interface{ Name() string }); ok {
		m.file = f.Name()
	}
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok { // a pipe has no size, and is counted
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > m.limit {
			return &ModelError{File: m.file, Line: 1, What: fmt.Sprintf("the file has %d MiB and is not read; at most %d MiB are", info.Size()>>20, m.limit>>20), err: ErrLarge}
		}
	}
	m.x = xml.NewDecoder(&capped{r, m.limit, m.limit + 1})
	m.x.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii") {
			return input, nil
		}
		return nil, refusal(fmt.Sprintf("the encoding %q is not read; convert the file to UTF-8", charset))
	}
	seen := false
	for {
		t, err := m.token()
		if errors.Is(err, io.EOF) {
			if !seen {
				return m.here().errorf("no opsa-mef element; this is not an Open-PSA model")
			}
			return nil
		}
		if err != nil {
			return err
		}
		s, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if seen || s.Name.Local != "opsa-mef" {
			return m.here().errorf("element %q where the only opsa-mef element belongs", s.Name.Local)
		}
		seen = true
		if err := m.children(s, m.definition); err != nil {
			return err
		}
	}
}

// token returns the next start or end tag. Text other than white space has no place in a model.
func (m *model) token() (xml.Token, error) {
	for {
		t, err := m.x.Token()
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return nil, err
		case errors.As(err, &syntax):
			return nil, place{m.file, syntax.Line}.errorf("not well-formed XML: %s", syntax.Msg)
		case err != nil:
			return nil, m.unread(err)
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, m.here().errorf("a document type or entity declaration; they are refused, as a model must be complete in itself")
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, m.here().errorf("processing instruction %q; they are refused", t.Target)
			}
		case xml.CharData:
			if s := strings.TrimSpace(string(t)); s != "" {
				return nil, m.here().errorf("unexpected text %q", abbreviate(s))
			}
		case xml.StartElement, xml.EndElement:
			return t, nil
		}
	}
}

// A refusal is why no more of a file is read.
type refusal string

// Error is the reason.
func (r refusal) Error() string { return string(r) }

// unread says why a file cannot be read any further: bad input has a place in it.
func (m *model) unread(err error) error {
	if r, ok := errors.AsType[refusal](err); ok {
		return m.here().errorf("%s", r)
	}
	return fmt.Errorf("read the model: %w", err)
}

func abbreviate(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// children calls f for each child element of s; f reads it to its end.
func (m *model) children(s xml.StartElement, f func(xml.StartElement) error) error {
	if m.depth++; m.depth > maxNesting {
		return m.here().errorf("elements nest more than %d deep", maxNesting)
	}
	defer func() { m.depth-- }()
	for {
		t, err := m.token()
		if errors.Is(err, io.EOF) {
			return m.here().errorf("the file ends inside of element %q", s.Name.Local)
		}
		if err != nil {
			return err
		}
		c, ok := t.(xml.StartElement)
		if !ok {
			return nil
		}
		if m.count++; m.count > 8*maxNodes {
			return m.here().errorf("more than %d elements", 8*maxNodes)
		}
		if err := f(c); err != nil {
			return err
		}
	}
}

// skip passes over an element and all in it, text included, but no deeper than children goes.
func (m *model) skip(s xml.StartElement) error {
	depth := 1
	for depth > 0 {
		t, err := m.x.Token()
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return m.here().errorf("the file ends inside of element %q", s.Name.Local)
		case errors.As(err, &syntax):
			return place{m.file, syntax.Line}.errorf("not well-formed XML: %s", syntax.Msg)
		case err != nil:
			return m.unread(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local == "include" {
				return m.refuse(t)
			}
			if depth++; depth+m.depth > maxNesting {
				return m.here().errorf("elements nest more than %d deep", maxNesting)
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return m.here().errorf("a document type or entity declaration; they are refused, as a model must be complete in itself")
		}
	}
	return nil
}

func (m *model) refuse(s xml.StartElement) error {
	if s.Name.Local == "include" {
		return m.here().errorf("an include of another file; it is refused, give each file of the model by itself instead")
	}
	return m.here().errorf("element %q is not part of a static fault tree and is not read", abbreviate(s.Name.Local))
}

func attr(s xml.StartElement, name string) string {
	for _, a := range s.Attr {
		if a.Name.Local == name {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

func (m *model) definition(s xml.StartElement) error {
	switch s.Name.Local {
	case "define-fault-tree":
		if m.tree0.Name == "" {
			m.tree0.Name = attr(s, "name")
		}
		return m.children(s, m.definition)
	case "define-component", "model-data":
		if attr(s, "role") == "private" {
			return m.here().errorf("%s %q is private; names with a scope are not read, make them public", s.Name.Local, attr(s, "name"))
		}
		return m.children(s, m.definition)
	case "define-gate":
		return m.defineGate(s)
	case "define-basic-event":
		return m.defineLeaf(s)
	case "define-house-event":
		return m.defineHouse(s)
	case "label", "attributes", "define-parameter":
		return m.skip(s)
	}
	return m.refuse(s)
}

// define checks and takes the name of a definition.
func (m *model) define(s xml.StartElement) (string, error) {
	name := attr(s, "name")
	if name == "" {
		return "", m.here().errorf("a %s without a name", s.Name.Local)
	}
	if attr(s, "role") == "private" {
		return "", m.here().errorf("%q is private; names with a scope are not read, make it public", name)
	}
	if p, twice := m.defined[name]; twice {
		return "", m.here().errorf("%q is defined twice; it was defined first %s", name, p.seenFrom(m.here()))
	}
	m.defined[name] = m.here()
	return name, nil
}

func (m *model) defineGate(s xml.StartElement) error {
	name, err := m.define(s)
	if err != nil {
		return err
	}
	d := &gateDef{name: name, at: m.here(), index: len(m.order)}
	have := false
	err = m.children(s, func(c xml.StartElement) error {
		if c.Name.Local == "label" || c.Name.Local == "attributes" {
			return m.skip(c)
		}
		if have {
			return m.here().errorf("gate %q has more than one formula", name)
		}
		have = true
		f, err := m.formula(c, name)
		d.f = f
		return err
	})
	if err == nil && !have {
		err = d.at.errorf("gate %q has no formula", name)
	}
	m.gates[name] = d
	m.order = append(m.order, d)
	return err
}

func (m *model) formula(s xml.StartElement, gate string) (formula, error) {
	f := formula{op: s.Name.Local, at: m.here()}
	switch f.op {
	case "gate", "basic-event", "house-event", "event":
		if f.name = attr(s, "name"); f.name == "" {
			return f, f.at.errorf("in gate %q, a reference to a %s without a name", gate, f.op)
		}
		if t := attr(s, "type"); f.op == "event" && t != "" {
			if t != "gate" && t != "basic-event" && t != "house-event" {
				return f, f.at.errorf("in gate %q, event %q has the unknown type %q", gate, f.name, t)
			}
			f.op = t
		}
		return f, m.skip(s)
	case "constant":
		v, err := m.boolean(s)
		f.value = v
		return f, err
	case "atleast":
		k, err := strconv.Atoi(attr(s, "min"))
		if err != nil || k < 1 {
			return f, f.at.errorf("in gate %q, atleast has min %q; a whole number of at least 1 was expected", gate, attr(s, "min"))
		}
		f.k = k
	case "and", "or":
	case "not", "xor", "nand", "nor", "iff", "imply", "cardinality":
		return f, f.at.errorf("gate %q is not coherent: it uses %q; only and, or and atleast are handled", gate, f.op)
	default:
		return f, f.at.errorf("gate %q uses the unknown kind of gate %q; only and, or and atleast are handled", gate, abbreviate(f.op))
	}
	err := m.children(s, func(c xml.StartElement) error {
		a, err := m.formula(c, gate)
		f.args = append(f.args, a)
		return err
	})
	switch {
	case err != nil:
		return f, err
	case len(f.args) == 0:
		return f, f.at.errorf("in gate %q, %s has no arguments", gate, f.op)
	case f.k > len(f.args):
		return f, f.at.errorf("in gate %q, atleast asks for %d of %d arguments", gate, f.k, len(f.args))
	}
	if f.op == "atleast" {
		seen := map[string]bool{}
		for _, a := range f.args {
			if a.name != "" && seen[a.name] {
				return f, a.at.errorf("in gate %q, atleast names %q twice", gate, a.name)
			}
			seen[a.name] = true
		}
	}
	return f, nil
}

func (m *model) boolean(s xml.StartElement) (bool, error) {
	at := m.here()
	switch v := attr(s, "value"); v {
	case "true", "1":
		return true, m.skip(s)
	case "false", "0":
		return false, m.skip(s)
	default:
		return false, at.errorf("a constant with value %q; true or false was expected", v)
	}
}

func (m *model) defineLeaf(s xml.StartElement) error {
	name, err := m.define(s)
	if err != nil {
		return err
	}
	i := m.leaf(name)
	return m.children(s, func(c xml.StartElement) error {
		if c.Name.Local != "float" && c.Name.Local != "int" {
			return m.skip(c) // a label, attributes, or an expression that is no constant
		}
		p, err := strconv.ParseFloat(attr(c, "value"), 64)
		if err != nil || !(p >= 0 && p <= 1) {
			return m.here().errorf("basic event %q has probability %q; a number from 0 to 1 was expected", name, abbreviate(attr(c, "value")))
		}
		m.tree0.Leaves[i].Probability = &p
		return m.skip(c)
	})
}

func (m *model) leaf(name string) int {
	i, ok := m.leaves[name]
	if !ok {
		i = len(m.tree0.Leaves)
		m.tree0.AddLeaf(Leaf{Name: name, Cost: 1})
		m.leaves[name] = i
	}
	return i
}

func (m *model) defineHouse(s xml.StartElement) error {
	name, err := m.define(s)
	if err != nil {
		return err
	}
	m.houses[name] = false
	return m.children(s, func(c xml.StartElement) error {
		if c.Name.Local != "constant" {
			return m.skip(c)
		}
		v, err := m.boolean(c)
		m.houses[name] = v
		return err
	})
}

// tree puts the definitions together.
func (m *model) tree(top string) (Tree, error) {
	t := &m.tree0
	if len(m.order) == 0 {
		return Tree{}, m.here().undefined("the model ends here and defines no gate")
	}
	m.strict = len(m.leaves) > 0
	t.Gates = make([]Gate, len(m.order))
	used := make([]bool, len(m.order))
	for i, d := range m.order {
		f := d.f
		if f.op != "and" && f.op != "or" && f.op != "atleast" {
			f = formula{op: "or", args: []formula{f}, at: f.at}
		}
		g, err := m.gate(d.name, d.name, f, used)
		if err != nil {
			return Tree{}, err
		}
		t.Gates[i] = g
	}
	if err := t.Check(); err != nil {
		if c, ok := errors.AsType[*CycleError](err); ok {
			at := m.gates[m.owner(c.Gates[0])].at
			return Tree{}, &ModelError{File: at.file, Line: at.line, What: c.Error(), err: c}
		}
		return Tree{}, err
	}
	i, err := m.root(top, used)
	if err != nil {
		return Tree{}, err
	}
	t.Top = GateRef(i)
	return *t, nil
}

// owner is the defined gate that a nested formula, which got a name of its own, belongs to.
func (m *model) owner(name string) string {
	for m.gates[name] == nil {
		name = name[:strings.LastIndexByte(name, '-')]
	}
	return name
}

func (m *model) root(top string, used []bool) (int, error) {
	if top != "" {
		d, ok := m.gates[top]
		if !ok {
			near := estate.Nearest(top, slices.Sorted(maps.Keys(m.gates)))
			if near != "" {
				near = fmt.Sprintf("; did you mean %q?", near)
			}
			return 0, m.here().errorf("the model ends here and has no gate %q to take as the top%s", top, near)
		}
		return d.index, nil
	}
	var roots []string
	for i, d := range m.order {
		if !used[i] {
			roots = append(roots, d.name)
		}
	}
	if len(roots) > 1 {
		more := ""
		if len(roots) > 5 {
			more = fmt.Sprintf(" and %d more", len(roots)-5)
		}
		return 0, m.gates[roots[0]].at.errorf("the model has %d gates that no gate uses (%s%s); say which one is the top", len(roots), strings.Join(roots[:min(5, len(roots))], ", "), more)
	}
	return m.gates[roots[0]].index, nil
}

func (m *model) gate(owner, name string, f formula, used []bool) (Gate, error) {
	g := Gate{Name: name}
	switch f.op {
	case "and":
		g.Op = And
	case "atleast":
		g.Op, g.K = AtLeast, f.k
	}
	for i, a := range f.args {
		r, err := m.ref(owner, name, i, a, used)
		if err != nil {
			return g, err
		}
		g.In = append(g.In, r)
	}
	return g, nil
}

func (m *model) ref(owner, name string, i int, f formula, used []bool) (Ref, error) {
	d, isGate := m.gates[f.name]
	_, isHouse := m.houses[f.name]
	leaf := m.leaves[f.name]
	switch f.op {
	case "constant":
		return constant(f.value), nil
	case "gate":
		if !isGate {
			return 0, f.at.undefined("gate %q uses gate %q, which is not defined", owner, f.name)
		}
	case "house-event":
		if !isHouse {
			return 0, f.at.undefined("gate %q uses house event %q, which is not defined", owner, f.name)
		}
	case "basic-event":
		if isGate || isHouse {
			return 0, f.at.errorf("gate %q uses %q as a basic event, but it is defined as something else %s", owner, f.name, m.defined[f.name].seenFrom(f.at))
		}
		if _, known := m.leaves[f.name]; m.strict && !known {
			near := estate.Nearest(f.name, slices.Sorted(maps.Keys(m.leaves)))
			if near != "" {
				near = fmt.Sprintf("; did you mean %q?", near)
			}
			return 0, f.at.undefined("gate %q uses basic event %q, which is not defined, though others are%s", owner, f.name, near)
		}
		return LeafRef(m.leaf(f.name)), nil
	case "event":
		if _, defined := m.defined[f.name]; !defined {
			return 0, f.at.undefined("gate %q uses event %q, which is not defined", owner, f.name)
		}
	default:
		for i++; ; i++ {
			inner := fmt.Sprintf("%s-%d", name, i)
			if _, taken := m.defined[inner]; taken {
				continue
			}
			m.defined[inner] = f.at
			g, err := m.gate(owner, inner, f, used)
			if err != nil {
				return 0, err
			}
			return m.tree0.AddGate(g), nil
		}
	}
	switch {
	case isGate:
		used[d.index] = true
		return GateRef(d.index), nil
	case isHouse:
		return constant(m.houses[f.name]), nil
	}
	return LeafRef(leaf), nil
}

func constant(v bool) Ref {
	if v {
		return True
	}
	return False
}

// WriteOpenPSA writes a tree without cycles as an Open-PSA model that
// [ReadOpenPSA] reads back with the same minimal cut sets. The format has no costs, and no weights: a
// weighted gate becomes gates that choose input by input, which can be many.
func WriteOpenPSA(w io.Writer, t Tree) error {
	if t.Cyclic {
		t.Cyclic = false // the format has no cycles, whatever the tree allows
	}
	if err := t.Check(); err != nil {
		return err
	}
	// The first pass only finds the gates that are referred to: any other would be a top of its own.
	p := newPrinter(io.Discard, &t, make([]bool, len(t.Gates)))
	p.top()
	for len(p.met) > 0 {
		i := p.met[0]
		p.met = p.met[1:]
		p.define(p.gate[i], t.Gates[i])
	}
	p = newPrinter(w, &t, p.used)
	return p.print()
}

func newPrinter(w io.Writer, t *Tree, used []bool) *printer {
	p := &printer{
		w: w, t: t, used: used, taken: map[string]bool{},
		leaf: make([]string, len(t.Leaves)), gate: make([]string, len(t.Gates)),
	}
	for i := range t.Leaves {
		p.leaf[i] = p.name(t.Leaves[i].Name, "leaf", i)
	}
	for i := range t.Gates {
		p.gate[i] = p.name(t.Gates[i].Name, "gate", i)
	}
	return p
}

type printer struct {
	w     io.Writer
	t     *Tree
	err   error
	taken map[string]bool
	leaf  []string
	gate  []string
	more  int
	met   []int // gates in the order they were referred to
	used  []bool
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// name makes an identifier of a name, and makes it unique, as two leaves of an estate may differ in kind alone.
func (p *printer) name(wish, kind string, i int) string {
	if wish == "" {
		wish = fmt.Sprintf("%s-%d", kind, i+1)
	}
	wish = identifier(wish)
	if wish == "" {
		wish = fmt.Sprintf("%s-%d", kind, i+1)
	}
	name := wish
	for n := 2; p.taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", wish, n)
	}
	p.taken[name] = true
	return name
}

// identifier writes a name as the format's schema wants it, and SCRAM with it: words of letters, digits
// and underscores, joined by single hyphens, with a letter or underscore in front.
func identifier(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && (r > unicode.MaxASCII || !unicode.IsDigit(r))
	})
	id := strings.Join(words, "-")
	if id != "" && id[0] >= '0' && id[0] <= '9' {
		id = "_" + id
	}
	return id
}

// label tells the name of a leaf that is no identifier.
func (p *printer) label(leaf int) string {
	name := strings.Join(strings.Fields(p.t.Leaves[leaf].Name), " ")
	if name == "" || name == p.leaf[leaf] {
		return ""
	}
	return "<label>" + quote(name) + "</label>"
}

func quote(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}

// top defines the top first, under a name of its own if it is no gate.
func (p *printer) top() {
	if i, ok := p.t.Top.Gate(); ok {
		p.define(p.gate[i], p.t.Gates[i])
		return
	}
	p.define(p.name("top", "top", 0), Gate{Op: Or, In: []Ref{p.t.Top}})
}

func (p *printer) print() error {
	t := p.t
	title := identifier(t.Name)
	if title == "" {
		title = "tree"
	}
	p.printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opsa-mef>\n<define-fault-tree name=\"%s\">\n", title)
	p.top()
	for i := range t.Gates {
		if p.used[i] && GateRef(i) != t.Top {
			p.define(p.gate[i], t.Gates[i])
		}
	}
	p.printf("</define-fault-tree>\n<model-data>\n")
	for i := range t.Leaves {
		if pr := t.Leaves[i].Probability; pr != nil {
			p.printf("<define-basic-event name=\"%s\">%s<float value=\"%s\"/></define-basic-event>\n", p.leaf[i], p.label(i), strconv.FormatFloat(*pr, 'g', -1, 64))
		} else if label := p.label(i); label != "" {
			p.printf("<define-basic-event name=\"%s\">%s</define-basic-event>\n", p.leaf[i], label)
		} else {
			p.printf("<define-basic-event name=\"%s\"/>\n", p.leaf[i])
		}
	}
	p.printf("</model-data>\n</opsa-mef>\n")
	return p.err
}

func (p *printer) define(name string, g Gate) {
	in, weight, k := g.merged()
	if k > 0 && slices.ContainsFunc(weight, func(w int) bool { return w != 1 }) {
		p.weighted(name, in, weight, k)
		return
	}
	switch {
	case g.Op == AtLeast && k <= 0:
		p.formula(name, "or", []Ref{True})
	case g.Op == AtLeast && k > len(in):
		p.formula(name, "or", []Ref{False})
	case len(in) == 0:
		p.formula(name, "or", []Ref{constant(g.Op == And)})
	case g.Op == And || g.Op == AtLeast && k == len(in):
		p.formula(name, "and", in)
	case g.Op == Or || k == 1:
		p.formula(name, "or", in)
	default:
		p.formula(name, fmt.Sprintf("atleast min=\"%d\"", k), in)
	}
}

// merged returns the inputs without repeats, and for a threshold their weights.
func (g *Gate) merged() (in []Ref, weight []int, k int) {
	at := map[Ref]int{}
	k = g.K
	for i, r := range g.In {
		w := 1
		if g.Op == AtLeast && g.Weights != nil {
			w = g.Weights[i]
		}
		switch j, again := at[r]; {
		case g.Op == AtLeast && r == True:
			k -= w
		case g.Op == AtLeast && (r == False || w == 0):
		case again:
			weight[j] += w
		default:
			at[r] = len(in)
			in, weight = append(in, r), append(weight, w)
		}
	}
	if g.Op != AtLeast {
		return in, nil, 0
	}
	return in, weight, k
}

// weighted writes "a weight of at least k from input i on" as: input i and the
// rest of k from those after it, or k from those after it.
func (p *printer) weighted(name string, in []Ref, weight []int, k int) {
	rest := make([]int, len(in)+1)
	for i := len(in) - 1; i >= 0; i-- {
		rest[i] = rest[i+1] + weight[i]
	}
	type goal struct{ i, k int }
	names := map[goal]string{{0, k}: name}
	todo := []goal{{0, k}}
	term := func(g goal) string {
		switch {
		case g.k <= 0:
			return `<constant value="true"/>`
		case rest[g.i] < g.k:
			return `<constant value="false"/>`
		}
		n, ok := names[g]
		if !ok {
			p.more++
			n = p.name(fmt.Sprintf("weighted-%d", p.more), "gate", 0)
			names[g] = n
			todo = append(todo, g)
		}
		return fmt.Sprintf("<gate name=\"%s\"/>", n)
	}
	for len(todo) > 0 {
		g := todo[0]
		todo = todo[1:]
		if rest[g.i] < g.k {
			p.printf("<define-gate name=\"%s\"><constant value=\"false\"/></define-gate>\n", names[g])
			continue
		}
		with := term(goal{g.i + 1, g.k - weight[g.i]})
		without := term(goal{g.i + 1, g.k})
		p.printf("<define-gate name=\"%s\"><or><and>%s%s</and>%s</or></define-gate>\n", names[g], p.term(in[g.i]), with, without)
	}
}

func (p *printer) term(r Ref) string {
	if i, ok := r.Leaf(); ok {
		return fmt.Sprintf("<basic-event name=\"%s\"/>", p.leaf[i])
	}
	if i, ok := r.Gate(); ok {
		if !p.used[i] {
			p.used[i] = true
			p.met = append(p.met, i)
		}
		return fmt.Sprintf("<gate name=\"%s\"/>", p.gate[i])
	}
	return fmt.Sprintf("<constant value=\"%t\"/>", r == True)
}

func (p *printer) formula(name, op string, in []Ref) {
	p.printf("<define-gate name=\"%s\">", name)
	if len(in) == 1 {
		p.printf("%s</define-gate>\n", p.term(in[0]))
		return
	}
	p.printf("<%s>", op)
	for _, r := range in {
		p.printf("%s", p.term(r))
	}
	p.printf("</%s></define-gate>\n", strings.Fields(op)[0])
}
