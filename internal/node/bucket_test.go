package node

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/config"
	"bongsu/status"
	"bongsu/web/public"
)

// The examples of "Authenticating Requests: Using the Authorization Header" in the
// API reference of Amazon S3.
func TestSignaturesAreThoseThatAWSPublished(t *testing.T) {
	const (
		key    = "AKIAIOSFODNN7EXAMPLE"
		secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
		empty  = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	)
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		method, url, payload string
		headers              map[string]string
		names, signature     string
	}{
		{
			"GET", "https://examplebucket.s3.amazonaws.com/test.txt", empty,
			map[string]string{"Range": "bytes=0-9"},
			"host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
		},
		{
			"PUT", "https://examplebucket.s3.amazonaws.com/test$file.text", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			map[string]string{"Date": "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY"},
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
		},
		{
			"GET", "https://examplebucket.s3.amazonaws.com/?lifecycle", empty, nil,
			"host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
		},
		{
			"GET", "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", empty, nil,
			"host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
		},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, c.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range c.headers {
			r.Header.Set(name, v)
		}
		signV4(r, c.payload, "us-east-1", key, secret, at)
		want := "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + c.names + ",Signature=" + c.signature
		if diff := cmp.Diff(want, r.Header.Get("Authorization")); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.method, c.url, diff)
		}
	}
}

// checkV4 verifies a request as a store would: from what came over the wire, with the
// secret of the key, and by none of the code that signed it.
func checkV4(r *http.Request, body []byte, secret string) error {
	var scope, names, signature string
	if _, err := fmt.Sscanf(strings.ReplaceAll(r.Header.Get("Authorization"), ",", " "), "AWS4-HMAC-SHA256 Credential=%s SignedHeaders=%s Signature=%s", &scope, &names, &signature); err != nil {
		return err
	}
	_, scope, _ = strings.Cut(scope, "/")
	sum := sha256.Sum256(body)
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		return errors.New("the body is not what was signed")
	}
	var headers strings.Builder
	for name := range strings.SplitSeq(names, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	request := sha256.Sum256([]byte(r.Method + "\n" + strings.Split(r.RequestURI, "?")[0] + "\n" + r.URL.RawQuery + "\n" + headers.String() + "\n" + names + "\n" + hex.EncodeToString(sum[:])))
	text := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + hex.EncodeToString(request[:])
	k := []byte("AWS4" + secret)
	for _, part := range append(strings.Split(scope, "/"), text) {
		h := hmac.New(sha256.New, k)
		h.Write([]byte(part))
		k = h.Sum(nil)
	}
	if hex.EncodeToString(k) != signature {
		return fmt.Errorf("the signature is %s, not %x", signature, k)
	}
	return nil
}

func stateOfPage() *status.State {
	now := time.Now()
	return &status.State{
		Rev: 1, AsOf: now, GoodFor: time.Minute, Received: now,
		Catalog: status.Catalog{Company: "회사", Title: status.Text{"ko": "상태", "en": "Status"}, URL: "https://status.example", TimeZone: "Asia/Seoul", Services: []status.Service{{Name: "shop", Title: status.Text{"ko": "쇼핑", "en": "Shop"}, Users: 10}}},
	}
}

func TestThePageIsWrittenToABucketAndToAFolderAlike(t *testing.T) {
	const secret = "s/e+c=r et"
	stored := map[string]string{}
	types := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = checkV4(r, body, secret)
		}
		if err != nil || r.Method != http.MethodPut {
			http.Error(w, fmt.Sprint(r.Method, err), http.StatusForbidden)
			return
		}
		stored[r.URL.Path], types[r.URL.Path] = string(body), r.Header.Get("Content-Type")
	}))
	defer server.Close()
	b := NewBucket(config.S3{Endpoint: server.URL, Region: "kr-1", Bucket: "pages", Prefix: "상태 page/", Key: "ID", Secret: config.Given(secret), Timeout: time.Second})
	dir := filepath.Join(t.TempDir(), "out")
	for round := range 2 {
		st := stateOfPage()
		for _, to := range []Exporter{b, Folder(dir)} {
			if err := public.Export(t.Context(), st, public.ExportOptions{Now: st.AsOf}, func(path string, data []byte) error { return to.Put(t.Context(), path, data) }); err != nil {
				t.Fatalf("round %d, %s: %v", round, to, err)
			}
		}
	}
	files := map[string]string{}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		files["/pages/상태 page/"+filepath.ToSlash(name)] = string(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Errorf("only %d files", len(files))
	}
	if diff := cmp.Diff(files, stored); diff != "" {
		t.Errorf("the bucket is not as the folder (-folder +bucket):\n%.2000s", diff)
	}
	if got := types["/pages/상태 page/ko/index.html"]; !strings.HasPrefix(got, "text/html") {
		t.Errorf("a page has the type %q", got)
	}
	b.c.Secret = config.Given("wrong")
	if err := b.Put(t.Context(), "new.html", []byte("x")); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("with a wrong secret: %v", err)
	}
}

func TestAFolderIsNotLeft(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(t.TempDir(), "out")
	f := Folder(dir)
	if err := f.Put(t.Context(), "index.html", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"../evil", "/evil", "a/../../evil", "", "link/evil"} {
		if err := f.Put(t.Context(), path, []byte("x")); err == nil {
			t.Errorf("%q was written", path)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside the folder there is %v, %v", left, err)
	}
}
