package paper

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// Errors of [Clean], each with a sentence of its own in the form; [Refusal] has it.
var (
	ErrType    = errors.New("files of this type are not taken")
	ErrLarge   = errors.New("the file is too large")
	ErrBroken  = errors.New("the file cannot be read")
	ErrHostile = errors.New("the file is not what it says it is") // a polyglot, a bomb, active content
)

// MostBytes of one file; MostOfClaim of all files of one claim.
const (
	MostBytes   = 10 << 20
	MostOfClaim = 25 << 20
)

// A Paper is a file as it is kept.
type Paper struct {
	Type   string   // media type, sniffed
	Data   []byte   // re-encoded where it is an image
	Masked int      // resident numbers that were masked in it
	Doubts []string // for the desk: e.g. that a PDF may hold resident numbers that cannot be masked; [Tell] has the Korean
}

// doubt adds one, once.
func (p *Paper) doubt(what string) {
	if !slices.Contains(p.Doubts, what) {
		p.Doubts = append(p.Doubts, what)
	}
}

// Clean makes a file fit to be kept, or says why it is not: the error is a [Refusal].
func Clean(name string, data []byte) (Paper, error) {
	switch {
	case len(data) == 0:
		return Paper{}, refuse(ErrBroken, because("it is empty", "빈 파일입니다"), sendAgain())
	case len(data) > MostBytes:
		return Paper{}, refuse(ErrLarge, because(fmt.Sprintf("it has %d MB, at most %d are taken", len(data)>>20, MostBytes>>20),
			fmt.Sprintf("%d MB입니다. %d MB까지 받습니다", len(data)>>20, MostBytes>>20)),
			because("send a photograph or fewer pages", "사진으로 찍거나 쪽수를 줄여 보내 주세요"))
	}
	kind := mimetype.Detect(data)
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")) && kind.Is("image/jpeg"):
		return cleanImage(data, jpegImage)
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) && (kind.Is("image/png") || kind.Is("image/vnd.mozilla.apng")):
		return cleanImage(data, pngImage)
	case bytes.HasPrefix(data, []byte("GIF8")) && kind.Is("image/gif"):
		return cleanImage(data, gifImage)
	case bytes.HasPrefix(data, []byte("RIFF")) && kind.Is("image/webp"):
		return cleanImage(data, webpImage)
	case bytes.HasPrefix(data, []byte("%PDF-")) && kind.Is("application/pdf"):
		return cleanPDF(data, mostInflated)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return cleanOffice(data, mostUnpacked)
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return Paper{}, refuse(ErrType, because("it is an old or a locked office document", "예전 형식이거나 암호가 걸린 문서(HWP, DOC, XLS)입니다"), asPDF())
	case plain(kind):
		return cleanText(name, data)
	}
	return Paper{}, refuseType(kind)
}

// plain says whether it is text that nothing interprets; also text that is not UTF-8, which is not known for one.
func plain(kind *mimetype.MIME) bool {
	return kind.Is("text/plain") || kind.Is("text/csv") || kind.Is("text/tab-separated-values") || kind.Is("application/octet-stream")
}

func refuseType(kind *mimetype.MIME) error {
	is, _, _ := strings.Cut(kind.String(), ";")
	switch {
	case strings.HasPrefix(is, "image/hei") || is == "image/avif":
		return refuse(ErrType, because("it is a HEIC or AVIF picture", "HEIC/AVIF 사진입니다"),
			because("send it as JPEG, or send a screenshot of it (on an iPhone: Settings, Camera, Formats, Most Compatible)",
				"JPEG로 바꾸거나 화면을 캡처해 보내 주세요(아이폰: 설정 > 카메라 > 포맷 > 높은 호환성)"))
	case kind.Is("text/html") || strings.HasSuffix(is, "xml") || strings.HasPrefix(is, "text/"):
		return refuse(ErrType, because("it is "+is, is+" 파일입니다"), because("print it as PDF, or send a screenshot", "PDF로 인쇄하거나 화면을 캡처해 보내 주세요"))
	case strings.HasPrefix(is, "image/"):
		return refuse(ErrType, because("it is "+is, is+" 파일입니다"), because("save it as JPEG or PNG", "JPEG나 PNG로 저장해 보내 주세요"))
	}
	return refuse(ErrType, because("it is "+is, is+" 파일입니다"),
		because("JPEG, PNG, GIF, WebP, PDF, text, CSV, XLSX and DOCX are taken; of anything else send a photograph", "JPEG, PNG, GIF, WebP, PDF, 텍스트, CSV, XLSX, DOCX를 받습니다. 다른 파일은 화면을 찍어 보내 주세요"))
}
