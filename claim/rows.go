package claim

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"
)

// What is read of a table at most. A workbook has to be unpacked whole, a CSV file of any size is read row by row.
const (
	mostTable    = 128 << 20 // of CSV, where all of it is kept
	mostWorkbook = 64 << 20
	mostUnpacked = 256 << 20
	mostParts    = 2_000
	mostRowBytes = 1 << 20   // bytes of one row: more, and a quote was not closed
	mostFolded   = 128 << 10 // bytes of the lines of one row after the first: more, and a quote was not closed
	mostColumns  = 200
	mostSample   = 64 << 10 // from the first letter that is not ASCII on, to tell encodings apart
)

// A tableRow is one row of a table.
type tableRow struct {
	n     int // as a spreadsheet counts
	cells []string
	stray bool // a quote in it stands alone: its cells are not known
	exact bool // numbers are as they were computed, not as they were shown: of a workbook
}

// tableRows reads a table row by row, the header first. It tells a workbook from CSV by what it begins with. After an
// error there is no further row.
func tableRows(r io.Reader, most int64) iter.Seq2[tableRow, error] {
	in := bufio.NewReaderSize(r, mostSample)
	head, _ := in.Peek(8)
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return workbookRows(in)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return func(yield func(tableRow, error) bool) {
			yield(tableRow{}, noTable("the table is an XLS workbook or has a password: save it as XLSX without one, or as CSV"))
		}
	}
	return csvRows(in, most)
}

func csvRows(in *bufio.Reader, most int64) iter.Seq2[tableRow, error] {
	return func(yield func(tableRow, error) bool) {
		limit := &rowReader{r: decoded(in), all: most, row: mostRowBytes}
		text := bufio.NewReaderSize(limit, 4096)
		s := &splitter{text: text, limit: limit, comma: separator(text)}
		for {
			row, err := s.row()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = noTable("read the table: %w", err)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// A splitter makes rows of the lines of a CSV file. A quote that stands alone, or is not closed, costs the row that it is in: the
// lines after it are rows of their own. Where it can only be a part of its cell it is taken as it is.
type splitter struct {
	text   *bufio.Reader
	limit  *rowReader
	comma  byte
	back   []string // lines that were read ahead
	n      int      // lines read
	folded int      // of them inside of cells
}

// line is the next line, without its end.
func (s *splitter) line() (string, error) {
	if len(s.back) > 0 {
		line := s.back[0]
		s.back = s.back[1:]
		s.n++
		return line, nil
	}
	s.limit.row = mostRowBytes
	line, err := s.text.ReadString('\n')
	if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
		return "", err //nolint:wrapcheck // it says all
	}
	s.n++
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if !utf8.ValidString(line) || strings.ContainsRune(line, utf8.RuneError) {
		return "", noTable("the table is neither UTF-8 nor EUC-KR: save it as CSV UTF-8")
	}
	return line, nil
}

// row is the next row that is not empty.
func (s *splitter) row() (tableRow, error) {
	line, err := s.line()
	for err == nil && line == "" {
		line, err = s.line()
	}
	if err != nil {
		return tableRow{}, err
	}
	row, q := tableRow{n: s.n - s.folded}, quoting{comma: s.comma}
	var inside []string // lines
	size := 0
	for end := q.take(line); end != rowEnds; end = q.take(line) {
		if end == rowOpen && size < mostFolded {
			line, err = s.line()
		}
		switch {
		case end != rowOpen, size >= mostFolded, errors.Is(err, io.EOF):
			s.back, s.n = append(inside, s.back...), s.n-len(inside)
			row.stray = true
			return row, nil
		case err != nil:
			return row, err
		}
		inside, size = append(inside, line), size+len(line)+1
	}
	s.folded += len(inside)
	row.cells = q.cells
	return row, nil
}

// How a line leaves its row.
type rowEnd int

const (
	rowEnds  rowEnd = iota // it is whole
	rowOpen                // a cell goes on with the next line
	rowStray               // a quote in it stands alone
)

// A quoting is a row as far as it was read.
type quoting struct {
	comma byte
	cells []string
	cell  strings.Builder
	in    bool // a quoted cell
	alone bool // a quote stood in it that is neither doubled nor its end
	over  bool // and after it a comma, which may have ended it
	lines int
}

// take reads one more line.
func (q *quoting) take(line string) rowEnd {
	if q.lines++; q.in {
		q.cell.WriteByte('\n')
	}
	for {
		if !q.in && !strings.HasPrefix(line, `"`) {
			cell, rest, more := strings.Cut(line, string(q.comma))
			q.cells = append(q.cells, cell)
			if !more {
				return rowEnds
			}
			line = rest
			continue
		}
		if !q.in {
			q.in, line = true, line[1:]
		}
		text, rest, quote := strings.Cut(line, `"`)
		q.cell.WriteString(text)
		q.over = q.over || q.alone && strings.IndexByte(text, q.comma) >= 0
		switch {
		case !quote && q.alone:
			return rowStray
		case !quote:
			return rowOpen
		case strings.HasPrefix(rest, `"`):
			q.cell.WriteByte('"')
			line = rest[1:]
		case rest == "" || rest[0] == q.comma:
			if q.over {
				return rowStray
			}
			q.cells = append(q.cells, q.cell.String())
			q.cell.Reset()
			q.in, q.alone = false, false
			if rest == "" {
				return rowEnds
			}
			line = rest[1:]
		case q.lines > 1: // mostly the first quote of a row further down
			return rowStray
		default:
			q.cell.WriteByte('"')
			q.alone, line = true, rest
		}
	}
}

// separator is what the header's cells are divided by.
func separator(in *bufio.Reader) byte {
	head, _ := in.Peek(4096)
	head, _, _ = bytes.Cut(head, []byte("\n"))
	best, most := byte(','), bytes.Count(head, []byte(","))
	for _, c := range []byte{'\t', ';'} {
		if n := bytes.Count(head, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}

// rowReader bounds what one row takes, and all of them.
type rowReader struct {
	r   io.Reader
	row int
	all int64 // 0: any
	n   int64
}

func (l *rowReader) Read(p []byte) (int, error) {
	if l.row <= 0 {
		return 0, noTable("a row has more than %d bytes: a quote in it is not closed", mostRowBytes)
	}
	n, err := l.r.Read(p[:min(len(p), l.row)])
	l.row -= n
	if l.n += int64(n); l.all > 0 && l.n > l.all {
		return 0, noTable("the table is larger than %d bytes", l.all)
	}
	return n, err
}

// decoded is the text in UTF-8: from UTF-8, from UTF-16 with its mark, or from EUC-KR, which is told by the first
// letters that are not ASCII.
func decoded(in *bufio.Reader) io.Reader {
	mark, _ := in.Peek(3)
	switch {
	case bytes.HasPrefix(mark, []byte("\ufeff")):
		_, _ = in.Discard(3) // was peeked at
		return in
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(in)
	}
	return &decoder{in: in}
}

type decoder struct {
	in  *bufio.Reader
	out io.Reader // nil: so far all was ASCII
}

func (d *decoder) Read(p []byte) (int, error) {
	if d.out != nil {
		return d.out.Read(p)
	}
	if _, err := d.in.Peek(1); err != nil {
		return 0, err
	}
	seen, _ := d.in.Peek(d.in.Buffered())
	i := bytes.IndexFunc(seen, func(r rune) bool { return r >= utf8.RuneSelf })
	switch {
	case i < 0:
		i = len(seen)
	case i == 0:
		sample, err := d.in.Peek(mostSample)
		for k := 0; err == nil && k < utf8.UTFMax && len(sample) > 0 && !utf8.Valid(sample); k++ {
			sample = sample[:len(sample)-1] // the last letter is cut
		}
		d.out = d.in
		if !utf8.Valid(sample) {
			d.out = korean.EUCKR.NewDecoder().Reader(d.in)
		}
		return d.out.Read(p)
	}
	return d.in.Read(p[:min(len(p), i)])
}

// workbookRows reads the first sheet of an XLSX workbook. It shows the values that its formulas had when it was saved,
// and computes none.
func workbookRows(r io.Reader) iter.Seq2[tableRow, error] {
	return func(yield func(tableRow, error) bool) {
		if err := eachWorkbookRow(r, func(row tableRow) bool { return yield(row, nil) }); err != nil {
			yield(tableRow{}, err)
		}
	}
}

func eachWorkbookRow(r io.Reader, yield func(tableRow) bool) error {
	data, err := io.ReadAll(io.LimitReader(r, mostWorkbook+1))
	switch {
	case err != nil:
		return noTable("read the table: %w", err)
	case len(data) > mostWorkbook:
		return noTable("the workbook has more than %d MB: save it as CSV", mostWorkbook>>20)
	}
	if err := unpacks(data); err != nil {
		return err
	}
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{RawCellValue: true, UnzipSizeLimit: mostUnpacked, UnzipXMLSizeLimit: mostUnpacked})
	if err != nil {
		return noTable("the workbook cannot be read: %v; save it anew as XLSX, or as CSV", err)
	}
	defer func() { _ = f.Close() }() // was only read
	sheets := f.GetSheetList()
	if len(sheets) == 0 {
		return noTable("the workbook has no sheet")
	}
	rows, err := f.Rows(sheets[0])
	if err != nil {
		return noTable("sheet %q cannot be read: %v", sheets[0], err)
	}
	defer func() { _ = rows.Close() }() // was only read
	for n := 1; rows.Next(); n++ {
		cells, err := rows.Columns()
		switch {
		case err != nil:
			return noTable("sheet %q, row %d: %v", sheets[0], n, err)
		case len(cells) > mostColumns:
			return noTable("sheet %q, row %d: it has %d columns, at most %d are read", sheets[0], n, len(cells), mostColumns)
		}
		if !yield(tableRow{n: n, cells: cells, exact: true}) {
			return nil
		}
	}
	if err := rows.Error(); err != nil {
		return noTable("sheet %q: %v", sheets[0], err)
	}
	return nil
}

// unpacks says whether a workbook has no more in it than is read; what it says of its own size is not believed.
func unpacks(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return noTable("the workbook is damaged: save it anew as XLSX, or as CSV")
	}
	if len(z.File) > mostParts {
		return noTable("the workbook has %d parts, at most %d are read: save it as CSV", len(z.File), mostParts)
	}
	left := int64(mostUnpacked)
	for _, part := range z.File {
		n, err := unpacked(part, left)
		if errors.Is(err, errNoValue) {
			return err
		}
		if err != nil {
			return noTable("the workbook is damaged: save it anew as XLSX, or as CSV")
		}
		if left -= n; left <= 0 {
			return noTable("the workbook unpacks to more than %d MB: save it as CSV", mostUnpacked>>20)
		}
	}
	return nil
}

// errNoValue is about workbooks that a program wrote and no spreadsheet has opened: read as they are, an amount would be nothing.
var errNoValue = noTable("a formula in the workbook has no value: open it in a spreadsheet program and save it")

// unpacked counts the bytes of a part, up to most.
func unpacked(part *zip.File, most int64) (int64, error) {
	r, err := part.Open()
	if err != nil {
		return 0, err
	}
	w := io.Discard
	sheet := &valueless{}
	if strings.HasPrefix(part.Name, "xl/worksheets/") {
		w = sheet
	}
	n, err := io.Copy(w, io.LimitReader(r, most))
	if n == most {
		err = nil
	}
	if sheet.found {
		err = errNoValue
	}
	return n, errors.Join(err, r.Close())
}

// valueless looks for the end of a formula that is the end of its cell.
type valueless struct {
	tail  []byte // of what was written before
	found bool
}

func (v *valueless) Write(p []byte) (int, error) {
	const end = "</f></c>"
	v.tail = append(v.tail, p[:min(len(p), len(end))]...)
	v.found = v.found || bytes.Contains(v.tail, []byte(end)) || bytes.Contains(p, []byte(end))
	v.tail = append(v.tail[:0], p[max(0, len(p)-len(end)):]...)
	return len(p), nil
}
