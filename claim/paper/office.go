package paper

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// What an office document holds at most.
const (
	mostParts    = 2_000
	mostUnpacked = 64 << 20
	mostSettings = 64 << 10 // of a printer
	mostDrawn    = 4 * mostPixels
)

// Media types of office documents that are kept.
const (
	typeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	typeDOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
)

// A part of an office document, unpacked.
type part struct {
	name string
	data []byte
}

// cleanOffice unpacks a document, looks through every part, and packs it anew: what stood before, between or behind the
// parts is gone.
func cleanOffice(data []byte, most int64) (Paper, error) {
	parts, err := unpack(data, most)
	if err != nil {
		return Paper{}, err
	}
	p := Paper{}
	has := func(name string) bool {
		for i := range parts {
			if parts[i].name == name {
				return true
			}
		}
		return false
	}
	switch {
	case has("xl/workbook.xml") && has("[Content_Types].xml"):
		p.Type = typeXLSX
	case has("word/document.xml") && has("[Content_Types].xml"):
		p.Type = typeDOCX
	case has("Contents/content.hpf"):
		return Paper{}, refuse(ErrType, because("it is a Hangul document (HWPX)", "한글 문서(HWPX)입니다"), asPDF())
	case has("[Content_Types].xml"), has("META-INF/manifest.xml"):
		return Paper{}, refuse(ErrType, because("of office documents only XLSX and DOCX without macros are taken", "오피스 문서는 매크로 없는 XLSX, DOCX만 받습니다"), asPDF())
	default:
		return Paper{}, refuse(ErrType, because("it is a ZIP archive", "압축 파일(ZIP)입니다"), because("send the files in it one by one", "압축을 풀어 파일을 하나씩 보내 주세요"))
	}
	if points(parts) > mostDrawn {
		return Paper{}, refuse(ErrLarge, because("the pictures in it have too many points together", "문서에 든 사진들이 너무 큽니다"), asPDF())
	}
	for i := range parts {
		if err := p.cleanPart(&parts[i]); err != nil {
			return Paper{}, err
		}
	}
	p.Data, err = pack(parts)
	if err != nil {
		return Paper{}, err
	}
	if len(p.Data) > MostBytes+MostBytes/10 {
		return Paper{}, refuse(ErrLarge, because("the document is too large", "문서가 너무 큽니다"), asPDF())
	}
	return p, nil
}

// points is how many all pictures of a document have together: each small enough by itself, a hundred of one colour
// that fit into ten megabytes would be worked at for minutes.
func points(parts []part) (sum int64) {
	for i := range parts {
		if !isMedia(parts[i].name) {
			continue
		}
		if s, err := mediaKind(parts[i].data).picture().look(parts[i].data); err == nil {
			sum += int64(s.width) * int64(s.height)
		}
	}
	return sum
}

// unpack reads every part, and no more than it may.
func unpack(data []byte, most int64) ([]part, error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, refuse(ErrBroken, because("the document is damaged", "문서가 손상되었습니다"), asPDF())
	}
	if len(r.File) > mostParts {
		return nil, refuse(ErrHostile, because(fmt.Sprintf("it has %d parts", len(r.File)), fmt.Sprintf("%d개의 부분으로 되어 있습니다", len(r.File))), asPDF())
	}
	var parts []part
	seen := map[string]bool{}
	left := most
	for _, f := range r.File {
		low := strings.ToLower(f.Name)
		switch {
		case seen[low], f.Name == "", f.Name != path.Clean(f.Name) && f.Name != path.Clean(f.Name)+"/", path.IsAbs(f.Name), strings.HasPrefix(f.Name, ".."), strings.Contains(f.Name, "\\"):
			return nil, refuse(ErrHostile, because("its parts have names that they cannot have", "문서 내부의 이름이 잘못되었습니다"), asPDF())
		case f.Flags&1 != 0:
			return nil, refuse(ErrBroken, because("it is locked with a password", "암호가 걸려 있습니다"), because("save it without one", "암호를 풀고 저장해 보내 주세요"))
		case strings.HasSuffix(f.Name, "/"):
			continue
		}
		seen[low] = true
		b, err := readPart(f, left)
		if errors.Is(err, errBomb) {
			return nil, refuse(ErrHostile, because(fmt.Sprintf("it unpacks to more than %d MB", most>>20), fmt.Sprintf("압축을 풀면 %d MB가 넘습니다", most>>20)), asPDF())
		}
		if err != nil {
			return nil, err
		}
		left -= int64(len(b))
		parts = append(parts, part{f.Name, b})
	}
	return parts, nil
}

// errBomb says that a part is larger than what is left.
var errBomb = errors.New("too large")

func readPart(f *zip.File, most int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(max(0, most)) {
		return nil, errBomb
	}
	r, err := f.Open()
	if err != nil {
		return nil, refuse(ErrBroken, because("the document is packed in an unusual way", "문서의 압축 방식이 특수합니다"), asPDF())
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	err = errors.Join(err, r.Close())
	if int64(len(b)) > most {
		return nil, errBomb
	}
	if err != nil {
		return nil, refuse(ErrBroken, because("the document is damaged", "문서가 손상되었습니다"), asPDF())
	}
	return b, nil
}

func pack(parts []part) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed+4) })
	for _, p := range parts {
		f, err := w.CreateHeader(&zip.FileHeader{Name: p.name, Method: zip.Deflate})
		if err == nil {
			_, err = f.Write(p.data)
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", p.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack a document: %w", err)
	}
	return out.Bytes(), nil
}

// cleanPart looks through one part, and masks and encodes anew what it can.
func (p *Paper) cleanPart(x *part) error {
	low := strings.ToLower(x.name)
	for _, bad := range []struct {
		in   string
		what words
	}{
		{"vbaproject", because("it holds macros", "매크로가 들어 있습니다")},
		{"vbadata", because("it holds macros", "매크로가 들어 있습니다")},
		{"/macrosheets/", because("it holds macros", "매크로가 들어 있습니다")},
		{"/activex/", because("it holds controls that act", "동작하는 컨트롤이 들어 있습니다")},
		{"/embeddings/", because("it holds another document", "다른 문서가 들어 있습니다")},
		{"/externallinks/", because("it takes values from other documents", "다른 문서의 값을 가져옵니다")},
		{"/connections.xml", because("it takes values from a database", "외부 데이터베이스에 연결합니다")},
		{"/querytables/", because("it takes values from elsewhere", "외부의 값을 가져옵니다")},
		{"customui", because("it holds menus of its own", "자체 메뉴가 들어 있습니다")},
		{"/webextensions/", because("it holds add-ins", "추가 기능이 들어 있습니다")},
		{"/afchunk", because("it holds another document", "다른 문서가 들어 있습니다")},
	} {
		if strings.Contains("/"+low, bad.in) {
			return refuse(ErrHostile, bad.what, printAnew())
		}
	}
	switch ext := path.Ext(low); ext {
	case ".xml", ".rels", ".vml":
		return p.cleanXML(x, low)
	case ".png", ".jpg", ".jpeg", ".gif":
		return cleanMedia(x)
	case ".bin":
		if strings.Contains(low, "/printersettings/") && len(x.data) <= mostSettings {
			return nil
		}
	}
	return refuse(ErrHostile, because(fmt.Sprintf("it holds a part (%.60q) that such documents need not have", x.name), fmt.Sprintf("문서에 필요하지 않은 부분(%.60q)이 들어 있습니다", x.name)), printAnew())
}

func isMedia(name string) bool {
	switch path.Ext(strings.ToLower(name)) {
	case ".png", ".jpg", ".jpeg", ".gif":
		return true
	}
	return false
}

// mediaKind goes by what a picture begins with.
func mediaKind(data []byte) imageKind {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return jpegImage
	case bytes.HasPrefix(data, []byte("GIF8")):
		return gifImage
	}
	return pngImage
}

// cleanMedia encodes a picture in a document anew.
func cleanMedia(x *part) error {
	kind := mediaKind(x.data)
	if kind == pngImage && !bytes.HasPrefix(x.data, []byte("\x89PNG\r\n\x1a\n")) {
		return refuse(ErrHostile, because("a picture in it is none", "그림이 아닌 그림이 들어 있습니다"), printAnew())
	}
	got, err := cleanImage(x.data, kind)
	if err != nil {
		return err
	}
	x.data = got.Data // readers go by what a picture begins with, not by its name
	return nil
}

var (
	relation = regexp.MustCompile(`<(?:\w+:)?Relationship\s[^>]*>`)
	formula  = regexp.MustCompile(`(?s)<(?:\w+:)?f(?:\s[^>]*)?>(.*?)</`)
	fetches  = regexp.MustCompile(`(?i)\b(WEBSERVICE|FILTERXML|RTD|CALL|REGISTER\.ID|EXEC|DDE|IMAGE)\s*\(|\|[^"|]*!`)
	command  = regexp.MustCompile(`(?s)<(?:\w+:)?instrText(?:\s[^>]*)?>(.*?)</`)
	instr    = regexp.MustCompile(`(?s)<(?:\w+:)?fldSimple\s[^>]*instr="([^"]*)"`)
	runs     = regexp.MustCompile(`(?i)DDE|INCLUDE|IMPORT|DATABASE|MACROBUTTON|\bLINK\b|\bAUTOTEXT\b`)
)

// cleanXML refuses what a part would do by itself, and masks numbers in its texts.
func (p *Paper) cleanXML(x *part, low string) error {
	x.data = bytes.TrimPrefix(x.data, []byte("\ufeff"))
	if !utf8.Valid(x.data) || bytes.IndexByte(x.data, 0) >= 0 {
		return refuse(ErrBroken, because("the document is written in an unusual way", "문서가 특수한 방식으로 저장되었습니다"), asPDF())
	}
	text := string(x.data)
	if strings.Contains(text, "<!DOCTYPE") || strings.Contains(text, "<!ENTITY") {
		return refuse(ErrHostile, because("it declares things that documents do not have", "문서에 없어야 할 선언이 있습니다"), printAnew())
	}
	if path.Ext(low) == ".rels" {
		return p.relations(text)
	}
	if low == "[content_types].xml" && (strings.Contains(text, "macroEnabled") || strings.Contains(text, "vbaProject")) {
		return refuse(ErrHostile, because("it holds macros", "매크로가 들어 있습니다"), printAnew())
	}
	for _, m := range found(formula, text, "f>", "f ") {
		if fetches.MatchString(m[1]) {
			return refuse(ErrHostile, because("a formula in it fetches values from elsewhere", "외부의 값을 가져오는 수식이 있습니다"), printAnew())
		}
	}
	var fields strings.Builder // a field may be cut into runs
	for _, m := range found(command, text, "instrText") {
		fields.WriteString(m[1])
	}
	for _, m := range found(instr, text, "fldSimple") {
		fields.WriteString(" " + m[1])
	}
	if runs.MatchString(fields.String()) {
		return refuse(ErrHostile, because("a field in it fetches something from elsewhere", "외부의 내용을 가져오는 필드가 있습니다"), printAnew())
	}
	masked, n, left := maskXML(text)
	p.Masked += n
	x.data = []byte(masked)
	if left {
		p.doubt(DoubtNumbers)
	}
	return nil
}

// found is FindAllStringSubmatch, where one of the words is in the text at all.
func found(in *regexp.Regexp, text string, words ...string) [][]string {
	for _, w := range words {
		if strings.Contains(text, w) {
			return in.FindAllStringSubmatch(text, -1)
		}
	}
	return nil
}

// relations refuses parts that are fetched from elsewhere; plain links stay, with a doubt.
func (p *Paper) relations(text string) error {
	for _, r := range relation.FindAllString(text, -1) {
		low := strings.ToLower(r)
		if !strings.Contains(low, "external") {
			continue
		}
		if !strings.Contains(low, "/relationships/hyperlink") {
			return refuse(ErrHostile, because("it fetches something from elsewhere", "외부의 내용을 가져옵니다"), printAnew())
		}
		p.doubt(DoubtLinks)
	}
	return nil
}

// maskXML masks numbers in the text between tags. A value of a cell has to stay a number: its digits become zeros. left
// says whether a number remains that formatting cut into pieces.
func maskXML(text string) (masked string, n int, left bool) {
	var out strings.Builder
	var whole []byte // the text of a paragraph without its tags
	name := ""
	for text != "" {
		open := strings.IndexByte(text, '<')
		if open < 0 {
			open = len(text)
		}
		with := byte('*')
		if name == "v" {
			with = '0'
		}
		got, k := mask(text[:open], with)
		n += k
		out.WriteString(got)
		if name != "v" {
			whole = append(whole, got...)
		}
		text = text[open:]
		end := strings.IndexByte(text, '>')
		if end < 0 {
			break
		}
		name = text[:end]
		name = strings.TrimPrefix(name, "<")
		if i := strings.IndexAny(name, " \t\r\n"); i >= 0 {
			name = name[:i]
		}
		_, local, ok := strings.Cut(name, ":")
		if !ok {
			local = strings.TrimPrefix(name, "/")
		}
		if strings.HasPrefix(name, "/") && (local == "p" || local == "si" || local == "c" || local == "tr") {
			if !left && digitsIn(whole, residentDigits) {
				_, k := MaskNumbers(string(whole))
				left = k > 0
			}
			whole = whole[:0]
		}
		name = strings.TrimSuffix(name, "/")
		if ok && name[0] != '/' {
			name = local
		}
		out.WriteString(text[:end+1])
		text = text[end+1:]
	}
	out.WriteString(text)
	return out.String(), n, left
}
