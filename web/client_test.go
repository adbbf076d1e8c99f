package web_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/incident"
	"bongsu/web"
	"bongsu/web/webtest"
)

// client returns a client of a node in the scenario, over TLS.
func client(t *testing.T, scenario, as string) (*web.Client, *webtest.Backend) {
	t.Helper()
	s, b := console(t, scenario)
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	c, err := web.NewClient(web.ClientOptions{URL: server.URL + "/", Token: as + "-token", CA: pool})
	if err != nil {
		t.Fatal(err)
	}
	return c, b
}

// TestClient asks for everything that the command line asks for.
func TestClient(t *testing.T) {
	ctx := t.Context()
	c, b := client(t, "running", "approver")
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	health, err := c.Health(ctx)
	check("health", err)
	if want := (web.Health{Site: "anyang", OK: true, Quorum: true}); health != want {
		t.Errorf("health is %+v, want %+v", health, want)
	}
	now, err := c.Now(ctx)
	check("now", err)
	if now.Run == nil || now.Run.Progress != (web.Progress{Done: 3, Total: 7, Failed: 1, Running: 1, Waiting: 1, WasBase: 6}) {
		t.Errorf("the run is %+v", now.Run)
	}
	if got := now.Services[0]; got.Name != "pay" || got.State != web.StateRecoverable || !got.Late {
		t.Errorf("the first service is %+v, want pay: down, and late", got)
	}
	members, err := c.Members(ctx)
	check("members", err)
	if len(members) != 4 || !members[1].Leader {
		t.Errorf("members are %+v", members)
	}
	incidents, err := c.Incidents(ctx)
	check("incidents", err)
	one, err := c.Incident(ctx, incidents[0].ID)
	check("incident", err)
	if diff := cmp.Diff(incidents[0], one); diff != "" {
		t.Errorf("one incident differs from the list:\n%s", diff)
	}
	runs, err := c.Runs(ctx)
	check("runs", err)
	if len(runs) != 2 || runs[0].ID != "r-0012" {
		t.Errorf("runs are %+v", runs)
	}
	run, err := c.Run(ctx, "r-0012")
	check("run", err)
	if len(run.Steps) != 7 || run.Steps[0].Begun == nil || *run.Steps[0].Begun != 64 || len(run.Journal) == 0 {
		t.Errorf("the run is %+v", run)
	}
	pages, err := c.Journal(ctx, "")
	check("journal", err)
	if journal := pages.Journal; len(journal) < 10 || !slices.IsSortedFunc(journal, func(a, b web.Entry) int { return b.At.Compare(a.At) }) {
		t.Errorf("the journal is not whole, or not newest first: %+v", journal)
	}

	_, err = c.Do(ctx, web.Command{Verb: web.Abort, Run: "r-0012", Why: "alone"})
	var waits *web.Error
	if !errors.As(err, &waits) || waits.Code != "second" || waits.Status != http.StatusAccepted || len(b.Commands()) != 0 {
		t.Errorf("abort by one person alone: %#v, commands %v", err, b.Commands())
	}
	b.Change(func(f *web.Facts) { f.Second, f.Asked = false, nil })
	for _, cmd := range []web.Command{
		{Verb: web.Note, Incident: "20221015-pangyo", Why: "smoke"},
		{Verb: web.Assign, Incident: "20221015-pangyo", Role: "commander", Person: "jiwon", Why: "night shift"},
		{Verb: web.Blame, Incident: "20221015-pangyo", Why: "so says the contract", Fault: &incident.Fault{Domain: "pangyo", Operator: "SK C&C"}},
		{Verb: web.Draft, Incident: "20221015-pangyo", Update: &incident.Update{Phase: "monitoring", Body: map[string]string{"ko": "돌아옴"}}},
		{Verb: web.MarkDone, Incident: "20221015-pangyo", Clock: "kr-ministry-report", Why: "by mail"},
		{Verb: web.Pause, Run: "r-0012", Why: "look"},
		{Verb: web.Resume, Run: "r-0012", Why: "go on"},
		{Verb: web.Fail, Run: "r-0012", Step: "pay-ledger/promote@sejong", Why: "it was not"},
		{Verb: web.Retry, Run: "r-0012", Step: "map-tile/scale@sejong", Why: "room was made"},
		{Verb: web.Abort, Run: "r-0012", Why: "a drill"},
		{Verb: web.Withdraw, Incident: "20221015-pangyo", Why: "a false alarm"},
	} {
		_, err := c.Do(ctx, cmd)
		check(string(cmd.Verb), err)
		cmd.Who = "approver"
		all := b.Commands()
		if diff := cmp.Diff(cmd, all[len(all)-1]); diff != "" {
			t.Errorf("%s arrived otherwise (-sent +got):\n%s", cmd.Verb, diff)
		}
	}
	id, err := c.Declare(ctx, []string{"gasan"}, "연기")
	check("declare", err)
	if one, err := c.Incident(ctx, id); err != nil || !slices.Equal(one.Lost, []string{"gasan"}) {
		t.Errorf("declared %+v, %v", one, err)
	}

	rev, files, err := c.Estate(ctx, "")
	check("estate", err)
	files["more.yaml"] = []byte("kind: Crew\nname: 밤번\n")
	_, err = c.Push(ctx, files, "")
	var p *web.Error
	if !errors.As(err, &p) || p.Code != "bad-estate" || p.Status != http.StatusUnprocessableEntity || len(p.Details) == 0 || !strings.Contains(p.Details[0], "more.yaml:2:") {
		t.Errorf("a bad estate: %#v", err)
	}
	files["more.yaml"] = []byte("kind: Crew\nname: night\n")
	pushed, err := c.Push(ctx, files, "a night crew")
	check("push", err)
	if pushed.Rev == rev.Rev || pushed.By != "approver" || pushed.Why != "a night crew" {
		t.Errorf("pushed %+v over %+v", pushed, rev)
	}
	log, err := c.EstateLog(ctx)
	check("log", err)
	if log[0].Rev != pushed.Rev || log[1].Rev != rev.Rev {
		t.Errorf("the log is %+v", log)
	}
	back, err := c.Rollback(ctx, rev.Rev, "not yet")
	check("rollback", err)
	if back.Rev != rev.Rev || back.Why != "not yet" {
		t.Errorf("rolled back to %+v", back)
	}

	before, err := c.Members(ctx)
	check("members", err)
	lost := before[1].Site
	got, err := c.Replace(ctx, web.Replacement{Lost: lost, Name: "new", Peer: "10.9.0.1:7400", Why: "its disk burned"})
	check("replace", err)
	if i := slices.IndexFunc(got, func(m web.Member) bool { return m.Site == "new" }); i < 0 || got[i].Peer != "10.9.0.1:7400" || len(got) != len(before) {
		t.Errorf("replaced into %+v", got)
	}
	if _, err := c.Replace(ctx, web.Replacement{Lost: lost, Name: "new", Peer: "10.9.0.1:7400", Why: "again"}); !errors.As(err, &p) || p.Code != "not-found" {
		t.Errorf("replacing who is gone: %v", err)
	}
	check("move", c.Move(ctx, web.Replacement{Name: "new", Peer: "10.9.0.2:7400", Why: "another rack"}))
	if members, err = c.Members(ctx); err != nil || !slices.ContainsFunc(members, func(m web.Member) bool { return m.Peer == "10.9.0.2:7400" }) {
		t.Errorf("moved: %+v, %v", members, err)
	}
	for _, bad := range []web.Replacement{{Lost: "x", Name: "new", Peer: "no-port", Why: "x"}, {Lost: "x", Peer: "h:1", Why: "x"}, {Name: "new", Peer: "h:1", Why: "x"}, {Lost: "x", Name: "new", Peer: "h:1"}} {
		if _, err := c.Replace(ctx, bad); !errors.As(err, &p) || p.Code != "bad-input" && p.Code != "why-missing" {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	b.Change(func(f *web.Facts) { f.Quorum.Full = true })
	if err := c.Move(ctx, web.Replacement{Name: "new", Peer: "10.9.0.3:7400", Why: "x"}); !errors.As(err, &p) || p.Code != "store-full" {
		t.Errorf("a full store: %v", err)
	}
	check("repair", c.Repair(ctx, "the quota is larger now"))
	check("move", c.Move(ctx, web.Replacement{Name: "new", Peer: "10.9.0.3:7400", Why: "x"}))

	var snapshot bytes.Buffer
	n, err := c.Backup(ctx, &snapshot)
	check("backup", err)
	if n != int64(snapshot.Len()) || n == 0 {
		t.Errorf("%d bytes reported, %d written", n, snapshot.Len())
	}
	check("restore", c.Restore(ctx, &snapshot))
	if log, err = c.EstateLog(ctx); err != nil || log[0].Rev != "restored" {
		t.Errorf("after the restore the log is %+v, %v", log, err)
	}
}

// TestClientTrouble: what a command line has to tell its user apart.
func TestClientTrouble(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]struct {
		scenario, as, code string
		call               func(*web.Client) error
	}{
		"no such token": {"well", "stranger", "not-signed-in", func(c *web.Client) error { _, err := c.Now(ctx); return err }},
		"viewer aborts": {"running", "viewer", "role", func(c *web.Client) error {
			_, err := c.Do(ctx, web.Command{Verb: web.Abort, Run: "r-0012", Why: "x"})
			return err
		}},
		"no reason": {"running", "approver", "why-missing", func(c *web.Client) error {
			_, err := c.Do(ctx, web.Command{Verb: web.Abort, Run: "r-0012"})
			return err
		}},
		"unknown run": {"running", "viewer", "not-found", func(c *web.Client) error { _, err := c.Run(ctx, "r-9/../x"); return err }},
		"unknown verb": {"running", "approver", "not-found", func(c *web.Client) error {
			_, err := c.Do(ctx, web.Command{Verb: "burn", Run: "r-0012", Why: "x"})
			return err
		}},
		"unknown domain": {"well", "approver", "unknown-domain", func(c *web.Client) error {
			_, err := c.Declare(ctx, []string{"pango"}, "x")
			return err
		}},
		"nothing lost": {"well", "approver", "bad-input", func(c *web.Client) error { _, err := c.Declare(ctx, nil, "x"); return err }},
		"no quorum": {"no-quorum", "approver", "no-quorum", func(c *web.Client) error {
			_, err := c.Do(ctx, web.Command{Verb: web.Pause, Run: "r-0012", Why: "x"})
			return err
		}},
		"full": {"full", "approver", "store-full", func(c *web.Client) error {
			_, err := c.Push(ctx, map[string][]byte{"a.yaml": []byte("kind: Crew\nname: a\n")}, "")
			return err
		}},
		"bad file name": {"well", "approver", "bad-input", func(c *web.Client) error {
			_, err := c.Push(ctx, map[string][]byte{"../a.yaml": nil}, "")
			return err
		}},
		"no snapshot": {"well", "approver", "bad-input", func(c *web.Client) error { return c.Restore(ctx, strings.NewReader("junk")) }},
	} {
		t.Run(name, func(t *testing.T) {
			cl, b := client(t, c.scenario, c.as)
			err := c.call(cl)
			p, ok := errors.AsType[*web.Error](err)
			if !ok || p.Code != c.code || p.Message == "" || p.Hint == "" {
				t.Errorf("%#v, want a problem %q with message and hint", err, c.code)
			}
			if len(b.Commands()) != 0 {
				t.Errorf("carried out: %+v", b.Commands())
			}
		})
	}
	t.Run("an unknown domain names the nearest", func(t *testing.T) {
		c, _ := client(t, "well", "approver")
		_, err := c.Declare(ctx, []string{"pango"}, "x")
		if p, ok := errors.AsType[*web.Error](err); !ok || p.Hint != "did you mean pangyo?" {
			t.Errorf("%#v", err)
		}
	})
	t.Run("half a backup is an error", func(t *testing.T) {
		c, b := client(t, "well", "approver")
		b.Fail(errors.New("disk"))
		if n, err := c.Backup(ctx, io.Discard); err == nil || !strings.Contains(err.Error(), "not whole") {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	t.Run("a stranger's certificate", func(t *testing.T) {
		s, _ := console(t, "well")
		server := httptest.NewUnstartedServer(s)
		server.Config.ErrorLog = nil
		server.StartTLS()
		defer server.Close()
		c, err := web.NewClient(web.ClientOptions{URL: server.URL, CA: x509.NewCertPool()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Health(ctx); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%v, want a complaint about the certificate", err)
		}
	})
	t.Run("not a node", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		c, err := web.NewClient(web.ClientOptions{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Health(ctx); err == nil || !strings.Contains(err.Error(), "is "+server.URL) {
			t.Errorf("%v, want a doubt about the address", err)
		}
	})
	for _, bad := range []string{"", "pangyo:7400", "ftp://pangyo", "://"} {
		if _, err := web.NewClient(web.ClientOptions{URL: bad}); err == nil {
			t.Errorf("the address %q is taken", bad)
		}
	}
}

// TestClientEvents waits for a change and nothing else.
func TestClientEvents(t *testing.T) {
	c, b := client(t, "running", "viewer")
	seen := make(chan struct{})
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- c.Events(ctx, func() {
			select {
			case seen <- struct{}{}:
			case <-ctx.Done():
			}
		})
	}()
	<-seen // hello
	b.Change(func(f *web.Facts) { f.Term++ })
	<-seen
	cancel()
	if err := <-ended; err == nil {
		t.Error("the stream ended without saying why")
	}
}

// TestPushTar pushes the estate as an archive.
func TestPushTar(t *testing.T) {
	s, b := console(t, "well")
	push := func(name string) *httptest.ResponseRecorder {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		data := []byte("kind: Crew\nname: night\n")
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return post(t, s, "/api/v1/estate?why=tar", "approver", buf.String(), func(r *http.Request) { r.Header.Set("Content-Type", "application/x-tar") })
	}
	if w := push("./crews/night.yaml"); w.Code != http.StatusCreated {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	files, rev, err := b.Files(t.Context(), "")
	if err != nil || files["crews/night.yaml"] == nil || rev.Why != "tar" {
		t.Errorf("stored %v as %+v, %v", files, rev, err)
	}
	for _, evil := range []string{"../night.yaml", "/etc/night.yaml", "a/../../b.yaml"} {
		if w := push(evil); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d, want 422", evil, w.Code)
		}
	}
}

// TestJSON pins the contract of the API.
func TestJSON(t *testing.T) {
	for _, c := range []struct{ scenario, path, file string }{
		{"running", "/api/v1/now", "now.json"},
		{"running", "/api/v1/runs/r-0012", "run.json"},
		{"running", "/api/v1/incidents", "incidents.json"},
		{"no-quorum", "/api/v1/healthz", "healthz.json"},
		{"well", "/api/v1/members", "members.json"},
		{"well", "/api/v1/estate/log", "estate-log.json"},
		{"well", "/api/v1/runs/nope", "error.json"},
		{"empty", "/api/v1/now", "now-empty.json"},
		{"empty", "/api/v1/runs", "runs-empty.json"},
	} {
		s, _ := console(t, c.scenario)
		w := ask(t, s, http.MethodGet, c.path, "viewer")
		var got bytes.Buffer
		if err := json.Indent(&got, w.Body.Bytes(), "", " "); err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		if strings.Contains(got.String(), "null") && !strings.Contains(c.file, "run.json") {
			t.Errorf("%s holds a null:\n%s", c.path, got.String())
		}
		file := filepath.Join("testdata", "api", c.file)
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s changed (-was +is):\n%s", c.path, diff)
		}
	}
}

// TestStrictJSON: a request that is not understood whole is not carried out.
func TestStrictJSON(t *testing.T) {
	for _, body := range []string{`{"why":"x","yes":true}`, `{"why":"x"}{"why":"y"}`, `{"why":`, `{"why":1}`, `{}`} {
		s, b := console(t, "running")
		if w := post(t, s, "/api/v1/runs/r-0012/abort", "approver", body); w.Code < 400 || w.Code >= 500 || len(b.Commands()) != 0 {
			t.Errorf("%s: status %d, commands %v", body, w.Code, b.Commands())
		}
	}
	s, b := console(t, "running")
	w := post(t, s, "/api/v1/runs/r-0012/abort", "approver", `{"why":"x"}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") })
	if w.Code != http.StatusUnprocessableEntity || len(b.Commands()) != 0 {
		t.Errorf("as text/plain, which a form of another site can send: status %d", w.Code)
	}
}
