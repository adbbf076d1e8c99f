package estate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A File is one file of an estate: its name as messages show it, and its text.
type File struct {
	Name string
	Data []byte
}

// maxBytes is the most text that one estate may hold, in all its files, so that what
// is far too large is refused unread. What the text may take is in budget.
const maxBytes = 512 << 20

// Load reads every *.yaml and *.yml file of fsys, recursively, and parses them
// as one estate. Files and folders whose name begins with a dot are left out.
// All that is wrong comes back at once, as [Errors].
func Load(fsys fs.FS) (*Snapshot, error) {
	files, err := ReadFiles(fsys)
	if err != nil {
		return nil, err
	}
	return Parse(files)
}

// ReadFiles reads the files that make up the estate in fsys, sorted by path.
func ReadFiles(fsys fs.FS) ([]File, error) {
	var files []File
	total := int64(0)
	err := fs.WalkDir(fsys, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p != "." && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(p); e.IsDir() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		// A pipe or a device would be read for ever; a link to a file is a file.
		info, err := fs.Stat(fsys, p)
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return &Error{File: p, Msg: "this is no file", Want: "a regular file, or another name than *.yaml"}
		case total+info.Size() > maxBytes: // before it is in memory
			return &Error{File: p, Msg: "the estate is too large", Want: fmt.Sprintf("at most %d MiB in all files", maxBytes>>20)}
		}
		data, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		total += int64(len(data))
		files = append(files, File{Name: p, Data: data})
		return nil
	})
	var bad *Error
	switch {
	case errors.As(err, &bad):
		return nil, Errors{bad}
	case err != nil:
		return nil, fmt.Errorf("read the estate: %w", err)
	case len(files) == 0:
		return nil, Errors{{Msg: "the folder holds no estate", Want: "at least one file named *.yaml or *.yml"}}
	}
	return files, nil
}

// Parse reads files as one estate. All that is wrong comes back at once, as
// [Errors]; the snapshot is nil then.
func Parse(files []File) (*Snapshot, error) {
	s, _, err := parse(files, budget())
	return s, err
}

// parse also says what the files weigh.
func parse(files []File, most int64) (*Snapshot, int64, error) {
	l := &loader{format: newFormat()}
	w := l.cut(files)
	if err := w.check(most); err != nil {
		return nil, 0, Errors{err}
	}
	l.read(w.spare(most))
	a := l.assemble()
	l.resolve(a)
	s := a.snapshot()
	l.errs = append(l.errs, s.cycles()...)
	if len(l.errs) > 0 {
		return nil, 0, l.report()
	}
	s.place()
	s.text = s.encode(l.format)
	s.revise(nil, 0, 0)
	return s, w.bytes(), nil
}

// A loader turns files into a snapshot.
type loader struct {
	format  *format
	batches []batch
	errs    []*Error
	index   *index
	unknown map[*Error]link // names that nothing has, for which the nearest is sought
}

// A batch is a run of documents of one file that one goroutine reads.
type batch struct {
	file   string
	parts  []part // one after the other in the file
	size   int    // of all parts
	docs   docs
	links  []link
	errs   []*Error
	failed []link // links that could not be resolved, one for each of the last errs
}

// docs are documents by kind.
type docs struct {
	domains    []*Domain
	components []*Component
	services   []*Service
	crews      []*Crew
	limits     []*Limit
	probes     []*Probe
	options    []*Option
}

// A part is the text of one document, and how many lines come before it.
type part struct {
	data []byte
	line int
}

// batchBytes is how much text one goroutine takes at a time.
const batchBytes = 128 << 10

// cut lists the documents of every file, and weighs them.
func (l *loader) cut(files []File) (w weight) {
	for _, f := range files {
		data := bytes.TrimPrefix(f.Data, []byte("\ufeff"))
		if err := checkUTF8(f.Name, data); err != nil {
			l.errs = append(l.errs, err)
			continue
		}
		size := 0
		var parts []part
		for _, p := range split(data) {
			w.add(p)
			parts = append(parts, p)
			if size += len(p.data); size >= batchBytes {
				l.batches = append(l.batches, batch{file: f.Name, parts: parts, size: size})
				parts, size = nil, 0
			}
		}
		if len(parts) > 0 {
			l.batches = append(l.batches, batch{file: f.Name, parts: parts, size: size})
		}
	}
	return w
}

// read decodes every document, on all processors.
func (l *loader) read(spare *atomic.Int64) {
	parallel(len(l.batches), func(i int) { l.batches[i].read(l.format, spare) })
	for i := range l.batches {
		l.errs = append(l.errs, l.batches[i].errs...)
	}
}

// parallel calls f for 0 to n-1, on all processors.
func parallel(n int, f func(i int)) {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
}

func checkUTF8(file string, data []byte) *Error {
	if utf8.Valid(data) {
		return nil
	}
	line, col := 1, 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			break
		}
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
		data = data[n:]
	}
	return &Error{File: file, Line: line, Col: col, Msg: "the file is not UTF-8", Want: "text in UTF-8"}
}

// split cuts a stream at its document borders, which YAML allows nowhere else:
// a mistake in one document hides none in the next. A stream with directives
// stays whole, since they belong to the document after them.
func split(data []byte) []part {
	var (
		parts       []part
		start, line int
		first       int // line that start is on
	)
	for i := 0; i < len(data); {
		if data[i] == '%' {
			return []part{{data: data}}
		}
		end := bytes.IndexByte(data[i:], '\n')
		if end < 0 {
			end = len(data)
		} else {
			end += i + 1
		}
		if i > start && marker(data[i:end], "---") {
			parts = append(parts, part{data[start:i], first})
			start, first = i, line
		}
		line++
		if marker(data[i:end], "...") && end < len(data) {
			parts = append(parts, part{data[start:end], first})
			start, first = end, line
		}
		i = end
	}
	return append(parts, part{data[start:], first})
}

// marker reports whether a line begins (---) or ends (...) a document.
func marker(line []byte, sign string) bool {
	return len(line) >= 3 && string(line[:3]) == sign && (len(line) == 3 || strings.IndexByte(" \t\r\n", line[3]) >= 0)
}

// read decodes the documents of the batch. One YAML decoder for all of them is
// the fast way; a mistake anywhere, or an alias, which must not reach into
// another document, is read again with a decoder for each. Spare is how many nodes
// the documents with aliases may have in all.
func (b *batch) read(f *format, spare *atomic.Int64) {
	whole := part{b.parts[0].data[:b.size], b.parts[0].line} // the parts lie one after the other
	if len(b.parts) == 1 || bytes.IndexByte(whole.data, '*') >= 0 || !b.readPart(f, spare, whole, len(b.parts)) {
		b.docs, b.links, b.errs = docs{}, nil, nil
		for _, p := range b.parts {
			b.readPart(f, spare, p, 1)
		}
	}
	b.parts = nil
}

// readPart decodes the documents in p, about n, and reports whether all of p is
// YAML.
func (b *batch) readPart(f *format, spare *atomic.Int64, p part, n int) bool {
	in := yaml.NewDecoder(bytes.NewReader(p.data))
	d := decoder{file: b.file, offset: p.line, left: 1000*n + 16*len(p.data), links: b.links}
	if bytes.IndexByte(p.data, '*') >= 0 {
		d.left = int(max(0, min(int64(d.left), spare.Load())))
		defer func(left int) { spare.Add(int64(max(d.left, 0) - left)) }(d.left)
	}
	ok := true
	for {
		var n yaml.Node
		err := decodeNode(in, &n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			d.errs = append(d.errs, syntaxError(b.file, p, err))
			ok = false
			break
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 && !isNull(n.Content[0]) {
			b.document(f, &d, n.Content[0])
		}
	}
	b.links = d.links
	b.errs = append(b.errs, d.errs...)
	return ok
}

// decodeNode decodes the next document. The library panics on some malformed
// texts; to the caller that is one more malformed text.
func decodeNode(in *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return in.Decode(n)
}

// syntaxError turns what the YAML library says into an error with a place. The
// library counts lines from 0 in some messages and names no column.
func syntaxError(file string, p part, err error) *Error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(msg); m != nil {
		msg = msg[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		for _, late := range []string{"did not find expected '-' indicator", "did not find expected key", "did not find expected ','", "did not find expected node content", "did not find expected <"} {
			if strings.HasPrefix(msg, late) {
				line++
			}
		}
	}
	lines := bytes.Split(p.data, []byte("\n"))
	col := 0
	if m := regexp.MustCompile(`^unknown anchor '(.*)' referenced`).FindStringSubmatch(msg); m != nil {
		for i, text := range lines {
			if at := bytes.Index(text, []byte("*"+m[1])); at >= 0 {
				line, col = i+1, utf8.RuneCount(text[:at])+1
				break
			}
		}
	}
	line = min(line, len(lines))
	if col == 0 {
		text := lines[line-1]
		col = len(text) - len(bytes.TrimLeft(text, " \t")) + 1
	}
	return &Error{File: file, Line: line + p.line, Col: col, Msg: "the YAML cannot be read: " + msg, Want: syntaxHint(msg)}
}

// syntaxHint says what to write instead of what the YAML library refused.
func syntaxHint(msg string) string {
	for _, h := range [...][2]string{
		{"mapping values are not allowed", "a key on a line of its own, indented like the others, and quotes around text with a colon"},
		{"found character that cannot start any token", "spaces instead of tabs, and quotes around text that begins with a sign"},
		{"did not find expected ',' or ']'", "a list that ends with ]"},
		{"did not find expected ',' or '}'", "a mapping that ends with }"},
		{"did not find expected key", "keys that are indented alike"},
		{"could not find expected ':'", "a colon after the key"},
		{"found unexpected end of stream", "text that ends with a quote"},
		{"found unexpected document indicator", "text that ends with a quote"},
		{"found incompatible YAML document", "no %YAML line"},
		{"unknown anchor", "an anchor (&name) before the alias, in the same document"},
	} {
		if strings.HasPrefix(msg, h[0]) {
			return h[1]
		}
	}
	return "valid YAML"
}

// document decodes one document into its kind.
func (b *batch) document(f *format, d *decoder, root *yaml.Node) {
	n := d.mapping(root, "a document", "a mapping with kind and name")
	if n == nil {
		return
	}
	titles := make([]string, 0, kinds)
	for _, k := range Kinds() {
		titles = append(titles, k.Title())
	}
	v := valueOf(n, "kind")
	if v == n {
		d.fail(n, "kind: "+orList(titles), "", "a document has no kind")
		return
	}
	s, v, ok := d.scalar(v, "kind", orList(titles))
	if !ok {
		return
	}
	i := slices.Index(titles, s)
	if i < 0 {
		d.fail(v, orList(titles), nearest(s, slices.Values(titles)), "kind is %s", short(s))
		return
	}
	switch Kinds()[i] {
	case KindDomain:
		b.docs.domains = append(b.docs.domains, readDoc(d, f.domain, n, func(v *Domain) *Doc { return &v.Doc }))
	case KindComponent:
		b.docs.components = append(b.docs.components, readDoc(d, f.component, n, func(v *Component) *Doc { return &v.Doc }))
	case KindService:
		b.docs.services = append(b.docs.services, readDoc(d, f.service, n, func(v *Service) *Doc { return &v.Doc }))
	case KindCrew:
		b.docs.crews = append(b.docs.crews, readDoc(d, f.crew, n, func(v *Crew) *Doc { return &v.Doc }))
	case KindLimit:
		b.docs.limits = append(b.docs.limits, readDoc(d, f.limit, n, func(v *Limit) *Doc { return &v.Doc }))
	case KindProbe:
		b.docs.probes = append(b.docs.probes, readDoc(d, f.probe, n, func(v *Probe) *Doc { return &v.Doc }))
	case KindOption:
		b.docs.options = append(b.docs.options, readDoc(d, f.option, n, func(v *Option) *Doc { return &v.Doc }))
	case kinds:
	}
}

func readDoc[T any](d *decoder, t *table[T], n *yaml.Node, doc func(*T) *Doc) *T {
	v := new(T)
	t.read(d, n, v)
	doc(v).Pos = d.pos(n)
	return v
}
