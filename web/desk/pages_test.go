package desk

import (
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	update  = flag.Bool("update", false, "write the golden pages anew")
	gallery = flag.String("gallery", "", "address to serve every page at, until the test is stopped")
)

// TestGallery serves the desk of the tests for people to look at.
func TestGallery(t *testing.T) {
	if *gallery == "" {
		t.Skip("only with -gallery")
	}
	var b *bench
	b = filled(t)
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", *gallery)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = b.s.Run(t.Context()) }()
	t.Error(http.Serve(ln, b.s)) //nolint:gosec // for one reader on this machine
}

// inBubble runs a test at a time that stands still: pages then are the same each time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.NewTimer(30*24*time.Hour + 12*time.Hour).C
		f(t)
	})
}

// golden compares a page with the one that was looked at.
func (b *bench) golden(name, html string) {
	b.t.Helper()
	file := filepath.Join("testdata", "golden", name+".html")
	got := b.plain(html)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			b.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		b.t.Errorf("%s: go test ./web/desk -update after looking:\n%s", name, diff)
	}
}

func TestPages(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := filled(t)
		lee := b.as("lee")
		b.golden("queue", lee.page("/claims"))
		for i := range b.ids {
			b.golden("claim-"+string(rune('1'+i)), lee.page("/claims/"+b.ids[i]))
		}
	})
}
