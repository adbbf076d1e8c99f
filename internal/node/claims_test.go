package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
)

// windows are the incidents that reports are taken on at a site.
func (s *square) windows(ctx context.Context, site string) ([]claim.Window, error) {
	var out struct {
		Windows []claim.Window `json:"windows"`
	}
	return out.Windows, s.getJSON(ctx, s.pages[site]+"/api/v1/claim-windows.json", "", &out)
}

func (s *square) getJSON(ctx context.Context, url, bearer string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, res.Status, text)
	}
	return json.Unmarshal(text, into)
}

// report files a report as a program does.
func (s *square) report(ctx context.Context, site, key string, body map[string]any) (claim.Receipt, error) {
	var got claim.Receipt
	text, err := json.Marshal(body)
	if err != nil {
		return got, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.pages[site]+"/api/v1/claims", bytes.NewReader(text))
	if err != nil {
		return got, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return got, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return got, err
	}
	if res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusOK {
		return got, fmt.Errorf("%s: %s", res.Status, answer)
	}
	var said struct {
		Code, Secret string
		Again        bool
	}
	err = json.Unmarshal(answer, &said)
	return claim.Receipt{ID: said.Code, Secret: said.Secret, Again: said.Again}, err
}

// shopReport is what somebody who could not use the shop sends.
func shopReport(consent string, n int) map[string]any {
	return map[string]any{
		"incident": "fire", "service": "shop", "use": "free", "kind": "person", "loss": 10_000 + n, "consent": consent,
		"text": fmt.Sprintf("결제가 되지 않아 주문을 %d건 놓쳤습니다", n), "email": fmt.Sprintf("p%d@example.com", n), "lang": "ko",
	}
}

// An incident is told of, and within seconds reports are taken at every site; what was
// acknowledged at one is there when that one is lost.
func TestReportsAreTakenAsSoonAsAnIncidentIsTold(t *testing.T) {
	s := newSquare(t, three)
	s.start(three...)
	s.quorum(three...)
	told := time.Now()
	s.publish("north", 1)
	var consent string
	for _, site := range three {
		within(t, patience, "reports are taken at "+site, func(ctx context.Context) error {
			w, err := s.windows(ctx, site)
			if err == nil && len(w) != 1 {
				err = fmt.Errorf("%d windows", len(w))
			}
			if err == nil {
				consent = w[0].Consent.Version
			}
			return err
		})
	}
	t.Logf("reports are taken at all sites %v after the incident was told", time.Since(told).Round(100*time.Millisecond))
	var receipts []claim.Receipt
	for n := range 5 {
		r, err := s.report(t.Context(), "north", fmt.Sprintf("key-of-report-%04d", n), shopReport(consent, n))
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
	}
	// The same once more, at another site: the same receipt.
	again, err := s.report(t.Context(), "east", "key-of-report-0000", shopReport(consent, 0))
	if err != nil || again.ID != receipts[0].ID || again.Secret != receipts[0].Secret {
		t.Errorf("filed again: %+v, %v; want %+v", again, err, receipts[0])
	}
	s.stop("north")
	for _, site := range []string{"south", "east"} {
		for _, r := range receipts {
			within(t, patience, r.ID+" at "+site, func(ctx context.Context) error {
				var got struct {
					State string `json:"state"`
				}
				if err := s.getJSON(ctx, s.pages[site]+"/api/v1/claims/"+r.ID, r.Secret, &got); err != nil {
					return err
				}
				if got.State == "" {
					return errors.New("no state")
				}
				return nil
			})
		}
	}
	// A page of the site that is left offers the form.
	text, err := s.page(t.Context(), "south")
	if err != nil || !strings.Contains(text, "report.html") {
		t.Errorf("the page of the incident does not lead to the form (%v)", err)
	}
	// Without a quorum nothing is taken that is not kept.
	s.stop("east")
	if r, err := s.report(t.Context(), "south", "key-of-report-9999", shopReport(consent, 9999)); err == nil {
		t.Errorf("taken without a quorum: %+v", r)
	} else if !strings.Contains(err.Error(), "503") {
		t.Errorf("refused with %v, want 503", err)
	}
}
