package paper

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"
)

// Media types of texts that are kept.
const (
	typeText = "text/plain; charset=utf-8"
	typeCSV  = "text/csv; charset=utf-8"
)

// cleanText keeps a text as UTF-8. The name only tells a table from a text with commas in it.
func cleanText(name string, data []byte) (Paper, error) {
	text, err := Decode(data)
	if err != nil || strings.ContainsFunc(text, control) {
		return Paper{}, refuse(ErrType, because("it is no text and nothing else that is known", "글자 파일도 아니고 아는 형식도 아닙니다"),
			because("send a photograph, a screenshot or a PDF", "사진이나 화면 캡처, PDF로 보내 주세요"))
	}
	kind := mimetype.Detect([]byte(text)) // what hid in another encoding
	if !plain(kind) {
		return Paper{}, refuseType(kind)
	}
	text, n := MaskNumbers(text)
	p := Paper{Type: typeText, Masked: n, Data: []byte(text)}
	name = strings.ToLower(name)
	comma := ','
	switch {
	case strings.HasSuffix(name, ".txt"):
		return p, nil
	case kind.Is("text/tab-separated-values") || strings.HasSuffix(name, ".tsv"):
		comma = '\t'
	case !kind.Is("text/csv") && !strings.HasSuffix(name, ".csv"):
		return p, nil
	}
	if table, formulas, err := inert(text, comma); err == nil {
		p.Type, p.Data = typeCSV, table
		if formulas {
			p.doubt(DoubtFormulas)
		}
	}
	return p, nil
}

func control(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' || r == 0x7f || r == utf8.RuneError
}

// Decode turns text into UTF-8: from UTF-8, from UTF-16 with its mark, or from EUC-KR as Korean programs save it.
func Decode(data []byte) (string, error) {
	if rest, ok := bytes.CutPrefix(data, []byte("\ufeff")); ok {
		data = rest
	} else if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		out, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(data)
		if err != nil {
			return "", errNoText
		}
		data = out
	}
	if utf8.Valid(data) {
		return string(data), nil
	}
	out, err := korean.EUCKR.NewDecoder().Bytes(data)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		return "", errNoText
	}
	return string(out), nil
}

var errNoText = errors.New("it is neither UTF-8 nor EUC-KR")

// amount is what a cell may begin with a sign for.
var amount = regexp.MustCompile(`^[+-][0-9][0-9,]*(\.[0-9]+)?%?$`)

// inert is a table in which no cell is computed, as UTF-8 with the mark that Korean spreadsheets need; formulas says
// whether one would have been.
func inert(text string, comma rune) (out []byte, formulas bool, err error) {
	in := csv.NewReader(strings.NewReader(text))
	in.LazyQuotes, in.FieldsPerRecord, in.ReuseRecord, in.Comma = true, -1, true, comma
	b := bytes.NewBufferString("\ufeff")
	w := csv.NewWriter(b)
	w.UseCRLF = true
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			w.Flush()
			return b.Bytes(), formulas, w.Error()
		}
		if err != nil {
			return nil, false, err
		}
		for i, cell := range row {
			if amount.MatchString(strings.TrimSpace(cell)) {
				continue
			}
			row[i] = Cell(cell)
			formulas = formulas || row[i] != cell
		}
		if err := w.Write(row); err != nil {
			return nil, false, err
		}
	}
}

// Cell is text as a spreadsheet shows it and never computes it: with a quote before
// what would begin a formula, in full width too (OWASP, CSV injection).
func Cell(s string) string {
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \u00a0\u3000"))
	if s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", r) {
		return "'" + s
	}
	return s
}
