package node

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/internal/config"
)

// s3 is a store that speaks as much of S3 as papers need, and verifies each request.
type s3 struct {
	secret string
	mu     sync.Mutex
	stored map[string][]byte
}

func (s *s3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = checkV4(r, body, s.secret)
	}
	if err != nil {
		http.Error(w, fmt.Sprint("<Code>SignatureDoesNotMatch</Code>", err), http.StatusForbidden)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		s.stored[r.URL.Path] = body
	case http.MethodGet:
		if b, ok := s.stored[r.URL.Path]; ok {
			_, _ = w.Write(b)
			return
		}
		http.Error(w, "<Code>NoSuchKey</Code>", http.StatusNotFound)
	case http.MethodDelete:
		delete(s.stored, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "", http.StatusMethodNotAllowed)
	}
}

func TestPapersInABucket(t *testing.T) {
	store := &s3{secret: "s/e+c=r et", stored: map[string][]byte{}}
	server := httptest.NewServer(store)
	defer server.Close()
	c := config.S3{Endpoint: server.URL, Region: "kr-1", Bucket: "papers", Prefix: "서류 1/", Key: "ID", Secret: config.Given(store.secret), Timeout: 10 * time.Second}
	claimtest.RunVault(t, NewPapers(c), "0000-0000-0000")
	if _, ok := store.stored["/papers/서류 1/0000-0000-0000/1"]; !ok || len(store.stored) != 2 {
		t.Errorf("%d objects", len(store.stored))
	}
	for name, tt := range map[string]func(c *config.S3){
		"a wrong secret":  func(c *config.S3) { c.Secret = config.Given("wrong") },
		"nobody answers":  func(c *config.S3) { c.Endpoint = "http://127.0.0.1:1" },
		"it is not there": func(c *config.S3) { c.Endpoint += "/\x7f" },
	} {
		other := c
		tt(&other)
		p := NewPapers(other)
		_, err := p.Get(t.Context(), "0000-0000-0000/1")
		for _, err := range []error{err, p.Put(t.Context(), "a/b", []byte("x")), p.Delete(t.Context(), "0000-0000-0000/1")} {
			if err == nil || errors.Is(err, claim.ErrNotFound) || name != "it is not there" && !errors.Is(err, claim.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(store.stored) != 2 {
		t.Errorf("%d objects", len(store.stored))
	}
}
