package public

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bongsu/status"
)

// mostCached bounds what the files of one state take in memory. Who asks for more
// than that in one state begins anew.
const mostCached = 256 << 20

// A cache holds the files of one state, each made when somebody first asks for it.
type cache struct {
	state *status.State
	told  *Compensation
	until time.Time // when a window opens or closes; zero: never
	stale bool
	hour  int64
	site  *site
	forms bool

	mu    sync.RWMutex
	files map[out]*entry
	blank map[blank][]byte // forms about damage, without what is another one for each reader
	bytes atomic.Int64
}

// An entry is a file that is served from memory.
type entry struct {
	once  sync.Once
	err   error
	kind  []string
	lang  []string
	plain []byte
	small []byte // gzip; nil when that is not smaller
	etag  []string

	plainLen, smallLen []string
	cors               bool
}

// current returns the cache of what is known now. The state changes, becomes too
// old to be believed, or an hour begins: then there is another one.
func (s *Server) current() *cache {
	state, told, now := s.source.State(), s.told(), time.Now()
	if c := s.now.Load(); c != nil && c.fits(state, told, now) {
		return c
	}
	s.renew.Lock()
	defer s.renew.Unlock()
	if c := s.now.Load(); c != nil && c.fits(state, told, now) {
		return c
	}
	c := &cache{state: state, told: told, until: told.next(now), site: newSite(state, told, now), hour: now.Unix() / 3600, forms: s.desk != nil, files: make(map[out]*entry), blank: make(map[blank][]byte)}
	c.stale, c.site.takes = c.site.stale, s.claims != nil
	s.now.Store(c)
	return c
}

func (c *cache) fits(state *status.State, told *Compensation, now time.Time) bool {
	return c.state == state && c.told == told && (c.until.IsZero() || now.Before(c.until)) && c.hour == now.Unix()/3600 && c.bytes.Load() < mostCached &&
		(state == nil || c.stale == state.Stale(now))
}

// entry returns the file at o, or nil if there is none.
func (c *cache) entry(r *renderer, o out) *entry {
	c.mu.RLock()
	e := c.files[o]
	c.mu.RUnlock()
	if e == nil {
		if _, ok := c.site.find(o.path, c.forms); !ok {
			return nil
		}
		c.mu.Lock()
		if e = c.files[o]; e == nil {
			e = &entry{}
			c.files[o] = e
		}
		c.mu.Unlock()
	}
	e.once.Do(func() {
		t, _ := c.site.find(o.path, c.forms)
		e.make(r, c.site, t, o)
		c.bytes.Add(int64(len(e.plain) + len(e.small)))
	})
	return e
}

func (e *entry) make(r *renderer, x *site, t target, o out) {
	if e.plain, e.err = r.file(x, t, o); e.err != nil {
		return
	}
	file := o.path
	if file == "" {
		file = "index.html"
	}
	e.kind, e.lang = []string{MediaType(file)}, []string{string(o.lang)}
	level := gzip.BestCompression
	if len(e.plain) > 256<<10 {
		level = gzip.DefaultCompression
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		e.err = err // unreachable: the levels are constants
		return
	}
	if _, err := z.Write(e.plain); err != nil {
		e.err = err // unreachable: a bytes.Buffer takes all
		return
	}
	if err := z.Close(); err != nil {
		e.err = err // unreachable: a bytes.Buffer takes all
		return
	}
	if b.Len() < len(e.plain) {
		e.small = b.Bytes()
	}
	sum := sha256.Sum256(e.plain)
	e.etag = []string{`W/"` + hex.EncodeToString(sum[:8]) + `"`}
	e.plainLen, e.smallLen = []string{strconv.Itoa(len(e.plain))}, []string{strconv.Itoa(len(e.small))}
	e.cors = !strings.HasPrefix(e.kind[0], "text/html")
}

// Values of headers that every answer shares: setting them takes no memory.
//
//nolint:gochecknoglobals // constants, which Go has not for slices
var (
	nosniff    = []string{"nosniff"}
	sameOrigin = []string{"same-origin"}
	revalidate = []string{"public, max-age=0, s-maxage=1, must-revalidate"}
	anyOrigin  = []string{"*"}
	isGzip     = []string{"gzip"}
	varyTree   = []string{"Accept-Encoding"}
	varyRoot   = []string{"Accept-Encoding, Accept-Language, Cookie"}
)

// serve writes the file. A browser asks each time whether what it holds is still so;
// a cache in front of us may hold it for one second.
func (e *entry) serve(w http.ResponseWriter, r *http.Request, neutral bool) {
	h := w.Header()
	h["Cache-Control"], h["Etag"], h["Vary"], h["Content-Type"], h["Content-Language"] = revalidate, e.etag, varyTree, e.kind, e.lang
	if neutral {
		h["Vary"] = varyRoot
	}
	if e.cors {
		h["Access-Control-Allow-Origin"] = anyOrigin
	}
	if match := r.Header.Get("If-None-Match"); match != "" && strings.Contains(match, e.etag[0][2:]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := e.plain
	h["Content-Length"] = e.plainLen
	if e.small != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h["Content-Encoding"], h["Content-Length"] = isGzip, e.smallLen
		body = e.small
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = io.Writer(w).Write(body) // the reader may have left; there is nobody to tell
	}
}

func acceptsGzip(accept string) bool {
	for item := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		if coding == "gzip" || coding == "*" {
			q := strings.TrimSpace(params)
			return !strings.HasPrefix(q, "q=0") || strings.HasPrefix(q, "q=0.") && strings.Trim(q[4:], "0") != ""
		}
	}
	return false
}
