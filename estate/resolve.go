package estate

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// assemble sorts the documents of all batches by kind and name. A second
// document of a name is an error and left out. Links point into the documents,
// so their values are copied only afterwards, by snapshot.
func (l *loader) assemble() *sortedDocs {
	a := &sortedDocs{}
	for i := range l.batches {
		b := &l.batches[i].docs
		a.domains = append(a.domains, b.domains...)
		a.components = append(a.components, b.components...)
		a.services = append(a.services, b.services...)
		a.crews = append(a.crews, b.crews...)
		a.limits = append(a.limits, b.limits...)
		a.probes = append(a.probes, b.probes...)
		a.options = append(a.options, b.options...)
	}
	a.domains, a.index[KindDomain] = order(l, KindDomain, a.domains, func(v *Domain) *Doc { return &v.Doc })
	a.components, a.index[KindComponent] = order(l, KindComponent, a.components, func(v *Component) *Doc { return &v.Doc })
	a.services, a.index[KindService] = order(l, KindService, a.services, func(v *Service) *Doc { return &v.Doc })
	a.crews, a.index[KindCrew] = order(l, KindCrew, a.crews, func(v *Crew) *Doc { return &v.Doc })
	a.limits, a.index[KindLimit] = order(l, KindLimit, a.limits, func(v *Limit) *Doc { return &v.Doc })
	a.probes, a.index[KindProbe] = order(l, KindProbe, a.probes, func(v *Probe) *Doc { return &v.Doc })
	a.options, a.index[KindOption] = order(l, KindOption, a.options, func(v *Option) *Doc { return &v.Doc })
	return a
}

// sortedDocs are all documents, each kind sorted by name, and where each is.
type sortedDocs struct {
	docs
	index [kinds]*roster
}

// order sorts documents by name and reports names that come twice. Documents
// without a valid name, which has been said, are left out.
func order[T any](l *loader, k Kind, list []*T, doc func(*T) *Doc) ([]*T, *roster) {
	list = slices.DeleteFunc(list, func(v *T) bool { return doc(v).Name == "" })
	slices.SortStableFunc(list, func(a, b *T) int { return strings.Compare(doc(a).Name, doc(b).Name) })
	out := list[:0]
	index := make(map[string]int, len(list))
	for _, v := range list {
		d := doc(v)
		if first, ok := index[d.Name]; ok {
			p := doc(out[first]).Pos
			l.errs = append(l.errs, &Error{
				File: d.Pos.File, Line: d.Pos.Line, Col: d.Pos.Col,
				Msg:  fmt.Sprintf("duplicate %s %q; the first is at %s:%d:%d", k.Title(), d.Name, p.File, p.Line, p.Col),
				Want: "each name once within its kind",
			})
			continue
		}
		index[d.Name] = len(out)
		out = append(out, v)
	}
	return out, &roster{of: index}
}

// resolve turns every link into an index.
func (l *loader) resolve(a *sortedDocs) {
	names := make([][]string, kinds)
	names[KindDomain] = namesOf(a.domains, func(v *Domain) *Doc { return &v.Doc })
	names[KindComponent] = namesOf(a.components, func(v *Component) *Doc { return &v.Doc })
	names[KindService] = namesOf(a.services, func(v *Service) *Doc { return &v.Doc })
	names[KindCrew] = namesOf(a.crews, func(v *Crew) *Doc { return &v.Doc })
	names[KindLimit] = namesOf(a.limits, func(v *Limit) *Doc { return &v.Doc })
	names[KindProbe] = namesOf(a.probes, func(v *Probe) *Doc { return &v.Doc })
	names[KindOption] = namesOf(a.options, func(v *Option) *Doc { return &v.Doc })
	ix := &index{of: a.index, names: names}
	parallel(len(l.batches), func(i int) {
		b := &l.batches[i]
		b.errs = nil
		for j := range b.links {
			k := &b.links[j]
			r, err := ix.find(k.name, k.kinds)
			if err != nil {
				err.File, err.Line, err.Col = k.pos.File, k.pos.Line, k.pos.Col
				err.Msg = k.owner + ": " + err.Msg
				b.errs = append(b.errs, err)
				b.failed = append(b.failed, *k)
				continue
			}
			if k.index != nil {
				*k.index = r.Index
			} else {
				*k.ref = r
			}
		}
		b.links = nil
	})
	l.index = ix
	l.unknown = make(map[*Error]link)
	for i := range l.batches {
		b := &l.batches[i]
		for j, e := range b.errs {
			l.unknown[e] = b.failed[j]
		}
		l.errs = append(l.errs, b.errs...)
	}
}

func namesOf[T any](list []*T, doc func(*T) *Doc) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = doc(v).Name
	}
	return out
}

// An index finds documents by name.
type index struct {
	of    [kinds]*roster
	names [][]string // by kind and position
}

// find returns the document of one of the kinds that text names. The error has
// no place yet, and no nearest name: to look for it costs more than the rest.
func (ix *index) find(text string, allowed kindSet) (Ref, *Error) {
	name, within := text, allowed
	if prefix, rest, ok := strings.Cut(text, "/"); ok {
		k, known := KindOf(prefix)
		if !known || !allowed.has(k) {
			return Ref{}, &Error{Msg: fmt.Sprintf("%s cannot be named here", short(text)), Want: allowed.String()}
		}
		name, within = rest, setOf(k)
	}
	var found [kinds]Ref
	n := 0
	for k := range kinds {
		if !within.has(k) {
			continue
		}
		if i, ok := ix.of[k].at(name); ok {
			found[n] = Ref{Kind: k, Index: i, Name: ix.names[k][i]}
			n++
		}
	}
	switch {
	case n == 1:
		return found[0], nil
	case n > 1:
		choices := make([]string, n)
		for i := range choices {
			choices[i] = found[i].String()
		}
		return Ref{}, &Error{Msg: fmt.Sprintf("%s is ambiguous", short(text)), Want: orList(choices)}
	}
	for k := range kinds {
		if _, ok := ix.of[k].at(name); ok && !allowed.has(k) {
			return Ref{}, &Error{Msg: fmt.Sprintf("%s is %s", short(text), setOf(k)), Want: allowed.String()}
		}
	}
	return Ref{}, &Error{Msg: fmt.Sprintf("unknown name %s", short(text)), Want: within.String()}
}

// nearest returns the name that text most likely means, with its kind where the
// text has one or the name alone would be ambiguous.
func (ix *index) nearest(text string, allowed kindSet) string {
	prefix, rest, qualified := strings.Cut(text, "/")
	if !qualified {
		return ix.nearestIn(text, allowed)
	}
	var valid []string
	for k := range kinds {
		if allowed.has(k) {
			valid = append(valid, k.String())
		}
	}
	k, known := KindOf(prefix)
	if !known || !allowed.has(k) {
		if k, known = KindOf(nearest(prefix, slices.Values(valid))); !known {
			return ix.nearestIn(rest, allowed)
		}
	}
	if _, ok := ix.of[k].at(rest); ok {
		return k.String() + "/" + rest
	}
	if n := ix.nearestIn(rest, setOf(k)); n != "" {
		return k.String() + "/" + strings.TrimPrefix(n, k.String()+"/")
	}
	return ""
}

func (ix *index) nearestIn(name string, allowed kindSet) string {
	best := nearest(name, ix.all(allowed))
	if _, err := ix.find(best, allowed); best != "" && err != nil { // ambiguous: name the first
		for k := range kinds {
			if _, ok := ix.of[k].at(best); ok && allowed.has(k) {
				return k.String() + "/" + best
			}
		}
	}
	return best
}

// all yields the names of the kinds.
func (ix *index) all(allowed kindSet) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range kinds {
			if !allowed.has(k) {
				continue
			}
			for _, name := range ix.names[k] {
				if !yield(name) {
					return
				}
			}
		}
	}
}

// maxNearest is for how many unknown names the nearest is sought: each costs a
// look at every name, and who has more of them has another problem.
const maxNearest = 200

// report returns all errors in the order of the files.
func (l *loader) report() Errors {
	es := sorted(l.errs)
	left := maxNearest
	for _, e := range es {
		if k, ok := l.unknown[e]; ok && left > 0 {
			left--
			if !strings.HasSuffix(e.Msg, "ambiguous") {
				e.Nearest = l.index.nearest(k.name, k.kinds)
			}
		}
	}
	return es
}

// snapshot copies the documents, once their links are resolved.
func (a *sortedDocs) snapshot() *Snapshot {
	return &Snapshot{
		Domains:    values(a.domains),
		Components: values(a.components),
		Services:   values(a.services),
		Crews:      values(a.crews),
		Limits:     values(a.limits),
		Probes:     values(a.probes),
		Options:    values(a.options),
		index:      a.index,
	}
}

func values[T any](list []*T) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = *v
	}
	return out
}
