package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/internal/config"
)

// Papers is the vault of sealed papers in a store that speaks S3. The bucket is not that
// of the page: nobody else may read it. It is safe for use by many at once.
type Papers struct {
	c      config.S3
	client *http.Client
}

var _ claim.Vault = (*Papers)(nil)

// NewPapers makes a vault of what a configuration says.
func NewPapers(c config.S3) *Papers { return &Papers{c, &http.Client{Timeout: c.Timeout}} }

// String names it in logs.
func (p *Papers) String() string { return p.c.Endpoint + "/" + p.c.Bucket }

// Put implements [claim.Vault]: the store answers when it has the whole paper.
func (p *Papers) Put(ctx context.Context, name string, sealed []byte) error {
	_, err := p.do(ctx, http.MethodPut, name, sealed)
	return err
}

// Get implements [claim.Vault].
func (p *Papers) Get(ctx context.Context, name string) ([]byte, error) {
	return p.do(ctx, http.MethodGet, name, nil)
}

// Delete implements [claim.Vault].
func (p *Papers) Delete(ctx context.Context, name string) error {
	if _, err := p.do(ctx, http.MethodDelete, name, nil); err != nil && !errors.Is(err, claim.ErrNotFound) {
		return err
	}
	return nil
}

// mostPaper is more than a sealed paper can have.
const mostPaper = 64 << 20

// do sends one signed request.
func (p *Papers) do(ctx context.Context, method, name string, body []byte) ([]byte, error) {
	u, err := url.Parse(p.c.Endpoint)
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + p.c.Bucket + "/" + p.c.Prefix + name
	u.RawPath = escapePath(u.Path)
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPut {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	sum := sha256.Sum256(body)
	signV4(req, hex.EncodeToString(sum[:]), p.c.Region, p.c.Key, p.c.Secret.Secret().Reveal(), time.Now())
	res, err := p.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("paper %s: %w: %w", name, claim.ErrUnavailable, err)
	}
	got, err := io.ReadAll(io.LimitReader(res.Body, mostPaper))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, fmt.Errorf("paper %s: %w: %w", name, claim.ErrUnavailable, err)
	}
	switch {
	case res.StatusCode/100 == 2:
		return got, nil
	case res.StatusCode == http.StatusNotFound && !bytes.Contains(got, []byte("NoSuchBucket")):
		return nil, fmt.Errorf("%w: paper %q", claim.ErrNotFound, name)
	}
	// A wrong key or bucket is ours to put right; until then nothing is taken that is not kept.
	return nil, fmt.Errorf("paper %s: %w: the bucket answered %s: %.300s", name, claim.ErrUnavailable, res.Status, got)
}
