package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bongsu/estate"
	"bongsu/web"
	"bongsu/web/webtest"
)

// grown is a node with 2,000 services and 32,000 hosts: 8 sites of 4 halls, 10 racks of
// 100 replicas in each. One site is lost.
func grown(tb testing.TB) *web.Server {
	tb.Helper()
	var y strings.Builder
	doc := func(format string, args ...any) { fmt.Fprintf(&y, "---\n"+format+"\n", args...) }
	for s := range 8 {
		site := fmt.Sprintf("s%d", s)
		if s == 0 {
			site = "pangyo"
		}
		doc("{kind: Domain, name: %s, type: site}", site)
		for h := range 4 {
			doc("{kind: Domain, name: %s-h%d, type: hall, needs: [%s]}", site, h, site)
			for r := range 10 {
				rack := fmt.Sprintf("%s-h%d-r%d", site, h, r)
				doc("{kind: Domain, name: %s, type: rack, needs: [%s-h%d]}", rack, site, h)
				doc("{kind: Component, name: c-%s, replicas: [{in: %s, count: 100}]}", rack, rack)
			}
		}
	}
	for i := range 2000 {
		site := fmt.Sprintf("s%d", i%8)
		if i%8 == 0 {
			site = "pangyo"
		}
		doc("{kind: Service, name: service-%d, title: 서비스 %d, users: %d, needs: [c-%s-h%d-r%d]}", i, i, 1000+i, site, i%4, i%10)
	}
	snap, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(y.String())}})
	if err != nil {
		tb.Fatal(err)
	}
	b, err := webtest.New("running")
	if err != nil {
		tb.Fatal(err)
	}
	b.Change(func(f *web.Facts) { f.Estate = snap; f.Revision.Services = len(snap.Services) })
	s, err := web.New(web.Options{Backend: b, Accounts: webtest.Accounts{}, Key: webtest.Key()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// BenchmarkPages makes the pages of a company with 2,000 services and 32,000 hosts.
func BenchmarkPages(b *testing.B) {
	s := grown(b)
	for _, page := range []string{"/", "/?state=up&page=20", "/hosts", room, room + "/report", "/journal", "/api/v1/now", "/api/v1/hosts"} {
		b.Run(page, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, page, nil)
				r.Header.Set("Authorization", "Bearer approver-token")
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatalf("status %d", w.Code)
				}
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "B/page")
		})
	}
}

// TestGrown: pages stay small and whole however much there is.
func TestGrown(t *testing.T) {
	s := grown(t)
	for page, most := range map[string]int{"/": 96 << 10, "/?state=down&page=3": 96 << 10, "/hosts": 192 << 10, room: 96 << 10} {
		if w := ask(t, s, http.MethodGet, page, "approver"); w.Code != http.StatusOK || w.Body.Len() > most {
			t.Errorf("%s: status %d, %d bytes, at most %d", page, w.Code, w.Body.Len(), most)
		}
	}
}
