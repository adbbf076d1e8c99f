package paper

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// What a PDF holds at most.
const (
	mostStreams  = 20_000
	mostInflated = 128 << 20 // pictures aside, which are not unpacked
	mostDict     = 4 << 10   // before a stream
)

// cleanPDF keeps a PDF as it came, if nothing in it acts by itself and nothing rides along. What cannot be told of it
// is a doubt for the desk. It unpacks to so many bytes at most.
func cleanPDF(data []byte, most int64) (Paper, error) {
	p := Paper{Type: "application/pdf", Data: data}
	end := bytes.LastIndex(data, []byte("%%EOF"))
	if end < 0 {
		return Paper{}, refuse(ErrBroken, because("the PDF is cut short", "PDF가 중간에 끊겼습니다"), sendAgain())
	}
	if rest := bytes.Trim(data[end+5:], " \t\r\n\f\x00\x1a"); len(rest) > 0 {
		return Paper{}, refuse(ErrHostile, because(fmt.Sprintf("%d bytes stand behind the end of the PDF", len(rest)), "PDF 끝에 다른 내용이 붙어 있습니다"), printAnew())
	}
	if z, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err == nil && len(z.File) > 0 {
		return Paper{}, refuse(ErrHostile, because("it is a ZIP archive too", "PDF이면서 압축 파일입니다"), printAnew())
	}
	if err := p.acts(data); err != nil {
		return Paper{}, err
	}
	s := pdfStreams{paper: &p, most: most}
	if err := s.walk(data); err != nil {
		return Paper{}, err
	}
	if s.text.resident() {
		p.doubt(DoubtNumbers)
	}
	if s.unread || s.text.unread {
		p.doubt(DoubtUnread)
	}
	return p, nil
}

// acts refuses names of what a PDF does by itself, or carries, wherever they stand; readers disagree on what is
// part of a PDF, so even inside streams.
func (p *Paper) acts(data []byte) error {
	var err error
	names(data, func(name []byte) bool {
		switch string(name) {
		case "JavaScript", "Launch", "RichMedia", "XFA", "SubmitForm", "ImportData", "Movie", "Rendition":
			err = refuse(ErrHostile, because("the PDF does something by itself ("+string(name)+")", "PDF에 스스로 동작하는 내용이 있습니다("+string(name)+")"), printAnew())
		case "EmbeddedFile", "EmbeddedFiles", "GoToE":
			err = refuse(ErrHostile, because("the PDF holds other files", "PDF 안에 다른 파일이 들어 있습니다"), printAnew())
		case "Encrypt":
			err = refuse(ErrBroken, because("the PDF is locked", "PDF에 암호나 제한이 걸려 있습니다"),
				because("print it to PDF anew without a password, or send a photograph", "암호 없이 PDF로 다시 인쇄하거나 사진으로 찍어 보내 주세요"))
		case "URI", "GoToR":
			p.doubt(DoubtLinks)
		}
		return err == nil
	})
	return err
}

// names visits every name in the bytes, with its #xx written out, until visit says no.
func names(data []byte, visit func([]byte) bool) {
	var buf [32]byte
	for {
		i := bytes.IndexByte(data, '/')
		if i < 0 {
			return
		}
		data = data[i+1:]
		name, k := buf[:0], 0
		for k < len(data) && len(name) < len(buf) && regular(data[k]) {
			c := data[k]
			if c == '#' && k+2 < len(data) {
				high, is := hexDigit(data[k+1])
				if low, too := hexDigit(data[k+2]); is && too {
					c = high<<4 | low
					k += 2
				}
			}
			name = append(name, c)
			k++
		}
		if len(name) > 0 && !visit(name) {
			return
		}
	}
}

// regular says whether a byte is part of a name.
func regular(c byte) bool { return c > ' ' && !bytes.ContainsRune([]byte("()<>[]{}/%"), rune(c)) }

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// pdfStreams looks into the streams of a PDF.
type pdfStreams struct {
	paper    *Paper
	text     pdfText
	inflated int64
	most     int64 // of that
	unread   bool
	zlib     io.ReadCloser
}

// walk visits every stream, and the text between streams. It goes by the keyword alone: tables of
// where objects are can lie.
func (s *pdfStreams) walk(data []byte) error {
	end, n := 0, 0 // of the last stream
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte("stream"))
		if i < 0 {
			s.text.plain(data[min(end, len(data)):])
			return nil
		}
		start := at + i + len("stream")
		at = start
		if bytes.HasSuffix(data[:start], []byte("endstream")) || start == len(data) || data[start] != '\r' && data[start] != '\n' {
			continue
		}
		if n++; n > mostStreams {
			return refuse(ErrHostile, because(fmt.Sprintf("the PDF has more than %d streams", mostStreams), "PDF의 구조가 지나치게 복잡합니다"), printAnew())
		}
		dict := data[max(0, start-mostDict):start]
		if end < start {
			dict = data[max(end, start-mostDict):start]
			s.text.plain(data[end:start])
		}
		if data[start] == '\r' {
			start++
		}
		if start < len(data) && data[start] == '\n' {
			start++
		}
		if end <= start {
			end = len(data)
			if i := bytes.Index(data[start:], []byte("endstream")); i >= 0 {
				end = start + i
			}
		}
		if err := s.stream(dict, data[start:], end-start); err != nil {
			return err
		}
		at = start // not end: a stream may hide one
	}
}

// marks are the names before a stream that say how to read it.
type marks struct{ image, object, first, coded, flate, predicted bool }

func marksOf(dict []byte) marks {
	var m marks
	names(dict, func(name []byte) bool {
		switch string(name) {
		case "Image":
			m.image = true
		case "ObjStm":
			m.object = true
		case "First":
			m.first = true
		case "FlateDecode", "Fl":
			m.flate = true
		case "ASCII85Decode", "A85", "ASCIIHexDecode", "AHx", "LZWDecode", "LZW", "RunLengthDecode", "RL", "Crypt":
			m.coded = true
		case "Predictor":
			m.predicted = true
		}
		return true
	})
	return m
}

// stream looks into one: rest begins where it does, size is how long it says that it is.
func (s *pdfStreams) stream(window, rest []byte, size int) error {
	near := marksOf(window)
	own := near
	if i := bytes.LastIndex(window, []byte("obj")); i >= 0 {
		own = marksOf(window[i:])
	}
	if own.image && !near.object && !near.first {
		return nil // numbers are not read off pictures
	}
	if own.object && (own.coded || own.predicted) {
		return refuse(ErrHostile, because("the PDF hides parts of itself", "PDF에 감추어진 부분이 있습니다"), printAnew())
	}
	b := rest[:size]
	if packed := len(rest) >= 2 && rest[0]&15 == 8 && (int(rest[0])<<8|int(rest[1]))%31 == 0; packed {
		var err error
		if b, err = s.inflate(rest); err != nil {
			return err
		}
		if err := s.paper.acts(b); err != nil {
			return err
		}
		s.text.plain(b)
	} else if own.coded || own.flate {
		s.unread = true
		return nil
	} else if err := s.spend(size); err != nil {
		return err
	}
	s.text.content(b)
	return nil
}

// spend counts what was looked at: streams that stand in one another could be looked at without end.
func (s *pdfStreams) spend(n int) error {
	if s.inflated += int64(n); s.inflated > s.most {
		return refuse(ErrHostile, because(fmt.Sprintf("the PDF unpacks to more than %d MB", s.most>>20), fmt.Sprintf("PDF의 압축을 풀면 %d MB가 넘습니다", s.most>>20)), printAnew())
	}
	return nil
}

// inflate unpacks a stream as far as it goes: readers show what they can.
func (s *pdfStreams) inflate(rest []byte) ([]byte, error) {
	src := bytes.NewReader(rest)
	var err error
	if s.zlib == nil {
		s.zlib, err = zlib.NewReader(src)
	} else if again, ok := s.zlib.(zlib.Resetter); ok {
		err = again.Reset(src, nil)
	}
	if err != nil {
		s.unread, s.zlib = true, nil
		return nil, nil //nolint:nilerr // what is no stream is noted, and shown by no reader
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(s.zlib, s.most-s.inflated+1))
	if err := s.spend(int(n)); err != nil {
		return nil, err
	}
	if err != nil && !errors.Is(err, zlib.ErrChecksum) {
		s.unread = true
	}
	return out.Bytes(), nil
}
