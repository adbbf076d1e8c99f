package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/config"
)

const small = `cluster: test
site: north
nodes:
  - {site: north, role: member, peer: 127.0.0.1:1, client: 127.0.0.1:2, console: "http://127.0.0.1:3"}
`

func TestParse(t *testing.T) {
	c, err := config.Parse("f.yaml", []byte(small+`
store: {heartbeat: 20ms, election: 200ms, quota: 64MiB}
fence: {exec: [/bin/fence, on], release: {http: "http://127.0.0.1/release"}}
policy: {declare: auto}
secrets: {token: {env: TOKEN}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Store.Heartbeat != 20*time.Millisecond || c.Store.Quota != 64<<20 || c.Policy.Declare != config.Auto ||
		c.Policy.Approve != config.Confirm || c.Fence.Exec[1] != "on" || c.Fence.Release.HTTP == "" || c.Detection.Hold != 8*time.Second {
		t.Errorf("%+v", c)
	}
	if c.Self().Site != "north" || len(c.Members()) != 1 || len(c.Warnings()) != 1 {
		t.Errorf("self %v members %v warnings %v", c.Self(), c.Members(), c.Warnings())
	}
}

// Every wrong input says where, what, and what would be right.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "f.yaml is empty"},
		{"a: [", "f.yaml: line 1"},
		{small + "---\nx: 1\n", "another one"},
		{small + "polizy: {}\n", `f.yaml:5:1: unknown field "polizy" in the file; did you mean "policy"?`},
		{small + "store:\n  hartbeat: 1s\n", `f.yaml:6:3: unknown field "hartbeat" in store; did you mean "heartbeat"?`},
		{small + "detection: {hold: 6}\n", `f.yaml:5:19: detection.hold is "6", which is no duration`},
		{small + "store: {quota: 2GB}\n", `f.yaml:5:16: store.quota: "2GB" is not a size: write a number with B, KiB, MiB, GiB or TiB`},
		{small + "policy: {declare: automatic}\n", `policy.declare is "automatic", which is none of auto, confirm; did you mean "auto"?`},
		{small + "site: south\n", `f.yaml:5:1: "site" is given twice`},
		{strings.Replace(small, "site: north\n", "site: nort\n", 1), `f.yaml:2: site is "nort", which is not among the nodes; did you mean "north"?`},
		{small + "detection:\n  lease: 6s\n", `f.yaml:6: detection.hold is 8s: must be at least the lease of 6s + 2.5s = 8.5s`},
		{small + "store:\n  election: 100ms\n", `f.yaml:6: store.election is 100ms: must be at least 5 heartbeats of 50ms, which is 250ms`},
		{small + "detection: {observers: 1}\n", "f.yaml:5: detection.observers is 1: must be at least 2"},
		{small + "policy: {declare: auto}\n", "f.yaml:5: policy.declare is auto, but nothing fences the writers of this site"},
		{small + "fence: {exec: [x], timeout: 3s}\n", "f.yaml:5: fence.timeout is 3s: must be above 0s and at most half of the lease of 5s"},
		{small + "fence: {exec: [x], none: true}\n", "f.yaml:5: fence.none is true, but a way to fence is given too"},
		{small + "tls: {ca: x}\n", "f.yaml:5: tls needs all of ca, cert and key"},
		{small + "listen: {console: 0.0.0.0:80}\n", "f.yaml:5: listen.console is 0.0.0.0:80: without a certificate"},
		{small + "fence: {exec: [a], http: http://x}\n", "fence has both exec and http"},
		{small + "fence: {release: {exec: [a]}}\n", "nothing to release"},
		{small + "secrets: {a: {}}\n", "f.yaml:5: secrets.a needs exactly one of file and env"},
		{small + "store: {external: [\"127.0.0.1:2379\"]}\n", "the store is external"},
		{small + "version: 2\n", "version is 2"},
		{"cluster: x\nsite: a\nnodes: {}\n", "f.yaml:3:8: nodes must be a list"},
		{strings.Replace(small, "127.0.0.1:1,", "10.0.0.1:1,", 1), "nodes of several machines need tls"},
		{strings.Replace(small, "role: member", "role: membre", 1), `did you mean "member"?`},
		{strings.Replace(small, "role: member", "role: observer", 1), "has no member"},
	} {
		_, err := config.Parse("f.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	// All at once.
	_, err := config.Parse("f.yaml", []byte(small+"polizy: {}\nstore: {quota: x}\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("not both errors: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	var described bytes.Buffer
	if err := config.Describe(&described); err != nil {
		f.Fatal(err)
	}
	f.Add(described.Bytes())
	f.Add([]byte(small))
	f.Add([]byte("a: &x [*x]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.Parse("f", text)
		if err == nil && c.Validate() != nil {
			t.Errorf("accepted, but %v", c.Validate())
		}
	})
}

// What describe prints can be read, holds every field, and is the default.
func TestDescribe(t *testing.T) {
	var b bytes.Buffer
	if err := config.Describe(&b); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("described", b.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	want := config.DefaultConfig()
	if diff := cmp.Diff([]any{want.Store.Quota, want.Detection, want.Listen}, []any{c.Store.Quota, c.Detection, c.Listen}); diff != "" {
		t.Error(diff)
	}
	for _, field := range []string{"quota: 2GiB", "hold: 8s", "release:", "sessionKey: session.key", "declare: confirm", "  - site: north"} {
		if !strings.Contains(b.String(), field) {
			t.Errorf("%q is missing in\n%s", field, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if !strings.Contains(line, "#") && strings.TrimSpace(line) != "" {
			t.Errorf("not explained: %s", line)
		}
	}
}

func TestSecretPrintsAsStars(t *testing.T) {
	s := config.NewSecret("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s)
	inJSON, err := json.Marshal(struct {
		S config.Secret `json:"s"`
	}{s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s), log.String(), string(inJSON), fmt.Sprintf("%+v", &s)} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e746572") {
			t.Errorf("printed: %s", shown)
		}
	}
	if s.Reveal() != "hunter2" {
		t.Error("lost")
	}
}

func TestLoadRefusesMissingFiles(t *testing.T) {
	dir := t.TempDir()
	r, err := config.Init(filepath.Join(dir, "c"), config.InitOptions{Sites: []string{"north"}})
	if err != nil {
		t.Fatal(err)
	}
	file := r.Files["north"]
	at := filepath.Dir(file)
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := c.Key(); err != nil || len(key.Reveal()) < 32 {
		t.Errorf("key: %v", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(at, "secret")
	check := func(add, want string) {
		t.Helper()
		if err := os.WriteFile(file, append(bytes.Clone(text), add...), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(file)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", add, err, want)
		}
	}
	line := strings.Count(string(text), "\n") + 1
	check("secrets: {db: {file: secret}}\n", fmt.Sprintf("%s:%d: secrets.db names %s, which does not exist", file, line, secret))
	check("secrets: {db: {env: BONGSU_NOT_SET}}\n", "BONGSU_NOT_SET, which is not set")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	check("secrets: {db: {file: secret}}\n", "others can read")
	if err := os.Chmod(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	check("secrets: {db: {file: secret}}\n", "")
	c, err = config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := c.Secrets.Lookup("db"); !ok || s.Reveal() != "s3cret" {
		t.Errorf("secret %q %v", s.Reveal(), ok)
	}
	check("console: {accounts: nope.yaml}\n", "nope.yaml, which does not exist")
	if err := os.Remove(filepath.Join(at, "tls", "node.key")); err != nil {
		t.Fatal(err)
	}
	check("", "tls.key names")
	if _, err := config.Load(filepath.Join(dir, "none.yaml")); err == nil {
		t.Error("a missing file was loaded")
	}
}
