package desk

import (
	"flag"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim/policy"
	"bongsu/internal/lang"
)

var (
	update  = flag.Bool("update", false, "write the golden pages anew")
	gallery = flag.String("gallery", "", "address to serve every page at, until the test is stopped")
)

// TestGallery serves the desk of the tests: with -gallery it stays, for people to look at.
func TestGallery(t *testing.T) {
	if *gallery == "" {
		synctest.Test(t, func(t *testing.T) {
			w := httptest.NewRecorder()
			filled(t).s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/login", nil))
			if w.Code != http.StatusOK {
				t.Errorf("the gallery's first page answers %d", w.Code)
			}
		})
		return
	}
	b := filled(t)
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", *gallery)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = b.s.Run(t.Context()) }()
	t.Error(http.Serve(ln, b.s))
}

// laterOn moves the clock of a bubble on: pages are the same each time, and there is a
// past for the outage to lie in.
func laterOn() { <-time.NewTimer(30*24*time.Hour + 12*time.Hour).C }

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
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		lee := b.as("lee")
		b.golden("queue", lee.page("/claims"))
		for i := range b.ids {
			b.golden("claim-"+string(rune('1'+i)), lee.page("/claims/"+b.ids[i]))
		}
	})
}

// TestLineWithoutEnd: a claim that says no end is told so, and not as one that ended when it began.
func TestLineWithoutEnd(t *testing.T) {
	r, err := newRenderer(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2022, 10, 15, 6, 55, 0, 0, time.UTC)
	for _, to := range []time.Time{{}, from.Add(time.Hour)} {
		line := newTimeLine(nil, &policy.Case{Claim: policy.Claim{From: from, To: to}}, r, lang.Korean)
		if n := len(line.Rows); n != 1 || line.Rows[0].Unsaid != to.IsZero() {
			t.Errorf("until %v: %+v", to, line.Rows)
		}
	}
}
