package estate

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Encode returns the canonical form of the snapshot: a stream of YAML documents
// by kind and name that loads back to an equal snapshot. Equal content gives
// equal bytes, whatever files, order and comments it came from.
func (s *Snapshot) Encode() []byte {
	text := s.encode(newFormat())
	return bytes.Join(slices.Concat(text[:]...), []byte(separator))
}

// separator stands between the documents of a canonical form.
const separator = "---\n"

// encode returns the canonical form of each document, written on all processors.
func (s *Snapshot) encode(f *format) (text [kinds][][]byte) {
	const most = 1000 // documents that one goroutine takes at a time
	type run struct {
		kind     Kind
		from, to int
	}
	var runs []run
	for _, k := range Kinds() {
		text[k] = make([][]byte, s.Count(k))
		for from := 0; from < s.Count(k); from += most {
			runs = append(runs, run{k, from, min(from+most, s.Count(k))})
		}
	}
	parallel(len(runs), func(i int) {
		r := runs[i]
		e := &encoder{s: s, b: make([]byte, 0, 256*(r.to-r.from))}
		ends := make([]int, 0, r.to-r.from)
		for j := r.from; j < r.to; j++ {
			e.document(f, r.kind, j)
			ends = append(ends, len(e.b))
		}
		start := 0
		for j, end := range ends {
			text[r.kind][r.from+j] = e.b[start:end:end]
			start = end
		}
	})
	return text
}

// EncodeDoc returns the canonical form of one document.
func (s *Snapshot) EncodeDoc(r Ref) []byte {
	e := &encoder{s: s}
	e.document(newFormat(), r.Kind, r.Index)
	return e.b
}

// Count returns how many documents of a kind there are.
func (s *Snapshot) Count(k Kind) int {
	switch k {
	case KindDomain:
		return len(s.Domains)
	case KindComponent:
		return len(s.Components)
	case KindService:
		return len(s.Services)
	case KindCrew:
		return len(s.Crews)
	case KindLimit:
		return len(s.Limits)
	case KindProbe:
		return len(s.Probes)
	case KindOption:
		return len(s.Options)
	case kinds:
	}
	return 0
}

// Doc returns what every document has of the one that r names.
func (s *Snapshot) Doc(r Ref) *Doc {
	switch r.Kind {
	case KindDomain:
		return &s.Domains[r.Index].Doc
	case KindComponent:
		return &s.Components[r.Index].Doc
	case KindService:
		return &s.Services[r.Index].Doc
	case KindCrew:
		return &s.Crews[r.Index].Doc
	case KindLimit:
		return &s.Limits[r.Index].Doc
	case KindProbe:
		return &s.Probes[r.Index].Doc
	case KindOption:
		return &s.Options[r.Index].Doc
	case kinds:
	}
	return &Doc{}
}

// A mark is the state of the hash before a document of the canonical form.
type mark struct {
	kind  Kind
	index int
	state []byte
}

// markEvery is how many documents lie between two marks.
const markEvery = 4096

// revise names the content that the canonical form says. The hash goes on from
// the marks of an older snapshot that has the same text up to the given document;
// without one it begins anew.
func (s *Snapshot) revise(old *Snapshot, kind Kind, index int) {
	var (
		h     = sha256.New()
		b     = make([]byte, 0, 64<<10)
		start mark
	)
	if old != nil {
		for _, m := range old.marks {
			if m.kind > kind || m.kind == kind && m.index > index || m.index >= len(s.text[m.kind]) {
				break // what is not the same, or a kind that has no documents any more
			}
			s.marks, start = append(s.marks, m), m
		}
	}
	if start.state != nil {
		u, ok := h.(encoding.BinaryUnmarshaler)
		if !ok || u.UnmarshalBinary(start.state) != nil {
			panic("unreachable: the state is one that this hash gave")
		}
	}
	for k := start.kind; k < kinds; k++ {
		from := 0
		if k == start.kind {
			from = start.index
		}
		for i := from; i < len(s.text[k]); i++ {
			if i%markEvery == 0 && (k > start.kind || i > start.index) {
				h.Write(b)
				b = b[:0]
				s.marks = append(s.marks, mark{k, i, stateOf(h)})
			}
			doc := s.text[k][i]
			if len(b)+len(separator)+len(doc) > cap(b) {
				h.Write(b)
				b = b[:0]
			}
			if !s.first(k, i) {
				b = append(b, separator...)
			}
			b = append(b, doc...)
		}
	}
	h.Write(b)
	s.Rev = "sha256:" + hex.EncodeToString(h.Sum(nil))[:16]
}

// stateOf returns the state of a hash.
func stateOf(h hash.Hash) []byte {
	m, ok := h.(encoding.BinaryMarshaler)
	if ok {
		if state, err := m.MarshalBinary(); err == nil {
			return state
		}
	}
	panic("unreachable: SHA-256 can always say its state")
}

// first reports whether a document is the first of the canonical form.
func (s *Snapshot) first(k Kind, i int) bool {
	if i > 0 {
		return false
	}
	for o := range k {
		if len(s.text[o]) > 0 {
			return false
		}
	}
	return true
}

// An encoder appends canonical YAML: a field a line, what is inside a field in
// flow style, lists of mappings an item a line.
type encoder struct {
	s    *Snapshot
	also *Snapshot // a name that this one has of another kind is written with its kind as well; may be nil
	b    []byte
}

func (e *encoder) document(f *format, k Kind, i int) {
	switch k {
	case KindDomain:
		writeDoc(e, f.domain, &e.s.Domains[i])
	case KindComponent:
		writeDoc(e, f.component, &e.s.Components[i])
	case KindService:
		writeDoc(e, f.service, &e.s.Services[i])
	case KindCrew:
		writeDoc(e, f.crew, &e.s.Crews[i])
	case KindLimit:
		writeDoc(e, f.limit, &e.s.Limits[i])
	case KindProbe:
		writeDoc(e, f.probe, &e.s.Probes[i])
	case KindOption:
		writeDoc(e, f.option, &e.s.Options[i])
	case kinds:
	}
}

func writeDoc[T any](e *encoder, t *table[T], v *T) {
	for i := range t.fields {
		start := len(e.b)
		e.raw(t.fields[i].name)
		e.raw(": ")
		full := len(e.b)
		t.fields[i].write(e, v)
		switch {
		case len(e.b) == full:
			e.b = e.b[:start]
		case e.b[full] == '\n': // a list, an item a line: no space after the colon
			e.b = slices.Delete(e.b, full-1, full)
			fallthrough
		default:
			e.b = append(e.b, '\n')
		}
	}
}

// writeObject writes a mapping in flow style.
func writeObject[T any](e *encoder, t *table[T], v *T) {
	e.raw("{")
	first := true
	for i := range t.fields {
		start := len(e.b)
		if !first {
			e.raw(", ")
		}
		e.raw(t.fields[i].name)
		e.raw(": ")
		full := len(e.b)
		t.fields[i].write(e, v)
		if len(e.b) == full {
			e.b = e.b[:start]
			continue
		}
		first = false
	}
	e.raw("}")
}

// writeList writes a list of mappings: at the top an item a line, inside a
// mapping in flow style.
func writeList[T any](e *encoder, t *table[T], list []T) {
	if len(list) == 0 {
		return
	}
	if e.inFlow() {
		e.raw("[")
		for i := range list {
			if i > 0 {
				e.raw(", ")
			}
			writeObject(e, t, &list[i])
		}
		e.raw("]")
		return
	}
	for i := range list {
		e.raw("\n  - ")
		writeObject(e, t, &list[i])
	}
}

// inFlow reports whether the line that is being written is inside a flow mapping.
func (e *encoder) inFlow() bool {
	for i := len(e.b) - 1; i >= 0 && e.b[i] != '\n'; i-- {
		if e.b[i] == '{' {
			return true
		}
	}
	return false
}

func (e *encoder) raw(s string)             { e.b = append(e.b, s...) }
func (e *encoder) whole(v int64)            { e.b = strconv.AppendInt(e.b, v, 10) }
func (e *encoder) duration(d time.Duration) { e.b = appendDuration(e.b, d) }
func (e *encoder) size(v float64)           { e.b = appendSize(e.b, v) }
func (e *encoder) date(t time.Time)         { e.b = appendDate(e.b, t) }
func (e *encoder) domain(i int)             { e.text(e.s.Domains[i].Name) }
func (e *encoder) textIf(s string) {
	if s != "" {
		e.text(s)
	}
}

// number writes a number; only growth may be negative.
func (e *encoder) number(v float64) {
	if v < 0 {
		e.raw("-")
		v = -v
	}
	e.b = appendNumber(e.b, v)
}

func (e *encoder) span(s Span) {
	if s.Likely == s.Worst {
		e.duration(s.Likely)
		return
	}
	e.raw("{likely: ")
	e.duration(s.Likely)
	e.raw(", worst: ")
	e.duration(s.Worst)
	e.raw("}")
}

func (e *encoder) resources(r Resources) {
	if len(r) == 0 {
		return
	}
	e.raw("{")
	for i, a := range r {
		if i > 0 {
			e.raw(", ")
		}
		e.text(a.Resource)
		e.raw(": ")
		e.size(a.Amount)
	}
	e.raw("}")
}

func (e *encoder) uses(us []Use, k Kind) {
	if len(us) == 0 {
		return
	}
	e.raw("{")
	for i, u := range us {
		if i > 0 {
			e.raw(", ")
		}
		if k == KindCrew {
			e.text(e.s.Crews[u.Index].Name)
		} else {
			e.text(e.s.Limits[u.Index].Name)
		}
		e.raw(": ")
		e.whole(int64(u.Count))
	}
	e.raw("}")
}

func (e *encoder) places(at []int) {
	if len(at) == 1 {
		e.domain(at[0])
		return
	}
	for i, d := range at {
		if i == 0 {
			e.raw("[")
		} else {
			e.raw(", ")
		}
		e.domain(d)
	}
	if len(at) > 0 {
		e.raw("]")
	}
}

// need writes what a field needs: always a list, or a gate.
func (e *encoder) need(n Need) {
	switch {
	case n.Empty():
	case n.Ref != nil:
		e.raw("[")
		e.needIn(n)
		e.raw("]")
	default:
		e.needIn(n)
	}
}

func (e *encoder) needIn(n Need) {
	if n.Ref != nil {
		e.ref(*n.Ref, anyNeedable)
		return
	}
	end := "]"
	switch {
	case n.Gate == GateList && n.K == len(n.Of):
		e.raw("[")
	case n.K == 1 && n.Gate != GateAtLeast:
		e.raw("{anyOf: [")
		end = "]}"
	default:
		e.raw("{atLeast: ")
		e.whole(int64(n.K))
		e.raw(", of: [")
		end = "]}"
	}
	for i, c := range n.Of {
		if i > 0 {
			e.raw(", ")
		}
		e.needIn(c)
	}
	e.raw(end)
}

// ref writes a reference, with its kind where the name alone is ambiguous.
func (e *encoder) ref(r Ref, kinds kindSet) {
	if e.ambiguous(r.Name, kinds) {
		e.raw(r.String())
		return
	}
	e.text(r.Name)
}

// ambiguous reports whether more than one kind of the set has the name.
func (e *encoder) ambiguous(name string, kinds kindSet) bool {
	n := 0
	for _, k := range Kinds() {
		if !kinds.has(k) {
			continue
		}
		_, has := e.s.index[k].at(name)
		if !has && e.also != nil {
			_, has = e.also.index[k].at(name)
		}
		if has {
			n++
		}
	}
	return n > 1
}

// text writes a string, in quotes unless every reader takes it for text.
func (e *encoder) text(s string) {
	if bare(s) {
		e.raw(s)
		return
	}
	e.b = append(e.b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			e.b = append(e.b, '\\', byte(r))
		case r == '\n':
			e.raw(`\n`)
		case r == '\t':
			e.raw(`\t`)
		case r == unicode.ReplacementChar || r >= ' ' && r != 0x7f && r != 0xfeff && unicode.IsPrint(r):
			e.b = append(e.b, string(r)...)
		case r > 0xffff:
			e.raw(fmt.Sprintf(`\U%08X`, r))
		default:
			e.raw(fmt.Sprintf(`\u%04X`, r))
		}
	}
	e.b = append(e.b, '"')
}

// bare reports whether s needs no quotes: words of letters and digits with a
// few signs, that begin with a letter and are no word with a meaning in YAML.
func bare(s string) bool {
	before := ' '
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r > 0x7f && unicode.IsLetter(r):
		case i == 0:
			return false
		case r >= '0' && r <= '9', r == '-', r == '.', r == '_', r == '/', r == '+', r == '(', r == ')':
		case r == ' ' && before != ' ':
		default:
			return false
		}
		before = r
	}
	if s == "" || before == ' ' {
		return false
	}
	if len(s) > 5 {
		return true
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}

// args writes the arguments of a driver, keys sorted.
func (e *encoder) args(v any) {
	switch v := v.(type) {
	case map[string]any:
		e.raw("{")
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				e.raw(", ")
			}
			e.text(k)
			e.raw(": ")
			e.args(v[k])
		}
		e.raw("}")
	case []any:
		e.raw("[")
		for i, c := range v {
			if i > 0 {
				e.raw(", ")
			}
			e.args(c)
		}
		e.raw("]")
	case string:
		e.text(v)
	case bool:
		e.b = strconv.AppendBool(e.b, v)
	case int:
		e.whole(int64(v))
	case float64:
		start := len(e.b)
		e.b = strconv.AppendFloat(e.b, v, 'g', -1, 64)
		if !strings.ContainsAny(string(e.b[start:]), ".e") {
			e.raw(".0")
		}
	default:
		e.raw("null")
	}
}
