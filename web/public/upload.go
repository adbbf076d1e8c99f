package public

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

// How slow an upload may be: the reader of a bad line gets four minutes, somebody who
// only holds the connection gets 20 seconds.
const (
	uploadTime   = 4 * time.Minute
	uploadGrace  = 20 * time.Second
	uploadSlow   = 16 << 10 // bytes a second after that
	mostMemory   = 384 << 20
	memoryChunk  = 256 << 10
	mostDrained  = 80 << 20 // of what is too large, so that the answer is seen
	mostUploads  = 64
	mostOfPrefix = 8
)

var (
	errLarge = errors.New("more was sent than is taken")
	errSlow  = errors.New("it was sent too slowly")
	errBusy  = errors.New("too many files are being sent just now")
)

// A budget bounds the memory of all files that are on their way in.
type budget struct {
	mu   sync.Mutex
	left int64
}

func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < n {
		return false
	}
	b.left -= n
	return true
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += n
}

// An upload is a file on its way in. It is in memory only: nothing of it is written
// anywhere before it is sealed.
type upload struct {
	name  string
	kind  string // of evidence, by the field that it came in; empty: the form says
	data  []byte
	wrong string // key of a message; empty: it can be taken
}

// A sent form, with its files.
type sent struct {
	*typed

	papers []upload
	held   int64
	budget *budget
	leave  func()
}

// done gives the memory of the files back.
func (f *sent) done() {
	f.budget.give(f.held)
	f.held = 0
	if f.leave != nil {
		f.leave()
		f.leave = nil
	}
}

// read reads a form with or without files. What was typed is read before the files,
// and is returned even when the files cannot be: error says then why.
func (s *Server) read(w http.ResponseWriter, r *http.Request, network string) (*sent, error) {
	f := &sent{typed: &typed{values: url.Values{}}, budget: s.claims.memory}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		r.Body = http.MaxBytesReader(w, r.Body, mostWords)
		if err := r.ParseForm(); err != nil {
			if _, large := errors.AsType[*http.MaxBytesError](err); large {
				return f, errLarge
			}
			return f, err
		}
		f.values = r.PostForm
		return f, nil
	}
	if r.ContentLength > mostUpload+mostDrained {
		w.Header().Set("Connection", "close")
		return f, errLarge
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(uploadTime + time.Minute)) // what has no deadline to set is a test
	body := &steady{from: r.Body, control: c, began: time.Now(), most: mostUpload}
	body.large = func() error { return s.enter(f, network) } // whatever it is that makes it large
	err = s.parts(f, multipart.NewReader(body, params["boundary"]), network)
	body.large = nil
	if errors.Is(err, errLarge) || errors.Is(err, errBusy) {
		body.most = mostDrained
		_, _ = io.Copy(io.Discard, body) // so that the browser reads what we say
	}
	return f, err
}

// enter gives a form one of the places of those that hold much memory, once.
func (s *Server) enter(f *sent, network string) error {
	if f.leave != nil {
		return nil
	}
	if !s.claims.guests.enter(network) {
		return errBusy
	}
	f.leave = func() { s.claims.guests.leave(network) }
	return nil
}

// A form has some dozens of fields; each costs some bytes beside its name and value.
const (
	mostFields = 64
	partSize   = 128
)

func (s *Server) parts(f *sent, m *multipart.Reader, network string) error {
	words, files := int64(0), 0
	for {
		p, err := m.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := p.FormName()
		field, kind, _ := strings.Cut(name, ":")
		if p.FileName() == "" && field != "files" {
			b, err := io.ReadAll(io.LimitReader(p, mostWords-words+1))
			if err != nil {
				return err
			}
			if words += int64(len(name) + len(b) + partSize); words > mostWords+partSize*mostFields {
				return errLarge
			}
			f.values.Add(name, string(b))
			continue
		}
		if p.FileName() == "" {
			continue // a field for files in which none was chosen
		}
		if files++; files > mostFiles {
			if files <= 2*mostFiles { // the rest is told with them
				f.papers = append(f.papers, upload{name: cutName(p.FileName()), wrong: "file.many"})
			}
			continue
		}
		if err := s.enter(f, network); err != nil {
			return err
		}
		x, err := f.file(p)
		if err != nil {
			return err
		}
		x.kind = cutName(kind)
		if kind == "" {
			x.kind = ""
		}
		f.papers = append(f.papers, x)
	}
}

// file reads one file into memory, as long as there is memory.
func (f *sent) file(p *multipart.Part) (upload, error) {
	x := upload{name: cutName(p.FileName())}
	var chunks [][]byte
	size := 0
	for {
		if !f.budget.take(2 * memoryChunk) { // once here, once where it is put together
			return x, errBusy
		}
		f.held += 2 * memoryChunk
		b := make([]byte, memoryChunk)
		n, err := io.ReadFull(p, b)
		size += n
		chunks = append(chunks, b[:n])
		if size > mostFile {
			x.wrong = "file.large"
			_, err := io.Copy(io.Discard, p)
			return x, err
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return x, err
		}
	}
	if size == 0 {
		x.wrong = "file.empty"
	}
	x.data = bytes.Join(chunks, nil)
	return x, nil
}

// cutName is the name of a file to be shown, without its folders.
func cutName(name string) string {
	name = path.Base(strings.ReplaceAll(clean(name), `\`, "/"))
	if r := []rune(name); len(r) > 40 {
		name = string(r[:20]) + "…" + string(r[len(r)-19:])
	}
	return name
}

// Steady is a body that has to keep coming.
type steady struct {
	from    io.Reader
	control *http.ResponseController
	began   time.Time
	got     int64
	most    int64
	large   func() error // asked once, when more came than words take; nil: it may be large
}

// Read reads on, unless too much came, or too slowly.
func (b *steady) Read(p []byte) (int, error) {
	if b.got > b.most {
		return 0, errLarge
	}
	gone := time.Since(b.began)
	if gone > uploadTime || gone > uploadGrace && b.got < int64((gone-uploadGrace).Seconds()*uploadSlow) {
		return 0, errSlow
	}
	_ = b.control.SetReadDeadline(time.Now().Add(uploadGrace)) // what has no deadline to set is a test
	n, err := b.from.Read(p)
	b.got += int64(n)
	if b.large != nil && b.got > mostWords {
		may := b.large()
		b.large = nil
		if may != nil {
			return n, may
		}
	}
	return n, err
}
