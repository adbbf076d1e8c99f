package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bongsu/audit"
	"bongsu/web"
	"bongsu/web/webtest"
)

// TestAuditPage compares the page with what it was, in both languages.
func TestAuditPage(t *testing.T) {
	for _, c := range []struct{ scenario, page, name string }{
		{"well", "/audit", "audit"},
		{"empty", "/audit", "audit"},
		{"no-quorum", "/audit?severity=error&rule=unrecoverable&loss=pangyo", "audit-chosen"},
		{"large", "/audit?services=2&page=2", "audit-page-2"},
	} {
		for _, lang := range []string{"ko", "en"} {
			name := c.scenario + "." + c.name + "." + lang + ".html"
			t.Run(name, func(t *testing.T) {
				s, _ := console(t, c.scenario)
				golden(t, name, ask(t, s, http.MethodGet, c.page, "viewer", inLang(lang)).Body.String())
			})
		}
	}
}

// TestAuditPageIsSound checks what a screen reader leans on, and that nothing of an
// estate becomes markup.
func TestAuditPageIsSound(t *testing.T) {
	for _, scenario := range []string{"well", "empty", "no-quorum", "hostile", "large"} {
		s, _ := console(t, scenario)
		w := ask(t, s, http.MethodGet, "/audit", "viewer")
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", scenario, w.Code, w.Body)
		}
		body := w.Body.String()
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if ids[m[1]] {
				t.Errorf("%s has two elements with id %q", scenario, m[1])
			}
			ids[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`(?:<use [^>]*href="#|<label for="|aria-labelledby=")([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if !ids[m[1]] {
				t.Errorf("%s points to %q, which it has not", scenario, m[1])
			}
		}
		if tables, captions := strings.Count(body, "<table"), strings.Count(body, "<caption"); tables != captions {
			t.Errorf("%s has %d tables and %d captions", scenario, tables, captions)
		}
		if pictures, tables := strings.Count(body, `class="proof"`), strings.Count(body, `<table class="stack"><caption>`); pictures != tables {
			t.Errorf("%s has %d pictures of proofs and %d tables that say the same", scenario, pictures, tables)
		}
		for _, bad := range []string{" style=", "<script>alert", "<img src=x", "</title></svg>", "%!"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", scenario, bad)
			}
		}
		if scenario == "no-quorum" {
			for _, form := range regexp.MustCompile(`method="post" action="([^"]*)"`).FindAllStringSubmatch(body, -1) {
				if form[1] != "/language" && form[1] != "/logout" {
					t.Errorf("without a quorum it offers %s", form[1])
				}
			}
		}
	}
}

// TestAuditFilters: what is chosen is what is shown, and the counts of the filters are
// those of the history.
func TestAuditFilters(t *testing.T) {
	s, b := console(t, "well")
	h, err := b.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	only := h.Only(audit.Choice{Severity: audit.Error, Rule: "unrecoverable", Loss: "pangyo"})
	body := ask(t, s, http.MethodGet, "/audit?severity=error&rule=unrecoverable&loss=pangyo", "viewer", inLang("en")).Body.String()
	ids := regexp.MustCompile(`<code>([a-z-]+)/[^<]*</code>`).FindAllStringSubmatch(body, -1)
	if len(ids) != len(only.Standing) || len(ids) == 0 {
		t.Errorf("%d findings are shown, want %d", len(ids), len(only.Standing))
	}
	for _, id := range ids {
		if id[1] != "unrecoverable" {
			t.Errorf("%s is shown", id[0])
		}
	}
	if body := ask(t, s, http.MethodGet, "/audit?rule=nothing-of-the-kind&page=99&services=-3", "viewer", inLang("en")).Body.String(); !strings.Contains(body, "Nothing fits what was chosen.") {
		t.Error("a rule that does not exist shows something")
	}
}

// Audited has another history.
type audited struct {
	*webtest.Backend

	history *audit.History
}

func (a audited) Audit(context.Context) (*audit.History, error) { return a.history, nil }

func TestAuditAPI(t *testing.T) {
	s, b := console(t, "well")
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := web.NewClient(web.ClientOptions{URL: server.URL, Token: "viewer-token"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := b.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Audit(t.Context(), audit.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Audits) != 3 || len(got.Standing) != len(want.Standing) || len(got.Fixed) != len(want.Fixed) || len(got.Fixed) == 0 ||
		got.Standing[0].Opened.Number != want.Standing[0].Opened.Number || !slices.ContainsFunc(got.Standing, func(f audit.Held) bool { return f.Graph != nil }) {
		t.Errorf("%d audits, %d standing, %d fixed", len(got.Audits), len(got.Standing), len(got.Fixed))
	}
	warnings, err := c.Audit(t.Context(), audit.Choice{Severity: audit.Warning})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range warnings.Standing {
		if f.Severity != audit.Warning {
			t.Errorf("%s is %s", f.ID, f.Severity)
		}
	}
	for _, bad := range []audit.Choice{{Severity: "grave"}, {Rule: "unrecoverabel"}} {
		_, err := c.Audit(t.Context(), bad)
		if err == nil || bad.Rule != "" && !strings.Contains(err.Error(), `did you mean "unrecoverable"?`) {
			t.Errorf("%+v gives %v", bad, err)
		}
	}
	site := want.Losses[0]
	if _, err := c.Audit(t.Context(), audit.Choice{Loss: site + "x"}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no audit of the nodes looked at the loss %q; did you mean %q?", site+"x", site)) {
		t.Errorf("a loss that there is none of gives %v", err)
	}
	for _, loss := range []string{site, audit.NoLoss, audit.ColdStart} {
		if _, err := c.Audit(t.Context(), audit.Choice{Loss: loss}); err != nil {
			t.Errorf("the loss %s gives %v", loss, err)
		}
	}
	// What has no column is known by its name, and no other loss for that.
	for _, x := range []struct {
		loss  string
		names []string
		want  string
	}{
		{"halla", []string{"halla", "seorak"}, ""},
		{"pangyo+seorak", []string{"halla", "seorak"}, `no audit of the nodes looked at the loss "pangyo+seorak"`},
		{"seorka", []string{"halla", "seorak"}, `did you mean "seorak"?`},
		{site, nil, ""},
		{"halla", nil, `an older program wrote the history, without the names of 2 losses`},
	} {
		h := *want
		h.OtherLosses, h.MoreLosses = x.names, 2
		narrow, err := web.New(web.Options{Backend: audited{b, &h}, Accounts: webtest.Accounts{}, Key: webtest.Key()})
		if err != nil {
			t.Fatal(err)
		}
		w := ask(t, narrow, http.MethodGet, "/api/v1/audit?loss="+url.QueryEscape(x.loss), "viewer")
		narrow.Close()
		var problem struct {
			Error web.Error `json:"error"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
			t.Fatal(err)
		}
		if (w.Code == http.StatusOK) != (x.want == "") || !strings.Contains(problem.Error.Message, x.want) {
			t.Errorf("the loss %s beside columns, of %v: %d %s, want %q", x.loss, x.names, w.Code, problem.Error.Message, x.want)
		}
	}
	empty, _ := console(t, "empty")
	w := ask(t, empty, http.MethodGet, "/api/v1/audit", "viewer")
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "null") || !json.Valid(w.Body.Bytes()) {
		t.Errorf("before the first audit: %d %s", w.Code, w.Body)
	}
	if w := ask(t, s, http.MethodGet, "/api/v1/audit", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("without an account: status %d", w.Code)
	}
}
