package paper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// Sizes of pictures.
const (
	mostSide    = 4096       // a picture that is kept: an A4 page at 350 dots to the inch
	mostPixels  = 60_000_000 // a picture that is taken; telephones make 50 million
	mostDecoded = 256 << 20  // bytes that decoding may need
	quality     = 88
)

// A picture is one of the formats that are decoded.
type picture struct {
	name    string
	look    func([]byte) (shape, error) // before anything is decoded
	decode  func(io.Reader) (image.Image, error)
	asPhoto bool // encoded as JPEG
}

// A shape is what is known of a picture before it is decoded.
type shape struct {
	width, height int
	need          int64 // bytes, when decoded
	turn          int   // orientation as EXIF has it, 1 to 8; 0: none
}

type imageKind int

const (
	jpegImage imageKind = iota
	pngImage
	gifImage
	webpImage
)

func (k imageKind) picture() picture {
	switch k {
	case jpegImage:
		return picture{"JPEG", lookJPEG, jpeg.Decode, true}
	case pngImage:
		return picture{"PNG", lookPNG, png.Decode, false}
	case gifImage:
		return picture{"GIF", lookGIF, gif.Decode, false}
	case webpImage:
	}
	return picture{"WebP", lookWebP, webp.Decode, false}
}

// cleanImage decodes a picture and encodes it anew, upright and not larger than a screen can show.
func cleanImage(data []byte, kind imageKind) (Paper, error) {
	p := kind.picture()
	s, err := p.look(data)
	if err != nil {
		return Paper{}, badImage(p.name, err)
	}
	if s.width <= 0 || s.height <= 0 {
		return Paper{}, badImage(p.name, errors.New("it has no size"))
	}
	if int64(s.width)*int64(s.height) > mostPixels || s.need > mostDecoded {
		r := refuse(ErrLarge, because(fmt.Sprintf("the picture has %d x %d points, which is too many", s.width, s.height), fmt.Sprintf("사진이 %d x %d 화소로 너무 큽니다", s.width, s.height)),
			because("make it smaller, or send a screenshot of it", "크기를 줄이거나 화면을 캡처해 보내 주세요"))
		r.Points = true
		return Paper{}, r
	}
	m, err := p.decode(bytes.NewReader(data))
	if err != nil {
		return Paper{}, badImage(p.name, err)
	}
	photo := p.asPhoto
	if _, is := m.(*image.YCbCr); is {
		photo = true
	}
	out, err := encoded(turned(scaled(m), s.turn), photo, MostBytes)
	if err != nil {
		return Paper{}, badImage(p.name, err)
	}
	return out, nil
}

// encoded is a picture as it is kept: exactly, or as a photograph where that has more than so many bytes.
func encoded(m image.Image, photo bool, most int) (Paper, error) {
	var out bytes.Buffer
	if !photo {
		if err := png.Encode(&out, plainPixels(m)); err != nil {
			return Paper{}, err
		}
		if out.Len() <= most {
			return Paper{Type: "image/png", Data: out.Bytes()}, nil
		}
		out.Reset()
		m = onWhite(m)
	}
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: quality}); err != nil {
		return Paper{}, err
	}
	return Paper{Type: "image/jpeg", Data: out.Bytes()}, nil
}

func badImage(name string, err error) error {
	return refuse(ErrBroken, because(fmt.Sprintf("the %s picture is damaged or unusual (%v)", name, err), name+" 사진이 손상되었거나 특수한 형식입니다"),
		because("open it and save it again, or send a screenshot of it", "열어서 다시 저장하거나 화면을 캡처해 보내 주세요"))
}

// scaled is the picture with its longer side at most mostSide.
func scaled(m image.Image) image.Image {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if max(w, h) <= mostSide {
		return m
	}
	to := mostSide
	for max(w, h) > 2*to { // halves are exact; one larger step would leave points out
		m = resized(m, max(1, (w+1)/2), max(1, (h+1)/2))
		w, h = m.Bounds().Dx(), m.Bounds().Dy()
	}
	long := max(w, h)
	return resized(m, max(1, w*to/long), max(1, h*to/long))
}

func resized(m image.Image, w, h int) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.ApproxBiLinear.Scale(out, out.Bounds(), m, m.Bounds(), draw.Src, nil)
	return out
}

// plainPixels is the picture with eight bits to a colour.
func plainPixels(m image.Image) image.Image {
	switch m.(type) {
	case *image.NRGBA64, *image.RGBA64, *image.Gray16:
		out := image.NewNRGBA(m.Bounds())
		draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Src)
		return out
	}
	return m
}

func onWhite(m image.Image) image.Image {
	out := image.NewRGBA(m.Bounds())
	draw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Over)
	return out
}

// turned is the picture upright. EXIF counts: 3 stands on its head, 6 lies on its left side, 8 on its right; even numbers
// up to 4 and odd ones from 5 are mirrored too.
func turned(m image.Image, how int) image.Image {
	if how < 2 || how > 8 {
		return m
	}
	b := m.Bounds()
	in := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(in, in.Bounds(), m, b.Min, draw.Src)
	w, h := b.Dx(), b.Dy()
	if how >= 5 {
		w, h = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sx, sy := x, y // of an upright point, where it stands in the picture
			switch how {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, w-1-x
			case 7:
				sx, sy = h-1-y, w-1-x
			case 8:
				sx, sy = h-1-y, x
			}
			copy(out.Pix[y*out.Stride+4*x:][:4], in.Pix[sy*in.Stride+4*sx:][:4])
		}
	}
	return out
}

// lookJPEG reads the markers before the picture itself. A progressive picture is held as coefficients while it is
// decoded, four bytes each, beside its points.
func lookJPEG(data []byte) (shape, error) {
	var s shape
	for i := 2; i+4 <= len(data); {
		if data[i] != 0xff {
			return s, errors.New("its markers are wrong")
		}
		marker := data[i+1]
		if marker == 0xff {
			i++
			continue
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 {
			i += 2
			continue
		}
		size := int(binary.BigEndian.Uint16(data[i+2:]))
		if size < 2 || i+2+size > len(data) {
			return s, errors.New("it ends too early")
		}
		body := data[i+4 : i+2+size]
		switch {
		case marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) && s.turn == 0:
			s.turn = orientation(body[6:])
		case marker == 0xc0 || marker == 0xc1 || marker == 0xc2:
			return s, s.frame(body, marker == 0xc2)
		case marker >= 0xc3 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			return s, fmt.Errorf("its coding (%x) is one that hardly anything reads", marker)
		case marker == 0xda || marker == 0xd9:
			return s, errors.New("it has no size")
		}
		i += 2 + size
	}
	return s, errors.New("it ends too early")
}

// frame reads the size of a JPEG and of its samples.
func (s *shape) frame(body []byte, progressive bool) error {
	if len(body) < 6 || len(body) < 6+3*int(body[5]) || body[5] == 0 {
		return errors.New("its frame is cut short")
	}
	s.height, s.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	most, sum := 1, 0
	for c := range int(body[5]) {
		h, v := int(body[6+3*c+1]>>4), int(body[6+3*c+1]&15)
		most, sum = max(most, h*v), sum+h*v
	}
	bytes := int64(1)
	if progressive {
		bytes = 5
	}
	s.need = int64(s.width) * int64(s.height) * int64(sum) / int64(most) * bytes
	return nil
}

func lookPNG(data []byte) (shape, error) {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return shape{}, err
	}
	each := int64(4)
	switch c.ColorModel {
	case color.NRGBA64Model, color.RGBA64Model, color.Gray16Model:
		each = 12 // and eight bits to a colour afterwards
	}
	s := shape{width: c.Width, height: c.Height, need: int64(c.Width) * int64(c.Height) * each}
	for i := 8; i+12 <= len(data); {
		size := int64(binary.BigEndian.Uint32(data[i:]))
		kind := string(data[i+4 : i+8])
		if kind == "IEND" || int64(i)+12+size > int64(len(data)) {
			break
		}
		if kind == "eXIf" {
			s.turn = orientation(data[i+8 : i+8+int(size)])
		}
		i += 12 + int(size)
	}
	return s, nil
}

func lookGIF(data []byte) (shape, error) {
	c, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return shape{}, err
	}
	return shape{width: c.Width, height: c.Height, need: int64(c.Width) * int64(c.Height) * 4}, nil
}

// lookWebP reads the chunks: a frame may say that it is larger than the canvas.
func lookWebP(data []byte) (shape, error) {
	c, err := webp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return shape{}, err
	}
	s := shape{width: c.Width, height: c.Height}
	for i := 12; i+8 <= len(data); {
		size := int64(binary.LittleEndian.Uint32(data[i+4:]))
		end := min(int64(i)+8+size, int64(len(data)))
		body := data[i+8 : end]
		w, h := 0, 0
		switch kind := string(data[i : i+4]); {
		case kind == "EXIF":
			s.turn = orientation(bytes.TrimPrefix(body, []byte("Exif\x00\x00")))
		case kind == "VP8 " && len(body) >= 10:
			w, h = int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff)
		case kind == "VP8L" && len(body) >= 5:
			bits := binary.LittleEndian.Uint32(body[1:])
			w, h = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
		case kind == "ANIM":
			return s, errors.New("it moves; send one still picture")
		}
		s.width, s.height = max(s.width, w), max(s.height, h)
		i = int(end) + int(size&1)
	}
	s.need = int64(s.width) * int64(s.height) * 4
	return s, nil
}

// orientation reads tag 0x0112 of the first directory of a TIFF, as EXIF has it; 0 where there is none.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	n := int64(order.Uint16(tiff[at:]))
	for k := range n {
		e := at + 2 + 12*k
		if e+12 > int64(len(tiff)) {
			return 0
		}
		if order.Uint16(tiff[e:]) == 0x0112 && order.Uint16(tiff[e+2:]) == 3 {
			return int(order.Uint16(tiff[e+8:]))
		}
	}
	return 0
}
