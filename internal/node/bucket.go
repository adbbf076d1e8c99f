package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bongsu/internal/config"
	"bongsu/web/public"
)

// An Exporter takes the files of the page.
type Exporter interface {
	// Put writes one file, whole or not at all.
	Put(ctx context.Context, path string, data []byte) error
	String() string
}

// Folder writes files below a folder.
type Folder string

// String names it in logs.
func (f Folder) String() string { return string(f) }

// Put implements [Exporter]. A reader sees the old file or the new one.
func (f Folder) Put(_ context.Context, path string, data []byte) error {
	if !filepath.IsLocal(filepath.FromSlash(path)) {
		return fmt.Errorf("%q leads out of the folder", path)
	}
	root, err := openRoot(string(f))
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	name := filepath.FromSlash(path)
	if old, err := root.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".part")
	if err := root.WriteFile(part, data, 0o644); err != nil { // everybody may read what is public
		return err
	}
	return root.Rename(part, name)
}

// openRoot opens a folder that nothing written through it can leave, be it by a link.
func openRoot(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // everybody may read what is public
			return nil, err
		}
		return os.OpenRoot(dir)
	}
	return root, err
}

// Bucket writes files to a store that speaks S3, by signed PUT requests.
type Bucket struct {
	c      config.S3
	client *http.Client
	sums   map[string][sha256.Size]byte // of what was written, by path
}

// NewBucket makes a bucket of what a configuration says.
func NewBucket(c config.S3) *Bucket {
	return &Bucket{c: c, client: &http.Client{Timeout: c.Timeout}, sums: map[string][sha256.Size]byte{}}
}

// String names it in logs.
func (b *Bucket) String() string { return b.c.Endpoint + "/" + b.c.Bucket }

// Put implements [Exporter]. What was written before and is the same is left alone.
func (b *Bucket) Put(ctx context.Context, path string, data []byte) error {
	sum := sha256.Sum256(data)
	if had, ok := b.sums[path]; ok && had == sum {
		return nil
	}
	u, err := url.Parse(b.c.Endpoint)
	if err != nil {
		return err
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + b.c.Bucket + "/" + b.c.Prefix + path
	u.RawPath = escapePath(u.Path)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", cmp.Or(public.MediaType(path), "application/octet-stream"))
	req.Header.Set("Cache-Control", cacheControl(path))
	signV4(req, hex.EncodeToString(sum[:]), b.c.Region, b.c.Key, b.c.Secret.Secret().Reveal(), time.Now())
	res, err := b.client.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 2000))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the bucket answered %s: %.300s", res.Status, text)
	}
	b.sums[path] = sum
	return nil
}

// cacheControl keeps whoever stands between from showing an old page.
func cacheControl(path string) string {
	if strings.HasPrefix(path, "assets/") {
		return "public, max-age=31536000, immutable"
	}
	return "public, max-age=10"
}

const (
	amzTime   = "20060102T150405Z"
	amzMethod = "AWS4-HMAC-SHA256"
)

// signV4 signs a request by AWS Signature Version 4 for the service s3, with all its
// headers. payload is the SHA-256 of the body, in hex.
func signV4(r *http.Request, payload, region, key, secret string, now time.Time) {
	r.Header.Set("X-Amz-Date", now.UTC().Format(amzTime))
	r.Header.Set("X-Amz-Content-Sha256", payload)
	names, canonical := canonicalHeaders(r)
	scope := strings.Join([]string{now.UTC().Format("20060102"), region, "s3", "aws4_request"}, "/")
	sign := hex.EncodeToString(mac(signingKey(secret, now, region, "s3"), stringToSign(canonicalRequest(r, canonical, names, payload), scope, now)))
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s,SignedHeaders=%s,Signature=%s", amzMethod, key, scope, names, sign))
}

// canonicalHeaders returns the names of all headers, and the headers as they are signed.
func canonicalHeaders(r *http.Request) (names, canonical string) {
	headers := map[string]string{"host": cmp.Or(r.Host, r.URL.Host)}
	for name, values := range r.Header {
		if name == "Authorization" {
			continue
		}
		trimmed := make([]string, len(values))
		for i, v := range values {
			trimmed[i] = strings.Join(strings.Fields(v), " ")
		}
		headers[strings.ToLower(name)] = strings.Join(trimmed, ",")
	}
	list := make([]string, 0, len(headers))
	for name := range headers {
		list = append(list, name)
	}
	slices.Sort(list)
	var b strings.Builder
	for _, name := range list {
		b.WriteString(name + ":" + headers[name] + "\n")
	}
	return strings.Join(list, ";"), b.String()
}

func canonicalRequest(r *http.Request, headers, names, payload string) string {
	return strings.Join([]string{r.Method, escapePath(cmp.Or(r.URL.Path, "/")), canonicalQuery(r.URL.Query()), headers, names, payload}, "\n")
}

func canonicalQuery(q url.Values) string {
	var all []string
	for name, values := range q {
		for _, v := range values {
			all = append(all, escapeURI(name, false)+"="+escapeURI(v, false))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "&")
}

func stringToSign(request, scope string, now time.Time) string {
	sum := sha256.Sum256([]byte(request))
	return strings.Join([]string{amzMethod, now.UTC().Format(amzTime), scope, hex.EncodeToString(sum[:])}, "\n")
}

func signingKey(secret string, now time.Time, region, service string) []byte {
	k := mac([]byte("AWS4"+secret), now.UTC().Format("20060102"))
	for _, part := range []string{region, service, "aws4_request"} {
		k = mac(k, part)
	}
	return k
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func escapePath(p string) string { return escapeURI(p, true) }

// escapeURI escapes all but what RFC 3986 calls unreserved, and slashes in a path.
func escapeURI(s string, path bool) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 || path && c == '/' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// export writes the page as plain files after each change, and now and then without
// one, so that the files stay valid.
func (p *Public) export(ctx context.Context, to Exporter) error {
	changes := p.board.Changes(ctx)
	tick := time.NewTicker(p.o.ExportEvery)
	defer tick.Stop()
	failing := false
	for {
		st := p.board.State()
		if st.Catalog.URL != "" {
			var o public.ExportOptions
			if p.claims != nil {
				o.Compensation = p.claims.told.Compensation()
			}
			err := public.Export(ctx, st, o, func(path string, b []byte) error { return to.Put(ctx, path, b) })
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				p.log.Warn("the page is not written as files", "to", to.String(), "err", err)
			case failing:
				p.log.Info("the page is written as files again", "to", to.String())
			}
			failing = err != nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case _, ok := <-changes:
			if !ok {
				return nil
			}
			if sameBut(st, p.board.State()) {
				continue // only a pulse: the next tick is soon enough
			}
		}
	}
}
