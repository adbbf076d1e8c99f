package estate

import (
	"bytes"
	"maps"
	"slices"
	"sort"
	"sync/atomic"
	"unicode/utf8"
)

// A Loader loads an estate again and again as its files change, and reads only
// the documents that did. What it returns is what [Load] returns, always: the
// same snapshot, the same revision, the same errors. Snapshots share what is the
// same in both. The zero Loader is ready; it is not safe for concurrent use.
type Loader struct {
	files  map[string][]byte // of the last load without errors
	plain  map[string]bool   // of these: those known to have no directives
	snap   *Snapshot
	format *format
	index  *index
	briefs [kinds][]brief   // of each document
	number map[string]int32 // of each file
	weight int64            // of the files at most, in bytes of memory
}

// A brief is what a Loader asks of every document each time, packed.
type brief struct {
	file, line int32   // where it is
	named      kindSet // the kinds that its needs name
}

// Parse is like the function [Parse]. The loader keeps the text of the files, so
// nobody may change it afterwards.
func (l *Loader) Parse(files []File) (*Snapshot, error) {
	if l.snap != nil {
		if s := l.update(files); s != nil {
			l.keep(s, files)
			return s, nil
		}
	}
	s, weight, err := parse(files, budget())
	if err != nil {
		return nil, err // the next load is compared with the last that was good
	}
	l.index, l.plain, l.number, l.weight = nil, nil, map[string]int32{}, weight
	l.keep(s, files)
	return s, nil
}

func (l *Loader) keep(s *Snapshot, files []File) {
	if l.format == nil {
		l.format = newFormat()
	}
	l.snap, l.files = s, make(map[string][]byte, len(files))
	if l.plain == nil {
		l.plain = map[string]bool{}
	}
	for _, f := range files {
		l.files[f.Name] = f.Data
	}
	for name := range l.plain {
		if _, still := l.files[name]; !still {
			delete(l.plain, name)
		}
	}
	if len(l.files) < len(files) { // two of one name: a place in one says nothing
		l.snap = nil
		return
	}
	if l.index == nil {
		l.index = &index{of: s.index, names: s.names()}
		for _, k := range Kinds() {
			l.briefs[k] = make([]brief, s.Count(k))
			for i := range l.briefs[k] {
				l.briefs[k][i] = l.brief(s, k, i)
			}
		}
	}
}

func (s *Snapshot) names() [][]string {
	out := make([][]string, kinds)
	for _, k := range Kinds() {
		out[k] = make([]string, s.Count(k))
		for i := range out[k] {
			out[k][i] = s.Doc(Ref{Kind: k, Index: i}).Name
		}
	}
	return out
}

func (l *Loader) brief(s *Snapshot, k Kind, i int) brief {
	p := &s.Doc(Ref{Kind: k, Index: i}).Pos
	file, known := l.number[p.File]
	if !known {
		file = int32(len(l.number)) //nolint:gosec // of files
		l.number[p.File] = file
	}
	return brief{file, int32(p.Line), s.namedBy(k, i)} //nolint:gosec // of lines
}

// namedBy says what kinds the needs of a document, or a probe, name.
func (s *Snapshot) namedBy(k Kind, i int) (out kindSet) {
	s.refs(k, i, func(r Ref) { out |= setOf(r.Kind) })
	return out
}

// refs calls f for what the needs of a document, or a probe, name.
func (s *Snapshot) refs(k Kind, i int, f func(r Ref)) {
	note := func(needs ...Need) {
		for _, n := range needs {
			n.refs(func(n Need) { f(*n.Ref) })
		}
	}
	switch k {
	case KindDomain:
		note(s.Domains[i].Needs)
	case KindComponent:
		c := &s.Components[i]
		note(c.Needs, c.Wants, c.StartNeeds)
		for j := range c.Actions {
			note(c.Actions[j].Needs)
		}
	case KindService:
		svc := &s.Services[i]
		note(svc.Needs, svc.Wants)
		for j := range svc.Parts {
			note(svc.Parts[j].Needs)
		}
		if p := svc.Page; p != nil {
			note(p.DNS, p.Certificate, p.Host, p.Mail)
		}
	case KindCrew:
		note(s.Crews[i].Needs)
	case KindProbe:
		if of := s.Probes[i].Of; of != nil {
			f(*of)
		}
	case KindLimit, KindOption, kinds:
	}
}

// update loads the files by what changed in them since the last load. It returns
// nil where that is not certain to give what [Parse] gives: where something is wrong.
func (l *Loader) update(files []File) *Snapshot {
	edits := map[string]*fileEdit{}
	var parts []batch
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if seen[f.Name] {
			return nil
		}
		seen[f.Name] = true
		old := l.files[f.Name]
		if !l.plain[f.Name] && directives(old) {
			return nil
		}
		e, came, ok := editOf(old, f.Data)
		if !ok {
			delete(l.plain, f.Name)
			return nil
		}
		l.plain[f.Name] = true
		if e != nil {
			edits[f.Name] = e
		}
		for _, p := range came {
			parts = append(parts, batch{file: f.Name, parts: []part{p}, size: len(p.data)})
		}
	}
	for name, old := range l.files {
		if !seen[name] {
			edits[name] = &fileEdit{spans: []stretch{{to: lines(old) + 1, gone: true}}}
		}
	}
	if len(edits) == 0 {
		return l.snap
	}
	var w weight
	for i := range parts {
		w.add(parts[i].parts[0])
	}
	most := budget() - l.weight // what went is still counted, until all is read anew
	if w.bytes() > most {
		return nil
	}
	u := &updating{l: l, old: l.snap, spare: w.spare(most)}
	if !u.read(parts) {
		return nil
	}
	u.gone(edits)
	if !u.read(u.again(files)) || !u.layout() || !u.resolve() {
		return nil
	}
	l.weight += w.bytes()
	return u.snapshot()
}

func lines(data []byte) int { return bytes.Count(data, []byte("\n")) }

// A fileEdit says what became of the lines of a file.
type fileEdit struct{ spans []stretch }

// A stretch is lines of the old file, from 0, that stayed together: they moved down
// by so many lines, or they are gone. What no stretch has did not move.
type stretch struct {
	from, to int
	by       int
	gone     bool
}

// at says what became of a line.
func (e *fileEdit) at(line int) stretch {
	i := sort.Search(len(e.spans), func(i int) bool { return e.spans[i].to > line })
	if i < len(e.spans) && e.spans[i].from <= line {
		return e.spans[i]
	}
	return stretch{}
}

// editOf compares two versions of a file document by document, of which the old
// one has no directives. It returns nil and nothing where nothing changed, and ok
// is false where the file cannot be cut into documents.
func editOf(old, text []byte) (e *fileEdit, came []part, ok bool) {
	if bytes.Equal(old, text) && (old != nil || len(text) == 0) {
		return nil, nil, true
	}
	bom := []byte("\ufeff")
	old, text = bytes.TrimPrefix(old, bom), bytes.TrimPrefix(text, bom)
	from, a, b := differ(old, text) // at borders of documents, and so of lines
	if directives(text[from:b]) || !utf8.Valid(text[from:b]) {
		return nil, nil, false
	}
	first := lines(text[:from])
	e = &fileEdit{}
	known := map[string][]part{} // what was there, by text
	before := split(old[from:a])
	for _, p := range before {
		known[string(p.data)] = append(known[string(p.data)], p)
	}
	moved := map[int]int{} // where parts that are the same went, by line
	for _, p := range split(text[from:b]) {
		if same := known[string(p.data)]; len(same) > 0 {
			moved[same[0].line] = p.line - same[0].line
			known[string(p.data)] = same[1:]
			continue
		}
		p.line += first
		came = append(came, p)
	}
	for i, p := range before {
		s := stretch{from: first + p.line, to: first + lines(old[from:a]) + 1}
		if i+1 < len(before) {
			s.to = first + before[i+1].line
		} else if a < len(old) {
			s.to--
		}
		by, stays := moved[p.line]
		s.by, s.gone = by, !stays
		e.spans = append(e.spans, s)
	}
	if by := lines(text[from:b]) - lines(old[from:a]); by != 0 && a < len(old) {
		start := first + lines(old[from:a])
		e.spans = append(e.spans, stretch{from: start, to: start + lines(old[a:]) + 1, by: by})
	}
	return e, came, true
}

// directives reports whether a stream has any, which belong to the document after
// them and not to its text.
func directives(data []byte) bool {
	return bytes.HasPrefix(data, []byte("%")) || bytes.Contains(data, []byte("\n%"))
}

// differ finds whole documents that differ: old[from:a] became text[from:b], and
// everything before and after is the same.
func differ(old, text []byte) (from, a, b int) {
	n := min(len(old), len(text))
	from = common(n, func(i, j int) bool { return bytes.Equal(old[i:j], text[i:j]) })
	tail := common(n-from, func(i, j int) bool {
		return bytes.Equal(old[len(old)-j:len(old)-i], text[len(text)-j:len(text)-i])
	})
	// Back to the last border that is wholly in what is the same.
	for at := bytes.LastIndexByte(old[:from], '\n') + 1; ; {
		if at == 0 {
			from = 0
			break
		}
		start := bytes.LastIndexByte(old[:at-1], '\n') + 1
		if line := old[start:at]; marker(line, "---") {
			from = start
			break
		} else if marker(line, "...") && at < len(old) && at < len(text) {
			from = at
			break
		}
		at = start
	}
	// On to the first border that is: a line that begins in what is the same.
	rest := old[len(old)-tail:]
	for at := 0; ; {
		next := bytes.IndexByte(rest[at:], '\n')
		if next < 0 {
			tail = 0
			break
		}
		at += next + 1
		line := rest[at:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end+1]
		}
		if marker(line, "---") {
			tail = len(rest) - at
			break
		}
	}
	return from, len(old) - tail, len(text) - tail
}

// common returns the most k up to n for which same(0, k) is true, where same of
// a range is same of all its parts.
func common(n int, same func(i, j int) bool) int {
	const step = 4 << 10
	at := 0
	for at+step <= n && same(at, at+step) {
		at += step
	}
	return at + sort.Search(min(n-at, step), func(k int) bool { return !same(at, at+k+1) })
}

// An updating is a snapshot on its way from an older one.
type updating struct {
	l     *Loader
	old   *Snapshot
	links []link
	spare *atomic.Int64 // as in [batch.read]

	came   [kinds]map[string]int // position in what came, by name
	docs   docs                  // what came
	left   [kinds][]bool         // of each old document: it is gone, or came anew
	by     [kinds][]int          // how many lines down old documents moved
	index  *index                // of the new snapshot
	to     [kinds][]int          // of each old document: its new index, or -1; nil: as before
	placed [kinds][]int          // of each of what came: its index
	moved  kindSet               // the kinds of which documents have other places than before
	lost   atomic.Bool           // something that is gone is named
}

// read reads documents; false: something is wrong with one.
func (u *updating) read(parts []batch) bool {
	parallel(len(parts), func(i int) { parts[i].read(u.l.format, u.spare) })
	for i := range parts {
		b := &parts[i]
		if len(b.errs) > 0 || !u.come(&b.docs) {
			return false
		}
		u.links = append(u.links, b.links...)
	}
	return true
}

// again lists the documents that stayed and name something by a name that came or
// went, and is one of another kind too: it may be ambiguous now, mean something else,
// or be written in another way.
func (u *updating) again(files []File) (out []batch) {
	var (
		shared = map[string]bool{}
		of     kindSet             // what had one of the names
		lines  = map[int32][]int{} // of each file: where the documents are now
	)
	note := func(k Kind, name string) {
		var had kindSet
		for _, other := range Kinds() {
			if _, has := u.old.index[other].at(name); has {
				had |= setOf(other)
			}
			_, comes := u.came[other][name]
			shared[name] = shared[name] || other != k && (comes || had.has(other))
		}
		if shared[name] {
			of |= had
		}
	}
	for _, k := range Kinds() {
		for name := range u.came[k] {
			if _, had := u.old.index[k].at(name); !had {
				note(k, name)
			}
		}
		for i, left := range u.left[k] {
			if !left {
				continue
			}
			name := u.old.nameAt(k, i)
			if _, back := u.came[k][name]; !back {
				note(k, name)
			}
		}
	}
	if of == 0 {
		return nil
	}
	for _, k := range Kinds() {
		for i, b := range u.l.briefs[k] {
			names := false
			if b.named&of != 0 && (u.left[k] == nil || !u.left[k][i]) {
				u.old.refs(k, i, func(r Ref) { names = names || of.has(r.Kind) && shared[r.Name] })
			}
			if !names {
				continue
			}
			if u.left[k] == nil {
				u.left[k] = make([]bool, u.old.Count(k))
			}
			u.left[k][i] = true
			at := int(b.line) - 1
			if u.by[k] != nil {
				at += u.by[k][i]
			}
			lines[b.file] = append(lines[b.file], at)
		}
	}
	for _, f := range files {
		file, known := u.l.number[f.Name]
		if !known || lines[file] == nil {
			continue
		}
		parts := split(bytes.TrimPrefix(f.Data, []byte("\ufeff")))
		for _, line := range lines[file] {
			i := sort.Search(len(parts), func(i int) bool { return parts[i].line > line }) - 1
			out = append(out, batch{file: f.Name, parts: parts[i : i+1], size: len(parts[i].data)})
		}
	}
	return out
}

// come notes documents that were read; false: a name comes twice, or is none.
func (u *updating) come(d *docs) bool {
	return comeOf(u, KindDomain, &u.docs.domains, d.domains, func(v *Domain) *Doc { return &v.Doc }) &&
		comeOf(u, KindComponent, &u.docs.components, d.components, func(v *Component) *Doc { return &v.Doc }) &&
		comeOf(u, KindService, &u.docs.services, d.services, func(v *Service) *Doc { return &v.Doc }) &&
		comeOf(u, KindCrew, &u.docs.crews, d.crews, func(v *Crew) *Doc { return &v.Doc }) &&
		comeOf(u, KindLimit, &u.docs.limits, d.limits, func(v *Limit) *Doc { return &v.Doc }) &&
		comeOf(u, KindProbe, &u.docs.probes, d.probes, func(v *Probe) *Doc { return &v.Doc }) &&
		comeOf(u, KindOption, &u.docs.options, d.options, func(v *Option) *Doc { return &v.Doc })
}

func comeOf[T any](u *updating, k Kind, all *[]*T, list []*T, doc func(*T) *Doc) bool {
	for _, v := range list {
		name := doc(v).Name
		if _, twice := u.came[k][name]; twice || name == "" {
			return false
		}
		if u.came[k] == nil {
			u.came[k] = map[string]int{}
		}
		u.came[k][name] = len(*all)
		*all = append(*all, v)
	}
	return true
}

// gone notes which documents are no more where they were.
func (u *updating) gone(edits map[string]*fileEdit) {
	of := make([]*fileEdit, len(u.l.number))
	for name, file := range u.l.number {
		of[file] = edits[name]
	}
	for _, k := range Kinds() {
		n := u.old.Count(k)
		for i, p := range u.l.briefs[k] {
			e := of[p.file]
			if e == nil {
				continue
			}
			switch s := e.at(int(p.line) - 1); {
			case s.gone:
				if u.left[k] == nil {
					u.left[k] = make([]bool, n)
				}
				u.left[k][i] = true
			case s.by != 0:
				if u.by[k] == nil {
					u.by[k] = make([]int, n)
				}
				u.by[k][i] = s.by
			}
		}
	}
}

// layout finds the place of every document; false: a name comes twice.
func (u *updating) layout() bool {
	u.index = u.l.index
	fresh := false // the index is a new one
	for _, k := range Kinds() {
		same := true
		for name := range u.came[k] {
			i, had := u.old.index[k].at(name)
			if had && (u.left[k] == nil || !u.left[k][i]) {
				return false // a second document of that name
			}
			same = same && had
		}
		for i, left := range u.left[k] {
			if !left {
				continue
			}
			name := u.old.Doc(Ref{Kind: k, Index: i}).Name
			_, back := u.came[k][name]
			same = same && back
		}
		u.placed[k] = make([]int, len(u.came[k]))
		if same {
			for name, j := range u.came[k] {
				u.placed[k][j], _ = u.old.index[k].at(name)
			}
			continue
		}
		if !fresh {
			u.index, fresh = &index{of: u.l.index.of, names: slices.Clone(u.l.index.names)}, true
		}
		u.renumber(k)
	}
	return true
}

// renumber gives the documents of a kind, whose names are not the same as
// before, their places by name.
func (u *updating) renumber(k Kind) {
	var (
		old   = u.l.index.names[k]
		came  = slices.Sorted(maps.Keys(u.came[k]))
		names = make([]string, 0, len(old)+len(came))
		more  = map[string]int{} // those that are new
		to    = make([]int, len(old))
	)
	come := func(name string) {
		u.placed[k][u.came[k][name]] = len(names)
		names, came = append(names, name), came[1:]
	}
	for i, name := range old {
		for len(came) > 0 && came[0] < name {
			more[came[0]] = len(names)
			come(came[0])
		}
		to[i] = len(names)
		switch {
		case u.left[k] == nil || !u.left[k][i]:
			names = append(names, name)
		case len(came) > 0 && came[0] == name:
			come(name)
		default:
			to[i] = -1
		}
	}
	for len(came) > 0 {
		more[came[0]] = len(names)
		come(came[0])
	}
	u.to[k] = to
	u.index.names[k], u.index.of[k] = names, u.index.of[k].moved(names, to, more)
}

// resolve turns the links of what came into indices; false: a name is unknown.
func (u *updating) resolve() bool {
	for _, k := range u.links {
		r, err := u.index.find(k.name, k.kinds)
		if err != nil {
			return false
		}
		if k.index != nil {
			*k.index = r.Index
		} else {
			*k.ref = r
		}
	}
	return true
}

// snapshot puts the documents together; nil: one of them names what is gone, or
// domains are in a cycle.
func (u *updating) snapshot() *Snapshot {
	s := &Snapshot{index: u.index.of}
	for k := range kinds {
		if u.to[k] != nil {
			u.moved |= setOf(k)
		}
	}
	s.Domains = merge(u, KindDomain, u.old.Domains, u.docs.domains, (*mover).domain)
	s.Components = merge(u, KindComponent, u.old.Components, u.docs.components, (*mover).component)
	s.Services = merge(u, KindService, u.old.Services, u.docs.services, (*mover).service)
	s.Crews = merge(u, KindCrew, u.old.Crews, u.docs.crews, (*mover).crew)
	s.Limits = merge(u, KindLimit, u.old.Limits, u.docs.limits, (*mover).limit)
	s.Probes = merge(u, KindProbe, u.old.Probes, u.docs.probes, (*mover).probe)
	s.Options = merge(u, KindOption, u.old.Options, u.docs.options, (*mover).option)
	if u.lost.Load() {
		return nil
	}
	u.encode(s)
	good := true
	parallel(2, func(i int) {
		if i == 0 {
			s.revise(u.unlike())
		} else if len(u.docs.domains) > 0 || u.to[KindDomain] != nil {
			good = u.replace(s)
		}
	})
	if !good {
		return nil
	}
	u.l.index = u.index
	for _, k := range Kinds() {
		for i, by := range u.by[k] {
			u.l.briefs[k][i].line += int32(by) //nolint:gosec // lines
		}
		if u.to[k] != nil {
			old := u.l.briefs[k]
			u.l.briefs[k] = make([]brief, s.Count(k))
			for i, at := range u.to[k] {
				if at >= 0 {
					u.l.briefs[k][at] = old[i]
				}
			}
		}
		for _, at := range u.placed[k] {
			u.l.briefs[k][at] = u.l.brief(s, k, at)
		}
	}
	return s
}

// replace sets the ancestors and sites of domains from what they were, and of those
// that need something else than before, or one that does, anew. It does nothing, and
// returns false, where domains are in a cycle.
func (u *updating) replace(s *Snapshot) bool {
	to := func(i int) int {
		if i >= 0 && u.to[KindDomain] != nil {
			return u.to[KindDomain][i]
		}
		return i
	}
	const (
		unseen = iota
		open
		kept
		placed
	)
	var (
		state = make([]uint8, len(s.Domains))
		anew  = make(map[int]bool, len(u.placed[KindDomain])) // by index
		was   = map[int]int{}                                 // of others that came
		other = false                                         // others may need one that is anew
		order []int                                           // what is to be placed
	)
	for _, at := range u.placed[KindDomain] {
		i, had := u.old.index[KindDomain].at(s.Domains[at].Name)
		if had {
			was[at] = i
		}
		if !had || (s.Domains[at].Type == TypeSite) != (u.old.Domains[i].Type == TypeSite) || !sameNeed(s.Domains[at].Needs, u.old.Domains[i].Needs, to) {
			anew[at], other = true, other || had
		}
	}
	cyclic := false
	var hangs func(d int) bool
	hangs = func(d int) bool {
		switch state[d] {
		case unseen:
			state[d] = open
			some := anew[d]
			s.Domains[d].Needs.refs(func(n Need) { some = hangs(n.Ref.Index) || some })
			if state[d] = kept; some {
				state[d], order = placed, append(order, d)
			}
		case open:
			cyclic = true
		}
		return state[d] == placed
	}
	if other {
		for d := range s.Domains {
			hangs(d)
		}
	} else { // nothing needs what came but what came with it
		for d := range anew {
			hangs(d)
		}
	}
	if cyclic {
		return false
	}
	keep := func(m *mover, at, i int) {
		d, old := &s.Domains[at], &u.old.Domains[i]
		d.Site, d.Ancestors = to(old.Site), old.Ancestors
		if slices.ContainsFunc(old.Ancestors, func(x int) bool { return to(x) != x }) {
			d.Ancestors = m.ints.copy(old.Ancestors)
			for j, x := range d.Ancestors {
				d.Ancestors[j] = to(x)
			}
		}
	}
	if u.to[KindDomain] == nil {
		for at, i := range was {
			keep(&mover{}, at, i)
		}
	} else {
		inRuns(len(u.old.Domains), func(from, to int) {
			var m mover
			for i := from; i < to; i++ {
				if at := u.to[KindDomain][i]; at >= 0 {
					keep(&m, at, i)
				}
			}
		})
	}
	for _, d := range order {
		s.placeOne(d)
	}
	return true
}

// sameNeed reports whether a need is what an older one was, whose documents have
// other numbers.
func sameNeed(a, b Need, to func(i int) int) bool {
	if a.K != b.K || a.Gate != b.Gate || (a.Ref == nil) != (b.Ref == nil) {
		return false
	}
	if a.Ref != nil && (a.Ref.Kind != b.Ref.Kind || a.Ref.Index != to(b.Ref.Index)) {
		return false
	}
	return slices.EqualFunc(a.Of, b.Of, func(x, y Need) bool { return sameNeed(x, y, to) })
}

// unlike returns the old snapshot, and the first document whose text is not, or
// may not be, what it was.
func (u *updating) unlike() (old *Snapshot, k Kind, i int) {
	for k := range kinds {
		first := len(u.to[k])
		for at, to := range u.to[k] {
			if at != to {
				first = at
				break
			}
		}
		if len(u.placed[k]) > 0 && (u.to[k] == nil || slices.Min(u.placed[k]) < first) {
			return u.old, k, slices.Min(u.placed[k])
		}
		if u.to[k] != nil {
			return u.old, k, first
		}
	}
	return u.old, kinds, 0
}

// merge returns the documents of a kind at their new places. Where nothing
// changed it is the old list itself.
func merge[T any](u *updating, k Kind, old []T, came []*T, move func(*mover, *T)) []T {
	names := u.moved // that they may name
	if k == KindDomain || k == KindLimit {
		names &= onlyDomain
	}
	if len(came) == 0 && u.by[k] == nil && u.left[k] == nil && u.to[k] == nil && names == 0 {
		return old
	}
	n := len(u.index.names[k])
	if n == 0 {
		return nil
	}
	out := make([]T, n)
	if u.to[k] == nil {
		copy(out, old)
	}
	if u.by[k] != nil || u.to[k] != nil || names != 0 { // else only what came is new
		inRuns(len(old), func(from, to int) {
			m := mover{to: &u.to}
			for i := from; i < to; i++ {
				at := i
				if u.to[k] != nil {
					at = u.to[k][i]
				}
				if at < 0 || u.left[k] != nil && u.left[k][i] {
					continue
				}
				if u.to[k] != nil {
					out[at] = old[i]
				}
				m.by = 0
				if u.by[k] != nil {
					m.by = u.by[k][i]
				}
				m.needs = m.by != 0 || names&u.l.briefs[k][i].named != 0
				if m.by != 0 || names != 0 {
					move(&m, &out[at])
				}
			}
			if m.lost {
				u.lost.Store(true)
			}
		})
	}
	for j, v := range came {
		out[u.placed[k][j]] = *v
	}
	return out
}

// inRuns calls f for parts of a range, on all processors.
func inRuns(n int, f func(from, to int)) {
	const most = 1 << 12
	parallel((n+most-1)/most, func(i int) { f(i*most, min((i+1)*most, n)) })
}

// encode writes the canonical form of what came; that of the rest is as it was.
func (u *updating) encode(s *Snapshot) {
	for _, k := range Kinds() {
		switch {
		case u.to[k] == nil && len(u.placed[k]) == 0:
			s.text[k] = u.old.text[k]
			continue
		case u.to[k] == nil:
			s.text[k] = slices.Clone(u.old.text[k])
		default:
			s.text[k] = make([][]byte, s.Count(k))
			for i, at := range u.to[k] {
				if at >= 0 {
					s.text[k][at] = u.old.text[k][i]
				}
			}
		}
		for _, at := range u.placed[k] {
			e := &encoder{s: s}
			e.document(u.l.format, k, at)
			s.text[k][at] = e.b
		}
	}
}

// A mover copies what a document has of places and indices, which are others
// now, and leaves the rest shared.
type mover struct {
	by    int // lines down
	to    *[kinds][]int
	needs bool // a need of the document names something of a kind that moved, or moves itself
	lost  bool // something that is gone is named

	refs     arena[Ref]
	ints     arena[int]
	replicas arena[Replica]
	actions  arena[Action]
}

// An arena has room for many short lists.
type arena[T any] struct{ free []T }

// copy returns a copy of the list. Who keeps one list keeps some of its neighbours,
// so a block is not large.
func (a *arena[T]) copy(list []T) []T {
	const block = 32
	if len(list) > len(a.free) {
		a.free = make([]T, max(len(list), block))
	}
	out := a.free[:len(list):len(list)]
	a.free = a.free[len(list):]
	copy(out, list)
	return out
}

func (m *mover) pos(p *Pos) {
	if p.Line > 0 {
		p.Line += m.by
	}
}

func (m *mover) index(k Kind, i *int) {
	if to := m.to[k]; to != nil && *i >= 0 {
		if *i = to[*i]; *i < 0 {
			m.lost = true
		}
	}
}

// apart reports whether a document of a kind is at another place than before.
func (m *mover) apart(k Kind, i int) bool { return m.to[k] != nil && i >= 0 && m.to[k][i] != i }

func (m *mover) doc(d *Doc) {
	m.pos(&d.Pos)
	d.Waive = each(d.Waive, func(w *Waiver) { m.pos(&w.Pos) })
}

// each returns a copy of the list, changed by f.
func each[T any](list []T, f func(*T)) []T {
	if len(list) == 0 {
		return list
	}
	list = slices.Clone(list)
	for i := range list {
		f(&list[i])
	}
	return list
}

// stays reports whether nothing that a need names is anywhere else.
func (m *mover) stays(n Need) bool {
	if n.Ref != nil {
		return !m.apart(n.Ref.Kind, n.Ref.Index)
	}
	return !slices.ContainsFunc(n.Of, func(o Need) bool { return !m.stays(o) })
}

func (m *mover) need(n *Need) {
	if !m.needs || m.by == 0 && m.stays(*n) {
		return
	}
	m.pos(&n.Pos)
	if r := n.Ref; r != nil && m.apart(r.Kind, r.Index) {
		moved := m.refs.copy([]Ref{*r})
		m.index(r.Kind, &moved[0].Index)
		n.Ref = &moved[0]
	}
	n.Of = each(n.Of, m.need)
}

func (m *mover) domain(v *Domain) {
	m.doc(&v.Doc)
	m.need(&v.Needs)
}

func (m *mover) component(v *Component) {
	m.doc(&v.Doc)
	in := func(d int) bool { return m.apart(KindDomain, d) }
	if m.by != 0 && len(v.Replicas) > 0 || slices.ContainsFunc(v.Replicas, func(r Replica) bool { return in(r.In) }) {
		v.Replicas = m.replicas.copy(v.Replicas)
		for i := range v.Replicas {
			m.pos(&v.Replicas[i].Pos)
			m.index(KindDomain, &v.Replicas[i].In)
		}
	}
	m.need(&v.Needs)
	m.need(&v.Wants)
	m.need(&v.StartNeeds)
	if v.Data != nil && (m.by != 0 || slices.ContainsFunc(v.Data.Copies, func(c Copy) bool { return in(c.In) })) {
		data := *v.Data
		data.Copies = each(data.Copies, func(c *Copy) {
			m.pos(&c.Pos)
			m.index(KindDomain, &c.In)
		})
		v.Data = &data
	}
	if len(v.Actions) == 0 || !m.needs && m.to[KindCrew] == nil && m.to[KindLimit] == nil && !slices.ContainsFunc(v.Actions, func(a Action) bool { return slices.ContainsFunc(a.At, in) }) {
		return
	}
	v.Actions = m.actions.copy(v.Actions)
	for i := range v.Actions {
		a := &v.Actions[i]
		m.pos(&a.Pos)
		if slices.ContainsFunc(a.At, in) {
			a.At = m.ints.copy(a.At)
			for j := range a.At {
				m.index(KindDomain, &a.At[j])
			}
		}
		m.need(&a.Needs)
		if m.to[KindCrew] != nil {
			a.Crew = each(a.Crew, func(u *Use) { m.index(KindCrew, &u.Index) })
		}
		if m.to[KindLimit] != nil {
			a.Uses = each(a.Uses, func(u *Use) { m.index(KindLimit, &u.Index) })
		}
		if a.Run != nil && m.by != 0 {
			run := *a.Run
			m.pos(&run.Pos)
			a.Run = &run
		}
	}
}

func (m *mover) service(v *Service) {
	m.doc(&v.Doc)
	if !m.needs {
		return
	}
	m.need(&v.Needs)
	m.need(&v.Wants)
	v.Parts = each(v.Parts, func(p *Part) {
		m.pos(&p.Pos)
		m.need(&p.Needs)
	})
	if v.Page != nil {
		page := *v.Page
		for _, n := range []*Need{&page.DNS, &page.Certificate, &page.Host, &page.Mail} {
			m.need(n)
		}
		v.Page = &page
	}
}

func (m *mover) crew(v *Crew) {
	m.doc(&v.Doc)
	m.need(&v.Needs)
}

func (m *mover) limit(v *Limit) { m.doc(&v.Doc) }

func (m *mover) probe(v *Probe) {
	m.doc(&v.Doc)
	m.index(KindDomain, &v.In)
	if r := v.Of; r != nil && m.apart(r.Kind, r.Index) {
		moved := *r
		m.index(r.Kind, &moved.Index)
		v.Of = &moved
	}
}

func (m *mover) option(v *Option) {
	m.doc(&v.Doc)
	m.index(KindDomain, &v.In)
}
