package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// An asset is one embedded file under a name that changes with its content, so
// that a browser may keep it for ever and still never shows an old one.
type asset struct {
	path string // as in a link: app.1a2b3c4d.css
	mime string
	body []byte
}

func loadAssets() (byName map[string]asset, err error) {
	types := map[string]string{
		".css": "text/css; charset=utf-8",
		".js":  "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
	}
	byName = make(map[string]asset)
	err = fs.WalkDir(staticFiles, "static", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := staticFiles.ReadFile(p)
		if err != nil {
			return err
		}
		ext := path.Ext(p)
		if types[ext] == "" {
			return fmt.Errorf("asset %s: no media type for %q", p, ext)
		}
		sum := sha256.Sum256(b)
		name := path.Base(p)
		byName[name] = asset{
			path: strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			mime: types[ext],
			body: b,
		}
		return nil
	})
	return byName, err
}

func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.byPath[r.PathValue("name")]
	if !ok {
		s.fail(w, r, errNotFound)
		return
	}
	w.Header().Set("Content-Type", a.mime)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	if _, err := w.Write(a.body); err != nil {
		return // the reader left; there is nobody to tell
	}
}
