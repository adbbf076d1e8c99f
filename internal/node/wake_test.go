package node_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"bongsu/internal/config"
	"bongsu/web"
)

// The nodes propose a loss: somebody is called over two channels and opens the links,
// one at each node that is left, and the record says so.
func TestTheCrewIsCalled(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard []string
	phones := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, r.URL.Path+" "+string(body))
	}))
	t.Cleanup(phones.Close)
	policy := fmt.Sprintf(`version: 1
channels: [{name: hook, kind: webhook, needs: [shop-db]}, {name: sms, kind: sms, needs: [shop-app]}]
people: [{name: kim, reach: {hook: "%s/hook", sms: 010-1234-5678}}]
alarms: [{name: loss, when: [proposed], channels: [hook, sms], levels: [{call: [{person: kim}], wait: 10m}]}]
`, phones.URL)
	w := newWorld(t, three, func(w *world, _ string, c *config.Config) {
		c.Policy.Declare, c.Policy.Approve = config.Confirm, config.Confirm
		c.Duty.Policy = filepath.Join(w.dir, "duty.yaml")
		c.Duty.SMS.URL, c.Duty.SMS.Allow, c.Duty.Webhook.Allow = phones.URL+"/sms", []string{"127.0.0.0/8"}, []string{"127.0.0.0/8"}
	})
	if err := os.WriteFile(filepath.Join(w.dir, "duty.yaml"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(three...)
	w.ready(three...)
	w.push(w.shop())
	w.setDark("north")
	if err := w.stop("north"); err != nil {
		t.Fatal(err)
	}
	var links []string
	eventually(t, "kim is called over both channels", func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		all := strings.Join(heard, "\n")
		links = regexp.MustCompile(`https?://[0-9.a-z]+:\d+/ack/[\w-]+`).FindAllString(all, -1)
		if !strings.Contains(all, "/hook") || !strings.Contains(all, "/sms") || len(links) < 3 {
			return fmt.Errorf("heard %q", heard)
		}
		return nil
	})
	c := w.client("south")
	now, err := c.Now(t.Context())
	if err != nil || now.Incident == nil {
		t.Fatal(err, now)
	}
	id := now.Incident.ID
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answered := 0
	for _, link := range links {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r, err := http.NewRequestWithContext(t.Context(), method, link, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err != nil {
				continue // the node that was lost serves it no more; the others do
			}
			body, err := io.ReadAll(resp.Body)
			if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), id) {
				t.Errorf("%s %s: %d, %v, %s", method, link, resp.StatusCode, err, body)
			}
			if method == http.MethodPost {
				answered++
			}
		}
	}
	if answered < 2 {
		t.Errorf("the link opens at %d nodes of %q, want 2", answered, links)
	}
	if _, err := c.Do(t.Context(), web.Command{Verb: web.Ack, Incident: id}); code(err) != "refused" {
		t.Errorf("nothing waits for an answer any more, but: %v (%s)", err, code(err))
	}
	eventually(t, "the record says who answered", func(ctx context.Context) error {
		rec, err := c.Record(ctx, id)
		if err != nil {
			return err
		}
		for _, x := range rec.Calls {
			if x.Person == "kim" && x.Outcome == "acknowledged" && !x.Answered.IsZero() && len(rec.Calls) >= 2 {
				return nil
			}
		}
		return fmt.Errorf("calls: %+v", rec.Calls)
	})
}
